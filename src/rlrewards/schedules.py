"""Weights that change while training runs: a schedule is any picklable `step -> weight`.

Those below cover the usual shapes; a stack accepts a plain function of the step as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

Schedule: TypeAlias = Callable[[int], float]
Weight: TypeAlias = float | Schedule


@dataclass(frozen=True, kw_only=True)
class LinearSchedule:
    """A straight line from `start` to `end` over `steps` steps after `begin`, flat outside.

    >>> LinearSchedule(start=1.0, end=0.0, steps=10)(5)
    0.5
    """

    start: float
    end: float
    steps: int
    begin: int = 0

    def __post_init__(self) -> None:
        _require_finite(self, "start", "end")
        _require_steps(self.steps)

    def __call__(self, step: int) -> float:
        """Return the weight at `step`."""
        return self.start + (self.end - self.start) * _progress(step, self.begin, self.steps)


@dataclass(frozen=True, kw_only=True)
class CosineSchedule:
    """Half a cosine from `start` to `end` over `steps` steps after `begin`, flat outside.

    >>> round(CosineSchedule(start=1.0, end=0.0, steps=10)(5), 6)
    0.5
    """

    start: float
    end: float
    steps: int
    begin: int = 0

    def __post_init__(self) -> None:
        _require_finite(self, "start", "end")
        _require_steps(self.steps)

    def __call__(self, step: int) -> float:
        """Return the weight at `step`."""
        done = 0.5 - 0.5 * math.cos(math.pi * _progress(step, self.begin, self.steps))
        return self.start + (self.end - self.start) * done


@dataclass(frozen=True, kw_only=True)
class StepSchedule:
    """Constant between boundaries: `values[k]` from step `boundaries[k-1]` on.

    >>> [StepSchedule(values=(0.0, 1.0), boundaries=(100,))(step) for step in (99, 100)]
    [0.0, 1.0]
    """

    values: tuple[float, ...]
    boundaries: tuple[int, ...]

    def __post_init__(self) -> None:
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


@dataclass(frozen=True)
class Scaled:
    """A schedule times a constant: what `0.5 * stack` makes of a scheduled weight."""

    schedule: Schedule
    factor: float

    def __call__(self, step: int) -> float:
        """Return the weight at `step`."""
        return self.factor * self.schedule(step)


def scaled(weight: Weight, factor: float) -> Weight:
    """Return `factor · weight`, for a number or a schedule."""
    return Scaled(weight, factor) if callable(weight) else weight * factor


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


def _progress(step: int, begin: int, steps: int) -> float:
    return min(max((step - begin) / steps, 0.0), 1.0)


def _require_steps(steps: int) -> None:
    if steps < 1:
        raise ValueError(f"a schedule needs steps >= 1, got {steps}")


def _require_finite(schedule: object, *names: str) -> None:
    for name in names:
        value = getattr(schedule, name)
        if not math.isfinite(value):
            raise ValueError(f"{type(schedule).__name__}: {name} must be finite, got {value}")
