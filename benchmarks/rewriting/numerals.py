"""Right rewritings of a number: separators, fractions, decimals, powers, surds, chains."""

from __future__ import annotations

import math
import random
import re
from fractions import Fraction

from rewriting.common import (
    decimal,
    family,
    irrational_or_periodic,
    is_integer,
)
from rewriting.reading import GROUPED, Reading

NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty"
).split()


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
