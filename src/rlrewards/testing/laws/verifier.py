"""The laws of functions that say whether an answer equals a reference."""

from __future__ import annotations

from hypothesis import strategies as st

from rlrewards.testing.law import ensure, law
from rlrewards.testing.laws.accuracy import NOTATIONS
from rlrewards.testing.laws.every import in_a_thread
from rlrewards.testing.problems import PROBLEMS
from rlrewards.testing.subject import Subject

READABLE = tuple(
    dict.fromkeys(
        [
            *(answer for row in NOTATIONS for answer in row),
            *(problem.right for problem in PROBLEMS),
            *(
                "3,4",
                "(1, 2)",
                "\\{1, 2\\}",
                "[0, 1]",
                "x = 3",
                "5\\%",
                "\\sqrt{2}",
                "1.50",
                "2^{10}",
            ),
            *(
                "2^{10}",
                "\\pi",
                "0.333",
                "1/3",
                "12 cm",
                "x > 2",
                "\\text{yes}",
                "50",
                "-1/2",
                "1e3",
            ),
        ]
    )
)
FALSE_EQUATIONS = (
    ("4=5", "5"),
    ("4=5", "4"),
    ("1=2=3", "3"),
    ("2+2=5", "5"),
    ("3=42", "42"),
    ("0=1", "1"),
)
BOMBS = (
    ("9^{9^{9^{9}}}", "1"),
    ("10000000000!", "1"),
    ("2^{2^{2^{2^{2^{2}}}}}", "3"),
    ("(" * 500 + "1" + ")" * 500, "1"),
    ("\\frac{" * 300 + "1" + "}{1}" * 300, "1"),
    ("x^{100000}-1=0", "1"),
)


@law(
    "An answer equals itself.",
    kinds="verifier",
    cases=lambda subject: st.sampled_from(READABLE),
    name="an answer equals itself",
)
def _reflexive(subject: Subject, answer: str) -> None:
    ensure(subject.said(answer, answer), f"{answer!r} is not equal to itself")


@law(
    "Whether two answers are equal does not depend on which of them is the reference.",
    kinds="verifier",
    cases=lambda subject: st.tuples(*[st.sampled_from(READABLE)] * 2),
    name="order of the two does not matter",
)
def _symmetric(subject: Subject, pair: tuple[str, str]) -> None:
    answer, reference = pair
    there, back = subject.said(answer, reference), subject.said(reference, answer)
    ensure(there == back, f"({answer!r}, {reference!r}) is {there}, ({reference!r}, {answer!r}) "
           f"is {back}")  # fmt: skip


@law(
    "An equation that is false equals no value that stands in it.",
    kinds="verifier",
    cases=lambda subject: st.sampled_from(FALSE_EQUATIONS),
    name="a false equation is no answer",
)
def _false_equation(subject: Subject, pair: tuple[str, str]) -> None:
    answer, reference = pair
    ensure(not subject.said(answer, reference), f"{answer!r} passed for {reference!r}")


@law(
    "Any two answers are compared in bounded time, in a worker thread too.",
    kinds="verifier",
    name="compared in bounded time",
)
def _bounded(subject: Subject) -> None:
    for answer, reference in BOMBS:
        subject.said(answer, reference)
    for answer, reference in BOMBS:
        in_a_thread(lambda a=answer, r=reference: subject.said(a, r))  # type: ignore[misc]


LAWS = (_reflexive, _symmetric, _false_equation, _bounded)
