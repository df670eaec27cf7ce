"""Question, reasoning, answer: what a teacher wrote, and which of it is good enough to imitate."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rlrewards as rr
from examples.common import preflight
from examples.common.records import read_jsonl
from examples.thesis_distill_grpo import judges, prompts
from examples.thesis_distill_grpo.judges import Judge
from examples.thesis_distill_grpo.own_settings import TeacherSettings

Row = dict[str, Any]


def gather(teacher: TeacherSettings, questions: Sequence[Row]) -> list[Row]:
    """Return the questions with the teacher's `reasoning` and `generated_answer`.

    Questions that it did not answer, or not in the form asked for, are left out.
    """
    if teacher.kind == "solutions":
        known = [row for row in questions if row["reasoning"]]
        return [row | {"generated_answer": row["final_answer"]} for row in known]
    replies = _replies(teacher, questions)
    return [
        row | parts
        for row, reply in zip(questions, replies, strict=True)
        if (parts := read_reply(reply)) is not None
    ]


def _replies(teacher: TeacherSettings, questions: Sequence[Row]) -> list[str | None]:
    if teacher.kind == "function":
        function = judges.find(teacher.function)
        if function is None:
            raise preflight.PreflightError(
                'teacher.kind is "function"; set teacher.function = "package.module:name"'
            )
        return judges.replies(function, [teacher_prompt(row) for row in questions])
    path = Path(teacher.file)
    preflight.require_file(
        path,
        "answer the prompts of data/questions.jsonl and save rows of id and reply there, "
        'or set teacher.kind = "solutions"',
    )
    rows = read_jsonl(path)
    preflight.require_columns(rows, ("id", "reply"), str(path))
    known = {row["id"]: row["reply"] for row in rows}
    return [known.get(row["id"]) for row in questions]


def teacher_prompt(row: Row) -> str:
    """Return Box 1."""
    return prompts.ask(prompts.TRIPLET, row["question"])[0]["content"]


def read_reply(reply: str | None) -> Row | None:
    r"""Return reasoning and answer of a reply, parted by its last line of `####`.

    >>> read_reply("2 + 2 is 4.\n#### 4")
    {'reasoning': '2 + 2 is 4.', 'generated_answer': '4'}
    """
    reasoning, mark, answer = (reply or "").rpartition("\n####")
    if not mark or not reasoning.strip() or not answer.strip():
        return None
    return {"reasoning": reasoning.strip(), "generated_answer": answer.strip()}


def quality_prompt(row: Row) -> str:
    """Return Box 2."""
    shown = {
        name: row[name] for name in ("question", "final_answer", "reasoning", "generated_answer")
    }
    template = prompts.QUALITY.replace("{{", "{").replace("}}", "}")
    return template.replace("{input_json}", json.dumps(shown, ensure_ascii=False))


def keep_perfect(rows: Sequence[Row], judge: Judge | None) -> list[Row]:
    """Return the triplets that the judge gives (1, 10), with its scores.

    Without a judge: those whose answer the rules find right. A reply that is missing or not in the
    form of Box 2 is no score, and such a triplet is left out.
    """
    if judge is None:
        return [row for row in rows if rr.verify(row["generated_answer"], row["final_answer"])]
    scores = map(judges.read_quality, judges.replies(judge, [quality_prompt(row) for row in rows]))
    return [
        row | score._asdict()
        for row, score in zip(rows, scores, strict=True)
        if score == judges.PERFECT and score is not None
    ]


def example(row: Row, template: str) -> Row:
    """Return a triplet as a conversation of the supervised stage."""
    content = f"<think>\n{row['reasoning']}\n</think>\n<answer>{row['generated_answer']}</answer>"
    return {
        "id": row["id"],
        "prompt": prompts.ask(template, row["question"]),
        "completion": [{"role": "assistant", "content": content}],
    }
