"""What a relation says of a name: `x = 5` gives x a value, `x ∈ (0,1)` a region, `5 = x` too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from rlrewards.verify.tree import (
    Apply,
    Bracket,
    Call,
    Expression,
    Intersection,
    Listing,
    Matrix,
    Node,
    Product,
    Ratio,
    Relation,
    Set,
    Standing,
    Sum,
    Symbol,
    Union,
    Without,
    Words,
    symbols_of,
    walk,
)

_WORDS: Final = re.compile(r"[A-Za-z]{1,15}(?: [a-z]{1,15}){0,2}")
_DENIALS: Final = frozenset("not no false wrong incorrect never nor neither".split())


class Assignment(NamedTuple):
    """A name and the chain behind it: the members, and the signs between them."""

    name: Node
    members: tuple[Node, ...]
    signs: tuple[str, ...]
    first_sign: str = "="

    @property
    def value(self) -> Node:
        """The last member: what the chain comes to."""
        return self.members[-1]


def name_of(node: Node) -> Node | None:
    """Return the name that a member of a relation is alone (`x`, `f(x)`, `Area`), else None."""
    if isinstance(node, Symbol | Apply):
        return node
    if isinstance(node, Words) and _WORDS.fullmatch(node.text):
        words = node.text.casefold()
        return None if _DENIALS & {*words.split()} else Words(words)
    return None


def described(node: Node, value: Node) -> Node | None:
    r"""Return the name that a description is, beside the value that it is given; else None.

    `|AB|` is the length AB, `m\angle A` the angle, `dy/dx` is `y'`; a limit, a sum or an integral
    is what the question asks for; `A^{-1}` and `2A` are names of matrices, `A \cap B` one of a set.
    """
    if isinstance(node, Standing):
        return _derivative(node) if node.kind == "derivative" else _closed(node)
    if isinstance(node, Call) and node.name == "abs" and len(node.arguments) == 1:
        return _length(node.arguments[0])
    if isinstance(node, Product) and len(node.factors) == 2:
        name = _titled(*node.factors)
        if name is not None:
            return name
    if isinstance(node, Ratio):
        return node if all(isinstance(part, Symbol) for part in node.parts) else None
    if isinstance(value, Expression):
        return node if isinstance(value, Sum | Product) and _is_of_matrices(node, value) else None
    if isinstance(value, Matrix):
        return node if _is_of_matrices(node, value) else None
    is_joined = isinstance(node, Union | Intersection | Without)
    return node if is_joined and all(map(_is_capital, node.children())) else None


def _is_capital(node: Node) -> bool:
    return isinstance(node, Symbol) and len(node.name) == 1 and node.name.isupper()


def _length(inside: Node) -> Node | None:
    """Return the name of a length, a size or a determinant: that of |x| would hide a sign."""
    if isinstance(inside, Apply):
        if inside.name == "vec" and len(inside.arguments) == 1:
            inside = inside.arguments[0]
        return inside if isinstance(inside, Symbol) else None
    return inside if isinstance(inside, Symbol) and inside.name.isupper() else None


def _derivative(node: Standing) -> Node:
    if node.marks == "" and isinstance(node.body, Symbol):
        return Symbol(node.body.name + "'")
    return node


def _closed(node: Standing) -> Node | None:
    """Return what has no letter but its own: others may stand in an equation that was given."""
    bound = frozenset() if node.variable is None else symbols_of(node.variable)
    is_open = any(isinstance(item, Apply) for item in walk(node)) or symbols_of(node) - bound
    return None if is_open else node


def _titled(title: Node, inside: Node) -> Node | None:
    r"""Read `m \angle A` and `E[X]`."""
    if title == Symbol("m") and isinstance(inside, Apply) and inside.name == "angle":
        return inside
    return Product((title, inside)) if title == Symbol("E") and _is_capital(inside) else None


def _is_of_matrices(node: Node, value: Node) -> bool:
    """Whether an expression is made of capital letters, and so has a matrix for its value."""
    if not any(isinstance(item, Matrix) for item in walk(value)):
        return False
    names = [item for item in walk(node) if isinstance(item, Symbol) and item.name != "T"]
    return isinstance(node, Expression) and bool(names) and all(map(_is_capital, names))


def assignment(node: Node) -> Assignment | None:
    """Read a chain of equations that starts with a name; `5 = x` is turned round."""
    if not isinstance(node, Relation) or {*node.signs} - {"=", "≈", "∈"} or node.modulus:
        return None
    if "∈" in node.signs and (node.signs != ("∈",) or isinstance(node.members[1], Expression)):
        return None
    name = name_of(node.members[0])
    if name is not None:
        return Assignment(name, node.members[1:], node.signs[1:], node.signs[0])
    if node.signs == ("=",) and (name := name_of(node.members[1])) is not None:
        return Assignment(name, node.members[:1], ())
    if node.signs[:1] != ("=",):
        return None
    name = described(node.members[0], node.members[-1])
    return None if name is None else Assignment(name, node.members[1:], node.signs[1:])


def names_a_point(node: Node) -> bool:
    """Whether it is `(x, y)`, to which a relation gives a value."""
    return isinstance(node, Bracket) and all(name_of(item) is not None for item in node.items)


def is_long_chain(node: Node) -> bool:
    """Whether it is `x = 5 = 1`, of which one end only would be looked at."""
    found = assignment(node)
    return found is not None and len(found.members) > 1


def assigned_values(node: Node) -> tuple[Node | None, tuple[Node, ...]]:
    """Return the values that a list, an assignment of one, or a single value stands for.

    `x=1,3`, `x=1 or x=3` and `x ∈ {1, 3}` give values to x; its name comes first, if it has one. A
    point is one value.
    """
    if isinstance(node, Relation):
        found = assignment(node)
        if found is None:
            return None, (node,)
        value = found.value
        return found.name, value.items if isinstance(value, Listing | Set) else (value,)
    if not isinstance(node, Listing):
        return None, node.items if isinstance(node, Set) else (node,)
    return _listed_values(node)


def names_given(items: Iterable[Node]) -> frozenset[Node]:
    """Return the names that are given values in a list."""
    found = map(assignment, items)
    return frozenset(item.name for item in found if item is not None)


def unnumbered(name: Node) -> Node:
    """Return x for x_1, as the several values of one unknown are told apart."""
    if isinstance(name, Symbol) and name.name[-1].isdigit() and name.name[:-1].endswith("_"):
        return Symbol(name.name[:-2])
    return name


def _listed_values(node: Listing) -> tuple[Node | None, tuple[Node, ...]]:
    names: set[Node] = set()
    values: list[Node] = []
    for index, part in enumerate(node.items):
        found = assignment(part)
        if found is not None:
            names.add(found.name)
            values += assigned_values(part)[1]
        elif index and isinstance(part, Relation):
            return None, node.items
        else:
            values.append(part)
    if len(names) != 1 or assignment(node.items[0]) is None:
        return None, node.items
    return names.pop(), tuple(values)


def system(node: Node) -> dict[Node, Node] | None:
    """Return name → value for `x=1, y=2`, or None."""
    if not isinstance(node, Listing) or "or" in node.joiners:
        return None
    found: dict[Node, Node] = {}
    for part in node.items:
        item = assignment(part)
        if item is None or len(item.members) != 1 or item.name in found or item.first_sign == "∈":
            return None
        found[item.name] = item.value
    return found if len(found) > 1 else None


def coordinates(node: Node) -> dict[Node, Node] | None:
    """Return name → value for `x=1, y=2` and for `(x, y) = (1, 2)`, or None."""
    if not isinstance(node, Relation):
        return system(node)
    if node.signs != ("=",) or not names_a_point(node.members[0]):
        return None
    names, values = node.members
    if not (isinstance(names, Bracket) and isinstance(values, Bracket)):
        return None
    if not len({*names.items}) == len(names.items) == len(values.items):
        return None
    return dict(zip(names.items, values.items, strict=True))


_AXES: Final = frozenset("xyz")
_CUSTOMARY: Final = (["m", "b"], ["rho", "theta", "phi"])
"""Orders of coordinates that are not the alphabet's."""


def reading_order(names: Iterable[Node]) -> list[Node] | None:
    """Return names that were given values one by one in the order of a tuple; None if unknown.

    That is the alphabetical one where the answer keeps to it, and that of the axes always.
    """
    written = [*names]
    ordered = sorted(written, key=_spelling)
    return ordered if ordered == written or {*map(_spelling, written)} <= _AXES else None


def is_in_reading_order(names: Sequence[Node]) -> bool:
    """Whether `(x, y)` names coordinates in the order in which a bare tuple has them."""
    written = [*map(_spelling, names)]
    return written == sorted(written) or written in _CUSTOMARY


def in_alphabet(names: dict[Node, Node]) -> list[Node] | None:
    """Return the values of a system in the order of a tuple; None where it is not known."""
    order = reading_order(names)
    return None if order is None else [names[name] for name in order]


def _spelling(name: Node) -> str:
    return name.name if isinstance(name, Symbol) else repr(name)
