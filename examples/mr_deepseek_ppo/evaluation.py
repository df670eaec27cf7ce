"""The evaluation of the paper: accuracy, characters of the output, and pass@k, of several models.

pass@k is the unbiased estimate, 1 − C(n−c, k)/C(n, k) of c right samples of n. The authors' script
asks whether one of the *first* k samples is right, which depends on their order.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from examples.common import data, evaluation, generation, models, preflight
from examples.common.commands import Run
from examples.common.evaluation import Benchmark, Result
from examples.mr_deepseek_ppo import prompts, reward
from rlrewards import metrics

Row = dict[str, Any]


class Asked(NamedTuple):
    """A benchmark, and how often each question is asked."""

    benchmark: Benchmark
    samples: int


def evaluate_models(run: Run, sets: Mapping[str, Sequence[Row]]) -> list[Result]:
    """Evaluate each model that the settings compare; print, save and return the results.

    A stage that saved nothing is left out. Each model is compared in pairs with the one before it.
    """
    asked, folder = benchmarks(run, sets), run.stage("evaluation")
    found: list[list[Result]] = []
    for stage in run.settings.evaluation.compare:
        saved = None if stage == "base" else run.saved(stage)
        if saved is not None and not saved.is_dir():
            print(f"   {stage}: nothing was saved by this stage, left out")
            continue
        print(f"   {stage}: {saved or run.settings.model.name}", flush=True)
        found.append(evaluate_model(run, stage, saved, asked))
    if not found:
        raise preflight.PreflightError("there is no model to evaluate; run the stages sft and rl")
    results = [result for model in found for result in model]
    pairs = zip(found[1:], found, strict=False)
    lines = [
        difference(*pair)
        for models_ in pairs
        for pair in zip(*models_, strict=True)
        if not pair[0].pass_at
    ]
    print(evaluation.save(results, folder, lines))
    draw_passes(results, folder / "pass_at_k.png")
    return results


def benchmarks(run: Run, sets: Mapping[str, Sequence[Row]]) -> list[Asked]:
    """Return what is asked: every benchmark, and some questions of one of them many times."""
    passes = run.settings.own["passes"]
    found = [
        Asked(Benchmark(name, rows), run.settings.evaluation.samples) for name, rows in sets.items()
    ]
    if passes.set is not None:
        if passes.set not in sets:
            raise preflight.PreflightError(
                f"passes.set is {passes.set!r}; there are {', '.join(sets)}"
            )
        rng = random.Random(f"passes {run.settings.seed}")
        some = data.sample(sets[passes.set], passes.questions, rng, by=None)
        found.append(Asked(Benchmark(f"{passes.set} pass@k", some), passes.samples))
    return found


def evaluate_model(
    run: Run, stage: str, saved: Path | None, asked: Sequence[Asked]
) -> list[Result]:
    """Return what one model comes to."""
    import transformers

    settings = run.settings.evaluation
    transformers.set_seed(run.seed_of(settings))
    model, tokenizer = models.load(run.settings.model, folder=saved, trainable=False)
    preflight.require_chat_template(tokenizer, run.settings.model.name)
    if stage != "base":  # which answers in a form of its own
        prompts.without_opened_thinking(tokenizer)

    def sampler(
        texts: Sequence[generation.Messages], how: generation.Sampling
    ) -> list[generation.Completion]:
        return generation.generate(model, tokenizer, texts, how, batch_size=settings.batch_size)

    return [
        evaluation.evaluate(
            Benchmark(f"{benchmark.name}, {stage}", benchmark.rows),
            sampler,
            evaluation.sampling_of(settings),
            samples=samples,
            grade=grade,
            completions=run.stage("evaluation") / file_of(benchmark.name, stage),
            pass_at=range(1, samples + 1) if "pass@k" in benchmark.name else (),
        )
        for benchmark, samples in asked
    ]


def file_of(benchmark: str, stage: str) -> str:
    """Return the name of the file of completions.

    >>> file_of("MedQA pass@k", "rl")
    'completions_MedQA_pass_at_k_rl.jsonl'
    """
    return f"completions_{benchmark.replace('@', '_at_').replace(' ', '_')}_{stage}.jsonl"


def grade(sample: Any) -> bool:
    """Return whether the final response is the right option; what cannot be read is wrong.

    A base model of the R1 family reasons in `<think>` instead, and answers after it.
    """
    text = sample.completion.rpartition("</think>")[2]
    verdict = reward.verifier().grade(text, sample.reference, options=sample.options)
    return bool(verdict)


def difference(after: Result, before: Result) -> str:
    """Return a line on two models that were asked the same."""
    paired = metrics.paired_difference(after.right, before.right)
    span = paired.interval
    shown = f"95 % interval {span.low:+.1%} to {span.high:+.1%}" if span else "no interval"
    return (
        f"{after.name}: {paired.difference:+.1%} on the model before, {shown}, "
        f"p = {paired.p_sign_flip:.3f}"
    )


def draw_passes(results: Sequence[evaluation.Result], path: Path) -> None:
    """Save a picture of pass@k with its intervals."""
    shown = [result for result in results if result.pass_at]
    if not shown:
        return
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
    for result in shown:
        ks = sorted(result.pass_at)
        axis.plot(ks, [result.pass_at[k].value for k in ks], marker="o", label=result.name)
        spans = [(k, span) for k in ks if (span := result.pass_at[k].interval) is not None]
        low, high = ([getattr(span, end) for _, span in spans] for end in ("low", "high"))
        axis.fill_between([k for k, _ in spans], low, high, alpha=0.2)
    axis.set_xlabel("k")
    axis.set_ylabel("pass@k (band: 95 % interval)")
    axis.set_ylim(0, 1.02)
    axis.grid(alpha=0.3)
    axis.legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)
