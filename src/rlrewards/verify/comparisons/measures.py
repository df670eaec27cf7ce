"""Values with a unit or a percent sign: which readings of two answers must agree.

A unit that one side leaves out is that of the other; `p %` is p and p/100; degrees that one side
leaves out may also have become radians. Conversions are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

import flint

from rlrewards.verify.comparisons.exactly import different, equal, strictly, undecided
from rlrewards.verify.comparisons.rewriting import (
    MARKS,
    bare,
    in_radians,
    is_degree,
    is_plain,
    number,
    rebuilt,
    scaled,
)
from rlrewards.verify.decision import Decision, Terms
from rlrewards.verify.exact import rational
from rlrewards.verify.tree import (
    Approximate,
    Call,
    Measure,
    Negative,
    Node,
    Number,
    Percent,
    Product,
    Sum,
    symbols_of,
    walk,
)
from rlrewards.verify.units import UNITS, Unit, words_of
from rlrewards.verify.values import compare_values, is_numeral

RADIANS: Final = frozenset({"rad", "radian", "radians"})


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value and the marks around it.

    Attributes:
        value: The expression without marks.
        unit: Its unit, None when it has none.
        percent: Whether a percent sign follows.
        approximate: Whether it was marked as rounded.
    """

    value: Node
    unit: Unit | None = None
    percent: bool = False
    approximate: bool = False


def quantity(node: Node) -> Quantity | None:
    """Take the marks off an expression; None where they cannot be taken off the whole of it."""
    found = _unwrapped(node)
    if found is None or (found.unit and found.percent):
        return None
    return found if is_plain(found.value) else None


def _unwrapped(node: Node) -> Quantity | None:
    if isinstance(node, Sum):
        return _compound(node) or Quantity(node)
    if isinstance(node, Product) and isinstance(node.factors[-1], Measure):
        last = node.factors[-1]
        return Quantity(replace(node, factors=(*node.factors[:-1], last.operand)), last.unit)
    if not isinstance(node, Approximate | Percent | Measure | Negative):
        return Quantity(node)
    inside = _unwrapped(node.operand)
    if inside is None:
        return None
    if isinstance(node, Negative):
        return replace(inside, value=Negative(inside.value))
    if isinstance(node, Approximate):
        return replace(inside, approximate=True)
    if inside.unit is not None or inside.percent:
        return None
    if isinstance(node, Percent):
        return replace(inside, percent=True)
    return replace(inside, unit=node.unit)


def _compound(node: Sum) -> Quantity | None:
    """Read `2 h 30 min` as one amount in the smallest of its units."""
    parts = [part for part in node.terms if isinstance(part, Measure)]
    if len(parts) != len(node.terms):
        return None
    if not falls(parts):
        return None
    units = [part.unit for part in parts]
    total: Any = flint.fmpq(0)
    for part in parts:
        value = rational(part.operand)
        if value is None or value < 0:
            return None
        total += value * _rational(part.unit.factor / units[-1].factor)
    return Quantity(Number(total), units[-1])


def falls(parts: Sequence[Measure]) -> bool:
    """Whether amounts of one dimension come in ever smaller units."""
    units = [part.unit for part in parts]
    falling = all(a.factor > b.factor for a, b in pairwise(units))
    return falling and len({unit.dimension for unit in units}) == 1


def _rational(value: Fraction) -> Any:
    return flint.fmpq(value.numerator, value.denominator)


# ---------------------------------------------------------------------------------------------
# Comparing


