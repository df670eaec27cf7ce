"""Grade real completions with rlrewards and with Math-Verify, and print where they differ.

    python benchmarks/verify.py [--list]

Accuracy first: against the authors' labels where a corpus has them. Then pairs a second, both in
this run, in one process, on the same pairs, caches empty. The corpora are read from the folder that
`RLREWARDS_DATA` names; without it only the completions that ship with the examples are graded.
`--list` prints every disagreement.
"""

from __future__ import annotations

import argparse
import gzip
import json
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import rlrewards as rr

ROOT = Path(__file__).resolve().parents[1]
Row = dict[str, Any]


def corpora() -> Iterator[tuple[str, list[Row]]]:
    """Yield the corpora that are there, by name."""
    folder = Path(os.environ.get("RLREWARDS_DATA", ROOT.parent / "shared" / "data"))
    for name in ("gsm8k_completions", "math_completions"):
        path = folder / f"{name}.jsonl.gz"
        if path.exists():
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                yield name, [json.loads(line) for line in lines]
    lines = (ROOT / "examples" / "data" / "completions.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in lines.splitlines()]
    yield "examples", [row for row in rows if not row.get("options")]


def ours() -> Callable[[Row], str]:
    """Return a grader that remembers nothing."""
    verifier = rr.Verifier(cache_size=0)
    return lambda row: verifier.grade(row["completion"], row["reference"]).status.value


def math_verify() -> Callable[[Row], str] | None:
    """Return Math-Verify with its default extraction, or None where it is not installed."""
    try:
        import math_verify
    except ImportError:
        return None
    logging.getLogger("math_verify").setLevel(logging.CRITICAL)

    def grade(row: Row) -> str:
        gold = math_verify.parse(f"${row['reference']}$")
        answer = math_verify.parse(row["completion"])
        return "EQUAL" if math_verify.verify(gold, answer) else "DIFFERENT"

    return grade


def timed(grade: Callable[[Row], str], rows: list[Row]) -> tuple[list[str], float]:
    """Return the verdicts and the pairs a second."""
    start = time.perf_counter()
    verdicts = [grade(row) for row in rows]
    return verdicts, len(rows) / (time.perf_counter() - start)


def report(name: str, rows: list[Row], verdicts: list[str], speed: float, peer: str) -> None:
    """Print one line of the table."""
    labelled = [(row["label"], v) for row, v in zip(rows, verdicts, strict=True) if "label" in row]
    accepted = sum(not label and verdict == "EQUAL" for label, verdict in labelled)
    rejected = sum(bool(label) and verdict != "EQUAL" for label, verdict in labelled)
    errors = f"{accepted:>14} {rejected:>14}" if labelled else f"{'-':>14} {'-':>14}"
    undecided = Counter(verdicts)["UNDECIDED"]
    print(f"{name:20} {peer:12} {len(rows):>6} {errors} {undecided:>10} {speed:>9,.0f}")


def main() -> None:
    """Print the table, and the disagreements on request."""
    parser = argparse.ArgumentParser(description="rlrewards beside Math-Verify")
    parser.add_argument("--list", action="store_true", help="print every disagreement")
    arguments = parser.parse_args()
    theirs = math_verify()
    print(f"{'corpus':20} {'grader':12} {'pairs':>6} {'false accepts':>14} ", end="")
    print(f"{'false rejects':>14} {'undecided':>10} {'pairs/s':>9}")
    for name, rows in corpora():
        own, own_speed = timed(ours(), rows)
        report(name, rows, own, own_speed, "rlrewards")
        if theirs is None:
            continue
        other, other_speed = timed(theirs, rows)
        report(name, rows, other, other_speed, "Math-Verify")
        differ = [i for i in range(len(rows)) if (own[i] == "EQUAL") != (other[i] == "EQUAL")]
        print(f"{'':20} {own_speed / other_speed:.0f} times as fast; {len(differ)} disagreements")
        for index in differ if arguments.list else ():
            answer = rr.extract(rows[index]["completion"])
            text = None if answer is None else answer.text
            print(f"    row {index}: {text!r} for {rows[index]['reference']!r}: {own[index]} here")
    if theirs is None:
        print("Math-Verify is not installed: pip install math-verify")


if __name__ == "__main__":
    main()
