"""What checks found: a finding for each law or attack, and the report that holds them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from rlrewards.core import Sample

SHOWN_CHARACTERS = 300


class Outcome(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    STOPPED = "stopped"  # no answer in time; killed
    SKIPPED = "skipped"  # does not apply, or a fact is missing
    UNREACHED = "not reached"  # the time for all checks was over


@dataclass(frozen=True)
class Finding:
    """How one law or attack ended on one reward.

    Attributes:
        check: Name of the law or attack.
        group: `"law"` or `"attack"`.
        subject: Name of the reward.
        statement: What should hold.
        outcome: How it ended.
        why: What happened, or why it was skipped.
        samples: The smallest batch that shows it.
        scores: What the reward gave them.
        case: What shows it where that is no samples: the tensors of an objective, as text.
        seconds: How long the check took; not compared.
    """

    check: str
    group: str
    subject: str
    statement: str
    outcome: Outcome
    why: str = ""
    samples: tuple[Sample, ...] = ()
    scores: tuple[float | None, ...] = ()
    case: str = field(default="", kw_only=True)
    seconds: float = field(default=0.0, compare=False)

    @property
    def broken(self) -> bool:
        """Whether it failed or was stopped."""
        return self.outcome in (Outcome.FAILED, Outcome.STOPPED)

    def to_dict(self) -> dict[str, Any]:
        """Return it as what JSON can hold."""
        return {
            "check": self.check,
            "group": self.group,
            "subject": self.subject,
            "statement": self.statement,
            "outcome": str(self.outcome),
            "why": self.why,
            "samples": [shown_fields(sample) for sample in self.samples],
            "scores": [*self.scores],
            "case": self.case,
            "seconds": round(self.seconds, 3),
        }

    def __str__(self) -> str:
        why = printable(self.why)
        lines = [f"{printable(self.subject)}: {self.group} “{self.check}” {self.outcome}: {why}"]
        if self.broken:
            lines.append(f"  {self.statement}")
        for index, sample in enumerate(self.samples):
            score = f"  → {self.scores[index]}" if index < len(self.scores) else ""
            given = ", ".join(f"{name}={value}" for name, value in _brief(sample).items())
            lines.append(f"  {given}{score}")
        lines += [f"  {line}" for line in self.case.splitlines()]
        return "\n".join(lines)


@dataclass(frozen=True)
class Report:
    """What all checks found on a reward.

    Attributes:
        subject: Name of the reward.
        findings: In the order of the checks.
        seed: With which cases were drawn.
    """

    subject: str
    findings: tuple[Finding, ...]
    seed: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing failed and nothing was stopped."""
        return not self.failures

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The findings that failed or were stopped."""
        return tuple(finding for finding in self if finding.broken)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __str__(self) -> str:
        counts = Counter(finding.outcome for finding in self)
        left = counts[Outcome.UNREACHED]
        tried = len(self) - counts[Outcome.SKIPPED] - left
        head = (
            f"{self.subject}: {tried} checks, {len(self.failures)} failed, "
            f"{counts[Outcome.SKIPPED]} skipped{f', {left} not reached' if left else ''} "
            f"(seed {self.seed})"
        )
        return "\n".join([head, *map(str, self.failures)])

    def raise_for_failures(self) -> None:
        """Raise AssertionError, with the smallest cases, when something failed."""
        if not self.ok:
            raise AssertionError(str(self))


def shown_fields(sample: Sample) -> dict[str, Any]:
    """Return the fields of a sample that are set, as what JSON can hold."""
    values = {
        "completion": sample.completion,
        "reference": sample.reference,
        "prompt": sample.prompt,
        "token_ids": None if sample.token_ids is None else [*sample.token_ids],
        "options": None if sample.options is None else dict(sample.options),
        "group": None if sample.group is None else str(sample.group),
        "truncated": sample.truncated,
        "extra": dict(sample.extra) or None,
    }
    return {name: value for name, value in values.items() if value is not None}


def _brief(sample: Sample) -> dict[str, str]:
    """Return the fields that a line of a report shows, cut to a readable length."""
    fields = shown_fields(sample)
    fields.pop("prompt", None)
    if sample.token_ids is not None and len(sample.token_ids) > 12:
        fields["token_ids"] = f"<{len(sample.token_ids):,} ids>"
    return {name: cut(value if name == "token_ids" else repr(value)) for name, value in
            fields.items()}  # fmt: skip


def printable(text: str) -> str:
    r"""Return text in one line, what cannot be seen or steers a terminal written as an escape.

    >>> printable("a\tb\x1b[31m")
    'a\\tb\\x1b[31m'
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def cut(value: object) -> str:
    """Return a text, the middle of a long one left out."""
    text = str(value)
    if len(text) <= SHOWN_CHARACTERS:
        return text
    half = SHOWN_CHARACTERS // 2
    return f"{text[:half]} … ({len(text) - 2 * half:,} characters) … {text[-half:]}"
