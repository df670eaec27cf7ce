"""The SkyRL adapter under SkyRL-Gym: its registry, its environments, its metrics."""

from __future__ import annotations

import pytest

pytest.importorskip(
    "skyrl_gym", reason="needs skyrl-gym, in its own environment: make test-adapters"
)

import skyrl_gym
from adapters_stacks import patient, stack
from skyrl_gym.envs.base_text_env import BaseTextEnv
from skyrl_gym.envs.registration import deregister
from skyrl_gym.metrics import aggregate_for_environment

import rlrewards as rr
from rlrewards.adapters.skyrl import text_env

StackEnv = text_env(stack, no_opinion=-0.5)


@pytest.fixture
def registered():
    """Register an environment, by its class or by where it is."""
    names = []

    def register(entry_point):
        names.append(f"rlrewards-{len(names)}")
        skyrl_gym.register(id=names[-1], entry_point=entry_point)
        return names[-1]

    yield register
    for name in names:
        deregister(name)


def play(name, action, ground_truth):
    extras = {"reward_spec": {"ground_truth": ground_truth}, "max_turns": 1}
    with skyrl_gym.make(name, env_config={}, extras=extras) as env:
        assert isinstance(env, BaseTextEnv)
        prompt, _ = env.init([{"role": "user", "content": "2 + 2?"}])
        assert prompt == [{"role": "user", "content": "2 + 2?"}]
        return env.step(action), env.get_metrics()


@pytest.mark.parametrize("entry_point", [StackEnv, f"{__name__}:StackEnv"])
def test_an_environment_made_by_skyrl_gym(registered, entry_point):
    name = registered(entry_point)
    played = [play(name, *turn) for turn in [("four", "four"), ("one", "four"), ("one", None)]]
    assert [output["reward"] for output, _ in played] == pytest.approx([1.2, 0.3, -0.5])
    assert all(output["done"] for output, _ in played)
    metrics = aggregate_for_environment(name, [metrics for _, metrics in played])
    assert metrics == pytest.approx({"right": 0.5, "length": 10 / 3, "no_opinion": 1 / 3})


def test_a_real_stack(registered):
    name = registered(text_env(0.8 * rr.Accuracy() + 0.2 * rr.ThinkAnswerFormat(), no_opinion=0.0))
    output, metrics = play(name, "<think>2 + 2</think> <answer>4</answer>", "4")
    assert output["reward"] == pytest.approx(1.0)
    assert metrics == {"accuracy": 1.0, "think_answer_format": 1.0, "no_opinion": 0.0}


def test_stacks_that_wait(registered):
    assert play(registered(text_env(patient, no_opinion=0.0)), "four", "")[0]["reward"] == 4.0
