"""The clipped loss and its gradient in one pass over the tokens, on the CPU.

The eager pieces, ``clipped``, ``k3`` and an aggregation, each read and write whole arrays, and
autograd keeps most of them for the backward. Here the tokens go through in blocks that stay in the
cache; the gradient is formed next to the loss, and the backward only scales it. What a token weighs
is one number a row, which every aggregation is: ``row_weights`` in ``aggregate`` finds it.

The eager pieces define what this computes. They take over when the loss is not finite even without
the padding: then some valid token is to blame, and speed does not matter.
"""

import math
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import forward_ad

from rlrewards.objectives import _checks
from rlrewards.objectives.kl import k3
from rlrewards.objectives.masked import wide_sum
from rlrewards.objectives.surrogate import LOG_RATIO_BOUND, clipped

BLOCK = 65_536
"""Tokens a thread works on at a time, or twice as many when it is the only one: some MiB of
scratch, and calls that are worth their overhead."""


def applies(logp: Tensor, mask: Tensor) -> bool:
    """Whether a loss may go through ``clipped_loss``; if not, the eager pieces serve everything.

    True for plain tensors on the CPU in float32, bfloat16 or float16. Not for float64, where the
    eager pieces are differentiable twice, nor under ``torch.compile``, ``torch.func`` or
    forward-mode differentiation, which need to look inside.

    >>> mask = torch.ones(2, 3, dtype=torch.bool)
    >>> applies(torch.zeros(2, 3), mask), applies(torch.zeros(2, 3, dtype=torch.float64), mask)
    (True, False)
    """
    return (
        all(
            type(x) in (Tensor, torch.nn.Parameter) and x.device.type == "cpu" for x in (logp, mask)
        )
        and logp.dtype in (torch.float32, torch.bfloat16, torch.float16)
        and not torch.compiler.is_compiling()
        and not torch._C._are_functorch_transforms_active()
        and forward_ad.unpack_dual(logp).tangent is None  # type: ignore[no-untyped-call]
    )


def clipped_loss(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    row_weight: Tensor,
    *,
    low: float = 0.2,
    high: float = 0.2,
    ceiling: float | None = None,
    beta: float = 0.0,
    ref_logp: Tensor | None = None,
) -> Tensor:
    """The aggregated clipped surrogate with its KL penalty: ``Σᵢ wᵢ Σₜ m·(clipped + β·k3)``.

    PPO, arXiv 1707.06347, and GRPO, arXiv 2402.03300; bounds and ``ceiling`` as for ``clipped``,
    the penalty as for ``k3``. ``row_weight`` w is 1/D for a token mean over D tokens and
    1/(D·nᵢ) for a mean of sequence means; it is a constant. Differentiable once: a second
    derivative raises ``RuntimeError``, and needs the eager pieces.

    Shapes: ``logp``, ``old_logp``, ``ref_logp``, ``mask`` ``[B, T]``; ``advantages`` ``[B]`` or
    ``[B, T]``; ``row_weight`` ``[B]`` or a scalar → scalar, in at least float32. CPU tensors.
    Raises ``ValueError`` for other shapes, bounds that ``clipped`` refuses, a negative ``beta``,
    and a positive one without ``ref_logp``.

    >>> logp = torch.tensor([[-1.0, -1.0], [-1.0, -1.0]])
    >>> advantages, mask = torch.tensor([1.0, -2.0]), torch.tensor([[1, 1], [1, 0]])
    >>> clipped_loss(logp, logp, advantages, mask, torch.tensor([1 / 4, 1 / 2]))
    tensor(0.5000)
    """
    inputs = _checked(
        logp, old_logp, advantages, mask, row_weight, (low, high, ceiling), beta, ref_logp
    )
    constants = inputs._replace(logp=inputs.logp.detach())
    if torch.is_grad_enabled() and inputs.logp.requires_grad:
        loss: Tensor = _ClippedLoss.apply(inputs.logp, constants)  # type: ignore[no-untyped-call]
        return loss
    return _loss_and_gradient(constants, wanted=False)[0]


class _Inputs(NamedTuple):
    logp: Tensor
    old_logp: Tensor
    advantages: Tensor  # [B, 1] or [B, T]
    mask: Tensor  # bool
    row_weight: Tensor  # [B], float64
    ref_logp: Tensor | None
    bounds: tuple[float, float, float | None]  # low, high, ceiling
    beta: float


