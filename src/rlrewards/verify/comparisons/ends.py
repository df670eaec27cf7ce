"""The order of two constants, as far as it can be proved: exactly, or by balls that do not meet."""

from __future__ import annotations

from typing import Any, Final

from rlrewards.verify.comparisons.rewriting import bare
from rlrewards.verify.enclose import NO_VALUE, enclose
from rlrewards.verify.exact import canonical, rational
from rlrewards.verify.rationals import ONE, ZERO
from rlrewards.verify.survey import survey
from rlrewards.verify.tree import (
    INFINITY,
    PI,
    Negative,
    Node,
    Number,
    Product,
    Quotient,
    symbols_of,
    walk,
)

PRECISIONS: Final = (96, 768)


class NoOrderError(Exception):
    """Two ends of which nobody can say which is the larger."""


def infinity(node: Node) -> int:
    """Return 1 for ∞, -1 for -∞, else 0."""
    if node == INFINITY:
        return 1
    return -1 if node == Negative(INFINITY) else 0


def ball(node: Node, *, bits: int) -> Any:
    """Return a real ball around a constant, None where there is none."""
    if symbols_of(node) or INFINITY in walk(node) or survey(node).is_large:
        return None
    try:
        return enclose(node, {}, bits=bits)
    except NO_VALUE:
        return None


def order(left: Node, right: Node) -> int:
    """Return -1, 0 or 1 as `left` is below, at or above `right`; letters are finite numbers.

    Raises:
        NoOrderError: it cannot be proved.
    """
    if left == right:
        return 0
    ends = infinity(left), infinity(right)
    if any(ends):
        return (ends[0] > ends[1]) - (ends[0] < ends[1])
    plain = bare(left), bare(right)
    if plain[0] is None or plain[1] is None:
        raise NoOrderError
    values = rational(plain[0]), rational(plain[1])
    if values[0] is not None and values[1] is not None:
        return int(values[0] > values[1]) - int(values[0] < values[1])
    turns = multiple_of_pi(plain[0]), multiple_of_pi(plain[1])
    if turns[0] is not None and turns[1] is not None:
        return int(turns[0] > turns[1]) - int(turns[0] < turns[1])
    if canonical(plain[0]) == canonical(plain[1]):
        return 0
    return _by_balls(plain[0], plain[1])


def multiple_of_pi(node: Node) -> Any:
    """Return the rational q in qπ, None where an end is nothing of the kind."""
    if node == PI:
        return ONE
    if isinstance(node, Negative):
        inside = multiple_of_pi(node.operand)
        return None if inside is None else -inside
    if isinstance(node, Quotient):
        inside, under = multiple_of_pi(node.over), rational(node.under)
        return None if inside is None or not under else inside / under
    if isinstance(node, Product) and len(node.factors) == 2:
        left, right = node.factors
        factor, inside = rational(left), multiple_of_pi(right)
        if factor is None:
            factor, inside = rational(right), multiple_of_pi(left)
        return None if factor is None or inside is None else factor * inside
    return ZERO if isinstance(node, Number) and node.value == 0 else None


def _by_balls(left: Node, right: Node) -> int:
    for bits in PRECISIONS:
        low, high = ball(left, bits=bits), ball(right, bits=bits)
        if low is None or high is None:
            break
        if not low.overlaps(high):
            return 1 if low > high else -1
    raise NoOrderError
