"""Equations and inequalities that are not solved for a name: equal up to a factor."""

from __future__ import annotations

from typing import Final

from rlrewards.verify.comparisons.dispatch import compare_nodes
from rlrewards.verify.comparisons.exactly import different, if_equal, undecided
from rlrewards.verify.comparisons.rewriting import bare, difference
from rlrewards.verify.comparisons.solutions import has_another_solution
from rlrewards.verify.decision import Decision, Terms, all_of
from rlrewards.verify.exact import rational
from rlrewards.verify.tree import (
    INFINITY,
    Constant,
    Negative,
    Node,
    Number,
    Power,
    Product,
    Quotient,
    Relation,
    Sum,
    Symbol,
    symbols_of,
)
from rlrewards.verify.values import ratio

TURNED: Final = {
    "<": ">", ">": "<", "≤": "≥", "≥": "≤", "=": "=", "≠": "≠", "≈": "≈", "⊥": "⊥", "∥": "∥",
    "~": "~",
}  # fmt: skip
"""Signs, and what becomes of them where the members change sides."""


def compare_equations(ours: Relation, gold: Relation, terms: Terms) -> Decision:
    """Two equations are equal when their differences are proportional."""
    if len(ours.members) != 2 or len(gold.members) != 2 or not terms.conventions.scaled_relations:
        return same_members(ours, gold, terms)
    left, right = _difference(ours), _difference(gold)
    if left is None or right is None:
        return same_members(ours, gold, terms)
    decision, _ = ratio(left, right)
    if decision.is_different and not (is_polynomial(left) and is_polynomial(right)):
        if has_another_solution(right, left) or has_another_solution(left, right):
            return different("a solution of one equation that the other has not")
        return undecided("equations that are not proportional")
    return decision


def _difference(relation: Relation) -> Node | None:
    """Return left side - right side; None where a side has none, or there is no variable."""
    left, right = (bare(member) for member in relation.members)
    if left is None or right is None or not symbols_of(relation):
        return None
    return difference(left, right)


def compare_inequalities(ours: Relation, gold: Relation, terms: Terms) -> Decision:
    """Two inequalities are equal when their differences are, up to a factor of the right sign."""
    if len(gold.signs) != 1 or len(ours.signs) != 1 or not terms.conventions.scaled_relations:
        return same_members(ours, gold, terms)
    if not {gold.signs[0], ours.signs[0]} <= {*"<>≤≥"}:
        return same_members(ours, gold, terms)
    if (gold.signs[0] in "≤≥") != (ours.signs[0] in "≤≥"):
        return different("strict and not strict")
    left, right = _difference(ours), _difference(gold)
    if left is None or right is None:
        return same_members(ours, gold, terms)
    decision, sign = ratio(left, right)
    same_way = (gold.signs[0] in "<≤") == (ours.signs[0] in "<≤")
    if not decision.is_equal:
        return undecided("inequalities that are not proportional")
    return decision if sign == (1 if same_way else -1) else different("the other way round")


def same_members(ours: Relation, gold: Relation, terms: Terms) -> Decision:
    """Compare relations member by member, as written or turned round; else UNDECIDED."""
    if (ours.modulus is None) != (gold.modulus is None):
        return undecided("a modulus on one side only")
    modulus = [(ours.modulus, gold.modulus)] if ours.modulus and gold.modulus else []
    readings = [(ours.members, ours.signs)]
    if all(sign in TURNED for sign in ours.signs):
        turned = tuple(TURNED[sign] for sign in reversed(ours.signs))
        readings.append((ours.members[::-1], turned))
    for members, signs in readings:
        if signs != gold.signs:
            continue
        pairs = [*modulus, *zip(members, gold.members, strict=True)]
        decision = all_of(compare_nodes(a, b, terms.inside()) for a, b in pairs)
        if decision.is_equal:
            return decision
    return if_equal(undecided("relations"), "relations that are not written alike")


def is_polynomial(node: Node) -> bool:
    """Whether an expression is a polynomial in its variables."""
    if isinstance(node, Number | Symbol) or (isinstance(node, Constant) and node != INFINITY):
        return True
    if isinstance(node, Negative):
        return is_polynomial(node.operand)
    if isinstance(node, Sum | Product):
        return all(map(is_polynomial, node.children()))
    if isinstance(node, Quotient):
        return is_polynomial(node.over) and not symbols_of(node.under)
    if isinstance(node, Power) and symbols_of(node):
        exponent = rational(node.exponent)
        whole = exponent is not None and exponent.q == 1 and exponent >= 0
        return whole and is_polynomial(node.base)
    return not symbols_of(node)
