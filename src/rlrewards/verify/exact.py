r"""Exact comparison of rational functions, over the rationals with square roots, π, e and i.

Both sides become a numerator and a denominator in *generators*: variables, √p for primes p, i, π,
e, and whatever is no polynomial (sin x, √x, f(x)), keyed by its structure. A zero cross product
proves that they are equal; one that is not zero proves that they differ, unless an identity between
the generators may have been missed (sin² + cos² = 1).

Everything about exact values is had from here: `rational`, `canonical` and `same_structure` too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

from flint import Ordering, fmpq, fmpq_mpoly_ctx, fmpz

from rlrewards.verify.canonical import canonical, same_structure
from rlrewards.verify.enclose import NO_VALUE, enclose
from rlrewards.verify.rationals import MAX_BITS, ONE, ZERO, power, rational
from rlrewards.verify.tree import (
    Apply,
    Based,
    Call,
    Constant,
    E,
    Negative,
    Node,
    Number,
    Power,
    Product,
    Quotient,
    Rational,
    Root,
    Standing,
    Sum,
    Symbol,
    symbols_of,
    walk,
)

__all__ = [
    "canonical",
    "compare_forms",
    "differ_by_constant",
    "proportion",
    "rational",
    "same_structure",
]

MAX_GENERATORS: Final = 12
MAX_WORK: Final = 6_000
"""Products of terms that one comparison may take, about a millisecond."""
MAX_DEGREE: Final = 1_000_000
MAX_COEFFICIENT_BITS: Final = 2_000
MAX_RADICAND_BITS: Final = 64
"""Longer radicands are not factored."""

Polynomial: TypeAlias = Any
"""`flint.fmpq_mpoly`, or `fmpq` where it is constant."""


class _UnfitError(Exception):
    """No rational form, or one that is too large."""


def compare_forms(ours: Node, gold: Node) -> bool | None:
    """Return whether two expressions are one rational function; None when this cannot tell.

    They are equal only if they are made of the same variables and the same opaque parts: else one
    may be defined where the other is not.
    """
    try:
        cross = _cross(ours, gold)
    except (_UnfitError, ZeroDivisionError):
        return None
    difference = cross.reduce(cross.left - cross.right)
    if _is_zero(difference):
        return True if cross.alike else None
    # Two that differ by a constant over their denominators differ wherever they are defined.
    return False if cross.independent or _is_constant(difference) else None


def proportion(ours: Node, gold: Node) -> tuple[bool | None, Rational]:
    """Return whether ours = c · gold for a rational c, and that c (0 when there is none).

    None when this cannot tell.
    """
    try:
        cross = _cross(ours, gold)
    except (_UnfitError, ZeroDivisionError):
        return None, ZERO
    left, right = cross.reduce(cross.left), cross.reduce(cross.right)
    if _is_zero(right):
        return None, ZERO
    factor = ZERO if _is_zero(left) else _leading(left) / _leading(right)
    if _is_zero(cross.reduce(left - factor * right)):
        return (True, factor) if cross.alike else (None, ZERO)
    return (False if cross.plain else None), ZERO


def differ_by_constant(ours: Node, gold: Node) -> bool | None:
    """Return whether ours - gold is one rational number; None when this cannot tell."""
    try:
        cross = _cross(ours, gold)
    except (_UnfitError, ZeroDivisionError):
        return None
    difference, under = cross.reduce(cross.left - cross.right), cross.reduce(cross.under)
    factor = ZERO if _is_zero(difference) else _leading(difference) / _leading(under)
    if _is_zero(cross.reduce(difference - factor * under)):
        return True if cross.alike else None
    return False if cross.plain else None


# ---------------------------------------------------------------------------------------------
# Generators


class _Generator(NamedTuple):
    """A letter of the polynomials: its kind, and its key or the number it is the root of."""

    kind: str
    key: Any


@dataclass(slots=True)
class _Reader:
    """Turns trees into plans over one numbered list of generators.

    A plan is a rational, the number of a generator, or (operation, …, plans).
    """

    generators: dict[_Generator, int] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)

    def generator(self, kind: str, key: Any) -> int:
        number = self.generators.setdefault(_Generator(kind, key), len(self.generators))
        if number >= MAX_GENERATORS:
            raise _UnfitError
        if kind in ("symbol", "opaque"):
            self.seen.add(number)
        return number

    def side(self, node: Node) -> tuple[Any, set[int]]:
        """Return the plan of one side, and the variables and opaque parts that it holds."""
        self.seen = set()
        return self.plan(node), self.seen

    def plan(self, node: Node) -> Any:
        rule = _PLANS.get(type(node))
        if rule is None:
            raise _UnfitError
        return rule(self, node)

    def number(self, node: Node) -> Any:
        value = rational(node)
        if value is None:
            return self.opaque(node)
        if value.height_bits() > MAX_COEFFICIENT_BITS:
            raise _UnfitError
        return value

    def symbol(self, node: Symbol) -> Any:
        return self.generator("symbol", node.name)

    def constant(self, node: Constant) -> Any:
        if node.name == "i":
            return self.generator("root", -1)
        if node.name not in ("pi", "e"):
            raise _UnfitError
        return self.generator(node.name, "")

    def negative(self, node: Negative) -> Any:
        return ("*", (-ONE, self.plan(node.operand)))

    def sum(self, node: Sum) -> Any:
        return ("+", tuple(map(self.plan, node.terms)))

    def product(self, node: Product) -> Any:
        return ("*", tuple(map(self.plan, node.factors)))

    def quotient(self, node: Quotient) -> Any:
        _require_not_zero(node.under)
        return ("/", self.plan(node.over), self.plan(node.under))

    def power(self, node: Power) -> Any:
        exponent = rational(node.exponent)
        if exponent is None:
            return self.number(node)
        if exponent.q == 1:
            if exponent <= 0:
                _require_not_zero(node.base)
            return self.whole_power(self.plan(node.base), exponent)
        if exponent.q == 2 and (base := rational(node.base)) is not None:
            return self.whole_power(self.square_root(base), fmpq(exponent.p))
        return self.number(node)

    def whole_power(self, plan: Any, exponent: Rational) -> Any:
        if abs(exponent) > MAX_DEGREE:
            raise _UnfitError
        return ("^", plan, int(exponent.p))

    def root(self, node: Root) -> Any:
        value = rational(node.radicand) if rational(node.degree) == 2 else None
        return self.number(node) if value is None else self.square_root(value)

    def square_root(self, value: Rational) -> Any:
        """Return √(p/q) = √(pq)/q as a rational multiple of roots of primes, and of i."""
        radicand = value.p * value.q
        if radicand == 0:
            return ZERO
        outside, plans = fmpq(1, value.q), []
        if radicand < 0:
            plans.append(self.generator("root", -1))
        for prime, times in _factors(abs(radicand)):
            outside *= prime ** (times // 2)
            if times % 2:
                plans.append(self.generator("root", int(prime)))
        return ("*", (outside, *plans))

    def call(self, node: Call) -> Any:
        if node.name == "exp" and len(node.arguments) == 1:
            return self.power(Power(E, node.arguments[0]))
        return self.number(node)

    def opaque(self, node: Node) -> Any:
        return self.generator("opaque", canonical(node))


_PLANS: Final[dict[type[Node], Callable[[_Reader, Any], Any]]] = {
    Number: _Reader.number,
    Based: _Reader.number,
    Symbol: _Reader.symbol,
    Constant: _Reader.constant,
    Negative: _Reader.negative,
    Sum: _Reader.sum,
    Product: _Reader.product,
    Quotient: _Reader.quotient,
    Power: _Reader.power,
    Root: _Reader.root,
    Call: _Reader.call,
    Apply: _Reader.opaque,
    Standing: _Reader.opaque,
}


def _require_not_zero(node: Node) -> None:
    """Refuse what may be 0 everywhere without being so as a polynomial, such as sin(x - x)."""
    if all(type(part) in _PLAIN for part in walk(node)):
        return
    point = {name: fmpq(17 + index, 11) for index, name in enumerate(sorted(symbols_of(node)))}
    try:
        vanishes = enclose(node, point, bits=64, complex_=True).contains(0)
    except NO_VALUE:
        return
    if vanishes:
        raise _UnfitError


_PLAIN: Final = frozenset({Number, Symbol, Constant, Negative, Sum, Product, Quotient})


def _factors(radicand: Any) -> list[tuple[Any, int]]:
    if radicand.bit_length() > MAX_RADICAND_BITS:
        root = radicand.isqrt()
        if root * root == radicand:
            return [(root, 2)]
        raise _UnfitError
    return [(prime, int(times)) for prime, times in fmpz(radicand).factor()]


# ---------------------------------------------------------------------------------------------
# Fractions of polynomials


class _Fraction(NamedTuple):
    over: Polynomial
    under: Polynomial


@lru_cache(maxsize=2 * MAX_GENERATORS)
def _letters(count: int) -> tuple[Polynomial, ...]:
    return tuple(fmpq_mpoly_ctx.get(("g", count), Ordering.degrevlex).gens())


def _is_zero(value: Polynomial) -> bool:
    return bool(value == 0)


def _is_constant(value: Polynomial) -> bool:
    return isinstance(value, fmpq) or bool(value.is_constant())


def _leading(value: Polynomial) -> Rational:
    return value if isinstance(value, fmpq) else value.leading_coefficient()


def _length(value: Polynomial) -> int:
    return 1 if type(value) is fmpq else len(value)


@dataclass(slots=True)
class _Arithmetic:
    """Works plans out, as long as the work stays small."""

    letters: tuple[Polynomial, ...]
    work_left: int = MAX_WORK

    def times(self, left: Polynomial, right: Polynomial) -> Polynomial:
        if left is ONE:
            return right
        if right is ONE:
            return left
        self.charge(_length(left) * _length(right))
        return left * right

    def charge(self, work: int) -> None:
        self.work_left -= work
        if self.work_left < 0:
            raise _UnfitError

    def value(self, plan: Any) -> _Fraction:
        if type(plan) is int:
            return _Fraction(self.letters[plan], ONE)
        if type(plan) is not tuple:
            return _Fraction(plan, ONE)
        operation = plan[0]
        if operation == "+":
            return self.sum([self.value(item) for item in plan[1]])
        if operation == "*":
            return self.product([self.value(item) for item in plan[1]])
        if operation == "^":
            return self.power(self.value(plan[1]), plan[2])
        return self.product([self.value(plan[1]), self.inverse(self.value(plan[2]))])

    def sum(self, items: list[_Fraction]) -> _Fraction:
        over, under = items[0]
        for other, below in items[1:]:
            if below is under or below == under:
                over += other
            else:
                over = self.times(over, below) + self.times(other, under)
                under = self.times(under, below)
        self.charge(_length(over))
        return _Fraction(over, under)

    def product(self, items: list[_Fraction]) -> _Fraction:
        over, under = items[0]
        for other, below in items[1:]:
            over = self.times(over, other)
            under = self.times(under, below)
        return _Fraction(over, under)

    def inverse(self, value: _Fraction) -> _Fraction:
        if _is_zero(value.over):
            raise _UnfitError
        return _Fraction(value.under, value.over)

    def power(self, base: _Fraction, exponent: int) -> _Fraction:
        if exponent < 0:
            base, exponent = self.inverse(base), -exponent
        if exponent == 0 and _is_zero(base.over):
            raise _UnfitError
        return _Fraction(self.raised(base.over, exponent), self.raised(base.under, exponent))

    def raised(self, base: Polynomial, exponent: int) -> Polynomial:
        """Return base^exponent once its terms, degree and coefficients are known to be few."""
        if base is ONE:
            return ONE
        if isinstance(base, fmpq):
            value = power(base, fmpq(exponent)) if exponent else ONE
            if value is None:
                raise _UnfitError
            return value
        terms = len(base)
        if terms > 1:
            self.charge(math.comb(terms - 1 + exponent, exponent) if exponent < 1_000 else MAX_WORK)
        height = max(c.height_bits() for c in base.coeffs()) if terms else 1
        grows = (height - 1 + terms.bit_length() - 1) * exponent
        if grows > MAX_BITS or base.total_degree() * exponent > MAX_DEGREE:
            raise _UnfitError
        return base**exponent


@dataclass(slots=True)
class _Cross:
    """Two fractions as the products left = n₁d₂ and right = n₂d₁, whose difference decides.

    Attributes:
        left: Numerator of the first times denominator of the second.
        right: Numerator of the second times denominator of the first.
        under: Product of the denominators.
        roots: Which generators are square roots, and of what.
        alike: Whether both sides are made of the same variables and opaque parts.
        independent: Whether no identity can hold between the generators that is not known here.
        plain: Whether there are only variables.
    """

    left: Polynomial
    right: Polynomial
    under: Polynomial
    roots: dict[int, int]
    alike: bool
    independent: bool
    plain: bool

    def reduce(self, value: Polynomial) -> Polynomial:
        """Replace the square of each root by what it is the root of."""
        if not self.roots or isinstance(value, fmpq):
            return value
        reduced: dict[tuple[int, ...], Rational] = {}
        for powers, coefficient in value.to_dict().items():
            rest = list(powers)
            for place, square in self.roots.items():
                if rest[place] > 1:
                    coefficient *= fmpq(square) ** (int(rest[place]) // 2)
                    rest[place] %= 2
            key = tuple(map(int, rest))
            reduced[key] = reduced.get(key, ZERO) + coefficient
        return value.context().from_dict(reduced)


def _cross(ours: Node, gold: Node) -> _Cross:
    reader = _Reader()
    (plan, seen), (other_plan, other_seen) = reader.side(ours), reader.side(gold)
    kinds = [generator.kind for generator in reader.generators]
    letters = _letters(len(kinds)) if kinds else ()
    arithmetic = _Arithmetic(letters)
    left, right = arithmetic.value(plan), arithmetic.value(other_plan)
    cross = _Cross(
        left=arithmetic.times(left.over, right.under),
        right=arithmetic.times(right.over, left.under),
        under=arithmetic.times(left.under, right.under),
        roots={n: g.key for g, n in reader.generators.items() if g.kind == "root"},
        alike=seen == other_seen,
        independent="opaque" not in kinds and not {"pi", "e"} <= set(kinds),
        plain=set(kinds) <= {"symbol"},
    )
    if any(_is_zero(cross.reduce(item.under)) for item in (left, right)):
        raise _UnfitError
    return cross
