"""Clip the weight of a token, not its gradient: every token keeps teaching.

PPO's clip drops the tokens whose ratio has moved furthest, often the rare words at which a line of
thought turns. CISPO bounds the ratio as a constant weight of REINFORCE instead.
"""

import math

import torch
from torch import Tensor

from rlrewards.objectives import _checks
from rlrewards.objectives.surrogate import is_clipped, log_ratio, reinforce


def cispo(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    *,
    low: float = math.inf,
    high: float = 4.0,
    unified_clip: tuple[float, float] | None = None,
) -> Tensor:
    """CISPO, arXiv 2506.13585, eqs 4 and 5: ``−sg[clip(r, 1 − low, 1 + high)]·A·ℓ``.

    The default is the paper's form: no lower bound, the upper one to be tuned; 1 + 4 is the ceiling
    of 5 that ScaleRL settled on, arXiv 2510.13786. Under ``token_mean`` it is the paper's loss. The
    gradient is ``−A`` times the clipped ratio, never 0. Three conventions are about:

    | library | its bound on r | here |
    |---|---|---|
    | TRL, Liger | ``r ≤ ε_high`` | ``high=ε_high - 1`` |
    | verl, NeMo, slime | ``1 − ε_low ≤ r ≤ 1 + ε_high`` | ``low=ε_low, high=ε_high`` |
    | open-instruct | ``r ≤ 1 + ε_high`` | ``high=ε_high`` |

    ``unified_clip=(ε_low, ε_high)`` is eqs 6 and 7: the loss is 0 where PPO's clip with these
    bounds would cut (``is_clipped``).

    Shapes: ``logp``, ``old_logp`` ``[B, T]``; ``advantages`` ``[B]`` or ``[B, T]`` → ``[B, T]``, in
    at least float32. Raises ``ValueError`` for other shapes and negative bounds.

    >>> logp, advantages = torch.tensor([[-1.0, -1.0, -1.0]]), torch.tensor([1.0])
    >>> old_logp = logp - torch.tensor([[0.5, 2.0, 9.0]]).log()
    >>> cispo(logp, old_logp, advantages)
    tensor([[0.5000, 2.0000, 5.0000]])
    >>> cispo(logp, old_logp, advantages, unified_clip=(0.2, 1.5))
    tensor([[0.5000, 2.0000, 0.0000]])
    """
    _checks.at_least("low", low, 0.0)
    _checks.at_least("high", high, 0.0)
    weight = log_ratio(logp, old_logp).detach().exp().clamp(1 - low, 1 + high)
    if unified_clip is not None:
        below, above = unified_clip
        _checks.at_least("ε_low of unified_clip", below, 0.0)
        _checks.at_least("ε_high of unified_clip", above, 0.0)
        cut = is_clipped(logp, old_logp, advantages, low=below, high=above)
        weight = torch.where(cut, 0.0, weight)
    return reinforce(logp, advantages, weight=weight)
