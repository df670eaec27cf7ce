"""The command `rlrewards audit`: laws and attacks on a stack, or on any reward function.

Exit status: 0 when nothing failed, 1 when something did, 2 for a wrong call or a target that
cannot be loaded, 130 when stopped with Ctrl-C; then what was found so far is reported.
"""

from __future__ import annotations

import json
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from rlrewards.columns import Columns
from rlrewards.command_options import (
    EXIT_INTERRUPTED,
    CompletionColumn,
    GroupColumn,
    OptionsColumn,
    PromptColumn,
    ReferenceColumn,
    TokenIdsColumn,
    TruncatedColumn,
)
from rlrewards.outputs import require_writable
from rlrewards.progress import SECONDS_BETWEEN_LINES, one_line, say

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from rlrewards.testing.audit import Audit
    from rlrewards.testing.audit_report import AuditReport
    from rlrewards.testing.findings import Finding

EXIT_FAILED = 1
_PIPE_WIDTH = 120


def _option(help_text: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=help_text, **more)


TargetNames: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TARGET...",
        help="STACK.toml, module:function, or path/file.py:function.",
        show_default=False,
    ),
]
Kinds: TypeAlias = Annotated[
    list[str] | None,
    _option("What the reward is, such as accuracy; may be given again.", metavar="KIND"),
]
Facts: TypeAlias = Annotated[
    list[str] | None,
    _option("A parameter of it, such as max_length=4096; may be given again.",
            metavar="NAME=VALUE"),
]  # fmt: skip
SignatureName: TypeAlias = Annotated[
    str | None,
    _option("How it is called: rlrewards, trl, verl or verifier (default: by its parameters).",
            metavar="NAME"),
]  # fmt: skip
Data: TypeAlias = Annotated[
    str | None,
    _option("Completions on which laws are tried, too: a file as for rlrewards score.",
            metavar="FILE"),
]  # fmt: skip
RowLimit: TypeAlias = Annotated[int, _option("How many rows of it are read.", min=1)]
LabelColumn: TypeAlias = Annotated[
    str | None,
    _option("Column with whether the completion is right; reports how scores agree "
            "(default: none).", metavar="NAME", rich_help_panel="Columns"),
]  # fmt: skip
Seconds: TypeAlias = Annotated[
    float, _option("When the audit is to be over; what was not reached is said.")
]
Examples: TypeAlias = Annotated[int, _option("Cases drawn for each law.", min=1)]
Seed: TypeAlias = Annotated[int, _option("The same seed gives the same findings.", min=0)]
Patience: TypeAlias = Annotated[
    float, _option("After so many seconds without an answer a check is stopped.")
]
Only: TypeAlias = Annotated[
    list[str] | None,
    _option("law, attack, data, or the name of a check; may be given again.", metavar="NAME"),
]
JsonPath: TypeAlias = Annotated[
    Path | None,
    _option("Write the findings as JSON.", "--json", metavar="PATH", rich_help_panel="Output"),
]
ReportPath: TypeAlias = Annotated[
    Path | None,
    _option("Write a report: .html or .md.", metavar="PATH", rich_help_panel="Output"),
]
Listing: TypeAlias = Annotated[
    bool, _option("Name the laws, attacks and kinds, and audit nothing.", "--list")
]
Quiet: TypeAlias = Annotated[
    bool, _option("Show only what failed, and no progress.", "--quiet", rich_help_panel="Output")
]


