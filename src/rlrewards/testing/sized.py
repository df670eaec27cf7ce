"""Completions of a wanted length, right or wrong, in the unit that a reward counts in."""

from __future__ import annotations

from rlrewards.core import Sample
from rlrewards.testing.kinds import missing_facts
from rlrewards.testing.law import NotApplicable
from rlrewards.testing.parts import verifier_setting
from rlrewards.testing.problems import Problem
from rlrewards.testing.subject import Subject

UNITS = ("tokens", "words", "characters")
PROBLEM = Problem("A hen lays 7 eggs a day. How many eggs is that in 6 days?", "42", ("36",))
LETTERS = Problem("How many eggs is that? A) 36 B) 42", "B", ("A",))


def unit_of(subject: Subject) -> str:
    """Return what the subject counts: the fact `length`; tokens where nothing is said."""
    unit = subject.facts.get("length") or "tokens"
    if unit not in UNITS:
        raise NotApplicable(f"completions cannot be made to measure for length={unit!r}")
    return str(unit)


def least_of(subject: Subject) -> int:
    """Return the shortest length in which an answer can be given."""
    answer = answer_of(problem_of(subject), right=True)
    return {"tokens": 0, "words": 1, "characters": len(answer)}[unit_of(subject)]


def problem_of(subject: Subject) -> Problem:
    """Return a question that the subject's verifier, if it has one, can be asked."""
    return LETTERS if verifier_setting(subject.facts, "letters", "") else PROBLEM


def sized(subject: Subject, n: int, *, right: bool, group: str = "p") -> Sample:
    """Return a completion of length `n`, right or wrong.

    A reward that counts tokens gets `n` token ids beside a text of `n` words, where an answer
    leaves room for that.
    """
    unit, problem = unit_of(subject), problem_of(subject)
    answer = answer_of(problem, right=right)
    if unit == "characters":
        text = ("well, " * (n // 6 + 1))[: n - len(answer)] + answer if n >= len(answer) else ""
    else:
        text = "well, " * (n - 1) + answer
    ids = None if unit == "words" and subject.signature == "rlrewards" else range(n)
    return Sample(text, problem.right, problem.prompt, token_ids=ids, group=group)


def answer_of(problem: Problem, *, right: bool) -> str:
    """Return the shortest completion that gives an answer: one word."""
    return f"\\boxed{{{problem.right if right else problem.wrong[0]}}}"


def limit_of(subject: Subject) -> int:
    """Return the fact `max_length`, or say that it is missing."""
    if missing_facts(["max_length"], subject.facts):
        raise NotApplicable("say max_length= to try it")
    return int(subject.facts["max_length"])
