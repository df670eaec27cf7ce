# ruff: noqa: N806  (names as in the formulas: A, B, T)
import math

import pytest
import torch

from rlrewards import objectives as rl

NAN = math.nan


def batch():
    logp = torch.tensor([[1.5, 0.5, 1.0], [0.5, 4.0, NAN]], dtype=torch.float64).log()
    return logp, torch.zeros(2, 3), torch.tensor([1.0, -1.0]), torch.tensor([[1, 1, 1], [1, 1, 0]])


def test_effective_sample_size_is_one_for_equal_ratios_and_bounded_by_one_token():
    """(Σr)²/(n Σr²): 1 when all weigh alike, 1/n when one token outweighs all others."""
    mask, zeros = torch.ones(1, 4), torch.zeros(1, 4)
    same = rl.policy_metrics(zeros + 0.3, zeros, torch.ones(1), mask)
    assert same["effective_sample_size"].item() == pytest.approx(1)
    one = torch.tensor([[19.0, 0, 0, 0]])
    found = rl.policy_metrics(one, zeros, torch.ones(1), mask)["effective_sample_size"]
    assert found.item() == pytest.approx(1 / 4, rel=1e-6)


def test_clip_fractions_are_where_the_clipped_loss_is_the_larger_one():
    """Mean of ``loss_clipped > loss_unclipped``, for any sign of the advantage."""
    torch.manual_seed(0)
    logp, old = torch.randn(2, 8, 50, dtype=torch.float64).unbind(0)
    A = torch.randn(8, 50, dtype=torch.float64)
    A[0] = 0
    mask = torch.rand(8, 50) < 0.8
    r = (logp - old).exp()
    worse = -r.clamp(0.9, 1.3) * A > -r * A
    found = rl.policy_metrics(logp, old, A, mask, low=0.1, high=0.3)
    share = found["clip_low"] + found["clip_high"]
    assert share.item() == pytest.approx(worse[mask].double().mean().item())


@pytest.mark.parametrize(
    ("group", "rewards", "want"),
    [
        ([0, 0, 1, 1], [1.0, 1.0, 0.0, 1.0], 1 / 2),
        ([0, 0, 0, 1], [1.0, 0.0, 1.0, 1.0], 1 / 2),
        ([0, 0, 1, 1], [NAN, 1.0, 0.0, 1.0], 1 / 2),
        ([0, 0, 1, 1], [NAN, NAN, NAN, NAN], 1.0),
        (["a", "b", "a", "b"], [0.0, 0.0, 1.0, 2.0], 0.0),
    ],
)
def test_share_of_groups_that_teach_nothing(group, rewards, want):
    inputs = rl.MetricInputs(rewards=torch.tensor(rewards), group=group)
    found = rl.batch_metrics(torch.zeros(4, 2), torch.ones(4, 2), inputs=inputs)
    assert found["zero_variance_groups"].item() == pytest.approx(want)


def test_truncated_counts_tokens():
    inputs = rl.MetricInputs(truncated=torch.tensor([True, False]))
    found = rl.batch_metrics(*batch()[::3], inputs=inputs)
    assert found["truncated"].item() == pytest.approx(3 / 5)
    assert found["masked"].item() == pytest.approx(1 / 6)


def test_nothing_carries_a_gradient():
    logp, old, A, mask = batch()
    logp.requires_grad_()
    inputs = rl.MetricInputs(entropy=-logp)
    found = rl.policy_metrics(logp, old, A, mask, ref_logp=old, inputs=inputs)
    assert {"kl_ref", "entropy"} <= set(found)
    assert not any(value.requires_grad for value in found.values())


def test_errors_name_the_culprit():
    logp, old, A, mask = batch()
    with pytest.raises(ValueError, match="truncated has shape"):
        rl.batch_metrics(logp, mask, inputs=rl.MetricInputs(truncated=torch.ones(3)))
    with pytest.raises(TypeError, match="truncated is a list"):
        rl.batch_metrics(logp, mask, inputs=rl.MetricInputs(truncated=[True, False]))
    with pytest.raises(ValueError, match=r"entropy has shape \[[0-9]*\], expected"):
        rl.batch_metrics(logp, mask, inputs=rl.MetricInputs(entropy=logp[0]))
    with pytest.raises(ValueError, match="entropy has shape .* but logp has"):
        rl.batch_metrics(logp, mask, inputs=rl.MetricInputs(entropy=logp[:, :1]))
    with pytest.raises(ValueError, match="low is -1.0, expected ≥ 0"):
        rl.policy_metrics(logp, old, A, mask, low=-1.0)
    with pytest.raises(ValueError, match="mask has shape"):
        rl.batch_metrics(logp, mask[:1])
    with pytest.raises(ValueError, match="advantages has shape"):
        rl.policy_metrics(logp, old, A[:1], mask)
    inputs = rl.MetricInputs(rewards=torch.ones(2), group=[0])
    with pytest.raises(ValueError, match="group has shape"):
        rl.batch_metrics(logp, mask, inputs=inputs)


def test_groups_are_counted_without_waiting_for_the_device():
    """On the meta device whatever needs a value, and so a wait on a GPU, raises."""
    logp = torch.zeros(3, 2, device="meta")
    inputs = rl.MetricInputs(rewards=logp[:, 0], group=["a", "a", "b"])
    found = rl.batch_metrics(logp, logp, inputs=inputs)["zero_variance_groups"]
    assert found.shape == ()
