import itertools
import math
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rlrewards import objectives as rl
from rlrewards.objectives.advantages import (
    gpg,
    informative,
    normalize_then_sum,
    opo,
    pass_at_k,
    remax,
)
from rlrewards.objectives.moments import combine_moments, moments

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


class TestGroupedAdvantages:
    """Each against its definition, one group at a time in Python floats."""

    @staticmethod
    def batches():
        rng = random.Random(0)
        for _ in range(60):
            size = rng.randint(0, 14)
            rewards = [rng.choice([NAN, 0.0, 1.0, rng.gauss(0, 1)]) for _ in range(size)]
            yield rewards, [rng.randint(0, 3) for _ in range(size)], rng

    @staticmethod
    def others(rewards, group, i):
        return [
            j
            for j in range(len(rewards))
            if group[j] == group[i] and j != i and not math.isnan(rewards[j])
        ]

    @staticmethod
    def check(got, want):
        torch.testing.assert_close(
            got, torch.tensor(want, dtype=torch.float64), rtol=1e-12, atol=1e-13
        )

    def test_opo(self):
        for rewards, group, rng in self.batches():
            n = [rng.choice([0, 1, 7, 900]) for _ in rewards]
            want = []
            for i, r in enumerate(rewards):
                members = [*self.others(rewards, group, i), i]
                tokens = sum(n[j] for j in members)
                if math.isnan(r) or tokens == 0:
                    want.append(0.0)
                else:
                    want.append(r - sum(n[j] * rewards[j] for j in members) / tokens)
            tensor = torch.tensor(rewards, dtype=torch.float64)
            lengths = torch.tensor(n, dtype=torch.long)
            self.check(opo(tensor, torch.tensor(group, dtype=torch.long), lengths), want)

    def test_pass_at_k(self):
        for rewards, group, _ in self.batches():
            want, scaled = [], []
            for i, r in enumerate(rewards):
                others = [rewards[j] for j in self.others(rewards, group, i)]
                alone = math.isnan(r) or not others
                want.append(0.0 if alone else max([r, *others]) - max(others))
                s = 1.0 if alone else np.std([r, *others], ddof=1)
                scaled.append(want[-1] / (s + 1e-2))
            tensor = torch.tensor(rewards, dtype=torch.float64)
            self.check(pass_at_k(tensor, group), want)
            self.check(pass_at_k(tensor, group, scale="std", eps=1e-2), scaled)

    def test_gpg(self):
        for rewards, group, _ in self.batches():
            known = [i for i, r in enumerate(rewards) if not math.isnan(r)]
            groups = {g: {rewards[i] for i in known if group[i] == g} for g in group}
            idle = sum(len(groups[group[i]]) == 1 for i in known)
            centred = by_definition(rewards, group, "none", 0.0)
            alpha = len(known) / (len(known) - idle) if len(known) > idle else 0.0
            tensor = torch.tensor(rewards, dtype=torch.float64)
            self.check(gpg(tensor, group, scale=2.0), [alpha * a / 2 for a in centred])

    def test_informative(self):
        for rewards, group, _ in self.batches():
            seen = {g: set() for g in group}
            for r, g in zip(rewards, group, strict=True):
                if not math.isnan(r):
                    seen[g].add(r)
            got = informative(torch.tensor(rewards, dtype=torch.float64), group)
            assert got.tolist() == [len(seen[g]) > 1 for g in group]


def test_remax_by_hand():
    got = remax(torch.tensor([1.0, 0.0, NAN, 1.0]), torch.tensor([0.5, 0.5, 0.5, NAN]))
    assert got.tolist() == [0.5, -0.5, 0.0, 0.0]
    assert remax(torch.tensor([True, False]), torch.tensor([1, 1])).tolist() == [0, -1]


def test_opo_by_hand():
    # baseline (10·1 + 30·0 + 60·.5) / 100 = .4
    rewards, lengths = torch.tensor([1.0, 0.0, 0.5, NAN]), torch.tensor([10, 30, 60, 10_000])
    want = torch.tensor([0.6, -0.4, 0.1, 0.0])
    torch.testing.assert_close(opo(rewards, [0, 0, 0, 0], lengths), want)


