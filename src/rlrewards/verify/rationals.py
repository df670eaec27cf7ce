r"""What a tree is worth as a fraction: the first question of every comparison.

`rational` gives the exact value of numbers joined by arithmetic, roots and whole-number functions.
Plain numbers take well under a microsecond; sizes are bounded before anything is computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, Final, TypeAlias

from flint import fmpq, fmpq_mat, fmpz

from rlrewards.verify.tree import (
    Based,
    Call,
    Matrix,
    Negative,
    Node,
    Number,
    Power,
    Product,
    Quotient,
    Rational,
    Root,
    Sum,
    Symbol,
)

MAX_BITS: Final = 20_000
"""Largest numerator or denominator that is ever written out; 2006! has 19,200 bits."""
MAX_DETERMINANT: Final = 8

Values: TypeAlias = Mapping[str, Rational]
ZERO: Final = fmpq(0)
ONE: Final = fmpq(1)


def rational(node: Node, values: Values | None = None) -> Rational | None:
    """Return the exact value of numbers joined by + - · / ^, roots, !, |·| and the like; else None.

    Symbols have the `values` given.

    >>> rational(Root(Number(fmpq(16)), Number(fmpq(4))))
    2
    """
    if type(node) is Number:
        return node.value
    rule = _RULES.get(type(node))
    return None if rule is None else rule(node, values)


def bits(value: Rational) -> int:
    """Return the length of the longer of numerator and denominator."""
    return int(value.height_bits())


def _bounded(value: Rational) -> Rational | None:
    return value if value.height_bits() <= MAX_BITS else None


def _all(nodes: tuple[Node, ...], values: Values | None) -> list[Rational] | None:
    found = []
    for node in nodes:
        value = rational(node, values)
        if value is None:
            return None
        found.append(value)
    return found


# ---------------------------------------------------------------------------------------------
# One rule for each type of node


def _symbol(node: Symbol, values: Values | None) -> Rational | None:
    value = None if values is None else values.get(node.name)
    return value if isinstance(value, fmpq) else None  # a ball is no number


def _negative(node: Negative, values: Values | None) -> Rational | None:
    value = rational(node.operand, values)
    return None if value is None else -value


def _sum(node: Sum, values: Values | None) -> Rational | None:
    total = ZERO
    for term in node.terms:
        value = rational(term, values)
        if value is None or (total := total + value).height_bits() > MAX_BITS:
            return None
    return total


def _product(node: Product, values: Values | None) -> Rational | None:
    total = ONE
    for factor in node.factors:
        value = rational(factor, values)
        if value is None or (total := total * value).height_bits() > MAX_BITS:
            return None
    return total


def _quotient(node: Quotient, values: Values | None) -> Rational | None:
    over, under = rational(node.over, values), rational(node.under, values)
    return None if over is None or not under else _bounded(over / under)


def _power(node: Power, values: Values | None) -> Rational | None:
    base, exponent = rational(node.base, values), rational(node.exponent, values)
    return None if base is None or exponent is None else power(base, exponent)


def _root(node: Root, values: Values | None) -> Rational | None:
    radicand, degree = rational(node.radicand, values), rational(node.degree, values)
    return None if radicand is None or not degree else power(radicand, 1 / degree)


def _based(node: Based, values: Values | None) -> Rational | None:
    if not (2 <= node.base <= 36 and node.digits.isascii() and node.digits.isalnum()):
        return None
    if len(node.digits) * 5 > MAX_BITS:
        return None
    try:
        return fmpq(int(node.digits, node.base))
    except ValueError:  # a digit beyond the base
        return None


def _call(node: Call, values: Values | None) -> Rational | None:
    if node.name == "det":
        return _determinant(node, values)
    rule = _FUNCTIONS.get(node.name)
    if rule is None:
        return None
    arguments = _all(node.arguments, values)
    return None if arguments is None else call(node.name, arguments)


def _determinant(node: Call, values: Values | None) -> Rational | None:
    matrix = node.arguments[0] if len(node.arguments) == 1 else None
    if not isinstance(matrix, Matrix) or len(matrix.rows) > MAX_DETERMINANT:
        return None
    if any(len(row) != len(matrix.rows) for row in matrix.rows):
        return None
    entries = _all(tuple(entry for row in matrix.rows for entry in row), values)
    if entries is None or sum(map(bits, entries)) > MAX_BITS:
        return None
    size = len(matrix.rows)
    return fmpq_mat(size, size, entries).det()


_RULES: Final[dict[type[Node], Callable[[Any, Values | None], Rational | None]]] = {
    Symbol: _symbol,
    Negative: _negative,
    Sum: _sum,
    Product: _product,
    Quotient: _quotient,
    Power: _power,
    Root: _root,
    Based: _based,
    Call: _call,
}


# ---------------------------------------------------------------------------------------------
# Powers and functions of fractions


def power(base: Rational, exponent: Rational) -> Rational | None:
    """Return base^exponent where it is rational and not too long; odd roots are the real ones."""
    if exponent.q != 1:
        root = exact_root(base, int(exponent.q))
        return None if root is None else power(root, fmpq(exponent.p))
    if abs(base) == 1:
        return base if exponent.p % 2 else ONE
    if base == 0:
        return ZERO if exponent > 0 else None
    if base.height_bits() * abs(exponent) > MAX_BITS:
        return None
    return base ** int(exponent.p)


def exact_root(value: Rational, degree: int) -> Rational | None:
    """Return the real root if it is rational; that of a negative number for odd degrees."""
    if value < 0:
        root = None if degree % 2 == 0 else exact_root(-value, degree)
        return None if root is None else -root
    if degree > MAX_BITS:
        return None
    over, under = value.p.root(degree), value.q.root(degree)
    if over**degree != value.p or under**degree != value.q:
        return None
    return fmpq(over, under)


def call(name: str, arguments: list[Rational]) -> Rational | None:
    """Return a function of fractions, None where it is not defined or too large."""
    rule = _FUNCTIONS.get(name)
    try:
        return None if rule is None else rule(*arguments)
    except TypeError:  # another number of arguments
        return None


def _count(value: Rational) -> int | None:
    """Return a natural number that is small enough to count with."""
    return int(value.p) if value.q == 1 and 0 <= value < 10**9 else None


def _factorial(value: Rational) -> Rational | None:
    number = _count(value)
    if number is None or math.lgamma(number + 1) > MAX_BITS * _LN_2:
        return None
    return fmpq(fmpz.fac_ui(fmpz(number)))


_LN_2: Final = math.log(2)


def _double_factorial(value: Rational) -> Rational | None:
    number = _count(value)
    if number is None or math.lgamma(number + 1) > 2 * MAX_BITS * _LN_2:
        return None
    return fmpq(math.prod(range(number, 1, -2)))


def _binomial(above: Rational, below: Rational) -> Rational | None:
    n, k = _count(above), _count(below)
    if n is None or k is None:
        return None
    if min(k, abs(n - k)) * n.bit_length() > MAX_BITS:
        return None
    return fmpq(math.comb(n, k))


def _permutations(above: Rational, below: Rational) -> Rational | None:
    n, k = _count(above), _count(below)
    if n is None or k is None or min(k, n) * n.bit_length() > MAX_BITS:
        return None
    return fmpq(math.perm(n, k))


def _modulo(value: Rational, modulus: Rational) -> Rational | None:
    return None if modulus == 0 else value - modulus * (value / modulus).floor()


def _of_integers(combine: Callable[[Any, Any], Any]) -> Callable[..., Rational | None]:
    def rule(*values: Rational) -> Rational | None:
        if not values or any(value.q != 1 for value in values):
            return None
        return _bounded(fmpq(reduce(combine, [value.p for value in values])))

    return rule


def _extreme(choose: Callable[[Any], Any]) -> Callable[..., Rational | None]:
    return lambda *values: choose(values) if values else None


_FUNCTIONS: Final[dict[str, Callable[..., Rational | None]]] = {
    "factorial": _factorial,
    "double_factorial": _double_factorial,
    "binomial": _binomial,
    "permutations": _permutations,
    "abs": abs,
    "floor": lambda value: fmpq(value.floor()),
    "ceil": lambda value: fmpq(value.ceil()),
    "gcd": _of_integers(lambda a, b: a.gcd(b)),
    "lcm": _of_integers(lambda a, b: a.lcm(b)),
    "max": _extreme(max),
    "min": _extreme(min),
    "mod": _modulo,
    "sgn": lambda value: fmpq((value > 0) - (value < 0)),
    "re": lambda value: value,
    "im": lambda value: ZERO,
    "conj": lambda value: value,
}
