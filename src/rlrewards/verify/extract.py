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

What a text says after its answer ("no, wait: 7") is not read, nor is what stands further from the
end than any answer does (`MAX_READ` characters).

Extraction sees every completion of a training run, so each rule looks for its mark with a plain
substring search first, and for a pattern only where the mark stands.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

from rlrewards.verify.boxes import (
    ENDS_SENTENCE,
    Box,
    Span,
    boxes_in,
    first_box,
    is_touched,
    trimmed,
)
from rlrewards.verify.choice import named_by_text, resolve
from rlrewards.verify.normalize import normalize
from rlrewards.verify.plain_answer import MAX_READ, plain_answer
from rlrewards.verify.statement import end_of_statement, sentences_behind
from rlrewards.verify.verdict import Answer

# What a longer text would cost is bounded by these: no rule reads a text twice over.
MAX_BOXES = 50
MAX_BLOCKS = 200
PHRASE_WINDOW = 40_000
LENIENT_WINDOW = 20_000
MAX_NORMALIZED = 10_000


class Found(NamedTuple):
    """What extraction found: an answer, or the reason why there is none."""

    answer: Answer | None
    why: str = ""


class Text:
    """What follows the reasoning of a completion, and how to read it."""

    __slots__ = ("_offset", "_small", "completion", "lenient", "options")

    def __init__(
        self,
        completion: str,
        options: Mapping[str, str] | None = None,
        lenient: bool = False,
        offset: int = 0,
    ) -> None:
        self.completion = completion
        self.options = options
        self.lenient = lenient
        self._offset = offset
        self._small: str | None = None

    def found(self, span: Span, rule: str) -> Found:
        """Return the answer at a span, trimmed of white space and of markup around it."""
        start, stop = trimmed(self.completion, span)
        if start == stop:
            return Found(None, f"empty answer ({rule})")
        text = self.completion[start:stop]
        return Found(Answer(text, (start + self._offset, stop + self._offset), rule))

    def joined(self, parts: list[Found], span: Span, rule: str) -> Found:
        """Return answers that make one list."""
        whole = ", ".join(part.answer.text for part in parts if part.answer)
        return Found(Answer(whole, (span[0] + self._offset, span[1] + self._offset), rule))

    def small(self) -> str:
        """Return the text in small letters, place for place, as patterns that ignore case see it.

        To them, `ſ` is an s, and `ı` and `İ` are an i.
        """
        if self._small is None:
            text = self.completion
            if not text.isascii():
                text = text.replace("ſ", "s").replace("ı", "i").replace("İ", "i")
            self._small = text.lower()
        return self._small

    def ends_with(self, *marks: str) -> bool:
        """Whether one of these stands at the end, white space aside."""
        return self.completion.rstrip().endswith(marks)

    def last(self, pattern: re.Pattern[str], start: int = 0) -> re.Match[str] | None:
        """Return the last match of a pattern from `start` on."""
        found = None
        for found in pattern.finditer(self.completion, start):  # noqa: B007
            pass
        return found

    def last_line(self, pattern: re.Pattern[str], mark: str) -> re.Match[str] | None:
        """Return the last match of a pattern that matches whole lines and holds `mark`."""
        at = self.completion.rfind(mark)
        if at < 0:
            return None
        line = self.completion.rfind("\n", 0, at) + 1
        return pattern.match(self.completion, line) or self.last(pattern)


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
    if not prefilled_think and (plain := plain_answer(completion, options, reasoning_tags)):
        return Found(plain)
    return find_by_rules(completion, options, reasoning_tags, prefilled_think, lenient)


def find_by_rules(
    completion: str,
    options: Mapping[str, str] | None,
    reasoning_tags: tuple[str, str],
    prefilled_think: bool,
    lenient: bool,
) -> Found:
    """Return what `find_answer` returns where the completion does not end in a plain way."""
    start = _end_of_reasoning(completion, reasoning_tags, prefilled_think)
    if start is None:
        return Found(None, "the reasoning is not closed")
    start = max(start, len(completion) - MAX_READ)
    read = completion[start:] if start else completion
    text = Text(_without_end_tokens(read), options, lenient, start)
    for rule in _RULES:
        found = rule(text)
        if found is not None:
            return found
    return Found(None, "no final answer found")


_END_TOKENS = re.compile(r"(?:\s{0,9}(?:<\|[A-Za-z_]{1,30}\|>|</s>|<eos>|<pad>)){1,20}\s{0,9}\Z")


