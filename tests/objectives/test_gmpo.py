# ruff: noqa: N803  (names as in the formulas: A)
import math

import pytest
import torch

from rlrewards import objectives as rl


def by_definition(x, A, low, high):
    """−w·A with w the geometric mean of the ratios, each clipped in log space on A's side."""
    clip = [min(v, high) if A > 0 else max(v, -low) if A < 0 else v for v in x]
    return -A * math.exp(sum(clip) / len(clip))


X = [[0.1, 0.7, -0.9], [0.1, 0.7, -0.9], [0.5, -0.6, 0.0], [0.2, 0.2, 0.2], [2.0, 0.1, 0.0]]
MASK = [[1, 1, 1], [1, 1, 1], [1, 0, 1], [0, 0, 0], [0, 1, 1]]
A = [2.0, -3.0, -1.0, 1.0, 0.0]


def run(**settings):
    logp = torch.tensor(X, dtype=torch.float64, requires_grad=True)
    advantages, mask = torch.tensor(A, dtype=torch.float64), torch.tensor(MASK)
    loss = rl.gmpo(logp, torch.zeros(5, 3), advantages, mask, **settings)
    return loss, torch.autograd.grad(rl.sequence_mean(loss, mask, denominator=1), logp)[0]


@pytest.mark.parametrize("bounds", [(0.4, 0.4), (0.3, 0.6), (math.inf, math.inf)])
def test_matches_the_definition(bounds):
    low, high = bounds
    loss, _ = run(low=low, high=high)
    for got, x, mask, a in zip(loss.tolist(), X, MASK, A, strict=True):
        valid = [v for v, m in zip(x, mask, strict=True) if m]
        want = by_definition(valid, a, low, high) if valid else 0.0
        assert got == pytest.approx([want * m for m in mask], abs=1e-12)


def test_value_and_gradient_by_hand():
    """Bounds ±.4: .7 is clipped where A > 0, −.9 where A < 0; only those tokens have no gradient."""
    loss, gradient = run()
    up, down = 2 * math.exp((0.1 + 0.4 - 0.9) / 3), 3 * math.exp((0.1 + 0.7 - 0.4) / 3)
    assert loss[0].tolist() == pytest.approx([-up] * 3)
    assert loss[1].tolist() == pytest.approx([down] * 3)
    assert gradient[0].tolist() == pytest.approx([-up / 3, 0, -up / 3])
    assert gradient[1].tolist() == pytest.approx([down / 3, down / 3, 0])
    w = math.exp(0.25)
    assert gradient[2].tolist() == pytest.approx([w / 2, 0, w / 2])
    assert not gradient[3:].any()


def test_without_bounds_it_is_gspo_without_bounds():
    torch.manual_seed(0)
    logp, old = torch.randn(2, 20, 5, dtype=torch.float64)
    advantages, mask = torch.randn(20, dtype=torch.float64), torch.rand(20, 5) < 0.7
    got = rl.gmpo(logp, old, advantages, mask, low=math.inf, high=math.inf)
    want = rl.gspo(logp, old, advantages, mask, low=math.inf, high=math.inf)
    torch.testing.assert_close(got, want)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"advantages": torch.zeros(2, 3)},
            r"advantages has shape \[2, 3\], expected \[B\] = \[2\]",
        ),
        ({"low": -0.4}, "low is -0.4, expected ≥ 0"),
        ({"high": math.nan}, "high is nan"),
        ({"mask": torch.ones(3)}, r"mask has shape \[3\] but logp has \[2, 3\]"),
    ],
)
def test_errors(change, message):
    x = torch.zeros(2, 3)
    given = {"logp": x, "old_logp": x, "advantages": torch.zeros(2), "mask": x + 1, **change}
    with pytest.raises(ValueError, match=message):
        rl.gmpo(**given)
