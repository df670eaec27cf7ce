"""Laws about padding: what stands there, and how much of it, is no part of a batch."""

from __future__ import annotations

from hypothesis import strategies as st

from rlrewards.testing.laws.objectives.measuring import (
    Measured,
    inside,
    measure,
    objective_law,
    same,
    same_all,
)
from rlrewards.testing.objective import Objective
from rlrewards.testing.strategies.tensors import TokenBatch, padding, with_padding
from rlrewards.testing.subject import Broken


def _padded(objective: Objective, batch: TokenBatch, junk: float, width: int) -> Measured:
    """Measure a batch with more padding; cut to the columns that it had."""
    columns = batch.columns
    wide = with_padding(batch, junk, width=width)
    outputs, gradient = measure(objective, wide)
    mask = wide["mask"]
    if gradient is not None and gradient.shape == mask.shape:
        outside = gradient[~mask]
        if not (outside == 0).all():
            raise Broken(f"the gradient at masked tokens is {outside.tolist()}, expected 0")
        gradient = gradient[:, :columns]
    kept = [inside(x, mask)[:, :columns] if x.shape == mask.shape else x for x in outputs]
    return Measured(kept, gradient)


@objective_law(
    "What stands at masked tokens, NaN and inf included, changes neither the result nor the "
    "gradient, and gets gradient exactly 0.",
    extras={"junk": padding()},
)
def padding_is_not_read(objective: Objective, batch: TokenBatch) -> None:
    """`0 · NaN` is NaN: a mask that is multiplied comes too late."""
    clean = _padded(objective, batch, 0.0, 0)
    found = _padded(objective, batch, batch["junk"], 0)
    same_all(found.outputs, clean.outputs)
    same(found.gradient, clean.gradient, "the gradient")


@objective_law(
    "More columns of padding change nothing.",
    extras={"junk": padding(), "width": st.integers(1, 3)},
)
def width_is_not_read(objective: Objective, batch: TokenBatch) -> None:
    """The width of a batch is that of its longest row, which is in another micro-batch."""
    narrow = _padded(objective, batch, 0.0, 0)
    wide = _padded(objective, batch, batch["junk"], batch["width"])
    same_all(wide.outputs, narrow.outputs)
    same(wide.gradient, narrow.gradient, "the gradient")


@objective_law("A batch without a valid token has loss 0 with zero gradients.", kinds="loss")
def nothing_valid(objective: Objective, batch: TokenBatch) -> None:
    """A rank may get only rows that were filtered out; 0/0 would end the run."""
    empty = batch.but(mask=batch["mask"] & False)
    outputs, gradient = measure(objective, empty)
    if not (outputs[0] == 0).all():
        raise Broken(f"the loss is {outputs[0].item()}, expected 0")
    if gradient is not None and not (gradient == 0).all():
        raise Broken(f"the gradient is {gradient.tolist()}, expected 0")


@objective_law(
    "What is returned for masked tokens is 0.", kinds=("returns", "advantage"), takes=("mask",)
)
def zero_at_masked_tokens(objective: Objective, batch: TokenBatch) -> None:
    """What comes next may forget the mask."""
    mask = batch["mask"]
    for x in measure(objective, batch).outputs:
        if x.shape == mask.shape and not (x[~mask] == 0).all():
            raise Broken(f"masked tokens have {x[~mask].tolist()}, expected 0")


LAWS = (padding_is_not_read, width_is_not_read, nothing_valid, zero_at_masked_tokens)
