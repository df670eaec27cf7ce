# ruff: noqa: N806  (names as in the formulas: A, B, T)
import math

import pytest
import torch

from rlrewards import objectives as rl


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


def test_value_by_hand():
    """r = 1: −(4/τ)·½·A; r = 2: σ(1) and σ(1.05)."""
    logp = torch.tensor([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]], dtype=torch.float64).log()
    A = torch.tensor([3.0, -1.0, 0.0], dtype=torch.float64)
    got = rl.sapo(logp, torch.zeros(3, 2), A)
    want = [-6, -12 * 0.7310585786300049, 2 / 1.05, 4 / 1.05 * sigmoid(1.05), 0, 0]
    assert got.flatten().tolist() == pytest.approx(want, rel=1e-12)


def test_gradient_is_the_soft_gate():
    """r·sech²(τ(r − 1)/2)."""
    for r in (0.01, 0.5, 1.0, 1.5, 3.0, 20.0):
        for A in (2.0, -3.0):
            logp = torch.tensor([[math.log(r)]], dtype=torch.float64, requires_grad=True)
            advantages = torch.tensor([A])
            loss = rl.sapo(
                logp,
                torch.zeros(1, 1),
                advantages,
                positive_temperature=0.8,
                negative_temperature=2,
            )
            tau = 0.8 if A > 0 else 2.0
            want = -A * r / math.cosh(tau * (r - 1) / 2) ** 2
            assert torch.autograd.grad(loss.sum(), logp)[0].item() == pytest.approx(want, rel=1e-9)


def test_a_far_ratio_has_neither_weight_nor_overflow():
    logp = torch.tensor([[1e4, 25.0, -1e4]], requires_grad=True)
    for A in (1.0, -1.0):
        loss = rl.sapo(logp, torch.zeros(1, 3), torch.tensor([A]))
        gradient = torch.autograd.grad(loss.sum(), logp)[0]
        assert loss.isfinite().all()
        assert not gradient.any()


@pytest.mark.parametrize("name", ["positive_temperature", "negative_temperature"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_errors(name, value):
    x = torch.zeros(2, 3)
    with pytest.raises(ValueError, match=f"{name} is {value}, expected above 0"):
        rl.sapo(x, x, torch.zeros(2), **{name: value})
