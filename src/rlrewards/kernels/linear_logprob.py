"""Log-probabilities, entropies and losses from hidden states, the logits never stored.

``hidden @ lm_headᵀ`` of a training batch is gigabytes. ``linear_logprob`` passes over some tokens
at a time and keeps a number or two of each; its backward computes the logits again, which makes
four matrix products in all. ``linear_loss`` knows the objective: where that is a sum over tokens it
forms the gradient in the forward, while the logits are at hand: three products. Where the objective
needs every token's log-probability first (GSPO), it takes the way of ``linear_logprob``.

``projection`` has the arithmetic, ``device_projection`` that on a GPU.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import forward_ad

from rlrewards.kernels import launch, library
from rlrewards.kernels.device_projection import DeviceHead
from rlrewards.kernels.objective import PolicyObjective, flattened, unflattened
from rlrewards.kernels.projection import Gradients, Head, Statistics, VocabShard
from rlrewards.objectives.metrics import LossOutput

AnyHead = Head | DeviceHead


class LinearLogProbs(NamedTuple):
    """``logp, entropy = linear_logprob(...)``; the second is None unless asked for."""

    logp: Tensor
    entropy: Tensor | None


class LinearLoss(NamedTuple):
    """What ``linear_loss`` returns; log-probabilities and entropies are constants."""

    loss: Tensor
    metrics: dict[str, Tensor]
    logp: Tensor
    entropy: Tensor | None


def linear_logprob(
    hidden: Tensor,
    lm_head: Tensor,
    labels: Tensor,
    *,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
    temperature: float = 1.0,
    softcap: float | None = None,
    entropy: bool = False,
    shard: VocabShard | None = None,
) -> LinearLogProbs:
    """``log softmax(z)[label]`` with ``z = cap·tanh((h·Wᵀ + b)/cap)/temperature``, and the entropy.

    Differentiable once, in reverse mode, in ``hidden``, ``lm_head`` and ``bias``, through both
    results; what does not require a gradient costs no product. Accumulated in float32 at least.
    Masked tokens are left out of the products, which on a GPU waits for their number; they give 0
    and get no gradient, whatever they and their labels hold. Under autocast both matrices are cast
    as a linear layer casts them. A label that is no token is a ``ValueError`` on the CPU; a GPU is
    not waited for, and gives NaN.

    With a vocabulary that is spread over ranks pass ``shard``; see ``VocabShard``. That does not go
    through ``torch.compile``.

    Shapes: ``hidden`` ``[…, H]``, ``labels`` and ``mask`` ``[…]``, ``lm_head`` ``[V, H]``, ``bias``
    ``[V]`` → ``[…]``, float32, or float64 for float64 matrices. float32, bfloat16, float16 or
    float64, the matrices alike. Raises ``TypeError`` and ``ValueError`` for what does not fit.

    >>> hidden, lm_head = torch.eye(2), torch.tensor([[0.0, 0.0], [2.0, 0.0]])
    >>> linear_logprob(hidden, lm_head, torch.tensor([1, 1])).logp
    tensor([-0.1269, -0.6931])
    """
    hidden, lm_head, bias = _autocast(hidden, lm_head, bias)
    _check(hidden, lm_head, labels, bias, mask, temperature, softcap)
    shape = labels.shape
    flat = hidden.flatten(0, -2)
    settings = (float(temperature), float(softcap or 0.0), bool(entropy))
    chosen = None if mask is None else mask.reshape(-1) != 0
    if shard is None:
        found = _OPERATOR(flat, lm_head, bias, labels.reshape(-1), chosen, *settings)
    else:
        found = _Sharded.apply(  # type: ignore[no-untyped-call]
            flat, lm_head, bias, labels.reshape(-1), chosen, settings, shard
        )
    logp, spread, _ = found
    return LinearLogProbs(logp.view(shape), spread.view(shape) if entropy else None)


def eager_linear_logprob(
    hidden: Tensor,
    lm_head: Tensor,
    labels: Tensor,
    *,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
    temperature: float = 1.0,
    softcap: float | None = None,
    entropy: bool = False,
) -> LinearLogProbs:
    """What ``linear_logprob`` means, with all logits: the oracle of its tests."""
    work = torch.float64 if hidden.dtype == torch.float64 else torch.float32
    if mask is not None:
        valid = mask != 0
        hidden = torch.where(valid.unsqueeze(-1), hidden, 0.0)
        labels = torch.where(valid, labels, 0)
    z = hidden.to(work) @ lm_head.to(work).t()
    if bias is not None:
        z = z + bias.to(work)
    if softcap:
        z = softcap * torch.tanh(z / softcap)
    all_logp = torch.log_softmax(z / temperature, -1)
    logp = all_logp.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    spread = -(all_logp.exp() * all_logp).sum(-1)
    if mask is not None:
        logp, spread = torch.where(valid, logp, 0.0), torch.where(valid, spread, 0.0)
    return LinearLogProbs(logp, spread if entropy else None)


def linear_loss(
    hidden: Tensor,
    lm_head: Tensor,
    labels: Tensor,
    objective: PolicyObjective | Callable[[Tensor], LossOutput | Tensor],
    *,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
    temperature: float = 1.0,
    softcap: float | None = None,
    entropy: bool = False,
    shard: VocabShard | None = None,
) -> LinearLoss:
    """The loss of an objective, from hidden states.

    A ``PolicyObjective`` whose recipe is a sum over tokens is computed in one pass that forms the
    gradients too (and in the forward alone, if none is wanted); it is differentiable once, and its
    graph can be used once. Any other function of the log-probabilities ``[B, T]`` is called with
    those of ``linear_logprob``, whose backward computes the logits again.

    ``mask`` is that of the objective unless it is given. The rest as for ``linear_logprob``.

    Shapes: ``hidden`` ``[B, T, H]``, ``labels`` ``[B, T]`` → a scalar, metrics, and ``[B, T]`` as
    constants.

    >>> from rlrewards.objectives import recipes
    >>> hidden, lm_head = torch.eye(2).unsqueeze(0), torch.tensor([[0.0, 0.0], [2.0, 0.0]])
    >>> objective = PolicyObjective(recipes.reinforce, torch.tensor([1.0]), torch.ones(1, 2))
    >>> linear_loss(hidden, lm_head, torch.tensor([[1, 1]]), objective).loss
    tensor(0.4100)
    """
    if mask is None and isinstance(objective, PolicyObjective):
        mask = objective.mask
    one_pass = isinstance(objective, PolicyObjective) and objective.is_token_level
    if not one_pass or shard is not None:
        logp, spread = linear_logprob(
            hidden, lm_head, labels, bias=bias, mask=mask, temperature=temperature,
            softcap=softcap, entropy=entropy, shard=shard,
        )  # fmt: skip
        out = objective(logp)
        loss, metrics = out if isinstance(out, LossOutput) else (out, {})
        return LinearLoss(loss, metrics, logp.detach(), None if spread is None else spread.detach())
    assert isinstance(objective, PolicyObjective)
    assert mask is not None
    return _one_pass(hidden, lm_head, labels, objective, bias, mask, temperature, softcap, entropy)


def _one_pass(
    hidden: Tensor,
    lm_head: Tensor,
    labels: Tensor,
    objective: PolicyObjective,
    bias: Tensor | None,
    mask: Tensor,
    temperature: float,
    softcap: float | None,
    entropy: bool,
) -> LinearLoss:
    hidden, lm_head, bias = _autocast(hidden, lm_head, bias)
    _check(hidden, lm_head, labels, bias, mask, temperature, softcap)
    objective.check()
    if labels.ndim != 2 or labels.shape != objective.mask.shape:
        raise ValueError(
            f"labels has shape {list(labels.shape)}, expected that of the objective's mask, "
            f"[B, T] = {list(objective.mask.shape)}"
        )
    flat, chosen = hidden.flatten(0, -2), mask.reshape(-1) != 0
    inputs = (flat, lm_head, bias)
    wanted = [torch.is_grad_enabled() and x is not None and x.requires_grad for x in inputs]
    names, tensors = flattened(objective)
    with torch.no_grad():
        loss, logp, spread, *gradients = _LOSS_OPERATOR(
            *(None if x is None else x.detach() for x in inputs),
            labels.reshape(-1),
            chosen,
            *tensors,
            *names,
            float(temperature),
            float(softcap or 0.0),
            bool(entropy),
            *wanted,
        )
        metrics = objective(logp.view(labels.shape)).metrics if objective.has_metrics else {}
    if any(wanted):
        scaled = _SCALED_OPERATOR if torch.compiler.is_compiling() else _Scaled.apply
        counted = chosen & (objective.mask.reshape(-1) != 0)
        loss = scaled(loss, *inputs, *gradients, counted)
    shape = labels.shape
    return LinearLoss(loss, metrics, logp.view(shape), spread.view(shape) if entropy else None)


class _Scaled(torch.autograd.Function):
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


# ---------------------------------------------------------------------------------------------
# The operators


def _head(
    weight: Tensor,
    bias: Tensor | None,
    temperature: float,
    softcap: float,
    shard: VocabShard | None = None,
) -> AnyHead:
    kind: type[AnyHead] = Head
    if launch.runs_triton(weight) and weight.dtype != torch.float64:
        kind = DeviceHead
    return kind(weight, bias, temperature, softcap or None, shard)


def _result_dtype(weight: Tensor) -> torch.dtype:
    return torch.float64 if weight.dtype == torch.float64 else torch.float32


def _passes(
    hidden: Tensor, chosen: Tensor | None, head: AnyHead
) -> Iterator[tuple[Tensor | slice, Tensor]]:
    """Yield the places of some valid tokens, and their hidden states in the working precision."""
    count = len(hidden)
    places = None if chosen is None else chosen.nonzero().squeeze(1)
    if places is not None and len(places) == count:
        places = None
    count = count if places is None else len(places)
    for start in range(0, count, head.tokens):
        band = slice(start, min(start + head.tokens, count))
        at = band if places is None else places[band]
        yield at, hidden[at].to(head.work)


def _forward(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor, chosen: Tensor | None,
    temperature: float, softcap: float, entropy: bool, shard: VocabShard | None = None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Log-probabilities, entropies (or nothing) and normalisers of all tokens."""
    _check_labels(labels, chosen, weight, shard)
    head = _head(weight, bias, temperature, softcap, shard)
    dtype, count = _result_dtype(weight), len(hidden)
    logp = hidden.new_zeros(count, dtype=dtype)
    spread = hidden.new_zeros(count if entropy else 0, dtype=dtype)
    lse = hidden.new_zeros(count, dtype=dtype)
    with torch.autocast(hidden.device.type, enabled=False):
        for at, states in _passes(hidden, chosen, head):
            found, _ = head.statistics(states, labels[at], entropy=entropy)
            logp[at], lse[at] = found.logp, found.lse
            if found.entropy is not None:
                spread[at] = found.entropy
    return logp, spread, lse


