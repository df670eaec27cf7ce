"""Published objectives, each a line or two of the pieces.

All take ``logp, old_logp, mask`` ``[B, T]`` and ``advantages`` ``[B]`` or ``[B, T]`` and return
``LossOutput(loss, metrics)``. The denominator defaults to a count on the tensors given; pass the
count over the whole optimizer step when a batch is cut into micro-batches or ranks.
``metrics=True`` adds the scalars of ``policy_metrics``, at the cost of a few more passes over the
tokens.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from rlrewards.objectives import _checks
from rlrewards.objectives.aggregate import Denominator, constant, sequence_mean, token_mean
from rlrewards.objectives.kl import k3
from rlrewards.objectives.masked import masked_mean
from rlrewards.objectives.surrogate import clipped, log_ratio


class LossOutput(NamedTuple):
    """A loss to call ``backward`` on, and detached scalars by name (empty unless asked for)."""

    loss: Tensor
    metrics: dict[str, Tensor]


def grpo(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    low: float = 0.2,
    high: float = 0.2,
    ceiling: float | None = None,
    beta: float = 0.0,
    ref_logp: Tensor | None = None,
    denominator: Denominator = None,
    metrics: bool = False,
    entropy: Tensor | None = None,
) -> LossOutput:
    """GRPO, arXiv 2402.03300: ``sequence_mean(clipped + β·k3)``; the denominator counts sequences.

    Its advantages: ``group_relative(scale="std")``. ``beta`` is 0 here as in TRL (Liger: .04), and
    then needs no reference.

    >>> logp = torch.tensor([[-1.0, -1.0], [-1.0, -1.0]])
    >>> advantages, mask = torch.tensor([1.0, -2.0]), torch.tensor([[1, 1], [1, 0]])
    >>> grpo(logp, logp, advantages, mask).loss
    tensor(0.5000)
    """
    x, scalars = _token_losses(
        logp, old_logp, advantages, mask, low, high, ceiling, beta, ref_logp, metrics, entropy
    )
    return LossOutput(sequence_mean(x, mask, denominator=denominator), scalars)


def dr_grpo(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    length: float,
    low: float = 0.2,
    high: float = 0.2,
    ceiling: float | None = None,
    beta: float = 0.0,
    ref_logp: Tensor | None = None,
    denominator: Denominator = None,
    metrics: bool = False,
    entropy: Tensor | None = None,
) -> LossOutput:
    """Dr.GRPO, arXiv 2503.20783: ``constant(clipped + β·k3)``; the denominator counts sequences.

    Its advantages: ``group_relative(scale="none")``. ``length`` is the generation limit in tokens.

    >>> logp = torch.tensor([[-1.0, -1.0], [-1.0, -1.0]])
    >>> advantages, mask = torch.tensor([1.0, -2.0]), torch.tensor([[1, 1], [1, 0]])
    >>> dr_grpo(logp, logp, advantages, mask, length=10).loss
    tensor(0.)
    """
    x, scalars = _token_losses(
        logp, old_logp, advantages, mask, low, high, ceiling, beta, ref_logp, metrics, entropy
    )
    return LossOutput(constant(x, mask, length=length, denominator=denominator), scalars)


def bnpo(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    low: float = 0.2,
    high: float = 0.2,
    ceiling: float | None = None,
    beta: float = 0.0,
    ref_logp: Tensor | None = None,
    metrics: bool = False,
    entropy: Tensor | None = None,
) -> LossOutput:
    """TRL's ``bnpo`` loss: ``token_mean(clipped + β·k3)`` over the tokens of *this* micro-batch.

    It takes no denominator: that is what sets it apart from ``dapo``, and why its gradient depends
    on how a batch is cut. Not the Beta Normalization Policy Optimization of arXiv 2506.02864.

    >>> logp = torch.tensor([[-1.0, -1.0], [-1.0, -1.0]])
    >>> advantages, mask = torch.tensor([1.0, -2.0]), torch.tensor([[1, 1], [1, 0]])
    >>> bnpo(logp, logp, advantages, mask).loss
    tensor(0.)
    """
    x, scalars = _token_losses(
        logp, old_logp, advantages, mask, low, high, ceiling, beta, ref_logp, metrics, entropy
    )
    return LossOutput(token_mean(x, mask), scalars)


def dapo(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    low: float = 0.2,
    high: float = 0.28,
    ceiling: float | None = None,
    beta: float = 0.0,
    ref_logp: Tensor | None = None,
    denominator: Denominator = None,
    metrics: bool = False,
    entropy: Tensor | None = None,
) -> LossOutput:
    """DAPO, arXiv 2503.14476, eq. 8: ``token_mean(clipped(low=.2, high=.28))``; it counts tokens.

    Its advantages: ``group_relative(scale="std")`` over prompts that are neither all right nor all
    wrong. The paper has no KL term: leave ``beta`` at 0 for it.

    >>> logp = torch.tensor([[-1.0, -1.0], [-1.0, -1.0]])
    >>> advantages, mask = torch.tensor([1.0, -2.0]), torch.tensor([[1, 1], [1, 0]])
    >>> dapo(logp, logp, advantages, mask, denominator=6).loss
    tensor(0.)
    """
    x, scalars = _token_losses(
        logp, old_logp, advantages, mask, low, high, ceiling, beta, ref_logp, metrics, entropy
    )
    return LossOutput(token_mean(x, mask, denominator=denominator), scalars)


def ppo_clip(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    low: float = 0.2,
    high: float = 0.2,
    ceiling: float | None = None,
    beta: float = 0.0,
    ref_logp: Tensor | None = None,
    denominator: Denominator = None,
    metrics: bool = False,
    entropy: Tensor | None = None,
) -> LossOutput:
    """PPO's clipped policy loss, arXiv 1707.06347: ``token_mean(clipped)``; it counts tokens.

    Its advantages: ``gae``, often whitened. The critic's loss is a piece of its own,
    ``value_loss``. RLHF usually puts the KL into the reward (``k1``) and leaves ``beta`` at 0.

    >>> logp = torch.tensor([[-1.0, -1.0], [-1.0, -1.0]])
    >>> mask = torch.tensor([[1, 1], [1, 0]])
    >>> ppo_clip(logp, logp, torch.tensor([[1.0, 0.5], [3.0, 9.0]]), mask).loss
    tensor(-1.5000)
    """
    x, scalars = _token_losses(
        logp, old_logp, advantages, mask, low, high, ceiling, beta, ref_logp, metrics, entropy
    )
    return LossOutput(token_mean(x, mask, denominator=denominator), scalars)


def policy_metrics(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    low: float = 0.2,
    high: float = 0.2,
    ceiling: float | None = None,
    ref_logp: Tensor | None = None,
    entropy: Tensor | None = None,
) -> dict[str, Tensor]:
    """What a clipped update did, over the valid tokens: detached scalars, NaN where there are none.

    ``clip_low``: share with ``A < 0 ∧ r < 1 − low``; ``clip_high``: with ``A > 0 ∧ r > 1 + high``;
    ``clip_ceiling``, if there is one: with ``A < 0 ∧ r > ceiling``. ``approx_kl``: KL(old‖new) as
    ``mean(r − 1 − ln r)``. ``ratio_min``, ``ratio_mean``, ``ratio_max``. ``kl_ref``, given a
    reference: mean k3. ``entropy``, if given: its mean.

    Shapes: ``[B, T]`` (``advantages`` also ``[B]``). Raises ``ValueError`` if they differ.

    >>> logp, mask = torch.tensor([[1.5, 0.5, 1.0, 7.0]]).log(), torch.tensor([[1, 1, 1, 0]])
    >>> scalars = policy_metrics(logp, torch.zeros(1, 4), torch.tensor([1.0]), mask)
    >>> {name: round(x.item(), 3) for name, x in scalars.items()}  # doctest: +NORMALIZE_WHITESPACE
    {'clip_low': 0.0, 'clip_high': 0.333, 'approx_kl': 0.096,
     'ratio_min': 0.5, 'ratio_mean': 1.0, 'ratio_max': 1.5}
    """
    with torch.no_grad():
        x = log_ratio(logp, old_logp)
        r, sign = x.exp(), _checks.per_token(advantages, x).sign()
        mask = _checks.boolean_mask(mask, "logp", x)
        found = {"clip_low": (sign < 0) & (r < 1 - low), "clip_high": (sign > 0) & (r > 1 + high)}
        if ceiling is not None:
            found["clip_ceiling"] = (sign < 0) & (r > ceiling)
        scalars = {name: masked_mean(cell.to(x.dtype), mask) for name, cell in found.items()}
        scalars["approx_kl"] = masked_mean(x.expm1() - x, mask)
        scalars["ratio_min"] = -_masked_max(-r, mask)
        scalars["ratio_mean"] = masked_mean(r, mask)
        scalars["ratio_max"] = _masked_max(r, mask)
        if ref_logp is not None:
            scalars["kl_ref"] = masked_mean(k3(logp, ref_logp), mask)
        if entropy is not None:
            scalars["entropy"] = masked_mean(entropy, mask)
        return scalars


def _masked_max(x: Tensor, mask: Tensor) -> Tensor:
    if not x.numel():
        return x.new_tensor(torch.nan)
    return torch.where(mask.any(), torch.where(mask, x, -torch.inf).max(), torch.nan)


def _token_losses(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    low: float,
    high: float,
    ceiling: float | None,
    beta: float,
    ref_logp: Tensor | None,
    metrics: bool,
    entropy: Tensor | None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """``clipped + β·k3`` per token, and the metrics if wanted."""
    _checks.at_least("beta", beta, 0.0)
    if beta and ref_logp is None:
        raise ValueError(f"beta is {beta} but ref_logp is None: pass the reference's log-probs")
    x = clipped(logp, old_logp, advantages, low=low, high=high, ceiling=ceiling)
    if beta and ref_logp is not None:
        x = x + beta * k3(logp, ref_logp.detach())
    if not metrics:
        return x, {}
    return x, policy_metrics(
        logp,
        old_logp,
        advantages,
        mask,
        low=low,
        high=high,
        ceiling=ceiling,
        ref_logp=ref_logp,
        entropy=entropy,
    )
