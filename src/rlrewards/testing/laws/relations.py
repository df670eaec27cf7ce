"""The law of equations, inequalities, intervals and sets: who gives the answer does not matter.

These are where a comparison easily takes its two sides apart in different ways.
"""

from __future__ import annotations

from itertools import combinations

from rlrewards.testing.law import ensure, law
from rlrewards.testing.subject import Subject

RELATIONS = (
    *("x > 2", "(2, \\infty)", "1 < x < 2", "(1, 2)", "\\{1, 2\\}", "1, 2", "x = 3", "3"),
    *("x^2 = 4", "-2, 2", "4", "2 + 2 = 4", "5", "5\\%", "x = 1 \\text{ or } x = 2"),
)


@law(
    "Of an equation, inequality, interval or set and another, it does not matter which is the "
    "reference.",
    kinds="verifier",
    name="relations compare alike both ways",
)
def _alike(subject: Subject) -> None:
    pairs = sorted(combinations(RELATIONS, 2), key=lambda pair: len("".join(pair)))
    for one, other in pairs:
        there, back = subject.said(one, other), subject.said(other, one)
        ensure(
            there == back,
            f"{one!r} for the reference {other!r} is {'right' if there else 'wrong'}, {other!r} "
            f"for {one!r} is {'right' if back else 'wrong'}",
        )


LAWS = (_alike,)
