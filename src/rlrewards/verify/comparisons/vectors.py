r"""Matrices and vectors that are written as sums, products and multiples of others.

`\frac12 M`, `u + t v`, `M^T`, `3\mathbf i - 4\mathbf j` and `P(1,2)` are worked out entry by entry,
so that they can be compared with a matrix or a tuple. What leaves a computation with numbers undone
(`AB`, `A + B`) says so: under the convention on forms it is no answer yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from rlrewards.verify.comparisons.rewriting import number
from rlrewards.verify.exact import rational
from rlrewards.verify.rationals import bits
from rlrewards.verify.tree import (
    Apply,
    Bracket,
    Constant,
    Expression,
    Matrix,
    Negative,
    Node,
    Power,
    Product,
    Quotient,
    Sum,
    Symbol,
    walk,
)
from rlrewards.verify.values import is_numeral

MAX_SIZE: Final = 8
"""Rows and columns of matrices that are multiplied."""

MAX_ENTRIES: Final = 100
MAX_BITS: Final = 1_000
"""Longest numbers of two matrices that are multiplied, together."""

_ONE: Final = number(1)

Rows: TypeAlias = tuple[tuple[Node, ...], ...]


class WorkedOut(NamedTuple):
    """A matrix, and whether numbers had to be added or multiplied to get it."""

    matrix: Matrix
    undone: bool


def matrix_of(node: Node) -> WorkedOut | None:
    """Work a matrix out of its multiples, sums, products and transposes; None for anything else."""
    if isinstance(node, Matrix):
        return WorkedOut(node, False)
    if sum(isinstance(item, Matrix | Bracket) for item in walk(node)) > MAX_SIZE:
        return None
    return _worked_out(node)


def _worked_out(node: Node) -> WorkedOut | None:
    if isinstance(node, Matrix):
        return WorkedOut(node, False) if _is_small(node.rows) else None
    if isinstance(node, Bracket):
        return _column(node)
    if isinstance(node, Negative):
        return _times(number(-1), _worked_out(node.operand))
    if isinstance(node, Quotient) and isinstance(node.under, Expression):
        return _times(Quotient(number(1), node.under), _worked_out(node.over))
    if isinstance(node, Power) and node.exponent == Symbol("T"):
        return _transposed(node.base)
    if isinstance(node, Product):
        return _product(node.factors)
    return _sum(node.terms) if isinstance(node, Sum) else None


def _is_small(rows: Rows) -> bool:
    return bool(rows) and sum(map(len, rows)) <= MAX_ENTRIES and len(set(map(len, rows))) == 1


def _column(node: Bracket) -> WorkedOut | None:
    """Read a vector in round or angled brackets as a column."""
    if (node.left, node.right) not in (("(", ")"), ("⟨", "⟩")) or len(node.items) < 2:
        return None
    if not all(isinstance(item, Expression) for item in node.items):
        return None
    return WorkedOut(Matrix(tuple((item,) for item in node.items)), False)


def _transposed(node: Node) -> WorkedOut | None:
    if isinstance(node, Bracket):
        return _column(node)
    inside = _worked_out(node)
    if inside is None:
        return None
    return WorkedOut(Matrix(tuple(zip(*inside.matrix.rows, strict=True))), inside.undone)


def _times(factor: Node, inside: WorkedOut | None) -> WorkedOut | None:
    if inside is None:
        return None
    rows = tuple(tuple(_scaled(factor, entry) for entry in row) for row in inside.matrix.rows)
    return WorkedOut(Matrix(rows), inside.undone)


def _scaled(factor: Node, entry: Node) -> Node:
    """Multiply; a number that was no numeral before keeps showing it."""
    left, right = rational(factor), rational(entry)
    if entry == _ONE:
        return factor
    if right == 0 and is_numeral(entry):
        return entry
    if left is None or right is None or not (is_numeral(factor) and is_numeral(entry)):
        return Product((factor, entry))
    return number(left * right)


def _product(factors: Sequence[Node]) -> WorkedOut | None:
    scalars = [item for item in factors if isinstance(item, Expression) and not _holds(item)]
    others = [_worked_out(item) for item in factors if item not in scalars]
    if not others or None in others:
        return None
    total = others[0]
    for other in others[1:]:
        total = None if total is None or other is None else _multiplied(total.matrix, other.matrix)
    for scalar in scalars:
        total = _times(scalar, total)
    return total


def _holds(node: Node) -> bool:
    return any(isinstance(item, Matrix | Bracket) for item in walk(node))


def _multiplied(left: Matrix, right: Matrix) -> WorkedOut | None:
    columns = tuple(zip(*right.rows, strict=True))
    if len(left.rows[0]) != len(right.rows) or max(len(left.rows), len(right.rows)) > MAX_SIZE:
        return None
    rows = []
    for row in left.rows:
        entries = [_scalar_product(row, column) for column in columns]
        if None in entries:
            return None
        rows.append(tuple(entry for entry in entries if entry is not None))
    return WorkedOut(Matrix(tuple(rows)), True)


def _scalar_product(row: Sequence[Node], column: Sequence[Node]) -> Node | None:
    total: Any = 0
    for one, other in zip(row, column, strict=True):
        left, right = rational(one), rational(other)
        if left is None or right is None or bits(left) + bits(right) > MAX_BITS:
            return None
        total += left * right
    return number(total)


def _sum(terms: Sequence[Node]) -> WorkedOut | None:
    parts = [_worked_out(term) for term in terms]
    known = [part for part in parts if part is not None]
    shapes = {tuple(map(len, part.matrix.rows)) for part in known}
    if len(known) != len(parts) or len(shapes) != 1:
        return None
    rows = tuple(
        tuple(_added(entries) for entries in zip(*rows, strict=True))
        for rows in zip(*(part.matrix.rows for part in known), strict=True)
    )
    return WorkedOut(Matrix(rows), True)


def _added(entries: Sequence[Node]) -> Node:
    values = [rational(entry) for entry in entries]
    if None not in values:
        return number(sum(values))
    left = [entry for entry, value in zip(entries, values, strict=True) if value != 0]
    return left[0] if len(left) == 1 else Sum(tuple(left))


# ---------------------------------------------------------------------------------------------
# Tuples


def tuple_of(node: Node, size: int) -> Bracket | None:
    """Read an expression as the point or vector that it names; None where it is none."""
    named = named_point(node)
    if named is not None:
        return named
    units = by_unit_vectors(node)
    if units is None:
        return None
    return Bracket("(", units if size <= len(units) else (*units, number(0)), ")")


def named_point(node: Node) -> Bracket | None:
    """Read `P(1,2)`: a capital letter before a bracket names a point."""
    if isinstance(node, Product) and len(node.factors) == 2:
        name, inside = node.factors
        is_point = isinstance(name, Symbol) and name.name[0].isupper() and len(name.name) <= 3
        return inside if is_point and isinstance(inside, Bracket) else None
    if isinstance(node, Apply) and node.name.isupper() and len(node.name) == 1:
        return Bracket("(", node.arguments, ")") if len(node.arguments) > 1 else None
    return None


_UNITS: Final = {"i": 0, "j": 1, "k": 2}


def by_unit_vectors(node: Node) -> tuple[Node, ...] | None:
    r"""Return the two or three entries of `a\mathbf i + b\mathbf j + c\mathbf k`.

    Each term is a multiple of one of the letters, and two of them stand in it at least, or under
    hats and arrows one: `3i` alone is a complex number.
    """
    terms = node.terms if isinstance(node, Sum) else (node,)
    found: dict[int, list[Node]] = {}
    marked = []
    for term in terms:
        read = _along(term)
        if read is None:
            return None
        axis, entry, is_marked = read
        found.setdefault(axis, []).append(entry)
        marked.append(is_marked)
    if len(found) < 2 and not all(marked):
        return None
    size = 3 if 2 in found else 2
    entries = [found.get(axis, [number(0)]) for axis in range(size)]
    return tuple(parts[0] if len(parts) == 1 else Sum(tuple(parts)) for parts in entries)


def _along(term: Node) -> tuple[int, Node, bool] | None:
    """Return axis and coefficient of a multiple of one unit vector, and whether it is marked."""
    unit = _unit(term)
    if unit is not None:
        return (unit[0], number(1), unit[1])
    if isinstance(term, Negative):
        inside = _along(term.operand)
        return None if inside is None else (inside[0], Negative(inside[1]), inside[2])
    if isinstance(term, Quotient):
        inside = _along(term.over)
        if inside is None or _has_units(term.under):
            return None
        return inside[0], Quotient(inside[1], term.under), inside[2]
    return _multiple(term.factors) if isinstance(term, Product) else None


def _multiple(factors: Sequence[Node]) -> tuple[int, Node, bool] | None:
    units = [unit for unit in map(_unit, factors) if unit is not None]
    rest = tuple(item for item in factors if _unit(item) is None)
    if len(units) != 1 or not rest or any(map(_has_units, rest)):
        return None
    return units[0][0], rest[0] if len(rest) == 1 else Product(rest), units[0][1]


def _unit(node: Node) -> tuple[int, bool] | None:
    """Return the axis of a unit vector, and whether it stands under a hat or an arrow."""
    marked = isinstance(node, Apply) and node.name in ("hat", "vec") and len(node.arguments) == 1
    letter = node.arguments[0] if marked and isinstance(node, Apply) else node
    if not isinstance(letter, Constant | Symbol) or letter.name not in _UNITS:
        return None
    return _UNITS[letter.name], marked


def _has_units(node: Node) -> bool:
    return any(_unit(item) is not None for item in walk(node))
