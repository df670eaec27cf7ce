"""Evaluation: n samples a question, graded, with intervals and a file of completions."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import rlrewards as rr
from examples.common import models, report, vllm_engine
from examples.common.commands import Run
from examples.common.generation import (
    Completion,
    Messages,
    Sampler,
    Sampling,
    generate,
    prompt_ids,
)
from examples.common.preflight import PreflightError, require_chat_template
from examples.common.records import write_jsonl
from examples.common.report import Result
from examples.common.settings import EvaluationSettings
from rlrewards import metrics

Grader = Callable[[rr.Sample], bool]  # whether a completion is right


@dataclass(frozen=True)
class Benchmark:
    """A set of questions: what is asked, and with what it is graded.

    Rows have `prompt` (messages) and `reference`, and may have `options` and `question`.
    """

    name: str
    rows: Sequence[dict[str, Any]]
    samples: int | None = None  # completions a question; None: as the settings say
    pass_at: Sequence[int] = ()  # the k for which pass@k is estimated


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
    adapt: Callable[[str, Any], None] | None = None,
) -> list[Result]:
    """Evaluate the models that the settings compare; print, save and return the results.

    A stage that saved nothing is left out. Models that were asked the same are compared in pairs,
    each with the one before it.

    Args:
        run: The run.
        benchmarks: What is asked.
        grade: What decides; by default the verifier.
        adapt: Called with the name of each model and its tokenizer before anything is asked.
    """
    asked = models_to_ask(run)
    if not asked:
        raise PreflightError("there is no model to evaluate; run the stages sft and rl")
    tokenizers = {stage: make_tokenizer(run, stage, adapt) for stage in asked}
    engine = vllm_engine.start(
        run.settings,
        [*asked.values()],
        partial(longest_prompt, tokenizers.values(), benchmarks),
        seed=run.seed_of(run.settings.evaluation),
    )
    found = [
        ask(run, stage, saved, tokenizers[stage], benchmarks, grade or grade_with(), engine)
        for stage, saved in asked.items()
    ]
    lines = [
        report.difference(after, before)
        for earlier, later in itertools.pairwise(found)
        for before, after in zip(earlier, later, strict=True)
        if not after.pass_at
    ]
    results = [result for model in found for result in model]
    print(report.save(results, run.stage("evaluation"), lines))
    return results


def models_to_ask(run: Run) -> dict[str, Path | None]:
    """Return what the settings compare, by stage: what it saved, None for the model before it."""
    asked: dict[str, Path | None] = {}
    for stage in run.settings.evaluation.compare:
        saved = None if stage == "base" else run.saved(stage)
        if saved is not None and not saved.is_dir():
            print(f"   {stage}: nothing was saved by this stage, left out")
            continue
        asked[stage] = saved
    return asked


def make_tokenizer(run: Run, stage: str, adapt: Callable[[str, Any], None] | None) -> Any:
    """Return the tokenizer that a model is asked with."""
    tokenizer = models.load_tokenizer(run.settings.model)
    require_chat_template(tokenizer, run.settings.model.name)
    if adapt is not None:
        adapt(stage, tokenizer)
    return tokenizer


def longest_prompt(tokenizers: Iterable[Any], benchmarks: Sequence[Benchmark]) -> int:
    """Return the tokens of the longest prompt of all."""
    prompts = [row["prompt"] for benchmark in benchmarks for row in benchmark.rows]
    return max(
        len(ids)
        for tokenizer in tokenizers
        for ids in (prompt_ids(tokenizer, prompt) for prompt in prompts)
    )


def ask(
    run: Run,
    stage: str,
    saved: Path | None,
    tokenizer: Any,
    benchmarks: Sequence[Benchmark],
    grade: Grader,
    engine: vllm_engine.Engine | None,
) -> list[Result]:
    """Ask one model everything; it is in memory only as long as this takes."""
    print(f"   {stage}: {saved or run.settings.model.name}", flush=True)
    settings = run.settings.evaluation
    sampler = (
        make_sampler(run, saved, tokenizer) if engine is None else engine.sampler(saved, tokenizer)
    )
    return [
        evaluate(
            Benchmark(f"{benchmark.name}, {stage}", benchmark.rows),
            sampler,
            sampling_of(settings),
            samples=benchmark.samples or settings.samples,
            grade=grade,
            completions=run.stage("evaluation") / file_of(benchmark.name, stage),
            pass_at=benchmark.pass_at,
        )
        for benchmark in benchmarks
    ]


def file_of(benchmark: str, stage: str) -> str:
    """Return the name of the file of completions.

    >>> file_of("MedQA pass@k", "rl")
    'completions_MedQA_pass_at_k_rl.jsonl'
    """
    return f"completions_{benchmark.replace('@', '_at_').replace(' ', '_')}_{stage}.jsonl"


def sampling_of(settings: EvaluationSettings) -> Sampling:
    """Return how the evaluation draws."""
    return Sampling(
        temperature=settings.temperature,
        top_p=settings.top_p,
        top_k=settings.top_k,
        completion_tokens=settings.completion_tokens,
    )


def make_sampler(run: Run, folder: Path | None, tokenizer: Any) -> Sampler:
    """Return what draws completions of a saved model; folder None: of the one before training."""
    import transformers

    settings = run.settings.evaluation
    transformers.set_seed(run.seed_of(settings))
    model, _ = models.load(run.settings.model, folder=folder, trainable=False)

    def sampler(prompts: Sequence[Messages], sampling: Sampling) -> list[Completion]:
        return generate(model, tokenizer, prompts, sampling, batch_size=settings.batch_size)

    return sampler
