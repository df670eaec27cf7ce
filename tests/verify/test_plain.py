"""The plain notations of numbers, units and lists, and what is none of them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlrewards.verify.plain import (
    MAX_DIGITS,
    Collection,
    Kind,
    Quantity,
    Unparsed,
    parse,
    split_top_level,
)

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
    parsed = parse(text)
    assert isinstance(parsed, Quantity)
    assert parsed.value == value


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
    ],
)
def test_units(text, value, dimension):
    parsed = parse(text)
    assert (parsed.value, parsed.unit.dimension) == (value, dimension)


def test_percent_digits_and_marks():
    assert parse(r"50\%").percent
    assert parse("50 percent").percent
    assert parse("0.050").digits == 2
    assert parse("37.50").digits == 4
    assert parse("37").digits is None
    assert parse(r"\approx 3.14").approximate
    assert parse("3.20e3").last_place == 10
    assert parse("1.5 million").last_place == 100_000


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "2n", "2m", "7\\pi", "9^9", "16-3-4", "3*4", "1/0", "1+1/2", "18 squared",
        "18 - 20", "5 or", "4:30 p.m.", "1e999999", "9" * (MAX_DIGITS + 1), "x" * 30_000,
        "2(3)", "--5", "1/2/3", "5!", "1..2", "18 more", "(1", "$5 euros",
    ],
)  # fmt: skip
def test_what_is_no_number_is_left_to_others(text):
    assert isinstance(parse(text), Unparsed)


@pytest.mark.parametrize(
    ("text", "kind", "items"),
    [
        ("1, 2", Kind.LIST, ("1", "2")),
        ("36,36,108", Kind.LIST, ("36", "36", "108")),
        ("25,100,55", Kind.LIST, ("25", "100", "55")),
        ("1 or 2", Kind.LIST, ("1", "2")),
        ("1, 2, and 3", Kind.LIST, ("1", "2", "3")),
        (r"1 \text{ and } 2", Kind.LIST, ("1", "2")),
        ("1; 2", Kind.LIST, ("1", "2")),
        ("(1, 2)", Kind.TUPLE, ("1", "2")),
        ("(0,125)", Kind.TUPLE, ("0", "125")),
        (r"\langle 1, 2\rangle", Kind.TUPLE, ("1", "2")),
        (r"\{1, 2\}", Kind.SET, ("1", "2")),
        ("{1, 2}", Kind.SET, ("1", "2")),
        ("[2,5)", Kind.INTERVAL, ("2", "5")),
        ("(1,2), (3,4)", Kind.LIST, ("(1,2)", "(3,4)")),
    ],
)
def test_collections(text, kind, items):
    parsed = parse(text)
    assert isinstance(parsed, Collection)
    assert (parsed.kind, parsed.items) == (kind, items)


def test_split_keeps_brackets_whole_and_refuses_unpaired_ones():
    assert split_top_level("f(1,2), x_{1,2}") == ("f(1,2)", "x_{1,2}")
    assert split_top_level("1, 2)") is None
    assert split_top_level("(1, 2") is None
    assert split_top_level("1,,2") is None


@pytest.mark.parametrize(
    "text", ["(" * 5_000 + "5" + ")" * 5_000, "(" * 10_000, r"\frac{" * 3_000, "1," * 9_000]
)
def test_depth_and_length_exhaust_nothing(text):
    parse(text)


@given(st.fractions(max_denominator=10**6), st.booleans())
def test_every_fraction_is_read_back(value, latex):
    above, below = value.numerator, value.denominator
    sign = "-" if above < 0 else ""
    text = rf"{sign}\frac{{{abs(above)}}}{{{below}}}" if latex else f"{above}/{below}"
    assert parse(text).value == value


@given(st.integers(-(10**9), 10**9), st.integers(0, 6))
def test_every_decimal_is_read_back(number, places):
    value = Fraction(number, 10**places)
    sign, digits = ("-" if number < 0 else ""), str(abs(number)).zfill(places + 1)
    text = sign + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)
    assert parse(text).value == value


@given(st.text(max_size=100))
def test_any_text_is_parsed_or_refused(text):
    assert isinstance(parse(text), Quantity | Collection | Unparsed)
