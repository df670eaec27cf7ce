"""Two expressions at one point: balls that part, that agree, or that cannot be had.

A pair knows what it is made of and how much work may still be spent on it; every look at a point is
charged to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from flint import acb, fmpq

from rlrewards.verify.decision import Decision, different, equal, undecided
from rlrewards.verify.enclose import NO_VALUE, Ball, enclose, is_steady, size_bits
from rlrewards.verify.kinks import may_have_kinks
from rlrewards.verify.rationals import Values, rational
from rlrewards.verify.survey import Survey, survey
from rlrewards.verify.towers import outgrows
from rlrewards.verify.tree import Node
from rlrewards.verify.verdict import Tier

AGREEMENT_BITS: Final = 128
FIRST_BITS: Final = 96
"""Precision of the first look, which tells nearly all different ones apart."""
MAX_PRECISION_BITS: Final = 16_384
MAX_POINT_PRECISION_BITS: Final = 4_096
MAX_WORK: Final = 12_000
"""Work of one comparison, about that many microseconds."""


@dataclass(slots=True)
class Pair:
    """Two expressions, what they are made of, and the work that may still be spent on them.

    Attributes:
        ours: The answer.
        gold: The reference.
        names: Their variables.
        complex_: Whether i stands in them.
        nodes: How many nodes they have.
        slow: Whether a factorial or the like stands in them.
        bent: Whether they may have kinks.
        divides: Whether greatest common divisors or the like stand in them.
        steady: Whether their sizes depend on the length of the variables' values alone.
        work_left: Work that may still be spent.
        sizes: `size_bits` of both, by the length of the values.
        looked: Whether a first, rough look was taken.
        seed: What the points are drawn from; the canonical keys of both where it is empty.
    """

    ours: Node
    gold: Node
    names: list[str]
    complex_: bool
    nodes: int
    slow: bool
    bent: bool
    divides: bool
    steady: bool
    work_left: float = MAX_WORK
    sizes: dict[int, int] = field(default_factory=dict)
    looked: bool = False
    seed: str = ""

    def spend(self, bits: int) -> bool:
        """Charge an evaluation at a precision; False when nothing is left for it."""
        self.work_left -= self.nodes * (1 + (bits / 700) ** 1.8)
        if self.slow:
            self.work_left -= (self.nodes // 4) * 50 * (bits / 1_000) ** 2.5
        return self.work_left > 0

    def needed_bits(self, point: Values) -> int:
        """Return to how many bits two values must agree: beyond all that can hide."""
        if not self.steady:
            size = size_bits(self.ours, point) + size_bits(self.gold, point)
            return AGREEMENT_BITS + 2 * size
        longest = max((value.height_bits() for value in point.values()), default=0)
        length = 32 * (longest // 32 + 1)
        if length not in self.sizes:
            like_it = dict.fromkeys(self.names, fmpq(2) ** (length - 1))
            self.sizes[length] = size_bits(self.ours, like_it) + size_bits(self.gold, like_it)
        return AGREEMENT_BITS + 2 * self.sizes[length]


SLOW: Final = frozenset({"factorial", "binomial", "permutations"})
DIVIDING: Final = frozenset({"gcd", "lcm"})
OF_WHOLE_NUMBERS: Final = SLOW | DIVIDING | {"double_factorial"}
"""Functions that are defined on whole numbers alone, for a start."""


def pair_of(ours: Node, gold: Node, facts: tuple[Survey, Survey] | None) -> Pair:
    """Look at two expressions once."""
    left, right = facts or (survey(ours), survey(gold))
    return Pair(
        ours=ours,
        gold=gold,
        names=sorted(left.symbols | right.symbols),
        complex_=left.has_i or right.has_i,
        nodes=left.nodes + right.nodes,
        slow=not SLOW.isdisjoint(left.calls | right.calls),
        bent=may_have_kinks(left) or may_have_kinks(right),
        divides=not DIVIDING.isdisjoint(left.calls | right.calls),
        steady=is_steady(ours, left) and is_steady(gold, right),
    )


def is_unfit(pair: Pair) -> bool:
    """Whether two expressions are too large to be compared."""
    return pair.nodes > 2_000 or len(pair.names) > 24


def _open(why: str) -> Decision:
    return undecided(Tier.NUMERIC, why)


def is_narrower(pair: Pair, point: Values) -> bool:
    """Whether the reference has a value at a point where the answer has none."""
    return _is_defined(pair.gold, point, pair) and not _is_defined(pair.ours, point, pair)


def _is_defined(node: Node, point: Values, pair: Pair) -> bool:
    if not pair.spend(AGREEMENT_BITS):
        return True
    try:
        enclose(node, point, bits=AGREEMENT_BITS, complex_=pair.complex_)
    except NO_VALUE:
        return False
    return True


def near_at(pair: Pair, point: Values) -> Decision | None:
    """Look roughly whether the two differ at a point."""
    pair.spend(AGREEMENT_BITS)
    try:
        ours, gold = (
            enclose(side, point, bits=AGREEMENT_BITS, complex_=pair.complex_)
            for side in (pair.ours, pair.gold)
        )
    except NO_VALUE:
        return None
    if ours.overlaps(gold):
        return equal(Tier.NUMERIC, "no difference at a point")
    return different(Tier.NUMERIC, "the values differ at a point")


def agree_at(pair: Pair, point: Values, *, complex_: bool) -> Decision | None:
    """Double the precision until two balls part, or agree beyond what can hide.

    None where either side has no value.
    """
    try:
        return _agreement(pair, point, complex_=complex_)
    except NO_VALUE:
        one, other = pair.ours, pair.gold
        if outgrows(one, other, point) or outgrows(other, one, point):
            return different(Tier.NUMERIC, "one is far larger than the other")
        return None


def _agreement(pair: Pair, point: Values, *, complex_: bool) -> Decision:
    if pair.slow and (decision := exact_agreement(pair, point)) is not None:
        return decision
    needed = pair.needed_bits(point)
    most = MAX_POINT_PRECISION_BITS if point else MAX_PRECISION_BITS
    bits = _first_precision(pair, needed)
    while pair.spend(bits):
        ours = enclose(pair.ours, point, bits=bits, complex_=complex_)
        gold = enclose(pair.gold, point, bits=bits, complex_=complex_)
        if not ours.overlaps(gold):
            return different(
                Tier.NUMERIC, "the values differ at a point" if point else "the values differ"
            )
        if min(accuracy_bits(ours), accuracy_bits(gold)) >= needed:
            return equal(Tier.NUMERIC, f"equal to {needed} bits")
        if bits >= most:
            break
        bits = min(_next_precision(bits, needed), most)
    return _open("too close to tell apart")


def _first_precision(pair: Pair, needed: int) -> int:
    """Look roughly at the first point, which tells nearly all different ones apart."""
    if pair.looked:
        return min(needed + needed // 8 + 64, MAX_POINT_PRECISION_BITS)
    pair.looked = True
    return FIRST_BITS


def exact_agreement(pair: Pair, point: Values) -> Decision | None:
    """Compare what is rational at a point, such as factorials of whole numbers."""
    ours = rational(pair.ours, point)
    gold = None if ours is None else rational(pair.gold, point)
    if ours is None or gold is None:
        return None
    if ours == gold:
        return equal(Tier.NUMERIC, "equal numbers")
    return different(Tier.NUMERIC, "the values differ at a point")


def _next_precision(bits: int, needed: int) -> int:
    """Go straight to what agreement takes if that is near, else double."""
    enough = needed + 64 + needed // 8
    return enough if bits < enough <= 8 * bits + 1_024 else 2 * bits


def accuracy_bits(ball: Ball) -> int:
    """Return how many bits of a value a ball knows, relative to 1 where the value is small."""
    if isinstance(ball, acb):
        return min(int(part.rel_one_accuracy_bits()) for part in (ball.real, ball.imag))
    return int(ball.rel_one_accuracy_bits())
