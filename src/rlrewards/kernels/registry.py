"""Every kernel with its oracle, its inputs and what it costs: tests and benchmarks walk this table.

A kernel is a public function of this package and an operator behind it. One without a row here
fails the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

Inputs = Mapping[str, Any]
"""Keyword arguments of a kernel and of its oracle."""


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """One kernel as tests and benchmarks see it.

    Attributes:
        name: What the tables call it, such as ``gae`` or ``gae, K streams``.
        fused: The public function; returns a tensor or a tuple of tensors.
        oracle: The eager function that defines the result; takes the same arguments, in float64
            too.
        make: ``make(shape, dtype, device, seed)`` returns the arguments, masks ragged, with an
            empty row where the shape has several.
        operators: Names of the operators behind it.
        gradients: Arguments whose gradient is compared, each where it is a tensor.
        bytes_moved: The least that has to be read and written, by the inputs, gradients included.
        operations: Floating-point operations of matrix products, by the inputs; 0 without any.
        shapes: What tests run: small and odd.
        bench_cpu: Shapes that `make bench` times.
        bench_cuda: Shapes that `make gpu` times.
        dtypes: What the inputs may be stored in.
        tolerance: Bound of ``‖out − oracle in float64‖ / ‖oracle‖``, by dtype.
    """

    name: str
    fused: Callable[..., Any]
    oracle: Callable[..., Any]
    make: Callable[[tuple[int, ...], torch.dtype, str, int], Inputs]
    operators: tuple[str, ...]
    gradients: tuple[str, ...] = ()
    bytes_moved: Callable[[Inputs], int]
    operations: Callable[[Inputs], int] = lambda inputs: 0
    shapes: tuple[tuple[int, ...], ...]
    bench_cpu: tuple[tuple[int, ...], ...] = ()
    bench_cuda: tuple[tuple[int, ...], ...] = ()
    dtypes: tuple[torch.dtype, ...] = (torch.float32, torch.bfloat16, torch.float16)
    tolerance: Mapping[torch.dtype, float] = field(
        default_factory=lambda: {torch.float32: 1e-5, torch.bfloat16: 2e-2, torch.float16: 3e-3}
    )


def size_of(*tensors: Tensor | None) -> int:
    """Bytes of some tensors together; None has none."""
    return sum(x.numel() * x.element_size() for x in tensors if x is not None)


def kernels() -> tuple[Kernel, ...]:
    """All rows, from the modules that hold the kernels."""
    from rlrewards.kernels.gae import rows as scans
    from rlrewards.kernels.linear_rows import rows as projections
    from rlrewards.kernels.selective_logprob import rows as selections
    from rlrewards.kernels.surrogate_rows import rows as losses

    return (*scans(), *losses(), *selections(), *projections())
