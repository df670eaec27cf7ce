"""Paired comparison: McNemar against exact sums, the bootstrap against simulation and limits."""

from fractions import Fraction
from itertools import product
from math import comb, erfc
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlrewards.metrics import (
    mcnemar,
    mcnemar_counts,
    paired_difference,
    percentile_interval,
    wilson_interval,
)


def exact_and_mid(b, c):
    """Both p by the definition: outcomes as far from the middle, or farther."""
    m = b + c
    weight = {x: Fraction(comb(m, x), 2**m) for x in range(m + 1)}
    farther = sum(w for x, w in weight.items() if abs(2 * x - m) > abs(b - c))
    as_far = sum(w for x, w in weight.items() if abs(2 * x - m) == abs(b - c))
    return float(farther + as_far), float(farther + as_far / 2)


class TestMcNemar:
    def test_published_value(self):
        # Fagerland et al. 2013, airway hyper-responsiveness: 1 and 7 of 21 pairs are discordant.
        found = mcnemar_counts(1, 1, 7, 12)
        assert found.p_exact == pytest.approx(18 / 256)
        assert found.p_mid == pytest.approx(10 / 256)
        assert found.difference == pytest.approx(-6 / 21)

    @pytest.mark.parametrize("b", range(12))
    @pytest.mark.parametrize("c", range(12))
    def test_exact_sums(self, b, c):
        found = mcnemar_counts(3, b, c, 4)
        exact, mid = exact_and_mid(b, c)
        assert found.p_exact == pytest.approx(exact, rel=1e-12)
        assert found.p_mid == pytest.approx(mid if b + c else 1.0, rel=1e-12)

    @pytest.mark.parametrize(("b", "c"), [(480, 520), (300, 700), (5, 995), (0, 1000)])
    def test_many_pairs(self, b, c):
        found = mcnemar_counts(0, b, c, 0)
        assert (found.p_exact, found.p_mid) == pytest.approx(exact_and_mid(b, c), rel=1e-9)

    def test_millions_of_pairs_do_not_overflow(self):
        z = 2000 / np.sqrt(2_000_000)
        expected = erfc(z / np.sqrt(2))
        assert mcnemar_counts(0, 1_001_000, 999_000, 0).p_mid == pytest.approx(expected, rel=1e-3)

    def test_the_exact_test_holds_its_level(self):
        for m in range(1, 40):
            reject = [b for b in range(m + 1) if mcnemar_counts(0, b, m - b, 0).p_exact <= 0.05]
            assert sum(comb(m, b) for b in reject) / 2**m <= 0.05

    def test_from_answers(self):
        first, second = [1, 1, 0, 0, 1], [True, False, True, False, False]
        found = mcnemar(first, second)
        assert found[:4] == (1, 2, 1, 1)
        assert found.difference == pytest.approx(0.2)
        assert mcnemar([[1], [0]], np.array([1, 0])).p_exact == 1.0

    @given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 9), st.integers(0, 9))
    def test_laws(self, b, c, both, neither):
        if not b + c + both + neither:
            return
        found = mcnemar_counts(both, b, c, neither)
        mirrored = mcnemar_counts(both, c, b, neither)
        assert 0 < found.p_mid <= found.p_exact <= 1
        assert (mirrored.p_exact, mirrored.p_mid) == (found.p_exact, found.p_mid)
        assert mirrored.difference == -found.difference
        assert mcnemar_counts(0, b, c, 1).p_exact == found.p_exact  # concordant pairs say nothing

    @pytest.mark.parametrize(
        ("first", "second", "error", "message"),
        [
            ([1, 0], [1], ValueError, "2 questions and the second 1"),
            ([[1, 0]], [[1, 0]], ValueError, "paired_difference"),
            ([1, 2], [1, 1], ValueError, "got 2"),
            ([1, None], [1, 1], TypeError, "None"),
            ([], [], ValueError, "empty"),
        ],
    )
    def test_senseless_answers(self, first, second, error, message):
        with pytest.raises(error, match=message):
            mcnemar(first, second)

    @pytest.mark.parametrize(
        ("counts", "error", "message"),
        [
            ((0, 0, 0, 0), ValueError, "all counts are 0"),
            ((1, -1, 0, 0), ValueError, "first_only must be at least 0"),
            ((1, 1.5, 0, 0), TypeError, "first_only must be a whole number"),
            ((1, 1, True, 0), TypeError, "second_only"),
        ],
    )
    def test_senseless_counts(self, counts, error, message):
        with pytest.raises(error, match=message):
            mcnemar_counts(*counts)


