# ruff: noqa: N803, N806  (names as in the formulas: A, D)
import math

import pytest
import torch

from rlrewards import objectives as rl

NAN = math.nan
PAIRS = [
    (p, q) for p in (1e-6, 0.05, 0.3, 0.5, 0.64, 0.66, 0.9, 1.0) for q in (1e-6, 0.06, 0.5, 0.99)
]


def case(A):
    p, q = (torch.tensor([x], dtype=torch.float64) for x in zip(*PAIRS, strict=True))
    logp = p.log().requires_grad_()
    return logp, q.log(), torch.tensor([A], dtype=torch.float64)


def check(f, keep, highest, **settings):
    """−min(r, cap)·keep·A·ℓ and its gradient −min(r, cap)·keep·A, with the cap given as ``highest``."""
    kept = 0
    for A in (2.0, -3.0):
        logp, old, advantages = case(A)
        loss = f(logp, old, advantages, **settings)
        gradient = torch.autograd.grad(loss.sum(), logp)[0][0].tolist()
        for t, (p, q) in enumerate(PAIRS):
            w = min(p / q, highest) * keep(p, q, A)
            kept += keep(p, q, A)
            assert gradient[t] == pytest.approx(-w * A, rel=1e-9)
            assert loss[0, t].item() == pytest.approx(-w * A * math.log(p), rel=1e-9)
    assert 0 < kept < 2 * len(PAIRS)


def kept_tv(p, q, A, low, high):
    return p - q <= high if A > 0 else p - q >= -low


def kept_kl(p, q, A, low, high):
    D = q * math.log(q / p) + (1 - q) * math.log((1 - q + 1e-8) / (1 - p + 1e-8))
    bound, inwards = (high, p <= q) if A > 0 else (low, p >= q)
    return inwards or bound >= D


@pytest.mark.parametrize(
    ("low", "high", "cap", "given"),
    [
        (0.15, 0.15, 10.0, {}),
        (0.03, 0.3, 20.0, {"low": 0.03, "high": 0.3, "cap": 20.0}),
    ],
)
def test_total_variation_on_a_grid(low, high, cap, given):
    check(rl.dppo_tv, lambda p, q, A: kept_tv(p, q, A, low, high), cap, **given)


@pytest.mark.parametrize(
    ("low", "high", "cap", "given"),
    [
        (0.05, 0.05, 10.0, {}),
        (0.01, 0.5, 20.0, {"low": 0.01, "high": 0.5, "cap": 20.0}),
    ],
)
def test_binary_kl_on_a_grid(low, high, cap, given):
    check(rl.dppo_kl, lambda p, q, A: kept_kl(p, q, A, low, high), cap, **given)


@pytest.mark.parametrize("f", [rl.dppo_tv, rl.dppo_kl])
def test_cases_by_hand(f):
    """A rare token may double, a frequent one may not; and the way back is always open."""
    logp = torch.tensor([[2e-5, 0.8, 0.4, 0.4, 0.8]], dtype=torch.float64).log().requires_grad_()
    old = torch.tensor([[1e-5, 0.4, 0.8, 0.8, 0.4]], dtype=torch.float64).log()
    A = torch.tensor([[1.0, 1.0, 1.0, -1.0, -1.0]], dtype=torch.float64)
    gradient = torch.autograd.grad(f(logp, old, A).sum(), logp)[0]
    assert gradient[0].tolist() == pytest.approx([-2, 0, -0.5, 0, 2])


@pytest.mark.parametrize("f", [rl.dppo_tv, rl.dppo_kl])
@pytest.mark.parametrize("A", [1.0, -1.0])
def test_a_nan_is_not_taken_for_a_token_outside_the_region(f, A):
    for logp, old in ((NAN, -1.0), (-1.0, NAN)):
        loss = f(torch.tensor([[logp]]), torch.tensor([[old]]), torch.tensor([A]))
        assert loss.isnan().all()


@pytest.mark.parametrize("f", [rl.dppo_tv, rl.dppo_kl])
@pytest.mark.parametrize("name", ["low", "high", "cap"])
def test_errors(f, name):
    x = torch.zeros(2, 3)
    with pytest.raises(ValueError, match=f"{name} is -1.0, expected ≥ 0"):
        f(x, x, torch.zeros(2), **{name: -1.0})
    with pytest.raises(TypeError, match="logp is a list: pass a torch.Tensor"):
        f(x.tolist(), x, torch.zeros(2))
