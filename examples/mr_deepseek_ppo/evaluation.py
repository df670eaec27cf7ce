"""The evaluation of the paper: accuracy, characters of the output, and pass@k, of several models.

pass@k is the unbiased estimate, 1 − C(n−c, k)/C(n, k) of c right samples of n. The authors' script
asks whether one of the *first* k samples is right, which depends on their order.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from examples.common import data, evaluation, preflight
from examples.common.commands import Run
from examples.common.evaluation import Benchmark
from examples.common.report import Result
from examples.mr_deepseek_ppo import prompts, reward

Row = dict[str, Any]


def evaluate_models(run: Run, sets: Mapping[str, Sequence[Row]]) -> list[Result]:
    """Evaluate each model that the settings compare; print, save, draw and return the results."""
    results = evaluation.evaluate_run(
        run, benchmarks(run, sets), grade=grade, adapt=adapt_tokenizer
    )
    draw_passes(results, run.stage("evaluation") / "pass_at_k.png")
    return results


def benchmarks(run: Run, sets: Mapping[str, Sequence[Row]]) -> list[Benchmark]:
    """Return what is asked: every benchmark, and some questions of one of them many times."""
    passes = run.settings.own["passes"]
    found = [Benchmark(name, rows) for name, rows in sets.items()]
    if passes.set is not None:
        if passes.set not in sets:
            raise preflight.PreflightError(
                f"passes.set is {passes.set!r}; there are {', '.join(sets)}"
            )
        rng = random.Random(f"passes {run.settings.seed}")
        some = data.sample(sets[passes.set], passes.questions, rng, by=None)
        every = range(1, passes.samples + 1)
        found.append(Benchmark(f"{passes.set} pass@k", some, passes.samples, pass_at=every))
    return found


def adapt_tokenizer(stage: str, tokenizer: Any) -> None:
    """Ask for the form that was taught; the base model answers in one of its own."""
    if stage != "base":
        prompts.without_opened_thinking(tokenizer)


def grade(sample: Any) -> bool:
    """Return whether the final response is the right option; what cannot be read is wrong.

    A base model of the R1 family reasons in `<think>` instead, and answers after it.
    """
    text = sample.completion.rpartition("</think>")[2]
    verdict = reward.verifier().grade(text, sample.reference, options=sample.options)
    return bool(verdict)


def draw_passes(results: Sequence[Result], path: Path) -> None:
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
