"""Where a statement ends that announces an answer: with its formula, its sentence or its line."""

from __future__ import annotations

import re
from collections.abc import Iterator

_STOP = re.compile(r"\n|[.!?](?=[\"')\]*]*(?:\s|$))")
_REASON = re.compile(r"\b(?:because|since|which|as\s(?:it|we|the))\b", re.IGNORECASE)
_IN_DOLLARS = r"\$((?:\\.|[^$\n\\]){1,2000})\$"
_DISPLAY = re.compile(rf"\s*(?:\\\[(.*?)\\\]|\$\$(.*?)\$\$|\\\((.*?)\\\)|{_IN_DOLLARS})", re.DOTALL)
# What may follow a formula that is a whole answer; anything else is a part of it.
_FORMULA_ENDS = re.compile(
    r"[ \t]*(?:\Z|\n|[.!?]?[\"')\]*]*(?:\s|\Z)(?![ \t]*(?:[-+/(&\\$\d]|or\b|and\b|[a-z]|[AP]M\b))"
    r"|[.!?][\"')\]*]*(?:\s|\Z)|,\s*(?:which|because|since|as|so|where|thus)\b"
    r"|(?:because|since|which|where|when|for|as)\b)"
)


def _ends_a_statement(completion: str, formula: re.Match[str]) -> bool:
    """Whether a formula is a whole answer: no operator ends it, and no domain follows."""
    text = next(filter(None, formula.groups()), "")
    if text.rstrip()[-1:] in tuple("+-*/=<>"):
        return False
    if _DOMAIN.match(completion, formula.end()) is not None:
        return False
    return _FORMULA_ENDS.match(completion, formula.end()) is not None


_DOMAIN = re.compile(
    r",?\s{0,3}(?:for\s(?:all|any|every|some)\b"
    r"|for\s\$[^$]{0,80}(?:[<>]|\\neq?\b|\\[lg]eq?\b)|for\s\$[^$]{0,80}\$[^.\n]{0,40}otherwise"
    r"|where\s\$?\\?[a-zA-Z]\S{0,12}\$?\s?(?:is|=|\\in|∈|satisfies)\b)"
)
_GAP = re.compile(r"[.!?]?[\"')\]*_`$]*[^\S\n]*\n?[^\S\n]*")
_CLOSING = "\"')]*_`$ \t"
_FINAL_NUMBER = re.compile(r"-?\d[\d,]{0,30}(?:\.\d{1,30})?\Z")


def end_of_statement(completion: str, start: int, *, keep_reasons: bool) -> int:
    """Return where a statement that starts here ends: its formula, its sentence or its line."""
    if (number := _FINAL_NUMBER.match(completion, start)) is not None:
        return number.end()
    formula = _DISPLAY.match(completion, start)
    behind = start if formula is None else formula.end()
    if formula is not None and _ends_a_statement(completion, formula):
        return behind
    end = _STOP.search(completion, behind)
    stop = len(completion) if end is None else end.start()
    reason = None if keep_reasons else _REASON.search(completion, behind, stop)
    return stop if reason is None else len(completion[: reason.start()].rstrip(" \t,("))


def sentences_behind(completion: str, stop: int, longest: int) -> Iterator[tuple[int, int]]:
    """Yield what may be the sentence behind a statement, up to each full stop of its line.

    Nothing behind an empty line, nor beyond `longest` characters, is one.

    >>> text = "It is B. E. coli."
    >>> [text[start:stop] for start, stop in sentences_behind(text, 7, 20)]
    ['E', 'E. coli']
    """
    gap = _GAP.match(completion, stop)
    start = stop if gap is None else gap.end()
    limit = min(start + longest, len(completion))
    behind = start
    for end in _STOP.finditer(completion, start, limit):
        yield start, end.start()
        if end[0] == "\n":
            return
        behind = end.end()
    if limit == len(completion) and completion[behind:].strip(_CLOSING):
        yield start, limit
