# ruff: noqa: N803, N806  (names as in the formulas: B, T, G)
import math
import random

import pytest
import torch

from rlrewards.objectives.moments import combine_moments, moments, whiten
from rlrewards.objectives.token_advantages import (
    reinforce_pp,
    reinforce_pp_baseline,
    reward_at_end,
)

NAN, INF = math.nan, math.inf


def token_rewards(rewards, mask, kl, beta):
    """The definition, one token at a time, in Python floats."""
    out = []
    for r, row, penalty in zip(rewards, mask, kl, strict=True):
        valid = [t for t, m in enumerate(row) if m]
        tokens = [-beta * penalty[t] if row[t] else 0.0 for t in range(len(row))]
        if valid:
            tokens[valid[-1]] += r
        out.append(tokens)
    return out


def returns_to_go(tokens, mask, gamma):
    out = []
    for row, valid in zip(tokens, mask, strict=True):
        G, sums = 0.0, [0.0] * len(row)
        for t in reversed(range(len(row))):
            if valid[t]:
                sums[t] = G = row[t] + gamma * G
        out.append(sums)
    return out


def whitened(x, mask):
    """Over all valid cells with the sample variance, in Python floats."""
    kept = [
        v for row, valid in zip(x, mask, strict=True) for v, m in zip(row, valid, strict=True) if m
    ]
    mean = math.fsum(kept) / max(len(kept), 1)
    variance = math.fsum((v - mean) ** 2 for v in kept) / (len(kept) - 1) if len(kept) > 1 else 0.0
    return [
        [
            (v - mean) / math.sqrt(variance + 1e-8) if m else 0.0
            for v, m in zip(row, valid, strict=True)
        ]
        for row, valid in zip(x, mask, strict=True)
    ]


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


def batch(B, T, seed=0, dtype=torch.float64):
    torch.manual_seed(seed)
    return torch.randn(B, dtype=dtype), torch.randn(B, T, dtype=dtype)


def as_tensor(rows, shape):
    return torch.tensor(rows, dtype=torch.float64).reshape(shape)


class TestRewardAtEnd:
    def test_by_hand(self):
        # Rows: right padding, a hole, left padding, nothing valid. kl 1, 2, 3 and beta .5.
        mask = torch.tensor([[1, 1, 0], [1, 0, 1], [0, 1, 0], [0, 0, 0]])
        kl = torch.tensor([1.0, 2.0, 3.0]).expand(4, 3).masked_fill(mask == 0, NAN)
        rewards = torch.tensor([10.0, 20.0, 30.0, NAN])
        plain = reward_at_end(rewards, mask)
        assert plain.tolist() == [[0, 10, 0], [0, 0, 20], [0, 30, 0], [0, 0, 0]]
        got = reward_at_end(rewards, mask, kl=kl, beta=0.5)
        assert got.tolist() == [[-0.5, 9, 0], [-0.5, 0, 18.5], [0, 29, 0], [0, 0, 0]]

    def test_matches_the_definition(self):
        rewards, kl = batch(6, 9)
        for mask in masks(6, 9).values():
            want = token_rewards(rewards.tolist(), mask.tolist(), kl.tolist(), 0.3)
            got = reward_at_end(rewards, mask, kl=kl, beta=0.3)
            torch.testing.assert_close(got, as_tensor(want, (6, 9)), rtol=1e-15, atol=0)

    def test_without_beta_the_penalty_is_not_looked_at(self):
        mask = torch.ones(2, 3)
        got = reward_at_end(torch.tensor([1, 0]), mask, kl=torch.full((2, 3), NAN))
        assert got.tolist() == [[0, 0, 1], [0, 0, 0]]

    def test_a_reward_or_penalty_of_nan_shows(self):
        kl = torch.tensor([[0.0, NAN, 0.0], [0.0, 0.0, 0.0]])
        got = reward_at_end(torch.tensor([1.0, NAN]), torch.ones(2, 3), kl=kl, beta=1.0)
        assert got.isnan().tolist() == [[False, True, False], [False, False, True]]


