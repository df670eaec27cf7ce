r"""From text to trees: the grammar, its precedences, its notations, and what is refused.

Expected trees are written as plain LaTeX with every bracket and product shown.
"""

import time

import flint
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlrewards.verify.parse import parse, readings
from rlrewards.verify.render import render
from rlrewards.verify.tree import (
    Apply,
    Approximate,
    Based,
    Bracket,
    Builder,
    Call,
    E,
    I,
    Listing,
    Matrix,
    Measure,
    Named,
    Negative,
    Number,
    Percent,
    Piecewise,
    PlusMinus,
    Power,
    Product,
    Quotient,
    Ratio,
    Relation,
    Root,
    Set,
    Sum,
    Symbol,
    Unparsed,
    Words,
    walk,
)
from rlrewards.verify.units import UNITS

x, y, k, n = map(Symbol, "xykn")


def num(over, under=1):
    return Number(flint.fmpq(over, under))


one, two, three, five = map(num, (1, 2, 3, 5))


class TestNumbers:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("7", (7, 1)),
            ("007", (7, 1)),
            ("1 1/2", (3, 2)),
            (r"2\frac13", (7, 3)),
            (r"2{1 \over 3}", (7, 3)),
            (r"0.\overline{3}", (1, 3)),
            (r"0.1\overline{6}", (1, 6)),
            (r"0.\dot{9}", (1, 1)),
            ("12,345", (12345, 1)),
            ("10{,}000", (10000, 1)),
            (r"10,\!000", (10000, 1)),
            ("five", (5, 1)),
            ("Twenty-five", (25, 1)),
            ("negative three", (-3, 1)),
            ("one hundred and five", (105, 1)),
            ("one million", (1_000_000, 1)),
            ("two thousand three hundred twelve", (2312, 1)),
            ("one-half", (1, 2)),
            ("negative two thirds", (-2, 3)),
            ("three quarters", (3, 4)),
            ("one and a half", (3, 2)),
            (r".\overline{3}", (1, 3)),
            ("0.333...", (1, 3)),
            (r"0.1666\ldots", (1, 6)),
            ("2.727272...", (30, 11)),
            ("5 million", (5_000_000, 1)),
            ("1½", (3, 2)),
            ("= 5", (5, 1)),
        ],
    )
    def test_exact(self, text, value):
        assert parse(text) == num(*value)

    def test_a_decimal_remembers_its_digits_and_its_place(self):
        assert parse("37.50") == Number(flint.fmpq(75, 2), 4, flint.fmpq(1, 100))
        assert parse(".050") == Number(flint.fmpq(1, 20), 2, flint.fmpq(1, 1000))

    def test_scientific_notation(self):
        assert parse("6.6e-34").value == flint.fmpq(66, 10**35)
        assert parse("3x10^8") == Product((three, Power(num(10), num(8))))

    @pytest.mark.parametrize("text", ["1101_2", "(1101)_2", "1101_{2}"])
    def test_bases(self, text):
        assert parse(text) == Based("1101", 2)

    def test_hexadecimal(self):
        assert parse("1A3_{16}") == Based("1A3", 16)
        assert parse("AF_{16}") == Based("AF", 16)

    def test_hexadecimal_needs_capitals_and_a_base(self):
        assert parse("2A") == Product((two, Symbol("A")))


