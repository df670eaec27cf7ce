"""The laws that completions are never run, and that impossible parameters are refused early."""

from __future__ import annotations

import math
import multiprocessing
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import rlrewards as rr
from rlrewards.testing.findings import Finding, Outcome
from rlrewards.testing.law import Effort, Law
from rlrewards.testing.laws import edges, execution
from rlrewards.testing.running import run
from rlrewards.testing.subject import subject

(NEVER_EXECUTED,) = execution.LAWS
(REFUSED_EARLY,) = edges.LAWS
FORKS = "fork" in multiprocessing.get_all_start_methods()
needs_fork = pytest.mark.skipif(not FORKS, reason="rewards of a test go to a child by fork")


def finding_of(reward: Any, law: Law, **facts: Any) -> Finding:
    (finding,) = run([(subject(reward, **facts), law)], Effort(), isolate=True)
    return finding


def answer_of(text: str) -> str:
    return text.split("boxed{")[-1].split("}")[0] if "boxed" in text else text


def by_eval(completions: list[str], solution: list[str], **columns: Any) -> list[float]:
    scores = []
    for text, reference in zip(completions, solution, strict=True):
        try:
            scores.append(float(eval(answer_of(text)) == eval(reference)))
        except Exception:
            scores.append(0.0)
    return scores


def by_compile(completions: list[str], solution: list[str], **columns: Any) -> list[float]:
    """Look whether it is Python, and run nothing."""
    scores = []
    for text in completions:
        try:
            compile(answer_of(text), "answer", "eval")
            scores.append(1.0)
        except (SyntaxError, ValueError):
            scores.append(0.0)
    return scores


def by_shell(completions: list[str], solution: list[str], **columns: Any) -> list[float]:
    found = []
    for text, reference in zip(completions, solution, strict=True):
        command = f'test "{answer_of(text)}" = "{reference}"'
        if "\x00" in command or not command.isascii():
            found.append(0.0)
            continue
        done = subprocess.run(["sh", "-c", command], capture_output=True, check=False)
        found.append(float(done.returncode == 0))
    return found


def by_text(completions: list[str], solution: list[str], **columns: Any) -> list[float]:
    return [float(answer_of(a) == b) for a, b in zip(completions, solution, strict=True)]


@needs_fork
@pytest.mark.parametrize("reward", [by_eval, by_compile, by_shell])
def test_what_runs_completions_is_found(reward: Any) -> None:
    finding = finding_of(reward, NEVER_EXECUTED, kind="accuracy")
    assert finding.outcome is Outcome.FAILED
    assert execution.PROOF in finding.samples[0].completion
    assert ("compile" in finding.why) == (reward is by_compile)
    assert not Path(execution.PROOF).exists()


@needs_fork
@pytest.mark.parametrize(
    "reward",
    [by_text, rr.Accuracy(), rr.ChoiceAccuracy(letters="ABCD"), rr.RepetitionPenalty(),
     rr.ThinkFormat(), rr.GroupLength()],
    ids=lambda reward: getattr(reward, "__name__", type(reward).__name__),
)  # fmt: skip
def test_what_reads_them_passes(reward: Any) -> None:
    assert finding_of(reward, NEVER_EXECUTED).outcome is Outcome.PASSED


def test_it_is_not_tried_in_the_process_of_the_caller() -> None:
    found = run([(subject(by_eval, kind="accuracy"), NEVER_EXECUTED)], Effort(), isolate=False)
    assert [finding.outcome for finding in found] == [Outcome.SKIPPED]


# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Penalty:
    """DAPO's penalty, its parameters unchecked but for what the test says."""

    max_length: int = 100
    buffer: int = 20
    least_buffer: int = -(10**9)
    most_buffer: float = math.inf

    def __post_init__(self) -> None:
        if not self.least_buffer <= self.buffer <= self.most_buffer or self.max_length < 1:
            raise ValueError("buffer")

    def __call__(self, completion_ids: list[list[int]], **columns: Any) -> list[float]:
        start = self.max_length - self.buffer
        return [max(-1.0, min(0.0, (start - len(ids)) / self.buffer)) for ids in completion_ids]


def refused_early(**limits: Any) -> Finding:
    return finding_of(
        Penalty(**limits), REFUSED_EARLY, kind="overlong", signature="trl", max_length=100,
        buffer=20, remake=partial(Penalty, **limits),
    )  # fmt: skip


@needs_fork
def test_a_division_by_zero_to_come_is_found() -> None:
    finding = refused_early(least_buffer=0)
    assert finding.outcome is Outcome.FAILED
    assert finding.why.split("; ") == [
        "with buffer=0: raised ZeroDivisionError: division by zero",
        "with buffer=110: scored -0.0909091 for no token at all",
    ]


@needs_fork
def test_a_buffer_beyond_the_limit_is_found() -> None:
    finding = refused_early(least_buffer=1)
    assert finding.why == "with buffer=110: scored -0.0909091 for no token at all"
    (sample,) = finding.samples
    assert len(sample.token_ids or ()) == 0


@needs_fork
def test_what_refuses_all_of_them_passes() -> None:
    assert refused_early(least_buffer=1, most_buffer=100).outcome is Outcome.PASSED


@pytest.mark.parametrize(
    "reward",
    [rr.CosineLength(max_length=100), rr.SoftOverlong(max_length=100, buffer=20),
     rr.RepetitionPenalty(n=3)],
    ids=lambda reward: type(reward).__name__,
)  # fmt: skip
def test_ours_refuse_them(reward: Any) -> None:
    REFUSED_EARLY.check(subject(reward))


def test_without_a_way_to_make_it_anew_nothing_is_tried() -> None:
    (finding,) = run(
        [(subject(Penalty(), kind="overlong", signature="trl", max_length=100, buffer=20),
          REFUSED_EARLY)], Effort(), isolate=False,
    )  # fmt: skip
    assert (finding.outcome, finding.why) == (Outcome.SKIPPED, "say remake= to try it")
