"""Each reward once more, written to be read: the definitions that laws hold rewards against.

Nothing here is fast, and nothing is shared with the rewards: a slip in one shows against the other.
Sources are those of the rewards' docstrings.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise

Pair = tuple[float, float]


def cosine(
    n: int,
    right: bool,
    *,
    max_length: int,
    correct: Pair,
    wrong: Pair,
    exceed: float | None = None,
    margin_tokens: int = 0,
) -> float:
    """Return the cosine length reward of Yeo et al. (arXiv 2502.03373, App. C.1).

    >>> cosine(50, True, max_length=100, correct=(2.0, 1.0), wrong=(-10.0, 0.0))
    1.5
    """
    if exceed is not None and n + margin_tokens >= max_length:
        return exceed
    at_zero, at_limit = correct if right else wrong
    angle = math.pi * min(n, max_length) / max_length
    return at_limit + (at_zero - at_limit) * (1 + math.cos(angle)) / 2


def overlong(n: int, *, max_length: int, buffer: int) -> float:
    """Return DAPO's soft overlong punishment (arXiv 2503.14476, eq. 13).

    >>> [overlong(n, max_length=100, buffer=20) for n in (80, 85, 100, 101, 1000)]
    [0.0, -0.25, -1.0, -1.0, -1.0]
    """
    if n <= max_length - buffer:
        return 0.0
    if n > max_length:
        return -1.0
    return float(Fraction(max_length - buffer - n, buffer))


def group_length(lengths: Sequence[int], right: Sequence[bool | None]) -> list[float | None]:
    """Return Kimi k1.5's length reward (arXiv 2501.12599, §2.3.3) of one group.

    >>> group_length([1, 2, 3], [True, False, False])
    [0.5, 0.0, -0.5]
    """
    least, most = min(lengths), max(lengths)
    scores: list[float | None] = []
    for n, is_right in zip(lengths, right, strict=True):
        if is_right is None:
            scores.append(None)
        elif least == most:
            scores.append(0.0)
        else:
            share = float(Fraction(1, 2) - Fraction(n - least, most - least))
            scores.append(share if is_right else min(0.0, share))
    return scores


def repeated_share(units: Sequence[object], n: int) -> Fraction:
    """Return the share of n-grams that were seen before.

    >>> repeated_share("abcabc", 3)
    Fraction(1, 4)
    """
    ngrams = [tuple(units[i : i + n]) for i in range(len(units) - n + 1)]
    return Fraction(len(ngrams) - len(set(ngrams)), len(ngrams)) if ngrams else Fraction(0)


def repetition(
    units: Sequence[object], *, n: int, max_penalty: float, threshold: float = 0.0
) -> float:
    """Return the scalar repetition penalty of Yeo et al.'s repository, open-r1 and Gazal-R1.

    >>> repetition("abcabc", n=3, max_penalty=-1.0)
    -0.25
    """
    share = repeated_share(units, n)
    over = max(Fraction(0), share - Fraction(threshold)) / (1 - Fraction(threshold))
    return max_penalty * float(over) + 0.0


def dense_repetition(token_ids: Sequence[int], *, n: int, penalty: float) -> list[float]:
    """Return the penalty of each token (arXiv 2502.03373, App. C.2, Algorithm 1).

    >>> dense_repetition([1, 2, 1, 2], n=2, penalty=-0.5)
    [0.0, 0.0, -0.5, -0.5]
    """
    stream, seen = [0.0] * len(token_ids), set()
    for start in range(len(token_ids) - n + 1):
        ngram = tuple(token_ids[start : start + n])
        if ngram in seen:
            stream[start : start + n] = [penalty + 0.0] * n
        seen.add(ngram)
    return stream


# ---------------------------------------------------------------------------------------------
# Forms


def _pairs(text: str, tag: str) -> list[str]:
    """Return the tags of a name in the order in which they stand."""
    return re.findall(f"</?{tag}>", text)


def _is_one_pair(text: str, tag: str) -> bool:
    return _pairs(text, tag) == [f"<{tag}>", f"</{tag}>"]


def think(text: str) -> float:
    """Return whether there is one reasoning block at the start, with text in it and behind it.

    >>> [think(text) for text in ("<think>a</think> b", "<think></think> b", "b")]
    [1.0, 0.0, 0.0]
    """
    if not _is_one_pair(text, "think"):
        return 0.0
    before, rest = text.split("<think>")
    inside, after = rest.split("</think>")
    return float(not before.strip() and bool(inside.strip()) and bool(after.strip()))


def think_answer(text: str) -> float:
    """Return 1 for both pairs in order, ½ for one alone.

    >>> texts = ("<think>a</think><answer>b</answer>", "<answer>b</answer>", "<answer>b")
    >>> [think_answer(text) for text in texts]
    [1.0, 0.5, 0.0]
    """
    whole = {tag: _is_one_pair(text, tag) for tag in ("think", "answer")}
    if all(whole.values()):
        return float(text.index("</think>") < text.index("<answer>"))
    if not any(whole.values()):
        return 0.0
    other = "answer" if whole["think"] else "think"
    is_closed = any(
        text.find(f"</{other}>", match.end()) >= 0 for match in re.finditer(f"<{other}>", text)
    )
    return 0.0 if is_closed else 0.5


def think_answer_strict(text: str) -> float:
    """Return whether there are both pairs in order and nothing outside of them.

    >>> [think_answer_strict(text) for text in ("<think>a</think> <answer>b</answer>", "<think>")]
    [1.0, 0.0]
    """
    found = re.fullmatch(r"\s*<think>(.*)</think>\s*<answer>(.*)</answer>\s*", text, re.DOTALL)
    tags = re.findall("</?(?:think|answer)>", text)
    return float(found is not None and len(tags) == 4)


def tag_count(text: str, tags: Sequence[str]) -> float:
    """Return the share of the tags that stand exactly once.

    >>> tag_count("<think>a</think></think>", ("<think>", "</think>"))
    0.5
    """
    return sum(len(text.split(tag)) == 2 for tag in tags) / len(tags)


def huatuo(text: str) -> float:
    r"""Return whether the two headings of HuatuoGPT-o1 stand once each, in order, on lines' starts.

    >>> huatuo("## Thinking\n\na\n\n## Final Response\n\nb")
    1.0
    """
    text = text.replace("\r\n", "\n")
    places = []
    for heading in ("## Thinking", "## Final Response\n\n"):
        parts = text.split(heading)
        if len(parts) != 2 or parts[0].rpartition("\n")[2].strip():
            return 0.0
        places.append(len(parts[0]))
    return float(places[0] < places[1])


def gazal(text: str, parts: Sequence[str]) -> float:
    r"""Return whether the required parts of Gazal-R1's response are there.

    >>> gazal("<think>a</think>\n### Final Answer\n\\boxed{B}", ("think", "final_answer"))
    1.0
    """
    if "think" in parts and not think(text):
        return 0.0
    response = text.split("</think>")[-1]
    lines = response.splitlines()
    titles = [re.sub(r"^[\s#*_:]+|[\s#*_:]+$", "", line).casefold() for line in lines]
    places = {
        title: [index for index, found in enumerate(titles) if found == title]
        for title in ("assessment", "final answer")
    }
    if "assessment" in parts:
        if len(places["assessment"]) != 1:
            return 0.0
        below = places["assessment"][0] + 1
        end = len(lines)
        if len(places["final answer"]) == 1 and places["final answer"][0] >= below:
            end = places["final answer"][0]
        if not "".join(lines[below:end]).strip():
            return 0.0
    if "final_answer" in parts:
        if len(places["final answer"]) != 1:
            return 0.0
        at = places["final answer"][0]
        if len(places["assessment"]) == 1 and places["assessment"][0] > at:
            return 0.0
        section = "\n".join(lines[at + 1 :])
        if not re.search(r"\\boxed\{[A-E]\}[\s$*`.\\)\]]*$", section):
            return 0.0
    return 1.0


FORMS: dict[str, Callable[[str], float]] = {
    "think": think,
    "think_answer": think_answer,
    "think_answer_strict": think_answer_strict,
    "huatuo": huatuo,
}
"""Definitions of a form by the name that the fact `form` gives it."""


def is_increasing(values: Sequence[float], tolerance: float = 1e-12) -> bool:
    """Whether no value is below the one before it."""
    return all(after >= before - tolerance for before, after in pairwise(values))
