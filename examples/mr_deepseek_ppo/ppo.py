"""One step of PPO-clip with GAE and a value head, from `rlrewards.objectives` and its kernels.

Read `targets` first: rewards per token with the KL penalty in them, advantages and returns. Then
`ppo_step`: passes over the rollout, each row with what the policy of the rollout said of it.

Every sum is divided by a count over all micro-batches and processes, and the advantages are
whitened with the moments of all of them: a step is the same however it is cut.
"""

from __future__ import annotations

import random
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from examples.mr_deepseek_ppo.policy import Policy, Seen, Update
from examples.mr_deepseek_ppo.rollout import Rollout
from rlrewards import kernels
from rlrewards import objectives as rl


@dataclass(frozen=True, kw_only=True)
class Ppo:
    """What a step needs to know.

    Args:
        epochs: Passes over the completions of a step.
        mini_batches: Optimizer steps of a pass.
        micro_batch: Rows of a forward pass.
        clip_low, clip_high: The ratio is clipped to [1 − low, 1 + high].
        value_clip: How far a value may move from the old one before its loss is clipped.
        gamma, lam: Of GAE.
        kl_coefficient: Of the penalty in the reward of each token; 0 needs no reference.
        value_coefficient: Of the critic's loss.
        max_gradient_norm: Gradients are scaled down to it.
        seed: Of the order of the rows.
    """

    epochs: int = 3
    mini_batches: int = 1
    micro_batch: int = 1
    clip_low: float = 0.2
    clip_high: float = 0.2
    value_clip: float = 0.2
    gamma: float = 1.0
    lam: float = 0.95
    kl_coefficient: float = 0.03
    value_coefficient: float = 0.1
    max_gradient_norm: float = 1.0
    seed: int = 0


class Targets(NamedTuple):
    """What stands still while the policy moves, ``[B, T]``."""

    old_logp: Tensor
    old_values: Tensor
    kl: Tensor
    advantages: Tensor
    returns: Tensor


def look(policy: Policy, rollout: Rollout, *, micro_batch: int) -> Seen:
    """Return log-probabilities and values of all rows, without gradients, some rows at a time."""
    width = rollout.mask.shape[1]
    parts = []
    with torch.no_grad():
        for rows in torch.arange(len(rollout.mask)).split(micro_batch):
            seen = policy(rollout.at(rows))
            missing = (0, width - seen.logp.shape[1])
            parts.append([torch.nn.functional.pad(x, missing) for x in seen])
    return Seen(*(torch.cat(column) for column in zip(*parts, strict=True)))


def targets(policy: Policy, rollout: Rollout, ppo: Ppo) -> Targets:
    """Return old log-probabilities and values, the KL, whitened advantages, and returns.

    The reward of the completion stands at its last token, a completion that ran out of room is one
    that ended (the stack gives it nothing, since it lacks the form). The old log-probabilities come
    from the forward pass that is trained, not from the sampler, whose cache rounds differently.
    """
    mask = rollout.mask
    old_logp, old_values = look(policy, rollout, micro_batch=ppo.micro_batch)
    kl = torch.zeros_like(old_logp)
    if ppo.kl_coefficient:
        with policy.as_reference():
            kl = rl.k1(old_logp, look(policy, rollout, micro_batch=ppo.micro_batch).logp)
    token_rewards = rl.reward_at_end(rollout.rewards, mask, kl=kl, beta=ppo.kl_coefficient)
    advantages, returns = kernels.gae(token_rewards, old_values, mask, gamma=ppo.gamma, lam=ppo.lam)
    advantages = rl.whiten(advantages, mask, moments=rl.global_moments(advantages, mask))
    return Targets(old_logp, old_values, kl, advantages, returns)


