r"""Letters that stand for any number: the C of an antiderivative, the C₁ and C₂ of a solution.

`x^2 + C` is met by `x^2 + K`, `x^2 - C_1` and `x^2 + C + 1`, and `c_1 e^x + c_2 e^{-x}` by
`A e^x + B e^{-x}`: such a letter may be renamed, and a lone one scaled and shifted.
"""

from __future__ import annotations

import re
from itertools import combinations, permutations
from typing import Final

from rlrewards.verify.decision import Decision, different, equal, undecided
from rlrewards.verify.exact import differ_by_constant, proportion
from rlrewards.verify.numeric import constant_difference, constant_quotient
from rlrewards.verify.rationals import ONE, ZERO, rational
from rlrewards.verify.tree import (
    Negative,
    Node,
    Number,
    Product,
    Quotient,
    Rational,
    Standing,
    Sum,
    Symbol,
    symbols_of,
    walk,
)
from rlrewards.verify.verdict import Tier

ARBITRARY: Final = re.compile(r"[Cc]_\d")
_OTHER_ARBITRARY: Final = re.compile(r"[Cc]_\d|[ABCDK]")
_OF_INTEGRATION: Final = re.compile(r"[CKck](?:_\d)?")
MAX_CONSTANTS: Final = 3


# ---------------------------------------------------------------------------------------------
# One constant of integration


def constants_of_integration(ours: Node, gold: Node, names: frozenset[str]) -> Decision | None:
    """Compare F + C with G + K: G - F must be constant. None when the reference has no such C.

    Args:
        ours: The answer.
        gold: The reference.
        names: The variables of the reference.
    """
    rest = names - {"C"}
    if len(names) != 2 or len(rest) != 1 or next(iter(rest)).isupper():
        return None
    target = without_constant(gold, "C")
    if target is None or symbols_of(target) != rest:
        return None
    spare = symbols_of(ours) - rest
    if len(spare) != 1 or not _OF_INTEGRATION.fullmatch(name := next(iter(spare))):
        return _constant_is_missing(ours) if not spare else None
    other = without_constant(ours, name)
    if other is None or symbols_of(other) != rest:
        return None
    exact = differ_by_constant(other, target)
    if exact is not None:
        return equal(Tier.EXACT, "they differ by a constant") if exact else _NOT_BY_A_CONSTANT
    decision = constant_difference(other, target)
    return _NOT_BY_A_CONSTANT if decision.is_different else decision


_NOT_BY_A_CONSTANT: Final = different(Tier.NUMERIC, "they differ by more than a constant")


def _constant_is_missing(ours: Node) -> Decision:
    """Without its C an antiderivative is another answer; left standing it may be the same."""
    if any(isinstance(item, Standing) for item in walk(ours)):
        return undecided(Tier.NUMERIC, "an antiderivative left standing")
    return different(Tier.EXACT, "the constant of integration is missing")


def without_constant(node: Node, name: str) -> Node | None:
    """Return what is left where a letter is 0, if a rational multiple of it is all that is added.

    None where the letter is not in it, or stands in a product, a power or a function.
    """
    factor = coefficient(node, name)
    return None if factor is None or factor == 0 else _with_zero(node, name)


def coefficient(node: Node, name: str) -> Rational | None:
    """Return c in an expression `… + c·name`, None where it is not linear with a rational c."""
    if isinstance(node, Symbol):
        return ONE if node.name == name else ZERO
    if isinstance(node, Negative):
        inside = coefficient(node.operand, name)
        return None if inside is None else -inside
    if isinstance(node, Sum):
        return _total(node.terms, name)
    if Symbol(name) not in walk(node):
        return ZERO
    if isinstance(node, Quotient):
        return _of_product((node.over,), name, rational(node.under))
    return _of_product(node.factors, name, ONE) if isinstance(node, Product) else None


def _total(terms: tuple[Node, ...], name: str) -> Rational | None:
    total = ZERO
    for term in terms:
        part = coefficient(term, name)
        if part is None:
            return None
        total += part
    return total


def _of_product(factors: tuple[Node, ...], name: str, under: Rational | None) -> Rational | None:
    total: Rational | None = None
    outside = ONE
    for factor in factors:
        value = rational(factor)
        if value is not None:
            outside *= value
        elif total is None:
            total = coefficient(factor, name)
        else:
            return None
    return None if total is None or not under else total * outside / under


