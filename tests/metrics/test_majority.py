"""maj@k: by hand, at its limits, and against all subsets, ties and silence included."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlrewards.metrics import maj_at_k, mean_maj_at_k


def by_all_subsets(answers, right, k):
    """The definition, one subset after the other; a winner is a random sample that gave it."""
    shares = {}
    for answer in {*answers} - {None}:
        truths = [r for a, r in zip(answers, right, strict=True) if a == answer]
        shares[answer] = sum(truths) / len(truths)
    total = []
    for subset in combinations(answers, k):
        votes = Counter(a for a in subset if a is not None)
        winners = [a for a in votes if votes[a] == max(votes.values())]
        total.append(sum(shares[a] for a in winners) / len(winners) if winners else 0.0)
    return sum(total) / len(total)


def test_by_hand():
    answers, right = ["4", "4", "5"], [True, True, False]
    # Pairs: 4 4 wins; 4 5 twice, a tie each: (1 + ½ + ½)/3.
    assert maj_at_k(answers, right, 2) == pytest.approx(2 / 3)
    # Two silent samples and a right one: the pair of the silent ones is lost.
    assert maj_at_k([None, None, "4"], [False, False, True], 2) == pytest.approx(2 / 3)


@settings(max_examples=300)
@given(st.data())
def test_all_subsets(data):
    answers = data.draw(st.lists(st.sampled_from("abcd") | st.none(), min_size=1, max_size=9))
    right = data.draw(st.lists(st.booleans(), min_size=len(answers), max_size=len(answers)))
    k = data.draw(st.integers(1, len(answers)))
    expected = by_all_subsets(answers, right, k)
    assert maj_at_k(answers, right, k) == pytest.approx(expected, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("counts", [(9, 2, 1), (3, 3, 3, 3), (1,) * 12, (8, 4), (5, 5, 2)])
def test_large_and_even_groups(counts):
    answers = [str(a) for a, count in enumerate(counts) for _ in range(count)]
    right = [answer == "0" for answer in answers]
    for k in range(1, len(answers) + 1):
        expected = by_all_subsets(answers, right, k)
        assert maj_at_k(answers, right, k) == pytest.approx(expected, rel=1e-12), k


def test_beyond_what_floats_can_count():
    # C(1200, 600) is too large for a float. Two equal halves win half of the time.
    answers = ["a", "b"] * 600
    right = [True, False] * 600
    for k in (1, 2, 601, 1199, 1200):
        assert maj_at_k(answers, right, k) == pytest.approx(0.5, rel=1e-9)
    few = [True] * 500 + [False] * 700
    for k in (1, 1200):
        expected = 500 / 1200 if k == 1 else 0.0
        assert maj_at_k(few, few, k) == pytest.approx(expected, rel=1e-10)


def test_both_ways_to_count_agree(monkeypatch):
    from rlrewards.metrics import majority

    answers = list("aaaabbbccd") + [None] * 3
    right = [answer in ("b", "d") for answer in answers]
    ks = range(1, len(answers) + 1)
    counted = [maj_at_k(answers, right, k) for k in ks]
    monkeypatch.setattr(majority, "_CHOICES_FIT", 0)
    majority._ways.cache_clear()
    assert [maj_at_k(answers, right, k) for k in ks] == pytest.approx(counted, rel=1e-12)
    majority._ways.cache_clear()


@given(st.lists(st.sampled_from("abc") | st.none(), min_size=1, max_size=30), st.randoms())
def test_laws(answers, random):
    right = [answer == "a" for answer in answers]
    n = len(answers)
    assert maj_at_k(answers, right, 1) == pytest.approx(sum(right) / n)
    votes = Counter(answer for answer in answers if answer is not None)
    winners = [a for a in votes if votes[a] == max(votes.values())]
    share = (1 / len(winners)) if "a" in winners else 0.0
    assert maj_at_k(answers, right, n) == pytest.approx(share)
    pairs = list(zip(answers, right, strict=True))
    random.shuffle(pairs)
    k = random.randint(1, n)
    value = maj_at_k(answers, right, k)
    assert 0 <= value <= 1
    assert maj_at_k(*zip(*pairs, strict=True), k) == pytest.approx(value)
    assert maj_at_k(answers, [a is not None for a in answers], n) == float(bool(votes))
    assert maj_at_k(answers, [False] * n, k) == 0


def test_an_equality_of_ones_own():
    answers, right = ["0.5", "1/2", "3", "3.0"], [True, True, False, False]

    def same(one, other):
        value = {"1/2": 0.5}
        return float(value.get(one, one)) == float(value.get(other, other))

    assert maj_at_k(answers, right, 4) == 0.5  # four texts tie, and two are right
    assert maj_at_k([*answers, "0.5"], [*right, True], 5, same=same) == 1.0
    unhashable = [[1], [1], [2]]
    assert maj_at_k(unhashable, [1, 1, 0], 3, same=lambda a, b: a == b) == 1.0


class TestMean:
    def test_it_is_the_mean_of_the_questions(self):
        answers = [["a", "b", "a"], ["a", None, None, "c"]]
        right = [[1, 0, 1], [0, 0, 0, 1]]
        found = mean_maj_at_k(answers, right)
        assert list(found) == [1, 2, 3]
        for k, estimate in found.items():
            each = [maj_at_k(a, r, k) for a, r in zip(answers, right, strict=True)]
            assert estimate.value == pytest.approx(np.mean(each))
            assert (estimate.questions, estimate.samples) == (2, 7)

    def test_a_sure_vote_has_an_interval_with_width(self):
        found = mean_maj_at_k([["a", "b"]] * 4, [[1, 1]] * 4, 2)[2]
        assert found.value == 1.0
        assert found.method == "wilson_interval"

    @pytest.mark.parametrize(
        ("answers", "right", "k", "error", "message"),
        [
            ([["a"]], [[1, 0]], 1, ValueError, "answers have groups of 1 samples, and right of 2"),
            ([["a"]] * 9, [[1]] * 8, 1, ValueError, "of 1, 1, 1, 1, 1, …"),
            ([], [], 1, ValueError, "empty"),
            ([["a"]], [[1]], 2, ValueError, r"1\.\.1"),
            ([[{}]], [[1]], 1, TypeError, "unhashable"),
            ([["a"]], [[None]], 1, TypeError, "None is no opinion"),
        ],
    )
    def test_hostile_input(self, answers, right, k, error, message):
        with pytest.raises(error, match=message):
            mean_maj_at_k(answers, right, k)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((["a"], [1, 0], 1), ValueError, "1 answers and 2 values"),
        (([], [], 1), ValueError, "no sample"),
        ((["a"], [1], 2), ValueError, r"1\.\.1"),
        ((["a"], [1], 0), ValueError, "k must"),
        ((["a"], [1], [1]), TypeError, "k must be a whole number"),
        ((["a"], [1], 1.0), TypeError, "k must be a whole number"),
    ],
)
def test_senseless_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        maj_at_k(*arguments)
