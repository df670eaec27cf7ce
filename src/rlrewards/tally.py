"""What a run of scoring adds up to: means, verdicts, labels, row by row, in bounded memory.

`Tally.add` takes one scored row; the properties are the numbers of the summary.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rlrewards.columns import Item
from rlrewards.metrics import Interval, wilson_interval
from rlrewards.outputs import RECORD_COLUMNS, Record
from rlrewards.verify.verdict import Status

EXAMPLES = 10
# Stands beside the statuses: a row whose verifying reward was shut out by a gate.
NOT_VERIFIED = "not verified"
# How many reasons for UNDECIDED are told apart, and the name of the rest.
REASONS = 100
OTHER_REASONS = "(other reasons)"
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


@dataclass
class Mean:
    """A running mean of the rows that have an opinion, and a count of those that have none."""

    total: float = 0.0
    count: int = 0
    none: int = 0

    def add(self, value: float | None) -> None:
        """Take one value."""
        if value is None:
            self.none += 1
        else:
            self.total += value
            self.count += 1

    @property
    def value(self) -> float | None:
        """The mean; None when no row has an opinion."""
        return self.total / self.count if self.count else None


@dataclass(frozen=True)
class Example:
    """A row worth showing: an undecided verdict, or one that contradicts its label."""

    number: int
    status: str
    why: str
    answer: str | None
    reference: Any
    label: bool | None


@dataclass
class Tally:
    """Counts and means of the rows so far.

    Attributes:
        verifies: Whether the stack verifies, so that a row without a verdict was shut out.
        examples: How many rows of each kind are kept to be shown.
        statuses: Rows by the status of their verdict, or `NOT_VERIFIED`.
        shut_out: Rows that have a reference and yet no verdict.
        confusions: Labelled rows by label and status.
    """

    verifies: bool = True
    examples: int = EXAMPLES
    rows: int = 0
    means: dict[str, Mean] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    shut_out: int = 0
    confusions: Counter[tuple[bool, str]] = field(default_factory=Counter)
    undecided: list[Example] = field(default_factory=list)
    confused: list[Example] = field(default_factory=list)
    undecided_reasons: Counter[str] = field(default_factory=Counter)

    def add(self, item: Item, record: Record) -> None:
        """Take one row and its record."""
        self.rows += 1
        for name, value in record.items():
            if name == "total" or name not in RECORD_COLUMNS:
                self.means.setdefault(name, Mean()).add(value)
        if self.verifies:
            self._add_verdict(item, record, record["verdict_status"] or NOT_VERIFIED)

    def _add_verdict(self, item: Item, record: Record, status: str) -> None:
        self.statuses[status] += 1
        if item.label is not None:
            self.confusions[item.label, status] += 1
        if status == NOT_VERIFIED:
            self.shut_out += _is_given(item.sample.reference)
        elif status == Status.UNDECIDED:
            self._count_reason(reason_kind(record["verdict_why"]))
            self._keep(self.undecided, item, record)
        elif is_confused(item.label, status):
            self._keep(self.confused, item, record)

    def _count_reason(self, kind: str) -> None:
        known = kind in self.undecided_reasons or len(self.undecided_reasons) < REASONS
        self.undecided_reasons[kind if known else OTHER_REASONS] += 1

    def _keep(self, examples: list[Example], item: Item, record: Record) -> None:
        """Keep the first few rows."""
        if len(examples) < self.examples:
            examples.append(
                Example(
                    number=item.number,
                    status=record["verdict_status"],
                    why=record["verdict_why"],
                    answer=record["verdict_answer"],
                    reference=item.sample.reference,
                    label=item.label,
                )
            )

    @property
    def graded(self) -> int:
        """Rows with a reference: those with a verdict other than NO_REFERENCE, or shut out."""
        ungraded = self.statuses[Status.NO_REFERENCE] + self.statuses[NOT_VERIFIED]
        return self.statuses.total() - ungraded + self.shut_out

    @property
    def correct(self) -> int:
        """Rows whose verdict is EQUAL."""
        return self.statuses[Status.EQUAL]

    @property
    def accuracy(self) -> float | None:
        """EQUAL as a share of the graded rows: all that is not EQUAL counts as not right."""
        return self.correct / self.graded if self.graded else None

    @property
    def interval(self) -> Interval | None:
        """95 % Wilson interval of the accuracy."""
        return wilson_interval(self.correct, self.graded) if self.graded else None

    def labelled(self, label: bool) -> int:
        """Return how many rows carry this label."""
        return sum(count for (found, _), count in self.confusions.items() if found is label)

    def confused_count(self, label: bool) -> int:
        """Return how many rows with this label have a verdict that contradicts it."""
        return sum(
            count
            for (found, status), count in self.confusions.items()
            if found is label and is_confused(found, status)
        )


def is_confused(label: bool | None, status: str) -> bool:
    """Whether a verdict contradicts a label; one that decides nothing does not.

    >>> is_confused(True, "DIFFERENT"), is_confused(True, "UNDECIDED")
    (True, False)
    """
    if label is None or status in (Status.UNDECIDED, Status.NO_REFERENCE, NOT_VERIFIED):
        return False
    return label is not (status == Status.EQUAL)


def is_graded(reference: str | Sequence[str] | None, status: str | None) -> bool:
    """Whether a row counts in the accuracy: it has a reference, and it may be right or wrong.

    >>> is_graded("4", "UNDECIDED"), is_graded("4", None), is_graded(None, "NO_REFERENCE")
    (True, True, False)
    """
    if status is None or status == NOT_VERIFIED:
        return _is_given(reference)
    return status != Status.NO_REFERENCE


def reason_kind(why: str) -> str:
    """Return a verdict's reason without what differs from row to row.

    That is the text before the first colon, and what stands in quotes.

    >>> reason_kind("other words: 'a cat' for 'a dog'"), reason_kind("units 'm' and 'h'")
    ('other words', "units '…' and '…'")
    """
    return _QUOTED.sub("'…'", why).partition(":")[0]


def _is_given(reference: str | Sequence[str] | None) -> bool:
    several = [reference] if isinstance(reference, str) else reference or ()
    return any(one.strip() for one in several)
