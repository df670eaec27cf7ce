"""Trees made from trees: one letter for another, a number for a letter, signs and units spelt out.

Comparisons use these to bring two answers to one spelling before they compare values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, Final

import flint

from rlrewards.verify.survey import kinds_of
from rlrewards.verify.tree import (
    PI,
    Approximate,
    Based,
    Expression,
    Matrix,
    Measure,
    Negative,
    Node,
    Number,
    Percent,
    PlusMinus,
    Product,
    Quotient,
    Ratio,
    Sum,
)
from rlrewards.verify.units import Unit

DEGREE: Final = "angle"
MARKS: Final = (Approximate, Percent, Measure, PlusMinus, Ratio, Based)
"""Expressions that are more than their value."""


PLAIN: Final = frozenset(Expression.__subclasses__()) - {*MARKS}
"""Expressions that are nothing but their value."""

_PLAIN_INSIDE: Final = PLAIN | {Matrix}


def number(value: Any) -> Number:
    """Return the node of a rational number."""
    return Number(flint.fmpq(value))


def rebuilt(node: Node, change: Callable[[Node], Node]) -> Node:
    """Return the tree with every node changed, those below first."""
    fresh = {}
    for item in fields(node):
        old = getattr(node, item.name)
        new = _rebuilt(old, change)
        if new is not old:
            fresh[item.name] = new
    return change(replace(node, **fresh) if fresh else node)


def _rebuilt(value: Any, change: Callable[[Node], Node]) -> Any:
    if isinstance(value, Node):
        return rebuilt(value, change)
    if isinstance(value, tuple):
        new = tuple(_rebuilt(item, change) for item in value)
        return value if all(a is b for a, b in zip(new, value, strict=True)) else new
    return value


def substituted(node: Node, old: Node, new: Node) -> Node:
    """Return the tree with `new` wherever `old` stood."""
    return rebuilt(node, lambda item: new if item == old else item)


def difference(left: Node, right: Node) -> Node:
    """Return left - right, not worked out."""
    return Sum((left, Negative(right)))


def scaled(node: Node, factor: Any) -> Node:
    """Return a multiple of an expression; that of a number is a number."""
    factor = flint.fmpq(factor)
    if factor == 1:
        return node
    if isinstance(node, Number):
        place = None if node.place is None else node.place * factor
        return Number(node.value * factor, node.digits, place)
    if isinstance(node, Negative) and isinstance(node.operand, Number):
        return Negative(scaled(node.operand, factor))
    return Product((Number(factor), node))


def is_degree(unit: Unit | None) -> bool:
    """Whether a unit is the degree of an angle."""
    return unit is not None and unit.dimension == DEGREE and unit.factor == 1


def in_radians(node: Node) -> Node:
    """Return the number of radians in so many degrees."""
    return Quotient(Product((PI, node)), number(180))


def bare(node: Node) -> Node | None:
    """Return an expression without marks: degrees as radians, p % as p/100.

    None where other units, ratios or shapes stand in it.
    """
    if isinstance(node, Approximate):
        node = node.operand
    if is_plain(node):
        return node
    node = rebuilt(node, _unmarked)
    return node if is_plain(node) else None


def _unmarked(node: Node) -> Node:
    if isinstance(node, Percent):
        return Quotient(node.operand, number(100))
    if isinstance(node, Measure) and is_degree(node.unit):
        return in_radians(node.operand)
    return node


def is_plain(node: Node) -> bool:
    """Whether a tree is an expression through and through, without marks.

    Matrices may stand in it, as that of a determinant does.
    """
    return type(node) is not Matrix and kinds_of(node) <= _PLAIN_INSIDE
