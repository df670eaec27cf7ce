"""Values and gradients of TRL, Liger, verl and OpenRLHF, frozen as JSON, against the same from here.

``tests/parity`` computes the files; each row names what was called and with which settings. The
functions below say how the same is written with ``rl``: a dictionary of settings, as it were. Where
a library does something else on purpose or by mistake, the difference is asserted at the end.
"""

import importlib
import json
import math
from collections.abc import Callable
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest
import torch

from rlrewards import objectives as rl

FOLDER = Path(__file__).parent.parent / "parity"
LIBRARIES = ("trl", "liger", "verl", "openrlhf")
LENGTH = 16


def read(x):
    """Numbers as float64 tensors; NaN, which JSON has not, is a string there."""
    if isinstance(x, dict):
        return {name: read(value) for name, value in x.items()}
    if isinstance(x, list):
        return torch.stack([read(value) for value in x])
    return torch.tensor(float(x), dtype=torch.float64)


FROZEN = {name: json.loads((FOLDER / f"{name}.json").read_text()) for name in LIBRARIES}


@cache
def given(library):
    """The inputs of a library's file, by name."""
    x = SimpleNamespace(**{name: read(value) for name, value in FROZEN[library]["inputs"].items()})
    x.group, x.uneven_group, x.lone_group = (
        getattr(x, name).long() for name in ("group", "uneven_group", "lone_group")
    )
    return x


class Valid(NamedTuple):
    """A result of which only the valid tokens count: a library may leave anything elsewhere."""

    x: torch.Tensor
    mask: torch.Tensor


def agree(ours, theirs, rtol, atol=1e-12):
    if isinstance(ours, Valid):
        ours, theirs = (x[ours.mask != 0] for x in (ours.x, theirs))
    torch.testing.assert_close(ours, theirs.to(ours.dtype), rtol=rtol, atol=atol)


def with_gradient(call, x, name="logp"):
    """Loss, its gradient and the metrics of ``call``, a function of one of the inputs."""
    at = getattr(x, name).clone().requires_grad_()
    found = call(at)
    loss, metrics = found if isinstance(found, tuple) else (found, {})
    gradient = torch.autograd.grad(loss, at)[0]
    return {"loss": loss.detach(), "gradient": gradient, "metrics": metrics}


# How TRL's settings are written here


def trl_loss(x, *, loss_type, mask, advantages="advantages", **settings):
    s = SimpleNamespace(**{**TRL, **settings})
    mask, scores = getattr(x, mask), getattr(x, advantages)
    terms = {"beta": s.beta, "ref_logp": x.ref_logp, "metrics": True}
    if s.use_bias_correction_kl:
        terms["kl"] = partial(rl.corrected_k3, old_logp=x.old_logp)
    if s.off_policy_mask_threshold is not None:
        terms["keep"] = rl.off_policy_sequence_mask(
            x.logp, x.old_logp, scores, mask, threshold=s.off_policy_mask_threshold
        )
    if s.top_entropy_quantile < 1:
        terms["keep"] = rl.top_entropy_mask(x.entropy, mask, share=s.top_entropy_quantile)
    if s.use_vllm:
        weight = trl_weights(x, mask=mask, **settings)["weights"]
        if loss_type == "vespo":
            per_row = weight[:, 0] if s.vllm_importance_sampling_mode.startswith("seq") else weight
            terms["log_weight"] = per_row.log()
        else:
            terms["weight"] = weight.expand_as(x.logp)
    recipe = trl_recipe(loss_type, s)
    names = trl_metrics(loss_type, s)

    def call(logp):
        loss, found = recipe(logp, x.old_logp, scores, mask, **terms)
        return loss, {theirs: sum(found[k] for k in ours) for theirs, ours in names.items()}

    return with_gradient(call, x)


TRL = {
    "epsilon_low": 0.2,
    "epsilon_high": 0.2,
    "delta": None,
    "beta": 0.0,
    "use_bias_correction_kl": True,
    "importance_sampling_level": "token",
    "off_policy_mask_threshold": None,
    "top_entropy_quantile": 1.0,
    "sapo_temperature_pos": 1.0,
    "sapo_temperature_neg": 1.05,
    "use_vllm": False,
    "vllm_importance_sampling_mode": "sequence_mask",
    "vllm_importance_sampling_clip_min": None,
    "vllm_importance_sampling_clip_max": 3.0,
}


