"""Numbers in words, up to ninety-nine."""

from __future__ import annotations

import re

NUMBER_WORDS = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen twenty".split()
    )
} | {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}

_WORDS = re.compile(r"([a-z]+)(?:[- ]([a-z]+))?")


def number_named(text: str) -> int | None:
    """Return the number that one or two words name.

    >>> number_named("Twenty-five"), number_named("-five")
    (25, None)
    """
    words = _WORDS.fullmatch(text.strip().rstrip(".").casefold()) if len(text) <= 40 else None
    if words is None:
        return None
    first = NUMBER_WORDS.get(words[1])
    if words[2] is None or first is None:
        return first
    second = NUMBER_WORDS.get(words[2], 0)
    return first + second if first >= 20 and first % 10 == 0 and 0 < second < 10 else None
