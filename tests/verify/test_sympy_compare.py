"""What the worker computes, here in the test's own process: the tables again, and hostile text.

The worker refuses to let SymPy evaluate strings; so does this process from here on.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_symbolic import BOTH_WAYS_EQUAL, EQUAL_ONE_WAY, NOT_DECIDED, NOT_EQUAL

from rlrewards.verify.symbolic import Budget, symbolic
from rlrewards.verify.sympy_compare import compare, warm_up
from rlrewards.verify.verdict import Status


@pytest.fixture(scope="module", autouse=True)
def ready():
    warm_up()


@pytest.mark.parametrize(("reference", "answer"), BOTH_WAYS_EQUAL)
def test_equal_both_ways_round(reference, answer):
    assert compare(answer, reference, form="any")["status"] == "EQUAL"
    assert compare(reference, answer, form="any")["status"] == "EQUAL"


@pytest.mark.parametrize(("reference", "answer"), EQUAL_ONE_WAY)
def test_equal_to_the_reference(reference, answer):
    assert compare(answer, reference)["status"] == "EQUAL"


@pytest.mark.parametrize(("reference", "answer"), NOT_EQUAL)
def test_different(reference, answer):
    assert compare(answer, reference)["status"] == "DIFFERENT"


@pytest.mark.parametrize(("reference", "answer"), NOT_DECIDED)
def test_undecided(reference, answer):
    assert compare(answer, reference)["status"] in ("UNDECIDED", "NO_ANSWER")


# Malformed text, and mathematics that is not read yet: never a verdict on the value.
NOT_READ = [
    "",
    "+",
    "5+",
    "*5",
    "(",
    "5)",
    "((5)",
    "--5",
    "5 6",
    "5..2",
    r"\frac{1}",
    r"\frac{}{2}",
    r"\sqrt{}",
    r"\foo",
    r"\foo{x}",
    "5'",
    "f'(x)",
    "@5",
    "5#",
    "x_{1,2}",
    "x_",
    "2^",
    "2^{}",
    "^2",
    "5!!!",
    r"\sin",
    r"\log_{}",
    r"\left|x",
    "||x||",
    r"\int x",
    r"\int_0^1 x dx",
    r"\sum_{k=1}^n k",
    r"\prod x",
    r"\lim_{x\to0} x",
    r"\frac{d}{dx} x^2",
    r"\begin{cases} 1 & x>0 \\ 2 & x<0 \end{cases}",
    r"\begin{array}{c} 1 \end{array}",
    r"\begin{foo} 1 \end{foo}",
    r"\begin{pmatrix} 1",
    "{x | x > }",
    r"\{x \mid x>0, y\}",
    "[1]",
    "(1,)",
    ",",
    "x=",
    "=x",
    "x<",
    "<x",
    "x<y<",
    "a=b=c=d",
    r"x\in",
    "1101_2",
    "sin",
    "hello world",
    r"\text{some words}",
    r"5\text{ m}",
    "f(2)",
    "g(x,y)",
    r"\bar{x}",
    r"\vec{v}",
    r"\overline{AB}",
    r"\angle ABC",
    "5 mod 3",
    r"5 \pmod 3",
    "x!y",
    "1 1 1/2",
    "3 7/2",
    r"2.5\frac12",
    "x" * 3000,
    "(" * 400 + "x" + ")" * 400,
    "{" * 60 + "x" + "}" * 60,
    "1+" * 900 + "1",
]


@pytest.mark.parametrize("text", NOT_READ, ids=range(len(NOT_READ)))
def test_what_is_not_read_is_never_equal(text):
    assert compare(text, "2x+1")["status"] != "EQUAL"
    assert compare("2x+1", text)["status"] != "EQUAL"
    assert compare(text, "(1,2)")["status"] != "EQUAL"
    assert compare(text, "x<3")["status"] != "EQUAL"
    assert compare(text, r"\{1,2\}")["status"] != "EQUAL"


def test_sympy_evaluates_no_strings():
    import sympy

    with pytest.raises(Exception, match="evaluate a string"):
        sympy.parsing.sympy_parser.parse_expr("1+1")


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="0123456789+-*/^(){}[]\\fracsqt x,=<>.|!", max_size=24))
def test_any_text_gives_a_verdict(text):
    assert symbolic(text, "2x+1", budget=Budget(2.0)).status in set(Status)
