"""The supervised stage: TRL's `SFTTrainer` on conversations, loss on the completions only.

Rows have `prompt` and `completion`, both lists of messages. What is trained is saved in `final`:
the adapters, or the whole model where there are none.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from examples.common import models, preflight, records
from examples.common.commands import Run
from examples.common.settings import OptimizerSettings, SftSettings

Row = dict[str, Any]


def train(run: Run, rows: Sequence[Row]) -> list[Row]:
    """Train on the rows and save; return what was logged at each step.

    With `run.resume` a finished stage is left alone and an interrupted one goes on from its last
    checkpoint.
    """
    import transformers

    from examples.common.progress import Journal

    settings = run.settings.sft
    if settings is None:
        raise preflight.PreflightError("the settings have no [sft]; leave the stage out, or add it")
    folder = run.stage("sft")
    if run.resume and run.saved("sft").is_dir():
        print("   finished before; nothing to do")
        return records.read_jsonl(folder / "metrics.jsonl")
    transformers.set_seed(run.seed_of(settings))
    model, tokenizer = models.load(run.settings.model)
    preflight.require_chat_template(tokenizer, run.settings.model.name)
    model = models.with_adapter(model, run.settings.adapter)
    training, held_out = split(rows, run.settings.data.evaluation_share, seed=run.seed)
    print(f"   {len(training):,} examples, {len(held_out):,} held out; {models.describe(model)}")
    with models.exact_adapters(model):
        trainer = make_trainer(run, settings, model, tokenizer, training, held_out)
    history = fit(trainer, run, folder, Journal(folder / "metrics.jsonl"))
    models.save(trainer.model, tokenizer, run.saved("sft"))
    records.draw(
        history,
        ["loss", "mean_token_accuracy", "eval_loss", "eval_mean_token_accuracy"],
        folder / "curves.png",
    )
    return history


def split(rows: Sequence[Row], share: float, *, seed: int) -> tuple[list[Row], list[Row]]:
    """Return the rows to train on and those that are held out, drawn at random."""
    count = round(share * len(rows))
    chosen = set(random.Random(f"held out {seed}").sample(range(len(rows)), count))
    training = [row for index, row in enumerate(rows) if index not in chosen]
    return training, [row for index, row in enumerate(rows) if index in chosen]


def make_trainer(
    run: Run,
    settings: SftSettings,
    model: Any,
    tokenizer: Any,
    training: Sequence[Row],
    held_out: Sequence[Row],
) -> Any:
    """Return TRL's trainer."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    arguments = training_arguments(run, settings, run.stage("sft"))
    arguments |= {
        "max_length": settings.max_length,
        "completion_only_loss": settings.loss_on_completion_only,
    }
    if held_out and settings.evaluations:
        steps = max(1, total_steps(settings, len(training), run.settings.devices))
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
        train_dataset=Dataset.from_list(list(training)),
        eval_dataset=Dataset.from_list(list(held_out)) if held_out else None,
        optimizers=(models.make_optimizer(settings, model), None),
    )


def total_steps(settings: OptimizerSettings, rows: int, devices: int) -> int:
    """Return how many optimizer steps so many rows make."""
    if settings.max_steps > 0:
        return settings.max_steps
    a_step = settings.batch_size * settings.accumulation * devices
    return math.ceil(math.ceil(rows / a_step) * settings.epochs)


def training_arguments(run: Run, settings: OptimizerSettings, folder: Path) -> dict[str, Any]:
    """Return what both stages tell transformers' `TrainingArguments`."""
    import torch

    seed = run.seed_of(settings)
    return {
        "output_dir": str(folder),
        "seed": seed,
        "data_seed": seed,
        "per_device_train_batch_size": settings.batch_size,
        "gradient_accumulation_steps": settings.accumulation,
        "num_train_epochs": settings.epochs,
        "max_steps": settings.max_steps,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": settings.scheduler,
        "warmup_steps": settings.warmup_ratio,  # below 1 it is a share of the steps
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_gradient_norm,
        "optim": models.optimizer_name(settings),
        "bf16": run.settings.model.dtype == "bfloat16",
        "gradient_checkpointing": run.settings.model.gradient_checkpointing,
        "use_cpu": not torch.cuda.is_available(),
        "dataloader_pin_memory": torch.cuda.is_available(),
        "logging_steps": 1,
        "save_strategy": "steps",
        "save_steps": settings.save_steps,
        "save_total_limit": settings.keep,
        "report_to": "none",
        "disable_tqdm": True,
    }


def fit(trainer: Any, run: Run, folder: Path, *callbacks: Any) -> list[Row]:
    """Train, from the last checkpoint where the run resumes; return all rows of metrics.jsonl."""
    from transformers.trainer_utils import get_last_checkpoint

    from examples.common.progress import Lines, use_only

    use_only(trainer, *callbacks, Lines())
    folder.mkdir(parents=True, exist_ok=True)
    last = get_last_checkpoint(str(folder)) if run.resume else None
    if last is not None:
        print(f"   goes on from {last}")
    trainer.train(resume_from_checkpoint=last)
    return records.read_jsonl(folder / "metrics.jsonl")
