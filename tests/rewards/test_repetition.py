import math
import random
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlrewards import DenseRepetition, RepetitionPenalty, Sample, dense_repetition
from rlrewards.rewards import repetition


def penalty(units, **parameters):
    if isinstance(units, str):
        return RepetitionPenalty(**parameters)([Sample(units)])[0]
    reward = RepetitionPenalty(unit="tokens", **parameters)
    return reward([Sample("", token_ids=units)])[0]


def repeated_share(units, n):
    """What the definition says, by a set of tuples."""
    grams = list(zip(*(units[i:] for i in range(n)), strict=False))
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def algorithm_1(units, n, value):
    """App. C.2, Algorithm 1, line by line."""
    seen, stream = set(), [0.0] * len(units)
    for j in range(len(units) - n + 1):
        gram = tuple(units[j : j + n])
        if gram in seen:
            stream[j : j + n] = [value] * n
        seen.add(gram)
    return stream


# Few different units, many repetitions; and ids that do not fit when several are packed into one.
few = st.lists(st.integers(0, 3), max_size=60)
wide = st.lists(
    st.sampled_from([0, 1, -7, 151_935, 2**31, 2**40, 2**63 - 1, -(2**63)]), max_size=60
)
ids = few | wide
sizes = st.integers(1, 12) | st.sampled_from([31, 32, 33, 40])
cells = st.sampled_from(
    ["a", "A", "b", "é", "É", "\x00", "\x00\x00", "\ud800", "x" * 15, "X" * 16, "y" * 40]
)
spaces = st.sampled_from([" ", "\n", "\t ", "\x1c", "\x85", "\xa0", "\u3000", "\u2028"])


class TestByHand:
    def test_words(self):
        # a b c | b c a | c a b | a b c: one of four 3-grams stood before
        assert penalty("a b c a b c") == -0.25

    def test_words_are_folded_in_case(self):
        assert penalty("A a a a", n=1) == -0.75
        assert penalty([65, 97, 97, 97], n=1) == -0.5  # and token ids are not

    def test_tokens(self):
        assert penalty([5, 5, 5, 5, 5], n=2) == -0.75
        assert penalty([1, 2, 3, 4], n=2) == 0.0

    def test_max_penalty(self):
        assert penalty("a b c a b c", max_penalty=-4.0) == -1.0
        assert penalty("a b c a b c", max_penalty=0.0) == 0.0

    def test_threshold(self):
        # ρ = ¾ of the 1-grams: (¾ − ½) / (1 − ½) = ½
        assert penalty("a a a a", n=1, threshold=0.5) == -0.5
        assert penalty("a a a a", n=1, threshold=0.75) == 0.0
        assert penalty("a a a a", n=1, threshold=0.9) == 0.0

    def test_doubling_can_lower_it_for_n_of_four(self):
        text = " ".join("aaaaaaaaaab")
        assert penalty(text, n=4) == -0.75  # 8 4-grams: aaaa six times more, aaab
        assert penalty(f"{text} {text}", n=4) == pytest.approx(-14 / 19)


class TestMistakesOfOthers:
    @pytest.mark.parametrize("n", [1, 3, 40])
    def test_fewer_units_than_n(self, n):  # the code of Yeo et al. divides by zero
        for units in ("", "a " * (n - 1), [], [1] * (n - 1)):
            assert penalty(units, n=n) == 0.0

    def test_n_of_zero_is_an_error(self):  # TRL 1.16 divides by zero
        for build in (RepetitionPenalty, DenseRepetition):
            with pytest.raises(ValueError, match=r"n must be a whole number >= 1, got 0"):
                build(n=0)
        with pytest.raises(ValueError, match=r"n must be a whole number >= 1, got 0"):
            dense_repetition([1, 2], n=0)

    def test_zero_is_not_negative(self):  # open-r1 returns −0.0
        found = [penalty("a b c d"), penalty(""), penalty("a a a a", max_penalty=-0.0)]
        found += [penalty([1, 2, 3]), penalty([1] * 9, max_penalty=-0.0)]
        found += DenseRepetition(n=2)([Sample("", token_ids=[1, 2, 3])])
        found += DenseRepetition(n=2, penalty=-0.0)([Sample("", token_ids=[1] * 9)])
        found += dense_repetition([1] * 9, n=2, penalty=-0.0).tolist()
        assert [math.copysign(1, score) for score in found if score == 0] == [1.0] * len(found)

    def test_the_unit_is_named(self):
        with pytest.raises(ValueError, match=r"unit='chars'; allowed: words, tokens"):
            RepetitionPenalty(unit="chars")

    def test_words_do_not_turn_into_tokens(self):
        sample = Sample("a b c a b c", token_ids=[1, 2, 3, 4])
        assert RepetitionPenalty()([sample]) == [-0.25]