def _without_end_tokens(text: str) -> str:
    """Return a text without the special tokens that a tokenizer may leave at its end."""
    if not text[-10:].rstrip().endswith(">"):
        return text
    end = _END_TOKENS.search(text, max(0, len(text) - 400))
    return text if end is None else text[: end.start()]


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
_BEFORE_TAG_NAME = 20


def _answer_tag(text: Text) -> Found | None:
    if "<" not in text.completion:
        return None
    first = text.small().find("answer")
    if first < 0:
        return None
    spans: list[Span] = []
    opened: int | None = None
    for tag in _TAG.finditer(text.completion, max(0, first - _BEFORE_TAG_NAME)):
        if not tag[1]:
            if opened is not None:
                return Found(None, "nested <answer> tags")
            opened = tag.end()
        elif opened is not None:
            spans.append((opened, tag.start()))
            opened = None
    if opened is not None:
        return Found(None, "<answer> is not closed")
    return _agreed(text, spans) if spans else None


def _agreed(text: Text, spans: list[Span]) -> Found:
    """Return what stands in the last block, provided that all say the same."""
    last = _inside_tag(text, spans[-1])
    if len(spans) > 1:
        blocks = {text.completion[start:stop]: (start, stop) for start, stop in spans}
        if len(blocks) > MAX_BLOCKS:
            return Found(None, "two <answer> blocks that differ")
        key = _key(last)
        if any(_key(_inside_tag(text, span)) != key for span in blocks.values()):
            return Found(None, "two <answer> blocks that differ")
    return last


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
    if "\\" not in text.completion:
        return None
    return _boxed_between(text, (0, len(text.completion)), "boxed")


def _boxed_between(text: Text, span: Span, rule: str) -> Found | None:
    completion = text.completion
    first = first_box(completion, *span)
    if first < 0:
        return None
    boxes: deque[Box] = deque(maxlen=MAX_BOXES + 1)
    for box in boxes_in(completion, first, span[1]):
        if box is None:
            return Found(None, "the last box is not closed")
        boxes.append(box)
    if not boxes:
        return None
    final = [boxes.pop()]
    while boxes and not ENDS_SENTENCE.search(completion, boxes[-1][0][1], final[-1][0][0]):
        final.append(boxes.pop())
    if len(final) > MAX_BOXES:
        return Found(None, f"more than {MAX_BOXES} boxes in one sentence")
    final.reverse()
    for outer, _ in final:
        if is_touched(completion, outer):
            return Found(None, "something touches the box")
    if len(final) == 1:
        return text.found(final[0][1], rule)
    parts = [text.found(inner, rule) for _, inner in final]
    empty = next((part for part in parts if part.answer is None), None)
    if empty is not None:
        return empty
    return text.joined(parts, (final[0][1][0], final[-1][1][1]), rule)


_JSON_FIELD = re.compile(
    r'(?<!\\)"(?:answer_choice|final_answer|answer|choice|correct_answer)"\s*:\s*'
    r'(?:"((?:[^"\\]|\\.)*)"|null|\[[^\]]{0,500}\])',
    re.DOTALL,
)


_JSON_NUMBER = re.compile(
    r'(?<!\\)"(?:final_)?answer"\s{0,9}:\s{0,9}(?:"((?:[^"\\]|\\.){0,500})"|(-?[\d.,]{1,50}))\s{0,9}\}\s*\Z'
)


def _json_field(text: Text) -> Found | None:
    if '"' not in text.completion:
        return None
    if text.options is None:
        if not text.ends_with("}"):
            return None
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
    line = text.last_line(_HASHES, "####")
    if line is None:
        return None
    final = not text.completion[line.end() :].strip()
    lead = _LEAD.match(text.completion, *line.span(1))
    if lead is not None:
        return text.found((lead.end(), line.end()), "hashes")
    return text.found(line.span(1), "hashes") if final or _NUMERIC_START.match(line[1]) else None


