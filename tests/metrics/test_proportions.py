"""Two published proportions: against published intervals and exact tables."""

from fractions import Fraction
from math import comb, erfc, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlrewards.metrics import two_proportions


def test_two_models_of_the_thesis_do_not_differ():
    # 46.3 % and 49.8 % of 400: p = 384/800, z = −0.035/√(0.48·0.52/200).
    found = two_proportions(185, 400, 199, 400)
    z = -0.035 / sqrt(0.48 * 0.52 / 200)
    assert found.difference == pytest.approx(-0.035)
    assert found.z == pytest.approx(z)
    assert found.p_value == pytest.approx(erfc(-z / sqrt(2)))
    assert found.p_value == pytest.approx(0.3218, abs=5e-5)
    assert found.p_fisher == pytest.approx(0.3576, abs=5e-5)
    assert found.interval.low < 0 < found.interval.high


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), 873–890, Table II, method 10.
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((5, 56, 0, 29), -0.0381, 0.1926),
    ],
)
def test_published_intervals(counts, low, high):
    assert two_proportions(*counts).interval == pytest.approx((low, high), abs=5e-5)


def fisher(x1, n1, x2, n2):
    s = x1 + x2
    weight = {x: comb(n1, x) * comb(n2, s - x) for x in range(max(0, s - n2), min(n1, s) + 1)}
    return Fraction(sum(w for w in weight.values() if w <= weight[x1]), sum(weight.values()))


@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_laws(n1, n2, data):
    x1, x2 = data.draw(st.integers(0, n1)), data.draw(st.integers(0, n2))
    found = two_proportions(x1, n1, x2, n2)
    assert found.p_fisher == pytest.approx(float(fisher(x1, n1, x2, n2)), rel=1e-9)
    assert -1 - 1e-12 <= found.interval.low <= found.difference <= found.interval.high <= 1 + 1e-12
    assert 0 <= found.p_value <= 1
    mirrored = two_proportions(x2, n2, x1, n1)
    assert mirrored.p_value == pytest.approx(found.p_value)
    assert mirrored.p_fisher == pytest.approx(found.p_fisher)
    assert mirrored.interval == pytest.approx((-found.interval.high, -found.interval.low))


def test_tea_tasting():
    assert two_proportions(3, 4, 1, 4).p_fisher == pytest.approx(34 / 70)


@pytest.mark.parametrize("right", [0, 5])
def test_none_and_all_right(right):
    found = two_proportions(right, 5, right, 5)
    assert (found.z, found.p_value, found.p_fisher) == (0.0, 1.0, 1.0)
    assert found.interval.low < 0 < found.interval.high


def test_many():
    found = two_proportions(500_600, 1_000_000, 499_400, 1_000_000)
    assert found.p_value == pytest.approx(0.0897, abs=2e-4)


@pytest.mark.parametrize(
    ("counts", "error"),
    [((5, 4, 1, 4), ValueError), ((1, 4, 0, 0), ValueError), ((0.5, 4, 1, 4), TypeError)],
)
def test_senseless_counts(counts, error):
    with pytest.raises(error):
        two_proportions(*counts)
