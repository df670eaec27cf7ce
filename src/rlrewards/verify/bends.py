r"""Bends at places that nobody can work out: |ln(x+4)| is ln(x+4) where that is positive.

Where |…|, a root or a maximum bends at the zeros of a polynomial, `kinks` finds these. Of other
zeros (those of logarithms, sines, exponentials) nobody knows how many there are, so that agreement
at some points says nothing of what lies beyond the next one. Two such expressions count as equal
only if what bends took both signs at points where they agree, or provably never changes its sign.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, TypeAlias

from flint import fmpq

from rlrewards.verify.canonical import canonical
from rlrewards.verify.enclose import NO_VALUE, enclose
from rlrewards.verify.kinks import bending, edges, is_elusive, steps
from rlrewards.verify.rationals import Values, rational
from rlrewards.verify.survey import below
from rlrewards.verify.tree import (
    Call,
    Constant,
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
    symbols_of,
    walk,
)

MAX_BENDS: Final = 12
EXPONENTS: Final = range(-8, 9)
"""Sizes of the points, as powers of ten."""
NEAR: Final = tuple(fmpq(10) ** -k for k in (1, 2, 3, 5, 8, 13, 21, 34))
"""How near to the edge of a domain points are taken."""
POINTS_OF_SEVERAL: Final = 64


class Bend(NamedTuple):
    """What an expression bends by.

    Attributes:
        inner: What has to change its sign there.
        steps: Whether it goes in steps, as a floor does.
        radicand: Whether it is under a root, so that below zero there is nothing.
    """

    inner: Node
    steps: bool
    radicand: bool


def open_bends(ours: Node, gold: Node) -> list[Bend]:
    """Return the bends of which nobody knows the places.

    Not those that never come, nor roots and steps that both sides have: these bend together.
    """
    left, right = bends(ours), bends(gold)
    together = {bend for bend in {*left} & {*right} if bend.steps or bend.radicand}
    found = [bend for bend in dict.fromkeys((*left, *right)) if bend not in together]
    if not found:
        return []
    signs = _assumed(ours) | _assumed(gold)
    return [bend for bend in found if bend.steps or not lasting_sign(bend.inner, signs)]


def _assumed(node: Node) -> frozenset[str]:
    """Return the variables that cannot be negative, since their root or logarithm is taken."""
    return frozenset(
        inner.name
        for part in walk(node)
        for inner in (*_radicands(part), *_logarithms(part))
        if isinstance(inner, Symbol)
    )


def _radicands(part: Node) -> tuple[Node, ...]:
    if isinstance(part, Root):
        degree = rational(part.degree)
        return (part.radicand,) if degree is not None and degree.p % 2 == 0 else ()
    if not isinstance(part, Power):
        return ()
    exponent = rational(part.exponent)
    return (part.base,) if exponent is not None and exponent.q % 2 == 0 else ()


def _logarithms(part: Node) -> tuple[Node, ...]:
    return part.arguments[:1] if isinstance(part, Call) and part.name in ("ln", "log") else ()


def bends(node: Node) -> list[Bend]:
    """Return the bends of an expression whose places cannot be worked out."""
    found: dict[Bend, None] = {}
    for part in walk(node):
        for inner in bending(part):
            if is_elusive(inner):
                found |= dict.fromkeys(_bends_by(inner, part))
    return [*found]


def _bends_by(inner: Node, part: Node) -> Iterator[Bend]:
    """Yield what has to change its sign: a product, each of its factors, what is squared in it."""
    if steps(part):
        yield Bend(inner, True, False)
        return
    is_root = isinstance(part, Root | Power)
    factors = _factors(inner)
    squares = [factor for factor, times in factors if times % 2 == 0]
    yield Bend(inner, False, is_root)
    for factor, times in factors:
        yield Bend(factor, False, is_root and times % 2 == 1)
    if is_root and len(squares) > 1:
        yield Bend(Product(tuple(squares)), False, False)


def _factors(node: Node) -> list[tuple[Node, int]]:
    """Return the factors of a product that have variables; even numbers for what is squared."""
    found: dict[str, tuple[Node, int]] = {}
    for factor, times in _times(node, 1):
        key = canonical(factor)
        found[key] = (factor, found.get(key, (factor, 0))[1] + abs(times))
    return [*found.values()]


def _times(node: Node, times: int) -> Iterator[tuple[Node, int]]:
    if isinstance(node, Product | Quotient | Negative):
        for part in below(node):
            yield from _times(part, times)
        return
    exponent = rational(node.exponent) if isinstance(node, Power) else None
    if isinstance(node, Power) and exponent is not None and exponent.q == 1 and exponent != 0:
        yield from _times(node.base, times * (1 if exponent.p % 2 else 2))
    elif symbols_of(node):
        yield node, times


# ---------------------------------------------------------------------------------------------
# Points


def points_far_and_near(
    trees: list[Node], names: list[str], between: Callable[[int, int], int]
) -> Iterator[Values]:
    """Yield points of all sizes and signs, and points near the edges of what is defined.

    Args:
        trees: What is compared.
        names: Its variables.
        between: Draws a whole number from the first to the second.
    """
    if len(names) == 1:
        for exponent in sorted(EXPONENTS, key=abs):
            for sign in (1, -1):
                yield {names[0]: sign * fmpq(between(100, 999), 100) * fmpq(10) ** exponent}
        for edge in edges(trees, names[0]):
            for step in NEAR:
                yield {names[0]: edge + step}
                yield {names[0]: edge - step}
    else:
        for index in range(POINTS_OF_SEVERAL):
            yield {
                name: (-1 if index >> place % 5 & 1 else 1)
                * fmpq(between(100, 999), 100)
                * fmpq(10) ** between(*((-2, 1) if index % 2 else (-8, 8)))
                for place, name in enumerate(names)
            }
    for index in range(1, 13):
        yield {name: fmpq(index + place * between(0, 3)) for place, name in enumerate(names)}
    for index in range(1, 5):
        yield {name: fmpq(-index - place) for place, name in enumerate(names)}


def sign_at(node: Node, point: Values) -> int:
    """Return the sign of a real value, 0 where there is none or it is not certain."""
    try:
        value = enclose(node, point, bits=128)
    except NO_VALUE:
        return 0
    return int(bool(value > 0)) - int(bool(value < 0))


# ---------------------------------------------------------------------------------------------
# Signs that never change

_NEVER_NEGATIVE: Final = frozenset({"abs", "exp", "cosh", "sech", "arccos", "arccosh"})
_SAME_SIGN: Final = frozenset({"arctan", "sinh", "tanh", "arcsinh", "arcsin", "sgn"})
_RANGES: Final = {
    **dict.fromkeys(("sin", "cos", "tanh"), (fmpq(-1), fmpq(1))),
    "arctan": (fmpq(-11, 7), fmpq(11, 7)),
    "arcsin": (fmpq(-11, 7), fmpq(11, 7)),
    "arccos": (fmpq(0), fmpq(22, 7)),
    "pi": (fmpq(333, 106), fmpq(22, 7)),
    "e": (fmpq(2718, 1000), fmpq(2719, 1000)),
}
"""Between which fractions some values always lie."""
_MOST_FACTORS: Final = 16
_MAX_SIZE: Final = 1_000


def lasting_sign(node: Node, positive: frozenset[str] = frozenset()) -> int:
    """Return 1 if a value is never negative where it is defined, -1 if never positive, else 0.

    Args:
        node: An expression.
        positive: Variables that are not negative.
    """
    if (value := rational(node)) is not None:
        return 1 if value >= 0 else -1
    if isinstance(node, Constant):
        return int(node.name in ("pi", "e"))
    if isinstance(node, Symbol):
        return int(node.name in positive)
    return _by_structure(node, positive) or _by_range(node)


def _by_structure(node: Node, positive: frozenset[str]) -> int:
    if isinstance(node, Negative):
        return -lasting_sign(node.operand, positive)
    if isinstance(node, Sum):
        signs = {lasting_sign(term, positive) for term in node.terms}
        return signs.pop() if len(signs) == 1 else int(_outweighs(node))
    if isinstance(node, Product | Quotient):
        product = 1
        for part in below(node):
            product *= lasting_sign(part, positive)
        return product
    if isinstance(node, Power | Root):
        return _sign_of_power(node, positive)
    if isinstance(node, Call) and len(node.arguments) == 1:
        if node.name in _NEVER_NEGATIVE:
            return 1
        return lasting_sign(node.arguments[0], positive) if node.name in _SAME_SIGN else 0
    return 0


def _sign_of_power(node: Power | Root, positive: frozenset[str]) -> int:
    base = node.base if isinstance(node, Power) else node.radicand
    exponent = rational(node.exponent if isinstance(node, Power) else node.degree)
    if exponent is None:
        return int(lasting_sign(base, positive) == 1)
    if isinstance(node, Root):
        exponent = 1 / exponent if exponent else fmpq(0)
    if exponent.p % 2 == 0 or exponent.q % 2 == 0:
        return 1
    return lasting_sign(base, positive)


def _outweighs(node: Sum) -> bool:
    """Whether it is u + √(u² + c) with c ≥ 0, which is never negative."""
    from rlrewards.verify.exact import differ_by_constant

    roots = [term for term in node.terms if isinstance(term, Root) and rational(term.degree) == 2]
    if len(roots) != 1 or len(node.terms) < 2:
        return False
    rest = tuple(term for term in node.terms if term is not roots[0])
    other = Power(rest[0] if len(rest) == 1 else Sum(rest), Number(fmpq(2)))
    if differ_by_constant(roots[0].radicand, other) is not True:
        return False
    names = symbols_of(node)
    difference = Sum((roots[0].radicand, Negative(other)))
    constant: Rational | None = rational(difference, dict.fromkeys(names, fmpq(1)))
    return constant is not None and constant >= 0


def _by_range(node: Node) -> int:
    """Look at all values at once: 2 + sin x is never below 1."""
    found = _range(node)
    return 0 if found is None else int(found[0] >= 0) - int(found[1] <= 0)


_Range: TypeAlias = tuple[Rational, Rational]


def _range(node: Node) -> _Range | None:
    """Return fractions between which a value lies wherever it is defined."""
    if (value := rational(node)) is not None:
        return (value, value) if value.height_bits() <= _MAX_SIZE else None
    if isinstance(node, Constant | Call):
        return _RANGES.get(node.name)
    if isinstance(node, Negative):
        inner = _range(node.operand)
        return None if inner is None else (-inner[1], -inner[0])
    if isinstance(node, Sum):
        parts = [_range(term) for term in node.terms]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        return sum(low for low, _ in known), sum(high for _, high in known)
    factors = _factors_of(node)
    return None if factors is None else _range_of_product([_range(item) for item in factors])


def _factors_of(node: Node) -> tuple[Node, ...] | None:
    if isinstance(node, Product):
        return node.factors
    if isinstance(node, Power):
        exponent = rational(node.exponent)
        if exponent is not None and exponent.q == 1 and 0 < exponent <= _MOST_FACTORS:
            return (node.base,) * int(exponent.p)
    return None


def _range_of_product(parts: list[_Range | None]) -> _Range | None:
    low = high = fmpq(1)
    for part in parts:
        if part is None:
            return None
        ends = [one * other for one in (low, high) for other in part]
        low, high = min(ends), max(ends)
    return low, high
