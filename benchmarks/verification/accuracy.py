r"""The accuracy tables: labels, self-equality, cross-equality, rewritings, echoes.

Nothing here is hidden in a percentage: every case that went wrong, or that a person must judge, is
written to a file in the output folder.
"""

from __future__ import annotations

import multiprocessing
import random
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import rewriting
from rewriting.evidence import certainly_same

import rlrewards as rr
from verification.corpora import Case, Row
from verification.graders import Grader, Outcome

FORMULA = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)


@dataclass(frozen=True)
class Finding:
    """Something to look at: what was compared, and what was said."""

    what: str
    answer: str
    reference: str
    said: str

    def __str__(self) -> str:
        return f"{self.what}: {self.answer!r} for {self.reference!r}: {self.said}"


def mistakes(cases: Sequence[Case], outcomes: Sequence[Outcome]) -> list[Finding]:
    """Return the labelled cases on which a grader went wrong; UNDECIDED is wrong."""
    return [
        Finding(case.family or _kind(case), case.text[-120:], case.reference, outcome.status)
        for case, outcome in zip(cases, outcomes, strict=True)
        if case.label is not None and is_mistake(case, outcome)
    ]


def is_mistake(case: Case, outcome: Outcome) -> bool:
    """Whether a labelled case was decided wrongly, or not at all."""
    return outcome.status == "UNDECIDED" or (outcome.status == "EQUAL") != case.label


def _kind(case: Case) -> str:
    return "right" if case.label else "wrong"


# Self-equality ---------------------------------------------------------------------------------


def forms(reference: str) -> Iterator[tuple[str, str, bool]]:
    """Yield (form, text, bare) for each way in which a reference may come back."""
    text = reference.strip()
    yield "bare", text, True
    inner = text[1:-1] if re.fullmatch(r"\$[^$]+\$", text) else text
    if "$" not in inner.replace(r"\$", ""):
        yield "$…$", f"${inner}$", True
    yield r"\boxed{}", rf"\boxed{{{text}}}", False
    if "\n" not in text and not re.search(r"[.?!]\s|[.?!]\$?$", text):
        shown = text if "$" in text else f"${inner}$"
        yield "sentence", f"The answer is {shown}.", False


def self_equality(references: Sequence[str]) -> tuple[dict[str, int], list[Finding]]:
    """Return how often each form was tried, and the forms that are not EQUAL to themselves."""
    verifier = rr.Verifier(cache_size=0)
    tried: dict[str, int] = defaultdict(int)
    failed = []
    for reference in dict.fromkeys(references):
        for form, text, bare in forms(reference):
            tried[form] += 1
            grade = verifier.verify if bare else verifier.grade
            verdict = grade(text, reference)
            if not verdict:
                failed.append(Finding(form, text, reference, f"{verdict.status}: {verdict.why}"))
    return dict(tried), failed


# Cross-equality --------------------------------------------------------------------------------


Pair = tuple[str, str, str]
_CHUNK = 500


def cross_equality(
    by_set: Mapping[str, Sequence[str]], count: int, seed: int, most_seconds: float
) -> tuple[int, int, list[Finding]]:
    """Compare random references of one data set with each other, in two processes.

    Returns:
        Pairs compared, pairs found EQUAL, and those of them that the benchmark's own grammar cannot
        tell to be the same value: a person judges these.
    """
    stop = time.perf_counter() + most_seconds
    pairs = _crossed(by_set, count, seed)
    chunks = [pairs[at : at + _CHUNK] for at in range(0, count, _CHUNK)]
    done, equal, found = 0, 0, {}
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for number, findings in pool.imap(_equal_pairs, chunks):
            done += number
            equal += len(findings)
            found |= {(one.answer, one.reference): one for one in findings}
            if time.perf_counter() > stop:
                break
    listed = [one for one in found.values() if not _same_value(one.answer, one.reference)]
    return done, equal, listed


def _crossed(by_set: Mapping[str, Sequence[str]], count: int, seed: int) -> list[Pair]:
    """Draw pairs of different references of one data set, each set as often as it is large."""
    rng = random.Random(seed)
    distinct = {name: list(dict.fromkeys(texts)) for name, texts in by_set.items()}
    names = [name for name, texts in distinct.items() if len(texts) > 1]
    drawn = rng.choices(names, [len(distinct[name]) for name in names], k=count)
    return [(name, *rng.sample(distinct[name], 2)) for name in drawn]


def _equal_pairs(pairs: Sequence[Pair]) -> tuple[int, list[Finding]]:
    """Return how many pairs were compared, and those that are EQUAL."""
    verifier = rr.Verifier(cache_size=0)
    found = []
    for name, answer, reference in pairs:
        if verdict := verifier.verify(answer, reference):
            found.append(Finding(name, answer, reference, f"{verdict.tier}: {verdict.why}"))
    return len(pairs), found


def _same_value(answer: str, reference: str) -> bool:
    one, other = rewriting.read(answer), rewriting.read(reference)
    if one is None or other is None:
        return _plain(answer) == _plain(reference)
    if one.number is not None and one.kind == other.kind:
        return one.number == other.number
    if one.kind == other.kind == "assignment" and one.parts[0] != other.parts[0]:
        return False
    values = {
        _plain(side.parts[1] if side.kind == "assignment" else side.body) for side in (one, other)
    }
    return len(values) == 1 or certainly_same(one, other)


def _plain(text: str) -> str:
    return re.sub(r"[\s$.]|\\left|\\right|\\quad", "", text).lower()


# Rewritings ------------------------------------------------------------------------------------


def by_family(
    cases: Sequence[Case], outcomes: Sequence[Outcome]
) -> dict[str, tuple[int, int, int]]:
    """Return pairs, wrong decisions and UNDECIDED of each family."""
    table: dict[str, list[int]] = {}
    for case, outcome in zip(cases, outcomes, strict=True):
        row = table.setdefault(case.family, [0, 0, 0])
        undecided = outcome.status == "UNDECIDED"
        row[0] += 1
        row[1] += is_mistake(case, outcome) and not undecided
        row[2] += undecided
    return {name: (row[0], row[1], row[2]) for name, row in table.items()}


# Echoes ----------------------------------------------------------------------------------------


def echo_cases(rows: Sequence[Row]) -> list[Case]:
    """Return every formula of every question as an answer to it, unless it is the reference."""
    cases = []
    for row in rows:
        for match in FORMULA.finditer(row["question"]):
            formula = next(group for group in match.groups() if group)
            if _plain(formula) != _plain(row["reference"]):
                cases.append(Case(formula, row["reference"], bare=True, question=row["question"]))
    return cases


def echoes(cases: Sequence[Case], grade: Grader) -> list[Finding]:
    """Return the formulas of questions that a grader accepts as answers."""
    return [
        Finding("echo", case.text, case.reference, (case.question or "")[:200])
        for case in cases
        if grade(case).status == "EQUAL"
    ]


def prompted() -> Grader:
    """Return our grader with the question at hand."""
    verifier = rr.Verifier(cache_size=0)
    return lambda case: Outcome(
        verifier.verify(case.text, case.reference, prompt=case.question).status.value
    )
