"""Advantages from one scalar reward per completion: how much better than its peers it did.

A group is the set of completions of one prompt. Groups may be ragged and stand in any order. A NaN
reward means "no opinion": it takes no part in any statistic and gets advantage 0. A group whose
rewards are all the same gets exactly 0, decided by ``max = min`` and not by a small epsilon:
rounding divided by 1e-9 is not small. Advantages are constants: no gradient flows through them.
"""

from collections.abc import Hashable, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from rlrewards.objectives import _checks
from rlrewards.objectives.masked import count, masked_mean, masked_var

Group = Tensor | Sequence[Hashable]


def group_relative(
    rewards: Tensor,
    group: Group,
    *,
    scale: Literal["std", "none", "batch"] = "std",
    eps: float = 1e-4,
) -> Tensor:
    """Reward less its group's mean, over a standard deviation: ``Aᵢ = (rᵢ − r̄) / (s + eps)``.

    ``scale="std"``: ``s`` is the group's sample standard deviation (ddof 1), GRPO, arXiv 2402.03300
    (and DAPO, arXiv 2503.14476, eqs 4 and 9; neither paper has the eps). ``"none"``: no division,
    Dr.GRPO, arXiv 2503.20783. ``"batch"``: ``s`` over every reward of the batch, arXiv 2508.08221.
    Other libraries differ in eps: TRL 1e-4, verl 1e-6, OpenRLHF 1e-9.

    Shapes: ``rewards`` ``[B]``, ``group`` ``[B]`` ids (an integer tensor, or a sequence of
    hashables) → ``[B]``, in at least float32. Raises ``ValueError`` for other shapes, an unknown
    scale or a negative eps.

    >>> rewards = torch.tensor([1.0, 0.0, 5.0, 0.0, 5.0])
    >>> group_relative(rewards, ["a", "a", "b", "a", "b"], scale="none")
    tensor([ 0.6667, -0.3333,  0.0000, -0.3333,  0.0000])
    """
    _checks.at_least("eps", eps, 0.0)
    own = _compare(rewards, group)
    if scale == "none":
        return own.deviation.to(own.dtype)
    if scale == "std":
        variance = own.sum(own.deviation**2) / (own.size - 1).clamp(min=1)
    elif scale == "batch":
        variance = masked_var(own.rewards, own.known)
    else:
        raise ValueError(f'scale is {scale!r}, expected "std", "none" or "batch"')
    # A deviation of exactly 0 stays 0 even where eps = 0 makes it 0/0.
    scaled = own.deviation / (variance.sqrt() + eps)
    return torch.where(own.deviation == 0, 0.0, scaled).to(own.dtype)


def leave_one_out(rewards: Tensor, group: Group) -> Tensor:
    """Reward less the mean of the *others* in its group: ``Aᵢ = rᵢ − (1/(G−1)) Σ_{j≠i} rⱼ``.

    RLOO, arXiv 2402.14740. Equal to ``G/(G−1) · (rᵢ − r̄)``, which is how it is computed. A
    completion with no other in its group has nothing to be compared with and gets 0.

    Shapes, dtypes and errors as for ``group_relative``.

    >>> leave_one_out(torch.tensor([1.0, 0.0, 0.0]), torch.tensor([4, 4, 4]))
    tensor([ 1.0000, -0.5000, -0.5000])
    """
    own = _compare(rewards, group)
    return (own.deviation * own.size / (own.size - 1).clamp(min=1)).to(own.dtype)


def whiten(x: Tensor, mask: Tensor, *, shift_mean: bool = True) -> Tensor:
    """Valid cells scaled to unit variance: ``(x − μ) · (v + 1e-8)^−½``, ``+ μ`` without the shift.

    ``v`` has ddof 1, as in verl (OpenRLHF takes ddof 0). The statistics are those of this
    batch: gather it first if the result must not depend on how a batch is cut.

    Shapes: ``x`` and ``mask`` ``[B, T]`` → ``[B, T]``, 0 at masked cells; at least float32. With
    one valid cell the variance is taken as 0. Raises ``ValueError`` if shapes differ.

    >>> whiten(torch.tensor([[1.0, 3.0, 9.9]]), torch.tensor([[1, 1, 0]]))
    tensor([[-0.7071,  0.7071,  0.0000]])
    """
    with torch.no_grad():
        wide = _checks.floats("x", x).double()
        valid = _checks.boolean_mask(mask, "x", x)
        mean, variance = masked_mean(wide, valid), masked_var(wide, valid)
        variance = torch.where(count(valid) > 1, variance, 0.0)
        scaled = (wide - mean) * (variance + 1e-8).rsqrt() + (0.0 if shift_mean else mean)
        return torch.where(valid, scaled, 0.0).to(_checks.floats("x", x).dtype)


class _Comparison(NamedTuple):
    """Each completion beside its own group; everything is ``[B]`` and float64 but ``known``."""

    rewards: Tensor  # 0 where unknown
    known: Tensor  # the reward is not NaN
    own: Tensor  # index of the group, in [0, B)
    size: Tensor  # number of known rewards in the group
    deviation: Tensor  # from the group's mean; exactly 0 in a group of identical rewards
    dtype: torch.dtype  # of the result

    def sum(self, x: Tensor) -> Tensor:
        """Sum of ``x`` over each completion's own group."""
        return _own_sum(x, self.own)


def _compare(rewards: Tensor, group: Group) -> _Comparison:
    if isinstance(rewards, Tensor) and not rewards.is_floating_point():
        rewards = rewards.float()  # counts and booleans are fine rewards
    rewards = _checks.floats("rewards", rewards, ndim=1).detach()
    index = _group_index(group, rewards)
    known = ~rewards.isnan()
    wide = torch.where(known, rewards, 0.0).double()
    size = _own_sum(known.double(), index)
    mean = _own_sum(wide, index) / size.clamp(min=1)
    varied = known & (_own_extreme(wide, known, index) > -_own_extreme(-wide, known, index))
    deviation = torch.where(varied, wide - mean, 0.0)
    return _Comparison(wide, known, index, size, deviation, rewards.dtype)


def _own_sum(x: Tensor, index: Tensor) -> Tensor:
    return torch.zeros_like(x).index_add_(0, index, x)[index]


def _own_extreme(x: Tensor, known: Tensor, index: Tensor) -> Tensor:
    lowest = torch.full_like(x, -torch.inf)
    return lowest.scatter_reduce(0, index, torch.where(known, x, lowest), "amax")[index]


def _group_index(group: Group, rewards: Tensor) -> Tensor:
    """Number the groups from 0, in any order."""
    if not isinstance(group, Tensor):
        numbers: dict[Hashable, int] = {}
        group = torch.tensor([numbers.setdefault(g, len(numbers)) for g in group], dtype=torch.long)
    elif group.is_floating_point() or group.is_complex():
        raise ValueError(f"group has dtype {group.dtype}, expected integer ids: one per prompt")
    if group.shape != rewards.shape:
        raise ValueError(
            f"group has shape {list(group.shape)}, expected one id per reward, "
            f"{list(rewards.shape)}"
        )
    index: Tensor = torch.unique(group.to(rewards.device), return_inverse=True)[1]
    return index
