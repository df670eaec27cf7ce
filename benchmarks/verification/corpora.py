r"""The pairs to grade: real ones where the data folder is at hand, and those that ship here.

`RLREWARDS_DATA` names the folder of real data. `benchmarks/data/references.jsonl` is our own: made
by `make_references.py` in every kind of answer that the verifier knows.
"""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rewriting

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "benchmarks" / "data" / "references.jsonl"
DATA_SETS = ("college_math", "gaokao2023en", "carp_en", "gsm8k")
Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One pair to grade.

    Attributes:
        text: A completion, or a bare answer.
        reference: What it is compared with.
        bare: Whether the text is a bare answer, to be compared without extraction.
        label: Whether the pair is right, where somebody knows.
        family: How a rewritten answer was made.
        question: What was asked.
    """

    text: str
    reference: str
    bare: bool = False
    label: bool | None = None
    family: str = ""
    question: str | None = None


def data_folder() -> Path:
    """Return where real data is looked for."""
    return Path(os.environ.get("RLREWARDS_DATA", ROOT.parent / "shared" / "data"))


def rows(name: str) -> list[Row]:
    """Return the rows of a real file, none if it is absent."""
    path = data_folder() / f"{name}.jsonl.gz"
    if not path.exists():
        return []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def shipped_references() -> list[str]:
    """Return the references of the corpus that ships with the benchmark."""
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["reference"] for line in lines]


def real_references() -> dict[str, list[Row]]:
    """Return the rows that have a reference, by data set."""
    found: dict[str, list[Row]] = {name: [] for name in DATA_SETS}
    for row in rows("math_references"):
        if row["reference"].strip():
            found[row["dataset"]].append(row)
    return {name: group for name, group in found.items() if group}


def boxed(references: Iterable[str]) -> list[Case]:
    r"""Return each reference as a model would give it back, in `\boxed{}`."""
    return [Case(rf"\boxed{{{reference}}}", reference) for reference in references]


def rewritten(references: Iterable[str], seed: int) -> list[Case]:
    """Return the metamorphic pairs of some references."""
    return [
        Case(pair.answer, pair.reference, True, pair.right, pair.family)
        for pair in rewriting.pairs(references, seed=seed)
    ]


def completions(name: str) -> list[Case]:
    """Return the completions of a real file, with labels where it has them."""
    return [
        Case(row["completion"], row["reference"], label=row.get("label"), question=row["question"])
        for row in rows(name)
    ]


def corpora(seed: int) -> dict[str, list[Case]]:
    """Return every corpus that is there, by name."""
    found = {}
    by_set = {name: [r["reference"] for r in group] for name, group in real_references().items()}
    everything = [reference for group in by_set.values() for reference in group]
    for name, group in by_set.items():
        found[name] = boxed(group)
    if everything:
        found["all references"] = boxed(everything)
    for name in ("gsm8k_completions", "math_completions"):
        if cases := completions(name):
            found[name] = cases
    if everything:
        found["rewritten"] = rewritten(everything, seed)
    shipped = shipped_references()
    found["shipped"] = boxed(shipped)
    found["shipped, rewritten"] = rewritten(shipped, seed)
    return found


def sampled(cases: list[Case], most: int, seed: int) -> list[int]:
    """Return the places of a random subset, in order."""
    chosen = random.Random(seed).sample(range(len(cases)), min(most, len(cases)))
    return sorted(chosen)