class TestDenseByHand:
    def test_set_and_not_added(self):
        # the 2-grams at 1, 2 and 3 repeat the one at 0; their tokens are punished once
        assert dense_repetition([7, 7, 7, 7, 7], n=2, penalty=-0.5).tolist() == [
            0,
            -0.5,
            -0.5,
            -0.5,
            -0.5,
        ]

    def test_all_n_tokens(self):
        found = dense_repetition([1, 2, 3, 9, 1, 2, 3, 4], n=3, penalty=-0.05)
        assert found.tolist() == [0, 0, 0, 0, -0.05, -0.05, -0.05, 0]
        assert found.dtype == np.float64

    def test_values_of_the_paper(self):
        once = list(range(40))
        found = dense_repetition([*once, *once])
        assert found.tolist() == [0.0] * 40 + [-0.05] * 40
        assert dense_repetition([*once, *once[:39]]).tolist() == [0.0] * 79

    def test_as_a_reward(self):
        reward = DenseRepetition(n=2, penalty=-0.5)
        batch = [Sample("", token_ids=[7, 8, 9, 7, 8]), Sample("", token_ids=[])]
        assert reward(batch) == [-1.0, 0.0]
        assert [row.tolist() for row in reward.dense(batch)] == [[0, 0, 0, -0.5, -0.5], []]
        assert reward.bounds == (-math.inf, 0.0)

    def test_in_a_stack(self):
        reward = DenseRepetition(n=2, penalty=-0.5, gamma=0.9)
        scores = (1.0 * reward).score([Sample("", token_ids=[7, 8, 7, 8])])
        assert scores.dense["dense_repetition"][0].tolist() == [0, 0, -0.5, -0.5]
        assert scores.gammas == {"dense_repetition": 0.9}

    def test_a_stream_belongs_to_its_caller(self):
        reward, sample = DenseRepetition(n=1), Sample("", token_ids=[1, 1])
        reward.dense([sample])[0][:] = 9.0
        assert reward.dense([sample])[0].tolist() == [0.0, -0.05]


class TestTokenIds:
    @pytest.mark.parametrize(
        "reward", [RepetitionPenalty(unit="tokens"), DenseRepetition()], ids=repr
    )
    def test_without_them(self, reward):
        with pytest.raises(ValueError, match=r"compares tokens, and sample 1 .* has no token_ids"):
            reward([Sample("a", token_ids=[1]), Sample("a")])

    def test_dense_without_them(self):
        with pytest.raises(ValueError, match=r"sample 0 of the batch has no token_ids"):
            DenseRepetition().dense([Sample("a")])

    @pytest.mark.parametrize("make", [tuple, np.array, lambda ids: np.array(ids, dtype=np.int32)])
    def test_other_sequences(self, make):
        assert penalty(make([5, 5, 5, 5, 5]), n=2) == -0.75
        assert penalty(range(5), n=2) == penalty(make([]), n=2) == 0.0

    @pytest.mark.parametrize("wrong", [[1.5, 2.5], ["a", "b"], [2**64, 1], [None], np.array([1.5])])
    def test_no_whole_numbers(self, wrong):
        with pytest.raises(TypeError, match=r"token_ids must be whole numbers of at most 64 bits"):
            penalty(wrong, n=1)


class TestParameters:
    @pytest.mark.parametrize(
        ("parameters", "error", "message"),
        [
            ({"n": -1}, ValueError, "n must be a whole number >= 1"),
            ({"n": 3.0}, TypeError, "n must be a whole number"),
            ({"max_penalty": 1.0}, ValueError, "max_penalty must be a finite number <= 0, got 1.0"),
            ({"max_penalty": -math.inf}, ValueError, "max_penalty must be a finite number"),
            ({"threshold": 1.0}, ValueError, "threshold must be below 1"),
            ({"threshold": -0.1}, ValueError, "threshold must be a finite number >= 0 <= 1"),
            ({"threshold": "0"}, TypeError, "threshold must be"),
        ],
    )
    def test_penalty(self, parameters, error, message):
        with pytest.raises(error, match=message):
            RepetitionPenalty(**parameters)

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"penalty": 0.05}, "penalty must be a finite number <= 0"),
            ({"gamma": 1.01}, "gamma must be"),
            ({"gamma": math.nan}, "gamma must be"),
        ],
    )
    def test_dense(self, parameters, message):
        with pytest.raises(ValueError, match=message):
            DenseRepetition(**parameters)


class TestAgainstTheDefinition:
    @given(ids, sizes)
    def test_tokens(self, units, n):
        assert penalty(units, n=n) == pytest.approx(-repeated_share(units, n), abs=1e-15)

    @given(st.lists(st.tuples(cells, spaces)), st.integers(1, 4))
    def test_words(self, pairs, n):
        text = "".join(cell + space for cell, space in pairs)
        expected = -repeated_share(text.lower().split(), n)
        assert penalty(text, n=n) == pytest.approx(expected, abs=1e-15)

    @given(ids, sizes)
    def test_dense(self, units, n):
        assert dense_repetition(units, n, -0.5).tolist() == algorithm_1(units, n, -0.5)

    def test_ids_too_wide_to_pack_three_of_them(self):
        # packed all the same, the first of three would wrap around: 4·2⁶² is 0 in 64 bits
        assert penalty([0, 5, 6, 4, 5, 6, 2**31 - 1]) == 0.0

    @pytest.mark.parametrize("n", [1, 2, 3, 7, 40, 300])
    @pytest.mark.parametrize("vocabulary", [1, 2, 60, 151_936])
    def test_long_ones(self, n, vocabulary):
        draw = random.Random(n)
        units = [draw.randrange(vocabulary) for _ in range(3000)]
        units += units[500:1500]
        assert penalty(units, n=n) == pytest.approx(-repeated_share(units, n), abs=1e-15)
        assert dense_repetition(units, n, -1.0).tolist() == algorithm_1(units, n, -1.0)


