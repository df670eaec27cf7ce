r"""Whether a completion has the form that its prompt asked for.

Tags are read literally: they are case-sensitive, and every occurrence counts wherever it stands,
also inside a code fence or where the reasoning quotes it. What reads the completion afterwards (an
answer extractor, a chat template, a user interface) finds the quoted tag just the same, and an
exemption for quotations would be a place to hide a second block in. A completion that writes
`<think>` twice has therefore lost the form, for whatever reason it did.

White space before the first tag and after the last one, and `\r\n` for `\n`, never matter. A prompt
template that ends in the opening `<think>` leaves it out of the completion: `prefilled_think=True`
puts it back before the form is judged.
"""

from __future__ import annotations

import re
import string
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from rlrewards.core import Sample
from rlrewards.parameters import require_bool
from rlrewards.stack import Composable

Mode = Literal["graded", "strict"]
Part = Literal["think", "assessment", "final_answer"]
OPENING = "<think>"


class _Form(Composable):
    """A reward from 0 to 1 that looks at nothing but the text."""

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest score that the reward can give."""
        return 0.0, 1.0

    def __call__(self, batch: Sequence[Sample], /) -> list[float | None]:
        """Return each completion's score, from 0 to 1."""
        return [self._score(sample.completion) for sample in batch]

    @abstractmethod
    def _score(self, text: str) -> float:
        """Return the score of one text."""


# ---------------------------------------------------------------------------------------------
# <think> and <answer>


@dataclass(frozen=True, repr=False, kw_only=True)
class ThinkFormat(_Form):
    """1 for exactly one `<think>…</think>`, at the start, with something in it and after it.

    Something is any character that is not white space. White space may come before the block.

    Source: DeepSeek-R1's format reward (arXiv 2501.12948 §2.2.2). Unlike TRL's, two closing tags
    or nothing after the block score 0.

    Args:
        prefilled_think: Whether the prompt ends in the opening tag.

    >>> texts = ["<think>2 + 2</think> 4", "<think>2 + 2</think>", "<think>2</think></think> 4"]
    >>> ThinkFormat()([Sample(text) for text in texts])
    [1.0, 0.0, 0.0]
    """

    prefilled_think: bool = False

    def __post_init__(self) -> None:
        require_bool(self, "prefilled_think")

    def _score(self, text: str) -> float:
        after = _after_think(_with_opening(text, self.prefilled_think))
        return float(bool(after and after.strip()))


@dataclass(frozen=True, repr=False, kw_only=True)
class ThinkAnswerFormat(_Form):
    """1 for both `<think>…</think>` and `<answer>…</answer>`, ½ for exactly one of the two.

    A pair is whole when its opening and its closing tag stand once each, in this order.
    Graded: 1 when both pairs are whole and the answer follows the reasoning; ½ when one pair is
    whole and the other is not there (a lone tag makes no pair); 0 when neither is whole, or when
    both are there but reversed, nested or repeated. Strict: 1 when both are whole, in order, and
    nothing but white space stands outside them; 0 otherwise. What the blocks hold is not looked at.

    Source: Xu Li's thesis (LIACS, Leiden) §3.4, which gives 1.0, 0.5 and 0.0 for "including" both,
    one and none of the tags. Ours is stricter on purpose: tags in any order would earn that.

    Args:
        mode: `"graded"` or `"strict"`.
        prefilled_think: Whether the prompt ends in the opening `<think>`.

    Raises:
        ValueError: the mode is neither.

    >>> texts = ["<think>2 + 2</think> <answer>4</answer>", "<answer>4</answer>", "4"]
    >>> ThinkAnswerFormat()([Sample(text) for text in texts])
    [1.0, 0.5, 0.0]
    """

    mode: Mode = "graded"
    prefilled_think: bool = False

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise ValueError(
                f"ThinkAnswerFormat: mode={self.mode!r}; allowed: {', '.join(get_args(Mode))}"
            )
        require_bool(self, "prefilled_think")

    def _score(self, text: str) -> float:
        text = _with_opening(text, self.prefilled_think)
        think, answer = _whole_pair(text, "think"), _whole_pair(text, "answer")
        if think and answer:
            in_order = think[1] <= answer[0]
            return float(in_order and (self.mode == "graded" or _covers(text, think, answer)))
        if self.mode == "strict" or not (think or answer):
            return 0.0
        return 0.0 if _has_pair(text, "answer" if think else "think") else 0.5


