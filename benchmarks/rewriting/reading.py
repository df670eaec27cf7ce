r"""What kind of thing a reference is, by a grammar of regular expressions: the generator's view.

`read` returns None for whatever it does not fully understand (prose, several statements, proofs),
so that only references with one certain meaning are rewritten.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from rewriting.values import (
    CLOSERS,
    GREEK,
    OPENERS,
    agree,
    constant,
    join,
    readable,
    tokens,
)

RELATIONS = {
    "=": "=", "<": "<", ">": ">", r"\lt": "<", r"\gt": ">", r"\le": "<=", r"\leq": "<=",
    r"\leqslant": "<=", r"\ge": ">=", r"\geq": ">=", r"\geqslant": ">=", r"\neq": "!=",
    r"\ne": "!=", "≤": "<=", "≥": ">=", "≠": "!=",
}  # fmt: skip
GROUPED = re.compile(r"-?[1-9]\d{0,2}(?:(?:,|\{,\}|\\,)\d{3})+(?:\.\d+)?")
GREEK_NAME = "|".join(re.escape(name) for name in sorted(GREEK))
NAME = re.compile(rf"(?:[A-Za-z]|{GREEK_NAME})(?:_(?:[A-Za-z\d]|\{{[A-Za-z\d]+\}}))?")
HEAD = re.compile(rf"{NAME.pattern}(?:\^\{{-1\}})?(?:\([a-z](?:,[a-z])*\))?")
UNITS = ("cm", "mm", "km", "kg", "ft", "mg", "ml", "min", "sec", "hr", "rad", "lb", "am", "pm")
MATRIX = re.compile(
    r"\\begin\{(?:array\}\{[lcr| ]+|[pbvB]?matrix)\}(?P<body>.*)\\end\{(?:array|[pbvB]?matrix)\}",
    re.DOTALL,
)
WORDS = re.compile(r"[A-Za-z]{2,}(?: [A-Za-z]+){0,5}")
NOT_WORDS = re.compile(
    r"(?!(?:yes|no|odd)$)(?:[A-Z]+|[a-z]{1,3})$"
)  # a run of capitals or `ab` is a name or product
UNIT = re.compile(
    r"(?P<value>-?[\d.,]+)\s*(?:\\(?:mathrm|text)\s*\{\s*~?\s*(?P<tex>[A-Za-z]+)\s*\}"
    r"|(?<=\s)(?P<bare>[A-Za-z]{2,}))$"
)
PROSE = re.compile(r"(?<![A-Za-z\\])[A-Za-z]{4,}|\b(?:and|or|to|by|if|at|in|is|of|no|for)\b")


@dataclass(frozen=True)
class Reading:
    """A reference, what it was understood as, and its parts.

    Attributes:
        text: The reference as the data set stores it.
        body: The formula without dollar signs, `\\left`, `\\right` and idle white space.
        kind: `number`, `expression`, `antiderivative`, `list`, `roots`, `tuple`, `set`, `interval`,
            `inequality`, `assignment`, `equation`, `chain`, `matrix`, `plus_minus`, `ratio`,
            `percent`, `degrees`, `quantity`, `base`, `family`, `word` or `letter`.
        parts: Items of a collection, sides of a relation, rows of a matrix, value and unit.
        number: The exact value of a number, if rational.
    """

    text: str
    body: str
    kind: str
    parts: tuple[str, ...] = ()
    number: Fraction | None = None


def split(body: str, separators: frozenset[str]) -> tuple[list[str], list[str]]:
    """Return the pieces between separators outside all brackets, and the separators."""
    pieces: list[list[str]] = [[]]
    found, depth = [], 0
    for token in tokens(body):
        depth += (token in OPENERS) - (token in CLOSERS)
        if token in separators and depth == 0:
            pieces.append([])
            found.append(token)
        else:
            pieces[-1].append(token)
    return [join(piece) for piece in pieces], found


def exact(body: str) -> Fraction | None:
    """Return the rational number that a numeral, fraction or mixed number is, or None."""
    if GROUPED.fullmatch(body):
        return Fraction(re.sub(r",|\{,\}|\\,", "", body))
    if re.fullmatch(r"-?(\d+(\.\d+)?|\.\d+)", body):
        return Fraction(body)
    fraction = re.fullmatch(
        r"(-?)(\d*)\\frac(?:\{(-?\d+)\}\{(\d+)\}|(\d)(\d))|(-?)()(\d+)/(\d+)", body
    )
    if not fraction:
        return None
    sign, whole, *numbers = (group for group in fraction.groups() if group is not None)
    above, below = map(int, numbers)
    if not below or (whole and (above < 0 or above >= below)):
        return None
    value = int(whole or 0) + Fraction(above, below)
    return -value if sign else value


def bare(reference: str) -> str | None:
    """Return a reference without what surrounds the formula, or None if it has more than one."""
    text = reference.strip()
    if re.fullmatch(r"\$[^$]+\$\.?", text) and not text.endswith(r"\$"):
        text = text.strip(".")[1:-1].strip()
    text = re.sub(r"^(\\quad|\\,|~)+|(\\quad|\\,|~)+$", "", text).strip()
    if "\n" in text or re.search(r"(?<!\\)\$|\\(left|right)\.|\d\s+\d", text):
        return None
    return re.sub(r"\\(?:left|right)(?![A-Za-z])\s*", "", text).removesuffix(".")


def read(reference: str) -> Reading | None:
    """Return what a reference is, or None where that is not certain."""
    text = bare(reference)
    if not text or len(text) > 200:
        return None
    for reader in (_word, _quantity, _matrix, _marked):
        if found := reader(reference, text):
            return found
    if re.search(r"\\(begin|text|mathrm|mathbf|operatorname)", text) or PROSE.search(text):
        return None
    body = join(tokens(text))
    if re.search(r",\s+\d{3}(?!\d)", text) and GROUPED.fullmatch(body):
        return None  # `40, 200`: a list or a number
    if any(re.search(rf"(?<![A-Za-z\\]){unit}(?![A-Za-z])", body) for unit in UNITS):
        return None
    for reader in (_number, _roots, _relation, _collection, _expression):
        if found := reader(reference, body):
            return found
    return None


def _word(reference: str, text: str) -> Reading | None:
    inner = re.sub(r"^\\text\s*\{([^{}]*)\}$", r"\1", text).strip()
    if re.fullmatch("[A-Z]", inner):
        return Reading(reference, inner, "letter")
    if WORDS.fullmatch(inner) and not NOT_WORDS.match(inner):
        return Reading(reference, inner, "word")
    return None


def _quantity(reference: str, text: str) -> Reading | None:
    money = re.fullmatch(r"\\?\\\$\s*([\d.,]+)", text)
    if money and exact(money[1]) is not None:
        return Reading(reference, text, "quantity", (money[1], "$"), exact(money[1]))
    found = UNIT.fullmatch(text)
    if not found or exact(found["value"]) is None:
        return None
    unit = found["tex"] or found["bare"]
    return Reading(reference, text, "quantity", (found["value"], unit), exact(found["value"]))


def _matrix(reference: str, text: str) -> Reading | None:
    inner = re.fullmatch(r"\[(.*)\]|\((.*)\)|(\\begin\{[pb]matrix\}.*)", text, re.DOTALL)
    found = inner and MATRIX.fullmatch(next(group for group in inner.groups() if group).strip())
    if not found or "begin" in found["body"]:
        return None
    rows = tuple(row.strip() for row in found["body"].split(r"\\") if row.strip())
    cells = [join(tokens(cell)) for row in rows for cell in row.split("&")]
    if not all(readable(cell) for cell in cells) or len({row.count("&") for row in rows}) > 1:
        return None
    return Reading(reference, text, "matrix", rows)


def _marked(reference: str, text: str) -> Reading | None:
    """Read what a mark tells: percent, degrees, a ratio, a base, a bound integer."""
    body = join(tokens(text))
    if (found := re.fullmatch(r"(-?[\d.]+)\\?%", body)) and exact(found[1]) is not None:
        return Reading(reference, body, "percent", (found[1],), exact(found[1]))
    if (found := re.fullmatch(r"(-?[\d.]+)(?:\^\{?\\circ\}?|°)", body)) and exact(found[1]):
        return Reading(reference, body, "degrees", (found[1],), exact(found[1]))
    if found := re.fullmatch(r"(\d+):(\d+)", body):
        return Reading(reference, body, "ratio", (found[1], found[2]))
    found = re.fullmatch(r"\(?(\d+)\)?_\{?(\d+)\}?", body)
    if found and 2 <= int(found[2]) <= 9 and int(max(found[1])) < int(found[2]):
        return Reading(reference, body, "base", (found[1], found[2]))
    found = re.fullmatch(r"(?:x=)?([^,=]+),([knm])\\in(?:\\mathbb\{Z\}|\\Z)", body)
    if found and found[2] in tokens(found[1]) and readable(found[1]):
        return Reading(reference, body, "family", (found[1], found[2]))
    return None


def _number(reference: str, body: str) -> Reading | None:
    value = exact(body)
    return None if value is None else Reading(reference, body, "number", (body,), value)


def _relation(reference: str, body: str) -> Reading | None:
    sides, signs = split(body, frozenset(RELATIONS))
    if not signs or not all(sides):
        return None
    kinds = [RELATIONS[sign] for sign in signs]
    if kinds == ["="]:
        return _equality(reference, body, *sides)
    if "=" in kinds or ("!=" in kinds and len(kinds) > 1) or len(kinds) > 2:
        return None
    names = [side for side in sides if NAME.fullmatch(side) and side not in ("e", "i")]
    bounds = [constant(side) for side in sides if side not in names]
    if len(names) != 1 or None in bounds or (len(kinds) == 2 and sides[1] != names[0]):
        return None
    if len(kinds) == 2:
        low, high = (bound.real for bound in bounds if bound is not None)
        if kinds[0][0] != kinds[1][0] or (low < high) != (kinds[0][0] == "<"):
            return None
    parts = [sides[0]]
    for sign, side in zip(kinds, sides[1:], strict=True):
        parts += [sign, side]
    return Reading(reference, body, "inequality", tuple(parts))


def _equality(reference: str, body: str, left: str, right: str) -> Reading | None:
    if re.search(r"\\pm|\\mp", body):
        return None
    if HEAD.fullmatch(left) and left not in ("e", "i") and readable(right):
        arbitrary = {left[0], "c", "C", "k", "K"} & set(tokens(right))
        arbitrary |= set(re.findall(r"a_\{?[01]\}?", right))  # of a power series
        return None if arbitrary else Reading(reference, body, "assignment", (left, right))
    if readable(left) and readable(right) and not {"c", "C", "k", "K"} & set(tokens(body)):
        if constant(left) is not None or agree(left, right):
            return None  # a chain such as `\log_2 8=3`, or an identity
        return Reading(reference, body, "equation", (left, right))
    return None


def _roots(reference: str, body: str) -> Reading | None:
    found = re.fullmatch(rf"({NAME.pattern})=([^=<>]+,[^=<>]+)", body)
    inner = found and _items(reference, body, "roots", found[2])
    if not found or not inner or not all(constant(item) is not None for item in inner.parts):
        return None
    return Reading(reference, body, "roots", (found[1], *inner.parts))


def _collection(reference: str, body: str) -> Reading | None:
    if r"\cup" in body or "∪" in body or _interval(body):
        pieces, _ = split(body, frozenset([r"\cup", "∪"]))
        if all(_interval(piece, len(pieces) == 1) for piece in pieces):
            return Reading(reference, body, "interval", tuple(pieces)) if _sorted(pieces) else None
        return None
    if len(inside := re.findall(r"^\\\{(.*)\\\}$", body)) == 1 and r"\}" not in inside[0]:
        return _items(reference, body, "set", inside[0])
    pieces, commas = split(body, frozenset([","]))
    if commas:
        return _items(reference, body, "list", body)
    if body.startswith("(") and body.endswith(")") and "," in body:
        found = _items(reference, body, "tuple", body[1:-1])
        return found if found and r"\infty" not in body else None
    return None


def _items(reference: str, body: str, kind: str, inside: str) -> Reading | None:
    """Return a collection whose items are all formulas without a sign of a general constant."""
    items, commas = split(inside, frozenset([","]))
    points = [item for item in items if re.fullmatch(r"\([^()]*,[^()]*\)", item)]
    if not commas or GROUPED.fullmatch(inside) or not all(items):
        return None
    if points and kind != "tuple" and len(points) == len(items):
        cells = [cell for item in items for cell in split(item[1:-1], frozenset([","]))[0]]
    else:
        cells = items
    if not all(readable(cell) for cell in cells) or re.search(r"\\pm|\\ldots|[cC]_", body):
        return None
    if all(re.fullmatch(r"\d{3}", item) for item in items[1:]):
        return None  # `25,100,55`: some of it could be read as thousands
    return Reading(reference, body, kind, tuple(items))


def _interval(piece: str, alone: bool = True) -> bool:
    """Whether a piece is certainly an interval: alone, it has ∞ or a square bracket."""
    if not re.fullmatch(r"[(\[].*[)\]]", piece):
        return False
    ends = ends_of(piece)
    if ends is None or ends[0] >= ends[1]:
        return False
    return not alone or r"\infty" in piece or "[" in piece[0] or "]" in piece[-1]


def ends_of(piece: str) -> tuple[float, float] | None:
    """Return the ends of an interval, or None."""
    ends, _ = split(piece[1:-1], frozenset([","]))
    if len(ends) != 2:
        return None
    values = [_end(end) for end in ends]
    return None if None in values else (values[0], values[1])  # type: ignore[return-value]


def _end(text: str) -> float | None:
    if text in (r"\infty", r"+\infty"):
        return float("inf")
    if text == r"-\infty":
        return float("-inf")
    value = constant(text)
    return None if value is None or value.imag else value.real


def _sorted(pieces: list[str]) -> bool:
    """Whether the pieces of a union stand in order and apart, so that each end matters."""
    ends = [ends_of(piece) for piece in pieces]
    for one, other, left, right in zip(ends, ends[1:], pieces, pieces[1:], strict=False):
        if one is None or other is None or one[1] > other[0]:
            return False
        if one[1] == other[0] and (left[-1], right[0]) != (")", "("):
            return False
    return True


def _expression(reference: str, body: str) -> Reading | None:
    if found := re.fullmatch(r"\\pm\s*(.+)", body):
        simple = readable(found[1]) and not re.search(r"\\pm|[+-]", found[1])
        return Reading(reference, body, "plus_minus", (found[1],)) if simple else None
    if found := re.fullmatch(r"(.+)\+C", body):
        plain = readable(found[1]) and "C" not in tokens(found[1])
        return Reading(reference, body, "antiderivative", (found[1],)) if plain else None
    if not readable(body) or re.search(r"[cCkK]_", body):
        return None
    return Reading(reference, body, "expression", (body,))
