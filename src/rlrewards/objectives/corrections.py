"""The sampler is not the policy that was trained: weights and masks for the gap between them.

An inference engine computes other log-probabilities ``ℓ_smp`` for its own tokens than the trainer's
``ℓ_old``: other kernels, other precision, older weights. ``w = exp(ℓ_old − ℓ_smp)`` corrects for
it, as a constant that multiplies the loss before the KL term is added. Truncating a weight keeps
its token, masking gives it weight 0, and rejecting takes it out of the mask and so out of the
denominators. Never use these beside a PPO ratio against ``ℓ_smp``: that corrects twice.

Everything here takes ``[B, T]`` tensors and returns constants; masked cells have weight 1. A token
without a log-prob from the sampler also weighs 1, if said so: ``known`` is False there. Where an
engine reports NaN for "none", pass ``known=~sampler_logp.isnan()``; without it a NaN is an error
upstream, and shows.
"""

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from rlrewards.objectives import _checks
from rlrewards.objectives.masked import count, masked_mean, wide_sum
from rlrewards.objectives.surrogate import LOG_RATIO_BOUND, log_ratio

Level = Literal["token", "sequence"]
"""A weight is the token's own ``w``, or at each token the row's product ``Πₜ w``."""


def sampler_log_ratio(old_logp: Tensor, sampler_logp: Tensor) -> Tensor:
    """``ln w = ℓ_old − ℓ_smp``, bounded to ±20, a constant.

    Shapes: both ``[B, T]`` → ``[B, T]``, in at least float32. Raises ``ValueError`` if they differ.

    >>> sampler_log_ratio(torch.tensor([[-1.0]]), torch.tensor([[-1.5]]))
    tensor([[0.5000]])
    """
    return log_ratio(*_pair(old_logp, sampler_logp))


def truncated_importance(
    old_logp: Tensor,
    sampler_logp: Tensor,
    mask: Tensor,
    *,
    cap: float = 2.0,
    floor: float = 0.0,
    level: Level = "token",
    known: Tensor | None = None,
) -> Tensor:
    """TIS, truncated importance sampling: ``clip(w, floor, cap)``.

    The cap is 2 in verl and slime, 3 in TRL. ``level="sequence"`` bounds ``Πₜ w`` of the row.

    Shapes: all ``[B, T]`` → ``[B, T]`` without gradient, at least float32; 1 where masked or not
    ``known``. Raises ``ValueError`` for other shapes, another level, or unless 0 ≤ floor ≤ cap.

    >>> old_logp, mask = torch.tensor([[3.0, 0.5, 9.0]]).log(), torch.tensor([[1, 1, 0]])
    >>> truncated_importance(old_logp, torch.zeros(1, 3), mask)
    tensor([[2.0000, 0.5000, 1.0000]])
    >>> truncated_importance(old_logp, torch.zeros(1, 3), mask, level="sequence")
    tensor([[1.5000, 1.5000, 1.0000]])
    """
    _check_bounds("floor", floor, "cap", cap)
    w, counts = _weights(old_logp, sampler_logp, mask, known, level)
    return torch.where(counts, w.clamp(floor, cap), 1.0)


def masked_importance(
    old_logp: Tensor,
    sampler_logp: Tensor,
    mask: Tensor,
    *,
    low: float = 0.0,
    high: float = 3.0,
    level: Level = "token",
    known: Tensor | None = None,
) -> Tensor:
    """MIS, masked importance sampling: ``w`` within [low, high], else 0.

    The masked tokens stay in the denominator (``rejection_mask`` takes them out). TRL's default is
    ``level="sequence"``, with these bounds.

    Shapes, dtypes and errors as for ``truncated_importance``.

    >>> old_logp = torch.tensor([[4.0, 0.5]]).log()
    >>> masked_importance(old_logp, torch.zeros(1, 2), torch.ones(1, 2))
    tensor([[0.0000, 0.5000]])
    """
    _check_bounds("low", low, "high", high)
    w, counts = _weights(old_logp, sampler_logp, mask, known, level)
    return torch.where(counts, _zero_outside(w, w, low, high), 1.0)


def icepop(
    old_logp: Tensor,
    sampler_logp: Tensor,
    mask: Tensor,
    *,
    low: float = 0.5,
    high: float = 5.0,
    known: Tensor | None = None,
) -> Tensor:
    """IcePop, arXiv 2510.18855: ``masked_importance`` of single tokens with two bounds.

    Shapes, dtypes and errors as there.

    >>> old_logp = torch.tensor([[4.0, 0.4]]).log()
    >>> icepop(old_logp, torch.zeros(1, 2), torch.ones(1, 2))
    tensor([[4., 0.]])
    """
    return masked_importance(old_logp, sampler_logp, mask, low=low, high=high, known=known)


def sequence_mask_tis(
    old_logp: Tensor,
    sampler_logp: Tensor,
    mask: Tensor,
    *,
    low: float = 0.999,
    high: float = 1.002,
    known: Tensor | None = None,
) -> Tensor:
    """Raw ``w`` in rows whose geometric mean ``exp((1/n) Σ ln w)`` is in [low, high], else 0.

    NeMo's ``seq-mask-tis``, with its bounds. Tokens that are not ``known`` weigh 1 in a kept row.

    Shapes, dtypes and errors as for ``truncated_importance``.

    >>> old_logp = torch.tensor([[2.0, 0.5], [2.0, 1.0]]).log()
    >>> sequence_mask_tis(old_logp, torch.zeros(2, 2), torch.ones(2, 2))
    tensor([[2.0000, 0.5000],
            [0.0000, 0.0000]])
    """
    _check_bounds("low", low, "high", high)
    x = sampler_log_ratio(old_logp, sampler_logp)
    mask, counts = _masks(mask, known, x)
    mean = wide_sum(x, counts, 1) / count(counts, 1).clamp(min=1)
    w = torch.where(counts, x.exp(), 1.0)
    return torch.where(mask, _zero_outside(w, mean.to(x.dtype).exp().unsqueeze(1), low, high), 1.0)


