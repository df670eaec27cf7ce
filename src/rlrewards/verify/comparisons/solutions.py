"""A solution of one equation that is none of another: a proof that the two are different.

Between two points where the difference of the sides has opposite signs it is zero somewhere. The
place is narrowed down; where the other equation's difference is provably not zero on all of it, the
two equations have not the same solutions.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

from flint import arb, fmpq

from rlrewards.verify.enclose import NoValueError, enclose
from rlrewards.verify.survey import survey
from rlrewards.verify.tree import Call, Node, symbols_of, walk

BITS: Final = 96
STEPS: Final = 40
MAX_NAMES: Final = 3
MAX_NODES: Final = 200

# Places that nothing particular happens at, on both sides of zero.
_GRID: Final = tuple(fmpq(13 * step + 3, 31) for step in range(-16, 17))
_OTHERS: Final = (fmpq(17, 11), fmpq(23, 7), fmpq(-9, 13), fmpq(5, 19))
_CONTINUOUS: Final = frozenset(
    "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh exp ln log abs".split()
)


def has_another_solution(gold: Node, ours: Node) -> bool:
    """Whether `gold = 0` provably has a solution that `ours = 0` has not."""
    names = sorted(symbols_of(gold) | symbols_of(ours))
    if not 0 < len(names) <= MAX_NAMES or not (_is_continuous(gold) and _is_continuous(ours)):
        return False
    return any(
        _root_apart(gold, ours, name, dict.fromkeys(names, other))
        for name in sorted(symbols_of(gold))
        for other in (_OTHERS if len(names) > 1 else _OTHERS[:1])
    )


def _is_continuous(node: Node) -> bool:
    facts = survey(node)
    if facts.is_large or facts.nodes > MAX_NODES:
        return False
    return all(item.name in _CONTINUOUS for item in walk(node) if isinstance(item, Call))


def _root_apart(gold: Node, ours: Node, name: str, values: dict[str, Any]) -> bool:
    signs = [(place, _sign(gold, values | {name: place})) for place in _GRID]
    for (low, before), (high, behind) in pairwise(signs):
        if before * behind < 0:
            place = _narrowed(gold, name, values, low, high, before)
            if _is_defined(gold, place) and _is_never_zero(ours, place):
                return True
    return False


def _narrowed(
    node: Node, name: str, values: dict[str, Any], low: Any, high: Any, before: int
) -> dict[str, Any]:
    """Halve an interval with a change of sign; return the values with the last one as a ball."""
    for _ in range(STEPS):
        middle = (low + high) / 2
        sign = _sign(node, values | {name: middle})
        if sign == 0:
            break
        low, high = (middle, high) if sign == before else (low, middle)
    return values | {name: arb((low + high) / 2, (high - low) / 2)}


def _sign(node: Node, values: dict[str, Any]) -> int:
    """Return the sign of a value, or 0 where there is none or it is not certain."""
    try:
        ball = enclose(node, values, bits=BITS)
    except (NoValueError, ZeroDivisionError, OverflowError):
        return 0
    return int(ball > 0) - int(ball < 0)


def _is_defined(node: Node, values: dict[str, Any]) -> bool:
    """Whether a value is finite on all of a ball, so that it cannot jump over zero."""
    try:
        return bool(enclose(node, values, bits=BITS).is_finite())
    except (NoValueError, ZeroDivisionError, OverflowError):
        return False


def _is_never_zero(node: Node, values: dict[str, Any]) -> bool:
    return _sign(node, values) != 0
