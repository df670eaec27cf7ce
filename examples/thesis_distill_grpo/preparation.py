r"""The question bank, and what is drawn from it.

    NuminaMath   problem, solution     the last `\boxed{…}` is the answer, the reasoning precedes it
    JEEBench     question, gold        subject "math"
    OpenAIMath   question, answer      `\n####` parts reasoning and answer (GSM8K)

become rows of {id, question, final_answer, metadata}; any other source brings `question` and
`final_answer` itself. Rows without question or answer go, duplicates in any case go, the rest get
ids math-q-00001, math-q-00002, ...
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

from examples.common import data
from examples.common.data import Row
from examples.common.settings import SourceSettings

_CALCULATOR = re.compile(r"<<[^<>\n]*>>")  # GSM8K's annotations: 48/2 = <<48/2=24>>24


def numina(row: Row) -> Row:
    r"""Return a row of NuminaMath in our columns.

    >>> numina({"problem": "2?", "solution": r"It is \boxed{2}.", "source": "olympiads"})
    ... # doctest: +NORMALIZE_WHITESPACE
    {'question': '2?', 'final_answer': '2', 'reasoning': 'It is',
     'metadata': {'source': 'NuminaMath', 'topic': 'olympiads'}}
    """
    solution = str(row["solution"] or "")
    return {
        "question": row["problem"],
        "final_answer": data.last_boxed(solution),
        "reasoning": data.before_last_box(solution),
        "metadata": {"source": "NuminaMath", "topic": row.get("source")},
    }


def jee(row: Row) -> Row:
    """Return a row of JEEBench in our columns. It has no reasoning."""
    kept = {name: row[name] for name in ("subject", "type", "description", "index") if name in row}
    return {
        "question": row["question"],
        "final_answer": row["gold"],
        "reasoning": None,
        "metadata": {"source": "JEEBench"} | kept,
    }


def gsm8k(row: Row) -> Row:
    r"""Return a row of GSM8K in our columns.

    >>> gsm8k({"question": "9 + 9?", "answer": "9+9 = <<9+9=18>>18\n#### 18"})["reasoning"]
    '9+9 = 18'
    """
    solution = str(row["answer"] or "")
    return {
        "question": row["question"],
        "final_answer": data.after_hashes(solution),
        "reasoning": _CALCULATOR.sub("", solution.rpartition("\n####")[0]).strip() or None,
        "metadata": {"source": "OpenAIMath"},
    }


def aime(row: Row) -> Row:
    """Return a row of AIME in our columns."""
    return {
        "question": row["problem"],
        "final_answer": row["answer"],
        "reasoning": None,
        "metadata": {"source": "AIME"},
    }


# Source to the columns that it must have and the function that reads a row.
READERS: dict[str, tuple[tuple[str, ...], Callable[[Row], Row]]] = {
    "NuminaMath": (("problem", "solution"), numina),
    "JEEBench": (("question", "gold"), jee),
    "OpenAIMath": (("question", "answer"), gsm8k),
    "GSM8K": (("question", "answer"), gsm8k),
    "AIME-2024": (("problem", "answer"), aime),
}


def read(source: SourceSettings, rng: random.Random) -> list[Row]:
    """Return the valid rows of a source, as many as it says, drawn at random.

    `source.by` names the column of the source whose shares the drawing keeps.
    """
    columns, convert = READERS.get(source.name, (("question", "final_answer"), None))
    raw = data.read(source, [*columns, *([source.by] if source.by else [])])
    pairs = [(row, convert(row) if convert else _plain(row, source.name)) for row in raw]
    valid = [
        {"stratum": str(old.get(source.by)), "row": row} for old, row in pairs if is_valid(row)
    ]
    chosen = data.sample(valid, source.take, rng, by=lambda pair: str(pair["stratum"]))
    return [pair["row"] for pair in chosen]


def _plain(row: Row, name: str) -> Row:
    metadata = row.get("metadata") or {}
    return {
        "question": row["question"],
        "final_answer": row["final_answer"],
        "reasoning": row.get("reasoning"),
        "metadata": {"source": name} | dict(metadata),
    }


def is_valid(row: Row) -> bool:
    """Return whether a row has a question and an answer."""
    return all(str(row[name] if row[name] is not None else "").strip() for name in NEEDED)


NEEDED = ("question", "final_answer")


def bank(rows: Sequence[Row]) -> list[Row]:
    """Return the cleaned rows: valid, each question once, with ids."""
    kept = data.without_duplicates([row for row in rows if is_valid(row)])
    return [
        {"id": f"math-q-{number:05d}"} | row | {name: str(row[name]).strip() for name in NEEDED}
        for number, row in enumerate(kept, start=1)
    ]


def source_of(row: Row) -> str:
    """Return the stratum of a row of the bank."""
    return str(row["metadata"]["source"])


def draw(
    rows: Sequence[Row], count: int | None, rng: random.Random, *, without: Sequence[Row] = ()
) -> list[Row]:
    """Return rows of the bank, stratified by source; those of `without` take no part."""
    taken = {row["id"] for row in without}
    return data.sample([row for row in rows if row["id"] not in taken], count, rng, by=source_of)


def references(row: Row) -> str | list[str]:
    """Return what is accepted: the letters of JEEBench's multiple answers also with commas.

    >>> references({"final_answer": "ABD", "metadata": {"type": "MCQ(multiple)"}})
    ['ABD', 'A, B, D']
    """
    answer = str(row["final_answer"])
    is_several = row["metadata"].get("type") == "MCQ(multiple)" and len(answer) > 1
    return [answer, ", ".join(answer)] if is_several and answer.isalpha() else answer
