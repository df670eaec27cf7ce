"""Laws of advantages: they compare the completions of one prompt."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch import Tensor

from rlrewards.testing.laws.objectives.measuring import EXACT, measure, objective_law, same
from rlrewards.testing.objective import Objective
from rlrewards.testing.strategies.tensors import TokenBatch, rows_of
from rlrewards.testing.subject import Broken

ODD_REWARDS = (0.1, 1 / 3, 0.7, -2.3, 9.9, 1e-3)  # which no mean in float32 is sure to hit


def _of_rows(objective: Objective, batch: TokenBatch) -> Tensor:
    return measure(objective, batch).outputs[0]


@objective_law(
    "In a group of identical rewards every advantage is exactly 0.",
    kinds="advantage",
    takes=("rewards", "group"),
    rows=(1, 7),
    dtype="float32",
    extras={"reward": st.sampled_from(ODD_REWARDS)},
)
def identical_rewards(objective: Objective, batch: TokenBatch) -> None:
    """The rounding of a mean, divided by a small epsilon, is an advantage of any size."""
    same_reward = batch.but(
        rewards=torch.full_like(batch["rewards"], batch["reward"]),
        group=torch.zeros_like(batch["group"]),
    )
    found = _of_rows(objective, same_reward)
    if found.any() or found.isnan().any():
        raise Broken(f"rewards of {batch['reward']:.4g} each have advantages {found.tolist()}")


@objective_law(
    "A missing reward (NaN) has advantage 0 and no part in those of others.",
    kinds="advantage",
    takes=("rewards",),
    missing=True,
)
def missing_rewards(objective: Objective, batch: TokenBatch) -> None:
    """A judge that did not answer must not count as a 0, nor spoil its group."""
    known = ~batch["rewards"].isnan()
    found = _of_rows(objective, batch)
    if not (found[~known] == 0).all():
        raise Broken(f"missing rewards have advantages {found[~known].tolist()}, expected 0")
    if known.any():
        alone = _of_rows(objective, rows_of(batch, known))
        same(found[known], alone, "the advantages of the others")


@objective_law(
    "Adding a number to all rewards of a prompt changes no advantage.",
    kinds="advantage",
    takes=("rewards", "group"),
    extras={"shifts": st.lists(st.integers(-8, 8), min_size=3, max_size=3)},
)
def shifted_rewards(objective: Objective, batch: TokenBatch) -> None:
    """Only differences within a group count."""
    shift = torch.tensor(batch["shifts"], dtype=batch["rewards"].dtype)[batch["group"]]
    found = _of_rows(objective, batch.but(rewards=batch["rewards"] + shift))
    same(found, _of_rows(objective, batch), "the advantages of shifted rewards")


@objective_law(
    "Within a group a higher reward never has the lower advantage, and some reward above the "
    "others has a positive one.",
    kinds="advantage",
    takes=("rewards", "group"),
)
def better_is_never_worse(objective: Objective, batch: TokenBatch) -> None:
    """A sign, or a comparison with the wrong rows."""
    found = _of_rows(objective, batch)
    rewards, group = batch["rewards"], batch["group"]
    better = (group.unsqueeze(1) == group) & (rewards.unsqueeze(1) > rewards)
    if found.ndim > 1:  # one row has one advantage at all its tokens
        return
    if (better & (found.unsqueeze(1) < found - EXACT)).any():
        raise Broken(f"rewards {rewards.tolist()} have advantages {found.tolist()}")
    for key in group.unique():
        own = rewards[group == key]
        if (own == own.max()).sum() == 1 and len(own) > 1 and found[group == key].max() <= 0:
            raise Broken(f"the best of {own.tolist()} has advantage 0 or less: {found.tolist()}")


@objective_law(
    "The result is a constant: no gradient flows through it.",
    kinds=("advantage", "returns", "weight", "statistic"),
)
def constant(objective: Objective, batch: TokenBatch) -> None:
    """A weight that keeps its gradient is another objective."""
    leaves = {
        name: batch[name].clone().requires_grad_()
        for name in objective.inputs
        if batch[name].is_floating_point()
    }
    if any(x.requires_grad for x in objective(batch.but(**leaves))):
        raise Broken("the result has a gradient, expected a constant")


LAWS = (identical_rewards, missing_rewards, shifted_rewards, better_is_never_worse, constant)
