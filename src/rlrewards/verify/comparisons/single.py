"""A reference that is one value: what else than a value may stand for it."""

from __future__ import annotations

from typing import Final

from rlrewards.verify.comparisons.bases import based_for_value
from rlrewards.verify.comparisons.dispatch import compare_nodes
from rlrewards.verify.comparisons.exactly import different, undecided
from rlrewards.verify.comparisons.families import family_for_value
from rlrewards.verify.comparisons.measures import compare_measured
from rlrewards.verify.comparisons.naming import assignment
from rlrewards.verify.comparisons.ratios import ratio_for_value
from rlrewards.verify.comparisons.relations import chain_for_value
from rlrewards.verify.comparisons.vectors import matrix_of, named_point, tuple_of
from rlrewards.verify.comparisons.words import compare_words, spelt_number, text_of
from rlrewards.verify.decision import Decision, Terms, all_of
from rlrewards.verify.exact import rational
from rlrewards.verify.survey import Survey
from rlrewards.verify.tree import (
    Apply,
    Based,
    Bracket,
    Expression,
    Listing,
    Matrix,
    Negative,
    Node,
    Piecewise,
    Power,
    Product,
    Quotient,
    Ratio,
    Relation,
    Set,
    Sum,
    Words,
    symbols_of,
)
from rlrewards.verify.values import compare_values
from rlrewards.verify.verdict import Status, Tier

MAX_WRITTEN: Final = 6
"""Ways in which one value may be written side by side."""

_OTHER_KIND: Final = different("cases for one number")


def for_value(ours: Node, gold: Node, terms: Terms) -> Decision:
    """Compare with a reference that is one expression."""
    if isinstance(ours, Ratio):
        return ratio_for_value(ours, gold, terms)
    if isinstance(ours, Based):
        return based_for_value(ours, gold, terms)
    if isinstance(ours, Expression):
        return _expressions(ours, gold, terms)
    if isinstance(ours, Relation):
        return chain_for_value(ours, gold, terms)
    if isinstance(ours, Words):
        return _words_for_value(ours, gold, terms)
    if isinstance(ours, Set) and len(ours.items) == 1:
        return compare_nodes(ours.items[0], gold, terms.inside())
    if isinstance(ours, Listing) and (decision := family_for_value(ours, gold, terms)):
        return decision
    if isinstance(ours, Piecewise):
        return undecided("cases for one formula") if symbols_of(gold) else _OTHER_KIND
    if isinstance(ours, Bracket | Matrix) and (found := _arranged(gold)) is not None:
        return compare_nodes(ours, found, terms.inside())
    if isinstance(ours, Listing):
        return _all_alike(ours, gold, terms)
    return different(f"a {type(ours).__name__.lower()} for one value")


def compare_plain(ours: Node, gold: Node, terms: Terms, facts: tuple[Survey, Survey]) -> Decision:
    """Compare two expressions without marks, of which the surveys are known."""
    return _or_arranged(ours, gold, terms, compare_values(ours, gold, terms, facts=facts))


def _expressions(ours: Node, gold: Node, terms: Terms) -> Decision:
    return _or_arranged(ours, gold, terms, compare_measured(ours, gold, terms))


def _or_arranged(ours: Node, gold: Node, terms: Terms, decision: Decision) -> Decision:
    """Take vectors and named points apart where the values tell nothing."""
    if decision.status is not Status.UNDECIDED or (target := _arranged(gold)) is None:
        return decision
    if isinstance(target, Bracket) and (found := named_point(ours)) is not None:
        # Two points with names: what else differs than the brackets is the name.
        decision = compare_nodes(found, target, terms.inside())
        return undecided("a point of another name") if decision.is_equal else decision
    return compare_nodes(ours, target, terms.inside())


def _arranged(gold: Node) -> Node | None:
    """Return the matrix, the vector or the point that a reference works out to."""
    if not isinstance(gold, Sum | Product | Quotient | Negative | Power | Apply):
        return None
    point = tuple_of(gold, 0)
    if point is not None:
        return point
    found = matrix_of(gold)
    return None if found is None else found.matrix


def _all_alike(ours: Listing, gold: Node, terms: Terms) -> Decision:
    """`1/2 or 0.5` is one value, written twice; each item must be the reference."""
    other = different("several values for one")
    if len(ours.items) > MAX_WRITTEN or not ours.joiners <= {",", "or"}:
        return other
    names = {found.name for item in ours.items if (found := assignment(item)) is not None}
    is_mixed = any(not isinstance(item, Expression | Relation) for item in ours.items)
    if is_mixed or len(names) > 1 or not terms.conventions.assignments:
        return other
    decision = all_of(compare_nodes(item, gold, terms.inside()) for item in ours.items)
    return other if decision.is_different else decision


def _words_for_value(ours: Words, gold: Node, terms: Terms) -> Decision:
    if (value := spelt_number(ours)) is not None:
        return compare_nodes(value, gold, terms)
    if (name := text_of(gold)) is not None:
        return compare_words(ours.text, name, terms)
    if rational(gold) is not None:
        return Decision(Status.NO_ANSWER, Tier.TEXT, "words for a number")
    return undecided("words for a formula")
