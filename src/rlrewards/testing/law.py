"""A law: a sentence about every reward of a kind, and the property test that tries to break it."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rlrewards.testing.kinds import checked_kinds, missing_facts
from rlrewards.testing.subject import Broken, Subject

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Body = Callable[..., None]


class NotApplicable(Exception):  # noqa: N818  (it is no error)
    """Raised by a law that cannot be tried on this subject, with the reason."""


@dataclass(frozen=True)
class Effort:
    """How hard a check tries.

    Attributes:
        examples: Cases drawn for each law.
        seed: The same seed draws the same cases.
        seconds: After this long a law draws no further case.
        patience_seconds: After this long without an answer a check is stopped.
    """

    examples: int = 30
    seed: int = 0
    seconds: float = 10.0
    patience_seconds: float = 20.0

    def __post_init__(self) -> None:
        if self.examples < 1:
            raise ValueError(f"examples={self.examples!r}, expected at least 1")
        if not self.patience_seconds > 0:
            raise ValueError(f"patience_seconds={self.patience_seconds!r}, expected more than 0")


@dataclass(frozen=True)
class Law:
    """A law that rewards of some kinds keep.

    Attributes:
        name: A few words.
        statement: What holds, in one sentence.
        kinds: It applies to a reward of any of these kinds; to every reward when empty.
        needs: Facts without which it cannot be tried.
        body: `body(subject, case)`, raises `Broken`; `body(subject)` without `cases`.
        cases: Gives the strategy for the cases of a subject.
        not_kinds: It does not apply to these.
        times: It draws so many times the cases of others: its own are cheap and many-sided.
    """

    name: str
    statement: str
    body: Body = field(repr=False)
    kinds: frozenset[str] = frozenset()
    needs: tuple[str, ...] = ()
    cases: Callable[[Subject], SearchStrategy[Any]] | None = field(default=None, repr=False)
    not_kinds: frozenset[str] = frozenset()
    times: int = 1
    group: str = field(default="law", init=False)

    def applies_to(self, subject: Subject) -> bool:
        """Whether this law is about rewards of the subject's kinds."""
        if self.not_kinds & subject.kinds:
            return False
        return not self.kinds or bool(self.kinds & subject.kinds)

    def check(self, subject: Subject, effort: Effort = Effort()) -> None:
        """Try to break the law.

        Raises:
            Broken: a case breaks it; the smallest that was found.
            NotApplicable: it cannot be tried on this subject.
        """
        if missing := missing_facts(self.needs, subject.facts):
            raise NotApplicable(f"say {', '.join(f'{name}=' for name in missing)} to try it")
        if self.cases is None:
            self.body(subject)
        else:
            effort = replace(effort, examples=effort.examples * self.times)
            _search(self.body, subject, self.cases(subject), effort)


def law(
    statement: str,
    *,
    kinds: str | Iterable[str] = (),
    not_kinds: Iterable[str] = (),
    needs: Iterable[str] = (),
    cases: Callable[[Subject], SearchStrategy[Any]] | None = None,
    name: str = "",
    times: int = 1,
) -> Callable[[Body], Law]:
    """Make a law of a function `body(subject, case)` that raises `Broken`; a decorator.

    The law is called as the function is, with spaces.
    """
    named = [kinds] if isinstance(kinds, str) else [*kinds]
    for kind in named:
        checked_kinds(kind)

    def decorate(body: Body) -> Law:
        called = name or body.__name__.strip("_").replace("_", " ")
        return Law(
            called,
            statement,
            body,
            frozenset(named),
            tuple(needs),
            cases,
            frozenset(not_kinds),
            times,
        )

    return decorate


def _search(body: Body, subject: Subject, strategy: SearchStrategy[Any], effort: Effort) -> None:
    """Let Hypothesis look for a case that breaks the law, and shrink it."""
    import hypothesis
    from hypothesis import HealthCheck, Phase, Verbosity

    ends = time.monotonic() + effort.seconds
    smallest: Broken | None = None

    def attempt(case: Any) -> None:
        nonlocal smallest, ends
        if time.monotonic() > ends:
            if smallest is not None:
                raise _EnoughError
            return
        try:
            body(subject, case)
        except Broken as broken:
            if smallest is None:
                ends = time.monotonic() + effort.seconds  # for making it small
            smallest = broken
            raise

    settings = hypothesis.settings(
        max_examples=effort.examples,
        deadline=None,
        database=None,
        derandomize=False,
        report_multiple_bugs=False,
        print_blob=False,
        verbosity=Verbosity.quiet,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=[*HealthCheck],
    )
    test = hypothesis.seed(effort.seed)(settings(hypothesis.given(strategy)(attempt)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hypothesis.errors.HypothesisWarning)
        try:
            test()
        except _EnoughError:
            assert smallest is not None
            raise smallest from None


class _EnoughError(BaseException):
    """Ends the search for a smaller case; no Exception, which Hypothesis would take for a case."""


def ensure(
    holds: bool,
    why: str,
    samples: Any = (),
    scores: Any = (),
) -> None:
    """Raise `Broken` unless something holds."""
    if not holds:
        raise Broken(why, samples, scores)
