"""Laws on completions that really occurred: those that need no case to be made up.

Which rows a trainer batches, in what order and thread, must not matter on real completions either;
and where a label says which are right, the right ones should score above the wrong ones.
"""

from __future__ import annotations

import copy
import random
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeAlias

from rlrewards.columns import Columns, Item, RowReader
from rlrewards.core import Sample
from rlrewards.scoring_run import readable_items, rows_with_columns
from rlrewards.tables import Row, open_table
from rlrewards.testing.law import Effort, NotApplicable, ensure
from rlrewards.testing.laws import every
from rlrewards.testing.subject import Broken, Subject

CHUNK_ROWS = 32
PROBED_ROWS = 16

Body: TypeAlias = Callable[[Subject, list[Sample]], None]


@dataclass(frozen=True)
class Rows:
    """The completions of a file.

    Attributes:
        name: Of the file.
        unit: What row numbers count: "line" or "row".
        items: The rows that can be scored.
        broken: Number and problem of those that cannot.
        more: Whether the file goes on behind them.
    """

    name: str
    unit: str
    items: tuple[Item, ...]
    broken: tuple[tuple[int, str], ...] = ()
    more: bool = False


class _Reader(RowReader):
    """Puts a row without a group into that of its prompt, where it has one."""

    def item(self, row: Row) -> Item:
        try:
            self.group_by_prompt = True
            return super().item(row)
        except ValueError:
            self.group_by_prompt = False
            return super().item(row)


def read_rows(path: str, columns: Columns = Columns(), *, limit: int = 1000) -> Rows:  # noqa: B008
    """Read the first completions of a file; `rlrewards score` reads the same files.

    Args:
        path: JSON lines, CSV, TSV or Parquet.
        columns: Which column is what.
        limit: How many rows are read.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no table, lacks a column, or no row of it can be scored.
    """
    broken: list[tuple[int, str]] = []
    with open_table(path) as table:
        reader = _Reader(columns, text_cells=table.text_cells)
        rows = rows_with_columns(table, columns.required())
        items = [*readable_items(islice(rows, limit), reader, lambda *row: broken.append(row))]
        more = next(iter(rows), None) is not None
        name, unit = table.name, table.unit
    if not items:
        why = f"none of its {len(broken):,} rows can be scored" if broken else "holds no rows"
        raise ValueError(f"{name}: {why}")
    return Rows(name, unit, tuple(items), tuple(broken), more)


@dataclass(frozen=True)
class RowLaw:
    """A law that is tried on given rows, some at a time, and told by the fewest that break it."""

    name: str
    statement: str
    body: Body = field(repr=False)
    rows: Rows = field(repr=False)
    group: str = field(default="data", init=False)

    def applies_to(self, subject: Subject) -> bool:
        """Every reward can be asked."""
        return subject.signature != "verifier"

    def check(self, subject: Subject, effort: Effort = Effort()) -> str:  # noqa: B008
        """Try the law; return how many rows it was tried on.

        Raises:
            Broken: rows break it.
            NotApplicable: the reward cannot be asked about such rows.
        """
        ends = time.monotonic() + effort.seconds
        tried = 0
        for chunk in chunks(self.rows.items, subject):
            if tried and time.monotonic() > ends:
                break
            broken = self._broken(subject, chunk)
            if broken is not None:
                require_usable(subject, self.rows)
                self._raise_smallest(subject, chunk, broken)
            tried += len(chunk)
        return f"{tried:,} of {len(self.rows.items):,} rows"

    def _broken(self, subject: Subject, items: Sequence[Item]) -> Broken | None:
        try:
            self.body(subject, _samples(items))
        except Broken as broken:
            return broken
        return None

    def _raise_smallest(self, subject: Subject, items: list[Item], broken: Broken) -> None:
        """Leave rows out as long as the law stays broken."""
        size = len(items) // 2
        while size:
            for begin in range(0, len(items), size):
                fewer = items[:begin] + items[begin + size :]
                found = self._broken(subject, fewer) if fewer else None
                if found is not None:
                    items, broken = fewer, found
                    break
            else:
                size //= 2
        numbers = ", ".join(str(item.number) for item in items[:8])
        more = f" and {len(items) - 8} more" if len(items) > 8 else ""
        unit = self.rows.unit + ("s" if len(items) > 1 else "")
        raise Broken(f"{broken.why} ({unit} {numbers}{more})", broken.samples, broken.scores)


def chunks(items: Sequence[Item], subject: Subject) -> Iterator[list[Item]]:
    """Yield some rows at a time; all of a prompt together for a reward that compares them."""
    grouped = "grouped" in subject.kinds
    groups: dict[Hashable, list[Item]] = {}
    for index, item in enumerate(items):
        key = item.sample.group if grouped else index
        groups.setdefault(key, []).append(item)
    chunk: list[Item] = []
    for members in groups.values():
        chunk += members
        if len(chunk) >= CHUNK_ROWS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _samples(items: Sequence[Item]) -> list[Sample]:
    """Return copies, so that a reward which changes its samples does not change the next check."""
    return [copy.deepcopy(item.sample) for item in items]


