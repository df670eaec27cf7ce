"""What a run leaves behind: metrics as JSON lines, one row a step, and pictures of them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

WINDOW = 10  # steps of the moving average, as the papers draw theirs
END_SHARE = 5  # the first and the last fifth are compared


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows to a file of JSON lines and return how many."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows]
    path.write_text("".join(lines), encoding="utf-8")
    return len(lines)


def append_jsonl(path: Path, row: Mapping[str, Any]) -> None:
    """Add a row to a file of JSON lines; NaN is written as null."""
    clean = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(clean, ensure_ascii=False, default=str) + "\n")


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON lines; empty lines are skipped."""
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def keep_until(path: Path, step: int) -> None:
    """Drop the rows after a step: a resumed run writes them again."""
    if path.exists():
        write_jsonl(path, [row for row in read_jsonl(path) if row.get("step", 0) <= step])


def moving_average(values: Sequence[float], window: int = WINDOW) -> list[float]:
    """Return the mean of each value and those up to `window - 1` steps before it."""
    spans = [values[max(0, end - window) : end] for end in range(1, len(values) + 1)]
    return [sum(span) / len(span) for span in spans]


def ends(values: Sequence[float]) -> dict[str, float]:
    """Return the means of the first and the last fifth, and their difference in standard errors.

    The standard error is over steps: `√(s₁²/n + s₂²/n)`.
    """
    count = max(1, len(values) // END_SHARE)
    first, last = values[:count], values[-count:]
    difference = _mean(last) - _mean(first)
    error = math.sqrt((_variance(first) + _variance(last)) / count)
    without_spread = math.copysign(math.inf, difference) if difference else 0.0
    return {
        "first": _mean(first),
        "last": _mean(last),
        "standard_error": error,
        "rise_in_standard_errors": difference / error if error else without_spread,
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _variance(values: Sequence[float]) -> float:
    mean = _mean(values)
    return sum((value - mean) ** 2 for value in values) / max(1, len(values) - 1)


def draw(rows: Sequence[Mapping[str, Any]], names: Sequence[str], path: Path) -> None:
    """Save a picture of the named columns over the steps, each with its moving average.

    Columns that no row has are left out; without any there is no picture.
    """
    shown = [name for name in names if any(_known(row.get(name)) for row in rows)]
    if not shown:
        return
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    width = min(3, len(shown))
    height = math.ceil(len(shown) / width)
    figure, axes = plt.subplots(
        height, width, figsize=(4 * width, 3 * height), squeeze=False, layout="constrained"
    )
    for axis in axes.flat[len(shown) :]:
        axis.set_visible(False)
    for axis, name in zip(axes.flat, shown, strict=False):
        points = [(row["step"], float(row[name])) for row in rows if _known(row.get(name))]
        steps, values = [step for step, _ in points], [value for _, value in points]
        axis.plot(steps, values, color="tab:blue", alpha=0.3, linewidth=1)
        axis.plot(steps, moving_average(values), color="tab:blue", linewidth=2)
        axis.set_title(name)
        axis.grid(alpha=0.3)
    figure.supxlabel(f"step (bold: moving average over {WINDOW})")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _known(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
