"""Ball arithmetic: proofs of difference, agreement at points, and expressions that are too large."""

from __future__ import annotations

import threading
import time

import pytest
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from rlrewards.verify.decimals import rounded, terminates
from rlrewards.verify.enclose import NoValueError, size_bits
from rlrewards.verify.kinks import points_between_kinks
from rlrewards.verify.numeric import (
    compare_constants,
    compare_functions,
    constant_difference,
    constant_quotient,
    enclose,
)
from rlrewards.verify.parse import parse
from rlrewards.verify.tree import Constant, Measure, Number, Symbol
from rlrewards.verify.units import UNITS
from rlrewards.verify.verdict import Status

EQUAL, DIFFERENT, UNDECIDED = Status.EQUAL, Status.DIFFERENT, Status.UNDECIDED


class TestEnclose:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (r"\sqrt2", 2**0.5),
            (r"\sqrt[3]{-8}", -2.0),
            (r"\arctan 1", 0.7853981633974483),
            (r"\log_{2} 10", 3.321928094887362),
            ("5!", 120.0),
            (r"\sin 30^\circ", 0.5),
            (r"\max(\pi, 3)", 3.141592653589793),
            (r"\lfloor \pi \rfloor", 3.0),
        ],
    )
    def test_values(self, text, expected):
        ball = enclose(parse(text), {}, bits=128)
        assert abs(float(ball.mid()) - expected) < 1e-12

    @pytest.mark.parametrize(
        "text", ["1/0", r"\ln 0", r"\sqrt{-1}", "i", "f(2)", r"\log 5", "x", r"\arccos 2"]
    )
    def test_no_real_value(self, text):
        tree = Constant("i") if text == "i" else parse(text)
        with pytest.raises((NoValueError, ZeroDivisionError)):
            enclose(tree, {}, bits=128)

    def test_degrees(self):
        ball = enclose(Measure(Number(fmpq(180)), UNITS["°"]), {}, bits=64)
        assert ball.overlaps(enclose(Constant("pi"), {}, bits=64))

    def test_other_units_have_no_value(self):
        with pytest.raises(NoValueError):
            enclose(Measure(Number(fmpq(5)), UNITS["cm"]), {}, bits=64)

    def test_threads_that_share_the_context_do_not_disturb_each_other(self):
        tree, other = parse(r"e^{x}+\sin x"), parse(r"\sin x+e^{x}")
        failures: list[Status] = []

        def work():
            for _ in range(20):
                status = compare_functions(tree, other).status
                if status is not EQUAL:
                    failures.append(status)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures


class TestSize:
    def test_e_to_the_thousand_hides_more_than_a_thousand_bits(self):
        assert size_bits(parse("e^{1000}"), {}) > 1_443

    def test_a_small_value_hides_its_digits(self):
        assert size_bits(parse(r"\sqrt2+10^{-50}"), {}) > 166


CONSTANTS = [
    (r"\ln 8", r"3\ln 2", EQUAL),
    (r"\frac{\pi}{4}", r"\arctan 1", EQUAL),
    (r"\sqrt{3+2\sqrt2}", r"1+\sqrt2", EQUAL),
    (r"\cos 60^\circ", r"\frac12", EQUAL),
    (r"e^{i\pi/3}", r"\frac12+\frac{\sqrt3}{2}i", EQUAL),
    (r"\sqrt{-3}", r"\sqrt3 i", EQUAL),
    (r"e^{\pi\sqrt{163}}", "262537412640768744", DIFFERENT),
    (r"\sqrt2", r"\sqrt2+10^{-2000}", DIFFERENT),
    ("e^{1000}+1", "e^{1000}", DIFFERENT),
    (r"\pi", r"\pi\tanh(10^{6})", UNDECIDED),
    (r"\ln 0", r"\ln 0", UNDECIDED),
    ("9^{9^{9^9}}", "5", DIFFERENT),
    (r"\sin(10^{10^{10}})", "2", DIFFERENT),
]
FUNCTIONS = [
    (r"\sin 2x", r"2\sin x\cos x", EQUAL),
    (r"\sqrt{x^2}", "|x|", EQUAL),
    ("x^{2/3}", r"\sqrt[3]{x^2}", EQUAL),
    ("n!", r"n\cdot(n-1)!", EQUAL),
    (r"\frac{n(n+1)}{2}", r"\binom{n+1}{2}", EQUAL),
    ("(-1)^n", r"\cos(n\pi)", EQUAL),
    ("e^{x+y}", "e^x e^y", EQUAL),
    (r"\sqrt{x^2}", "x", DIFFERENT),
    (r"\lfloor x\rfloor", "x", DIFFERENT),
    ("x", "10^9-|x-10^9|", DIFFERENT),
    ("x", r"10^{30}-\sqrt{(x-10^{30})^2}", DIFFERENT),
    ("x", "x+|x-10^9|-2|x-10^9-1|+|x-10^9-2|", DIFFERENT),
    ("x+y", "10^9-|x+y-10^9|", DIFFERENT),
    ("x", r"\max(x, 10-x^2)", DIFFERENT),
    ("e^x", "e^x+10^{-1000}", DIFFERENT),
    ("x", r"x+\lfloor \frac{x^2}{10^{30}}\rfloor", DIFFERENT),
    ("e^x", "10^{300}-|e^x-10^{300}|", DIFFERENT),
    ("|x|", r"x+\ln x-\ln x", UNDECIDED),
    (r"\ln x^2", r"2\ln x", UNDECIDED),
    (r"\sin^2 x+\cos^2 x+y", "1+y", UNDECIDED),
    (r"\sqrt{-1-x^2}", r"\sqrt{-2-x^2}", UNDECIDED),
]


