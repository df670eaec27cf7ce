"""Confidence intervals, and Wilson's for a proportion."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

from rlrewards.metrics.checks import require_confidence, require_successes


class Interval(NamedTuple):
    """A confidence interval; that of a proportion lies in [0, 1]."""

    low: float
    high: float


def wilson_interval(successes: int, total: int, confidence: float = 0.95) -> Interval:
    """Return Wilson's score interval of a proportion.

    With `p = successes/total` and `z` the normal quantile of `(1 + confidence)/2`::

        (p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n)

    Unlike `p ± z·√(p(1−p)/n)` it stays inside [0, 1], has no zero width at 0 or n successes, and
    holds its confidence for small n. The trials must be independent: several samples of one
    question are not, see `accuracy`.

    Args:
        successes: Number of successes.
        total: Number n of independent trials.
        confidence: Share of such intervals that hold the true proportion, in (0, 1).

    Raises:
        TypeError: a count is no whole number.
        ValueError: no trial, not `0 <= successes <= total`, or a confidence outside (0, 1).

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference,
    Journal of the American Statistical Association 22 (1927), 209–212.

    >>> low, high = wilson_interval(18, 20)
    >>> print(f"{low:.4f} {high:.4f}")
    0.6990 0.9721
    """
    successes, total = require_successes(successes, total)
    z = NormalDist().inv_cdf((1 + require_confidence(confidence)) / 2)
    share = successes / total
    centre = share + z**2 / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    scale = 1 + z**2 / total
    low = 0.0 if successes == 0 else (centre - spread) / scale
    high = 1.0 if successes == total else (centre + spread) / scale
    return Interval(low, high)
