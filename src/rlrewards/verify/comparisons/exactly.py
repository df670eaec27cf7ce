"""Decisions of the exact tier, in one word each: the shapes of two answers are compared there."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from rlrewards.verify import decision
from rlrewards.verify.conventions import Conventions
from rlrewards.verify.decision import Decision, Terms
from rlrewards.verify.verdict import Tier

MAX_ITEMS = 200
"""Items of a list, a set or a matrix that are compared at all."""


def equal(why: str) -> Decision:
    """Return EQUAL with its reason."""
    return decision.equal(Tier.EXACT, why)


def different(why: str) -> Decision:
    """Return DIFFERENT with its reason."""
    return decision.different(Tier.EXACT, why)


def undecided(why: str) -> Decision:
    """Return UNDECIDED with its reason."""
    return decision.undecided(Tier.EXACT, why)


def strictly(terms: Terms) -> Terms:
    """Return the terms under which numbers are equal only if they are, in any form."""
    return terms.under(_strict(terms.conventions))


@lru_cache(maxsize=64)
def _strict(conventions: Conventions) -> Conventions:
    return replace(
        conventions,
        rel_tol=0.0,
        significant=None,
        reference_digits=None,
        answer_digits=None,
        form="any",
        integration_constants=False,
    )


def if_equal(decided: Decision, otherwise: str) -> Decision:
    """Return an EQUAL as it is, anything else as UNDECIDED."""
    return decided if decided.is_equal else undecided(otherwise)
