# ruff: noqa: N803, N806  (names as in the formulas: A, B, G, K, T)
import math

import pytest
import torch

from rlrewards.objectives.gae import gae
from rlrewards.objectives.returns import discounted_returns, multi_gamma_gae, multi_gamma_returns

NAN, INF = math.nan, math.inf


def loop(rewards, mask, gamma, bootstrap=None):
    """The definition, one token at a time, in Python floats."""
    result = torch.zeros(rewards.shape, dtype=torch.float64)
    for i, row in enumerate(rewards.double().tolist()):
        following = 0.0 if bootstrap is None else bootstrap[i].item()
        for t in reversed(range(len(row))):
            if mask[i, t]:
                following = row[t] + gamma * following
                result[i, t] = following
    return result


def batch(K, B, T, dtype=torch.float64):
    torch.manual_seed(0)
    mask = torch.rand(B, T) < 0.8
    return torch.randn(K, B, T, dtype=dtype), torch.randn(K, B, T, dtype=dtype), mask


def test_a_truncated_row_with_a_hole_by_hand():
    # 4 + 16/2 = 12; the hole is stepped over: 1 + 12/2 = 7
    rewards, mask = torch.tensor([[1.0, NAN, 4.0, NAN]]), torch.tensor([[1, 0, 1, 0]])
    found = discounted_returns(rewards, mask, gamma=0.5, bootstrap=torch.tensor([16.0]))
    assert found.tolist() == [[7.0, 0.0, 12.0, 0.0]]


def test_two_streams_by_hand():
    # gamma 1 of (0, 0, 1): 1, 1, 1. gamma .5 of (0, -4, 2): -1.5, -3, 2.
    rewards = torch.tensor([[[0.0, 0.0, 1.0]], [[0.0, -4.0, 2.0]]])
    mask = torch.ones(1, 3)
    found = multi_gamma_returns(rewards, mask, gammas=(1.0, 0.5))
    assert found.tolist() == [[-0.5, -2.0, 3.0]]
    A, G = multi_gamma_gae(rewards, torch.tensor([[1.0, 2, 3]]), mask, gammas=(1.0, 0.5))
    assert A.tolist() == [[-1.5, -4.0, 0.0]]
    assert G.tolist() == found.tolist()


def test_a_penalty_with_a_small_gamma_does_not_reach_the_start():
    """What the paper wants of it: γ = 1 would blame every token alike."""
    rewards = torch.zeros(2, 1, 1000)
    rewards[0, 0, -1], rewards[1, 0, 900] = 1.0, -1.0
    G = multi_gamma_returns(rewards, torch.ones(1, 1000), gammas=(1.0, 0.9))
    assert G[0, 900] == 0
    torch.testing.assert_close(G[0, 880], torch.tensor(1 - 0.9**20))
    assert G[0, 0] == 1


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.99, 1.0])
@pytest.mark.parametrize("T", [1, 33, 200, 1100])
@pytest.mark.parametrize("truncated", [False, True])
def test_matches_the_loop(gamma, T, truncated):
    """Tolerance: the order of at most 1,100 additions in float64."""
    (rewards,), (other,), mask = batch(1, 3, T)
    bootstrap = other[:, 0] if truncated else None
    want = loop(rewards, mask, gamma, bootstrap)
    found = discounted_returns(rewards, mask, gamma=gamma, bootstrap=bootstrap)
    torch.testing.assert_close(found, want, rtol=1e-11, atol=1e-11)


