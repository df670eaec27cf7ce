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
from rlrewards.testing.kinds import missing_facts
from rlrewards.testing.law import Effort, NotApplicable
from rlrewards.testing.subject import Broken, Subject

TOLERANCE = 1e-9


class Trial(NamedTuple):
    """One completion that attacks, and one that it must not outdo.

    `strictly`: it must score less. `company`: further completions of the same batch, for rewards
    that compare.
    """

    attack: Sample
    honest: Sample
    strictly: bool = False
    company: tuple[Sample, ...] = ()


@dataclass(frozen=True)
class Attack:
    """A family of completions that try one trick.

    Attributes:
        name: A few words.
        statement: What it tries, and what a sound reward gives it at most, in one sentence.
        trials: `trials(subject)` yields the completions.
        kinds: It is tried on a reward of any of these kinds.
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
        return bool(self.kinds & subject.kinds) and not self.not_kinds & subject.kinds

    def check(self, subject: Subject, effort: Effort = Effort()) -> None:  # noqa: B008
        """Try every completion.

        Raises:
            Broken: one earns more than the honest completion beside it; the shortest such.
            NotApplicable: it cannot be tried on this subject.
        """
        if missing := missing_facts(self.needs, subject.facts):
            raise NotApplicable(f"say {', '.join(f'{name}=' for name in missing)} to try it")
        paid = [*self.paying(subject)]
        if paid:
            raise min(paid, key=lambda broken: len(broken.samples[0].completion))

    def paying(self, subject: Subject) -> Iterator[Broken]:
        """Yield every trial that earns more than it may."""
        for trial in self.trials(subject):
            attack = subject([trial.attack, *trial.company])[0]
            honest = subject([trial.honest, *trial.company])[0]
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

    def decorate(trials: Callable[[Subject], Iterable[Trial]]) -> Attack:
        name = trials.__name__.strip("_").replace("_", " ")
        return Attack(name, statement, trials, frozenset(named), tuple(needs), frozenset(not_kinds))

    return decorate
