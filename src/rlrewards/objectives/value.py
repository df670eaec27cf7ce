"""The critic: its loss per token, and how much of the returns it explains."""

import torch
from torch import Tensor

from rlrewards.objectives import _checks
from rlrewards.objectives.masked import finite_gradient, masked_var


def value_loss(
    values: Tensor, returns: Tensor, *, old_values: Tensor | None = None, clip: float = 0.2
) -> Tensor:
    """Half the squared error of the critic, clipped around its old values when they are given.

    Plain: ``½(V − Ĝ)²``. With ``old_values``: ``½ max((V − Ĝ)², (clip(V, V_old ± clip) − Ĝ)²)``,
    the form of the PPO implementations (TRL, verl and OpenRLHF all carry the ½). Returns and old
    values are constants.

    Shapes: all ``[B, T]`` → ``[B, T]``, to be aggregated like any other piece; at least float32.
    Raises ``ValueError`` if the shapes differ or clip is negative.

    >>> values, returns = torch.tensor([[1.0, 0.5]]), torch.tensor([[0.0, 0.0]])
    >>> value_loss(values, returns)
    tensor([[0.5000, 0.1250]])
    >>> value_loss(values, returns, old_values=torch.tensor([[1.5, 0.5]]))
    tensor([[0.8450, 0.1250]])
    """
    _checks.at_least("clip", clip, 0.0)
    values = _checks.floats("values", values, ndim=2)
    target = _target("returns", returns, values)
    error = values - target
    if old_values is None:
        return _half_square(finite_gradient(error))
    old = _target("old_values", old_values, values)
    near = values.clamp(old - clip, old + clip) - target
    plain, clipped = finite_gradient(error, near), finite_gradient(near, error)
    return torch.maximum(_half_square(plain), _half_square(clipped))


def _half_square(x: Tensor) -> Tensor:
    """``½x²``, whose gradient is finite where ``x`` is: ``2x`` may overflow."""
    return 0.5 * x * x


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
    """Share of the variance of the returns that the critic explains: ``1 − Var(Ĝ − V) / Var(Ĝ)``.

    1 is a perfect critic, 0 one that knows the mean, below 0 one that harms. NaN when the returns
    do not vary (there is nothing to explain).

    Shapes: all ``[B, T]`` → scalar without gradient, in at least float32. Raises ``ValueError`` if
    they differ.

    >>> returns, mask = torch.tensor([[0.0, 1.0, 2.0]]), torch.ones(1, 3)
    >>> explained_variance(returns / 2, returns, mask)
    tensor(0.7500)
    """
    with torch.no_grad():
        values = _checks.floats("values", values, ndim=2)
        target = _target("returns", returns, values)
        mask = _checks.boolean_mask(mask, "values", values)
        # less one of their own, returns that do not vary are exactly 0, however their mean rounds
        kept = torch.where(mask, target, torch.inf)
        centred = target.double() - (kept.amin() if kept.numel() else 0.0)
        total = masked_var(centred, mask)
        left = masked_var(target.double() - values, mask)
        return torch.where(total > 0, 1 - left / total, torch.nan).to(values.dtype)


def _target(name: str, x: Tensor, values: Tensor) -> Tensor:
    x = _checks.floats(name, x, ndim=2).detach().to(values.dtype)
    _checks.same_shape(name, x, "values", values)
    return x
