r"""The poisoned pool: what one power tower in a hundred pairs does to the rate.

The same pairs are graded clean and with every hundredth answer replaced by a tower, alternately, by
`grade_many` with two workers and by a plain pool of two processes; the best of three rounds counts.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence

import rlrewards as rr
from verification.corpora import Case
from verification.graders import bounded_caches, math_verify

TOWER = r"\boxed{9^{9^{9^9}}}"
WORKERS = 2
ROUNDS = 3
CHUNK = 50
Pairs = list[tuple[str, str]]
Run = Callable[[Pairs], None]


def poisoned(pairs: Pairs, every: int = 100) -> Pairs:
    """Return the pairs with every hundredth answer a power tower."""
    return [
        (TOWER, reference) if place % every == every // 2 else (text, reference)
        for place, (text, reference) in enumerate(pairs)
    ]


def rates(cases: Sequence[Case], peer_pairs: int) -> dict[str, tuple[float, float]]:
    """Return clean and poisoned pairs a second of each way to grade."""
    pairs = [(case.text, case.reference) for case in cases]
    found = {"grade_many, two workers": _compared(_grade_many, pairs)}
    with _pool() as pool:
        pool.map(_ours, [pairs[:2]] * WORKERS)  # imports done
        found["rlrewards, pool of two"] = _compared(lambda p: _spread(pool, _ours, p), pairs)
    if peer_pairs and math_verify() is not None:
        with _pool() as pool:
            pool.map(_theirs, [pairs[:2]] * WORKERS)
            few = pairs[:peer_pairs]
            found["Math-Verify, pool of two"] = _compared(
                lambda p: _spread(pool, _theirs, p), few, rounds=1
            )
    return found


def _pool():  # type: ignore[no-untyped-def]
    return multiprocessing.get_context("spawn").Pool(WORKERS)


def _compared(run: Run, pairs: Pairs, rounds: int = ROUNDS) -> tuple[float, float]:
    best = [0.0, 0.0]
    run(pairs[:200])
    for _ in range(rounds):
        for which, work in enumerate((pairs, poisoned(pairs))):
            for cached in bounded_caches():
                cached.cache_clear()
            start = time.perf_counter()
            run(work)
            best[which] = max(best[which], len(work) / (time.perf_counter() - start))
    return best[0], best[1]


def _grade_many(pairs: Pairs) -> None:
    rr.Verifier(cache_size=0).grade_many(pairs, workers=WORKERS)


def _spread(pool, grade: Callable[[Pairs], int], pairs: Pairs) -> None:  # type: ignore[no-untyped-def]
    pool.map(grade, [pairs[at : at + CHUNK] for at in range(0, len(pairs), CHUNK)], chunksize=1)


def _ours(pairs: Pairs) -> int:
    verifier = rr.Verifier(cache_size=0)
    return sum(bool(verifier.grade(text, reference)) for text, reference in pairs)


def _theirs(pairs: Pairs) -> int:
    grade = math_verify()
    return sum(grade(Case(*pair)).status == "EQUAL" for pair in pairs) if grade else 0
