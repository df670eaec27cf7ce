"""Every public objective, recipe and kernel, and how the laws call it.

`Row.waive` names the laws that one breaks by design, each with the reason.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch

from rlrewards import kernels
from rlrewards import objectives as rl

MIXES = "rows do not mix"
CUT = "cut into micro batches"
SLOPE = "gradient of the value"
WAY = "policy gradient"
STOPPED = {SLOPE: "a factor of it stops the gradient"}
TIES = {"order of rows": "of equal covariances the first are taken"}
WHOLE_BATCH = {MIXES: "its statistics are those of the batch"}


class Row(NamedTuple):
    kind: str
    function: Callable[..., Any]
    how: dict[str, Any] = {}


def row(kind, function, **how):
    return Row(kind, function, how)


FULL = ("ref_logp", "weight", "keep")
PENALTY = {"beta": 0.1}

RECIPES = {
    "bnpo": row("loss", rl.recipes.bnpo, waive={CUT: "a local mean is what it is"}),
    "cispo": row("loss", rl.recipes.cispo, waive=STOPPED),
    "dapo": row("loss", rl.recipes.dapo),
    "dr_grpo": row("loss", rl.recipes.dr_grpo, settings={"length": 16}),
    "gmpo": row("loss", rl.recipes.gmpo),
    "gpg": row("loss", rl.recipes.gpg),
    "grpo": row("loss", rl.recipes.grpo),
    "gspo": row("loss", rl.recipes.gspo),
    "luspo": row("loss", rl.recipes.luspo),
    "ppo_clip": row("loss", rl.recipes.ppo_clip),
    "reinforce": row("loss", rl.recipes.reinforce),
    "sapo": row("loss", rl.recipes.sapo),
    "vapo": row(
        "loss",
        rl.recipes.vapo,
        inputs=("correct",),
        denominators=("denominator", "correct_tokens"),
        waive={WAY: "right completions are imitated, too"},
    ),
    "vespo": row("loss", rl.recipes.vespo, waive=STOPPED),
}


def full(name):
    """A recipe with all that it can take: a reference, weights and a selection."""
    kind, function, how = RECIPES[name]
    inputs = (*how.get("inputs", ()), *FULL)
    return Row(
        kind, function, how | {"inputs": inputs, "settings": how.get("settings", {}) | PENALTY}
    )


def of_recipe(recipe, **settings):
    def loss(
        logp, old_logp, advantages, mask, *, ref_logp=None, weight=None, keep=None, denominator=None
    ):
        given = settings | {"ref_logp": ref_logp, "weight": weight, "keep": keep}
        old_logp = None if recipe is rl.recipes.reinforce else old_logp
        return kernels.policy_loss(
            recipe, logp, old_logp, advantages, mask, denominator=denominator, **given
        )

    return loss


def streams(function, **settings):
    """A function of several streams of reward, given one and twice that."""

    def of_two(rewards, mask, **more):
        return function(
            torch.stack([rewards, 2 * rewards]), mask, gammas=(1.0, 0.5), **settings, **more
        )

    return of_two


def two_values(function):
    def of_two(rewards, values, mask):
        two = torch.stack([rewards, 2 * rewards]), torch.stack([values, values / 2])
        found = function(*two, mask, gammas=(1.0, 0.5))
        return found.advantages, *found.returns  # [B, T] and K of them

    return of_two


def columns(function, **settings):
    def of_two(rewards, group):
        return function(torch.stack([rewards, 2 * rewards], 1), group, **settings)

    return of_two


def of_moments(x, mask):
    return tuple(rl.moments(x, mask))


def rows_of_weights(mask):
    return rl.row_weights(rl.sequence_sum, mask, denominator=1.0)


def finite_gradient(x, mask):
    return rl.finite_gradient(x) ** 2


def picked(logp, mask):
    """A choice of two tokens, whose logits are `logp` and 0."""
    logits = torch.stack([logp, torch.zeros_like(logp)], -1)
    labels = torch.zeros(logp.shape, dtype=torch.int64)
    return kernels.selective_logprob(logits, labels, mask=mask).logp


def picked_with_entropy(logp, mask):
    logits = torch.stack([logp, torch.zeros_like(logp)], -1)
    labels = torch.zeros(logp.shape, dtype=torch.int64)
    return tuple(kernels.selective_logprob(logits, labels, mask=mask, entropy=True))


def of_hidden(logp):
    """Hidden states, an `lm_head` and a bias whose logits are `logp` and 0."""
    head = torch.tensor([[1.0], [0.0]], dtype=logp.dtype)
    return logp.reshape(-1, 1), head, torch.zeros(logp.shape, dtype=torch.int64)


def projected(logp, mask):
    hidden, head, labels = of_hidden(logp)
    return tuple(
        kernels.linear_logprob(
            hidden.reshape(*mask.shape, 1), head, labels, mask=mask, entropy=True
        )
    )


def projected_loss(logp, old_logp, advantages, mask, *, denominator=None):
    hidden, head, labels = of_hidden(logp)
    settings = {} if denominator is None else {"denominator": denominator}
    objective = kernels.PolicyObjective(rl.recipes.dapo, advantages, mask, old_logp, settings)
    return kernels.linear_loss(
        hidden.reshape(*mask.shape, 1), head, labels, objective, mask=mask
    ).loss


PIECES = {
    # aggregations
    "token_mean": row("aggregation", rl.token_mean),
    "token_sum": row("aggregation", rl.token_sum),
    "sequence_mean": row("aggregation", rl.sequence_mean),
    "sequence_sum": row("aggregation", rl.sequence_sum),
    "constant": row("aggregation", rl.constant, settings={"length": 16}),
    "masked_sum": row("aggregation", rl.masked_sum, settings={"dim": None},
                      waive={CUT: "a sum, not a mean, of its parts"}),
    "masked_mean": row("aggregation", rl.masked_mean, settings={"dim": None}, empty_is_nan=True,
                       waive={CUT: "has no denominator", "nothing valid": "NaN, as documented"}),
    # surrogates
    "clipped": row("surrogate", rl.clipped),
    "reinforce": row("surrogate", rl.reinforce),
    "cispo": row("surrogate", rl.cispo, waive=STOPPED),
    "sapo": row("surrogate", rl.sapo),
    "dppo_tv": row("surrogate", rl.dppo_tv, waive=STOPPED),
    "dppo_kl": row("surrogate", rl.dppo_kl, waive=STOPPED),
    "gmpo": row("surrogate", rl.gmpo),
    "gspo": row("surrogate", rl.gspo),
    "gspo_token": row("surrogate", rl.gspo_token),
    "vespo": row("surrogate", rl.vespo, waive=STOPPED),
    "clip_cov": row(
        "surrogate",
        rl.clip_cov,
        settings={"cov_low": 100.0, "cov_high": 101.0},  # selects none: no random numbers
    ),
    "kl_cov": row(
        "surrogate",
        rl.kl_cov,
        waive=WHOLE_BATCH | TIES,
    ),
    "log_ratio": row("kl", rl.log_ratio),
    "sequence_ratio": row("surrogate", rl.sequence_ratio),
    "sequence_log_ratio": row("kl", rl.sequence_log_ratio),
    "finite_gradient": row("surrogate", finite_gradient),
    "value_loss": row("surrogate", rl.value_loss, inputs=("old_values",)),
    "k1": row("kl", rl.k1),
    "k2": row("kl", rl.k2),
    "k3": row("kl", rl.k3),
    "k_abs": row("kl", rl.k_abs),
    "k3_straight_through": row("kl", rl.k3_straight_through, waive=STOPPED),
    "corrected_k3": row("kl", rl.corrected_k3),
    # advantages
    "group_relative": row("advantage", rl.group_relative),
    "leave_one_out": row("advantage", rl.leave_one_out),
    "opo": row("advantage", rl.opo),
    "pass_at_k": row("advantage", rl.pass_at_k),
    "gpg": row("advantage", rl.gpg, waive=WHOLE_BATCH),
    "remax": row("advantage", rl.remax),
    "normalize_then_sum": row("advantage", columns(rl.normalize_then_sum), waive=WHOLE_BATCH),
    "reinforce_pp": row("advantage", rl.reinforce_pp, waive=WHOLE_BATCH),
    "reinforce_pp_baseline": row(
        "advantage",
        rl.reinforce_pp_baseline,
        waive=WHOLE_BATCH,
    ),
    # returns
    "gae": row("returns", rl.gae, inputs=("bootstrap",)),
    "decoupled_gae": row(
        "returns", rl.decoupled_gae, inputs=("bootstrap",), settings={"policy_lam": 0.9}
    ),
    "discounted_returns": row("returns", rl.discounted_returns, inputs=("bootstrap",),
                              settings={"gamma": 0.5}),
    "multi_gamma_returns": row("returns", streams(rl.multi_gamma_returns)),
    "multi_gamma_gae": row("returns", two_values(rl.multi_gamma_gae)),
    "discounted_sums": row("weight", lambda x: rl.discounted_sums(x, 0.5), waive={
        "padding is not read": "it takes no mask", "width is not read": "it takes no mask"}),
    "reward_at_end": row("weight", rl.reward_at_end, inputs=("kl",), settings={"beta": 0.1}),
    # weights, masks and selections
    "whiten": row("weight", rl.whiten, waive=WHOLE_BATCH),
    "truncated_importance": row("weight", rl.truncated_importance, inputs=("known",)),
    "masked_importance": row("weight", rl.masked_importance, inputs=("known",)),
    "icepop": row("weight", rl.icepop, inputs=("known",)),
    "sequence_mask_tis": row("weight", rl.sequence_mask_tis, inputs=("known",)),
    "sampler_log_ratio": row("weight", rl.sampler_log_ratio),
    "normalized_weights": row("weight", rl.normalized_weights, names={"weights": "weight"},
                              waive=WHOLE_BATCH),
    "rejection_mask": row("weight", rl.rejection_mask, inputs=("known",),
                          settings={"estimator": rl.k3, "high": 0.1}),
    "off_policy_sequence_mask": row("weight", rl.off_policy_sequence_mask, inputs=("known",)),
    "top_entropy_mask": row("weight", rl.top_entropy_mask, waive=WHOLE_BATCH),
    "without_truncated": row("weight", rl.without_truncated),
    "is_clipped": row("weight", rl.is_clipped),
    "covariances": row("weight", rl.covariances, waive=WHOLE_BATCH),
    "clip_cov_selection": row(
        "weight", rl.clip_cov_selection, settings={"low": 100.0, "high": 101.0}
    ),
    "kl_cov_selection": row("weight", rl.kl_cov_selection, waive=WHOLE_BATCH | TIES),
    "length_adaptive_lambda": row("weight", rl.length_adaptive_lambda),
    "row_weights": row("weight", rows_of_weights),
    "informative": row("weight", rl.informative),
    # statistics
    "moments": row("statistic", of_moments),
    "combine_moments": row("statistic", lambda x, mask: tuple(
        rl.combine_moments([rl.moments(a, b) for a, b in zip(x, mask, strict=True)])),
        waive={"empty batch": "no parts are an error"}),
    "global_moments": row("statistic", lambda x, mask: tuple(rl.global_moments(x, mask))),
    "global_denominator": row("statistic", lambda mask: rl.global_denominator(mask)),
    "optimizer_step": row("statistic", lambda mask: tuple(rl.optimizer_step(mask)[:3])),
    "masked_var": row("statistic", rl.masked_var, waive={
        "constant": "a gradient flows through a variance"}),
    "explained_variance": row("statistic", rl.explained_variance),
    "entropy_threshold": row("statistic", rl.entropy_threshold),
    "policy_metrics": row("statistic", rl.policy_metrics, inputs=("ref_logp",), waive={
        "width is not read": "one of them is the share of padding"}),
    "batch_metrics": row("statistic", rl.batch_metrics, inputs=("ref_logp",), waive={
        "width is not read": "one of them is the share of padding"}),
}  # fmt: skip

NOT_TENSOR_FUNCTIONS = {
    "GAE", "LossOutput", "MetricInputs", "Moments", "OptimizerStep",  # results
    "recipes",  # a module
    "accelerate_scale", "rank_scale",  # of processes, not of tensors
}  # fmt: skip


NOT_A_LOGP = {WAY: "what is drawn as logp is a logit here"}
PENALISED = {"inputs": ("ref_logp",)}
KERNELS = {
    "policy_loss, grpo": row("loss", of_recipe(rl.recipes.grpo)),
    "policy_loss, grpo with KL": row("loss", of_recipe(rl.recipes.grpo, beta=0.1), **PENALISED),
    "policy_loss, grpo with ceiling, advantages per token": row(
        "loss", of_recipe(rl.recipes.grpo, ceiling=3.0), layouts={"advantages": "BT"}
    ),
    "policy_loss, dr_grpo with k2": row(
        "loss", of_recipe(rl.recipes.dr_grpo, length=16, kl=rl.k2, beta=0.1), **PENALISED
    ),
    "policy_loss, dapo with weights": row(
        "loss", of_recipe(rl.recipes.dapo), inputs=("weight", "keep")
    ),
    "policy_loss, cispo": row("loss", of_recipe(rl.recipes.cispo), waive=STOPPED),
    "policy_loss, sapo": row("loss", of_recipe(rl.recipes.sapo)),
    "policy_loss, reinforce with k1": row(
        "loss",
        of_recipe(rl.recipes.reinforce, kl=rl.k1, beta=0.1),
        waive={WAY: "k1 pulls at every token"},
        **PENALISED,
    ),
    "policy_loss, gspo": row("loss", of_recipe(rl.recipes.gspo)),
    "policy_loss, luspo with KL and weights": row(
        "loss", of_recipe(rl.recipes.luspo, beta=0.1), inputs=FULL
    ),
    "gae": row("returns", kernels.gae, inputs=("bootstrap",)),
    "gae, whitened": row(
        "returns",
        partial(kernels.gae, whiten=True),
        waive=WHOLE_BATCH | {"later than the token": "whitened", "reward reaches back": "whitened"},
    ),
    "gae, K streams": row("returns", two_values(kernels.multi_gamma_gae)),
    "selective_logprob": row("surrogate", picked),
    "selective_logprob with entropy": row("surrogate", picked_with_entropy),
    "linear_logprob with entropy": row("surrogate", projected),
    "linear_loss": row("loss", projected_loss, waive=NOT_A_LOGP),
}


def rows():
    """All of them, by a name for the tests."""
    found = {f"recipes.{name}": in_float32(item) for name, item in RECIPES.items()}
    found |= {f"recipes.{name} with all": full(name) for name in RECIPES}
    found |= PIECES
    return found | {f"kernels: {name}": in_float32(item) for name, item in KERNELS.items()}


def in_float32(item):
    """Where a fused pass is taken: float64 is that of the pieces."""
    return item._replace(how=item.how | {"dtype": "float32"})
