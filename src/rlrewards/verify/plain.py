r"""Read the plain answers: numbers in every usual notation, with their units, and what lists them.

`parse` returns a `Quantity`, a `Collection` of them, or `Unparsed` with the reason: failure is a
value, and what is not read here is left to the tiers above. Nothing is evaluated: a sum, a product
or a power of numbers is not a number here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

from rlrewards.verify.normalize import REMEMBERED_LENGTH, tidy
from rlrewards.verify.units import SCALES, UNITS, Unit, unit_named

MAX_DIGITS = 2_000
MAX_EXPONENT = 5_000
MAX_LENGTH = 20_000


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as it was written.

    Attributes:
        value: The exact value, before any percent sign.
        digits: Significant digits when it was written as a decimal, None otherwise.
        unit: Its unit, None when it has none.
        percent: Whether a percent sign follows.
        approximate: Whether it was marked ≈.
        last_place: Worth of the last digit that was written, for a decimal or a marked number.
    """

    value: Fraction
    digits: int | None = None
    unit: Unit | None = None
    percent: bool = False
    approximate: bool = False
    last_place: Fraction | None = None

    def __repr__(self) -> str:
        marks = "≈" * self.approximate + str(self.value) + "%" * self.percent
        return marks + (f" {self.unit.name}" if self.unit else "")


class Kind(StrEnum):
    """What a collection is."""

    LIST = "list"
    TUPLE = "tuple"
    SET = "set"
    INTERVAL = "interval"


@dataclass(frozen=True, slots=True)
class Collection:
    """Several answers in one: the texts of the items, and the brackets around them."""

    kind: Kind
    items: tuple[str, ...]
    brackets: str = ""


@dataclass(frozen=True, slots=True)
class Unparsed:
    """Text that is none of the plain notations."""

    expected: str
    position: int = 0


Parsed: TypeAlias = Quantity | Collection | Unparsed

_INTEGER = r"(?:\d{1,3}(?:,\d{3})+|\d+)"
_DECIMAL = rf"(?:{_INTEGER}?\.\d+|{_INTEGER}\.?)"
_FRACTION = rf"\\frac\s*\{{\s*(?P<over>[-+]?{_INTEGER})\s*\}}\s*\{{\s*(?P<under>{_INTEGER})\s*\}}"
_NUMBER = re.compile(
    rf"""
    (?:=\s*|(?i:exactly|(?:a\s+)?total\s+of|only|just)\s+)?
    (?P<approx>(?:\\approx|~|≈|(?i:approximately|about|roughly|around)\b)\s*)?
    (?P<sign>[-+]\s*)?
    (?P<money>\\?\$|[£€¥₹]|(?:USD|EUR|GBP|JPY|INR)(?=\s))?\s*
    (?P<sign2>[-+]\s*)?
    (?:
        (?:(?P<whole>{_INTEGER})\s*)?{_FRACTION}
      | (?:(?P<whole2>{_INTEGER})\s+)?
        (?P<above>{_INTEGER})\s*/\s*(?P<below>{_INTEGER})(?!,?\d)
      | (?P<decimal>{_DECIMAL})
        (?:\s*(?:\\times|\\cdot|\*|×|x)\s*10\s*\^\s*\{{?\s*\(?(?P<power>[-+]?\d+)\)?\s*\}}?
          |[eE](?P<exponent>[-+]?\d+))?
    )
    """,
    re.VERBOSE,
)
_RATIO = re.compile(r"(\d+)\s*(?::|\bto\b)\s*(\d+)")
_FONT = re.compile(r"\\(?:text|mathrm|textrm|textbf|mathbf|operatorname|mbox)\s*\{([^{}]*)\}")
_PERCENT = re.compile(
    r"\s*(?:\\?%|\\text\s*\{\s*percent\s*\}|percent\b|per\s+cent\b)\s*", re.IGNORECASE
)
_SCALE = re.compile(r"\s*(hundred|thousand|million|billion|trillion|dozen)s?\b", re.IGNORECASE)


def parse(text: str) -> Parsed:
    r"""Read one answer.

    >>> parse(r"\$1,450.50")
    2901/2 $
    >>> parse("1 1/2")
    3/2
    >>> parse("(1, 2)")
    Collection(kind=<Kind.TUPLE: 'tuple'>, items=('1', '2'), brackets='()')
    >>> parse("16-3-4")
    Unparsed(expected='a number', position=2)
    """
    if len(text) > MAX_LENGTH:
        return Unparsed(f"at most {MAX_LENGTH} characters", MAX_LENGTH)
    return _parse_short(text) if len(text) <= REMEMBERED_LENGTH else _parse(text)


def _parse(text: str) -> Parsed:
    text = without_parentheses(tidy(text))
    upright = _FONT.fullmatch(text)
    text = upright[1].strip() if upright else text
    quantity = _quantity(text)
    if isinstance(quantity, Quantity):
        return quantity
    return _collection(text) or quantity


_parse_short = lru_cache(maxsize=4096)(_parse)


