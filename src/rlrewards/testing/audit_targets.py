"""What an audit is told to look at, turned into subjects.

A target is a stack in TOML, `module:name`, `path/file.py:name`, or a reward itself. All of this
runs in the process that can be killed: importing a module is running it.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rlrewards.core import is_grouped, name_of
from rlrewards.stack import Gated, Stack
from rlrewards.testing.running import LoadError
from rlrewards.testing.subject import COMPLETION_NAMES, Signature, Subject, subject

# What a preset or class is given when it must have it and nobody says.
DEFAULT_ARGUMENTS: dict[str, Any] = {"max_length": 4096}


@dataclass(frozen=True)
class Targets:
    """Everything that one audit looks at, and what is known of it.

    Attributes:
        targets: TOML files, `module:name`, `path/file.py:name`, or rewards.
        kind: Kinds of the targets themselves; those of their parts are known or pointwise.
        signature: How they are called, where their parameters do not tell.
        facts: Parameters that checks need, and that presets and classes are built with.
    """

    targets: tuple[Any, ...]
    kind: tuple[str, ...] = ()
    signature: Signature | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def subjects(self) -> list[Subject]:
        """Load the targets; return each, and each part of a stack, equal ones once.

        Raises:
            LoadError: one cannot be loaded; the message says what to do.
        """
        found: list[Subject] = []
        for target in self.targets:
            name, reward = self._loaded(target)
            name = _new(name, {known.name for known in found})
            for one in (self._whole(name, reward), *self._parts(name, reward)):
                if not any(same_reward(one.reward, known.reward) for known in found):
                    name_of_one = _new(one.name, {known.name for known in found})
                    found.append(replace(one, name=name_of_one))
        return found

    def _loaded(self, target: Any) -> tuple[str, Any]:
        if not isinstance(target, str):
            return name_of(target) if callable(target) else repr(target), target
        if target.endswith(".toml"):
            return Path(target).stem, _stack(target)
        source, colon, attribute = target.rpartition(":")
        if not colon or not source or not attribute:
            raise LoadError(
                f"{target}: expected STACK.toml, module:function or path/file.py:function"
            )
        value: Any = _module(source)
        for step in attribute.split("."):
            try:
                value = getattr(value, step)
            except AttributeError:
                raise LoadError(f"{target}: {source} has no {attribute!r}") from None
        if is_factory(value):
            value = self._built(target, value)
        return attribute, value

    def _built(self, target: str, factory: Any) -> Any:
        """Call a preset, or a class, with the facts that it takes."""
        arguments = {}
        for name, parameter in inspect.signature(factory).parameters.items():
            if name in self.facts:
                arguments[name] = self.facts[name]
            elif parameter.default is parameter.empty and parameter.kind is not (
                parameter.VAR_KEYWORD
            ):
                if name not in DEFAULT_ARGUMENTS:
                    raise LoadError(f"{target} needs {name}; say --fact {name}=VALUE")
                arguments[name] = DEFAULT_ARGUMENTS[name]
        return factory(**arguments)

    def _whole(self, name: str, reward: Any) -> Subject:
        kind: Iterable[str] | None = self.kind or None
        if isinstance(reward, Stack) and kind:
            kind = {*self.kind, "stack", *(["grouped"] if is_grouped(reward) else [])}
        try:
            return subject(
                reward, kind=kind, signature=self.signature, name=name, **dict(self.facts)
            )
        except TypeError as error:
            raise LoadError(f"{name}: {error}") from None

    def _parts(self, name: str, reward: Any) -> Iterator[Subject]:
        for part, inner in parts_of(name, reward):
            own = type(inner).__module__.startswith("rlrewards.rewards.")
            yield subject(inner, name=part, **({} if own else dict(self.facts)))


def parts_of(name: str, reward: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a stack or a gated reward is made of, all the way down, with its path as name.

    >>> import rlrewards as rr
    >>> stack = rr.Accuracy() + rr.TagCount().when(rr.ThinkFormat())
    >>> [part for part, _ in parts_of("mine", stack)]
    ['mine.accuracy', 'mine.tag_count', 'mine.tag_count.reward', 'mine.tag_count.gate']
    """
    inner: Sequence[tuple[str, Any]] = ()
    if isinstance(reward, Stack):
        inner = [(part.name, part.reward) for part in reward.parts]
    elif isinstance(reward, Gated):
        inner = [("reward", reward.reward), ("gate", reward.gate)]
    for part, one in inner:
        yield f"{name}.{part}", one
        yield from parts_of(f"{name}.{part}", one)


def is_factory(value: Any) -> bool:
    """Whether this returns a reward when it is called, rather than being one.

    A class, or a function that takes neither a batch nor a completion: no parameter of it must be
    given by position.

    >>> from rlrewards import presets
    >>> is_factory(presets.dapo), is_factory(presets.dapo())
    (True, False)
    """
    if isinstance(value, type):
        return True
    if not inspect.isroutine(value):
        return False
    try:
        parameters = inspect.signature(value).parameters
    except (TypeError, ValueError):  # built-in functions have none
        return False
    taken = {"completions", *COMPLETION_NAMES} & {*parameters}
    by_position = any(
        item.kind is item.VAR_POSITIONAL
        or (item.kind is not item.KEYWORD_ONLY and item.kind is not item.VAR_KEYWORD
            and item.default is item.empty)
        for item in parameters.values()
    )  # fmt: skip
    takes_all = any(item.kind is item.VAR_KEYWORD for item in parameters.values())
    return not taken and not by_position and not takes_all


def same_reward(one: Any, other: Any) -> bool:
    """Whether two rewards are equal, and auditing the second would find nothing new."""
    if one is other:
        return True
    try:
        return type(one) is type(other) and bool(one == other)
    except Exception:
        return False


def _new(name: str, taken: set[str]) -> str:
    """Return a name that is not taken."""
    names = (name, *(f"{name} ({n})" for n in range(2, len(taken) + 2)))
    return next(name for name in names if name not in taken)


def _stack(path: str) -> Stack:
    try:
        stack = Stack.from_toml(path)
    except OSError as error:
        raise LoadError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise LoadError(str(error)) from None
    if not stack.parts:
        raise LoadError(f"{path}: holds no reward; add a [rewards.NAME] table")
    return stack


def _module(source: str) -> Any:
    """Import a module by name, or a file; under its own name, so that its functions pickle."""
    folder, name = os.getcwd(), source
    if source.endswith(".py"):
        path = Path(source).resolve()
        if not path.is_file():
            raise LoadError(f"{source}: No such file or directory")
        folder, name = str(path.parent), path.stem
        known = getattr(sys.modules.get(name), "__file__", None)
        if name in sys.modules and (known is None or Path(known).resolve() != path):
            raise LoadError(f"{source}: a module named {name!r} is loaded already; rename the file")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise LoadError(f"{source}: no module of this name here or installed") from None
        raise LoadError(f"{source}: {error}") from None
    except SystemExit as error:
        raise LoadError(
            f"{source}: importing it ended the process ({error.code!r}); put what it runs under "
            'if __name__ == "__main__":'
        ) from None
    except Exception as error:
        raise LoadError(f"{source}: importing it raised {type(error).__name__}: {error}") from error
