r"""Answers that are rewritten before they are compared; reference left, answer right."""

import pytest
from compared import DIFFERENT, EQUAL, rows, status


class TestDifferencesOfSets:
    EQUAL_ROWS = rows(
        r"""
        \mathbb{R}\setminus\{3\} ~ \mathbb{R}-\{3\}
        \mathbb{R}-\{3\} ~ (-\infty,3)\cup(3,\infty)
        (-\infty,3)\cup(3,\infty) ~ x\in\mathbb{R}-\{3\}
        \{1,2\}-\{2\} ~ \{1\}
        (0,1] ~ [0,1]-\{0\}
        \mathbb{R}-[1,2] ~ x<1 \text{ or } x>2
        \mathbb{R}\setminus\{3\} ~ \mathbb{R}, x\neq3
        x\neq 3 ~ \mathbb{R}, x\neq3
        """
    )
    DIFFERENT_ROWS = rows(
        r"""
        \mathbb{R}\setminus\{3\} ~ \mathbb{R}-\{2\}
        \mathbb{R}\setminus\{3\} ~ \mathbb{R}
        \mathbb{R}\setminus\{3\} ~ \mathbb{R}, x\neq2
        (1,2) ~ (3,4)-(2,2)
        """
    )

    @pytest.mark.parametrize(("reference", "answer"), EQUAL_ROWS)
    def test_equal(self, reference, answer):
        assert status(reference, answer) is EQUAL

    @pytest.mark.parametrize(("reference", "answer"), DIFFERENT_ROWS)
    def test_different(self, reference, answer):
        assert status(reference, answer) is DIFFERENT


class TestAmountsJoinedByAnd:
    EQUAL_ROWS = rows(
        r"""
        2 hours 30 minutes ~ 2 hours and 30 minutes
        2 hours and 30 minutes ~ 150 minutes
        5 ft 3 in ~ 63 inches
        \$12.50 ~ 12 dollars and 50 cents
        2 m and 30 cm ~ 30 cm and 2 m
        """
    )
    DIFFERENT_ROWS = rows(
        r"""
        2 hours 30 minutes ~ 2 hours and 31 minutes
        2 hours ~ 2 hours or 30 minutes
        3 hours ~ 2 hours and 60 minutes
        2.5 hours ~ 30 minutes and 2 hours
        """
    )

    @pytest.mark.parametrize(("reference", "answer"), EQUAL_ROWS)
    def test_equal(self, reference, answer):
        assert status(reference, answer) is EQUAL

    @pytest.mark.parametrize(("reference", "answer"), DIFFERENT_ROWS)
    def test_different(self, reference, answer):
        assert status(reference, answer) is DIFFERENT


class TestPointsGivenByCoordinates:
    @pytest.mark.parametrize(
        "answer",
        [
            "x = 45, y = 2 or x = -10, y = -9",
            r"(x,y)=(45,2) \text{ or } (x,y)=(-10,-9)",
            r"(x,y)\in\{(45,2),(-10,-9)\}",
            "y = 2, x = 45 or y = -9, x = -10",
        ],
    )
    def test_are_points(self, answer):
        assert status("(45,2),(-10,-9)", answer) is EQUAL
        assert status(r"\{(45,2),(-10,-9)\}", answer) is EQUAL
        assert status("(45,2),(-10,9)", answer) is DIFFERENT

    @pytest.mark.parametrize("answer", ["x=45, x=-10, y=2, y=-9", "x=45,y=2,x=-10", "x=45,y=2"])
    def test_other_orders_are_not(self, answer):
        assert status("(45,2),(-10,-9)", answer) is not EQUAL

    def test_a_set_of_one_point_is_the_point(self):
        assert status("(1,2)", r"\{(1,2)\}") is EQUAL
        assert status(r"\{(1,2)\}", "(1,2)") is EQUAL
        assert status("(1,2)", r"\{(1,2),(3,4)\}") is DIFFERENT
        assert status("[1,2)", r"\{(1,2)\}") is DIFFERENT


class TestFormulasAndWhereTheyHold:
    EQUAL_ROWS = rows(
        r"""
        \frac{x+1}{x-1} ~ \frac{x+1}{x-1}, x\neq 1
        a_n=2n-1 ~ a_n=2n-1, n\geq 1
        x^2, x>0 ~ x^2
        x^2, x>0 ~ x\cdot x, 0<x
        \ln|x|+C ~ \ln|x|+C, C\in\mathbb{R}
        y=\sqrt{x} ~ y=\sqrt{x}, x\geq 0
        """
    )
    NOT_EQUAL_ROWS = rows(
        r"""
        x^2, x>0 ~ x^2, x<0
        x^2, x>0 ~ x^2, x\geq 0
        x^2 ~ x^2, y>0
        x^2 ~ x^2, x=3
        x^2 ~ x^2, x\in\{3\}
        x^2 ~ x^2, x^3
        9 ~ x^2, x>0
        x^2, x>0 ~ x>0
        3 ~ 3, x>0
        """
    )

    @pytest.mark.parametrize(("reference", "answer"), EQUAL_ROWS)
    def test_equal(self, reference, answer):
        assert status(reference, answer) is EQUAL

    @pytest.mark.parametrize(("reference", "answer"), NOT_EQUAL_ROWS)
    def test_not_equal(self, reference, answer):
        assert status(reference, answer) is not EQUAL


class TestOneValueWrittenTwice:
    EQUAL_ROWS = rows(
        r"""
        1/2 ~ 1/2 or 0.5
        1/2 ~ 1/2, 0.5
        60^\circ ~ 60^\circ or \pi/3
        x=1/2 ~ x=1/2 or x=0.5
        x=5 ~ 5 or x=5
        """
    )
    NOT_EQUAL_ROWS = rows(
        r"""
        5 ~ 5 or 6
        5 ~ 5, 6
        5 ~ 5 and 5
        5 ~ x=5 or y=5
        x=5 ~ y=5 or y=5
        5 ~ 5 or (5,5)
        1/3 ~ 1/3 or 0.3
        """
    )

    @pytest.mark.parametrize(("reference", "answer"), EQUAL_ROWS)
    def test_equal(self, reference, answer):
        assert status(reference, answer) is EQUAL

    @pytest.mark.parametrize(("reference", "answer"), NOT_EQUAL_ROWS)
    def test_not_equal(self, reference, answer):
        assert status(reference, answer) is not EQUAL
