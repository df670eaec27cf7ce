"""The words in which verification speaks: what was answered, and whether it is the reference.

`Answer` is what extraction found in a completion; `Verdict` is what became of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple


class Status(StrEnum):
    """Outcome of a verification."""

    EQUAL = "EQUAL"
    DIFFERENT = "DIFFERENT"
    NO_ANSWER = "NO_ANSWER"
    NO_REFERENCE = "NO_REFERENCE"
    UNDECIDED = "UNDECIDED"


class Tier(StrEnum):
    """Rung of the ladder that decided, the cheapest first."""

    STRING = "string"
    EXACT = "exact"
    NUMERIC = "numeric"
    SYMBOLIC = "symbolic"
    TEXT = "text"
    CHOICE = "choice"
    JUDGE = "judge"


class Answer(NamedTuple):
    r"""A final answer found in a completion.

    Attributes:
        text: The answer as it stands, without the markup that set it off.
        span: Where the text came from: `completion[start:stop]` (for a list of boxes, from the
            first to the last).
        rule: Name of the rule that found it, such as `boxed` or `answer_tag`.
    """

    text: str
    span: tuple[int, int]
    rule: str


class Verdict(NamedTuple):
    """Whether an answer is the reference, what decided, and why.

    `bool(verdict)` is True for EQUAL alone.

    Attributes:
        status: One of EQUAL, DIFFERENT, NO_ANSWER, NO_REFERENCE, UNDECIDED.
        tier: What decided; None when nothing was compared.
        why: The reason in a few words.
        answer: Text of the candidate; None when none was found.
        reference: What the candidate was compared with.

    >>> bool(Verdict(Status.EQUAL, Tier.EXACT, "both are 1/2"))
    True
    """

    status: Status
    tier: Tier | None = None
    why: str = ""
    answer: str | None = None
    reference: str | Sequence[str] | None = None

    def __bool__(self) -> bool:
        return self.status is Status.EQUAL

    def to_dict(self) -> dict[str, Any]:
        """Return plain strings, ready for JSON."""
        reference = self.reference
        return {
            "status": self.status.value,
            "tier": None if self.tier is None else self.tier.value,
            "why": self.why,
            "answer": self.answer,
            "reference": reference
            if reference is None or isinstance(reference, str)
            else [*reference],
        }
