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
from rlrewards.objectives.advantages import group_relative, leave_one_out, whiten
from rlrewards.objectives.aggregate import (
    constant,
    sequence_mean,
    sequence_sum,
    token_mean,
    token_sum,
)
from rlrewards.objectives.gae import GAE, gae
from rlrewards.objectives.kl import k1, k2, k3
from rlrewards.objectives.masked import finite_gradient, masked_mean, masked_sum, masked_var
from rlrewards.objectives.recipes import LossOutput, policy_metrics
from rlrewards.objectives.surrogate import clipped, log_ratio
from rlrewards.objectives.value import explained_variance, value_loss

__all__ = [
    "GAE",
    "LossOutput",
    "clipped",
    "constant",
    "explained_variance",
    "finite_gradient",
    "gae",
    "group_relative",
    "k1",
    "k2",
    "k3",
    "leave_one_out",
    "log_ratio",
    "masked_mean",
    "masked_sum",
    "masked_var",
    "policy_metrics",
    "recipes",
    "sequence_mean",
    "sequence_sum",
    "token_mean",
    "token_sum",
    "value_loss",
    "whiten",
]
