"""Log-prob, entropy and their gradient over rows of logits, read once each.

``statistics`` runs one program a row: an online softmax that keeps the running maximum m, Σe^(x−m)
and Σe^(x−m)·(x−m). ``write_gradient`` runs one program a chunk of a row; every chunk is
independent, so the gradient may be written over the logits.
"""
# ruff: noqa: N803, N806

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 4096
"""Logits that a program holds at a time: 16 a thread."""

FLOOR = tl.constexpr(-1e4)
"""e to this is 0, also in float64: stands for −∞ where 0·(−∞) should be 0."""


@triton.jit
def _tanh(x):
    """Tanh from one exponential; a series near 0, where ``1 − e^(−2|x|)`` would cancel."""
    e = tl.exp(-2.0 * tl.abs(x))
    far = (1.0 - e) / (1.0 + e)
    s = x * x
    near = x * (1.0 + s * (-1.0 / 3.0 + s * (2.0 / 15.0 + s * (-17.0 / 315.0 + s * 62.0 / 2835.0))))
    return tl.where(tl.abs(x) < 0.3, near, tl.where(x < 0, -far, far))


@triton.jit
def _scaled(x, inverse_temperature, cap, inverse_cap, CAPPED: tl.constexpr):
    """The logits whose softmax is meant."""
    if CAPPED:
        x = cap * _tanh(x * inverse_cap)
    return x * inverse_temperature