_LEAD = re.compile(
    r"\W{0,99}(?:(?:so|thus|hence|therefore)\b,?\s*)?(?:the\s+|my\s+|our\s+)?"
    r"(?:final\s+|correct\s+)?answer\W{0,3}?\s*(?:is\b|:)[\s:*]*",
    re.IGNORECASE,
)
_PHRASE = re.compile(
    r"(?:\bfinal\s+answers?\b[*_\"]{0,3}\s*(?:\b(?:is|are)\b|:|=|\n)"
    r"|\b(?:the|my|our)\s+(?:correct\s+)?(?:answers?|option|choice)\b[*_\"]{0,3}"
    r"(?:\s+to\s[^.:\n]{1,80}?)?\s*(?:\b(?:is|are)\b|\b(?:would|should|must|will)\s+be\b|:|=)"
    r"|\banswers?\b[*_\"]{0,3}\s*"
    r"(?:[:=]|\b(?:is|are)\b(?!\s+(?:correct|right|wrong|known|unclear|unknown)))"
    r"|^\W{0,4}answer\W{0,4}\n)[\s:*_\"`}]*"
    r"(?:(?:therefore|thus|hence|so|clearly|simply|just|then|indeed|exactly|equal\s+to|given\s+by"
    r"|choice(?=\s+[A-Z]\b))\b[\s,:*_]*)?",
    re.IGNORECASE | re.MULTILINE,
)
_LINE_A = re.compile(r"^[ \t]*A:[ \t]*", re.MULTILINE)


def _phrase(text: Text) -> Found | None:
    said = _last_phrase(text)
    line = None if text.options is not None else text.last_line(_LINE_A, "A:")
    if said is None or line is None:
        mark = said or line
        if mark is None:
            return None
        start = mark.end()
    else:
        start = max(said.end(), line.end())
    stop = end_of_statement(text.completion, start, keep_reasons=text.options is not None)
    if text.options is not None:
        stop = _with_another_text(text.completion, (start, stop), text.options)
    return text.found((start, stop), "phrase")


def _with_another_text(completion: str, span: Span, options: Mapping[str, str]) -> int:
    """Return the end of a statement and, where it is the text of another option, of the next one.

    "The answer is B. Insulin." names two where A is insulin, as "B) Insulin" does. A sentence that
    only opens with such a text ("Insulin would be wrong") is no part of the answer.
    """
    # Markup and white space take room, too.
    longest = 2 * max(map(len, options.values()), default=0) + 20
    for start, stop in sentences_behind(completion, span[1], longest):
        other = named_by_text(completion[start:stop], options)
        if other is not None:
            letter = resolve(completion[slice(*span)], options).letter
            return span[1] if letter in (None, other) else stop
    return span[1]


_NOUNS = ("answer", "option", "choice")


def _last_phrase(text: Text) -> re.Match[str] | None:
    """Return the last phrase that announces the answer, in the last `PHRASE_WINDOW` characters."""
    small = text.small()
    begin = max(0, len(small) - PHRASE_WINDOW)
    nouns = [place for noun in _NOUNS if (place := small.find(noun, begin)) >= 0]
    if not nouns:
        return None
    noun = min(nouns)
    # A phrase has at most two words, or four other characters, before its noun.
    words = text.completion[begin:noun].rsplit(None, 2)
    lead = len(words[0]) if len(words) == 3 else 0
    return text.last(_PHRASE, max(begin, min(begin + lead, noun - 4)))


_BOLD = re.compile(r"\*\*([^*\n]+)\*\*[.!]?\s*\Z")


def _bold_end(text: Text) -> Found | None:
    if not text.ends_with("**", "**.", "**!"):
        return None
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
    start, stop = trimmed(text.completion, (0, len(text.completion)))
    line = max(text.completion.rfind("\n", start, stop) + 1, start)
    for span in ((start, stop), (line, stop)):
        choice = resolve(text.completion[slice(*span)], text.options)
        if choice.letter is not None and not choice.loose:
            return text.found(span, "choice")
    return None


_FORMULA = re.compile(
    r"\\\[((?:(?!\\\[).){1,2000}?)\\\]|\\\(((?:(?!\\\().){1,2000}?)\\\)"
    r"|\$\$(.{1,2000}?)\$\$|\$([^$\n]{1,2000})\$",
    re.DOTALL,
)
_NUMBER = re.compile(
    r"(?<![\w.])[-+−]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+|(?<=\d))(?:/\d+)?%?(?!\w)"
)


def _lenient(text: Text) -> Found | None:
    if not text.lenient:
        return None
    begin = max(0, len(text.completion) - LENIENT_WINDOW)
    formula, number = text.last(_FORMULA, begin), text.last(_NUMBER, begin)
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
