r"""Both libraries behind one signature, and the clock.

Ours remembers nothing: no verdict cache, and every bounded cache of a module is emptied before each
pair (latencies) or before each block of pairs without a repeated text (rates), outside the timed
interval. Math-Verify keeps what it keeps (its parser's tables, which warm
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
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import rlrewards as rr
import rlrewards.verify
from rlrewards.verify import isolate
from verification.corpora import Case

WARM_UP = (Case(r"\boxed{2}", "2"), Case(r"\frac{x^2-1}{x-1}", "x+1", bare=True))


@dataclass(frozen=True)
class Outcome:
    """What a grader said: the status, and the tier that decided."""

    status: str
    tier: str = ""


Job = tuple[Callable[..., Any], tuple[Any, ...]]


@dataclass(frozen=True)
class Grader:
    """One of the two libraries: what it calls for a case, and what its answer means.

    The call is prepared and its result read outside the timed interval.
    """

    job: Callable[[Case], Job]
    outcome: Callable[[Any], Outcome]

    def __call__(self, case: Case) -> Outcome:
        """Grade one case."""
        function, arguments = self.job(case)
        return self.outcome(function(*arguments))


@dataclass(frozen=True)
class Timed:
    """Outcomes of a run and the seconds that it took: each pair, and blocks of pairs.

    Attributes:
        outcomes: What was said of each pair.
        seconds: Time of each pair alone, for the latencies.
        block_seconds: Time of all pairs, a block at a time, for the rate: a clock that is read
            twice for each pair, and caches emptied before it, take as long as a plain pair does.
            The mean of several passes where one takes less than half a second.
    """

    outcomes: list[Outcome]
    seconds: list[float]
    block_seconds: float

    @property
    def rate(self) -> float:
        """Pairs a second."""
        return len(self.seconds) / self.block_seconds if self.block_seconds else 0.0

    def milliseconds(self, share: float) -> float:
        """Return a quantile of the latency; 1 is the largest."""
        ordered = sorted(self.seconds)
        return 1e3 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]

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

    def job(case: Case) -> Job:
        return verifier.verify if case.bare else verifier.grade, (case.text, case.reference)

    def outcome(found: rr.Verdict) -> Outcome:
        return Outcome(found.status.value, "none" if found.tier is None else found.tier.value)

    return Grader(job, outcome)


def math_verify() -> Grader | None:
    """Return Math-Verify with its default extraction, or None where it is not installed."""
    try:
        import math_verify as peer
    except ImportError:
        return None
    logging.getLogger("math_verify").setLevel(logging.CRITICAL)

    def grade(reference: str, text: str) -> bool:
        return bool(peer.verify(peer.parse(reference), peer.parse(text)))

    def job(case: Case) -> Job:
        reference, text = case.reference, case.text
        if case.bare and not any(mark in text for mark in ("$", r"\(", r"\[", r"\boxed")):
            text = rf"\boxed{{{text}}}"
        return grade, (reference if "$" in reference else f"${reference}$", text)

    return Grader(job, lambda right: Outcome("EQUAL" if right else "DIFFERENT"))


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
    """Grade cases one by one, each with cold caches, and then in blocks without a repeated text.

    Args:
        grade: What grades.
        cases: The pairs.
        forget: Empty the module caches before each pair, and before each block: inside a block no
            text stands twice, so that nothing is remembered from pair to pair. Without it the
            first pass is the only one and gives the rate too.
    """
    caches = bounded_caches() if forget else []
    _warm_up(grade)
    results, seconds = _each(grade, cases, caches)
    outcomes = [grade.outcome(result) for result in results]
    whole = sum(seconds)
    if forget:
        passes = _passes(grade, cases, caches, LEAST_SECONDS)
        whole = sum(passes) / len(passes)
    return Timed(outcomes, seconds, whole)


def timed_by_turns(own: Grader, peer: Grader, cases: Sequence[Case]) -> tuple[Timed, float]:
    """Grade the same cases with both, by turns, so that a slow spell of the machine meets both.

    Between the tenths of what the peer grades once, ours grades all of it again and again,
    remembering nothing from block to block.

    Returns:
        How the peer did, and its time over the mean of ours.
    """
    caches = bounded_caches()
    _warm_up(own)
    _warm_up(peer)
    results: list[Any] = []
    seconds: list[float] = []
    passes: list[float] = []
    size = -(-len(cases) // TURNS)
    for start in range(0, len(cases), size):
        graded, took = _each(peer, cases[start : start + size], [])
        results += graded
        seconds += took
        passes += _passes(own, cases, caches, LEAST_SECONDS / TURNS)
    outcomes = [peer.outcome(result) for result in results]
    whole = sum(seconds)
    return Timed(outcomes, seconds, whole), whole / (sum(passes) / len(passes))


def _warm_up(grade: Grader) -> None:
    isolate.forget_hopeless()
    for case in WARM_UP:
        grade(case)
    gc.collect()
    gc.freeze()  # neither library pays for going over the objects that the other one keeps


def _each(
    grade: Grader, cases: Sequence[Case], caches: Sequence[Any]
) -> tuple[list[Any], list[float]]:
    """Return what was said of each case, and the time that it took with empty caches."""
    results, seconds = [], []
    for function, arguments in [grade.job(case) for case in cases]:
        for cached in caches:
            cached.cache_clear()
        start = time.perf_counter()
        result = function(*arguments)
        seconds.append(time.perf_counter() - start)
        results.append(result)
    return results, seconds


TURNS = 10
LEAST_SECONDS = 0.5
"""A few hundred of our pairs take some milliseconds: they are graded again for so long."""


def _passes(
    grade: Grader, cases: Sequence[Case], caches: Sequence[Any], least: float
) -> list[float]:
    """Times of whole passes over all blocks: as many as it takes to see past a hiccup."""
    passes: list[float] = []
    parts = blocks(cases)
    while not passes or sum(passes) < least:
        passes.append(sum(_block_seconds(grade, block, caches) for block in parts))
    return passes


def _block_seconds(grade: Grader, block: Sequence[Case], caches: Sequence[Any]) -> float:
    jobs = [grade.job(case) for case in block]
    for cached in caches:
        cached.cache_clear()
    start = time.perf_counter()
    for function, arguments in jobs:
        function(*arguments)
    return time.perf_counter() - start


def blocks(cases: Iterable[Case], most: int = 200) -> list[list[Case]]:
    """Spread cases over blocks so that no text and no reference stands twice in one."""
    found: list[list[Case]] = []
    met: list[set[str]] = []
    first: dict[str, int] = {}
    for case in cases:
        key = case.reference
        at = max(first.get(key, 0), first.get(case.text, 0), first.get("", 0))
        while at < len(found) and (len(found[at]) >= most or {key, case.text} & met[at]):
            at += 1
        if at == len(found):
            found.append([])
            met.append(set())
        found[at].append(case)
        met[at] |= {key, case.text}
        first[key] = first[case.text] = at
        if len(found[at]) >= most and first.get("", 0) == at:
            first[""] = at + 1
    return found
