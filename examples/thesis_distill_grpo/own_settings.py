"""The tables of the settings that only this recipe has: `[teacher]`, `[judge]`, `[prompts]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from examples.thesis_distill_grpo import prompts


@dataclass(frozen=True, kw_only=True)
class TeacherSettings:
    """Where the reasoning that is distilled comes from.

    "solutions": the data sets' own. "file": replies that you gathered, rows of id and reply.
    "function": a function from prompts to replies, `package.module:name`. "sums": the tiny task's.
    """

    kind: Literal["solutions", "file", "function", "sums"] = "sums"
    file: str = ""
    function: str = ""
    questions: int | None = None  # how many the teacher is asked


@dataclass(frozen=True, kw_only=True)
class JudgeSettings:
    """Functions from prompts to replies, `package.module:name`; empty: there is none."""

    quality: str = ""  # Box 2, of the teacher's solutions
    reward: str = ""  # Box 5, where the rules cannot decide


@dataclass(frozen=True, kw_only=True)
class PromptSettings:
    """What the model is asked; `{question}` stands for the question."""

    solve: str = prompts.SOLVE  # SFT and GRPO
    evaluate: str = prompts.EVALUATE


OWN: Mapping[str, type[Any]] = {
    "teacher": TeacherSettings,
    "judge": JudgeSettings,
    "prompts": PromptSettings,
}
