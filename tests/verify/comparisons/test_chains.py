"""Chains of equations: every member has to be the same value, no convention helping."""

import pytest
from compared import DIFFERENT, EQUAL, rows, status

EQUAL_TO_THE_REFERENCE = rows(r"""
5 ~ 1+4=5
5 ~ x=10/2=5\text{ cm}
5\text{ cm} ~ 5\text{ cm}=50\text{ mm}
50 ~ 5\text{ cm}=50\text{ mm}
3.14 ~ \pi\approx3.14
\frac13 ~ x=\frac13\approx0.333
30^\circ ~ 30^\circ=\frac{\pi}{6}
\frac{\pi}{6} ~ x=30^\circ=\frac{\pi}{6}
0.4 ~ 40\%=0.4
40\% ~ 0.4=40\%
8 ~ 13_5=8
""")

STANDS_FOR_NOTHING_ELSE = rows(r"""
5 ~ 5\text{ cm}=50\text{ mm}
10 ~ 10_5=5
13 ~ 13_5=8
50 ~ 0.5=50\%=50
30 ~ \frac{\pi}{6}=30^\circ=30
5 ~ 5=5\text{ m}=500\text{ cm}
500 ~ 5=5\text{ m}=500\text{ cm}
5\text{ cm} ~ 5=5\text{ m}
\frac13 ~ 0.333=\frac13
\{1,2\} ~ x=(1,2)=\{1,2\}
""")


@pytest.mark.parametrize(("reference", "answer"), EQUAL_TO_THE_REFERENCE)
def test_a_true_chain_stands_for_its_members(reference, answer):
    assert status(reference, answer) is EQUAL


@pytest.mark.parametrize(("reference", "answer"), STANDS_FOR_NOTHING_ELSE)
def test_a_chain_that_hedges_stands_for_nothing(reference, answer):
    assert status(reference, answer) is DIFFERENT
