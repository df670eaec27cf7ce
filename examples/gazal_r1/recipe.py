"""The stages of Gazal-R1: prepare, sft, rl, evaluate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import rlrewards as rr
from examples.common import commands, evaluation, grpo, plan, preflight, records, sft
from examples.common.commands import Run
from examples.common.data import Row
from examples.common.settings import RlSettings
from examples.gazal_r1 import preparation
from examples.gazal_r1.own_settings import OWN
from examples.gazal_r1.reward import stack


def prepare(run: Run) -> None:
    """Write the examples of each stage."""
    own = run.settings.own["prompts"]
    examples = preparation.supervised(run.settings, own.sft, run.seed)
    questions = preparation.questions(run.settings, own.grpo, run.seed)
    records.write_jsonl(run.data / "sft.jsonl", examples)
    records.write_jsonl(run.data / "rl.jsonl", questions)
    print(
        f"   {len(examples):,} supervised examples, {len(questions):,} questions of the RL stage "
        f"({preparation.counts(questions)})"
    )
    for name, rows in preparation.benchmarks(run.settings, own.grpo).items():
        count = records.write_jsonl(run.data / f"evaluation_{name}.jsonl", rows)
        print(f"   {count:,} questions of {name}")


def run_sft(run: Run) -> None:
    """Teach the form and the knowledge: DoRA and rsLoRA on structured reasoning."""
    sft.train(run, _prepared(run, "sft.jsonl", ("prompt", "completion")))


def run_rl(run: Run) -> None:
    """GRPO with the composite reward; the token mean over the whole step, or over micro-batches."""
    settings = run.settings.rl
    assert settings is not None
    reward = stack(run.settings.own["reward"], settings.completion_tokens)
    rows = _prepared(run, "rl.jsonl", ("prompt", "reference", "options"))
    grpo.train(run, rows, reward, recipe=objective(settings))


def objective(settings: RlSettings) -> Callable[..., Any]:
    """Return BNPO's loss: normalised over the local batch as in § 4.3.3, or over all of it."""
    from rlrewards.objectives import recipes

    recipe = recipes.bnpo if settings.normalization == "local" else recipes.dapo
    return partial(recipe, low=settings.epsilon_low, high=settings.epsilon_high)


def run_evaluation(run: Run) -> None:
    """Ask every question, of the model before, after SFT and after GRPO."""
    names = [source.name for source in run.settings.evaluation.sets] or ["sums"]
    asked = [
        evaluation.Benchmark(
            name, _prepared(run, f"evaluation_{name}.jsonl", ("prompt", "reference", "options"))
        )
        for name in names
    ]
    right = rr.ChoiceAccuracy()
    evaluation.evaluate_run(run, asked, grade=lambda sample: right([sample]) == [1.0])


def _prepared(run: Run, name: str, columns: tuple[str, ...]) -> list[Row]:
    path = run.data / name
    preflight.require_file(path, "run the stage prepare first")
    rows = records.read_jsonl(path)
    preflight.require_columns(rows, columns, str(path))
    return rows


def describe(run: Run, stages: Sequence[str]) -> str:
    """Return the plan."""
    lines = {}
    if run.settings.rl is not None:
        own = run.settings.own["reward"]
        reward = stack(own, run.settings.rl.completion_tokens)
        parts = " + ".join(f"{part.weight:g} {part.name}" for part in reward.parts)
        scope = {"local": "each micro-batch", "global": "the whole step"}
        lines["rl"] = [
            f"reward   {parts}",
            f"loss     token mean over {scope[run.settings.rl.normalization]}",
        ]
    return plan.describe(run, stages, lines=lines)


RECIPE = commands.Recipe(
    name="gazal_r1",
    description="Gazal-R1: SFT with DoRA and rsLoRA, then GRPO with four rewards.",
    stages={"prepare": prepare, "sft": run_sft, "rl": run_rl, "evaluate": run_evaluation},
    plan=describe,
    check=plan.check,
    own=OWN,
)
