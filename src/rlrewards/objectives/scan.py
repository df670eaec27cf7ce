"""Discounted sums along rows, without a loop over time, whatever the masks of the rows.

``y_t = x_t + a·y_{t+1}`` is what returns, λ-returns and advantages have in common. Rows are cut
into blocks; one small matrix of powers gives the sums inside all blocks at once, and the carry from
block to block is the same problem with fewer steps, so the function calls itself. Powers are built
in float64 and only multiplied, never divided by: dividing a cumulative sum by aᵗ overflows within a
few hundred steps.

``Rows`` deals with masks: it moves the valid tokens of each row to the front, to be summed there,
and moves the sums back.
"""

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from rlrewards.objectives import _checks

BLOCK = 16
"""Tokens summed by one row of the matrix of powers; 16 measured a little faster than 32."""

PADDED = 4 * BLOCK
"""Rows are filled up with zeros to a multiple of this. A matrix product may round the last few of
its rows differently, those left over from groups of four: there are none, and so the length of a
row does not show in its sums."""


def discounted_sums(x: Tensor, decay: float | Tensor) -> Tensor:
    """At each token the discounted sum of all from there on: ``y_t = Σ_{u≥t} decay^(u−t) · x_u``.

    A float decay of 1 is summed in float64. The result is a constant: no gradient flows.

    Shapes: ``x`` ``[..., B, T]``; ``decay`` a float, or ``[B]``, one per row → like ``x``, in at
    least float32; computed in full precision under autocast and whatever the matmul precision is
    set to. Raises ``ValueError`` for a decay outside [0, 1] or of another shape (see ``unit_rate``
    for a tensor on a GPU).

    >>> x = torch.tensor([[1.0, 1.0, 1.0], [0.0, 0.0, 8.0]])
    >>> discounted_sums(x, 0.5)
    tensor([[1.7500, 1.5000, 1.0000],
            [2.0000, 4.0000, 8.0000]])
    >>> discounted_sums(x, torch.tensor([0.0, 1.0]))
    tensor([[1., 1., 1.],
            [8., 8., 8.]])
    """
    x = _checks.floats("x", x)
    if x.ndim < 2:
        raise ValueError(f"x has shape {list(x.shape)}, expected [..., B, T]")
    rate = unit_rate("decay", decay, like=x)
    with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
        if isinstance(rate, Tensor):
            rate = rate.expand(x.shape[:-1]).flatten()
        rows = x.to(working_dtype(x.dtype)).flatten(0, -2)
        return sum_rows(rows, rate).view(x.shape).to(x.dtype)


def unit_rate(name: str, rate: float | Tensor, *, like: Tensor) -> float | Tensor:
    """``rate`` if it is a float in [0, 1]; one per row of ``like`` ``[..., B, T]`` as float64.

    A tensor is looked at only where that costs nothing. On a GPU it would mean waiting for the
    device, and under ``torch.compile`` a break in the graph: there a rate outside [0, 1] becomes
    NaN, and with it its row, so that it cannot go unnoticed.
    """
    if not isinstance(rate, Tensor):
        _checks.at_least(name, rate, 0.0, 1.0)
        return rate
    rate = _checks.floats(name, rate).detach().double()
    if rate.shape != like.shape[-2:-1]:
        raise ValueError(
            f"{name} has shape {list(rate.shape)}, expected a float or one value per row: "
            f"{list(like.shape[-2:-1])}"
        )
    inside = (rate >= 0) & (rate <= 1)
    if on_host(rate) and not inside.all():
        raise ValueError(f"{name} holds {rate[~inside][0].item():g}, expected values in [0, 1]")
    return torch.where(inside, rate, torch.nan).to(like.device)


def working_dtype(dtype: torch.dtype) -> torch.dtype:
    """float64 where float32 products may be done in TF32 or bfloat16."""
    if torch.compiler.is_compiling():  # the setting cannot be read without a break in the graph
        return torch.float64
    try:
        exact = torch.get_float32_matmul_precision() == "highest"
    except RuntimeError:  # raised once a backend's own fp32_precision has been set
        exact = False
    return dtype if exact else torch.float64


def on_host(x: Tensor) -> bool:
    """Looking at the values of ``x`` costs nothing: it lies in memory, and no tracer stands in."""
    return x.device.type == "cpu" and _is_real(x)


def _is_real(x: Tensor) -> bool:
    return type(x) is Tensor and not torch.compiler.is_compiling()


