r"""Sets of numbers by name, and set-builders in plain braces: ℝ⁺, ℕ*, `R`, `{x | x > 2}`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import flint

from rlrewards.verify.tree import (
    INFINITY,
    Bracket,
    Builder,
    Named,
    Node,
    Number,
    Relation,
    Set,
    Symbol,
    Without,
)

if TYPE_CHECKING:
    from rlrewards.verify.grammar import Parser
    from rlrewards.verify.tokens import Token

LETTERS: Final = {"R": "reals", "N": "naturals", "Z": "integers", "Q": "rationals"}
_ZERO: Final = Number(flint.fmpq(0))
_POSITIVE: Final = Bracket("(", (_ZERO, INFINITY), ")")
_RELATIONS: Final = frozenset("=<>≤≥≠∈")
_MARKS: Final = {
    ("^", "+"): "positive",
    ("^", "*"): "nonzero",
    ("_", ">0"): "positive",
    ("_", "≥0"): "nonnegative",
    ("_", "≠0"): "nonzero",
}


def is_letter(token: Token) -> bool:
    """Whether a letter may be the name of a set of numbers."""
    return token.kind == "set" or (token.kind == "letters" and token.text in LETTERS)


def named(parser: Parser, name: str) -> Node:
    r"""Read what stands behind the name of a set: `\mathbb{R}^+`, `\mathbb{N}^{*}`.

    `\mathbb{R}_+` is left alone, since some take 0 into it.
    """
    start, which = parser.at, ""
    while parser.is_next("^", "_"):
        sign = parser.take().text
        grouped = parser.skip("{")
        mark = ""
        while parser.is_next("+", "*", ">", "≥", "≠") or (mark and parser.token.text == "0"):
            mark += parser.take().text
        if grouped and not parser.skip("}"):
            mark = ""
        found = _MARKS.get((sign, mark))
        if found is None or which:  # ℝ³
            parser.at = start
            return Named(name)
        which = found
    return Named(name) if not which else _part(parser, name, which)


def _part(parser: Parser, name: str, which: str) -> Node:
    if which == "nonzero" and name != "naturals":
        return Without(Named(name), Set((_ZERO,)))
    if name == "reals":
        return _POSITIVE if which == "positive" else Bracket("[", (_ZERO, INFINITY), ")")
    if name == "rationals" or (name == "naturals" and which == "nonnegative"):
        parser.fail("a known set", known=True)
    letter = Symbol("n")
    sign, domain = ("≥" if which == "nonnegative" else ">"), Named("integers")
    return Builder(letter, domain, (Relation((letter, _ZERO), (sign,)),))


def plain_builder(parser: Parser) -> Node | None:
    """Read `{x | x > 2}` and `{x: x > 2}` in plain braces, at the brace; None where it is none."""
    at = parser.at
    if parser.peek().kind != "letters" or parser.peek(2).text not in ("|", ":", "∈", "in"):
        return None
    depth, bars, has_relation = 0, 0, False
    for index in range(at, len(parser.tokens)):
        token = parser.tokens[index]
        if token.kind != "symbol":
            continue
        depth += (token.text in ("{", "(")) - (token.text in ("}", ")"))
        if depth == 0:
            break
        bars += depth == 1 and token.text in ("|", ":")
        has_relation |= bool(bars) and token.text in _RELATIONS
    if depth or not bars % 2 or not has_relation:
        return None
    opening, closing = parser.tokens[at], parser.tokens[index]
    parser.tokens[at] = opening._replace(text="\\{")
    parser.tokens[index] = closing._replace(text="\\}")
    return parser.operand()
