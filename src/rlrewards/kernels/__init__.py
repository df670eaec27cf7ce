"""Fused kernels beside their eager oracles: Triton on a GPU, plain torch on the CPU.

Each means what a function of ``rlrewards.objectives`` means, or what full logits would give, and
falls back to it where no kernel applies. Importing this package imports torch, not Triton: that
comes with the first CUDA tensor.

>>> import torch
>>> from rlrewards import kernels
>>> kernels.selective_logprob(torch.zeros(2, 4), torch.tensor([0, 3])).logp
tensor([-1.3863, -1.3863])
"""

from rlrewards.kernels.gae import gae, multi_gamma_gae
from rlrewards.kernels.linear_logprob import (
    LinearLogProbs,
    LinearLoss,
    linear_logprob,
    linear_loss,
)
from rlrewards.kernels.objective import PolicyObjective
from rlrewards.kernels.projection import VocabShard
from rlrewards.kernels.selective_logprob import LogProbs, selective_logprob
from rlrewards.kernels.surrogate import policy_loss

__all__ = [
    "LinearLogProbs",
    "LinearLoss",
    "LogProbs",
    "PolicyObjective",
    "VocabShard",
    "gae",
    "linear_logprob",
    "linear_loss",
    "multi_gamma_gae",
    "policy_loss",
    "selective_logprob",
]
