"""The reward for the right letter of a multiple-choice question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from rlrewards.core import Sample
from rlrewards.parameters import require_between, require_instance
from rlrewards.rewards.accuracy import Accuracy
from rlrewards.verify.choice import FUZZY_LEAST, FUZZY_OFF
from rlrewards.verify.verifier import Verifier

LETTERS = "ABCDE"


@cache
def _choice_verifier() -> Verifier:
    return Verifier(letters=LETTERS)


@dataclass(frozen=True, repr=False, kw_only=True)
class ChoiceAccuracy(Accuracy):
    r"""`correct` for the right option, `wrong` for another, for two, or for none.

    The answer may be the letter in any usual form (`\boxed{B}`, "the answer is (B)",
    `"answer_choice": "B"`), the letter before its text, or the text of exactly one option. Whatever
    abstains or is ambiguous is NO_ANSWER, never a guess. For yes / no / maybe give
    `options={"A": "yes", "B": "no", "C": "maybe"}`.

    Args:
        letters: Letters of questions whose samples carry no options.
        fuzzy: RapidFuzz similarity, 0–100, from which an option's misspelt text counts; 101
            switches that off.
        verifier: How answers are found in a completion; its `letters` and `fuzzy` are replaced.
        correct: Score for the right option.
        wrong: Score for anything else.
        undecided: Score when the reference names no option; None is no opinion.

    Source: the exact letter match of Gazal-R1 and HuatuoGPT-o1, without their guesses.

    >>> sample = Sample("The answer is (B).", reference="B", options={"A": "4", "B": "5"})
    >>> ChoiceAccuracy()([sample])
    [1.0]
    """

    letters: str = LETTERS
    fuzzy: float = 90.0
    verifier: Verifier = field(default_factory=_choice_verifier)

    def __post_init__(self) -> None:
        require_instance(self, "letters", str)
        require_between(self, "fuzzy", FUZZY_LEAST, FUZZY_OFF)
        if not self.letters.isalnum() or len({*self.letters.upper()}) != len(self.letters):
            raise ValueError(
                f"ChoiceAccuracy: letters must be distinct letters or digits, got {self.letters!r}"
            )
        super().__post_init__()
        if (self.verifier.letters, self.verifier.fuzzy) != (self.letters, self.fuzzy):
            configured = replace(self.verifier, letters=self.letters, fuzzy=self.fuzzy)
            object.__setattr__(self, "verifier", configured)

    def __call__(self, batch: Sequence[Sample], /) -> list[float | None]:
        """Return the score of each completion, None without a reference."""
        return super().__call__(batch)