class TestLongTexts:
    """Texts long enough for the numbering that makes no word objects."""

    @given(st.lists(st.tuples(cells, spaces)), st.integers(1, 4))
    def test_same_classes(self, pairs, n):
        text = "".join(cell + space for cell, space in pairs) * 3
        numbers = repetition._numbers_of_bytes(text.lower())
        words = text.lower().split()
        assert numbers is not None
        assert len(numbers) == len(words)
        assert len({*zip(numbers.tolist(), words, strict=True)}) == len({*words})
        assert len({*numbers.tolist()}) == len({*words})

    def test_words_that_mix_to_the_same_number_are_told_apart(self, monkeypatch):
        draw = random.Random(0)
        text = " ".join(draw.choice(["alpha", "beta", "gammagammagamma"]) for _ in range(2000))
        expected = penalty(text)
        monkeypatch.setattr(repetition, "_MIX", (0, 0))  # now all of them do
        assert repetition._numbers_of_bytes(text) is None
        assert penalty(text) == expected == pytest.approx(-repeated_share(text.split(), 3))

    def test_words_of_one_length_too(self, monkeypatch):
        monkeypatch.setattr(repetition, "_MIX", (0, 0))
        assert repetition._numbers_of_bytes("alpha gamma") is None  # by their first eight bytes
        assert repetition._numbers_of_bytes("redundancy redundants") is None  # by their next
        assert repetition._numbers_of_bytes("alpha alpha").tolist() == [0, 0]

    def test_numbered_words_do_not_mix_to_the_same_number(self):
        assert repetition._numbers_of_bytes(" ".join(f"word{i}" for i in range(5000))) is not None

    def test_real_prose(self):
        text = " ".join(f"word{i * i % 997} and {'x' * (i % 23)}\u00e9" for i in range(4000))
        assert penalty(text) == pytest.approx(-repeated_share(text.split(), 3), abs=1e-15)


class TestLaws:
    @given(few, st.integers(1, 5))
    def test_zero_exactly_when_all_differ(self, units, n):
        grams = [tuple(units[i : i + n]) for i in range(len(units) - n + 1)]
        assert (penalty(units, n=n) == 0) == (len(set(grams)) == len(grams))

    @given(few, st.integers(1, 5), st.permutations(range(4)), st.integers(-(10**6), 10**6))
    def test_relabelling(self, units, n, names, more):
        other = [names[unit] * 1009 + more for unit in units]
        assert penalty(other, n=n) == penalty(units, n=n)
        assert dense_repetition(other, n).tolist() == dense_repetition(units, n).tolist()

    @given(few, st.integers(1, 3))
    def test_said_twice_is_never_less_repetitive(self, units, n):
        # the cross products of the counts are compared, so that no rounding decides
        total, double = len(units) - n + 1, 2 * len(units) - n + 1
        if total > 0:
            once = round(-penalty(units, n=n) * total)
            twice = round(-penalty(units * 2, n=n) * double)
            assert twice * total >= once * double

    @given(ids, sizes)
    def test_dense_sums_to_zero_exactly_when_the_scalar_is_zero(self, units, n):
        total = DenseRepetition(n=n)([Sample("", token_ids=units)])[0]
        assert (total == 0) == (penalty(units, n=n) == 0)
        assert total == pytest.approx(dense_repetition(units, n).sum())

    @given(few, st.integers(1, 5), st.floats(0, 0.99), st.floats(0, 0.99))
    def test_a_higher_threshold_never_punishes_more(self, units, n, one, other):
        low, high = sorted([one, other])
        assert -1 <= penalty(units, n=n, threshold=low) <= penalty(units, n=n, threshold=high) <= 0


@pytest.mark.parametrize(
    "text",
    [
        "a" * 10**6,
        "a " * 500_000,
        "\ud800 " * 300_000,
        "\x00" * 10**6,
        " " * 10**6,
        "é\u3000" * 300_000,
    ],
    ids=["one word", "one word often", "surrogates", "NUL", "blank", "wide spaces"],
)
def test_hostile_texts(text):
    assert penalty(text) == pytest.approx(-repeated_share(text.lower().split(), 3))
    assert -0.05 * len(text) <= dense_repetition([*map(ord, text)]).sum() <= 0


def test_numpy_is_loaded_at_first_use():
    code = (
        "import sys; from rlrewards import DenseRepetition, RepetitionPenalty, dense_repetition;"
        "RepetitionPenalty(), DenseRepetition(); assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
