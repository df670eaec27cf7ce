"""What sort of reward a check has before it: which laws and attacks apply, and what it may assume.

A reward is of one or more **kinds**, and has **facts**: the parameters that a law needs, such as
the length limit. Both are known of the rewards of this library; for any other they are said:
`check_reward(fn, kind="overlong", max_length=100, buffer=20)`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

KINDS: dict[str, str] = {
    "pointwise": "a score depends on its own sample alone",
    "grouped": "a score depends on the completions of the same prompt, and on no others",
    "accuracy": "a right answer scores higher than a wrong one",
    "choice": "accuracy for multiple-choice questions",
    "length": "the score depends on the length, up to the fact `max_length`",
    "cosine": "a length reward of the verdict along half a cosine (facts `correct`, `wrong`, "
    "`exceed`, `margin_tokens`)",
    "overlong": "a penalty for length alone that begins at `max_length − buffer`",
    "group_length": "a length reward within the group of a prompt",
    "repetition": "a penalty for saying the same thing again (facts `n`, `unit`, `threshold`, "
    "`max_penalty`)",
    "dense_repetition": "a repetition penalty with a stream for each token (facts `n`, `penalty`)",
    "format": "the score depends on the form of the text alone",
    "strict_format": "a format that is kept or not: two scores only",
    "reasoning": "the score depends on the shape of the reasoning",
    "stack": "a weighted sum of rewards",
    "verifier": "a function of an answer and a reference that says whether they are equal",
}
# A reward of the first kind is also one of the others.
IMPLIED: dict[str, tuple[str, ...]] = {
    "choice": ("accuracy",),
    "cosine": ("length",),
    "overlong": ("length",),
    "group_length": ("grouped",),
    "dense_repetition": (),
    "strict_format": ("format",),
}
# Class of this library -> its kinds, pointwise or grouped aside.
_KINDS_OF: dict[str, tuple[str, ...]] = {
    "Accuracy": ("accuracy",),
    "ChoiceAccuracy": ("choice",),
    "CosineLength": ("cosine",),
    "SoftOverlong": ("overlong",),
    "GroupLength": ("group_length",),
    "RepetitionPenalty": ("repetition",),
    "DenseRepetition": ("dense_repetition",),
    "ThinkFormat": ("strict_format",),
    "ThinkAnswerFormat": ("format",),
    "TagCount": ("format",),
    "HuatuoFormat": ("strict_format",),
    "GazalFormat": ("strict_format",),
    "ReasoningSteps": ("reasoning",),
    "ChainOfDraft": ("reasoning",),
    "Stack": ("stack",),
}
# Class of this library -> the form that it asks for; see `definitions.FORMS`.
_FORM_OF = {
    "ThinkFormat": "think",
    "ThinkAnswerFormat": "think_answer",
    "TagCount": "tags",
    "HuatuoFormat": "huatuo",
    "GazalFormat": "gazal",
}


def checked_kinds(kind: str | Iterable[str] | None) -> frozenset[str]:
    """Return the kinds that `kind` names, and those that they imply.

    Raises:
        ValueError: there is no such kind; the message lists them.

    >>> sorted(checked_kinds("cosine"))
    ['cosine', 'length', 'pointwise']
    """
    named = [] if kind is None else [kind] if isinstance(kind, str) else [*kind]
    for name in named:
        if name not in KINDS:
            raise ValueError(f"no kind of reward is called {name!r}; there are {', '.join(KINDS)}")
    found = {*named, *(implied for name in named for implied in IMPLIED.get(name, ()))}
    if {"grouped", "pointwise"} <= found:
        raise ValueError("a reward is pointwise or grouped, not both")
    if "grouped" not in found and "verifier" not in found:
        found.add("pointwise")
    return frozenset(found)


def kinds_of(reward: object) -> frozenset[str]:
    """Return the kinds of a reward of this library; of any other that it is pointwise or grouped.

    >>> import rlrewards as rr
    >>> sorted(kinds_of(rr.GroupLength()))
    ['group_length', 'grouped']
    """
    known = [*_KINDS_OF.get(_own_class(reward), ())]
    if getattr(reward, "mode", None) == "strict":
        known.append("strict_format")
    if getattr(reward, "grouped", False):
        known.append("grouped")
    return checked_kinds(known)


def facts_of(reward: object) -> dict[str, Any]:
    """Return the parameters of a reward of this library by name; of any other nothing.

    >>> import rlrewards as rr
    >>> facts_of(rr.SoftOverlong(max_length=100, buffer=20))
    {'max_length': 100, 'buffer': 20, 'length': None}
    """
    if not _own_class(reward) or not is_dataclass(reward):
        return {}
    facts = {item.name: getattr(reward, item.name) for item in fields(reward)}
    form = _FORM_OF.get(_own_class(reward))
    if form is not None:
        facts["form"] = form + ("_strict" if facts.get("mode") == "strict" else "")
    return facts


def _own_class(reward: object) -> str:
    kind = type(reward)
    return kind.__name__ if kind.__module__.startswith("rlrewards.") else ""


def missing_facts(needs: Iterable[str], facts: Mapping[str, Any]) -> list[str]:
    """Return the facts that a check needs and nobody said."""
    return [name for name in needs if name not in facts]