def trl_recipe(loss_type, s):
    bounds = {"low": s.epsilon_low, "high": s.epsilon_high, "ceiling": s.delta}
    if s.delta is not None and s.delta < 1 + s.epsilon_high:
        # Below the clip, delta bounds the ratio of good tokens too; bad ones end at 1 + epsilon.
        bounds |= {"high": s.delta - 1, "ceiling": 1 + s.epsilon_high}
    if s.importance_sampling_level == "sequence":
        return partial({"grpo": rl.recipes.gspo, "luspo": rl.recipes.luspo}[loss_type], **bounds)
    if loss_type in ("grpo", "bnpo", "dapo"):
        return partial(getattr(rl.recipes, loss_type), **bounds)
    if loss_type == "dr_grpo":
        return partial(rl.recipes.dr_grpo, length=LENGTH, **bounds)
    if loss_type == "luspo":  # with the ratio of tokens: PPO's clip, summed over the row
        return partial(rl.recipes.dr_grpo, length=1, **bounds)
    if loss_type == "cispo":  # TRL's bound is on the ratio itself
        return partial(rl.recipes.cispo, high=s.epsilon_high - 1)
    if loss_type == "gmpo":
        return partial(rl.recipes.gmpo, low=s.epsilon_low, high=s.epsilon_high)
    temperatures = (s.sapo_temperature_pos, s.sapo_temperature_neg)
    names = ("positive_temperature", "negative_temperature")
    if loss_type == "sapo":
        return partial(rl.recipes.sapo, **dict(zip(names, temperatures, strict=True)))
    return rl.recipes.vespo


def trl_metrics(loss_type, s):
    """Their names of our metrics; those of sequences they take over rows, we over tokens."""
    names = {} if s.beta == 0 or s.use_bias_correction_kl else {"kl": ["kl_ref"]}
    if s.importance_sampling_level == "sequence" or s.delta is not None:
        return names  # (a ratio cut at delta is what TRL compares with its bounds)
    if loss_type in ("grpo", "dr_grpo", "bnpo", "dapo", "luspo", "gmpo"):
        names["clip_ratio/low_mean"] = ["clip_low"]
        names["clip_ratio/high_mean"] = ["clip_high"]
        names["clip_ratio/region_mean"] = ["clip_low", "clip_high"]
    if loss_type == "cispo":
        names["cispo_clip_ratio"] = ["clip_high"]
    return names


def trl_weights(x, *, mask="ragged", **settings):
    s = SimpleNamespace(**{**TRL, **settings})
    mask = getattr(x, mask) if isinstance(mask, str) else mask
    level, how = s.vllm_importance_sampling_mode.split("_")
    low, high = s.vllm_importance_sampling_clip_min or 0.0, s.vllm_importance_sampling_clip_max
    call = {
        "truncate": partial(rl.truncated_importance, floor=low, cap=high),
        "mask": partial(rl.masked_importance, low=low, high=high),
    }[how]
    found = call(x.old_logp, x.sampler_logp, mask, level=level)
    if level == "token":
        return {"weights": found}
    first = found.gather(1, mask.argmax(1, keepdim=True))  # one weight a row, at any valid token
    return {"weights": first}


def trl_rloo_loss(x, *, epsilon):
    """PPO's clip of the ratio of whole sequences."""
    total = partial(rl.masked_sum, mask=x.ragged, dim=1)
    old = total(x.old_logp).unsqueeze(1)

    def call(logp):
        one = total(logp).unsqueeze(1)
        return rl.clipped(one, old, x.advantages, low=epsilon, high=epsilon).mean()

    return with_gradient(call, x)


def trl_advantages(x, *, rewards, scale_rewards):
    scale = "std" if scale_rewards == "group" else scale_rewards
    return {"advantages": rl.group_relative(getattr(x, rewards), x.group, scale=scale)}


def trl_rloo(x, *, rewards):
    return {"advantages": rl.leave_one_out(getattr(x, rewards), x.group)}


def trl_gdpo(x, *, rewards, weights):
    return {"advantages": rl.normalize_then_sum(getattr(x, rewards), x.group, weights=weights)}


# Liger's: TRL's under other names and with other defaults


def liger_loss(x, *, mask, loss_type, **settings):
    s = {"beta": 0.04, "use_bias_correction_kl": False, **settings}
    if s.pop("vllm_is_ratio", None):
        s |= {"use_vllm": True, "vllm_importance_sampling_mode": "token_truncate"}
        s["vllm_importance_sampling_clip_max"] = 1.2
    found = trl_loss(x, mask=mask, loss_type=loss_type, **s)
    metrics = found["metrics"]
    clip = metrics.get("clip_ratio/region_mean", metrics.get("cispo_clip_ratio"))
    found["metrics"] = {} if clip is None else {"clip": clip}
    if "kl" in metrics:
        found["metrics"]["kl"] = metrics["kl"]
    return found


# verl's


