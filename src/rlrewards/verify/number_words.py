"""Numbers in words: `negative three`, `one hundred and five`, `two thirds`, `one and a half`."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

NUMBER_WORDS = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen twenty".split()
    )
} | {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}

MAX_LENGTH: Final = 100

_LARGE: Final = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_PARTS: Final = {
    "half": 2, "halves": 2, "quarter": 4, "quarters": 4,
    **{
        f"{part}{plural}": value
        for value, part in enumerate(
            "third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split(), start=3
        )
        for plural in ("", "s")
    },
    "hundredth": 100, "hundredths": 100, "thousandth": 1000, "thousandths": 1000,
}  # fmt: skip
_MINUS: Final = frozenset({"negative", "minus"})


def number_named(text: str) -> int | None:
    """Return the natural number that some words name, None where they name none.

    >>> number_named("Twenty-five"), number_named("one hundred and five"), number_named("-five")
    (25, 105, None)
    """
    words = _words(text)
    return None if words is None else _natural(words)


def fraction_named(text: str) -> Fraction | None:
    """Return the rational number that some words name: a fraction, a mixed number, a negative.

    >>> fraction_named("negative two thirds"), fraction_named("one and a half")
    (Fraction(-2, 3), Fraction(3, 2))
    >>> fraction_named("third") is None
    True
    """
    words = _words(text)
    if words is None:
        return None
    sign = -1 if words[0] in _MINUS else 1
    value = _value(words[1:] if sign < 0 else words)
    return None if value is None else sign * value


def _words(text: str) -> list[str] | None:
    if len(text) > MAX_LENGTH or text.lstrip()[:1] == "-":
        return None
    return text.strip().rstrip(".").casefold().replace("-", " ").split() or None


def _value(words: list[str]) -> Fraction | None:
    whole = _natural(words)
    if whole is not None:
        return Fraction(whole)
    for at in range(1, len(words)):  # one and a half
        if words[at] == "and":
            first, part = _natural(words[:at]), _part(words[at + 1 :])
            if first is not None and part is not None and part < 1:
                return first + part
    return _part(words)


def _part(words: list[str]) -> Fraction | None:
    """Return the fraction of `two thirds`, `a half`."""
    if len(words) < 2 or words[-1] not in _PARTS:
        return None
    over = 1 if words[:-1] == ["a"] else _natural(words[:-1])
    return None if over is None else Fraction(over, _PARTS[words[-1]])


def _natural(words: list[str]) -> int | None:
    """Return the value of groups below a thousand, each with its power of a thousand."""
    if len(words) > 1 and words[0] == "a" and words[1] in ("hundred", *_LARGE):
        words = ["one", *words[1:]]
    total, last = 0, 10**15
    group: list[str] = []
    for word in words:
        if word not in _LARGE:
            group.append(word)
            continue
        value = _below_thousand(group)
        if not value or _LARGE[word] >= last:
            return None
        last = _LARGE[word]
        total, group = total + value * last, []
    if not group:
        return total if words else None
    rest = _below_thousand(group[1:] if total and group[0] == "and" else group)
    return None if rest is None or (total and not rest) else total + rest


def _below_thousand(words: list[str]) -> int | None:
    if len(words) > 1 and words[1] == "hundred":
        hundreds = NUMBER_WORDS.get(words[0], 0)
        rest = words[3:] if words[2:3] == ["and"] else words[2:]
        if not 0 < hundreds < 10 or (not rest and len(words) > 2):
            return None
        below = _below_hundred(rest) if rest else 0
        return None if below is None or (rest and not below) else 100 * hundreds + below
    return _below_hundred(words)


def _below_hundred(words: list[str]) -> int | None:
    if not 0 < len(words) < 3 or words[0] not in NUMBER_WORDS:
        return None
    first = NUMBER_WORDS[words[0]]
    if len(words) == 1:
        return first
    second = NUMBER_WORDS.get(words[1], 0)
    return first + second if first >= 20 and first % 10 == 0 and 0 < second < 10 else None
