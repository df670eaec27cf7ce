"""One importance ratio for a whole completion: the geometric mean of its tokens' ratios.

A reward judges a completion, so the ratio that corrects for the policy's drift can be taken per
completion too. ``sᵢ = exp((1/nᵢ) Σₜ m·(ℓ − ℓ_old))`` is one number per row; clipped, it keeps or
drops whole completions. It moves far less than a token's ratio: bounds are a few 1e-4, not .2.

Masked cells are replaced before any arithmetic, and a NaN at a valid token makes its whole row NaN,
the gradients of the row's other tokens included.
"""

import torch
from torch import Tensor

from rlrewards.objectives import _checks
from rlrewards.objectives.masked import count, wide_sum
from rlrewards.objectives.surrogate import clipped, log_ratio


def sequence_log_ratio(logp: Tensor, old_logp: Tensor, mask: Tensor) -> Tensor:
    """Mean log-ratio over the valid tokens of each row: ``(1/n) Σ m·(ℓ − ℓ_old)``; 0 without any.

    The gradient is 1/n at every valid token. Each token's log-ratio is bounded to ±20 first.

    Shapes: all ``[B, T]`` → ``[B]``, in at least float32. ``old_logp`` is a constant. Raises
    ``ValueError`` if the shapes differ.

    >>> logp, old_logp = torch.tensor([[-1.0, -2.0, 9.0]]), torch.tensor([[-1.5, -1.75, 0.0]])
    >>> sequence_log_ratio(logp, old_logp, torch.tensor([[1, 1, 0]]))
    tensor([0.1250])
    """
    x = log_ratio(logp, old_logp)
    mask = _checks.boolean_mask(mask, "logp", x)
    mean = (wide_sum(x, mask, 1) / count(mask, 1).clamp(min=1)).to(x.dtype)
    return _spoilt(mean, mean.isnan())


def sequence_ratio(logp: Tensor, old_logp: Tensor, mask: Tensor) -> Tensor:
    """``sᵢ = exp((1/nᵢ) Σₜ m·(ℓ − ℓ_old))``, GSPO, arXiv 2507.18071; 1 for an empty row.

    Shapes, dtypes and errors as for ``sequence_log_ratio``; the gradient is ``sᵢ/nᵢ`` at every
    valid token.

    >>> logp, old_logp = torch.tensor([[2.0, 8.0]]).log(), torch.zeros(1, 2)
    >>> sequence_ratio(logp, old_logp, torch.ones(1, 2))
    tensor([4.])
    """
    return sequence_log_ratio(logp, old_logp, mask).exp()


def gspo(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    low: float = 3e-4,
    high: float = 4e-4,
    ceiling: float | None = None,
) -> Tensor:
    """GSPO: at each valid token its row's loss, ``−min(sᵢ·Aᵢ, clip(sᵢ, 1 − low, 1 + high)·Aᵢ)``.

    arXiv 2507.18071 under ``sequence_mean``; under ``sequence_sum`` each row weighs its length,
    which is LUSPO, arXiv 2602.05261 (``low=2e-3, high=2.5e-3``). The gradient is ``−sᵢ·Aᵢ/nᵢ`` of
    each row's loss at each of its tokens, and 0 for the whole row where ``clipped`` would cut.
    ``ceiling`` as in ``clipped``.

    Shapes: ``logp``, ``old_logp``, ``mask`` ``[B, T]``, ``advantages`` ``[B]`` → ``[B, T]``, 0
    where masked; at least float32. Raises ``ValueError`` for other shapes (advantages that vary in
    a row are for ``gspo_token``) and for bounds as ``clipped`` does.

    >>> logp, old_logp = torch.tensor([[2.0, 8.0, 1.0]]).log(), torch.zeros(1, 3)
    >>> mask = torch.tensor([[1, 1, 0]])
    >>> gspo(logp, old_logp, torch.tensor([-1.0]), mask)
    tensor([[4., 4., 0.]])
    """
    x = sequence_log_ratio(logp, old_logp, mask).unsqueeze(1)
    advantages = row_advantages(advantages, x, "for advantages per token use gspo_token")
    row = clipped(x, torch.zeros_like(x), advantages, low=low, high=high, ceiling=ceiling)
    return torch.where(mask != 0, row, 0.0)


def gspo_token(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    low: float = 3e-4,
    high: float = 4e-4,
    ceiling: float | None = None,
) -> Tensor:
    """GSPO-token: PPO's clipped loss with ``s_it = sg[sᵢ]·exp(ℓ_it − sg[ℓ_it])`` for the ratio.

    arXiv 2507.18071. The value of ``s_it`` is that of the row's ratio, its gradient is the token's
    own, so advantages may vary inside a row. Where they do not, value and gradient under
    ``sequence_mean`` are those of ``gspo``. The gradient is ``−sᵢ·A_it``, and 0 where cut.

    Shapes: ``[B, T]``, ``advantages`` also ``[B]`` → ``[B, T]``, 0 where masked; at least float32.
    Raises ``ValueError`` for other shapes and for bounds as ``clipped`` does.

    >>> logp, old_logp = torch.tensor([[2.0, 8.0]]).log(), torch.zeros(1, 2)
    >>> gspo_token(logp, old_logp, torch.tensor([[-1.0, 1.0]]), torch.ones(1, 2))
    tensor([[ 4.0000, -1.0004]])
    """
    x = log_ratio(logp, old_logp)
    row = sequence_log_ratio(logp, old_logp, mask).detach().unsqueeze(1)
    mask = mask != 0
    x = _spoilt(x, mask & row.isnan())
    advantages = torch.where(mask, _checks.per_token(advantages, x), 0.0)
    x = row + torch.where(mask, x - x.detach(), 0.0)
    loss = clipped(x, torch.zeros_like(x), advantages, low=low, high=high, ceiling=ceiling)
    return torch.where(mask, loss, 0.0)


def row_advantages(advantages: Tensor, like: Tensor, advice: str) -> Tensor:
    """Advantages ``[B]`` as constants ``[B, 1]``, or an error that ends in ``advice``."""
    if isinstance(advantages, Tensor) and advantages.shape != like.shape[:1]:
        raise ValueError(
            f"advantages has shape {list(advantages.shape)}, expected [B] = "
            f"{list(like.shape[:1])}: {advice}"
        )
    return _checks.floats("advantages", advantages).detach().to(like.dtype).unsqueeze(1)


def _spoilt(x: Tensor, bad: Tensor) -> Tensor:
    """``x``, NaN where ``bad``, and its gradient NaN there even if 0 comes back (0 · NaN)."""
    return x * torch.where(bad, torch.nan, 1.0).to(x.dtype)
