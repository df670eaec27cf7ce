"""Numbers with a written base: digits and base must agree; the base may be left to the question."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

from rlrewards.verify.comparisons.exactly import different, equal, undecided
from rlrewards.verify.comparisons.relations import chain_for_value
from rlrewards.verify.decision import Decision, Terms
from rlrewards.verify.tree import Based, Expression, Node, Number, Product, Relation, Symbol

MAX_DIGITS: Final = 2_000


def for_based(ours: Node, gold: Based, terms: Terms) -> Decision:
    """Compare with a reference such as `1101_2`."""
    if isinstance(ours, Relation):
        return chain_for_value(ours, gold, terms)
    if isinstance(ours, Based):
        return _both_based(ours, gold)
    digits = _digits(ours)
    if digits is None:
        unread = isinstance(ours, Expression)
        return undecided("an expression for digits") if unread else different("no number")
    if digits != _without_zeros(gold.digits):
        return different(f"{digits} for {gold.digits} in base {gold.base}")
    if not terms.conventions.optional_base:
        return different("the base is missing")
    return equal("the same digits, the base left out")


def _both_based(ours: Based, gold: Based) -> Decision:
    if ours.base != gold.base:
        return different(f"base {ours.base} for base {gold.base}")
    same = _without_zeros(ours.digits) == _without_zeros(gold.digits)
    return equal("the same digits") if same else different("other digits")


def _without_zeros(digits: str) -> str:
    return digits.upper().lstrip("0") or "0"


def _digits(node: Node) -> str | None:
    """Return the digits of a whole number, letters among them: `1A` is read as 1·A."""
    if isinstance(node, Product):
        return _joined(node.factors)
    if isinstance(node, Symbol):
        return node.name.upper() if node.name.isalpha() else None
    if isinstance(node, Number) and node.value.q == 1 and node.digits is None and node.value >= 0:
        return str(node.value.p) if node.value.height_bits() < 3 * MAX_DIGITS else None
    return None


def _joined(factors: tuple[Node, ...]) -> str | None:
    """Join digits and letters that stand side by side; two numbers are a product."""
    parts = [_digits(factor) for factor in factors]
    if any(isinstance(a, Number) and isinstance(b, Number) for a, b in pairwise(factors)):
        return None
    return None if None in parts else "".join(filter(None, parts))


_NAMES_A_BASE: Final = re.compile(
    r"\bbase\b|_\{?\d|\b(?:binary|ternary|octal|hex(?:adecimal)?)\b|\bbasis\b", re.IGNORECASE
)


def based_for_value(ours: Based, gold: Node, terms: Terms) -> Decision:
    """Compare `1101_2` with a reference without a base: the question must ask for one."""
    decision = for_based(gold, ours, terms)
    if not decision.is_equal or ours.base == 10 or _NAMES_A_BASE.search(terms.prompt or ""):
        return decision
    return undecided(f"base {ours.base} for a number without a base")