def verl_policy(x, *, name, mask, advantages="advantages", **settings):
    s = SimpleNamespace(**{**VERL, **settings})
    mask, scores = getattr(x, mask), getattr(x, advantages)
    aggregate = verl_aggregate(s, mask, name)
    weight = verl_weights(x, **s.correction, mask=mask)["weights"].x if s.correction else 1.0
    surrogate = verl_surrogate(x, name, s, mask, scores)
    if name == "geo_mean" and s.correction:  # one weight a row: the geometric mean
        weight = (rl.masked_sum(weight.log(), mask, 1) / mask.sum(1)).exp().unsqueeze(1)
    metrics = {"actor/ppo_kl": rl.masked_mean(rl.k1(x.old_logp, x.logp), mask)}
    if name == "vanilla" or (name == "gspo" and scores.ndim == 1):
        bounds = {"low": s.clip_ratio_low, "high": s.clip_ratio_high, "ceiling": s.clip_ratio_c}
        found = clip_shares(x, scores, mask, by_sequence=name == "gspo", **bounds)
        metrics["actor/pg_clipfrac"] = found["clip_low"] + found["clip_high"]
        if name == "vanilla":
            metrics["actor/pg_clipfrac_lower"] = found["clip_ceiling"]
    if name in ("kl_cov", "gpg"):
        metrics = {}
    return with_gradient(lambda logp: (aggregate(surrogate(logp) * weight, mask), metrics), x)


def clip_shares(x, scores, mask, *, by_sequence, **bounds):
    if by_sequence:
        return rl.recipes.gspo(x.logp, x.old_logp, scores, mask, **bounds, metrics=True).metrics
    return rl.policy_metrics(x.logp, x.old_logp, scores, mask, **bounds)


VERL = {
    "loss_agg_mode": "token-mean",
    "global_batch_info": {},
    "clip_ratio_low": 0.2,
    "clip_ratio_high": 0.2,
    "clip_ratio_c": 3.0,
    "tau_pos": 1.0,
    "tau_neg": 1.05,
    "policy_loss": {},
    "correction": None,
}


def verl_aggregate(s, mask, name):
    """Rows without a token leave verl's count of sequences, except in its GMPO."""
    info = {"dp_size": 1, **s.global_batch_info}
    rows = info.get("global_batch_size", rl.global_denominator(mask, count="filled"))
    tokens = info.get("batch_num_tokens", mask.sum())
    if name == "geo_mean":
        return rl.sequence_mean
    mode = "seq-mean-token-mean" if name == "sapo" else s.loss_agg_mode
    return {
        "token-mean": partial(rl.token_mean, denominator=tokens / info["dp_size"]),
        "token-sum": rl.token_sum,
        "seq-mean-token-mean": partial(rl.sequence_mean, denominator=rows / info["dp_size"]),
        "seq-mean-token-sum": partial(rl.sequence_sum, denominator=rows / info["dp_size"]),
        "seq-mean-token-sum-norm": partial(
            rl.constant, length=info.get("loss_scale_factor", mask.shape[1]), denominator=rows
        ),
    }[mode]


def verl_surrogate(x, name, s, mask, scores):
    old = x.old_logp
    bounds = {"low": s.clip_ratio_low, "high": s.clip_ratio_high}
    chosen = s.policy_loss
    clip_cov = {
        "share": chosen.get("clip_cov_ratio"),
        "cov_low": chosen.get("clip_cov_lb"),
        "cov_high": chosen.get("clip_cov_ub"),
    }
    kl_cov = {"share": chosen.get("kl_cov_ratio"), "weight": chosen.get("ppo_kl_coef")}
    temperatures = {"positive_temperature": s.tau_pos, "negative_temperature": s.tau_neg}
    return {
        "vanilla": lambda logp: rl.clipped(logp, old, scores, **bounds, ceiling=s.clip_ratio_c),
        "gspo": lambda logp: rl.gspo_token(logp, old, scores, mask, **bounds),
        "sapo": lambda logp: rl.sapo(logp, old, scores, **temperatures),
        "cispo": lambda logp: rl.cispo(logp, old, scores, **bounds),
        "gpg": lambda logp: rl.reinforce(logp, scores),
        "geo_mean": lambda logp: rl.gmpo(logp, old, scores, mask, **bounds),
        "dppo_tv": lambda logp: rl.dppo_tv(logp, old, scores, **bounds, cap=s.clip_ratio_c),
        "dppo_kl": lambda logp: rl.dppo_kl(logp, old, scores, **bounds, cap=s.clip_ratio_c),
        "clip_cov": lambda logp: rl.clip_cov(logp, old, scores, mask, **bounds, **clip_cov),
        "kl_cov": lambda logp: rl.kl_cov(logp, old, scores, mask, **kl_cov),
    }[name]


