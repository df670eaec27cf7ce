r"""Attempts to earn the reward without the answer, and everyday forms that must earn it.

Each line was once accepted, refused or endless where it should not have been. References stand
first; what an answer is compared with is `18` where nothing else is said.
"""

from __future__ import annotations

import time

import pytest

import rlrewards as rr

HEDGES_FOR_18 = [
    "18 nineteen", "18 alternatively nineteen", "18 versus nineteen", "18 or-more", "18 or. nineteen",
    "18 plus-minus two", "18 oder neunzehn", "18 nineteen twenty", "18 tens", "18 sixths",
    "18 millionths", "18 half-dozens", "18 choose two", "18 point five", "18 hundredfold", "18 doubled",
    "18 twice", "18 negative", "18 reciprocal", "18 lakh", "18 grand", "18 mil", "18 bn", r"18\text{M}",
    "18 wrong", "18 incorrect", "18 false", "18 unknown", "18 less-than", "18 maximum", "18 blorps",
    "18 not", "18; 19", "18/19", "18-19", "18 to 20", "between 18 and 20", "18̸", "-18", "not 18",
    "18 dozen", "18^2", "18!!", "180", "18 = 19", "17 = 18", "x=17=18",
    r"17\approx18\approx19", r"17\in18\in19", "18≈19", "x=18≈19",
]  # fmt: skip

NOT_EQUAL = [
    # commas inside fractions
    ("4", "1,2/3"),
    ("1,2/3", "4"),
    ("11/2", "1,1/2"),
    ("-11/2", "x=-1,1/2"),
    ("1/23", "1/2,3"),
    ("4", r"\frac{1,2}{3}"),
    # thousands
    ("10,000", "10, 0"),
    ("10,000", "0,10"),
    ("1,000", "1 or 0"),
    ("1,450", "450 and 1"),
    ("1,000", r"\{1,0\}"),
    ("1125/216", "1 125/216"),
    # words
    ("5", "-five"),
    ("decreasing for x > 5", "decreasing for x < 5"),
    (r"\text{increasing on }[0,1]", r"\text{increasing on }(0,1)"),
    ("2+3 apples", "2*3 apples"),
    ("x is even", "-x is even"),
    ("Vitamin A", "Vitamin"),
    ("hepatitis A", "hepatitis"),
    ("Plan A", "the plan"),
    ("no solution", "No idea"),
    ("No real solutions", "No answer"),
    ("No solution", "no, it is 5"),
    ("Yes", "yes or no"),
    ("Yes", "Yes and no"),
    # marks that vanish
    ("0.3", "0.3̅"),
    ("1,2,3", "1,2,3,..."),
    ("0.3", "0.3..."),
    # brackets and units inside collections
    (r"\{5\}", r"\{5,5\%\}"),
    ("A", "A) B) C) D)"),
    ("B", "B. or maybe C"),
    ("B", "B: not this, C"),
    ("B", "(B)(C)"),
]

COMPLETIONS_NOT_EQUAL = [
    ("The answer is $5$ / $6$", "5"),
    ("The answer is $5$ (or $6$)", "5"),
    ("The answer is $5$; $6$", "5"),
    ("The answer is $5$, maybe $6$", "5"),
    ("The answer is $5$ & $6$", "5"),
    ("The answer is $5$-$6$", "5"),
    ("The answer is $5$ + $6$", "5"),
    ("The answer is $5$0", "5"),
    ("The answer is $5$^2", "5"),
    ("The answer is $5$/6", "5"),
    (r"The answer is $5$\times 10^3", "5"),
    (r"The answer is $5$ $\times 10^6$", "5"),
    ("The answer is $5$ (million)", "5"),
    (r"$-\boxed{6}$", "6"),
    (r"$\boxed{6}00$", "6"),
    (r"$x\ne\boxed{6}$", "6"),
    (r"not \boxed{6}", "6"),
    (r"The answer is not $\boxed{6}$.", "6"),
    (r"It is not \(\boxed{6}\).", "6"),
    (r"It is not \(\boxed{6} \).", "6"),
    (r"It is not \( \boxed{6} \).", "6"),
    (r"It is not $ \boxed{6} $.", "6"),
    (r"$\boxed{6}^2$", "6"),
    (r"\boxed{Yes} or \boxed{No}", "Yes"),
    ("<answer>5</answer><answer >6</answer>", "5"),
    ("#### 18 nineteen", "18"),
]

EQUAL = [
    ("24", "24 cm^2"), ("24", "24 cm²"), ("9.8", "9.8 m/s^2"), ("5", "5 m^3"), ("24", "24 in^2"),
    ("24", "24 ft²"), ("24", r"24 \text{ cm}^2"), ("12", r"12\,\text{cm}^3"), ("18", "$18 per day"),
    ("18", "$18 every day"), ("18", "$18 in total"), ("18", "18 total"), ("18", "a total of 18"),
    ("18", "exactly 18"), ("18", "18 (dollars)"), ("18", "USD 18"), ("18", r"\text{18 dollars}"),
    ("5%", r"5\text{ percent}"), ("5", "= 5"), ("24", "Area = 24"), ("5", r"\text{Total} = 5"),
    ("5", "5 L"), ("30", "30º"), ("1000, 2000", "1,000 and 2,000"), ("1000, 2000", "1,000, 2,000"),
    ("4:30 p.m.", "4:30 PM"), ("18", "18 students"),
]  # fmt: skip

