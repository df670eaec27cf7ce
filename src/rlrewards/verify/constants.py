r"""Letters that stand for any number: the C of an antiderivative, the C₁ and C₂ of a solution.

`x^2 + C` is met by `x^2 + K`, `x^2 - C_1` and `x^2 + C + 1`, and `c_1 e^x + c_2 e^{-x}` by
`A e^x + B e^{-x}`: such a letter may be renamed, and a lone one scaled and shifted.
"""

from __future__ import annotations

import re
from itertools import permutations
from typing import Final

from rlrewards.verify.decision import Decision, different, equal, undecided
from rlrewards.verify.exact import differ_by_constant
from rlrewards.verify.numeric import constant_difference
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
