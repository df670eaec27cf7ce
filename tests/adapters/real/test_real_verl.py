"""The verl adapter under verl itself: its managers on a `DataProto`, its loop, its validation."""

from __future__ import annotations

import asyncio
import textwrap

import pytest

pytest.importorskip("verl", reason="needs verl, in an environment of its own: make test-adapters")

import numpy as np
import torch
from adapters_stacks import patient, stack
from omegaconf import OmegaConf
from tensordict import TensorDict
from verl import DataProto
from verl.experimental.reward_loop.reward_manager.base import RewardManagerBase
from verl.trainer.ppo.metric_utils import process_validation_metrics
from verl.trainer.ppo.reward import load_reward_manager

import rlrewards as rr
from rlrewards.adapters.verl import reward_manager


class Characters:
    """A tokenizer of characters; 0 pads and 1 ends."""

    eos_token_id = 1

    def decode(self, ids, skip_special_tokens=True):
        return "".join(chr(int(i)) for i in ids if int(i) > 1)

    def encode(self, text):
        return [ord(letter) for letter in text]


def batch(completions, ground_truths, *, ended=True, room=24):
    """Return the `DataProto` of completions, padded on the right, behind a prompt of one token."""
    ends = [1] if ended else []
    ids = [Characters().encode(text) + ends for text in completions]
    responses = torch.tensor([row + [0] * (room - len(row)) for row in ids])
    mask = torch.tensor([[1] * len(row) + [0] * (room - len(row)) for row in ids])
    prompts = torch.full((len(ids), 1), 7)
    tensors = {
        "prompts": prompts,
        "responses": responses,
        "attention_mask": torch.cat([torch.ones_like(prompts), mask], 1),
    }
    fields = {
        "data_source": ["openai/gsm8k"] * len(ids),
        "reward_model": [{"ground_truth": truth, "style": "rule"} for truth in ground_truths],
        "extra_info": [{"index": index} for index in range(len(ids))],
        "raw_prompt": [[{"role": "user", "content": "2 + 2?"}] for _ in ids],
    }
    arrays = {}
    for name, values in fields.items():
        arrays[name] = np.empty(len(ids), dtype=object)
        arrays[name][:] = values
    return DataProto(batch=TensorDict(tensors, batch_size=len(ids)), non_tensor_batch=arrays)


def config(**reward):
    """Return the part of verl's configuration that its rewards read."""
    defaults = {
        "custom_reward_function": {"path": None, "name": "compute_score"},
        "reward_manager": {"source": "register", "name": "naive", "module": None},
        "reward_model": {"enable": False},
        "sandbox_fusion": None,
    }
    whole = {"reward": defaults | reward, "trainer": {"experiment_name": "test"}}
    return OmegaConf.create(whole)


def run(manager, data):
    """Score each row as `RewardLoopWorker.compute_score_batch` does."""

    async def rows():
        manager.loop = asyncio.get_running_loop()
        tasks = [manager.run_single(data[i : i + 1]) for i in range(len(data))]
        return await asyncio.gather(*tasks)

    return asyncio.run(rows())


@pytest.fixture
def user_file(tmp_path):
    path = tmp_path / "my_reward.py"
    path.write_text(
        textwrap.dedent(
            """
            import rlrewards as rr
            from rlrewards.adapters.verl import reward_function, reward_manager

            stack = 0.8 * rr.Accuracy() + 0.2 * rr.ThinkAnswerFormat()
            compute_score = reward_function(stack, no_opinion=-0.5)
            StackRewards = reward_manager(stack, no_opinion=-0.5)
            """
        )
    )
    return path


DATA = (["The answer is 4.", "The answer is 5.", "The answer is 4."], ["4", "4", None])


