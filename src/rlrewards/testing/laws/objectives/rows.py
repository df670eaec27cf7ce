"""Laws about rows: their order is nothing, and one says nothing about another."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from rlrewards.testing.laws.objectives.measuring import measure, objective_law, same, same_all
from rlrewards.testing.objective import Objective
from rlrewards.testing.strategies.tensors import TokenBatch, rows_of
from rlrewards.testing.subject import Broken

EMPTY = ((0, 2), (2, 0), (0, 0))


def _permuted(x: Tensor, order: list[int]) -> Tensor:
    return x[order] if x.ndim and len(x) == len(order) else x


@objective_law(
    "Permuting the rows permutes the result, and names of groups are only names.",
    rows=(2, 5),
    missing=True,
    extras={"order": st.permutations(range(5))},
)
def order_of_rows(objective: Objective, batch: TokenBatch) -> None:
    """A reshape into groups of G takes neighbours for completions of one prompt."""
    batch = _without_missing(objective, batch)
    order = [row for row in batch["order"] if row < batch.rows]
    outputs, gradient = measure(objective, batch)
    shuffled = rows_of(batch, order)
    if "group" in batch:
        shuffled = shuffled.but(group=7 - 3 * shuffled["group"])
    found, found_gradient = measure(objective, shuffled)
    same_all(found, [_permuted(x, order) for x in outputs], "the permuted result")
    if gradient is not None and found_gradient is not None:
        same(found_gradient, _permuted(gradient, order), "the permuted gradient")


@objective_law(
    "What a row gets depends on no other row; an advantage only on those of its group.",
    kinds=("surrogate", "returns", "weight", "advantage"),
    rows=(2, 4),
    missing=True,
)
def rows_do_not_mix(objective: Objective, batch: TokenBatch) -> None:
    """Waive it where statistics of the whole batch are the point."""
    batch = _without_missing(objective, batch)
    whole, gradient = measure(objective, batch)
    count = batch.rows
    group = batch["group"] if "group" in objective.inputs else torch.arange(count)
    for key in group.unique():
        rows = group == key
        part, part_gradient = measure(objective, rows_of(batch, rows))
        for one, two in zip(part, whole, strict=True):
            if two.ndim and len(two) == count:
                same(one, two[rows], f"the result of rows {rows.nonzero()[:, 0].tolist()} alone")
        if gradient is not None and part_gradient is not None and len(gradient) == count:
            same(part_gradient, gradient[rows], "their gradient")


def _without_missing(objective: Objective, batch: TokenBatch) -> TokenBatch:
    """Only advantages know rewards that are missing."""
    if "advantage" in objective.kinds or "rewards" not in batch:
        return batch
    return batch.but(rewards=batch["rewards"].nan_to_num())


@objective_law(
    "An empty batch is no error: a loss is 0, everything else as empty as its input.",
    extras={"shape": st.sampled_from(EMPTY)},
)
def empty_batch(objective: Objective, batch: TokenBatch) -> None:
    """A rank may get no row, a row no token."""
    height, width = batch["shape"]
    mask = batch["mask"]
    cut: dict[str, Any] = {}
    for name in ("mask", *objective.inputs):
        x = batch[name]
        empty = (height, width) if x.shape == mask.shape else (height,)
        cut[name] = x.new_ones(empty) if x.is_floating_point() else x.new_zeros(empty)
    outputs, gradient = measure(objective, TokenBatch(cut))
    for x in outputs:
        if x.ndim and len(x) != height:
            raise Broken(f"returned shape {[*x.shape]} for inputs of shape {[height, width]}")
    if "loss" in objective.kinds and not objective.empty_is_nan:
        same(outputs[0], torch.zeros_like(outputs[0]), "the loss")
    if gradient is not None and gradient.any():
        raise Broken(f"the gradient is {gradient.tolist()}, expected 0")


LAWS = (order_of_rows, rows_do_not_mix, empty_batch)
