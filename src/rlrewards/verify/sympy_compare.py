r"""Compare two answers inside the worker, by the kind of thing that the reference is.

`compare` splits both sides into shapes (`answer_shape`), reads their formulas (`sympy_reading`) and
compares values (`sympy_values`). The reference decides: `(1,2)` is a point beside a point and an
interval beside `1<x<2`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final, NamedTuple

import sympy

from rlrewards.verify.answer_shape import (
    Bracket,
    Formula,
    Listing,
    Matrix,
    Named,
    Relation,
    Shape,
    Tokens,
    Union,
    UnreadableError,
    shape,
)
from rlrewards.verify.enclosure import NoValueError, as_fraction, enclose, midpoint
from rlrewards.verify.sympy_reading import IMAGINARY, UnevaluatedError, disarm, expression
from rlrewards.verify.sympy_values import (
    Decimal,
    Outcome,
    Terms,
    compare_values,
    different,
    equal,
    is_numeral,
    ratio,
    rounds_to,
    undecided,
)
from rlrewards.verify.verdict import Status

MAX_ITEMS: Final = 60


def warm_up() -> None:
    """Do once what makes the first comparison slow, and what makes all of them safe."""
    disarm()
    compare(r"\frac{3x^{2}-\sin x}{2\sqrt{x}}", "x/2")  # the parser learns its grammar by using it


def compare(
    answer: str,
    reference: str,
    *,
    form: str = "numeral",
    log_base: str = "10",
    given: bool = False,
) -> dict[str, Any]:
    """Return {"status": …, "why": reason}: a `Status`.

    NO_ANSWER says that the reference can be read and the answer is malformed; well-formed
    mathematics that is not read yet is UNDECIDED.
    """
    try:
        gold, ours = _shape("reference", reference), _shape("answer", answer)
        outcome = compare_shapes(gold, ours, Terms(form, log_base, given))
    except UnreadableError as error:
        malformed = error.side == "answer" and not error.gap
        status = Status.NO_ANSWER if malformed else Status.UNDECIDED
        return {"status": status.value, "why": str(error)}
    return {"status": outcome.status.value, "why": outcome.why}


def _shape(side: str, text: str) -> Shape:
    try:
        return shape(text)
    except UnreadableError as error:
        raise error.of(side) from error


def compare_shapes(gold: Shape, ours: Shape, terms: Terms) -> Outcome:
    """Compare two shapes; the first is the reference.

    Raises:
        UnreadableError: a formula in one of them cannot be read.
    """
    return _BY_KIND[type(gold)](gold, ours, terms)


def _kind(item: Shape) -> str:
    return item.kind if isinstance(item, Listing) else type(item).__name__.lower()


def _in_order(gold: Sequence[Shape], ours: Sequence[Shape], terms: Terms) -> Outcome:
    """Compare item by item."""
    if len(gold) != len(ours):
        return different(f"{len(ours)} items for {len(gold)}")
    return _all_of([compare_shapes(g, o, terms) for g, o in zip(gold, ours, strict=True)])


def _all_of(outcomes: Sequence[Outcome]) -> Outcome:
    """DIFFERENT if one is, else UNDECIDED if one is, else EQUAL."""
    return _first(outcomes, Status.DIFFERENT, Status.UNDECIDED) or equal("all parts agree")


def _first(outcomes: Sequence[Outcome], *order: Status) -> Outcome | None:
    """Return the first outcome with the first of these statuses that occurs."""
    for status in order:
        for outcome in outcomes:
            if outcome.status is status:
                return outcome
    return None


# ---------------------------------------------------------------------------------------------
# One value


def _for_formula(gold: Formula, ours: Shape, terms: Terms) -> Outcome:
    if isinstance(ours, Formula):
        return compare_formulas(gold, ours, terms)
    if isinstance(ours, Relation):
        return _chain_for_value(gold, ours, terms)
    if isinstance(ours, Listing) and ours.kind == "set" and len(ours.items) == 1:
        return undecided("a set of one for a value")
    return different(f"a {_kind(ours)} for one value")


def compare_formulas(gold: Formula, ours: Formula, terms: Terms) -> Outcome:
    """Compare two single values, signs and rounding included."""
    if gold == ours:
        return equal("the same formula")
    if terms.form != "any" and _stands_unevaluated(ours) and not _stands_unevaluated(gold):
        return different("form: a sum, product, integral, limit or derivative is left standing")
    outcomes = [
        _with_suffixes(
            gold, ours, _read("reference", gold, base), _read("answer", ours, base), terms
        )
        for base in _log_bases(gold, ours, terms)
    ]
    if len({outcome.status for outcome in outcomes}) > 1:
        return undecided("it depends on the base of the logarithm")
    return outcomes[0]


def _stands_unevaluated(formula: Formula) -> bool:
    try:
        expression(formula.tokens)
    except UnevaluatedError:
        return True
    except UnreadableError:
        return False
    return False


def _log_bases(gold: Formula, ours: Formula, terms: Terms) -> list[str]:
    r"""Bases that a bare `\log` may have: both, where a reference with variables leaves it open."""
    if not {r"\log", "log"} & {*gold.tokens, *ours.tokens} or not _names_in(gold):
        return [terms.log_base]
    return ["10", "e"]


def _read(side: str, formula: Formula, log_base: str = "10") -> Any:
    try:
        return _with_i(expression(formula.tokens, log_base=log_base))
    except UnreadableError as error:
        raise error.of(side) from error


def _with_i(value: Any) -> Any:
    """Read the letter i as the imaginary unit, keeping the form."""
    if value.is_Symbol:
        return sympy.I if value.name == IMAGINARY else value
    if not any(symbol.name == IMAGINARY for symbol in value.free_symbols):
        return value
    return value.func(*(_with_i(argument) for argument in value.args), evaluate=False)


def _names_in(item: Shape, side: str = "a formula") -> set[Any]:
    """Return the variables of a formula."""
    if not isinstance(item, Formula):
        raise UnreadableError(f"a {_kind(item)} inside a relation", gap=True)
    names: set[Any] = _read(side, item).free_symbols
    return names


def _with_suffixes(gold: Formula, ours: Formula, left: Any, right: Any, terms: Terms) -> Outcome:
    """Compare values with their % and ° signs.

    `p %` is p and p/100; a bare number is met by itself in percent only above 1. A degree sign that
    one side left out may also have been turned into radians.
    """
    if gold.suffix == ours.suffix:
        return compare_values(left, right, terms, _decimal(gold), _decimal(ours))
    if "" not in (gold.suffix, ours.suffix):
        return different(f"{ours.suffix} for {gold.suffix}")
    size = as_fraction(left)
    if size is not None and terms.form != "any" and not is_numeral(right):
        return different("form: a computation left undone for a number")
    unit = sympy.Rational(1, 100) if "%" in (gold.suffix, ours.suffix) else sympy.pi / 180
    converted = (_times(left, unit), right) if gold.suffix else (left, _times(right, unit))
    # A sign that the reference left out: `%` above 1 only; `°` not where it gives radians.
    adds_sign = size is not None and (ours.suffix == "°" or abs(size) > 1)
    readings = [(left, right), converted] if gold.suffix or adds_sign else [converted]
    outcomes = [compare_values(*reading, terms.any_form) for reading in readings]
    return next((outcome for outcome in outcomes if outcome.is_equal), outcomes[0])


def _times(value: Any, factor: Any) -> Any:
    return sympy.Mul(factor, value, evaluate=False)


def _decimal(formula: Formula) -> Decimal | None:
    """Return how precisely a number was written, when it is a decimal."""
    tokens = formula.tokens[1:] if formula.tokens[0] in "+-" else formula.tokens
    if len(tokens) != 1 or "." not in tokens[0]:
        return None
    whole, _, places = tokens[0].partition(".")
    return Decimal(len((whole + places).lstrip("0")), Fraction(1, 10 ** len(places)))


# ---------------------------------------------------------------------------------------------
# Names and chains of equations


_CONSTANT_NAMES: Final = frozenset({"e", "i"})


def _name(item: Shape) -> str:
    """Return the name that a member of a relation is alone: `x`, `x_1`, `f(x)`; else nothing."""
    if not isinstance(item, Formula) or item.suffix:
        return ""
    return _name_of(item.tokens)


def _name_of(tokens: Tokens) -> str:
    head, rest = tokens[0].lstrip("\\"), tokens[1:]
    is_letter = head.isalpha() and (len(head) == 1 or head.isupper() or tokens[0] != head)
    if not is_letter or head in ("pi", "infty", "ell") or (not rest and head in _CONSTANT_NAMES):
        return ""
    if rest[:1] == ("_",):
        end = rest.index("}") + 1 if rest[1:2] == ("{",) and "}" in rest else 2
        head, rest = head + "_" + "".join(rest[1:end]).strip("{}"), rest[end:]
    is_function = len(rest) == 3 and rest[0] == "(" and rest[2] == ")" and rest[1].isalpha()
    if is_function:
        return f"{head}({rest[1]})"
    return "" if rest else head


def _assignment(item: Shape) -> tuple[str, Relation | None]:
    """Return the name that a chain of equations gives a value to, and the chain from the name on.

    `5 = x` is turned round.
    """
    if not isinstance(item, Relation) or set(item.signs) - {"=", "≈", "∈"}:
        return "", None
    if "∈" in item.signs and (item.signs != ("∈",) or isinstance(item.members[1], Formula)):
        return "", None
    if name := _name(item.members[0]):
        return name, item
    if len(item.members) == 2 and item.signs == ("=",) and (name := _name(item.members[1])):
        return name, Relation(item.members[::-1], item.signs)
    return "", None


def _chain_for_value(gold: Shape, ours: Relation, terms: Terms) -> Outcome:
    """Compare an equation, or a chain of them, with a reference that is a value."""
    if set(ours.signs) - {"=", "≈", "∈"}:
        return different("an inequality for a value")
    name, chain = _assignment(ours)
    if chain is None:
        return _constant_chain(gold, ours, terms)
    if terms.given:
        return different("an assignment that stands in the question")
    if _name(gold) and _name(chain.members[-1]):
        return different("an equation between names")
    if isinstance(gold, Formula) and name in {str(symbol) for symbol in _names_in(gold)}:
        return undecided(f"{name} on both sides")
    if any(map(_name, chain.members[1:-1])):
        return undecided("several names")
    exact, doubt = _exact_members(chain.members[1:], chain.signs[1:], terms)
    return doubt or compare_shapes(gold, exact[-1], terms)


def _constant_chain(gold: Shape, ours: Relation, terms: Terms) -> Outcome:
    """`1+4 = 5` stands for 5 when every member is a constant and all are equal."""
    if "∈" in ours.signs:
        return different("a membership for a value")
    names = [_names_in(member, "answer") for member in ours.members]  # reads all of them
    if any(names):
        if isinstance(gold, Formula) and not _names_in(gold):
            return different("an equation in variables for a number")
        return undecided("an equation for an expression")
    exact, doubt = _exact_members(ours.members, ours.signs, terms)
    return doubt or _any_of(gold, exact, terms)


def _exact_members(
    members: Sequence[Shape], signs: Sequence[str], terms: Terms
) -> tuple[Sequence[Shape], Outcome | None]:
    """Return the members that a chain stands for, or why it stands for nothing.

    What = joins must be equal; what ≈ joins must be decimals that one exact side rounds to. A
    chain never stands for its roundings, else `17≈18≈19` would hit three numbers.
    """
    for member in members:
        if isinstance(member, Formula):
            _read("answer", member)
    groups: list[list[Shape]] = [[members[0]]]
    for sign, left, right in zip(signs, members, members[1:], strict=False):
        if sign == "≈":
            groups.append([right])
            continue
        if sign != "=":
            return (), different("a membership for a value")
        outcome = compare_shapes(left, right, terms.any_form)
        if not outcome.is_equal:
            return (), outcome
        groups[-1].append(right)
    for exact in (groups[0], groups[-1]):
        if all(_is_rounding(group[0], exact[0]) for group in groups if group is not exact):
            return exact, None
    return (), different("≈ between numbers of which none is the other, rounded")


def _is_rounding(rounded: Shape, exact: Shape) -> bool:
    """Whether a number that was written out is what an exact value rounds to."""
    if not isinstance(rounded, Formula) or not isinstance(exact, Formula):
        return False
    written = _written(rounded)
    value = _read("answer", exact)
    one_in_degrees = (rounded.suffix == "°") != (exact.suffix == "°")
    if written is None or one_in_degrees or value.free_symbols:
        return False
    decimal, place = written
    if exact.suffix == "%":
        value = _times(value, sympy.Rational(1, 100))
    if rounded.suffix == "%":
        decimal, place = decimal / 100, place / 100
    return rounds_to(value, decimal, place)


def _written(formula: Formula) -> tuple[Fraction, Fraction] | None:
    r"""Return what `-3.14`, `17` or `6\cdot 10^{23}` is, and what its last digit is worth."""
    tokens = formula.tokens[1:] if formula.tokens[0] in "+-" else formula.tokens
    if not tokens or not tokens[0].replace(".", "", 1).isdigit():
        return None
    scale = Fraction(1)
    if len(tokens) > 1:
        power = "".join(tokens[4:]).strip("{}")
        if tokens[1:4] != ("*", "10", "^") or not power.removeprefix("-").isdigit():
            return None
        if len(power) > _LONGEST_EXPONENT:
            return None
        scale = Fraction(10) ** int(power)
    places = len(tokens[0].partition(".")[2])
    value = Fraction(tokens[0]) * scale
    return -value if formula.tokens[0] == "-" else value, scale / 10**places


_LONGEST_EXPONENT: Final = 4


def _any_of(gold: Shape, candidates: Sequence[Shape], terms: Terms) -> Outcome:
    outcomes = [compare_shapes(gold, candidate, terms) for candidate in candidates]
    for outcome in outcomes:
        if outcome.is_equal:
            return outcome
    return outcomes[-1]


# ---------------------------------------------------------------------------------------------
# Relations


def _for_relation(gold: Relation, ours: Shape, terms: Terms) -> Outcome:
    if _ORDER & {*gold.signs}:
        return _for_inequality(gold, ours, terms)
    name, chain = _assignment(gold)
    if chain is not None:
        return _for_assignment(name, chain, ours, terms)
    names, value = gold.members[0], gold.members[-1]
    if isinstance(names, Bracket) and len(gold.members) == 2 and all(map(_name, names.items)):
        if isinstance(ours, Relation) and ours.members[0] == names and len(ours.members) == 2:
            ours = ours.members[-1]
        return compare_shapes(value, ours, terms)
    if "≈" in gold.signs or _is_constant_chain(gold, "reference"):
        return compare_shapes(gold.members[-1], ours, terms)
    if gold.signs == ("=",) and isinstance(ours, Relation) and ours.signs == ("=",):
        return _equations(gold, ours)
    return undecided("an equation and something else")


def _is_constant_chain(relation: Relation, side: str) -> bool:
    members = [member for member in relation.members if isinstance(member, Formula)]
    if len(members) != len(relation.members) or "∈" in relation.signs:
        return False
    return not any(_names_in(member, side) for member in members)


def _for_assignment(name: str, gold: Relation, ours: Shape, terms: Terms) -> Outcome:
    value = gold.members[-1]
    other, chain = _assignment(ours)
    if chain is not None and other == name:
        if terms.given:
            return different("an assignment that stands in the question")
        return _chain_for_value(value, chain, terms) if _name(value) != other else equal("same")
    if not isinstance(ours, Relation) or _is_constant_chain(ours, "answer"):
        return compare_shapes(value, ours, terms)
    if (region := _region(gold)) is not None and (other_region := _region(ours)) is not None:
        return _regions(region, other_region, terms)
    if not isinstance(value, Formula) or set(ours.signs) != {"="}:
        return different("another relation")
    if _names_in(value) and len(ours.members) == 2:
        return _equations(gold, ours)
    return different(f"{name} is not given a value")


def _equations(gold: Relation, ours: Relation) -> Outcome:
    """Two equations are equal up to a constant factor."""
    left, right = _difference(gold), _difference(ours)
    outcome, _ = ratio(left, right)
    if outcome.is_different and not (_is_polynomial(left) and _is_polynomial(right)):
        return undecided("equations that are not proportional")
    return outcome


def _difference(relation: Relation) -> Any:
    if len(relation.members) != 2:
        raise UnreadableError("a chain of equations with variables", gap=True)
    sides = [m for m in relation.members if isinstance(m, Formula) and not m.suffix]
    if len(sides) != 2:
        raise UnreadableError("a relation between other things than formulas", gap=True)
    left, right = (_read("a relation", side) for side in sides)
    return sympy.Add(left, sympy.Mul(-1, right, evaluate=False), evaluate=False)


def _is_polynomial(value: Any) -> bool:
    return bool(value.is_polynomial(*value.free_symbols))


def _for_inequality(gold: Relation, ours: Shape, terms: Terms) -> Outcome:
    region = _region(gold)
    if region is not None:
        other = _region(ours)
        if other is not None:
            return _regions(region, other, terms)
        if isinstance(ours, Relation):
            return different("not in solved form")
        return undecided(f"a {_kind(ours)} for an inequality")
    if len(gold.signs) != 1 or not isinstance(ours, Relation) or len(ours.signs) != 1:
        return undecided("inequalities that cannot be compared")
    if (gold.signs[0] in "≤≥") != (ours.signs[0] in "≤≥") or "=" in ours.signs:
        return different("strict and not strict")
    if "≠" in (*gold.signs, *ours.signs):
        return undecided("inequalities that cannot be compared")
    outcome, sign = ratio(_difference(gold), _difference(ours))
    same_way = (gold.signs[0] in "<≤") == (ours.signs[0] in "<≤")
    if outcome.is_equal and sign != (1 if same_way else -1):
        return different("the other way round")
    return outcome if outcome.is_equal else undecided("inequalities that are not proportional")


# ---------------------------------------------------------------------------------------------
# Regions of the real line


class Piece(NamedTuple):
    """An interval: its ends, and whether they are left out."""

    low: Formula
    low_open: bool
    high: Formula
    high_open: bool


class Region(NamedTuple):
    """Intervals, and the variable that is said to lie in them, if any."""

    variable: str
    pieces: tuple[Piece, ...]


_MINUS_INFINITY: Final = Formula(("-", "\\infty"))
_INFINITY: Final = Formula(("\\infty",))


def _region(item: Shape) -> Region | None:
    """Read a shape as a part of the real line, if it can be one."""
    if isinstance(item, Named):
        everything = (Piece(_MINUS_INFINITY, True, _INFINITY, True),)
        return Region("", everything if item.name == "reals" else ())
    if isinstance(item, Bracket):
        piece = _interval(item)
        return None if piece is None else Region("", (piece,))
    if isinstance(item, Union):
        return _joined([_region(part) for part in item.parts])
    if isinstance(item, Listing) and item.joined_by == {"or"}:
        return _joined([_region(part) for part in item.items])
    if isinstance(item, Listing) and item.kind == "list" and item.joined_by <= {",", "and"}:
        return _in_all([_solved(part) for part in item.items if isinstance(part, Relation)], item)
    if isinstance(item, Listing) and item.kind == "set":
        return _points(item)
    if isinstance(item, Relation):
        return _solved(item)
    return None


def _joined(regions: Sequence[Region | None]) -> Region | None:
    known = [region for region in regions if region is not None]
    names = {region.variable for region in known if region.variable}
    if len(known) != len(regions) or len(names) > 1:
        return None
    return Region("".join(names), tuple(piece for region in known for piece in region.pieces))


def _in_all(regions: Sequence[Region | None], item: Listing) -> Region | None:
    """Read `x > 0, x < 1` as what all parts say; None where nothing satisfies all of them.

    Those who write `x < 0, x > 1` mean either.
    """
    known = [region for region in regions if region is not None]
    names = {region.variable for region in known}
    if len(known) != len(item.items) or len(names) != 1:
        return None
    pieces: list[Piece] = [*known[0].pieces]
    for region in known[1:]:
        try:
            crossed = [_intersection(left, right) for left in pieces for right in region.pieces]
        except _NoOrderError:
            return None
        pieces = [piece for piece in crossed if piece is not None]
    return Region(names.pop(), tuple(pieces)) if pieces else None


class _NoOrderError(Exception):
    """Two ends of which nobody can say which is the larger."""


def _intersection(left: Piece, right: Piece) -> Piece | None:
    """Return where two intervals overlap, None where they do not.

    Raises:
        _NoOrderError: two lower or two upper ends cannot be ordered.
    """
    low = _inner_end((left.low, left.low_open), (right.low, right.low_open), highest=True)
    high = _inner_end((left.high, left.high_open), (right.high, right.high_open), highest=False)
    start, stop = _place(low[0]), _place(high[0])
    if start is None or stop is None or start < stop:
        return Piece(*low, *high)
    return Piece(*low, *high) if start == stop and not (low[1] or high[1]) else None


def _inner_end(
    first: tuple[Formula, bool], second: tuple[Formula, bool], *, highest: bool
) -> tuple[Formula, bool]:
    outermost = _MINUS_INFINITY if highest else _INFINITY
    if first[0] == second[0]:
        return first[0], first[1] or second[1]
    if first[0] == outermost:
        return second
    if second[0] == outermost:
        return first
    one, other = _place(first[0]), _place(second[0])
    if one is None or other is None or one == other:
        raise _NoOrderError
    return first if (one > other) is highest else second


def _interval(item: Bracket) -> Piece | None:
    if len(item.items) != 2:
        return None
    low, high = item.items
    if not isinstance(low, Formula) or not isinstance(high, Formula):
        return None
    return Piece(low, item.left == "(", high, item.right == ")")


def _points(item: Listing) -> Region | None:
    values = [value for value in item.items if isinstance(value, Formula)]
    if len(values) != len(item.items):
        return None
    return Region("", tuple(Piece(value, False, value, False) for value in values))


def _solved(relation: Relation) -> Region | None:
    """Read `x < 2`, `2 > x`, `1 < x ≤ 2`, `x ≠ 3`, `x ∈ (1,2)`; None where x is not alone."""
    members, signs = relation.members, relation.signs
    name = _name(members[0])
    if signs == ("∈",):
        inside = _region(members[1])
        return None if not name or inside is None else Region(name, inside.pieces)
    if not name and len(members) > 1:  # 2 > x, 1 < x ≤ 2
        name = _name(members[1])
    ends = [member for member in members if _name(member) != name]
    if not name or len(ends) != len(members) - 1 or any(_names_in(end) for end in ends):
        return None
    if signs == ("≠",):
        (end,) = ends
        assert isinstance(end, Formula)
        below = Piece(_MINUS_INFINITY, True, end, True)
        return Region(name, (below, Piece(end, True, _INFINITY, True)))
    position = [_name(member) for member in members].index(name)
    low, low_open, high, high_open = _MINUS_INFINITY, True, _INFINITY, True
    for side, end in ((sign_index, end) for sign_index, end in enumerate(ends)):
        sign = signs[side]
        if sign not in "<>≤≥" or not isinstance(end, Formula):
            return None
        stands_left = side < position
        if stands_left == (sign in "<≤"):
            if low is not _MINUS_INFINITY:
                return None
            low, low_open = end, sign in "<>"
        else:
            if high is not _INFINITY:
                return None
            high, high_open = end, sign in "<>"
    return Region(name, (Piece(low, low_open, high, high_open),))


def _for_region(gold: Union | Named, ours: Shape, terms: Terms) -> Outcome:
    region, other = _region(gold), _region(ours)
    if region is None:
        return undecided("a union of other things than intervals")
    if other is None:
        return undecided(f"a {_kind(ours)} for a region")
    return _regions(region, other, terms)


def _regions(gold: Region, ours: Region, terms: Terms) -> Outcome:
    if gold.variable and ours.variable and gold.variable != ours.variable:
        return different(f"{ours.variable} for {gold.variable}")
    if len(gold.pieces) == len(ours.pieces) == 1:
        return _pieces(gold.pieces, ours.pieces, terms)
    left, right = _sorted_pieces(gold.pieces), _sorted_pieces(ours.pieces)
    if left is None or right is None:
        return undecided("a region whose ends cannot be ordered")
    return _pieces(left, right, terms)


def _pieces(gold: Sequence[Piece], ours: Sequence[Piece], terms: Terms) -> Outcome:
    if len(gold) != len(ours):
        return different(f"{len(ours)} intervals for {len(gold)}")
    outcomes = []
    for left, right in zip(gold, ours, strict=True):
        if (left.low_open, left.high_open) != (right.low_open, right.high_open):
            return different("an end that is open for one that is closed")
        outcomes += [
            compare_formulas(left.low, right.low, terms),
            compare_formulas(left.high, right.high, terms),
        ]
    return _all_of(outcomes)


def _sorted_pieces(pieces: Sequence[Piece]) -> list[Piece] | None:
    """Return the pieces from left to right; None if they overlap, touch, or have letters."""
    placed: list[tuple[float, float, Piece]] = []
    for piece in pieces:
        low, high = _place(piece.low), _place(piece.high)
        if low is None or high is None:
            return None
        placed.append((low, high, piece))
    placed.sort(key=lambda item: item[:2])
    for (_, end, before), (start, _, after) in pairwise(placed):
        touching = end == start and not (before.high_open and after.low_open)
        if end > start or touching:
            return None
    return [piece for _, _, piece in placed]


def _place(end: Formula) -> float | None:
    value = _read("an end", end)
    if value in (sympy.oo, -sympy.oo):
        return float("inf") if value == sympy.oo else float("-inf")
    if value.free_symbols or end.suffix:
        return None
    with suppress(NoValueError, OverflowError):
        return midpoint(enclose(value, {}, bits=256))
    return None


# ---------------------------------------------------------------------------------------------
# Several values


def _for_listing(gold: Listing, ours: Shape, terms: Terms) -> Outcome:
    region, other = _region(gold), _region(ours)
    is_regional = gold.kind == "list" and region is not None
    if region is not None and other is not None and (is_regional or isinstance(ours, Named)):
        return _regions(region, other, terms)
    if (system := _system(gold)) is not None:
        return _for_system(system, ours, terms)
    name, items = _values(gold)
    if any(map(_is_long_chain, ours.items if isinstance(ours, Listing) else (ours,))):
        return undecided("a chain of equations among several values")
    other_name, other_items = _values(ours)
    if name and other_name and name != other_name:
        return different(f"{other_name} is given values, not {name}")
    if isinstance(ours, Bracket):
        if gold.kind == "set":
            return different("a tuple for a set")
        return _in_order(items, other_items, terms)
    if isinstance(ours, Union | Matrix | Named):
        return undecided(f"a {_kind(ours)} for a {gold.kind}")
    if any(isinstance(item, Relation) for item in items) and not _same_relations(
        items, other_items, terms
    ):
        return undecided("several relations that do not pair off")
    as_sets = gold.kind == "set" or (isinstance(ours, Listing) and ours.kind == "set")
    return _matched(items, other_items, terms, as_sets=as_sets)


def _is_long_chain(item: Shape) -> bool:
    """Whether it is `x = 5 = 1`, of which one end only would be looked at."""
    return _assignment(item)[1] is not None and len(getattr(item, "signs", ())) > 1


def _same_relations(gold: Sequence[Shape], ours: Sequence[Shape], terms: Terms) -> bool:
    return _matched(gold, ours, terms, as_sets=False).is_equal


def _values(item: Shape) -> tuple[str, tuple[Shape, ...]]:
    """Return the values that a list, an assignment of one, or a single value stands for.

    `x=1,3`, `x=1 or x=3` and `x=\\pm 2` give values to x.
    """
    if isinstance(item, Bracket):
        return "", item.items
    if isinstance(item, Relation):
        name, chain = _assignment(item)
        if chain is not None:
            return name, _values(chain.members[-1])[1]
        return "", (item,)
    if not isinstance(item, Listing):
        return "", (item,)
    names: set[str] = set()
    values: list[Shape] = []
    for index, part in enumerate(item.items):
        name, chain = _assignment(part)
        if chain is not None:
            names.add(name)
            values += _values(chain.members[-1])[1]
        elif index and isinstance(part, Relation):
            return "", item.items
        else:
            values.append(part)
    if len(names) != 1 or _assignment(item.items[0])[1] is None:
        return "", item.items
    return names.pop(), tuple(values)


def _system(item: Shape) -> dict[str, Shape] | None:
    """Return name -> value for `x=1, y=2`, or None."""
    if not isinstance(item, Listing) or "or" in item.joined_by:
        return None
    found: dict[str, Shape] = {}
    for part in item.items:
        name, chain = _assignment(part)
        if chain is None or len(chain.members) != 2 or name in found:
            return None
        found[name] = chain.members[1]
    return found if len(found) > 1 else None


def _for_system(gold: dict[str, Shape], ours: Shape, terms: Terms) -> Outcome:
    """Compare `x=1, y=2` by name; a tuple is taken in alphabetical order of the names."""
    other = _system(ours)
    if other is not None:
        if other.keys() != gold.keys():
            return different("other names are given values")
        return _all_of([compare_shapes(gold[name], other[name], terms) for name in gold])
    if isinstance(ours, Bracket) and ours.left == "(" and ours.right == ")":
        return _in_order([gold[name] for name in sorted(gold)], ours.items, terms)
    return undecided(f"a {_kind(ours)} for several assignments")


def _matched(
    gold: Sequence[Shape], ours: Sequence[Shape], terms: Terms, *, as_sets: bool
) -> Outcome:
    """Pair the items off, in any order; sets may repeat an item."""
    if len(gold) != len(ours) and not as_sets:
        return different(f"{len(ours)} items for {len(gold)}")
    if max(len(gold), len(ours)) > MAX_ITEMS:
        return undecided(f"more than {MAX_ITEMS} items")
    table = [[compare_shapes(g, o, terms) for o in ours] for g in gold]
    if as_sets:
        rows = [*table, *([row[i] for row in table] for i in range(len(ours)))]
        return _all_of([_best(row) for row in rows])
    if _pairs_off(table, lambda outcome: outcome.is_equal):
        return equal("all items agree")
    if _pairs_off(table, lambda outcome: not outcome.is_different):
        doubts = [outcome for row in table for outcome in row]
        return _first(doubts, Status.UNDECIDED) or undecided("items that cannot be paired")
    return different("an item that the other side does not have")


def _best(row: Sequence[Outcome]) -> Outcome:
    """Return EQUAL if one is, else an UNDECIDED, else a DIFFERENT."""
    found = _first(row, Status.EQUAL, Status.UNDECIDED, Status.DIFFERENT)
    return found or different("one side is empty")


def _pairs_off(table: Sequence[Sequence[Outcome]], fits: Callable[[Outcome], bool]) -> bool:
    """Whether rows and columns can be paired so that every pair fits (augmenting paths)."""
    owner: dict[int, int] = {}

    def place(row: int, seen: set[int]) -> bool:
        for column, outcome in enumerate(table[row]):
            if fits(outcome) and column not in seen:
                seen.add(column)
                if column not in owner or place(owner[column], seen):
                    owner[column] = row
                    return True
        return False

    return all(place(row, set()) for row in range(len(table)))


_ORDER: Final = frozenset("<>≤≥≠")


def _for_bracket(gold: Bracket, ours: Shape, terms: Terms) -> Outcome:
    """Compare with a tuple or an interval, whichever the answer makes of the reference."""
    _, chain = _assignment(ours)
    if chain is not None:
        if terms.given:
            return different("an assignment that stands in the question")
        exact, doubt = _exact_members(chain.members[1:], chain.signs[1:], terms)
        return doubt or compare_shapes(gold, exact[-1], terms)
    is_round = (gold.left, gold.right) == ("(", ")")
    if isinstance(ours, Bracket):
        if len(gold.items) == 2 and (gold.left, gold.right) != (ours.left, ours.right):
            return different("other brackets")
        return _in_order(gold.items, ours.items, terms)
    if isinstance(ours, Relation) and len(ours.signs) == 1 and ours.signs == ("=",):
        return _named_point(gold, ours, terms)
    region, other = _region(gold), _region(ours)
    is_region = isinstance(ours, Relation | Union | Named) or (
        isinstance(ours, Listing) and ours.kind == "list" and other is not None
    )
    if is_region and region is not None:
        if other is None:
            return undecided("a relation that is not solved, for an interval")
        return _regions(region, other, terms)
    if not is_round:
        return undecided(f"a {_kind(ours)} for square brackets")
    if (system := _system(ours)) is not None:
        return _in_order(gold.items, [system[key] for key in sorted(system)], terms)
    if isinstance(ours, Listing):
        if any(isinstance(item, Relation) and {*item.signs} & _ORDER for item in ours.items):
            return undecided("inequalities for an interval")
        return (
            different("a set for a tuple")
            if ours.kind == "set"
            else _in_order(gold.items, ours.items, terms)
        )
    if isinstance(ours, Matrix) and all(len(row) == 1 for row in ours.rows):
        return _in_order(gold.items, [row[0] for row in ours.rows], terms)
    if isinstance(ours, Formula):
        return different("one value for a tuple")
    return undecided(f"a {_kind(ours)} for a tuple")


def _named_point(gold: Bracket, ours: Relation, terms: Terms) -> Outcome:
    """`(x, y) = (1, 2)` stands for (1, 2)."""
    names, value = ours.members
    if isinstance(names, Bracket) and all(_name(item) for item in names.items):
        return compare_shapes(gold, value, terms)
    return undecided("an equation for a tuple")


def _for_matrix(gold: Matrix, ours: Shape, terms: Terms) -> Outcome:
    _, chain = _assignment(ours)
    if chain is not None:
        exact, doubt = _exact_members(chain.members[1:], chain.signs[1:], terms)
        return doubt or compare_shapes(gold, exact[-1], terms)
    if isinstance(ours, Bracket) and all(len(row) == 1 for row in gold.rows):
        return _in_order([row[0] for row in gold.rows], ours.items, terms)
    if not isinstance(ours, Matrix):
        return undecided(f"a {_kind(ours)} for a matrix")
    if [len(row) for row in gold.rows] != [len(row) for row in ours.rows]:
        return different("a matrix of another shape")
    return _all_of(
        [_in_order(left, right, terms) for left, right in zip(gold.rows, ours.rows, strict=True)]
    )


_BY_KIND: Final[dict[type, Callable[[Any, Any, Terms], Outcome]]] = {
    Formula: _for_formula,
    Relation: _for_relation,
    Listing: _for_listing,
    Bracket: _for_bracket,
    Union: _for_region,
    Named: _for_region,
    Matrix: _for_matrix,
}