def verl_value(x, *, mask, clip):
    mask = getattr(x, mask)
    loss = partial(rl.value_loss, returns=x.returns, old_values=x.old_values, clip=clip)
    return with_gradient(lambda values: rl.token_mean(loss(values), mask), x, "values")


def verl_kl(x, *, name):
    call = {
        "k1": rl.k1,
        "abs": rl.k_abs,
        "k2": rl.k2,
        "k3": rl.k3,
        "k1+": straight_through(rl.k1),
        "k3+": rl.k3_straight_through,
    }[name]
    return kl_with_gradient(call, x)


def straight_through(estimator, way=rl.k2):
    """The value of one estimator with the gradient of another."""

    def call(logp, ref_logp):
        slope = way(logp, ref_logp)
        return estimator(logp, ref_logp).detach() + slope - slope.detach()

    return call


def kl_with_gradient(call, x):
    gradient = with_gradient(lambda logp: call(logp, x.ref_logp).sum(), x)["gradient"]
    return {"kl": call(x.logp, x.ref_logp), "gradient": gradient}


def verl_advantages(x, *, mask, group, rewards):
    mask, group, r = getattr(x, mask), getattr(x, group), getattr(x, rewards)
    per_row = {
        "grpo": rl.group_relative(r, group, eps=1e-6),
        "grpo_vectorized": rl.group_relative(r, group, eps=1e-6),
        "rloo": rl.leave_one_out(r, group),
        "rloo_vectorized": rl.leave_one_out(r, group),
        "opo": rl.opo(r, group, mask.sum(1)),
        "gpg": rl.group_relative(r, group, scale="none") * len(r) / (r != 0).sum(),
        "grpo_passk": rl.pass_at_k(r, group),
    }
    found = {name: a.unsqueeze(1) * mask for name, a in per_row.items()}
    return {**found, "reinforce_plus_plus_baseline": rl.reinforce_pp_baseline(r, group, mask)}


def verl_reinforce_pp(x, *, mask, gamma):
    return {"advantages": rl.reinforce_pp(x.rewards, getattr(x, mask), gamma=gamma)}


def verl_gdpo(x, *, weights):
    lengths = x.ragged.sum(1)
    found = rl.normalize_then_sum(
        x.several_rewards, x.group, weights=weights, eps=1e-6, lengths=lengths
    )
    return {"advantages": found.unsqueeze(1) * x.ragged}


def verl_remax(x):
    return {"advantages": rl.remax(x.rewards, x.greedy_rewards).unsqueeze(1) * x.ragged}


def verl_gae(x, *, mask, gamma, lam):
    mask = getattr(x, mask)
    advantages, returns = rl.gae(x.token_rewards, x.values, mask, gamma=gamma, lam=lam)
    return {"whitened": Valid(rl.whiten(advantages, mask), mask), "returns": Valid(returns, mask)}


def verl_whiten(x, *, mask, shift_mean):
    mask = getattr(x, mask)
    return {"whitened": Valid(rl.whiten(x.values, mask, shift_mean=shift_mean), mask)}


def verl_weights(
    x, *, rollout_is, rollout_is_threshold, rollout_is_batch_normalize=False, mask="ragged"
):
    mask = getattr(x, mask) if isinstance(mask, str) else mask
    if isinstance(rollout_is_threshold, str):
        low, high = map(float, rollout_is_threshold.split("_"))
        call = partial(rl.masked_importance, low=low, high=high)
    else:
        call = partial(rl.truncated_importance, cap=rollout_is_threshold)
    weights = call(x.old_logp, x.sampler_logp, mask, level=rollout_is)
    if rollout_is_batch_normalize:
        rows = (rl.masked_sum(weights, mask, 1) / mask.sum(1)).mean()
        mean = rows if rollout_is == "sequence" else None
        weights = rl.normalized_weights(weights, mask, mean=mean)
    metrics = {
        "kl": rl.masked_mean(rl.k1(x.sampler_logp, x.old_logp), mask),
        "k3_kl": rl.masked_mean(rl.k3(x.sampler_logp, x.old_logp), mask),
    }
    return {"weights": Valid(weights, mask), "metrics": metrics}


def verl_rejection(x, *, rollout_rs, rollout_rs_threshold):
    *level, name = rollout_rs.split("_")
    estimator = getattr(rl, name)
    if name == "k1":  # its bounds are given as ratios
        low, high = (math.log(float(bound)) for bound in rollout_rs_threshold.split("_"))
    else:
        low, high = -math.inf, rollout_rs_threshold
    found = rl.rejection_mask(
        x.ragged,
        x.old_logp,
        x.sampler_logp,
        estimator=estimator,
        low=low,
        high=high,
        level=level[-1],
    )
    return {"mask": found.double()}


# OpenRLHF's


