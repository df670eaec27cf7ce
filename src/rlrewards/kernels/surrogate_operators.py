"""The policy loss as torch sees it: two operators, their shapes, and how autograd goes on.

The forward stores the gradient next to the loss. The first backward gives that array away, scaled
in place where the factor is not 1; any other one forms it again.
"""

from typing import Any

import torch
from torch import Tensor

from rlrewards.kernels import launch, library
from rlrewards.objectives.fused import differentiable_once

_TOKENS = (
    "Tensor logp, Tensor? old_logp, Tensor advantages, Tensor mask, Tensor row_weight, "
    "Tensor? ref_logp, Tensor? keep, Tensor? weight"
)
_SETTINGS = "str kind, str kl, float low, float high, float ceiling, float beta"
_COUNT = 14  # of both together


def _compute(*arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Loss, its gradient in ``logp`` if wanted, and the sums that the metrics are made of.

    Unless the gradient is to be kept as it is, a backward writes on it.
    """
    *rest, wanted, metrics, _ = arguments
    programs = _programs(rest[0])
    partial_sums, gradient = programs.forward(rest[:8], rest[8:], wanted=wanted, metrics=metrics)
    loss = partial_sums[:, 0].sum(dtype=torch.float64).float()
    if not metrics:
        return loss, gradient, loss.new_empty(0, dtype=torch.float64)
    total, extremes = partial_sums[:, :-2].sum(0, dtype=torch.float64), partial_sums[:, -2:].amax(0)
    return loss, gradient, torch.cat((total, extremes.double()))


def _fake(logp: Tensor, *arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
    *_, wanted, metrics, _ = arguments
    return (
        logp.new_empty((), dtype=torch.float32),
        torch.empty_like(logp) if wanted else logp.new_empty(0),
        logp.new_empty(12 if metrics else 0, dtype=torch.float64),
    )


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    loss, ctx.gradient, sums = output
    ctx.mark_non_differentiable(ctx.gradient, sums)
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(*inputs[:8], loss)
    ctx.settings = inputs[8:_COUNT]
    ctx.stored, _, ctx.kept = inputs[_COUNT:]


def _backward(ctx: Any, upstream: Tensor | None, *_: None) -> tuple[Tensor | None, ...]:
    """The first backward gives the stored gradient away; another one forms it again.

    ``torch.compile`` traces functions without side effects, and gets a copy.
    """
    nothing = (None,) * (_COUNT + 2)
    if upstream is None:
        return None, *nothing
    *tokens, loss = ctx.saved_tensors
    gradient, ctx.gradient = ctx.gradient, None
    fresh = gradient is None or not ctx.stored
    with torch.no_grad():
        if fresh:
            gradient = torch.empty_like(tokens[0])
        elif ctx.kept or type(gradient) is not Tensor:
            gradient = gradient.clone()
        POLICY_LOSS_BACKWARD(gradient, loss, upstream, *tokens, *ctx.settings, fresh)
    if torch.is_grad_enabled():
        gradient = differentiable_once(
            gradient, tokens[0], "policy_loss", "call the recipe itself, on float64 log-probs"
        )
    return gradient, *nothing


def _compute_scale(gradient: Tensor, loss: Tensor, upstream: Tensor, *arguments: Any) -> None:
    """Make the stored gradient, or fresh memory, that of ``upstream·loss``."""
    *rest, fresh = arguments
    _programs(gradient).backward(gradient, loss, upstream, rest[:8], rest[8:], fresh=fresh)


def _programs(x: Tensor) -> Any:
    if not launch.runs_triton(x):
        raise RuntimeError(
            f"this operator runs on CUDA, not on {x.device}: call policy_loss, which leaves CPU "
            "tensors to the recipe"
        )
    from rlrewards.kernels.programs import surrogate as programs

    return programs


POLICY_LOSS = library.register(
    f"policy_loss({_TOKENS}, {_SETTINGS}, bool wanted, bool metrics, bool kept) -> "
    "(Tensor loss, Tensor gradient, Tensor sums)",
    _compute,
    _fake,
    backward=_backward,
    save=_save,
)
POLICY_LOSS_BACKWARD = library.register(
    f"policy_loss_backward(Tensor(a!) gradient, Tensor loss, Tensor upstream, {_TOKENS}, "
    f"{_SETTINGS}, bool fresh) -> ()",
    _compute_scale,
    lambda *arguments: None,
)
