"""`check_reward`: every law that applies to a reward, in one call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rlrewards.testing.findings import Report
from rlrewards.testing.law import Effort, Law
from rlrewards.testing.laws import LAWS
from rlrewards.testing.running import run
from rlrewards.testing.subject import Signature, subject


def check_reward(
    reward: Any,
    *,
    kind: str | Iterable[str] | None = None,
    laws: Iterable[Law] | None = None,
    signature: Signature | None = None,
    name: str | None = None,
    examples: int = 30,
    seed: int = 0,
    patience_seconds: float = 20.0,
    isolate: bool | None = None,
    **facts: Any,
) -> Report:
    """Try every law that applies to a reward, and return what was found.

    Args:
        reward: A reward of this library, or a function with TRL's, verl's or our signature.
        kind: What it is: one or more of `KINDS`. Known of this library's rewards; any other is
            taken for pointwise.
        laws: Which laws; all that apply by default.
        signature: How it is called, where its parameters do not tell.
        name: How the report calls it.
        examples: Cases drawn for each law.
        seed: The same seed gives the same report.
        patience_seconds: After this long without an answer the law is stopped and reported.
        isolate: Whether the reward runs in a process that can be killed; by default where the
            system can fork.
        facts: Parameters that laws need: `max_length=`, `buffer=`, `n=` and so on.

    Raises:
        TypeError: the reward cannot be called.
        ValueError: the kind or signature is unknown.

    >>> import rlrewards as rr
    >>> check_reward(rr.ThinkFormat(), laws=LAWS[:2]).ok
    True
    """
    found = subject(reward, kind=kind, signature=signature, name=name, **facts)
    effort = Effort(examples=examples, seed=seed, patience_seconds=patience_seconds)
    chosen = LAWS if laws is None else tuple(laws)
    jobs = [(found, law) for law in chosen if law.applies_to(found)]
    return Report(found.name, tuple(run(jobs, effort, isolate=isolate)), seed)
