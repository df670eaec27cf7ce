"""For each law about rewards a reward that breaks it, and as little else as possible."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import re
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import rlrewards as rr
from rlrewards.composable import Composable
from rlrewards.testing import definitions
from rlrewards.verify.verdict import Verdict


class ByText(Composable):
    """A reward of one sample's text; not a dataclass, so that its parameters are not known."""

    def __init__(self, score, bounds=(-math.inf, math.inf)):
        self._score, self._bounds = score, bounds

    @property
    def bounds(self):
        return self._bounds

    def __repr__(self):
        return "ByText()"

    def __call__(self, batch, /):
        return [self._score(sample) for sample in batch]


def words(sample):
    return len(sample.completion.split())


# ---------------------------------------------------------------------------------------------
# Every reward


def too_short(batch):
    return [1.0] * (len(batch) - 1)


def zero_over_zero(batch):
    return [math.nan if not sample.completion else 1.0 for sample in batch]


def minus_zero(batch):
    return [-0.0 for _ in batch]


def beside_the_first(batch):
    return [float(sample.completion == batch[0].completion) for sample in batch]


def mean_of_batch(batch):
    return [sum(words(s) for s in batch) / len(batch)] * len(batch)


_counter = itertools.count()


def counts_up(batch):
    return [float(next(_counter)) for _ in batch]


class HoldsALock:
    def __init__(self):
        self.lock = threading.Lock()

    def __call__(self, batch):
        return [1.0] * len(batch)


def by_hash(batch):
    return [float(hash(sample.completion) % 1000) for sample in batch]


def by_thread(batch):
    return [float(threading.current_thread() is threading.main_thread()) for _ in batch]


def by_thread_if_empty(batch):
    in_main = threading.current_thread() is threading.main_thread()
    return [float(not sample.completion and not in_main) for sample in batch]


def runs_a_loop(batch):
    async def inside():
        return [1.0] * len(batch)

    coroutine = inside()
    try:
        return asyncio.run(coroutine)
    finally:
        coroutine.close()


def writes_down(batch):
    for sample in batch:
        sample.extra["seen"] = True
    return [1.0] * len(batch)


def empties_its_column(completions, **columns):
    scores = [float(len(text)) for text in completions]
    completions.clear()
    return scores


def edits_its_messages(completions, **columns):
    texts = [messages[0]["content"] for messages in completions]
    for messages in completions:
        messages[0]["content"] += "."
    return [float(len(text)) for text in texts]


def draws(batch):
    return [float(random.random() >= 0) for _ in batch]


def seeds(batch):
    random.seed(0)
    return [1.0] * len(batch)


def prints(batch):
    print("scored", len(batch))
    return [1.0] * len(batch)


def reads_a_file(batch):
    with open(__file__, encoding="utf-8") as file:
        file.readline()
    return [1.0] * len(batch)


def reads_a_path(batch):
    return [float(bool(Path(__file__).read_text(encoding="utf-8"))) for _ in batch]


class NoEquality:
    """Nothing is wrong with it: it is what most classes are."""

    def __call__(self, batch):
        return self.scores(batch)

    def scores(self, batch):
        return [float(words(sample)) for sample in batch]


def words_of(batch, *, least):
    return [float(words(sample) >= least) for sample in batch]


# Forms as users ask for them: of DeepSeek-R1's template, and of a well-known GSM8K example.
ON_LINES = r"<think>\n.*?\n</think>\n<answer>\n.*?\n</answer>"
REASONING_TAGS = r"<reasoning>\n.*?\n</reasoning>\n<answer>\n.*?\n</answer>"


class Matches:
    """Whether the whole text matches."""

    def __init__(self, pattern):
        self.pattern = pattern

    def __call__(self, batch):
        return [float(bool(re.fullmatch(self.pattern, s.completion, re.DOTALL))) for s in batch]


def backtracks(batch):
    return [float(bool(re.search(r"(a+)+$", s.completion[:40] + "!"))) for s in batch]


def sleeps_in_threads(batch):
    if threading.current_thread() is not threading.main_thread():
        time.sleep(60 * (len(batch[0].completion) > 10**5) if batch else 0)
    return [1.0] * len(batch)


# ---------------------------------------------------------------------------------------------
# Configuration


@dataclass(frozen=True, repr=False, kw_only=True)
class TakesAnything(Composable):
    n: int = 1

    def __call__(self, batch, /):
        return [1.0 / self.n for _ in batch]


