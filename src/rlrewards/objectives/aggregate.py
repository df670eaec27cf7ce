"""From a loss per token ``[B, T]`` to the loss: five ways, each with its mask and its denominator.

The denominator decides what a token weighs. By default it is counted on the tensors given; for the
same gradient however a batch is cut into micro-batches and ranks, pass the count over the *whole*
optimizer step. Losses of micro-batches then add up. (Where ranks *average* their gradients,
multiply by the number of ranks.)

A batch without a valid token gives 0 with zero gradients. A NaN at a valid token gives a NaN loss
and NaN gradients at the valid tokens (but for those past their clip, which have none), never a step
that quietly leaves the token out.
"""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from rlrewards.objectives import _checks
from rlrewards.objectives.masked import count, wide_sum

Denominator = float | Tensor | None


def token_mean(x: Tensor, mask: Tensor, *, denominator: Denominator = None) -> Tensor:
    """Every token of the batch weighs the same: ``Σ m·x / D``, D = the valid tokens by default.

    DAPO, arXiv 2503.14476, eqs 8 and 12, with D the tokens of the global batch. With the default
    and several micro-batches it is TRL's ``bnpo`` instead, which depends on how the batch is cut.

    Shapes: ``x``, ``mask`` ``[B, T]`` → scalar, in at least float32. Raises ``ValueError`` if they
    differ, or for a negative or NaN denominator.

    >>> x, mask = torch.tensor([[1.0, 3.0], [5.0, 9.0]]), torch.tensor([[1, 1], [1, 0]])
    >>> token_mean(x, mask), token_mean(x, mask, denominator=6)
    (tensor(3.), tensor(1.5000))
    """
    x, mask = _checked(x, mask)
    return _divide(wide_sum(x, mask), count(mask) if denominator is None else denominator, x)


def token_sum(x: Tensor, mask: Tensor, *, denominator: Denominator = 1.0) -> Tensor:
    """Sum over the tokens: ``Σ m·x / D``, D = 1 by default.

    Shapes, dtypes and errors as for ``token_mean``.

    >>> token_sum(torch.tensor([[1.0, 3.0], [5.0, 9.0]]), torch.tensor([[1, 1], [1, 0]]))
    tensor(9.)
    """
    x, mask = _checked(x, mask)
    return _divide(wide_sum(x, mask), 1.0 if denominator is None else denominator, x)


def sequence_mean(x: Tensor, mask: Tensor, *, denominator: Denominator = None) -> Tensor:
    """Every sequence weighs the same: ``(1/D) Σᵢ (1/nᵢ) Σₜ m·x``, D = the rows by default.

    GRPO, arXiv 2402.03300. A row without a valid token adds 0 and still counts in the default D, as
    in TRL (verl leaves it out: pass the number of rows that you count).

    Shapes, dtypes and errors as for ``token_mean``.

    >>> sequence_mean(torch.tensor([[1.0, 3.0], [5.0, 9.0]]), torch.tensor([[1, 1], [1, 0]]))
    tensor(3.5000)
    """
    x, mask = _checked(x, mask)
    means = wide_sum(x, mask, 1) / count(mask, 1).clamp(min=1)
    return _divide(means.sum(), len(x) if denominator is None else denominator, x)


def sequence_sum(x: Tensor, mask: Tensor, *, denominator: Denominator = None) -> Tensor:
    """Token sums, averaged over sequences: ``(1/D) Σᵢ Σₜ m·x``, D = the rows by default.

    Shapes, dtypes and errors as for ``token_mean``.

    >>> sequence_sum(torch.tensor([[1.0, 3.0], [5.0, 9.0]]), torch.tensor([[1, 1], [1, 0]]))
    tensor(4.5000)
    """
    x, mask = _checked(x, mask)
    return _divide(wide_sum(x, mask), len(x) if denominator is None else denominator, x)


