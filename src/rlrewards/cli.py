"""The command `rlrewards`: score a file of completions with a stack of rewards.

Errors are one line on standard error. Exit status: 0; 1 when a row is broken in a strict run;
2 for a wrong call or a file that cannot be used; 130 when stopped with Ctrl-C.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rlrewards import __version__
from rlrewards.columns import Columns
from rlrewards.outputs import PartialFile, digest_of
from rlrewards.progress import ScoringProgress, one_line, say
from rlrewards.scoring_run import BrokenRowError, ScoringRun, require_column_names
from rlrewards.tables import open_table

if TYPE_CHECKING:
    from rlrewards.stack import Stack

EXIT_BROKEN_ROW = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
# Set to see the traceback behind a one-line error.
TRACEBACK_VARIABLE = "RLREWARDS_TRACEBACK"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # no character may end a run
    try:
        return int(app(args=arguments, prog_name="rlrewards", standalone_mode=False) or 0)
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


_COLUMNS = "Columns"
_OUTPUT = "Output"


def _column(what: str, default: str) -> Any:
    return typer.Option(
        metavar="NAME", help=f"Column with {what} (default: {default}).", rich_help_panel=_COLUMNS
    )


@app.command()
def score(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="Completions: .jsonl, .csv, .tsv (also .gz) or .parquet; - for JSON lines on "
            "standard input.",
            show_default=False,
        ),
    ],
    stack: Annotated[
        str, typer.Option(metavar="TOML", help="Stack of rewards.", show_default=False)
    ],
    completion_column: Annotated[str | None, _column("the completion", "completion")] = None,
    reference_column: Annotated[str | None, _column("the gold answer", "reference")] = None,
    options_column: Annotated[
        str | None, _column("the texts of a multiple-choice question", "options")
    ] = None,
    prompt_column: Annotated[str | None, _column("the prompt", "prompt, else question")] = None,
    group_column: Annotated[
        str | None,
        _column("the group of a completion, where a reward compares them", "group, else prompt"),
    ] = None,
    token_ids_column: Annotated[
        str | None, _column("the token ids of the completion", "token_ids")
    ] = None,
    truncated_column: Annotated[
        str | None, _column("whether the completion hit the length limit", "truncated")
    ] = None,
    label_column: Annotated[
        str | None, _column("whether the completion is right; adds a confusion table", "none")
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Add a summary for each value of this column.",
            rich_help_panel=_COLUMNS,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Write the scores of every row: .jsonl, .jsonl.gz or .parquet.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with an interrupted run.", rich_help_panel=_OUTPUT),
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace an existing --out.", rich_help_panel=_OUTPUT),
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first broken row, with exit status 1.")
    ] = False,
    step: Annotated[
        int, typer.Option(min=0, help="Training step that weight schedules are asked for.")
    ] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> int:
    """Score the completions of a file with a stack of rewards, and print a summary.

    Accuracy is the share of EQUAL verdicts among the rows that have a reference: UNDECIDED and
    NO_ANSWER count as not right. Its interval is Wilson's, at 95 %.
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
    output = _output(out, file, resume=resume, overwrite=overwrite)
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
        done = 0 if output is None else _begun(output, run, file, overwrite=overwrite)
        status = _carried_out(run, done)
    if status == 0:
        _reported(run)
    return status


def _read_stack(path: str) -> Stack:
    from rlrewards.stack import Stack

    stack = Stack.from_toml(path)
    try:
        require_column_names(stack)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return stack


def _output(out: Path | None, file: str, *, resume: bool, overwrite: bool) -> PartialFile | None:
    """Check what was asked about the output, before anything is read or written."""
    if resume and overwrite:
        raise ValueError("--resume and --overwrite exclude each other")
    if out is None:
        if resume or overwrite:
            raise ValueError(f"{'--resume' if resume else '--overwrite'} needs --out PATH")
        return None
    if resume and not Path(file).is_file():
        raise ValueError("--resume needs a file to read again, not a stream")
    output = PartialFile(out)
    if out.exists() and Path(file).exists() and out.samefile(file):
        raise ValueError(f"{out}: is the input; give --out another name")
    if resume and output.path.exists():
        return output
    if out.exists() and not overwrite:
        raise ValueError(
            f"{out}: is finished, nothing to resume; score again with --overwrite"
            if resume
            else f"{out}: exists; replace it with --overwrite, or give another --out"
        )
    if output.path.exists() and not overwrite:
        raise ValueError(
            f"{output.path}: holds an interrupted run; go on with --resume, or start again with "
            "--overwrite"
        )
    return output


def _begun(output: PartialFile, run: ScoringRun, file: str, *, overwrite: bool) -> int:
    """Open the partial file, new or old, and return how many records it holds."""
    columns = {k: name for k, name in vars(run.columns).items() if k not in ("label", "by")}
    identity = {
        "input file": digest_of(file) if Path(file).is_file() else None,
        "stack": run.stack.fingerprint(),
        "step": run.step,
        "choice of columns": columns,
    }
    if output.path.exists() and not overwrite:
        return output.resume(identity)
    output.path.unlink(missing_ok=True)
    output.start(identity)
    return 0


def _carried_out(run: ScoringRun, done: int) -> int:
    """Score, keep what was scored whatever happens, and return the exit status."""
    output = run.output
    try:
        run(done)
        if not run.tally.rows:
            raise ValueError(_nothing_scored(run))
        if output is not None:
            output.finish()
    except BrokenRowError as error:
        stopped, status = f"{run.table.name}: {error}", EXIT_BROKEN_ROW
    except KeyboardInterrupt:
        stopped, status = "interrupted", EXIT_INTERRUPTED
    else:
        return 0
    finally:
        if output is not None:
            output.close()
    kept = "" if output is None or not output.kept else f", kept in {output.path}"
    onward = "; go on with --resume" if kept and status == EXIT_INTERRUPTED else ""
    say(f"rlrewards: {one_line(stopped)} (stopped after {run.tally.rows:,} rows{kept}{onward})")
    return status


def _nothing_scored(run: ScoringRun) -> str:
    if run.broken:
        return f"{run.table.name}: none of its {run.broken:,} rows can be scored"
    return f"{run.table.name}: holds no rows"


def _reported(run: ScoringRun) -> None:
    from rlrewards.summary import summary_text, write_out

    text = summary_text(run)
    if run.output is not None:
        text += f"\nwritten: {run.output.out}\n"
    write_out(text)
    if run.tally.statuses and not run.tally.graded:
        say("rlrewards: no row has a reference; name its column with --reference-column")
