"""Which formulas stand in a question: an answer that only repeats one is not an answer."""

from __future__ import annotations

import re
from functools import lru_cache

from rlrewards.verify.normalize import normalize

# All runs are bounded: a hostile question may cost no more than its length.
_FORMULA = re.compile(
    r"\\\[(.{1,500}?)\\\]|\\\((.{1,500}?)\\\)|\$\$(.{1,500}?)\$\$"
    r"|(?<!\\)\$([^$]{1,500}?)(?<!\\)\$",
    re.DOTALL,
)
_PLAIN = re.compile(r"[^\s,;:?!]{1,60}(?:\s{0,9}[-+*/=^<>]\s{0,9}[^\s,;:?!]{1,60}){1,20}")
MAX_LENGTH = 20_000
_OPERATOR = re.compile(r"[-+*/=^<>]|\\")


def formulas_of(prompt: str) -> frozenset[str]:
    """Return the normalised formulas of a question: marked ones, their sides, and plain ones.

    >>> sorted(formulas_of("Simplify $2+3$, if x = 4."))
    ['2+3', 'x=4']
    """
    return _formulas_of(prompt[:MAX_LENGTH])


@lru_cache(maxsize=64)
def _formulas_of(prompt: str) -> frozenset[str]:
    found = [next(filter(None, match.groups())) for match in _FORMULA.finditer(prompt)]
    rest = _FORMULA.sub(" ", prompt)
    found += [match[0] for match in _PLAIN.finditer(rest)]
    sides = [side for formula in found for side in re.split(r"(?<![<>\\])=", formula)]
    keys = (normalize(text) for text in found + sides)
    return frozenset(key for key in keys if _OPERATOR.search(key))
