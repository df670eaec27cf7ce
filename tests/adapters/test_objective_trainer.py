"""`ObjectiveGRPOTrainer` beside TRL's own, and beside itself cut in other ways."""

from __future__ import annotations

import json
import math
import socket
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import rlrewards as rr

torch = pytest.importorskip("torch")
trl = pytest.importorskip("trl")
tiny = pytest.importorskip("tiny_trainer")

from rlrewards import objectives as rl  # noqa: E402
from rlrewards.adapters.trl import ObjectiveGRPOTrainer, reward_functions  # noqa: E402
from rlrewards.adapters.trl.checks import keywords_needed  # noqa: E402
from rlrewards.adapters.trl.loss_types import count_of, recipe_of  # noqa: E402
from rlrewards.adapters.trl.streams import stream_advantages, stream_names  # noqa: E402
from rlrewards.adapters.trl.window import Window  # noqa: E402
from rlrewards.stack import Composable  # noqa: E402

pytestmark = [
    pytest.mark.usefixtures("plain_kernels"),
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.* is deprecated:FutureWarning"),
]


# With ratios that move away from 1: two passes over each batch of completions.
TWICE = {"num_iterations": 2, "learning_rate": 0.2}
LOSSES: dict[str, dict[str, Any]] = {
    "grpo": {"loss_type": "grpo", "epsilon": 0.02, **TWICE},
    "bnpo": {"loss_type": "bnpo", "epsilon": 0.02, "delta": 1.05, **TWICE},
    "dapo": {"loss_type": "dapo", "epsilon": 0.02, "epsilon_high": 0.028, **TWICE},
    "dr_grpo": {"loss_type": "dr_grpo", "epsilon": 0.02, **TWICE},
    "cispo": {"loss_type": "cispo", "epsilon_high": 1.02, **TWICE},
    "gspo": {
        "loss_type": "grpo",
        "importance_sampling_level": "sequence",
        "epsilon": 0.01,
        **TWICE,
    },
}
FEWER: dict[str, dict[str, Any]] = {
    "luspo": {"loss_type": "luspo", "importance_sampling_level": "sequence", "epsilon": 0.01},
    "sapo": {"loss_type": "sapo"},
    "vespo": {"loss_type": "vespo"},
    "top entropy": {"loss_type": "dapo", "top_entropy_quantile": 0.4},
    "off policy": {"loss_type": "grpo", "off_policy_mask_threshold": 0.01},
    "truncated": {"loss_type": "dapo", "mask_truncated_completions": True},
    "lm_head in float32": {"loss_type": "dapo", "cast_lm_head_to_fp32": True},
    "batch scale": {"loss_type": "dapo", "scale_rewards": "batch"},
}


COMPARED = {
    *("loss", "grad_norm", "entropy", "reward", "kl", "completions/mean_length"),
    *("clip_ratio/low_mean", "clip_ratio/high_mean", "clip_ratio/region_mean"),
}


def compare(tmp_path: Path, steps: int, changes: dict[str, Any], **more: Any) -> list[Any]:
    """Train both trainers; return our logs after the comparison."""
    settings = {"max_steps": steps, **changes}
    theirs, their_weights = tiny.trained(
        trl.GRPOTrainer, tiny.config(tmp_path / "trl", **settings), **_fresh(more)
    )
    ours, our_weights = tiny.trained(
        ObjectiveGRPOTrainer, tiny.config(tmp_path / "ours", **settings), **_fresh(more)
    )
    start = torch.cat([p.detach().flatten() for p in tiny.model().parameters()])
    if len(start) == len(our_weights):
        assert (our_weights - start).abs().max() > 1e-3  # it did learn
    torch.testing.assert_close(our_weights, their_weights, atol=1e-5, rtol=0)
    assert len(ours) == len(theirs) == steps
    for our, their in zip(ours, theirs, strict=True):
        assert {"loss", "grad_norm", "entropy"} <= {*our}
        for name in COMPARED & {*their}:
            # of sequences, TRL counts each as one, whatever its length
            if not (name.startswith("clip") and "importance_sampling_level" in changes):
                assert our[name] == pytest.approx(their[name], abs=1e-5), name
    return ours


