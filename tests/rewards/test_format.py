import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlrewards import (
    GazalFormat,
    HuatuoFormat,
    Sample,
    TagCount,
    ThinkAnswerFormat,
    ThinkFormat,
)

THINK_ANSWER = "<think>2 + 2</think>\n<answer>4</answer>"
HUATUO = "## Thinking\n\nFever and rash.\n\n## Final Response\n\nMeasles."
GAZAL = (
    "<think>Fever and rash.</think>\n\n### Assessment\n\nMeasles.\n\n"
    "### Final Answer\n\n\\boxed{B}\n"
)
STRICT = ThinkAnswerFormat(mode="strict")
ALL = [ThinkFormat(), ThinkAnswerFormat(), STRICT, TagCount(), HuatuoFormat(), GazalFormat()]

pieces = st.sampled_from(
    [
        *["<think>", "</think>", "<answer>", "</answer>", "## Thinking", "## Final Response"],
        *["\n\n", "\r\n", " ", "x", "### Assessment\n", "\n**Final Answer**\n", "\\boxed{C}"],
        *["\ud800", "\x00"],
    ]
)
texts = st.one_of(st.lists(pieces).map("".join), st.text())
# Further sentences without markup: nothing in them can complete a form.
junk = st.text(st.sampled_from("abc XYZ019.,!?\n")).map(" so".__add__)


def score(reward, text):
    return reward([Sample(text)])[0]


class TestThinkFormat:
    @pytest.mark.parametrize(
        "text",
        [
            "<think>a</think>b",
            "<think>\na\n</think>\n\nb\n",
            "<think>a</think> <answer>b</answer>",
            "<think>Σ</think> \\boxed{4}",
        ],
    )
    def test_the_form(self, text):
        assert score(ThinkFormat(), text) == 1.0

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "b",
            "<think></think>b",
            "<think> \n</think>b",
            "<think>a</think>",
            "<think>a</think> \r\n",
            "<think>a",
            "a</think>b",
            "</think>a<think>b",
            "well <think>a</think>b",
            "<THINK>a</THINK>b",
            "<think >a</think>b",
        ],
    )
    def test_not_the_form(self, text):
        assert score(ThinkFormat(), text) == 0.0

    def test_prefilled(self):
        reward = ThinkFormat(prefilled_think=True)
        assert score(reward, "a</think>b") == 1.0
        assert score(reward, "<think>a</think>b") == 0.0  # the block is opened twice
        with pytest.raises(TypeError, match="prefilled_think must be True or False, got 1"):
            ThinkFormat(prefilled_think=1)


class TestMistakesOfOthers:
    def test_two_think_blocks(self):  # open-r1 accepts them
        text = "<think>a</think><think>b</think>\n<answer>4</answer>"
        assert [score(reward, text) for reward in ALL] == [0.0, 0.0, 0.0, 0.5, 0.0, 0.0]

    def test_two_closing_tags(self):  # TRL 1.16 accepts them
        assert score(ThinkFormat(), "<think>a</think>b</think>c") == 0.0

    def test_trailing_junk(self):  # open-r1 accepts it
        assert score(STRICT, THINK_ANSWER) == 1.0
        assert score(STRICT, THINK_ANSWER + " and more") == 0.0
        assert score(STRICT, "well: " + THINK_ANSWER) == 0.0
        assert score(STRICT, "<think>a</think> so <answer>4</answer>") == 0.0

    def test_an_answer_inside_the_reasoning(self):  # open-r1 accepts it
        for mode in ("graded", "strict"):
            reward = ThinkAnswerFormat(mode=mode)
            assert score(reward, "<think>a <answer>4</answer></think>") == 0.0

    @pytest.mark.parametrize("reward", [ThinkFormat(), ThinkAnswerFormat(), STRICT])
    def test_carriage_returns_and_white_space_around(self, reward):
        # open-r1 rejects \r\n and a leading space; ms-swift 4.6 rejects one trailing newline
        text = "<think>\r\n2 + 2\r\n</think>\r\n<answer>\r\n4\r\n</answer>"
        for around in (text, " " + text, "\n" + text, text + "\n", "\r\n" + text + "\r\n"):
            assert score(reward, around) == 1.0

    def test_carriage_returns_of_the_other_forms(self):
        for reward, text in ((HuatuoFormat(), HUATUO), (GazalFormat(), GAZAL)):
            assert score(reward, text.replace("\n", "\r\n")) == 1.0
            assert score(reward, " \n" + text + "\n") == 1.0
        assert score(TagCount(), THINK_ANSWER.replace("\n", "\r\n")) == 1.0

    def test_reversed_tags(self):  # "includes the tags" accepts them
        assert score(ThinkAnswerFormat(), "<answer>4</answer><think>a</think>") == 0.0
        assert score(ThinkAnswerFormat(), "</answer>4<answer></think>a<think>") == 0.0

    @pytest.mark.parametrize("quoted", ["`<think>`", "```xml\n<think></think>\n```", '"</think>"'])
    def test_a_quoted_tag_counts_as_a_tag(self, quoted):
        text = f"<think>the tag is {quoted}</think>\n<answer>4</answer>"
        assert [score(ThinkFormat(), text), score(ThinkAnswerFormat(), text)] == [0.0, 0.0]
        assert score(STRICT, text) == 0.0


