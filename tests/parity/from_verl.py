"""verl's losses, advantages and rollout corrections; runs where verl is installed."""

import itertools
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import torch
from parity_inputs import LENGTHS, largest_leak, loss_and_gradient, row, tensors, write
from verl.trainer.ppo import core_algos as algos
from verl.trainer.ppo.rollout_corr_helper import compute_rollout_correction_and_rejection_mask
from verl.utils.torch_functional import masked_whiten
from verl.workers.config import FSDPActorConfig
from verl.workers.config.actor import PolicyLossConfig

X = tensors()
MODES = ["token-mean", "token-sum", "seq-mean-token-mean", "seq-mean-token-sum"]
NORM = {"loss_agg_mode": "seq-mean-token-sum-norm", "global_batch_info": {"loss_scale_factor": 16}}
TRUNCATED = {"rollout_is": "token", "rollout_is_threshold": 1.2}


def rows() -> Iterator[dict]:
    yield from losses()
    yield from advantages()
    yield from corrections()
    for mask, clip in itertools.product(("ragged", "holes", "empty"), (0.2, 1.0)):
        found = loss_and_gradient(
            lambda v, mask=mask, clip=clip: algos.compute_value_loss(
                v, X["returns"], X["old_values"], X[mask], clip
            )[0],
            X["values"],
        )
        yield row("value", found, mask=mask, clip=clip)
    for name in ("k1", "abs", "k2", "k3", "k1+", "k3+"):
        found = loss_and_gradient(
            lambda x, name=name: algos.kl_penalty(x, X["ref_logp"], name).sum(), X["logp"]
        )
        tokens = algos.kl_penalty(X["logp"], X["ref_logp"], name)
        yield row("kl", {"kl": tokens, "gradient": found["gradient"]}, name=name)
    far = algos.kl_penalty(torch.tensor([-20.0]), torch.tensor([0.0]), "k3")
    yield row("kl_clamp", {"k3": far})
    for name in ("grpo", "grpo_vectorized"):
        yield row("leak", largest_leak(lambda r, name=name: leaked(r, name)), name=name)
    config = FSDPActorConfig(rollout_n=1, ppo_micro_batch_size_per_gpu=1)
    yield row("dppo_cap", {"cap": config.get("clip_ratio_c", 20.0)})  # as its DPPO asks for it


def losses() -> Iterator[dict]:
    for mode, mask in itertools.product(MODES, ("ragged", "holes", "empty")):
        yield policy("vanilla", mask=mask, loss_agg_mode=mode)
    yield policy("vanilla", **NORM)
    yield policy("vanilla", loss_agg_mode="seq-mean-token-sum-norm")  # by the padded width
    yield policy("vanilla", global_batch_info={"batch_num_tokens": 100, "dp_size": 2})
    everywhere = {"global_batch_size": 16, "dp_size": 2}
    for mode in MODES[2:]:
        yield policy("vanilla", loss_agg_mode=mode, global_batch_info=everywhere)
    yield policy("vanilla", clip_ratio_high=0.28, clip_ratio_c=1.3)
    yield policy("vanilla", advantages="token_advantages")
    yield policy("vanilla", correction=TRUNCATED)
    for mask in ("ragged", "holes", "empty"):
        yield policy("gspo", mask=mask, loss_agg_mode="seq-mean-token-mean")
        yield policy("sapo", mask=mask)
        yield policy("cispo", mask=mask)
        yield policy("gpg", mask=mask)
        yield policy("geo_mean", mask=mask)
        yield policy(
            "dppo_tv", mask=mask, clip_ratio_low=0.05, clip_ratio_high=0.05, clip_ratio_c=20.0
        )
        yield policy(
            "dppo_kl", mask=mask, clip_ratio_low=0.01, clip_ratio_high=0.01, clip_ratio_c=20.0
        )
    yield policy(
        "gspo", clip_ratio_low=3e-4, clip_ratio_high=4e-4, loss_agg_mode="seq-mean-token-mean"
    )
    yield policy("gspo", advantages="token_advantages", loss_agg_mode="seq-mean-token-mean")
    yield policy("gspo", loss_agg_mode="token-mean")
    yield policy("sapo", tau_pos=2.0, tau_neg=3.0)
    yield policy("cispo", clip_ratio_low=1.0, clip_ratio_high=0.28)
    yield policy("geo_mean", clip_ratio_low=0.4, clip_ratio_high=0.4)
    yield policy("geo_mean", clip_ratio_low=0.4, clip_ratio_high=0.4, correction=TRUNCATED)
    yield policy("dppo_tv", clip_ratio_low=0.15, clip_ratio_high=0.15, clip_ratio_c=1.2)
    yield policy("dppo_kl", clip_ratio_low=0.05, clip_ratio_high=0.05, clip_ratio_c=1.2)
    for advantage in ("advantages", "token_advantages"):
        # A share so large that the random choice takes every candidate.
        every = {"clip_cov_ratio": 0.9, "clip_cov_lb": 0.1, "clip_cov_ub": 5.0}
        yield policy("clip_cov", advantages=advantage, policy_loss=every)
        yield policy(
            "clip_cov",
            advantages=advantage,
            policy_loss=every,
            clip_ratio_low=1.0,
            clip_ratio_high=1.0,
        )
        for share in (0.0002, 0.2):
            kl_cov = {"kl_cov_ratio": share, "ppo_kl_coef": 1.0}
            yield policy("kl_cov", advantages=advantage, policy_loss=kl_cov)


