"""Mathematical answers whose value is known exactly, in LaTeX, plain text and Unicode.

A value is built first and written afterwards, so nothing has to be parsed to know what is equal:
`Expression.value` of two expressions is the same exactly when they are. `equal_pairs` are two ways
to write one value, `unequal_pairs` two values that a careless comparison takes for one; each pair
says why.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from fractions import Fraction
from math import isqrt
from typing import Literal, NamedTuple, get_args

from hypothesis import assume
from hypothesis import strategies as st

Notation = Literal["latex", "plain", "unicode"]
NOTATIONS: tuple[Notation, ...] = get_args(Notation)

_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


class Root(NamedTuple):
    """A number that is a square root: its square, and its sign."""

    square: Fraction
    sign: int


class Polynomial(NamedTuple):
    """Coefficients of a polynomial in x, from the constant term upwards."""

    coefficients: tuple[int, ...]


class Interval(NamedTuple):
    """An interval with its ends, and whether they belong to it."""

    low: int
    high: int
    low_closed: bool
    high_closed: bool


class Expression(NamedTuple):
    """One way to write one value.

    Attributes:
        value: A Fraction, Root, Polynomial, Interval or frozenset of Fractions.
        form: What sort of writing, in a few words.
        latex: In LaTeX.
        plain: In ASCII.
        unicode: With the characters of Unicode.
    """

    value: Hashable
    form: str
    latex: str
    plain: str
    unicode: str

    def written(self, notation: Notation) -> str:
        """Return it in a notation."""
        return {"latex": self.latex, "plain": self.plain, "unicode": self.unicode}[notation]


class Pair(NamedTuple):
    """Two answers, whether they are equal, and why.

    Attributes:
        left: The one.
        right: The other.
        equal: Whether they have one value.
        reason: How they differ, in writing or in value.
    """

    left: str
    right: str
    equal: bool
    reason: str


# ---------------------------------------------------------------------------------------- writing


def _alike(value: Hashable, form: str, text: str) -> Expression:
    """One text for LaTeX and plain; Unicode has its minus."""
    return Expression(value, form, text, text, text.replace("-", "−"))


def _number_forms(value: Fraction) -> Iterator[Expression]:
    """Yield the ways to write a rational number."""
    top, below = value.numerator, value.denominator
    sign, size = ("-" if top < 0 else ""), abs(value)
    if below == 1:
        yield _alike(value, "integer", str(top))
    else:
        yield _ratio(value, "fraction", top, below)
    for factor in (2, 3):
        yield _ratio(value, "unreduced fraction", top * factor, below * factor)
    decimal = _decimal(value)
    if decimal is not None:
        yield _alike(value, "decimal", decimal)
        yield _alike(value, "decimal with zeros", decimal + "00")
    if below != 1 and size > 1:
        whole, rest = divmod(size.numerator, size.denominator)
        yield Expression(
            value,
            "mixed number",
            rf"{sign}{whole}\frac{{{rest}}}{{{below}}}",
            f"{sign}{whole} {rest}/{below}",
            f"{sign}{whole} {rest}⁄{below}".replace("-", "−"),
        )
    yield from _worked(value)


def _worked(value: Fraction) -> Iterator[Expression]:
    """Yield a sum, a product, a power and a root that come to a number."""
    top, below = value.numerator, value.denominator
    if below != 1:
        return
    yield _alike(value, "sum", f"{top - 1}+1")
    yield Expression(
        value, "product", rf"{2 * top} \cdot \frac{{1}}{{2}}", f"{2 * top}*(1/2)",
        f"{2 * top}·½".replace("-", "−"),
    )  # fmt: skip
    if top > 0:
        yield Expression(value, "root", rf"\sqrt{{{top * top}}}", f"sqrt({top * top})",
                         f"√{top * top}")  # fmt: skip
        root = isqrt(top)
        if root > 1 and root * root == top:
            yield Expression(value, "power", f"{root}^{{2}}", f"{root}^2", f"{root}²")


def _ratio(value: Fraction, form: str, top: int, below: int) -> Expression:
    sign, top = ("-" if top < 0 else ""), abs(top)
    return Expression(
        value,
        form,
        rf"{sign}\frac{{{top}}}{{{below}}}",
        f"{sign}{top}/{below}",
        f"{sign}{top}⁄{below}".replace("-", "−"),
    )


def _decimal(value: Fraction) -> str | None:
    """Return the decimal notation of a number, or None where it does not end."""
    below, places = value.denominator, 0
    while 10**places % below:
        places += 1
        if places > 6:
            return None
    places = max(places, 1)
    digits = str(abs(value.numerator) * 10**places // below).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def _percent_forms(value: Fraction) -> Iterator[Expression]:
    decimal = _decimal(value * 100)
    if decimal is not None:
        text = decimal.removesuffix(".0")
        yield Expression(value, "percentage", text + r"\%", text + "%", text + "%")


def root_value(coefficient: int, radicand: int) -> Fraction | Root:
    """Return the exact value of `coefficient·√radicand`.

    >>> root_value(2, 3) == root_value(1, 12), root_value(1, 4)
    (True, Fraction(2, 1))
    """
    root = isqrt(radicand)
    if root * root == radicand or not coefficient:
        return Fraction(coefficient * root)
    return Root(Fraction(coefficient**2 * radicand), 1 if coefficient > 0 else -1)


def _root(coefficient: int, radicand: int, form: str) -> Expression:
    front = {1: "", -1: "-"}.get(coefficient, str(coefficient))
    star = f"{coefficient}*" if front not in ("", "-") else front
    return Expression(
        root_value(coefficient, radicand),
        form,
        rf"{front}\sqrt{{{radicand}}}",
        f"{star}sqrt({radicand})",
        f"{front}√{radicand}".replace("-", "−"),
    )


def _term(coefficient: int, power: int, first: bool) -> tuple[str, str]:
    """Return a term of a polynomial with its sign, in LaTeX (and plain) and in Unicode."""
    sign = "-" if coefficient < 0 else "" if first else "+"
    size = abs(coefficient)
    front = "" if size == 1 and power else str(size)
    x = "" if not power else "x"
    caret = "" if power < 2 else f"^{power}"
    return sign + front + x + caret, sign + front + x + caret[1:].translate(_SUPERSCRIPTS)


def _polynomial(value: Polynomial, order: int, form: str) -> Expression:
    terms = [(c, power) for power, c in enumerate(value.coefficients) if c][::order] or [(0, 0)]
    parts = [_term(c, power, at == 0) for at, (c, power) in enumerate(terms)]
    text = "".join(part for part, _ in parts)
    return Expression(value, form, text, text, "".join(u for _, u in parts).replace("-", "−"))


def _factored(first: int, second: int) -> Expression:
    """`(x + a)(x + b)`."""
    text = f"(x{first:+d})(x{second:+d})"
    value = Polynomial((first * second, first + second, 1))
    return Expression(value, "product of factors", text, text.replace(")(", ")*("),
                      text.replace("-", "−"))  # fmt: skip


def _set(numbers: list[Fraction], form: str) -> Expression:
    items = [next(_number_forms(number)) for number in numbers]
    value = frozenset(numbers)
    return Expression(
        value,
        form,
        r"\{" + ", ".join(item.latex for item in items) + r"\}",
        "{" + ", ".join(item.plain for item in items) + "}",
        "{" + ", ".join(item.unicode for item in items) + "}",
    )


def _interval_forms(value: Interval) -> Iterator[Expression]:
    low, high, low_closed, high_closed = value
    inside = f"{'[' if low_closed else '('}{low}, {high}{']' if high_closed else ')'}"
    yield _alike(value, "interval", inside)
    signs = {
        "latex": (r" \le " if low_closed else " < ", r" \le " if high_closed else " < "),
        "plain": (" <= " if low_closed else " < ", " <= " if high_closed else " < "),
        "unicode": (" ≤ " if low_closed else " < ", " ≤ " if high_closed else " < "),
    }
    texts = {name: f"{low}{one}x{two}{high}" for name, (one, two) in signs.items()}
    yield Expression(value, "inequality", texts["latex"], texts["plain"],
                     texts["unicode"].replace("-", "−"))  # fmt: skip


def forms(value: Hashable, *, percent: bool = True) -> list[Expression]:
    """Return the ways to write a value, the plainest first.

    Percentages can be left out: readers take `50%` for `0.5`, and some for `50`, too.

    >>> [form.plain for form in forms(Fraction(3, 2))]
    ['3/2', '6/4', '9/6', '1.5', '1.500', '1 1/2', '150%']
    """
    match value:
        case Fraction():
            return [*_number_forms(value), *(_percent_forms(value) if percent else ())]
        case Root(square, sign):
            return [*_root_forms(square, sign)]
        case Polynomial():
            highest = _polynomial(value, -1, "polynomial")
            return [highest, _polynomial(value, 1, "polynomial, constant first")]
        case Interval():
            return [*_interval_forms(value)]
        case frozenset():
            ordered = sorted(value)
            return [_set(ordered, "set"), _set(ordered[::-1], "set in reverse order"),
                    _set([*ordered, ordered[0]], "set with one element twice")]  # fmt: skip
        case _:
            raise TypeError(f"{value!r} is no value of this module")


def _root_forms(square: Fraction, sign: int) -> Iterator[Expression]:
    radicand = square.numerator
    outside = max(c for c in range(1, isqrt(radicand) + 1) if radicand % (c * c) == 0)
    yield _root(sign * outside, radicand // outside**2, "root")
    if outside > 1:
        yield _root(sign, radicand, "root with a square factor")


# ---------------------------------------------------------------------------------------- drawing


def rationals(*, largest: int = 60) -> st.SearchStrategy[Fraction]:
    """Draw integers and fractions with small denominators.

    >>> from hypothesis import find
    >>> find(rationals(), lambda x: x.denominator > 1)
    Fraction(1, 2)
    """
    below = st.sampled_from((1, 2, 4, 5, 3, 7, 8, 20))
    return st.builds(Fraction, st.integers(-largest, largest), below)


def roots() -> st.SearchStrategy[Root]:
    """Draw irrational square roots with an integer before them."""
    pairs = st.tuples(st.integers(-6, 6), st.integers(2, 20))
    values = pairs.map(lambda pair: root_value(*pair))
    return values.filter(lambda value: isinstance(value, Root))  # type: ignore[return-value]


def polynomials() -> st.SearchStrategy[Polynomial]:
    """Draw polynomials in x, from degree 1 to 3."""

    def build(lower: list[int], leading: int) -> Polynomial:
        return Polynomial((*lower, leading))

    leading = st.sampled_from((1, 2, 3, -1, -2))
    return st.builds(build, st.lists(st.integers(-9, 9), min_size=1, max_size=3), leading)


def intervals() -> st.SearchStrategy[Interval]:
    """Draw bounded intervals, their ends in or out."""

    def build(low: int, width: int, low_closed: bool, high_closed: bool) -> Interval:
        return Interval(low, low + width, low_closed, high_closed)

    ends = st.booleans()
    return st.builds(build, st.integers(-9, 9), st.integers(1, 9), ends, ends)


def sets() -> st.SearchStrategy[frozenset[Fraction]]:
    """Draw sets of two to four numbers."""
    return st.frozensets(rationals(largest=20), min_size=2, max_size=4)


def values() -> st.SearchStrategy[Hashable]:
    """Draw a value of any kind; numbers first."""
    return st.one_of(rationals(), roots(), polynomials(), intervals(), sets())


def expressions(*, percent: bool = True) -> st.SearchStrategy[Expression]:
    """Draw a value and one way to write it.

    >>> from hypothesis import find
    >>> find(expressions(), lambda it: it.form == "root").unicode
    '√2'
    """
    return values().flatmap(lambda value: st.sampled_from(forms(value, percent=percent)))


def equal_pairs() -> st.SearchStrategy[Pair]:
    """Draw two ways to write one value; `reason` names both.

    Sums and products of numbers are among them, which some graders take for work left undone.
    """
    ways = st.one_of(values().map(forms).filter(_differ), _products())

    @st.composite
    def draw(draw: st.DrawFn) -> Pair:
        writings = [(form, notation) for form in draw(ways) for notation in NOTATIONS]
        one, way = draw(st.sampled_from(writings))
        left = one.written(way)
        others = [(form, other) for form, other in writings if form.written(other) != left]
        two, other = draw(st.sampled_from(others))
        reason = f"{one.form} and {two.form}"
        if one.form == two.form:
            reason = f"{one.form} in {way} and {other}"
        return Pair(left, two.written(other), True, reason)

    return draw()


def _differ(ways: list[Expression]) -> bool:
    """Whether there is more than one text; `x` is `x` in every notation."""
    return len({way.written(notation) for way in ways for notation in NOTATIONS}) > 1


def _products() -> st.SearchStrategy[list[Expression]]:
    def build(first: int, second: int) -> list[Expression]:
        product = _factored(first, second)
        assert isinstance(product.value, Polynomial)
        return [*forms(product.value), product]

    factor = st.integers(-9, 9).filter(bool)
    return st.builds(build, factor, factor)


def _near(value: Hashable) -> list[tuple[str, Hashable]]:
    """Return values that a careless comparison takes for this one, each with what was changed."""
    changed: dict[str, Hashable]
    match value:
        case Fraction():
            changed = {
                "other sign": -value,
                "one more": value + 1,
                "ten times": value * 10,
                "numerator one more": Fraction(value.numerator + 1, value.denominator),
                "first digit only": Fraction(int(str(abs(value.numerator))[0])),
            }
            if value:
                changed["reciprocal"] = 1 / value
        case Root(square, sign):
            changed = {
                "other sign": Root(square, -sign),
                "without the root": square,
                "another radicand": root_value(sign, square.numerator + 1),
            }
        case Polynomial(coefficients):
            first, *rest = coefficients
            changed = {
                "another constant": Polynomial((first + 1, *rest)),
                "other sign": Polynomial(tuple(-c for c in coefficients)),
                "without its leading term": Polynomial((*coefficients[:-1], 0)),
            }
        case Interval(low, high, low_closed, high_closed):
            changed = {
                "other left end": Interval(low, high, not low_closed, high_closed),
                "other right end": Interval(low, high, low_closed, not high_closed),
                "further": Interval(low, high + 1, low_closed, high_closed),
            }
        case frozenset():
            ordered = sorted(value)
            changed = {
                "one element less": frozenset(ordered[1:]),
                "one element more": value | {max(ordered) + 1},
                "another element": frozenset([*ordered[1:], max(ordered) + 1]),
            }
        case _:
            raise TypeError(f"{value!r} is no value of this module")
    return [(why, other) for why, other in changed.items() if other != value]


def _rounds(value: Hashable, other: Hashable) -> bool:
    """Whether one may be the other one rounded, which a comparison may rightly take for it."""
    numbers = [
        one.sign * float(one.square) ** 0.5 if isinstance(one, Root) else float(one)
        for one in (value, other)
        if isinstance(one, Root | Fraction)
    ]
    irrational = isinstance(value, Root) or isinstance(other, Root)
    return len(numbers) == 2 and irrational and abs(numbers[0] - numbers[1]) < 0.5


def unequal_pairs() -> st.SearchStrategy[Pair]:
    """Draw two values that are near in writing; `reason` says what was changed.

    >>> from hypothesis import find
    >>> find(unequal_pairs(), lambda pair: pair.reason == "other sign")
    Pair(left='1', right='-1', equal=False, reason='other sign')
    """
    notations = st.sampled_from(NOTATIONS)

    @st.composite
    def draw(draw: st.DrawFn) -> Pair:
        value = draw(values())
        reason, other = draw(st.sampled_from(_near(value)))
        left = draw(st.sampled_from(forms(value, percent=False)))
        right = draw(st.sampled_from(forms(other, percent=False)))
        assume(not _rounds(value, other))
        return Pair(left.written(draw(notations)), right.written(draw(notations)), False, reason)

    return draw()
