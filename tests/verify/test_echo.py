"""Which formulas a question holds, and which answers only repeat one."""

from __future__ import annotations

import time

import pytest

import rlrewards as rr
from rlrewards import Status
from rlrewards.verify.echo import formulas_of, is_echo

ECHOES = [
    # answer, reference, question
    ("2+3", "5", "What is $2+3$?"),
    ("2 + 3", "5", r"What is \(2+3\)?"),
    ("2^{10}", "1024", r"Find \[2^{10}\]."),
    (r"2 \cdot 5", "10", "Compute $$2*5$$ now"),
    ("x=4", "4", "Let x = 4. What is x?"),
    ("y-1=2x", "y=2x+1", "Solve $y-1=2x$ for $y$."),
    (r"\frac{6}{8}", "3/4", r"Simplify $\frac{6}{8}$"),
    (r"\dfrac68", "3/4", r"Simplify $\frac{6}{8}$"),
    (r"45^{\circ}", r"\frac{\pi}{4}", r"Convert to radians: $45^{\circ}$"),
    ("50%", "0.5", "Write 50 or $50\\%$ as a decimal."),
    ("x^2-1", "(x-1)(x+1)", r"\begin{align*}y &= x^2-1\end{align*} Factor."),
    ("2x+2", "2(x+1)", "Where is $f(x) = 2x+2$ for $x>0$?"),
]
ANSWERS = [
    ("5", "5.0", "Which is larger, $5$ or 4?"),
    ("1/2", "0.5", "Is $1/2$ more than 0.4?"),
    ("30^{\\circ}", "30", r"An angle of $30^{\circ}$"),
    ("50\\%", "50", r"Is it $50\%$?"),
    ("$5", "5.00", r"It costs \$5."),
    ("2+3", "2 + 3", "Write $2+3$ down."),
    ("x^{2}", "x^2", "Is it $x^2$ or $x^3$?"),
    ("7", "7", ""),
]


@pytest.mark.parametrize(("answer", "reference", "question"), ECHOES)
def test_an_echo_is_no_answer(answer, reference, question):
    assert is_echo(answer, reference, question)
    assert rr.verify(answer, reference, prompt=question).status is Status.DIFFERENT
    assert rr.verify(reference, reference, prompt=question)


@pytest.mark.parametrize(("answer", "reference", "question"), ANSWERS)
def test_a_number_and_the_reference_itself_are_answers(answer, reference, question):
    assert not is_echo(answer, reference, question)
    assert rr.verify(answer, reference, prompt=question)


def test_can_be_allowed():
    verifier = rr.Verifier(refuse_echoes=False)
    assert rr.verify("2^{10}", "1024", prompt="Find $2^{10}$.").why == "echo"
    assert verifier.verify("2^{10}", "1024", prompt="Find $2^{10}$.")


def test_formulas_their_sides_and_items():
    found = formulas_of(r"If $f(x)=2x+1$ and $a<b, c^2$, then x+y = 3. Or \[\sqrt{2}\].")
    assert found >= {"f(x)=2x+1", "2x+1", "f(x)", "a<b,c^2", "c^2", "x+y=3", "x+y", r"\sqrt2"}


def test_a_question_is_read_only_when_its_echo_would_matter(monkeypatch):
    from rlrewards.verify import echo

    def never(prompt):
        raise AssertionError("the question was read")

    monkeypatch.setattr(echo, "formulas_of", never)
    for answer, reference in (("5", "6"), ("x+1", "x+1"), ("5.0", "5"), ("x", "y")):
        rr.verify(answer, reference, prompt="Find $2+3$.")


@pytest.mark.parametrize(
    "piece", ["$", "$x", r"\[", r"\(", "=", "a=", "- ", r"\begin{a}", "{", "\\", ",", "a,", "1+1 "]
)
def test_a_hostile_question_costs_no_more_than_its_length(piece):
    begun = time.perf_counter()
    is_echo("2+3", "5", piece * 100_000)
    assert time.perf_counter() - begun < 5.0


def test_a_fraction_that_is_only_to_be_reduced_is_an_echo():
    prompt = r"Simplify $\frac{48}{18}$."
    assert rr.verify(r"\frac{48}{18}", r"$\frac{8}{3}$", prompt=prompt).why == "echo"
    assert rr.verify(r"\frac{8}{3}", r"$\frac{8}{3}$", prompt=prompt)
    assert rr.verify(r"\frac{16}{6}", r"$\frac{8}{3}$", prompt=prompt)
