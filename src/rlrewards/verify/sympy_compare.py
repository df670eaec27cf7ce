r"""Compare two answers inside the worker: same value, same set, same equation?

`compare` reads both sides by the kind that the reference has. EQUAL is given where the values are
proved equal, or agree to hundreds of bits at several points; DIFFERENT where two enclosures of the
values do not meet, or the form is one that the reference does not allow; everything else is
UNDECIDED, with the reason.
"""

from __future__ import annotations

import hashlib
import random
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, NamedTuple

import sympy

from rlrewards.verify.answer_shape import (
    Formula,
    Listing,
    Relation,
    Shape,
    Unreadable,
    shape,
)
from rlrewards.verify.enclosure import Ball, NoValue, as_fraction, enclose, size_bits
from rlrewards.verify.sympy_reading import IMAGINARY, Unevaluated, disarm, expression
from rlrewards.verify.verdict import Status

POINTS: Final = 6
"""Points at which two expressions must agree to count as equal."""
TRIES: Final = 48
AGREEMENT_BITS: Final = 192
MAX_PRECISION_BITS: Final = 40_000
MAX_ITEMS: Final = 60


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


def _equal(why: str) -> Outcome:
    return Outcome(Status.EQUAL, why)


def _different(why: str) -> Outcome:
    return Outcome(Status.DIFFERENT, why)


def _undecided(why: str) -> Outcome:
    return Outcome(Status.UNDECIDED, why)


@dataclass(frozen=True, slots=True)
class Terms:
    """How two answers are to be compared.

    Attributes:
        form: "numeral" or "any": what a reference that is a number accepts.
        log_base: Base of a bare logarithm where the reference is a number.
        given: Whether the answer stands in the question.
        loose: Whether values alone count, whatever their form.
    """

    form: str = "numeral"
    log_base: str = "10"
    given: bool = False

    @property
    def any_form(self) -> Terms:
        """The same terms with every form allowed."""
        return Terms("any", self.log_base, self.given)


def warm_up() -> None:
    """Do once what makes the first comparison slow, and what makes all of them safe."""
    disarm()
    compare(r"\frac{x+1}{2}\sin(x)", r"\sqrt{2}x")


def compare(
    answer: str,
    reference: str,
    *,
    form: str = "numeral",
    log_base: str = "10",
    given: bool = False,
) -> dict[str, Any]:
    """Return {"status": "EQUAL" | "DIFFERENT" | "UNDECIDED", "why": reason}."""
    try:
        gold = shape(reference)
    except Unreadable as error:
        return _reply(_undecided(f"reference: {error}"))
    try:
        ours = shape(answer)
    except Unreadable as error:
        return _reply(_undecided(f"answer: {error}"))
    return _reply(compare_shapes(gold, ours, Terms(form, log_base, given)))


def _reply(outcome: Outcome) -> dict[str, Any]:
    return {"status": outcome.status.value, "why": outcome.why}


def compare_shapes(gold: Shape, ours: Shape, terms: Terms) -> Outcome:
    """Compare two shapes; the first is the reference."""
    for kind, compare_kind in _BY_KIND:
        if isinstance(gold, kind):
            return compare_kind(gold, ours, terms)
    raise TypeError(type(gold).__name__)


# ---------------------------------------------------------------------------------------------
# One value


def _against_formula(gold: Formula, ours: Shape, terms: Terms) -> Outcome:
    if isinstance(ours, Formula):
        return compare_formulas(gold, ours, terms)
    if isinstance(ours, Relation):
        return _chain_for_value(gold, ours, terms)
    if isinstance(ours, Listing) and len(ours.items) == 1:
        return _undecided("a set of one for a value")
    return _different(f"{_kind(ours)} for one value")


def _kind(item: Shape) -> str:
    kind = item.kind if isinstance(item, Listing) else type(item).__name__.lower()
    return f"a {kind}"


