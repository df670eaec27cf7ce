"""The supervised stage: TRL's `SFTTrainer` on conversations, loss on the completions only.

Rows have `prompt` and `completion`, both lists of messages. What is trained is saved in `final`:
the adapters, or the whole model where there are none.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from examples.common import models, records, training
from examples.common.commands import Run
from examples.common.settings import SftSettings

Row = dict[str, Any]


def train(run: Run, rows: Sequence[Row]) -> list[Row]:
    """Train on the rows and save; return what was logged at each step.

    With `run.resume` a finished stage is left alone and an interrupted one goes on from its last
    checkpoint.
    """
    from examples.common.progress import Journal

    settings = training.required(run.settings.sft, "sft")
    before = training.finished(run, "sft")
    if before is not None:
        return before
    folder = run.stage("sft")
    model, tokenizer = training.load(run, settings)
    examples, held_out = split(rows, run.settings.data.evaluation_share, seed=run.seed)
    print(f"   {len(examples):,} examples, {len(held_out):,} held out; {models.describe(model)}")
    with models.exact_adapters(model):
        trainer = make_trainer(run, settings, model, tokenizer, examples, held_out)
    history = training.fit(trainer, run, folder, Journal(folder / "metrics.jsonl"))
    training.save(trainer, tokenizer, run.saved("sft"))
    if trainer.is_world_process_zero():
        names = ["loss", "mean_token_accuracy", "eval_loss", "eval_mean_token_accuracy"]
        records.draw(history, names, folder / "curves.png")
    return history


def split(rows: Sequence[Row], share: float, *, seed: int) -> tuple[list[Row], list[Row]]:
    """Return the rows to train on and those that are held out, drawn at random."""
    count = round(share * len(rows))
    chosen = set(random.Random(f"held out {seed}").sample(range(len(rows)), count))
    examples = [row for index, row in enumerate(rows) if index not in chosen]
    return examples, [row for index, row in enumerate(rows) if index in chosen]


def make_trainer(
    run: Run,
    settings: SftSettings,
    model: Any,
    tokenizer: Any,
    examples: Sequence[Row],
    held_out: Sequence[Row],
) -> Any:
    """Return TRL's trainer."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    arguments = training.arguments(run, settings, run.stage("sft"))
    arguments |= {
        "max_length": settings.max_length,
        "completion_only_loss": settings.loss_on_completion_only,
    }
    if held_out and settings.evaluations:
        steps = max(1, training.total_steps(settings, len(examples), run.settings.devices))
        every = max(1, steps // settings.evaluations)
        arguments |= {
            "eval_strategy": "steps",
            "eval_steps": every,
            "per_device_eval_batch_size": settings.batch_size,
        }
        if settings.keep_best:
            arguments |= {
                "save_steps": every,
                "load_best_model_at_end": True,
                "metric_for_best_model": settings.keep_best,
            }
    return SFTTrainer(
        model=model,
        processing_class=tokenizer,
        args=SFTConfig(**arguments),
        train_dataset=Dataset.from_list(list(examples)),
        eval_dataset=Dataset.from_list(list(held_out)) if held_out else None,
        optimizers=(models.make_optimizer(settings, model), None),
    )
