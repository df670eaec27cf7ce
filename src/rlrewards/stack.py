"""The weighted sum of rewards, itself a reward, and the operators that build one.

    stack = 0.8 * rr.Accuracy() + 0.2 * rr.ThinkAnswerFormat()
    scores = stack.score(samples)

Every reward of the library derives from `Composable`, which brings `*`, `+`, `-`, `when` and
`named`; `reward` and `each` give them to plain functions.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import pickle
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any, ClassVar, Literal, Protocol, TypeVar, cast, get_args

from rlrewards import config
from rlrewards.core import (
    UNBOUNDED,
    Reward,
    Sample,
    Scores,
    bounds_of,
    checked_scores,
    is_grouped,
    name_of,
    snake_case,
)
from rlrewards.schedules import Weight, scaled, weight_at

Missing = Literal["abstain", "renormalize", "zero"]
RewardLike = Callable[[Sequence[Sample]], Any]
T = TypeVar("T")


class Composable:
    """A reward with the operators of a stack.

    Subclasses are frozen dataclasses (`@dataclass(frozen=True, repr=False, kw_only=True)`) that
    define `__call__(batch) -> list[float | None]`, and `bounds` where they are finite. `grouped`
    says that a score depends on the other completions of the same prompt.
    """

    grouped: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """Name of the reward's column: the class name in snake case."""
        return snake_case(type(self).__name__)

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest score that the reward can give."""
        return UNBOUNDED

    def children(self) -> tuple[Reward, ...]:
        """Return the rewards that this one is made of."""
        return ()

    def __call__(self, batch: Sequence[Sample], /) -> list[float | None]:
        """Return one score, or None for "no opinion", for each sample, in order."""
        raise TypeError(f"{type(self).__name__} defines no __call__(batch)")

    def named(self, name: str) -> Stack:
        """Return a stack of this reward alone, under another name.

        >>> import rlrewards as rr
        >>> rr.ThinkFormat().named("form")
        Stack({'form': (1.0, ThinkFormat())})
        """
        return Stack({name: (1.0, self)})

    def when(self, gate: RewardLike) -> Gated:
        """Return this reward where `gate` scores above zero, and 0 elsewhere.

        Where the gate has no opinion, neither has the result. A pointwise reward is not called at
        all on the samples that the gate shuts out.

        >>> import rlrewards as rr
        >>> rr.RepetitionPenalty().when(rr.ThinkFormat())
        Gated(reward=RepetitionPenalty(), gate=ThinkFormat())
        """
        return Gated(reward=_as_reward(self), gate=_as_reward(gate))

    def __mul__(self, weight: Weight) -> Stack:
        return Stack({self.name: (weight, self)}) if _is_weight(weight) else NotImplemented

    __rmul__ = __mul__

    def __neg__(self) -> Stack:
        return self * -1.0

    def __add__(self, other: RewardLike | int) -> Stack:
        return _joined(self, other)

    def __radd__(self, other: RewardLike | int) -> Stack:
        return _joined(other, self)

    def __sub__(self, other: Composable) -> Stack:
        return self + -other

    def __repr__(self) -> str:
        changed = (
            f"{item.name}={getattr(self, item.name)!r}"
            for item in fields(cast(Any, self))
            if item.init and getattr(self, item.name) != _default_of(item)
        )
        return f"{type(self).__name__}({', '.join(changed)})"


def _default_of(item: Any) -> Any:
    return item.default_factory() if item.default_factory is not MISSING else item.default


def _is_weight(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number or (callable(value) and not isinstance(value, Composable))


def _joined(left: RewardLike | int, right: RewardLike | int) -> Stack:
    if isinstance(left, int) or isinstance(right, int):  # sum([...]) starts from 0
        if left == 0 or right == 0:
            return _as_stack(right if left == 0 else left)
        return NotImplemented
    if not callable(left) or not callable(right):
        return NotImplemented
    first, second = _as_stack(left), _as_stack(right)
    if first.missing != second.missing:
        raise ValueError(
            f"cannot add a stack with missing={first.missing!r} to one with "
            f"missing={second.missing!r}; nest one of them: stack + other.named('inner')"
        )
    return Stack._of(first.parts + second.parts, first.missing)


def _as_reward(value: object) -> Reward:
    if isinstance(value, Composable):
        return value
    if callable(value):
        return reward(value)
    raise TypeError(f"expected a reward (a callable of a batch), got {value!r}")


def _as_stack(value: object) -> Stack:
    if isinstance(value, Stack):
        return value
    one = _as_reward(value)
    return Stack({name_of(one): (1.0, one)})


# ---------------------------------------------------------------------------------------------
# Plain functions as rewards


@dataclass(frozen=True, repr=False)
class Function(Composable):
    """A function of the batch with a reward's name, bounds and operators; see `reward`."""

    function: RewardLike
    label: str = ""
    limits: tuple[float, float] = UNBOUNDED
    grouped_function: bool = False

    @property
    def name(self) -> str:
        """Name of the reward's column."""
        return self.label or name_of(self.function)

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest score that the reward can give."""
        return self.limits

    @property
    def grouped(self) -> bool:  # type: ignore[override]
        """Whether a score depends on the other completions of the same prompt."""
        return self.grouped_function

    def __call__(self, batch: Sequence[Sample], /) -> list[float | None]:
        """Return what the function returns, checked; a coroutine is run to its end."""
        return checked_scores(self, _finished(self.function(batch)), len(batch))

    async def acall(self, batch: Sequence[Sample], /) -> list[float | None]:
        """Return what the function returns, awaited where it is asynchronous."""
        result = self.function(batch)
        return checked_scores(self, await result if _waits(result) else result, len(batch))

    @property
    def waits(self) -> bool:
        """Whether the function is asynchronous."""
        return inspect.iscoroutinefunction(self.function)

    def __getstate__(self) -> dict[str, Any]:
        _require_importable(self.function)
        return dict(self.__dict__)


@dataclass(frozen=True, repr=False)
class Each(Composable):
    """A function of one sample, lifted to batches; see `each`."""

    score: Callable[[Sample], Any]
    label: str = ""
    limits: tuple[float, float] = UNBOUNDED

    @property
    def name(self) -> str:
        """Name of the reward's column."""
        return self.label or name_of(cast(Reward, self.score))

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest score that the reward can give."""
        return self.limits

    def __call__(self, batch: Sequence[Sample], /) -> list[float | None]:
        """Return the function's score of each sample."""
        if self.waits:
            return run_to_end(self.acall(batch))
        return checked_scores(self, [self.score(sample) for sample in batch], len(batch))

    async def acall(self, batch: Sequence[Sample], /) -> list[float | None]:
        """Return the function's score of each sample, all awaited at once."""
        results = [self.score(sample) for sample in batch]
        if self.waits:
            results = list(await asyncio.gather(*results))
        return checked_scores(self, results, len(batch))

    @property
    def waits(self) -> bool:
        """Whether the function is asynchronous."""
        return inspect.iscoroutinefunction(self.score)

    def __getstate__(self) -> dict[str, Any]:
        _require_importable(self.score)
        return dict(self.__dict__)


