r"""From the text of an answer to its tree.

`parse` reads the LaTeX and plain notation that answers are written in. Failure is a value: an
`Unparsed` says where the text stopped making sense and what was expected there. `readings` gives
every way in which a text may be meant, where there is more than one.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from rlrewards.verify.grammar import ParseError, Parser
from rlrewards.verify.normalize import REMEMBERED_LENGTH
from rlrewards.verify.number_words import number_named
from rlrewards.verify.tokens import MAX_LENGTH, MAX_TOKENS, symbols, ungrouped
from rlrewards.verify.tree import Named, Node, Number, Unparsed, Words


def parse(text: str) -> Node | Unparsed:
    r"""Return the tree of one answer, or why there is none.

    >>> parse(r"\frac{1}{2}x")
    Product(factors=(Quotient(over=Number(1), under=Number(2)), Symbol(name='x')))
    >>> parse("1 1/2")
    Number(3/2)
    >>> parse("(1, 2")
    Unparsed(position=5, expected=') or ]', known=False)
    """
    found = readings(text)
    return found if isinstance(found, Unparsed) else found[0]


def readings(text: str) -> tuple[Node, ...] | Unparsed:
    r"""Return the trees that a text may mean, the likeliest first.

    There are two for `1/2x`, which some read as x/2 and some as 1/(2x), and for `25,100`, a number
    or a list.

    >>> len(readings("x/2y")), len(readings("25,100")), len(readings("x/2"))
    (2, 2, 1)
    """
    if len(text) > MAX_LENGTH:
        return Unparsed(MAX_LENGTH, f"at most {MAX_LENGTH} characters", known=True)
    return _readings_short(text) if len(text) <= REMEMBERED_LENGTH else _readings(text)


def _readings(text: str) -> tuple[Node, ...] | Unparsed:
    phrase = _phrase(text)
    if phrase is not None:
        return (phrase,)
    plain = _without_lead(text.replace(r"\!", ""))
    grouped = ungrouped(plain)
    first, ambiguous = _read(grouped)
    if isinstance(first, Unparsed):
        return first
    found = [first]
    if ambiguous:
        found.append(_other(_read(grouped, tight=True)[0], first))
    if grouped != plain and _PADDED.search(plain) is None:
        found.append(_other(_read(plain)[0], first))
    return tuple(found) if len(found) == 1 else tuple(dict.fromkeys(found))


_readings_short = lru_cache(maxsize=4096)(_readings)


_PADDED: Final = re.compile(r",0")
"""What no item of a list begins with."""


def _other(found: Node | Unparsed, first: Node) -> Node:
    return first if isinstance(found, Unparsed) else found


def _read(text: str, *, tight: bool = False) -> tuple[Node | Unparsed, bool]:
    tokens = symbols(text)
    if tokens is None:
        return Unparsed(0, f"at most {MAX_TOKENS} symbols", known=True), False
    if tokens[0].kind == "stop":
        return Unparsed(0, "an answer"), False
    parser = Parser([*tokens], tight=tight)
    try:
        tree = parser.whole()
    except ParseError as error:
        return Unparsed(error.position, error.expected, known=error.known), False
    return tree, parser.ambiguous


# ---------------------------------------------------------------------------------------------
# Words around or instead of a formula


_LEAD: Final = re.compile(
    r"\s*(?:=\s*|(?i:exactly|(?:a\s+)?total\s+of|only|just)\s+)"
    r"|\s*(?P<about>(?i:approximately|about|roughly|around)\s+)"
)
_INTEGER: Final = re.compile(
    r",?\s*(?:\\text\s*\{)?[\s,(]*(?:where|for|with)?\s*(?:any|every|all)?\s*(?:\}\s*)?\$?\s*([a-zA-Z])\s*\$?\s*"
    r"(?:\\text\s*\{)?\s*(?:is|being|are|an)?\s*(?:an?|any)?\s*integers?\s*\.?\)?\s*\}?\)?",
)


def _without_lead(text: str) -> str:
    """Drop the words that stand before a value; "about" marks it as approximate."""
    lead = _LEAD.match(text)
    if lead is not None:
        text = (r"\approx " if lead["about"] else "") + text[lead.end() :]
    if "integer" in text:
        text = _INTEGER.sub(r" , \1 \\in \\mathbb{Z} ", text)
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


def _phrase(text: str) -> Node | None:
    """Return the set, or the number, that a whole text names in words."""
    if len(text) > _LONGEST_PHRASE or _NO_PHRASE.search(text) is not None:
        return None
    words = " ".join(_FONT.sub(r" \1 ", text).replace("$", " ").casefold().split()).strip(" .!")
    if words in _EMPTY:
        return Named("empty")
    if words in _REALS:
        return Named("reals")
    if words in ("dne", "does not exist", "doesn't exist"):
        return Words("does not exist")
    number = number_named(words)
    return None if number is None else Number(_fmpq(number))


def _fmpq(value: int) -> object:
    import flint

    return flint.fmpq(value)


