r"""The symbols of a formula: one pass over LaTeX, plain or Unicode notation.

`tokenize` drops what only lays a formula out (sizes, spacing, math delimiters), gives each symbol
one spelling, and settles what a comma or a space between digits means before the parser sees it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from rlrewards.verify.normalize import REMEMBERED_LENGTH, plain_unicode

MAX_LENGTH: Final = 8_000
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
    r"([^\S\n]+|\n|~)"
    r"|([0-9]+(?:\.[0-9]+|\.(?![.0-9]))?|\.[0-9]+)"
    r"|([A-Za-z]+)"
    r"|\\([A-Za-z]+)\*?"
    r"|(<=|>=|!=|==|\*\*|->|=>|\.\.\.|\+/?-(?![+-])|-/\+|\\.|\S)",
    re.DOTALL,
)
_SPACE, _NUMBER, _LETTERS, _COMMAND, _SIGN = range(1, 6)

_LAYOUT: Final = frozenset(
    """
    thinspace enspace medspace thickspace negthinspace displaystyle textstyle scriptstyle limits
    nolimits middle nonumber notag tiny small normalsize large Large LARGE huge Huge bf it rm
    mathstrut big Big bigg Bigg bigl Bigl biggl Biggl bigr Bigr biggr Biggr bigm Bigm
    """.split()
)
"""Commands that only lay a formula out."""
_SPACING: Final = frozenset([r"\,", r"\;", r"\:", r"\>", r"\!", r"\ ", "\\\n"])
_BRACED: Final = re.compile(r"\s*\{([^{}]*)\}")
_COLUMNS: Final = re.compile(r"\s*\{[lcr|\s@{}!]*?\}(?=[^}]|$)")
_RAISED: Final = re.compile(r"\^\s*(?:\\(?:circ|degree)(?![A-Za-z])|\{\s*\\(?:circ|degree)\s*\})")
_INVISIBLE: Final = re.compile(r"\s*\.")
_VECTOR: Final = r"\\(?:vec|overrightarrow|mathbf|boldsymbol|bm|hat|widehat)(?![A-Za-z])\s*"
_VECTOR_BEHIND: Final = re.compile(rf"[\s(]*(?:\\left\s*\([\s(]*)?{_VECTOR}\{{?\s*[A-Za-z]")
_VECTOR_BEFORE: Final = re.compile(
    rf"{_VECTOR}(?:[A-Za-z]|\{{\s*[A-Za-z]{{1,2}}\s*\}})(?:_\w|_\{{\w+\}})?(?:\\right|[\s)])*\Z"
)
_ANGLE: Final = re.compile(r"\s*([<>])")
_ROW_GAP: Final = re.compile(r"\s*\[\s*-?[\d.]+\s*(?:pt|ex|em|mm|cm)\s*\]")
_ONE: Final = re.compile(r"\s*([A-Za-z0-9])")

_COMMAND_SYMBOLS: Final = {
    "leq": "≤", "le": "≤", "leqslant": "≤", "lt": "<", "geq": "≥", "ge": "≥", "geqslant": "≥",
    "gt": ">", "neq": "≠", "ne": "≠", "approx": "≈", "doteq": "≈", "bullet": "*",
    "simeq": "≈", "in": "∈",
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
    "+-": "±", "+/-": "±", "-/+": "∓",
    r"\{": r"\{", r"\}": r"\}", r"\%": "%", r"\$": "$", r"\|": "‖", r"\&": "and", r"\#": "#",
    r"\_": "_", "\\\\": "\\\\", r"\'": "'", "\\\n": " ", "·": "*",
}  # fmt: skip
_SAME_COMMAND: Final = {
    "dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "dbinom": "binom", "tbinom": "binom",
    "varnothing": "emptyset", "oslash": "emptyset", "infin": "infty", "arctg": "arctan",
    "tg": "tan", "ctg": "cot", "textdegree": "degree", "varepsilon": "epsilon",
    "vartheta": "theta", "varphi": "phi", "arsinh": "arcsinh", "arcosh": "arccosh",
    "artanh": "arctanh", "widehat": "hat", "overrightarrow": "vec", "underbar": "underline",
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "widetilde": "tilde",
    "uline": "underline",
}  # fmt: skip
_WORDS: Final = frozenset({"and", "or", "mod"})
_SETS: Final = {"R": "reals", "N": "naturals", "Z": "integers", "Q": "rationals", "C": "complexes"}


def tokenize(text: str) -> list[Token] | None:
    r"""Return the symbols of a text and a final `stop`, or None where there are too many.

    >>> [token.text for token in tokenize(r"\left( x \leq \dfrac12 \right)") or ()]
    ['(', 'x', '≤', 'frac', '12', ')', '']
    """
    return _Tokenizer(prepared(text)).all()


Symbols: TypeAlias = tuple[Token, ...]


def symbols(text: str) -> Symbols | None:
    """Return what `tokenize` returns, or None for a text beyond `MAX_LENGTH`.

    The symbols of short texts are remembered for a while.
    """
    if len(text) > MAX_LENGTH:
        return None
    return _symbols_short(text) if len(text) <= REMEMBERED_LENGTH else _symbols(text)


def _symbols(text: str) -> Symbols | None:
    found = tokenize(text)
    return None if found is None else tuple(found)


_symbols_short = lru_cache(maxsize=1024)(_symbols)


def same_symbols(left: Symbols, right: Symbols) -> bool:
    """Whether two texts are spelled alike, layout aside.

    A space counts where it tells a unit from a variable: 5 m from 5m.
    """
    return len(left) == len(right) and all(
        one.text == other.text
        and one.kind == other.kind
        and (one.kind != "letters" or (one.spaced and one.plain) == (other.spaced and other.plain))
        for one, other in zip(left[:-1], right[:-1], strict=True)
        if one is not other
    )


class _Tokenizer:
    """One pass over a prepared text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.tokens: list[Token] = []
        self.spaced = False
        self.dollars = _math_dollars(text)
        self.closed = -1
        self.plain = bool(self.dollars) or "\\" not in text

    def all(self) -> list[Token] | None:
        text, tokens, match = self.text, self.tokens, _TOKEN.match
        while (found := match(text, self.at)) is not None:
            start, self.at = self.at, found.end()
            kind = found.lastindex
            if kind == _SPACE:
                self.spaced = True
                continue
            if len(tokens) >= MAX_TOKENS:
                return None
            if kind == _NUMBER:
                tokens.append(Token("number", found[0].rstrip("."), start, self.spaced, self.plain))
            elif kind == _LETTERS:
                run = found[0]
                name = "symbol" if run in _WORDS else "letters"
                if run == "mod":
                    run = self._modulus()
                tokens.append(Token(name, run, start, self.spaced, self.plain))
            elif kind == _COMMAND:
                if not self._command(found[4], start):
                    continue
            elif not self._sign(found[0], start):
                continue
            self.spaced = False
        tokens.append(Token("stop", "", len(text), self.spaced, False))
        return tokens

    def _sign(self, sign: str, start: int) -> bool:
        """Add a sign; a spacing command, or a dollar around mathematics, is none."""
        if sign in _SPACING:
            self.spaced = True
            return False
        if sign == "$" and start in self.dollars:
            self._dollar(start)
            return False
        if sign == "^" and (raised := _RAISED.match(self.text, start)):
            self.at = raised.end()
            sign = "°"
        name = _SYMBOLS.get(sign, sign)
        if name == "\\\\" and (gap := _ROW_GAP.match(self.text, self.at)):
            self.at = gap.end()
        self.tokens.append(Token("symbol", name, start, self.spaced, self.plain))
        return True

    def _dollar(self, start: int) -> None:
        self.spaced = True
        gap = self.text[self.closed + 1 : start] if self.closed >= 0 else ""
        self.closed = -1 if self.plain else start
        if self.plain and self.tokens and gap.isspace():
            self.tokens.append(Token("symbol", "quad", start, True, False))
        self.plain = not self.plain

    def _command(self, name: str, start: int) -> bool:
        """Add what a command stands for; one that only lays out the formula is nothing."""
        if name in _LAYOUT and not (name in _FONTS and _BRACED.match(self.text, self.at)):
            self.spaced = True
            return False
        if name in ("left", "right"):
            return self._sized(name, start)
        if name in _FONTS:
            content = _BRACED.match(self.text, self.at) or _ONE.match(self.text, self.at)
            if content is None:  # the font of a formula
                self.spaced = True
                return False
            self.at = content.end()
            self.tokens += _upright(name, content[1], start, self.spaced)
            return True
        if name in ("begin", "end") and (content := _BRACED.match(self.text, self.at)):
            self.at = content.end()
            if name == "begin" and (columns := _COLUMNS.match(self.text, self.at)):
                self.at = columns.end()
            environment = content[1].strip().rstrip("*")
            self.tokens.append(Token(name, environment, start, self.spaced, False))
            return True
        if name in _HIDDEN:
            hidden = _BRACED.match(self.text, self.at)
            self.at = hidden.end() if hidden else self.at
            self.spaced = True
            return False
        name = _SAME_COMMAND.get(name, name)
        symbol = _COMMAND_SYMBOLS.get(name)
        if symbol == "mod":
            symbol = self._modulus()
        elif symbol == "*" and self._is_between_vectors(start):
            symbol = "×" if name == "times" else "⋅"
        kind, shown = ("command", name) if symbol is None else ("symbol", symbol)
        self.tokens.append(Token(kind, shown, start, self.spaced, self.plain))
        return True

    def _is_between_vectors(self, start: int) -> bool:
        """Whether a sign is a product of vectors, where dot and cross are two."""
        if _VECTOR_BEHIND.match(self.text, self.at) is None:
            return False
        return _VECTOR_BEFORE.search(self.text[max(start - 40, 0) : start]) is not None

    def _modulus(self) -> str:
        r"""Tell the modulus of `x \equiv 3 \mod 7` from the operation in `10 \mod 7`."""
        tokens = self.tokens
        is_bracketed = bool(tokens) and tokens[-1].text == "("
        is_congruence = any(token.text == "≡" for token in tokens[-40:])
        return "pmod" if is_congruence and not is_bracketed else "mod"

    def _sized(self, name: str, start: int) -> bool:
        r"""Pass `\left` and `\right`; of `\right.` remains that a bracket closes here."""
        if invisible := _INVISIBLE.match(self.text, self.at):
            self.at = invisible.end()
            if name == "right":
                self.tokens.append(Token("symbol", "right", start, self.spaced, False))
                return True
        elif angle := _ANGLE.match(self.text, self.at):
            self.at = angle.end()
            sign = "⟨" if angle[1] == "<" else "⟩"
            self.tokens.append(Token("symbol", sign, start, self.spaced, False))
            return True
        self.spaced = True
        return False


