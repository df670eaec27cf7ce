"""The rows of the policy loss in the registry: recipes, their inputs, and what those cost."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from rlrewards.kernels.registry import Inputs, Kernel, size_of
from rlrewards.kernels.surrogate import policy_loss
from rlrewards.kernels.surrogate_forms import Recipe
from rlrewards.objectives import kl, recipes


def rows() -> tuple[Kernel, ...]:
    """One for each kind, and for each way to weigh and to penalise."""
    penalty: dict[str, Any] = {"beta": 0.04}
    return (
        _row("grpo", recipes.grpo),
        _row("grpo with KL", recipes.grpo, **penalty),
        _row("grpo with ceiling, advantages per token", recipes.grpo, per_token=True, ceiling=3.0),
        _row("dr_grpo with k2", recipes.dr_grpo, length=100, kl=kl.k2, **penalty),
        _row("dapo with weights", recipes.dapo, weighted=True),
        _row("cispo", recipes.cispo),
        _row("sapo", recipes.sapo),
        _row("reinforce with k1", recipes.reinforce, kl=kl.k1, **penalty),
        _row("gspo", recipes.gspo, low=0.05, high=0.05),
        _row("luspo with KL and weights", recipes.luspo, weighted=True, **penalty),
    )


def _row(
    name: str, recipe: Recipe, *, per_token: bool = False, weighted: bool = False, **settings: Any
) -> Kernel:
    def make(shape: tuple[int, ...], dtype: torch.dtype, device: str, seed: int) -> Inputs:
        height, width = shape
        generator = torch.Generator().manual_seed(seed)
        draw = partial(torch.randn, generator=generator)
        logp = draw(shape) - 1
        tokens = {"logp": logp, "old_logp": logp + 0.3 * draw(shape)}
        if recipe is recipes.reinforce:
            del tokens["old_logp"]
        if settings.get("beta"):
            tokens["ref_logp"] = logp + 0.3 * draw(shape)
        if weighted:
            tokens["weight"] = torch.rand(shape, generator=generator) * 2
        lengths = torch.randint(width // 2, width + 1, (height, 1), generator=generator)
        if height > 1:
            lengths[height // 2] = 0
        found: dict[str, Any] = {name: x.to(device, dtype) for name, x in tokens.items()}
        found["advantages"] = draw(shape if per_token else (height,)).to(device)
        found["mask"] = (torch.arange(width) < lengths).to(device)
        if weighted:
            keep = torch.rand(shape, generator=generator) < 0.8
            found["keep"] = keep.to(device)
        return {**found, **settings}

    def fused(**inputs: Any) -> Tensor:
        return policy_loss(recipe, **{"old_logp": None, **inputs}).loss

    def oracle(**inputs: Any) -> Tensor:
        return recipe(**inputs).loss

    def bytes_moved(inputs: Inputs) -> int:
        return size_of(inputs["logp"], *(x for x in inputs.values() if isinstance(x, Tensor)))

    return Kernel(
        name=f"policy_loss, {name}",
        fused=fused,
        oracle=oracle,
        make=make,
        operators=("policy_loss", "policy_loss_backward"),
        gradients=("logp",),
        bytes_moved=bytes_moved,
        shapes=((1, 1), (1, 7), (5, 37), (2, 1031), (0, 4), (3, 0)),
        bench_cpu=((64, 8192),),
        bench_cuda=((16, 4096), (64, 8192), (512, 8192)),
    )
