"""Lists, sets, tuples, systems: what order and multiplicity mean in each."""

import pytest
from compared import DIFFERENT, EQUAL, UNDECIDED, rows, status
from hypothesis import given
from hypothesis import strategies as st

EQUAL_BOTH_WAYS = rows(r"""
1,2 ~ 2,1
1,2 ~ \{2,1\}
1, 2, and 3 ~ 1, 3, 2
40, 200 ~ 200, 40
\sqrt2, -\sqrt2 ~ -\sqrt2, \sqrt2
\{1,1,2\} ~ \{2,1\}
5 ~ \{5\}
(1,2) ~ 1,2
(1,2) ~ \langle 1,2\rangle
(1,2) ~ \begin{pmatrix}1\\2\end{pmatrix}
(\frac12, \sqrt{4}) ~ (0.5, 2)
(2.5,4) ~ \approx(2.5,4)
(1,2),(3,4) ~ (3,4),(1,2)
\{(1,2),(3,4)\} ~ (3,4),(1,2)
x=-1,3 ~ -1,3
x=-1,3 ~ x=-1 or x=3
x=1,y=2 ~ y=2,x=1
x=1,y=2 ~ (1,2)
x=1,y=2 ~ (x,y)=(1,2)
x=1 \text{ or } x=2 ~ \{1,2\}
x\in\{1,2\} ~ x=1 \text{ or } x=2
x\in\{1,2\} ~ 1,2
\{1,2\} ~ x\in\{1,2\}
x+y=1, x-y=2 ~ x-y=2, x+y=1
x>0 \text{ and } y>0 ~ 0<y, x>0
\begin{pmatrix}1&2\\3&4\end{pmatrix} ~ \begin{bmatrix}1&2\\3&2^2\end{bmatrix}
\begin{pmatrix}1&2\\3&4\end{pmatrix} ~ [[1,2],[3,4]]
A=\begin{pmatrix}1&2\\3&4\end{pmatrix} ~ \begin{pmatrix}1&2\\3&4\end{pmatrix}
\begin{pmatrix}x+x\\3\end{pmatrix} ~ \left[\begin{array}{l}2x \\ 3\end{array}\right]
""")

DIFFERENT_BOTH_WAYS = rows(r"""
(1,2) ~ (2,1)
(1,2) ~ \{1,2\}
(0,1] ~ [0,1]
[2,5) ~ (2,5)
1,1,2 ~ 1,2
1,2 ~ 1,2,3
\{1,2\} ~ \{1,2,3\}
\{1,2\} ~ \{1,3\}
\{5\} ~ \{5,5\%\}
5 ~ 1,5
5 ~ 5 or 6
(1,2) ~ 5
(1,2,3) ~ (1,2)
(5,3) ~ (2,3)
x=1,y=2 ~ x=2,y=1
x=1,y=2 ~ (2,1)
x=1,y=2 ~ x=1,z=2
x=1 or x=2 ~ y=1 or y=2
(2,3) ~ (2 or 3)
x>0, y>0 ~ x>0
x>0, y>0 ~ x>0, y>1
(1,2),(3,4) ~ (2,1),(3,4)
\varnothing ~ 0
\varnothing ~ \{0\}
\begin{pmatrix}1&2\\3&4\end{pmatrix} ~ \begin{bmatrix}1&2\\4&3\end{bmatrix}
\begin{pmatrix}1&2\end{pmatrix} ~ \begin{pmatrix}1\\2\end{pmatrix}
\begin{pmatrix}1\\2\end{pmatrix} ~ (2,1)
""")

OPEN = rows(r"""
1,3 ~ x=5=1,3
(x,y)=(1,2) ~ (x,y)=(3,4)=(1,2)
x+y=1, x-y=2 ~ x+y=1, 2x=3
x+y=1, x-y=2 ~ x-y=2, or x+y=1
\{1,2\} ~ x=1,y=2
(3,4),(1,2) ~ (1,2)\cup(3,4)
(1,2,3) ~ (1,2,3]
""")


