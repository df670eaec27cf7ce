"""What a formula does not say: that 7 × 9 is a size, 4:30 a time of day, and [1,2] a domain.

As mathematics `7 × 9` is 63, `4:30` is `2:15`, and a label is only the name of a set. Two texts
that mean the same as formulas still differ where one of these differs.
"""

from __future__ import annotations

import re
from typing import Final

from rlrewards.verify.phrases import label_of
from rlrewards.verify.tokens import symbols

_CLOCK: Final = re.compile(r"(?<![\d:.,])([01]?\d|2[0-4]):([0-5]\d)(?![\d:]|[.,]\d)")
_SIZE: Final = re.compile(r"\W*\d+\s*(?:\\times\s*|×\s*)\d+\W*")
_LONGEST: Final = 80


def other_particulars(answer: str, reference: str) -> str | None:
    """Return in what an answer departs from the reference although the formulas agree, or None.

    >>> other_particulars("2:15", "4:30"), other_particulars("4:30", "4:30")
    ('another time of day, or ratio', None)
    """
    if ":" in reference:
        if _clocks(answer) != (clocks := _clocks(reference)) and clocks:
            return "another time of day, or ratio"
        labels = label_of(answer), label_of(reference)
        if all(labels) and labels[0] != labels[1]:
            return f"{labels[0]} for {labels[1]}"
    if len(reference) <= _LONGEST and _SIZE.fullmatch(reference):
        return None if _spelled(answer) == _spelled(reference) else "another size, or product"
    return None


def _clocks(text: str) -> list[tuple[int, str]]:
    return [(int(hour), minute) for hour, minute in _CLOCK.findall(text)]


def _spelled(text: str) -> list[str]:
    """Return the symbols of a text, without the name that it is given to."""
    found = [token.text for token in symbols(text) or ()]
    return found[2:] if found[1:2] == ["="] else found
