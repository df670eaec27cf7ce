# ruff: noqa: N803, N806  (names as in the formulas: A, B, T)
import math
import random

import pytest
import torch

from rlrewards import objectives as rl
from rlrewards.objectives import scan
from rlrewards.objectives.gae import decoupled_gae, length_adaptive_lambda

NAN, INF = math.nan, math.inf


def loop(rewards, values, mask, gamma, lam, bootstrap):
    """The definition, one token at a time, in Python floats."""
    advantages = [[0.0] * len(row) for row in rewards]
    returns = [[0.0] * len(row) for row in rewards]
    for i, row in enumerate(mask):
        next_value, next_advantage = bootstrap[i], 0.0
        for t in reversed(range(len(row))):
            if not row[t]:
                continue
            delta = rewards[i][t] + gamma * next_value - values[i][t]
            next_advantage = delta + gamma * lam * next_advantage
            next_value = values[i][t]
            advantages[i][t] = next_advantage
            returns[i][t] = next_advantage + next_value
    return torch.tensor(advantages, dtype=torch.float64), torch.tensor(returns, dtype=torch.float64)


def reference(rewards, values, mask, gamma, lam, bootstrap=None):
    boot = [0.0] * len(rewards) if bootstrap is None else bootstrap.tolist()
    shape = rewards.shape
    args = rewards.double().tolist(), values.double().tolist(), mask.tolist()
    A, R = loop(*args, gamma, lam, boot)
    return A.reshape(shape), R.reshape(shape)


def batch(B, T, seed=0, dtype=torch.float64):
    torch.manual_seed(seed)
    return torch.randn(B, T, dtype=dtype), torch.randn(B, T, dtype=dtype)


def masks(B, T):
    """Full, right-padded, left-padded, with holes, and empty rows."""
    steps = torch.arange(T)
    lengths = torch.linspace(0, T, B).round().int().unsqueeze(1)
    torch.manual_seed(1)
    return {
        "full": torch.ones(B, T, dtype=torch.bool),
        "right": steps < lengths,
        "left": steps >= T - lengths,
        "holes": torch.rand(B, T) < 0.6,
        "none": torch.zeros(B, T, dtype=torch.bool),
    }


def test_a_row_worked_by_hand():
    # gamma = lam = .5: delta_2 = 4 - 3 = 1, delta_1 = 2 + .5*3 - 2 = 1.5, delta_0 = .5*2 - 1 = 0
    # A_2 = 1; A_1 = 1.5 + .25*1 = 1.75; A_0 = 0 + .25*1.75 = .4375
    rewards, values = torch.tensor([[0.0, 2.0, 4.0]]), torch.tensor([[1.0, 2.0, 3.0]])
    A, R = rl.gae(rewards, values, torch.ones(1, 3), gamma=0.5, lam=0.5)
    assert A.tolist() == [[0.4375, 1.75, 1.0]]
    assert R.tolist() == [[1.4375, 3.75, 4.0]]


def test_a_truncated_row_worked_by_hand():
    # gamma 1, lam .5, value 10 after the end. delta_1 = 1 + 10 - 2 = 9; delta_0 = 0 + 2 - 1 = 1
    rewards, values = torch.tensor([[0.0, 1.0, NAN]]), torch.tensor([[1.0, 2.0, NAN]])
    mask, bootstrap = torch.tensor([[1, 1, 0]]), torch.tensor([10.0])
    A, R = rl.gae(rewards, values, mask, gamma=1.0, lam=0.5, bootstrap=bootstrap)
    assert A.tolist() == [[5.5, 9.0, 0.0]]
    assert R.tolist() == [[6.5, 11.0, 0.0]]


def test_a_hole_is_stepped_over_by_hand():
    # The row of the first test with a tool's token in the middle: same numbers, no extra discount.
    rewards = torch.tensor([[0.0, NAN, 2.0, 4.0]])
    values = torch.tensor([[1.0, INF, 2.0, 3.0]])
    A, R = rl.gae(rewards, values, torch.tensor([[1, 0, 1, 1]]), gamma=0.5, lam=0.5)
    assert A.tolist() == [[0.4375, 0.0, 1.75, 1.0]]
    assert R.tolist() == [[1.4375, 0.0, 3.75, 4.0]]


