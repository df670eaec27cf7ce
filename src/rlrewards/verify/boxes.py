r"""Where the boxes of a completion stand: `\boxed{x}`, nested, `\boxed x`, or never closed."""

from __future__ import annotations

import re
from collections.abc import Iterator

Span = tuple[int, int]

MAX_NESTED_BOXES = 8
MAX_BRACES = 20_000
MAX_LINE = 400

Box = tuple[Span, Span]
"""Where a box stands, and where what is in it."""

_BOX = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])[ \t]*")
# Braces at most two deep; what is deeper is left to be counted.
_BRACES = r"\{(?:[^{}\\]++|\\.|\{(?:[^{}\\]++|\\.)*\})*\}"
_FLAT = re.compile(_BRACES, re.DOTALL)
_FLAT_BOX = re.compile(rf"(\\(?:boxed|fbox)(?![A-Za-z])[ \t]*)({_BRACES})?", re.DOTALL)
# Boxes with this between them belong to two sentences.
ENDS_SENTENCE = re.compile(r"[.!?][\"')\]}$*\\]*\s|\n[ \t]*\n")
_BARE = re.compile(r"[^\s$]*[^\s$.,;]")
_BEFORE_BOX = re.compile(
    r"(?:[-+−/^_\d]|(?<!\*)\*|\\(?:neq?|not|sqrt|times|cdot|pm)\s?|\bnot\s(?:(?:\$|\\\()\s)?)\Z"
)
_DENIES = (" not $", "\nnot $", " not \\(", "\nnot \\(")
_NEVER_BEFORE = frozenset("$([{=:")
_NEVER_BEHIND = frozenset("$. \n,)]};")
_OPENS_FORMULA = ("\\(", "\\[")
_CLOSES_FORMULA = ("\\)", "\\]")
_OPERATOR = re.compile(r"(?:[_^]|\\(?:[dtc]?frac|sqrt|[dt]?binom|overline|bar|hat|vec))\s*\Z")
_BRACED_ENDS = re.compile(r"\s*(?:\{[^{}]*\}|\[[^][]*\])\s*\Z")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_BEHIND_BOX = re.compile(r"\d|\^(?!\s*\{?\s*\\circ)|[!/]|\*(?!\*)|\\(?:times|cdot)")


def first_box(completion: str, start: int, stop: int) -> int:
    """Return where the first box may stand, or -1."""
    places = (completion.find("\\boxed", start, stop), completion.find("\\fbox", start, stop))
    return max(places) if min(places) < 0 else min(places)


def is_touched(completion: str, outer: Span) -> bool:
    """Whether a sign, a digit or an operator makes another number of what is in the box."""
    start, stop = outer
    closes_formula = completion[stop : stop + 2] in _CLOSES_FORMULA
    if closes_formula and completion[start - 2 : start] in _OPENS_FORMULA:
        # A formula of its own; one letter is looked at first, since most boxes come here.
        return completion[start - 4] == "t" and completion.endswith(_DENIES, 0, start)
    line = completion.rfind("\n", 0, start) + 1
    if completion.find("{", line, start) >= 0 and _is_operand(completion, line, start):
        return True
    if start and completion[start - 1] not in _NEVER_BEFORE:
        before = completion[max(start - 8, 0) : start]
        if _BEFORE_BOX.search(before) is not None:
            return True
    elif completion.endswith(_DENIES, 0, start):
        return True
    if closes_formula or completion[stop : stop + 1] in _NEVER_BEHIND:
        return False
    return _BEHIND_BOX.match(completion, stop) is not None


def _is_operand(completion: str, line: int, start: int) -> bool:
    r"""Whether a box stands inside the braces of a fraction, a root or a power of its line."""
    before = completion[max(line, start - MAX_LINE) : start]
    first, last = before.find("{"), before.rfind("}")
    if (
        first < before.find("}")
        and before.rfind("{") < last
        and before.count("{") == before.count("}")
    ):
        return False  # all of them are closed
    depth = 0
    for brace in reversed([*_BRACE.finditer(before)]):
        depth += (brace[0] == "{") - (brace[0] == "}")
        if depth > 0:
            if _OPERATOR.search(_BRACED_ENDS.sub("", before[: brace.start()])) is not None:
                return True
            depth = 0
    return False


def boxes_in(completion: str, start: int, stop: int) -> Iterator[Box | None]:
    """Yield the outermost boxes in order; None, last, for one that does not close."""
    while (opening := _FLAT_BOX.search(completion, start, stop)) is not None:
        inner = opening.end(1)
        if opening[2]:
            start = opening.end()
            box = (opening.start(), start), (inner + 1, start - 1)
            yield _unnested(completion, box) if "\\" in opening[2] else box
        elif inner < stop and completion[inner] == "{":
            end = closing_brace(completion, inner, stop)
            if end is None:
                yield None
                return
            start = end + 1
            yield _unnested(completion, ((opening.start(), start), (inner + 1, end)))
        else:
            bare = _BARE.match(completion, inner, stop)
            start = bare.end() if bare else inner
            yield (opening.start(), start), (inner, start)


def _unnested(completion: str, box: Box) -> Box:
    """Return the innermost of boxes that hold nothing but a box, down to a few levels."""
    outer, content = box
    for _ in range(MAX_NESTED_BOXES):
        if completion.find("\\", *content) < 0:
            break
        begin, stop = trimmed(completion, content)
        inner = _BOX.match(completion, begin, stop)
        if inner is None:
            break
        start = inner.end()
        if start >= stop or completion[start] != "{":
            break
        end = closing_brace(completion, start, stop)
        if end is None or end + 1 != stop:
            break
        content = (start + 1, end)
    return outer, content


def closing_brace(text: str, start: int, stop: int) -> int | None:
    """Return where the brace that opens at `start` closes, or None; escaped braces do not count.

    None too after `MAX_BRACES` of them: that is no answer.
    """
    if (flat := _FLAT.match(text, start, min(stop, start + MAX_LINE))) is not None:
        return flat.end() - 1
    depth = 0
    for count, brace in enumerate(_BRACE.finditer(text, start, stop)):
        if brace[0] == "{":
            depth += 1
        elif brace[0] == "}":
            depth -= 1
            if depth == 0:
                return brace.start()
        if count > MAX_BRACES:
            return None
    return None


_SPACES = "".join(char for char in map(chr, range(0x3001)) if char.isspace())
_EDGES = _SPACES + '\u200b\u200c\u200d\u2060\ufeff*_`"“”'


def trimmed(completion: str, span: Span) -> Span:
    """Return the span without white space, zero-width characters and emphasis at its ends."""
    start, stop = span
    if start < stop and completion[start] not in _EDGES and completion[stop - 1] not in _EDGES:
        return span
    text = completion[start:stop]
    left = text.lstrip(_EDGES)
    start += len(text) - len(left)
    return start, start + len(left.rstrip(_EDGES))
