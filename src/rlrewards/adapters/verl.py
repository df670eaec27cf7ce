"""verl: a stack as `compute_score`, or as the reward manager of its reward loop.

Read from verl 0.9.1. Its reward loop gives each completion to one of several Ray workers, whose
reward manager decodes it and calls

    compute_score(data_source, solution_str, ground_truth, extra_info, **kwargs) -> float | dict

in a thread, or awaits it where it is a coroutine function; of a dict, "score" is the reward and
all keys are logged, so they must be the same for every completion. A manager of one's own gets the
`DataProto` instead, with the token ids and the prompt.

A score of None or NaN does not survive: None fails in `torch.tensor(scores)`, and NaN becomes the
advantage of every completion of its prompt. So `no_opinion` is required.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rlrewards.adapters.scorer import (
    VERDICT,
    Asked,
    Graded,
    Scorer,
    require_free_names,
    require_number,
    scorer,
)
from rlrewards.adapters.sinks import Sink
from rlrewards.core import Reward

__all__ = ["ComputeScore", "reward_function", "reward_manager"]

# Keys of verl's batches and of its validation: a part of that name would overwrite them.
RESERVED = {
    *("score", "reward", "pred", "uid", "index", "data_source", "reward_model", "extra_info"),
    *("raw_prompt", "multi_modal_data", "multi_modal_inputs", "tools_kwargs", "agent_name"),
    *("interaction_kwargs", "reward_scores", "tool_extra_fields", VERDICT),
}
TRUNCATED = "response_truncated"


@dataclass(frozen=True)
class ComputeScore:
    """A stack in the signature of verl's `compute_score`; made by `reward_function`."""

    scorer: Scorer
    metric_prefix: str = ""

    def compute_score(
        self,
        data_source: str,
        solution_str: str,
        ground_truth: Any,
        extra_info: Mapping[str, Any] | None = None,
        reward_router_address: str | None = None,
        reward_model_tokenizer: Any = None,
    ) -> dict[str, Any]:
        """Return the total as "score", each part's raw value, and the verdict's status.

        Args:
            data_source: Name of the data set.
            solution_str: The completion.
            ground_truth: The reference.
            extra_info: Further columns of the data set.
            reward_router_address: What verl passes to rewards that ask a model; not used.
            reward_model_tokenizer: Likewise.
        """
        asked = _asked(data_source, solution_str, ground_truth, extra_info)
        return self.result(self.scorer.grade([asked])[0])

    async def acompute_score(
        self,
        data_source: str,
        solution_str: str,
        ground_truth: Any,
        extra_info: Mapping[str, Any] | None = None,
        reward_router_address: str | None = None,
        reward_model_tokenizer: Any = None,
    ) -> dict[str, Any]:
        """Do the same as a coroutine, for stacks with parts that wait."""
        asked = _asked(data_source, solution_str, ground_truth, extra_info)
        return self.result((await self.scorer.agrade([asked]))[0])

    def result(self, graded: Graded) -> dict[str, Any]:
        """Return what verl reads, with the same keys for every completion."""
        verdict = {f"{self.metric_prefix}{VERDICT}": graded.status} if self.scorer.verifies else {}
        return {"score": graded.reward} | graded.numbers(self.metric_prefix) | verdict


