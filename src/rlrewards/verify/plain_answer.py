"""The plainest ways in which a completion ends: one box, or a last line `A: 18` or `#### 18`.

Most completions do. What is found here the rules of `extract` would find too, in several times the
time; a test holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from rlrewards.verify.boxes import ENDS_SENTENCE, closing_brace, is_touched, trimmed
from rlrewards.verify.verdict import Answer

MAX_READ = 200_000


def plain_answer(
    completion: str, options: Mapping[str, str] | None, tags: tuple[str, str]
) -> Answer | None:
    """Return the answer of a completion that ends in the plainest ways, or None.

    None says nothing: the rules of `extract` have to decide.
    """
    if len(completion) > MAX_READ:
        return None
    has_angle = "<" in completion
    for tag in tags:
        if (has_angle or tag[0] != "<") and tag in completion:
            return None
    if options is None and completion[-1:].isdigit():
        found = _final_number(completion, has_angle)
        if found is not None:
            return found
    if has_angle and _has_mark(completion):
        return None
    return _last_box(completion)


_MAY_BE_A_TAG = re.compile(r"<\s*/?\s*[aA]")


def _has_mark(completion: str) -> bool:
    """Whether an answer tag may stand in a completion, or a special token at its end."""
    return _MAY_BE_A_TAG.search(completion) is not None or completion.rstrip().endswith(">")


_PLAIN_END = re.compile(r"[ \t]*(A:|####)[ \t]*(-?\d[\d,]{0,30}(?:\.\d{1,30})?)\Z")


def _final_number(completion: str, has_angle: bool) -> Answer | None:
    """Return the number of a last line `A: 18` or `#### 18` where nothing else marks an answer."""
    end = _PLAIN_END.match(completion, completion.rfind("\n") + 1)
    if end is None or "\\" in completion:
        return None
    if has_angle and ("answer" in completion.lower() or not completion.isascii()):
        return None
    if end[1] == "A:":
        if "####" in completion or not completion.isascii():
            return None
        return Answer(end[2], end.span(2), "phrase")
    return Answer(end[2], end.span(2), "hashes")


def _last_box(completion: str) -> Answer | None:
    r"""Return what the last box of a text without tags holds, where no other box stands by it."""
    at = completion.rfind("\\boxed{")
    if at < 0 or completion.find("box", at + 7) >= 0:
        return None
    if completion.rfind("box", 0, at) >= 0 and not _stands_alone(completion, at):
        return None
    end = completion.find("}", at)
    inside = completion[at + 7 : end]
    if "{" in inside or "\\" in inside:
        end = closing_brace(completion, at + 6, len(completion)) or -1
    if end < 0 or is_touched(completion, (at, end + 1)):
        return None
    if inside.isalnum():
        return Answer(inside, (at + 7, end), "boxed")
    start, stop = trimmed(completion, (at + 7, end))
    if start == stop:
        return None
    return Answer(completion[start:stop], (start, stop), "boxed")


_CLOSED_BOX = re.compile(r"\\boxed\{(?:[^{}\\\n]++|\\[^\n]|\{(?:[^{}\\\n]++|\\[^\n])*\})*\}")


def _stands_alone(completion: str, at: int) -> bool:
    """Whether every box before this one is closed, and stands in an earlier sentence."""
    end, closed = 0, 0
    for box in _CLOSED_BOX.finditer(completion, 0, at):
        end, closed = box.end(), closed + 1
    opened = completion.count("\\boxed", 0, at) + completion.count("\\fbox", 0, at)
    if opened != closed:
        return False
    return not opened or ENDS_SENTENCE.search(completion, end, at) is not None
