r"""Rewritings that keep the meaning: what another model would have written for the same answer.

Each family takes a `Reading` and a seeded random source and returns candidate answers; an empty list
where it does not apply. `pairs` drops those that the evaluator can refute.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable
from fractions import Fraction

from rewriting.reading import CLOSERS, GROUPED, NAME, OPENERS, RELATIONS, Reading, exact, split
from rewriting.values import agree, constant, join, tokens

Family = Callable[[Reading, random.Random], list[str]]
FAMILIES: dict[str, Family] = {}
PLAIN = frozenset(["word", "letter", "quantity"])
SPACES = (r"\,", r"\;", "~", r"\ ", r"\:", " ")
BINARY = frozenset(["+", "-", r"\cdot", r"\times", r"\cup", *RELATIONS])
SIGNS = {
    "<": ("<", r"\lt"),
    ">": (">", r"\gt"),
    "<=": (r"\le", r"\leq", r"\leqslant", "≤", "<="),
    ">=": (r"\ge", r"\geq", r"\geqslant", "≥", ">="),
    "!=": (r"\ne", r"\neq", "≠", "!="),
}
TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "!=": "!="}
SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
VULGAR = {"1/2": "½", "1/3": "⅓", "2/3": "⅔", "1/4": "¼", "3/4": "¾", "1/5": "⅕", "1/8": "⅛"}
SYMBOLS = {
    r"\pi": "π", r"\infty": "∞", r"\cup": "∪", r"\le": "≤", r"\leq": "≤", r"\leqslant": "≤",
    r"\ge": "≥", r"\geq": "≥", r"\geqslant": "≥", r"\neq": "≠", r"\ne": "≠", r"\cdot": "·",
    r"\times": "×", r"\theta": "θ", r"\alpha": "α", "-": "−", r"\pm": "±",
}  # fmt: skip
NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty"
).split()
SMALLER = {
    "m": ("cm", 100), "cm": ("mm", 10), "km": ("m", 1000), "kg": ("g", 1000), "g": ("mg", 1000),
    "hours": ("minutes", 60), "minutes": ("seconds", 60), "meters": ("centimeters", 100),
}  # fmt: skip
SAME_WORDS = {
    "all real numbers": (r"\mathbb{R}", r"(-\infty,\infty)", r"x \in \mathbb{R}"),
    "no solution": (r"\varnothing", r"\emptyset", "∅", "no solutions"),
}


def family(name: str) -> Callable[[Family], Family]:
    """Register a family of rewritings under a name."""

    def register(function: Family) -> Family:
        FAMILIES[name] = function
        return function

    return register


def binary_places(parts: list[str]) -> list[int]:
    """Return the places of signs and relations that stand between two operands."""
    before = BINARY | OPENERS | {"^", "_", ",", "/"}
    return [
        at for at in range(1, len(parts) - 1) if parts[at] in BINARY and parts[at - 1] not in before
    ]


def signed_terms(text: str) -> list[tuple[str, str]]:
    """Return the terms of a sum outside all brackets, each with its sign."""
    parts = tokens(text)
    places, depth, terms = set(binary_places(parts)), 0, [["", ""]]
    if parts[:1] in (["-"], ["+"]):
        terms = [[parts[0], ""]]
    for at, token in enumerate(parts):
        depth += (token in OPENERS) - (token in CLOSERS)
        if at == 0 and token in "+-":
            continue
        if depth == 0 and token in ("+", "-") and at in places:
            terms.append([token, ""])
        else:
            terms[-1][1] = join([terms[-1][1], token]) if terms[-1][1] else token
    return [(sign or "+", term) for sign, term in terms]


def sum_of(terms: list[tuple[str, str]]) -> str:
    """Return signed terms as a sum."""
    return "".join(sign + term for sign, term in terms).removeprefix("+")


def decimal(value: Fraction) -> str | None:
    """Return a terminating decimal of at most six places, or None."""
    for places in range(7):
        if (value * 10**places).denominator == 1:
            digits = str(abs(value.numerator * 10**places // value.denominator)).zfill(places + 1)
            whole, rest = (digits[:-places], digits[-places:]) if places else (digits, "")
            return ("-" if value < 0 else "") + whole + ("." + rest if rest else "")
    return None


def is_integer(reading: Reading) -> bool:
    """Whether a reference is a whole number."""
    plain = re.fullmatch(r"-?\d+", reading.body) or GROUPED.fullmatch(reading.body)
    return reading.kind == "number" and bool(plain) and reading.number is not None


def formulas(reading: Reading) -> list[tuple[str, str]]:
    """Return (what stands before, formula) where a formula is all or the end of a reference."""
    if reading.kind in ("expression", "number"):
        return [("", reading.body)]
    return [(reading.parts[0] + "=", reading.parts[1])] if reading.kind == "assignment" else []


# Typesetting -----------------------------------------------------------------------------------


@family("spacing")
def _spacing(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind in PLAIN:
        return []
    space = rng.choice(SPACES)
    if reading.kind in ("list", "tuple", "set", "roots"):
        return [reading.body.replace(",", "," + rng.choice([*SPACES, r"\quad "]))]
    parts = tokens(reading.body)
    places = set(binary_places(parts))
    spaced = [f"{space}{part}{space}" if at in places else part for at, part in enumerate(parts)]
    return [join(spaced)] if places and reading.kind != "matrix" else []


@family("fraction style")
def _fraction_style(reading: Reading, rng: random.Random) -> list[str]:
    styles = (r"\dfrac", r"\tfrac", r"\cfrac")
    return [reading.body.replace(r"\frac", s) for s in styles] if r"\frac" in reading.body else []


@family("short fraction")
def _short_fraction(reading: Reading, rng: random.Random) -> list[str]:
    short = re.sub(r"\\frac\{(\d)\}\{(\d)\}(?!\d)", r"\\frac\1\2", reading.body)
    long = re.sub(r"\\frac(\d)(\d)", r"\\frac{\1}{\2}", reading.body)
    return [text for text in (short, long) if text != reading.body]


@family("delimiters")
def _delimiters(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind in PLAIN or not re.search(r"[()]", reading.body):
        return []
    left, right = rng.choice([(r"\left", r"\right"), (r"\bigl", r"\bigr"), (r"\Big", r"\Big")])
    out = [
        (left if token in "([" else right if token in ")]" else "") + token
        for token in tokens(reading.body)
    ]
    return [join(out)]


@family("wrapping")
def _wrapping(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind in PLAIN:
        return []
    forms = (r"${}$", r"\({}\)", r"\[{}\]", r"\boxed{{{}}}", r"$${}$$", r"$\boxed{{{}}}$")
    return [rng.choice(forms).format(reading.body)]


@family("full stop")
def _full_stop(reading: Reading, rng: random.Random) -> list[str]:
    wrapped = reading.kind not in PLAIN and rng.random() < 0.5
    return [f"${reading.body}$." if wrapped else reading.body + "."]


@family("braces")
def _braces(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind in PLAIN:
        return []
    more = re.sub(r"([\^_])(\d|[a-z])(?![\d.])", r"\1{\2}", reading.body)
    less = re.sub(r"([\^_])\{([\da-z])\}(?!\d)", r"\1\2", reading.body)
    root = re.sub(r"\\sqrt\{(\d)\}(?!\d)", r"\\sqrt\1", reading.body)
    return [text for text in (more, less, root) if text != reading.body]


@family("unicode")
def _unicode(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind in PLAIN or reading.kind == "matrix":
        return []
    if reading.kind == "number" and str(reading.number) in VULGAR:
        return [VULGAR[str(reading.number)]]
    text = re.sub(r"\\sqrt\{(\d+|[a-z])\}(?=$|[-+),}=<>])", r"√\1", reading.body)
    text = re.sub(
        r"(?<=[A-Za-z\d)])\^(?:\{(-?\d+)\}|(\d))(?!\d)",
        lambda m: (m[1] or m[2]).translate(SUPERSCRIPT), text,
    )  # fmt: skip
    symbols = {k: v for k, v in SYMBOLS.items() if rng.random() < 0.8}
    text = join([symbols.get(token, token) for token in tokens(text)])
    return [text] if text != reading.body else []


@family("relation spelling")
def _relation_spelling(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind != "inequality":
        return []
    return [_relation_text(reading.parts, rng)]


def _relation_text(parts: tuple[str, ...], rng: random.Random) -> str:
    return " ".join(rng.choice(SIGNS[part]) if part in SIGNS else part for part in parts)


@family("multiplication sign")
def _multiplication_sign(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind not in ("expression", "assignment", "equation", "list", "tuple"):
        return []
    sign = rng.choice([r" \cdot ", r" \times ", "*"])
    text = re.sub(
        r"(?<![\w^_{.])(\d+)(?=\\(?:sqrt|pi|sin|cos|ln|left)|[a-zA-Z(])", rf"\1{sign}".replace("\\", r"\\").replace(r"\\1", r"\1"),
        reading.body,
    )  # fmt: skip
    if text == reading.body or re.search(r"(?<!\\)[fgh]\(|/\d+[^,=+-]*\\?[*ct]", text):
        return []
    return [text]


@family("fraction bar")
def _fraction_bar(reading: Reading, rng: random.Random) -> list[str]:
    out = []
    for head, formula in formulas(reading):
        if found := re.fullmatch(r"(-?)\\frac\{([^{}]+)\}\{([^{}]+)\}", formula):
            above, below = (
                part if re.fullmatch(r"\d+|[a-z]", part) else f"({part})" for part in found.groups()[1:]
            )
            out.append(f"{head}{found[1]}{above}/{below}")
        if found := re.fullmatch(r"(-?)(\d+)/(\d+)", formula):
            out.append(head + r"{}\frac{{{}}}{{{}}}".format(*found.groups()))
    return out


@family("root as power")
def _root_as_power(reading: Reading, rng: random.Random) -> list[str]:
    out = []
    for head, formula in formulas(reading):
        root = r"\\sqrt(?:\[(\d+)\])?\{([^{}]+)\}(?!\^)"
        text = re.sub(root, lambda m: f"({m[2]})^{{1/{m[1] or 2}}}", formula, count=1)
        bare = re.fullmatch(r"\\sqrt\{(\d+|[a-z])\}", formula)
        text = f"{bare[1]}^{{1/2}}" if bare else text
        out += [head + text] if text != formula and agree(text, formula) else []
    return out


@family("text command")
def _text_command(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind not in ("word", "letter"):
        return []
    commands = ("text", "textbf") if " " in reading.body else ("text", "textbf", "mathrm")
    return [rf"\{command}{{{reading.body}}}" for command in commands]


@family("case")
def _case(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind != "word" or re.search(r"\b[A-Z]+$", reading.body):
        return []
    lower = reading.body.lower()
    return [text for text in (lower, lower.capitalize()) if text != reading.body]


@family("same words")
def _same_words(reading: Reading, rng: random.Random) -> list[str]:
    return list(SAME_WORDS.get(reading.body.lower(), ()) if reading.kind == "word" else ())


# Numbers ---------------------------------------------------------------------------------------


@family("thousands")
def _thousands(reading: Reading, rng: random.Random) -> list[str]:
    if not is_integer(reading) or reading.number is None or abs(reading.number) < 1000:
        return []
    grouped = f"{int(reading.number):,}"
    forms = [grouped.replace(",", mark) for mark in (",", "{,}", r"\,", " ", r"\ ", "{,}\\!")]
    return [*forms, str(reading.number)] if GROUPED.fullmatch(reading.body) else forms


@family("unreduced fraction")
def _unreduced(reading: Reading, rng: random.Random) -> list[str]:
    value, factor = reading.number, rng.randint(2, 9)
    if reading.kind != "number" or value is None or value.denominator > 10**4:
        return []
    above, below = abs(value.numerator) * factor, value.denominator * factor
    return [("-" if value < 0 else "") + rf"\frac{{{above}}}{{{below}}}"]


@family("decimal of fraction")
def _decimal_of_fraction(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind != "number" or reading.number is None or "." in reading.body:
        return []
    text = decimal(reading.number)
    return [text] if text and "." in text else []


@family("fraction of decimal")
def _fraction_of_decimal(reading: Reading, rng: random.Random) -> list[str]:
    value = reading.number
    if reading.kind != "number" or value is None or "." not in reading.body or value % 1 == 0:
        return []
    sign, above, below = "-" if value < 0 else "", abs(value.numerator), value.denominator
    return [rf"{sign}\frac{{{above}}}{{{below}}}", f"{sign}{above}/{below}"]


@family("trailing zeros")
def _trailing_zeros(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind != "number" or not re.fullmatch(r"-?\d*\.?\d+", reading.body):
        return []
    return [reading.body + ("0" if "." in reading.body else rng.choice([".0", ".00"]))]


@family("leading zero")
def _leading_zero(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind != "number":
        return []
    dropped = re.sub(r"^(-?)0(\.\d+)$", r"\1\2", reading.body)
    added = re.sub(r"^(-?)(\.\d+)$", r"\g<1>0\2", reading.body)
    return [text for text in (dropped, added) if text != reading.body]


@family("mixed number")
def _mixed_number(reading: Reading, rng: random.Random) -> list[str]:
    value = reading.number
    if reading.kind != "number" or value is None or value % 1 == 0 or abs(value) < 1:
        return []
    sign, size = "-" if value < 0 else "", abs(value)
    whole, part = int(size), size - int(size)
    if part.denominator > 100:
        return []
    improper = rf"{sign}\frac{{{size.numerator}}}{{{size.denominator}}}"
    mixed = rf"{sign}{whole}\frac{{{part.numerator}}}{{{part.denominator}}}"
    spoken = f"{sign}{whole} {part.numerator}/{part.denominator}"
    return [improper] if re.match(r"-?\d+\\frac", reading.body) else [mixed, spoken]


@family("sign of fraction")
def _sign_of_fraction(reading: Reading, rng: random.Random) -> list[str]:
    found = re.fullmatch(r"-\\frac\{([^{}]+)\}\{([^{}]+)\}", reading.body)
    if not found or re.search(r"[+-]", found[1] + found[2]):
        return []
    return [rf"\frac{{-{found[1]}}}{{{found[2]}}}", rf"\frac{{{found[1]}}}{{-{found[2]}}}"]


@family("scientific")
def _scientific(reading: Reading, rng: random.Random) -> list[str]:
    if found := re.fullmatch(r"(-?\d\.\d+)\\times10\^\{(-?\d)\}", reading.body):
        value = decimal(Fraction(found[1]) * Fraction(10) ** int(found[2]))
        plain = [value] if value else []
        return [*plain, f"{found[1]}e{found[2]}", rf"{found[1]} \cdot 10^{{{found[2]}}}"]
    if not is_integer(reading) or not re.fullmatch(r"-?\d{2,}00", reading.body):
        return []
    sign, digits = reading.body.startswith("-") * "-", reading.body.lstrip("-")
    kept, power = digits.rstrip("0"), len(digits) - 1
    head = sign + kept[0] + ("." + kept[1:] if len(kept) > 1 else "")
    return [rf"{head}\times 10^{{{power}}}", rf"{head} \cdot 10^{power}", f"{head}e{power}"]


@family("power or factorial")
def _power_or_factorial(reading: Reading, rng: random.Random) -> list[str]:
    if not is_integer(reading) or reading.number is None or not 3 < reading.number < 10**7:
        return []
    value = int(reading.number)
    powers = [
        f"{base}^{{{exponent}}}"
        for exponent in range(2, 24)
        if (base := round(value ** (1 / exponent))) > 1 and base**exponent == value
    ]
    factorials = [f"{n}!" for n in range(3, 11) if math.factorial(n) == value]
    return powers + factorials + ([rf"\sqrt{{{value**2}}}"] if value < 100 else [])


@family("surd")
def _surd(reading: Reading, rng: random.Random) -> list[str]:
    if found := re.fullmatch(r"(-?)(\d+)\\sqrt\{?(\d+)\}?", reading.body):
        return [rf"{found[1]}\sqrt{{{int(found[2]) ** 2 * int(found[3])}}}"]
    if found := re.fullmatch(r"(-?)\\frac\{\\sqrt\{(\d+)\}\}\{(\d+)\}", reading.body):
        below = found[3] if int(found[3]) ** 2 % int(found[2]) else None
        one_over = [] if below else [
            rf"{found[1]}\frac{{{int(found[3]) // int(found[2])}}}{{\sqrt{{{found[2]}}}}}"
        ] if int(found[3]) % int(found[2]) == 0 else []  # fmt: skip
        return [rf"{found[1]}\frac{{1}}{{{found[3]}}}\sqrt{{{found[2]}}}", *one_over]
    return []


@family("repeating decimal")
def _repeating(reading: Reading, rng: random.Random) -> list[str]:
    value = reading.number
    if reading.kind != "number" or value is None or value.denominator not in (3, 9, 11, 33, 99):
        return []
    whole, part = divmod(abs(value), 1)
    length = 1 if value.denominator in (3, 9) else 2
    block = str(int(part * (10**length - 1))).zfill(length)
    return [("-" if value < 0 else "") + rf"{whole}.\overline{{{block}}}"]


@family("rounded constant")
def _rounded(reading: Reading, rng: random.Random) -> list[str]:
    value = irrational_or_periodic(reading)
    return [] if value is None else [f"{value:.6g}", f"{value:.8g}"]


def irrational_or_periodic(reading: Reading) -> float | None:
    """Return the value of a real constant that is certainly no terminating decimal, or None."""
    if reading.kind not in ("number", "expression") or "." in reading.body:
        return None
    value = constant(reading.body)
    if value is None or abs(value.imag) > 1e-12 or not 1e-2 < abs(value.real) < 1e4:
        return None
    if reading.number is not None:
        below = reading.number.denominator
        while below % 2 == 0 or below % 5 == 0:
            below //= 2 if below % 2 == 0 else 5
        return value.real if below > 1 else None
    near = Fraction(value.real).limit_denominator(10**4)
    return None if abs(float(near) - value.real) < 1e-11 * abs(value.real) else value.real


@family("number word")
def _number_word(reading: Reading, rng: random.Random) -> list[str]:
    if not re.fullmatch(r"\d|1\d|20", reading.body) or reading.kind != "number":
        return []
    return [NUMBER_WORDS[int(reading.body)], rf"\text{{{NUMBER_WORDS[int(reading.body)]}}}"]


@family("true chain")
def _true_chain(reading: Reading, rng: random.Random) -> list[str]:
    if not is_integer(reading) or reading.number is None or abs(reading.number) > 10**6:
        return []
    value, part = int(reading.number), rng.randint(2, 30)
    other = value - part
    tail = f"+{other}" if other >= 0 else str(other)
    product = [f"{part} \\times {value // part} = {value}"] if value % part == 0 else []
    return [f"{part}{tail}={value}", *product]


# Marks, units and names ------------------------------------------------------------------------


@family("assignment")
def _assignment(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind == "assignment":
        return [reading.parts[1]]
    if reading.kind == "roots":
        return [",".join(reading.parts[1:])]
    if reading.kind == "number" or constant(reading.body) is not None:
        return [f"{rng.choice('xnayt')} = {reading.body}"]
    return []


@family("percent")
def _percent(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind == "percent" and reading.number is not None:
        value = reading.parts[0]
        share = decimal(reading.number / 100)
        return [rf"{value}\%", f"{value}%", f"{value} percent", value, *([share] if share else [])]
    if is_integer(reading) and reading.number is not None and abs(reading.number) > 1:
        return [rf"{reading.body}\%"]
    if reading.kind == "number" and reading.number is not None and abs(reading.number) < 1:
        hundredfold = decimal(reading.number * 100)
        return [rf"{hundredfold}\%"] if hundredfold and reading.number else []
    return []


@family("degrees")
def _degrees(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind != "degrees" or reading.number is None:
        return []
    value = reading.parts[0]
    out = [f"{value}°", value, f"{value} degrees", rf"{value}\text{{ degrees}}", rf"{value}^\circ"]
    turn = reading.number / 180
    if turn.numerator not in (0, 1, -1) and turn.denominator not in (1,) and turn > 0:
        out.append(rf"\frac{{{turn.numerator}\pi}}{{{turn.denominator}}}")
    return out


@family("units")
def _units(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind == "quantity" and reading.number is not None:
        return _units_of_quantity(reading, reading.number)
    if is_integer(reading) and reading.number is not None and reading.number > 0:
        unit = rng.choice(["cm", "dollars", "hours", "meters", "kg", "minutes"])
        forms = (rf"{reading.body}\text{{ {unit}}}", f"{reading.body} {unit}")
        return [rng.choice([*forms, rf"\${reading.body}"])]
    return []


def _units_of_quantity(reading: Reading, number: Fraction) -> list[str]:
    value, unit = reading.parts
    if unit == "$":
        return [value, rf"\text{{\${value}}}", f"{value} dollars", rf"\${value}"]
    out = [value, rf"{value}\text{{ {unit}}}", rf"{value}\ \mathrm{{{unit}}}", f"{value} {unit}"]
    if unit in SMALLER and (text := decimal(number * SMALLER[unit][1])):
        out.append(rf"{text}\text{{ {SMALLER[unit][0]}}}")
    return out if len(unit) > 1 else [*out[:3], *out[4:]]


@family("ratio")
def _ratio(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind != "ratio":
        return []
    left, right = reading.parts
    twice = f"{2 * int(left)}:{2 * int(right)}"
    return [rf"\frac{{{left}}}{{{right}}}", f"{left}/{right}", twice, f"{left} to {right}"]


@family("base")
def _base(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind != "base":
        return []
    digits, base = reading.parts
    return [f"({digits})_{{{base}}}", f"{digits}_{{{base}}}", rf"{digits}_{{\text{{{base}}}}}", digits]


@family("bound integer")
def _bound_integer(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind != "family":
        return []
    formula, name = reading.parts
    other = rng.choice([letter for letter in "nmk" if letter != name])
    renamed = join([other if token == name else token for token in tokens(formula)])
    return [rf"{renamed},{other}\in\mathbb{{Z}}", rf"{formula}, \quad {name} \in \mathbb{{Z}}"]


@family("constant of integration")
def _constant_of_integration(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind != "antiderivative":
        return []
    formula = reading.parts[0]
    lead = "" if formula.startswith("-") else "+"
    return [f"{formula}+K", f"{formula}+{rng.randint(1, 9)}+C", f"C{lead}{formula}", f"{formula}+c"]


# Order and structure ---------------------------------------------------------------------------


@family("reordered")
def _reordered(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind not in ("list", "set", "roots"):
        return []
    items = list(reading.parts[reading.kind == "roots" :])
    before = list(items)
    rng.shuffle(items)
    text = ", ".join(items)
    if GROUPED.fullmatch(text.replace(" ", "")) or items == before:
        return []
    if reading.kind == "roots":
        return [f"{reading.parts[0]}={text}"]
    return [rf"\{{{text}\}}"] if reading.kind == "set" else [text]


@family("list spelling")
def _list_spelling(reading: Reading, rng: random.Random) -> list[str]:
    name, items = "x", list(reading.parts)
    if reading.kind == "roots":
        name, items = items[0], items[1:]
    elif reading.kind != "list" or any(item.startswith("(") for item in items):
        return [" and ".join(items)] if reading.kind == "list" and len(items) == 2 else []
    each = r" \text{ or } ".join(f"{name}={item}" for item in items)
    distinct = len(set(items)) == len(items)
    out = [each, each.replace(r"\text{ or }", "or")] if reading.kind == "roots" else []
    out += [rf"\{{{', '.join(items)}\}}"] if distinct else []
    return [*out, " and ".join(items)] if len(items) == 2 else out


@family("tuple spelling")
def _tuple_spelling(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind != "tuple" or _could_be_interval(reading):
        return []
    column = r" \\ ".join(reading.parts)
    return [
        rf"\begin{{pmatrix}} {column} \end{{pmatrix}}",
        rf"\langle {', '.join(reading.parts)} \rangle",
        rf"\left( {', '.join(reading.parts)} \right)",
    ]


def _could_be_interval(reading: Reading) -> bool:
    if len(reading.parts) != 2:
        return False
    low, high = (constant(part) for part in reading.parts)
    return low is not None and high is not None and low.real < high.real


@family("interval as inequality")
def _interval_as_inequality(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind == "tuple" and _could_be_interval(reading):
        return [f"{reading.parts[0]} < x < {reading.parts[1]}"]
    if reading.kind != "interval" or any(p == r"(-\infty,\infty)" for p in reading.parts):
        return []
    text = rng.choice([" or ", r" \text{ or } "]).join(map(_piece_as_inequality, reading.parts))
    built = rf"\{{x \mid {text}\}}"
    return [text, built] if len(reading.parts) == 1 else [text]


def _piece_as_inequality(piece: str) -> str:
    (low, high), _ = split(piece[1:-1], frozenset([","]))
    below, over = ("<", ">") if piece[0] == "(" else (r"\le", r"\ge")
    above = "<" if piece[-1] == ")" else r"\le"
    if low == r"-\infty":
        return f"x {above} {high}"
    if r"\infty" in high:
        return f"x {over} {low}"
    return f"{low} {below} x {above} {high}"


@family("union")
def _union(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind != "interval" or len(reading.parts) < 2:
        return []
    return [r" \cup ".join(reversed(reading.parts)), " ∪ ".join(reading.parts)]


@family("inequality as interval")
def _inequality_as_interval(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind != "inequality" or not NAME.fullmatch(reading.parts[0]):
        return _chain_as_interval(reading) if reading.kind == "inequality" else []
    name, sign, bound = reading.parts[:3]
    text = {
        "<": rf"(-\infty, {bound})",
        "<=": rf"(-\infty, {bound}]",
        ">": rf"({bound}, \infty)",
        ">=": rf"[{bound}, +\infty)",
        "!=": rf"(-\infty, {bound}) \cup ({bound}, \infty)",
    }[sign]
    built = rf"\{{{name} \mid {name} {SIGNS[sign][0]} {bound}\}}"
    return [text, rf"{name} \in {text}", built]


def _chain_as_interval(reading: Reading) -> list[str]:
    if len(reading.parts) != 5:
        return []
    low, first, _, second, high = reading.parts
    if first[0] == ">":
        low, first, second, high = high, second, first, low
    return [f"{'[' if '=' in first else '('}{low}, {high}{']' if '=' in second else ')'}"]


@family("sides swapped")
def _sides_swapped(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind == "inequality":
        turned = tuple(TURNED.get(part, part) for part in reversed(reading.parts))
        return [_relation_text(turned, rng)]
    if reading.kind in ("equation", "assignment") and "(" not in reading.parts[0][:2]:
        return [f"{reading.parts[1]}={reading.parts[0]}"]
    return []


@family("scaled equation")
def _scaled_equation(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind != "equation":
        return []
    left, right = reading.parts
    factor = rng.choice([2, 3, 5, 10])
    moved = f"{left}-({right})=0" if right != "0" else f"-({left})=0"
    scaled = f"{factor}({right})" if right != "0" else "0"
    return [f"{factor}({left})={scaled}", moved]


@family("sum reordered")
def _sum_reordered(reading: Reading, rng: random.Random) -> list[str]:
    out = []
    for head, formula in formulas(reading):
        terms = signed_terms(formula)
        if len(terms) > 1:
            shuffled = [*terms[1:], terms[0]] if rng.random() < 0.5 else terms[::-1]
            text = sum_of(shuffled)
            out += [head + text] if agree(text, formula) else []
    return out


@family("product reordered")
def _product_reordered(reading: Reading, rng: random.Random) -> list[str]:
    out = []
    for head, formula in formulas(reading):
        found = factors(formula)
        if found and len(found[1]) > 1:
            turned = r" \cdot ".join(reversed(found[1]))
            out += [f"{head}{found[0]}{turned}"] if agree(found[0] + turned, formula) else []
    return out


def factors(formula: str) -> tuple[str, list[str]] | None:
    """Return the sign and the factors of a single product, or None."""
    if len(signed_terms(formula)) > 1 or re.search(r"/|\\(?:sin|cos|tan|ln|log|exp|arc)|[|!]", formula):
        return None
    sign = "-" if formula.startswith("-") else ""
    atom = r"(?:\\sqrt(?:\[\d+\])?\{[^{}]*\}|\\frac\{[^{}]*\}\{[^{}]*\}|\\pi|\d+(?:\.\d+)?|[a-zA-Z]|\([^()]*\))"
    factor = rf"{atom}(?:\^(?:\d|\{{[^{{}}]*\}}))?"
    rest = formula.removeprefix("-")
    found = re.findall(factor, rest)
    return (sign, found) if "".join(found) == rest.replace(" ", "") and "_" not in rest else None


@family("not reduced")
def _not_reduced(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind != "expression" or constant(reading.body) is not None:
        return []
    factor = rng.randint(2, 5)
    return [rf"\frac{{{factor}({reading.body})}}{{{factor}}}"]


@family("function spelling")
def _function_spelling(reading: Reading, rng: random.Random) -> list[str]:
    out = []
    for head, formula in formulas(reading):
        exponential = re.sub(r"(?<![A-Za-z\\])e\^\{([^{}]*)\}", r"\\exp(\1)", formula)
        natural = re.sub(r"\\ln(?=\()", r"\\log_{e}", formula)
        upright = re.sub(r"\\(sin|cos|tan|ln)(?![a-z])", r"\\operatorname{\1}", formula)
        out += [head + text for text in (exponential, natural, upright) if text != formula]
    return out


@family("plus minus")
def _plus_minus(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind == "plus_minus":
        return [f"{reading.parts[0]}, -{reading.parts[0]}", rf"\{{-{reading.parts[0]}, {reading.parts[0]}\}}"]
    if reading.kind == "list" and len(reading.parts) == 2:
        low, high = sorted(reading.parts, key=lambda item: not item.startswith("-"))
        if low == "-" + high and not re.search("[+-]", high):
            return [rf"\pm {high}"]
    return []


@family("matrix environment")
def _matrix_environment(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind != "matrix":
        return []
    inner = r" \\ ".join(reading.parts)
    return [rf"\begin{{{kind}}}{inner}\end{{{kind}}}" for kind in ("bmatrix", "pmatrix")]


@family("vector as tuple")
def _vector_as_tuple(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind != "matrix" or "&" in "".join(reading.parts) or len(reading.parts) < 2:
        return []
    return [f"({', '.join(reading.parts)})"]


__all__ = ["FAMILIES", "exact", "factors", "irrational_or_periodic", "signed_terms", "sum_of"]
