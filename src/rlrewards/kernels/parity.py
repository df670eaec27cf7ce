"""The gate before every timing: a kernel against its oracle in float64, outputs and gradients."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from rlrewards.kernels.registry import Inputs, Kernel


def errors(kernel: Kernel, inputs: Inputs) -> dict[str, float]:
    """Return ‖found − expected‖ / ‖expected‖ of every output and every gradient, by name.

    The oracle gets the same numbers in float64. Upstream gradients are random. An output that is
    NaN where the oracle's is not has an infinite error.
    """
    found = outputs_and_gradients(kernel.fused, inputs, kernel.gradients)
    wanted = outputs_and_gradients(kernel.oracle, _in_float64(inputs), kernel.gradients)
    return {name: _error(x, wanted[name]) for name, x in found.items()}


def outputs_and_gradients(
    function: Callable[..., Any], inputs: Inputs, gradients: Iterable[str]
) -> dict[str, Tensor]:
    """Call a function and differentiate a random combination of its outputs."""
    out = function(**inputs)
    outputs = [out] if isinstance(out, Tensor) else [x for x in out if isinstance(x, Tensor)]
    named = {f"output {place}": x.detach() for place, x in enumerate(outputs)}
    names = [name for name in gradients if isinstance(inputs.get(name), Tensor)]
    trained = [x for x in outputs if x.requires_grad]
    if names and trained:
        upstream = [_upstream(x, place) for place, x in enumerate(trained)]
        leaves = [inputs[name] for name in names]
        found = torch.autograd.grad(trained, leaves, upstream)
        named |= {f"d {name}": x for name, x in zip(names, found, strict=True)}
    return named


def _upstream(x: Tensor, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(x.shape, generator=generator, dtype=torch.float64).to(x)


def _in_float64(inputs: Inputs) -> Inputs:
    def wide(x: Any) -> Any:
        if not isinstance(x, Tensor) or not x.is_floating_point():
            return x
        return x.detach().double().requires_grad_(x.requires_grad)

    return {name: wide(x) for name, x in inputs.items()}


def _error(found: Tensor, wanted: Tensor) -> float:
    if found.shape != wanted.shape:
        return float("inf")
    found, wanted = found.double(), wanted.double()
    if not torch.equal(found.isnan(), wanted.isnan()):
        return float("inf")
    found, wanted = found.nan_to_num(), wanted.nan_to_num()
    scale = wanted.norm()
    return float((found - wanted).norm() / torch.where(scale > 0, scale, 1.0))
