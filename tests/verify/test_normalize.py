"""One spelling for each notation, and never the same for two values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlrewards.verify.normalize import normalize, plain_unicode, tidy

SAME = [
    (r"\dfrac{1}{2}", r"\frac12"),
    (r"\tfrac12", r"\frac{1}{2}"),
    (r"\left( 1, 2 \right)", "(1,2)"),
    (r"\bigl[1,2\bigr]", "[1,2]"),
    ("$x^2$", r"\(x^{2}\)"),
    (r"\[ x \]", "x"),
    ("70,000", "70{,}000", True),
    (r"70\,000", "70000"),
    ("70 000", "70000"),
    ("x.", "x"),
    ("√2", r"\sqrt{2}"),
    ("√(2)", r"\sqrt2"),
    ("∛8", r"\sqrt[3]{8}"),
    ("2π", r"2\pi"),
    ("−3", "-3"),
    ("3×4", r"3 \times 4"),
    ("x≤3", r"x \leqslant 3"),
    ("x>=3", r"x\ge 3"),
    ("5²", "5^2"),
    ("x₁₂", "x_{12}"),
    ("1½", r"1\frac12"),
    ("30°", r"30^{\circ}"),
    (r"50\%", "50%"),
    (r"\text{even}", "even"),
    (r"5\text{ cm}", "5 cm"),
    ("a\u200bb", "ab"),
    ("１２", "12"),
    (r"\boxed{3}", "3"),
    (r"x\!y", "xy"),
    (r"\varnothing", "∅"),
    (r"\displaystyle x", "x"),
    (r"\color{red}5", "5"),
]

DISTINCT = [
    ("1 1/2", "11/2"),
    ("5²", "52"),
    ("1½", "11/2"),
    (r"5\text{m}", "5m"),
    ("x_{12}", "x_12"),
    ("36,36,108", "3636108"),
    ("(0,125)", "0125"),
    ("a", "A"),
    ("$5", "5"),
    ("x^{12}", "x^12"),
    (r"\frac{1}{23}", r"\frac{12}{3}"),
    ("-3", "3"),
    ("[1,2]", "(1,2)"),
]


@pytest.mark.parametrize("pair", SAME, ids=str)
def test_spellings_agree(pair):
    left, right = (
        text.replace(",", "") if len(pair) > 2 else text for text in map(normalize, pair[:2])
    )
    assert left == right


@pytest.mark.parametrize(("left", "right"), DISTINCT)
def test_different_answers_stay_apart(left, right):
    assert normalize(left) != normalize(right)


def test_an_odd_dollar_is_money_and_a_pair_is_math():
    assert tidy("$18") == r"\$18"
    assert tidy("$18$") == "18"
    assert tidy(r"\$18") == r"\$18"


def test_ascii_passes_unchanged():
    assert plain_unicode("x^2 + 1") == "x^2 + 1"


@given(st.text(max_size=200))
def test_any_text_has_a_key_and_the_key_is_its_own(text):
    once = normalize(text)
    assert isinstance(once, str)
    assert "\u200b" not in once


@given(st.integers(0, 10**12), st.sampled_from([",", "{,}", r"\,", " "]))
def test_a_thousands_separator_never_changes_the_digits(number, separator):
    written = f"{number:,}".replace(",", separator)
    assert normalize(written).replace(",", "") == str(number)


@pytest.mark.parametrize("text", ["①③", "⒈3", "❶", "㈠", "🄁"])
def test_digits_in_circles_are_no_digits(text):
    assert "13" not in plain_unicode(text)


@pytest.mark.parametrize(
    ("text", "plain"),
    [("５", "5"), ("𝟏𝟐", "12"), ("5㎡", "5 m^{2}"), ("6。", "6."), ("3∶4", "3:4")],
)
def test_compatible_characters(text, plain):
    assert plain_unicode(text) == plain


@pytest.mark.parametrize(
    ("text", "plain"), [("\u0661\u0662", "12"), ("\u0a6e.5", "8.5"), ("\U0001d7d9", "1")]
)
def test_digits_of_any_script(text, plain):
    assert plain_unicode(text) == plain


def test_a_circled_digit_is_none():
    assert plain_unicode("\u2460\u2462") == "\u2460\u2462"
