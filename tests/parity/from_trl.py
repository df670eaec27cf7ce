"""TRL's own statements on the shared inputs; runs where TRL is installed.

``_compute_loss`` is called on a trainer reduced to what it reads. Advantages and sampler weights are
written inside a function that also generates: their statements are taken out of its source and run.
"""

import ast
import inspect
import math
import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import torch
from parity_inputs import largest_leak, loss_and_gradient, row, tensors, write
from trl.experimental.gmpo.gmpo_trainer import GMPOTrainer
from trl.trainer import grpo_trainer, rloo_trainer
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.rloo_trainer import RLOOTrainer

X = tensors()
LENGTH = 16

DEFAULTS = {
    "epsilon_low": 0.2,
    "epsilon_high": 0.2,
    "beta": 0.0,
    "importance_sampling_level": "token",
    "off_policy_mask_threshold": None,
    "top_entropy_quantile": 1.0,
    "use_vllm": False,
    "vllm_importance_sampling_correction": True,
    "vllm_importance_sampling_mode": "sequence_mask",
    "vllm_importance_sampling_clip_min": None,
    "vllm_importance_sampling_clip_max": 3.0,
}
ARGS = {
    "delta": None,
    "use_bias_correction_kl": True,
    "sapo_temperature_pos": 1.0,
    "sapo_temperature_neg": 1.05,
    "vespo_k_pos": 2.0,
    "vespo_lambda_pos": 3.0,
    "vespo_k_neg": 3.0,
    "vespo_lambda_neg": 2.0,
    "steps_per_generation": 1,
}


def rows() -> Iterator[dict]:
    clipped = ["grpo", "dr_grpo", "bnpo", "dapo"]
    every = [*clipped, "luspo", "cispo", "sapo", "vespo"]
    for loss_type in every:
        high = {"epsilon_high": 5.0} if loss_type == "cispo" else {}
        for mask in ("ragged", "holes", "empty"):
            yield loss(loss_type=loss_type, mask=mask, **high)
        yield loss(loss_type=loss_type, beta=0.04, use_bias_correction_kl=False, **high)
        yield loss(loss_type=loss_type, beta=0.04, **high)
        yield loss(loss_type=loss_type, use_vllm=True, **high)
    for loss_type in clipped:
        yield loss(loss_type=loss_type, epsilon_high=0.28)
        yield loss(loss_type=loss_type, delta=2.0)
        yield loss(loss_type=loss_type, delta=1.1)  # below 1 + epsilon_high
    for loss_type in ("grpo", "luspo"):
        for mask in ("ragged", "holes", "empty"):
            yield loss(loss_type=loss_type, importance_sampling_level="sequence", mask=mask)
        narrow = {"epsilon_low": 3e-4, "epsilon_high": 4e-4}
        yield loss(loss_type=loss_type, importance_sampling_level="sequence", **narrow)
    yield loss(loss_type="bnpo", advantages="token_advantages")
    yield loss(loss_type="cispo", epsilon_high=1.2)
    yield loss(loss_type="sapo", sapo_temperature_pos=2.0, sapo_temperature_neg=3.0)
    for loss_type in ("grpo", "dapo", "cispo"):
        high = {"epsilon_high": 5.0} if loss_type == "cispo" else {}
        yield loss(loss_type=loss_type, off_policy_mask_threshold=0.1, beta=0.04, **high)
        yield loss(loss_type=loss_type, top_entropy_quantile=0.2, beta=0.04, **high)
    for mode in MODES:
        yield loss(loss_type="dapo", use_vllm=True, **mode)
        yield loss(loss_type="vespo", use_vllm=True, **mode)
        yield row("weights", {"weights": weights(**mode)}, **mode)
    for mask in ("ragged", "holes", "empty"):
        yield loss(GMPOTrainer, loss_type="gmpo", mask=mask, epsilon_low=0.4, epsilon_high=0.4)
    yield loss(GMPOTrainer, loss_type="gmpo", epsilon_low=0.1, epsilon_high=0.2)
    yield row("rloo_loss", rloo_loss(), epsilon=0.2)

    for rewards in ("rewards", "missing_rewards", "idle_rewards"):
        for scale in ("group", "none", "batch"):
            yield row(
                "advantages",
                {"advantages": advantages(rewards, scale)},
                rewards=rewards,
                scale_rewards=scale,
            )
        yield row("rloo", {"advantages": rloo(rewards)}, rewards=rewards)
    for rewards in ("several_rewards", "several_missing"):
        for reward_weights in ([1.0, 1.0], [2.0, 0.5]):
            found = advantages(rewards, "group", "normalize_then_sum", reward_weights)
            yield row("gdpo", {"advantages": found}, rewards=rewards, weights=reward_weights)

    yield row("leak", largest_leak(lambda r: grouped(r.reshape(-1, 1), "group", r.shape[1])))
    yield row("nan_padding", {"loss": loss(loss_type="grpo", logp=nan_padded())["outputs"]["loss"]})
    yield row("bnpo_cut", {"gradient": bnpo_in(1), "in_two": bnpo_in(2), "in_three": bnpo_in(3)})