@pytest.mark.parametrize(
    ("gamma", "lam"), [(0.99, 0.95), (1.0, 0.95), (0.9, 1.0), (1, 1), (0.9, 0)]
)
@pytest.mark.parametrize("T", [1, 2, 31, 32, 33, 97, 1025])
def test_matches_the_loop(T, gamma, lam):
    B = 5
    rewards, values = batch(B, T)
    bootstrap = torch.randn(B, dtype=torch.float64)
    for mask in masks(B, T).values():
        got = rl.gae(rewards, values, mask, gamma=gamma, lam=lam, bootstrap=bootstrap)
        want = reference(rewards, values, mask, gamma, lam, bootstrap)
        for a, b in zip(got, want, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_is_the_weighted_sum_of_td_errors():
    rewards, values = batch(3, 40)
    gamma, lam = 0.97, 0.9
    delta = rewards - values
    delta[:, :-1] += gamma * values[:, 1:]
    A, _ = rl.gae(rewards, values, torch.ones(3, 40), gamma=gamma, lam=lam)
    for t in range(40):
        weights = torch.tensor([(gamma * lam) ** k for k in range(40 - t)], dtype=torch.float64)
        torch.testing.assert_close(A[:, t], (delta[:, t:] * weights).sum(1))


def test_lambda_one_is_the_discounted_return_less_the_value():
    rewards, values = batch(3, 50)
    bootstrap = torch.randn(3, dtype=torch.float64)
    A, R = rl.gae(rewards, values, torch.ones(3, 50), gamma=0.9, lam=1.0, bootstrap=bootstrap)
    powers = 0.9 ** torch.arange(51, dtype=torch.float64)
    want = (torch.cat([rewards, bootstrap.unsqueeze(1)], 1) * powers).sum(1)
    torch.testing.assert_close(R[:, 0], want)
    torch.testing.assert_close(A, R - values)


def test_lambda_zero_is_the_td_error():
    rewards, values = batch(3, 50)
    A, _ = rl.gae(rewards, values, torch.ones(3, 50), gamma=0.9, lam=0.0)
    torch.testing.assert_close(A[:, :-1], rewards[:, :-1] + 0.9 * values[:, 1:] - values[:, :-1])
    torch.testing.assert_close(A[:, -1], rewards[:, -1] - values[:, -1])


def test_undiscounted_outcome_reward_is_exact():
    # gamma = lambda = 1 and one reward at the end: every return is that reward, to the bit.
    T = 40_000
    rewards, values = torch.zeros(1, T), torch.randn(1, T)
    rewards[0, -1] = 0.3
    A, R = rl.gae(rewards, values, torch.ones(1, T), gamma=1.0, lam=1.0)
    assert torch.equal(R, torch.full((1, T), 0.3))
    assert torch.equal(A, 0.3 - values)


@pytest.mark.parametrize(("gamma", "lam"), [(1.0, 0.95), (1.0, 0.99999), (1.0, 1.0), (0.5, 0.5)])
def test_long_rows_in_float32(gamma, lam):
    """T = 131,072 against the loop in float64.

    The tolerance is 64 float32 roundings of the largest return: a float32 loop is off by hundreds.
    """
    T = 131_072
    rewards, values = batch(1, T, dtype=torch.float32)
    mask = torch.ones(1, T, dtype=torch.bool)
    A, R = rl.gae(rewards, values, mask, gamma=gamma, lam=lam)
    want_A, want_R = reference(rewards, values, mask, gamma, lam)
    bound = 64 * 2**-24 * want_R.abs().max().item()
    assert (A - want_A).abs().max() < bound
    assert (R - want_R).abs().max() < bound


@pytest.mark.parametrize("kind", ["full", "right", "left", "holes"])
@pytest.mark.parametrize("junk", [0.0, 7.0, NAN, INF, -INF])
def test_padding_changes_no_bit(junk, kind):
    B, T = 4, 70
    rewards, values = batch(B, T, dtype=torch.float32)
    mask = masks(B, T)[kind]
    clean = rl.gae(rewards.masked_fill(~mask, 0), values.masked_fill(~mask, 0), mask, gamma=0.99)
    padded_mask = torch.cat([mask, torch.zeros(B, 11, dtype=torch.bool)], 1)
    fill = torch.full((B, 11), junk)
    padded = rl.gae(
        torch.cat([rewards.masked_fill(~mask, junk), fill], 1),
        torch.cat([values.masked_fill(~mask, junk), fill], 1),
        padded_mask,
        gamma=0.99,
    )
    for a, b in zip(clean, padded, strict=True):
        assert torch.equal(a, b[:, :T])
        assert not b[~padded_mask].any()


def test_a_valid_nan_is_not_hidden_and_stays_in_its_row():
    rewards, values = batch(2, 40)
    rewards[0, 20] = NAN
    A, R = rl.gae(rewards, values, torch.ones(2, 40))
    assert A[0, :21].isnan().all()
    assert R[0, :21].isnan().all()
    assert A[1].isfinite().all()


def test_rows_do_not_see_each_other():
    rewards, values = batch(6, 100)
    mask = masks(6, 100)["holes"]
    whole = rl.gae(rewards, values, mask)
    for i in range(6):
        one = rl.gae(rewards[i : i + 1], values[i : i + 1], mask[i : i + 1])
        torch.testing.assert_close(one.advantages[0], whole.advantages[i], rtol=1e-13, atol=1e-13)


def test_the_bootstrap_of_an_empty_row_is_ignored():
    mask = torch.tensor([[0, 0], [1, 1]])
    rewards, values = batch(2, 2)
    A, R = rl.gae(rewards, values, mask, bootstrap=torch.tensor([NAN, 1.0]))
    assert A[0].tolist() == R[0].tolist() == [0, 0]
    assert A[1].isfinite().all()


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (3, 0)])
@pytest.mark.parametrize("bootstrap", [False, True])
def test_empty_batches(shape, bootstrap):
    x = torch.zeros(shape)
    boot = torch.zeros(shape[0]) if bootstrap else None
    A, R = rl.gae(x, x, x.bool(), bootstrap=boot)
    assert A.shape == R.shape == shape


