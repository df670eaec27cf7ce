"""Stacks as TOML, both ways, and the names that rewards go by in it.

A reward is named as in Python (`type = "CosineLength"`), its parameters are its keys, and `when`
holds its gate. Rewards of other packages join through the entry-point group `rlrewards.rewards`.
TOML has no null, so a parameter that is None is written "none".
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import importlib
import json
import os
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

ENTRY_POINT_GROUP = "rlrewards.rewards"
NONE = "none"
# Raised whenever the same configuration may score a completion differently than before.
RULES_VERSION = 1

S = TypeVar("S")


def parse_stack(text: str, stack_type: type[S], where: str = "") -> S:
    """Build a stack from TOML text.

    Raises:
        ValueError: not TOML, or something in it is not known.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{where}not valid TOML: {error}") from None
    try:
        stack: S = stack_type.from_table(table, where)  # type: ignore[attr-defined]
    except TypeError as error:
        raise ValueError(str(error)) from None
    return stack


def read_stack(path: str | os.PathLike[str], stack_type: type[S]) -> S:
    """Build a stack from a TOML file; raises as `parse_stack` does, with the file's name."""
    try:
        text = Path(path).read_text(encoding="utf-8")
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
    """Return 16 hex digits that change when the configuration or the rules do."""
    content = json.dumps([RULES_VERSION, _canonical(reward)], sort_keys=True, default=repr)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _canonical(value: Any) -> Any:
    """Return all fields of a configuration as plain data, functions by their qualified names."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        items = {
            f.name: _canonical(getattr(value, f.name))
            for f in dataclasses.fields(value)
            if f.compare
        }
        return {"type": f"{type(value).__module__}.{type(value).__qualname__}"} | items
    if isinstance(value, Mapping):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return value


# ---------------------------------------------------------------------------------------------
# Python to TOML


def to_table(reward: Any, where: str) -> dict[str, Any]:
    """Return a reward as a table: its type, and the parameters that differ from the defaults.

    Raises:
        ValueError: it is, or holds, a function, which TOML cannot hold.
    """
    gate = getattr(reward, "gate", None)
    if gate is not None:
        return to_table(reward.reward, where) | {"when": to_table(gate, f"{where}.when")}
    name = _public_name(type(reward))
    if name is None:
        raise ValueError(
            f"{where!r} is {reward!r}, which TOML cannot hold; make it a frozen dataclass and "
            f"register that under the entry-point group {ENTRY_POINT_GROUP!r}"
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


def from_table(table: Mapping[str, Any], where: str) -> Any:
    """Build what a table with a `type` describes.

    Raises:
        ValueError: the type, or a key, is not known, or a value is not allowed.
    """
    entries = dict(table)
    if "when" in entries:
        gate = from_table(
            require_table(entries.pop("when"), f"when in {where}"), f"when in {where}"
        )
        gated = from_table(entries, where)
        if not hasattr(gated, "when"):
            raise ValueError(f"{where}: a plain function takes no gate; make it a reward")
        return gated.when(gate)
    if "type" not in entries:
        raise ValueError(f'{where} has no type; write type = "Accuracy", say')
    kind = named_type(entries.pop("type"), where)
    if hasattr(kind, "from_table"):
        return kind.from_table(entries, f"{where} ")
    if not dataclasses.is_dataclass(kind):  # a plain function of another package
        require_keys(entries, set(), where)
        return kind
    return _built(kind, entries, where)


def from_value(value: Any, where: str, default: Any = None) -> Any:
    """Turn one TOML value into a parameter; a table without a type takes that of the default."""
    if isinstance(value, list):
        return tuple(from_value(item, where) for item in value)
    if isinstance(value, Mapping) and "type" in value:
        return from_table(value, where)
    if isinstance(value, Mapping) and dataclasses.is_dataclass(default):
        return _built(type(default), value, where)
    return value


def _built(kind: Any, entries: Mapping[str, Any], where: str) -> Any:
    known = {item.name: item for item in dataclasses.fields(kind) if item.init}
    require_keys(entries, set(known), where)
    values = {}
    for key, value in entries.items():
        item = known[key]
        optional = "None" in str(item.type)
        none = value == NONE and optional
        values[key] = None if none else from_value(value, f"{key} in {where}", default_of(item))
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from None


def require_table(value: Any, where: str) -> Mapping[str, Any]:
    """Return `value` if it is a table."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{where} must be a table, got {value!r}")
    return value


def require_keys(table: Mapping[str, Any], allowed: set[str], where: str) -> None:
    """Raise a `ValueError` that names the first key that is not allowed."""
    for key in table:
        if key not in allowed:
            raise ValueError(
                f"{where}: unknown key {key!r}{_suggestion(key, allowed)}".lstrip(": ")
            )


def _suggestion(word: str, known: set[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(sorted(known))}" if known else "; it takes none"


# ---------------------------------------------------------------------------------------------
# Names


def named_type(name: Any, where: str) -> Any:
    """Return the reward type, schedule or function that goes by `name`."""
    if not isinstance(name, str):
        raise ValueError(f"{where}: type must be a string, got {name!r}")
    types = _own_types()
    if name in types:
        return types[name]
    foreign = _entry_points()
    if name in foreign:
        return foreign[name].load()
    known = set(types) | set(foreign)
    raise ValueError(f"{where}: unknown reward {name!r}{_suggestion(name, known)}")


def _public_name(kind: type) -> str | None:
    names = (name for name, known in _own_types().items() if known is kind)
    foreign = (name for name, entry in _entry_points().items() if entry.load() is kind)
    return next(names, None) or next(foreign, None)


@cache
def _own_types() -> dict[str, Any]:
    """Return the public dataclasses of the package that can be called, and Verifier."""
    package = importlib.import_module("rlrewards")
    public = {name: getattr(package, name) for name in package.__all__}
    return {
        name: value
        for name, value in public.items()
        if isinstance(value, type)
        and dataclasses.is_dataclass(value)
        and (any("__call__" in vars(base) for base in value.__mro__[:-1]) or name == "Verifier")
    }


def _entry_points() -> dict[str, Any]:
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}