class TestComparisons:
    @pytest.mark.parametrize(("gold", "ours", "status"), CONSTANTS)
    def test_constants(self, gold, ours, status):
        assert compare_constants(parse(ours), parse(gold)).status is status

    @pytest.mark.parametrize(("gold", "ours", "status"), FUNCTIONS)
    def test_functions(self, gold, ours, status):
        assert compare_functions(parse(ours), parse(gold)).status is status

    def test_the_same_each_time(self):
        pair = parse(r"\sin 2x"), parse(r"2\sin x\cos x")
        assert len({compare_functions(*pair) for _ in range(3)}) == 1

    def test_up_to_a_factor(self):
        decision, sign = constant_quotient(parse(r"-\sin 2x"), parse(r"\sin x\cos x"))
        assert (decision.status, sign) == (EQUAL, -1)
        assert constant_quotient(parse(r"\sin x"), parse(r"\cos x"))[0].status is DIFFERENT

    def test_up_to_a_constant(self):
        assert constant_difference(parse(r"\sin^2 x"), parse(r"-\cos^2 x")).status is EQUAL
        assert constant_difference(parse(r"\ln|2x|"), parse(r"\ln|x|")).status is EQUAL
        assert constant_difference(parse(r"\ln x"), parse(r"x")).status is DIFFERENT

    @settings(deadline=None, max_examples=50)
    @given(st.integers(1, 60), st.integers(1, 60))
    def test_logarithms_add_up(self, a, b):
        gold = parse(rf"\ln {a * b}")
        assert compare_constants(parse(rf"\ln {a}+\ln {b}"), gold).status is EQUAL
        assert compare_constants(parse(rf"\ln {a}+\ln {b + 1}"), gold).status is DIFFERENT


class TestKinks:
    def test_points_lie_in_every_part(self):
        points = points_between_kinks([parse("|x-1|+|x-2|+|x^2-50|")], ["x"])
        values = [point["x"] for point in points]
        for low, high in ((-100, -7.08), (-7.08, 1), (1, 2), (2, 7.08), (7.08, 100)):
            assert any(low < float(v.p) / float(v.q) < high for v in values)

    def test_none_are_needed_where_nothing_is_shifted(self):
        assert points_between_kinks([parse("|x|+x")], ["x"]) == []

    def test_none_where_they_are_too_far(self):
        assert points_between_kinks([parse("|x-y-10^{5000}|")], ["x", "y"]) is None


class TestDecimals:
    @pytest.mark.parametrize(
        ("value", "digits", "expected"),
        [
            (fmpq(123456), 3, fmpq(123000)),
            (fmpq(-125, 100), 2, fmpq(-13, 10)),
            (fmpq(999, 1000), 2, fmpq(1)),
            (fmpq(1, 3), 3, fmpq(333, 1000)),
            (fmpq(10) ** 4000, 1, fmpq(10) ** 4000),
            (fmpq(0), 3, fmpq(0)),
        ],
    )
    def test_rounded(self, value, digits, expected):
        assert rounded(value, digits) == expected

    def test_terminates(self):
        assert [n for n in range(1, 17) if terminates(fmpq(1, n))] == [1, 2, 4, 5, 8, 10, 16]


HOSTILE = [
    "9^{9^{9^9}}",
    "1000000!",
    "(10^{10^6})!",
    "((9!)!)!",
    "10^{-10^{10}}",
    r"\binom{1000000000}{500000000}",
    r"\sin(10^{10^{10}})",
    r"\sin(x^{10^{10}})",
    "x^{x^{x^{x^x}}}",
    "(x!)!",
    r"\sqrt[10^{9}]{x}",
    r"\lfloor x^{1000}\pi\rfloor",
    "|x-10^{5000}|",
    "e^{e^{e^{x}}}",
    "e^{e^{e^{e^{10}}}}",
    r"\tan(\tan(\tan(x)))",
    "0^{x}",
    r"\tanh(10^{1000}x)",
    "+".join(f"\\sin({k}x)" for k in range(1, 90)),
    "+".join(f"|x-{k}|" for k in range(1, 60)),
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_expressions_end(text):
    tree = parse(text)
    start = time.process_time()
    for other in (Symbol("x"), Constant("pi"), parse("x!")):
        assert compare_functions(tree, other).status is not EQUAL
        assert compare_functions(other, tree).status is not EQUAL
    assert time.process_time() - start < 1.5
