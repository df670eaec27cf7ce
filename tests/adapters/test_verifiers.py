"""The adapter to verifiers and prime-rl against the contract of verifiers 0.4.0.

The task and the trace are stand-ins with the attributes that the adapter reads.
"""

from __future__ import annotations

import asyncio
import inspect
import pickle
from dataclasses import dataclass, field
from typing import Any

import pytest
from adapters_stacks import Recorder, fading, grouped, length, patient, right, stack

import rlrewards as rr
from rlrewards.adapters import prime_rl
from rlrewards.adapters.verifiers import NoOpinionError, reward_function


@dataclass
class Dumped:
    """Something of pydantic."""

    fields: dict[str, Any]

    def __getattr__(self, name):
        return self.fields[name]

    def model_dump(self):
        return dict(self.fields)


@dataclass
class Node:
    token_ids: list[int]
    mask: list[bool]
    sampled: bool = True


@dataclass
class Trace:
    assistant_messages: list[Dumped]
    nodes: list[Node] = field(default_factory=list)
    root_reply: str | None = None
    is_truncated: bool = False
    metrics: dict[str, float] = field(default_factory=dict)

    def record_metrics(self, values):
        self.metrics |= {name: float(value) for name, value in values.items()}


def reply(content, **more):
    return Dumped({"role": "assistant", "content": content, "tool_calls": None} | more)


def task(answer="four", prompt="2 + 2?", **more):
    return Dumped({"idx": 0, "prompt": prompt, "system_prompt": None, "answer": answer} | more)


def invoke(function, **available):
    """Call with the arguments that the function names, as verifiers does."""
    parameters = inspect.signature(function).parameters
    wanted = {name: value for name, value in available.items() if name in parameters}
    return asyncio.run(function(**wanted))


def scored(of, the_task, trace, **options):
    return invoke(reward_function(of, **options), task=the_task, trace=trace, runtime=None)


class TestReward:
    def test_the_parts_add_up_to_the_total_and_raw_values_are_metrics(self):
        trace = Trace([reply("four")])
        assert scored(stack, task(), trace) == pytest.approx({"right": 0.8, "length": 0.4})
        assert trace.metrics == {"right": 1.0, "length": 4.0, "no_opinion": 0.0}

    def test_no_opinion_fails_the_rollout(self):
        trace = Trace([reply("four")])
        with pytest.raises(NoOpinionError, match=r"no opinion from right"):
            scored(stack, task(answer=None), trace)

    def test_or_is_a_number(self):
        trace = Trace([reply("four")])
        shares = scored(stack, task(answer=None), trace, no_opinion=-0.5)
        assert shares == {"right": -0.25, "length": -0.25}
        assert trace.metrics == {"length": 4.0, "no_opinion": 1.0}

    def test_metrics_may_have_a_prefix(self):
        trace = Trace([reply("four")])
        scored(right, task(), trace, metric_prefix="raw/")
        assert trace.metrics == {"raw/right": 1.0, "raw/no_opinion": 0.0}

    def test_parts_that_wait(self):
        assert scored(0.5 * patient, task(), Trace([reply("four")])) == {"patient": 2.0}

    def test_refusals(self):
        with pytest.raises(ValueError, match="'group_length' compares .* verifiers scores them"):
            reward_function(grouped)
        with pytest.raises(ValueError, match="'length' follows a schedule"):
            reward_function(fading)

    def test_it_travels_to_other_processes(self):
        original = reward_function(stack)
        assert pickle.loads(pickle.dumps(original)) == original


class TestSamples:
    def sample(self, trace, the_task=None, **options):
        seen = Recorder()
        scored(seen, the_task or task(), trace, **options)
        return seen.samples[0]

    def test_fields(self):
        nodes = [Node([1, 2], [False, False], sampled=False), Node([3, 4, 5], [False, True, True])]
        the_task = task(options=["yes", "no"], level=3)
        sample = self.sample(Trace([reply("four")], nodes, is_truncated=True), the_task)
        assert (sample.completion, sample.prompt) == ("four", "2 + 2?")
        assert sample.reference == "four"
        assert sample.options == {"A": "yes", "B": "no"}
        assert list(sample.token_ids) == [4, 5]
        assert sample.truncated is True
        assert sample.extra["level"] == 3

    def test_without_tokens_they_are_unknown(self):
        assert self.sample(Trace([reply("four")])).token_ids is None

    def test_turns(self):
        turns = [
            reply(None, tool_calls=[{"name": "add"}]),
            reply("four", reasoning_content="2 + 2"),
        ]
        assert self.sample(Trace(turns)).completion == "<think>2 + 2</think>four"
        assert self.sample(Trace(turns), turn=0).completion == ""
        assert self.sample(Trace([])).completion == ""

    def test_the_reply_of_the_root_agent_goes_before_a_sub_agents(self):
        trace = Trace([reply("four"), reply("said a sub-agent")], root_reply="four")
        assert self.sample(trace).completion == "four"
        assert self.sample(trace, turn="all").completion == "four\n\nsaid a sub-agent"

    def test_a_prompt_of_messages(self):
        prompt = [Dumped({"role": "user", "content": "2 + 2?"})]
        assert self.sample(Trace([reply("4")]), task(prompt=prompt)).prompt == "2 + 2?"
        assert self.sample(Trace([reply("4")]), task(prompt=None)).prompt is None

    def test_fields_can_be_mapped(self):
        sample = self.sample(Trace([reply("4")]), task(gold="4"), columns={"reference": "gold"})
        assert sample.reference == "4"


def test_prime_rl_takes_the_same():
    assert prime_rl.reward_function is reward_function
    verdict = rr.Accuracy(undecided=0.0)
    graded = prime_rl.reward_function(verdict)
    trace = Trace([reply("\\boxed{4}")])
    assert invoke(graded, task=task(answer="4"), trace=trace) == {"accuracy": 1.0}
    with pytest.raises(prime_rl.NoOpinionError, match="verdict: NO_REFERENCE"):
        invoke(graded, task=task(answer=None), trace=trace)


def test_length_is_a_part_like_others():
    assert scored(length, task(), Trace([reply("abc")])) == {"length": 3.0}
