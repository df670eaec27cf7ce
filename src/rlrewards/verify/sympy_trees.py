r"""Trees to SymPy expressions and back: what tier 4 computes with. Only the worker imports this.

`to_sympy` keeps what is left standing (sums, integrals, limits, derivatives) as SymPy's own
unevaluated objects; `from_sympy` turns a closed form back into a tree, so that the comparisons of
trees can judge it. No text ever reaches SymPy's reader of strings: names become symbols, numbers
integers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import sympy
from flint import fmpq

from rlrewards.verify.enclose import size_bits
from rlrewards.verify.rationals import rational
from rlrewards.verify.tree import (
    INFINITY,
    PI,
    Apply,
    Based,
    Call,
    Constant,
    E,
    I,
    Matrix,
    Negative,
    Node,
    Number,
    Percent,
    Power,
    Product,
    Quotient,
    Root,
    Standing,
    Sum,
    Symbol,
    symbols_of,
    walk,
)

MAX_NODES: Final = 400
MAX_BITS: Final = 20_000
"""Largest number that is ever written out."""
MAX_EXPANDED_POWER: Final = 40
MAX_DETERMINANT: Final = 6

Names = dict[str, Any]


class UnfitError(Exception):
    """The tree has no SymPy expression, or the expression no tree; or it is too large."""


class UnclearError(UnfitError):
    """Our parser did not find out what is summed or integrated over; another one may."""


def to_sympy(node: Node, log_base: str = "10") -> Any:
    r"""Return the SymPy expression of a tree, over real variables.

    Args:
        node: An expression.
        log_base: What a bare `\log` means, "10" or "e".

    Raises:
        UnfitError: there is none, or a power in it is too large to be written out.
    """
    require_moderate(node)
    return _Writer(log_base).write(node, {})


def require_moderate(node: Node) -> None:
    """Raise `UnfitError` where a power, a factorial or an expansion would be out of reach."""
    nodes = [*walk(node)]
    if len(nodes) > MAX_NODES:
        raise UnfitError("too large")
    for part in nodes:
        if isinstance(part, Power) and not _is_soon_expanded(part):
            raise UnfitError("a power too large to be expanded")
    if size_bits(node, dict.fromkeys(symbols_of(node), fmpq(2))) > MAX_BITS:
        raise UnfitError("too large to be written out")


def _is_soon_expanded(power: Power) -> bool:
    if not isinstance(power.base, Sum) or symbols_of(power.exponent) or not symbols_of(power.base):
        return True
    exponent = rational(power.exponent)
    return exponent is not None and abs(exponent) <= MAX_EXPANDED_POWER


_CONSTANTS: Final = {"pi": sympy.pi, "e": sympy.E, "i": sympy.I, "infinity": sympy.oo}


class _Writer:
    """Writes trees as SymPy expressions; `names` holds the index variables in scope."""

    def __init__(self, log_base: str) -> None:
        self.log_base = log_base

    def write(self, node: Node, names: Names) -> Any:
        rule = _RULES.get(type(node))
        if rule is None:
            raise UnfitError(f"a {type(node).__name__.lower()}")
        return rule(self, node, names)

    def all(self, nodes: tuple[Node, ...], names: Names) -> list[Any]:
        return [self.write(node, names) for node in nodes]

    def number(self, node: Number, names: Names) -> Any:
        return sympy.Rational(int(node.value.p), int(node.value.q))

    def constant(self, node: Constant, names: Names) -> Any:
        return _CONSTANTS[node.name]

    def symbol(self, node: Symbol, names: Names) -> Any:
        return names.get(node.name) or sympy.Symbol(node.name, real=True)

    def based(self, node: Based, names: Names) -> Any:
        if not 2 <= node.base <= 36 or not node.digits.isalnum():
            raise UnfitError("a number in an odd base")
        return sympy.Integer(int(node.digits, node.base))

    def negative(self, node: Negative, names: Names) -> Any:
        return -self.write(node.operand, names)

    def sum(self, node: Sum, names: Names) -> Any:
        return sympy.Add(*self.all(node.terms, names))

    def product(self, node: Product, names: Names) -> Any:
        return sympy.Mul(*self.all(node.factors, names))

    def quotient(self, node: Quotient, names: Names) -> Any:
        under = self.write(node.under, names)
        if under.is_zero:
            raise UnfitError("a division by 0")
        return self.write(node.over, names) / under

    def percent(self, node: Percent, names: Names) -> Any:
        return self.write(node.operand, names) / 100

    def power(self, node: Power, names: Names) -> Any:
        return _power(self.write(node.base, names), self.write(node.exponent, names))

    def root(self, node: Root, names: Names) -> Any:
        degree = self.write(node.degree, names)
        if degree.is_zero:
            raise UnfitError("a root of degree 0")
        return _power(self.write(node.radicand, names), 1 / degree)

    def call(self, node: Call, names: Names) -> Any:
        if node.name == "det":
            return self.determinant(node, names)
        if node.name == "log" and len(node.arguments) == 1:
            value = sympy.log(self.write(node.arguments[0], names))
            return value / sympy.log(10) if self.log_base == "10" else value
        function = _FUNCTIONS.get(node.name)
        if function is None:
            raise UnfitError(f"the function {node.name}")
        return function(*self.all(node.arguments, names))

    def determinant(self, node: Call, names: Names) -> Any:
        (matrix,) = node.arguments
        if not isinstance(matrix, Matrix) or len(matrix.rows) > MAX_DETERMINANT:
            raise UnfitError("a determinant")
        if any(len(row) != len(matrix.rows) for row in matrix.rows):
            raise UnfitError("a determinant that is not square")
        return sympy.Matrix([self.all(row, names) for row in matrix.rows]).det()

    def apply(self, node: Apply, names: Names) -> Any:
        return sympy.Function(node.name)(*self.all(node.arguments, names))

    def standing(self, node: Standing, names: Names) -> Any:
        if not isinstance(node.variable, Symbol):
            raise UnclearError(f"the variable of the {node.kind} is not clear")
        if node.kind == "derivative" and node.variable.name not in symbols_of(node.body):
            raise UnclearError(f"the variable of the {node.kind} is not clear")
        name = node.variable.name
        require_independent(node.body, name)
        is_index = node.kind in ("sum", "product")
        variable = sympy.Symbol(name, integer=True) if is_index else sympy.Symbol(name, real=True)
        body = self.write(node.body, {**names, name: variable})
        bounds = [self.write(bound, names) for bound in (node.lower, node.upper) if bound]
        if node.kind == "derivative" and not bounds:
            return sympy.Derivative(body, (variable, _order(node.marks)))
        if node.kind == "limit" and len(bounds) == 1:
            return sympy.Limit(body, variable, bounds[0], _SIDES.get(node.marks, "+-"))
        if node.kind in _RANGES and len(bounds) == 2:
            return _RANGES[node.kind](body, (variable, *bounds))
        raise UnfitError(f"a {node.kind} without its bounds")


def require_independent(body: Node, name: str) -> None:
    """Raise `UnfitError` where a subscript holds the bound variable: x_i is another for each i."""
    for item in walk(body):
        if isinstance(item, Symbol | Apply) and name in item.name.partition("_")[2]:
            raise UnfitError(f"{item.name} depends on {name}")


_SIDES: Final = {"+": "+", "-": "-", "^+": "+", "^-": "-"}
_RANGES: Final = {"integral": sympy.Integral, "sum": sympy.Sum, "product": sympy.Product}


def _order(marks: str) -> int:
    if not marks:
        return 1
    if not marks.isdigit() or len(marks) > 1 or marks == "0":
        raise UnfitError("a derivative of that order")
    return int(marks)


def _power(base: Any, exponent: Any) -> Any:
    """Return base^exponent; roots of odd degree of negative numbers are the real ones."""
    is_odd_root = exponent.is_Rational and exponent.q % 2 == 1 and exponent.q > 1
    if is_odd_root and not base.is_nonnegative:
        if not base.is_real:
            raise UnfitError("a root that may be meant as real or as complex")
        return sympy.sign(base) ** (exponent.p % 2) * sympy.Abs(base) ** exponent
    if base.is_zero and exponent.is_zero:
        raise UnfitError("0 to the 0")
    power = base**exponent
    if power.has(sympy.zoo, sympy.nan):
        raise UnfitError("a power of 0")
    return power


def _logarithm(value: Any, base: Any) -> Any:
    return sympy.log(value) / sympy.log(base)


_FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    **{name: getattr(sympy, name) for name in
       "sin cos tan cot sec csc sinh cosh tanh coth sech csch exp factorial binomial gcd lcm"
       " re im arg".split()},
    **{f"arc{name}": getattr(sympy, f"a{name}") for name in
       "sin cos tan cot sec csc sinh cosh tanh".split()},
    "ln": sympy.log, "log": _logarithm, "abs": sympy.Abs, "floor": sympy.floor,
    "ceil": sympy.ceiling, "max": sympy.Max, "min": sympy.Min, "conj": sympy.conjugate,
    "sgn": sympy.sign, "mod": sympy.Mod, "double_factorial": sympy.factorial2,
    "permutations": sympy.ff,
}  # fmt: skip

_RULES: Final[dict[type[Node], Callable[[_Writer, Any, Names], Any]]] = {
    Number: _Writer.number,
    Constant: _Writer.constant,
    Symbol: _Writer.symbol,
    Based: _Writer.based,
    Negative: _Writer.negative,
    Sum: _Writer.sum,
    Product: _Writer.product,
    Quotient: _Writer.quotient,
    Percent: _Writer.percent,
    Power: _Writer.power,
    Root: _Writer.root,
    Call: _Writer.call,
    Apply: _Writer.apply,
    Standing: _Writer.standing,
}


# ---------------------------------------------------------------------------------------------
# And back


def from_sympy(expression: Any) -> Node:
    """Return the tree of a closed form.

    Raises:
        UnfitError: it is none: something stands, or a function is not one that trees have.
    """
    if expression in (sympy.oo, -sympy.oo):
        return INFINITY if expression == sympy.oo else Negative(INFINITY)
    if expression.is_Rational:
        return Number(fmpq(int(expression.p), int(expression.q)))
    if expression in _NAMED:
        return _NAMED[expression]
    if expression.is_Symbol:
        return Symbol(expression.name)
    arguments = tuple(from_sympy(argument) for argument in expression.args)
    if expression.is_Add:
        return Sum(arguments)
    if expression.is_Mul:
        return Product(arguments)
    if expression.is_Pow:
        return Power(*arguments)
    if isinstance(expression, sympy.core.function.AppliedUndef):
        return Apply(expression.func.__name__, arguments)
    name = _CALLS.get(expression.func)
    if name is None:
        raise UnfitError(f"SymPy's {expression.func.__name__}")
    return Call(name, arguments)


_NAMED: Final[dict[Any, Constant]] = {sympy.pi: PI, sympy.E: E, sympy.I: I}
_CALLS: Final = {
    function: name for name, function in _FUNCTIONS.items() if isinstance(function, type)
} | {sympy.log: "ln"}
