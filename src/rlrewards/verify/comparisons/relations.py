"""Relations: assignments, chains, equations, inequalities.

An assignment stands for its value and a chain of true equations for its last member; an equation is
equal to its multiples, an inequality in solved form to the region it describes.
"""

from __future__ import annotations

from typing import Final

from rlrewards.verify.comparisons.areas import compare_boxes, compare_regions
from rlrewards.verify.comparisons.chains import Broken, exact_members, finite_sum
from rlrewards.verify.comparisons.dispatch import compare_nodes
from rlrewards.verify.comparisons.equations import (
    compare_equations,
    compare_inequalities,
    same_members,
)
from rlrewards.verify.comparisons.exactly import different, undecided
from rlrewards.verify.comparisons.families import compare_families
from rlrewards.verify.comparisons.matching import UNKNOWN_ORDER, in_order
from rlrewards.verify.comparisons.naming import (
    Assignment,
    assignment,
    coordinates,
    is_in_reading_order,
    name_of,
    names_a_point,
)
from rlrewards.verify.comparisons.regions import ORDER, Region, region
from rlrewards.verify.comparisons.rewriting import substituted
from rlrewards.verify.decision import Decision, Terms
from rlrewards.verify.tree import (
    Apply,
    Approximate,
    Bracket,
    Expression,
    Listing,
    Node,
    Relation,
    Symbol,
    Words,
    symbols_of,
    walk,
)

IN_THE_QUESTION: Final = "an assignment that stands in the question"


def for_relation(ours: Node, gold: Relation, terms: Terms) -> Decision:
    """Compare with a reference that is a relation."""
    if (decision := compare_families(ours, gold, terms)) is not None:
        return decision
    if (ORDER | {"∉"}) & {*gold.signs}:
        return _for_inequality(ours, gold, terms)
    found = assignment(gold)
    if found is not None:
        return _for_assignment(ours, gold, found, terms)
    if gold.signs == ("=",) and names_a_point(gold.members[0]):
        return _for_named_point(ours, gold, terms)
    if {*gold.signs} <= {"=", "≈"} and ("≈" in gold.signs or is_constant_chain(gold)):
        return compare_nodes(ours, _last(gold.members, gold.signs), terms.inside())
    if not isinstance(ours, Relation):
        return undecided(f"a {type(ours).__name__.lower()} for a relation")
    if gold.signs == ours.signs == ("=",):
        return compare_equations(ours, gold, terms)
    return same_members(ours, gold, terms)


def _last(members: tuple[Node, ...], signs: tuple[str, ...]) -> Node:
    """Return the last member of a chain, marked where it was rounded."""
    rounded = signs[-1:] == ("≈",) and isinstance(members[-1], Expression)
    return Approximate(members[-1]) if rounded else members[-1]


def is_constant_chain(relation: Relation) -> bool:
    """Whether a chain of equations is one of numbers."""
    return (
        bool(relation.signs)
        and relation.modulus is None
        and {*relation.signs} <= {"=", "≈"}
        and all(isinstance(item, Expression) and not symbols_of(item) for item in relation.members)
    )


# ---------------------------------------------------------------------------------------------
# A relation for a value


def chain_for_value(ours: Relation, gold: Node, terms: Terms) -> Decision:
    """Compare an equation, or a chain of them, with a reference that is a value."""
    if (decision := compare_families(ours, gold, terms)) is not None:
        return decision
    if {*ours.signs} - {"=", "≈", "∈"} or ours.modulus is not None:
        return different("an inequality for a value")
    found = assignment(ours)
    if found is None:
        return _constant_chain(ours, gold, terms)
    if terms.echoes:
        return different(IN_THE_QUESTION)
    if not terms.conventions.assignments:
        return different("an assignment for a value")
    if found.first_sign == "∈" and isinstance(found.value, Bracket):
        return undecided("a membership for a value")
    if _is_letter(gold) and _is_letter(found.value):
        return different("an equation between names")
    if found.name in walk(gold):
        return undecided("the name stands on both sides")
    return compare_assigned(found, gold, terms)


