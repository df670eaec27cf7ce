"""The laws of rewards for the shape of reasoning."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from rlrewards.core import Sample
from rlrewards.testing.law import ensure, law
from rlrewards.testing.subject import Subject

# What opens a step, and when two are the same one.
MARKERS = (
    *("1. ", "2) ", "3. ", "12. ", "Step 1: ", "Step 2. ", "STEP 3 ", "**Step 4:** ", "### 5. "),
    *("First, ", "Secondly, ", "then, ", "Finally, ", "FINALLY, ", "Then, ", "step 2: "),
)
BULLETS = ("- ", "* ", "• ")
PLAIN = ("", "So ", "Since 2 ", "Steps ", "1 ", "1.5 ", "firstborn ", "-", "First ")
WORDS = ("add", "halve", "check", "sum", "count")
AFTER = (
    ("<think>\n", "\n</think>\n"),
    ("\n<think>", "</think>"),
    ("", "\n</think>\n"),
    ("<think>\n", ""),
    ("", "\n<answer>\n"),
    ("", "\nAnswer: 4\n"),
    ("", "\n**Answer:** 4\n"),
    ("", "\n### Final Answer\n"),
    ("", "\nfinal response\n"),
    ("", "\n#### 4\n"),
    ("", "\n$\\boxed{4}$\n"),
    ("", ""),
)


@dataclass(frozen=True)
class Reasoning:
    """Lines of reasoning as a step marker and words, in a place, with lines behind the answer."""

    lines: tuple[tuple[str, int], ...]
    place: tuple[str, str]
    rest: tuple[str, ...]
    blank: bool

    @property
    def sample(self) -> Sample:
        """The completion."""
        opening, closing = self.place
        between = "\n \n" if self.blank else "\n"
        text = between.join(marker + _words(count) for marker, count in self.lines)
        rest = "\n".join(f"{marker}{_words(2)}" for marker in self.rest) if closing else ""
        return Sample(opening + text + closing + rest, "4", "2 + 2", token_ids=(1,), group="p")


def _words(count: int) -> str:
    return " ".join(WORDS[i % len(WORDS)] for i in range(count))


def _reasonings(subject: Subject) -> st.SearchStrategy[Reasoning]:
    words = int(subject.facts.get("max_words", 5))
    count = st.integers(1, 3) | st.integers(max(1, words - 1), words + 1)
    line = st.tuples(st.sampled_from(MARKERS + PLAIN) | st.sampled_from(BULLETS), count)
    wanted = int(subject.facts.get("target", subject.facts.get("min_steps", 3)))
    return st.builds(
        Reasoning,
        st.lists(line, max_size=wanted + 3).map(tuple),
        st.sampled_from(AFTER),
        st.lists(st.sampled_from(MARKERS), max_size=3).map(tuple),
        st.booleans(),
    )


def _step(marker: str, count: int) -> str | None:
    """Return what tells a step from another, None for a line that opens none."""
    if marker in BULLETS:
        return "- " + _words(count)
    if marker not in MARKERS:
        return None
    return marker.strip(" *#").rstrip(".:,*").casefold()


@law(
    "The score is the share of the target that distinct steps reach; what stands behind the "
    "reasoning does not count.",
    kinds="reasoning",
    needs=["target"],
    cases=_reasonings,
    name="distinct steps over the target",
)
def _steps(subject: Subject, reasoning: Reasoning) -> None:
    steps = {_step(marker, count) for marker, count in reasoning.lines} - {None}
    expected = min(1.0, len(steps) / int(subject.facts["target"]))
    score = subject.score(reasoning.sample)
    ensure(score == expected, f"scored {score} for {len(steps)} distinct steps, expected "
           f"{expected:g}", [reasoning.sample], [score])  # fmt: skip


@law(
    "The score is the share of short lines times the share of the lines wanted; a step's marker is "
    "not counted among its words.",
    kinds="reasoning",
    needs=["min_steps", "max_words"],
    cases=_reasonings,
    name="short lines of many",
)
def _drafts(subject: Subject, reasoning: Reasoning) -> None:
    lines = reasoning.lines
    most, wanted = int(subject.facts["max_words"]), int(subject.facts["min_steps"])
    counts = [count + _own_words(marker) for marker, count in lines]
    short = sum(count <= most for count in counts)
    expected = short / len(lines) * min(1.0, len(lines) / wanted) if lines else 0.0
    score = subject.score(reasoning.sample)
    ensure(score is not None and abs(score - expected) < 1e-12,
           f"scored {score}, expected {expected:g}: lines of {counts} words",
           [reasoning.sample], [score])  # fmt: skip


def _own_words(marker: str) -> int:
    """Return how many words a line's opening adds: markers none, but "First," is a word."""
    if marker in BULLETS or (marker in MARKERS and not marker.endswith(", ")):
        return 0
    return len(f"{marker}x".split()) - 1


LAWS = (_steps, _drafts)
