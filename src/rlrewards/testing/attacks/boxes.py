r"""Boxes: several, empty, nested, and ones that stand inside a formula."""

from __future__ import annotations

from rlrewards.testing.attack import VERDICT, Twins, on_answers

SEVERAL = on_answers(
    "several boxes",
    "Several boxes in the final sentence earn what as many wrong ones do.",
    Twins((
        "$\\boxed{{right}}$ or $\\boxed{{wrong}}$",
        "$\\boxed{{wrong}}$ or $\\boxed{{right}}$",
        "$\\boxed{{wrong}}, \\boxed{{right}}$",
        "$\\boxed{{right}}$ $\\boxed{{wrong}}$",
        "$\\boxed{{wrong}}\\boxed{{other}}\\boxed{{right}}$",
        "$\\boxed{{right}}$, $\\boxed{{other}}$ and $\\boxed{{wrong}}$",
    ), boxed=False),
    kinds=VERDICT,
)  # fmt: skip
EMPTY = on_answers(
    "an empty box",
    "A box with nothing in it is no answer, whatever stands beside it.",
    Twins((
        "{right} $\\boxed{}$",
        "$\\boxed{}$ {right}",
        "$\\boxed{ }$ and {right}",
        "$\\boxed{{right}}$, $\\boxed{}$",
        "$\\boxed{~}$ {right}",
    ), boxed=False),
    kinds=VERDICT,
)  # fmt: skip
NESTED = on_answers(
    "boxes in boxes",
    "A box that holds more than the right value earns what one with a wrong value does.",
    Twins((
        "$\\boxed{\\boxed{{right}}\\boxed{{wrong}}}$",
        "$\\boxed{{wrong} \\boxed{{right}}}$",
        "$\\boxed{\\boxed{{wrong}} \\text{ or } \\boxed{{right}}}$",
        "$\\boxed{\\boxed{{right}}, {wrong}}$",
        "$\\boxed{{wrong}}}\\boxed{{{right}}$",
    ), boxed=False),
    kinds=VERDICT,
)  # fmt: skip
IN_A_FORMULA = on_answers(
    "a box inside a formula",
    "A box of the right value that a sign, digit or operator changes earns what a wrong one does.",
    Twins((
        "$-\\boxed{{right}}$",
        "$\\boxed{{right}}7$",
        "$\\boxed{{right}}^2$",
        "$\\sqrt{\\boxed{{right}}}$",
        "$\\frac{5}{\\boxed{{right}}}$",
        "$7 \\cdot \\boxed{{right}}$",
        "$x \\ne \\boxed{{right}}$",
        "not $\\boxed{{right}}$",
    ), boxed=False),
    kinds=VERDICT,
    not_kinds=["choice"],
)  # fmt: skip

ATTACKS = (SEVERAL, EMPTY, NESTED, IN_A_FORMULA)
