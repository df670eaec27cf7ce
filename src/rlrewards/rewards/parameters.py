"""What the constructors of rewards check, and in which words they refuse."""

from __future__ import annotations

import math


def require_whole(reward: object, field: str, least: int) -> None:
    """Raise unless the reward's `field` is a whole number of at least `least`.

    Raises:
        TypeError: it is not a whole number.
        ValueError: it is too small.
    """
    value = getattr(reward, field)
    expected = f"{_name(reward)}: {field} must be a whole number >= {least}, got {value!r}"
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(expected)
    if value < least:
        raise ValueError(expected)


def require_between(reward: object, field: str, low: float, high: float) -> None:
    """Raise unless the reward's `field` is a finite number from `low` to `high`.

    Raises:
        TypeError: it is not a number.
        ValueError: it is NaN, infinite or outside.
    """
    value = getattr(reward, field)
    allowed = "a finite number" + (f" >= {low:g}" if math.isfinite(low) else "")
    allowed += f" <= {high:g}" if math.isfinite(high) else ""
    expected = f"{_name(reward)}: {field} must be {allowed}, got {value!r}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(expected)
    if not (math.isfinite(value) and low <= value <= high):
        raise ValueError(expected)


def _name(reward: object) -> str:
    return type(reward).__name__
