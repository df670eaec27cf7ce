"""What must hold for every case that fuzzing can think of."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from types import ModuleType

from mutator import Case

import rlrewards as rr
from rlrewards.verify import isolate
from rlrewards.verify.verdict import Status

LIMIT_SECONDS = 1.0
"""Far above what anything takes without a worker; a case this slow is a bug."""


class BrokenLawError(AssertionError):
    """A case for which a law does not hold."""


def require(held: bool, law: str, case: object) -> None:
    if not held:
        raise BrokenLawError(f"{law}: {case!r}")


@contextmanager
def in_time(law: str, case: object) -> Iterator[None]:
    # Processor time of this thread, so that a busy machine breaks no law.
    start = time.thread_time()
    yield
    seconds = time.thread_time() - start
    require(seconds < LIMIT_SECONDS, f"{law} took {seconds:.2f} s", case)


@cache
def verifier() -> rr.Verifier:
    return rr.Verifier(cache_size=0)


def without_workers() -> None:
    """Leave tier 4 out: its time is limited by a kill, and one of its cases costs a second."""

    def not_asked(request: object, *, budget_seconds: float) -> isolate.Reply:
        return isolate.Reply(failure="not asked")

    isolate.call = not_asked


def _parser() -> ModuleType | None:
    try:
        return import_module("rlrewards.verify.parse")
    except ImportError:
        return None


PARSE = _parser()


def check_parse(case: Case) -> None:
    """Parsing gives a value, for any text."""
    if PARSE is None:
        return
    from rlrewards.verify.tree import Node, Unparsed, walk

    with in_time("parse", case.answer):
        tree = PARSE.parse(case.answer)
    require(isinstance(tree, Node | Unparsed), "parse gives a tree or says why not", case.answer)
    require(tree == PARSE.parse(case.answer), "parsing twice gives one tree", case.answer)
    if isinstance(tree, Node):
        require(
            all(isinstance(node, Node) for node in walk(tree)), "nodes all through", case.answer
        )
        require(bool(repr(tree)), "a tree has a repr", case.answer)


def check_verify(case: Case) -> None:
    """A status always; a text is never different from itself."""
    with in_time("verify", case[:2]):
        verdict = verifier().verify(case.answer, case.reference)
    require(verdict.status in Status, "a status", case[:2])
    require(
        (verdict.status is Status.NO_REFERENCE) == (not case.reference.strip()),
        "no reference",
        case[:2],
    )
    if case.answer.strip():
        same = verifier().verify(case.answer, case.answer)
        require(same.status is not Status.DIFFERENT, "x is x", case.answer)


def check_again(case: Case) -> None:
    """The same question twice has one answer."""
    first, second = (verifier().verify(case.answer, case.reference) for _ in range(2))
    require(first == second, "the same verdict twice", case[:2])


def check_symmetry(case: Case) -> None:
    """What is EQUAL one way round is not DIFFERENT the other, among plain values."""
    if not (_is_plain(case.answer) and _is_plain(case.reference)):
        return
    there = verifier().verify(case.answer, case.reference).status
    if there is Status.EQUAL:
        back = verifier().verify(case.reference, case.answer).status
        require(back is not Status.DIFFERENT, "symmetry", case[:2])


def _is_plain(text: str) -> bool:
    """Whether symmetry is claimed: numbers, fractions, powers, points and sets of them.

    No decimals, signs of relations, percent, units, words, sums that a numeral refuses.
    """
    if PARSE is None:
        return False
    from rlrewards.verify import tree as t

    root = PARSE.parse(text)
    if not isinstance(root, t.Node):
        return False
    plain = (t.Symbol, t.Quotient, t.Power, t.Root, t.Negative, t.Bracket, t.Set)
    return all(
        isinstance(node, plain) or (isinstance(node, t.Number) and node.digits is None)
        for node in t.walk(root)
    )


def check_extract(case: Case) -> None:
    """What is found stands in the text."""
    with in_time("extract", case.completion):
        answer = verifier().extract(case.completion)
    if answer is not None:
        start, stop = answer.span
        require(0 <= start <= stop <= len(case.completion), "span in text", case.completion)
        require(bool(answer.text.strip()), "an answer is not blank", case.completion)


def check_grade(case: Case) -> None:
    """Grading is extracting and verifying."""
    with in_time("grade", case):
        verdict = verifier().grade(case.completion, case.reference)
    require(verdict.status in Status, "a status", case)
    found = verifier().extract(case.completion)
    if found is None and case.reference.strip():
        require(verdict.status is Status.NO_ANSWER, "no answer without one", case)
    elif found is not None and case.reference.strip():
        alone = verifier().verify(found.text, case.reference)
        require(verdict.status is alone.status, "grade is extract and verify", case)


LAWS: dict[str, tuple[Callable[[Case], None], ...]] = {
    "parse": (check_parse,),
    "verify": (check_verify, check_symmetry),
    "extract": (check_extract,),
    "grade": (check_grade,),
}
LAWS["all"] = (check_parse, check_verify, check_extract, check_grade)
DEAR_LAWS = (check_symmetry, check_again)
"""Laws that compare again; every eighth case, so that more cases are seen in the same time."""


def check(case: Case, target: str = "all") -> None:
    """Hold a case against the laws of a target."""
    for law in LAWS[target]:
        law(case)
    if target == "all" and zlib.crc32(repr(case).encode("ascii", "backslashreplace")) % 8 == 0:
        for law in DEAR_LAWS:
            law(case)
