"""What all recipes share: the order in which masks, weights and the KL term come in."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from rlrewards.objectives import _checks, fused
from rlrewards.objectives.aggregate import Denominator, row_weights
from rlrewards.objectives.kl import k3
from rlrewards.objectives.metrics import LossOutput, MetricInputs, batch_metrics, policy_metrics
from rlrewards.objectives.surrogate import clipped

Penalty = Callable[[Tensor, Tensor], Tensor]
"""Of the policy's log-probabilities and the reference's, ``[B, T] → [B, T]``: ``k2``, ``k3`` …"""

Aggregate = Callable[..., Tensor]
Ratio = Literal["token", "sequence", "none"]


class Batch(NamedTuple):
    """The tokens, and how good they were."""

    logp: Tensor
    old_logp: Tensor
    advantages: Tensor
    mask: Tensor


class Bounds(NamedTuple):
    """Of the clipped ratio; the metrics count what lies outside."""

    low: float
    high: float
    ceiling: float | None = None


class Terms(NamedTuple):
    """What every recipe takes beside the tokens."""

    keep: Tensor | None = None
    weight: Tensor | None = None
    beta: float = 0.0
    ref_logp: Tensor | None = None
    kl: Penalty = k3
    denominator: Denominator = None
    metrics: bool | MetricInputs = False


def clipped_loss(aggregate: Aggregate, batch: Batch, bounds: Bounds, terms: Terms) -> LossOutput:
    """``aggregate(clipped + β·kl)``, in one fused pass where that is known to be the same."""
    if not _is_plain(terms) or not fused.applies(batch.logp, batch.mask):
        x = clipped(*batch[:3], **bounds._asdict())
        return finish(aggregate, x, batch, bounds, terms)
    _check_beta(terms)
    _checks.same_shape("mask", batch.mask, "logp", batch.logp)
    loss = fused.clipped_loss(
        *batch,
        row_weights(aggregate, batch.mask, terms.denominator),
        **bounds._asdict(),
        beta=terms.beta,
        ref_logp=terms.ref_logp if terms.beta else None,
    )
    return LossOutput(loss, _metrics(batch, bounds, terms, "token"))


def _is_plain(terms: Terms) -> bool:
    return terms.keep is None and terms.weight is None and (terms.kl is k3 or not terms.beta)


def finish(
    aggregate: Aggregate,
    x: Tensor,
    batch: Batch,
    bounds: Bounds | None,
    terms: Terms,
    *,
    ratio: Ratio = "token",
) -> LossOutput:
    """From a surrogate per token to the loss.

    In the order of TRL, verl and NeMo: tokens are selected, then weighted, and then the KL term is
    added, which is neither.
    """
    _check_beta(terms)
    mask = _checks.boolean_mask(batch.mask, "logp", x)
    if terms.keep is not None:
        # A product, so that a NaN at a valid token stays to be seen.
        x = x * _checks.boolean_like("keep", terms.keep, "logp", x).to(x.dtype)
    if terms.weight is not None:
        x = x * _constant_weight(terms.weight, mask, x)
    if terms.beta and terms.ref_logp is not None:
        ref_logp = _checks.floats("ref_logp", terms.ref_logp).detach()
        penalty = terms.kl(batch.logp, ref_logp)
        _checks.same_shape("kl(logp, ref_logp)", penalty, "logp", x)
        x = x + terms.beta * penalty
    loss = aggregate(x, mask, denominator=terms.denominator)
    return LossOutput(loss, _metrics(batch, bounds, terms, ratio))


def _check_beta(terms: Terms) -> None:
    _checks.at_least("beta", terms.beta, 0.0)
    if terms.beta and terms.ref_logp is None:
        raise ValueError(
            f"beta is {terms.beta} but ref_logp is None: pass the reference's log-probs"
        )


def _constant_weight(weight: Tensor, mask: Tensor, x: Tensor) -> Tensor:
    """Weights as constants; whatever padding holds counts as 1."""
    weight = _checks.floats("weight", weight).detach().to(x.dtype)
    _checks.same_shape("weight", weight, "logp", x)
    return torch.where(mask, weight, 1.0)


def _metrics(batch: Batch, bounds: Bounds | None, terms: Terms, ratio: Ratio) -> dict[str, Tensor]:
    if terms.metrics is False:
        return {}
    if terms.metrics is not True and not isinstance(terms.metrics, MetricInputs):
        raise TypeError(f"metrics is {terms.metrics!r}: pass True, False or MetricInputs(…)")
    inputs = MetricInputs() if terms.metrics is True else terms.metrics
    if ratio == "none":
        return batch_metrics(batch.logp, batch.mask, ref_logp=terms.ref_logp, inputs=inputs)
    found = policy_metrics(
        *batch,
        **({} if bounds is None else bounds._asdict()),
        ref_logp=terms.ref_logp,
        by_sequence=ratio == "sequence",
        inputs=inputs,
    )
    if bounds is None:  # nothing is clipped
        del found["clip_low"], found["clip_high"]
    return found
