"""maj@k: how likely the most frequent answer of k samples is right (self-consistency)."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from rlrewards.metrics.bootstrap import RESAMPLES, BootstrapInterval
from rlrewards.metrics.checks import require_count
from rlrewards.metrics.estimates import Estimate, estimate_share
from rlrewards.metrics.pass_k import chosen_k
from rlrewards.metrics.questions import read_right

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rlrewards.metrics.bootstrap import Rng

Same: TypeAlias = Callable[[Any, Any], object]
# Up to this n every C(n, k) fits into a float.
_CHOICES_FIT = 1000


def maj_at_k(
    answers: Iterable[Any], right: Iterable[Any], k: int, *, same: Same | None = None
) -> float:
    """Return the exact expectation of maj@k from the n samples of one question.

    The mean, over all C(n, k) subsets of k samples, of whether the majority's answer is right; no
    subset is drawn at random, so there is no seed and no noise. It is the unbiased estimate of what
    k fresh samples would give.

    - **Votes** are counted by `same`. An answer of None is a sample that votes for nothing; when
      nobody votes, the vote is lost.
    - **Ties** are broken by chance: t answers with the most votes each win with 1/t. (Taking the
      answer that came first gives the same, since the samples come in no particular order.)
    - Where answers that are the same are not all right, the winner is right with their share.

    With `n_a` samples for answer a, of which a share `w_a` is right, and `x_b` votes for each::

        maj@k = Σ_a w_a Σ_{x: Σx = k, x_a ≥ 1, all x_b ≤ x_a} Π_b C(n_b, x_b) / (C(n, k)·t(x))

    where t counts the answers with `x_b = x_a`. It takes about n·k steps, not C(n, k).

    Args:
        answers: [n], of any kind; None for no answer.
        right: [n], True or False.
        k: Size of the subsets, at most n.
        same: Whether two answers are the same, an equivalence; each answer joins the first earlier
            one that it is the same as. Without it, answers must be hashable and are compared by
            `==`, texts letter by letter.

    Raises:
        TypeError: k is no whole number, a value of `right` no truth, or an answer not hashable.
        ValueError: no samples, as many answers as truths are not there, or not `1 <= k <= n`.

    Source: Wang et al., Self-Consistency Improves Chain of Thought Reasoning in Language Models,
    arXiv 2203.11171, §2; the expectation over subsets as for `pass_at_k`.

    >>> maj_at_k(["4", "4", "5"], [True, True, False], 1)
    0.6666666666666666
    >>> maj_at_k(["4", "4", "5"], [True, True, False], 3)
    1.0
    """
    given = list(answers)
    truths = read_right([list(right)]).values.tolist()
    if len(given) != len(truths):
        raise ValueError(f"there are {len(given)} answers and {len(truths)} values of right")
    [size] = chosen_k(require_count("k", k), _array([len(given)]))
    return _maj_at_k(_voices(given, truths, same), len(given), size)


def mean_maj_at_k(
    answers: Iterable[Iterable[Any]],
    right: Iterable[Any],
    k: Iterable[int] | int | None = None,
    *,
    same: Same | None = None,
    confidence: float = 0.95,
    interval: BootstrapInterval | None = None,
    resamples: int = RESAMPLES,
    rng: Rng = 0,
) -> dict[int, Estimate]:
    """Return maj@k of a benchmark, for each k: the mean of the questions' exact expectations.

    The interval is made as that of `accuracy`.

    Args:
        answers: Q groups of answers; see `maj_at_k`.
        right: True or False: the same Q groups.
        k: One or several; 1, 2, 4, … and n by default, n being the fewest samples of a question.
        same: Whether two answers are the same.
        confidence: Of the interval.
        interval: `bca_interval` or `percentile_interval`, in place of the usual choice.
        resamples: Of the bootstrap.
        rng: Seed of the bootstrap, or generator.

    Raises:
        TypeError: as `maj_at_k`.
        ValueError: as `maj_at_k`, or the groups of answers and of truths differ in size.

    >>> found = mean_maj_at_k([["4", "5", "4"], ["a", "b", "b"]], [[1, 0, 1], [1, 0, 0]], [1, 3])
    >>> [estimate.value for estimate in found.values()]
    [0.5, 0.5]
    """
    groups = [list(group) for group in answers]
    questions = read_right(right)
    sizes = questions.sizes.tolist()
    if sizes != [len(group) for group in groups]:
        raise ValueError(
            f"answers have groups of {_told([len(group) for group in groups])} samples, and right "
            f"of {_told(sizes)}"
        )
    voices, begin = [], 0
    for group, size in zip(groups, sizes, strict=True):
        voices.append(_voices(group, questions.values[begin : begin + size].tolist(), same))
        begin += size
    return {
        each: estimate_share(
            _array([_maj_at_k(v, n, each) for v, n in zip(voices, sizes, strict=True)]),
            sum(sizes),
            confidence=confidence,
            interval=interval,
            resamples=resamples,
            rng=rng,
        )
        for each in chosen_k(k, questions.sizes)
    }


# How many samples gave an answer, and which share of them is right.
_Voice: TypeAlias = tuple[int, float]


def _voices(answers: Sequence[Any], right: Sequence[float], same: Same | None) -> list[_Voice]:
    """Return each distinct answer's count and share right, those of None left out."""
    members: list[list[float]] = []
    firsts: list[Any] = []
    known: dict[Hashable, int] = {}
    for answer, truth in zip(answers, right, strict=True):
        if answer is None:
            continue
        if same is None:
            at = known.setdefault(answer, len(members))
        else:
            at = next((i for i, first in enumerate(firsts) if same(answer, first)), len(members))
        if at == len(members):
            members.append([])
            firsts.append(answer)
        members[at].append(truth)
    return [(len(truths), sum(truths) / len(truths)) for truths in members]


