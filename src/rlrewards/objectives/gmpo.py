"""The geometric mean of clipped ratios: one outlying token cannot carry a completion away.

GRPO averages the tokens' ratios, GMPO multiplies them. Both it and GSPO use a geometric mean; GSPO
clips the mean, GMPO clips each token and then takes the mean, so a row is never dropped whole.
"""

import torch
from torch import Tensor

from rlrewards.objectives import _checks
from rlrewards.objectives.masked import count, wide_sum
from rlrewards.objectives.sequence_ratio import row_advantages
from rlrewards.objectives.surrogate import log_ratio


def gmpo(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    low: float = 0.4,
    high: float = 0.4,
) -> Tensor:
    """GMPO: at each valid token the loss of its row, ``−wᵢ·Aᵢ``, ``wᵢ = exp((1/nᵢ) Σₜ m·x̃)``.

    arXiv 2507.20673, under ``sequence_mean``. ``x = ℓ − ℓ_old``; ``x̃ = min(x, high)`` where A > 0
    and ``max(x, −low)`` where A < 0: the bounds are on the **log**-ratio, .4 lets ratios reach
    e^±.4 = .67 and 1.49. (The paper writes the clip on ``w^sgn(A)``: the same for equal bounds.)
    The gradient of a row's loss is ``−wᵢ·Aᵢ/nᵢ`` at each token, 0 at the clipped ones only.

    Shapes: ``logp``, ``old_logp``, ``mask`` ``[B, T]``; ``advantages`` ``[B]`` → ``[B, T]``, 0
    where masked; at least float32. Raises ``ValueError`` for other shapes and negative bounds.

    >>> logp = torch.tensor([[0.2, 0.8]])  # the second is clipped to .4
    >>> gmpo(logp, torch.zeros(1, 2), torch.tensor([1.0]), torch.ones(1, 2))
    tensor([[-1.3499, -1.3499]])
    """
    _checks.at_least("low", low, 0.0)
    _checks.at_least("high", high, 0.0)
    x = log_ratio(logp, old_logp)
    mask = _checks.boolean_mask(mask, "logp", x)
    advantages = row_advantages(advantages, x, "the clip's side is that of the whole row")
    lower = torch.full_like(advantages, -torch.inf).masked_fill(advantages < 0, -low)
    upper = torch.full_like(advantages, torch.inf).masked_fill(advantages > 0, high)
    mean = wide_sum(x.clamp(lower, upper), mask, 1) / count(mask, 1).clamp(min=1)
    row = -mean.to(x.dtype).exp().unsqueeze(1) * advantages
    return torch.where(mask, row, 0.0)
