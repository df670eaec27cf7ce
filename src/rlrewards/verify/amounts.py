"""What stands behind or before a value and measures it: units, money, percent, scale words."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import flint

from rlrewards.verify import digits
from rlrewards.verify.commands import GREEK, is_function
from rlrewards.verify.tokens import Token
from rlrewards.verify.tree import (
    Measure,
    Negative,
    Node,
    Number,
    Percent,
    Product,
    Quotient,
    Sum,
    walk,
)
from rlrewards.verify.units import SCALES, UNITS, Unit, unit_named

if TYPE_CHECKING:
    from rlrewards.verify.grammar import Parser

_ENDS: Final = frozenset([",", ";", "and", "or", ")", "]", "}", "\\}", "⟩", "quad", "\\\\", "&"])
_RELATIONS: Final = frozenset("= < > ≤ ≥ ≠ ≈".split())
_WORDS: Final = ("letters", "text", "roman")
_MAX_WORDS: Final = 12

# What may stand behind "$18" and says when, to whom or in which sum it is paid.
_AFTER_MONEY: Final = frozenset(
    {"time^-1", "months^-1", "total", "person", "day", "week", "month", "hour"}
)


def behind(parser: Parser, left: Node) -> Node | None:
    """Read the unit behind a value: the measured value, or None where no unit stands."""
    token = parser.token
    if token.kind == "symbol":
        return (
            _dollar_behind(parser, left)
            if token.text in ("$", "€", "£", "¢")
            else _bracketed(parser, left)
        )
    if token.kind == "command":
        return _commanded(parser, left, token.text)
    if token.kind not in _WORDS:
        return None
    if not _may_be_unit(parser, left, token):
        return None
    scaled = _scaled(parser, left, token)
    if scaled is not None:
        return behind(parser, scaled) or scaled
    if token.text.casefold() in ("percent", "per cent"):
        parser.at += 1
        return Percent(left)
    if token.text == "per" and parser.peek().text == "cent":
        parser.at += 2
        return Percent(left)
    text, stop = _unit_text(parser)
    unit = _unit(text)
    if unit is None:
        return _first_words(parser, left, token)
    parser.at = stop
    return _measured(parser, left, unit)


def _commanded(parser: Parser, left: Node, name: str) -> Node | None:
    r"""Read `5\,\Omega` and `10 \frac{\text{m}}{\text{s}}`."""
    if name == "Omega" and isinstance(left, Number) and _opens(parser, parser.at - 1):
        parser.at += 1
        return Measure(left, UNITS["Ω"])
    if name == "frac" and _is_unit_fraction(parser):
        window = [parser.peek(ahead).text for ahead in range(7)]
        unit = _unit(f"{window[2]}/{window[5]}")
        if unit is not None and unit.vouched:
            parser.at += 7
            return _measured(parser, left, unit)
    return None


def _is_unit_fraction(parser: Parser) -> bool:
    r"""Whether `\frac{\text{m}}{\text{s}}` is next."""
    window = [parser.peek(ahead) for ahead in range(7)]
    signs = "".join(token.text for token in (window[1], window[3], window[4], window[6]))
    return signs == "{}{}" and {window[2].kind, window[5].kind} <= {"text", "roman"}


def _measured(parser: Parser, left: Node, unit: Unit) -> Node:
    if isinstance(left, Measure) and left.unit.dimension in _MONEY:
        if unit.dimension in _AFTER_MONEY or unit.dimension == left.unit.dimension:
            return left
        parser.fail("an amount of money")
    if isinstance(left, Measure):
        return Measure(left.operand, unit) if left.unit == unit else _refuse(parser)
    return Measure(left, unit)


def _refuse(parser: Parser) -> Node:
    parser.fail("one unit", known=True)


_MONEY: Final = frozenset({"dollar", "euro", "sterling", "yen", "rupee"})


def _dollar_behind(parser: Parser, left: Node) -> Node | None:
    if isinstance(left, Measure) or not isinstance(left, Number):
        return None
    unit = UNITS[parser.take().text]
    return Measure(left, unit)


def _bracketed(parser: Parser, left: Node) -> Node | None:
    """Read a unit in brackets: `5 (cm)`, `12 (\\text{dollars})`."""
    if not (parser.is_next("(") and parser.peek().kind in _WORDS and parser.peek(2).text == ")"):
        return None
    word = parser.peek()
    if len(word.text) == 1 and word.kind == "letters":
        return None
    unit = _unit(word.text)
    if unit is None or not unit.vouched:
        return None
    parser.at += 3
    return _measured(parser, left, unit)


def _may_be_unit(parser: Parser, left: Node, token: Token) -> bool:
    """Whether letters behind a value may measure it, rather than multiply it."""
    if token.kind == "text":
        return True
    if (
        token.kind == "roman"
        and token.text not in UNITS
        and (token.text == "d" or is_function(token.text))
    ):
        return False
    if token.kind == "roman":
        return len(token.text) > 1 or _is_behind_value(parser)
    if len(token.text) == 1:
        return (
            token.plain
            and token.spaced
            and token.text in UNITS
            and _ends_item(parser)
            and _is_number_alone(parser)
        )
    if token.text in ("sec", "min"):
        return not _is_applied(parser)
    if token.text in UNITS or token.text.casefold() in UNITS:
        return True
    if names_value(token.text):
        return False
    if token.text in _PREFIXES and parser.peek(1 + (parser.peek().text == ".")).kind == "letters":
        return True
    is_count = isinstance(left, Number | Measure) or _is_plain_number(left)
    return is_count and token.spaced and len(token.text) > (2 if token.plain else 4)


_PREFIXES: Final = frozenset(["sq", "cu"])
_ABBREVIATED: Final = frozenset("ft in sq cu hr hrs min sec lb lbs oz cm mm km yd mi yr".split())
_VALUES: Final = frozenset(["pi", "sqrt", "cbrt", "inf", "infinity", "Infinity", "oo"])


def names_value(name: str) -> bool:
    """Whether a word is a function, a Greek letter or a constant, hence no unit."""
    return is_function(name) or name in GREEK or name in _VALUES


def _is_applied(parser: Parser) -> bool:
    """Whether `sec` or `min` has an argument, so that it is no unit."""
    behind = parser.peek()
    if behind.text in ("(", "[", "{") or behind.kind == "command":
        return True
    return behind.kind == "letters" and (len(behind.text) == 1 or names_value(behind.text))


def _is_plain_number(node: Node) -> bool:
    """Whether it is a number with a sign, or a fraction of two: what words can count."""
    if isinstance(node, Negative):
        return _is_plain_number(node.operand)
    if isinstance(node, Quotient):
        return isinstance(node.over, Number) and isinstance(node.under, Number)
    return isinstance(node, Number)


def _is_behind_value(parser: Parser) -> bool:
    r"""Whether an upright letter stands directly behind a number or a closed bracket."""
    before = parser.tokens[parser.at - 1]
    return before.kind == "number" or before.text in ("}", ")", "°") or before.kind == "command"


def _ends_item(parser: Parser) -> bool:
    """Whether units, with their powers, and smaller ones follow up to the end of the item."""
    at = parser.at
    for _ in range(_MAX_WORDS):
        at = _past_power(parser, at + 1)
        token = parser.tokens[at]
        if token.kind in ("stop", "end") or token.text in _ENDS or token.text in _RELATIONS:
            return True
        if token.kind == "number" or token.text in ("/", "*", "-"):
            at += 1
        if parser.tokens[at].kind not in _WORDS:
            return False
        if token.kind == "number" and parser.tokens[at].text not in UNITS:
            return False
    return False


def _past_power(parser: Parser, at: int) -> int:
    """Return where the power of a unit ends that may stand at a place: `^2`, `^{-1}`."""
    window = "".join(token.text for token in parser.tokens[at : at + 5])
    found = _POWER.match(window)
    return at + (len(found[0]) if found else 0)


_POWER: Final = re.compile(r"\^(?:-?[1-4]|\{-?[1-4]\})")


def _is_number_alone(parser: Parser) -> bool:
    """Whether the item up to here is a number without letters, not a term among others."""
    at = parser.at - 1
    if not parser.tokens[at].plain:  # `$2x$ m`: the unit stands outside mathematics
        return True
    while at >= 0:
        token = parser.tokens[at]
        if token.kind == "letters" and not names_value(token.text):
            return token.text in UNITS and token.text not in GREEK
        if token.kind == "symbol":
            if token.text in (",", ";", "and", "or") or token.text in _RELATIONS:
                return True
            if token.text in "([{|":
                return False
            if token.text in "+-" and not _opens(parser, at):
                return False
            if token.text in ")]}":
                at = _opening(parser, at)
        at -= 1
    return True


def _opens(parser: Parser, at: int) -> bool:
    """Whether a sign stands at the start of an item."""
    return at == 0 or parser.tokens[at - 1].text in (",", ";", "and", "or", *_RELATIONS)


def _opening(parser: Parser, at: int) -> int:
    """Return where the bracket opens that closes at a place; 0 where none does."""
    depth = 0
    for index in range(at, -1, -1):
        text = parser.tokens[index].text
        depth += (text in (")", "]", "}")) - (text in ("(", "[", "{"))
        if depth == 0:
            return index
    return 0


def _unit_text(parser: Parser) -> tuple[str, int]:
    """Return the words and signs from here that may be one unit, and where they end."""
    parts: list[str] = []
    at = stop = parser.at
    complete = 0
    while len(parts) < 2 * _MAX_WORDS:
        token = parser.tokens[at]
        if token.kind in _WORDS:
            parts.append(f" {token.text} ")
            stop, complete = at + 1, len(parts)
        elif token.kind == "number" and "".join(parts[-2:]).endswith(("^", "^-")):
            parts.append(token.text)
            stop, complete = at + 1, len(parts)
        elif token.text == "-" and token.kind == "symbol" and parts[-1][-1:] == " ":
            parts.append(r"\cdot ")
        elif token.text == "." and parts and parts[-1].strip() in _ABBREVIATED:
            stop, complete = at + 1, len(parts)
        elif token.text in ("^", "/", "-", "*") and token.kind == "symbol":
            parts.append(r"\cdot " if token.text == "*" else token.text)
        elif token.text in ("{", "}") and _is_exponent(parser, at):
            stop += token.text == "}"
        else:
            break
        at += 1
    return "".join(parts[:complete]), stop


def _is_exponent(parser: Parser, at: int) -> bool:
    window = "".join(token.text for token in parser.tokens[max(at - 4, 0) : at + 1])
    return bool(re.search(r"\^(?:\{(?:-?\d+\}?)?)?$", window))


@lru_cache(maxsize=512)
def _unit(text: str) -> Unit | None:
    return unit_named(" ".join(text.split())) if len(text) < 120 else None


def _first_words(parser: Parser, left: Node, token: Token) -> Node | None:
    """Try the first word alone, for what follows it is something else: `5 cm + 3`."""
    if token.text in ("sec", "min") and _is_applied(parser):
        return None
    if token.kind == "letters" and token.text in UNITS and len(token.text) > 1:
        unit: Unit | None = UNITS[token.text]
    elif token.kind in ("text", "roman"):
        unit = _unit(token.text)
    else:
        unit = None
    if unit is None:
        return None
    parser.at += 1
    return _measured(parser, left, unit)


def _scaled(parser: Parser, left: Node, token: Token) -> Node | None:
    """Read `5 million` and `3 dozen`."""
    word = token.text.casefold()
    scale = SCALES.get(word) or SCALES.get(word.removesuffix("s"))
    if scale is None or not isinstance(left, Number | Measure):
        return None
    number = left.operand if isinstance(left, Measure) else left
    if not isinstance(number, Number):
        return None
    parser.at += 1
    factor = flint.fmpq(scale)
    place = None if number.place is None else number.place * factor
    value = Number(number.value * factor, number.digits, place)
    return Measure(value, left.unit) if isinstance(left, Measure) else value


def compound(parser: Parser, left: Node) -> Node:
    """Read the smaller unit of `2 h 30 min`; two numbers side by side are nothing else."""
    total = left.terms if isinstance(left, Sum) else (left,)
    above = total[-1]
    if not isinstance(above, Measure):
        parser.fail("an operator between two numbers")
    below = parser.expression(40)
    if (
        isinstance(below, Measure)
        and below.unit.dimension == above.unit.dimension
        and below.unit.factor < above.unit.factor
    ):
        return Sum((*total, below))
    return parser.fail("an operator between two numbers")


def money(parser: Parser) -> Node:
    r"""Read `\$5`: a currency sign and its number."""
    unit = UNITS[parser.take().text]
    if parser.is_next("-", "+"):
        sign = parser.take().text
        value = digits.number(parser) if parser.token.kind == "number" else parser.operand()
        if isinstance(value, Number) and sign == "-":
            value = Number(-value.value, value.digits, value.place)
        return Measure(value, unit)
    if parser.token.kind != "number" and parser.token.text not in ("frac", "(", "{"):
        parser.fail("an amount of money", known=True)
    value = digits.number(parser) if parser.token.kind == "number" else parser.operand()
    return Measure(value, unit)


def spread(total: Sum) -> Node:
    """Give the unit behind the last term to the whole sum: `2+\\sqrt2 cm` is (2+√2) cm."""
    *front, last = total.terms
    measure = last.operand if type(last).__name__ in ("Negative", "PlusMinus") else last  # type: ignore[attr-defined]
    if not isinstance(measure, Measure):
        return total
    if any(isinstance(node, Measure) for term in front for node in walk(term)):
        return total
    if isinstance(last, Measure):
        return Measure(Sum((*front, last.operand)), last.unit)
    return Measure(Sum((*front, type(last)(measure.operand))), measure.unit)  # type: ignore[call-arg]


__all__ = ["Product", "behind", "money", "spread"]
