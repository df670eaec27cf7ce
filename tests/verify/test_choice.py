"""Which option an answer names: one letter or none, and never a guess."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rlrewards as rr
from rlrewards.verify.choice import resolve

OPTIONS = {"A": "Aspirin", "B": "Metformin", "C": "Insulin glargine", "D": "None of the above"}
PUBMED = {"A": "yes", "B": "no", "C": "maybe"}


@pytest.mark.parametrize(
    "text",
    [
        "B", "b", "(B)", "[B]", "B.", "B)", "**B**", "$B$", r"\text{B}", r"\textbf{(B)}", "B. Metformin",
        "(B) Metformin", "B: Metformin", "B) metformin", "Option B", "option (B)", "the correct answer is B",
        "Metformin", "metformin.", "'Metformin'", "B because it lowers glucose", "B is correct",
        "(B) since the patient is stable", "B, Metformin", "B - Metformin",
        "B. Metformin and Vitamin C",
    ],
)  # fmt: skip
def test_names_b(text):
    assert resolve(text, OPTIONS).letter == "B"


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "A and B", "A, B", "A or B", "A/B", "A & B", "(A) or (B)", "both A and B", "A, B, C, D",
        "E", "Z", "E. Warfarin", "I do not know.", "unable to determine", "Aspirin or Metformin",
        "B. Aspirin", "answer because", "I think so", "A diuretic", "Unclear", "5", "\x00",
        "x" * 10_000, "The question is incomplete",
    ],
)  # fmt: skip
def test_names_none(text):
    choice = resolve(text, OPTIONS)
    assert choice.letter is None
    assert choice.why


def test_none_of_the_above_is_an_option_only_where_one_says_so():
    assert resolve("None of the above", OPTIONS).letter == "D"
    assert resolve("none of these", OPTIONS).letter == "D"
    assert resolve("None of the above", {"A": "Aspirin", "B": "Metformin"}).letter is None


def test_equal_texts_leave_only_the_letter():
    options = {"A": "4 mg", "B": "5 mg", "C": "5 mg"}
    assert resolve("5 mg", options).letter is None
    assert resolve("B", options).letter == "B"
    assert resolve("B. 5 mg", options).letter == "B"


def test_an_options_text_may_be_a_letter_and_the_letter_wins():
    options = {"A": "B", "B": "C", "C": "D"}
    assert resolve("B", options).letter == "B"
    assert resolve("A. B", options).letter == "A"


def test_an_options_text_may_look_like_several_letters():
    assert resolve("B>A>C", {"A": "B>A>C", "B": "A>B>C"}).letter == "A"


class TestMistakesOfOthers:
    def test_huatuo_turns_an_empty_answer_into_the_last_option(self):
        assert resolve("", OPTIONS).letter is None

    def test_huatuo_turns_a_refusal_into_whatever_looks_most_like_it(self):
        assert resolve("I do not know.", OPTIONS).letter is None

    def test_huatuo_reads_maybe_unknown_as_no(self):
        assert resolve("Maybe; evidence is unknown.", PUBMED).letter == "C"

    def test_mirage_falls_back_to_a(self):
        assert rr.grade("no idea", "A", options=OPTIONS).status is rr.Status.NO_ANSWER

    def test_rllm_reads_the_pronoun_i(self):
        options = {letter: f"text {letter}" for letter in "ABCDEFGHI"}
        assert rr.grade("I think it over, so C", "I", options=options).status is rr.Status.NO_ANSWER

    def test_slime_reads_because_as_b(self):
        verdict = rr.grade("the answer because of that is unclear", "B", options=OPTIONS)
        assert verdict.status is rr.Status.NO_ANSWER

    def test_trl_has_no_signal_for_a_letter_as_reference(self):
        assert rr.grade(r"\boxed{C}", "C").status is rr.Status.EQUAL
        assert rr.grade(r"\boxed{B}", "C").status is rr.Status.DIFFERENT


class TestSpelling:
    def test_a_misspelt_text_counts_when_it_is_clearly_ahead(self):
        assert resolve("Insulin glargin", OPTIONS).letter == "C"
        assert resolve("Insulin glargin", OPTIONS, fuzzy=101).letter is None

    @pytest.mark.parametrize(
        ("answer", "option"),
        [
            ("increased potassium in the blood", "decreased potassium in the blood"),
            ("treat the hypokalemia with care now", "treat the hyperkalemia with care now"),
            ("the afferent arteriole constricts", "the efferent arteriole constricts"),
            ("surgery is not indicated at once", "surgery is indicated at once"),
            ("give 10 mg of the drug each day", "give 20 mg of the drug each day"),
            ("the left upper lobe of the lung", "the right upper lobe of the lung"),
        ],
    )
    def test_what_says_the_opposite_never_resembles(self, answer, option):
        assert resolve(answer, {"A": option, "B": "something else"}).letter is None


class TestLaws:
    @given(
        st.permutations("ABCD"), st.sampled_from(["Aspirin", "Metformin", "Insulin glargine", "?"])
    )
    def test_relabelling_the_options_permutes_the_letters(self, order, answer):
        texts = list(OPTIONS.values())
        first = resolve(answer, OPTIONS).letter
        relabelled = dict(zip(order, texts, strict=True))
        mapping = dict(zip("ABCD", order, strict=True))
        assert resolve(answer, relabelled).letter == (first and mapping[first])

    @given(st.text(max_size=60))
    def test_any_text_names_an_option_or_none(self, text):
        assert resolve(text, OPTIONS).letter in {None, *OPTIONS}

    def test_two_letters_never_name_one(self):
        for first, second in itertools.permutations("ABCD", 2):
            for joint in (", ", " and ", " or ", "/", " "):
                assert resolve(first + joint + second, OPTIONS).letter is None


class TestVerdicts:
    def test_letter_or_text_as_reference(self):
        for reference in ("B", "b", "Metformin", "B. Metformin"):
            assert rr.verify("B", reference, options=OPTIONS)

    def test_a_reference_that_names_no_option_is_undecided(self):
        verdict = rr.verify("B", "F", options=OPTIONS)
        assert verdict.status is rr.Status.UNDECIDED
        assert "reference" in verdict.why

    def test_status_and_tier(self):
        right = rr.grade('{"answer_choice": "B"}', "B", options=OPTIONS)
        assert (right.status, right.tier) == (rr.Status.EQUAL, rr.Tier.CHOICE)
        wrong = rr.grade('{"answer_choice": "A"}', "B", options=OPTIONS)
        assert wrong.status is rr.Status.DIFFERENT
        several = rr.grade('{"answer_choice": "A, B"}', "B", options=OPTIONS)
        assert several.status is rr.Status.NO_ANSWER