@dataclass(frozen=True, repr=False, kw_only=True)
class TagCount(_Form):
    """An equal share of 1 for each tag that stands exactly once.

    `Σ_k [tag k occurs once] / K`, so four tags count ¼ each.

    Source: open-r1's `tag_count_reward`, whose tags carry their line breaks and so reject `\\r\\n`;
    ours are the bare tags. (willccbb's original: ⅛ a tag, less 0.001 for each trailing character.)
    Order and nesting do not matter here: see `ThinkAnswerFormat`.

    Args:
        tags: One or more tags, all different.

    Raises:
        ValueError: there is no tag, an empty one, or one twice.
        TypeError: a tag is not a string.

    >>> TagCount()([Sample("<think>2 + 2</think> <answer>4"), Sample("4")])
    [0.75, 0.0]
    """

    tags: tuple[str, ...] = ("<think>", "</think>", "<answer>", "</answer>")

    def __post_init__(self) -> None:
        object.__setattr__(self, "tags", _distinct_strings(self, "tags"))

    def _score(self, text: str) -> float:
        return sum(text.count(tag) == 1 for tag in self.tags) / len(self.tags)


def _with_opening(text: str, prefilled: bool) -> str:
    return OPENING + text if prefilled else text


def _after_think(text: str) -> str | None:
    """Return what follows the one, leading, non-empty reasoning block, or None."""
    span = _whole_pair(text, "think")
    if span is None or text[: span[0]].strip():
        return None
    inside = text[span[0] + len(OPENING) : span[1] - len("</think>")]
    return text[span[1] :] if inside.strip() else None


def _whole_pair(text: str, tag: str) -> tuple[int, int] | None:
    """Return the span of `<tag>…</tag>` if both tags stand once and in order."""
    opening, closing = f"<{tag}>", f"</{tag}>"
    if text.count(opening) != 1 or text.count(closing) != 1:
        return None
    start, end = text.find(opening), text.find(closing)
    return (start, end + len(closing)) if start < end else None


def _has_pair(text: str, tag: str) -> bool:
    """Whether some closing tag follows an opening one."""
    start = text.find(f"<{tag}>")
    return start >= 0 and text.find(f"</{tag}>", start) >= 0