class TestThinkAnswerFormat:
    @pytest.mark.parametrize(
        ("text", "graded"),
        [
            (THINK_ANSWER, 1.0),
            ("well <think>a</think> so <answer>4</answer> done", 1.0),
            ("<think></think><answer></answer>", 1.0),  # what the blocks hold is not looked at
            ("<think>a</think> 4", 0.5),
            ("<answer>4</answer>", 0.5),
            ("<think>a</think> <answer>4", 0.5),  # a lone tag makes no pair
            ("a</think> <answer>4</answer>", 0.5),
            ("4", 0.0),
            ("<think>a", 0.0),
            ("<think>a</think><think>b</think>", 0.0),
            ("<think>a</think><answer>4</answer><answer>4</answer>", 0.0),
            ("<think>a<answer></think>4</answer>", 0.0),
            ("<answer><think>a</think>4</answer>", 0.0),
        ],
    )
    def test_graded(self, text, graded):
        assert score(ThinkAnswerFormat(), text) == graded
        assert score(STRICT, text) <= graded

    def test_prefilled(self):
        text = "2 + 2</think><answer>4</answer>"
        assert score(ThinkAnswerFormat(prefilled_think=True), text) == 1.0
        assert score(ThinkAnswerFormat(mode="strict", prefilled_think=True), text) == 1.0

    def test_unknown_mode(self):
        with pytest.raises(ValueError, match=r"mode='loose'; allowed: graded, strict"):
            ThinkAnswerFormat(mode="loose")

    @given(texts)
    def test_strict_is_never_above_graded(self, text):
        assert score(STRICT, text) <= score(ThinkAnswerFormat(), text)


class TestTagCount:
    def test_a_quarter_each(self):
        found = [THINK_ANSWER, "<think>a</think><answer>4", "<think>a</think>", "<think>", ""]
        assert [score(TagCount(), text) for text in found] == [1.0, 0.75, 0.5, 0.25, 0.0]

    def test_a_tag_that_stands_twice_counts_nothing(self):
        assert score(TagCount(), THINK_ANSWER + "<think></answer>") == 0.5

    def test_other_tags(self):
        assert score(TagCount(tags=("[A]", "[B]", "[C]")), "[C] [A]") == pytest.approx(2 / 3)

    @pytest.mark.parametrize(
        ("tags", "error"),
        [
            ((), ValueError),
            (("",), ValueError),
            (("<a>", "<a>"), ValueError),
            ("<a>", TypeError),
            ((1,), TypeError),
        ],
    )
    def test_refused(self, tags, error):
        with pytest.raises(error, match=r"TagCount: tags must be "):
            TagCount(tags=tags)

    def test_a_list_becomes_a_tuple(self):
        assert TagCount(tags=["<a>"]) == TagCount(tags=("<a>",))


class TestHuatuoFormat:
    def test_the_form(self):
        assert score(HuatuoFormat(), HUATUO) == 1.0

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "## Thinking\n\na",
            "## Final Response\n\nb",
            "## Thinking\na\n## Final Response\nb",  # no blank line
            "## Final Response\n\nb\n## Thinking\na",  # the authors' code does not mind the order
            HUATUO + "\n\n" + HUATUO,
            HUATUO + "\n## Thinking",
            HUATUO.replace("##", "###"),
            "well, ## Thinking\na\n## Final Response\n\nb",
            "## Thinking\nI shall write ## Final Response\n\nb",
        ],
    )
    def test_not_the_form(self, text):
        assert score(HuatuoFormat(), text) == 0.0


