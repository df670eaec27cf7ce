"""Advantages and λ-returns of rows of tokens: one reverse scan, the inputs read once.

What the tokens from t on hand to the valid token before them is one number,
``H_t = γ(1−λ)·V_t + γλ·Ĝ_t = γ(1−λ)·V_t + γλ·(R_t + H_next)``, and ``Ĝ_t = R_t + H_next``. So the
scan needs no value of a later token, and a masked one is stepped over as the identity map. A map
``H ↦ amount + 2^exponent · H`` is kept by its exponent: log₂ of a decay near 1 holds digits that
the decay in float32 has lost, and a decay of 1 is exact.

A program takes a few rows, or one row of all streams, block by block from the end. Where the rows
are too few to fill the device, each is cut into parts: ``_composites`` finds the map of each part,
and every program of ``_rows`` first puts together those of the parts after its own.
"""
# ruff: noqa: N803, N806

import math
from functools import lru_cache
from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor


@triton.jit
def _after(exponent, amount, first_exponent, first_amount):
    """The map of some tokens after that of those behind them."""
    return exponent + first_exponent, first_amount + tl.exp2(first_exponent) * amount


@triton.jit
def _whole(exponent, amount, place):
    """The map of a block: suffixes from each place on, the whole from place 0."""
    exponent, amount = tl.associative_scan((exponent, amount), 1, _after, reverse=True)
    first = place == 0
    whole_exponent = tl.sum(tl.where(first, exponent, 0.0), axis=1)[:, None]
    whole_amount = tl.sum(tl.where(first, amount, 0.0), axis=1)[:, None]
    return exponent, amount, whole_exponent, whole_amount


@triton.jit
def _place(B, streams, T, LANES: tl.constexpr, STREAMS: tl.constexpr):
    """Stream and row of each lane, whether there is one, and where its rewards and mask start."""
    lane = tl.arange(0, LANES)[:, None].to(tl.int64)
    group = tl.program_id(0).to(tl.int64)
    if STREAMS:
        stream = lane
        row = group + 0 * lane
        real = lane < streams
    else:
        stream = 0 * lane
        row = group * LANES + lane
        real = row < B
    return stream, row, real, (stream * B + row) * T, row * T


@triton.jit
def _rates(gamma, lam, stream, row, real, gamma_step, lam_step):
    """log₂ γλ, γλ, γ(1−λ) and γ of each lane, found in float64.

    λ outside [0, 1] is NaN; so then is the amount of every map, and with it the whole row.
    """
    g = tl.load(gamma + stream * gamma_step, mask=real, other=0.0).to(tl.float64)
    rate = tl.load(lam + row * lam_step, mask=real, other=0.0).to(tl.float64)
    rate = tl.where((rate >= 0.0) & (rate <= 1.0), rate, float("nan"))
    decay = g * rate
    log_decay = tl.where(decay > 0.0, tl.log2(tl.where(decay > 0.0, decay, 1.0)), float("-inf"))
    return (
        log_decay.to(tl.float32),
        decay.to(tl.float32),
        (g * (1.0 - rate)).to(tl.float32),
        g.to(tl.float32),
    )


@triton.jit
def _maps(rewards, values, mask, x_row, m_row, t, inside, last, log_decay, decay, value_rate,
          CARRY: tl.constexpr, ONE_VALUE: tl.constexpr):  # fmt: skip
    """The map of each token t, the last valid one so far, and the tokens that are steps."""
    valid = tl.load(mask + m_row + t, mask=inside, other=0) != 0
    x = tl.load(rewards + x_row + t, mask=inside, other=0.0).to(tl.float32)
    amount = decay * tl.where(valid, x, 0.0)
    if not ONE_VALUE:
        v = tl.load(values + x_row + t, mask=inside, other=0.0).to(tl.float32)
        amount += value_rate * tl.where(valid, v, 0.0)
    if CARRY:
        step = valid
    else:  # a masked token is a step if a valid one comes after it
        last = tl.maximum(last, tl.max(tl.where(valid, t, -1), axis=1)[:, None])
        step = t <= last
    return tl.where(step, log_decay, 0.0), amount, last, step


