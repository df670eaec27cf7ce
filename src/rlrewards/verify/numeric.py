r"""Numeric comparison by ball arithmetic: a proof of difference, or agreement at enough points.

Two balls that do not meet prove that two expressions differ, which floating point cannot; balls
that agree at several points to far more bits than the expressions hold are taken to be equal. Every
comparison has a fixed amount of work, so none can hang.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from flint import acb, fmpq

from rlrewards.verify.canonical import canonical
from rlrewards.verify.decision import Decision, different, equal, undecided
from rlrewards.verify.enclose import NO_VALUE, Ball, enclose, is_steady, size_bits
from rlrewards.verify.kinks import may_have_kinks, points_between_kinks
from rlrewards.verify.rationals import Values, rational
from rlrewards.verify.survey import Survey, survey
from rlrewards.verify.towers import holds_tower, outgrows
from rlrewards.verify.tree import Negative, Node, Quotient, Sum
from rlrewards.verify.verdict import Tier

__all__ = [
    "compare_constants",
    "compare_functions",
    "constant_difference",
    "constant_quotient",
    "enclose",
]

POINTS: Final = 6
"""Points at which two expressions must agree to count as equal."""
TRIES: Final = 48
AGREEMENT_BITS: Final = 128
FIRST_BITS: Final = 96
"""Precision of the first look, which tells nearly all different ones apart."""
MAX_PRECISION_BITS: Final = 16_384
MAX_POINT_PRECISION_BITS: Final = 4_096
MAX_WORK: Final = 12_000
"""Work of one comparison, about that many microseconds."""


@dataclass(slots=True)
class _Pair:
    """Two expressions, what they are made of, and the work that may still be spent on them.

    Attributes:
        ours: The answer.
        gold: The reference.
        names: Their variables.
        complex_: Whether i stands in them.
        nodes: How many nodes they have.
        slow: Whether a factorial or the like stands in them.
        bent: Whether they may have kinks.
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


_SLOW: Final = frozenset({"factorial", "binomial", "permutations"})


def _pair(ours: Node, gold: Node, facts: tuple[Survey, Survey] | None) -> _Pair:
    left, right = facts or (survey(ours), survey(gold))
    return _Pair(
        ours=ours,
        gold=gold,
        names=sorted(left.symbols | right.symbols),
        complex_=left.has_i or right.has_i,
        nodes=left.nodes + right.nodes,
        slow=not _SLOW.isdisjoint(left.calls | right.calls),
        bent=may_have_kinks(left) or may_have_kinks(right),
        steady=is_steady(ours, left) and is_steady(gold, right),
    )


def _unfit(pair: _Pair) -> bool:
    return pair.nodes > 2_000 or len(pair.names) > 24


def compare_constants(
    ours: Node, gold: Node, facts: tuple[Survey, Survey] | None = None
) -> Decision:
    """Compare two expressions without variables, as real numbers or else as complex ones."""
    pair = _pair(ours, gold, facts)
    if _unfit(pair):
        return _open("too large to be computed")
    for complex_ in (True,) if pair.complex_ else (False, True):
        decision = _agree_at(pair, {}, complex_=complex_)
        if decision is not None:
            return decision
    return _without_value(pair, "no finite value")


def compare_functions(
    ours: Node, gold: Node, facts: tuple[Survey, Survey] | None = None, *, seed: str = ""
) -> Decision:
    """Compare two expressions by their values at points of both signs.

    An answer that is undefined where the reference is not proves nothing where both are: else
    `x + ln x - ln x` would pass for |x|.
    """
    pair = _pair(ours, gold, facts)
    pair.seed = seed
    if _unfit(pair):
        return _open("too large to be computed")
    objection, agreed = _between_kinks(pair)
    decision = objection or _at_points(pair, agreed)
    if decision.is_equal and not _same_variables(pair, facts):
        return _open("equal, but in other variables")
    return decision


def _same_variables(pair: _Pair, facts: tuple[Survey, Survey] | None) -> bool:
    left, right = facts or (survey(pair.ours), survey(pair.gold))
    return left.symbols == right.symbols