@dataclass(frozen=True, repr=False, kw_only=True)
class NarrowBounds(rr.ThinkFormat):
    @property
    def bounds(self):
        return 0.0, 0.5


@dataclass(frozen=True, repr=False, kw_only=True, eq=False)
class NeverEqual(rr.ThinkFormat):
    def __eq__(self, other):
        return False

    __hash__ = rr.ThinkFormat.__hash__


def renamed(kind, name):
    """The laws know documented parameters by the name of the class."""
    kind.__name__ = kind.__qualname__ = name
    return kind


@dataclass(frozen=True, repr=False, kw_only=True)
class NoLimits(rr.SoftOverlong):
    def __post_init__(self):
        pass


@dataclass(frozen=True, repr=False, kw_only=True)
class OtherDefault(rr.RepetitionPenalty):
    n: int = 4


renamed(OtherDefault, "RepetitionPenalty")


# ---------------------------------------------------------------------------------------------
# Being right


def never(batch):
    return [0.0] * len(batch)


def silence_is_gold(batch):
    return [
        1.0
        if not sample.completion.strip()
        else float(bool(rr.grade(sample.completion, sample.reference)))
        for sample in batch
    ]


def numbers_only(batch):
    return [
        float(bool(rr.grade(sample.completion, sample.reference)))
        if any(c.isdigit() for c in str(sample.reference))
        else None
        for sample in batch
    ]


@dataclass(frozen=True, repr=False, kw_only=True)
class HalfRight(rr.Accuracy):
    def __call__(self, batch, /):
        return [None if s is None else s / 2 for s in super().__call__(batch)]


@dataclass(frozen=True, repr=False, kw_only=True)
class UndecidedIsWrong(rr.Accuracy):
    def _score(self, verdict: Verdict):
        return super()._score(verdict) or 0.0


def always_b(batch):
    return [float("B" in sample.completion) for sample in batch]


def any_letter(batch):
    return [float(sample.reference in sample.completion) for sample in batch]


@dataclass(frozen=True, repr=False, kw_only=True)
class FourLetters(rr.ChoiceAccuracy):
    def __call__(self, batch, /):
        return [
            0.0 if sample.reference in "EFGH" else score
            for sample, score in zip(batch, super().__call__(batch), strict=True)
        ]


# ---------------------------------------------------------------------------------------------
# Lengths


def unclamped(n, right, *, max_length, correct, wrong):
    at_zero, at_limit = correct if right else wrong
    return at_limit + (at_zero - at_limit) * (1 + math.cos(math.pi * n / max_length)) / 2


@dataclass(frozen=True)
class ByLength:
    """A length reward as a function of the length and of whether 42 stands there."""

    score: Any
    facts: dict[str, Any] = field(default_factory=dict)

    def __call__(self, batch):
        return [
            float(self.score(len(s.token_ids), "{42}" in s.completion, **self.facts)) for s in batch
        ]


def no_floor(n, right, *, max_length, buffer):
    return min(0.0, (max_length - buffer - n) / buffer)


def overlong_step(n, right, *, max_length, buffer):
    return -1.0 if n > max_length else 0.0


def overlong_late(n, right, *, max_length, buffer):
    return definitions.overlong(n - 1, max_length=max_length, buffer=buffer)


def longer_is_better(n, right, *, max_length, **_):
    return min(n, max_length) / max_length


def wrong_is_short(n, right, *, max_length, correct, wrong):
    flipped = (wrong[1], wrong[0])
    return definitions.cosine(n, right, max_length=max_length, correct=correct, wrong=flipped)


def ends_missed(n, right, *, max_length, correct, wrong):
    return definitions.cosine(n + 1, right, max_length=max_length, correct=correct, wrong=wrong)


def straight(n, right, *, max_length, correct, wrong):
    at_zero, at_limit = correct if right else wrong
    return at_zero + (at_limit - at_zero) * min(n, max_length) / max_length


@dataclass(frozen=True, repr=False, kw_only=True)
class OneForAll(rr.GroupLength):
    def __call__(self, batch, /):
        return super().__call__([replace(sample, group=0) for sample in batch])


@dataclass(frozen=True, repr=False, kw_only=True)
class ByCharacters(rr.SoftOverlong):
    def __call__(self, batch, /):
        return super().__call__(
            [s if s.token_ids else replace(s, token_ids=range(len(s.completion))) for s in batch]
        )


