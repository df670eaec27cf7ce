"""A mean over questions with its interval: accuracy, and length."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rlrewards.metrics.bootstrap import RESAMPLES, BootstrapInterval, bca_interval
from rlrewards.metrics.checks import require_confidence
from rlrewards.metrics.intervals import Interval, wilson_interval
from rlrewards.metrics.questions import read_questions, read_right

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rlrewards.metrics.bootstrap import Rng


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over questions.

    Attributes:
        value: The mean over the questions of each question's own value.
        interval: Confidence interval; None where the questions say nothing about it, since there
            is only one, or all are alike (and not all 0 or all 1).
        confidence: Its confidence.
        questions: Number of questions Q.
        samples: Number of samples of all questions.
        method: What made the interval.
    """

    value: float
    interval: Interval | None
    confidence: float
    questions: int
    samples: int
    method: str

    def __str__(self) -> str:
        interval = (
            "no interval"
            if self.interval is None
            else f"{100 * self.confidence:g} % interval {self.interval.low:.4g} to "
            f"{self.interval.high:.4g}, {self.method}"
        )
        counts = f"{self.questions:,} questions, {self.samples:,} samples"
        return f"{self.value:.4g} ({interval}; {counts})"


def accuracy(
    right: Iterable[Any],
    *,
    confidence: float = 0.95,
    interval: BootstrapInterval | None = None,
    resamples: int = RESAMPLES,
    rng: Rng = 0,
) -> Estimate:
    """Return the share of right samples, a mean over questions, with its interval.

    ::

        (1/Q) Σ_q (1/n_q) Σ_i right_qi

    With one sample a question the interval is Wilson's. With several it is the BCa bootstrap over
    whole questions, since samples of one question are right or wrong together; where all questions
    are wholly right, or wholly wrong, and a bootstrap sees no spread, it is Wilson's with the
    questions as trials.

    Args:
        right: True or False: [Q], [Q, S] or Q groups.
        confidence: Of the interval.
        interval: `bca_interval` or `percentile_interval`, in place of the choice above.
        resamples: Of the bootstrap.
        rng: Seed of the bootstrap, or generator.

    Raises:
        TypeError: a value is neither truth nor number, None say.
        ValueError: no values, a number beside 0 and 1, or a senseless confidence or resamples.

    >>> print(accuracy([True] * 18 + [False] * 2))
    0.9 (95 % interval 0.699 to 0.9721, wilson_interval; 20 questions, 20 samples)
    >>> accuracy([[1, 1], [1, 0], [0, 0], [1, 1]]).value
    0.625
    """
    questions = read_right(right)
    return estimate_share(
        questions.means(),
        int(questions.sizes.sum()),
        confidence=confidence,
        interval=interval,
        resamples=resamples,
        rng=rng,
    )


def mean_length(
    lengths: Iterable[Any],
    *,
    confidence: float = 0.95,
    interval: BootstrapInterval = bca_interval,
    resamples: int = RESAMPLES,
    rng: Rng = 0,
) -> Estimate:
    """Return the mean length over questions, with a bootstrap interval.

    The unit is that of the lengths: `len(ids) for ids in token_ids` gives tokens, `len(text) for
    text in completions` characters. One never stands for the other.

    Args:
        lengths: Not negative: [Q], [Q, S] or Q groups.
        confidence: Of the interval.
        interval: `bca_interval` or `percentile_interval`.
        resamples: Of the bootstrap.
        rng: Seed of the bootstrap, or generator.

    Raises:
        TypeError: a length is no number.
        ValueError: no lengths, a negative one, or a senseless confidence or resamples.

    >>> mean_length([[10, 20], [60, 60], [30, 30]]).value  # of 15, 60 and 30
    35.0
    """
    questions = read_questions(lengths, "lengths")
    if (questions.values < 0).any():
        raise ValueError(f"lengths must not be negative, got {questions.values.min():g}")
    return _bootstrapped(
        questions.means(),
        int(questions.sizes.sum()),
        confidence=confidence,
        interval=interval,
        resamples=resamples,
        rng=rng,
    )


def estimate_share(
    shares: NDArray[Any],
    samples: int,
    *,
    confidence: float,
    interval: BootstrapInterval | None,
    resamples: int,
    rng: Rng,
) -> Estimate:
    """Return the mean of a share, in [0, 1], of each question.

    Args:
        shares: [Q].
        samples: How many samples they were made of.
        confidence: Of the interval.
        interval: How the interval is made; None for Wilson's where there is one sample a question,
            else BCa.
        resamples: Of the bootstrap.
        rng: Seed of the bootstrap, or generator.
    """
    alike = shares.min() == shares.max()
    if (interval is None and samples == len(shares)) or (alike and shares[0] in (0, 1)):
        count = len(shares)
        return Estimate(
            float(shares.mean()),
            wilson_interval(round(float(shares.sum())), count, confidence),
            confidence,
            count,
            samples,
            wilson_interval.__name__,
        )
    return _bootstrapped(
        shares,
        samples,
        confidence=confidence,
        interval=interval or bca_interval,
        resamples=resamples,
        rng=rng,
    )


def _bootstrapped(
    values: NDArray[Any],
    samples: int,
    *,
    confidence: float,
    interval: BootstrapInterval,
    resamples: int,
    rng: Rng,
) -> Estimate:
    require_confidence(confidence)
    alike = values.min() == values.max()
    found = None if alike else interval(values, confidence=confidence, resamples=resamples, rng=rng)
    method = getattr(interval, "__name__", repr(interval))
    return Estimate(float(values.mean()), found, confidence, len(values), samples, method)
