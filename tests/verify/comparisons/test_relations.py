"""Assignments, chains, equations, inequalities, congruences: what a relation stands for."""

import pytest
from compared import DIFFERENT, EQUAL, UNDECIDED, rows, status

EQUAL_TO_THE_REFERENCE = rows(r"""
5 ~ x=5
5 ~ 5=x
x=5 ~ 5
x=5 ~ 5=x
y=2x+1 ~ 2x+1
2x+1 ~ y=2x+1
f(x)=x^2 ~ x^2
f(x)=x^2 ~ y=x^2
y=x^2 ~ f(x)=x^2
5 ~ \angle A = 5
5 ~ f(2)=5
(1,2) ~ (x,y)=(1,2)
(x,y)=(1,2) ~ (1,2)
(x,y)=(1,2) ~ (x,y)=(1,\frac42)
5 ~ 1+4=5
5 ~ x=1+4=5
x=2 ~ 2=1+1
\log_6 216=3 ~ 3
x\approx 3.14 ~ \pi
1.41\approx\sqrt2\approx 1.4142 ~ \sqrt2
\pi ~ x=\pi\approx 3.14
\pi ~ x=\pi\approx3.14\approx3.1
\sqrt2 ~ \sqrt2\approx1.41
\sqrt2 ~ 1.414\approx\sqrt2
33.3 ~ x=\frac{100}{3}\approx33.3
\frac13 ~ \frac13\approx33\%
6.02\cdot10^{23} ~ 6.02\cdot10^{23}\approx6\cdot10^{23}
18.4 ~ 18.4\approx18
x=2y ~ y=\frac{x}{2}
2x+y=3 ~ 4x+2y=6
2x+y=3 ~ y=3-2x
x^2+y^2=1 ~ x^2+y^2-1=0
y=2x+1 ~ 2x-y+1=0
a<b ~ b>a
2x+y<3 ~ 6>4x+2y
x^2\leq y ~ y\ge x^2
\frac{x-1}{2}=\frac{y}{3}=z ~ z=\frac{y}{3}=\frac{x-1}{2}
x\equiv 1 \pmod 5 ~ x\equiv 6 \pmod 5
x\equiv 1 \pmod 5 ~ x=5k+1, k\in\mathbb{Z}
x\equiv 1 \pmod 5 ~ 1 \pmod 5
""")

DIFFERENT_FROM_THE_REFERENCE = rows(r"""
x=5 ~ y=5
x=5 ~ 2x+3=13
f(2)=5 ~ f(3)=5
\angle A=5 ~ f(2)=5
x=2 ~ x-2=0
B ~ A=B
5 ~ 4=5
5 ~ 1=2=3=5
5 ~ x=4=5
18 ~ 17=18
18 ~ x=17=18
101 ~ a+2z=101
5 ~ x>5
x^2+1=0 ~ x^2+2=0
a<b ~ a>b
a<b ~ a\le b
17 ~ 17\approx18\approx19
18 ~ 17\approx18\approx19
19 ~ 17\approx18\approx19
100 ~ 1\approx100
18 ~ 17\in18\in19
17 ~ 17\in18
18 ~ x=18\approx19
19 ~ x=18\approx19
100 ~ x=2=2\approx100
x=2 ~ x=1\approx2\approx3
18 ~ 17.6\approx18\approx18.4
18.4 ~ 17.6\approx18\approx18.4
18 ~ 18.4\approx18
\sqrt2 ~ \sqrt2\approx1.42
\pi ~ \pi\approx\frac{22}{7}
x\equiv 1 \pmod 5 ~ x\equiv 2 \pmod 5
x\equiv 1 \pmod 5 ~ x\equiv 1 \pmod 6
x\equiv 1 \pmod 5 ~ y\equiv 1 \pmod 5
""")

OPEN = rows(r"""
x ~ x=2x
5 ~ x=y=5
x^2+y^2=1 ~ \sqrt{x^2+y^2}=1
2x+1 ~ 2x+1=0
""")


@pytest.mark.parametrize(("reference", "answer"), EQUAL_TO_THE_REFERENCE)
def test_equal(reference, answer):
    assert status(reference, answer) is EQUAL


@pytest.mark.parametrize(("reference", "answer"), DIFFERENT_FROM_THE_REFERENCE)
def test_different(reference, answer):
    assert status(reference, answer) is DIFFERENT


@pytest.mark.parametrize(("reference", "answer"), OPEN)
def test_open(reference, answer):
    assert status(reference, answer) is UNDECIDED


def test_an_assignment_that_stands_in_the_question():
    assert status("5", "x=5", echoes=True) is DIFFERENT
    assert status("5", "5", echoes=True) is EQUAL
    assert status("x=10", "x=5+5", echoes=True) is DIFFERENT


class TestConventions:
    def test_assignments(self):
        assert status("5", "x=5", assignments=False) is DIFFERENT
        assert status("x=5", "5", assignments=False) is DIFFERENT
        assert status("x=5", "5=x", assignments=False) is EQUAL

    def test_chains(self):
        assert status("5", "1+4=5", chains=False) is DIFFERENT
        assert status("5", "x=1+4=5", chains=False) is DIFFERENT
        assert status("5", "x=5", chains=False) is EQUAL

    def test_scaled_relations(self):
        assert status("2x+y=3", "4x+2y=6", scaled_relations=False) is UNDECIDED
        assert status("2x+y=3", "3=y+2x", scaled_relations=False) is EQUAL
