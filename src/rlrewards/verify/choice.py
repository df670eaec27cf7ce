r"""Which option of a multiple-choice question an answer names: one letter, or none.

An answer that abstains, names two letters, names a letter that is no option, or pairs a letter with
the text of another option, names none. It is never a guess.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from rlrewards.verify.normalize import plain_unicode

# How far the best option's similarity must be ahead of the runner-up's, in points of 100.
FUZZY_MARGIN = 5.0
# The `fuzzy` below which a match is a guess, and the one that no similarity reaches.
FUZZY_LEAST, FUZZY_OFF = 50.0, 101.0
# Nobody names an option in more characters than this.
MAX_LENGTH = 4_000


@dataclass(frozen=True, slots=True)
class Choice:
    """The letter that an answer names, or None, and why.

    `loose` says that the letter stands before words that are not its option's text: fine for an
    answer that is marked as one, too little for a line of text.
    """

    letter: str | None
    why: str
    loose: bool = False


def resolve(text: str, options: Mapping[str, str], *, fuzzy: float = 90.0) -> Choice:
    r"""Return the option that `text` names.

    Tried in this order: the text of exactly one option; a letter, alone or before its text; the
    text of one option before further words ("Yes, because …"); the text of one option up to
    spelling (`fuzzy` of 100 by RapidFuzz's ratio, clearly ahead of the runner-up, with the same
    numbers, negations and directions).

    Args:
        text: A bare answer.
        options: Letter to text; a text may be empty when only the letters are known.
        fuzzy: Similarity from which a misspelt option counts, 0–100; 101 switches it off.

    >>> options = {"A": "yes", "B": "no", "C": "maybe"}
    >>> resolve(r"\text{(b)}", options).letter
    'B'
    >>> resolve("Maybe; the evidence is unknown.", options).letter
    'C'
    >>> resolve("A or B", options).why
    'names A and B'
    """
    letters = {letter.upper(): letter for letter in options}
    if len(text) > MAX_LENGTH:
        return Choice(None, f"an answer of {len(text)} characters")
    bare = _bare(text)
    if not bare:
        return Choice(None, "empty answer")
    texts = {letter: _words(option) for letter, option in options.items()}
    named = _only_letter(bare, letters)
    exact = [letter for letter, words in texts.items() if words and words == _words(bare)]
    if named is not None and named.letter is not None:
        return named
    if len(exact) == 1:
        return Choice(exact[0], "the option's text")
    if exact:
        return Choice(None, f"the options {' and '.join(exact)} have the same text")
    if named is not None:
        return named
    return (
        _letter_and_text(bare, letters, texts)
        or _leading_text(bare, texts)
        or _similar(_words(bare), texts, fuzzy)
    )


_WRAPPER = re.compile(
    r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|boxed|fbox|mbox)\s*\{([^{}]*)\}"
)
_MARKUP = re.compile(r"\\[()\[\]]|[$`]|\*\*|__")
_LEADING_WORDS = re.compile(
    r"(?:the\s+)?(?:(?:correct|best|final|most\s+likely)\s+)?(?:option|choice|answer)\b"
    r"(?:\s+(?:is|would\s+be))?\s*[:=]?\s+(?=\S)",
    re.IGNORECASE,
)


def _bare(text: str) -> str:
    text = plain_unicode(text)
    for _ in range(3):
        text = _WRAPPER.sub(r"\1", text)
    text = _MARKUP.sub("", text).strip().strip("\"'").strip()
    lead = _LEADING_WORDS.match(text)
    return text[lead.end() :] if lead else text


_LETTER = re.compile(r"[\[(<{]?([A-Za-z])[\])>}]?\s*[.:,;!]*")
_JOINED = re.compile(
    r"[\[(]?([A-Z])[\])]?\s*(?:,|/|&|\+|\band\b|\bor\b|\s)\s*"
    r"(?:(?:and|or|maybe|possibly|perhaps|also|both|even)\s+)*[\[(]?([A-Z])(?![A-Za-z'])"
)
_BOTH = re.compile(r"\s*(?:both|either)\s+", re.IGNORECASE)


def _only_letter(bare: str, letters: Mapping[str, str]) -> Choice | None:
    """Read an answer that is one letter, or two; None when it is more than that."""
    alone = _LETTER.fullmatch(bare)
    if alone is not None:
        letter = letters.get(alone[1].upper())
        return Choice(letter, "the letter" if letter else f"{alone[1]} is not an option")
    both = _BOTH.match(bare)
    pair = _JOINED.match(bare, both.end() if both else 0)
    if pair is not None and pair[1] != pair[2] and {pair[1], pair[2]} <= set(letters):
        return Choice(None, f"names {pair[1]} and {pair[2]}")
    return None


_LETTER_THEN_TEXT = re.compile(
    r"(?:[\[(]([A-Za-z])[\])]\s*[.:,;-]*|([A-Z])\s*[.:)\]]|([A-Z])\s+-|([A-Z]),)\s*(.*)", re.DOTALL
)
_LETTER_THEN_REASON = re.compile(
    r"([A-Z])\s+(?:because|since|as\s+it|is\s+(?:the\s+)?(?:correct|right|best|answer)|due\s+to)\b"
)


def _letter_and_text(
    bare: str, letters: Mapping[str, str], texts: Mapping[str, str]
) -> Choice | None:
    reason = _LETTER_THEN_REASON.match(bare)
    if reason is not None and reason[1] in letters:
        return Choice(letters[reason[1]], "the letter")
    match = _LETTER_THEN_TEXT.match(bare)
    if match is None:
        return None
    raw = next(group for group in match.groups()[:4] if group)
    letter = letters.get(raw.upper())
    if letter is None:
        return Choice(None, f"{raw} is not an option")
    words = _words(match[5])
    others = [key for key, own in texts.items() if key != letter and own and own == words]
    if others and texts[letter] != words:
        return Choice(None, f"names {letter}, with the text of {others[0]}")
    if words == texts[letter]:
        return Choice(letter, "the letter and its text")
    return Choice(letter, "the letter before its text", loose=True)


_CLAUSE = re.compile(r"[.,;:!?\n]|\s[-–—(]")


def _leading_text(bare: str, texts: Mapping[str, str]) -> Choice | None:
    """Read "Yes, because …": an option's whole text, then a mark that ends the clause."""
    longest = max(map(len, texts.values()), default=0)
    for end in _CLAUSE.finditer(bare[: 2 * longest + 20]):
        first = _words(bare[: end.start()])
        hits = [letter for letter, words in texts.items() if words and words == first]
        if hits:
            return Choice(hits[0], "opens with the option's text") if len(hits) == 1 else None
    return None


