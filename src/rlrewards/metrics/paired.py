"""Two models on the same questions: is one better, or only luckier?

Questions differ far more than models do, so the two are compared question by question. With one
sample a question that is right or wrong, `mcnemar`; with several samples, or scores of any kind,
`paired_difference`. Published counts without the answers behind them are for `two_proportions`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from rlrewards.metrics.bootstrap import (
    RESAMPLES,
    BootstrapInterval,
    bca_interval,
    blocks,
    resampled_means,
    tolerance,
)
from rlrewards.metrics.checks import require_confidence, require_count
from rlrewards.metrics.intervals import Interval
from rlrewards.metrics.questions import read_questions, read_right

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rlrewards.metrics.bootstrap import Rng


class McNemar(NamedTuple):
    """Who is right where, and McNemar's test of whether the two are right equally often.

    Attributes:
        both: Questions that both have right.
        first_only: Those that only the first has right.
        second_only: Those that only the second has right.
        neither: Those that none has right.
        difference: Accuracy of the first minus that of the second.
        p_exact: Two-sided p of the exact conditional test; it is never too small.
        p_mid: Its mid-p, close to its nominal level, where the exact test is rather too careful.
    """

    both: int
    first_only: int
    second_only: int
    neither: int
    difference: float
    p_exact: float
    p_mid: float


class PairedDifference(NamedTuple):
    """How much better the first model is than the second, on the same questions.

    Attributes:
        difference: Mean over the questions of what the first has more than the second.
        interval: Its bootstrap interval; None where every question says the same.
        p_bootstrap: Two-sided bootstrap p of no difference.
        p_sign_flip: Two-sided p of the sign-flip (paired permutation) test.
        first: Mean of the first model.
        second: Mean of the second.
        questions: Number of questions Q.
        confidence: Of the interval.
    """

    difference: float
    interval: Interval | None
    p_bootstrap: float
    p_sign_flip: float
    first: float
    second: float
    questions: int
    confidence: float


def mcnemar(first: Iterable[Any], second: Iterable[Any]) -> McNemar:
    """Return McNemar's test of two models on the same Q questions, one sample each.

    Args:
        first: [Q], True where the first model is right.
        second: [Q], the same of the second.

    Raises:
        TypeError: a value is neither truth nor number.
        ValueError: other numbers of questions, several samples of one (see `paired_difference`), a
            number beside 0 and 1, or no questions.

    >>> first = [1] * 9 + [0] * 1 + [1] * 5 + [0] * 5
    >>> second = [0] * 9 + [1] * 1 + [1] * 5 + [0] * 5
    >>> found = mcnemar(first, second)
    >>> found.first_only, found.second_only, found.difference
    (9, 1, 0.4)
    >>> print(f"{found.p_exact:.4f} {found.p_mid:.4f}")  # 22/1024, 12/1024
    0.0215 0.0117
    """
    a, b = read_right(first), read_right(second)
    if not (a.single and b.single):
        raise ValueError("mcnemar takes one sample a question; several are for paired_difference")
    _require_pairs(len(a.sizes), len(b.sizes))
    x, y = a.values == 1, b.values == 1
    return mcnemar_counts(*(int(cell.sum()) for cell in (x & y, x & ~y, ~x & y, ~x & ~y)))


def mcnemar_counts(both: int, first_only: int, second_only: int, neither: int) -> McNemar:
    """Return McNemar's test of a table of counts.

    Given the m = b + c questions that only one has right, b is binomial (m, ½) where the two are
    equally good. With f its probabilities and d = min(b, c)::

        p_exact = min(1, 2·Σ_{x≤d} f(x))
        p_mid   = 2·Σ_{x<d} f(x) + f(d)        and 1 − f(d)/2 where b = c

    Both are 1 where m = 0.

    Args:
        both: Questions that both have right.
        first_only: b, those that only the first has right.
        second_only: c, those that only the second has right.
        neither: Those that none has right.

    Raises:
        TypeError: a count is no whole number.
        ValueError: a count is negative, or all are 0.

    Source: Q. McNemar, Psychometrika 12 (1947), 153–157; exact test and mid-p as in M. W.
    Fagerland, S. Lydersen, P. Laake, BMC Medical Research Methodology 13:91 (2013).
    """
    names = ("both", "first_only", "second_only", "neither")
    cells = [
        require_count(name, value)
        for name, value in zip(names, (both, first_only, second_only, neither), strict=True)
    ]
    if not sum(cells):
        raise ValueError("all counts are 0; at least one question is needed")
    both, b, c, neither = cells
    below, at = _half_binomial(b + c, min(b, c))
    exact = min(1.0, 2 * (below + at))
    mid = 2 * below + at if b != c else 1 - at / 2 if b + c else 1.0
    return McNemar(both, b, c, neither, (b - c) / sum(cells), exact, mid)


def _half_binomial(size: int, at: int) -> tuple[float, float]:
    """Return P(X < at) and P(X = at) of a binomial (size, ½), for at ≤ size/2."""
    point = term = math.exp(
        math.lgamma(size + 1)
        - math.lgamma(at + 1)
        - math.lgamma(size - at + 1)
        - size * math.log(2)
    )
    below = []
    for x in range(at, 0, -1):  # f(x − 1) = f(x)·x/(size − x + 1), which falls
        term *= x / (size - x + 1)
        if term < 1e-18 * point:
            break
        below.append(term)
    return math.fsum(below), point


def paired_difference(
    first: Iterable[Any],
    second: Iterable[Any],
    *,
    confidence: float = 0.95,
    interval: BootstrapInterval = bca_interval,
    resamples: int = RESAMPLES,
    rng: Rng = 0,
) -> PairedDifference:
    """Return the mean difference of two models on the same questions, and whether it is chance.

    ::

        d_q = mean of the first's samples of q − mean of the second's      difference = Σ_q d_q / Q

    The questions are drawn again as wholes, with the samples of both models. With B resamples, d̄*
    the mean of one and s random signs::

        p_bootstrap = (1 + #{|d̄* − d̄| ≥ |d̄|}) / (B + 1)
        p_sign_flip = (1 + #{|Σ s_q d_q| ≥ |Σ d_q|}) / (B + 1)

    The sign flips hold their level for any number of questions, where the models are exchangeable;
    with one sample of each they are McNemar's exact test, drawn instead of summed. The bootstrap's
    p asks only for equal means, and holds for many questions.

    Args:
        first: The first model's numbers, such as right or wrong: [Q], [Q, S] or Q groups.
        second: The second's, on the same questions in the same order; it may have other numbers of
            samples.
        confidence: Of the interval.
        interval: `bca_interval` or `percentile_interval`.
        resamples: B.
        rng: Seed, or generator.

    Raises:
        TypeError: a value is no number.
        ValueError: other numbers of questions, no values, one that is not finite, or a senseless
            confidence or resamples.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), §16.4 (bootstrap after
    moving the mean to 0) and ch. 15 (permutations).

    >>> first, second = [[1, 1], [1, 0], [0, 0], [1, 1]], [[1, 0], [0, 0], [0, 0], [1, 1]]
    >>> found = paired_difference(first, second)
    >>> found.difference, found.first, found.second
    (0.25, 0.625, 0.375)
    >>> found.p_sign_flip > 0.4  # two questions differ: half of their flips go as far
    True
    """
    require_confidence(confidence)
    require_count("resamples", resamples, 1)
    a, b = read_questions(first, "first").means(), read_questions(second, "second").means()
    _require_pairs(len(a), len(b))
    d = a - b
    rounding = tolerance(d)
    spread = float(d.max() - d.min())
    found = None
    if spread > rounding:
        found = interval(d, confidence=confidence, resamples=resamples, rng=rng)
    far = abs(d.mean()) - rounding
    shifted = abs(resampled_means(d, resamples, rng) - d.mean()) >= far
    flipped = abs(_sign_flipped_means(d, resamples, rng)) >= far
    return PairedDifference(
        difference=float(d.mean()),
        interval=found,
        p_bootstrap=(1 + int(shifted.sum())) / (resamples + 1),
        p_sign_flip=(1 + int(flipped.sum())) / (resamples + 1),
        first=float(a.mean()),
        second=float(b.mean()),
        questions=len(d),
        confidence=confidence,
    )


def _sign_flipped_means(d: NDArray[Any], resamples: int, rng: Rng) -> NDArray[Any]:
    """Return the mean of d under random signs, [B]."""
    import numpy as np

    generator = np.random.default_rng(rng)
    moved = d[d != 0]
    if not len(moved):
        return np.zeros(resamples)
    drawn = [
        generator.choice((-1.0, 1.0), size=(size, len(moved))) @ moved
        for size in blocks(resamples, len(moved))
    ]
    return np.concatenate(drawn) / len(d)


def _require_pairs(first: int, second: int) -> None:
    if first != second:
        raise ValueError(
            f"the first has {first} questions and the second {second}; give the same questions in "
            "the same order"
        )
