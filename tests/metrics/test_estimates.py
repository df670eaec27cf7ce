"""Accuracy and mean length with their intervals, and the shapes that values come in."""

import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlrewards.metrics import (
    Interval,
    accuracy,
    bca_interval,
    by_question,
    mean_length,
    mean_pass_at_k,
    percentile_interval,
    wilson_interval,
)


class TestAccuracy:
    def test_one_sample_a_question_has_wilsons_interval(self):
        found = accuracy([True] * 18 + [False] * 2)
        assert found.value == 0.9
        assert found.interval == wilson_interval(18, 20)
        assert (found.questions, found.samples, found.method) == (20, 20, "wilson_interval")
        assert accuracy([1, 0], confidence=0.5).interval == wilson_interval(1, 2, 0.5)
        assert accuracy([[1], [0]]) == accuracy([1, 0])

    def test_several_samples_are_clustered_by_question(self):
        right = [[1, 1], [1, 0], [0, 0], [1, 1]]
        found = accuracy(right)
        assert found.value == 0.625
        assert found.interval == bca_interval(right)
        assert (found.questions, found.samples, found.method) == (4, 8, "bca_interval")
        assert accuracy(right, interval=percentile_interval).interval == percentile_interval(right)
        assert found.interval.high - found.interval.low > np.diff(wilson_interval(5, 8))[0]

    def test_questions_weigh_the_same_whatever_their_samples(self):
        assert accuracy([[1] * 98, [0, 0]]).value == 0.5

    def test_a_bootstrap_can_be_asked_for_with_one_sample(self):
        right = [1, 0, 1, 1]
        assert accuracy(right, interval=bca_interval, rng=5).interval == bca_interval(right, rng=5)

    def test_no_spread_is_not_certainty(self):
        assert accuracy([[1, 1]] * 6).interval == wilson_interval(6, 6)
        assert accuracy([[0, 0]] * 6, interval=percentile_interval).interval == wilson_interval(
            0, 6
        )
        assert accuracy([[1, 0]] * 6).interval is None
        assert accuracy([[1, 0]]).interval is None

    def test_it_is_pass_at_1(self):
        right = np.random.default_rng(0).random((9, 5)) < 0.4
        assert accuracy(right) == mean_pass_at_k(right, 1)[1]

    def test_it_reads_well(self):
        found = accuracy([[1, 1], [1, 0], [0, 0], [1, 1]])
        assert str(found).startswith("0.625 (95 % interval 0.")
        assert str(found).endswith(", bca_interval; 4 questions, 8 samples)")
        assert "no interval" in str(accuracy([[1, 0]]))
        assert eval(repr(found), {"Estimate": type(found), "Interval": Interval}) == found
        assert pickle.loads(pickle.dumps(found)) == found

    @pytest.mark.parametrize(
        ("right", "options", "error", "message"),
        [
            ([], {}, ValueError, "empty"),
            ([0.5], {}, ValueError, "got 0.5"),
            ([True, None], {}, TypeError, "None is no opinion"),
            ([1], {"confidence": 0}, ValueError, "confidence"),
            ([[1, 0], [1, 1]], {"confidence": 2}, ValueError, "confidence"),
            ([[1, 0], [1, 1]], {"resamples": 0}, ValueError, "resamples"),
        ],
    )
    def test_senseless_arguments(self, right, options, error, message):
        with pytest.raises(error, match=message):
            accuracy(right, **options)


class TestMeanLength:
    def test_by_hand(self):
        found = mean_length([[10, 20], [60, 60], [30, 30]], resamples=2000)
        assert found.value == 35.0
        assert 15 <= found.interval.low < 35 < found.interval.high <= 60

    def test_a_thousand_lengths_have_the_normal_interval(self):
        lengths = np.random.default_rng(3).integers(100, 900, 1000)
        found = mean_length(lengths)
        half = 1.959964 * lengths.std() / math.sqrt(1000)
        assert found.interval == pytest.approx((found.value - half, found.value + half), rel=0.005)

    def test_equal_lengths_say_nothing_of_their_spread(self):
        assert mean_length([7, 7, 7]).interval is None
        assert mean_length([0, 0]).value == 0

    @pytest.mark.parametrize("lengths", [[3, -1], [[-1.0]], []])
    def test_senseless_lengths(self, lengths):
        with pytest.raises(ValueError, match="negative|empty"):
            mean_length(lengths)


@given(st.lists(st.tuples(st.integers(), st.sampled_from("abc")), max_size=20))
def test_by_question_keeps_order(pairs):
    groups = by_question([v for v, _ in pairs], [q for _, q in pairs])
    keys = list(dict.fromkeys(q for _, q in pairs))
    assert groups == [[v for v, q in pairs if q == key] for key in keys]


def test_columns_of_other_lengths():
    with pytest.raises(ValueError, match="shorter"):
        by_question([1, 2], ["a"])


@pytest.mark.parametrize(
    "right",
    [
        np.array([[True, False], [True, True]]),
        [[True, False], [True, True]],
        ((1, 0), (1, 1)),
        [np.array([1.0, 0.0]), np.array([1, 1])],
        iter([[1, 0], [np.True_, np.int64(1)]]),
    ],
)
def test_every_shape_of_the_same_samples(right):
    assert accuracy(right).value == 0.75


def test_numpy_is_loaded_when_called():
    code = "import sys, rlrewards.metrics; print('numpy' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
