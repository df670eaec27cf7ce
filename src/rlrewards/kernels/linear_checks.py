"""What the linear kernels accept: matrices that fit each other, labels that are tokens."""

import math

import torch
from torch import Tensor
from torch.autograd import forward_ad

from rlrewards.kernels import launch
from rlrewards.kernels.projection import VocabShard


def autocast(
    hidden: Tensor, lm_head: Tensor, bias: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """All in the dtype of autocast, where that is on and they are not float64."""
    if not isinstance(hidden, Tensor) or not torch.is_autocast_enabled(hidden.device.type):
        return hidden, lm_head, bias
    dtype = torch.get_autocast_dtype(hidden.device.type)

    def cast(x: Tensor) -> Tensor:
        return x.to(dtype) if isinstance(x, Tensor) and x.dtype != torch.float64 else x

    return cast(hidden), cast(lm_head), None if bias is None else cast(bias)


def check(
    hidden: Tensor, lm_head: Tensor, labels: Tensor, bias: Tensor | None, mask: Tensor | None,
    temperature: float, softcap: float | None,
) -> None:  # fmt: skip
    """Raise for what does not fit, labels apart, and for forward-mode derivatives."""
    launch.require("hidden", hidden, contiguous=hidden.is_cuda if _is(hidden) else False)
    if not torch.compiler.is_compiling() and any(
        _is(x) and forward_ad.unpack_dual(x).tangent is not None  # type: ignore[no-untyped-call]
        for x in (hidden, lm_head, bias)
    ):
        raise RuntimeError(
            "linear_logprob has no forward-mode derivative: use eager_linear_logprob for that"
        )
    if hidden.ndim < 2:
        raise ValueError(f"hidden has shape {list(hidden.shape)}, expected […, H]")
    launch.require("lm_head", lm_head, ndim=2, dtypes=(hidden.dtype,), like=hidden)
    launch.require_shape("lm_head", lm_head, (len(lm_head), hidden.shape[-1]), "[V, H]")
    if len(lm_head) == 0:
        raise ValueError("lm_head has no rows: a vocabulary has at least one token")
    launch.require("labels", labels, dtypes=(torch.int64,), like=hidden, contiguous=False)
    launch.require_shape("labels", labels, hidden.shape[:-1], "one label per hidden state")
    if bias is not None:
        launch.require("bias", bias, ndim=1, dtypes=(hidden.dtype,), like=hidden)
        launch.require_shape("bias", bias, lm_head.shape[:1], "[V]")
    if mask is not None:
        if not _is(mask):
            raise TypeError(f"mask is a {type(mask).__name__}: pass a torch.Tensor")
        launch.require_shape("mask", mask, labels.shape, "one value per label")
        if mask.device != hidden.device:
            raise ValueError(f"mask is on {mask.device}, expected {hidden.device}: move it there")
    if not 0.0 < temperature < math.inf:
        raise ValueError(f"temperature is {temperature}, expected a number above 0")
    if softcap is not None and not 0.0 < softcap < math.inf:
        raise ValueError(f"softcap is {softcap}, expected a number above 0, or None")


def _is(x: object) -> bool:
    return isinstance(x, Tensor)


def check_labels(
    labels: Tensor, chosen: Tensor | None, weight: Tensor, shard: VocabShard | None
) -> None:
    """Where it costs no wait: on the CPU."""
    if labels.is_cuda or shard is not None:
        return
    bad = (labels < 0) | (labels >= len(weight))
    if chosen is not None:
        bad &= chosen
    if bad.any():
        first = int(bad.nonzero()[0, 0])
        raise ValueError(
            f"labels has {int(labels[first])} at place {first}, expected 0 to {len(weight) - 1}: "
            "mask what is no token"
        )
