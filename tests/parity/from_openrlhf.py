"""OpenRLHF's losses and advantages; runs where OpenRLHF is installed without its dependencies.

They need deepspeed, flash-attn and ray, which do not install on a plain machine. The losses use none
of them. So the packages are made importable without running their tops, and the modules named in
``UNUSED``, imported at the top of a file but not called here, are empty.
"""

import importlib.util
import itertools
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import torch
from parity_inputs import largest_leak, loss_and_gradient, row, tensors, write

UNUSED = {
    "deepspeed": [],
    "ray": [],
    "openrlhf.trainer.ray.launcher": ["RayActorGroup"],
    "openrlhf.trainer.ppo_utils.experience": ["Experience"],
}


def without_tops() -> None:
    root = Path(importlib.util.find_spec("openrlhf").origin).parent
    for name in ("", ".models", ".utils", ".trainer", ".trainer.ray", ".trainer.ppo_utils"):
        package = types.ModuleType(f"openrlhf{name}")
        package.__path__ = [str(root.joinpath(*name.split(".")))]
        sys.modules[package.__name__] = package
    for name, members in UNUSED.items():
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(dict.fromkeys(members))


without_tops()
from openrlhf.models.loss import PolicyLoss, ValueLoss  # noqa: E402
from openrlhf.models.utils import compute_approx_kl, compute_reward  # noqa: E402
from openrlhf.trainer.ppo_utils.experience_maker import RemoteExperienceMaker  # noqa: E402

X = tensors()


def rows() -> Iterator[dict]:
    for token_level_loss, mask in itertools.product((True, False), ("ragged", "holes", "empty")):
        settings = {"token_level_loss": token_level_loss, "mask": mask}
        yield policy(**settings)
        yield policy(clip_eps_high=0.28, **settings)
        yield policy(dual_clip=3.0, clip_eps_high=0.28, **settings)
        yield policy(policy_loss_type="gspo", **settings)
        yield value(clip_eps=None, **settings)
        yield value(clip_eps=0.2, **settings)
    yield policy(dual_clip=1.3)
    for level, mode, threshold in (
        ("token", "clip", (0.0, 1.2)),
        ("token", "clip", (0.8, 1.2)),
        ("token", "mask", (0.8, 1.2)),
        ("seq", "mask", (0.9, 1.1)),
    ):
        yield policy(
            is_correction_level=level, is_correction_mode=mode, is_correction_threshold=threshold
        )
    for estimator in ("k1", "k2", "k3"):
        for unbiased in (False, True):
            yield kl(estimator, unbiased)
    yield row(
        "kl_clamp",
        {"k3": compute_approx_kl(torch.tensor([0.0]), torch.tensor([20.0]), kl_estimator="k3")},
    )
    for estimator in ("gae", "reinforce", "rloo", "reinforce_baseline", "group_norm", "dr_grpo"):
        for mask in ("ragged", "holes"):
            for kl_coef in (0.0, 0.1):
                yield row(
                    "advantages",
                    advantages(estimator, mask, kl_coef),
                    estimator=estimator,
                    mask=mask,
                    kl_coef=kl_coef,
                    gamma=0.9 if estimator in ("gae", "reinforce") else 1.0,
                    lambd=0.95,
                )
    for mask in ("ragged", "holes"):
        for gamma, lambd in ((1.0, 1.0), (1.0, 0.95), (0.9, 0.8)):
            yield gae(mask, gamma, lambd)
        yield row(
            "reward",
            {"reward": compute_reward(X["rewards"], 0.1, k1(), X[mask])},
            mask=mask,
            kl_coef=0.1,
        )
    yield row("leak", largest_leak(leaked))


