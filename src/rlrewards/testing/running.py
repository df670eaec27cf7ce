"""Run checks, in a process that can be killed where one never comes back.

A reward that hangs in a regular expression cannot be interrupted from within Python: the checks run
in a child process that sends each finding as it is made. When none comes for too long the child is
killed, the check it was at is a finding of its own, and a new child goes on behind it. `run` is
given the rewards; `run_loaded` lets the child load them, so that nothing of theirs runs here.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import pickle
import re
import sys
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, Protocol

from rlrewards.core import Sample
from rlrewards.testing.findings import Finding, Outcome
from rlrewards.testing.law import Effort, NotApplicable
from rlrewards.testing.subject import Broken, Subject, settled

POLL_SECONDS = 0.2
END_SECONDS = 2.0  # a child that is done may take so long to end
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")  # another one in each process


class Check(Protocol):
    """A law or an attack."""

    @property
    def name(self) -> str:
        """A few words."""
        ...

    @property
    def statement(self) -> str:
        """What should hold."""
        ...

    @property
    def group(self) -> str:
        """`"law"` or `"attack"`."""
        ...

    def applies_to(self, subject: Any) -> bool:
        """Whether it is about rewards like this one."""
        ...

    def check(self, subject: Any, effort: Effort) -> str | None:
        """Raise `Broken` or `NotApplicable`, or return, maybe with what there is to say."""
        ...


Job = tuple[Subject, Check]


class Planned(NamedTuple):
    """A check that is to be done."""

    subject: str
    check: str
    group: str
    statement: str


class LoadError(ValueError):
    """What is to be checked cannot be loaded."""


def run(jobs: Sequence[Job], effort: Effort, *, isolate: bool | None = None) -> Iterator[Finding]:
    """Yield the finding of each job, in order, as it is made.

    Args:
        jobs: A subject and a check each.
        effort: How hard the checks try, and how long a silent one is waited for.
        isolate: Whether in a child process; by default where the system can fork, or where the
            jobs can be pickled.
    """
    _refuse_an_unguarded_script()
    context = _context(jobs) if isolate is None or isolate else None
    if context is None:
        if isolate:
            raise ValueError("isolate=True needs a system that forks, or rewards that pickle")
        yield from (finding_of(*job, effort) for job in jobs)
        return
    yield from _in_children(context, partial(list, jobs), effort)


def run_loaded(
    load: Callable[[], Sequence[Job]],
    effort: Effort,
    *,
    seconds: float = math.inf,
    load_seconds: float = 60.0,
    on_plan: Callable[[list[Planned]], None] | None = None,
) -> Generator[Finding]:
    """Yield the finding of each job that `load()` returns; it is called in the child, too.

    What the child prints goes nowhere. `load` must return the same jobs each time.

    Args:
        load: Returns the jobs; must pickle where the system cannot fork.
        effort: How hard the checks try, and how long a silent one is waited for.
        seconds: When all are to be over; what was not done by then is `UNREACHED`.
        load_seconds: How long `load` may take.
        on_plan: Hears, before the first finding, what is to be done.

    Raises:
        LoadError: it raised, did not come back or died.
    """
    _refuse_an_unguarded_script()
    forks = "fork" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("fork" if forks else "spawn")
    yield from _in_children(
        context, load, effort, seconds=seconds, load_seconds=load_seconds, on_plan=on_plan,
        quiet=True,
    )  # fmt: skip


def _refuse_an_unguarded_script() -> None:
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        # An unguarded script, run again by the process that a law started: its parent tells.
        raise SystemExit('checks belong under `if __name__ == "__main__":`')


def finding_of(subject: Subject, check: Check, effort: Effort) -> Finding:
    """Run one check here and now."""
    begun = time.monotonic()
    if isinstance(subject, Subject):  # an objective has nothing to be tried out
        subject = settled(subject)

    def found(outcome: Outcome, why: str = "", broken: Broken | None = None) -> Finding:
        return Finding(
            check.name,
            check.group,
            subject.name,
            check.statement,
            outcome,
            ADDRESS.sub("", why),
            broken.samples if broken else (),
            broken.scores if broken else (),
            time.monotonic() - begun,
            case=broken.case if broken else "",
        )

    try:
        said = check.check(subject, effort)
    except NotApplicable as reason:
        return found(Outcome.SKIPPED, str(reason))
    except Broken as broken:
        return found(Outcome.FAILED, broken.why, broken)
    except Exception as error:
        return found(Outcome.FAILED, f"{type(error).__name__}: {error}")
    return found(Outcome.PASSED, said or "")


def _context(jobs: Sequence[Job]) -> Any:
    """Return how child processes are started, or None where they cannot be."""
    if multiprocessing.current_process().daemon:  # the worker of a pool may have no children
        return None
    if "fork" in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("fork")
    with contextlib.suppress(Exception):
        pickle.dumps(jobs)
        return multiprocessing.get_context("spawn")
    return None


class _Silence(Exception):  # noqa: N818  (nothing is wrong here)
    """The child says nothing more."""

    def __init__(self, why: str = "", *, time_is_up: bool = False) -> None:
        super().__init__(why)
        self.why, self.time_is_up = why, time_is_up


def _in_children(
    context: Any,
    load: Callable[[], Sequence[Job]],
    effort: Effort,
    *,
    seconds: float = math.inf,
    load_seconds: float = math.inf,
    on_plan: Callable[[list[Planned]], None] | None = None,
    quiet: bool = False,
) -> Iterator[Finding]:
    """Yield the findings of all jobs, with a new child behind each one that had to be killed."""
    ends = time.monotonic() + seconds
    plan: list[Planned] | None = None
    done = 0
    while plan is None or done < len(plan):
        with _Child(context, load, done, effort, quiet=quiet) as child:
            loaded = child.plan(load_seconds, ends)
            if plan is None:
                plan = loaded
                if on_plan is not None:
                    on_plan(plan)
            elif plan != loaded:
                raise LoadError("loading it twice gave different rewards")
            for planned in plan[done:]:
                begun = time.monotonic()
                try:
                    finding = child.finding(effort.patience_seconds, ends)
                except _Silence as silence:
                    if silence.time_is_up:
                        yield from _unreached(plan[done:], seconds, time.monotonic() - begun)
                        return
                    finding = _unfinished(
                        planned, Outcome.STOPPED, silence.why, child.tried, time.monotonic() - begun
                    )
                yield finding
                done += 1
                if finding.outcome is Outcome.STOPPED:
                    break


def _unfinished(
    planned: Planned,
    outcome: Outcome,
    why: str,
    tried: tuple[Sample, ...] = (),
    seconds: float = 0.0,
) -> Finding:
    subject, check, group, statement = planned
    return Finding(check, group, subject, statement, outcome, why, tried, seconds=seconds)


def _unreached(left: Sequence[Planned], limit: float, seconds: float) -> Iterator[Finding]:
    why = f"still running after the {limit:g} s for all checks"
    yield _unfinished(left[0], Outcome.UNREACHED, why, seconds=seconds)
    for planned in left[1:]:
        yield _unfinished(planned, Outcome.UNREACHED, f"the {limit:g} s for all checks were over")


class _Child:
    """A process that loads the jobs and does them, from the one numbered `begin` on."""

    def __init__(
        self,
        context: Any,
        load: Callable[[], Sequence[Job]],
        begin: int,
        effort: Effort,
        *,
        quiet: bool,
    ) -> None:
        self.tried: tuple[Sample, ...] = ()
        self._receiver, sender = context.Pipe(duplex=False)
        self._process = context.Process(
            target=_work, args=(sender, load, begin, effort, quiet), daemon=False
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads
            self._process.start()
        sender.close()

    def __enter__(self) -> _Child:
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is None:
            self._process.join(END_SECONDS)
        self._kill()
        self._receiver.close()

    def plan(self, patience: float, ends: float) -> list[Planned]:
        """Return what it is to do, once all is loaded."""
        try:
            message = self._hear(patience, ends)
        except _Silence as silence:
            self._kill()
            raise LoadError(silence.why or "loading it took all the time there was") from None
        if isinstance(message, str):
            raise LoadError(message)
        return [*message]

    def finding(self, patience: float, ends: float) -> Finding:
        """Return the next finding; `tried` is the last batch that the reward was given."""
        self.tried = ()
        while True:
            try:
                message = self._hear(patience, ends)
            except _Silence:
                self._kill()
                raise
            if isinstance(message, Finding):
                return message
            self.tried = message

    def _hear(self, patience: float, ends: float) -> Any:
        limit = min(time.monotonic() + patience, ends)
        while True:
            left = limit - time.monotonic()
            ended = self._process.exitcode is not None
            try:
                if self._receiver.poll(0 if ended else max(0.0, min(left, POLL_SECONDS))):
                    return self._receiver.recv()
            except (EOFError, OSError):
                self._process.join(END_SECONDS)
                ended = True
            # The pipe of a dead child stays open while what it started lives.
            if ended:
                raise _Silence(f"the process died (exit code {self._process.exitcode})")
            if left <= 0 and time.monotonic() >= ends:
                raise _Silence(time_is_up=True)
            if left <= 0:
                raise _Silence(f"no answer within {patience:g} s")

    def _kill(self) -> None:
        """End it and whatever it started."""
        killpg: Callable[[int, int], None] | None = getattr(os, "killpg", None)
        if killpg is not None:
            with contextlib.suppress(OSError):
                killpg(self._process.pid, 9)  # a group of its own; see `_work`
        if self._process.exitcode is None:
            self._process.kill()
        self._process.join()


def _work(
    sender: Any, load: Callable[[], Sequence[Job]], begin: int, effort: Effort, quiet: bool
) -> None:
    """Do the jobs and send their findings; what they start dies with this process's group."""
    with contextlib.suppress(OSError, AttributeError):
        os.setsid()
    if quiet:
        sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        os.dup2(sys.stdout.fileno(), 1)
        os.dup2(sys.stdout.fileno(), 2)
    try:
        jobs = load()
    except LoadError as error:
        sender.send(str(error))
        return
    except Exception as error:
        sender.send(f"{type(error).__name__}: {error}")
        return
    sender.send([Planned(one.name, check.name, check.group, check.statement)
                 for one, check in jobs])  # fmt: skip
    for subject, check in jobs[begin:]:
        told = replace(subject, watch=lambda batch: sender.send(tuple(batch)))
        sender.send(finding_of(told, check, effort))
    sender.close()
