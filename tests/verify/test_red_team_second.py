r"""Wrong answers in the newer notations: none of them may be EQUAL.

The reference stands first, the answer behind it. What belongs together (the coordinates of one
solution, a value and its condition) stays together, and what is named keeps its name.
"""

from __future__ import annotations

import pytest

import rlrewards as rr

# Solutions of systems: the coordinates of one solution belong together.
SOLUTIONS_MIXED_UP = [
    ("x=1,y=2 or x=3,y=4", "x=1,y=4 or x=3,y=2"),
    (r"x=1,y=2 \text{ or } x=3,y=4", r"x=1,y=4 \text{ or } x=3,y=2"),
    ("x=1 and y=2 or x=3 and y=4", "x=3 and y=2 or x=1 and y=4"),
    ("x=1, y=2; x=3, y=4", "x=1, y=4; x=3, y=2"),
    ("x=1,y=2,x=3,y=4", "x=1,y=4,x=3,y=2"),
    ("x=1,y=-1; x=-1,y=1", "x=1,y=1; x=-1,y=-1"),
    ("p=2,q=3 or p=3,q=2", "p=2,q=2 or p=3,q=3"),
    ("x=0,y=1 or x=2,y=3 or x=4,y=5", "x=0,y=5 or x=2,y=1 or x=4,y=3"),
    ("x=1,2; y=3,4", "x=1,4; y=3,2"),
    ("x=1,2,y=3", "x=1,y=2,3"),
    ("x=1,y=2 or x=2", "x=2,y=2 or x=1"),
    ("x=2 (y=3), x=4 (y=5)", "x=2 (y=5), x=4 (y=3)"),
    ("x>1,y>2 or x<3,y<4", "x>1,y<4 or x<3,y>2"),
    ("x=1,y>2 or x=3,y>4", "x=1,y>4 or x=3,y>2"),
    ("x=0 or y=1, x=2 or y=3", "x=0 or y=3, x=2 or y=1"),
    (r"x=\pm1,y=\pm2", r"x=\pm1,y=\mp2"),
    ("(1,2),(3,4)", "x=1,y=4 or x=3,y=2"),
    ("(1,2),(3,4)", "(1,4),(3,2)"),
]

# A value and the condition under which it holds belong together.
CONDITIONS_MIXED_UP = [
    (r"1 \text{ for } a>0, 2\text{ for } a<0", r"2 \text{ for } a>0, 1\text{ for } a<0"),
    (r"1 \text{ if } a>0, 2\text{ if } a<0", r"2 \text{ if } a>0, 1\text{ if } a<0"),
    ("a if x>0, b if x<0", "b if x>0, a if x<0"),
    (r"1 \text{ for } a=0, 2 \text{ for } a=1", r"2 \text{ for } a=0, 1 \text{ for } a=1"),
    (r"x=1 \text{ if } a>0, x=2\text{ if } a<0", r"x=2 \text{ if } a>0, x=1\text{ if } a<0"),
    ("x=1,a>0 or x=2,a<0", "x=2,a>0 or x=1,a<0"),
    (r"x>0 \text{ if } a>0, x<0 \text{ if } a<0", r"x>0 \text{ if } a<0, x<0 \text{ if } a>0"),
    ("x=1 when y=2, x=3 when y=4", "x=1 when y=4, x=3 when y=2"),
    (r"5 \text{ when } x=3", r"3 \text{ when } x=5"),
    (r"2 \text{ for } n=1", r"1 \text{ for } n=2"),
    ("2, n=1", "1, n=2"),
    ("x+1, x>0", "x+1, x<0"),
    ("x+1", "x+1, x=5"),
    ("x+1", "x+1, x<x"),
    ("x+1", "x+1, x>5, x<3"),
]

# A point whose coordinates are named in another order is another point.
POINTS_TURNED_ROUND = [
    ("(1,2)", "(y,x)=(1,2)"),
    ("(1,2,3)", "(z,y,x)=(1,2,3)"),
    ("x=1,y=2", "(y,x)=(1,2)"),
    ("x=1,y=2", "(b,a)=(1,2)"),
    ("(y,x)=(1,2)", "x=1,y=2"),
    ("(x,y)=(1,2)", "y=1,z=2"),
    ("(1,2),(3,4)", "(y,x)=(1,2) or (y,x)=(3,4)"),
    ("(1,2),(3,4)", r"(y,x)\in\{(1,2),(3,4)\}"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", "(y,x)=(1,2)"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", r"x\in(1,2)"),
    ("x=-1,3", "(-1,3)"),
    ("(x,y)=(1,2)", "x=2,y=1"),
    ("(2,1)", "x=1,y=2"),
    ("A(1,2),B(3,4)", "A(3,4),B(1,2)"),
]

