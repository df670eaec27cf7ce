r"""Tier 4 as the worker computes it, in the test's own process; the values are worked out by hand.

The worker refuses to let SymPy evaluate strings; so does this process from here on.
"""

from __future__ import annotations

import pytest
import sympy
from flint import fmpq

from rlrewards.verify.latex_fallback import StringRefusedError, disarm, read_latex
from rlrewards.verify.parse import parse
from rlrewards.verify.sympy_bridge import prove, warm_up
from rlrewards.verify.sympy_trees import UnfitError, from_sympy, to_sympy
from rlrewards.verify.tree import (
    Apply,
    Call,
    Constant,
    Matrix,
    Negative,
    Number,
    PlusMinus,
    Power,
    Product,
    Quotient,
    Root,
    Standing,
    Sum,
    Symbol,
)


@pytest.fixture(scope="module", autouse=True)
def ready():
    warm_up()


def status(reference, answer, **keywords):
    return prove(answer, reference, **keywords)["status"]


EQUAL = [  # reference, answer
    (r"\int_0^1 x\,dx", r"\frac12"),
    (r"\int_1^2 \frac{1}{x}\,dx", r"\ln 2"),
    (r"\int_0^1 \frac{1}{1+x^2}\,dx", r"\frac{\pi}{4}"),
    (r"\int_0^x t\,dt", r"\frac{x^2}{2}"),
    (r"\sum_{k=1}^{100}k", "5050"),
    (r"\sum_{k=1}^{n}k", r"\frac{n(n+1)}{2}"),
    (r"\sum_{k=1}^{n}k", r"\sum_{j=1}^{n}j"),
    (r"\sum_{k=1}^{\infty}\frac{1}{k^2}", r"\frac{\pi^2}{6}"),
    (r"\sum_{k=0}^{\infty}\frac{1}{3^k}", r"\frac32"),
    (r"\prod_{k=1}^{n}k", "n!"),
    (r"\prod_{k=2}^{4}k", "24"),
    (r"\lim_{x\to 0}\frac{\sin x}{x}", "1"),
    (r"\lim_{n\to\infty}(1+\frac1n)^n", "e"),
    (r"\lim_{x\to\infty}\frac{2x+1}{x}", "2"),
    (r"\frac{d}{dx}x^3", "3x^2"),
    (r"(\int_0^1 x\,dx,1)", r"(\frac12,1)"),
    (r"\{\int_0^1 x\,dx\}", r"\{\frac12\}"),
    (r"x=\int_0^1 x\,dx", r"x=\frac12"),
    (r"\int x^2\,dx", r"\frac{x^3}{3}+C"),
    (r"\frac{\partial}{\partial x} (x y)", "y"),
]

DIFFERENT = [
    (r"\int_0^1 x\,dx", r"\frac13"),
    (r"\int_0^1 x\,dx", r"\int_0^1 x^2\,dx"),
    (r"\sum_{k=1}^{100}k", "5051"),
    (r"\sum_{k=1}^{n}k", r"\frac{n(n-1)}{2}"),
    (r"\sum_{k=1}^{\infty}\frac{1}{k^2}", r"\frac{\pi^2}{8}"),
    (r"\lim_{x\to 0}\frac{\sin x}{x}", "0"),
    (r"\frac{d}{dx}x^2", "x"),
    (r"(\int_0^1 x\,dx,1)", r"(\frac12,2)"),
]

LEFT_STANDING = [
    ("5050", r"\sum_{k=1}^{100}k"),
    (r"\frac12", r"\int_0^1 x\,dx"),
    ("1", r"\lim_{x\to0}\frac{\sin x}{x}"),
    ("2x", r"\frac{d}{dx}x^2"),
    ("24", r"\prod_{k=1}^{4}k"),
]

NOT_EQUAL = [
    (r"\int x^2\,dx", r"\frac{x^3}{3}"),  # no constant of integration
    (r"\int x^2\,dx", r"\frac{x^3}{2}+C"),
    (r"\frac{dy}{dx}", "0"),  # y is not said to be constant
    (r"\lim_{x\to 0}\frac{|x|}{x}", "1"),  # the sides differ
    (r"|x|", r"x+\ln x-\ln x"),
    (r"\int_0^1\int_0^1 x y\,dx\,dy", r"\frac15"),
    (r"\foo{x}", "x"),
    (r"\int_0^1 x\,dx", r"9^{9^{9^9}}"),
    (r"\sum_{k=1}^{n}k", r"\frac{m(m+1)}{2}"),
    (r"\int_{-1}^1 \frac{1}{x}\,dx", "0"),  # diverges
    (r"\sum_{k=1}^{\infty}\frac{1}{k}", "1"),
]


@pytest.mark.parametrize(("reference", "answer"), EQUAL)
def test_equal(reference, answer):
    assert status(reference, answer) == "EQUAL"


