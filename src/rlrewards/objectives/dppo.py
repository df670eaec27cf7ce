"""Trust regions on probabilities instead of ratios: how far has the *distribution* moved?

A ratio of 2 is nothing for a token of probability 1e-5 and a great deal for one of .4. DPPO keeps a
token while the divergence between the two policies, estimated on "this token or any other", is
within a bound, and weighs it by its ratio under a cap.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from rlrewards.objectives import _checks
from rlrewards.objectives.surrogate import log_ratio, reinforce


def dppo_tv(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    *,
    low: float = 0.15,
    high: float = 0.15,
    cap: float = 10.0,
) -> Tensor:
    """DPPO with total variation, arXiv 2602.04879: ``−sg[min(r, cap)·keep]·A·ℓ``.

    With ``p = e^ℓ`` and ``q = e^ℓ_old``, a token is kept while ``p − q ≤ high`` where A > 0, and
    else while ``p − q ≥ −low``: only steps that lead further out are dropped. The gradient is
    ``−min(r, cap)·keep·A``.

    The authors cap at 10 and take the sampler's log-probs for ``old_logp``, in ratio and mask; verl
    caps at 20 and takes the trainer's. Do not multiply by a sampler correction in the first case.

    Shapes: ``logp``, ``old_logp`` ``[B, T]``; ``advantages`` ``[B]`` or ``[B, T]`` → ``[B, T]``, in
    at least float32. Raises ``ValueError`` for other shapes and negative bounds.

    >>> logp = torch.tensor([[0.75, 0.5]]).log()
    >>> dppo_tv(logp, torch.tensor([[0.5, 0.5]]).log(), torch.tensor([1.0]))
    tensor([[0.0000, 0.6931]])
    """

    def far(x: Tensor, logp: Tensor, old_logp: Tensor) -> tuple[Tensor, Tensor]:
        gap = logp.exp() - old_logp.exp()
        return gap > high, gap < -low

    return _within(far, logp, old_logp, advantages, low=low, high=high, cap=cap)


def dppo_kl(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    *,
    low: float = 0.05,
    high: float = 0.05,
    cap: float = 10.0,
) -> Tensor:
    """DPPO with the binary KL, arXiv 2602.04879: ``−sg[min(r, cap)·keep]·A·ℓ``.

    ``D = q·ln(q/p) + (1 − q)·ln((1 − q)/(1 − p))``; a token is kept while ``D ≤ high`` or ``p ≤ q``
    where A > 0, and else while ``D ≤ low`` or ``p ≥ q``. The second logarithm has 1e-8 above and
    below, as in the authors' code. Gradient, cap, sampler, shapes and errors as for ``dppo_tv``.

    >>> logp = torch.tensor([[0.75, 0.5]]).log()
    >>> dppo_kl(logp, torch.tensor([[0.5, 0.5]]).log(), torch.tensor([1.0]))
    tensor([[0.0000, 0.6931]])
    """

    def far(x: Tensor, logp: Tensor, old_logp: Tensor) -> tuple[Tensor, Tensor]:
        rest, old_rest = ((-y.expm1()).clamp(min=0.0) for y in (logp, old_logp))
        others = old_rest * ((old_rest + 1e-8) / (rest + 1e-8)).log()
        divergence = others - old_logp.exp() * x
        return (divergence > high) & (x > 0), (divergence > low) & (x < 0)

    return _within(far, logp, old_logp, advantages, low=low, high=high, cap=cap)


def _within(
    far: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]],
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    *,
    low: float,
    high: float,
    cap: float,
) -> Tensor:
    """REINFORCE by ``min(r, cap)``, dropped where ``far`` says too high or too low, by A's sign."""
    _checks.at_least("low", low, 0.0)
    _checks.at_least("high", high, 0.0)
    _checks.at_least("cap", cap, 0.0)
    x = log_ratio(logp, old_logp).detach()
    too_high, too_low = far(x, logp.detach().to(x.dtype), old_logp.detach().to(x.dtype))
    # Asked as "drop" and not as "keep": a NaN is neither, and stays to be seen.
    drop = torch.where(_checks.per_token(advantages, x) > 0, too_high, too_low)
    return reinforce(logp, advantages, weight=torch.where(drop, 0.0, x.exp().clamp(max=cap)))
