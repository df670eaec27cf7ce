r"""Are two SymPy expressions worth the same? Constants, functions, and the form of a number.

EQUAL is given where exact values are the same, or enclosures agree to hundreds of bits, at several
points if there are variables; DIFFERENT where two enclosures do not meet, which proves it, or where
a reference that is a number gets a computation left undone; everything else is UNDECIDED.
"""

from __future__ import annotations

import hashlib
import random
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final, NamedTuple

import flint
import sympy

from rlrewards.verify.enclosure import (
    Ball,
    NoValueError,
    as_fraction,
    enclose,
    is_moderate,
    size_bits,
)
from rlrewards.verify.verdict import Status

POINTS: Final = 6
"""Points at which two expressions must agree to count as equal."""
TRIES: Final = 48
AGREEMENT_BITS: Final = 192
MAX_PRECISION_BITS: Final = 40_000

Point = dict[Any, Fraction]


class Outcome(NamedTuple):
    """A status and the reason for it."""

    status: Status
    why: str

    @property
    def is_equal(self) -> bool:
        """Whether the status is EQUAL."""
        return self.status is Status.EQUAL

    @property
    def is_different(self) -> bool:
        """Whether the status is DIFFERENT."""
        return self.status is Status.DIFFERENT


def equal(why: str) -> Outcome:
    """Return EQUAL with its reason."""
    return Outcome(Status.EQUAL, why)


def different(why: str) -> Outcome:
    """Return DIFFERENT with its reason."""
    return Outcome(Status.DIFFERENT, why)


def undecided(why: str) -> Outcome:
    """Return UNDECIDED with its reason."""
    return Outcome(Status.UNDECIDED, why)


@dataclass(frozen=True, slots=True)
class Terms:
    """How two answers are to be compared.

    Attributes:
        form: "numeral" or "any": what a reference that is a number accepts.
        log_base: Base of a bare logarithm where the reference is a number.
        given: Whether the answer stands in the question.
    """

    form: str = "numeral"
    log_base: str = "10"
    given: bool = False

    @property
    def any_form(self) -> Terms:
        """The same terms with every form allowed."""
        return Terms("any", self.log_base, self.given)


class Decimal(NamedTuple):
    """A number written with a decimal point: its significant digits and its last place."""

    significant: int
    place: Fraction


def compare_values(
    gold: Any,
    ours: Any,
    terms: Terms,
    gold_decimal: Decimal | None = None,
    our_decimal: Decimal | None = None,
) -> Outcome:
    """Compare two expressions: first as fractions, then as constants or functions."""
    infinite = [value for value in (gold, ours) if value.has(sympy.oo, -sympy.oo)]
    if infinite:
        same = gold == ours
        return equal("both infinite") if same else different("infinite on one side only")
    target = as_fraction(gold)
    if target is not None and terms.form != "any":
        return _against_number(gold, target, ours, terms, gold_decimal, our_decimal)
    if not (gold.free_symbols | ours.free_symbols):
        outcome = compare_constants(gold, ours)
        if outcome.is_different and _rounds(gold, ours, our_decimal, least=4):
            return equal("the answer is the reference, rounded")
        return outcome
    if gold.free_symbols and (outcome_c := _constants_of_integration(gold, ours)) is not None:
        return outcome_c
    return compare_functions(gold, ours)


def _against_number(
    gold: Any,
    target: Fraction,
    ours: Any,
    terms: Terms,
    gold_decimal: Decimal | None,
    our_decimal: Decimal | None,
) -> Outcome:
    """Compare with a reference that is a rational number: the form of the answer matters."""
    if ours.free_symbols:
        return different("an expression in variables for a number")
    value = as_fraction(ours)
    if value is None:
        outcome = compare_constants(gold, ours)
    elif value == target:
        outcome = equal(f"both are {_short(target)}")
    else:
        outcome = different(f"{_short(value)} for {_short(target)}")
    if outcome.is_different and _rounds(ours, gold, gold_decimal, least=3):
        outcome = equal("the answer rounds to the reference")
    elif outcome.is_different and _rounds(gold, ours, our_decimal, least=4):
        return equal("the answer is the reference, rounded")
    if outcome.is_equal and not is_numeral(ours):
        return different("form: a computation left undone for a number")
    return outcome