_TEXT_FONTS: Final = frozenset("text textrm textbf textit textnormal mbox hbox emph".split())
_ROMAN_FONTS: Final = frozenset({"mathrm", "rm", "operatorname"})
_FONTS: Final = (
    _TEXT_FONTS
    | _ROMAN_FONTS
    | frozenset(
        "mathbf mathit mathsf mathtt mathcal mathbb Bbb mathfrak mathscr boldsymbol bm bf".split()
    )
)
_HIDDEN: Final = frozenset("hspace vspace mspace color textcolor phantom hphantom".split())


def _upright(font: str, content: str, start: int, spaced: bool) -> list[Token]:
    r"""Return what `\text{…}` and `\mathrm{…}` hold: a joiner, mathematics, or upright text."""
    bare = content.strip(" ~,;:").casefold()
    if bare in _WORDS:
        return [Token("symbol", bare, start, True, False)]
    if font in ("mathbb", "mathbf", "Bbb") and bare.upper() in _SETS and content.strip().isupper():
        return [Token("set", _SETS[bare.upper()], start, spaced, False)]
    inner = content.strip(" ~")
    is_words = font in _TEXT_FONTS or font in _ROMAN_FONTS
    if is_words and inner[:1].isalpha():
        kind = "text" if font in _TEXT_FONTS else "roman"
        joiner = _ENDS_IN_JOINER.fullmatch(inner)
        words = Token(
            kind, joiner[1] if joiner else inner, start, spaced or content[:1] in (" ", "~"), False
        )
        return [words, Token("symbol", joiner[2], start, True, False)] if joiner else [words]
    if inner in (",", ";", ":", ".,"):
        return [Token("symbol", inner[-1], start, spaced, False)]
    found = (tokenize(inner) or [])[:-1] if inner else []
    return [token._replace(start=start, plain=False) for token in found]


