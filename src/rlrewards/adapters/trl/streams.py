"""Rewards per token that some parts of a stack have, as advantages per token.

A penalty for repetition knows which tokens repeat. TRL's reward functions have no room for that:
they return a number for a completion. The scores that they come from do.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rlrewards.core import Scores
from rlrewards.objectives import multi_gamma_returns


def stream_names(scores: Scores) -> list[str]:
    """Return the parts that have a reward for each token.

    Raises `ValueError` where one is a part of a stack inside the stack: its share of the total
    cannot be told from the rest of it.
    """
    for name, inner in scores.nested.items():
        if stream_names(inner):
            raise ValueError(
                f"part {name!r} is a stack, and {', '.join(inner.dense)} in it has rewards per "
                "token: make it a part of the outer stack, or pass dense=False"
            )
    return list(scores.dense)


def stream_advantages(scores: Scores, names: Sequence[str], mask: Tensor) -> Tensor:
    """Return `Σ_k w_k Σ_l γ_k^l R_k,t+l` of the streams of some parts, arXiv 2502.03373, § 4.6.

    Shapes: `scores` of B completions, `mask` `[B, T]` with the tokens of a completion first →
    `[B, T]`, 0 where masked.
    """
    rewards = torch.zeros(len(names), *mask.shape)
    for stream, name in zip(rewards, names, strict=True):
        for row, values in zip(stream, scores.dense[name], strict=True):
            if values is not None:
                row[: len(values)] = torch.as_tensor(values, dtype=row.dtype)[: len(row)]
        stream *= scores.weights[name]
    gammas = [scores.gammas[name] for name in names]
    return multi_gamma_returns(rewards.to(mask.device), mask, gammas=gammas)