def sum_rows(x: Tensor, decay: float | Tensor) -> Tensor:
    """``discounted_sums`` of ``x`` ``[B, T]``, all checked; a new, contiguous tensor."""
    width = x.shape[1]
    if x.numel() == 0 or (not isinstance(decay, Tensor) and decay == 0):
        return x.clone(memory_format=torch.contiguous_format)
    if not isinstance(decay, Tensor) and decay == 1:
        return x.flip(1).cumsum(1, dtype=torch.float64).to(x.dtype).flip(1)
    if width % PADDED:
        x = torch.nn.functional.pad(x, (0, -width % PADDED))
    inside, across = _powers(decay, x)
    sums = x.reshape(len(x), -1, BLOCK) @ inside
    if width > BLOCK:
        # A block's first sum is what it hands to those before it, one block's decay apart.
        carry = sum_rows(sums[:, :, 0], decay**BLOCK)
        sums[:, :-1].addcmul_(carry[:, 1:].unsqueeze(2), across)
    return sums.view(x.shape)[:, :width].contiguous()


def _powers(decay: float | Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """``[u, t] ↦ decay^(u−t)`` for u ≥ t, else 0, and ``t ↦ decay^(BLOCK−t)``; per row if many."""
    if isinstance(decay, Tensor):
        return _tables(decay.unsqueeze(1), like.dtype)
    make = _kept_tables if _is_real(like) else _kept_tables.__wrapped__
    return make(decay, like.dtype, like.device)


@lru_cache(maxsize=32)
def _kept_tables(decay: float, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    return _tables(torch.full((), decay, dtype=torch.float64, device=device), dtype)


def _tables(decay: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    powers = torch.pow(decay, torch.arange(BLOCK + 1, device=decay.device)).to(dtype)
    falling = powers.flip(-1)  # decay^BLOCK ... 1
    # Windows on (decay^15 ... 1, 0 ... 0): row u of the table is the one in which 1 stands at u.
    inside = torch.nn.functional.pad(falling[..., 1:], (0, BLOCK - 1)).unfold(-1, BLOCK, 1).flip(-2)
    return inside, falling[..., :-1].unsqueeze(-2)


class Rows(NamedTuple):
    """Rows of tokens as they are summed: valid ones in front, 0 behind; ``Rows.of`` makes them."""

    valid: Tensor | None  # None: every token is valid, nothing to move and nothing to zero
    bits: Tensor | None  # integers as wide as a number: all ones where valid
    slot: Tensor | None  # each valid token's place in front; None: they stay where they are
    clean: bool  # sums of what ``front`` gave are 0 at masked tokens of themselves

    @classmethod
    def of(cls, valid: Tensor, dtype: torch.dtype, *, step_over: bool = True) -> "Rows":
        """Look at a mask once, where looking is free; elsewhere take the way that suits any mask.

        ``step_over=False`` leaves masked tokens where they are: zeros that count as steps.
        """
        look = on_host(valid)
        if look and _all(valid):
            return cls(None, None, None, clean=True)
        bits = valid.to(torch.int64 if dtype == torch.float64 else torch.int32).neg_()
        clean = look and _right_padded(valid)
        slot = None
        if step_over and not clean:
            # masked tokens share one more column, which is cut off
            slot = torch.where(valid, valid.cumsum(1) - 1, valid.shape[1])
        return cls(valid, bits, slot, clean)

    def front(self, x: Tensor) -> Tensor:
        """``x`` with its valid tokens in front and 0 behind them; never a view of part of it."""
        if self.bits is None:
            return x
        if self.slot is None:
            return _keep(x, self.bits)
        width = x.shape[1]
        return x.new_zeros(len(x), width + 1).scatter_(1, self.slot, x)[:, :width].contiguous()

    def back(self, x: Tensor) -> Tensor:
        """Sums at the tokens they belong to, 0 at masked ones."""
        if self.bits is None or self.clean:
            return x
        if self.slot is not None:
            x = x.gather(1, self.slot.clamp(max=x.shape[1] - 1))
        return _keep(x, self.bits)

    def add_last_(self, x: Tensor, amount: Tensor) -> None:
        """Add ``amount`` ``[B]`` to the last valid token of each row, if it has one."""
        if self.valid is None:
            x[:, -1].add_(amount)
            return
        if self.slot is not None or self.clean:
            last = self.valid.sum(1, keepdim=True) - 1
        else:
            steps = torch.arange(x.shape[1], device=x.device)
            last = torch.where(self.valid, steps, -1).amax(1, keepdim=True)
        amount = torch.where(last < 0, 0.0, amount.unsqueeze(1))
        x.scatter_add_(1, last.clamp(min=0), amount)


def _keep(x: Tensor, bits: Tensor) -> Tensor:
    """``x`` where the bits are set, else 0: safe with NaN, as ``where``, and faster."""
    return (x.view(bits.dtype) & bits).view(x.dtype)


def _all(valid: Tensor) -> bool:
    # min of bytes: some 20 times faster than all() of booleans on a CPU
    return valid.numel() == 0 or bool(valid.view(torch.uint8).min())


def _right_padded(valid: Tensor) -> bool:
    """No row has a valid token after a masked one."""
    rises = valid[:, 1:] > valid[:, :-1]
    return rises.numel() == 0 or not bool(rises.view(torch.uint8).max())
