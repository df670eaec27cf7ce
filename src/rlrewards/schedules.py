"""Weights that change while training runs: a schedule is any picklable `step -> weight`.

Those below cover the usual shapes; a stack accepts a plain function of the step as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self, TypeAlias

from rlrewards.parameters import make_tuple, require_between, require_whole

Schedule: TypeAlias = Callable[[int], float]
Weight: TypeAlias = float | Schedule


@dataclass(frozen=True, kw_only=True)
class _Ramp:
    """A way from `start` to `end` over `steps` steps after `begin`, flat outside."""

    start: float
    end: float
    steps: int
    begin: int = 0

    def __post_init__(self) -> None:
        require_between(self, "start", -math.inf, math.inf)
        require_between(self, "end", -math.inf, math.inf)
        require_whole(self, "steps", 1)
        require_whole(self, "begin", 0)

    def __call__(self, step: int) -> float:
        """Return the weight at `step`."""
        done = min(max((step - self.begin) / self.steps, 0.0), 1.0)
        return self.start + (self.end - self.start) * self._share(done)

    def _share(self, done: float) -> float:
        return done

    def scaled(self, factor: float) -> Self:
        """Return the same schedule with its weights multiplied."""
        return replace(self, start=self.start * factor, end=self.end * factor)


@dataclass(frozen=True, kw_only=True)
class LinearSchedule(_Ramp):
    """A straight line from `start` to `end` over `steps` steps after `begin`, flat outside.

    >>> LinearSchedule(start=1.0, end=0.0, steps=10)(5)
    0.5
    """


@dataclass(frozen=True, kw_only=True)
class CosineSchedule(_Ramp):
    """Half a cosine from `start` to `end` over `steps` steps after `begin`, flat outside.

    >>> round(CosineSchedule(start=1.0, end=0.0, steps=10)(5), 6)
    0.5
    """

    def _share(self, done: float) -> float:
        return 0.5 - 0.5 * math.cos(math.pi * done)


@dataclass(frozen=True, kw_only=True)
class StepSchedule:
    """Constant between boundaries: `values[k]` from step `boundaries[k-1]` on.

    >>> [StepSchedule(values=(0.0, 1.0), boundaries=(100,))(step) for step in (99, 100)]
    [0.0, 1.0]
    """

    values: tuple[float, ...]
    boundaries: tuple[int, ...]

    def __post_init__(self) -> None:
        make_tuple(self, "values")
        make_tuple(self, "boundaries")
        numbers = (*self.values, *self.boundaries)
        if any(isinstance(n, bool) or not isinstance(n, int | float) for n in numbers):
            raise TypeError(f"StepSchedule takes numbers, got {self.values} and {self.boundaries}")
        if len(self.values) != len(self.boundaries) + 1:
            raise ValueError(
                f"StepSchedule needs one value more than boundaries, got {len(self.values)} values "
                f"and {len(self.boundaries)} boundaries"
            )
        if any(later <= earlier for earlier, later in pairwise(self.boundaries)):
            raise ValueError(f"StepSchedule boundaries must increase, got {self.boundaries}")
        if not all(math.isfinite(value) for value in self.values):
            raise ValueError(f"StepSchedule values must be finite, got {self.values}")

    def __call__(self, step: int) -> float:
        """Return the weight at `step`."""
        return self.values[sum(step >= boundary for boundary in self.boundaries)]

    def scaled(self, factor: float) -> Self:
        """Return the same schedule with its weights multiplied."""
        return replace(self, values=tuple(value * factor for value in self.values))


@dataclass(frozen=True)
class Scaled:
    """A function of the step times a constant: what `0.5 * stack` makes of such a weight."""

    schedule: Schedule
    factor: float

    def __call__(self, step: int) -> float:
        """Return the weight at `step`."""
        return self.factor * self.schedule(step)


def scaled(weight: Weight, factor: float) -> Weight:
    """Return `factor · weight`, for a number or a schedule."""
    if not callable(weight):
        return weight * factor
    own = getattr(weight, "scaled", None)
    scaled_weight: Weight = Scaled(weight, factor) if own is None else own(factor)
    return scaled_weight


def weight_at(name: str, weight: Weight, step: int) -> float:
    """Return the weight of part `name` at `step`.

    Raises:
        TypeError: the weight is neither a number nor a schedule that gives one.
        ValueError: it is NaN or infinite.
    """
    value = weight(step) if callable(weight) else weight
    where = f"the weight of {name!r}" + (f" at step {step}" if callable(weight) else "")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{where} is {value!r}, expected a number or a schedule (step -> weight)")
    if not math.isfinite(value):
        raise ValueError(f"{where} is {value}, expected a finite number")
    return float(value)
