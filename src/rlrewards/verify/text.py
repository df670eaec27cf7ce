r"""Answers in words: what says the same, what certainly does not, and what nobody can tell.

Case, articles, quotation marks and final punctuation do not count; operators, brackets and capital
letters that stand alone do. A reference that is Yes or No, or opens with it, is decided by that
word; words of one closed vocabulary (even and odd, true and false) are different answers, and so
are texts with different numbers. Other words that differ are UNDECIDED.
"""

from __future__ import annotations

import re
from typing import Final

from rlrewards.verify.normalize import normalize, tidy
from rlrewards.verify.number_words import NUMBER_WORDS
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
        "convergent divergent",
        "absolutely conditionally",
        "am pm",
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
    upright = _UPRIGHT.sub(r" \1 ", plain)
    if upright != plain and upright.strip().isalpha() and len(upright.strip()) > 2:
        return True  # a word in an upright font, whatever its letters would be in formulas
    words = _WORD.findall(upright)
    return any(word.casefold() not in _MATH_WORDS for word in words)


_CLOCK = re.compile(
    r"(?<![\d:.])(\d{1,2})(?::(\d\d)\s*(?:\\text\s*\{\s*)?([ap])\.?\s?m?"
    r"|\s*(?:\\text\s*\{\s*)?([ap])\.?\s?m)\b[.}]*",
    re.IGNORECASE,
)


def clock_of(text: str) -> str | None:
    r"""Return the time of day that a whole text is, in one spelling, or None.

    >>> clock_of(r"4:30 \text{ p.m.}") == clock_of("04:30 PM"), clock_of("4:30")
    (True, None)
    """
    found = _CLOCK.fullmatch(text.strip(" $")) if len(text) < 40 else None
    return None if found is None else _time(found)


_NUMBERS = re.compile(r"-?(?:\d+(?:\.\d+)?|\.\d+)")
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
    if numbers and gold and sorted(numbers) != sorted(gold):
        return Status.DIFFERENT, Tier.TEXT, "other numbers"
    if any(ours in pair and theirs in pair for pair in _OPPOSITES):
        return Status.DIFFERENT, Tier.TEXT, f"{ours} for {theirs}"
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
# Not the point of `.5`, nor the sign of a factorial.
_PAUSE = re.compile(r"(?<!\d)[,;:?]|[,;:?](?!\d)|\.(?!\d)|(?<![\d)\]}])(?<!\b[A-Za-z])!")
_TIGHT = re.compile(r"\s*([-+*/=<>^()\[\]{}|])\s*")


_LETTERS = re.compile(r"(?<!\\)[^\W\d_]+")
_SHORT_WORDS = frozenset(
    """
    a an i am is are was be it its he she we they you of to in on at by or and not no yes so as if
    for the all any but can did do does has had how let may nor now off one out per say see set six
    ten two use via was way who why yet odd day days both each else even five four from have into
    just less many more most none only over same some such than that then them this will with your
    red boy box bus cat cup dog man men pen sum mon tue wed thu fri sat sun jan feb mar apr jun jul
    aug sep oct nov dec max min tom bob ann amy sam joe ben dan jim tim kim leo mia zoe sue eve ian
    """.split()
).union(*_VOCABULARIES, NUMBER_WORDS)


def _in_lower_case(run: re.Match[str]) -> str:
    """Drop the case of a word; that of a few letters (`xy`) or of a name (`ABCD`) counts."""
    word = run[0].casefold()
    return word if word in _SHORT_WORDS or _is_a_word(run[0]) else run[0]


def _is_a_word(letters: str) -> bool:
    return len(letters) >= 4 and not letters.isupper()


def _key(text: str) -> str:
    """Return the key under which two texts say the same."""
    clocked = _CLOCK.sub(_time, _plain(text))
    bare = _OPENING.sub("", _QUOTES.sub("", clocked).strip())
    bare = _PAUSE.sub(" ", _ARTICLE.sub("", bare))
    key = " ".join(_LETTERS.sub(_in_lower_case, _TIGHT.sub(r"\1", bare)).split())
    if len(key) > _LONGEST_PHRASE:
        return key
    key = _NUMBER_WORD.sub(_in_digits, key)
    if not _MONTHS.isdisjoint(key.split()):
        key = _ORDINAL.sub(r"\1", key)
    folded = key.casefold()
    return next((name for name, phrase in _PHRASES if phrase.fullmatch(folded)), key)


def _time(match: re.Match[str]) -> str:
    """Spell a time of day: `04:30 PM` and `4:30 p.m.` are 4 30 pm, `8 AM` is 8 00 am."""
    return f"{int(match[1])} {match[2] or '00'} {(match[3] or match[4]).casefold()}m"


_LONGEST_PHRASE: Final = 300
_ORDINAL = re.compile(r"\b(\d{1,2})(?:st|nd|rd|th)\b")
_TENS: Final = "|".join(word for word, value in NUMBER_WORDS.items() if value >= 20)
_NUMBER_WORD = re.compile(
    rf"(?<![\\\w])(?:({_TENS})[- ])?({'|'.join(sorted(NUMBER_WORDS, key=len, reverse=True))})(?!\w)"
)


def _in_digits(match: re.Match[str]) -> str:
    tens, last = NUMBER_WORDS.get(match[1] or "", 0), NUMBER_WORDS[match[2]]
    return str(tens + last) if not tens or 0 < last < 10 else match[0]


# ---------------------------------------------------------------------------------------------
# Phrases: what says one thing in several ways

_SUBJECT: Final = r"(?:(?:equation|system|inequality|problem)(?: of (?:linear )?equations)? has )?"
_PHRASES: Final = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        (
            "does not exist",
            r"(?:(?:limit|value|sum|integral|derivative) )?(?:(?:does not|doesnt) exist|dne)",
        ),
        (
            "no solution",
            rf"(?:{_SUBJECT}|there (?:is|are) )no (?:real )?solutions?(?: exists?)?"
            r"|(?:real )?solutions? do(?:es)? not exist|empty set|\\emptyset",
        ),
        (
            "infinitely many solutions",
            rf"(?:{_SUBJECT}|there (?:is|are) )"
            r"(?:infinitely many|infinite|infinite number of) (?:real )?solutions?|infinitely many",
        ),
        *(
            (
                f"{how}{what}ergent",
                rf"(?:(?:series|sequence|(?:improper )?integral) )?"
                rf"(?:(?:is )?{how}{what}ergent|{how}{what}erges|{what}erges ?{how.strip()})",
            )
            for what in ("conv", "div")
            for how in ("", "absolutely ", "conditionally ")
        ),
        ("undefined", r"(?:limit |value |expression )?(?:is )?(?:undefined|not defined)"),
        ("infinity", r"(?:positive infinity|infinity|\+?(?:\\infty|infinity))"),
        ("negative infinity", r"(?:negative |minus |-)infinity|-\\infty"),
    )
)
_OPPOSITES: Final = (
    frozenset({"no solution", "infinitely many solutions"}),
    frozenset({"infinity", "negative infinity"}),
    frozenset({"convergent", "divergent"}),
)
