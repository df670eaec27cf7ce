from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlrewards import GroupLength, Sample, Status, Verdict


@dataclass(frozen=True)
class Said:
    """A verifier that takes the verdict from the sample."""

    def verdicts(self, batch):
        return [Verdict(Status(sample.extra["status"])) for sample in batch]


def sample(n, status="EQUAL", group="p", **fields):
    return Sample("", token_ids=range(n), group=group, extra={"status": status}, **fields)


reward = GroupLength(verifier=Said())

samples = st.builds(
    sample,
    st.integers(0, 50),
    st.sampled_from(["EQUAL", "DIFFERENT", "NO_ANSWER", "UNDECIDED", "NO_REFERENCE"]),
    st.sampled_from(["p", "q", 3]),
)


class TestByHand:
    def test_correct(self):
        # λ = ½ − (n − 10) / (50 − 10)
        assert reward([sample(10), sample(20), sample(50)]) == [0.5, 0.25, -0.5]

    def test_wrong_is_never_rewarded(self):
        batch = [sample(10, "DIFFERENT"), sample(30, "NO_ANSWER"), sample(50, "DIFFERENT")]
        assert reward(batch) == [0.0, 0.0, -0.5]

    def test_an_open_verdict_scores_none_and_counts_in_the_range(self):
        batch = [sample(10), sample(20), sample(50, "UNDECIDED"), sample(0, "NO_REFERENCE")]
        assert reward(batch) == [0.5 - 10 / 50, 0.5 - 20 / 50, None, None]


class TestLimits:
    def test_equal_lengths(self):
        assert reward([sample(7), sample(7, "DIFFERENT"), sample(7)]) == [0.0, 0.0, 0.0]

    def test_alone_and_empty(self):
        assert reward([sample(7)]) == [0.0]
        assert reward([]) == []


class TestGroups:
    def test_the_range_is_the_groups_own(self):
        # open-r1 takes the range over the whole call: [.5, .495, .003, −.5] for two prompts
        batch = [sample(10), sample(20), sample(1000, group="q"), sample(2000, group="q")]
        assert reward(batch) == [0.5, -0.5, 0.5, -0.5]

    def test_the_prompt_stands_in_for_the_group(self):
        batch = [
            sample(n, group=None, prompt=p) for n, p in [(1, "a"), (3, "b"), (2, "a"), (4, "b")]
        ]
        assert reward(batch) == [0.5, 0.5, -0.5, -0.5]

    def test_a_prompt_is_not_a_group_of_that_name(self):
        assert reward([sample(1, group="a"), sample(2, group=None, prompt="a")]) == [0.0, 0.0]

    def test_the_group_wins_over_the_prompt(self):
        batch = [sample(1, group=1, prompt="a"), sample(3, group=1, prompt="b")]
        assert reward(batch) == [0.5, -0.5]

    def test_neither_is_an_error(self):
        with pytest.raises(ValueError, match=r"sample 1 of the batch has neither group nor prompt"):
            reward([sample(1), sample(1, group=None)])

    def test_it_says_that_it_is_grouped(self):
        assert reward.grouped
        assert (0.5 * reward).grouped


class TestLaws:
    @given(st.lists(samples))
    def test_bounds_and_signs(self, batch):
        for given_sample, score in zip(batch, reward(batch), strict=True):
            status = given_sample.extra["status"]
            if status in ("UNDECIDED", "NO_REFERENCE"):
                assert score is None
            else:
                assert -0.5 <= score <= (0.5 if status == "EQUAL" else 0.0)

    @given(st.lists(st.integers(0, 100), min_size=2, unique=True), st.integers(0, 1000))
    def test_only_the_difference_of_lengths_counts(self, lengths, more):
        there = [sample(n) for n in lengths]
        assert reward(there) == reward([sample(n + more) for n in lengths])

    @given(st.lists(samples))
    def test_groups_do_not_see_each_other(self, batch):
        whole = reward(batch)
        for group in {s.group for s in batch}:
            rows = [i for i, s in enumerate(batch) if s.group == group]
            assert [whole[i] for i in rows] == reward([batch[i] for i in rows])
