r"""The ladder: rungs from the cheapest comparison to the dearest, the first that decides wins.

`shortcut` knows plain numbers, `towers` what dwarfs them; `string` compares normalised text;
`names` a letter or a run of capitals; `trees` reads both sides as mathematics and compares what
they say, exactly or by balls; `words` compares prose; `symbolic` hands what is left to SymPy in a
process of its own. Each rung returns a `Decision`, or None to pass on. The reference decides how
both sides are read.

What an answer is too large for is the answer's fault, unless the reference is as large: else a
policy could have no opinion of itself for any answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import product
from typing import Final

from rlrewards.verify.comparisons.dispatch import compare_nodes
from rlrewards.verify.decision import Decision, Terms, different, equal, undecided
from rlrewards.verify.normalize import normalize
from rlrewards.verify.parse import readings
from rlrewards.verify.particulars import other_particulars
from rlrewards.verify.shortcut import MAX_LENGTH as PLAIN_DIGITS
from rlrewards.verify.shortcut import is_plain_number, shortcut
from rlrewards.verify.survey import survey
from rlrewards.verify.symbolic import MAX_CHARACTERS, symbolic
from rlrewards.verify.text import clock_of, compare_text, is_prose
from rlrewards.verify.tokens import same_symbols, symbols
from rlrewards.verify.towers import dwarfs
from rlrewards.verify.tree import Listing, Node, Unparsed
from rlrewards.verify.verdict import Status, Tier

MAX_LENGTH: Final = 10_000
MAX_NODES: Final = 1_000
"""Nodes of a tree, and `MAX_CHARACTERS` of a text, beyond which an answer is large."""
LARGE_REFERENCE: Final = 1_000
"""Characters from which a reference is as large as any answer."""

__all__ = ["Decision", "Terms", "compare"]


def compare(answer: str, reference: str, terms: Terms) -> Decision:
    """Climb the ladder and return the first decision; UNDECIDED when no rung decides."""
    found = shortcut(answer, reference, terms.conventions)
    if found is not None:
        return found
    if len(answer) > MAX_LENGTH + 10 * len(reference):
        return different(Tier.STRING, f"{len(answer)} characters for {len(reference)}")
    if len(reference) > MAX_LENGTH:
        same = answer.split() == reference.split()
        return Decision(Status.EQUAL if same else Status.UNDECIDED, Tier.STRING, "a long text")
    for rung in _RUNGS:
        decision = rung(answer, reference, terms)
        if decision is not None:
            return decision
    return undecided(Tier.TEXT, "no rule compares these")


# ---------------------------------------------------------------------------------------------
# string


def _string(answer: str, reference: str, terms: Terms) -> Decision | None:
    ours, gold = symbols(answer), symbols(reference)
    if ours and gold and len(gold) > 1 and same_symbols(ours, gold):
        return equal(Tier.STRING, "the same text")
    return None


def _clocks(answer: str, reference: str, terms: Terms) -> Decision | None:
    gold = clock_of(reference)
    ours = None if gold is None else clock_of(answer)
    if ours is None:
        return None
    if ours == gold:
        return equal(Tier.TEXT, "the same time")
    return different(Tier.TEXT, f"{ours} for {gold}")


def _towers(answer: str, reference: str, terms: Terms) -> Decision | None:
    """Refuse a tower of powers for a plain number before anything is worked out."""
    if ("^" in answer or "!" in answer) and is_plain_number(reference) and _is_tower(answer):
        return different(Tier.NUMERIC, "one is far larger than the other")
    return None


@lru_cache(maxsize=256)
def _is_tower(answer: str) -> bool:
    ours = readings(answer)
    return not isinstance(ours, Unparsed) and all(dwarfs(node, PLAIN_DIGITS) for node in ours)


_NAME: Final = re.compile(r"[A-Za-z]|[A-Z]{2,}")
_CHOICE: Final = re.compile(
    r"(?:[Oo]ption\s+)?[(\[]?([A-Z])[)\]]?\s*(?:[.:)]\s*(\S.*))?", re.DOTALL
)
_OTHER_LETTER: Final = re.compile(
    r"(?<![\w'])[A-Z](?![\w'])|n't\b"
    r"|\b(?:not|no|wrong|incorrect|or|nor|neither|none|never|false|untrue)\b",
    re.IGNORECASE,
)


def _names(answer: str, reference: str, terms: Terms) -> Decision | None:
    """Compare with a reference that is a letter, or a run of capitals: the name of something."""
    gold = symbols(reference)
    if gold is None or len(gold) != 2 or not _NAME.fullmatch(name := gold[0].text):
        return None
    other = normalize(answer)
    if other == name:
        return equal(Tier.STRING, "the same text")
    option = _CHOICE.fullmatch(other) if len(name) == 1 and name.isupper() else None
    if option is not None and not _OTHER_LETTER.search(option[2] or ""):
        status = Status.EQUAL if option[1] == name else Status.DIFFERENT
        return Decision(status, Tier.CHOICE, f"{option[1]} for {name}")
    if _NAME.fullmatch(other):
        return different(Tier.STRING, f"another name than {name}")
    return None


# ---------------------------------------------------------------------------------------------
# trees: what both sides say


def _trees(answer: str, reference: str, terms: Terms) -> Decision | None:
    gold = readings(reference)
    if isinstance(gold, Unparsed):
        return None
    ours = readings(answer)
    if isinstance(ours, Unparsed):
        return None
    if terms.prompt is not None and terms.conventions.refuse_echoes and "=" in answer:
        terms = replace(terms, echoes=_squeezed(answer) in _squeezed(terms.prompt))
    decisions = (compare_nodes(left, right, terms) for left, right in _pairs(ours, gold))
    decision = _unanimous(decisions)
    if decision.is_equal and (why := other_particulars(answer, reference)) is not None:
        return undecided(Tier.EXACT, why)
    if decision.status is Status.UNDECIDED and _is_outsized(answer, reference, ours):
        return _too_large(decision.tier, answer)
    # What the numbers cannot settle, SymPy may.
    return None if _is_open(decision) else decision


def _is_open(decision: Decision) -> bool:
    return decision.status is Status.UNDECIDED and decision.tier in (Tier.NUMERIC, Tier.SYMBOLIC)


def _pairs(ours: tuple[Node, ...], gold: tuple[Node, ...]) -> Iterator[tuple[Node, Node]]:
    """Pair the readings off: both sides are read the same way.

    Digits grouped by commas are a number, as the reference; beside a list they are one.
    """
    is_list = isinstance(gold[0], Listing)
    gold = tuple(node for node in gold if isinstance(node, Listing) is is_list)
    if len(ours) > 1:
        ours = tuple(node for node in ours if isinstance(node, Listing) is is_list) or ours[:1]
    if len(ours) == len(gold):
        return iter(zip(ours, gold, strict=True))
    return product(ours, gold)


def _unanimous(decisions: Iterable[Decision]) -> Decision:
    """Return what all readings decide; where they disagree, nobody can tell."""
    found = list(decisions)
    if len({decision.status for decision in found}) == 1:
        return found[0]
    return undecided(Tier.EXACT, "the two ways in which it may be read disagree")


def _squeezed(text: str) -> str:
    return re.sub(r"[\s$]+|\\[,;:! ]", "", text)


# ---------------------------------------------------------------------------------------------
# words


def _words(answer: str, reference: str, terms: Terms) -> Decision | None:
    """Compare words with words; also what is a word on one side only."""
    ours, gold = readings(answer), readings(reference)
    if not isinstance(ours, Unparsed) and not isinstance(gold, Unparsed):
        return None
    if not any(map(_is_worded, (answer, reference))):
        return None
    decision = Decision(*compare_text(answer, reference))
    if decision.status is Status.UNDECIDED and not isinstance(gold, Unparsed):
        # The reference is mathematics, so what cannot be read is the answer's fault.
        return Decision(Status.NO_ANSWER, Tier.TEXT, f"unreadable: {answer[:60]!r}")
    if (
        decision.status is Status.UNDECIDED
        and _is_outsized(answer, reference, ours)
        and not is_prose(answer)
    ):
        return _too_large(Tier.TEXT, answer)
    return decision


_ONLY_WORDS: Final = re.compile(r"[A-Za-z\s.,!'\"]*[A-Za-z]{2,}[A-Za-z\s.,!'\"]*")


def _is_worded(text: str) -> bool:
    return is_prose(text) or _ONLY_WORDS.fullmatch(text) is not None


# ---------------------------------------------------------------------------------------------
# size


def _is_outsized(answer: str, reference: str, ours: tuple[Node, ...] | Unparsed) -> bool:
    """Whether an answer is too large to be read or compared, and the reference is not as large."""
    if len(reference) >= LARGE_REFERENCE:
        return False
    if len(answer) > MAX_CHARACTERS:
        return True
    if isinstance(ours, Unparsed):
        return ours.large
    return any(survey(node).nodes > MAX_NODES for node in ours)


def _too_large(tier: Tier, answer: str) -> Decision:
    return Decision(Status.NO_ANSWER, tier, f"too large to be read: {answer[:60]!r}")


# ---------------------------------------------------------------------------------------------
# symbolic


def _malformed(answer: str, reference: str, terms: Terms) -> Decision | None:
    """Refuse an answer that is malformed, or too large, beside a reference that is neither."""
    ours = readings(answer)
    if not isinstance(ours, Unparsed) or isinstance(readings(reference), Unparsed):
        return None
    if ours.known:
        outsized = _is_outsized(answer, reference, ours)
        return _too_large(Tier.EXACT, answer) if outsized else None
    why = f"answer: expected {ours.expected} at {ours.position}"
    return Decision(Status.NO_ANSWER, Tier.EXACT, why)


def _symbolic(answer: str, reference: str, terms: Terms) -> Decision | None:
    conventions = terms.conventions
    verdict = symbolic(
        answer,
        reference,
        budget=terms.budget,
        prompt=terms.prompt,
        form=conventions.form,
        log_base=conventions.log_base,
    )
    return Decision(verdict.status, Tier.SYMBOLIC, verdict.why)


_RUNGS: Final[tuple[Callable[[str, str, Terms], Decision | None], ...]] = (
    _towers,
    _clocks,
    _string,
    _names,
    _trees,
    _words,
    _malformed,
    _symbolic,
)
