"""The laws of configuration: a parameter is refused, or the reward works with it.

For the rewards of this library the defaults, bounds and edges that their documentation states are
written down here once more, so that none of them changes unnoticed.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from rlrewards.testing.law import NotApplicable, ensure, law
from rlrewards.testing.laws.every import BATCH
from rlrewards.testing.subject import Broken, Subject

NONSENSE: tuple[Any, ...] = (
    *(math.nan, math.inf, -math.inf, -1, -0.5, 0, 1.5, True, None, "x", "", b"x", object()),
    *((), (1.0,), (math.nan, 0.0), ("x",), ("x", "x"), ("",), [1], {}, int),
)
TAGS = ("<think>", "</think>", "<answer>", "</answer>")
DEFAULTS: dict[str, dict[str, Any]] = {
    "Accuracy": {"correct": 1.0, "wrong": 0.0, "undecided": None},
    "ChoiceAccuracy": {"correct": 1.0, "wrong": 0.0, "letters": "ABCDE", "fuzzy": 90.0},
    "CosineLength": {"correct": (2.0, 1.0), "wrong": (-10.0, 0.0), "exceed": -10.0,
                     "margin_tokens": 16, "clamp": True, "length": None},
    "SoftOverlong": {"length": None},
    "GroupLength": {"length": None},
    "RepetitionPenalty": {"n": 3, "max_penalty": -1.0, "unit": "words", "threshold": 0.0},
    "DenseRepetition": {"n": 40, "penalty": -0.05, "gamma": 0.99},
    "ThinkFormat": {"prefilled_think": False},
    "ThinkAnswerFormat": {"mode": "graded", "prefilled_think": False},
    "TagCount": {"tags": TAGS},
    "GazalFormat": {"parts": ("think", "assessment", "final_answer"), "prefilled_think": False},
    "ReasoningSteps": {"target": 3},
    "ChainOfDraft": {"min_steps": 8, "max_words": 10},
}  # fmt: skip
PUBLISHED: dict[str, dict[str, dict[str, Any]]] = {
    "CosineLength": {
        "yeo": {"correct": (2.0, 1.0), "wrong": (-10.0, 0.0), "exceed": -10.0},
        "trl": {"correct": (1.0, 0.5), "wrong": (-1.0, -0.5), "exceed": None},
    }
}
# Parameter of a class -> values that are allowed, and values that are not, on either side of edges.
EDGES: dict[tuple[str, str], tuple[tuple[Any, ...], tuple[Any, ...]]] = {
    ("SoftOverlong", "max_length"): ((1, 10**9), (0, -1, 1.0, True, "1")),
    ("SoftOverlong", "buffer"): ((0, 1), (-1, 1.0, None, False)),
    ("CosineLength", "max_length"): ((1, 10**9), (0, -1, 1.0, True)),
    ("CosineLength", "margin_tokens"): ((0, 1), (-1, 0.5, None)),
    ("CosineLength", "correct"): (
        ((0.0, 0.0), [1, 2]),
        ((1.0,), (1.0, math.nan), "ab", 1.0, None, (True, 1.0), (1, "2"), (1.0, 2.0, 3.0)),
    ),
    ("CosineLength", "wrong"): (((0.0, -5), [-1, 2]), ((1.0,), (math.inf, 1.0), "ab", 1.0, None)),
    ("CosineLength", "exceed"): ((None, 0.0, -10, 3.0), (math.nan, math.inf, "x", True)),
    ("CosineLength", "clamp"): ((True, False), (0, 1, None, "no")),
    ("RepetitionPenalty", "n"): ((1, 2, 100), (0, -1, 2.0, True, None)),
    ("RepetitionPenalty", "max_penalty"): ((0, 0.0, -3.5), (0.1, 1, math.nan, -math.inf, "x")),
    ("RepetitionPenalty", "threshold"): ((0.0, 0.5, 0.99), (1.0, 1, -0.1, 1.5, math.nan, None)),
    ("RepetitionPenalty", "unit"): (("words", "tokens"), ("letters", None, 3, "")),
    ("DenseRepetition", "n"): ((1, 40), (0, -1, 1.5, False)),
    ("DenseRepetition", "penalty"): ((0, -0.05, -9), (0.1, math.nan, -math.inf, None)),
    ("DenseRepetition", "gamma"): ((0, 0.0, 1, 1.0), (-0.1, 1.1, math.nan, None, True)),
    ("ReasoningSteps", "target"): ((1, 9), (0, -1, 2.0, None, True)),
    ("ChainOfDraft", "min_steps"): ((1, 9), (0, -1, 2.0, None)),
    ("ChainOfDraft", "max_words"): ((1, 9), (0, -1, 2.0, None)),
    ("Accuracy", "correct"): ((-2, 0.5, 3), (math.nan, math.inf, None, "1", True)),
    ("Accuracy", "wrong"): ((-2, 0.5, 3), (math.nan, -math.inf, None, "1")),
    ("Accuracy", "undecided"): ((None, 0, -1.5), (math.nan, math.inf, "1", False)),
    ("Accuracy", "verifier"): ((), (None, 3, "x", object())),
    ("CosineLength", "verifier"): ((), (None, object())),
    ("GroupLength", "verifier"): ((), (None, object())),
    ("ChoiceAccuracy", "letters"): (("AB", "abcd", "1234", "X"), ("", "AA", "aA", "A B", "A-", 3)),
    ("ChoiceAccuracy", "fuzzy"): ((50, 90.0, 100, 101), (49, -1, 102, math.nan, None, "x")),
    ("ThinkFormat", "prefilled_think"): ((True, False), (0, None, "yes")),
    ("ThinkAnswerFormat", "prefilled_think"): ((True, False), (0, None, "yes")),
    ("ThinkAnswerFormat", "mode"): (("graded", "strict"), ("x", "", None, 1)),
    ("GazalFormat", "prefilled_think"): ((True, False), (0, None, "yes")),
    ("GazalFormat", "parts"): (
        (("think",), ["assessment"]),
        ((), "think", ("x",), (1,), ("think", 1), None, ("think", "think"), ("",)),
    ),
    ("TagCount", "tags"): (
        (("a",), ["a", "b"]),
        ((), "ab", ("a", "a"), ("",), (1,), ("a", 1), None),
    ),
    ("SoftOverlong", "length"): ((None, "words", len), ("letters", "", 3, "tokenizer:", True)),
    ("CosineLength", "length"): ((None, "words", len), ("letters", "", 3, "tokenizer:")),
    ("GroupLength", "length"): ((None, "words", len), ("letters", "", 3, "tokenizer:")),
}


def _fields(subject: Subject) -> dict[str, Any]:
    reward = subject.reward
    if not dataclasses.is_dataclass(reward) or isinstance(reward, type):
        raise NotApplicable("its parameters are not known")
    return {item.name: getattr(reward, item.name) for item in dataclasses.fields(reward)}


@law(
    "A parameter that makes no sense is refused with a ValueError or TypeError that names it; with "
    "any that is taken the reward still gives one score within its bounds, or None, to each.",
    not_kinds=["stack"],
    name="parameters are refused or work",
)
def _refused_or_works(subject: Subject) -> None:
    kind, values = type(subject.reward), _fields(subject)
    for name in values:
        for value in NONSENSE:
            try:
                made = kind(**{**values, name: value})
            except (ValueError, TypeError) as error:
                ensure(name in str(error), f"refused {name}={value!r} without naming it: {error}")
                continue
            except Exception as error:
                raise Broken(f"{name}={value!r} raised {type(error).__name__}: {error}") from error
            _works(subject.with_reward(made), f"{name}={value!r}")


def _works(subject: Subject, what: str) -> None:
    low, high = subject.bounds
    try:
        scores = subject(BATCH)
    except Broken as broken:
        if isinstance(broken.__cause__, ValueError | TypeError):
            return  # refused when called
        raise Broken(f"{what} was taken and {broken.why}", BATCH) from broken
    for score in scores:
        ensure(
            score is None or low <= score <= high,
            f"{what} was taken and scored {score}, outside of ({low:g}, {high:g})",
            BATCH,
            scores,
        )


@law(
    "Each parameter is taken up to the edge of what is documented, and refused beyond.",
    not_kinds=["stack"],
    name="parameters up to their edges",
)
def _edges(subject: Subject) -> None:
    kind, values = type(subject.reward), _fields(subject)
    classes = [parent.__name__ for parent in kind.__mro__]
    known = [(f, edge) for (owner, f), edge in EDGES.items() if owner in classes and f in values]
    if not known:
        raise NotApplicable("the edges of its parameters are not known")
    for field, (allowed, refused) in known:
        others = {**values, **_room(kind.__name__, field)}
        for value in allowed:
            try:
                kind(**{**others, field: value})
            except (ValueError, TypeError) as error:
                raise Broken(f"{field}={value!r} was refused: {error}") from error
        for value in refused:
            _is_refused(kind, {**others, field: value}, f"{field}={value!r}")
    for allowed_pair, refused_pair in _PAIRS.get(kind.__name__, ()):
        kind(**allowed_pair)
        _is_refused(kind, refused_pair, str(refused_pair))


def _is_refused(kind: Any, parameters: dict[str, Any], what: str) -> None:
    try:
        kind(**parameters)
    except (ValueError, TypeError) as error:
        ensure(kind.__name__ in str(error), f"{what} was refused without a name: {error}")
        if what.startswith("length='"):  # text it may be, but not this text
            ensure(isinstance(error, ValueError), f"{what} was refused with a TypeError")
    else:
        raise Broken(f"{what} was taken")


def _room(name: str, field: str) -> dict[str, Any]:
    """Return values of the other parameters that leave this one free."""
    if name == "SoftOverlong" and field == "max_length":
        return {"buffer": 0}
    if name == "CosineLength" and field == "margin_tokens":
        return {"max_length": 100}
    if name == "CosineLength":
        return {"margin_tokens": 0}
    return {}


# Parameters that limit each other: what is just allowed, and what is not.
_PAIRS: dict[str, tuple[tuple[dict[str, Any], dict[str, Any]], ...]] = {
    "SoftOverlong": (({"max_length": 9, "buffer": 9}, {"max_length": 9, "buffer": 10}),),
    "CosineLength": (
        ({"max_length": 9, "margin_tokens": 8}, {"max_length": 9, "margin_tokens": 9}),
        (
            {"max_length": 9, "margin_tokens": 9, "exceed": None},
            {"max_length": 9, "margin_tokens": 10},
        ),
    ),
}


@law(
    "Its defaults, and those of a published setting, are the documented ones.",
    not_kinds=["stack"],
    name="defaults as documented",
)
def _defaults(subject: Subject) -> None:
    kind = type(subject.reward)
    _fields(subject)
    known = DEFAULTS.get(kind.__name__)
    if known is None:
        raise NotApplicable("its defaults are not known")
    for item in dataclasses.fields(kind):
        if item.name in known:
            ensure(item.default == known[item.name],
                   f"{item.name} is {item.default!r}, documented {known[item.name]!r}")  # fmt: skip
    for setting, values in PUBLISHED.get(kind.__name__, {}).items():
        make = getattr(kind, setting)
        for name, value in values.items():
            found = getattr(make(max_length=50), name)
            ensure(found == value, f"{setting}() has {name}={found!r}, published {value!r}")
            other = (3.0, -3.0) if isinstance(value, tuple) else 7.0
            ensure(getattr(make(max_length=50, **{name: other}), name) == other,
                   f"{setting}() cannot be given another {name}")  # fmt: skip


@law(
    "Its bounds are the lowest and the highest score of its definition.",
    not_kinds=["stack"],
    name="bounds as documented",
)
def _bounds(subject: Subject) -> None:
    _fields(subject)
    expected = _documented_bounds(subject)
    if expected is None:
        raise NotApplicable("its bounds are not known")
    ensure(subject.bounds == expected, f"bounds are {subject.bounds}, documented {expected}")


def _documented_bounds(subject: Subject) -> tuple[float, float] | None:
    facts = subject.facts
    if "cosine" in subject.kinds:
        ends = [*facts["correct"], *facts["wrong"]]
        ends += [] if facts["exceed"] is None else [facts["exceed"]]
        return min(ends), max(ends)
    if "overlong" in subject.kinds:
        return -1.0, 0.0
    if "group_length" in subject.kinds:
        return -0.5, 0.5
    if "repetition" in subject.kinds:
        return facts["max_penalty"], 0.0
    if "dense_repetition" in subject.kinds:
        return (-math.inf if facts["penalty"] else 0.0), 0.0
    if subject.kinds & {"format", "reasoning"}:
        return 0.0, 1.0
    if "accuracy" in subject.kinds:
        known = [facts["correct"], facts["wrong"]]
        known += [] if facts["undecided"] is None else [facts["undecided"]]
        return min(known), max(known)
    return None


@law(
    "Equal parameters make equal rewards, and the repr names what differs from the defaults.",
    not_kinds=["stack"],
    name="equal parameters, equal rewards",
)
def _equality(subject: Subject) -> None:
    values, kind = _fields(subject), type(subject.reward)
    again = kind(**values)
    ensure(again == subject.reward, f"{again!r} is not equal to {subject.reward!r}")
    ensure(hash(again) == hash(subject.reward), f"{again!r} has another hash")
    ensure(repr(again).startswith(kind.__name__ + "("), f"its repr is {again!r}")
    for item in dataclasses.fields(kind):
        if item.default is dataclasses.MISSING:
            continue
        stands = f"{item.name}={values[item.name]!r}" in repr(again)
        ensure(stands == (values[item.name] != item.default),
               f"{item.name} {'stands' if stands else 'is missing'} in {again!r}")  # fmt: skip


LAWS = (_refused_or_works, _edges, _defaults, _bounds, _equality)
