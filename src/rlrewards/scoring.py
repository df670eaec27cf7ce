"""How rewards are called, awaited or not, and how their columns become a total.

The stack's own arithmetic, apart from its configuration: what each part adds to a row, what becomes
of a missing opinion, which verdicts and per-token streams belong to a batch.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, TypeVar, cast, runtime_checkable

from rlrewards.core import Reward, Sample, Scores, checked_scores

Missing: TypeAlias = Literal["abstain", "renormalize", "zero"]
T = TypeVar("T")


def weighted(
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
    # No part has an opinion: NaN. All have one: as they are, so that nothing is rounded. A share
    # before the product, since whole / present overflows where the present weights are tiny.
    divisor = np.where(present == 0, np.nan, present)
    complete = ~np.logical_or.reduce(list(absent.values()))
    return {name: np.where(complete, term, term / divisor * whole) for name, term in terms.items()}


def streams_by_name(
    results: Mapping[str, Evaluated],
) -> tuple[dict[str, list[Any]], dict[str, float]]:
    """Return the per-token streams of the parts that have one, and their discounts.

    Those of a stack inside the stack stand behind its name, as `outer.inner`.
    """
    dense: dict[str, list[Any]] = {}
    gammas: dict[str, float] = {}
    for name, result in results.items():
        if result.dense is not None:
            dense[name], gammas[name] = result.dense, result.gamma
        if result.nested is not None:
            inner = result.nested
            dense |= {f"{name}.{key}": stream for key, stream in inner.dense.items()}
            gammas |= {f"{name}.{key}": gamma for key, gamma in inner.gammas.items()}
    return dense, gammas


def verdicts_of(reward: Reward, batch: Iterable[Sample]) -> list[Any]:
    """Return the verdict on each sample that some part of a reward asked for, or None."""
    verifiers = list(dict.fromkeys(_verifiers(reward)))
    return [
        next((v for key in verifiers if (v := sample.recalled(key)) is not None), None)
        for sample in batch
    ]


def verifies(reward: Reward) -> bool:
    """Whether a reward, or one inside it, asks for verdicts."""
    return next(_verifiers(reward), None) is not None


def _verifiers(reward: Any) -> Iterator[Any]:
    own = getattr(reward, "verifier", None)
    if own is not None:
        yield own
    for child in getattr(reward, "children", tuple)():
        yield from _verifiers(child)


# ---------------------------------------------------------------------------------------------
# Calling rewards, awaited or not


@dataclass(frozen=True, eq=False)
class Evaluated:
    """What one reward made of a batch of B samples.

    Attributes:
        scores: One float or None for each sample.
        dense: Per-token stream of each sample, None where there is none; None without streams.
        gamma: Discount γ of the streams.
        nested: All the scores of a stack.
    """

    scores: list[float | None]
    dense: list[Any] | None = None
    gamma: float = 1.0
    nested: Scores | None = None


@runtime_checkable
class _Composite(Protocol):
    """A reward made of others, which may have schedules inside and more to say than a score."""

    def evaluate(self, batch: list[Sample], step: int) -> Evaluated: ...

    async def aevaluate(self, batch: list[Sample], step: int) -> Evaluated: ...


class _Asynchronous(Protocol):
    async def acall(self, batch: Sequence[Sample], /) -> list[float | None]: ...


def is_waiting(reward: Reward) -> bool:
    """Whether a reward is asynchronous."""
    return bool(getattr(reward, "waits", False))


def is_awaitable(value: object) -> bool:
    """Whether a value has to be awaited."""
    return inspect.isawaitable(value)


def checked_batch(samples: Sequence[Sample]) -> list[Sample]:
    """Return a batch as a list, or say which item is no sample."""
    batch = list(samples)
    for index, sample in enumerate(batch):
        if not isinstance(sample, Sample):
            raise TypeError(f"item {index} of the batch is {type(sample).__name__}, not a Sample")
    return batch


def evaluate(reward: Reward, batch: list[Sample], step: int = 0) -> Evaluated:
    """Return what a reward makes of a batch, its scores checked."""
    if isinstance(reward, _Composite):
        return reward.evaluate(batch, step)
    return _with_streams(reward, batch, reward(batch))


async def aevaluate(reward: Reward, batch: list[Sample], step: int = 0) -> Evaluated:
    """Do the same, awaiting what waits; a reward that does not wait runs in a thread."""
    if not is_waiting(reward):
        return await asyncio.to_thread(evaluate, reward, batch, step)
    if isinstance(reward, _Composite):
        return await reward.aevaluate(batch, step)
    return _with_streams(reward, batch, await cast(_Asynchronous, reward).acall(batch))


def _with_streams(reward: Reward, batch: list[Sample], scores: Any) -> Evaluated:
    checked = checked_scores(reward, scores, len(batch))
    dense = getattr(reward, "dense", None)
    if not callable(dense):
        return Evaluated(checked)
    return Evaluated(checked, dense(batch), float(getattr(reward, "gamma", 1.0)))


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
