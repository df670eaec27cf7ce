r"""Wrong answers that tried to earn the reward through the trees: none of them may be EQUAL.

Each table holds one way of cheating. The reference stands first, the answer behind it.
"""

from __future__ import annotations

import pytest

import rlrewards as rr

# A chain joins values by signs that each forgive something (per cent, a unit, degrees, a rounding),
# so that one answer would hit several numbers.
CHAINS_THAT_HEDGE = [
    ("5", r"0.05 = 5\% = 5"),
    ("0.5", r"50 = 50\% = 0.5"),
    ("50", r"0.5 = 50\% = 50"),
    ("40", r"x = 0.4 = 40\% = 40"),
    ("x=40", r"x=0.4=40\%=40"),
    ("50", r"5 = 5\text{ cm} = 50\text{ mm} = 50"),
    ("35", r"5 = 5\text{ weeks} = 35\text{ days} = 35"),
    ("12", r"1 = 1\text{ ft} = 12\text{ in} = 12"),
    ("7200", r"120=120\text{ min}=2\text{ h}=2=2\text{ h}=120\text{ min}=7200\text{ s}=7200"),
    (r"\$40", r"0.4=\$0.40=40\text{ cents}=40"),
    ("30", r"\frac{\pi}{6} = 30^\circ = 30"),
    (r"\frac{\pi}{6}", r"30 = 30^\circ = \frac{\pi}{6}"),
    ("1", r"1.00 = \frac{301}{300}"),
    ("1000", r"1000 = 1.00e3 = \frac{3010}{3}"),
    ("(1,40)", r"(1, 0.4=40\%=40)"),
    ("1,40", r"1, 0.4=40\%=40"),
    ("5 cm", r"5\text{ m} = 5 = 5\text{ cm}"),
    ("13", "13_5=13"),
    ("5", "17=5"),
    ("5", r"4.6 \approx 5"),
    ("5", "x=5=6"),
]

# The element of a set stands for all that it says: only a lone letter is a name.
SET_BUILDERS = [
    (r"\{(t,2t)\mid t\in\mathbb{R}\}", r"\{(t,3t)\mid t\in\mathbb{R}\}"),
    (r"\{(t,2t,3t)\mid t\in\mathbb{R}\}", r"\{(1,t,0)\mid t\in\mathbb{R}\}"),
    (r"\{t(1,2) : t\in\mathbb{R}\}", r"\{t(1,3) : t\in\mathbb{R}\}"),
    (r"\{x+1\mid x>0\}", r"\{2x\mid x>0\}"),
    (r"\{x+1\mid x>0\}", r"\{x^2\mid x>0\}"),
    (r"\{x+iy \mid x>0\}", r"\{x-iy\mid x>0\}"),
    (r"\{2^n \mid n\in\mathbb{R}\}", r"\{3^n\mid n\in\mathbb{R}\}"),
    (r"\{x^2\mid x\in\mathbb{N}, x<5\}", r"\{x^3\mid x\in\mathbb{N}, x<5\}"),
    (r"\{2k \mid k\in\mathbb{Z}, k>0\}", r"\{3k \mid k\in\mathbb{Z}, k>0\}"),
    (r"\{a+b\sqrt2 \mid a,b\in\mathbb{Q}\}", r"\{a+b\sqrt3 \mid a,b\in\mathbb{Q}\}"),
    (r"\{(x,y)\mid y=2x\}", r"\{(y,x)\mid y=2x\}"),
    (r"\{(x,y)\mid y=2x\}", r"\{(a,b)\mid y=2x\}"),
    (r"\{(x,y)\mid x>y\}", r"\{(y,x)\mid x>y\}"),
    (r"\{x\mid f(x)>0\}", r"\{2\mid f(2)>0\}"),
    (r"\{2^n \mid n\in\mathbb{N}\}", r"\{3^n\mid n\in\mathbb{N}\}"),
    (r"\{x \mid x>2\}", r"\{x \in \mathbb{Z} \mid x>2\}"),
]

