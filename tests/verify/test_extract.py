"""Where the final answer stands: every rule, their order, and what is no answer."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rlrewards as rr
from rlrewards.verify.boxes import MAX_BRACES, closing_brace
from rlrewards.verify.extract import Text, find_answer
from rlrewards.verify.plain_answer import MAX_READ

OPTIONS = {"A": "Aspirin", "B": "Metformin", "C": "Insulin"}

FOUND = [
    # completion, text, rule
    (r"so \boxed{18}", "18", "boxed"),
    (r"\fbox{18}", "18", "boxed"),
    (r"\boxed 5", "5", "boxed"),
    (r"$\boxed 5$.", "5", "boxed"),
    (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}", "boxed"),
    (r"\boxed{\boxed{7}}", "7", "boxed"),
    (r"\boxed{\{1,2\}}", r"\{1,2\}", "boxed"),
    (r"First \boxed{3}. Then I see it is \boxed{4}.", "4", "boxed"),
    (r"\boxed{1} or \boxed{2}", "1, 2", "boxed"),
    (r"$x=\boxed{1}$ and $y=\boxed{2}$.", "1, 2", "boxed"),
    (r"<answer>12</answer>", "12", "answer_tag"),
    (r"<answer> \boxed{12} </answer>", "12", "answer_tag"),
    (r"<answer>The final answer is 12</answer>", "12", "answer_tag"),
    (r"<ANSWER>12</ANSWER>", "12", "answer_tag"),
    (r"<answer>12</answer> <answer>$12$</answer>", "$12$", "answer_tag"),
    (r"\boxed{3} <answer>4</answer>", "4", "answer_tag"),
    ("2 + 2 = 4\n#### 4", "4", "hashes"),
    ("#### 1,200\nDone.", "1,200", "hashes"),
    ("The final answer is 42.", "42", "phrase"),
    ("The answer is: $x^2$, as shown.", "$x^2$", "phrase"),
    ("So the answer is 3.14.", "3.14", "phrase"),
    ("**Answer:** 5 apples", "5 apples", "phrase"),
    ("Answer:\n\n\\[ \\frac12 \\]\nThat is all.", "\\[ \\frac12 \\]", "phrase"),
    ("Final Answer: The final answer is $5$. I hope it is correct.", "$5$", "phrase"),
    ("The answer to the first question is 8.", "8", "phrase"),
    ("The answer is 3. No: the answer is 4.", "4", "phrase"),
    ("**Final Answer**\n\n5", "5", "phrase"),
    ("The answer is 5.<|im_end|>\n", "5", "phrase"),
    ("Q: 3 A: 4\nA: 5 A: 6", "5 A: 6", "phrase"),
    ("A: 1\nB: A: 2", "1", "phrase"),
    ("The\n correct\n answer is 5", "5", "phrase"),
    ("#### 3\nx #### 4", "3", "hashes"),
    ("The answer is therefore 5.", "5", "phrase"),
    ("The answer is clearly $5$", "$5$", "phrase"),
    ("The answer is 5 because 2 + 3 = 5.", "5", "phrase"),
    ("The answer is $5$ dollars.", "$5$ dollars", "phrase"),
    ("The answer is $1$, $2$ or $3$.", "$1$, $2$ or $3$", "phrase"),
    ("First a line\nA: 18", "18", "phrase"),
    ("A: 26\n", "26", "phrase"),
    ("Long text.\n\n**73**", "73", "bold"),
    ("Long text.\n\n**73**.", "73", "bold"),
]

NOT_FOUND = [
    ("", "no final answer"),
    ("I think so.", "no final answer"),
    ("The total comes to 18", "no final answer"),
    ("<think>the answer is 5", "not closed"),
    ("<think>a</think> b <think> the answer is 5", "not closed"),
    (r"<think>\boxed{5}</think> It is five.", "no final answer"),
    (r"\boxed{}", "empty"),
    (r"\boxed{ } and then 5. The answer is 5.", "empty"),
    (r"\boxed{5", "not closed"),
    (r"\boxed{4} then \boxed{5", "not closed"),
    ("<answer></answer> the answer is 5", "empty"),
    ("<answer>5", "not closed"),
    ("<answer>5</answer><answer>6</answer>", "differ"),
    ("<answer><answer>5</answer></answer>", "nested"),
    ("The answer is because it must.", "empty"),
    ("#### ", "empty"),
    ("#### Step 3: add\nthen 4", "no final answer"),
    ("a **73** in the middle of text", "no final answer"),
]


class TestRules:
    @pytest.mark.parametrize(("completion", "text", "rule"), FOUND)
    def test_finds(self, completion, text, rule):
        answer = rr.extract(completion)
        assert (answer.text, answer.rule) == (text, rule)

    @pytest.mark.parametrize(("completion", "text", "rule"), FOUND)
    def test_the_span_holds_the_text(self, completion, text, rule):
        answer = rr.extract(completion)
        inside = completion[slice(*answer.span)]
        assert inside == text or all(part in inside for part in text.split(", "))

    @pytest.mark.parametrize(("completion", "why"), NOT_FOUND)
    def test_finds_nothing(self, completion, why):
        found = find_answer(completion)
        assert found.answer is None
        assert why in found.why

    def test_a_box_in_the_reasoning_is_not_the_answer(self):
        assert rr.extract(r"<think>\boxed{17}</think> \boxed{18}").text == "18"

    def test_what_takes_the_answer_back_is_not_read(self):
        # Documented: the form decides, not what is said around it.
        assert rr.extract(r"\boxed{5}. No, wait: 7").text == "5"

    def test_boxes_of_two_sentences_supersede_each_other(self):
        assert rr.extract("Is it \\boxed{3}? No.\n\nIt is \\boxed{4}").text == "4"

    def test_several_boxes_of_one_sentence_never_score_against_one_value(self):
        for joint in (" or ", ", ", " and ", " ", ", no wait, "):
            completion = joint.join([r"\boxed{3}", r"\boxed{4}"])
            for reference in ("3", "4"):
                assert not rr.grade(completion, reference)


class TestReasoning:
    @pytest.mark.parametrize("mark", [" A: 4", "A: 4", " #### 4", "#### 4", " **4**", "\nA: 4"])
    def test_a_line_may_begin_behind_the_closing_tag(self, mark):
        answer = rr.extract(f"<think>a</think>{mark}")
        assert answer.text == "4"
        assert f"<think>a</think>{mark}"[slice(*answer.span)] == "4"

    def test_prefilled_reasoning_must_be_closed(self):
        text = "adding gives 4. The answer is 4."
        assert find_answer(text).answer.text == "4"
        assert find_answer(text, prefilled_think=True).answer is None
        closed = "adding gives 5</think> The answer is 4."
        assert find_answer(closed, prefilled_think=True).answer.text == "4"

    def test_other_tags(self):
        text = "[R] the answer is 3 [/R] the answer is 4"
        assert find_answer(text, reasoning_tags=("[R]", "[/R]")).answer.text == "4"
        assert find_answer("[R] the answer is 3", reasoning_tags=("[R]", "[/R]")).answer is None


class TestOptions:
    @pytest.mark.parametrize(
        ("completion", "text", "rule"),
        [
            ('{"thinking": "…", "answer_choice": "B. Metformin"}', "B. Metformin", "json"),
            ('broken { "answer_choice": "B" ', "B", "json"),
            (r"\boxed{\text{B}}", r"\text{B}", "boxed"),
            (
                "The answer is (B) because it lowers glucose.",
                "(B) because it lowers glucose",
                "phrase",
            ),
            ("The correct option is B.", "B", "phrase"),
            ("Glucose matters here.\nB", "B", "choice"),
            ("Metformin", "Metformin", "choice"),
        ],
    )
    def test_finds(self, completion, text, rule):
        answer = rr.extract(completion, options=OPTIONS)
        assert (answer.text, answer.rule) == (text, rule)

    @pytest.mark.parametrize(
        "completion",
        [
            '{"answer_choice": "A", "answer_choice": "B"}',
            '{"answer_choice": null}',
            '{"answer_choice": ["A", "B"]}',
            "A: five of them",
            "Error communicating with the server",
        ],
    )
    def test_finds_nothing(self, completion):
        assert rr.extract(completion, options=OPTIONS) is None

    def test_a_field_quoted_inside_the_reasoning_does_not_count(self):
        text = r'{"thinking": "not \"answer_choice\": \"A\"", "answer_choice": "B"}'
        assert rr.extract(text, options=OPTIONS).text == "B"


class TestLenient:
    @pytest.mark.parametrize(
        ("completion", "text"),
        [
            ("it comes to 18 in all", "18"),
            ("so $x = 5$ it is", "x = 5"),
            ("first $x$, then 7", "7"),
            ("-3.5 degrees", "-3.5"),
            ("1,200 of them", "1,200"),
        ],
    )
    def test_takes_the_last_formula_or_number(self, completion, text):
        answer = find_answer(completion, lenient=True).answer
        assert (answer.text, answer.rule) == (text, "lenient")

    def test_only_on_request(self):
        assert find_answer("it comes to 18 in all").answer is None


class TestHostile:
    @pytest.mark.parametrize(
        "text",
        [
            "\\boxed{" * 100_000,
            "\\boxed{" * 50_000 + "}" * 50_000,
            "<answer>" * 100_000,
            "</think>" * 100_000,
            "the answer " * 100_000,
            "answer: " * 100_000,
            '"answer":[' * 100_000,
            '"answer":"' * 100_000,
            "#" * 1_000_000,
            "*" * 1_000_000,
            "\n" * 1_000_000,
            "." * 500_000 + ")" * 500_000,
            "$" * 1_000_000,
            "\\[" * 500_000,
            "\x00\ud800\udfff" * 1_000,
            "9" * 1_000_000,
        ],
        ids=lambda text: repr(text[:12]),
    )
    @pytest.mark.parametrize("options", [None, OPTIONS])
    def test_megabytes_of_anything_are_read_in_linear_time(self, text, options):
        find_answer(text, options=options, lenient=True)

    @given(st.text(alphabet="\\boxed{}<>/answerthink#$*:.A 12\n"))
    def test_any_text_gives_an_answer_inside_it_or_a_reason(self, text):
        found = find_answer(text, lenient=True)
        if found.answer is None:
            assert found.why
        else:
            start, stop = found.answer.span
            assert 0 <= start < stop <= len(text)

    @pytest.mark.parametrize(
        "text",
        [
            "\\boxed{1}, " * 100_000,
            "The answer to " * 70_000,
            "<answer>1</answer>" * 50_000,
            "".join(f"<answer>{i}</answer>" for i in range(40_000)),
            "<answer>" + " " * 900_000 + "</answer>",
            "####" + "(" * 900_000,
            "A: $\\" * 200_000,
            "\\(x" * 300_000,
        ],
        ids=lambda text: repr(text[:12]),
    )
    def test_a_megabyte_takes_a_moment(self, text):
        begun = time.process_time()
        find_answer(text, lenient=True)
        assert time.process_time() - begun < 1.0  # a tenth of that on an idle machine

    def test_what_stands_far_before_the_end_is_not_read(self):
        assert find_answer(r"\boxed{5}" + "x" * MAX_READ).answer is None
        answer = find_answer("x" * MAX_READ + r" \boxed{5}").answer
        assert (answer.text, answer.span) == ("5", (MAX_READ + 8, MAX_READ + 9))

    def test_small_letters_stand_where_the_letters_did(self):
        every = "".join(map(chr, range(0x110000)))
        assert len(Text(every).small()) == len(every)

    @pytest.mark.parametrize(
        "completion",
        ["<anſwer>4</ANſWER>", "<think></think><Answer>4</aNSWER>", "<answer>4</answer>İı"],
    )
    def test_letters_that_patterns_take_for_others(self, completion):
        assert rr.extract(completion).text == "4"

    def test_closing_brace_skips_escaped_ones(self):
        assert closing_brace(r"{a\}b}", 0, 6) == 5
        assert closing_brace("{a", 0, 2) is None
        many = "{" + "{}" * MAX_BRACES + "}"
        assert closing_brace(many, 0, len(many)) is None


@pytest.mark.parametrize(
    "completion",
    [
        r"So $\frac{\boxed{5}}{2}$",
        r"$\frac{1}{\boxed{5}}$",
        r"$\sqrt[3]{x+\boxed{5}}$",
        r"$2^{\boxed{5}}$",
    ],
)
def test_a_box_inside_a_formula_is_no_answer(completion):
    assert rr.extract(completion) is None


@pytest.mark.parametrize(
    "completion",
    [
        r"\text{So } \boxed{5}",
        r"\frac{1}{2} is wrong, it is \boxed{5}",
        r"{\color{red}{\boxed{5}}}",
        r"\textbf{\boxed{5}}",
        r"$\sqrt{25} = \boxed{5}$",
    ],
)
def test_other_braces_leave_a_box_alone(completion):
    assert rr.extract(completion).text == "5"


BITS = [
    r"\boxed{5}", r"\boxed{\frac{1}{2}}", r"\boxed{ }", r"-\boxed{6}", r"\boxed {7}", r"\boxed 5",
    r"**\boxed{5}**", r"\boxed{5", r"\fbox{3}", r"\boxed{\boxed{1}}", r"\boxed{\{1\}}", " not ",
    r"\neq ", "!", "^2", "<", "</think>", "<answer>5</answer>", "#### 4", "A: 3", " ", "\n", "{",
    "}", "\\", '"answer": "4"}', "\u200b5", "the answer is 2.", "\nA: 7", "\n#### 1,250.5", "\n  A: -3",
    "Answer:", "<ANſWER>", "7", "\r", "\u2028", r"\frac{", "x^{", "}{2}",
    ". ", "\n\n", r"\boxed{\phantom{2}}.", "a box ", r" \boxed{5} ", "</s>", "x < a",
]  # fmt: skip


@given(st.lists(st.sampled_from(BITS), max_size=7))
def test_plain_answers_are_what_the_rules_find(parts):
    completion = "".join(parts)
    found = find_answer(completion)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rlrewards.verify.extract.plain_answer", lambda *_: None)
        assert find_answer(completion) == found


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        ("The answer is $2t+1$ for all real numbers $t$.", "$2t+1$ for all real numbers $t$"),
        (r"The answer is $n\pi$, where $n$ is an integer.", r"$n\pi$, where $n$ is an integer"),
        ("The answer is $x^2+$ C.", "$x^2+$ C"),
        ("The answer is $2: 15$ PM.", "$2: 15$ PM"),
        (r"The answer is $1/x$ for $x \neq 0$.", r"$1/x$ for $x \neq 0$"),
        ("The answer is $5$ for the reasons given.", "$5$"),
    ],
)
def test_a_formula_keeps_its_domain(completion, answer):
    assert find_answer(completion).answer.text == answer
