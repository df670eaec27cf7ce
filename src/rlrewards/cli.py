"""The command `rlrewards`: score completions, evaluate and compare models, audit rewards.

Errors are one line on standard error. Exit status: 0; 1 when a row is broken in a strict run, or an
audit found something; 2 for a wrong call or a file that cannot be used; 130 when stopped with
Ctrl-C.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from rlrewards import __version__
from rlrewards.audit_command import audit
from rlrewards.columns import Columns
from rlrewards.command_options import (
    EXIT_BROKEN_ROW,
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    CompletionColumn,
    GroupColumn,
    OptionsColumn,
    PromptColumn,
    Quiet,
    ReferenceColumn,
    Strict,
    TokenIdsColumn,
    TruncatedColumn,
)
from rlrewards.compare_command import compare
from rlrewards.outputs import PartialFile
from rlrewards.passk_command import passk
from rlrewards.progress import ScoringProgress, one_line, say
from rlrewards.scoring_run import BrokenRowError, ScoringRun, require_column_names
from rlrewards.tables import open_table

if TYPE_CHECKING:
    from rlrewards.stack import Stack

# Set to see the traceback behind a one-line error.
TRACEBACK_VARIABLE = "RLREWARDS_TRACEBACK"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown")
app.command()(audit)
app.command()(passk)
app.command()(compare)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # no character may end a run
    try:
        return int(app(args=arguments, prog_name="rlrewards", standalone_mode=False) or 0)
    except SystemExit:  # Typer's way out when the reader of a pipe has gone: `--help | head`
        return 0
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Exception as error:
        if os.environ.get(TRACEBACK_VARIABLE):
            raise
        say(f"rlrewards: {_told(error)}")
        return EXIT_USAGE


def _told(error: Exception) -> str:
    """Return what an error says, in one line."""
    if hasattr(error, "format_message"):  # a wrong call, as Typer tells it
        return f"{one_line(error.format_message())} (see rlrewards --help)"
    if isinstance(error, OSError) and error.filename is not None:
        return one_line(f"{error.filename}: {error.strerror}")
    if isinstance(error, ValueError | TypeError | OSError | ImportError) and str(error):
        return one_line(str(error))
    return one_line(
        f"unexpected {type(error).__name__}: {error} (set {TRACEBACK_VARIABLE}=1 to see where)"
    )


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> int:
    """Reward functions for training language models, on the command line."""
    if version:
        typer.echo(f"rlrewards {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(EXIT_USAGE)
    return 0


# ---------------------------------------------------------------------------------------------
# The options of `rlrewards score`


def _output_option(help_text: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=help_text, rich_help_panel="Output", **more)


File: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="Completions: .jsonl, .csv, .tsv (also .gz) or .parquet; - for JSON lines on "
        "standard input.",
        show_default=False,
    ),
]
StackFile: TypeAlias = Annotated[
    str, typer.Option(metavar="TOML", help="Stack of rewards.", show_default=False)
]
LabelColumn: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Column with whether the completion is right; adds a confusion table (default: none).",
        rich_help_panel="Columns",
    ),
]
By: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Add a summary for each value of this column.",
        rich_help_panel="Columns",
    ),
]
Out: TypeAlias = Annotated[
    Path | None,
    _output_option("Write the scores of every row: .jsonl, .jsonl.gz or .parquet.", metavar="PATH"),
]
Resume: TypeAlias = Annotated[bool, _output_option("Go on with an interrupted run.", "--resume")]
Overwrite: TypeAlias = Annotated[bool, _output_option("Replace an existing --out.", "--overwrite")]
Step: TypeAlias = Annotated[
    int, typer.Option(min=0, help="Training step that weight schedules are asked for.")
]


# ---------------------------------------------------------------------------------------------
# The command


@app.command()
def score(
    file: File,
    stack: StackFile,
    completion_column: CompletionColumn = None,
    reference_column: ReferenceColumn = None,
    options_column: OptionsColumn = None,
    prompt_column: PromptColumn = None,
    group_column: GroupColumn = None,
    token_ids_column: TokenIdsColumn = None,
    truncated_column: TruncatedColumn = None,
    label_column: LabelColumn = None,
    by: By = None,
    out: Out = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    strict: Strict = False,
    step: Step = 0,
    quiet: Quiet = False,
) -> int:
    """Score the completions of a file with a stack of rewards, and print a summary.

    Accuracy is the share of EQUAL verdicts among the rows that have a reference: UNDECIDED,
    NO_ANSWER and rows that a gate shut out count as not right. Its interval is Wilson's, at 95 %.
    """
    columns = Columns(
        completion=completion_column,
        reference=reference_column,
        options=options_column,
        prompt=prompt_column,
        group=group_column,
        token_ids=token_ids_column,
        truncated=truncated_column,
        label=label_column,
        by=by,
    )
    rewards = _read_stack(stack)
    if out is None and (resume or overwrite):
        raise ValueError(f"{'--resume' if resume else '--overwrite'} needs --out PATH")
    output = None
    if out is not None:
        output = PartialFile(out, source=file, resume=resume, overwrite=overwrite)
    with open_table(file) as table, ScoringProgress(table, quiet=quiet) as progress:
        run = ScoringRun(
            table=table,
            columns=columns,
            stack=rewards,
            step=step,
            strict=strict,
            output=output,
            watcher=progress,
        )
        try:
            run()
        except BrokenRowError as error:
            return _stopped(run, f"{table.name}: {error}", EXIT_BROKEN_ROW)
        except KeyboardInterrupt:
            return _stopped(run, "interrupted", EXIT_INTERRUPTED)
    _reported(run)
    return 0


def _read_stack(path: str) -> Stack:
    from rlrewards.stack import Stack

    stack = Stack.from_toml(path)
    try:
        require_column_names(stack)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return stack


def _stopped(run: ScoringRun, why: str, status: int) -> int:
    """Say why a run ended early and what is left of it; return its exit status."""
    kept = onward = ""
    if run.output is not None and run.output.kept:
        kept = f", kept in {run.output.path}"
        if status == EXIT_INTERRUPTED and run.output.resumable:
            onward = "; go on with --resume"
    say(f"rlrewards: {one_line(why)} (stopped after {run.tally.rows:,} rows{kept}{onward})")
    return status


def _reported(run: ScoringRun) -> None:
    from rlrewards.summary import summary_text, write_out

    text = summary_text(run)
    if run.output is not None:
        text += f"\nwritten: {run.output.out}\n"
    write_out(text)
    if run.tally.verifies and not run.tally.graded:
        say("rlrewards: no row has a reference; name its column with --reference-column")
