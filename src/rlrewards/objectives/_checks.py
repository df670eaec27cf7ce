"""What every piece asks of its inputs, said once, with errors that tell what to do."""

import math

import torch
from torch import Tensor


def floats(name: str, x: Tensor, *, ndim: int | None = None) -> Tensor:
    """``x`` in at least float32, or an error that names it."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{name} is a {type(x).__name__}: pass a torch.Tensor")
    if not x.is_floating_point():
        raise ValueError(
            f"{name} has dtype {x.dtype}, expected floating point: call .float() on it"
        )
    if ndim is not None and x.ndim != ndim:
        wanted = "[B, T]" if ndim == 2 else "[B]"
        raise ValueError(f"{name} has shape {list(x.shape)}, expected {wanted}")
    return x if x.dtype == torch.float64 else x.float()


def same_shape(name: str, x: Tensor, other_name: str, other: Tensor) -> None:
    """Raise unless both have one shape: nothing here broadcasts by accident."""
    if x.shape != other.shape:
        raise ValueError(
            f"{name} has shape {list(x.shape)} but {other_name} has {list(other.shape)}: "
            "pass both over the same tokens"
        )


def boolean_mask(mask: Tensor, name: str, x: Tensor) -> Tensor:
    """``mask`` as booleans, checked against the shape of ``x``; non-zero is valid."""
    return boolean_like("mask", mask, name, x)


def boolean_like(name: str, x: Tensor, other_name: str, other: Tensor) -> Tensor:
    """``x`` as booleans, checked against the shape of another."""
    meaning = "valid" if name == "mask" else "true"
    if not isinstance(x, Tensor):
        raise TypeError(
            f"{name} is a {type(x).__name__}: pass a torch.Tensor, non-zero where {meaning}"
        )
    same_shape(name, x, other_name, other)
    return x if x.dtype == torch.bool else x != 0


def per_row(name: str, x: Tensor, like: Tensor) -> Tensor:
    """``x`` ``[B]``, checked against the rows of ``like`` ``[B, T]``."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{name} is a {type(x).__name__}: pass a torch.Tensor, one value per row")
    if x.shape != like.shape[:1]:
        raise ValueError(
            f"{name} has shape {list(x.shape)}, expected one value per row: {list(like.shape[:1])}"
        )
    return x


def per_token(advantages: Tensor, like: Tensor) -> Tensor:
    """Advantages ``[B]`` or ``[B, T]`` as constants that broadcast against ``like`` ``[B, T]``."""
    advantages = floats("advantages", advantages)
    if advantages.shape == like.shape:
        return advantages.detach().to(like.dtype)
    if advantages.shape == like.shape[:1]:
        return advantages.detach().to(like.dtype).unsqueeze(1)
    raise ValueError(
        f"advantages has shape {list(advantages.shape)}, expected [B] = {list(like.shape[:1])} "
        f"or [B, T] = {list(like.shape)}"
    )


def scalar(name: str, value: float | Tensor) -> None:
    """Raise if a tensor given for one number holds more: it would broadcast over tokens."""
    if isinstance(value, Tensor) and value.numel() != 1:
        raise ValueError(f"{name} has shape {list(value.shape)}, expected a scalar")


def at_least(name: str, value: float, lowest: float, highest: float = math.inf) -> None:
    """Raise unless ``lowest ≤ value ≤ highest`` (NaN is neither)."""
    if not lowest <= value <= highest:
        allowed = f"≥ {lowest:g}" if highest == math.inf else f"in [{lowest:g}, {highest:g}]"
        raise ValueError(f"{name} is {value}, expected {allowed}")
