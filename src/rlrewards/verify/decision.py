"""What a comparison decided, and the terms it was made under: passed between all comparisons."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import NamedTuple

from rlrewards.verify.conventions import Conventions
from rlrewards.verify.symbolic import Budget
from rlrewards.verify.verdict import Status, Tier


class Decision(NamedTuple):
    """A status, the tier that found it, and the reason in a few words."""

    status: Status
    tier: Tier
    why: str

    @property
    def is_equal(self) -> bool:
        """Whether the status is EQUAL."""
        return self.status is Status.EQUAL

    @property
    def is_different(self) -> bool:
        """Whether the status is DIFFERENT."""
        return self.status is Status.DIFFERENT


def equal(tier: Tier, why: str) -> Decision:
    """Return EQUAL with its reason."""
    return Decision(Status.EQUAL, tier, why)


def different(tier: Tier, why: str) -> Decision:
    """Return DIFFERENT with its reason."""
    return Decision(Status.DIFFERENT, tier, why)


def undecided(tier: Tier, why: str) -> Decision:
    """Return UNDECIDED with its reason."""
    return Decision(Status.UNDECIDED, tier, why)


_TIERS = tuple(Tier)


def all_of(decisions: Iterable[Decision], why: str = "all items agree") -> Decision:
    """Return the first DIFFERENT, else the first that is open, else EQUAL by the dearest tier.

    Lazy: after a DIFFERENT nothing more is compared.
    """
    open_one: Decision | None = None
    dearest = Tier.EXACT
    for decision in decisions:
        if decision.status is Status.DIFFERENT:
            return decision
        if decision.status is not Status.EQUAL:
            open_one = open_one or decision
        elif _TIERS.index(decision.tier) > _TIERS.index(dearest):
            dearest = decision.tier
    return open_one or equal(dearest, why)


@dataclass(frozen=True, slots=True)
class Terms:
    """How two answers are to be compared.

    Attributes:
        budget: Time that is left.
        conventions: What counts as the same.
        prompt: The question, where it is known.
        echoes: Whether the answer stands in the question (an assignment that does is no answer).
        depth: How many shapes the two answers are inside.
    """

    budget: Budget
    conventions: Conventions = field(default_factory=Conventions)
    prompt: str | None = None
    echoes: bool = False
    depth: int = 0

    def inside(self) -> Terms:
        """Return the terms for an item of a collection."""
        return Terms(self.budget, self.conventions, self.prompt, self.echoes, self.depth + 1)

    def any_form(self) -> Terms:
        """Return the same terms with every form of a number allowed."""
        return self.under(_in_any_form(self.conventions))

    def under(self, conventions: Conventions) -> Terms:
        """Return the same terms under other conventions."""
        return Terms(self.budget, conventions, self.prompt, self.echoes, self.depth)


@lru_cache(maxsize=64)
def _in_any_form(conventions: Conventions) -> Conventions:
    return replace(conventions, form="any")
