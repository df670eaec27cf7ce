"""Completions as a policy writes them: tags and headings, well-formed or with one fault, reasoning.

A `Completion` knows what is wrong with it, so that a test of a format needs no second parser.
"""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st

PIECES = (
    *("<think>", "</think>", "<answer>", "</answer>", "## Thinking\n", "## Final Response\n\n"),
    *("### Assessment\n", "### Final Answer\n", "\\boxed{B}", "\\boxed{4}", "The answer is 4."),
    *("(B)", "A: 5", "#### 4", "1. add\n", "- halve\n", "Step 2: check\n", "First, we"),
    *("a b c ", "\n", "\r\n", "", "\x00", "\ud800", "ß", "\u3000", "½"),
)
LINES = (
    *("We add.", "So it is even.", "Let x be the number.", "Then 2 + 2 = 4.", "Check: 3 < 5."),
    *("Wait, that is wrong.", "The patient is stable.", "It follows that a = b."),
)
MARKERS = ("", "", "1. ", "- ", "Step 1: ", "First, ")
ANSWERS = ("4", "B", "\\boxed{4}", "\\frac{1}{2}", "x = 3")


class Completion(NamedTuple):
    """A completion, and what is known of it.

    Attributes:
        text: The whole of it.
        reasoning: What stands in its reasoning block.
        answer: What stands in its answer block.
        fault: What is wrong with its form, in a few words; empty when it is well-formed.
    """

    text: str
    reasoning: str
    answer: str
    fault: str = ""

    @property
    def well_formed(self) -> bool:
        """Whether its form has no fault."""
        return not self.fault


def completions() -> st.SearchStrategy[str]:
    """Draw texts made of tags, headings, answers, steps and odd characters, or any short text.

    >>> from hypothesis import find
    >>> find(completions(), lambda text: "<think>" in text)
    '<think>'
    """
    pieces = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
    return pieces | st.text(max_size=20)


def reasoning_texts(*, min_lines: int = 1, max_lines: int = 5) -> st.SearchStrategy[str]:
    """Draw lines of reasoning, some with the marker of a step; no tag, heading or box in them.

    >>> from hypothesis import find
    >>> find(reasoning_texts(), lambda text: True)
    'We add.'
    """
    line = st.builds(str.__add__, st.sampled_from(MARKERS), st.sampled_from(LINES))
    return st.lists(line, min_size=min_lines, max_size=max_lines).map("\n".join)


def _or_usual(answers: st.SearchStrategy[str] | None) -> st.SearchStrategy[str]:
    return st.sampled_from(ANSWERS) if answers is None else answers


def well_formed(
    answers: st.SearchStrategy[str] | None = None,
) -> st.SearchStrategy[Completion]:
    r"""Draw `<think>…</think><answer>…</answer>` with the white space that models write.

    >>> from hypothesis import find
    >>> find(well_formed(), lambda it: True).text
    '<think>We add.</think><answer>4</answer>'
    """
    space = st.sampled_from(("", "\n", "\n\n", " "))

    def build(reasoning: str, answer: str, inner: str, between: str) -> Completion:
        text = (
            f"<think>{inner}{reasoning}{inner}</think>{between}<answer>{inner}{answer}"
            f"{inner}</answer>"
        )
        return Completion(text, reasoning, answer)

    return st.builds(build, reasoning_texts(), _or_usual(answers), space, space)


FAULTS = {
    "no reasoning block": "<answer>{answer}</answer>",
    "no answer block": "<think>{reasoning}</think>{answer}",
    "no tags": "{reasoning}\n{answer}",
    "reasoning not closed": "<think>{reasoning}<answer>{answer}</answer>",
    "answer not closed": "<think>{reasoning}</think><answer>{answer}",
    "blocks in reverse order": "<answer>{answer}</answer><think>{reasoning}</think>",
    "answer inside the reasoning": "<think>{reasoning}<answer>{answer}</answer></think>",
    "reasoning inside the answer": "<answer><think>{reasoning}</think>{answer}</answer>",
    "two reasoning blocks": "<think>a</think><think>{reasoning}</think><answer>{answer}</answer>",
    "two answer blocks": "<think>{reasoning}</think><answer>5</answer><answer>{answer}</answer>",
    "closing tag first": "</think>{reasoning}<think><answer>{answer}</answer>",
    "text before": "So. <think>{reasoning}</think><answer>{answer}</answer>",
    "text between": "<think>{reasoning}</think> So. <answer>{answer}</answer>",
    "text after": "<think>{reasoning}</think><answer>{answer}</answer> So.",
}
"""Each way to break the form, as a template."""


def ill_formed(
    answers: st.SearchStrategy[str] | None = None,
) -> st.SearchStrategy[Completion]:
    """Draw completions with one fault of `FAULTS` each; `fault` names it.

    >>> from hypothesis import find
    >>> find(ill_formed(), lambda it: it.fault == "two answer blocks").text
    '<think>We add.</think><answer>5</answer><answer>4</answer>'
    """

    def build(fault: str, reasoning: str, answer: str) -> Completion:
        text = FAULTS[fault].format(reasoning=reasoning, answer=answer)
        return Completion(text, reasoning, answer, fault)

    return st.builds(
        build,
        st.sampled_from([*FAULTS]),
        reasoning_texts(),
        _or_usual(answers),
    )


HEADING_FAULTS = {
    "no first heading": "{reasoning}\n\n## Final Response\n\n{answer}",
    "no second heading": "## Thinking\n\n{reasoning}\n\n{answer}",
    "headings in reverse order": "## Final Response\n\n{answer}\n\n## Thinking\n\n{reasoning}",
    "first heading twice": (
        "## Thinking\n\n## Thinking\n\n{reasoning}\n\n## Final Response\n\n{answer}"
    ),
    "second heading twice": (
        "## Thinking\n\n{reasoning}\n\n## Final Response\n\n## Final Response\n\n{answer}"
    ),
}


def headed(
    *, faults: bool = False, answers: st.SearchStrategy[str] | None = None
) -> st.SearchStrategy[Completion]:
    """Draw `## Thinking … ## Final Response …`; with `faults` only ill-formed ones.

    >>> from hypothesis import find
    >>> find(headed(), lambda it: True).text
    '## Thinking\\n\\nWe add.\\n\\n## Final Response\\n\\n4'
    """
    whole = {"": "## Thinking\n\n{reasoning}\n\n## Final Response\n\n{answer}"}
    templates = HEADING_FAULTS if faults else whole

    def build(fault: str, reasoning: str, answer: str) -> Completion:
        text = templates[fault].format(reasoning=reasoning, answer=answer)
        return Completion(text, reasoning, answer, fault)

    return st.builds(
        build,
        st.sampled_from([*templates]),
        reasoning_texts(),
        _or_usual(answers),
    )
