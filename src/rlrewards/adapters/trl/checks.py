"""What `ObjectiveGRPOTrainer` refuses before training starts, each in one line with the remedy."""

from __future__ import annotations

from functools import partial
from typing import Any

from rlrewards.adapters.trl.loss_types import SEQUENCE_RATIO, innermost, takes
from rlrewards.objectives import recipes

COUNTS = ("tokens", "sequences", "filled", "local")

WHOLE_ROWS = (*SEQUENCE_RATIO, recipes.vespo, recipes.gmpo)
"""Recipes whose advantages are those of completions."""


def check(trainer: Any) -> None:
    """Raise `ValueError` for settings that cannot be had together."""
    check_recipe(trainer)
    check_distribution(trainer)
    if trainer.dense:
        check_streams(trainer)


def check_recipe(trainer: Any) -> None:
    """Refuse what the recipe lacks, or has twice."""
    if trainer.count not in COUNTS:
        raise ValueError(f"count={trainer.count!r}; allowed: {', '.join(COUNTS)}")
    if isinstance(trainer.recipe, partial) and "denominator" in trainer.recipe.keywords:
        raise ValueError(
            "the recipe has a denominator of its own, which the trainer counts over the whole "
            "optimizer step: leave it out of the partial"
        )
    if trainer._entropy_bonus_enabled:
        raise ValueError(
            "entropy_coef and use_adaptive_entropy add an entropy bonus, which no recipe has: "
            "leave them, or use TRL's GRPOTrainer"
        )
    for keyword, remedy in keywords_needed(trainer).items():
        if not takes(trainer.recipe, keyword):
            setting = remedy.partition("=")[0]
            raise ValueError(
                f"{setting} is passed to the recipe as {keyword}=, which "
                f"{_name(trainer.recipe)} does not take: give it that keyword, or set {remedy}"
            )
    if innermost(trainer.recipe) is recipes.vapo:
        raise ValueError(
            "vapo imitates right completions, which GRPOTrainer does not know: use dapo, its "
            "loss without that"
        )


def keywords_needed(trainer: Any) -> dict[str, str]:
    """Return the keywords that settings have the trainer pass to the recipe, and what avoids it."""
    needed: dict[str, str] = {}
    if trainer.beta:
        needed |= dict.fromkeys(("beta", "ref_logp"), "beta=0.0")
        if trainer.args.use_bias_correction_kl:
            needed["kl"] = "use_bias_correction_kl=False"
    if trainer.top_entropy_quantile < 1.0:
        needed["keep"] = "top_entropy_quantile=1.0"
    if trainer.off_policy_mask_threshold is not None:
        needed["keep"] = "off_policy_mask_threshold=None"
    corrects = trainer.use_vllm and trainer.vllm_importance_sampling_correction
    if corrects and not takes(trainer.recipe, "log_weight"):
        needed["weight"] = "vllm_importance_sampling_correction=False"
    return needed


def check_distribution(trainer: Any) -> None:
    """Refuse wrappers that hide the gradients or the loss."""
    accumulation = trainer.args.gradient_accumulation_steps
    if trainer.is_deepspeed_enabled and trainer.micro_batches_a_generation() % accumulation:
        raise ValueError(
            "with DeepSpeed the completions of an optimizer step have to be generated at once: "
            f"set steps_per_generation={accumulation}, or a multiple"
        )
    if trainer.args.ddp_static_graph:
        raise ValueError(
            "ddp_static_graph does not see the loss, which is formed inside the forward pass: "
            "leave it off"
        )


def check_streams(trainer: Any) -> None:
    """Refuse rewards per token where an advantage belongs to a whole completion."""
    names = [
        part.name
        for scoring in trainer.scorings()
        for part in scoring.stack.parts
        if callable(getattr(part.reward, "dense", None))
    ]
    aggregation, recipe = trainer.multi_objective_aggregation, innermost(trainer.recipe)
    reasons = {
        f"multi_objective_aggregation={aggregation}": aggregation != "sum_then_normalize",
        "off_policy_mask_threshold": trainer.off_policy_mask_threshold is not None,
        f"the recipe {_name(recipe)}": recipe in WHOLE_ROWS,
    }
    for reason, holds in reasons.items():
        if names and holds:
            raise ValueError(
                f"part {names[0]!r} has rewards per token, and {reason} needs one advantage for "
                "each completion: pass dense=False"
            )


def _name(recipe: Any) -> str:
    recipe = innermost(recipe)
    return str(getattr(recipe, "__name__", recipe))