def _maj_at_k(voices: list[_Voice], n: int, k: int) -> float:
    counts = [count for count, _ in voices]
    silent = n - sum(counts)
    chance = math.fsum(
        share * _wins(counts[at], counts[:at] + counts[at + 1 :], silent, k)
        for at, (_, share) in enumerate(voices)
        if share
    )
    return chance if chance < 1 - 1e-12 else 1.0  # certain, but for rounding


def _wins(own: int, others: list[int], silent: int, k: int) -> float:
    """Return how likely an answer wins among k samples: with 1/t where t answers tie.

    Args:
        own: How many samples gave this answer.
        others: How many gave each other answer.
        silent: How many gave none.
        k: How many samples are drawn, of all.
    """
    n = own + sum(others) + silent
    mine = _ways(own, n, k)
    chance = 0.0
    for votes in range(1, min(own, k) + 1):
        # Answers that cannot reach `votes` need no watching: they count as one.
        small = silent + sum(count for count in others if count < votes)
        large = [_ways(count, n, k) for count in others if count >= votes]
        rest = k - votes
        chance += mine[votes] * _shared(_ways(small, n, k), large, votes, rest)
    return chance / _ways(n, n, k)[k]


def _shared(small: list[float], large: list[list[float]], votes: int, rest: int) -> float:
    """Return the ways to `rest` votes, at most `votes` for one, over 1 + those that tie."""
    import numpy as np

    # table[s, t]: s votes spent by the answers so far, of which t tie.
    table = np.zeros((rest + 1, min(len(large), rest // votes) + 1))
    table[: len(small), 0] = small[: rest + 1]
    for ways in large:
        grown = _spent(table, ways[:votes])
        grown[votes:, 1:] += ways[votes] * table[: max(0, rest + 1 - votes), :-1]
        table = grown
    return float(table[rest] @ (1 / np.arange(1, table.shape[1] + 1)))


def _spent(table: NDArray[Any], ways: list[float]) -> NDArray[Any]:
    """Return the table after an answer that takes u votes in `ways[u]` ways, and never ties."""
    import numpy as np

    rows, columns = table.shape
    if columns < len(ways):  # whichever loop is the shorter
        return np.stack([np.convolve(table[:, t], ways)[:rows] for t in range(columns)], axis=1)
    grown = np.zeros_like(table)
    for used, count in enumerate(ways[:rows]):
        grown[used:] += count * table[: rows - used]
    return grown


@lru_cache(maxsize=1024)
def _ways(size: int, n: int, k: int) -> list[float]:
    """Return C(size, 0), …, C(size, min(size, k)).

    Where C(n, k) is too large for a float, each C(size, u) is times p^u·(1 − p)^(size − u) with
    p = k/n, a binomial's probability. Of a product over sizes that add up to n, with u that add up
    to k, that is the same factor everywhere, and cancels.
    """
    top = min(size, k)
    if n <= _CHOICES_FIT:
        return [float(math.comb(size, u)) for u in range(top + 1)]
    if k == n:
        return [float(u == size) for u in range(top + 1)]
    yes, no, whole = math.log(k / n), math.log1p(-k / n), math.lgamma(size + 1)
    return [
        math.exp(whole - math.lgamma(u + 1) - math.lgamma(size - u + 1) + u * yes + (size - u) * no)
        for u in range(top + 1)
    ]


def _array(values: Sequence[float]) -> NDArray[Any]:
    import numpy as np

    return np.array(values)


def _told(sizes: list[int]) -> str:
    return ", ".join(map(str, sizes[:5])) + (", …" if len(sizes) > 5 else "")
