"""Numbers in words: naturals, fractions, negatives, and what names no number."""

from __future__ import annotations

from fractions import Fraction

import pytest

from rlrewards.verify.number_words import fraction_named, number_named


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("zero", 0),
        ("one hundred", 100),
        ("a hundred", 100),
        ("one hundred and one", 101),
        ("nine hundred ninety-nine", 999),
        ("one thousand one", 1001),
        ("twelve thousand three hundred forty-five", 12_345),
        ("two million and five", 2_000_005),
    ],
)
def test_naturals(text, number):
    assert number_named(text) == number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("negative three", Fraction(-3)),
        ("minus one hundred", Fraction(-100)),
        ("a half", Fraction(1, 2)),
        ("one-half", Fraction(1, 2)),
        ("two thirds", Fraction(2, 3)),
        ("twenty-five hundredths", Fraction(1, 4)),
        ("two and three quarters", Fraction(11, 4)),
        ("negative one and a half", Fraction(-3, 2)),
    ],
)
def test_fractions(text, value):
    assert fraction_named(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "third",
        "half",
        "negative",
        "a",
        "hundred",
        "and five",
        "one hundred and",
        "one hundred hundred",
        "two thousand thousand",
        "one thousand two million",
        "one and three halves",
        "one half half",
        "negative negative three",
        "five six",
        "one or two",
        "-three",
        "one " * 40,
    ],
)
def test_no_number(text):
    assert fraction_named(text) is None
