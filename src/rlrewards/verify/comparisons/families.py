r"""Families with an integer parameter: `kπ, k ∈ ℤ`, `x ≡ 1 (mod 5)`, `{2k+1 | k ∈ ℤ}`.

The letter is bound, so its name does not matter. Families that are linear in it are unions of
lattices start + period·ℤ; those are compared as sets, so `π/4 + kπ` is `-3π/4 + nπ`, and
`kπ/2` is `kπ` together with `π/2 + kπ`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import lcm
from typing import Any, Final

import flint

from rlrewards.verify.comparisons.exactly import different, equal, if_equal, undecided
from rlrewards.verify.comparisons.matching import in_order, matched
from rlrewards.verify.comparisons.naming import (
    assigned_values,
    assignment,
    name_of,
    names_a_point,
    names_given,
)
from rlrewards.verify.comparisons.regions import UNKNOWNS, region
from rlrewards.verify.comparisons.rewriting import bare, difference, number, substituted
from rlrewards.verify.decision import Decision, Terms
from rlrewards.verify.exact import compare_forms, proportion, rational
from rlrewards.verify.tree import (
    Apply,
    Bracket,
    Builder,
    Expression,
    Listing,
    Matrix,
    Named,
    Node,
    Product,
    Relation,
    Sum,
    Symbol,
    symbols_of,
    walk,
)

BOUND: Final = Symbol("k∈ℤ")
"""The letter that all parameters are renamed to; no answer can write it."""

MAX_RESIDUES: Final = 1_000
MAX_LINES: Final = 24


@dataclass(frozen=True, slots=True)
class Family:
    """Values that depend on an integer.

    Attributes:
        name: What is given the values, None when nothing is.
        items: The values; the parameter in them is `BOUND`.
        letter: How the parameter was called.
        domain: `integers` or `naturals`.
    """

    name: Node | None
    items: tuple[Node, ...]
    letter: Symbol
    domain: str = "integers"


def family(node: Node) -> Family | None:
    """Read a tree as a family with one integer parameter, if it is one."""
    if isinstance(node, Listing):
        return _listed(node) or _merged([family(item) for item in node.items])
    if isinstance(node, Builder):
        return _built(node)
    if isinstance(node, Relation):
        return _congruence(node) if node.modulus is not None else _assigned(node)
    return None


def _parameter(node: Node) -> tuple[Symbol, str] | None:
    """Read `k ∈ ℤ`."""
    if not isinstance(node, Relation) or node.signs != ("∈",):
        return None
    letter, domain = node.members
    if not isinstance(letter, Symbol) or not isinstance(domain, Named):
        return None
    return (letter, domain.name) if domain.name in ("integers", "naturals") else None


def _listed(node: Listing) -> Family | None:
    *front, last = node.items
    parameter = _parameter(last)
    if parameter is None:
        return None
    rest = front[0] if len(front) == 1 else Listing(tuple(front), node.joiners)
    name, values = assigned_values(rest)
    return _bound(name, values, *parameter)


def _bound(name: Node | None, values: Sequence[Node], letter: Symbol, domain: str) -> Family | None:
    if not any(letter in walk(value) for value in values) or name == letter:
        return None
    if not all(_may_be_numbered(value, letter) for value in values):
        return None
    items = tuple(substituted(value, letter, BOUND) for value in values)
    return Family(name, items, letter, domain)


def _may_be_numbered(value: Node, letter: Symbol) -> bool:
    """Whether an integer may number it: a value, or a condition on something else.

    `x > 2, x ∈ ℤ` numbers nothing, it says more of x; `2kπ < x < 2kπ+π, k ∈ ℤ` has k numbered.
    """
    if isinstance(value, Expression | Bracket | Matrix):
        return True
    if not isinstance(value, Relation):
        return False
    if value.signs == ("=",) and names_a_point(value.members[0]):
        return letter not in walk(value.members[0])
    found = region(value)
    return found is not None and found.variable not in (None, letter)


def _merged(parts: Sequence[Family | None]) -> Family | None:
    """Join `x = kπ (k ∈ ℤ) or x = nπ/3 (n ∈ ℤ)`; the letters are bound each for itself."""
    known = [part for part in parts if part is not None]
    if len(known) != len(parts) or len({(part.name, part.domain) for part in known}) != 1:
        return None
    return replace(known[0], items=tuple(item for part in known for item in part.items))


def _built(node: Builder) -> Family | None:
    """Read `{2k+1 | k ∈ ℤ}` and `{x | x = 2k+1, k ∈ ℤ}`."""
    if not node.conditions or not (node.domain is None or _is_reals(node.domain)):
        return None
    *front, last = node.conditions
    parameter = _parameter(last)
    if parameter is None:
        return None
    if not front:
        return _bound(None, (node.element,), *parameter)
    found = _listed(Listing((*front, last)))
    if found is None or found.name != node.element:
        return None
    return replace(found, name=None)


def _is_reals(node: Node) -> bool:
    return isinstance(node, Named) and node.name == "reals"


def _assigned(node: Relation) -> Family | None:
    found = assignment(node)
    inside = None if found is None or len(found.members) != 1 else family(found.value)
    return None if inside is None or found is None else replace(inside, name=found.name)


def _congruence(node: Relation) -> Family | None:
    """Read `x ≡ 1 (mod 5)`, and `1 (mod 5)`."""
    if node.modulus is None or {*node.signs} - {"≡"} or len(node.members) > 2:
        return None
    name = name_of(node.members[0]) if len(node.members) == 2 else None
    if len(node.members) == 2 and name is None:
        return None
    if not isinstance(node.members[-1], Expression):
        return None
    item = Sum((node.members[-1], Product((node.modulus, BOUND))))
    return Family(name, (item,), BOUND)


# ---------------------------------------------------------------------------------------------
# Comparing


def compare_families(ours: Node, gold: Node, terms: Terms) -> Decision | None:
    """Compare where one side at least is a family; None where neither is."""
    found, target = family(ours), family(gold)
    if found is not None and target is not None:
        return _both(found, target, terms)
    if target is not None:
        return _without_domain(ours, target, terms)
    return None if found is None else _for_single(found, gold, terms)


def _both(ours: Family, gold: Family, terms: Terms) -> Decision:
    if None not in (ours.name, gold.name) and ours.name != gold.name:
        return different("another name")
    if len(names_given(ours.items)) != len(names_given(gold.items)):
        return undecided("values of several names for a family")
    if not terms.conventions.parameters and not _same_letter(ours, gold):
        return different("another parameter")
    if ours.domain != gold.domain:
        return undecided(f"the {ours.domain} for the {gold.domain}")
    direct = matched(ours.items, gold.items, terms)
    if direct.is_equal or gold.domain != "integers":
        return direct if direct.is_equal else undecided("families that are not written alike")
    kinds = {type(item) for item in (*ours.items, *gold.items)}
    if kinds == {Bracket}:
        return _shifted(ours.items, gold.items, terms)
    return _lattices(ours.items, gold.items)


def _shifted(ours: Sequence[Node], gold: Sequence[Node], terms: Terms) -> Decision:
    """Compare points or intervals, each of which may count from another integer: k for k + 1."""
    why = "families of points or intervals that are not written alike"
    if len(ours) != len(gold) or len(ours) > MAX_LINES:
        return undecided(why)
    shifted = [_counted_alike(item, other) for item, other in zip(ours, gold, strict=True)]
    known = [item for item in shifted if item is not None]
    if len(known) < len(ours):
        return undecided(why)
    return if_equal(in_order(known, gold, terms), why)


def _counted_alike(ours: Node, gold: Node) -> Node | None:
    """Return our point with k + s or s - k for k, so that it starts where the other starts.

    The first item that depends on k says what s is; the others have to follow.
    """
    for one, other in zip(ours.children(), gold.children(), strict=False):
        line, target = _line(one), _line(other)
        if line is None or target is None:
            return None
        step = _multiple(line[1], target[1])
        if step is None or abs(step) > 1:
            return None
        if step != 0:
            shift = _multiple(difference(target[0], line[0]), line[1])
            whole = shift is not None and abs(step) == 1 and shift.q == 1
            counter = Sum((number(shift or 0), Product((number(step), BOUND))))
            return substituted(ours, BOUND, counter) if whole else None
    return None


def _same_letter(ours: Family, gold: Family) -> bool:
    """Whether two parameters have one name; that of a congruence has none."""
    return BOUND in (ours.letter, gold.letter) or ours.letter == gold.letter


def _without_domain(ours: Node, gold: Family, terms: Terms) -> Decision:
    """Compare an answer that does not say what its letter runs through, or has no letter."""
    name, values = assigned_values(ours)
    if any(gold.letter in walk(value) for value in values):
        if not all(_may_be_numbered(value, gold.letter) for value in values):
            return undecided("a condition for a family")
        renamed = tuple(substituted(value, gold.letter, BOUND) for value in values)
        return _both(Family(name, renamed, gold.letter, gold.domain), gold, terms)
    numbers = all(isinstance(value, Expression) and not symbols_of(value) for value in values)
    infinite = any(BOUND in walk(item) for item in gold.items)
    if numbers and infinite:
        return different("single values for a family")
    return undecided("no parameter for a family")


def _for_single(ours: Family, gold: Node, terms: Terms) -> Decision:
    """Compare a family with a reference that names no domain."""
    name, values = assigned_values(gold)
    letters = {letter for value in values for letter in symbols_of(value)}
    if not letters and all(isinstance(value, Expression | Bracket) for value in values):
        return different("a family for single values")
    if ours.letter.name not in letters or not _may_count(ours, name):
        return undecided("a family for an expression")
    if not all(_may_be_numbered(value, ours.letter) for value in values):
        return undecided("a family for a condition")
    items = tuple(substituted(value, ours.letter, BOUND) for value in values)
    return _both(ours, Family(name, items, ours.letter, ours.domain), terms)


# ---------------------------------------------------------------------------------------------
# Lattices start + period·ℤ


def _line(item: Node) -> tuple[Node, Node] | None:
    """Return start and period of an expression that is linear in the parameter."""
    plain = bare(item)
    if plain is None:
        return None
    start = substituted(plain, BOUND, number(0))
    period = difference(substituted(plain, BOUND, number(1)), start)
    if compare_forms(plain, Sum((start, Product((BOUND, period))))) is not True:
        return None
    return start, period


def _lattices(ours: Sequence[Node], gold: Sequence[Node]) -> Decision:
    """Compare unions of lattices, in units of the reference's first period from its first start."""
    if len(ours) + len(gold) > MAX_LINES:
        return undecided("many families")
    lines = [_line(item) for item in gold], [_line(item) for item in ours]
    if None in lines[0] or None in lines[1] or lines[0][0] is None:
        return undecided("families that are not linear in their parameter")
    origin, unit = lines[0][0]
    target = [_placed(*line, origin, unit) for line in lines[0] if line is not None]
    found = [_placed(*line, origin, unit) for line in lines[1] if line is not None]
    if None in target or None in found:
        return undecided("families whose periods or starts have no known ratio")
    residues = _residues(found, target)
    if residues is None:
        return undecided("families with many members to a period")
    return equal("the same lattice") if residues[0] == residues[1] else different("another lattice")


