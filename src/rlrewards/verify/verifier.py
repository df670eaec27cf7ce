"""The configured verifier: extract an answer, compare it, remember the verdict.

`Verifier` is a frozen configuration with a bounded cache; it can be pickled and is safe in
threads, processes and event loops. The functions of the same names use one with the defaults.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any, TypeAlias

from rlrewards.core import Sample
from rlrewards.parameters import (
    make_tuple,
    require_between,
    require_bool,
    require_instance,
    require_whole,
)
from rlrewards.verify.choice import FUZZY_LEAST, FUZZY_OFF, resolve
from rlrewards.verify.echo import formulas_of
from rlrewards.verify.equivalence import Terms, compare
from rlrewards.verify.extract import Found, find_answer
from rlrewards.verify.normalize import normalize
from rlrewards.verify.plain import Quantity, parse
from rlrewards.verify.symbolic import Budget
from rlrewards.verify.verdict import Answer, Status, Tier, Verdict

Reference: TypeAlias = str | Sequence[str] | None
Options: TypeAlias = Mapping[str, str] | None

MIN_BUDGET_SECONDS = 1e-3
MAX_REL_TOL = 0.5
# Characters of answer and question beyond which a verdict is not remembered.
MAX_REMEMBERED = 4_000


class _Cache:
    """The latest verdicts, at most `size` of them; shared by threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._items: OrderedDict[Hashable, Verdict] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, compute: Callable[[], Verdict]) -> Verdict:
        with self._lock:
            if key in self._items:
                self._items.move_to_end(key)
                return self._items[key]
        verdict = compute()
        # A verdict that a deadline cut short says something about the load, not about the answer.
        if self._size and verdict.status is not Status.UNDECIDED:
            with self._lock:
                self._items[key] = verdict
                while len(self._items) > self._size:
                    self._items.popitem(last=False)
        return verdict

    def clear(self) -> None:
        with self._lock:
            self._items.clear()


