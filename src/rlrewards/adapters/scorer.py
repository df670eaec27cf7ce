"""Completions that a trainer hands over one at a time, scored by a stack.

verl, OpenRLHF, SkyRL, NeMo-RL and verifiers ask for one number a completion. What they have no
room for is refused when the adapter is made, not in the middle of a training: parts that compare
the completions of a prompt, and weights that follow the step. None, "no opinion", becomes what
their user said it should (`no_opinion`). Come here to write an adapter to a trainer of this kind.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from rlrewards.adapters.sinks import Sink, records_of
from rlrewards.adapters.translation import Translation, checked_columns, token_id_tuple
from rlrewards.core import Reward, Sample, Scores, is_grouped, name_of
from rlrewards.messages import Turn
from rlrewards.scoring import verifies
from rlrewards.stack import Stack

__all__ = ["Asked", "Graded", "NoOpinionError", "Scorer", "scorer"]

NO_OPINION = "no_opinion"
VERDICT = "verdict"


class Asked(NamedTuple):
    """One completion as a trainer hands it over.

    Attributes:
        completion: A text, or the messages of the completion.
        prompt: Likewise, where the trainer hands it over.
        token_ids: Token ids of the completion, where the trainer has them.
        columns: What else the data set says about it, by column.
    """

    completion: Any
    prompt: Any = None
    token_ids: Sequence[int] | None = None
    columns: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Graded:
    """What a stack made of one completion.

    Attributes:
        reward: The number for the trainer: the total, or `no_opinion` in its place.
        has_opinion: Whether `reward` is the total.
        parts: Raw value of each part, None where it has no opinion.
        contributions: What each part adds to the total, None in all where there is none.
        status: Status of the verdict, None where nothing was verified.
    """

    reward: float
    has_opinion: bool
    parts: dict[str, float | None]
    contributions: dict[str, float | None]
    status: str | None

    def numbers(self, prefix: str = "") -> dict[str, float | None]:
        """Return the raw parts, and `no_opinion` (0 or 1), for a log of numbers."""
        named = {f"{prefix}{name}": value for name, value in self.parts.items()}
        return named | {f"{prefix}{NO_OPINION}": float(not self.has_opinion)}

    def shares(self) -> dict[str, float]:
        """Return what each part adds to `reward`; in place of an opinion, equal shares of it."""
        equal = self.reward / len(self.contributions)
        return {
            name: equal if share is None else share for name, share in self.contributions.items()
        }


class NoOpinionError(RuntimeError):
    """The stack has no opinion on a completion, and nothing may stand in its place."""


@dataclass(frozen=True)
class Scorer:
    """A stack, and how the completions of a trainer become its samples.

    Made by `scorer`, which checks the parameters.
    """

    stack: Stack
    translation: Translation
    no_opinion: float | None
    verdict_sink: Sink | None = None

    @property
    def verifies(self) -> bool:
        """Whether some part asks for verdicts."""
        return verifies(self.stack)

    def grade(self, asked: Sequence[Asked]) -> list[Graded]:
        """Score completions.

        Raises:
            NoOpinionError: the stack has no opinion on one, and `no_opinion` is None.
        """
        samples = self._samples(asked)
        return self._graded(samples, self.stack.score(samples))

    async def agrade(self, asked: Sequence[Asked]) -> list[Graded]:
        """Do the same; parts that wait run concurrently, and the event loop stays free."""
        samples = self._samples(asked)
        return self._graded(samples, await self.stack.ascore(samples))

    def _samples(self, asked: Sequence[Asked]) -> list[Sample]:
        return [self._sample(one) for one in asked]

    def _sample(self, one: Asked) -> Sample:
        columns = {name: [_plain(value)] for name, value in one.columns.items()}
        ids = None if one.token_ids is None else [one.token_ids]
        [sample] = self.translation.samples([one.prompt], [one.completion], ids, columns)
        return sample

    def _graded(self, samples: list[Sample], scores: Scores) -> list[Graded]:
        if self.verdict_sink is not None:
            self.verdict_sink(records_of(samples, scores))
        columns = scores.flat_columns()
        return [
            self._one(scores, columns, index, total) for index, total in enumerate(scores.totals())
        ]

    def _one(
        self, scores: Scores, columns: Mapping[str, Any], index: int, total: float | None
    ) -> Graded:
        reward = self.no_opinion if total is None else total
        verdict = scores.verdicts[index]
        status = None if verdict is None else str(verdict.status)
        if reward is None:
            silent = [name for name, column in columns.items() if math.isnan(column[index])]
            raise NoOpinionError(
                f"no opinion from {', '.join(silent) or 'any part'} (verdict: {status or 'none'})"
            )
        return Graded(
            reward=reward,
            has_opinion=total is not None,
            parts=_row(columns, index),
            contributions=_row(scores.contributions, index),
            status=status,
        )


def scorer(
    stack: Reward,
    trainer: str,
    *,
    no_opinion: float | None,
    columns: Mapping[str, str] | None = None,
    turn: Turn = "last",
    eos_token_id: int | Sequence[int] | None = None,
    verdict_sink: Sink | None = None,
) -> Scorer:
    """Return the scorer of a stack for a trainer that scores one completion at a time.

    Args:
        stack: The stack; any other reward is a stack of one part.
        trainer: Name of the trainer, for the errors.
        no_opinion: The reward of a completion on which the stack has no opinion; None raises
            `NoOpinionError` instead, for trainers that then leave the completion out.
        columns: Field of the sample to the column that holds it.
        turn: Which assistant turn of a conversation is graded.
        eos_token_id: Id, or ids, that end a completion.
        verdict_sink: Called with a list of one flat dict for each completion.

    Raises:
        TypeError: `stack` is not a reward, or `no_opinion` is not a number.
        ValueError: the stack is empty or needs what the trainer does not hand over, `no_opinion`
            is not finite, or a field of `columns` is unknown.
    """
    if not callable(stack):
        raise TypeError(f"expected a stack of rewards, got {stack!r}")
    whole = stack if isinstance(stack, Stack) else Stack({name_of(stack): (1.0, stack)})
    if not whole.parts:
        raise ValueError("the stack has no parts, so there is nothing to reward")
    _require_pointwise(whole, trainer)
    _require_fixed_weights(whole, trainer)
    return Scorer(
        stack=whole,
        translation=Translation(
            eos_token_ids=token_id_tuple(eos_token_id), columns=checked_columns(columns), turn=turn
        ),
        no_opinion=None if no_opinion is None else require_number("no_opinion", no_opinion),
        verdict_sink=verdict_sink,
    )


# ---------------------------------------------------------------------------------------------
# Checks of the parameters


def require_number(name: str, value: Any) -> float:
    """Return a parameter as a finite float, or say what it should have been."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value}: one such reward spoils its batch")
    return float(value)


