"""The law of parameters: what cannot work is refused when the reward is made, not while training.

It makes a reward anew with parameters at and beyond the edge of what makes sense. A reward of this
library is a dataclass and can be; for any other the fact `remake` says how: a function of the
changed facts that returns the reward.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from rlrewards.testing.law import NotApplicable, law
from rlrewards.testing.sized import least_of, sized
from rlrewards.testing.subject import Broken, Subject

KINDS = ("cosine", "overlong", "repetition", "dense_repetition")
LENGTHS = (0, 1, 2, 3, 10, 90, 100, 250)


@law(
    "A parameter that makes no sense is refused when the reward is made: with every one that is "
    "accepted all scores are finite, and no penalty for length falls on an empty completion.",
    kinds=KINDS,
    name="refused when it is made",
)
def _refused_early(subject: Subject) -> None:
    remake = _remake(subject)
    broken = [
        found
        for changed in _edges(subject)
        for found in [_broken_by(subject, changed, remake)]
        if found is not None
    ]
    if broken:
        why = "; ".join(found.why for found in broken)
        raise Broken(why, broken[0].samples, broken[0].scores)


def _broken_by(
    subject: Subject, changed: dict[str, int], remake: Callable[..., Any]
) -> Broken | None:
    """Return what goes wrong with changed parameters that are accepted."""
    try:
        reward = remake(**changed)
    except (ValueError, TypeError, AssertionError):
        return None
    facts = {**subject.facts, **changed}
    made = dataclasses.replace(subject, reward=reward, facts=facts)
    said = ", ".join(f"{name}={value}" for name, value in changed.items())
    for n in LENGTHS:
        if n < least_of(subject):
            continue
        sample = sized(made, n, right=True)
        try:
            score = made.score(sample)
        except Broken as broken:
            return Broken(f"with {said}: {broken.why}", [sample])
        if n == 0 and "overlong" in subject.kinds and score is not None and score < 0:
            return Broken(f"with {said}: scored {score:g} for no token at all", [sample], [score])
    return None


def _edges(subject: Subject) -> Iterator[dict[str, int]]:
    facts = subject.facts
    for name in ("n", "max_length", "buffer"):
        if isinstance(facts.get(name), int):
            yield from ({name: 0}, {name: -1})
    if isinstance(facts.get("buffer"), int) and isinstance(facts.get("max_length"), int):
        yield {"buffer": facts["max_length"] + 10}


def _remake(subject: Subject) -> Callable[..., Any]:
    if "remake" in subject.facts:
        remake: Callable[..., Any] = subject.facts["remake"]
        return remake
    reward = subject.reward
    if subject.signature == "rlrewards" and dataclasses.is_dataclass(reward):
        return lambda **changed: dataclasses.replace(reward, **changed)  # type: ignore[type-var]
    raise NotApplicable("say remake= to try it")


LAWS = (_refused_early,)
