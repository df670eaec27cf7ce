"""pass@k: by hand, at its limits, against all subsets and against exact fractions."""

from fractions import Fraction
from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlrewards.metrics import mean_pass_at_k, pass_at_k, powers_of_two


def exact(n, c, k):
    return 1 - Fraction(comb(n - c, k), comb(n, k))


def test_by_hand():
    assert pass_at_k(5, 2, 3) == pytest.approx(1 - 1 / 10)  # C(3, 3)/C(5, 3)
    assert pass_at_k(4, 1, 2) == pytest.approx(0.5)
    assert pass_at_k(10, 3, 1) == 0.3


def test_it_is_the_share_of_subsets_with_a_right_one():
    for n in range(1, 8):
        for c in range(n + 1):
            right = [True] * c + [False] * (n - c)
            for k in range(1, n + 1):
                subsets = [any(subset) for subset in combinations(right, k)]
                share = sum(subsets) / len(subsets)
                assert pass_at_k(n, c, k) == pytest.approx(share, rel=1e-14), (n, c, k)


@given(st.data())
def test_exact_fractions(data):
    n = data.draw(st.integers(1, 400))
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    assert pass_at_k(n, c, k) == pytest.approx(float(exact(n, c, k)), rel=1e-13, abs=0)


@pytest.mark.parametrize(("c", "k"), [(3, 7), (1, 999_999), (500, 1000), (999_000, 3), (10**5, 2)])
def test_a_million_samples(c, k):
    n = 10**6
    few, many = min(c, k), max(c, k)  # C(n−c, k)/C(n, k) is the same with c and k exchanged
    assert pass_at_k(n, c, k) == pytest.approx(float(exact(n, many, few)), rel=1e-12, abs=0)
    assert pass_at_k(n, n // 2, n // 2) == 1.0


def test_what_is_nearly_certain_is_not_rounded_up():
    n, c, k = 10**6, 5000, 5000  # one minus e^−25
    assert pass_at_k(n, c, k) == pytest.approx(float(exact(n, c, k)), abs=2e-16)
    assert pass_at_k(n, c, k) < 1


@given(st.data())
def test_laws(data):
    n = data.draw(st.integers(1, 10_000))
    c = data.draw(st.integers(0, n))
    k = data.draw(st.integers(1, n))
    value = pass_at_k(n, c, k)
    assert 0 <= value <= 1
    assert pass_at_k(n, c, 1) == c / n
    assert pass_at_k(n, 0, k) == 0
    assert pass_at_k(n, n, k) == 1
    assert pass_at_k(n, c, n) == (c > 0)
    if k < n:
        assert value <= pass_at_k(n, c, k + 1) * (1 + 1e-13)
    if c < n:
        assert value <= pass_at_k(n, c + 1, k) * (1 + 1e-13)


def test_the_mean_over_draws_is_what_is_estimated():
    # Unbiased: Σ_c Binomial(n, p)(c)·estimate(n, c, k) is 1 − (1 − p)^k, summed exactly.
    n, p = 7, Fraction(3, 10)
    for k in range(1, n + 1):
        mean = sum(
            comb(n, c) * p**c * (1 - p) ** (n - c) * Fraction(pass_at_k(n, c, k))
            for c in range(n + 1)
        )
        assert float(mean) == pytest.approx(float(1 - (1 - p) ** k), rel=1e-14)


def test_shapes():
    assert isinstance(pass_at_k(4, 1, 2), float)
    assert isinstance(pass_at_k(np.int32(4), np.uint8(1), np.int64(2)), float)
    assert pass_at_k(4, [0, 1, 4], 2).shape == (3,)
    assert pass_at_k([4, 5], [0, 1], [1, 2, 3]).shape == (2, 3)
    assert pass_at_k(np.full((2, 3), 9), 1, [1, 2]).shape == (2, 3, 2)
    assert pass_at_k(4, 1, [2]).shape == (1,)
    np.testing.assert_array_equal(
        pass_at_k([4, 6], [2, 2], [1, 4]), [[0.5, 1.0], [2 / 6, pass_at_k(6, 2, 4)]]
    )


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((4, 5, 1), ValueError, r"correct must lie in 0\.\.4, got 5"),
        ((4, -1, 1), ValueError, "got -1"),
        ((0, 0, 1), ValueError, "samples must be at least 1"),
        ((-3, 0, 1), ValueError, "samples"),
        ((4, 2, 5), ValueError, r"k must lie in 1\.\.4.*got 5"),
        (([4, 9], 2, [1, 5]), ValueError, r"k must lie in 1\.\.4"),
        ((4, 2, 0), ValueError, "got 0"),
        ((4, 2, -1), ValueError, "got -1"),
        ((4, 2, [[1]]), ValueError, "a number or a list"),
        ((4.0, 2, 1), TypeError, "samples must be whole numbers"),
        ((4, 2.5, 1), TypeError, "correct"),
        ((4, True, 1), TypeError, "correct"),
        ((4, 2, "1"), TypeError, "k must be"),
        ((4, 2, None), TypeError, "k must be"),
        ((10**30, 2, 1), TypeError, "samples"),
        ((4, [1, None], 1), TypeError, "correct"),
    ],
)
def test_senseless_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        pass_at_k(*arguments)


