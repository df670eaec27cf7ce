# ruff: noqa: N803  (compile-time constants are capitals in Triton)
"""The Triton program of the policy losses: a block of a row's tokens at a time.

A token's surrogate comes as its value, its slope in ``ℓ`` and whether that slope passes: where it
is cut the gradient is an exact zero, whatever comes back, as autograd has it. The same program is
the forward and, where the gradient that it stored will not do, the backward.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from rlrewards.objectives.surrogate import LOG_RATIO_BOUND

BOUND = tl.constexpr(LOG_RATIO_BOUND)

COLUMNS = 12
"""Partial sums of a block, the first of them the loss: see the end of ``_block``."""


@triton.jit
def _cut(x, low, high):
    """``clip(x, low, high)``; NaN stays."""
    return tl.where(x > high, high, tl.where(x < low, low, x))


@triton.jit
def _ratio(x):
    return tl.exp(_cut(x, -BOUND, BOUND))


@triton.jit
def _within(x):
    return (x >= -BOUND) & (x <= BOUND)


@triton.jit
def _finite(x):
    return tl.abs(x) < float("inf")


@triton.jit
def _remainder(x):
    """``eˣ − 1 − x``; by its series near 0, where this is the difference of nearly equal terms."""
    near = tl.abs(x) < 0.5
    y = tl.where(near, x, 0.0)
    series = 1.3888889e-3 + y * (1.984127e-4 + y * (2.4801587e-5 + y * 2.7557319e-6))
    series = 0.5 + y * (0.16666667 + y * (0.041666668 + y * (8.3333338e-3 + y * series)))
    return tl.where(near, y * y * series, tl.exp(x) - 1.0 - x)


@triton.jit
def _clipped(x, a, low, high, ceiling):
    """``−A·clip(r, …)`` and its slope in the log-ratio."""
    r = _ratio(x)
    least = tl.where(a < 0, low, 0.0)
    most = tl.where(a > 0, high, ceiling)
    passes = _within(x) & _finite(a) & (r >= least) & (r <= most)
    return -a * _cut(r, least, most), -a * r, passes


@triton.jit
def _sapo(x, a, negative, positive):
    """``−(4/τ)·σ(τ(r − 1))·A`` and its slope in the log-ratio."""
    r = _ratio(x)
    tau = tl.where(a > 0, positive, negative)
    z = tau * (r - 1.0)
    e = tl.exp(-tl.abs(z))
    gate = tl.where(z >= 0, 1.0, e) / (1.0 + e)
    slope = -4.0 * a * (r * e / ((1.0 + e) * (1.0 + e)))
    return -4.0 / tau * gate * a, slope, _within(x) & _finite(a)


@triton.jit
def _weighted(logp, factor):
    """``−factor·ℓ`` and its slope."""
    return -factor * logp, -factor, _finite(logp) & _finite(factor)


@triton.jit
def _penalty(delta, x, KL: tl.constexpr):
    """An estimator of the KL from ``Δ = ℓ − ℓ_ref``, and from the log-ratio if it is corrected."""
    bounded = tl.where(delta < -BOUND, -BOUND, delta)
    k = _remainder(-bounded)
    down = tl.where(bounded > 1.0, 1.0 - tl.exp(-bounded), bounded - k)
    down = tl.where(delta >= -BOUND, down, 0.0)
    if KL == "k1":
        value = delta
        slope = tl.where(delta > 0, 1.0, 1.0)
        passes = slope > 0
    elif KL == "k2":
        value = 0.5 * delta * delta
        slope = delta
        passes = _finite(delta)
    elif KL == "k_abs":
        value = tl.abs(delta)
        slope = tl.where(delta > 0, 1.0, tl.where(delta < 0, -1.0, 0.0))
        passes = _finite(delta)
    elif KL == "k3_straight_through":
        value = k
        slope = delta
        passes = _finite(delta * delta)
    elif KL == "corrected_k3":
        r = _ratio(x)
        value = r * k
        both = _within(x) & (delta >= -BOUND)  # r·(k + Δ − k), but for the rounding of e²⁰
        slope = r * tl.where(both, delta, down + tl.where(_within(x), k, 0.0))
        passes = _finite(r) & _finite(k)
    else:
        value = k
        slope = down
        passes = delta >= -BOUND
    return value, slope, passes


@triton.jit
def _load(pointer, at, valid, inside):
    """Cells in float32; whatever padding holds counts as 0."""
    return tl.where(valid, tl.load(pointer + at, mask=inside, other=0.0).to(tl.float32), 0.0)


@triton.jit
def _factor(keep_ptr, weight_ptr, at, valid, inside, KEEP: tl.constexpr, WEIGHT: tl.constexpr):
    """``keep·weight``, 0 in padding."""
    factor = tl.where(valid, 1.0, 0.0)
    if KEEP:
        factor *= tl.where(tl.load(keep_ptr + at, mask=inside, other=0) != 0, 1.0, 0.0)
    if WEIGHT:
        factor *= _load(weight_ptr, at, valid, inside)
    return factor


@triton.jit
def _block(
    gradient_ptr, sums_ptr, logp_ptr, old_ptr, advantages_ptr, mask_ptr, ref_ptr, keep_ptr,
    weight_ptr, row, block, blocks, width, row_stride, column_stride, low, high, ceiling, beta,
    row_weight, scale, mean, row_factor,
    KIND: tl.constexpr, KL: tl.constexpr, REF: tl.constexpr, KEEP: tl.constexpr,
    WEIGHT: tl.constexpr, PER_TOKEN: tl.constexpr, GRADIENT: tl.constexpr, LOSS: tl.constexpr,
    METRICS: tl.constexpr, COLUMNS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """The gradient of a block to its place, and its partial sums to theirs."""
    columns = block * BLOCK + tl.arange(0, BLOCK)
    inside = columns < width
    at = row * width + columns
    valid = tl.load(mask_ptr + at, mask=inside, other=0) != 0
    logp = _load(logp_ptr, at, valid, inside)
    x = logp
    if KIND != "reinforce":
        x = logp - _load(old_ptr, at, valid, inside)
    if PER_TOKEN:
        places = row * row_stride + columns.to(tl.int64) * column_stride
        a = _load(advantages_ptr, places, valid, inside)
    else:
        a = tl.where(valid, tl.load(advantages_ptr + row * row_stride).to(tl.float32), 0.0)
    factor = _factor(keep_ptr, weight_ptr, at, valid, inside, KEEP, WEIGHT)

    if KIND == "sequence":
        mean = tl.where(valid, mean, 0.0)
        value, slope, passes = _clipped(mean, a, low, high, ceiling)
        slope = tl.where(passes, scale * row_factor * slope, 0.0)
        down = tl.where(_within(x), tl.where(mean == mean, slope, float("nan")), 0.0)
    else:
        if KIND == "clipped":
            value, slope, passes = _clipped(x, a, low, high, ceiling)
        elif KIND == "cispo":
            value, slope, passes = _weighted(logp, a * _cut(_ratio(x), low, high))
        elif KIND == "sapo":
            value, slope, passes = _sapo(x, a, low, high)
        else:
            value, slope, passes = _weighted(logp, a)
        down = tl.where(passes, scale * factor * slope, 0.0)
    value = value * factor
    if REF:
        delta = logp - _load(ref_ptr, at, valid, inside)
    if KL != "":
        penalty, slope, passes = _penalty(delta, x, KL)
        value += beta * penalty
        down += tl.where(passes, scale * beta * slope, 0.0)
    if GRADIENT:
        down = tl.where(valid, down, 0.0)
        tl.store(gradient_ptr + at, down.to(gradient_ptr.dtype.element_ty), mask=inside)

    if LOSS:
        place = sums_ptr + (row * blocks + block) * COLUMNS
        tl.store(place, row_weight * tl.sum(tl.where(valid, value, 0.0), 0))
    if METRICS:
        one = tl.where(valid, 1.0, 0.0)
        tl.store(place + 1, tl.sum(one, 0))
        if REF:
            k3, slope, passes = _penalty(delta, x, "k3")
            tl.store(place + 2, tl.sum(tl.where(valid, k3, 0.0), 0))
        if KIND != "reinforce":
            r = _ratio(x)
            tl.store(place + 3, tl.sum(one * _remainder(_cut(x, -BOUND, BOUND)), 0))
            tl.store(place + 4, tl.sum(one * r, 0))
            tl.store(place + 5, tl.sum(one * r * r, 0))
            if KIND == "sequence":
                r = tl.exp(mean)
            tl.store(place + 6, tl.sum(one * r, 0))
            tl.store(place + 7, tl.sum(tl.where((a < 0) & (r < low), one, 0.0), 0))
            tl.store(place + 8, tl.sum(tl.where((a > 0) & (r > high), one, 0.0), 0))
            tl.store(place + 9, tl.sum(tl.where((a < 0) & (r > ceiling), one, 0.0), 0))
            tl.store(place + 10, tl.max(tl.where(valid, -r, -float("inf")), 0))
            tl.store(place + 11, tl.max(tl.where(valid, r, -float("inf")), 0))


@triton.jit
def _program(
    gradient_ptr, sums_ptr, logp_ptr, old_ptr, advantages_ptr, mask_ptr, row_weight_ptr, ref_ptr,
    keep_ptr, weight_ptr, width, row_stride, column_stride, low, high, ceiling, beta, scale,
    KIND: tl.constexpr, KL: tl.constexpr, REF: tl.constexpr, KEEP: tl.constexpr,
    WEIGHT: tl.constexpr, PER_TOKEN: tl.constexpr, GRADIENT: tl.constexpr, LOSS: tl.constexpr,
    METRICS: tl.constexpr, COLUMNS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One block of a row, or all of them where the row has one ratio."""
    blocks = tl.cdiv(width, BLOCK)
    program = tl.program_id(0)
    if KIND == "sequence":
        row = program.to(tl.int64)
        row_weight = tl.load(row_weight_ptr + row).to(tl.float32)
        n = tl.zeros([BLOCK], dtype=tl.float32)
        total = tl.zeros([BLOCK], dtype=tl.float32)
        factors = tl.zeros([BLOCK], dtype=tl.float32)
        for block in range(blocks):
            columns = block * BLOCK + tl.arange(0, BLOCK)
            inside = columns < width
            at = row * width + columns
            valid = tl.load(mask_ptr + at, mask=inside, other=0) != 0
            x = _load(logp_ptr, at, valid, inside) - _load(old_ptr, at, valid, inside)
            n += tl.where(valid, 1.0, 0.0)
            total += _cut(x, -BOUND, BOUND)
            factors += _factor(keep_ptr, weight_ptr, at, valid, inside, KEEP, WEIGHT)
        length = tl.sum(n, 0)
        length = tl.where(length > 0, length, 1.0)
        mean = tl.sum(total, 0) / length
        row_factor = tl.sum(factors, 0) / length
        for block in range(blocks):
            _block(
                gradient_ptr, sums_ptr, logp_ptr, old_ptr, advantages_ptr, mask_ptr, ref_ptr,
                keep_ptr, weight_ptr, row, block, blocks, width, row_stride, column_stride,
                low, high, ceiling, beta, row_weight, scale * row_weight, mean, row_factor,
                KIND, KL, REF, KEEP, WEIGHT, PER_TOKEN, GRADIENT, LOSS, METRICS, COLUMNS, BLOCK,
            )  # fmt: skip
    else:
        row = (program // blocks).to(tl.int64)
        row_weight = tl.load(row_weight_ptr + row).to(tl.float32)
        _block(
            gradient_ptr, sums_ptr, logp_ptr, old_ptr, advantages_ptr, mask_ptr, ref_ptr,
            keep_ptr, weight_ptr, row, program % blocks, blocks, width, row_stride, column_stride,
            low, high, ceiling, beta, row_weight, scale * row_weight, 0.0, 0.0,
            KIND, KL, REF, KEEP, WEIGHT, PER_TOKEN, GRADIENT, LOSS, METRICS, COLUMNS, BLOCK,
        )  # fmt: skip


@triton.jit
def _forward(
    gradient_ptr, sums_ptr, logp_ptr, old_ptr, advantages_ptr, mask_ptr, row_weight_ptr, ref_ptr,
    keep_ptr, weight_ptr, width, row_stride, column_stride, low, high, ceiling, beta,
    KIND: tl.constexpr, KL: tl.constexpr, REF: tl.constexpr, KEEP: tl.constexpr,
    WEIGHT: tl.constexpr, PER_TOKEN: tl.constexpr, GRADIENT: tl.constexpr,
    METRICS: tl.constexpr, COLUMNS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Partial sums and, if wanted, the gradient of the loss."""
    _program(
        gradient_ptr, sums_ptr, logp_ptr, old_ptr, advantages_ptr, mask_ptr, row_weight_ptr,
        ref_ptr, keep_ptr, weight_ptr, width, row_stride, column_stride, low, high, ceiling, beta,
        1.0, KIND, KL, REF, KEEP, WEIGHT, PER_TOKEN, GRADIENT, True, METRICS, COLUMNS, BLOCK,
    )  # fmt: skip


@triton.jit
def _backward(
    gradient_ptr, loss_ptr, upstream_ptr, logp_ptr, old_ptr, advantages_ptr, mask_ptr,
    row_weight_ptr, ref_ptr, keep_ptr, weight_ptr, width, row_stride, column_stride, low, high,
    ceiling, beta,
    KIND: tl.constexpr, KL: tl.constexpr, REF: tl.constexpr, KEEP: tl.constexpr,
    WEIGHT: tl.constexpr, PER_TOKEN: tl.constexpr, FRESH: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """The gradient times what comes back; nothing to do where it is stored and that is 1."""
    loss = tl.load(loss_ptr)
    scale = tl.load(upstream_ptr).to(tl.float32)
    scale = tl.where(loss == loss, scale, float("nan"))  # NaN reaches every token
    due = scale != 1.0
    if FRESH:
        due = due | (scale == 1.0)
    if due:
        _program(
            gradient_ptr, gradient_ptr, logp_ptr, old_ptr, advantages_ptr, mask_ptr,
            row_weight_ptr, ref_ptr, keep_ptr, weight_ptr, width, row_stride, column_stride,
            low, high, ceiling, beta, scale,
            KIND, KL, REF, KEEP, WEIGHT, PER_TOKEN, True, False, False, 1, BLOCK,
        )  # fmt: skip


def forward(tokens, settings, *, wanted: bool, metrics: bool) -> tuple[Tensor, Tensor]:
    """Partial sums ``[programs, columns]`` and the gradient, which is empty unless wanted."""
    logp = tokens[0]
    block, grid, warps = _launch(logp, settings[0])
    gradient = torch.empty_like(logp) if wanted else logp.new_empty(0)
    columns = COLUMNS if metrics else 1
    blocks = -(-logp.shape[1] // block)
    # Columns that a kind has no use for stay 0.
    new = torch.zeros if metrics else torch.empty
    sums = new(len(logp) * blocks, columns, dtype=torch.float32, device=logp.device)
    arguments, constants = _arguments(tokens, settings)
    with torch.cuda.device_of(logp):
        _forward[grid](
            gradient, sums, *arguments, *constants, wanted, metrics, columns, block, num_warps=warps
        )
    return sums, gradient


def backward(gradient: Tensor, loss: Tensor, upstream: Tensor, tokens, settings, *, fresh: bool):
    """Make ``gradient``, fresh memory or what ``forward`` stored, that of ``upstream·loss``."""
    logp = tokens[0]
    block, grid, warps = _launch(logp, settings[0])
    arguments, constants = _arguments(tokens, settings)
    with torch.cuda.device_of(logp):
        _backward[grid](
            gradient, loss, upstream, *arguments, *constants, fresh, block, num_warps=warps
        )


def _launch(logp: Tensor, kind: str) -> tuple[int, tuple[int], int]:
    """Block, grid and warps: short blocks where they are all programs of their own."""
    rows, width = logp.shape
    most = 4096 if kind == "sequence" else 1024
    block = min(most, max(16, triton.next_power_of_2(width)))
    programs = rows if kind == "sequence" else rows * -(-width // block)
    return block, (programs,), max(1, min(16, block // 256))


def _arguments(tokens, settings) -> tuple[tuple, tuple]:
    logp, old_logp, advantages, mask, row_weight, ref_logp, keep, weight = tokens
    kind, kl, low, high, ceiling, beta = settings
    per_token = advantages.ndim == 2
    return (
        logp,
        logp if old_logp is None else old_logp,
        advantages,
        mask.view(torch.uint8),
        row_weight,
        logp if ref_logp is None else ref_logp,
        mask.view(torch.uint8) if keep is None else keep.view(torch.uint8),
        logp if weight is None else weight,
        logp.shape[1],
        advantages.stride(0),
        advantages.stride(1) if per_token else 0,
        low,
        high,
        ceiling,
        beta,
    ), (kind, kl, ref_logp is not None, keep is not None, weight is not None, per_token)
