"""Two published accuracies, with nothing known but the counts."""

from __future__ import annotations

import math
from typing import NamedTuple

from rlrewards.metrics.checks import require_successes
from rlrewards.metrics.intervals import Interval, wilson_interval


class TwoProportions(NamedTuple):
    """Two independent proportions, compared.

    Attributes:
        difference: The first minus the second.
        interval: Newcombe's interval of the difference.
        z: The pooled test's statistic.
        p_value: Its two-sided p.
        p_fisher: Two-sided p of Fisher's exact test, for small counts.
    """

    difference: float
    interval: Interval
    z: float
    p_value: float
    p_fisher: float


def two_proportions(
    first_successes: int,
    first_total: int,
    second_successes: int,
    second_total: int,
    *,
    confidence: float = 0.95,
) -> TwoProportions:
    """Return the test of two independent proportions, `p₁ = x₁/n₁` and `p₂ = x₂/n₂`.

    With the pooled `p = (x₁ + x₂)/(n₁ + n₂)` and Wilson's intervals `(l, u)` of each::

        z = (p₁ − p₂) / √(p(1 − p)(1/n₁ + 1/n₂))         0 where p is 0 or 1
        interval = d − √((p₁ − l₁)² + (u₂ − p₂)²)  to  d + √((u₁ − p₁)² + (p₂ − l₂)²)

    Fisher's p adds up the tables with the same margins that are at most as likely as this one.

    All this takes the samples for independent of each other. Two models on the same questions are
    compared more sharply in pairs (`mcnemar`, `paired_difference`), and several samples of a
    question count for less than as many questions.

    Args:
        first_successes: x₁.
        first_total: n₁.
        second_successes: x₂.
        second_total: n₂.
        confidence: Of the interval.

    Raises:
        TypeError: a count is no whole number.
        ValueError: no trial, not `0 <= x <= n`, or a confidence outside (0, 1).

    Source: the interval is method 10 of R. G. Newcombe, Interval estimation for the difference
    between independent proportions, Statistics in Medicine 17 (1998), 873–890.

    >>> found = two_proportions(185, 400, 199, 400)  # 46.3 % and 49.8 %
    >>> print(f"{found.difference:.3f} [{found.interval.low:.3f}, {found.interval.high:.3f}]")
    -0.035 [-0.104, 0.034]
    >>> print(f"p = {found.p_value:.2f}")
    p = 0.32
    """
    x1, n1 = require_successes(first_successes, first_total)
    x2, n2 = require_successes(second_successes, second_total)
    p1, p2, p = x1 / n1, x2 / n2, (x1 + x2) / (n1 + n2)
    one, two = wilson_interval(x1, n1, confidence), wilson_interval(x2, n2, confidence)
    spread = math.sqrt(p * (1 - p) * (1 / n1 + 1 / n2))
    z = (p1 - p2) / spread if 0 < x1 + x2 < n1 + n2 else 0.0
    return TwoProportions(
        difference=p1 - p2,
        interval=Interval(
            p1 - p2 - math.hypot(p1 - one.low, two.high - p2),
            p1 - p2 + math.hypot(one.high - p1, p2 - two.low),
        ),
        z=z,
        p_value=math.erfc(abs(z) / math.sqrt(2)),
        p_fisher=_fisher(x1, n1, x2, n2),
    )


def _fisher(x1: int, n1: int, x2: int, n2: int) -> float:
    successes = x1 + x2
    tables = range(max(0, successes - n2), min(n1, successes) + 1)
    logs = [_log_choose(n1, x) + _log_choose(n2, successes - x) for x in tables]
    top, own = max(logs), logs[x1 - tables.start]
    # Tables as likely as this one but for rounding are as likely.
    as_rare = math.fsum(math.exp(log - top) for log in logs if log <= own + 1e-7)
    return min(1.0, as_rare / math.fsum(math.exp(log - top) for log in logs))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
