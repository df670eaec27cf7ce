"""What an update did, as detached scalars: clipping, ratios, KL, sample size, wasted tokens.

Every share and every mean is over the valid tokens unless its line says otherwise, and NaN where
there are none: no number is made up.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from rlrewards.objectives import _checks
from rlrewards.objectives._groups import Group, group_index
from rlrewards.objectives.advantages import informative
from rlrewards.objectives.kl import k3
from rlrewards.objectives.masked import masked_mean, masked_sum
from rlrewards.objectives.sequence_ratio import sequence_log_ratio
from rlrewards.objectives.surrogate import log_ratio


class LossOutput(NamedTuple):
    """A loss to call ``backward`` on, and detached scalars by name (empty unless asked for)."""

    loss: Tensor
    metrics: dict[str, Tensor]


class MetricInputs(NamedTuple):
    """What the metrics of a recipe may need beyond the loss: ``metrics=MetricInputs(entropy=…)``.

    ``entropy`` ``[B, T]``: of the policy at each token. ``rewards`` and ``group`` ``[B]``: the
    rewards that the advantages came from, and their prompts. ``truncated`` ``[B]``: whether the
    completion stopped at the length limit.
    """

    entropy: Tensor | None = None
    rewards: Tensor | None = None
    group: Group | None = None
    truncated: Tensor | None = None


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
    by_sequence: bool = False,
    inputs: MetricInputs = MetricInputs(),  # noqa: B008  (an empty tuple of names)
) -> dict[str, Tensor]:
    """What an update of the clipped kind did, as detached scalars.

    - ``clip_low``: share with ``A < 0 ∧ r < 1 − low``; ``clip_high``: with ``A > 0 ∧ r > 1 + high``
      (so an unclipped loss is the smaller one there); ``clip_ceiling``, if there is one: with
      ``A < 0 ∧ r > ceiling``;
    - ``ratio_min``, ``ratio_mean``, ``ratio_max``; with ``by_sequence`` these and the shares above
      are those of GSPO's ratio of the row, at each of its tokens;
    - ``approx_kl``: KL(old‖new) as the mean of ``r − 1 − ln r`` with r per token;
    - ``effective_sample_size``: ``(Σr)² / (n·Σr²)`` over the n tokens, in (0, 1];
    - and those of ``batch_metrics``.

    Shapes: ``[B, T]`` (``advantages`` also ``[B]``). Raises ``ValueError`` if they differ, and
    for negative bounds.

    >>> logp, mask = torch.tensor([[1.5, 0.5, 1.0, 7.0]]).log(), torch.tensor([[1, 1, 1, 0]])
    >>> scalars = policy_metrics(logp, torch.zeros(1, 4), torch.tensor([1.0]), mask)
    >>> {name: round(x.item(), 3) for name, x in scalars.items()}  # doctest: +NORMALIZE_WHITESPACE
    {'clip_low': 0.0, 'clip_high': 0.333, 'ratio_min': 0.5, 'ratio_mean': 1.0, 'ratio_max': 1.5,
     'approx_kl': 0.096, 'effective_sample_size': 0.857, 'masked': 0.25}
    """
    with torch.no_grad():
        _checks.at_least("low", low, 0.0)
        _checks.at_least("high", high, 0.0)
        x = log_ratio(logp, old_logp)
        mask = _checks.boolean_mask(mask, "logp", x)
        r, sign = x.exp(), _checks.per_token(advantages, x).sign()
        scalars = _sample_size(x, r, mask)
        if by_sequence:
            r = sequence_log_ratio(logp, old_logp, mask).exp().unsqueeze(1).expand_as(x)
        scalars = _clipping(r, sign, mask, low, high, ceiling) | _extremes(r, mask) | scalars
        return scalars | batch_metrics(logp, mask, ref_logp=ref_logp, inputs=inputs)


def batch_metrics(
    logp: Tensor,
    mask: Tensor,
    *,
    ref_logp: Tensor | None = None,
    inputs: MetricInputs = MetricInputs(),  # noqa: B008
) -> dict[str, Tensor]:
    """What a batch was like, whatever the update, as detached scalars.

    - ``kl_ref``, given a reference: mean k3;
    - ``masked``: share of all cells that are padding;
    - ``entropy``, given it: its mean;
    - ``zero_variance_groups``, given rewards and group: share of the groups whose known rewards are
      all the same, so that they teach nothing;
    - ``truncated``, given that: share of the valid tokens that belong to truncated completions.

    Shapes: ``logp`` and ``mask`` ``[B, T]``. Raises ``ValueError`` if they differ.

    >>> inputs = MetricInputs(rewards=torch.tensor([1.0, 1.0, 0.0]), group=["a", "a", "b"])
    >>> batch_metrics(torch.zeros(3, 2), torch.tensor([[1, 1], [1, 0], [1, 0]]), inputs=inputs)
    {'masked': tensor(0.3333), 'zero_variance_groups': tensor(1.)}
    """
    with torch.no_grad():
        x = _checks.floats("logp", logp, ndim=2)
        mask = _checks.boolean_mask(mask, "logp", x)
        scalars = {}
        if ref_logp is not None:
            scalars["kl_ref"] = masked_mean(k3(x, ref_logp), mask)
        scalars["masked"] = 1 - mask.to(x.dtype).mean()
        return scalars | _given(inputs, mask, x)


def _clipping(
    r: Tensor, sign: Tensor, mask: Tensor, low: float, high: float, ceiling: float | None
) -> dict[str, Tensor]:
    found = {"clip_low": (sign < 0) & (r < 1 - low), "clip_high": (sign > 0) & (r > 1 + high)}
    if ceiling is not None:
        found["clip_ceiling"] = (sign < 0) & (r > ceiling)
    return {name: masked_mean(cell.to(r.dtype), mask) for name, cell in found.items()}


def _extremes(r: Tensor, mask: Tensor) -> dict[str, Tensor]:
    return {
        "ratio_min": -_masked_max(-r, mask),
        "ratio_mean": masked_mean(r, mask),
        "ratio_max": _masked_max(r, mask),
    }


def _masked_max(x: Tensor, mask: Tensor) -> Tensor:
    if not x.numel():
        return x.new_tensor(torch.nan)
    return torch.where(mask.any(), torch.where(mask, x, -torch.inf).max(), torch.nan)


def _sample_size(x: Tensor, r: Tensor, mask: Tensor) -> dict[str, Tensor]:
    # In float64: the squares of ratios near e²⁰ are past what float32 sums well.
    wide = r.double()
    share = masked_sum(wide, mask) ** 2 / (mask.sum() * masked_sum(wide**2, mask))
    return {
        "approx_kl": masked_mean(x.expm1() - x, mask),
        "effective_sample_size": share.to(r.dtype),
    }


def _given(inputs: MetricInputs, mask: Tensor, x: Tensor) -> dict[str, Tensor]:
    scalars = {}
    if inputs.entropy is not None:
        entropy = _checks.floats("entropy", inputs.entropy, ndim=2)
        _checks.same_shape("entropy", entropy, "logp", x)
        scalars["entropy"] = masked_mean(entropy, mask)
    if inputs.rewards is not None and inputs.group is not None:
        scalars["zero_variance_groups"] = _idle_groups(inputs.rewards, inputs.group).to(x.dtype)
    if inputs.truncated is not None:
        rows = _checks.per_row("truncated", inputs.truncated, x).bool().unsqueeze(1)
        scalars["truncated"] = masked_mean(rows.expand_as(x).to(x.dtype), mask)
    return scalars


def _idle_groups(rewards: Tensor, group: Group) -> Tensor:
    """Share of the groups that teach nothing: no two of their rewards differ."""
    index = group_index(group, rewards)
    groups = torch.zeros_like(index, dtype=torch.float64).index_fill_(0, index, 1.0)
    useful = torch.zeros_like(groups).index_add_(0, index, informative(rewards, group).double())
    return 1 - (useful > 0).sum() / groups.sum()
