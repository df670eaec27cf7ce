"""Numbers as they are written: decimals, repeating digits, mixed numbers, exponents, bases."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import flint

from rlrewards.verify.number_words import NUMBER_WORDS
from rlrewards.verify.tokens import Token
from rlrewards.verify.tree import Approximate, Based, Node, Number, Power, Product, Quotient

if TYPE_CHECKING:
    from rlrewards.verify.grammar import Parser

MAX_DIGITS: Final = 5_000
MAX_EXPONENT: Final = 5_000
MAX_PERIOD: Final = 1_000
MIN_PLACES: Final = 3
"""Places after which dots say that a decimal goes on."""
MAX_CONTINUED: Final = 100
_CYCLE: Final = re.compile(r"(\d{1,3}?)\1\1+\Z")
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def value_of(text: str) -> Any:
    """Return the exact value of digits with at most one point."""
    whole, _, places = text.partition(".")
    if not places and len(whole) < 19:
        return flint.fmpq(int(whole))
    return flint.fmpq(flint.fmpz((whole or "0") + places), flint.fmpz(10) ** len(places))


def decimal(text: str) -> Number:
    """Return the number that digits with at most one point write."""
    whole, _, places = text.partition(".")
    if not places:
        return Number(value_of(whole))
    significant = (whole + places).lstrip("0")
    place = flint.fmpq(1, flint.fmpz(10) ** len(places))
    return Number(value_of(text), max(len(significant), 1), place)


def number(parser: Parser) -> Node:
    """Read a number with what belongs to it: 0.1\\overline{6}, `2\\frac13`, `6.6e-34`, `1101_2`."""
    token = parser.take()
    if len(token.text) > MAX_DIGITS:
        parser.fail(f"at most {MAX_DIGITS} digits", large=True)
    value = decimal(token.text)
    following = parser.token
    if following.kind == "command":
        if following.text in ("overline", "bar", "dot"):
            return _repeating(parser, token.text)
        if following.text == "frac" and token.text.isdigit():
            is_number = parser.peek(2).kind not in ("text", "roman")
            return _mixed(parser, value) if is_number else value
    elif following.kind == "number" and following.spaced and token.text.isdigit():
        return _mixed_plain(parser, value)
    elif following.kind == "letters" and not following.spaced:
        return _with_exponent(parser, value) or _hexadecimal(parser, token) or value
    elif following.kind in ("letters", "text"):
        return (following.text[:4] == "base" and _in_words(parser, token.text)) or value
    elif following.kind == "symbol" and following.text == "_":
        return _based(parser, token.text)
    elif following.kind == "symbol" and following.text == "{" and token.text.isdigit():
        return _mixed_over(parser, value)
    elif following.text == "…" and not following.spaced:
        return _continued(parser, token.text)
    elif following.text == "(" and parser.peek().text[:4] == "base":
        return _in_words(parser, token.text) or value
    return value


def _continued(parser: Parser, text: str) -> Node:
    """Read `0.1666...`, whose last digit goes on for ever, and `3.14159...`, which is rounded."""
    whole, _, places = text.partition(".")
    if len(places) < MIN_PLACES or len(text) > MAX_CONTINUED or parser.peek().kind == "number":
        parser.fail("an operand", known=True)
    parser.take()
    found = _CYCLE.search(places)
    if found is None:
        if not (parser.token.kind == "stop" or parser.is_next(",", ";", ")", "and", "or", "=")):
            parser.fail("an operator behind a rounded decimal", known=True)
        return Approximate(decimal(text))
    fixed, period = places[: found.start()], found[1]
    over = int((whole or "0") + fixed + period) - int((whole or "0") + fixed)
    return Number(flint.fmpq(over, 10 ** len(fixed) * (10 ** len(period) - 1)))


def _repeating(parser: Parser, text: str) -> Node:
    r"""Read 0.1\overline{6}, whose last digits go on for ever."""
    parser.take()
    braced = parser.skip("{")
    period = parser.take().text
    if not (period.isascii() and period.isdigit() and (braced or len(period) == 1)):
        parser.fail("the digits that repeat")
    if braced:
        parser.expect("}")
    whole, _, fixed = text.partition(".")
    if max(len(period), len(text)) > MAX_PERIOD:
        parser.fail(f"at most {MAX_PERIOD} digits", large=True)
    under = 10 ** len(fixed) * (10 ** len(period) - 1)
    over = int((whole or "0") + fixed + period) - int((whole or "0") + fixed)
    return Number(flint.fmpq(over, under))


# ---------------------------------------------------------------------------------------------
# Mixed numbers


def _mixed(parser: Parser, whole: Number) -> Node:
    r"""Read `2\frac13`, which is 2 + 1/3; any other fraction behind a number is a factor."""
    fraction = parser.operand()
    if (
        isinstance(fraction, Quotient)
        and _is_natural(fraction.over)
        and _is_natural(fraction.under)
    ):
        return _sum_of(parser, whole, fraction.over, fraction.under)
    return Product((whole, fraction))


def _mixed_plain(parser: Parser, whole: Number) -> Node:
    """Read `1 1/2`, which is 3/2 and never 11/2; two numbers side by side are nothing."""
    over, slash, under = parser.token, parser.peek(1), parser.peek(2)
    if slash.text != "/" or under.kind != "number" or not over.text.isdigit():
        return whole
    if not under.text.isdigit() or max(len(over.text), len(under.text)) > MAX_DIGITS:
        return whole
    parser.at += 3
    return _sum_of(parser, whole, decimal(over.text), decimal(under.text))


def _mixed_over(parser: Parser, whole: Number) -> Node:
    r"""Read `2{1 \over 3}`; any other group behind a number is a factor."""
    if not any(parser.peek(ahead).text == "over" for ahead in range(1, 5)):
        return whole
    inner = parser.group()
    if isinstance(inner, Quotient) and _is_natural(inner.over) and _is_natural(inner.under):
        return _sum_of(parser, whole, inner.over, inner.under)
    return Product((whole, inner))


def _is_natural(node: Node) -> bool:
    return isinstance(node, Number) and node.digits is None and node.value.q == 1


def _sum_of(parser: Parser, whole: Number, over: Node, under: Node) -> Node:
    assert isinstance(over, Number)
    assert isinstance(under, Number)
    if under.value == 0:
        parser.fail("a denominator that is not 0")
    if over.value >= under.value:
        parser.fail("a proper fraction behind a number", known=True)
    if parser.is_next("^", "!"):
        parser.fail("brackets around a mixed number", known=True)
    return Number(whole.value + over.value / under.value)


# ---------------------------------------------------------------------------------------------
# Exponents and bases


def _with_exponent(parser: Parser, value: Number) -> Node | None:
    """Read the exponent of `6.6e-34`."""
    if parser.token.text not in ("e", "E"):
        return None
    sign = parser.peek().text if parser.peek().text in ("+", "-") else ""
    digits = parser.peek(2 if sign else 1)
    if digits.kind != "number" or not digits.text.isdigit() or digits.spaced:
        return None
    if sign and parser.peek().spaced:
        return None
    if len(digits.text) > MAX_DIGITS:
        parser.fail(f"an exponent of at most {MAX_DIGITS} digits", large=True)
    parser.at += 3 if sign else 2
    power = value_of(digits.text) * (-1 if sign == "-" else 1)
    if abs(power) > MAX_EXPONENT:  # never written out
        return Product((value, Power(Number(flint.fmpq(10)), Number(power))))
    exponent = int(power.p)
    scale = flint.fmpq(10) ** exponent
    place = None if value.place is None else value.place * scale
    return Number(value.value * scale, value.digits, place)


def _hexadecimal(parser: Parser, token: Token) -> Node | None:
    """Read `1A3_{16}`, whose digits are letters too; None where no base follows."""
    run, start = token.text, parser.at
    while parser.token.kind in ("letters", "number") and not parser.token.spaced:
        run += parser.take().text
    if parser.is_next("_") and are_digits(run, 36):
        base = written_base(parser)
        if base is not None and are_digits(run, base):
            return Based(run, base)
    parser.at = start
    return None


def _based(parser: Parser, text: str) -> Node:
    base = written_base(parser) if text.isdigit() else None
    if base is None:
        parser.fail("a base from 2 to 36")
    return Based(text, base)


def written_base(parser: Parser) -> int | None:
    """Read the base behind `_`; None where it is none."""
    from rlrewards.verify.names import subscript

    return _base_named(subscript(parser))


def _base_named(name: str) -> int | None:
    name = str(NUMBER_WORDS.get(name.strip().casefold(), name))
    base = int(name) if name.isascii() and name.isdigit() and len(name) < 3 else 0
    return base if 2 <= base <= 36 else None


_BASE: Final = re.compile(r"base[- ](\w{1,9})")


def _in_words(parser: Parser, text: str) -> Node | None:
    """Read the base of `1101 base 2`, `1101 (base 2)`, `1101 \\text{base two}`."""
    bracketed = int(parser.is_next("("))
    said = parser.peek(bracketed)
    if said.kind == "text":
        name, used = _BASE.fullmatch(said.text), 1
        base = None if name is None else _base_named(name[1])
    else:
        base, used = _base_named(parser.peek(bracketed + 1).text), 2
    closing = parser.peek(bracketed + used)
    if base is None or not are_digits(text, base) or (bracketed and closing.text != ")"):
        return None
    parser.at += used + 2 * bracketed
    return Based(text, base)


def are_digits(run: str, base: int) -> bool:
    """Whether a run consists of digits of a base, in capitals."""
    return bool(run) and all(char in _ALPHABET[:base] for char in run)
