import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlrewards import CosineLength, Sample, Status, Verdict


@dataclass(frozen=True)
class Said:
    """A verifier that takes the verdict from the sample."""

    def verdicts(self, batch):
        return [Verdict(Status(sample.extra["status"])) for sample in batch]


def score(reward, n, status="EQUAL"):
    return reward([Sample("", token_ids=range(n), extra={"status": status})])[0]


def cosine(**parameters):
    return CosineLength(**{"verifier": Said(), "exceed": None} | parameters)


values = st.floats(-100, 100)
pairs = st.tuples(values, values)


class TestByHand:
    def test_correct(self):
        # 1 + (2 − 1)·½(1 + cos(π/3)) = 1.75 a third of the way
        reward = cosine(max_length=300)
        assert [score(reward, n) for n in (0, 100, 150, 300)] == pytest.approx([2, 1.75, 1.5, 1])

    def test_wrong(self):
        # 0 + (−10 − 0)·½(1 + cos(π/3)) = −7.5
        reward = cosine(max_length=300)
        for status in ("DIFFERENT", "NO_ANSWER"):
            found = [score(reward, n, status) for n in (0, 100, 150, 300)]
            assert found == pytest.approx([-10, -7.5, -5, 0])

    def test_example_of_trl(self):
        reward = CosineLength.trl(max_length=100, verifier=Said())
        assert score(reward, 50) == pytest.approx(0.75)
        assert score(reward, 50, "DIFFERENT") == pytest.approx(-0.75)


class TestExceed:
    def test_the_margin_and_the_relation_of_the_authors_code(self):
        reward = cosine(max_length=100, exceed=-10.0)
        assert score(reward, 83) > 1
        assert [score(reward, n) for n in (84, 100, 10**5)] == [-10.0, -10.0, -10.0]

    def test_right_or_wrong(self):
        reward = cosine(max_length=100, exceed=-3.0)
        assert score(reward, 99) == score(reward, 99, "DIFFERENT") == -3.0

    def test_the_papers_relation_is_a_margin_of_zero(self):
        reward = cosine(max_length=100, exceed=-10.0, margin_tokens=0)
        assert score(reward, 99) > 1
        assert score(reward, 100) == -10.0

    def test_none_switches_it_off(self):  # and does not mean 0.0
        assert score(cosine(max_length=100, exceed=None), 100) == 1.0


class TestMistakesOfOthers:
    @pytest.mark.parametrize("times", [2, 4])
    def test_twice_the_limit_does_not_earn_the_best_reward(self, times):
        # open-r1 and ms-swift 4.6 do not clamp: 1.000 where 0.5 is right
        reward = cosine(max_length=100, correct=(1.0, 0.5))
        assert score(reward, 100 * times) == 0.5

    def test_unclamped_is_there_for_comparison(self):
        reward = cosine(max_length=100, correct=(1.0, 0.5), clamp=False)
        assert score(reward, 200) == 1.0

    def test_a_limit_of_zero_is_an_error(self):  # TRL 1.16 divides by zero
        with pytest.raises(ValueError, match=r"max_length must be a whole number >= 1, got 0"):
            cosine(max_length=0)

    def test_characters_are_not_tokens(self):  # open-r1 divides characters by a token limit
        with pytest.raises(ValueError, match=r"CosineLength counts tokens.*token_ids.*length="):
            cosine(max_length=10)([Sample("a b c", extra={"status": "EQUAL"})])

    @pytest.mark.parametrize("status", ["UNDECIDED", "NO_REFERENCE"])
    @pytest.mark.parametrize("n", [0, 50, 99, 500])
    def test_no_opinion_is_not_wrong(self, status, n):
        assert score(cosine(max_length=100, exceed=-10.0), n, status) is None


class TestPresets:
    def test_yeo(self):
        reward = CosineLength.yeo(max_length=100, length="words")
        assert reward == CosineLength(
            max_length=100, correct=(2, 1), wrong=(-10, 0), exceed=-10, length="words"
        )
        assert reward.bounds == (-10.0, 2.0)

    def test_trl(self):
        reward = CosineLength.trl(max_length=100)
        assert (reward.correct, reward.wrong, reward.exceed) == ((1.0, 0.5), (-1.0, -0.5), None)


class TestParameters:
    @pytest.mark.parametrize(
        ("parameters", "error", "message"),
        [
            ({"max_length": -1}, ValueError, "max_length must be a whole number >= 1"),
            ({"max_length": 10.5}, TypeError, "max_length must be a whole number"),
            ({"correct": (1.0,)}, TypeError, "correct must be .score at length 0"),
            ({"correct": 1.0}, TypeError, "correct must be"),
            ({"wrong": ("a", "b")}, TypeError, "wrong must be"),
            ({"wrong": (math.nan, 0.0)}, ValueError, "both must be finite"),
            ({"exceed": math.inf}, ValueError, "exceed must be a finite number"),
            ({"exceed": "no"}, TypeError, "exceed must be a finite number"),
            ({"margin_tokens": -1}, ValueError, "margin_tokens must be a whole number >= 0"),
            ({"max_length": 16, "exceed": -10.0}, ValueError, r"margin_tokens must be less than"),
            ({"clamp": 1}, TypeError, "clamp must be True or False"),
            ({"length": "letters"}, ValueError, "allowed"),
        ],
    )
    def test_refused(self, parameters, error, message):
        with pytest.raises(error, match=message):
            cosine(**{"max_length": 100} | parameters)

    def test_a_list_becomes_a_tuple(self):
        assert hash(cosine(max_length=9, correct=[1, 0])) == hash(
            cosine(max_length=9, correct=(1.0, 0.0))
        )


class TestLaws:
    @given(st.integers(1, 300), st.lists(st.integers(0, 700), min_size=2))
    def test_monotone_in_the_length(self, max_length, lengths):
        reward = cosine(max_length=max_length)
        right = [score(reward, n) for n in sorted(lengths)]
        wrong = [score(reward, n, "DIFFERENT") for n in sorted(lengths)]
        assert right == sorted(right, reverse=True)
        assert wrong == sorted(wrong)

    @given(pairs, pairs, st.integers(1, 300), st.integers(1, 10**5))
    def test_exact_at_the_ends_and_constant_beyond(self, correct, wrong, max_length, more):
        reward = cosine(max_length=max_length, correct=correct, wrong=wrong)
        for status, (empty, full) in (("EQUAL", correct), ("DIFFERENT", wrong)):
            found = [score(reward, n, status) for n in (0, max_length, max_length + more)]
            assert found == [empty, full, full]

    @given(pairs, st.integers(1, 300), st.integers(0, 600))
    def test_inside_the_pair(self, correct, max_length, n):
        found = score(cosine(max_length=max_length, correct=correct), n)
        assert min(correct) <= found <= max(correct)

    @given(st.integers(1, 300), st.integers(0, 600))
    def test_continuous(self, max_length, n):
        reward = cosine(max_length=max_length, correct=(1.0, 0.0))
        # the steepest slope of ½(1 + cos πx) is π/2
        steepest = math.pi / 2 / max_length + 1e-12  # a rounding of either score
        assert abs(score(reward, n) - score(reward, n + 1)) <= steepest

    @given(st.integers(17, 300), st.integers(0, 600), st.sampled_from(["EQUAL", "DIFFERENT"]))
    def test_exceed_changes_nothing_below_its_margin(self, max_length, n, status):
        found = score(cosine(max_length=max_length, exceed=-10.0), n, status)
        without = score(cosine(max_length=max_length), n, status)
        assert found == (without if n < max_length - 16 else -10.0)