@pytest.mark.parametrize("gamma", [1.0, 0.9, 0.0])
@pytest.mark.parametrize("beta", [0.0, 0.3])
@pytest.mark.parametrize("kind", ["full", "right", "left", "holes", "none"])
def test_reinforce_pp_is_its_definition(kind, beta, gamma):
    for seed, (B, T) in enumerate([(1, 1), (4, 7), (6, 70)]):
        (rewards, kl), mask = batch(B, T, seed), masks(B, T)[kind]
        rows = token_rewards(rewards.tolist(), mask.tolist(), kl.tolist(), beta)
        G = returns_to_go(rows, mask.tolist(), gamma)
        settings = {"kl": kl, "beta": beta, "gamma": gamma}
        raw = reinforce_pp(rewards, mask, **settings, whitened=False)
        torch.testing.assert_close(raw, as_tensor(G, (B, T)), rtol=1e-12, atol=1e-13)
        got = reinforce_pp(rewards, mask, **settings)
        want = as_tensor(whitened(G, mask.tolist()), (B, T))
        # 1e-8 is under the root: where the tokens are all equal, rounding of 1e-17 is worth 1e-13
        torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-12)


def test_reinforce_pp_by_hand():
    # beta .5, kl 1 everywhere. Row 0, tokens -.5, 1.5: G = 1, 1.5. Row 1: -.5 at a lone token.
    # Mean 2/3, squares 1/9 + 25/36 + 49/36 = 78/36, sample variance 39/36
    mask = torch.tensor([[1, 0, 1], [1, 0, 0]])
    rewards, kl = torch.tensor([2.0, 0.0], dtype=torch.float64), torch.ones(2, 3)
    raw = reinforce_pp(rewards, mask, kl=kl, beta=0.5, whitened=False)
    assert raw.tolist() == [[1, 0, 1.5], [-0.5, 0, 0]]
    s = math.sqrt(39 / 36 + 1e-8)
    got = reinforce_pp(rewards, mask, kl=kl, beta=0.5)
    want = [[1 / 3 / s, 0, 5 / 6 / s], [-7 / 6 / s, 0, 0]]
    torch.testing.assert_close(got, torch.tensor(want, dtype=torch.float64))


def test_a_hole_costs_no_discount():
    got = reinforce_pp(
        torch.tensor([8.0]), torch.tensor([[1, 0, 0, 1, 1, 0]]), gamma=0.5, whitened=False
    )
    assert got.tolist() == [[2, 0, 0, 4, 8, 0]]


def test_without_discount_every_token_gets_the_reward_to_the_bit():
    mask = torch.ones(1, 40_000)
    got = reinforce_pp(torch.tensor([0.3]), mask, whitened=False)
    assert torch.equal(got, torch.full((1, 40_000), 0.3))


def test_long_rows_in_float32():
    """131,072 penalties: one float32 rounding of the sum (a float32 loop is off by hundreds)."""
    torch.manual_seed(0)
    kl, mask = torch.randn(1, 131_072), torch.ones(1, 131_072)
    got = reinforce_pp(torch.tensor([1.0]), mask, kl=kl, beta=0.5, whitened=False)
    exact = reinforce_pp(
        torch.tensor([1.0]).double(), mask, kl=kl.double(), beta=0.5, whitened=False
    )
    G = returns_to_go(token_rewards([1.0], mask.tolist(), kl.double().tolist(), 0.5), mask, 1.0)
    torch.testing.assert_close(exact, as_tensor(G, (1, 131_072)), rtol=0, atol=1e-9)
    # Each token is rounded to float32 once, half an ulp of 3, and their errors add like a walk of
    # 131,072 steps: 1e-7 · √131072 ≈ 4e-5. The sum is rounded once more, to 2⁻²⁴ of itself.
    assert (got - exact).abs().max() < 5e-5 + 2**-24 * exact.abs().max()


def test_reinforce_pp_baseline_by_hand():
    # Deviations 1, -1 | 0, 0 on 2, 1, 1, 0 tokens: mean (1 + 1 - 1 + 0)/4 = 1/4,
    # squares 9/16 + 9/16 + 25/16 + 1/16 = 44/16, sample variance 11/12
    mask = torch.tensor([[1, 1], [1, 0], [0, 1], [0, 0]])
    rewards, group = torch.tensor([3.0, 1.0, 0.1, 0.1], dtype=torch.float64), [0, 0, 1, 1]
    raw = reinforce_pp_baseline(rewards, group, mask, whitened=False)
    assert raw.tolist() == [[1, 1], [-1, 0], [0, 0], [0, 0]]
    s = math.sqrt(11 / 12 + 1e-8)
    want = [[0.75 / s, 0.75 / s], [-1.25 / s, 0], [0, -0.25 / s], [0, 0]]
    got = reinforce_pp_baseline(rewards, group, mask)
    torch.testing.assert_close(got, torch.tensor(want, dtype=torch.float64))


