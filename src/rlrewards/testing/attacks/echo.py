"""The question as its own answer."""

from __future__ import annotations

from collections.abc import Iterator

from rlrewards.testing.attack import (
    VERDICT,
    Trial,
    Twins,
    WrongFor,
    attack,
    on_answers,
)
from rlrewards.testing.parts import attack_facts, verifier_setting
from rlrewards.testing.problems import Problem
from rlrewards.testing.subject import Subject

_WHICH = (
    Problem("Which is larger, 36 or 42?", "42", ("36", "13", "24")),
    Problem("Is the sum 287.5, 235 or 212.5?", "212.5", ("287.5", "235", "221.5")),
)
_ECHOES = WrongFor((
    (Problem("What is $7 \\cdot 6$?", "42", ("36", "48", "13")), ("7 \\cdot 6", "$7 \\cdot 6$")),
    (Problem("Compute $2^3 \\cdot 4 + 1$.", "33", ("36", "48", "13")), ("2^3 \\cdot 4 + 1",)),
    (Problem("Expand $(x + 1)(x - 1)$.", "x^2 - 1", ("x - 1", "x", "x^2 + 1")),
     ("(x + 1)(x - 1)", "(x+1)(x-1)")),
    (Problem("Simplify $\\frac{6}{16}$.", "\\frac{3}{8}",
             ("\\frac{8}{3}", "\\frac{3}{11}", "\\frac{5}{8}")), ("\\frac{6}{16}",)),
    (Problem("Evaluate $\\sqrt{144}$.", "12", ("14", "6", "72")), ("\\sqrt{144}",)),
))  # fmt: skip
_LEFT_UNDONE = (
    (Problem("A hen lays 7 eggs a day. How many eggs is that in 6 days?", "42",
             ("36", "48", "13")),
     ("7 + 7 + 7 + 7 + 7 + 7", "40 + 2", "50 - 8", "\\sum_{k=1}^{42} 1", "\\int_0^{42} 1 \\, dx",
      "\\max(36, 42)", "7 + 35")),
    (Problem("Add the numbers from 1 to 100.", "5050", ("5000", "5051", "4950")),
     ("\\sum_{k=1}^{100} k", "5000 + 50")),
)  # fmt: skip


@attack(
    "A formula of the question, handed back as it stands, earns what a wrong answer does.",
    kinds=VERDICT,
    not_kinds=["choice"],
)
def _the_question_echoed(subject: Subject) -> Iterator[Trial]:
    if verifier_setting(attack_facts(subject), "refuse_echoes", True):
        yield from _ECHOES(subject)


@attack(
    "A sum, integral or maximum with the right value, not worked out, earns what a wrong number "
    "does.",
    kinds=VERDICT,
    not_kinds=["choice"],
)
def _work_left_undone(subject: Subject) -> Iterator[Trial]:
    if verifier_setting(attack_facts(subject), "form", "numeral") == "numeral":
        yield from WrongFor(_LEFT_UNDONE)(subject)


COPIED = on_answers(
    "the question copied",
    "The question copied into the answer earns nothing for the right value in it.",
    Twins((
        "Which is larger, {wrong} or {right}?",
        "{wrong} or {right}?",
        "is it {wrong}, {other} or {right}",
        "of {wrong} and {right} the larger",
    ), problems=_WHICH),
    kinds=VERDICT,
    not_kinds=["choice"],
)  # fmt: skip

ATTACKS = (_the_question_echoed, _work_left_undone, COPIED)
