r"""What a SymPy expression is worth: exactly, or as a ball that is proved to contain the value.

`as_fraction` gives the rational value of an expression that has one plainly. `enclose` gives a ball
of python-flint (midpoint ± radius): two balls that do not meet prove that two expressions differ,
which floating point cannot. Magnitudes are bounded before anything is computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from operator import methodcaller
from typing import Any, Final, TypeAlias

import flint
import sympy

MAX_BITS: Final = 60_000
"""Largest numerator or denominator that is ever written out."""

Ball: TypeAlias = Any
"""`flint.arb` or `flint.acb`, which have no type stubs."""


class NoValueError(Exception):
    """The expression has no finite value here, or none that can be computed."""


def as_fraction(expression: Any, values: Mapping[Any, Fraction] | None = None) -> Fraction | None:
    """Return the exact value of numbers joined by + · / ^, roots, !, |·|; else None.

    Symbols have the `values` given.

    >>> as_fraction(sympy.Pow(sympy.Integer(16), sympy.Rational(1, 4), evaluate=False))
    Fraction(2, 1)
    """
    if expression.is_Rational:
        return Fraction(int(expression.p), int(expression.q))
    if expression.is_Symbol:
        return None if values is None else values.get(expression)
    found: list[Fraction] = []
    for argument in expression.args:
        value = as_fraction(argument, values)
        if value is None:
            return None
        found.append(value)
    return _rational(expression, found) if found else None


def _rational(expression: Any, values: list[Fraction]) -> Fraction | None:
    if expression.is_Add:
        return _bounded(sum(values, Fraction(0)))
    if expression.is_Mul:
        product: Fraction | None = Fraction(1)
        for value in values:
            product = None if product is None else _bounded(product * value)
        return product
    if expression.is_Pow:
        return _rational_power(*values)
    if isinstance(expression, sympy.factorial):
        return _factorial(values[0])
    if isinstance(expression, sympy.Abs):
        return abs(values[0])
    if isinstance(expression, sympy.floor):
        return Fraction(values[0].__floor__())
    if isinstance(expression, sympy.ceiling):
        return Fraction(values[0].__ceil__())
    return None


def _bounded(value: Fraction) -> Fraction | None:
    return value if _bits(value) <= MAX_BITS else None


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _rational_power(base: Fraction, exponent: Fraction) -> Fraction | None:
    if exponent.denominator > 1:
        root = _exact_root(base, exponent.denominator)
        return None if root is None else _rational_power(root, Fraction(exponent.numerator))
    power = exponent.numerator
    if (base == 0 and power <= 0) or _bits(base) * abs(power) > MAX_BITS:
        return Fraction(base) if base == 1 else None
    return Fraction(base**power)


def _exact_root(value: Fraction, degree: int) -> Fraction | None:
    """Return the real root if it is rational; that of a negative number for odd degrees."""
    if value < 0:
        root = None if degree % 2 == 0 else _exact_root(-value, degree)
        return None if root is None else -root
    if degree > MAX_BITS:
        return None
    parts = [flint.fmpz(part) for part in (value.numerator, value.denominator)]
    roots = [part.root(degree) for part in parts]
    if any(root**degree != part for root, part in zip(roots, parts, strict=True)):
        return None
    return Fraction(int(roots[0]), int(roots[1]))


def _factorial(value: Fraction) -> Fraction | None:
    if value.denominator != 1 or not 0 <= value <= 5_000:
        return None
    return Fraction(math.factorial(int(value)))


def size_bits(expression: Any, values: Mapping[Any, Fraction]) -> int:
    """Return how many bits of a value can cancel or hide: the sizes of all that it is made of.

    e^1000 + 1 and e^1000 agree to 1,442 bits, so agreement counts beyond that only.
    """
    if expression.is_Rational:
        return int(expression.p).bit_length() + int(expression.q).bit_length()
    if expression.is_Symbol:
        return _bits(values[expression])
    own = sum(size_bits(argument, values) for argument in expression.args) + 4
    if expression.is_Pow and abs(as_fraction(expression.args[0]) or 2) != 1:
        own += size_bits(expression.args[0], values) * _magnitude(expression.args[1], values)
    elif isinstance(expression, sympy.factorial | sympy.binomial):
        own += 16 * sum(_magnitude(argument, values) for argument in expression.args)
    elif isinstance(expression, _EXPONENTIAL):
        own += 2 * _magnitude(expression.args[0], values)
    return min(own, _ENDLESS_BITS)


_EXPONENTIAL: Final = (sympy.exp, sympy.sinh, sympy.cosh, sympy.tanh)
_ENDLESS_BITS: Final = 10**9


def _magnitude(expression: Any, values: Mapping[Any, Fraction]) -> int:
    """Return a bound on the size of a value, or one that is out of reach."""
    exact = as_fraction(expression, values)
    if exact is not None:
        return min(abs(exact).__ceil__(), _ENDLESS_BITS)
    try:
        bound = float(abs(enclose(expression, values, bits=64, complex_=True)).upper())
    except (NoValueError, ZeroDivisionError, OverflowError):
        return _ENDLESS_BITS
    return min(int(min(bound, 1e300)) + 1, _ENDLESS_BITS)


def is_moderate(expression: Any) -> bool:
    """Whether no power or factorial in it is too large to be written out."""
    if not all(is_moderate(argument) for argument in expression.args):
        return False
    if not isinstance(expression, sympy.Pow | sympy.factorial):
        return True
    return size_bits(expression, dict.fromkeys(expression.free_symbols, Fraction(2))) <= MAX_BITS


# ---------------------------------------------------------------------------------------------
# Balls


def enclose(
    expression: Any, values: Mapping[Any, Fraction], *, bits: int, complex_: bool = False
) -> Ball:
    """Return a ball that contains the value of `expression` where its symbols have `values`.

    Real unless `complex_`. A root of odd degree of a negative number is the real one.

    Raises:
        NoValueError: not real, not finite, or with a function that is not known.
    """
    with flint.ctx.workprec(bits):
        ball = _enclose(expression, values, flint.acb if complex_ else flint.arb)
    if not ball.is_finite():
        raise NoValueError(str(expression.func))
    return ball


def midpoint(ball: Ball) -> float:
    """Return the middle of a real ball, roughly, to sort by."""
    return float(ball.mid())


def _enclose(expression: Any, values: Mapping[Any, Fraction], field: Any) -> Ball:
    if expression.is_Symbol:
        return field(_fmpq(values[expression]))
    if expression.is_Rational:
        return field(flint.fmpq(int(expression.p), int(expression.q)))
    if expression is sympy.pi:
        return field(flint.arb.pi())
    if expression is sympy.E:
        return field(flint.arb.const_e())
    if expression is sympy.I:
        if field is flint.arb:
            raise NoValueError("i")
        return flint.acb(0, 1)
    if expression.is_Pow:
        return _power(expression.args[0], expression.args[1], values, field)
    arguments = [_enclose(argument, values, field) for argument in expression.args]
    if expression.is_Add:
        return sum(arguments, field(0))
    if expression.is_Mul:
        product = field(1)
        for argument in arguments:
            product *= argument
        return product
    function = _BALL_FUNCTIONS.get(expression.func)
    if function is None:
        raise NoValueError(str(expression.func))
    try:
        return function(*arguments)
    except AttributeError as error:
        raise NoValueError(f"complex {expression.func}") from error


def _power(base: Any, exponent: Any, values: Mapping[Any, Fraction], field: Any) -> Ball:
    below = _enclose(base, values, field)
    power = as_fraction(exponent, values)
    if power is None:
        return below ** _enclose(exponent, values, field)
    if power.denominator == 1:
        return below ** flint.fmpz(power.numerator)
    if power == Fraction(1, 2):
        return below.sqrt()
    if power.denominator % 2 and below.imag == 0 and below.real < 0:
        if field is flint.acb or exponent.free_symbols:
            raise NoValueError("a root that may be meant as real or as complex")
        size = (-below) ** field(_fmpq(power))
        return -size if power.numerator % 2 else size
    return below ** field(_fmpq(power))


def _fmpq(value: Fraction) -> Any:
    return flint.fmpq(value.numerator, value.denominator)


def _logarithm(value: Ball, base: Ball | None = None) -> Ball:
    return value.log() if base is None else value.log() / base.log()


_NAMED_ALIKE: Final = (
    *("sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan"),
    *("sinh", "cosh", "tanh", "asinh", "acosh", "atanh"),
)
_BALL_FUNCTIONS: Final[dict[Any, Callable[..., Ball]]] = {
    **{getattr(sympy, name): methodcaller(name) for name in _NAMED_ALIKE},
    sympy.Abs: abs,
    sympy.exp: lambda x: x.exp(),
    sympy.log: _logarithm,
    sympy.factorial: lambda x: (x + 1).gamma(),
    sympy.binomial: lambda n, k: (n + 1).gamma() * (k + 1).rgamma() * (n - k + 1).rgamma(),
    sympy.floor: lambda x: x.floor(),
    sympy.ceiling: lambda x: x.ceil(),
}
