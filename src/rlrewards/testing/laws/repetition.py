"""The laws of penalties for saying the same thing again."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hypothesis import strategies as st

from rlrewards.core import Sample
from rlrewards.testing import definitions
from rlrewards.testing.law import NotApplicable, ensure, law
from rlrewards.testing.subject import Subject

CLOSE = 1e-9
WORDS = ("owl", "elk", "fox", "hen", "cat", "emu", "yak", "ape", "Ox", "straße", "İ", "e\u0301")
KINDS = ("repetition", "dense_repetition")


def _ids(subject: Subject) -> st.SearchStrategy[list[int]]:
    """Few different units, so that some repeat; a run said again; long and negative ids."""
    few = st.lists(st.integers(0, 2), max_size=24)
    some = st.lists(st.integers(0, len(WORDS) - 1), max_size=24)
    again = st.tuples(some, st.integers(1, 4)).map(lambda pair: pair[0] * pair[1])
    n = int(subject.facts.get("n", 3))
    short = st.lists(st.integers(0, 1), min_size=max(0, n - 1), max_size=n + 1)
    return few | some | again | short


def _big_ids(subject: Subject) -> st.SearchStrategy[list[int]]:
    big = st.sampled_from([0, 1, -1, 2**31, -(2**31), 2**62, 2**63 - 1, -(2**63), 151_935])
    return _ids(subject) | st.lists(big, max_size=30)


def sample_of(subject: Subject, units: Sequence[int]) -> Sample:
    """Return a completion whose words and token ids repeat as the units do."""
    text = " ".join(WORDS[unit] if 0 <= unit < len(WORDS) else f"w{unit}" for unit in units)
    return Sample(text, "4", "2 + 2", token_ids=tuple(units), group="p")


def _score(subject: Subject, units: Sequence[int]) -> tuple[Sample, float]:
    sample = sample_of(subject, units)
    score = subject.score(sample)
    ensure(score is not None, "has no opinion on a repetition", [sample], [score])
    assert score is not None
    return sample, score


@law(
    "The penalty is that of its definition: the share of n-grams that were seen before.",
    kinds="repetition",
    needs=["n", "max_penalty"],
    cases=_big_ids,
    name="the share of repeated n-grams",
)
def _is_the_share(subject: Subject, units: list[int]) -> None:
    sample, score = _score(subject, units)
    facts = subject.facts
    expected = definitions.repetition(
        units,
        n=int(facts["n"]),
        max_penalty=float(facts["max_penalty"]),
        threshold=float(facts.get("threshold", 0.0)),
    )
    ensure(math.isclose(score, expected, abs_tol=CLOSE),
           f"scored {score!r}, by definition {expected!r}", [sample], [score])  # fmt: skip


@law(
    "Each token inside an n-gram seen before is punished once, and the score is their sum.",
    kinds="dense_repetition",
    needs=["n", "penalty"],
    cases=_big_ids,
    name="each repeated token once",
)
def _is_the_stream(subject: Subject, units: list[int]) -> None:
    sample, score = _score(subject, units)
    expected = definitions.dense_repetition(
        units, n=int(subject.facts["n"]), penalty=float(subject.facts["penalty"])
    )
    ensure(math.isclose(score, sum(expected), abs_tol=CLOSE),
           f"scored {score!r}, by definition {sum(expected)!r}", [sample], [score])  # fmt: skip
    dense = getattr(subject.reward, "dense", None)
    if dense is None:
        return
    stream = dense([sample])[0]
    ensure(
        len(stream) == len(units)
        and all(math.isclose(a, b, abs_tol=CLOSE) for a, b in zip(stream, expected, strict=True)),
        f"its stream is {[*map(float, stream)]}, by definition {expected}",
        [sample],
        [score],
    )


@law(
    "The penalty is 0 exactly when all n-grams differ.",
    kinds=KINDS,
    needs=["n"],
    cases=_ids,
    name="nothing for nothing",
)
def _zero_iff_distinct(subject: Subject, units: list[int]) -> None:
    facts = subject.facts
    if facts.get("threshold") or facts.get("penalty") == 0 or facts.get("max_penalty") == 0:
        raise NotApplicable("a threshold lets some repetitions pass")
    sample, score = _score(subject, units)
    repeats = definitions.repeated_share(units, int(facts["n"])) > 0
    ensure((score != 0) == repeats, f"scored {score:g} where the n-grams "
           f"{'repeat' if repeats else 'all differ'}", [sample], [score])  # fmt: skip


@law(
    "Renaming the words or tokens changes nothing.",
    kinds=KINDS,
    cases=lambda subject: st.tuples(_ids(subject), st.permutations(range(len(WORDS)))),
    name="names do not matter",
)
def _relabelling(subject: Subject, case: tuple[list[int], list[int]]) -> None:
    units, names = case
    sample, score = _score(subject, units)
    renamed, again = _score(subject, [names[unit] for unit in units])
    ensure(math.isclose(score, again, abs_tol=CLOSE),
           f"scored {score:g}, with other names {again:g}", [sample, renamed],
           [score, again])  # fmt: skip


@law(
    "Said twice, a text is never less repetitive than said once (n ≤ 3).",
    kinds="repetition",
    needs=["n"],
    cases=_ids,
    name="twice is no better than once",
)
def _twice(subject: Subject, units: list[int]) -> None:
    if int(subject.facts["n"]) > 3:
        raise NotApplicable("it does not hold for n ≥ 4: aaaaaaaaaab")
    sample, once = _score(subject, units)
    again, twice = _score(subject, units * 2)
    ensure(twice <= once + CLOSE, f"scored {once:g} once and {twice:g} twice", [sample, again],
           [once, twice])  # fmt: skip


@law(
    "Words are told apart whatever their case, and only by white space.",
    kinds="repetition",
    cases=_ids,
    name="case and spaces do not matter",
)
def _case_folding(subject: Subject, units: list[int]) -> None:
    if subject.facts.get("unit") != "words":
        raise NotApplicable("it counts tokens")
    plain = sample_of(subject, [unit % 8 for unit in units])
    loud_words = [
        word.upper() if place % 3 else word for place, word in enumerate(plain.completion.split())
    ]
    loud = Sample("\n" + "\t ".join(loud_words), "4", "2 + 2", plain.token_ids)
    scores = subject([plain, loud])
    ensure(scores[0] == scores[1], f"scored {scores[0]} and {scores[1]}", [plain, loud], scores)


LAWS = (
    _is_the_share,
    _is_the_stream,
    _zero_iff_distinct,
    _relabelling,
    _twice,
    _case_folding,
)
