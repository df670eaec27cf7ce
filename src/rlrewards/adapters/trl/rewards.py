"""A stack of rewards as the reward functions of TRL's `GRPOTrainer`.

    functions = reward_functions(stack, eos_token_id=tokenizer.eos_token_id)
    GRPOTrainer(model, reward_funcs=functions, args=config, train_dataset=dataset)

TRL calls one function a reward, weights what they return with constants and adds it up, taking a
None for a zero. Here each function returns what its part adds to the total of the stack, so that
with TRL's default weights (all ones) the sum is that total; where the total is None all of them
return None, and TRL leaves the completion out. The batch is scored once, whichever function is
asked first. Trainers that call reward functions in the same way (`RLOOTrainer`) take them too.

Neither TRL nor torch is imported here.
"""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections import deque
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rlrewards.adapters.distributed import with_group_mates, world_size
from rlrewards.adapters.sinks import Sink, records_of
from rlrewards.adapters.translation import Translation, checked_columns, token_id_tuple
from rlrewards.core import Reward, Sample, Scores, name_of
from rlrewards.messages import Turn
from rlrewards.scoring import verifies
from rlrewards.stack import Stack
from rlrewards.verify.verdict import Status

# What TRL and the Trainer log themselves: a part of that name would be averaged with it.
RESERVED_METRICS = {
    *("reward", "reward_std", "frac_reward_zero_std", "loss", "policy_loss", "aux_loss", "kl"),
    *("entropy", "entropy_coef", "num_tokens", "step_time", "learning_rate", "grad_norm", "epoch"),
    *("cispo_clip_ratio", "approx_kl", "effective_sample_size", "padding"),
}
UNDECIDED_WINDOW = 512
UNDECIDED_MINIMUM = 64


def reward_functions(
    stack: Reward,
    *,
    eos_token_id: int | Sequence[int] | None = None,
    columns: Mapping[str, str] | None = None,
    turn: Turn = "last",
    asynchronous: bool | None = None,
    verdict_sink: Sink | None = None,
    undecided_warning: float | None = 0.05,
    metric_prefix: str = "",
) -> list[Any]:
    """Return what `GRPOTrainer(reward_funcs=...)` takes: one function for each part of the stack.

    Leave TRL's `reward_weights` alone: the weights, schedules and gates of the stack are already
    in what the functions return, and the sum of a row is `Scores.total`. Each part's raw mean is
    logged under its own name, its weighted mean by TRL as `rewards/<name>/mean`. (The functions
    are `RewardFunction`s; TRL's annotation has no room for a list of a subtype.)

    Args:
        stack: The stack; any other reward is a stack of one part.
        eos_token_id: Id, or ids, that end a completion. A completion whose last id is another one
            is `truncated`; without it, whether one was truncated is unknown.
        columns: Field of the sample (reference, options, group, prompt, truncated) to the column
            of the data set that holds it. By default the reference is the first of the columns
            reference, answer, ground_truth, final_answer and solution that is there, and the
            options come from options or choices. All other columns are in `Sample.extra`.
        turn: Which assistant turn of a conversation is graded: "last", "all" (joined by a blank
            line), or an index as in a list.
        asynchronous: Whether the functions are coroutines; by default when a part of the stack is.
        verdict_sink: Called with one flat dict for each completion of a scored batch.
        undecided_warning: Warn once when the share of UNDECIDED among the last 512 verdicts
            exceeds this; None never warns.
        metric_prefix: Put before the names under which raw values are logged.

    Raises:
        TypeError: `stack` is not a reward.
        ValueError: the stack is empty, a field of `columns` is unknown, or a raw value would be
            logged under a name that TRL uses.

    >>> import rlrewards as rr
    >>> @rr.each
    ... def brief(sample):
    ...     return 1.0 if len(sample.completion) < 10 else 0.0
    >>> [function] = reward_functions(0.5 * brief)
    >>> function.__name__, function(prompts=["2 + 2?"], completions=["4"])
    ('brief', [0.5])
    """
    if not callable(stack):
        raise TypeError(f"expected a stack of rewards, got {stack!r}")
    whole = stack if isinstance(stack, Stack) else Stack({name_of(stack): (1.0, stack)})
    _check_names(whole, metric_prefix)
    scoring = Scoring(
        stack=whole,
        translation=Translation(
            eos_token_ids=token_id_tuple(eos_token_id), columns=checked_columns(columns), turn=turn
        ),
        verdict_sink=verdict_sink,
        undecided_warning=undecided_warning,
        metric_prefix=metric_prefix,
    )
    waits = whole.waits if asynchronous is None else asynchronous
    kind = AsyncRewardFunction if waits else RewardFunction
    return [kind(scoring, part.name) for part in whole.parts]


