"""What an audit found, as text, JSON, Markdown and HTML.

Completions are hostile text: whatever is shown of them is one line of printable characters, and
escaped for where it stands.
"""

from __future__ import annotations

import html
import importlib.metadata
import json
import platform
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlrewards.testing.findings import Finding, Outcome, Report, cut, printable

if TYPE_CHECKING:
    from rlrewards.testing.audit_data import Rows

JSON_CHARACTERS = 10_000  # of one text; a case may be a megabyte long
PACKAGES = ("rlrewards", "hypothesis", "numpy", "torch", "trl")
SUFFIXES = (".html", ".htm", ".md", ".json")


@dataclass(frozen=True)
class DataRead:
    """What was read of a file of completions.

    Attributes:
        name: Of the file.
        rows: How many rows could be scored.
        labelled: How many of them have a label.
        broken: Number and problem of those that could not be scored.
        more: Whether the file goes on behind what was read.
        unit: What the numbers count.
    """

    name: str
    rows: int
    labelled: int = 0
    broken: tuple[tuple[int, str], ...] = ()
    more: bool = False
    unit: str = "row"

    @classmethod
    def of(cls, rows: Rows) -> DataRead:
        """Return this of rows that were read."""
        labelled = sum(item.label is not None for item in rows.items)
        return cls(rows.name, len(rows.items), labelled, rows.broken, rows.more, rows.unit)

    def __str__(self) -> str:
        first = "the first " if self.more else ""
        broken = f", {len(self.broken):,} broken" if self.broken else ""
        return f"{printable(self.name)}: {first}{self.rows:,} rows{broken}"


@dataclass(frozen=True)
class AuditReport:
    """What an audit found.

    Attributes:
        targets: As they were named.
        reports: One for each reward: a stack, then its parts.
        planned: How many checks there were to do.
        seed: With which cases were drawn.
        examples: Cases drawn for each law.
        limit_seconds: The time there was.
        seconds: The time it took; not compared.
        data: The completions that laws were tried on.
        interrupted: Whether it was stopped before its end.
        versions: Of Python and the packages that matter.
        system: The platform.
    """

    targets: tuple[str, ...]
    reports: tuple[Report, ...]
    planned: int = 0
    seed: int = 0
    examples: int = 30
    limit_seconds: float = 120.0
    seconds: float = field(default=0.0, compare=False)
    data: DataRead | None = None
    interrupted: bool = False
    versions: dict[str, str] = field(default_factory=lambda: _versions())
    system: str = field(default_factory=platform.platform)

    @property
    def ok(self) -> bool:
        """Whether nothing failed and nothing was stopped."""
        return not self.failures

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The findings that failed or were stopped."""
        return tuple(finding for finding in self if finding.broken)

    def __iter__(self) -> Iterator[Finding]:
        return (finding for report in self.reports for finding in report)

    def __len__(self) -> int:
        return sum(map(len, self.reports))

    def __str__(self) -> str:
        return "\n".join([self.headline(), *map(str, self.failures)])

    def headline(self) -> str:
        """Return the numbers in one line."""
        counts = Counter(finding.outcome for finding in self)
        numbers = [f"{counts[Outcome.PASSED]} passed", f"{len(self.failures)} failed"]
        numbers += [
            f"{counts[outcome]} {outcome}"
            for outcome in (Outcome.SKIPPED, Outcome.UNREACHED)
            if counts[outcome]
        ]
        left = self.planned - len(self)
        if left:
            numbers.append(f"{left} not done")
        rewards = f"{len(self.reports)} reward{'s' if len(self.reports) != 1 else ''}"
        stopped = "interrupted: " if self.interrupted else ""
        return (
            f"{stopped}{rewards}, {self.planned} checks: {', '.join(numbers)} "
            f"({self.seconds:.0f} s, seed {self.seed})"
        )

    def raise_for_failures(self) -> None:
        """Raise AssertionError, with the smallest cases, when something failed."""
        if not self.ok:
            raise AssertionError(str(self))

    def to_dict(self) -> dict[str, Any]:
        """Return it as what JSON can hold; very long texts are cut."""
        counts = Counter(str(finding.outcome) for finding in self)
        return {
            "targets": [*self.targets],
            "ok": self.ok,
            "interrupted": self.interrupted,
            "planned": self.planned,
            "counts": {str(outcome): counts[str(outcome)] for outcome in Outcome},
            "seed": self.seed,
            "examples": self.examples,
            "limit_seconds": self.limit_seconds,
            "seconds": round(self.seconds, 3),
            "versions": dict(self.versions),
            "platform": self.system,
            "data": None if self.data is None else _data_dict(self.data),
            "findings": [_bounded(finding.to_dict()) for finding in self],
        }

    def to_json(self) -> str:
        """Return it as JSON, in ASCII, so that lone surrogates survive."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"

    def to_markdown(self) -> str:
        """Return it as Markdown."""
        return "\n".join(_markdown(self))

    def to_html(self) -> str:
        """Return it as one HTML page that loads nothing else."""
        body = "\n".join(_html(self))
        title = html.escape(f"Audit of {', '.join(map(_shown, self.targets))}")
        return _PAGE.format(title=title, body=body)

    def write(self, path: str | Path) -> None:
        """Write it in the format that the file's name says: .html, .md or .json.

        Raises:
            ValueError: the suffix is another one.
        """
        match checked_suffix(path):
            case ".json":
                text = self.to_json()
            case ".md":
                text = self.to_markdown()
            case _:
                text = self.to_html()
        Path(path).write_text(text, encoding="utf-8", errors="backslashreplace")


