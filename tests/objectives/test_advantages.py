import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rlrewards import objectives as rl

NAN = math.nan


def by_definition(rewards, group, scale, eps):
    """With NumPy, one group at a time, in float64."""
    rewards = np.asarray(rewards, dtype=np.float64)
    known = ~np.isnan(rewards)
    out = np.zeros(len(rewards))
    batch_std = np.std(rewards[known], ddof=1) if known.sum() > 1 else 0.0
    for g in set(group):
        members = np.array([h == g for h in group]) & known
        r = rewards[members]
        if len(r) < 2 or r.max() == r.min():
            continue
        s = {"std": np.std(r, ddof=1), "batch": batch_std, "none": 1.0}[scale]
        out[members] = (r - r.mean()) / (s if scale == "none" else s + eps)
    return out


def test_two_groups_by_hand():
    rewards = torch.tensor([1.0, 0.0, 2.0, 6.0, 4.0])
    group = torch.tensor([9, 9, -3, -3, -3])
    # means .5 and 4; sample std sqrt(.5) and 2
    r2 = 0.5 / (math.sqrt(0.5) + 1e-4)
    want = torch.tensor([r2, -r2, -2 / 2.0001, 2 / 2.0001, 0.0])
    torch.testing.assert_close(rl.group_relative(rewards, group), want)
    assert rl.group_relative(rewards, group, scale="none").tolist() == [0.5, -0.5, -2, 2, 0]
    assert rl.leave_one_out(rewards, group).tolist() == [1, -1, -3, 3, 0]


def test_batch_scale_by_hand():
    # All five: mean 2.6, sum of squares 57 - 5*6.76 = 23.2, sample variance 5.8
    rewards = torch.tensor([1.0, 0.0, 2.0, 6.0, 4.0])
    got = rl.group_relative(rewards, [0, 0, 1, 1, 1], scale="batch", eps=0.0)
    torch.testing.assert_close(got, torch.tensor([0.5, -0.5, -2, 2, 0]) / math.sqrt(5.8))


def test_nan_takes_no_part():
    rewards = torch.tensor([1.0, NAN, 0.0, NAN, NAN])
    group = ["a", "a", "a", "b", "b"]
    assert rl.group_relative(rewards, group, scale="none").tolist() == [0.5, 0, -0.5, 0, 0]
    assert rl.leave_one_out(rewards, group).tolist() == [1, 0, -1, 0, 0]


@pytest.mark.parametrize("value", [0.1, 0.3, 1 / 3, -7.7, 1e-30, 123456.7])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 64])
@pytest.mark.parametrize("scale", ["std", "none", "batch"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_identical_rewards_give_exactly_zero(value, size, scale, dtype):
    rewards = torch.full((size,), value, dtype=dtype)
    group = torch.zeros(size, dtype=torch.long)
    for eps in (1e-4, 0.0):
        assert not rl.group_relative(rewards, group, scale=scale, eps=eps).any()
    assert not rl.leave_one_out(rewards, group).any()


def test_identical_groups_beside_varied_ones():
    rewards = torch.tensor([0.1, 0.1, 0.1, 1.0, 0.0, 0.7])
    got = rl.group_relative(rewards, [0, 0, 0, 1, 1, 2], eps=0.0)
    assert got[:3].tolist() == [0, 0, 0]
    assert got[5] == 0
    torch.testing.assert_close(got[3:5], torch.tensor([1.0, -1.0]) * math.sqrt(0.5))


numbers = st.one_of(
    st.just(NAN), st.sampled_from([0.0, 1.0]), st.floats(-100, 100, width=32, allow_subnormal=False)
)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(numbers, st.integers(-2, 2)), max_size=20), st.randoms())
def test_ragged_groups_in_any_order(rows, rng):
    rng.shuffle(rows)
    rewards, group = [r for r, _ in rows], [g for _, g in rows]
    tensor = torch.tensor(rewards, dtype=torch.float64)
    for scale in ("std", "none", "batch"):
        want = torch.from_numpy(by_definition(rewards, group, scale, 1e-2))
        got = rl.group_relative(
            tensor, torch.tensor(group, dtype=torch.long), scale=scale, eps=1e-2
        )
        torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-9)
        assert torch.equal(got, rl.group_relative(tensor, group, scale=scale, eps=1e-2))
        names = [f"prompt {g}" for g in group]
        again = rl.group_relative(tensor, names, scale=scale, eps=1e-2)
        torch.testing.assert_close(again, got, rtol=1e-9, atol=1e-9)


