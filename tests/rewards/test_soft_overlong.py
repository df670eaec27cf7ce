import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlrewards import Sample, SoftOverlong


def scores(reward, *lengths):
    return reward([Sample("", token_ids=range(n)) for n in lengths])


def limits():
    return st.integers(1, 200).flatmap(lambda most: st.tuples(st.just(most), st.integers(0, most)))


class TestByHand:
    def test_equation_13(self):
        # L = 100, c = 20: ((100 − 20) − 95) / 20 = −0.75
        reward = SoftOverlong(max_length=100, buffer=20)
        assert scores(reward, 0, 80, 85, 95, 100) == [0.0, 0.0, -0.25, -0.75, -1.0]

    def test_values_of_the_paper(self):
        reward = SoftOverlong(max_length=20480, buffer=4096)
        assert scores(reward, 16384, 18432, 20480) == [0.0, -0.5, -1.0]

    def test_buffer_zero_is_a_step(self):
        assert scores(SoftOverlong(max_length=10, buffer=0), 9, 10, 11) == [0.0, 0.0, -1.0]

    def test_buffer_as_wide_as_the_limit(self):
        assert scores(SoftOverlong(max_length=10, buffer=10), 0, 5, 10) == [0.0, -0.5, -1.0]


class TestMistakesOfOthers:
    def test_there_is_a_floor(self):  # verl 0.9, NeMo-RL and ms-swift 4.6 give −6 here
        assert scores(SoftOverlong(max_length=100, buffer=20), 200) == [-1.0]

    def test_buffer_zero_does_not_divide_by_zero(self):  # NeMo-RL and old verl do
        assert scores(SoftOverlong(max_length=100, buffer=0), 100, 101) == [0.0, -1.0]

    def test_buffer_above_the_limit_is_an_error(self):  # TRL 1.16 punishes a 10-token answer
        with pytest.raises(ValueError, match=r"buffer must be at most max_length \(10\), got 20"):
            SoftOverlong(max_length=10, buffer=20)

    def test_zero_is_not_negative(self):
        assert all(
            math.copysign(1, score) == 1
            for score in scores(SoftOverlong(max_length=9, buffer=3), 0, 6)
        )


class TestParameters:
    @pytest.mark.parametrize(
        ("max_length", "buffer", "error"),
        [
            (0, 0, ValueError),
            (-5, 0, ValueError),
            (10, -1, ValueError),
            (10.0, 2, TypeError),
            (10, 2.0, TypeError),
            (True, 0, TypeError),
            ("10", 2, TypeError),
            (None, 2, TypeError),
        ],
    )
    def test_refused(self, max_length, buffer, error):
        with pytest.raises(error, match=r"SoftOverlong: (max_length|buffer) must be .* got "):
            SoftOverlong(max_length=max_length, buffer=buffer)

    def test_both_are_required(self):
        with pytest.raises(TypeError):
            SoftOverlong(max_length=10)


class TestLaws:
    @given(limits(), st.lists(st.integers(0, 500), min_size=2))
    def test_never_rises_with_the_length(self, limit, lengths):
        max_length, buffer = limit
        found = scores(SoftOverlong(max_length=max_length, buffer=buffer), *sorted(lengths))
        assert found == sorted(found, reverse=True)
        assert all(-1 <= score <= 0 for score in found)

    @given(limits(), st.integers(1, 10**4))
    def test_exact_at_zero_and_at_the_limit_and_constant_beyond(self, limit, more):
        max_length, buffer = limit
        reward = SoftOverlong(max_length=max_length, buffer=buffer)
        at_limit = -1.0 if buffer else 0.0
        assert scores(reward, 0, max_length, max_length + more) == [0.0, at_limit, -1.0]

    @given(limits(), st.integers(0, 400))
    def test_continuous_for_a_buffer(self, limit, n):
        max_length, buffer = limit
        if buffer:  # no step is higher than the slope's
            here, there = scores(SoftOverlong(max_length=max_length, buffer=buffer), n, n + 1)
            assert here - there <= 1 / buffer + 1e-12  # a rounding of either score