def _with_zero(node: Node, name: str) -> Node:
    """Put 0 for a letter that an expression is linear in."""
    if isinstance(node, Symbol):
        return Number(ZERO) if node.name == name else node
    if isinstance(node, Negative):
        return Negative(_with_zero(node.operand, name))
    if isinstance(node, Sum):
        rest = tuple(term for term in node.terms if not _is_alone(term, name))
        if len(rest) < 2:
            return _with_zero(rest[0], name) if rest else Number(ZERO)
        return Sum(tuple(_with_zero(term, name) for term in rest))
    if isinstance(node, Quotient):
        return Quotient(_with_zero(node.over, name), node.under)
    if isinstance(node, Product):
        return Product(tuple(_with_zero(factor, name) for factor in node.factors))
    return node


def _is_alone(term: Node, name: str) -> bool:
    return symbols_of(term) == {name}


# ---------------------------------------------------------------------------------------------
# Several arbitrary constants


def renamings(ours: frozenset[str], gold: frozenset[str]) -> list[dict[str, str]]:
    """Return the ways to call the arbitrary constants of an answer as the reference does.

    None at all unless the reference numbers its constants, and the answer has as many.
    """
    targets = sorted(name for name in gold if ARBITRARY.fullmatch(name))
    spare = sorted(ours - (gold - {*targets}))
    if not 0 < len(targets) <= MAX_CONSTANTS or len(spare) != len(targets):
        return []
    if len(gold) == len(targets) or not all(map(_OTHER_ARBITRARY.fullmatch, spare)):
        return []
    return [dict(zip(spare, order, strict=True)) for order in permutations(targets)]


def are_arbitrary(gold: Node) -> bool:
    """Whether the numbered constants of a reference are those of a solution, not quantities given.

    A solution holds one other letter, is linear in its constants, and none of what they stand
    before is a multiple of another: else fewer of them would do.
    """
    names = symbols_of(gold)
    constants = sorted(name for name in names if ARBITRARY.fullmatch(name))
    others = names.difference(constants)
    if len(others) != 1 or not next(iter(others)).islower():
        return False
    if not 0 < len(constants) <= MAX_CONSTANTS or not _is_linear(gold, frozenset(constants)):
        return False
    pairs = combinations([_cofactor(gold, name) for name in constants], 2)
    return not any(_may_be_multiples(*pair) for pair in pairs)


def _is_linear(node: Node, names: frozenset[str]) -> bool:
    if isinstance(node, Symbol) or names.isdisjoint(symbols_of(node)):
        return True
    if isinstance(node, Quotient):
        return names.isdisjoint(symbols_of(node.under)) and _is_linear(node.over, names)
    if isinstance(node, Product):
        held = [part for part in node.factors if not names.isdisjoint(symbols_of(part))]
        return len(held) == 1 and _is_linear(held[0], names)
    return isinstance(node, Sum | Negative) and all(
        _is_linear(part, names) for part in node.children()
    )


def _cofactor(node: Node, name: str) -> Node:
    """Return what a letter is multiplied by in an expression that is linear in it."""
    if name not in symbols_of(node):
        return Number(ZERO)
    if isinstance(node, Quotient):
        return Quotient(_cofactor(node.over, name), node.under)
    if isinstance(node, Product):
        held = (
            _cofactor(part, name) if name in symbols_of(part) else part for part in node.factors
        )
        return Product(tuple(held))
    if isinstance(node, Negative):
        return Negative(_cofactor(node.operand, name))
    if isinstance(node, Sum):
        held = (_cofactor(term, name) for term in node.terms if name in symbols_of(term))
        parts = tuple(held)
        return parts[0] if len(parts) == 1 else Sum(parts)
    return Number(ONE)


def _may_be_multiples(one: Node, other: Node) -> bool:
    if symbols_of(one) != symbols_of(other) and not (symbols_of(one) and symbols_of(other)):
        return False  # a number, and an expression in the variable
    same, _ = proportion(one, other)
    return same if same is not None else not constant_quotient(one, other)[0].is_different
