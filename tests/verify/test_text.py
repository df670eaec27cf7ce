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
        # one statement in several words
        ("converges", "convergent", "EQUAL"),
        ("The series converges.", "convergent", "EQUAL"),
        ("diverges", "convergent", "DIFFERENT"),
        ("converges conditionally", "absolutely convergent", "DIFFERENT"),
        ("absolutely convergent", "convergent", "UNDECIDED"),
        ("does not converge", "convergent", "UNDECIDED"),
        ("The limit does not exist", "DNE", "EQUAL"),
        ("The limit does exist", "DNE", "UNDECIDED"),
        ("The equation has no solution.", "no solution", "EQUAL"),
        ("The equation has no solution.", r"\emptyset", "EQUAL"),
        ("The equation has one solution.", "no solution", "UNDECIDED"),
        ("infinite solutions", "infinitely many solutions", "EQUAL"),
        ("no solution", "infinitely many solutions", "DIFFERENT"),
        (r"\text{infinity}", r"\infty", "EQUAL"),
        ("negative infinity", r"-\infty", "EQUAL"),
        ("negative infinity", r"\infty", "DIFFERENT"),
        # numbers in words, dates and times of day
        ("seven cats", "7 cats", "EQUAL"),
        ("twenty-one people", "21 people", "EQUAL"),
        ("seven cats", "5 cats", "DIFFERENT"),
        ("a dog", "5", "UNDECIDED"),
        ("May 5th", "5 May", "EQUAL"),
        ("May 6th", "May 5", "DIFFERENT"),
        ("04:30 PM", "4:30 p.m.", "EQUAL"),
        ("8 AM", "8:00 a.m.", "EQUAL"),
        ("8 PM", "8:00 a.m.", "DIFFERENT"),
        ("8:05 am", "8:50 am", "DIFFERENT"),
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
