"""The command `rlrewards passk`: pass@k, maj@k, accuracy and length of sampled completions.

Exit status: 0, 1 when a row is broken in a strict run, 2 for a wrong call or a file that cannot be
used, 130 when stopped with Ctrl-C.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from rlrewards.columns import Columns, Item, RowReader
from rlrewards.command_options import (
    EXIT_BROKEN_ROW,
    CompletionColumn,
    Confidence,
    GroupColumn,
    JsonPath,
    OptionsColumn,
    PromptColumn,
    Quiet,
    ReferenceColumn,
    Resamples,
    Seed,
    Strict,
    TokenIdsColumn,
    TruncatedColumn,
)
from rlrewards.messages import is_nan, plain_text
from rlrewards.metrics import (
    Estimate,
    accuracy,
    by_question,
    mean_length,
    mean_maj_at_k,
    mean_pass_at_k,
)
from rlrewards.outputs import require_writable, write_json
from rlrewards.progress import ScoringProgress, say
from rlrewards.scoring_run import (
    BrokenRowError,
    grouped_records,
    pointwise_records,
    readable_items,
    rows_with_columns,
)
from rlrewards.tables import Row, Table, open_table

if TYPE_CHECKING:
    from rlrewards.stack import Stack

File: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="Several completions a question: .jsonl, .csv, .tsv (also .gz) or .parquet; - for "
        "JSON lines on standard input.",
        show_default=False,
    ),
]
StackFile: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="TOML", help="Stack whose verdicts say what is right.", show_default=False
    ),
]
LabelColumn: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Column with whether the completion is right, in place of a stack.",
        rich_help_panel="Columns",
        show_default=False,
    ),
]
AnswerColumn: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Column with the answer, for maj@k (default: with a stack, the answer it found).",
        rich_help_panel="Columns",
    ),
]
Verify: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--verify-answers",
        help="For maj@k, answers that are verified as equal are one (default: the same text).",
    ),
]
Ks: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--k",
        metavar="K",
        help="Which k, with commas between them; may be given again (default: 1,2,4,… and the "
        "fewest samples of a question).",
    ),
]


@dataclass(frozen=True, kw_only=True)
class _Columns(Columns):
    """Which column is what; with a label, a file needs no completion."""

    answer: str | None = None

    def required(self) -> dict[str, str]:
        required = super().required()
        if self.label is not None and self.completion is None:
            del required["completion"]
        return required


@dataclass(frozen=True, slots=True)
class _Graded:
    """A sample: of which question, whether right, what it answers, how long it is."""

    question: Hashable
    right: bool
    answer: str | None
    length_characters: int | None
    length_tokens: int | None


def passk(
    file: File,
    stack: StackFile = None,
    label_column: LabelColumn = None,
    answer_column: AnswerColumn = None,
    verify_answers: Verify = False,
    k: Ks = None,
    completion_column: CompletionColumn = None,
    reference_column: ReferenceColumn = None,
    options_column: OptionsColumn = None,
    prompt_column: PromptColumn = None,
    group_column: GroupColumn = None,
    token_ids_column: TokenIdsColumn = None,
    truncated_column: TruncatedColumn = None,
    confidence: Confidence = 0.95,
    resamples: Resamples = 10_000,
    seed: Seed = 0,
    json_path: JsonPath = None,
    strict: Strict = False,
    quiet: Quiet = False,
) -> int:
    """Print pass@k, maj@k, accuracy and mean length of several completions a question.

    What is right is said by a stack's verdicts, as in rlrewards score, or by a column. Rows of the
    same group, or else of the same prompt, are samples of one question.
    """
    if (stack is None) == (label_column is None):
        raise ValueError("name what says which completions are right: --stack or --label-column")
    ks = _read_ks(k or [])
    require_writable(json_path)
    columns = _Columns(
        completion=completion_column,
        reference=reference_column,
        options=options_column,
        prompt=prompt_column,
        group=group_column,
        token_ids=token_ids_column,
        truncated=truncated_column,
        label=label_column,
        answer=answer_column,
    )
    rewards = None if stack is None else _read_stack(stack)
    with open_table(file) as table, ScoringProgress(table, quiet=quiet) as progress:
        reading = _Reading(table, columns, rewards, strict=strict, watcher=progress)
        try:
            samples = list(reading)
        except BrokenRowError as error:
            say(f"rlrewards: {table.name}: {error}")
            return EXIT_BROKEN_ROW
    if not samples:
        raise ValueError(f"{table.name}: none of its {reading.rows:,} rows says what is right")
    found = _evaluated(
        reading,
        samples,
        ks=ks,
        same=_verified_as_equal if verify_answers else None,
        confidence=confidence,
        resamples=resamples,
        rng=seed,
    )
    text = found.text()
    if json_path is not None:
        write_json(json_path, asdict(found))
        text += f"\nwritten: {json_path}\n"
    from rlrewards.summary import write_out

    write_out(text)
    return 0


def _read_ks(texts: Iterable[str]) -> list[int] | None:
    """Return the k of `1,4` and `16`.

    >>> _read_ks(["1,4", "16"])
    [1, 4, 16]
    """
    ks = []
    for text in ",".join(texts).split(",") if texts else []:
        if not text.strip().isdecimal() or int(text) < 1:
            raise ValueError(f"--k {text}: expected whole numbers of at least 1, such as 1,4,16")
        ks.append(int(text))
    return ks or None


def _read_stack(path: str) -> Stack:
    from rlrewards.scoring import verifies
    from rlrewards.stack import Stack

    stack = Stack.from_toml(path)
    if not verifies(stack):
        raise ValueError(f"{path}: has no reward that verifies, and so says not what is right")
    return stack


def _verified_as_equal(one: str, other: str) -> bool:
    from rlrewards.verify.verifier import verify

    return bool(verify(one, other))


class _Reading:
    """The graded samples of a table, and counts of the rows that give none."""

    def __init__(
        self,
        table: Table,
        columns: _Columns,
        stack: Stack | None,
        *,
        strict: bool,
        watcher: ScoringProgress,
    ) -> None:
        self.name = table.name
        self.rows = self.ungraded = self.broken = 0
        self._table = table
        self._columns = columns
        self._stack = stack
        self._strict = strict
        self._watcher = watcher
        self._completion = columns.completion or "completion"
        self._texts = True

    def __iter__(self) -> Iterator[_Graded]:
        reader = RowReader(self._columns, text_cells=self._table.text_cells, group_by_prompt=True)
        items = readable_items(self._rows(), reader, self._on_broken)
        graded = self._labelled(items) if self._stack is None else self._scored(items, self._stack)
        for item, right, answer in graded:
            self._watcher.advance(1)
            if right is None:
                self.ungraded += 1
                continue
            sample = item.sample
            if self._columns.answer is not None:
                answer = _given(sample.extra.get(self._columns.answer))
            yield _Graded(
                question=sample.group,
                right=right,
                answer=answer,
                length_characters=len(sample.completion) if self._texts else None,
                length_tokens=None if sample.token_ids is None else len(sample.token_ids),
            )

    def _rows(self) -> Iterator[Row]:
        for row in rows_with_columns(self._table, self._columns.required()):
            self.rows += 1
            if self._stack is None and not row.problem and self._completion not in row.values:
                self._texts = False
                row = Row(row.number, {**row.values, self._completion: ""})
            yield row

    def _on_broken(self, number: int, problem: str) -> None:
        self.broken += 1
        if self._strict:
            raise BrokenRowError(f"{self._table.unit} {number}: {problem}")
        self._watcher.broken(number, problem)

    def _labelled(self, items: Iterable[Item]) -> Iterator[tuple[Item, bool | None, str | None]]:
        for item in items:
            yield item, item.label, None

    def _scored(
        self, items: Iterable[Item], stack: Stack
    ) -> Iterator[tuple[Item, bool | None, str | None]]:
        """Score in batches; what has a reference and is not EQUAL is not right, as in score."""
        from rlrewards.core import is_grouped
        from rlrewards.tally import is_graded
        from rlrewards.verify.verdict import Status

        unit = self._table.unit
        batches = (
            grouped_records(list(items), stack.score, unit=unit)
            if is_grouped(stack)
            else pointwise_records(items, stack.score, unit=unit)
        )
        for batch in batches:
            for item, record in batch:
                status = record["verdict_status"]
                right = status == Status.EQUAL if is_graded(item.sample.reference, status) else None
                yield item, right, record["verdict_answer"]


def _given(value: Any) -> str | None:
    """Return an answer as text without blanks around it; None for none."""
    if value is None or is_nan(value):
        return None
    return plain_text(value).strip() or None


# ---------------------------------------------------------------------------------------------
# The numbers


@dataclass(frozen=True)
class _Evaluation:
    """The numbers of one file; maj@k and lengths where the file holds what they need."""

    file: str
    questions: int
    samples: int
    fewest_samples: int
    most_samples: int
    ungraded_rows: int
    broken_rows: int
    accuracy: Estimate
    pass_at_k: dict[int, Estimate]
    maj_at_k: dict[int, Estimate]
    length_characters: Estimate | None
    length_tokens: Estimate | None

    def text(self) -> str:
        """Return what is printed."""
        from rich.text import Text

        from rlrewards.summary import rendered, table_of

        table = table_of("metric", "value", f"{100 * self.accuracy.confidence:g} % interval")
        table.add_row("accuracy", f"{self.accuracy.value:.2%}", percent_interval(self.accuracy))
        for name, found in (("pass", self.pass_at_k), ("maj", self.maj_at_k)):
            for k, estimate in found.items():
                table.add_row(f"{name}@{k}", f"{estimate.value:.2%}", percent_interval(estimate))
        for unit in ("characters", "tokens"):
            length = getattr(self, f"length_{unit}")
            if length is not None:
                table.add_row(f"length in {unit}", f"{length.value:,.1f}", _interval(length))
        return rendered([Text(self._headline()), table])

    def _headline(self) -> str:
        sizes = f"{self.fewest_samples:,}"
        if self.most_samples > self.fewest_samples:
            sizes += f" to {self.most_samples:,}"
        parts = [f"{self.file}: {self.samples:,} samples of {self.questions:,} questions"]
        parts.append(f"{sizes} of each")
        if self.ungraded_rows:
            parts.append(
                f"{self.ungraded_rows:,} rows left out, of which nobody says what is right"
            )
        if self.broken_rows:
            parts.append(f"{self.broken_rows:,} broken")
        return ", ".join(parts)


def _evaluated(
    reading: _Reading,
    samples: list[_Graded],
    *,
    ks: list[int] | None,
    same: Callable[[Any, Any], object] | None,
    confidence: float,
    resamples: int,
    rng: int,
) -> _Evaluation:
    groups = by_question(samples, (sample.question for sample in samples))
    fewest = min(groups, key=len)
    if ks is not None and max(ks) > len(fewest):
        raise ValueError(
            f"--k {max(ks)}: question {plain_text(fewest[0].question)!r} has only {len(fewest)} "
            "graded samples, and k may be at most that"
        )
    right = [[sample.right for sample in group] for group in groups]
    answers = [[sample.answer for sample in group] for group in groups]
    settings: dict[str, Any] = {"confidence": confidence, "resamples": resamples, "rng": rng}

    def length(what: str) -> Estimate | None:
        lengths = [[getattr(sample, what) for sample in group] for group in groups]
        if any(one is None for group in lengths for one in group):
            return None
        return mean_length(lengths, **settings)

    voted = any(answer is not None for group in answers for answer in group)
    return _Evaluation(
        file=reading.name,
        questions=len(groups),
        samples=len(samples),
        fewest_samples=len(fewest),
        most_samples=max(map(len, groups)),
        ungraded_rows=reading.ungraded,
        broken_rows=reading.broken,
        accuracy=accuracy(right, **settings),
        pass_at_k=mean_pass_at_k(right, ks, **settings),
        maj_at_k=mean_maj_at_k(answers, right, ks, same=same, **settings) if voted else {},
        length_characters=length("length_characters"),
        length_tokens=length("length_tokens"),
    )


def percent_interval(estimate: Estimate) -> str:
    """Return an interval as it stands in a table of percentages."""
    found = estimate.interval
    return "–" if found is None else f"{100 * found.low:.2f}–{found.high:.2%}"


def _interval(estimate: Estimate) -> str:
    found = estimate.interval
    return "–" if found is None else f"{found.low:,.1f}–{found.high:,.1f}"
