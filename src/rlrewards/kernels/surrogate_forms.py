"""A policy recipe as its kernel sees it: what becomes of a token, and what the token weighs.

Twelve recipes are five kinds of surrogate under four aggregations. A recipe that is one of those,
with other defaults, is a line here.
"""

import inspect
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

from torch import Tensor

from rlrewards.objectives import kl, recipes
from rlrewards.objectives.aggregate import constant, sequence_mean, sequence_sum, token_mean
from rlrewards.objectives.metrics import LossOutput

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


def penalty_name(call: Call) -> str | None:
    """What the program calls the KL penalty; None if it does not know it."""
    penalty = call.settings["kl"]
    for known in PENALTIES:
        if penalty is known:
            return str(known.__name__)
    assert call.form is not None
    knows_ratio = call.form.kind != "reinforce"
    return "corrected_k3" if knows_ratio and is_corrected_by(penalty, call.old_logp) else None


def is_corrected_by(penalty: Any, old_logp: Tensor | None) -> bool:
    """Whether a KL penalty is ``partial(corrected_k3, old_logp=old_logp)``."""
    if not isinstance(penalty, partial) or penalty.func is not kl.corrected_k3 or penalty.args:
        return False
    given = penalty.keywords
    return [*given] == ["old_logp"] and given["old_logp"] is old_logp is not None


def bounds(kind: Kind, settings: Mapping[str, Any]) -> tuple[float, float, float]:
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
