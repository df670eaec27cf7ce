# ruff: noqa: N806  (names as in the formulas: A, B, T)
import math
from functools import partial

import pytest
import torch

from rlrewards import objectives as rl

NAN, INF = math.nan, math.inf


def test_threshold_by_hand():
    """The .8 quantile of 1 … 6 lies at place 4, of 1 … 5 between places 3 and 4."""
    six = torch.tensor([[3.0, 1.0, 6.0, NAN], [2.0, 5.0, 4.0, INF]])
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 0]])
    assert rl.entropy_threshold(six, mask).item() == 5
    mask[0, 2] = 0
    assert rl.entropy_threshold(six, mask).item() == pytest.approx(4.2)
    assert rl.entropy_threshold(six, mask, share=1.0).item() == 1
    assert rl.entropy_threshold(six, mask, share=0.0).item() == 5


def test_threshold_is_the_quantile():
    torch.manual_seed(0)
    for n in (1, 2, 3, 10, 101):
        x = torch.randn(1, n, dtype=torch.float64)
        for share in (0.0, 0.1, 0.2, 0.5, 0.77, 1.0):
            want = torch.quantile(x, 1 - share)
            torch.testing.assert_close(rl.entropy_threshold(x, torch.ones(1, n), share=share), want)


def test_top_entropy_by_hand():
    entropy = torch.tensor([[3.0, 1.0, 6.0, NAN], [2.0, 5.0, 4.0, INF]])
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 0]])
    got = rl.top_entropy_mask(entropy, mask)
    assert got.int().tolist() == [[0, 0, 1, 0], [0, 1, 0, 0]]
    got = rl.top_entropy_mask(entropy, mask, share=0.6)
    assert got.int().tolist() == [[1, 0, 1, 0], [0, 1, 1, 0]]
    for threshold in (2.5, torch.tensor(2.5)):
        got = rl.top_entropy_mask(entropy, mask, threshold=threshold)
        assert got.int().tolist() == [[1, 0, 1, 0], [0, 1, 1, 0]]


def test_equal_entropies_are_kept_together():
    assert rl.top_entropy_mask(torch.ones(2, 5), torch.ones(2, 5)).all()
    assert not rl.top_entropy_mask(torch.ones(2, 5), torch.zeros(2, 5)).any()


def test_a_threshold_of_the_whole_makes_its_parts_agree():
    torch.manual_seed(0)
    entropy, mask = torch.rand(6, 9), torch.rand(6, 9) < 0.7
    threshold = rl.entropy_threshold(entropy, mask)
    parts = [
        rl.top_entropy_mask(entropy[i : i + 2], mask[i : i + 2], threshold=threshold)
        for i in (0, 2, 4)
    ]
    assert torch.equal(torch.cat(parts), rl.top_entropy_mask(entropy, mask))


def test_padding_leaves_no_trace():
    torch.manual_seed(0)
    entropy, mask = torch.rand(4, 9), torch.rand(4, 9) < 0.7
    for junk in (NAN, INF, -INF):
        wide = torch.nn.functional.pad(entropy.masked_fill(~mask, junk), (0, 3), value=junk)
        wide_mask = torch.nn.functional.pad(mask, (0, 3))
        assert torch.equal(
            rl.entropy_threshold(wide, wide_mask), rl.entropy_threshold(entropy, mask)
        )
        got = rl.top_entropy_mask(wide, wide_mask)
        assert torch.equal(got[:, :9], rl.top_entropy_mask(entropy, mask))
        assert not got[:, 9:].any()


def test_a_nan_drops_nothing():
    entropy, mask = torch.tensor([[1.0, NAN, 3.0]]), torch.tensor([[1, 1, 1]])
    assert rl.entropy_threshold(entropy, mask).isnan()
    assert rl.top_entropy_mask(entropy, mask).all()
    logp, A = torch.tensor([[-9.0, NAN]]), torch.tensor([-1.0])
    assert rl.off_policy_sequence_mask(logp, torch.zeros(1, 2), A, torch.ones(1, 2)).all()