def openrlhf_policy(x, *, mask, **settings):
    s = SimpleNamespace(**{**OPENRLHF, **settings})
    mask = getattr(x, mask)
    aggregate = rl.token_mean
    if not s.token_level_loss or s.policy_loss_type == "gspo":
        rows = rl.global_denominator(mask, count="filled")
        aggregate = partial(rl.sequence_mean, denominator=rows)
    bounds = {"low": s.clip_eps_low, "high": s.clip_eps_high, "ceiling": s.dual_clip}
    low, high = s.is_correction_threshold
    sampled = (x.old_logp, x.sampler_logp, mask)
    weight = {
        ("off", "mask"): lambda: 1.0,
        ("token", "clip"): lambda: rl.truncated_importance(*sampled, floor=low, cap=high),
        ("token", "mask"): lambda: rl.masked_importance(*sampled, low=low, high=high),
        ("seq", "mask"): lambda: rl.sequence_mask_tis(*sampled, low=low, high=high),
    }[s.is_correction_level, s.is_correction_mode]()
    gspo = s.policy_loss_type == "gspo"
    found = clip_shares(x, x.advantages, mask, by_sequence=gspo, **bounds)
    metrics = {
        "clip": found["clip_low"] + found["clip_high"],
        "approx_kl": rl.masked_mean(rl.k1(x.old_logp, x.logp), mask),
    }

    def call(logp):
        if gspo:
            loss = rl.gspo(logp, x.old_logp, x.advantages, mask, **bounds)
        else:
            loss = rl.clipped(logp, x.old_logp, x.advantages, **bounds)
        return aggregate(loss * weight, mask), metrics

    return with_gradient(call, x)


OPENRLHF = {
    "clip_eps_low": 0.2,
    "clip_eps_high": 0.2,
    "dual_clip": None,
    "token_level_loss": True,
    "policy_loss_type": "ppo",
    "is_correction_level": "off",
    "is_correction_mode": "mask",
    "is_correction_threshold": (0.5, 5.0),
}


def openrlhf_value(x, *, mask, token_level_loss, clip_eps):
    mask = getattr(x, mask)
    filled = rl.global_denominator(mask, count="filled")
    mean = rl.token_mean if token_level_loss else partial(rl.sequence_mean, denominator=filled)
    clip = {} if clip_eps is None else {"old_values": x.old_values, "clip": clip_eps}
    return with_gradient(
        lambda values: mean(rl.value_loss(values, x.returns, **clip), mask), x, "values"
    )


def openrlhf_kl(x, *, estimator, unbiased_gradient):
    call = getattr(rl, estimator)
    if unbiased_gradient:
        call = straight_through(call, partial(rl.corrected_k3, old_logp=x.old_logp))
    return kl_with_gradient(call, x)


def openrlhf_advantages(x, *, estimator, mask, kl_coef, gamma, lambd):
    mask = getattr(x, mask)
    scores = {
        "rloo": rl.leave_one_out,
        "reinforce_baseline": partial(rl.group_relative, scale="none"),
        "dr_grpo": partial(rl.group_relative, scale="none"),
        "group_norm": partial(rl.group_relative, eps=1e-9),
    }.get(estimator, lambda rewards, group: rewards)(x.rewards, x.group)
    rewards = rl.reward_at_end(scores, mask, kl=rl.k1(x.old_logp, x.ref_logp), beta=kl_coef)
    if estimator == "gae":
        advantages, returns = rl.gae(
            rewards, x.values, mask, gamma=gamma, lam=lambd, holes="discount"
        )
    else:
        # Discounting through a hole is what GAE does with λ = 1 and no values.
        returns, _ = rl.gae(rewards, 0 * x.values, mask, gamma=gamma, lam=1.0, holes="discount")
        advantages = returns
    if estimator in ("gae", "reinforce", "reinforce_baseline"):
        advantages = rl.whiten(advantages, mask, ddof=0)
    return {"advantages": Valid(advantages, mask), "returns": Valid(returns, mask)}


def openrlhf_gae(x, *, mask, gamma, lambd):
    mask = getattr(x, mask)
    advantages, returns = rl.gae(
        x.token_rewards, x.values, mask, gamma=gamma, lam=lambd, holes="discount"
    )
    return {"advantages": Valid(advantages, mask), "returns": Valid(returns, mask)}


def openrlhf_reward(x, *, mask, kl_coef):
    mask = getattr(x, mask)
    kl = rl.k1(x.old_logp, x.ref_logp)
    return {"reward": Valid(rl.reward_at_end(x.rewards, mask, kl=kl, beta=kl_coef), mask)}


