"""One table: what kind of thing the reference is decides how both sides are read and compared."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final, TypeAlias

from rlrewards.verify.comparisons.exactly import equal, undecided
from rlrewards.verify.decision import Decision, Terms
from rlrewards.verify.tree import Approximate, Expression, Node

MAX_DEPTH: Final = 12
"""Shapes inside shapes that are followed; no answer in use has more than four."""

Comparison: TypeAlias = Callable[[Any, Any, Terms], Decision]


def compare_nodes(ours: Node, gold: Node, terms: Terms) -> Decision:
    """Compare a candidate with a reference: EQUAL and DIFFERENT are proofs."""
    if terms.depth > MAX_DEPTH:
        return undecided("nested too deeply")
    ours, gold = _unmarked(ours), _unmarked(gold)
    if ours == gold:
        return equal("the same expression")
    compare_arranged, table = _handlers()
    decision = None if terms.depth else compare_arranged(ours, gold, terms)
    return decision or table[type(gold)](ours, gold, terms)


def _unmarked(node: Node) -> Node:
    """Drop the ≈ before a tuple or a list: it marks values only."""
    if isinstance(node, Approximate) and not isinstance(node.operand, Expression):
        return node.operand
    return node


@cache
def _handlers() -> tuple[Callable[[Node, Node, Terms], Decision | None], dict[type, Comparison]]:
    """Build the table; the imports stand here since every comparison compares parts again."""
    from rlrewards.verify import tree
    from rlrewards.verify.comparisons import (
        areas,
        arranging,
        bases,
        collections,
        matrices,
        piecewise,
        ratios,
        relations,
        single,
        tuples,
        words,
    )

    table: dict[type, Comparison] = dict.fromkeys(
        tree.Expression.__subclasses__(), single.for_value
    )
    table |= {
        tree.Based: bases.for_based,
        tree.Ratio: ratios.for_ratio,
        tree.Listing: collections.for_listing,
        tree.Set: collections.for_set,
        tree.Bracket: tuples.for_bracket,
        tree.Builder: areas.for_region,
        tree.Named: areas.for_region,
        tree.Union: areas.for_region,
        tree.Intersection: areas.for_region,
        tree.Without: areas.for_region,
        tree.Relation: relations.for_relation,
        tree.Matrix: matrices.for_matrix,
        tree.Piecewise: piecewise.for_piecewise,
        tree.Words: words.for_words,
    }
    return arranging.compare_arranged, table