MODES = [
    {"vllm_importance_sampling_mode": "token_truncate", "vllm_importance_sampling_clip_max": 1.2},
    {
        "vllm_importance_sampling_mode": "token_truncate",
        "vllm_importance_sampling_clip_min": 0.8,
        "vllm_importance_sampling_clip_max": 1.2,
    },
    {"vllm_importance_sampling_mode": "token_mask", "vllm_importance_sampling_clip_max": 1.2},
    {
        "vllm_importance_sampling_mode": "token_mask",
        "vllm_importance_sampling_clip_min": 0.8,
        "vllm_importance_sampling_clip_max": 1.2,
    },
    {
        "vllm_importance_sampling_mode": "sequence_truncate",
        "vllm_importance_sampling_clip_max": 1.2,
    },
    {"vllm_importance_sampling_mode": "sequence_mask", "vllm_importance_sampling_clip_max": 1.1},
]


def loss(trainer: type = GRPOTrainer, **settings) -> dict:
    given = {"mask": "ragged", "advantages": "advantages", **settings}
    logp = given.pop("logp", X["logp"])
    mask, scores = X[given["mask"]], X[given["advantages"]]
    batch = {
        "completion_mask": mask,
        "advantages": scores,
        "old_per_token_logps": X["old_logp"],
        "ref_per_token_logps": X["ref_logp"],
        "num_items_in_batch": mask.sum(),
    }
    if given.get("use_vllm"):
        batch["importance_sampling_ratio"] = weights(mask=given["mask"], **chosen(DEFAULTS, given))
    metrics = defaultdict(list)
    found = loss_and_gradient(lambda x: compute(trainer, x, batch, given, metrics), logp)
    scalars = {k: v[0] for k, v in metrics.items() if k != "entropy"}
    settings = {k: v for k, v in given.items() if k in settings or k in ("mask", "advantages")}
    return row("loss", {**found, "metrics": scalars}, **settings)


def chosen(defaults: dict, given: dict) -> dict:
    return {k: given.get(k, v) for k, v in defaults.items()}


def compute(
    trainer: type, logp: torch.Tensor, batch: dict, given: dict, metrics: dict
) -> torch.Tensor:
    """The loss of ``trainer``, told what the model found."""
    ids = torch.zeros(*logp.shape, dtype=torch.long)
    prompt = {"prompt_ids": ids[:, :1], "prompt_mask": ids[:, :1] + 1, "completion_ids": ids}
    self = SimpleNamespace(
        **chosen(DEFAULTS, given),
        args=SimpleNamespace(**chosen(ARGS, given)),
        loss_type=given["loss_type"],
        accelerator=one_process(),
        model=SimpleNamespace(training=True),
        current_gradient_accumulation_steps=given.get("gradient_accumulation_steps", 1),
        max_completion_length=LENGTH,
        aux_loss_enabled=False,
        _entropy_bonus_enabled=False,
        _metrics={"train": metrics},
        _get_per_token_logps_and_entropies=lambda *args, **kw: (
            logp,
            X["entropy"][: len(logp)],
            None,
        ),
    )
    self.get_high_entropy_mask = trainer.get_high_entropy_mask.__get__(self)
    self.get_off_policy_mask = GRPOTrainer.get_off_policy_mask
    self.get_gamma_weights = GRPOTrainer.get_gamma_weights
    return trainer._compute_loss(self, None, {**prompt, **batch})


def one_process() -> SimpleNamespace:
    return SimpleNamespace(
        num_processes=1,
        sync_gradients=True,
        gather=lambda x: x,
        gather_for_metrics=lambda x: x,
        reduce=lambda x, reduction: x,
        pad_across_processes=lambda x, dim, pad_index: x,
    )


def nan_padded() -> torch.Tensor:
    return X["logp"].masked_fill(X["ragged"] == 0, math.nan)


