# ruff: noqa: N803, N806  (names as in the formulas: A, B, T)
import math

import pytest
import torch

from rlrewards import objectives as rl

NAN, INF = math.nan, math.inf


def logs(*ratios):
    return torch.tensor([ratios], dtype=torch.float64).log()


def by_definition(r, A, low, high, ceiling=INF):
    """−min(min(r, c)·A, clip(r)·A) in plain floats."""
    clip = min(max(r, 1 - low), 1 + high)
    return -min(min(r, ceiling) * A, clip * A)


@pytest.mark.parametrize(
    ("r", "A", "want"),
    [
        (1.0, 2.0, -2.0),
        (1.1, 1.0, -1.1),  # inside
        (1.5, 1.0, -1.28),  # clipped high
        (1.5, -1.0, 1.5),  # too likely and bad: not clipped
        (0.5, 1.0, -0.5),  # too unlikely and good: not clipped
        (0.5, -1.0, 0.8),  # clipped low
        (9.0, -1.0, 3.0),  # the ceiling
        (9.0, 0.0, 0.0),
    ],
)
def test_cases_by_hand(r, A, want):
    loss = rl.clipped(logs(r), logs(1.0), torch.tensor([A]), low=0.2, high=0.28, ceiling=3.0)
    assert loss.item() == pytest.approx(want, abs=1e-12)


def test_matches_the_definition_on_a_grid():
    ratios = [0.01, 0.5, 0.79, 0.81, 1.0, 1.19, 1.21, 2.9, 3.1, 50.0]
    for A in (-2.0, -0.3, 0.0, 0.7, 5.0):
        for low, high, ceiling in ((0.2, 0.2, None), (0.1, 0.3, 3.0), (1.0, 1.0, 2.0)):
            bounds = {"low": low, "high": high, "ceiling": ceiling}
            advantages = torch.tensor([A], dtype=torch.float64)
            got = rl.clipped(logs(*ratios), logs(*[1.0] * 10), advantages, **bounds)
            c = INF if ceiling is None else ceiling
            want = [by_definition(r, A, low, high, c) for r in ratios]
            assert got[0].tolist() == pytest.approx(want, abs=1e-12)


def test_gradient_is_minus_ratio_times_advantage_inside_and_zero_outside():
    logp = logs(1.1, 1.5, 1.5, 0.5, 0.5, 9.0).requires_grad_()
    A = torch.tensor([[2.0, 1.0, -1.0, 1.0, -1.0, -1.0]], dtype=torch.float64)
    rl.clipped(logp, logs(*[1.0] * 6), A, ceiling=3.0).sum().backward()
    assert logp.grad[0].tolist() == pytest.approx([-2.2, 0, 1.5, -0.5, 0, 0])


def test_dual_clip_and_two_sided_delta_are_one_function():
    """For c ≥ 1 + high: dual clip bounds A < 0 at c·A, two-sided cuts the ratio itself."""
    torch.manual_seed(0)
    x, A = torch.randn(50, 40, dtype=torch.float64), torch.randn(50, 40, dtype=torch.float64)
    r, c = x.exp(), 1.5
    clip = r.clamp(0.8, 1.2)
    dual = torch.where(A < 0, torch.maximum(torch.minimum(r * A, clip * A), c * A), 0)
    dual = torch.where(A < 0, dual, torch.minimum(r * A, clip * A))
    two_sided = torch.minimum(r.clamp(max=c) * A, clip * A)
    got = rl.clipped(x, torch.zeros_like(x), A, ceiling=c)
    torch.testing.assert_close(got, -dual)
    torch.testing.assert_close(got, -two_sided)


def test_ratio_one_gives_the_policy_gradient():
    logp = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    A = torch.randn(3, dtype=torch.float64)
    rl.clipped(
        logp, logp, A
    ).sum().backward()  # old_logp is a constant even if it is the same tensor
    torch.testing.assert_close(logp.grad, -A.unsqueeze(1).expand(3, 4))


def test_unbounded_is_importance_weighted_reinforce():
    torch.manual_seed(0)
    logp, old = torch.randn(2, 3, 4, dtype=torch.float64)
    A = torch.randn(3, 4, dtype=torch.float64)
    got = rl.clipped(logp, old, A, low=INF, high=INF)
    torch.testing.assert_close(got, -(logp - old).exp() * A)


def test_advantages_per_sequence_and_per_token_agree():
    logp, old = torch.randn(2, 3, 4)
    A = torch.randn(3)
    spread = A.unsqueeze(1).expand(3, 4)
    assert torch.equal(rl.clipped(logp, old, A), rl.clipped(logp, old, spread))