# Letters with subscripts that are given quantities, not constants of integration.
GIVEN_QUANTITIES = [
    (r"\frac{C_1 V}{C_1+C_2}", r"\frac{C_2 V}{C_1+C_2}"),
    (r"\frac{c_1 L}{c_1+c_2}", r"\frac{c_2 L}{c_1+c_2}"),
    (r"\frac{c_1}{c_2}x", r"\frac{c_2}{c_1}x"),
    ("x(c_1-c_2)", "x(c_2-c_1)"),
    ("m c_1 + n c_2", "m c_2 + n c_1"),
    ("y=C_1e^x+C_2e^{2x}", "y=Ae^x+Be^{3x}"),
    (r"y=C_1\cos x+C_2\sin x", r"y=A\cos x+A\sin x"),
]

# A size is no product, a time of day no ratio, a date no number of months.
NOT_WORKED_OUT = [
    (r"7 \times 9", r"9 \times 7"),
    (r"7 \times 9", "63"),
    (r"6 \times 10", r"5 \times 12"),
    ("4:30", "2:15"),
    ("4:30", "8:60"),
    ("4:30", "0.1333"),
    ("1:00", "1/0"),
    ("5 May", "5"),
    ("5 May", "x=5"),
    ("12 midnight", "12"),
    ("4:30 PM", "4:30 AM"),
]

# Thousands never start with 0: this is a decimal comma.
DECIMAL_COMMAS = [
    ("245", "0,245"),
    ("245", "0{,}245"),
    ("245", "0 245"),
    ("5", "0,005"),
    ("245000", "0,245,000"),
    ("1.2", "1,2"),
]

# The name that is given a value is part of the answer where the reference has one.
OTHER_NAMES = [
    (r"\angle A=60^\circ", r"\angle B=60^\circ"),
    (r"P(A)=\frac12", r"P(B)=\frac12"),
    ("E(X)=5", "E(Y)=5"),
    (r"\vec{a}=(1,2)", r"\vec{b}=(1,2)"),
    (r"\overline{AB}=5", r"\overline{BC}=5"),
    ("f(1)=5", "f(2)=5"),
    (r"\frac{dy}{dx}=5", r"\frac{dx}{dy}=5"),
    ("Range: [1,2]", "Domain: [1,2]"),
    ("a_5=3", "a_6=3"),
    (r"\cos\pi=-1, \sin\pi=0", r"\cos\frac{3\pi}{2}=0, \sin\frac{3\pi}{2}=-1"),
    (r"\cos\pi=-1, \sin\pi=0", "0, -1"),
    ("m=2,b=3", "(3,2)"),
    ("AB=5,BC=6", "6,5"),
    ("5", "Answer squared = 5"),
    ("5", r"\text{Wrong answer}=5"),
]

# A value written twice: each of the values must be the reference.
WRITTEN_TWICE = [
    ("5", "5 or 6"),
    ("0.5", r"50\%, 50"),
    ("3.14", "3.14 or 3.141"),
    ("5", "x=5, y=5"),
    ("50", r"50\%, 0.5"),
    (r"\pi/6", r"30^\circ or 30"),
]

WRONG = [
    *SOLUTIONS_MIXED_UP,
    *CONDITIONS_MIXED_UP,
    *POINTS_TURNED_ROUND,
    *GIVEN_QUANTITIES,
    *NOT_WORKED_OUT,
    *DECIMAL_COMMAS,
    *OTHER_NAMES,
    *WRITTEN_TWICE,
]

VERIFIER = rr.Verifier(budget_seconds=5.0, cache_size=0)


@pytest.mark.parametrize(("reference", "answer"), WRONG)
def test_a_wrong_answer_is_not_equal(reference: str, answer: str) -> None:
    verdict = VERIFIER.verify(answer, reference)
    assert not verdict, verdict.why
