"""Right rewritings of order and structure: lists, sets, intervals, relations, sums, products."""

from __future__ import annotations

import random
import re

from rewriting.common import (
    SIGNS,
    TURNED,
    family,
    formulas,
    relation_text,
    signed_terms,
    sum_of,
)
from rewriting.reading import GROUPED, NAME, Reading, split
from rewriting.values import agree, constant


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
        return [relation_text(turned, rng)]
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
    if len(signed_terms(formula)) > 1 or re.search(
        r"/|\\(?:sin|cos|tan|ln|log|exp|arc)|[|!]", formula
    ):
        return None
    sign = "-" if formula.startswith("-") else ""
    atom = (
        r"(?:\\sqrt(?:\[\d+\])?\{[^{}]*\}|\\frac\{[^{}]*\}\{[^{}]*\}"
        r"|\\pi|\d+(?:\.\d+)?|[a-zA-Z]|\([^()]*\))"
    )
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
        return [
            f"{reading.parts[0]}, -{reading.parts[0]}",
            rf"\{{-{reading.parts[0]}, {reading.parts[0]}\}}",
        ]
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


@family("fraction split")
def _fraction_split(reading: Reading, rng: random.Random) -> list[str]:
    out = []
    for head, formula in formulas(reading):
        found = re.fullmatch(r"\\frac\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}\{([^{}]+)\}", formula)
        terms = signed_terms(found[1]) if found else []
        if found and len(terms) > 1:
            text = sum_of([(sign, rf"\frac{{{term}}}{{{found[2]}}}") for sign, term in terms])
            out += [head + text] if agree(text, formula) else []
    return out


@family("minus taken out")
def _minus_taken_out(reading: Reading, rng: random.Random) -> list[str]:
    out = []
    for head, formula in formulas(reading):
        terms = signed_terms(formula)
        if len(terms) > 1:
            turned = sum_of([("-" if sign == "+" else "+", term) for sign, term in terms])
            text = f"-({turned})"
            out += [head + text] if agree(text, formula) else []
    return out


@family("common factor moved")
def _common_factor_moved(reading: Reading, rng: random.Random) -> list[str]:
    out = []
    for head, formula in formulas(reading):
        found = re.fullmatch(r"(-?)\\frac\{(\d*)([^{}\d+-][^{}+-]*)\}\{(\d+)\}", formula)
        if found:
            above = found[2] or "1"
            text = rf"{found[1]}\frac{{{above}}}{{{found[4]}}}{found[3]}"
            out += [head + text] if agree(text, formula) else []
    return out
