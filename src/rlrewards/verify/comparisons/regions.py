r"""Parts of the real line, however they are written.

Intervals and their unions, intersections and differences, named sets, set-builders, solved
inequalities and `x ≠ a` are all read as a `Region`. Two regions are equal when their normal forms
have the same ends, open or closed alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from rlrewards.verify.comparisons.ends import NoOrderError, order
from rlrewards.verify.comparisons.intervals import (
    EVERYTHING,
    Piece,
    Pieces,
    common,
    complement,
    normalized,
    point,
)
from rlrewards.verify.comparisons.naming import name_of
from rlrewards.verify.comparisons.rewriting import number
from rlrewards.verify.exact import rational
from rlrewards.verify.tree import (
    INFINITY,
    Bracket,
    Builder,
    Expression,
    Intersection,
    Listing,
    Named,
    Node,
    Relation,
    Set,
    Symbol,
    Union,
    Without,
    walk,
)

ORDER: Final = frozenset("<>≤≥≠")
UNKNOWNS: Final = frozenset(map(Symbol, ("x", "y", "z", "t", "theta")))
"""Of two names, `x > a` speaks of the one that is usually unknown."""

MAX_ENUMERATED: Final = 60


class Region(NamedTuple):
    """Intervals, and the variable that is said to lie in them, None where no relation says so."""

    variable: Node | None
    pieces: Pieces


def region(node: Node) -> Region | None:
    """Read a tree as a part of the real line; None where it is none, or cannot be settled."""
    read = _READERS.get(type(node))
    try:
        return None if read is None else read(node)
    except NoOrderError:
        return None


def speaks_of_order(node: Node) -> bool:
    """Whether an inequality, an interval or a set stands in a list of conditions."""
    if isinstance(node, Listing):
        return any(map(speaks_of_order, node.items))
    return isinstance(node, Relation) and bool(ORDER & {*node.signs} or _is_membership(node))


def _is_membership(node: Relation) -> bool:
    return node.signs in (("∈",), ("∉",)) and not isinstance(node.members[1], Expression | Set)


# ---------------------------------------------------------------------------------------------
# Sets


def _named(node: Named) -> Region | None:
    found = {"reals": EVERYTHING, "empty": ()}.get(node.name)
    return None if found is None else Region(None, found)


def _interval(node: Bracket) -> Region | None:
    if len(node.items) != 2 or node.left == "⟨":
        return None
    low, high = node.items
    if not (isinstance(low, Expression) and isinstance(high, Expression)):
        return None
    if _is_backwards(low, high):
        return None
    return Region(None, (Piece(low, node.left in "(]", high, node.right in ")["),))


def _is_backwards(low: Node, high: Node) -> bool:
    """Whether two ends are no interval's: (45, 1) is a point, and no way to write ∅."""
    try:
        return low == high or order(low, high) > 0
    except NoOrderError:
        return False


def _points(node: Set) -> Region | None:
    if not all(isinstance(item, Expression) for item in node.items):
        return None
    return Region(None, tuple(map(point, node.items)))


def _union(node: Union) -> Region | None:
    return _either([region(part) for part in node.parts])


def _either(regions: Sequence[Region | None]) -> Region | None:
    known = [item for item in regions if item is not None]
    names = {item.variable for item in known if item.variable is not None}
    if len(known) != len(regions) or len(names) > 1:
        return None
    pieces = tuple(piece for item in known for piece in item.pieces)
    return Region(names.pop() if names else None, pieces)


def _all(regions: Sequence[Region | None]) -> Region | None:
    either = _either(regions)
    if either is None:
        return None
    if len(regions) == 1:
        return either
    return Region(either.variable, common(item.pieces for item in regions if item is not None))


def _intersection(node: Intersection) -> Region | None:
    return _all([region(part) for part in node.parts])


def _without(node: Without) -> Region | None:
    left, right = region(node.left), region(node.right)
    if left is None or right is None or right.variable is not None:
        return None
    return _all([left, Region(None, complement(right.pieces))])


# ---------------------------------------------------------------------------------------------
# Relations


def _solved(relation: Relation) -> Region | None:
    """Read `x < 2`, `2 > x`, `1 < x ≤ 2`, `x ≠ 3`, `x ∈ (1,2)`; None where x is not alone."""
    members, signs = relation.members, relation.signs
    if signs in (("∈",), ("∉",)):
        return _membership(members[0], members[1], inside=signs == ("∈",))
    at = _position_of_variable(members)
    if at is None:
        return None
    name = members[at]
    ends = (*members[:at], *members[at + 1 :])
    if not all(isinstance(end, Expression) for end in ends) or any(
        item == name for end in ends for item in walk(end)
    ):
        return None
    if signs in (("≠",), ("=",)):
        pieces = (point(ends[0]),)
        return Region(name, pieces if signs == ("=",) else complement(pieces))
    pairs = enumerate(zip(ends, signs, strict=True))
    bounds = [_bound(end, sign, left=index < at) for index, (end, sign) in pairs]
    return _between(name, bounds)


