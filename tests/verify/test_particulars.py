"""Sizes, times of day, labels, and what only spelling tells from a decimal comma."""

from __future__ import annotations

import pytest

import rlrewards as rr
from rlrewards.verify.particulars import other_particulars

VERIFIER = rr.Verifier(budget_seconds=5.0, cache_size=0)


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        (r"7\times9", r"$7 \times 9$"),
        ("7*9", r"7 \times 9"),
        (r"A = 7 \times 9", r"7 \times 9"),
        ("6", r"2 \cdot 3"),
        ("30000", r"3 \times 10^4"),
        ("2:8", "1:4"),
        ("25/16", "25:16"),
        ("x:y = 1:12", "1:12"),
        ("[1,2]", "Range: [1,2]"),
        ("0,245", "0,245"),
        ("1{,}234{,}567", "1234567"),
        ("12 345", "12345"),
        ("maximum value = 5", "5"),
        (r"\text{Total area} = 24", "24"),
        ("f(t) = 2t", "f(x) = 2x"),
        (r"\angle B = 30^\circ", r"30^\circ"),
        (r"\sum_{k=1}^3 k = 1+2+3 = 6", "6"),
        (r"\sum_{k=1}^3 \frac1k = 1.83", "1.83"),
        (r"A\cos 2t + B\sin 2t", r"C_1\cos(2t) + C_2\sin(2t)"),
        (r"A e^{-t} + B t e^{-t} + C", r"c_1 e^{-t} + c_2 t e^{-t} + c_3"),
        (r"e^{2x}(A + B x)", r"(C_1 + C_2 x)e^{2x}"),
    ],
)
def test_the_same(answer: str, reference: str) -> None:
    verdict = VERIFIER.verify(answer, reference)
    assert verdict, verdict.why


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("63", "7 × 9"),
        ("3 cm", "3 March"),
        ("3", "3 noon"),
        ("1/12", "1:12"),
        ("2:15 or 4:30", "4:30"),
        (r"\text{Domain: }[1,2]", r"\text{Range: }[1,2]"),
        ("half = 5", "5"),
        ("f(t) = 5", "f(x) = 5 + u"),
        ("1/0", "1:0"),
        (r"\sum_{k=1}^3 k = 7", "7"),
        (r"\sum_{i=1}^3 i^2 = 15", "15"),
        ("c_2 x + c_1 (x + 1)", "c_1 (2x) + c_2 (3x)"),
    ],
)
def test_not_the_same(answer: str, reference: str) -> None:
    verdict = VERIFIER.verify(answer, reference)
    assert not verdict, verdict.why


@pytest.mark.parametrize("power", ["k^{5000}", r"\frac{1}{k^{5000}}", "k!", "2^{k!}", "k^{k^{9}}"])
def test_a_large_sum_is_left_alone(power: str) -> None:
    assert VERIFIER.verify(rf"\sum_{{k=1}}^{{30}} {power} = 5", "6").status is not rr.Status.EQUAL


def test_a_clock_may_be_written_with_a_zero() -> None:
    assert other_particulars("04:30", "4:30") is None
    assert other_particulars("4:30", "4:03") is not None
