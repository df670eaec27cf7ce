"""Log-probabilities, entropies and losses from hidden states, the logits never stored.

``hidden @ lm_headᵀ`` of a training batch is gigabytes. ``linear_logprob`` passes over some tokens
at a time and keeps a number or two of each; its backward computes the logits again, which makes
four matrix products in all. ``linear_loss`` knows the objective: where that is a sum over tokens it
forms the gradient in the forward, while the logits are at hand: three products. Where the objective
needs every token's log-probability first (GSPO), it takes the way of ``linear_logprob``.

``linear_checks`` has what they accept, ``linear_operators`` what torch sees of them,
``linear_passes`` the loops over the tokens, ``projection`` the arithmetic, ``device_projection``
that on a GPU.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from rlrewards.kernels import linear_operators as operators
from rlrewards.kernels.linear_checks import autocast, check
from rlrewards.kernels.objective import PolicyObjective, flattened
from rlrewards.kernels.projection import VocabShard
from rlrewards.objectives.metrics import LossOutput


class LinearLogProbs(NamedTuple):
    """``logp, entropy = linear_logprob(...)``; the second is None unless asked for."""

    logp: Tensor
    entropy: Tensor | None


class LinearLoss(NamedTuple):
    """What ``linear_loss`` returns; log-probabilities and entropies are constants."""

    loss: Tensor
    metrics: dict[str, Tensor]
    logp: Tensor
    entropy: Tensor | None


def linear_logprob(
    hidden: Tensor,
    lm_head: Tensor,
    labels: Tensor,
    *,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
    temperature: float = 1.0,
    softcap: float | None = None,
    entropy: bool = False,
    shard: VocabShard | None = None,
) -> LinearLogProbs:
    """``log softmax(z)[label]`` with ``z = cap·tanh((h·Wᵀ + b)/cap)/temperature``, and the entropy.

    Differentiable once, in reverse mode, in ``hidden``, ``lm_head`` and ``bias``, through both
    results; what does not require a gradient costs no product. Accumulated in float32 at least.
    Masked tokens are left out of the products, which on a GPU waits for their number; they give 0
    and get no gradient, whatever they and their labels hold. Under autocast both matrices are cast
    as a linear layer casts them. A label that is no token is a ``ValueError`` on the CPU; a GPU is
    not waited for, and gives NaN.

    With a vocabulary that is spread over ranks pass ``shard``; see ``VocabShard``. That does not go
    through ``torch.compile``.

    Shapes: ``hidden`` ``[…, H]``, ``labels`` and ``mask`` ``[…]``, ``lm_head`` ``[V, H]``, ``bias``
    ``[V]`` → ``[…]``, float32, or float64 for float64 matrices. float32, bfloat16, float16 or
    float64, the matrices alike. Raises ``TypeError`` and ``ValueError`` for what does not fit.

    >>> hidden, lm_head = torch.eye(2), torch.tensor([[0.0, 0.0], [2.0, 0.0]])
    >>> linear_logprob(hidden, lm_head, torch.tensor([1, 1])).logp
    tensor([-0.1269, -0.6931])
    """
    hidden, lm_head, bias = autocast(hidden, lm_head, bias)
    check(hidden, lm_head, labels, bias, mask, temperature, softcap)
    shape = labels.shape
    flat = hidden.flatten(0, -2)
    settings = (float(temperature), float(softcap or 0.0), bool(entropy))
    chosen = None if mask is None else mask.reshape(-1) != 0
    if shard is None:
        found = operators.LOGPROB(flat, lm_head, bias, labels.reshape(-1), chosen, *settings)
    else:
        found = operators.sharded_logprob(
            flat, lm_head, bias, labels.reshape(-1), chosen, settings, shard
        )
    logp, spread, _ = found
    return LinearLogProbs(logp.view(shape), spread.view(shape) if entropy else None)


def eager_linear_logprob(
    hidden: Tensor,
    lm_head: Tensor,
    labels: Tensor,
    *,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
    temperature: float = 1.0,
    softcap: float | None = None,
    entropy: bool = False,
) -> LinearLogProbs:
    """What ``linear_logprob`` means, with all logits: the oracle of its tests."""
    work = torch.float64 if hidden.dtype == torch.float64 else torch.float32
    if mask is not None:
        valid = mask != 0
        hidden = torch.where(valid.unsqueeze(-1), hidden, 0.0)
        labels = torch.where(valid, labels, 0)
    z = hidden.to(work) @ lm_head.to(work).t()
    if bias is not None:
        z = z + bias.to(work)
    if softcap:
        z = softcap * torch.tanh(z / softcap)
    all_logp = torch.log_softmax(z / temperature, -1)
    logp = all_logp.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    spread = -(all_logp.exp() * all_logp).sum(-1)
    if mask is not None:
        logp, spread = torch.where(valid, logp, 0.0), torch.where(valid, spread, 0.0)
    return LinearLogProbs(logp, spread if entropy else None)


def linear_loss(
    hidden: Tensor,
    lm_head: Tensor,
    labels: Tensor,
    objective: PolicyObjective | Callable[[Tensor], LossOutput | Tensor],
    *,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
    temperature: float = 1.0,
    softcap: float | None = None,
    entropy: bool = False,
    shard: VocabShard | None = None,
) -> LinearLoss:
    """The loss of an objective, from hidden states.

    A ``PolicyObjective`` whose recipe is a sum over tokens is computed in one pass that forms the
    gradients too (and in the forward alone, if none is wanted); it is differentiable once, and its
    graph can be used once. Any other function of the log-probabilities ``[B, T]`` is called with
    those of ``linear_logprob``, whose backward computes the logits again.

    ``mask`` is that of the objective unless it is given. The rest as for ``linear_logprob``.

    Shapes: ``hidden`` ``[B, T, H]``, ``labels`` ``[B, T]`` → a scalar, metrics, and ``[B, T]`` as
    constants.

    >>> from rlrewards.objectives import recipes
    >>> hidden, lm_head = torch.eye(2).unsqueeze(0), torch.tensor([[0.0, 0.0], [2.0, 0.0]])
    >>> objective = PolicyObjective(recipes.reinforce, torch.tensor([1.0]), torch.ones(1, 2))
    >>> linear_loss(hidden, lm_head, torch.tensor([[1, 1]]), objective).loss
    tensor(0.4100)
    """
    if mask is None and isinstance(objective, PolicyObjective):
        mask = objective.mask
    one_pass = isinstance(objective, PolicyObjective) and objective.is_token_level
    if not one_pass or shard is not None:
        logp, spread = linear_logprob(
            hidden, lm_head, labels, bias=bias, mask=mask, temperature=temperature,
            softcap=softcap, entropy=entropy, shard=shard,
        )  # fmt: skip
        out = objective(logp)
        loss, metrics = out if isinstance(out, LossOutput) else (out, {})
        return LinearLoss(loss, metrics, logp.detach(), None if spread is None else spread.detach())
    assert isinstance(objective, PolicyObjective)
    assert mask is not None
    return _one_pass(hidden, lm_head, labels, objective, bias, mask, temperature, softcap, entropy)


def _one_pass(
    hidden: Tensor,
    lm_head: Tensor,
    labels: Tensor,
    objective: PolicyObjective,
    bias: Tensor | None,
    mask: Tensor,
    temperature: float,
    softcap: float | None,
    entropy: bool,
) -> LinearLoss:
    hidden, lm_head, bias = autocast(hidden, lm_head, bias)
    check(hidden, lm_head, labels, bias, mask, temperature, softcap)
    objective.check()
    if labels.ndim != 2 or labels.shape != objective.mask.shape:
        raise ValueError(
            f"labels has shape {list(labels.shape)}, expected that of the objective's mask, "
            f"[B, T] = {list(objective.mask.shape)}"
        )
    flat, chosen = hidden.flatten(0, -2), mask.reshape(-1) != 0
    inputs = (flat, lm_head, bias)
    wanted = [torch.is_grad_enabled() and x is not None and x.requires_grad for x in inputs]
    names, tensors = flattened(objective)
    with torch.no_grad():
        loss, logp, spread, *gradients = operators.LOSS(
            *(None if x is None else x.detach() for x in inputs),
            labels.reshape(-1),
            chosen,
            *tensors,
            *names,
            float(temperature),
            float(softcap or 0.0),
            bool(entropy),
            *wanted,
        )
        metrics = objective(logp.view(labels.shape)).metrics if objective.has_metrics else {}
    if any(wanted):
        counted = chosen & (objective.mask.reshape(-1) != 0)
        loss = operators.scaled(loss, inputs, gradients, counted)
    shape = labels.shape
    return LinearLoss(loss, metrics, logp.view(shape), spread.view(shape) if entropy else None)
