"""The plainest ways in which a completion ends: one box, or a last line `A: 18` or `#### 18`.

Most completions do. What is found here the rules of `extract` would find too, in several times the
time; a test holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from rlrewards.verify.boxes import closing_brace, is_touched, trimmed
from rlrewards.verify.verdict import Answer

MAX_READ = 200_000


class Found(NamedTuple):
    """What extraction found: an answer, or the reason why there is none."""

    answer: Answer | None
    why: str = ""


def plain_answer(
    completion: str, options: Mapping[str, str] | None, tags: tuple[str, str]
) -> Found | None:
    """Return the answer of a completion that ends in the plainest ways, without the rules below.

    They would find the same; None where they have to decide.
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
    if has_angle and _MAY_BE_A_TAG.search(completion) is not None:
        return None
    return _lone_box(completion)


# An answer tag, or a special token at the end.
_MAY_BE_A_TAG = re.compile(r"<(?:\s*/?\s*[aA]|[^<]*>\s*\Z)")
_PLAIN_END = re.compile(r"[ \t]*(A:|####)[ \t]*(-?\d[\d,]{0,30}(?:\.\d{1,30})?)\Z")


def _final_number(completion: str, has_angle: bool) -> Found | None:
    """Return the number of a last line `A: 18` or `#### 18` where nothing else marks an answer."""
    end = _PLAIN_END.match(completion, completion.rfind("\n") + 1)
    if end is None or "\\" in completion:
        return None
    if has_angle and ("answer" in completion.lower() or not completion.isascii()):
        return None
    if end[1] == "A:":
        if "####" in completion or not completion.isascii():
            return None
        return Found(Answer(end[2], end.span(2), "phrase"))
    return Found(Answer(end[2], end.span(2), "hashes"))


_FIRST_BOX = re.compile(r"\\(?:boxed|fbox)")


def _lone_box(completion: str) -> Found | None:
    r"""Return what the only box of a text without tags holds."""
    at = completion.rfind("\\boxed{")
    if at < 0 or completion.find("box", at + 7) >= 0:
        return None
    if completion.find("box") != at + 1 and _FIRST_BOX.search(completion, 0, at) is not None:
        return None
    end = completion.find("}", at)
    inside = completion[at + 7 : end]
    if "{" in inside or "\\" in inside:
        end = closing_brace(completion, at + 6, len(completion)) or -1
    if end < 0 or is_touched(completion, (at, end + 1)):
        return None
    start, stop = trimmed(completion, (at + 7, end))
    if start == stop:
        return None
    return Found(Answer(completion[start:stop], (start, stop), "boxed"))
