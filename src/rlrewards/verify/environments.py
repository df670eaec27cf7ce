r"""Matrices, cases and aligned lines: what stands between `\begin` and `\end`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rlrewards.verify.tree import Call, Listing, Matrix, Node, Piecewise

if TYPE_CHECKING:
    from rlrewards.verify.grammar import Parser
    from rlrewards.verify.tokens import Token

MAX_CELLS: Final = 2_000

_MATRICES: Final = frozenset("matrix pmatrix bmatrix Bmatrix smallmatrix array".split())
_DETERMINANTS: Final = frozenset({"vmatrix"})
_LINES: Final = frozenset("aligned align gathered gather split equation eqnarray".split())
_CASES: Final = frozenset("cases dcases rcases".split())

Rows = list[list[Node | None]]


def environment(parser: Parser, *, braced: bool = False) -> Node:
    r"""Read an environment; one behind a lone `\{` holds cases."""
    name = parser.take().text
    known = _MATRICES | _DETERMINANTS | _LINES | _CASES
    if name not in known:
        parser.fail("a known environment", known=True)
    if name in _LINES or name in _CASES:
        _join_equations(parser)
    rows = _rows(parser, name)
    if parser.token.kind != "end" or parser.token.text != name:
        parser.fail(f"\\end{{{name}}}")
    parser.take()
    if name in _CASES or (braced and name not in ("pmatrix", "bmatrix")):
        return _cases(parser, rows)
    if name in _LINES:
        return _lines(parser, rows)
    matrix = _matrix(parser, rows)
    return Call("det", (matrix,)) if name in _DETERMINANTS else matrix


def _join_equations(parser: Parser) -> None:
    """Drop the alignment marks of `x &= 1`, up to the end of the environment."""
    tokens, at, depth = parser.tokens, parser.at, 0
    kept: list[Token] = []
    for at in range(parser.at, len(tokens)):
        token = tokens[at]
        depth += (token.kind == "begin") - (token.kind == "end")
        if depth < 0:
            break
        is_mark = token.text == "&" and token.kind == "symbol" and depth == 0
        if not (is_mark and _is_in_equation(tokens, at)):
            kept.append(token)
    tokens[parser.at : at] = kept


def _is_in_equation(tokens: list[Token], at: int) -> bool:
    r"""Whether a mark stands before the sign of an equation, or behind as in `x &=& 1`."""
    if tokens[at + 1].text == "=":
        before = tokens[at - 1]
        return before.kind != "begin" and before.text not in ("\\\\", "&")
    return tokens[at - 1].text == "=" and tokens[at - 2].text == "&"


def _rows(parser: Parser, name: str) -> Rows:
    rows: Rows = [[]]
    cells = 0
    while parser.token.kind not in ("end", "stop"):
        if parser.token.kind == "command" and parser.token.text == "hline":
            parser.take()
            continue
        if parser.skip("\\\\"):
            rows.append([])
            continue
        if parser.skip("&"):
            if not rows[-1]:
                rows[-1].append(None)
            if parser.is_next("&", "\\\\") or parser.token.kind == "end":
                rows[-1].append(None)
                continue
        cells += 1
        if cells > MAX_CELLS:
            parser.fail(f"at most {MAX_CELLS} entries", large=True)
        rows[-1].append(_cell(parser, name))
    return [row for row in rows if row]


def _cell(parser: Parser, name: str) -> Node | None:
    if name in _CASES or name == "array" or name in _LINES:
        _skip_condition_words(parser)
        if parser.token.kind == "end" or parser.is_next("&", "\\\\"):
            return None
    cell = parser.items()
    _skip_condition_words(parser)
    if parser.is_next("mod"):
        parser.fail("an entry", known=True)
    return cell


_CONDITION: Final = re.compile(r"(?:if|for|when|otherwise|else|where|as|,|\.)+", re.IGNORECASE)


def _skip_condition_words(parser: Parser) -> None:
    while parser.token.kind in ("text", "letters", "roman") and _CONDITION.fullmatch(
        parser.token.text.strip(" ,.:").replace(" ", "") or ","
    ):
        parser.take()
    parser.skip(",", ";")


def _matrix(parser: Parser, rows: Rows) -> Matrix:
    cells = [tuple(cell for cell in row if cell is not None) for row in rows]
    if not cells or any(len(row) != len(rows[0]) for row in cells):
        parser.fail("rows of one length")
    return Matrix(tuple(cells))


def _lines(parser: Parser, rows: Rows) -> Node:
    """Join lines at their alignment marks: each line is one answer."""
    items = [cell for row in rows for cell in row if cell is not None]
    if any(len([cell for cell in row if cell is not None]) != 1 for row in rows) or not items:
        parser.fail("one expression on each line", known=True)
    return items[0] if len(items) == 1 else Listing(tuple(items), frozenset({"and"}))


def _cases(parser: Parser, rows: Rows) -> Node:
    """Read the rows as (value, condition), or, without conditions, as a system."""
    if all(len(row) == 1 for row in rows) and rows:
        items = [cell for row in rows for cell in row if cell is not None]
        listing = [_split_condition(item) for item in items]
        if all(condition is not None for _, condition in listing):
            return Piecewise(tuple(listing))
        return items[0] if len(items) == 1 else Listing(tuple(items), frozenset({"and"}))
    cases: list[tuple[Node, Node | None]] = []
    for cells in rows:
        row = [cells[0], *(cell for cell in cells[1:] if cell is not None)]
        if row[0] is None or len(row) > 2:
            parser.fail("a value and its condition", known=True)
        cases.append((row[0], row[1] if len(row) == 2 else None))
    return Piecewise(tuple(cases))


def _split_condition(item: Node) -> tuple[Node, Node | None]:
    """Split `x^2, x > 0` in one cell."""
    if isinstance(item, Listing) and len(item.items) == 2 and item.joiners == {","}:
        value, condition = item.items
        if type(condition).__name__ == "Relation" and type(value).__name__ != "Relation":
            return value, condition
    return item, None
