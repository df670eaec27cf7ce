"""Whether a call runs as a Triton program, and what every kernel demands of its tensors.

CUDA tensors run through Triton. CPU tensors run through plain torch, and through Triton's
interpreter where the environment has ``TRITON_INTERPRET=1``, which has to be set before Triton is
imported. Nothing here imports it: ``programs`` does, at the first call that needs one.
"""

import os
from collections.abc import Iterable

import torch
from torch import Tensor

FLOATS = (torch.float32, torch.bfloat16, torch.float16)


def interpreted() -> bool:
    """Whether Triton programs run on the CPU, in Triton's interpreter."""
    return os.environ.get("TRITON_INTERPRET", "0").lower() in ("1", "true", "yes", "on")


def runs_triton(x: Tensor) -> bool:
    """Whether a kernel on this tensor is a Triton program, not plain torch."""
    return x.is_cuda or (x.device.type == "cpu" and interpreted())


def require(
    name: str,
    x: object,
    *,
    ndim: int | tuple[int, ...] | None = None,
    dtypes: Iterable[torch.dtype] = (*FLOATS, torch.float64),
    like: Tensor | None = None,
    contiguous: bool = True,
) -> Tensor:
    """Return ``x``, which is a tensor a kernel can read.

    Raises ``TypeError`` for what is no tensor or has another dtype, ``ValueError`` for another
    number of dimensions, another device than that of ``like``, one that kernels do not run on, and
    where ``contiguous`` for strides that are not. Each names the argument.

    >>> require("logits", torch.zeros(3), ndim=2)
    Traceback (most recent call last):
    ValueError: logits has shape [3], expected 2 dimensions
    """
    if not isinstance(x, Tensor):
        raise TypeError(f"{name} is a {type(x).__name__}: pass a torch.Tensor")
    dtypes = tuple(dtypes)
    if x.dtype not in dtypes:
        allowed = ", ".join(str(dtype).removeprefix("torch.") for dtype in dtypes)
        raise TypeError(f"{name} is {x.dtype}, expected one of {allowed}")
    dims = (ndim,) if isinstance(ndim, int) else ndim
    if dims is not None and x.ndim not in dims:
        expected = " or ".join(map(str, dims))
        raise ValueError(f"{name} has shape {list(x.shape)}, expected {expected} dimensions")
    if like is not None and x.device != like.device:
        raise ValueError(f"{name} is on {x.device}, expected {like.device}: move it there")
    if x.device.type not in ("cuda", "cpu", "meta"):
        raise ValueError(f"{name} is on {x.device}: the kernels run on CUDA and on the CPU")
    if contiguous and not x.is_contiguous():
        raise ValueError(
            f"{name} has strides {list(x.stride())} for shape {list(x.shape)}: "
            f"pass {name}.contiguous()"
        )
    return x


def require_shape(name: str, x: Tensor, shape: Iterable[int], meaning: str) -> None:
    """Raise ``ValueError`` unless ``x`` has the shape; ``meaning`` says it in letters.

    >>> require_shape("labels", torch.zeros(3), (4,), "[N]")
    Traceback (most recent call last):
    ValueError: labels has shape [3], expected [N] = [4]
    """
    shape = list(shape)
    if list(x.shape) != shape:
        raise ValueError(f"{name} has shape {list(x.shape)}, expected {meaning} = {shape}")