class TestPrecedence:
    @pytest.mark.parametrize(
        ("text", "tree"),
        [
            ("2(3)", Product((two, three))),
            ("2xy", Product((two, x, y))),
            ("-x^2", Negative(Power(x, two))),
            ("-2x", Negative(Product((two, x)))),
            ("x^-1", Power(x, Negative(one))),
            ("x-y", Sum((x, Negative(y)))),
            ("x+-3", Sum((x, PlusMinus(three)))),
            ("x + -3", Sum((x, Negative(three)))),
            ("1/2 x", Product((Quotient(one, two), x))),
            ("x/y/2", Quotient(Quotient(x, y), two)),
            ("2n!", Product((two, Call("factorial", (n,))))),
            ("2^{3^2}", Power(two, Power(three, two))),
            (r"\frac12x", Product((Quotient(one, two), x))),
            (r"2^{x}y", Product((Power(two, x), y))),
            ("xy^2", Product((x, Power(y, two)))),
            (r"a \times b", Product((Symbol("a"), Symbol("b")))),
        ],
    )
    def test_trees(self, text, tree):
        assert parse(text) == tree

    def test_a_product_behind_a_slash_has_two_readings(self):
        assert readings("x/2y") == (
            Product((Quotient(x, two), y)),
            Quotient(x, Product((two, y))),
        )

    def test_a_slash_behind_a_function_has_two_readings(self):
        assert readings(r"\sin x/2") == (
            Quotient(Call("sin", (x,)), two),
            Call("sin", (Quotient(x, two),)),
        )

    def test_digits_grouped_by_a_comma_may_be_a_list(self):
        assert readings("25,100") == (num(25100), Listing((num(25), num(100))))
        assert len(readings("25,000")) == 1  # no item of a list is 000


class TestFunctions:
    @pytest.mark.parametrize(
        ("text", "tree"),
        [
            (r"\sin^{-1} x", Call("arcsin", (x,))),
            (r"\sin^2 x", Power(Call("sin", (x,)), two)),
            (r"\sin 2x", Call("sin", (Product((two, x)),))),
            (r"\sin 2x\cos y", Product((Call("sin", (Product((two, x)),)), Call("cos", (y,))))),
            (r"\ln|x|", Call("ln", (Call("abs", (x,)),))),
            (r"\log_2 8", Call("log", (num(8), two))),
            (r"\log x", Call("log", (x,))),
            ("sqrt(3)", Root(three, two)),
            (r"\sqrt[3]{8}", Root(num(8), three)),
            ("sinx", Call("sin", (x,))),
            ("||x|-1|", Call("abs", (Sum((Call("abs", (x,)), Negative(one))),))),
            (r"\lfloor x \rfloor", Call("floor", (x,))),
            (r"\binom{5}{2}", Call("binomial", (five, two))),
            (r"C_{5}^{2}", Call("binomial", (five, two))),
            (r"{n \choose k}", Call("binomial", (n, k))),
            ("5!!", Call("double_factorial", (five,))),
            ("e^x", Power(E, x)),
            ("2i", Product((two, I))),
            ("f(x)", Apply("f", (x,))),
            ("f^{-1}(x)", Apply("f^-1", (x,))),
            ("f'(x)", Apply("f'", (x,))),
            (r"\vec{v}", Apply("vec", (Symbol("v"),))),
            (r"7 \bmod 3", Call("mod", (num(7), three))),
            (r"\max(1,2)", Call("max", (one, two))),
            ("P(X=2)", Apply("P", (Relation((Symbol("X"), two), ("=",)),))),
        ],
    )
    def test_trees(self, text, tree):
        assert parse(text) == tree

    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            (r"\int_0^1 x dx", "integral"),
            (r"\int x^2\,\mathrm{d}x", "integral"),
            (r"\sum_{i=1}^{n} i^2", "sum"),
            (r"\prod_{k=1}^{4} k", "product"),
            (r"\lim_{x\to 0^+} \frac{\sin x}{x}", "limit"),
            (r"\frac{d}{dx} x^2", "derivative"),
            (r"\frac{dy}{dx}", "derivative"),
        ],
    )
    def test_what_is_left_standing(self, text, kind):
        assert parse(text).kind == kind

    def test_the_index_of_a_sum_is_a_variable(self):
        assert I not in walk(parse(r"\sum_{i=1}^{n} i^2"))


