"""ms-swift: a stack as outcome reward models (ORM), one for each part, in swift's registry.

Read from ms-swift 4.6.0. Its GRPO trainers make an ORM of each name in `--reward_funcs` from the
registry `swift.rewards.orms` and call it with every completion of a process at once,

    orm(completions, messages=..., response_token_ids=..., prompt_id=..., **columns)

or await it where `__call__` is a coroutine function. Rewards are added by `nansum`: a completion
on which every ORM returned None gets 0, and that 0 takes part in the mean of its group. So None
does not survive; `no_opinion="group_mean"` gives such a completion the mean of its group instead,
and with it an advantage of 0.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, ClassVar, Final, Literal, TypeAlias

from rlrewards.adapters.distributed import gathered
from rlrewards.adapters.scorer import require_number
from rlrewards.adapters.sinks import Sink
from rlrewards.adapters.translation import Translation
from rlrewards.adapters.trl import AsyncRewardFunction, RewardFunction, reward_functions
from rlrewards.core import Reward, Sample
from rlrewards.messages import Turn, prompt_key

__all__ = ["AsyncStackPart", "StackPart", "orm_classes", "register"]

NoOpinion: TypeAlias = float | Literal["group_mean"]
GROUP_MEAN: Final = "group_mean"


def register(
    stack: Reward,
    *,
    no_opinion: NoOpinion = GROUP_MEAN,
    prefix: str = "stack_",
    columns: Mapping[str, str] | None = None,
    turn: Turn = "last",
    verdict_sink: Sink | None = None,
) -> list[str]:
    """Put the parts of a stack into swift's registry; return what `--reward_funcs` must list.

    Call this in the file that `--external_plugins` names, list all the names, and leave
    `--reward_weights` alone: weights, schedules and gates are already in what the parts return,
    and their sum is the stack's total. swift logs each part's share as `rewards/<name>/mean`.

    Args:
        stack: The stack; any other reward is a stack of one part.
        no_opinion: The reward of a completion on which the stack has no opinion: a number, or
            "group_mean", the mean of the totals of its prompt's other completions.
        prefix: Put before the names of the parts, since swift has an `accuracy` and a `format` of
            its own.
        columns: Field of the sample to the column of the data set, as under TRL.
        turn: Which assistant turn is graded: "last", or "all" or an index, over the whole
            conversation.
        verdict_sink: Called with one flat dict for each completion of a scored batch.

    Raises:
        ImportError: ms-swift is not installed.
        TypeError: `stack` is not a reward.
        ValueError: the registry has another reward of that name, or a parameter makes no sense.
    """
    from swift.rewards import orms

    classes = orm_classes(
        stack,
        no_opinion=no_opinion,
        prefix=prefix,
        columns=columns,
        turn=turn,
        verdict_sink=verdict_sink,
    )
    for name in classes:
        if name in orms and not issubclass(orms[name], _Part):
            raise ValueError(
                f"ms-swift has a reward named {name!r} of its own; pass another prefix= than "
                f"{prefix!r}"
            )
    orms.update(classes)
    return list(classes)


def orm_classes(
    stack: Reward,
    *,
    no_opinion: NoOpinion = GROUP_MEAN,
    prefix: str = "stack_",
    columns: Mapping[str, str] | None = None,
    turn: Turn = "last",
    verdict_sink: Sink | None = None,
) -> dict[str, type[_Part]]:
    """Return what `register` puts into the registry: a class for each part, by its name there.

    >>> import rlrewards as rr
    >>> [(name, part)] = orm_classes(rr.Accuracy()).items()
    >>> name, part()(["The answer is 4."], solution=["4"])
    ('stack_accuracy', [1.0])
    """
    if isinstance(no_opinion, str) and no_opinion != GROUP_MEAN:
        raise ValueError(f"no_opinion={no_opinion!r}; allowed: a number, or {GROUP_MEAN!r}")
    instead = no_opinion if no_opinion == GROUP_MEAN else require_number("no_opinion", no_opinion)
    functions: list[RewardFunction] = reward_functions(
        stack, columns=columns, turn=turn, verdict_sink=verdict_sink, metric_prefix="raw/"
    )
    translation = functions[0].scoring.translation
    scoring = replace(
        functions[0].scoring,
        translation=_Conversations(columns=translation.columns, turn=translation.turn),
    )
    share = instead if isinstance(instead, str) else instead / len(functions)
    return {
        f"{prefix}{function.part}": _orm_class(
            f"{prefix}{function.part}", replace(function, scoring=scoring), share
        )
        for function in functions
    }


class _Part:
    """One part of a stack in the signature of swift's ORM."""

    function: ClassVar[RewardFunction]
    no_opinion: ClassVar[NoOpinion]

    def __init__(self, args: Any = None, **kwargs: Any) -> None:
        self.args = args

    def _filled(
        self, values: list[float | None], messages: Sequence[Any], columns: Mapping[str, Any]
    ) -> list[float]:
        if not isinstance(self.no_opinion, str):
            return [self.no_opinion if value is None else value for value in values]
        groups = _groups(messages, columns, len(values))
        means = _group_means(groups, values)
        return [
            means.get(group, 0.0) if value is None else value
            for group, value in zip(groups, values, strict=True)
        ]


