"""A whole policy loss in one pass over the tokens: clipped, CISPO, SAPO, REINFORCE, GSPO.

What the recipes of ``rlrewards.objectives.recipes`` compute in a dozen passes: surrogate, selection
and weights, KL penalty, any of the aggregations, and, if asked for, the metrics. The forward writes
the gradient next to the loss. The backward has nothing left to do where the loss itself is
differentiated, and finds that out on the device; any other factor reaches the gradient before it is
rounded, so that a loss scale does for float16 what it is there for.

Each recipe is the oracle of its kernel, and does the work where the kernel does not apply
(``BY_THE_RECIPE``), on the CPU above all.
"""

import inspect
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.autograd import forward_ad

from rlrewards.kernels import launch, library
from rlrewards.kernels.registry import Inputs, Kernel, size_of
from rlrewards.objectives import _checks, kl, recipes
from rlrewards.objectives.aggregate import (
    constant,
    row_weights,
    sequence_mean,
    sequence_sum,
    token_mean,
)
from rlrewards.objectives.metrics import LossOutput, MetricInputs, batch_metrics

Recipe = Callable[..., LossOutput]
Kind = Literal["clipped", "cispo", "sapo", "reinforce", "sequence"]


class Form(NamedTuple):
    """A recipe as the kernel sees it: what it does to a token, and what a token weighs."""

    kind: Kind
    aggregate: Callable[..., Tensor]
    defaults: Mapping[str, Any]
    required: tuple[str, ...]


def _form(recipe: Recipe, kind: Kind, aggregate: Callable[..., Tensor]) -> tuple[Recipe, Form]:
    parameters = inspect.signature(recipe).parameters.values()
    settings = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    required = tuple(name for name, value in settings.items() if value is inspect.Parameter.empty)
    return recipe, Form(kind, aggregate, settings, required)


FORMS: Mapping[Recipe, Form] = dict(
    (
        _form(recipes.grpo, "clipped", sequence_mean),
        _form(recipes.dr_grpo, "clipped", constant),
        _form(recipes.bnpo, "clipped", token_mean),
        _form(recipes.dapo, "clipped", token_mean),
        _form(recipes.ppo_clip, "clipped", token_mean),
        _form(recipes.vapo, "clipped", token_mean),
        _form(recipes.cispo, "cispo", token_mean),
        _form(recipes.sapo, "sapo", sequence_mean),
        _form(recipes.reinforce, "reinforce", token_mean),
        _form(recipes.gpg, "reinforce", token_mean),
        _form(recipes.gspo, "sequence", sequence_mean),
        _form(recipes.luspo, "sequence", sequence_sum),
    )
)
"""The recipes that the kernel computes. The others do it themselves."""

PENALTIES = (kl.k1, kl.k2, kl.k3, kl.k_abs, kl.k3_straight_through)
"""The KL penalties that the kernel computes, and ``partial(corrected_k3, old_logp=old_logp)``."""


class Call(NamedTuple):
    """All that was passed, with the recipe's defaults."""

    form: Form | None
    logp: Tensor
    old_logp: Tensor | None
    ref_logp: Tensor | None
    settings: Mapping[str, Any]


BY_THE_RECIPE: Mapping[str, Callable[[Call], bool]] = {
    "a recipe outside FORMS (gmpo, vespo, one of your own)": lambda call: call.form is None,
    "CPU tensors, outside Triton's interpreter": lambda call: not launch.runs_triton(call.logp),
    "float64 log-probabilities, differentiable twice": lambda call: (
        call.logp.dtype == torch.float64
        or (call.old_logp is not None and call.old_logp.dtype == torch.float64)
        or (call.ref_logp is not None and call.ref_logp.dtype == torch.float64)
    ),
    "no tokens": lambda call: not call.logp.numel(),
    "vapo with its imitation term": lambda call: (
        call.settings.get("correct") is not None and bool(call.settings["imitation"])
    ),
    "a penalty outside PENALTIES": lambda call: (
        bool(call.settings["beta"]) and _penalty_name(call) is None
    ),
    "torch.func and forward-mode differentiation": lambda call: _is_transformed(call.logp),
}
"""What does not run in the kernel, but in the recipe, with the same results."""