def compare_measured(ours: Node, gold: Node, terms: Terms) -> Decision:
    """Compare two expressions with whatever marks they have."""
    if is_plain(ours) and is_plain(gold):
        return compare_values(ours, gold, terms)
    left, right = quantity(ours), quantity(gold)
    if left is None or right is None:
        return _with_marks_inside(ours, gold, terms)
    left = _as_money(left, right)
    if terms.conventions.units == "required" and (left.unit is None) != (right.unit is None):
        return different("a unit on one side only")
    readings = _readings(left, right, terms)
    if readings is None:
        return different(f"{_unit_name(left)} for {_unit_name(right)}")
    if _needs_form(left, right, terms):
        if not is_numeral(left.value):
            return different("form: a computation left undone for a number")
        terms = terms.any_form()
    decision = _any_reading(readings, right.approximate, terms)
    if decision.is_equal and not _unit_is_vouched(left, right, terms):
        return undecided(f"the unit {_unit_name(left)}")
    return decision


def _as_money(ours: Quantity, gold: Quantity) -> Quantity:
    """Return pounds as money where the reference is in sterling."""
    if gold.unit is None or ours.unit is None or gold.unit.dimension != "sterling":
        return ours
    is_pounds = ours.unit.name in ("pound", "pounds")
    return replace(ours, unit=UNITS["£"]) if is_pounds else ours


def _unit_name(item: Quantity) -> str:
    return "no unit" if item.unit is None else item.unit.name or item.unit.dimension


def _any_reading(
    readings: Sequence[tuple[Node, Node]], approximate: bool, terms: Terms
) -> Decision:
    """Return EQUAL if one reading agrees, UNDECIDED if one is open, else DIFFERENT."""
    decisions = []
    for ours, gold in readings:
        decisions.append(compare_values(ours, gold, terms, approximate=approximate))
        if decisions[-1].is_equal:
            return decisions[-1]
    return next((item for item in decisions if not item.is_different), decisions[0])


def _needs_form(ours: Quantity, gold: Quantity, terms: Terms) -> bool:
    """Whether converting would hide the form of an answer whose form counts."""
    if terms.conventions.form == "any" or (ours.unit, ours.percent) == (gold.unit, gold.percent):
        return False
    return rational(gold.value) is not None


def in_good_form(value: Node) -> bool:
    """Whether a value is no computation left undone, as far as it is a number."""
    return rational(value) is None or is_numeral(value)


def _readings(ours: Quantity, gold: Quantity, terms: Terms) -> Sequence[tuple[Node, Node]] | None:
    """Return the pairs of values of which one must agree; None where no conversion leads over."""
    if ours.percent or gold.percent:
        if ours.unit is not None or gold.unit is not None:
            return None
        return _percent_readings(ours, gold, terms)
    if _is_radian(ours.unit) or _is_radian(gold.unit):
        return _radian_readings(ours, gold)
    if is_degree(ours.unit) != is_degree(gold.unit) and None in (ours.unit, gold.unit):
        return _degree_readings(ours, gold)
    if ours.unit is None or gold.unit is None or ours.unit == gold.unit:
        return [(ours.value, gold.value)]
    if ours.unit.dimension == gold.unit.dimension:
        factor = _rational(ours.unit.factor / gold.unit.factor)
        return [(scaled(ours.value, factor), gold.value)]
    known = ours.unit.vouched and gold.unit.vouched
    return None if known else [(ours.value, gold.value)]


def _percent_readings(ours: Quantity, gold: Quantity, terms: Terms) -> Sequence[tuple[Node, Node]]:
    """Read `p %` as p and p/100.

    A bare reference above 1 is met by itself in percent, one of at most 1 only by a hundred times
    itself.
    """
    hundredth = flint.fmpq(1, 100)
    if ours.percent and gold.percent:
        return [(ours.value, gold.value)]
    as_written = (ours.value, gold.value)
    if gold.percent:
        converted = (ours.value, scaled(gold.value, hundredth))
        return [as_written, converted] if terms.conventions.percent else [converted]
    converted = (scaled(ours.value, hundredth), gold.value)
    size = rational(gold.value)
    above_one = size is not None and abs(size) > 1
    return [as_written, converted] if above_one and terms.conventions.percent else [converted]


