"""The verl adapter against the contract of verl 0.9.1, called as its naive reward manager calls."""

from __future__ import annotations

import asyncio
import inspect
import pickle
import sys
from functools import partial

import numpy as np
import pytest
from adapters_stacks import Recorder, grouped, length, patient, right, stack

import rlrewards as rr
from rlrewards.adapters.verl import reward_function, reward_manager


def call_as_verl(compute_score, completion, ground_truth, **extra_info):
    """Call as `NaiveRewardManager.run_single` does; return its reward and what it logs."""
    arguments = {
        "data_source": "openai/gsm8k",
        "solution_str": completion,
        "ground_truth": ground_truth,
        "extra_info": extra_info | {"num_turns": 2, "rollout_reward_scores": {}},
    }
    if inspect.iscoroutinefunction(compute_score):
        result = asyncio.run(compute_score(**arguments))
    else:
        result = compute_score(**arguments)
    assert isinstance(result, dict)
    return result["score"], result


class TestComputeScore:
    def test_the_score_is_the_total_and_the_parts_are_logged(self):
        score, logged = call_as_verl(reward_function(stack, no_opinion=0.0), "four", "four")
        assert score == pytest.approx(1.2)
        assert logged == {"score": score, "right": 1.0, "length": 4.0, "no_opinion": 0.0}

    @pytest.mark.parametrize("chosen", [0.0, -0.5])
    def test_no_opinion_is_the_number_of_the_user(self, chosen):
        score, logged = call_as_verl(reward_function(stack, no_opinion=chosen), "four", None)
        assert score == chosen
        assert logged["no_opinion"] == 1.0
        assert logged["right"] is None

    def test_no_opinion_must_be_chosen(self):
        with pytest.raises(TypeError, match="no_opinion"):
            reward_function(stack)
        with pytest.raises(TypeError, match="must be a number, got None"):
            reward_function(stack, no_opinion=None)

    def test_every_completion_has_the_same_keys(self):
        """verl reads the keys of the first completion and looks them up in all."""
        compute_score = reward_function(rr.Accuracy() + 0.1 * length, no_opinion=0.0)
        texts = [
            ("The answer is 4.", "4"),
            ("", "4"),
            ("The answer is 4.", None),
            ("The answer is 5.", "4"),
        ]
        logged = [call_as_verl(compute_score, *pair)[1] for pair in texts]
        assert len({frozenset(row) for row in logged}) == 1
        assert [row["verdict"] for row in logged] == [
            *("EQUAL", "NO_ANSWER", "NO_REFERENCE", "DIFFERENT")
        ]

    def test_the_ground_truth_is_the_reference_whatever_extra_info_has(self):
        """gsm8k's extra_info holds the worked solution under `answer`."""
        compute_score = reward_function(rr.Accuracy(), no_opinion=0.0)
        assert call_as_verl(compute_score, "The answer is 4.", "4", answer="#### 5")[0] == 1.0
        mapped = reward_function(rr.Accuracy(), no_opinion=0.0, columns={"reference": "answer"})
        assert call_as_verl(mapped, "The answer is 4.", "5", answer="4")[0] == 1.0

    def test_extra_info_reaches_the_sample(self):
        seen = Recorder()
        compute_score = reward_function(seen, no_opinion=0.0, columns={"prompt": "question"})
        options = np.array(["yes", "no"], dtype=object)
        call_as_verl(compute_score, "B", "B", question="Is it?", options=options, index=7)
        [sample] = seen.samples
        assert sample.prompt == "Is it?"
        assert sample.options == {"A": "yes", "B": "no"}
        assert sample.extra["index"] == 7
        assert sample.extra["data_source"] == "openai/gsm8k"

    def test_extra_info_may_be_missing_and_is_left_as_it_was(self):
        compute_score = reward_function(right, no_opinion=0.0)
        assert compute_score("gsm8k", "4", "4")["score"] == 1.0
        extra_info = {"index": 7}
        compute_score("gsm8k", "4", "4", extra_info)
        assert extra_info == {"index": 7}

    def test_a_stack_that_waits_is_a_coroutine_function_through_verls_partial(self):
        compute_score = reward_function(patient, no_opinion=0.0)

        async def merged(raw, extra_kwargs, *args, **kwargs):  # as verl's _call_with_kwargs_async
            return await raw(*args, **kwargs, **extra_kwargs)

        assert inspect.iscoroutinefunction(compute_score)
        score, _ = call_as_verl(partial(merged, compute_score, {}), "four", None)
        assert score == 4.0

    def test_what_verl_passes_to_generative_rewards_is_taken_and_other_arguments_are_not(self):
        compute_score = reward_function(right, no_opinion=0.0)
        router = {"reward_router_address": "host:1", "reward_model_tokenizer": None}
        assert compute_score("gsm8k", "4", "4", {}, **router)["score"] == 1.0
        with pytest.raises(TypeError, match="temperature"):
            compute_score("gsm8k", "4", "4", {}, temperature=1.0)

    def test_it_travels_to_a_ray_worker(self):
        compute_score = pickle.loads(pickle.dumps(reward_function(stack, no_opinion=0.0)))
        assert call_as_verl(compute_score, "four", "four")[0] == pytest.approx(1.2)

    def test_a_reference_that_cannot_be_read_is_told(self):
        compute_score = reward_function(right, no_opinion=0.0)
        with pytest.raises(ValueError, match="reference is an object, expected text"):
            call_as_verl(compute_score, "4", {"target": ["4"]})

    def test_refusals(self):
        with pytest.raises(ValueError, match="'group_length' compares .* verl scores them one at"):
            reward_function(grouped, no_opinion=0.0)
        with pytest.raises(ValueError, match=r"'score' would be logged .* metric_prefix='raw/'"):
            reward_function(length.named("score"), no_opinion=0.0)
        named = reward_function(length.named("score"), no_opinion=0.0, metric_prefix="raw/")
        assert call_as_verl(named, "four", None)[1]["raw/score"] == 4.0


def test_the_reward_manager_needs_verl(monkeypatch):
    monkeypatch.setitem(sys.modules, "verl", None)
    with pytest.raises(ImportError):
        reward_manager(stack, no_opinion=0.0)
