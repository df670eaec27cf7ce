r"""What a formula is worth at a point: the evidence that a rewriting keeps, or changes, its value.

A small evaluator over complex floats, written for the benchmark alone so that it shares nothing
with the verifier it judges. It refuses (`Unreadable`) whatever could be read in two ways, such as
`1/2x` or `f(x)`; the generator then keeps its hands off.
"""

from __future__ import annotations

import cmath
import math
import random
import re
from collections.abc import Callable
from functools import lru_cache, partial

TOKEN = re.compile(
    r"\\(?:text|mathrm|operatorname|mathbf|mathbb|textbf)\s*\{[^{}]*\}"
    r"|\\[A-Za-z]+|\\.|\d+(?:\.\d+)?|\.\d+|[A-Za-z]|\s+|.",
    re.DOTALL,
)
OPENERS = frozenset(["(", "[", "{", r"\{", r"\lfloor", r"\langle"])
CLOSERS = frozenset([")", "]", "}", r"\}", r"\rfloor", r"\rangle"])
GREEK = frozenset(
    r"\alpha \beta \gamma \delta \theta \lambda \mu \rho \sigma \tau \phi \varphi \omega".split()
)
FUNCTIONS: dict[str, Callable[[complex], complex]] = {
    r"\sin": cmath.sin,
    r"\cos": cmath.cos,
    r"\tan": cmath.tan,
    r"\sec": lambda z: 1 / cmath.cos(z),
    r"\csc": lambda z: 1 / cmath.sin(z),
    r"\cot": lambda z: cmath.cos(z) / cmath.sin(z),
    r"\arcsin": cmath.asin,
    r"\arccos": cmath.acos,
    r"\arctan": cmath.atan,
    r"\sinh": cmath.sinh,
    r"\cosh": cmath.cosh,
    r"\tanh": cmath.tanh,
    r"\ln": cmath.log,
    r"\log": cmath.log10,
    r"\exp": cmath.exp,
}
CALLED = frozenset("fghFGHPCEQRTSVW")  # a letter that, before a parenthesis, may be a function
POINTS = 4
MAX_SIZE = 1e60


class Unreadable(Exception):  # noqa: N818 - a finding, not an error
    """The formula is outside the grammar, or could be read in two ways."""


def tokens(text: str) -> list[str]:
    """Return the tokens of a formula, white space left out."""
    return [token for token in TOKEN.findall(text) if not token.isspace()]


def join(parts: list[str]) -> str:
    r"""Return tokens as text, with a space only where `\pi x` would run together."""
    out = ""
    for part in parts:
        if re.search(r"\\[A-Za-z]+$", out) and part[:1].isalpha():
            out += " "
        out += part
    return out


