"""Equations told apart by a solution of one that is none of the other."""

import pytest

from rlrewards.verify.comparisons.equations import _difference
from rlrewards.verify.comparisons.solutions import has_another_solution
from rlrewards.verify.parse import parse


def apart(gold, ours):
    return has_another_solution(_difference(parse(gold)), _difference(parse(ours)))


@pytest.mark.parametrize(
    ("gold", "ours"),
    [
        (r"\sin x=\frac13", r"\cos x=\frac13"),
        (r"\sqrt{x}=2", r"\sqrt{x}=3"),
        ("|x|=3", "x^2=4"),
        (r"\ln y=x+2", "y=e^{x+1}"),
        (r"\tan x=1", r"\tan x=2"),
    ],
)
def test_told_apart(gold, ours):
    assert apart(gold, ours)


@pytest.mark.parametrize(
    ("gold", "ours"),
    [
        ("xy=1", "y=1/x"),
        ("|x|=2", "x^2=4"),
        (r"\ln y=x+2", "y=e^{x+2}"),
        (r"\lfloor x\rfloor=1", "x=1"),  # it jumps: a change of sign proves nothing
        ("1/x=0", "x=5"),  # changes its sign at a pole only
        ("x^2+1=0", "x=5"),  # no real solution at all
        ("x+y+z+w=1", "x=2"),  # too many names
    ],
)
def test_not_told_apart(gold, ours):
    assert not apart(gold, ours)