def test_inputs_are_left_alone_and_no_gradient_flows():
    rewards, values = batch(2, 64)
    values.requires_grad_()
    before = rewards.clone(), values.detach().clone()
    A, R = rl.gae(rewards, values, torch.ones(2, 64))
    assert not A.requires_grad
    assert not R.requires_grad
    assert torch.equal(rewards, before[0])
    assert torch.equal(values.detach(), before[1])


def test_views_and_mask_dtypes():
    rewards, values = batch(40, 3)
    mask = torch.rand(40, 3) < 0.7
    want = rl.gae(rewards.T.contiguous(), values.T.contiguous(), mask.T.contiguous())
    for kind in (torch.bool, torch.uint8, torch.int64, torch.float32):
        got = rl.gae(rewards.T, values.T, mask.to(kind).T)
        assert torch.equal(got.advantages, want.advantages)
    expanded = torch.ones(1, 1).expand(3, 40)
    assert rl.gae(expanded, expanded, expanded).advantages.isfinite().all()


def test_half_precision_comes_back_as_float32():
    rewards, values = batch(2, 300, dtype=torch.bfloat16)
    mask = torch.ones(2, 300)
    A, R = rl.gae(rewards, values, mask)
    assert A.dtype == R.dtype == torch.float32
    assert torch.equal(A, rl.gae(rewards.float(), values.float(), mask).advantages)


