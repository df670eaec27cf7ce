"""Chains of equations: which of their members they stand for, if they are true at all.

`1+4 = 5` stands for 5, `x = π ≈ 3.14` for π; `1 = 2 = 5` and `17 ≈ 18 ≈ 19` for nothing, else one
answer would hit several numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import flint

from rlrewards.verify.comparisons.dispatch import compare_nodes
from rlrewards.verify.comparisons.ends import ball
from rlrewards.verify.comparisons.exactly import different, strictly
from rlrewards.verify.comparisons.measures import quantity
from rlrewards.verify.comparisons.rewriting import (
    in_radians,
    is_degree,
    rebuilt,
    scaled,
    substituted,
)
from rlrewards.verify.conventions import Conventions
from rlrewards.verify.decision import Decision, Terms
from rlrewards.verify.exact import rational
from rlrewards.verify.tree import (
    Based,
    Measure,
    Negative,
    Node,
    Number,
    Percent,
    Power,
    Product,
    Standing,
    symbols_of,
    walk,
)

MAX_MEMBERS: Final = 20
LONGEST_EXPONENT: Final = 999


@dataclass(frozen=True, slots=True)
class Broken:
    """A chain that stands for nothing, and why."""

    decision: Decision


def exact_members(
    members: Sequence[Node], signs: Sequence[str], terms: Terms
) -> Sequence[Node] | Broken:
    """Return the members that a chain stands for, all provably equal, or why there are none.

    What = joins must be equal; what ≈ joins must be numbers that one exact side rounds to.
    """
    if len(members) > MAX_MEMBERS:
        return Broken(different(f"a chain of more than {MAX_MEMBERS} members"))
    groups: list[list[Node]] = [[members[0]]]
    for sign, left, right in zip(signs, members, members[1:], strict=False):
        if sign == "≈":
            groups.append([right])
            continue
        if sign != "=":
            return Broken(different("a membership for a value"))
        decision = _same(right, left, terms, is_last=right is members[-1])
        if not decision.is_equal:
            return Broken(decision)
        groups[-1].append(right)
    for exact in (groups[0], groups[-1]):
        if all(is_rounding(group[0], exact[0]) for group in groups if group is not exact):
            return exact if len({*map(_marks, exact)}) == 1 else exact[-1:]
    return Broken(different("≈ between numbers of which none is the other, rounded"))


def _same(ours: Node, gold: Node, terms: Terms, *, is_last: bool) -> Decision:
    """Compare two members: they are one value, and nothing is forgiven.

    p % is p/100 and degrees are radians; only the last member may bring in a unit.
    """
    left, right = rebuilt(ours, _spelt_out), rebuilt(gold, _spelt_out)
    if is_last and isinstance(left, Measure) and not _marks(right):
        left = left.operand
    strict = strictly(terms.under(_of_chains(terms.conventions)))
    return compare_nodes(left, right, strict.inside())


@lru_cache(maxsize=64)
def _of_chains(conventions: Conventions) -> Conventions:
    return replace(
        conventions,
        units="required",
        percent=False,
        optional_base=False,
        solved_relations=False,
        ignore_case=False,
    )


def _spelt_out(node: Node) -> Node:
    if isinstance(node, Percent):
        return scaled(node.operand, flint.fmpq(1, 100))
    if isinstance(node, Measure) and is_degree(node.unit):
        return in_radians(node.operand)
    if isinstance(node, Based) and (value := rational(node)) is not None:
        return Number(value)
    return node


def _marks(node: Node) -> frozenset[object]:
    """Return the units and bases in a member: with several of them only the last one counts."""
    return frozenset(
        item.unit if isinstance(item, Measure) else item.base
        for item in walk(node)
        if isinstance(item, Measure | Based)
    )


def is_rounding(rounded: Node, exact: Node) -> bool:
    """Whether a number that was written out is what an exact value rounds to."""
    left, right = quantity(rounded), quantity(exact)
    if left is None or right is None or symbols_of(right.value):
        return False
    written = _written(left.value)
    if written is None or is_degree(left.unit) != is_degree(right.unit):
        return False
    if None not in (left.unit, right.unit) and left.unit != right.unit:
        return False
    scale = flint.fmpq(1, 100 if left.percent else 1) * (100 if right.percent else 1)
    return rounds_to(right.value, written[0] * scale, written[1] * scale)


def _written(node: Node) -> tuple[Any, Any] | None:
    r"""Return what `-3.14`, `17` or `6 \cdot 10^{23}` is, and what its last digit is worth."""
    if isinstance(node, Negative):
        positive = _written(node.operand)
        return None if positive is None else (-positive[0], positive[1])
    if isinstance(node, Number):
        place = node.place if node.place is not None else flint.fmpq(1)
        return (node.value, place) if node.place is not None or node.value.q == 1 else None
    if isinstance(node, Product) and len(node.factors) == 2:
        inner, scale = _written(node.factors[0]), _power_of_ten(node.factors[1])
        if inner is not None and scale is not None:
            return inner[0] * scale, inner[1] * scale
    return None


def _power_of_ten(node: Node) -> Any:
    if not isinstance(node, Power) or node.base != Number(flint.fmpq(10)):
        return None
    exponent = rational(node.exponent)
    if exponent is None or exponent.q != 1 or abs(exponent) > LONGEST_EXPONENT:
        return None
    return flint.fmpq(10) ** int(exponent.p)


def rounds_to(value: Node, decimal: Any, place: Any) -> bool:
    """Whether a constant rounds to a decimal whose last digit is worth `place`."""
    exact = rational(value)
    if exact is not None:
        return bool(abs(exact - decimal) <= place / 2)
    found = ball(value, bits=512)
    if found is None:
        return False
    with flint.ctx.workprec(512):
        low, high = flint.arb(decimal - place / 2), flint.arb(decimal + place / 2)
        return bool(low <= found and found <= high)


# ---------------------------------------------------------------------------------------------
# Sums that can be worked out


MAX_TERMS: Final = 30
LONGEST_TERM: Final = 200
"""Bits of one term."""


def finite_sum(node: Node) -> Node | None:
    r"""Return what a short sum of numbers comes to, `\sum_{k=1}^3 k` say; None for all else."""
    if not isinstance(node, Standing) or node.kind != "sum" or node.variable is None:
        return None
    bounds = [None if end is None else rational(end) for end in (node.lower, node.upper)]
    first, last = bounds
    if first is None or last is None or first.q != 1 or not 0 <= last - first < MAX_TERMS:
        return None
    total = flint.fmpq(0)
    while first <= last:
        term = rational(substituted(node.body, node.variable, Number(first)))
        if term is None or term.height_bits() > LONGEST_TERM:
            return None
        total, first = total + term, first + 1
    return Number(total)
