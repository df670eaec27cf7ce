r"""Answers in words, and words around a formula.

`phrase` reads a whole text that names a set or a number: `no solution`, `all real numbers`, `two
thirds`. `without_lead` drops what only introduces a formula, and writes "where k is an integer" as
a formula.
"""

from __future__ import annotations

import re
from typing import Final

import flint

from rlrewards.verify.number_words import NUMBER_WORDS, fraction_named
from rlrewards.verify.tree import INFINITY, Measure, Named, Negative, Node, Number, Percent, Words
from rlrewards.verify.units import unit_named

_LEAD: Final = re.compile(
    r"\s*(?:=\s*|(?i:exactly|(?:a\s+)?total\s+of|only|just)\s+)"
    r"|\s*(?P<about>(?i:approximately|about|roughly|around)\s+)"
)
_LABEL: Final = re.compile(
    r"\s*(?:\\text(?:bf)?\s*\{)?\s*(?i:(domain|range|solution set))\s*:\s*\}?\s*(?=\S)"
    r"(?!.*(?i:domain|range))"
)
_NEGATIVE: Final = re.compile(r"\s*(?i:negative|minus)\s+(\$?)(?=[\d.][\d.,/]*\$?\s*\.?\s*\Z)")
_GAP: Final = r"(?:\\text\s*\{|[\s,(]|\\[ ,;])*"
_INSIDE: Final = r"(?:\\text\s*\{|[\s{}$]|\\[ ,;])*"
_END: Final = r"[\s)}.$]*\Z"
_IS_INTEGER: Final = re.compile(
    rf"{_GAP}(?:(?:where|for|with)\b)?{_INSIDE}(?<![A-Za-z\\])([a-zA-Z]){_INSIDE}"
    rf"(?:(?:is|being|are)\s)?\s*(?:(?:an|any)\s)?\s*integers?{_END}"
)
_FOR_INTEGER: Final = re.compile(
    rf"{_GAP}\b(?:(?:where|for|with)\s+(?:(?:any|every|all|each|some|an)\s+)?|(?:any|every|all)\s+)"
    rf"integers?(?:\s+values\s+of)?"
    rf"{_INSIDE}(?<![A-Za-z\\])([a-zA-Z]){_END}"
)
_CONSTANT: Final = re.compile(
    rf"{_GAP}where{_INSIDE}(?:[CcKk]|C_1){_INSIDE}is{_INSIDE}(?:the|a|an|any)\s+(?:arbitrary\s+)?"
    rf"(?:integration\s+)?constant(?:\s+of\s+integration)?{_END}"
)
_ALL_INTEGERS: Final = re.compile(
    r"[\s,(]*([a-z])\s*=\s*0\s*,\s*(?:(?:\\pm|±)\s*\d\s*,\s*)+(?:\\[lc]?dots|…|\.\.\.)[\s,.)]*\Z"
)
_TAIL: Final = 160
"""Characters at the end of a text in which such words stand."""
_SPACES: Final = re.compile(r"\s+")


def without_lead(text: str) -> str:
    """Drop the words that stand before a value; "about" marks it as approximate."""
    if ":" in text:
        text = _LABEL.sub("", text, count=1) if _LABEL.match(text) else text
    lead = _LEAD.match(text)
    if lead is not None:
        text = (r"\approx " if lead["about"] else "") + text[lead.end() :]
    if text[:1] in "nNmM" and _NEGATIVE.match(text):
        text = _NEGATIVE.sub(r"\1-", text)
    if "constant" in text:
        text = text[:-_TAIL] + _CONSTANT.sub("", _SPACES.sub(" ", text[-_TAIL:]))
    if "integer" in text:
        return _with_domain(text, _IS_INTEGER, _FOR_INTEGER)
    if ("dots" in text or "..." in text or "…" in text) and ("pm" in text or "±" in text):
        return _with_domain(text, _ALL_INTEGERS)
    return text


def label_of(text: str) -> str | None:
    """Return the word that `without_lead` drops before a set: `domain` or `range`, say."""
    found = _LABEL.match(text) if ":" in text else None
    return found[1].casefold() if found else None


def _with_domain(text: str, *patterns: re.Pattern[str]) -> str:
    r"""Write "where k is an integer", at the end of a text, as `k \in \mathbb{Z}`."""
    front, tail = text[:-_TAIL], _SPACES.sub(" ", text[-_TAIL:])
    for pattern in patterns:
        found = pattern.search(tail)
        if found is not None:
            head = front + tail[: found.start()]
            odd = "$" if head.count("$") % 2 else ""
            return rf"{head}{odd} , {found[1]} \in \mathbb{{Z}} "
    return text


