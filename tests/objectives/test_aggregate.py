# ruff: noqa: N806  (names as in the formulas: A, B, T)
import math

import pytest
import torch

from rlrewards import objectives as rl

NAN, INF = math.nan, math.inf
X = torch.tensor([[1.0, 2.0, 6.0], [10.0, NAN, INF], [NAN, NAN, NAN]])
MASK = torch.tensor([[1, 1, 1], [1, 0, 0], [0, 0, 0]])


def constant(x, mask, **kw):
    return rl.constant(x, mask, length=8, **kw)


ALL = [rl.token_mean, rl.token_sum, rl.sequence_mean, rl.sequence_sum, constant]


@pytest.mark.parametrize(
    ("aggregate", "want"),
    [
        (rl.token_mean, 19 / 4),
        (rl.token_sum, 19),
        (rl.sequence_mean, (3 + 10 + 0) / 3),
        (rl.sequence_sum, 19 / 3),
        (constant, 19 / 24),
    ],
)
def test_values_by_hand(aggregate, want):
    assert aggregate(X, MASK).item() == pytest.approx(want)


@pytest.mark.parametrize(
    ("aggregate", "want"),
    [
        (rl.token_mean, 19 / 7),
        (rl.token_sum, 19 / 7),
        (rl.sequence_mean, 13 / 7),
        (rl.sequence_sum, 19 / 7),
        (constant, 19 / 56),
    ],
)
@pytest.mark.parametrize("seven", [7, 7.0, torch.tensor(7), torch.tensor([7.0])])
def test_denominators_by_hand(aggregate, want, seven):
    loss = aggregate(X, MASK, denominator=seven)
    assert loss.item() == pytest.approx(want)
    assert loss.shape == ()


@pytest.mark.parametrize(
    ("aggregate", "weights"),
    [
        (rl.token_mean, [[1 / 4] * 3, [1 / 4, 0, 0], [0, 0, 0]]),
        (rl.token_sum, [[1, 1, 1], [1, 0, 0], [0, 0, 0]]),
        (rl.sequence_mean, [[1 / 9] * 3, [1 / 3, 0, 0], [0, 0, 0]]),
        (rl.sequence_sum, [[1 / 3] * 3, [1 / 3, 0, 0], [0, 0, 0]]),
        (constant, [[1 / 24] * 3, [1 / 24, 0, 0], [0, 0, 0]]),
    ],
)
def test_gradients_by_hand(aggregate, weights):
    x = X.clone().requires_grad_()
    aggregate(x, MASK).backward()
    torch.testing.assert_close(x.grad, torch.tensor(weights, dtype=x.dtype))


@pytest.mark.parametrize("aggregate", ALL)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("junk", [0.0, 5.0, NAN, INF, -INF])
def test_padding_changes_no_bit(aggregate, dtype, junk):
    """Masked columns at the end, in front and in between; float64 as well as float32."""
    for seed in range(8):
        torch.manual_seed(seed)
        B, T = 5, 37
        x = torch.randn(B, T, dtype=dtype)
        mask = torch.rand(B, T) < 0.8
        whole = aggregate(x, mask)
        for cut, width in ((T, 13), (0, 7), (17, 100)):
            pad = torch.full((B, width), junk, dtype=dtype)
            hole = torch.zeros(B, width, dtype=torch.bool)
            wider = torch.cat([x[:, :cut], pad, x[:, cut:]], 1)
            wider_mask = torch.cat([mask[:, :cut], hole, mask[:, cut:]], 1)
            assert torch.equal(aggregate(wider, wider_mask), whole)


@pytest.mark.parametrize("aggregate", ALL)
@pytest.mark.parametrize("shape", [(2, 3), (0, 3), (2, 0), (0, 0)])
@pytest.mark.parametrize("given", [{}, {"denominator": 0}, {"denominator": torch.tensor(0)}])
def test_a_batch_without_a_valid_token_gives_zero(aggregate, shape, given):
    x = torch.full(shape, NAN, requires_grad=True)
    loss = aggregate(x, torch.zeros(shape), **given)
    loss.backward()
    assert loss.item() == 0
    assert not x.grad.any()


