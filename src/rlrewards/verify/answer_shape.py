r"""What kind of thing an answer is: one value, a list, a tuple, an interval, an equation, a matrix.

`shape` splits an answer at its outermost separators, relations and brackets, and leaves the
formulas in between as tokens for `sympy_reading`. Whether `(1,2)` is a point or an interval is left
open: it stays a `Bracket`, and the comparison reads both sides the way the reference asks for.
Anything that this grammar does not have is `UnreadableError`; nothing is guessed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from rlrewards.verify.normalize import tidy
from rlrewards.verify.units import UNITS

MAX_TOKENS: Final = 600
MAX_DEPTH: Final = 40


class UnreadableError(Exception):
    """The text is outside what can be read; the message says why.

    Attributes:
        gap: Whether it is well-formed mathematics that is not read yet, such as a matrix inside a
            formula or a prime, rather than malformed: two numbers side by side, brackets that do
            not match, words and commands that nobody knows.
        side: "answer" or "reference", where it is known.
    """

    def __init__(self, why: str, *, gap: bool = False, side: str | None = None) -> None:
        super().__init__(why)
        self.gap = gap
        self.side = side

    def of(self, side: str) -> UnreadableError:
        """Return the same error about one side."""
        return UnreadableError(f"{side}: {self}", gap=self.gap, side=side)


Tokens: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Formula:
    """One value; `suffix` is `%`, `°` or empty."""

    tokens: Tokens
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """Several shapes: `list` without brackets (or from ±), `set` in braces; order is free."""

    kind: str
    items: tuple[Shape, ...]
    joined_by: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Bracket:
    """Shapes in round or square brackets: a tuple, or an interval when there are two."""

    left: str
    right: str
    items: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Union:
    """Parts joined by ∪."""

    parts: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """A chain: `members[0] signs[0] members[1] signs[1] …`."""

    members: tuple[Shape, ...]
    signs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows of entries."""

    rows: tuple[tuple[Shape, ...], ...]


@dataclass(frozen=True, slots=True)
class Named:
    """A set with a name: `empty` or `reals`."""

    name: str


Shape: TypeAlias = Formula | Listing | Bracket | Union | Relation | Matrix | Named


def shape(text: str) -> Shape:
    r"""Return the shape of an answer.

    >>> shape(r"\left(0,\frac12\right]").right
    ']'

    Raises:
        UnreadableError: the text holds words, unbalanced brackets, or notation that is not known.
    """
    if (name := _PHRASES.get(_phrase(text))) is not None:
        return Named(name)
    tokens = _with_fractions(tokenize(text))
    if len(tokens) > MAX_TOKENS:
        raise UnreadableError(f"more than {MAX_TOKENS} symbols", gap=True)
    _check_brackets(tokens)
    return _shape(tokens[1:] if tokens[:1] == ("≈",) else tokens)


def names_a_set(text: str) -> bool:
    r"""Whether the text is one of the closed phrases for no number at all, or for all of them.

    Such words are mathematics: "no solution" is what \varnothing is.

    >>> names_a_set(r"\text{No real solutions.}"), names_a_set("all real numbers but 3")
    (True, False)
    """
    return _phrase(text) in _PHRASES


_LONGEST_PHRASE: Final = 200


def _phrase(text: str) -> str:
    if len(text) > _LONGEST_PHRASE:
        return ""
    words = _FONT.sub(r" \1 ", tidy(text)).replace("$", " ").casefold().split()
    return " ".join(words).strip(" .!")


_PHRASES: Final = {
    **dict.fromkeys(
        [
            "none", "empty", "empty set", "the empty set", "null set", "the null set",
            *(
                f"{start}{real}{what}"
                for start in ("no ", "there is no ", "there are no ")
                for real in ("", "real ")
                for what in ("solution", "solutions", "root", "roots")
            ),
        ],
        "empty",
    ),
    **dict.fromkeys(
        [
            "reals", "the reals", "all reals", "all real values", "any real number",
            "every real number",
            *(
                f"{start}real numbers"
                for start in ("", "all ", "the ", "the set of ", "set of ", "the set of all ",
                              "set of all ", "all the ")
            ),
        ],
        "reals",
    ),
}  # fmt: skip

# ---------------------------------------------------------------------------------------------
# Tokens


