"""Plain numbers with their units: what they are worth, and what is none."""

from __future__ import annotations

from fractions import Fraction

import flint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlrewards.verify.parse import parse
from rlrewards.verify.rationals import rational
from rlrewards.verify.tree import (
    Measure,
    Negative,
    Number,
    Power,
    Product,
    Quotient,
    Ratio,
    Unparsed,
    walk,
)


def fmpq(value):
    value = Fraction(value)
    return flint.fmpq(value.numerator, value.denominator)


def ratio(tree):
    """A ratio of two as their quotient."""
    return Quotient(*tree.parts) if isinstance(tree, Ratio) else tree


def measured(tree):
    """The number of a measure, with its sign, and the unit."""
    if isinstance(tree, Negative):
        number, unit = measured(tree.operand)
        return Negative(number), unit
    assert isinstance(tree, Measure)
    return tree.operand, tree.unit


VALUES = [
    ("18", 18),
    ("-18", -18),
    ("+18", 18),
    ("− 3", -3),
    ("1,450,000", 1_450_000),
    ("10{,}000", 10_000),
    (r"70\,000", 70_000),
    ("37.50", Fraction(75, 2)),
    (".5", Fraction(1, 2)),
    ("5.", 5),
    ("1/2", Fraction(1, 2)),
    (r"\frac{2}{4}", Fraction(1, 2)),
    (r"-\frac{40}{153}", Fraction(-40, 153)),
    (r"\frac{-1}{2}", Fraction(-1, 2)),
    (r"1\frac{1}{10}", Fraction(11, 10)),
    (r"-1\frac{1}{2}", Fraction(-3, 2)),
    ("1 1/2", Fraction(3, 2)),
    ("1½", Fraction(3, 2)),
    (r"3\times10^{5}", 300_000),
    ("3e-2", Fraction(3, 100)),
    ("6.29 × 10^6", 6_290_000),
    ("((5))", 5),
    ("-9.9 billion", -9_900_000_000),
    ("2 dozen", 24),
    ("11:4", Fraction(11, 4)),
    ("11 to 4", Fraction(11, 4)),
]


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_numbers(text, value):
    assert rational(ratio(parse(text))) == fmpq(value)


@pytest.mark.parametrize(
    ("text", "value", "dimension"),
    [
        ("18 dollars", 18, "dollar"),
        ("$18", 18, "dollar"),
        (r"-\$5", -5, "dollar"),
        ("£5", 5, "sterling"),
        ("5 cm", 5, "length"),
        ("5cm", 5, "length"),
        (r"5\text{ cm}", 5, "length"),
        (r"5\text{m}", 5, "length"),
        ("5 m", 5, "length"),
        ("30°", 30, "angle"),
        ("30 degrees", 30, "angle"),
        ("18 apples", 18, "apple"),
        ("3 miles per hour", 3, "length time^-1"),
        ("24 cm^2", 24, "length^2"),
        (r"24 \text{ cm}^2", 24, "length^2"),
        ("9.8 m/s²", Fraction(49, 5), "length time^-2"),
        ("5 square feet", 5, "length^2"),
        ("$18 per day", 18, "dollar"),
        ("USD 18", 18, "dollar"),
        ("18 (dollars)", 18, "dollar"),
        ("5 L", 5, "volume"),
        ("5 cubic units", 5, "unit^3"),
        (r"5\text{ units}^2", 5, "unit^2"),
        ("5 sq. units", 5, "unit^2"),
        ("12 sq cm", 12, "length^2"),
        (r"6\text{ cm$^2$}", 6, "length^2"),
        ("6 distinct values", 6, "value"),
        ("6 positive divisors", 6, "divisor"),
        ("6 years old", 6, "months"),
        ("60 mph", 60, "length time^-1"),
        ("240 kJ", 240, "energy"),
        (r"5\,\Omega", 5, "resistance"),
        (r"10 \frac{\text{m}}{\text{s}}", 10, "length time^-1"),
        ("25 degrees Celsius", 25, "temperature"),
        ("5 sec", 5, "time"),
        ("5 min", 5, "time"),
        ("$2$ m", 2, "length"),
    ],
)
def test_units(text, value, dimension):
    number, unit = measured(parse(text))
    assert (rational(number), unit.dimension) == (fmpq(value), dimension)


def test_digits_and_places():
    assert parse("0.050").digits == 2
    assert parse("37.50").digits == 4
    assert parse("37").digits is None
    assert parse("3.20e3").place == 10
    assert parse("1.5 million").place == 100_000


def test_an_exponent_too_large_to_be_written_out_is_a_power():
    power = Product((Number(fmpq(3)), Power(Number(fmpq(10)), Number(fmpq(-999_999)))))
    assert parse("3e-999999") == power
    assert rational(parse("1e5000")) == fmpq(10) ** 5_000
    assert parse("1e" + "9" * 5_001).large


@pytest.mark.parametrize(
    "text",
    ["18 squared", "5 or", "--5", "1..2", "18 more", "(1", "$5 euros", "5 nineteen"],
)
def test_what_is_no_number(text):
    assert isinstance(parse(text), Unparsed)


@given(st.fractions(max_denominator=10**6), st.booleans())
def test_every_fraction_is_read_back(value, latex):
    above, below = value.numerator, value.denominator
    sign = "-" if above < 0 else ""
    text = rf"{sign}\frac{{{abs(above)}}}{{{below}}}" if latex else f"{above}/{below}"
    assert rational(parse(text)) == fmpq(value)


@given(st.integers(-(10**9), 10**9), st.integers(0, 6))
def test_every_decimal_is_read_back(number, places):
    sign, digits = ("-" if number < 0 else ""), str(abs(number)).zfill(places + 1)
    text = sign + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)
    assert rational(parse(text)) == fmpq(Fraction(number, 10**places))


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2 hours and 30 minutes", "2 h 30 min"),
        (r"2 \text{ hours and } 30 \text{ minutes}", "2 h 30 min"),
        ("5 feet and 3 inches", "5 ft 3 in"),
        ("5 ft. 3 in.", "5 ft 3 in"),
        ("75 per cent", r"75\%"),
        ("60 miles per hour", "60 mph"),
        ("18 kph", "18 km/h"),
        ("5㎡", "5 m^2"),
    ],
)
def test_spellings_of_one_amount(text, same):
    assert parse(text) == parse(same)


@pytest.mark.parametrize("text", ["2 cos x", "3 theta", "5 alpha", "2 m + 3", "63/(10 m)", "5 pi"])
def test_what_is_no_unit(text):
    assert not any(isinstance(node, Measure) for node in walk(parse(text)))