def reward(
    function: RewardLike,
    *,
    name: str = "",
    bounds: tuple[float, float] = UNBOUNDED,
    grouped: bool = False,
) -> Reward:
    """Give a function of the batch the operators of a reward; usable as a decorator.

    Args:
        function: Maps a sequence of B samples to B floats or Nones; may be `async`.
        name: Name of its column; the function's own by default.
        bounds: Lowest and highest score that it can give.
        grouped: Whether a score depends on the other completions of the same prompt.

    >>> def brevity(batch):
    ...     return [1.0 if len(sample.completion) < 10 else 0.0 for sample in batch]
    >>> (0.5 * reward(brevity))([Sample("short")])
    [0.5]
    """
    if isinstance(function, Composable):
        return function
    if not callable(function):
        raise TypeError(f"expected a function of a batch of samples, got {function!r}")
    return Function(function, name, bounds, grouped)


def each(
    score: Callable[[Sample], Any],
    *,
    name: str = "",
    bounds: tuple[float, float] = UNBOUNDED,
) -> Each:
    """Lift a function of one sample to a reward; usable as a decorator.

    Args:
        score: Maps a sample to a float, or None for "no opinion"; may be `async`.
        name: Name of its column; the function's own by default.
        bounds: Lowest and highest score that it can give.

    >>> @each
    ... def polite(sample):
    ...     return float("please" in sample.completion)
    >>> (2 * polite)([Sample("please wait")])
    [2.0]
    """
    if not callable(score):
        raise TypeError(f"expected a function of one sample, got {score!r}")
    return Each(score, name, bounds)