def _short(value: Fraction) -> str:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > 200:
        return "a long number"
    return str(value)


def is_numeral(value: Any) -> bool:
    """Whether it is one numeral, fraction, root, power, factorial or multiple of a constant.

    A product holds at most one factor above and one below the line, a number in scientific
    notation apart; a sum is none.
    """
    if value.is_Number or value in (sympy.pi, sympy.E, sympy.I):
        return True
    if value.is_Pow:
        return is_numeral(value.args[0]) and is_numeral(value.args[1])
    if isinstance(value, sympy.factorial | sympy.exp):
        return is_numeral(value.args[0])
    if not value.is_Mul:
        return False
    factors = [factor for factor in value.args if factor != -1]
    below = [f for f in factors if f.is_Pow and f.args[1] == -1]
    above = [f for f in factors if f not in below and f != 1]
    if len(above) == 2 and any(_is_power_of_ten(factor) for factor in above):
        return all(is_numeral(factor) for factor in factors)
    rational = [factor for factor in above if as_fraction(factor) is not None]
    return (
        len(rational) <= 1
        and len(above) <= 2
        and len(below) <= 1
        and all(is_numeral(factor) for factor in factors)
    )


def _is_power_of_ten(value: Any) -> bool:
    return bool(value.is_Pow and value.args[0] == 10)


def _rounds(value: Any, decimal: Any, written: Decimal | None, *, least: int) -> bool:
    """Whether a value that no decimal equals rounds to one that was written out."""
    if written is None or written.significant < least or _terminates(value):
        return False
    try:
        ball = enclose(value, {}, bits=512)
    except NoValueError:
        return False
    half = sympy.Rational(written.place.numerator, 2 * written.place.denominator)
    low, high = (enclose(decimal + sign * half, {}, bits=512) for sign in (-1, 1))
    return bool(low <= ball and ball <= high)


def rounds_to(value: Any, decimal: Fraction, place: Fraction) -> bool:
    """Whether a constant rounds to a decimal whose last digit is worth `place`."""
    exact = as_fraction(value)
    if exact is not None:
        return abs(exact - decimal) <= place / 2
    try:
        ball = enclose(value, {}, bits=512)
    except (NoValueError, ZeroDivisionError, OverflowError):
        return False
    low, high = (flint.fmpq(*(decimal + sign * place / 2).as_integer_ratio()) for sign in (-1, 1))
    return bool(flint.arb(low) <= ball and ball <= flint.arb(high))


def _terminates(value: Any) -> bool:
    exact = as_fraction(value)
    if exact is None:
        return False
    rest = exact.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1


# ---------------------------------------------------------------------------------------------
# Constants and functions


def compare_constants(left: Any, right: Any) -> Outcome:
    """Compare two expressions without variables."""
    exact = as_fraction(left), as_fraction(right)
    if None not in exact:
        return equal("equal numbers") if exact[0] == exact[1] else different("unequal numbers")
    outcome = _agree_at(left, right, {})
    if outcome is None:
        return _symbolically(left, right, "no finite value")
    return outcome


def compare_functions(left: Any, right: Any) -> Outcome:
    """Compare two expressions by their values at random points of both signs."""
    names = left.free_symbols | right.free_symbols
    outcome = _at_points(left, right, sorted(names, key=str))
    if outcome.is_equal and left.free_symbols != right.free_symbols:
        return undecided("equal, but in other variables")
    return outcome


def _at_points(left: Any, right: Any, symbols: list[Any]) -> Outcome:
    """Compare a reference and an answer at points where both are defined.

    An answer that is undefined where the reference is not proves nothing where both are: else
    `x + \\ln x - \\ln x` would pass for |x|.
    """
    draw = _random(left, right)
    objection = _beyond_kinks(left, right, symbols)
    if objection is not None:
        return objection
    needed = max(POINTS, 2 ** min(len(symbols), 4))  # all combinations of signs
    for points in (_rational_points(symbols, draw), _integer_points(symbols, draw)):
        agreed, narrower = 0, False
        for point in points:
            outcome = _agree_at(left, right, point)
            if outcome is None:
                narrower = narrower or _is_defined(left, point)
                continue
            if outcome.is_different:
                return outcome
            agreed += outcome.is_equal
            if agreed == needed and not narrower:
                return equal(f"agree at {needed} points to {AGREEMENT_BITS} bits")
        if narrower:
            return undecided("the answer is not defined everywhere that the reference is")
    return _symbolically(left, right, "too few points where both are defined")


