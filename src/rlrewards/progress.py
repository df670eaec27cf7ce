"""How a long run shows on standard error: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from rlrewards.tables import Table

SECONDS_BETWEEN_LINES = 10.0
BROKEN_ROWS_SHOWN = 10


class ScoringProgress:
    """Shows how far the reading of a table has come, and the rows that are broken.

    Args:
        table: The table that is read; the bar follows its position.
        quiet: Whether to show nothing but broken rows.
    """

    def __init__(self, table: Table, *, quiet: bool = False) -> None:
        self._table = table
        self._quiet = quiet
        self._rows = 0
        self._broken = 0
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._begin = self._last_line = monotonic()

    def __enter__(self) -> ScoringProgress:
        if not self._quiet and sys.stderr is not None and sys.stderr.isatty():
            self._bar = _bar()
            self._task = self._bar.add_task("scoring", total=self._table.size, rows=0)
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        hidden = self._broken - BROKEN_ROWS_SHOWN
        if hidden > 0:
            say(f"… and {hidden:,} more broken rows")

    def advance(self, rows: int) -> None:
        """Show that this many further rows are scored."""
        self._rows += rows
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self._table.position(), rows=self._rows)
        elif not self._quiet and monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = monotonic()
            rate = self._rows / (self._last_line - self._begin)
            say(f"{self._rows:,} rows{self._share()}, {rate:,.0f} a second")

    def broken(self, number: int, problem: str) -> None:
        """Show a row that cannot be scored; only the first few of many."""
        self._broken += 1
        if self._broken > BROKEN_ROWS_SHOWN:
            return
        text = f"{self._table.name}: {self._table.unit} {number}: {one_line(problem)}"
        if self._bar is not None:
            self._bar.console.print(text, soft_wrap=True)
        else:
            say(text)

    def _share(self) -> str:
        size = self._table.size
        return f" ({self._table.position() / size:.0%} of the file)" if size else ""


def say(text: str) -> None:
    """Write a line to standard error, if anybody can read it there."""
    if sys.stderr is None:  # closed by the shell: `2>&-`
        return
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        silence(sys.stderr)


def silence(stream: TextIO) -> None:
    """Let what is still to be written to a stream that nobody reads go nowhere.

    Otherwise Python fails once more when it flushes the stream at exit.
    """
    with suppress(OSError, ValueError):  # a stream without a descriptor has nothing to redirect
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def one_line(text: str, limit: int = 500) -> str:
    """Return text on one line, cut when it is long.

    >>> one_line("two\\n  lines")
    'two lines'
    """
    joined = " ".join(text.split())
    return joined if len(joined) <= limit else joined[: limit - 1] + "…"


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]:,} rows"),
        TimeRemainingColumn(),
        console=Console(stderr=True, markup=False, highlight=False, emoji=False),
        transient=True,
    )