# ---------------------------------------------------------------------------------------------
# Numbers


def _quantity(text: str) -> Quantity | Unparsed:
    ratio = _RATIO.fullmatch(text)
    if ratio is not None and len(text) <= MAX_DIGITS and int(ratio[2]) != 0:
        return Quantity(Fraction(int(ratio[1]), int(ratio[2])))
    match = _NUMBER.match(text)
    if match is None or (match["sign2"] and (match["sign"] or not match["money"])):
        return Unparsed("a number")
    value = _value(match)
    if value is None:
        return Unparsed(f"a fraction of at most {MAX_DIGITS} digits and a denominator not 0")
    return _with_unit(text, match, value)


def _value(match: re.Match[str]) -> Fraction | None:
    if sum(map(str.isdigit, match[0])) > MAX_DIGITS:
        return None
    whole = Fraction(_plain(match["whole"] or match["whole2"] or "0"))
    above, below = match["over"] or match["above"], match["under"] or match["below"]
    if below is not None:
        below_value = int(_plain(below))
        if below_value == 0 or (whole and above[:1] in "-+"):
            return None
        size = whole + Fraction(int(_plain(above)), below_value)
    else:
        scale = _power_of_ten(match)
        if scale is None:
            return None
        size = Fraction(_plain(match["decimal"]).rstrip(".")) * scale
    negative = (match["sign"] or "").startswith("-") != (match["sign2"] or "").startswith("-")
    return -size if negative else size


def _power_of_ten(match: re.Match[str]) -> Fraction | None:
    exponent = match["power"] or match["exponent"] or "0"
    if len(exponent) > 8 or abs(int(exponent)) > MAX_EXPONENT:
        return None
    return Fraction(10) ** int(exponent)


def _last_place(match: re.Match[str]) -> Fraction | None:
    """Return what the last written digit is worth: 1/100 for 37.50, 100 for 3.2e3."""
    decimal = match["decimal"]
    if decimal is None or not ("." in decimal or match["approx"]):
        return None
    return Fraction(_power_of_ten(match) or 1, 10 ** len(decimal.partition(".")[2]))


def _plain(digits: str) -> str:
    return digits.replace(",", "")


def _digits(match: re.Match[str]) -> int | None:
    """Return the significant digits of a decimal: 0.050 has two, 37.50 has four."""
    decimal = match["decimal"]
    if decimal is None or "." not in decimal:
        return None
    return max(len(_plain(decimal).replace(".", "").lstrip("0")), 1)


def _with_unit(text: str, match: re.Match[str], value: Fraction) -> Quantity | Unparsed:
    """Read what follows the number: a scale word, a percent sign, a unit, and then nothing."""
    end = match.end()
    place = _last_place(match)
    scale = _SCALE.match(text, end)
    if scale is not None:
        factor, end = SCALES[scale[1].casefold()], scale.end()
        value, place = value * factor, None if place is None else place * factor
    percent = _PERCENT.match(text, end)
    end = percent.end() if percent else end
    rest = text[end:].strip()
    unit = UNITS[match["money"].lstrip("\\")] if match["money"] else None
    if rest:
        named = _unit_after(text, end, rest, spaced=end < len(text) and text[end].isspace())
        if named is None:
            return Unparsed("a number", end)
        if unit is not None and not named.vouched:
            return Unparsed("an amount of money", end)
        if unit is None or named.dimension not in _AFTER_MONEY:
            unit = named if unit is None or named.dimension == unit.dimension else None
            if unit is None:
                return Unparsed("an amount of money", end)
    approximate = bool(match["approx"])
    return Quantity(value, _digits(match), unit, percent is not None, approximate, place)


# What may stand behind "$18" and says when, to whom or in which sum it is paid.
_AFTER_MONEY = frozenset(
    {"time^-1", "months^-1", "total", "person", "day", "week", "month", "hour"}
)


def _unit_after(text: str, end: int, rest: str, *, spaced: bool) -> Unit | None:
    """Return the unit that `rest` names: in `\\text{}`, in brackets, or words after a space."""
    bare = _FONT.sub(r" \1 ", rest).strip()
    marked = bare != rest
    if bare.startswith("(") and bare.endswith(")"):
        bare, spaced = bare[1:-1].strip(), True
    if bare in ("^\\circ", "$", "\\$", "€", "£", "¥", "¢"):
        return UNITS[bare]
    if len(bare) == 1 and not marked:
        return UNITS.get(bare) if spaced and "\\" not in text else None
    if "\\" in bare.replace("\\cdot", "") or not (spaced or marked or _glued(bare)):
        return None
    return unit_named(bare)


def _glued(word: str) -> bool:
    """Whether a word directly behind digits is a unit all the same: 5cm, 30mins, 24cm^2."""
    name = word.partition("^")[0].strip()
    return len(name) > 1 and (name in UNITS or name.casefold() in UNITS)


# ---------------------------------------------------------------------------------------------
# Several answers


