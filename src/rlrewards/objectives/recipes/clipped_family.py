"""The recipes of PPO's clipped surrogate: they differ in bounds and in what a token weighs."""

from functools import partial

from torch import Tensor

from rlrewards.objectives import _checks
from rlrewards.objectives.aggregate import Denominator, constant, sequence_mean, token_mean
from rlrewards.objectives.kl import k3
from rlrewards.objectives.metrics import LossOutput, MetricInputs
from rlrewards.objectives.recipes._common import Batch, Bounds, Penalty, Terms, clipped_loss
from rlrewards.objectives.surrogate import reinforce


def grpo(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    low: float = 0.2,
    high: float = 0.2,
    ceiling: float | None = None,
    keep: Tensor | None = None,
    weight: Tensor | None = None,
    beta: float = 0.0,
    ref_logp: Tensor | None = None,
    kl: Penalty = k3,
    denominator: Denominator = None,
    metrics: bool | MetricInputs = False,
) -> LossOutput:
    """GRPO, arXiv 2402.03300: ``sequence_mean(clipped + β·k3)``; the denominator counts sequences.

    Its advantages: ``group_relative(scale="std")``. ``beta`` is 0 here as in TRL (Liger: .04), and
    then needs no reference.

    >>> import torch
    >>> logp = torch.tensor([[-1.0, -1.0], [-1.0, -1.0]])
    >>> advantages, mask = torch.tensor([1.0, -2.0]), torch.tensor([[1, 1], [1, 0]])
    >>> grpo(logp, logp, advantages, mask).loss
    tensor(0.5000)
    """
    batch = Batch(logp, old_logp, advantages, mask)
    terms = Terms(keep, weight, beta, ref_logp, kl, denominator, metrics)
    return clipped_loss(sequence_mean, batch, Bounds(low, high, ceiling), terms)


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
    keep: Tensor | None = None,
    weight: Tensor | None = None,
    beta: float = 0.0,
    ref_logp: Tensor | None = None,
    kl: Penalty = k3,
    denominator: Denominator = None,
    metrics: bool | MetricInputs = False,
) -> LossOutput:
    """Dr.GRPO, arXiv 2503.20783: ``constant(clipped + β·k3)``; the denominator counts sequences.

    Its advantages: ``group_relative(scale="none")``. ``length`` is the generation limit in tokens.

    >>> import torch
    >>> logp = torch.tensor([[-1.0, -1.0], [-1.0, -1.0]])
    >>> advantages, mask = torch.tensor([1.0, -2.0]), torch.tensor([[1, 1], [1, 0]])
    >>> dr_grpo(logp, logp, advantages, mask, length=10).loss
    tensor(0.)
    """
    batch = Batch(logp, old_logp, advantages, mask)
    terms = Terms(keep, weight, beta, ref_logp, kl, denominator, metrics)
    aggregate = partial(constant, length=length)
    return clipped_loss(aggregate, batch, Bounds(low, high, ceiling), terms)


def bnpo(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    low: float = 0.2,
    high: float = 0.2,
    ceiling: float | None = None,
    keep: Tensor | None = None,
    weight: Tensor | None = None,
    beta: float = 0.0,
    ref_logp: Tensor | None = None,
    kl: Penalty = k3,
    metrics: bool | MetricInputs = False,
) -> LossOutput:
    """TRL's ``bnpo`` loss: ``token_mean(clipped + β·k3)`` over the tokens of *this* micro-batch.

    It takes no denominator: that is what sets it apart from ``dapo``, and why its gradient depends
    on how a batch is cut. Not the Beta Normalization Policy Optimization of arXiv 2506.02864.

    >>> import torch
    >>> logp = torch.tensor([[-1.0, -1.0], [-1.0, -1.0]])
    >>> advantages, mask = torch.tensor([1.0, -2.0]), torch.tensor([[1, 1], [1, 0]])
    >>> bnpo(logp, logp, advantages, mask).loss
    tensor(0.)
    """
    batch = Batch(logp, old_logp, advantages, mask)
    terms = Terms(keep, weight, beta, ref_logp, kl, None, metrics)
    return clipped_loss(token_mean, batch, Bounds(low, high, ceiling), terms)


