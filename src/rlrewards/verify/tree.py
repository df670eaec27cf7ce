r"""The expression tree: what an answer says, apart from how it was spelled.

`parse` makes a tree of small immutable nodes from LaTeX or plain notation; the comparisons take
trees only. A tree keeps the form of an answer (`2/4` is a `Quotient` of two numbers, not a half),
since the form can matter; its value is worked out in `exact` and `numeric`.

There are two families: expressions, which have a value (`Number` to `Standing`), and shapes, which
arrange expressions (`Listing` to `Words`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Final, TypeAlias

from rlrewards.verify.units import Unit

Rational: TypeAlias = Any
"""`flint.fmpq`."""


@dataclass(frozen=True, slots=True)
class Node:
    """Anything that stands in a tree; equal nodes hold equal things."""

    def children(self) -> Iterator[Node]:
        """Yield the nodes directly below, in the order in which they were written."""
        kind: Any = type(self)
        for name in _parts(kind):
            yield from _nodes(getattr(self, name))


@cache
def _parts(kind: Any) -> tuple[str, ...]:
    """Return the names of the fields of a class that hold nodes."""
    return tuple(item.name for item in fields(kind) if "Node" in str(item.type))


def _nodes(value: object) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _nodes(item)


def walk(node: Node) -> list[Node]:
    """Return a node and all that stand below it, parents first."""
    found = [node]
    for top in found:  # it grows as it goes
        kind: Any = type(top)
        for name in _parts(kind):
            value = getattr(top, name)
            if isinstance(value, Node):
                found.append(value)
            elif value:
                found.extend(_nodes(value))
    return found


def symbols_of(node: Node) -> frozenset[str]:
    """Return the names of the variables in a tree.

    >>> sorted(symbols_of(Sum((Symbol("x"), Product((Number(2), Symbol("y")))))))
    ['x', 'y']
    """
    return frozenset(item.name for item in walk(node) if isinstance(item, Symbol))


# ---------------------------------------------------------------------------------------------
# Expressions: numbers and names


@dataclass(frozen=True, slots=True)
class Expression(Node):
    """A node that has a value."""


@dataclass(frozen=True, slots=True)
class Number(Expression):
    r"""A number written in one piece: an integer, a decimal, a mixed or a repeating one.

    Attributes:
        value: Its exact value.
        digits: Significant digits when it was written with a decimal point, None otherwise.
        place: Worth of the last digit that was written (1/100 for 37.50), when `digits` is given.
    """

    value: Rational
    digits: int | None = None
    place: Rational | None = None

    def __repr__(self) -> str:
        return f"Number({self.value})" if self.digits is None else f"Number({self.value}, decimal)"


@dataclass(frozen=True, slots=True)
class Constant(Expression):
    """One of `pi`, `e`, `i`, `infinity`."""

    name: str


PI: Final = Constant("pi")
E: Final = Constant("e")
I: Final = Constant("i")  # noqa: E741  (the field's name for it)
INFINITY: Final = Constant("infinity")


@dataclass(frozen=True, slots=True)
class Symbol(Expression):
    r"""A variable or a name: `x`, `x_1` (also from `x_{1}`), `theta`, `ABC`, `y'`."""

    name: str


@dataclass(frozen=True, slots=True)
class Based(Expression):
    """A number with a written base: `1101_2`. `digits` are as written, in upper case."""

    digits: str
    base: int


# ---------------------------------------------------------------------------------------------
# Expressions: operations


@dataclass(frozen=True, slots=True)
class Negative(Expression):
    """-x; a difference is a `Sum` with a `Negative` in it."""

    operand: Node


@dataclass(frozen=True, slots=True)
class PlusMinus(Expression):
    r"""±x, or ∓x where `flipped`; `a ± b` is a `Sum` with a `PlusMinus` in it."""

    operand: Node
    flipped: bool = False


@dataclass(frozen=True, slots=True)
class Sum(Expression):
    """Two terms or more, in the order written."""

    terms: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Product(Expression):
    r"""Two factors or more: `2x`, `2 \cdot 3`, `3 \times 10^4`."""

    factors: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Quotient(Expression):
    r"""`a/b`, `\frac{a}{b}`, `a \div b`."""

    over: Node
    under: Node


@dataclass(frozen=True, slots=True)
class Power(Expression):
    """base^exponent."""

    base: Node
    exponent: Node


@dataclass(frozen=True, slots=True)
class Root(Expression):
    r"""`\sqrt[degree]{radicand}`."""

    radicand: Node
    degree: Node


FUNCTIONS: Final = frozenset(
    """
    sin cos tan cot sec csc arcsin arccos arctan arccot arcsec arccsc
    sinh cosh tanh coth sech csch arcsinh arccosh arctanh
    exp ln log abs floor ceil factorial double_factorial binomial permutations
    gcd lcm max min det re im arg conj sgn mod
    """.split()
)
"""Names that a `Call` may have."""


@dataclass(frozen=True, slots=True)
class Call(Expression):
    r"""A known function of its arguments.

    `log` without a base is `Call("log", (x,))`, with one `Call("log", (x, base))`; `\ln x` is
    `Call("ln", (x,))`, `e^x` a `Power`, `n!` is `Call("factorial", (n,))`, `|x|` is
    `Call("abs", (x,))`, `\binom{n}{k}` and `C_n^k` are `Call("binomial", (n, k))`, `\sin^2 x` is a
    `Power` of a `Call`, `\sin^{-1} x` is `Call("arcsin", (x,))`, `7 \bmod 3` is
    `Call("mod", (7, 3))`, a determinant `Call("det", (matrix,))`.
    """

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Apply(Expression):
    r"""Anything uninterpreted over arguments: `f(x)`, `\vec{v}`, `\angle A`, `f'(x)`, `\bar x`."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Standing(Expression):
    r"""A sum, product, integral, limit or derivative left standing.

    Attributes:
        kind: `sum`, `product`, `integral`, `limit`, `derivative`.
        body: What is summed, integrated and so on.
        variable: Index, integration variable or limit variable; None where it is not written.
        lower: Lower bound, or the point that a limit approaches; None where there is none.
        upper: Upper bound; None where there is none.
        marks: What else matters, as written: the side of a limit, the order of a derivative.
    """

    kind: str
    body: Node
    variable: Node | None = None
    lower: Node | None = None
    upper: Node | None = None
    marks: str = ""


