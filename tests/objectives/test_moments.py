# ruff: noqa: N803  (names as in the formulas: B, T)
import math
import random
from fractions import Fraction

import pytest
import torch

from rlrewards.objectives.moments import Moments, combine_moments, moments, whiten

NAN, INF = math.nan, math.inf


def exact(values):
    """Count, mean and squared deviations in rational arithmetic, each rounded once."""
    values = [Fraction(v) for v in values]
    n = len(values)
    mean = sum(values) / n if n else Fraction(0)
    return [float(n), float(mean), float(sum((v - mean) ** 2 for v in values))]


def of(values):
    x = torch.tensor(values, dtype=torch.float64)
    return moments(x, torch.ones_like(x))


def floats(m):
    return [field.item() for field in m]


def batch(B, T, seed=0, dtype=torch.float64):
    torch.manual_seed(seed)
    return 3 + 2 * torch.randn(B, T, dtype=dtype), torch.rand(B, T) < 0.6


def test_by_hand():
    # 1, 2, 6: mean 3, squared deviations 4 + 1 + 9
    m = moments(torch.tensor([[1.0, NAN], [2.0, 6.0]]), torch.tensor([[1, 0], [1, 1]]))
    assert floats(m) == [3, 3, 14]
    assert {field.dtype for field in m} == {torch.float64}
    assert m.variance().item() == 7
    assert m.variance(ddof=0).item() == 14 / 3


def test_combination_by_hand():
    # 1 beside 2, 6: means 1 and 4, deviations 0 and 4 + 4; 1·(1-3)² + 2·(4-3)² = 6 between them
    assert floats(combine_moments([of([1.0]), of([2.0, 6.0])])) == [3, 3, 14]


def test_nothing_has_no_moments_and_no_variance():
    for m in (
        moments(torch.full((2, 3), NAN), torch.zeros(2, 3)),
        of([]),
        combine_moments([of([])]),
    ):
        assert floats(m) == [0, 0, 0]
        assert m.variance().isnan()
        assert m.variance(ddof=0).isnan()
    assert of([2.0]).variance().isnan()
    assert of([2.0]).variance(ddof=0).item() == 0


@pytest.mark.parametrize("centre", [0.0, 1e4, -1e8])
def test_any_cut_in_any_order_gives_the_moments_of_the_whole(centre):
    """Against rational arithmetic.

    The mean is right to two roundings of float64. That of each part is off by as much, u·|centre|
    with u = 1.1e-16 and a spread of 1, and enters the squared deviations in first order, twice for
    each of the at most six parts: a relative 12·u·|centre| at the worst.
    """
    rng = random.Random(0)
    for _ in range(40):
        values = [rng.gauss(centre, 1) for _ in range(rng.randint(1, 40))]
        cuts = sorted(rng.choices(range(len(values) + 1), k=rng.randint(0, 5)))
        ends = [*cuts, len(values)]
        parts = [of(values[a:b]) for a, b in zip([0, *cuts], ends, strict=True)]
        rng.shuffle(parts)
        want = exact(values)
        for got in (combine_moments(parts), of(values)):
            assert got.count.item() == want[0]
            assert got.mean.item() == pytest.approx(want[1], rel=4.5e-16, abs=1e-15)
            assert got.variance_sum.item() == pytest.approx(
                want[2], rel=1e-14 + 1.4e-15 * abs(centre)
            )


def test_combinations_combine():
    parts = [of([1.0, 5.0]), of([]), of([2.0]), of([4.0, 4.0, 9.5])]
    nested = combine_moments([combine_moments(parts[:2]), combine_moments(parts[2:])])
    assert floats(nested) == pytest.approx(floats(combine_moments(parts)), rel=1e-15)


def test_an_empty_part_may_hold_anything():
    nothing = Moments(*torch.tensor([0.0, NAN, NAN], dtype=torch.float64))
    assert floats(combine_moments([nothing, of([1.0, 3.0])])) == [2, 2, 2]


def test_a_valid_nan_shows_and_a_masked_one_does_not():
    x = torch.tensor([1.0, NAN, 3.0])
    assert floats(moments(x, torch.tensor([1, 0, 1]))) == [2, 2, 2]
    spoilt = moments(x, torch.tensor([1, 1, 1]))
    assert spoilt.mean.isnan()
    assert spoilt.variance_sum.isnan()
    assert combine_moments([of([1.0, 2.0]), spoilt]).variance().isnan()
    assert whiten(x, torch.tensor([1, 1, 0])).tolist()[2] == 0
    assert whiten(x, torch.tensor([1, 1, 0]))[:2].isnan().all()


