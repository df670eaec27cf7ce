"""Score the rows of a table with a stack, in batches, and add them up.

A stack of pointwise rewards is scored as the rows stream by. A stack that compares the completions
of one prompt needs every row first, since those of a group may stand anywhere in the file.
Either way records come out in the order of the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from rlrewards.columns import Columns, Item, RowReader
from rlrewards.core import Sample, Scores, is_grouped
from rlrewards.outputs import RECORD_COLUMNS, PartialFile, Record
from rlrewards.scoring import verifies
from rlrewards.tables import Row, Table
from rlrewards.tally import Tally

if TYPE_CHECKING:
    from rlrewards.stack import Stack

BATCH_ROWS = 128
# A column that none of the first rows has is taken for misspelt.
PEEK_ROWS = 1000
# How many values of the `by` column are told apart.
BY_VALUES = 1000

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
        by: Numbers of the rows with each value of the `by` column, in order of first appearance;
            of no more than the first 1,000 values, so that memory is bounded.
        by_rest: Numbers of the rows with further values; None when there are none.
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
    tally: Tally = field(init=False)
    by: dict[str | None, Tally] = field(init=False, default_factory=dict)
    by_rest: Tally | None = field(init=False, default=None)
    broken: int = field(init=False, default=0)
    scored: int = field(init=False, default=0)
    seconds: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.tally = Tally(verifies=verifies(self.stack))

    def __call__(self) -> None:
        """Score the rows that the output does not hold yet, and finish it.

        Raises:
            BrokenRowError: a row cannot be scored, and the run is strict.
            ValueError: no row can be scored, the table lacks a column, a reward cannot work with
                its rows, or the output holds something else than an earlier part of this run.
        """
        with (
            nullcontext(0) if self.output is None else self.output.opened(self._identity()) as done
        ):
            begin = perf_counter()
            for batch in self._batches(done):
                if self.output is not None:
                    self.output.append([record for _, record in batch])
                self._add(batch)
                self.scored += len(batch)
                self.seconds = perf_counter() - begin
            if not self.tally.rows:
                raise ValueError(f"{self.table.name}: {self._why_nothing()}")
            if self.output is not None:
                self.output.finish()

    def _identity(self) -> dict[str, Any]:
        """Return what a run must share with another one to go on with its records."""
        columns = {k: name for k, name in vars(self.columns).items() if k not in ("label", "by")}
        return {
            "stack": self.stack.fingerprint(),
            "step": self.step,
            "choice of columns": columns,
        }

    def _why_nothing(self) -> str:
        return f"none of its {self.broken:,} rows can be scored" if self.broken else "holds no rows"

    def _batches(self, done: int) -> Iterator[list[tuple[Item, Record]]]:
        grouped = is_grouped(self.stack)
        reader = RowReader(self.columns, text_cells=self.table.text_cells, group_by_prompt=grouped)
        rows = rows_with_columns(self.table, self.columns.required())
        items = readable_items(rows, reader, self._broken)
        score = partial(self.stack.score, step=self.step)
        if grouped:
            whole = list(items)
            self._add_recorded(iter(whole), done)
            return grouped_records(whole, score, done, unit=self.table.unit)
        self._add_recorded(items, done)
        return pointwise_records(items, score, unit=self.table.unit)

    def _add_recorded(self, items: Iterator[Item], done: int) -> None:
        """Add up the first `done` items with the records that the output holds."""
        if self.output is None or not done:
            return
        for line, record in enumerate(islice(self.output.records(), done), start=2):
            item = next(items, None)
            if item is None or item.number != record["line"]:
                raise self.output.damaged(line)
            self._add([(item, record)])

    def _add(self, batch: Sequence[tuple[Item, Record]]) -> None:
        for item, record in batch:
            self.tally.add(item, record)
            if self.columns.by is not None:
                self._tally_by(item.by).add(item, record)
        self.watcher.advance(len(batch))

    def _tally_by(self, value: str | None) -> Tally:
        """Return the tally of a value; all values beyond the first 1,000 share one."""
        found = self.by.get(value, self.by_rest if len(self.by) >= BY_VALUES else None)
        if found is not None:
            return found
        new = Tally(verifies=self.tally.verifies, examples=0)
        if len(self.by) < BY_VALUES:
            self.by[value] = new
        else:
            self.by_rest = new
        return new

    def _broken(self, number: int, problem: str) -> None:
        self.broken += 1
        if self.strict:
            raise BrokenRowError(f"{self.table.unit} {number}: {problem}")
        self.watcher.broken(number, problem)


def rows_with_columns(table: Table, required: Mapping[str, str]) -> Iterator[Row]:
    """Return the rows of a table, once it has shown the columns that it must have.

    Args:
        table: The rows.
        required: Name of each column, by what it holds.

    Raises:
        ValueError: none of the first 1,000 readable rows has one of the columns.
    """
    rows = iter(table)
    missing = dict(required)
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


def pointwise_records(
    items: Iterable[Item], score: Score, *, unit: str = "row"
) -> Iterator[list[tuple[Item, Record]]]:
    """Score items in batches as they come; `unit` is what their numbers count."""
    for batch in _batches(items):
        yield list(zip(batch, _scored(batch, score, unit), strict=True))


def grouped_records(
    items: Sequence[Item], score: Score, done: int = 0, *, unit: str = "row"
) -> Iterator[list[tuple[Item, Record]]]:
    """Score whole groups, and hand on each row once all rows before it are scored.

    Args:
        items: All items of the table.
        score: Maps samples to their scores.
        done: How many of the first items have a record already; a group that is not wholly among
            them is scored again as a whole.
        unit: What the numbers of the items count.
    """
    records: dict[int, Record] = {}
    for batch in _group_batches(items, done):
        scored = _scored([items[index] for index in batch], score, unit)
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


def _scored(batch: Sequence[Item], score: Score, unit: str) -> list[Record]:
    try:
        scores = score([item.sample for item in batch])
    except (ValueError, TypeError) as error:
        raise _at_culprit(batch, score, unit, error) from error
    return [
        {"line": item.number} | record | {"fingerprint": scores.fingerprint}
        for item, record in zip(batch, scores.to_records(), strict=True)
    ]


def _at_culprit(batch: Sequence[Item], score: Score, unit: str, error: Exception) -> ValueError:
    """Return the error with the number of the first row that it befalls when scored alone."""
    for item in batch:
        try:
            score([item.sample])
        except type(error) as alone:
            why = str(alone).replace("sample 0 of the batch", f"this {unit}")
            return ValueError(f"cannot score {unit} {item.number}: {why}")
        except Exception:
            break
    first, last = min(item.number for item in batch), max(item.number for item in batch)
    return ValueError(f"cannot score {unit}s {first} to {last}: {error}")


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
