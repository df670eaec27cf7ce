"""Score the rows of a table with a stack, in batches, and add them up.

A stack of pointwise rewards is scored as the rows stream by. A stack that compares the completions
of one prompt needs every row first, since those of a group may stand anywhere in the file.
Either way records come out in the order of the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from time import perf_counter
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from rlrewards.columns import Columns, Item, RowReader
from rlrewards.core import Sample, Scores, is_grouped
from rlrewards.outputs import RECORD_COLUMNS, PartialFile, Record
from rlrewards.tables import Row, Table
from rlrewards.tally import Tally

if TYPE_CHECKING:
    from rlrewards.stack import Stack

BATCH_ROWS = 128
# A column that none of the first rows has is taken for misspelt.
PEEK_ROWS = 1000

Score: TypeAlias = Callable[[Sequence[Sample]], Scores]
T = TypeVar("T")


class BrokenRowError(Exception):
    """A row that cannot be scored, in a strict run."""


class Watcher(Protocol):
    """Who hears how a run goes."""

    def advance(self, rows: int) -> None:
        """Hear that this many further rows are scored."""
        ...

    def broken(self, number: int, problem: str) -> None:
        """Hear that a row cannot be scored."""
        ...


@dataclass
class ScoringRun:
    """One table scored with one stack.

    Args:
        table: The rows.
        columns: Which column is what.
        stack: The rewards.
        step: Training step that weight schedules are asked for.
        strict: Whether a broken row ends the run.
        output: Where records are kept; None to keep none.
        watcher: Who hears how the run goes.

    Attributes:
        tally: Numbers of all rows.
        by: Numbers of the rows with each value of the `by` column, in order of first appearance.
        broken: How many rows could not be scored.
        scored: How many rows were scored now, not by the run that this one resumes.
        seconds: How long that took.
    """

    table: Table
    columns: Columns
    stack: Stack
    step: int
    strict: bool
    output: PartialFile | None
    watcher: Watcher
    tally: Tally = field(default_factory=Tally)
    by: dict[str | None, Tally] = field(default_factory=dict)
    broken: int = 0
    scored: int = 0
    seconds: float = 0.0

    def __call__(self, done: int = 0) -> None:
        """Score all rows but the first `done`, whose records the output holds already.

        Raises:
            BrokenRowError: a row cannot be scored, and the run is strict.
            ValueError: the table lacks a column, or a reward cannot work with its rows.
        """
        begin = perf_counter()
        for batch in self._batches(done):
            if self.output is not None:
                self.output.append([record for _, record in batch])
            self._add(batch)
            self.scored += len(batch)
            self.seconds = perf_counter() - begin

    def _batches(self, done: int) -> Iterator[list[tuple[Item, Record]]]:
        grouped = is_grouped(self.stack)
        reader = RowReader(self.columns, text_cells=self.table.text_cells, group_by_prompt=grouped)
        rows = rows_with_columns(self.table, self.columns)
        items = readable_items(rows, reader, self._broken)
        score = partial(self.stack.score, step=self.step)
        if grouped:
            whole = list(items)
            self._add_recorded(iter(whole), done)
            return grouped_records(whole, score, done)
        self._add_recorded(items, done)
        return pointwise_records(items, score)

    def _add_recorded(self, items: Iterator[Item], done: int) -> None:
        """Add up the first `done` items with the records that the output holds."""
        if self.output is None or not done:
            return
        for record, item in zip(islice(self.output.records(), done), items, strict=False):
            self._add([(item, record)])

    def _add(self, batch: Sequence[tuple[Item, Record]]) -> None:
        for item, record in batch:
            self.tally.add(item, record)
            if self.columns.by is not None:
                self.by.setdefault(item.by, Tally()).add(item, record)
        self.watcher.advance(len(batch))

    def _broken(self, number: int, problem: str) -> None:
        self.broken += 1
        if self.strict:
            raise BrokenRowError(f"{self.table.unit} {number}: {problem}")
        self.watcher.broken(number, problem)


def rows_with_columns(table: Table, columns: Columns) -> Iterator[Row]:
    """Return the rows of a table, once it has shown the columns that it must have.

    Raises:
        ValueError: none of the first 1,000 readable rows has one of the columns.
    """
    rows = iter(table)
    missing = columns.required()
    seen: dict[str, None] = {}
    head: list[Row] = []
    for row in islice(rows, PEEK_ROWS):
        head.append(row)
        seen |= dict.fromkeys(row.values)
        missing = {what: name for what, name in missing.items() if name not in row.values}
        if not missing:
            break
    if missing and seen:
        what, name = next(iter(missing.items()))
        raise ValueError(
            f"{table.name}: no column {name!r} for --{flag(what)}; columns found: {', '.join(seen)}"
        )
    return chain(head, rows)


def flag(what: str) -> str:
    """Return the option that names a column.

    >>> flag("token_ids")
    'token-ids-column'
    """
    return "by" if what == "by" else f"{what.replace('_', '-')}-column"


def readable_items(
    rows: Iterable[Row], reader: RowReader, on_broken: Callable[[int, str], None]
) -> Iterator[Item]:
    """Return the rows that can be scored; tell `on_broken` the number and problem of others."""
    for row in rows:
        problem = row.problem
        if not problem:
            try:
                item = reader.item(row)
            except ValueError as error:
                problem = str(error)
        if problem:
            on_broken(row.number, problem)
        else:
            yield item


def pointwise_records(items: Iterable[Item], score: Score) -> Iterator[list[tuple[Item, Record]]]:
    """Score items in batches as they come."""
    for batch in _batches(items):
        yield list(zip(batch, _scored(batch, score), strict=True))


def grouped_records(
    items: Sequence[Item], score: Score, done: int = 0
) -> Iterator[list[tuple[Item, Record]]]:
    """Score whole groups, and hand on each row once all rows before it are scored.

    Args:
        items: All items of the table.
        score: Maps samples to their scores.
        done: How many of the first items have a record already; a group that is not wholly among
            them is scored again as a whole.
    """
    records: dict[int, Record] = {}
    for batch in _group_batches(items, done):
        scored = _scored([items[index] for index in batch], score)
        records |= {index: new for index, new in zip(batch, scored, strict=True) if index >= done}
        ready = []
        while done in records:
            ready.append((items[done], records.pop(done)))
            done += 1
        if ready:
            yield ready


def _group_batches(items: Sequence[Item], done: int) -> Iterator[list[int]]:
    """Return the indices of groups with an item from `done` on, several small groups at once."""
    groups: dict[Hashable, list[int]] = {}
    for index, item in enumerate(items):
        groups.setdefault(item.sample.group, []).append(index)
    batch: list[int] = []
    for members in groups.values():
        if members[-1] >= done:
            batch += members
        if len(batch) >= BATCH_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


def _scored(batch: Sequence[Item], score: Score) -> list[Record]:
    try:
        scores = score([item.sample for item in batch])
    except (ValueError, TypeError) as error:
        first, last = min(item.number for item in batch), max(item.number for item in batch)
        raise ValueError(f"cannot score rows {first} to {last}: {error}") from error
    return [
        {"line": item.number} | record | {"fingerprint": scores.fingerprint}
        for item, record in zip(batch, scores.to_records(), strict=True)
    ]


def require_column_names(stack: Stack) -> None:
    """Check that a stack's parts make columns of an output file.

    Raises:
        ValueError: it has no part, or one has the name of another column.
    """
    if not stack.parts:
        raise ValueError("holds no reward; add a [rewards.NAME] table")
    for part in stack.parts:
        if part.name in RECORD_COLUMNS:
            raise ValueError(f"the output has a column {part.name!r} already; rename that reward")


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    source = iter(items)
    while batch := list(islice(source, BATCH_ROWS)):
        yield batch
