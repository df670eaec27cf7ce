r"""The value of a tree as a ball that is proved to contain it.

`enclose` gives a ball of python-flint (midpoint ± radius) at given values of the variables, and
`size_bits` how many bits of such a value could hide a difference. No tower, factorial or exponent
is expanded: magnitudes are bounded before anything is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import methodcaller
from typing import Any, Final, TypeAlias

import flint
from flint import acb, arb, fmpq

from rlrewards.verify.rationals import Values, rational
from rlrewards.verify.survey import Survey, below
from rlrewards.verify.tree import (
    Based,
    Call,
    Constant,
    Measure,
    Negative,
    Node,
    Number,
    Percent,
    Power,
    Product,
    Quotient,
    Rational,
    Root,
    Sum,
    Symbol,
    symbols_of,
    walk,
)

Ball: TypeAlias = Any
"""`flint.arb` or `flint.acb`."""

MAX_GAMMA_BITS: Final = 2_000
"""Precision beyond which the gamma function takes too long."""
MAX_GAMMA_ARGUMENT: Final = 2**40
_LONG_EXPONENT_BITS: Final = 64
_MOST_FACTORS: Final = 16
_TRIES: Final = 3
_HALF: Final = fmpq(1, 2)


class NoValueError(Exception):
    """The expression has no finite value here, or none that can be computed."""


NO_VALUE: Final = (NoValueError, ZeroDivisionError, OverflowError, ValueError)


def enclose(node: Node, values: Values, *, bits: int, complex_: bool = False) -> Ball:
    """Return a ball that contains the value of an expression where its symbols have `values`.

    Real unless `complex_`. A root of odd degree of a negative number is the real one.

    Raises:
        NoValueError: not real, not finite, or with a function that is not known.
    """
    context, before = flint.ctx, flint.ctx.prec
    try:
        for _ in range(_TRIES):
            context.prec = bits
            ball = _enclose(node, values, acb if complex_ else arb)
            if context.prec == bits:  # else another thread changed it: the ball is wider, not wrong
                break
    finally:
        context.prec = before
    if not ball.is_finite():
        raise NoValueError("not finite")
    return ball


def _enclose(node: Node, values: Values, field: Any) -> Ball:
    rule = _RULES.get(type(node))
    if rule is None:
        raise NoValueError(type(node).__name__)
    return rule(node, values, field)


def _number(node: Number, values: Values, field: Any) -> Ball:
    return field(node.value)


def _symbol(node: Symbol, values: Values, field: Any) -> Ball:
    value = values.get(node.name)
    if value is None:
        raise NoValueError(node.name)
    return field(value)


def _constant(node: Constant, values: Values, field: Any) -> Ball:
    if node.name == "pi":
        return field(arb.pi())
    if node.name == "e":
        return field(arb.const_e())
    if node.name == "i" and field is acb:
        return acb(0, 1)
    raise NoValueError(node.name)


def _exactly(node: Node, values: Values, field: Any) -> Ball:
    value = rational(node, values)
    if value is None:
        raise NoValueError(type(node).__name__)
    return field(value)


def _negative(node: Negative, values: Values, field: Any) -> Ball:
    return -_enclose(node.operand, values, field)


def _sum(node: Sum, values: Values, field: Any) -> Ball:
    total = _enclose(node.terms[0], values, field)
    for term in node.terms[1:]:
        total = total + _enclose(term, values, field)
    return total


def _product(node: Product, values: Values, field: Any) -> Ball:
    total = _enclose(node.factors[0], values, field)
    for factor in node.factors[1:]:
        total = total * _enclose(factor, values, field)
    return total


def _quotient(node: Quotient, values: Values, field: Any) -> Ball:
    return _enclose(node.over, values, field) / _enclose(node.under, values, field)


def _power(node: Power, values: Values, field: Any) -> Ball:
    base = _enclose(node.base, values, field)
    exponent = rational(node.exponent)
    if exponent is None:
        raised = _enclose(node.exponent, values, field)
        if base.contains(0) and raised.contains(0):
            raise NoValueError("a power of 0 to the 0")
        return base**raised
    return _raised(base, exponent, field)


def _root(node: Root, values: Values, field: Any) -> Ball:
    degree = rational(node.degree)
    if degree is None:
        return _enclose(node.radicand, values, field) ** (1 / _enclose(node.degree, values, field))
    if degree == 0:
        raise NoValueError("a root of degree 0")
    return _raised(_enclose(node.radicand, values, field), 1 / degree, field)


def _raised(base: Ball, exponent: Rational, field: Any) -> Ball:
    if exponent == 0 and base.contains(0):
        raise NoValueError("a power of 0 to the 0")
    if exponent.q == 1 and abs(exponent.p) <= _MOST_FACTORS and base.contains(0):
        return _multiplied(base, int(exponent.p))
    if exponent.q == 1 and exponent.p.bit_length() <= _LONG_EXPONENT_BITS:
        return base**exponent.p
    if exponent == _HALF:
        return base.sqrt()
    if exponent.q % 2 == 1 and exponent.q != 1 and base.imag == 0 and base.real < 0:
        if field is acb:
            raise NoValueError("a root that may be meant as real or as complex")
        size = (-base) ** field(exponent)
        return -size if exponent.p % 2 else size
    return base ** field(exponent)


def _multiplied(base: Ball, exponent: int) -> Ball:
    """Return a whole power of a ball that holds 0, for which flint has none."""
    if exponent < 0:
        return 1 / _multiplied(base, -exponent)
    power = base
    for _ in range(exponent - 1):
        power = power * base
    return power


def _measure(node: Measure, values: Values, field: Any) -> Ball:
    """Degrees are a number, π/180 of them; other units have no value here."""
    if node.unit.dimension != "angle":
        raise NoValueError(node.unit.name)
    factor = node.unit.factor
    worth = fmpq(factor.numerator, factor.denominator) / 180
    return _enclose(node.operand, values, field) * field(arb.pi()) * field(worth)


def _percent(node: Percent, values: Values, field: Any) -> Ball:
    return _enclose(node.operand, values, field) / 100


def _call(node: Call, values: Values, field: Any) -> Ball:
    if node.name in _WHOLE and (value := rational(node, values)) is not None:
        return field(value)
    function = _BALL_FUNCTIONS.get(node.name)
    if function is None:
        raise NoValueError(node.name)
    arguments = [_enclose(argument, values, field) for argument in node.arguments]
    try:
        return function(*arguments)
    except (AttributeError, TypeError) as error:  # not for complex numbers, or as many arguments
        raise NoValueError(node.name) from error


_RULES: Final[dict[type[Node], Callable[[Any, Values, Any], Ball]]] = {
    Number: _number,
    Symbol: _symbol,
    Constant: _constant,
    Based: _exactly,
    Negative: _negative,
    Sum: _sum,
    Product: _product,
    Quotient: _quotient,
    Power: _power,
    Root: _root,
    Call: _call,
    Measure: _measure,
    Percent: _percent,
}


# ---------------------------------------------------------------------------------------------
# Functions of balls


def _logarithm(value: Ball, base: Ball | None = None) -> Ball:
    if base is None:
        raise NoValueError("a logarithm without a base")
    return value.log() / base.log()


def _gamma(value: Ball, invert: bool = False) -> Ball:
    if flint.ctx.prec > MAX_GAMMA_BITS or not abs(value) < MAX_GAMMA_ARGUMENT:
        raise NoValueError("a factorial that is too large")
    return value.rgamma() if invert else value.gamma()


def _binomial(n: Ball, k: Ball) -> Ball:
    return _gamma(n + 1) * _gamma(k + 1, invert=True) * _gamma(n - k + 1, invert=True)


def _arccot(value: Ball) -> Ball:
    if not value > 0:  # conventions differ
        raise NoValueError("arccot of a negative number")
    return (1 / value).atan()


def _arcsec(value: Ball) -> Ball:
    return (1 / value).acos()


def _arccsc(value: Ball) -> Ball:
    return (1 / value).asin()


def _sign(value: Ball) -> Ball:
    if isinstance(value, acb):
        raise NoValueError("sgn of a complex number")
    return value.sgn()


def _modulo(value: Ball, modulus: Ball) -> Ball:
    return value - modulus * (value / modulus).floor()


def _maximum(*values: Ball) -> Ball:
    largest = values[0]
    for value in values[1:]:
        largest = largest.max(value)
    return largest


def _minimum(*values: Ball) -> Ball:
    return -_maximum(*(-value for value in values))


def _real_part(value: Ball) -> Ball:
    return type(value)(value.real)


def _imaginary_part(value: Ball) -> Ball:
    return type(value)(value.imag)


def _argument(value: Ball) -> Ball:
    if isinstance(value, acb):
        return acb(value.arg())
    if value > 0:
        return arb(0)
    if value < 0:
        return arb.pi()
    raise NoValueError("arg of 0")


def _conjugate(value: Ball) -> Ball:
    return value.conjugate() if isinstance(value, acb) else value


def _absolute(value: Ball) -> Ball:
    return type(value)(abs(value))


_NAMED_ALIKE: Final = (
    *("sin", "cos", "tan", "cot", "sec", "csc"),
    *("sinh", "cosh", "tanh", "coth", "sech", "csch"),
)
_BALL_FUNCTIONS: Final[dict[str, Callable[..., Ball]]] = {
    **{name: methodcaller(name) for name in _NAMED_ALIKE},
    **{
        f"arc{name}": methodcaller(f"a{name}")
        for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")
    },
    "arccot": _arccot,
    "arcsec": _arcsec,
    "arccsc": _arccsc,
    "exp": methodcaller("exp"),
    "ln": methodcaller("log"),
    "log": _logarithm,
    "abs": _absolute,
    "floor": methodcaller("floor"),
    "ceil": methodcaller("ceil"),
    "sgn": _sign,
    "mod": _modulo,
    "max": _maximum,
    "min": _minimum,
    "re": _real_part,
    "im": _imaginary_part,
    "arg": _argument,
    "conj": _conjugate,
    "factorial": lambda n: _gamma(n + 1),
    "binomial": _binomial,
    "permutations": lambda n, k: _gamma(n + 1) * _gamma(n - k + 1, invert=True),
}
_WHOLE: Final = frozenset(
    """
    factorial double_factorial binomial permutations gcd lcm max min mod floor ceil sgn abs det
    """.split()
)
"""Functions that are worked out exactly where they can be."""


# ---------------------------------------------------------------------------------------------
# How much a value can hide

ENDLESS_BITS: Final = 10**9


def size_bits(node: Node, values: Values) -> int:
    """Return how many bits of a value can cancel or hide: the sizes of all that it is made of.

    e^1000 + 1 and e^1000 agree to 1,442 bits, so agreement counts beyond that only.
    """
    kind = type(node)
    if kind is Number:
        return int(node.value.height_bits()) + 1  # type: ignore[attr-defined]
    if kind is Symbol:
        return int(values[node.name].height_bits())  # type: ignore[attr-defined]
    own = 4
    for child in below(node):
        own += size_bits(child, values)
    if isinstance(node, Call) and node.name in _FLAT:
        own *= 2
    if kind is Power:
        own += _power_bits(node, values)  # type: ignore[arg-type]
    elif isinstance(node, Call) and node.name in _GROWING:
        own += _GROWING[node.name] * sum(magnitude(item, values) for item in node.arguments)
    elif kind is Based:
        own += 6 * len(node.digits)  # type: ignore[attr-defined]
    return min(own, ENDLESS_BITS)


def is_steady(node: Node, facts: Survey) -> bool:
    """Whether the size of a value does not depend on how large its variables are."""
    if Power not in facts.kinds and facts.calls.isdisjoint(_GROWING):
        return True
    for part in walk(node):
        if isinstance(part, Power) and type(part.exponent) is not Number:
            growing: Sequence[Node] = (part.exponent,)
        elif isinstance(part, Call) and part.name in _GROWING:
            growing = part.arguments
        else:
            continue
        if any(map(symbols_of, growing)):
            return False
    return True


def _power_bits(node: Power, values: Values) -> int:
    base = rational(node.base)
    if base is not None and abs(base) == 1:
        return 0
    return size_bits(node.base, values) * magnitude(node.exponent, values)


_GROWING: Final = {
    **dict.fromkeys(("factorial", "double_factorial", "binomial", "permutations"), 8),
    **dict.fromkeys(("exp", "sinh", "cosh", "tanh", "coth", "sech", "csch"), 2),
}


_FLAT: Final = frozenset({"sin", "cos", "sec", "csc", "cosh", "sech"})
"""Functions with places where they hardly change: what is 10⁻ⁿ there becomes 10⁻²ⁿ."""


def magnitude(node: Node, values: Values) -> int:
    """Return a bound on the size of a value, or one that is out of reach."""
    if type(node) is Number:
        return min(int(abs(node.value).ceil()), ENDLESS_BITS)
    exact = rational(node, values)
    if exact is not None:
        return int(min(abs(exact).ceil(), ENDLESS_BITS))
    try:
        bound = float(abs(enclose(node, values, bits=64, complex_=True)).upper())
    except NO_VALUE:
        return ENDLESS_BITS
    return min(int(min(bound, 1e300)) + 1, ENDLESS_BITS)
