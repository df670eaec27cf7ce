r"""One spelling for each notation, so that equal answers are mostly equal strings.

`plain_unicode` turns typographic characters into the LaTeX they stand for; `tidy` removes what only
lays out a formula; `normalize` does both and returns the key that the string tier compares.

The order matters. Superscripts, subscripts and vulgar fractions become `^{}`, `_{}` and mixed
numbers before NFKC, which alone would make `5²` 52 and `1½` 11/2. A white space between two digits
is never dropped, except inside a thousands group: `1 1/2` is not 11/2.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Longer texts are worked out anew each time, so that what is remembered stays small.
REMEMBERED_LENGTH = 400

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱ", "0123456789+-=()ni")
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎", "0123456789+-=()")
_RAISED = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱ]+")
_LOWERED = re.compile("[₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎]+")
_VULGAR = re.compile("[¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞↉]")
_ROOT = re.compile(r"([√∛∜])\s*(\d+(?:\.\d+)?|[A-Za-zπ]|\([^()]*\)|\{[^{}]*\})?")
_DEGREE_OF_ROOT = {"√": "", "∛": "[3]", "∜": "[4]"}

_SYMBOLS = str.maketrans(
    {
        "−": "-", "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "﹣": "-", "－": "-",
        "×": r"\times ", "⋅": r"\cdot ", "·": r"\cdot ", "∙": r"\cdot ", "÷": r"\div ",
        "±": r"\pm ", "∓": r"\mp ", "≤": r"\leq ", "⩽": r"\leq ", "≥": r"\geq ", "⩾": r"\geq ",
        "≠": r"\neq ", "≈": r"\approx ", "≡": r"\equiv ", "∞": r"\infty ", "∅": r"\emptyset ",
        "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "∉": r"\notin ", "⊂": r"\subset ",
        "⊆": r"\subseteq ", "ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}", "ℕ": r"\mathbb{N}",
        "ℚ": r"\mathbb{Q}", "ℂ": r"\mathbb{C}", "π": r"\pi ", "θ": r"\theta ", "α": r"\alpha ",
        "β": r"\beta ", "γ": r"\gamma ", "δ": r"\delta ", "λ": r"\lambda ", "μ": r"\mu ",
        "φ": r"\phi ", "ω": r"\omega ", "Δ": r"\Delta ", "°": r"^\circ ", "⟨": r"\langle ",
        "⟩": r"\rangle ", "〈": r"\langle ", "〉": r"\rangle ", "→": r"\to ", "∧": r"\wedge ",
        "∨": r"\vee ", "′": "'", "’": "'", "‘": "'", "“": '"', "”": '"', "⁄": "/", "∕": "/",
        "，": ",", "：": ":", "（": "(", "）": ")", "％": "%", "＄": r"\$",
        "º": r"^\circ ", "…": "...", "∶": ":", "。": ".", "、": ",", "∠": r"\angle ",
        "∖": r"\setminus ", "㎡": " m^{2}", "㎠": " cm^{2}", "㎢": " km^{2}", "㎟": " mm^{2}",
        "㎥": " m^{3}", "㎤": " cm^{3}", "㎦": " km^{3}", "㎣": " mm^{3}",
    }
)  # fmt: skip


def plain_unicode(text: str) -> str:
    r"""Return the text with typographic characters spelled as LaTeX or ASCII.

    >>> plain_unicode("5² − 1½")
    '5^{2} - 1\\frac{1}{2}'
    """
    if text.isascii():
        return text
    text = _RAISED.sub(lambda m: f"^{{{m[0].translate(_SUPERSCRIPTS)}}}", text)
    text = _LOWERED.sub(lambda m: f"_{{{m[0].translate(_SUBSCRIPTS)}}}", text)
    text = _VULGAR.sub(_fraction_of, text)
    text = _ROOT.sub(_root_of, text)
    text = "".join(map(_compatible, text.translate(_SYMBOLS))).translate(_SYMBOLS)
    text = unicodedata.normalize("NFC", text)
    return "".join(char for char in text if not _is_invisible(char))


def _compatible(char: str) -> str:
    """Return the plain form of a character: digits of any script; ① stays, since ①③ is not 13."""
    if char.isascii():
        return char
    if unicodedata.category(char) == "Nd":
        return str(unicodedata.decimal(char))
    plain = unicodedata.normalize("NFKC", char)
    return char if any(map(str.isdecimal, plain)) else plain


def _is_invisible(char: str) -> bool:
    return unicodedata.category(char) in _INVISIBLE or "\ufe00" <= char <= "\ufe0f"


_INVISIBLE = frozenset({"Cf", "Co"})  # zero-width, bidirectional, private


def _fraction_of(match: re.Match[str]) -> str:
    above, _, below = unicodedata.normalize("NFKC", match[0]).partition("⁄")
    return rf"\frac{{{above}}}{{{below}}}"


def _root_of(match: re.Match[str]) -> str:
    radicand = match[2] or ""
    if radicand[:1] in ("(", "{"):
        radicand = radicand[1:-1]
    return rf"\sqrt{_DEGREE_OF_ROOT[match[1]]}" + (f"{{{radicand}}}" if radicand else "")


# ---------------------------------------------------------------------------------------------
# Layout


_DELIMITERS = re.compile(r"(?<!\\)\\[()\[\]]")
_SIZES = re.compile(
    r"\\(?:left|right|middle)(?![A-Za-z])\s*\.?"
    r"|\\(?:[bB]igg?[lrm]?|displaystyle|textstyle|limits|nolimits)(?![A-Za-z])"
)
_COLORS = re.compile(r"\\(?:text)?color\s*\{[^{}]*\}")
_NEGATIVE_SPACE = re.compile(r"\\!")
_SPACES = re.compile(
    r"(?<!\\)\\[,;: >]|~|\\(?:q?quad|thinspace|enspace)(?![A-Za-z])|\\[hv]space\*?\{[^{}]*\}"
)
_FRACTIONS = re.compile(r"\\[dtc]frac(?![A-Za-z])")
_NAMES = (
    (re.compile(r"\\le(?![A-Za-z])"), r"\\leq"),
    (re.compile(r"\\leqslant(?![A-Za-z])"), r"\\leq"),
    (re.compile(r"\\ge(?![A-Za-z])"), r"\\geq"),
    (re.compile(r"\\geqslant(?![A-Za-z])"), r"\\geq"),
    (re.compile(r"\\ne(?![A-Za-z])"), r"\\neq"),
    (re.compile(r"\\varnothing(?![A-Za-z])"), r"\\emptyset"),
    (re.compile(r"\\(?:lbrace|rbrace)(?![A-Za-z])"), lambda m: r"\{" if "l" in m[0][:2] else r"\}"),
    (re.compile(r"<="), r"\\leq "),
    (re.compile(r">="), r"\\geq "),
)
_FONTS = re.compile(
    r"\\(?:text|textrm|textbf|textit|textnormal|mathrm|mathbf|mathit|mathsf|rm|bf|mbox|hbox"
    r"|operatorname\*?|boldsymbol|emph)(?![A-Za-z])\s*\{([^{}]*)\}"
)
_BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
_THOUSANDS_BRACE = re.compile(r"(?<![\d.,}])[1-9]\d{0,2}(?:\{,\}\d{3})+(?!\d|\{,\})")
_THOUSANDS_SPACE = re.compile(
    r"(?<![\d.])[1-9]\d{0,2}(?:(?:\\,|\\ |\\;|[ \u2009\u202f])\d{3})+(?![\d/]|\s*/)"
)
_SHORT_FRACTION = re.compile(r"\\frac\s*(\d|[A-Za-z]|\{[^{}]*\})\s*(\d|[A-Za-z]|\{[^{}]*\})")
_SHORT_ROOT = re.compile(r"\\sqrt\s*(\d|[A-Za-z])(?![A-Za-z])")
_SHORT_SCRIPT = re.compile(r"([\^_])\s*\{\s*([A-Za-z0-9])\s*\}")
_DEGREES = re.compile(r"\^\s*\{?\s*\\circ\s*\}?|\\degree(?![A-Za-z])")
_PERCENT = re.compile(r"\\%")
_DOUBLE_DOLLAR = re.compile(r"\$\$")


def tidy(text: str) -> str:
    r"""Return a formula without what only lays it out: sizes, spacing, math delimiters.

    Words in `\text{}` stay marked, since `\text{m}` may be a unit where `m` is a variable.

    >>> tidy(r"\(\left( \dfrac12 ,\; 70\,000 \right)\)")
    '( \\frac{1}{2} ,  70000 )'
    """
    text = plain_unicode(text).strip()
    text = _unwrapped_math(text)
    text = _THOUSANDS_BRACE.sub(lambda m: m[0].replace("{,}", ","), text)
    text = _THOUSANDS_SPACE.sub(lambda m: re.sub(r"[^\d]", "", m[0]), text)
    if "\\" in text:
        text = _NEGATIVE_SPACE.sub("", text)
        text = _SIZES.sub("", text)
        text = _COLORS.sub("", text)
        text = _SPACES.sub(" ", text)
        text = _FRACTIONS.sub(r"\\frac", text)
        text = _BOXED.sub(r"\1", text)
        text = _SHORT_FRACTION.sub(_braced_fraction, text)
        text = _SHORT_ROOT.sub(r"\\sqrt{\1}", text)
        text = _DEGREES.sub(r"^\\circ ", text)
        text = _PERCENT.sub("%", text)
    for pattern, name in _NAMES:
        text = pattern.sub(name, text)
    return _without_final_stop(text.strip())


def _braced_fraction(match: re.Match[str]) -> str:
    above, below = (part.strip("{}") if part[0] == "{" else part for part in match.groups())
    return rf"\frac{{{above}}}{{{below}}}"


def _unwrapped_math(text: str) -> str:
    r"""Drop `$…$`, `\(…\)` and `\[…\]`; an odd dollar, or an escaped one, is money: `\$`."""
    text = _DELIMITERS.sub(" ", text).strip() if "\\" in text else text
    if "$" not in text:
        return text
    text = _DOUBLE_DOLLAR.sub("$", text)
    escaped = text.count(r"\$")
    if (text.count("$") - escaped) % 2 == 0:
        return re.sub(r"(?<!\\)\$", "", text)
    return re.sub(r"(?<!\\)\$", r"\\$", text)


def _without_final_stop(text: str) -> str:
    while text.endswith((".", ",", ";")) and not text.endswith((r"\,", "...")):
        text = text[:-1].rstrip()
    return text.rstrip("\\ ") if text.endswith("\\") else text


# ---------------------------------------------------------------------------------------------
# The key of the string tier


_GAPS = re.compile(r"\s+")
_LOOSE = re.compile(r"(?<![A-Za-z0-9]) | (?![A-Za-z0-9])")
_COMMAND_END = re.compile(r"(\\[A-Za-z]+) (?![A-Za-z])")


def normalize(text: str) -> str:
    r"""Return the key under which two spellings of one formula or word agree.

    >>> normalize(r"$\dfrac{1}{2}\,$.") == normalize(r"\frac12")
    True
    >>> normalize("1 1/2") == normalize("11/2")
    False
    """
    return _normalize_short(text) if len(text) <= REMEMBERED_LENGTH else _normalize(text)


def _normalize(text: str) -> str:
    text = tidy(text)
    text = _FONTS.sub(_unmarked, text) if "\\" in text else text
    text = _SHORT_SCRIPT.sub(r"\1\2", text)
    text = _GAPS.sub(" ", text)
    text = _COMMAND_END.sub(r"\1", _LOOSE.sub("", text))
    return _without_final_stop(text.strip())


_normalize_short = lru_cache(maxsize=4096)(_normalize)


def _unmarked(match: re.Match[str]) -> str:
    """Drop the font of a word or a number; a single letter inside a formula keeps it."""
    content = match[1].strip()
    whole = match[0] == match.string.strip()
    if whole or len(content) != 1 or not content.isalpha():
        return f" {content} " if content[:1].isalpha() else content
    return rf"\text{{{content}}}"
