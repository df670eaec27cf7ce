r"""Rewritings that change the value: the slips of a model, each one a wrong answer.

A family that edits the formula returns candidates which `pairs` keeps only where the evidence says
that the value changed; families in `BY_CONSTRUCTION` are wrong by a rule of the definition
(`16-3-4` for 9 leaves the work undone), so no value can tell.
"""

from __future__ import annotations

import random
import re

from rewriting.common import (
    TURNED,
    Family,
    formulas,
    irrational_or_periodic,
    is_integer,
    signed_terms,
    sum_of,
)
from rewriting.reading import NAME, Reading, split
from rewriting.values import constant, join, tokens

FAMILIES: dict[str, Family] = {}
BY_CONSTRUCTION: set[str] = set()
WORDS = frozenset(["word", "letter"])
OPPOSITES = {
    "even": "odd", "odd": "even", "true": "false", "false": "true", "yes": "no", "no": "yes",
    "increasing": "decreasing", "decreasing": "increasing", "converges": "diverges",
    "diverges": "converges", "all real numbers": "no solution", "no solution": "all real numbers",
}  # fmt: skip
SWAPPED = {
    r"\sin": r"\cos", r"\cos": r"\sin", r"\tan": r"\cot", r"\cot": r"\tan", r"\sec": r"\csc",
    r"\csc": r"\sec", r"\arcsin": r"\arccos", r"\arccos": r"\arcsin", r"\sinh": r"\cosh",
    r"\cosh": r"\sinh",
}  # fmt: skip
OTHER_UNIT = {
    "cm": "m", "m": "cm", "mm": "cm", "km": "m", "kg": "g", "g": "kg", "hours": "minutes",
    "minutes": "hours", "seconds": "minutes", "meters": "feet", "feet": "meters", "ft": "m",
    "$": "£", "dollars": "cents",
}  # fmt: skip
STRICT = {"<": r"\le", "<=": "<", ">": r"\ge", ">=": ">", "!=": "="}
LATEX = {"<": "<", ">": ">", "<=": r"\le", ">=": r"\ge", "!=": r"\ne"}
BRACKETS = {"(": "[", "[": "(", ")": "]", "]": ")"}


def family(name: str, *, by_construction: bool = False):  # type: ignore[no-untyped-def]
    """Register a family of slips under a name."""

    def register(function: Family) -> Family:
        FAMILIES[name] = function
        if by_construction:
            BY_CONSTRUCTION.add(name)
        return function

    return register


def _collected(reading: Reading, items: list[str]) -> str:
    """Return items written as the collection that a reference is."""
    text = ", ".join(items)
    if reading.kind == "roots":
        return f"{reading.parts[0]}={text}"
    return {"set": rf"\{{{text}\}}", "tuple": f"({text})"}.get(reading.kind, text)


def _items(reading: Reading) -> list[str]:
    """Return the items of an unordered collection, or none."""
    if reading.kind == "roots":
        return list(reading.parts[1:])
    return list(reading.parts) if reading.kind in ("list", "set") else []


# Slips in a formula: evidence decides ----------------------------------------------------------