class StackPart(_Part):
    """What one part adds to the total, for swift's GRPO trainers; made by `orm_classes`."""

    def __call__(
        self,
        completions: Sequence[str],
        messages: Sequence[Any] = (),
        response_token_ids: Sequence[Any] | None = None,
        **columns: Any,
    ) -> list[float]:
        """Return the part's weighted score of each completion.

        Args:
            completions: Text of the last turn of each conversation.
            messages: The conversations, that turn included.
            response_token_ids: Token ids of each completion, a list for each of its turns.
            **columns: Columns of the data set, and swift's own, `trainer_state` among them.
        """
        found = self.function(messages, completions, response_token_ids, **columns)
        return self._filled(found, messages, columns)


class AsyncStackPart(_Part):
    """The same as a coroutine, for stacks with parts that wait."""

    async def __call__(
        self,
        completions: Sequence[str],
        messages: Sequence[Any] = (),
        response_token_ids: Sequence[Any] | None = None,
        **columns: Any,
    ) -> list[float]:
        """Return what `StackPart` does; the parts that wait run concurrently."""
        found = await self.function(messages, completions, response_token_ids, **columns)
        return self._filled(found, messages, columns)


def _orm_class(name: str, function: RewardFunction, no_opinion: NoOpinion) -> type[_Part]:
    """Return the class of one part; swift takes the class's name as that of the column."""
    kind: type[_Part] = AsyncStackPart if isinstance(function, AsyncRewardFunction) else StackPart
    members = {
        "function": staticmethod(function),
        "no_opinion": no_opinion,
        "__doc__": kind.__doc__,
    }
    return type(name, (kind,), members)


@dataclass(frozen=True)
class _Conversations(Translation):
    """From swift's columns to samples: its prompts are whole conversations."""

    def samples(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        completion_ids: Sequence[Any] | None,
        columns: Mapping[str, Sequence[Any]],
    ) -> list[Sample]:
        own = {}
        if "is_truncated" in columns:
            own["truncated"] = "is_truncated"
        if all(columns.get("prompt_id", [None])):
            own["group"] = "prompt_id"
        ids: Any = [_flat(turns) for turns in completion_ids or [None] * len(completions)]
        plain = Translation(columns=tuple((own | dict(self.columns)).items()), turn=self.turn)
        return plain.samples(
            [conversation[:-1] for conversation in prompts] or [None] * len(completions),
            completions if self.turn == "last" else prompts,
            ids,
            columns,
        )


def _flat(turns: Sequence[Any] | None) -> list[int] | None:
    """Return the token ids of all turns as one list, None where there are none."""
    return list(chain.from_iterable(turns)) if turns else None


# ---------------------------------------------------------------------------------------------
# The mean of a group


def _groups(messages: Sequence[Any], columns: Mapping[str, Any], count: int) -> list[Hashable]:
    ids = columns.get("prompt_id")
    if ids is not None and all(ids):
        return list(ids)
    return [prompt_key(conversation[:-1]) for conversation in messages] or [None] * count


def _group_means(
    groups: Sequence[Hashable], values: Sequence[float | None]
) -> dict[Hashable, float]:
    """Return the mean of the known values of each group, over all processes."""
    known: dict[Hashable, list[float]] = defaultdict(list)
    for group, value in zip(groups, values, strict=True):
        if value is not None:
            known[group].append(value)
    whole: dict[Hashable, list[float]] = defaultdict(list)
    for of_rank in gathered(dict(known)):
        for group, found in of_rank.items():
            whole[group] += found
    return {group: sum(found) / len(found) for group, found in whole.items()}
