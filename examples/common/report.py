"""The results of an evaluation: tables with intervals, models compared in pairs, files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlrewards import metrics


@dataclass(frozen=True)
class Result:
    """What one benchmark came to."""

    name: str
    accuracy: metrics.Estimate
    tokens: metrics.Estimate
    characters: metrics.Estimate
    truncated: float  # share of the completions
    pass_at: dict[int, metrics.Estimate]
    seconds: float
    right: list[list[bool]]  # of each question, each sample


def difference(after: Result, before: Result) -> str:
    """Return a line on two models that were asked the same."""
    paired = metrics.paired_difference(after.right, before.right)
    span = paired.interval
    shown = f"95 % interval {span.low:+.1%} to {span.high:+.1%}" if span else "no interval"
    return (
        f"{after.name}: {paired.difference:+.1%} on the model before, {shown}, "
        f"p = {paired.p_sign_flip:.3f}"
    )


def table(results: Sequence[Result]) -> str:
    """Return the results as a table, each accuracy with its 95 % interval."""
    header = (
        f"{'benchmark':<24} {'questions':>9} {'samples':>8} {'accuracy':>9} {'95 % interval':>16} "
        f"{'tokens':>8} {'characters':>10} {'cut off':>8}"
    )
    return "\n".join([header, "-" * len(header), *(_line(result) for result in results)])


def _line(result: Result) -> str:
    found, interval = result.accuracy, result.accuracy.interval
    shown = f"{interval.low:.1%} – {interval.high:.1%}" if interval else "none"
    return (
        f"{result.name:<24} {found.questions:>9,} {found.samples:>8,} {found.value:>9.1%} "
        f"{shown:>16} {result.tokens.value:>8.1f} {result.characters.value:>10.1f} "
        f"{result.truncated:>8.1%}"
    )


def pass_table(results: Sequence[Result]) -> str:
    """Return pass@k with its intervals, a column for each benchmark; empty where none has any."""
    known = [result for result in results if result.pass_at]
    lines = []
    for k in sorted({k for result in known for k in result.pass_at}):
        cells = [_cell(result.pass_at[k]) for result in known if k in result.pass_at]
        lines.append(f"pass@{k:<4}" + "  ".join(f"{cell:>24}" for cell in cells))
    if not lines:
        return ""
    return "\n".join(["         " + "  ".join(f"{result.name:>24}" for result in known), *lines])


def _cell(estimate: metrics.Estimate) -> str:
    if estimate.interval is None:
        return f"{estimate.value:.1%}"
    return f"{estimate.value:.1%} ({estimate.interval.low:.1%} – {estimate.interval.high:.1%})"


def save(results: Sequence[Result], folder: Path, lines: Sequence[str] = ()) -> str:
    """Write table.txt, with further lines under it, and results.json; return the table."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [table(results), pass_table(results), "\n".join(lines)]
    text = "\n\n".join(part for part in parts if part)
    (folder / "table.txt").write_text(text + "\n", encoding="utf-8")
    plain = {result.name: _plain(result) for result in results}
    (folder / "results.json").write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")
    return text


def _plain(result: Result) -> dict[str, Any]:
    return {
        "accuracy": _numbers(result.accuracy),
        "tokens": _numbers(result.tokens),
        "characters": _numbers(result.characters),
        "truncated": result.truncated,
        "pass_at": {str(k): _numbers(estimate) for k, estimate in result.pass_at.items()},
        "seconds": round(result.seconds, 1),
    }


def _numbers(estimate: metrics.Estimate) -> dict[str, Any]:
    return {
        "value": estimate.value,
        "interval": list(estimate.interval) if estimate.interval else None,
        "confidence": estimate.confidence,
        "questions": estimate.questions,
        "samples": estimate.samples,
        "method": estimate.method,
    }
