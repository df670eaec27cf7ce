"""Parts of the real line in every notation, both ways round."""

import pytest
from compared import DIFFERENT, EQUAL, UNDECIDED, rows, status
from flint import fmpq
from hypothesis import given
from hypothesis import strategies as st

from rlrewards.verify.comparisons.intervals import (
    EVERYTHING,
    Piece,
    common,
    complement,
    normalized,
    point,
)
from rlrewards.verify.tree import Number

EQUAL_BOTH_WAYS = rows(r"""
(-\infty,1)\cup(2,\infty) ~ x<1 or x>2
(-\infty,1)\cup(2,\infty) ~ (2,\infty)\cup(-\infty,1)
(-\infty,0)\cup(2,\infty) ~ x<0, x>2
(-\infty,0)\cup(2,\infty) ~ (-\infty,0), (2,\infty)
(1,2) ~ 1<x<2
(1,2) ~ 2>x>1
[1,\infty) ~ x \ge 1
2 > x ~ (-\infty, 2)
x\in(0,1) ~ 0<x<1
(0,1) ~ x<1 and x>0
(0,1) ~ x<1,x>0
0<x<1 ~ x>0, x<1
(0,3)\cup(3,\infty) ~ x>0, x\ne 3
(0,3) ~ (0,2]\cup(1,3]\setminus\{3\}
(0,3) ~ (0,2]\cup(1,3)
[0,2)\cap(1,3] ~ (1,2)
[0,\sqrt{4}] ~ [0,2]
[\sqrt2,\pi) ~ \sqrt2\le x<\pi
x \neq 3 ~ (-\infty,3)\cup(3,\infty)
\mathbb{R}\setminus\{1\} ~ x\neq 1
\mathbb{R}\setminus\{1,2\} ~ x\neq 1, 2
x\neq 1, 2 ~ (-\infty,1)\cup(1,2)\cup(2,\infty)
x\neq \pm 1 ~ \mathbb{R}\setminus\{-1,1\}
x\neq \pm 1 ~ x\ne 1 \text{ and } x \neq -1
x\notin \{1,2\} ~ x\ne1, x\ne 2
\{x\mid x<2\} ~ x<2
\{x\in\mathbb{R} : x<2\} ~ (-\infty,2)
\{x\in\mathbb{R} : x<2\} ~ \{t\mid 2>t\}
\{x\in\mathbb{Z} \mid 1\le x\le 3\} ~ \{1,2,3\}
\{x\in\mathbb{Z} \mid 1\le x\le 3\} ~ 1,2,3
\{x \mid x^2>4\} ~ \{t \mid t^2>4\}
\mathbb{R} ~ (-\infty,\infty)
\mathbb{R} ~ all real numbers
\mathbb{R} ~ x\in\mathbb{R}
\mathbb{Z} ~ x\in\mathbb{Z}
\varnothing ~ no solution
\emptyset ~ \{\}
(a,\infty) ~ x>a
[a,b] ~ a\le x\le b
\mathbb{R}\setminus\{a\} ~ x\ne a
D=(0,1)\cup(2,3) ~ (0,1)\cup(2,3)
(0,1)\cup(2,3) ~ x\in(2,3)\cup(0,1)
30^\circ<x<60^\circ ~ (\frac{\pi}{6},\frac{\pi}{3})
""")

DIFFERENT_BOTH_WAYS = rows(r"""
(0,1] ~ [0,1]
[0,1)\cup(2,3] ~ [0,1]\cup(2,3]
(0,1)\cup(1,2) ~ (0,2)
[0,2)\cap(1,3] ~ [1,2)
1<x<2 ~ 1<y<2
x<2 ~ x\le2
x>2 ~ x<2
x<1 or x>2 ~ 1<x<2
x\neq 1, 2 ~ x\neq 1
x\ne1 ~ x=1
(0,1) ~ \{0,1\}
[0,1] ~ 0<x<1
\mathbb{R} ~ 0
\mathbb{R} ~ \varnothing
\mathbb{Z} ~ \mathbb{N}
(1,2)\cup(3,4) ~ 5
x>2 ~ 2
\{x\in\mathbb{Z} \mid 1\le x\le 3\} ~ \{1,2\}
(a,\infty) ~ x>b
""")

OPEN = rows(r"""
(a,b) ~ x>a, x<b
\varnothing ~ x<0 and x>1
\varnothing ~ (45,1)
\varnothing ~ (20,0)
x<2 ~ \{5\mid x<2\}
x<2 ~ \{y\mid x<2\}
(0,1)\cup(2,3) ~ (a,1)\cup(2,b)
\{x\in\mathbb{N} \mid x<3\} ~ \{1,2\}
A\cup B ~ A\cap B
(0,1)\cup(1,2) ~ (0 or 1)\cup(1,2)
x\ge 1 ~ x\ge\pm 1
""")


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


def test_a_reference_that_says_the_same_twice():
    for half in (r"-1<x\leq 1", "(-1,1]"):
        assert status(r"-1<x\leq 1:(-1,1]", half) is EQUAL
    assert status(r"-1<x\leq 1:(-1,1]", "[-1,1]") is DIFFERENT


def test_solved_form():
    assert status("x<2", "2x<4") is DIFFERENT
    assert status("1<x<2", "(1,2)", solved_relations=False) is DIFFERENT
    assert status("(1,2)", "1<x<2", solved_relations=False) is DIFFERENT
    assert status("1<x<2", "2>x>1", solved_relations=False) is EQUAL


# ---------------------------------------------------------------------------------------------
# The algebra of intervals against membership, point by point


def piece(low, low_open, high, high_open):
    return Piece(Number(fmpq(low)), low_open, Number(fmpq(high)), high_open)


def holds(item, value):
    low, high = ({Number: lambda n: n.value}.get(type(end)) for end in (item.low, item.high))
    above = low is None or low(item.low) < value or (low(item.low) == value and not item.low_open)
    below = (
        high is None or value < high(item.high) or (value == high(item.high) and not item.high_open)
    )
    return above and below


def members(pieces):
    return {value for value in range(-2, 24) if any(holds(p, fmpq(value, 2)) for p in pieces)}


pieces = st.lists(
    st.builds(piece, st.integers(0, 10), st.booleans(), st.integers(0, 10), st.booleans()).filter(
        lambda item: item.low.value <= item.high.value
    ),
    max_size=5,
)


@given(pieces)
def test_normal_form_keeps_the_members(items):
    found = normalized(items)
    assert members(found) == members(items)
    assert normalized(found) == found


@given(pieces)
def test_complement(items):
    assert members(complement(items)) == {*range(-2, 24)} - members(items)
    assert complement(complement(items)) == normalized(items)


@given(pieces, pieces)
def test_common_members(left, right):
    assert members(common([left, right])) == members(left) & members(right)


def test_limits_of_the_algebra():
    assert complement([]) == EVERYTHING
    assert complement(EVERYTHING) == ()
    two = Number(fmpq(2))
    assert complement(complement([point(two)])) == (point(two),)
