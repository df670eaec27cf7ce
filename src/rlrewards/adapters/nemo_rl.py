"""NeMo-RL: a stack as an environment.

Read from NeMo-RL's sources on GitHub (`environments/interfaces.py`, `experience/rollouts.py`); its
package on PyPI is a placeholder. An environment is a Ray actor. Rollouts send it the completions of
its task, all of a step or one at a time,

    step(message_log_batch, metadata) -> EnvironmentReturn(..., metadata, rewards, terminateds)

and add its rewards up over the turns. `metadata` is the row's `extra_env_info`.

Rewards are a tensor, so there is no None; NaN becomes the baseline of all completions of its
prompt. So `no_opinion` is required.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rlrewards.adapters.scorer import Asked, require_number, scorer
from rlrewards.adapters.sinks import Sink
from rlrewards.core import Reward
from rlrewards.messages import Turn

__all__ = ["environment"]

PARTS = "rlrewards"  # key of the metadata that holds the raw parts


def environment(
    stack: Reward,
    *,
    no_opinion: float,
    columns: Mapping[str, str] | None = None,
    turn: Turn = "last",
    components: bool = False,
    verdict_sink: Sink | None = None,
) -> type:
    """Return the class of an environment of one turn; `ray.remote` makes it an actor.

    Whether a group of completions arrives whole depends on how rollouts are run, and token ids are
    not handed over: stacks that compare completions are refused, and rewards of the length need
    their `length=`.

    Args:
        stack: The stack; any other reward is a stack of one part.
        no_opinion: The reward of a completion on which the stack has no opinion.
        columns: Field of the sample to the key of the metadata that holds it. By default the
            reference is `ground_truth`.
        turn: Which of the model's turns is graded: "last", "all", or an index.
        components: Return what each part adds to the total, `[N, K]`, as GDPO needs it; NeMo-RL
            trains other algorithms on their sum.
        verdict_sink: Called with a list of one flat dict for each completion.

    Raises:
        ImportError: NeMo-RL is not installed.
        TypeError: `stack` is not a reward.
        ValueError: the stack compares completions or follows a schedule, or has fewer than two
            parts as components.
    """
    from nemo_rl.environments.interfaces import EnvironmentInterface, EnvironmentReturn

    made = scorer(
        stack,
        "NeMo-RL",
        no_opinion=require_number("no_opinion", no_opinion),
        columns=columns,
        turn=turn,
        verdict_sink=verdict_sink,
    )
    if components and len(made.stack.parts) < 2:
        raise ValueError("components=True needs a stack of at least two parts, got one")

    class StackEnvironment(EnvironmentInterface):  # type: ignore[misc]
        """Rewards one turn with a stack of rlrewards, and ends."""

        def __init__(self, cfg: Any = None) -> None:
            self.cfg = cfg

        def step(self, message_log_batch: Sequence[Any], metadata: Sequence[Any]) -> Any:
            """Return the rewards of a batch; the raw parts are under `PARTS` in the metadata."""
            import torch

            pairs = zip(message_log_batch, metadata, strict=True)
            graded = made.grade([asked_of(messages, row) for messages, row in pairs])
            rewards = [[*one.shares().values()] if components else one.reward for one in graded]
            return EnvironmentReturn(
                observations=[{"role": "environment", "content": ""} for _ in graded],
                metadata=[
                    {**(row or {}), PARTS: one.numbers() | {"verdict": one.status}}
                    for row, one in zip(metadata, graded, strict=True)
                ],
                next_stop_strings=[None] * len(graded),
                rewards=torch.tensor(rewards, dtype=torch.float32),
                terminateds=torch.ones(len(graded)),
            )

        def global_post_process_and_metrics(self, batch: Any) -> tuple[Any, dict[str, float]]:
            """Return the batch as it is, and the mean of each raw part that it has."""
            return batch, _means(batch.get("extra_env_info") or ())

        def shutdown(self) -> None:
            """Do nothing: there are no workers."""

    return StackEnvironment


def asked_of(messages: Sequence[Mapping[str, Any]], metadata: Mapping[str, Any] | None) -> Asked:
    """Return the completion of a message log: the prompt ends where the model begins.

    >>> log = [{"role": "user", "content": "2?"}, {"role": "assistant", "content": "2"}]
    >>> asked_of(log, {"ground_truth": "2"}).prompt
    [{'role': 'user', 'content': '2?'}]
    """
    first = next((i for i, m in enumerate(messages) if m["role"] == "assistant"), len(messages))
    row = dict(metadata or {})
    reference = {"reference": row["ground_truth"]} if "ground_truth" in row else {}
    return Asked(list(messages[first:]), list(messages[:first]), columns=row | reference)


def _means(metadata: Sequence[Mapping[str, Any] | None]) -> dict[str, float]:
    rows = [row[PARTS] for row in metadata if row and PARTS in row]
    means = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        numbers = [row[name] for row in rows if isinstance(row.get(name), float)]
        if numbers:
            means[name] = sum(numbers) / len(numbers)
    return means