class _Evaluator:
    def __init__(self, parts: list[str], point: Callable[[str], complex]) -> None:
        self.parts, self.point, self.at = parts, point, 0

    def peek(self) -> str:
        return self.parts[self.at] if self.at < len(self.parts) else ""

    def take(self, expected: str | None = None) -> str:
        token = self.peek()
        if not token or (expected is not None and token != expected):
            raise Unreadable(f"{token!r} where {expected!r} was expected")
        self.at += 1
        return token

    def sum(self) -> complex:
        total = self.signed_term()
        while self.peek() in ("+", "-"):
            total += self.signed_term()
        return total

    def signed_term(self) -> complex:
        sign = 1
        while self.peek() in ("+", "-"):
            sign *= -1 if self.take() == "-" else 1
        return sign * self.term()

    def term(self) -> complex:
        value, divided = self.factor(), False
        while token := self.peek():
            if token in (r"\cdot", r"\times", "*"):
                self.take()
                value *= self.signed_factor()
            elif token in ("/", r"\div"):
                self.take()
                value /= self.signed_factor()
                divided = True
            elif self.opens_factor(token):
                if divided:
                    raise Unreadable("a product after a slash")
                value *= self.factor()
            else:
                break
        return value

    def signed_factor(self) -> complex:
        if self.peek() == "-":
            self.take()
            return -self.factor()
        return self.factor()

    def opens_factor(self, token: str) -> bool:
        if token in "|}])" or token in CLOSERS:
            return False
        if re.fullmatch(r"[\d.]+", token) and re.fullmatch(r"[\d.]+", self.parts[self.at - 1]):
            raise Unreadable("two numbers side by side")
        return token in ("(", "[", "{", r"\frac", r"\sqrt", r"\pi") or self.is_atom(token)

    def is_atom(self, token: str) -> bool:
        return token.isalnum() or token[0] == "." or token in GREEK or token in FUNCTIONS

    def factor(self) -> complex:
        value = self.base()
        while (token := self.peek()) in ("^", "!"):
            self.take()
            value = _factorial(value) if token == "!" else _power(value, self.argument())
        return value

    def base(self) -> complex:
        token = self.take()
        if token in ("(", "[", "{"):
            value = self.sum()
            self.take({"(": ")", "[": "]", "{": "}"}[token])
            return value
        if token == "|":
            value = abs(self.sum())
            self.take("|")
            return value
        if re.fullmatch(r"\d+(\.\d+)?|\.\d+", token):
            return self.number(token)
        if token == r"\frac":
            above = self.argument()
            return above / self.argument()
        if token == r"\sqrt":
            return self.root()
        if token in FUNCTIONS:
            return self.function(token)
        return self.name(token)

    def number(self, token: str) -> complex:
        value = complex(float(token))
        rest = "".join(self.parts[self.at : self.at + 7])
        if re.match(r"\\frac(\{\d+\}\{\d+\}|\d)", rest):
            if not token.isdigit():
                raise Unreadable("a decimal before a fraction")
            part = self.base()
            if part.real >= 1:
                raise Unreadable("an improper fraction after a number")
            value += part
        return value

    def root(self) -> complex:
        index: complex = 2
        if self.peek() == "[":
            self.take()
            index = self.sum()
            self.take("]")
        value = self.argument()
        if index != 2 and value.real < 0:
            raise Unreadable("an odd root of a negative number")
        return _power(value, 1 / index)

    def function(self, name: str) -> complex:
        apply, exponent = FUNCTIONS[name], None
        while self.peek() in ("^", "_"):
            if self.take() == "^":
                exponent = self.argument()
                if exponent == -1:
                    raise Unreadable("an inverse or a reciprocal")
            elif name == r"\log":
                base = self.argument()
                apply = partial(_logarithm, cmath.log(base))
            else:
                raise Unreadable("a subscript on a function")
        value = apply(self.applied())
        return value if exponent is None else _power(value, exponent)

    def applied(self) -> complex:
        if self.peek() in ("(", "[", "|", "{"):
            value = self.base()
            if self.peek() in ("^", "!"):
                raise Unreadable("a power after an argument")
            return value
        value = self.signed_factor()
        while (token := self.peek()) and token not in FUNCTIONS and self.opens_factor(token):
            if token in ("(", "["):
                raise Unreadable("a parenthesis after a bare argument")
            value *= self.factor()
        if self.peek() == "/":
            raise Unreadable("a slash after a bare argument")
        return value

    def argument(self) -> complex:
        if self.peek() == "{":
            self.take()
            value = self.sum()
            self.take("}")
            return value
        token = self.peek()
        if re.fullmatch(r"\d{2,}|\d*\.\d+", token):  # `\frac12` and `x^12` take one digit
            self.parts[self.at : self.at + 1] = list(token)
            token = self.peek()
        if token == "-" or token in FUNCTIONS or token == r"\frac":
            raise Unreadable("an unbraced argument")
        return self.base()

    def name(self, token: str) -> complex:
        if token == r"\pi":
            return complex(math.pi)
        if token not in GREEK and not re.fullmatch("[A-Za-z]", token):
            raise Unreadable(token)
        if self.peek() == "_":
            self.take()
            token += "_" + self.index()
        elif token == "e":
            return complex(math.e)
        elif token == "i":
            return 1j
        if self.peek() == "(" and token[0] in CALLED:
            raise Unreadable("a function call")
        if token.isupper() and self.peek().isalpha() and self.peek().isupper():
            raise Unreadable("a name in capitals")
        return self.point(token)

    def index(self) -> str:
        if self.peek() != "{":
            return self.take()
        self.take()
        out = ""
        while self.peek() not in ("}", ""):
            out += self.take()
        self.take("}")
        return out