def audit(
    targets: TargetNames = None,
    kind: Kinds = None,
    fact: Facts = None,
    signature: SignatureName = None,
    data: Data = None,
    rows: RowLimit = 1000,
    completion_column: CompletionColumn = None,
    reference_column: ReferenceColumn = None,
    options_column: OptionsColumn = None,
    prompt_column: PromptColumn = None,
    group_column: GroupColumn = None,
    token_ids_column: TokenIdsColumn = None,
    truncated_column: TruncatedColumn = None,
    label_column: LabelColumn = None,
    seconds: Seconds = 120.0,
    examples: Examples = 30,
    seed: Seed = 0,
    patience_seconds: Patience = 20.0,
    only: Only = None,
    json_path: JsonPath = None,
    report: ReportPath = None,
    quiet: Quiet = False,
    list_checks: Listing = False,
) -> int:
    """Try every law and attack on a stack and its parts, or on a reward function.

    The rewards are loaded and called in a process that is killed when they hang. Exit status 1
    when something failed.
    """
    if find_spec("hypothesis") is None:
        raise ImportError('an audit needs Hypothesis: pip install "rlrewards[testing]"')
    from rlrewards.testing.audit import Audit
    from rlrewards.testing.audit_data import read_rows
    from rlrewards.testing.audit_targets import Targets
    from rlrewards.testing.law import Effort

    names = [name for group in only or () for name in group.split(",")]
    if list_checks:
        from rlrewards.summary import write_out

        write_out(_listing(names))
        return 0
    if not targets:
        raise ValueError("nothing to audit; name STACK.toml or module:function")
    outputs = [path for path in (json_path, report) if path is not None]
    _require_writable(json_path, report)
    columns = Columns(
        completion=completion_column,
        reference=reference_column,
        options=options_column,
        prompt=prompt_column,
        group=group_column,
        token_ids=token_ids_column,
        truncated=truncated_column,
        label=label_column,
    )
    if data is None and any(name is not None for name in vars(columns).values()):
        raise ValueError("columns are those of a file; name it with --data")
    running = Audit(
        Targets(tuple(targets), tuple(kind or ()), _signature(signature), _facts(fact or ())),
        rows=None if data is None else read_rows(data, columns, limit=rows),
        only=tuple(names),
        seconds=seconds,
        effort=Effort(examples=examples, seed=seed, patience_seconds=patience_seconds),
    )
    found = _run(running, quiet=quiet)
    if json_path is not None:
        json_path.write_text(found.to_json(), encoding="utf-8")
    if report is not None:
        found.write(report)
    _end(found, outputs)
    if found.interrupted:
        return EXIT_INTERRUPTED
    return 0 if found.ok else EXIT_FAILED


def _run(running: Audit, *, quiet: bool) -> AuditReport:
    from rlrewards.summary import write_out

    if running.rows is not None:
        for number, problem in running.rows.broken[:10]:
            say(f"{running.rows.name}: {running.rows.unit} {number}: {one_line(problem)}")
        if len(running.rows.broken) > 10:
            say(f"… and {len(running.rows.broken) - 10:,} more broken rows")
    interrupted = False
    pending: list[Finding] = []

    def shown() -> None:
        progress.pause()
        write_out(_table(pending, quiet=quiet))
        pending.clear()

    with _AuditProgress(running, quiet=quiet) as progress:
        try:
            for finding in running:
                if pending and pending[0].subject != finding.subject:
                    shown()
                pending.append(finding)
                progress.advance(finding)
        except KeyboardInterrupt:
            interrupted = True
        shown()
    return running.report(interrupted=interrupted)


def _end(found: AuditReport, outputs: list[Path]) -> None:
    from rlrewards.summary import write_out

    lines = [] if found.data is None else [f"data: {found.data}"]
    lines.append(found.headline())
    lines += [f"written: {path}" for path in outputs]
    write_out("\n".join(lines) + "\n")


# ---------------------------------------------------------------------------------------------
# What is said


