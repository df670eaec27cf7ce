"""Marks behind a value: powers, factorials, per cent, degrees with their minutes, a base."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import flint

from rlrewards.verify.digits import value_of, written_base
from rlrewards.verify.names import primed
from rlrewards.verify.tree import (
    Based,
    Bracket,
    Call,
    Matrix,
    Measure,
    Negative,
    Node,
    Number,
    Percent,
    Power,
    Symbol,
)
from rlrewards.verify.units import UNITS, Unit

if TYPE_CHECKING:
    from rlrewards.verify.grammar import Parser


def mark(parser: Parser, text: str, left: Node) -> Node:
    """Read one of `^ ! ' % ° _` behind a value."""
    parser.at += 1
    if text == "^":
        return _power(parser, left)
    if text == "!":
        return _factorial(parser, left)
    if text == "%":
        return Percent(left)
    if text == "°":
        return _degrees(parser, left)
    if text == "_":
        parser.at -= 1
        if isinstance(left, Number) and left.value.q == 1 and left.value >= 0:
            base = written_base(parser)
            if base is not None:
                return Based(str(left.value), base)
        parser.fail("a name before a subscript", known=True)
    if isinstance(left, Measure) and left.unit.name == "°":
        parser.fail("degrees without minutes", known=True)
    return parser.fail("a name before a prime", known=not isinstance(left, Number))


def _power(parser: Parser, base: Node) -> Node:
    primes = 0
    if parser.is_next("'") or (parser.is_next("{") and parser.peek().text == "'"):
        braced = parser.skip("{")
        while parser.skip("'"):
            primes += 1
        if braced:
            parser.expect("}")
        if isinstance(base, Symbol):
            return primed(parser, base.name + "'" * primes)
        parser.fail("a name before a prime", known=True)
    if isinstance(base, Power | Call) and _is_bare(parser, base):
        parser.fail("brackets around a power of a power")
    if isinstance(base, Matrix | Bracket) and _is_transposed(parser):
        return _transposed(base)
    exponent = _exponent(parser)
    return Power(base, exponent)


def _is_transposed(parser: Parser) -> bool:
    r"""Pass the T of `^T`, `^{T}`, `^\top`."""
    ahead = int(parser.is_next("{"))
    token = parser.peek(ahead)
    if token.text not in ("T", "top", "t", "intercal") or token.kind == "symbol":
        return False
    if ahead and parser.peek(2).text != "}":
        return False
    parser.at += 1 + 2 * ahead
    return True


def _transposed(base: Matrix | Bracket) -> Matrix:
    """Return a matrix with its rows as columns; coordinates in brackets are a row."""
    rows = base.rows if isinstance(base, Matrix) else (base.items,)
    return Matrix(tuple(zip(*rows, strict=True)))


def _is_bare(parser: Parser, base: Node) -> bool:
    """Whether a power or a factorial stands here without brackets: 2^3^2."""
    before = parser.tokens[parser.at - 2]
    return before.text not in (")", "]", "|", ")|", "⌋", "⌉") and not (
        before.text == "}" and not isinstance(base, Power)
    )


def _exponent(parser: Parser) -> Node:
    if parser.skip("-"):
        return Negative(_exponent(parser)) if not parser.is_next("-") else parser.operand()
    if parser.skip("+"):
        return parser.operand()
    return parser.operand()


def _factorial(parser: Parser, left: Node) -> Node:
    if parser.skip("!"):
        if parser.is_next("!"):
            parser.fail("at most two factorial signs", known=True)
        return Call("double_factorial", (left,))
    if (
        isinstance(left, Call)
        and left.name == "factorial"
        and parser.tokens[parser.at - 2].text == "!"
    ):
        parser.fail("brackets around a factorial of a factorial", known=True)
    return Call("factorial", (left,))


_FAHRENHEIT: Final = Unit("fahrenheit", name="°F")


def _degrees(parser: Parser, left: Node) -> Node:
    following = parser.token
    if following.kind in ("letters", "roman", "text") and following.text in ("C", "F"):
        parser.at += 1
        return Measure(left, UNITS["°C"] if following.text == "C" else _FAHRENHEIT)
    if isinstance(left, Number):
        left = Number(left.value + _arc_minutes(parser)) if _are_minutes(parser) else left
    return Measure(left, UNITS["°"])


def _are_minutes(parser: Parser) -> bool:
    ahead = 2 if parser.peek().text == "^" else 1
    if parser.peek(ahead).text == "{":
        ahead += 1
    return parser.token.kind == "number" and parser.peek(ahead).text == "'"


def _arc_minutes(parser: Parser) -> Any:
    """Read the minutes and seconds behind degrees: 63° 45' 30''."""
    total = flint.fmpq(0)
    while _are_minutes(parser):
        value = value_of(parser.take().text)
        raised = parser.skip("^")
        braced = parser.skip("{")
        scale = 60
        parser.expect("'")
        if parser.skip("'"):
            scale = 3600
        if raised and braced:
            parser.expect("}")
        total += value / scale
    return total
