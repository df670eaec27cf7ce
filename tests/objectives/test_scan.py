# ruff: noqa: N803  (names as in the formulas: T)
import math

import pytest
import torch

from rlrewards.objectives import scan
from rlrewards.objectives.scan import Rows, discounted_sums

NAN, INF = math.nan, math.inf


def loop(x, decay):
    """The definition, one token at a time, in Python floats; ``decay`` one per row."""
    sums = []
    for row, a in zip(x.double().tolist(), decay, strict=True):
        total, backwards = 0.0, []
        for number in reversed(row):
            total = number + a * total
            backwards.append(total)
        sums.append(backwards[::-1])
    return torch.tensor(sums, dtype=torch.float64).reshape(x.shape)


def test_a_row_worked_by_hand():
    # 8; 4 + 8/2 = 8; 2 + 8/2 = 6
    assert discounted_sums(torch.tensor([[2.0, 4.0, 8.0]]), 0.5).tolist() == [[6.0, 8.0, 8.0]]


def test_each_row_its_own_decay_by_hand():
    x = torch.tensor([[2.0, 4.0, 8.0]] * 3)
    found = discounted_sums(x, torch.tensor([0.0, 0.5, 1.0]))
    assert found.tolist() == [[2.0, 4.0, 8.0], [6.0, 8.0, 8.0], [14.0, 12.0, 8.0]]


@pytest.mark.parametrize("T", [1, 2, 31, 32, 33, 127, 128, 129, 1024, 1025, 4097])
@pytest.mark.parametrize("decay", [0.0, 0.3, 0.9405, 0.9999, 1.0])
def test_matches_the_loop(T, decay):
    """rtol: sums of 4,097 terms of order 1, in float64, differ in their order only."""
    torch.manual_seed(0)
    x = torch.randn(3, T, dtype=torch.float64)
    want = loop(x, [decay] * 3)
    torch.testing.assert_close(discounted_sums(x, decay), want, rtol=1e-11, atol=1e-11)
    rates = torch.tensor([decay, 0.5, 1.0], dtype=torch.float64)
    want = loop(x, rates.tolist())
    torch.testing.assert_close(discounted_sums(x, rates), want, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("T", [32_768, 131_072])
@pytest.mark.parametrize("decay", [1.0, 0.9405, 0.9999])
def test_long_rows_in_float32(T, decay):
    """Against the loop in float64, as a share of the largest sum.

    Four or five levels of sums of 16, and powers rounded once at each: a few float32 roundings (2⁻²⁴) of
    numbers no larger than the sum of the absolute terms. Measured 4e-7 at most, 2e-8 to 4e-8 for a
    float decay of 1, summed in float64 and rounded once; a float32 loop is off by up to 1e-4.
    """
    torch.manual_seed(0)
    x = torch.randn(1, T)
    want = loop(x, [decay])
    for rate in (decay, torch.tensor([decay], dtype=torch.float64)):
        error = (discounted_sums(x, rate) - want).abs().max() / want.abs().max()
        assert error < (2**-24 if type(rate) is float and rate == 1 else 16 * 2**-24)


def test_a_decay_of_one_is_exact_for_one_reward():
    x = torch.zeros(2, 5000)
    x[:, -1] = 0.3
    want = torch.full((2, 5000), 0.3)
    assert torch.equal(discounted_sums(x, 1.0), want)
    assert torch.equal(discounted_sums(x, torch.ones(2)), want)


def test_small_decays_do_not_underflow_into_nan():
    x = torch.ones(2, 100_000)
    found = discounted_sums(x, 1e-3)
    torch.testing.assert_close(found[:, :-10], torch.full((2, 99_990), 1 / (1 - 1e-3)))
    assert discounted_sums(x, torch.tensor([1e-30, 0.5])).isfinite().all()


@pytest.mark.parametrize("decay", [0.97, 1.0, torch.tensor([0.97, 1.0, 0.5])])
@pytest.mark.parametrize("T", [1, 33, 127, 1000, 1025])
def test_zeros_after_the_end_change_no_bit(T, decay):
    torch.manual_seed(0)
    x = torch.randn(3, T)
    want = discounted_sums(x, decay)
    for extra in (1, 31, 100, 1000):
        longer = discounted_sums(torch.nn.functional.pad(x, (0, extra)), decay)
        assert torch.equal(longer[:, :T], want)
        assert not longer[:, T:].any()


def test_leading_dimensions_and_views():
    torch.manual_seed(0)
    x = torch.randn(70, 3, 2, dtype=torch.float64).permute(2, 1, 0)
    rates = torch.tensor([0.1, 0.9, 1.0], dtype=torch.float64)
    found = discounted_sums(x, rates)
    assert found.shape == x.shape
    for k in range(2):
        torch.testing.assert_close(found[k], loop(x[k].contiguous(), rates.tolist()))


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (3, 0), (0, 2, 4)])
def test_empty(shape):
    x = torch.zeros(shape)
    for decay in (0.5, 1.0, torch.full(shape[-2:-1], 0.5)):
        assert discounted_sums(x, decay).shape == shape


