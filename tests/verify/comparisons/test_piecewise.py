"""Functions by cases: compared on every stretch that two cases share."""

import pytest
from compared import DIFFERENT, EQUAL, UNDECIDED, status


def cases(*rows):
    return r"\begin{cases}" + r" \\ ".join(rows) + r"\end{cases}"


ABSOLUTE = cases("x & x>0", r"-x & x\le 0")

EQUAL_BOTH_WAYS = [
    (ABSOLUTE, cases(r"-x & x\le 0", "x & x>0")),
    (ABSOLUTE, cases("-x & x<0", r"x & x\ge 0")),
    (ABSOLUTE, cases("x & x>1", r"x & 0<x\le 1", r"-x & x\le 0")),
    (ABSOLUTE, f"f(x)={ABSOLUTE}"),
    (cases("1 & x>0", r"2 & \text{otherwise}"), cases(r"2 & x\le0", "1 & x>0")),
    (cases("x^2-1 & x<0", r"x & x\in[0,1)"), cases(r"x & 0\le x<1", "(x-1)(x+1) & x<0")),
    (cases("1 & x>a", r"2 & x\le a"), cases(r"2 & x\le a", "1 & x>a")),
]

DIFFERENT_BOTH_WAYS = [
    (ABSOLUTE, cases("-x & x>0", r"x & x\le 0")),
    (ABSOLUTE, cases("x & x>0", "-x & x<0")),
    (cases("x & x>0", r"1 & x\le 0"), cases(r"x & x\ge 0", "1 & x<0")),
    (cases("x & x>0", r"1 & x\le 0"), cases("x & x>1", r"1 & x\le 1")),
    (ABSOLUTE, cases("t & t>0", r"-t & t\le 0")),
    (ABSOLUTE, "5"),
]

OPEN = [
    (ABSOLUTE, "|x|"),
    (ABSOLUTE, cases("|x| & x>0", r"-x & x\le 0")),
    (cases("1 & x>0", "2 & y>0"), cases("2 & y>0", "3 & x>0")),
    (ABSOLUTE, cases("x & x>0", "1 & x>-1", r"-x & x\le 0")),
]


@pytest.mark.parametrize(("reference", "answer"), EQUAL_BOTH_WAYS)
def test_equal_both_ways_round(reference, answer):
    assert status(reference, answer) is EQUAL
    assert status(answer, reference) is EQUAL


@pytest.mark.parametrize(("reference", "answer"), DIFFERENT_BOTH_WAYS)
def test_different_both_ways_round(reference, answer):
    assert status(reference, answer) is DIFFERENT
    assert status(answer, reference) is DIFFERENT


@pytest.mark.parametrize(("reference", "answer"), OPEN)
def test_open(reference, answer):
    assert status(reference, answer) is UNDECIDED