@dataclass(frozen=True, slots=True)
class Percent(Expression):
    """p %."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Measure(Expression):
    r"""A value with a unit, money and degrees among them: `5 cm`, `\$5`, `30^\circ`.

    `2 h 30 min` is a `Sum` of measures.
    """

    operand: Node
    unit: Unit


@dataclass(frozen=True, slots=True)
class Approximate(Expression):
    r"""A value marked as rounded: `\approx 3.14`, `about 5`."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Ratio(Expression):
    """a:b, a:b:c, "a to b"."""

    parts: tuple[Node, ...]


# ---------------------------------------------------------------------------------------------
# Shapes


@dataclass(frozen=True, slots=True)
class Listing(Node):
    r"""Several answers without brackets: `1, 2`, `x=1 or x=3`.

    Attributes:
        items: At least two.
        joiners: What stood between them: `,`, `;`, `and`, `or`.
        breaks: Before which items the weaker of two kinds of joiners stood, where relations are
            joined by both: 2 in `x=1, y=2 or x=3, y=4`.
    """

    items: tuple[Node, ...]
    joiners: frozenset[str] = frozenset({","})
    breaks: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Bracket(Node):
    r"""Items in brackets: a tuple, a point, or an interval; `(1,2)`, `[0,1)`, `⟨1,2⟩`.

    `left` is one of `( [ ⟨ ]`, `right` one of `) ] ⟩ [` (`]0,1[` is an open interval).
    """

    left: str
    items: tuple[Node, ...]
    right: str


@dataclass(frozen=True, slots=True)
class Set(Node):
    r"""`\{1, 2\}`; without items it is the empty set."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Builder(Node):
    r"""Set-builder notation: `\{x \in \mathbb{R} \mid x > 2\}`.

    Attributes:
        element: What the set consists of: a variable, or an expression such as `2k+1`.
        domain: What the variable is taken from, None where it is not written.
        conditions: What must hold, all of it.
    """

    element: Node
    domain: Node | None
    conditions: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Named(Node):
    """A set with a name: `empty`, `reals`, `integers`, `naturals`, `rationals`, `complexes`."""

    name: str


@dataclass(frozen=True, slots=True)
class Union(Node):
    """Sets joined by ∪."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Intersection(Node):
    """Sets joined by ∩."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Without(Node):
    r"""`A \setminus B`."""

    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Relation(Node):
    r"""A chain of members joined by signs: `x = 5`, `1 < x ≤ 2`, `x ∈ (0,1)`.

    `signs` holds one sign fewer than there are members, each of
    `= < > ≤ ≥ ≠ ≈ ≡ ∈ ∉ ⊂ ⊆ → ⊥ ∥ ~`. `modulus` is that of `x ≡ 1 \pmod 5`.
    """

    members: tuple[Node, ...]
    signs: tuple[str, ...]
    modulus: Node | None = None


@dataclass(frozen=True, slots=True)
class Matrix(Node):
    """Rows of entries; a column vector has rows of one entry."""

    rows: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True, slots=True)
class Piecewise(Node):
    r"""`\begin{cases} … \end{cases}`: (value, condition); a condition is None for "otherwise".

    A system of equations in `cases` is a `Listing` joined by `and`.
    """

    cases: tuple[tuple[Node, Node | None], ...]


@dataclass(frozen=True, slots=True)
class Words(Node):
    r"""Prose, names and anything that is words: `\text{even}`, `no solution` aside."""

    text: str


@dataclass(frozen=True, slots=True)
class Unparsed:
    """Why a text is no tree: failure is a value.

    Attributes:
        position: Where in the tidied text it stopped making sense.
        expected: What would have made sense there.
        known: Whether the notation is well-formed and merely not read here, so that the fault is
            not the answer's.
        large: Whether it is too large to be read: nested too deeply, or too long.
    """

    position: int
    expected: str
    known: bool = False
    large: bool = False