def compare_formulas(gold: Formula, ours: Formula, terms: Terms) -> Outcome:
    """Compare two single values, suffixes and rounding included."""
    if gold.tokens == ours.tokens and gold.suffix == ours.suffix:
        return _equal("the same formula")
    if terms.form != "any" and _stands_unevaluated(gold) < _stands_unevaluated(ours):
        return _different("form: a sum, product, integral, limit or derivative is left standing")
    try:
        pairs = [_read_pair(gold, ours, base) for base in _log_bases(gold, ours, terms)]
    except Unreadable as error:
        return _undecided(str(error))
    outcomes = {_with_suffixes(gold, ours, *pair, terms) for pair in pairs}
    statuses = {outcome.status for outcome in outcomes}
    if len(statuses) > 1:
        return _undecided("it depends on the base of the logarithm")
    return outcomes.pop()


def _stands_unevaluated(formula: Formula) -> bool:
    try:
        expression(formula.tokens)
    except Unevaluated:
        return True
    except Unreadable:
        return False
    return False


def _log_bases(gold: Formula, ours: Formula, terms: Terms) -> list[str]:
    r"""Bases that a bare `\log` may have: both, where a reference with variables leaves it open."""
    if not {r"\log", "log"} & {*gold.tokens, *ours.tokens}:
        return [terms.log_base]
    with suppress(Unreadable):
        if not expression(gold.tokens).free_symbols:
            return [terms.log_base]
    return ["10", "e"]


def _read_pair(gold: Formula, ours: Formula, log_base: str) -> tuple[Any, Any]:
    pair = []
    for name, formula in (("reference", gold), ("answer", ours)):
        try:
            pair.append(_with_i(expression(formula.tokens, log_base=log_base)))
        except Unreadable as error:
            raise Unreadable(f"{name}: {error}") from error
    return pair[0], pair[1]


def _with_i(value: Any) -> Any:
    """Read the letter i as the imaginary unit, keeping the form."""
    if value.is_Symbol and value.name == IMAGINARY:
        return sympy.I
    if not any(symbol.name == IMAGINARY for symbol in value.free_symbols):
        return value
    return value.func(*(_with_i(argument) for argument in value.args), evaluate=False)


def _with_suffixes(gold: Formula, ours: Formula, left: Any, right: Any, terms: Terms) -> Outcome:
    """Compare values with their % and ° signs.

    `p %` is p and p/100; a bare number is met by itself in percent only above 1. A degree sign that
    one side left out may also have been turned into radians.
    """
    if gold.suffix == ours.suffix:
        return compare_values(left, right, terms, _decimal(gold), _decimal(ours))
    if {gold.suffix, ours.suffix} == {"%", "°"}:
        return _different("% for °")
    hundredth, degree = sympy.Rational(1, 100), sympy.pi / 180
    if gold.suffix == "%":
        readings = [(left, right), (_times(left, hundredth), right)]
    elif ours.suffix == "%":
        readings = [(left, _times(right, hundredth))]
        if (size := as_fraction(left)) is not None and abs(size) > 1:
            readings.append((left, right))
    elif gold.suffix == "°":
        readings = [(left, right), (_times(left, degree), right)]
    else:
        readings = [(left, right), (left, _times(right, degree))]
    outcomes = [compare_values(gold_, ours_, terms.any_form) for gold_, ours_ in readings]
    return next((outcome for outcome in outcomes if outcome.is_equal), outcomes[0])


def _times(value: Any, factor: Any) -> Any:
    return sympy.Mul(factor, value, evaluate=False)


class Decimal(NamedTuple):
    """A number written with a decimal point: its significant digits and its last place."""

    significant: int
    place: Fraction


