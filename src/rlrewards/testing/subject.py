"""Any reward function, called the one way that the checks call it.

A reward of this library takes a batch of samples; TRL's take the columns of a batch by keyword,
verl's one completion and its reference. `subject` looks at a function's parameters and wraps it.
"""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from rlrewards.core import UNBOUNDED, Sample, bounds_of, name_of
from rlrewards.scoring import is_awaitable, run_to_end
from rlrewards.testing.kinds import checked_kinds, facts_of, kinds_of

Signature = Literal["rlrewards", "trl", "verl", "verifier"]

REFERENCE_NAMES = (
    *("reference", "solution", "answer", "ground_truth", "final_answer", "target", "gold"),
    *("label", "solutions", "answers"),
)
TRL_NAMES = ("prompts", "completions", "completion_ids")
COMPLETION_NAMES = ("solution_str", "model_output", "completion", "response", "prediction", "text")


class Broken(AssertionError):  # noqa: N818  (a law is broken)
    """A law that does not hold, or an attack that pays.

    Args:
        why: What happened and what should have, in one sentence.
        samples: The batch, or the part of it that shows it.
        scores: What the reward gave those samples.
        case: What shows it where that is no samples: the tensors of an objective, as text.
    """

    def __init__(
        self,
        why: str,
        samples: Sequence[Sample] = (),
        scores: Sequence[float | None] = (),
        case: str = "",
    ) -> None:
        super().__init__(why)
        self.why, self.samples, self.scores = why, tuple(samples), tuple(scores)
        self.case = case


@dataclass(frozen=True)
class Subject:
    """A reward under test.

    Attributes:
        reward: As it was given.
        name: How reports call it.
        kinds: Which checks apply; see `kinds.KINDS`.
        facts: Parameters that checks need, by name.
        signature: How it is called.
        conversational: Whether completions go to it as chat messages (TRL's signature only); None
            until it is tried out: see `settled`.
        watch: Hears of each batch before the reward does, so that a hang can be told.
    """

    reward: Any
    name: str
    kinds: frozenset[str]
    facts: Mapping[str, Any] = field(default_factory=dict)
    signature: Signature = "rlrewards"
    conversational: bool | None = None
    watch: Callable[[Sequence[Sample]], None] | None = field(default=None, repr=False)

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest score that it says it gives."""
        return bounds_of(self.reward) if self.signature == "rlrewards" else UNBOUNDED

    @property
    def takes_everything(self) -> bool:
        """Whether samples may lack a reference or have several, as this library's rewards allow."""
        return self.signature == "rlrewards"

    def raw(self, batch: Sequence[Sample]) -> Any:
        """Return what the function itself returns for a batch."""
        match self.signature:
            case "rlrewards":
                return self.reward(batch)
            case "trl":
                return _awaited(_called(self.reward, settled(self)._columns(batch)))
            case "verl":
                return [self._one(sample) for sample in batch]
            case _:
                return [
                    float(self.agrees(sample.completion, _single(sample.reference)))
                    for sample in batch
                ]

    def __call__(self, batch: Sequence[Sample]) -> list[float | None]:
        """Return the scores of a batch.

        Raises:
            Broken: it raised, or did not return one number or None for each sample.
        """
        if self.watch is not None:
            self.watch(batch)
        try:
            scores = self.raw(batch)
        except (Exception, SystemExit) as error:
            text = " ".join(str(error).split())[:200]
            raise Broken(f"raised {type(error).__name__}: {text}", batch) from error
        if inspect.iscoroutine(scores):
            scores.close()
            raise Broken("is asynchronous; wrap it in rlrewards.reward", batch)
        if isinstance(scores, str | Mapping) or not isinstance(scores, Iterable):
            raise Broken(f"returned {type(scores).__name__}, expected a list of scores", batch)
        scores = [*scores]
        if len(scores) != len(batch):
            raise Broken(f"returned {len(scores)} scores for {len(batch)} samples", batch)
        return [self._number(score, batch) for score in scores]

    def score(self, sample: Sample) -> float | None:
        """Return the score of one sample alone."""
        return self([sample])[0]

    def agrees(self, answer: str, reference: str) -> bool:
        """Return what a verifier says of an answer and a reference."""
        return bool(self.reward(answer, reference))

    def said(self, answer: str, reference: str) -> bool:
        """Do the same, told to whoever watches; what is raised is `Broken`.

        Raises:
            Broken: the function raised.
        """
        pair = [Sample(answer, reference)]
        if self.watch is not None:
            self.watch(pair)
        try:
            return self.agrees(answer, reference)
        except (Exception, SystemExit) as error:
            text = " ".join(str(error).split())[:200]
            raise Broken(f"raised {type(error).__name__}: {text}", pair) from error

    def changed_columns(self, batch: Sequence[Sample]) -> list[str]:
        """Return the columns that a function of TRL's signature changes for those after it."""
        columns = settled(self)._columns(batch)
        before = copy.deepcopy(columns)
        _awaited(_called(self.reward, columns))
        return [name for name, values in before.items() if columns[name] != values]

    def with_reward(self, reward: Any) -> Subject:
        """Return the same subject for another function, say the same one unpickled."""
        return replace(self, reward=reward)

    def _number(self, score: Any, batch: Sequence[Sample]) -> float | None:
        if score is None:
            return None
        try:
            if isinstance(score, str | bytes):  # float() reads "1.0", a trainer does not
                raise TypeError
            value = float(score)
        except (TypeError, ValueError, OverflowError):
            raise Broken(f"returned {score!r}, expected a number or None", batch) from None
        if not math.isfinite(value):
            raise Broken(f"returned {value}", batch)
        return value

    def _columns(self, batch: Sequence[Sample]) -> dict[str, Any]:
        """Return the keyword arguments of TRL's trainer."""
        texts: list[Any] = [sample.completion for sample in batch]
        prompts: list[Any] = [sample.prompt or "" for sample in batch]
        if self.conversational:
            texts = [[{"role": "assistant", "content": text}] for text in texts]
            prompts = [[{"role": "user", "content": text}] for text in prompts]
        references = [_single(sample.reference) for sample in batch]
        columns: dict[str, Any] = {
            "prompts": prompts,
            "completions": texts,
            "completion_ids": [[*(sample.token_ids or ())] for sample in batch],
            "trainer_state": None,
            **dict.fromkeys(REFERENCE_NAMES, references),
        }
        if any(sample.options for sample in batch):
            columns["options"] = [dict(sample.options or {}) for sample in batch]
        return _accepted(self.reward, columns)

    def _one(self, sample: Sample) -> Any:
        values: dict[str, Any] = {
            "data_source": self.facts.get("data_source", "openai/gsm8k"),
            "extra_info": dict(sample.extra),
            **dict.fromkeys(COMPLETION_NAMES, sample.completion),
            **{name: _single(sample.reference) for name in REFERENCE_NAMES},
        }
        accepted = _accepted(self.reward, values, only_named=True)
        result = _awaited(_called(self.reward, accepted))
        if isinstance(result, Mapping):
            return result["score"]
        return result[0] if isinstance(result, tuple) else result


