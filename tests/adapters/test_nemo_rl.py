"""The NeMo-RL adapter against the contract of its sources: interfaces.py and rollouts.py."""

from __future__ import annotations

import sys
import types
from typing import Any, NamedTuple

import pytest
from adapters_stacks import Recorder, fading, grouped, length, patient, right, stack

import rlrewards as rr
from rlrewards.adapters.nemo_rl import PARTS, environment

torch = pytest.importorskip("torch")


class EnvironmentReturn(NamedTuple):
    """As in nemo_rl/environments/interfaces.py."""

    observations: list[dict[str, str]]
    metadata: list[Any]
    next_stop_strings: list[Any]
    rewards: Any
    terminateds: Any
    answers: list[str | None] | None = None


@pytest.fixture(autouse=True)
def nemo_rl(monkeypatch):
    """A stand-in of NeMo-RL's interfaces."""
    module = types.ModuleType("nemo_rl.environments.interfaces")
    module.EnvironmentInterface = type("EnvironmentInterface", (), {})
    module.EnvironmentReturn = EnvironmentReturn
    for name in ("nemo_rl", "nemo_rl.environments"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)


def log(completion, prompt="2 + 2?"):
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}]


def roll_out(env_class, completions, metadata):
    """Take one turn as `calculate_rewards` and `run_multi_turn_rollout` do; return the totals."""
    logs = [log(text) if isinstance(text, str) else text for text in completions]
    result = env_class({"num_workers": 1}).step(logs, metadata)
    observations, after, stops, rewards, terminateds, answers = result
    rows = zip(rewards, observations, terminateds, stops, after, strict=True)
    stacked = torch.stack([row[0] for row in rows])
    assert answers is None
    assert [observation["role"] for observation in observations] == ["environment"] * len(logs)
    assert terminateds.bool().all()
    totals = torch.zeros(len(logs)) + (stacked.sum(dim=1) if stacked.ndim > 1 else stacked)
    return totals.tolist(), result


def truths(*values):
    return [{"ground_truth": value} for value in values]


def test_the_rewards_of_a_batch():
    totals, result = roll_out(
        environment(stack, no_opinion=0.0), ["four", "one"], truths("four", "four")
    )
    assert totals == pytest.approx([1.2, 0.3])
    assert result.rewards.dtype == torch.float32
    assert result.metadata[0] == {
        "ground_truth": "four",
        PARTS: {"right": 1.0, "length": 4.0, "no_opinion": 0.0, "verdict": None},
    }


def test_no_opinion_is_the_number_of_the_user():
    totals, result = roll_out(environment(stack, no_opinion=-0.5), ["four"], truths(None))
    assert totals == [-0.5]
    assert result.metadata[0][PARTS]["right"] is None
    with pytest.raises(TypeError, match="no_opinion"):
        environment(stack)
    with pytest.raises(TypeError, match="must be a number, got None"):
        environment(stack, no_opinion=None)


def test_components_add_up_to_the_same():
    env_class = environment(stack, no_opinion=-0.5, components=True)
    totals, result = roll_out(env_class, ["four", "four"], truths("four", None))
    assert result.rewards.shape == (2, 2)
    assert totals == pytest.approx([1.2, -0.5])
    with pytest.raises(ValueError, match="at least two parts"):
        environment(right, no_opinion=0.0, components=True)


def test_metadata_is_left_as_it_was_and_may_be_missing():
    metadata = truths("four")
    roll_out(environment(right, no_opinion=0.0), ["four"], metadata)
    assert metadata == truths("four")
    assert roll_out(environment(length, no_opinion=0.0), ["four"], [None])[0] == [4.0]


def test_what_nemo_rl_knows_reaches_the_sample():
    seen = Recorder()
    metadata = [{"ground_truth": "4", "options": ["yes", "no"], "level": 3, "answer": "worked"}]
    roll_out(environment(seen, no_opinion=0.0), ["four"], metadata)
    [sample] = seen.samples
    assert (sample.completion, sample.prompt, sample.reference) == ("four", "2 + 2?", "4")
    assert sample.options == {"A": "yes", "B": "no"}
    assert sample.extra["level"] == 3


@pytest.mark.parametrize(("turn", "completion"), [("last", "four"), (0, "five?"), ("all", None)])
def test_turns(turn, completion):
    seen = Recorder()
    turns = [*log("five?"), {"role": "environment", "content": "no"}, *log("four")[1:]]
    roll_out(environment(seen, no_opinion=0.0, turn=turn), [turns], truths("4"))
    assert seen.samples[0].completion == (completion or "five?\n\nfour")
    assert seen.samples[0].prompt == "2 + 2?"


def test_a_log_without_a_turn_of_the_model():
    assert roll_out(environment(length, no_opinion=0.0), [log("")[:1]], truths("4"))[0] == [0.0]


def test_parts_that_wait():
    assert roll_out(environment(patient, no_opinion=0.0), ["four"], truths(""))[0] == [4.0]


def test_metrics_are_the_means_of_the_raw_parts():
    env_class = environment(rr.Accuracy() + 0.1 * length, no_opinion=0.0)
    _, result = roll_out(env_class, ["\\boxed{4}", "5"], truths("4", None))
    batch = {"extra_env_info": [*result.metadata, None]}
    after, metrics = env_class().global_post_process_and_metrics(batch)
    assert after is batch
    assert metrics == {"accuracy": 1.0, "length": 5.0, "no_opinion": 0.5}
    assert env_class().global_post_process_and_metrics({})[1] == {}
    env_class().shutdown()


def test_refusals():
    with pytest.raises(ValueError, match="'group_length' compares .* NeMo-RL scores them one"):
        environment(grouped, no_opinion=0.0)
    with pytest.raises(ValueError, match="'length' follows a schedule, and NeMo-RL"):
        environment(fading, no_opinion=0.0)
