"""Masked reductions, and the two rules that make padding harmless.

*Values*: a masked cell is replaced before any arithmetic, so NaN or inf in padding reaches nothing;
sums are taken at twice the precision of their input, so that the order of addition, which padding
changes, does not show in the rounded result.

*Gradients*: a reduction sends back an exact zero to a masked cell, but ``0 · NaN = NaN`` further
down. ``finite_gradient`` stops that: a piece that is not linear in its input applies it first.
"""

import torch
from torch import Tensor

from rlrewards.objectives import _checks


def finite_gradient(x: Tensor, *others: Tensor) -> Tensor:
    """``x``, with an exactly zero gradient wherever it, or one of ``others``, is not finite.

    Use it as the first line of a piece of your own. The value keeps its NaN, so a NaN at a valid
    token still reaches the loss; only the derivative of such a cell is left out.

    Shapes: ``others`` broadcast against ``x``. Returns the shape and dtype of ``x``.

    >>> x = torch.tensor([2.0, float("nan")], requires_grad=True)
    >>> loss = masked_sum(finite_gradient(x) ** 2, torch.tensor([True, False]))
    >>> loss.backward(); x.grad
    tensor([4., 0.])
    """
    finite = x.isfinite()
    for other in others:
        finite = finite & other.isfinite()
    return torch.where(finite, x, x.detach())


def masked_sum(x: Tensor, mask: Tensor, dim: int | None = None) -> Tensor:
    """Sum of the valid cells, accumulated in float64: ``Σ m·x``; 0 when there are none.

    Shapes: ``x`` and ``mask`` alike. Returns a scalar, or ``x`` without ``dim``, in ``x``'s dtype
    (at least float32). Raises ``ValueError`` if the shapes differ or ``x`` holds integers.

    >>> masked_sum(torch.tensor([1.0, float("nan"), 2.0]), torch.tensor([1, 0, 1]))
    tensor(3.)
    """
    x = _checks.floats("x", x)
    return wide_sum(x, _checks.boolean_mask(mask, "x", x), dim).to(x.dtype)


def masked_mean(x: Tensor, mask: Tensor, dim: int | None = None) -> Tensor:
    """Mean of the valid cells: ``Σ m·x / Σ m``; NaN when there are none.

    Shapes, dtypes and errors as for ``masked_sum``.

    >>> masked_mean(torch.tensor([1.0, float("inf"), 2.0]), torch.tensor([1, 0, 1]))
    tensor(1.5000)
    """
    x = _checks.floats("x", x)
    mask = _checks.boolean_mask(mask, "x", x)
    return (wide_sum(x, mask, dim) / count(mask, dim)).to(x.dtype)


def masked_var(x: Tensor, mask: Tensor, *, ddof: int = 1) -> Tensor:
    """Variance of all valid cells: ``Σ m·(x − x̄)² / (Σ m − ddof)``; NaN with no more than ``ddof``.

    Shapes, dtypes and errors as for ``masked_sum``; returns a scalar.

    >>> masked_var(torch.tensor([1.0, 9.0, 3.0]), torch.tensor([1, 0, 1]))
    tensor(2.)
    """
    x = _checks.floats("x", x)
    mask = _checks.boolean_mask(mask, "x", x)
    n = count(mask)
    deviation = finite_gradient(x.double() - wide_sum(x, mask) / n)
    return torch.where(n > ddof, wide_sum(deviation**2, mask) / (n - ddof), torch.nan).to(x.dtype)


PACK = 1024
"""Cells that ``count`` adds up eight at a time."""


def count(mask: Tensor, dim: int | None = None) -> Tensor:
    """Number of valid cells as float64: all of them, or along ``dim``."""
    if mask.ndim == 0:
        return mask.double()
    # Bytes into int32: more than twice as fast on a CPU as booleans into int64.
    ones, along = mask.view(torch.uint8), -1 if dim is None else dim
    whole = ones.is_contiguous() and mask.shape[-1] % PACK == 0 and mask.numel() > 0
    if whole and along in (-1, mask.ndim - 1):
        # As words of eight bytes, 128 to a sum, so that no byte overflows: faster still.
        ones = ones.view(torch.int64).unfold(-1, PACK // 8, PACK // 8).sum(-1).view(torch.uint8)
    counts = ones.sum(along, dtype=torch.int32)
    return (counts.sum() if dim is None else counts).double()


def wide_sum(x: Tensor, mask: Tensor, dim: int | None = None) -> Tensor:
    """Sum of the valid cells as float64, exact enough to hide the order of addition.

    float32 is summed in float64; float64 in pairs of float64 (hardly ever used but in tests, where
    bits are compared).
    """
    kept = torch.where(mask, x, 0.0)
    kept, dim = (kept.flatten(), 0) if dim is None else (kept, dim)
    if x.dtype != torch.float64:
        return kept.sum(dim, dtype=torch.float64)
    plain = kept.sum(dim)
    rounding = _compensated_sum(kept.detach(), dim) - plain.detach()
    return plain + rounding.nan_to_num(0.0, 0.0, 0.0)


def _compensated_sum(x: Tensor, dim: int) -> Tensor:
    """Pairwise sum in which every rounding error is carried along (Knuth's two-sum)."""
    x = x.movedim(dim, -1)
    error = torch.zeros_like(x)
    while x.shape[-1] > 1:
        odd = x.shape[-1] % 2
        x, error = (torch.nn.functional.pad(part, (0, odd)) for part in (x, error))
        a, b = x[..., ::2], x[..., 1::2]
        x = a + b
        bb = x - a
        error = error[..., ::2] + error[..., 1::2] + ((a - (x - bb)) + (b - bb))
    return x.sum(-1) + error.sum(-1)
