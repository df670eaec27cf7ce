"""Exact values, structure and rational functions, on trees made by hand."""

from __future__ import annotations

import time

import pytest
from flint import fmpq
from hypothesis import given
from hypothesis import strategies as st

from rlrewards.verify.exact import (
    canonical,
    compare_forms,
    differ_by_constant,
    proportion,
    rational,
    same_structure,
)
from rlrewards.verify.tree import (
    INFINITY,
    PI,
    Apply,
    Based,
    Call,
    E,
    I,
    Matrix,
    Negative,
    Number,
    Power,
    Product,
    Quotient,
    Root,
    Standing,
    Sum,
    Symbol,
)

X, Y, C = Symbol("x"), Symbol("y"), Symbol("C")


def node(value):
    return Number(fmpq(value)) if isinstance(value, int) else value


def number(over, under=1):
    return Number(fmpq(over, under))


def add(*terms):
    return Sum(tuple(map(node, terms)))


def times(*factors):
    return Product(tuple(map(node, factors)))


def over(above, below):
    return Quotient(node(above), node(below))


def power(base, exponent):
    return Power(node(base), node(exponent))


def root(radicand, degree=2):
    return Root(node(radicand), node(degree))


def call(name, *arguments):
    return Call(name, tuple(map(node, arguments)))


def minus(value):
    return Negative(node(value))


LN_X = call("ln", X)


class TestRational:
    @pytest.mark.parametrize(
        ("tree", "expected"),
        [
            (number(3, 4), fmpq(3, 4)),
            (minus(5), fmpq(-5)),
            (over(2, 4), fmpq(1, 2)),
            (add(1, number(4, 5)), fmpq(9, 5)),
            (times(3, power(10, 4)), fmpq(30_000)),
            (power(2, -2), fmpq(1, 4)),
            (power(4, number(3, 2)), fmpq(8)),
            (power(-8, number(2, 3)), fmpq(4)),
            (power(-1, 10**30 + 1), fmpq(-1)),
            (root(-8, 3), fmpq(-2)),
            (root(number(9, 16)), fmpq(3, 4)),
            (call("factorial", 5), fmpq(120)),
            (call("factorial", 0), fmpq(1)),
            (call("double_factorial", 7), fmpq(105)),
            (call("binomial", 10, 3), fmpq(120)),
            (call("binomial", 3, 10), fmpq(0)),
            (call("permutations", 5, 2), fmpq(20)),
            (call("abs", -5), fmpq(5)),
            (call("floor", number(-7, 2)), fmpq(-4)),
            (call("ceil", number(-7, 2)), fmpq(-3)),
            (call("gcd", 12, 18), fmpq(6)),
            (call("lcm", 4, 6), fmpq(12)),
            (call("min", 3, 1, 2), fmpq(1)),
            (call("max", 3, 1, 2), fmpq(3)),
            (call("mod", -7, 3), fmpq(2)),
            (call("sgn", -7), fmpq(-1)),
            (Based("1101", 2), fmpq(13)),
            (Based("FF", 16), fmpq(255)),
            (Call("det", (Matrix(((number(1), number(2)), (number(3), number(4)))),)), fmpq(-2)),
        ],
        ids=repr,
    )
    def test_values(self, tree, expected):
        assert rational(tree) == expected

    @pytest.mark.parametrize(
        "tree",
        [
            X,
            PI,
            INFINITY,
            root(2),
            root(-4),
            over(1, 0),
            power(0, 0),
            power(0, -1),
            root(5, 0),
            Based("12", 2),
            Based("1.1", 2),
            Based("1_1", 2),
            call("factorial", -1),
            call("factorial", number(1, 2)),
            call("mod", 3, 0),
            call("gcd", number(1, 2), 3),
            call("binomial", 5),
            call("max"),
            call("sin", 0),
            Apply("f", (number(2),)),
            Call("det", (number(2),)),
        ],
        ids=repr,
    )
    def test_none_where_there_is_no_rational_value(self, tree):
        assert rational(tree) is None

    @pytest.mark.parametrize(
        "tree",
        [
            power(9, power(9, power(9, 9))),
            power(10, -(10**10)),
            call("factorial", 10**8),
            call("factorial", power(10, 1000)),
            call("double_factorial", 10**8),
            call("binomial", 10**9, 5 * 10**8),
            call("binomial", 10**8, 10**7),
            call("permutations", 10**9, 10**8),
            root(2, 10**9),
            power(2, number(1, 10**12 + 1)),
            Based("Z" * 10_000, 36),
            add(*(over(1, power(2, 19_000 + k)) for k in range(300)), power(3, 12_000)),
        ],
        ids=range(12),
    )
    def test_what_is_too_long_is_not_written_out(self, tree):
        start = time.process_time()
        rational(tree)
        canonical(tree)
        assert time.process_time() - start < 0.2

    def test_symbols_have_the_values_given(self):
        assert rational(add(power(X, 2), 1), {"x": fmpq(1, 2)}) == fmpq(5, 4)
        assert rational(add(X, Y), {"x": fmpq(1)}) is None

    @given(st.fractions(max_denominator=10**6), st.fractions(max_denominator=10**6))
    def test_arithmetic_is_that_of_fractions(self, a, b):
        left, right = (number(*value.as_integer_ratio()) for value in (a, b))
        assert rational(add(left, right)) == fmpq(*(a + b).as_integer_ratio())
        assert rational(times(left, minus(right))) == fmpq(*(-a * b).as_integer_ratio())