def _decimal(formula: Formula) -> Decimal | None:
    tokens = formula.tokens[1:] if formula.tokens[0] in "+-" else formula.tokens
    if len(tokens) != 1 or "." not in tokens[0]:
        return None
    whole, _, places = tokens[0].partition(".")
    digits = (whole + places).lstrip("0")
    return Decimal(len(digits), Fraction(1, 10 ** len(places)))


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
        return _equal("both infinite") if same else _different("infinite on one side only")
    target = as_fraction(gold)
    if target is not None and terms.form != "any":
        return _against_number(gold, target, ours, terms, gold_decimal)
    if not (gold.free_symbols | ours.free_symbols):
        outcome = compare_constants(gold, ours)
        if outcome.is_different and _rounds(gold, ours, our_decimal, least=4):
            return _equal("the answer is the reference, rounded")
        return outcome
    if gold.free_symbols and (outcome_c := _constants_of_integration(gold, ours)) is not None:
        return outcome_c
    return compare_functions(gold, ours)


def _against_number(
    gold: Any, target: Fraction, ours: Any, terms: Terms, gold_decimal: Decimal | None
) -> Outcome:
    """Compare with a reference that is a rational number: the form of the answer matters."""
    if ours.free_symbols:
        return _different("an expression in variables for a number")
    value = as_fraction(ours)
    if value is None:
        outcome = compare_constants(gold, ours)
        if outcome.is_different and _rounds(ours, gold, gold_decimal, least=3):
            return _equal("the answer rounds to the reference")
    elif value == target:
        outcome = _equal(f"both are {_short(target)}")
    else:
        outcome = _different(f"{_short(value)} for {_short(target)}")
    if outcome.is_equal and not is_numeral(ours):
        return _different("form: a computation left undone for a number")
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
    except NoValue:
        return False
    half = sympy.Rational(written.place.numerator, 2 * written.place.denominator)
    low, high = (enclose(decimal + sign * half, {}, bits=512) for sign in (-1, 1))
    return bool(low <= ball and ball <= high)


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
        return _equal("equal numbers") if exact[0] == exact[1] else _different("unequal numbers")
    outcome = _agree_at(left, right, {})
    if outcome is None:
        return _symbolically(left, right, "no finite value")
    return outcome


def compare_functions(left: Any, right: Any) -> Outcome:
    """Compare two expressions by their values at random points of both signs."""
    names = left.free_symbols | right.free_symbols
    outcome = _at_points(left, right, sorted(names, key=str))
    if outcome.is_equal and left.free_symbols != right.free_symbols:
        return _undecided("equal, but in other variables")
    return outcome


def _at_points(left: Any, right: Any, symbols: list[Any]) -> Outcome:
    seed = hashlib.sha256(f"{sympy.srepr(left)}|{sympy.srepr(right)}".encode()).digest()
    draw = random.Random(seed)
    for points in (_rational_points(symbols, draw), _integer_points(symbols, draw)):
        agreed = 0
        for point in points:
            outcome = _agree_at(left, right, point)
            if outcome is None:
                continue
            if not outcome.is_equal:
                return outcome
            agreed += 1
            if agreed == POINTS:
                return _equal(f"agree at {POINTS} points to {AGREEMENT_BITS} bits")
    return _symbolically(left, right, "too few points where both are defined")


def _rational_points(symbols: list[Any], draw: random.Random) -> list[dict[Any, Fraction]]:
    """Points small and large, of every sign in turn, so that |x| is not taken for x."""
    points = []
    for index in range(TRIES):
        scale = (1, 10, 1000)[index % 3]
        points.append(
            {
                symbol: (-1 if (index >> place) & 1 else 1)
                * Fraction(draw.randint(1, 10**6 * scale), draw.randint(10**6, 2 * 10**6))
                for place, symbol in enumerate(symbols)
            }
        )
    return points


def _integer_points(symbols: list[Any], draw: random.Random) -> list[dict[Any, Fraction]]:
    """Natural numbers, for what is defined on them alone, such as (-1)^n."""
    return [
        {symbol: Fraction(2 * draw.randint(1, 30) + index % 2) for symbol in symbols}
        for index in range(TRIES)
    ]