def _checked(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    row_weight: Tensor,
    bounds: tuple[float, float, float | None],
    beta: float,
    ref_logp: Tensor | None,
) -> _Inputs:
    """All inputs in one dtype, the constants without history; or an error."""
    low, high, ceiling = bounds
    _checks.at_least("low", low, 0.0)
    _checks.at_least("high", high, 0.0)
    if ceiling is not None:
        _checks.at_least("ceiling", ceiling, 1.0 + high)
    _checks.at_least("beta", beta, 0.0)
    if beta and ref_logp is None:
        raise ValueError(f"beta is {beta} but ref_logp is None: pass the reference's log-probs")
    logp = _checks.floats("logp", logp, ndim=2)
    if logp.device.type != "cpu":
        raise ValueError(f"logp is on {logp.device}, expected the CPU: use the eager pieces there")
    old_logp = _checks.floats("old_logp", old_logp, ndim=2)
    _checks.same_shape("old_logp", old_logp, "logp", logp)
    dtype = torch.promote_types(logp.dtype, old_logp.dtype)
    if beta and ref_logp is not None:
        ref_logp = _checks.floats("ref_logp", ref_logp, ndim=2)
        _checks.same_shape("ref_logp", ref_logp, "logp", logp)
        dtype = torch.promote_types(dtype, ref_logp.dtype)
        ref_logp = ref_logp.detach().to(dtype)
    logp = logp.to(dtype)
    row_weight = _checks.floats("row_weight", row_weight).detach().double()
    if row_weight.shape not in ((), logp.shape[:1]):
        raise ValueError(
            f"row_weight has shape {list(row_weight.shape)}, expected [B] = "
            f"{list(logp.shape[:1])} or a scalar"
        )
    return _Inputs(
        logp,
        old_logp.detach().to(dtype),
        _checks.per_token(advantages, logp),
        _checks.boolean_mask(mask, "logp", logp),
        row_weight.expand(len(logp)),
        ref_logp if beta else None,
        bounds,
        beta,
    )


class _ClippedLoss(torch.autograd.Function):
    """The gradient is formed by the forward, which has all it takes in the cache.

    The first backward gives that array away, scaled in place; another one through the same graph
    forms it again. So no array is written that the caller holds, and none is copied.
    """

    @staticmethod
    def forward(ctx: Any, logp: Tensor, inputs: _Inputs) -> Tensor:
        loss, ctx.gradient = _loss_and_gradient(inputs, wanted=True)
        ctx.save_for_backward(logp, *inputs[1:6])
        ctx.settings = inputs[6:]
        return loss

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        gradient, ctx.gradient = ctx.gradient, None
        with torch.no_grad():
            if gradient is None:
                logp, *others = ctx.saved_tensors
                inputs = _Inputs(logp.detach(), *others, *ctx.settings)
                gradient = _loss_and_gradient(inputs, wanted=True)[1]
            zero = None if math.isfinite(upstream) else gradient == 0
            if upstream != 1:  # a loss that is itself differentiated: a whole pass saved
                gradient.mul_(upstream)
            if zero is not None:  # 0 · NaN: padding keeps its zeros
                gradient.masked_fill_(zero, 0.0)
        if torch.is_grad_enabled():
            gradient = differentiable_once(
                gradient,
                ctx.saved_tensors[0],
                "clipped_loss",
                "use the eager pieces (clipped, k3 and an aggregation), or a recipe on float64 "
                "log-probs",
            )
        return gradient, None


def differentiable_once(gradient: Tensor, x: Tensor, name: str, instead: str) -> Tensor:
    """The gradient of ``x``, which raises ``RuntimeError`` when it is itself differentiated.

    As a constant it would be left out of a second derivative without a word.

    >>> x = torch.ones(2, requires_grad=True)
    >>> differentiable_once(torch.ones(2), x, "loss", "call the recipe").sum().backward()
    Traceback (most recent call last):
    RuntimeError: loss can be differentiated once only: for second derivatives call the recipe
    """
    message = f"{name} can be differentiated once only: for second derivatives {instead}"
    found: Tensor = _Once.apply(gradient, x, message)  # type: ignore[no-untyped-call]
    return found


class _Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gradient: Tensor, x: Tensor, message: str) -> Tensor:
        ctx.message = message
        return gradient.view_as(gradient)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> None:
        raise RuntimeError(ctx.message)


def _loss_and_gradient(inputs: _Inputs, *, wanted: bool) -> tuple[Tensor, Tensor | None]:
    """In the fast way as long as the loss is finite: so padding may hold anything for one test."""
    total, gradient = _one_pass(inputs, wanted=wanted)
    if not math.isfinite(total):
        inputs = _without_padding(inputs)
        total, gradient = _one_pass(inputs, wanted=wanted)
    if not math.isfinite(total):
        total, gradient = _eager(inputs)
    return inputs.logp.new_tensor(total), gradient


