"""Timing on one thread, shared by the benchmarks of the objectives."""

import time
from collections.abc import Callable

import torch


def one_thread() -> None:
    """One thread, and an allocator as warm as inside a training process."""
    torch.set_num_threads(1)
    torch.zeros(4_000_000).add_(1)


def best_ms(call: Callable[[], object], seconds: float = 0.2) -> float:
    """The shortest of the calls that fit in ``seconds``, at least one; the first is not counted."""
    call()
    best, end = float("inf"), time.perf_counter() + seconds
    while True:
        start = time.perf_counter()
        call()
        now = time.perf_counter()
        best = min(best, now - start)
        if now >= end:
            return 1e3 * best
