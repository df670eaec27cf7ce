r"""The symbols of a formula: one pass over LaTeX, plain or Unicode notation.

`tokenize` drops what only lays a formula out (sizes, spacing, math delimiters), gives each symbol
one spelling, and settles what a comma or a space between digits means before the parser sees it.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from rlrewards.verify.normalize import plain_unicode

MAX_TOKENS: Final = 4_000


class Token(NamedTuple):
    r"""One symbol.

    Attributes:
        kind: `number`, `letters` (a run of them), `command` (without the backslash), `upright`
            (what stands in `\text{}` and the like), `begin`, `end`, `symbol` or `stop`.
        text: Its one spelling.
        start: Where it stands in the text.
        spaced: Whether white space, or a spacing command, stands before it.
        plain: Whether it stands outside mathematics: not between dollars, and no command near.
    """

    kind: str
    text: str
    start: int
    spaced: bool
    plain: bool


_TOKEN: Final = re.compile(
    r"""
      (?P<space>(?:\s+|~|\\[,;:>!\ ]|\\(?:thinspace|enspace|medspace|thickspace|negthinspace
          |displaystyle|textstyle|scriptstyle|limits|nolimits|middle|nonumber|notag
          |[bB]igg?[lrm]?|tiny|small|normalsize|large|Large|LARGE|huge|Huge|bf|it|rm|mathstrut
          |left(?=\s*[^\s.<])|right(?=\s*[^\s.>])|left\s*\.)(?![A-Za-z])
          |\\left\s*\.|\\left(?=\s*[^\sA-Za-z.<])|\\right(?=\s*[^\sA-Za-z.>])
          |\\[hvm]space\*?\s*\{[^{}]*\}|\\(?:text)?color\s*\{[^{}]*\}|\\phantom\s*\{[^{}]*\}
          |\\[bB]igg?[lrm]?(?=[^A-Za-z]))+)
    | (?P<number>\d+(?:\.\d+|\.(?![.\d]))?|\.\d+)
    | (?P<upright>\\(?P<font>text(?:rm|bf|it|normal|sf|tt)?|math(?:rm|bf|it|sf|tt|cal|bb|frak|scr)
          |mbox|hbox|operatorname|boldsymbol|bm|emph|rm|bf)\*?(?![A-Za-z])\s*\{(?P<content>[^{}]*)\})
    | \\begin\s*\{\s*(?P<begin>[A-Za-z]+)\*?\s*\}(?:\s*\{[lcr|\s@{}!]*?\}(?=[^}]|$))?
    | \\end\s*\{\s*(?P<end>[A-Za-z]+)\*?\s*\}
    | (?P<raised>\^\s*(?:\{\s*)?\\(?:circ|degree)(?![A-Za-z])(?:\s*\}|\b|(?=[^A-Za-z]|$)))
    | \\(?P<command>[A-Za-z]+)\*?
    | (?P<letters>[A-Za-z]+)
    | (?P<symbol><=|>=|!=|==|\*\*|->|=>|\.\.\.|\\.|[^\s])
    """,
    re.VERBOSE | re.DOTALL,
)

_COMMAND_SYMBOLS: Final = {
    "leq": "≤", "le": "≤", "leqslant": "≤", "lt": "<", "geq": "≥", "ge": "≥", "geqslant": "≥",
    "gt": ">", "neq": "≠", "ne": "≠", "approx": "≈", "doteq": "≈", "bullet": "*", "simeq": "≈", "in": "∈",
    "notin": "∉", "subset": "⊂", "subseteq": "⊆", "equiv": "≡", "sim": "~", "to": "→",
    "rightarrow": "→", "longrightarrow": "→", "perp": "⊥", "parallel": "∥", "cup": "∪",
    "bigcup": "∪", "cap": "∩", "bigcap": "∩", "setminus": "∖", "backslash": "∖", "times": "*",
    "cdot": "*", "ast": "*", "div": "/", "langle": "⟨", "rangle": "⟩", "lbrack": "[",
    "rbrack": "]", "lbrace": r"\{", "rbrace": r"\}", "lparen": "(", "rparen": ")", "mid": "|",
    "vert": "|", "lvert": "|(", "rvert": ")|", "Vert": "‖", "lVert": "‖(", "rVert": ")‖",
    "lor": "or", "vee": "or", "land": "and", "wedge": "and", "degree": "°", "pm": "±", "mp": "∓",
    "dots": "…", "ldots": "…", "cdots": "…", "prime": "'", "colon": ":", "quad": "quad",
    "qquad": "quad", "over": "over", "choose": "choose", "cr": r"\\", "newline": r"\\",
    "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉", "iff": "⇔", "Leftrightarrow": "⇔",
    "Rightarrow": "⇒", "implies": "⇒", "leftrightarrow": "↔", "mod": "mod", "bmod": "mod",
    "pmod": "pmod", "right": "right", "cong": "≡",
}  # fmt: skip
_SYMBOLS: Final = {
    "<=": "≤", ">=": "≥", "!=": "≠", "==": "=", "**": "^", "->": "→", "=>": "⇒", "...": "…",
    r"\{": r"\{", r"\}": r"\}", r"\%": "%", r"\$": "$", r"\|": "‖", r"\&": "and", r"\#": "#",
    r"\_": "_", "\\\\": "\\\\", r"\'": "'", "\\\n": " ", "·": "*",
}  # fmt: skip
_SAME_COMMAND: Final = {
    "dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "dbinom": "binom", "tbinom": "binom",
    "varnothing": "emptyset", "oslash": "emptyset", "infin": "infty", "arctg": "arctan",
    "tg": "tan", "ctg": "cot", "textdegree": "degree", "varepsilon": "epsilon",
    "vartheta": "theta", "varphi": "phi", "arsinh": "arcsinh", "arcosh": "arccosh",
    "artanh": "arctanh", "widehat": "hat", "overrightarrow": "vec", "underbar": "underline",
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "widetilde": "tilde", "uline": "underline",
}  # fmt: skip
_WORDS: Final = frozenset({"and", "or", "mod"})
_SETS: Final = {"R": "reals", "N": "naturals", "Z": "integers", "Q": "rationals", "C": "complexes"}


def tokenize(text: str) -> list[Token] | None:
    r"""Return the symbols of a text and a final `stop`, or None where there are too many.

    >>> [token.text for token in tokenize(r"\left( x \leq \dfrac12 \right)") or ()]
    ['(', 'x', '≤', 'frac', '12', ')', '']
    """
    text = prepared(text)
    tokens: list[Token] = []
    is_math = "\\" in text
    in_dollars = spaced = False
    opening_dollars = _math_dollars(text)
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "space":
            spaced = True
            continue
        if kind == "symbol" and match[0] == "$" and match.start() in opening_dollars:
            in_dollars, spaced = not in_dollars, True
            if in_dollars and tokens and _EMPTY_GAP.search(text, 0, match.start()):
                tokens.append(Token("symbol", "quad", match.start(), True, False))
            continue
        if len(tokens) >= MAX_TOKENS:
            return None
        plain = not (in_dollars or (is_math and not opening_dollars))
        tokens += _made(match, kind, spaced, plain)
        spaced = False
    tokens.append(Token("stop", "", len(text), spaced, False))
    return tokens


_EMPTY_GAP: Final = re.compile(r"\$\s+\Z")


def _made(match: re.Match[str], kind: str | None, spaced: bool, plain: bool) -> list[Token]:
    start = match.start()
    if kind == "number":
        return [Token("number", match[0].rstrip("."), start, spaced, plain)]
    if kind == "command":
        name = match["command"]
        name = _SAME_COMMAND.get(name, name)
        symbol = _COMMAND_SYMBOLS.get(name)
        kind, text = ("command", name) if symbol is None else ("symbol", symbol)
        return [Token(kind, text, start, spaced, plain)]
    if kind == "letters":
        run = match[0]
        return [Token("symbol" if run in _WORDS else "letters", run, start, spaced, plain)]
    if kind == "symbol":
        text = match[0]
        return [Token("symbol", _SYMBOLS.get(text, text), start, spaced, plain)]
    if kind == "raised":
        return [Token("symbol", "°", start, spaced, plain)]
    if kind == "upright":
        return _upright(match, spaced)
    assert kind is not None
    return [Token(kind, match[kind], start, spaced, plain)]


_TEXT_FONTS: Final = frozenset("text textrm textbf textit textnormal mbox hbox emph".split())
_ROMAN_FONTS: Final = frozenset({"mathrm", "rm", "operatorname"})


def _upright(match: re.Match[str], spaced: bool) -> list[Token]:
    r"""Return what `\text{…}` and `\mathrm{…}` hold: a joiner, mathematics, or upright text."""
    start, font, content = match.start(), match["font"], match["content"]
    bare = content.strip(" ~,;:").casefold()
    if bare in _WORDS:
        return [Token("symbol", bare, start, True, False)]
    if font in ("mathbb", "mathbf") and bare.upper() in _SETS and content.strip().isupper():
        return [Token("set", _SETS[bare.upper()], start, spaced, False)]
    inner = content.strip(" ~")
    is_words = font in _TEXT_FONTS or font in _ROMAN_FONTS
    if is_words and inner[:1].isalpha():
        kind = "text" if font in _TEXT_FONTS else "roman"
        return [Token(kind, inner, start, spaced or content[:1] in (" ", "~"), False)]
    found = (tokenize(inner) or [])[:-1] if inner else []
    return [token._replace(start=start, plain=False) for token in found]


# ---------------------------------------------------------------------------------------------
# What commas, spaces and dollars between digits mean


_THOUSANDS_BRACE: Final = re.compile(r"(?<=\d)\{,\}(?=\d{3})")
_THOUSANDS_SPACE: Final = re.compile(
    r"(?<![\d.,])\d{1,3}(?:(?:\\,|\\ |\\;|[ ~\u2009\u202f])\d{3})+(?![\d/]|,\d|\s*/)"
)
_GROUPED: Final = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_DIGIT_COMMA: Final = re.compile(r"\d,\d{3}")
_ANGLES: Final = re.compile(r"\s*<([^<>=]*,[^<>=]*)>\s*")
_DOUBLE_DOLLAR: Final = re.compile(r"(?<!\\)\$\$")
_DELIMITERS: Final = re.compile(r"(?<!\\)\\[()\[\]](?!\d*(?:pt|ex|em)\])")
_BOXED: Final = re.compile(r"\\f?(?:boxed|box)\s*\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}")


def prepared(text: str) -> str:
    """Return the text with its digits grouped and its delimiters told apart."""
    text = plain_unicode(text).strip()
    if "\\" in text:
        text = text.replace(r"\!", "")
        text = _BOXED.sub(r" \1 ", text)
        text = _DELIMITERS.sub(" $ ", text)
    if "{,}" in text:
        text = _THOUSANDS_BRACE.sub("", text)
    if "$$" in text:
        text = _DOUBLE_DOLLAR.sub("$", text)
    if " " in text or "\\" in text or "~" in text:
        text = _THOUSANDS_SPACE.sub(lambda m: re.sub(r"[^\d]", "", m[0]), text)
    if "<" in text and (angles := _ANGLES.fullmatch(text)):
        text = rf"\langle {angles[1]} \rangle"
    return without_final_stop(text)


def without_final_stop(text: str) -> str:
    """Return the text without the full stops, commas and dollars that end it."""
    while text[-1:] in (".", ",", ";", ":") and text[-2:] != "..":
        if text[-2:-1] == "\\" and text[-1] != ".":
            break
        text = text[:-1].rstrip()
    return text


def ungrouped(text: str) -> str:
    """Return the text without the commas that group digits, outside brackets.

    A comma groups digits only if every comma at its level does, or separates with a space after it.

    >>> ungrouped("12,345"), ungrouped("36,36,108"), ungrouped("(0,125)"), ungrouped("1,000, 2,000")
    ('12345', '36,36,108', '(0,125)', '1000, 2000')
    """
    if _DIGIT_COMMA.search(text) is None:
        return text
    groups = [match.span() for match in _GROUPED.finditer(text)]
    depth, dropped = 0, []
    for index, char in enumerate(text):
        if char in "([" or text.startswith(r"\{", index):
            depth += 1
        elif char in ")]" or text.startswith(r"\}", index):
            depth -= 1
        elif char == "," and depth == 0:
            if any(start < index < stop for start, stop in groups):
                dropped.append(index)
            elif not text[index + 1 : index + 2].isspace():
                return text
    return "".join(char for index, char in enumerate(text) if index not in dropped)


_MONEY: Final = re.compile(r"(?:(?<=[\s(])|^)\$(?=\s*-?[\d.])")


def _math_dollars(text: str) -> frozenset[int]:
    r"""Return where the dollars stand that delimit mathematics; the others are money."""
    if "$" not in text:
        return frozenset()
    found = [i for i, char in enumerate(text) if char == "$" and text[i - 1 : i] != "\\"]
    if len(found) % 2 or (len(found) == len(_MONEY.findall(text)) and len(found) > 0):
        return frozenset()
    return frozenset(found)
