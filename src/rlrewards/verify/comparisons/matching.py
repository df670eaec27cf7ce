"""Items of two lists: compared one by one in order, or paired off in any order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Final

from rlrewards.verify.comparisons.dispatch import compare_nodes
from rlrewards.verify.comparisons.exactly import MAX_ITEMS, different, undecided
from rlrewards.verify.comparisons.measures import surely_same
from rlrewards.verify.decision import Decision, Terms, all_of
from rlrewards.verify.tree import Negative, Node, Number
from rlrewards.verify.verdict import Status

MAX_LEFTOVERS: Final = 12
"""Items that have no twin and are compared with each other."""


UNKNOWN_ORDER: Final = "the order of the coordinates is not known"


def in_order(ours: Sequence[Node], gold: Sequence[Node], terms: Terms) -> Decision:
    """Compare item by item."""
    if len(ours) != len(gold):
        return different(f"{len(ours)} items for {len(gold)}")
    if len(ours) > MAX_ITEMS:
        return undecided(f"more than {MAX_ITEMS} items")
    inside = terms.inside()
    return all_of(compare_nodes(a, b, inside) for a, b in zip(ours, gold, strict=True))


def in_known_order(
    ours: Sequence[Node] | None, gold: Sequence[Node] | None, terms: Terms
) -> Decision:
    """Compare item by item; None stands for coordinates that may be meant in another order."""
    if ours is None or gold is None:
        return undecided(UNKNOWN_ORDER)
    return in_order(ours, gold, terms)


def matched(
    ours: Sequence[Node], gold: Sequence[Node], terms: Terms, *, as_sets: bool = False
) -> Decision:
    """Pair the items off, in any order; sets may repeat an item."""
    if as_sets:
        return _as_sets(ours, gold, terms)
    if len(ours) != len(gold):
        return different(f"{len(ours)} items for {len(gold)}")
    if len(ours) > MAX_ITEMS:
        return undecided(f"more than {MAX_ITEMS} items")
    same = Counter(map(_key, ours)) & Counter(map(_key, gold))
    left, right = _without(ours, same), _without(gold, same)
    if len(right) > MAX_LEFTOVERS:
        return undecided(f"{len(right)} items to be paired")
    table = _table(left, right, terms)
    return table if isinstance(table, Decision) else _paired(table)


def _as_sets(ours: Sequence[Node], gold: Sequence[Node], terms: Terms) -> Decision:
    """Compare two sets; costlier proofs that two items are one only where the counts differ."""
    left, right = ([*{_key(item): item for item in items}.values()] for items in (ours, gold))
    if len(left) == len(right):
        return matched(left, right, terms)
    if max(len(left), len(right)) > MAX_LEFTOVERS:
        return (
            different(f"{len(left)} items for {len(right)}")
            if _all_numbers([*left, *right])
            else undecided(f"{len(right)} items to be paired")
        )
    twins = {_key(item) for item in left}
    alone = [item for item in right if _key(item) not in twins]
    table = _table(left, alone, terms) if left else different("no items")
    if isinstance(table, Decision):
        return table
    left, right = _distinct(left, terms), _distinct(right, terms)
    if len(left) != len(right):
        return different(f"{len(left)} items for {len(right)}")
    return matched(left, right, terms)


def _all_numbers(items: Sequence[Node]) -> bool:
    return all(isinstance(_key(item), tuple) for item in items)


def _table(
    ours: Sequence[Node], gold: Sequence[Node], terms: Terms
) -> list[list[Decision]] | Decision:
    """Compare all with all, a row for each item of the reference; DIFFERENT if one has no match."""
    rows: list[list[Decision]] = []
    for item in gold:
        rows.append([compare_nodes(other, item, terms.inside()) for other in ours])
        if all(decision.is_different for decision in rows[-1]):
            return different("an item that the answer does not have")
    return rows


def _key(item: Node) -> Hashable:
    """Return what equal items have in common, as far as that takes no comparison."""
    if isinstance(item, Number):
        return "number", item.value
    if isinstance(item, Negative) and isinstance(item.operand, Number):
        return "number", -item.operand.value
    return item


def _without(items: Sequence[Node], taken: Counter[Hashable]) -> list[Node]:
    taken, left = taken.copy(), []
    for item in items:
        if taken[_key(item)]:
            taken[_key(item)] -= 1
        else:
            left.append(item)
    return left


def _distinct(items: Sequence[Node], terms: Terms) -> list[Node]:
    """Drop every item that is provably one before it."""
    kept: list[Node] = []
    for item in items:
        if not any(surely_same(item, other, terms) for other in kept):
            kept.append(item)
    return kept


def _paired(table: Sequence[Sequence[Decision]]) -> Decision:
    """Pair rows and columns so that all agree; DIFFERENT where even doubts leave one over."""
    pairs = _pairs_off(table, lambda decision: decision.is_equal)
    if pairs is not None:
        return all_of(table[row][column] for row, column in pairs)
    if _pairs_off(table, lambda decision: not decision.is_different) is not None:
        doubts = (item for row in table for item in row if not item.is_different)
        found = next((item for item in doubts if item.status is not Status.EQUAL), None)
        return found or undecided("items that cannot be paired")
    return different("an item that the other side does not have")


def _pairs_off(
    table: Sequence[Sequence[Decision]], fits: Callable[[Decision], bool]
) -> list[tuple[int, int]] | None:
    """Return (row, column) for all rows, every pair fitting (augmenting paths), or None."""
    owner: dict[int, int] = {}

    def place(row: int, seen: set[int]) -> bool:
        for column, decision in enumerate(table[row]):
            if fits(decision) and column not in seen:
                seen.add(column)
                if column not in owner or place(owner[column], seen):
                    owner[column] = row
                    return True
        return False

    if not all(place(row, set()) for row in range(len(table))):
        return None
    return [(row, column) for column, row in owner.items()]
