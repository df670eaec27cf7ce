r"""When a number that was written out in digits is another one, rounded.

A decimal reference of three significant digits accepts what rounds to it (3.14 accepts π), unless
that ends as a decimal itself (3.141 does not pass for 3.14); a decimal answer of four may be the
reference, rounded. `rel_tol` and `significant` of the conventions serve data that is rounded
anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import flint
from flint import arb, fmpq

from rlrewards.verify.conventions import Conventions
from rlrewards.verify.enclose import NO_VALUE, Ball, enclose
from rlrewards.verify.rationals import ONE, bits, rational
from rlrewards.verify.tree import Negative, Node, Number, Power, Product, Rational

ROUNDING_BITS: Final = 512
_MAX_PLACES: Final = 4_000


@dataclass(frozen=True, slots=True)
class Written:
    """A number as its digits stand: `place` is what the last one is worth.

    `digits` are the significant ones of a decimal, 0 for a whole number.
    """

    value: Rational
    digits: int
    place: Rational


def written(node: Node) -> Written | None:
    r"""Return what `-3.14`, `17` or `6.02 \cdot 10^{23}` says; None for what is no numeral."""
    if isinstance(node, Negative):
        inner = written(node.operand)
        return None if inner is None else Written(-inner.value, inner.digits, inner.place)
    if isinstance(node, Product) and len(node.factors) == 2:
        return _scientific(*node.factors)
    if not isinstance(node, Number) or (node.digits is None and node.value.q != 1):
        return None
    return Written(node.value, node.digits or 0, ONE if node.place is None else node.place)


def _scientific(mantissa: Node, scale: Node) -> Written | None:
    if not (isinstance(scale, Power) and isinstance(scale.base, Number) and scale.base.value == 10):
        return None
    inner, factor = written(mantissa), rational(scale)
    if inner is None or factor is None or bits(factor) > _MAX_PLACES:
        return None
    return Written(inner.value * factor, inner.digits, inner.place * factor)


def agreement(
    ours: Node,
    gold: Node,
    conventions: Conventions,
    *,
    approximate: bool = False,
) -> str:
    """Return why two unequal constants still agree, or an empty string.

    Args:
        ours: The answer.
        gold: The reference.
        conventions: Which roundings count.
        approximate: Whether the reference was marked as rounded.
    """
    if (conventions.rel_tol or conventions.significant) and (why := _near(ours, gold, conventions)):
        return why
    reference, answer = written(gold), written(ours)
    if reference is not None and (approximate or _enough(reference, conventions.reference_digits)):
        value = rational(ours)
        if not (value is not None and terminates(value)) and rounds_to(ours, reference):
            return "the answer rounds to the reference"
    if answer is not None and _enough(answer, conventions.answer_digits):
        value = rational(gold)
        if not (value is not None and terminates(value)) and rounds_to(gold, answer):
            return "the answer is the reference, rounded"
    return ""


def _enough(number: Written, least: int | None) -> bool:
    return least is not None and number.digits >= max(least, 1)


def rounds_to(value: Node, number: Written) -> bool:
    """Whether a constant rounds to a number that was written out."""
    half = number.place / 2
    exact = rational(value)
    if exact is not None:
        return bool(abs(exact - number.value) <= half)
    ball = _ball(value)
    if ball is None:
        return False
    with flint.ctx.workprec(ROUNDING_BITS):
        return bool(arb(number.value - half) <= ball) and bool(ball <= arb(number.value + half))


def _ball(value: Node) -> Ball | None:
    try:
        return enclose(value, {}, bits=ROUNDING_BITS)
    except NO_VALUE:
        return None


def terminates(value: Rational) -> bool:
    """Whether the decimal expansion ends: no prime but 2 and 5 in the denominator.

    >>> terminates(fmpq(3, 40)), terminates(fmpq(1, 3))
    (True, False)
    """
    length = value.q.bit_length()
    return bool((10**length) % value.q == 0)


# ---------------------------------------------------------------------------------------------
# Tolerance


def _near(ours: Node, gold: Node, conventions: Conventions) -> str:
    value, target = _approximation(ours), _approximation(gold)
    if value is None or target is None:
        return ""
    tolerance = conventions.rel_tol
    if tolerance > 0 and abs(value - target) <= _fraction(tolerance) * abs(target):
        return f"within {tolerance} of the reference"
    digits = conventions.significant
    if digits and rounded(value, digits) == rounded(target, digits):
        return f"agree to {digits} significant digits"
    return ""


def _fraction(value: float) -> Rational:
    """Return a float as it reads: 0.1 is a tenth."""
    digits, _, exponent = repr(float(value)).partition("e")
    whole, _, places = digits.partition(".")
    return fmpq(int(whole + places)) * fmpq(10) ** (int(exponent or 0) - len(places))


def _approximation(node: Node) -> Rational | None:
    """Return the exact value, or the middle of a ball that is far narrower than any tolerance."""
    exact = rational(node)
    if exact is not None:
        return exact
    ball = _ball(node)
    if ball is None or ball.rel_accuracy_bits() < ROUNDING_BITS // 2:
        return None
    digits, exponent = ball.mid().man_exp()
    return fmpq(digits) * fmpq(2) ** int(exponent) if abs(exponent) < _MAX_PLACES else None


def rounded(value: Rational, digits: int) -> Rational:
    """Return a number to so many significant digits, halves away from zero.

    >>> rounded(fmpq(123456), 3)
    123000
    """
    if value == 0:
        return value
    size = abs(value)
    power = (size.p.bit_length() - size.q.bit_length()) * 30_103 // 100_000 - 1
    while size >= fmpq(10) ** (power + 1):
        power += 1
    unit = fmpq(10) ** (power - digits + 1)
    whole = (size / unit + fmpq(1, 2)).floor() * unit
    return whole if value > 0 else -whole
