"""The linear kernels as torch sees them: operators, their shapes, and how autograd goes on.

``linear_passes`` does the work. An operator takes tensors and numbers, so that ``torch.compile``
and autograd go through it; a vocabulary over ranks comes with functions, and gets an
``autograd.Function`` instead.
"""

from typing import Any

import torch
from torch import Tensor

from rlrewards.kernels import library, linear_passes
from rlrewards.kernels.projection import VocabShard


def _fake_forward(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor, chosen: Tensor | None,
    temperature: float, softcap: float, entropy: bool,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    count, dtype = hidden.shape[0], linear_passes.result_dtype(weight)
    logp, lse = (hidden.new_empty(count, dtype=dtype) for _ in range(2))
    return logp, hidden.new_empty(count if entropy else 0, dtype=dtype), lse


def _fake_backward(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *rest: Any,
    dtype: torch.dtype | None = None,
) -> Any:
    """Empty tensors like those that are wanted, which the last argument says."""
    return tuple(
        torch.empty_like(x, dtype=dtype)
        if want and x is not None
        else weight.new_empty(0, dtype=dtype)
        for x, want in zip((hidden, weight, bias), rest[-1], strict=True)
    )


def _fake_loss(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor, *rest: Any
) -> tuple[Tensor, ...]:
    *_, entropy, hidden_wanted, weight_wanted, bias_wanted = rest
    logp, spread, _ = _fake_forward(hidden, weight, bias, labels, None, 1.0, 0.0, entropy)
    wanted = [hidden_wanted, weight_wanted, bias_wanted]
    gradients = _fake_backward(hidden, weight, bias, wanted, dtype=linear_passes.kept_dtype(weight))
    return logp.new_empty(()), logp, spread, *gradients


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.save_for_backward(*inputs[:5], *output)
    ctx.settings = inputs[5:7]
    ctx.entropy = inputs[7]
    ctx.mark_non_differentiable(output[2])
    ctx.set_materialize_grads(False)


def _differentiate(ctx: Any, *upstreams: Tensor | None) -> tuple[Tensor | None, ...]:
    hidden, weight, bias, labels, chosen, logp, spread, lse = ctx.saved_tensors
    upstream, upstream_entropy = upstreams[0], upstreams[1] if ctx.entropy else None
    if upstream is None and upstream_entropy is None:
        return (None,) * 8
    if upstream is None:
        upstream = torch.zeros_like(logp)
    wanted = list(ctx.needs_input_grad[:3])
    parts = LOGPROB_BACKWARD(
        hidden, weight, bias, labels, chosen, logp, spread, lse, upstream.contiguous(),
        None if upstream_entropy is None else upstream_entropy.contiguous(), *ctx.settings, wanted,
    )  # fmt: skip
    found = [part if want else None for part, want in zip(parts, wanted, strict=True)]
    return (*found, None, None, None, None, None)


def _save_loss(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(inputs[0], *inputs[4:])
    ctx.dtype = inputs[1].dtype


def _scale_loss(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
    """For ``torch.compile``, which fuses what ``_ScaledLoss`` does in place."""
    loss, *gradients, counted = ctx.saved_tensors
    factors = _factors(loss, counted, upstream)
    found = [
        (x * factor).to(ctx.dtype) if want else None
        for x, factor, want in zip(gradients, factors, ctx.needs_input_grad[1:4], strict=True)
    ]
    return (None, *found, None, None, None, None)


def _refuse(ctx: Any, *upstreams: Tensor | None) -> None:
    raise RuntimeError(
        "linear_logprob can be differentiated once only: for second derivatives use "
        "eager_linear_logprob"
    )


LOGPROB = library.register(
    "linear_logprob(Tensor hidden, Tensor weight, Tensor? bias, Tensor labels, Tensor? chosen, "
    "float temperature, float softcap, bool entropy) -> (Tensor, Tensor, Tensor)",
    linear_passes.forward,
    _fake_forward,
    backward=_differentiate,
    save=_save,
)
LOGPROB_BACKWARD = library.register(
    "linear_logprob_backward(Tensor hidden, Tensor weight, Tensor? bias, Tensor labels, "
    "Tensor? chosen, Tensor logp, Tensor spread, Tensor lse, Tensor upstream, "
    "Tensor? upstream_entropy, float temperature, float softcap, bool[] wanted) "
    "-> (Tensor, Tensor, Tensor)",
    linear_passes.backward,
    _fake_backward,
    backward=_refuse,
    save=lambda ctx, inputs, output: None,
)
LOSS = library.register(
    "linear_loss(Tensor hidden, Tensor weight, Tensor? bias, Tensor labels, Tensor chosen, "
    "Tensor advantages, Tensor mask, Tensor? old_logp, Tensor? ref_logp, Tensor? keep, "
    "Tensor? token_weight, Tensor? denominator, str recipe, str penalty, str[] names, "
    "float[] numbers, float temperature, float softcap, bool entropy, "
    "bool hidden_wanted, bool weight_wanted, bool bias_wanted) "
    "-> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
    linear_passes.loss_and_gradients,
    _fake_loss,
)
SCALED = library.register(
    "linear_loss_scaled(Tensor loss, Tensor hidden, Tensor weight, Tensor? bias, "
    "Tensor hidden_gradient, Tensor weight_gradient, Tensor bias_gradient, Tensor counted) "
    "-> Tensor",
    lambda loss, *_: loss.clone(),
    lambda loss, *_: torch.empty_like(loss),
    backward=_scale_loss,
    save=_save_loss,
)


def scaled(
    loss: Tensor, inputs: tuple[Tensor | None, ...], gradients: list[Tensor], counted: Tensor
) -> Tensor:
    """Return the loss as a function of hidden states, weight and bias, whose gradients are there.

    A NaN loss and an infinite factor leave the tokens alone that are not counted, ``[N]``.
    """
    apply = SCALED if torch.compiler.is_compiling() else _ScaledLoss.apply
    found: Tensor = apply(loss, *inputs, *gradients, counted)
    return found


class _ScaledLoss(torch.autograd.Function):
    """A loss whose gradients are there already; the backward scales them, in place, once."""

    @staticmethod
    def forward(ctx: Any, loss: Tensor, *others: Any) -> Tensor:
        ctx.wanted = [x is not None and x.requires_grad for x in others[:3]]
        ctx.dtype, ctx.counted, ctx.gradients = others[1].dtype, others[6], others[3:6]
        ctx.loss = loss
        return loss.clone()

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        gradients, ctx.gradients = ctx.gradients, None
        if gradients is None:
            raise RuntimeError(
                "linear_loss: this graph was used already, and its gradients were given away: "
                "call it again"
            )
        if torch.is_grad_enabled():
            raise RuntimeError(
                "linear_loss can be differentiated once only: for second derivatives use "
                "eager_linear_logprob and the recipe"
            )
        factors = _factors(ctx.loss, ctx.counted, upstream)
        found = [
            x.mul_(factor).to(ctx.dtype) if want else None
            for x, factor, want in zip(gradients, factors, ctx.wanted, strict=True)
        ]
        return (None, *found, None, None, None, None)


def _factors(loss: Tensor, counted: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What multiplies the gradients of hidden states, weight and bias, before they are rounded.

    They have a dimension, so that their dtype counts. A NaN loss spoils everything but padding,
    which stays 0 whatever the factor is.
    """
    factor = torch.where(loss.isnan(), torch.nan, upstream).view(1, 1)
    return torch.where(counted.unsqueeze(1), factor, 0.0), factor, factor[0]


def sharded_logprob(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor, chosen: Tensor | None,
    settings: tuple[float, float, bool], shard: VocabShard,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """What ``LOGPROB`` returns, with a vocabulary over ranks."""
    found: tuple[Tensor, Tensor, Tensor] = _ShardedLogProb.apply(  # type: ignore[no-untyped-call]
        hidden, weight, bias, labels, chosen, settings, shard
    )
    return found


class _ShardedLogProb(torch.autograd.Function):
    """``linear_logprob`` with a vocabulary over ranks: its hooks are functions, no tensors."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor,
        chosen: Tensor | None, settings: tuple[float, float, bool], shard: VocabShard,
    ) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
        out = linear_passes.forward(hidden, weight, bias, labels, chosen, *settings, shard)
        ctx.save_for_backward(hidden, weight, bias, labels, chosen, *out)
        ctx.settings, ctx.shard = settings, shard
        ctx.mark_non_differentiable(out[2])
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, upstream: Tensor, of_spread: Tensor, _: Tensor) -> tuple[Any, ...]:
        temperature, softcap, entropy = ctx.settings
        wanted = list(ctx.needs_input_grad[:3])
        hidden, weight, bias, labels, chosen, *known = ctx.saved_tensors
        upstreams = upstream, of_spread if entropy else None
        logp, spread, lse = known
        parts = linear_passes.backward(
            hidden, weight, bias, labels, chosen, logp, spread, lse, *upstreams, temperature,
            softcap, wanted, ctx.shard,
        )  # fmt: skip
        found = [part if want else None for part, want in zip(parts, wanted, strict=True)]
        return (*found, None, None, None, None)
