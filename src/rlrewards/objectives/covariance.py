"""The few tokens that make entropy collapse: where advantage and log-probability move together.

The entropy of a policy falls with the covariance of advantage and log-probability, and a few tokens
in ten thousand hold most of it. Clip-Cov takes some of them out of the update, KL-Cov ties them to
the old policy. Both choose over the valid tokens of the whole batch: with micro-batches, choose
first (``covariances``, then a selection) and hand each its part as ``selected``.
"""

import torch
from torch import Tensor

from rlrewards.objectives import _checks
from rlrewards.objectives.masked import count, finite_gradient, masked_mean
from rlrewards.objectives.surrogate import clipped, is_clipped, log_ratio


def covariances(
    logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    means: tuple[float | Tensor, float | Tensor] | None = None,
) -> Tensor:
    """Each token's part in the covariance: ``(A − Ā)·(ℓ − ℓ̄)``, means over all valid tokens.

    arXiv 2505.22617. ``means`` is (Ā, ℓ̄) of the whole batch, when this is a part of it.

    Shapes: ``logp``, ``mask`` ``[B, T]``; ``advantages`` ``[B]`` or ``[B, T]`` → ``[B, T]`` without
    gradient, 0 where masked; at least float32. Raises ``ValueError`` for other shapes.

    >>> logp, advantages = torch.tensor([[-1.0, -3.0, 9.0]]), torch.tensor([[2.0, 0.0, 9.0]])
    >>> covariances(logp, advantages, torch.tensor([[1, 1, 0]]))
    tensor([[1., 1., 0.]])
    """
    logp = _checks.floats("logp", logp, ndim=2).detach()
    mask = _checks.boolean_mask(mask, "logp", logp)
    advantages = _checks.per_token(advantages, logp).expand_as(logp)
    if means is None:
        means = masked_mean(advantages, mask), masked_mean(logp, mask)
    for name, mean in zip(("Ā of means", "ℓ̄ of means"), means, strict=True):
        _checks.scalar(name, mean)
    return torch.where(mask, (advantages - means[0]) * (logp - means[1]), 0.0)


