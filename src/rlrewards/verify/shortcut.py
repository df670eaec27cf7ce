r"""Plain numbers and equal texts, decided without reading either side as a formula.

Most answers of a training run are a numeral beside a numeral. This module knows nothing but those,
and passes on whatever could be read in more than one way: `007` may be a name, `25,100` beside
`25, 100` a list. What it decides, the ladder of `equivalence` would decide alike, only slower.
"""

from __future__ import annotations

import re
from math import gcd

from rlrewards.verify.conventions import Conventions
from rlrewards.verify.decision import Decision, different, equal
from rlrewards.verify.verdict import Tier

# Longer texts are for the ladder, which knows what a long text may cost.
MAX_LENGTH = 40

_NUMERAL = re.compile(
    r"(?P<money>\\?\$)?(?P<sign>-)?"
    r"(?P<whole>0|[1-9][0-9]{0,2}(?:,[0-9]{3})+|[1-9][0-9]*)(?:\.(?P<part>[0-9]+))?\.?"
)
# Spaces that cannot part two numbers or names: beside a brace, or before a command.
_LAYOUT = re.compile(r" +(?=[\\{}])|(?<=[{}]) +")
_SAME = equal(Tier.STRING, "the same text")


def shortcut(answer: str, reference: str, conventions: Conventions) -> Decision | None:
    r"""Return the decision on two equal texts or two plain numbers; None for everything else.

    A plain number has ASCII digits, perhaps a sign, a decimal point, commas between thousands, a
    full stop behind it and a dollar sign before it, or stands in `$…$`.

    >>> shortcut("$1,200", "1200.0", Conventions()).why
    'both are 1200'
    >>> shortcut("007", "7", Conventions()) is None
    True
    """
    answer, reference = answer.strip(), reference.strip()
    if answer == reference:
        return _SAME if answer.isalnum() or any(map(str.isalnum, answer)) else None
    if (
        (" " in answer or " " in reference)
        and "\\" in answer
        and "\\" in reference
        and _LAYOUT.sub("", answer) == _LAYOUT.sub("", reference)
    ):
        return _SAME
    if len(answer) > MAX_LENGTH or len(reference) > MAX_LENGTH:
        return None
    gold = _value(reference)
    if gold is None:
        return _fractions(answer, reference, conventions)
    given = _value(answer)
    if given is None:
        return None
    if given[0] == gold[0]:
        return _equal_values(given, gold, conventions)
    if conventions.rel_tol or conventions.significant is not None:
        return None
    return different(Tier.EXACT, f"{given[0]} for {gold[0]}")


def is_plain_number(text: str) -> bool:
    """Whether a text is a plain number, as `shortcut` reads them."""
    text = text.strip()
    return len(text) <= MAX_LENGTH and _value(text) is not None


_FRACTION = re.compile(
    r"(?P<sign>-)?(?P<whole>[1-9][0-9]{0,8})? ?\\[dt]?frac"
    r" ?\{ ?(?P<over>[0-9]{1,9}) ?\} ?\{ ?(?P<under>[1-9][0-9]{0,8}) ?\}\.?"
)


def _inside_dollars(text: str) -> str:
    return text[1:-1].strip() if text[:1] == text[-1:] == "$" else text


def _fractions(answer: str, reference: str, conventions: Conventions) -> Decision | None:
    r"""Compare two plain `\frac{a}{b}` by cross multiplication."""
    gold = _FRACTION.fullmatch(_inside_dollars(reference))
    given = None if gold is None else _FRACTION.fullmatch(_inside_dollars(answer))
    if gold is None or given is None or conventions.rel_tol or conventions.significant is not None:
        return None
    if not (_is_proper(given) and _is_proper(gold)):
        return None
    ours = _signed(given) * int(gold["under"])
    theirs = _signed(gold) * int(given["under"])
    if ours == theirs:
        return equal(Tier.EXACT, f"both are {_shown(gold)}")
    return different(Tier.EXACT, f"{_shown(given)} for {_shown(gold)}")


def _is_proper(fraction: re.Match[str]) -> bool:
    """Whether what stands behind a whole number is less than one."""
    return fraction["whole"] is None or int(fraction["over"]) < int(fraction["under"])


def _signed(fraction: re.Match[str]) -> int:
    """Return the numerator, that of a mixed number with its whole part."""
    over = int(fraction["whole"] or 0) * int(fraction["under"]) + int(fraction["over"])
    return -over if fraction["sign"] else over


def _shown(fraction: re.Match[str]) -> str:
    over, under = _signed(fraction), int(fraction["under"])
    common = gcd(over, under)
    return f"{over // common}" + (f"/{under // common}" if under != common else "")


def _equal_values(
    given: tuple[str, bool], gold: tuple[str, bool], conventions: Conventions
) -> Decision | None:
    if given[1] != gold[1] and conventions.units == "required":
        return None
    return equal(Tier.EXACT, f"both are {gold[0]}")


def _value(text: str) -> tuple[str, bool] | None:
    """Return a plain number in its one spelling and whether it is money, or None."""
    if text.isdigit() and text.isascii() and (text[0] != "0" or text == "0"):
        return text, False
    text = _inside_dollars(text)
    if "{,}" in text:
        text = text.replace("{,}", ",")
    numeral = _NUMERAL.fullmatch(text)
    if numeral is None:
        return None
    money, sign, whole, part = numeral.groups()
    if money and sign:
        return None
    number = whole.replace(",", "")
    part = part.rstrip("0") if part else ""
    if part:
        number += "." + part
    elif number == "0":
        sign = None
    return (f"-{number}" if sign else number), money is not None
