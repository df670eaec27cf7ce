"""What both training stages do: begin or leave alone, load, tell TRL's trainers, and fit."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any, TypeVar

from examples.common import models, preflight, records
from examples.common.commands import Run
from examples.common.settings import OptimizerSettings

Row = dict[str, Any]
Table = TypeVar("Table", bound=OptimizerSettings)


def required(settings: Table | None, name: str) -> Table:
    """Return the table of a stage; without one there is nothing to run."""
    if settings is None:
        raise preflight.PreflightError(
            f"the settings have no [{name}]; leave the stage out, or add it"
        )
    return settings


def finished(run: Run, name: str) -> list[Row] | None:
    """Return the metrics of a stage that a resumed run leaves alone, as it has ended before."""
    if not run.resume or not run.saved(name).is_dir():
        return None
    print("   finished before; nothing to do")
    return records.read_jsonl(run.stage(name) / "metrics.jsonl")


def load(run: Run, settings: OptimizerSettings, folder: Path | None = None) -> tuple[Any, Any]:
    """Return the model to train, with its adapters, and its tokenizer; all drawn by the seed."""
    import transformers

    transformers.set_seed(run.seed_of(settings))
    model, tokenizer = models.load(run.settings.model, folder=folder)
    preflight.require_chat_template(tokenizer, run.settings.model.name)
    return models.with_adapter(model, run.settings.adapter), tokenizer


def total_steps(settings: OptimizerSettings, rows: int, devices: int) -> int:
    """Return how many optimizer steps so many rows make."""
    if settings.max_steps > 0:
        return settings.max_steps
    a_step = settings.batch_size * settings.accumulation * devices
    return math.ceil(math.ceil(rows / a_step) * settings.epochs)


def arguments(run: Run, settings: OptimizerSettings, folder: Path) -> dict[str, Any]:
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
    trainer.accelerator.wait_for_everyone()  # the first process writes what all read
    return records.read_jsonl(folder / "metrics.jsonl")


def save(trainer: Any, tokenizer: Any, folder: Path) -> None:
    """Save what was trained; every process calls it, and the first writes."""
    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:  # the pieces are gathered, by all
        if trainer.is_fsdp_enabled:
            trainer.accelerator.state.fsdp_plugin.set_state_dict_type("FULL_STATE_DICT")
        trainer.save_model(str(folder))
        if trainer.is_world_process_zero():
            shutil.rmtree(folder / "ref", ignore_errors=True)  # TRL's copy of the first adapters
    elif trainer.is_world_process_zero():
        models.save(trainer.model, tokenizer, folder)
    trainer.accelerator.wait_for_everyone()