_FONT: Final = re.compile(
    r"\\(?:text|textrm|textbf|textit|textnormal|mathrm|mathbf|mathit|rm|bf|mbox|hbox"
    r"|operatorname\*?|boldsymbol)(?![A-Za-z])\s*\{([^{}]*)\}"
)
_TOKEN: Final = re.compile(
    r"\\(?:begin|end)\s*\{[A-Za-z]+\*?\}(?:\s*\{[clr|\s]*\})?"
    r"|\\mathbb\s*\{?\s*[A-Z]\s*\}?|\\[A-Za-z]+|\\.|\d+(?:\.\d+)?|\.\d+|[A-Za-z]+"
    r"|\^\s*\{?\s*\\circ\s*\}?|[<>]=|!=|\*\*|[^\sA-Za-z\d]",
    re.DOTALL,
)
_MATRIX_NAMES: Final = frozenset({"matrix", "pmatrix", "bmatrix", "smallmatrix", "array"})
_RENAMED: Final = {
    r"\leq": "≤", r"\le": "≤", r"\leqslant": "≤", "<=": "≤", r"\lt": "<",
    r"\geq": "≥", r"\ge": "≥", r"\geqslant": "≥", ">=": "≥", r"\gt": ">",
    r"\neq": "≠", r"\ne": "≠", "!=": "≠", r"\approx": "≈", r"\in": "∈",
    r"\cup": "∪", r"\times": "*", r"\cdot": "*", r"\ast": "*", r"\div": "/", "**": "^",
    r"\langle": "(", r"\rangle": ")", r"\lbrack": "[", r"\rbrack": "]",
    r"\lbrace": r"\{", r"\rbrace": r"\}", r"\varnothing": "∅", r"\emptyset": "∅",
    r"\mid": "|", r"\vert": "|", r"\lvert": "|(", r"\rvert": ")|", r"\lor": "or", r"\vee": "or",
    r"\land": "and", r"\wedge": "and", r"\%": "%", r"\dfrac": r"\frac", r"\tfrac": r"\frac",
    r"\cfrac": r"\frac", r"\degree": "°", r"\dots": r"\ldots", r"\cdots": r"\ldots",
    "\\": "\\\\",  # `\\ ` whose blank was taken for a space
}  # fmt: skip
_SPACING: Final = frozenset(
    rf"\{name}"
    for name in (
        *(",", ";", ":", "!", " ", "quad", "qquad", "displaystyle", "textstyle", "scriptstyle"),
        *("tiny", "small", "normalsize", "large", "Large", "LARGE", "huge", "Huge", "bf", "it"),
        *("underline", "uline"),
    )
)
_THOUSANDS: Final = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")


def tokenize(text: str) -> Tokens:
    r"""Return the symbols of a formula, one spelling for each.

    >>> tokenize(r"x \leq \dfrac{1}{2}")
    ('x', '≤', '\\frac', '{', '1', '}', '{', '2', '}')
    """
    text = _FONT.sub(_unmarked, tidy(text))
    text = _NOT_EQUAL.sub(r"\\neq ", text)
    text = _REPEATING.sub(_repeating, text)
    text = _SHORT_BINOMIAL.sub(r"\1{\2}{\3}", text)
    if _THOUSANDS.fullmatch(text.strip()):
        text = text.replace(",", "")
    found = (re.sub(r"\s+", "", token) for token in _TOKEN.findall(text))
    return tuple(_renamed(token) for token in found if token not in _SPACING)


_NOT_EQUAL: Final = re.compile(r"\\not\s*(?:=|\{=\})")
_SHORT_BINOMIAL: Final = re.compile(r"(\\[dt]?binom)\s*(\d)\s*(\d)")
_REPEATING: Final = re.compile(
    r"(?<![\d.,])(\d{0,50})\.(\d{0,50})\\(?:overline|bar|dot)(?![A-Za-z])\s*(?:\{\s*(\d{1,50})\s*\}|(\d))"
    r"(?![\d.\\])"
)


def _repeating(match: re.Match[str]) -> str:
    r"""Write 0.1\overline{6} as 1/6."""
    whole, fixed, period = match[1] or "0", match[2], match[3] or match[4]
    under = 10 ** len(fixed) * (10 ** len(period) - 1)
    over = int(whole + fixed + period) - int(whole + fixed)
    common = math.gcd(over, under)
    return rf"{{\frac{{{over // common}}}{{{under // common}}}}}"


def _renamed(token: str) -> str:
    if token.startswith("^") and len(token) > 1:
        return "°"
    if token.startswith(r"\mathbb"):
        return "ℝ" if "R" in token else token
    return _RENAMED.get(token, token)


def _unmarked(match: re.Match[str]) -> str:
    r"""Keep a letter, a number, a connective or the name of a function; mark units and words."""
    content = match[1].strip()
    before = match.string[: match.start()].rstrip()
    if (len(content) > 1 and content in UNITS) or _is_letter_of_unit(content, match[0], before):
        return r" \unit "
    if re.fullmatch(r"[A-Za-z]|[\d.]*|,?\s*(?:or|and)|,", content):
        return f" {content} "
    if "operatorname" in match[0] or content in {"ln", "log", "sin", "cos", "tan"}:
        return rf" \{content} " if content.isalpha() else r" \unknown "
    return r" \words "


