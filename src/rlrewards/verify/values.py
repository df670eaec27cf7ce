r"""Are two expressions worth the same? Numbers, constants, functions, and the form of a number.

`compare_values` takes two bare expressions, without units, percent signs and the like, and goes
from the cheapest question to the dearest: fractions, structure, rational functions, balls. What it
cannot tell it leaves open for the symbolic tier.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, Final

from flint import fmpq

from rlrewards.verify import numeric
from rlrewards.verify.canonical import canonical
from rlrewards.verify.constants import (
    ARBITRARY,
    are_arbitrary,
    constants_of_integration,
    renamings,
)
from rlrewards.verify.decimals import agreement
from rlrewards.verify.decision import Decision, Terms, different, equal, undecided
from rlrewards.verify.exact import compare_forms, proportion
from rlrewards.verify.numeric import constant_quotient
from rlrewards.verify.rationals import rational
from rlrewards.verify.survey import Survey, survey
from rlrewards.verify.towers import is_tower
from rlrewards.verify.tree import (
    Based,
    Call,
    Constant,
    Negative,
    Node,
    Number,
    Power,
    Product,
    Quotient,
    Rational,
    Root,
    Symbol,
    symbols_of,
    walk,
)
from rlrewards.verify.verdict import Status, Tier

__all__ = ["compare_values", "is_numeral", "ratio"]


def compare_values(
    ours: Node,
    gold: Node,
    terms: Terms,
    *,
    approximate: bool = False,
    facts: tuple[Survey, Survey] | None = None,
) -> Decision:
    """Compare two expressions; `approximate` says that the reference was marked as rounded.

    `facts` are the surveys of both, where they are known already.
    """
    target = rational(gold)
    value = None if target is None else rational(ours)
    if target is not None and value is not None:
        return _numbers(ours, value, gold, target, terms, approximate)
    if target is not None and isinstance(ours, Power | Call) and is_tower(ours, target):
        return different(Tier.NUMERIC, "one is far larger than the other")
    if ours == gold:
        return equal(Tier.EXACT, "the same expression")
    facts = facts or (survey(ours), survey(gold))
    if facts[0].is_large or facts[1].is_large:
        return undecided(Tier.NUMERIC, "too large to be compared")
    if facts[0].has_bare_log or facts[1].has_bare_log:
        return _for_each_base(ours, gold, terms, approximate)
    return _expressions(ours, gold, terms, facts, approximate)


def _numbers(
    ours: Node, value: Rational, gold: Node, target: Rational, terms: Terms, approximate: bool
) -> Decision:
    """Compare two rational numbers."""
    if value == target:
        return _in_form(equal(Tier.EXACT, f"both are {_short(target)}"), ours, gold, terms)
    why = agreement(ours, gold, terms.conventions, approximate=approximate)
    if why:
        return _in_form(equal(Tier.EXACT, why), ours, gold, terms)
    return different(Tier.EXACT, f"{_short(value)} for {_short(target)}")


_SHORT_BITS: Final = 200


def _short(value: Rational) -> str:
    return str(value) if value.height_bits() <= _SHORT_BITS else "a long number"


def _expressions(
    ours: Node, gold: Node, terms: Terms, facts: tuple[Survey, Survey], approximate: bool
) -> Decision:
    """Compare two expressions of which at least one is no fraction."""
    left, right = facts
    strict = terms.conventions.form != "any"
    if left.is_infinite or right.is_infinite:
        return _infinities(ours, gold)
    if left.stands and not right.stands and strict:
        return different(
            Tier.EXACT, "form: a sum, product, integral, limit or derivative is left standing"
        )
    if left.symbols and not (right.symbols or right.is_uninterpreted) and strict:
        return different(Tier.EXACT, "an expression in variables for a number")
    if not (left.symbols or right.symbols):
        return _constants(ours, gold, terms, facts, approximate)
    if right.symbols and terms.conventions.integration_constants:
        decision = _with_constants(ours, gold, facts)
        if decision is not None:
            return decision
    return _by_value(ours, gold, facts)


def _with_constants(ours: Node, gold: Node, facts: tuple[Survey, Survey]) -> Decision | None:
    """Compare where letters of the reference stand for any number; None where none do."""
    if "C" in facts[1].symbols:
        return constants_of_integration(ours, gold, facts[1].symbols)
    if not any(map(ARBITRARY.fullmatch, facts[1].symbols)):
        return None
    for renaming in renamings(facts[0].symbols, facts[1].symbols):
        renamed = _renamed(ours, renaming)
        if _by_value(renamed, gold, (survey(renamed), facts[1])).is_equal:
            if are_arbitrary(gold):
                return equal(Tier.EXACT, "the same but for the names of its constants")
            return undecided(Tier.EXACT, "its letters may be constants, or quantities given")
    return None


def _by_value(ours: Node, gold: Node, facts: tuple[Survey, Survey]) -> Decision:
    """Compare exactly where that can tell, else by balls."""
    left, right = facts
    if left.is_uninterpreted or right.is_uninterpreted:
        return _uninterpreted(ours, gold)
    has_names = bool(left.symbols or right.symbols)
    forms_first = left.calls == right.calls and (has_names or not left.calls)
    same = compare_forms(ours, gold) if forms_first else None
    if same is not None:
        return _exactly(same)
    decision = _by_balls(ours, gold, facts)
    if decision.status is not Status.UNDECIDED or forms_first:
        return decision
    same = compare_forms(ours, gold)
    return decision if same is None else _exactly(same)


def _by_balls(ours: Node, gold: Node, facts: tuple[Survey, Survey]) -> Decision:
    keys = canonical(ours), canonical(gold)
    if keys[0] == keys[1]:
        return equal(Tier.EXACT, "the same but for order")
    if facts[0].symbols or facts[1].symbols:
        return numeric.compare_functions(ours, gold, facts, seed="|".join(sorted(keys)))
    return numeric.compare_constants(ours, gold, facts)


def _exactly(same: bool) -> Decision:
    if same:
        return equal(Tier.EXACT, "the same when multiplied out")
    return different(Tier.EXACT, "not the same when multiplied out")


def _uninterpreted(ours: Node, gold: Node) -> Decision:
    r"""Compare what has parts without a value, such as `f(x)` or `\vec{v}`, by structure."""
    if canonical(ours) == canonical(gold) or compare_forms(ours, gold):
        return equal(Tier.EXACT, "the same structure")
    return undecided(Tier.NUMERIC, "notation without a value")


def _infinities(ours: Node, gold: Node) -> Decision:
    left, right = _infinity(ours), _infinity(gold)
    if left and right:
        if left == right:
            return equal(Tier.EXACT, "both infinite")
        return different(Tier.EXACT, "infinities of opposite sign")
    if canonical(ours) == canonical(gold):
        return equal(Tier.EXACT, "the same structure")
    if (left or right) and not (_holds_infinity(ours) and _holds_infinity(gold)):
        return different(Tier.EXACT, "infinite on one side only")
    return undecided(Tier.NUMERIC, "a computation with infinity")


def _infinity(node: Node) -> int:
    """Return 1 for ∞, -1 for -∞, 0 for anything else."""
    if isinstance(node, Negative):
        return -_infinity(node.operand)
    return int(isinstance(node, Constant) and node.name == "infinity")


def _holds_infinity(node: Node) -> bool:
    return any(isinstance(item, Constant) and item.name == "infinity" for item in walk(node))


# ---------------------------------------------------------------------------------------------
# Constants, and the form of a number


def _constants(
    ours: Node, gold: Node, terms: Terms, facts: tuple[Survey, Survey], approximate: bool
) -> Decision:
    """Compare two expressions without variables, roundings included."""
    decision = _by_value(ours, gold, facts)
    if decision.is_different:
        why = agreement(ours, gold, terms.conventions, approximate=approximate)
        decision = equal(Tier.NUMERIC, why) if why else decision
    return _in_form(decision, ours, gold, terms)


def _in_form(decision: Decision, ours: Node, gold: Node, terms: Terms) -> Decision:
    """Refuse a computation left undone where the reference is a rational number."""
    if not decision.is_equal or terms.conventions.form == "any" or is_numeral(ours):
        return decision
    if ours == gold or rational(gold) is None or not is_numeral(gold):
        return decision
    return different(Tier.EXACT, "form: a computation left undone for a number")


_NUMERAL_CALLS: Final = frozenset(
    {"factorial", "double_factorial", "binomial", "permutations", "exp"}
)


def is_numeral(node: Node) -> bool:
    r"""Whether it is one numeral, fraction, root, power, factorial or multiple of a constant.

    A product holds at most one rational factor and one other, a number in scientific notation
    apart; a sum is none.
    """
    if isinstance(node, Number | Based):
        return True
    if isinstance(node, Constant):
        return node.name != "infinity"
    if isinstance(node, Product):
        return _is_numeral_product(node.factors)
    if isinstance(node, Call) and node.name not in _NUMERAL_CALLS:
        return False
    if isinstance(node, Negative | Quotient | Power | Root | Call):
        return all(is_numeral(part) for part in node.children())
    return False


def _is_numeral_product(factors: tuple[Node, ...]) -> bool:
    if len(factors) != 2 or not all(map(is_numeral, factors)):
        return False
    if any(map(_is_power_of_ten, factors)):
        return True
    return sum(rational(factor) is not None for factor in factors) <= 1


def _is_power_of_ten(node: Node) -> bool:
    return isinstance(node, Power) and isinstance(node.base, Number) and node.base.value == 10


# ---------------------------------------------------------------------------------------------
# Logarithms without a base


def _for_each_base(ours: Node, gold: Node, terms: Terms, approximate: bool) -> Decision:
    r"""Compare under the bases that a bare `\log` may have.

    Where the reference is a number it is the conventional one; one with variables leaves it open.
    """
    bases = [terms.conventions.log_base]
    if symbols_of(gold):
        bases = ["10", "e"]
    decisions = []
    for base in bases:
        left, right = (_with_base(node, base) for node in (ours, gold))
        facts = survey(left), survey(right)
        decision = _expressions(left, right, terms, facts, approximate)
        decisions.append(_in_form(decision, ours, gold, terms))
    if len({decision.status for decision in decisions}) > 1:
        return undecided(Tier.NUMERIC, "it depends on the base of the logarithm")
    return decisions[0]


def _renamed(node: Node, names: dict[str, str]) -> Node:
    """Give several letters other names at once."""
    if isinstance(node, Symbol):
        return Symbol(names.get(node.name, node.name))
    changed: dict[str, Any] = {}
    for item in fields(node):
        value = getattr(node, item.name)
        if isinstance(value, Node):
            changed[item.name] = _renamed(value, names)
        elif isinstance(value, tuple):
            changed[item.name] = tuple(
                _renamed(part, names) if isinstance(part, Node) else part for part in value
            )
    return replace(node, **changed) if changed else node


def _with_base(node: Node, base: str) -> Node:
    """Give each bare logarithm in a tree a base."""
    changed: dict[str, Any] = {}
    for item in fields(node):
        value = getattr(node, item.name)
        if isinstance(value, Node):
            changed[item.name] = _with_base(value, base)
        elif isinstance(value, tuple):
            changed[item.name] = tuple(
                _with_base(part, base) if isinstance(part, Node) else part for part in value
            )
    node = replace(node, **changed) if changed else node
    if not isinstance(node, Call) or node.name != "log" or len(node.arguments) != 1:
        return node
    if base == "e":
        return Call("ln", node.arguments)
    return Call("log", (*node.arguments, _TEN))


_TEN: Final = Number(fmpq(10))


# ---------------------------------------------------------------------------------------------
# Up to a factor


def ratio(ours: Node, gold: Node) -> tuple[Decision, int]:
    """Return whether ours / gold is one non-zero constant everywhere, and that constant's sign."""
    same, factor = proportion(ours, gold)
    if same is not None:
        if same and factor != 0:
            return equal(
                Tier.EXACT, f"{_short(factor)} times the reference"
            ), 1 if factor > 0 else -1
        return different(Tier.EXACT, "not proportional"), 0
    facts = survey(ours), survey(gold)
    if facts[0].is_large or facts[1].is_large:
        return undecided(Tier.NUMERIC, "too large to be compared"), 0
    if facts[0].is_uninterpreted or facts[1].is_uninterpreted:
        return _uninterpreted_ratio(ours, gold)
    decision, sign = constant_quotient(ours, gold)
    if decision.is_equal and facts[0].symbols != facts[1].symbols:
        return undecided(Tier.NUMERIC, "proportional, but in other variables"), sign
    return decision, sign


def _uninterpreted_ratio(ours: Node, gold: Node) -> tuple[Decision, int]:
    if canonical(ours) == canonical(gold):
        return equal(Tier.EXACT, "the same structure"), 1
    return undecided(Tier.NUMERIC, "notation without a value"), 0
