"""Token ids and words of which a known share of the n-grams is a repetition."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from hypothesis import strategies as st


class Repetitive(NamedTuple):
    """A sequence, and how much of it was said before.

    Attributes:
        units: Token ids.
        n: Length of the n-grams.
        share: Share of the n-grams that stood before; 0 with fewer than n units.
    """

    units: tuple[int, ...]
    n: int
    share: Fraction

    @property
    def text(self) -> str:
        """The same as words, one for each unit."""
        return " ".join(words(self.units))


def words(units: Sequence[int]) -> list[str]:
    """Return a word for each token id, equal where the ids are.

    >>> words([0, 1, 0])
    ['a', 'b', 'a']
    """
    return [_word(unit) for unit in units]


def _word(unit: int) -> str:
    letters = "abcdefghijklmnopqrstuvwxyz"
    tail = letters[unit % 26]
    return tail if unit < 26 else _word(unit // 26 - 1) + tail


def _built(new: int, period: int, cycle: int, n: int) -> Repetitive:
    """`new` units that occur once, then `cycle` units that go round in a cycle of `period`."""
    units = (*range(new), *(new + at % period for at in range(cycle)))
    grams = len(units) - n + 1
    repeated = max(0, cycle - n + 1 - period)
    return Repetitive(units, n, Fraction(repeated, grams) if grams > 0 else Fraction(0))


def repetitive(n: int = 3, *, max_units: int = 60) -> st.SearchStrategy[Repetitive]:
    """Draw sequences that are new for a while and then go round in a cycle.

    >>> from hypothesis import find
    >>> found = find(repetitive(), lambda it: it.share >= 0.5)
    >>> found.units, found.share
    ((0, 0, 0, 0), Fraction(1, 2))
    """
    half = max_units // 2
    return st.builds(_built, st.integers(0, half), st.integers(1, n + 4),
                     st.integers(0, half), st.just(n))  # fmt: skip


def at_share(share: Fraction | float, n: int = 3, *, max_scale: int = 4) -> st.SearchStrategy[
    Repetitive
]:  # fmt: skip
    """Draw sequences of which exactly this share of the n-grams is a repetition, below 1.

    Raises:
        ValueError: the share is not in [0, 1), or has a denominator above 1000.

    >>> from hypothesis import find
    >>> find(at_share(0.75), lambda it: True).text
    'a a a a a a'
    """
    exact = Fraction(share).limit_denominator(1000)
    if not 0 <= exact < 1 or abs(exact - Fraction(share)) > Fraction(1, 10**9):
        raise ValueError(f"share is {share}, expected a fraction p/q in [0, 1) with q ≤ 1000")

    def build(scale: int, period: int) -> Repetitive:
        grams, repeated = exact.denominator * scale, exact.numerator * scale
        period = min(period, grams - repeated)
        cycle = repeated + period + n - 1
        return _built(grams - repeated - period, period, cycle, n)

    return st.builds(build, st.integers(1, max_scale), st.integers(1, n + 2))