def test_opo_of_equal_lengths_is_the_deviation_from_the_mean():
    rewards, group = torch.randn(9, dtype=torch.float64), [0, 1, 2] * 3
    torch.testing.assert_close(
        opo(rewards, group, torch.full((9,), 17)), rl.group_relative(rewards, group, scale="none")
    )


def test_opo_of_a_group_without_tokens():
    got = opo(torch.tensor([1.0, 0.0, 1.0, 0.0]), [0, 0, 1, 1], torch.tensor([0, 0, 0, 5]))
    assert got.tolist() == [0, 0, 1, 0]


def test_pass_at_k_by_hand():
    rewards = torch.tensor([0.25, 1.0, 0.5, 1.0, 1.0, 0.0, 7.0, NAN])
    group = [0, 0, 0, 1, 1, 1, 2, 2]
    assert pass_at_k(rewards, group).tolist() == [0, 0.5, 0, 0, 0, 0, 0, 0]
    # std of the first group: mean 7/12, squares 1/9 + 25/144 + 1/144 = 42/144, over 2
    s = math.sqrt(21 / 144)
    got = pass_at_k(rewards, group, scale="std", eps=0.0)
    torch.testing.assert_close(got[:3], torch.tensor([0, 0.5 / s, 0]))
    assert not got[3:].any()


def test_pass_at_k_of_zeros_and_ones_rewards_a_lone_success():
    assert pass_at_k(torch.tensor([0, 0, 1, 0]), [5] * 4).tolist() == [0, 0, 1, 0]
    assert not pass_at_k(torch.tensor([0, 1, 1, 0]), [5] * 4).any()


def test_gpg_by_hand():
    # Six known rewards, two of them in an idle group and one alone: alpha = 6/3.
    rewards = torch.tensor([1.0, 0.0, 0.5, 1.0, 1.0, 9.0, NAN])
    group = [0, 0, 0, 1, 1, 2, 0]
    assert gpg(rewards, group).tolist() == [1, -1, 0, 0, 0, 0, 0]
    assert gpg(rewards, group, scale=4.0).tolist() == [0.25, -0.25, 0, 0, 0, 0, 0]
    assert not gpg(torch.ones(4), [0, 0, 1, 1]).any()


def test_gpg_of_parts_with_the_share_of_the_whole():
    torch.manual_seed(0)
    rewards = torch.tensor([1.0, 0, 1, 1, NAN, 0, 0.5, 2, 2, 2], dtype=torch.float64)
    group = torch.tensor([0, 0, 1, 1, 0, 2, 2, 3, 3, 3])
    share = informative(rewards, group)[~rewards.isnan()].double().mean()
    whole = gpg(rewards, group)
    for part in (group < 1, (group == 1) | (group == 2), group > 2):
        for known_share in (share, share.item(), share.float().double()):
            got = gpg(rewards[part], group[part], informative_share=known_share)
            torch.testing.assert_close(got, whole[part], rtol=1e-7, atol=0)


def test_batch_scale_of_parts_with_the_moments_of_the_whole():
    torch.manual_seed(0)
    rewards = torch.randn(12, dtype=torch.float64)
    rewards[3] = NAN
    group = torch.arange(12) % 4
    whole = rl.group_relative(rewards, group, scale="batch")
    parts = [group < 1, (group == 1) | (group == 2), group > 2]
    shared = combine_moments([moments(rewards[p], ~rewards[p].isnan()) for p in parts])
    for p in parts:
        got = rl.group_relative(rewards[p], group[p], scale="batch", moments=shared)
        torch.testing.assert_close(got, whole[p], rtol=1e-10, atol=0)


