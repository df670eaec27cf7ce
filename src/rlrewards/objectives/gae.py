"""Generalised advantage estimation over a batch of completions, without a loop over time.

``Â_t = δ_t + γλ·Â_{t+1}`` is a sum with geometric weights; so is the λ-return ``Ĝ_t = Â_t + V_t``,
which needs fewer passes and, at λ = 1, forgets the values exactly. λ may differ from row to row
(``length_adaptive_lambda``) and between the policy and the critic (``decoupled_gae``). Rewards with
several discounts are in ``returns``.
"""

from functools import partial
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from rlrewards.objectives import _checks
from rlrewards.objectives.masked import count
from rlrewards.objectives.scan import Rows, sum_rows, unit_rate, working_dtype

Holes = Literal["carry", "discount"]


class GAE(NamedTuple):
    """``advantages, returns = gae(...)``; both ``[B, T]`` and 0 at masked tokens."""

    advantages: Tensor
    returns: Tensor


def gae(
    rewards: Tensor,
    values: Tensor,
    mask: Tensor,
    *,
    gamma: float = 1.0,
    lam: float | Tensor = 0.95,
    bootstrap: Tensor | None = None,
    holes: Holes = "carry",
) -> GAE:
    """Advantages ``Â_t = δ_t + γλ·Â_next`` and λ-returns ``Ĝ_t = Â_t + V_t``.

    ``δ_t = R_t + γ·V_next − V_t``, arXiv 1506.02438 (restated as DAPO's eqs 2 and 3). At the last
    valid token ``Â_next = 0``, and ``V_next`` is 0 where the completion ended, or ``bootstrap``,
    the value of the state after it, where it was truncated. λ = 1 gives the discounted return,
    summed as such, and that less the value.

    ``holes``, masked tokens between valid ones, such as the output of a tool: ``"carry"`` steps
    over them, *next* being the next **valid** token (verl and NeMo); with ``"discount"`` they are
    steps with reward 0 and value 0 (OpenRLHF), whose result is not kept.

    Shapes: ``rewards``, ``values``, ``mask`` ``[B, T]``; ``lam`` a float, or ``[B]``, one per row;
    ``bootstrap`` ``[B]``, 0 for rows that ended → two ``[B, T]``, constants (no gradient flows), in
    at least float32; computed in full precision under autocast and whatever the matmul precision is
    set to. Whatever masked cells hold, NaN included, changes nothing. Raises ``ValueError`` for
    other shapes, or γ, λ outside [0, 1]; for a ``lam`` on a GPU, which is not waited for, such a
    row is NaN instead.

    >>> rewards, values = torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([[0.5, 0.5, 0.5]])
    >>> A, R = gae(rewards, values, torch.ones(1, 3), gamma=1.0, lam=0.5)
    >>> A, R
    (tensor([[0.1250, 0.2500, 0.5000]]), tensor([[0.6250, 0.7500, 1.0000]]))
    """
    _checks.at_least("gamma", gamma, 0.0, 1.0)
    if holes not in ("carry", "discount"):
        raise ValueError(f'holes is {holes!r}, expected "carry" or "discount"')
    rewards, values = _checks.floats("rewards", rewards, ndim=2), _checks.floats("values", values)
    _checks.same_shape("values", values, "rewards", rewards)
    valid = _checks.boolean_mask(mask, "rewards", rewards)
    lam = unit_rate("lam", lam, like=rewards)
    bootstrap = one_per_row("bootstrap", bootstrap, rewards)
    dtype = torch.promote_types(rewards.dtype, values.dtype)
    work = working_dtype(dtype)
    with torch.no_grad(), torch.autocast(rewards.device.type, enabled=False):
        if rewards.numel() == 0:
            return GAE(rewards.to(dtype, copy=True), values.to(dtype, copy=True))
        rows = Rows.of(valid, work, step_over=holes == "carry")
        x, values = (rows.front(part.to(work).contiguous()) for part in (rewards, values))
        if rows.valid is None:
            x = _with_next(x, values, gamma, lam)  # nothing had to be moved: both are the caller's
        else:
            _add_next_(x, values, gamma, lam)
        if bootstrap is not None:
            rows.add_last_(x, gamma * bootstrap.to(x))  # there Ĝ_next = V_next
        returns = sum_rows(x, gamma * lam)
        advantages = torch.sub(returns, values, out=x)
        return GAE(rows.back(advantages).to(dtype), rows.back(returns).to(dtype))


