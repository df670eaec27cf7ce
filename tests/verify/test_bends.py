"""Bends whose places nobody can work out: equal only where the sign was seen to change, or never.

What bends is `g` in |g|, √(g²), max(g, 0); a pair of f(g) and f(|g|) is wrong wherever g may become
negative, however far away that is.
"""

from __future__ import annotations

import pytest
from flint import fmpq

from rlrewards.verify.bends import lasting_sign, open_bends
from rlrewards.verify.numeric import compare_functions, constant_difference
from rlrewards.verify.parse import parse
from rlrewards.verify.rationals import rational
from rlrewards.verify.tree import Node, Unparsed

# Where the first is negative is worked out by hand: ln(x+4) < -50 below e⁻⁵⁰-4, arctan x < -1.57
# below -1255.8 …
CHANGES_ITS_SIGN = [
    r"\ln(2x)", r"\ln(x+4)", r"\ln(x+4)+50", r"\ln x-100", r"\ln x-10^{30}", r"\sqrt{x+3}-1",
    r"\sqrt{x}-10^{20}", r"\arctan x+\frac32", r"\arctan x+1.5707963267", r"e^x-10^{-30}",
    r"e^{x}-10^{9}", r"\cos(3x+6)", r"\cos(\frac{x}{5000})", r"\sin(\pi\sqrt{x})",
    r"\cos x+0.999999", r"\sin x+\frac{x}{1000}", r"(\ln x-3)(\ln x-100)",
    r"(\ln(47x)-\frac{1}{1000})(\ln(47x)+\frac12)", r"\frac1x-10^{-9}",
]  # fmt: skip
NEVER_NEGATIVE = [
    r"e^x+1", r"2+\sin x", r"1-\cos x", r"\sqrt{x}+1", r"\cosh x", r"x^2+e^{-x}", r"\arctan(x)+2",
    r"x+\sqrt{x^2+1}", r"\sqrt{x^2+9}-x", r"2+2\cos x", r"\frac{1}{x^2}+1", r"5-3\sin x\cos x",
    r"\arccos x",
]  # fmt: skip


def tree(text: str) -> Node:
    node = parse(text)
    assert not isinstance(node, Unparsed), text
    return node


@pytest.mark.parametrize("inner", CHANGES_ITS_SIGN)
@pytest.mark.parametrize(
    "bent",
    [
        r"|{}|", r"\sqrt{{({})^2}}", r"\max({}, 0)", r"\sqrt{{({})({})}}", r"\sqrt[4]{{({})^4}}",
        r"\frac{{({})^2}}{{|{}|}}",
    ],
)  # fmt: skip
def test_what_may_change_its_sign_is_no_absolute_value(inner: str, bent: str) -> None:
    plain, other = tree(inner), tree(bent.format(inner, inner))
    assert not compare_functions(other, plain).is_equal
    assert not compare_functions(plain, other).is_equal


@pytest.mark.parametrize("inner", NEVER_NEGATIVE)
def test_what_is_never_negative_is_its_absolute_value(inner: str) -> None:
    assert lasting_sign(tree(inner), frozenset({"x"}) if "sqrt{x}" in inner else frozenset()) == 1
    assert compare_functions(tree(rf"|{inner}|"), tree(inner)).is_equal
    assert compare_functions(tree(inner), tree(rf"\sqrt{{({inner})^2}}")).is_equal


@pytest.mark.parametrize("inner", NEVER_NEGATIVE)
def test_the_opposite_is_never_positive(inner: str) -> None:
    signs = frozenset({"x"}) if "sqrt{x}" in inner else frozenset()
    assert lasting_sign(tree(f"-({inner})"), signs) == -1


@pytest.mark.parametrize("inner", CHANGES_ITS_SIGN)
def test_no_sign_is_claimed_where_it_changes(inner: str) -> None:
    assert lasting_sign(tree(inner)) == 0
    assert open_bends(tree(f"|{inner}|"), tree(inner))


@pytest.mark.parametrize(
    ("ours", "gold"),
    [
        (r"|\cos x|", r"\sqrt{1-\sin^2 x}"),
        (r"2|\cos\frac x2|", r"\sqrt{2+2\cos x}"),
        (r"|\sqrt x-3|", r"\sqrt{x-6\sqrt x+9}"),
        (r"\sqrt{\tan x}", r"\sqrt{\frac{\sin x}{\cos x}}"),
        (r"\max(e^x,1)", r"\frac{e^x+1+|e^x-1|}{2}"),
        (r"\sqrt{x+\sqrt x}", r"\sqrt{\sqrt x(\sqrt x+1)}"),
        (r"\cosh x", r"\sqrt{1+\sinh^2 x}"),
    ],
)
def test_bends_that_were_seen_on_both_sides_are_settled(ours: str, gold: str) -> None:
    assert compare_functions(tree(ours), tree(gold)).is_equal
    assert compare_functions(tree(gold), tree(ours)).is_equal


def test_an_antiderivative_bends_too() -> None:
    root = r"x+\sqrt{x^2+1}"
    assert constant_difference(tree(rf"\ln({root})"), tree(rf"\ln|{root}|")).is_equal
    assert not constant_difference(tree(r"|\ln(x+4)|"), tree(r"\ln(x+4)")).is_equal
    assert not constant_difference(tree(r"|\ln x-100|"), tree(r"100-\ln x")).is_equal


def test_steps_at_unknown_places_are_left_open() -> None:
    ours, gold = (
        tree(r"\lfloor\lfloor\ln n\rfloor+\frac6n\rfloor"),
        tree(r"\lfloor\ln n+\frac6n\rfloor"),
    )
    assert not compare_functions(ours, gold).is_equal
    step = r"\lfloor\ln n\rfloor"
    assert compare_functions(tree(rf"({step}+1)^2"), tree(rf"{step}^2+2{step}+1")).is_equal


class TestDivisors:
    @pytest.mark.parametrize("other", [r"\gcd(n,42)", r"\gcd(n,6\cdot 97)", r"\gcd(n+3,6)"])
    def test_another_divisor_shows_in_a_period(self, other: str) -> None:
        assert not compare_functions(tree(other), tree(r"\gcd(n,6)")).is_equal

    def test_a_whole_period_settles_it(self) -> None:
        assert compare_functions(tree(r"\gcd(n+6,6)"), tree(r"\gcd(n,6)")).is_equal

    def test_a_long_period_is_left_open(self) -> None:
        ours, gold = tree(r"\gcd(n+1001,1001)"), tree(r"\gcd(n,1001)")
        assert compare_functions(ours, gold).status.value == "UNDECIDED"


class TestWhatCannotBeComputed:
    def test_it_is_not_taken_for_undefined(self) -> None:
        assert not compare_functions(tree(r"|x|"), tree("(x-x)^2+x")).is_equal
        assert not compare_functions(tree(r"\sqrt{|x|-x}"), tree(r"\sqrt{x-x}")).is_equal

    def test_sequences_are_compared_at_whole_numbers(self) -> None:
        assert compare_functions(tree("(-1)^{n+2} n"), tree("(-1)^n n")).is_equal
        assert compare_functions(tree(r"(-1)^n\binom n2"), tree(r"(-1)^n\frac{n(n-1)}2")).is_equal
        assert not compare_functions(tree("(-1)^n |n|"), tree("(-1)^n n")).is_equal


def test_a_ball_is_no_rational_value() -> None:
    from flint import arb

    assert rational(tree("|x-1|"), {"x": arb(3)}) is None
    assert rational(tree("|x-1|"), {"x": fmpq(3)}) == 2
