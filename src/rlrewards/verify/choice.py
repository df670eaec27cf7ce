r"""Which option of a multiple-choice question an answer names: one letter, or none.

An answer that abstains, names two letters, names a letter that is no option, or pairs a letter with
the text of another option, names none. It is never a guess: where what follows a letter or an
option's text may take it back ("B because C is right", "yes; or no"), no letter is named.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from rlrewards.verify.misspelling import alike
from rlrewards.verify.normalize import plain_unicode
from rlrewards.verify.option_key import SAME_MEANING, OptionKey, option_key

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

    Tried in this order: a letter alone; the text of exactly one option; a letter before its text
    or a reason; the text of one option before further words ("Yes, because …"); the text of one
    option up to spelling (`fuzzy` of 100 by RapidFuzz's ratio, clearly ahead of the runner-up,
    word for word the same but for plain misspellings).

    Further words may not name another letter or contain another option's text, nor deny or
    abstain. That is strict: "Yes, there is no doubt" names none where "no" is an option.

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
    >>> resolve("No, wait: yes", options).letter is None
    True
    """
    if len(text) > MAX_LENGTH:
        return Choice(None, f"an answer of {len(text)} characters")
    whole = _bare(text)
    if not whole:
        return Choice(None, "empty answer")
    letters = {letter.upper(): letter for letter in options}
    bare = _without_lead(whole)
    named = _only_letter(bare, letters)
    if named is not None and named.letter is not None:
        return named
    keys = {letter: _known_key(option) for letter, option in options.items()}
    return (
        _exact(whole, keys)
        or (_exact(bare, keys) if bare != whole else None)
        or _letter_and_text(bare, letters, keys)
        or named
        or _leading_text(bare, letters, keys)
        or _similar(option_key(bare), keys, fuzzy)
    )


def named_by_text(text: str, options: Mapping[str, str]) -> str | None:
    """Return the option whose bare text this is, up to spelling; None for anything else.

    >>> named_by_text("**Yes**", {"A": "yes", "B": "no"}), named_by_text("A", {"A": "yes"})
    ('A', None)
    """
    initials = "", _initial(text)
    keys = {
        letter: _known_key(option)
        for letter, option in options.items()
        if option and (not initials[1] or _initial(option) in initials)
    }
    if not keys:
        return None
    bare = _bare(text)
    if (found := _exact(bare, keys)) is not None:
        return found.letter
    words = option_key(bare).words
    return next((letter for letter, own in keys.items() if alike(words, own.words)), None)


_FIRST_WORD = re.compile(r"[\s\"'*_$(\[]*(?:(?:the|an|of|and)\s+)*([A-Za-z0-9]?)", re.IGNORECASE)


def _initial(text: str) -> str:
    """Return the first letter of the first word that counts, which no misspelling changes."""
    first = _FIRST_WORD.match(text)
    return first[1].casefold() if first else ""


# ---------------------------------------------------------------------------------------------
# What stands around an answer


_WRAPPER = re.compile(
    r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|boxed|fbox|mbox)\s*\{([^{}]*)\}"
)
_MARKUP = re.compile(r"\\[()\[\]]|[$`]|(?<!\w)(?:\*\*|__)|(?:\*\*|__)(?!\w)")
_GAP = re.compile(r"\s+")
_LEAD = re.compile(
    r"(?:(?:so|thus|hence|therefore|clearly|(?:i|we)(?=\s+(?:would|choose|pick|select)\b)|would|choose|pick|select|the|my|our|it|is|it's"
    r"|correct|best|right|final|most\s+likely|definitely|certainly|would\s+be|must\s+be"
    r"|option|choice|answer|letter)\b[\s,:=]*)+(?=\S)",
    re.IGNORECASE,
)
_LEAD_ENDS = re.compile(
    r"(?:\b(?:is|be|option|choice|answer|letter)|[:=])[\s,:=]*\Z", re.IGNORECASE
)
_NAMES_LETTER = re.compile(r"[A-Z](?![\w'])|[\[(]\s*[A-Za-z]\s*[\])]")


def _bare(text: str) -> str:
    """Return the answer without markup, quotation marks and typographic characters."""
    text = plain_unicode(text)
    for _ in range(3):
        text = _WRAPPER.sub(r"\1", text)
    text = _MARKUP.sub("", text).strip().strip("\"'").strip()
    return _GAP.sub(lambda gap: "\n" if "\n" in gap[0] else " ", text)


