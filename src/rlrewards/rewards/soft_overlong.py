"""A penalty that grows over the last stretch before the length limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rlrewards.core import Sample
from rlrewards.parameters import require_whole
from rlrewards.rewards.lengths import lengths_tokens, require_length
from rlrewards.stack import Composable


@dataclass(frozen=True, repr=False, kw_only=True)
class SoftOverlong(Composable):
    """Punish completions that come near the length limit: DAPO's soft overlong punishment.

    With `n` the length in tokens, `L` the limit and `c` the buffer:
    `0` for `n ≤ L − c`, `((L − c) − n) / c` up to `L`, `−1` beyond `L`.
    With `buffer=0` it is a step: 0 up to `L`, −1 beyond.

    Source: DAPO (arXiv 2503.14476) eq. 13, where it is added to a correctness reward of ±1 (eq. 7)
    with L 20,480 and c 4,096. Gazal-R1 tried `max_length : buffer` of 4 : 1 and 2 : 1.

    Args:
        max_length: The limit L, in tokens.
        buffer: Width c of the slope below the limit, in tokens.
        length: How to count a completion without token ids: `"words"`, `"tokenizer:PATH"`, or a
            function of the text.

    Raises:
        ValueError: the limit is below 1, the buffer is negative or wider than the limit, or (when
            called) a sample has no token ids and there is no `length`.

    >>> reward = SoftOverlong(max_length=100, buffer=20)
    >>> reward([Sample("", token_ids=range(n)) for n in (80, 85, 100, 200)])
    [0.0, -0.25, -1.0, -1.0]
    """

    max_length: int
    buffer: int
    length: str | Callable[[str], int] | None = None

    def __post_init__(self) -> None:
        require_whole(self, "max_length", 1)
        require_whole(self, "buffer", 0)
        if self.buffer > self.max_length:
            raise ValueError(
                f"SoftOverlong: buffer must be at most max_length ({self.max_length}), "
                f"got {self.buffer}: it would punish completions of any length"
            )
        require_length(self, self.length)

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest score that the reward can give."""
        return -1.0, 0.0

    def __call__(self, batch: Sequence[Sample], /) -> list[float | None]:
        """Return 0 for a completion of fair length, down to −1 at the limit."""
        return [self._score(n) for n in lengths_tokens(batch, self.length, "SoftOverlong")]

    def _score(self, n: int) -> float:
        over = n - (self.max_length - self.buffer)
        if over <= 0:
            return 0.0
        return -1.0 if over >= self.buffer else -over / self.buffer
