r"""Tier 4, as the worker computes it: settle what stands, then compare; or prove a difference 0.

A reference may be a sum, an integral, a limit or a derivative left standing. SymPy works it out, a
second method checks the value (quadrature, summation, an approach to the limit), and the closed
form goes back to the comparisons of trees, which decide by proof. What they cannot settle is EQUAL
only if SymPy proves that the difference vanishes and no value contradicts it. SymPy's word alone
never makes two answers DIFFERENT.
"""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from typing import Any, Final, NamedTuple

import sympy

from rlrewards.verify.comparisons import compare_nodes
from rlrewards.verify.conventions import Conventions
from rlrewards.verify.decision import Decision, Terms, different, equal, undecided
from rlrewards.verify.latex_fallback import disarm, has_standing_command, read_latex
from rlrewards.verify.parse import parse
from rlrewards.verify.symbolic import Budget
from rlrewards.verify.sympy_trees import UnclearError, UnfitError, from_sympy, to_sympy
from rlrewards.verify.tree import (
    Call,
    Expression,
    Node,
    Standing,
    Symbol,
    Unparsed,
    symbols_of,
    walk,
)
from rlrewards.verify.verdict import Status, Tier

CHECK_DIGITS: Final = 15
PROOF_DIGITS: Final = 40
NEAR_DIGITS: Final = 60
INTEGRATION_CONSTANTS: Final = frozenset({"C", "K", "c"})

# What SymPy raises where it was never taught to, or gives up.
_GIVES_UP: Final = (
    UnfitError, ArithmeticError, AttributeError, IndexError, KeyError, NotImplementedError,
    TypeError, ValueError, sympy.SympifyError,
)  # fmt: skip


class _Terms(NamedTuple):
    form: str
    log_base: str


def warm_up() -> None:
    """Do once what makes the first comparison slow, and what makes all of them safe."""
    disarm()
    compare(r"\frac{x^2}{2}", r"\int_0^x t\,dt")


def compare(
    answer: str,
    reference: str,
    *,
    form: str = "numeral",
    log_base: str = "10",
    given: bool = False,
) -> dict[str, Any]:
    """Return {"status": …, "why": reason}: what the worker replies; see `prove`."""
    del given  # assignments are the comparisons' business
    return prove(answer, reference, form=form, log_base=log_base)


def prove(
    answer: str, reference: str, *, form: str = "numeral", log_base: str = "10"
) -> dict[str, Any]:
    r"""Compare two answers by proof: EQUAL, DIFFERENT or UNDECIDED, and why.

    Args:
        answer: The candidate.
        reference: The gold answer.
        form: "numeral": nothing may be left standing in the answer unless something stands in the
            reference. "any": everything may.
        log_base: What a bare `\log` means where the reference is a number.
    """
    ours, gold = parse(answer), parse(reference)
    if isinstance(ours, Unparsed) or isinstance(gold, Unparsed):
        return _reply(_by_latex(answer, reference, log_base))
    try:
        decision = _decide(ours, gold, _Terms(form, log_base))
    except UnclearError:
        decision = _by_latex(answer, reference, log_base)
    except _GIVES_UP as error:
        decision = _open(str(error)[:200] or type(error).__name__)
    return _reply(decision)


def _reply(decision: Decision) -> dict[str, Any]:
    return {"status": decision.status.value, "why": decision.why}


def _open(why: str) -> Decision:
    return undecided(Tier.SYMBOLIC, why)


def _decide(ours: Node, gold: Node, terms: _Terms) -> Decision:
    if ours == gold:
        return equal(Tier.SYMBOLIC, "the same expression")
    if terms.form == "numeral" and stands(ours) and not stands(gold):
        return different(Tier.SYMBOLIC, "form: a computation is left standing")
    if is_antiderivative(gold):
        return _compare_antiderivative(ours, gold, terms.log_base)
    bases = _log_bases(ours, gold, terms.log_base)
    decisions = [_with_base(ours, gold, terms._replace(log_base=base)) for base in bases]
    if len({decision.status for decision in decisions}) > 1:
        return _open("it depends on the base of the logarithm")
    return decisions[0]


def _log_bases(ours: Node, gold: Node, log_base: str) -> tuple[str, ...]:
    r"""Bases that a bare `\log` may have: both, where a reference with variables leaves it open."""
    bare = any(
        isinstance(node, Call) and node.name == "log" and len(node.arguments) == 1
        for side in (ours, gold)
        for node in walk(side)
    )
    return ("10", "e") if bare and _free_symbols(gold) else (log_base,)


