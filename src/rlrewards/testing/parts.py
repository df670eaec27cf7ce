"""What a stack is made of, for attacks: a trick that pays in one part pays in the total.

A law of one kind need not hold for a stack of several (a total with an accuracy in it is not
non-decreasing in anything), so `Subject.kinds` of a stack is `stack` alone. An attack compares two
completions that differ in one thing, and may be tried on whatever weighs that thing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from rlrewards.schedules import weight_at
from rlrewards.stack import Gated, Stack
from rlrewards.testing.kinds import facts_of, kinds_of
from rlrewards.testing.subject import Subject

_SCOPE = frozenset({"pointwise", "grouped", "stack"})
_FORMS = frozenset({"format", "strict_format"})


def attack_kinds(subject: Subject) -> frozenset[str]:
    """Return a subject's kinds, and for a stack those of its parts with a weight above zero.

    Beside another format, what breaks one may keep the other, so that a stack of two is not of the
    kind `strict_format`; and it is of no format's kind beside a part for reasoning, whose score
    depends on where the tags stand. There the parts are attacked alone: see `with_parts`.

    >>> import rlrewards as rr
    >>> from rlrewards.testing.subject import subject
    >>> sorted(attack_kinds(subject(rr.Accuracy() + rr.ThinkFormat())))
    ['accuracy', 'format', 'pointwise', 'stack', 'strict_format']
    """
    return subject.kinds | _kinds(subject.reward)


def attack_facts(subject: Subject) -> dict[str, Any]:
    """Return a subject's facts, and for a stack those of its parts.

    Of several limits `max_length` the largest counts: what goes beyond it goes beyond all. Where
    there are several formats there is no fact `form`.
    """
    found: dict[str, Any] = {}
    for reward in _weighed(subject.reward):
        facts = facts_of(reward)
        if {"max_length"} <= facts.keys() & found.keys():
            facts["max_length"] = max(facts["max_length"], found["max_length"])
            found["max_length"] = facts["max_length"]
        found = facts | found
    if sum("format" in kinds_of(reward) for reward in _weighed(subject.reward)) > 1:
        found.pop("form", None)
    return found | dict(subject.facts)


def with_parts(subject: Subject) -> list[Subject]:
    """Return a subject and, for a stack, each part with a weight above zero, nested ones too.

    >>> import rlrewards as rr
    >>> from rlrewards.testing.subject import subject
    >>> [found.name for found in with_parts(subject(rr.presets.dapo(), name="dapo"))]
    ['dapo', 'dapo.accuracy', 'dapo.overlong']
    """
    found = [subject]
    if isinstance(subject.reward, Stack):
        for name, reward in _parts(subject.reward):
            part = replace(
                subject,
                reward=reward,
                name=f"{subject.name}.{name}",
                kinds=kinds_of(reward),
                facts=facts_of(reward),
            )
            found += with_parts(part)
    return found


def _parts(stack: Stack) -> Iterator[tuple[str, Any]]:
    for part in stack.parts:
        if weight_at(part.name, part.weight, 0) > 0:
            yield part.name, part.reward


def _weighed(reward: Any) -> Iterator[Any]:
    """Yield the rewards that a total is made of."""
    if isinstance(reward, Stack):
        for _, part in _parts(reward):
            yield from _weighed(part)
    elif isinstance(reward, Gated):
        yield from _weighed(reward.reward)
    else:
        yield reward


def _kinds(reward: Any) -> frozenset[str]:
    each = [kinds_of(part) - _SCOPE | _by_letters(part) for part in _weighed(reward)]
    found: frozenset[str] = frozenset().union(*each)
    if sum("format" in kinds for kinds in each) > 1:
        found -= {"strict_format"}
    return found - _FORMS if len(each) > 1 and "reasoning" in found else found


def _by_letters(reward: Any) -> frozenset[str]:
    """A reward whose verifier reads letters is asked about letters."""
    letters = getattr(getattr(reward, "verifier", None), "letters", "")
    return frozenset({"choice"} if letters else ())


def verifier_setting(facts: Mapping[str, Any], name: str, default: Any) -> Any:
    """Return how this library's verifier behind a reward is set; `default` where it is another."""
    return getattr(facts.get("verifier"), name, default)
