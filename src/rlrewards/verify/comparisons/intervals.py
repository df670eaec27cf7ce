"""Unions of intervals of the real line: joined, crossed, complemented, brought to one normal form.

Ends are expressions. An operation that needs to know which of two ends is the larger, and cannot
prove it, raises `ends.NoOrderError`. A point is an interval whose ends are one and closed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cmp_to_key
from typing import Final, NamedTuple, TypeAlias

from rlrewards.verify.comparisons.ends import NoOrderError, order
from rlrewards.verify.tree import INFINITY, Negative, Node

MINUS_INFINITY: Final[Node] = Negative(INFINITY)
MAX_PIECES: Final = 60


class Piece(NamedTuple):
    """An interval: its ends, and whether they are left out."""

    low: Node
    low_open: bool
    high: Node
    high_open: bool


Pieces: TypeAlias = tuple[Piece, ...]

EVERYTHING: Final[Pieces] = (Piece(MINUS_INFINITY, True, INFINITY, True),)


def point(value: Node) -> Piece:
    """Return the interval that holds one value."""
    return Piece(value, False, value, False)


def is_point(piece: Piece) -> bool:
    """Whether an interval was written as a single value."""
    return piece.low == piece.high and not piece.low_open and not piece.high_open


def normalized(pieces: Sequence[Piece]) -> Pieces:
    """Return the same points as intervals from left to right that neither overlap nor touch.

    Raises:
        NoOrderError: two ends cannot be ordered.
    """
    if len(pieces) > MAX_PIECES:
        raise NoOrderError
    filled = sorted((piece for piece in pieces if not _is_empty(piece)), key=cmp_to_key(_by_start))
    merged: list[Piece] = []
    for piece in filled:
        if merged and _meet(merged[-1], piece):
            merged[-1] = _joined(merged[-1], piece)
        else:
            merged.append(piece)
    return tuple(merged)


def _is_empty(piece: Piece) -> bool:
    way = order(piece.low, piece.high)
    return way > 0 or (way == 0 and (piece.low_open or piece.high_open))


def _by_start(left: Piece, right: Piece) -> int:
    return order(left.low, right.low) or left.low_open - right.low_open


def _meet(left: Piece, right: Piece) -> bool:
    """Whether nothing lies between two intervals of which the first starts no later."""
    way = order(right.low, left.high)
    return way < 0 or (way == 0 and not (left.high_open and right.low_open))


def _joined(left: Piece, right: Piece) -> Piece:
    way = order(left.high, right.high)
    if way == 0:
        return left._replace(high_open=left.high_open and right.high_open)
    return left if way > 0 else left._replace(high=right.high, high_open=right.high_open)


def complement(pieces: Sequence[Piece]) -> Pieces:
    """Return all other real numbers.

    Raises:
        NoOrderError: two ends cannot be ordered.
    """
    gaps: list[Piece] = []
    low, low_open = MINUS_INFINITY, True
    at_end = False
    for piece in normalized(pieces):
        if order(piece.low, MINUS_INFINITY) != 0:
            gaps.append(Piece(low, low_open, piece.low, not piece.low_open))
        low, low_open = piece.high, not piece.high_open
        at_end = order(piece.high, INFINITY) == 0
    if not at_end:
        gaps.append(Piece(low, low_open, INFINITY, True))
    return tuple(gaps)


def common(regions: Iterable[Sequence[Piece]]) -> Pieces:
    """Return what several regions share: what is missing in none of them.

    Raises:
        NoOrderError: two ends cannot be ordered.
    """
    missing = [piece for region in regions for piece in complement(region)]
    return complement(missing)