class TestNames:
    @pytest.mark.parametrize(
        ("text", "name"),
        [("x_1", "x_1"), ("x_{1}", "x_1"), (r"\theta", "theta"), ("ABC", "ABC"), ("y''", "y''")],
    )
    def test_symbols(self, text, name):
        assert parse(text) == Symbol(name)

    def test_a_constant_before_an_exponential_is_a_factor(self):
        assert parse("Ae^x") == Product((Symbol("A"), Power(E, x)))

    def test_a_word_alone_is_no_product(self):
        assert isinstance(parse("abc"), Unparsed)
        assert parse("$abc$") == Product((Symbol("a"), Symbol("b"), Symbol("c")))

    @pytest.mark.parametrize("text", ["C is not invertible", "five apples and a pear", "4:30 p.m."])
    def test_prose_is_not_mathematics(self, text):
        assert isinstance(parse(text), Unparsed)


class TestAmounts:
    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("5 cm", "cm"),
            ("5cm", "cm"),
            ("5 m", "m"),
            (r"5\text{ m}", "m"),
            (r"5\mathrm{m}", "m"),
            ("$5$ m", "m"),
            ("5 dollars", "dollars"),
            ("$5", "$"),
            (r"\$5", "$"),
            ("€5", "€"),
            (r"5^\circ", "°"),
            ("5 degrees", "°"),
            ("5 apples", "apples"),
        ],
    )
    def test_units(self, text, name):
        tree = parse(text)
        assert tree.operand == five
        assert tree.unit == (UNITS.get(name) or tree.unit)
        assert isinstance(tree, Measure)

    def test_a_letter_in_italics_is_a_variable(self):
        assert parse("5m") == Product((five, Symbol("m")))
        assert parse("$5 m$") == Product((five, Symbol("m")))
        assert parse("5 m + 3") == Sum((Product((five, Symbol("m"))), three))

    def test_compound_units(self):
        assert parse(r"5 \mathrm{~m} / \mathrm{s}^2").unit.dimension == "length time^-2"
        assert parse("5 m/s^2").unit == parse("5 meters per second^2").unit

    def test_two_units_of_one_kind(self):
        hours, minutes = parse("2 h 30 min").terms
        assert hours == Measure(two, UNITS["h"])
        assert minutes == Measure(num(30), UNITS["min"])

    def test_a_unit_measures_the_whole_sum(self):
        assert parse(r"2+\sqrt2\text{ cm}") == Measure(Sum((two, Root(two, two))), UNITS["cm"])

    def test_arc_minutes(self):
        assert parse("30^\\circ 15'") == Measure(num(121, 4), UNITS["°"])

    def test_percent(self):
        assert parse(r"5\%") == parse("5 percent") == Percent(five)

    def test_rounded(self):
        assert parse(r"\approx 5") == parse("about 5") == Approximate(five)


