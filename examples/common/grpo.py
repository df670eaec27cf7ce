"""The RL stage: `ObjectiveGRPOTrainer` with a stack of rewards and a recipe of the objectives.

Rows have `prompt` (messages) and `reference`, and may have `options`; other columns reach the
rewards as `Sample.extra`. The policy starts from what the supervised stage saved, and the reference
of the KL is that start.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from examples.common import generation, models, preflight, records, training
from examples.common.commands import Run
from examples.common.settings import RlSettings

Row = dict[str, Any]


def train(
    run: Run,
    rows: Sequence[Row],
    stack: Any,
    *,
    recipe: Callable[..., Any] | None = None,
    advantages: Callable[..., Any] | None = None,
    pictures: Sequence[str] = (),
) -> list[Row]:
    """Train on the rows and save; return what was logged at each step.

    Args:
        run: The run.
        rows: The questions.
        stack: The reward: a `Stack`, or any reward.
        recipe: The objective, of `rlrewards.objectives.recipes`; None: as `rl.loss` names it.
        advantages: Rewards and groups to advantages; None: as `rl.scale_rewards` says.
        pictures: Further logged names that are drawn.
    """
    settings = training.required(run.settings.rl, "rl")
    before = training.finished(run, "rl")
    if before is not None:
        return before
    folder = run.stage("rl")
    model, tokenizer = training.load(run, settings, run.latest("sft"))
    kept = short_enough(rows, tokenizer, settings.prompt_tokens)
    print(
        f"   {len(kept):,} questions, {len(rows) - len(kept):,} left out as longer than "
        f"{settings.prompt_tokens} tokens; {models.describe(model)}"
    )
    with models.exact_adapters(model):
        trainer = make_trainer(
            run, settings, model, tokenizer, kept, stack, recipe=recipe, advantages=advantages
        )
    history = training.fit(trainer, run, folder)
    training.save(trainer, tokenizer, run.saved("rl"))
    if trainer.is_world_process_zero():
        parts = [n for n in history[0] if n.startswith("rewards/") and n.endswith("/mean")]
        shown = ["reward", *parts, "completions/mean_length", "loss", "kl", *pictures]
        summarize(history, folder, shown)
    return history


def summarize(history: Sequence[Row], folder: Path, shown: Sequence[str]) -> None:
    """Draw the curves of some names, and say how the reward went."""
    records.draw(history, shown, folder / "curves.png")
    ends = records.ends([row["reward"] for row in history if row.get("reward") is not None])
    rise = ends["rise_in_standard_errors"]
    told = f" ({rise:+.1f} standard errors)" if math.isfinite(rise) else ""
    print(f"   mean reward: first fifth {ends['first']:+.3f}, last fifth {ends['last']:+.3f}{told}")


def short_enough(rows: Sequence[Row], tokenizer: Any, limit: int) -> list[Row]:
    """Return the rows whose prompts have at most `limit` tokens: none is ever cut."""
    kept = [
        row
        for row in rows
        if len(tokenizer(generation.render(tokenizer, row["prompt"]))["input_ids"]) <= limit
    ]
    if not kept:
        raise preflight.PreflightError(
            f"all {len(rows)} prompts are longer than {limit} tokens; raise rl.prompt_tokens"
        )
    return kept


def make_trainer(
    run: Run,
    settings: RlSettings,
    model: Any,
    tokenizer: Any,
    rows: Sequence[Row],
    stack: Any,
    *,
    recipe: Callable[..., Any] | None = None,
    advantages: Callable[..., Any] | None = None,
) -> Any:
    """Return the trainer: the one place where its interface is met."""
    from datasets import Dataset
    from trl import GRPOConfig

    from rlrewards.adapters.trl import (
        ObjectiveCallback,
        ObjectiveGRPOTrainer,
        reward_functions,
    )

    check_batch(settings, run.settings.devices, questions=len(rows))
    arguments = training.arguments(run, settings, run.stage("rl")) | grpo_arguments(settings)
    asked = (
        settings.batch_size * settings.accumulation * run.settings.devices // settings.group_size
    )
    ordered = in_order(rows, settings, prompts_a_step=asked, seed=run.seed_of(settings))
    return ObjectiveGRPOTrainer(
        model=model,
        processing_class=tokenizer,
        reward_funcs=reward_functions(
            stack, eos_token_id=sorted(generation.end_ids(model, tokenizer))
        ),
        args=GRPOConfig(**arguments),
        train_dataset=Dataset.from_list(ordered),
        optimizers=(models.make_optimizer(settings, model), None),
        callbacks=[ObjectiveCallback(run.stage("rl"))],
        recipe=recipe,
        advantages=advantages,
    )


def in_order(
    rows: Sequence[Row], settings: RlSettings, *, prompts_a_step: int, seed: int
) -> list[Row]:
    """Return the questions of the whole stage as they are asked, each epoch shuffled anew.

    TRL's own shuffling starts again where a run is resumed in a later epoch; here the run goes on
    with the very next question. What does not fill the last step is left out.
    """
    count = settings.max_steps * prompts_a_step
    if settings.max_steps <= 0:
        count = int(len(rows) * settings.epochs) // prompts_a_step * prompts_a_step
    epochs = -(-count // len(rows))
    shuffled = (
        random.Random(f"order {seed} {epoch}").sample(list(rows), len(rows))
        for epoch in range(epochs)
    )
    return list(itertools.chain.from_iterable(shuffled))[:count]


def grpo_arguments(settings: RlSettings) -> dict[str, Any]:
    """Return what TRL's `GRPOConfig` is told beside what every trainer is."""
    use_vllm = settings.vllm in ("colocate", "server") or (
        settings.vllm == "auto" and generation.has_vllm()
    )
    arguments: dict[str, Any] = {
        "num_train_epochs": 1,  # all of them stand in the data, in order
        "shuffle_dataset": False,
        "num_generations": settings.group_size,
        "max_completion_length": settings.completion_tokens,
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "top_k": settings.top_k,
        "beta": settings.beta,
        "epsilon": settings.epsilon_low,
        "epsilon_high": settings.epsilon_high,
        "num_iterations": settings.iterations,
        "loss_type": loss_type(settings),
        "scale_rewards": settings.scale_rewards,
        "mask_truncated_completions": settings.mask_truncated,
        "use_vllm": use_vllm,
    }
    if use_vllm:
        arguments["vllm_mode"] = "server" if settings.vllm == "server" else "colocate"
        arguments["vllm_gpu_memory_utilization"] = settings.vllm_memory_share
    return arguments


def loss_type(settings: RlSettings) -> str:
    """Return the loss by TRL's name. BNPO over the whole step is what is called DAPO's loss."""
    if settings.loss == "bnpo" and settings.normalization == "global":
        return "dapo"
    return settings.loss


def check_batch(settings: RlSettings, devices: int, *, questions: int | None = None) -> None:
    """Refuse a batch that groups do not fill, or that the questions do not."""
    rows = settings.batch_size * settings.accumulation * devices
    if rows % settings.group_size:
        raise preflight.PreflightError(
            f"rl.batch_size {settings.batch_size} × accumulation {settings.accumulation} × "
            f"{devices} devices = {rows} completions a step, which groups of "
            f"{settings.group_size} do not fill; change one of them"
        )
    asked = rows // settings.group_size
    if questions is not None and questions < asked:
        raise preflight.PreflightError(
            f"a step asks {asked} questions and there are {questions}; raise data.rl, or lower "
            "rl.batch_size or rl.accumulation"
        )
