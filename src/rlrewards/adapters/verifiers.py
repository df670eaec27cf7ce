"""verifiers: a stack as a reward of a task.

Read from verifiers 0.4.0. A `Task` is scored by its methods under `@vf.reward` and by the functions
that `--env.taskset.task.rewards` plugs in. Each is awaited with the arguments that it names, of

    task (the task's data), trace (messages, tokens and state of the rollout), runtime

and returns a number, or several by name, which are added. A reward of None is one that did not
run, and the sum leaves it out, which makes it a 0. An exception fails the rollout instead: the
trace keeps the error, and prime-rl leaves such rollouts out of their group. That is what "no
opinion" means, so `NoOpinionError` is the default, and `no_opinion=` a number instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rlrewards.adapters.scorer import Asked, NoOpinionError, Scorer, scorer
from rlrewards.adapters.sinks import Sink
from rlrewards.core import Reward
from rlrewards.messages import Turn

__all__ = ["NoOpinionError", "StackReward", "reward_function"]

TRUNCATED = "is_truncated"


@dataclass(frozen=True)
class StackReward:
    """A stack in the signature of a reward of verifiers; made by `reward_function`."""

    scorer: Scorer
    metric_prefix: str = ""

    async def __call__(self, task: Any, trace: Any) -> dict[str, float]:
        """Return what each part adds to the total, and record its raw value as a metric.

        Args:
            task: The task's data; its fields are the columns.
            trace: The rollout.

        Raises:
            NoOpinionError: the stack has no opinion, and there is no number in its place.
        """
        [graded] = await self.scorer.agrade([_asked(task, trace, self.scorer.translation.turn)])
        numbers = graded.numbers(self.metric_prefix)
        trace.record_metrics({name: value for name, value in numbers.items() if value is not None})
        return graded.shares()


def reward_function(
    stack: Reward,
    *,
    no_opinion: float | None = None,
    columns: Mapping[str, str] | None = None,
    turn: Turn = "last",
    metric_prefix: str = "",
    verdict_sink: Sink | None = None,
) -> StackReward:
    """Return a reward of `(task, trace)`: plug it in by its path, or await it in a method.

    Args:
        stack: The stack; any other reward is a stack of one part.
        no_opinion: The reward of a completion on which the stack has no opinion. None, the
            default, fails the rollout with `NoOpinionError`.
        columns: Field of the sample to the field of the task's data that holds it. By default the
            reference is the first of reference, answer, ground_truth, final_answer and solution.
        turn: Which of the model's turns is graded: "last", "all", or an index.
        metric_prefix: Put before the names under which raw values are recorded.
        verdict_sink: Called with a list of one flat dict for each completion.

    Raises:
        TypeError: `stack` is not a reward.
        ValueError: the stack compares completions or follows a schedule.
    """
    made = scorer(
        stack,
        "verifiers",
        no_opinion=no_opinion,
        columns={"truncated": TRUNCATED} | dict(columns or {}),
        turn=turn,
        verdict_sink=verdict_sink,
    )
    return StackReward(made, metric_prefix)


def _asked(task: Any, trace: Any, turn: Turn) -> Asked:
    columns = {name: value for name, value in task.model_dump().items() if name != "prompt"}
    turns = [_plain(message) for message in trace.assistant_messages]
    if turn == "last" and trace.root_reply is not None:  # the last message is a sub-agent's
        turns.append({"role": "assistant", "content": trace.root_reply})
    return Asked(
        completion=turns,
        prompt=task.prompt if isinstance(task.prompt, str) else _messages(task.prompt),
        token_ids=_sampled_ids(trace),
        columns=columns | {TRUNCATED: trace.is_truncated},
    )


def _messages(prompt: Sequence[Any] | None) -> list[dict[str, Any]] | None:
    return None if prompt is None else [_plain(message) for message in prompt]


def _plain(message: Any) -> dict[str, Any]:
    """Return a message of pydantic as the dict that chat APIs write."""
    written: dict[str, Any] = message.model_dump()
    return written


def _sampled_ids(trace: Any) -> list[int] | None:
    """Return the ids of the tokens that the model wrote, None where the client has none."""
    ids = [
        token
        for node in trace.nodes
        if node.sampled
        for token, written in zip(node.token_ids, node.mask, strict=True)
        if written
    ]
    return ids or None
