import math

import pytest
import torch

from rlrewards import objectives as rl

NAN, INF = math.nan, math.inf


def test_reductions_by_hand():
    x = torch.tensor([[1.0, NAN, 3.0], [INF, 5.0, NAN]])
    mask = torch.tensor([[1, 0, 1], [0, 1, 0]])
    assert rl.masked_sum(x, mask) == 9
    assert rl.masked_mean(x, mask) == 3
    assert rl.masked_var(x, mask) == 4  # (4 + 0 + 4) / 2
    assert rl.masked_var(x, mask, ddof=0).item() == pytest.approx(8 / 3)
    assert rl.masked_sum(x, mask, dim=1).tolist() == [4, 5]
    assert rl.masked_mean(x, mask, dim=0).tolist()[0] == 1
    assert rl.masked_mean(x, mask, dim=1).tolist() == [2, 5]


def test_nothing_valid():
    x, mask = torch.full((2, 2), NAN), torch.zeros(2, 2)
    assert rl.masked_sum(x, mask) == 0
    assert rl.masked_mean(x, mask).isnan()
    assert rl.masked_var(x, mask).isnan()
    assert rl.masked_var(torch.ones(1, 2), torch.tensor([[1, 0]])).isnan()


@pytest.mark.parametrize("reduce", [rl.masked_sum, rl.masked_mean, rl.masked_var])
def test_gradients_stop_at_the_mask(reduce):
    x = torch.tensor([1.0, NAN, 3.0, INF], dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([1, 0, 1, 0])
    reduce(x, mask).backward()
    assert x.grad.isfinite().all()
    assert x.grad[[1, 3]].tolist() == [0, 0]
    assert torch.autograd.gradcheck(
        lambda y: reduce(y, torch.ones(5)), torch.randn(5, dtype=torch.float64, requires_grad=True)
    )


def test_float64_sums_are_rounded_once():
    """The compensated sum equals math.fsum, which is correctly rounded, on values that cancel."""
    for seed in range(50):
        torch.manual_seed(seed)
        x = torch.randn(301, dtype=torch.float64) * 10.0 ** torch.randint(-8, 8, (301,))
        assert rl.masked_sum(x, torch.ones(301)).item() == math.fsum(x.tolist())


def test_finite_gradient():
    x = torch.tensor([2.0, NAN, INF, 3.0], requires_grad=True)
    other = torch.tensor([1.0, 1.0, 1.0, NAN])
    y = rl.finite_gradient(x, other)
    assert torch.equal(y.nan_to_num(), x.detach().nan_to_num())
    y.sum().backward()
    assert x.grad.tolist() == [1, 0, 0, 0]
