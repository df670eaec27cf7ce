"""What belongs together in a flat list: the coordinates of one solution, a value and its condition.

The items of `1, 2` may come in any order; those of `x=1, y=2 or x=3, y=4` and of `1 for a>0, 2 for
a<0` may not be paired off one by one, else the parts of two answers could change places.
"""

from __future__ import annotations

from collections.abc import Sequence

from rlrewards.verify.comparisons.naming import assignment, unnumbered
from rlrewards.verify.comparisons.relations import is_constant_chain
from rlrewards.verify.tree import Listing, Node, Relation, Symbol, symbols_of


def may_be_shuffled(node: Node) -> bool:
    """Whether the items of an answer may be compared in any order."""
    if not isinstance(node, Listing):
        return True
    if "for" in node.joiners or any(map(_holds_condition, node.items)):
        return False
    relations = [item for item in node.items if isinstance(item, Relation)]
    if not relations or _gives_to_one(node.items, relations):
        return True
    if len(relations) < len(node.items) or node.breaks:
        return False
    return node.joiners == {"or"} or not _repeats_a_name(relations)


def _holds_condition(item: Node) -> bool:
    found = assignment(item)
    return found is not None and isinstance(found.value, Listing) and "for" in found.value.joiners


def _gives_to_one(items: Sequence[Node], relations: Sequence[Relation]) -> bool:
    """Whether it is `x=1, 2 or x=3`: values of one unknown, named first."""
    names = [None if (found := assignment(item)) is None else found.name for item in relations]
    return None not in names and len({*map(_unknown, names)}) == 1 and items[0] is relations[0]


def _unknown(name: Node | None) -> Node | None:
    return None if name is None else unnumbered(name)


def _repeats_a_name(relations: Sequence[Relation]) -> bool:
    """Whether one of several unknowns is given several values."""
    names = [found.name for item in relations if (found := assignment(item)) is not None]
    rest = [item for item in relations if assignment(item) is None]
    others = {Symbol(name) for item in rest for name in symbols_of(item)}
    return len({*names}) < len(names) and len({*names} | others) > 1


def lists_chains(node: Node) -> bool:
    r"""Whether it is `\cos\pi = -1, \sin\pi = 0`: what each value is of stands before it."""
    return isinstance(node, Listing) and all(
        isinstance(item, Relation) and is_constant_chain(item) for item in node.items
    )


def by_left_sides(ours: Sequence[Node], gold: Sequence[Node]) -> Sequence[Node]:
    """Put chains in the order of the reference's left sides, where these are the same."""
    found = {item.members[0]: item for item in ours if isinstance(item, Relation)}
    lefts = [item.members[0] for item in gold if isinstance(item, Relation)]
    if len(found) < len(ours) or len(lefts) < len(gold) or {*lefts} != found.keys():
        return ours
    return [found[left] for left in lefts]


def with_conditions(items: Sequence[Node]) -> list[Node]:
    """Take each value of `1 for a>0, 2 for a<0` together with its condition; empty for others."""
    kinds = [isinstance(item, Relation) for item in items]
    if len(items) < 4 or kinds != [False, True] * (len(items) // 2):
        return []
    pairs = zip(items[::2], items[1::2], strict=True)
    return [Listing(pair, frozenset({"for"})) for pair in pairs]


def same_shape(ours: Sequence[Node], gold: Sequence[Node]) -> bool:
    """Whether two lists have values without a name as often, once their names are in one order."""
    ours = by_name(ours, gold)
    return [isinstance(x, Relation) for x in ours] == [isinstance(x, Relation) for x in gold]


def by_name(ours: Sequence[Node], gold: Sequence[Node]) -> Sequence[Node]:
    """Put `y=3, 4; x=1, 2` in the order of the reference's names, if each has its values in one."""
    found, target = _runs(ours), _runs(gold)
    if found is None or target is None or found.keys() != target.keys():
        return ours
    return [item for name in target for item in found[name]]


def _runs(items: Sequence[Node]) -> dict[Node, list[Node]] | None:
    """Return name → what stands from its first value to the next name; None if one comes back."""
    runs: dict[Node, list[Node]] = {}
    last: Node | None = None
    for item in items:
        given = assignment(item)
        name = last if given is None and not isinstance(item, Relation) else given and given.name
        if name is None or (name in runs and name != last):
            return None
        runs.setdefault(name, []).append(item)
        last = name
    return runs
