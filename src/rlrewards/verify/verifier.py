"""The configured verifier: extract an answer, compare it, remember the verdict.

`Verifier` is a frozen configuration with a bounded cache; it can be pickled and is safe in
threads, processes and event loops. The functions of the same names use one with the defaults.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
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
from rlrewards.verify.conventions import Conventions
from rlrewards.verify.decision import Decision, Terms
from rlrewards.verify.echo import is_echo
from rlrewards.verify.extract import find_answer, find_by_rules
from rlrewards.verify.many import grade_many
from rlrewards.verify.plain_answer import plain_answer
from rlrewards.verify.shortcut import shortcut
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


@dataclass(frozen=True, kw_only=True, repr=False)
class Verifier(Conventions):
    r"""Decides whether an answer is the reference.

    The first parameters say where the answer stands, the next what counts as the same, the last
    what it may cost.

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
        reference_digits: Significant digits from which a decimal reference counts as rounded, so
            that 3.14 accepts π; a reference of fewer digits (0.5) is meant exactly. None: never.
        answer_digits: Significant digits from which an answer may be the reference, rounded: 1.4142
            for √2. Fewer digits are too easy to guess. None: never.
        form: "numeral": a number is answered by one numeral, fraction, root, power, factorial or
            multiple of a constant, since `16-3-4` leaves the work undone. "any": by any expression.
        assignments: Whether `x=5` answers 5 and 5 answers `x=5`, as most data sets mean it.
        chains: Whether `1+4=5`, all of it true, answers 5: models show the last step.
        percent: Whether `p %` and p, p/100 are one answer: data sets store all three.
        units: "optional": 5 cm and 5 are one answer, since references often leave the unit to the
            question. "required": both sides have one or neither.
        ordered: Whether unbracketed lists must come in order; roots and cases have none.
        multiplicity: Whether 1,1,2 is another list than 1,2. Sets never repeat an item.
        solved_relations: Whether (1,2) and `1<x<2` are one answer.
        scaled_relations: Whether 2x+y=3 and 4x+2y=6 are one answer: an equation has no one form.
        integration_constants: Whether F+C, F+K and F+C+1 are one answer: C stands for any number.
        ignore_case: Whether words (Even, even) may differ in case; single letters never may.
        ratios: Whether 11:4 and 11/4 are one answer.
        optional_base: Whether 1101 answers 1101_2: the question often names the base.
        parameters: Whether kπ, k∈ℤ and nπ, n∈ℤ are one answer: the letter is bound.
        plus_minus: Whether ±5 and the list 5, -5 are one answer.
        log_base: What a bare `\log` means where the reference is a number: "10", as in schools,
            or "e", as in analysis.
        refuse_echoes: Whether an answer that only repeats a formula of the question is wrong,
            unless it is the reference letter by letter.

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
    >>> Verifier(lenient=True, form="any")
    Verifier(form='any', lenient=True)
    """

    reasoning_tags: tuple[str, str] = ("<think>", "</think>")
    prefilled_think: bool = False
    lenient: bool = False
    letters: str = ""
    fuzzy: float = 90.0
    budget_seconds: float = 1.0
    cache_size: int = 4096
    _cache: _Cache = field(init=False, repr=False, compare=False)
    _conventions: Conventions = field(init=False, repr=False, compare=False)
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check(self)
        self._prepare()

    def _prepare(self) -> None:
        conventions = {item.name: getattr(self, item.name) for item in fields(Conventions)}
        settings = tuple(self.__getstate__().values())
        self.__dict__.update(
            _cache=_Cache(self.cache_size),
            _conventions=Conventions(**conventions),
            _hash=hash((type(self), settings)),
        )

    def __hash__(self) -> int:  # every sample remembers its verdict under its verifier
        return self._hash

    def __repr__(self) -> str:
        shown = (item for item in fields(self) if item.compare)
        changed = {item.name: getattr(self, item.name) for item in shown
                   if getattr(self, item.name) != item.default}  # fmt: skip
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in changed.items())})"

    def __getstate__(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in fields(self) if item.compare}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._prepare()

    def extract(self, completion: str, *, options: Options = None) -> Answer | None:
        """Return the final answer of a completion, or None; `find_answer` has the rules."""
        return find_answer(
            completion,
            options=self._options(options),
            reasoning_tags=self.reasoning_tags,
            prefilled_think=self.prefilled_think,
            lenient=self.lenient,
        ).answer

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
        shown = as_text(reference)
        golds = _references(shown)
        if not golds:
            return Verdict(Status.NO_REFERENCE, None, "no reference", answer, shown)
        if answer is None or not answer.strip():
            return Verdict(Status.NO_ANSWER, None, "empty answer", None, shown)
        return self._verified(answer, golds, self._options(options), prompt, shown)

    def grade(
        self, completion: str, reference: Reference, *, options: Options = None,
        prompt: str | None = None,
    ) -> Verdict:  # fmt: skip
        """Extract the final answer of a completion and compare it with the reference."""
        shown = as_text(reference)
        golds = _references(shown)
        if not golds:
            return Verdict(Status.NO_REFERENCE, None, "no reference", None, shown)
        choices = self._options(options) if options or self.letters else None
        tags, prefilled = self.reasoning_tags, self.prefilled_think
        answer = None if prefilled else plain_answer(completion, choices, tags)
        if answer is None:
            answer, why = find_by_rules(completion, choices, tags, prefilled, self.lenient)
            if answer is None:
                return Verdict(Status.NO_ANSWER, None, why, None, shown)
        return self._verified(answer.text, golds, choices, prompt, shown)

    def grade_many(
        self,
        pairs: Iterable[tuple[str, Reference]],
        *,
        workers: int = 1,
        progress: Callable[[int], object] | None = None,
    ) -> list[Verdict]:
        """Grade (completion, reference) pairs, in order.

        Args:
            pairs: Completions and their references; an iterator is read as it is worked off.
            workers: Processes. They are started only when the batch turns out to take longer than
                their start; the verdicts are the same.
            progress: Called with the number of pairs done, after each.

        Raises:
            TypeError: a pair is not a completion and a reference; the message has its index.

        >>> [v.status.value for v in Verifier().grade_many([("A: 4", "4"), ("?", "4")])]
        ['EQUAL', 'NO_ANSWER']
        """
        return grade_many(self, pairs, workers=workers, progress=progress)

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
        if options:
            return {str(letter): str(text) for letter, text in options.items()}
        return dict.fromkeys(self.letters, "") if self.letters else None

    def _verified(
        self, answer: str, golds: tuple[str, ...], options: Options, prompt: str | None,
        shown: Reference,
    ) -> Verdict:  # fmt: skip
        """Return the verdict at once, from memory, or by climbing the ladder."""
        if options is None and len(golds) == 1:
            decision = shortcut(answer, golds[0], self._conventions)
            # Equal values of other spellings may still be an echo of the question.
            if decision is not None and not (
                prompt and decision.is_equal and decision.tier is Tier.EXACT
            ):
                return Verdict(decision.status, decision.tier, decision.why, answer, shown)
        if not self.cache_size or len(answer) + len(prompt or "") > MAX_REMEMBERED:
            return self._verdict(answer, golds, options, prompt, shown)
        key = (answer, shown, tuple(options.items()) if options else None, prompt)
        return self._cache.get(key, lambda: self._verdict(answer, golds, options, prompt, shown))

    def _verdict(
        self, answer: str, golds: tuple[str, ...], options: Options, prompt: str | None,
        shown: Reference,
    ) -> Verdict:  # fmt: skip
        """Compare with each acceptable reference: EQUAL to any, else the most hopeful verdict."""
        judged = [self._judged(answer, gold, options, prompt, shown) for gold in golds]
        order = (Status.EQUAL, Status.UNDECIDED, Status.NO_ANSWER, Status.DIFFERENT)
        return min(judged, key=lambda verdict: order.index(verdict.status))

    def _judged(
        self, answer: str, gold: str, options: Options, prompt: str | None, shown: Reference
    ) -> Verdict:
        if options is not None:
            status, why = _chosen(answer, gold, options, self.fuzzy)
            return Verdict(status, Tier.CHOICE, why, answer, shown)
        decision = _compare(answer, gold, self._terms(prompt))
        if (
            decision.status is Status.EQUAL
            and prompt
            and self.refuse_echoes
            and is_echo(answer, gold, prompt)
        ):
            return Verdict(Status.DIFFERENT, decision.tier, "echo", answer, shown)
        return Verdict(decision.status, decision.tier, decision.why, answer, shown)

    def _terms(self, prompt: str | None) -> Terms:
        """Return what the ladder needs to know beside the two answers."""
        return Terms(Budget(self.budget_seconds), self._conventions, prompt)


def _compare(answer: str, gold: str, terms: Terms) -> Decision:
    """Climb the ladder, which is loaded at first use since python-flint comes with it."""
    from rlrewards.verify.equivalence import compare

    return compare(answer, gold, terms)


_SWITCHES = (
    "prefilled_think", "lenient", "assignments", "chains", "percent", "ordered", "multiplicity",
    "solved_relations", "scaled_relations", "integration_constants", "ignore_case", "ratios",
    "optional_base", "parameters", "plus_minus", "refuse_echoes",
)  # fmt: skip
_CHOICES = {
    "form": ("numeral", "any"),
    "units": ("optional", "required"),
    "log_base": ("10", "e"),
}


def _check(verifier: Verifier) -> None:
    make_tuple(verifier, "reasoning_tags")
    tags = verifier.reasoning_tags
    if len(tags) != 2 or not all(isinstance(tag, str) and tag for tag in tags):
        raise ValueError(f"Verifier: reasoning_tags must be two non-empty strings, got {tags!r}")
    for name in _SWITCHES:
        require_bool(verifier, name)
    for name, allowed in _CHOICES.items():
        _require_one_of(verifier, name, allowed)
    require_instance(verifier, "letters", str)
    require_between(verifier, "fuzzy", FUZZY_LEAST, FUZZY_OFF)
    require_between(verifier, "rel_tol", 0.0, MAX_REL_TOL)
    for name in ("significant", "reference_digits", "answer_digits"):
        if getattr(verifier, name) is not None:
            require_whole(verifier, name, 1)
    require_between(verifier, "budget_seconds", MIN_BUDGET_SECONDS, math.inf)
    require_whole(verifier, "cache_size", 0)


def _require_one_of(verifier: Verifier, name: str, allowed: tuple[str, ...]) -> None:
    value = getattr(verifier, name)
    if value not in allowed:
        expected = " or ".join(map(repr, allowed))
        kind = ValueError if isinstance(value, str) else TypeError
        raise kind(f"Verifier: {name} must be {expected}, got {value!r}")


def as_text(reference: Any) -> str | tuple[str, ...] | None:
    """Return references as text; numbers are written out, NaN is no reference.

    Raises:
        TypeError: a reference is neither text nor a number.
    """
    if reference is None or isinstance(reference, str):
        return reference
    if isinstance(reference, int | float | Decimal | Fraction) and not isinstance(reference, bool):
        return None if reference != reference else str(reference)
    if isinstance(reference, Iterable) and not isinstance(reference, bytes | Mapping):
        texts = (as_text(item) for item in reference)
        return tuple(text for text in texts if isinstance(text, str))
    raise TypeError(
        f"a reference is text, a number, or a sequence of them, got {type(reference).__name__}"
    )


def _references(shown: str | tuple[str, ...] | None) -> tuple[str, ...]:
    if isinstance(shown, str):
        return (shown,) if shown.strip() else ()
    return tuple(gold for gold in shown or () if gold.strip())


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
