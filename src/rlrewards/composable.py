"""What makes a function a reward that composes: a name, bounds, and the operators of a stack.

Every reward of the library derives from `Composable`, which brings `*`, `+`, `-`, `when` and
`named`; `reward` and `each` give them to plain functions. The operators build what `stack` defines.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import pickle
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, cast, overload

from rlrewards.config import default_of
from rlrewards.core import UNBOUNDED, Reward, Sample, checked_scores, name_of, snake_case
from rlrewards.schedules import Weight
from rlrewards.scoring import is_awaitable, run_to_end

if TYPE_CHECKING:
    from rlrewards.stack import Gated, Stack

RewardLike: TypeAlias = Callable[[Sequence[Sample]], Any]


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
        from rlrewards.stack import Stack

        return Stack({name: (1.0, self)})

    def when(self, gate: RewardLike) -> Gated:
        """Return this reward where `gate` scores above zero, and 0 elsewhere.

        Where the gate has no opinion, neither has the result. A pointwise reward is not called at
        all on the samples that the gate shuts out.

        >>> import rlrewards as rr
        >>> rr.RepetitionPenalty().when(rr.ThinkFormat())
        Gated(reward=RepetitionPenalty(), gate=ThinkFormat())
        """
        from rlrewards.stack import Gated

        return Gated(reward=self, gate=as_reward(gate))

    def __mul__(self, weight: Weight) -> Stack:
        return self.named(self.name) * weight if is_weight(weight) else NotImplemented

    __rmul__ = __mul__

    def __neg__(self) -> Stack:
        return self * -1.0

    def __add__(self, other: RewardLike | int) -> Stack:
        from rlrewards.stack import joined

        return joined(self, other)

    def __radd__(self, other: RewardLike | int) -> Stack:
        from rlrewards.stack import joined

        return joined(other, self)

    def __sub__(self, other: Composable) -> Stack:
        return self + -other

    def __repr__(self) -> str:
        changed = (
            f"{item.name}={getattr(self, item.name)!r}"
            for item in fields(cast(Any, self))
            if item.init and getattr(self, item.name) != default_of(item)
        )
        return f"{type(self).__name__}({', '.join(changed)})"


def is_weight(value: object) -> bool:
    """Whether a value can weigh a reward: a number, or a schedule."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number or (callable(value) and not isinstance(value, Composable))


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
        return checked_scores(self, await result if is_awaitable(result) else result, len(batch))

    @property
    def waits(self) -> bool:
        """Whether the function is asynchronous."""
        return _is_asynchronous(self.function)

    def __reduce__(self) -> tuple[Any, ...]:
        return _reduced(self, self.function)


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
        return _is_asynchronous(self.score)

    def __reduce__(self) -> tuple[Any, ...]:
        return _reduced(self, self.score)


@overload
def reward(
    function: RewardLike, *, name: str = ..., bounds: tuple[float, float] = ..., grouped: bool = ...
) -> Composable: ...
@overload
def reward(
    *, name: str = ..., bounds: tuple[float, float] = ..., grouped: bool = ...
) -> Callable[[RewardLike], Composable]: ...
def reward(
    function: RewardLike | None = None,
    *,
    name: str = "",
    bounds: tuple[float, float] = UNBOUNDED,
    grouped: bool = False,
) -> Composable | Callable[[RewardLike], Composable]:
    """Give a function of the batch the operators of a reward; usable as a decorator.

    Args:
        function: Maps a sequence of B samples to B floats or Nones; may be `async`. Without it a
            decorator is returned.
        name: Name of its column; the function's own by default.
        bounds: Lowest and highest score that it can give.
        grouped: Whether a score depends on the other completions of the same prompt.

    Raises:
        TypeError: it is not a function, or is a reward already and is given a name or bounds.

    >>> @reward(bounds=(0.0, 1.0))
    ... def brevity(batch):
    ...     return [1.0 if len(sample.completion) < 10 else 0.0 for sample in batch]
    >>> (0.5 * brevity)([Sample("short")])
    [0.5]
    """
    if function is None:
        return lambda decorated: reward(decorated, name=name, bounds=bounds, grouped=grouped)
    if isinstance(function, Composable):
        if name or bounds != UNBOUNDED or grouped:
            raise TypeError(f"{function!r} is a reward already; rename it with .named({name!r})")
        return function
    if not callable(function):
        raise TypeError(f"expected a function of a batch of samples, got {function!r}")
    return Function(function, name, bounds, grouped)


@overload
def each(
    score: Callable[[Sample], Any], *, name: str = ..., bounds: tuple[float, float] = ...
) -> Each: ...
@overload
def each(
    *, name: str = ..., bounds: tuple[float, float] = ...
) -> Callable[[Callable[[Sample], Any]], Each]: ...
def each(
    score: Callable[[Sample], Any] | None = None,
    *,
    name: str = "",
    bounds: tuple[float, float] = UNBOUNDED,
) -> Each | Callable[[Callable[[Sample], Any]], Each]:
    """Lift a function of one sample to a reward; usable as a decorator.

    Args:
        score: Maps a sample to a float, or None for "no opinion"; may be `async`. Without it a
            decorator is returned.
        name: Name of its column; the function's own by default.
        bounds: Lowest and highest score that it can give.

    Raises:
        TypeError: it is not a function.

    >>> @each
    ... def polite(sample):
    ...     return float("please" in sample.completion)
    >>> (2 * polite)([Sample("please wait")])
    [2.0]
    """
    if score is None:
        return lambda decorated: each(decorated, name=name, bounds=bounds)
    if not callable(score):
        raise TypeError(f"expected a function of one sample, got {score!r}")
    return Each(score, name, bounds)


def _is_asynchronous(function: Any) -> bool:
    call = getattr(type(function), "__call__", None)  # noqa: B004  (the method itself is wanted)
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def _reduced(reward: Function | Each, function: Any) -> tuple[Any, ...]:
    """Return what pickle needs: a decorated function goes by its name, which means the reward."""
    module, name = getattr(function, "__module__", ""), getattr(function, "__qualname__", "")
    if "<" in name:  # <lambda>, <locals>
        raise pickle.PicklingError(
            f"{name} cannot travel to another process; define it with `def` at the top level "
            "of a module"
        )
    if getattr(sys.modules.get(module), name, None) is reward:
        return _named, (module, name)
    return type(reward), tuple(getattr(reward, item.name) for item in fields(reward))


def _named(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


def as_reward(value: object) -> Reward:
    """Return a reward as it is, and a plain function as one.

    Raises:
        TypeError: the value cannot be called.
    """
    if isinstance(value, Composable):
        return value
    if isinstance(value, type):
        name = value.__name__
        raise TypeError(f"expected a reward, got the class {name}: write {name}()")
    if callable(value):
        return reward(value)
    raise TypeError(f"expected a reward (a callable of a batch), got {value!r}")


def _finished(value: Any) -> Any:
    return run_to_end(value) if is_awaitable(value) else value
