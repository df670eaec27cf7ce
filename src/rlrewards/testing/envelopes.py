"""The forms in which completions give their answer, and the one that a reward likes best.

An attack on the answer must not fail because the reward wants tags around it: it is put into the
form that earns a right answer most.
"""

from __future__ import annotations

from dataclasses import dataclass

from rlrewards.testing.problems import Problem, problems_for
from rlrewards.testing.subject import Subject

REASONING = "I read the question, take what is given, and work the answer out"


@dataclass(frozen=True)
class Envelope:
    """A template with the places `{reasoning}` and `{answer}`."""

    name: str
    template: str

    def wrap(self, answer: str, reasoning: str = REASONING) -> str:
        """Return a completion.

        >>> Envelope("boxed", "So \\\\boxed{answer}.".replace("{answer}", "{{answer}}")).name
        'boxed'
        """
        return self.template.replace("{answer}", answer).replace("{reasoning}", reasoning)


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
)


def best_envelope(subject: Subject, problem: Problem | None = None) -> Envelope:
    """Return the form in which a right answer earns most; the first of several.

    >>> import rlrewards as rr
    >>> from rlrewards.testing.subject import subject
    >>> best_envelope(subject(rr.Accuracy() + rr.HuatuoFormat())).name
    'headings'
    """
    problem = problem or problems_for(subject)[0]
    scores = subject([problem.sample(form.wrap(problem.right)) for form in ENVELOPES])
    known = [(score, -index) for index, score in enumerate(scores) if score is not None]
    return ENVELOPES[-max(known)[1]] if known else ENVELOPES[0]