def _beyond_kinks(left: Any, right: Any, symbols: list[Any]) -> Outcome | None:
    """Compare in each part of the line between the kinks of |…|, roots and floors.

    Elsewhere two expressions that agree at a few points agree: `10^9-|x-10^9|` is x up to 10^9.
    None when nothing speaks against them.
    """
    points = _points_between_kinks([left, right], symbols)
    if points is None:
        return undecided("its kinks may lie anywhere")
    for point in points:
        outcome = _agree_at(left, right, point)
        if outcome is None:
            if _is_defined(left, point) and not _is_defined(right, point):
                return undecided("the answer is not defined everywhere that the reference is")
        elif not outcome.is_equal:
            return outcome
    return None


_MAX_POINT_BITS: Final = 2_000
_MAX_KINKS: Final = 40
_MAX_KINK_DEGREE: Final = 8


def _points_between_kinks(expressions: list[Any], symbols: list[Any]) -> list[Point] | None:
    """Return points between and beyond the kinks; none are needed where nothing is shifted.

    Roots of polynomials in one variable are found exactly; otherwise the points lie beyond the
    product of all constants. None when that is too far.
    """
    kinks = {arg for expression in expressions for arg in _kink_arguments(expression)}
    if not kinks:
        return []
    points: list[Point] = []
    if len(symbols) == 1:
        found = _between_roots(kinks, symbols[0])
        points += [{symbols[0]: value} for value in found or ()]
    scale = Fraction(2)
    for expression in expressions:
        scale *= _reach(expression)
        if max(scale.numerator.bit_length(), scale.denominator.bit_length()) > _MAX_POINT_BITS:
            return points if len(symbols) == 1 and found is not None else None
    for size in (scale, 1 / scale):
        for signs in range(2 ** min(len(symbols), 3)):
            points.append(
                {
                    symbol: (-1 if signs >> place % 3 & 1 else 1) * size * Fraction(7 + place, 5)
                    for place, symbol in enumerate(symbols)
                }
            )
    return points


def _kink_arguments(expression: Any) -> set[Any]:
    """Return what stands in |…|, floors and roots, where it is a sum: its zeros may be anywhere."""
    found: set[Any] = set()
    for part in sympy.preorder_traversal(expression):
        is_root = part.is_Pow and _is_proper_fraction(part.args[1])
        if not (is_root or isinstance(part, _KINKED)) or not part.free_symbols:
            continue
        if any(inner.is_Add for inner in sympy.preorder_traversal(part.args[0])):
            found.add(part.args[0])
    return found


_KINKED: Final = (sympy.Abs, sympy.floor, sympy.ceiling)


def _is_proper_fraction(exponent: Any) -> bool:
    value = as_fraction(exponent)
    return value is not None and value.denominator > 1


def _between_roots(kinks: set[Any], symbol: Any) -> list[Fraction] | None:
    """Return a point in each interval that the real roots of the polynomials `kinks` cut out."""
    if len(kinks) > _MAX_KINKS or not all(_is_small_polynomial(kink, symbol) for kink in kinks):
        return None
    try:
        factors = [sympy.Poly(kink, symbol, domain="QQ") for kink in kinks]
    except (sympy.PolynomialError, sympy.CoercionFailed):
        return None
    product = sympy.Poly(1, symbol, domain="QQ")
    for factor in factors:
        if factor.degree() > _MAX_KINK_DEGREE:
            return None
        if not factor.is_zero:
            product = product.lcm(factor)
    roots = [interval for interval, _ in product.sqf_part().intervals()]
    ends = [(_fraction(low), _fraction(high)) for low, high in roots]
    if not ends:
        return []
    middles = [(before[1] + after[0]) / 2 for before, after in pairwise(ends)]
    return [ends[0][0] - 1, *middles, ends[-1][1] + 1]


