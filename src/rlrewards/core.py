"""What every part of the library passes around: a sample, a reward, and the scores of a batch.

Come here to learn the shapes. A `Sample` is one completion with what is needed to judge it; a
`Reward` is any callable from a batch of samples to one number, or None, for each; `Scores` is what
a stack of rewards makes of a batch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray: TypeAlias = NDArray[np.float64]

# What a record of `Scores.to_records` holds beside the parts.
VERDICT_FIELDS = ("status", "tier", "answer", "why")
RECORD_COLUMNS = ("total", *(f"verdict_{field}" for field in VERDICT_FIELDS))

UNBOUNDED: tuple[float, float] = (-math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class Sample:
    """One completion and what is needed to judge it.

    Attributes:
        completion: Text of the model's turn.
        reference: The gold answer, or several acceptable ones; None when there is none.
        prompt: The text that was asked.
        token_ids: Token ids of the completion; length and repetition rewards use them.
        options: For a multiple-choice question, the text of each letter.
        group: Which prompt the completion belongs to; grouped rewards compare within it.
        truncated: Whether the completion stopped at the length limit; None when unknown.
        extra: Further columns of the data set.

    >>> Sample("The answer is 4.", reference="4").completion
    'The answer is 4.'
    """

    completion: str
    reference: str | Sequence[str] | None = None
    prompt: str | None = None
    token_ids: Sequence[int] | None = None
    options: Mapping[str, str] | None = None
    group: Hashable | None = None
    truncated: bool | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    # What was already worked out about this sample, by the object that worked it out (a verifier's
    # verdict): several rewards of a stack then share the work. It lives and dies with the sample.
    _memo: dict[Hashable, Any] = field(
        default_factory=dict, init=False, repr=False, compare=False, hash=False
    )

    def recall(self, key: Hashable, compute: Callable[[Sample], Any]) -> Any:
        """Return what `compute(self)` gave the first time it was asked for under `key`."""
        try:
            return self._memo[key]
        except KeyError:
            return self._memo.setdefault(key, compute(self))

    def recalled(self, key: Hashable) -> Any:
        """Return what is remembered under `key`, or None."""
        return self._memo.get(key)

    def __getstate__(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in _SAMPLE_FIELDS)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        for name, value in zip(_SAMPLE_FIELDS, state, strict=True):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_memo", {})


_SAMPLE_FIELDS = tuple(name for name in Sample.__dataclass_fields__ if name != "_memo")


@runtime_checkable
class Reward(Protocol):
    """Anything that maps a batch of B samples to B scores; None is "no opinion".

    A reward of this library is also a frozen dataclass with a `name` and `bounds`; for a plain
    function the name is its `__name__` and the bounds are ±inf.
    """

    def __call__(self, batch: Sequence[Sample], /) -> list[float | None]:
        """Return one score, or None for "no opinion", for each sample, in order."""
        ...


def name_of(reward: Reward) -> str:
    """Return the reward's own `name`, or the name of the function.

    >>> def brevity(batch): ...
    >>> name_of(brevity)
    'brevity'
    """
    name = getattr(reward, "name", None) or getattr(reward, "__name__", None)
    return name if isinstance(name, str) else snake_case(type(reward).__name__)


def bounds_of(reward: Reward) -> tuple[float, float]:
    """Return the (lowest, highest) score that the reward can give; ±inf when it does not say."""
    bounds: tuple[float, float] = getattr(reward, "bounds", UNBOUNDED)
    return bounds


def is_grouped(reward: Reward) -> bool:
    """Whether a score depends on the other completions of the same prompt."""
    return bool(getattr(reward, "grouped", False))


def snake_case(name: str) -> str:
    """Turn a class name into the name of a column.

    >>> snake_case("ThinkAnswerFormat")
    'think_answer_format'
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def checked_scores(reward: Reward, scores: Any, count: int) -> list[float | None]:
    """Return `scores` if they are one number or None for each of `count` samples.

    Raises:
        TypeError: what came back is not a sequence of numbers and Nones.
        ValueError: its length is not `count`, or a score is NaN or infinite.
    """
    name = name_of(reward)
    if isinstance(scores, str | bytes | Mapping) or not hasattr(scores, "__len__"):
        raise TypeError(
            f"reward {name!r} returned {type(scores).__name__}, expected a list of {count} floats "
            "or Nones (lift a function of one sample with rlrewards.each)"
        )
    if len(scores) != count:
        raise ValueError(f"reward {name!r} returned {len(scores)} scores for {count} samples")
    return [None if score is None else _checked_score(name, score) for score in scores]