@pytest.mark.parametrize("aggregate", ALL)
def test_micro_batches_add_up(aggregate):
    torch.manual_seed(0)
    x = torch.randn(12, 9, dtype=torch.float64, requires_grad=True)
    mask = torch.rand(12, 9) < 0.7
    mask[4:6] = False  # a whole micro-batch without a token
    counts = {rl.token_mean: mask.sum(), rl.token_sum: 3.0}
    D = counts.get(aggregate, 12)
    whole = torch.autograd.grad(aggregate(x, mask, denominator=D), x)[0]
    for size in (1, 2, 5, 12):
        parts = zip(x.split(size), mask.split(size), strict=True)
        loss = sum(aggregate(a, m, denominator=D) for a, m in parts)
        cut = torch.autograd.grad(loss, x)[0]
        torch.testing.assert_close(cut, whole, rtol=1e-12, atol=0)


@pytest.mark.parametrize("aggregate", ALL)
def test_gradcheck(aggregate):
    torch.manual_seed(0)
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    mask = torch.rand(3, 4) < 0.7
    assert torch.autograd.gradcheck(lambda x: aggregate(x, mask), x)
    assert torch.autograd.gradgradcheck(lambda x: aggregate(x**3, mask), x)


@pytest.mark.parametrize("aggregate", ALL)
def test_nan_at_a_valid_token_spoils_every_valid_gradient(aggregate):
    x = torch.tensor([[1.0, NAN], [2.0, 3.0]], requires_grad=True)
    mask = torch.tensor([[1, 1], [1, 0]]).bool()
    loss = aggregate(x, mask)
    loss.backward()
    assert loss.isnan()
    assert x.grad[mask].isnan().all()
    assert x.grad[1, 1] == 0


@pytest.mark.parametrize("aggregate", ALL)
def test_large_float32_sums_keep_their_digits(aggregate):
    x, mask = torch.full((64, 4096), 0.1), torch.ones(64, 4096)
    want = aggregate(x.double(), mask).item()
    assert aggregate(x, mask).item() == pytest.approx(want, rel=2**-23)


def test_infinity_is_kept():
    x, mask = torch.tensor([[INF, 1.0]]), torch.ones(1, 2)
    for aggregate in ALL:
        assert aggregate(x, mask) == INF
        assert aggregate(x.double(), mask) == INF


def test_a_zero_denominator_with_tokens_is_loud():
    assert rl.token_mean(torch.ones(1, 2), torch.ones(1, 2), denominator=0) == INF


def test_bfloat16_is_summed_in_float64_and_returned_as_float32():
    x = torch.ones(1, 1000).bfloat16()
    loss = rl.token_sum(x, torch.ones(1, 1000))
    assert loss.dtype == torch.float32
    assert loss == 1000


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: rl.token_mean(x, x[:, :1]), r"mask has shape \[2, 1\] but x has \[2, 3\]"),
        (lambda x: rl.token_mean(x[0], x[0]), r"x has shape \[3\], expected \[B, T\]"),
        (lambda x: rl.token_mean(x, x, denominator=-1), "denominator is -1, expected ≥ 0"),
        (lambda x: rl.token_mean(x, x, denominator=NAN), "denominator is nan"),
        (lambda x: rl.token_mean(x, x, denominator=x), r"denominator has shape \[2, 3\]"),
        (lambda x: rl.constant(x, x, length=INF), "length is inf, expected the generation limit"),
        (lambda x: rl.row_weights(rl.token_mean, x[0]), r"mask has shape \[3\], expected \[B, T\]"),
        (lambda x: rl.constant(x, x, length=0), "length is 0, expected the generation limit"),
    ],
)
def test_errors_name_the_culprit(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.zeros(2, 3))


def test_a_mask_that_is_no_tensor():
    with pytest.raises(TypeError, match="mask is a list: pass a"):
        rl.token_mean(torch.zeros(1, 1), [[1]])