def gdpo(rewards, group, weights, eps, lengths=None):
    """GDPO by definition, a column and a group at a time; ``lengths`` repeats each completion."""
    columns = np.stack([by_definition(c, group, "std", eps) for c in zip(*rewards, strict=True)], 1)
    summed = (columns * np.array(weights)).sum(1)
    known = ~np.isnan(np.array(rewards)).all(1)
    n = np.ones(len(group), dtype=int) if lengths is None else np.array(lengths)
    tokens = np.repeat(summed[known], n[known])
    s = np.std(tokens, ddof=1) if len(tokens) > 1 else 0.0
    return np.where(known, (summed - tokens.mean()) / (s + eps), 0.0)


def test_normalize_then_sum_by_hand():
    # Columns over their std (sqrt(1/3) and 400, eps 0): a = s·(2/3, -1/3, -1/3) + (1, -1, 0), s = √3
    rewards = torch.tensor([[1.0, 900.0], [0.0, 100.0], [0.0, 500.0]], dtype=torch.float64)
    s = math.sqrt(3)
    a = [2 * s / 3 + 1, -s / 3 - 1, -s / 3]  # their mean is 0
    std = math.sqrt(sum(x * x for x in a) / 2)
    got = normalize_then_sum(rewards, [0, 0, 0], eps=0.0)
    assert got.tolist() == pytest.approx([x / std for x in a], rel=1e-12)
    raw = normalize_then_sum(rewards, [0, 0, 0], eps=0.0, whitened=False)
    assert raw.tolist() == pytest.approx(a, rel=1e-12)
    one = normalize_then_sum(rewards, [0, 0, 0], eps=0.0, weights=[0.0, 3.0])
    assert one.tolist() == pytest.approx([1, -1, 0], rel=1e-12)


@pytest.mark.parametrize("with_lengths", [False, True])
@pytest.mark.parametrize("weights", [None, (0.3, 2.0, 1.0)])
def test_normalize_then_sum_is_its_definition(weights, with_lengths):
    rng = random.Random(2)
    for _ in range(40):
        size = rng.randint(2, 12)
        rewards = [
            [rng.choice([NAN, 0.0, 1.0, rng.gauss(0, 5)]) for _ in range(3)] for _ in range(size)
        ]
        rewards[0] = [1.0, 2.0, 3.0]
        group = [rng.randint(0, 2) for _ in range(size)]
        lengths = [rng.randint(1, 9) for _ in range(size)] if with_lengths else None
        want = gdpo(rewards, group, weights or (1, 1, 1), 1e-3, lengths)
        got = normalize_then_sum(
            torch.tensor(rewards, dtype=torch.float64),
            group,
            weights=weights,
            eps=1e-3,
            lengths=torch.tensor(lengths) if with_lengths else None,
        )
        # 1e-9: over completions the mean is 0 but for rounding, which a std near 0 and eps enlarge
        torch.testing.assert_close(got, torch.from_numpy(want), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("with_lengths", [False, True])
def test_normalize_then_sum_of_parts_with_the_moments_of_the_whole(with_lengths):
    torch.manual_seed(0)
    rewards, group = torch.randn(12, 2, dtype=torch.float64), torch.arange(12) % 4
    rewards[2, 1] = rewards[5] = NAN
    n = torch.randint(1, 50, (12,))
    mask = torch.arange(50) < n.unsqueeze(1)
    rows = ~rewards.isnan().all(1)
    parts = [group < 1, (group == 1) | (group == 2), group > 2]

    def counted(p):
        sums = normalize_then_sum(rewards[p], group[p], whitened=False)
        if not with_lengths:
            return moments(sums, rows[p])
        return moments(sums.unsqueeze(1).expand(-1, 50), mask[p] & rows[p].unsqueeze(1))

    def tokens(p):
        return n[p] if with_lengths else None

    everything = torch.ones(12, dtype=torch.bool)
    whole = normalize_then_sum(rewards, group, lengths=tokens(everything))
    shared = combine_moments([counted(p) for p in parts])
    for p in parts:
        got = normalize_then_sum(rewards[p], group[p], lengths=tokens(p), moments=shared)
        torch.testing.assert_close(got, whole[p], rtol=1e-10, atol=1e-14)


def test_normalize_then_sum_leaves_out_what_is_not_known():
    rewards = torch.tensor([[1.0, NAN], [0.0, 5.0], [NAN, 7.0], [NAN, NAN]], dtype=torch.float64)
    h = math.sqrt(0.5)  # each column: two rewards, so ±√½ at eps 0
    raw = normalize_then_sum(rewards, [0] * 4, eps=0.0, whitened=False)
    assert raw.tolist() == pytest.approx([h, -2 * h, h, 0], abs=1e-15)
    # mean 0 over three, squares 3: std √1.5
    got = normalize_then_sum(rewards, [0] * 4, eps=0.0)
    assert got.tolist() == pytest.approx([h / 1.5**0.5, -2 * h / 1.5**0.5, h / 1.5**0.5, 0])
    assert got[3] == 0
    without = normalize_then_sum(rewards[:3], [0] * 3, eps=0.0)
    assert torch.equal(got[:3], without)


@pytest.mark.parametrize("lengths", [[0, 0, 0], [0, 1, 0]])
def test_normalize_then_sum_over_no_token_or_one_is_finite(lengths):
    rewards = torch.tensor([[1.0], [0.0], [3.0]])
    assert normalize_then_sum(rewards, [0, 0, 0], lengths=torch.tensor(lengths)).isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1, 3, 8])
