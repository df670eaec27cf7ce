"""Generalised advantage estimation over a batch of completions, without a loop over time.

``Â_t = δ_t + γλ·Â_{t+1}`` is a sum with geometric weights. Rows are cut into blocks; one small
matrix of powers gives the sums inside all blocks at once, and the carry from block to block is the
same problem with fewer steps, so the function calls itself. Powers are built in float64 and only
multiplied, never divided by: dividing a cumulative sum by (γλ)ᵗ overflows within a few hundred
steps.
"""

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from rlrewards.objectives import _checks

BLOCK = 32
"""Tokens summed by one row of the decay matrix; 32 and 64 measured alike, 128 slower."""


class GAE(NamedTuple):
    """``advantages, returns = gae(...)``; both ``[B, T]`` and 0 at masked tokens."""

    advantages: Tensor
    returns: Tensor


def gae(
    rewards: Tensor,
    values: Tensor,
    mask: Tensor,
    *,
    gamma: float = 1.0,
    lam: float = 0.95,
    bootstrap: Tensor | None = None,
) -> GAE:
    """Advantages ``Â_t = δ_t + γλ·Â_next`` and λ-returns ``Ĝ_t = Â_t + V_t``.

    ``δ_t = R_t + γ·V_next − V_t``, arXiv 1506.02438 (restated as DAPO's eqs 2 and 3). *next* is the
    next **valid** token of the row: interior masked tokens, such as the output of a tool, are
    stepped over without a discount (verl and NeMo do so; OpenRLHF discounts through them). At the
    last valid token ``Â_next = 0``, and ``V_next`` is 0 where the completion ended, or
    ``bootstrap``, the value of the state after it, where it was truncated. λ = 1 gives the
    discounted return, summed as such, and that less the value.

    Shapes: ``rewards``, ``values``, ``mask`` ``[B, T]``; ``bootstrap`` ``[B]``, 0 for rows that
    ended → two ``[B, T]``, constants (no gradient flows), in at least float32; computed in full
    precision under autocast and whatever the matmul precision is set to. Whatever masked cells
    hold, NaN included, changes nothing. Raises ``ValueError`` for other shapes, or γ, λ outside
    [0, 1].

    >>> rewards, values = torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([[0.5, 0.5, 0.5]])
    >>> A, R = gae(rewards, values, torch.ones(1, 3), gamma=1.0, lam=0.5)
    >>> A, R
    (tensor([[0.1250, 0.2500, 0.5000]]), tensor([[0.6250, 0.7500, 1.0000]]))
    """
    _checks.at_least("gamma", gamma, 0.0, 1.0)
    _checks.at_least("lam", lam, 0.0, 1.0)
    rewards, values = _checks.floats("rewards", rewards, ndim=2), _checks.floats("values", values)
    _checks.same_shape("values", values, "rewards", rewards)
    valid = _checks.boolean_mask(mask, "rewards", rewards)
    if bootstrap is not None:
        bootstrap = _checks.floats("bootstrap", bootstrap)
        if bootstrap.shape != rewards.shape[:1]:
            raise ValueError(
                f"bootstrap has shape {list(bootstrap.shape)}, expected one value per row: "
                f"{list(rewards.shape[:1])}"
            )
    dtype = torch.promote_types(rewards.dtype, values.dtype)
    work = dtype if _matmul_is_exact() else torch.float64
    with torch.no_grad(), torch.autocast(rewards.device.type, enabled=False):
        rewards, values = rewards.to(work), values.to(work)
        solve = _solve if _right_padded(valid) else _solve_with_holes
        return GAE(*(x.to(dtype) for x in solve(rewards, values, valid, gamma, lam, bootstrap)))


def _matmul_is_exact() -> bool:
    """Nothing allows float32 products in TF32 or bfloat16."""
    try:
        return torch.get_float32_matmul_precision() == "highest"
    except RuntimeError:  # raised once a backend's own fp32_precision has been set
        return False


