"""Bootstrap intervals of a mean over questions.

Whole questions are drawn again, with all their samples, so that samples of a question that go
together do not pass for independent evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from rlrewards.metrics.checks import require_confidence, require_count
from rlrewards.metrics.intervals import Interval
from rlrewards.metrics.questions import read_questions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Rng: TypeAlias = int | np.random.Generator

RESAMPLES = 10_000
# How many draws are held in memory at once.
_DRAWS = 1 << 21


class BootstrapInterval(Protocol):
    """A way to make an interval of the mean over questions, such as `bca_interval`."""

    def __call__(
        self, values: Iterable[Any], *, confidence: float, resamples: int, rng: Rng
    ) -> Interval:
        """Return the interval."""
        ...


def percentile_interval(
    values: Iterable[Any],
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    rng: Rng = 0,
) -> Interval:
    """Return the percentile bootstrap interval of the mean over questions.

    With the mean `θ*` of each resample of Q questions out of Q, drawn with replacement::

        (quantile of θ* at (1 − confidence)/2, quantile at (1 + confidence)/2)

    Args:
        values: [Q], [Q, S] or Q groups; a question counts with the mean of its samples.
        confidence: Share of such intervals that hold the true mean, in (0, 1).
        resamples: How many resamples.
        rng: Seed, or generator.

    Raises:
        TypeError: a value is no number.
        ValueError: no values, one that is not finite, or a senseless confidence or resamples.

    Source: B. Efron, R. J. Tibshirani, An Introduction to the Bootstrap (1993), eq. 13.3. It is too
    narrow for few questions, by about √((Q−1)/Q), and has no width when all questions are alike.

    >>> low, high = percentile_interval([1, 0, 1, 1, 0, 1, 1, 1, 0, 1], rng=7)
    >>> print(f"{low:.1f} {high:.1f}")
    0.4 1.0
    """
    import numpy as np

    require_confidence(confidence)
    means = resampled_means(read_questions(values).means(), resamples, rng)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))


def bca_interval(
    values: Iterable[Any],
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    rng: Rng = 0,
) -> Interval:
    """Return the bias-corrected and accelerated (BCa) bootstrap interval of the mean.

    The percentile interval at other levels, which make up for a skewed distribution::

        z₀ = Φ⁻¹(share of θ* below θ)            α(z) = Φ(z₀ + (z₀ + z)/(1 − a·(z₀ + z)))
        a  = Σ(xᵢ − x̄)³ / (6·(Σ(xᵢ − x̄)²)^1.5)

    where a resample equal to θ counts half, and `a`, the jackknife's acceleration, has this closed
    form because θ is a mean.

    Args:
        values: [Q], [Q, S] or Q groups; a question counts with the mean of its samples.
        confidence: Share of such intervals that hold the true mean, in (0, 1).
        resamples: How many resamples.
        rng: Seed, or generator.

    Raises:
        TypeError: a value is no number.
        ValueError: no values, one that is not finite, or a senseless confidence or resamples.

    Source: Efron and Tibshirani (1993), eqs 14.9, 14.10, 14.14 and 14.15.

    >>> low, high = bca_interval([1, 0, 1, 1, 0, 1, 1, 1, 0, 1], rng=7)
    >>> print(f"{low:.1f} {high:.1f}")
    0.4 0.9
    """
    import numpy as np

    require_confidence(confidence)
    x = read_questions(values).means()
    means = resampled_means(x, resamples, rng)
    off = x - x.mean()
    squares = float(np.sum(off**2))
    if not squares > (1e-12 * float(np.abs(x).max())) ** 2:  # all alike, rounding aside
        return Interval(float(means.min()), float(means.max()))
    acceleration = float(np.sum(off**3)) / (6 * squares**1.5)
    bias = NormalDist().inv_cdf(_share_below(means, x))
    levels = [_level(bias, acceleration, (1 + sign * confidence) / 2) for sign in (-1, 1)]
    low, high = np.quantile(means, levels)
    return Interval(float(low), float(high))


def _share_below(means: NDArray[Any], x: NDArray[Any]) -> float:
    """Return the share of means below that of x, equal ones half, kept inside (0, 1)."""
    off = means - x.mean()
    alike = abs(off) <= tolerance(x)
    share = float(((off < 0) & ~alike).mean() + alike.mean() / 2)
    return min(max(share, 0.5 / len(means)), 1 - 0.5 / len(means))


def _level(bias: float, acceleration: float, level: float) -> float:
    normal = NormalDist()
    shifted = bias + normal.inv_cdf(level)
    scale = 1 - acceleration * shifted
    if scale <= 0:  # beyond the reach of the correction: at the end of the resamples
        return 1.0 if shifted > 0 else 0.0
    return normal.cdf(bias + shifted / scale)


def tolerance(x: NDArray[Any]) -> float:
    """Return below which difference two means of x are the same but for rounding."""
    return 1e-12 * float(abs(x).max())


def resampled_means(x: NDArray[Any], resamples: int, rng: Rng) -> NDArray[Any]:
    """Return the mean of each of B resamples of x [Q], drawn with replacement, [B].

    Raises:
        ValueError: not one resample.
    """
    import numpy as np

    require_count("resamples", resamples, 1)
    generator = np.random.default_rng(rng)
    distinct, counts = np.unique(x, return_counts=True)
    if 8 * len(distinct) <= len(x):  # how often each value is drawn, at once: the same distribution
        drawn = (
            generator.multinomial(len(x), counts / len(x), size=size) @ distinct
            for size in blocks(resamples, len(distinct))
        )
    else:
        drawn = (
            x[generator.integers(len(x), size=(size, len(x)))].sum(axis=1)
            for size in blocks(resamples, len(x))
        )
    means: NDArray[Any] = np.concatenate(list(drawn)) / len(x)
    return means


def blocks(count: int, width: int) -> Iterator[int]:
    """Cut a number of rows of some width into numbers that fit into memory together."""
    most = max(1, _DRAWS // width)
    while count > 0:
        yield min(count, most)
        count -= most
