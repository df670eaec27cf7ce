"""Bootstrap intervals: against all resamples, in coverage, seeded, on hostile input."""

from itertools import product
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlrewards.metrics import bca_interval, percentile_interval, wilson_interval
from rlrewards.metrics.bootstrap import _level, blocks, resampled_means

INTERVALS = [percentile_interval, bca_interval]
SKEWED = [1.0, 2.0, 4.0, 8.0, 30.0]


def every_resample(values):
    return np.array([np.mean(draw) for draw in product(values, repeat=len(values))])


def test_percentiles_of_all_resamples():
    exact = np.quantile(every_resample(SKEWED), [0.05, 0.95])
    found = percentile_interval(SKEWED, confidence=0.9, resamples=200_000)
    assert found == pytest.approx(tuple(exact), rel=0.02)


def test_bca_of_all_resamples_with_a_jackknife_written_out():
    normal, means, theta = NormalDist(), every_resample(SKEWED), np.mean(SKEWED)
    left_out = np.array([np.mean(SKEWED[:i] + SKEWED[i + 1 :]) for i in range(len(SKEWED))])
    off = left_out.mean() - left_out
    a = (off**3).sum() / (6 * (off**2).sum() ** 1.5)
    z0 = normal.inv_cdf((means < theta).mean() + (means == theta).mean() / 2)
    shifted = [z0 + normal.inv_cdf(level) for level in (0.05, 0.95)]
    levels = [normal.cdf(z0 + s / (1 - a * s)) for s in shifted]
    exact = np.quantile(means, levels)
    found = bca_interval(SKEWED, confidence=0.9, resamples=200_000)
    assert found == pytest.approx(tuple(exact), rel=0.02)
    assert found.low > percentile_interval(SKEWED, confidence=0.9).low  # it moves to the long tail


def test_a_symmetric_mean_needs_no_correction():
    values = [-3.0, -1.0, 0.0, 1.0, 3.0] * 10
    plain = percentile_interval(values, resamples=50_000)
    assert bca_interval(values, resamples=50_000) == pytest.approx(
        plain, abs=0.021
    )  # one step of the mean
    assert plain.high == pytest.approx(1.95996 * np.std(values) / np.sqrt(50), rel=0.03)


def sampled(generator, questions=40, samples=4):
    """Questions that are easy or hard, so that samples of one go together; the mean is ½."""
    share = generator.beta(0.4, 0.4, size=(questions, 1))
    return generator.random((questions, samples)) < share


@pytest.mark.parametrize("interval", INTERVALS)
def test_coverage_over_questions(interval):
    generator = np.random.default_rng(11)
    runs = 300
    held = naive = 0
    for seed in range(runs):
        right = sampled(generator)
        low, high = interval(right, resamples=400, rng=seed)
        held += low <= 0.5 <= high
        low, high = wilson_interval(int(right.sum()), right.size)
        naive += low <= 0.5 <= high
    # 95 % of 300 with a standard deviation of 1.3 %, and a few questions make it a bit narrow.
    assert 0.91 <= held / runs <= 0.98
    assert naive / runs < 0.85, "samples of a question are not independent"


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("values", [[0.25] * 9 + [0.75] * 20, list(np.linspace(0, 5, 30))])
def test_both_ways_to_draw_and_the_blocks_are_the_same_distribution(interval, values, monkeypatch):
    whole = interval(values, resamples=20_000, rng=1)
    monkeypatch.setattr("rlrewards.metrics.bootstrap._DRAWS", 100)
    assert interval(values, resamples=20_000, rng=2) == pytest.approx(whole, abs=0.08)


def test_both_ways_to_draw_have_the_same_moments():
    few = np.repeat([0.0, 1.0], [30, 70])  # drawn as counts
    many = few + np.linspace(0, 1e-9, 100)  # drawn one by one
    for values in (few, many):
        means = resampled_means(values, 20_000, 5)
        assert means.mean() == pytest.approx(0.7, abs=0.002)
        assert means.std() == pytest.approx(np.sqrt(0.7 * 0.3 / 100), rel=0.02)


@pytest.mark.parametrize("interval", INTERVALS)
def test_the_same_seed_gives_the_same_interval_and_no_global_state_is_used(interval):
    values = np.random.default_rng(0).random(30)
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    first = interval(values, rng=3)
    assert interval(values, rng=3) == first
    assert interval(values, rng=np.random.default_rng(3)) == first
    assert interval(values, rng=4) != first
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


@settings(max_examples=60)
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20),
    st.floats(0.01, 0.999),
    st.sampled_from(INTERVALS),
)
def test_laws(values, confidence, interval):
    low, high = interval(values, confidence=confidence, resamples=50)
    slack = 1e-9 * max(map(abs, values))
    assert min(values) - slack <= low <= high <= max(values) + slack
    mean = sum(values) / len(values)
    if len(set(values)) == 1:
        assert (low, high) == pytest.approx((mean, mean))


@pytest.mark.parametrize("interval", INTERVALS)
def test_samples_of_a_question_count_with_their_mean(interval):
    assert interval([[0, 1], [1, 1], [0, 0, 0]]) == interval([0.5, 1.0, 0.0])


def test_levels_beyond_the_correction_are_the_ends():
    assert _level(0.0, 0.5, 1 - 1e-6) == 1.0
    assert _level(0.0, -0.5, 1e-6) == 0.0


def test_blocks_cover_everything():
    assert list(blocks(5, 1 << 20)) == [2, 2, 1]
    assert list(blocks(3, 1 << 40)) == [1, 1, 1]


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize(
    ("values", "options", "error", "message"),
    [
        ([], {}, ValueError, "empty"),
        ([1.0, float("inf")], {}, ValueError, "finite"),
        ([1.0, None], {}, TypeError, "None is no opinion"),
        ([1.0, 2.0], {"confidence": 1.0}, ValueError, "between 0 and 1"),
        ([1.0, 2.0], {"confidence": float("nan")}, ValueError, "between 0 and 1"),
        ([1.0, 2.0], {"resamples": 0}, ValueError, "resamples must be at least 1"),
        ([1.0, 2.0], {"resamples": 1e3}, TypeError, "resamples must be a whole number"),
    ],
)
def test_senseless_arguments(interval, values, options, error, message):
    with pytest.raises(error, match=message):
        interval(values, **options)
