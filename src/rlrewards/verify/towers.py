"""How large a tower of powers or factorials is at least, without ever computing it.

No ball holds 9^(9^(9^9)); that it is larger than 5 is plain all the same. Sizes are binary
logarithms; beyond a float they are infinite.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

from rlrewards.verify.enclose import NO_VALUE, enclose
from rlrewards.verify.rationals import Values
from rlrewards.verify.tree import (
    Call,
    Constant,
    Negative,
    Node,
    Number,
    Power,
    Product,
    Quotient,
    Rational,
    Root,
    Sum,
    symbols_of,
    walk,
)

TOWER_LOG2: Final = 1e6
"""What is called a tower here: larger than 2 to this power."""
_UNKNOWN: Final = -math.inf


def outgrows(tower: Node, other: Node, values: Values) -> bool:
    """Whether one value is provably larger than another, being a tower beside a number."""
    size = least_log2(tower, values)
    return size > TOWER_LOG2 and most_log2(other, values) < min(size, 1e300) / 2


def holds_tower(node: Node) -> bool:
    """Whether some part of an expression is a tower, so that nothing can compute its value."""
    return any(
        least_log2(part, {}) > TOWER_LOG2
        for part in walk(node)
        if isinstance(part, Power | Call) and not symbols_of(part)
    )


def is_tower(node: Node, number: Rational) -> bool:
    """Whether a value without variables is a tower, and larger than a number."""
    return bool(_size(node) > max(TOWER_LOG2, 2.0 * number.height_bits()))


def dwarfs(node: Node, digits: int) -> bool:
    """Whether a value without variables is a tower, and larger than any number of so many digits.

    >>> import flint
    >>> nine = Number(flint.fmpq(9))
    >>> dwarfs(Power(nine, Power(nine, Power(nine, nine))), 3), dwarfs(Power(nine, nine), 3)
    (True, False)
    """
    return isinstance(node, Power | Call) and _size(node) > max(TOWER_LOG2, 8.0 * digits)


@lru_cache(maxsize=256)
def _size(node: Node) -> float:
    return least_log2(node, {})


def most_log2(node: Node, values: Values) -> float:
    """Return an upper bound of log2 |value|; infinite where there is no ball around the value."""
    try:
        ball = enclose(node, values, bits=64, complex_=True)
        return float((abs(ball).upper() + 1).log()) / math.log(2) + 1
    except NO_VALUE:
        return math.inf


def least_log2(node: Node, values: Values) -> float:
    """Return a lower bound of log2 |value| for what is certainly at least 1 in size, else -inf.

    >>> import flint
    >>> nine = Number(flint.fmpq(9))
    >>> least_log2(Power(nine, Power(nine, Power(nine, nine))), {})
    inf
    """
    if isinstance(node, Negative):
        return least_log2(node.operand, values)
    if isinstance(node, Quotient):
        size = least_log2(node.over, values)
        return size - most_log2(node.under, values) if size > TOWER_LOG2 else _of_ball(node, values)
    if isinstance(node, Power):
        return _of_power(node, values)
    if isinstance(node, Call) and node.name in ("factorial", "exp", "cosh"):
        return _of_call(node, values)
    if isinstance(node, Root):
        degree = most_log2(node.degree, values)
        size = least_log2(node.radicand, values)
        return size / 2**degree if size >= 0 and degree < 60 else _UNKNOWN
    if isinstance(node, Product):
        sizes = [least_log2(factor, values) for factor in node.factors]
        return sum(sizes) if min(sizes) >= 0 else _UNKNOWN
    if isinstance(node, Sum):
        return _of_sum(node, values)
    return _of_ball(node, values)


def _of_power(node: Power, values: Values) -> float:
    base, exponent = least_log2(node.base, values), least_log2(node.exponent, values)
    if base <= 0 or exponent < 0 or not _is_positive(node.exponent):
        return _UNKNOWN
    return base * 2**exponent if exponent < 1_000 else math.inf


def _is_positive(node: Node) -> bool:
    """Whether an expression is certainly positive, as it is written."""
    if isinstance(node, Number):
        return bool(node.value > 0)
    if isinstance(node, Power):
        return _is_positive(node.base)
    if isinstance(node, Call):
        return node.name in ("factorial", "exp", "cosh")
    if isinstance(node, Sum | Product | Quotient):
        return all(map(_is_positive, node.children()))
    return isinstance(node, Constant) and node.name in ("pi", "e")


def _of_call(node: Call, values: Values) -> float:
    size = least_log2(node.arguments[0], values)
    if size < 2:
        return _UNKNOWN
    if size > 900:
        return math.inf
    argument = 2**size
    # n! > (n/e)^n, and e^x > 2^x; the hyperbolic cosine is at least half of that.
    per_unit = size - 1.5 if node.name == "factorial" else 1.0
    return argument * per_unit - 2


def _of_sum(node: Sum, values: Values) -> float:
    """A tower plus or minus what is certainly less than half of it."""
    sizes = [least_log2(term, values) for term in node.terms]
    largest = max(range(len(sizes)), key=sizes.__getitem__)
    rest = [term for index, term in enumerate(node.terms) if index != largest]
    if sizes[largest] > TOWER_LOG2:
        others = max(most_log2(term, values) for term in rest) + math.log2(len(rest) + 1)
        return sizes[largest] - 1 if others < min(sizes[largest], 1e300) - 2 else _UNKNOWN
    return _of_ball(node, values)


def _of_ball(node: Node, values: Values) -> float:
    """The size of what can be computed."""
    if isinstance(node, Number):
        value = abs(node.value)
        return math.log2(int(value.p)) - math.log2(int(value.q)) if value >= 1 else _UNKNOWN
    if isinstance(node, Constant) and node.name == "infinity":
        return _UNKNOWN
    try:
        ball = enclose(node, values, bits=64)
        low = abs(ball).lower()
        return float(low.log()) / math.log(2) * 0.999 if low >= 1 else _UNKNOWN
    except NO_VALUE:
        return _UNKNOWN