def _backward(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor, chosen: Tensor | None,
    logp: Tensor, spread: Tensor, lse: Tensor, upstream: Tensor, upstream_entropy: Tensor | None,
    temperature: float, softcap: float, wanted: list[bool], shard: VocabShard | None = None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Gradients of hidden states, weight and bias; empty where they are not wanted."""
    head = _head(weight, bias, temperature, softcap, shard)
    into, gradient = _gradients(hidden, weight, bias, wanted, hidden.dtype)
    with torch.autocast(hidden.device.type, enabled=False):
        for at, states in _passes(hidden, chosen, head):
            known = Statistics(logp[at], None if upstream_entropy is None else spread[at], lse[at])
            entropies = None if upstream_entropy is None else upstream_entropy[at]
            part = head.add_recomputed(states, labels[at], known, upstream[at], entropies, into)
            if into.hidden:
                gradient[at] = part.to(gradient.dtype)
    return gradient, *_stored(into, weight, weight.dtype)


def _loss(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor, chosen: Tensor,
    advantages: Tensor, mask: Tensor, old_logp: Tensor | None, ref_logp: Tensor | None,
    keep: Tensor | None, token_weight: Tensor | None, denominator: Tensor | None,
    recipe: str, penalty: str, names: list[str], numbers: list[float], temperature: float,
    softcap: float, entropy: bool, hidden_wanted: bool, weight_wanted: bool, bias_wanted: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """Loss, log-probabilities, entropies and gradients, in one pass over the logits."""
    wanted = [hidden_wanted, weight_wanted, bias_wanted]
    tensors = (advantages, mask, old_logp, ref_logp, keep, token_weight, denominator)
    objective = unflattened((recipe, penalty, names, numbers), tensors)
    kept_dtype = _kept_dtype(weight)
    into, gradient = _gradients(hidden, weight, bias, wanted, kept_dtype)
    with torch.autocast(hidden.device.type, enabled=False):
        if any(wanted):
            _check_labels(labels, chosen, weight, None)
            head = _head(weight, bias, temperature, softcap)
            logp, spread = _with_slopes(
                head, objective, hidden, labels, chosen, entropy, into, gradient
            )
        else:
            logp, spread, _ = _forward(
                hidden, weight, bias, labels, chosen, temperature, softcap, entropy
            )
        loss = objective(logp.view(mask.shape)).loss.to(logp.dtype)
    return loss, logp, spread, gradient, *_stored(into, weight, kept_dtype)


def _with_slopes(
    head: AnyHead, objective: PolicyObjective, hidden: Tensor, labels: Tensor, chosen: Tensor,
    entropy: bool, into: Gradients, gradient: Tensor,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Log-probabilities and entropies; the gradients of the loss to their places meanwhile."""
    weights, unit = objective.token_weights(), None
    if head.weight.dtype == torch.float16:
        unit = _unit(weights)
        weights = weights / unit
    dtype, count = _result_dtype(head.weight), len(hidden)
    logp = hidden.new_zeros(count, dtype=dtype)
    spread = hidden.new_zeros(count if entropy else 0, dtype=dtype)
    room = hidden.new_empty(min(head.tokens, count) * head.vocabulary, dtype=dtype)
    places = torch.arange(count, device=hidden.device)
    for at, states in _passes(hidden, chosen, head):
        found, kept = head.statistics(states, labels[at], entropy=entropy, keep=room)
        logp[at] = found.logp
        if found.entropy is not None:
            spread[at] = found.entropy
        slopes = objective.slopes(found.logp, places[at], weights)
        part = head.add_gradient(kept, labels[at], found.lse, slopes, into)
        if into.hidden:
            gradient[at] = part.to(gradient.dtype)
    if unit is not None:
        for x in (gradient if into.hidden else None, into.weight, into.bias):
            if x is not None:
                x.mul_(unit)
    return logp, spread


def _unit(weights: Tensor) -> Tensor:
    """The largest weight of a token: in units of it, gradients of logits fit into float16."""
    largest = weights.amax() if len(weights) else weights.new_zeros(())
    return torch.where((largest > 0) & largest.isfinite(), largest, 1.0)


def _kept_dtype(weight: Tensor) -> torch.dtype:
    """Of gradients that wait for the factor of their loss, without which float16 underflows."""
    return torch.float32 if weight.dtype == torch.float16 else weight.dtype


def _gradients(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, wanted: list[bool], kept: torch.dtype
) -> tuple[Gradients, Tensor]:
    """Where the gradients go: those of the head add up in float32 at least."""
    dtype = _result_dtype(weight)
    into = Gradients(
        wanted[0],
        torch.zeros_like(weight, dtype=dtype) if wanted[1] else None,
        torch.zeros_like(bias, dtype=dtype) if bias is not None and wanted[2] else None,
    )
    nothing = weight.new_empty(0, dtype=kept)
    return into, torch.zeros_like(hidden, dtype=kept) if wanted[0] else nothing


def _stored(into: Gradients, weight: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    found = (
        weight.new_empty(0, dtype=dtype) if x is None else x.to(dtype)
        for x in (into.weight, into.bias)
    )
    return next(found), next(found)


def _fake_forward(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor, chosen: Tensor | None,
    temperature: float, softcap: float, entropy: bool,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    count, dtype = hidden.shape[0], _result_dtype(weight)
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
    gradients = _fake_backward(hidden, weight, bias, wanted, dtype=_kept_dtype(weight))
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
    parts = _BACKWARD_OPERATOR(
        hidden, weight, bias, labels, chosen, logp, spread, lse, upstream.contiguous(),
        None if upstream_entropy is None else upstream_entropy.contiguous(), *ctx.settings, wanted,
    )  # fmt: skip
    found = [part if want else None for part, want in zip(parts, wanted, strict=True)]
    return (*found, None, None, None, None, None)


def _save_loss(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(inputs[0], *inputs[4:])
    ctx.dtype = inputs[1].dtype


def _scale_loss(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
    """For ``torch.compile``, which fuses what ``_Scaled`` does in place."""
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


_OPERATOR = library.register(
    "linear_logprob(Tensor hidden, Tensor weight, Tensor? bias, Tensor labels, Tensor? chosen, "
    "float temperature, float softcap, bool entropy) -> (Tensor, Tensor, Tensor)",
    _forward,
    _fake_forward,
    backward=_differentiate,
    save=_save,
)
_BACKWARD_OPERATOR = library.register(
    "linear_logprob_backward(Tensor hidden, Tensor weight, Tensor? bias, Tensor labels, "
    "Tensor? chosen, Tensor logp, Tensor spread, Tensor lse, Tensor upstream, "
    "Tensor? upstream_entropy, float temperature, float softcap, bool[] wanted) "
    "-> (Tensor, Tensor, Tensor)",
    _backward,
    _fake_backward,
    backward=_refuse,
    save=lambda ctx, inputs, output: None,
)
_LOSS_OPERATOR = library.register(
    "linear_loss(Tensor hidden, Tensor weight, Tensor? bias, Tensor labels, Tensor chosen, "
    "Tensor advantages, Tensor mask, Tensor? old_logp, Tensor? ref_logp, Tensor? keep, "
    "Tensor? token_weight, Tensor? denominator, str recipe, str penalty, str[] names, "
    "float[] numbers, float temperature, float softcap, bool entropy, "
    "bool hidden_wanted, bool weight_wanted, bool bias_wanted) "
    "-> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
    _loss,
    _fake_loss,
)
_SCALED_OPERATOR = library.register(
    "linear_loss_scaled(Tensor loss, Tensor hidden, Tensor weight, Tensor? bias, "
    "Tensor hidden_gradient, Tensor weight_gradient, Tensor bias_gradient, Tensor counted) "
    "-> Tensor",
    lambda loss, *_: loss.clone(),
    lambda loss, *_: torch.empty_like(loss),
    backward=_scale_loss,
    save=_save_loss,
)


class _Sharded(torch.autograd.Function):
    """``linear_logprob`` with a vocabulary over ranks: its hooks are functions, no tensors."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor,
        chosen: Tensor | None, settings: tuple[float, float, bool], shard: VocabShard,
    ) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
        out = _forward(hidden, weight, bias, labels, chosen, *settings, shard)
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
        parts = _backward(
            hidden, weight, bias, labels, chosen, logp, spread, lse, *upstreams, temperature,
            softcap, wanted, ctx.shard,
        )  # fmt: skip
        found = [part if want else None for part, want in zip(parts, wanted, strict=True)]
        return (*found, None, None, None, None)


# ---------------------------------------------------------------------------------------------
# What a caller may pass


def _autocast(
    hidden: Tensor, lm_head: Tensor, bias: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """All in the dtype of autocast, where that is on and they are not float64."""
    if not isinstance(hidden, Tensor) or not torch.is_autocast_enabled(hidden.device.type):
        return hidden, lm_head, bias
    dtype = torch.get_autocast_dtype(hidden.device.type)

    def cast(x: Tensor) -> Tensor:
        return x.to(dtype) if isinstance(x, Tensor) and x.dtype != torch.float64 else x

    return cast(hidden), cast(lm_head), None if bias is None else cast(bias)


def _check(
    hidden: Tensor, lm_head: Tensor, labels: Tensor, bias: Tensor | None, mask: Tensor | None,
    temperature: float, softcap: float | None,
) -> None:  # fmt: skip
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


def _check_labels(
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
