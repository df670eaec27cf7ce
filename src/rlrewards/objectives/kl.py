"""Per-token estimators of KL(π‖ref) from samples of π: their *values*, and their gradients.

``Δ = ℓ − ℓ_ref``. An estimator that is right as a number need not be right as a loss: the tokens
were drawn from π, and differentiating the sample forgets that the distribution moves too. In
expectation,

- ``k1`` is KL(π‖ref) as a value, and its gradient as a loss is **zero**;
- ``k2`` is not KL as a value, and its gradient is that of **KL(π‖ref)**;
- ``k3`` is KL(π‖ref) as a value, and its gradient is that of **KL(ref‖π)**.

So: report k1 or k3; subtract k1 from the reward, or add k2 to the loss, to descend KL(π‖ref); add
k3, as GRPO does, knowing that it is the other direction. See J. Schulman, "Approximating KL
divergence".
"""

from torch import Tensor

from rlrewards.objectives import _checks
from rlrewards.objectives.masked import finite_gradient
from rlrewards.objectives.surrogate import LOG_RATIO_BOUND


def k1(logp: Tensor, ref_logp: Tensor) -> Tensor:
    """``Δ``. Value: unbiased for KL(π‖ref), of either sign. Gradient as a loss: 0 in expectation.

    Its place is in the reward: ``R_t = 1[t = last]·r − β·k1``.

    Shapes: both alike, ``[B, T]`` → ``[B, T]``, in at least float32. Raises ``ValueError`` if they
    differ.

    >>> import torch
    >>> k1(torch.tensor([[-1.0]]), torch.tensor([[-1.5]]))
    tensor([[0.5000]])
    """
    return _difference(logp, ref_logp)


def k2(logp: Tensor, ref_logp: Tensor) -> Tensor:
    """``Δ²/2``. Value: biased for KL(π‖ref). Gradient as a loss: ∇KL(π‖ref) in expectation.

    Shapes, dtypes and errors as for ``k1``.

    >>> import torch
    >>> k2(torch.tensor([[-1.0]]), torch.tensor([[-1.5]]))
    tensor([[0.1250]])
    """
    return finite_gradient(_difference(logp, ref_logp)) ** 2 / 2


def k3(logp: Tensor, ref_logp: Tensor) -> Tensor:
    """``e^(−Δ) − 1 + Δ``. Value: unbiased for KL(π‖ref), never negative. Gradient: ∇KL(ref‖π).

    The penalty of GRPO, arXiv 2402.03300. Δ is bounded below by −20, so that the exponential cannot
    overflow; beyond, the value stands still and the gradient is 0.

    Shapes, dtypes and errors as for ``k1``.

    >>> import torch
    >>> k3(torch.tensor([[-1.0]]), torch.tensor([[-1.5]]))
    tensor([[0.1065]])
    """
    bounded = _difference(logp, ref_logp).clamp(min=-LOG_RATIO_BOUND)
    return (-bounded).expm1() + bounded


def _difference(logp: Tensor, ref_logp: Tensor) -> Tensor:
    logp, ref_logp = _checks.floats("logp", logp), _checks.floats("ref_logp", ref_logp)
    _checks.same_shape("ref_logp", ref_logp, "logp", logp)
    return logp - ref_logp
