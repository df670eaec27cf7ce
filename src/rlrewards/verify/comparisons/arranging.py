r"""What both answers are before anything is compared: one way to write for several.

`\mathbb R - \{3\}` is a difference of sets, `2 hours and 30 minutes` one amount,
`x=1, y=2 or x=3, y=4` two points, and `\frac1x, x \ne 0` the formula with the place where it holds.
Most answers hold none of these, which one look at the types of their nodes tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from rlrewards.verify.comparisons.areas import compare_boxes
from rlrewards.verify.comparisons.dispatch import compare_nodes
from rlrewards.verify.comparisons.exactly import undecided
from rlrewards.verify.comparisons.families import family
from rlrewards.verify.comparisons.matching import UNKNOWN_ORDER
from rlrewards.verify.comparisons.measures import falls
from rlrewards.verify.comparisons.naming import (
    assignment,
    is_in_reading_order,
    names_a_point,
    reading_order,
)
from rlrewards.verify.comparisons.plus_minus import compare_signs
from rlrewards.verify.comparisons.regions import speaks_of_order
from rlrewards.verify.comparisons.rewriting import PLAIN, rebuilt
from rlrewards.verify.comparisons.single import compare_plain
from rlrewards.verify.decision import Decision, Terms
from rlrewards.verify.exact import rational
from rlrewards.verify.survey import kinds_of, survey
from rlrewards.verify.tree import (
    INFINITY,
    Bracket,
    Builder,
    Expression,
    Intersection,
    Listing,
    Measure,
    Named,
    Negative,
    Node,
    PlusMinus,
    Relation,
    Set,
    Sum,
    Symbol,
    Union,
    Without,
    symbols_of,
)

SETS: Final = frozenset({Named, Set, Union, Intersection, Without, Builder})
"""What can be nothing but a set; brackets may be a tuple."""

_PARTS: Final = SETS | {Bracket}

_ARRANGED: Final = SETS | {PlusMinus, Listing}
_JOINERS: Final = frozenset({",", ";", "for"})
_HOLDS_FOR: Final = frozenset("<>≤≥≠∈")


def compare_arranged(ours: Node, gold: Node, terms: Terms) -> Decision | None:
    """Compare two whole answers that are plain, or have to be rewritten; None for all others."""
    facts = survey(ours), survey(gold)
    kinds = tuple(item.kinds for item in facts)
    if kinds[0] <= PLAIN and kinds[1] <= PLAIN:
        return compare_plain(ours, gold, terms, facts)
    if facts[0].is_large or facts[1].is_large:
        kinds = kinds_of(ours), kinds_of(gold)
    if _ARRANGED.isdisjoint(kinds[0]) and _ARRANGED.isdisjoint(kinds[1]):
        return None
    if PlusMinus in kinds[0] or PlusMinus in kinds[1]:
        return compare_signs(ours, gold, terms)
    if (decision := _compare_points(ours, gold, terms)) is not None:
        return decision
    bare = _without_names(ours) if _lists_points(gold) else None
    rewritten = bare or _rewritten(ours, gold, kinds[0]), _rewritten(gold, ours, kinds[1])
    if rewritten[0] is not ours or rewritten[1] is not gold:
        return compare_nodes(*rewritten, terms)
    if isinstance(ours, Listing) or isinstance(gold, Listing):
        return _where_they_hold(ours, gold, terms)
    return None


def _rewritten(node: Node, other: Node, kinds: frozenset[type[Node]]) -> Node:
    if Sum in kinds and not SETS.isdisjoint(kinds):
        node = rebuilt(node, _difference_of_sets)
    return _amount(node) if isinstance(node, Listing) and not isinstance(other, Listing) else node


def _difference_of_sets(node: Node) -> Node:
    r"""Read a minus between sets as `\setminus`; one of them at least is no bracket."""
    if not isinstance(node, Sum) or type(node.terms[0]) not in _PARTS:
        return node
    first, *rest = node.terms
    taken = [term.operand for term in rest if isinstance(term, Negative)]
    kinds = {type(first), *map(type, taken)}
    if len(taken) < len(rest) or not kinds <= _PARTS or kinds == {Bracket}:
        return node
    for other in taken:
        first = Without(first, other)
    return first


def _amount(node: Listing) -> Node:
    """Read `2 hours and 30 minutes` as one amount: each part less than one of the unit before."""
    if not node.joiners <= {"and", ","}:
        return node
    parts = [item for item in node.items if isinstance(item, Measure)]
    if len(parts) < len(node.items) or not falls(parts):
        return node
    carries = (
        (value := rational(small.operand)) is None
        or not 0
        <= value * small.unit.factor.numerator * large.unit.factor.denominator
        < large.unit.factor.numerator * small.unit.factor.denominator
        for large, small in pairwise(parts)
    )
    return node if any(carries) else Sum(tuple(parts))


# ---------------------------------------------------------------------------------------------
# Points whose coordinates are given one by one


def _lists_points(node: Node) -> bool:
    items = node.items if isinstance(node, Listing | Set) else ()
    return bool(items) and all(isinstance(item, Bracket) for item in items)


class _Points(NamedTuple):
    """Points, and the names of their coordinates, in order."""

    names: tuple[Node, ...]
    points: Node


def _compare_points(ours: Node, gold: Node, terms: Terms) -> Decision | None:
    """Compare two lists of points, one of which names the coordinates; None for others."""
    found, target = _points(ours), _points(gold)
    if found is None or target is None or not (found.names or target.names):
        return None
    if found.names and target.names:
        if {*found.names} != {*target.names}:
            return undecided("other names")
        found = _turned(found, target.names)
    elif not is_in_reading_order(found.names or target.names):
        return undecided(UNKNOWN_ORDER)
    return compare_nodes(found.points, target.points, terms)


def _turned(found: _Points, names: tuple[Node, ...]) -> _Points:
    """Put the coordinates in the order of other names."""
    order = [found.names.index(name) for name in names]
    if order == [*range(len(order))]:
        return found
    points = found.points.items if isinstance(found.points, Listing | Set) else ()
    turned = (
        Bracket("(", tuple(point.items[index] for index in order), ")")
        if isinstance(point, Bracket) and len(point.items) == len(order)
        else point
        for point in points
    )
    return _Points(names, Listing(tuple(turned)))


def _points(node: Node) -> _Points | None:
    """Read `x=1, y=2 or x=3, y=4`, `(x,y)=(1,2) or …` and `(x,y) ∈ {…}` as points."""
    if _lists_points(node):
        return _Points((), node)
    if isinstance(node, Relation):
        names, points = node.members[0], node.members[-1]
        is_named = node.signs == ("∈",) and _lists_points(points)
        return _Points(_coordinates(names), points) if is_named and _coordinates(names) else None
    if not isinstance(node, Listing):
        return None
    first = node.items[0]
    if isinstance(first, Relation) and first.signs == ("=",) and _coordinates(first.members[0]):
        return _named_once(node.items, first.members[0])
    named = [item for item in node.items if isinstance(item, Relation) and item.signs == ("=",)]
    return None if len(named) < len(node.items) else _grouped(node, named)


def _named_once(items: Sequence[Node], names: Node) -> _Points | None:
    """Read `(x,y)=(1,2) or (x,y)=(3,4)`, where the names may be left out behind the first."""
    points = tuple(
        item.members[1]
        if isinstance(item, Relation) and item.signs == ("=",) and item.members[0] == names
        else item
        for item in items
    )
    return (
        None
        if any(isinstance(x, Relation) for x in points)
        else _Points(_coordinates(names), Listing(points))
    )


def _coordinates(names: Node) -> tuple[Node, ...]:
    return names.items if isinstance(names, Bracket) and names_a_point(names) else ()


def _without_names(node: Node) -> Node | None:
    """Read `A(1,2), B(3,4)` as two points; None where a name is not one of a point."""
    if not isinstance(node, Listing):
        return None
    found = [item for item in map(assignment, node.items) if item is not None]
    names = {item.name for item in found if _names_one_point(item.name)}
    if not len(names) == len(found) == len(node.items) or not _lists_points(
        Set(tuple(item.value for item in found if len(item.members) == 1))
    ):
        return None
    return Listing(tuple(item.value for item in found), node.joiners)


def _names_one_point(name: Node) -> bool:
    return isinstance(name, Symbol) and name.name[0].isupper()


def _grouped(node: Listing, relations: Sequence[Relation]) -> _Points | None:
    """Take as many assignments together as there are names, if these repeat in one order."""
    found = [item for item in map(assignment, relations) if item is not None]
    names = [item.name for item in found if len(item.members) == 1]
    size = len(set(names))
    if len(names) < len(relations) or size < 2 or len(names) % size or len(names) == size:
        return None
    if names != names[:size] * (len(names) // size) or node.joiners == {"or"}:
        return None
    if node.breaks and node.breaks != tuple(range(size, len(names), size)):
        return None
    order = reading_order(names[:size]) or names[:size]
    groups = (found[start : start + size] for start in range(0, len(found), size))
    values = ({item.name: item.value for item in group} for group in groups)
    points = (Bracket("(", tuple(value[name] for name in order), ")") for value in values)
    return _Points(tuple(order), Listing(tuple(points)))


# ---------------------------------------------------------------------------------------------
# A formula and where it holds


def _where_they_hold(ours: Node, gold: Node, terms: Terms) -> Decision | None:
    """Compare `F, x ≠ 1` with F; where both sides name conditions, these too."""
    left, right = _formula_of(ours), _formula_of(gold)
    if left is None or (right is None and isinstance(gold, Listing)):
        left = None
    if left is None and (right is None or isinstance(ours, Listing)):
        return None
    if right is None and (speaks_of_order(gold) or not isinstance(gold, Expression | Relation)):
        return None
    if left is None and (speaks_of_order(ours) or not isinstance(ours, Expression | Relation)):
        return None
    formulas = compare_nodes(left or ours, right or gold, terms.inside())
    if formulas.is_equal and left is not None and right is None:
        return formulas if _is_harmless(ours) else undecided("conditions that may not hold")
    if not formulas.is_equal or left is None or right is None:
        return formulas
    conditions = compare_boxes(_conditions(ours), _conditions(gold), terms)
    return conditions or undecided("conditions that cannot be compared")


def _formula_of(node: Node) -> Node | None:
    """Return F of `F, x ≠ 1`, whose conditions are on variables of F alone; None for others."""
    if not isinstance(node, Listing) or not node.joiners <= _JOINERS or family(node) is not None:
        return None
    formula, *conditions = node.items
    if isinstance(formula, Relation):
        found = assignment(formula)
        value = None if found is None else found.value
    else:
        value = formula
    if not isinstance(value, Expression) or not (names := symbols_of(value)):
        return None
    return formula if all(_is_condition(item, names) for item in conditions) else None


def _is_condition(node: Node, names: frozenset[str]) -> bool:
    if not isinstance(node, Relation) or {*node.signs} - _HOLDS_FOR:
        return False
    if "∈" in node.signs and isinstance(node.members[-1], Expression | Set):
        return False  # single values would make numbers of the formula
    found = symbols_of(node)
    return bool(found) and found <= names


def _is_harmless(node: Node) -> bool:
    """Whether the conditions only name places to leave out, a set of numbers, or positive ones."""
    assert isinstance(node, Listing)
    conditions = [item for item in node.items[1:] if isinstance(item, Relation)]
    bounded = [item.members[0] for item in conditions if item.signs != ("≠",)]
    return len(bounded) == len({*bounded}) and all(map(_leaves_most, conditions))


def _leaves_most(condition: Relation) -> bool:
    if len(condition.members) != 2:
        return False
    letter, other = condition.members
    if not isinstance(letter, Symbol):
        letter, other = other, letter
    if condition.signs == ("≠",):
        return not symbols_of(letter) & symbols_of(other)
    if condition.signs == ("∈",):
        return _is_set_of_numbers(other) or _is_upper_half(other)
    is_upward = condition.signs in _UPWARD[condition.members[0] is letter]
    return isinstance(letter, Symbol) and is_upward and rational(other) in (0, 1)


_UPWARD: Final = {True: ((">",), ("≥",)), False: (("<",), ("≤",))}


def _is_set_of_numbers(node: Node) -> bool:
    if isinstance(node, Builder):
        return isinstance(node.domain, Named) and len(node.conditions) < 2
    return isinstance(node, Named) and node.name != "empty"


def _is_upper_half(node: Node) -> bool:
    return (
        isinstance(node, Bracket)
        and len(node.items) == 2
        and node.items[1] == INFINITY
        and rational(node.items[0]) in (0, 1)
    )


def _conditions(node: Node) -> Node:
    assert isinstance(node, Listing)
    rest = node.items[1:]
    return rest[0] if len(rest) == 1 else Listing(rest, frozenset({","}))