OURS: dict[str, dict[str, Callable]] = {
    "trl": {
        "loss": trl_loss,
        "weights": trl_weights,
        "rloo_loss": trl_rloo_loss,
        "advantages": trl_advantages,
        "rloo": trl_rloo,
        "gdpo": trl_gdpo,
    },
    "liger": {"loss": liger_loss},
    "verl": {
        "policy": verl_policy,
        "value": verl_value,
        "kl": verl_kl,
        "advantages": verl_advantages,
        "reinforce_pp": verl_reinforce_pp,
        "gdpo": verl_gdpo,
        "remax": verl_remax,
        "gae": verl_gae,
        "whiten": verl_whiten,
        "weights": verl_weights,
        "rejection": verl_rejection,
    },
    "openrlhf": {
        "policy": openrlhf_policy,
        "value": openrlhf_value,
        "kl": openrlhf_kl,
        "advantages": openrlhf_advantages,
        "gae": openrlhf_gae,
        "reward": openrlhf_reward,
    },
}

DIFFERENT = {
    "trl": {"leak", "nan_padding", "bnpo_cut"},
    "liger": {"nan_padding", "luspo_padding"},
    "verl": {"leak", "kl_clamp", "lone", "dppo_cap"},
    "openrlhf": {"leak", "kl_clamp"},
}
"""Calls whose rows are asserted one by one, below."""


def differs(library, row):
    s = row["settings"]
    return (
        row["call"] in DIFFERENT[library]
        or (s.get("loss_type"), s.get("mask")) == ("gmpo", "empty")
        or (library == "liger" and s.get("loss_type") == "luspo" and by_token(s))
    )


def by_token(settings):
    return settings.get("importance_sampling_level", "token") == "token"


def tolerance(library, row, name):
    """Relative and absolute: float64 throughout, but for what the library computes otherwise."""
    call, settings = row["call"], row["settings"]
    if (library, call) in (("openrlhf", "advantages"), ("openrlhf", "kl"), ("verl", "gdpo")):
        return 2e-5, 1e-7  # all in float32 there
    if name == "grpo_vectorized":
        leak = "idle" in settings["rewards"]  # equal rewards leak its rounding, as said below
        return 2e-5, 0.02 if leak else 1e-7
    if library == "trl" and settings.get("loss_type") == "sapo":
        return 1e-6, 1e-12  # its temperatures are float32, and 1.05 is not a float32
    if library == "trl" and call in ("advantages", "gdpo"):
        # n/(n − 1) is float32 in its std; rounding of equal rewards is divided by 1e-4
        return 1e-7, 1e-11
    if library == "verl" and call == "advantages":
        return 1e-7, 1e-9  # rounding of equal rewards is divided by 1e-6
    # verl and OpenRLHF add 1e-8 to counts of tokens, and verl's n/(n − 1) is float32
    return (1e-9 if library in ("trl", "liger") else 1e-7), 1e-12


def rows(library):
    for i, row in enumerate(FROZEN[library]["rows"]):
        if not differs(library, row):
            words = [f"{k}={v}" for k, v in row["settings"].items()]
            yield pytest.param(library, i, id="-".join([library, row["call"], *words]))


@pytest.mark.parametrize(("library", "i"), [row for name in LIBRARIES for row in rows(name)])
def test_same_values_and_gradients(library, i):
    row = FROZEN[library]["rows"][i]
    theirs = read(row["outputs"])
    ours = OURS[library][row["call"]](given(library), **row["settings"])
    for name in theirs.keys() - {"metrics"}:
        agree(ours[name], theirs[name], *tolerance(library, row, name))
    for name, metric in ours.get("metrics", {}).items():
        agree(metric, theirs["metrics"][name], 1e-6)  # often float32 there


@pytest.mark.parametrize("loss_type", ["grpo", "dr_grpo", "bnpo", "dapo"])
@pytest.mark.parametrize("settings", [{}, {"delta": 2.0}, {"beta": 0.04, "use_bias_correction_kl": False}])  # fmt: skip
def test_float32_agrees_with_float64_of_trl(loss_type, settings):
    """The fused path, which float64 does not take."""
    row = found("trl", "loss", loss_type=loss_type, mask="ragged", **settings)
    theirs = read(row["outputs"])
    x = given("trl")
    single = {k: v.float() if v.dtype == torch.float64 else v for k, v in vars(x).items()}
    ours = trl_loss(SimpleNamespace(**single), **row["settings"])
    for name in ("loss", "gradient"):
        assert ours[name].dtype == torch.float32
        agree(ours[name], theirs[name], 1e-5, 1e-7)


def found(library, call, **settings):
    """The row of that call with these settings, and no others but the name of the advantages."""
    for row in FROZEN[library]["rows"]:
        theirs = {k: v for k, v in row["settings"].items() if k != "advantages"}
        if row["call"] == call and theirs == settings:
            return row
    raise LookupError(f"{library} has no {call} with {settings}")


