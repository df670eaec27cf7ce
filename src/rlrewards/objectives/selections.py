"""Which tokens take part: by entropy, by how far off policy a row is, by whether it was cut short.

Two kinds. ``top_entropy_mask`` and ``off_policy_sequence_mask`` select what *multiplies* the loss:
the denominators keep counting every valid token, so pass them as ``keep`` beside the mask.
``without_truncated`` is a new *mask*: its rows leave the denominators too.
"""

import torch
from torch import Tensor

from rlrewards.objectives import _checks
from rlrewards.objectives.masked import count
from rlrewards.objectives.sequence_ratio import row_advantages, sequence_log_ratio


def entropy_threshold(entropy: Tensor, mask: Tensor, *, share: float = 0.2) -> Tensor:
    """The (1 − share) quantile of the entropies of all valid tokens, linear between two of them.

    Compute it once over the whole batch for ``top_entropy_mask`` of its micro-batches.

    Shapes: both ``[B, T]`` → scalar without gradient, at least float32; NaN without a valid token
    or with a NaN at one. Raises ``ValueError`` if they differ, and for a share outside [0, 1].

    >>> entropy_threshold(torch.tensor([[1.0, 2.0, 3.0, 9.0]]), torch.tensor([[1, 1, 1, 0]]))
    tensor(2.6000)
    """
    _checks.at_least("share", share, 0.0, 1.0)
    entropy = _checks.floats("entropy", entropy, ndim=2).detach()
    mask = _checks.boolean_mask(mask, "entropy", entropy)
    # Masked cells last, and one cell more so that there is always one.
    values = torch.where(mask, entropy, torch.inf).flatten()
    values = torch.nn.functional.pad(values, (0, 1), value=torch.inf).sort().values.double()
    place = (count(mask) - 1).clamp(min=0) * (1 - share)
    below, above = values.gather(0, torch.stack([place.floor(), place.ceil()]).long())
    between = torch.where(above > below, below + (above - below) * place.frac(), below)
    unknown = (mask & entropy.isnan()).any() | ~mask.any()
    return torch.where(unknown, torch.nan, between).to(entropy.dtype)


def top_entropy_mask(
    entropy: Tensor,
    mask: Tensor,
    *,
    share: float = 0.2,
    threshold: float | Tensor | None = None,
) -> Tensor:
    """The share of tokens where the policy is least sure: ``H ≥`` the (1 − share) quantile.

    arXiv 2506.01939: a fifth of the tokens carry the learning. The quantile is that of the tokens
    given unless ``threshold`` says otherwise: for one result however the batch is cut, pass
    ``entropy_threshold`` of the whole batch. (TRL takes it per micro-batch, over all ranks.)

    Shapes: both ``[B, T]`` → bool ``[B, T]``, False where masked. Where a NaN leaves open which
    tokens these are, all are kept. Raises ``ValueError`` as ``entropy_threshold``, and for more
    than one threshold.

    >>> top_entropy_mask(torch.tensor([[0.1, 2.0, 0.3, 9.0]]), torch.tensor([[1, 1, 1, 0]]))
    tensor([[False,  True, False, False]])
    """
    if threshold is None:
        threshold = entropy_threshold(entropy, mask, share=share)
    _checks.scalar("threshold", threshold)
    entropy = _checks.floats("entropy", entropy, ndim=2).detach()
    return _checks.boolean_mask(mask, "entropy", entropy) & ~(entropy < threshold)


def off_policy_sequence_mask(
    logp: Tensor,
    sampler_logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    threshold: float = 0.5,
    known: Tensor | None = None,
) -> Tensor:
    """Without the bad rows that the policy has left: ``A < 0 ∧ mean(ℓ_smp − ℓ) > threshold``.

    arXiv 2512.02556, eq. 9. Learning from a failure that the policy would hardly sample any more
    only disturbs it; this bounds the geometric mean of its ratio from below by ``exp(−threshold)``.
    Pass the sampler's log-probs, or ``old_logp`` where there are none; tokens that the sampler has
    no log-prob for are not ``known`` and left out of the mean. The paper does not give the
    threshold; TRL suggests .5.

    Shapes: ``logp``, ``sampler_logp``, ``mask``, ``known`` ``[B, T]``; ``advantages`` ``[B]`` →
    bool ``[B, T]``, False where masked. A NaN drops nothing. Raises ``ValueError`` for other
    shapes and a negative or NaN threshold.

    >>> logp, sampler_logp = torch.tensor([[-3.0], [-3.0]]), torch.tensor([[-1.0], [-1.0]])
    >>> off_policy_sequence_mask(logp, sampler_logp, torch.tensor([1.0, -1.0]), torch.ones(2, 1))
    tensor([[ True],
            [False]])
    """
    _checks.at_least("threshold", threshold, 0.0)
    logp = _checks.floats("logp", logp, ndim=2).detach()
    sampler_logp = _checks.floats("sampler_logp", sampler_logp, ndim=2)
    _checks.same_shape("sampler_logp", sampler_logp, "logp", logp)
    mask = _checks.boolean_mask(mask, "logp", logp)
    counts = mask if known is None else mask & _checks.boolean_like("known", known, "logp", logp)
    x = sequence_log_ratio(logp, sampler_logp, counts).unsqueeze(1)
    advantages = row_advantages(advantages, x, "whole rows are selected")
    return mask & ~((advantages < 0) & (-x > threshold))


def without_truncated(mask: Tensor, truncated: Tensor) -> Tensor:
    """The mask without rows that ran into the length limit, whose reward says little about them.

    DAPO's overlong filtering, arXiv 2503.14476, §3.4. The rows leave the loss and the token count;
    they still count as rows of ``sequence_mean``, as in TRL, unless its denominator says otherwise.

    Shapes: ``mask`` ``[B, T]``, ``truncated`` ``[B]`` bool → bool ``[B, T]``. Raises ``ValueError``
    for other shapes.

    >>> without_truncated(torch.tensor([[1, 0], [1, 1]]), torch.tensor([False, True]))
    tensor([[ True, False],
            [False, False]])
    """
    mask = _checks.boolean_mask(mask, "mask", mask)
    rows = _checks.per_row("truncated", truncated, mask)
    if mask.ndim != 2:
        raise ValueError(f"mask has shape {list(mask.shape)}, expected [B, T]")
    return mask & (rows == 0).unsqueeze(1)
