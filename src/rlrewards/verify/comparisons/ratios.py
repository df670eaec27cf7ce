"""Ratios: 11:4 is 22:8, and 11/4 where there are two parts."""

from __future__ import annotations

from rlrewards.verify.comparisons.dispatch import compare_nodes
from rlrewards.verify.comparisons.exactly import different, equal, strictly, undecided
from rlrewards.verify.comparisons.measures import in_good_form
from rlrewards.verify.comparisons.relations import chain_for_value
from rlrewards.verify.comparisons.rewriting import bare, number
from rlrewards.verify.decision import Decision, Terms, all_of
from rlrewards.verify.rationals import rational
from rlrewards.verify.tree import Expression, Node, Product, Quotient, Ratio, Relation
from rlrewards.verify.values import compare_values


def for_ratio(ours: Node, gold: Ratio, terms: Terms) -> Decision:
    """Compare with a reference that is a ratio."""
    if isinstance(ours, Ratio):
        return _ratios(ours, gold, terms)
    if isinstance(ours, Relation):
        return chain_for_value(ours, gold, terms)
    if len(gold.parts) != 2 or not isinstance(ours, Expression):
        return different(f"a {type(ours).__name__.lower()} for a ratio")
    if not terms.conventions.ratios:
        return different("a number for a ratio")
    if rational(gold.parts[1]) == 0:
        return undecided("a ratio to 0")
    return compare_nodes(ours, Quotient(*gold.parts), terms.inside())


def ratio_for_value(ours: Ratio, gold: Node, terms: Terms) -> Decision:
    """Compare a ratio with a reference that is one value."""
    if len(ours.parts) != 2 or not terms.conventions.ratios:
        return different("a ratio for one value")
    return compare_nodes(Quotient(*ours.parts), gold, terms.inside())


def _ratios(ours: Ratio, gold: Ratio, terms: Terms) -> Decision:
    """Multiply crosswise: a:b:c is d:e:f where a·e = b·d and a·f = c·d, and nothing is 0:0."""
    if len(ours.parts) != len(gold.parts):
        return different(f"{len(ours.parts)} parts for {len(gold.parts)}")
    left, right = [bare(part) for part in ours.parts], [bare(part) for part in gold.parts]
    if None in left or None in right:
        same = [compare_nodes(a, b, terms) for a, b in zip(ours.parts, gold.parts, strict=True)]
        return (
            equal("the same parts")
            if all(item.is_equal for item in same)
            else undecided("units inside a ratio")
        )
    return _proportional([*filter(None, left)], [*filter(None, right)], terms)


def _proportional(ours: list[Node], gold: list[Node], terms: Terms) -> Decision:
    strict = strictly(terms)
    first = ours[0], gold[0]
    if not all(compare_values(part, number(0), strict).is_different for part in first):
        return undecided("a ratio that may start with 0")
    pairs = zip(ours[1:], gold[1:], strict=True)
    decision = all_of(
        compare_values(Product((part, first[1])), Product((other, first[0])), strict)
        for part, other in pairs
    )
    formed = terms.conventions.form == "any" or all(map(in_good_form, ours))
    if decision.is_equal and not formed:
        return different("form: a computation left undone in a ratio")
    return decision