def outputs(library, call, **settings):
    return read(found(library, call, **settings)["outputs"])


def test_every_bound_is_passed_on_both_sides():
    """Else rows with and without it could agree by saying nothing."""
    x = given("trl")
    valid = x.ragged != 0
    r, good = (x.logp - x.old_logp).exp(), (x.advantages > 0).unsqueeze(1).expand_as(x.logp)
    for bound in (0.8, 1.1, 1.2, 1.28, 2.0, 3.0):
        assert (valid & ~good & (r > bound)).any()
        assert (valid & (r < bound)).any()
    assert (valid & good & (r > 1.28)).any()
    assert (valid & ~good & (r < 0.8)).any()
    row = rl.sequence_ratio(x.logp, x.old_logp, x.ragged)
    assert ((row > 1.2) & (x.advantages > 0)).any()
    assert ((row < 0.8) & (x.advantages < 0)).any()


# What differs, on purpose or not


@pytest.mark.parametrize("library", ["trl", "liger"])
def test_known_difference_nan_in_padding(library):
    assert outputs(library, "nan_padding")["loss"].isnan()
    x = given(library)
    padded = x.logp.masked_fill(x.ragged == 0, math.nan)
    ours = rl.recipes.grpo(padded, x.old_logp, x.advantages, x.ragged).loss
    assert torch.equal(ours, rl.recipes.grpo(x.logp, x.old_logp, x.advantages, x.ragged).loss)


def test_known_difference_liger_luspo_depends_on_the_padded_width():
    theirs = outputs("liger", "luspo_padding")
    assert (theirs["loss"] - theirs["padded"]).abs() > 0.1
    x = given("liger")
    for columns, name in ((0, "loss"), (5, "padded")):
        logp, old, mask = (
            torch.nn.functional.pad(z, (0, columns)) for z in (x.logp, x.old_logp, x.ragged)
        )
        every = rl.clipped(logp, old, x.advantages)  # of padding too, times the length of the row
        agree((every * mask.sum(1, keepdim=True)).mean(), theirs[name], 1e-9)
        loss = trl_recipe("luspo", SimpleNamespace(**TRL))(logp, old, x.advantages, mask).loss
        agree(loss, outputs("trl", "loss", loss_type="luspo", mask="ragged")["loss"], 1e-9)


def test_known_difference_bnpo_depends_on_the_cut():
    theirs, x = outputs("trl", "bnpo_cut"), given("trl")
    dapo = partial(rl.recipes.dapo, high=0.2, denominator=x.ragged.sum())
    for parts, name in ((1, "gradient"), (2, "in_two"), (3, "in_three")):
        agree(gradient_in(parts, rl.recipes.bnpo, x) / parts, theirs[name], 1e-9)  # ours does too
        agree(gradient_in(parts, dapo, x), theirs["gradient"], 1e-9)
    for name in ("in_two", "in_three"):
        assert (theirs[name] - theirs["gradient"]).abs().max() > 0.01


def gradient_in(parts, recipe, x):
    """The gradient of the sum over micro-batches."""

    def call(logp):
        batch = (logp, x.old_logp, x.advantages, x.ragged)
        return sum(recipe(*m).loss for m in zip(*(z.chunk(parts) for z in batch), strict=True))

    return with_gradient(call, x)["gradient"]


def test_known_difference_trl_corrects_its_kl_by_default():
    plain = {"beta": 0.04, "use_bias_correction_kl": False}
    for loss_type in ("grpo", "dapo"):
        corrected = outputs("trl", "loss", loss_type=loss_type, mask="ragged", beta=0.04)
        k3 = outputs("trl", "loss", loss_type=loss_type, mask="ragged", **plain)
        liger = outputs("liger", "loss", loss_type=loss_type, mask="ragged")
        assert (corrected["loss"] - k3["loss"]).abs() > 1e-4
        agree(liger["gradient"], k3["gradient"], 1e-9)


@pytest.mark.parametrize(
    ("library", "settings", "least"),
    [
        ("trl", {}, 0.009),
        ("verl", {"name": "grpo"}, 0.6),
        ("verl", {"name": "grpo_vectorized"}, 0.6),
        ("openrlhf", {}, 950),
    ],
)
def test_known_difference_identical_rewards_leak(library, settings, least):
    theirs = outputs(library, "leak", **settings)
    assert theirs["leak"] > least
    rewards = torch.full((int(theirs["size"]),), theirs["reward"].item())
    assert not rl.group_relative(rewards, [0] * len(rewards), eps=1e-9).any()


@pytest.mark.parametrize("library", ["verl", "openrlhf"])
def test_known_difference_k3_stops_at_10(library):
    assert outputs(library, "kl_clamp")["k3"].item() == 10
    far = torch.tensor([-20.0], dtype=torch.float64)
    assert rl.k3(far, 0 * far).item() == pytest.approx(math.exp(20) - 21)


