r"""The table "What is equal" as data: reference left, answer right, through the whole ladder."""

import pytest

import rlrewards as rr
from rlrewards.verify.verdict import Status

EQUAL, DIFFERENT, UNDECIDED = Status.EQUAL, Status.DIFFERENT, Status.UNDECIDED
DEFAULT = rr.Verifier(budget_seconds=5.0, cache_size=0)
ANY_FORM = rr.Verifier(budget_seconds=5.0, cache_size=0, form="any")


BOTH_WAYS_EQUAL = [
    # numbers and constants
    (r"\frac12", r"\frac24"),
    (r"\frac95", r"1\frac45"),
    (r"-\frac{1}{2}", "-0.5"),
    ("3.5", r"\frac72"),
    ("0.1", r"\frac{1}{10}"),
    ("5000", r"5\times10^3"),
    ("1024", "2^{10}"),
    ("2", r"\sqrt[3]{8}"),
    ("-2", r"\sqrt[3]{-8}"),
    (r"\frac{1}{\sqrt2}", r"\frac{\sqrt2}{2}"),
    (r"2\sqrt3", r"\sqrt{12}"),
    (r"\frac{1+\sqrt5}{2}", r"\frac{\sqrt5}{2}+\frac12"),
    (r"\sqrt{3+2\sqrt2}", r"1+\sqrt2"),
    (r"\ln 8", r"3\ln 2"),
    (r"\frac{\pi}{4}", r"\arctan 1"),
    ("2*pi", r"2\pi"),
    ("sqrt(2)", r"\sqrt{2}"),
    (r"\infty", r"+\infty"),
    # complex
    ("1+i", r"\frac{2}{1-i}"),
    ("(1+i)^2", "2i"),
    (r"\sqrt{-3}", r"i\sqrt3"),
    (r"e^{i\pi/3}", r"\frac12+\frac{\sqrt3}{2}i"),
    # expressions
    ("x+x", "2x"),
    ("(x+1)^2", "x^2+2x+1"),
    ("x(x+1)", "x^2+x"),
    ("x^2", "x*x"),
    ("1/(2x)", r"\frac{1}{2x}"),
    ("3xy", "3yx"),
    (r"\frac{x^2-1}{x-1}", "x+1"),
    (r"\sqrt{x^2}", "|x|"),
    ("x^{2/3}", r"\sqrt[3]{x^2}"),
    (r"x^{1/3}", r"\sqrt[3]{x}"),
    (r"a \sqrt[4]{a}", r"\sqrt{a} \sqrt[4]{a^{3}}"),
    (r"2\sin x\cos x", r"\sin 2x"),
    (r"\sin^{-1}x", r"\arcsin x"),
    (r"\sin^2\theta", r"1-\cos^2\theta"),
    (r"\frac{n(n+1)}{2}", r"\binom{n+1}{2}"),
    ("n!", r"n\cdot(n-1)!"),
    ("x_1+x_{2}", "x_2+x_{1}"),
    (r"\frac{1}{2} m v^2", "0.5mv^2"),
    ("e^{x+y}", r"e^x e^y"),
    (r"\log_2 x", r"\frac{\ln x}{\ln 2}"),
    # relations
    ("2x+y=3", "4x+2y=6"),
    ("x^2+y^2=1", "x^2+y^2-1=0"),
    ("y=2x+1", "2x-y+1=0"),
    ("a<b", "b>a"),
    ("2x+y<3", "6>4x+2y"),
    # sets and regions
    (r"(-\infty,1)\cup(2,\infty)", "x<1 or x>2"),
    (r"(-\infty,1)\cup(2,\infty)", r"(2,\infty)\cup(-\infty,1)"),
    ("(1,2)", "1<x<2"),
    (r"[1,\infty)", r"x \ge 1"),
    (r"x\in(0,1)", "0<x<1"),
    ("2 > x", r"(-\infty, 2)"),
    (r"x \neq 3", r"(-\infty,3)\cup(3,\infty)"),
    (r"[0,\sqrt{4}]", "[0,2]"),
    (r"\mathbb{R}", r"(-\infty,\infty)"),
    (r"\mathbb{R}", "all real numbers"),
    (r"\varnothing", "no solution"),
    (r"\emptyset", r"\{\}"),
    (r"\{1,1,2\}", r"\{2,1\}"),
    ("1,2", r"\{2,1\}"),
    (r"\sqrt2, -\sqrt2", r"-\sqrt2, \sqrt2"),
    # several values
    (r"\pm5", "5,-5"),
    (r"\frac{-3\pm\sqrt5}{2}", r"\frac{-3+\sqrt5}{2}, \frac{-3-\sqrt5}{2}"),
    ("x=-1,3", "x=-1 or x=3"),
    ("x=-1,3", "3, -1"),
    ("x=1,y=2", "y=2,x=1"),
    ("x=1,y=2", "(1,2)"),
    ("1, 2, and 3", "1, 3, 2"),
    # notation
    (r"\frac13", r"0.\overline{3}"),
    (r"\frac16", r"0.1\overline{6}"),
    (r"\frac{61}{30}", r"2.0\overline{3}"),
    (r"\frac17", r"0.\overline{142857}"),
    (r"\frac12", r"{1 \over 2}"),
    (r"\frac73", r"2{1 \over 3}"),
    (r"\sqrt{x}", r"x^{1 \over 2}"),
    ("5", r"\binom51"),
    ("5", r"\large 5"),
    ("5", r"\underline{5}"),
    (r"x\neq 1", r"x\not=1"),
    (r"x\neq 1", r"x\not= 1"),
    ("(2.5,4)", r"\approx(2.5,4)"),
    (r"\frac{ab}{3}", r"\frac13 ba"),
    ("40, 200", "200, 40"),
    # several inequalities are what all of them say
    ("(0,1)", "x<1 and x>0"),
    ("(0,1)", "x<1,x>0"),
    ("0<x<1", "x>0, x<1"),
    (r"(0,3)\cup(3,\infty)", r"x>0, x\ne 3"),
    (r"\{x\mid x<2\}", "x<2"),
    (r"\{x\in\mathbb{R} : x<2\}", r"(-\infty,2)"),
    # words for sets
    (r"\varnothing", "none"),
    ("no solution", "no real solutions"),
    (r"\emptyset", r"\text{No real solutions.}"),
    ("(-\\infty,\\infty)", "all real numbers"),
    # kinks
    (r"\sqrt{x^2+2x+1}", "|x+1|"),
    ("|x-1|+|x+1|", "|x+1|+|1-x|"),
    (r"\sqrt{x^2+y^2-2xy}", "|x-y|"),
    (r"\sqrt{1000^2+x^2}", r"\sqrt{x^2+1000000}"),
    # tuples and matrices
    ("(1,2)", "1,2"),
    ("(1,2)", r"\langle 1,2\rangle"),
    ("(1,2)", r"\begin{pmatrix}1\\2\end{pmatrix}"),
    (r"(\frac12, \sqrt{4})", "(0.5, 2)"),
    (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{bmatrix}1&2\\3&2^2\end{bmatrix}"),
    (r"\begin{pmatrix}x+x\\3\end{pmatrix}", r"\left[\begin{array}{l}2x \\ 3\end{array}\right]"),
    # bases, ratios, units, families, cases
    ("1101_2", "(1101)_2"),
    ("11:4", "22:8"),
    ("11:4", "11 to 4"),
    ("1:2:3", "2:4:6"),
    ("5 cm", "50 mm"),
    ("500 g", "0.5 kg"),
    ("2 h 30 min", "150 min"),
    (r"\$5", "5 dollars"),
    (r"30^\circ", r"\frac{\pi}{6}\text{ rad}"),
    (r"k\pi, k\in\mathbb{Z}", r"n\pi, n\in\mathbb{Z}"),
    (r"\frac{\pi}{4}+k\pi, k\in\mathbb{Z}", r"-\frac{3\pi}{4}+n\pi, n\in\mathbb{Z}"),
    (r"x\equiv 1 \pmod 5", r"x\equiv 6 \pmod 5"),
    (r"\mathbb{R}\setminus\{3\}", r"(-\infty,3)\cup(3,\infty)"),
    (
        r"\begin{cases}x & x>0 \\ 0 & x\le0\end{cases}",
        r"\begin{cases}0 & x\le0 \\ x & x>0\end{cases}",
    ),
    ("Even", r"\text{even}"),
    ("5 May", "May 5"),
]

EQUAL_ONE_WAY = [
    ("5", "x=5"),
    ("x=5", "5"),
    ("5", "5=x"),
    ("y=2x+1", "2x+1"),
    ("f(x)=x^2", "x^2"),
    ("(1,2)", "(x,y)=(1,2)"),
    ("(x,y)=(1,2)", "(1,2)"),
    ("(x,y)=(1,2)", "(x,y)=(1,2)"),
    ("5", "1+4=5"),
    ("5", "x=1+4=5"),
    (r"\log_6 216=3", "3"),
    (r"\pi", r"x=\pi\approx 3.14"),
    (r"\pi", r"x=\pi\approx3.14\approx3.1"),
    (r"\sqrt2", r"\sqrt2\approx1.41"),
    (r"\sqrt2", r"1.414\approx\sqrt2"),
    ("33.3", r"x=\frac{100}{3}\approx33.3"),
    (r"\frac13", r"\frac13\approx33\%"),
    (r"6.02\cdot10^{23}", r"6.02\cdot10^{23}\approx6\cdot10^{23}"),
    ("18.4", r"18.4\approx18"),
    ("x=2", r"2=1+1"),
    ("30", r"30^\circ"),
    ("50", r"50\%"),
    (r"\frac{\pi}{6}", r"30^\circ"),
    ("120", r"\binom{10}{3}"),
    ("120", "5!"),
    ("720", r"\frac{10!}{7!}"),
    ("-5", r"-\frac{10}{2}"),
    ("3.14", r"\pi"),
    ("0.333", r"\frac13"),
    (r"\frac13", "0.3333"),
    (r"\sqrt2", "1.4142"),
    (r"30^\circ", r"\frac{\pi}{6}"),
    (r"30^\circ", "30"),
    (r"\frac{1}{3}\%", r"\frac{1}{300}"),
    (r"50\%", r"\frac{1}{2}"),
    (r"\frac12", r"50\%"),
    ("x^2+C", "x^2+K"),
    ("x^2+C", "C+x^2+1"),
    (r"\ln|x|+C", r"\ln|2x|+C"),
    (r"\sin^2 x+C", r"-\cos^2 x+C"),
    ("(-1)^n", r"\cos(n\pi)"),
    (r"2\ln x", r"\ln x^2"),
    ("5", "five"),
    (r"2\sqrt2", r"\sqrt8\text{ cm}"),
    ("-1<x\\leq 1:(-1,1]", "(-1,1]"),
    ("-1<x\\leq 1:(-1,1]", "-1<x\\leq 1"),
    ("1101_2", "1101"),
]

NOT_EQUAL = [
    # values
    (r"\frac12", "0.54"),
    (r"\frac13", "0.33"),
    (r"\sqrt2", "1.41"),
    (r"\sqrt2", "1.4143"),
    ("3.14", "3.141"),
    ("2^{-98}", "2^{-99}"),
    ("1/2004!", "1/2006!"),
    ("0", "10^{-400}"),
    (r"\sqrt2", r"\sqrt2+10^{-50}"),
    (r"e^{\pi\sqrt{163}}", "262537412640768744"),
    (r"\sqrt2", r"\sqrt2+10^{-5000}"),
    (r"e^{5000}", "e^{5000}+1"),
    (r"e^{x}", "e^{x}+10^{-1000}"),
    (r"\infty", r"-\infty"),
    ("5", r"\infty"),
    ("2+i", "2-i"),
    ("4/5", r"1\frac45"),
    (r"\frac12", r"\frac12\%"),
    (r"30^\circ", "31"),
    # names
    ("2n", "2"),
    ("x", "y"),
    ("a", "A"),
    ("x_1", "x_2"),
    ("BAC", "CAB"),
    ("I^2 R", "-R"),
    (r"I_1 R", r"I_2 R"),
    (r"\gamma x", "0.57721566 x"),
    (r"\alpha", "a"),
    (r"\frac{\pi}{4}+k\pi", r"\frac{\pi}{4}+n\pi"),
    # expressions
    (r"\sqrt{x^2}", "x"),
    ("|x|", "x"),
    ("x+1", r"\frac{x^2-2}{x-1}"),
    ("a^{10}b", "a^{11}b"),
    (r"\lfloor x\rfloor", "x"),
    ("x^2+C", "x^2"),
    ("x^2+C", "x^3+C"),
    # relations
    ("x=5", "y=5"),
    ("x=5", "2x+3=13"),
    ("x=2", "x-2=0"),
    ("B", "A=B"),
    ("5", "4=5"),
    ("5", "1=2=3=5"),
    ("5", "x=4=5"),
    ("101", "a+2z=101"),
    # a chain hits one number
    ("17", r"17\approx18\approx19"),
    ("18", r"17\approx18\approx19"),
    ("19", r"17\approx18\approx19"),
    ("100", r"1\approx100"),
    ("18", r"17\in18\in19"),
    ("17", r"17\in18"),
    ("18", r"x=18\approx19"),
    ("19", r"x=18\approx19"),
    ("100", r"x=2=2\approx100"),
    ("x=2", r"x=1\approx2\approx3"),
    ("18", r"17.6\approx18\approx18.4"),
    ("18.4", r"17.6\approx18\approx18.4"),
    ("18", r"18.4\approx18"),
    (r"\sqrt2", r"\sqrt2\approx1.42"),
    (r"\pi", r"\pi\approx\frac{22}{7}"),
    ("(1,2)", "x=(3,4)=(1,2)"),
    (
        r"\begin{pmatrix}1\\2\end{pmatrix}",
        r"x=\begin{pmatrix}3\\4\end{pmatrix}=\begin{pmatrix}1\\2\end{pmatrix}",
    ),
    # a sign beside the number is no way round the form
    (r"50\%", "25+25"),
    ("50", r"(25+25)\%"),
    (r"30^\circ", "10+20"),
    (r"\frac{\pi}{6}", r"\frac{\pi}{6}^\circ"),
    ("0.5", r"0.5\%"),
    # kinks beyond where functions are usually compared
    ("x", "10^9-|x-10^9|"),
    ("x", r"10^{30}-\sqrt{(x-10^{30})^2}"),
    ("x", "x+|x-10^9|-2|x-10^9-1|+|x-10^9-2|"),
    ("x+y", "10^9-|x+y-10^9|"),
    ("x^2+1=0", "x^2+2=0"),
    ("x<2", "2x<4"),
    ("x<2", r"x\le2"),
    ("a<b", "a>b"),
    ("1<x<2", "1<y<2"),
    ("5", "x>5"),
    # order, brackets, multiplicity
    ("(1,2)", "(2,1)"),
    ("(1,2)", r"\{1,2\}"),
    ("(0,1]", "[0,1]"),
    ("[2,5)", "(2,5)"),
    (r"[0,1)\cup(2,3]", r"[0,1]\cup(2,3]"),
    ("1,1,2", "1,2"),
    ("1,2", "1,2,3"),
    (r"\{1,2\}", r"\{1,2,3\}"),
    (r"\{1,2,3\}", r"\{1,2\}"),
    ("5", r"\pm 5"),
    (r"\pm 5", "5"),
    ("5", "5 or 6"),
    ("x=1,y=2", "x=2,y=1"),
    ("x=1 or x=2", "y=1 or y=2"),
    (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{bmatrix}1&2\\4&3\end{bmatrix}"),
    (r"\begin{pmatrix}1&2\end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}"),
    # form: a number takes no computation left undone
    ("9", "16-3-4"),
    ("20", r"4\cdot5"),
    ("6", "2(3)"),
    ("18", r"2\cdot 3^2"),
    ("45", r"\frac{10\cdot 9}{2}"),
    (r"\frac12", r"\frac{1}{1+1}"),
    ("8", "2^{1+2}"),
    ("5", r"\sqrt{3^2+4^2}"),
    ("3", r"\log_2 8"),
    ("1", r"\cos 0"),
    ("5", "|-5|"),
    ("1", r"\sin^2 x+\cos^2 x"),
    ("(5,3)", "(2+3,3)"),
    ("5050", r"\sum_{k=1}^{100}k"),
    (r"\frac12", r"\int_0^1 x dx"),
    ("1", r"\lim_{x\to0}\frac{\sin x}{x}"),
    ("2x", r"\frac{d}{dx}x^2"),
    ("24", r"\prod_{k=1}^{4}k"),
    # once left open
    ("2m", r"2\text{ m}"),
    ("2m", r"2\mathrm{m}"),
    (r"2\text{ m}", "2m"),
    ("1101_2", "1101_3"),
    ("1101_2", "13"),
    ("1101_2", "x"),
    ("x/2y", "x"),
    ("y'", "y"),
    (r"(1,\infty)", r"x\neq1 and x\neq\frac12 and x\neq0.5"),
    ("e^{262144}", "e^{(8^2)^3}+1"),  # they agree to 378,193 bits
    ("6", "3!!"),
    ("x", r"\mathbb{Z}"),
    ("x", r"\operatorname{sgn}(x)"),
    ("x", r"\begin{cases}1\\2\end{cases}"),
    ("x", r"\{n\mid n^2>4\}"),
    ("x", "x/2y"),
]

NOT_DECIDED = [
    (r"\log x", r"\ln x"),  # base 10 or e
    ("1,3", "x=5=1,3"),
    ("(x,y)=(1,2)", "(x,y)=(3,4)=(1,2)"),
    ("x<2", r"\{5\mid x<2\}"),
    ("x<2", r"\{y\mid x<2\}"),
    ("(a,b)", "x>a, x<b"),
    (r"\varnothing", "x<0 and x>1"),
    ("|x|", r"x+\ln x-\ln x"),  # equal only where the answer is defined
    ("2x", r"2x+\sin(\pi x)+(-1)^x-(-1)^x"),
    ("2x", "2x+0y"),
    (r"\ln x^2", r"2\ln x"),
    ("x^2+C", r"x^2+\ln x-\ln x+C"),
    (r"\pi", r"\pi\tanh(10^{6})"),
    ("x/2y", r"\frac{x}{2y}"),
    (r"\sin x/2", r"\sin\frac{x}{2}"),
    ("1 11/2", "11/2"),
    ("((", "5"),
    (r"\foo{x}", "x"),
    ("f(2)", "2f"),
]
UNREADABLE_ANSWERS = [
    ("x+1", "x 1"),
    ("5", ""),
    ("5", "(("),
    ("x", r"\foo{x}"),
    ("5", "5@"),
    ("5", "1 1=5"),
    ("5", "x=5 5"),
    ("x", "x+-+1"),
    ("x", "foobar"),
    (r"\frac16", r"{1\over2\over3}"),
]
GAPS = [  # well-formed answers that are not read yet
    ("x", "f(2)"),
    ("x", r"\overline{z}"),
    ("x", r"\vec{a}"),
    ("x", r"2\begin{pmatrix}1\\2\end{pmatrix}"),
    ("x", r"\$x"),
]


@pytest.mark.parametrize(("reference", "answer"), BOTH_WAYS_EQUAL)
def test_equal(reference, answer):
    assert ANY_FORM.verify(answer, reference).status is EQUAL


@pytest.mark.parametrize(("reference", "answer"), BOTH_WAYS_EQUAL)
def test_equal_the_other_way_round(reference, answer):
    assert ANY_FORM.verify(reference, answer).status is EQUAL


@pytest.mark.parametrize(("reference", "answer"), EQUAL_ONE_WAY)
def test_equal_to_the_reference(reference, answer):
    assert DEFAULT.verify(answer, reference).status is EQUAL


@pytest.mark.parametrize(("reference", "answer"), NOT_EQUAL)
def test_different(reference, answer):
    assert DEFAULT.verify(answer, reference).status is DIFFERENT


@pytest.mark.parametrize(("reference", "answer"), NOT_DECIDED)
def test_undecided(reference, answer):
    verdict = DEFAULT.verify(answer, reference)
    assert verdict.status is UNDECIDED
    assert verdict.why


@pytest.mark.parametrize(("reference", "answer"), UNREADABLE_ANSWERS)
def test_malformed_beside_a_readable_reference_is_no_answer(reference, answer):
    assert DEFAULT.verify(answer, reference).status is Status.NO_ANSWER


@pytest.mark.parametrize(("reference", "answer"), GAPS)
def test_well_formed_and_not_read_is_undecided(reference, answer):
    assert ANY_FORM.verify(answer, reference).status is UNDECIDED


@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        pair
        for pair in NOT_EQUAL
        if pair[0] in {"9", "20", "45", "8", "3", "1"} and "x" not in pair[1]
    ],
)
def test_any_form(reference, answer):
    assert ANY_FORM.verify(answer, reference).status is EQUAL
