"""The reward for being right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from rlrewards.core import Sample
from rlrewards.parameters import require_between, require_method
from rlrewards.rewards.correctness import correctness
from rlrewards.stack import Composable
from rlrewards.verify.verdict import Status, Verdict
from rlrewards.verify.verifier import Verifier, default_verifier


@dataclass(frozen=True, repr=False, kw_only=True)
class Accuracy(Composable):
    r"""`correct` for a right answer, `wrong` for a wrong or missing one.

    A reference that is missing gives None, and so does an answer that the verifier cannot decide
    unless `undecided` says otherwise: what is not the model's fault is never a zero.

    Args:
        verifier: Extracts and compares; one shared verifier by default.
        correct: Score when the verdict is EQUAL.
        wrong: Score when it is DIFFERENT or NO_ANSWER.
        undecided: Score when it is UNDECIDED; None is no opinion.

    Raises:
        ValueError: a score is NaN or infinite.
        TypeError: a score is no number, or the verifier is not a `Verifier`.

    >>> Accuracy()([Sample(r"\boxed{0.5}", reference=r"\frac12"), Sample("?", reference="4")])
    [1.0, 0.0]
    """

    verifier: Verifier = field(default_factory=default_verifier)
    correct: float = 1.0
    wrong: float = 0.0
    undecided: float | None = None

    def __post_init__(self) -> None:
        require_method(self, "verifier", "verdicts")
        for name in ("correct", "wrong"):
            require_between(self, name, -math.inf, math.inf)
        if self.undecided is not None:
            require_between(self, "undecided", -math.inf, math.inf)

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest of the scores."""
        scores = [self.correct, self.wrong, self.undecided]
        known = [float(score) for score in scores if score is not None]
        return min(known), max(known)

    def __call__(self, batch: Sequence[Sample], /) -> list[float | None]:
        """Return the score of each completion, None without a reference."""
        return [self._score(verdict) for verdict in self.verifier.verdicts(batch)]

    def _score(self, verdict: Verdict) -> float | None:
        if verdict.status is Status.UNDECIDED:
            return self.undecided
        right = correctness(verdict)
        return None if right is None else self.correct if right else self.wrong
