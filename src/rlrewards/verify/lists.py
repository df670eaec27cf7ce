r"""Lists of answers: items, what joins them, and what is said of them.

A list is read item by item up to a closing bracket. Some lists are one thing: `2 hours and 30
minutes` is a sum, `ℝ, x ≠ 3` a set, lines of equations a system.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rlrewards.verify.brackets import CLOSING
from rlrewards.verify.tree import (
    Approximate,
    Builder,
    Listing,
    Measure,
    Named,
    Node,
    Number,
    Ratio,
    Relation,
    Sum,
    Symbol,
)

if TYPE_CHECKING:
    from rlrewards.verify.grammar import Parser

_CONDITIONS: Final = frozenset(
    ["for", "where", "with", "for any", "for all", "for every", "for some", "when", "if"]
)
_JOINERS: Final = (",", ";", "and", "or")


def items(parser: Parser) -> Node:
    """Read items up to a closing bracket or the end: one node, or a `Listing`."""
    found: list[Node] = []
    joined: set[str] = set()
    gaps: list[set[str]] = []
    while True:
        skip_gaps(parser)
        found.append(item(parser))
        if parser.token.kind == "stop":
            break
        separators = _joiners(parser)
        if starts_condition(parser):
            separators |= _condition(parser)
        if not separators and _is_gap_between_relations(parser, found[-1]):
            separators = {","}
        if not separators:
            break
        joined |= separators
        gaps.append(separators)
        if _at_end_of_list(parser):
            break
    return found[0] if len(found) == 1 else _listed(found, joined, gaps)


def item(parser: Parser) -> Node:
    """Read one item: an expression or a relation, perhaps marked as approximate."""
    if parser.token.kind == "symbol":
        if parser.skip("≈", "~"):
            return Approximate(parser.expression())
        parser.skip("=")
    found = parser.expression()
    return _ratios(found) if isinstance(found, Ratio) else found


def _ratios(found: Ratio) -> Node:
    """Read `a:b = 3:4` as an equation of two ratios; a colon binds more loosely than a sign."""
    parts = found.parts
    middle = [index for index, part in enumerate(parts) if isinstance(part, Relation)]
    if not middle or len(parts) % 2 == 0 or middle != [len(parts) // 2]:
        return found
    sign = parts[middle[0]]
    if not isinstance(sign, Relation) or sign.signs != ("=",) or sign.modulus is not None:
        return found
    left, right = sign.members
    at = middle[0]
    return Relation((Ratio((*parts[:at], left)), Ratio((right, *parts[at + 1 :]))), ("=",))


def _joiners(parser: Parser) -> set[str]:
    found: set[str] = set()
    while parser.is_next(*_JOINERS, "quad"):
        sign = parser.take().text
        if sign in (",", ";") and sign in found:
            parser.fail("an item")
        found.add(sign)
    if found == {"quad"}:
        parser.at -= 1
    found.discard("quad")
    return found


# ---------------------------------------------------------------------------------------------
# Conditions and gaps


def starts_condition(parser: Parser) -> bool:
    r"""Whether `(k \\in …)` or "for k …" is next: what holds for a letter of the answer."""
    token = parser.tokens[parser.at]
    if token.text == "(":
        return parser.peek().kind == "letters" and parser.peek(2).text == "∈"
    return token.kind in ("text", "letters") and token.text.strip() in _CONDITIONS


def _condition(parser: Parser) -> set[str]:
    if parser.token.text != "(":
        parser.at += 1
    return {"for"}


def skip_gaps(parser: Parser) -> None:
    """Pass wide spaces."""
    while parser.tokens[parser.at].text == "quad":
        parser.at += 1


def _is_gap_between_relations(parser: Parser, found: Node) -> bool:
    if not (parser.is_next("quad") and isinstance(found, Relation)):
        return False
    skip_gaps(parser)
    return not _ends(parser)


def _at_end_of_list(parser: Parser) -> bool:
    return _ends(parser) and parser.tokens[parser.at - 1].text in (",", ";")


def _ends(parser: Parser) -> bool:
    token = parser.token
    return token.kind in ("stop", "end") or (token.kind == "symbol" and token.text in CLOSING)


# ---------------------------------------------------------------------------------------------
# Lists that are one thing


def _listed(found: list[Node], joined: set[str], gaps: list[set[str]]) -> Node:
    if joined == {"and"} and _is_compound(found):
        return Sum(tuple(found))
    if found[0] == _REALS and all(map(_leaves_out, found[1:])):
        named = {part.members[0] for part in found[1:] if isinstance(part, Relation)}
        if len(named) == 1:
            return Builder(named.pop(), _REALS, tuple(found[1:]))
    return Listing(tuple(found), frozenset(joined), _breaks(found, joined, gaps))


def _breaks(found: list[Node], joined: set[str], gaps: list[set[str]]) -> tuple[int, ...]:
    """Return before which relations `or` (or else `;`) stood, where others are joined closer."""
    weaker = "or" if "or" in joined else ";"
    if weaker not in joined or len(joined) < 2 or not any(isinstance(x, Relation) for x in found):
        return ()
    return tuple(index for index, gap in enumerate(gaps[: len(found) - 1], 1) if weaker in gap)


_REALS: Final = Named("reals")
_COMPOUND: Final = frozenset(
    ["in", "inch", "inches", "ft", "foot", "feet", "yd", "yard", "yards", "oz", "ounce", "ounces",
     "lb", "lbs", "pound", "pounds"]
)  # fmt: skip
_DIMENSIONS: Final = frozenset(["time", "dollar", "months"])


def _is_compound(found: list[Node]) -> bool:
    """Whether it is one amount in two units: `2 hours and 30 minutes`, not 90 of them."""
    if len(found) != 2:
        return False
    large, small = found
    if not (isinstance(large, Measure) and isinstance(small, Measure)):
        return False
    if not (isinstance(large.operand, Number) and isinstance(small.operand, Number)):
        return False
    if large.unit.dimension != small.unit.dimension or large.operand.value.q != 1:
        return False
    if large.unit.dimension not in _DIMENSIONS and small.unit.name.casefold() not in _COMPOUND:
        return False
    ratio = large.unit.factor / small.unit.factor
    under = small.operand.value * ratio.denominator < ratio.numerator
    return bool(ratio > 1 and small.operand.value >= 0 and under and large.operand.value > 0)


def _leaves_out(found: Node) -> bool:
    return (
        isinstance(found, Relation)
        and found.signs == ("≠",)
        and isinstance(found.members[0], Symbol)
    )


def system(parser: Parser, first: Node) -> Node:
    r"""Read the lines behind the first of `x=1 \\ y=2`: each is an equation."""
    if not isinstance(first, Relation):
        return first
    lines: list[Node] = [first]
    while parser.skip("\\\\") and parser.token.kind != "stop":
        lines.append(items(parser))
    if len(lines) > 1 and not all(isinstance(line, Relation) for line in lines):
        parser.fail("an equation on each line", known=True)
    return first if len(lines) == 1 else Listing(tuple(lines), frozenset({"and"}))
