r"""The grammar of answers: precedence climbing over the symbols of `tokens`, in one pass.

From loose to tight: lists; `:`; relations; ∪ ∩ ∖; + − ±; products, quotients and factors side by
side; a unit; a sign; powers, factorials and other marks behind a value. What an operand may be
besides numbers, names and brackets is in `commands`, `environments` and `amounts`.

Nesting is bounded, so that recursion is, too.
"""

from __future__ import annotations

from typing import Final, NoReturn

from rlrewards.verify import amounts, digits, marks, names
from rlrewards.verify.brackets import BRACKETS, CLOSERS, CLOSING, OPENING
from rlrewards.verify.commands import COMMANDS, GREEK, KNOWN
from rlrewards.verify.environments import environment
from rlrewards.verify.tokens import Token
from rlrewards.verify.tree import (
    Apply,
    Approximate,
    Call,
    Intersection,
    Listing,
    Named,
    Negative,
    Node,
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

MAX_DEPTH: Final = 48

RATIO, MODULUS, RELATION, SETS, SUM, PRODUCT, TIGHT, MARK = 8, 9, 10, 20, 30, 40, 42, 60

_RELATIONS: Final = frozenset("= < > ≤ ≥ ≠ ≈ ≡ ∈ ∉ ⊂ ⊆ → ⊥ ∥ ~".split())
_BINDING: Final[dict[str, int]] = {
    ":": RATIO,
    **dict.fromkeys(_RELATIONS, RELATION),
    **dict.fromkeys("∪∩∖", SETS),
    **dict.fromkeys("+-±∓", SUM),
    **dict.fromkeys(("*", "/", "mod"), PRODUCT),
    **dict.fromkeys("^!°'%_", MARK),
    "pmod": MODULUS,
}
_BETWEEN: Final = {"to": RATIO, "x": PRODUCT}
_CONDITIONS: Final = frozenset(
    ["for", "where", "with", "for any", "for all", "for every", "for some", "when", "if"]
)
_KNOWN_SIGNS: Final = frozenset(["⇔", "⇒", "↔", "…", "→", "∪", "∩", "⊥", "∥"])
_NEGATED: Final = {"=": "≠", "∈": "∉"}


class ParseError(Exception):
    """The text stops making sense."""

    def __init__(self, position: int, expected: str, *, known: bool = False) -> None:
        super().__init__(expected)
        self.position = position
        self.expected = expected
        self.known = known


class Parser:
    """Reads one list of symbols.

    Attributes:
        tight: Whether factors side by side bind tighter than a slash: `1/2x` as 1/(2x).
        ambiguous: Set when the text has a place where that matters.
    """

    def __init__(self, tokens: list[Token], *, tight: bool = False) -> None:
        self.tokens = tokens
        self.tight = tight
        self.ambiguous = False
        self.at = 0
        self.depth = 0
        self.open_bars: list[str] = []
        self.integrals = 0
        self.bound: set[str] = set()

    # -- cursor

    @property
    def token(self) -> Token:
        """The symbol that is next."""
        return self.tokens[self.at]

    def peek(self, ahead: int = 1) -> Token:
        """Return the symbol `ahead` places on; the last one is a stop."""
        return self.tokens[min(self.at + ahead, len(self.tokens) - 1)]

    def take(self) -> Token:
        """Return the next symbol and pass it."""
        token = self.tokens[self.at]
        if token.kind != "stop":
            self.at += 1
        return token

    def is_next(self, *texts: str) -> bool:
        """Whether the next symbol is one of these signs."""
        token = self.tokens[self.at]
        return token.text in texts and token.kind == "symbol"

    def skip(self, *texts: str) -> bool:
        """Pass one of these signs, if it is next."""
        token = self.tokens[self.at]
        if token.text in texts and token.kind == "symbol":
            self.at += 1
            return True
        return False

    def expect(self, *texts: str) -> str:
        """Pass one of these signs, and fail without it."""
        if not self.is_next(*texts):
            self.fail(" or ".join(texts))
        return self.take().text

    def fail(self, expected: str, *, known: bool = False) -> NoReturn:
        """Stop: this was expected, and something else stands here."""
        raise ParseError(self.token.start, expected, known=known)

    def whole(self) -> Node:
        """Read all symbols as one answer."""
        tree = self._with_over(self.items())
        self._skip_gaps()
        self.skip("right")
        if self.token.kind != "stop":
            self.fail("the end")
        return tree

    # -- lists

    def items(self, *, joiners: tuple[str, ...] = (",", ";", "and", "or")) -> Node:
        """Read items up to a closing bracket or the end: one node, or a `Listing`."""
        found: list[Node] = []
        joined: set[str] = set()
        while True:
            self._skip_gaps()
            found.append(self.item())
            if self.token.kind == "stop":
                break
            separators = self._joiners(joiners) or self._condition()
            if not separators and self._is_gap_between_relations(found[-1]):
                separators = {","}
            if not separators:
                break
            joined |= separators
            if self._at_end_of_list():
                break
        return found[0] if len(found) == 1 else Listing(tuple(found), frozenset(joined))

    def item(self) -> Node:
        """Read one item: an expression or a relation, perhaps marked as approximate."""
        if self.token.kind == "symbol":
            if self.skip("≈", "~"):
                return Approximate(self.expression())
            self.skip("=")
        return self.expression()

    def _joiners(self, joiners: tuple[str, ...]) -> set[str]:
        found: set[str] = set()
        while self.is_next(*joiners, "quad"):
            sign = self.take().text
            if sign in (",", ";") and sign in found:
                self.fail("an item")
            found.add(sign)
        if found == {"quad"}:
            self.at -= 1
        found.discard("quad")
        return found

    def is_differential(self) -> bool:
        """Whether the `dx` of an integral is next."""
        token = self.tokens[self.at]
        if token.kind not in ("letters", "roman") or token.text[:1] != "d":
            return False
        if len(token.text) == 1:
            behind = self.peek()
            is_letter = behind.kind == "letters" and len(behind.text) == 1
            return is_letter or (behind.kind == "command" and behind.text in GREEK)
        return len(token.text) == 2

    def _starts_condition(self) -> bool:
        r"""Whether `(k \\in …)` or "for k …" is next: what holds for a letter of the answer."""
        token = self.tokens[self.at]
        if token.text == "(":
            return self.peek().kind == "letters" and self.peek(2).text == "∈"
        return token.kind in ("text", "letters") and token.text.strip() in _CONDITIONS

    def _condition(self) -> set[str]:
        if not self._starts_condition():
            return set()
        if self.token.text != "(":
            self.at += 1
        return {"for"}

    def _skip_gaps(self) -> None:
        while self.tokens[self.at].text == "quad":
            self.at += 1

    def _is_gap_between_relations(self, item: Node) -> bool:
        if not (self.is_next("quad") and isinstance(item, Relation)):
            return False
        self._skip_gaps()
        return not self._ends()

    def _at_end_of_list(self) -> bool:
        if self._ends() and self.tokens[self.at - 1].text in (",", ";"):
            return True
        return False

    def _ends(self) -> bool:
        token = self.token
        return token.kind in ("stop", "end") or (token.kind == "symbol" and token.text in CLOSING)

    # -- expressions

    def expression(self, floor: int = 0) -> Node:
        """Read an expression whose operators bind at least as tightly as `floor`."""
        left = self.operand(floor)
        last = ""
        while True:
            token = self.token
            kind, text = token.kind, token.text
            if kind == "stop" or kind == "end":
                break
            if self._starts_condition() or (self.integrals and self.is_differential()):
                break
            if kind == "symbol":
                if text == "quad":
                    if self._quad_ends(floor, left):
                        break
                    continue
                binding = _BINDING.get(text)
                if binding is None:
                    if text in CLOSING or self._closes_bars(text):
                        break
                elif binding < floor:
                    break
                else:
                    left, last = self._infix(text, left, last), text
                    continue
            elif kind == "letters" and text in _BETWEEN and self._is_between(text):
                if floor > _BETWEEN[text]:
                    break
                sign = ":" if text == "to" else "*"
                left, last = self._infix(sign, left, last), sign
                continue
            elif kind == "command" and text == "not":
                if floor > RELATION:
                    break
                left, last = self._relation(left, last), "="
                continue
            if floor <= PRODUCT and (measured := amounts.behind(self, left)) is not None:
                left, last = measured, "unit"
                continue
            if self._binds_beside(text) < floor:
                break
            left, last = self._beside(left, last), "beside"
        return left

    def _quad_ends(self, floor: int, left: Node) -> bool:
        """Whether a wide space ends the expression: it does between two relations."""
        ahead = 1
        while self.peek(ahead).text == "quad":
            ahead += 1
        token = self.peek(ahead)
        starts = token.kind not in ("symbol", "stop", "end") or token.text in OPENING
        if starts and (self._in_relation or isinstance(left, Relation)):
            return True
        if token.kind in ("stop", "end") or (
            token.kind == "symbol" and token.text in (",", ";", "and", "or")
        ):
            return True
        self.at += ahead
        return False

    @property
    def _in_relation(self) -> bool:
        """Whether a relation sign stands before this place, inside the same brackets."""
        depth = 0
        for token in reversed(self.tokens[: self.at]):
            if token.kind != "symbol":
                continue
            if token.text in OPENING:
                depth -= 1
                if depth < 0:
                    return False
            elif token.text in CLOSERS:
                depth += 1
            elif depth == 0 and token.text in (",", ";", "and", "or"):
                return False
            elif depth == 0 and token.text in _RELATIONS:
                return True
        return False

    def _closes_bars(self, text: str) -> bool:
        return bool(self.open_bars) and text == self.open_bars[-1]

    def _binds_beside(self, text: str) -> int:
        """Return how tightly what is next binds to what stands before it."""
        if text == "(" and self.peek().text == "mod":
            return MODULUS
        return TIGHT if self.tight else PRODUCT

    def _is_between(self, text: str) -> bool:
        """Whether letters stand for a sign: `11 to 4`, `3x10^8`."""
        before, behind = self.tokens[self.at - 1], self.peek()
        if before.kind != "number" or behind.kind != "number":
            return False
        return text == "to" or (behind.text == "10" and self.peek(2).text == "^")

    # -- operands

    def operand(self, floor: int = TIGHT) -> Node:
        """Read what stands before the first operator: a number, a name, a bracket, a command."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fail(f"at most {MAX_DEPTH} levels", known=True)
        found = self._operand(floor)
        self.depth -= 1
        return found

    def _operand(self, floor: int) -> Node:
        token = self.token
        kind = token.kind
        if kind == "number":
            return digits.number(self)
        if kind == "letters":
            return names.letters(self)
        if kind == "symbol":
            return self._signed_or_bracketed(token.text, floor)
        if kind == "command":
            handler = COMMANDS.get(token.text)
            if handler is None:
                self.fail(f"another command than \\{token.text}", known=token.text in KNOWN)
            self.at += 1
            return handler(self)
        if kind in ("text", "roman"):
            return names.upright(self)
        if kind == "set":
            return Named(self.take().text)
        if kind == "begin":
            return environment(self)
        self.fail("an operand")

    def _signed_or_bracketed(self, text: str, floor: int) -> Node:
        if text in ("-", "+"):
            self.at += 1
            if self.is_next("+", "-"):
                self.fail("a term")
            operand = self.expression(max(floor, PRODUCT))
            return Negative(operand) if text == "-" else operand
        if text in ("±", "∓"):
            self.at += 1
            return PlusMinus(self.expression(max(floor, PRODUCT)), text == "∓")
        if text == "$":
            return amounts.money(self)
        if text in ("£", "€", "¥", "₹"):
            return amounts.money(self)
        if text == "quad":
            self.at += 1
            return self.operand(floor)
        if text == "{":
            return self.group()
        handler = BRACKETS.get(text)
        if handler is None:
            self.fail("an operand", known=text in _KNOWN_SIGNS)
        self.at += 1
        return handler(self)

    # -- operators

    def _infix(self, text: str, left: Node, last: str) -> Node:
        binding = _BINDING[text]
        if binding == SUM:
            return self._sum(text, left, last)
        if binding == PRODUCT:
            return self._product(text, left, last)
        if binding == MARK:
            return marks.mark(self, text, left)
        if binding == RELATION:
            return self._relation(left, last)
        if binding == SETS:
            return self._sets(text, left, last)
        if binding == MODULUS:
            return self._modulus(left)
        return self._ratio(left, last)

    def _sum(self, text: str, left: Node, last: str) -> Node:
        self.at += 1
        if self.is_next("+", "±", "∓") or (text == "-" and self.is_next("-")):
            self.fail("a term")
        right = self.expression(SUM + 1)
        if text == "-":
            right = Negative(right)
        elif text != "+":
            right = PlusMinus(right, text == "∓")
        terms = left.terms if last in ("+", "-", "±", "∓") and isinstance(left, Sum) else (left,)
        return amounts.spread(Sum((*terms, right)))

    def _product(self, text: str, left: Node, last: str) -> Node:
        self.at += 1
        if text == "mod":
            return Call("mod", (left, self.expression(PRODUCT + 1)))
        if self.is_next("+") or self.is_next("*", "/"):
            self.fail("a factor")
        right = self.expression(PRODUCT + 1)
        if text == "/":
            return Quotient(left, right)
        return Product((*_factors(left, last), right))

    def _beside(self, left: Node, last: str) -> Node:
        """Multiply what stands side by side."""
        token = self.token
        if token.kind == "number" and not self._is_power_behind():
            return amounts.compound(self, left)
        if token.text == "(" and self.peek().text == "mod":
            return self._modulus(left)
        if names.is_word(token):
            names.refuse_words(self)
        if last == "/":
            self.ambiguous = True
        right = self.operand()
        right = self._marked(right)
        if isinstance(right, Relation) and isinstance(left, Symbol):
            return Apply(left.name, (right,))  # P(X=4)
        if isinstance(right, Relation):
            return Listing((left, right), frozenset({"for"}))
        if last == "/" and self.tight:  # not reached: the slash took it
            return Product((left, right))
        return Product((*_factors(left, last), right))

    def _is_power_behind(self) -> bool:
        """Whether a number behind a factor is the base of a power: x 3^x is a product."""
        return self.tokens[self.at - 1].kind != "number" and self.peek().text == "^"

    def _marked(self, node: Node) -> Node:
        """Read the powers and other marks behind a factor."""
        while self.token.kind == "symbol" and _BINDING.get(self.token.text) == MARK:
            node = marks.mark(self, self.token.text, node)
        return node

    def factor(self) -> Node:
        """Read one factor with its marks: what a function without brackets applies to."""
        return self._marked(self.operand())

    def _relation(self, left: Node, last: str) -> Node:
        sign = self._relation_sign()
        right = self.expression(RELATION + 1)
        if last in _RELATIONS and isinstance(left, Relation) and left.modulus is None:
            return Relation((*left.members, right), (*left.signs, sign))
        return Relation((left, right), (sign,))

    def _relation_sign(self) -> str:
        if self.token.kind == "command":  # \not
            self.at += 1
            grouped = self.skip("{")
            sign = self.expect("=", "∈")
            if grouped:
                self.expect("}")
            return _NEGATED[sign]
        return self.take().text

    def _sets(self, text: str, left: Node, last: str) -> Node:
        self.at += 1
        right = self.expression(SETS + 1)
        if text == "∖":
            return Without(left, right)
        kind: type[Union] | type[Intersection] = Union if text == "∪" else Intersection
        parts = left.parts if last == text and isinstance(left, kind) else (left,)
        return kind((*parts, right))

    def _modulus(self, left: Node) -> Node:
        if self.take().text == "(":
            self.expect("mod")
            modulus, _ = self.inside((")",))
        else:
            modulus = self.factor()
        if isinstance(left, Relation):
            return Relation(left.members, left.signs, modulus)
        return Relation((left,), (), modulus)

    def _ratio(self, left: Node, last: str) -> Node:
        if self._closes_bars(":"):  # the colon of a set
            self.fail("an operand")
        self.at += 1
        if isinstance(left, Relation):
            return Listing((left, self.expression(RATIO + 1)), frozenset({":"}))
        right = self.expression(RATIO + 1)
        parts = left.parts if last == ":" and isinstance(left, Ratio) else (left,)
        return Ratio((*parts, right))

    # -- brackets

    def group(self) -> Node:
        """Read `{…}`: invisible around one thing, a set around several."""
        self.expect("{")
        if self.token.kind == "number" and self.peek().text == "}":  # most groups
            self.at += 2
            return digits.decimal(self.tokens[self.at - 2].text)
        saved, self.open_bars = self.open_bars, []
        inner = self._with_over(self.items())
        self.open_bars = saved
        self.expect("}")
        if isinstance(inner, Listing):
            return Set(inner.items)
        return inner

    def _with_over(self, left: Node) -> Node:
        if self.skip("over"):
            right = self.items()
            if self.is_next("over"):
                self.fail("one \\over in a group")
            return Quotient(left, right)
        if self.skip("choose"):
            return Call("binomial", (left, self.items()))
        return left

    def inside(self, closers: tuple[str, ...]) -> tuple[Node, str]:
        """Read items and the bracket that closes them; bars that are open outside stay outside."""
        saved, self.open_bars = self.open_bars, []
        self._skip_gaps()
        inner = self.items()
        self._skip_gaps()
        self.open_bars = saved
        return inner, self.expect(*closers)

    def argument(self) -> Node:
        """Read the argument of a command: a group, or one digit, letter or command."""
        token = self.token
        if token.kind == "symbol" and token.text == "{":
            return self.group()
        if token.kind == "number" and len(token.text) > 1:
            digit = token.text[0]
            rest = token._replace(text=token.text[1:], start=token.start + 1, spaced=False)
            self.tokens[self.at] = rest
            return digits.decimal(digit) if digit != "." else digits.number(self)
        if token.kind == "letters" and len(token.text) > 1:
            self.tokens[self.at] = token._replace(text=token.text[1:], spaced=False)
            return names.variable(self, token.text[0])
        if token.kind == "number":
            self.at += 1
            return digits.decimal(token.text)
        if token.kind == "letters":
            self.at += 1
            return names.variable(self, token.text)
        return self.operand()


def _factors(left: Node, last: str) -> tuple[Node, ...]:
    if last in ("*", "beside") and isinstance(left, Product):
        return left.factors
    return (left,)