def _agree_at(left: Any, right: Any, point: dict[Any, Fraction]) -> Outcome | None:
    """Compare the values at one point; None where either has none.

    Real values first. Complex ones where i stands in the expressions, or for constants.
    """
    has_i = left.has(sympy.I) or right.has(sympy.I)
    modes = (True,) if has_i else (False,) if point else (False, True)
    for complex_ in modes:
        with suppress(NoValue, ZeroDivisionError, OverflowError):
            return _agree_in_field(left, right, point, complex_=complex_)
    return None


def _agree_in_field(
    left: Any, right: Any, point: dict[Any, Fraction], *, complex_: bool
) -> Outcome:
    needed = AGREEMENT_BITS + 4 * (size_bits(left) + size_bits(right))
    if needed > MAX_PRECISION_BITS:
        needed = MAX_PRECISION_BITS + 1
    bits = 2 * AGREEMENT_BITS
    while True:
        ours, theirs = (enclose(e, point, bits=bits, complex_=complex_) for e in (left, right))
        if not ours.overlaps(theirs):
            return _different("the values differ" + (" at a point" if point else ""))
        if min(_accuracy(ours), _accuracy(theirs)) >= needed:
            return _equal(f"equal to {needed} bits")
        if bits >= 2 * min(needed, MAX_PRECISION_BITS):
            return _undecided("too close to tell apart")
        bits = min(2 * bits, 2 * min(needed, MAX_PRECISION_BITS))


def _accuracy(ball: Ball) -> int:
    """Bits to which a ball pins its value down, relative to 1 where the value is small."""
    if hasattr(ball, "rel_one_accuracy_bits"):
        return int(ball.rel_one_accuracy_bits())
    return min(int(part.rel_one_accuracy_bits()) for part in (ball.real, ball.imag))


def _symbolically(left: Any, right: Any, otherwise: str) -> Outcome:
    """Ask SymPy for a proof, where there are no values to compare."""
    with suppress(AttributeError, TypeError, ValueError, NotImplementedError, ArithmeticError):
        difference = sympy.simplify(left - right)
        if difference == 0:
            return _equal("SymPy's difference is 0")
    return _undecided(otherwise)


_INTEGRATION_CONSTANTS: Final = frozenset({"C", "K", "c"})


def _constants_of_integration(gold: Any, ours: Any) -> Outcome | None:
    """Compare F + C with G + K: G - F must be constant. None when the reference has no such C."""
    rest = _without_constant(gold, {"C"})
    if rest is None or len(rest.free_symbols) != 1:
        return None
    if any(str(symbol).isupper() for symbol in rest.free_symbols):
        return None
    other = _without_constant(ours, _INTEGRATION_CONSTANTS)
    if other is None:
        return _different("the constant of integration is missing")
    if other.free_symbols != rest.free_symbols:
        return None
    (variable,) = rest.free_symbols
    return _differ_by_constant(rest, other, variable)


def _without_constant(value: Any, names: frozenset[str] | set[str]) -> Any:
    """Return `value` without its one addend that is a constant of integration, or None."""
    if not value.is_Add:
        return None
    constants = [term for term in value.args if term.is_Symbol and term.name in names]
    rest = sympy.Add(*(term for term in value.args if term not in constants), evaluate=False)
    return None if len(constants) != 1 or constants[0] in rest.free_symbols else rest


def _differ_by_constant(left: Any, right: Any, variable: Any) -> Outcome:
    """Whether left - right takes one value, compared between a point and its neighbours."""
    difference = sympy.Add(left, sympy.Mul(-1, right, evaluate=False), evaluate=False)
    shifted = sympy.Symbol("shifted")
    for sign in (1, -1):
        ahead = difference.xreplace({variable: sign * sympy.Abs(shifted)})
        behind = difference.xreplace({variable: sign * sympy.Abs(shifted) / 2})
        outcome = _at_points(ahead, behind, [shifted])
        if not outcome.is_undecided_by_domain:
            return outcome
    return outcome
