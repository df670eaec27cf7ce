"""Advantages from one scalar reward per completion: how much better than its peers it did.

A group is the set of completions of one prompt. Groups may be ragged and stand in any order, but
each stands whole in the call. A NaN reward means "no opinion": it takes no part in any statistic
and gets advantage 0. A group whose rewards are all the same gets exactly 0, decided by
``max = min`` and not by a small epsilon: rounding divided by 1e-9 is not small. So does a
completion alone in its group, which has nothing to be compared with (verl's is its reward).
Advantages are constants: no gradient flows through them.

Where a statistic is of the whole batch and not of a group, a batch cut into micro-batches or ranks
gets the same advantages when it is told that statistic: ``moments=``, or ``informative_share=``.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from rlrewards.objectives import _checks
from rlrewards.objectives._groups import Comparison, Group, compare, real_rewards
from rlrewards.objectives.moments import Moments
from rlrewards.objectives.moments import moments as moments_of
from rlrewards.objectives.moments import whiten as whiten


def group_relative(
    rewards: Tensor,
    group: Group,
    *,
    scale: Literal["std", "none", "batch"] = "std",
    eps: float = 1e-4,
    moments: Moments | None = None,
) -> Tensor:
    """Reward less its group's mean, over a standard deviation: ``Aᵢ = (rᵢ − r̄) / (s + eps)``.

    ``scale="std"``: ``s`` is the group's sample standard deviation (ddof 1), GRPO, arXiv 2402.03300
    (and DAPO, arXiv 2503.14476, eqs 4 and 9; neither paper has the eps). ``"none"``: no division,
    Dr.GRPO, arXiv 2503.20783. ``"batch"``: ``s`` over every reward of the batch, arXiv 2508.08221;
    for a part of a batch pass the ``moments`` of all its rewards, of each part
    ``moments(rewards, ~rewards.isnan())``. Other libraries differ in eps: TRL 1e-4, verl 1e-6,
    OpenRLHF 1e-9.

    Shapes: ``rewards`` ``[B]``, ``group`` ``[B]`` ids (an integer tensor, or a sequence of
    hashables) → ``[B]``, in at least float32. Raises ``ValueError`` for other shapes, an unknown
    scale, a negative eps, or ``moments`` with a scale that has no use for them.

    >>> rewards = torch.tensor([1.0, 0.0, 5.0, 0.0, 5.0])
    >>> group_relative(rewards, ["a", "a", "b", "a", "b"], scale="none")
    tensor([ 0.6667, -0.3333,  0.0000, -0.3333,  0.0000])
    """
    if scale not in ("std", "none", "batch"):
        raise ValueError(f'scale is {scale!r}, expected "std", "none" or "batch"')
    if moments is not None and scale != "batch":
        raise ValueError(f'moments are of the batch and scale is {scale!r}: pass scale="batch"')
    _checks.at_least("eps", eps, 0.0)
    own = compare(rewards, group)
    if scale == "none":
        return own.deviation.to(own.dtype)
    if scale == "std":
        return _over(own.deviation, _own_std(own), eps).to(own.dtype)
    whole = moments_of(own.rewards, own.known) if moments is None else moments
    return _over(own.deviation, _std(whole), eps).to(own.dtype)


def leave_one_out(rewards: Tensor, group: Group) -> Tensor:
    """Reward less the mean of the *others* in its group: ``Aᵢ = rᵢ − (1/(G−1)) Σ_{j≠i} rⱼ``.

    RLOO, arXiv 2402.14740. Equal to ``G/(G−1) · (rᵢ − r̄)``, which is how it is computed. A
    completion with no other in its group has nothing to be compared with and gets 0.

    Shapes, dtypes and errors as for ``group_relative``.

    >>> leave_one_out(torch.tensor([1.0, 0.0, 0.0]), torch.tensor([4, 4, 4]))
    tensor([ 1.0000, -0.5000, -0.5000])
    """
    own = compare(rewards, group)
    return (own.deviation * own.size / (own.size - 1).clamp(min=1)).to(own.dtype)


def remax(rewards: Tensor, greedy_rewards: Tensor) -> Tensor:
    """Reward less that of the greedy answer to the same prompt: ``Aᵢ = rᵢ − r(x, greedy)``.

    ReMax, arXiv 2310.10505. Where either is NaN there is nothing to compare: 0.

    Shapes: both ``[B]``, the greedy reward repeated for each completion of its prompt → ``[B]``, in
    at least float32. Raises ``ValueError`` for other shapes.

    >>> remax(torch.tensor([1.0, 0.0, 1.0]), torch.tensor([0.5, 0.5, 1.0]))
    tensor([ 0.5000, -0.5000,  0.0000])
    """
    rewards = real_rewards("rewards", rewards)
    greedy_rewards = real_rewards("greedy_rewards", greedy_rewards)
    _checks.same_shape("greedy_rewards", greedy_rewards, "rewards", rewards)
    known = ~(rewards.isnan() | greedy_rewards.isnan())
    return torch.where(known, rewards - greedy_rewards, 0.0)


def opo(rewards: Tensor, group: Group, lengths: Tensor) -> Tensor:
    """Reward less the length-weighted mean of its group: ``Aᵢ = rᵢ − Σⱼ nⱼrⱼ / Σⱼ nⱼ``.

    OPO, arXiv 2505.23585: the baseline of least variance when a completion's squared gradient grows
    with its length; meant for exactly on-policy training, without KL or entropy term. A group
    without a token gets 0.

    Shapes: as for ``group_relative``; ``lengths`` ``[B]`` in tokens, 0 or more → ``[B]``. Raises
    ``ValueError`` for other shapes.

    >>> opo(torch.tensor([1.0, 0.0]), [3, 3], torch.tensor([10, 30]))
    tensor([ 0.7500, -0.2500])
    """
    own = compare(rewards, group)
    n = torch.where(own.known, _row_lengths(lengths, own), 0.0)
    tokens = own.sum(n)
    # The same baseline taken from the deviations: exactly 0 where they all are.
    advantage = own.deviation - own.sum(n * own.deviation) / torch.where(tokens == 0, 1.0, tokens)
    return torch.where(own.known & (tokens != 0), advantage, 0.0).to(own.dtype)


def pass_at_k(
    rewards: Tensor,
    group: Group,
    *,
    scale: Literal["none", "std"] = "none",
    eps: float = 1e-4,
) -> Tensor:
    """What the group's best would lose without this completion: ``Aᵢ = maxⱼ rⱼ − max_{j≠i} rⱼ``.

    The leave-one-out advantage of max@k, k the size of the group, arXiv 2503.19595: best less
    second best for a single best one, 0 for every other, and 0 for all on a tie.
    ``scale="std"`` divides by the group's sample standard deviation + eps, as verl can (eps 1e-6).
    A completion alone in its group has no k − 1 others and gets 0, as in ``leave_one_out``.

    Shapes and dtypes as for ``group_relative``. Raises ``ValueError`` for other shapes, an unknown
    scale or a negative eps.

    >>> pass_at_k(torch.tensor([0.2, 1.0, 0.5, 1.0, 1.0]), [0, 0, 0, 1, 1])
    tensor([0.0000, 0.5000, 0.0000, 0.0000, 0.0000])
    """
    if scale not in ("none", "std"):
        raise ValueError(f'scale is {scale!r}, expected "none" or "std"')
    _checks.at_least("eps", eps, 0.0)
    own = compare(rewards, group)
    best = own.known & (own.rewards == own.highest(own.known))
    single = best & (own.sum(best.double()) == 1) & (own.size > 1)
    lead = torch.where(single, own.rewards - own.highest(own.known & ~best), 0.0)
    return (lead if scale == "none" else _over(lead, _own_std(own), eps)).to(own.dtype)


def gpg(
    rewards: Tensor,
    group: Group,
    *,
    scale: float = 1.0,
    informative_share: float | Tensor | None = None,
) -> Tensor:
    """Deviation from the group's mean, made up for idle groups: ``Aᵢ = α·(rᵢ − r̄) / F``.

    GPG, arXiv 2504.02546: ``α = B / (B − M)``, M the completions whose group has no two different
    rewards; F is ``scale``. NaN rewards count in neither B nor M. Without an informative group all
    is 0. For a batch that is cut into parts give the ``informative_share`` of the whole, its
    ``(B − M)/B``: ``informative(rewards, group)[~rewards.isnan()].double().mean()``. verl takes
    ``α = B / #{rᵢ ≠ 0}`` instead, which counts something else: with rewards 0 and 1 it grows with
    every wrong answer.

    Shapes and dtypes as for ``group_relative``. Raises ``ValueError`` for other shapes, a scale
    that is not positive, or a share outside [0, 1].

    >>> gpg(torch.tensor([1.0, 0.0, 1.0, 1.0]), [0, 0, 1, 1])
    tensor([ 1., -1.,  0.,  0.])
    """
    if not scale > 0:
        raise ValueError(f"scale is {scale}, expected the F of the formula, above 0")
    own = compare(rewards, group)
    if informative_share is None:
        useful = (own.known & own.varied).sum().double()
        share = useful / own.known.sum().clamp(min=1)
    else:
        share = _share(informative_share, own.deviation)
    advantage = own.deviation / (scale * share)
    return torch.where(own.deviation == 0, 0.0, advantage).to(own.dtype)


def normalize_then_sum(
    rewards: Tensor,
    group: Group,
    *,
    weights: Sequence[float] | Tensor | None = None,
    eps: float = 1e-4,
    lengths: Tensor | None = None,
    moments: Moments | None = None,
    whitened: bool = True,
) -> Tensor:
    """Several rewards, each made group-relative before they are added, then the sum whitened.

    ``a_ki = (r_ki − r̄_k) / (s_k + eps)``, ``aᵢ = Σₖ wₖ·a_ki``, ``Aᵢ = (aᵢ − ā) / (s + eps)``: GDPO,
    arXiv 2601.05242. Adding first would let the reward of the widest range drown the others. ā and
    s are taken over completions, as by the authors and TRL; with ``lengths`` over tokens, each
    completion as often as it is long, as in verl (which has ``(s² + 1e-8)^½`` below). For a batch
    that is cut into parts pass ``moments``, those of ``aᵢ``, which ``whitened=False`` returns.

    A NaN reward is left out of its column's statistics and adds nothing to its completion, as in
    TRL (the authors turn it into a reward of 0); a completion of NaN only gets 0 and no part in ā
    and s. Over completions ā is 0 but for rounding, and where no column tells a group apart the
    advantage is exactly 0. Over tokens ā is not 0, and such a group gets −ā/(s + eps).

    Shapes: ``rewards`` ``[B, R]``, ``group`` ``[B]``, ``weights`` R numbers, 1 by default,
    ``lengths`` ``[B]`` in tokens → ``[B]``, in at least float32. Raises ``ValueError`` for other
    shapes or a negative eps.

    >>> rewards = torch.tensor([[1.0, 900.0], [0.0, 100.0], [0.0, 500.0]])
    >>> normalize_then_sum(rewards, [0, 0, 0])
    tensor([ 1.1153, -0.8165, -0.2988])
    """
    _checks.at_least("eps", eps, 0.0)
    own = compare(rewards, group, columns=True)
    summed = (_over(own.deviation, _own_std(own), eps) * _column_weights(weights, own)).sum(1)
    known = own.known.any(1)
    if not whitened:
        return summed.to(own.dtype)
    n = known.double() if lengths is None else torch.where(known, _row_lengths(lengths, own), 0.0)
    whole = _weighted_moments(summed, n) if moments is None else moments
    advantage = _over(summed - whole.mean, _std(whole), eps)
    kept = known if lengths is not None else own.varied.any(1) & known
    return torch.where(kept, advantage, 0.0).to(own.dtype)


def informative(rewards: Tensor, group: Group) -> Tensor:
    """Whether a completion's group has at least two different rewards: what dynamic sampling keeps.

    DAPO, arXiv 2503.14476, § 3.2: all advantages of any other group are 0, so it teaches nothing
    and only dilutes a mean. A NaN reward does not differ from anything; its row says what the rest
    of its group says.

    Shapes and errors as for ``group_relative`` → ``[B]``, bool.

    >>> informative(torch.tensor([1.0, 0.0, 1.0, 1.0]), [0, 0, 1, 1])
    tensor([ True,  True, False, False])
    """
    return compare(rewards, group).varied


def _own_std(own: Comparison) -> Tensor:
    """Sample standard deviation of each completion's group; 0 with one reward."""
    return (own.sum(own.deviation**2) / (own.size - 1).clamp(min=1)).sqrt()


