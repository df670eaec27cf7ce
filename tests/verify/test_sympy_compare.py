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


def test_sympy_evaluates_no_strings():
    import sympy

    with pytest.raises(Exception, match="evaluate a string"):
        sympy.parsing.sympy_parser.parse_expr("1+1")


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="0123456789+-*/^(){}[]\\fracsqt x,=<>.|!", max_size=24))
def test_any_text_gives_a_verdict(text):
    assert symbolic(text, "2x+1", budget=Budget(2.0)).status in set(Status)
