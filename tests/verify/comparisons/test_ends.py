"""The order of constants, proved."""

import pytest
from flint import fmpq

from rlrewards.verify.comparisons.ends import NoOrderError, multiple_of_pi, order
from rlrewards.verify.parse import parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"\pi", 1),
        ("0", 0),
        (r"-\frac{2\pi}{3}", fmpq(-2, 3)),
        (r"\frac{5}{6}\pi", fmpq(5, 6)),
        (r"\pi/7", fmpq(1, 7)),
    ],
)
def test_multiples_of_pi(text, expected):
    assert multiple_of_pi(parse(text)) == expected


@pytest.mark.parametrize(
    "text", ["3", r"\pi x", r"\pi^2", r"\frac{1}{\pi}", r"\pi+1", "e", r"\pi\pi"]
)
def test_other_ends_are_no_multiples_of_pi(text):
    assert multiple_of_pi(parse(text)) is None


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (r"\frac{\pi}{3}", r"\frac{2\pi}{3}"),
        (r"-\pi", "0"),
        (r"\frac{3}{\pi}", r"\frac{2\pi}{3}"),  # 0.95 and 2.09
        ("3.14", r"\pi"),
        (r"-\infty", r"-100\pi"),
        ("1", r"\sqrt{2}"),
    ],
)
def test_order(low, high):
    assert order(parse(low), parse(high)) == -1
    assert order(parse(high), parse(low)) == 1


def test_the_same_end():
    assert order(parse(r"\frac{2\pi}{4}"), parse(r"\frac{\pi}{2}")) == 0


def test_letters_have_no_order():
    with pytest.raises(NoOrderError):
        order(parse("a"), parse("b"))