def bnpo_in(parts: int) -> torch.Tensor:
    """The gradient of one optimizer step, its batch cut into micro-batches."""

    def step(logp: torch.Tensor) -> torch.Tensor:
        given = {"loss_type": "bnpo", "gradient_accumulation_steps": parts}
        losses = []
        for some in torch.arange(len(logp)).chunk(parts):
            batch = {
                "completion_mask": X["ragged"][some],
                "advantages": X["advantages"][some],
                "old_per_token_logps": X["old_logp"][some],
            }
            losses.append(compute(GRPOTrainer, logp[some], batch, given, defaultdict(list)))
        return sum(losses)

    return loss_and_gradient(step, X["logp"])["gradient"]


def rloo_loss() -> dict:
    batch = {"completion_mask": X["ragged"], "advantages": X["advantages"]}
    batch["old_logps"] = (X["old_logp"] * X["ragged"]).sum(1)
    return loss_and_gradient(
        lambda x: compute(RLOOLoss, x, batch, {"loss_type": "rloo"}, defaultdict(list)), X["logp"]
    )


class RLOOLoss:
    _compute_loss = RLOOTrainer._compute_loss
    get_high_entropy_mask = GRPOTrainer.get_high_entropy_mask


def statements(function: Callable, first: str, last: str):
    """The code of a function from the statement that begins with ``first`` to that with ``last``."""
    source = textwrap.dedent(inspect.getsource(function))
    for node in ast.walk(ast.parse(source)):
        for body in (getattr(node, name, None) for name in ("body", "orelse")):
            if not isinstance(body, list):
                continue
            texts = [ast.unparse(s) for s in body]
            starts = [i for i, text in enumerate(texts) if text.startswith(first)]
            ends = [i for i, text in enumerate(texts) if text.startswith(last)]
            if starts and ends:
                part = ast.Module(body[starts[0] : ends[-1] + 1], [])
                return compile(part, f"<{function.__name__}>", "exec")
    raise LookupError(f"{function.__name__} has no statements from {first!r} to {last!r}")


GENERATE = inspect.unwrap(GRPOTrainer._generate_and_score_completions)
WEIGHTS = statements(
    GENERATE, "mask = completion_mask if tool_mask", "if self.vllm_importance_sampling_mode"
)
ADVANTAGES = statements(GENERATE, "unscorable_mask =", "advantages = torch.nan_to_num")
RLOO = statements(
    inspect.unwrap(RLOOTrainer._generate_and_score_completions),
    "unscorable_mask =",
    "advantages = torch.nan_to_num",
)


def weights(mask: str = "ragged", **settings) -> torch.Tensor:
    names = {
        "self": SimpleNamespace(**chosen(DEFAULTS, settings)),
        "completion_mask": X[mask],
        "tool_mask": None,
        "old_per_token_logps": X["old_logp"],
        "sampling_per_token_logps": X["sampler_logp"],
    }
    exec(WEIGHTS, vars(grpo_trainer), names)
    return names["vllm_importance_sampling_ratio"]


def advantages(
    rewards: str, scale: str, how: str = "sum_then_normalize", reward_weights: list | None = None
) -> torch.Tensor:
    rewards_per_func = X[rewards] if X[rewards].ndim == 2 else X[rewards].unsqueeze(1)
    return grouped(rewards_per_func, scale, 3, how, reward_weights)


def grouped(
    rewards_per_func: torch.Tensor,
    scale: str,
    num_generations: int,
    how: str = "sum_then_normalize",
    reward_weights: list | None = None,
) -> torch.Tensor:
    functions = rewards_per_func.shape[1]
    names = {
        "self": SimpleNamespace(
            multi_objective_aggregation=how,
            scale_rewards=scale,
            reward_weights=torch.tensor(reward_weights or [1.0] * functions),
            reward_funcs=[None] * functions,
        ),
        "rewards_per_func": rewards_per_func,
        "num_generations": num_generations,
        "device": "cpu",
    }
    exec(ADVANTAGES, vars(grpo_trainer), names)
    return names["advantages"]


def rloo(rewards: str) -> torch.Tensor:
    names = {
        "self": SimpleNamespace(
            reward_weights=torch.ones(1),
            reward_clip_range=None,
            beta=0.0,
            normalize_advantages=False,
        ),
        "rewards_per_func": X[rewards].unsqueeze(1),
        "num_generations": 3,
        "device": "cpu",
    }
    exec(RLOO, vars(rloo_trainer), names)
    return names["advantages"]


if __name__ == "__main__":
    write("trl", rows())
