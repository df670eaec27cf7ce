"""The key under which two spellings of an option's text agree."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OptionKey:
    """What two spellings of an option's text share: its words, with and without their case."""

    cased: str
    words: str
    meaning: str


_GREEK = re.compile(
    r"\\(alpha|beta|gamma|delta|Delta|theta|lambda|mu|pi|phi|omega)(?![A-Za-z]) ?(?=(\w?))"
)
_SIGNS = (
    (re.compile(r"\^\s*(?:\{\s*)?\\circ(?![A-Za-z])\s*\}?\s*"), "° "),
    (re.compile(r"\\leq?(?![A-Za-z])|<="), "≤"),
    (re.compile(r"\\geq?(?![A-Za-z])|>="), "≥"),
    (re.compile(r"\\to(?![A-Za-z])|->"), "→"),
    (re.compile(r"\\times(?![A-Za-z])"), "×"),
    (re.compile(r"\\pm(?![A-Za-z])"), "±"),
    (re.compile(r"&"), " and "),
    (re.compile(r"\^\{(-?(?:\d+|[A-Za-z]))\}"), r"^\1"),
    (re.compile(r"\^\{([^{}]*)\}"), r"^(\1)"),
    (re.compile(r"(?<![\d.,(\[])(\d{1,3}(?:,\d{3})+)(?![\d,])"), lambda m: m[1].replace(",", "")),
    (re.compile(r"(?<=\d)(\s*)-\1(?=\.?\d)"), " － "),
    (re.compile(r"(?:(?<![^\s(\[{,=<>≤≥+*/^])|(?<=±))-(?=\.?\d|\\|[A-Za-z](?!\w))"), " −"),
    (re.compile(r"\A\s*-\s*(?=\.?\d)"), " −"),
    (re.compile(r"(?<=\w)-(?=\s*(?:\Z|[,;)\]/]))"), " － "),
    (re.compile(r"(?<=\d)\s*,\s*(?=[-−]?\.?\d)"), " ， "),
    (re.compile(r"(?<=\d)\s*:\s*(?=[-−]?\.?\d)"), " ： "),
    (re.compile(r"(?<=\w)(\s*)\*\1(?=\w)"), " ＊ "),
    (re.compile(r"(?<=\d)!|(?<=\b[A-Za-z])!|(?<=\))!"), " ！ "),
    (re.compile(r"(?<=\d)'|(?<=\b[A-Za-z])'(?!\w)"), " ＇ "),
    (re.compile(r"(?<=\w)'(?=\w)"), ""),
)  # fmt: skip
_MARKED = re.compile(r"[^A-Za-z\s.,;:]")  # without any of these there is nothing to keep
_BRACKETS = re.compile(r"([(\[])([^()\[\]]*)([)\]])")
_KEPT = str.maketrans("()[]", "（）［］")
_WORD = re.compile(r"−?(?:\d+(?:\.\d+)*|\.\d+)|\\?[^\W\d_]+|[^\w\s.,;:?!\"'()\[\]{}\-_~*\\`•]")
SAME_MEANING = {
    "none of the above": "none", "none of these": "none", "none of the options": "none",
    "all of the above": "all", "all of these": "all", "all the above": "all", "all of them": "all",
    "none of them": "none", "all of the options": "all",
}  # fmt: skip


def option_key(bare: str) -> OptionKey:
    r"""Return the key under which two spellings of an option's text agree.

    Punctuation, hyphens and brackets around words are dropped. What carries meaning is kept: signs,
    operators, the commas and colons between numbers, the brackets of a formula. Kept marks that
    could be mistaken for punctuation are written full-width.
    """
    text = bare
    if _MARKED.search(text):
        text = _GREEK.sub(lambda m: m[1] + (" " if m[2] else ""), text)
        for pattern, mark in _SIGNS:
            text = pattern.sub(mark, text)
        for _ in range(3):
            text = _BRACKETS.sub(_kept_brackets, text)
    cased = " ".join(_WORD.findall(text))
    words = cased.casefold()
    return OptionKey(cased, words, SAME_MEANING.get(words, words))


def _kept_brackets(match: re.Match[str]) -> str:
    """Keep the brackets of a formula, "(1, 2]"; drop those around words."""
    if _LONG_WORD.search(match[2]) or not match[2].strip():
        return f" {match[2]} "
    return f" {match[1].translate(_KEPT)} {match[2]} {match[3].translate(_KEPT)} "


_LONG_WORD = re.compile(r"(?<!\\)(?<![A-Za-z])[A-Za-z]{2}")