def _require_importable(function: Any) -> None:
    qualified = getattr(function, "__qualname__", "")
    if "<" in qualified:  # <lambda>, <locals>
        raise pickle.PicklingError(
            f"{qualified} cannot travel to another process; define it with `def` at the top level "
            "of a module"
        )


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

    def at(self, step: int) -> Gated:
        """Return the same with the schedules inside resolved at `step`."""
        return replace(self, reward=_at(self.reward, step), gate=_at(self.gate, step))

    def __call__(self, batch: Sequence[Sample], /) -> list[float | None]:
        """Return the reward where the gate is open, 0 where it is shut, None where it is None."""
        gates = checked_scores(self.gate, self.gate(batch), len(batch))
        inner = self._admitted(batch, gates)
        return self._merged(gates, checked_scores(self.reward, self.reward(inner), len(inner)))

    async def acall(self, batch: Sequence[Sample], /) -> list[float | None]:
        """Do the same, awaiting the parts that wait."""
        gates = await _acall(self.gate, batch)
        return self._merged(gates, await _acall(self.reward, self._admitted(batch, gates)))

    @property
    def waits(self) -> bool:
        """Whether the reward or its gate is asynchronous."""
        return _waiting(self.reward) or _waiting(self.gate)

    def _admitted(self, batch: Sequence[Sample], gates: list[float | None]) -> list[Sample]:
        if is_grouped(self.reward):  # the rest of the group is part of its score
            return list(batch)
        return [sample for sample, gate in zip(batch, gates, strict=True) if gate and gate > 0]

    def _merged(self, gates: list[float | None], scores: list[float | None]) -> list[float | None]:
        whole = iter(scores)
        merged: list[float | None] = []
        for gate in gates:
            score = next(whole) if is_grouped(self.reward) or (gate and gate > 0) else None
            merged.append(None if gate is None else score if gate > 0 else 0.0)
        return merged


