"""Objectives with one mistake each, as they are found in trainers, and the law that catches it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from rlrewards import objectives as rl


class Mistake(NamedTuple):
    law: str
    kind: str
    function: Callable[..., Any]
    how: dict[str, Any] = {}


def pieces(logp, old_logp, advantages):
    return rl.clipped(logp, old_logp, advantages)


# ------------------------------------------------------------------------------------------ losses


def no_bound_on_the_exponential(logp, old_logp, advantages, mask):
    ratio = (logp - old_logp.detach()).exp()
    return rl.sequence_mean(-ratio * advantages.detach().unsqueeze(1), mask)


def loss_in_the_dtype_of_the_model(logp, advantages, mask):
    weights = advantages.detach().to(logp.dtype).unsqueeze(1)
    return -torch.where(mask, (logp * 100 - 100) * weights + 1000 * logp - 1000 * logp, 0).mean()


def mean_over_padding(logp, old_logp, advantages, mask):
    return torch.where(mask, pieces(logp, old_logp, advantages), 0).mean()


def mask_multiplied(logp, old_logp, advantages, mask):
    return (pieces(logp, old_logp, advantages) * mask).sum() / mask.sum().clamp(min=1)


def nothing_divided_by_nothing(logp, old_logp, advantages, mask):
    return torch.where(mask, pieces(logp, old_logp, advantages), 0).sum() / mask.sum()


def detached(logp, old_logp, advantages, mask):
    return (
        rl.sequence_mean(pieces(logp.detach(), old_logp, advantages), mask)
        + 0 * logp.nan_to_num().sum()
    )


def mean_over_the_tokens_of_the_call(logp, old_logp, advantages, mask):
    return rl.token_mean(pieces(logp, old_logp, advantages), mask)


def denominator_ignored(logp, old_logp, advantages, mask, *, denominator=None):
    return rl.token_mean(pieces(logp, old_logp, advantages), mask)


def old_policy_with_gradient(logp, old_logp, advantages, mask):
    ratio = (logp - old_logp).clamp(-20, 20)
    ratio = rl.finite_gradient(ratio).exp()
    return rl.sequence_mean(-ratio * advantages.detach().unsqueeze(1), mask)


def advantage_with_gradient(logp, advantages, mask):
    return rl.sequence_mean(-rl.finite_gradient(logp) * advantages.unsqueeze(1), mask)


def wrong_sign(logp, old_logp, advantages, mask):
    return -rl.sequence_mean(pieces(logp, old_logp, advantages), mask)


def first_row_counts_twice(logp, old_logp, advantages, mask):
    x = pieces(logp, old_logp, advantages)
    weights = torch.ones(len(x), 1, dtype=x.dtype)
    weights[:1] = 2
    return rl.sequence_mean(x * weights, mask)


def first_row_is_read(logp, old_logp, advantages, mask):
    return (
        rl.sequence_mean(pieces(logp, old_logp, advantages), mask) + 0 * logp[0].nan_to_num().sum()
    )


def filled_in_place(logp, old_logp, advantages, mask):
    old_logp.masked_fill_(~mask, 0.0)
    return rl.sequence_mean(pieces(logp, old_logp, advantages), mask)


def dropout(logp, old_logp, advantages, mask):
    keep = torch.rand(logp.shape) < 0.9
    return rl.sequence_mean(pieces(logp, old_logp, advantages) * keep, mask)


def backward_inside(logp, old_logp, advantages, mask):
    loss = rl.sequence_mean(pieces(logp, old_logp, advantages), mask)
    return loss if logp.requires_grad and loss.requires_grad else loss + 1


# -------------------------------------------------------------------------------------- surrogates


def advantages_whitened_inside(logp, old_logp, advantages):
    centred = advantages - (advantages.mean() if len(advantages) else 0)
    return pieces(logp, old_logp, centred)


def twice_the_logp(logp, ref_logp):
    return rl.k2(2 * logp, ref_logp)


# -------------------------------------------------------------------------------------- advantages


def rows_of(group):
    return [(group == key).nonzero()[:, 0] for key in group.unique()]


def per_group(rewards, group, function):
    found = torch.zeros(rewards.shape, dtype=rewards.dtype)
    for rows in rows_of(group):
        found[rows] = function(rewards[rows])
    return found


def no_epsilon(rewards, group):
    return per_group(rewards, group, lambda r: (r - r.mean()) / r.std(unbiased=False))


def tiny_epsilon(rewards, group):
    return per_group(
        rewards, group, lambda r: (r - r.sum() / len(r)) / (r.std(unbiased=False) + 1e-9)
    )


def difference_of_squares(rewards, group):
    def scaled(r):
        variance = ((r * r).mean() - r.mean() ** 2).clamp(min=0)
        return (r - r.mean()) / (variance.sqrt() + 0.1)

    return per_group(rewards, group, scaled)


def missing_is_zero(rewards, group):
    return rl.group_relative(rewards.nan_to_num(), group)


def missing_spoils(rewards, group):
    return per_group(rewards, group, lambda r: r - r.mean())


def mean_of_the_batch(rewards, group):
    return rewards - (rewards.nanmean() if len(rewards) else 0)


def neighbours_are_a_group(rewards, group):
    pairs = rewards[: len(rewards) // 2 * 2].reshape(-1, 2)
    even = (pairs - pairs.mean(1, keepdim=True)).reshape(-1)
    return torch.cat([even, rewards[len(even) :] * 0])


def share_of_the_sum(rewards, group):
    return per_group(rewards, group, lambda r: r * (r - r.mean()))


def worse_is_better(rewards, group):
    return -rl.group_relative(rewards, group)


def no_advantage(rewards, group):
    return 0 * rl.group_relative(rewards, group)


def with_gradient(rewards, group):
    return rewards - rl.group_relative(rewards, group, scale="none").new_zeros(len(rewards))


def fails_without_rows(rewards, group):
    if not len(rewards):
        raise ValueError("max() of an empty tensor")
    return rl.group_relative(rewards, group)


def mask_forgotten(rewards, group, mask):
    advantages = rl.group_relative(rewards, group)
    return advantages.unsqueeze(1).expand(mask.shape)


# ----------------------------------------------------------------------------------------- returns


def forwards(rewards, mask):
    return torch.where(mask, torch.where(mask, rewards, 0).cumsum(1), 0)


def only_its_own(rewards, mask):
    return torch.where(mask, rewards, 0)


MISTAKES = [
    Mistake("finite", "loss", no_bound_on_the_exponential),
    Mistake("finite", "advantage", no_epsilon),
    Mistake("half precision", "loss", loss_in_the_dtype_of_the_model),
    Mistake("single precision", "advantage", difference_of_squares),
    Mistake("padding is not read", "loss", mask_multiplied),
    Mistake("width is not read", "loss", mean_over_padding),
    Mistake("nothing valid", "loss", nothing_divided_by_nothing),
    Mistake("empty batch", "loss", nothing_divided_by_nothing),
    Mistake("zero at masked tokens", "advantage", mask_forgotten),
    Mistake("gradient of the value", "loss", detached),
    Mistake("policy gradient", "loss", detached),
    Mistake("cut into micro batches", "loss", mean_over_the_tokens_of_the_call),
    Mistake("cut into micro batches", "loss", denominator_ignored),
    Mistake("constants get no gradient", "loss", old_policy_with_gradient),
    Mistake("constants get no gradient", "loss", advantage_with_gradient),
    Mistake("policy gradient", "loss", wrong_sign),
    Mistake("order of rows", "loss", first_row_counts_twice),
    Mistake("empty batch", "loss", first_row_is_read),
    Mistake("inputs are not changed", "loss", filled_in_place),
    Mistake("repeatable", "loss", dropout),
    Mistake("without gradients", "loss", backward_inside),
    Mistake("rows do not mix", "surrogate", advantages_whitened_inside),
    Mistake("zero for equal policies", "kl", twice_the_logp),
    Mistake("identical rewards", "advantage", tiny_epsilon),
    Mistake("missing rewards", "advantage", missing_is_zero),
    Mistake("missing rewards", "advantage", missing_spoils),
    Mistake("finite", "advantage", missing_spoils),
    Mistake("rows do not mix", "advantage", mean_of_the_batch),
    Mistake("order of rows", "advantage", neighbours_are_a_group),
    Mistake("shifted rewards", "advantage", share_of_the_sum),
    Mistake("better is never worse", "advantage", worse_is_better),
    Mistake("better is never worse", "advantage", no_advantage),
    Mistake("constant", "advantage", with_gradient),
    Mistake("empty batch", "advantage", fails_without_rows),
    Mistake("later than the token", "returns", forwards),
    Mistake("reward reaches back", "returns", only_its_own),
]
