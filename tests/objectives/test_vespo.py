# ruff: noqa: N803, N806  (names as in the formulas: A, W)
import math

import pytest
import torch

from rlrewards import objectives as rl


def phi(W, k, lam):
    """W^k·exp(λ(1 − W)), as printed."""
    return W**k * math.exp(lam * (1 - W))


def run(x, A, mask, **settings):
    """Loss and gradient with ℓ = x − 1, ℓ_old = −1."""
    x = torch.tensor(x, dtype=torch.float64)
    logp = (x - 1).requires_grad_()
    A, mask = torch.tensor(A, dtype=torch.float64), torch.tensor(mask)
    loss = rl.vespo(logp, torch.full_like(x, -1.0), A, mask, **settings)
    return loss, torch.autograd.grad(loss.sum(), logp)[0]


def test_by_hand():
    """W = e^(.3 + .2) is the product over the row, and each token's loss is −φ·A·ℓ."""
    loss, gradient = run([[0.3, 0.2, 9.0]] * 2, [2.0, -1.0], [[1, 1, 0]] * 2)
    up, down = phi(math.exp(0.5), 2, 3), phi(math.exp(0.5), 3, 2)
    assert loss[0].tolist() == pytest.approx([2 * up * 0.7, 2 * up * 0.8, 0])
    assert loss[1].tolist() == pytest.approx([-down * 0.7, -down * 0.8, 0])
    assert gradient[0].tolist() == pytest.approx([-2 * up, -2 * up, 0])
    assert gradient[1].tolist() == pytest.approx([down, down, 0])


def test_settings_go_by_the_sign_of_the_advantage_and_zero_teaches_nothing():
    settings = {"positive": (1.5, 0.5), "negative": (0.25, 4.0)}
    _, gradient = run([[0.4]] * 2, [1.0, -1.0], [[1]] * 2, **settings)
    W = math.exp(0.4)
    want = [-phi(W, 1.5, 0.5), phi(W, 0.25, 4.0)]
    assert gradient.flatten().tolist() == pytest.approx(want, rel=1e-12)
    loss, gradient = run([[0.4]], [0.0], [[1]], **settings)
    assert not loss.any()
    assert not gradient.any()


def test_weight_is_one_on_policy_and_at_most_for_positive_k_over_lambda():
    _, gradient = run([[0.0, 0.0]], [1.0], [[1, 1]])
    assert gradient.tolist() == [[-1.0, -1.0]]
    _, gradient = run([[math.log(2 / 3)]], [1.0], [[1]])  # the mode of W²e^(−3W)
    assert -gradient.item() == pytest.approx(4 / 9 * math.e)


def test_far_ratios_have_no_weight_and_no_overflow():
    for A, k, lam in ((1.0, 2, 3), (-1.0, 3, 2)):
        for x in (1e4, 30.0, -1e4, -30.0):
            loss, gradient = run([[x, 0.0]], [A], [[1, 1]])
            assert loss.isfinite().all()
            want = 0.0 if x > 0 else phi(1e-8, k, lam)  # the bound of W below
            assert gradient[0].tolist() == pytest.approx([-A * want] * 2, rel=1e-9, abs=1e-40)


def test_a_sampler_correction_enters_the_ratio_as_its_logarithm():
    x, A, mask = [[0.1, 0.2, 0.7], [0.3, 0.4, 0.7]], [1.0, -2.0], [[1, 1, 0], [1, 1, 1]]
    tokens = torch.tensor([[0.5, -0.25, math.nan], [-0.5, 0.125, 0.125]], dtype=torch.float64)
    rows = torch.tensor([0.25, -0.25], dtype=torch.float64)
    per_token, per_row = (run(x, A, mask, log_weight=w) for w in (tokens, rows))
    for a, b in zip(per_token, per_row, strict=True):
        torch.testing.assert_close(a, b)
    want = [-phi(math.exp(0.55), 2, 3), 2 * phi(math.exp(1.15), 3, 2)]
    assert per_row[1][:, 0].tolist() == pytest.approx(want)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_weight_of_zero_silences_its_row(dtype):
    """Whatever the other tokens' ratios are: a product with 0 is 0."""
    weight = torch.tensor([[0.0, 1.0, 3.0]], dtype=dtype).log()
    loss, gradient = run([[0.0, 9.0, 9.0]], [1.0], [[1, 1, 1]], log_weight=weight)
    assert loss.isfinite().all()
    assert gradient.abs().max() < 1e-14


def test_no_gradient_to_the_correction():
    weight = torch.zeros(1, 2, requires_grad=True)
    logp = torch.zeros(1, 2, requires_grad=True)
    loss = rl.vespo(logp, logp, torch.ones(1), torch.ones(1, 2), log_weight=weight)
    assert torch.autograd.grad(loss.sum(), weight, allow_unused=True) == (None,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"advantages": torch.zeros(2, 3)},
            r"advantages has shape \[2, 3\], expected \[B\] = \[2\]",
        ),
        ({"log_weight": torch.zeros(3)}, r"log_weight has shape \[3\], expected \[B\] = \[2\] or"),
        ({"positive": (-1.0, 1.0)}, "k of positive is -1.0, expected ≥ 0"),
        ({"negative": (1.0, math.nan)}, "λ of negative is nan"),
        ({"negative": (1.0,)}, r"negative is \(1.0,\), expected \(k, λ\)"),
        ({"mask": torch.ones(3)}, r"mask has shape \[3\] but logp has \[2, 3\]"),
    ],
)
def test_errors(change, message):
    x = torch.zeros(2, 3)
    given = {"logp": x, "old_logp": x, "advantages": torch.zeros(2), "mask": x + 1, **change}
    with pytest.raises(ValueError, match=message):
        rl.vespo(**given)


def test_a_list_is_named():
    with pytest.raises(TypeError, match="logp is a list: pass a torch.Tensor"):
        rl.vespo([[0.0]], torch.zeros(1, 1), torch.zeros(1), torch.ones(1, 1))