@dataclass(frozen=True)
class RewardFunction:
    """What one part adds to the total, in the signature that TRL calls.

    Made by `reward_functions`; the functions of one stack share a `Scoring`.
    """

    scoring: Scoring
    part: str

    @property
    def __name__(self) -> str:
        return self.part

    def __call__(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        completion_ids: Sequence[Sequence[int]] | None = None,
        **columns: Any,
    ) -> Any:
        """Return the part's weighted score of each completion, None where the total is None.

        Args:
            prompts: One text, or list of messages, for each completion.
            completions: Likewise.
            completion_ids: Token ids of each completion.
            **columns: Columns of the data set, and TRL's `trainer_state`, `log_metric`,
                `log_extra`.
        """
        call = Call(prompts, completions, completion_ids, columns)
        return _column(self.scoring.scores(call, self.part), self.part)


@dataclass(frozen=True)
class AsyncRewardFunction(RewardFunction):
    """The same as a coroutine function, for stacks with parts that wait."""

    async def __call__(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        completion_ids: Sequence[Sequence[int]] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        """Return what `RewardFunction` does; the parts that wait run concurrently."""
        call = Call(prompts, completions, completion_ids, columns)
        return _column(await self.scoring.ascores(call, self.part), self.part)


# ---------------------------------------------------------------------------------------------
# One scoring for all functions


@dataclass(frozen=True, eq=False)
class Call:
    """The arguments of one call of a reward function, which TRL passes to all of them in turn."""

    prompts: Sequence[Any]
    completions: Sequence[Any]
    completion_ids: Sequence[Sequence[int]] | None
    given: Mapping[str, Any]

    @property
    def step(self) -> int:
        """The trainer's step."""
        return int(getattr(self.given.get("trainer_state"), "global_step", 0))

    @property
    def columns(self) -> dict[str, Sequence[Any]]:
        """The columns of the data set: whatever else has one value for each completion."""
        own = ("trainer_state", "log_metric", "log_extra")
        return {
            name: value
            for name, value in self.given.items()
            if name not in own and _is_column(value, len(self.completions))
        }

    def identity(self) -> Hashable:
        """Return what is equal for two calls about the same batch, while one of them is alive."""
        columns = frozenset((name, id(value)) for name, value in self.columns.items())
        batch = (id(self.prompts), id(self.completions), id(self.completion_ids))
        return (*batch, columns, self.step)


class _Slot:
    """The scores of the batch in hand, and the functions that have not fetched theirs."""

    def __init__(self, call: Call, parts: Iterable[str]) -> None:
        self.call = call  # keeps the arguments alive, so that no other batch gets their ids
        self.identity = call.identity()
        self.unserved = set(parts)
        self.scores: Scores | None = None
        self.task: asyncio.Task[Scores] | None = None


class _State:
    """What the functions of one stack share in one process; never pickled."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.slot: _Slot | None = None
        self.latest: Scores | None = None
        self.undecided: deque[bool] = deque(maxlen=UNDECIDED_WINDOW)
        self.warned = False


@dataclass(frozen=True)
class Scoring:
    """Scores each batch of the trainer once and reports it; the functions fetch their parts."""

    stack: Stack
    translation: Translation
    verdict_sink: Sink | None = None
    undecided_warning: float | None = None
    metric_prefix: str = ""
    _state: _State = field(default_factory=_State, init=False, repr=False, compare=False)

    @property
    def latest(self) -> Scores | None:
        """The scores of the batch that was scored last, None before the first."""
        return self._state.latest

    def scores(self, call: Call, part: str) -> Scores:
        """Return the scores of the batch, from memory for all functions but the first."""
        with self._state.lock:
            slot = self._slot(call, part)
            if slot.scores is None:
                samples = self._samples(call)
                batch = with_group_mates(samples) if self.stack.grouped else samples
                scores = self.stack.score(batch, step=call.step)
                slot.scores = self._reported(call, samples, scores)
            return slot.scores

    async def ascores(self, call: Call, part: str) -> Scores:
        """Do the same; functions that ask meanwhile wait for the one scoring."""
        with self._state.lock:
            slot = self._slot(call, part)
            if slot.task is None:
                slot.task = asyncio.create_task(self._scored(call))
        return await asyncio.shield(slot.task)

    async def _scored(self, call: Call) -> Scores:
        samples = self._samples(call)
        if self.stack.grouped and world_size() > 1:
            raise RuntimeError(
                "a grouped reward in several processes needs its group gathered, which is done "
                "for synchronous functions alone; pass asynchronous=False"
            )
        scores = await self.stack.ascore(samples, step=call.step)
        return self._reported(call, samples, scores)

    def _samples(self, call: Call) -> list[Sample]:
        return self.translation.samples(
            call.prompts, call.completions, call.completion_ids, call.columns
        )

    def _slot(self, call: Call, part: str) -> _Slot:
        """Return the slot of this batch; a function that asks twice wants it scored anew."""
        slot = self._state.slot
        known = slot is not None and slot.identity == call.identity() and part in slot.unserved
        if slot is None or not known or not _usable(slot.task):
            slot = _Slot(call, (part.name for part in self.stack.parts))
        slot.unserved.discard(part)
        self._state.slot = slot if slot.unserved else None
        return slot

    def _reported(self, call: Call, samples: list[Sample], scores: Scores) -> Scores:
        scores = _first(scores, len(samples))
        self._state.latest = scores
        self._log(call, scores)
        self._watch(scores)
        if self.verdict_sink is not None:
            self.verdict_sink(records_of(samples, scores))
        return scores

    def _log(self, call: Call, scores: Scores) -> None:
        log_metric, log_extra = call.given.get("log_metric"), call.given.get("log_extra")
        if log_metric is not None:
            for name, value in (_means(scores) | _verdict_shares(scores)).items():
                log_metric(f"{self.metric_prefix}{name}", value)
        if log_extra is not None and verifies(self.stack):
            log_extra("verdict", [None if v is None else str(v.status) for v in scores.verdicts])

    def _watch(self, scores: Scores) -> None:
        """Warn, once, when verification fails to decide too often."""
        state = self._state
        statuses = [verdict.status for verdict in scores.verdicts if verdict is not None]
        with state.lock:
            state.undecided.extend(status is Status.UNDECIDED for status in statuses)
            count = len(state.undecided)
            share = sum(state.undecided) / max(count, 1)
            limit = self.undecided_warning
            if limit is None or state.warned or count < UNDECIDED_MINIMUM or share <= limit:
                return
            state.warned = True
        warnings.warn(
            f"{share:.0%} of the last {count} verdicts are UNDECIDED, above {limit:.0%}: these "
            "completions carry no learning signal. Look at `why` in the records of verdict_sink.",
            RuntimeWarning,
            stacklevel=2,
        )

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_state"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _state=_State())


def _usable(task: asyncio.Task[Scores] | None) -> bool:
    """Whether a task may be awaited here: it belongs to the loop that runs."""
    return task is None or task.get_loop() is asyncio.get_running_loop()


def _column(scores: Scores, part: str) -> list[float | None]:
    # NaN is the one value that differs from itself.
    return [None if value != value else value for value in scores.contributions[part].tolist()]


def _first(scores: Scores, count: int) -> Scores:
    """Return the scores of the first `count` samples."""
    if len(scores) == count:
        return scores
    return replace(
        scores,
        columns={name: column[:count] for name, column in scores.columns.items()},
        total=scores.total[:count],
        contributions={name: column[:count] for name, column in scores.contributions.items()},
        verdicts=scores.verdicts[:count],
        dense={name: rows[:count] for name, rows in scores.dense.items()},
        nested={name: _first(inner, count) for name, inner in scores.nested.items()},
    )


def _means(scores: Scores) -> dict[str, float]:
    """Return the mean of each raw column that has an opinion on something."""
    means = {}
    for name, column in scores.flat_columns().items():
        known = column[column == column]
        if len(known):
            means[name] = float(known.mean())
    return means


def _verdict_shares(scores: Scores) -> dict[str, float]:
    statuses = [verdict.status for verdict in scores.verdicts if verdict is not None]
    told = (Status.NO_ANSWER, Status.NO_REFERENCE, Status.UNDECIDED)
    return {
        f"verdict/{status}": statuses.count(status) / len(statuses) for status in told if statuses
    }


# ---------------------------------------------------------------------------------------------
# Checks of the parameters


def _check_names(stack: Stack, prefix: str) -> None:
    if not stack.parts:
        raise ValueError("the stack has no parts, so there is nothing to reward")
    for part in stack.parts:
        if f"{prefix}{part.name}" in RESERVED_METRICS:
            raise ValueError(
                f"the raw value of part {part.name!r} would be mixed with TRL's own metric of that "
                "name; rename the part, or pass metric_prefix='raw/'"
            )


def _is_column(value: Any, count: int) -> bool:
    if isinstance(value, str | bytes | Mapping) or not hasattr(value, "__len__"):
        return False
    return len(value) == count
