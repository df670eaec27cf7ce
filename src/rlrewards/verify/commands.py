r"""What a command stands for: fractions, roots, functions, decorated letters, sums and integrals.

`COMMANDS` maps the name of a command, without its backslash, to the function that reads what
follows it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from rlrewards.verify import digits
from rlrewards.verify.tree import (
    FUNCTIONS,
    INFINITY,
    PI,
    Apply,
    Call,
    Named,
    Negative,
    Node,
    Number,
    Power,
    Product,
    Quotient,
    Relation,
    Root,
    Standing,
    Symbol,
)

if TYPE_CHECKING:
    from rlrewards.verify.grammar import Parser

Handler: TypeAlias = "Callable[[Parser], Node]"

GREEK: Final = frozenset(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau "
    "upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Sigma Upsilon Phi Psi Omega ell varrho "
    "varsigma hbar".split()
)
_BARE: Final = frozenset(
    "sin cos tan cot sec csc arcsin arccos arctan arccot arcsec arccsc sinh cosh tanh coth sech "
    "csch arcsinh arccosh arctanh exp ln log lg det arg sgn".split()
)
"""Functions that may stand without brackets around their argument."""
_INVERTIBLE: Final = "sin cos tan cot sinh cosh tanh".split()
_LISTED: Final = frozenset("gcd lcm max min".split())
_RENAMED: Final = {"lg": "log", "sign": "sgn", "Re": "re", "Im": "im", "GCD": "gcd", "LCM": "lcm",
                   "ceiling": "ceil", "conjugate": "conj",
                   **{f"a{name}": f"arc{name}" for name in _INVERTIBLE}}  # fmt: skip
_NAMES: Final = (
    _BARE
    | _LISTED
    | frozenset("re im conj sign Re Im GCD LCM floor ceil ceiling conjugate".split())
    | frozenset(f"a{name}" for name in _INVERTIBLE)
)
_INVERSE: Final = {name: f"arc{name}" for name in "sin cos tan cot sec csc sinh cosh tanh".split()}


KNOWN: Final = frozenset(
    """
    subsetneq supset supseteq ni forall exists nexists neg gets leftarrow mapsto impliedby propto
    nmid ll gg inf sup limsup liminf argmax argmin dim ker rank tr trace deg hom Pr circ star
    oplus otimes ominus top bot brace atop vdots ddots therefore because aleph imath jmath erf wp
    partial nabla iint iiint oint stackrel overset substack mathbb mathcal text mathrm not
    """.split()
)
"""Commands of well-formed mathematics that is not read here."""


def is_function(name: str) -> bool:
    """Whether this is the name of a known function."""
    return name in _NAMES


# ---------------------------------------------------------------------------------------------
# Functions


def apply_function(parser: Parser, name: str) -> Node:
    r"""Read the powers, the base and the argument of a function.

    In brackets, the argument is what they hold; without, the factors up to the next sign, dot or
    function: `\sin 2x \cos x` is (sin 2x)(cos x).
    """
    name = _RENAMED.get(name, name)
    base = _TEN if name == "lg" else None
    power: Node | None = None
    while parser.is_next("^", "_"):
        if parser.take().text == "_":
            if base is not None or name not in ("log", "max", "min"):
                parser.fail(f"no subscript of {name}", known=True)
            base = parser.argument()
        else:
            if power is not None:
                parser.fail(f"one power of {name}")
            power = _signed_argument(parser)
    if power is not None and _is_minus_one(power):
        if name not in _INVERSE:
            parser.fail(f"no power -1 of {name}", known=True)
        name, power = _INVERSE[name], None
    arguments = _arguments(parser, name)
    if base is not None and name == "log":
        arguments = (*arguments, base)
    called = Call(name, arguments)
    return called if power is None else Power(called, power)


_TEN: Final = None


def _signed_argument(parser: Parser) -> Node:
    return Negative(parser.argument()) if parser.skip("-") else parser.argument()


def _is_minus_one(node: Node) -> bool:
    return (
        isinstance(node, Negative) and isinstance(node.operand, Number) and node.operand.value == 1
    )


def _arguments(parser: Parser, name: str) -> tuple[Node, ...]:
    if name in _LISTED or (name not in _BARE):
        return _bracketed_arguments(parser, name)
    if parser.is_next("(", "[", "{", "|", "|(", "\\{"):
        is_group = parser.is_next("{")
        is_plain = parser.is_next("(") and parser.tokens[parser.at - 1].kind == "letters"
        argument = parser.operand()
        items = getattr(argument, "items", None)
        if isinstance(items, tuple):
            parser.fail(f"one argument of {name}")
        if parser.is_next("^") and is_plain and not is_group:
            return (argument,)  # as in programs: sin(x)^2 is (sin x)^2
        if parser.is_next("^", "!", "'"):
            parser.fail(f"brackets around a power of {name}", known=True)
        if is_group and not parser.is_next("+", "-", "*", "/", ")", "}", ",", "="):
            return _bare_argument(parser, name, [argument])
        return (argument,)
    return _bare_argument(parser, name, [])


def _bracketed_arguments(parser: Parser, name: str) -> tuple[Node, ...]:
    closer = {"(": ")", "{": "}", "\\{": "\\}", "[": "]"}.get(parser.token.text)
    if closer is None or parser.token.kind != "symbol":
        parser.fail(f"( behind {name}", known=name in ("max", "min"))
    parser.take()
    inner, _ = parser.inside((closer,))
    items = getattr(inner, "items", None)
    return items if isinstance(items, tuple) else (inner,)


def _bare_argument(parser: Parser, name: str, factors: list[Node]) -> tuple[Node, ...]:
    while not _ends_argument(parser, factors):
        if factors and parser.token.kind == "number":
            parser.fail("an operator between two factors")
        if factors and parser.is_next("(", "[", "|", "|("):
            if parser.open_bars and parser.is_next(parser.open_bars[-1]):
                break
            parser.ambiguous = True
            if not parser.tight:
                break
        factors.append(parser.factor())
    if not factors:
        parser.fail(f"the argument of {name}")
    argument = factors[0] if len(factors) == 1 else Product(tuple(factors))
    if parser.is_next("/") and not is_function(parser.peek().text):
        parser.ambiguous = True
        if parser.tight:
            parser.take()
            argument = Quotient(argument, parser.factor())
    return (argument,)


def _ends_argument(parser: Parser, factors: list[Node]) -> bool:
    token = parser.token
    if token.kind in ("stop", "end", "text", "set", "begin"):
        return True
    if token.kind == "symbol":
        opens = token.text in ("(", "[", "{", "|", "|(", "⌊", "⌈")
        closes = bool(parser.open_bars) and token.text == parser.open_bars[-1]
        return not opens or closes
    if parser.integrals and parser.is_differential():
        return True
    if factors and token.kind in ("command", "letters", "roman"):
        return is_function(token.text) or token.text in ("sum", "int", "prod", "lim")
    return False


def _function(name: str) -> Handler:
    return lambda parser: apply_function(parser, name)


# ---------------------------------------------------------------------------------------------
# Fractions and roots


def _frac(parser: Parser) -> Node:
    above = parser.argument()
    below = parser.argument()
    variable = _differential(below)
    if variable is not None and (derived := _derivative(parser, above, variable)) is not None:
        return derived
    return Quotient(above, below)


def _differential(below: Node) -> Symbol | None:
    """Return x for the `dx` below a fraction line."""
    if isinstance(below, Product) and len(below.factors) == 2 and below.factors[0] == Symbol("d"):
        second = below.factors[1]
        second = second.base if isinstance(second, Power) else second
        return second if isinstance(second, Symbol) else None
    return None


def _derivative(parser: Parser, above: Node, variable: Symbol) -> Node | None:
    order = ""
    if isinstance(above, Product) and above.factors[0] == Symbol("d"):
        rest = above.factors[1:]
        return Standing("derivative", rest[0] if len(rest) == 1 else Product(rest), variable)
    if isinstance(above, Product) and isinstance(above.factors[0], Power):
        power = above.factors[0]
        if power.base != Symbol("d"):
            return None
        order, rest = repr(power.exponent), above.factors[1:]
        body = rest[0] if len(rest) == 1 else Product(rest)
        return Standing("derivative", body, variable, marks=order)
    if above == Symbol("d"):
        return Standing("derivative", parser.expression(40), variable)
    if isinstance(above, Power) and above.base == Symbol("d"):
        order = repr(above.exponent)
        return Standing("derivative", parser.expression(40), variable, marks=order)
    return None


def _binom(parser: Parser) -> Node:
    return Call("binomial", (parser.argument(), parser.argument()))


def _sqrt(parser: Parser) -> Node:
    degree: Node = digits.decimal("2")
    if parser.skip("["):
        degree, _ = parser.inside(("]",))
    return Root(parser.argument(), degree)


def _cube_root(parser: Parser) -> Node:
    return Root(parser.argument(), digits.decimal("3"))


def _abs(parser: Parser) -> Node:
    return Call("abs", (parser.argument(),))


# ---------------------------------------------------------------------------------------------
# Letters and sets


_SPECIAL: Final = frozenset("Gamma zeta Phi Psi phi".split())
"""Letters that name functions where a bracket follows."""


def _greek(name: str) -> Handler:
    def read(parser: Parser) -> Node:
        if parser.is_next("_", "'", "("):
            from rlrewards.verify.names import called, primed, subscript

            if parser.is_next("_"):
                return primed(parser, f"{name}_{subscript(parser)}")
            if parser.is_next("'"):
                return primed(parser, name)
            if name in _SPECIAL and parser.is_next("("):
                return called(parser, name)
        return Symbol(name)

    return read


def _pi(parser: Parser) -> Node:
    if parser.is_next("_"):
        return _greek("pi")(parser)
    return PI


def _decorated(name: str) -> Handler:
    r"""Read `\vec{a}`, `\angle A`, `\overline{AB}`: a mark that is part of the name."""

    def read(parser: Parser) -> Node:
        argument = parser.argument() if name not in _LOOSE else parser.operand()
        decorated = Apply(name, (argument,))
        if parser.is_next("_"):
            from rlrewards.verify.names import subscript

            return Apply(f"{name}_{subscript(parser)}", (argument,))
        return decorated

    return read


_LOOSE: Final = frozenset("angle triangle measuredangle odot square parallelogram".split())
_MARKS: Final = frozenset(
    "vec hat bar overline tilde dot ddot widehat check breve overleftarrow overbrace mathring "
    "overparen wideparen".split()
)


def _layout(parser: Parser) -> Node:
    return parser.argument()


def _named(name: str) -> Handler:
    return lambda parser: Named(name)


def _infinity(parser: Parser) -> Node:
    return INFINITY


# ---------------------------------------------------------------------------------------------
# Sums, products, integrals, limits


_SUM_FLOOR: Final = 40


def _big(kind: str) -> Handler:
    def read(parser: Parser) -> Node:
        lower, upper = _bounds(parser)
        variable: Node | None = None
        if isinstance(lower, Relation) and lower.signs == ("=",):
            variable, lower = lower.members
        return Standing(kind, parser.expression(_SUM_FLOOR), variable, lower, upper)

    return read


def _bounds(parser: Parser) -> tuple[Node | None, Node | None]:
    lower = upper = None
    while parser.is_next("_", "^"):
        if parser.take().text == "_":
            _bind_index(parser)
            lower = parser.argument()
        else:
            upper = _signed_argument(parser)
    return lower, upper


def _bind_index(parser: Parser) -> None:
    """Make the index of a sum a variable, also where it is called i or e."""
    if parser.is_next("{") and parser.peek().text in ("i", "e") and parser.peek(2).text == "=":
        parser.bound.add(parser.peek().text)


def _integral(parser: Parser) -> Node:
    r"""Read what stands between the sign and its `dx`, which ends the integral."""
    lower, upper = _bounds(parser)
    parser.integrals += 1
    body: Node = _one() if parser.is_differential() else parser.expression(_SUM_FLOOR - 10)
    parser.integrals -= 1
    if parser.is_differential():
        return Standing("integral", body, _taken_differential(parser), lower, upper)
    if isinstance(body, Quotient) and isinstance(body.over, Product):
        mark, *rest = body.over.factors
        if mark == Symbol("d") and len(rest) == 1:  # \int\frac{dx}{x}
            return Standing("integral", Quotient(_one(), body.under), rest[0], lower, upper)
    return Standing("integral", body, None, lower, upper)


def _taken_differential(parser: Parser) -> Node:
    token = parser.take()
    if len(token.text) == 2:
        return Symbol(token.text[1])
    return Symbol(parser.take().text)


def _one() -> Node:
    return digits.decimal("1")


def _limit(parser: Parser) -> Node:
    variable: Node | None = None
    lower: Node | None = None
    marks = ""
    if parser.skip("_"):
        grouped = parser.skip("{")
        marks = _side(parser)
        relation = parser.expression()
        if grouped:
            parser.expect("}")
        if isinstance(relation, Relation) and relation.signs == ("→",):
            variable, lower = relation.members
        else:
            parser.fail("a variable and what it approaches", known=True)
    return Standing("limit", parser.expression(_SUM_FLOOR), variable, lower, None, marks)


def _side(parser: Parser) -> str:
    """Take the sign of a one-sided limit out of `x \\to 0^{+}`; it is no power."""
    for index in range(parser.at, min(parser.at + 40, len(parser.tokens) - 2)):
        window = [token.text for token in parser.tokens[index : index + 5]]
        if window[0] == "^" and window[1] in ("+", "-") and window[2] in ("}", ""):
            del parser.tokens[index : index + 2]
            return window[1]
        if window[:2] == ["^", "{"] and window[2] in ("+", "-") and window[3:] == ["}", "}"]:
            del parser.tokens[index : index + 4]
            return window[2]
    return ""


COMMANDS: Final[dict[str, Handler]] = {
    **{name: _greek(name) for name in GREEK},
    **{name: _function(name) for name in _NAMES},
    **{name: _decorated(name) for name in _MARKS | _LOOSE},
    **dict.fromkeys(["underline", "boxed", "fbox", "mathop", "ensuremath", "mathord"], _layout),
    "pi": _pi,
    "frac": _frac,
    "binom": _binom,
    "sqrt": _sqrt,
    "cbrt": _cube_root,
    "abs": _abs,
    "infty": _infinity,
    "emptyset": _named("empty"),
    "R": _named("reals"),
    "Reals": _named("reals"),
    "Z": _named("integers"),
    "N": _named("naturals"),
    "Q": _named("rationals"),
    "sum": _big("sum"),
    "prod": _big("product"),
    "int": _integral,
    "lim": _limit,
}
__all__ = ["COMMANDS", "FUNCTIONS", "GREEK", "apply_function", "is_function"]
