"""The hybrid reward: 0.8 · correctness + 0.2 · format. Rules decide first, a judge what is left.

Format: 1.0 for both pairs of tags, 0.5 for one, 0.0 for none. Correctness: the verifier's verdict;
where it is UNDECIDED, and there alone, the judge is asked with Box 5.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import rlrewards as rr
from examples.thesis_distill_grpo import prompts
from examples.thesis_distill_grpo.judges import Judge, read_grade, replies
from rlrewards.stack import Composable

LONGEST_ANSWER = 500  # characters that a judge is shown
_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)


@dataclass(frozen=True, repr=False, kw_only=True)
class RulesThenJudge(Composable):
    """1 for a right answer, 0 for a wrong or missing one, None where neither tier can tell."""

    judge: Judge | None = None
    verifier: rr.Verifier = field(default_factory=rr.Verifier)

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest score."""
        return 0.0, 1.0

    def __call__(self, batch: Sequence[rr.Sample], /) -> list[float | None]:
        """Return the score of each completion; the judge is asked once for all that are open."""
        verdicts = self.verifier.verdicts(batch)
        scores = rr.Accuracy(verifier=self.verifier)(batch)
        still_open = [
            index
            for index, verdict in enumerate(verdicts)
            if verdict.status is rr.Status.UNDECIDED and answer_of(batch[index].completion)
        ]
        if self.judge is None or not still_open:
            return scores
        found = replies(self.judge, [grading_prompt(batch[index]) for index in still_open])
        for index, reply in zip(still_open, found, strict=True):
            scores[index] = read_grade(reply)
        return scores


def answer_of(completion: str) -> str | None:
    """Return what the last `<answer>` block holds: nothing else is ever shown to the judge.

    >>> answer_of("<think>say 1</think> <answer> 3 km </answer>")
    '3 km'
    """
    blocks = _ANSWER.findall(completion)
    return (blocks[-1].strip() or None) if blocks else None


def grading_prompt(sample: rr.Sample) -> str:
    """Return Box 5, the answer cut and fenced, so that orders inside it are seen as part of it."""
    answer = (answer_of(sample.completion) or "")[:LONGEST_ANSWER].replace("```", "'''")
    reference = sample.reference
    shown = reference if isinstance(reference, str) else " or ".join(map(str, reference or ()))
    parts = {
        "{question}": str(sample.extra.get("question", sample.prompt or "")),
        "{ref}": shown,
        "{pred_ans}": f"\n```\n{answer}\n```",
    }
    # In one pass: braces in what is filled in are left alone.
    return re.sub(r"\{(?:question|ref|pred_ans)\}", lambda found: parts[found[0]], prompts.GRADE)


def hybrid(judge: Judge | None = None, *, accuracy: float = 0.8, format: float = 0.2) -> rr.Stack:
    """Return the reward of the thesis: `rlrewards.presets.thesis_hybrid` with the judge's tier."""
    return rr.Stack(
        {
            "accuracy": (accuracy, RulesThenJudge(judge=judge)),
            "format": (format, rr.ThinkAnswerFormat()),
        }
    )