class TestShapes:
    @pytest.mark.parametrize(
        ("text", "tree"),
        [
            ("1,2", Listing((one, two))),
            ("1 or 2", Listing((one, two), frozenset({"or"}))),
            ("1, 2, and 3", Listing((one, two, three), frozenset({",", "and"}))),
            ("(1,2)", Bracket("(", (one, two), ")")),
            ("(1,2]", Bracket("(", (one, two), "]")),
            ("]1,2[", Bracket("]", (one, two), "[")),
            (r"\langle 1,2\rangle", Bracket("⟨", (one, two), "⟩")),
            ("<1,2>", Bracket("⟨", (one, two), "⟩")),
            (r"\{1,2\}", Set((one, two))),
            ("{1,2}", Set((one, two))),
            (r"\{\}", Set(())),
            (r"\varnothing", Named("empty")),
            ("no solution", Named("empty")),
            (r"\text{No real solutions.}", Named("empty")),
            ("all real numbers", Named("reals")),
            (r"\mathbb{Z}", Named("integers")),
            ("DNE", Words("does not exist")),
            ("1:2:3", Ratio((one, two, three))),
            ("1 to 2", Ratio((one, two))),
            (r"\pm 5", PlusMinus(five)),
            (r"1\mp\sqrt2", Sum((one, PlusMinus(Root(two, two), flipped=True)))),
            ("1<x\\le 2", Relation((one, x, two), ("<", "≤"))),
            (r"x\not=1", Relation((x, one), ("≠",))),
            (r"x \equiv 1 \pmod 5", Relation((x, one), ("≡",), five)),
            ("x \\equiv 1 (mod 5)", Relation((x, one), ("≡",), five)),
        ],
    )
    def test_trees(self, text, tree):
        assert parse(text) == tree

    def test_set_builder(self):
        expected = Builder(x, None, (Relation((x, two), (">",)),))
        assert parse(r"\{x \mid x>2\}") == parse(r"\{x: x>2\}") == expected
        assert parse(r"\{x\in\mathbb{R} | x>2\}").domain == Named("reals")

    @pytest.mark.parametrize(
        "text",
        [
            r"\begin{pmatrix}1&2\\3&5\end{pmatrix}",
            r"\left[\begin{array}{cc}1&2\\3&5\end{array}\right]",
        ],
    )
    def test_matrices(self, text):
        assert parse(text) == Matrix(((one, two), (three, five)))

    def test_determinants(self):
        matrix = Matrix(((one, two), (three, five)))
        assert parse(r"\begin{vmatrix}1&2\\3&5\end{vmatrix}") == Call("det", (matrix,))
        assert parse(r"\left|\begin{array}{cc}1&2\\3&5\end{array}\right|") == Call("det", (matrix,))

    def test_cases(self):
        tree = parse(r"\begin{cases}x & \text{if } x>0 \\ 1 & \text{otherwise}\end{cases}")
        assert tree == Piecewise(((x, Relation((x, num(0)), (">",))), (one, None)))

    def test_a_system(self):
        tree = parse(r"\left\{\begin{array}{l}x=1\\y=2\end{array}\right.")
        assert tree.joiners == {"and"}
        assert [item.members[0] for item in tree.items] == [x, y]

    @pytest.mark.parametrize(
        "text",
        [
            r"k\pi, k\in\mathbb{Z}",
            r"k\pi (k\in\mathbb{Z})",
            r"k\pi \text{ where } k \text{ is an integer}",
            r"k\pi, where $k$ is any integer",
        ],
    )
    def test_families(self, text):
        assert parse(text).items[-1] == Relation((k, Named("integers")), ("∈",))


class TestRefusals:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "((",
            "5 5",
            "x 5",
            "--5",
            "5@",
            "1,,2",
            "x=",
            "2^3^2",
            r"\frac{1}",
            r"\foo{x}",
            "(1,2",
        ],
    )
    def test_malformed(self, text):
        found = parse(text)
        assert isinstance(found, Unparsed)
        assert not found.known
        assert not found.large
        assert found.expected

    @pytest.mark.parametrize(
        "text", ["1 11/2", r"1,2,3,\ldots", "[5]", r"\bigcup_{k} x", r"2\frac{5}{3}"]
    )
    def test_well_formed_but_not_read(self, text):
        found = parse(text)
        assert isinstance(found, Unparsed)
        assert found.known
        assert not found.large

    def test_a_failure_says_where(self):
        assert parse("x + ) 2").position == 4

    @pytest.mark.parametrize(
        "text",
        [
            "(" * 5_000 + "1" + ")" * 5_000,
            "{" * 5_000,
            r"\frac{1}{" * 5_000,
            r"\sqrt" * 5_000 + "1",
            "-" * 5_000 + "1",
            "2^" * 5_000 + "2",
            "|x" * 5_000,
            "1+" * 5_000 + "1",
            "5" + "!" * 5_000,
            r"\pm" * 5_000 + "1",
            r"\begin{array}{c}" * 1_000,
            "1,000" * 3_000,
            "9" * 7_900,
            "\x00\ud800" * 100,
        ],
    )
    def test_hostile(self, text):
        start = time.perf_counter()
        parse(text)
        assert time.perf_counter() - start < 1.0

    @pytest.mark.parametrize(
        "text",
        [
            "1" * 8_001,
            "1" * 5_001,
            "1+" * 2_000 + "1",
            "{" * 60 + "1" + "}" * 60,
            r"\frac{1}{" * 60 + "2" + "}" * 60,
            r"0.\overline{" + "12" * 600 + "}",
            r"\begin{pmatrix}" + r"1\\" * 2_001 + r"\end{pmatrix}",
        ],
        ids=range(7),
    )
    def test_large_texts_are_not_read(self, text):
        found = parse(text)
        assert isinstance(found, Unparsed)
        assert found.large
        assert found.known