def _loaded(folder: Path) -> Any:
    """Return a model that knows its folder, from which the trainer loads its reference."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder)


def _fresh(more: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value() if name in ("net", "peft_config") else value for name, value in more.items()
    }


@pytest.mark.parametrize("name", LOSSES)
def test_the_numbers_of_trl_over_twenty_steps(name: str, tmp_path: Path) -> None:
    logs = compare(tmp_path, 20, LOSSES[name])
    assert any(row["clip_ratio/region_mean"] > 0 for row in logs)
    assert any(row["ratio/max"] > 1 for row in logs)


@pytest.mark.parametrize("name", FEWER)
def test_the_numbers_of_trl(name: str, tmp_path: Path) -> None:
    compare(tmp_path, 3, {**FEWER[name], **TWICE})


def test_the_numbers_of_trl_with_a_reference(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    tiny.model().save_pretrained(folder)
    net = partial(_loaded, folder)
    for corrected, again in ((True, TWICE), (True, {}), (False, {})):
        changes = {"loss_type": "grpo", "beta": 0.1, "use_bias_correction_kl": corrected, **again}
        logs = compare(tmp_path, 3, changes, net=net)
        assert logs[-1]["kl"] > 0


def test_the_numbers_of_trl_with_experts(tmp_path: Path) -> None:
    def net() -> Any:
        from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

        torch.manual_seed(0)
        plain = tiny.model().config.to_dict()
        shared = {name: value for name, value in plain.items() if name in SHARED_SIZES}
        experts = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
        balance = {"output_router_logits": True, "router_aux_loss_coef": 0.1}
        return Qwen3MoeForCausalLM(Qwen3MoeConfig(**shared, **experts, **balance))

    logs = compare(tmp_path, 3, {"loss_type": "dapo", **TWICE}, net=net)
    assert logs[-1]["aux_loss"] > 0


SHARED_SIZES = (
    *("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers"),
    *("num_attention_heads", "num_key_value_heads", "head_dim", "max_position_embeddings"),
    *("initializer_range", "pad_token_id", "eos_token_id", "bos_token_id"),
)


def test_a_reference_costs_no_second_pass(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    tiny.model().save_pretrained(folder)
    seen = []

    class Watched(ObjectiveGRPOTrainer):
        def _objective(self, inputs: dict[str, Any]) -> Any:
            seen.append(super()._objective(inputs))
            return seen[-1]

    args = tiny.config(tmp_path, max_steps=1, loss_type="grpo", beta=0.1)
    tiny.trained(Watched, args, net=_loaded(folder))
    assert seen
    assert all(objective.is_token_level for objective in seen)


def test_the_numbers_of_trl_with_an_adapter(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    adapter = partial(peft.LoraConfig, r=4, target_modules="all-linear", init_lora_weights=False)
    compare(tmp_path, 3, {"loss_type": "dapo", "beta": 0.1, **TWICE}, peft_config=adapter)


@pytest.mark.parametrize("family", ["softcap", "scale"])
def test_heads_that_cap_or_scale_their_logits(family: str, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    sizes = {
        "vocab_size": len(tiny.WORDS),
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "bos_token_id": None,
        "initializer_range": 0.5,
    }
    kinds = {
        "softcap": lambda: transformers.Gemma2ForCausalLM(
            transformers.Gemma2Config(**sizes, head_dim=8, final_logit_softcapping=2.0)
        ),
        "scale": lambda: transformers.GraniteForCausalLM(
            transformers.GraniteConfig(**sizes, logits_scaling=4.0)
        ),
    }

    def net() -> Any:
        torch.manual_seed(0)
        return kinds[family]()

    compare(tmp_path, 2, {"loss_type": "dapo", **TWICE}, net=net)


# ---------------------------------------------------------------------------------------------
# The same gradient however a batch is cut


def cut(tmp_path: Path, **changes: Any) -> tuple[list[dict[str, Any]], Any]:
    args = tiny.config(tmp_path, **changes)
    return tiny.trained(ObjectiveGRPOTrainer, args, rollout_func=tiny.fixed_completions)


def alike(first: Any, second: Any) -> None:
    for ours, theirs in zip(first[0], second[0], strict=True):
        for name in ("loss", "grad_norm"):  # as TRL's, other means are over micro-batches
            assert ours[name] == pytest.approx(theirs[name], abs=1e-6, rel=1e-5), name
    torch.testing.assert_close(first[1], second[1], atol=1e-6, rtol=0)


@pytest.mark.parametrize("loss_type", ["dapo", "grpo", "cispo", "dr_grpo"])
@pytest.mark.parametrize("generated", [1, 2], ids=lambda n: f"{n} at once")
def test_generating_within_a_step_changes_nothing(
    loss_type: str, generated: int, tmp_path: Path
) -> None:
    common = {"loss_type": loss_type, "gradient_accumulation_steps": 4, "epsilon_high": 2.0}
    whole = cut(tmp_path, **common)
    pieces = cut(tmp_path, steps_per_generation=generated, **common)
    alike(whole, pieces)


def test_one_large_batch_is_many_small_ones(tmp_path: Path) -> None:
    large = cut(
        tmp_path, per_device_train_batch_size=32, gradient_accumulation_steps=1, loss_type="dapo"
    )
    small = cut(
        tmp_path, per_device_train_batch_size=4, gradient_accumulation_steps=8, loss_type="dapo"
    )
    alike(large, small)


def test_the_local_mean_is_another_curve(tmp_path: Path) -> None:
    """So the tests above could fail."""
    large = cut(
        tmp_path, per_device_train_batch_size=32, gradient_accumulation_steps=1, loss_type="bnpo"
    )
    small = cut(
        tmp_path, per_device_train_batch_size=4, gradient_accumulation_steps=8, loss_type="bnpo"
    )
    assert abs(large[0][-1]["loss"] - small[0][-1]["loss"]) > 1e-3


def test_two_processes_with_two_micro_batches_are_one_with_four(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = Path(tiny.__file__)
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", str(script), *map(str, (tmp_path, rank, 2, port, 2))],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    errors = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    first, second = (
        json.loads((tmp_path / f"{rank}.json").read_text(encoding="utf-8")) for rank in range(2)
    )
    for loss_type in ("dapo", "grpo"):
        one = cut(tmp_path, loss_type=loss_type, gradient_accumulation_steps=4)
        for rank in (first, second):
            weights = torch.tensor(rank[loss_type]["weights"])
            alike(one, (one[0], weights))
        alike(one, (first[loss_type]["logs"], one[1]))  # rank 0 logs for all


def test_a_window_counts_what_it_learns_later() -> None:
    window = Window([torch.ones(2, 3)], micro_batches=3)
    assert int(window.counts.tokens) == 18
    assert int(window.counts.sequences) == 6
    window.add([torch.tensor([[1, 0, 0], [0, 0, 0]]), torch.ones(2, 3)])
    assert window.is_complete
    assert window.correction("tokens").item() == pytest.approx(18 / 13)
    assert window.correction("sequences").item() == 1.0
    assert window.correction("filled").item() == pytest.approx(6 / 5)


# ---------------------------------------------------------------------------------------------
# Advantages


def test_an_estimator_takes_the_place_of_trls(tmp_path: Path) -> None:
    seen: list[tuple[Any, Any]] = []

    def doubled(rewards: Any, group: Any) -> Any:
        seen.append((rewards.clone(), group.clone()))
        return 2 * rl.group_relative(rewards, group, scale="none")

    args = tiny.config(tmp_path, max_steps=1)
    made = tiny.trainer(ObjectiveGRPOTrainer, args, advantages=doubled)
    made.train()
    [(rewards, group)] = seen
    assert group.tolist() == [row // 4 for row in range(16)]
    expected = 2 * (rewards.view(-1, 4) - rewards.view(-1, 4).mean(1, keepdim=True))
    assert list(made._logs["advantages"]) == pytest.approx(expected.flatten().tolist(), abs=1e-6)


def test_no_opinion_is_no_advantage(tmp_path: Path) -> None:
    @rr.each
    def opinionated(sample: rr.Sample) -> float | None:
        total = sum(sample.token_ids or ())
        return None if total % 3 == 0 else float(total % 5)

    seen = []

    def estimator(rewards: Any, group: Any) -> Any:
        seen.append(rewards.clone())
        return rl.group_relative(rewards, group, scale="none")

    args = tiny.config(tmp_path, max_steps=1)
    made = tiny.trainer(
        ObjectiveGRPOTrainer, args, rewards=reward_functions(opinionated), advantages=estimator
    )
    made.train()
    unknown = seen[0].isnan()
    assert 0 < unknown.sum() < len(unknown)
    advantages = torch.tensor(list(made._logs["advantages"]))
    assert (advantages[unknown] == 0).all()
    assert advantages.isfinite().all()
    assert advantages.any()


@dataclass(frozen=True, repr=False)
class Penalty(Composable):
    """Minus one for each token 5, at that token, with its own γ."""

    gamma: float = 0.5
    name = "penalty"
    bounds = (-math.inf, 0.0)

    def __call__(self, batch: Any, /) -> list[float]:
        return [float(stream.sum()) for stream in self.dense(batch)]

    def dense(self, batch: Any, /) -> list[Any]:
        import numpy as np

        return [-(np.asarray(sample.token_ids) == 5).astype(float) for sample in batch]


def test_rewards_per_token_become_advantages_per_token(tmp_path: Path) -> None:
    outcome = rr.each(lambda sample: float(len(sample.token_ids) % 3), name="outcome")
    stack = rr.Stack({"outcome": (1.0, outcome), "penalty": (2.0, Penalty())})
    captured: list[dict[str, Any]] = []

    class Watched(ObjectiveGRPOTrainer):
        def _generate_and_score_completions(self, inputs: Any) -> Any:
            output = super()._generate_and_score_completions(inputs)
            captured.append({name: output[name].clone() for name in WATCHED})
            return output

    args = tiny.config(tmp_path, max_steps=1)
    made = tiny.trainer(
        Watched,
        args,
        rewards=reward_functions(stack),
        advantages=partial(rl.group_relative, scale="none"),
        rollout_func=tiny.fixed_completions,
    )
    made.train()
    [output] = captured
    ids, mask, advantages = (output[name] for name in WATCHED)
    assert advantages.shape == ids.shape
    lengths = mask.sum(1)
    outcomes = (lengths % 3).float()
    baseline = outcomes.view(-1, 4).mean(1).repeat_interleave(4)
    for row in range(len(ids)):
        n = int(lengths[row])
        penalties = [-2.0 * (token == 5) for token in ids[row, :n].tolist()]
        for t in range(n):
            returns = sum(0.5**k * penalty for k, penalty in enumerate(penalties[t:]))
            expected = outcomes[row] - baseline[row] + returns
            assert advantages[row, t].item() == pytest.approx(expected.item(), abs=1e-5)
    assert ((ids == 5) & (mask == 1)).any()


WATCHED = ("completion_ids", "completion_mask", "advantages")


def test_dense_off_counts_the_score_of_the_whole(tmp_path: Path) -> None:
    stack = rr.Stack({"penalty": Penalty()})
    args = tiny.config(tmp_path, max_steps=1)
    common = {"rewards": reward_functions(stack), "rollout_func": tiny.fixed_completions}
    theirs = tiny.trainer(trl.GRPOTrainer, args, **common)
    theirs.train()
    ours = tiny.trainer(ObjectiveGRPOTrainer, args, dense=False, **common)
    ours.train()
    assert list(ours._logs["advantages"]) == list(theirs._logs["advantages"])


def test_streams_inside_a_nested_stack_are_refused() -> None:
    stack = rr.Stack({"inner": rr.Stack({"penalty": Penalty()})})
    scores = stack.score([rr.Sample("x", token_ids=[5, 1])])
    with pytest.raises(ValueError, match="is a stack, and penalty in it has rewards per"):
        stream_names(scores)


def test_a_stream_longer_than_the_batch_and_a_missing_one() -> None:
    scores = rr.Stack({"penalty": Penalty()}).score([rr.Sample("x", token_ids=[5, 5, 5])])
    scores.dense["penalty"].append(None)
    mask = torch.tensor([[1, 1], [1, 1]])
    found = stream_advantages(scores, ["penalty"], mask)
    assert found.tolist() == [[-1.5, -1.0], [0.0, 0.0]]


# ---------------------------------------------------------------------------------------------
# Recipes


def settings(**changes: Any) -> SimpleNamespace:
    known: dict[str, Any] = {
        "loss_type": "dapo",
        "importance_sampling_level": "token",
        "epsilon": 0.2,
        "epsilon_high": None,
        "delta": None,
        "max_completion_length": 7,
    }
    return SimpleNamespace(**(known | changes))


def test_a_configuration_is_a_recipe() -> None:
    found = recipe_of(settings(loss_type="dr_grpo", epsilon=0.1, delta=2.0))
    assert found.func is rl.recipes.dr_grpo
    assert found.keywords == {"length": 7, "low": 0.1, "high": 0.1, "ceiling": 2.0}
    assert recipe_of(settings(loss_type="cispo", epsilon_high=5.0)).keywords == {"high": 4.0}


@pytest.mark.parametrize(
    ("loss_type", "level"), [("bnpo", "sequence"), ("luspo", "token"), ("unheard", "token")]
)
def test_a_combination_that_nobody_published(loss_type: str, level: str) -> None:
    with pytest.raises(ValueError, match="is no recipe; pass recipe="):
        recipe_of(settings(loss_type=loss_type, importance_sampling_level=level))


def test_cispo_with_the_epsilon_of_another_loss() -> None:
    with pytest.raises(ValueError, match="set epsilon_high=5.0"):
        recipe_of(settings(loss_type="cispo"))


@pytest.mark.parametrize(
    ("recipe", "count"),
    [
        (rl.recipes.dapo, "tokens"),
        (partial(rl.recipes.ppo_clip, low=0.1), "tokens"),
        (rl.recipes.vespo, "tokens"),
        (rl.recipes.reinforce, "tokens"),
        (rl.recipes.grpo, "sequences"),
        (rl.recipes.gmpo, "sequences"),
        (rl.recipes.luspo, "sequences"),
        (rl.recipes.bnpo, "local"),
    ],
)
def test_what_a_denominator_counts(recipe: Any, count: str) -> None:
    assert count_of(recipe) == count


def own_recipe(logp: Any, old_logp: Any, advantages: Any, mask: Any, *, denominator: Any) -> Any:
    loss = rl.token_mean(rl.clipped(logp, old_logp, advantages), mask, denominator=denominator)
    return rl.LossOutput(loss, {})


def test_a_recipe_of_ones_own(tmp_path: Path) -> None:
    args = tiny.config(tmp_path, max_steps=2)
    with pytest.raises(ValueError, match="say what its denominator counts"):
        tiny.trainer(ObjectiveGRPOTrainer, args, recipe=own_recipe)
    own = tiny.trained(ObjectiveGRPOTrainer, args, recipe=own_recipe, count="tokens")
    ours = tiny.trained(ObjectiveGRPOTrainer, args, recipe=rl.recipes.ppo_clip)
    alike(own, ours)


@pytest.mark.parametrize(
    ("changes", "keyword"),
    [
        ({"beta": 0.1}, "beta"),
        ({"top_entropy_quantile": 0.5}, "keep"),
        ({"off_policy_mask_threshold": 0.1}, "keep"),
    ],
)
def test_a_recipe_of_ones_own_without_a_keyword_that_a_setting_needs(
    changes: dict[str, Any], keyword: str, tmp_path: Path
) -> None:
    def narrow(logp: Any, old_logp: Any, advantages: Any, mask: Any, *, denominator: Any) -> Any:
        raise AssertionError("refused before it is called")

    model = tmp_path / "model"
    tiny.model().save_pretrained(model)
    args = tiny.config(tmp_path, **changes)
    [setting] = changes
    told = (
        f"{setting} is passed to the recipe as {keyword}=, which narrow does not take: .*{setting}="
    )
    with pytest.raises(ValueError, match=told):
        tiny.trainer(ObjectiveGRPOTrainer, args, recipe=narrow, count="tokens", net=_loaded(model))


def test_keywords_that_are_needed_without_being_asked_for() -> None:
    """Two settings are on by default, so that leaving them is no remedy."""
    made: Any = SimpleNamespace(
        recipe=rl.recipes.dapo,
        beta=0.1,
        args=SimpleNamespace(use_bias_correction_kl=True),
        top_entropy_quantile=1.0,
        off_policy_mask_threshold=None,
        use_vllm=True,
        vllm_importance_sampling_correction=True,
    )
    found = keywords_needed(made)
    assert found["kl"] == "use_bias_correction_kl=False"
    assert found["weight"] == "vllm_importance_sampling_correction=False"
    made.recipe = rl.recipes.vespo
    assert "weight" not in keywords_needed(made)  # the correction goes into its ratio


def test_every_recipe_trains(tmp_path: Path) -> None:
    args = tiny.config(tmp_path, max_steps=1)
    for name in rl.recipes.__all__:
        if name == "vapo":
            continue
        recipe = getattr(rl.recipes, name)
        recipe = partial(recipe, length=6) if name == "dr_grpo" else recipe
        [row], _ = tiny.trained(ObjectiveGRPOTrainer, args, recipe=recipe)
        assert math.isfinite(row["loss"]), name
        assert row["grad_norm"] > 0, name


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="entropy bonus, which no recipe has"):
        tiny.trainer(ObjectiveGRPOTrainer, tiny.config(tmp_path, entropy_coef=0.1))
    with pytest.raises(ValueError, match="use dapo"):
        tiny.trainer(ObjectiveGRPOTrainer, tiny.config(tmp_path), recipe=rl.recipes.vapo)


def test_evaluation(tmp_path: Path) -> None:
    from datasets import Dataset

    args = tiny.config(tmp_path, max_steps=1, eval_strategy="steps", eval_steps=1)
    args.per_device_eval_batch_size = 8
    held_out = Dataset.from_list([{"prompt": prompt} for prompt in tiny.PROMPTS[:4]])
    found = []
    for kind in (trl.GRPOTrainer, ObjectiveGRPOTrainer):
        made = tiny.trainer(kind, args, eval_dataset=held_out)
        made.train()
        [row] = [row for row in made.state.log_history if "eval_loss" in row]
        found.append(row)
    assert found[1]["eval_loss"] == pytest.approx(found[0]["eval_loss"], abs=1e-6)
    assert found[1]["eval_reward"] == pytest.approx(found[0]["eval_reward"], abs=1e-6)


def test_without_trl_the_names_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import rlrewards.adapters.trl as package

    monkeypatch.setitem(sys.modules, "trl", None)
    monkeypatch.delitem(sys.modules, "rlrewards.adapters.trl.trainer")
    with pytest.raises(ImportError, match=r'pip install "rlrewards\[trl\]"'):
        _ = package.__getattr__("ObjectiveGRPOTrainer")
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = package.nonsense


# ---------------------------------------------------------------------------------------------
# Windows that are interrupted, straddled or empty


def test_generations_that_straddle_optimizer_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import rlrewards.adapters.trl.trainer as module

    corrected: list[tuple[int, float]] = []

    def scale(model: Any, factor: Any) -> None:
        corrected.append((made.state.global_step, factor.item()))

    monkeypatch.setattr(module, "scale_gradients", scale)
    args = tiny.config(
        tmp_path,
        max_steps=6,
        loss_type="dapo",
        per_device_train_batch_size=4,
        gradient_accumulation_steps=2,
        steps_per_generation=3,
    )
    made = tiny.trainer(ObjectiveGRPOTrainer, args, rollout_func=tiny.fixed_completions)
    made.train()
    # Of three optimizer steps the middle one begins in one generation and ends in the next.
    assert [step for step, _ in corrected] == [1, 4]
    assert any(abs(factor - 1) > 0.01 for _, factor in corrected)


def test_a_step_that_begins_with_nothing_to_learn_from(tmp_path: Path) -> None:
    calls = []

    def first_is_cut_off(prompts: list[str], trainer: Any) -> dict[str, Any]:
        drawn = tiny.fixed_completions(prompts, trainer)
        calls.append(len(prompts))
        end = [] if len(calls) % 2 else [1]
        drawn["completion_ids"] = [ids[:5] + end for ids in drawn["completion_ids"]]
        return drawn

    args = tiny.config(
        tmp_path,
        max_steps=2,
        loss_type="dapo",
        steps_per_generation=1,
        mask_truncated_completions=True,
    )
    logs, weights = tiny.trained(ObjectiveGRPOTrainer, args, rollout_func=first_is_cut_off)
    assert weights.isfinite().all()
    calls.clear()
    theirs, _ = tiny.trained(trl.GRPOTrainer, args, rollout_func=first_is_cut_off)
    assert logs[0]["grad_norm"] > 0
    assert math.isfinite(theirs[0]["grad_norm"])


def test_what_an_interrupted_run_left_does_not_count(tmp_path: Path) -> None:
    from transformers import TrainerCallback

    class Interrupts(TrainerCallback):  # type: ignore[misc]
        def on_substep_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            raise KeyboardInterrupt

    args = tiny.config(tmp_path, max_steps=1)
    made = tiny.trainer(ObjectiveGRPOTrainer, args, callbacks=[Interrupts()])
    with pytest.raises(KeyboardInterrupt):
        made.train()
    assert made._micro_batch == 1
    made.remove_callback(Interrupts)
    made.train()
    assert (made._micro_batch, made._window) == (0, None)


def test_an_evaluation_within_a_step_changes_nothing(tmp_path: Path) -> None:
    from datasets import Dataset
    from transformers import TrainerCallback

    held_out = Dataset.from_list([{"prompt": prompt} for prompt in tiny.PROMPTS[:4]])

    class Evaluates(TrainerCallback):  # type: ignore[misc]
        def on_substep_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            made.evaluate()
            made.model.train()

    found = []
    for callbacks in ([], [Evaluates()]):
        args = tiny.config(tmp_path, max_steps=1, loss_type="dapo")
        made = tiny.trainer(
            ObjectiveGRPOTrainer,
            args,
            callbacks=callbacks,
            eval_dataset=held_out,
            rollout_func=tiny.fixed_completions,
        )
        made.train()
        [row] = [row for row in made.state.log_history if "grad_norm" in row]
        found.append(row["grad_norm"])
    assert found[1] == pytest.approx(found[0], abs=1e-6)


@pytest.mark.parametrize("loss_type", ["grpo", "luspo"])
def test_the_numbers_of_trl_for_sequences_with_a_reference(loss_type: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    tiny.model().save_pretrained(folder)

    def net() -> Any:
        from transformers import AutoModelForCausalLM

        return AutoModelForCausalLM.from_pretrained(folder)

    changes = {
        "loss_type": loss_type,
        "importance_sampling_level": "sequence",
        "epsilon": 0.01,
        "beta": 0.5,
    }
    compare(tmp_path, 3, {**changes, **TWICE}, net=net)


def test_streams_where_only_whole_rows_count(tmp_path: Path) -> None:
    rewards = reward_functions(rr.Stack({"penalty": Penalty()}))
    for changes, recipe in (
        ({"importance_sampling_level": "sequence"}, rl.recipes.gspo),
        ({"off_policy_mask_threshold": 0.5}, None),
        ({"multi_objective_aggregation": "normalize_then_sum"}, None),
    ):
        args = tiny.config(tmp_path, loss_type="grpo", **changes)
        with pytest.raises(ValueError, match="pass dense=False"):
            tiny.trainer(ObjectiveGRPOTrainer, args, rewards=rewards, recipe=recipe)
        tiny.trainer(ObjectiveGRPOTrainer, args, rewards=rewards, recipe=recipe, dense=False)


def test_more_that_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="count='token'; allowed"):
        tiny.trainer(ObjectiveGRPOTrainer, tiny.config(tmp_path), count="token")
    recipe = partial(rl.recipes.dapo, denominator=1000)
    with pytest.raises(ValueError, match="leave it out of the partial"):
        tiny.trainer(ObjectiveGRPOTrainer, tiny.config(tmp_path), recipe=recipe)
    with pytest.raises(ValueError, match="ddp_static_graph"):
        tiny.trainer(ObjectiveGRPOTrainer, tiny.config(tmp_path, ddp_static_graph=True))
