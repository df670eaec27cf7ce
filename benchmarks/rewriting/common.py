r"""What the families of rewritings share: their registry, signed terms, spelling of relations."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from fractions import Fraction

from rewriting.reading import CLOSERS, GROUPED, OPENERS, RELATIONS, Reading
from rewriting.values import constant, join, tokens

Family = Callable[[Reading, random.Random], list[str]]
RIGHT: dict[str, Family] = {}
BINARY = frozenset(["+", "-", r"\cdot", r"\times", r"\cup", *RELATIONS])
SIGNS = {
    "<": ("<", r"\lt"),
    ">": (">", r"\gt"),
    "<=": (r"\le", r"\leq", r"\leqslant", "≤", "<="),
    ">=": (r"\ge", r"\geq", r"\geqslant", "≥", ">="),
    "!=": (r"\ne", r"\neq", "≠", "!="),
}
TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "!=": "!="}


def family(name: str) -> Callable[[Family], Family]:
    """Register a family of right rewritings under a name."""

    def register(function: Family) -> Family:
        RIGHT[name] = function
        return function

    return register


def binary_places(parts: list[str]) -> list[int]:
    """Return the places of signs and relations that stand between two operands."""
    before = BINARY | OPENERS | {"^", "_", ",", "/"}
    return [
        at for at in range(1, len(parts) - 1) if parts[at] in BINARY and parts[at - 1] not in before
    ]


def signed_terms(text: str) -> list[tuple[str, str]]:
    """Return the terms of a sum outside all brackets, each with its sign."""
    parts = tokens(text)
    places, depth, terms = set(binary_places(parts)), 0, [["", ""]]
    if parts[:1] in (["-"], ["+"]):
        terms = [[parts[0], ""]]
    for at, token in enumerate(parts):
        depth += (token in OPENERS) - (token in CLOSERS)
        if at == 0 and token in "+-":
            continue
        if depth == 0 and token in ("+", "-") and at in places:
            terms.append([token, ""])
        else:
            terms[-1][1] = join([terms[-1][1], token]) if terms[-1][1] else token
    return [(sign or "+", term) for sign, term in terms]


def sum_of(terms: list[tuple[str, str]]) -> str:
    """Return signed terms as a sum."""
    return "".join(sign + term for sign, term in terms).removeprefix("+")


def decimal(value: Fraction) -> str | None:
    """Return a terminating decimal of at most six places, or None."""
    for places in range(7):
        if (value * 10**places).denominator == 1:
            digits = str(abs(value.numerator * 10**places // value.denominator)).zfill(places + 1)
            whole, rest = (digits[:-places], digits[-places:]) if places else (digits, "")
            return ("-" if value < 0 else "") + whole + ("." + rest if rest else "")
    return None


def is_integer(reading: Reading) -> bool:
    """Whether a reference is a whole number."""
    plain = re.fullmatch(r"-?\d+", reading.body) or GROUPED.fullmatch(reading.body)
    return reading.kind == "number" and bool(plain) and reading.number is not None


def formulas(reading: Reading) -> list[tuple[str, str]]:
    """Return (what stands before, formula) where a formula is all or the end of a reference."""
    if reading.kind in ("expression", "number"):
        return [("", reading.body)]
    return [(reading.parts[0] + "=", reading.parts[1])] if reading.kind == "assignment" else []


def relation_text(parts: tuple[str, ...], rng: random.Random) -> str:
    """Return a relation with each sign in one of its spellings."""
    return " ".join(rng.choice(SIGNS[part]) if part in SIGNS else part for part in parts)


def irrational_or_periodic(reading: Reading) -> float | None:
    """Return the value of a real constant that is certainly no terminating decimal, or None."""
    if reading.kind not in ("number", "expression") or "." in reading.body:
        return None
    value = constant(reading.body)
    if value is None or abs(value.imag) > 1e-12 or not 1e-2 < abs(value.real) < 1e4:
        return None
    if reading.number is not None:
        below = reading.number.denominator
        while below % 2 == 0 or below % 5 == 0:
            below //= 2 if below % 2 == 0 else 5
        return value.real if below > 1 else None
    near = Fraction(value.real).limit_denominator(10**4)
    return None if abs(float(near) - value.real) < 1e-11 * abs(value.real) else value.real
