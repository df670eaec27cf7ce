"""The weighted sum of rewards, itself a reward.

    stack = 0.8 * rr.Accuracy() + 0.2 * rr.ThinkAnswerFormat()
    scores = stack.score(samples)

A stack is configuration; `scoring` has the arithmetic, and `composable` the operators that build
stacks.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast, get_args

from rlrewards import config
from rlrewards.composable import (
    Composable,
    Each,
    Function,
    RewardLike,
    as_reward,
    each,
    is_weight,
    reward,
)
from rlrewards.core import (
    RECORD_COLUMNS,
    UNBOUNDED,
    Reward,
    Sample,
    Scores,
    bounds_of,
    is_grouped,
    name_of,
)
from rlrewards.schedules import Weight, scaled, weight_at
from rlrewards.scoring import (
    Evaluated,
    Missing,
    aevaluate,
    checked_batch,
    evaluate,
    is_waiting,
    run_to_end,
    streams_by_name,
    verdicts_of,
    weighted,
)

__all__ = [
    "Composable",
    "Each",
    "Function",
    "Gated",
    "Part",
    "Stack",
    "each",
    "reward",
    "run_to_end",
]


@dataclass(frozen=True)
class Part:
    """One line of a stack: a name, a weight or schedule, and the reward."""

    name: str
    weight: Weight
    reward: Reward


@dataclass(frozen=True, repr=False, init=False)
class Stack(Composable):
    """A weighted sum of named rewards: `total = Σ_k w_k(step) · r_k`.

    Args:
        parts: `{name: (weight, reward)}`, or `{name: reward}` with weight 1. A weight is a number
            or a schedule (`step -> weight`).
        missing: What becomes of the total where a part with non-zero weight has no opinion:
            `"abstain"`, the total is None; `"renormalize"`, the weights of the parts that have one
            are scaled so that their absolute values keep their sum (None when no part has one);
            `"zero"`, the part counts as 0. A part of weight zero is scored and never matters.

    Raises:
        ValueError: a weight is NaN or infinite, a name is taken twice, or `missing` is unknown.
        TypeError: a part is not a reward.

    >>> import rlrewards as rr
    >>> stack = 0.8 * rr.Accuracy() + 0.2 * rr.ThinkFormat()
    >>> stack([rr.Sample("<think>2 + 2</think> \\\\boxed{4}", reference="4")])
    [1.0]
    """

    parts: tuple[Part, ...]
    missing: Missing = "abstain"

    @property
    def name(self) -> str:
        """Name of the only part, or `stack`."""
        return self.parts[0].name if len(self.parts) == 1 else "stack"

    def __init__(
        self,
        parts: Mapping[str, tuple[Weight, RewardLike] | RewardLike],
        *,
        missing: Missing = "abstain",
    ) -> None:
        if not isinstance(parts, Mapping):
            raise TypeError(
                f"Stack takes {{name: (weight, reward)}}, got {type(parts).__name__}; "
                "or write 0.8 * reward + 0.2 * other"
            )
        self._set(tuple(_part(name, value) for name, value in parts.items()), missing)

    @classmethod
    def _of(cls, parts: tuple[Part, ...], missing: Missing) -> Stack:
        stack = object.__new__(cls)
        stack._set(parts, missing)
        return stack

    def _set(self, parts: tuple[Part, ...], missing: Missing) -> None:
        if missing not in get_args(Missing):
            raise ValueError(f"missing={missing!r}; allowed: {', '.join(get_args(Missing))}")
        names = [part.name for part in parts]
        for name in names:
            if "." in name or name in RECORD_COLUMNS:
                raise ValueError(
                    f"a part cannot be named {name!r}: the dot and "
                    f"{', '.join(RECORD_COLUMNS)} have a meaning in records"
                )
            if names.count(name) > 1:
                raise ValueError(
                    f"two parts of the stack are named {name!r}; rename one: reward.named('other')"
                )
        for part in parts:
            if not callable(part.weight):
                weight_at(part.name, part.weight, 0)
        object.__setattr__(self, "parts", parts)
        object.__setattr__(self, "missing", missing)

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest total; ±inf where a weight follows a schedule."""
        if any(callable(part.weight) for part in self.parts):
            return UNBOUNDED
        ranges = [_scaled_range(part) for part in self.parts if part.weight != 0]
        if self.missing == "zero":
            ranges = [(min(low, 0.0), max(high, 0.0)) for low, high in ranges]
        if self.missing == "renormalize" and ranges:
            return _renormalized_range(self.parts)
        return sum(low for low, _ in ranges), sum(high for _, high in ranges)

    @property
    def grouped(self) -> bool:  # type: ignore[override]
        """Whether some part compares the completions of one prompt."""
        return any(is_grouped(part.reward) for part in self.parts)

    @property
    def waits(self) -> bool:
        """Whether some part is asynchronous."""
        return any(is_waiting(part.reward) for part in self.parts)

    def children(self) -> tuple[Reward, ...]:
        """Return the rewards of the stack, in order."""
        return tuple(part.reward for part in self.parts)

    def __call__(self, batch: Sequence[Sample], /) -> list[float | None]:
        """Return the total of each sample, weights taken at step 0."""
        return self.score(batch).totals()

    async def acall(self, batch: Sequence[Sample], /) -> list[float | None]:
        """Return the total of each sample; rewards that wait run concurrently."""
        return (await self.ascore(batch)).totals()

    def score(self, samples: Sequence[Sample], *, step: int = 0) -> Scores:
        """Score a batch.

        Args:
            samples: The completions, in any order; may be empty.
            step: Training step that weight schedules are asked for.

        Raises:
            TypeError: something in the batch is not a `Sample`.
        """
        if self.waits:
            return run_to_end(self.ascore(samples, step=step))
        batch = checked_batch(samples)
        found = [evaluate(part.reward, batch, step) for part in self.parts]
        return self._assembled(batch, found, step)

    async def ascore(self, samples: Sequence[Sample], *, step: int = 0) -> Scores:
        """Score a batch, the rewards that wait (judges) all at once.

        The others run in one worker thread meanwhile, so that the event loop stays free.
        """
        batch = checked_batch(samples)
        waiting = [is_waiting(part.reward) for part in self.parts]

        def rest() -> list[Evaluated]:
            parts = zip(self.parts, waiting, strict=True)
            return [evaluate(part.reward, batch, step) for part, waits in parts if not waits]

        parts = zip(self.parts, waiting, strict=True)
        done, awaited = await asyncio.gather(
            asyncio.to_thread(rest),
            asyncio.gather(
                *(aevaluate(part.reward, batch, step) for part, waits in parts if waits)
            ),
        )
        found, late = iter(done), iter(awaited)
        return self._assembled(batch, [next(late if w else found) for w in waiting], step)

    def evaluate(self, batch: list[Sample], step: int) -> Evaluated:
        """Return the totals as the scores of a part, with all else inside."""
        scores = self.score(batch, step=step)
        return Evaluated(scores.totals(), nested=scores)

    async def aevaluate(self, batch: list[Sample], step: int) -> Evaluated:
        """Do the same, awaiting what waits."""
        scores = await self.ascore(batch, step=step)
        return Evaluated(scores.totals(), nested=scores)

    def fingerprint(self) -> str:
        """Return a hash of the configuration and of the version of the rules.

        Equal fingerprints mean equal rewards for equal samples, as long as the parts are rewards
        and not plain functions, which are known by their names alone.
        """
        return config.fingerprint(self)

    @classmethod
    def from_toml(cls, path: Any) -> Stack:
        """Read a stack from a TOML file.

        Raises:
            ValueError: the file is not TOML, or a reward, a key or a value in it is not known; the
                message names the culprit.
        """
        return config.read_stack(path, cls)

    @classmethod
    def from_toml_text(cls, text: str) -> Stack:
        """Read a stack from the text of a TOML file; raises as `from_toml` does."""
        return config.parse_stack(text, cls)

    def to_toml(self, path: Any = None) -> str:
        """Return the stack as TOML, and write it to `path` when one is given.

        Raises:
            ValueError: a part is a plain function, which TOML cannot hold.
        """
        return config.write_stack(self, path)

    def to_table(self) -> dict[str, Any]:
        """Return the stack as the plain dict that its TOML holds."""
        rewards = {
            part.name: {"weight": config.to_value(part.weight, part.name)}
            | config.to_table(part.reward, part.name)
            for part in self.parts
        }
        return {"missing": self.missing, "rewards": rewards}

    @classmethod
    def from_table(cls, table: Mapping[str, Any], path: str = "") -> Stack:
        """Build a stack from the plain dict that its TOML holds; `path` leads to it."""
        config.require_keys(table, {"missing", "rewards"}, config.place(path))
        rewards_path = f"{path}.rewards" if path else "rewards"
        rewards = config.require_table(table.get("rewards", {}), config.place(rewards_path))
        parts = {}
        for name, entry in rewards.items():
            here = f"{rewards_path}.{name}"
            entry = dict(config.require_table(entry, config.place(here)))
            weight = config.weight_from(entry.pop("weight", 1.0), here)
            parts[name] = (weight, config.reward_from(entry, here))
        return cls(parts, missing=table.get("missing", "abstain"))

    def __mul__(self, weight: Weight) -> Stack:
        if not is_weight(weight):
            return NotImplemented
        if callable(weight):
            if any(callable(part.weight) or part.weight != 1 for part in self.parts):
                raise ValueError(
                    "a schedule can only scale a stack whose weights are all 1; give the stack a "
                    "name and scale that: schedule * stack.named('inner')"
                )
            return self._of(tuple(replace(p, weight=weight) for p in self.parts), self.missing)
        parts = tuple(replace(part, weight=scaled(part.weight, weight)) for part in self.parts)
        return self._of(parts, self.missing)

    __rmul__ = __mul__

    def __repr__(self) -> str:
        lines = ", ".join(f"{p.name!r}: ({p.weight!r}, {p.reward!r})" for p in self.parts)
        tail = "" if self.missing == "abstain" else f", missing={self.missing!r}"
        return f"Stack({{{lines}}}{tail})"

    def _assembled(self, batch: list[Sample], found: list[Evaluated], step: int) -> Scores:
        import numpy as np

        by_name = {part.name: result for part, result in zip(self.parts, found, strict=True)}
        columns = {
            name: np.array(result.scores, dtype=np.float64) for name, result in by_name.items()
        }
        weights = {part.name: weight_at(part.name, part.weight, step) for part in self.parts}
        contributions = weighted(columns, weights, self.missing, len(batch))
        dense, gammas = streams_by_name(by_name)
        return Scores(
            columns=columns,
            weights=weights,
            total=sum(contributions.values(), start=np.zeros(len(batch))),
            contributions=contributions,
            verdicts=verdicts_of(self, batch),
            dense=dense,
            gammas=gammas,
            nested={
                name: result.nested for name, result in by_name.items() if result.nested is not None
            },
            fingerprint=self.fingerprint(),
            step=step,
        )