class TestGazalFormat:
    def test_the_form(self):
        assert score(GazalFormat(), GAZAL) == 1.0

    @pytest.mark.parametrize(
        "heading", ["# {}", "#### {}", "**{}**", "## **{}**", "{}", "{}:", "**{}:**"]
    )
    def test_headings_of_any_level(self, heading):
        text = GAZAL.replace("### Assessment", heading.format("Assessment"))
        text = text.replace("### Final Answer", heading.format("FINAL ANSWER"))
        assert score(GazalFormat(), text) == 1.0

    @pytest.mark.parametrize(
        "box", ["\\boxed{A}", "$\\boxed{E}$", "**\\boxed{B}**.", "`\\boxed{C}`", "\\[\\boxed{D}\\]"]
    )
    def test_boxes(self, box):
        assert score(GazalFormat(), GAZAL.replace("\\boxed{B}", box)) == 1.0
        assert score(GazalFormat(), GAZAL.replace("\\boxed{B}", "It is " + box)) == 1.0

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("<think>", ""),
            ("Fever and rash.", " "),
            ("### Assessment", ""),
            ("### Assessment", "The Assessment"),
            ("Measles.", ""),
            ("### Final Answer", ""),
            ("### Final Answer", "### Final Answer\n### Final Answer"),
            ("### Assessment", "### Assessment\n### Assessment"),
            ("\\boxed{B}", "B"),
            ("\\boxed{B}", "\\boxed{F}"),
            ("\\boxed{B}", "\\boxed{b}"),
            ("\\boxed{B}", "\\boxed{AB}"),
            ("\\boxed{B}", "\\boxed{B} or C"),
            ("\\boxed{B}", ""),
        ],
    )
    def test_not_the_form(self, old, new):
        assert score(GazalFormat(), GAZAL.replace(old, new)) == 0.0

    def test_the_order_of_the_sections(self):
        text = "<think>a</think>\n# Final Answer\n\\boxed{B}\n# Assessment\nMeasles. \\boxed{B}"
        assert score(GazalFormat(), text) == 0.0

    def test_headings_in_the_reasoning_do_not_count(self):
        inside = "# Assessment\na\n# Final Answer\n\\boxed{A}\n"
        assert score(GazalFormat(), GAZAL.replace("Fever", inside + "Fever")) == 1.0
        assert score(GazalFormat(), f"<think>{inside}</think> Measles") == 0.0

    @pytest.mark.parametrize(
        ("parts", "text"),
        [
            (("think",), "<think>a</think> Measles."),
            (("assessment",), "# Assessment\nMeasles."),
            (("final_answer",), "# Final Answer\n\\boxed{B}"),
            (("assessment", "final_answer"), GAZAL.partition("</think>")[2]),
        ],
    )
    def test_parts(self, parts, text):
        assert score(GazalFormat(parts=parts), text) == 1.0
        assert score(GazalFormat(), text) == 0.0

    def test_think_alone_is_the_think_format(self):
        @given(texts)
        def same(text):
            assert score(GazalFormat(parts=("think",)), text) == score(ThinkFormat(), text)

        same()

    def test_prefilled(self):
        assert score(GazalFormat(prefilled_think=True), GAZAL.removeprefix("<think>")) == 1.0

    @pytest.mark.parametrize(
        ("parts", "error", "message"),
        [
            (
                ("plan",),
                ValueError,
                "parts holds 'plan'; allowed: think, assessment, final_answer",
            ),
            ((), ValueError, "one or more"),
            (("think", "think"), ValueError, "different"),
            ("think", TypeError, "tuple of strings"),
        ],
    )
    def test_refused(self, parts, error, message):
        with pytest.raises(error, match=message):
            GazalFormat(parts=parts)


class TestLaws:
    @pytest.mark.parametrize("reward", [STRICT, HuatuoFormat(), GazalFormat()], ids=repr)
    @pytest.mark.parametrize("start", [THINK_ANSWER, HUATUO, GAZAL, ""])
    def test_appended_junk_never_raises_a_strict_score(self, reward, start):
        @given(texts, junk)
        def check(text, more):
            assert score(reward, start + text + more) <= score(reward, start + text)

        check()

    @given(texts, junk)
    def test_nor_that_of_a_think_block_with_an_answer(self, text, more):
        # after a block without one, further text is the answer that was missing
        text += " 4"
        assert score(ThinkFormat(), text + more) <= score(ThinkFormat(), text)

    @given(texts)
    def test_carriage_returns_change_nothing(self, text):
        plain = text.replace("\r\n", "\n")
        for reward in ALL:
            assert score(reward, plain.replace("\n", "\r\n")) == score(reward, plain)


HOSTILE = [
    "",
    "\x00",
    "\ud800" * 10**6,
    "<think>" * 10**5,
    "<think>" + "a" * 10**6,
    "</think>" * 10**5,
    "<answer" * 10**5,
    " " * 10**6,
    "\n" * 10**6,
    "#" * 10**6,
    "\n#" * 500_000,
    "## Thinking" * 10**5,
    "\n## Thinking" * 10**5,
    "Assessment\n" * 10**5,
    "\\boxed{" * 10**5,
    "**" * 500_000,
]


@pytest.mark.parametrize("reward", ALL, ids=repr)
def test_hostile_texts_in_linear_time(reward):
    started = time.perf_counter()
    assert all(
        score in (0.0, 0.25, 0.5, 1.0) for score in reward([Sample(text) for text in HOSTILE])
    )
    assert time.perf_counter() - started < 20  # about 0.3 s; a quadratic search takes minutes
