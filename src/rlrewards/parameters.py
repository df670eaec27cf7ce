"""What constructors check of their parameters, and in which words they refuse.

Each function names the class, the parameter, what is allowed and what was given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def require_whole(owner: object, field: str, least: int) -> None:
    """Raise unless `owner.field` is a whole number of at least `least`.

    Raises:
        TypeError: it is not a whole number.
        ValueError: it is too small.
    """
    value = getattr(owner, field)
    expected = f"{_name(owner)}: {field} must be a whole number >= {least}, got {value!r}"
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(expected)
    if value < least:
        raise ValueError(expected)


def require_between(owner: object, field: str, low: float, high: float) -> None:
    """Raise unless `owner.field` is a finite number from `low` to `high`.

    Raises:
        TypeError: it is not a number.
        ValueError: it is NaN, infinite or outside.
    """
    value = getattr(owner, field)
    allowed = "a finite number" + (f" >= {low:g}" if math.isfinite(low) else "")
    allowed += f" <= {high:g}" if math.isfinite(high) else ""
    expected = f"{_name(owner)}: {field} must be {allowed}, got {value!r}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(expected)
    if not (math.isfinite(value) and low <= value <= high):
        raise ValueError(expected)


def require_bool(owner: object, field: str) -> None:
    """Raise a `TypeError` unless `owner.field` is True or False."""
    value = getattr(owner, field)
    if not isinstance(value, bool):
        raise TypeError(f"{_name(owner)}: {field} must be True or False, got {value!r}")


def require_instance(owner: object, field: str, kind: type) -> None:
    """Raise a `TypeError` unless `owner.field` is an instance of `kind`."""
    value = getattr(owner, field)
    if not isinstance(value, kind):
        raise TypeError(f"{_name(owner)}: {field} must be a {kind.__name__}, got {value!r}")


def require_method(owner: object, field: str, method: str) -> None:
    """Raise a `TypeError` unless `owner.field` has a method of this name."""
    value = getattr(owner, field)
    if isinstance(value, type) or not callable(getattr(value, method, None)):
        raise TypeError(f"{_name(owner)}: {field} must have a method {method}(), got {value!r}")


def make_tuple(owner: object, field: str) -> None:
    """Turn `owner.field`, a list say, into the tuple that a hashable configuration needs.

    Raises:
        TypeError: it is no sequence, or a string.
    """
    value = getattr(owner, field)
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise TypeError(f"{_name(owner)}: {field} must be a sequence, got {value!r}")
    object.__setattr__(owner, field, tuple(value))


def _name(owner: object) -> str:
    return type(owner).__name__
