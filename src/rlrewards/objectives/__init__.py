"""Objectives of policy-gradient RL on language models: pure pieces that compose by name.

Advantages, surrogates, KL estimators and value losses map ``[B]`` and ``[B, T]`` tensors to tensors
of the same shape; an aggregation turns ``[B, T]`` into the loss, with its mask and its denominator
in sight; a recipe is a line or two of these pieces.

>>> import torch
>>> from rlrewards import objectives as rl
>>> logp = torch.tensor([[-1.0, -2.0], [-0.5, -1.0]], requires_grad=True)
>>> mask = torch.tensor([[True, True], [True, False]])
>>> advantages = rl.group_relative(torch.tensor([1.0, 0.0]), torch.tensor([7, 7]), scale="none")
>>> loss = rl.token_mean(rl.clipped(logp, logp.detach(), advantages), mask)
>>> loss.item()
-0.1666666716337204
"""

try:
    import torch as _torch  # noqa: F401  (only to say in one line what is missing)
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise ImportError(
        'rlrewards.objectives needs PyTorch: pip install "rlrewards[torch]"', name="torch"
    ) from None

from rlrewards.objectives import recipes
from rlrewards.objectives.advantages import (
    gpg,
    group_relative,
    informative,
    leave_one_out,
    normalize_then_sum,
    opo,
    pass_at_k,
    remax,
)
from rlrewards.objectives.aggregate import (
    constant,
    row_weights,
    sequence_mean,
    sequence_sum,
    token_mean,
    token_sum,
)
from rlrewards.objectives.cispo import cispo
from rlrewards.objectives.corrections import (
    icepop,
    masked_importance,
    normalized_weights,
    rejection_mask,
    sampler_log_ratio,
    sequence_mask_tis,
    truncated_importance,
)
from rlrewards.objectives.covariance import (
    clip_cov,
    clip_cov_selection,
    covariances,
    kl_cov,
    kl_cov_selection,
)
from rlrewards.objectives.distributed import (
    OptimizerStep,
    accelerate_scale,
    global_denominator,
    global_moments,
    optimizer_step,
    rank_scale,
)
from rlrewards.objectives.dppo import dppo_kl, dppo_tv
from rlrewards.objectives.gae import GAE, decoupled_gae, gae, length_adaptive_lambda
from rlrewards.objectives.gmpo import gmpo
from rlrewards.objectives.kl import corrected_k3, k1, k2, k3, k3_straight_through, k_abs
from rlrewards.objectives.masked import finite_gradient, masked_mean, masked_sum, masked_var
from rlrewards.objectives.metrics import LossOutput, MetricInputs, batch_metrics, policy_metrics
from rlrewards.objectives.moments import Moments, combine_moments, moments, whiten
from rlrewards.objectives.returns import discounted_returns, multi_gamma_gae, multi_gamma_returns
from rlrewards.objectives.sapo import sapo
from rlrewards.objectives.scan import discounted_sums
from rlrewards.objectives.selections import (
    entropy_threshold,
    off_policy_sequence_mask,
    top_entropy_mask,
    without_truncated,
)
from rlrewards.objectives.sequence_ratio import gspo, gspo_token, sequence_log_ratio, sequence_ratio
from rlrewards.objectives.surrogate import clipped, is_clipped, log_ratio, reinforce
from rlrewards.objectives.token_advantages import reinforce_pp, reinforce_pp_baseline, reward_at_end
from rlrewards.objectives.value import explained_variance, value_loss
from rlrewards.objectives.vespo import vespo

__all__ = [
    "GAE",
    "LossOutput",
    "MetricInputs",
    "Moments",
    "OptimizerStep",
    "accelerate_scale",
    "batch_metrics",
    "cispo",
    "clip_cov",
    "clip_cov_selection",
    "clipped",
    "combine_moments",
    "constant",
    "corrected_k3",
    "covariances",
    "decoupled_gae",
    "discounted_returns",
    "discounted_sums",
    "dppo_kl",
    "dppo_tv",
    "entropy_threshold",
    "explained_variance",
    "finite_gradient",
    "gae",
    "global_denominator",
    "global_moments",
    "gmpo",
    "gpg",
    "group_relative",
    "gspo",
    "gspo_token",
    "icepop",
    "informative",
    "is_clipped",
    "k1",
    "k2",
    "k3",
    "k3_straight_through",
    "k_abs",
    "kl_cov",
    "kl_cov_selection",
    "leave_one_out",
    "length_adaptive_lambda",
    "log_ratio",
    "masked_importance",
    "masked_mean",
    "masked_sum",
    "masked_var",
    "moments",
    "multi_gamma_gae",
    "multi_gamma_returns",
    "normalize_then_sum",
    "normalized_weights",
    "off_policy_sequence_mask",
    "opo",
    "optimizer_step",
    "pass_at_k",
    "policy_metrics",
    "rank_scale",
    "recipes",
    "reinforce",
    "reinforce_pp",
    "reinforce_pp_baseline",
    "rejection_mask",
    "remax",
    "reward_at_end",
    "row_weights",
    "sampler_log_ratio",
    "sapo",
    "sequence_log_ratio",
    "sequence_mask_tis",
    "sequence_mean",
    "sequence_ratio",
    "sequence_sum",
    "token_mean",
    "token_sum",
    "top_entropy_mask",
    "truncated_importance",
    "value_loss",
    "vespo",
    "whiten",
    "without_truncated",
]