def _is_small_polynomial(value: Any, symbol: Any) -> bool:
    if value == symbol or as_fraction(value) is not None:
        return True
    if value.is_Add or value.is_Mul:
        return all(_is_small_polynomial(argument, symbol) for argument in value.args)
    exponent = as_fraction(value.args[1]) if value.is_Pow else None
    return (
        exponent is not None
        and exponent.denominator == 1
        and 0 < exponent <= _MAX_KINK_DEGREE
        and _is_small_polynomial(value.args[0], symbol)
    )


def _fraction(value: Any) -> Fraction:
    return Fraction(int(value.p), int(value.q))


def _reach(expression: Any) -> Fraction:
    """Return the product of the sizes of all constants in an expression (1/c for c < 1)."""
    if not expression.free_symbols:
        size = as_fraction(expression)
        if size is None:
            try:
                size = Fraction(float(abs(enclose(expression, {}, bits=64, complex_=True)).mid()))
            except (NoValueError, ZeroDivisionError, OverflowError, ValueError):
                return Fraction(2) ** (2 * _MAX_POINT_BITS)
        size = abs(size)
        return Fraction(1) if size == 0 else max(size, 1 / size)
    product = Fraction(1)
    for argument in expression.args:
        product *= _reach(argument)
        if product.numerator.bit_length() > 2 * _MAX_POINT_BITS:
            return Fraction(2) ** (2 * _MAX_POINT_BITS)
    return product


def _is_defined(value: Any, point: Point) -> bool:
    with suppress(NoValueError, ZeroDivisionError, OverflowError):
        enclose(value, point, bits=AGREEMENT_BITS, complex_=value.has(sympy.I))
        return True
    return False


def _random(*expressions: Any) -> random.Random:
    """A generator with a seed of its own for each pair."""
    text = "|".join(sympy.srepr(expression) for expression in expressions)
    return random.Random(hashlib.sha256(text.encode()).digest())


def _rational_points(symbols: list[Any], draw: random.Random) -> list[Point]:
    """Points small and large, of every sign in turn, so that |x| is not taken for x.

    Every fourth is a natural number, where the floor of x is x.
    """
    points: list[Point] = []
    for index in range(TRIES):
        if index % 4 == 3:
            points.append({symbol: Fraction(draw.randint(1, 10**6)) for symbol in symbols})
            continue
        size = 10 ** (6 + index % 3)
        signs = index - index // 4
        points.append(
            {
                symbol: (-1 if signs >> place & 1 else 1)
                * Fraction(draw.randint(10**5, size), draw.randint(10**6, 2 * 10**6))
                for place, symbol in enumerate(symbols)
            }
        )
    return points


def _integer_points(symbols: list[Any], draw: random.Random) -> list[Point]:
    """Natural numbers, for what is defined on them alone, such as (-1)^n."""
    return [
        {symbol: Fraction(2 * draw.randint(1, 30) + index % 2) for symbol in symbols}
        for index in range(TRIES)
    ]


def _agree_at(left: Any, right: Any, point: Point) -> Outcome | None:
    """Compare the values at one point; None where either has none.

    Real values first. Complex ones where i stands in the expressions, or for constants.
    """
    has_i = left.has(sympy.I) or right.has(sympy.I)
    modes = (True,) if has_i else (False,) if point else (False, True)
    for complex_ in modes:
        with suppress(NoValueError, ZeroDivisionError, OverflowError):
            return _agree_in_field(left, right, point, complex_=complex_)
    return None


def _agree_in_field(left: Any, right: Any, point: Point, *, complex_: bool) -> Outcome:
    """Double the precision until the two enclosures part, or agree beyond what can hide."""
    needed = AGREEMENT_BITS + 2 * (size_bits(left, point) + size_bits(right, point))
    most = min(needed, MAX_PRECISION_BITS)
    bits = 2 * AGREEMENT_BITS
    while True:
        ours, theirs = (enclose(e, point, bits=bits, complex_=complex_) for e in (left, right))
        if not ours.overlaps(theirs):
            return different("the values differ" + (" at a point" if point else ""))
        if min(_accuracy(ours), _accuracy(theirs)) >= needed:
            return equal(f"equal to {needed} bits")
        if bits > most + AGREEMENT_BITS:
            return undecided("too close to tell apart")
        bits *= 2


