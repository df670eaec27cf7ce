"""Matrices and vectors: the shape and every entry; a column is also a tuple."""

from __future__ import annotations

from typing import Final

from rlrewards.verify.comparisons.exactly import MAX_ITEMS, different, undecided
from rlrewards.verify.comparisons.matching import in_order
from rlrewards.verify.comparisons.relations import value_of
from rlrewards.verify.comparisons.vectors import matrix_of, tuple_of
from rlrewards.verify.decision import Decision, Terms, all_of
from rlrewards.verify.exact import rational
from rlrewards.verify.tree import Bracket, Expression, Matrix, Node, Relation, Set, symbols_of

_TUPLE_MARKS: Final = (("(", ")"), ("[", "]"), ("⟨", "⟩"))


def for_matrix(ours: Node, gold: Matrix, terms: Terms) -> Decision:
    """Compare with a reference that is a matrix."""
    value = value_of(ours, terms)
    if isinstance(value, Decision):
        return value
    if isinstance(ours, Relation) and "∈" in ours.signs:
        return undecided("a membership for a matrix")
    if isinstance(value, Bracket):
        return _tuple_for_matrix(value, gold, terms)
    if isinstance(value, Matrix):
        return _entries(value, gold, terms)
    if isinstance(value, Expression) and (found := _from_expression(value, gold, terms)):
        return found
    if isinstance(value, Set) or (isinstance(value, Expression) and not symbols_of(value)):
        return different("no matrix")
    return undecided(f"a {type(value).__name__.lower()} for a matrix")


def _from_expression(ours: Expression, gold: Matrix, terms: Terms) -> Decision | None:
    """Compare a multiple or a sum of matrices, or a vector; None for what is neither."""
    found = matrix_of(ours)
    if found is not None:
        decision = _entries(found.matrix, gold, terms)
        if decision.is_equal and found.undone and is_undone(gold, terms):
            return different("form: a computation left undone for a matrix")
        return decision
    point = tuple_of(ours, len(gold.rows))
    return None if point is None else _tuple_for_matrix(point, gold, terms)


def is_undone(gold: Matrix, terms: Terms) -> bool:
    """Whether an answer that leaves sums and products to do is none beside a matrix of numbers."""
    if terms.conventions.form == "any":
        return False
    return all(rational(entry) is not None for row in gold.rows for entry in row)


def _tuple_for_matrix(ours: Bracket, gold: Matrix, terms: Terms) -> Decision:
    if (ours.left, ours.right) not in _TUPLE_MARKS:
        return different("an interval for a matrix")
    if all(len(row) == 1 for row in gold.rows):
        return in_order(ours.items, [row[0] for row in gold.rows], terms)
    rows = [item.items for item in ours.items if isinstance(item, Bracket)]
    if len(rows) == len(ours.items):
        return _entries(Matrix(tuple(rows)), gold, terms)
    return undecided("a tuple for a matrix")


def _entries(ours: Matrix, gold: Matrix, terms: Terms) -> Decision:
    if [*map(len, ours.rows)] != [*map(len, gold.rows)]:
        return different("a matrix of another shape")
    if sum(map(len, gold.rows)) > MAX_ITEMS:
        return undecided(f"more than {MAX_ITEMS} entries")
    return all_of(in_order(a, b, terms) for a, b in zip(ours.rows, gold.rows, strict=True))
