"""Questions with a known answer, from which attacks and laws make completions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rlrewards.core import Sample
from rlrewards.testing.parts import attack_kinds
from rlrewards.testing.subject import Subject


@dataclass(frozen=True)
class Problem:
    """A question, its answer, and answers that are wrong.

    Attributes:
        prompt: What is asked.
        right: The answer, as the reference writes it.
        wrong: Other answers of the same look; three at least, none equal to another, the last as
            long as the right one.
        unevaluated: The answer as the question has it, not worked out; empty where there is none.
        options: The texts of a multiple-choice question.
    """

    prompt: str
    right: str
    wrong: tuple[str, ...]
    unevaluated: str = ""
    options: tuple[tuple[str, str], ...] = ()

    def sample(self, completion: str, **more: object) -> Sample:
        """Return a completion of this question; `token_ids` are its UTF-8 bytes unless given."""
        options: Mapping[str, str] | None = dict(self.options) or None
        values: dict[str, object] = {
            "reference": self.right,
            "prompt": self.prompt,
            "token_ids": tuple(completion.encode("utf-8", "replace")),
            "options": options,
            "group": self.prompt,
        }
        return Sample(completion, **(values | more))  # type: ignore[arg-type]


PROBLEMS = (
    Problem("A hen lays 7 eggs a day. How many eggs is that in 6 days?", "42",
            ("36", "48", "13", "76"), "7 \\cdot 6"),
    Problem("What share of 8 slices are 3 slices?", "\\frac{3}{8}",
            ("\\frac{8}{3}", "\\frac{3}{11}", "\\frac{5}{8}"), "3 \\div 8"),
    Problem("Expand (x + 1)(x - 1).", "x^2 - 1",
            ("x^2 - 2x + 1", "x - 1", "x^2 + 1"), "(x + 1)(x - 1)"),
    Problem("A shirt of 250 dollars is sold for 15 % less. What does it cost, in dollars?", "212.5",
            ("37.5", "235", "287.5"), "250 \\cdot (1 - 0.15)"),
)  # fmt: skip
CHOICES = (
    Problem(
        "Which drug is first given for type 2 diabetes?", "B", ("A", "C", "D"), "",
        (("A", "Insulin"), ("B", "Metformin"), ("C", "Warfarin"), ("D", "Prednisone")),
    ),
    Problem(
        "Which organ makes bile?", "C", ("A", "B", "D"), "",
        (("A", "The spleen"), ("B", "The stomach"), ("C", "The liver"), ("D", "The kidney")),
    ),
    Problem(
        "What is scurvy a lack of?", "A", ("D", "B", "C"), "",
        (("A", "Ascorbic acid"), ("B", "Iron"), ("C", "Thiamine"), ("D", "Folate")),
    ),
    Problem(
        "Which drug reverses an overdose of morphine?", "D", ("A", "B", "C"), "",
        (("A", "Atropine"), ("B", "Flumazenil"), ("C", "Heparin"), ("D", "Naloxone")),
    ),
)  # fmt: skip


def problems_for(subject: Subject) -> tuple[Problem, ...]:
    """Return the questions that a reward of these kinds is asked about."""
    return CHOICES if "choice" in attack_kinds(subject) else PROBLEMS
