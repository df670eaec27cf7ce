"""Policy surrogates ``[B, T] → [B, T]``: losses to minimise, one per token, before aggregation.

``r = exp(ℓ − ℓ_old)``, ``ℓ`` the log-probability of the sampled token under the policy in training
and ``ℓ_old`` under the policy at the start of the update. Advantages and ``ℓ_old`` are constants.
The log-ratio is bounded before the exponential, and half-precision inputs are computed in float32.

No piece here takes a mask: a masked cell is dropped by the aggregation, and whatever padding holds,
NaN and inf included, its gradient is exactly zero.
"""

import math

import torch
from torch import Tensor

from rlrewards.objectives import _checks
from rlrewards.objectives.masked import finite_gradient

LOG_RATIO_BOUND = 20.0
"""Log-ratios are cut to ±20 before exp: e²⁰ ≈ 4.9e8 is past any use and far from overflow."""


def log_ratio(logp: Tensor, old_logp: Tensor) -> Tensor:
    """Bounded log importance ratio: ``clip(ℓ − ℓ_old, −20, 20)``, with zero gradient outside.

    Shapes: both ``[B, T]`` → ``[B, T]``, in at least float32. ``old_logp`` is a constant. Raises
    ``ValueError`` if the shapes differ.

    >>> log_ratio(torch.tensor([[-1.0, -1.0]]), torch.tensor([[-1.5, -99.0]]))
    tensor([[ 0.5000, 20.0000]])
    """
    logp = _checks.floats("logp", logp, ndim=2)
    old_logp = _checks.floats("old_logp", old_logp, ndim=2)
    _checks.same_shape("old_logp", old_logp, "logp", logp)
    return (logp - old_logp.detach()).clamp(-LOG_RATIO_BOUND, LOG_RATIO_BOUND)


def clipped(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    *,
    low: float = 0.2,
    high: float = 0.2,
    ceiling: float | None = None,
) -> Tensor:
    """PPO's clipped surrogate: ``−min(r·A, clip(r, 1 − low, 1 + high)·A)``.

    PPO, arXiv 1707.06347 (restated as DAPO's eqs 1 and 5); ``high > low`` is DAPO's clip-higher,
    arXiv 2503.14476, eqs 8 and 10. ``ceiling`` c bounds the loss of negative advantages,
    ``−min(min(r, c)·A, clip(r)·A)``: dual clip with c, arXiv 1912.09729, and the two-sided δ of
    INTELLECT-2, arXiv 2505.07291, are this one function for c ≥ 1 + high.

    Computed as ``−A · clip(r, lower, upper)``: only the upper bound can act where A > 0 and only
    the lower one (and the ceiling) where A < 0. The gradient is ``−r·A``, and 0 outside the
    bounds.

    Shapes: ``logp``, ``old_logp`` ``[B, T]``; ``advantages`` ``[B]`` or ``[B, T]`` → ``[B, T]``,
    in at least float32. ``low`` and ``high`` may be ``math.inf``: no bound on that side. Raises
    ``ValueError`` for other shapes, negative bounds and a ceiling below 1 + high.

    >>> logp = torch.tensor([[1.5, 1.5, 0.5]]).log()
    >>> clipped(logp, torch.zeros(1, 3), torch.tensor([[1.0, -1.0, -1.0]]))
    tensor([[-1.2000,  1.5000,  0.8000]])
    """
    _checks.at_least("low", low, 0.0)
    _checks.at_least("high", high, 0.0)
    if ceiling is not None:
        _checks.at_least("ceiling", ceiling, 1.0 + high)
    bounded = log_ratio(logp, old_logp)
    advantages = _checks.per_token(advantages, bounded)
    ratio = finite_gradient(bounded, advantages).exp()
    limit = math.inf if ceiling is None else ceiling
    lower = torch.zeros_like(advantages).masked_fill(advantages < 0, 1.0 - low)
    upper = torch.full_like(advantages, limit).masked_fill(advantages > 0, 1.0 + high)
    return -advantages * ratio.clamp(lower, upper)


def is_clipped(
    logp: Tensor, old_logp: Tensor, advantages: Tensor, *, low: float = 0.2, high: float = 0.2
) -> Tensor:
    """Where PPO's clip cuts the gradient: ``A > 0 ∧ r > 1 + high`` or ``A < 0 ∧ r < 1 − low``.

    Shapes, errors and arXiv ids as for ``clipped`` → bool ``[B, T]``; False where something is NaN.

    >>> logp = torch.tensor([[1.5, 1.5, 0.5]]).log()
    >>> is_clipped(logp, torch.zeros(1, 3), torch.tensor([[1.0, -1.0, -1.0]]))
    tensor([[ True, False,  True]])
    """
    _checks.at_least("low", low, 0.0)
    _checks.at_least("high", high, 0.0)
    ratio = log_ratio(logp, old_logp).detach().exp()
    advantages = _checks.per_token(advantages, ratio)
    return ((advantages > 0) & (ratio > 1 + high)) | ((advantages < 0) & (ratio < 1 - low))


def reinforce(logp: Tensor, advantages: Tensor, *, weight: Tensor | None = None) -> Tensor:
    """REINFORCE, off policy with a weight: ``−sg[w]·A·ℓ``; its gradient is ``−w·A``.

    Without a weight it is the policy gradient of tokens drawn from the policy itself (Williams,
    1992). Its value measures nothing: look at the gradient. CISPO, DPPO and VESPO are this with
    weights of their own.

    Shapes: ``logp``, ``weight`` ``[B, T]``; ``advantages`` ``[B]`` or ``[B, T]`` → ``[B, T]``, in
    at least float32. Raises ``ValueError`` for other shapes.

    >>> logp = torch.tensor([[-1.0, -2.0]])
    >>> reinforce(logp, torch.tensor([3.0]), weight=torch.tensor([[1.0, 0.5]]))
    tensor([[3., 3.]])
    """
    logp = _checks.floats("logp", logp, ndim=2)
    factor = _checks.per_token(advantages, logp)
    if weight is not None:
        weight = _checks.floats("weight", weight).detach().to(logp.dtype)
        _checks.same_shape("weight", weight, "logp", logp)
        factor = factor * weight
    return -factor * finite_gradient(logp, factor)
