"""A library under audit, its functions, and the wrapper that calls one of them."""

from __future__ import annotations

import importlib
import inspect
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rlrewards.testing.subject import REFERENCE_NAMES, Signature, Subject, subject

Checkouts = Mapping[str, Path]
MODULES = {
    "trl": "trl_rewards",
    "math-verify": "math_verify_rewards",
    "open-r1": "open_r1_rewards",
    "verl": "verl_rewards",
    "ms-swift": "swift_rewards",
    "nemo-rl": "nemo_rl_rewards",
    "verifiers": "verifiers_rewards",
}
_LOADED: dict[str, Peer] = {}


@dataclass(frozen=True)
class Audited:
    """A function of a library, and what is known of it.

    Attributes:
        name: As the library calls it, with the arguments it was made with.
        make: Returns the function.
        kind: What it is.
        facts: Its parameters.
        signature: How it is called.
        conversational: Whether its completions are chat messages.
        renamed: Columns it gets under another name.
        reference: How references stand in the data it was written for, say `"${}$"`.
        remake: Makes it anew with one parameter changed, by the name of the fact.
    """

    name: str
    make: Callable[[], Any]
    kind: str | tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    signature: Signature = "trl"
    conversational: bool = False
    renamed: Mapping[str, str] = field(default_factory=dict)
    reference: str = "{}"
    remake: Callable[..., Any] | None = None


@dataclass(frozen=True)
class Peer:
    """A library: where its code was loaded from, and its reward functions."""

    name: str
    title: str
    version: str
    loaded_from: str
    functions: tuple[Audited, ...]
    left_out: tuple[str, ...] = ()

    def subjects(self) -> list[Subject]:
        """Return its functions as the checks call them."""
        return [_subject(self.name, function) for function in self.functions]


def load(name: str, checkouts: Checkouts) -> Peer:
    """Import a library's code into this process, once.

    Raises:
        Unavailable: it cannot be had.
    """
    if name not in _LOADED:
        module = importlib.import_module(f"peers.{MODULES[name]}")
        _LOADED[name] = module.load(checkouts)
    return _LOADED[name]


class Loaded:
    """A function of a library that was loaded by hand.

    It pickles exactly where the function does: the other process loads the library the same way
    before it unpickles.
    """

    def __init__(
        self, peer: str, inner: Any, renamed: Mapping[str, str], reference: str = "{}"
    ) -> None:
        self.peer, self.inner, self.renamed = peer, inner, dict(renamed)
        self.reference = reference

    @property
    def __signature__(self) -> inspect.Signature:
        try:
            return inspect.signature(self.inner)
        except (TypeError, ValueError):
            return inspect.Signature()

    def __call__(self, *arguments: Any, **columns: Any) -> Any:
        """Call it, columns renamed and references as it knows them."""
        if self.reference != "{}":
            for name in REFERENCE_NAMES:
                if name in columns:
                    columns[name] = [self.reference.format(text) for text in columns[name]]
        for name, known_as in self.renamed.items():
            if name in columns:
                columns[known_as] = columns.pop(name)
        return self.inner(*arguments, **columns)

    def __reduce__(self) -> Any:
        rest = (self.renamed, self.reference, dict(_CHECKOUTS))
        return _again, (self.peer, pickle.dumps(self.inner), *rest)


_CHECKOUTS: dict[str, Path] = {}


def use_checkouts(checkouts: Checkouts) -> None:
    """Remember where checkouts are, for processes that unpickle."""
    _CHECKOUTS.update(checkouts)


def _again(
    peer: str, pickled: bytes, renamed: Mapping[str, str], reference: str, checkouts: Checkouts
) -> Loaded:
    use_checkouts(checkouts)
    load(peer, checkouts)
    return Loaded(peer, pickle.loads(pickled), renamed, reference)


@dataclass(frozen=True)
class Remake:
    """Makes a function anew with other parameters; goes to other processes by name."""

    peer: str
    name: str

    def __call__(self, **changed: Any) -> Loaded:
        """Return the function, made with these parameters by the names of facts."""
        functions = load(self.peer, _CHECKOUTS).functions
        function = next(function for function in functions if function.name == self.name)
        assert function.remake is not None
        return Loaded(self.peer, function.remake(**changed), function.renamed, function.reference)


def _subject(peer: str, function: Audited) -> Subject:
    facts = dict(function.facts)
    if function.remake is not None:
        facts["remake"] = Remake(peer, function.name)
    return subject(
        Loaded(peer, function.make(), function.renamed, function.reference),
        kind=function.kind,
        signature=None if "verifier" in function.kind else function.signature,
        conversational=function.conversational,
        name=function.name,
        **facts,
    )