class TestRoundTrip:
    @pytest.mark.parametrize(
        "text",
        [
            r"\frac{x^2-1}{x-1}",
            r"-3\pm\sqrt{5}",
            r"\left(-\infty,1\right)\cup[2,3)",
            r"\sin^2\theta+\ln|x|",
            r"\sum_{k=1}^{n} k^2",
            r"\begin{pmatrix}1&x\\-2&\frac12\end{pmatrix}",
            r"\begin{cases}x & x>0 \\ -x & x\le 0\end{cases}",
            r"\{x\in\mathbb{R} \mid x\ne 1\}",
            r"x\equiv 1 \pmod{5}",
            r"\mathbb{R}\setminus\{0\}",
            r"5\text{ cm}",
            r"\binom{n+1}{2}!",
        ],
    )
    def test_rendered_and_read_again(self, text):
        tree = parse(text)
        assert parse(render(tree)) == tree

    @pytest.mark.parametrize(
        "text",
        ["1/" * 900 + "1", "1/1*" * 900 + "1", "5" + "%" * 900, r"x\setminus y" * 500,
         r"\mathbb{R}" + r"-\{1\}" * 900, r"\vec a\cdot" * 700 + r"\vec a"],
    )  # fmt: skip
    def test_a_chain_that_nests_is_bounded(self, text):
        assert parse(text).known

    @given(st.text(max_size=60))
    @settings(max_examples=300, deadline=None)
    def test_no_text_raises(self, text):
        parse(text)

    @given(
        st.lists(
            st.sampled_from(
                [*r"0123456789xyieC+-*/^_=<>()[]{}|,;:.!'%$ ", r"\frac", r"\sqrt", r"\left(", r"\right)",
                 r"\begin{cases}", r"\end{cases}", r"\\", "&", r"\sin", r"\log", r"\pm", r"\cup",
                 r"\text{ cm}", r"\mathrm{m}", r"\{", r"\}", r"\int", r"\sum", r"\lim", r"\over",
                 "and", " or ", "mod", r"\pi", r"\overline", "10", "12,345", r"^\circ", r"\quad"]
            ),
            max_size=25,
        )
    )  # fmt: skip
    @settings(max_examples=600, deadline=None)
    def test_no_soup_of_symbols_raises(self, parts):
        tree = parse("".join(parts))
        if not isinstance(tree, Unparsed):
            render(tree)


