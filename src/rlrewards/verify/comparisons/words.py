"""Answers in words: compared as text, case by convention, single letters never apart from it."""

from __future__ import annotations

from rlrewards.verify.comparisons.dispatch import compare_nodes
from rlrewards.verify.comparisons.exactly import undecided
from rlrewards.verify.comparisons.rewriting import number
from rlrewards.verify.decision import Decision, Terms, different
from rlrewards.verify.number_words import number_named
from rlrewards.verify.text import compare_text
from rlrewards.verify.tree import Listing, Node, Number, Set, Symbol, Words
from rlrewards.verify.verdict import Tier


def for_words(ours: Node, gold: Words, terms: Terms) -> Decision:
    """Compare with a reference in words."""
    if (value := spelt_number(gold)) is not None:
        return compare_nodes(ours, value, terms)
    if isinstance(ours, Set | Listing):
        return undecided("several answers for words")
    text = text_of(ours)
    if text is None:
        return undecided("a formula for words")
    return compare_words(text, gold.text, terms)


def text_of(node: Node) -> str | None:
    """Return the text of words or of a name."""
    if isinstance(node, Words):
        return node.text
    return node.name if isinstance(node, Symbol) else None


def spelt_number(node: Words) -> Number | None:
    """Return the number that words spell, as `five` does."""
    value = number_named(node.text)
    return None if value is None else number(value)


def compare_words(answer: str, reference: str, terms: Terms) -> Decision:
    """Compare two texts; `a` and `A` are different names, Even and even one word."""
    ours, gold = answer.split(), reference.split()
    if ours != gold and _folded(ours) == _folded(gold):
        letters = len("".join(gold)) == 1
        if letters or not terms.conventions.ignore_case:
            return different(Tier.TEXT, "other letters: the case differs")
    return Decision(*compare_text(answer, reference))


def _folded(words: list[str]) -> list[str]:
    return [word.casefold() for word in words]
