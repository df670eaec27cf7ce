"""Which option an answer names: one letter or none, and never a guess."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rlrewards as rr
from rlrewards.verify.choice import MAX_LENGTH, resolve

OPTIONS = {"A": "Aspirin", "B": "Metformin", "C": "Insulin glargine", "D": "None of the above"}
PUBMED = {"A": "yes", "B": "no", "C": "maybe"}
DRUGS = {"A": "Insulin", "B": "Metformin", "C": "Glipizide"}
NUMBERS = {"A": "2", "B": "3", "C": "0"}
GREEK = {"A": "TNF-α", "B": "β-blocker", "C": "37°C", "D": "≥5", "E": "2-3 μm"}
DATA = Path(os.environ.get("RLREWARDS_DATA", Path(__file__).parents[3] / "shared" / "data"))


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

    @pytest.mark.parametrize(
        "pair",
        [
            "Decreased calcium and increased phosphate/Increased calcium and decreased phosphate",
            "the A or B blocks of the chain/the A and B blocks of the chain",
            "decreased serum potassium in the blood/decreased serum calcium in the blood",
            "lactose dehydrogenase level/lactase dehydrogenase level",
            "lactate dehydrogenase level/lactase dehydrogenase level",
            "presence of leucocytes in the urine/presence of leucocytes in the blood",
            "selective deficiency of IgG/selective deficiency of IgM",
            "deposits of mesangial IgA/deposits of mesangial IgE",
            "alpha adrenergic receptor blockade/beta adrenergic receptor blockade",
            "give the epinephrine IV immediately/give the epinephrine IM immediately",
            "give 10 mg of levothyroxine daily/give 10 mcg of levothyroxine daily",
            "ligation of the left renal vein/ligation of the left renal artery",
            "male pseudohermaphroditism/female pseudohermaphroditism",
            "atrial septal defect repaired early/ventricular septal defect repaired early",
            "sensory neuropathy of the lower leg/motor neuropathy of the lower leg",
            "squamous carcinoma of the oral cavity/squamous carcinoma of the nasal cavity",
            "acute poisoning with chlorine/acute poisoning with chloride",
            "difficulty with dysphagia/difficulty with dysphasia",
            "metacarpal bone fracture/metatarsal bone fracture",
            "hepatitis A vaccination/hepatitis vaccination",
            "insulin clearance test/inulin clearance test",
            "intracellular fluid volume/intercellular fluid volume",
            "with typical features present/with atypical features present",
            "vitamin B6 deficiency state/vitamin B1 deficiency state",
        ],
    )
    def test_one_word_that_flips_the_meaning_is_no_misspelling(self, pair):
        one, other = pair.split("/")
        assert resolve(one, {"A": other, "B": "something else"}).letter is None
        assert resolve(other, {"A": one, "B": "something else"}).letter is None

    @pytest.mark.parametrize("answer", ["asprin", "Inuslin glargine", "The insulin glargine"])
    def test_plain_misspellings_and_small_words(self, answer):
        assert resolve(answer, OPTIONS, fuzzy=80).letter in ("A", "C")

    def test_a_small_word_more_as_in_the_real_data(self):
        options = {
            "A": "Specificity 90% Sensitivity 95%", "B": "Sensitivity 90% Specificity 95%",
            "C": "Sensitivity 95% Specificity 90%",
        }  # fmt: skip
        assert resolve("Sensitivity 90% and Specificity 95%", options).letter == "B"


class TestLetterAndMore:
    """A letter before anything is not that letter: what follows may take it back."""

    @pytest.mark.parametrize(
        "text",
        [
            "B. or C", "(B); (C)", "B.C", "B: C", "(A)(B)", "[A][B]", "A:B", "A)B)C)", "A - B - C",
            "A-B-C", "A|B|C", "B. no, C. Glipizide", "(a) (b)", "(B) is wrong; it is (C)", "B\nC",
            "B because C is right", "B. I don't know", "A) Insulin (B)", "A. Metformin is best",
            "B is correct and so is C", "B is the best answer, not A", "B. Not sure", "A, E", "b. or c",
            "B. Metformin or insulin", "A. Metformine", "B. Glipizide and metformin", "B. a",
            "B. Metformin is wrong", "B or maybe", "B because I'm not sure", "B. hmm, C. correct",
        ],
    )  # fmt: skip
    def test_taken_back(self, text):
        choice = resolve(text, DRUGS)
        assert choice.letter is None
        assert choice.why

    @pytest.mark.parametrize("text", ["B.C.D", "B. C. D.", "A. B. C. D.", "A - B - C - D"])
    def test_a_list_of_letters(self, text):
        assert resolve(text, OPTIONS).letter is None

    @pytest.mark.parametrize(
        "text",
        [
            "B. Metformin is best", "B because it lowers glucose", "b) Metformin", "B\nMetformin",
            "B: Metformin is the best because of its safety", "B. A biguanide", "(B) -",
            "B because it does not cause weight gain", "B, since all others are wrong",
            "B. Metformin and vitamin C", "B since the patient has hepatitis C",
            "B. Metformin (type A lactic acidosis is rare)", "B, e.g. in obesity",
            "B because the protein C level is low", "B because C-reactive protein is high",
            "B. Metformin kills no E. coli",
            "Thus, option B is correct", "B is the correct answer", "most likely B", "definitely B",
            "letter B", "option b", "I choose option B", "So, the answer is B.", "Hence B",
        ],
    )  # fmt: skip
    def test_left_standing(self, text):
        assert resolve(text, DRUGS).letter == "B"

    def test_letters_that_the_options_own_text_holds(self):
        options = {"A": "Lack of vitamin C", "B": "p", "C": "q", "D": "Both B and C"}
        assert resolve("A. Vitamin C deficiency", options).letter == "A"
        assert resolve("Both B and C", options).letter == "D"
        assert resolve("D. B and C", options).letter == "D"
        assert resolve("D. Both B and C", options).letter == "D"

    def test_all_of_the_above_may_name_them(self):
        options = {"A": "p1", "B": "q1", "C": "All of the above"}
        assert resolve("C. All of the above (A and B)", options).letter == "C"

    def test_an_organism_is_no_letter(self):
        options = {"A": "Candida", "B": "C. difficile infection", "C": "S. aureus"}
        assert resolve("C. difficile", options).letter is None
        assert resolve("C. difficile infection", options).letter == "B"

    def test_without_texts_only_letters_and_abstentions_count(self):
        letters = dict.fromkeys("ABCD", "")
        assert resolve("B. Not indicated", letters).letter == "B"
        assert resolve("B. I don't know", letters).letter is None
        assert resolve("B. or C", letters).letter is None

    def test_the_pronoun_is_no_option(self):
        options = {letter: f"text {letter}" for letter in "ABCDEFGHI"}
        assert resolve("I think so", options).letter is None
        assert resolve("I choose B", options).letter == "B"
        assert resolve("I is correct", options).letter == "I"


class TestTextAndMore:
    @pytest.mark.parametrize(
        "text",
        [
            "Yes, no, maybe", "Yes. No.", "yes; or no", "yes - no", "No, wait: yes", "yes (or no)",
            # Documented: "no" is another option's text, whatever it says here.
            "Yes, there is no doubt",
        ],
    )  # fmt: skip
    def test_hedged_yes_and_no(self, text):
        assert resolve(text, PUBMED).letter is None

    @pytest.mark.parametrize(
        "text",
        [
            "Metformin, or Insulin", "Metformin: contraindicated, so Insulin", "Metformin (or Insulin)",
            "Metformin, not insulin", "Metformin; or something else", "Metformin (C)",
        ],
    )  # fmt: skip
    def test_hedged_texts(self, text):
        assert resolve(text, DRUGS).letter is None

    @pytest.mark.parametrize(
        ("text", "letter"),
        [
            ("Maybe; the evidence is unknown.", "C"), ("Yes, because it helps", "A"),
            ("Yes - it helps", "A"), ("No, the drug does not help.", "B"), ("No; it never did", "B"),
        ],
    )  # fmt: skip
    def test_left_standing(self, text, letter):
        assert resolve(text, PUBMED).letter == letter

    def test_the_longest_text_counts(self):
        options = {"A": "Aspirin", "B": "Aspirin, clopidogrel and heparin"}
        text = "Aspirin, clopidogrel and heparin, because of the infarction"
        assert resolve(text, options).letter == "B"
        assert resolve("Aspirin, clopidogrel", options).letter is None


class TestMarksThatCarryMeaning:
    @pytest.mark.parametrize(
        "text",
        [
            "2.5", "2,500", "0.7", "2: 3", "2, 3", "2, 5", "-2", "−2", "2!", "2-3", "2/3", "2^3", "2%",
            "0,5", "2:3", "2*3", ".2",
        ],
    )  # fmt: skip
    def test_a_number_is_not_cut(self, text):
        assert resolve(text, NUMBERS).letter is None

    @pytest.mark.parametrize("text", ["2", "2.", "$2$", "A. 2", "2, because it is even"])
    def test_the_number_itself(self, text):
        assert resolve(text, NUMBERS).letter == "A"

    def test_signs(self):
        options = {"A": "-5 mg", "B": "5 mg"}
        for text in ("-5 mg", "−5 mg", "- 5 mg", "A. -5 mg", "(A) −5 mg"):
            assert resolve(text, options).letter == "A"
        for text in ("5 mg", "5mg", "B. 5 mg", "B - 5 mg"):
            assert resolve(text, options).letter == "B"
        for text in ("A. 5 mg", "B. -5 mg", "(B) -5 mg", "B -5 mg"):
            assert resolve(text, options).letter is None

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("x^2", "x 2"), ("(1,2)", "[1,2]"), ("2!", "2"), ("x²", "x2"), ("2:1", "2.1"),
            ("Aa", "AA"), ("AB-", "AB+"), ("2-3", "2 3"), ("1,2", "1.2"),
        ],
    )  # fmt: skip
    def test_texts_that_differ_in_a_mark(self, one, other):
        options = {"A": one, "B": other}
        assert (resolve(one, options).letter, resolve(other, options).letter) == ("A", "B")

    @pytest.mark.parametrize("letter", GREEK)
    def test_greek_letters_and_symbols(self, letter):
        text = GREEK[letter]
        for answer in (text, f"{letter}. {text}", f"({letter}) {text}", f"{text}, because of it"):
            assert resolve(answer, GREEK).letter == letter

    @pytest.mark.parametrize(
        ("text", "letter"),
        [
            ("TNF-alpha", "A"), ("beta blocker", "B"), ("37 °C", "C"), (">= 5", "D"), (r"$\geq 5$", "D"),
            ("2–3 µm", "E"),
        ],
    )  # fmt: skip
    def test_other_spellings_of_symbols(self, text, letter):
        assert resolve(text, GREEK).letter == letter


class TestHostileLengths:
    @pytest.mark.parametrize(
        "piece", [", ", "yes, ", "A,", "1,", ":", "(", "^ ", "1 - ", "A C ", "B" + 3900 * " "]
    )
    def test_bounded_time(self, piece):
        text = (piece * MAX_LENGTH)[:MAX_LENGTH]
        start = time.perf_counter()
        resolve(text, {"A": "yes, " * 3000, "B": "no", "C": ", " * 3000})
        assert time.perf_counter() - start < 1  # milliseconds, in fact


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

    def test_every_option_of_the_medical_questions_names_itself_and_no_other(self):
        file = DATA / "medical_questions.jsonl.gz"
        if not file.exists():
            pytest.skip(f"no {file}; RLREWARDS_DATA names its folder")
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            questions = [json.loads(line)["options"] for line in lines]
        for options in questions:
            texts = [text.casefold().strip() for text in options.values()]
            for letter, text in options.items():
                assert resolve(f"{letter}. {text}", options).letter == letter
                assert resolve(f"({letter}) {text}", options).letter == letter
                if len(text.strip()) > 1:  # the letter wins over a text that is a letter
                    alone = letter if texts.count(text.casefold().strip()) == 1 else None
                    assert resolve(text, options).letter == alone

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

    @pytest.mark.parametrize(
        "completion",
        [
            "<answer>B. Insulin</answer>", "The answer is B. Insulin.", "The answer is B. Insulin",
            "The answer is B.\nInsulin", "The answer is B\nInsulin.", "The answer is B. insulin!",
            "The answer is (B). Insulin. It is first line.", "The answer is **B**. **Insulin**.",
            "The answer is $B$. Insulin.", "Final answer: B. The insulin.", "My answer is B. Insuline.",
            "Answer: option B. (Insulin)", "The answer is B because it is cheap. Insulin.",
            "The answer is Metformin. Insulin.",
        ],
    )  # fmt: skip
    def test_a_letter_before_another_options_text_is_no_answer(self, completion):
        assert rr.grade(completion, "B", options=DRUGS).status is rr.Status.NO_ANSWER
        assert rr.grade(completion, "A", options=DRUGS).status is rr.Status.NO_ANSWER

    @pytest.mark.parametrize(
        "completion",
        [
            "The answer is B. Insulin would be wrong because it is injected.",
            "The answer is B. Insulin, on the other hand, is injected.",
            "The answer is B. Insulin; it is injected.", "The answer is B. Not insulin.",
            "The answer is B. Metformin.", "The answer is B.\nMetformin", "The answer is B. It is cheap.",
            "The answer is B.\n\nInsulin\nis injected.", "The answer is B. It is cheap. Insulin.",
            "The answer is B.\n\n**Insulin** is injected.", "The answer is B.", "The answer is B",
            "The answer is Metformin. Metformin.", "The answer is Metformin. Insulin is injected.",
        ],
    )  # fmt: skip
    def test_a_new_sentence_takes_nothing_back(self, completion):
        verdict = rr.grade(completion, "B", options=DRUGS)
        assert verdict
        assert verdict.answer in ("B", "Metformin")

    def test_texts_with_full_stops_and_none_at_all(self):
        options = {"A": "E. coli", "B": "St. John's wort", "C": "1.5 mg. daily"}
        for text in ("E. coli", "1.5 mg. daily"):
            completion = f"The answer is B. {text}."
            assert rr.grade(completion, "B", options=options).status is rr.Status.NO_ANSWER
        assert rr.grade("The answer is B. St. John's wort.", "B", options=options)
        assert rr.grade("The answer is B. Insulin.", "B", options=dict.fromkeys("AB", ""))
        assert rr.Verifier(letters="AB").grade("The answer is B. Insulin.", "B")

    @pytest.mark.parametrize("piece", ["Insulin. ", ". ", ".\n", "a" * 50, "**", "? "])
    def test_what_follows_is_read_in_bounded_time(self, piece):
        start = time.perf_counter()
        rr.grade("The answer is B. " + piece * 30_000, "B", options=DRUGS)
        assert time.perf_counter() - start < 1  # milliseconds, in fact