def _is_letter_of_unit(content: str, marked: str, before: str) -> bool:
    r"""Whether an upright letter measures what it stands behind: `2\text{ m}` is no product."""
    if len(content) != 1 or not content.isalpha() or content in "ei":
        return False
    if marked.startswith((r"\text", r"\mbox", r"\hbox")):
        return before[-1:].isdigit() or before.endswith(("}", ")"))
    return marked.startswith((r"\mathrm", r"\rm")) and before[-1:].isdigit()


_OPENING: Final = {"(": "round", "[": "round", "{": "curly", r"\{": "set", "|(": "bar"}
_CLOSING: Final = {")": "round", "]": "round", "}": "curly", r"\}": "set", ")|": "bar"}


def _check_brackets(tokens: Tokens) -> None:
    """Refuse what is unbalanced or too deep; `(0,1]` is balanced."""
    stack: list[str] = []
    deepest = 0
    is_piecewise = tokens.count(r"\{") == 1 and r"\end{array}" in tokens  # `\right.` is gone
    for token in tokens:
        kind = _OPENING.get(token) or (token if token.startswith(r"\begin") else "")
        if kind:
            stack.append(kind)
            deepest = max(deepest, len(stack))
        elif token in _CLOSING or token.startswith(r"\end"):
            expected = stack.pop() if stack else ""
            if token.startswith(r"\end"):
                balanced = expected.startswith(r"\begin") and _name(expected) == _name(token)
            else:
                balanced = expected == _CLOSING[token]
            if not balanced:
                raise UnreadableError("brackets do not match", gap=is_piecewise)
    if stack:
        raise UnreadableError("brackets do not match", gap=is_piecewise)
    if deepest > MAX_DEPTH:
        raise UnreadableError(f"brackets nested deeper than {MAX_DEPTH}", gap=True)


def _name(environment: str) -> str:
    return re.sub(r"\\(?:begin|end)\{([A-Za-z]*)\*?\}.*", r"\1", environment, flags=re.DOTALL)


def _with_fractions(tokens: Tokens) -> Tokens:
    r"""Write `{a \over b}` as a fraction."""
    while r"\over" in tokens:
        at = tokens.index(r"\over")
        start, stop = _reach(tokens, at, -1) + 1, _reach(tokens, at, 1)
        above, below = tokens[start:at], tokens[at + 1 : stop]
        if {*above, *below} & {*_LIST_SIGNS, *_RELATION_SIGNS} or not (above and below):
            raise UnreadableError(r"what \over divides", gap=bool(above and below))
        if len(_split(below, (r"\over",))[0]) > 1:
            raise UnreadableError(r"two \over in one group")
        fraction: Tokens = (r"\frac", "{", *above, "}", "{", *below, "}")
        before, after = tokens[:start], tokens[stop:]
        if before[-1:] == ("{",) and before[-2:-1] and before[-2].isdigit():  # 2{1 \over 3}
            tokens = (*before[:-1], *fraction, *after[1:])
        else:
            tokens = (*before, "{", *fraction, "}", *after)
    return tokens


def _reach(tokens: Tokens, at: int, step: int) -> int:
    """Return where the group around a token ends, going left or right."""
    opens, closes = (_CLOSING, _OPENING) if step < 0 else (_OPENING, _CLOSING)
    depth = 0
    while 0 <= (at := at + step) < len(tokens):
        depth += (tokens[at] in opens) - (tokens[at] in closes)
        if depth < 0:
            break
    return at


# ---------------------------------------------------------------------------------------------
# Shapes


def _split(tokens: Tokens, separators: Iterable[str]) -> tuple[list[Tokens], list[str]]:
    """Split at the separators that stand in no bracket."""
    separators = frozenset(separators)
    parts: list[Tokens] = []
    found: list[str] = []
    depth = start = 0
    for index, token in enumerate(tokens):
        if token in _OPENING or token.startswith(r"\begin"):
            depth += 1
        elif token in _CLOSING or token.startswith(r"\end"):
            depth -= 1
        elif depth == 0 and token in separators:
            parts.append(tokens[start:index])
            found.append(token)
            start = index + 1
    return [*parts, tokens[start:]], found


def _encloses(tokens: Tokens) -> bool:
    """Whether the first token opens a bracket that the last one closes."""
    depth = 0
    for index, token in enumerate(tokens):
        if token in _OPENING or token.startswith(r"\begin"):
            depth += 1
        elif token in _CLOSING or token.startswith(r"\end"):
            depth -= 1
        if depth == 0:
            return 0 < index == len(tokens) - 1
    return False


_LIST_SIGNS: Final = (",", ";", "or", "and")
_RELATION_SIGNS: Final = ("=", "<", ">", "≤", "≥", "≠", "≈", "∈")


