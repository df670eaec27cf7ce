"""The laws of every reward: what a trainer relies on, whatever the reward is about."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import copy
import io
import math
import multiprocessing
import os
import pickle
import random
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from rlrewards.core import Sample
from rlrewards.testing.law import NotApplicable, ensure, law
from rlrewards.testing.strategies.batches import OPTIONS, batches
from rlrewards.testing.subject import Broken, Subject

Batch = list[Sample]
TEXTS = (
    ("<think>2 + 2\nis 4</think>\n<answer>4</answer>", "4"),
    ("## Thinking\n\na\n\n## Final Response\n\n\\boxed{B}", "B"),
    ("1. add\n2. halve\n3. check\nThe answer is 5.", "4"),
    ("word after word after word after word", "4"),
    ("<think>a</think>\n### Assessment\nb\n### Final Answer\n\\boxed{C}", "C"),
    ("", "4"),
    ("\\boxed{\\frac12}", "0.5"),
    ("\ud800\x00", "\\frac{1}{3}"),
)
BATCH = tuple(
    Sample(text, reference, "2 + 2", token_ids=[*range(n), *range(n)], group=n % 2)
    for n, (text, reference) in enumerate(TEXTS)
)
HOSTILE = (
    "a" * 10**6,
    " " * 10**6,
    "\n" * 10**6,
    "\x00" * 10**6,
    "\ud800 " * 10**5,
    "<think>" * 10**5,
    "</think><answer>" * 10**5,
    "\\boxed{" * 10**5,
    "{" * 10**5,
    "**" * 10**5,
    "\n#### " * 10**5,
    "9" * 10**5,
    *("a" * 60 + "!", "x" * 60 + "y", " " * 60 + ".", "1" * 60 + "a", "ab" * 40 + "c"),
    "<think>" + "a " * 60 + "<think",
    "(" * 60 + "1" + ")" * 59,
    "\\boxed{9^{9^{9^9}}}",
    "<answer>9**9**9**9</answer>",
    "<think>a</think>\n\\boxed{10000000000!}",
)
LIMIT_SECONDS = 60.0  # for all of these together; what is quadratic takes hours


def same_scores(found: Sequence[float | None], expected: Sequence[float | None]) -> bool:
    """Whether two lists of scores are equal, None for None, to the last bit but a few."""
    return len(found) == len(expected) and all(
        (a is None) == (b is None)
        and (a is None or b is None or math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-12))
        for a, b in zip(found, expected, strict=True)
    )


def _ensure_same(
    found: Sequence[float | None], expected: Sequence[float | None], here: str, there: str
) -> None:
    """Raise `Broken` with the samples of `BATCH` whose scores differ."""
    rows = [row for row, pair in enumerate(zip(found, expected, strict=True))
            if not same_scores(pair[:1], pair[1:])]  # fmt: skip
    first, second = [found[row] for row in rows], [expected[row] for row in rows]
    ensure(not rows, f"scored {first} {here}, {second} {there}",
           [BATCH[row] for row in rows], first)  # fmt: skip


@law("A batch of n samples has n scores, an empty batch none.", cases=batches)
def length_in_is_length_out(subject: Subject, batch: Batch) -> None:
    """`Subject.__call__` counts."""
    subject(batch)
    if subject.takes_everything:
        subject([])


@law("A score is a finite number or None, and never −0.", cases=batches)
def finite_or_none(subject: Subject, batch: Batch) -> None:
    """`Subject.__call__` refuses what is not finite."""
    scores = subject(batch)
    for sample, score in zip(batch, scores, strict=True):
        negative = score == 0 and math.copysign(1, score) < 0
        ensure(not negative, "returned −0.0, which prints oddly; add 0.0", [sample], [score])
    if subject.signature == "rlrewards":
        for sample, raw in zip(batch, subject.raw(batch), strict=True):
            ensure(
                raw is None or isinstance(raw, float | int),
                f"returned {type(raw).__name__}, expected float or None",
                [sample],
            )


@law("A score lies within the reward's `bounds`.", cases=batches)
def inside_bounds(subject: Subject, batch: Batch) -> None:
    """Only our own signature says bounds."""
    low, high = subject.bounds
    ensure(low <= high, f"bounds are ({low:g}, {high:g})")
    for sample, score in zip(batch, subject(batch), strict=True):
        ensure(
            score is None or low <= score <= high,
            f"scored {score}, outside of ({low:g}, {high:g})",
            [sample],
            [score],
        )


def _shuffled(subject: Subject) -> st.SearchStrategy[list[tuple[int, Sample]]]:
    return batches(subject).flatmap(lambda batch: st.permutations([*enumerate(batch)]))


@law("Permuting the batch permutes the scores.", cases=_shuffled)
def order_does_not_matter(subject: Subject, shuffled: list[tuple[int, Sample]]) -> None:
    """Whatever state runs along a batch shows here."""
    batch = [sample for _, sample in sorted(shuffled, key=lambda item: item[0])]
    scores = subject(batch)
    found = subject([sample for _, sample in shuffled])
    expected = [scores[index] for index, _ in shuffled]
    ensure(same_scores(found, expected), f"{expected} became {found} in another order",
           [sample for _, sample in shuffled], found)  # fmt: skip


@law(
    "Splitting the batch changes nothing: anywhere for a pointwise reward, between prompts for a "
    "grouped one.",
    cases=batches,
)
def splitting_changes_nothing(subject: Subject, batch: Batch) -> None:
    """What a batch holds depends on ranks and micro-batches."""
    grouped = "grouped" in subject.kinds
    parts: dict[Any, list[int]] = {}
    for index, sample in enumerate(batch):
        parts.setdefault(sample.group if grouped else index, []).append(index)
    whole = subject(batch)
    for rows in parts.values():
        alone = subject([batch[i] for i in rows])
        expected = [whole[i] for i in rows]
        ensure(
            same_scores(alone, expected),
            f"scored {alone} alone, {expected} in a batch of {len(batch)}",
            batch,
            whole,
        )


@law("Equal samples have equal scores.", cases=batches)
def equal_samples_equal_scores(subject: Subject, batch: Batch) -> None:
    """Identity and order must not matter."""
    scores = subject([*batch, *copy.deepcopy(batch)])
    first, second = scores[: len(batch)], scores[len(batch) :]
    ensure(same_scores(first, second), f"the same samples scored {first}, then {second}",
           batch, first)  # fmt: skip


@law("A reward survives pickle, equal to itself and with the same scores.")
def pickles(subject: Subject) -> None:
    """Trainers send rewards to workers."""
    try:
        again = pickle.loads(pickle.dumps(subject.reward))
    except Exception as error:
        raise Broken(f"does not pickle: {type(error).__name__}: {error}") from error
    if _says_what_is_equal(subject.reward):
        ensure(again == subject.reward, f"{again!r} came back for {subject.reward!r}")
        ensure(repr(again) == repr(subject.reward), f"its repr became {again!r}")
        with contextlib.suppress(TypeError):
            ensure(hash(again) == hash(subject.reward), "its hash changed")
    expected, found = subject(BATCH), subject.with_reward(again)(BATCH)
    _ensure_same(found, expected, "after pickling", "before")


def _says_what_is_equal(reward: Any) -> bool:
    """Whether equality is more than identity, which nothing keeps on its way through pickle."""
    owner = type(getattr(reward, "__self__", reward))  # of a method, its object
    return any("__eq__" in vars(base) for base in owner.__mro__[:-1])


@law("The scores are the same in another process, whatever its PYTHONHASHSEED.")
def same_in_another_process(subject: Subject) -> None:
    """Spawned, so that nothing is inherited."""
    if multiprocessing.current_process().daemon:
        raise NotApplicable("the worker of a pool may start no process")
    try:
        pickle.dumps(subject.reward)
    except Exception as error:
        raise NotApplicable(f"does not pickle: {error}") from error
    expected = subject(copy.deepcopy(BATCH))
    context = multiprocessing.get_context("spawn")
    with _environment("PYTHONHASHSEED", "12345"):
        executor = ProcessPoolExecutor(max_workers=1, mp_context=context)
        with executor:
            try:
                found = executor.submit(_scores, replace(subject, watch=None)).result()
            except BrokenProcessPool as error:
                raise NotApplicable(
                    "a new process cannot import the main module: guard a script with "
                    'if __name__ == "__main__":, and put what a notebook defines into a module'
                ) from error
    _ensure_same(found, expected, "in another process", "here")


def _scores(subject: Subject) -> list[float | None]:
    return subject(BATCH)


@law("The scores are the same in a worker thread.")
def same_in_a_thread(subject: Subject) -> None:
    """Trainers call rewards from threads, where a signal-based time limit does not work."""
    batch = copy.deepcopy(BATCH)
    expected = subject(BATCH)
    found = in_a_thread(lambda: subject(batch))
    _ensure_same(found, expected, "in a thread", "in the main one")


@law("The scores are the same in an event loop.")
def same_in_an_event_loop(subject: Subject) -> None:
    """A reward may not start a loop where one runs."""
    expected = subject(BATCH)

    async def inside() -> list[float | None]:
        return subject(copy.deepcopy(BATCH))

    found = asyncio.run(inside())
    _ensure_same(found, expected, "in an event loop", "outside")


@law("A reward leaves its samples as they are.", cases=batches)
def mutates_nothing(subject: Subject, batch: Batch) -> None:
    """The trainer uses them afterwards."""
    before = copy.deepcopy(batch)
    scores = subject(batch)
    ensure(batch == before, "changed its samples", before, scores)
    if subject.signature == "trl":
        changed = subject.changed_columns(batch)
        ensure(not changed, f"changed {', '.join(changed)}", before, scores)


@law("A reward draws no random numbers, prints nothing, and opens no file or connection.")
def touches_nothing(subject: Subject) -> None:
    """A run must be reproducible, and a score must not depend on the world."""
    subject(BATCH)  # what is loaded at first use is loaded now
    for batch in (*([sample] for sample in BATCH), [*BATCH]):  # the smallest first
        with _generators_kept(), _watched() as (printed, touched):
            state = _random_states()
            subject(copy.deepcopy(batch))
            drew = _random_states() != state
        ensure(not touched, f"called {', '.join(sorted(set(touched)))}", batch)
        ensure(not printed.getvalue(), f"printed {printed.getvalue()[:80]!r}", batch)
        ensure(not drew, "drew from, or seeded, the caller's random generator", batch)


@law("Any input has its score in bounded time.")
def bounded_time(subject: Subject) -> None:
    """Nothing quadratic, and nothing that works an answer out whatever it costs."""
    begun = time.monotonic()
    for sample in hostile_samples():
        score = subject([sample])
        seconds = time.monotonic() - begun
        ensure(seconds < LIMIT_SECONDS, f"took {seconds:.0f} s", [sample], score)


@law("Any input has its score in bounded time in a worker thread, too.")
def bounded_time_in_a_thread(subject: Subject) -> None:
    """A limit by `signal.alarm` is off in threads."""
    for sample in hostile_samples():
        in_a_thread(lambda sample=sample: subject([sample]))  # type: ignore[misc]


def hostile_samples() -> Iterator[Sample]:
    """Yield completions that cost careless code hours or gigabytes."""
    for text in HOSTILE:
        ids = [*text[: 10**5].encode("utf-32-le", "surrogatepass")][::4]
        yield Sample(text, "4", "2 + 2", token_ids=ids, options=None, group=0)
    yield Sample("The answer is B.", "B", "2 + 2", token_ids=[1], options=OPTIONS, group=0)


def in_a_thread(call: Callable[[], Any]) -> Any:
    """Return what a call gives in a thread of its own; raise what it raises."""
    results: list[Any] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _random_states() -> tuple[Any, ...]:
    import numpy as np

    torch = sys.modules.get("torch")
    drawn = () if torch is None else torch.get_rng_state().tolist()
    return random.getstate(), str(np.random.get_state()), drawn  # noqa: NPY002


@contextlib.contextmanager
def _generators_kept() -> Iterator[None]:
    """Put the generators where no seed puts them, and back at the end."""
    import numpy as np

    kept, kept_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    random.random()
    np.random.random()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(kept)
        np.random.set_state(kept_numpy)  # noqa: NPY002


@contextlib.contextmanager
def _watched() -> Iterator[tuple[io.StringIO, list[str]]]:
    """Yield what is printed, and the calls that open a file or a connection."""
    touched: list[str] = []
    printed = io.StringIO()
    kept_open, kept_connect = builtins.open, socket.socket.connect  # pathlib's is `io.open`

    def opened(*arguments: Any, **more: Any) -> Any:
        touched.append("open")
        return kept_open(*arguments, **more)

    def connected(self: socket.socket, address: Any) -> None:
        touched.append("socket.connect")
        kept_connect(self, address)

    builtins.open = io.open = opened
    socket.socket.connect = connected  # type: ignore[method-assign, assignment]
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            yield printed, touched
    finally:
        builtins.open = io.open = kept_open
        socket.socket.connect = kept_connect  # type: ignore[method-assign]


LAWS = (
    length_in_is_length_out,
    finite_or_none,
    inside_bounds,
    order_does_not_matter,
    splitting_changes_nothing,
    equal_samples_equal_scores,
    pickles,
    same_in_another_process,
    same_in_a_thread,
    same_in_an_event_loop,
    mutates_nothing,
    touches_nothing,
    bounded_time,
    bounded_time_in_a_thread,
)
