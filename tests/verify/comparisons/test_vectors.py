r"""Matrices and vectors made of others; reference left, answer right."""

import pytest
from compared import DIFFERENT, EQUAL, rows, status

M = r"\begin{pmatrix}1&2\\3&4\end{pmatrix}"


class TestMatrices:
    @pytest.mark.parametrize(
        "answer",
        [
            r"\frac12\begin{pmatrix}2&4\\6&8\end{pmatrix}",
            r"\frac{\begin{pmatrix}2&4\\6&8\end{pmatrix}}{2}",
            r"-\begin{pmatrix}-1&-2\\-3&-4\end{pmatrix}",
            r"\begin{pmatrix}1&3\\2&4\end{pmatrix}^T",
            r"A^{-1}=" + M,
            r"A^T=" + M,
            r"2A-B=" + M,
            r"A^{-1}=\frac12\begin{pmatrix}2&4\\6&8\end{pmatrix}=" + M,
        ],
    )
    def test_equal(self, answer):
        assert status(M, answer) is EQUAL

    @pytest.mark.parametrize(
        "answer",
        [
            r"\frac12\begin{pmatrix}2&4\\6&9\end{pmatrix}",
            r"\begin{pmatrix}1&2\\3&4\end{pmatrix}^T",
            r"2\begin{pmatrix}1&2\\3&4\end{pmatrix}",
            r"\begin{pmatrix}1&2\end{pmatrix}\cdot 1",
        ],
    )
    def test_different(self, answer):
        assert status(M, answer) is DIFFERENT

    @pytest.mark.parametrize(
        "answer",
        [
            r"\begin{pmatrix}0&2\\3&4\end{pmatrix}+\begin{pmatrix}1&0\\0&0\end{pmatrix}",
            r"\begin{pmatrix}1&0\\0&1\end{pmatrix}\begin{pmatrix}1&2\\3&4\end{pmatrix}",
            r"\frac{1}{1+1}\begin{pmatrix}2&4\\6&8\end{pmatrix}",
        ],
    )
    def test_a_computation_left_undone_is_no_answer(self, answer):
        assert status(M, answer) is DIFFERENT
        assert status(M, answer, form="any") is EQUAL

    def test_the_order_of_a_product_counts(self):
        left, right = (
            r"\begin{pmatrix}1&1\\0&1\end{pmatrix}",
            r"\begin{pmatrix}1&0\\1&1\end{pmatrix}",
        )
        product = r"\begin{pmatrix}2&1\\1&1\end{pmatrix}"  # by hand
        assert status(product, left + right, form="any") is EQUAL
        assert status(product, right + left, form="any") is DIFFERENT

    def test_a_parameter_stays_in_the_entries(self):
        line = r"\begin{pmatrix}1\\2\end{pmatrix}+t\begin{pmatrix}1\\0\end{pmatrix}"
        assert status(r"\begin{pmatrix}1+t\\2\end{pmatrix}", line) is EQUAL
        assert status(line, r"\begin{pmatrix}1+t\\2\end{pmatrix}") is EQUAL
        assert status(r"\begin{pmatrix}1+t\\2+t\end{pmatrix}", line) is DIFFERENT
        assert status(r"\begin{pmatrix}1\\2\end{pmatrix}", line) is DIFFERENT

    def test_large_products_are_left_alone(self):
        many = r"\begin{pmatrix}1&2\\3&4\end{pmatrix}" * 12
        assert status(M, many, form="any") is not EQUAL


class TestUnitVectors:
    EQUAL_ROWS = rows(
        r"""
        (1,2) ~ \mathbf{i}+2\mathbf{j}
        (1,2) ~ \hat{i}+2\hat{j}
        (1,-2,3) ~ \mathbf{i}-2\mathbf{j}+3\mathbf{k}
        (1,2,0) ~ \mathbf{i}+2\mathbf{j}
        (0,2) ~ 2\hat{j}
        3\mathbf{i}-4\mathbf{j} ~ \langle3,-4\rangle
        3\mathbf{i}-4\mathbf{j} ~ 3\vec{i}-4\vec{j}
        \begin{pmatrix}1\\-2\\3\end{pmatrix} ~ \mathbf{i}-2\mathbf{j}+3\mathbf{k}
        (\frac{1}{2},2) ~ \frac{\mathbf{i}}{2}+2\mathbf{j}
        """
    )
    NOT_EQUAL_ROWS = rows(
        r"""
        (1,2) ~ 2\mathbf{i}+\mathbf{j}
        (1,2) ~ \mathbf{i}+2\mathbf{j}+3\mathbf{k}
        (3,4) ~ 3+4i
        (0,3) ~ 3i
        (3,0) ~ 3i
        3\mathbf{i}-4\mathbf{j} ~ 3\vec{i}+4\vec{j}
        (1,2) ~ \mathbf{i}\mathbf{j}+2\mathbf{j}
        3+4i ~ (3,4)
        """
    )

    @pytest.mark.parametrize(("reference", "answer"), EQUAL_ROWS)
    def test_equal(self, reference, answer):
        assert status(reference, answer) is EQUAL

    @pytest.mark.parametrize(("reference", "answer"), NOT_EQUAL_ROWS)
    def test_not_equal(self, reference, answer):
        assert status(reference, answer) is not EQUAL


class TestNamedPoints:
    @pytest.mark.parametrize(("reference", "answer"), [("(1,2)", "P(1,2)"), ("P(1,2)", "(1,2)")])
    def test_the_name_of_a_point_may_be_left_out(self, reference, answer):
        assert status(reference, answer) is EQUAL

    def test_another_point_is_different(self):
        assert status("(1,2)", "P(2,1)") is DIFFERENT
        assert status("P(1,2)", "Q(1,2)") is not EQUAL
        assert status("A(1,2),B(3,4)", "A(3,4),B(1,2)") is not EQUAL
        assert status("A(1,2),B(3,4)", "(1,2),(3,4)") is EQUAL
        assert status("A(1,2),B(3,4)", "(3,4),(1,2)") is DIFFERENT
        assert status("(1,2),(3,4)", "A(3,4),B(1,2)") is EQUAL
        assert status("(1,2),(3,4)", "A(1,2),B(3,5)") is DIFFERENT

    def test_a_transposed_row_is_a_column(self):
        assert status(r"\begin{pmatrix}1\\-2\\3\end{pmatrix}", "(1,-2,3)^T") is EQUAL
        assert status(r"\begin{pmatrix}1\\-2\\3\end{pmatrix}", "(1,2,3)^T") is DIFFERENT
