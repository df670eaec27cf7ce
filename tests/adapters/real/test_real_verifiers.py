"""The adapter to verifiers under verifiers itself: `Task.score` on a trace, hooks and plugs."""

from __future__ import annotations

import asyncio
import textwrap

import pytest

pytest.importorskip(
    "verifiers", reason="needs verifiers, in its own environment: make test-adapters"
)

import verifiers.v1 as vf
from adapters_stacks import patient, stack
from verifiers.v1.configs.agent import WireAgentConfig
from verifiers.v1.trace import AgentInfo, ModelCall, TraceTask

import rlrewards as rr
from rlrewards.adapters.verifiers import reward_function

graded = reward_function(stack)
chosen = reward_function(stack, no_opinion=-0.5)


class SumData(vf.TaskData):
    answer: str | None = None
    options: list[str] | None = None


class SumTask(vf.Task[SumData]):
    @vf.reward
    async def stack(self, trace: vf.Trace) -> dict[str, float]:
        return await graded(self.data, trace)


class ChosenTask(vf.Task[SumData]):
    @vf.reward
    async def stack(self, trace: vf.Trace) -> dict[str, float]:
        return await chosen(self.data, trace)


class PlainTask(vf.Task[SumData]):
    """One without rewards of its own."""


def trace_of(task, reply, *, finish_reason="stop", ids=(7, 8), **message):
    """Return the trace of one exchange, as a rollout records it."""
    asked = vf.MessageNode(message=vf.UserMessage(content="2 + 2?"), token_ids=[1, 2])
    asked.mask = [False, False]
    answered = vf.MessageNode(
        parent=0,
        message=vf.AssistantMessage(content=reply, **message),
        sampled=True,
        token_ids=[3, *ids],
        mask=[False] + [True] * len(ids),
    )
    return vf.Trace(
        task=TraceTask(type=type(task).__name__, data=task.data, key=task.key, hash=task.hash),
        agent=AgentInfo(config=WireAgentConfig()),
        nodes=[asked, answered],
        calls=[ModelCall(node=1, finish_reason=finish_reason)],
    )


def score(task, reply="four", **more):
    trace = trace_of(task, reply, **more)
    asyncio.run(task.score(trace))
    return trace


def data(answer="four", **more):
    return SumData(prompt="2 + 2?", answer=answer, **more)


def test_a_reward_of_a_task():
    trace = score(SumTask(data()))
    assert trace.reward == pytest.approx(1.2)
    assert {name: reward.value for name, reward in trace.rewards.items()} == pytest.approx(
        {"right": 0.8, "length": 0.4}
    )
    assert trace.metrics == {"right": 1.0, "length": 4.0, "no_opinion": 0.0}


def test_no_opinion_fails_the_scoring():
    task = SumTask(data(answer=None))
    trace = trace_of(task, "four")
    with pytest.raises(vf.TaskError, match="NoOpinionError: no opinion from right"):
        asyncio.run(task.score(trace))
    trace.record_error(vf.TaskError("as a rollout does"))
    assert trace.has_error


def test_or_is_a_number():
    trace = score(ChosenTask(data(answer=None)))
    assert trace.reward == -0.5
    assert trace.metrics["no_opinion"] == 1.0


def test_verifiers_would_leave_a_reward_of_none_out_of_the_sum():
    """The reason for the error: the sum without it says 0."""
    trace = trace_of(SumTask(data()), "four")
    trace.rewards["right"] = None
    assert trace.reward == 0


def test_a_plugged_function(tmp_path):
    path = tmp_path / "my_rewards.py"
    path.write_text(
        textwrap.dedent(
            """
            import rlrewards as rr
            from rlrewards.adapters.verifiers import reward_function

            stack = 0.8 * rr.Accuracy() + 0.2 * rr.ThinkAnswerFormat()
            graded = reward_function(stack)
            """
        )
    )
    config = vf.TaskConfig(rewards={"stack": {"fn": f"{path}:graded"}})
    task = PlainTask(data(answer="4"), config)
    trace = score(task, "<answer>4</answer>", reasoning_content="2 + 2")
    assert trace.reward == pytest.approx(1.0)
    assert set(trace.rewards) == {"accuracy", "think_answer_format"}


def test_what_verifiers_knows_reaches_the_sample():
    seen = []

    @rr.each
    def looked(sample):
        seen.append(sample)
        return 1.0

    class LookedTask(vf.Task[SumData]):
        @vf.reward
        async def stack(self, trace: vf.Trace) -> dict[str, float]:
            return await reward_function(looked)(self.data, trace)

    score(LookedTask(data(options=["yes", "no"])), finish_reason="length")
    [sample] = seen
    assert (sample.completion, sample.prompt, sample.reference) == ("four", "2 + 2?", "four")
    assert list(sample.token_ids) == [7, 8]
    assert sample.truncated is True
    assert sample.options == {"A": "yes", "B": "no"}


def test_stacks_that_wait():
    class WaitingTask(vf.Task[SumData]):
        @vf.reward
        async def stack(self, trace: vf.Trace) -> dict[str, float]:
            return await reward_function(patient)(self.data, trace)

    assert score(WaitingTask(data())).reward == 4.0


def test_the_trace_can_be_written_and_read():
    trace = score(SumTask(data()))
    again = vf.WireTrace.model_validate(trace.to_record())
    assert again.reward == trace.reward