@pytest.mark.parametrize("ceiling", [None, 3.0])
def test_gradcheck(ceiling):
    torch.manual_seed(0)
    old = torch.zeros(3, 5, dtype=torch.float64)
    # away from the kinks at ln .8, ln 1.2 and ln 3
    logp = torch.randn(3, 5, dtype=torch.float64)
    for kink in (math.log(0.8), math.log(1.2), math.log(3.0)):
        logp = torch.where((logp - kink).abs() < 0.02, kink + 0.05, logp)
    logp.requires_grad_()
    A = torch.randn(3, 5, dtype=torch.float64)

    def f(x):
        return rl.clipped(x, old, A, ceiling=ceiling)

    assert torch.autograd.gradcheck(f, logp)
    assert torch.autograd.gradgradcheck(f, logp)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("gap", [100.0, 1e4, INF])
def test_overflowing_ratios_stay_finite(dtype, gap):
    logp = torch.tensor([[0.0, -gap, 0.0, -gap]]).to(dtype).requires_grad_()
    old = torch.tensor([[-gap, 0.0, -gap, 0.0]]).to(dtype)
    loss = rl.clipped(logp, old, torch.tensor([[1.0, 1.0, -1.0, -1.0]]))
    loss.sum().backward()
    assert loss.isfinite().all()
    assert logp.grad.isfinite().all()
    assert loss[0, 0].item() == pytest.approx(-1.2)
    assert loss[0, 2].item() == pytest.approx(math.exp(20))


def test_bfloat16_is_computed_in_float32():
    torch.manual_seed(0)
    logp, old = torch.randn(2, 4, 9).bfloat16()
    A = torch.randn(4)
    got = rl.clipped(logp, old, A)
    assert got.dtype == torch.float32
    assert torch.equal(got, rl.clipped(logp.float(), old.float(), A))


def test_float64_advantages_do_not_widen_a_float32_loss():
    logp = torch.zeros(2, 3)
    assert rl.clipped(logp, logp, torch.ones(2, dtype=torch.float64)).dtype == torch.float32


@pytest.mark.parametrize("where", ["logp", "old_logp", "advantages"])
@pytest.mark.parametrize("junk", [NAN, INF, -INF])
def test_junk_in_a_masked_cell_leaves_no_trace(where, junk):
    torch.manual_seed(0)
    cells = {name: torch.randn(2, 4) for name in ("logp", "old_logp", "advantages")}
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]]).bool()

    def run(values):
        logp = values["logp"].clone().requires_grad_()
        s = rl.clipped(logp, values["old_logp"], values["advantages"])
        loss = rl.token_mean(s, mask)
        return loss, torch.autograd.grad(loss, logp)[0]

    loss, gradient = run(cells)
    cells[where] = cells[where].masked_fill(~mask, junk)
    dirty_loss, dirty_gradient = run(cells)
    assert torch.equal(loss, dirty_loss)
    assert torch.equal(gradient, dirty_gradient)
    assert not dirty_gradient[~mask].any()


@pytest.mark.parametrize("where", ["logp", "old_logp", "advantages"])
def test_nan_at_a_valid_token_reaches_the_loss_and_the_gradient(where):
    cells = {name: torch.zeros(2, 3) for name in ("logp", "old_logp", "advantages")}
    cells["advantages"] += 1
    cells[where][1, 1] = NAN
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]]).bool()
    logp = cells["logp"].requires_grad_()
    loss = rl.token_mean(rl.clipped(logp, cells["old_logp"], cells["advantages"]), mask)
    loss.backward()
    assert loss.isnan()
    assert logp.grad[0].isnan().all()
    assert logp.grad[1, 2] == 0


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_empty(shape):
    x = torch.zeros(shape)
    assert rl.clipped(x, x, torch.zeros(shape[0])).shape == shape


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"logp": torch.zeros(3)}, r"logp has shape \[3\], expected \[B, T\]"),
        ({"old_logp": torch.zeros(2, 4)}, r"old_logp has shape \[2, 4\] but logp has \[2, 3\]"),
        ({"advantages": torch.zeros(3)}, r"advantages has shape \[3\], expected \[B\] = \[2\] or"),
        ({"logp": torch.zeros(2, 3).long()}, "logp has dtype torch.int64"),
        ({"low": -0.1}, "low is -0.1, expected ≥ 0"),
        ({"high": NAN}, "high is nan"),
        ({"ceiling": 1.1}, "ceiling is 1.1, expected ≥ 1.2"),
    ],
)
def test_errors_name_the_culprit(change, message):
    x = torch.zeros(2, 3)
    with pytest.raises(ValueError, match=message):
        rl.clipped(**{"logp": x, "old_logp": x, "advantages": torch.zeros(2), **change})
