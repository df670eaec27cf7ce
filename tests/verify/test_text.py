"""Answers in words."""

from __future__ import annotations

import pytest

from rlrewards.verify.number_words import number_named
from rlrewards.verify.text import compare_text, is_prose


@pytest.mark.parametrize(
    ("answer", "reference", "status"),
    [
        ("The cat", "cat", "EQUAL"),
        ("yes, it does", "Yes", "EQUAL"),
        ("no", "Yes, because 3 is odd", "DIFFERENT"),
        ("decreasing", "increasing", "DIFFERENT"),
        ("Tuesday", "Monday", "DIFFERENT"),
        ("3 red balls", "4 red balls", "DIFFERENT"),
        ("a circle of radius 3", "circle with radius 3", "UNDECIDED"),
        ("dog", "cat", "UNDECIDED"),
    ],
)
def test_words(answer, reference, status):
    assert compare_text(answer, reference)[0] == status


@pytest.mark.parametrize(
    "text", ["a square", "7 people", "Monday", r"\text{no solution}", "4:30 p.m."]
)
def test_prose(text):
    assert is_prose(text)


@pytest.mark.parametrize(
    "text", ["5", r"2\sin x", "x and y", r"\frac{1}{2}", "sin(x)", "ab", "x" * 30_000]
)
def test_no_prose(text):
    assert not is_prose(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [("five", 5), ("Twenty-five", 25), ("ninety nine", 99), ("forty", 40), ("one", 1)],
)
def test_number_words(text, number):
    assert number_named(text) == number


@pytest.mark.parametrize(
    "text", ["fives", "five five", "twenty ten", "", "dog", "x" * 100, "-five", "five six"]
)
def test_no_number_words(text):
    assert number_named(text) is None
