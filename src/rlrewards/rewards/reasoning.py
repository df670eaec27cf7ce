r"""The shape of the reasoning: is it cut into steps, and are the steps short?

The reasoning is the text inside the first `<think>…</think>`: from the first opening tag, or the
start of the text where a prompt template opened the block, to the next closing tag, or the end of
the text where the block is never closed. Without either tag it is all that comes before the final
answer: before an `<answer>`, a `\boxed` that opens a line, or a line that opens with "Final
answer", "Final response", "Answer:" or `####` and a number, markup aside. Where nothing of that
stands it is the whole text. Its lines are those that hold more than white space.

Shape is easy to fake: a stack that rewards it needs an accuracy reward beside it, and
`RepetitionPenalty` against the same step over and over.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rlrewards.core import Sample
from rlrewards.parameters import require_whole
from rlrewards.rewards.lengths import count_words
from rlrewards.stack import Composable

# Repetitions are possessive (`*+`), so that no text makes the search go back over itself.
_FINAL_ANSWER = re.compile(
    r"""
      <answer>
    | ^[ \t]*+\#{4}[ \t]*+[-+$\d]
    | ^[ \t]*+(?:\#{1,6}+[ \t]*+)?+(?:\*\*|__)?+[ \t$]*+(?:\\[\[(])?+[ \t]*+
      (?: \\boxed\b | final[ ](?:answer|response)\b | answer(?:\*\*|__)?+[ \t]*+: )
    """,
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
_MARKER = re.compile(
    r"""
    [ \t>]*+
    (?:
        (?P<bullet> [-*+•] ) [ \t]++ (?=\S)
      | (?:\#{1,6}+[ \t]*+)?+ (?:\*\*|__)?+
        (?: (?P<step> step[ \t]++\d{1,6}+ ) (?!\w) (?:\*\*|__)?+ [.:)]?+ (?:\*\*|__)?+
          | (?P<number> \d{1,6}+ [.)] ) (?!\d)
          | (?P<word> first | firstly | second | secondly | third | thirdly | next | then | finally
            | lastly ) ,
        )
    )
    """,
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True, repr=False, kw_only=True)
class ReasoningSteps(Composable):
    """Reward reasoning that is cut into steps: `min(1, steps / target)`.

    Steps are the distinct markers that open a line of the reasoning, in any case and markup aside:
    `Step 2`, `2.` or `2)`, a bullet (`-`, `*`, `+`, `•`), or a word with a comma behind it: First,
    Firstly, Second, Secondly, Third, Thirdly, Next, Then, Finally, Lastly. Two bullets are distinct
    when their texts are.

    Source: open-r1's `reasoning_steps_reward`, which counts every match anywhere, "First,First,"
    twice, and finds numbers at the start of the whole text alone.

    Args:
        target: How many steps earn the full score.

    Raises:
        ValueError: the target is below 1.

    >>> ReasoningSteps()([Sample("1. Add.\\n2. Halve.\\n3. Check."), Sample("First,First,First,")])
    [1.0, 0.3333333333333333]
    """

    target: int = 3

    def __post_init__(self) -> None:
        require_whole(self, "target", 1)

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest score that the reward can give."""
        return 0.0, 1.0

    def __call__(self, batch: Sequence[Sample], /) -> list[float | None]:
        """Return the share of the target that each completion reaches."""
        return [self._score(sample.completion) for sample in batch]

    def _score(self, text: str) -> float:
        steps = {marker for line in reasoning_lines(text) if (marker := _marker(line))}
        return min(1.0, len(steps) / self.target)


@dataclass(frozen=True, repr=False, kw_only=True)
class ChainOfDraft(Composable):
    """Reward reasoning in many short lines.

    `(short lines / lines) · min(1, lines / min_steps)`, a line being short when it has at most
    `max_words` words, its step marker ("2.", "Step 2:", "-") left out; 0 without any line.

    Source: Gazal-R1 (arXiv 2506.21594) §3.1.1, which asks for at least eight steps of at most ten
    words each, after Chain of Draft (arXiv 2502.18600).

    Args:
        min_steps: Lines that the reasoning should have at least.
        max_words: Words that a line should have at most.

    Raises:
        ValueError: either is below 1.

    >>> drafts = "<think>\\n1. 16 eggs laid\\n2. 3 eaten\\n3. 13 left to sell\\n</think> 13"
    >>> ChainOfDraft(min_steps=4)([Sample(drafts)])
    [0.75]
    """

    min_steps: int = 8
    max_words: int = 10

    def __post_init__(self) -> None:
        require_whole(self, "min_steps", 1)
        require_whole(self, "max_words", 1)

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest score that the reward can give."""
        return 0.0, 1.0

    def __call__(self, batch: Sequence[Sample], /) -> list[float | None]:
        """Return how well each completion keeps to many short lines, from 0 to 1."""
        return [self._score(sample.completion) for sample in batch]

    def _score(self, text: str) -> float:
        lines = reasoning_lines(text)
        if not lines:
            return 0.0
        short = sum(count_words(_without_marker(line)) <= self.max_words for line in lines)
        return short / len(lines) * min(1.0, len(lines) / self.min_steps)


def reasoning_lines(text: str) -> list[str]:
    r"""Return the lines of the reasoning that hold more than white space; see the module's text.

    >>> reasoning_lines("<think>\n2 + 2\n\n= 4\n</think>\n4")
    ['2 + 2', '= 4']
    >>> reasoning_lines("2 + 2\n= 4\nAnswer: 4")
    ['2 + 2', '= 4']
    """
    return [line for line in _reasoning(text).splitlines() if line.strip()]


def _reasoning(text: str) -> str:
    before, opened, inside = text.partition("<think>")
    reasoning, closed, _ = (inside if opened else before).partition("</think>")
    if opened or closed:
        return reasoning
    final = _FINAL_ANSWER.search(text)
    return text[: final.start()] if final else text


def _marker(line: str) -> str | None:
    """Return what tells one step from another: its number, its word, or the bullet's text."""
    found = _MARKER.match(line)
    if found is None:
        return None
    if found["bullet"]:
        return "- " + " ".join(line[found.end() :].casefold().split())
    return " ".join(found[found.lastgroup or 0].casefold().split())


def _without_marker(line: str) -> str:
    found = _MARKER.match(line)
    return line if found is None or found["word"] else line[found.end() :]