_ENDS_IN_JOINER: Final = re.compile(r"(.*[a-z]) (and|or)")


# ---------------------------------------------------------------------------------------------
# What commas, spaces and dollars between digits mean


_POWER_IN_TEXT: Final = re.compile(r"\$\^\{?([23])\}?\$(?=\s*\})")
_REPEATING_FROM_POINT: Final = re.compile(r"(?<![\d.])\.(?=\\(?:overline|bar|dot)(?![a-z]))")
_LINE_OF_SYSTEM: Final = re.compile(r"(?<=[\w)}])[^\S\n]{0,8}\n\s{0,8}(?=[A-Za-z]\w{0,2}\s{0,8}=)")
_THOUSANDS_BRACE: Final = re.compile(r"(?<![\d.,}])[1-9]\d{0,2}(?:\{,\}\d{3})+(?!\d|\{,\})")
_THOUSANDS_SPACE: Final = re.compile(
    r"(?<![\d.,])[1-9]\d{0,2}(?:(?:\\,|\\ |\\;|[ ~\u2009\u202f])\d{3})+(?![\d/]|,\d|\s*/)"
)
_GROUPED: Final = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:,\d{3})+(?!\d|,\d)")
_DIGIT_COMMA: Final = re.compile(r"\d,\d{3}")
_ANGLES: Final = re.compile(r"\s*<([^<>=]*,[^<>=]*)>\s*")
_DOUBLE_DOLLAR: Final = re.compile(r"(?<!\\)\$\$")
_DELIMITERS: Final = re.compile(r"(?<!\\)\\[()\[\]](?!\d*(?:pt|ex|em)\])")
_SPACED_DIGITS: Final = re.compile(r"\d(?:\\[,; ]|[ ~\u2009\u202f])\d{3}")
_BOXED: Final = re.compile(r"\\f?(?:boxed|box)\s*\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}")