def policy(name: str, mask: str = "ragged", advantages: str = "advantages", **settings) -> dict:
    given = dict(settings)
    weights = None
    if given.get("correction"):
        weights = corrected(**given.pop("correction"))[0].batch["rollout_is_weights"]
    config = FSDPActorConfig(
        rollout_n=1,
        ppo_micro_batch_size_per_gpu=1,
        policy_loss=PolicyLossConfig(**given.pop("policy_loss", {})),
        global_batch_info=given.pop("global_batch_info", {}),
        **{k: v for k, v in given.items() if k != "loss_agg_mode"},
    )
    scores = X[advantages] if X[advantages].ndim == 2 else X[advantages].unsqueeze(1).expand(6, 9)
    metrics = {}

    def call(logp: torch.Tensor) -> torch.Tensor:
        loss, found = algos.get_policy_loss_fn(name)(
            old_log_prob=X["old_logp"],
            log_prob=logp,
            advantages=scores,
            response_mask=X[mask],
            loss_agg_mode=given.get("loss_agg_mode", "token-mean"),
            config=config,
            rollout_is_weights=weights,
        )
        metrics.update(found)
        return loss

    found = loss_and_gradient(call, X["logp"])
    return row(
        "policy",
        {**found, "metrics": metrics},
        name=name,
        mask=mask,
        advantages=advantages,
        **settings,
    )


def advantages() -> Iterator[dict]:
    for mask, group, rewards in itertools.product(
        ("ragged", "holes"), ("group", "uneven_group"), ("rewards", "idle_rewards")
    ):
        found = {
            name: estimate(name, rewards, group, mask, **kw) for name, kw in ESTIMATORS.items()
        }
        yield row("advantages", found, mask=mask, group=group, rewards=rewards)
    lone = {name: estimate(name, "rewards", "lone_group", "ragged") for name in ("grpo", "rloo")}
    yield row("lone", lone)
    for gamma in (1.0, 0.9):
        for mask in ("ragged", "holes"):
            found = estimate(
                "reinforce_plus_plus", "rewards", "group", mask, config=SimpleNamespace(gamma=gamma)
            )
            yield row("reinforce_pp", {"advantages": found}, mask=mask, gamma=gamma)
    for weights in ([1.0, 1.0], [2.0, 0.5]):
        yield row("gdpo", {"advantages": gdpo(weights)}, weights=weights)
    greedy = algos.compute_remax_outcome_advantage(
        at_end("rewards", "ragged"), X["greedy_rewards"], X["ragged"]
    )
    yield row("remax", {"advantages": greedy[0]})
    for mask, (gamma, lam) in itertools.product(
        ("ragged", "holes"), ((1.0, 1.0), (1.0, 0.95), (0.9, 0.8))
    ):
        found = algos.compute_gae_advantage_return(
            X["token_rewards"], X["values"], X[mask], gamma, lam
        )
        yield row(
            "gae",
            dict(zip(("whitened", "returns"), found, strict=True)),
            mask=mask,
            gamma=gamma,
            lam=lam,
        )
        for shift in (True, False):
            whitened = masked_whiten(X["values"], X[mask], shift)
            yield row("whiten", {"whitened": whitened}, mask=mask, shift_mean=shift)