def ppo_step(
    model: Any, optimizer: Any, accelerator: Any, rollout: Rollout, ppo: Ppo, *, step: int
) -> dict[str, float]:
    """Train on the completions of a step; return what happened, over all processes.

    Args:
        model: The policy as the accelerator prepared it.
        optimizer: Likewise.
        accelerator: An `accelerate.Accelerator`.
        rollout: This process's rows; rows without a valid token teach nothing.
        ppo: The settings.
        step: Its number, from 1.
    """
    policy: Policy = accelerator.unwrap_model(model)
    found = targets(policy, rollout, ppo)
    seed = f"rows {ppo.seed} {step} {accelerator.process_index}"
    generator = torch.Generator().manual_seed(random.Random(seed).getrandbits(63))
    totals, norms = torch.zeros(len(SUMS), dtype=torch.float64, device=rollout.mask.device), []
    for _ in range(ppo.epochs):
        order = torch.randperm(len(rollout.mask), generator=generator)
        for rows in order.chunk(ppo.mini_batches):
            totals += _update(model, accelerator, rollout, found, rows.split(ppo.micro_batch), ppo)
            norms.append(accelerator.clip_grad_norm_(model.parameters(), ppo.max_gradient_norm))
            optimizer.step()
            optimizer.zero_grad()
    totals = accelerator.reduce(totals, reduction="sum") / len(norms)
    return {
        **dict(zip(SUMS, totals.tolist(), strict=True)),
        "gradient_norm": float(torch.stack([torch.as_tensor(norm) for norm in norms]).mean()),
        "explained_variance": explained_variance(found, rollout.mask),
        "kl": _mean(found.kl, rollout.mask),
    }


SUMS = ("policy_loss", "value_loss", "entropy", "approx_kl", "clip_fraction", "value_clip_fraction")


def _update(
    model: Any,
    accelerator: Any,
    rollout: Rollout,
    found: Targets,
    pieces: tuple[Tensor, ...],
    ppo: Ppo,
) -> Tensor:
    """Add up the gradients of one optimizer step; return this process's share of `SUMS`."""
    count = rl.optimizer_step([rollout.mask[rows] for rows in pieces])
    sums = []
    for index, rows in enumerate(pieces):
        part = rollout.at(rows)
        width = part.mask.shape[1]
        old_logp, old_values, _, advantages, returns = (x[rows, :width] for x in found)
        objective = kernels.PolicyObjective(
            rl.recipes.ppo_clip,
            advantages,
            part.mask,
            old_logp,
            {"low": ppo.clip_low, "high": ppo.clip_high, "denominator": count.tokens},
        )
        last = index + 1 == len(pieces)  # the only one whose backward pass synchronises
        with nullcontext() if last else accelerator.no_sync(model):
            update: Update = model(part, objective)
            errors = rl.value_loss(
                update.values, returns, old_values=old_values, clip=ppo.value_clip
            )
            critic = rl.token_mean(errors, part.mask, denominator=count.tokens)
            accelerator.backward(count.scale(update.loss + ppo.value_coefficient * critic))
        with torch.no_grad():
            low, high = ppo.clip_low, ppo.clip_high
            moved = update.values - old_values
            cells = (
                update.entropy,
                rl.k3(old_logp, update.logp),
                rl.is_clipped(update.logp, old_logp, advantages, low=low, high=high).float(),
                (moved.abs() > ppo.value_clip).float(),
            )
            means = [rl.token_mean(x, part.mask, denominator=count.tokens) for x in cells]
            sums.append(torch.stack([x.double() for x in (update.loss, critic, *means)]))
    return torch.stack(sums).sum(0).detach()


def explained_variance(found: Targets, mask: Tensor) -> float:
    """Return the share of the variance of the returns that the values explain, over processes."""
    left = rl.global_moments(found.returns - found.old_values, mask).variance()
    total = rl.global_moments(found.returns, mask).variance()
    return float(1 - left / total) if total > 0 else float("nan")


def _mean(x: Tensor, mask: Tensor) -> float:
    return float(rl.global_moments(x, mask).mean)