def prepared(text: str) -> str:
    """Return the text with its digits grouped and its delimiters told apart."""
    text = plain_unicode(text).strip()
    if "\\" in text:
        text = text.replace(r"\!", "")
        if "box" in text:
            text = _BOXED.sub(r" \1 ", text)
        if r"\(" in text or r"\[" in text:
            text = _DELIMITERS.sub(" $ ", text)
    if "{:}" in text:
        text = text.replace("{:}", ":")
    if "$^" in text and "\\" in text:
        text = _POWER_IN_TEXT.sub(r"^\1", text)
    if ".\\" in text:
        text = _REPEATING_FROM_POINT.sub("0.", text)
    if "\n" in text and "=" in text and "\\begin" not in text:
        text = _LINE_OF_SYSTEM.sub(r" \\\\ ", text)
    if text[-1:] == "\\":
        text = text.rstrip("\\ ")
    if "{,}" in text:
        text = _THOUSANDS_BRACE.sub(lambda m: m[0].replace("{,}", ""), text)
    if "$$" in text:
        text = _DOUBLE_DOLLAR.sub("$", text)
    if _SPACED_DIGITS.search(text) is not None:
        text = _THOUSANDS_SPACE.sub(lambda m: re.sub(r"[^\d]", "", m[0]), text)
    if "<" in text and (angles := _ANGLES.fullmatch(text)):
        text = rf"\langle {angles[1]} \rangle"
    return without_final_stop(text)


_FINAL_STOP: Final = re.compile(r"(?:(?<![.,;:\s\\])|(?<=\\[,;:]))[.,;:\s]+(\\?\$?)\Z")


def without_final_stop(text: str) -> str:
    """Return the text without the full stops and commas that end it, also those inside `$…$`."""
    if text[-1:] not in ".,;:$" or text.endswith(("...", "\\right.")):
        return text
    found = _FINAL_STOP.search(text, max(0, len(text) - 20))
    if found is None or text.endswith("\\right.", 0, found.start() + 1):
        return text
    return text[: found.start()] + found[1]


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


_NO_DOLLARS: Final[frozenset[int]] = frozenset()


def _math_dollars(text: str) -> frozenset[int]:
    r"""Return where the dollars stand that delimit mathematics; the others are money."""
    if "$" not in text:
        return _NO_DOLLARS
    if len(text) > 1 and text[0] == text[-1] == "$" and text.find("$", 1) == len(text) - 1:
        return frozenset((0, len(text) - 1))
    found = [i for i, char in enumerate(text) if char == "$" and text[i - 1 : i] != "\\"]
    if len(found) % 2 or (len(found) == len(_MONEY.findall(text)) and len(found) > 0):
        return frozenset()
    return frozenset(found)
