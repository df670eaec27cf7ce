"""The optimizer and the schedule of the learning rate, by the names of the settings."""

from __future__ import annotations

import math
from typing import Any

import torch

from examples.common.preflight import PreflightError
from examples.common.settings import OptimizerSettings
from examples.mr_deepseek_ppo.policy import Policy


def make_optimizer(
    policy: Policy, settings: OptimizerSettings, head_rate: float | None
) -> torch.optim.Optimizer:
    """Return the optimizer that the settings name; the value head may have a rate of its own."""
    head = list(policy.value_head.parameters())
    body = [w for name, w in policy.moving().items() if not name.startswith("value_head.")]
    groups = [
        {"params": body, "lr": settings.learning_rate},
        {"params": head, "lr": settings.learning_rate if head_rate is None else head_rate},
    ]
    return _optimizer(settings.optimizer)(groups, weight_decay=settings.weight_decay)


def _optimizer(name: str) -> Any:
    if name == "adamw_torch":
        return torch.optim.AdamW
    if name == "exadam":
        from pytorch_optimizer import EXAdam

        return EXAdam
    if name == "paged_adamw_8bit":
        from bitsandbytes.optim import PagedAdamW8bit

        return PagedAdamW8bit
    known = "adamw_torch, exadam, paged_adamw_8bit"
    raise PreflightError(f"rl.optimizer is {name!r}; this loop knows {known}")


def make_schedule(optimizer: Any, settings: OptimizerSettings, steps: int) -> Any:
    """Return the schedule of the learning rate: a step of it is a step of PPO."""
    from transformers import get_scheduler

    warm_up = math.ceil(settings.warmup_ratio * steps)
    return get_scheduler(
        settings.scheduler, optimizer, num_warmup_steps=warm_up, num_training_steps=steps
    )
