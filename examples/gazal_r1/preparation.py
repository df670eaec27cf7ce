r"""From the data sets' own columns to conversations, references and options.

- SFT: rows of `question`, `reasoning` and `answer`: what the model thinks, and its assessment.
- GRPO and evaluation: rows of `question`, `answer` (a letter) and `options`, which may be a mapping
  of letters, a list, or stand in the text of the question, a line each (`A. …`, `B) …`).

`columns` of a source says what a data set calls them. A conversation (a list of turns with `value`
or `content`) counts with its first turn.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Mapping
from typing import Any

from examples.common import data, tasks
from examples.common.preflight import PreflightError
from examples.common.settings import Settings, SourceSettings
from examples.gazal_r1 import prompts

Row = dict[str, Any]
SFT_COLUMNS = ("question", "reasoning", "answer")
CHOICE_COLUMNS = ("question", "answer")
LETTERS = "ABCDE"
_OPTION = re.compile(r"^\s*\(?([A-E])[.):]\s*(\S.*?)\s*$", re.MULTILINE)
_LETTER = re.compile(r"\(?\b([A-E])\b[.):]?")


def demonstration(row: Row, system: str) -> Row:
    """Return what the supervised stage imitates."""
    completion = prompts.response(_text(row["reasoning"]), _text(row["answer"]))
    return {
        "prompt": prompts.asked(system, _text(row["question"])),
        "completion": [{"role": "assistant", "content": completion}],
    }


def problem(row: Row, system: str) -> Row | None:
    """Return a multiple-choice question, or None for a row that is none with a known letter."""
    question = _text(row["question"])
    options = options_of(row.get("options"), question)
    letter = letter_of(_text(row["answer"]), options)
    if letter is None or len(options) < 2:
        return None
    return {
        "prompt": prompts.asked(system, prompts.choice(question, options)),
        "reference": letter,
        "options": options,
        "question": question,
    }


def options_of(given: Any, question: str) -> dict[str, str]:
    """Return letter to text, from a column or from the question itself.

    >>> options_of(["yes", "no"], "?")
    {'A': 'yes', 'B': 'no'}
    >>> options_of(None, "Which?\\nA. this\\nB) that")
    {'A': 'this', 'B': 'that'}
    """
    if isinstance(given, str) and given.strip()[:1] in ("{", "["):
        given = json.loads(given)
    if isinstance(given, Mapping):
        return {str(k): str(v) for k, v in given.items() if v is not None and str(k) in LETTERS}
    if isinstance(given, list) and len(given) <= len(LETTERS):
        return dict(zip(LETTERS, map(str, given), strict=False))
    return dict(_OPTION.findall(question if given is None else str(given)))


def letter_of(answer: str, options: Mapping[str, str]) -> str | None:
    """Return the letter of an answer that is a letter, starts with one, or is an option's text.

    >>> letter_of("B. that", {"A": "this", "B": "that"}), letter_of("this", {"A": "this"})
    ('B', 'A')
    """
    for letter, text in options.items():
        if answer.strip().casefold() == text.strip().casefold():
            return letter
    found = _LETTER.match(answer.strip())
    return found[1] if found and found[1] in options else None


def _text(value: Any) -> str:
    """Return a text; of a conversation, the text of its first turn."""
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        value = value[0].get("value", value[0].get("content"))
    return str(value).strip()


def supervised(settings: Settings, system: str, seed: int) -> list[Row]:
    """Return the examples of the supervised stage, of all sources whose name starts with `sft`."""
    sources = [source for source in settings.data.sources if source.name.startswith("sft")]
    if not sources:
        return _sum_demonstrations(settings, system, seed)
    rng = random.Random(f"sft {seed}")
    rows = [
        row
        for source in sources
        for row in data.sample(data.read(source, SFT_COLUMNS), source.take, rng)
        if all(_text(row[name]) for name in SFT_COLUMNS)
    ]
    return [demonstration(row, system) for row in data.sample(rows, settings.data.sft, rng)]


def questions(settings: Settings, system: str, seed: int) -> list[Row]:
    """Return the questions of GRPO: duplicates left out, then a share drawn at random."""
    sources = [source for source in settings.data.sources if source.name.startswith("rl")]
    if not sources:
        return _choices(settings, system)
    rows = [row for source in sources for row in problems(source, system)]
    unique = data.without_duplicates(rows)
    return data.sample(unique, settings.data.rl, random.Random(f"rl {seed}"))


def problems(source: SourceSettings, system: str) -> list[Row]:
    """Return the multiple-choice questions of a source.

    Raises `PreflightError` where it has none.
    """
    rows = data.read(source, CHOICE_COLUMNS)
    found = [row for row in (problem(row, system) for row in rows) if row is not None]
    if not found:
        raise PreflightError(
            f"{source.name} ({source.path}) has no row with options and the letter of one; say "
            'under its columns what they are called: columns = { options = "…", answer = "…" }'
        )
    return found


# ---------------------------------------------------------------------------------------------
# Generated sums with five options


def _choices(settings: Settings, system: str) -> list[Row]:
    rows = tasks.choices(largest=settings.data.largest)
    found = (problem(_as_choice(row), system) for row in rows)
    return [row for row in found if row is not None]


def _as_choice(row: Row) -> Row:
    return {
        "question": row["question"],
        "options": row["options"],
        "answer": row["final_answer"],
    }


def _sum_demonstrations(settings: Settings, system: str, seed: int) -> list[Row]:
    """Return demonstrations on sums; most letters are wrong, and some forget the assessment."""
    drawn = tasks.demonstrations(
        tasks.choices(largest=settings.data.largest),
        lambda question, letter: prompts.response(
            question["sum"], f"{question['options'][letter]}", letter
        ),
        count=settings.data.sft or 0,
        seed=seed,
        sloppiness=settings.data.sloppiness,
        careless=lambda question, letter: prompts.response(question["sum"], rf"\boxed{{{letter}}}"),
        careless_share=0.3,
    )
    return [
        {
            "prompt": prompts.asked(system, question["question"]),
            "completion": [{"role": "assistant", "content": completion}],
        }
        for question, completion in drawn
    ]


def benchmarks(settings: Settings, system: str) -> dict[str, list[Row]]:
    """Return the questions of the evaluation, by benchmark."""
    sets = settings.evaluation.sets
    if not sets:
        return {"sums": _choices(settings, system)[: settings.data.evaluation]}
    return {
        source.name: data.sample(
            problems(source, system), source.take, random.Random(f"{source.name}")
        )
        for source in sets
    }


def counts(rows: Iterable[Row]) -> str:
    """Return how often each letter is right, as a line."""
    letters = [row["reference"] for row in rows]
    return ", ".join(f"{letter} {letters.count(letter)}" for letter in sorted(set(letters)))
