r"""A key by which equal structures are recognised, whatever the order of terms and factors.

It names uninterpreted notation (`f(x)`, a sum left standing) so that it can be compared. Nothing
cancels in it: `x + ln x - ln x` keeps its domain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Final, NamedTuple, TypeAlias

from rlrewards.verify.rationals import MAX_BITS, ONE, ZERO, call, power, rational
from rlrewards.verify.tree import (
    Apply,
    Based,
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
    Standing,
    Sum,
    Symbol,
)


class _Terms(NamedTuple):
    """A sum of products: each a coefficient and factors (text, exponent)."""

    terms: tuple[tuple[Rational, tuple[tuple[str, Rational], ...]], ...]


def canonical(node: Node) -> str:
    """Return a key that trees share when they differ in order, signs and fractions alone.

    Sums and products are flattened and sorted, a quotient is a product with the power -1, numbers
    are folded, and the variable that a sum, an integral or a limit binds has no name.
    """
    return _text(_fold(node, {}))


def same_structure(left: Node, right: Node) -> bool:
    """Whether two trees have the same canonical key."""
    return canonical(left) == canonical(right)


_Bound: TypeAlias = Mapping[str, str]
"""What bound variables are called; under "" stands how many have been numbered."""


def _atom(text: str) -> _Terms:
    return _Terms(((ONE, ((text, ONE),)),))


def _number(value: Rational) -> _Terms:
    return _Terms(((value, ()),))


def _value(folded: _Terms) -> Rational | None:
    """Return the value of what is nothing but a number."""
    if len(folded.terms) == 1 and not folded.terms[0][1]:
        return folded.terms[0][0]
    return None


def _text(folded: _Terms) -> str:
    texts = sorted(_term_text(*term) for term in folded.terms)
    return texts[0] if len(texts) == 1 else f"(+ {' '.join(texts)})"


def _term_text(coefficient: Rational, factors: tuple[tuple[str, Rational], ...]) -> str:
    if not factors:
        return str(coefficient)
    texts = [text if exponent == 1 else f"(^ {text} {exponent})" for text, exponent in factors]
    if coefficient == 1 and len(texts) == 1:
        return texts[0]
    return f"(* {coefficient} {' '.join(sorted(texts))})"


def _fold(node: Node, bound: _Bound) -> _Terms:
    rule = _FOLDS.get(type(node))
    return _atom(_generic(node, bound)) if rule is None else rule(node, bound)


def _key(node: Node, bound: _Bound) -> str:
    return _text(_fold(node, bound))


def _generic(value: object, bound: _Bound) -> str:
    """Return the key of a node by its type and its fields, in order."""
    if isinstance(value, tuple):
        return f"[{' '.join(_generic(item, bound) for item in value)}]"
    if isinstance(value, frozenset):
        return _generic(tuple(sorted(value)), bound)
    if not isinstance(value, Node):
        return repr(value)
    if type(value) in _FOLDS:
        return _key(value, bound)
    parts = [_generic(getattr(value, item.name), bound) for item in fields(value)]
    return f"({type(value).__name__} {' '.join(parts)})"


def _fold_symbol(node: Symbol, bound: _Bound) -> _Terms:
    return _atom(bound.get(node.name) or _named(node.name, bound))


def _named(name: str, bound: _Bound) -> str:
    """Return a name with what is bound in its subscript renamed: that of x_i goes with i."""
    stem, line, subscript = name.partition("_")
    if not line or not bound:
        return repr(name)
    for letter in sorted(bound, key=len, reverse=True):
        if letter:
            subscript = subscript.replace(letter, bound[letter])
    return repr(f"{stem}_{subscript}")


def _fold_based(node: Based, bound: _Bound) -> _Terms:
    value = rational(node)
    return _atom(f"(based {node.digits!r} {node.base})") if value is None else _number(value)


def _fold_sum(node: Sum, bound: _Bound) -> _Terms:
    constant, terms = ZERO, []
    for item in node.terms:
        for coefficient, factors in _fold(item, bound).terms:
            if factors or (constant + coefficient).height_bits() > MAX_BITS:
                terms.append((coefficient, factors))
            else:
                constant += coefficient
    if constant != 0 or not terms:
        terms.append((constant, ()))
    return _Terms(tuple(terms))


def _fold_product(node: Product, bound: _Bound) -> _Terms:
    folded = _number(ONE)
    for factor in node.factors:
        folded = _times(folded, _fold(factor, bound))
    return folded


def _times(left: _Terms, right: _Terms) -> _Terms:
    for one, other in ((left, right), (right, left)):
        value = _value(one)
        if value is not None and value != 0:
            return _Terms(tuple((value * c, factors) for c, factors in other.terms))
    (c, above), (d, below) = _as_factors(left), _as_factors(right)
    return _Terms(((c * d, above + below),))


def _as_factors(folded: _Terms) -> tuple[Rational, tuple[tuple[str, Rational], ...]]:
    """Return one term as it is, and a sum as one factor."""
    return folded.terms[0] if len(folded.terms) == 1 else (ONE, ((_text(folded), ONE),))


def _fold_negative(node: Negative, bound: _Bound) -> _Terms:
    return _times(_number(-ONE), _fold(node.operand, bound))


def _fold_quotient(node: Quotient, bound: _Bound) -> _Terms:
    return _times(_fold(node.over, bound), _raised(_fold(node.under, bound), -ONE))


def _fold_power(node: Power, bound: _Bound) -> _Terms:
    base, exponent = _fold(node.base, bound), _fold(node.exponent, bound)
    value = _value(exponent)
    if value is None:
        return _atom(f"(^ {_text(base)} {_text(exponent)})")
    return _raised(base, value)


def _fold_root(node: Root, bound: _Bound) -> _Terms:
    degree = _value(_fold(node.degree, bound))
    if not degree:
        return _atom(f"(root {_key(node.radicand, bound)} {_key(node.degree, bound)})")
    return _raised(_fold(node.radicand, bound), 1 / degree)


def _raised(base: _Terms, exponent: Rational) -> _Terms:
    """Return a power; a whole one goes into a product, no other does: √(x²) is not x."""
    value = _value(base)
    if value is not None:
        worth = power(value, exponent)
        return _Terms(((ONE, ((str(value), exponent),)),)) if worth is None else _number(worth)
    coefficient, factors = _as_factors(base)
    outer = power(coefficient, exponent) if exponent.q == 1 else None
    if outer is not None and (exponent == -1 or all(inner.q == 1 for _, inner in factors)):
        return _Terms(((outer, tuple((text, e * exponent) for text, e in factors)),))
    if coefficient == 1 and len(factors) == 1 and factors[0][1] == 1:
        return _Terms(((ONE, ((factors[0][0], exponent),)),))
    return _Terms(((ONE, ((_text(base), exponent),)),))


_UNORDERED: Final = frozenset({"gcd", "lcm", "max", "min"})


def _fold_call(node: Call, bound: _Bound) -> _Terms:
    folded = [_fold(argument, bound) for argument in node.arguments]
    worths = [_value(item) for item in folded]
    if None not in worths and (worth := call(node.name, worths)) is not None:
        return _number(worth)
    keys = [_text(item) for item in folded]
    if node.name == "exp" and len(keys) == 1:
        return _raised(_atom("@e"), worths[0]) if worths[0] else _atom(f"(^ @e {keys[0]})")
    keys = sorted(keys) if node.name in _UNORDERED else keys
    return _atom(f"({node.name} {' '.join(keys)})")


def _fold_apply(node: Apply, bound: _Bound) -> _Terms:
    name = _named(node.name, bound)
    return _atom(f"({name} {' '.join(_key(item, bound) for item in node.arguments)})")


_BINDING: Final = frozenset({"sum", "product", "integral", "limit"})


def _fold_standing(node: Standing, bound: _Bound) -> _Terms:
    """Fold what stands unevaluated; only where there are bounds is its variable a bound one."""
    inner = bound
    if node.kind in _BINDING and isinstance(node.variable, Symbol) and node.lower is not None:
        count = int(bound.get("", "0"))
        inner = {**bound, node.variable.name: f"${count}", "": str(count + 1)}
    parts = [
        "-" if part is None else _key(part, scope)
        for part, scope in (
            *((node.body, inner), (node.variable, inner)),
            *((node.lower, bound), (node.upper, bound)),
        )
    ]
    return _atom(f"(standing {node.kind} {node.marks!r} {' '.join(parts)})")


_FOLDS: Final[dict[type[Node], Callable[[Any, _Bound], _Terms]]] = {
    Number: lambda node, bound: _number(node.value),
    Constant: lambda node, bound: _atom(f"@{node.name}"),
    Symbol: _fold_symbol,
    Based: _fold_based,
    Negative: _fold_negative,
    Sum: _fold_sum,
    Product: _fold_product,
    Quotient: _fold_quotient,
    Power: _fold_power,
    Root: _fold_root,
    Call: _fold_call,
    Apply: _fold_apply,
    Standing: _fold_standing,
}
