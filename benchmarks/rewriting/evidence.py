"""Whether a rewritten reference is certainly another value, or certainly the same, kind by kind.

Both sides are read by the generator's own grammar and compared in floating point at fixed points;
whatever cannot be compared so is neither.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from rewriting.reading import NAME, Reading, ends_of, exact, split
from rewriting.values import (
    agree,
    differ,
    differ_by_more_than_a_constant,
    differ_by_more_than_a_factor,
)

Compare = Callable[[Reading, Reading], bool]
MIRROR = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "!=": "!="}
SINGLE = frozenset(["number", "expression"])


def certainly_differs(one: Reading, other: Reading | None) -> bool:
    """Whether the two are plainly different, by evidence."""
    if other is None or _family(one) != _family(other):
        return False
    return _DIFFERENT[_family(one)](one, other)


def certainly_same(one: Reading, other: Reading | None) -> bool:
    """Whether the two are plainly the same, by evidence."""
    if other is None or _family(one) != _family(other) or _family(one) not in _SAME:
        return False
    return _SAME[_family(one)](one, other)


def _family(reading: Reading) -> str:
    return "expression" if reading.kind in SINGLE else reading.kind


def _cells(item: str) -> list[str]:
    """Return the coordinates of a point, or the item itself."""
    return split(item[1:-1], frozenset([","]))[0] if re.fullmatch(r"\(.*,.*\)", item) else [item]


def _item_differs(one: str, other: str) -> bool:
    left, right = _cells(one), _cells(other)
    return len(left) != len(right) or any(map(differ, left, right))


def _item_agrees(one: str, other: str) -> bool:
    left, right = _cells(one), _cells(other)
    return len(left) == len(right) and all(map(agree, left, right))


def _known(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether any two items are plainly the same or plainly different."""
    items = [*one, *other]
    return all(_item_agrees(a, b) or _item_differs(a, b) for a in items for b in items)


def _multiset_differs(one: Sequence[str], other: Sequence[str]) -> bool:
    if not _known(one, other):
        return False
    return len(one) != len(other) or any(
        sum(_item_agrees(item, a) for a in one) != sum(_item_agrees(item, b) for b in other)
        for item in one
    )


def _set_differs(one: Sequence[str], other: Sequence[str]) -> bool:
    def missing(items: Sequence[str], among: Sequence[str]) -> bool:
        return any(not any(_item_agrees(item, a) for a in among) for item in items)

    return _known(one, other) and (missing(one, other) or missing(other, one))


def _tuple_differs(one: Sequence[str], other: Sequence[str]) -> bool:
    return len(one) != len(other) or any(map(differ, one, other))


def _pieces(reading: Reading) -> list[tuple[str, tuple[float, float] | None, str]]:
    return sorted((piece[0], ends_of(piece), piece[-1]) for piece in reading.parts)


def _solved(reading: Reading) -> tuple[str, ...]:
    """Return an inequality read from small to large."""
    parts = list(reading.parts)
    if parts[1][0] == ">":
        parts = [MIRROR.get(part, part) for part in reversed(parts)]
    if parts[1] == "!=" and not NAME.fullmatch(parts[0]):
        parts.reverse()
    return tuple(parts)


def _inequality_differs(one: Reading, other: Reading) -> bool:
    left, right = _solved(one), _solved(other)
    if len(left) != len(right):
        return False
    return any(
        a != b and (a in MIRROR or b in MIRROR or bool(NAME.fullmatch(a)) or differ(a, b))
        for a, b in zip(left, right, strict=True)
    )


def _inequality_agrees(one: Reading, other: Reading) -> bool:
    left, right = _solved(one), _solved(other)
    return len(left) == len(right) and all(
        a == b or (not {a, b} & set(MIRROR) and agree(a, b))
        for a, b in zip(left, right, strict=True)
    )


def _matrix_cells(reading: Reading) -> list[list[str]]:
    return [[cell.strip() for cell in row.split("&")] for row in reading.parts]


def _matrix_differs(one: Reading, other: Reading) -> bool:
    left, right = _matrix_cells(one), _matrix_cells(other)
    if [len(row) for row in left] != [len(row) for row in right]:
        return True
    return any(any(map(differ, a, b)) for a, b in zip(left, right, strict=True))


def _values(reading: Reading) -> list[object]:
    return [exact(part) for part in reading.parts]


def _residual(reading: Reading) -> str:
    return f"({reading.parts[0]})-({reading.parts[1]})"


_DIFFERENT: dict[str, Compare] = {
    "expression": lambda a, b: differ(a.body, b.body),
    "antiderivative": lambda a, b: differ_by_more_than_a_constant(a.parts[0], b.parts[0]),
    "list": lambda a, b: _multiset_differs(a.parts, b.parts),
    "roots": lambda a, b: a.parts[0] == b.parts[0] and _multiset_differs(a.parts[1:], b.parts[1:]),
    "set": lambda a, b: _set_differs(a.parts, b.parts),
    "tuple": lambda a, b: _tuple_differs(a.parts, b.parts),
    "interval": lambda a, b: _pieces(a) != _pieces(b),
    "inequality": _inequality_differs,
    "assignment": lambda a, b: a.parts[0] == b.parts[0] and differ(a.parts[1], b.parts[1]),
    "equation": lambda a, b: differ_by_more_than_a_factor(_residual(a), _residual(b)),
    "matrix": _matrix_differs,
    "percent": lambda a, b: a.number != b.number,
    "degrees": lambda a, b: a.number != b.number,
    "quantity": lambda a, b: a.parts[1] == b.parts[1] and a.number != b.number,
    "ratio": lambda a, b: differ("/".join(a.parts), "/".join(b.parts)),
    "base": lambda a, b: a.parts != b.parts,
    "family": lambda a, b: False,
    "plus_minus": lambda a, b: differ(f"({a.parts[0]})^2", f"({b.parts[0]})^2"),
    "word": lambda a, b: False,
    "letter": lambda a, b: a.body != b.body,
}
_SAME: dict[str, Compare] = {
    "expression": lambda a, b: agree(a.body, b.body),
    "antiderivative": lambda a, b: agree(a.parts[0], b.parts[0]),
    "list": lambda a, b: _known(a.parts, b.parts) and not _multiset_differs(a.parts, b.parts),
    "set": lambda a, b: _known(a.parts, b.parts) and not _set_differs(a.parts, b.parts),
    "tuple": lambda a, b: len(a.parts) == len(b.parts) and all(map(agree, a.parts, b.parts)),
    "interval": lambda a, b: _pieces(a) == _pieces(b),
    "inequality": _inequality_agrees,
    "assignment": lambda a, b: a.parts[0] == b.parts[0] and agree(a.parts[1], b.parts[1]),
}