@dataclass(frozen=True, kw_only=True)
class Verifier:
    r"""Decides whether an answer is the reference.

    Args:
        reasoning_tags: What opens and closes the reasoning; only the text after it is read, since
            a model may try many answers while it thinks.
        prefilled_think: The prompt ended with the opening tag, so that the completion starts
            inside the reasoning and one that never closes it has no answer.
        lenient: Take the last formula or number where no rule finds an answer. Off, since it
            rewards a model that only lists numbers.
        letters: Letters of multiple-choice questions that come without options ("ABCD").
        fuzzy: RapidFuzz similarity, 0–100, from which an option's misspelt text counts.
        rel_tol: Relative tolerance for numbers. 0, since data with exact answers needs none; an
            absolute one would make 2⁻⁹⁸ equal 2⁻⁹⁹, so there is none.
        significant: Significant digits to which numbers must agree; None for all of them.
        budget_seconds: Time that one comparison may take, the start of a worker process aside.
        cache_size: How many verdicts are remembered; duplicates are common inside a group.

    Raises:
        ValueError: a parameter is out of its range.
        TypeError: it has the wrong type.

    >>> verifier = Verifier()
    >>> verifier.grade(r"So it is \boxed{\frac12}.", "0.5").status.value
    'EQUAL'
    >>> verifier.verify("(1, 2)", "(2, 1)").status.value
    'DIFFERENT'
    """

    reasoning_tags: tuple[str, str] = ("<think>", "</think>")
    prefilled_think: bool = False
    lenient: bool = False
    letters: str = ""
    fuzzy: float = 90.0
    rel_tol: float = 0.0
    significant: int | None = None
    budget_seconds: float = 1.0
    cache_size: int = 4096
    _cache: _Cache = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check(self)
        object.__setattr__(self, "_cache", _Cache(self.cache_size))

    def __getstate__(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in fields(self) if item.compare}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _cache=_Cache(state["cache_size"]))

    def extract(self, completion: str, *, options: Options = None) -> Answer | None:
        """Return the final answer of a completion, or None; `find_answer` has the rules."""
        return self._found(completion, self._options(options)).answer

    def verify(
        self, answer: str | None, reference: Reference, *, options: Options = None,
        prompt: str | None = None,
    ) -> Verdict:  # fmt: skip
        """Compare a bare answer with the reference; the candidate first, as everywhere.

        Args:
            answer: The candidate; None or blank is NO_ANSWER.
            reference: The gold answer, or several of which one suffices, as text or numbers; None,
                NaN or blank is NO_REFERENCE.
            options: For a multiple-choice question, the text of each letter.
            prompt: The question; an answer that only repeats a formula of it is refused.
        """
        reference = _as_text(reference)
        golds = _references(reference)
        if not golds:
            return Verdict(Status.NO_REFERENCE, None, "no reference", answer, reference)
        if answer is None or not answer.strip():
            return Verdict(Status.NO_ANSWER, None, "empty answer", None, reference)
        choices = self._options(options)
        key = (answer, reference, tuple(choices.items()) if choices else None, prompt)
        if len(answer) + len(prompt or "") > MAX_REMEMBERED:
            return self._verdict(answer, golds, choices, prompt, reference)
        return self._cache.get(
            key, lambda: self._verdict(answer, golds, choices, prompt, reference)
        )

    def grade(
        self, completion: str, reference: Reference, *, options: Options = None,
        prompt: str | None = None,
    ) -> Verdict:  # fmt: skip
        """Extract the final answer of a completion and compare it with the reference."""
        reference = _as_text(reference)
        if not _references(reference):
            return Verdict(Status.NO_REFERENCE, None, "no reference", None, reference)
        found = self._found(completion, self._options(options))
        if found.answer is None:
            return Verdict(Status.NO_ANSWER, None, found.why, None, reference)
        return self.verify(found.answer.text, reference, options=options, prompt=prompt)

    def grade_many(
        self,
        pairs: Iterable[tuple[str, Reference]],
        *,
        workers: int = 1,
        progress: Callable[[int], object] | None = None,
    ) -> list[Verdict]:
        """Grade (completion, reference) pairs, in order.

        Args:
            pairs: Completions and their references.
            workers: Threads; they pay where many answers need the symbolic tier, whose work is
                done by processes.
            progress: Called with the number of pairs done, after each.
        """
        if workers < 1:
            raise ValueError(f"workers must be at least 1, got {workers}")

        verdicts: list[Verdict] = []
        with ThreadPoolExecutor(max_workers=workers) as pool:
            grades = pool.map(lambda p: self.grade(*p), pairs) if workers > 1 else None
            for verdict in grades or (self.grade(*pair) for pair in pairs):
                verdicts.append(verdict)
                if progress is not None:
                    progress(len(verdicts))
        return verdicts

    def verdicts(self, batch: Sequence[Sample]) -> list[Verdict]:
        """Return the verdict on each sample, worked out once for all rewards that ask."""
        return [sample.recall(self, self._sample_verdict) for sample in batch]

    def clear_cache(self) -> None:
        """Forget all verdicts."""
        self._cache.clear()

    def _sample_verdict(self, sample: Sample) -> Verdict:
        return self.grade(
            sample.completion, sample.reference, options=sample.options, prompt=sample.prompt
        )

    def _options(self, options: Options) -> Options:
        if not options:
            return dict.fromkeys(self.letters, "") or None
        return {str(letter): str(text) for letter, text in options.items()}

    def _found(self, completion: str, options: Options) -> Found:
        return find_answer(
            completion,
            options=options,
            reasoning_tags=self.reasoning_tags,
            prefilled_think=self.prefilled_think,
            lenient=self.lenient,
        )

    def _verdict(
        self, answer: str, golds: tuple[str, ...], options: Options, prompt: str | None,
        reference: Reference,
    ) -> Verdict:  # fmt: skip
        """Compare with each acceptable reference: EQUAL to any, else the most hopeful verdict."""
        judged = [self._judged(answer, gold, options, prompt, reference) for gold in golds]
        order = (Status.EQUAL, Status.UNDECIDED, Status.NO_ANSWER, Status.DIFFERENT)
        return min(judged, key=lambda verdict: order.index(verdict.status))

    def _judged(
        self, answer: str, gold: str, options: Options, prompt: str | None, reference: Reference
    ) -> Verdict:
        if options is not None:
            status, why = _chosen(answer, gold, options, self.fuzzy)
            return Verdict(status, Tier.CHOICE, why, answer, reference)
        budget = Budget(self.budget_seconds)
        terms = Terms(budget, self.rel_tol, self.significant, prompt)
        decision = compare(answer, gold, terms)
        if decision.status is Status.EQUAL and prompt and _echoes(answer, gold, prompt):
            return Verdict(Status.DIFFERENT, decision.tier, "echo", answer, reference)
        return Verdict(decision.status, decision.tier, decision.why, answer, reference)