def test_returns_are_gae_with_lambda_one():
    (rewards,), (values,), mask = batch(1, 3, 150)
    bootstrap = values[:, 0]
    want = gae(rewards, values, mask, gamma=0.9, lam=1.0, bootstrap=bootstrap).returns
    found = discounted_returns(rewards, mask, gamma=0.9, bootstrap=bootstrap)
    torch.testing.assert_close(found, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("truncated", [False, True])
def test_streams_match_the_loop(truncated):
    gammas = (1.0, 0.99, 0.0)
    rewards, values, mask = batch(3, 4, 170)
    bootstrap = values[:, :, 0] if truncated else None
    boots = bootstrap if truncated else [None] * 3
    parts = [loop(r, mask, g, b) for r, g, b in zip(rewards, gammas, boots, strict=True)]
    want = parts[0] + parts[1] + parts[2]
    found = multi_gamma_returns(rewards, mask, gammas=gammas, bootstrap=bootstrap)
    torch.testing.assert_close(found, want, rtol=1e-12, atol=1e-12)
    A, G = multi_gamma_gae(rewards, values[0], mask, gammas=gammas, bootstrap=bootstrap)
    torch.testing.assert_close(G, want, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(A, (want - values[0]) * mask, rtol=1e-12, atol=1e-12)
    # a value for each stream, still with lambda 1: the same sum, and a target for each head
    A, G = multi_gamma_gae(rewards, values, mask, gammas=gammas, bootstrap=bootstrap)
    torch.testing.assert_close(A, (want - values.sum(0)) * mask, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(G, torch.stack(parts), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("lam", [0.0, 0.95, torch.tensor([0.0, 0.5, 0.95, 1.0])])
def test_with_a_value_per_stream_lambda_may_be_anything(lam):
    """Against TD errors written out: ``Â_k,t = Σ_l (γ_k·λ)^l · δ_k,t+l`` at full masks."""
    K, B, T = 2, 4, 60
    rewards, values, _ = batch(K, B, T)
    gammas = (1.0, 0.9)
    A, G = multi_gamma_gae(rewards, values, torch.ones(B, T), gammas=gammas, lam=lam)
    want = torch.zeros(K, B, T, dtype=torch.float64)
    for k, gamma in enumerate(gammas):
        delta = rewards[k] - values[k]
        delta[:, :-1] += gamma * values[k][:, 1:]
        rates = [lam] * B if isinstance(lam, float) else lam.double().tolist()
        for i, rate in enumerate(rates):
            for t in range(T):
                steps = torch.arange(T - t, dtype=torch.float64)
                want[k, i, t] = ((gamma * rate) ** steps * delta[i, t:]).sum()
    torch.testing.assert_close(A, want.sum(0), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(G, want + values, rtol=1e-12, atol=1e-12)


def test_one_stream_is_gae():
    rewards, values, mask = batch(1, 3, 100)
    want = gae(rewards[0], values[0], mask, gamma=0.9, lam=0.8)
    found = multi_gamma_gae(rewards, values, mask, gammas=[0.9], lam=0.8)
    assert torch.equal(found.advantages, want.advantages)
    assert torch.equal(found.returns[0], want.returns)


@pytest.mark.parametrize("junk", [0.0, 7.0, NAN, INF])
@pytest.mark.parametrize("right", [True, False])
def test_padding_changes_no_bit(junk, right):
    K, B, T, extra = 2, 4, 70, 77
    rewards, values, mask = batch(K, B, T, torch.float32)
    if right:
        mask = torch.arange(T) < torch.tensor([[T], [33], [1], [0]])
    boots = torch.randn(K, B)
    longer_mask = torch.nn.functional.pad(mask, (0, extra))

    def spoilt(x):
        x = torch.nn.functional.pad(x, (0, extra))
        return torch.where(longer_mask, x, junk)

    def everything(rewards, values, mask):
        return (
            discounted_returns(rewards[0], mask, gamma=0.99, bootstrap=boots[0]),
            multi_gamma_returns(rewards, mask, gammas=(1.0, 0.99), bootstrap=boots),
            *multi_gamma_gae(rewards, values[0], mask, gammas=(1.0, 0.99), bootstrap=boots),
            *multi_gamma_gae(rewards, values, mask, gammas=(1.0, 0.99), lam=0.9, bootstrap=boots),
        )

    clean = everything(rewards, values, mask)
    padded = everything(spoilt(rewards), spoilt(values), longer_mask)
    for a, b in zip(clean, padded, strict=True):
        assert torch.equal(a, b[..., :T])
        assert not b[..., ~longer_mask].any()


def test_a_valid_nan_is_not_hidden_and_stays_in_its_row():
    rewards, values, _ = batch(2, 2, 40)
    mask = torch.ones(2, 40)
    rewards[1, 0, 20] = NAN
    for x in (
        multi_gamma_returns(rewards, mask, gammas=(1, 0.9)),
        multi_gamma_gae(rewards, values[0], mask, gammas=(1, 0.9)).advantages,
        multi_gamma_gae(rewards, values, mask, gammas=(1, 0.9), lam=0.9).advantages,
        discounted_returns(rewards[1], mask, gamma=0.5),
    ):
        assert x[0, :21].isnan().all()
        assert x[1].isfinite().all()
    values[0, 0, 5] = NAN
    assert multi_gamma_gae(rewards, values[0], mask, gammas=(1, 0.9)).advantages[0, 5].isnan()


def test_inputs_are_left_alone_and_no_gradient_flows():
    rewards, values, mask = batch(2, 2, 64)
    full, before = torch.ones_like(mask), (rewards.clone(), values.clone())
    rewards.requires_grad_()
    values.requires_grad_()
    boots = torch.ones(2, 2, requires_grad=True)
    for m in (mask, full):
        found = (
            discounted_returns(rewards[0], m, gamma=0.0, bootstrap=boots[0]),
            multi_gamma_returns(rewards, m, gammas=(1, 0.9), bootstrap=boots),
            *multi_gamma_gae(rewards, values[0], m, gammas=(1, 0.9), bootstrap=boots),
            *multi_gamma_gae(rewards, values, m, gammas=(1, 0.9), lam=0.5, bootstrap=boots),
        )
        assert not any(x.requires_grad for x in found)
    assert torch.equal(rewards.detach(), before[0])
    assert torch.equal(values.detach(), before[1])


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (3, 0)])
def test_empty_batches_and_masked_ones(shape):
    x, mask = torch.zeros(2, *shape), torch.zeros(shape)
    boots = torch.zeros(2, shape[0])
    assert discounted_returns(x[0], mask, gamma=1.0, bootstrap=boots[0]).shape == shape
    assert multi_gamma_returns(x, mask, gammas=(1, 1), bootstrap=boots).shape == shape
    assert multi_gamma_gae(x, x[0], mask, gammas=(1, 1)).advantages.shape == shape
    A, G = multi_gamma_gae(x, x, mask, gammas=(1, 1), lam=0.5, bootstrap=boots)
    assert A.shape == shape
    assert G.shape == x.shape
    nothing = torch.full((2, 3, 4), NAN)
    A, G = multi_gamma_gae(nothing, nothing[0], torch.zeros(3, 4), gammas=(1, 0.5))
    assert not A.any()
    assert not G.any()


def test_half_precision_comes_back_as_float32():
    rewards, values, mask = batch(2, 2, 300, torch.bfloat16)
    A, G = multi_gamma_gae(rewards, values[0], mask, gammas=(1, 0.9))
    assert A.dtype == G.dtype == torch.float32
    assert torch.equal(G, multi_gamma_returns(rewards.float(), mask, gammas=(1, 0.9)))
    mixed = multi_gamma_gae(rewards, values[0].double(), mask, gammas=(1, 0.9))
    assert mixed.advantages.dtype == mixed.returns.dtype == torch.float64


def test_long_rows_in_float32():
    """T = 131,072, γ 1 and .9999; the error is that of the sums (see the tests of ``scan``)."""
    T, gammas = 131_072, (1.0, 0.9999)
    torch.manual_seed(0)
    rewards, mask = torch.randn(2, 1, T), torch.ones(1, T, dtype=torch.bool)
    want = sum(loop(r, mask, g) for r, g in zip(rewards, gammas, strict=True))
    found = multi_gamma_returns(rewards, mask, gammas=gammas)
    assert (found - want).abs().max() < 16 * 2**-24 * want.abs().max()


Z = torch.zeros


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gammas": (1.0,)}, r"rewards has shape \[2, 3, 4\] and gammas 1 values, expected"),
        ({"gammas": ()}, "gammas 0 values"),
        ({"gammas": (1.0, 1.1)}, r"gammas\[1\] is 1.1, expected in \[0, 1\]"),
        ({"rewards": Z(3, 4)}, r"rewards has shape \[3, 4\] and gammas 2 values"),
        ({"mask": Z(2, 4)}, r"mask has shape \[2, 4\] but each stream of rewards has \[3, 4\]"),
        ({"bootstrap": Z(3)}, r"bootstrap has shape \[3\], expected one value per row: \[2, 3\]"),
        ({"lam": 0.9}, r"lam is 0.9 and values has shape \[3, 4\], one for all streams: pass lam"),
        ({"values": Z(2, 4)}, r"values has shape \[2, 4\] but mask has \[3, 4\]"),
        ({"values": Z(1, 3, 4)}, r"values has shape \[1, 3, 4\] but rewards has \[2, 3, 4\]"),
        ({"values": Z(2, 3, 4), "lam": 2.0}, "lam is 2.0"),
    ],
)
def test_errors_name_the_culprit(change, message):
    arguments = {"rewards": Z(2, 3, 4), "values": Z(3, 4), "mask": Z(3, 4), "gammas": (1.0, 0.5)}
    with pytest.raises(ValueError, match=message):
        multi_gamma_gae(**{**arguments, **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gamma": -0.1}, "gamma is -0.1"),
        ({"rewards": Z(3)}, r"rewards has shape \[3\], expected \[B, T\]"),
        ({"mask": Z(3)}, r"mask has shape \[3\] but rewards has \[2, 3\]"),
        ({"bootstrap": Z(3)}, r"bootstrap has shape \[3\], expected one value per row: \[2\]"),
    ],
)
def test_errors_of_one_stream(change, message):
    arguments = {"rewards": Z(2, 3), "mask": Z(2, 3), "gamma": 1.0}
    with pytest.raises(ValueError, match=message):
        discounted_returns(**{**arguments, **change})


def test_one_value_in_float64_has_its_returns_in_float64():
    rewards = torch.tensor([[[0.0, 0.1, 1.0]], [[0.3, 0.0, 0.7]]])
    values, mask, gammas = torch.zeros(1, 3, dtype=torch.float64), torch.ones(1, 3), (0.9, 0.7)
    want = sum(loop(r, mask, gamma) for r, gamma in zip(rewards, gammas, strict=True))
    for got in multi_gamma_gae(rewards, values, mask, gammas=gammas):
        torch.testing.assert_close(got, want, rtol=1e-14, atol=0.0)
    for got in multi_gamma_gae(rewards.double(), values.float(), mask, gammas=gammas):
        torch.testing.assert_close(got, want, rtol=1e-14, atol=0.0)
