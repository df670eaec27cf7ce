"""Tuples, points and intervals: items in brackets, whose kind the answer may settle.

`(1,2)` is an interval beside `1 < x < 2` and a point beside `⟨1,2⟩`; both sides are read alike.
"""

from __future__ import annotations

from typing import Final

from rlrewards.verify.comparisons.areas import compare_regions
from rlrewards.verify.comparisons.exactly import different, undecided
from rlrewards.verify.comparisons.families import compare_families
from rlrewards.verify.comparisons.matching import in_known_order, in_order
from rlrewards.verify.comparisons.matrices import for_matrix
from rlrewards.verify.comparisons.naming import in_alphabet, system
from rlrewards.verify.comparisons.regions import region, speaks_of_order
from rlrewards.verify.comparisons.relations import IN_THE_QUESTION, value_of
from rlrewards.verify.comparisons.vectors import matrix_of, tuple_of
from rlrewards.verify.decision import Decision, Terms
from rlrewards.verify.tree import (
    Bracket,
    Builder,
    Expression,
    Intersection,
    Listing,
    Matrix,
    Named,
    Node,
    Relation,
    Set,
    Union,
    Without,
)

INTERVAL_MARKS: Final = {"]": "(", "[": ")"}
"""What `]0,1[` means: round brackets."""


def for_bracket(ours: Node, gold: Bracket, terms: Terms) -> Decision:
    """Compare with a tuple or an interval, whichever the answer makes of the reference."""
    if speaks_of_order(ours) or isinstance(ours, Union | Named | Builder | Intersection | Without):
        return _as_region(ours, gold, terms)
    if (decision := compare_families(ours, gold, terms)) is not None:
        return decision
    value = value_of(ours, terms)
    if isinstance(value, Decision):
        return value
    if isinstance(value, Bracket):
        return _brackets(value, gold, terms)
    if isinstance(value, Expression):
        return _expression_for_tuple(value, gold, terms)
    if isinstance(value, Matrix) and all(isinstance(item, Bracket) for item in gold.items):
        return _rows(value, gold, terms)
    if _is_interval(gold):
        return _for_interval(value, gold)
    return _as_tuple(value, gold, terms)


def _expression_for_tuple(ours: Expression, gold: Bracket, terms: Terms) -> Decision:
    """Compare a vector that is made of others, or a point with its name."""
    point = None if _is_interval(gold) else tuple_of(ours, len(gold.items))
    if point is not None:
        return _brackets(point, gold, terms)
    found = None if _is_interval(gold) else matrix_of(ours)
    if found is None:
        return different("one value for a tuple")
    column = Matrix(tuple((item,) for item in gold.items))
    return for_matrix(ours, column, terms)


def _is_interval(gold: Bracket) -> bool:
    """Whether brackets can only be those of an interval."""
    return len(gold.items) == 2 and (gold.left, gold.right) not in (("(", ")"), ("⟨", "⟩"))


def _for_interval(ours: Node, gold: Bracket) -> Decision:
    if isinstance(ours, Set):
        return different("a set of values for an interval")
    return undecided(f"a {type(ours).__name__.lower()} for an interval")


def _as_region(ours: Node, gold: Bracket, terms: Terms) -> Decision:
    target, found = region(gold), region(ours)
    if target is None or found is None:
        return undecided(f"a {type(ours).__name__.lower()} that is not solved, for an interval")
    return compare_regions(found, target, terms)


def _brackets(ours: Bracket, gold: Bracket, terms: Terms) -> Decision:
    if len(gold.items) == 2 and _marks(ours) != _marks(gold):
        return different("other brackets")
    if len(gold.items) != 2 and _marks(ours) not in (("(", ")"), ("[", "]")):
        return undecided("brackets that do not match")
    return in_order(ours.items, gold.items, terms)


def _marks(node: Bracket) -> tuple[str, str]:
    left, right = INTERVAL_MARKS.get(node.left, node.left), node.right
    if node.left == "[":
        left = "["
    right = ")" if right in "[⟩" else right
    return "(" if left == "⟨" else left, right


def _as_tuple(ours: Node, gold: Bracket, terms: Terms) -> Decision:
    if isinstance(ours, Set):
        return _set_for_tuple(ours, gold, terms)
    if isinstance(ours, Listing) and (names := system(ours)) is not None:
        if terms.echoes:
            return different(IN_THE_QUESTION)
        if not terms.conventions.assignments:
            return different("assignments for a tuple")
        return in_known_order(in_alphabet(names), gold.items, terms)
    if isinstance(ours, Listing):
        if any(isinstance(item, Relation) for item in ours.items):
            return undecided("relations for a tuple")
        if "or" in ours.joiners:
            return different("alternatives for a tuple")
        return in_order(ours.items, gold.items, terms)
    if isinstance(ours, Matrix) and all(len(row) == 1 for row in ours.rows):
        return in_order([row[0] for row in ours.rows], gold.items, terms)
    return undecided(f"a {type(ours).__name__.lower()} for a tuple")


def _set_for_tuple(ours: Set, gold: Bracket, terms: Terms) -> Decision:
    """Compare the one point of a set, as that of all solutions."""
    if len(ours.items) == 1 and isinstance(ours.items[0], Bracket):
        return _brackets(ours.items[0], gold, terms)
    return different("a set for a tuple")


def _rows(ours: Matrix, gold: Bracket, terms: Terms) -> Decision:
    """Compare a matrix with the list of its rows."""
    rows = [Bracket("[", row, "]") for row in ours.rows]
    return in_order(rows, gold.items, terms)