def _without_lead(bare: str) -> str:
    """Drop what only leads up to an answer: "Thus, option B" is B, "the best choice is no" no."""
    lead = _LEAD.match(bare)
    if lead is None or not (
        _NAMES_LETTER.match(bare, lead.end()) or _LEAD_ENDS.search(bare, 0, lead.end())
    ):
        return bare
    return bare[lead.end() :]


# ---------------------------------------------------------------------------------------------
# A letter, a text


_LETTER = re.compile(r"[\[(<{]?([A-Za-z])[\])>}]?\s*[.:,;!]*")
_JOINED = re.compile(
    r"[\[(]?([A-Z])[\])]?\s*(?:,|/|&|\+|-|\band\b|\bor\b|\s)\s*"
    r"(?:(?:and|or|maybe|possibly|perhaps|also|both|even)\s+)*[\[(]?([A-Z])(?![\w'-])"
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


def _exact(text: str, keys: Mapping[str, OptionKey]) -> Choice | None:
    """Read the text of an option: case decides only between options that differ in nothing else."""
    key = option_key(text)
    hits = [letter for letter, own in keys.items() if own.words and own.meaning == key.meaning]
    if len(hits) > 1:
        hits = [letter for letter in hits if keys[letter].cased == key.cased] or hits
    if len(hits) > 1:
        return Choice(None, f"the options {' and '.join(hits)} have the same text")
    return Choice(hits[0], "the option's text") if hits else None


_LETTER_THEN_TEXT = re.compile(
    r"(?:[\[(]\s*([A-Za-z])\s*[\])]\s*(?:[.:,;]+|-(?!\.?\d))?|([A-Z])\s*[.:;)\]]|([A-Z])\s+-(?!\.?\d)"
    r"|([A-Z]),|([A-Z])\s*\n|([a-z])\s*[.:)])\s*(.*)",
    re.DOTALL,
)
_LETTER_THEN_REASON = re.compile(
    r"(?:[\[(]([A-Za-z])[\])]|([A-Z]))(?=\s+(?:because|since|as\s+it|due\s+to"
    r"|(?:is|would\s+be)\s+(?:the\s+)?(?:most\s+likely\s+)?(?:correct|right|best|answer))\b)(.*)",
    re.DOTALL,
)


def _letter_and_text(
    bare: str, letters: Mapping[str, str], keys: Mapping[str, OptionKey]
) -> Choice | None:
    reason = _LETTER_THEN_REASON.match(bare)
    match = reason or _LETTER_THEN_TEXT.match(bare)
    if match is None:
        return None
    raw = next(group for group in match.groups()[:-1] if group)
    rest = match.groups()[-1]
    letter = letters.get(raw.upper())
    key = option_key(rest)
    if reason is None and match[6] and (letter is None or key.meaning != keys[letter].meaning):
        return None  # "a. m." is no choice; "a. yes" is one
    if letter is None:
        return Choice(None, f"{raw} is not an option")
    own = keys[letter]
    if own.words and key.meaning == own.meaning:
        return Choice(letter, "the letter and its text")
    alone = _LETTER.fullmatch(rest.strip())
    if alone is not None and alone[1].upper() != raw.upper():
        return Choice(None, f"names {letter} and {alone[1]}")
    other = _text_of_another(raw, key, letter, keys)
    if other is not None:
        return Choice(None, f"names {letter}, with the text of {other}")
    against = _objection(rest, letter, letters, keys)
    if against is not None:
        return Choice(None, against)
    if reason is not None:
        return Choice(letter, "the letter")
    return Choice(letter, "the letter before its text", loose=True)


def _text_of_another(
    raw: str, rest: OptionKey, letter: str, keys: Mapping[str, OptionKey]
) -> str | None:
    """Return the option whose text follows a letter that is not its own.

    The letter may be the text's first one: "C. difficile" is no choice of C beside such an option.
    """
    if alike(rest.words, keys[letter].words):
        return None
    organism = f"{raw.casefold()} {rest.words.split(' ', 1)[0]} "
    for other, its in keys.items():
        same = its.meaning == rest.meaning or alike(rest.words, its.words)
        if other != letter and its.words and (same or f"{its.words} ".startswith(organism)):
            return other
    return None


# A mark that ends a clause; inside a number, and behind a factorial, there is none.
_CLAUSE = re.compile(
    r"[.,:](?!\d)(?!(?<=\d[.,:])\s*-?\.?\d)|[;\n]|(?<=[^\W\d]{2})!|\s-(?!\s*\d)|\s\("
)


def _leading_text(
    bare: str, letters: Mapping[str, str], keys: Mapping[str, OptionKey]
) -> Choice | None:
    """Read "Yes, because …": an option's whole text, then a mark that ends the clause."""
    known = {own.meaning: letter for letter, own in keys.items() if own.words}
    spelled = [*known, *SAME_MEANING]
    lengths = frozenset(map(len, spelled))
    limit = max(lengths)
    window = 2 * limit + 20  # marks and white space take room, too
    pieces: list[str] = []
    length, start, found = -1, 0, None
    for mark in _CLAUSE.finditer(bare):
        piece = bare[start : mark.start()]
        words = option_key(piece).words if any(map(str.isalnum, piece)) else ""
        start = mark.start()
        if words:
            pieces.append(words)
            length += len(words) + 1
        if length > limit or start > window:
            break
        if length in lengths:
            head = " ".join(pieces)
            letter = known.get(SAME_MEANING.get(head, head))
            found = (letter, head, mark.start()) if letter is not None else found
    if found is None:
        return None
    letter, head, end = found
    if sum(own.meaning == keys[letter].meaning for own in keys.values()) > 1:
        return None
    rest = bare[end:]
    further = f"{head} {option_key(rest).words.split(' ', 1)[0]} "
    for other, its in keys.items():
        if other != letter and f"{its.words} ".startswith(further):
            return Choice(None, f"begins as {letter} and {other} do")
    against = _objection(rest, letter, letters, keys)
    return Choice(None, against) if against else Choice(letter, "opens with the option's text")


# ---------------------------------------------------------------------------------------------
# What takes an answer back


_LONE = re.compile(r"(?<![\w'\\^])(?<!\w-)[A-Za-z](?![\w'])(?!-\w)")
_ABBREVIATIONS = re.compile(r"\b(?:e\.\s?g|i\.\s?e|b/c|w/o|a\.m|p\.m)\b\.?", re.IGNORECASE)
# Letters after these words, or before those, are parts of a name and no options.
_LETTERED = frozenset(
    "agent amphotericin antigen apo apolipoprotein blood botulinum category cathepsin chain"
    " chromosome class coenzyme complex cyclin cyclosporin cytochrome domain factor fragment grade"
    " group haemoglobin haemophilia hb hemoglobin hemophilia hepatitis immunoglobulin influenza"
    " isoform kinase lamin lipoprotein meningococcus part penicillin phase phospholipase plan"
    " polymyxin protein region serogroup serotype stage strain streptococcus subtype subunit toxin"
    " troponin type types variant vit vitamin vitamins wave zone".split()
)
_LETTERED_BEFORE = frozenset(
    "cell cells lymphocyte lymphocytes peptide dimer dimers wave waves fiber fibers fibre fibres"
    " section sections symptom symptoms line lines band bands ring rings virus strain chain chains"
    " toxin antigen".split()
)
_BEFORE = re.compile(r"([^\W\d_]+)[\s-]*\Z")
_AFTER = re.compile(r"\s+([^\W\d_]+)")
_ORGANISM = re.compile(
    r"\.\s?(?:albicans|anthracis|baumannii|botulinum|burgdorferi|cereus|cloacae|coli|difficile"
    r"|diphtheriae|duodenale|faecalis|fragilis|freundii|fumigatus|henselae|histolytica|immitis"
    r"|jejuni|melitensis|neoformans|perfringens|pertussis|pneumoniae|psittaci|tetani|trachomatis)\b"
)
_VERBS = frozenset("is was would are or and because since as seems looks alone only too".split())
_NAMING = frozenset("or and option options choice answer letter".split())
_SENTENCE_ENDS = re.compile(r"(?:\A|[.:;!?(\n])\W*\Z")


def _other_letter(rest: str, letter: str, letters: Mapping[str, str], own: str) -> str | None:
    """Return a letter that further words name as an option: not an article, not "vitamin C"."""
    rest = _ABBREVIATIONS.sub(" ", rest)
    own_words = frozenset(own.split())
    for lone in _LONE.finditer(rest):
        other = letters.get(lone[0].upper())
        if other is not None and other != letter and other.upper() not in own_words:
            near = (rest[max(0, lone.start() - 24) : lone.start()], rest[lone.end() :][:24])
            if _names_option(lone[0], *near):
                return other
    return None


def _names_option(raw: str, left: str, right: str) -> bool:
    if left.endswith(("(", "[")) and right.startswith((")", "]")):
        return True
    before, after = _BEFORE.search(left), _AFTER.match(right)
    word_before = before[1].casefold() if before else ""
    word_after = after[1].casefold() if after else ""
    if word_before in _LETTERED or word_after in _LETTERED_BEFORE:
        return False
    if raw.islower():
        marked = right.startswith((")", ":")) or (not word_after and raw != "a")
        return marked or word_before in _NAMING
    if _ORGANISM.match(right):
        return False
    article = raw in "AI" and bool(word_after) and word_after not in _VERBS
    return not (article and (raw == "I" or _SENTENCE_ENDS.search(left)))


_REASON = re.compile(r"\b(?:because|since|as\s+it|due\s+to)\b", re.IGNORECASE)
_ABSTAINS = re.compile(
    r"\b(?:wrong|incorrect|unsure|not\s+(?:sure|certain|correct|right)|no\s+idea|wait|never\s+mind"
    r"|unable\s+to|(?:do\s+not|don't|cannot|can't|could\s+not)\s+(?:know|determine|decide|tell|say))\b",
    re.IGNORECASE,
)
_NEGATION = re.compile(
    r"\b(?:not|never|cannot|\w+n't)\b|\bno\b(?=\s*(?:[.,;:!]|\Z))", re.IGNORECASE
)
_NEGATIONS = frozenset("no not non none never neither nor without cannot false".split())
_ALL_OTHERS = re.compile(
    r"\b(?:all\s+)?(?:the\s+)?(?:others?|rest|other\s+(?:options|choices|answers))\s+(?:is|are|were)"
    r"\s+(?:all\s+)?(?:wrong|incorrect|not\s+(?:correct|right))\b",
    re.IGNORECASE,
)
_SAYS_LITTLE = re.compile(r"[^\W\d]?|all|none")  # an option's text that further words may hold
_HEDGE = re.compile(r"\W*(?:or|maybe|perhaps|possibly)\b", re.IGNORECASE)


def _objection(
    rest: str, letter: str, letters: Mapping[str, str], keys: Mapping[str, OptionKey]
) -> str | None:
    """Say how further words take a choice back: another option, a negation, an abstention."""
    own = keys[letter].words
    if keys[letter].meaning not in ("all", "none"):
        named = _other_letter(rest, letter, letters, keys[letter].cased)
        if named is not None:
            return f"names {letter} and {named}"
        inside = f" {option_key(rest).words} "
        for key, its in keys.items():
            phrase = f" {its.words} "
            if key == letter or _SAYS_LITTLE.fullmatch(its.words):
                continue
            if phrase in inside and phrase not in f" {own} ":
                return f"names {letter}, with the text of {key}"
    if _HEDGE.match(rest) and not own.startswith(("or ", "maybe", "perhaps", "possibly")):
        return f"names {letter} and goes on with a guess"
    rest = _ALL_OTHERS.sub(" ", rest)
    denial = next((m[0] for m in _ABSTAINS.finditer(rest) if m[0].casefold() not in own), None)
    if denial is None and own and not _NEGATIONS & set(own.split()):
        # A reason may hold a "not": "because it does not cross the placenta".
        reason = _REASON.search(rest)
        negation = _NEGATION.search(rest, 0, reason.start() if reason else len(rest))
        denial = negation[0] if negation else None
    return f"names {letter}, but says {denial!r}" if denial else None


# ---------------------------------------------------------------------------------------------
# Spelling


def _similar(key: OptionKey, keys: Mapping[str, OptionKey], fuzzy: float) -> Choice:
    from rapidfuzz import fuzz

    known = {letter: own.words for letter, own in keys.items() if own.words}
    if fuzzy <= 100 and len(key.words) <= 2_000:
        ranked = sorted(
            ((fuzz.ratio(key.words, words), letter) for letter, words in known.items()),
            reverse=True,
        )
        best, letter = ranked[0] if ranked else (0.0, "")
        runner_up = ranked[1][0] if len(ranked) > 1 else 0.0
        ahead = best >= fuzzy and best - runner_up >= FUZZY_MARGIN
        if ahead and alike(key.words, known[letter]):
            return Choice(letter, f"resembles the option's text ({best:.0f} of 100)")
    return Choice(None, "names no option")


@lru_cache(maxsize=4096)
def _known_key(text: str) -> OptionKey:
    return option_key(_bare(text))