def test_off_policy_rows_by_hand():
    """Mean gaps .6, .6, .4, and 2/1 where the second token is masked."""
    sampler = torch.tensor([[-1.0, -1.0], [-1.0, -1.0], [-1.0, -1.0], [-1.0, -1.0]])
    logp = sampler - torch.tensor([[1.0, 0.2], [1.0, 0.2], [0.2, 0.6], [2.0, -9.0]])
    mask = torch.tensor([[1, 1], [1, 1], [1, 1], [1, 0]])
    A = torch.tensor([-1.0, 1.0, -1.0, -0.1])
    got = rl.off_policy_sequence_mask(logp, sampler, A, mask)
    assert got.int().tolist() == [[0, 0], [1, 1], [1, 1], [0, 0]]
    got = rl.off_policy_sequence_mask(logp, sampler, A, mask, threshold=0.3)
    assert got.int().tolist() == [[0, 0], [1, 1], [0, 0], [0, 0]]
    got = rl.off_policy_sequence_mask(logp, sampler, A, mask, threshold=INF)
    assert got.int().tolist() == mask.tolist()


def test_off_policy_rows_by_the_tokens_known_to_the_sampler():
    logp, sampler = torch.tensor([[-3.0, -3.0, -3.0]]), torch.tensor([[-2.2, -2.8, NAN]])
    A, mask, known = torch.tensor([-1.0]), torch.ones(1, 3), ~sampler.isnan()
    select = partial(rl.off_policy_sequence_mask, logp, sampler, A, mask, known=known)
    assert not select(threshold=0.4).any()  # the mean is (.8 + .2)/2
    assert select(threshold=0.6).all()


def test_off_policy_rows_that_are_too_likely_stay():
    logp, sampler = torch.zeros(1, 2), torch.full((1, 2), -9.0)
    assert rl.off_policy_sequence_mask(logp, sampler, torch.tensor([-1.0]), torch.ones(1, 2)).all()


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float32])
def test_truncated_rows_leave_numerator_and_denominator(dtype):
    mask, truncated = torch.tensor([[1, 1], [1, 0]]).to(dtype), torch.tensor([True, False])
    got = rl.without_truncated(mask, truncated)
    assert got.dtype == torch.bool
    assert got.int().tolist() == [[0, 0], [1, 0]]
    assert rl.token_mean(torch.tensor([[5.0, 5.0], [2.0, 9.0]]), got).item() == 2


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_empty(shape):
    x, rows = torch.zeros(shape), torch.zeros(shape[0])
    assert rl.entropy_threshold(x, x).isnan()
    assert rl.top_entropy_mask(x, x).shape == shape
    assert rl.off_policy_sequence_mask(x, x, rows, x).shape == shape
    assert rl.without_truncated(x, rows).shape == shape


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: rl.entropy_threshold(x, x, share=2.0), r"share is 2.0, expected in \[0, 1\]"),
        (lambda x: rl.top_entropy_mask(x, x[0]), r"mask has shape \[3\] but entropy has \[2, 3\]"),
        (
            lambda x: rl.off_policy_sequence_mask(x, x, x, x),
            r"advantages has shape \[2, 3\], .*whole rows",
        ),
        (lambda x: rl.off_policy_sequence_mask(x, x[:1], x[:, 0], x), "sampler_logp has shape"),
        (
            lambda x: rl.off_policy_sequence_mask(x, x, x[:, 0], x, threshold=NAN),
            "threshold is nan, expected ≥ 0",
        ),
        (
            lambda x: rl.top_entropy_mask(x, x, threshold=torch.zeros(3)),
            r"threshold has shape \[3\], expected a scalar",
        ),
        (lambda x: rl.without_truncated(x, x), r"truncated has shape \[2, 3\], .* row: \[2\]"),
        (lambda x: rl.without_truncated(x[0], x[0]), r"mask has shape \[3\], expected \[B, T\]"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.zeros(2, 3))


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda x, bad: rl.off_policy_sequence_mask(bad, x, x[:, 0], x), "logp"),
        (lambda x, bad: rl.off_policy_sequence_mask(x, bad, x[:, 0], x), "sampler_logp"),
        (lambda x, bad: rl.without_truncated(bad, x[:, 0]), "mask"),
        (lambda x, bad: rl.without_truncated(x, bad), "truncated"),
    ],
)
def test_a_list_is_named(call, name):
    x = torch.zeros(2, 3)
    with pytest.raises(TypeError, match=f"{name} is a list: pass a torch.Tensor"):
        call(x, x.tolist())
