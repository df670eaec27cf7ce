"""Evaluation: n samples a question, graded, as a table with intervals and a file of completions."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rlrewards as rr
from examples.common.commands import Run
from examples.common.generation import Completion, Messages, Sampling, generate
from examples.common.records import write_jsonl
from examples.common.settings import EvaluationSettings
from rlrewards import metrics

Sampler = Callable[[Sequence[Messages], Sampling], list[Completion]]
Grader = Callable[[rr.Sample], bool]  # whether a completion is right


@dataclass(frozen=True)
class Benchmark:
    """A set of questions: what is asked, and with what it is graded.

    Rows have `prompt` (messages) and `reference`, and may have `options` and `question`.
    """

    name: str
    rows: Sequence[dict[str, Any]]


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


def grade_with(verifier: rr.Verifier | None = None) -> Grader:
    """Return a grader by a verifier; what it cannot decide counts as wrong in an evaluation."""
    chosen = verifier or rr.Verifier()

    def grade(sample: rr.Sample) -> bool:
        return bool(
            chosen.grade(
                sample.completion, sample.reference, options=sample.options, prompt=sample.prompt
            )
        )

    return grade


def evaluate(
    benchmark: Benchmark,
    sampler: Sampler,
    sampling: Sampling,
    *,
    samples: int,
    grade: Grader,
    completions: Path | None = None,
    pass_at: Sequence[int] = (),
) -> Result:
    """Sample every question `samples` times, grade, and return the estimates.

    Args:
        benchmark: The questions.
        sampler: Draws one completion for each prompt; a batch with every prompt `samples` times.
        sampling: How they are drawn.
        samples: Completions a question.
        grade: What decides.
        completions: A file of JSON lines that gets one row for each completion.
        pass_at: The k for which the unbiased pass@k is estimated; each at most `samples`.
    """
    begun = time.perf_counter()
    asked = [row for row in benchmark.rows for _ in range(samples)]
    drawn = sampler([row["prompt"] for row in asked], sampling)
    right = [
        grade(
            rr.Sample(
                answer.text,
                reference=row["reference"],
                options=row.get("options"),
                prompt=row["prompt"][-1]["content"],
            )
        )
        for row, answer in zip(asked, drawn, strict=True)
    ]
    if completions is not None:
        write_jsonl(completions, _records(benchmark.name, asked, drawn, right, samples))
    by_question = _groups(right, samples)
    return Result(
        name=benchmark.name,
        accuracy=metrics.accuracy(by_question),
        tokens=metrics.mean_length(_groups([len(a.token_ids) for a in drawn], samples)),
        characters=metrics.mean_length(_groups([len(a.text) for a in drawn], samples)),
        truncated=sum(answer.truncated for answer in drawn) / len(drawn),
        pass_at=dict(metrics.mean_pass_at_k(by_question, pass_at)) if pass_at else {},
        seconds=time.perf_counter() - begun,
        right=by_question,
    )


def _groups(values: Sequence[Any], size: int) -> list[list[Any]]:
    return [list(values[start : start + size]) for start in range(0, len(values), size)]


def _records(
    name: str,
    asked: Sequence[dict[str, Any]],
    drawn: Sequence[Completion],
    right: Sequence[bool],
    samples: int,
) -> list[dict[str, Any]]:
    return [
        {
            "benchmark": name,
            "question": index // samples,
            "sample": index % samples,
            "prompt": row["prompt"],
            "reference": row["reference"],
            "completion": answer.text,
            "tokens": len(answer.token_ids),
            "truncated": answer.truncated,
            "right": verdict,
        }
        for index, (row, answer, verdict) in enumerate(zip(asked, drawn, right, strict=True))
    ]


def evaluate_run(
    run: Run,
    benchmarks: Sequence[Benchmark],
    *,
    grade: Grader | None = None,
    pass_at: Sequence[int] = (),
) -> str:
    """Evaluate the models that the settings compare; print, save and return the table.

    A stage that saved nothing is left out. Two models that were asked the same are compared in
    pairs, each with the one before it.
    """
    settings, found, lines = run.settings.evaluation, [], []
    before: dict[str, list[list[bool]]] = {}
    for name in settings.compare:
        if name != "base" and not run.saved(name).is_dir():
            print(f"   {name}: nothing was saved by this stage, left out")
            continue
        sampler = make_sampler(run, None if name == "base" else run.saved(name))
        for benchmark in benchmarks:
            result = evaluate(
                Benchmark(f"{benchmark.name}, {name}", benchmark.rows),
                sampler,
                sampling_of(settings),
                samples=settings.samples,
                grade=grade or grade_with(),
                completions=run.stage("evaluation") / f"completions_{benchmark.name}_{name}.jsonl",
                pass_at=pass_at,
            )
            found.append(result)
            if benchmark.name in before:
                lines.append(_difference(result, before[benchmark.name]))
            before[benchmark.name] = result.right
    text = save(found, run.stage("evaluation"), lines)
    print(text)
    return text


def sampling_of(settings: EvaluationSettings) -> Sampling:
    """Return how the evaluation draws."""
    return Sampling(
        temperature=settings.temperature,
        top_p=settings.top_p,
        top_k=settings.top_k,
        completion_tokens=settings.completion_tokens,
    )


def make_sampler(run: Run, folder: Path | None) -> Sampler:
    """Return what draws completions of a saved model; None: of the model before training."""
    import transformers

    from examples.common import models

    settings = run.settings.evaluation
    transformers.set_seed(run.seed_of(settings))
    model, tokenizer = models.load(run.settings.model, folder=folder, trainable=False)

    def sampler(prompts: Sequence[Messages], sampling: Sampling) -> list[Completion]:
        return generate(model, tokenizer, prompts, sampling, batch_size=settings.batch_size)

    return sampler


def _difference(result: Result, before: list[list[bool]]) -> str:
    paired = metrics.paired_difference(result.right, before)
    between = paired.interval
    shown = f"95 % interval {between.low:+.1%} to {between.high:+.1%}" if between else "no interval"
    return (
        f"{result.name}: {paired.difference:+.1%} on the one before, {shown}, "
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
