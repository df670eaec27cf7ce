"""Penalties for saying the same thing again, for the whole text or for each token.

An n-gram is a run of n units: words, lower-cased and separated by white space, or token ids. The
two differ: "A a a a" repeats itself by words and not by the ids of its tokens, so the unit is the
caller's choice.

Equality is exact and needs no Python loop over the text. The units become whole numbers; as many
as fit are packed into one 64-bit number, so that n-grams are equal when their numbers are; where n
is too large for that, numbers of half the width are ranked and joined in pairs, which reaches
width n in log₂ n sorts.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from rlrewards.core import Sample
from rlrewards.parameters import require_between, require_whole
from rlrewards.stack import Composable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray: TypeAlias = NDArray[np.float64]
    IntArray: TypeAlias = NDArray[np.int64]
    BoolArray: TypeAlias = NDArray[np.bool_]

Unit = Literal["words", "tokens"]
_LARGEST = 2**63 - 1


@dataclass(frozen=True, repr=False, kw_only=True)
class RepetitionPenalty(Composable):
    """Punish a completion by the share of its n-grams that are repetitions.

    With `ρ = 1 − unique / total` over all n-grams: `max_penalty · max(0, ρ − t) / (1 − t)`, where t
    is the threshold; 0 for fewer than n units.

    Source: the scalar form of Yeo et al.'s repository (words), of open-r1 and of Gazal-R1
    (arXiv 2506.21594) §4.4.3 (3-grams of words). TRL's `get_repetition_penalty_reward` is
    `unit="tokens"`. It is not in App. C.2 of the paper by Yeo et al.: that is `DenseRepetition`.
    For n ≤ 3 a text said twice is never less repetitive than the text said once; for n ≥ 4 it can
    be.

    Args:
        n: Units in an n-gram.
        max_penalty: The score as ρ approaches 1, zero or below.
        unit: `"words"`, or `"tokens"` for the sample's token ids.
        threshold: Share of repetitions that goes unpunished, from 0 to below 1.

    Raises:
        ValueError: n is below 1, the penalty is positive, the threshold is not in [0, 1), the unit
            is unknown, or (when called) the unit is tokens and a sample has no token ids.
        TypeError: a parameter has the wrong type.

    >>> RepetitionPenalty()([Sample("a b c a b c"), Sample("a b c d e f"), Sample("a b")])
    [-0.25, 0.0, 0.0]
    """

    n: int = 3
    max_penalty: float = -1.0
    unit: Unit = "words"
    threshold: float = 0.0

    def __post_init__(self) -> None:
        require_whole(self, "n", 1)
        require_between(self, "max_penalty", -math.inf, 0.0)
        require_between(self, "threshold", 0.0, 1.0)
        if self.threshold == 1:
            raise ValueError(
                "RepetitionPenalty: threshold must be below 1, got 1: nothing reaches it"
            )
        if self.unit not in get_args(Unit):
            raise ValueError(
                f"RepetitionPenalty: unit={self.unit!r}; allowed: {', '.join(get_args(Unit))}"
            )

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest score that the reward can give."""
        return float(self.max_penalty), 0.0

    def __call__(self, batch: Sequence[Sample], /) -> list[float | None]:
        """Return each completion's penalty, 0 where nothing is said twice."""
        return [self._score(sample, index) for index, sample in enumerate(batch)]

    def _score(self, sample: Sample, index: int) -> float:
        if self.unit == "words":
            units = _word_numbers(sample.completion)
        else:
            units = _token_numbers(_token_ids(sample, index, "RepetitionPenalty(unit='tokens')"))
        excess = _repeated_share(units, self.n) - self.threshold
        return self.max_penalty * max(0.0, excess / (1.0 - self.threshold)) or 0.0  # never -0.0


