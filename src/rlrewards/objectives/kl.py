"""Per-token estimators of KL(π‖ref) from samples of π: their *values*, and their gradients.

``Δ = ℓ − ℓ_ref``. An estimator that is right as a number need not be right as a loss: the tokens
were drawn from π, and differentiating the sample forgets that the distribution moves too. What each
is worth in expectation, tokens from π (for ``corrected_k3`` from π_old):

| | value | expected value | gradient as a loss | its expectation |
|---|---|---|---|---|
| ``k1`` | Δ | KL(π‖ref) | ∇ℓ | **0** |
| ``k2`` | Δ²/2 | not a KL | Δ·∇ℓ | ∇KL(π‖ref) |
| ``k3`` | e^(−Δ) − 1 + Δ | KL(π‖ref) | (1 − e^(−Δ))·∇ℓ | ∇KL(**ref‖π**) |
| ``k_abs`` | abs Δ | not a KL | sign(Δ)·∇ℓ | of no KL |
| ``corrected_k3`` | r·k3 | KL(π‖ref) | r·Δ·∇ℓ | ∇KL(π‖ref) |
| ``k3_straight_through`` | k3 | KL(π‖ref) | Δ·∇ℓ | ∇KL(π‖ref) |

So: report k1 or k3; subtract k1 from the reward, or add k2 to the loss, to descend KL(π‖ref); add
k3, as GRPO does, knowing that it is the other direction. In ``corrected_k3`` the ratio must keep
its gradient: with a constant one the gradient is ∇KL(ref‖π) again. See J. Schulman, "Approximating
KL divergence".
"""

import torch
from torch import Tensor

from rlrewards.objectives import _checks
from rlrewards.objectives.masked import finite_gradient
from rlrewards.objectives.surrogate import LOG_RATIO_BOUND, log_ratio


def k1(logp: Tensor, ref_logp: Tensor) -> Tensor:
    """``Δ``. Value: unbiased for KL(π‖ref), of either sign. Gradient as a loss: 0 in expectation.

    Its place is in the reward: ``R_t = 1[t = last]·r − β·k1``.

    Shapes: both alike, ``[B, T]`` → ``[B, T]``, in at least float32. Raises ``ValueError`` if they
    differ.

    >>> k1(torch.tensor([[-1.0]]), torch.tensor([[-1.5]]))
    tensor([[0.5000]])
    """
    return _difference(logp, ref_logp)


def k2(logp: Tensor, ref_logp: Tensor) -> Tensor:
    """``Δ²/2``. Value: biased for KL(π‖ref). Gradient as a loss: ∇KL(π‖ref) in expectation.

    Shapes, dtypes and errors as for ``k1``.

    >>> k2(torch.tensor([[-1.0]]), torch.tensor([[-1.5]]))
    tensor([[0.1250]])
    """
    return finite_gradient(_difference(logp, ref_logp)) ** 2 / 2


def k3(logp: Tensor, ref_logp: Tensor) -> Tensor:
    """``e^(−Δ) − 1 + Δ``. Value: unbiased for KL(π‖ref), never negative. Gradient: ∇KL(ref‖π).

    The penalty of GRPO, arXiv 2402.03300. Δ is bounded below by −20, so that the exponential cannot
    overflow; beyond, the value stands still and the gradient is 0.

    Shapes, dtypes and errors as for ``k1``.

    >>> k3(torch.tensor([[-1.0]]), torch.tensor([[-1.5]]))
    tensor([[0.1065]])
    """
    bounded = _difference(logp, ref_logp).clamp(min=-LOG_RATIO_BOUND)
    return (-bounded).expm1() + bounded


def k_abs(logp: Tensor, ref_logp: Tensor) -> Tensor:
    """``|Δ|``: a pull of constant strength towards the reference, not an estimate of a KL.

    The gradient is ``sign(Δ)``, 0 at Δ = 0. Verl's ``abs``; the penalty of KL-Cov.

    Shapes, dtypes and errors as for ``k1``.

    >>> k_abs(torch.tensor([[-2.0]]), torch.tensor([[-1.5]]))
    tensor([[0.5000]])
    """
    return finite_gradient(_difference(logp, ref_logp)).abs()


def corrected_k3(logp: Tensor, ref_logp: Tensor, *, old_logp: Tensor) -> Tensor:
    """``r·k3``, ``r = exp(ℓ − ℓ_old)`` with its gradient: KL(π‖ref) and ∇KL(π‖ref) off policy.

    arXiv 2512.02556, for tokens drawn from π_old; the gradient is ``r·Δ``. On policy r = 1, so the
    value is that of ``k3`` and the gradient is not. TRL's ``use_bias_correction_kl``.

    Shapes: all ``[B, T]``; dtypes and errors as for ``k1``. As a penalty of a recipe:
    ``kl=functools.partial(corrected_k3, old_logp=old_logp)``.

    >>> logp = torch.tensor([[-1.0]], requires_grad=True)
    >>> corrected_k3(logp, torch.tensor([[-1.5]]), old_logp=torch.tensor([[-1.0]])).backward()
    >>> logp.grad
    tensor([[0.5000]])
    """
    ratio, k = log_ratio(logp, old_logp).exp(), k3(logp, ref_logp)
    return finite_gradient(ratio, k) * finite_gradient(k, ratio)


def k3_straight_through(logp: Tensor, ref_logp: Tensor) -> Tensor:
    """The value of ``k3`` with the gradient of ``k2``: reports KL(π‖ref) and descends it.

    Verl's ``k3+``. The gradient is ``Δ``.

    Shapes, dtypes and errors as for ``k1``.

    >>> logp = torch.tensor([[-1.0]], requires_grad=True)
    >>> k3_straight_through(logp, torch.tensor([[-1.5]])).backward(); logp.grad
    tensor([[0.5000]])
    """
    value, way = k3(logp, ref_logp).detach(), k2(logp, ref_logp)
    return value + torch.where(way.isfinite(), way - way.detach(), 0.0)


def _difference(logp: Tensor, ref_logp: Tensor) -> Tensor:
    logp, ref_logp = _checks.floats("logp", logp), _checks.floats("ref_logp", ref_logp)
    _checks.same_shape("ref_logp", ref_logp, "logp", logp)
    return logp - ref_logp
