"""The command `rlrewards compare`: is one model better than another on the same questions?

Exit status: 0, 1 when a row is broken in a strict run, 2 for a wrong call or a file that cannot be
used, 130 when stopped with Ctrl-C.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import typer

from rlrewards.columns import truth
from rlrewards.command_options import (
    EXIT_BROKEN_ROW,
    Confidence,
    JsonPath,
    Quiet,
    Resamples,
    Seed,
    Strict,
)
from rlrewards.messages import is_nan, plain_text
from rlrewards.metrics import (
    Estimate,
    McNemar,
    PairedDifference,
    accuracy,
    mcnemar,
    paired_difference,
)
from rlrewards.outputs import require_writable, write_json
from rlrewards.passk_command import percent_interval
from rlrewards.progress import ScoringProgress, say
from rlrewards.scoring_run import BrokenRowError, rows_with_columns
from rlrewards.tables import STDIN, Row, open_table

# What a verdict says of the completion; a row without reference is of no use.
_VERDICTS = {"EQUAL": True, "DIFFERENT": False, "NO_ANSWER": False, "UNDECIDED": False}
_NO_VERDICTS = ("NO_REFERENCE", "")


def _file(which: str) -> Any:
    return typer.Argument(
        metavar=which,
        help=f"Results of the {which.lower()} model, such as rlrewards score --out writes.",
        show_default=False,
    )


First: TypeAlias = Annotated[str, _file("FIRST")]
Second: TypeAlias = Annotated[str, _file("SECOND")]
KeyColumn: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Column with the question; rows of a file that share it are samples of one question.",
        rich_help_panel="Columns",
    ),
]
RightColumn: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Column with a verdict's status, or with whether the completion is right.",
        rich_help_panel="Columns",
    ),
]


@dataclass(frozen=True)
class _Results:
    """Whether each sample of each question is right, and counts of rows that do not say."""

    file: str
    right: dict[str, list[bool]]
    ungraded: int
    broken: int


@dataclass(frozen=True)
class _Comparison:
    """Two models on the questions that both have; McNemar's test with one sample of each."""

    first_file: str
    second_file: str
    questions: int
    only_in_first: int
    only_in_second: int
    ungraded_rows: int
    broken_rows: int
    first: Estimate
    second: Estimate
    mcnemar: McNemar | None
    paired: PairedDifference

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers, for JSON."""
        from dataclasses import asdict

        named = {"mcnemar": self.mcnemar, "paired": self.paired}
        return asdict(self) | {
            name: None if value is None else value._asdict() for name, value in named.items()
        }

    def text(self) -> str:
        """Return what is printed."""
        from rich.text import Text

        from rlrewards.summary import rendered, table_of

        interval = f"{100 * self.first.confidence:g} % interval"
        models = table_of("model", "samples", "accuracy", interval)
        for name, found in ((self.first_file, self.first), (self.second_file, self.second)):
            share = f"{found.value:.2%}"
            models.add_row(name, f"{found.samples:,}", share, percent_interval(found))
        parts: list[Any] = [Text(self._headline()), models]
        if self.mcnemar is not None:
            right = table_of("right", "questions")
            for name in ("both", "first only", "second only", "neither"):
                right.add_row(name, f"{getattr(self.mcnemar, name.replace(' ', '_')):,}")
            parts.append(right)
        parts.append(Text(self._difference(interval)))
        tests = table_of("no difference, by", "p")
        for name, p in self._tests():
            tests.add_row(name, f"{p:.4g}")
        return rendered([*parts, tests])

    def _headline(self) -> str:
        parts = [f"{self.questions:,} questions in both"]
        for where, count in (("first", self.only_in_first), ("second", self.only_in_second)):
            if count:
                parts.append(f"{count:,} only in the {where}")
        if self.ungraded_rows:
            parts.append(f"{self.ungraded_rows:,} rows left out, which do not say what is right")
        if self.broken_rows:
            parts.append(f"{self.broken_rows:,} rows broken")
        return ", ".join(parts)

    def _difference(self, interval: str) -> str:
        found = self.paired
        ends = "none"
        if found.interval is not None:
            ends = " to ".join(f"{100 * end:+.2f}" for end in found.interval)
        return f"first − second: {100 * found.difference:+.2f} points ({interval} {ends})"

    def _tests(self) -> Iterator[tuple[str, float]]:
        if self.mcnemar is not None:
            yield "McNemar, exact", self.mcnemar.p_exact
            yield "McNemar, mid-p", self.mcnemar.p_mid
        else:
            yield "sign flips", self.paired.p_sign_flip
        yield "paired bootstrap", self.paired.p_bootstrap


def compare(
    first: First,
    second: Second,
    key_column: KeyColumn = "line",
    right_column: RightColumn = "verdict_status",
    confidence: Confidence = 0.95,
    resamples: Resamples = 10_000,
    seed: Seed = 0,
    json_path: JsonPath = None,
    strict: Strict = False,
    quiet: Quiet = False,
) -> int:
    """Compare two models on the same questions: McNemar's test and a paired bootstrap.

    Rows are joined by the key column. With several samples of a question the questions, not the
    samples, are what is compared.
    """
    if first == second == STDIN:
        raise ValueError("only one of the two can be standard input")
    require_writable(json_path)
    try:
        results = [
            _read(path, key_column, right_column, strict=strict, quiet=quiet)
            for path in (first, second)
        ]
    except BrokenRowError as error:
        say(f"rlrewards: {error}")
        return EXIT_BROKEN_ROW
    found = _compared(*results, confidence=confidence, resamples=resamples, rng=seed)
    text = found.text()
    if json_path is not None:
        write_json(json_path, found.to_dict())
        text += f"\nwritten: {json_path}\n"
    from rlrewards.summary import write_out

    write_out(text)
    return 0


def _read(path: str, key: str, right: str, *, strict: bool, quiet: bool) -> _Results:
    found: dict[str, list[bool]] = {}
    ungraded = broken = 0
    with open_table(path) as table, ScoringProgress(table, quiet=quiet) as progress:
        for row in rows_with_columns(table, {"key": key, "right": right}):
            try:
                question, verdict = _pair(row, key, right)
            except ValueError as error:
                if strict:
                    raise BrokenRowError(f"{path}: {table.unit} {row.number}: {error}") from None
                broken += 1
                progress.broken(row.number, str(error))
                continue
            progress.advance(1)
            if verdict is None:
                ungraded += 1
            else:
                found.setdefault(question, []).append(verdict)
    if not found:
        raise ValueError(f"{path}: no row says in {right!r} whether it is right")
    return _Results(path, found, ungraded, broken)


def _pair(row: Row, key: str, right: str) -> tuple[str, bool | None]:
    """Return the question of a row and whether it is right; None where the row does not say.

    Raises:
        ValueError: the row is broken, has no question, or holds something else.
    """
    if row.problem:
        raise ValueError(row.problem)
    question, value = row.values.get(key), row.values.get(right)
    if question is None or is_nan(question) or question == "":
        raise ValueError(f"has no {key!r}")
    if value is None or is_nan(value) or value in _NO_VERDICTS:
        return plain_text(question), None
    if isinstance(value, str) and value in _VERDICTS:
        return plain_text(question), _VERDICTS[value]
    return plain_text(question), truth(right, value)


def _compared(
    first: _Results, second: _Results, *, confidence: float, resamples: int, rng: int
) -> _Comparison:
    both = [question for question in first.right if question in second.right]
    if not both:
        raise ValueError(
            f"{first.file} and {second.file} have no question in common; name the column that says "
            "which question a row is of with --key-column"
        )
    a, b = ([results.right[question] for question in both] for results in (first, second))
    single = all(len(group) == 1 for group in (*a, *b))
    settings: dict[str, Any] = {"confidence": confidence, "resamples": resamples, "rng": rng}
    return _Comparison(
        first_file=first.file,
        second_file=second.file,
        questions=len(both),
        only_in_first=len(first.right) - len(both),
        only_in_second=len(second.right) - len(both),
        ungraded_rows=first.ungraded + second.ungraded,
        broken_rows=first.broken + second.broken,
        first=accuracy(a, **settings),
        second=accuracy(b, **settings),
        mcnemar=mcnemar(a, b) if single else None,
        paired=paired_difference(a, b, **settings),
    )