_OPEN = {"(": ")", "[": "]", "{": "}", "\\{": "\\}", "\\langle": "\\rangle"}
_CLOSERS = ("\\}", "\\rangle", "}", ")", "]")
_TOKEN = re.compile(
    r"\\[{}]|\\(?:langle|rangle)(?![A-Za-z])\s*|\\[A-Za-z]+|\\.|[(){}\[\],;]"
    r"|(?<![A-Za-z])(?:or|and)(?![A-Za-z])",
    re.DOTALL,
)
_WORD_IN_TEXT = re.compile(r"\\(?:text|mathrm|textrm)\s*\{\s*(,?\s*(?:or|and)\s*,?)\s*\}")


def _collection(text: str) -> Collection | None:
    text = _WORD_IN_TEXT.sub(r" \1 ", text)
    for opening in _OPEN:
        if text.startswith(opening):
            inside = _enclosed(text, opening)
            if inside is not None:
                return _bracketed(text, opening, *inside)
    items = split_top_level(text)
    return Collection(Kind.LIST, items) if items is not None and len(items) > 1 else None


def without_parentheses(text: str) -> str:
    """Return `5` for `((5))`; brackets around several items stay."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    closes = _closing_parentheses(text)
    start, stop = 0, len(text)
    while stop - start > 4 and text[start + 1] == "(" and closes.get(start) == stop - 1:
        if closes.get(start + 1) != stop - 2:
            break
        start, stop = start + 1, stop - 1
    inner = text[start + 1 : stop - 1]
    single = closes.get(start) == stop - 1 and split_top_level(inner) == (inner.strip(),)
    return inner.strip() if single else text[start:stop]


def _closing_parentheses(text: str) -> dict[int, int]:
    """Return where each parenthesis that opens is closed."""
    opened: list[int] = []
    closes: dict[int, int] = {}
    for index, char in enumerate(text):
        if char == "(":
            opened.append(index)
        elif char == ")" and opened:
            closes[opened.pop()] = index
    return closes


def _enclosed(text: str, opening: str) -> tuple[str, str] | None:
    """Return what stands between the first bracket and the last character's, if they pair."""
    for closing in _CLOSERS:
        if text.endswith(closing) and (
            closing == _OPEN[opening] or {opening, closing} <= set("([)]")
        ):
            inner = text[len(opening) : len(text) - len(closing)]
            return (inner, closing) if _balanced(inner) else None
    return None


def _balanced(text: str) -> bool:
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += _depth_change(token[0].strip())
        if depth < 0:
            return False
    return depth == 0


def _depth_change(token: str) -> int:
    if token in ("(", "[", "{", "\\{", "\\langle"):
        return 1
    return -1 if token in (")", "]", "}", "\\}", "\\rangle") else 0


def _bracketed(text: str, opening: str, inner: str, closing: str) -> Collection | None:
    items = split_top_level(inner)
    if items is None:
        return None
    brackets = opening + closing
    if opening in ("\\{", "{"):
        return Collection(Kind.SET, items, "{}")
    if opening == "(" and closing == ")":
        return Collection(Kind.TUPLE, items, "()") if len(items) > 1 else None
    if opening == "\\langle":
        return Collection(Kind.TUPLE, items, "()")
    return Collection(Kind.INTERVAL, items, brackets) if len(items) == 2 else None


def split_top_level(text: str) -> tuple[str, ...] | None:
    """Split at commas, semicolons, "and" and "or" outside brackets; None if brackets do not pair.

    >>> split_top_level("(1,2), 3 and x_{1,2}")
    ('(1,2)', '3', 'x_{1,2}')
    """
    items: list[str] = []
    depth, start = 0, 0
    joints = list(_TOKEN.finditer(text))
    grouped = _thousands_commas(text, joints)
    for token in joints:
        word = token[0].strip()
        depth += _depth_change(word)
        if depth < 0:
            return None
        if depth == 0 and word in (",", ";", "and", "or") and token.start() not in grouped:
            items.append(text[start : token.start()].strip())
            start = token.end()
    if depth:
        return None
    items.append(text[start:].strip())
    full = [item for item in items if item]
    if not full or (len(full) != len(items) and not _only_joined_twice(text)):
        return None
    return tuple(full)


_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


def _thousands_commas(text: str, joints: list[re.Match[str]]) -> frozenset[int]:
    """Return where commas group digits, in a list whose items are joined by something wider.

    In `1,000 and 2,000` or `1,000, 2,000` they do; in `36,36,108` and `1,200` alone they do not.
    """
    inside = {match.start() for match in _THOUSANDS.finditer(text)}
    wider = [j for j in joints if j[0] in (",", ";", "and", "or") and j.start() not in inside]
    if not inside or not wider or "(" in text:
        return frozenset()
    spaced = all(j[0] != "," or text[j.end() : j.end() + 1].isspace() for j in wider)
    return frozenset(inside) if spaced else frozenset()


def _only_joined_twice(text: str) -> bool:
    """Whether each empty item comes from ", and" or ", or"."""
    return re.search(r"[,;]\s*[,;]|^\s*[,;]|(?:and|or|[,;])\s*$", text) is None
