"""The rows of the linear kernels in the registry: their inputs, and what those cost."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from rlrewards.kernels.linear_logprob import (
    LinearLoss,
    eager_linear_logprob,
    linear_logprob,
    linear_loss,
)
from rlrewards.kernels.objective import PolicyObjective
from rlrewards.kernels.registry import Inputs, Kernel, size_of
from rlrewards.objectives import recipes


def rows() -> tuple[Kernel, ...]:
    """Return the rows of the registry; shapes are (N, H, V)."""
    shapes: dict[str, Any] = {
        "shapes": ((1, 3, 5), (7, 5, 37), (12, 4, 16)),
        "bench_cpu": ((1024, 256, 8000),),
        "bench_cuda": ((8192, 4096, 151_936), (8192, 2048, 32_000)),
    }
    return (
        Kernel(
            name="linear_logprob with entropy",
            fused=lambda **inputs: tuple(linear_logprob(**inputs, entropy=True)),
            oracle=lambda **inputs: tuple(eager_linear_logprob(**inputs, entropy=True)),
            make=_make,
            operators=("linear_logprob", "linear_logprob_backward"),
            gradients=("hidden", "lm_head", "bias"),
            bytes_moved=_bytes_moved,
            operations=lambda inputs: 8 * _products(inputs),
            **shapes,
        ),
        Kernel(
            name="linear_loss",
            fused=lambda **inputs: _dapo_loss(linear_loss, **inputs),
            oracle=lambda **inputs: _dapo_loss(_eager_loss, **inputs),
            make=_make_loss,
            operators=("linear_loss", "linear_loss_scaled"),
            gradients=("hidden", "lm_head", "bias"),
            bytes_moved=_bytes_moved,
            operations=lambda inputs: 6 * _products(inputs),
            **shapes,
        ),
    )


def _make(shape: tuple[int, ...], dtype: torch.dtype, device: str, seed: int) -> Inputs:
    """Tokens ``[1, N]``, of which some are masked and hold NaN."""
    tokens, size, vocabulary = shape
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(1, tokens, size, generator=generator)
    lm_head = torch.randn(vocabulary, size, generator=generator) / math.sqrt(size)
    labels = torch.randint(vocabulary, (1, tokens), generator=generator)
    mask = torch.rand(1, tokens, generator=generator) > 0.2
    hidden[~mask], labels[~mask] = math.nan, -100
    return {
        "hidden": hidden.to(device, dtype).requires_grad_(),
        "lm_head": lm_head.to(device, dtype).requires_grad_(),
        "bias": torch.randn(vocabulary, generator=generator).to(device, dtype).requires_grad_(),
        "labels": labels.to(device),
        "mask": mask.to(device),
    }


def _make_loss(shape: tuple[int, ...], dtype: torch.dtype, device: str, seed: int) -> Inputs:
    inputs = dict(_make(shape, dtype, device, seed))
    generator = torch.Generator().manual_seed(seed + 1)
    tokens, _, vocabulary = shape
    old = -math.log(vocabulary) + 0.3 * torch.randn(1, tokens, generator=generator)
    advantages = torch.randn(1, tokens, generator=generator)
    return inputs | {"old_logp": old.to(device), "advantages": advantages.to(device)}


def _dapo_loss(
    loss: Callable[..., LinearLoss], *, old_logp: Tensor, advantages: Tensor, **inputs: Any
) -> Tensor:
    objective = PolicyObjective(recipes.dapo, advantages, inputs["mask"], old_logp)
    return loss(objective=objective, **inputs).loss


def _eager_loss(objective: PolicyObjective, **inputs: Any) -> LinearLoss:
    logp, entropy = eager_linear_logprob(**inputs)
    loss, metrics = objective(logp)
    return LinearLoss(loss, metrics, logp, entropy)


def _bytes_moved(inputs: Inputs) -> int:
    """Inputs once and their gradients once."""
    trained = inputs["hidden"], inputs["lm_head"], inputs["bias"]
    return 2 * size_of(*trained) + size_of(inputs["labels"])


def _products(inputs: Inputs) -> int:
    """N·H·V of the valid tokens."""
    return int(inputs["mask"].sum()) * int(inputs["lm_head"].numel())