def dapo(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    low: float = 0.2,
    high: float = 0.28,
    ceiling: float | None = None,
    keep: Tensor | None = None,
    weight: Tensor | None = None,
    beta: float = 0.0,
    ref_logp: Tensor | None = None,
    kl: Penalty = k3,
    denominator: Denominator = None,
    metrics: bool | MetricInputs = False,
) -> LossOutput:
    """DAPO, arXiv 2503.14476, eq. 8: ``token_mean(clipped(low=.2, high=.28))``; it counts tokens.

    Its advantages: ``group_relative(scale="std")`` over prompts that are neither all right nor all
    wrong (``informative``). The paper has no KL term: leave ``beta`` at 0 for it. Its overlong
    filtering is ``without_truncated``, applied to the mask.

    >>> import torch
    >>> logp = torch.tensor([[-1.0, -1.0], [-1.0, -1.0]])
    >>> advantages, mask = torch.tensor([1.0, -2.0]), torch.tensor([[1, 1], [1, 0]])
    >>> dapo(logp, logp, advantages, mask, denominator=6).loss
    tensor(0.)
    """
    batch = Batch(logp, old_logp, advantages, mask)
    terms = Terms(keep, weight, beta, ref_logp, kl, denominator, metrics)
    return clipped_loss(token_mean, batch, Bounds(low, high, ceiling), terms)


def ppo_clip(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    low: float = 0.2,
    high: float = 0.2,
    ceiling: float | None = None,
    keep: Tensor | None = None,
    weight: Tensor | None = None,
    beta: float = 0.0,
    ref_logp: Tensor | None = None,
    kl: Penalty = k3,
    denominator: Denominator = None,
    metrics: bool | MetricInputs = False,
) -> LossOutput:
    """PPO's clipped policy loss, arXiv 1707.06347: ``token_mean(clipped)``; it counts tokens.

    Its advantages: ``gae``, often whitened. The critic's loss is a piece of its own,
    ``value_loss``. RLHF usually puts the KL into the reward (``reward_at_end``) and leaves ``beta``
    at 0.

    >>> import torch
    >>> logp = torch.tensor([[-1.0, -1.0], [-1.0, -1.0]])
    >>> mask = torch.tensor([[1, 1], [1, 0]])
    >>> ppo_clip(logp, logp, torch.tensor([[1.0, 0.5], [3.0, 9.0]]), mask).loss
    tensor(-1.5000)
    """
    batch = Batch(logp, old_logp, advantages, mask)
    terms = Terms(keep, weight, beta, ref_logp, kl, denominator, metrics)
    return clipped_loss(token_mean, batch, Bounds(low, high, ceiling), terms)


def vapo(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    low: float = 0.2,
    high: float = 0.28,
    ceiling: float | None = None,
    correct: Tensor | None = None,
    imitation: float = 0.1,
    correct_tokens: Denominator = None,
    keep: Tensor | None = None,
    weight: Tensor | None = None,
    beta: float = 0.0,
    ref_logp: Tensor | None = None,
    kl: Penalty = k3,
    denominator: Denominator = None,
    metrics: bool | MetricInputs = False,
) -> LossOutput:
    """VAPO, arXiv 2504.05118: ``dapo``'s loss, and μ times the NLL of right completions.

    ``token_mean(clipped) − μ · Σ_right m·ℓ / D_right``, the second as NeMo-RL states its eq. 10.
    ``correct`` ``[B]``, above 0, marks the right completions (None: no second term; a NaN marks
    none), ``imitation`` is μ, and ``correct_tokens`` is D_right, their tokens: over the whole
    optimizer step where a batch is cut.
    Its advantages: ``decoupled_gae`` with ``length_adaptive_lambda``.

    >>> import torch
    >>> logp = torch.tensor([[-1.0, -1.0], [-1.0, -1.0]])
    >>> advantages, mask = torch.tensor([1.0, -2.0]), torch.tensor([[1, 1], [1, 0]])
    >>> vapo(logp, logp, advantages, mask, correct=torch.tensor([True, False])).loss
    tensor(0.1000)
    """
    batch = Batch(logp, old_logp, advantages, mask)
    terms = Terms(keep, weight, beta, ref_logp, kl, denominator, metrics)
    _checks.at_least("imitation", imitation, 0.0)
    out = clipped_loss(token_mean, batch, Bounds(low, high, ceiling), terms)
    if correct is None or not imitation:
        return out
    right = (_checks.per_row("correct", correct, logp) > 0).unsqueeze(1) & (mask != 0)
    ones = right.new_ones(len(right), dtype=logp.dtype)
    nll = token_mean(reinforce(logp, ones), right, denominator=correct_tokens)
    return LossOutput(out.loss + imitation * nll, out.metrics)
