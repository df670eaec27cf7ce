"""Discounted returns of token rewards, and several streams of reward, each with its own discount.

A reward for the outcome wants γ = 1, or the start of a long completion is worth less; a penalty for
repetition wants γ < 1, or it blames tokens written long before. *Demystifying Long Chain-of-Thought
Reasoning in LLMs*, arXiv 2502.03373, section 4.6, discounts each stream by its own γ and adds the
returns. Masked tokens between valid ones are stepped over without a discount, as in ``gae``.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from rlrewards.objectives import _checks
from rlrewards.objectives.gae import GAE, gae, one_per_row
from rlrewards.objectives.scan import Rows, sum_rows, working_dtype


def discounted_returns(
    rewards: Tensor, mask: Tensor, *, gamma: float, bootstrap: Tensor | None = None
) -> Tensor:
    """Sum of a token's reward and the discounted ones after it: ``G_t = R_t + γ·G_next``.

    *next* is the next valid token of the row. After the last one ``G_next`` is 0 where the
    completion ended, or ``bootstrap``, the value of the state after it, where it was truncated.

    Shapes: ``rewards``, ``mask`` ``[B, T]``; ``bootstrap`` ``[B]``, 0 for rows that ended →
    ``[B, T]``, 0 at masked tokens, constant (no gradient flows), in at least float32; computed in
    full precision under autocast and whatever the matmul precision is set to. Whatever masked
    cells hold, NaN included, changes nothing. Raises ``ValueError`` for other shapes or γ outside
    [0, 1].

    >>> discounted_returns(torch.tensor([[1.0, 0.0, 4.0]]), torch.ones(1, 3), gamma=0.5)
    tensor([[2., 2., 4.]])
    """
    rewards = _checks.floats("rewards", rewards, ndim=2)
    valid = _checks.boolean_mask(mask, "rewards", rewards)
    _checks.at_least("gamma", gamma, 0.0, 1.0)
    bootstrap = one_per_row("bootstrap", bootstrap, rewards)
    return _sum_of_returns([rewards], valid, [gamma], None if bootstrap is None else [bootstrap])


def multi_gamma_returns(
    rewards: Tensor, mask: Tensor, *, gammas: Sequence[float], bootstrap: Tensor | None = None
) -> Tensor:
    """Returns of several streams of reward, added: ``G_t = Σ_k Σ_l γ_k^l · R_{k,t+l}``.

    arXiv 2502.03373, section 4.6.

    Shapes: ``rewards`` ``[K, B, T]``, one γ for each stream, ``mask`` ``[B, T]``; ``bootstrap``
    ``[K, B]``, because each stream discounts its own → ``[B, T]``. Otherwise as for
    ``discounted_returns``.

    >>> rewards = torch.tensor([[[0.0, 0.0, 1.0]], [[0.0, -4.0, 0.0]]])
    >>> multi_gamma_returns(rewards, torch.ones(1, 3), gammas=(1.0, 0.5))
    tensor([[-1., -3.,  1.]])
    """
    rewards, valid = _checked(rewards, mask, gammas)
    bootstrap = one_per_row("bootstrap", bootstrap, rewards)
    return _sum_of_returns(rewards, valid, gammas, bootstrap)


def multi_gamma_gae(
    rewards: Tensor,
    values: Tensor,
    mask: Tensor,
    *,
    gammas: Sequence[float],
    lam: float | Tensor = 1.0,
    bootstrap: Tensor | None = None,
) -> GAE:
    """Advantages of several streams of reward: ``Â_t = Σ_k Â_{k,t}``, each with its own γ.

    With λ = 1 and one value per token that is ``Σ_k Σ_l γ_k^l · R_{k,t+l} − V_t``, arXiv
    2502.03373, section 4.6, whose code allows nothing else. For λ < 1 the paper defines nothing:
    one value of the sum has no TD error for streams that discount it differently. Our choice is a
    value for each stream, and the sum of the streams' own GAE.

    Shapes: ``rewards`` ``[K, B, T]``, one γ for each stream, ``mask`` ``[B, T]``, ``bootstrap``
    ``[K, B]``; ``values`` ``[B, T]``, with λ = 1 only, or ``[K, B, T]`` → advantages ``[B, T]`` and
    returns like ``values``, the targets of the value heads. Otherwise as for ``gae``.

    >>> rewards = torch.tensor([[[0.0, 0.0, 1.0]], [[0.0, -4.0, 0.0]]])
    >>> values = torch.full((1, 3), 0.5)
    >>> multi_gamma_gae(rewards, values, torch.ones(1, 3), gammas=(1.0, 0.5)).advantages
    tensor([[-1.5000, -3.5000,  0.5000]])
    """
    rewards, valid = _checked(rewards, mask, gammas)
    bootstrap = one_per_row("bootstrap", bootstrap, rewards)
    values = _checks.floats("values", values).detach()
    if values.ndim == 2:
        if isinstance(lam, Tensor) or lam != 1:
            raise ValueError(
                f"lam is {lam} and values has shape {list(values.shape)}, one for all streams: "
                f"pass lam=1.0, or one value per stream, {list(rewards.shape)}"
            )
        _checks.same_shape("values", values, "mask", mask)
        rewards = rewards.to(torch.promote_types(rewards.dtype, values.dtype))
        returns = _sum_of_returns(rewards, valid, gammas, bootstrap)
        advantages = returns - values
        advantages = Rows.of(valid, advantages.dtype, step_over=False).front(advantages)
        return GAE(advantages, returns)
    _checks.same_shape("values", values, "rewards", rewards)
    boots = [None] * len(gammas) if bootstrap is None else bootstrap
    streams = [
        gae(r, v, valid, gamma=gamma, lam=lam, bootstrap=boot)
        for r, v, gamma, boot in zip(rewards, values, gammas, boots, strict=True)
    ]
    advantages, returns = (torch.stack(parts) for parts in zip(*streams, strict=True))
    return GAE(advantages.sum(0), returns)


def _checked(rewards: Tensor, mask: Tensor, gammas: Sequence[float]) -> tuple[Tensor, Tensor]:
    rewards = _checks.floats("rewards", rewards)
    if rewards.ndim != 3 or not len(rewards) == len(gammas) > 0:
        raise ValueError(
            f"rewards has shape {list(rewards.shape)} and gammas {len(gammas)} values, expected "
            "[K, B, T] and one γ for each of the K ≥ 1 streams"
        )
    for k, gamma in enumerate(gammas):
        _checks.at_least(f"gammas[{k}]", gamma, 0.0, 1.0)
    return rewards, _checks.boolean_mask(mask, "each stream of rewards", rewards[0])


def _sum_of_returns(
    rewards: Sequence[Tensor] | Tensor,
    valid: Tensor,
    gammas: Sequence[float],
    bootstrap: Sequence[Tensor] | Tensor | None,
) -> Tensor:
    dtype, device = rewards[0].dtype, rewards[0].device
    work = working_dtype(dtype)
    with torch.no_grad(), torch.autocast(device.type, enabled=False):
        if valid.numel() == 0:
            return rewards[0].clone()
        rows = Rows.of(valid, work)

        def returns(k: int) -> Tensor:
            x = rows.front(rewards[k].to(work))
            if bootstrap is not None:
                x = x.clone() if rows.valid is None else x  # what is not moved is the caller's
                rows.add_last_(x, gammas[k] * bootstrap[k].to(x))  # the last token's G_next
            return sum_rows(x, gammas[k])

        total = returns(0)
        for k in range(1, len(gammas)):
            total.add_(returns(k))
        return rows.back(total).to(dtype)
