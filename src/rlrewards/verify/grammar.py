r"""The grammar of answers: precedence climbing over the symbols of `tokens`, in one pass.

From loose to tight: lists; `:`; relations; ∪ ∩ ∖; + − ±; products, quotients and factors side by
side; a unit; a sign; powers, factorials and other marks behind a value. What an operand may be
besides numbers, names and brackets is in `commands`, `environments` and `amounts`.

Nesting is bounded, so that recursion is, too.
"""

from __future__ import annotations

from typing import Final, NoReturn

from rlrewards.verify import amounts, digits, lists, names, operators, sets
from rlrewards.verify.brackets import BRACKETS, CLOSERS, CLOSING, OPENING
from rlrewards.verify.commands import COMMANDS, GREEK, KNOWN
from rlrewards.verify.environments import environment
from rlrewards.verify.lists import starts_condition
from rlrewards.verify.operators import (
    BINDING,
    MODULUS,
    PRODUCT,
    RATIO,
    RELATION,
    RELATIONS,
    SETS,
    TIGHT,
    beside,
    infix,
    relation,
)
from rlrewards.verify.tokens import Token
from rlrewards.verify.tree import (
    Bracket,
    Builder,
    Call,
    Listing,
    Named,
    Negative,
    Node,
    PlusMinus,
    Quotient,
    Relation,
    Set,
    Symbol,
    Union,
    Without,
)

MAX_DEPTH: Final = 48
MAX_CHAIN: Final = 40
"""Operators in a row of which each takes all before it as its operand: 1/2/2/2."""
_NESTING: Final = frozenset(["/", "mod", "∖", "∪", "∩", *"^!°'%_"])
_SET_NODES: Final = (Bracket, Builder, Named, Set, Union, Without)

_BETWEEN: Final = {
    "to": (RATIO, ":"),
    "x": (PRODUCT, "*"),
    "U": (SETS, "∪"),
    "union": (SETS, "∪"),
    "in": (RELATION, "∈"),
}
"""Letters that may stand for a sign: how tightly it binds, and the sign."""
_KNOWN_SIGNS: Final = frozenset(["⇔", "⇒", "↔", "…", "→", "∪", "∩", "⊥", "∥"])


class ParseError(Exception):
    """The text stops making sense."""

    def __init__(
        self, position: int, expected: str, *, known: bool = False, large: bool = False
    ) -> None:
        super().__init__(expected)
        self.position = position
        self.expected = expected
        self.known = known or large
        self.large = large


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
        self.chained = 0
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

    def fail(self, expected: str, *, known: bool = False, large: bool = False) -> NoReturn:
        """Stop: this was expected, and something else stands here, or more of it."""
        raise ParseError(self.token.start, expected, known=known, large=large)

    def chain(self) -> None:
        """Count an operator that nests what stands before it, so that no tree is too deep."""
        self.chained += 1
        if self.chained > MAX_CHAIN:
            self.fail(f"at most {MAX_CHAIN} operators in a row", large=True)

    def whole(self) -> Node:
        """Read all symbols as one answer."""
        tree = self._with_over(self.items())
        if self.token.kind == "stop":
            return tree
        if self.is_next("\\\\"):
            tree = lists.system(self, tree)
        lists.skip_gaps(self)
        self.skip("right")
        if self.token.kind != "stop":
            self.fail("the end")
        return tree

    def items(self) -> Node:
        """Read items up to a closing bracket or the end: one node, or a `Listing`."""
        return lists.items(self)

    def factor(self) -> Node:
        """Read one factor with its marks: what a function without brackets applies to."""
        return operators.marked(self, self.operand())

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

    # -- expressions

    def expression(self, floor: int = 0) -> Node:
        """Read an expression whose operators bind at least as tightly as `floor`."""
        left = self.operand(floor)
        last = ""
        nested = False
        while True:
            token = self.token
            kind, text = token.kind, token.text
            if kind == "stop" or kind == "end":
                break
            if starts_condition(self) or (self.integrals and self.is_differential()):
                break
            if kind == "symbol":
                if text == "quad":
                    if self._quad_ends(floor, left):
                        break
                    continue
                binding = BINDING.get(text)
                if binding is None:
                    if text in CLOSING or self.closes_bars(text):
                        break
                elif binding < floor:
                    break
                else:
                    if text in _NESTING:
                        if nested:
                            self.chain()
                        nested = True
                    left, last = infix(self, text, left, last), text
                    continue
            elif text in _BETWEEN and self._is_between(text, left):
                binding, sign = _BETWEEN[text]
                if floor > binding:
                    break
                self.tokens[self.at] = token._replace(kind="symbol", text=sign)
                left, last = infix(self, sign, left, last), sign
                continue
            elif kind == "command" and text == "not":
                if floor > RELATION:
                    break
                left, last = relation(self, left, last), "="
                continue
            if floor <= PRODUCT and (measured := amounts.behind(self, left)) is not None:
                left, last = measured, "unit"
                continue
            if self._binds_beside(text) < floor:
                break
            left, last = beside(self, left, last), "beside"
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
            elif depth == 0 and token.text in RELATIONS:
                return True
        return False

    def closes_bars(self, text: str) -> bool:
        """Whether a sign closes the bars, or the bracket, that were opened last."""
        return bool(self.open_bars) and text == self.open_bars[-1]

    def _binds_beside(self, text: str) -> int:
        """Return how tightly what is next binds to what stands before it."""
        if text == "(" and self.peek().text == "mod":
            return MODULUS
        if self.tight and not operators.is_behind_spaced_fraction(self):
            return TIGHT
        return PRODUCT

    def _is_between(self, text: str, left: Node) -> bool:
        """Whether letters stand for a sign: `11 to 4`, `3x10^8`, `(0,1) U (2,3)`, `x in (0,1)`."""
        before, behind = self.tokens[self.at - 1], self.peek()
        if text in ("U", "union"):
            return isinstance(left, _SET_NODES) and behind.text in ("(", "[", "{", "\\{")
        if text == "in":
            is_container = behind.text in ("(", "[", "\\{", "{") or sets.is_letter(behind)
            return isinstance(left, Symbol) and is_container
        if before.kind != "number" or behind.kind != "number":
            return False
        return text == "to" or (behind.text == "10" and self.peek(2).text == "^")

    # -- operands

    def operand(self, floor: int = TIGHT) -> Node:
        """Read what stands before the first operator: a number, a name, a bracket, a command."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fail(f"at most {MAX_DEPTH} levels", large=True)
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
            return sets.named(self, self.take().text)
        if kind == "begin":
            return environment(self)
        return self.fail("an operand")

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
            behind = self.tokens[self.at + 1]
            if behind.kind == "letters":
                return sets.plain_builder(self) or self.group()
            return (behind.text == "}" and names.choices_before(self)) or self.group()
        if text in ("^", "_"):
            return names.choices_before(self) or self.fail("an operand")
        handler = BRACKETS.get(text)
        if handler is None:
            self.fail("an operand", known=text in _KNOWN_SIGNS)
        self.at += 1
        return handler(self)

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
        lists.skip_gaps(self)
        inner = self.items()
        lists.skip_gaps(self)
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