def test_full_precision_under_autocast_and_lowered_matmul_precision():
    rewards, values = batch(2, 300, dtype=torch.float32)
    mask = torch.ones(2, 300)
    want = rl.gae(rewards, values, mask).advantages
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(rl.gae(rewards, values, mask).advantages, want)
    previous = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        got = rl.gae(rewards, values, mask).advantages
    finally:
        torch.set_float32_matmul_precision(previous)
    exact = rl.gae(rewards.double(), values.double(), mask).advantages
    assert torch.equal(got, exact.float())  # computed in float64; bfloat16 would be off by 1e-2


def test_per_backend_matmul_precision_is_taken_as_lowered(monkeypatch):
    """torch refuses to name one precision once a backend has its own."""
    rewards, values = batch(2, 300, dtype=torch.float32)
    want = rl.gae(rewards.double(), values.double(), torch.ones(2, 300)).advantages

    def refuse():
        raise RuntimeError("mix of the legacy and new APIs")

    monkeypatch.setattr(torch, "get_float32_matmul_precision", refuse)
    got = rl.gae(rewards, values, torch.ones(2, 300)).advantages
    assert torch.equal(got, want.float())  # computed in float64


def test_random_small_batches_against_the_loop():
    rng = random.Random(0)
    for seed in range(60):
        B, T = rng.randint(1, 4), rng.randint(1, 70)
        gamma, lam = rng.choice([0, 0.3, 0.99, 1]), rng.choice([0, 0.5, 0.95, 1])
        rewards, values = batch(B, T, seed)
        mask = torch.rand(B, T) < rng.choice([0.1, 0.5, 0.95])
        got = rl.gae(rewards, values, mask, gamma=gamma, lam=lam)
        want = reference(rewards, values, mask, gamma, lam)
        torch.testing.assert_close(got.advantages, want[0], rtol=1e-12, atol=1e-12)


def test_holes_as_steps_worked_by_hand():
    # gamma = lam = .5, reward and value 0 in the hole: delta_3 = 4 - 2 = 2; in the hole .5*2 = 1;
    # delta_0 = 1 + 0 - 3 = -2. A_3 = 2; in the hole 1 + .25*2 = 1.5; A_0 = -2 + .25*1.5 = -1.625
    rewards = torch.tensor([[NAN, 1.0, INF, 4.0, 7.0]])
    values = torch.tensor([[5.0, 3.0, NAN, 2.0, NAN]])
    mask = torch.tensor([[0, 1, 0, 1, 0]])
    A, R = rl.gae(rewards, values, mask, gamma=0.5, lam=0.5, holes="discount")
    assert A.tolist() == [[0.0, -1.625, 0.0, 2.0, 0.0]]
    assert R.tolist() == [[0.0, 1.375, 0.0, 4.0, 0.0]]


