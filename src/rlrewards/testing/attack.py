"""An attack: completions that try to earn a reward without what it is meant for.

Each trial names an **honest** completion beside the attack: a sound reward gives the attack at most
what it gives that one. For an attack on the answer it is mostly a **twin**, the same text with the
right answer replaced by a wrong one: it has the same length, form and repetitions, so that what is
left between the two is what the right answer earned though it was hedged, quoted or contradicted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from rlrewards.core import Sample
from rlrewards.testing.envelopes import TOKEN_IDS, best_envelope
from rlrewards.testing.kinds import checked_kinds, missing_facts
from rlrewards.testing.law import Effort, NotApplicable
from rlrewards.testing.parts import attack_facts, attack_kinds
from rlrewards.testing.problems import Problem, problems_for
from rlrewards.testing.subject import Broken, Subject

TOLERANCE = 1e-9
# Rewards that depend on whether the answer is right.
VERDICT = ("accuracy", "cosine", "group_length")
ANSWER = (*VERDICT, "verifier")


class Trial(NamedTuple):
    """One completion that attacks, and one that it must not outdo.

    `strictly`: it must score less. `company`: further completions of the same batch, for rewards
    that compare. `beside`: those of the honest one, where they are others.
    """

    attack: Sample
    honest: Sample
    strictly: bool = False
    company: tuple[Sample, ...] = ()
    beside: tuple[Sample, ...] | None = None


@dataclass(frozen=True)
class Attack:
    """A family of completions that try one trick.

    Attributes:
        name: A few words.
        statement: What it tries, and what a sound reward gives it at most, in one sentence.
        trials: `trials(subject)` yields the completions.
        kinds: It is tried on a reward of any of these kinds, and on a stack with a part of one.
        needs: Facts without which it cannot be tried.
        not_kinds: It is not tried on these.
    """

    name: str
    statement: str
    trials: Callable[[Subject], Iterable[Trial]] = field(repr=False)
    kinds: frozenset[str] = frozenset()
    needs: tuple[str, ...] = ()
    not_kinds: frozenset[str] = frozenset()
    group: str = field(default="attack", init=False)

    def applies_to(self, subject: Subject) -> bool:
        """Whether this attack is aimed at rewards of the subject's kinds."""
        kinds = attack_kinds(subject)
        return bool(self.kinds & kinds) and not self.not_kinds & kinds

    def check(self, subject: Subject, effort: Effort = Effort()) -> None:  # noqa: B008
        """Try every completion.

        Raises:
            Broken: one earns more than the honest completion beside it; the shortest such.
            NotApplicable: it cannot be tried on this subject.
        """
        if missing := missing_facts(self.needs, attack_facts(subject)):
            raise NotApplicable(f"say {', '.join(f'{name}=' for name in missing)} to try it")
        paid = [*self.paying(subject)]
        if paid:
            raise min(paid, key=lambda broken: len(broken.samples[0].completion))

    def paying(self, subject: Subject) -> Iterator[Broken]:
        """Yield every trial that earns more than it may."""
        for trial in self.trials(subject):
            beside = trial.company if trial.beside is None else trial.beside
            if trial.company or beside:
                attack = subject([trial.attack, *trial.company])[0]
                honest = subject([trial.honest, *beside])[0]
            else:
                attack, honest = subject([trial.attack, trial.honest])
            if attack is None or honest is None:
                continue
            if attack > honest + TOLERANCE or (trial.strictly and attack >= honest - TOLERANCE):
                less = "less than" if trial.strictly else "at most"
                yield Broken(
                    f"earned {attack:g}, a sound reward gives {less} {honest:g}",
                    (trial.attack, trial.honest),
                    (attack, honest),
                )


def attack(
    statement: str,
    *,
    kinds: str | Iterable[str],
    needs: Iterable[str] = (),
    not_kinds: Iterable[str] = (),
) -> Callable[[Callable[[Subject], Iterable[Trial]]], Attack]:
    """Make an attack of a function that yields trials for a subject; a decorator.

    The attack is called as the function is, with spaces.
    """
    named = [kinds] if isinstance(kinds, str) else [*kinds]
    for kind in named:
        checked_kinds(kind)

    def decorate(trials: Callable[[Subject], Iterable[Trial]]) -> Attack:
        name = trials.__name__.strip("_").replace("_", " ")
        return Attack(name, statement, trials, frozenset(named), tuple(needs), frozenset(not_kinds))

    return decorate