def _without_padding(inputs: _Inputs) -> _Inputs:
    mask, advantages = inputs.mask, inputs.advantages
    some = mask if advantages.shape == mask.shape else mask.any(1, keepdim=True)
    return inputs._replace(
        logp=torch.where(mask, inputs.logp, 0.0),
        old_logp=torch.where(mask, inputs.old_logp, 0.0),
        ref_logp=None if inputs.ref_logp is None else torch.where(mask, inputs.ref_logp, 0.0),
        advantages=torch.where(some, advantages, 0.0),
    )


def _eager(inputs: _Inputs) -> tuple[float, Tensor]:
    """The definition: loss and gradient from the eager pieces."""
    low, high, ceiling = inputs.bounds
    with torch.enable_grad():
        logp = inputs.logp.detach().requires_grad_()
        advantages = inputs.advantages.expand_as(logp)
        x = clipped(logp, inputs.old_logp, advantages, low=low, high=high, ceiling=ceiling)
        if inputs.ref_logp is not None:
            x = x + inputs.beta * k3(logp, inputs.ref_logp)
        total = (inputs.row_weight * wide_sum(x, inputs.mask, 1)).sum()
        spoilt = torch.where(total.isnan(), torch.nan, 1.0).detach()  # as in the aggregations
        (gradient,) = torch.autograd.grad(total * spoilt, logp)
    return total.item(), gradient


def _one_pass(inputs: _Inputs, *, wanted: bool) -> tuple[float, Tensor | None]:
    """Loss and gradient, block by block, for finite padding; NaN where that cannot be."""
    logp = inputs.logp
    (rows, width), dtype = logp.shape, logp.dtype
    height, columns = _block_shape(logp)
    limits = _limits(inputs.bounds, dtype)
    weight = inputs.row_weight.to(dtype).unsqueeze(1)
    # Infinite, it would spoil the zeros of padding; negative, it would turn the bounds round.
    lowest, highest = weight.aminmax() if rows else (0.0, 0.0)
    if not 0.0 <= lowest <= highest < math.inf:
        return math.nan, None
    per_row = inputs.advantages.shape[1] == 1
    slope = bound = cap = None
    if per_row:
        slope, bound, cap = _slope(inputs.advantages, weight, limits)
    fields = _Tokens(
        logp.new_empty(rows, width) if wanted else None,
        logp,
        inputs.old_logp,
        inputs.ref_logp,
        inputs.mask.view(torch.uint8),  # bool is converted to floats some six times slower
        weight,
        slope,
        bound,
        cap,
        None if per_row else inputs.advantages,
    )
    spare = (inputs.ref_logp is not None or not wanted) * 2 + (not per_row) * 3
    narrow = logp.new_empty(2 + spare, height, columns)
    scratch = [*narrow.unbind()]
    sums = [
        _one_block(block, scratch, limits, inputs.beta)
        for block in _blocks(fields, height, columns)
    ]
    return (torch.cat(sums).sum().item() if sums else 0.0), fields.gradient


