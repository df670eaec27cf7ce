"""What the metrics ask of their arguments, and in which words they refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


def require_count(name: str, value: object, least: int = 0) -> int:
    """Return a whole number as an `int`, NumPy's included.

    Raises:
        TypeError: it is no whole number; True and 3.0 are none.
        ValueError: it is below `least`.
    """
    index = getattr(value, "__index__", None)
    if index is None or isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    number = int(index())
    if number < least:
        raise ValueError(f"{name} must be at least {least}, got {number}")
    return number


def require_successes(successes: object, total: object) -> tuple[int, int]:
    """Return the successes and the trials of a proportion.

    Raises:
        TypeError: one is no whole number.
        ValueError: there is no trial, or not `0 <= successes <= total`.
    """
    trials = require_count("total", total, -(2**63))
    if trials < 1:
        raise ValueError(f"an interval needs at least one trial, got total={trials}")
    right = require_count("successes", successes, -(2**63))
    if not 0 <= right <= trials:
        raise ValueError(f"successes must lie in 0..{trials}, got {right}")
    return right, trials


def require_confidence(confidence: float) -> float:
    """Return a confidence.

    Raises:
        ValueError: it does not lie between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}")
    return confidence


def whole_numbers(name: str, values: Any) -> NDArray[Any]:
    """Return whole numbers, of any shape, as an array of int64.

    Raises:
        TypeError: some are no whole numbers; booleans and 3.0 are none.
    """
    import numpy as np

    array = np.asarray(values)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must be whole numbers, got {values!r}")
    return array.astype(np.int64)