def policy(mask: str = "ragged", **settings) -> dict:
    loss = PolicyLoss(**settings)
    clipped = []

    def call(logp: torch.Tensor) -> torch.Tensor:
        value, *clipped[:] = loss(
            logp, X["old_logp"], X["advantages"].unsqueeze(1), X[mask], X["sampler_logp"]
        )
        return value

    found = loss_and_gradient(call, X["logp"])
    scalars = {"clip": clipped[0], "approx_kl": clipped[1]}
    return row("policy", {**found, "metrics": scalars}, mask=mask, **settings)


def value(mask: str, **settings) -> dict:
    loss = ValueLoss(**settings)
    found = loss_and_gradient(
        lambda v: loss(v, X["old_values"], X["returns"], X[mask]), X["values"]
    )
    return row("value", found, mask=mask, **settings)


def kl(estimator: str, unbiased: bool) -> dict:
    """Its sum; OpenRLHF computes it in float32 whatever it is given."""
    tokens = []

    def call(logp: torch.Tensor) -> torch.Tensor:
        tokens[:] = [compute_approx_kl(logp, X["ref_logp"], X["old_logp"], estimator, unbiased)]
        return tokens[0].sum()

    gradient = loss_and_gradient(call, X["logp"])["gradient"]
    return row(
        "kl",
        {"kl": tokens[0], "gradient": gradient},
        estimator=estimator,
        unbiased_gradient=unbiased,
    )


def k1() -> torch.Tensor:
    return X["old_logp"] - X["ref_logp"]


def advantages(estimator: str, mask: str, kl_coef: float) -> dict:
    maker = experience_maker(estimator, 3, kl_coef)
    experience = SimpleNamespace(
        rewards=X["rewards"],
        index=list(range(6)),
        info={},
        kl=k1(),
        action_mask=X[mask],
        values=X["values"],
    )
    RemoteExperienceMaker.compute_advantages_and_returns(maker, [experience])
    return {"advantages": experience.advantages, "returns": experience.returns}


def experience_maker(estimator: str, samples: int, kl_coef: float) -> SimpleNamespace:
    """The experience maker, reduced to what the advantages read."""
    gamma = 0.9 if estimator in ("gae", "reinforce") else 1.0
    advantage = SimpleNamespace(estimator=estimator, gamma=gamma, lambd=0.95, no_std_norm=False)
    reward = SimpleNamespace(
        clip_range=None, overlong_buffer_len=None, stop_properly_penalty_coef=None
    )
    args = SimpleNamespace(
        algo=SimpleNamespace(advantage=advantage),
        rollout=SimpleNamespace(n_samples_per_prompt=samples, max_new_tokens=9),
        reward=reward,
    )
    self = SimpleNamespace(
        strategy=SimpleNamespace(args=args),
        advantage_estimator=estimator,
        kl_ctl=SimpleNamespace(value=kl_coef),
    )
    self.get_advantages_and_returns = RemoteExperienceMaker.get_advantages_and_returns.__get__(self)
    self.get_cumulative_returns = RemoteExperienceMaker.get_cumulative_returns.__get__(self)
    return self


def leaked(rewards: torch.Tensor) -> torch.Tensor:
    experience = SimpleNamespace(
        rewards=rewards.flatten(),
        index=list(range(rewards.numel())),
        info={},
        kl=torch.zeros(rewards.numel(), 1),
        action_mask=torch.ones(rewards.numel(), 1, dtype=torch.long),
    )
    maker = experience_maker("group_norm", rewards.shape[1], 0.0)
    RemoteExperienceMaker.compute_advantages_and_returns(maker, [experience])
    return experience.advantages


def gae(mask: str, gamma: float, lambd: float) -> dict:
    found = RemoteExperienceMaker.get_advantages_and_returns(
        None, X["values"], X["token_rewards"], X[mask], gamma, lambd
    )
    outputs = dict(zip(("advantages", "returns"), found, strict=True))
    return row("gae", outputs, mask=mask, gamma=gamma, lambd=lambd)


if __name__ == "__main__":
    write("openrlhf", rows(), "installed without its dependencies; kl in float32")
