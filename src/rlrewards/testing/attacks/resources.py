"""Answers that cost a careless reward hours or gigabytes, and pay where it gives up."""

from __future__ import annotations

from collections.abc import Iterator

from rlrewards.testing.attack import ANSWER, VERDICT, NotAnswers, Trial, attack, on_answers, pair
from rlrewards.testing.envelopes import REASONING, best_envelope
from rlrewards.testing.problems import problems_for
from rlrewards.testing.subject import Subject

TOWERS = on_answers(
    "numbers too large to work out",
    "A power tower, a factorial or a product beyond all memory earns what a wrong number does.",
    NotAnswers((
        "9^{9^{9^{9}}}",
        "9**9**9**9",
        "10^{10}!",
        "(10^{10})!",
        "((99!)!)!",
        "10^{10^{10}}",
        "1e999999999",
        "2^{-10^{18}}",
        "\\binom{10^{9}}{5 \\cdot 10^{8}}",
        "\\prod_{k=1}^{10^{12}} k",
        "\\sum_{k=1}^{10^{15}} \\frac{1}{k^2}",
        "\\frac{10^{10^{9}}}{10^{10^{9}} + 1}",
        "\\sqrt[10^{9}]{9^{9^{9}}}",
        "99999999^{99999999}",
        "\\int_0^\\infty e^{-x^{x^x}} \\, dx",
    ), questions=1),
    not_kinds=["choice"],
)  # fmt: skip
NESTING = on_answers(
    "deep nesting",
    "Hundreds of brackets, fractions or braces around a wrong value earn what it does.",
    NotAnswers((
        "(" * 900 + "0" + ")" * 900,
        "{" * 3000 + "0" + "}" * 3000,
        "[" * 1500,
        "\\frac{1}{1 + " * 140 + "1" + "}" * 140,
        "\\sqrt{" * 250 + "0" + "}" * 250,
        "-" * 1501 + "1",
        "2^{" * 400 + "2" + "}" * 400,
        "\\left(" * 300,
        "x^" * 900 + "2",
    ), questions=1),
    not_kinds=["choice"],
)  # fmt: skip


@attack(
    "A list of all small numbers or letters, the right one among them, earns what a list without "
    "it does.",
    kinds=ANSWER,
)
def _every_value_there_is(subject: Subject) -> Iterator[Trial]:
    form = best_envelope(subject)
    for problem in problems_for(subject):
        items = [f"{n}.5" for n in range(100)] + [str(n) for n in range(100)]
        items = [item for item in items if item not in (problem.right, *problem.wrong)]
        for joint in (", ", " ", " or ", "\n"):
            answers = (
                joint.join([*items[:150], value, *items[150:]])
                for value in (problem.right, problem.wrong[-1])
            )
            yield pair(subject, problem, *map(form.wrap, answers))


@attack(
    "Hundreds of thousands of characters with the right value somewhere among them earn what they "
    "do with a wrong one.",
    kinds=VERDICT,
)
def _enormous_completions(subject: Subject) -> Iterator[Trial]:
    problem = problems_for(subject)[0]
    filler = f"{REASONING}. " * 2000
    for template in (
        "{filler}{value} {filler}",
        "{filler}<think>{filler}{value}",
        "<answer>{filler}{value}{filler}</answer>",
        "\\boxed{{filler}{value}{filler}}",
        "\\boxed{{value}" + "{" * 100_000,
    ):
        texts = (
            template.replace("{value}", value).replace("{filler}", filler)
            for value in (problem.right, problem.wrong[-1])
        )
        yield pair(subject, problem, *texts)


ATTACKS = (TOWERS, NESTING, _every_value_there_is, _enormous_completions)
