"""What a run of scoring adds up to: means, verdicts, labels, row by row, in constant memory.

`Tally.add` takes one scored row; the properties are the numbers of the summary.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from rlrewards.columns import Item
from rlrewards.metrics import Interval, wilson_interval
from rlrewards.outputs import RECORD_COLUMNS, Record
from rlrewards.verify.verdict import Status

EXAMPLES = 10


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
    """Counts and means of the rows so far."""

    rows: int = 0
    means: dict[str, Mean] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
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
        status = record["verdict_status"]
        if status is not None:
            self._add_verdict(item, record, status)

    def _add_verdict(self, item: Item, record: Record, status: str) -> None:
        self.statuses[status] += 1
        if item.label is not None:
            self.confusions[item.label, status] += 1
        if status == Status.UNDECIDED:
            self.undecided_reasons[record["verdict_why"]] += 1
            _keep(self.undecided, item, record)
        elif is_confused(item.label, status):
            _keep(self.confused, item, record)

    @property
    def graded(self) -> int:
        """Rows that could be graded: those with a verdict other than NO_REFERENCE."""
        return self.statuses.total() - self.statuses[Status.NO_REFERENCE]

    @property
    def correct(self) -> int:
        """Rows whose verdict is EQUAL."""
        return self.statuses[Status.EQUAL]

    @property
    def accuracy(self) -> float | None:
        """EQUAL as a share of the graded rows, so that UNDECIDED counts as not right."""
        return self.correct / self.graded if self.graded else None

    @property
    def interval(self) -> Interval | None:
        """95 % Wilson interval of the accuracy."""
        return wilson_interval(self.correct, self.graded) if self.graded else None

    def labelled(self, label: bool) -> int:
        """Return how many rows with a verdict carry this label."""
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
    if label is None or status in (Status.UNDECIDED, Status.NO_REFERENCE):
        return False
    return label is not (status == Status.EQUAL)


def _keep(examples: list[Example], item: Item, record: Record) -> None:
    """Keep the first few rows."""
    if len(examples) < EXAMPLES:
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