def policy_loss(
    recipe: Recipe,
    logp: Tensor,
    old_logp: Tensor | None,
    advantages: Tensor,
    mask: Tensor,
    *,
    metrics: bool | MetricInputs = False,
    **settings: Any,
) -> LossOutput:
    """A recipe's loss in one pass: ``Σᵢ wᵢ Σₜ m·(keep·weight·surrogate + β·kl)``.

    Value, gradient and metrics are those of ``recipe(logp, old_logp, advantages, mask,
    metrics=metrics, **settings)``, whose docstring has the paper and the settings; what runs
    without the kernel is in ``BY_THE_RECIPE``. Differentiable once in ``logp``: a second derivative
    raises ``RuntimeError``, and takes float64 or the recipe. All else is constant.

    Args:
        recipe: A function of ``rlrewards.objectives.recipes``, or a ``functools.partial`` of one.
        logp: ``[B, T]``, float32, bfloat16 or float16, computed in float32; the gradient has its
            dtype. float64 is the recipe's.
        old_logp: ``[B, T]``; None for ``reinforce`` and ``gpg``, which have no use for it.
        advantages: ``[B]`` or, but for ``gspo`` and ``luspo``, ``[B, T]``, strided in any way.
        mask: ``[B, T]``, non-zero where valid. What padding holds does not matter.
        metrics: As the recipe takes it; those of the tokens come from the same pass.
        settings: The recipe's keyword arguments.

    Raises ``ValueError`` for other shapes, for tensors that are not contiguous or on another device
    than ``logp``, and for settings that the recipe refuses; ``TypeError`` for other dtypes and for
    settings that the recipe does not know.

    >>> from rlrewards.objectives.recipes import grpo
    >>> logp = torch.tensor([[-1.0, -1.0], [-1.0, -1.0]])
    >>> advantages, mask = torch.tensor([1.0, -2.0]), torch.tensor([[1, 1], [1, 0]])
    >>> policy_loss(grpo, logp, logp, advantages, mask).loss
    tensor(0.5000)
    """
    while isinstance(recipe, partial) and not recipe.args:
        settings = {**recipe.keywords, **settings}
        recipe = recipe.func
    form = FORMS.get(recipe)
    # What another recipe's settings mean is its own business.
    known = {} if form is None else _with_defaults(recipe, form, settings)
    if form is not None and form.kind != "reinforce" and old_logp is None:
        raise TypeError(f"old_logp is None: {_name(recipe)} needs it")
    ref_logp = known.get("ref_logp") if known.get("beta") or metrics else None
    _check_tensors(logp, old_logp, advantages, mask, ref_logp, known)
    call = Call(form, logp, old_logp, ref_logp, known)
    if _goes_to_the_recipe(call):
        bare = old_logp is None or (form is not None and form.kind == "reinforce")
        tokens = (logp, advantages, mask) if bare else (logp, old_logp, advantages, mask)
        return recipe(*tokens, metrics=metrics, **settings)
    assert form is not None  # else it went to the recipe
    _check_settings(call, advantages, metrics)
    loss, sums = _run(call, advantages, mask, wanted=metrics is not False)
    if metrics is False:
        return LossOutput(loss, {})
    inputs = MetricInputs() if metrics is True else metrics
    return LossOutput(loss, _metrics(call, sums, mask, inputs))


def _goes_to_the_recipe(call: Call) -> bool:
    for applies in BY_THE_RECIPE.values():  # noqa: SIM110  (a generator takes twice the time)
        if applies(call):
            return True
    return False