def _with_base(ours: Node, gold: Node, terms: _Terms) -> Decision:
    settled_ours, settled_gold = (_settle(side, terms.log_base) for side in (ours, gold))
    form = "any" if stands(gold) else terms.form
    conventions = Conventions(form=form, log_base=terms.log_base)  # type: ignore[arg-type]
    context = Terms(Budget(0.0), conventions)
    decision = compare_nodes(settled_ours, settled_gold, context)
    if decision.status is not Status.UNDECIDED:
        return Decision(decision.status, Tier.SYMBOLIC, decision.why)
    both = isinstance(ours, Expression) and isinstance(gold, Expression)
    if not both or "not defined" in decision.why or _free_symbols(ours) != _free_symbols(gold):
        return decision
    return _difference(to_sympy(ours, terms.log_base), to_sympy(gold, terms.log_base))


def stands(node: Node) -> bool:
    """Whether a sum, product, integral, limit or derivative is left standing in a tree."""
    return any(isinstance(item, Standing) for item in walk(node))


def _free_symbols(node: Node) -> frozenset[str]:
    """Return the variables of a tree but those that are summed or integrated over."""
    bound = {
        item.variable.name
        for item in walk(node)
        if isinstance(item, Standing) and item.kind != "derivative"
        if isinstance(item.variable, Symbol)
    }
    return symbols_of(node) - bound


# ---------------------------------------------------------------------------------------------
# Settling what stands


def _settle(node: Node, log_base: str) -> Node:
    """Return a tree with every expression in which something stands worked out.

    Raises:
        UnfitError: SymPy finds no closed form, or a second method does not confirm it.
    """
    if not stands(node):
        return node
    if isinstance(node, Standing):
        return from_sympy(_closed_form(to_sympy(node, log_base)))
    changes = {item.name: _settled(getattr(node, item.name), log_base) for item in fields(node)}
    return replace(node, **changes)


def _settled(value: Any, log_base: str) -> Any:
    if isinstance(value, tuple):
        return tuple(_settled(item, log_base) for item in value)
    return _settle(value, log_base) if is_dataclass(value) and isinstance(value, Node) else value


def _closed_form(standing: Any) -> Any:
    closed = standing.doit()
    if closed.has(*_STANDING, sympy.nan, sympy.zoo, sympy.Piecewise):
        raise UnfitError("no closed form was found")
    if not _is_confirmed(standing, closed):
        raise UnfitError("no second method confirms the closed form")
    return closed


_STANDING: Final = (
    sympy.Integral, sympy.Sum, sympy.Product, sympy.Limit, sympy.Derivative,
)  # fmt: skip


def _is_confirmed(standing: Any, closed: Any) -> bool:
    """Whether the value agrees with one found by another method, for two sets of parameters."""
    if isinstance(standing, sympy.Derivative):
        return True
    names = sorted(closed.free_symbols | standing.free_symbols, key=str)
    for shift in (2, 5):
        point = {name: sympy.Integer(shift + place) for place, name in enumerate(names)}
        value = _value(closed.subs(point))
        other = _second_value(standing.subs(point))
        if value is None or other is None or abs(value - other) > 1e-7 * (1 + abs(value)):
            return value in (sympy.oo, -sympy.oo) and value == other
        if not names:
            break
    return True


def _value(expression: Any) -> Any:
    number = expression.evalf(CHECK_DIGITS)
    return number if number.is_number and not number.has(sympy.nan, sympy.zoo) else None


def _second_value(standing: Any) -> Any:
    """Return the value of what stands without its closed form: summed, integrated, approached."""
    if isinstance(standing, sympy.Limit):
        return _approached(*standing.args)
    if isinstance(standing, sympy.Sum | sympy.Product):
        variable, low, high = standing.limits[0]
        if low.is_Integer and high.is_Integer and high - low <= 200:
            terms = [standing.function.subs(variable, k) for k in range(int(low), int(high) + 1)]
            joined = sympy.Add if isinstance(standing, sympy.Sum) else sympy.Mul
            return _value(joined(*terms))
    return _value(standing)