def _accuracy(ball: Ball) -> int:
    """Bits to which a ball pins its value down, relative to 1 where the value is small."""
    if hasattr(ball, "rel_one_accuracy_bits"):
        return int(ball.rel_one_accuracy_bits())
    return min(int(part.rel_one_accuracy_bits()) for part in (ball.real, ball.imag))


# What SymPy raises where it cannot subtract or cancel two objects, or was never taught to.
_NO_PROOF = (AttributeError, TypeError, ValueError, NotImplementedError, ArithmeticError)


def _symbolically(left: Any, right: Any, otherwise: str) -> Outcome:
    """Ask SymPy for a proof, where there are no values to compare."""
    if not (is_moderate(left) and is_moderate(right)):
        return undecided("too large to be computed")
    with suppress(*_NO_PROOF):
        difference = left - right
        if 0 in (difference, sympy.expand(difference)) or sympy.cancel(difference) == 0:
            return equal("SymPy's difference is 0")
    return undecided(otherwise)


# ---------------------------------------------------------------------------------------------
# Up to a constant


def ratio(left: Any, right: Any) -> tuple[Outcome, int]:
    """Whether left / right is one non-zero constant everywhere, and the sign of that constant."""
    quotient = sympy.Mul(left, sympy.Pow(right, -1, evaluate=False), evaluate=False)
    symbols = left.free_symbols | right.free_symbols
    outcome, first = _is_constant(quotient, sorted(symbols, key=str), left, right)
    if outcome.is_equal and left.free_symbols != right.free_symbols:
        outcome = undecided("proportional, but in other variables")
    return outcome, 0 if first is None else (first > 0) - (first < 0)


_INTEGRATION_CONSTANTS: Final = frozenset({"C", "K", "c"})


def _constants_of_integration(gold: Any, ours: Any) -> Outcome | None:
    """Compare F + C with G + K: G - F must be constant. None when the reference has no such C."""
    rest = _without_constant(gold, frozenset({"C"}))
    if rest is None or len(rest.free_symbols) != 1:
        return None
    (variable,) = rest.free_symbols
    if str(variable).isupper():
        return None
    other = _without_constant(ours, _INTEGRATION_CONSTANTS)
    if other is None:
        return different("the constant of integration is missing")
    if other.free_symbols != rest.free_symbols:
        return None
    difference = sympy.Add(rest, sympy.Mul(-1, other, evaluate=False), evaluate=False)
    return _is_constant(difference, [variable], rest, other)[0]


def _without_constant(value: Any, names: frozenset[str]) -> Any:
    """Return `value` without its one addend that is a constant of integration, or None."""
    if not value.is_Add:
        return None
    constants = [term for term in value.args if term.is_Symbol and term.name in names]
    rest = sympy.Add(*(term for term in value.args if term not in constants), evaluate=False)
    return None if len(constants) != 1 or constants[0] in rest.free_symbols else rest


def _is_constant(value: Any, symbols: list[Any], *seeds: Any) -> tuple[Outcome, Ball | None]:
    """Whether an expression takes one value at all points, and a ball around that value."""
    first: Ball | None = None
    agreed = 0
    has_i = value.has(sympy.I)
    between = _points_between_kinks([value], symbols)
    if between is None:
        return undecided("its kinks may lie anywhere"), None
    for point in [*between, *_rational_points(symbols, _random(*seeds))]:
        try:
            needed = AGREEMENT_BITS + 2 * size_bits(value, point)
            bits = 2 * min(needed, MAX_PRECISION_BITS)
            ball = enclose(value, point, bits=bits, complex_=has_i)
        except (NoValueError, ZeroDivisionError, OverflowError):
            if _is_defined(seeds[0], point):
                return undecided("the answer is not defined everywhere that the reference is"), None
            continue
        first = ball if first is None else first
        if not ball.overlaps(first):
            return different("not constant"), first
        agreed += _accuracy(ball) >= needed
        if agreed == 2 * POINTS:
            return equal(f"constant at {agreed} points to {AGREEMENT_BITS} bits"), first
    return undecided("too few points where both are defined"), first
