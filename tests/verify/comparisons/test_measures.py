"""Percent, units, money, angles, ratios and bases: which readings must agree."""

from fractions import Fraction

import pytest
from compared import DIFFERENT, EQUAL, UNDECIDED, rows, status
from flint import fmpq

from rlrewards.verify.comparisons import compare_nodes
from rlrewards.verify.decision import Terms
from rlrewards.verify.symbolic import Budget
from rlrewards.verify.tree import Measure, Number, Ratio, Sum
from rlrewards.verify.units import UNITS, Unit

EQUAL_BOTH_WAYS = rows(r"""
5 cm ~ 5
5 cm ~ 50 mm
500 g ~ 0.5 kg
2 hours ~ 120 minutes
5\sqrt2\text{ cm} ~ 50\sqrt2\text{ mm}
1.5 m ~ 150 cm
\$5 ~ 5
\$5 ~ 5 dollars
\$5 ~ 500 cents
30^\circ ~ 30
30^\circ ~ \frac{\pi}{6}
90-x ~ 90^\circ - x
\frac{\pi}{2}-x ~ 90^\circ-x
50\% ~ 50
50\% ~ \frac12
100\% ~ 1
120\% ~ 1.2
-5\% ~ -0.05
11:4 ~ 11/4
11:4 ~ 22:8
1:2:3 ~ 2:4:6
\frac12:\frac13 ~ 3:2
1101_2 ~ (1101)_2
18 students ~ 18
""")

DIFFERENT_BOTH_WAYS = rows(r"""
5 cm ~ 5 m
5 cm ~ 5 kg
5 apples ~ 5 oranges
\$5 ~ £5
\$5 ~ 5 cents
30^\circ ~ 31
11:4 ~ 4:11
1:2:3 ~ 1:3:2
1:2:3 ~ 1:2
1101_2 ~ 1101_3
1101_2 ~ 13
50\% ~ 50\text{ cm}
""")

DIFFERENT_FROM_THE_REFERENCE = rows(r"""
\frac{\pi}{6} ~ \frac{\pi}{6}^\circ
30^\circ ~ 10+20
50\% ~ 25+25
50 ~ (25+25)\%
11:4 ~ 10+1:4
0.5 ~ 0.5\%
\frac12 ~ \frac12\%
\frac12 ~ 0.5\%
1 ~ 1\%
""")


@pytest.mark.parametrize(("reference", "answer"), EQUAL_BOTH_WAYS)
def test_equal_both_ways_round(reference, answer):
    assert status(reference, answer) is EQUAL
    assert status(answer, reference) is EQUAL


@pytest.mark.parametrize(("reference", "answer"), DIFFERENT_BOTH_WAYS)
def test_different_both_ways_round(reference, answer):
    assert status(reference, answer) is DIFFERENT
    assert status(answer, reference) is DIFFERENT


@pytest.mark.parametrize(("reference", "answer"), DIFFERENT_FROM_THE_REFERENCE)
def test_different(reference, answer):
    assert status(reference, answer) is DIFFERENT


def test_a_base_may_be_left_to_the_question_but_not_made_up():
    assert status("1101_2", "1101") is EQUAL
    assert status("1101", "1101_2", prompt="Write thirteen in binary.") is EQUAL
    assert status("1101", "1101_2", prompt="Write 13 in base 2.") is EQUAL
    assert status("13", "13_7") is UNDECIDED


def test_units_that_nobody_knows_need_a_voucher():
    assert status("18", "18 blorps") is UNDECIDED
    assert status("18", "18 blorps", prompt="How many blorps are there?") is EQUAL
    assert status("18 blorps", "18 blorps") is EQUAL
    assert status("18 blorps", "18") is EQUAL
    assert status("5 blorps", "5 gloops") is UNDECIDED
    assert status("5 blorps", "6 gloops") is DIFFERENT


def test_rounding_goes_with_the_conversion():
    assert status(r"33.3\%", r"\frac13") is EQUAL
    assert status("33.3 cm", r"\frac13 \text{ m}") is EQUAL
    assert status("33.4 cm", r"\frac13 \text{ m}") is DIFFERENT


class TestByHand:
    terms = Terms(Budget(1.0))

    def measure(self, value, unit):
        return Measure(Number(fmpq(value)), UNITS[unit])

    def test_compound_amounts(self):
        long = Sum((self.measure(2, "h"), self.measure(30, "min")))
        assert compare_nodes(long, self.measure(150, "min"), self.terms).is_equal
        assert compare_nodes(self.measure(150, "min"), long, self.terms).is_equal
        half = Measure(Number(fmpq(5, 2), 2, fmpq(1, 10)), UNITS["h"])
        assert compare_nodes(long, half, self.terms).is_equal
        assert compare_nodes(long, self.measure(151, "min"), self.terms).is_different

    def test_amounts_of_one_unit_are_a_sum_left_undone(self):
        undone = Sum((self.measure(75, "min"), self.measure(75, "min")))
        assert not compare_nodes(undone, self.measure(150, "min"), self.terms).is_equal

    def test_radians_are_no_degrees(self):
        radians = Unit("rad", Fraction(1), "rad")
        thirty = Measure(Number(fmpq(30)), radians)
        degrees = self.measure(30, "°")
        assert compare_nodes(thirty, degrees, self.terms).is_different
        assert compare_nodes(degrees, thirty, self.terms).is_different

    def test_nothing_to_nothing_is_no_ratio(self):
        zero, one = Number(fmpq(0)), Number(fmpq(1))
        decision = compare_nodes(Ratio((zero, zero)), Ratio((one, one)), self.terms)
        assert not decision.is_equal


class TestConventions:
    def test_percent(self):
        assert status(r"50\%", "50", percent=False) is DIFFERENT
        assert status(r"50\%", "0.5", percent=False) is EQUAL
        assert status("50", r"50\%", percent=False) is DIFFERENT

    def test_units(self):
        assert status("5 cm", "5", units="required") is DIFFERENT
        assert status("5", "5 cm", units="required") is DIFFERENT
        assert status("5 cm", "50 mm", units="required") is EQUAL

    def test_ratios(self):
        assert status("11:4", "11/4", ratios=False) is DIFFERENT
        assert status("11/4", "11:4", ratios=False) is DIFFERENT
        assert status("11:4", "22:8", ratios=False) is EQUAL

    def test_optional_base(self):
        assert status("1101_2", "1101", optional_base=False) is DIFFERENT
        assert status("1101_2", "(1101)_2", optional_base=False) is EQUAL
