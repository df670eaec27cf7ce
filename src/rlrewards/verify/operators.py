r"""Operators between two operands: sums, products, quotients, relations, sets, moduli, ratios.

`infix` reads an operator and what stands to its right; `beside` multiplies what stands side by
side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rlrewards.verify import amounts, marks, names
from rlrewards.verify.tree import (
    Apply,
    Bracket,
    Call,
    Constant,
    Intersection,
    Listing,
    Named,
    Negative,
    Node,
    Number,
    PlusMinus,
    Product,
    Quotient,
    Ratio,
    Relation,
    Set,
    Sum,
    Symbol,
    Union,
    Without,
)

if TYPE_CHECKING:
    from rlrewards.verify.grammar import Parser

RATIO, MODULUS, RELATION, SETS, SUM, PRODUCT, TIGHT, MARK = 8, 9, 10, 20, 30, 40, 42, 60

RELATIONS: Final = frozenset("= < > ≤ ≥ ≠ ≈ ≡ ∈ ∉ ⊂ ⊆ → ⊥ ∥ ~".split())
BINDING: Final[dict[str, int]] = {
    ":": RATIO,
    **dict.fromkeys(RELATIONS, RELATION),
    **dict.fromkeys("∪∩∖", SETS),
    **dict.fromkeys("+-±∓", SUM),
    **dict.fromkeys(("*", "/", "mod", "×", "⋅"), PRODUCT),
    **dict.fromkeys("^!°'%_", MARK),
    "pmod": MODULUS,
}
_NEGATED: Final = {"=": "≠", "∈": "∉"}


def infix(parser: Parser, text: str, left: Node, last: str) -> Node:
    """Read the operator that is next and its right operand."""
    binding = BINDING[text]
    if binding == SUM:
        return _sum(parser, text, left, last)
    if binding == PRODUCT:
        return _product(parser, text, left, last)
    if binding == MARK:
        return marks.mark(parser, text, left)
    if binding == RELATION:
        return relation(parser, left, last)
    if binding == SETS:
        return _sets(parser, text, left, last)
    if binding == MODULUS:
        return _modulus(parser, left)
    return _ratio(parser, left, last)


def _sum(parser: Parser, text: str, left: Node, last: str) -> Node:
    parser.at += 1
    if parser.is_next("+", "±", "∓") or (text == "-" and parser.is_next("-")):
        parser.fail("a term")
    right = parser.expression(SUM + 1)
    if text == "-" and _is_set(left) and isinstance(right, Set):
        parser.chain()
        return Without(left, right)
    if text == "-":
        right = Negative(right)
    elif text != "+":
        right = PlusMinus(right, text == "∓")
    terms = left.terms if last in ("+", "-", "±", "∓") and isinstance(left, Sum) else (left,)
    return amounts.spread(Sum((*terms, right)))


def _is_set(node: Node) -> bool:
    return isinstance(node, Named | Union | Without | Set)


def _product(parser: Parser, text: str, left: Node, last: str) -> Node:
    parser.at += 1
    if text == "mod":
        return Call("mod", (left, parser.expression(PRODUCT + 1)))
    if parser.is_next("+") or parser.is_next("*", "/"):
        parser.fail("a factor")
    right = parser.expression(PRODUCT + 1)
    if text == "/":
        return Quotient(left, right)
    if text != "*":
        if last in ("×", "⋅"):
            parser.fail("brackets around a product of vectors", known=True)
        return _of_vectors(text, left, right, last)
    return Product((*_factors(left, last), right))


def _of_vectors(text: str, left: Node, right: Node, last: str) -> Node:
    """Return a cross or a dot product, with the numbers before it outside: 2 a×b is 2(a×b)."""
    front: tuple[Node, ...] = ()
    if last == "beside" and isinstance(left, Product):
        *outside, left = left.factors
        front = tuple(outside)
    pair = (left, right) if text == "×" else tuple(sorted((left, right), key=repr))
    product = Apply(text, pair)
    return Product((*front, product)) if front else product


def beside(parser: Parser, left: Node, last: str) -> Node:
    """Multiply what stands side by side."""
    token = parser.token
    if token.kind == "number" and not _is_power_behind(parser):
        return amounts.compound(parser, left)
    if token.text == "(" and parser.peek().text == "mod":
        return _modulus(parser, left)
    if names.is_word(token):
        names.refuse_words(parser)
    if last == "/" and not is_behind_spaced_fraction(parser):
        parser.ambiguous = True
    opens_item = token.text == "(" and _opens_item(parser)
    right = marked(parser, parser.operand())
    if isinstance(right, Relation) and isinstance(left, Symbol):
        return Apply(left.name, (right,))  # P(X=4)
    if isinstance(right, Relation):
        return Listing((left, right), frozenset({"for"}))
    if opens_item and _is_point(left, right):
        return Relation((left, right), ("=",))
    return Product((*_factors(left, last), right))


def _opens_item(parser: Parser) -> bool:
    """Whether one letter, and nothing else, stands between here and the start of the item."""
    at, tokens = parser.at, parser.tokens
    if parser.depth or tokens[at - 1].kind != "letters":
        return False
    return at == 1 or tokens[at - 2].text in (",", ";", "and", "or")


def _is_point(left: Node, right: Node) -> bool:
    """Whether a name stands before coordinates: P(1,2) is the point P = (1,2)."""
    if not (isinstance(left, Symbol) and left.name[:1].isupper() and isinstance(right, Bracket)):
        return False
    return right.left == "(" and right.right == ")"


def is_behind_spaced_fraction(parser: Parser) -> bool:
    """Whether a fraction of two numbers and a space stand before this place: `4/3 pi r^3`."""
    at, tokens = parser.at, parser.tokens
    if at < 3 or not tokens[at].spaced or tokens[at - 2].text != "/":
        return False
    if tokens[at - 1].spaced or tokens[at - 2].spaced:
        return False
    is_numeric = tokens[at - 1].kind == tokens[at - 3].kind == "number"
    return is_numeric and (at < 4 or tokens[at - 4].text not in ("^", "_", "/", "}"))


def _is_power_behind(parser: Parser) -> bool:
    """Whether a number behind a factor is the base of a power: x 3^x is a product."""
    return parser.tokens[parser.at - 1].kind != "number" and parser.peek().text == "^"


def marked(parser: Parser, node: Node) -> Node:
    """Read the powers and other marks behind a factor."""
    while parser.token.kind == "symbol" and BINDING.get(parser.token.text) == MARK:
        if not isinstance(node, Number | Symbol | Constant):
            parser.chain()
        node = marks.mark(parser, parser.token.text, node)
    return node


def factor(parser: Parser) -> Node:
    """Read one factor with its marks: what a function without brackets applies to."""
    return marked(parser, parser.operand())


def relation(parser: Parser, left: Node, last: str) -> Node:
    """Read the sign of a relation and what stands to its right; a chain becomes one relation."""
    sign = _relation_sign(parser)
    right = parser.expression(RELATION + 1)
    if last in RELATIONS and isinstance(left, Relation) and left.modulus is None:
        return Relation((*left.members, right), (*left.signs, sign))
    return Relation((left, right), (sign,))


def _relation_sign(parser: Parser) -> str:
    if parser.token.kind == "command":  # \not
        parser.at += 1
        grouped = parser.skip("{")
        sign = parser.expect("=", "∈")
        if grouped:
            parser.expect("}")
        return _NEGATED[sign]
    return parser.take().text


def _sets(parser: Parser, text: str, left: Node, last: str) -> Node:
    parser.at += 1
    right = parser.expression(SETS + 1)
    if text == "∖":
        return Without(left, right)
    kind: type[Union] | type[Intersection] = Union if text == "∪" else Intersection
    parts = left.parts if last == text and isinstance(left, kind) else (left,)
    return kind((*parts, right))


def _modulus(parser: Parser, left: Node) -> Node:
    if parser.take().text == "(":
        parser.expect("mod")
        modulus, _ = parser.inside((")",))
    else:
        modulus = parser.factor()
    if isinstance(left, Relation):
        return Relation(left.members, left.signs, modulus)
    return Relation((left,), (), modulus)


def _ratio(parser: Parser, left: Node, last: str) -> Node:
    if parser.closes_bars(":"):  # the colon of a set
        parser.fail("an operand")
    parser.at += 1
    if isinstance(left, Relation):
        return Listing((left, parser.expression(RATIO + 1)), frozenset({":"}))
    right = parser.expression(RATIO + 1)
    parts = left.parts if last == ":" and isinstance(left, Ratio) else (left,)
    return Ratio((*parts, right))


def _factors(left: Node, last: str) -> tuple[Node, ...]:
    if last in ("*", "beside") and isinstance(left, Product):
        return left.factors
    return (left,)
