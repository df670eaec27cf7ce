"""A soft gate in place of a clip: the weight of a token fades as its ratio leaves 1, to both sides.

A clip is all or nothing. SAPO's sigmoid lets the gradient fall off smoothly, faster for negative
advantages, which push up every other token of the vocabulary and are the less stable ones.
"""

import math

import torch
from torch import Tensor

from rlrewards.objectives import _checks
from rlrewards.objectives.masked import finite_gradient
from rlrewards.objectives.surrogate import log_ratio


def sapo(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    *,
    positive_temperature: float = 1.0,
    negative_temperature: float = 1.05,
) -> Tensor:
    """SAPO, arXiv 2511.20347: ``−(4/τ)·σ(τ·(r − 1))·A``, τ by the sign of A.

    The gradient is ``−r·sech²(τ(r − 1)/2)·A``: the policy gradient at r = 1. The *value* there is
    ``−2A/τ``, so losses do not compare with PPO's. The paper aggregates with ``sequence_mean``.

    Shapes: ``logp``, ``old_logp`` ``[B, T]``; ``advantages`` ``[B]`` or ``[B, T]`` → ``[B, T]``, in
    at least float32. Raises ``ValueError`` for other shapes and temperatures that are not above 0
    or not finite.

    >>> logp = torch.tensor([[1.0, 2.0]]).log()
    >>> sapo(logp, torch.zeros(1, 2), torch.tensor([1.0]))
    tensor([[-2.0000, -2.9242]])
    """
    for name, value in (("positive", positive_temperature), ("negative", negative_temperature)):
        if not 0 < value < math.inf:
            raise ValueError(f"{name}_temperature is {value}, expected above 0 and finite")
    bounded = log_ratio(logp, old_logp)
    advantages = _checks.per_token(advantages, bounded)
    ratio = finite_gradient(bounded, advantages).exp()
    tau = torch.full_like(advantages, negative_temperature)
    tau = tau.masked_fill(advantages > 0, positive_temperature)
    return -(4 / tau) * torch.sigmoid(tau * (ratio - 1)) * advantages
