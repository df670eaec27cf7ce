"""SkyRL: a stack as a text environment of SkyRL-Gym.

Read from skyrl-gym 0.4.0 and skyrl 0.3.0. The generator makes an environment for each trajectory,

    skyrl_gym.make(env_class, env_config=..., extras=<the row of the data set>)

gives it the prompt (`init`) and each of the model's turns (`step`, in a thread), and places the
reward at the turn's last token. `get_metrics` is averaged over trajectories and logged.

A reward of None stops the generator; NaN becomes the advantage of all trajectories of the prompt.
So `no_opinion` is required.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rlrewards.adapters.scorer import Asked, Graded, require_number, scorer
from rlrewards.adapters.sinks import Sink
from rlrewards.core import Reward

__all__ = ["text_env"]


def text_env(
    stack: Reward,
    *,
    no_opinion: float,
    columns: Mapping[str, str] | None = None,
    metric_prefix: str = "",
    verdict_sink: Sink | None = None,
) -> type:
    """Return the class of an environment of one turn, for `skyrl_gym.register`.

    Token ids are not handed to it: rewards of the length need their `length=`.

    Args:
        stack: The stack; any other reward is a stack of one part.
        no_opinion: The reward of a completion on which the stack has no opinion.
        columns: Field of the sample to the column of the data set that holds it. By default the
            reference is `reward_spec["ground_truth"]`; the keys of `extra_info` are columns too.
        metric_prefix: Put before the names of the raw values.
        verdict_sink: Called with a list of one flat dict for each completion.

    Raises:
        ImportError: skyrl-gym is not installed.
        TypeError: `stack` is not a reward.
        ValueError: the stack compares completions or follows a schedule.
    """
    from skyrl_gym.envs.base_text_env import BaseTextEnv

    made = scorer(
        stack,
        "SkyRL",
        no_opinion=require_number("no_opinion", no_opinion),
        columns=columns,
        verdict_sink=verdict_sink,
    )

    class StackEnv(BaseTextEnv):  # type: ignore[misc]
        """Rewards one turn with a stack of rlrewards, and ends."""

        def __init__(self, env_config: Any = None, extras: Mapping[str, Any] | None = None) -> None:
            super().__init__()
            self.columns = row_columns(extras or {})
            self.prompt: Sequence[Any] | None = None
            self.graded: Graded | None = None

        def init(self, prompt: Any) -> tuple[Any, dict[str, Any]]:
            """Keep the prompt, and pass it on as it is."""
            self.prompt = prompt
            return prompt, {}

        def step(self, action: str) -> dict[str, Any]:
            """Return the reward of the turn; its raw parts are the metadata."""
            [self.graded] = made.grade([Asked(action, self.prompt, columns=self.columns)])
            self.turns += 1
            return {
                "observations": [],
                "reward": self.graded.reward,
                "done": True,
                "metadata": self.graded.numbers() | {"verdict": self.graded.status},
            }

        def get_metrics(self) -> dict[str, float]:
            """Return the raw parts that have an opinion, and `no_opinion`."""
            numbers = {} if self.graded is None else self.graded.numbers(metric_prefix)
            return {name: value for name, value in numbers.items() if value is not None}

    return StackEnv


def row_columns(extras: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a row of SkyRL's data set.

    >>> row_columns({"reward_spec": {"ground_truth": "4"}, "extra_info": {"level": 3}})
    {'level': 3, 'reference': '4'}
    """
    rest = {name: value for name, value in extras.items() if name not in _NESTED}
    specification = extras.get("reward_spec") or {}
    reference = (
        {"reference": specification["ground_truth"]} if "ground_truth" in specification else {}
    )
    return rest | dict(extras.get("extra_info") or {}) | reference


_NESTED = ("extra_info", "reward_spec")
