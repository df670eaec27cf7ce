"""Comparing parts of the real line, and sets whose parts nobody can place on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rlrewards.verify.comparisons.dispatch import compare_nodes
from rlrewards.verify.comparisons.ends import NoOrderError
from rlrewards.verify.comparisons.exactly import different, equal, if_equal, undecided
from rlrewards.verify.comparisons.families import compare_families
from rlrewards.verify.comparisons.intervals import (
    EVERYTHING,
    Piece,
    Pieces,
    common,
    is_point,
    normalized,
)
from rlrewards.verify.comparisons.matching import in_order, matched
from rlrewards.verify.comparisons.naming import assignment
from rlrewards.verify.comparisons.regions import Region, region
from rlrewards.verify.comparisons.rewriting import rebuilt
from rlrewards.verify.decision import Decision, Terms, all_of
from rlrewards.verify.tree import (
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
    Words,
    symbols_of,
    walk,
)


def for_region(ours: Node, gold: Node, terms: Terms) -> Decision:
    """Compare with a reference that is a set: named, joined from others, or described."""
    if isinstance(ours, Relation) and (value := _set_assigned(ours)) is not None:
        if terms.echoes:
            return different("an assignment that stands in the question")
        return compare_nodes(value, gold, terms.inside())
    if (decision := compare_families(ours, gold, terms)) is not None:
        return decision
    target, found = region(gold), region(ours)
    if target is not None and found is not None:
        return compare_regions(found, target, terms)
    if (written := written_out(gold)) is not None:
        return compare_nodes(ours, written, terms.inside())
    if isinstance(ours, Expression) and not symbols_of(ours):
        return different("a number for a set")
    if isinstance(ours, Words):
        return undecided("words for a set")
    return _same_notation(ours, gold, terms)


def written_out(node: Node) -> Set | None:
    """Return the set of single values that a described set comes to, if it has no others."""
    found = region(node)
    if found is None or not found.pieces or not all(map(is_point, found.pieces)):
        return None
    return Set(tuple(piece.low for piece in found.pieces))


def _set_assigned(ours: Relation) -> Node | None:
    """Return the set in `S = (0,1)` or `x ∈ (0,1)`; None where a name gets no set."""
    found = assignment(ours)
    if found is None or len(found.members) != 1 or isinstance(found.value, Expression):
        return None
    return found.value if found.first_sign == "=" or region(ours) is None else None


def compare_regions(ours: Region, gold: Region, terms: Terms) -> Decision:
    """Compare two regions by their normal forms."""
    if None not in (ours.variable, gold.variable) and ours.variable != gold.variable:
        return different("another variable")
    if not terms.conventions.solved_relations and (ours.variable is None) != (
        gold.variable is None
    ):
        return different("a relation for a set, or a set for a relation")
    if len(ours.pieces) == len(gold.pieces) == 1:
        return _pieces(ours.pieces, gold.pieces, terms)
    try:
        left, right = normalized(ours.pieces), normalized(gold.pieces)
    except NoOrderError:
        return _as_written(ours.pieces, gold.pieces, terms)
    return _pieces(left, right, terms)


def _as_written(ours: Pieces, gold: Pieces, terms: Terms) -> Decision:
    """Compare intervals whose ends have letters one by one, in the order written."""
    why = "a region whose ends cannot be ordered"
    if len(ours) != len(gold):
        return undecided(why)
    return if_equal(_pieces(ours, gold, terms), why)


def _pieces(ours: Sequence[Piece], gold: Sequence[Piece], terms: Terms) -> Decision:
    if len(ours) != len(gold):
        return different(f"{len(ours)} intervals for {len(gold)}")
    pairs = [*zip(ours, gold, strict=True)]
    if any((a.low_open, a.high_open) != (b.low_open, b.high_open) for a, b in pairs):
        return different("an end that is open for one that is closed")
    inside = terms.inside()
    return all_of(
        compare_nodes(left, right, inside)
        for a, b in pairs
        for left, right in ((a.low, b.low), (a.high, b.high))
    )


def compare_boxes(ours: Node, gold: Node, terms: Terms) -> Decision | None:
    """Compare `x > 0, y > 0` variable by variable; None where a side is no such list."""
    found, target = _box(ours), _box(gold)
    if found is None or target is None:
        return None
    names = sorted({*found, *target}, key=repr)
    anything = Region(None, EVERYTHING)
    return all_of(
        compare_regions(found.get(name, anything), target.get(name, anything), terms)
        for name in names
    )


def _box(node: Node) -> dict[Node, Region] | None:
    """Return the region of each variable of several conditions, all of which hold somewhere."""
    conditions = node.items if isinstance(node, Listing) else (node,)
    if isinstance(node, Listing) and {"or", ":"} & node.joiners:
        return None
    grouped: dict[Node, list[Pieces]] = {}
    for condition in conditions:
        found = region(condition) if isinstance(condition, Relation) else None
        if found is None or found.variable is None:
            return None
        grouped.setdefault(found.variable, []).append(found.pieces)
    try:
        box = {name: Region(name, common(parts)) for name, parts in grouped.items()}
    except NoOrderError:
        return None
    return box if all(item.pieces for item in box.values()) else None


# ---------------------------------------------------------------------------------------------
# Sets that are no region


def _same_notation(ours: Node, gold: Node, terms: Terms) -> Decision:
    """Compare sets by how they are made; what differs there may still be the same set."""
    why = f"a {type(ours).__name__.lower()} for a {type(gold).__name__.lower()}"
    if isinstance(ours, Named) and isinstance(gold, Named):
        return different(f"the {ours.name} for the {gold.name}")
    if type(ours) is not type(gold):
        return undecided(why)
    if isinstance(gold, Builder) and isinstance(ours, Builder):
        return if_equal(_builders(ours, gold, terms), why)
    if isinstance(gold, Union | Intersection) and isinstance(ours, Union | Intersection):
        kinds = [Counter(map(type, side.parts)) for side in (ours, gold)]
        alike = kinds[0] == kinds[1]
        return if_equal(matched(ours.parts, gold.parts, terms), why) if alike else undecided(why)
    if isinstance(gold, Without) and isinstance(ours, Without):
        parts = in_order((ours.left, ours.right), (gold.left, gold.right), terms)
        return if_equal(parts, why)
    return undecided(why)


def _renamed(ours: Builder, gold: Builder) -> Builder:
    """Return a set with the letters of its element called as those of the other's.

    An element that is more than a letter keeps its form: only what its letters are called is free.
    """
    names, others = _letters(ours), _letters(gold)
    if not names or len(names) != len(others):
        return ours
    if ({*others} - {*names}) & {item for item in walk(ours) if isinstance(item, Symbol)}:
        return ours
    new = dict(zip(names, others, strict=True))
    renamed = rebuilt(ours, lambda item: new.get(item, item) if isinstance(item, Symbol) else item)
    assert isinstance(renamed, Builder)
    return renamed


def _letters(node: Builder) -> tuple[Symbol, ...]:
    """Return the letters that a set-builder binds: its element, or those taken from a set.

    `x` in {x | …}, `x` and `y` in {(x, y) | …}, `k` in {2k | k ∈ ℤ}.
    """
    items = node.element.items if isinstance(node.element, Bracket) else (node.element,)
    names = tuple(item for item in items if isinstance(item, Symbol))
    said = {item for condition in node.conditions for item in walk(condition)}
    if len(names) == len(items) and (node.domain is not None or said >= {*names}):
        return names if len(names) == len({*names}) else ()
    members = [item for item in node.conditions if isinstance(item, Relation)]
    taken = [item.members[0] for item in members if item.signs == ("∈",)]
    bound = tuple(item for item in taken if isinstance(item, Symbol))
    return bound if len(bound) == len(taken) == len({*bound}) else ()


def _builders(ours: Builder, gold: Builder, terms: Terms) -> Decision:
    """Compare element, domain and conditions, the letter of the element renamed."""
    if terms.conventions.parameters and ours.element != gold.element:
        ours = _renamed(ours, gold)
    if (ours.domain is None) != (gold.domain is None):
        return undecided("a domain on one side only")
    domains = [] if gold.domain is None or ours.domain is None else [(ours.domain, gold.domain)]
    pairs = [(ours.element, gold.element), *domains]
    decision = all_of(compare_nodes(left, right, terms.inside()) for left, right in pairs)
    if not decision.is_equal:
        return decision
    if not ours.conditions and not gold.conditions:
        return equal("the same set")
    return matched(ours.conditions, gold.conditions, terms)