@family("digit")
def _digit(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind in WORDS:
        return []
    places = [
        match.span()
        for match in re.finditer(r"\d", reading.body)
        if not re.search(r"_\{?\d*$|sqrt\[\d*$", reading.body[: match.start()])
    ]
    return [_with_other_digit(reading.body, at, rng) for at, _ in _some(places, 3, rng)]


def _with_other_digit(text: str, at: int, rng: random.Random) -> str:
    digit = rng.choice([d for d in "123456789" if d != text[at]])
    return text[:at] + digit + text[at + 1 :]


def _some(items: list, count: int, rng: random.Random) -> list:  # type: ignore[type-arg]
    return rng.sample(items, min(count, len(items)))


@family("sign")
def _sign(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind in WORDS or reading.kind in ("ratio", "base", "family", "plus_minus"):
        return []
    body, out = reading.body, []
    for match in _some(list(re.finditer(r"(?<![\^_{<>])[+-](?!\\infty)", body)), 2, rng):
        flipped = "+" if match[0] == "-" else "-"
        after_operand = re.search(r"[\w)}\]|!]$", body[: match.start()])
        sign = flipped if after_operand else ""
        out.append(body[: match.start()] + sign + body[match.end() :])
    signed = reading.kind in ("number", "expression", "percent", "degrees", "quantity")
    if signed and not body.startswith(("-", "\\$", "$")) and len(signed_terms(body)) == 1:
        out.append("-" + body)
    return out


@family("exponent")
def _exponent(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind not in ("expression", "antiderivative", "assignment", "list", "tuple", "set"):
        return []
    found = list(re.finditer(r"\^(?:\{(\d+)\}|(\d))", reading.body))
    return [
        reading.body[: m.start()] + f"^{{{int(m[1] or m[2]) + 1}}}" + reading.body[m.end() :]
        for m in _some(found, 2, rng)
    ]


@family("variable")
def _variable(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind == "assignment" and constant(reading.parts[1]) is not None:
        return []
    parts = tokens(reading.body)
    start = parts.index("=") + 1 if reading.kind == "assignment" else 0
    if reading.kind not in ("expression", "antiderivative", "assignment") or "_" in parts:
        return []
    names = sorted({p for p in parts[start:] if re.fullmatch("[a-zA-Z]", p) and p not in "eidC"})
    others = [letter for letter in "mnpqtuvwxyz" if letter not in parts]
    if not names:
        return []
    name, other = rng.choice(names), rng.choice(others)
    renamed = [other if p == name and at >= start else p for at, p in enumerate(parts)]
    return [join(renamed)]


@family("dropped term")
def _dropped_term(reading: Reading, rng: random.Random) -> list[str]:
    constant_of_integration = "+C" if reading.kind == "antiderivative" else ""
    if reading.kind == "antiderivative":
        head, formula = "", reading.parts[0]
    else:
        head, formula = next(iter(formulas(reading)), ("", ""))
    terms = signed_terms(formula)
    if len(terms) < 2:
        return []
    del terms[rng.randrange(len(terms))]
    return [head + sum_of(terms) + constant_of_integration]


@family("function")
def _function(reading: Reading, rng: random.Random) -> list[str]:
    parts = tokens(reading.body)
    places = [at for at, part in enumerate(parts) if part in SWAPPED]
    return [
        join([*parts[:at], SWAPPED[parts[at]], *parts[at + 1 :]]) for at in _some(places, 2, rng)
    ]


@family("inverted fraction")
def _inverted_fraction(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind in WORDS or reading.kind in ("quantity", "matrix"):
        return []
    found = list(re.finditer(r"(?<!\d)\\frac\{([^{}]+)\}\{([^{}]+)\}", reading.body))
    out = [
        f"{reading.body[: m.start()]}\\frac{{{m[2]}}}{{{m[1]}}}{reading.body[m.end() :]}"
        for m in _some(found, 1, rng)
    ]
    slash = re.fullmatch(r"(-?)(\d+)/(\d+)", reading.body)
    return [*out, "{0}{2}/{1}".format(*slash.groups())] if slash else out


@family("factor ten")
def _factor_ten(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind not in ("number", "percent", "degrees", "quantity"):
        return []
    if found := re.search(r"\d*\.\d+", reading.body):
        whole, part = found[0].split(".")
        shifted = [f"{whole}{part[0]}.{part[1:]}0", f"0.{whole or '0'}{part}"]
        shifted = (
            [re.sub(r"^0+(?=\d)", "", shifted[0]), shifted[1]] if len(whole) < 2 else shifted[:1]
        )
        return [reading.body.replace(found[0], text) for text in shifted]
    found = re.search(r"(?<![\d,])\d+(?![\d,])", reading.body)
    return [reading.body[: found.end()] + "0" + reading.body[found.end() :]] if found else []


@family("item dropped")
def _item_dropped(reading: Reading, rng: random.Random) -> list[str]:
    items = _items(reading)
    if len(items) < 3:
        return []
    del items[rng.randrange(len(items))]
    return [_collected(reading, items)]


@family("one of two", by_construction=True)
def _one_of_two(reading: Reading, rng: random.Random) -> list[str]:
    items = _items(reading)
    if len(items) != 2 or len({*items}) < 2 or reading.kind == "set":
        return []
    return [rng.choice(items)]


@family("item duplicated")
def _item_duplicated(reading: Reading, rng: random.Random) -> list[str]:
    items = _items(reading)
    if reading.kind == "set" or not items:
        return []
    return [_collected(reading, [*items, rng.choice(items)])]


@family("item replaced")
def _item_replaced(reading: Reading, rng: random.Random) -> list[str]:
    items = _items(reading) or (list(reading.parts) if reading.kind == "tuple" else [])
    if not items:
        return []
    at = rng.randrange(len(items))
    items[at] = str(rng.randint(2, 40)) if not items[at].startswith("(") else "(1,1)"
    return [_collected(reading, items)]


@family("tuple reordered")
def _tuple_reordered(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind != "tuple":
        return []
    items = list(reading.parts)
    rng.shuffle(items)
    return [f"({', '.join(items)})"]


@family("point swapped")
def _point_swapped(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind not in ("list", "set") or not reading.parts[0].startswith("("):
        return []
    items = list(reading.parts)
    cells = split(items[0][1:-1], frozenset([","]))[0]
    return [_collected(reading, [f"({','.join(reversed(cells))})", *items[1:]])]


@family("bracket")
def _bracket(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind != "interval":
        return []
    pieces = list(reading.parts)
    at = rng.randrange(len(pieces))
    piece, out = pieces[at], []
    ends = split(piece[1:-1], frozenset([","]))[0]
    if r"\infty" not in ends[0]:
        out.append(BRACKETS[piece[0]] + piece[1:])
    if r"\infty" not in ends[1]:
        out.append(piece[:-1] + BRACKETS[piece[-1]])
    return [r" \cup ".join([*pieces[:at], text, *pieces[at + 1 :]]) for text in out]


@family("piece dropped")
def _piece_dropped(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind != "interval" or len(reading.parts) < 2:
        return []
    pieces = list(reading.parts)
    del pieces[rng.randrange(len(pieces))]
    return [r" \cup ".join(pieces)]


@family("direction")
def _direction(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind != "inequality" or len(reading.parts) != 3 or reading.parts[1] == "!=":
        return []
    left, sign, right = reading.parts
    return [f"{left} {LATEX[TURNED[sign]]} {right}"]


@family("strictness", by_construction=True)
def _strictness(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind != "inequality":
        return []
    parts = list(reading.parts)
    at = rng.choice(range(1, len(parts), 2))
    signs = [LATEX.get(part, part) for part in parts]
    signs[at] = STRICT[parts[at]]
    return [" ".join(signs)]


@family("matrix")
def _matrix(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind != "matrix" or len(reading.parts) < 2:
        return []
    rows = [*reading.parts[1:], reading.parts[0]]
    turned = r" \\ ".join(rows)
    return [rf"\begin{{pmatrix}}{turned}\end{{pmatrix}}"]


@family("ratio turned")
def _ratio_turned(reading: Reading, rng: random.Random) -> list[str]:
    return [":".join(reversed(reading.parts))] if reading.kind == "ratio" else []


# Wrong by a rule of the definition --------------------------------------------------------------


@family("wrong name", by_construction=True)
def _wrong_name(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind != "assignment" or not NAME.fullmatch(reading.parts[0]):
        return []
    if constant(reading.parts[1]) is None:
        return []
    name = rng.choice([letter for letter in "xyzabmt" if letter != reading.parts[0]])
    return [f"{name}={reading.parts[1]}"]


@family("wrong word", by_construction=True)
def _wrong_word(reading: Reading, rng: random.Random) -> list[str]:
    opposite = OPPOSITES.get(reading.body.lower())
    return [opposite] if opposite and reading.kind == "word" else []


@family("wrong letter", by_construction=True)
def _wrong_letter(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind != "letter":
        return []
    return [rng.choice([letter for letter in "ABCDEFGH" if letter != reading.body])]


@family("letter case", by_construction=True)
def _letter_case(reading: Reading, rng: random.Random) -> list[str]:
    return [reading.body.lower()] if reading.kind == "letter" else []


@family("wrong unit", by_construction=True)
def _wrong_unit(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind == "degrees" and reading.number:
        return [rf"{reading.parts[0]}\text{{ rad}}"]
    if reading.kind != "quantity" or reading.parts[1] not in OTHER_UNIT or not reading.number:
        return []
    other = OTHER_UNIT[reading.parts[1]]
    return [f"£{reading.parts[0]}" if other == "£" else rf"{reading.parts[0]}\text{{ {other}}}"]


@family("wrong percent", by_construction=True)
def _wrong_percent(reading: Reading, rng: random.Random) -> list[str]:
    value = reading.number
    if reading.kind == "number" and value and abs(value) < 1 and "frac" not in reading.body:
        return [rf"{reading.body}\%"] if "/" not in reading.body else []
    return []


@family("false chain", by_construction=True)
def _false_chain(reading: Reading, rng: random.Random) -> list[str]:
    if not is_integer(reading) or reading.number is None or abs(reading.number) > 10**6:
        return []
    value, off = int(reading.number), rng.randint(1, 5)
    return [f"{value - off}={value}", f"{off}+{abs(value)}={value}" if value > 0 else f"1={value}"]


@family("work left undone", by_construction=True)
def _undone(reading: Reading, rng: random.Random) -> list[str]:
    if not is_integer(reading) or reading.number is None or not 3 < reading.number < 10**6:
        return []
    value, part = int(reading.number), rng.randint(1, 3)
    return [
        f"{value - part}+{part}",
        f"{value + 7}-3-4",
        rf"\int_0^1 {2 * value}x\,dx",
        rf"\lim_{{x \to {value}}} x",
        rf"\sum_{{k=1}}^{{{value}}} 1",
    ]


@family("wrongly rounded", by_construction=True)
def _wrongly_rounded(reading: Reading, rng: random.Random) -> list[str]:
    value = irrational_or_periodic(reading)
    if value is None or abs(value) < 0.1:
        return []
    rounded = f"{value:.5g}"
    last = rounded[-1]
    if "." not in rounded or "e" in rounded:
        return []
    slip = (int(last) + rng.randint(2, 8)) % 10 or (int(last) + 5) % 10
    return [rounded[:-1] + str(slip), _coarse(value)] if slip else [_coarse(value)]


def _coarse(value: float) -> str:
    """Return a value to two significant digits: too easy to guess."""
    return f"{value:.2g}" if abs(value) < 10 else f"{value:.0f}"


@family("constant forgotten", by_construction=True)
def _constant_forgotten(reading: Reading, rng: random.Random) -> list[str]:
    return [reading.parts[0]] if reading.kind == "antiderivative" else []


@family("one sign of two", by_construction=True)
def _one_sign(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind == "plus_minus":
        return [rng.choice(["", "-"]) + reading.parts[0]]
    size = reading.body.removeprefix("-")
    return [rf"\pm {size}"] if reading.kind == "number" and reading.number else []


@family("other base", by_construction=True)
def _other_base(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind != "base":
        return []
    digits, base = reading.parts
    return [f"{digits}_{{{int(base) + 1}}}", str(int(digits, int(base)))] if len(digits) > 1 else []


__all__ = ["BY_CONSTRUCTION", "FAMILIES"]