def _table(findings: list[Finding], *, quiet: bool) -> str:
    """Return the checks of one reward, and the smallest case of each that failed."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from rlrewards.testing.audit_report import case_lines, what
    from rlrewards.testing.findings import printable

    failures = [finding for finding in findings if finding.broken]
    shown = failures if quiet else findings
    if not shown:
        return ""
    table = Table(box=SIMPLE_HEAD, collapse_padding=True)
    for header in (printable(findings[0].subject), "", "outcome", "what"):
        table.add_column(header, overflow="fold")
    for finding in shown:
        table.add_row(
            finding.check, finding.group, str(finding.outcome), one_line(what(finding), 200)
        )
    lines = [_rendered(table)]
    for finding in failures:
        lines.append(f"{finding.group} “{finding.check}”: {finding.statement}")
        lines.append(f"  {finding.outcome}: {what(finding)}")
        lines += [f"  {line}" for line in case_lines(finding)]
        lines.append("")
    return "\n".join(lines) + "\n"


def _rendered(table: Any) -> str:
    from rich.console import Console

    console = Console(markup=False, highlight=False, emoji=False)
    console.width = max(console.width, 80 if console.is_terminal else _PIPE_WIDTH)
    with console.capture() as captured:
        console.print(table)
    lines = "\n".join(line.rstrip() for line in captured.get().splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines).strip("\n") + "\n"


def _listing(only: list[str]) -> str:
    from rlrewards.testing.audit import chosen
    from rlrewards.testing.kinds import KINDS

    lines = []
    for check in chosen(only):
        kinds = ", ".join(sorted(getattr(check, "kinds", ())))
        lines.append(f"{check.group} “{check.name}”{f' ({kinds})' if kinds else ''}")
        lines.append(f"    {check.statement}")
    lines.append("\nkinds:")
    lines += [f"    {name}: {meaning}" for name, meaning in KINDS.items()]
    return "\n".join(lines) + "\n"


class _AuditProgress:
    """A bar on a terminal, now and then a line elsewhere.

    The bar is drawn by no thread: the process is forked while it stands.
    """

    def __init__(self, running: Audit, *, quiet: bool) -> None:
        self._running = running
        self._quiet = quiet
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._last_line = monotonic()

    def __enter__(self) -> _AuditProgress:
        if not self._quiet and sys.stderr is not None and sys.stderr.isatty():
            self._bar = _bar()
            self._task = self._bar.add_task("loading", total=None)
            self._bar.start()
            self._bar.refresh()
        return self

    def __exit__(self, *error: object) -> None:
        self.pause()

    def pause(self) -> None:
        """Take the bar away, until the next finding."""
        if self._bar is not None:
            self._bar.stop()

    def advance(self, finding: Finding) -> None:
        """Show that a check is done."""
        done, planned = len(self._running.findings), len(self._running.plan)
        if self._bar is not None and self._task is not None:
            self._bar.start()
            name = one_line(f"{finding.subject}: {finding.check}", 50)
            self._bar.update(self._task, description=name, total=planned, completed=done)
            self._bar.refresh()
        elif not self._quiet and monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = monotonic()
            say(f"{done} of {planned} checks")


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    return Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}", markup=False),
        console=Console(stderr=True, markup=False, highlight=False, emoji=False),
        transient=True,
        auto_refresh=False,
    )


# ---------------------------------------------------------------------------------------------
# What is asked


def _signature(name: str | None) -> Any:
    from typing import get_args

    from rlrewards.testing.subject import Signature

    if name is not None and name not in get_args(Signature):
        raise ValueError(f"signature={name!r}; allowed: {', '.join(get_args(Signature))}")
    return name


def _facts(given: Any) -> dict[str, Any]:
    """Return `NAME=VALUE` texts as values: what JSON can read, `none`, or the text itself.

    >>> _facts(["max_length=100", "correct=[2, 1]", "exceed=none", "unit=words"])
    {'max_length': 100, 'correct': (2, 1), 'exceed': None, 'unit': 'words'}
    """
    facts: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name.isidentifier():
            raise ValueError(f"--fact {text}: expected NAME=VALUE, such as max_length=4096")
        try:
            facts[name] = None if value == "none" else json.loads(value)
        except ValueError:
            facts[name] = value
        if isinstance(facts[name], list):
            facts[name] = tuple(facts[name])
    return facts


def _require_writable(json_path: Path | None, report: Path | None) -> None:
    from rlrewards.testing.audit_report import checked_suffix

    if report is not None:
        checked_suffix(report)
    for path in (json_path, report):
        require_writable(path)