_Placed = tuple[Any, Any] | None


def _placed(start: Node, period: Node, origin: Node, unit: Node) -> _Placed:
    """Return start and period in units; None where they cannot be had, or are irrational."""
    place, step = _multiple(difference(start, origin), unit), _multiple(period, unit)
    if place is None or step is None or step == 0:
        return None
    return place, abs(step)


def _multiple(node: Node, unit: Node) -> Any:
    """Return the rational number of units that an expression is, None where it is unknown."""
    if rational(node) == 0 or compare_forms(node, number(0)) is True:
        return flint.fmpq(0)
    holds, factor = proportion(node, unit)
    return factor if holds else None


def _residues(ours: Sequence[_Placed], gold: Sequence[_Placed]) -> tuple[set[Any], set[Any]] | None:
    """Return the members of both in one common period."""
    lines = [line for line in (*ours, *gold) if line is not None]
    under = lcm(*(int(value.q) for line in lines for value in line))
    period = lcm(*(int((step * under).p) for _, step in lines))
    if sum(period // int((step * under).p) for _, step in lines) > MAX_RESIDUES:
        return None
    left, right = (
        {
            (int((place * under).p) + index * int((step * under).p)) % period
            for place, step in (line for line in side if line is not None)
            for index in range(period // int((step * under).p))
        }
        for side in (ours, gold)
    )
    return left, right


def _may_count(ours: Family, name: Node | None) -> bool:
    """Whether a reference that names no domain may mean the one of the answer.

    A letter that usually is unknown runs through all numbers; and that 0 or -1 does not count is
    left out by none but a sequence, whose name holds the letter.
    """
    if ours.letter in UNKNOWNS:
        return False
    if ours.domain == "integers":
        return True
    return name is not None and ours.letter.name in _letters_of(name)


def _letters_of(name: Node) -> str:
    """Return the subscript of a name, or its argument: what a sequence is numbered by."""
    if isinstance(name, Apply):
        return " ".join((name.name, *symbols_of(name)))
    return name.name.partition("_")[2] if isinstance(name, Symbol) else ""


def family_for_value(ours: Listing, gold: Node, terms: Terms) -> Decision | None:
    """Compare a family with a reference that is one expression; None where it is no family."""
    found = family(ours)
    return None if found is None else _for_single(found, gold, terms)
