"""Advantages that differ from token to token, from one scalar reward per completion and a mask.

The reward of a completion stands at its last valid token; a KL penalty may stand at every token.
``reward_at_end`` builds these token rewards, for ``gae`` or returns of your own. REINFORCE++ needs
no value model: it sums them to the end of the row and whitens over all tokens of the batch.

Everything is ``[B, T]``, 0 at masked tokens and constant. Interior masked tokens, such as the
output of a tool, are stepped over.
"""

import torch
from torch import Tensor

from rlrewards.objectives import _checks
from rlrewards.objectives._groups import Group, real_rewards
from rlrewards.objectives.advantages import group_relative
from rlrewards.objectives.moments import Moments, whiten
from rlrewards.objectives.returns import discounted_returns


def reward_at_end(
    rewards: Tensor, mask: Tensor, *, kl: Tensor | None = None, beta: float = 0.0
) -> Tensor:
    """Rewards per token: the completion's at its last valid token, less a penalty at every one.

    ``R_it = 1[t = last]·rᵢ − β·KL_it``, with ``KL = k1(logp, ref_logp)`` in PPO for language models
    and REINFORCE++, arXiv 2501.03262. A row without a valid token gets nothing. A NaN reward stands
    at its token as it is: mask that row, or it spoils what follows from it.

    Shapes: ``rewards`` ``[B]``, ``mask`` and ``kl`` ``[B, T]`` → ``[B, T]``, in at least float32.
    With β = 0 ``kl`` is not looked at. Raises ``ValueError`` for other shapes, a negative β, or β
    without ``kl``.

    >>> reward_at_end(torch.tensor([1.0, 2.0]), torch.tensor([[1, 1, 0], [1, 0, 1]]))
    tensor([[0., 1., 0.],
            [0., 0., 2.]])
    """
    rewards, valid = _rewards_and_mask(rewards, mask)
    with torch.no_grad():
        left = valid.flip(1).cumsum(1).flip(1)  # valid tokens from here to the end
        tokens = torch.where(valid & (left == 1), rewards.unsqueeze(1), 0.0)
        _checks.at_least("beta", beta, 0.0)
        if beta == 0:
            return tokens
        if kl is None:
            raise ValueError(f"beta is {beta} but kl is missing: pass kl=k1(logp, ref_logp)")
        kl = _checks.floats("kl", kl, ndim=2)
        _checks.same_shape("kl", kl, "mask", mask)
        return torch.where(valid, tokens - beta * kl, 0.0)


def reinforce_pp(
    rewards: Tensor,
    mask: Tensor,
    *,
    kl: Tensor | None = None,
    beta: float = 0.0,
    gamma: float = 1.0,
    moments: Moments | None = None,
    whitened: bool = True,
) -> Tensor:
    """REINFORCE++: returns to go of the token rewards, whitened over all valid tokens.

    ``G_it = Σ_{u ≥ t} γ^(u−t)·R_iu``, ``R`` from ``reward_at_end``; then ``(G − μ)·(v + 1e-8)^−½``.
    arXiv 2501.03262 takes γ = 1, and μ and v over the *global* batch: if this is a part of it, pass
    the ``moments`` of G over all its valid tokens. G is what ``whitened=False`` returns; give it to
    ``whiten`` for another ddof. A completion with a NaN reward takes no part and gets 0.

    Shapes: ``rewards`` ``[B]``, ``mask`` and ``kl`` ``[B, T]`` → ``[B, T]``, in at least float32.
    Raises ``ValueError`` for other shapes, a negative β, β without ``kl``, or γ outside [0, 1].

    >>> rewards, mask = torch.tensor([1.0, 0.0]), torch.tensor([[1, 1, 0], [1, 1, 1]])
    >>> reinforce_pp(rewards, mask)
    tensor([[ 1.0954,  1.0954,  0.0000],
            [-0.7303, -0.7303, -0.7303]])
    """
    rewards, valid = _rewards_and_mask(rewards, mask)
    valid = valid & ~rewards.isnan().unsqueeze(1)
    tokens = reward_at_end(rewards, valid, kl=kl, beta=beta)
    returns = _returns(tokens, valid, gamma)
    return whiten(returns, valid, moments=moments) if whitened else returns


def reinforce_pp_baseline(
    rewards: Tensor,
    group: Group,
    mask: Tensor,
    *,
    moments: Moments | None = None,
    whitened: bool = True,
) -> Tensor:
    """REINFORCE++-baseline: reward less its group's mean on every token, whitened over all tokens.

    ``(A − μ)·(v + 1e-8)^−½`` with ``A_it = rᵢ − r̄`` and μ, v over the valid tokens of the global
    batch, arXiv 2501.03262; the KL is a loss of its own there (``k2``). ``moments`` and
    ``whitened`` are as for ``reinforce_pp``. Long completions weigh more in μ, which so is not 0:
    a group of identical rewards gets ``−μ·(v + 1e-8)^−½``. A NaN reward takes no part and gets 0.

    Shapes: ``rewards``, ``group`` ``[B]``, ``mask`` ``[B, T]`` → ``[B, T]``, in at least float32.
    Raises ``ValueError`` for other shapes.

    >>> rewards, mask = torch.tensor([1.0, 0.0]), torch.tensor([[1, 1, 0], [1, 1, 1]])
    >>> reinforce_pp_baseline(rewards, [0, 0], mask)
    tensor([[ 1.0954,  1.0954,  0.0000],
            [-0.7303, -0.7303, -0.7303]])
    """
    rewards, valid = _rewards_and_mask(rewards, mask)
    valid = valid & ~rewards.isnan().unsqueeze(1)
    advantages = group_relative(rewards, group, scale="none").unsqueeze(1)
    tokens = torch.where(valid, advantages, 0.0)
    return whiten(tokens, valid, moments=moments) if whitened else tokens


def _rewards_and_mask(rewards: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    rewards = real_rewards("rewards", rewards)
    if isinstance(mask, Tensor) and (mask.ndim != 2 or mask.shape[:1] != rewards.shape):
        raise ValueError(
            f"mask has shape {list(mask.shape)}, expected [B, T] with B = {len(rewards)} rewards"
        )
    return rewards, _checks.boolean_mask(mask, "mask", mask)


def _returns(rewards: Tensor, valid: Tensor, gamma: float) -> Tensor:
    """Discounted sum to the end of the row; without a discount a plain one, in float64."""
    if gamma != 1:
        return discounted_returns(rewards, valid, gamma=gamma)
    with torch.no_grad():
        sums = rewards.flip(1).cumsum(1, dtype=torch.float64).flip(1)
        return torch.where(valid, sums, 0.0).to(rewards.dtype)
