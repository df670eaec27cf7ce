r"""Answers in words: what says the same, what certainly does not, and what nobody can tell.

Case, articles, quotation marks and final punctuation do not count; operators, brackets and capital
letters that stand alone do. A reference that is Yes or No, or opens with it, is decided by that
word; words of one closed vocabulary (even and odd, true and false) are different answers, and so
are texts with different numbers. Other words that differ are UNDECIDED.
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
_MONTHS = next(words for words in _VOCABULARIES if "january" in words)

_MATH_WORDS = frozenset(
    """
    frac sqrt sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln exp pi theta alpha
    beta gamma delta lambda mu phi omega infty cup cap cdot times div pm mp leq geq neq approx
    equiv text mathrm mathbf mathbb begin end matrix pmatrix bmatrix cases left right sum int prod
    lim min max gcd lcm mod pmod bmod binom circ angle langle rangle emptyset setminus subset in
    notin to infinity rm bf operatorname and or abs floor ceil lfloor rfloor lceil rceil vec hat
    overline underline bar dfrac tfrac boxed dx dy dt over large
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
    plain = tidy(text)
    if _CLOCK.search(plain):
        return True
    words = _WORD.findall(_UPRIGHT.sub(r" \1 ", plain))
    return any(word.casefold() not in _MATH_WORDS for word in words)


_CLOCK = re.compile(r"(\d{1,2}):(\d\d)\s*(?:\\text\s*\{\s*)?([ap])\.?\s*m?\b[.}]*", re.IGNORECASE)
_NUMBERS = re.compile(r"-?\d+(?:\.\d+)?")
_LEAD = re.compile(r"(yes|no)(?:$|\s*[.,;:!])", re.IGNORECASE)
_YES_AND_NO = re.compile(r"\byes\b.*\bno\b|\bno\b.*\byes\b", re.IGNORECASE | re.DOTALL)


def compare_text(answer: str, reference: str) -> tuple[Status, Tier, str]:
    """Return status, tier and reason for two answers of which one at least is words.

    >>> compare_text("It is odd", "even")[0].value
    'DIFFERENT'
    """
    ours, theirs = _key(answer), _key(reference)
    if ours == theirs:
        return Status.EQUAL, Tier.TEXT, "the same words"
    lead = _LEAD.match(_plain(reference))
    if lead is not None:
        return _by_lead(_plain(answer), lead[1].casefold())
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


def _by_lead(answer: str, lead: str) -> tuple[Status, Tier, str]:
    """Decide a reference that opens with Yes or No by the word that the answer opens with."""
    first = _LEAD.match(answer)
    if first is None or _YES_AND_NO.search(answer):
        return Status.NO_ANSWER, Tier.TEXT, f"neither a plain yes nor a plain no: {answer[:60]!r}"
    status = Status.EQUAL if first[1].casefold() == lead else Status.DIFFERENT
    return status, Tier.TEXT, f"{first[1].casefold()} for {lead}"


def _plain(text: str) -> str:
    return _UPRIGHT.sub(r" \1 ", normalize(text)).strip()


_QUOTES = re.compile(r"[\"'`“”$]|\\(?=[\s,;])")
_OPENING = re.compile(r"^(?:it|this|that|they|he|she)(?:\s+is|\s+are|'s)\s+", re.IGNORECASE)
_ARTICLE = re.compile(r"\b(?:the|an?|The|An?(?=\s+[a-z]))\s+(?=[A-Za-z0-9])")
_PAUSE = re.compile(r"(?<!\d)[,.;:!?]|[,.;:!?](?!\d)")
_TIGHT = re.compile(r"\s*([-+*/=<>^()\[\]{}|])\s*")


def _key(text: str) -> str:
    """Return the key under which two texts say the same."""
    clocked = _CLOCK.sub(r"\1 \2 \3m", _plain(text))
    bare = _OPENING.sub("", _QUOTES.sub("", clocked).strip())
    bare = _PAUSE.sub(" ", _ARTICLE.sub("", bare))
    return " ".join(_TIGHT.sub(r"\1", bare).casefold().split())