def _part(name: str, value: Any) -> Part:
    if not isinstance(name, str) or not name:
        raise TypeError(f"the name of a part must be a non-empty string, got {name!r}")
    if isinstance(value, tuple):
        if len(value) != 2:
            raise TypeError(f"part {name!r} must be (weight, reward), got a {len(value)}-tuple")
        return Part(name, value[0], as_reward(value[1]))
    return Part(name, 1.0, as_reward(value))


def _scaled_range(part: Part) -> tuple[float, float]:
    weight = cast(float, part.weight)
    ends = [weight * bound for bound in bounds_of(part.reward)]
    return min(ends), max(ends)


def _renormalized_range(parts: tuple[Part, ...]) -> tuple[float, float]:
    """Bounds of `Σ|w|` times a mean of the parts' signed values."""
    weights = [cast(float, part.weight) for part in parts]
    signed = [
        sorted(math.copysign(1.0, weight) * bound for bound in bounds_of(part.reward))
        for weight, part in zip(weights, parts, strict=True)
        if weight != 0
    ]
    whole = sum(map(abs, weights))
    return whole * min(low for low, _ in signed), whole * max(high for _, high in signed)


def joined(left: RewardLike | int, right: RewardLike | int) -> Stack:
    """Return the stack `left + right`; 0 is the empty sum."""
    if isinstance(left, int) or isinstance(right, int):  # sum([...]) starts from 0
        if left == 0 or right == 0:
            return _as_stack(right if left == 0 else left)
        return NotImplemented  # type: ignore[no-any-return]
    if not callable(left) or not callable(right):
        return NotImplemented
    first, second = _as_stack(left), _as_stack(right)
    if first.missing != second.missing:
        raise ValueError(
            f"cannot add a stack with missing={first.missing!r} to one with "
            f"missing={second.missing!r}; nest one of them: stack + other.named('inner')"
        )
    return Stack._of(first.parts + second.parts, first.missing)


