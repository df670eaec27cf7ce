"""Symbols of a formula: one spelling each, and what commas, spaces and dollars mean."""

import pytest

from rlrewards.verify.tokens import MAX_TOKENS, same_symbols, symbols, tokenize, ungrouped


def texts(text):
    return [token.text for token in tokenize(text)][:-1]


class TestSpelling:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (r"\left( x \leq \dfrac12 \right]", ["(", "x", "≤", "frac", "12", "]"]),
            (r"\left\{1\right.", [r"\{", "1", "right"]),
            (r"\left<1,2\right>", ["⟨", "1", ",", "2", "⟩"]),
            (r"x\;\,\quad y", ["x", "quad", "y"]),
            (r"30^{\circ}", ["30", "°"]),
            (r"30^\circ C", ["30", "°", "C"]),
            (r"\mathbb{R}", ["reals"]),
            (r"\mathbf{x}+\boldsymbol{12}", ["x", "+", "12"]),
            (r"5\text{ cm}", ["5", "cm"]),
            (r"x=1 \text{ or } x=2", ["x", "=", "1", "or", "x", "=", "2"]),
            (r"\operatorname{arctan} x", ["arctan", "x"]),
            (r"\begin{array}{cc}1\end{array}", ["array", "1", "array"]),
            (r"\hspace{2em}7\color{red}", ["7"]),
            ("x² ≤ √2", ["x", "^", "{", "2", "}", "≤", "sqrt", "{", "2", "}"]),
            ("a<=b!=c**2", ["a", "≤", "b", "≠", "c", "^", "2"]),
            ("5.", ["5"]),
            (r"\tg x", ["tan", "x"]),
        ],
    )
    def test_one_spelling(self, text, expected):
        assert texts(text) == expected

    def test_a_spacing_command_is_remembered_as_space(self):
        five, metre = tokenize(r"5\,m")[:2]
        assert not five.spaced
        assert metre.spaced

    def test_plain_is_what_stands_outside_mathematics(self):
        inside, outside = tokenize("$x$ m")[:2]
        assert not inside.plain
        assert outside.plain
        assert not tokenize(r"\pi m")[1].plain

    def test_two_formulas_side_by_side_are_two(self):
        assert texts("$x=1$ $y=2$") == ["x", "=", "1", "quad", "y", "=", "2"]

    def test_too_many_symbols(self):
        assert tokenize("1+" * MAX_TOKENS) is None


class TestDigits:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("10{,}000", ["10000"]),
            (r"70\,000", ["70000"]),
            ("1 000 000", ["1000000"]),
            ("1 1/2", ["1", "1", "/", "2"]),
            (r"10,\!000", ["10", ",", "000"]),
            ("12 345/2", ["12", "345", "/", "2"]),
        ],
    )
    def test_spaces(self, text, expected):
        assert texts(text) == expected

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("12,345", "12345"),
            ("1,234,567.5", "1234567.5"),
            ("36,36,108", "36,36,108"),
            ("25,100,55", "25,100,55"),
            ("(0,125)", "(0,125)"),
            ("1,000, 2,000", "1000, 2000"),
            ("1,000,2", "1,000,2"),
            (r"\{1,000\}", r"\{1,000\}"),
            ("f(1,000), 2,000", "f(1,000), 2000"),
        ],
    )
    def test_commas(self, text, expected):
        assert ungrouped(text) == expected


class TestDollars:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("$5$", ["5"]),
            ("$18", ["$", "18"]),
            (r"\$18", ["$", "18"]),
            ("$5 and $6", ["$", "5", "and", "$", "6"]),
            (r"$\frac12$ or $3$", ["frac", "12", "or", "3"]),
            (r"\(5\)", ["5"]),
            (r"\[5\]", ["5"]),
            ("$$5$$", ["5"]),
        ],
    )
    def test_money_or_mathematics(self, text, expected):
        assert texts(text) == expected


class TestRareNotation:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("2 +- 3", ["2", "±", "3"]),
            ("2 +/- 3", ["2", "±", "3"]),
            ("2 + -3", ["2", "+", "-", "3"]),
            (r"\mathbf 6", ["6"]),
            (r"\mathbb R", ["reals"]),
            (r"\mathbf{\frac{1}2}", ["{", "frac", "{", "1", "}", "2", "}"]),
            (r"1 \\[4pt] 2", ["1", r"\\", "2"]),
            (r"1\text{, }2", ["1", ",", "2"]),
            (r"2\text{ hours and }3", ["2", "hours", "and", "3"]),
            (r".\overline{3}", ["0", "overline", "{", "3", "}"]),
        ],
    )
    def test_rare_notation(self, text, expected):
        assert texts(text) == expected


class TestSameSymbols:
    @pytest.mark.parametrize(
        ("left", "right"),
        [
            (r"\frac{1}{2}", r"$ \dfrac {1} {2}\,. $"),
            (r"\left(1,2\right)", "(1, 2)"),
            (r"x\le1", r"x \leqslant 1"),
        ],
    )
    def test_same(self, left, right):
        assert same_symbols(symbols(left), symbols(right))

    @pytest.mark.parametrize(
        ("left", "right"), [("5 m", "5m"), ("1 1/2", "11/2"), ("x", "X"), ("(1,2]", "(1,2)")]
    )
    def test_not_the_same(self, left, right):
        assert not same_symbols(symbols(left), symbols(right))
