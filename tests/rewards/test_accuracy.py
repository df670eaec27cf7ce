"""Accuracy and choice accuracy: a score for every verdict, and None only where it is nobody's fault."""

from __future__ import annotations

import math
import pickle

import pytest

import rlrewards as rr


class TestAccuracy:
    @pytest.mark.parametrize(
        ("completion", "reference", "score"),
        [
            (r"\boxed{4}", "4", 1.0),
            (r"\boxed{5}", "4", 0.0),
            ("no idea", "4", 0.0),
            ("", "4", 0.0),
            (r"\boxed{4}", None, None),
            (r"\boxed{4}", "", None),
            (r"\boxed{\text{a dog}}", "a cat", None),
            (r"\boxed{5}", ("4", "5"), 1.0),
        ],
    )
    def test_scores(self, completion, reference, score):
        assert rr.Accuracy()([rr.Sample(completion, reference=reference)]) == [score]

    def test_own_values(self):
        reward = rr.Accuracy(correct=2.0, wrong=-1.0, undecided=-0.5)
        batch = [
            rr.Sample(r"\boxed{4}", reference="4"),
            rr.Sample("?", reference="4"),
            rr.Sample(r"\boxed{\text{a dog}}", reference="a cat"),
        ]
        assert reward(batch) == [2.0, -1.0, -0.5]
        assert reward.bounds == (-1.0, 2.0)

    @pytest.mark.parametrize("name", ["correct", "wrong", "undecided"])
    def test_a_score_that_is_not_finite_is_refused(self, name):
        with pytest.raises(ValueError, match=f"{name} must be a finite number, got nan"):
            rr.Accuracy(**{name: math.nan})

    @pytest.mark.parametrize("reference", ["C", "A", "yes", "x+1", "5"])
    def test_trl_gives_none_to_every_bare_reference(self, reference):
        assert rr.Accuracy()([rr.Sample(rf"\boxed{{{reference}}}", reference=reference)]) == [1.0]

    def test_trl_reads_a_box_in_the_reasoning_too(self):
        text = r"<think>\boxed{17}</think> \boxed{18}"
        assert rr.Accuracy()([rr.Sample(text, reference="18")]) == [1.0]
        assert rr.Accuracy()([rr.Sample(text, reference="17")]) == [0.0]

    def test_open_r1_scores_an_unreadable_reference_as_correct(self):
        assert rr.Accuracy()([rr.Sample(r"\boxed{4}", reference="  ")]) == [None]


class TestChoiceAccuracy:
    OPTIONS = {"A": "Aspirin", "B": "Metformin"}

    def score(self, completion, reference="B", options=None, **parameters):
        sample = rr.Sample(completion, reference=reference, options=options or self.OPTIONS)
        return rr.ChoiceAccuracy(**parameters)([sample])[0]

    @pytest.mark.parametrize(
        "completion",
        [r"\boxed{B}", r"\boxed{\text{B}}", "<answer>B. Metformin</answer>", "the answer is (B)",
         '{"answer_choice": "B"}', "Metformin"],
    )  # fmt: skip
    def test_right(self, completion):
        assert self.score(completion) == 1.0

    @pytest.mark.parametrize(
        "completion", [r"\boxed{A}", r"\boxed{A, B}", "", "I do not know", r"\boxed{E}"]
    )
    def test_wrong(self, completion):
        assert self.score(completion) == 0.0

    def test_letters_without_options(self):
        batch = [rr.Sample(r"\boxed{C}", reference="C"), rr.Sample(r"\boxed{F}", reference="C")]
        assert rr.ChoiceAccuracy()(batch) == [1.0, 0.0]
        assert rr.ChoiceAccuracy(letters="AB")([rr.Sample(r"\boxed{C}", reference="A")]) == [0.0]

    def test_yes_no_maybe(self):
        options = {"A": "yes", "B": "no", "C": "maybe"}
        assert self.score("The answer is maybe.", "C", options) == 1.0
        assert self.score("Maybe; evidence is unknown.", "maybe", options) == 1.0
        assert self.score("Maybe; evidence is unknown.", "B", options) == 0.0

    def test_no_reference_and_a_reference_that_is_no_option(self):
        assert self.score(r"\boxed{A}", None) is None
        assert self.score(r"\boxed{A}", "F") is None
        assert self.score(r"\boxed{A}", "F", undecided=0.0) == 0.0

    def test_is_a_value_with_its_own_verifier(self):
        assert rr.ChoiceAccuracy() == rr.ChoiceAccuracy()
        assert repr(rr.ChoiceAccuracy()) == "ChoiceAccuracy()"
        strict = rr.ChoiceAccuracy(letters="AB", fuzzy=101)
        assert pickle.loads(pickle.dumps(strict)) == strict
        assert (strict.verifier.letters, strict.verifier.fuzzy) == ("AB", 101)

    @pytest.mark.parametrize("letters", ["", "AA", "Aa", "A B"])
    def test_letters_must_be_distinct(self, letters):
        with pytest.raises(ValueError, match="distinct"):
            rr.ChoiceAccuracy(letters=letters)
