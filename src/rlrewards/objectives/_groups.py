"""Completions compared within their group: the sums and extremes behind every group advantage.

A group is the set of completions of one prompt. Nothing here counts the groups or loops over them,
so nothing waits for a GPU: a group's number is the place where its first id stands once all ids are
sorted, and every statistic of a group is written beside each of its members.
"""

from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from rlrewards.objectives import _checks

Group = Tensor | Sequence[Hashable]
"""One id per completion: an integer tensor ``[B]``, or a sequence of hashables."""


class Comparison(NamedTuple):
    """Each completion beside its own group; like the rewards, and float64 where not said."""

    rewards: Tensor  # 0 where unknown
    known: Tensor  # bool: the reward is not NaN
    number: Tensor  # int64 [B]: of the group
    size: Tensor  # number of known rewards in the group
    varied: Tensor  # bool: the group has two different rewards, whether or not this one is known
    deviation: Tensor  # from the group's mean; exactly 0 where unknown or not varied
    dtype: torch.dtype  # of the result

    def sum(self, x: Tensor) -> Tensor:
        """Sum of ``x`` over each completion's own group."""
        return _own_sum(x, self.number)

    def highest(self, among: Tensor) -> Tensor:
        """Highest reward of the group among the completions picked; −inf where there are none."""
        return _own_highest(self.rewards, among, self.number)


def compare(rewards: Tensor, group: Group, *, columns: bool = False) -> Comparison:
    """Each reward beside its group: ``[B]``, or ``[B, R]`` a column for each kind of reward."""
    rewards = real_rewards("rewards", rewards, columns=columns)
    index = group_index(group, rewards)
    known = ~rewards.isnan()
    wide = torch.where(known, rewards, 0.0).double()
    size = _own_sum(known.double(), index)
    mean = _own_sum(wide, index) / size.clamp(min=1)
    varied = _own_highest(wide, known, index) > -_own_highest(-wide, known, index)
    deviation = torch.where(known & varied, wide - mean, 0.0)
    return Comparison(wide, known, index, size, varied, deviation, rewards.dtype)


def real_rewards(name: str, rewards: Tensor, *, columns: bool = False) -> Tensor:
    """Rewards as constants in at least float32; counts and booleans are fine rewards."""
    if isinstance(rewards, Tensor) and not (rewards.is_floating_point() or rewards.is_complex()):
        rewards = rewards.float()
    rewards = _checks.floats(name, rewards).detach()
    if rewards.ndim != 1 + columns:
        wanted = "[B, R], a column for each kind of reward" if columns else "[B]"
        raise ValueError(f"{name} has shape {list(rewards.shape)}, expected {wanted}")
    return rewards


def group_index(group: Group, rewards: Tensor) -> Tensor:
    """Number of each completion's group, int64 ``[B]``, below B; raises if there is not one each.

    >>> group_index(["b", "a", "b"], torch.zeros(3))
    tensor([0, 2, 0])
    """
    if not isinstance(group, Tensor):
        if not isinstance(group, Iterable):
            raise TypeError(f"group is a {type(group).__name__}: pass one id per reward")
        group = list(group)
        if any(isinstance(g, Tensor) for g in group):  # hashed by identity: never equal
            raise TypeError("group is a sequence of tensors: pass one integer tensor, or ints")
        numbers: dict[Hashable, int] = {}
        group = torch.tensor([numbers.setdefault(g, len(numbers)) for g in group], dtype=torch.long)
    elif group.is_floating_point() or group.is_complex():
        raise ValueError(f"group has dtype {group.dtype}, expected integer ids: one per prompt")
    if group.shape != rewards.shape[:1]:
        raise ValueError(
            f"group has shape {list(group.shape)}, expected one id per reward, "
            f"{list(rewards.shape[:1])}"
        )
    ids = group.to(rewards.device, torch.long).contiguous()
    return torch.searchsorted(ids.sort().values, ids)


def _own_sum(x: Tensor, index: Tensor) -> Tensor:
    return torch.zeros_like(x).index_add_(0, index, x)[index]


def _own_highest(x: Tensor, among: Tensor, index: Tensor) -> Tensor:
    lowest = torch.full_like(x, -torch.inf)
    rows = index if x.ndim == 1 else index.unsqueeze(1).expand_as(x)
    return lowest.scatter_reduce(0, rows, torch.where(among, x, lowest), "amax")[index]
