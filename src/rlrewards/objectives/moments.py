"""Count, mean and squared deviations of a batch, found from its parts: what whitening needs.

An advantage that is scaled by the whole batch depends on how the batch is cut, unless the parts
share their statistics first. ``moments`` of each micro-batch or rank, put together by
``combine_moments``, are those of the whole; every piece here with batch statistics takes them as
``moments=`` and then gives a completion the same advantage wherever it stands.

>>> x, mask = torch.tensor([[1.0, 2.0], [6.0, 9.0]]), torch.tensor([[1, 1], [1, 0]])
>>> parts = [moments(x[i : i + 1], mask[i : i + 1]) for i in range(2)]
>>> whiten(x[:1], mask[:1], moments=combine_moments(parts)), whiten(x, mask)[:1]
(tensor([[-0.7559, -0.3780]]), tensor([[-0.7559, -0.3780]]))
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from rlrewards.objectives import _checks
from rlrewards.objectives.masked import count, wide_sum


class Moments(NamedTuple):
    """``n``, ``x̄`` and ``Σ (x − x̄)²`` as float64 scalars; all 0 where there is nothing."""

    count: Tensor  # type: ignore[assignment]  # the word of the formula; tuple.count has no use here
    mean: Tensor
    variance_sum: Tensor

    def variance(self, *, ddof: int = 1) -> Tensor:
        """``Σ (x − x̄)² / (n − ddof)``; NaN with no more than ``ddof`` values.

        >>> moments(torch.tensor([1.0, 3.0]), torch.ones(2)).variance()
        tensor(2., dtype=torch.float64)
        """
        _checks.at_least("ddof", ddof, 0)
        free = self.count - ddof
        return torch.where(free > 0, self.variance_sum / free, torch.nan)


def moments(x: Tensor, mask: Tensor) -> Moments:
    """Count, mean and sum of squared deviations of the valid cells, in float64.

    A NaN at a valid cell makes mean and squared deviations NaN; what masked cells hold changes
    nothing.

    Shapes: ``x`` and ``mask`` alike, of any number of dimensions → scalars, constants. Raises
    ``ValueError`` if the shapes differ or ``x`` holds integers.

    >>> m = moments(torch.tensor([1.0, float("nan"), 5.0]), torch.tensor([1, 0, 1]))
    >>> m.count.item(), m.mean.item(), m.variance_sum.item()
    (2.0, 3.0, 8.0)
    """
    x = _checks.floats("x", x)
    return _moments(x, _checks.boolean_mask(mask, "x", x))


def combine_moments(parts: Sequence[Moments]) -> Moments:
    """Moments of all parts together: ``n̄ = Σ nₖ``, ``x̄ = Σ nₖx̄ₖ / n``, ``Σ Mₖ + Σ nₖ(x̄ₖ − x̄)²``.

    The pairwise update of Chan, Golub and LeVeque (1979), for any number of parts of any sizes,
    empty ones included. The order of the parts, and how they were cut, show in rounding only.

    All parts on one device. Raises ``ValueError`` if there are none.

    >>> a, b = torch.tensor([1.0]), torch.tensor([2.0, 6.0])
    >>> whole = combine_moments([moments(part, torch.ones_like(part)) for part in (a, b)])
    >>> whole.count.item(), whole.mean.item(), whole.variance_sum.item()
    (3.0, 3.0, 14.0)
    """
    if not parts:
        raise ValueError("parts is empty, expected the Moments of at least one part of the batch")
    n, mean, variance_sum = (torch.stack(field) for field in zip(*parts, strict=True))
    mean, variance_sum = (torch.where(n > 0, field, 0.0) for field in (mean, variance_sum))
    total = n.sum()
    middle = (n * mean).sum() / total.clamp(min=1)
    return Moments(total, middle, (variance_sum + n * (mean - middle) ** 2).sum())


def whiten(
    x: Tensor,
    mask: Tensor,
    *,
    shift_mean: bool = True,
    ddof: int = 1,
    eps: float = 1e-8,
    moments: Moments | None = None,
) -> Tensor:
    """Valid cells scaled to unit variance: ``(x − μ) · (v + eps)^−½``, ``+ μ`` without the shift.

    ``ddof`` of the variance v is 1 in verl and 0 in OpenRLHF, which also takes ``max(v, 1e-8)``
    instead of adding (relative difference below ``1e-8 / v``). μ and v are those of this batch, or
    of ``moments``: give those of the global batch if the result must not depend on how it is cut.

    Shapes: ``x`` and ``mask`` ``[B, T]`` → ``[B, T]``, 0 at masked cells, constants; at least
    float32. A lone value becomes 0. A NaN at a valid cell makes every valid cell NaN. Raises
    ``ValueError`` if shapes differ, or for a negative ``eps`` or ``ddof``.

    >>> whiten(torch.tensor([[1.0, 3.0, 9.9]]), torch.tensor([[1, 1, 0]]))
    tensor([[-0.7071,  0.7071,  0.0000]])
    """
    _checks.at_least("eps", eps, 0.0)
    x = _checks.floats("x", x)
    valid = _checks.boolean_mask(mask, "x", x)
    with torch.no_grad():
        own = _moments(x, valid) if moments is None else moments
        # Nothing is divided by no variance: that of a lone value, or 0 + eps = 0.
        inverse_std = (own.variance(ddof=ddof) + eps).rsqrt().nan_to_num(0.0, 0.0)
        scaled = (x.double() - own.mean).mul_(inverse_std)
        if not shift_mean:
            scaled.add_(own.mean)
        return scaled.masked_fill_(~valid, 0.0).to(x.dtype)


def _moments(x: Tensor, valid: Tensor) -> Moments:
    with torch.no_grad():
        add = wide_sum if x.dtype == torch.float64 else _steady_sum
        n = count(valid)
        mean = add(x, valid) / n.clamp(min=1)
        return Moments(n, mean, add((x.double() - mean).square_(), valid))


def _steady_sum(x: Tensor, valid: Tensor) -> Tensor:
    """Sum in float64. On the CPU one value after the other: no zero between them shows in a bit."""
    kept = torch.where(valid, x, 0.0).flatten()
    if kept.is_cpu:
        return kept.cumsum(0, dtype=torch.float64)[-1:].sum()
    return kept.sum(dtype=torch.float64)