def test_leave_one_out_is_the_reward_less_the_mean_of_the_others():
    torch.manual_seed(0)
    rewards = torch.randn(12, dtype=torch.float64)
    group = [0, 1, 0, 2, 1, 0, 0, 2, 2, 2, 1, 3]
    want = []
    for i, g in enumerate(group):
        others = [rewards[j].item() for j, h in enumerate(group) if h == g and j != i]
        want.append(rewards[i].item() - sum(others) / len(others) if others else 0.0)
    torch.testing.assert_close(
        rl.leave_one_out(rewards, group), torch.tensor(want, dtype=torch.float64)
    )


def test_order_of_the_batch_does_not_matter():
    torch.manual_seed(0)
    rewards, group = torch.randn(24), torch.arange(24) % 5
    whole = rl.group_relative(rewards, group)
    for seed in range(5):
        torch.manual_seed(seed)
        order = torch.randperm(24)
        assert torch.equal(rl.group_relative(rewards[order], group[order]), whole[order])


def test_dtypes():
    group = torch.tensor([0, 0, 0])
    for kind in (torch.bool, torch.int64, torch.float16, torch.bfloat16, torch.float32):
        rewards = torch.tensor([1, 0, 0]).to(kind)
        assert rl.group_relative(rewards, group).dtype == torch.float32
    assert rl.group_relative(torch.rand(3).double(), group).dtype == torch.float64


def test_no_gradient_flows():
    rewards = torch.rand(4, requires_grad=True)
    assert not rl.group_relative(rewards, [0, 0, 1, 1]).requires_grad
    assert not rl.leave_one_out(rewards, [0, 0, 1, 1]).requires_grad


def test_empty_batch():
    assert rl.group_relative(torch.zeros(0), []).shape == (0,)
    assert rl.leave_one_out(torch.zeros(0), torch.zeros(0, dtype=torch.long)).shape == (0,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rewards": torch.zeros(2, 2)}, r"rewards has shape \[2, 2\], expected \[B\]"),
        ({"group": [1]}, r"group has shape \[1\], expected one id per reward, \[2\]"),
        ({"group": torch.zeros(2)}, "group has dtype torch.float32, expected integer ids"),
        ({"scale": "max"}, "scale is 'max', expected"),
        ({"eps": -1.0}, "eps is -1.0, expected ≥ 0"),
    ],
)
def test_errors_name_the_culprit(arguments, message):
    with pytest.raises(ValueError, match=message):
        rl.group_relative(**{"rewards": torch.zeros(2), "group": [0, 0], **arguments})


def test_whiten_by_hand():
    # 1, 2, 6: mean 3, sum of squares 4 + 1 + 9 = 14, sample variance 7
    x, mask = torch.tensor([[1.0, NAN], [2.0, 6.0]]), torch.tensor([[1, 0], [1, 1]])
    s = math.sqrt(7)
    torch.testing.assert_close(rl.whiten(x, mask), torch.tensor([[-2 / s, 0], [-1 / s, 3 / s]]))
    kept = rl.whiten(x, mask, shift_mean=False)
    torch.testing.assert_close(kept, torch.tensor([[3 - 2 / s, 0], [3 - 1 / s, 3 + 3 / s]]))


def test_whiten_without_variance():
    for x, mask in itertools.product(
        [torch.full((2, 3), 0.1)], [torch.ones(2, 3), torch.tensor([[1, 0, 0], [0, 0, 0]])]
    ):
        assert not rl.whiten(x, mask).any()
    assert not rl.whiten(torch.full((2, 3), NAN), torch.zeros(2, 3)).any()