def _is_letter(node: Node) -> bool:
    return not isinstance(node, Words) and name_of(node) is not None


def compare_assigned(ours: Assignment, gold: Node, terms: Terms) -> Decision:
    """Compare the value that a chain gives to a name; all its members must be equal."""
    if len(ours.members) > 1 and not terms.conventions.chains:
        return different("a chain of equations for a value")
    if any(_is_letter(member) for member in ours.members[:-1]):
        return undecided("several names")
    members = exact_members(ours.members, ours.signs, terms)
    if isinstance(members, Broken):
        return members.decision
    worth = finite_sum(ours.name)
    if worth is not None and compare_nodes(worth, members[-1], terms.inside()).is_different:
        return different("a sum that comes to something else")
    return compare_nodes(members[-1], gold, terms.inside())


def _constant_chain(ours: Relation, gold: Node, terms: Terms) -> Decision:
    """`1+4 = 5` stands for 5 when every member is a constant and all are equal."""
    if "∈" in ours.signs:
        return different("a membership for a value")
    if any(symbols_of(member) for member in ours.members):
        if isinstance(gold, Expression) and not symbols_of(gold):
            return different("an equation in variables for a number")
        return undecided("an equation for an expression")
    if not terms.conventions.chains:
        return different("a chain of equations for a value")
    members = exact_members(ours.members, ours.signs, terms)
    if isinstance(members, Broken):
        return members.decision
    decisions = [compare_nodes(member, gold, terms.inside()) for member in members]
    return next((item for item in decisions if item.is_equal), decisions[-1])


def value_of(ours: Node, terms: Terms) -> Node | Decision:
    """Return what an assignment gives to its name; other answers as they are.

    `S = {1,2}` and `x ∈ {1,2}` stand for the set, `(x, y) = (1, 2)` for the point.
    """
    if not isinstance(ours, Relation):
        return ours
    found = assignment(ours)
    if found is None:
        return _point(ours)
    if terms.echoes:
        return different(IN_THE_QUESTION)
    if not terms.conventions.assignments and found.first_sign != "∈":
        return different("an assignment for a value")
    members = exact_members(found.members, found.signs, terms)
    return members.decision if isinstance(members, Broken) else members[-1]


def _point(ours: Relation) -> Node | Decision:
    """Return the point of `(x, y) = (1, 2)`; other relations as they are."""
    names = ours.members[0]
    if ours.signs != ("=",) or not isinstance(names, Bracket) or not names_a_point(names):
        return ours
    if not is_in_reading_order(names.items):
        return undecided(UNKNOWN_ORDER)
    return ours.members[1]


# ---------------------------------------------------------------------------------------------
# A relation as the reference


def _for_assignment(ours: Node, gold: Relation, target: Assignment, terms: Terms) -> Decision:
    value = _last(target.members, (target.first_sign, *target.signs))
    found = assignment(ours)
    if found is not None and (renamed := _with_arguments(found, target.name)) is not None:
        found = renamed
    if found is not None and _same_names(found.name, target.name):
        return _same_name(found, target, value, terms)
    if not isinstance(ours, Relation):
        if isinstance(ours, Listing) and not _names_only(ours, target.name):
            return undecided("other names are given values")
        return _bare_for_assignment(ours, target, value, terms)
    if found is None and is_constant_chain(ours):
        return compare_nodes(ours, value, terms.inside())
    if found is not None and _same_function(found.name, target.name):
        return undecided("a function of another variable")
    regions = region(ours), region(gold)
    if regions[0] is not None and regions[1] is not None and found is None:
        return compare_regions(regions[0], regions[1], terms)
    if not isinstance(value, Expression) or {*ours.signs} != {"="}:
        return different("another relation")
    if symbols_of(value) and len(ours.members) == 2:
        return compare_equations(ours, gold, terms)
    return different("another name, or none, is given a value")


def _same_name(found: Assignment, target: Assignment, value: Node, terms: Terms) -> Decision:
    if terms.echoes:
        return different(IN_THE_QUESTION)
    if "∈" in (found.first_sign, target.first_sign) and found.first_sign != target.first_sign:
        return undecided("a membership and an equation")
    if len(found.members) > 1 or found.first_sign == "=":
        return compare_assigned(found, value, terms)
    return compare_nodes(found.value, value, terms.inside())