COMPLETIONS_EQUAL = [
    (r"The answer is $\$18$.", "18"),
    ("The answer is $5$ dollars.", "5"),
    ("The answer is $5$.", "5"),
    ("The answer is $5$, which is odd.", "5"),
    ("The answer is $5$ because 2 + 3 = 5.", "5"),
    ("The answer is $5$\nDone.", "5"),
    ("Answer is 18", "18"),
    ("So, the answer would be 18.", "18"),
    ("The answer should be 18", "18"),
    ("My answer is 18", "18"),
    ("#### Answer: 18", "18"),
    ("#### Final Answer: 18", "18"),
    ("**Answer**\n\n18", "18"),
    ("Answer:\n```\n18\n```", "18"),
    ('{"reasoning": "…", "answer": 18}', "18"),
    ('{"answer": "18"}', "18"),
    (r"\boxed{18}<|im_end|>", "18"),
    ("The answer is 18<|eot_id|>", "18"),
    ("A: 18</s>", "18"),
    (r"\boxed{30}^\circ", "30"),
    (r"\boxed{50}\%", "50"),
    (r"- \boxed{6}", "6"),
    ('Answer: "18"', "18"),
    ("Answer: **5**", "5"),
    ("Answer: 18 (since 9*2 = 18)", "18"),
]


@pytest.mark.parametrize("answer", HEDGES_FOR_18)
def test_hedges_and_changed_values(answer):
    assert not rr.verify(answer, "18")
    assert not rr.grade(rf"So it is \boxed{{{answer}}}.", "18")


@pytest.mark.parametrize(("reference", "answer"), NOT_EQUAL)
def test_other_values(reference, answer):
    assert not rr.verify(answer, reference)


@pytest.mark.parametrize(("completion", "reference"), COMPLETIONS_NOT_EQUAL)
def test_what_stands_beside_the_answer(completion, reference):
    assert not rr.grade(completion, reference)


@pytest.mark.parametrize(("reference", "answer"), EQUAL)
def test_everyday_forms(reference, answer):
    assert rr.verify(answer, reference)


@pytest.mark.parametrize(("completion", "reference"), COMPLETIONS_EQUAL)
def test_everyday_completions(completion, reference):
    assert rr.grade(completion, reference)


def test_the_question_vouches_for_a_unit():
    assert rr.verify("18 blorps", "18", prompt="How many blorps are there?")
    assert rr.verify("18 blorps", "18 blorps")
    assert not rr.verify("18 twice", "18", prompt="She pays twice. How much?")


class TestLiveness:
    """Generous bounds: each of these once took minutes, gigabytes, or the whole stack."""

    @pytest.mark.parametrize(
        ("completion", "reference", "prompt"),
        [
            ("The answer is 5" + " " * 200_000 + "x", "6", None),
            ("The answer is 5," + " \t" * 100_000, "6", None),
            (r"\boxed{1}" * 111_111, "5", None),
            (r"\boxed{" + r"\{" * 340 + "5" + r"\}" * 340 + "}", "5", None),
            (r"\boxed{" + "{" * 3_000 + "5" + "}" * 3_000 + "}", "5", None),
            (r"\boxed{" + r"\langle " * 500 + "5" + r"\rangle " * 500 + "}", "5", None),
            (r"\boxed{" + "(5," * 400 + "5" + ")" * 400 + "}", "(5," * 400 + "5" + ")" * 400, None),
            (r"\boxed{x+1}", "1+x", "a" * 100_000),
            (r"\boxed{x+1}", "1+x", r"\(" * 100_000),
            (r"\boxed{x+1}", "1+x", "a-" * 100_000),
            ("<|a|>" * 100_000, "5", None),
            ("answer\n" * 100_000, "5", None),
            ('{"answer":' * 100_000, "5", None),
        ],
        ids=range(13),
    )
    def test_hostile_texts_end(self, completion, reference, prompt):
        start = time.monotonic()
        rr.Verifier(budget_seconds=1.0).grade(completion, reference, prompt=prompt)
        assert time.monotonic() - start < 15

    def test_long_lists_end(self):
        for left, right in (("x", "y"), ("", "1"), ("w", "z")):
            ours = ",".join(f"{left}_{i}" for i in range(200))
            theirs = ",".join(f"{right}_{i}" for i in range(200))
            start = time.monotonic()
            assert not rr.verify(ours, theirs)
            assert time.monotonic() - start < 15

    def test_long_answers_are_not_remembered(self):
        verifier = rr.Verifier()
        verifier.verify("z" * 10_000, "5")
        verifier.verify("5", "5", prompt="q" * 10_000)
        assert not verifier._cache._items