def pair(
    subject: Subject, problem: Problem, attacking: str, honest: str, *, strictly: bool = False
) -> Trial:
    """Return a trial of two texts of one problem, as long as each other by their token ids.

    A grouped reward sees a longer, wrong completion of the same prompt beside each.
    """
    company: tuple[Sample, ...] = ()
    if "grouped" in subject.kinds or "group_length" in attack_kinds(subject):
        company = (problem.sample(f"It is {problem.wrong[0]}.", token_ids=range(16)),)
    return Trial(
        problem.sample(attacking, token_ids=TOKEN_IDS),
        problem.sample(honest, token_ids=TOKEN_IDS),
        strictly,
        company,
    )


# ---------------------------------------------------------------------------------------------
# Trials from templates


@dataclass(frozen=True)
class Twins:
    """Trials of templates of an answer, the right one in them against a wrong one in its place.

    Attributes:
        answers: Templates with the places `{right}`, `{wrong}` and `{other}` (two wrong answers).
        boxed: Whether the reward's favourite form keeps its own box around them.
        closed: Whether the form must say where the answer ends; for answers of several sentences.
        problems: Which questions; the subject's own where there are none.
    """

    answers: tuple[str, ...]
    boxed: bool = True
    closed: bool = False
    problems: tuple[Problem, ...] = ()

    def __call__(self, subject: Subject) -> Iterator[Trial]:
        """Yield the trials."""
        form = best_envelope(subject, closed=self.closed)
        form = form if self.boxed else form.unboxed()
        for problem in self.problems or problems_for(subject):
            for template in self.answers:
                answer, twin = filled(template, problem)
                yield pair(subject, problem, form.wrap(answer), form.wrap(twin))


@dataclass(frozen=True)
class TwinTexts:
    """Trials as `Twins` has them, of templates of whole completions."""

    texts: tuple[str, ...]
    problems: tuple[Problem, ...] = ()

    def __call__(self, subject: Subject) -> Iterator[Trial]:
        """Yield the trials."""
        for problem in self.problems or problems_for(subject):
            for template in self.texts:
                yield pair(subject, problem, *filled(template, problem))


@dataclass(frozen=True)
class NotAnswers:
    """Trials of answers that are none, or are wrong: they earn what a plain wrong one does.

    Attributes:
        answers: What is given for an answer.
        questions: How many of the subject's questions are asked, from the first.
    """

    answers: tuple[str, ...]
    questions: int | None = None

    def __call__(self, subject: Subject) -> Iterator[Trial]:
        """Yield the trials."""
        form = best_envelope(subject)
        for problem in problems_for(subject)[: self.questions]:
            honest = form.wrap(problem.wrong[-1])
            for answer in self.answers:
                yield pair(subject, problem, form.wrap(answer), honest)


@dataclass(frozen=True)
class WrongFor:
    """Trials of (question, answers that are wrong): they earn what a plain wrong one does."""

    cases: tuple[tuple[Problem, tuple[str, ...]], ...]

    def __call__(self, subject: Subject) -> Iterator[Trial]:
        """Yield the trials."""
        form = best_envelope(subject)
        for problem, answers in self.cases:
            honest = form.wrap(problem.wrong[-1])
            for answer in answers:
                yield pair(subject, problem, form.wrap(answer), honest)


def filled(template: str, problem: Problem) -> tuple[str, str]:
    r"""Return a template with the right answer in it, and with a wrong one in its place.

    >>> filled("{wrong} or {right}", Problem("6 times 7?", "42", ("36", "48", "13")))
    ('36 or 42', '36 or 13')
    """
    values = {"{wrong}": problem.wrong[0], "{other}": problem.wrong[1]}
    for place, value in values.items():
        template = template.replace(place, value)
    return template.replace("{right}", problem.right), template.replace(
        "{right}", problem.wrong[-1]
    )


def on_answers(
    name: str, statement: str, trials: Callable[[Subject], Iterable[Trial]], *,
    kinds: Iterable[str] = ANSWER, not_kinds: Iterable[str] = (),
) -> Attack:  # fmt: skip
    """Return an attack on the answer; by default one for every reward that depends on it."""
    return Attack(name, statement, trials, frozenset(kinds), (), frozenset(not_kinds))