SAME = [
    (add(X, 1), add(1, X)),
    (times(2, X), times(X, 2)),
    (add(X, minus(Y)), add(minus(Y), X)),
    (minus(add(X, Y)), add(minus(X), minus(Y))),
    (times(2, add(X, 1)), add(times(2, X), 2)),
    (over(X, times(2, Y)), times(number(1, 2), X, power(Y, -1))),
    (root(X), power(X, number(1, 2))),
    (call("exp", X), power(E, X)),
    (call("gcd", X, Y), call("gcd", Y, X)),
    (Apply("f", (add(X, 1),)), Apply("f", (add(1, X),))),
    (
        Standing("sum", power(Symbol("k"), 2), Symbol("k"), number(1), Symbol("n")),
        Standing("sum", power(Symbol("j"), 2), Symbol("j"), number(1), Symbol("n")),
    ),
]
NOT_THE_SAME = [
    (X, Symbol("X")),
    (X, minus(X)),
    (over(X, Y), over(Y, X)),
    (root(power(X, 2)), X),
    (power(root(X), 2), X),
    (add(X, LN_X, minus(LN_X)), X),
    (over(LN_X, LN_X), number(1)),
    (times(0, X), number(0)),
    (Symbol("x y"), times(X, Y)),
    (Apply("f", (X,)), Apply("g", (X,))),
    (Apply("f", (X, Y)), Apply("f", (Y, X))),
    (call("binomial", X, Y), call("binomial", Y, X)),
    (Based("12", 2), Based("12", 1)),
    (
        Standing("integral", X, X, number(0), number(1)),
        Standing("integral", X, X, number(0), number(2)),
    ),
    (Standing("integral", X, X), Standing("integral", Y, Y)),  # a function of x, and one of y
    (Standing("sum", Y, X, number(1), Y), Standing("sum", X, X, number(1), Y)),
]


class TestStructure:
    @pytest.mark.parametrize(("left", "right"), SAME)
    def test_same(self, left, right):
        assert same_structure(left, right)

    @pytest.mark.parametrize(("left", "right"), NOT_THE_SAME)
    def test_not_the_same(self, left, right):
        assert not same_structure(left, right)