def test_identical_rewards_give_exactly_zero_everywhere(size, dtype):
    """A group of 0.1, whose sum rounds, beside one that differs: exactly 0 with eps 0 too."""
    rewards = torch.cat([torch.full((size,), 0.1), torch.tensor([0.3, 0.7, -1.3])]).to(dtype)
    group = torch.tensor([0] * size + [1, 1, 1])
    n = torch.arange(size + 3) + 1
    both = rewards.unsqueeze(1).expand(-1, 2)
    for got in (
        opo(rewards, group, n),
        pass_at_k(rewards, group, scale="std", eps=0.0),
        gpg(rewards, group),
        normalize_then_sum(both, group, eps=0.0),
        remax(rewards, rewards),
    ):
        assert not got[:size].any()
        assert got.isfinite().all()
        assert got.dtype == dtype


PIECES = {
    "group_relative": lambda r, g: rl.group_relative(r, g),
    "batch": lambda r, g: rl.group_relative(r, g, scale="batch"),
    "leave_one_out": rl.leave_one_out,
    "remax": lambda r, g: remax(r, r.flip(0)),
    "opo": lambda r, g: opo(r, g, torch.ones_like(r)),
    "pass_at_k": pass_at_k,
    "gpg": gpg,
    "normalize_then_sum": lambda r, g: normalize_then_sum(torch.stack([r, r * r], 1), g),
    "by_tokens": lambda r, g: normalize_then_sum(torch.stack([r, r], 1), g, lengths=r.abs()),
}


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES)
class TestLaws:
    def test_constant_and_at_least_float32(self, piece):
        group = torch.tensor([0, 0, 1, 1])
        for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
            rewards = torch.tensor([1.0, 0.5, 0.25, 2.0]).to(dtype).requires_grad_()
            got = piece(rewards, group)
            assert not got.requires_grad
            wide = dtype if dtype == torch.float64 else torch.float32
            assert got.dtype == wide
            assert torch.equal(got, piece(rewards.to(wide), group))

    def test_an_empty_batch(self, piece):
        assert piece(torch.zeros(0), torch.zeros(0, dtype=torch.long)).shape == (0,)

    def test_only_nan(self, piece):
        assert not piece(torch.full((4,), NAN), torch.tensor([0, 0, 0, 1])).any()

    def test_the_input_is_left_alone(self, piece):
        rewards, group = torch.tensor([1.0, NAN, 0.0]), torch.tensor([3, 3, 3])
        before = rewards.clone(), group.clone()
        piece(rewards, group)
        assert torch.equal(rewards.nan_to_num(-5), before[0].nan_to_num(-5))
        assert torch.equal(group, before[1])

    def test_runs_without_reading_the_device_and_under_compile(self, piece):
        """A tensor on ``meta`` has no values: whatever asked for one would raise."""
        ids = torch.zeros(4, dtype=torch.long, device="meta")
        assert piece(torch.zeros(4, device="meta"), ids).shape == (4,)
        torch.compiler.reset()
        rewards, group = torch.tensor([1.0, 0.5, NAN, 2.0]), torch.tensor([0, 0, 1, 0])
        compiled = torch.compile(piece, backend="eager", fullgraph=True)
        assert torch.equal(compiled(rewards, group), piece(rewards, group))


