"""Whether a verdict makes a completion right, wrong, or neither: decided here and nowhere else."""

from __future__ import annotations

from rlrewards.verify.verdict import Status, Verdict

_CORRECT: dict[Status, bool | None] = {
    Status.EQUAL: True,
    Status.DIFFERENT: False,
    Status.NO_ANSWER: False,
    Status.UNDECIDED: None,
    Status.NO_REFERENCE: None,
}


def correctness(verdict: Verdict) -> bool | None:
    """Return True for EQUAL, False for DIFFERENT and NO_ANSWER, None for the rest.

    An answer that is missing is the model's fault and is wrong. A reference that is missing, or a
    comparison that could not be settled, is not, and gives no opinion.

    >>> correctness(Verdict(Status.NO_ANSWER)), correctness(Verdict(Status.UNDECIDED))
    (False, None)
    """
    return _CORRECT[verdict.status]
