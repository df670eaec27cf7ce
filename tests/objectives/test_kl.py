import math

import pytest
import torch

from rlrewards import objectives as rl

NAN, INF = math.nan, math.inf


def test_values_by_hand():
    logp, ref = torch.tensor([[0.0, math.log(2)]]), torch.tensor([[math.log(2), 0.0]])
    ln2 = math.log(2)
    assert rl.k1(logp, ref)[0].tolist() == pytest.approx([-ln2, ln2])
    assert rl.k2(logp, ref)[0].tolist() == pytest.approx([ln2**2 / 2] * 2)
    assert rl.k3(logp, ref)[0].tolist() == pytest.approx([2 - 1 - ln2, 0.5 - 1 + ln2])


def exact(estimator, theta, ref):
    """Expected value and expected gradient on a categorical policy, summed over its outcomes."""
    p = theta.softmax(0).detach()
    gradient, value = torch.zeros_like(theta), 0.0
    for token in range(len(p)):
        logits = theta.detach().clone().requires_grad_()
        logp = logits.log_softmax(0)[token].reshape(1, 1)
        k = estimator(logp, ref[token].reshape(1, 1)).sum()
        gradient += p[token] * torch.autograd.grad(k, logits)[0]
        value += (p[token] * k).item()
    return value, gradient


def divergence(p_logits, q_logits):
    p = p_logits.log_softmax(0)
    return (p.exp() * (p - q_logits.log_softmax(0))).sum()


def test_expected_values_and_gradients():
    torch.manual_seed(0)
    theta, other = torch.randn(2, 6, dtype=torch.float64)
    ref = other.log_softmax(0)
    x = theta.clone().requires_grad_()
    forward = torch.autograd.grad(divergence(x, other), x)[0]  # of KL(pi || ref)
    reverse = torch.autograd.grad(divergence(other, x), x)[0]  # of KL(ref || pi)
    kl = divergence(theta, other).item()

    value, gradient = exact(rl.k1, theta, ref)
    assert value == pytest.approx(kl, abs=1e-14)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=1e-15)
    value, gradient = exact(rl.k2, theta, ref)
    assert abs(value - kl) > 0.01
    torch.testing.assert_close(gradient, forward, rtol=0, atol=1e-15)
    value, gradient = exact(rl.k3, theta, ref)
    assert value == pytest.approx(kl, abs=1e-14)
    torch.testing.assert_close(gradient, reverse, rtol=0, atol=1e-15)


