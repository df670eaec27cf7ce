"""Right rewritings of names, units, percent, degrees, ratios, bases and constants."""

from __future__ import annotations

import random
from fractions import Fraction

from rewriting.common import (
    decimal,
    family,
    is_integer,
)
from rewriting.reading import Reading
from rewriting.values import constant, join, tokens

SMALLER = {
    "m": ("cm", 100), "cm": ("mm", 10), "km": ("m", 1000), "kg": ("g", 1000), "g": ("mg", 1000),
    "hours": ("minutes", 60), "minutes": ("seconds", 60), "meters": ("centimeters", 100),
}  # fmt: skip


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
    if 1 < turn.denominator <= 180 and turn > 0:
        times = "" if turn.numerator == 1 else turn.numerator
        out.append(rf"\frac{{{times}\pi}}{{{turn.denominator}}}")
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
    return [
        f"({digits})_{{{base}}}",
        f"{digits}_{{{base}}}",
        rf"{digits}_{{\text{{{base}}}}}",
        digits,
    ]


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