# What an integer parameter may do: number the values of a family, nothing else. A point or an
# interval is one value, whose parts stay together and in order.
FAMILIES = [
    (r"(k,2k),k\in\mathbb{Z}", r"(n,3n),n\in\mathbb{Z}"),
    (r"(k,2k),k\in\mathbb{Z}", r"(2k,k),k\in\mathbb{Z}"),
    (r"(k,-k),k\in\mathbb{Z}", r"k,k\in\mathbb{Z}"),
    (
        r"(\frac{k\pi}{2}+\frac{\pi}{4},0),k\in\mathbb{Z}",
        r"(0,\frac{k\pi}{2}+\frac{\pi}{4}),k\in\mathbb{Z}",
    ),
    (
        r"[k\pi-\frac\pi3,k\pi+\frac\pi6](k\in\mathbb{Z})",
        r"[k\pi+\frac\pi6,k\pi+\frac{2\pi}3](k\in\mathbb{Z})",
    ),
    (
        r"[k\pi-\frac\pi3,k\pi+\frac\pi6](k\in\mathbb{Z})",
        r"(k\pi-\frac\pi3,k\pi+\frac\pi6)(k\in\mathbb{Z})",
    ),
    (r"(2k\pi,2k\pi+\pi),k\in\mathbb{Z}", r"(2k\pi-\pi,2k\pi),k\in\mathbb{Z}"),
    (r"(2k\pi,2k\pi+\pi),k\in\mathbb{Z}", r"(k\pi,k\pi+\pi),k\in\mathbb{Z}"),
    (r"(2k\pi,2k\pi+\pi),k\in\mathbb{Z}", r"(2k\pi+\pi,2k\pi),k\in\mathbb{Z}"),
    (r"(2k\pi,2k\pi+\pi),k\in\mathbb{Z}", r"k\pi,k\in\mathbb{Z}"),
    (r"2k\pi<x<2k\pi+\pi,k\in\mathbb{Z}", r"2k\pi<x<2k\pi+2\pi,k\in\mathbb{Z}"),
    (r"x\ne k\pi,k\in\mathbb{Z}", r"k\pi,k\in\mathbb{Z}"),
    ("x>2", r"x>2, x\in\mathbb{Z}"),
    ("x>2", r"x>2, x\in\mathbb{N}"),
    (r"x>2, x\in\mathbb{Z}", "x>2"),
    (r"0<x<5, x\in\mathbb{Z}", "0<x<5"),
    (r"x\ne0", r"x\ne0, x\in\mathbb{Z}"),
    ("x^2=4", r"x^2=4, x\in\mathbb{N}"),
    ("x^2+y^2=1", r"x^2+y^2=1, x\in\mathbb{Z}"),
    ("x^2", r"x^2, x\in\mathbb{N}"),
    ("(0,5)", r"0<x<5, x\in\mathbb{Z}"),
    (r"x=k\pi, k\in\mathbb{Z}", r"x=k\pi, k>0, k\in\mathbb{Z}"),
    (r"k\pi, k\in\mathbb{Z}", r"2k\pi, k\in\mathbb{Z}"),
    (r"x\equiv 1 \pmod 5", r"x\equiv 1 \pmod 0"),
    (r"x\equiv 5 \pmod 7", r"x\equiv 5 \pmod{14}"),
]

# A subscript that names the index depends on it; so does a function without its argument.
BOUND_SUBSCRIPTS = [
    (r"\sum_{i=1}^n x_i", "n x_i"),
    (r"\sum_{i=1}^n x_i", r"\sum_{j=1}^n x_i"),
    (r"\sum_{k=1}^n a_{k+1}", r"\sum_{j=1}^n a_{k+1}"),
    (r"\sum_{i=1}^n x_i y_i", r"x_i\sum_{i=1}^n y_i"),
    (r"\sum_{i=1}^n a_{ij}", r"\sum_{k=1}^n a_{ij}"),
    (r"\sum_{k=1}^n k x_k", r"\frac{n(n+1)}{2}x_k"),
    (r"\prod_{i=1}^n x_i", "x_i^n"),
    (r"\lim_{n\to\infty} a_n", "a_n"),
    (r"\lim_{n\to\infty} a_n", r"\lim_{m\to\infty} a_n"),
    (r"\lim_{n\to\infty} \frac{a_n}{n}", "0"),
    (r"\sum_{k=1}^n a_k", r"\sum_{k=1}^n b_k"),
    (r"\sum_{k=1}^n \sum_{j=1}^n f(k,j)", r"\sum_{k=1}^n \sum_{j=1}^n f(j,k)"),
    (r"\frac{dy}{dx}", "0"),
]

# Signs that are one for numbers are two for vectors and for statements.
SIGNS_THAT_DIFFER = [
    (r"\vec a\cdot\vec b", r"\vec a\times\vec b"),
    (r"\vec a\times\vec b", r"\vec b\times\vec a"),
    (r"\vec a\times\vec b", r"\vec a\vec b"),
    (r"\mathbf{a}\times\mathbf{b}", r"\mathbf{a}\cdot\mathbf{b}"),
    (r"\mathbf{a}\times\mathbf{b}", r"\mathbf{b}\times\mathbf{a}"),
    (r"|\vec a\times\vec b|", r"|\vec a\cdot\vec b|"),
    (r"\vec a\times(\vec b\times\vec c)", r"(\vec a\times\vec b)\times\vec c"),
    (r"(\vec a\cdot\vec b)\vec c", r"\vec a(\vec b\cdot\vec c)"),
    (r"\hat i\times\hat j", r"\hat i\cdot\hat j"),
    (r"p\land q", r"p\lor q"),
]