def _block_shape(logp: Tensor) -> tuple[int, int]:
    """Whole rows where they fit; the scratch stays below two arrays of ``[B, T]``, or three."""
    rows, width = logp.shape
    size = min(BLOCK * max(2, torch.get_num_threads()), max(BLOCK // 4, logp.numel() // 2))
    # float64 is summed with a correction, which wants whole rows
    columns = max(1, width if logp.dtype == torch.float64 else min(width, size))
    return max(1, min(rows, size // columns)), columns


class _Limits(NamedTuple):
    """Where the ratio is cut. The bounds of the log-ratio are merged in: one cut does for both."""

    least: float  # e^−20
    low: float  # 1 − low, where A < 0
    high: float  # 1 + high, where A > 0
    most: float  # the ceiling, or e^20 if that is smaller


class _Tokens(NamedTuple):
    """One block of everything, each ``[b, t]``."""

    gradient: Tensor | None
    logp: Tensor
    old_logp: Tensor
    ref_logp: Tensor | None
    mask: Tensor  # uint8
    weight: Tensor
    slope: Tensor | None
    bound: Tensor | None
    cap: Tensor | None
    advantages: Tensor | None


def _blocks(fields: _Tokens, height: int, columns: int) -> Iterator[_Tokens]:
    rows, width = fields.logp.shape
    whole = columns >= width
    if not whole:
        fields = _Tokens._make(None if x is None else x.expand(rows, width) for x in fields)
    for i in range(0, rows, height):
        for j in range(0, width, columns):
            band = slice(i, i + height)
            at = band if whole else (band, slice(j, j + columns))
            yield _Tokens._make(None if x is None else x[at] for x in fields)


def _limits(bounds: tuple[float, float, float | None], dtype: torch.dtype) -> _Limits:
    low, high, ceiling = bounds
    least, most = _edges(dtype)
    limit = most if ceiling is None else min(ceiling, most)
    return _Limits(least, max(1.0 - low, least), min(1.0 + high, most), limit)


@cache
def _edges(dtype: torch.dtype) -> tuple[float, float]:
    """e^±20 as ``_exp_`` rounds them."""
    edges = torch.tensor([-LOG_RATIO_BOUND, LOG_RATIO_BOUND], dtype=dtype, device="cpu")
    least, most = _exp_(edges).tolist()
    return least, most


def _exp_(x: Tensor) -> Tensor:
    """In half the time of ``exp``; the error in float32 is that of rounding x."""
    return x.mul_(1 / math.log(2)).exp2_()


class _Slope(NamedTuple):
    """What the weighted loss of a token is in the ratio r: ``min(max(s·r, bound), cap)``."""

    slope: Tensor  # s = −w·A
    bound: Tensor  # s·(1 + high) or s·(1 − low): the smaller is that of the sign of A
    cap: Tensor  # s·ceiling or s·e^−20: the larger


def _slope(
    advantages: Tensor, weight: Tensor, limits: _Limits, out: list[Tensor] | None = None
) -> _Slope:
    s, bound, cap, other = out or [torch.empty_like(advantages) for _ in range(4)]
    torch.mul(advantages, weight, out=s).neg_()
    torch.mul(s, limits.high, out=bound)
    torch.minimum(bound, torch.mul(s, limits.low, out=other), out=bound)
    torch.mul(s, limits.most, out=cap)
    torch.maximum(cap, torch.mul(s, limits.least, out=other), out=cap)
    return _Slope(s, bound, cap)


def _one_block(tokens: _Tokens, scratch: list[Tensor], limits: _Limits, beta: float) -> Tensor:
    """``Σₜ m·w·(−A·clip(r) + β·k3)`` of each row; its gradient to its place."""
    height, columns = tokens.logp.shape
    if tokens.logp.shape != scratch[0].shape:
        scratch = [x[:height, :columns] for x in scratch]
    value, keep, *spare = scratch
    if tokens.advantages is None:
        assert tokens.slope is not None  # those of a row have their slope
        assert tokens.bound is not None
        assert tokens.cap is not None
        slope = _Slope(tokens.slope, tokens.bound, tokens.cap)
    else:
        slope = _slope(tokens.advantages, tokens.weight, limits, [*spare[-3:], value])
    gradient = tokens.gradient
    line = spare[0] if gradient is None else gradient
    _exp_(torch.sub(tokens.logp, tokens.old_logp, out=line)).mul_(slope.slope)
    torch.minimum(torch.maximum(line, slope.bound, out=value), slope.cap, out=value)
    if gradient is not None:
        torch.eq(line, value, out=gradient)  # 1 where nothing was cut
    value.mul_(keep.copy_(tokens.mask))
    if gradient is not None:
        gradient.mul_(value)
    if tokens.ref_logp is not None:
        _add_penalty(tokens, value, keep.mul_(tokens.weight), spare, beta)
    if value.dtype == torch.float64:
        return wide_sum(value, tokens.mask.new_ones((), dtype=torch.bool), 1)
    return value.sum(1, dtype=torch.float64)


def _add_penalty(
    tokens: _Tokens, value: Tensor, weight: Tensor, spare: list[Tensor], beta: float
) -> None:
    """Add ``w·β·k3`` to the value and its derivative to the gradient."""
    assert tokens.ref_logp is not None
    delta, power = spare[:2]
    torch.sub(tokens.ref_logp, tokens.logp, out=delta)
    within = delta <= LOG_RATIO_BOUND if delta.amax() > LOG_RATIO_BOUND else None
    torch.expm1(delta.clamp_(max=LOG_RATIO_BOUND), out=power)
    value.addcmul_(delta.sub_(power), weight, value=-beta)
    if tokens.gradient is not None:
        power = power if within is None else power.mul_(within)
        tokens.gradient.addcmul_(power, weight, value=-beta)