def _position_of_variable(members: tuple[Node, ...]) -> int | None:
    """Return where the one name stands about which a relation speaks; `a < b` speaks of two."""
    if len(members) == 3:
        return 1 if name_of(members[1]) is not None else None
    if len(members) != 2:
        return None
    named = [index for index in (0, 1) if name_of(members[index]) is not None]
    if len(named) == 2:
        named = [index for index in named if members[index] in UNKNOWNS]
    return named[0] if len(named) == 1 else None


def _bound(end: Node, sign: str, *, left: bool) -> tuple[bool, Node, bool] | None:
    """Return whether a bound is the lower one, the bound, and whether it is left out."""
    if sign not in "<>≤≥":
        return None
    return (left == (sign in "<≤"), end, sign in "<>")


def _between(name: Node, bounds: list[Any]) -> Region | None:
    if None in bounds or len({is_lower for is_lower, _, _ in bounds}) < len(bounds):
        return None
    piece = EVERYTHING[0]
    for is_lower, end, is_open in bounds:
        if is_lower:
            piece = piece._replace(low=end, low_open=is_open)
        else:
            piece = piece._replace(high=end, high_open=is_open)
    return None if _is_backwards(piece.low, piece.high) else Region(name, (piece,))


def _membership(name: Node, container: Node, *, inside: bool) -> Region | None:
    found = region(container)
    if name_of(name) is None or found is None or found.variable is not None:
        return None
    return Region(name, found.pieces if inside else complement(found.pieces))


def _listing(node: Listing) -> Region | None:
    """Read `x<1 or x>2` as either, `x>0, x<1` as both; `x<0, x>1`, which nothing is, as either."""
    parts = [region(item) for item in _completed(node)]
    if "or" in node.joiners or _lists_intervals(node):
        return _either(parts) if "and" not in node.joiners or "or" not in node.joiners else None
    if not all(isinstance(item, Relation) for item in _completed(node)) or ":" in node.joiners:
        return None
    both = _all(parts)
    if both is None or normalized(both.pieces):
        return both
    return _either(parts) if node.joiners <= {",", ";"} else None


def _lists_intervals(node: Listing) -> bool:
    """Whether all items are intervals and one at least can be nothing else: (1, ∞), [0, 1)."""
    if not all(isinstance(item, Bracket | Union) for item in node.items):
        return False
    return any(
        item.left == "[" or item.right == "]" or INFINITY in walk(item)
        for item in node.items
        if isinstance(item, Bracket)
    )


def _completed(node: Listing) -> tuple[Node, ...]:
    """Repeat the name in `x ≠ 1, 2`."""
    first = node.items[0]
    if not isinstance(first, Relation) or first.signs != ("≠",):
        return node.items
    return tuple(
        Relation((first.members[0], item), ("≠",)) if isinstance(item, Expression) else item
        for item in node.items
    )


# ---------------------------------------------------------------------------------------------
# Set-builders


def _builder(node: Builder) -> Region | None:
    """Read `{x | x > 2}`; over the integers, its elements one by one."""
    if not isinstance(node.element, Symbol):
        return None
    inside = _all([region(condition) for condition in node.conditions]) if node.conditions else None
    if node.conditions and (inside is None or inside.variable != node.element):
        return None
    pieces = EVERYTHING if inside is None else inside.pieces
    if node.domain is None:
        return Region(None, pieces)
    if isinstance(node.domain, Named) and node.domain.name in ("integers", "naturals"):
        return _enumerated(pieces, natural=node.domain.name == "naturals")
    domain = region(node.domain)
    return None if domain is None else Region(None, common([domain.pieces, pieces]))


def _enumerated(pieces: Pieces, *, natural: bool) -> Region | None:
    """Return the integers in a bounded region; whether 0 is natural is left open."""
    found: list[Node] = []
    for piece in normalized(pieces):
        ends = rational(piece.low), rational(piece.high)
        if ends[0] is None or ends[1] is None or ends[1] - ends[0] > MAX_ENUMERATED:
            return None
        first, last = int(ends[0].ceil()), int(ends[1].floor())
        first += piece.low_open and ends[0] == first
        last -= piece.high_open and ends[1] == last
        if natural and first <= 0 <= last:
            return None
        found += [number(value) for value in range(max(first, 1) if natural else first, last + 1)]
    return Region(None, tuple(map(point, found)))


_READERS: Final[dict[type, Any]] = {
    Named: _named,
    Bracket: _interval,
    Set: _points,
    Union: _union,
    Intersection: _intersection,
    Without: _without,
    Relation: _solved,
    Listing: _listing,
    Builder: _builder,
}