def _as_stack(value: object) -> Stack:
    if isinstance(value, Stack):
        return value
    one = as_reward(value)
    return Stack({name_of(one): (1.0, one)})


# ---------------------------------------------------------------------------------------------
# Gates


@dataclass(frozen=True, repr=False, kw_only=True)
class Gated(Composable):
    """A reward that counts only where a gate scores above zero; see `Composable.when`."""

    reward: Reward
    gate: Reward

    @property
    def name(self) -> str:
        """Name of the reward behind the gate."""
        return name_of(self.reward)

    @property
    def bounds(self) -> tuple[float, float]:
        """Bounds of the reward, widened to hold the 0 of a shut gate."""
        low, high = bounds_of(self.reward)
        return min(low, 0.0), max(high, 0.0)

    @property
    def grouped(self) -> bool:  # type: ignore[override]
        """Whether the reward or its gate is grouped."""
        return is_grouped(self.reward) or is_grouped(self.gate)

    def children(self) -> tuple[Reward, ...]:
        """Return the reward and its gate."""
        return self.reward, self.gate

    def __call__(self, batch: Sequence[Sample], /) -> list[float | None]:
        """Return the reward where the gate is open, 0 where it is shut, None where it is None."""
        return self.evaluate(list(batch), 0).scores

    async def acall(self, batch: Sequence[Sample], /) -> list[float | None]:
        """Do the same, awaiting the parts that wait."""
        return (await self.aevaluate(list(batch), 0)).scores

    def evaluate(self, batch: list[Sample], step: int) -> Evaluated:
        """Return scores and per-token streams, both shut by one call of the gate."""
        gates = evaluate(self.gate, batch, step).scores
        return self._merged(batch, gates, evaluate(self.reward, self._admitted(batch, gates), step))

    async def aevaluate(self, batch: list[Sample], step: int) -> Evaluated:
        """Do the same, awaiting the parts that wait."""
        gates = (await aevaluate(self.gate, batch, step)).scores
        inner = await aevaluate(self.reward, self._admitted(batch, gates), step)
        return self._merged(batch, gates, inner)

    def to_table(self) -> dict[str, Any]:
        """Return the reward's table with the gate's behind `when`."""
        return {
            **config.to_table(self.reward, self.name),
            "when": config.to_table(self.gate, f"{self.name}.when"),
        }

    @property
    def waits(self) -> bool:
        """Whether the reward or its gate is asynchronous."""
        return is_waiting(self.reward) or is_waiting(self.gate)

    def _admitted(self, batch: Sequence[Sample], gates: list[float | None]) -> list[Sample]:
        if is_grouped(self.reward):  # the rest of the group is part of its score
            return list(batch)
        return [sample for sample, gate in zip(batch, gates, strict=True) if gate and gate > 0]

    def _merged(
        self, batch: list[Sample], gates: list[float | None], inner: Evaluated
    ) -> Evaluated:
        """Put what the reward said of the admitted samples back among the others."""
        whole = is_grouped(self.reward)
        position, scores, streams = 0, [], []
        for sample, gate in zip(batch, gates, strict=True):
            is_open = gate is not None and gate > 0
            score = inner.scores[position] if is_open else None if gate is None else 0.0
            stream = inner.dense[position] if is_open and inner.dense is not None else None
            scores.append(score)
            streams.append(_silence(sample) if gate is not None and not is_open else stream)
            position += whole or is_open
        return Evaluated(scores, None if inner.dense is None else streams, inner.gamma)


def _silence(sample: Sample) -> Any:
    """Return a stream of zeros, one for each token."""
    import numpy as np

    return None if sample.token_ids is None else np.zeros(len(sample.token_ids))
