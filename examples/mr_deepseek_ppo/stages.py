"""The stages of the recipe: prepare, sft, rl, evaluate. Each reads what the one before it wrote."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from examples.common import data, evaluation, generation, models, preflight, records
from examples.common.commands import Run
from examples.mr_deepseek_ppo import preparation, prompts, reward
from examples.mr_deepseek_ppo.own_settings import PassesSettings

Row = dict[str, Any]
GENERATED = ["MedMCQA", "MedQA", "PubMedQA"]  # the benchmarks that sums stand in for


def prepare(run: Run) -> None:
    """Write sft.jsonl, rl.jsonl and a file for each benchmark."""
    settings = run.settings
    kinds = {
        "sft": (preparation.SFT_COLUMNS, preparation.demonstration),
        "rl": (preparation.RL_COLUMNS, preparation.problem),
    }
    for name, (columns, make) in kinds.items():
        rows = [make(row) for row in preparation.examples(settings, name, columns)]
        _write(run.data / f"{name}.jsonl", rows)
    template = run.settings.own["passes"].prompt
    if settings.evaluation.sets:
        sets = {
            source.name: preparation.benchmark(source, seed=settings.seed)
            for source in settings.evaluation.sets
        }
    else:
        sets, template = preparation.generated_benchmarks(settings), "{question}"
    for name, rows in sets.items():
        _write(
            run.data / f"evaluation_{name}.jsonl",
            [preparation.choice(row, template) for row in rows],
        )


def _write(path: Path, rows: Sequence[Row]) -> None:
    print(f"   {records.write_jsonl(path, rows):,} rows in {path}", flush=True)


def sft(run: Run) -> None:
    """Imitate the demonstrations."""
    from examples.common import sft as stage

    rows, tokenizer = prepared(run, "sft"), models.load_tokenizer(run.settings.model)
    stage.train(run, preparation.tokenized(rows, tokenizer))


def rl(run: Run) -> None:
    """Train with PPO."""
    from examples.mr_deepseek_ppo.training import train

    train(run, prepared(run, "rl"), reward.stack_for(run.settings))


def evaluate(run: Run) -> None:
    """Ask the benchmarks; print accuracies, mean characters, and pass@k of one of them."""
    import transformers

    settings, passes = run.settings, run.settings.own["passes"]
    transformers.set_seed(run.seed_of(settings.evaluation))
    trained = run.latest("rl", "sft")
    print(f"   model: {trained or settings.model.name}")
    model, tokenizer = models.load(settings.model, folder=trained, trainable=False)
    preflight.require_chat_template(tokenizer, settings.model.name)
    prompts.without_opened_thinking(tokenizer)
    asked = settings.evaluation
    sampling = generation.Sampling(
        temperature=asked.temperature,
        top_p=asked.top_p,
        top_k=asked.top_k,
        completion_tokens=asked.completion_tokens,
    )

    def sampler(texts: Any, how: generation.Sampling) -> list[generation.Completion]:
        return generation.generate(model, tokenizer, texts, how, batch_size=asked.batch_size)

    folder = run.stage("evaluation")
    grade = evaluation.grade_with(reward.verifier())
    results = [
        evaluation.evaluate(
            evaluation.Benchmark(name, rows),
            sampler,
            sampling,
            samples=samples,
            grade=grade,
            completions=folder / f"completions_{name.replace(' ', '_')}.jsonl",
            pass_at=range(1, samples + 1) if samples > 1 else (),
        )
        for name, rows, samples in benchmarks(run, passes)
    ]
    print(evaluation.save(results, folder))
    draw_passes(results, folder / "pass_at_k.png")


def benchmarks(run: Run, passes: PassesSettings) -> list[tuple[str, list[Row], int]]:
    """Return what is asked: every benchmark, and some questions of one of them many times."""
    names = [source.name for source in run.settings.evaluation.sets]
    names = names or GENERATED
    rows = {name: prepared(run, f"evaluation_{name}") for name in names}
    found = [(name, rows[name], run.settings.evaluation.samples) for name in names]
    if passes.set is not None:
        if passes.set not in rows:
            known = ", ".join(names)
            raise preflight.PreflightError(f"passes.set is {passes.set!r}; there are {known}")
        rng = random.Random(f"passes {run.settings.seed}")
        some = data.sample(rows[passes.set], passes.questions, rng, by=None)
        found.append((f"{passes.set} pass@k", some, passes.samples))
    return found


def prepared(run: Run, name: str) -> list[Row]:
    """Return the rows that the preparation wrote."""
    path = run.data / f"{name}.jsonl"
    preflight.require_file(path, "run the stage prepare first, with the same --out")
    return records.read_jsonl(path)


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