def _add_next_(x: Tensor, values: Tensor, gamma: float, lam: float | Tensor) -> None:
    """Add ``γ(1−λ)·V_next``: with the reward, what ``Ĝ_t`` has beside ``γλ·Ĝ_next``."""
    if isinstance(lam, Tensor):
        x[:, :-1].addcmul_(values[:, 1:], (gamma * (1 - lam)).to(x).unsqueeze(1))
    else:
        x[:, :-1].add_(values[:, 1:], alpha=gamma * (1 - lam))


def _with_next(x: Tensor, values: Tensor, gamma: float, lam: float | Tensor) -> Tensor:
    """The same as a new tensor."""
    if isinstance(lam, Tensor):
        x = x.clone()
        _add_next_(x, values, gamma, lam)
        return x
    out = torch.empty_like(x)
    torch.add(x[:, :-1], values[:, 1:], alpha=gamma * (1 - lam), out=out[:, :-1])
    out[:, -1] = x[:, -1]
    return out


def one_per_row(name: str, x: Tensor | None, rewards: Tensor) -> Tensor | None:
    """``x`` checked to have the shape of ``rewards`` less its last dimension, the tokens."""
    if x is None:
        return None
    x = _checks.floats(name, x)
    if x.shape != rewards.shape[:-1]:
        raise ValueError(
            f"{name} has shape {list(x.shape)}, expected one value per row: "
            f"{list(rewards.shape[:-1])}"
        )
    return x


def decoupled_gae(
    rewards: Tensor,
    values: Tensor,
    mask: Tensor,
    *,
    gamma: float = 1.0,
    policy_lam: float | Tensor,
    critic_lam: float | Tensor = 1.0,
    bootstrap: Tensor | None = None,
    holes: Holes = "carry",
) -> GAE:
    """Advantages with ``policy_lam`` for the policy, returns with ``critic_lam`` for the critic.

    Decoupled GAE of VC-PPO, arXiv 2503.01491, taken over by VAPO, arXiv 2504.05118: with λ = 1 the
    critic's targets are the returns themselves, without bias from its own values, however
    small the variance that ``policy_lam`` buys. Returns less values are then not the advantages.

    Shapes, dtypes and errors as for ``gae``.

    >>> rewards, values = torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([[0.5, 0.5, 0.5]])
    >>> decoupled_gae(rewards, values, torch.ones(1, 3), policy_lam=0.5)
    GAE(advantages=tensor([[0.1250, 0.2500, 0.5000]]), returns=tensor([[1., 1., 1.]]))
    """
    _checks.floats("rewards", rewards, ndim=2)
    unit_rate("policy_lam", policy_lam, like=rewards)
    unit_rate("critic_lam", critic_lam, like=rewards)
    scan = partial(gae, rewards, values, mask, gamma=gamma, bootstrap=bootstrap, holes=holes)
    return GAE(scan(lam=policy_lam).advantages, scan(lam=critic_lam).returns)


def length_adaptive_lambda(mask: Tensor, *, alpha: float = 0.05) -> Tensor:
    """One λ per completion, nearer to 1 the longer it is: ``λ_i = 1 − 1/(α·n_i)``.

    VAPO, arXiv 2504.05118: chosen so that ``Σ_t λ^t ≈ α·n``, a fixed share of the ``n`` valid
    tokens. Clamped to [0, 1]: the formula is negative for ``n < 1/α``.

    Shapes: ``mask`` ``[B, T]`` → ``[B]``, float64, because powers of λ magnify its rounding. Raises
    ``ValueError`` for another shape or an alpha that is not positive.

    >>> mask = torch.arange(400) < torch.tensor([[400], [40], [10]])
    >>> length_adaptive_lambda(mask)
    tensor([0.9500, 0.5000, 0.0000], dtype=torch.float64)
    """
    if not alpha > 0:
        raise ValueError(f"alpha is {alpha}, expected > 0")
    valid = _checks.boolean_mask(mask, "mask", mask)
    if valid.ndim != 2:
        raise ValueError(f"mask has shape {list(mask.shape)}, expected [B, T]")
    return (1 - 1 / (alpha * count(valid, 1))).clamp(min=0, max=1)