def subject(
    reward: Any,
    *,
    kind: str | Iterable[str] | None = None,
    signature: Signature | None = None,
    name: str | None = None,
    conversational: bool | None = None,
    **facts: Any,
) -> Subject:
    """Return a reward as the checks call it.

    Args:
        reward: A reward of this library, or a function with TRL's, verl's or our signature; for
            `kind="verifier"` a function of an answer and a reference.
        kind: One or more of `kinds.KINDS`; known of this library's rewards.
        signature: How it is called; told from the names of its parameters by default.
        name: How reports call it.
        conversational: Whether TRL's signature gets chat messages; tried out by default.
        facts: What checks need to know: `max_length=`, `buffer=`, `n=` and so on.

    Raises:
        TypeError: it cannot be called.
        ValueError: the kind or the signature is unknown.

    >>> def polite(completions, **columns):
    ...     return [float("please" in text) for text in completions]
    >>> polite = subject(polite)
    >>> polite.signature, polite([Sample("please")])
    ('trl', [1.0])
    """
    if not callable(reward) or isinstance(reward, type):
        raise TypeError(f"expected a reward (something callable), got {reward!r}")
    if signature is not None and signature not in get_args(Signature):
        allowed = ", ".join(get_args(Signature))
        raise ValueError(f"signature={signature!r}; allowed: {allowed}")
    kinds = checked_kinds(kind) if kind is not None else kinds_of(reward)
    if "verifier" in kinds:
        signature = "verifier"
    return Subject(
        reward,
        name or name_of(reward),
        kinds,
        {**facts_of(reward), **facts},
        signature or _signature_of(reward),
        conversational,
    )


def _signature_of(function: Callable[..., Any]) -> Signature:
    """Tell a function's signature from the names of its parameters."""
    names = _parameters(function)
    if {*names} & {*TRL_NAMES}:
        return "trl"
    if {*names} & {*COMPLETION_NAMES} and {*names} & {*REFERENCE_NAMES}:
        return "verl"
    return "rlrewards"


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # built-in functions have none
        return {}


def settled(found: Subject) -> Subject:
    """Return a subject of which it is known whether it takes text or chat messages.

    It calls the function, and so is done where the checks run. Most users' functions take text,
    TRL's own take messages. Text goes first: what takes messages cannot index text by `"content"`,
    but what takes text may well look for a word in a list of messages, and never find it.
    """
    if found.signature != "trl" or found.conversational is not None:
        return found
    probe = [Sample("4", "4", "2 + 2", token_ids=[1])]
    found = replace(found, conversational=False)
    if found.watch is not None:
        found.watch(probe)
    for candidate in (found, replace(found, conversational=True)):
        try:
            candidate.raw(probe)
        except (TypeError, KeyError, IndexError, AttributeError):
            continue
        except (Exception, SystemExit):
            return candidate
        return candidate
    return found


def _accepted(
    function: Callable[..., Any], values: Mapping[str, Any], *, only_named: bool = False
) -> dict[str, Any]:
    """Return the values that a function takes: all with `**kwargs`, else those it names."""
    parameters = _parameters(function)
    takes_all = any(item.kind is item.VAR_KEYWORD for item in parameters.values())
    if takes_all and not only_named:
        return dict(values)
    return {name: value for name, value in values.items() if name in parameters}


def _called(function: Callable[..., Any], values: Mapping[str, Any]) -> Any:
    """Return what a function gives for values by name, or by place where it wants them so."""
    named = dict(values)
    by_place = [
        named.pop(name)
        for name, item in _parameters(function).items()
        if item.kind is item.POSITIONAL_ONLY and name in named
    ]
    return function(*by_place, **named)


def _awaited(value: Any) -> Any:
    """Return a value; TRL and verl await the result of an asynchronous function."""
    return run_to_end(value) if is_awaitable(value) else value


def _single(reference: str | Sequence[str] | None) -> str:
    """Return one reference, for signatures that know no other."""
    if reference is None:
        return ""
    return reference if isinstance(reference, str) else reference[0]
