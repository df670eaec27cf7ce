"""The recipes whose ratio, clip or weight belongs to a whole sequence."""

import math

from torch import Tensor

from rlrewards.objectives.aggregate import Denominator, sequence_mean, sequence_sum, token_mean
from rlrewards.objectives.gmpo import gmpo as gmpo_surrogate
from rlrewards.objectives.kl import k3
from rlrewards.objectives.metrics import LossOutput, MetricInputs
from rlrewards.objectives.recipes._common import Batch, Bounds, Penalty, Terms, finish
from rlrewards.objectives.sequence_ratio import gspo as gspo_surrogate
from rlrewards.objectives.surrogate import LOG_RATIO_BOUND
from rlrewards.objectives.vespo import vespo as vespo_surrogate


def gspo(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    low: float = 3e-4,
    high: float = 4e-4,
    ceiling: float | None = None,
    keep: Tensor | None = None,
    weight: Tensor | None = None,
    beta: float = 0.0,
    ref_logp: Tensor | None = None,
    kl: Penalty = k3,
    denominator: Denominator = None,
    metrics: bool | MetricInputs = False,
) -> LossOutput:
    """GSPO, arXiv 2507.18071: ``sequence_mean`` of PPO's clip on the sequence's ratio.

    The ratio is ``sᵢ = exp((1/nᵢ) Σₜ m(ℓ − ℓ_old))``; the bounds are those of its §5.1. The
    denominator counts sequences. ``advantages`` ``[B]``: ``group_relative(scale="std")``.

    >>> import torch
    >>> logp = torch.tensor([[-1.0, -1.0], [-1.0, -1.0]])
    >>> advantages, mask = torch.tensor([1.0, -2.0]), torch.tensor([[1, 1], [1, 0]])
    >>> gspo(logp, logp, advantages, mask).loss
    tensor(0.5000)
    """
    batch = Batch(logp, old_logp, advantages, mask)
    terms = Terms(keep, weight, beta, ref_logp, kl, denominator, metrics)
    bounds = Bounds(low, high, ceiling)
    x = gspo_surrogate(*batch, **bounds._asdict())
    return finish(sequence_mean, x, batch, bounds, terms, ratio="sequence")


def luspo(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    low: float = 2e-3,
    high: float = 2.5e-3,
    ceiling: float | None = None,
    keep: Tensor | None = None,
    weight: Tensor | None = None,
    beta: float = 0.0,
    ref_logp: Tensor | None = None,
    kl: Penalty = k3,
    denominator: Denominator = None,
    metrics: bool | MetricInputs = False,
) -> LossOutput:
    """LUSPO, arXiv 2602.05261: GSPO's loss times the sequence's length, ``sequence_sum(gspo)``.

    The bounds are those of its §5.1; the denominator counts sequences.

    >>> import torch
    >>> logp = torch.tensor([[-1.0, -1.0], [-1.0, -1.0]])
    >>> advantages, mask = torch.tensor([1.0, -2.0]), torch.tensor([[1, 1], [1, 0]])
    >>> luspo(logp, logp, advantages, mask).loss
    tensor(0.)
    """
    batch = Batch(logp, old_logp, advantages, mask)
    terms = Terms(keep, weight, beta, ref_logp, kl, denominator, metrics)
    bounds = Bounds(low, high, ceiling)
    x = gspo_surrogate(*batch, **bounds._asdict())
    return finish(sequence_sum, x, batch, bounds, terms, ratio="sequence")


def gmpo(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    low: float = 0.4,
    high: float = 0.4,
    keep: Tensor | None = None,
    weight: Tensor | None = None,
    beta: float = 0.0,
    ref_logp: Tensor | None = None,
    kl: Penalty = k3,
    denominator: Denominator = None,
    metrics: bool | MetricInputs = False,
) -> LossOutput:
    """GMPO, arXiv 2507.20673: the geometric mean of clipped token ratios, one loss per sequence.

    ``low`` and ``high`` bound the *log*-ratio of a token before the mean (ratios within e^±.4); the
    denominator counts sequences. Its metrics count tokens past these bounds.

    >>> import torch
    >>> logp = torch.tensor([[-1.0, -1.0], [-1.0, -1.0]])
    >>> advantages, mask = torch.tensor([1.0, -2.0]), torch.tensor([[1, 1], [1, 0]])
    >>> gmpo(logp, logp, advantages, mask).loss
    tensor(0.5000)
    """
    batch = Batch(logp, old_logp, advantages, mask)
    terms = Terms(keep, weight, beta, ref_logp, kl, denominator, metrics)
    x = gmpo_surrogate(*batch, low=low, high=high)
    bounds = Bounds(-math.expm1(-low), math.expm1(min(high, 2 * LOG_RATIO_BOUND)))  # no overflow
    return finish(sequence_mean, x, batch, bounds, terms)


def vespo(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    positive: tuple[float, float] = (2.0, 3.0),
    negative: tuple[float, float] = (3.0, 2.0),
    log_weight: Tensor | None = None,
    keep: Tensor | None = None,
    weight: Tensor | None = None,
    beta: float = 0.0,
    ref_logp: Tensor | None = None,
    kl: Penalty = k3,
    denominator: Denominator = None,
    metrics: bool | MetricInputs = False,
) -> LossOutput:
    """VESPO, arXiv 2602.10693: ``token_mean(−sg[φ(Wᵢ)]·A·ℓ)``, W the ratio of the whole sequence.

    ``φ(W) = Wᵏ·exp(λ(1 − W))`` with (k, λ) by the sign of the advantage. A sampler correction goes
    in as ``log_weight``, never as ``weight`` beside it. The denominator counts tokens.

    >>> import torch
    >>> logp = torch.tensor([[-1.0, -1.0], [-1.0, -1.0]])
    >>> advantages, mask = torch.tensor([1.0, -2.0]), torch.tensor([[1, 1], [1, 0]])
    >>> vespo(logp, logp, advantages, mask).loss
    tensor(0.)
    """
    batch = Batch(logp, old_logp, advantages, mask)
    terms = Terms(keep, weight, beta, ref_logp, kl, denominator, metrics)
    x = vespo_surrogate(*batch, positive=positive, negative=negative, log_weight=log_weight)
    return finish(token_mean, x, batch, None, terms)
