"""What a tree is made of, found in one pass: comparisons choose their road by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

from rlrewards.verify.tree import (
    Apply,
    Approximate,
    Based,
    Bracket,
    Call,
    Constant,
    Listing,
    Measure,
    Negative,
    Node,
    Number,
    Percent,
    PlusMinus,
    Power,
    Product,
    Quotient,
    Ratio,
    Relation,
    Root,
    Set,
    Standing,
    Sum,
    Symbol,
    Union,
)

MAX_NODES: Final = 2_000


@dataclass(slots=True)
class Survey:
    """What stands in a tree.

    Attributes:
        symbols: Names of the variables.
        constants: Names of the constants.
        calls: Names of the functions; `log ` with a space is a logarithm without a base.
        kinds: The types of the nodes.
        nodes: How many nodes there are; counting stops beyond `MAX_NODES`.
    """

    symbols: frozenset[str]
    constants: frozenset[str]
    calls: frozenset[str]
    kinds: frozenset[type[Node]]
    nodes: int

    @property
    def is_large(self) -> bool:
        """Whether there are too many nodes to compare anything."""
        return self.nodes > MAX_NODES

    @property
    def has_i(self) -> bool:
        """Whether the imaginary unit stands in it."""
        return "i" in self.constants

    @property
    def is_infinite(self) -> bool:
        """Whether ∞ stands in it."""
        return "infinity" in self.constants

    @property
    def stands(self) -> bool:
        """Whether a sum, product, integral, limit or derivative is left standing in it."""
        return Standing in self.kinds

    @property
    def is_uninterpreted(self) -> bool:
        """Whether anything in it has no value here: `f(x)`, a sum left standing, ±."""
        return not self.kinds.isdisjoint((Apply, Standing, PlusMinus))

    @property
    def has_bare_log(self) -> bool:
        """Whether a logarithm without a base stands in it."""
        return "log " in self.calls


BARE_LOG: Final = "log "


def survey(node: Node) -> Survey:
    """Walk a tree once."""
    symbols: set[str] = set()
    constants: set[str] = set()
    calls: set[str] = set()
    kinds: set[type[Node]] = set()
    stack: list[Any] = [node]
    nodes = 0
    while stack and nodes <= MAX_NODES:
        top = stack.pop()
        nodes += 1
        kind = type(top)
        kinds.add(kind)
        if kind is Symbol:
            symbols.add(top.name)
        elif kind is Constant:
            constants.add(top.name)
        elif kind is not Number:
            if kind is Call:
                bare = top.name == "log" and len(top.arguments) == 1
                calls.add(BARE_LOG if bare else top.name)
            rule = _BELOW.get(kind)
            stack += top.children() if rule is None else rule(top)
    return Survey(
        frozenset(symbols), frozenset(constants), frozenset(calls), frozenset(kinds), nodes
    )


def kinds_of(node: Node) -> frozenset[type[Node]]:
    """Return the types of the nodes of a tree, all of them."""
    found: set[type[Node]] = set()
    stack: list[Any] = [node]
    while stack:
        top = stack.pop()
        kind = type(top)
        found.add(kind)
        if kind not in _LEAVES:
            rule = _BELOW.get(kind)
            stack += top.children() if rule is None else rule(top)
    return frozenset(found)


def below(node: Node) -> Sequence[Node]:
    """Return the nodes directly below one, quickly for the usual ones."""
    rule = _BELOW.get(type(node))
    return tuple(node.children()) if rule is None else rule(node)


_BELOW: Final[dict[type[Node], Callable[[Any], Sequence[Node]]]] = {
    Number: lambda node: (),
    Symbol: lambda node: (),
    Constant: lambda node: (),
    Based: lambda node: (),
    Negative: lambda node: (node.operand,),
    Sum: attrgetter("terms"),
    Product: attrgetter("factors"),
    Quotient: attrgetter("over", "under"),
    Power: attrgetter("base", "exponent"),
    Root: attrgetter("radicand", "degree"),
    Call: attrgetter("arguments"),
    Apply: attrgetter("arguments"),
    Measure: lambda node: (node.operand,),
    Percent: lambda node: (node.operand,),
    PlusMinus: lambda node: (node.operand,),
    Approximate: lambda node: (node.operand,),
    Ratio: attrgetter("parts"),
    Listing: attrgetter("items"),
    Bracket: attrgetter("items"),
    Set: attrgetter("items"),
    Union: attrgetter("parts"),
    Relation: lambda node: node.members if node.modulus is None else (*node.members, node.modulus),
}

_LEAVES: Final = frozenset({Number, Symbol, Constant, Based})