@triton.jit
def _statistics(
    logits,
    labels,
    mask,
    logp,
    entropy,
    lse,
    V,
    inverse_temperature,
    cap,
    inverse_cap,
    CAPPED: tl.constexpr,
    MASKED: tl.constexpr,
    ENTROPY: tl.constexpr,
    BLOCK: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    first = logits + row * V
    label = tl.load(labels + row)
    valid = label == label
    if MASKED:
        valid = tl.load(mask + row) != 0
    inside = valid & (label >= 0) & (label < V)
    chosen = tl.load(first + tl.where(inside, label, 0), mask=inside, other=0.0).to(tl.float32)
    chosen = _scaled(chosen, inverse_temperature, cap, inverse_cap, CAPPED)

    m = tl.full((), float("-inf"), tl.float32)
    total = tl.full((), 0.0, tl.float32)  # Σ e^(x−m)
    moment = tl.full((), 0.0, tl.float32)  # Σ e^(x−m)·(x−m)
    stop = tl.where(valid, V, 0)  # nothing of a masked row is read
    for start in range(0, stop, BLOCK):
        column = start + tl.arange(0, BLOCK)
        x = tl.load(first + column, mask=column < V, other=0.0).to(tl.float32)
        x = _scaled(x, inverse_temperature, cap, inverse_cap, CAPPED)
        x = tl.where(column < V, x, float("-inf"))
        top = tl.maximum(m, tl.max(x, 0))
        shift = tl.where(top == float("-inf"), 0.0, top)  # −∞ − −∞ is no 0
        e = tl.exp(x - shift)
        keep = tl.exp(m - shift)
        if ENTROPY:
            moved = tl.maximum(m - shift, FLOOR)
            moment = keep * (moment + total * moved) + tl.sum(e * tl.maximum(x - shift, FLOOR), 0)
        total = keep * total + tl.sum(e, 0)
        m = top

    total = tl.where(valid, total, 1.0)
    m = tl.where(valid, m, 0.0)
    size = tl.log(total)
    result = tl.where(inside, (chosen - m) - size, float("nan"))
    tl.store(logp + row, tl.where(valid, result, 0.0))
    tl.store(lse + row, m + size)
    if ENTROPY:
        tl.store(entropy + row, size - moment / total)


@triton.jit
def _gradient(
    logits,
    labels,
    mask,
    lse,
    entropy,
    grad_logp,
    grad_entropy,
    out,
    V,
    chunks,
    inverse_temperature,
    cap,
    inverse_cap,
    CAPPED: tl.constexpr,
    MASKED: tl.constexpr,
    ENTROPY: tl.constexpr,
    ELSEWHERE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    program = tl.program_id(0)
    row = (program // chunks).to(tl.int64)
    column = (program % chunks) * BLOCK + tl.arange(0, BLOCK)
    label = tl.load(labels + row)
    valid = label == label
    if MASKED:
        valid = tl.load(mask + row) != 0
    stop = tl.where(valid, V, 0)  # nothing of a masked row is read
    x = tl.load(logits + row * V + column, mask=column < stop, other=0.0).to(tl.float32)
    slope = inverse_temperature
    if CAPPED:
        e = tl.exp(-2.0 * tl.abs(x * inverse_cap))
        slope = slope * (4.0 * e / ((1.0 + e) * (1.0 + e)))  # 1 − tanh², without the cancellation
    z = _scaled(x, inverse_temperature, cap, inverse_cap, CAPPED) - tl.load(lse + row)

    g = tl.load(grad_logp + row).to(tl.float32)
    if not ELSEWHERE:
        g = tl.where((label >= 0) & (label < V), g, float("nan"))  # as the log-prob was
    weight = g
    if ENTROPY:
        h = tl.load(grad_entropy + row).to(tl.float32)
        weight = g + h * (tl.maximum(z, FLOOR) + tl.load(entropy + row))
    d = (tl.where(column == label, g, 0.0) - tl.exp(z) * weight) * slope
    d = tl.where(valid, d, 0.0)
    tl.store(out + row * V + column, d.to(out.dtype.element_ty), mask=column < V)


def _settings(V: int, temperature: float, softcap: float | None) -> dict[str, object]:
    block = min(BLOCK, max(128, triton.next_power_of_2(V)))
    return {
        "V": V,
        "inverse_temperature": 1.0 / temperature,
        "cap": softcap or 1.0,
        "inverse_cap": 1.0 / softcap if softcap else 1.0,
        "CAPPED": bool(softcap),
        "BLOCK": block,
        "num_warps": max(1, block // 512),
    }


def _bytes(mask: Tensor | None) -> Tensor | None:
    return None if mask is None else mask.view(torch.uint8)


def statistics(
    logits: Tensor,
    labels: Tensor,
    mask: Tensor | None,
    *,
    temperature: float,
    softcap: float | None,
    wanted: bool = True,
) -> tuple[Tensor, Tensor, Tensor]:
    """Log-prob of the labels, entropy and log-sum-exp of each row, float32 ``[n]``.

    ``logits`` ``[n, V]``, contiguous; ``labels`` ``[n]``; ``mask`` ``[n]``, bool. A masked row
    gives 0, a label outside the vocabulary a NaN log-prob. Unless ``wanted`` the entropy is empty.
    """
    n, V = logits.shape
    logp, lse = (torch.empty(n, dtype=torch.float32, device=logits.device) for _ in range(2))
    entropy = torch.empty(n if wanted else 0, dtype=torch.float32, device=logits.device)
    if n:
        with torch.cuda.device_of(logits):
            _statistics[(n,)](
                logits,
                labels,
                _bytes(mask),
                logp,
                entropy,
                lse,
                MASKED=mask is not None,
                ENTROPY=wanted,
                **_settings(V, temperature, softcap),
            )
    return logp, entropy, lse


def gradient(
    logits: Tensor,
    labels: Tensor,
    mask: Tensor | None,
    lse: Tensor,
    entropy: Tensor | None,
    grad_logp: Tensor,
    grad_entropy: Tensor | None,
    out: Tensor,
    *,
    temperature: float,
    softcap: float | None,
    elsewhere: bool = False,
) -> None:
    """Write the gradient of the logits to ``out``, which may be the logits; 0 for masked rows.

    With ``elsewhere`` a label outside the vocabulary is a token of another shard of it.
    """
    n, V = logits.shape
    settings = _settings(V, temperature, softcap)
    chunks = triton.cdiv(V, settings["BLOCK"])
    if n:
        with torch.cuda.device_of(logits):
            _gradient[(n * chunks,)](
                logits,
                labels,
                _bytes(mask),
                lse,
                entropy,
                grad_logp,
                grad_entropy,
                out,
                chunks=chunks,
                MASKED=mask is not None,
                ENTROPY=grad_entropy is not None,
                ELSEWHERE=elsewhere,
                **settings,
            )


def row_statistics(
    logits: Tensor, labels: Tensor, *, temperature: float, softcap: float | None
) -> tuple[Tensor, Tensor, Tensor]:
    """``logp, entropy, lse`` of a chunk of logits ``[n, V]``, each float32 ``[n]``.

    ``lse`` is that of the capped and scaled logits. A label outside the vocabulary gives NaN.
    """
    return statistics(logits, labels, None, temperature=temperature, softcap=softcap)


def write_gradient(
    logits: Tensor,
    labels: Tensor,
    lse: Tensor,
    entropy: Tensor | None,
    grad_logp: Tensor,
    grad_entropy: Tensor | None,
    out: Tensor,
    *,
    temperature: float,
    softcap: float | None,
    elsewhere: bool = False,
) -> None:
    """Write the gradient of a chunk of logits ``[n, V]`` to ``out``, computed in float32.

    ``out`` is ``[n, V]`` in any float dtype and may be ``logits`` itself. ``entropy`` is read only
    where ``grad_entropy`` is given. A row whose label is outside the vocabulary gives NaN, or with
    ``elsewhere`` has its label in another shard.
    """
    gradient(
        logits,
        labels,
        None,
        lse,
        entropy,
        grad_logp,
        grad_entropy,
        out,
        temperature=temperature,
        softcap=softcap,
        elsewhere=elsewhere,
    )
