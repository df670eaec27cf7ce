"""The recipes that weigh tokens instead of dropping them, and those without a ratio."""

import math

from torch import Tensor

from rlrewards.objectives.aggregate import Denominator, sequence_mean, token_mean
from rlrewards.objectives.cispo import cispo as cispo_surrogate
from rlrewards.objectives.kl import k3
from rlrewards.objectives.metrics import LossOutput, MetricInputs
from rlrewards.objectives.recipes._common import Batch, Bounds, Penalty, Terms, finish
from rlrewards.objectives.sapo import sapo as sapo_surrogate
from rlrewards.objectives.surrogate import reinforce as reinforce_surrogate


def cispo(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    low: float = math.inf,
    high: float = 4.0,
    keep: Tensor | None = None,
    weight: Tensor | None = None,
    beta: float = 0.0,
    ref_logp: Tensor | None = None,
    kl: Penalty = k3,
    denominator: Denominator = None,
    metrics: bool | MetricInputs = False,
) -> LossOutput:
    """CISPO, arXiv 2506.13585, eqs 4 and 5: ``token_mean(−sg[clip(r, 1 − low, 1 + high)]·A·ℓ)``.

    Every token keeps a gradient. See the piece of the same name for what other libraries take as
    their bounds. The denominator counts tokens. Its metrics count ratios past the bounds that push
    outwards, as those of PPO do.

    >>> import torch
    >>> logp = torch.tensor([[-1.0, -1.0], [-1.0, -1.0]])
    >>> advantages, mask = torch.tensor([1.0, -2.0]), torch.tensor([[1, 1], [1, 0]])
    >>> cispo(logp, logp, advantages, mask, denominator=3).loss
    tensor(0.)
    """
    batch = Batch(logp, old_logp, advantages, mask)
    terms = Terms(keep, weight, beta, ref_logp, kl, denominator, metrics)
    x = cispo_surrogate(logp, old_logp, advantages, low=low, high=high)
    return finish(token_mean, x, batch, Bounds(low, high), terms)


def sapo(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    positive_temperature: float = 1.0,
    negative_temperature: float = 1.05,
    keep: Tensor | None = None,
    weight: Tensor | None = None,
    beta: float = 0.0,
    ref_logp: Tensor | None = None,
    kl: Penalty = k3,
    denominator: Denominator = None,
    metrics: bool | MetricInputs = False,
) -> LossOutput:
    """SAPO, arXiv 2511.20347: ``sequence_mean`` of a sigmoid gate in place of the clip.

    The denominator counts sequences.

    >>> import torch
    >>> logp = torch.tensor([[-1.0, -1.0], [-1.0, -1.0]])
    >>> advantages, mask = torch.tensor([1.0, -2.0]), torch.tensor([[1, 1], [1, 0]])
    >>> sapo(logp, logp, advantages, mask).loss
    tensor(0.9048)
    """
    batch = Batch(logp, old_logp, advantages, mask)
    terms = Terms(keep, weight, beta, ref_logp, kl, denominator, metrics)
    x = sapo_surrogate(
        logp,
        old_logp,
        advantages,
        positive_temperature=positive_temperature,
        negative_temperature=negative_temperature,
    )
    return finish(sequence_mean, x, batch, None, terms)


def reinforce(
    logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    keep: Tensor | None = None,
    weight: Tensor | None = None,
    beta: float = 0.0,
    ref_logp: Tensor | None = None,
    kl: Penalty = k3,
    denominator: Denominator = None,
    metrics: bool | MetricInputs = False,
) -> LossOutput:
    """REINFORCE: ``token_mean(−A·ℓ)``; ``weight`` makes it off-policy. It counts tokens.

    Its advantages: any, such as ``leave_one_out``, ``reinforce_pp`` or ``remax``.

    >>> import torch
    >>> logp = torch.tensor([[-1.0, -1.0], [-1.0, -1.0]])
    >>> advantages, mask = torch.tensor([1.0, -2.0]), torch.tensor([[1, 1], [1, 0]])
    >>> reinforce(logp, advantages, mask).loss
    tensor(0.)
    """
    batch = Batch(logp, logp, advantages, mask)
    terms = Terms(keep, weight, beta, ref_logp, kl, denominator, metrics)
    x = reinforce_surrogate(logp, advantages)
    return finish(token_mean, x, batch, None, terms, ratio="none")


def gpg(
    logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    keep: Tensor | None = None,
    weight: Tensor | None = None,
    beta: float = 0.0,
    ref_logp: Tensor | None = None,
    kl: Penalty = k3,
    denominator: Denominator = None,
    metrics: bool | MetricInputs = False,
) -> LossOutput:
    """GPG, arXiv 2504.02546: ``token_mean(−A·ℓ)``, A of the piece ``gpg``; no ratio, no reference.

    The loss is that of ``reinforce``: what is GPG's own is its advantage. The denominator counts
    tokens.

    >>> import torch
    >>> logp = torch.tensor([[-1.0, -1.0], [-1.0, -1.0]])
    >>> advantages, mask = torch.tensor([1.0, -2.0]), torch.tensor([[1, 1], [1, 0]])
    >>> gpg(logp, advantages, mask).loss
    tensor(0.)
    """
    batch = Batch(logp, logp, advantages, mask)
    terms = Terms(keep, weight, beta, ref_logp, kl, denominator, metrics)
    x = reinforce_surrogate(logp, advantages)
    return finish(token_mean, x, batch, None, terms, ratio="none")