def checked_suffix(path: str | Path) -> str:
    """Return the suffix of a report's file.

    Raises:
        ValueError: no report has it.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{path}: unknown suffix {suffix!r}; reports are {' '.join(SUFFIXES)}")
    return suffix


def case_lines(finding: Finding) -> list[str]:
    """Return the smallest case, a line for each sample: its fields and what it earned."""
    return [line.strip() for line in str(finding).splitlines()[1 + finding.broken :]]


def what(finding: Finding) -> str:
    """Return what there is to say of a finding, in one line."""
    return printable(cut(finding.why))


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _data_dict(data: DataRead) -> dict[str, Any]:
    return {
        "name": data.name,
        "rows": data.rows,
        "labelled": data.labelled,
        "more": data.more,
        "broken": [{data.unit: number, "problem": problem} for number, problem in data.broken],
    }


def _bounded(value: Any) -> Any:
    """Return plain data with very long texts and lists cut."""
    if isinstance(value, str) and len(value) > JSON_CHARACTERS:
        return f"{value[:JSON_CHARACTERS]} … ({len(value) - JSON_CHARACTERS:,} more characters)"
    if isinstance(value, dict):
        return {str(key): _bounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        kept = [_bounded(item) for item in value[:JSON_CHARACTERS]]
        return kept + ([f"… ({len(value) - len(kept):,} more)"] if len(kept) < len(value) else [])
    if isinstance(value, float) and value - value != 0:  # JSON has neither NaN nor infinity
        return str(value)
    return value if isinstance(value, str | int | float | None) else printable(str(value))


def _shown(text: str) -> str:
    return printable(cut(text))


def _facts(report: AuditReport) -> list[tuple[str, str]]:
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    facts = [
        ("result", report.headline()),
        ("cases", f"{report.examples} for each law, seed {report.seed}"),
        ("time", f"{report.seconds:.1f} s of {report.limit_seconds:g} s"),
        ("versions", versions),
        ("platform", report.system),
    ]
    if report.data is not None:
        facts.append(("data", str(report.data)))
        facts += [
            (f"{report.data.unit} {number}", _shown(problem))
            for number, problem in report.data.broken[:10]
        ]
    return facts


# ---------------------------------------------------------------------------------------------
# Markdown


def _markdown(report: AuditReport) -> Iterator[str]:
    yield f"# Audit of {', '.join(_code(_shown(target)) for target in report.targets)}\n"
    for name, value in _facts(report):
        yield f"- {name}: {_code(value)}"
    if report.failures:
        yield "\n## What failed\n"
    for finding in report.failures:
        name = _code(_shown(finding.subject))
        yield f"### {name}: {finding.group} “{finding.check}” {finding.outcome}\n"
        yield f"{_code(finding.statement)}\n"
        text = "\n".join([what(finding), *case_lines(finding)])
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
        yield f"{fence}text\n{text}\n{fence}\n"
    yield "\n## Every check\n"
    for one in report.reports:
        yield f"### {_code(_shown(one.subject))}\n"
        yield "| check | | outcome | what |\n|---|---|---|---|"
        for finding in one:
            said = _code(what(finding)) if finding.why else ""
            yield f"| {finding.check} | {finding.group} | {finding.outcome} | {said} |"
        yield ""


def _code(text: str) -> str:
    """Return text as code that stays in its line, and in its cell."""
    text = text.replace("|", "¦")
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}" if text else ""


# ---------------------------------------------------------------------------------------------
# HTML

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem;
  color: #1c2024; background: #fff; }}
h1, h2, h3 {{ line-height: 1.25; }}
table {{ border-collapse: collapse; width: 100%; margin: 0.5rem 0 1.5rem; }}
th, td {{ text-align: left; vertical-align: top; padding: 0.25rem 0.6rem;
  border-bottom: 1px solid #ddd; overflow-wrap: anywhere; }}
th {{ font-weight: 600; }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; background: #f5f6f7; padding: 0.7rem; }}
.passed {{ color: #18794e; }}
.failed, .stopped {{ color: #c62a2f; font-weight: 600; }}
.skipped, .unreached {{ color: #687076; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def _html(report: AuditReport) -> Iterator[str]:
    def safe(text: object) -> str:
        return html.escape(printable(str(text)))

    yield f"<h1>Audit of {safe(', '.join(map(_shown, report.targets)))}</h1>"
    yield "<table>"
    for name, value in _facts(report):
        yield f"<tr><th>{safe(name)}</th><td>{safe(value)}</td></tr>"
    yield "</table>"
    if report.failures:
        yield "<h2>What failed</h2>"
    for finding in report.failures:
        yield (
            f"<h3>{safe(finding.subject)}: {safe(finding.group)} “{safe(finding.check)}” "
            f'<span class="{finding.outcome.name.lower()}">{safe(finding.outcome)}</span></h3>'
        )
        yield f"<p>{safe(finding.statement)}</p>"
        lines = "\n".join(map(safe, [what(finding), *case_lines(finding)]))
        yield f"<pre>{lines}</pre>"
    yield "<h2>Every check</h2>"
    for one in report.reports:
        yield f"<h3>{safe(one.subject)}</h3>"
        yield "<table><tr><th>check</th><th></th><th>outcome</th><th>what</th></tr>"
        for finding in one:
            yield (
                f'<tr><td title="{safe(finding.statement)}">{safe(finding.check)}</td>'
                f"<td>{safe(finding.group)}</td>"
                f'<td class="{finding.outcome.name.lower()}">{safe(finding.outcome)}</td>'
                f"<td>{safe(what(finding))}</td></tr>"
            )
        yield "</table>"