class TestMean:
    right = [[1, 0, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0]]

    def test_it_is_the_mean_of_the_questions(self):
        found = mean_pass_at_k(self.right)
        assert list(found) == [1, 2, 4]
        assert [e.value for e in found.values()] == pytest.approx(
            [0.25, (3 / 6 + 5 / 6) / 3, 2 / 3]
        )
        assert {(e.questions, e.samples) for e in found.values()} == {(3, 12)}
        for estimate in found.values():
            assert estimate.interval.low <= estimate.value <= estimate.interval.high

    def test_matrix_and_ragged_groups(self):
        assert mean_pass_at_k(np.array(self.right, bool), [2]) == mean_pass_at_k(self.right, 2)
        ragged = mean_pass_at_k([[True, False], [False] * 5, [True] * 3], [1, 2])
        assert ragged[1].value == pytest.approx(0.5)
        assert ragged[2].value == pytest.approx(2 / 3)
        assert list(mean_pass_at_k([[True, False], [False] * 5])) == [1, 2]

    def test_one_sample_a_question_is_an_accuracy(self):
        found = mean_pass_at_k([1, 0, 1, 1])
        assert found[1].value == 0.75
        assert found[1].method == "wilson_interval"

    def test_all_k_see_the_same_resamples(self):
        found = mean_pass_at_k(self.right, [2, 1, 2])
        assert list(found) == [2, 1]
        assert found[1] == mean_pass_at_k(self.right, 1)[1]

    @pytest.mark.parametrize("k", [0, 3, [1, 3]])
    def test_k_is_at_most_the_fewest_samples(self, k):
        with pytest.raises(ValueError, match=r"1\.\.2, since question 1 has 2 samples; got [03]"):
            mean_pass_at_k([[1, 0, 1], [0, 1], [1, 1]], k)

    @pytest.mark.parametrize(
        ("right", "error", "message"),
        [
            ([], ValueError, "empty"),
            ([[]], ValueError, "question 0 has no sample"),
            ([[1], []], ValueError, "question 1 has no sample"),
            (np.empty((2, 0)), ValueError, "no sample"),
            ([[1, 2]], ValueError, "right must be True or False.*got 2"),
            ([[1, float("nan")]], ValueError, "finite"),
            ([[1, None]], TypeError, "None is no opinion"),
            ([["yes"]], TypeError, "'yes'"),
            ("yes", TypeError, "sequence"),
            (1, TypeError, "sequence"),
            ([[1], 1], TypeError, "item 1 is a value and others are groups"),
            ([[[1]]], TypeError, "numbers"),
        ],
    )
    def test_hostile_input(self, right, error, message):
        with pytest.raises(error, match=message):
            mean_pass_at_k(right)


@given(st.integers(1, 10_000))
def test_powers_of_two(most):
    found = powers_of_two(most)
    assert found[-1] == most
    assert found[:-1] == [2**i for i in range(20) if 2**i < most]