def _same_names(ours: Node, gold: Node) -> bool:
    """Whether two names are one; `y` is also `f(x)`."""
    if Symbol("y") in (ours, gold):
        ours, gold = (Symbol("y") if _is_function(name) else name for name in (ours, gold))
    return ours == gold


def _with_arguments(ours: Assignment, gold: Node) -> Assignment | None:
    """Rename the argument of `f(t) = 2t` to that of `f(x)`: it is bound. None where it is not."""
    name = ours.name
    if not (isinstance(name, Apply) and isinstance(gold, Apply) and name.name == gold.name):
        return None
    if len(name.arguments) != 1 or len(gold.arguments) != 1 or name == gold:
        return None
    letter, other = name.arguments[0], gold.arguments[0]
    if not (_is_variable(letter) and _is_variable(other)):
        return None
    if letter not in walk(ours.value) or any(other in walk(member) for member in ours.members):
        return None
    members = tuple(substituted(member, letter, other) for member in ours.members)
    return ours._replace(name=gold, members=members)


def _same_function(ours: Node, gold: Node) -> bool:
    """Whether they are `f(t)` and `f(x)`, which may be one."""
    if not (isinstance(ours, Apply) and isinstance(gold, Apply) and ours.name == gold.name):
        return False
    return all(map(_is_variable, (*ours.arguments, *gold.arguments)))


def _is_variable(node: Node) -> bool:
    """Whether it may be bound: the A of `P(A)` and the X of `E(X)` are not."""
    return isinstance(node, Symbol) and node.name.islower()


def _names_only(ours: Listing, name: Node) -> bool:
    """Whether whatever a list gives a value to is one name."""
    found = filter(None, map(assignment, ours.items))
    return all(_same_names(item.name, name) for item in found)


def _is_function(name: Node) -> bool:
    """Whether it is `f(x)` or its inverse; a derivative is another function."""
    is_plain = isinstance(name, Apply) and len(name.name.removesuffix("^-1")) == 1
    return is_plain and isinstance(name, Apply) and name.arguments == (Symbol("x"),)


def _bare_for_assignment(ours: Node, target: Assignment, value: Node, terms: Terms) -> Decision:
    """Compare a value, or several, with a reference that gives a name one."""
    if not terms.conventions.assignments and target.first_sign != "∈":
        return different("no assignment")
    return compare_nodes(ours, value, terms.inside())


def _for_named_point(ours: Node, gold: Relation, terms: Terms) -> Decision:
    """`(x, y) = (1, 2)` is met by (1, 2)."""
    names, value = gold.members
    if isinstance(ours, Relation) and ours.members[0] == names and ours.signs == ("=",):
        return compare_nodes(ours.members[1], value, terms.inside())
    found, target = coordinates(ours), coordinates(gold)
    if found is not None and target is not None:
        if found.keys() != target.keys():
            return undecided("other names")
        return in_order([found[name] for name in target], [*target.values()], terms)
    if isinstance(ours, Relation) or found is not None:
        return undecided("another relation for a point")
    if not (isinstance(names, Bracket) and is_in_reading_order(names.items)):
        return undecided(UNKNOWN_ORDER)
    return compare_nodes(ours, value, terms.inside())


def _for_inequality(ours: Node, gold: Relation, terms: Terms) -> Decision:
    target, found = region(gold), region(ours)
    if target is not None and found is not None:
        return compare_regions(found, target, terms)
    if isinstance(ours, Relation):
        if target is not None and symbols_of(gold) <= _names(target):
            return different("not in solved form")
        return compare_inequalities(ours, gold, terms)
    if isinstance(ours, Expression):
        return different("a value for an inequality")
    if (decision := compare_boxes(ours, gold, terms)) is not None:
        return decision
    return undecided(f"a {type(ours).__name__.lower()} for an inequality")


def _names(target: Region) -> frozenset[str]:
    return frozenset() if target.variable is None else symbols_of(target.variable)