def constant(x: Tensor, mask: Tensor, *, length: float, denominator: Denominator = None) -> Tensor:
    """One weight for every token ever: ``Σ m·x / (D·length)``, D = the rows by default.

    Dr.GRPO, arXiv 2503.20783. ``length`` is the generation limit in tokens: a setting of the run,
    and never the padded width, which changes with the batch.

    Shapes, dtypes and errors as for ``token_mean``; ``length`` must be positive.

    >>> x, mask = torch.tensor([[1.0, 3.0], [5.0, 9.0]]), torch.tensor([[1, 1], [1, 0]])
    >>> constant(x, mask, length=10)
    tensor(0.4500)
    """
    length = _positive_length(length)
    x, mask = _checked(x, mask)
    return _divide(wide_sum(x, mask) / length, len(x) if denominator is None else denominator, x)


def _checked(x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    x = _checks.floats("x", x, ndim=2)
    return x, _checks.boolean_mask(mask, "x", x)


def _divide(total: Tensor, denominator: float | Tensor, x: Tensor) -> Tensor:
    """``total / denominator`` in ``x``'s dtype; 0/0, a batch of nothing, is 0."""
    below = _scalar(denominator, total)
    below = torch.where((below == 0) & (total == 0), 1.0, below).detach()
    # NaN spoils the gradient of every valid token, not only that of its own cell.
    spoilt = torch.where(total.isnan(), torch.nan, 1.0).detach()
    return (total / below * spoilt).to(x.dtype)


def _scalar(denominator: float | Tensor, like: Tensor) -> Tensor:
    """Return a denominator as a scalar tensor of the device and dtype of another."""
    if isinstance(denominator, Tensor):
        _checks.scalar("denominator", denominator)
        return denominator.detach().to(like).reshape(())
    _checks.at_least("denominator", denominator, 0.0)
    return like.new_tensor(float(denominator))


def row_weights(
    aggregate: Callable[..., Tensor], mask: Tensor, denominator: Denominator = None
) -> Tensor:
    """What every token of a row weighs: ``token_mean`` and the others are all ``Σᵢ wᵢ Σₜ m·x``.

    For a kernel that sums the rows itself. ``constant`` comes with its length, as
    ``functools.partial(constant, length=…)``.

    Shapes: ``mask`` ``[B, T]`` → ``[B]``, float64. Raises ``TypeError`` for a function that is none
    of the five, and for ``constant`` without its length.

    >>> row_weights(sequence_mean, torch.tensor([[1, 1], [1, 0]]))
    tensor([0.2500, 0.5000], dtype=torch.float64)
    """
    valid = _checks.boolean_mask(mask, "mask", mask)
    if valid.ndim != 2:
        raise ValueError(f"mask has shape {list(mask.shape)}, expected [B, T]")
    weights = torch.ones(len(mask), dtype=torch.float64, device=mask.device)
    kind: Callable[..., Tensor] = aggregate
    length: float | None = None
    if isinstance(aggregate, partial):
        kind, settings = aggregate.func, dict(aggregate.keywords)
        length, own = settings.pop("length", None), settings.pop("denominator", None)
        denominator = own if denominator is None else denominator
        if aggregate.args or settings:
            raise TypeError(f"{aggregate!r} sets more than a length and a denominator")
    default: float | Tensor = len(mask)
    if kind is token_mean:
        default = count(valid) if denominator is None else 1.0
    elif kind is token_sum:
        default = 1.0
    elif kind is sequence_mean:
        weights = weights / count(valid, 1).clamp_(min=1)
    elif kind is constant:
        if length is None:
            raise TypeError("constant has no length here: pass partial(constant, length=…)")
        weights = weights / _positive_length(length)
    elif kind is not sequence_sum:
        raise TypeError(f"{kind!r} is no aggregation of this module")
    below = default if denominator is None else denominator
    if not isinstance(below, Tensor) and below > 0:
        return weights.div_(below)
    below = _scalar(below, weights)
    return weights / torch.where((below == 0) & ~valid.any(), 1.0, below)


def _positive_length(length: float) -> float:
    if not 0 < length < math.inf:
        raise ValueError(f"length is {length}, expected the generation limit in tokens, above 0")
    return length