class TestEverydayNotation:
    """What models write beside textbook LaTeX."""

    @pytest.mark.parametrize(
        ("text", "formula"),
        [
            # signs and fonts
            ("+-5", r"\pm 5"),
            ("2 +/- sqrt(3)", r"2\pm\sqrt{3}"),
            ("x-/+1", r"x\mp 1"),
            (r"\mathbf 6", "6"),
            (r"\mathbf{\frac{1}{2}}", r"\frac{1}{2}"),
            (r"\mathbb R", r"\mathbb{R}"),
            (r"\Bbb R", r"\mathbb{R}"),
            (r"5\\", "5"),
            (r"\frac{1}{2}\ ", r"\frac{1}{2}"),
            ("6。", "6"),
            (r"3 + 2\text{i}", "3+2i"),
            ("xy", r"x \cdot y"),
            # functions
            ("2 cos x", r"2\cos x"),
            ("3 cos(3x)", r"3\cos(3x)"),
            ("6 sin theta", r"6\sin\theta"),
            ("3 theta", r"3\theta"),
            ("2 sec x", r"2\sec x"),
            ("3 log_5(z) - 6", r"3\log_5(z)-6"),
            ("ln 3/ln 2", r"\frac{\ln 3}{\ln 2}"),
            ("sin(x)^2", r"\sin^2 x"),
            ("atan(1/2)", r"\arctan(1/2)"),
            (r"\text{arctan}(1/2)", r"\arctan(1/2)"),
            ("cbrt(4)", r"\sqrt[3]{4}"),
            # fractions before a letter, letters that are units elsewhere
            ("4/3 pi r^3", r"(4/3) \pi r^3"),
            ("3/5 + 4/5 i", r"(3/5)+(4/5) i"),
            ("16 m^{2}-64 n^{2}", "$16m^{2}-64n^{2}$"),
            ("3 m^{4}-2 m+6", "$3m^{4}-2m+6$"),
            ("63/(10 m)", "$63/(10m)$"),
            ("sqrt(2 m)", r"$\sqrt{2m}$"),
            # choices
            ("C(10,3)", r"\binom{10}{3}"),
            ("{}_{10}C_3", r"\binom{10}{3}"),
            ("^{10}C_3", r"\binom{10}{3}"),
            ("C_n^2", r"\binom{n}{2}"),
            # bases, ratios, remainders
            ("1101_{two}", "1101_2"),
            (r"1101_{\text{two}}", "1101_2"),
            ("1101 base 2", "1101_2"),
            (r"1101 \text{ (base 2)}", "1101_2"),
            (r"3 \text{ to } 4", "3:4"),
            ("3{:}4", "3:4"),
            ("3∶4", "3:4"),
            ("a:b = 3:4", "(a:b) = (3:4)"),
            (r"x\equiv 3 \mod 7", r"x\equiv 3 \pmod 7"),
            ("x≡3 mod 7", r"x\equiv 3 \pmod 7"),
            # lists and systems
            (r"a=2\text{, }b=3", "a=2, b=3"),
            ("x=1\ny=2", r"x=1 \text{ and } y=2"),
            (r"x=1 \\ y=2", r"x=1 \text{ and } y=2"),
            (r"\begin{aligned} x&=1\\y&=2\end{aligned}", r"x=1 \text{ and } y=2"),
            (r"\left\{\begin{aligned} x&=1\\y&=2\end{aligned}\right.", r"x=1 \text{ and } y=2"),
            ("P(1,2)", "P = (1,2)"),
            # sets
            ("(-inf,1)U(2,inf)", r"(-\infty,1)\cup(2,\infty)"),
            ("(0, 1) union [2, 3]", r"(0,1)\cup[2,3]"),
            ("x in (2, inf)", r"x\in(2,\infty)"),
            ("{x | x > 2}", r"\{x \mid x>2\}"),
            ("{x: x > 2}", r"\{x \mid x>2\}"),
            ("{x|-1<x<3}", r"\{x \mid -1<x<3\}"),
            (r"[2,\infty[", r"[2,\infty["),
            (r"R \setminus \{3\}", r"\mathbb{R}\setminus\{3\}"),
            (r"\mathbb{R}-\{3\}", r"\mathbb{R}\setminus\{3\}"),
            ("all real numbers except 3", r"\mathbb{R}\setminus\{3\}"),
            ("all reals except x=3 and x=5", r"\mathbb{R}\setminus\{3, 5\}"),
            (r"\mathbb{R}, x\neq 3", r"\{x \in \mathbb{R} \mid x\ne 3\}"),
            (r"x\in R", r"x\in\mathbb{R}"),
            (r"\mathbb{R}^+", r"(0,\infty)"),
            (r"\mathbb{R}_{\ge 0}", r"[0,\infty)"),
            (r"\mathbb{R}^*", r"\mathbb{R}\setminus\{0\}"),
            (r"\mathbb{N}^*", r"\{n \in \mathbb{Z} \mid n>0\}"),
            (r"\mathbf{N}^{*}", r"\{n \in \mathbb{Z} \mid n>0\}"),
            ("all integers", r"\mathbb{Z}"),
            ("Domain: (2,3)", "(2,3)"),
            # integers that run through all
            (r"n\pi \text{ for any integer } n", r"n\pi, n\in\mathbb{Z}"),
            (r"x = k\pi,\ k \text{ an integer}", r"x = k\pi, k\in\mathbb{Z}"),
            (r"x=k\pi\ (k=0,\pm1,\pm2,\ldots)", r"x = k\pi, k\in\mathbb{Z}"),
            ("nπ, n ∈ Z", r"n\pi, n\in\mathbb{Z}"),
            (r"x^3+C, where C is the constant of integration", "x^3+C"),
            # vectors
            (r"\vec a\cdot\vec b", r"\vec b\cdot\vec a"),
            (r"2\vec a\times\vec b", r"2(\vec a\times\vec b)"),
            (r"3\times\vec a", r"3\vec a"),
            (r"\mathbf{2}\times\mathbf{3}", r"2\cdot 3"),
            # matrices
            (r"\begin{pmatrix}1&2\\[4pt]3&4\end{pmatrix}", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}"),
            ("(1,-2,3)^T", r"\begin{pmatrix}1\\-2\\3\end{pmatrix}"),
            (
                r"\begin{pmatrix}1&2\\3&4\end{pmatrix}^{T}",
                r"\begin{pmatrix}1&3\\2&4\end{pmatrix}",
            ),
        ],
    )
    def test_is_read_as_the_formula(self, text, formula):
        assert parse(text) == parse(formula)
        assert not isinstance(parse(text), Unparsed)

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("The equation has no solution.", "no solution"),
            ("The limit does not exist", "DNE"),
            ("There are infinitely many solutions.", "infinite solutions"),
            ("negative infinity", r"-\infty"),
            (r"\text{all real values of } x", "all real numbers"),
            ("five dollars", r"\$5"),
            ("six apples", "6 apples"),
            ("sixty percent", r"60\%"),
        ],
    )
    def test_words(self, text, words):
        assert parse(text) == parse(words)
        assert not isinstance(parse(text), Unparsed)

    @pytest.mark.parametrize(
        "text",
        ["①③", "⒈3", "{x | x}", "5 cos", "x=1 \\\\ 2", "one hundred hundred", "two or three",
         "one million and", "0.33...", "1, 2, 3, ...", "6 positive", "6 negative", "six wrong",
         r"\vec a\cdot\vec b\cdot\vec c", r"\vec a\cdot" * 700 + r"\vec a", "one half half", "5 (base 40)", "all real numbers except"],
    )  # fmt: skip
    def test_is_not_guessed(self, text):
        assert isinstance(parse(text), Unparsed)

    @pytest.mark.parametrize(
        ("left", "right"),
        [
            ("2 +- sqrt(3)", "2-sqrt(3)"),
            ("1/2 x", "1/(2x)"),
            ("[1,2[", "[1,2]"),
            ("A(1,2)", "B(1,2)"),
            (r"\mathbb{R}^+", r"\mathbb{R}"),
            (r"\mathbb{R}^3", r"\mathbb{R}^2"),
            ("3.14159...", "3.14159"),
            ("2 hours and 90 minutes", "2 h 90 min"),
            ("5 m and 30 cm", "5 m 30 cm"),
            ("xy", "XY"),
            ("5 cm", "5 cos"),
            (r"\vec a\times\vec b", r"\vec a\cdot\vec b"),
            (r"\vec a\times\vec b", r"\vec b\times\vec a"),
            (r"\mathbf{a}\times\mathbf{b}", r"\mathbf{a}\mathbf{b}"),
        ],
    )
    def test_stays_apart(self, left, right):
        assert parse(left) != parse(right)

    def test_a_decimal_that_goes_on_is_rounded_where_no_digit_repeats(self):
        assert parse("1.41421...") == Approximate(parse("1.41421"))

    def test_c_of_smaller_and_larger_is_a_point(self):
        assert parse("C(1,2)") == parse("C = (1,2)")
