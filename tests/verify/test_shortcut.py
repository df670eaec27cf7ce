"""The shortcut for plain numbers never says other than the ladder it saves."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlrewards import Status
from rlrewards.verify import equivalence
from rlrewards.verify.conventions import Conventions
from rlrewards.verify.decision import Terms
from rlrewards.verify.shortcut import shortcut
from rlrewards.verify.symbolic import Budget

USUAL = Conventions()

EQUAL = [
    (r"\frac{1}{2}", r"$\dfrac{2}{4}$"),
    (r"-\frac{3}{1}", r"-\frac{6}{2}."),
    ("10{,}000", "10000.0"),
    (r"1 \frac{1}{10}", r"1\frac{1}{10}"),
    (r"\sqrt{ 2 }", r"\sqrt{2}"),
    ("18", "18"), ("18", " 18 "), ("18.0", "18"), ("18.", "18"), ("1,200", "1200"),
    ("$5", "5"), (r"\$5", "$5.00"), ("$5$", "5"), ("-0", "0"), ("-2.50", "-2.5"),
    ("x + y", "x + y"), ("1,234,567.10", "1234567.1"),
]  # fmt: skip
DIFFERENT = [
    (r"\frac{1}{2}", r"\frac{1}{3}"), (r"-\frac{1}{2}", r"\frac{1}{2}"), ("9999", "10{,}000"),
    ("18", "26"), ("-5", "5"), ("1.5", "15"), ("1,200", "1.2"), ("3.1416", "3.14"),
]  # fmt: skip
PASSED_ON = [
    (r"\frac{1}{0}", r"\frac{2}{0}"),
    (r"\frac{1}{2}", "0.5"),
    (r"$\frac{1}{2}", r"\frac{1}{2}"),
    (r"1 1\frac{1}{2}", r"11\frac{1}{2}"),
    ("007", "7"), ("25,100", "25, 100"), ("1,5", "1.5"), ("0,125", "125"), ("10,0000", "100000"),
    ("5%", "5"), ("5..", "5"), ("٥", "5"), ("1e3", "1000"), ("$-5", "-5"), ("", ""), (".", "."),
    ("5", "x"), ("1/2", "0.5"), ("9" * 50, "8" * 50), ("--5", "5"), ("$", "$"),
]  # fmt: skip
SPELLINGS = [
    "0", "-0", "0.0", "5", "5.", "5.0", "$5", r"\$5", "$5$", "$5.00$", "-5", "$-5$", "-$5", "1,000",
    "1000", "$1,000", "1,000.50", "1000.5", "25,100", "25100", "007", "0.5", "0.50", "12.345",
    "12,345", "12345", "3.14", "3.1416", "0.333", "0.3333", "00", "$5.", "$5.$", "100", "1,2,3",
    "123,456", "50%", "x=5", "25, 100", "(5)", "five", "10{,}000", r"\frac{1}{2}", r"\frac{2}{4}",
    r"$\dfrac{-1}{2}$", r"-\frac{1}{2}", r"\frac{10}{2}", r"1 \frac{1}{2}", r"1\frac{1}{2}",
]  # fmt: skip


@pytest.fixture
def ladder(monkeypatch):
    monkeypatch.setattr(equivalence, "shortcut", lambda *_: None)
    return lambda answer, gold: equivalence.compare(answer, gold, Terms(Budget(1.0))).status


@pytest.mark.parametrize(("answer", "reference"), EQUAL)
def test_equal(answer, reference):
    assert shortcut(answer, reference, USUAL).status is Status.EQUAL
    assert shortcut(reference, answer, USUAL).status is Status.EQUAL


@pytest.mark.parametrize(("answer", "reference"), DIFFERENT)
def test_different(answer, reference):
    assert shortcut(answer, reference, USUAL).status is Status.DIFFERENT
    assert shortcut(reference, answer, USUAL).status is Status.DIFFERENT


@pytest.mark.parametrize(("answer", "reference"), PASSED_ON)
def test_passes_on_what_has_two_readings(answer, reference):
    assert shortcut(answer, reference, USUAL) is None
    assert shortcut(reference, answer, USUAL) is None


def test_a_tolerance_leaves_differences_to_the_ladder():
    assert shortcut("3.001", "3", Conventions(rel_tol=0.01)) is None
    assert shortcut("3.001", "3", Conventions(significant=3)) is None
    assert shortcut("3.0", "3", Conventions(significant=3)).status is Status.EQUAL


def test_a_required_unit_is_for_the_ladder():
    assert shortcut("$5", "5", Conventions(units="required")) is None
    assert shortcut("$5", "$5.00", Conventions(units="required")).status is Status.EQUAL


def test_agrees_with_the_ladder_on_every_pair_of_spellings(ladder):
    for answer, gold in product(SPELLINGS, SPELLINGS):
        decision = shortcut(answer, gold, USUAL)
        if decision is not None:
            assert ladder(answer, gold) is decision.status, (answer, gold)


@given(st.from_regex(r"(\\?\$)?-?[0-9]{1,4}(,[0-9]{3})?(\.[0-9]{0,3})?\$?", fullmatch=True),
       st.from_regex(r"(\\?\$)?-?[0-9]{1,4}(,[0-9]{3})?(\.[0-9]{0,3})?\$?", fullmatch=True))  # fmt: skip
def test_agrees_with_the_ladder_on_random_numerals(answer, gold):
    decision = shortcut(answer, gold, USUAL)
    if decision is not None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(equivalence, "shortcut", lambda *_: None)
            slow = equivalence.compare(answer, gold, Terms(Budget(1.0)))
        assert slow.status is decision.status