def _degree_readings(ours: Quantity, gold: Quantity) -> Sequence[tuple[Node, Node]]:
    """Read an angle in degrees beside one without a unit: the sign left out, or radians."""
    as_written = (ours.value, gold.value)
    if is_degree(gold.unit):
        return [as_written, (ours.value, in_radians(gold.value))]
    converted = (in_radians(ours.value), gold.value)
    plain = rational(gold.value) is not None or symbols_of(gold.value)
    return [as_written, converted] if plain else [converted]


def _is_radian(unit: Unit | None) -> bool:
    return unit is not None and (unit.dimension in RADIANS or unit.name in RADIANS)


def _radian_readings(ours: Quantity, gold: Quantity) -> Sequence[tuple[Node, Node]] | None:
    values = [
        in_radians(item.value) if is_degree(item.unit) else item.value for item in (ours, gold)
    ]
    others = [
        item.unit for item in (ours, gold) if not (_is_radian(item.unit) or item.unit is None)
    ]
    return [(values[0], values[1])] if all(map(is_degree, others)) else None


def _unit_is_vouched(ours: Quantity, gold: Quantity, terms: Terms) -> bool:
    """Whether the answer's unit is known, is the reference's, or is what the question asks for."""
    if ours.unit is None:
        return True
    if gold.unit is not None and _is_rate(ours.unit) != _is_rate(gold.unit):
        return False
    if ours.unit == gold.unit:
        return True
    if not ours.unit.vouched:
        context = words_of(gold.unit.name if gold.unit else "") | words_of(terms.prompt or "")
        return words_of(ours.unit.name) <= context
    return gold.unit is None or gold.unit.vouched


def _is_rate(unit: Unit) -> bool:
    """Whether a unit is `per` something, with nothing before it."""
    return unit.name.casefold().split()[:1] == ["per"]


# ---------------------------------------------------------------------------------------------
# Marks inside an expression


def _with_marks_inside(ours: Node, gold: Node, terms: Terms) -> Decision:
    """Compare expressions such as `90° - x` and `sin 30°`, whose marks stand in the midst."""
    left, right = bare(ours), bare(gold)
    if left is None or right is None:
        return _alike(ours, gold)
    readings = [(left, right)]
    if _has_degrees(ours) != _has_degrees(gold) and symbols_of(gold):
        readings.append((_without_degrees(ours), _without_degrees(gold)))
    form_counts = terms.conventions.form != "any" and rational(gold) is not None
    if form_counts and not in_good_form(left):
        return different("form: a computation left undone for a number")
    return _any_reading(readings, False, terms)


def _has_degrees(node: Node) -> bool:
    return any(isinstance(item, Measure) and is_degree(item.unit) for item in walk(node))


def _without_degrees(node: Node) -> Node:
    """Leave the signs of degrees out, but not what is an argument of a function."""
    if isinstance(node, Call):
        return bare(node) or node
    if isinstance(node, Measure) and is_degree(node.unit):
        return node.operand
    if not any(isinstance(item, MARKS) for item in walk(node)):
        return node
    if isinstance(node, Sum):
        return Sum(tuple(map(_without_degrees, node.terms)))
    if isinstance(node, Product):
        return Product(tuple(map(_without_degrees, node.factors)))
    if isinstance(node, Negative):
        return Negative(_without_degrees(node.operand))
    return bare(node) or node


def _alike(ours: Node, gold: Node) -> Decision:
    """Compare what has units inside: equal where only the way of writing numbers differs."""
    if rebuilt(ours, _plain_number) == rebuilt(gold, _plain_number):
        return equal("the same expression")
    return undecided("units inside an expression")


def _plain_number(node: Node) -> Node:
    return number(node.value) if isinstance(node, Number) else node


def surely_same(left: Node, right: Node, terms: Terms) -> bool:
    """Whether two expressions have one value, no convention helping."""
    if left == right:
        return True
    plain = bare(left), bare(right)
    if plain[0] is None or plain[1] is None:
        return False
    return compare_values(plain[0], plain[1], strictly(terms)).is_equal
