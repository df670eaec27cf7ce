"""A reference that is one value: what else than a value may stand for it."""

from __future__ import annotations

from typing import Final

from rlrewards.verify.comparisons.dispatch import compare_nodes
from rlrewards.verify.comparisons.exactly import different, undecided
from rlrewards.verify.comparisons.families import family_for_value
from rlrewards.verify.comparisons.measures import compare_measured
from rlrewards.verify.comparisons.ratios import ratio_for_value
from rlrewards.verify.comparisons.relations import chain_for_value
from rlrewards.verify.comparisons.words import compare_words, spelt_number, text_of
from rlrewards.verify.decision import Decision, Terms
from rlrewards.verify.exact import rational
from rlrewards.verify.tree import (
    Based,
    Expression,
    Listing,
    Node,
    Piecewise,
    Ratio,
    Relation,
    Set,
    Words,
    symbols_of,
)
from rlrewards.verify.verdict import Status, Tier

_OTHER_KIND: Final = different("cases for one number")


def for_value(ours: Node, gold: Node, terms: Terms) -> Decision:
    """Compare with a reference that is one expression."""
    if isinstance(ours, Ratio):
        return ratio_for_value(ours, gold, terms)
    if isinstance(ours, Based):
        # The row of bases is symmetric.
        return compare_nodes(gold, ours, terms)
    if isinstance(ours, Expression):
        return compare_measured(ours, gold, terms)
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
    return different(f"a {type(ours).__name__.lower()} for one value")


def _words_for_value(ours: Words, gold: Node, terms: Terms) -> Decision:
    if (value := spelt_number(ours)) is not None:
        return compare_nodes(value, gold, terms)
    if (name := text_of(gold)) is not None:
        return compare_words(ours.text, name, terms)
    if rational(gold) is not None:
        return Decision(Status.NO_ANSWER, Tier.TEXT, "words for a number")
    return undecided("words for a formula")