@triton.jit
def _composites(
    rewards,
    values,
    mask,
    gamma,
    lam,
    steps,
    amounts,
    log_decay,
    decay,
    value_rate,
    B,
    streams,
    T,
    span,
    parts,
    gamma_step,
    lam_step,
    LANES: tl.constexpr,
    BLOCK: tl.constexpr,
    STREAMS: tl.constexpr,
    ONE_VALUE: tl.constexpr,
    CARRY: tl.constexpr,
):
    """The map of each part of each row but the first, as its number of steps and its amount."""
    stream, row, real, x_row, m_row = _place(B, streams, T, LANES, STREAMS)
    if gamma is not None:
        log_decay, decay, value_rate, _ = _rates(
            gamma, lam, stream, row, real, gamma_step, lam_step
        )
    part = tl.program_id(1) + 1
    start = part * span
    blocks = tl.cdiv(tl.minimum(span, T - start), BLOCK)
    place = tl.arange(0, BLOCK)[None, :]
    last = tl.full((LANES, 1), -1, tl.int32)
    handed = tl.full((LANES, 1), 0.0, tl.float64)
    count = tl.full((LANES, 1), 0.0, tl.float32)
    for i in range(blocks):
        after = start + (blocks - 1 - i) * BLOCK + place + 1
        e, b, last, step = _maps(rewards, values, mask, x_row, m_row, after, real & (after < T),
                                 last, log_decay, decay, value_rate, CARRY, ONE_VALUE)  # fmt: skip
        e, b, whole_e, whole_b = _whole(e, b, place)
        handed = whole_b + tl.exp2(whole_e) * handed
        count += tl.sum(step.to(tl.float32), axis=1)[:, None]
    at = (stream * B + row) * parts + part
    tl.store(steps + at, count, mask=real)
    tl.store(amounts + at, handed.to(tl.float32), mask=real)


@triton.jit
def _from_later_parts(handed, last, steps, amounts, first, part, parts, span, T, real, log_decay,
                      PARTS: tl.constexpr, CARRY: tl.constexpr):  # fmt: skip
    """What the parts after this one hand to it, and whether one of them has a valid token."""
    j = tl.arange(0, PARTS)[None, :]
    later = real & (j > part) & (j < parts)
    n = tl.load(steps + first + j, mask=later, other=0.0)
    b = tl.load(amounts + first + j, mask=later, other=0.0)
    if not CARRY:  # before the last part with a valid token every token is a step
        final = tl.max(tl.where(n > 0.0, j, -1), axis=1)[:, None]
        n = tl.where(later & (j < final), span * 1.0, n)
        last = tl.where(final >= 0, T, -1)
    e = tl.where(n > 0.0, tl.where(n > 0.0, n, 1.0) * log_decay, 0.0)
    e, b, whole_e, whole_b = _whole(e, b, j)
    return whole_b + tl.exp2(whole_e) * handed, last


