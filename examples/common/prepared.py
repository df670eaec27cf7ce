"""What the stage prepare has written, as the stages after it read it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from examples.common import preflight, records
from examples.common.commands import Run
from examples.common.data import Row


def path(run: Run, name: str) -> Path:
    """Return where the rows of that name are: `sft`, `rl`, or `evaluation_` and a benchmark."""
    return run.data / f"{name}.jsonl"


def rows(run: Run, name: str, columns: Sequence[str] = ("prompt",)) -> list[Row]:
    """Return the rows of that name; each has all the columns, or the stage does not begin."""
    file = path(run, name)
    preflight.require_file(file, "run the stage prepare first, with the same --out")
    found = records.read_jsonl(file)
    preflight.require_columns(found, columns, str(file))
    return found


def benchmarks(
    run: Run, generated: Sequence[str], columns: Sequence[str] = ("prompt", "reference")
) -> dict[str, list[Row]]:
    """Return the questions of each benchmark of the settings, or of those generated for want."""
    names = [source.name for source in run.settings.evaluation.sets] or generated
    return {name: rows(run, f"evaluation_{name}", columns) for name in names}