def _logarithm(scale: complex, value: complex) -> complex:
    return cmath.log(value) / scale


def _power(base: complex, exponent: complex) -> complex:
    if base and abs(exponent) * abs(cmath.log(base)) > math.log(MAX_SIZE):
        raise Unreadable("too large")
    return base**exponent


def _factorial(value: complex) -> complex:
    if value.imag or value.real != int(value.real) or not 0 <= value.real <= 20:
        raise Unreadable("a factorial of no small integer")
    return complex(math.factorial(int(value.real)))


def _point(seed: int) -> Callable[[str], complex]:
    return lambda name: _coordinate(seed, name)


@lru_cache(maxsize=4096)
def _coordinate(seed: int, name: str) -> complex:
    return complex(random.Random(f"{seed} {name}").uniform(0.3, 1.9))


def values(text: str) -> tuple[complex, ...]:
    """Return the values at four fixed points with positive coordinates.

    Raises:
        Unreadable: the formula is not understood, or has no finite value at a point.
    """
    found = _values(text)
    if isinstance(found, str):
        raise Unreadable(found)
    return found


@lru_cache(maxsize=4096)
def _values(text: str) -> tuple[complex, ...] | str:
    """Return the values, or why there are none."""
    try:
        return _computed(text)
    except Unreadable as error:
        return str(error)


def _computed(text: str) -> tuple[complex, ...]:
    found = []
    for seed in range(POINTS):
        evaluator = _Evaluator(tokens(text), _point(seed))
        try:
            value = evaluator.sum()
        except (ArithmeticError, ValueError, RecursionError) as error:
            raise Unreadable(str(error)) from error
        if evaluator.peek():
            raise Unreadable(f"{evaluator.peek()!r} after the end")
        if not cmath.isfinite(value):
            raise Unreadable("no finite value")
        found.append(value)
    return tuple(found)


def readable(text: str) -> bool:
    """Whether a formula has a value here."""
    try:
        values(text)
    except Unreadable:
        return False
    return True


def constant(text: str) -> complex | None:
    """Return the value of a formula without variables, or None."""
    try:
        found = values(text)
    except Unreadable:
        return None
    return found[0] if all(close(value, found[0]) for value in found) else None


def close(one: complex, other: complex, tolerance: float = 1e-9) -> bool:
    """Whether two values agree to a relative tolerance."""
    return abs(one - other) <= tolerance * max(abs(one), abs(other), 1e-300)


def agree(one: str, other: str) -> bool:
    """Whether two formulas are worth the same at every point."""
    try:
        return all(close(a, b) for a, b in zip(values(one), values(other), strict=True))
    except Unreadable:
        return False


def differ(one: str, other: str) -> bool:
    """Whether two formulas are plainly worth different things at every point."""
    try:
        pairs = list(zip(values(one), values(other), strict=True))
    except Unreadable:
        return False
    return all(not close(a, b, 1e-5) for a, b in pairs)


def differ_by_more_than_a_constant(one: str, other: str) -> bool:
    """Whether the difference of two formulas varies from point to point."""
    try:
        gaps = [a - b for a, b in zip(values(one), values(other), strict=True)]
    except Unreadable:
        return False
    scale = max(abs(gap) for gap in gaps)
    return scale > 1e-5 and max(abs(gap - gaps[0]) for gap in gaps) > 1e-3 * scale


def differ_by_more_than_a_factor(one: str, other: str) -> bool:
    """Whether the ratio of two formulas varies from point to point."""
    try:
        pairs = list(zip(values(one), values(other), strict=True))
    except Unreadable:
        return False
    if any(abs(a) < 1e-9 or abs(b) < 1e-9 for a, b in pairs):
        return False
    ratios = [a / b for a, b in pairs]
    return max(abs(ratio / ratios[0] - 1) for ratio in ratios) > 1e-3