@pytest.mark.parametrize("k", [rl.k1, rl.k2, rl.k3])
def test_gradcheck_in_both_arguments(k):
    torch.manual_seed(0)
    pair = [torch.randn(2, 3, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    assert torch.autograd.gradcheck(k, pair)
    assert torch.autograd.gradgradcheck(k, pair)


@pytest.mark.parametrize("k", [rl.k1, rl.k2, rl.k3])
def test_equal_policies_have_none(k):
    logp = torch.randn(2, 3, requires_grad=True)
    loss = k(logp, logp.detach())
    assert not loss.any()


def test_k3_is_never_negative_and_small_differences_keep_their_digits():
    ref = torch.zeros(1, 400)
    delta = torch.logspace(-7, 1, 400).unsqueeze(0)
    for x in (delta, -delta):
        got, y = rl.k3(x, ref).double(), x.double()
        assert (got >= 0).all()
        # the difference of two near-equal float32 numbers: an error of one rounding of Δ
        assert ((got - ((-y).expm1() + y)).abs() <= 2**-23 * (y.abs() + got)).all()


@pytest.mark.parametrize("gap", [100.0, 1e4, INF])
def test_k3_does_not_overflow(gap):
    logp = torch.tensor([[-gap, 0.0]], requires_grad=True)
    got = rl.k3(logp, torch.zeros(1, 2))
    got.sum().backward()
    assert got[0, 0].item() == pytest.approx(math.exp(20), rel=1e-6)
    assert logp.grad.tolist() == [[0, 0]]


@pytest.mark.parametrize("k", [rl.k1, rl.k2, rl.k3])
def test_nan_at_a_valid_token_reaches_the_loss(k):
    assert k(torch.tensor([[NAN]]), torch.zeros(1, 1)).isnan().all()
    assert k(torch.zeros(1, 1), torch.tensor([[NAN]])).isnan().all()


@pytest.mark.parametrize("k", [rl.k1, rl.k2, rl.k3])
def test_dtypes_and_shapes(k):
    half = torch.randn(2, 3).bfloat16()
    assert k(half, half).dtype == torch.float32
    assert k(torch.zeros(0, 3), torch.zeros(0, 3)).shape == (0, 3)
    with pytest.raises(ValueError, match=r"ref_logp has shape \[2, 1\] but logp has \[2, 3\]"):
        k(torch.zeros(2, 3), torch.zeros(2, 1))


def with_old(logp, ref):
    """corrected_k3 where the old policy is a little off the present one."""
    return rl.corrected_k3(logp, ref, old_logp=logp.detach() - 0.1)


NEW = [rl.k_abs, with_old, rl.k3_straight_through]


@pytest.mark.parametrize("k", [rl.k1, rl.k2, rl.k3, *NEW])
@pytest.mark.parametrize("junk", [NAN, INF, -INF])
def test_junk_in_a_masked_cell_leaves_no_trace(k, junk):
    mask = torch.tensor([[True, False]])
    for a, b in ((1.0, junk), (junk, 1.0), (junk, junk)):
        logp = torch.tensor([[0.5, a]], requires_grad=True)
        ref = torch.tensor([[0.3, b]], requires_grad=True)
        loss = rl.token_mean(k(logp, ref), mask)
        loss.backward()
        assert loss.isfinite()
        assert logp.grad[0, 1] == ref.grad[0, 1] == 0
        assert logp.grad[0, 0] != 0


def test_new_values_by_hand():
    logp, ref = torch.tensor([[0.0, math.log(2)]]), torch.tensor([[math.log(2), 0.0]])
    old = torch.tensor([[-math.log(3), math.log(4)]])
    ln2 = math.log(2)
    k3 = [1 - ln2, ln2 - 0.5]
    assert rl.k_abs(logp, ref)[0].tolist() == pytest.approx([ln2, ln2])
    assert rl.k3_straight_through(logp, ref)[0].tolist() == pytest.approx(k3)
    got = rl.corrected_k3(logp, ref, old_logp=old)
    assert got[0].tolist() == pytest.approx([3 * k3[0], k3[1] / 2])


def test_new_gradients_by_hand():
    """sign Δ, r·Δ and Δ."""
    delta = [0.5, -0.25, 0.0]
    ref, old = torch.zeros(1, 3).double(), torch.full((1, 3), -0.125).double()

    def gradient(k):
        logp = torch.tensor([delta], dtype=torch.float64, requires_grad=True)
        return torch.autograd.grad(k(logp, ref).sum(), logp)[0][0].tolist()

    assert gradient(rl.k_abs) == [1, -1, 0]
    assert gradient(rl.k3_straight_through) == pytest.approx(delta)
    got = gradient(lambda a, b: rl.corrected_k3(a, b, old_logp=old))
    assert got == pytest.approx([math.exp(d + 0.125) * d for d in delta])


def exact_off_policy(estimator, theta, old, ref):
    """As ``exact``, the tokens being drawn from the old policy."""
    gradient, value = torch.zeros_like(theta), 0.0
    for token, weight in enumerate(old.exp()):
        logits = theta.detach().clone().requires_grad_()
        logp = logits.log_softmax(0)[token].reshape(1, 1)
        k = estimator(logp, ref[token].reshape(1, 1), old[token].reshape(1, 1)).sum()
        gradient += weight * torch.autograd.grad(k, logits)[0]
        value += (weight * k).item()
    return value, gradient


def test_expected_values_and_gradients_of_the_corrected_forms():
    torch.manual_seed(1)
    theta, old, other = torch.randn(3, 6, dtype=torch.float64)
    old, ref = old.log_softmax(0), other.log_softmax(0)
    x = theta.clone().requires_grad_()
    forward = torch.autograd.grad(divergence(x, other), x)[0]  # of KL(pi || ref)
    reverse = torch.autograd.grad(divergence(other, x), x)[0]  # of KL(ref || pi)
    kl = divergence(theta, other).item()

    def corrected(logp, ref, old):
        return rl.corrected_k3(logp, ref, old_logp=old)

    def constant_ratio(logp, ref, old):
        return (logp - old).exp().detach() * rl.k3(logp, ref)

    value, gradient = exact_off_policy(corrected, theta, old, ref)
    assert value == pytest.approx(kl, abs=1e-14)
    torch.testing.assert_close(gradient, forward, rtol=0, atol=1e-14)
    value, gradient = exact_off_policy(constant_ratio, theta, old, ref)
    assert value == pytest.approx(kl, abs=1e-14)
    torch.testing.assert_close(gradient, reverse, rtol=0, atol=1e-14)

    value, gradient = exact(rl.k3_straight_through, theta, ref)
    assert value == pytest.approx(kl, abs=1e-14)
    torch.testing.assert_close(gradient, forward, rtol=0, atol=1e-14)

    # in the reward, E[k1·∇ℓ] is that gradient too
    _, gradient = exact(lambda logp, ref: rl.k1(logp, ref).detach() * logp, theta, ref)
    torch.testing.assert_close(gradient, forward, rtol=0, atol=1e-14)


@pytest.mark.parametrize("k", NEW)
def test_on_policy_the_values_agree(k):
    logp, ref = torch.randn(2, 2, 3, dtype=torch.float64)
    want = rl.k_abs(logp, ref) if k is rl.k_abs else rl.k3(logp, ref)
    got = rl.corrected_k3(logp, ref, old_logp=logp) if k is with_old else k(logp, ref)
    torch.testing.assert_close(got, want)


@pytest.mark.parametrize("k", [rl.k_abs, "corrected"])
def test_new_gradcheck(k):
    torch.manual_seed(0)
    pair = [torch.randn(2, 3, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    old = torch.randn(2, 3, dtype=torch.float64)

    def f(logp, ref):
        return rl.corrected_k3(logp, ref, old_logp=old) if k == "corrected" else k(logp, ref)

    assert torch.autograd.gradcheck(f, pair)
    assert torch.autograd.gradgradcheck(f, pair)


@pytest.mark.parametrize("junk", [NAN, INF, -INF])
def test_junk_in_the_old_log_prob_leaves_no_trace(junk):
    logp, old = torch.tensor([[0.5, 0.5]], requires_grad=True), torch.tensor([[0.3, junk]])
    k = rl.corrected_k3(logp, torch.zeros(1, 2), old_logp=old)
    loss = rl.token_mean(k, torch.tensor([[True, False]]))
    loss.backward()
    assert loss.isfinite()
    assert logp.grad[0, 1] == 0


@pytest.mark.parametrize("k", NEW)
def test_new_nan_dtypes_and_shapes(k):
    assert k(torch.tensor([[NAN]]), torch.zeros(1, 1)).isnan().all()
    assert k(torch.zeros(1, 1), torch.tensor([[NAN]])).isnan().all()
    half = torch.randn(2, 3).bfloat16()
    assert k(half, half).dtype == torch.float32
    assert k(torch.zeros(0, 3), torch.zeros(0, 3)).shape == (0, 3)
    with pytest.raises(ValueError, match=r"ref_logp has shape \[2, 1\] but logp has \[2, 3\]"):
        k(torch.zeros(2, 3), torch.zeros(2, 1))


def test_corrected_k3_does_not_overflow_and_names_the_old_log_probs():
    far = torch.tensor([[1e4, -1e4]], requires_grad=True)
    got = rl.corrected_k3(far, torch.zeros(1, 2), old_logp=torch.zeros(1, 2))
    assert got.isfinite().all()
    assert torch.autograd.grad(got.sum(), far)[0].isfinite().all()
    with pytest.raises(ValueError, match=r"old_logp has shape \[2\] but logp|old_logp has shape"):
        rl.corrected_k3(torch.zeros(2, 3), torch.zeros(2, 3), old_logp=torch.zeros(2))