def _approached(body: Any, variable: Any, point: Any, side: Any) -> Any:
    """Return the value very near to the point, on each side that counts."""
    sign = {"+": (1,), "-": (-1,)}.get(str(side), (1, -1))
    found = []
    for direction in sign if abs(point) != sympy.oo else (1,):
        # Floats of many digits: an exact (1 + 10⁻⁹)^(10⁹) would be written out.
        if abs(point) == sympy.oo:
            near = sympy.sign(point) * sympy.Float(10, NEAR_DIGITS) ** 9
        else:
            near = (point + direction * sympy.Float(10, NEAR_DIGITS) ** -9).evalf(NEAR_DIGITS)
        found.append(body.subs(variable, near).evalf(CHECK_DIGITS, maxn=400))
    if any(not value.is_number or value.has(sympy.nan, sympy.zoo) for value in found):
        return None
    if len(found) == 2 and abs(found[0] - found[1]) > 1e-6 * (1 + abs(found[0])):
        return None
    return found[0]


# ---------------------------------------------------------------------------------------------
# Antiderivatives, and differences that vanish


def is_antiderivative(node: Node) -> bool:
    """Whether a tree is an integral without bounds, or one with a constant of integration."""
    return isinstance(node, Standing) and node.kind == "integral" and node.lower is node.upper


def _compare_antiderivative(ours: Node, gold: Node, log_base: str) -> Decision:
    """Compare F + C with ∫ f dx: the derivative must be f, and a constant must be there."""
    if not (isinstance(gold, Standing) and isinstance(gold.variable, Symbol)) or stands(ours):
        return _open("an integral without bounds")
    if not (symbols_of(ours) - symbols_of(gold)) & INTEGRATION_CONSTANTS:
        return _open("the constant of integration is missing")
    variable = sympy.Symbol(gold.variable.name, real=True)
    derivative = sympy.diff(to_sympy(ours, log_base), variable)
    return _difference(derivative, to_sympy(gold.body, log_base))


def _difference(ours: Any, gold: Any) -> Decision:
    """EQUAL if SymPy proves that the difference vanishes and no value speaks against it."""
    difference = (ours - gold).doit()
    for simplify in (_as_it_is, sympy.expand, sympy.trigsimp, sympy.simplify):
        with suppress(*_GIVES_UP):
            if simplify(difference) == 0:
                agrees = _vanishes_at_points(ours, gold)
                return (
                    equal(Tier.SYMBOLIC, "SymPy proves that the difference is 0")
                    if agrees
                    else _open("a value speaks against SymPy's proof")
                )
    return _open("SymPy finds no proof")


def _as_it_is(difference: Any) -> Any:
    return difference


def _vanishes_at_points(ours: Any, gold: Any) -> bool:
    """Whether both sides are the same at points of both signs; unknown functions are variables."""
    unknown = (ours - gold).atoms(sympy.core.function.AppliedUndef)
    stand_ins = {function: sympy.Dummy(real=True) for function in unknown}
    ours, gold = ours.xreplace(stand_ins), gold.xreplace(stand_ins)
    chance = random.Random(7)
    for sign in (1, -1, 1, -1):
        names = sorted(ours.free_symbols | gold.free_symbols, key=str)
        point = {name: sign * sympy.Rational(chance.randint(20, 90), 17) for name in names}
        pair = [side.subs(point).evalf(PROOF_DIGITS, maxn=400) for side in (ours, gold)]
        if not all(value.is_number for value in pair):
            return False
        if any(value.has(sympy.nan, sympy.zoo) for value in pair):
            if pair[0] != pair[1]:
                return False
        elif abs(pair[0] - pair[1]) > sympy.Float(10) ** -20 * (1 + abs(pair[1])):
            return False
    return True


# ---------------------------------------------------------------------------------------------
# Notation that our own parser does not know


def _by_latex(answer: str, reference: str, log_base: str) -> Decision:
    """Compare a reference as latex2sympy2-extended reads it: EQUAL by proof, or nothing.

    The answer is read by our own parser wherever that knows it.
    """
    if not has_standing_command(reference):
        return _open("not read")
    tree, gold = parse(answer), read_latex(reference)
    if gold is None or isinstance(tree, Unparsed) or stands(tree):
        return _open("not read")
    try:
        ours, closed = to_sympy(tree, log_base), gold.doit()
        if closed.has(*_STANDING) or not _is_confirmed_part_by_part(gold):
            return _open("no closed form was found")
        if ours.free_symbols != closed.free_symbols:
            return _open("in other variables")
        return _difference(ours, closed)
    except _GIVES_UP as error:
        return _open(str(error)[:200] or type(error).__name__)


def _is_confirmed_part_by_part(expression: Any) -> bool:
    parts = [part for kind in _STANDING for part in expression.atoms(kind)]
    return all(_is_confirmed(part, part.doit()) for part in parts)
