"""Stacks as TOML, both ways, and the names that rewards go by in it.

A reward is named as in Python (`type = "CosineLength"`), its parameters are its keys, and `when`
holds its gate. Rewards of other packages join through the entry-point group `rlrewards.rewards`.
TOML has no null, so a parameter that is None is written "none".
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import hashlib
import importlib
import json
import os
import tomllib
import typing
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

ENTRY_POINT_GROUP = "rlrewards.rewards"
NONE = "none"
# Raised whenever the same configuration may score a completion differently than before.
RULES_VERSION = 2

S = TypeVar("S")


def parse_stack(text: str, stack_type: type[S]) -> S:
    """Build a stack from TOML text.

    Raises:
        ValueError: not TOML, or something in it is not known.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"not valid TOML: {error}") from None
    try:
        stack: S = stack_type.from_table(table)  # type: ignore[attr-defined]
    except TypeError as error:
        raise ValueError(str(error)) from None
    return stack


def read_stack(path: str | os.PathLike[str], stack_type: type[S]) -> S:
    """Build a stack from a TOML file; raises as `parse_stack` does, with the file's name."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not a text file") from None
    try:
        return parse_stack(text, stack_type)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def write_stack(stack: Any, path: str | os.PathLike[str] | None = None) -> str:
    """Return a stack as TOML text, and write it to `path` when one is given."""
    import tomli_w

    text = tomli_w.dumps(stack.to_table())
    if path is not None:
        Path(path).write_text(text, encoding="utf-8")
    return text


def fingerprint(reward: Any) -> str:
    """Return 16 hex digits that change when the configuration or the rules do.

    A function is known by its name alone: what it computes may change unseen.
    """
    content = json.dumps([RULES_VERSION, _canonical(reward)], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _canonical(value: Any) -> Any:
    """Return all fields of a configuration as plain data, functions by their qualified names."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return float(value)  # 1 and 1.0 configure the same
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kept = (item.name for item in dataclasses.fields(value) if item.compare)
        return _tagged(type(value), {name: _canonical(getattr(value, name)) for name in kept})
    if isinstance(value, Mapping):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    if isinstance(value, functools.partial):
        parts = [value.func, value.args, value.keywords]
        return _tagged(functools.partial, {"parts": _canonical(parts)})
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"


def _tagged(kind: type, content: dict[str, Any]) -> dict[str, Any]:
    return {"type": f"{kind.__module__}.{kind.__qualname__}"} | content


# ---------------------------------------------------------------------------------------------
# Python to TOML


def to_table(reward: Any, where: str) -> dict[str, Any]:
    """Return a reward as a table: its type, and the parameters that differ from the defaults.

    Raises:
        ValueError: it is, or holds, a function, which TOML cannot hold.
    """
    name = _public_name(type(reward))
    if name is None and hasattr(reward, "to_table"):  # a gate stands inside its reward's table
        return dict(reward.to_table())
    if name is None:
        raise ValueError(
            f"{where!r} is {reward!r}, which TOML cannot hold; register a frozen dataclass under "
            f"the entry-point group {ENTRY_POINT_GROUP!r}"
        )
    if hasattr(reward, "to_table"):
        return {"type": name, **reward.to_table()}
    return {"type": name} | _changed_fields(reward, where)