class TestPairedDifference:
    def test_by_hand(self):
        first, second = [[1, 1], [1, 0], [0, 0]], [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]]
        found = paired_difference(first, second)
        assert found.first == 0.5
        assert found.second == pytest.approx(1 / 6)
        assert found.difference == pytest.approx(np.mean([0.75, 0.5, -0.25]))
        assert found.interval.low <= found.difference <= found.interval.high

    def test_sign_flips_are_all_signs(self):
        d = np.array([3.0, 1.0, 2.0, -1.0, 4.0, 0.0])
        flips = [abs(np.dot(s, d)) >= abs(d.sum()) for s in product([-1, 1], repeat=len(d))]
        found = paired_difference(d, np.zeros(6), resamples=100_000)
        assert found.p_sign_flip == pytest.approx(np.mean(flips), abs=0.005)

    @pytest.mark.parametrize(("b", "c"), [(9, 1), (12, 5), (4, 4), (1, 0)])
    def test_sign_flips_of_single_answers_are_mcnemars_exact_test(self, b, c):
        first = [1] * b + [0] * c + [1] * 10
        second = [0] * b + [1] * c + [1] * 10
        found = paired_difference(first, second, resamples=50_000)
        assert found.p_sign_flip == pytest.approx(mcnemar(first, second).p_exact, abs=0.007)

    def test_the_bootstraps_p_nears_that_of_the_normal_test(self):
        d = np.random.default_rng(2).normal(0.1, 1.0, 400)
        z = d.mean() / (d.std() / 20)
        normal = 2 * (1 - NormalDist().cdf(abs(z)))
        found = paired_difference(d, np.zeros(400), resamples=50_000)
        assert found.p_bootstrap == pytest.approx(normal, abs=0.01)
        assert found.p_sign_flip == pytest.approx(normal, abs=0.01)

    def test_level_and_coverage_with_several_samples(self):
        generator = np.random.default_rng(4)
        runs, rejected, held = 200, np.zeros(2), 0
        for seed in range(runs):
            share = generator.beta(0.5, 0.5, size=(50, 1))  # both are right equally often
            a, b = (generator.random((50, 3)) < share for _ in "ab")
            found = paired_difference(a, b, resamples=300, rng=seed)
            rejected += [found.p_sign_flip <= 0.05, found.p_bootstrap <= 0.05]
            held += found.interval.low <= 0 <= found.interval.high
        # 5 % of 200 with a standard deviation of 1.5 %.
        assert (rejected / runs <= 0.10).all()
        assert (rejected / runs >= 0.01).all()
        assert 0.90 <= held / runs <= 0.99

    def test_pairs_are_sharper_than_two_separate_models(self):
        hard = np.repeat([0, 1], 100)
        better = hard.copy()
        better[:8] = 1
        found = paired_difference(better, hard)
        assert found.p_sign_flip < 0.02
        assert found.interval.low > 0
        apart = wilson_interval(int(better.sum()), 200)
        assert apart.low < hard.mean() < apart.high

    def test_no_difference_at_all(self):
        found = paired_difference([1, 0, 1], [1, 0, 1])
        assert (found.difference, found.interval) == (0.0, None)
        assert (found.p_bootstrap, found.p_sign_flip) == (1.0, 1.0)

    def test_a_difference_that_is_the_same_everywhere(self):
        found = paired_difference([0.3] * 30, [0.1] * 30, resamples=999)
        assert found.interval is None
        assert found.p_sign_flip < 0.01

    def test_seeds_and_options(self):
        a, b = np.random.default_rng(1).random((2, 20, 3)) < 0.5
        assert paired_difference(a, b, rng=3) == paired_difference(a, b, rng=3)
        found = paired_difference(a, b, interval=percentile_interval, confidence=0.8)
        d = a.mean(axis=1) - b.mean(axis=1)
        assert found.interval == percentile_interval(d, confidence=0.8)
        assert found.confidence == 0.8

    @settings(max_examples=50)
    @given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=12))
    def test_laws(self, pairs):
        first, second = zip(*pairs, strict=True)
        found = paired_difference(first, second, resamples=60)
        mirrored = paired_difference(second, first, resamples=60)
        assert mirrored.difference == -found.difference
        assert 1 / 61 <= found.p_bootstrap <= 1
        assert mirrored.p_sign_flip == found.p_sign_flip
        assert found.difference == pytest.approx(mcnemar(first, second).difference)

    @pytest.mark.parametrize(
        ("first", "second", "options", "error", "message"),
        [
            ([1, 0], [1], {}, ValueError, "2 questions and the second 1"),
            ([], [], {}, ValueError, "first are empty"),
            ([1.0], [float("nan")], {}, ValueError, "second must be finite"),
            ([1], ["1"], {}, TypeError, "second must be numbers"),
            ([1, 0], [1, 1], {"confidence": 95}, ValueError, "confidence"),
            ([1, 0], [1, 1], {"resamples": 0}, ValueError, "resamples"),
        ],
    )
    def test_senseless_arguments(self, first, second, options, error, message):
        with pytest.raises(error, match=message):
            paired_difference(first, second, **options)
