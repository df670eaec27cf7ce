"""Laws about calls: nothing but the result comes of them."""

from __future__ import annotations

import math
import random
from typing import Any

import torch
from torch import Tensor

from rlrewards.testing.laws.objectives.measuring import inside, measure, objective_law, same_all
from rlrewards.testing.objective import Objective
from rlrewards.testing.strategies.tensors import TokenBatch, with_padding
from rlrewards.testing.subject import Broken


def _bits(x: Tensor) -> Tensor:
    """A copy in which NaN equals NaN."""
    return x.clone().nan_to_num(nan=1e300) if x.is_floating_point() else x.clone()


@objective_law("The inputs are as they were.")
def inputs_are_not_changed(objective: Objective, batch: TokenBatch) -> None:
    """The next epoch reads them again."""
    padded = with_padding(batch, math.nan)
    given = {name: padded[name] for name in objective.inputs}
    before = {name: _bits(x.double()) for name, x in given.items()}
    objective(padded)
    for name, x in given.items():
        if not torch.equal(_bits(x.double()), before[name]):
            raise Broken(f"changed {name}")


@objective_law("The same call has the same result, and draws no random number of the caller's.")
def repeatable(objective: Objective, batch: TokenBatch) -> None:
    """A run must be reproducible."""
    before = _random_states()
    first, gradient = measure(objective, batch)
    if _random_states() != before:
        raise Broken("drew random numbers of a global generator")
    second, again = measure(objective, batch)
    mask = batch["mask"]
    same_all([inside(x, mask) for x in second], [inside(x, mask) for x in first], tolerance=0.0)
    if gradient is not None and again is not None:
        same_all([again], [gradient], "the gradient", tolerance=0.0)


def _random_states() -> Any:
    import numpy as np

    return (
        torch.random.get_rng_state().tolist(),
        random.getstate(),
        str(np.random.get_state()),  # noqa: NPY002
    )


@objective_law("Without gradients the result is the same: `torch.no_grad`, `torch.inference_mode`.")
def without_gradients(objective: Objective, batch: TokenBatch) -> None:
    """Evaluation calls the same function."""
    mask = batch["mask"]
    expected = [inside(x, mask) for x in measure(objective, batch).outputs]
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            found = objective(batch)
        same_all([inside(x, mask) for x in found], expected, f"the result under {mode.__name__}")


LAWS = (inputs_are_not_changed, repeatable, without_gradients)
