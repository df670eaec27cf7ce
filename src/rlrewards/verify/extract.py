r"""Where the final answer stands in a completion.

Only the text after the reasoning counts. The rules are tried in a fixed order, the most explicit
form first; the first that finds its mark decides, also when what it finds is no answer (an empty
box does not fall through to a stray number):

1. `<answer>…</answer>`; two that differ are no answer.
2. The last `\boxed{}` or `\fbox{}`; the boxes of one final sentence are one list.
3. With options only: a JSON field such as `"answer_choice": "B"`.
4. `#### x`, as GSM8K ends.
5. The last of "final answer is", "the answer is", "answer:" and, without options, a line `A: x`.
6. `**x**` alone on the last line.
7. With options only: a last line, or a whole text, that is a letter or an option.
8. With `lenient=True` only: the last formula or number.

What a text says after its answer ("no, wait: 7") is not read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from rlrewards.verify.choice import resolve
from rlrewards.verify.normalize import normalize
from rlrewards.verify.verdict import Answer

Span = tuple[int, int]

# What a longer text would cost is bounded by these: no rule reads a text twice over.
MAX_NESTED_BOXES = 8
MAX_BOXES = 50
LENIENT_WINDOW = 20_000
MAX_NORMALIZED = 10_000


@dataclass(frozen=True, slots=True)
class Found:
    """What extraction found: an answer, or the reason why there is none."""

    answer: Answer | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """What follows the reasoning of a completion, and how to read it."""

    completion: str
    options: Mapping[str, str] | None
    lenient: bool

    def found(self, span: Span, rule: str) -> Found:
        """Return the answer at a span, trimmed of white space and of markup around it."""
        start, stop = _trimmed(self.completion, span)
        if start == stop:
            return Found(None, f"empty answer ({rule})")
        return Found(Answer(self.completion[start:stop], (start, stop), rule))

    def last(self, pattern: re.Pattern[str], window: int | None = None) -> re.Match[str] | None:
        """Return the last match of a pattern in the text, or in its last `window` characters."""
        start = 0 if window is None else max(0, len(self.completion) - window)
        return max(pattern.finditer(self.completion, start), key=_start, default=None)


def _start(match: re.Match[str]) -> int:
    return match.start()


def find_answer(
    completion: str,
    *,
    options: Mapping[str, str] | None = None,
    reasoning_tags: tuple[str, str] = ("<think>", "</think>"),
    prefilled_think: bool = False,
    lenient: bool = False,
) -> Found:
    r"""Return the final answer of a completion, or why it has none.

    Args:
        completion: Text of the model's turn.
        options: For a multiple-choice question, the text of each letter.
        reasoning_tags: What opens and closes the reasoning.
        prefilled_think: Whether the completion starts inside the reasoning, its opening tag being
            part of the prompt.
        lenient: Whether the last formula or number will do where no rule finds an answer.

    >>> find_answer(r"<think>\boxed{17}</think> so \boxed{18}").answer
    Answer(text='18', span=(36, 38), rule='boxed')
    """
    start = _end_of_reasoning(completion, reasoning_tags, prefilled_think)
    if start is None:
        return Found(None, "the reasoning is not closed")
    text = Text(_without_end_tokens(completion[start:]), options, lenient)
    for rule in _RULES:
        found = rule(text)
        if found is not None:
            return _shifted(found, start)
    return Found(None, "no final answer found")


_END_TOKENS = re.compile(r"(?:\s{0,9}(?:<\|[A-Za-z_]{1,30}\|>|</s>|<eos>|<pad>)){1,20}\s{0,9}\Z")


def _without_end_tokens(text: str) -> str:
    """Return a text without the special tokens that a tokenizer may leave at its end."""
    end = _END_TOKENS.search(text, max(0, len(text) - 400))
    return text if end is None else text[: end.start()]


def _shifted(found: Found, offset: int) -> Found:
    """Return what was found with its span counted from the start of the completion."""
    if found.answer is None:
        return found
    start, stop = found.answer.span
    return Found(replace(found.answer, span=(start + offset, stop + offset)))


def _end_of_reasoning(completion: str, tags: tuple[str, str], prefilled: bool) -> int | None:
    opening, closing = tags
    end = completion.rfind(closing)
    if end < 0:
        return None if prefilled or opening in completion else 0
    end += len(closing)
    return None if completion.find(opening, end) >= 0 else end


# ---------------------------------------------------------------------------------------------
# The rules: each returns None to pass on


_TAG = re.compile(r"<\s{0,9}(/?)\s{0,9}answer\b[^<>]{0,99}>", re.IGNORECASE)


def _answer_tag(text: Text) -> Found | None:
    spans: list[Span] = []
    opened: int | None = None
    for tag in _TAG.finditer(text.completion):
        if not tag[1]:
            if opened is not None:
                return Found(None, "nested <answer> tags")
            opened = tag.end()
        elif opened is not None:
            spans.append((opened, tag.start()))
            opened = None
    if opened is not None:
        return Found(None, "<answer> is not closed")
    if not spans:
        return None
    found = [_inside_tag(text, span) for span in spans]
    if len({_key(item) for item in found}) > 1:
        return Found(None, "two <answer> blocks that differ")
    return found[-1]


def _inside_tag(text: Text, span: Span) -> Found:
    """Return what stands in one block: its box, what follows "the answer is", or all of it."""
    boxed = _boxed_between(text, span, "answer_tag")
    if boxed is not None:
        return boxed
    lead = _LEAD.match(text.completion, *span)
    return text.found((lead.end(), span[1]) if lead else span, "answer_tag")


def _key(found: Found) -> str | None:
    if found.answer is None or len(found.answer.text) > MAX_NORMALIZED:
        return None if found.answer is None else found.answer.text
    return normalize(found.answer.text)


def _boxed(text: Text) -> Found | None:
    return _boxed_between(text, (0, len(text.completion)), "boxed")


_BOX = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])[ \t]*")
_BARE = re.compile(r"[^\s$]*[^\s$.,;]")


@dataclass(frozen=True, slots=True)
class _Box:
    outer: Span
    inner: Span


def _boxed_between(text: Text, span: Span, rule: str) -> Found | None:
    boxes: list[_Box] = []
    for box in _boxes(text.completion, *span):
        if box is None:
            return Found(None, "the last box is not closed")
        boxes.append(box)
    if not boxes:
        return None
    final = [boxes[-1]]
    for box in reversed(boxes[:-1]):
        if _ENDS_SENTENCE.search(text.completion, box.outer[1], final[-1].outer[0]):
            break
        final.append(box)
        if len(final) > MAX_BOXES:
            return Found(None, f"more than {MAX_BOXES} boxes in one sentence")
    final.reverse()
    if any(_is_touched(text.completion, box.outer) for box in final):
        return Found(None, "something touches the box")
    parts = [text.found(box.inner, rule) for box in final]
    empty = next((part for part in parts if part.answer is None), None)
    if empty is not None or len(parts) == 1:
        return empty or parts[0]
    whole = ", ".join(part.answer.text for part in parts if part.answer)
    return Found(Answer(whole, (final[0].inner[0], final[-1].inner[1]), rule))


_BEFORE_BOX = re.compile(r"(?:[-+−*/^_\d]|\\(?:neq?|not|sqrt|times|cdot|pm)\s?|\bnot\s)\Z")
_BEHIND_BOX = re.compile(r"\d|\^(?!\s*\{?\s*\\circ)|[!/*]|\\(?:times|cdot)")


def _is_touched(completion: str, outer: Span) -> bool:
    """Whether a sign, a digit or an operator makes another number of what is in the box."""
    start, stop = outer
    before = _BEFORE_BOX.search(completion[max(start - 8, 0) : start])
    return before is not None or _BEHIND_BOX.match(completion, stop) is not None


_ENDS_SENTENCE = re.compile(r"[.!?][\"')\]}$*\\]*\s|\n[ \t]*\n")


def _boxes(completion: str, start: int, stop: int) -> Iterator[_Box | None]:
    """Yield the outermost boxes in order; None, last, for one that does not close."""
    while (opening := _BOX.search(completion, start, stop)) is not None:
        inner = opening.end()
        if inner < stop and completion[inner] == "{":
            end = closing_brace(completion, inner, stop)
            if end is None:
                yield None
                return
            yield _unnested(completion, _Box((opening.start(), end + 1), (inner + 1, end)))
            start = end + 1
        else:
            bare = _BARE.match(completion, inner, stop)
            start = bare.end() if bare else inner
            yield _Box((opening.start(), start), (inner, start))


def _unnested(completion: str, box: _Box) -> _Box:
    """Return the innermost of boxes that hold nothing but a box, down to a few levels."""
    for _ in range(MAX_NESTED_BOXES):
        inner = _BOX.match(completion, *_trimmed(completion, box.inner))
        if inner is None:
            break
        start, stop = inner.end(), _trimmed(completion, box.inner)[1]
        if start >= stop or completion[start] != "{":
            break
        end = closing_brace(completion, start, stop)
        if end is None or end + 1 != stop:
            break
        box = _Box(box.outer, (start + 1, end))
    return box


_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)


def closing_brace(text: str, start: int, stop: int) -> int | None:
    """Return where the brace that opens at `start` closes, or None; escaped braces do not count."""
    depth = 0
    for brace in _BRACE.finditer(text, start, stop):
        if brace[0] == "{":
            depth += 1
        elif brace[0] == "}":
            depth -= 1
            if depth == 0:
                return brace.start()
    return None


_JSON_FIELD = re.compile(
    r'(?<!\\)"(?:answer_choice|final_answer|answer|choice|correct_answer)"\s*:\s*'
    r'(?:"((?:[^"\\]|\\.)*)"|null|\[[^\]]{0,500}\])',
    re.DOTALL,
)


_JSON_NUMBER = re.compile(
    r'(?<!\\)"(?:final_)?answer"\s{0,9}:\s{0,9}(?:"((?:[^"\\]|\\.){0,500})"|(-?[\d.,]{1,50}))\s{0,9}\}\s*\Z'
)


def _json_field(text: Text) -> Found | None:
    if text.options is None:
        field = _JSON_NUMBER.search(text.completion, max(0, len(text.completion) - 1000))
        return None if field is None else text.found(field.span(1 if field[1] else 2), "json")
    fields = list(_JSON_FIELD.finditer(text.completion))
    if not fields:
        return None
    if len({field[1] for field in fields}) > 1:
        return Found(None, "two answer fields that differ")
    if fields[-1][1] is None:
        return Found(None, "the answer field is not a string")
    return text.found(fields[-1].span(1), "json")


_HASHES = re.compile(r"^[ \t]*####[ \t]*([^\n]*)$", re.MULTILINE)
_NUMERIC_START = re.compile(r"[-+−$£€(\\]*\s*[\d.]")


def _hashes(text: Text) -> Found | None:
    """Read `#### 18`; a Markdown heading of that level is one only on the last line."""
    line = text.last(_HASHES)
    if line is None:
        return None
    final = not text.completion[line.end() :].strip()
    lead = _LEAD.match(text.completion, *line.span(1))
    if lead is not None:
        return text.found((lead.end(), line.end()), "hashes")
    return text.found(line.span(1), "hashes") if final or _NUMERIC_START.match(line[1]) else None


_LEAD = re.compile(
    r"\W*(?:(?:so|thus|hence|therefore)\b,?\s*)?(?:the\s+|my\s+|our\s+)?"
    r"(?:final\s+|correct\s+)?answer\W{0,3}?\s*(?:is\b|:)[\s:*]*",
    re.IGNORECASE,
)
_PHRASE = re.compile(
    r"(?:\bfinal\s+answer\b[*_\"]{0,3}\s*(?:is\b|:|=|\n)"
    r"|\b(?:the|my|our)\s+(?:correct\s+)?(?:answer|option|choice)\b[*_\"]{0,3}"
    r"(?:\s+to\s[^.:\n]{1,80}?)?\s*(?:is\b|(?:would|should|must|will)\s+be\b|:|=)"
    r"|\banswer\b[*_\"]{0,3}\s*(?:[:=]|is\b(?!\s+(?:correct|right|wrong|known|unclear|unknown)))"
    r"|^\W{0,4}answer\W{0,4}\n)[\s:*_\"`]*"
    r"(?:(?:therefore|thus|hence|so|clearly|simply|just|then|indeed|exactly)\b[\s,:*_]*)?",
    re.IGNORECASE | re.MULTILINE,
)
_LINE_A = re.compile(r"^[ \t]*A:[ \t]*", re.MULTILINE)


def _phrase(text: Text) -> Found | None:
    marks = [text.last(_PHRASE)] + ([] if text.options is not None else [text.last(_LINE_A)])
    ends = [mark.end() for mark in marks if mark is not None]
    if not ends:
        return None
    start = max(ends)
    return text.found((start, _end_of_statement(text, start)), "phrase")


_STOP = re.compile(r"\n|[.!?](?=[\"')\]*]*(?:\s|$))")
_REASON = re.compile(r"\b(?:because|since|which|as\s(?:it|we|the))\b", re.IGNORECASE)
_IN_DOLLARS = r"\$((?:\\.|[^$\n\\]){1,2000})\$"
_DISPLAY = re.compile(rf"\s*(?:\\\[(.*?)\\\]|\$\$(.*?)\$\$|\\\((.*?)\\\)|{_IN_DOLLARS})", re.DOTALL)
# What may follow a formula that is a whole answer; anything else is a part of it.
_FORMULA_ENDS = re.compile(
    r"[ \t]*(?:\Z|\n|[.!?]?[\"')\]*]*(?:\s|\Z)(?![ \t]*(?:[-+/(&\\$\d]|or\b|and\b|[a-z]))"
    r"|[.!?][\"')\]*]*(?:\s|\Z)|,\s*(?:which|because|since|as|so|where|thus)\b"
    r"|(?:because|since|which|where|when|for|as)\b)"
)


def _end_of_statement(text: Text, start: int) -> int:
    """Return where a statement that starts here ends: its formula, its sentence or its line."""
    completion = text.completion
    formula = _DISPLAY.match(completion, start)
    behind = start if formula is None else formula.end()
    if formula is not None and _FORMULA_ENDS.match(completion, behind) is not None:
        return behind
    end = _STOP.search(completion, behind)
    stop = len(completion) if end is None else end.start()
    reason = None if text.options is not None else _REASON.search(completion, behind, stop)
    return stop if reason is None else len(completion[: reason.start()].rstrip(" \t,("))


_BOLD = re.compile(r"\*\*([^*\n]+)\*\*[.!]?\s*\Z")


def _bold_end(text: Text) -> Found | None:
    bold = _BOLD.search(text.completion, max(0, len(text.completion) - 2000))
    if bold is None:
        return None
    line = text.completion.rfind("\n", 0, bold.start()) + 1
    alone = not text.completion[line : bold.start()].strip()
    return text.found(bold.span(1), "bold") if alone else None


def _whole_choice(text: Text) -> Found | None:
    """Accept a whole text, or its last line, that is one of the options and nothing else."""
    if text.options is None:
        return None
    start, stop = _trimmed(text.completion, (0, len(text.completion)))
    line = max(text.completion.rfind("\n", start, stop) + 1, start)
    for span in ((start, stop), (line, stop)):
        choice = resolve(text.completion[slice(*span)], text.options)
        if choice.letter is not None and not choice.loose:
            return text.found(span, "choice")
    return None


_FORMULA = re.compile(
    r"\\\[(.{1,2000}?)\\\]|\\\((.{1,2000}?)\\\)|\$\$(.{1,2000}?)\$\$|\$([^$\n]{1,2000})\$",
    re.DOTALL,
)
_NUMBER = re.compile(
    r"(?<![\w.])[-+−]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+|(?<=\d))(?:/\d+)?%?(?!\w)"
)


def _lenient(text: Text) -> Found | None:
    if not text.lenient:
        return None
    formula, number = text.last(_FORMULA, LENIENT_WINDOW), text.last(_NUMBER, LENIENT_WINDOW)
    if formula is not None and (number is None or formula.end() >= number.end()):
        group = next(index for index in range(1, 5) if formula[index] is not None)
        return text.found(formula.span(group), "lenient")
    return None if number is None else text.found(number.span(), "lenient")


_RULES: tuple[Callable[[Text], Found | None], ...] = (
    _answer_tag,
    _boxed,
    _json_field,
    _hashes,
    _phrase,
    _bold_end,
    _whole_choice,
    _lenient,
)

_EDGES = ' \t\r\n\v\f\u00a0\u200b\u200c\u200d\u2060\ufeff*_`"“”'


def _trimmed(completion: str, span: Span) -> Span:
    """Return the span without white space, zero-width characters and emphasis at its ends."""
    start, stop = span
    while start < stop and completion[start] in _EDGES:
        start += 1
    while start < stop and completion[stop - 1] in _EDGES:
        stop -= 1
    return start, stop