def _checked_score(name: str, score: Any) -> float:
    try:
        value = float(score)
    except (TypeError, ValueError):
        raise TypeError(f"reward {name!r} returned {score!r}, expected a float or None") from None
    if not math.isfinite(value):
        raise ValueError(
            f"reward {name!r} returned {value}; return None for a sample without an opinion"
        )
    return value


@dataclass(frozen=True, eq=False)
class Scores:
    """What a stack made of a batch of B samples.

    Attributes:
        columns: Raw value of each part by name, float64 `[B]`, NaN where it had no opinion.
        weights: Weight of each part at this step.
        total: Weighted sum, float64 `[B]`, NaN where the stack has no opinion.
        contributions: What each part adds to the total, float64 `[B]` each: in every row they sum
            to `total`, and all are NaN where the total is.
        verdicts: The verdict on each completion, where some part asked for one.
        dense: Per-token streams, one float array `[n_tokens]` or None for each sample, by part.
        gammas: Discount γ of each dense stream.
        nested: Scores of the stacks inside this one, by part.
        fingerprint: Hash of the stack's configuration and of the rules' version.
        step: The training step that weight schedules were asked for.
    """

    columns: dict[str, FloatArray]
    weights: dict[str, float]
    total: FloatArray
    contributions: dict[str, FloatArray]
    verdicts: list[Any]
    dense: dict[str, list[FloatArray | None]] = field(default_factory=dict)
    gammas: dict[str, float] = field(default_factory=dict)
    nested: dict[str, Scores] = field(default_factory=dict)
    fingerprint: str = ""
    step: int = 0

    def __len__(self) -> int:
        return len(self.total)

    def totals(self) -> list[float | None]:
        """Return the total as a list with None where the stack has no opinion."""
        return [None if math.isnan(value) else value for value in self.total.tolist()]

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists and dicts, None for NaN, ready for JSON."""
        return {
            "columns": {name: _plain(values) for name, values in self.flat_columns().items()},
            "weights": dict(self.weights),
            "total": self.totals(),
            "verdicts": [None if v is None else v.to_dict() for v in self.verdicts],
            "dense": {
                name: [None if row is None else row.tolist() for row in rows]
                for name, rows in self.dense.items()
            },
            "gammas": dict(self.gammas),
            "fingerprint": self.fingerprint,
            "step": self.step,
        }

    def to_records(self) -> list[dict[str, Any]]:
        """Return one flat dict a sample: a key for each part, `total`, and the verdict's fields."""
        columns = {name: _plain(values) for name, values in self.flat_columns().items()}
        columns["total"] = self.totals()
        records = [
            dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
        ]
        for record, verdict in zip(records, self.verdicts, strict=True):
            plain = {} if verdict is None else verdict.to_dict()
            record |= {f"verdict_{field}": plain.get(field) for field in VERDICT_FIELDS}
        return records

    def flat_columns(self) -> dict[str, FloatArray]:
        """Return the columns with those of nested stacks behind them as `outer.inner`."""
        flat = dict(self.columns)
        for name, scores in self.nested.items():
            flat |= {f"{name}.{inner}": column for inner, column in scores.flat_columns().items()}
        return flat


def _plain(values: FloatArray) -> list[float | None]:
    return [None if math.isnan(value) else value for value in values.tolist()]