@dataclass(frozen=True, repr=False, kw_only=True)
class DenseRepetition(Composable):
    """Punish each token that stands inside a repeated n-gram: see `dense_repetition`.

    `dense` gives the stream of each completion, with `gamma` its own discount beside the outcome's
    γ = 1. Called as a reward it gives the sum of the stream, which is its undiscounted return and
    grows with the length: `penalty` times the number of punished tokens.

    Source: Yeo et al. 2025 (arXiv 2502.03373) App. C.2, with the values of their runs.

    Args:
        n: Tokens in an n-gram.
        penalty: Score of a token inside a repeated n-gram, zero or below.
        gamma: Discount γ of the stream, from 0 to 1.

    Raises:
        ValueError: n is below 1, the penalty is positive, γ is not in [0, 1], or (when called) a
            sample has no token ids.
        TypeError: a parameter has the wrong type.

    >>> reward = DenseRepetition(n=2, penalty=-0.5)
    >>> sample = Sample("", token_ids=[7, 8, 9, 7, 8])
    >>> reward([sample]), reward.dense([sample])[0].tolist()
    ([-1.0], [0.0, 0.0, 0.0, -0.5, -0.5])
    """

    n: int = 40
    penalty: float = -0.05
    gamma: float = 0.99

    def __post_init__(self) -> None:
        require_whole(self, "n", 1)
        require_between(self, "penalty", -math.inf, 0.0)
        require_between(self, "gamma", 0.0, 1.0)

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest score: there is no lowest, the sum grows with the length."""
        return (-math.inf if self.penalty else 0.0), 0.0

    def __call__(self, batch: Sequence[Sample], /) -> list[float | None]:
        """Return the sum of each completion's stream."""
        return [
            float(self.penalty * int(repeated.sum())) or 0.0  # `or` turns -0.0 into 0.0
            for repeated in self._repeated(batch)
        ]

    def dense(self, batch: Sequence[Sample], /) -> list[FloatArray | None]:
        """Return each completion's stream, float64 `[n_tokens]`."""
        return [_stream(repeated, self.penalty) for repeated in self._repeated(batch)]

    def _repeated(self, batch: Sequence[Sample]) -> Iterator[BoolArray]:
        """Return which tokens of each completion are punished, worked out once for a sample."""
        for index, sample in enumerate(batch):
            ids = _token_ids(sample, index, "DenseRepetition")
            yield sample.recall(("repeated tokens", self.n), partial(self._repeated_ids, ids))

    def _repeated_ids(self, token_ids: Sequence[int], _: Sample) -> BoolArray:
        return _repeated_units(_token_numbers(token_ids), self.n)


def dense_repetition(token_ids: Sequence[int], n: int = 40, penalty: float = -0.05) -> FloatArray:
    """Return the penalty of each token: `penalty` inside an n-gram that was seen before, else 0.

    The n-grams are read from left to right; where one has stood before, overlaps included, all of
    its n tokens get the penalty. It is set, not added up: a token inside several repeated n-grams
    is punished once. With fewer than n tokens all are 0.

    Source: Yeo et al. 2025 (arXiv 2502.03373) App. C.2, Algorithm 1.

    Args:
        token_ids: Token ids of the completion.
        n: Tokens in an n-gram, 1 or more.
        penalty: Score of a punished token.

    Returns:
        float64 `[n_tokens]`.

    Raises:
        ValueError: n is below 1, or the penalty is positive, NaN or infinite.
        TypeError: the ids are not whole numbers of at most 64 bits.

    >>> dense_repetition([1, 2, 3, 1, 2, 3], n=3, penalty=-0.5).tolist()
    [0.0, 0.0, 0.0, -0.5, -0.5, -0.5]
    """
    DenseRepetition(n=n, penalty=penalty)
    return _stream(_repeated_units(_token_numbers(token_ids), n), penalty)


def _stream(repeated: BoolArray, penalty: float) -> FloatArray:
    import numpy as np

    return np.where(repeated, float(penalty) or 0.0, 0.0)


# ---------------------------------------------------------------------------------------------
# n-grams


def _repeated_share(units: IntArray, n: int) -> float:
    """Return `1 − unique / total` over the n-grams, 0 where there are none."""
    import numpy as np

    total = len(units) - n + 1
    if total <= 0:
        return 0.0
    ordered = _ngram_numbers(units, n)
    ordered.sort()
    return int(np.count_nonzero(ordered[1:] == ordered[:-1])) / total


def _repeated_units(units: IntArray, n: int) -> BoolArray:
    """Return which units stand inside an n-gram that was seen before, bool `[n_units]`."""
    import numpy as np

    total = len(units) - n + 1
    if total <= 0:
        return np.zeros(len(units), dtype=np.bool_)
    ranks = _ranks(_ngram_numbers(units, n))
    first = np.empty(total, dtype=np.int64)
    first[ranks[::-1]] = np.arange(total)[::-1]  # of several, the last write stays
    seen = first[ranks] < np.arange(total)
    depth = np.zeros(len(units) + 1, dtype=np.int64)
    depth[:total] += seen
    depth[n:] -= seen
    return np.cumsum(depth)[:-1] > 0


def _ngram_numbers(units: IntArray, n: int) -> IntArray:
    """Return one number for each n-gram, equal where the n-grams are, int64 `[n_units − n + 1]`."""
    low, high = int(units.min()), int(units.max())
    units = units - low  # may wrap around, which keeps different ids different
    span = high - low + 1
    numbers, size, width = units, span, 1
    while width < n and size * span <= _LARGEST:
        numbers = numbers[:-1] * span
        numbers += units[width:]
        size, width = size * span, width + 1
    while width < n:
        step = min(width, n - width)
        ranks = _ranks(numbers)
        numbers = ranks[:-step] * len(ranks)
        numbers += ranks[step:]
        width += step
    return numbers


def _ranks(numbers: IntArray) -> IntArray:
    """Return numbers from 0 up, equal where the given ones are."""
    order, ordered = _sorted(numbers)
    return _by_class(order, ordered[1:] != ordered[:-1])


