"""Points at which two expressions are compared, drawn without a pattern from a seed per pair."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

from flint import fmpq

from rlrewards.verify.rationals import Values, rational
from rlrewards.verify.tree import Expression, Node, walk

TRIES: Final = 48
MAX_CONSTANT: Final = 10**12
"""Whole numbers beyond that are not looked at for their multiples."""


class Draw:
    """Numbers without a pattern, the same ones for the same pair in either order."""

    def __init__(self, seed: str) -> None:
        self._bytes = hashlib.shake_128(seed.encode("utf-8", "surrogatepass"))
        self._stream, self._at = b"", 0

    def between(self, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`."""
        if self._at + 8 > len(self._stream):
            self._stream = self._bytes.digest(2 * len(self._stream) or 256)
        word = self._stream[self._at : self._at + 8]
        self._at += 8
        return low + int.from_bytes(word) % (high - low + 1)


def rational_points(names: list[str], draw: Draw, *, natural: bool = False) -> Iterator[Values]:
    """Points small and large, of every sign in turn, so that |x| is not taken for x.

    Every fourth is a natural number, where the floor of x is x; few are negative ones, where
    (-1)^n |n| is not (-1)^n n, unless only `natural` ones are of use.
    """
    for index in range(TRIES):
        if index % 4 == 3:
            sign = -1 if index % 16 == 11 and not natural else 1
            yield {name: fmpq(sign * draw.between(1, 10 ** (2 + index % 3))) for name in names}
            continue
        size = 10 ** (6 + index % 3)
        signs = index - index // 4
        yield {
            name: (-1 if signs >> place & 1 else 1)
            * fmpq(draw.between(10**5, size), draw.between(10**6, 2 * 10**6))
            for place, name in enumerate(names)
        }


def integer_points(names: list[str], draw: Draw) -> Iterator[Values]:
    """Whole numbers, for what is defined on them alone, such as (-1)^n; every sixth is negative."""
    for index in range(TRIES):
        sign = -1 if index % 6 == 1 else 1
        yield {name: fmpq(sign * (2 * draw.between(1, 30) + index % 2)) for name in names}


def multiples(names: list[str], numbers: list[int], draw: Draw) -> Values:
    """Return a point of small multiples of some numbers."""
    return {
        name: fmpq(numbers[draw.between(0, len(numbers) - 1)] * draw.between(1, 12))
        for name in names
    }


def whole_constants(node: Node) -> set[int]:
    """Return the whole numbers in an expression, those worked out from others too."""
    found = set()
    for part in walk(node):
        value = rational(part) if isinstance(part, Expression) else None
        if value is not None and value.q == 1 and 1 < abs(value) < MAX_CONSTANT:
            found.add(abs(int(value.p)))
    return found
