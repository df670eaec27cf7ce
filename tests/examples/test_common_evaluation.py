"""n samples a question, graded, as a table with intervals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from examples.common import evaluation, report
from examples.common.evaluation import Benchmark
from examples.common.generation import Completion, Messages, Sampling

import rlrewards as rr


def ask(text: str) -> Messages:
    return [{"role": "user", "content": text}]


ROWS = [{"prompt": ask(f"{n} + 1"), "reference": str(n + 1)} for n in range(4)]


def sampler(prompts: Sequence[Messages], sampling: Sampling) -> list[Completion]:
    """Right on the first two questions, on every other sample of the third, never on the fourth."""
    texts = ["1", "1", "2", "2", "3", "0", "0", "0"]
    assert [prompt[0]["content"] for prompt in prompts] == [f"{n // 2} + 1" for n in range(8)]
    return [Completion(rf"\boxed{{{text}}}", [7] * 5, text == "0") for text in texts]


def found(path: Path) -> report.Result:
    return evaluation.evaluate(
        Benchmark("sums", ROWS),
        sampler,
        Sampling(),
        samples=2,
        grade=evaluation.grade_with(),
        completions=path,
        pass_at=[1, 2],
    )


def test_by_hand(tmp_path: Path) -> None:
    result = found(tmp_path / "completions.jsonl")
    assert result.accuracy.value == (1 + 1 + 0.5 + 0) / 4
    assert result.accuracy.interval is not None
    assert result.pass_at[1].value == 0.625
    assert result.pass_at[2].value == 0.75
    assert result.truncated == 3 / 8
    assert result.tokens.value == 5
    assert result.characters.value == len(r"\boxed{1}")
    rows = [json.loads(line) for line in (tmp_path / "completions.jsonl").read_text().splitlines()]
    assert [row["right"] for row in rows] == [True] * 5 + [False] * 3
    assert [(row["question"], row["sample"]) for row in rows[:3]] == [(0, 0), (0, 1), (1, 0)]


def test_table(tmp_path: Path) -> None:
    text = report.save([found(tmp_path / "c.jsonl")], tmp_path / "out", ["and more"])
    header, _, line, *_ = text.splitlines()
    assert header.split()[:3] == ["benchmark", "questions", "samples"]
    assert line.split()[:4] == ["sums", "4", "8", "62.5%"]
    assert "pass@2" in text
    assert text.endswith("and more")
    assert (tmp_path / "out" / "table.txt").read_text(encoding="utf-8") == text + "\n"
    plain = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert plain["sums"]["accuracy"]["value"] == 0.625


def test_undecided_is_wrong() -> None:
    grade = evaluation.grade_with(rr.Verifier())
    sample = rr.Sample("<answer>the set of all primes</answer>", reference="prime numbers")
    assert rr.grade(sample.completion, "prime numbers").status is rr.Status.UNDECIDED
    assert grade(sample) is False