@triton.jit
def _rows(
    rewards,
    values,
    mask,
    gamma,
    lam,
    bootstrap,
    steps,
    amounts,
    advantages,
    returns,
    statistics,
    log_decay,
    decay,
    value_rate,
    gamma_value,
    B,
    streams,
    T,
    span,
    parts,
    gamma_step,
    lam_step,
    LANES: tl.constexpr,
    BLOCK: tl.constexpr,
    PARTS: tl.constexpr,
    STREAMS: tl.constexpr,
    ONE_VALUE: tl.constexpr,
    CARRY: tl.constexpr,
):
    """Advantages and returns of one part of some rows, with count, mean and M2 of the former."""
    stream, row, real, x_row, m_row = _place(B, streams, T, LANES, STREAMS)
    part = tl.program_id(1)
    handed = tl.full((LANES, 1), 0.0, tl.float64)
    if gamma is not None:
        log_decay, decay, value_rate, gamma_value = _rates(
            gamma, lam, stream, row, real, gamma_step, lam_step
        )
    if bootstrap is not None:
        end = tl.load(bootstrap + stream * B + row, mask=real, other=0.0).to(tl.float32)
        handed += gamma_value * end
    last = tl.full((LANES, 1), -1, tl.int32)
    if PARTS > 1:
        handed, last = _from_later_parts(
            handed, last, steps, amounts, (stream * B + row) * parts, part, parts, span, T, real,
            log_decay, PARTS, CARRY)  # fmt: skip
    start = part * span
    blocks = tl.cdiv(tl.minimum(span, T - start), BLOCK)
    place = tl.arange(0, BLOCK)[None, :]
    count = tl.full((1,), 0.0, tl.float64)
    mean = tl.full((1,), 0.0, tl.float64)
    squares = tl.full((1,), 0.0, tl.float64)
    for i in range(blocks):
        t = start + (blocks - 1 - i) * BLOCK + place
        after = t + 1
        e, b, last, _ = _maps(rewards, values, mask, x_row, m_row, after, real & (after < T),
                              last, log_decay, decay, value_rate, CARRY, ONE_VALUE)  # fmt: skip
        e, b, whole_e, whole_b = _whole(e, b, place)
        b += tl.exp2(e) * handed.to(tl.float32)
        handed = whole_b + tl.exp2(whole_e) * handed

        inside = real & (t < T)
        valid = tl.load(mask + m_row + t, mask=inside, other=0) != 0
        x = tl.load(rewards + x_row + t, mask=inside, other=0.0).to(tl.float32)
        gain = tl.where(valid, x + b, 0.0)
        v_row = m_row if ONE_VALUE else x_row
        v = tl.load(values + v_row + t, mask=inside, other=0.0).to(tl.float32)
        v = tl.where(valid, v, 0.0)
        if STREAMS:
            o_row = tl.program_id(0).to(tl.int64) * T
            within = t < T
            if ONE_VALUE:
                gain = tl.sum(gain, axis=0)[None, :]
                # lane 0 is always there
                v = tl.sum(tl.where(stream == 0, v, 0.0), axis=0)[None, :]
                tl.store(returns + o_row + t, gain, mask=within)
                tl.store(advantages + o_row + t, gain - v, mask=within)
            else:
                tl.store(returns + x_row + t, gain, mask=inside)
                tl.store(advantages + o_row + t, tl.sum(gain - v, axis=0)[None, :], mask=within)
        else:
            tl.store(returns + x_row + t, gain, mask=inside)
            a = gain - v
            tl.store(advantages + x_row + t, a, mask=inside)
            if statistics is not None:
                n = tl.sum(valid.to(tl.float32))
                middle = tl.sum(a) / tl.maximum(n, 1.0)
                away = tl.where(valid, a - middle, 0.0)
                total = count + n
                share = n / tl.maximum(total, 1.0)
                shift = middle - mean
                squares += tl.sum(away * away) + shift * shift * count * share
                mean += shift * share
                count = total
    if statistics is not None:
        at = (tl.program_id(0).to(tl.int64) * parts + part) * 3 + tl.arange(0, 1)
        tl.store(statistics + at, count)
        tl.store(statistics + at + 1, mean)
        tl.store(statistics + at + 2, squares)