def _without_value(pair: _Pair, why: str) -> Decision:
    """Leave open what has no values; beside a tower nothing else could tell either."""
    if holds_tower(pair.ours) or holds_tower(pair.gold):
        return undecided(Tier.EXACT, "too large to be computed")
    return _open(why)


def _open(why: str) -> Decision:
    return undecided(Tier.NUMERIC, why)


_NARROWER: Final = "the answer is not defined everywhere that the reference is"


# ---------------------------------------------------------------------------------------------
# Points


def _seed(ours: Node, gold: Node) -> str:
    return "|".join(sorted((canonical(ours), canonical(gold))))


class _Draw:
    """Numbers without a pattern, the same ones for the same pair in either order."""

    def __init__(self, seed: str) -> None:
        self._bytes = hashlib.shake_128(seed.encode("utf-8", "surrogatepass"))
        self._stream, self._at = b"", 0

    def between(self, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`."""
        if self._at + 8 > len(self._stream):
            self._stream = self._bytes.digest(2 * len(self._stream) or 256)
        word = self._stream[self._at : self._at + 8]
        self._at += 8
        return low + int.from_bytes(word) % (high - low + 1)


def _rational_points(names: list[str], draw: _Draw) -> Iterator[Values]:
    """Points small and large, of every sign in turn, so that |x| is not taken for x.

    Every fourth is a natural number, where the floor of x is x.
    """
    for index in range(TRIES):
        if index % 4 == 3:
            yield {name: fmpq(draw.between(1, 10 ** (2 + index % 3))) for name in names}
            continue
        size = 10 ** (6 + index % 3)
        signs = index - index // 4
        yield {
            name: (-1 if signs >> place & 1 else 1)
            * fmpq(draw.between(10**5, size), draw.between(10**6, 2 * 10**6))
            for place, name in enumerate(names)
        }


def _integer_points(names: list[str], draw: _Draw) -> Iterator[Values]:
    """Natural numbers, for what is defined on them alone, such as (-1)^n."""
    for index in range(TRIES):
        yield {name: fmpq(2 * draw.between(1, 30) + index % 2) for name in names}


def _at_points(pair: _Pair, agreed_before: int = 0) -> Decision:
    draw = _Draw(pair.seed or _seed(pair.ours, pair.gold))
    needed = max(POINTS, 2 ** min(len(pair.names), 4))  # all combinations of signs
    needed = max(needed - agreed_before, min(needed, POINTS - 2))
    for points in (_rational_points(pair.names, draw), _integer_points(pair.names, draw)):
        agreed, narrower = 0, False
        for point in points:
            decision = _agree_at(pair, point, complex_=pair.complex_)
            if decision is None:
                narrower = narrower or _is_narrower(pair, point)
                continue
            if decision.is_different:
                return decision
            if pair.work_left <= 0:
                return _open("too slow to be computed")
            agreed += decision.is_equal
            if agreed >= needed:
                if narrower:
                    break
                return equal(Tier.NUMERIC, f"agree at {needed} points")
        if narrower:
            return _without_value(pair, _NARROWER)
    return _without_value(pair, "too few points where both are defined")


def _between_kinks(pair: _Pair) -> tuple[Decision | None, int]:
    """Compare between and beyond the kinks: what speaks against the two, and how many agree."""
    points = points_between_kinks([pair.ours, pair.gold], pair.names) if pair.bent else []
    if points is None:
        return _first_difference(pair) or _open("its kinks may lie anywhere"), 0
    agreed = 0
    for point in points:
        decision = _agree_at(pair, point, complex_=pair.complex_)
        if decision is None:
            if _is_narrower(pair, point):
                return _first_difference(pair) or _without_value(pair, _NARROWER), 0
        elif not decision.is_equal:
            return decision, 0
        agreed += decision is not None
    return None, agreed


def _first_difference(pair: _Pair) -> Decision | None:
    """Return a proof of difference if the usual points give one."""
    decision = _at_points(pair)
    return decision if decision.is_different else None


def _is_narrower(pair: _Pair, point: Values) -> bool:
    """Whether the reference has a value at a point where the answer has none."""
    return _is_defined(pair.gold, point, pair) and not _is_defined(pair.ours, point, pair)


def _is_defined(node: Node, point: Values, pair: _Pair) -> bool:
    if not pair.spend(AGREEMENT_BITS):
        return True
    try:
        enclose(node, point, bits=AGREEMENT_BITS, complex_=pair.complex_)
    except NO_VALUE:
        return False
    return True


# ---------------------------------------------------------------------------------------------
# One point


def _agree_at(pair: _Pair, point: Values, *, complex_: bool) -> Decision | None:
    """Double the precision until two balls part, or agree beyond what can hide.

    None where either side has no value.
    """
    try:
        return _agreement(pair, point, complex_=complex_)
    except NO_VALUE:
        sides = pair.ours, pair.gold
        if outgrows(*sides, point) or outgrows(*reversed(sides), point):
            return different(Tier.NUMERIC, "one is far larger than the other")
        return None


def _agreement(pair: _Pair, point: Values, *, complex_: bool) -> Decision:
    if pair.slow and (decision := _exact_agreement(pair, point)) is not None:
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
        if min(_accuracy(ours), _accuracy(gold)) >= needed:
            return equal(Tier.NUMERIC, f"equal to {needed} bits")
        if bits >= most:
            break
        bits = min(_next_precision(bits, needed), most)
    return _open("too close to tell apart")


def _first_precision(pair: _Pair, needed: int) -> int:
    """Look roughly at the first point, which tells nearly all different ones apart."""
    if pair.looked:
        return min(needed + needed // 8 + 64, MAX_POINT_PRECISION_BITS)
    pair.looked = True
    return FIRST_BITS


def _exact_agreement(pair: _Pair, point: Values) -> Decision | None:
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


def _accuracy(ball: Ball) -> int:
    """Bits to which a ball pins its value down, relative to 1 where the value is small."""
    if isinstance(ball, acb):
        return min(int(part.rel_one_accuracy_bits()) for part in (ball.real, ball.imag))
    return int(ball.rel_one_accuracy_bits())


# ---------------------------------------------------------------------------------------------
# Up to a constant


def constant_quotient(ours: Node, gold: Node) -> tuple[Decision, int]:
    """Whether ours / gold is one non-zero constant everywhere, and the sign of that constant."""
    decision, value = _is_constant(Quotient(ours, gold), ours, gold)
    if value is None or value.imag != 0:
        return decision, 0
    if not (value.real > 0 or value.real < 0):
        return _open("the quotient may be 0") if decision.is_equal else decision, 0
    return decision, 1 if value.real > 0 else -1


def constant_difference(ours: Node, gold: Node) -> Decision:
    """Whether ours - gold is one constant everywhere."""
    return _is_constant(Sum((ours, Negative(gold))), ours, gold)[0]


def _is_constant(value: Node, ours: Node, gold: Node) -> tuple[Decision, Ball | None]:
    """Whether an expression takes one value at all points, and a ball around that value."""
    pair = _pair(ours, gold, None)
    if _unfit(pair):
        return _open("too large to be computed"), None
    between = points_between_kinks([value], pair.names) if pair.bent else []
    if between is None:
        return _open("its kinks may lie anywhere"), None
    first: Ball | None = None
    agreed, narrower = 0, False
    for point in [*between, *_rational_points(pair.names, _Draw(_seed(ours, gold)))]:
        try:
            needed = AGREEMENT_BITS + 2 * size_bits(value, point)
            bits = min(needed + needed // 4 + 64, MAX_PRECISION_BITS)
            if not pair.spend(bits):
                return _open("too slow to be computed"), first
            ball = enclose(value, point, bits=bits, complex_=pair.complex_)
        except NO_VALUE:
            narrower = narrower or _is_narrower(pair, point)
            continue
        first = ball if first is None else first
        if not ball.overlaps(first):
            return different(Tier.NUMERIC, "not proportional"), first
        agreed += _accuracy(ball) >= needed
        if agreed == 2 * POINTS:
            if narrower:
                return _open(_NARROWER), None
            return equal(Tier.NUMERIC, f"constant at {agreed} points"), first
    return _open("too few points where both are defined"), first
