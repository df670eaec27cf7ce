"""The tables of the settings that only this recipe has: `[ppo]`, `[grading]` and `[passes]`.

What every RL stage has stands in `[rl]`; PPO reads it so: `epsilon_low`, `epsilon_high` are the
clip, `iterations` the passes over the completions of a step, `beta` the KL coefficient, and a
device holds `batch_size · accumulation` completions a step, one for each prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from examples.common.settings import RlSettings, Settings
from examples.mr_deepseek_ppo import prompts
from examples.mr_deepseek_ppo.ppo import Ppo


@dataclass(frozen=True, kw_only=True)
class PpoSettings:
    """The critic, GAE, and how a step is cut."""

    gamma: float = 1.0
    lam: float = 0.95
    value_coefficient: float = 0.1
    value_clip: float = 0.2
    value_learning_rate: float | None = None  # of the head; None: that of [rl]
    mini_batches: int = 1  # optimizer steps of a pass
    rollout_batch_size: int = 8  # rows that are sampled together


@dataclass(frozen=True, kw_only=True)
class GradingSettings:
    """What decides whether an answer is right."""

    verifier: str = "rules"  # or a folder or hub id of a classifier (answer, reference) -> right
    threshold: float = 0.4  # its probability from which an answer counts


@dataclass(frozen=True, kw_only=True)
class PassesSettings:
    """pass@k: of which set, of how many of its questions, up to which k."""

    set: str | None = None
    questions: int = 100
    samples: int = 20
    prompt: str = prompts.STRICT_CHOICE  # of every multiple-choice question of the evaluation


OWN: Mapping[str, type[Any]] = {
    "ppo": PpoSettings,
    "grading": GradingSettings,
    "passes": PassesSettings,
}


def step_settings(settings: Settings, *, seed: int) -> Ppo:
    """Return what a step of PPO needs of the settings."""
    rl, own = settings.rl, settings.own["ppo"]
    assert rl is not None
    return Ppo(
        epochs=rl.iterations,
        mini_batches=own.mini_batches,
        micro_batch=rl.batch_size,
        clip_low=rl.epsilon_low,
        clip_high=rl.epsilon_high,
        value_clip=own.value_clip,
        gamma=own.gamma,
        lam=own.lam,
        kl_coefficient=rl.beta,
        value_coefficient=own.value_coefficient,
        max_gradient_norm=rl.max_gradient_norm,
        seed=seed,
    )


def steps_of(rl: RlSettings, questions: int, processes: int) -> int:
    """Return how many steps the stage has: as it says, or as its epochs make."""
    if rl.max_steps > 0:
        return rl.max_steps
    rows = rl.batch_size * rl.accumulation * processes
    return max(1, round(rl.epochs * questions / rows))