def _shape(tokens: Tokens) -> Shape:
    if not tokens:
        raise UnreadableError("a part is empty")
    parts, signs = _split(tokens, _LIST_SIGNS)
    if signs:
        return _listing("list", _without_gaps(parts, signs), frozenset(signs))
    parts, signs = _split(tokens, _RELATION_SIGNS)
    if signs:
        return Relation(tuple(_shape(part) for part in parts), tuple(signs))
    parts, signs = _split(tokens, ("∪",))
    if signs:
        return Union(tuple(_shape(part) for part in parts))
    if _encloses(tokens):
        return _enclosed(tokens)
    if tokens == ("∅",):
        return Named("empty")
    if tokens == ("ℝ",):
        return Named("reals")
    return _formula(tokens)


def _without_gaps(parts: list[Tokens], signs: list[str]) -> list[Tokens]:
    """Drop the nothing between the comma and the word of `1, 2, and 3`."""
    return [
        part
        for index, part in enumerate(parts)
        if part or not (0 < index < len(signs) and {signs[index - 1], signs[index]} & {"or", "and"})
    ]


def _listing(kind: str, parts: list[Tokens], signs: frozenset[str]) -> Listing:
    items: list[Shape] = []
    for part in parts:
        item = _shape(part)
        items += item.items if isinstance(item, Listing) and item.kind == "list" else [item]
    return Listing(kind, tuple(items), signs)


def _enclosed(tokens: Tokens) -> Shape:
    opening, inner, closing = tokens[0], tokens[1:-1], tokens[-1]
    if opening.startswith(r"\begin"):
        return _matrix(opening, inner)
    if opening == "{":
        return _shape(inner)
    if opening == "|(":
        return _formula(tokens)
    if opening == r"\{":
        return _set(inner)
    parts, signs = _split(inner, (",", ";"))
    if signs:
        return Bracket(opening, closing, tuple(_shape(part) for part in parts))
    if (opening, closing) == ("(", ")"):
        return _shape(inner)
    if (opening, closing) == ("[", "]") and inner and inner[0].startswith(r"\begin"):
        return _shape(inner)
    raise UnreadableError("one item in square brackets", gap=True)


def _set(inner: Tokens) -> Shape:
    if not inner:
        return Named("empty")
    parts, signs = _split(inner, ("|", ":"))
    if len(signs) == 1 and len(parts[0]) in (1, 3) and parts[0][1:] in ((), ("∈", "ℝ")):
        condition = _shape(parts[1])  # {x | x > 2} is the relation, read as a region
        if _constrains(condition, Formula(parts[0][:1])):
            return condition
    if signs:
        raise UnreadableError("set-builder notation", gap=True)
    parts, signs = _split(inner, (",", ";"))
    return _listing("set", parts, frozenset(signs))


def _constrains(condition: Shape, name: Formula) -> bool:
    """Whether each relation of a condition says where the bound variable lies."""
    if isinstance(condition, Listing):
        return all(_constrains(item, name) for item in condition.items)
    return name.tokens[0].lstrip("\\").isalpha() and (
        isinstance(condition, Relation) and name in condition.members
    )


def _matrix(begin: str, inner: Tokens) -> Matrix:
    if _name(begin) not in _MATRIX_NAMES:
        raise UnreadableError(
            f"the environment {_name(begin)}", gap=_name(begin) in _GAP_ENVIRONMENTS
        )
    rows, _ = _split(inner, ("\\\\",))
    if rows and not rows[-1]:
        rows.pop()  # a line break after the last row
    return Matrix(tuple(tuple(_shape(cell) for cell in _split(row, ("&",))[0]) for row in rows))


_GAP_ENVIRONMENTS: Final = frozenset(
    "cases dcases rcases vmatrix Vmatrix Bmatrix aligned align gathered equation split".split()
)
_PLUS_MINUS: Final = r"\pm"


def _formula(tokens: Tokens) -> Shape:
    if r"\words" in tokens:
        raise UnreadableError("words")
    if r"\unit" in tokens:
        raise UnreadableError("a unit behind a formula", gap=True)
    if any(token.startswith((r"\begin", r"\end")) or token == "&" for token in tokens):
        raise UnreadableError("a matrix inside a formula", gap=True)
    count = tokens.count(_PLUS_MINUS)
    if count > 1 or r"\mp" in tokens:
        raise UnreadableError("more than one ±", gap=True)
    if count:
        plus = tuple("+" if token == _PLUS_MINUS else token for token in tokens)
        minus = tuple("-" if token == _PLUS_MINUS else token for token in tokens)
        return Listing("list", (_formula(plus), _formula(minus)))
    if len(tokens) > 1 and tokens[-1] in ("%", "°"):
        return Formula(tokens[:-1], tokens[-1])
    return Formula(tokens)
