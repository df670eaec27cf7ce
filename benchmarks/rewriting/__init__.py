r"""Metamorphic pairs: references rewritten so that the right verdict is known without a verifier.

`pairs` takes references as data sets store them and yields answers that say the same in another way
and answers that say something else. It knows nothing of `rlrewards.verify`: the labels follow from
how each answer was made, and the evaluator in `rewriting.values` must agree wherever it can.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rewriting import right, wrong
from rewriting.evidence import certainly_differs
from rewriting.reading import Reading, bare, read


@dataclass(frozen=True)
class Pair:
    """An answer, the reference it was made from, and whether it is right."""

    answer: str
    reference: str
    right: bool
    family: str


def pairs(
    references: Iterable[str], *, seed: int = 0, right_each: int = 4, wrong_each: int = 3
) -> Iterator[Pair]:
    """Yield rewritings of each reference that is understood, the rarest families first.

    Args:
        references: References as the data sets store them; each is rewritten once.
        seed: The same references and seed give the same pairs.
        right_each: Most right answers for one reference, of as many families.
        wrong_each: Most wrong answers for one reference, of as many families.
    """
    used: dict[str, int] = {}
    for reference in dict.fromkeys(references):
        reading = read(reference)
        if reading is None:
            continue
        rng = random.Random(f"{seed} {reference}")
        for is_right, most in ((True, right_each), (False, wrong_each)):
            found = list(_candidates(reading, is_right, rng))
            found.sort(key=lambda pair: used.get(pair.family, 0))
            for pair in found[:most]:
                used[pair.family] = used.get(pair.family, 0) + 1
                yield pair


def _candidates(reading: Reading, is_right: bool, rng: random.Random) -> Iterator[Pair]:
    """Yield one answer of each family that applies."""
    families = right.FAMILIES if is_right else wrong.FAMILIES
    for name, rewrite in families.items():
        answers = [answer for answer in rewrite(reading, rng) if answer != reading.text]
        if not is_right and name not in wrong.BY_CONSTRUCTION:
            answers = [answer for answer in answers if _is_wrong(answer, reading)]
        if answers:
            label = name if is_right else f"wrong: {name}"
            yield Pair(rng.choice(answers), reading.text, is_right, label)


def _is_wrong(answer: str, reading: Reading) -> bool:
    text = bare(answer)
    return text is not None and certainly_differs(reading, read(answer))