_NUMBERS = re.compile(r"\d+(?:[.,]\d+)*")
_NEGATIONS = frozenset("no not non none never neither nor without un cannot".split())
_OPPOSITES = (
    ("increase", "decrease"), ("hyper", "hypo"), ("afferent", "efferent"), ("abduct", "adduct"),
    ("inter", "intra"), ("ante", "post"), ("supra", "infra"), ("sub", "supra"), ("macro", "micro"),
    ("left", "right"), ("upper", "lower"), ("above", "below"), ("more", "less"),
    ("positive", "negative"), ("anterior", "posterior"), ("medial", "lateral"), ("ileum", "ilium"),
    ("systolic", "diastolic"), ("endo", "exo"), ("agonist", "antagonist"), ("true", "false"),
    ("proximal", "distal"), ("superior", "inferior"), ("internal", "external"), ("high", "low"),
    ("acute", "chronic"), ("before", "after"), ("maximum", "minimum"), ("dorsal", "ventral"),
)  # fmt: skip


def _similar(words: str, texts: Mapping[str, str], fuzzy: float) -> Choice:
    from rapidfuzz import fuzz

    known = {letter: text for letter, text in texts.items() if text}
    if fuzzy <= 100 and len(words) <= 2_000:
        ranked = sorted(
            ((fuzz.ratio(words, text), key) for key, text in known.items()), reverse=True
        )
        best, letter = ranked[0] if ranked else (0.0, "")
        runner_up = ranked[1][0] if len(ranked) > 1 else 0.0
        if best >= fuzzy and best - runner_up >= FUZZY_MARGIN and _same_sense(words, known[letter]):
            return Choice(letter, f"resembles the option's text ({best:.0f} of 100)")
    return Choice(None, "names no option")


def _same_sense(words: str, text: str) -> bool:
    """Whether two similar texts have the same numbers, negations and directions."""
    left, right = words.split(), text.split()
    return (
        _NUMBERS.findall(words) == _NUMBERS.findall(text)
        and [w for w in left if w in _NEGATIONS] == [w for w in right if w in _NEGATIONS]
        and all(
            sum(word in w for w in left) == sum(word in w for w in right)
            for pair in _OPPOSITES
            for word in pair
        )
    )


_NOT_WORD = re.compile(r"[^\w%+<>=≤≥./-]+|(?<!\d)[./-]|[./-](?!\d)")
_SAME_MEANING = {
    "none of the above": "none", "none of these": "none", "none of the options": "none",
    "all of the above": "all", "all of these": "all", "all the above": "all", "all of them": "all",
    "none of them": "none", "all of the options": "all",
}  # fmt: skip


def _words(text: str) -> str:
    """Return the key under which two spellings of an option's text agree."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    key = " ".join(_NOT_WORD.sub(" ", folded).split())
    return _SAME_MEANING.get(key, key)