@triton.jit
def _scale(statistics, scale, n, BLOCK: tl.constexpr):
    """Mean and ``(v + 1e-8)^−½`` of all advantages: Chan's formula over the programs' parts."""
    total = tl.full((1,), 0.0, tl.float64)
    mean = tl.full((1,), 0.0, tl.float64)
    squares = tl.full((1,), 0.0, tl.float64)
    for start in range(0, n, BLOCK):
        at = start + tl.arange(0, BLOCK)
        inside = at < n
        count = tl.load(statistics + at.to(tl.int64) * 3, mask=inside, other=0.0)
        mean += tl.sum(
            count * tl.load(statistics + at.to(tl.int64) * 3 + 1, mask=inside, other=0.0)
        )
        total += tl.sum(count)
    mean = mean / tl.maximum(total, 1.0)
    for start in range(0, n, BLOCK):
        at = start + tl.arange(0, BLOCK)
        inside = at < n
        count = tl.load(statistics + at.to(tl.int64) * 3, mask=inside, other=0.0)
        shift = tl.load(statistics + at.to(tl.int64) * 3 + 1, mask=inside, other=0.0) - mean
        own = tl.load(statistics + at.to(tl.int64) * 3 + 2, mask=inside, other=0.0)
        squares += tl.sum(own + tl.where(inside, count * shift * shift, 0.0))
    variance = squares / tl.maximum(total - 1.0, 1.0)
    tl.store(scale + tl.arange(0, 1), mean)
    tl.store(scale + 1 + tl.arange(0, 1), 1.0 / tl.sqrt(variance + 1e-8))


@triton.jit
def _normalise(advantages, mask, scale, n, BLOCK: tl.constexpr):
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    valid = tl.load(mask + at, mask=at < n, other=0) != 0
    x = tl.load(advantages + at, mask=at < n, other=0.0).to(tl.float64)
    x = (x - tl.load(scale)) * tl.load(scale + 1)
    tl.store(advantages + at, tl.where(valid, x, 0.0).to(tl.float32), mask=at < n)


class Machine(NamedTuple):
    """What a launch is cut to."""

    processors: int
    tokens: int  # of a block, at most


INTERPRETER = Machine(processors=4, tokens=64)
"""Small enough that small inputs take every path; the interpreter scans token by token."""


def machine(x: Tensor) -> Machine:
    """The device of a tensor."""
    return _gpu(x.device) if x.is_cuda else INTERPRETER


@lru_cache(maxsize=64)
def _gpu(device: torch.device) -> Machine:
    return Machine(torch.cuda.get_device_properties(device).multi_processor_count, 2048)


