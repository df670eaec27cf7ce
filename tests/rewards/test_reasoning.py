import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlrewards import ChainOfDraft, ReasoningSteps, Sample
from rlrewards.rewards.reasoning import reasoning_lines


def steps(text, target=3):
    return ReasoningSteps(target=target)([Sample(text)])[0]


def drafts(text, **parameters):
    return ChainOfDraft(**parameters)([Sample(text)])[0]


class TestReasoningLines:
    @pytest.mark.parametrize(
        ("text", "lines"),
        [
            ("<think>a\n\nb</think>c", ["a", "b"]),
            ("<think>\r\na\r\nb\r\n</think>\r\nc", ["a", "b"]),
            ("x\n<think>a</think>c<think>d</think>", ["a"]),
            ("<think>a\nb", ["a", "b"]),  # never closed
            ("a\nb</think>c", ["a", "b"]),  # opened by the prompt
            ("<think></think>c", []),
            ("a\n<answer>c</answer>", ["a"]),
            ("a\n**Final Answer:** c\nd", ["a"]),
            ("a\n## Final Response\n\nc", ["a"]),
            ("a\n### Answer: c", ["a"]),
            ("a\n#### 18", ["a"]),
            ("a\n#### Part 4\nb", ["a", "#### Part 4", "b"]),
            ("a\n$\\boxed{3}$", ["a"]),
            ("a\n\\[\\boxed{3}\\]", ["a"]),
            ("a\nso \\boxed{3}", ["a", "so \\boxed{3}"]),
            ("a\nThe answer: c", ["a", "The answer: c"]),
            ("a\nb", ["a", "b"]),
            ("", []),
            (" \n\t", []),
        ],
    )
    def test_by_hand(self, text, lines):
        assert reasoning_lines(text) == lines


class TestReasoningSteps:
    @pytest.mark.parametrize(
        ("text", "count"),
        [
            ("Step 1: a\nStep 2: b", 2),
            ("**Step 1:** a\n### Step 2\nb", 2),
            ("  1) a\n  2) b", 2),
            ("- a\n* b\n• c", 3),
            ("First, a\nNext, b\nFinally, c", 3),
            ("<think>1. a</think>2. b", 1),
            ("1. a\nAnswer:\n2. b", 1),
            ("Stepwise\n3.14 is\nNext we\n-5 is\n*a*\n**b** c", 0),
            ("a 1. b 2. c", 0),
            ("", 0),
        ],
    )
    def test_by_hand(self, text, count):
        assert steps(text, target=4) == count / 4

    def test_the_target_is_enough(self):
        text = "\n".join(f"{i}. a" for i in range(1, 9))
        assert [steps(text, target) for target in (1, 8, 16)] == [1.0, 1.0, 0.5]

    def test_numbers_alone(self):  # open-r1 lacks re.M: ⅓
        assert steps("1.\n2.\n3.") == 1.0
        assert steps("1.\r\n2.\r\n3.") == 1.0

    def test_the_same_marker_counts_once(self):  # open-r1 gives 1
        assert steps("First,First,First,") == pytest.approx(1 / 3)
        assert steps("First, a\nfirst, b\nFIRST, c") == pytest.approx(1 / 3)
        assert steps("1. a\n1. b\nStep 2\nstep  2:") == pytest.approx(2 / 3)
        assert steps("- a\n* A\n-  a") == pytest.approx(1 / 3)

    @pytest.mark.parametrize(
        ("target", "error"), [(0, ValueError), (1.5, TypeError), (True, TypeError)]
    )
    def test_refused(self, target, error):
        with pytest.raises(error, match=r"ReasoningSteps: target must be a whole number >= 1"):
            ReasoningSteps(target=target)

    @given(st.text(), st.integers(1, 9))
    def test_a_higher_target_never_scores_more(self, text, target):
        assert 0 <= steps(text, target + 1) <= steps(text, target) <= 1

    @given(st.lists(st.integers(1, 50)))
    def test_counts_distinct_numbers(self, numbers):
        text = "".join(f"{number}. a\n" for number in numbers)
        assert steps(text, target=100) == len(set(numbers)) / 100


class TestChainOfDraft:
    def test_all_short_and_enough(self):
        assert drafts("<think>\n" + "five words in this line\n" * 8 + "</think>c") == 1.0

    def test_too_few(self):
        assert drafts("a\nb", min_steps=8) == 0.25

    def test_too_long(self):
        # two of four lines within the limit, and four of eight lines
        text = "a\nb\n" + "one two three four\n" * 2
        assert drafts(text, max_words=3) == 0.25

    def test_the_limit_is_within(self):
        ten = "one two three four five six seven eight nine ten"
        assert drafts(ten, min_steps=1) == 1.0
        assert drafts(ten + " eleven", min_steps=1) == 0.0

    @pytest.mark.parametrize("marker", ["- ", "1. ", "Step 1: ", "**Step 1:** "])
    def test_a_marker_is_no_word(self, marker):
        assert drafts(marker + "one two", min_steps=1, max_words=2) == 1.0

    def test_a_word_that_marks_a_step_is_one(self):
        assert drafts("First, two", min_steps=1, max_words=1) == 0.0

    def test_nothing(self):
        assert drafts("") == drafts("<think> </think>c") == 0.0

    def test_the_example_of_the_prompt(self):  # Gazal-R1, App. B.1
        text = """<think>

        Review presenting symptoms and vital signs.
        Identify key abnormal findings.
        Consider differential diagnoses by system.
        Evaluate diagnostic test results.
        Rule out critical conditions.
        Analyze medication interactions.
        Prioritize diagnoses by likelihood.
        Determine urgent vs. stable concerns.
        Plan appropriate interventions.
        Consider follow-up requirements.

        </think>

        Measles."""
        assert drafts(text) == 1.0

    @pytest.mark.parametrize("field", ["min_steps", "max_words"])
    def test_refused(self, field):
        with pytest.raises(ValueError, match=rf"ChainOfDraft: {field} must be a whole number >= 1"):
            ChainOfDraft(**{field: 0})

    @given(st.text(), st.integers(1, 9), st.integers(1, 9))
    def test_milder_limits_never_score_less(self, text, min_steps, max_words):
        found = drafts(text, min_steps=min_steps, max_words=max_words)
        assert 0 <= found <= drafts(text, min_steps=min_steps, max_words=max_words + 1) <= 1
        assert drafts(text, min_steps=min_steps + 1, max_words=max_words) <= found


HOSTILE = [
    " " * 10**6,
    "\n" * 10**6,
    "#" * 10**6,
    "* " * 500_000,
    "\n*" * 500_000,
    "\n# **" * 200_000,
    "step " * 200_000,
    "step" + " " * 10**6,
    "1" * 10**6,
    "\n1." * 300_000,
    "****" * 250_000,
    "<answer" * 10**5,
    "\n####" * 200_000,
    "\n####" + " " * 10**6,
    "<think>" * 10**5,
    "</think>" * 10**5,
    "\ud800\x00" * 500_000,
    ">" * 10**6,
]


@pytest.mark.parametrize("reward", [ReasoningSteps(), ChainOfDraft()], ids=repr)
def test_hostile_texts_in_linear_time(reward):
    started = time.perf_counter()
    assert all(0 <= score <= 1 for score in reward([Sample(text) for text in HOSTILE]))
    assert time.perf_counter() - started < 60  # about 4 s; a quadratic search takes minutes
