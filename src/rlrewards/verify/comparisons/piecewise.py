"""Functions by cases: on every stretch of the line that two cases share, their values must agree.

So the cases may stand in any order, be cut elsewhere, or differ in which of two neighbours holds a
point at which both have one value.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rlrewards.verify.comparisons.areas import compare_regions
from rlrewards.verify.comparisons.dispatch import compare_nodes
from rlrewards.verify.comparisons.ends import NoOrderError
from rlrewards.verify.comparisons.equations import is_polynomial
from rlrewards.verify.comparisons.exactly import (
    different,
    if_equal,
    strictly,
    undecided,
)
from rlrewards.verify.comparisons.intervals import Pieces, common, complement, is_point
from rlrewards.verify.comparisons.matching import matched
from rlrewards.verify.comparisons.regions import Region, region
from rlrewards.verify.comparisons.relations import value_of
from rlrewards.verify.comparisons.rewriting import is_plain, substituted
from rlrewards.verify.decision import Decision, Terms, all_of
from rlrewards.verify.tree import Bracket, Expression, Node, Piecewise, Words, symbols_of

MAX_CASES = 12


class Case(NamedTuple):
    """A value, and where it holds."""

    value: Node
    pieces: Pieces


def for_piecewise(ours: Node, gold: Piecewise, terms: Terms) -> Decision:
    """Compare with a reference by cases."""
    value = value_of(ours, terms)
    if isinstance(value, Decision):
        return value
    if not isinstance(value, Piecewise):
        plain = isinstance(value, Expression) and not symbols_of(value)
        return different("one value for cases") if plain else undecided("no cases")
    if max(len(value.cases), len(gold.cases)) > MAX_CASES:
        return undecided(f"more than {MAX_CASES} cases")
    try:
        return _by_regions(value, gold, terms)
    except NoOrderError:
        return _as_written(value, gold, terms)


def _cases(node: Piecewise) -> tuple[Node, list[Case]]:
    """Return the variable and the cases, each with its region.

    Raises:
        NoOrderError: a condition is no region, or the conditions speak of several variables.
    """
    regions = [None if condition is None else region(condition) for _, condition in node.cases]
    known = [item for item in regions if item is not None]
    names = {item.variable for item in known}
    bare_otherwise = sum(condition is None for _, condition in node.cases)
    if len(names) != 1 or None in names or bare_otherwise != len(regions) - len(known):
        raise NoOrderError
    if bare_otherwise > 1:
        raise NoOrderError
    covered = [piece for item in known for piece in item.pieces]
    found = [
        Case(value, complement(covered) if item is None else item.pieces)
        for (value, _), item in zip(node.cases, regions, strict=True)
    ]
    variable = names.pop()
    assert variable is not None
    return variable, found


def _by_regions(ours: Piecewise, gold: Piecewise, terms: Terms) -> Decision:
    name, found = _cases(ours)
    variable, target = _cases(gold)
    if name != variable:
        return different("another variable")
    whole = compare_regions(_covered(found), _covered(target), terms)
    if not whole.is_equal:
        return whole
    if _overlaps(found) or _overlaps(target):
        return undecided("cases that overlap")
    return all_of(_shared(found, target, variable, terms), "all cases agree")


def _covered(cases: list[Case]) -> Region:
    return Region(None, tuple(piece for case in cases for piece in case.pieces))


def _overlaps(cases: list[Case]) -> bool:
    return any(
        common([one.pieces, other.pieces])
        for index, one in enumerate(cases)
        for other in cases[index + 1 :]
    )


def _shared(ours: list[Case], gold: list[Case], variable: Node, terms: Terms) -> Iterator[Decision]:
    """Compare the values of all cases that share points: as functions, or at the points."""
    for one in ours:
        for other in gold:
            shared = common([one.pieces, other.pieces])
            if not shared:
                continue
            if all(map(is_point, shared)):
                yield from _at_points(one, other, shared, variable, terms)
            else:
                yield _as_functions(one.value, other.value, terms)


def _at_points(
    ours: Case, gold: Case, points: Pieces, variable: Node, terms: Terms
) -> Iterator[Decision]:
    for piece in points:
        left, right = (substituted(item.value, variable, piece.low) for item in (ours, gold))
        yield compare_nodes(left, right, strictly(terms))


def _as_functions(ours: Node, gold: Node, terms: Terms) -> Decision:
    decision = compare_nodes(ours, gold, terms.inside())
    exact = is_plain(ours) and is_plain(gold) and is_polynomial(ours) and is_polynomial(gold)
    if decision.is_different and not exact:
        return undecided("values that may agree where both hold")
    return decision


def _as_written(ours: Piecewise, gold: Piecewise, terms: Terms) -> Decision:
    """Pair the cases off by value and condition as they are written."""
    why = "cases whose conditions are not written alike"
    if len(ours.cases) != len(gold.cases):
        return undecided(why)
    return if_equal(matched(_pairs(ours), _pairs(gold), terms), why)


def _pairs(node: Piecewise) -> list[Node]:
    return [
        Bracket("⟨", (value, Words("otherwise") if condition is None else condition), "⟩")
        for value, condition in node.cases
    ]