def to_value(value: Any, where: str) -> Any:
    """Return one parameter as a TOML value."""
    if value is None:
        return NONE
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [to_value(item, where) for item in value]
    if isinstance(value, Mapping):
        return {str(key): to_value(item, where) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and _role(type(value)) == "other":
        return _changed_fields(value, where)  # its place tells its type
    if dataclasses.is_dataclass(value):
        return to_table(value, where)
    raise ValueError(f"{where!r} holds {value!r}, which TOML cannot")


def _changed_fields(value: Any, where: str) -> dict[str, Any]:
    return {
        item.name: to_value(getattr(value, item.name), f"{where}.{item.name}")
        for item in dataclasses.fields(value)
        if item.init and item.compare and getattr(value, item.name) != default_of(item)
    }


def default_of(item: dataclasses.Field[Any]) -> Any:
    """Return a dataclass field's default, or `dataclasses.MISSING`."""
    if item.default_factory is not dataclasses.MISSING:
        return item.default_factory()
    return item.default


# ---------------------------------------------------------------------------------------------
# TOML to Python


def place(path: str) -> str:
    """Return how messages name a table: `[rewards.a]`, or the whole file."""
    return f"[{path}]" if path else "the stack"


def reward_from(table: Mapping[str, Any], path: str) -> Any:
    """Build the reward that a table with a `type` describes, behind its gate if it has `when`.

    Raises:
        ValueError: the type, or a key, is not known, or a value is not allowed.
    """
    entries, where = dict(table), place(path)
    gate = entries.pop("when", None)
    if "type" not in entries:
        raise ValueError(f'{where} has no type; write type = "Accuracy", say')
    kind = _named("reward", entries.pop("type"), where)
    if hasattr(kind, "from_table"):
        reward = kind.from_table(entries, path)
    elif dataclasses.is_dataclass(kind):
        reward = _built(kind, entries, path, beside={"type", "weight", "when"})
    else:  # a plain function of another package
        require_keys(entries, set(), where, beside={"type", "weight", "when"})
        reward = kind
    if gate is None:
        return reward
    if not hasattr(reward, "when"):
        raise ValueError(f"{where}: a plain function takes no gate; make it a reward")
    gate_path = f"{path}.when"
    return reward.when(reward_from(require_table(gate, place(gate_path)), gate_path))


def weight_from(value: Any, path: str) -> Any:
    """Turn a number, or a table with a `type`, into a weight."""
    if not isinstance(value, Mapping):
        return value
    entries, path = dict(value), f"{path}.weight"
    if "type" not in entries:
        raise ValueError(f'{place(path)} has no type; write type = "LinearSchedule", say')
    kind = _named("schedule", entries.pop("type"), place(path))
    return _built(kind, entries, path, beside={"type"})


def _value_from(value: Any, path: str, default: Any) -> Any:
    """Turn one TOML value into a parameter; a table takes the type of the default."""
    if isinstance(value, list):
        return tuple(_value_from(item, path, None) for item in value)
    if not isinstance(value, Mapping):
        return value
    if "type" in value:
        return reward_from(value, path)
    return _built(type(default), value, path) if dataclasses.is_dataclass(default) else value


def _built(kind: Any, entries: Mapping[str, Any], path: str, beside: Iterable[str] = ()) -> Any:
    known = {item.name: item for item in dataclasses.fields(kind) if item.init}
    require_keys(entries, set(known), place(path), beside=beside)
    values: dict[str, Any] = {}
    for key, value in entries.items():
        default = default_of(known[key])
        if value == NONE and _takes_none(kind, known[key]):
            values[key] = None
        else:
            values[key] = _value_from(value, f"{path}.{key}", default)
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{place(path)}: {error}") from None


def _takes_none(kind: Any, item: dataclasses.Field[Any]) -> bool:
    """Whether a parameter may be None, by its annotation."""
    try:
        hint = typing.get_type_hints(kind)[item.name]
    except (NameError, TypeError, KeyError):  # annotations that only type checkers can resolve
        return "None" in str(item.type) or "Optional" in str(item.type)
    return type(None) in typing.get_args(hint)


def require_table(value: Any, where: str) -> Mapping[str, Any]:
    """Return `value` if it is a table."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{where} must be a table, got {value!r}")
    return value


def require_keys(
    table: Mapping[str, Any],
    allowed: set[str],
    where: str,
    *,
    beside: Iterable[str] = (),
) -> None:
    """Raise a `ValueError` that names the first key that is not allowed.

    `beside` are keys that were allowed and are already taken out; they are suggested too.
    """
    for key in table:
        if key not in allowed:
            raise ValueError(
                f"{where}: unknown key {key!r}{_suggestion(key, allowed.union(beside))}"
            )


def _suggestion(word: str, known: set[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(sorted(known))}" if known else "; it takes none"


# ---------------------------------------------------------------------------------------------
# Names


def _named(role: str, name: Any, where: str) -> Any:
    """Return the reward (a type, or a function of another package) or schedule named `name`."""
    if not isinstance(name, str):
        raise ValueError(f"{where}: type must be a string, got {name!r}")
    types = {key: kind for key, kind in _own_types().items() if _role(kind) == role}
    foreign = _entry_points() if role == "reward" else {}
    if name in types:
        return types[name]
    if name in foreign:
        return foreign[name].load()
    known = set(types) | set(foreign)
    raise ValueError(f"{where}: unknown {role} {name!r}{_suggestion(name, known)}")


def _public_name(kind: type) -> str | None:
    names = (name for name, known in _own_types().items() if known is kind)
    foreign = (name for name, entry in _entry_points().items() if entry.load() is kind)
    return next(names, None) or next(foreign, None)


def _role(kind: type) -> str:
    """Return what a type can stand for: rewards have gates, schedules can only be called."""
    if hasattr(kind, "when"):
        return "reward"
    return "schedule" if any("__call__" in vars(base) for base in kind.__mro__[:-1]) else "other"


@cache
def _own_types() -> dict[str, Any]:
    """Return the public dataclasses of the package, by name."""
    package = importlib.import_module("rlrewards")
    public = {name: getattr(package, name) for name in package.__all__}
    return {
        name: value
        for name, value in public.items()
        if isinstance(value, type) and dataclasses.is_dataclass(value)
    }


def _entry_points() -> dict[str, Any]:
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}
