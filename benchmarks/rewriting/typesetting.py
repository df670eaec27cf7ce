"""Right rewritings in the typesetting: spacing, fraction styles, delimiters, wrappings, Unicode."""

from __future__ import annotations

import random
import re

from rewriting.common import (
    binary_places,
    family,
    formulas,
    relation_text,
)
from rewriting.reading import Reading
from rewriting.values import agree, join, tokens

PLAIN = frozenset(["word", "letter", "quantity"])
SPACES = (r"\,", r"\;", "~", r"\ ", r"\:", " ")
SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
VULGAR = {"1/2": "½", "1/3": "⅓", "2/3": "⅔", "1/4": "¼", "3/4": "¾", "1/5": "⅕", "1/8": "⅛"}
SYMBOLS = {
    r"\pi": "π", r"\infty": "∞", r"\cup": "∪", r"\le": "≤", r"\leq": "≤", r"\leqslant": "≤",
    r"\ge": "≥", r"\geq": "≥", r"\geqslant": "≥", r"\neq": "≠", r"\ne": "≠", r"\cdot": "·",
    r"\times": "×", r"\theta": "θ", r"\alpha": "α", "-": "−", r"\pm": "±",
}  # fmt: skip
SAME_WORDS = {
    "all real numbers": (r"\mathbb{R}", r"(-\infty,\infty)", r"x \in \mathbb{R}"),
    "no solution": (r"\varnothing", r"\emptyset", "∅", "no solutions"),
}


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
    return [relation_text(reading.parts, rng)]


@family("multiplication sign")
def _multiplication_sign(reading: Reading, rng: random.Random) -> list[str]:
    if reading.kind not in ("expression", "assignment", "equation", "list", "tuple"):
        return []
    sign = rng.choice([r" \cdot ", r" \times ", "*"])
    before_factor = r"(?<![\w^_{.])(\d+)(?=\\(?:sqrt|pi|sin|cos|ln|left)|[a-zA-Z(])"
    text = re.sub(before_factor, lambda found: found[1] + sign, reading.body)
    if text == reading.body or re.search(r"(?<!\\)[fgh]\(|/\d+[^,=+-]*\\?[*ct]", text):
        return []
    return [text]


@family("fraction bar")
def _fraction_bar(reading: Reading, rng: random.Random) -> list[str]:
    out = []
    for head, formula in formulas(reading):
        if found := re.fullmatch(r"(-?)\\frac\{([^{}]+)\}\{([^{}]+)\}", formula):
            above, below = (
                part if re.fullmatch(r"\d+|[a-z]", part) else f"({part})"
                for part in found.groups()[1:]
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
