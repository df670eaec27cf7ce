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
from rlrewards.verify.phrases import except_phrase, phrase, without_lead
from rlrewards.verify.tokens import MAX_LENGTH, MAX_TOKENS, symbols, ungrouped
from rlrewards.verify.tree import Expression, Listing, Named, Node, Relation, Set, Unparsed, Without


def parse(text: str) -> Node | Unparsed:
    r"""Return the tree of one answer, or why there is none.

    >>> parse(r"\frac{1}{2}x")
    Product(factors=(Quotient(over=Number(1), under=Number(2)), Symbol(name='x')))
    >>> parse("1 1/2")
    Number(3/2)
    >>> parse("(1, 2")
    Unparsed(position=5, expected=') or ]', known=False, large=False)
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
        return Unparsed(MAX_LENGTH, f"at most {MAX_LENGTH} characters", known=True, large=True)
    return _readings_short(text) if len(text) <= REMEMBERED_LENGTH else _readings(text)


def _readings(text: str) -> tuple[Node, ...] | Unparsed:
    named = phrase(text)
    if named is None and ("exc" in text or "other than" in text):
        named = _all_but(text)
    if named is not None:
        return (named,)
    plain = without_lead(text.replace(r"\!", ""))
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
        return Unparsed(0, f"at most {MAX_TOKENS} symbols", known=True, large=True), False
    if tokens[0].kind == "stop":
        return Unparsed(0, "an answer"), False
    parser = Parser([*tokens], tight=tight)
    try:
        tree = parser.whole()
    except ParseError as error:
        found = Unparsed(error.position, error.expected, known=error.known, large=error.large)
        return found, False
    return tree, parser.ambiguous


def _all_but(text: str) -> Node | None:
    """Read `all real numbers except 3`."""
    rest = except_phrase(text)
    found = None if rest is None else _read(rest)[0]
    if found is None or isinstance(found, Unparsed):
        return None
    left_out = found.items if isinstance(found, Listing | Set) else (found,)
    values = tuple(
        item.members[1] if isinstance(item, Relation) and item.signs == ("=",) else item
        for item in left_out
    )
    if not all(isinstance(value, Expression) for value in values):
        return None
    return Without(Named("reals"), Set(values))
