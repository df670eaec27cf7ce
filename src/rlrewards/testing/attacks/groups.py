"""Completions that are there for what they do to the scores of others."""

from __future__ import annotations

from collections.abc import Iterator

from rlrewards.core import Sample
from rlrewards.testing.attack import Trial, attack
from rlrewards.testing.envelopes import best_envelope
from rlrewards.testing.problems import problems_for
from rlrewards.testing.subject import Subject


@attack(
    "A very long or very short completion of another prompt changes no score.",
    kinds=["pointwise", "grouped"],
    not_kinds=["verifier"],
)
def _company_of_another_prompt(subject: Subject) -> Iterator[Trial]:
    form = best_envelope(subject)
    problem, other = problems_for(subject)[:2]
    sibling = problem.sample(form.wrap(problem.wrong[0]), token_ids=range(12))
    lengths = ((problem.right, 10), (problem.right, 14), (problem.wrong[-1], 10))
    for answer, tokens in lengths:
        mine = problem.sample(form.wrap(answer), token_ids=range(tokens))
        for text, length in (("", 0), (form.wrap(other.right), 8), ("word " * 5000, 5000)):
            company = (sibling, other.sample(text, token_ids=range(length)))
            yield Trial(mine, mine, company=company, beside=(sibling,))


@attack(
    "A very long completion of the same prompt lifts no wrong one above what it scores among its "
    "equals.",
    kinds=["pointwise", "grouped"],
    not_kinds=["verifier"],
)
def _a_long_sibling(subject: Subject) -> Iterator[Trial]:
    form = best_envelope(subject)
    problem = problems_for(subject)[0]
    text = form.wrap(problem.wrong[-1])

    def wrong(length: int) -> Sample:
        return problem.sample(text, token_ids=range(length))

    for length in (100, 5000):
        yield Trial(wrong(10), wrong(10), company=(wrong(length),), beside=(wrong(10),))
        yield Trial(
            wrong(10),
            wrong(10),
            company=(problem.sample("word " * length, token_ids=range(length)), wrong(10)),
            beside=(wrong(10), wrong(10)),
        )


ATTACKS = (_company_of_another_prompt, _a_long_sibling)