def _with_defaults(recipe: Recipe, form: Form, settings: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of a recipe; or an error for one that it does not have, or has to be given."""
    for name in settings:
        if name not in form.defaults:
            raise TypeError(f"{_name(recipe)} has no setting {name!r}: {', '.join(form.defaults)}")
    for name in form.required:
        if name not in settings:
            raise TypeError(f"{_name(recipe)} has no default for {name}: pass {name}=…")
    return {**form.defaults, **settings}


def _name(recipe: Recipe) -> str:
    return str(getattr(recipe, "__name__", recipe))


def _check_tensors(
    logp: Tensor,
    old_logp: Tensor | None,
    advantages: Tensor,
    mask: Tensor,
    ref_logp: Tensor | None,
    settings: Mapping[str, Any],
) -> None:
    """Contiguous, all of one shape and on one device, the CPU included."""
    launch.require("logp", logp, ndim=2)
    _check_like("mask", mask, logp, ANY)
    if old_logp is not None:
        _check_like("old_logp", old_logp, logp)
    if ref_logp is not None:
        _check_like("ref_logp", ref_logp, logp)
    if (keep := settings.get("keep")) is not None:
        _check_like("keep", keep, logp, ANY)
    if (weight := settings.get("weight")) is not None:
        _check_like("weight", weight, logp)
    launch.require("advantages", advantages, ndim=(1, 2), like=logp, contiguous=False)
    launch.require_shape("advantages", advantages, logp.shape[: advantages.ndim], "[B] or [B, T]")


FLOATS = (*launch.FLOATS, torch.float64)
ANY = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, *FLOATS)


def _check_like(
    name: str, x: Tensor, logp: Tensor, dtypes: tuple[torch.dtype, ...] = FLOATS
) -> None:
    launch.require(name, x, dtypes=dtypes, like=logp)
    if x.shape != logp.shape:
        launch.require_shape(name, x, logp.shape, "[B, T] of logp")


def _check_settings(call: Call, advantages: Tensor, metrics: object) -> None:
    """As the recipes do."""
    settings, form = call.settings, call.form
    assert form is not None
    if form.kind == "sequence" and advantages.ndim != 1:
        raise ValueError(
            f"advantages has shape {list(advantages.shape)}, expected [B]: one ratio for a whole "
            "row takes one advantage"
        )
    if not isinstance(metrics, (bool, MetricInputs)):
        raise TypeError(f"metrics is {metrics!r}: pass True, False or MetricInputs(…)")
    if form.kind == "sapo":
        for name in ("positive_temperature", "negative_temperature"):
            if not 0 < settings[name] < math.inf:
                raise ValueError(f"{name} is {settings[name]}, expected above 0 and finite")
    elif form.kind != "reinforce":
        _checks.at_least("low", settings["low"], 0.0)
        _checks.at_least("high", settings["high"], 0.0)
        if settings.get("ceiling") is not None:
            _checks.at_least("ceiling", settings["ceiling"], 1.0 + settings["high"])
    _checks.at_least("imitation", settings.get("imitation", 0.0), 0.0)
    _checks.at_least("beta", settings["beta"], 0.0)
    if settings["beta"] and call.ref_logp is None:
        raise ValueError(
            f"beta is {settings['beta']} but ref_logp is None: pass the reference's log-probs"
        )


def _penalty_name(call: Call) -> str | None:
    penalty = call.settings["kl"]
    for known in PENALTIES:
        if penalty is known:
            return str(known.__name__)
    if not isinstance(penalty, partial) or penalty.func is not kl.corrected_k3 or penalty.args:
        return None
    corrects = penalty.keywords.get("old_logp") is call.old_logp is not None
    assert call.form is not None
    return "corrected_k3" if corrects and call.form.kind != "reinforce" else None


def _is_transformed(logp: Tensor) -> bool:
    if torch.compiler.is_compiling():
        return False
    if torch._C._are_functorch_transforms_active():
        return True
    return forward_ad.unpack_dual(logp).tangent is not None  # type: ignore[no-untyped-call]


def _run(call: Call, advantages: Tensor, mask: Tensor, *, wanted: bool) -> tuple[Tensor, Tensor]:
    """Loss and sums from the operator."""
    form, settings = call.form, call.settings
    assert form is not None
    mask = mask if mask.dtype == torch.bool else mask != 0
    keep = settings["keep"]
    if keep is not None and keep.dtype != torch.bool:
        keep = keep != 0
    aggregate = form.aggregate
    if aggregate is constant:
        aggregate = partial(constant, length=settings["length"])
    beta = float(settings["beta"])
    name = _penalty_name(call) if beta else ""
    low, high, ceiling = _bounds(form.kind, settings)
    loss, _, sums = _policy_loss(
        call.logp,
        None if form.kind == "reinforce" else _constant(call.old_logp),
        _constant(advantages),
        mask,
        row_weights(aggregate, mask, settings.get("denominator")),
        _constant(call.ref_logp),
        keep,
        _constant(settings["weight"]),
        form.kind,
        name,
        low,
        high,
        ceiling,
        beta,
        torch.is_grad_enabled() and call.logp.requires_grad,
        wanted,
        False,
    )
    return loss, sums


def _bounds(kind: Kind, settings: Mapping[str, Any]) -> tuple[float, float, float]:
    """Of the ratio; for SAPO the temperatures by the sign of the advantage."""
    if kind == "reinforce":
        return 0.0, 0.0, 0.0
    if kind == "sapo":
        low, high = settings["negative_temperature"], settings["positive_temperature"]
        return float(low), float(high), math.inf
    ceiling = settings.get("ceiling")
    return (
        1.0 - settings["low"],
        1.0 + settings["high"],
        math.inf if ceiling is None else float(ceiling),
    )


def _constant(x: Tensor | None) -> Tensor | None:
    return x.detach() if x is not None and x.requires_grad else x


def _metrics(call: Call, sums: Tensor, mask: Tensor, inputs: MetricInputs) -> dict[str, Tensor]:
    """``policy_metrics`` from the sums of the pass."""
    form, settings = call.form, call.settings
    assert form is not None
    n, least, most = sums[1], -sums[10], sums[11]
    _, _, k3, remainder, r, _, ratio, below, above, past, _, _ = (sums / n).unbind()
    found: dict[str, Tensor] = {}
    if form.kind != "reinforce":
        if form.kind != "sapo":
            found |= {"clip_low": below, "clip_high": above}
            if settings.get("ceiling") is not None:
                found["clip_ceiling"] = past
        found |= {
            "ratio_min": torch.where(ratio.isnan(), ratio, least),
            "ratio_mean": ratio,
            "ratio_max": torch.where(ratio.isnan(), ratio, most),
            "approx_kl": remainder,
            "effective_sample_size": r * sums[4] / sums[5],
        }
    if call.ref_logp is not None:
        found["kl_ref"] = k3
    found["masked"] = 1 - n / mask.numel()
    found = {name: x.float() for name, x in found.items()}
    if any(x is not None for x in inputs):
        found |= batch_metrics(call.logp, mask, inputs=inputs)
    return found


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
        _scale(gradient, loss, upstream, *tokens, *ctx.settings, fresh)
    if torch.is_grad_enabled():
        gradient = _Once.apply(tokens[0], gradient)  # type: ignore[no-untyped-call]
    return gradient, *nothing


class _Once(torch.autograd.Function):
    """A gradient that says so when it is differentiated, where a constant would be left out."""

    @staticmethod
    def forward(ctx: Any, logp: Tensor, gradient: Tensor) -> Tensor:
        return gradient.view_as(gradient)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        raise RuntimeError(
            "policy_loss can be differentiated once only: for second derivatives call the recipe "
            "itself, on float64 log-probs"
        )


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


_policy_loss = library.register(
    f"policy_loss({_TOKENS}, {_SETTINGS}, bool wanted, bool metrics, bool kept) -> "
    "(Tensor loss, Tensor gradient, Tensor sums)",
    _compute,
    _fake,
    backward=_backward,
    save=_save,
)
_scale = library.register(
    f"policy_loss_backward(Tensor(a!) gradient, Tensor loss, Tensor upstream, {_TOKENS}, "
    f"{_SETTINGS}, bool fresh) -> ()",
    _compute_scale,
    lambda *arguments: None,
)


def rows() -> tuple[Kernel, ...]:
    """One for each kind, and for each way to weigh and to penalise."""
    penalty: dict[str, Any] = {"beta": 0.04}
    return (
        _row("grpo", recipes.grpo),
        _row("grpo with KL", recipes.grpo, **penalty),
        _row("grpo with ceiling, advantages per token", recipes.grpo, per_token=True, ceiling=3.0),
        _row("dr_grpo with k2", recipes.dr_grpo, length=100, kl=kl.k2, **penalty),
        _row("dapo with weights", recipes.dapo, weighted=True),
        _row("cispo", recipes.cispo),
        _row("sapo", recipes.sapo),
        _row("reinforce with k1", recipes.reinforce, kl=kl.k1, **penalty),
        _row("gspo", recipes.gspo, low=0.05, high=0.05),
        _row("luspo with KL and weights", recipes.luspo, weighted=True, **penalty),
    )


def _row(
    name: str, recipe: Recipe, *, per_token: bool = False, weighted: bool = False, **settings: Any
) -> Kernel:
    def make(shape: tuple[int, ...], dtype: torch.dtype, device: str, seed: int) -> Inputs:
        height, width = shape
        generator = torch.Generator().manual_seed(seed)
        draw = partial(torch.randn, generator=generator)
        logp = draw(shape) - 1
        tokens = {"logp": logp, "old_logp": logp + 0.3 * draw(shape)}
        if recipe is recipes.reinforce:
            del tokens["old_logp"]
        if settings.get("beta"):
            tokens["ref_logp"] = logp + 0.3 * draw(shape)
        if weighted:
            tokens["weight"] = torch.rand(shape, generator=generator) * 2
        lengths = torch.randint(width // 2, width + 1, (height, 1), generator=generator)
        if height > 1:
            lengths[height // 2] = 0
        found: dict[str, Any] = {name: x.to(device, dtype) for name, x in tokens.items()}
        found["advantages"] = draw(shape if per_token else (height,)).to(device)
        found["mask"] = (torch.arange(width) < lengths).to(device)
        if weighted:
            keep = torch.rand(shape, generator=generator) < 0.8
            found["keep"] = keep.to(device)
        return {**found, **settings}

    def fused(**inputs: Any) -> Tensor:
        return policy_loss(recipe, **{"old_logp": None, **inputs}).loss

    def oracle(**inputs: Any) -> Tensor:
        return recipe(**inputs).loss

    def bytes_moved(inputs: Inputs) -> int:
        return size_of(inputs["logp"], *(x for x in inputs.values() if isinstance(x, Tensor)))

    return Kernel(
        name=f"policy_loss, {name}",
        fused=fused,
        oracle=oracle,
        make=make,
        operators=("policy_loss", "policy_loss_backward"),
        gradients=("logp",),
        bytes_moved=bytes_moved,
        shapes=((1, 1), (1, 7), (5, 37), (2, 1031), (0, 4), (3, 0)),
        bench_cpu=((64, 8192),),
        bench_cuda=((16, 4096), (64, 8192), (512, 8192)),
    )
