r"""Numeric comparison by ball arithmetic: a proof of difference, or agreement at enough points.

Two balls that do not meet prove that two expressions differ, which floating point cannot; balls
that agree at several points to far more bits than the expressions hold are taken to be equal. Every
comparison has a fixed amount of work, so none can hang.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import islice
from math import lcm
from typing import Final, TypeAlias

from flint import fmpq

from rlrewards.verify.agreement import (
    AGREEMENT_BITS,
    FIRST_BITS,
    MAX_PRECISION_BITS,
    MAX_WORK,
    OF_WHOLE_NUMBERS,
    Pair,
    accuracy_bits,
    agree_at,
    exact_agreement,
    is_narrower,
    is_unfit,
    near_at,
    pair_of,
)
from rlrewards.verify.bends import MAX_BENDS, open_bends, points_far_and_near, sign_at
from rlrewards.verify.canonical import canonical
from rlrewards.verify.decision import Decision, different, equal, undecided
from rlrewards.verify.enclose import NO_VALUE, Ball, enclose, size_bits
from rlrewards.verify.kinks import points_between_kinks
from rlrewards.verify.points import (
    Draw,
    integer_points,
    multiples,
    rational_points,
    whole_constants,
)
from rlrewards.verify.rationals import Values, rational
from rlrewards.verify.survey import Survey, survey
from rlrewards.verify.towers import holds_tower
from rlrewards.verify.tree import Call, Negative, Node, Product, Quotient, Sum, walk
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


def compare_constants(
    ours: Node, gold: Node, facts: tuple[Survey, Survey] | None = None
) -> Decision:
    """Compare two expressions without variables, as real numbers or else as complex ones."""
    pair = pair_of(ours, gold, facts)
    if is_unfit(pair):
        return _open("too large to be computed")
    for complex_ in (True,) if pair.complex_ else (False, True):
        decision = agree_at(pair, {}, complex_=complex_)
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
    pair = pair_of(ours, gold, facts)
    pair.seed = seed
    if is_unfit(pair):
        return _open("too large to be computed")
    objection, agreed = _between_kinks(pair)
    decision = objection or _at_points(pair, agreed)
    if decision.is_equal and not _same_variables(pair, facts):
        return _open("equal, but in other variables")
    if decision.is_equal and pair.bent:
        decision = _beyond_the_bends(pair, partial(_look_at, pair)) or decision
    if decision.is_equal and pair.divides:
        decision = _over_the_residues(pair) or decision
    return decision


def _same_variables(pair: Pair, facts: tuple[Survey, Survey] | None) -> bool:
    left, right = facts or (survey(pair.ours), survey(pair.gold))
    return left.symbols == right.symbols


def _without_value(pair: Pair, why: str) -> Decision:
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


def _at_points(pair: Pair, agreed_before: int = 0) -> Decision:
    draw = Draw(pair.seed or _seed(pair.ours, pair.gold))
    needed = max(POINTS, 2 ** min(len(pair.names), 4))  # all combinations of signs
    needed = max(needed - agreed_before, min(needed, POINTS - 2))
    blank: list[Values] = []
    rational_ones = rational_points(pair.names, draw, natural=pair.slow)
    for points in (rational_ones, integer_points(pair.names, draw)):
        if len(blank) >= MANY_BLANKS and not _of_integers_only(pair, blank):
            break
        agreed, narrower = 0, False
        for point in points:
            decision = agree_at(pair, point, complex_=pair.complex_)
            if decision is None:
                narrower = narrower or (not _is_below_0(point) and is_narrower(pair, point))
                blank.append(point)
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


MANY_BLANKS: Final = 24
"""Points without a value from which a pair may be one of sequences."""


def _is_below_0(point: Values) -> bool:
    """Whether whole numbers below 0 are in it, where a sequence need not be defined."""
    return any(value < 0 and value.q == 1 for value in point.values())


def _of_integers_only(pair: Pair, points: list[Values]) -> bool:
    """Whether the reference is provably not defined, or not real, but at whole numbers.

    That it could not be computed proves nothing: √(x-x) is 0 everywhere.
    """
    broken = [point for point in points if any(value.q != 1 for value in point.values())]
    return all(_has_provably_no_value(pair.gold, point) for point in broken[:POINTS])


def _has_provably_no_value(node: Node, point: Values) -> bool:
    for part in walk(node):
        if isinstance(part, Call) and part.name in OF_WHOLE_NUMBERS:
            values = [rational(argument, point) for argument in part.arguments]
            if any(value is not None and value.q != 1 for value in values):
                return True
    try:
        value = enclose(node, point, bits=FIRST_BITS, complex_=True)
    except NO_VALUE:
        return False
    return not value.imag.contains(0)


# ---------------------------------------------------------------------------------------------
# Bends that cannot be placed, and what depends on divisors


def _beyond_the_bends(pair: Pair, look: _Look) -> Decision | None:
    """Return what speaks against a pair beyond the zeros that nobody can work out, if anything.

    Each bend has to take both signs at points where the two agree, or it may hide a difference.
    """
    found = open_bends(pair.ours, pair.gold)
    if not found:
        return None
    if len(found) > MAX_BENDS:
        return _open("many bends at places that are not known")
    unseen = {(bend, sign) for bend in found for sign in (1, -1)}
    pair.work_left = max(pair.work_left, MAX_WORK)
    draw = Draw(f"{pair.seed}|bends")
    for point in points_far_and_near([pair.ours, pair.gold], pair.names, draw.between):
        if pair.work_left <= 0:
            break
        seen = {(bend, sign) for bend, sign in unseen if sign_at(bend.inner, point) == sign}
        decision = look(point, bool(seen))
        if decision is None and is_narrower(pair, point):
            return _without_value(pair, _NARROWER)
        if decision is not None and decision.is_different:
            return decision
        agrees = decision is not None and decision.is_equal
        unseen -= {(bend, sign) for bend, sign in seen if agrees or bend.radicand}
    hidden = {bend for bend, _ in unseen} | {bend for bend in found if bend.steps}
    known = [bend.inner for bend in found if not bend.radicand and bend not in hidden]
    if all(bend.radicand and _is_square(bend.inner, known) for bend in hidden):
        return None
    return _open("it bends at places that are not known")


def _is_square(radicand: Node, roots: list[Node]) -> bool:
    """Whether a radicand is the square of one of these, so that its root bends where that does."""
    for root in roots:
        pair = pair_of(radicand, Product((root, root)), None)
        points = rational_points(pair.names, Draw("squares"))
        looks = [near_at(pair, point) for point in islice(points, 2 * POINTS)]
        found = [look for look in looks if look is not None]
        if len(found) >= POINTS and all(look.is_equal for look in found):
            return True
    return False


_Look: TypeAlias = Callable[[Values, bool], Decision | None]
"""Compares at a point, thoroughly or roughly; None where either side has no value."""

MAX_THOROUGH_BITS: Final = 3_000


def _look_at(pair: Pair, point: Values, thoroughly: bool) -> Decision | None:
    """Look at a point; what would take too long to settle is open, if no difference shows."""
    decision = near_at(pair, point)
    if not thoroughly or decision is None or decision.is_different:
        return decision
    if pair.needed_bits(point) > MAX_THOROUGH_BITS:
        return _open("too close to tell apart")
    return agree_at(pair, point, complex_=pair.complex_)


MAX_PERIOD: Final = 240
"""Longest period of a greatest common divisor that is gone through."""


def _over_the_residues(pair: Pair) -> Decision | None:
    """Compare what depends on divisors at all of one period, or leave it open."""
    numbers = whole_constants(pair.ours) | whole_constants(pair.gold)
    period = lcm(*numbers) if len(numbers) <= MAX_BENDS else MAX_PERIOD + 1
    draw = Draw(f"{pair.seed}|residues")
    points = [multiples(pair.names, [*numbers, period], draw) for _ in range(4 * len(numbers) + 8)]
    if len(pair.names) == 1 and period <= MAX_PERIOD:
        points += [{pair.names[0]: fmpq(value)} for value in range(1, period + 1)]
    for point in points:
        decision = exact_agreement(pair, point)
        if decision is not None and decision.is_different:
            return decision
    return _open("a long period") if period > MAX_PERIOD else None


def _between_kinks(pair: Pair) -> tuple[Decision | None, int]:
    """Compare between and beyond the kinks: what speaks against the two, and how many agree."""
    points = points_between_kinks([pair.ours, pair.gold], pair.names) if pair.bent else []
    if points is None:
        return _first_difference(pair) or _open("its kinks may lie anywhere"), 0
    agreed = 0
    for point in points:
        decision = agree_at(pair, point, complex_=pair.complex_)
        if decision is None:
            if is_narrower(pair, point):
                return _first_difference(pair) or _without_value(pair, _NARROWER), 0
        elif not decision.is_equal:
            return decision, 0
        agreed += decision is not None
    return None, agreed


def _first_difference(pair: Pair) -> Decision | None:
    """Return a proof of difference if the usual points give one."""
    decision = _at_points(pair)
    return decision if decision.is_different else None


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
    pair = pair_of(ours, gold, None)
    if is_unfit(pair):
        return _open("too large to be computed"), None
    pair.seed = _seed(ours, gold)
    between = points_between_kinks([value], pair.names) if pair.bent else []
    if between is None:
        return _open("its kinks may lie anywhere"), None
    decision, first = _constant_at_points(pair, value, between)
    if decision.is_equal and first is not None and pair.bent:
        look = partial(_look_at_constant, pair, value, first)
        decision = _beyond_the_bends(pair, look) or decision
    return decision, first


def _constant_at_points(
    pair: Pair, value: Node, between: list[Values]
) -> tuple[Decision, Ball | None]:
    first: Ball | None = None
    agreed, narrower = 0, False
    for point in [*between, *rational_points(pair.names, Draw(pair.seed))]:
        try:
            needed = AGREEMENT_BITS + 2 * size_bits(value, point)
            bits = min(needed + needed // 4 + 64, MAX_PRECISION_BITS)
            if not pair.spend(bits):
                return _open("too slow to be computed"), first
            ball = enclose(value, point, bits=bits, complex_=pair.complex_)
        except NO_VALUE:
            narrower = narrower or is_narrower(pair, point)
            continue
        first = ball if first is None else first
        if not ball.overlaps(first):
            return different(Tier.NUMERIC, "not proportional"), first
        agreed += accuracy_bits(ball) >= needed
        if agreed == 2 * POINTS:
            if narrower:
                return _open(_NARROWER), None
            return equal(Tier.NUMERIC, f"constant at {agreed} points"), first
    return _open("too few points where both are defined"), first


def _look_at_constant(
    pair: Pair, value: Node, first: Ball, point: Values, thoroughly: bool
) -> Decision | None:
    """Look whether an expression has at a point the value that it had before."""
    try:
        needed = AGREEMENT_BITS + (2 * size_bits(value, point) if thoroughly else 0)
        bits = min(needed + needed // 4 + 64, MAX_THOROUGH_BITS)
        pair.spend(bits)
        ball = enclose(value, point, bits=bits, complex_=pair.complex_)
    except NO_VALUE:
        return None
    if not ball.overlaps(first):
        return different(Tier.NUMERIC, "not proportional")
    if thoroughly and accuracy_bits(ball) < needed:
        return _open("too close to tell apart")
    return equal(Tier.NUMERIC, "constant at a point")
