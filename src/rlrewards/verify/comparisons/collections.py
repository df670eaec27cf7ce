"""Several answers: lists without brackets, sets, systems of assignments, lists of relations."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Final

from rlrewards.verify.comparisons.areas import compare_boxes, compare_regions, written_out
from rlrewards.verify.comparisons.dispatch import compare_nodes
from rlrewards.verify.comparisons.exactly import different, undecided
from rlrewards.verify.comparisons.families import compare_families
from rlrewards.verify.comparisons.matching import MAX_LEFTOVERS, in_known_order, in_order, matched
from rlrewards.verify.comparisons.measures import quantity, surely_same
from rlrewards.verify.comparisons.naming import (
    assigned_values,
    coordinates,
    in_alphabet,
    is_long_chain,
    names_given,
    system,
    unnumbered,
)
from rlrewards.verify.comparisons.pairing import (
    by_left_sides,
    by_name,
    lists_chains,
    may_be_shuffled,
    same_shape,
    with_conditions,
)
from rlrewards.verify.comparisons.regions import region, speaks_of_order
from rlrewards.verify.comparisons.relations import IN_THE_QUESTION, value_of
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
    Piecewise,
    Relation,
    Set,
    Symbol,
    Union,
    Without,
    Words,
)

SETS: Final = (Named, Union, Intersection, Without, Builder)
"""Sets that are described rather than listed."""


# ---------------------------------------------------------------------------------------------
# Lists


def for_listing(ours: Node, gold: Listing, terms: Terms) -> Decision:
    """Compare with a reference that is a list without brackets."""
    if ":" in gold.joiners:
        return _either(ours, gold, terms)
    if (decision := compare_families(ours, gold, terms)) is not None:
        return decision
    if speaks_of_order(gold) or isinstance(ours, SETS) or speaks_of_order(ours):
        target, found = region(gold), region(ours)
        if target is not None and found is not None:
            return compare_regions(found, target, terms)
        if (decision := compare_boxes(ours, gold, terms)) is not None:
            return decision
    if isinstance(ours, SETS) and (written := written_out(ours)) is not None:
        ours = written
    if (target_system := system(gold)) is not None:
        return _for_system(ours, target_system, terms)
    return _for_values(ours, gold, terms)


def _either(ours: Node, gold: Listing, terms: Terms) -> Decision:
    """A reference that says the same twice (`x>1:(1,∞)`) is met by either half."""
    decisions = [compare_nodes(ours, part, terms.inside()) for part in gold.items]
    for decision in decisions:
        if decision.is_equal:
            return decision
    return next((item for item in decisions if not item.is_different), decisions[0])


def _for_values(ours: Node, gold: Listing, terms: Terms) -> Decision:
    """Compare the values on both sides; `x = 1 or x = 3` gives two of them to x."""
    if isinstance(ours, (Words, Matrix, Piecewise, *SETS)):
        return undecided(f"a {type(ours).__name__.lower()} for a list")
    name, items = assigned_values(gold)
    if any(map(is_long_chain, ours.items if isinstance(ours, Listing) else (ours,))):
        return undecided("a chain of equations among several values")
    other, found = assigned_values(ours)
    if None not in (name, other) and name != other:
        return different("another name is given values")
    if _swaps_names(ours, gold):
        return different("other names are given values")
    if other is not None and terms.echoes:
        return different(IN_THE_QUESTION)
    if not terms.conventions.assignments and (name is None) != (other is None):
        return different("an assignment on one side only")
    if isinstance(ours, Bracket) and "or" in gold.joiners:
        return different("a tuple for alternatives")
    if isinstance(ours, Bracket) and name is not None:
        return undecided("a tuple for the values of one name")
    if isinstance(ours, Bracket):
        return _tuple_for_list(ours, items, terms)
    return _items(ours, found, gold, items, terms)


def _swaps_names(ours: Node, gold: Node) -> bool:
    """Whether a list gives values to names that the other gives none, or to more than one."""
    names, others = (
        names_given(side.items if isinstance(side, Listing) else (side,)) for side in (ours, gold)
    )
    if names and others:
        return names != others
    return len(set(map(unnumbered, names | others))) > 1


def _tuple_for_list(ours: Bracket, gold: Sequence[Node], terms: Terms) -> Decision:
    if len(ours.items) == 2 and {ours.left, ours.right} & {"[", "]"}:
        return different("an interval for a list")
    return in_order(ours.items, gold, terms)


def _items(
    ours: Node, found: Sequence[Node], gold: Listing, items: Sequence[Node], terms: Terms
) -> Decision:
    if not (may_be_shuffled(ours) and may_be_shuffled(gold)) or lists_chains(gold):
        return _kept_together(ours, found, gold, items, terms)
    as_sets = isinstance(ours, Set) or not terms.conventions.multiplicity
    if (terms.conventions.ordered and not as_sets) or _leaves_units_out(found, items):
        return in_order(found, items, terms)
    decision = matched(found, items, terms, as_sets=as_sets)
    if decision.is_equal and terms.conventions.multiplicity and isinstance(ours, Set):
        shorter = len(found) < len(items) and _repeats(items, terms)
        return different("a set for a list that repeats") if shorter else decision
    if decision.is_equal and _are_statements(items) and _joined_otherwise(ours, gold):
        return undecided("names joined by `and` for names joined by `or`")
    has_relations = any(isinstance(item, Relation) for item in (*items, *found))
    if has_relations and not (decision.is_equal and _joined_alike(ours, gold)):
        return undecided("several relations that do not pair off")
    return decision


def _kept_together(
    ours: Node, found: Sequence[Node], gold: Listing, items: Sequence[Node], terms: Terms
) -> Decision:
    """Compare in order what belongs together; in another order it may be the same or not."""
    ours_by_case, gold_by_case = with_conditions(found), with_conditions(items)
    if lists_chains(gold):
        decision = in_order(by_left_sides(found, items), items, terms)
    elif not _joined_alike(ours, gold):
        return undecided("lists that are joined in other ways")
    elif ours_by_case and gold_by_case:
        decision = matched(ours_by_case, gold_by_case, terms)
    elif getattr(ours, "breaks", ()) != gold.breaks or not same_shape(found, items):
        return undecided("lists that are joined in other ways")
    else:
        decision = in_order(by_name(found, items), items, terms)
    return decision if decision.is_equal else undecided("parts that belong together")


def _leaves_units_out(ours: Sequence[Node], gold: Sequence[Node]) -> bool:
    """Whether one side says 5 cm, 6 kg and the other bare numbers, which then come in order."""
    units = [[quantity(item) for item in side] for side in (ours, gold)]
    named = [{item.unit for item in side if item is not None and item.unit} for side in units]
    bare = [any(item is not None and item.unit is None for item in side) for side in units]
    return any(len(named[one]) > 1 and bare[1 - one] for one in (0, 1))


def _repeats(items: Sequence[Node], terms: Terms) -> bool:
    """Whether two items of a list are one, provably where they are few."""
    if len(items) > MAX_LEFTOVERS:
        return len({*items}) < len(items)
    return any(surely_same(one, other, terms) for one, other in combinations(items, 2))


def _are_statements(items: Sequence[Node]) -> bool:
    """Whether all items are letters, as in `p ∧ q`."""
    return all(isinstance(item, Symbol) for item in items)


def _joined_otherwise(ours: Node, gold: Listing) -> bool:
    joiners = [side.joiners for side in (ours, gold) if isinstance(side, Listing)]
    return {"and", "or"} <= frozenset().union(*joiners) and joiners[0] != joiners[-1]


def _joined_alike(ours: Node, gold: Listing) -> bool:
    """Whether both sides mean all of their relations, or both any of them."""
    return isinstance(ours, Listing) and ("or" in ours.joiners) == ("or" in gold.joiners)


def _for_system(ours: Node, gold: dict[Node, Node], terms: Terms) -> Decision:
    """Compare `x=1, y=2` by name; a tuple is taken in the alphabetical order of the names."""
    other = coordinates(ours)
    if other is not None:
        if terms.echoes:
            return different(IN_THE_QUESTION)
        if other.keys() != gold.keys():
            return different("other names are given values")
        names = [*gold]
        return in_order([other[name] for name in names], [gold[name] for name in names], terms)
    if isinstance(ours, Listing) and all(isinstance(item, Bracket) for item in ours.items):
        return in_known_order(ours.items, in_alphabet(gold), terms)
    value = value_of(ours, terms)
    if isinstance(value, Decision):
        return value
    if isinstance(value, Bracket) and (value.left, value.right) in (("(", ")"), ("⟨", "⟩")):
        if not terms.conventions.assignments:
            return different("no assignment")
        return in_known_order(value.items, in_alphabet(gold), terms)
    if isinstance(value, Expression):
        return different("one value for several assignments")
    return undecided(f"a {type(ours).__name__.lower()} for several assignments")


# ---------------------------------------------------------------------------------------------
# Sets


def for_set(ours: Node, gold: Set, terms: Terms) -> Decision:
    """Compare with a reference that is a set with its members written out."""
    if (decision := _described_for_set(ours, gold, terms)) is not None:
        return decision
    if any(map(is_long_chain, ours.items if isinstance(ours, Listing) else ())):
        return undecided("a chain of equations among several values")
    value = value_of(ours, terms)
    if isinstance(value, Decision):
        return value
    if isinstance(value, Bracket):
        is_point = len(gold.items) == 1 and isinstance(gold.items[0], Bracket)
        if is_point:
            return compare_nodes(value, gold.items[0], terms.inside())
        return different("a tuple for a set")
    if isinstance(value, Set | Listing):
        return _members(value, gold, terms)
    if isinstance(value, Expression) and gold.items:
        single = len(gold.items) == 1
        return (
            compare_nodes(value, gold.items[0], terms.inside())
            if single
            else different(f"one value for {len(gold.items)}")
        )
    if isinstance(value, Expression):
        return different("a value for the empty set")
    return undecided(f"a {type(ours).__name__.lower()} for a set")


def _described_for_set(ours: Node, gold: Set, terms: Terms) -> Decision | None:
    """Compare a set that is described; None for a list of plain values."""
    if (decision := compare_families(ours, gold, terms)) is not None:
        return decision
    if not (isinstance(ours, SETS) or speaks_of_order(ours)):
        return None
    target, found = region(gold), region(ours)
    if target is None or found is None:
        return None
    return compare_regions(found, target, terms)


def _members(ours: Set | Listing, gold: Set, terms: Terms) -> Decision:
    if system(ours) is not None or len(names_given(ours.items)) > 1:
        return undecided("values of several names for a set")
    name, items = assigned_values(ours)
    if name is not None and terms.echoes:
        return different(IN_THE_QUESTION)
    if _leaves_units_out(items, gold.items):
        return in_order(items, gold.items, terms)
    return matched(items, gold.items, terms, as_sets=True)
