r"""Both libraries behind one signature, and the clock.

Ours remembers nothing: no verdict cache, and every bounded cache of a module is emptied before each
pair, outside the timed interval. Math-Verify keeps what it keeps (its parser's tables, which warm
up as it goes); it runs in the main thread, since its time limit works nowhere else. It gets
a bare answer in `\boxed{}`, as its own examples do, and the reference between dollar signs.
"""

from __future__ import annotations

import gc
import importlib
import logging
import pkgutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import rlrewards as rr
import rlrewards.verify
from verification.corpora import Case

WARM_UP = (Case(r"\boxed{2}", "2"), Case(r"\frac{x^2-1}{x-1}", "x+1", bare=True))


@dataclass(frozen=True)
class Outcome:
    """What a grader said: the status, and the tier that decided."""

    status: str
    tier: str = ""


Grader = Callable[[Case], Outcome]


@dataclass(frozen=True)
class Timed:
    """Outcomes of a run and the seconds that each pair took."""

    outcomes: list[Outcome]
    seconds: list[float]

    @property
    def rate(self) -> float:
        """Pairs a second."""
        return len(self.seconds) / sum(self.seconds) if self.seconds else 0.0

    def milliseconds(self, share: float) -> float:
        """Return a quantile of the latency; 1 is the largest."""
        ordered = sorted(self.seconds)
        return 1e3 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def at(self, places: Sequence[int]) -> Timed:
        """Return part of the run."""
        return Timed([self.outcomes[i] for i in places], [self.seconds[i] for i in places])

    def share(self, attribute: str) -> dict[str, float]:
        """Return the percentage of each status or tier."""
        counts = Counter(getattr(outcome, attribute) for outcome in self.outcomes)
        return {name: 100 * n / len(self.outcomes) for name, n in counts.items()}


def verdict(verifier: rr.Verifier, case: Case, prompt: str | None = None) -> rr.Verdict:
    """Grade one case, by extraction where it is a completion."""
    grade = verifier.verify if case.bare else verifier.grade
    return grade(case.text, case.reference, prompt=prompt)


def ours() -> Grader:
    """Return a grader that remembers nothing."""
    verifier = rr.Verifier(cache_size=0)

    def grade(case: Case) -> Outcome:
        found = verdict(verifier, case)
        return Outcome(found.status.value, "none" if found.tier is None else found.tier.value)

    return grade


def math_verify() -> Grader | None:
    """Return Math-Verify with its default extraction, or None where it is not installed."""
    try:
        import math_verify as peer
    except ImportError:
        return None
    logging.getLogger("math_verify").setLevel(logging.CRITICAL)

    def grade(case: Case) -> Outcome:
        reference, text = case.reference, case.text
        if case.bare and not any(mark in text for mark in ("$", r"\(", r"\[", r"\boxed")):
            text = rf"\boxed{{{text}}}"
        gold = peer.parse(reference if "$" in reference else f"${reference}$")
        right = peer.verify(gold, peer.parse(text))
        return Outcome("EQUAL" if right else "DIFFERENT")

    return grade


def bounded_caches() -> list[Any]:
    """Return the module caches that are keyed by text; tables that are built once stay."""
    found: dict[int, Any] = {}
    for module in pkgutil.walk_packages(rlrewards.verify.__path__, "rlrewards.verify."):
        for value in vars(importlib.import_module(module.name)).values():
            info = getattr(value, "cache_info", None)
            if info is not None and info().maxsize is not None:
                found[id(value)] = value
    return list(found.values())


def timed(grade: Grader, cases: Sequence[Case], *, forget: bool) -> Timed:
    """Grade cases one by one and time each."""
    caches = bounded_caches() if forget else []
    for case in WARM_UP:
        grade(case)
    outcomes, seconds = [], []
    gc.collect()
    for case in cases:
        for cached in caches:
            cached.cache_clear()
        start = time.perf_counter()
        outcome = grade(case)
        seconds.append(time.perf_counter() - start)
        outcomes.append(outcome)
    return Timed(outcomes, seconds)
