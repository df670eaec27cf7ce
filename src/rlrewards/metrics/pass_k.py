"""pass@k: how likely one of k samples is right."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rlrewards.metrics.bootstrap import RESAMPLES, BootstrapInterval
from rlrewards.metrics.checks import whole_numbers
from rlrewards.metrics.estimates import Estimate, estimate_share
from rlrewards.metrics.questions import powers_of_two, read_right

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rlrewards.metrics.bootstrap import Rng

# exp(−40) is less than half an ulp of 1.
_CERTAIN = 40.0


def pass_at_k(samples: Any, correct: Any, k: Any) -> Any:
    """Return the unbiased estimate of pass@k from n samples of which c are correct.

    ::

        1 − C(n − c, k) / C(n, k)

    It is the share of the subsets of k samples that hold a correct one. (The estimate `1 − (1 −
    c/n)^k` is biased, and the share of prefixes of k samples depends on their order.)

    Args:
        samples: Number n of samples of each question: a number or an array.
        correct: Number c of correct ones: a number or an array that fits.
        k: A number, or several [K].

    Returns:
        A float where all are numbers; else an array of the questions' shape, with an axis [K] at
        the end where k has one. Relative error about 1e-14, also for n of a million.

    Raises:
        TypeError: something is no whole number.
        ValueError: not `1 <= k <= n` or not `0 <= c <= n`. For k > n there is no unbiased estimate:
            draw more samples, or ask for a smaller k.

    Source: Chen et al., Evaluating Large Language Models Trained on Code, arXiv 2107.03374, eq. 1.

    >>> pass_at_k(5, 2, 3)  # 1 − C(3, 3)/C(5, 3)
    0.9
    >>> pass_at_k(4, [0, 1, 4], [1, 2])
    array([[0.  , 0.  ],
           [0.25, 0.5 ],
           [1.  , 1.  ]])
    """
    import numpy as np

    n, c = np.broadcast_arrays(whole_numbers("samples", samples), whole_numbers("correct", correct))
    ks = whole_numbers("k", k)
    if ks.ndim > 1:
        raise ValueError(f"k must be a number or a list of numbers, got {k!r}")
    _require_counts(n, c, ks)
    shape = n.shape + ks.shape
    if ks.ndim:
        n, c = n[..., None], c[..., None]
    triples = np.stack([part.ravel() for part in np.broadcast_arrays(n, c, ks)], axis=1)
    distinct, where = np.unique(triples, axis=0, return_inverse=True)
    values = np.array([_pass_at_k(*map(int, triple)) for triple in distinct])
    found = values[where.ravel()].reshape(shape) if len(distinct) else np.empty(shape)
    return found if shape else float(found)


def mean_pass_at_k(
    right: Iterable[Any],
    k: Iterable[int] | int | None = None,
    *,
    confidence: float = 0.95,
    interval: BootstrapInterval | None = None,
    resamples: int = RESAMPLES,
    rng: Rng = 0,
) -> dict[int, Estimate]:
    """Return pass@k of a benchmark, for each k: the mean of the questions' unbiased estimates.

    The interval is made as that of `accuracy`. With a seed, all k see the same resamples.

    Args:
        right: True or False: [Q, S], Q groups, or [Q] for one sample a question.
        k: One or several; 1, 2, 4, … and n by default, n being the fewest samples of a question.
        confidence: Of the interval.
        interval: `bca_interval` or `percentile_interval`, in place of the usual choice.
        resamples: Of the bootstrap.
        rng: Seed of the bootstrap, or generator.

    Raises:
        TypeError: a value is neither truth nor number, or a k no whole number.
        ValueError: no values, a number beside 0 and 1, a k below 1 or above the samples of some
            question, or a senseless confidence or resamples.

    Source: as `pass_at_k`.

    >>> found = mean_pass_at_k([[1, 0, 0, 0], [0, 0, 1, 1]])
    >>> {k: round(estimate.value, 4) for k, estimate in found.items()}
    {1: 0.375, 2: 0.6667, 4: 1.0}
    """
    questions = read_right(right)
    counts = questions.sums().astype("int64")
    return {
        each: estimate_share(
            pass_at_k(questions.sizes, counts, each),
            int(questions.sizes.sum()),
            confidence=confidence,
            interval=interval,
            resamples=resamples,
            rng=rng,
        )
        for each in chosen_k(k, questions.sizes)
    }


def chosen_k(k: Iterable[int] | int | None, sizes: NDArray[Any]) -> list[int]:
    """Return the k that are asked for: each once, in order.

    Raises:
        TypeError: one is no whole number.
        ValueError: one is below 1, or above the number of samples of some question.
    """
    fewest = int(sizes.min())
    if k is None:
        return powers_of_two(fewest)
    ks = whole_numbers("k", list(k) if isinstance(k, Iterable) else k).ravel().tolist()
    for each in ks:
        if not 1 <= each <= fewest:
            at = int(sizes.argmin())
            raise ValueError(
                f"k must lie in 1..{fewest}, since question {at} has {fewest} samples; got {each}"
            )
    return list(dict.fromkeys(ks))


def _require_counts(n: NDArray[Any], c: NDArray[Any], ks: NDArray[Any]) -> None:
    if (n < 1).any():
        raise ValueError(f"samples must be at least 1, got {int(n.min())}")
    bad = (c < 0) | (c > n)
    if bad.any():
        raise ValueError(f"correct must lie in 0..{int(n[bad][0])}, got {int(c[bad][0])}")
    if n.size and ks.size and not 1 <= ks.min() <= ks.max() <= n.min():
        wrong = ks.min() if ks.min() < 1 else ks.max()
        raise ValueError(
            f"k must lie in 1..{int(n.min())}, the fewest samples of a question; got {int(wrong)}"
        )


def _pass_at_k(n: int, c: int, k: int) -> float:
    """Return 1 − Π_{i<m} (1 − M/(n − i)) with m = min(c, k), M = max(c, k).

    C(n−c, k)/C(n, k) is the same with c and k exchanged, so the shorter product will do. Logarithms
    keep small values exact, and a result that rounds to 1 is known beforehand.
    """
    import numpy as np

    few, many = min(c, k), max(c, k)
    if few == 0:
        return 0.0
    if n - many < few or few * many / n > _CERTAIN:
        return 1.0
    if few == 1:
        return many / n
    return float(-np.expm1(np.log1p(-many / (n - np.arange(few))).sum()))