def require_usable(subject: Subject, rows: Rows) -> None:
    """Raise `NotApplicable` when the reward raises whatever row it is asked about.

    The rows then lack what it needs, say token ids.
    """
    why = ""
    for item in rows.items[:PROBED_ROWS]:
        try:
            subject(_samples([item]))
        except Broken as broken:
            why = broken.why
        else:
            return
    raise NotApplicable(f"cannot be asked about these rows: {why}")


def _in_another_order(subject: Subject, batch: list[Sample]) -> None:
    for order in (range(len(batch))[::-1], random.Random(0).sample(range(len(batch)), len(batch))):
        every.order_does_not_matter.body(subject, [(index, batch[index]) for index in order])


def _in_a_thread(subject: Subject, batch: list[Sample]) -> None:
    expected = subject(batch)
    again = copy.deepcopy(batch)
    found = every.in_a_thread(lambda: subject(again))
    ensure(
        every.same_scores(found, expected),
        f"scored {found} in a thread, {expected} in the main one",
        batch,
        found,
    )


_LAWS: tuple[tuple[str, Body], ...] = (
    ("length in is length out", every.length_in_is_length_out.body),
    ("finite or none", every.finite_or_none.body),
    ("inside bounds", every.inside_bounds.body),
    ("order does not matter", _in_another_order),
    ("splitting changes nothing", every.splitting_changes_nothing.body),
    ("equal samples equal scores", every.equal_samples_equal_scores.body),
    ("mutates nothing", every.mutates_nothing.body),
    ("same in a thread", _in_a_thread),
)


def row_laws(rows: Rows) -> tuple[RowLaw | RightAboveWrong, ...]:
    """Return the laws to try on rows; the agreement with labels where there are both sorts."""
    statements = {one.name: one.statement for one in every.LAWS}
    laws = tuple(RowLaw(name, statements[name], body, rows) for name, body in _LAWS)
    labels = {item.label for item in rows.items}
    return (*laws, RightAboveWrong(rows)) if {True, False} <= labels else laws


@dataclass(frozen=True)
class RightAboveWrong:
    """How often a completion labelled right scores above one labelled wrong."""

    rows: Rows = field(repr=False)
    name: str = field(default="right above wrong", init=False)
    statement: str = field(
        default="Completions labelled right score above those labelled wrong, more often than not.",
        init=False,
    )
    group: str = field(default="data", init=False)

    def applies_to(self, subject: Subject) -> bool:
        """Every reward can be asked."""
        return subject.signature != "verifier"

    def check(self, subject: Subject, effort: Effort = Effort()) -> str:  # noqa: B008
        """Return the agreement of scores and labels.

        Raises:
            Broken: an accuracy reward mostly scores the wrong ones above the right ones.
            NotApplicable: no score of one of the two sorts is known.
        """
        right, wrong = self._scored(subject, effort)
        if not right or not wrong:
            require_usable(subject, self.rows)
            raise NotApplicable(
                "no score of completions labelled right, or of those labelled wrong"
            )
        share = agreement([score for score, _ in right], [score for score, _ in wrong])
        lowest, highest = min(right, key=_score), max(wrong, key=_score)
        said = (
            f"a right one scores above a wrong one in {share:.1%} of {len(right):,} × "
            f"{len(wrong):,} pairs (ties count half); the lowest right {lowest[0]:g} "
            f"({self.rows.unit} {lowest[1].number}), the highest wrong {highest[0]:g} "
            f"({self.rows.unit} {highest[1].number})"
        )
        if share < 0.5 and "accuracy" in subject.kinds:
            samples = (lowest[1].sample, highest[1].sample)
            raise Broken(said, samples, (lowest[0], highest[0]))
        return said

    def _scored(
        self, subject: Subject, effort: Effort
    ) -> tuple[list[tuple[float, Item]], list[tuple[float, Item]]]:
        ends = time.monotonic() + effort.seconds
        right: list[tuple[float, Item]] = []
        wrong: list[tuple[float, Item]] = []
        for chunk in chunks(self.rows.items, subject):
            if (right or wrong) and time.monotonic() > ends:
                break
            try:
                scores = subject(_samples(chunk))
            except Broken:
                continue  # another law tells
            for score, item in zip(scores, chunk, strict=True):
                if score is not None and item.label is not None:
                    (right if item.label else wrong).append((score, item))
        return right, wrong


def agreement(right: Sequence[float], wrong: Sequence[float]) -> float:
    """Return the share of pairs in which the right one scores above; a tie is half a pair.

    >>> agreement([1.0, 1.0, 0.0], [0.0])
    0.8333333333333334
    """
    below = sorted(wrong)
    won = sum(bisect_left(below, score) + bisect_right(below, score) for score in right) / 2
    return won / (len(right) * len(wrong))


def _score(scored: tuple[float, Item]) -> float:
    return scored[0]