@pytest.mark.parametrize("manager", ["naive", "dapo", "gdpo", "rate_limited"])
def test_compute_score_under_the_managers_of_verl(user_file, manager):
    made = load_reward_manager(
        config(
            custom_reward_function={"path": str(user_file), "name": "compute_score"},
            reward_manager={"source": "register", "name": manager, "module": None},
        ),
        Characters(),
    )
    results = run(made, batch(*DATA))
    assert [result["reward_score"] for result in results] == [0.8, 0.0, -0.5]
    logged = [result["reward_extra_info"] for result in results]
    assert [row["accuracy"] for row in logged] == [1.0, 0.0, None]
    assert [row["no_opinion"] for row in logged] == [0.0, 0.0, 1.0]
    assert [row["verdict"] for row in logged] == ["EQUAL", "DIFFERENT", "NO_REFERENCE"]


def test_a_manager_of_our_own(user_file):
    module = {"path": str(user_file), "name": "custom_reward_manager"}
    made = load_reward_manager(
        config(reward_manager={"source": "importlib", "name": "StackRewards", "module": module}),
        Characters(),
        reward_router_address=None,
        reward_model_tokenizer=None,
    )
    assert isinstance(made, RewardManagerBase)
    data = batch(*DATA)
    results = run(made, data)
    scores = [result["reward_score"] for result in results]
    assert scores == [0.8, 0.0, -0.5]
    rewards = type(made).assemble_rm_scores(data, scores)
    assert rewards.sum(1).tolist() == pytest.approx(scores)


@pytest.mark.parametrize("ended", [True, False])
def test_the_manager_sees_token_ids_prompt_and_truncation(ended):
    seen = []

    @rr.each
    def looked(sample):
        seen.append(sample)
        return 1.0

    made = reward_manager(looked, no_opinion=0.0)(config(), Characters(), None)
    run(made, batch(["four"], ["4"], ended=ended))
    [sample] = seen
    assert list(sample.token_ids) == [102, 111, 117, 114, *([1] if ended else [])]
    assert sample.truncated is (not ended)
    assert sample.prompt == "2 + 2?"
    assert sample.reference == "4"
    assert sample.completion == "four"


def test_a_stack_that_waits():
    made = reward_manager(patient, no_opinion=0.0)(config(), Characters(), None)
    assert [row["reward_score"] for row in run(made, batch(["four", "one"], ["", ""]))] == [4, 3]


def test_validation_leaves_out_the_parts_without_an_opinion(user_file):
    """Which is why a raw part without one is None and not NaN."""
    made = load_reward_manager(
        config(custom_reward_function={"path": str(user_file), "name": "compute_score"}),
        Characters(),
    )
    logged = [result["reward_extra_info"] for result in run(made, batch(*DATA))]
    columns = {key: np.array([row[key] for row in logged]).tolist() for key in logged[0]}
    metrics = process_validation_metrics(["gsm8k"] * 3, ["a", "b", "c"], columns)["gsm8k"]
    assert metrics["accuracy"]["mean@1"] == 0.5
    assert metrics["no_opinion"]["mean@1"] == pytest.approx(1 / 3)
    assert "verdict" not in metrics


def test_what_none_would_do():
    """The reason for `no_opinion`: verl has no room for a score of None, and NaN spreads."""
    data = batch(["four", "four"], ["4", "4"])
    with pytest.raises((TypeError, RuntimeError)):
        RewardManagerBase.assemble_rm_scores(data, [1.0, None])
    from verl.trainer.ppo.core_algos import compute_grpo_outcome_advantage

    rewards = torch.tensor([[0.0, 1.0], [0.0, float("nan")]])
    advantages, _ = compute_grpo_outcome_advantage(
        rewards, torch.ones(2, 2), np.array(["same", "same"], dtype=object)
    )
    assert advantages.isnan().all()


def test_stack_of_tests_is_scored_alike():
    made = reward_manager(stack, no_opinion=0.0)(config(), Characters(), None)
    [result] = run(made, batch(["four"], ["four"]))
    assert result["reward_score"] == pytest.approx(1.2)