def clip_cov_selection(
    cov: Tensor,
    mask: Tensor,
    *,
    share: float = 2e-4,
    low: float = 1.0,
    high: float = 5.0,
    exclude: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Tokens that Clip-Cov takes out: a random ``max(1, ⌊share·N⌋)`` with ``low < cov < high``.

    arXiv 2505.22617. N counts the valid tokens; where fewer qualify all of them are taken.
    ``exclude`` are tokens that have no gradient already (``is_clipped``). Draws one number from
    ``generator``; without one the choice is a fixed shuffle. Either way it is made by the values of
    ``cov``: the same whatever the padding and the order of the rows (equal values aside).

    Shapes: ``cov``, ``mask``, ``exclude`` ``[B, T]`` → bool ``[B, T]``. Raises ``ValueError`` for
    other shapes, a share outside [0, 1], and low > high.

    >>> cov = torch.tensor([[0.5, 2.0, 9.0, 3.0]])
    >>> clip_cov_selection(cov, torch.tensor([[1, 1, 1, 0]]))
    tensor([[False,  True, False, False]])
    """
    _checks.at_least("high", high, low)
    cov, mask = _checked(cov, mask, share)
    candidates = mask & (cov > low) & (cov < high)
    if exclude is not None:
        candidates = candidates & ~_checks.boolean_like("exclude", exclude, "cov", cov)
    return _highest(_shuffled(cov, generator), candidates, _number(share, mask))


def kl_cov_selection(cov: Tensor, mask: Tensor, *, share: float = 2e-3) -> Tensor:
    """Tokens that KL-Cov ties down: the ``max(1, ⌊share·N⌋)`` of the highest covariance.

    arXiv 2505.22617: 2e-3 for a model of 7B, 2e-4 for one of 32B. N counts the valid tokens; of
    equal values the first are taken.

    Shapes: ``cov``, ``mask`` ``[B, T]`` → bool ``[B, T]``. Errors as for ``clip_cov_selection``.

    >>> kl_cov_selection(torch.tensor([[0.5, 2.0, 9.0]]), torch.tensor([[1, 1, 0]]))
    tensor([[False,  True, False]])
    """
    cov, mask = _checked(cov, mask, share)
    return _highest(cov, mask, _number(share, mask))


def clip_cov(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    low: float = 1.0,
    high: float = 1.0,
    share: float = 2e-4,
    cov_low: float = 1.0,
    cov_high: float = 5.0,
    selected: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Clip-Cov: PPO's clipped loss, 0 at ``clip_cov_selection``: ``−min(rA, clip(r)A)·(1 − z)``.

    arXiv 2505.22617; the authors run it with ``low = high = 1``. The gradient is that of
    ``clipped``, and 0 at selected tokens, which stay in the denominator. ``selected`` is the choice
    made on the whole batch; ``share``, ``cov_low``, ``cov_high`` and ``generator`` are then unused.

    Shapes: ``logp``, ``old_logp``, ``mask``, ``selected`` ``[B, T]``; ``advantages`` also ``[B]`` →
    ``[B, T]``, 0 where masked; at least float32. Raises ``ValueError`` for other shapes, negative
    bounds, and a share outside [0, 1].

    >>> logp, advantages = torch.tensor([[-1.0, -5.0]]), torch.tensor([[2.0, 0.0]])
    >>> clip_cov(logp, logp, advantages, torch.ones(1, 2), cov_low=1.5)  # both cov are 2
    tensor([[-0., -0.]])
    """
    loss = clipped(logp, old_logp, advantages, low=low, high=high)
    mask = _checks.boolean_mask(mask, "logp", loss)
    if selected is None:
        _checks.at_least("cov_high", cov_high, cov_low)
        selected = clip_cov_selection(
            covariances(logp, advantages, mask),
            mask,
            share=share,
            low=cov_low,
            high=cov_high,
            exclude=is_clipped(logp, old_logp, advantages, low=low, high=high),
            generator=generator,
        )
    z = _checks.boolean_like("selected", selected, "logp", loss).to(loss.dtype)
    return torch.where(mask, loss * (1 - z), 0.0)  # a product: a NaN at a valid token stays


def kl_cov(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    weight: float = 1.0,
    share: float = 2e-3,
    selected: Tensor | None = None,
) -> Tensor:
    """KL-Cov: ``−r·A + weight·z·|ℓ − ℓ_old|``, z = 1 at ``kl_cov_selection``; nothing is clipped.

    arXiv 2505.22617. The penalty is the absolute log-ratio, as in the authors' code. The gradient
    is ``−r·A + z·weight·sign(ℓ − ℓ_old)``, the second part 0 at equal log-probs. ``selected`` is
    the choice made on the whole batch; ``share`` is then unused.

    Shapes, dtypes and errors as for ``clip_cov``; ``weight`` must be at least 0.

    >>> logp = torch.tensor([[2.0, 1.0]]).log()
    >>> selected = torch.tensor([[True, False]])
    >>> kl_cov(logp, torch.zeros(1, 2), torch.tensor([1.0]), torch.ones(1, 2), selected=selected)
    tensor([[-1.3069, -1.0000]])
    """
    _checks.at_least("weight", weight, 0.0)
    x = log_ratio(logp, old_logp)
    mask = _checks.boolean_mask(mask, "logp", x)
    if selected is None:
        selected = kl_cov_selection(covariances(logp, advantages, mask), mask, share=share)
    z = _checks.boolean_like("selected", selected, "logp", x).to(x.dtype)
    advantages = _checks.per_token(advantages, x)
    x = finite_gradient(x, advantages)
    return torch.where(mask, -x.exp() * advantages + weight * z * x.abs(), 0.0)


def _checked(cov: Tensor, mask: Tensor, share: float) -> tuple[Tensor, Tensor]:
    _checks.at_least("share", share, 0.0, 1.0)
    cov = _checks.floats("cov", cov, ndim=2).detach()
    return cov, _checks.boolean_mask(mask, "cov", cov)


def _number(share: float, mask: Tensor) -> Tensor:
    return (share * count(mask)).floor().clamp(min=1)


def _highest(score: Tensor, candidates: Tensor, number: Tensor) -> Tensor:
    """The ``number`` candidates of the highest score, the first of equals; no wait for a GPU."""
    score = torch.where(candidates, score, -torch.inf).flatten()
    order = score.argsort(descending=True, stable=True)
    first = torch.arange(len(order), device=order.device) < number
    return torch.zeros_like(first).scatter_(0, order, first).view_as(candidates) & candidates


def _shuffled(x: Tensor, generator: torch.Generator | None) -> Tensor:
    """A score per cell that no one can tell from chance: a hash of its digits and of a seed.

    Random numbers per cell would depend on how many cells of padding there are.
    """
    low = 2**32 - 1
    bits = x.float().view(torch.int32).long() & low
    if generator is not None:
        seed = torch.randint(low, (), generator=generator, device=generator.device)
        bits = _mixed(bits) ^ seed.to(bits.device)
    return _mixed(bits).double()


def _mixed(bits: Tensor) -> Tensor:
    """Every bit of the output depends on every bit of the input, of 32 (T. Mueller's mixer)."""
    for _ in range(2):
        bits = ((bits >> 16) ^ bits) * 0x45D9F3B & (2**32 - 1)
    return (bits >> 16) ^ bits