def _covers(text: str, first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Whether nothing but white space stands outside two spans."""
    outside = text[: first[0]] + text[first[1] : second[0]] + text[second[1] :]
    return not outside.strip()


# ---------------------------------------------------------------------------------------------
# Headings


@dataclass(frozen=True, repr=False, kw_only=True)
class HuatuoFormat(_Form):
    """1 for exactly one `## Thinking` and, after it, one `## Final Response` and a blank line.

    Both open a line. `\\r\\n` counts as `\\n`.

    Source: the code of HuatuoGPT-o1 (arXiv 2412.18925), which counts `## Thinking` and
    `## Final Response\\n\\n` anywhere and in any order.

    >>> text = "## Thinking\\n\\nFever and rash.\\n\\n## Final Response\\n\\nMeasles."
    >>> HuatuoFormat()([Sample(text), Sample("Measles.")])
    [1.0, 0.0]
    """

    def _score(self, text: str) -> float:
        text = text.replace("\r\n", "\n")
        thinking, response = _lone(text, "## Thinking"), _lone(text, "## Final Response\n\n")
        return float(thinking is not None and response is not None and thinking < response)


def _lone(text: str, marker: str) -> int | None:
    """Return where a marker stands if it stands once and opens a line."""
    at = text.find(marker)
    line = text.rfind("\n", 0, max(at, 0)) + 1
    once = at >= 0 and text.find(marker, at + 1) < 0
    return at if once and not text[line:at].strip() else None


@dataclass(frozen=True, repr=False, kw_only=True)
class GazalFormat(_Form):
    r"""1 for every required part of Gazal-R1's response format, else 0.

    - `think`: as `ThinkFormat` has it.
    - `assessment`: one heading Assessment after the reasoning, with text below it.
    - `final_answer`: one heading Final Answer, after the assessment where there is one, whose text
      ends in `\boxed{A}` … `\boxed{E}` (dollars, asterisks, backquotes, `\)`, `\]` and a full stop
      behind it are ignored).

    A heading is a line of its own, at any level (`###`, bold or bare) and in any case.

    Source: Gazal-R1 (arXiv 2506.21594): its Table 1 names the `<think>` block alone, which is
    `parts=("think",)`; its prompt (App. B.2) asks for all three.

    Args:
        parts: Which parts are required, one or more of the three.
        prefilled_think: Whether the prompt ends in the opening `<think>`.

    Raises:
        ValueError: there is no part, an unknown one, or one twice.
        TypeError: `parts` is not a sequence of strings.

    >>> text = "<think>Fever.</think>\n### Assessment\nMeasles.\n### Final Answer\n\\boxed{B}"
    >>> GazalFormat()([Sample(text), Sample(text + " or so")])
    [1.0, 0.0]
    """

    parts: tuple[Part, ...] = ("think", "assessment", "final_answer")
    prefilled_think: bool = False

    def __post_init__(self) -> None:
        parts = _distinct_strings(self, "parts")
        for part in parts:
            if part not in get_args(Part):
                raise ValueError(
                    f"GazalFormat: parts holds {part!r}; allowed: {', '.join(get_args(Part))}"
                )
        object.__setattr__(self, "parts", parts)
        require_bool(self, "prefilled_think")

    def _score(self, text: str) -> float:
        text = _with_opening(text, self.prefilled_think)
        response = _after_think(text)
        if "think" in self.parts and not (response and response.strip()):
            return 0.0
        lines = text.rpartition("</think>")[2].splitlines()
        return float(all(_SECTIONS[part](lines) for part in self.parts if part in _SECTIONS))


_MARKUP = " \t#*_:"
_AROUND_BOX = string.whitespace + "$*`.\\)]"
_BOXED_LETTER = re.compile(r"\\boxed\{[A-E]\}\Z")


def _heading(lines: list[str], title: str) -> int | None:
    """Return the line of the one heading with this title."""
    found = [index for index, line in enumerate(lines) if line.strip(_MARKUP).casefold() == title]
    return found[0] if len(found) == 1 else None


def _has_assessment(lines: list[str]) -> bool:
    start = _heading(lines, "assessment")
    if start is None:
        return False
    end = _heading(lines, "final answer")
    below = lines[start + 1 : end if end is not None and end > start else None]
    return any(line.strip() for line in below)


def _has_final_answer(lines: list[str]) -> bool:
    start, assessment = _heading(lines, "final answer"), _heading(lines, "assessment")
    if start is None or (assessment is not None and assessment > start):
        return False
    section = "\n".join(lines[start + 1 :]).rstrip(_AROUND_BOX)
    return _BOXED_LETTER.search(section[-9:]) is not None


_SECTIONS: dict[str, Callable[[list[str]], bool]] = {
    "assessment": _has_assessment,
    "final_answer": _has_final_answer,
}


# ---------------------------------------------------------------------------------------------
# What constructors check


def _distinct_strings(reward: object, field: str) -> tuple[Any, ...]:
    value = getattr(reward, field)
    name = f"{type(reward).__name__}: {field}"
    if not isinstance(value, tuple | list) or not all(isinstance(item, str) for item in value):
        raise TypeError(f"{name} must be a tuple of strings, got {value!r}")
    if not value or "" in value or len(set(value)) != len(value):
        raise ValueError(f"{name} must be one or more different, non-empty strings, got {value!r}")
    return tuple(value)