def reward_function(
    stack: Reward,
    *,
    no_opinion: float,
    columns: Mapping[str, str] | None = None,
    metric_prefix: str = "",
    verdict_sink: Sink | None = None,
) -> Any:
    """Return `compute_score`, for the file that `reward.custom_reward_function.path` names.

    It is a coroutine function where the stack has a part that waits. Token ids are not handed to
    it: rewards of the length need their `length=`, or `reward_manager`.

    Args:
        stack: The stack; any other reward is a stack of one part.
        no_opinion: The score of a completion on which the stack has no opinion.
        columns: Field of the sample (reference, options, prompt, truncated) to the key of
            `extra_info` that holds it. By default `ground_truth` is the reference, and the options
            come from options or choices.
        metric_prefix: Put before the names of the raw values.
        verdict_sink: Called with a list of one flat dict for each completion.

    Raises:
        TypeError: `stack` is not a reward.
        ValueError: the stack compares completions, follows a schedule, or has a part named as a
            key of verl.

    >>> import rlrewards as rr
    >>> compute_score = reward_function(rr.Accuracy(), no_opinion=0.0)
    >>> compute_score("gsm8k", "The answer is 4.", "4", {"index": 7})
    {'score': 1.0, 'accuracy': 1.0, 'no_opinion': 0.0, 'verdict': 'EQUAL'}
    """
    made = _made(stack, no_opinion, columns, metric_prefix, verdict_sink)
    return made.acompute_score if made.scorer.stack.waits else made.compute_score


def reward_manager(
    stack: Reward,
    *,
    no_opinion: float,
    columns: Mapping[str, str] | None = None,
    metric_prefix: str = "",
    verdict_sink: Sink | None = None,
) -> type:
    """Return a reward manager class, for the file that `reward.reward_manager.module.path` names.

    Beside what `compute_score` gets it sees the token ids of the completion, whether they end in
    the end token, and the prompt. The arguments are those of `reward_function`.

    Raises:
        ImportError: verl is not installed.
        TypeError, ValueError: as `reward_function`.
    """
    from verl.experimental.reward_loop.reward_manager.base import RewardManagerBase

    told = {"truncated": TRUNCATED} | dict(columns or {})
    made = _made(stack, no_opinion, told, metric_prefix, verdict_sink)

    class StackRewardManager(RewardManagerBase):  # type: ignore[misc]
        """Scores each completion with a stack of rlrewards."""

        def __init__(
            self, config: Any, tokenizer: Any, compute_score: Any = None, **kwargs: Any
        ) -> None:
            super().__init__(config, tokenizer, compute_score)

        async def run_single(self, data: Any) -> dict[str, Any]:
            """Return the reward of the last sequence, and what is logged with it."""
            asked = await self.loop.run_in_executor(None, _asked_of, data, self.tokenizer)
            [graded] = await made.scorer.agrade([asked])
            return {"reward_score": graded.reward, "reward_extra_info": made.result(graded)}

    return StackRewardManager


def _made(
    stack: Reward,
    no_opinion: float,
    columns: Mapping[str, str] | None,
    metric_prefix: str,
    verdict_sink: Sink | None,
) -> ComputeScore:
    number = require_number("no_opinion", no_opinion)
    checked = scorer(stack, "verl", no_opinion=number, columns=columns, verdict_sink=verdict_sink)
    require_free_names(checked.stack, RESERVED, metric_prefix, "verl", "metric_prefix='raw/'")
    return ComputeScore(checked, metric_prefix)


def _asked(
    data_source: str,
    solution: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None,
    prompt: Any = None,
    token_ids: Sequence[int] | None = None,
) -> Asked:
    columns = {**(extra_info or {}), "data_source": data_source, "reference": ground_truth}
    return Asked(solution, prompt, token_ids, columns)


def _asked_of(data: Any, tokenizer: Any) -> Asked:
    """Return the last sequence of a `DataProto` with its token ids, prompt and columns."""
    item = data[-1:][0]
    responses, fields = item.batch["responses"], item.non_tensor_batch
    length = int(item.batch["attention_mask"][-responses.shape[-1] :].sum())
    ids = responses[:length].tolist()
    extra = dict(fields.get("extra_info") or {}) | dict(fields.get("tool_extra_fields") or {})
    truncated = not ids or ids[-1] != tokenizer.eos_token_id
    prompt = fields.get("raw_prompt")
    return _asked(
        fields["data_source"],
        tokenizer.decode(ids, skip_special_tokens=True),
        fields["reward_model"]["ground_truth"],
        extra | {TRUNCATED: truncated},
        prompt=None if prompt is None else list(prompt),
        token_ids=ids,
    )
