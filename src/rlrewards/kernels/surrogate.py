"""A whole policy loss in one pass over the tokens: clipped, CISPO, SAPO, REINFORCE, GSPO.

What the recipes of ``rlrewards.objectives.recipes`` compute in a dozen passes: surrogate, selection
and weights, KL penalty, any of the aggregations, and, if asked for, the metrics. The forward writes
the gradient next to the loss. The backward has nothing left to do where the loss itself is
differentiated, and finds that out on the device; any other factor reaches the gradient before it is
rounded, so that a loss scale does for float16 what it is there for.

Each recipe is the oracle of its kernel, and does the work where the kernel does not apply
(``BY_THE_RECIPE``), on the CPU above all. ``surrogate_forms`` has what the kernel knows of each,
``surrogate_operators`` what torch sees.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from rlrewards.kernels import launch
from rlrewards.kernels import surrogate_operators as operators
from rlrewards.kernels.surrogate_forms import (
    FORMS,
    PENALTIES,
    Call,
    Form,
    Recipe,
    bounds,
    penalty_name,
)
from rlrewards.objectives import _checks
from rlrewards.objectives.aggregate import constant, row_weights
from rlrewards.objectives.metrics import LossOutput, MetricInputs, batch_metrics

__all__ = ["BY_THE_RECIPE", "FORMS", "PENALTIES", "Call", "Form", "Recipe", "policy_loss"]

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
        bool(call.settings["beta"]) and penalty_name(call) is None
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
    name = penalty_name(call) if beta else ""
    low, high, ceiling = bounds(form.kind, settings)
    loss, _, sums = operators.POLICY_LOSS(
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