def test_reinforce_pp_baseline_is_its_definition():
    rng = random.Random(0)
    for seed in range(20):
        B, T = rng.randint(1, 8), rng.randint(1, 9)
        rewards, _ = batch(B, T, seed)
        group = [rng.randint(0, 2) for _ in range(B)]
        mask = torch.rand(B, T) < 0.6
        r = rewards.tolist()
        own = [[r[j] for j in range(B) if group[j] == g] for g in group]
        deviation = [r[i] - math.fsum(own[i]) / len(own[i]) for i in range(B)]
        rows = [
            [d if m else 0.0 for m in row] for d, row in zip(deviation, mask.tolist(), strict=True)
        ]
        got = reinforce_pp_baseline(rewards, group, mask)
        want = as_tensor(whitened(rows, mask.tolist()), (B, T))
        torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-11)


def test_identical_rewards_throughout_give_exactly_zero():
    for value in (0.1, 1 / 3, -7.7):
        rewards, mask = torch.full((4,), value), masks(4, 9)["right"]
        assert not reinforce_pp_baseline(rewards, [0, 0, 1, 1], mask).any()
        assert not reinforce_pp(rewards, mask).any()


PIECES = {
    "reinforce_pp": lambda r, m, kl, **s: reinforce_pp(r, m, kl=kl, beta=0.1, **s),
    "discounted": lambda r, m, kl, **s: reinforce_pp(r, m, kl=kl, beta=0.1, gamma=0.9, **s),
    "baseline": lambda r, m, kl, **s: reinforce_pp_baseline(r, torch.arange(len(r)) // 2, m, **s),
    "at_end": lambda r, m, kl: reward_at_end(r, m, kl=kl, beta=0.1),
}
WHITENED = {name: piece for name, piece in PIECES.items() if name != "at_end"}


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
@pytest.mark.parametrize("piece", WHITENED.values(), ids=WHITENED)
def test_parts_with_the_moments_of_the_whole_equal_the_whole(piece, dtype, tolerance):
    for seed in range(10):
        rewards, kl = batch(8, 15, seed, dtype)
        rewards[5] = NAN
        mask = masks(8, 15)["holes"]
        mask[2] = False
        whole = piece(rewards, mask, kl)
        parts = [slice(0, 2), slice(2, 4), slice(4, 8)]
        raw = [piece(rewards[p], mask[p], kl[p], whitened=False) for p in parts]
        known = mask & ~rewards.isnan().unsqueeze(1)
        shared = combine_moments([moments(x, known[p]) for x, p in zip(raw, parts, strict=True)])
        for p in parts:
            got = piece(rewards[p], mask[p], kl[p], moments=shared)
            torch.testing.assert_close(got, whole[p], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("piece", WHITENED.values(), ids=WHITENED)
def test_a_nan_reward_takes_no_part(piece):
    rewards, kl = batch(5, 8)
    mask = masks(5, 8)["holes"]
    absent = mask.clone()
    absent[3] = False
    want = piece(rewards, absent, kl)
    if piece is PIECES["baseline"]:  # its group's mean is over the other one, which is alone then
        absent[2] = mask[2]
        rewards[3] = rewards[2]
        want = piece(rewards, absent, kl)
    rewards[3] = NAN
    assert torch.equal(piece(rewards, mask, kl), want)


@pytest.mark.parametrize("name", ["reinforce_pp", "discounted"])
def test_a_valid_nan_is_not_hidden(name):
    rewards, kl = batch(3, 6)
    kl[1, 2] = NAN
    assert PIECES[name](rewards, torch.ones(3, 6), kl).isnan().all()
    raw = PIECES[name](rewards, torch.ones(3, 6), kl, whitened=False)
    assert raw[1, :3].isnan().all()
    assert raw[[0, 2]].isfinite().all()


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES)
class TestLaws:
    @pytest.mark.parametrize("junk", [0.0, 7.0, NAN, INF, -INF])
    @pytest.mark.parametrize("kind", ["full", "right", "left", "holes"])
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_padding_changes_no_bit(self, piece, dtype, kind, junk):
        B, T = 5, 70
        rewards, kl = batch(B, T, dtype=dtype)
        mask = masks(B, T)[kind]
        wide_mask = torch.cat([mask, torch.zeros(B, 11, dtype=torch.bool)], 1)
        fill = torch.full((B, 11), junk, dtype=dtype)
        wide = piece(rewards, wide_mask, torch.cat([kl.masked_fill(~mask, junk), fill], 1))
        assert torch.equal(wide[:, :T], piece(rewards, mask, kl))
        assert not wide[~wide_mask].any()

    @pytest.mark.parametrize("shape", [(0, 0), (0, 4), (4, 0), (2, 3)])
    def test_nothing_valid(self, piece, shape):
        got = piece(torch.full(shape[:1], NAN), torch.zeros(shape), torch.full(shape, NAN))
        assert got.shape == shape
        assert not got.any()

    def test_constants_in_float32_at_least(self, piece):
        mask = torch.ones(2, 3)
        rewards, kl = batch(2, 3, dtype=torch.float32)
        for dtype in (torch.float16, torch.bfloat16, torch.float32):
            r, k = rewards.to(dtype).requires_grad_(), kl.to(dtype).requires_grad_()
            got = piece(r, mask, k)
            assert not got.requires_grad
            assert got.dtype == torch.float32
            assert torch.equal(got, piece(r.float(), mask, k.float()))
        assert piece(rewards.double(), mask, kl.double()).dtype == torch.float64
        assert piece(torch.tensor([1, 0]), mask, kl).dtype == torch.float32

    def test_masks_of_any_dtype_and_inputs_left_alone(self, piece):
        rewards, kl = batch(4, 6)
        mask = masks(4, 6)["holes"]
        before = rewards.clone(), kl.clone(), mask.clone()
        want = piece(rewards, mask, kl)
        for dtype in (torch.uint8, torch.int64, torch.float32):
            assert torch.equal(piece(rewards, mask.to(dtype), kl), want)
        for x, y in zip((rewards, kl, mask), before, strict=True):
            assert torch.equal(x, y)


@pytest.mark.parametrize("name", ["reinforce_pp", "baseline", "at_end"])
def test_runs_without_reading_the_device_and_under_compile(name):
    """A tensor on ``meta`` has no values: whatever asked for one would raise."""

    def piece(r, m, kl, group):
        if name == "baseline":
            return reinforce_pp_baseline(r, group, m)
        return PIECES[name](r, m, kl)

    x = torch.empty(4, 3, device="meta")
    assert piece(x[:, 0], x, x, torch.zeros(4, dtype=torch.long, device="meta")).shape == (4, 3)
    torch.compiler.reset()
    (rewards, kl), mask, group = batch(4, 6), masks(4, 6)["holes"], torch.tensor([0, 0, 1, 1])
    compiled = torch.compile(piece, backend="eager", fullgraph=True)
    assert torch.equal(compiled(rewards, mask, kl, group), piece(rewards, mask, kl, group))


def test_another_ddof_by_hand_over_the_returns():
    rewards, mask = torch.tensor([1.0, 0.0]), torch.tensor([[1, 1], [1, 0]])
    G = reinforce_pp(rewards, mask, whitened=False)
    # 1, 1, 0: mean 2/3, variance with ddof 0: 2/9
    s = math.sqrt(2) / 3
    got = whiten(G, mask, ddof=0)
    torch.testing.assert_close(got, torch.tensor([[1 / 3 / s, 1 / 3 / s], [-2 / 3 / s, 0]]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rewards": torch.ones(2, 1)}, r"rewards has shape \[2, 1\], expected \[B\]"),
        ({"mask": torch.ones(3, 3)}, r"mask has shape \[3, 3\], expected \[B, T\] with B = 2"),
        ({"mask": torch.ones(2)}, r"mask has shape \[2\], expected \[B, T\]"),
        ({"kl": torch.ones(2, 4)}, r"kl has shape \[2, 4\] but mask has \[2, 3\]"),
        ({"kl": torch.ones(2, 3).int()}, "kl has dtype torch.int32"),
        ({"kl": None}, "beta is 0.5 but kl is missing: pass kl=k1"),
        ({"beta": -0.1}, "beta is -0.1, expected ≥ 0"),
        ({"gamma": 1.5}, r"gamma is 1.5, expected in \[0, 1\]"),
    ],
)
def test_errors_name_the_culprit(change, message):
    full = torch.ones(2, 3)
    given = {"rewards": torch.ones(2), "mask": full, "kl": full, "beta": 0.5, **change}
    with pytest.raises(ValueError, match=message):
        reinforce_pp(**given)
    if "gamma" not in change:
        with pytest.raises(ValueError, match=message):
            reward_at_end(**given)


def test_errors_of_the_baseline():
    with pytest.raises(ValueError, match=r"mask has shape \[3, 3\], expected \[B, T\] with B = 2"):
        reinforce_pp_baseline(torch.ones(2), [0, 0], torch.ones(3, 3))
    with pytest.raises(ValueError, match=r"group has shape \[1\], expected one id per reward"):
        reinforce_pp_baseline(torch.ones(2), [0], torch.ones(2, 3))
    with pytest.raises(TypeError, match="mask is a list: pass a torch.Tensor"):
        reinforce_pp_baseline(torch.ones(1), [0], [[1]])
