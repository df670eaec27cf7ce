"""What brackets hold: a grouped expression, a tuple or an interval, a set, a value between bars."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from rlrewards.verify.environments import environment
from rlrewards.verify.tree import (
    Apply,
    Bracket,
    Builder,
    Call,
    Listing,
    Matrix,
    Node,
    Relation,
    Set,
    Sum,
)

if TYPE_CHECKING:
    from rlrewards.verify.grammar import Parser

OPENING: Final = frozenset(["(", "[", "{", "\\{", "⟨", "⌊", "⌈", "|(", "‖("])
CLOSERS: Final = frozenset([")", "]", "}", "\\}", "⟩", "⌋", "⌉", ")|", ")‖"])
CLOSING: Final = CLOSERS | frozenset(
    ["right", "&", "\\\\", ",", ";", "and", "or", "over", "choose"]
)
"""What ends an expression."""
MAX_INTERVAL: Final = 200
"""Symbols in which an interval closes."""


def _round(parser: Parser) -> Node:
    if parser.skip(")"):
        parser.fail("something in the brackets")
    if parser.is_next("mod"):
        parser.fail("an operand")
    inner, closing = parser.inside((")", "]"))
    if isinstance(inner, Listing) and inner.joiners <= {",", ";"}:
        return Bracket("(", inner.items, closing)
    if closing == "]":
        parser.fail(")")
    return inner


def _square(parser: Parser) -> Node:
    if _is_half_open(parser):
        return _interval(parser, "[")
    inner, closing = parser.inside(("]", ")", "["))
    if isinstance(inner, Listing) and inner.joiners <= {",", ";"}:
        return Bracket("[", inner.items, closing)
    if closing != "]":
        parser.fail("]")
    is_alone = parser.token.kind == "stop" and parser.tokens[0].text == "["
    if is_alone and not isinstance(inner, Matrix | Sum):
        parser.fail("two items in square brackets", known=True)
    return inner


def _is_half_open(parser: Parser) -> bool:
    """Whether `[` closes what one opened: `[2, 3[`."""
    depth = 0
    for token in parser.tokens[parser.at : parser.at + MAX_INTERVAL]:
        if token.kind == "begin" or token.kind == "end":
            return False
        if token.kind != "symbol":
            continue
        if depth == 0 and token.text in ("[", "]", ")"):
            return token.text == "["
        depth += (token.text in OPENING) - (token.text in CLOSERS)
    return False


def _reversed_square(parser: Parser) -> Node:
    return _interval(parser, "]")


def _interval(parser: Parser, left: str) -> Node:
    saved, parser.open_bars = parser.open_bars, ["["]
    inner = parser.items()
    parser.open_bars = saved
    closing = parser.expect("[", "]")
    if isinstance(inner, Listing) and len(inner.items) == 2:
        return Bracket(left, inner.items, closing)
    return parser.fail("an interval")


def _angles(parser: Parser) -> Node:
    inner, _ = parser.inside(("⟩",))
    return Bracket("⟨", inner.items if isinstance(inner, Listing) else (inner,), "⟩")


def _set(parser: Parser) -> Node:
    if parser.skip("\\}"):
        return Set(())
    if parser.token.kind == "begin":
        rows = environment(parser, braced=True)
        parser.skip("right", "\\}")
        return rows
    saved, parser.open_bars = parser.open_bars, ["|"]
    elements = _set_elements(parser)
    parser.open_bars = []
    if parser.skip("|", ":"):
        condition = parser.items()
        parser.open_bars = saved
        parser.expect("\\}")
        return _builder(parser, elements, condition)
    parser.open_bars = saved
    parser.expect("\\}")
    return Set(elements.items) if isinstance(elements, Listing) else Set((elements,))


def _set_elements(parser: Parser) -> Node:
    """Read what stands before the bar or the colon of a set, or all of it."""
    depth, at = 0, parser.at
    for index in range(parser.at, len(parser.tokens)):
        token = parser.tokens[index]
        if token.kind != "symbol":
            continue
        depth += (token.text in OPENING) - (token.text in CLOSERS)
        if depth < 0 or (depth == 0 and token.text == "|"):
            break
        if depth == 0 and token.text == ":":
            at = index
            break
    if at == parser.at:
        return parser.items()
    colon = parser.tokens[at]
    parser.tokens[at] = colon._replace(text="|")
    return parser.items()


def _builder(parser: Parser, element: Node, condition: Node) -> Node:
    domain: Node | None = None
    if isinstance(element, Relation) and element.signs == ("∈",):
        element, domain = element.members
    conditions = (
        condition.items
        if isinstance(condition, Listing) and "or" not in condition.joiners
        else (condition,)
    )
    return Builder(element, domain, conditions)


def _between(name: str, opening: str, closing: str) -> Callable[[Parser], Node]:
    def read(parser: Parser) -> Node:
        parser.open_bars.append(closing)
        inner = parser.items()
        if not parser.is_next(closing):
            parser.fail(closing)
        parser.open_bars.pop()
        parser.at += 1
        if name == "abs" and isinstance(inner, Matrix):
            return Call("det", (inner,))
        if isinstance(inner, Listing):
            parser.fail(closing)
        if name == "norm":
            return Apply("norm", (inner,))
        return Call(name, (inner,))

    read.__name__ = f"read_{name}"
    return read


BRACKETS: Final[dict[str, Callable[[Parser], Node]]] = {
    "(": _round,
    "[": _square,
    "]": _reversed_square,
    "⟨": _angles,
    "\\{": _set,
    "|": _between("abs", "|", "|"),
    "|(": _between("abs", "|(", ")|"),
    "‖": _between("norm", "‖", "‖"),
    "‖(": _between("norm", "‖(", ")‖"),
    "⌊": _between("floor", "⌊", "⌋"),
    "⌈": _between("ceil", "⌈", "⌉"),
}
