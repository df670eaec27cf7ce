"""Laws about gradients: right, in the right direction, and nowhere else."""

from __future__ import annotations

import torch
from hypothesis import strategies as st

from rlrewards.testing.laws.objectives.measuring import (
    inside,
    measure,
    objective_law,
    same,
    valid_sum,
)
from rlrewards.testing.objective import Objective
from rlrewards.testing.strategies.tensors import TokenBatch, rows_of
from rlrewards.testing.subject import Broken

DIFFERENTIABLE = ("loss", "surrogate")
STEP = 1e-5


@objective_law(
    "The gradient is that of the value, by finite differences in float64.",
    kinds=DIFFERENTIABLE,
    rows=(1, 2),
    columns=(1, 3),
    dtype="float64",
)
def gradient_of_the_value(objective: Objective, batch: TokenBatch) -> None:
    """Waive it where a factor stops the gradient on purpose, as the weights of CISPO do."""
    leaf, mask = str(objective.leaf), batch["mask"]
    expected = torch.zeros_like(batch[leaf])

    def value(cell: int, step: float) -> torch.Tensor:
        moved = batch[leaf].clone()
        moved.view(-1)[cell] += step
        outputs = objective(batch.but(**{leaf: moved}))
        return torch.stack([inside(x.detach(), mask).double().sum() for x in outputs]).sum()

    for cell in range(expected.numel()):
        rise = value(cell, STEP) - value(cell, -STEP)
        expected.view(-1)[cell] = rise / (2 * STEP)
    gradient = measure(objective, batch).gradient
    found = torch.zeros_like(expected) if gradient is None else gradient
    same(found, expected, "the gradient", tolerance=1e-5)


@objective_law(
    "The gradient is the same however a batch is cut into micro-batches: their sum with one "
    "denominator given, their mean where none can be.",
    kinds="loss",
    rows=(2, 4),
    extras={"denominator": st.integers(1, 7)},
)
def cut_into_micro_batches(objective: Objective, batch: TokenBatch) -> None:
    """A mean over the tokens of a micro-batch weighs tokens by the company they are in."""
    denominator = float(batch["denominator"]) if objective.denominators else None
    whole = measure(objective, batch, denominator=denominator).gradient
    parts = [
        measure(objective, rows_of(batch, slice(row, row + 1)), denominator=denominator).gradient
        for row in range(batch.rows)
    ]
    zero = torch.zeros_like(batch[str(objective.leaf)][:1])
    together = torch.cat([zero if part is None else part for part in parts])
    if denominator is None:
        together = together / batch.rows
    same(together, whole, "the gradient of single rows", least=1e-3)


@objective_law(
    "No gradient flows into what is constant: old and reference log-probabilities, advantages.",
    kinds=DIFFERENTIABLE,
)
def constants_get_no_gradient(objective: Objective, batch: TokenBatch) -> None:
    """Where a reference shares weights with the policy, its gradient would reach them."""
    leaves = {
        name: batch[name].clone().requires_grad_()
        for name in (*objective.constants, str(objective.leaf))
    }
    total = valid_sum(objective(batch.but(**leaves)), batch["mask"])
    if total is None:
        return
    gradients = torch.autograd.grad(total, [*leaves.values()], allow_unused=True)
    for name, gradient in zip(leaves, gradients, strict=True):
        if name != objective.leaf and gradient is not None and gradient.any():
            raise Broken(f"the gradient in {name} is {gradient.tolist()}, expected none")


@objective_law(
    "On policy the gradient is the policy gradient: it raises the log-probability of each token of "
    "a completion with a positive advantage and lowers it with a negative one.",
    kinds=DIFFERENTIABLE,
    takes=("logp", "advantages"),
)
def policy_gradient(objective: Objective, batch: TokenBatch) -> None:
    """A wrong sign trains, too; waive it where tokens are selected."""
    on_policy = batch.but(**dict.fromkeys(("old_logp", "ref_logp", "sampler_logp"), batch["logp"]))
    gradient = measure(objective, on_policy).gradient
    found = torch.zeros_like(batch["logp"]) if gradient is None else gradient
    advantages = batch["advantages"].reshape(batch.rows, -1).expand_as(found)
    wanted = inside(-advantages.sign(), batch["mask"])
    weighed = {"keep", "weight"} & objective.inputs
    right = (found.sign() == wanted) | (bool(weighed) & (found == 0))
    if not right.all():
        raise Broken(f"the gradient is {found.tolist()} for advantages {advantages.tolist()}")


@objective_law("It is 0 where the two policies are the same.", kinds="kl")
def zero_for_equal_policies(objective: Objective, batch: TokenBatch) -> None:
    """The least that a divergence says."""
    equal = batch.but(**dict.fromkeys(("old_logp", "ref_logp", "sampler_logp"), batch["logp"]))
    for x in measure(objective, equal).outputs:
        same(inside(x, batch["mask"]), torch.zeros_like(x), "the divergence")


LAWS = (
    gradient_of_the_value,
    cut_into_micro_batches,
    constants_get_no_gradient,
    policy_gradient,
    zero_for_equal_policies,
)