def require_free_names(
    stack: Stack, reserved: Iterable[str], prefix: str, trainer: str, remedy: str
) -> None:
    """Raise a `ValueError` for a part that would be logged under a name of the trainer's own."""
    taken = set(reserved)
    for name in (*(part.name for part in stack.parts), NO_OPINION):
        if f"{prefix}{name}" in taken:
            raise ValueError(
                f"part {name!r} would be logged as {prefix + name!r}, which {trainer} uses itself; "
                f"rename the part, or pass {remedy}"
            )


def _require_pointwise(stack: Stack, trainer: str) -> None:
    for part in stack.parts:
        if is_grouped(part.reward):
            raise ValueError(
                f"part {part.name!r} compares the completions of a prompt, and {trainer} scores "
                "them one at a time; take it out, or train with TRL or ms-swift, which score "
                "whole groups"
            )


def _require_fixed_weights(stack: Stack, trainer: str) -> None:
    name = _scheduled(stack)
    if name is not None:
        raise ValueError(
            f"the weight of part {name!r} follows a schedule, and {trainer} does not tell its "
            "rewards the step; give the part a number as its weight"
        )


def _scheduled(reward: Any) -> str | None:
    """Return the name of a part whose weight follows a schedule, here or further in."""
    for part in getattr(reward, "parts", ()):
        if callable(part.weight):
            return str(part.name)
    inner: Iterable[Any] = getattr(reward, "children", tuple)()
    return next((name for child in inner if (name := _scheduled(child)) is not None), None)


# ---------------------------------------------------------------------------------------------
# Values


def _plain(value: Any) -> Any:
    """Return a list where Parquet gave an array, a number where it gave a scalar of numpy."""
    return value.tolist() if hasattr(value, "tolist") else value


def _row(columns: Mapping[str, Any], index: int) -> dict[str, float | None]:
    values = {name: float(column[index]) for name, column in columns.items()}
    return {name: None if math.isnan(value) else value for name, value in values.items()}
