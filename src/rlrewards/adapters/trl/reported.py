"""What is logged of a micro-batch: the recipe's metrics over all ranks, TRL's under TRL's names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from torch import Tensor

from rlrewards.adapters.trl.loss_types import takes
from rlrewards.kernels import PolicyObjective
from rlrewards.objectives import MetricInputs, batch_metrics, masked_mean

NAMES = {
    "clip_low": "clip_ratio/low_mean",
    "clip_high": "clip_ratio/high_mean",
    "clip_ceiling": "clip_ratio/ceiling_mean",
    "kl_ref": "kl",
    "ratio_min": "ratio/min",
    "ratio_mean": "ratio/mean",
    "ratio_max": "ratio/max",
    "masked": "padding",
}
"""Under which names metrics of a recipe are logged, where not under their own."""


class Found(NamedTuple):
    """What came of a micro-batch: the loss, and `[B, T]` as constants."""

    loss: Tensor
    logp: Tensor
    entropy: Tensor


def metrics_of(objective: PolicyObjective, found: Found) -> dict[str, Tensor]:
    """Return what the recipe says of this rank's tokens; `kl_ref` is the penalty that was added.

    A recipe without metrics has those of any batch.
    """
    inputs = MetricInputs(entropy=found.entropy)
    if not takes(objective.recipe, "metrics"):
        return batch_metrics(found.logp, objective.mask, inputs=inputs)
    asked = replace(objective, settings={**objective.settings, "metrics": inputs})
    metrics = dict(asked(found.logp).metrics)
    if "kl_ref" in metrics:
        penalty = objective.penalty(found.logp)
        added = penalty(found.logp, objective.settings["ref_logp"])
        metrics["kl_ref"] = masked_mean(added, objective.mask)
    return metrics


def over_ranks(metrics: Sequence[str], every: Tensor) -> dict[str, float]:
    """Return the metrics over all ranks, by the names under which they are logged.

    The extreme of extremes; of the others the mean over tokens. Ranks without a token say nothing.

    Shapes: `every` `[ranks, 1 + len(metrics)]`, the tokens of each rank first.

    >>> import torch
    >>> over_ranks(["ratio_max", "entropy"], torch.tensor([[1.0, 3.0, 2.0], [3.0, 2.0, 6.0]]))
    {'ratio/max': 3.0, 'entropy': 5.0}
    """
    told = every[every[:, 0] > 0]
    found = {
        NAMES.get(name, name): _reduced(name, told[:, column], told[:, 0])
        for column, name in enumerate(metrics, start=1)
    }
    if "clip_low" in metrics:
        found["clip_ratio/region_mean"] = found[NAMES["clip_low"]] + found[NAMES["clip_high"]]
    return found


def _reduced(name: str, values: Tensor, tokens: Tensor) -> float:
    if not len(values):
        return float("nan")
    if name.endswith("_min"):
        return values.min().item()
    if name.endswith("_max"):
        return values.max().item()
    return ((values * tokens).sum() / tokens.sum()).item()
