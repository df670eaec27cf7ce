"""Families with an integer parameter, and ±."""

import pytest
from compared import DIFFERENT, EQUAL, UNDECIDED, rows, status

EQUAL_BOTH_WAYS = rows(r"""
k\pi, k\in\mathbb{Z} ~ n\pi, n\in\mathbb{Z}
k\pi, k\in\mathbb{Z} ~ x=n\pi (n\in\mathbb{Z})
k\pi, k\in\mathbb{Z} ~ k\pi \text{ where } k \text{ is an integer}
\frac{\pi}{4}+k\pi, k\in\mathbb{Z} ~ -\frac{3\pi}{4}+n\pi, n\in\mathbb{Z}
\frac{k\pi}{2}, k\in\mathbb{Z} ~ k\pi, \frac{\pi}{2}+k\pi, k\in\mathbb{Z}
2k\pi \pm \frac{\pi}{3}, k\in\mathbb{Z} ~ x=2n\pi + \frac{\pi}{3} \text{ or } x=2n\pi-\frac{\pi}{3}, n\in\mathbb{Z}
45^\circ + k\cdot 180^\circ, k\in\mathbb{Z} ~ \frac{\pi}{4}+k\pi, k\in\mathbb{Z}
\arctan 2+k\pi, k\in\mathbb{Z} ~ \arctan 2 - n\pi, n\in\mathbb{Z}
\{2k+1 \mid k\in\mathbb{Z}\} ~ \{x \mid x=2n+3, n\in\mathbb{Z}\}
\{2k+1 \mid k\in\mathbb{Z}\} ~ x\equiv 1 \pmod 2
(k\pi, k\pi+1), k\in\mathbb{Z} ~ (n\pi, n\pi+1), n\in\mathbb{Z}
(2k\pi, 2k\pi+\pi), k\in\mathbb{Z} ~ (2n\pi-2\pi, 2n\pi-\pi), n\in\mathbb{Z}
[k\pi-\frac\pi3, k\pi+\frac\pi6], k\in\mathbb{Z} ~ [\frac{2\pi}3-k\pi, \frac{7\pi}6-k\pi], k\in\mathbb{Z}
(k, k^2), k\in\mathbb{Z} ~ (n+1, n^2+2n+1), n\in\mathbb{Z}
(k\pi, 0), k\in\mathbb{Z} ~ (k\pi+\pi, 0), k\in\mathbb{Z}
2k\pi<x<2k\pi+\pi, k\in\mathbb{Z} ~ 2n\pi<x<2n\pi+\pi, n\in\mathbb{Z}
x\ne k\pi, k\in\mathbb{Z} ~ x\ne n\pi, n\in\mathbb{Z}
\{(t,2t)\mid t\in\mathbb{R}\} ~ \{(s,2s)\mid s\in\mathbb{R}\}
\{2k\mid k\in\mathbb{Z}, k>0\} ~ \{2n\mid n\in\mathbb{Z}, n>0\}
\{(x,y)\mid x+2y=1\} ~ \{(a,b)\mid a+2b=1\}
\sum_{i=1}^n x_i ~ \sum_{k=1}^n x_k
\sum_{i=1}^n\sum_{j=1}^n a_{ij} ~ \sum_{p=1}^n\sum_{q=1}^n a_{pq}
\sum_{k=1}^n(\sum_{k=1}^k k) ~ \sum_{k=1}^n(\sum_{j=1}^k j)
\pm5 ~ 5,-5
\pm5 ~ \{5,-5\}
\mp5 ~ \pm5
x=\pm 2 ~ x=2 \text{ or } x=-2
\frac{-3\pm\sqrt5}{2} ~ \frac{-3+\sqrt5}{2}, \frac{-3-\sqrt5}{2}
a\pm b\mp c ~ a+b-c, a-b+c
x = \frac{-b \pm \sqrt{b^2-4ac}}{2a} ~ x=\frac{-b+\sqrt{b^2-4ac}}{2a}, x=\frac{-b-\sqrt{b^2-4ac}}{2a}
\pm1\pm\sqrt2 ~ \pm1\pm\sqrt2
""")

DIFFERENT_BOTH_WAYS = rows(r"""
\frac{\pi}{4}+k\pi, k\in\mathbb{Z} ~ \frac{\pi}{4}+2n\pi, n\in\mathbb{Z}
k\pi, k\in\mathbb{Z} ~ \frac{\pi}{2}+n\pi, n\in\mathbb{Z}
k\pi, k\in\mathbb{Z} ~ 0, \pi
k\pi, k\in\mathbb{Z} ~ 0
x=k\pi, k\in\mathbb{Z} ~ y=k\pi, k\in\mathbb{Z}
\frac{\pi}{4}+k\pi ~ \frac{\pi}{4}+n\pi
5 ~ \pm5
\pm5 ~ 5,5
a\pm b\mp c ~ a+b+c, a-b-c
""")

OPEN = rows(r"""
2n ~ 2k, k\in\mathbb{Z}
k\pi, k\in\mathbb{Z} ~ n\pi, n\in\mathbb{N}
k^2, k\in\mathbb{Z} ~ (n+1)^2, n\in\mathbb{Z}
(k,2k), k\in\mathbb{Z} ~ (n,3n), n\in\mathbb{Z}
(k,2k), k\in\mathbb{Z} ~ (2k,k), k\in\mathbb{Z}
(k\pi, k), k\in\mathbb{Z} ~ (k\pi+\pi, k), k\in\mathbb{Z}
(k\pi, k), k\in\mathbb{Z} ~ (-k\pi, k), k\in\mathbb{Z}
(k\pi, 0), k\in\mathbb{Z} ~ [k\pi, 0), k\in\mathbb{Z}
x>2 ~ x>2, x\in\mathbb{Z}
x^2 ~ x^2, x\in\mathbb{N}
k\pi ~ k\pi, k\in\mathbb{N}
k\pi, 2k\pi, k\in\mathbb{Z} ~ x=k\pi, y=2k\pi, k\in\mathbb{Z}
\{(x,y)\mid y=2x\} ~ \{(y,x)\mid y=2x\}
\{(t,a)\mid t\in\mathbb{R}\} ~ \{(t,b)\mid t\in\mathbb{R}\}
\{x\mid x>a\} ~ \{a\mid a>x\}
\sum_{i=1}^n a_{ij} ~ \sum_{k=1}^n a_{ij}
\pm1\pm\sqrt2 ~ \pm(1+\sqrt2)
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


def test_the_domain_may_be_left_to_the_question():
    assert status(r"k\pi, k\in\mathbb{Z}", r"x=k\pi") is EQUAL
    assert status(r"k\pi", r"k\pi, k\in\mathbb{Z}") is EQUAL
    assert status(r"k\pi, k\in\mathbb{Z}", r"n\pi") is UNDECIDED


class TestConventions:
    def test_parameters(self):
        pair = (r"k\pi, k\in\mathbb{Z}", r"n\pi, n\in\mathbb{Z}")
        assert status(*pair, parameters=False) is DIFFERENT
        assert status(pair[0], r"\pi k, k\in\mathbb{Z}", parameters=False) is EQUAL

    def test_plus_minus(self):
        assert status(r"\pm5", "5,-5", plus_minus=False) is DIFFERENT
        assert status("5,-5", r"\pm5", plus_minus=False) is DIFFERENT
        assert status(r"\pm5", r"\pm\sqrt{25}", plus_minus=False, form="any") is EQUAL
