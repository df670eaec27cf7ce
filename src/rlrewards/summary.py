"""The tables that a scoring run ends with, as text for a terminal, a file or a pipe."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from rlrewards.progress import one_line, silence
from rlrewards.scoring_run import ScoringRun
from rlrewards.tally import NOT_VERIFIED, Example, Mean, Tally
from rlrewards.verify.verdict import Status

# Columns of the confusion table: what a verdict says, and the statuses that say it.
_SAYS = {
    "right": (Status.EQUAL,),
    "wrong": (Status.DIFFERENT, Status.NO_ANSWER),
    "undecided": (Status.UNDECIDED,),
    "no reference": (Status.NO_REFERENCE,),
}
_PIPE_WIDTH = 120
_VALUES_SHOWN = 100


def summary_text(run: ScoringRun) -> str:
    """Return the summary of a finished run.

    Means of the rewards, the accuracy with its interval, counts of verdicts, the same for each
    value of `by`, the confusion table when there are labels, and rows to look at.
    """
    return rendered(_parts(run))


def rendered(parts: Iterable[RenderableType]) -> str:
    """Return tables and texts as they are printed, one below the other."""
    console = Console(markup=False, highlight=False, emoji=False)
    # Tables of numbers fit into 80 columns; a narrower terminal wraps them, and nothing is cut.
    console.width = max(console.width, 80 if console.is_terminal else _PIPE_WIDTH)
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    lines = "\n".join(line.rstrip() for line in captured.get().splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines).strip() + "\n"


def _parts(run: ScoringRun) -> Iterator[RenderableType]:
    tally = run.tally
    yield _headline(run)
    yield _means(tally)
    if tally.verifies:
        yield Text(_accuracy_line(tally))
        yield _verdicts(tally)
    if run.columns.by is not None:
        yield _split(run.columns.by, run.by)
        if len(run.by) > _VALUES_SHOWN:
            yield Text(_not_shown(run.columns.by, run.by, run.by_rest))
    if tally.confusions:
        yield _confusions(tally)
        yield Text(_confusion_line(tally))
        yield from _examples(
            "confused with their labels",
            run.table.unit,
            tally.confused,
            tally.confused_count(True) + tally.confused_count(False),
        )
    if tally.undecided:
        yield from _reasons(tally)
        yield from _examples(
            "undecided", run.table.unit, tally.undecided, tally.statuses[Status.UNDECIDED]
        )


def _headline(run: ScoringRun) -> Text:
    tally = run.tally
    parts = [f"{run.table.name}: {tally.rows:,} rows scored"]
    if run.broken:
        parts.append(f"{run.broken:,} broken")
    if run.scored < tally.rows:
        parts.append(f"{run.scored:,} of them now")
    if run.seconds > 0:
        parts.append(f"{run.scored / run.seconds:,.0f} rows a second")
    return Text(", ".join(parts) + f" (stack {run.stack.fingerprint()})")


def _means(tally: Tally) -> Table:
    table = table_of("reward", "mean", "rows", "None")
    for name, mean in tally.means.items():
        table.add_row(name, _mean(mean), f"{mean.count:,}", f"{mean.none:,}")
    return table


def _accuracy_line(tally: Tally) -> str:
    shut_out = f", {tally.shut_out:,} of them {NOT_VERIFIED}" if tally.shut_out else ""
    return (
        f"accuracy {_percent(tally.accuracy)} (95 % interval {_interval(tally)}): "
        f"{tally.correct:,} right of {tally.graded:,} graded{shut_out}"
    )


def _verdicts(tally: Tally) -> Table:
    table = table_of("verdict", "rows")
    for status in Status:
        table.add_row(status, f"{tally.statuses[status]:,}")
    if tally.statuses[NOT_VERIFIED]:
        table.add_row(NOT_VERIFIED, f"{tally.statuses[NOT_VERIFIED]:,}")
    return table


def _split(column: str, by: dict[str | None, Tally]) -> Table:
    rare = (Status.NO_REFERENCE, NOT_VERIFIED)
    found = [status for status in rare if any(tally.statuses[status] for tally in by.values())]
    shown = [Status.NO_ANSWER, Status.UNDECIDED, *found]
    table = table_of(column, "rows", "total", "accuracy", "95 % interval", *shown)
    for value in _sorted(by)[:_VALUES_SHOWN]:
        tally = by[value]
        table.add_row(
            "(none)" if value is None else one_line(value, 60),
            f"{tally.rows:,}",
            _mean(tally.means["total"]),
            _percent(tally.accuracy),
            _interval(tally),
            *(f"{tally.statuses[status]:,}" for status in shown),
        )
    return table


def _not_shown(column: str, by: Collection[str | None], rest: Tally | None) -> str:
    others = "" if rest is None else f", and {rest.rows:,} rows with yet others"
    return f"… and {len(by) - _VALUES_SHOWN:,} more values of {column}{others}"


def _mean(mean: Mean) -> str:
    return "–" if mean.value is None else f"{mean.value:.4f}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.2%}"


def _interval(tally: Tally) -> str:
    interval = tally.interval
    return "–" if interval is None else f"{100 * interval.low:.2f}–{interval.high:.2%}"


def _sorted(values: Collection[str | None]) -> list[str | None]:
    """Return values in the order of numbers when all are numbers, else of text, None last."""
    present = [value for value in values if value is not None]
    absent: list[str | None] = [None] if None in values else []
    try:
        return [*sorted(present, key=float), *absent]
    except ValueError:
        return [*sorted(present), *absent]


def _confusions(tally: Tally) -> Table:
    shut_out = {NOT_VERIFIED: (NOT_VERIFIED,)} if tally.statuses[NOT_VERIFIED] else {}
    says: dict[str, tuple[str, ...]] = {**_SAYS, **shut_out}
    table = table_of("label \\ verdict", *says)
    for label, name in ((True, "right"), (False, "wrong")):
        counts = (sum(tally.confusions[label, s] for s in found) for found in says.values())
        table.add_row(name, *(f"{count:,}" for count in counts))
    return table


def _confusion_line(tally: Tally) -> str:
    refused, accepted = tally.confused_count(True), tally.confused_count(False)
    labels = f"labels: {tally.labelled(True):,} right and {tally.labelled(False):,} wrong; "
    if not refused + accepted:
        return labels + "none confused"
    return (
        f"{labels}{refused + accepted:,} confused "
        f"({refused:,} right ones refused, {accepted:,} wrong ones accepted)"
    )


def _reasons(tally: Tally) -> Iterator[RenderableType]:
    table = table_of("reason for UNDECIDED", "rows")
    for why, count in tally.undecided_reasons.most_common(10):
        table.add_row(one_line(why, 100), f"{count:,}")
    yield table


def _examples(
    what: str, unit: str, examples: list[Example], count: int
) -> Iterator[RenderableType]:
    if not examples:
        return
    shown = "" if count == len(examples) else f" (the first {len(examples)} of {count:,})"
    table = Table(unit, "label", "verdict", "answer", "reference", "why", box=SIMPLE_HEAD)
    for example in examples:
        table.add_row(
            str(example.number),
            {None: "–", True: "right", False: "wrong"}[example.label],
            example.status,
            _cell(example.answer),
            _cell(example.reference),
            one_line(example.why, 100),
        )
    yield Text(f"\n{what}{shown}:")
    yield table


def _cell(value: Any) -> str:
    return "–" if value is None else one_line(str(value), 60)


def table_of(first: str, *others: str) -> Table:
    """Return an empty table: a column of names, then columns of numbers."""
    table = Table(box=SIMPLE_HEAD, collapse_padding=True)
    table.add_column(first, overflow="fold")
    for header in others:
        table.add_column(header, justify="right", no_wrap=True)
    return table


def write_out(text: str) -> None:
    """Write text to standard output; a reader that has gone (`| head`) is no error."""
    if sys.stdout is None:  # closed by the shell: `>&-`
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        silence(sys.stdout)