@pytest.mark.parametrize(("reference", "answer"), EQUAL_BOTH_WAYS)
def test_equal_both_ways_round(reference, answer):
    assert status(reference, answer, form="any") is EQUAL
    assert status(answer, reference, form="any") is EQUAL


@pytest.mark.parametrize(("reference", "answer"), DIFFERENT_BOTH_WAYS)
def test_different_both_ways_round(reference, answer):
    assert status(reference, answer) is DIFFERENT
    assert status(answer, reference) is DIFFERENT


@pytest.mark.parametrize(("reference", "answer"), OPEN)
def test_open(reference, answer):
    assert status(reference, answer) is UNDECIDED


def test_a_list_that_repeats_is_no_set_but_a_set_may_be_listed_with_repeats():
    assert status(r"\{1,2\}", "2,1,2") is EQUAL
    assert status("2,1,2", r"\{1,2\}") is DIFFERENT
    assert status("2,1,2", r"\{1,2\}", multiplicity=False) is EQUAL


def test_form_counts_inside_a_tuple():
    assert status("(5,3)", "(2+3,3)") is DIFFERENT
    assert status("(5,3)", "(2+3,3)", form="any") is EQUAL


def test_a_chain_of_matrices_must_be_true():
    vector = r"\begin{pmatrix}1\\2\end{pmatrix}"
    assert status(vector, rf"x={vector}") is EQUAL
    assert status(vector, rf"x=\begin{{pmatrix}}3\\4\end{{pmatrix}}={vector}") is DIFFERENT
    assert status("(1,2)", "x=(3,4)=(1,2)") is DIFFERENT


class TestConventions:
    def test_ordered(self):
        assert status("1,2", "2,1", ordered=True) is DIFFERENT
        assert status("1,2", "1,2.0", ordered=True) is EQUAL
        assert status("1,2", r"\{2,1\}", ordered=True) is EQUAL

    def test_multiplicity(self):
        assert status("1,1,2", "1,2", multiplicity=False) is EQUAL
        assert status("1,1,2", "1,3", multiplicity=False) is DIFFERENT

    def test_assignments(self):
        assert status("x=-1,3", "-1,3", assignments=False) is DIFFERENT
        assert status("x=-1,3", "x=3 or x=-1", assignments=False) is EQUAL
        assert status("x=1,y=2", "(1,2)", assignments=False) is DIFFERENT
        assert status("(1,2)", "x=1,y=2", assignments=False) is DIFFERENT

    def test_assignments_of_the_question_are_no_answers(self):
        for reference in ("x=1,y=2", "(1,2)"):
            assert status(reference, "y=2,x=1", echoes=True) is DIFFERENT
        assert status("1,3", "x=3 or x=1", echoes=True) is DIFFERENT


class TestLaws:
    items = st.lists(st.integers(0, 5), min_size=2, max_size=6)

    @given(items, st.randoms())
    def test_lists_have_no_order_and_tuples_have(self, items, random):
        shuffled = random.sample(items, len(items))
        left, right = (", ".join(map(str, order)) for order in (items, shuffled))
        assert status(left, right) is EQUAL
        assert (status(f"({left})", f"({right})") is EQUAL) is (items == shuffled)

    @given(items, items)
    def test_sets_are_sets(self, left, right):
        wrap = lambda items: r"\{" + ", ".join(map(str, items)) + r"\}"  # noqa: E731
        assert (status(wrap(left), wrap(right)) is EQUAL) is (set(left) == set(right))


def test_more_items_than_can_be_matched_are_undecided():
    many = ", ".join(map(str, range(300)))
    other = ", ".join(map(str, range(1, 301)))
    assert status(many, other) is UNDECIDED
    names = ", ".join(f"x_{{{index}}}" for index in range(100))
    others = ", ".join(f"y_{{{index}}}" for index in range(100))
    assert status(names, others) is not EQUAL
