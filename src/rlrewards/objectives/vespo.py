"""A smooth weight for a whole completion: REINFORCE times a Gamma-shaped function of its ratio.

The ratio of a completion is the product of its tokens' ratios, which runs off to 0 or infinity with
length. VESPO's weight rises to 1 near a ratio of 1 and falls off on both sides, so that neither end
can take over the batch, and nothing is normalised by length.
"""

import math

import torch
from torch import Tensor

from rlrewards.objectives import _checks
from rlrewards.objectives.masked import wide_sum
from rlrewards.objectives.sequence_ratio import row_advantages
from rlrewards.objectives.surrogate import LOG_RATIO_BOUND, log_ratio

LOWEST = math.log(1e-8)
"""ln W is kept within [ln 1e-8, 20]."""


def vespo(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    positive: tuple[float, float] = (2.0, 3.0),
    negative: tuple[float, float] = (3.0, 2.0),
    log_weight: Tensor | None = None,
) -> Tensor:
    """VESPO, arXiv 2602.10693: ``−sg[φ(Wᵢ)]·A·ℓ``, ``φ(W) = W^k·exp(λ(1 − W))``.

    ``Wᵢ = exp(Σₜ m·(ℓ − ℓ_old))``, the product over the row and not its mean; φ(1) = 1. ``(k, λ)``
    is ``positive`` where A ≥ 0 and else ``negative``: the values of the authors' code and scripts.
    Computed as ``exp(λ + k·ln W − λW)``, with log-ratios per token in ±20 and ln W in
    [ln 1e-8, 20]. The gradient is ``−φ(Wᵢ)·A``. Aggregated by ``token_mean``.

    Where the sampler was another policy than ``old_logp``, its correction belongs inside W and not
    beside φ: ``log_weight`` is the log of a weight per token (``truncated_importance(…).log()``),
    summed over the row, or the sum itself per row. A weight of 0 silences its row.

    Shapes: ``logp``, ``old_logp``, ``mask`` ``[B, T]``; ``advantages`` ``[B]``; ``log_weight``
    ``[B, T]`` or ``[B]`` → ``[B, T]``, 0 where masked; at least float32. Raises ``ValueError`` for
    other shapes and negative k or λ.

    >>> logp = torch.tensor([[-1.0, -2.0]])
    >>> vespo(logp, logp, torch.tensor([3.0]), torch.ones(1, 2))
    tensor([[3., 6.]])
    """
    for name, pair in (("positive", positive), ("negative", negative)):
        if len(pair) != 2:
            raise ValueError(f"{name} is {pair}, expected (k, λ)")
        _checks.at_least(f"k of {name}", pair[0], 0.0)
        _checks.at_least(f"λ of {name}", pair[1], 0.0)
    x = log_ratio(logp, old_logp).detach()
    mask = _checks.boolean_mask(mask, "logp", x)
    advantages = row_advantages(advantages, x, "φ is one weight for the whole row")
    log_w = wide_sum(x, mask, 1)
    if log_weight is not None:
        log_w = log_w + _row_sum(log_weight, mask)
    log_w = log_w.clamp(LOWEST, LOG_RATIO_BOUND).to(x.dtype).unsqueeze(1)
    k, lam = (
        torch.full_like(advantages, good).masked_fill(advantages < 0, bad)
        for good, bad in zip(positive, negative, strict=True)
    )
    phi = (lam + k * log_w - lam * log_w.exp()).exp()
    kept = torch.where(mask, _checks.floats("logp", logp), 0.0)
    return torch.where(mask, -phi * advantages * kept, 0.0)


def _row_sum(log_weight: Tensor, mask: Tensor) -> Tensor:
    log_weight = _checks.floats("log_weight", log_weight).detach()
    if log_weight.shape == mask.shape[:1]:
        return torch.where(mask.any(1), log_weight, 0.0)
    if log_weight.shape != mask.shape:
        raise ValueError(
            f"log_weight has shape {list(log_weight.shape)}, expected [B] = "
            f"{list(mask.shape[:1])} or [B, T] = {list(mask.shape)}"
        )
    return wide_sum(log_weight, mask, 1)