def _std(whole: Moments) -> Tensor:
    """Sample standard deviation of a batch; 0 with one value."""
    return torch.where(whole.count > 1, whole.variance(), 0.0).sqrt()


def _over(deviation: Tensor, std: Tensor, eps: float) -> Tensor:
    """``deviation / (std + eps)``; a deviation of exactly 0 stays 0 even where that is 0/0."""
    return torch.where(deviation == 0, 0.0, deviation / (std + eps))


def _weighted_moments(x: Tensor, n: Tensor) -> Moments:
    """Moments of ``x`` with each value taken ``n`` times."""
    total = n.sum()
    mean = (n * x).sum() / total.clamp(min=1)
    return Moments(total, mean, (n * (x - mean) ** 2).sum())


def _row_lengths(lengths: Tensor, own: Comparison) -> Tensor:
    if not isinstance(lengths, Tensor):
        raise TypeError(f"lengths is a {type(lengths).__name__}: pass a torch.Tensor of tokens")
    if lengths.shape != own.number.shape:
        raise ValueError(
            f"lengths has shape {list(lengths.shape)}, expected one number of tokens per "
            f"completion, {list(own.number.shape)}"
        )
    return lengths.detach().double()


def _column_weights(weights: Sequence[float] | Tensor | None, own: Comparison) -> Tensor:
    if weights is None:
        return own.deviation.new_ones(own.deviation.shape[1])
    given = torch.as_tensor(weights, dtype=torch.float64, device=own.deviation.device).detach()
    if given.shape != own.deviation.shape[1:]:
        raise ValueError(
            f"weights has shape {list(given.shape)}, expected one per column of rewards, "
            f"{list(own.deviation.shape[1:])}"
        )
    return given


def _share(share: float | Tensor, like: Tensor) -> Tensor:
    if not isinstance(share, Tensor):
        _checks.at_least("informative_share", share, 0.0, 1.0)
        return like.new_tensor(share)
    _checks.scalar("informative_share", share)
    return share.detach().to(like).reshape(())
