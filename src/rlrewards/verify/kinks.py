r"""Where |…|, roots, floors, maxima and minima bend, and points in every part between.

Elsewhere two expressions that agree at a few points agree; but `10^9 - |x - 10^9|` is x up to 10^9
and no further, so comparisons look between and beyond the kinks too.
"""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import Any, Final

import flint
from flint import fmpq, fmpq_poly, fmpz

from rlrewards.verify.enclose import NO_VALUE, enclose
from rlrewards.verify.rationals import ONE, Values, rational
from rlrewards.verify.survey import Survey, below
from rlrewards.verify.tree import (
    Call,
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

MAX_POINT_BITS: Final = 2_000
MAX_KINKS: Final = 24
MAX_DEGREE: Final = 16
"""Largest degree of the product of all kinks whose roots are isolated."""

_TOO_FAR: Final = fmpq(2) ** (2 * MAX_POINT_BITS + 1)
_BENT: Final = frozenset({"abs", "floor", "ceil", "sgn", "arg"})
_STEPPING: Final = frozenset({"floor", "ceil", "mod"})
_CHOOSING: Final = frozenset({"max", "min", "mod"})


def may_have_kinks(facts: Survey) -> bool:
    """Whether a tree holds anything that bends, or a power that may be a root."""
    return bool(facts.kinds & {Root, Power} or facts.calls & (_BENT | _CHOOSING))


def points_between_kinks(trees: list[Node], names: list[str]) -> list[Values] | None:
    """Return points between and beyond the kinks; none are needed where nothing is shifted.

    Roots of polynomials in one variable are isolated; otherwise the points lie beyond the product
    of all constants. None when that is too far.
    """
    kinks = [kink for tree in trees for kink in _kinks(tree)]
    if not kinks or not names:
        return []
    points: list[Values] = []
    found = _between_roots(kinks, names[0]) if len(names) == 1 else None
    points += [{names[0]: value} for value in found or ()]
    scale = fmpq(2)
    for tree in trees:
        scale *= _reach(tree)
        if scale.height_bits() > MAX_POINT_BITS:
            return None if found is None else points
    return points + _beyond(scale, names)


def _beyond(scale: Rational, names: list[str]) -> list[Values]:
    """Return points far out and near 0, of every sign."""
    return [
        {
            name: (-1 if signs >> place % 3 & 1 else 1) * size * fmpq(7 + place, 5)
            for place, name in enumerate(names)
        }
        for size in (scale, 1 / scale)
        for signs in range(2 ** min(len(names), 3))
    ]


def _kinks(tree: Node) -> list[Node]:
    """Return what stands in |…| and roots where it is a sum: its zeros may be anywhere.

    Of what goes in steps all is returned, since the first step of ⌊x²/10³⁰⌋ is far away. What is no
    polynomial is left to `bends`.
    """
    found: list[Node] = []
    for part in walk(tree):
        for inner in bending(part):
            kinds = [type(item) for item in walk(inner)]
            if Symbol not in kinds or is_elusive(inner):
                continue
            if Sum in kinds or steps(part):
                found.append(inner)
    return found


def steps(part: Node) -> bool:
    """Whether it goes in steps."""
    return isinstance(part, Call) and part.name in _STEPPING


def edges(trees: list[Node], name: str) -> list[Rational]:
    """Return where logarithms, roots and quotients stop being defined, as far as that is known."""
    found: list[Any] = []
    for tree in trees:
        for part in walk(tree):
            for inner in (*bending(part), *_domain_of(part)):
                polynomial = _polynomial(inner, name)
                if polynomial is not None and polynomial.degree() > 0:
                    found.append(polynomial)
    roots = _real_roots(found[:MAX_KINKS])
    ends = [] if roots is None else [end for root in roots for end in root]
    return [*{str(end): end for end in ends if end.height_bits() <= MAX_POINT_BITS}.values()][:6]


def _domain_of(part: Node) -> list[Node]:
    if isinstance(part, Quotient):
        return [part.under]
    if isinstance(part, Call) and part.name in ("ln", "log"):
        return [part.arguments[0]]
    return []


def is_elusive(inner: Node) -> bool:
    """Whether it has variables and is no polynomial in them."""
    if not symbols_of(inner):
        return False
    for part in walk(inner):
        if isinstance(part, Call | Root) and symbols_of(part):
            return True
        if isinstance(part, Power) and symbols_of(part):
            exponent = rational(part.exponent)
            if exponent is None or exponent.q != 1:
                return True
        if isinstance(part, Sum) and any(_divides(item) for item in walk(part)):
            return True
    return False


def _divides(node: Node) -> bool:
    return isinstance(node, Quotient) and bool(symbols_of(node.under))


def bending(part: Node) -> list[Node]:
    """Return what changes its sign, or its whole part, where an expression bends."""
    if isinstance(part, Root):
        return [part.radicand]
    if isinstance(part, Power):
        exponent = rational(part.exponent)
        return [part.base] if exponent is not None and exponent.q != 1 else []
    if not isinstance(part, Call):
        return []
    if part.name in _BENT:
        return [part.arguments[0]]
    if part.name in _CHOOSING:
        return [Sum((one, Negative(other))) for one, other in combinations(part.arguments, 2)]
    return []


# ---------------------------------------------------------------------------------------------
# One variable: between the roots


def _between_roots(kinks: list[Node], name: str) -> list[Rational] | None:
    """Return a point in each interval that the real roots of the polynomials `kinks` cut out."""
    if len(kinks) > MAX_KINKS:
        return None
    polynomials = []
    for kink in kinks:
        polynomial = _polynomial(kink, name)
        if polynomial is None:
            return None
        if polynomial.degree() > 0:
            polynomials.append(polynomial)
    ends = _real_roots(polynomials)
    if not ends:
        return None if ends is None else []
    middles = [(before[1] + after[0]) / 2 for before, after in pairwise(ends)]
    return [ends[0][0] - 1, *middles, ends[-1][1] + 1]


def _polynomial(node: Node, name: str) -> Any:
    """Return a small polynomial in one variable, else None."""
    if isinstance(node, Symbol):
        return fmpq_poly([0, 1]) if node.name == name else None
    if isinstance(node, Sum | Product):
        parts = [_polynomial(item, name) for item in below(node)]
        if None in parts:
            return None
        total = parts[0]
        for part in parts[1:]:
            total = total + part if isinstance(node, Sum) else total * part
            if total.degree() > MAX_DEGREE:
                return None
        return total
    if isinstance(node, Negative):
        part = _polynomial(node.operand, name)
        return None if part is None else -part
    value = rational(node)
    if value is not None:
        return fmpq_poly([value]) if value.height_bits() <= MAX_POINT_BITS else None
    return _polynomial_power(node, name)


def _polynomial_power(node: Node, name: str) -> Any:
    if isinstance(node, Quotient):
        over, under = _polynomial(node.over, name), rational(node.under)
        return None if over is None or not under else over / under
    if not isinstance(node, Power):
        return None
    base, exponent = _polynomial(node.base, name), rational(node.exponent)
    if base is None or exponent is None or exponent.q != 1:
        return None
    if not 0 <= exponent <= MAX_DEGREE or base.degree() * exponent > MAX_DEGREE:
        return None
    return base ** int(exponent.p)


def _real_roots(polynomials: list[Any]) -> list[tuple[Rational, Rational]] | None:
    """Return an interval around each real root, in order; None where there may be too many."""
    if all(polynomial.degree() == 1 for polynomial in polynomials):
        roots = {str(root): root for root in (-p[0] / p[1] for p in polynomials)}
        return [(root, root) for root in sorted(roots.values())]
    product = fmpq_poly([1])
    for polynomial in polynomials:
        product *= polynomial
        if product.degree() > MAX_DEGREE:
            return None
    if max(fmpz(c).bit_length() for c in product.numer().coeffs()) > MAX_POINT_BITS:
        return None
    with flint.ctx.workprec(128):
        complex_roots: list[Any] = product.numer().complex_roots()
    found = [root.real for root, _ in complex_roots if root.imag == 0]
    return sorted((_exactly(root.lower()), _exactly(root.upper())) for root in found)


def _exactly(ball: Any) -> Rational:
    """Return the middle of a ball; of a huge or tiny one only that it is out of reach."""
    digits, exponent = ball.mid().man_exp()
    if abs(exponent) > 2 * MAX_POINT_BITS:
        return _TOO_FAR
    return fmpq(digits) * fmpq(2) ** int(exponent)


# ---------------------------------------------------------------------------------------------
# Several variables: beyond all constants


def _reach(node: Node) -> Rational:
    """Return the product of the sizes of all constants in an expression (1/c for c < 1)."""
    if type(node) is Symbol:
        return ONE
    parts = below(node)
    if not parts or rational(node) is not None or not _has_symbol(node):
        return _reach_of_constant(node)
    product = ONE
    for part in parts:
        product *= _reach(part)
        if product.height_bits() > 2 * MAX_POINT_BITS:
            return _TOO_FAR
    return product


def _has_symbol(node: Node) -> bool:
    return any(type(item) is Symbol for item in walk(node))


def _reach_of_constant(node: Node) -> Rational:
    size = node.value if isinstance(node, Number) else rational(node)
    if size is None:
        try:
            size = _exactly(abs(enclose(node, {}, bits=64, complex_=True)).mid())
        except NO_VALUE:
            return _TOO_FAR
    size = abs(size)
    if size.height_bits() > 2 * MAX_POINT_BITS:
        return _TOO_FAR
    return ONE if size == 0 else max(size, 1 / size)