def _right_padded(valid: Tensor) -> bool:
    """No row has a valid token after a masked one (on a GPU this waits for the device)."""
    rises = valid[:, 1:] > valid[:, :-1]
    # max of bytes: some 20 times faster than any() of booleans on a CPU
    return rises.numel() == 0 or not bool(rises.view(torch.uint8).max())


def _solve(
    rewards: Tensor,
    values: Tensor,
    valid: Tensor,
    gamma: float,
    lam: float,
    bootstrap: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """GAE of rows whose valid tokens come first, by ``Ĝ_t = R_t + γ(1−λ)·V_next + γλ·Ĝ_next``."""
    x, values = _zero_masked(rewards, values, valid)
    if bootstrap is not None and x.shape[1]:
        length = valid.sum(1, keepdim=True)
        after = torch.where(length > 0, gamma * bootstrap.to(x).unsqueeze(1), 0.0)
        x.scatter_add_(1, (length - 1).clamp(min=0), after)  # there Ĝ_next = V_next
    x[:, :-1].add_(values[:, 1:], alpha=gamma * (1 - lam))
    returns = _discounted_sums(x, gamma * lam)
    return torch.sub(returns, values, out=values), returns


def _solve_with_holes(
    rewards: Tensor,
    values: Tensor,
    valid: Tensor,
    gamma: float,
    lam: float,
    bootstrap: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """GAE of rows with masked tokens anywhere: valid ones moved to the front, and back."""
    width = valid.shape[1]
    place = valid.cumsum(1) - 1  # of each valid token among those of its row
    slot = torch.where(valid, place, width)  # masked tokens share one more column, cut off

    def packed(x: Tensor) -> Tensor:
        return x.new_zeros(len(x), width + 1).scatter_(1, slot, x)[:, :width]

    front = torch.arange(width, device=valid.device) < valid.sum(1, keepdim=True)
    advantages, returns = _solve(packed(rewards), packed(values), front, gamma, lam, bootstrap)
    place.clamp_(min=0)
    return _zero_masked(advantages.gather(1, place), returns.gather(1, place), valid)


def _zero_masked(a: Tensor, b: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Copies of both, 0 where masked, by a bitwise and: safe with NaN, as ``where``, and faster."""
    whole = torch.int64 if a.dtype == torch.float64 else torch.int32
    bits = valid.to(whole).neg_()  # all ones where valid
    kept = (a.view(whole) & bits).view(a.dtype)
    return kept, bits.bitwise_and_(b.view(whole)).view(b.dtype)


def _discounted_sums(x: Tensor, decay: float) -> Tensor:
    """``y_t = Σ_{u ≥ t} decay^(u−t) · x_u`` along the rows of ``x``, which it may overwrite."""
    rows, width = x.shape
    if decay == 0:
        return x
    if decay == 1:
        return x.flip(1).cumsum(1, dtype=torch.float64).flip(1).to(x.dtype)
    real = type(x) is Tensor and not torch.compiler.is_compiling()  # no stand-in of a tracer
    make_powers = _powers if real else _powers.__wrapped__
    powers = make_powers(decay, min(width, BLOCK), x.dtype, x.device)
    if width <= BLOCK:
        return x @ powers
    if width % BLOCK:
        x = torch.nn.functional.pad(x, (0, -width % BLOCK))
    blocks = x.view(rows, -1, BLOCK)
    # What a block hands to the one before it, with all that it was handed itself ...
    carry = _discounted_sums(blocks @ powers[:, 0], decay**BLOCK)
    # ... goes in at the last token before it, one step away.
    blocks[:, :-1, -1].add_(carry[:, 1:], alpha=decay)
    return (blocks @ powers).view(rows, -1)[:, :width].contiguous()


@lru_cache(maxsize=32)
def _powers(decay: float, size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The matrix ``[u, t] ↦ decay^(u−t)`` for u ≥ t, else 0; computed in float64."""
    steps = torch.arange(size, dtype=torch.float64, device=device)
    ahead = (steps.unsqueeze(1) - steps).clamp_(min=0)
    return torch.pow(decay, ahead).tril_().to(dtype)