@pytest.mark.parametrize("ddof", [0, 1])
@pytest.mark.parametrize("shift_mean", [True, False])
def test_whiten_is_its_formula(ddof, shift_mean):
    x, mask = batch(3, 9)
    kept = x[mask].tolist()
    mean = sum(kept) / len(kept)
    v = sum((k - mean) ** 2 for k in kept) / (len(kept) - ddof)
    want = [(k - mean) / math.sqrt(v + 1e-8) + (0 if shift_mean else mean) for k in kept]
    got = whiten(x, mask, ddof=ddof, shift_mean=shift_mean)
    assert got[mask].tolist() == pytest.approx(want, rel=1e-12, abs=1e-12)
    assert not got[~mask].any()


def test_whitened_has_mean_zero_and_variance_one():
    x, mask = batch(4, 50)
    for ddof in (0, 1):
        m = moments(whiten(x, mask, ddof=ddof, eps=0.0), mask)
        assert m.mean.item() == pytest.approx(0, abs=1e-14)
        assert m.variance(ddof=ddof).item() == pytest.approx(1, rel=1e-14)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-6)])
@pytest.mark.parametrize("shift_mean", [True, False])
def test_parts_whitened_by_the_moments_of_all_equal_the_whole(dtype, tolerance, shift_mean):
    rng = random.Random(1)
    for seed in range(20):
        x, mask = batch(8, 11, seed, dtype)
        mask[rng.randrange(8)] = False
        whole = whiten(x, mask, shift_mean=shift_mean)
        order = torch.randperm(8)
        parts = order.split(rng.randint(1, 5))
        shared = combine_moments([moments(x[p], mask[p]) for p in parts])
        for p in parts:
            got = whiten(x[p], mask[p], shift_mean=shift_mean, moments=shared)
            torch.testing.assert_close(got, whole[p], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("junk", [0.0, 7.0, NAN, INF, -INF])
def test_padding_changes_no_bit(junk, dtype):
    for seed in range(10):
        x, mask = batch(5, 70, seed, dtype)
        extra = torch.zeros(5, 13, dtype=torch.bool)
        wide_mask = torch.cat([mask, extra], 1)
        wide = torch.cat([x.masked_fill(~mask, junk), torch.full((5, 13), junk, dtype=dtype)], 1)
        assert moments(x, mask) == moments(wide, wide_mask)
        got = whiten(wide, wide_mask)
        assert torch.equal(got[:, :70], whiten(x, mask))
        assert not got[:, 70:].any()


@pytest.mark.parametrize("value", [0.1, 0.0, -7.7])
@pytest.mark.parametrize("eps", [1e-8, 0.0])
def test_equal_values_whiten_to_zero(value, eps):
    x = torch.full((3, 7), value)
    assert not whiten(x, torch.ones(3, 7), eps=eps).any()
    assert not whiten(x[:1, :1], torch.ones(1, 1), eps=eps).any()


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (4, 0), (2, 3)])
def test_nothing_to_whiten(shape):
    x = torch.full(shape, NAN)
    got = whiten(x, torch.zeros(shape))
    assert got.shape == shape
    assert not got.any()


def test_constants_in_float32_at_least():
    mask = torch.ones(2, 3)
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        x = torch.randn(2, 3).to(dtype).requires_grad_()
        got = whiten(x, mask)
        assert got.dtype == torch.float32
        assert not got.requires_grad
        assert not any(field.requires_grad for field in moments(x, mask))
        assert torch.equal(got, whiten(x.float(), mask))
    assert whiten(torch.randn(2, 3).double(), mask).dtype == torch.float64


def test_inputs_are_left_alone():
    x, mask = batch(3, 5)
    before = x.clone(), mask.clone()
    whiten(x, mask, moments=moments(x, mask))
    assert torch.equal(x, before[0])
    assert torch.equal(mask, before[1])


def test_runs_without_reading_the_device_and_under_compile():
    """A tensor on ``meta`` has no values: whatever asked for one would raise."""
    x = torch.empty(2, 3, device="meta")
    assert whiten(x, x, moments=combine_moments([moments(x, x)])).shape == (2, 3)
    torch.compiler.reset()
    compiled = torch.compile(whiten, backend="eager", fullgraph=True)
    x, mask = batch(2, 3)
    assert torch.equal(compiled(x, mask), whiten(x, mask))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: moments(torch.ones(2), torch.ones(3)), r"mask has shape \[3\] but x has \[2\]"),
        (lambda: moments(torch.ones(2).int(), torch.ones(2)), "x has dtype torch.int32"),
        (lambda: whiten(torch.ones(2), torch.ones(3)), r"mask has shape \[3\] but x has \[2\]"),
        (lambda: whiten(torch.ones(2), torch.ones(2), eps=-1.0), "eps is -1.0, expected ≥ 0"),
        (lambda: whiten(torch.ones(2), torch.ones(2), ddof=-1), "ddof is -1, expected ≥ 0"),
        (lambda: combine_moments([]), "parts is empty, expected the Moments of at least one part"),
    ],
)
def test_errors_name_the_culprit(call, message):
    with pytest.raises(ValueError, match=message):
        call()
