"""Repetition rewards against a Python set of tuples and against TRL, parity first.

    python benchmarks/repetition.py

Each row times the same work done three ways, on the same input and in turns; a speed-up is only
printed for results that agree.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

from rlrewards import RepetitionPenalty, Sample, dense_repetition

TOKENS = 32_768
VOCABULARY = 151_936
ROUNDS = 25


def penalty_of_tuples(units: Sequence[object], n: int) -> float:
    grams = list(zip(*(units[i:] for i in range(n)), strict=False))
    return (len(set(grams)) / len(grams) - 1) or 0.0


def dense_of_tuples(ids: Sequence[int], n: int, penalty: float) -> list[float]:
    seen: set[tuple[int, ...]] = set()
    stream = [0.0] * len(ids)
    for start, gram in enumerate(zip(*(ids[i:] for i in range(n)), strict=False)):
        if gram in seen:
            stream[start : start + n] = [penalty] * n
        seen.add(gram)
    return stream


def trl_penalty(n: int) -> Callable[[list[list[int]]], list[float]] | None:
    try:
        from trl.rewards import get_repetition_penalty_reward
    except ImportError:
        return None
    reward: Callable[[list[list[int]]], list[float]] = get_repetition_penalty_reward(n, -1.0)
    return reward


def milliseconds(works: Sequence[Callable[[], object]]) -> list[float]:
    """Return the fastest of several rounds of each, in turns, so that a busy machine slows all."""
    best = [float("inf")] * len(works)
    for _ in range(ROUNDS):
        for index, work in enumerate(works):
            started = time.perf_counter()
            work()
            best[index] = min(best[index], time.perf_counter() - started)
    return [1000 * seconds for seconds in best]


def row(name: str, ours: Callable[[], object], other: Callable[[], object], versus: str) -> None:
    mine, theirs = ours(), other()
    close = mine == theirs or abs(mine - theirs) < 1e-12  # type: ignore[operator]
    if not close:
        raise SystemExit(f"{name}: {mine} is not {versus}'s {theirs}")
    fast, slow = milliseconds([ours, other])
    print(f"{name:32}{fast:9.2f} ms   {versus:14}{slow:9.2f} ms {slow / fast:7.1f} x")


def main() -> None:
    draw = random.Random(0)
    ids = [draw.randrange(VOCABULARY) for _ in range(TOKENS // 2)]
    ids += ids[: TOKENS // 4] + [draw.randrange(60) for _ in range(TOKENS // 4)]
    lengths = [draw.choice([1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 10, 14]) for _ in range(4000)]
    vocabulary = ["".join(draw.choices("abcdefghij", k=length)) for length in lengths]
    text = " ".join(vocabulary[int(4000 * draw.random() ** 3)] for _ in range(TOKENS))

    by_tokens, by_words = RepetitionPenalty(unit="tokens"), RepetitionPenalty()
    tokens, words = [Sample("", token_ids=ids)], [Sample(text)]
    row(
        f"{TOKENS} tokens, n 3",
        lambda: by_tokens(tokens)[0],
        lambda: penalty_of_tuples(ids, 3),
        "set of tuples",
    )
    trl = trl_penalty(3)
    if trl is not None:
        row(f"{TOKENS} tokens, n 3", lambda: by_tokens(tokens)[0], lambda: trl([ids])[0], "TRL")
    row(
        f"{TOKENS} words, n 3",
        lambda: by_words(words)[0],
        lambda: penalty_of_tuples(text.lower().split(), 3),
        "set of tuples",
    )
    row(
        f"{TOKENS} tokens, n 40, dense",
        lambda: dense_repetition(ids, 40, -0.05).tolist(),
        lambda: dense_of_tuples(ids, 40, -0.05),
        "set of tuples",
    )
    works = [lambda: by_words(words), text.split, lambda: by_tokens(tokens)]
    scored, split, counted = milliseconds(works)
    limit = 2 * split + counted
    print(
        f"words: {scored:.2f} ms, 2 x str.split + tokens is {limit:.2f} ms ({split:.2f} ms a split)"
    )


if __name__ == "__main__":
    main()