# ---------------------------------------------------------------------------------------------
# The stack


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
        return any(_waiting(part.reward) for part in self.parts)

    def children(self) -> tuple[Reward, ...]:
        """Return the rewards of the stack, in order."""
        return tuple(part.reward for part in self.parts)

    def at(self, step: int) -> Stack:
        """Return the stack with every schedule, nested ones too, resolved at `step`."""
        parts = tuple(
            Part(part.name, weight_at(part.name, part.weight, step), _at(part.reward, step))
            for part in self.parts
        )
        return self._of(parts, self.missing)

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
        batch = _checked_batch(samples)
        now = self.at(step)
        results = {part.name: _evaluate(part.reward, batch) for part in now.parts}
        return now._assembled(batch, results, self.fingerprint(), step)

    async def ascore(self, samples: Sequence[Sample], *, step: int = 0) -> Scores:
        """Score a batch, the rewards that wait (judges) all at once.

        The others run in one worker thread meanwhile, so that the event loop stays free.
        """
        batch = _checked_batch(samples)
        now = self.at(step)
        waiting = [part for part in now.parts if _waiting(part.reward)]
        others = [part for part in now.parts if not _waiting(part.reward)]

        def rest() -> list[Scores | list[float | None]]:
            return [_evaluate(part.reward, batch) for part in others]

        done, *awaited = await asyncio.gather(
            asyncio.to_thread(rest), *(_aevaluate(part.reward, batch) for part in waiting)
        )
        found = dict(zip([part.name for part in others + waiting], [*done, *awaited], strict=True))
        results = {part.name: found[part.name] for part in now.parts}
        return now._assembled(batch, results, self.fingerprint(), step)

    def fingerprint(self) -> str:
        """Return a hash of the configuration and of the version of the rules.

        Equal fingerprints mean equal rewards for equal samples.
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
    def from_table(cls, table: Mapping[str, Any], where: str) -> Stack:
        """Build a stack from the plain dict that its TOML holds."""
        config.require_keys(table, {"missing", "rewards"}, where)
        rewards = config.require_table(table.get("rewards", {}), f"{where}[rewards]")
        parts = {}
        for name, entry in rewards.items():
            here = f"[rewards.{name}]"
            entry = dict(config.require_table(entry, here))
            weight = config.from_value(entry.pop("weight", 1.0), f"weight in {here}")
            parts[name] = (weight, config.from_table(entry, here))
        return cls(parts, missing=table.get("missing", "abstain"))

    def __mul__(self, weight: Weight) -> Stack:
        if not _is_weight(weight):
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

    def _assembled(
        self,
        batch: list[Sample],
        results: Mapping[str, Scores | list[float | None]],
        fingerprint: str,
        step: int,
    ) -> Scores:
        import numpy as np

        nested = {name: result for name, result in results.items() if isinstance(result, Scores)}
        columns = {
            name: result.total if isinstance(result, Scores) else np.array(result, dtype=np.float64)
            for name, result in results.items()
        }
        weights = {part.name: cast(float, part.weight) for part in self.parts}
        contributions = _contributions(columns, weights, self.missing, len(batch))
        total = sum(contributions.values(), start=np.zeros(len(batch)))
        dense, gammas = _dense_streams(self.parts, batch)
        return Scores(
            columns=columns,
            weights=weights,
            total=total,
            contributions=contributions,
            verdicts=_verdicts(self, batch),
            dense=dense,
            gammas=gammas,
            nested=nested,
            fingerprint=fingerprint,
            step=step,
        )


def _part(name: str, value: Any) -> Part:
    if not isinstance(name, str) or not name:
        raise TypeError(f"the name of a part must be a non-empty string, got {name!r}")
    if isinstance(value, tuple):
        if len(value) != 2:
            raise TypeError(f"part {name!r} must be (weight, reward), got a {len(value)}-tuple")
        return Part(name, value[0], _as_reward(value[1]))
    return Part(name, 1.0, _as_reward(value))


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


def _contributions(
    columns: Mapping[str, Any], weights: Mapping[str, float], missing: Missing, count: int
) -> dict[str, Any]:
    """Return what each part adds to the total, so that every row sums to it."""
    import numpy as np

    absent = {name: np.isnan(column) for name, column in columns.items() if weights[name] != 0}
    terms = {
        name: weights[name] * np.where(absent[name], 0.0, columns[name])
        if name in absent
        else np.zeros(count)
        for name in columns
    }
    if missing == "zero" or not absent:
        return terms
    if missing == "abstain":
        lost = np.logical_or.reduce(list(absent.values()))
        return {name: np.where(lost, np.nan, term) for name, term in terms.items()}
    whole = sum(abs(weights[name]) for name in absent)
    present = sum(np.where(absent[name], 0.0, abs(weights[name])) for name in absent)
    # No part has an opinion: NaN. All have one: exactly 1, so that nothing is rounded.
    factor = np.where(present == 0, np.nan, whole / np.where(present == 0, 1.0, present))
    complete = ~np.logical_or.reduce(list(absent.values()))
    factor = np.where(complete, 1.0, factor)
    return {name: term * factor for name, term in terms.items()}


def _dense_streams(
    parts: tuple[Part, ...], batch: list[Sample]
) -> tuple[dict[str, list[Any]], dict[str, float]]:
    """Return the per-token streams of the parts that have one, and their discounts."""
    dense: dict[str, list[Any]] = {}
    gammas: dict[str, float] = {}
    for part in parts:
        stream = getattr(part.reward, "dense", None)
        if callable(stream):
            dense[part.name] = stream(batch)
            gammas[part.name] = float(getattr(part.reward, "gamma", 1.0))
    return dense, gammas


def _verdicts(stack: Stack, batch: list[Sample]) -> list[Any]:
    verifiers = list(dict.fromkeys(_verifiers(stack)))
    return [
        next((v for key in verifiers if (v := sample.recalled(key)) is not None), None)
        for sample in batch
    ]


def _verifiers(reward: Any) -> Iterator[Any]:
    own = getattr(reward, "verifier", None)
    if own is not None:
        yield own
    if isinstance(reward, Composable):
        for child in reward.children():
            yield from _verifiers(child)


# ---------------------------------------------------------------------------------------------
# Calling rewards, at a step, awaited or not


class _Asynchronous(Protocol):
    async def acall(self, batch: Sequence[Sample], /) -> list[float | None]: ...


def _waiting(reward: Reward) -> bool:
    return bool(getattr(reward, "waits", False))


def _waits(value: object) -> bool:
    return inspect.isawaitable(value)


def _at(reward: Reward, step: int) -> Reward:
    resolve = getattr(reward, "at", None)
    return reward if resolve is None else cast(Reward, resolve(step))


def _checked_batch(samples: Sequence[Sample]) -> list[Sample]:
    batch = list(samples)
    for index, sample in enumerate(batch):
        if not isinstance(sample, Sample):
            raise TypeError(f"item {index} of the batch is {type(sample).__name__}, not a Sample")
    return batch


def _evaluate(reward: Reward, batch: list[Sample]) -> Scores | list[float | None]:
    if isinstance(reward, Stack):
        return reward.score(batch)
    return checked_scores(reward, reward(batch), len(batch))


async def _aevaluate(reward: Reward, batch: list[Sample]) -> Scores | list[float | None]:
    return await reward.ascore(batch) if isinstance(reward, Stack) else await _acall(reward, batch)


async def _acall(reward: Reward, batch: Sequence[Sample]) -> list[float | None]:
    if _waiting(reward):
        scores = await cast(_Asynchronous, reward).acall(batch)
    else:
        scores = await asyncio.to_thread(reward, batch)
    return checked_scores(reward, scores, len(batch))


def _finished(value: Any) -> Any:
    return run_to_end(value) if _waits(value) else value


def run_to_end(awaitable: Awaitable[T]) -> T:
    """Run an awaitable from synchronous code, also where an event loop is already running."""

    async def wait() -> T:
        return await awaitable

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(wait())
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, wait()).result()
