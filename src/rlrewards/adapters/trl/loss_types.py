"""TRL's settings of the loss as a recipe of ours.

TRL names its loss by a string, a level of the ratio and some thresholds; here all of that is one
function with its keywords.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from torch import Tensor

from rlrewards.kernels.surrogate_forms import FORMS
from rlrewards.objectives import (
    LossOutput,
    corrected_k3,
    k3,
    recipes,
    sequence_log_ratio,
    token_mean,
)

Recipe = Callable[..., LossOutput]
Count = Literal["tokens", "sequences", "filled", "local"]


def recipe_of(args: Any) -> Recipe:
    """Return the recipe that a `GRPOConfig` describes.

    Raises `ValueError` for a combination that is no published objective, and for an entropy bonus,
    which no recipe has.

    >>> from types import SimpleNamespace
    >>> args = SimpleNamespace(loss_type="dapo", importance_sampling_level="token", epsilon=0.2,
    ...     epsilon_high=0.28, delta=None, max_completion_length=64)
    >>> recipe_of(args).func.__name__, recipe_of(args).keywords
    ('dapo', {'low': 0.2, 'high': 0.28, 'ceiling': None})
    """
    low = args.epsilon
    high = low if args.epsilon_high is None else args.epsilon_high
    clipping = {"low": low, "high": high, "ceiling": args.delta}
    token: dict[str, Recipe] = {
        "grpo": partial(recipes.grpo, **clipping),
        "bnpo": partial(recipes.bnpo, **clipping),
        "dapo": partial(recipes.dapo, **clipping),
    }
    if args.loss_type == "dr_grpo":
        token["dr_grpo"] = partial(recipes.dr_grpo, length=args.max_completion_length, **clipping)
    elif args.loss_type == "cispo":  # TRL's epsilon_high is the largest ratio itself
        if high < 1.0:
            raise ValueError(
                f"cispo: TRL's epsilon_high is the largest ratio itself, and {high} shrinks every "
                "token: set epsilon_high=5.0, as in its paper, or another number above 1"
            )
        token["cispo"] = partial(recipes.cispo, high=high - 1.0)
    elif args.loss_type == "sapo":
        token["sapo"] = partial(
            recipes.sapo,
            positive_temperature=args.sapo_temperature_pos,
            negative_temperature=args.sapo_temperature_neg,
        )
    elif args.loss_type == "vespo":
        token["vespo"] = partial(
            recipes.vespo,
            positive=(args.vespo_k_pos, args.vespo_lambda_pos),
            negative=(args.vespo_k_neg, args.vespo_lambda_neg),
        )
    sequence: dict[str, Recipe] = {
        "grpo": partial(recipes.gspo, **clipping),
        "luspo": partial(recipes.luspo, **clipping),
    }
    known = {"token": token, "sequence": sequence}[args.importance_sampling_level]
    if args.loss_type not in known:
        raise ValueError(
            f"loss_type={args.loss_type!r} with importance_sampling_level="
            f"{args.importance_sampling_level!r} is no recipe; pass recipe=, a function of "
            "rlrewards.objectives.recipes"
        )
    return known[args.loss_type]


def innermost(recipe: Recipe) -> Recipe:
    """Return the function under `functools.partial`."""
    while isinstance(recipe, partial):
        recipe = recipe.func
    return recipe


def takes(recipe: Recipe, name: str) -> bool:
    """Return whether a recipe has a keyword."""
    parameters = inspect.signature(recipe).parameters
    return name in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def count_of(recipe: Recipe) -> Count:
    """Return what the denominator of a recipe counts; `local` where it takes none.

    Raises `ValueError` for a function that is none of the recipes.

    >>> count_of(partial(recipes.dapo, high=0.3)), count_of(recipes.gspo), count_of(recipes.bnpo)
    ('tokens', 'sequences', 'local')
    """
    if not takes(recipe, "denominator"):
        return "local"
    function = innermost(recipe)
    form = FORMS.get(function)
    if function is recipes.vespo or (form is not None and form.aggregate is token_mean):
        return "tokens"
    if function is recipes.gmpo or form is not None:
        return "sequences"
    raise ValueError(
        f"{function!r} is no recipe of rlrewards.objectives: say what its denominator counts, "
        'count="tokens" or "sequences"'
    )


SEQUENCE_RATIO: tuple[Recipe, ...] = (recipes.gspo, recipes.luspo)
"""Recipes that stand for `importance_sampling_level="sequence"`."""


def bias_corrected(recipe: Recipe, old_logp: Tensor | None, mask: Tensor) -> Callable[..., Tensor]:
    """Return the KL penalty of TRL's `use_bias_correction_kl`: k3 times the recipe's ratio.

    Of tokens `corrected_k3`, which a `PolicyObjective` gives its own `old_logp`; of whole sequences
    a function of the log-probabilities of the policy and of the reference, `[B, T]` → `[B, T]`.

    Shapes: `old_logp` `[B, T]`, None on policy, where the ratio is 1 and its gradient is not 0;
    `mask` `[B, T]`. Source: arXiv 2512.02556; the ratio of whole sequences is TRL's.
    """
    if innermost(recipe) not in SEQUENCE_RATIO:
        return corrected_k3
    return partial(_corrected_by_sequence, old_logp=old_logp, mask=mask)


def _corrected_by_sequence(
    logp: Tensor, ref_logp: Tensor, *, old_logp: Tensor | None, mask: Tensor
) -> Tensor:
    old_logp = logp.detach() if old_logp is None else old_logp
    return sequence_log_ratio(logp, old_logp, mask).exp().unsqueeze(1) * k3(logp, ref_logp)
