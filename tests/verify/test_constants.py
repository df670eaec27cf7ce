r"""Letters that stand for any number; reference left, answer right."""

import pytest
from flint import fmpq

import rlrewards as rr
from rlrewards.verify.constants import are_arbitrary, coefficient, renamings, without_constant
from rlrewards.verify.parse import parse
from rlrewards.verify.rationals import rational
from rlrewards.verify.tree import symbols_of

ONE_CONSTANT = [
    r"\frac{x^3}{3}+C",
    r"\frac{x^3}{3}+C_1",
    r"\frac{x^3}{3}+k",
    r"\frac{x^3}{3}-C",
    r"\frac{x^3}{3}+2C+1",
    r"\frac{x^3+C}{3}",
    r"\frac{1}{3}(x^3+K)",
]
OTHER_CONSTANTS = [
    r"\frac{x^3}{3}",
    r"\frac{x^3}{3}+C-C",
    r"\frac{x^3}{3}+a",
    r"\frac{x^3}{3}+C x",
    r"\frac{x^3}{3}+C+K",
    r"\frac{x^3}{3}+2C+x",
    r"\frac{x^3}{3}+C^2",
    r"\frac{t^3}{3}+C",
    r"C\frac{x^3}{3}",
    r"\frac{x^3+C}{x}",
]


@pytest.mark.parametrize("answer", ONE_CONSTANT)
@pytest.mark.parametrize("reference", [r"\frac{x^3}{3}+C", r"\frac{x^3+C}{3}"])
def test_the_constant_of_integration_may_be_called_scaled_and_shifted(reference, answer):
    assert rr.verify(answer, reference).status is rr.Status.EQUAL


@pytest.mark.parametrize("answer", OTHER_CONSTANTS)
def test_what_is_no_constant_of_integration_is_not_equal(answer):
    assert rr.verify(answer, r"\frac{x^3}{3}+C").status is not rr.Status.EQUAL


@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        (r"y=c_1e^x+c_2e^{-x}", r"y=C_1e^x+C_2e^{-x}"),
        (r"y=c_1e^x+c_2e^{-x}", r"y=C_2e^x+C_1e^{-x}"),
        (r"y=c_1e^x+c_2e^{-x}", r"y=A e^x+B e^{-x}"),
        (r"y=c_1+c_2x+c_3x^2", r"y=A x^2+B x+C"),
        (r"C_1\cos x+C_2\sin x", r"A \sin x+B \cos x"),
    ],
)
def test_arbitrary_constants_may_be_renamed(reference, answer):
    assert rr.verify(answer, reference).status is rr.Status.EQUAL


@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        (r"y=c_1e^x+c_2e^{-x}", r"y=A e^x+B e^{-2x}"),
        (r"y=c_1e^x+c_2e^{-x}", r"y=A e^x+A e^{-x}"),
        (r"y=c_1e^x+c_2e^{-x}", r"y=c_1e^x"),
        (r"y=c_1e^x+c_2e^{-x}", r"y=p e^x+q e^{-x}"),
        (r"y=c_1e^x+c_2e^{-x}", r"y=x e^x+B e^{-x}"),
        ("c_1+2c_2", "2c_1+c_2"),  # no variable: they are what is asked for
        (r"y=A e^x+B e^{-x}", r"y=B e^x+A e^{-x}"),  # the reference numbers no constants
    ],
)
def test_other_solutions_are_not_equal(reference, answer):
    assert rr.verify(answer, reference).status is not rr.Status.EQUAL


@pytest.mark.parametrize(
    ("text", "expected"),
    [("x+C", 1), ("x-C", -1), (r"\frac{x+2C}{3}", fmpq(2, 3)), ("2(x-3C)", -6), ("x", 0)],
)
def test_the_coefficient_of_a_letter(text, expected):
    assert coefficient(parse(text), "C") == expected


@pytest.mark.parametrize("text", ["x C", "C^2", r"\sin C", r"\frac{1}{C}", r"\sqrt{C}+x", "C C"])
def test_no_coefficient_where_it_is_not_linear(text):
    assert coefficient(parse(text), "C") is None


def test_without_its_constant():
    rest = without_constant(parse(r"\frac{x^3+C}{3}"), "C")
    assert rest is not None
    assert symbols_of(rest) == {"x"}
    assert rational(rest, {"x": fmpq(3)}) == 9
    assert without_constant(parse("x+C-C"), "C") is None


def test_renamings_are_few():
    gold = frozenset({"c_1", "c_2", "c_3", "x"})
    assert len(renamings(frozenset({"A", "B", "C", "x"}), gold)) == 6
    assert renamings(frozenset({"A", "B", "x"}), gold) == []
    assert renamings(gold | {"c_4"}, gold | {"c_4"}) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"C_1\cos x + C_2\sin x", True),
        ("(C_1 + C_2 x)e^x", True),
        (r"\frac{c_1}{x} + c_2 x^2 - c_3 + x", True),
        (r"\frac{C_1 V}{C_1+C_2}", False),
        (r"\frac{c_1}{c_2}x", False),
        ("x(c_1-c_2)", False),
        ("m c_1 + n c_2", False),
        ("c_1 + c_2", False),
        (r"c_1\sin 2x + c_2\sin x\cos x", False),
        ("c_1 c_2 x", False),
        ("c_1^2 x", False),
    ],
)
def test_constants_of_a_solution_are_no_quantities_given(text, expected):
    assert are_arbitrary(parse(text)) is expected
