"""What several commands share: exit statuses, and options for columns, progress and intervals."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

EXIT_BROKEN_ROW = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


def _column(what: str, default: str) -> Any:
    return typer.Option(
        metavar="NAME",
        help=f"Column with {what} (default: {default}).",
        rich_help_panel="Columns",
    )


CompletionColumn: TypeAlias = Annotated[str | None, _column("the completion", "completion")]
ReferenceColumn: TypeAlias = Annotated[str | None, _column("the gold answer", "reference")]
OptionsColumn: TypeAlias = Annotated[
    str | None, _column("the texts of a multiple-choice question", "options")
]
PromptColumn: TypeAlias = Annotated[str | None, _column("the prompt", "prompt, else question")]
GroupColumn: TypeAlias = Annotated[
    str | None,
    _column("the group of a completion, where a reward compares them", "group, else prompt"),
]
TokenIdsColumn: TypeAlias = Annotated[
    str | None, _column("the token ids of the completion", "token_ids")
]
TruncatedColumn: TypeAlias = Annotated[
    str | None, _column("whether the completion hit the length limit", "truncated")
]

Strict: TypeAlias = Annotated[
    bool, typer.Option("--strict", help="Stop at the first broken row, with exit status 1.")
]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]

Confidence: TypeAlias = Annotated[float, typer.Option(help="Confidence of the intervals.")]
Resamples: TypeAlias = Annotated[int, typer.Option(min=1, help="Resamples of the bootstrap.")]
Seed: TypeAlias = Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")]
JsonPath: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--json", metavar="PATH", help="Write the numbers as JSON.", rich_help_panel="Output"
    ),
]
