"""Checkpoints from which a run goes on as if it had not stopped.

A checkpoint is a folder `checkpoint-STEP`: the weights that move (adapters, or all, and the value
head), the optimizer, the schedule, and the state of every process's random generators. The frozen
weights are those of the model that the stage began with, and are not written again.
"""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from examples.common.preflight import PreflightError

if TYPE_CHECKING:
    from examples.mr_deepseek_ppo.training import Training

NAME = "checkpoint-"


def save(training: Training, step: int) -> Path:
    """Write a checkpoint, and remove all but the last few; every process calls this."""
    accelerator, folder = training.accelerator, training.run.stage("rl")
    target, partial = folder / f"{NAME}{step}", folder / f"partial-{NAME}{step}"
    if accelerator.is_main_process:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    accelerator.wait_for_everyone()
    torch.save(random_states(), partial / f"random-{accelerator.process_index}.pt")
    if accelerator.is_main_process:
        torch.save(state_of(training, step), partial / "state.pt")
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        shutil.rmtree(target, ignore_errors=True)
        os.replace(partial, target)  # a run that is cut off leaves no half checkpoint
        for _, old in found(folder)[: -max(1, training.keep)]:
            shutil.rmtree(old)
    accelerator.wait_for_everyone()
    return target


def state_of(training: Training, step: int) -> dict[str, Any]:
    """Return what all processes have in common."""
    moving = training.policy.moving()
    return {
        "step": step,
        "weights": {name: weight.detach() for name, weight in moving.items()},
        "optimizer": training.optimizer.state_dict(),
        "schedule": training.schedule.state_dict(),
    }


def found(folder: Path) -> list[tuple[int, Path]]:
    """Return the checkpoints of a folder by their step."""
    numbers = ((path.name.removeprefix(NAME), path) for path in folder.glob(f"{NAME}*"))
    return sorted((int(number), path) for number, path in numbers if number.isdigit())


def load(training: Training) -> int:
    """Put the last checkpoint in place and return its step; 0 where there is none."""
    known = found(training.run.stage("rl"))
    if not known:
        return 0
    step, path = known[-1]
    state = torch.load(
        path / "state.pt", map_location=training.accelerator.device, weights_only=True
    )
    moving = training.policy.moving()
    if {name: weight.shape for name, weight in moving.items()} != {
        name: weight.shape for name, weight in state["weights"].items()
    }:
        raise PreflightError(
            f"{path} holds the weights of another model or other adapters; "
            "take the settings that it was made with, or another --out"
        )
    with torch.no_grad():
        for name, weight in moving.items():
            weight.copy_(state["weights"][name])
    training.optimizer.load_state_dict(state["optimizer"])
    training.schedule.load_state_dict(state["schedule"])
    own = path / f"random-{training.accelerator.process_index}.pt"
    if own.exists():  # there may be more processes than there were
        restore_random_states(torch.load(own, weights_only=True))
    return step


def random_states() -> dict[str, Any]:
    """Return the state of this process's random generators."""
    version, numbers, gauss = random.getstate()
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {
        "python": [version, list(numbers), gauss],
        "torch": torch.get_rng_state(),
        "cuda": devices,
    }


def restore_random_states(states: dict[str, Any]) -> None:
    """Set this process's random generators."""
    version, numbers, gauss = states["python"]
    random.setstate((version, tuple(numbers), gauss))
    torch.set_rng_state(states["torch"].cpu())
    if states["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all([state.cpu() for state in states["cuda"]])
