r"""Which formulas stand in a question: an answer that only repeats one is not an answer.

"Simplify $2^3 \cdot 4$" is not answered by `2^3 \cdot 4`, though it is worth 32. A number that
needs no more work (5, 0.5, a reduced fraction) is an answer wherever else it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from math import gcd

from rlrewards.verify.normalize import normalize

MAX_LENGTH = 20_000
MAX_ANSWER = 2_000

# All runs are bounded: a hostile question may cost no more than its length.
_FORMULA = re.compile(
    r"\\\[(.{1,2000}?)\\\]|\\\((.{1,500}?)\\\)|\$\$(.{1,2000}?)\$\$"
    r"|(?<!\\)\$((?:[^$\\]|\\.){1,2000}?)\$"
    r"|\\begin\{([a-z]{1,12}\*?)\}(.{1,2000}?)\\end\{",
    re.DOTALL,
)
_OPERATOR = r"[-+*/=^<>×·÷−≤≥√]"
_PLAIN = re.compile(
    rf"[^\s,;:?!$]{{0,60}}(?:\s{{0,9}}{_OPERATOR}\s{{0,9}}[^\s,;:?!$]{{1,60}}){{1,20}}[.!]?"
)
_SIDES = re.compile(
    r"\\(?:leq?|geq?|neq?|leqslant|geqslant|approx|equiv|sim|lt|gt|in|to|rightarrow|Rightarrow"
    r"|mapsto|quad|qquad|colon|mid)(?![A-Za-z])|\\\\|[=<>≤≥≠≈&:]"
    r"|\\(?:begin|end)\{[^{}]{1,20}\}(?:\{[^{}]{1,20}\})?"
)
_ITEMS = re.compile(r"[,;]|\\(?:text|mathrm)\{[^{}]{1,40}\}|\b(?:and|or|for|when|where|if)\b")
_LAYOUT = re.compile(r"[\s{}*]|\\(?:cdot|times|ast)(?![A-Za-z])|\\[,;:! ]|\\q?quad(?![A-Za-z])")
_TELLING = re.compile(r"[-+*/=^<>()|!%\\]|[A-Za-z][0-9]|[0-9][A-Za-z]|[A-Za-z]{2}")


def is_echo(answer: str, reference: str, prompt: str) -> bool:
    r"""Whether an answer that equals the reference only repeats a formula of the question.

    >>> is_echo("2+3", "5", "What is $2 + 3$?")
    True
    >>> is_echo("2+3", "2 + 3", "Write $2 + 3$ down.")
    False
    """
    if len(answer) > MAX_ANSWER or is_finished_number(answer, reference):
        return False
    key = _key(answer)
    return key != _key(reference) and key in formulas_of(prompt)


_DIGITS = re.compile(r"[0-9][0-9,]*(?:\.[0-9]+)?|\.[0-9]+")
_NUMERAL = re.compile(rf"[-+]?(?:\\?\$)?[-+]?({_DIGITS.pattern})\.?(\\?%|\^?\\circ|°)?")
_FRACTION = re.compile(
    r"[-+]?([0-9]{0,40})(?:\\frac\{([0-9]{1,40})\}\{([0-9]{1,40})\}|([0-9]{1,40})/([0-9]{1,40}))"
)


def is_finished_number(text: str, reference: str) -> bool:
    r"""Whether a text is a number that leaves nothing to do: 5, 0.5, $5, a reduced fraction.

    One in degrees or percent is finished where the reference has the same digits: who is asked for
    radians may not answer with the degrees of the question.

    >>> is_finished_number(r"\frac{3}{4}", "0.75"), is_finished_number(r"\frac{6}{8}", "0.75")
    (True, False)
    >>> is_finished_number("30°", "30"), is_finished_number("30°", r"\frac{\pi}{6}")
    (True, False)
    """
    key = normalize(text)
    numeral = _NUMERAL.fullmatch(key.replace(" ", ""))
    if numeral is not None:
        return numeral[2] is None or numeral[1] in _DIGITS.findall(normalize(reference))
    fraction = _FRACTION.fullmatch(key)
    if fraction is None:
        return False
    over, under = int(fraction[2] or fraction[4]), int(fraction[3] or fraction[5])
    return under > 1 and gcd(over, under) == 1


def formulas_of(prompt: str) -> frozenset[str]:
    """Return the keys of a question's formulas: marked ones, their sides and items, plain ones.

    >>> sorted(formulas_of("Simplify $2+3$, if x = 4."))
    ['2+3', 'x=4']
    """
    return _formulas_of(prompt[:MAX_LENGTH])


@lru_cache(maxsize=64)
def _formulas_of(prompt: str) -> frozenset[str]:
    parts = {part for formula in _written(prompt) for part in _parts(formula)}
    return frozenset(_key(part) for part in parts if _TELLING.search(normalize(part)))


def _written(prompt: str) -> Iterator[str]:
    """Yield what is marked as a formula, then what looks like one in the words between."""
    for match in _FORMULA.finditer(prompt):
        yield match[match.lastindex or 0]
    for match in _PLAIN.finditer(_FORMULA.sub(" ", prompt)):
        yield match[0]


def _parts(formula: str) -> Iterator[str]:
    """Yield a formula, its sides, and the items of those."""
    yield formula
    for side in _SIDES.split(formula):
        yield side
        yield from _ITEMS.split(side)
    yield from _ITEMS.split(formula)


def _key(text: str) -> str:
    """Return what two writings of one formula have in common: not spaces, not braces, not dots."""
    return _LAYOUT.sub("", normalize(text)).strip(".,;")
