"""Multiple-choice questions, and completions that name one of their options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from hypothesis import strategies as st

from rlrewards.core import Sample

TEXTS = (
    *("Metformin", "Insulin", "Aspirin", "Warfarin", "Ibuprofen", "Amoxicillin", "Heparin"),
    *("Left ventricle", "Optic nerve", "Thyroid gland", "Mitral stenosis", "12 hours", "0.5 mg"),
)
LETTERS = "ABCDEFGH"
NAMED = {
    "boxed letter": "\\boxed{{{letter}}}",
    "boxed text command": "\\boxed{{\\text{{{letter}}}}}",
    "answer tag": "<answer>{letter}</answer>",
    "answer tag with the text": "<answer>{letter}. {text}</answer>",
    "sentence": "The answer is ({letter}).",
    "sentence with the text": "The answer is {letter}. {text}",
    "reasoning first": "<think>We compare them.</think>\nThe answer is {letter}.",
    "JSON": '{{"answer_choice": "{letter}"}}',
}
"""Ways to name an option that leave no doubt."""
SILENT = {
    "empty": "",
    "refusal": "I cannot answer this question.",
    "does not know": "I do not know.",
    "reasoning without an end": "<think>We compare them.",
    "two letters": "The answer is {letter} or {other}.",
    "two boxes": "\\boxed{{{letter}}} \\boxed{{{other}}}",
    "no such letter": "\\boxed{{Z}}",
}
"""Completions that name none, or more than one."""


class Question(NamedTuple):
    """A question with its options and the right letter."""

    prompt: str
    options: Mapping[str, str]
    right: str

    def sample(self, completion: str) -> Sample:
        """Return a completion of it, with all that is needed to judge it."""
        return Sample(completion, self.right, self.prompt, options=self.options, group=self.prompt)


class Choice(NamedTuple):
    """A completion of a question; `letter` is the option it names, or None; `how` says by what."""

    question: Question
    completion: str
    letter: str | None
    how: str

    @property
    def sample(self) -> Sample:
        """The completion with its question."""
        return self.question.sample(self.completion)

    @property
    def right(self) -> bool:
        """Whether it names the right option."""
        return self.letter == self.question.right


def questions(*, min_options: int = 2, max_options: int = 5) -> st.SearchStrategy[Question]:
    """Draw questions with differing options.

    >>> from hypothesis import find
    >>> find(questions(), lambda it: True).options
    {'A': 'Metformin', 'B': 'Insulin'}
    """

    def build(texts: list[str], right: int) -> Question:
        options = dict(zip(LETTERS, texts, strict=False))
        lines = [f"{letter}. {text}" for letter, text in options.items()]
        return Question("\n".join(["Which one?", *lines]), options, LETTERS[right % len(texts)])

    texts = st.lists(
        st.sampled_from(TEXTS), min_size=min_options, max_size=max_options, unique=True
    )
    return st.builds(build, texts, st.integers(0, max_options - 1))


def choices(*, right: bool | None = None) -> st.SearchStrategy[Choice]:
    """Draw completions that name exactly one option: the right one, a wrong one, or either (None).

    >>> from hypothesis import find
    >>> found = find(choices(right=False), lambda it: True)
    >>> found.completion, found.question.right
    ('\\\\boxed{B}', 'A')
    """

    def build(question: Question, at: int, how: str) -> Choice:
        letters = [
            letter
            for letter in question.options
            if right is None or (letter == question.right) == right
        ]
        letter = letters[at % len(letters)]
        text = NAMED[how].format(letter=letter, text=question.options[letter])
        return Choice(question, text, letter, how)

    return st.builds(build, questions(), st.integers(0, 4), st.sampled_from([*NAMED]))


def abstentions() -> st.SearchStrategy[Choice]:
    """Draw completions that name no option, or two: none of them answers.

    >>> from hypothesis import find
    >>> find(abstentions(), lambda it: it.how == "two boxes").completion
    '\\\\boxed{A} \\\\boxed{B}'
    """

    def build(question: Question, how: str) -> Choice:
        other = next(letter for letter in question.options if letter != question.right)
        text = SILENT[how].format(letter=question.right, other=other)
        return Choice(question, text, None, how)

    return st.builds(build, questions(), st.sampled_from([*SILENT]))