_FONT: Final = re.compile(r"\\(?:text|mathrm|textrm|textbf|mathbf|mbox)\s*\{([^{}]*)\}")
_LONGEST_PHRASE: Final = 120
_NO_PHRASE: Final = re.compile(r"[\d=+^_<>/|(),]|\A\W*[A-Za-z]?\W*\Z")
_STARTS: Final = ("no ", "there is no ", "there are no ", "there is no such ", "has no ")
_EMPTY: Final = frozenset(
    [
        "none", "empty", "empty set", "the empty set", "null set", "the null set",
        *(
            f"{start}{real}{what}"
            for start in _STARTS
            for real in ("", "real ")
            for what in ("solution", "solutions", "root", "roots", "solution exists",
                         "solutions exist")
        ),
    ]
)  # fmt: skip
_REALS: Final = frozenset(
    [
        "reals", "the reals", "all reals", "all real values", "any real number",
        "every real number",
        *(
            f"{start}real numbers"
            for start in ("", "all ", "the ", "the set of ", "set of ", "the set of all ",
                          "set of all ", "all the ")
        ),
    ]
)  # fmt: skip


def phrase(text: str) -> Node | None:
    """Return the set, or the number, that a whole text names in words."""
    if len(text) > _LONGEST_PHRASE or _NO_PHRASE.search(text) is not None:
        return None
    words = " ".join(_FONT.sub(r" \1 ", text).replace("$", " ").casefold().split()).strip(" .!")
    if words in _PHRASES:
        return _PHRASES[words]
    if words.startswith(_SUBJECTS):
        subject = _SUBJECT.sub("", words)
        return _PHRASES.get(subject)
    if words.startswith(("all ", "every ", "any ")) and _OF_LETTER.search(words):
        return _PHRASES.get(_OF_LETTER.sub("", words))
    return _number(words)


def _number(words: str) -> Node | None:
    """Read `negative three`, `two thirds` and `five dollars`."""
    if words.split(" ", 1)[0].split("-", 1)[0] not in _NUMERALS:
        return None
    if words.endswith(" percent"):
        part = _number(words.removesuffix(" percent"))
        return Percent(part) if isinstance(part, Number) else None
    value = fraction_named(words)
    if value is not None:
        return Number(flint.fmpq(value.numerator, value.denominator))
    for at in range(len(words) - 1, 0, -1):
        if words[at] == " " and (value := fraction_named(words[:at])) is not None:
            unit = unit_named(words[at + 1 :])
            if unit is None or not unit.vouched:
                return None
            return Measure(Number(flint.fmpq(value.numerator, value.denominator)), unit)
    return None


_NUMERALS: Final = frozenset([*NUMBER_WORDS, "negative", "minus", "a"])
_SUBJECTS: Final = ("the ", "this ", "there ")
_SUBJECT: Final = re.compile(
    r"(?:the|this) (?:given )?(?:limit|equation|system|system of equations|inequality|integral|sum"
    r"|series|problem) (?=(?:has no|has infinite|does not exist|doesn't exist))|there are "
)
_OF_LETTER: Final = re.compile(r"(?: of)? [a-z]\Z")
_PHRASES: Final[dict[str, Node]] = {
    **dict.fromkeys(_EMPTY, Named("empty")),
    **dict.fromkeys(_REALS, Named("reals")),
    **dict.fromkeys(
        ["integers", "the integers", "all integers", "the set of integers", "set of all integers",
         "the set of all integers"],
        Named("integers"),
    ),
    **dict.fromkeys(["dne", "does not exist", "doesn't exist"], Words("does not exist")),
    **dict.fromkeys(["negative infinity", "minus infinity"], Negative(INFINITY)),
    **dict.fromkeys(
        ["infinite solutions", "infinitely many solutions", "infinite number of solutions",
         "an infinite number of solutions", "has infinitely many solutions",
         "has infinite solutions"],
        Words("infinitely many solutions"),
    ),
}  # fmt: skip
_EXCEPT: Final = re.compile(
    r" ?(?:\\text ?\{ ?)?(?P<set>[A-Za-z ]*?|\$?\\mathbb ?\{? ?R ?\}?\$?) ?,? ?"
    r"(?:\\text ?\{ ?)?(?:except|excluding|other than)(?: for| when| at)?(?![a-z]) ?[}:]? ?"
)


def except_phrase(text: str) -> str | None:
    """Return what is left out of all real numbers, None where the text does not say so."""
    if len(text) > _LONGEST_PHRASE:
        return None
    text = _SPACES.sub(" ", text)
    found = _EXCEPT.match(text)
    if found is None:
        return None
    named = found["set"].casefold().strip(" $")
    is_reals = "mathbb" in named or named in _REALS or _OF_LETTER.sub("", named) in _REALS
    return text[found.end() :].removesuffix("}") if is_reals else None