def rejection_mask(
    mask: Tensor,
    old_logp: Tensor,
    sampler_logp: Tensor,
    *,
    estimator: Callable[[Tensor, Tensor], Tensor],
    high: float,
    low: float = -math.inf,
    level: Literal["token", "sum", "mean", "max"] = "token",
    known: Tensor | None = None,
) -> Tensor:
    """The mask without what strayed: where ``estimator(ℓ_smp, ℓ_old)`` is outside [low, high].

    verl's rejection: ``estimator`` is ``k1``, ``k2`` or ``k3``, of KL(sampler‖old), and the bounds
    are in its units (for k1 logs of ratios). By ``"token"``, or whole rows by the ``"sum"``,
    ``"mean"`` or ``"max"`` over their valid tokens. Pass the result as the mask, so that
    denominators count without them.

    Shapes: all ``[B, T]`` → bool ``[B, T]``. A token that is NaN or not ``known`` rejects nothing.
    Raises ``ValueError`` for other shapes, another level, or low > high.

    >>> from rlrewards.objectives.kl import k2
    >>> old_logp = torch.tensor([[0.0, 1.0], [0.1, 0.2]])
    >>> rejection_mask(torch.ones(2, 2), old_logp, torch.zeros(2, 2), estimator=k2, high=0.4)
    tensor([[ True, False],
            [ True,  True]])
    """
    _check_bounds("low", low, "high", high, lowest=-math.inf)
    old_logp, sampler_logp = _pair(old_logp, sampler_logp)
    k = estimator(sampler_logp, old_logp)
    mask, counts = _masks(mask, known, k)
    if level == "token":
        return mask & ~(counts & _outside(k, low, high))
    if level not in ("sum", "mean", "max"):
        raise ValueError(f"level is {level!r}, expected 'token', 'sum', 'mean' or 'max'")
    if level == "max":
        found = torch.where(counts, k, -torch.inf)
        row = torch.nn.functional.pad(found, (0, 1), value=-torch.inf).amax(1)  # also of no column
    else:
        row = wide_sum(k, counts, 1)
        row = row / count(counts, 1).clamp(min=1) if level == "mean" else row
    rejected = counts.any(1) & _outside(row, low, high)
    return mask & ~rejected.unsqueeze(1)


def normalized_weights(
    weights: Tensor, mask: Tensor, *, mean: float | Tensor | None = None
) -> Tensor:
    """Weights divided by their mean over the valid tokens, so that they leave the step size alone.

    Where the batch is cut, or weights are per row, pass the ``mean`` wanted: of the whole batch, or
    over rows. Weights that are all 0 stay 0.

    Shapes: ``weights``, ``mask`` ``[B, T]`` → ``[B, T]`` without gradient, 1 where masked; at least
    float32. Raises ``ValueError`` if they differ, or for more than one mean.

    >>> normalized_weights(torch.tensor([[1.0, 3.0, 9.0]]), torch.tensor([[1, 1, 0]]))
    tensor([[0.5000, 1.5000, 1.0000]])
    """
    weights = _checks.floats("weights", weights, ndim=2).detach()
    mask = _checks.boolean_mask(mask, "weights", weights)
    if mean is not None:
        _checks.scalar("mean", mean)
    below = torch.as_tensor(masked_mean(weights, mask) if mean is None else mean).to(weights)
    below = torch.where(below == 0, 1.0, below.detach())
    return torch.where(mask, weights / below, 1.0)


def _pair(old_logp: Tensor, sampler_logp: Tensor) -> tuple[Tensor, Tensor]:
    """Both as constants ``[B, T]`` in at least float32, or an error that names the one to blame."""
    old_logp = _checks.floats("old_logp", old_logp, ndim=2).detach()
    sampler_logp = _checks.floats("sampler_logp", sampler_logp, ndim=2).detach()
    _checks.same_shape("sampler_logp", sampler_logp, "old_logp", old_logp)
    return old_logp, sampler_logp


def _weights(
    old_logp: Tensor, sampler_logp: Tensor, mask: Tensor, known: Tensor | None, level: str
) -> tuple[Tensor, Tensor]:
    """``w`` of the level at each token, and the tokens it is for: all others weigh 1."""
    x = sampler_log_ratio(old_logp, sampler_logp)
    mask, counts = _masks(mask, known, x)
    if level == "token":
        return x.exp(), counts
    if level != "sequence":
        raise ValueError(f"level is {level!r}, expected 'token' or 'sequence'")
    total = wide_sum(x, counts, 1).clamp(-LOG_RATIO_BOUND, LOG_RATIO_BOUND).to(x.dtype)
    return total.exp().unsqueeze(1).expand_as(x), mask


def _masks(mask: Tensor, known: Tensor | None, x: Tensor) -> tuple[Tensor, Tensor]:
    mask = _checks.boolean_mask(mask, "old_logp", x)
    if known is None:
        return mask, mask
    return mask, mask & _checks.boolean_like("known", known, "old_logp", x)


def _outside(x: Tensor, low: float, high: float) -> Tensor:
    return (x < low) | (x > high)  # NaN is not: it stays to be seen


def _zero_outside(w: Tensor, x: Tensor, low: float, high: float) -> Tensor:
    return torch.where(_outside(x, low, high), 0.0, w)


def _check_bounds(
    low_name: str, low: float, high_name: str, high: float, *, lowest: float = 0.0
) -> None:
    _checks.at_least(low_name, low, lowest)
    _checks.at_least(high_name, high, low)
