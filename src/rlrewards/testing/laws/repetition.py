"""The laws of penalties for saying the same thing again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from rlrewards.core import Sample
from rlrewards.rewards.repetition import DenseRepetition, dense_repetition
from rlrewards.testing import definitions
from rlrewards.testing.law import NotApplicable, ensure, law
from rlrewards.testing.subject import Broken, Subject

CLOSE = 1e-9
WORDS = (
    *("owl", "elk", "fox", "hen", "cat", "emu", "yak", "ape", "Ox", "straße", "İ", "e\u0301"),
    # of one beginning, to different lengths
    *(
        "elephant",
        "elephants",
        "elephantshrew",
        "elephantshrews'",
        "elephantshrews'.",
        "elephantin",
    ),
    *("elephantshrews'-nose", "elephantshrews'-ears"),
    # of one length and beginning, different in one place
    *("elephantz", "elephanta", "elephantshrewz", "elephantshxew"),
    "bat",
)
# Words that differ in one place: the first letter, behind the eighth byte, behind the fifteenth.
TWINS = (
    *(("cat", "bat"), ("elephantz", "elephanta"), ("elephant", "elephants")),
    *(("elephantshrews'-nose", "elephantshrews'-ears"), ("elephantshrewz", "elephantshxew")),
)
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
    about_zero = st.lists(st.integers(-2, 1), max_size=24)
    # far apart, and different in the middle alone
    middles = st.lists(st.integers(1, 4), min_size=2, max_size=6)
    between = middles.map(lambda units: [x for unit in units for x in (2**62, unit, -(2**62))])
    return _ids(subject) | about_zero | between | st.lists(big, max_size=30)


def _long_ids(subject: Subject) -> st.SearchStrategy[list[int]]:
    """Enough for a text of thousands of characters, where an implementation may change its way."""
    few = st.lists(st.integers(0, len(WORDS) - 1), min_size=1, max_size=30)
    repeated = few.map(lambda units: units * (1 + 2000 // len(units)))
    between = few.map(lambda units: [*range(100, 1000), *units, *range(100, 1000), *units])
    distinct = few.map(lambda units: [*units, *range(100, 1100)])
    twins = st.sampled_from(TWINS).map(_almost_the_same)
    return twins | repeated | between | distinct


def _almost_the_same(pair: tuple[str, str]) -> list[int]:
    """Return runs that are said twice but for one word, which has a twin."""
    first, second = map(WORDS.index, pair)
    runs = [(1000 + 2 * i, 1001 + 2 * i) for i in range(300)]
    return [unit for run in runs for unit in (first, *run, second, *run)]


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
    "The penalty of a long text is that of its definition, too.",
    kinds="repetition",
    needs=["n", "max_penalty"],
    cases=_long_ids,
    name="long texts too",
)
def _long_texts(subject: Subject, units: list[int]) -> None:
    _is_the_share.body(subject, units)


@law(
    "Token ids may stand in any sequence; none at all, or what is no whole number of 64 bits, is "
    "refused.",
    kinds=KINDS,
    name="ids in any sequence",
)
def _any_sequence(subject: Subject) -> None:
    if not subject.takes_everything or subject.facts.get("unit") == "words":
        raise NotApplicable("it does not take this library's token ids")
    import numpy as np

    plain = sample_of(subject, [3, 4, 5, 3, 4, 5, 3])
    expected = subject.score(plain)
    same: list[Any] = [[3, 4, 5, 3, 4, 5, 3], np.array([3, 4, 5, 3, 4, 5, 3], dtype=np.int32)]
    for ids in same:
        score = subject.score(replace(plain, token_ids=ids))
        ensure(
            score == expected, f"as {type(ids).__name__} {score}, as a tuple {expected}", [plain]
        )
    empty: list[Any] = [range(9), (), [], np.array([]), np.array([], dtype=np.int64)]
    for ids in empty:
        score = subject.score(replace(plain, token_ids=ids))
        ensure(score == 0, f"scored {score} for {ids!r}", [plain], [score])
    wrong: list[tuple[Any, type[Exception]]] = [
        (None, ValueError), ([2**63], TypeError), ([0.5], TypeError), (["a"], TypeError),
        (np.array([0.5]), TypeError),
    ]  # fmt: skip
    for ids, kind in wrong:
        sample = replace(plain, token_ids=ids)
        try:
            scores = subject.reward([sample])
        except kind as error:
            ensure("token_ids" in str(error), f"refused {ids!r} without naming them: {error}")
            continue
        raise Broken(f"scored {scores} for the token ids {ids!r}", [sample], scores)


@law(
    "Words are what white space of any kind separates, whatever the token ids are.",
    kinds="repetition",
    name="words by any white space",
)
def _any_white_space(subject: Subject) -> None:
    if subject.facts.get("unit") != "words":
        raise NotApplicable("it does not count words")
    for times in (1, 400):  # a short text, and one of thousands of characters
        words = ["owl", "elk", "fox", "owl", "elk", "fox", "straße"] * times
        plain = Sample(" ".join(words), "4", "2 + 2", group="p")
        expected = subject.score(plain)
        for space in ("  ", "\n", "\t", "\u00a0", "\u3000", "\u2028"):
            sample = replace(plain, completion=space.join(words))
            score = subject.score(sample)
            ensure(score == expected, f"scored {score} with {space!r} between words, {expected} "
                   "with blanks", [plain, sample])  # fmt: skip
        other = replace(plain, token_ids=tuple(range(len(words))))
        score = subject.score(other)
        ensure(score == expected, f"token ids change it to {score} from {expected}", [plain, other])


@law(
    "`dense_repetition` is the stream of `DenseRepetition`, with the same defaults and limits.",
    kinds="dense_repetition",
    name="the function is the reward",
)
def _function(subject: Subject) -> None:
    if not isinstance(subject.reward, DenseRepetition):
        raise NotApplicable("it is not this library's DenseRepetition")
    ids = [*range(39), 99, *range(39), 98, *range(40), 97, *range(40)]
    sample = Sample("", token_ids=ids)
    chosen: list[dict[str, Any]] = [{}, {"n": 2}, {"penalty": -1.0}, {"n": 3, "penalty": 0.0}]
    for settings in chosen:
        expected = type(subject.reward)(**settings).dense([sample])[0]
        found = dense_repetition(ids, **settings)
        ensure(expected is not None and found.tolist() == expected.tolist(),
               f"{settings}: {found.tolist()}", [sample])  # fmt: skip
        ensure(settings.get("penalty") != 0.0 or not found.any(), f"{settings}: {found}", [sample])
    refused: list[dict[str, Any]] = [{"n": 0}, {"penalty": 1.0}]
    for settings in refused:
        try:
            dense_repetition(ids, **settings)
        except ValueError:
            continue
        raise Broken(f"{settings} was taken", [sample])


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
    _long_texts,
    _any_sequence,
    _any_white_space,
    _function,
    _is_the_stream,
    _zero_iff_distinct,
    _relabelling,
    _twice,
    _case_folding,
)
