# ruff: noqa: N806  (names as in the formulas: A, B, T)
"""TRL's own ``_compute_loss``, run on the same tensors.

Agreement to 1e-6 on what both define; where TRL is known to differ, the difference is asserted, so
that a change on either side is noticed.
"""

import math
import warnings
from collections import defaultdict
from types import SimpleNamespace

import pytest
import torch

from rlrewards import objectives as rl

NAN = math.nan
LENGTH = 16


@pytest.fixture(scope="module")
def trainer():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip("trl.trainer.grpo_trainer", reason="TRL is not installed")
    if not hasattr(module.GRPOTrainer, "_compute_loss"):
        pytest.skip("this TRL has no GRPOTrainer._compute_loss to compare with")
    return module.GRPOTrainer


def trl_loss(trainer, case, loss_type, **settings):
    """Loss and gradient as TRL computes them, on a trainer reduced to what the loss reads."""
    logp = case.logp.clone().requires_grad_()
    B, T = logp.shape
    config = {
        "loss_type": loss_type,
        "epsilon_low": 0.2,
        "epsilon_high": 0.2,
        "beta": 0.0,
        "delta": None,
        "use_bias_correction_kl": False,
        **settings,
    }
    accelerator = SimpleNamespace(
        num_processes=1,
        sync_gradients=True,
        gather=lambda x: x,
        gather_for_metrics=lambda x: x,
        reduce=lambda x, reduction: x,
    )
    self = SimpleNamespace(
        **{k: v for k, v in config.items() if k not in ("delta", "use_bias_correction_kl")},
        args=SimpleNamespace(
            delta=config["delta"],
            use_bias_correction_kl=config["use_bias_correction_kl"],
            steps_per_generation=1,
        ),
        _get_per_token_logps_and_entropies=lambda *args, **kw: (logp, torch.zeros(B, T), None),
        _entropy_bonus_enabled=False,
        _metrics={"train": defaultdict(list)},
        accelerator=accelerator,
        aux_loss_enabled=False,
        current_gradient_accumulation_steps=1,
        importance_sampling_level="token",
        max_completion_length=LENGTH,
        model=SimpleNamespace(training=True),
        off_policy_mask_threshold=None,
        top_entropy_quantile=1.0,
        use_vllm=False,
    )
    ids = torch.zeros(B, T, dtype=torch.long)
    inputs = {
        "prompt_ids": ids[:, :1],
        "prompt_mask": ids[:, :1] + 1,
        "completion_ids": ids,
        "completion_mask": case.mask.long(),
        "advantages": case.advantages,
        "old_per_token_logps": case.old_logp,
        "ref_per_token_logps": case.ref_logp,
        "num_items_in_batch": case.mask.sum(),
    }
    loss = trainer._compute_loss(self, None, inputs)
    return loss.detach(), torch.autograd.grad(loss, logp)[0]


def our_loss(recipe, case, **settings):
    logp = case.logp.clone().requires_grad_()
    loss = recipe(logp, case.old_logp, case.advantages, case.mask, **settings).loss
    return loss.detach(), torch.autograd.grad(loss, logp)[0]


@pytest.fixture
def case():
    torch.manual_seed(0)
    B, T = 8, 12
    logp, old, ref = (-2 * torch.rand(3, B, T, dtype=torch.float64)).unbind(0)
    mask = torch.arange(T) < torch.randint(1, T + 1, (B, 1))
    A = torch.randn(B, dtype=torch.float64)
    return SimpleNamespace(logp=logp, old_logp=old, ref_logp=ref, mask=mask, advantages=A)


def dr_grpo(*args, **kw):
    return rl.recipes.dr_grpo(*args, length=LENGTH, **kw)


SAME = {
    "grpo": rl.recipes.grpo,
    "dr_grpo": dr_grpo,
    "bnpo": rl.recipes.bnpo,
    "dapo": rl.recipes.dapo,
}


@pytest.mark.parametrize("loss_type", SAME)
@pytest.mark.parametrize("high", [0.2, 0.28])
@pytest.mark.parametrize("ceiling", [None, 2.0])
@pytest.mark.parametrize("beta", [0.0, 0.04])
def test_loss_and_gradient_agree(trainer, case, loss_type, high, ceiling, beta):
    theirs = trl_loss(trainer, case, loss_type, epsilon_high=high, delta=ceiling, beta=beta)
    ours = our_loss(
        SAME[loss_type], case, high=high, ceiling=ceiling, beta=beta, ref_logp=case.ref_logp
    )
    torch.testing.assert_close(ours[0], theirs[0], rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(ours[1], theirs[1], rtol=1e-6, atol=1e-9)


def test_advantages_per_token_agree(trainer, case):
    case.advantages = torch.randn(8, 12, dtype=torch.float64)
    theirs, ours = trl_loss(trainer, case, "bnpo"), our_loss(rl.recipes.bnpo, case)
    torch.testing.assert_close(ours[1], theirs[1], rtol=1e-6, atol=1e-9)


def test_known_difference_nan_in_padding(trainer, case):
    clean = our_loss(rl.recipes.grpo, case)
    case.logp = case.logp.masked_fill(~case.mask, NAN)
    assert trl_loss(trainer, case, "grpo")[0].isnan()
    ours = our_loss(rl.recipes.grpo, case)
    assert torch.equal(ours[0], clean[0])
    assert torch.equal(ours[1], clean[1])


def test_known_difference_unbounded_ratio(trainer, case):
    case.logp, case.old_logp = case.logp.float() * 0, case.logp.float() * 0 - 100
    case.advantages = -torch.ones(8)
    assert not trl_loss(trainer, case, "grpo")[0].isfinite()
    assert our_loss(rl.recipes.grpo, case)[0].isfinite()


def test_known_difference_kl_is_weighted_by_the_ratio_by_default(trainer, case):
    weighted = trl_loss(trainer, case, "grpo", beta=0.04, use_bias_correction_kl=True)
    ours = our_loss(rl.recipes.grpo, case, beta=0.04, ref_logp=case.ref_logp)
    assert (weighted[0] - ours[0]).abs() > 1e-4


def test_known_difference_identical_rewards():
    """``(r − mean)/(std + 1e-4)`` in float32 leaks rounding where there is no contrast."""
    rewards = torch.full((7,), 0.1)
    leaked = (rewards - rewards.mean()) / (rewards.std() + 1e-4)
    assert leaked.abs().max() > 0
    assert not rl.group_relative(rewards, [0] * 7).any()