def _check(verifier: Verifier) -> None:
    make_tuple(verifier, "reasoning_tags")
    tags = verifier.reasoning_tags
    if len(tags) != 2 or not all(isinstance(tag, str) and tag for tag in tags):
        raise ValueError(f"Verifier: reasoning_tags must be two non-empty strings, got {tags!r}")
    for name in ("prefilled_think", "lenient"):
        require_bool(verifier, name)
    require_instance(verifier, "letters", str)
    require_between(verifier, "fuzzy", FUZZY_LEAST, FUZZY_OFF)
    require_between(verifier, "rel_tol", 0.0, MAX_REL_TOL)
    if verifier.significant is not None:
        require_whole(verifier, "significant", 1)
    require_between(verifier, "budget_seconds", MIN_BUDGET_SECONDS, math.inf)
    require_whole(verifier, "cache_size", 0)


def _as_text(reference: Any) -> str | tuple[str, ...] | None:
    """Return references as text; numbers are written out, NaN is no reference.

    Raises:
        TypeError: a reference is neither text nor a number.
    """
    if reference is None or isinstance(reference, str):
        return reference
    if isinstance(reference, int | float | Decimal | Fraction) and not isinstance(reference, bool):
        return None if reference != reference else str(reference)
    if isinstance(reference, Iterable) and not isinstance(reference, bytes | Mapping):
        texts = (_as_text(item) for item in reference)
        return tuple(text for text in texts if isinstance(text, str))
    raise TypeError(
        f"a reference is text, a number, or a sequence of them, got {type(reference).__name__}"
    )


def _references(reference: str | tuple[str, ...] | None) -> tuple[str, ...]:
    golds = (reference,) if isinstance(reference, str) else reference or ()
    return tuple(gold for gold in golds if gold.strip())


def _chosen(answer: str, gold: str, options: Mapping[str, str], fuzzy: float) -> tuple[Status, str]:
    right = resolve(gold, options, fuzzy=fuzzy)
    if right.letter is None:
        return Status.UNDECIDED, f"the reference {gold[:40]!r} {right.why}"
    given = resolve(answer, options, fuzzy=fuzzy)
    if given.letter is None:
        return Status.NO_ANSWER, given.why
    if given.letter == right.letter:
        return Status.EQUAL, f"{given.letter}: {given.why}"
    return Status.DIFFERENT, f"{given.letter} for {right.letter}: {given.why}"


def _echoes(answer: str, gold: str, prompt: str) -> bool:
    """Whether an answer that is equal only repeats a formula of the question, unevaluated."""
    key = normalize(answer)
    if key == normalize(gold) or isinstance(parse(answer), Quantity):
        return False
    return key in formulas_of(prompt)


@cache
def default_verifier() -> Verifier:
    """Return the verifier that all rewards share unless they are given another."""
    return Verifier()


def extract(completion: str, *, options: Options = None) -> Answer | None:
    r"""Return the final answer of a completion, or None.

    >>> extract("2 + 2 = 4\n#### 4")
    Answer(text='4', span=(15, 16), rule='hashes')
    """
    return default_verifier().extract(completion, options=options)


def verify(
    answer: str | None,
    reference: Reference,
    *,
    options: Options = None,
    prompt: str | None = None,
) -> Verdict:
    r"""Compare a bare answer with the reference; the candidate first.

    >>> verify("1/2", r"\frac{2}{4}").why
    'both are 1/2'
    """
    return default_verifier().verify(answer, reference, options=options, prompt=prompt)


def grade(
    completion: str,
    reference: Reference,
    *,
    options: Options = None,
    prompt: str | None = None,
) -> Verdict:
    """Extract the final answer of a completion and compare it with the reference.

    >>> grade("The answer is 42.", "42").answer
    '42'
    """
    return default_verifier().grade(completion, reference, options=options, prompt=prompt)