class CountsSpecialTokens(rr.SoftOverlong):
    """Whatever its tokenizer adds before and after a text counts, too."""

    def __call__(self, batch, /):
        if str(self.length).startswith("tokenizer:"):
            batch = [replace(s, token_ids=range(len(s.completion.split()) + 2)) for s in batch]
        return super().__call__(batch)


def whole_batch_group(batch):
    lengths = [len(sample.token_ids) for sample in batch]
    right = ["{42}" in sample.completion for sample in batch]
    return definitions.group_length(lengths, right) if batch else []


# ---------------------------------------------------------------------------------------------
# Repetition


class ByBlanks(rr.RepetitionPenalty):
    """Only a blank separates its words."""

    def __call__(self, batch, /):
        return super().__call__(
            [replace(s, completion=re.sub(r"[^\S ]", "_", s.completion)) for s in batch]
        )


def of_words(measure):
    def score(batch):
        return [float(measure(sample.completion.lower().split())) for sample in batch]

    return score


def divides_by_zero(batch):
    scores = []
    for sample in batch:
        units = sample.completion.lower().split()
        ngrams = [tuple(units[i : i + 3]) for i in range(len(units) - 2)]
        scores.append(-1.0 + len(set(ngrams)) / len(ngrams))
    return scores


def by_letters(units):
    return -sum(len(unit) for unit in units) if len(set(units)) < len(units) else 0.0


def forgives_length(units):
    share = definitions.repeated_share(units, 3)
    return -float(share) / (1 + len(units))


def with_case(batch):
    return [definitions.repetition(s.completion.split(), n=3, max_penalty=-1.0) for s in batch]


def forgives_long_texts(units):
    share = definitions.repeated_share(units, 3)
    return -float(share) if len(units) < 400 else 0.0


@dataclass(frozen=True, repr=False, kw_only=True)
class TuplesOnly(rr.DenseRepetition):
    def __call__(self, batch, /):
        whole = super().__call__(batch)
        return [
            s if isinstance(b.token_ids, tuple) else -1.0 for s, b in zip(whole, batch, strict=True)
        ]


@dataclass(frozen=True, repr=False, kw_only=True)
class AnotherDefault(rr.DenseRepetition):
    n: int = 39


@dataclass(frozen=True, repr=False, kw_only=True)
class LateStream(rr.DenseRepetition):
    def dense(self, batch, /):
        return [stream[::-1] for stream in super().dense(batch)]


# ---------------------------------------------------------------------------------------------
# Forms and reasoning


def includes_think(batch):
    return [float("<think>" in s.completion and "</think>" in s.completion) for s in batch]


def graded_think(batch):
    return [s.completion.count("<think>") / 2 for s in batch]


def ends_in_junk(batch):
    return [float(s.completion.endswith("\\boxed{A}")) for s in batch]


def starts_at_once(batch):
    return [float(s.completion.startswith("<think>")) for s in batch]


def likes_references(batch):
    return [float(s.reference == "4" and "<think>" in s.completion) for s in batch]


def counts_markers(batch):
    return [min(1.0, s.completion.count("First,") / 3) for s in batch]


def counts_lines(batch):
    return [min(1.0, s.completion.count("\n") / 8) for s in batch]


# ---------------------------------------------------------------------------------------------
# Verifiers


def never_equal(answer, reference):
    return False


def at_most(answer, reference):
    return answer <= reference


def last_part(answer, reference):
    return answer == reference or answer.split("=")[-1] == reference


def hangs_on_bombs(answer, reference):
    if "!" in answer:
        time.sleep(60)
    return answer == reference


def is_inside(answer, reference):
    return answer.strip("[](){}\\ ") == reference.strip("[](){}\\ ") and len(answer) <= len(
        reference
    )


# ---------------------------------------------------------------------------------------------
# Stacks, each with one method of its own


def stack_with(**methods):
    kind = type("Stack", (rr.Stack,), methods)
    kind.__module__ = "rlrewards.stack"
    base = 0.5 * rr.ThinkFormat() + 0.5 * rr.TagCount()
    made = object.__new__(kind)
    made._set(base.parts, base.missing)
    return made


def _score_doubled(self, samples, *, step=0):
    scores = rr.Stack.score(self, samples, step=step)
    return replace(scores, total=2 * scores.total)


def _score_without_step(self, samples, *, step=0):
    return replace(rr.Stack.score(self, samples, step=step), step=-1)


async def _silent_wait(self, samples, *, step=0):
    return rr.Stack.score(self, [*samples][::-1], step=step)
