"""±: two values written as one.

All signs of one expression turn together (`a ± b ∓ c` are two values). Where several ± stand in one
expression and no ∓ links them, `±1±√2` may also be four values: such a pair is decided only if both
readings agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Final

from rlrewards.verify.comparisons.dispatch import compare_nodes
from rlrewards.verify.comparisons.exactly import MAX_ITEMS, different, undecided
from rlrewards.verify.comparisons.rewriting import rebuilt
from rlrewards.verify.decision import Decision, Terms
from rlrewards.verify.tree import Listing, Negative, Node, PlusMinus, Relation, Set, walk

MAX_SIGNS: Final = 3


def compare_signs(ours: Node, gold: Node, terms: Terms) -> Decision | None:
    """Compare what each ± stands for; None where there is none."""
    signs = _signs(ours), _signs(gold)
    if not any(signs):
        return None
    if not terms.conventions.plus_minus and not all(signs):
        return different("± on one side only")
    if max(map(len, signs)) > MAX_SIGNS * MAX_ITEMS or _most_signs(ours, gold) > MAX_SIGNS:
        return undecided(f"more than {MAX_SIGNS} ± in one expression")
    if any(map(_bounds_by_both, (ours, gold))):
        return undecided("± in an inequality")
    decisions = [
        compare_nodes(_spelt_out(ours, linked=linked), _spelt_out(gold, linked=linked), terms)
        for linked in ((True, False) if _ambiguous(ours) or _ambiguous(gold) else (True,))
    ]
    if len({decision.status for decision in decisions}) > 1:
        return undecided("several ± that may or may not be linked")
    return decisions[0]


def _most_signs(*nodes: Node) -> int:
    counts = (len(_signs(part)) for node in nodes for part in _parts(node))
    return max(counts, default=0)


def _bounds_by_both(node: Node) -> bool:
    """Whether ± stands in an inequality, as in `x ≥ ±1`, which says nothing clear."""
    return any(
        isinstance(item, Relation) and {*"<>≤≥"} & {*item.signs} and _signs(item)
        for item in walk(node)
    )


def _signs(node: Node) -> list[PlusMinus]:
    return [item for item in walk(node) if isinstance(item, PlusMinus)]


def _parts(node: Node) -> Iterator[Node]:
    """Yield the parts of an answer whose signs are independent, or the same by their nature."""
    if isinstance(node, Listing | Set):
        for item in node.items:
            yield from _parts(item)
    elif isinstance(node, Relation):
        yield from node.members
    else:
        yield node


def _ambiguous(node: Node) -> bool:
    """Whether two ± in one expression may be linked or not."""
    return any(
        len(signs) > 1 and not any(sign.flipped for sign in signs)
        for signs in map(_signs, _parts(node))
    )


def _spelt_out(node: Node, *, linked: bool) -> Node:
    """Return the same answer without ±, as a list."""
    if isinstance(node, Listing):
        return Listing(tuple(_all_values(node.items, linked=linked)), node.joiners)
    if isinstance(node, Set):
        return Set(tuple(_all_values(node.items, linked=linked)))
    if not _signs(node):
        return node
    return Listing(tuple(_values(node, linked=linked)))


def _all_values(items: tuple[Node, ...], *, linked: bool) -> Iterator[Node]:
    for item in items:
        if isinstance(item, Listing | Set):
            yield _spelt_out(item, linked=linked)
        else:
            yield from _values(item, linked=linked)


def _values(node: Node, *, linked: bool) -> list[Node]:
    signs = len(_signs(node))
    if not signs:
        return [node]
    if linked or isinstance(node, Relation):
        return [_with_signs(node, [upper] * signs) for upper in (True, False)]
    return [_with_signs(node, [*choice]) for choice in product((True, False), repeat=signs)]


def _with_signs(node: Node, uppers: list[bool]) -> Node:
    """Take the upper or the lower sign of each ±, in the order in which they are met."""

    def chosen(item: Node) -> Node:
        if not isinstance(item, PlusMinus):
            return item
        return item.operand if uppers.pop() is not item.flipped else Negative(item.operand)

    return rebuilt(node, chosen)