ESTIMATORS = {
    "grpo": {},
    "grpo_vectorized": {},
    "rloo": {},
    "rloo_vectorized": {},
    "opo": {},
    "gpg": {},
    "grpo_passk": {"config": {"norm_adv_by_std_in_grpo": False}},
    "reinforce_plus_plus_baseline": {},
}


def estimate(name: str, rewards: str, group: str, mask: str, **settings) -> torch.Tensor:
    return algos.get_adv_estimator_fn(name)(
        token_level_rewards=at_end(rewards, mask),
        response_mask=X[mask],
        index=X[group].numpy(),
        **settings,
    )[0]


def at_end(rewards: str, mask: str) -> torch.Tensor:
    """The reward at the last valid token."""
    tokens = torch.zeros(6, 9, dtype=torch.float64)
    for i, n in enumerate(LENGTHS):
        tokens[i, n - 1] = X[rewards][i]
    return tokens * X[mask]


def gdpo(weights: list[float]) -> torch.Tensor:
    """Computed by verl in float32."""
    keys = ["first", "second"]
    columns = dict(zip(keys, X["several_rewards"].T.numpy(), strict=True))
    return algos.compute_gdpo_outcome_advantage(
        at_end("rewards", "ragged"),
        X["ragged"],
        X["group"].numpy(),
        config={"gdpo_reward_keys": keys, "gdpo_reward_weights": weights},
        non_tensor_batch=columns,
        batch={
            "prompts": torch.zeros(6, 1),
            "attention_mask": torch.cat([torch.ones(6, 1, dtype=torch.long), X["ragged"]], 1),
        },
    )[0]


def corrections() -> Iterator[dict]:
    for level, threshold, normalize in itertools.product(
        ("token", "sequence"), (1.2, "0.5_1.5"), (False, True)
    ):
        settings = {
            "rollout_is": level,
            "rollout_is_threshold": threshold,
            "rollout_is_batch_normalize": normalize,
        }
        for mask in ("ragged", "holes"):
            weights, _, metrics = corrected(mask=mask, **settings)
            metrics = {k.removeprefix("rollout_corr/"): v for k, v in metrics.items()}
            found = {"weights": weights.batch["rollout_is_weights"], "metrics": metrics}
            yield row("weights", found, mask=mask, **settings)
    for option, threshold in REJECTIONS.items():
        _, mask, _ = corrected(rollout_rs=option, rollout_rs_threshold=threshold)
        yield row("rejection", {"mask": mask}, rollout_rs=option, rollout_rs_threshold=threshold)


REJECTIONS = {
    "token_k1": "0.8_1.2",
    "token_k2": 0.02,
    "token_k3": 0.02,
    "seq_sum_k1": "0.5_2.0",
    "seq_sum_k2": 0.2,
    "seq_sum_k3": 0.2,
    "seq_mean_k1": "0.9_1.1",
    "seq_mean_k2": 0.04,
    "seq_mean_k3": 0.04,
    "seq_max_k2": 0.1,
    "seq_max_k3": 0.1,
}


def corrected(mask: str = "ragged", **settings) -> tuple:
    return compute_rollout_correction_and_rejection_mask(
        X["old_logp"], X["sampler_logp"], X[mask], **settings
    )


def leaked(rewards: torch.Tensor, name: str) -> torch.Tensor:
    tokens = rewards.reshape(-1, 1)
    index = np.arange(len(tokens)) // rewards.shape[1]
    estimator = algos.get_adv_estimator_fn(name)
    return estimator(
        token_level_rewards=tokens, response_mask=torch.ones_like(tokens), index=index
    )[0]


if __name__ == "__main__":
    write("verl", rows())
