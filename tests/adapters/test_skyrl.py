"""The SkyRL adapter against the contract of skyrl-gym 0.4.0 and of SkyRL's generator."""

from __future__ import annotations

import sys
import types

import pytest
from adapters_stacks import Recorder, fading, grouped, length, patient, right, stack

import rlrewards as rr
from rlrewards.adapters.skyrl import text_env


@pytest.fixture(autouse=True)
def skyrl_gym(monkeypatch):
    """A stand-in of the base class of SkyRL-Gym's text environments."""

    class BaseTextEnv:
        def __init__(self):
            self.turns = 0
            self.max_turns = 1

        def close(self): ...

    module = types.ModuleType("skyrl_gym.envs.base_text_env")
    module.BaseTextEnv = BaseTextEnv
    for name in ("skyrl_gym", "skyrl_gym.envs"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)


PROMPT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2 + 2?"}]


def play_as_skyrl(env_class, action, ground_truth, **extras):
    """Make, start, step, ask and close an environment as `SkyRLGymGenerator` does."""
    extras = {
        "reward_spec": {"method": "rule", "ground_truth": ground_truth},
        "data_source": "gsm8k",
        "extra_info": {"split": "train", "answer": "worked out"},
        "max_turns": 1,
    } | extras
    env = env_class(env_config={}, extras=extras)
    prompt, _ = env.init(PROMPT)
    assert prompt == PROMPT
    output = env.step(action)
    assert output["done"]
    assert output["observations"] == []
    metrics = env.get_metrics()
    env.close()
    return output, metrics


def test_the_reward_of_a_turn():
    output, metrics = play_as_skyrl(text_env(stack, no_opinion=0.0), "four", "four")
    assert output["reward"] == pytest.approx(1.2)
    assert output["metadata"] == {"right": 1.0, "length": 4.0, "no_opinion": 0.0, "verdict": None}
    assert metrics == {"right": 1.0, "length": 4.0, "no_opinion": 0.0}


def test_no_opinion_is_the_number_of_the_user_and_its_part_is_not_averaged():
    output, metrics = play_as_skyrl(text_env(stack, no_opinion=-0.5), "four", None)
    assert output["reward"] == -0.5
    assert output["metadata"]["right"] is None
    assert metrics == {"length": 4.0, "no_opinion": 1.0}


def test_no_opinion_must_be_chosen():
    with pytest.raises(TypeError, match="no_opinion"):
        text_env(stack)
    with pytest.raises(TypeError, match="must be a number, got None"):
        text_env(stack, no_opinion=None)


def test_what_the_row_says_reaches_the_sample():
    seen = Recorder()
    play_as_skyrl(text_env(seen, no_opinion=0.0), "4", "4", options=["yes", "no"])
    [sample] = seen.samples
    assert (sample.completion, sample.prompt, sample.reference) == ("4", "2 + 2?", "4")
    assert sample.options == {"A": "yes", "B": "no"}
    assert sample.extra["split"] == "train"
    assert sample.extra["data_source"] == "gsm8k"


def test_columns_can_be_mapped_and_the_row_may_say_nothing():
    mapped = text_env(right, no_opinion=0.0, columns={"reference": "answer"})
    assert play_as_skyrl(mapped, "worked out", "4")[0]["reward"] == 1.0
    env = text_env(length, no_opinion=0.0)()
    assert env.step("four")["reward"] == 4.0


def test_metrics_may_have_a_prefix_and_are_empty_before_a_step():
    env_class = text_env(length, no_opinion=0.0, metric_prefix="raw/")
    assert env_class().get_metrics() == {}
    assert play_as_skyrl(env_class, "four", "")[1] == {"raw/length": 4.0, "raw/no_opinion": 0.0}


def test_a_real_stack_and_its_verdict():
    env_class = text_env(rr.Accuracy(), no_opinion=0.0)
    output, _ = play_as_skyrl(env_class, "The answer is 4.", "4")
    assert (output["reward"], output["metadata"]["verdict"]) == (1.0, "EQUAL")


def test_parts_that_wait_also_inside_an_event_loop():
    import asyncio

    async def inside():
        return play_as_skyrl(text_env(patient, no_opinion=0.0), "four", "")[0]["reward"]

    assert asyncio.run(inside()) == 4.0


def test_refusals():
    with pytest.raises(ValueError, match="'group_length' compares .* SkyRL scores them one"):
        text_env(grouped, no_opinion=0.0)
    with pytest.raises(ValueError, match="'length' follows a schedule, and SkyRL"):
        text_env(fading, no_opinion=0.0)
