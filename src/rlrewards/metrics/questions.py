"""Samples that belong to questions, in the shapes that an evaluation comes in.

Everywhere in the metrics, values are one of: a flat sequence [Q], one sample a question; a matrix
[Q, S], S samples a question; a sequence of Q sequences, of any lengths but none empty. The samples
of a question are not independent of each other, so the question is the unit of every interval.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = TypeVar("T")


class Questions(NamedTuple):
    """The N samples of Q questions.

    Attributes:
        values: [N] float64, question after question.
        sizes: [Q] int64, how many of them each question has, at least 1.
    """

    values: NDArray[Any]
    sizes: NDArray[Any]

    def sums(self) -> NDArray[Any]:
        """Return the sum of each question's values, [Q]."""
        import numpy as np

        starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
        sums: NDArray[Any] = np.add.reduceat(self.values, starts)
        return sums

    def means(self) -> NDArray[Any]:
        """Return the mean of each question's values, [Q]."""
        means: NDArray[Any] = self.sums() / self.sizes
        return means

    @property
    def single(self) -> bool:
        """Whether each question has one sample."""
        return len(self.values) == len(self.sizes)


def by_question(values: Iterable[T], question: Iterable[Hashable]) -> list[list[T]]:
    """Return two columns, values [N] and the question that each belongs to [N], as Q groups.

    Questions are in the order of their first appearance.

    Raises:
        ValueError: one column is longer than the other.

    >>> by_question([1, 0, 1], ["a", "b", "a"])
    [[1, 1], [0]]
    """
    groups: dict[Hashable, list[T]] = {}
    for value, key in zip(values, question, strict=True):
        groups.setdefault(key, []).append(value)
    return list(groups.values())


def powers_of_two(most: int) -> list[int]:
    """Return 1, 2, 4, … below `most`, and `most`: the usual choice of k.

    >>> powers_of_two(6)
    [1, 2, 4, 6]
    """
    return [2**power for power in range((most - 1).bit_length())] + [most]


def read_questions(values: Iterable[Any], what: str = "values") -> Questions:
    """Return values in one of the shapes above.

    Raises:
        TypeError: a value is no number. None is none, either: leave the sample out, or say what
            it counts as.
        ValueError: there is no value, a question has none, or one is NaN or infinite.
    """
    import numpy as np

    items: Any = values if isinstance(values, np.ndarray) else _listed(values, what)
    if not len(items):
        raise ValueError(f"{what} are empty; at least one question is needed")
    if isinstance(items, np.ndarray) and items.ndim == 2:
        rows, width = items.shape
        if not width:
            raise ValueError(f"{what}: question 0 has no sample")
        return Questions(_numbers(items.ravel(), what), np.full(rows, width, np.int64))
    nested = [_is_group(item) for item in items]
    if not any(nested):
        return Questions(_numbers(items, what), np.ones(len(items), np.int64))
    if not all(nested):
        raise TypeError(f"{what}: item {nested.index(False)} is a value and others are groups")
    sizes = np.array([len(item) for item in items], np.int64)
    if not sizes.all():
        raise ValueError(f"{what}: question {int(np.argmin(sizes))} has no sample")
    return Questions(_numbers([value for item in items for value in item], what), sizes)


def read_right(right: Iterable[Any]) -> Questions:
    """Return which samples are right, as ones and zeros.

    Raises:
        TypeError: as `read_questions`.
        ValueError: the same, or a value is neither 0 nor 1.
    """
    questions = read_questions(right, "right")
    strange = questions.values[(questions.values != 0) & (questions.values != 1)]
    if len(strange):
        raise ValueError(f"right must be True or False (1 or 0), got {strange[0]:g}")
    return questions


def _listed(values: Iterable[Any], what: str) -> list[Any]:
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise TypeError(f"{what} must be a sequence of numbers or of groups, got {values!r}")
    return list(values)


def _is_group(item: object) -> bool:
    if isinstance(item, str | bytes):
        return False
    return isinstance(item, Sequence) or getattr(item, "ndim", 0) == 1


def _numbers(values: Any, what: str) -> NDArray[Any]:
    import numpy as np

    array = np.asarray(values)
    if array.dtype.kind not in "biuf" or array.ndim != 1:
        strange = next((v for v in array.ravel().tolist() if not isinstance(v, int | float)), array)
        hint = " (None is no opinion: leave it out, or say what it is)" if strange is None else ""
        raise TypeError(f"{what} must be numbers, got {strange!r}{hint}")
    numbers: NDArray[Any] = array.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise ValueError(f"{what} must be finite, got {numbers[~np.isfinite(numbers)][0]}")
    return numbers
