r"""Answers in words: what says the same, what certainly does not, and what nobody can tell.

Case, articles and punctuation do not count. A reference that opens with Yes or No is decided by
that word; words of one closed vocabulary (even and odd, true and false) are different answers, and
so are texts with different numbers. Other words that differ are UNDECIDED.
"""

from __future__ import annotations

import re

from rlrewards.verify.normalize import normalize, tidy
from rlrewards.verify.verdict import Status, Tier

_VOCABULARIES = [
    frozenset(words.split())
    for words in (
        "yes no maybe",
        "true false",
        "even odd neither",
        "increasing decreasing constant",
        "increase decrease",
        "positive negative zero",
        "convergent divergent converges diverges",
        "rational irrational",
        "left right",
        "always sometimes never",
        "acute obtuse right",
        "equilateral isosceles scalene",
        "monday tuesday wednesday thursday friday saturday sunday",
        "january february march april may june july august september october november december",
        "north south east west northeast northwest southeast southwest",
        "red orange yellow green blue purple black white brown pink gray",
        "first second third fourth fifth",
        "circle ellipse parabola hyperbola line",
        "dependent independent",
        "consistent inconsistent",
        "maximum minimum",
        "prime composite",
    )
]
_MONTHS = _VOCABULARIES[13]

_NUMBER_WORDS = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen twenty".split()
    )
} | {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}

_MATH_WORDS = frozenset(
    """
    frac sqrt sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln exp pi theta alpha
    beta gamma delta lambda mu phi omega infty cup cap cdot times div pm mp leq geq neq approx
    equiv text mathrm mathbf mathbb begin end matrix pmatrix bmatrix cases left right sum int prod
    lim min max gcd lcm mod pmod bmod binom circ angle langle rangle emptyset setminus subset in
    notin to infinity rm bf operatorname and or abs floor ceil lfloor rfloor lceil rceil vec hat
    overline underline bar dfrac tfrac boxed dx dy dt
    """.split()
)
_WORD = re.compile(r"(?<!\\)(?<![A-Za-z])[A-Za-z]{3,}(?![A-Za-z(])")
_UPRIGHT = re.compile(r"\\(?:text|textrm|textbf|mathrm|mbox)\s*\{([^{}]*)\}")


def is_prose(text: str) -> bool:
    r"""Whether an answer is words rather than a formula.

    >>> is_prose("7 people"), is_prose(r"2\\sin x"), is_prose("x and y")
    (True, False, False)
    """
    if len(text) > 20_000:
        return False
    if _CLOCK.search(tidy(text)):
        return True
    words = _WORD.findall(_UPRIGHT.sub(r" \1 ", tidy(text)))
    return any(word.casefold() not in _MATH_WORDS for word in words)


def number_named(text: str) -> int | None:
    """Return the number that a word names, up to ninety-nine.

    >>> number_named("Twenty-five")
    25
    """
    if not 3 <= len(text) <= 40:
        return None
    words = normalize(text).casefold().replace("-", " ").split()
    values = [_NUMBER_WORDS.get(word) for word in words]
    if len(values) == 1:
        return values[0]
    if len(values) == 2 and None not in values:
        tens, ones = values[0] or 0, values[1] or 0
        if tens >= 20 and tens % 10 == 0 and 0 < ones < 10:
            return tens + ones
    return None


_NOISE = re.compile(r"\b(?:a|an|the|is|are)\b|[^\w\s.%/-]|(?<!\d)[./-]|[./](?!\d)|-(?!\d)")
_NUMBERS = re.compile(r"-?\d+(?:\.\d+)?")
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)\s*(?:\\text\s*\{\s*)?([ap])\.?\s*m?\b[.}]*", re.IGNORECASE)


def compare_text(answer: str, reference: str) -> tuple[Status, Tier, str]:
    """Return status, tier and reason for two answers of which one at least is words.

    >>> compare_text("It is odd", "even")[0].value
    'DIFFERENT'
    """
    ours, theirs = _key(answer), _key(reference)
    if ours == theirs:
        return Status.EQUAL, Tier.TEXT, "the same words"
    lead = theirs.split()[:1]
    if lead in (["yes"], ["no"]):
        first = ours.split()[:1]
        if first in (["yes"], ["no"]):
            same = first == lead
            return (
                (Status.EQUAL if same else Status.DIFFERENT),
                Tier.TEXT,
                f"{first[0]} for {lead[0]}",
            )
    ours_words, theirs_words = ours.split(), theirs.split()
    if sorted(ours_words) == sorted(theirs_words) and _MONTHS & {*ours_words}:
        return Status.EQUAL, Tier.TEXT, "the same date"
    numbers, gold = _NUMBERS.findall(ours), _NUMBERS.findall(theirs)
    if gold and sorted(numbers) != sorted(gold):
        return Status.DIFFERENT, Tier.TEXT, "other numbers"
    for vocabulary in _VOCABULARIES:
        mine, gold_words = vocabulary & {*ours_words}, vocabulary & {*theirs_words}
        if mine and gold_words and not mine & gold_words:
            return (
                Status.DIFFERENT,
                Tier.TEXT,
                f"{' '.join(sorted(mine))} for {' '.join(gold_words)}",
            )
    return Status.UNDECIDED, Tier.TEXT, f"other words: {answer[:60]!r} for {reference[:60]!r}"


def _key(text: str) -> str:
    clocked = _CLOCK.sub(r"\1 \2 \3m", _UPRIGHT.sub(r" \1 ", normalize(text)).casefold())
    return " ".join(_NOISE.sub(" ", clocked).split())