def _sorted(numbers: IntArray) -> tuple[IntArray, IntArray]:
    """Return the order that sorts the numbers, and the numbers in it."""
    import numpy as np

    bits = len(numbers).bit_length()
    if numbers.min() < 0 or int(numbers.max()) > _LARGEST >> bits:
        order = np.argsort(numbers)
        return order, numbers[order]
    packed = numbers << bits  # three times as fast
    packed |= np.arange(len(numbers))
    packed.sort()
    order = packed & (1 << bits) - 1
    packed >>= bits
    return order, packed


def _by_class(order: IntArray, new: BoolArray) -> IntArray:
    """Return the number of each item's class, given a sorting order and where classes begin."""
    import numpy as np

    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order[:1]] = 0
    ranks[order[1:]] = np.cumsum(new)
    return ranks


# ---------------------------------------------------------------------------------------------
# Units as numbers


def _token_ids(sample: Sample, index: int, owner: str) -> Sequence[int]:
    if sample.token_ids is None:
        raise ValueError(
            f"{owner} compares tokens, and sample {index} of the batch has no token_ids; give the "
            "samples token_ids, or use RepetitionPenalty(unit='words')"
        )
    return sample.token_ids


def _token_numbers(token_ids: Sequence[int]) -> IntArray:
    import numpy as np

    try:
        if isinstance(token_ids, list | tuple):  # three times as fast as np.array
            return np.frombuffer(struct.pack(f"{len(token_ids)}q", *token_ids), dtype=np.int64)
        if not len(token_ids):  # an empty array may have any type
            return np.empty(0, dtype=np.int64)
        return np.asarray(token_ids).astype(np.int64, casting="same_kind")
    except (struct.error, TypeError, OverflowError) as error:
        raise TypeError(f"token_ids must be whole numbers of at most 64 bits: {error}") from None


def _word_numbers(text: str) -> IntArray:
    """Return one number for each lower-cased word, equal where the words are."""
    text = text.lower()
    numbers = _numbers_of_bytes(text) if len(text) >= _LONG_TEXT else None
    return _numbered(text.split()) if numbers is None else numbers


def _numbered(words: Sequence[str | bytes]) -> IntArray:
    import numpy as np

    distinct = set(words)
    number = dict(zip(distinct, range(len(distinct)), strict=True))
    packed = struct.pack(f"{len(words)}q", *map(number.__getitem__, words))
    return np.frombuffer(packed, dtype=np.int64)


def _numbers_of_bytes(text: str) -> IntArray | None:
    """Do as `_numbered(text.split())` without making the words: twice as fast on long texts.

    A word is its first eight bytes and its next seven with its length, as two numbers; the few that
    are longer than fifteen bytes are numbered the plain way. The two are mixed into one to be
    sorted by, and words that are equal there are compared in full: None if two different words
    mix to the same. Most operations work in place, since fresh memory takes more time than they.
    """
    import numpy as np

    plain = text if text.isascii() else " ".join(text.split())  # no white space beyond ASCII
    data = f" {plain} {_PADDING}".encode("utf-8", "surrogatepass")
    in_word = np.frombuffer(data.translate(_IN_WORD), np.bool_, len(data) - len(_PADDING))
    edges = np.flatnonzero(in_word[1:] != in_word[:-1])
    if not len(edges):
        return np.empty(0, dtype=np.int64)
    edges += 1
    starts, ends = edges[::2], edges[1::2]
    lengths = np.minimum(ends - starts, 16).astype(np.uint8)
    eight = np.ndarray(len(data) - 7, dtype="<u8", buffer=data, strides=(1,))
    low = eight[starts]
    low &= np.array([2 ** (8 * min(n, 8)) - 1 for n in range(17)], dtype=np.uint64)[lengths]
    high = eight[starts + 8]
    high &= np.array([2 ** (8 * max(n - 8, 0)) - 1 for n in range(17)], dtype=np.uint64)[lengths]
    high |= np.array([n << 56 for n in range(17)], dtype=np.uint64)[lengths]
    long = np.flatnonzero(lengths > 15)
    spans = zip(starts[long].tolist(), ends[long].tolist(), strict=True)
    low[long] = _numbered([data[start:end] for start, end in spans]).astype(np.uint64)
    high[long] = 16 << 56
    mixed = low >> np.uint64(32)
    mixed ^= low
    mixed *= np.uint64(_MIX[0])
    mixed ^= mixed >> np.uint64(29)
    mixed ^= high
    mixed ^= high >> np.uint64(32)
    mixed *= np.uint64(_MIX[1])
    mixed >>= np.uint64(1 + len(mixed).bit_length())  # leaves room to sort quickly
    order, ordered = _sorted(mixed.view(np.int64))
    low, high = low[order], high[order]
    new = low[1:] != low[:-1]
    new |= high[1:] != high[:-1]
    return None if np.any(new & (ordered[1:] == ordered[:-1])) else _by_class(order, new)


_LONG_TEXT = 4096
_PADDING = "\0" * 16  # so that sixteen bytes follow the start of every word
# 1 for each byte but the white space of ASCII
_IN_WORD = bytes(not (byte < 128 and chr(byte).isspace()) for byte in range(256))
_MIX = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)
