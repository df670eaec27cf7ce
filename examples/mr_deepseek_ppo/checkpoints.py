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
from typing import Any

import torch

from examples.common.preflight import PreflightError

NAME = "checkpoint-"


def save(
    folder: Path,
    *,
    step: int,
    policy: Any,
    optimizer: Any,
    schedule: Any,
    accelerator: Any,
    keep: int,
) -> Path:
    """Write a checkpoint, and remove all but the last `keep`; every process calls this."""
    target, partial = folder / f"{NAME}{step}", folder / f"partial-{NAME}{step}"
    if accelerator.is_main_process:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    accelerator.wait_for_everyone()
    torch.save(random_states(), partial / f"random-{accelerator.process_index}.pt")
    if accelerator.is_main_process:
        state = {
            "step": step,
            "processes": accelerator.num_processes,
            "weights": {name: weight.detach() for name, weight in policy.moving().items()},
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
        }
        torch.save(state, partial / "state.pt")
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        shutil.rmtree(target, ignore_errors=True)
        os.replace(partial, target)  # a run that is cut off leaves no half checkpoint
        for _, old in found(folder)[: -keep or None]:
            shutil.rmtree(old)
    accelerator.wait_for_everyone()
    return target


def found(folder: Path) -> list[tuple[int, Path]]:
    """Return the checkpoints of a folder by their step."""
    numbers = ((path.name.removeprefix(NAME), path) for path in folder.glob(f"{NAME}*"))
    return sorted((int(number), path) for number, path in numbers if number.isdigit())


def load(folder: Path, *, policy: Any, optimizer: Any, schedule: Any, accelerator: Any) -> int:
    """Put the last checkpoint of a folder in place and return its step; 0 where there is none."""
    known = found(folder)
    if not known:
        return 0
    step, path = known[-1]
    device = accelerator.device
    state = torch.load(path / "state.pt", map_location=device, weights_only=True)
    moving = policy.moving()
    if moving.keys() != state["weights"].keys():
        raise PreflightError(
            f"{path} holds the weights of another model or other adapters; "
            "take the settings that it was made with, or another --out"
        )
    with torch.no_grad():
        for name, weight in moving.items():
            weight.copy_(state["weights"][name])
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    own = path / f"random-{accelerator.process_index}.pt"
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