def test_the_input_is_left_alone_and_no_gradient_flows():
    x = torch.ones(2, 300, requires_grad=True)
    for decay in (0.0, 0.5, 1.0, torch.tensor([0.5, 1.0])):
        found = discounted_sums(x, decay)
        assert not found.requires_grad
        assert found.data_ptr() != x.data_ptr()
    assert torch.equal(x.detach(), torch.ones(2, 300))


def test_a_nan_stays_in_its_row_and_reaches_all_before_it():
    x = torch.ones(2, 300)
    x[0, 200] = NAN
    for decay in (0.9, 1.0, torch.tensor([0.9, 0.9])):
        found = discounted_sums(x, decay)
        assert found[0, :201].isnan().all()
        assert found[1].isfinite().all()


def test_half_precision_and_autocast():
    x = torch.randn(2, 300).bfloat16()
    want = discounted_sums(x.float(), 0.9)
    assert want.dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(discounted_sums(x, 0.9), want)


@pytest.mark.parametrize(
    ("x", "decay", "message"),
    [
        (torch.zeros(2, 3), 1.5, r"decay is 1.5, expected in \[0, 1\]"),
        (torch.zeros(2, 3), NAN, "decay is nan"),
        (torch.zeros(2, 3), torch.tensor([0.5, 1.5]), r"decay holds 1.5, expected values in"),
        (torch.zeros(2, 3), torch.tensor([0.5, NAN]), r"decay holds nan, expected values in"),
        (torch.zeros(2, 3), torch.zeros(3), r"decay has shape \[3\], expected a float or one"),
        (torch.zeros(2, 3), torch.zeros(2).int(), "decay has dtype torch.int32"),
        (torch.zeros(3), 0.5, r"x has shape \[3\], expected \[..., B, T\]"),
        (torch.zeros(2, 3).int(), 0.5, "x has dtype torch.int32"),
    ],
)
def test_errors_name_the_culprit(x, decay, message):
    with pytest.raises(ValueError, match=message):
        discounted_sums(x, decay)


def test_a_rate_that_cannot_be_looked_at_spoils_its_row(monkeypatch):
    """As on a GPU, which is not waited for."""
    monkeypatch.setattr(scan, "on_host", lambda _: False)
    found = discounted_sums(torch.ones(2, 40), torch.tensor([1.5, 0.5]))
    assert found[0].isnan().any()
    assert found[1].isfinite().all()


@pytest.mark.parametrize("look", [True, False])
@pytest.mark.parametrize("step_over", [True, False])
def test_rows_go_to_the_front_and_back(monkeypatch, look, step_over):
    if not look:
        monkeypatch.setattr(scan, "on_host", lambda _: False)
    mask = torch.tensor([[1, 0, 1, 1], [0, 0, 0, 0], [0, 1, 0, 0]]).bool()
    x = torch.arange(12.0).view(3, 4).masked_fill(~mask, NAN)
    rows = Rows.of(mask, x.dtype, step_over=step_over)
    front = [[0.0, 2, 3, 0], [0] * 4, [9, 0, 0, 0]]
    assert rows.front(x).tolist() == (front if step_over else x.nan_to_num(0).tolist())
    assert rows.back(rows.front(x)).tolist() == x.nan_to_num(0).tolist()
    y = rows.front(x)
    rows.add_last_(y, torch.tensor([100.0, NAN, 100.0]))
    assert rows.back(y).tolist() == [[0, 0, 2, 103], [0] * 4, [0, 109, 0, 0]]
