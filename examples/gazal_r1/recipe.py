"""The stages of Gazal-R1: prepare, sft, rl, evaluate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import rlrewards as rr
from examples.common import commands, evaluation, grpo, plan, prepared, records, sft
from examples.common.commands import Run
from examples.common.settings import RlSettings
from examples.gazal_r1 import preparation
from examples.gazal_r1.own_settings import OWN
from examples.gazal_r1.reward import stack

QUESTION = ("prompt", "reference", "options")


def prepare(run: Run) -> None:
    """Write the examples of each stage."""
    own = run.settings.own["prompts"]
    examples = preparation.supervised(run.settings, own.sft, run.seed)
    questions = preparation.questions(run.settings, own.grpo, run.seed)
    records.write_jsonl(prepared.path(run, "sft"), examples)
    records.write_jsonl(prepared.path(run, "rl"), questions)
    print(
        f"   {len(examples):,} supervised examples, {len(questions):,} questions of the RL stage "
        f"({preparation.counts(questions)})"
    )
    for name, rows in preparation.benchmarks(run.settings, own.grpo).items():
        count = records.write_jsonl(prepared.path(run, f"evaluation_{name}"), rows)
        print(f"   {count:,} questions of {name}")


def run_sft(run: Run) -> None:
    """Teach the form and the knowledge: DoRA and rsLoRA on structured reasoning."""
    sft.train(run, prepared.rows(run, "sft", ("prompt", "completion")))


def run_rl(run: Run) -> None:
    """GRPO with the composite reward; the token mean over the whole step, or over micro-batches."""
    settings = run.settings.rl
    assert settings is not None
    reward = stack(run.settings.own["reward"], settings.completion_tokens)
    rows = prepared.rows(run, "rl", QUESTION)
    grpo.train(run, rows, reward, recipe=objective(settings))


def objective(settings: RlSettings) -> Callable[..., Any]:
    """Return BNPO's loss: normalised over the local batch as in § 4.3.3, or over all of it."""
    from rlrewards.objectives import recipes

    recipe = recipes.bnpo if settings.normalization == "local" else recipes.dapo
    return partial(recipe, low=settings.epsilon_low, high=settings.epsilon_high)


def run_evaluation(run: Run) -> None:
    """Ask every question, of the model before, after SFT and after GRPO."""
    asked = prepared.benchmarks(run, ["sums"], QUESTION)
    right = rr.ChoiceAccuracy()
    evaluation.evaluate_run(
        run,
        [evaluation.Benchmark(name, rows) for name, rows in asked.items()],
        grade=lambda sample: right([sample]) == [1.0],
    )


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
