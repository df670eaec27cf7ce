# ruff: noqa: N806  (names as in the formulas: A, B, T)
import math

import pytest
import torch

from rlrewards import objectives as rl
from rlrewards.objectives.surrogate import is_clipped

INF = math.inf
RATIOS = [0.1, 0.7, 0.9, 1.0, 1.1, 1.5, 4.9, 5.1, 80.0]


def case():
    """All ratios with A = 2 and A = −3; log-probs around −1."""
    old = -1.0 - torch.arange(18, dtype=torch.float64).view(2, 9) / 10
    logp = (old + torch.tensor(RATIOS, dtype=torch.float64).log()).requires_grad_()
    return logp, old, torch.tensor([2.0, -3.0], dtype=torch.float64)


def check(weight, **bounds):
    """Value −w·A·ℓ and gradient −w·A, with the weights listed for A > 0 and A < 0."""
    logp, old, A = case()
    loss = rl.cispo(logp, old, A, **bounds)
    gradient = torch.autograd.grad(loss.sum(), logp)[0]
    for i, a in enumerate(A.tolist()):
        for t, r in enumerate(RATIOS):
            w = weight(r, a)
            assert loss[i, t].item() == pytest.approx(-w * a * logp[i, t].item(), rel=1e-12)
            assert gradient[i, t].item() == pytest.approx(-w * a, rel=1e-12)


def test_default_is_the_papers_form_with_a_ceiling_of_five():
    check(lambda r, a: min(r, 5.0))


def test_both_bounds():
    check(lambda r, a: min(max(r, 0.8), 1.28), low=0.2, high=0.28)


def test_a_bound_below_zero_is_no_bound():
    check(lambda r, a: min(r, 1.28), low=1.5, high=0.28)


def test_without_bounds_it_is_importance_weighted_reinforce():
    check(lambda r, a: r, high=INF)


def test_unified_form_drops_what_ppo_would_clip():
    """Eqs 6 and 7 with bounds .2 and .3; the weight keeps its own bound of 1 + 1."""

    def weight(r, a):
        cut = (a > 0 and r > 1.3) or (a < 0 and r < 0.8)
        return 0.0 if cut else min(r, 2.0)

    check(weight, high=1.0, unified_clip=(0.2, 0.3))


def test_unified_form_drops_exactly_where_the_clipped_loss_has_no_gradient():
    torch.manual_seed(0)
    logp, old = torch.randn(2, 30, 20, dtype=torch.float64)
    A = torch.randn(30, dtype=torch.float64)
    logp.requires_grad_()
    bounds = {"low": 0.2, "high": 0.3}
    ppo = torch.autograd.grad(rl.clipped(logp, old, A, **bounds).sum(), logp)[0]
    assert torch.equal(ppo == 0, is_clipped(logp, old, A, **bounds))
    got = rl.cispo(logp, old, A, high=INF, unified_clip=(0.2, 0.3)).sum()
    torch.testing.assert_close(torch.autograd.grad(got, logp)[0], ppo)


def test_the_weight_is_a_constant():
    logp, old, A = case()
    weight = (logp.detach() - old).exp().clamp(max=5.0)
    fixed = -weight * A.unsqueeze(1) * logp
    got = torch.autograd.grad(rl.cispo(logp, old, A).sum(), logp)[0]
    torch.testing.assert_close(got, torch.autograd.grad(fixed.sum(), logp)[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"low": -0.1}, "low is -0.1, expected ≥ 0"),
        ({"high": math.nan}, "high is nan"),
        ({"unified_clip": (-1.0, 0.2)}, "ε_low of unified_clip is -1.0, expected ≥ 0"),
    ],
)
def test_errors(change, message):
    x = torch.zeros(2, 3)
    with pytest.raises(ValueError, match=message):
        rl.cispo(x, x, torch.zeros(2), **change)


def test_a_list_is_named():
    with pytest.raises(TypeError, match="logp is a list: pass a torch.Tensor"):
        rl.cispo([[0.0]], torch.zeros(1, 1), torch.zeros(1))