@pytest.mark.parametrize("kind", ["full", "right", "left", "holes", "none"])
def test_holes_as_steps_match_the_loop_over_zeros(kind):
    """As a row without holes whose reward and value are 0 there, and that ends at its last token."""
    B, T = 5, 97
    rewards, values = batch(B, T)
    mask = masks(B, T)[kind]
    boot = torch.randn(B, dtype=torch.float64)
    zeroed = rewards.masked_fill(~mask, 0), values.masked_fill(~mask, 0)
    steps = mask.flip(1).int().cummax(1).values.flip(1).bool()  # all up to the last valid token
    want = reference(*zeroed, steps, 0.9, 0.8, boot)
    got = rl.gae(rewards, values, mask, gamma=0.9, lam=0.8, bootstrap=boot, holes="discount")
    for a, b in zip(got, want, strict=True):
        torch.testing.assert_close(a, b * mask, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("holes", ["carry", "discount"])
def test_a_mask_that_cannot_be_looked_at_gives_the_same(monkeypatch, holes):
    """As on a GPU, which is not waited for: one way for all masks, and the same numbers."""
    B, T = 5, 70
    rewards, values = batch(B, T, dtype=torch.float32)
    boot, lam = torch.randn(B), torch.linspace(0, 1, B)
    for mask in masks(B, T).values():
        arguments = {"gamma": 0.99, "lam": lam, "bootstrap": boot, "holes": holes}
        want = rl.gae(rewards, values, mask, **arguments)
        with monkeypatch.context() as patch:
            patch.setattr(scan, "on_host", lambda _: False)
            got = rl.gae(rewards, values, mask, **arguments)
        for a, b in zip(got, want, strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize("T", [1, 33, 300, 1100])
def test_one_lambda_per_row_matches_the_loop(T):
    rates = [0.0, 0.3, 0.95, 0.999, 1.0]
    B = len(rates)
    rewards, values = batch(B, T)
    boot = torch.randn(B, dtype=torch.float64)
    lam = torch.tensor(rates, dtype=torch.float64)
    for mask in masks(B, T).values():
        got = rl.gae(rewards, values, mask, gamma=0.99, lam=lam, bootstrap=boot)
        for i, rate in enumerate(rates):
            row = slice(i, i + 1)
            want = reference(rewards[row], values[row], mask[row], 0.99, rate, boot[row])
            for a, b in zip(got, want, strict=True):
                torch.testing.assert_close(a[row], b, rtol=1e-11, atol=1e-11)


def test_one_lambda_per_row_in_long_rows():
    T = 131_072
    rewards, values = batch(1, T, dtype=torch.float32)
    mask = torch.ones(1, T, dtype=torch.bool)
    lam = length_adaptive_lambda(mask)
    _, R = rl.gae(rewards, values, mask, lam=lam)
    _, want = reference(rewards, values, mask, 1.0, lam.item())
    assert (R - want).abs().max() < 64 * 2**-24 * want.abs().max()


def test_decoupled_gae_takes_each_part_from_its_own_lambda():
    rewards, values = batch(3, 60)
    mask, boot = masks(3, 60)["holes"], torch.randn(3, dtype=torch.float64)
    lam = torch.tensor([0.5, 0.9, 1.0], dtype=torch.float64)
    for policy, critic in ((0.9, 1.0), (lam, 0.7), (1.0, lam)):
        A, R = decoupled_gae(
            rewards, values, mask, gamma=0.99, policy_lam=policy, critic_lam=critic, bootstrap=boot
        )
        arguments = {"gamma": 0.99, "bootstrap": boot}
        assert torch.equal(A, rl.gae(rewards, values, mask, lam=policy, **arguments).advantages)
        assert torch.equal(R, rl.gae(rewards, values, mask, lam=critic, **arguments).returns)


def test_decoupled_gae_by_hand():
    # gamma 1. Critic, lambda 1: returns 6, 6, 4. Policy, lambda 0: 0+2-1, 2+3-2, 4-3.
    rewards, values = torch.tensor([[0.0, 2.0, 4.0]]), torch.tensor([[1.0, 2.0, 3.0]])
    A, R = decoupled_gae(rewards, values, torch.ones(1, 3), policy_lam=0.0)
    assert A.tolist() == [[1.0, 3.0, 1.0]]
    assert R.tolist() == [[6.0, 6.0, 4.0]]


def test_length_adaptive_lambda_by_hand():
    lengths = torch.tensor([0, 1, 19, 20, 21, 40, 200])
    mask = torch.arange(200) < lengths.unsqueeze(1)
    # 1 - 20/n, not below 0
    want = [0, 0, 0, 0, 1 / 21, 0.5, 0.9]
    found = length_adaptive_lambda(mask)
    assert found.tolist() == pytest.approx(want, abs=1e-15)
    # the sum of the powers is a fixed share of the length: alpha * n = 10 of 200
    assert sum(found[-1].item() ** t for t in range(10_000)) == pytest.approx(10)
    assert length_adaptive_lambda(mask, alpha=1.0)[-1] == pytest.approx(1 - 1 / 200)
    assert length_adaptive_lambda(torch.zeros(0, 5)).shape == (0,)


@pytest.mark.parametrize("T", [1, 33, 100, 127, 400])
@pytest.mark.parametrize("per_row", [False, True])
def test_extra_columns_change_no_bit_at_any_length(T, per_row):
    """Lengths that leave other numbers of rows to the matrix products, and other levels."""
    for B in (1, 2, 5):
        rewards, values = batch(B, T, dtype=torch.float32)
        mask, boot = torch.rand(B, T) < 0.8, torch.randn(B)
        lam = torch.linspace(0.9, 1.0, B) if per_row else 0.95
        want = rl.gae(rewards, values, mask, gamma=0.99, lam=lam, bootstrap=boot)
        for extra in (1, 31, 60, 1000):
            fill = torch.full((B, extra), NAN)
            longer = torch.cat([rewards, fill], 1), torch.cat([values, fill], 1)
            padded = torch.cat([mask, fill.isfinite()], 1)
            got = rl.gae(*longer, padded, gamma=0.99, lam=lam, bootstrap=boot)
            for a, b in zip(want, got, strict=True):
                assert torch.equal(a, b[:, :T])


def test_a_captured_graph_has_no_break():
    rewards, values = batch(3, 70)
    mask, lam = masks(3, 70)["holes"], torch.tensor([0.5, 0.9, 1.0], dtype=torch.float64)
    compiled = torch.compile(rl.gae, backend="eager", fullgraph=True)
    for rate in (0.95, 1.0, lam):
        want = rl.gae(rewards, values, mask, gamma=0.99, lam=rate)
        got = compiled(rewards, values, mask, gamma=0.99, lam=rate)
        for a, b in zip(got, want, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gamma": 1.1}, r"gamma is 1.1, expected in \[0, 1\]"),
        ({"lam": -0.1}, "lam is -0.1"),
        ({"lam": NAN}, "lam is nan"),
        ({"lam": torch.tensor([0.5, 2.0])}, r"lam holds 2, expected values in \[0, 1\]"),
        ({"lam": torch.zeros(3)}, r"lam has shape \[3\], expected a float or one value per row"),
        ({"holes": "skip"}, 'holes is \'skip\', expected "carry" or "discount"'),
        ({"rewards": torch.zeros(2)}, r"rewards has shape \[2\], expected \[B, T\]"),
        ({"values": torch.zeros(2, 4)}, r"values has shape \[2, 4\] but rewards has \[2, 3\]"),
        ({"mask": torch.ones(2, 4)}, r"mask has shape \[2, 4\] but rewards has \[2, 3\]"),
        ({"rewards": torch.zeros(2, 3).int()}, "rewards has dtype torch.int32"),
        ({"bootstrap": torch.zeros(3)}, r"bootstrap has shape \[3\], expected one value per row"),
    ],
)
def test_errors_name_the_culprit(change, message):
    x = torch.zeros(2, 3)
    arguments = {"rewards": x, "values": x, "mask": x, **change}
    with pytest.raises(ValueError, match=message):
        rl.gae(**arguments)


def test_a_list_is_a_type_error():
    with pytest.raises(TypeError, match="rewards is a list: pass a"):
        rl.gae([[1.0]], torch.zeros(1, 1), torch.ones(1, 1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"policy_lam": 1.5}, "policy_lam is 1.5"),
        ({"critic_lam": -1.0}, "critic_lam is -1.0"),
        ({"critic_lam": torch.tensor([0.5, NAN])}, "critic_lam holds nan"),
        ({"gamma": 2.0}, "gamma is 2.0"),
    ],
)
def test_errors_of_decoupled_gae(change, message):
    x = torch.zeros(2, 3)
    with pytest.raises(ValueError, match=message):
        decoupled_gae(x, x, x, **{"policy_lam": 0.9, **change})


def test_errors_of_length_adaptive_lambda():
    with pytest.raises(ValueError, match="alpha is 0.0, expected > 0"):
        length_adaptive_lambda(torch.ones(1, 2), alpha=0.0)
    with pytest.raises(ValueError, match=r"mask has shape \[2\], expected \[B, T\]"):
        length_adaptive_lambda(torch.ones(2))
    with pytest.raises(TypeError, match="mask is a list: pass a"):
        length_adaptive_lambda([[1]])
