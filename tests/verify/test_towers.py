"""How large towers are at least, and what follows from it."""

import math

import pytest

import rlrewards as rr
from rlrewards.verify.parse import parse
from rlrewards.verify.towers import dwarfs, holds_tower, least_log2, outgrows


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("8", 3, 3),
        ("2^{10}", 9.9, 10),
        ("2^{2^{10}}", 1000, 1024),
        ("100!", 400, 525),  # log2(100!) is 524.8
        (r"\sqrt{2^{10}}", 1.5, 5),  # the degree is bounded from above, with room
        ("2^{100}+1", 99, 101),
        ("4^{50}\\cdot 2^{10}", 108, 110),
    ],
)
def test_lower_bounds(text, low, high):
    assert low <= least_log2(parse(text), {}) <= high + 1e-9


@pytest.mark.parametrize(
    "text", ["9^{9^{9^9}}", "((9!)!)!", "-9^{9^{9^9}}", r"\frac{9^{9^{9^9}}}{2}"]
)
def test_towers_outgrow_numbers(text):
    assert least_log2(parse(text), {}) == math.inf
    assert outgrows(parse(text), parse("5"), {})
    assert not outgrows(parse(text), parse("9^{9^{9^8}}"), {})


@pytest.mark.parametrize(
    "text", ["0.5", "2^{-10}", "2^{1-9^{9^{9^9}}}", "x", r"9^{9^{9^9}}-9^{9^{9^9}}"]
)
def test_nothing_is_claimed(text):
    assert least_log2(parse(text), {}) <= 0


def test_what_holds_a_tower():
    assert holds_tower(parse(r"\frac{x}{9^{9^{9^9}}}"))
    assert not holds_tower(parse("x^{9}+9^9"))


@pytest.mark.parametrize("reference", ["5", "x^2+1", r"\sqrt2", r"\sin x", "(0,1)"])
def test_a_tower_is_told_from_a_reference_without_a_worker(reference, monkeypatch):
    def not_asked(*_, **__):
        raise AssertionError("a worker was asked")

    monkeypatch.setattr("rlrewards.verify.equivalence.symbolic", not_asked)
    for answer in ("9^{9^{9^9}}", "-9^{9^{9^9}}", "((9!)!)!"):
        assert rr.Verifier(cache_size=0).verify(answer, reference).status == "DIFFERENT"


@pytest.mark.parametrize(
    ("answer", "reference", "status"),
    [
        (r"9^{9^{9^9}}", "7", "DIFFERENT"),
        (r"$9^{9^{9^9}}$", "-7.50", "DIFFERENT"),
        (r"(10^{10})!", "1,000", "DIFFERENT"),
        (r"2^{10}", "1024", "EQUAL"),
        (r"3!", "6", "EQUAL"),
        (r"x^{2}", "4", "DIFFERENT"),
        (r"9^{9^{9^9}}", r"9^{9^{9^{9}}}", "EQUAL"),
    ],
)
def test_a_tower_beside_a_plain_number_is_told_at_once(answer, reference, status):
    assert rr.verify(answer, reference).status == status
    assert rr.Verifier(rel_tol=0.01).verify(answer, reference).status == status


def test_more_digits_than_a_tower_is_large():
    """2^(2^22) has 1,262,612 digits: no plain number is so long, but a limit there must be."""
    tower = parse("2^{2^{22}}")
    assert dwarfs(tower, 40)
    assert not dwarfs(tower, 1_300_000)
