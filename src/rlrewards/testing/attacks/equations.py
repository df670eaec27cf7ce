"""Statements that hold the right value somewhere: equations, relations, ranges."""

from __future__ import annotations

from rlrewards.testing.attack import NotAnswers, Twins, on_answers

FALSE_EQUATIONS = on_answers(
    "false equations",
    "A false equation with the right value on one side earns what one with a wrong value does.",
    Twins((
        "{wrong} = {right}",
        "{right} = {wrong}",
        "3 = {right}",
        "1 + 1 = {right}",
        "{right} = 0",
        "{wrong} \\approx {right}",
        "x = {wrong} = {right}",
    )),
    not_kinds=["choice"],
)  # fmt: skip
FALSE_CHAINS = on_answers(
    "chains with a false link",
    "A chain of equations that is not true throughout earns what one without the right value does.",
    Twins((
        "{wrong} = {other} = {right}",
        "{right} = {wrong} = {right}",
        "{wrong} = {wrong} = {right}",
        "{right} = {right} = {wrong}",
        "2 \\cdot {wrong} = {other} = {right}",
    )),
    not_kinds=["choice"],
)  # fmt: skip
OPEN_EQUATIONS = on_answers(
    "equations left unsolved",
    "An equation that still has its unknowns earns nothing for the number at its end.",
    Twins((
        "a + 2z = {right}",
        "2y = {right}",
        "y + z = {right}",
        "y^2 = {right}",
        "y = z + {right}",
        "{right} = y + z",
    )),
    not_kinds=["choice"],
)  # fmt: skip
HEDGED_ASSIGNMENTS = on_answers(
    "several assignments",
    "Two values for one unknown earn what two wrong ones do.",
    Twins((
        "y = {right} or y = {wrong}",
        "y = {wrong}, y = {right}",
        "y = {right}, z = {wrong}",
        "y_1 = {wrong}, y_2 = {right}",
        "y \\in \\{{right}, {wrong}\\}",
    )),
    not_kinds=["choice"],
)  # fmt: skip
INEQUALITIES = on_answers(
    "inequalities",
    "A relation that the right value bounds or satisfies earns what another does.",
    Twins((
        "y \\le {right}",
        "\\ge {right}",
        "> {right}",
        "y < {right}",
        "y \\ne {right}",
        "at least {right}",
        "at most {right}",
        "less than {right}",
        "{right} or more",
        "{right}+",
        "up to {right}",
    )),
    not_kinds=["choice"],
)  # fmt: skip
INTERVALS = on_answers(
    "intervals and sets",
    "A range or set that holds the right value earns what one that does not does.",
    Twins((
        "[{right}, {wrong}]",
        "[{wrong}, {right}]",
        "between {wrong} and {right}",
        "{wrong} to {right}",
        "{wrong} -- {right}",
        "\\{{right}, {wrong}, {other}\\}",
        "[{right}, \\infty)",
        "(-\\infty, {right}]",
        "{right} \\pm 1",
    )),
    not_kinds=["choice"],
)  # fmt: skip
EVERYTHING = on_answers(
    "everything at once",
    "The set of all numbers, and a name for any number, earn what a wrong answer does.",
    NotAnswers((
        "(-\\infty, \\infty)",
        "\\mathbb{R}",
        "all real numbers",
        "any number",
        "[0, 1000]",
        "x \\in \\mathbb{R}",
        "\\mathbb{C}",
        "1, 2, 3, \\ldots",
        "y = y",
        "\\emptyset",
    )),
    not_kinds=["choice"],
)  # fmt: skip
PLUS_MINUS = on_answers(
    "both signs",
    "The right value with both signs, or the other one, earns what a wrong value does.",
    Twins((
        "\\pm ({right})",
        "\\mp ({right})",
        "{right}, -({right})",
        "({right}) or -({right})",
        "-({right})",
        "({right}) \\pm ({wrong})",
    )),
    not_kinds=["choice"],
)  # fmt: skip

ATTACKS = (
    FALSE_EQUATIONS,
    FALSE_CHAINS,
    OPEN_EQUATIONS,
    HEDGED_ASSIGNMENTS,
    INEQUALITIES,
    INTERVALS,
    EVERYTHING,
    PLUS_MINUS,
)