@pytest.mark.parametrize(("reference", "answer"), DIFFERENT)
def test_different(reference, answer):
    assert status(reference, answer) == "DIFFERENT"


@pytest.mark.parametrize(("reference", "answer"), LEFT_STANDING)
def test_left_standing(reference, answer):
    assert status(reference, answer) == "DIFFERENT"
    assert status(reference, answer, form="any") == "EQUAL"


@pytest.mark.parametrize(("reference", "answer"), NOT_EQUAL)
def test_not_equal(reference, answer):
    assert status(reference, answer) != "EQUAL"


def test_a_wrong_closed_form_needs_a_second_witness(monkeypatch):
    monkeypatch.setattr(sympy.Integral, "doit", lambda self, **_: sympy.Rational(1, 3))
    assert status(r"\int_0^1 x\,dx", r"\frac13") == "UNDECIDED"


def test_base_of_the_logarithm():
    assert status(r"\sum_{k=1}^{2}1", r"\log 100", form="any") == "EQUAL"
    assert status(r"\sum_{k=1}^{2}1", r"\log 100", form="any", log_base="e") != "EQUAL"


class TestTrees:
    x, y = Symbol("x"), Symbol("y")
    two, three = Number(fmpq(2)), Number(fmpq(3))

    @pytest.mark.parametrize(
        ("node", "value"),
        [
            (Number(fmpq(1, 3)), sympy.Rational(1, 3)),
            (Sum((two, Negative(three))), -1),
            (Product((two, three)), 6),
            (Quotient(two, three), sympy.Rational(2, 3)),
            (Power(two, three), 8),
            (Root(Number(fmpq(-8)), three), -2),
            (Root(two, two), sympy.sqrt(2)),
            (Call("factorial", (three,)), 6),
            (Call("binomial", (three, two)), 3),
            (Call("ln", (Constant("e"),)), 1),
            (Call("log", (Number(fmpq(100)),)), 2),
            (Call("log", (Number(fmpq(8)), two)), 3),
            (Call("det", (Matrix(((two, three), (three, two))),)), -5),
            (Power(Constant("e"), Product((Constant("i"), Constant("pi")))), -1),
        ],
    )
    def test_values(self, node, value):
        assert sympy.simplify(to_sympy(node) - value) == 0

    @pytest.mark.parametrize(
        "text",
        [
            "x^2+1",
            r"\frac{1}{2}x",
            r"\sqrt{2}",
            r"\sin x+\pi",
            r"e^{x}",
            r"\ln x",
            "n!",
            "|x|",
            "f(x)",
        ],
    )
    def test_there_and_back(self, text):
        expression = to_sympy(parse(text))
        assert to_sympy(from_sympy(expression)) == expression

    def test_unknown_functions(self):
        assert str(to_sympy(Apply("f", (self.x,)))) == "f(x)"

    @pytest.mark.parametrize(
        "node",
        [
            PlusMinus(two),
            Quotient(two, Number(fmpq(0))),
            Power(Number(fmpq(0)), Number(fmpq(-1))),
            Power(Number(fmpq(9)), Power(Number(fmpq(9)), Number(fmpq(9)))),
            Power(Sum((x, two)), Number(fmpq(1000))),
            Call("factorial", (Number(fmpq(10**9)),)),
            Call("det", (Matrix(((two, three),)),)),
            Standing("sum", x),
            Standing("sum", x, x, two),
            Standing("derivative", y, x),
            Standing("integral", x, x),
            Matrix(((two,),)),
        ],
        ids=range(12),
    )
    def test_unfit(self, node):
        with pytest.raises(UnfitError):
            to_sympy(node)


class TestFallback:
    def test_strings_are_not_evaluated(self):
        disarm()
        for text in ("1+1", "__import__('os')", "x.y", "lambda: 1", "1_000", "2**3", "f(x)"):
            with pytest.raises(StringRefusedError):
                sympy.parsing.sympy_parser.parse_expr(text)
        assert sympy.parsing.sympy_parser.parse_expr("3/2") == sympy.Rational(3, 2)
        assert sympy.parsing.sympy_parser.parse_expr("yotta") == sympy.Symbol("yotta")

    @pytest.mark.parametrize(
        "text",
        [
            "", "2(3)", "1101_2", r"\sin x/2", "0.1", "I_1", "9^{9^9}", "12345678", "x=5", "5!",
            "__import__", r"\operatorname{os}", "(" * 20 + "x" + ")" * 20, "x" * 300, "(x",
            r"\frac{dy}{dx}", "AB", "½", "\ud800", r"x^{1000}",
        ],
    )  # fmt: skip
    def test_what_it_would_misread_is_kept_from_it(self, text):
        assert read_latex(text) is None

    def test_what_it_reads(self):
        x = sympy.Symbol("x", real=True)
        assert read_latex(r"\int_{0}^{1} x\,dx") == sympy.Integral(x, (x, 0, 1))
