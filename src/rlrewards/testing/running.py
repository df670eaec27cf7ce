"""Run checks, in a process that can be killed where one never comes back.

A reward that hangs in a regular expression cannot be interrupted from within Python: the checks run
in a child process that sends each finding as it is made. When none comes for too long the child is
killed, the check it was at is a finding of its own, and a new child goes on behind it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any, Protocol

from rlrewards.core import Sample
from rlrewards.testing.findings import Finding, Outcome
from rlrewards.testing.law import Effort, NotApplicable
from rlrewards.testing.subject import Broken, Subject


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

    def check(self, subject: Any, effort: Effort) -> None:
        """Raise `Broken` or `NotApplicable`, or return."""
        ...


Job = tuple[Subject, Check]


def run(jobs: Sequence[Job], effort: Effort, *, isolate: bool | None = None) -> Iterator[Finding]:
    """Yield the finding of each job, in order, as it is made.

    Args:
        jobs: A subject and a check each.
        effort: How hard the checks try, and how long a silent one is waited for.
        isolate: Whether in a child process; by default where the system can fork, or where the
            jobs can be pickled.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        # An unguarded script, run again by the process that a law started: its parent tells.
        raise SystemExit('checks belong under `if __name__ == "__main__":`')
    context = _context(jobs) if isolate is None or isolate else None
    if context is None:
        if isolate:
            raise ValueError("isolate=True needs a system that forks, or rewards that pickle")
        yield from (finding_of(*job, effort) for job in jobs)
        return
    at = 0
    while at < len(jobs):
        for finding in _in_child(context, jobs[at:], effort):
            yield finding
            at += 1


def finding_of(subject: Subject, check: Check, effort: Effort) -> Finding:
    """Run one check here and now."""
    begun = time.monotonic()

    def found(outcome: Outcome, why: str = "", broken: Broken | None = None) -> Finding:
        return Finding(
            check.name,
            check.group,
            subject.name,
            check.statement,
            outcome,
            why,
            broken.samples if broken else (),
            broken.scores if broken else (),
            time.monotonic() - begun,
        )

    try:
        check.check(subject, effort)
    except NotApplicable as reason:
        return found(Outcome.SKIPPED, str(reason))
    except Broken as broken:
        return found(Outcome.FAILED, broken.why, broken)
    except Exception as error:
        return found(Outcome.FAILED, f"{type(error).__name__}: {error}")
    return found(Outcome.PASSED)


def _context(jobs: Sequence[Job]) -> Any:
    """Return how child processes are started, or None where they cannot be."""
    if "fork" in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("fork")
    with contextlib.suppress(Exception):
        pickle.dumps(jobs)
        return multiprocessing.get_context("spawn")
    return None


def _in_child(context: Any, jobs: Sequence[Job], effort: Effort) -> Iterator[Finding]:
    """Yield findings until the child has done all jobs, or had to be killed."""
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(sender, jobs, effort), daemon=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads
        child.start()
    sender.close()
    try:
        for subject, check in jobs:
            begun = time.monotonic()
            tried: tuple[Sample, ...] = ()
            found, why = None, ""
            while found is None and not why:
                try:
                    if receiver.poll(effort.patience_seconds):
                        message = receiver.recv()
                        if isinstance(message, Finding):
                            found = message
                        else:
                            tried = message
                    else:
                        why = f"no answer within {effort.patience_seconds:g} s"
                except (EOFError, OSError):
                    child.join()
                    why = f"the process died (exit code {child.exitcode})"
            yield found or Finding(
                check.name, check.group, subject.name, check.statement, Outcome.STOPPED,
                why, tried, seconds=time.monotonic() - begun,
            )  # fmt: skip
            if why:
                return
    finally:
        _end(child)
        receiver.close()


def _child(sender: Connection, jobs: Iterable[Job], effort: Effort) -> None:
    """Do the jobs and send their findings; what they start dies with this process's group."""
    with contextlib.suppress(OSError, AttributeError):
        os.setsid()
    for subject, check in jobs:
        told = replace(subject, watch=lambda batch: sender.send(tuple(batch)))
        sender.send(finding_of(told, check, effort))
    sender.close()


def _end(child: Any) -> None:
    """Kill the child and what it started, unless it is done."""
    child.join(timeout=0.5)
    if child.exitcode is None:
        _kill_group(child.pid)
        child.kill()
    child.join()


def _kill_group(pid: int) -> None:
    killpg: Callable[[int, int], None] | None = getattr(os, "killpg", None)
    if killpg is None:
        return
    with contextlib.suppress(OSError):
        if os.getpgid(pid) == pid:
            killpg(pid, 9)
