"""What a judge is here: a function from prompts to replies. Who answers is the user's business.

The settings name one as `judge = "my_package.my_module:my_function"`. A reply that does not come is
None, and one that is not in the form that was asked for counts as none: never as right, never as
wrong.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from examples.common.preflight import PreflightError


class Judge(Protocol):
    """Answers prompts, in their order; None where no answer came. It does its own retries."""

    def __call__(self, prompts: Sequence[str], /) -> Sequence[str | None]:
        """Return a reply for each prompt."""
        ...


class Quality(NamedTuple):
    """What Box 2 asks for."""

    is_correct: int
    reasoning_quality: int


PERFECT = Quality(1, 10)  # what the thesis keeps


def find(spec: str) -> Judge | None:
    """Return the function that a setting names; an empty one names none."""
    if not spec:
        return None
    module, _, name = spec.partition(":")
    try:
        judge = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise PreflightError(
            f"cannot import the judge {spec!r} ({error}); expected package.module:function"
        ) from error
    if not callable(judge):
        raise PreflightError(f"the judge {spec!r} is no function, but {judge!r}")
    return judge


def replies(judge: Judge, prompts: Sequence[str]) -> list[str | None]:
    """Ask and check that each prompt got a reply, or None."""
    found = list(judge(prompts)) if prompts else []
    if len(found) != len(prompts):
        raise ValueError(f"the judge was asked {len(prompts)} prompts, and replied to {len(found)}")
    return found


def read_quality(reply: str | None) -> Quality | None:
    """Return the two scores of a reply, or None where it is not what Box 2 asks for.

    >>> read_quality('{"is_correct": 1, "reasoning_quality": 10}')
    Quality(is_correct=1, reasoning_quality=10)
    >>> read_quality("It is right.") is None
    True
    """
    text = (reply or "").strip()
    if text.startswith("```"):
        text = text.strip("`").removeprefix("json")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or set(found) != {"is_correct", "reasoning_quality"}:
        return None
    right, quality = found["is_correct"], found["reasoning_quality"]
    if type(right) is not int or type(quality) is not int:
        return None
    return Quality(right, quality) if right in (0, 1) and 1 <= quality <= 10 else None


def read_grade(reply: str | None) -> float | None:
    """Return 1.0 or 0.0 where the reply is just that digit, else None.

    >>> read_grade(" 1\\n"), read_grade("0"), read_grade("The grade is 1"), read_grade(None)
    (1.0, 0.0, None, None)
    """
    return {"1": 1.0, "0": 0.0}.get((reply or "").strip())