def test_known_difference_a_completion_alone_in_its_group():
    """verl subtracts 0 and divides by 1; here there is nothing to compare with."""
    theirs, x = outputs("verl", "lone"), given("verl")
    for name, call in (("grpo", rl.group_relative), ("rloo", rl.leave_one_out)):
        alone, mask = theirs[name][5], x.ragged[5]
        agree(alone, x.rewards[5] * mask, 2e-6)  # 1e-6 is added to the 1
        ours = call(x.rewards, x.lone_group)
        assert ours[5] == 0
        assert ours[:5].all()


def test_known_difference_gpg_counts_rewards_that_are_not_zero_in_verl():
    x = given("verl")
    settings = {"mask": "ragged", "group": "group", "rewards": "idle_rewards"}
    theirs = outputs("verl", "advantages", **settings)["gpg"][:, 0]
    deviation = rl.group_relative(x.idle_rewards, x.group, scale="none")
    agree(theirs, deviation * 6 / 5, 1e-7)  # five rewards are not 0
    agree(rl.gpg(x.idle_rewards, x.group), deviation * 6 / 3, 1e-12)  # three can teach


def test_known_difference_a_truncated_row_has_no_value_after_it_in_verl():
    x = given("verl")
    settings = {"gamma": 0.9, "lam": 0.8}
    theirs = outputs("verl", "gae", mask="ragged", **settings)["returns"]
    cut = rl.gae(x.token_rewards, x.values, x.ragged, bootstrap=torch.ones(6), **settings).returns
    last = x.ragged.sum(1, keepdim=True).long() - 1
    agree((cut - theirs).gather(1, last), torch.full((6, 1), 0.9, dtype=torch.float64), 1e-7)


def test_known_difference_openrlhf_discounts_through_holes():
    x = given("openrlhf")
    settings = {"gamma": 0.9, "lambd": 0.8}
    theirs = outputs("openrlhf", "gae", mask="holes", **settings)["advantages"]
    ours = rl.gae(x.token_rewards, x.values, x.holes, gamma=0.9, lam=0.8).advantages
    assert ((ours - theirs)[0, :3].abs() > 1e-3).all()  # ahead of two holes
    agree(ours[1], theirs[1] * x.holes[1], 1e-9)  # a row without a hole


def test_known_difference_verl_counts_no_row_without_a_token():
    x, mode = given("verl"), {"loss_agg_mode": "seq-mean-token-mean"}
    theirs = outputs("verl", "policy", name="vanilla", mask="empty", **mode)["loss"]
    ours = rl.recipes.grpo(x.logp, x.old_logp, x.advantages, x.empty, ceiling=3.0).loss
    agree(ours * 6 / 5, theirs, 1e-7)


def test_known_difference_an_empty_row_adds_its_advantage_to_gmpo_in_trl():
    settings = {"loss_type": "gmpo", "mask": "empty", "epsilon_low": 0.4, "epsilon_high": 0.4}
    theirs, x = outputs("trl", "loss", **settings), given("trl")
    ours = trl_loss(x, **settings)
    agree(ours["gradient"], theirs["gradient"], 1e-9)
    agree(ours["loss"] - x.advantages[2] / 6, theirs["loss"], 1e-9)


def test_known_difference_the_cap_of_dppo_is_the_dual_clip_of_verl():
    """Its DPPO falls back to 20 where the configuration names no cap; it always names 3."""
    assert outputs("verl", "dppo_cap")["cap"] == 3


# The libraries themselves, where they are installed


@pytest.mark.parametrize(("library", "package", "module"), [("trl", "trl", "trl.trainer.grpo_trainer"), ("liger", "liger-kernel", "liger_kernel.chunked_loss.grpo_loss")])  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_installed_library_still_says_so(library, package, module, monkeypatch):
    pytest.importorskip(module)
    try:
        installed = version(package)
    except PackageNotFoundError:
        pytest.skip(f"{package} has no version")
    if installed != FROZEN[library]["made_with"][package]:
        pytest.skip(f"{package} {installed} is not the one of the file")
    monkeypatch.syspath_prepend(str(FOLDER))
    live = list(importlib.import_module(f"from_{library}").rows())
    frozen = FROZEN[library]["rows"]
    assert [row["settings"] for row in live] == [row["settings"] for row in frozen]
    for ours, theirs in zip(live, frozen, strict=True):
        if ours["call"] != "leak":  # its largest is a matter of rounding
            same(read(ours["outputs"]), read(theirs["outputs"]))


def same(one, other):
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for name in one:
            same(one[name], other[name])
    else:
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-9, equal_nan=True)
