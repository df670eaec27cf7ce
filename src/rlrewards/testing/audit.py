"""The audit: every law and every attack on a reward, on a stack and on each of its parts.

from rlrewards.testing import audit

report = audit("stack.toml", "my_package.rewards:my_reward", seconds=60)
print(report)
report.write("audit.html")
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from typing import Any

from rlrewards.columns import Columns
from rlrewards.testing.attacks import ATTACKS
from rlrewards.testing.audit_data import Rows, read_rows, row_laws
from rlrewards.testing.audit_report import AuditReport, DataRead
from rlrewards.testing.audit_targets import Targets
from rlrewards.testing.findings import Finding, Report
from rlrewards.testing.kinds import checked_kinds
from rlrewards.testing.law import Effort
from rlrewards.testing.laws import LAWS
from rlrewards.testing.running import Check, Job, LoadError, Planned, run_loaded
from rlrewards.testing.subject import Signature

GROUPS = ("law", "attack", "data")


def audit(
    *targets: Any,
    kind: str | Iterable[str] | None = None,
    signature: Signature | None = None,
    data: str | None = None,
    columns: Columns = Columns(),  # noqa: B008
    rows: int = 1000,
    only: str | Iterable[str] = (),
    seconds: float = 120.0,
    examples: int = 30,
    seed: int = 0,
    patience_seconds: float = 20.0,
    on_finding: Callable[[Finding], None] | None = None,
    **facts: Any,
) -> AuditReport:
    """Try every law and attack that applies to rewards; a stack is audited with all its parts.

    The rewards are loaded and called in a process that is killed when they hang.

    Args:
        targets: `"STACK.toml"`, `"module:name"`, `"path/file.py:name"`, or rewards themselves. A
            class or preset is called, with the facts that it takes.
        kind: What the targets are: one or more of `KINDS`.
        signature: How they are called, where their parameters do not tell.
        data: A file of completions on which the laws are tried that need no others.
        columns: Which column of it is what.
        rows: How many of its rows are read.
        only: `"law"`, `"attack"`, `"data"`, or names of checks; all of them by default.
        seconds: When the audit is to be over. The report says what was not reached.
        examples: Cases drawn for each law.
        seed: The same seed gives the same findings.
        patience_seconds: After this long without an answer a check is stopped and reported.
        on_finding: Hears each finding as it is made.
        facts: Parameters that checks need: `max_length=`, `buffer=`, `n=` and so on.

    Raises:
        ValueError: a target cannot be loaded, or an argument makes no sense.
        OSError: the data cannot be read.

    >>> import rlrewards as rr
    >>> audit(rr.ThinkFormat(), only="finite or none").ok
    True
    """
    running = Audit(
        Targets(targets, _listed(kind), signature, facts),
        rows=None if data is None else read_rows(data, columns, limit=rows),
        only=_listed(only),
        seconds=seconds,
        effort=Effort(examples=examples, seed=seed, patience_seconds=patience_seconds),
    )
    for finding in running:
        if on_finding is not None:
            on_finding(finding)
    return running.report()


@dataclass
class Audit:
    """An audit under way: iterate over its findings, and ask for the report at any time.

    Attributes:
        targets: What is audited.
        rows: Completions that really occurred.
        only: Which checks; see `chosen`.
        seconds: When it is to be over.
        effort: How hard the checks try.
        plan: What is to be done; empty until the targets are loaded.
        findings: What was found so far.
    """

    targets: Targets
    rows: Rows | None = None
    only: tuple[str, ...] = ()
    seconds: float = 120.0
    effort: Effort = field(default_factory=Effort)
    plan: list[Planned] = field(default_factory=list, init=False)
    findings: list[Finding] = field(default_factory=list, init=False)
    taken_seconds: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        if not self.targets.targets:
            raise ValueError("nothing to audit; give a stack or a reward")
        if not (self.seconds > 0 and not math.isnan(self.seconds)):
            raise ValueError(f"seconds={self.seconds!r}, expected more than 0")
        if self.effort.examples < 1:
            raise ValueError(f"examples={self.effort.examples!r}, expected at least 1")
        checked_kinds(self.targets.kind or None)
        chosen(self.only, self.rows)

    def __iter__(self) -> Iterator[Finding]:
        begun = time.monotonic()
        load = partial(_jobs, self.targets, self.only, self.rows)
        found = run_loaded(load, self.effort, seconds=self.seconds, on_plan=self.plan.extend)
        try:
            for finding in found:
                self.findings.append(finding)
                self.taken_seconds = time.monotonic() - begun
                yield finding
        finally:
            self.taken_seconds = time.monotonic() - begun
            found.close()

    def report(self, *, interrupted: bool = False) -> AuditReport:
        """Return what was found so far, by subject."""
        by_subject: dict[str, list[Finding]] = {one.subject: [] for one in self.plan}
        for finding in self.findings:
            by_subject[finding.subject].append(finding)
        seed = self.effort.seed
        return AuditReport(
            targets=tuple(map(_shown_target, self.targets.targets)),
            reports=tuple(
                Report(name, tuple(found), seed) for name, found in by_subject.items() if found
            ),
            planned=len(self.plan),
            seed=seed,
            examples=self.effort.examples,
            limit_seconds=self.seconds,
            seconds=self.taken_seconds,
            data=None if self.rows is None else DataRead.of(self.rows),
            interrupted=interrupted,
        )


def chosen(only: Iterable[str], rows: Rows | None = None) -> tuple[Check, ...]:
    """Return the checks of these names or groups, in order; all when none is named.

    >>> [check.name for check in chosen(["inside_bounds"])]
    ['inside bounds']

    Raises:
        ValueError: no check has such a name; the message suggests one.
    """
    known: list[Check] = [*(row_laws(rows) if rows is not None else ()), *LAWS, *ATTACKS]
    wanted = [_plain(name) for name in only]
    names = {_plain(check.name) for check in known}
    for name in wanted:
        if name not in GROUPS and name not in names:
            close = get_close_matches(name, [*names, *GROUPS], n=1)
            hint = f"did you mean {close[0]!r}?" if close else "--list names them all"
            raise ValueError(f"no law or attack is called {name!r}; {hint}")
    if not wanted:
        return tuple(known)
    return tuple(one for one in known if one.group in wanted or _plain(one.name) in wanted)


def _jobs(targets: Targets, only: tuple[str, ...], rows: Rows | None) -> list[Job]:
    """Return the checks of every subject; called in the child."""
    checks = chosen(only, rows)
    subjects = targets.subjects()
    jobs = [(one, check) for one in subjects for check in checks if check.applies_to(one)]
    if not jobs:
        raise LoadError(
            f"none of the {len(checks)} chosen checks applies to "
            f"{', '.join(one.name for one in subjects)}"
        )
    return jobs


def _listed(names: str | Iterable[str] | None) -> tuple[str, ...]:
    if names is None:
        return ()
    return (names,) if isinstance(names, str) else tuple(names)


def _plain(name: str) -> str:
    return " ".join(name.lower().replace("_", " ").replace("-", " ").split())


def _shown_target(target: Any) -> str:
    return target if isinstance(target, str) else repr(target)
