"""The laws of rewards for a right answer, and of what they make of a verdict."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from rlrewards.core import Sample
from rlrewards.testing import definitions
from rlrewards.testing.envelopes import Envelope, best_envelope
from rlrewards.testing.law import NotApplicable, ensure, law
from rlrewards.testing.problems import CHOICES, Problem, problems_for
from rlrewards.testing.subject import Subject
from rlrewards.verify.verdict import Status, Verdict

# References as data sets have them, and one answer that is equal, one that is not.
NOTATIONS = (
    ("42", "42", "41"),
    ("42", "42.0", "4.2"),
    ("\\frac{1}{2}", "\\frac{1}{2}", "\\frac{2}{1}"),
    ("0.5", "\\frac{1}{2}", "\\frac{1}{5}"),
    ("x^2 - 1", "x^2 - 1", "x^2 + 1"),
    ("-3", "-3", "3"),
    ("1,000", "1000", "1"),
    ("yes", "yes", "no"),
    ("C", "C", "B"),
    ("x+1", "x + 1", "x - 1"),
)


@law(
    "A right answer scores above a wrong one, and above none.",
    kinds="accuracy",
    name="being right pays",
)
def _right_pays(subject: Subject) -> None:
    for problem in problems_for(subject):
        form = best_envelope(subject, problem)
        texts = [form.wrap(problem.right), *map(form.wrap, problem.wrong), ""]
        samples = [problem.sample(text) for text in texts]
        scores = subject(samples)
        right = scores[0]
        ensure(right is not None, "has no opinion on the right answer", samples[:1], scores[:1])
        for sample, score in zip(samples[1:], scores[1:], strict=True):
            ensure(
                score is None or (right is not None and score < right),
                f"scored {right} for the right answer and {score} for this one",
                [samples[0], sample],
                [right, score],
            )


@law(
    "An empty completion scores as a wrong one does.",
    kinds="accuracy",
    not_kinds=["cosine", "group_length", "stack"],
    name="silence never scores",
)
def _silence(subject: Subject) -> None:
    for problem in problems_for(subject):
        form = best_envelope(subject, problem)
        samples = [problem.sample(""), problem.sample(" \n"), *map(
            problem.sample, map(form.wrap, problem.wrong))]  # fmt: skip
        scores = subject(samples)
        known = [score for score in scores[2:] if score is not None]
        for sample, score in zip(samples[:2], scores[:2], strict=True):
            ensure(
                score is None or not known or score <= max(known),
                f"scored {score}, a wrong answer {max(known, default=None)}",
                [sample],
                [score],
            )


@law(
    "A reference in any usual notation gets an opinion, the right one: numbers, fractions, "
    "expressions, yes and no, letters.",
    kinds="accuracy",
    not_kinds=["choice", "cosine", "group_length"],
    name="an opinion on every usual reference",
)
def _opinions(subject: Subject) -> None:
    form = best_envelope(subject)
    for notation in NOTATIONS:
        _opinion(subject, form, *notation)


def _opinion(subject: Subject, form: Envelope, reference: str, right: str, wrong: str) -> None:
    problem = Problem("What is it?", reference, (wrong,))
    samples = [problem.sample(form.wrap(right)), problem.sample(form.wrap(wrong))]
    scores = subject(samples)
    ensure(None not in scores, f"has no opinion ({scores}) on the reference {reference!r}",
           samples, scores)  # fmt: skip
    first, second = scores
    ensure(first is not None and second is not None and first > second,
           f"scored {first} for {right!r} and {second} for {wrong!r}, the reference is "
           f"{reference!r}", samples, scores)  # fmt: skip


@law(
    "A right answer has the value `correct`, a wrong or missing one `wrong`, and without a "
    "reference there is no opinion.",
    kinds="accuracy",
    not_kinds=["cosine", "group_length", "stack"],
    needs=["correct", "wrong"],
    name="the values as given",
)
def _values(subject: Subject) -> None:
    correct, wrong = float(subject.facts["correct"]), float(subject.facts["wrong"])
    for problem in problems_for(subject):
        form = best_envelope(subject, problem)
        samples = [problem.sample(form.wrap(problem.right)), *(
            problem.sample(text) for text in (*map(form.wrap, problem.wrong), ""))]  # fmt: skip
        scores = subject(samples)
        expected = [correct] + [wrong] * (len(samples) - 1)
        ensure(scores == expected, f"scored {scores}, expected {expected}", samples, scores)
        if subject.takes_everything:
            nothing = replace(samples[0], reference=None)
            score = subject.score(nothing)
            ensure(score is None, f"scored {score} without a reference", [nothing], [score])


# ---------------------------------------------------------------------------------------------
# What becomes of a verdict


@dataclass(frozen=True)
class FixedVerifier:
    """Says of every completion what its text says: the name of a status."""

    def verdicts(self, batch: Sequence[Sample]) -> list[Verdict]:
        """Return one verdict a sample."""
        return [Verdict(Status[sample.completion.split()[-1]]) for sample in batch]


RIGHT_OF = {
    Status.EQUAL: True,
    Status.DIFFERENT: False,
    Status.NO_ANSWER: False,
    Status.UNDECIDED: None,
    Status.NO_REFERENCE: None,
}


@law(
    "EQUAL is right, DIFFERENT and NO_ANSWER are wrong, UNDECIDED and NO_REFERENCE are no opinion.",
    kinds=["accuracy", "cosine", "group_length"],
    needs=["verifier"],
    not_kinds=["stack"],
    name="what a verdict means",
)
def _verdicts(subject: Subject) -> None:
    if not hasattr(type(subject.reward), "__dataclass_fields__"):
        raise NotApplicable("its verifier cannot be replaced")
    told = subject.with_reward(_with_verifier(subject.reward))
    limit = int(subject.facts.get("max_length", 10))
    lengths = {max(1, limit // 4), max(1, limit // 2), limit, 2 * limit}
    for status, n in itertools.product(Status, sorted(lengths)):
        sample = _of_words(status, n)
        score = told.score(sample)
        expected = _expected(subject, status, n)
        ensure(
            (score is None) == (expected is None)
            and (score is None or expected is None or abs(score - expected) < 1e-9),
            f"scored {score} for the verdict {status.name}, expected {expected}",
            [sample],
            [score],
        )
    for row in _groups_of_verdicts():
        if "group_length" in subject.kinds:
            batch = [_of_words(status, n) for status, n in row]
            scores = told(batch)
            wanted = definitions.group_length(
                [n for _, n in row], [RIGHT_OF[status] for status, _ in row]
            )
            ensure(
                all(
                    (a is None) == (b is None) and (a is None or b is None or abs(a - b) < 1e-9)
                    for a, b in zip(scores, wanted, strict=True)
                ),
                f"scored {scores}, expected {wanted}",
                batch,
                scores,
            )


def _of_words(status: Status, n: int) -> Sample:
    text = "word " * (n - 1) + status.name
    return Sample(text, "4", "2 + 2", token_ids=range(n), group="p")


def _groups_of_verdicts() -> Iterator[list[tuple[Status, int]]]:
    """Yield groups in which one on which the verdict is open is the shortest or the longest."""
    for status in Status:
        yield [(Status.EQUAL, 2), (status, 5), (Status.DIFFERENT, 3)]
        yield [(Status.EQUAL, 2), (status, 1), (Status.DIFFERENT, 3), (Status.EQUAL, 3)]


def _with_verifier(reward: Any) -> Any:
    """Return the reward with a verifier whose verdicts are known, past what a constructor adds."""
    changed = object.__new__(type(reward))
    for name in reward.__dataclass_fields__:
        object.__setattr__(changed, name, getattr(reward, name))
    object.__setattr__(changed, "verifier", FixedVerifier())
    return changed


def _expected(subject: Subject, status: Status, n: int) -> float | None:
    facts, right = subject.facts, RIGHT_OF[status]
    if "group_length" in subject.kinds:
        return None if right is None else 0.0
    if "cosine" in subject.kinds:
        if right is None:
            return None
        names = ("max_length", "correct", "wrong", "exceed", "margin_tokens")
        known: Any = {name: facts[name] for name in names if name in facts}
        return definitions.cosine(n, right, **known)
    if status is Status.UNDECIDED:
        value = facts.get("undecided")
        return None if value is None else float(value)
    return None if right is None else float(facts["correct"] if right else facts["wrong"])


# ---------------------------------------------------------------------------------------------
# Multiple choice

WORDINGS = (
    "The answer is ({letter}).",
    "\\boxed{{{letter}}}",
    "\\boxed{{\\text{{{letter}}}}}",
    "<answer>{letter}. {text}</answer>",
    '{{"answer_choice": "{letter}"}}',
    "The answer is {letter}",
    "Final answer: {text}",
)


def _choices(subject: Subject) -> st.SearchStrategy[tuple[Problem, tuple[str, ...], str]]:
    shuffles = st.permutations(range(4)).map(tuple)
    return st.tuples(st.sampled_from(CHOICES), shuffles, st.sampled_from(WORDINGS))


@law(
    "Relabelling the options relabels the right letter and changes no score.",
    kinds="choice",
    cases=_choices,
    name="letters are names",
)
def _relabelled(subject: Subject, case: tuple[Problem, tuple[int, ...], str]) -> None:
    problem, order, wording = case
    letters = "ABCD"
    texts = [problem.options[place][1] for place in order]
    options = tuple(zip(letters, texts, strict=True))
    right = letters[texts.index(dict(problem.options)[problem.right])]
    moved = replace(problem, options=options, right=right)
    if subject.takes_everything:
        samples = [
            moved.sample(wording.format(letter=letter, text=text)) for letter, text in options
        ]
        scores = subject(samples)
        most = max((score for score in scores if score is not None), default=None)
        best = [letter for letter, score in zip(letters, scores, strict=True) if score == most]
        ensure(best == [right], f"scored {scores} for A to D, {right} is right", samples, scores)


@law(
    "No letter, two letters, or one that is no option never scores above a wrong one.",
    kinds="choice",
    name="abstaining is no answer",
)
def _abstains(subject: Subject) -> None:
    for problem in CHOICES:
        form = best_envelope(subject, problem)
        wrong = subject.score(problem.sample(form.wrap(problem.wrong[0])))
        both = f"{problem.right} or {problem.wrong[0]}"
        for answer in ("", "none of the above", "I do not know", both, "Z", "maybe"):
            sample = problem.sample(form.wrap(answer))
            score = subject.score(sample)
            ensure(
                score is None or wrong is None or score <= wrong,
                f"scored {score}, a wrong letter {wrong}",
                [sample],
                [score],
            )


@law(
    "Where a question carries no options its letters are those that the reward names.",
    kinds="choice",
    needs=["letters"],
    name="the letters as given",
)
def _letters(subject: Subject) -> None:
    letters = str(subject.facts["letters"])
    for letter in letters:
        sample = Sample(f"The answer is ({letter}).", letter, "?", group="p")
        other = replace(sample, reference=letters[letters.index(letter) - 1])
        scores = subject([sample, other])
        first, second = scores
        ensure(
            first is not None and second is not None and (first > second or len(letters) == 1),
            f"scored {scores} for {letter}",
            [sample, other],
            scores,
        )


LAWS = (
    _right_pays,
    _silence,
    _opinions,
    _values,
    _verdicts,
    _relabelled,
    _abstains,
    _letters,
)
