"""Laws about numbers: finite, and right in every floating-point type."""

from __future__ import annotations

import torch
from hypothesis import strategies as st

from rlrewards.testing.laws.objectives.measuring import (
    cast,
    inside,
    measure,
    objective_law,
    same,
)
from rlrewards.testing.objective import Objective
from rlrewards.testing.strategies.tensors import TokenBatch, dtypes
from rlrewards.testing.subject import Broken


def _all_finite(objective: Objective, batch: TokenBatch) -> None:
    outputs, gradient = measure(objective, batch)
    for x in outputs:
        if x.is_floating_point() and not inside(x, batch["mask"]).isfinite().all():
            raise Broken(f"the result is {x.tolist()}")
    if gradient is not None and not gradient.isfinite().all():
        raise Broken(f"the gradient is {gradient.tolist()}")


@objective_law(
    "The result and its gradient are finite for ragged masks and ratios of any size.",
    not_kinds=("statistic",),
    dtype="float32",
    extreme=True,
    missing=True,
)
def finite(objective: Objective, batch: TokenBatch) -> None:
    """Log-ratios of ±1000 overflow an exponential; a group of one has no standard deviation."""
    if "advantage" not in objective.kinds and "rewards" in batch:
        batch = batch.but(rewards=batch["rewards"].nan_to_num())
    _all_finite(objective, batch)


@objective_law(
    "Inputs in bfloat16 and float16 give a finite result near that of float64.",
    dtype="float64",
    extras={"dtype": dtypes("bfloat16", "float16")},
)
def half_precision(objective: Objective, batch: TokenBatch) -> None:
    """Log-probabilities come in half precision from a model; their sums do not fit it."""
    _near_float64(objective, batch, batch["dtype"], tolerance=0.05)


@objective_law(
    "Inputs in float32 give the result of float64 up to rounding, also far from zero.",
    dtype="float64",
    extras={"shift": st.sampled_from((0.0, 1000.0))},
)
def single_precision(objective: Objective, batch: TokenBatch) -> None:
    """A variance as the difference of two squares loses its digits on rewards near 1000."""
    if batch["shift"] and "rewards" in batch and "advantage" in objective.kinds:
        batch = batch.but(rewards=batch["rewards"] + batch["shift"])
    _near_float64(objective, batch, torch.float32, tolerance=1e-3)


def _near_float64(
    objective: Objective, batch: TokenBatch, dtype: torch.dtype, *, tolerance: float
) -> None:
    mask = batch["mask"]
    expected, gradient = measure(objective, batch)
    found, found_gradient = measure(objective, cast(batch, dtype))
    for one, two in zip(found, expected, strict=True):
        name = str(dtype).removeprefix("torch.")
        same(inside(one, mask), inside(two, mask), f"the result in {name}", tolerance=tolerance)
    same(found_gradient, gradient, "the gradient", tolerance=tolerance)


LAWS = (finite, single_precision, half_precision)