FORMS_EQUAL = [
    (times(2, root(3)), root(12)),
    (over(1, root(2)), over(root(2), 2)),
    (power(add(1, root(2)), 2), add(3, times(2, root(2)))),
    (times(root(2), root(3)), root(6)),
    (root(number(1, 2)), over(root(2), 2)),
    (over(1, add(root(3), root(2))), add(root(3), minus(root(2)))),
    (power(2, number(3, 2)), times(2, root(2))),
    (over(times(PI, root(2)), 4), over(PI, times(2, root(2)))),
    (root(-3), times(I, root(3))),
    (power(add(1, I), 2), times(2, I)),
    (add(X, X), times(2, X)),
    (power(add(X, 1), 2), add(power(X, 2), times(2, X), 1)),
    (over(add(power(X, 2), -1), add(X, -1)), add(X, 1)),
    (add(over(1, X), over(1, Y)), over(add(X, Y), times(X, Y))),
    (times(LN_X, add(X, 1)), add(LN_X, times(X, LN_X))),
    (add(Apply("f", (X,)), Apply("f", (X,))), times(2, Apply("f", (X,)))),
    (call("exp", 2), power(E, 2)),
]
FORMS_DIFFERENT = [
    (root(2), number(7, 5)),
    (root(2), add(root(2), power(10, -500))),
    (add(root(2), root(3)), root(5)),
    (PI, number(22, 7)),
    (power(E, 5000), add(power(E, 5000), 1)),
    (power(X, 1000), power(X, 1001)),
    (add(X, 1), over(add(power(X, 2), -2), add(X, -1))),
    (X, Y),
    (LN_X, add(LN_X, power(10, -300))),
    (add(2, I), add(2, minus(I))),
]
FORMS_OPEN = [
    (add(power(call("sin", X), 2), power(call("cos", X), 2)), number(1)),
    (add(X, LN_X, minus(LN_X)), X),
    (add(times(2, X), times(0, Y)), times(2, X)),
    (add(PI, E), times(3, PI)),
    (over(1, add(times(root(2), root(2)), -2)), number(1)),
    (over(1, add(X, minus(X))), X),
    (INFINITY, X),
    (power(add(X, Y), 1000), add(power(X, 1000), power(Y, 1000))),
    (power(add(X, 1), 10**12), X),
    (times(*(Symbol(f"x_{k}") for k in range(40))), X),
    (times(*(add(X, Symbol(f"y_{k}"), 1) for k in range(11))), X),
]


class TestForms:
    @pytest.mark.parametrize(("left", "right"), FORMS_EQUAL)
    def test_equal(self, left, right):
        assert compare_forms(left, right) is True
        assert compare_forms(right, left) is True

    @pytest.mark.parametrize(("left", "right"), FORMS_DIFFERENT)
    def test_different(self, left, right):
        assert compare_forms(left, right) is False
        assert compare_forms(right, left) is False

    @pytest.mark.parametrize(("left", "right"), FORMS_OPEN, ids=range(len(FORMS_OPEN)))
    def test_open(self, left, right):
        start = time.process_time()
        assert compare_forms(left, right) is None
        assert compare_forms(right, left) is None
        assert time.process_time() - start < 0.2

    @given(st.lists(st.integers(-9, 9), min_size=1, max_size=5), st.integers(-5, 5))
    def test_a_polynomial_is_its_expansion_around_any_point(self, coefficients, shift):
        """Horner's scheme at x + s, less s, is the polynomial itself."""
        moved = add(add(X, shift), -shift)
        plain, nested = node(0), node(0)
        for place, coefficient in enumerate(coefficients):
            plain = add(plain, times(coefficient, power(X, place) if place else 1))
        for coefficient in reversed(coefficients):
            nested = add(times(nested, moved), coefficient)
        same = compare_forms(plain, nested)
        assert same is True or (same is None and len(coefficients) == 1)
        assert compare_forms(add(plain, 1), nested) is False


class TestProportion:
    def test_a_multiple(self):
        line = add(times(2, X), Y, -3)
        assert proportion(line, add(times(-4, X), times(-2, Y), 6)) == (True, fmpq(-1, 2))
        assert proportion(line, add(times(4, X), times(2, Y), 6))[0] is False

    def test_zero(self):
        assert proportion(add(X, minus(X)), X) == (True, fmpq(0))
        assert proportion(X, add(X, minus(X)))[0] is None

    def test_a_constant_difference(self):
        cube = power(add(X, 1), 3)
        expanded = add(power(X, 3), times(3, power(X, 2)), times(3, X))
        assert differ_by_constant(cube, expanded) is True
        assert differ_by_constant(cube, power(X, 3)) is False
        assert differ_by_constant(call("sin", X), call("cos", X)) is None
