r"""From a tree back to LaTeX: for messages, for tests of the parser, for showing what was read.

`parse(render(tree))` gives the tree again, as far as brackets and products without a sign can be
told apart in writing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from rlrewards.verify.tree import (
    Apply,
    Approximate,
    Based,
    Bracket,
    Builder,
    Call,
    Constant,
    Intersection,
    Listing,
    Matrix,
    Measure,
    Named,
    Negative,
    Node,
    Number,
    Percent,
    Piecewise,
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
    Without,
    Words,
)

_LIST, _RATIO, _RELATION, _SETS, _SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(9)


def render(node: Node) -> str:
    r"""Return LaTeX for a tree.

    >>> import flint
    >>> render(Quotient(Symbol("x"), Number(flint.fmpq(2))))
    '\\frac{x}{2}'
    """
    return _RENDER[type(node)](node)


def _in(node: Node, level: int) -> str:
    """Render an operand, in brackets where it binds more loosely than its place."""
    text = render(node)
    return text if _LEVEL.get(type(node), _ATOM) >= level else rf"\left({text}\right)"


def _number(node: Number) -> str:
    value = node.value
    if node.digits is not None and node.place is not None:
        return _decimal(node)
    if value.q == 1:
        return str(value)
    sign = "-" if value < 0 else ""
    return rf"{sign}\frac{{{abs(value.p)}}}{{{value.q}}}"


def _decimal(node: Number) -> str:
    places = 0 if node.place is None else len(str(node.place.q)) - 1
    scaled = node.value * 10**places
    digits = str(abs(scaled.p)).rjust(places + 1, "0")
    sign = "-" if node.value < 0 else ""
    return f"{sign}{digits[: len(digits) - places]}.{digits[len(digits) - places :]}".rstrip(".")


_CONSTANTS: Final = {"pi": r"\pi ", "e": "e", "i": "i", "infinity": r"\infty "}


def _symbol(node: Symbol) -> str:
    name, _, index = node.name.partition("_")
    primes = len(index or name) - len((index or name).rstrip("'"))
    name, index = name.rstrip("'"), index.rstrip("'")
    base = rf"\{name} " if len(name) > 1 and not name.isupper() else name
    return base + (f"_{{{index}}}" if index else "") + "'" * primes


def _sum(node: Sum) -> str:
    text = _in(node.terms[0], _SUM + (not isinstance(node.terms[0], Negative)))
    for term in node.terms[1:]:
        if isinstance(term, Negative):
            text += "-" + _in(term.operand, _PRODUCT)
        elif isinstance(term, PlusMinus):
            text += (r"\mp " if term.flipped else r"\pm ") + _in(term.operand, _PRODUCT)
        else:
            text += "+" + _in(term, _PRODUCT)
    return text


def _product(node: Product) -> str:
    return r" \cdot ".join(_in(factor, _SIGN + 1) for factor in node.factors)


def _power(node: Power) -> str:
    base = _in(node.base, _ATOM)
    if isinstance(node.base, Call) and node.base.name not in ("abs", "floor", "ceil", "binomial"):
        base = rf"\left({render(node.base)}\right)"
    return f"{base}^{{{render(node.exponent)}}}"


def _root(node: Root) -> str:
    degree = node.degree
    is_square = isinstance(degree, Number) and degree.value == 2
    return rf"\sqrt{'' if is_square else f'[{render(degree)}]'}{{{render(node.radicand)}}}"


_SPECIAL: Final[dict[str, Callable[[tuple[str, ...]], str]]] = {
    "abs": lambda a: rf"\left|{a[0]}\right|",
    "floor": lambda a: rf"\left\lfloor {a[0]}\right\rfloor ",
    "ceil": lambda a: rf"\left\lceil {a[0]}\right\rceil ",
    "binomial": lambda a: rf"\binom{{{a[0]}}}{{{a[1]}}}",
    "permutations": lambda a: f"P_{{{a[0]}}}^{{{a[1]}}}",
}
_NATIVE: Final = frozenset(
    "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh coth exp ln gcd max min".split()
)


def _call(node: Call) -> str:
    arguments = tuple(render(argument) for argument in node.arguments)
    if node.name in _SPECIAL:
        return _SPECIAL[node.name](arguments)
    if node.name in ("factorial", "double_factorial"):
        return _in(node.arguments[0], _ATOM) + ("!" if node.name == "factorial" else "!!")
    if node.name == "mod":
        return rf"{_in(node.arguments[0], _SIGN)} \bmod {_in(node.arguments[1], _SIGN)}"
    if node.name == "det":
        return arguments[0].replace("pmatrix", "vmatrix")
    if node.name == "log" and len(arguments) == 2:
        return rf"\log_{{{arguments[1]}}}\left({arguments[0]}\right)"
    name = rf"\{node.name}" if node.name in _NATIVE else rf"\operatorname{{{node.name}}}"
    if node.name == "log":
        name = r"\log"
    return rf"{name}\left({', '.join(arguments)}\right)"


def _apply(node: Apply) -> str:
    arguments = ", ".join(render(argument) for argument in node.arguments)
    if node.name in ("×", "⋅"):
        sign = r"\times" if node.name == "×" else r"\cdot"
        left, right = map(_vector, node.arguments)
        return rf"{left} {sign} {right}"
    if node.name in ("vec", "hat", "bar", "overline", "tilde", "dot", "angle", "triangle"):
        return rf"\{node.name}{{{arguments}}}"
    if node.name == "norm":
        return rf"\left\|{arguments}\right\|"
    return rf"{node.name.replace('^-1', '^{-1}')}\left({arguments}\right)"


def _vector(node: Node) -> str:
    """Render a factor of a dot or a cross product; a letter is bold, since it is a vector."""
    if isinstance(node, Symbol | Constant) and len(node.name) == 1:
        return rf"\mathbf{{{node.name}}}"
    return _in(node, _ATOM)


_STANDING: Final = {"sum": r"\sum", "product": r"\prod", "integral": r"\int", "limit": r"\lim"}


def _standing(node: Standing) -> str:
    variable = "" if node.variable is None else render(node.variable)
    lower = "" if node.lower is None else render(node.lower)
    upper = "" if node.upper is None else f"^{{{render(node.upper)}}}"
    body = _in(node.body, _PRODUCT)
    if node.kind == "derivative":
        return rf"\frac{{d}}{{d{variable}}}{body}"
    if node.kind == "integral":
        below = f"_{{{lower}}}" if lower else ""
        return rf"\int{below}{upper} {body} d{variable}"
    sign = r" \to " if node.kind == "limit" else "="
    below = f"_{{{variable}{sign}{lower}{node.marks}}}" if variable else f"_{{{lower}}}"
    return f"{_STANDING[node.kind]}{below}{upper} {body}"


def _measure(node: Measure) -> str:
    name = node.unit.name
    if name in ("°", "^\\circ", "degree", "degrees"):
        return rf"{_in(node.operand, _ATOM)}^\circ "
    if name in ("$", "\\$"):
        return rf"\${render(node.operand)}"
    return rf"{_in(node.operand, _PRODUCT)} \text{{ {name}}}"


def _relation(node: Relation) -> str:
    text = _in(node.members[0], _SETS)
    for sign, member in zip(node.signs, node.members[1:], strict=True):
        text += f" {_SIGNS.get(sign, sign)} {_in(member, _SETS)}"
    return text if node.modulus is None else rf"{text} \pmod{{{render(node.modulus)}}}"


_SIGNS: Final = {
    "≤": r"\leq", "≥": r"\geq", "≠": r"\neq", "≈": r"\approx", "≡": r"\equiv", "∈": r"\in",
    "∉": r"\notin", "⊂": r"\subset", "⊆": r"\subseteq", "→": r"\to", "⊥": r"\perp",
    "∥": r"\parallel", "~": r"\sim",
}  # fmt: skip
_ANGLES: Final = {"⟨": r"\langle ", "⟩": r"\rangle "}


def _listing(node: Listing) -> str:
    joiner = " or " if "or" in node.joiners else " and " if "and" in node.joiners else ", "
    joiner = rf" \text{{{joiner}}} " if joiner.strip().isalpha() else joiner
    return joiner.join(render(item) for item in node.items)


def _bracket(node: Bracket) -> str:
    inner = ", ".join(render(item) for item in node.items)
    return _ANGLES.get(node.left, node.left) + inner + _ANGLES.get(node.right, node.right)


def _builder(node: Builder) -> str:
    domain = "" if node.domain is None else rf" \in {render(node.domain)}"
    conditions = ", ".join(render(condition) for condition in node.conditions)
    return rf"\{{{render(node.element)}{domain} \mid {conditions}\}}"


_SETS_NAMED: Final = {
    "empty": r"\emptyset ", "reals": r"\mathbb{R}", "integers": r"\mathbb{Z}",
    "naturals": r"\mathbb{N}", "rationals": r"\mathbb{Q}", "complexes": r"\mathbb{C}",
}  # fmt: skip


def _matrix(node: Matrix) -> str:
    rows = r" \\ ".join(" & ".join(render(cell) for cell in row) for row in node.rows)
    return rf"\begin{{pmatrix}}{rows}\end{{pmatrix}}"


def _piecewise(node: Piecewise) -> str:
    rows = r" \\ ".join(
        render(value) + (r" & \text{otherwise}" if condition is None else f" & {render(condition)}")
        for value, condition in node.cases
    )
    return rf"\begin{{cases}}{rows}\end{{cases}}"


_RENDER: Final[dict[type, Callable[[Any], str]]] = {
    Number: _number,
    Constant: lambda node: _CONSTANTS[node.name],
    Symbol: _symbol,
    Based: lambda node: f"{node.digits}_{{{node.base}}}",
    Negative: lambda node: "-" + _in(node.operand, _PRODUCT),
    PlusMinus: lambda node: (r"\mp " if node.flipped else r"\pm ") + _in(node.operand, _PRODUCT),
    Sum: _sum,
    Product: _product,
    Quotient: lambda node: rf"\frac{{{render(node.over)}}}{{{render(node.under)}}}",
    Power: _power,
    Root: _root,
    Call: _call,
    Apply: _apply,
    Standing: _standing,
    Percent: lambda node: _in(node.operand, _ATOM) + r"\%",
    Measure: _measure,
    Approximate: lambda node: rf"\approx {_in(node.operand, _SETS)}",
    Ratio: lambda node: ":".join(_in(part, _SUM) for part in node.parts),
    Listing: _listing,
    Bracket: _bracket,
    Set: lambda node: rf"\{{{', '.join(render(item) for item in node.items)}\}}",
    Builder: _builder,
    Named: lambda node: _SETS_NAMED[node.name],
    Union: lambda node: r" \cup ".join(_in(part, _SUM) for part in node.parts),
    Intersection: lambda node: r" \cap ".join(_in(part, _SUM) for part in node.parts),
    Without: lambda node: rf"{_in(node.left, _SUM)} \setminus {_in(node.right, _SUM)}",
    Relation: _relation,
    Matrix: _matrix,
    Piecewise: _piecewise,
    Words: lambda node: rf"\text{{{node.text}}}",
}
_LEVEL: Final[dict[type, int]] = {
    Listing: _LIST,
    Ratio: _RATIO,
    Relation: _RELATION,
    Approximate: _RELATION,
    Union: _SETS,
    Intersection: _SETS,
    Without: _SETS,
    Sum: _SUM,
    Negative: _SUM,
    PlusMinus: _SUM,
    Standing: _SUM,
    Measure: _PRODUCT,
    Product: _PRODUCT,
    Quotient: _POWER,
    Power: _POWER,
    Percent: _POWER,
}
