"""Compare two texts as the tables of this folder do: reference left, answer right."""

from __future__ import annotations

from rlrewards.verify.comparisons import compare_nodes
from rlrewards.verify.conventions import Conventions
from rlrewards.verify.decision import Decision, Terms
from rlrewards.verify.parse import parse
from rlrewards.verify.symbolic import Budget
from rlrewards.verify.tree import Unparsed
from rlrewards.verify.verdict import Status

EQUAL, DIFFERENT, UNDECIDED = Status.EQUAL, Status.DIFFERENT, Status.UNDECIDED


def decided(reference, answer, *, prompt=None, echoes=False, **conventions) -> Decision:
    trees = parse(answer), parse(reference)
    assert not any(isinstance(tree, Unparsed) for tree in trees), trees
    terms = Terms(Budget(1.0), Conventions(**conventions), prompt, echoes)
    return compare_nodes(*trees, terms)


def status(reference, answer, **keywords) -> Status:
    return decided(reference, answer, **keywords).status


def rows(table: str) -> list[tuple[str, str]]:
    """Split lines of `reference ~ answer`."""
    pairs = [line.split(" ~ ") for line in table.strip().splitlines()]
    return [(reference.strip(), answer.strip()) for reference, answer in pairs]
