"""Short when right, long when wrong: a reward of the verdict that depends on the length."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rlrewards.core import Sample
from rlrewards.parameters import require_between, require_bool, require_method, require_whole
from rlrewards.rewards.correctness import correctness
from rlrewards.rewards.lengths import lengths_tokens, require_length
from rlrewards.stack import Composable
from rlrewards.verify.verifier import Verifier, default_verifier


@dataclass(frozen=True, repr=False, kw_only=True)
class CosineLength(Composable):
    """Score a verdict along half a cosine of the length: the cosine reward of Yeo et al.

    With `n` the length in tokens, `L` the limit and `cos(n) = ½(1 + cos(π·min(n/L, 1)))`, a correct
    completion scores `r_L + (r_0 − r_L)·cos(n)`, a wrong one the same with its own pair. One that
    reaches `n + margin ≥ L` scores `exceed`, right or wrong. Where the verdict is open (UNDECIDED,
    NO_REFERENCE) the score is None, at any length.

    Source: Yeo et al. 2025 (arXiv 2502.03373) eq. 1 and App. C.1. The margin and the ≥ are those
    of the authors' code; the paper says n = L. In their code `exceed=None` means 0.0; here it
    switches the rule off. As printed, the paper's `CosFn` takes its two values in the other order
    than its own definitions; ours are the definitions'.

    Args:
        max_length: The limit L, in tokens.
        correct: Score of a correct completion of length 0, and of length L: (r_0, r_L).
        wrong: The same for a wrong one.
        exceed: Score of a completion that reaches the limit; None for no such rule.
        margin_tokens: How far below the limit that rule begins.
        clamp: Whether lengths beyond L count as L. Without it the cosine turns back, and a correct
            completion of length 2L scores as if it were empty; for comparison with open-r1 only.
        length: How to count a completion without token ids: `"words"`, `"tokenizer:PATH"`, or a
            function of the text.
        verifier: What decides whether a completion is correct.

    Raises:
        ValueError: the limit is below 1, a score is NaN or infinite, the margin is as wide as the
            limit, or (when called) a sample has no token ids and there is no `length`.
        TypeError: a parameter has the wrong type.

    >>> from rlrewards import Sample
    >>> reward = CosineLength(max_length=100, exceed=None)
    >>> ids = range(50)
    >>> right, wrong = Sample("A: 4", "4", token_ids=ids), Sample("A: 5", "4", token_ids=ids)
    >>> [round(score, 6) for score in reward([right, wrong])]
    [1.5, -5.0]
    """

    max_length: int
    correct: tuple[float, float] = (2.0, 1.0)
    wrong: tuple[float, float] = (-10.0, 0.0)
    exceed: float | None = -10.0
    margin_tokens: int = 16
    clamp: bool = True
    length: str | Callable[[str], int] | None = None
    verifier: Verifier = field(default_factory=default_verifier)

    def __post_init__(self) -> None:
        require_whole(self, "max_length", 1)
        require_whole(self, "margin_tokens", 0)
        for name in ("correct", "wrong"):
            object.__setattr__(self, name, _pair(name, getattr(self, name)))
        require_bool(self, "clamp")
        require_method(self, "verifier", "verdicts")
        require_length(self, self.length)
        if self.exceed is None:
            return
        require_between(self, "exceed", -math.inf, math.inf)
        if self.margin_tokens >= self.max_length:
            raise ValueError(
                f"CosineLength: margin_tokens must be less than max_length ({self.max_length}), "
                f"got {self.margin_tokens}: every completion would score exceed={self.exceed}"
            )

    @classmethod
    def yeo(cls, *, max_length: int, **others: Any) -> CosineLength:
        """Return the reward with the values of Yeo et al.: 2 → 1, −10 → 0, and −10 at the limit.

        >>> CosineLength.yeo(max_length=100) == CosineLength(max_length=100)
        True
        """
        values: dict[str, Any] = {
            "correct": (2.0, 1.0),
            "wrong": (-10.0, 0.0),
            "exceed": -10.0,
        } | others
        return cls(max_length=max_length, **values)

    @classmethod
    def trl(cls, *, max_length: int, **others: Any) -> CosineLength:
        """Return the reward with TRL's values: 1 → 0.5, −1 → −0.5, and no rule at the limit.

        >>> CosineLength.trl(max_length=100).bounds
        (-1.0, 1.0)
        """
        values: dict[str, Any] = {
            "correct": (1.0, 0.5),
            "wrong": (-1.0, -0.5),
            "exceed": None,
        } | others
        return cls(max_length=max_length, **values)

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest score that the reward can give."""
        exceed = () if self.exceed is None else (self.exceed,)
        ends = (*self.correct, *self.wrong, *exceed)
        return min(ends), max(ends)

    def __call__(self, batch: Sequence[Sample], /) -> list[float | None]:
        """Return each completion's score, None where the verdict is open."""
        lengths = lengths_tokens(batch, self.length, "CosineLength")
        verdicts = map(correctness, self.verifier.verdicts(batch))
        return [self._score(correct, n) for correct, n in zip(verdicts, lengths, strict=True)]

    def _score(self, correct: bool | None, n: int) -> float | None:
        if correct is None:
            return None
        if self.exceed is not None and n + self.margin_tokens >= self.max_length:
            return float(self.exceed)
        empty, full = self.correct if correct else self.wrong
        share = n / self.max_length
        cosine = 0.5 * (1.0 + math.cos(math.pi * (min(share, 1.0) if self.clamp else share)))
        # full + (empty - full) may miss empty by a rounding
        return empty if cosine == 1.0 else full + (empty - full) * cosine


def _pair(name: str, value: Any) -> tuple[float, float]:
    expected = (
        f"CosineLength: {name} must be (score at length 0, score at max_length), got {value!r}"
    )
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise TypeError(expected)
    if any(isinstance(end, bool) or not isinstance(end, int | float) for end in value):
        raise TypeError(expected)
    if not all(map(math.isfinite, value)):
        raise ValueError(f"{expected}; both must be finite")
    return float(value[0]), float(value[1])