@pytest.mark.parametrize("ids", [[-(2**62), 2**62, 5], [7, -1, 0]])
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int16, torch.uint8, torch.bool])
def test_group_ids_may_be_any_integers(ids, dtype):
    group = torch.tensor([ids[i] for i in (0, 1, 1, 2, 0, 2, 1)]).to(dtype)
    rewards = torch.tensor([1.0, 2, 4, 0, 3, 5, 9])
    want = rl.group_relative(rewards, group.tolist(), scale="none")
    assert torch.equal(rl.group_relative(rewards, group, scale="none"), want)
    strided = torch.stack([group, group], 1)[:, 0]
    assert torch.equal(rl.group_relative(rewards, strided, scale="none"), want)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda r: rl.group_relative(r, [0, 0], moments=moments(r, r)),
            "moments are of the batch and scale is 'std': pass scale=\"batch\"",
        ),
        (
            lambda r: remax(r, torch.ones(3)),
            r"greedy_rewards has shape \[3\] but rewards has \[2\]",
        ),
        (lambda r: remax(r.unsqueeze(1), r), r"rewards has shape \[2, 1\], expected \[B\]"),
        (
            lambda r: opo(r, [0, 0], torch.ones(3)),
            r"lengths has shape \[3\], expected one number of tokens per completion, \[2\]",
        ),
        (lambda r: pass_at_k(r, [0, 0], scale="batch"), "scale is 'batch', expected"),
        (lambda r: pass_at_k(r, [0, 0], eps=-1.0), "eps is -1.0, expected ≥ 0"),
        (lambda r: gpg(r, [0, 0], scale=0.0), "scale is 0.0, expected the F of the formula"),
        (
            lambda r: gpg(r, [0, 0], informative_share=1.5),
            r"informative_share is 1.5, expected in \[0, 1\]",
        ),
        (
            lambda r: gpg(r, [0, 0], informative_share=r),
            r"informative_share has shape \[2\], expected a scalar",
        ),
        (
            lambda r: normalize_then_sum(r, [0, 0]),
            r"rewards has shape \[2\], expected \[B, R\], a column for each kind",
        ),
        (
            lambda r: normalize_then_sum(torch.ones(2, 3), [0, 0], weights=[1.0]),
            r"weights has shape \[1\], expected one per column of rewards, \[3\]",
        ),
        (
            lambda r: normalize_then_sum(torch.ones(2, 3), [0]),
            r"group has shape \[1\], expected one id per reward, \[2\]",
        ),
        (lambda r: informative(r.cfloat(), [0, 0]), "rewards has dtype torch.complex64"),
    ],
)
def test_errors_of_the_other_pieces(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.ones(2))


def test_a_list_is_a_type_error():
    with pytest.raises(TypeError, match="lengths is a list: pass a torch.Tensor of tokens"):
        opo(torch.ones(2), [0, 0], [1, 1])
    with pytest.raises(TypeError, match="rewards is a list: pass a torch.Tensor"):
        rl.leave_one_out([1.0], [0])


@pytest.mark.parametrize(
    ("group", "message"),
    [
        (None, "group is a NoneType: pass one id per reward"),
        (list(torch.tensor([4, 4])), "group is a sequence of tensors: pass one integer tensor"),
    ],
)
def test_ids_that_could_not_be_compared(group, message):
    """Tensors hash by identity: every completion would be alone, and every advantage 0."""
    with pytest.raises(TypeError, match=message):
        rl.group_relative(torch.ones(2), group)