class Plan(NamedTuple):
    """How rows are cut: programs of ``lanes`` rows, or streams, and of ``span`` tokens."""

    groups: int
    lanes: int
    block: int
    span: int  # a multiple of block where there are several parts
    parts: int

    @property
    def warps(self) -> int:
        """Eight tokens to a thread."""
        return max(1, min(8, self.lanes * self.block // 256))


@lru_cache(maxsize=256)
def plan_of(rows: int, streams: int, T: int, on: Machine) -> Plan:
    """Several short rows to a program where rows abound; several programs to a long row.

    Rows are cut where they, one program each, would leave half of the processors idle; then there
    are about two programs to a processor. A cut row is read twice, the second time most likely from
    the cache.
    """
    lanes = _power(streams)
    block = max(16, min(_power(T), on.tokens // lanes))
    groups = rows
    if streams == 1:
        spare = max(1, rows // (4 * on.processors))
        lanes = max(1, min(on.tokens // 2 // block, _power(spare + 1) // 2))
        groups = _ceil(rows, lanes)
    if 2 * groups > on.processors or block >= T:
        return Plan(groups, lanes, block, T, 1)
    block = max(16, block // 2)
    blocks = _ceil(T, block)
    each = _ceil(blocks, _ceil(2 * on.processors, groups))
    return Plan(groups, lanes, block, each * block, _ceil(blocks, each))


def _ceil(a: int, b: int) -> int:
    return -(-a // b)


def _power(n: int) -> int:
    """The power of 2 that is n or the next above it."""
    return 1 << (n - 1).bit_length()


def gae(
    rewards: Tensor,
    values: Tensor,
    mask: Tensor,
    *,
    gammas: list[float],
    lam: float | Tensor,
    bootstrap: Tensor | None,
    carry: bool,
    whiten: bool = False,
) -> tuple[Tensor, Tensor]:
    """Advantages ``[B, T]`` and returns like ``values``, both float32.

    All contiguous. ``rewards`` ``[B, T]``, or ``[K, B, T]`` with a γ for each stream; ``values``
    the same, or ``[B, T]`` where λ = 1; ``mask`` ``[B, T]``, bool; ``lam`` a float or ``[B]``;
    ``bootstrap`` ``[B]`` or ``[K, B]``. ``whiten`` is for one stream.
    """
    streams, (B, T) = len(gammas), mask.shape
    advantages = rewards.new_empty(B, T, dtype=torch.float32)
    returns = values.new_empty(values.shape, dtype=torch.float32)
    if advantages.numel() == 0:
        return advantages, returns
    plan = plan_of(B, streams, T, machine(rewards))
    with torch.cuda.device_of(rewards):
        inputs = (rewards, values, mask.view(torch.uint8), *_rate_tables(gammas, lam, rewards))
        decay, value_rate, gamma = _rate_numbers(gammas, lam)
        numbers = {
            "log_decay": math.log2(decay) if decay > 0 else -math.inf,
            "decay": decay,
            "value_rate": value_rate,
            "B": B,
            "streams": streams,
            "T": T,
            "span": plan.span,
            "parts": plan.parts,
            "gamma_step": int(streams > 1),
            "lam_step": int(isinstance(lam, Tensor)),
            "LANES": plan.lanes,
            "BLOCK": plan.block,
            "STREAMS": streams > 1,
            "ONE_VALUE": values.ndim < rewards.ndim,
            "CARRY": carry,
            "num_warps": plan.warps,
        }
        steps = amounts = statistics = None
        if plan.parts > 1:
            shape = 2, streams * B * plan.parts
            steps, amounts = rewards.new_empty(shape, dtype=torch.float32).unbind()
            _composites[plan.groups, plan.parts - 1](*inputs, steps, amounts, **numbers)
        if whiten:
            statistics = rewards.new_empty(plan.groups * plan.parts, 3, dtype=torch.float64)
        results = bootstrap, steps, amounts, advantages, returns, statistics
        _rows[plan.groups, plan.parts](
            *inputs, *results, gamma_value=gamma, PARTS=_power(plan.parts), **numbers
        )
        if statistics is not None:
            _whiten_(advantages, inputs[2], statistics)
    return advantages, returns


def _rate_numbers(gammas: list[float], lam: float | Tensor) -> tuple[float, float, float]:
    """γλ, γ(1−λ) and γ where they are the same for all; else numbers that nobody reads."""
    if isinstance(lam, Tensor) or len(gammas) > 1:
        return 0.0, 0.0, 0.0
    return gammas[0] * lam, gammas[0] * (1.0 - lam), gammas[0]


def _rate_tables(
    gammas: list[float], lam: float | Tensor, like: Tensor
) -> tuple[Tensor | None, Tensor | None]:
    """γ by stream and λ by row where one of them differs; filled by the device, without a copy."""
    if not isinstance(lam, Tensor) and len(gammas) == 1:
        return None, None
    table = like.new_empty(len(gammas) + 1, dtype=torch.float64)
    for k, rate in enumerate(gammas):
        table[k].fill_(rate)
    if not isinstance(lam, Tensor):
        lam = table[-1:].fill_(lam)
    return table, lam


def _whiten_(advantages: Tensor, mask: Tensor, statistics: Tensor) -> None:
    scale, n = statistics.new_empty(2), advantages.numel()
    block = min(1024, _power(n))
    _scale[(1,)](statistics, scale, len(statistics), BLOCK=1024, num_warps=4)
    _normalise[(_ceil(n, block),)](advantages, mask, scale, n, BLOCK=block, num_warps=4)