# Two names are not one name, and a name is not given what another one has.
NAMES = [
    ("x=1,x=2", "x=1,y=2"),
    ("x=1,2", "y=1,z=2"),
    ("x=1,2", "1, y=2"),
    ("x=1 or x=2", "x=1 or y=2"),
    (r"x=\pm1", "x=1,y=-1"),
    ("ab", "AB"),
    ("xy", "XY"),
    ("ABC", "abc"),
    ("x=1,y=2", "x=2,y=1"),
    ("5 cm, 6 kg", "6, 5"),
    ("5 apples, 6 oranges", "6, 5"),
]

# |f| is f where f is positive, and a point or two cannot tell.
FUNCTIONS_THAT_BEND = [
    (r"\ln(2x)", r"|\ln(2x)|"),
    (r"\ln(x+4)", r"|\ln(x+4)|"),
    (r"\ln(x+4)", r"\sqrt{\ln^2(x+4)}"),
    (r"\ln(x+4)", r"\max(\ln(x+4),0)"),
    (r"\sqrt{x+3}-1", r"|\sqrt{x+3}-1|"),
    (r"\arctan x+\frac32", r"|\arctan x+\frac32|"),
    (r"\cos(3x+6)", r"|\cos(3x+6)|"),
    (r"\sin(\pi\sqrt{x})", r"|\sin(\pi\sqrt{x})|"),
    (r"\sin(\pi\sqrt[3]{n})", r"|\sin(\pi\sqrt[3]{n})|"),
    (r"\cos(\frac{n\pi}{13})", r"|\cos(\frac{n\pi}{13})|"),
    ("6n!-2", "|6n!-2|"),
    (r"\gcd(n,6)", r"\gcd(n,42)"),
    (r"\gcd(n,6)", r"\gcd(n,6\cdot 97)"),
    (
        r"\lfloor -\frac{\arctan(e)}{\ln(x)}\rfloor",
        r"\lfloor -\frac{\arctan(1)}{\ln(x)}\rfloor",
    ),
    (
        r"\lfloor \ln(n)+\frac{6}{n}\rfloor",
        r"\lfloor \lfloor \ln(n)\rfloor+\frac{6}{n}\rfloor",
    ),
    ("(x-x)^2+x", "|x|"),
    (r"\sqrt{x-x}", r"\sqrt{|x|-x}"),
    ("x", r"e^{\ln x}"),
    ("|x|", r"x+\ln x-\ln x"),
    ("x", r"\lfloor x\rfloor"),
    ("x", r"\min(x,10^{30})"),
    ("x", r"x+\lfloor (x/10^{9})^2\rfloor"),
    ("(-1)^n n", r"(-1)^n n + \lfloor (n/64)^2\rfloor"),
    (r"\ln|x|+C", r"\ln x+C"),
]

# Words and brackets.
TEXTS_AND_BRACKETS = [
    ("x is greater than -.5 always", "x is greater than -5 always"),
    ("increased by .5 percent of all x values", "increased by 5 percent of all x values"),
    ("there are 5! possible ways to do that thing", "there are 5 possible ways to do that thing"),
    ("A", "A: false"),
    ("A", "A. None of these"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", "(1,2]"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", "]1,2["),
    ("1,1,2", r"\{1,2\}"),
    ("5 apples", "5 per apple"),
    ("5", r"5\text{ is wrong}"),
    ("5", r"5 \text{ or } 6"),
    ("5", "5 half"),
    ("5", r"\boxed{5} \boxed{6}"),
    ("5", r"5 \pm 0"),
    ("5", r"x\neq 5"),
    ("5", r"\{5,6\}"),
    (r"\infty", r"\infty-\infty"),
    ("1", "0/0"),
    ("1", r"\frac{x-x}{x-x}"),
    ("1/0", "2/0"),
    ("x^2+C", "x^2+C^2"),
    ("x^2+C", "x^2+Cx"),
    ("60^\\circ", r"60\text{ rad}"),
]

WRONG = [
    *CHAINS_THAT_HEDGE,
    *SET_BUILDERS,
    *FAMILIES,
    *BOUND_SUBSCRIPTS,
    *SIGNS_THAT_DIFFER,
    *NAMES,
    *FUNCTIONS_THAT_BEND,
    *TEXTS_AND_BRACKETS,
]


@pytest.mark.parametrize(("reference", "answer"), WRONG)
def test_a_wrong_answer_is_never_equal(reference: str, answer: str) -> None:
    verdict = rr.verify(answer, reference)
    assert verdict.status is not rr.Status.EQUAL, verdict.why
