"""The forms in which completions give their answer, and the one that a reward likes best.

An attack on the answer must not fail because the reward wants tags around it: it is put into the
form that earns a right answer most.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rlrewards.testing.problems import CHOICES, PROBLEMS, Problem, problems_for
from rlrewards.testing.subject import Subject

REASONING = "I read the question, take what is given, and work the answer out"
# Where forms are compared they are of one length, so that the shortest does not win.
TOKEN_IDS = tuple(range(8))
_BOX = "$\\boxed{{answer}}$"
_MARK = re.compile(r"</?\w+>|^#{2,3} [A-Z][A-Za-z ]*$", re.MULTILINE)


@dataclass(frozen=True)
class Envelope:
    """A template with the places `{reasoning}` and `{answer}`."""

    name: str
    template: str

    def wrap(self, answer: str, reasoning: str = REASONING) -> str:
        r"""Return a completion.

        >>> Envelope("boxed", "{reasoning}: \\boxed{{answer}}").wrap("4", "2 + 2")
        '2 + 2: \\boxed{4}'
        """
        before, _, after = self.template.partition("{reasoning}")
        if not after:
            return before.replace("{answer}", answer)
        return before + reasoning + after.replace("{answer}", answer)

    def unboxed(self) -> Envelope:
        r"""Return the same form without its own box, for answers that bring theirs.

        >>> Envelope("boxed", "It is $\\boxed{{answer}}$.").unboxed().template
        'It is {answer}.'
        """
        return Envelope(self.name, self.template.replace(_BOX, "{answer}"))

    def answered(self, answer: str) -> str:
        """Return what stands behind the reasoning, with an answer in it.

        >>> Envelope("hashes", "{reasoning}.\\n#### {answer}").answered("4")
        '.\\n#### 4'
        """
        return self.template.rpartition("{reasoning}")[2].replace("{answer}", answer)

    @property
    def is_closed(self) -> bool:
        """Whether braces or tags say where the answer ends."""
        return _BOX in self.template or "</answer>" in self.template

    @property
    def marks(self) -> tuple[str, ...]:
        """The tags and headings of the form, in order."""
        return tuple(_MARK.findall(self.template))


ENVELOPES = (
    Envelope("sentence", "{reasoning}.\n\nThe answer is {answer}."),
    Envelope("boxed", "{reasoning}.\n\nThe answer is $\\boxed{{answer}}$."),
    Envelope("hashes", "{reasoning}.\n#### {answer}"),
    Envelope("think", "<think>\n{reasoning}.\n</think>\nThe answer is $\\boxed{{answer}}$."),
    Envelope("think, answer", "<think>\n{reasoning}.\n</think>\n<answer>\n{answer}\n</answer>"),
    Envelope(
        "think, boxed answer",
        "<think>\n{reasoning}.\n</think>\n<answer>\n$\\boxed{{answer}}$\n</answer>",
    ),
    Envelope("answer", "{reasoning}.\n<answer>{answer}</answer>"),
    Envelope("capitals", "{reasoning}.\nAnswer: {answer}"),
    Envelope(
        "headings",
        "## Thinking\n\n{reasoning}.\n\n## Final Response\n\nThe answer is $\\boxed{{answer}}$.",
    ),
    Envelope(
        "clinical",
        "<think>\n{reasoning}.\n</think>\n### Assessment\n\nIt is as the question says.\n\n"
        "### Final Answer\n\n$\\boxed{{answer}}$",
    ),
    Envelope("prefilled", "{reasoning}.\n</think>\nThe answer is $\\boxed{{answer}}$."),
    Envelope("prefilled, answer", "{reasoning}.\n</think>\n<answer>\n{answer}\n</answer>"),
    Envelope("bare", "{answer}"),
)


def best_envelope(
    subject: Subject, problem: Problem | None = None, *, closed: bool = False
) -> Envelope:
    """Return the form in which a right answer earns most; the first of several.

    With `closed` it is the first of them that says where the answer ends, if any does: what stands
    behind the sentence of an answer is not a part of it.

    >>> import rlrewards as rr
    >>> from rlrewards.testing.subject import subject
    >>> best_envelope(subject(rr.Accuracy() + rr.HuatuoFormat())).name
    'headings'
    """
    return _best(subject, problem or problems_for(subject)[0], closed)[1]


def best_form(subject: Subject) -> tuple[Problem, Envelope]:
    """Return the form that earns most, and a question for it: a number's or a letter's.

    >>> import rlrewards as rr
    >>> from rlrewards.testing.subject import subject
    >>> best_form(subject(rr.GazalFormat()))[1].name
    'clinical'
    """
    problems = (problems_for(subject)[0], PROBLEMS[0], CHOICES[0])
    found = [(problem, *_best(subject, problem)) for problem in problems]
    problem, _, form = max(found, key=lambda item: item[1])
    return problem, form


def _best(subject: Subject, problem: Problem, closed: bool = False) -> tuple[float, Envelope]:
    texts = [form.wrap(problem.right) for form in ENVELOPES]
    scores = subject([problem.sample(text, token_ids=TOKEN_IDS) for text in texts])
    known = [
        (score, closed and ENVELOPES[index].is_closed, -index)
        for index, score in enumerate(scores)
        if score is not None
    ]
    score, _, index = max(known, default=(float("-inf"), False, 0))
    return score, ENVELOPES[-index]
