"""Audit the rewards of other libraries with the laws and attacks of `rlrewards.testing`.

    python benchmarks/audit_peers.py [--peer NAME …] [--checkout NAME=FOLDER …] [--out FOLDER]

Each library is loaded in a process of its own, from the installed package, from its wheel on the
package registry (downloaded without dependencies into `build/peers`), or from a checkout that is
named; `benchmarks/peers/` has one module for each. The checks are told what a function is, its
parameters and how it is called, and nothing about where it might fail: they are the ones that any
reward gets. A check that brings a function to a halt is stopped and reported as such.

One table is printed: library and version, function, the law or attack that broke, the smallest case
that was found, and what it earned. With `--out` it is written as Markdown and, complete, as JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import strategies
from peers.peer import MODULES, load, use_checkouts
from peers.sources import Unavailable

from rlrewards.testing.attack import Attack, Trial
from rlrewards.testing.attacks import ATTACKS
from rlrewards.testing.findings import Finding, cut
from rlrewards.testing.law import Effort
from rlrewards.testing.laws import LAWS
from rlrewards.testing.running import run
from rlrewards.testing.subject import Subject

# Laws that hold rewards to the conventions of this library; others never promised these.
OURS_ALONE = ("inside bounds", "pickles", "same in another process")
SHOWN_CHARACTERS = 90
HEAD = ("library", "function", "law or attack that broke", "smallest case", "what it earned")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    checkouts = {name: Path(folder).resolve() for name, folder in options.checkout}
    if options.inside:
        return _inside(options, checkouts)
    libraries = []
    with ThreadPoolExecutor(options.jobs) as pool:
        for library in pool.map(partial(_outside, options=options), options.peer or MODULES):
            libraries.append(library)
            print(_summary(library), flush=True)
    result = {
        "date": time.strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "rlrewards": metadata.version("rlrewards"),
        "examples": options.examples,
        "seed": options.seed,
        "attack_seconds": options.attack_seconds,
        "patience_seconds": options.patience,
        "libraries": libraries,
    }
    result["libraries"] = libraries = _with_those_of_before(libraries, options)
    print("\n" + "\n\n".join(_plain(row) for row in _rows(libraries)))
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "audit.json").write_text(json.dumps(result, indent=1) + "\n")
        text = markdown(result).encode("utf-8", "backslashreplace").decode()
        (options.out / "audit.md").write_text(text, encoding="utf-8")
    return 0


def _with_those_of_before(
    libraries: list[dict[str, Any]], options: argparse.Namespace
) -> list[dict[str, Any]]:
    """Return the libraries with those that the output folder holds of an earlier run."""
    file = options.out / "audit.json" if options.out and options.peer else None
    before = json.loads(file.read_text())["libraries"] if file and file.exists() else []
    found = {library["name"]: library for library in (*before, *libraries)}
    return [found[name] for name in MODULES if name in found]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Audit the rewards of other libraries with rlrewards.testing."
    )
    parser.add_argument("--peer", action="append", choices=[*MODULES], metavar="NAME",
                        help=f"one of {', '.join(MODULES)}; all by default")  # fmt: skip
    parser.add_argument("--checkout", action="append", default=[], type=_named_folder,
                        metavar="NAME=FOLDER", help="a checkout of a library")  # fmt: skip
    parser.add_argument("--out", type=Path,
                        help="folder for audit.md and audit.json; with --peer what it holds of "
                        "other libraries is kept")  # fmt: skip
    parser.add_argument("--function", action="append", default=[], metavar="TEXT",
                        help="only functions whose name begins with this")  # fmt: skip
    parser.add_argument("--check", action="append", default=[], metavar="NAME",
                        help="only these laws and attacks")  # fmt: skip
    parser.add_argument("--examples", type=int, default=30, help="cases drawn for each law")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--patience", type=float, default=20.0, metavar="SECONDS",
                        help="a check that is silent for so long is stopped")  # fmt: skip
    parser.add_argument("--seconds", type=float, default=900.0,
                        help="when the audit of one library is to be over")  # fmt: skip
    parser.add_argument("--attack-seconds", type=float, default=20.0, metavar="SECONDS",
                        help="after these an attack tries nothing more")  # fmt: skip
    parser.add_argument("--jobs", type=int, default=1, help="libraries audited at a time")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _named_folder(text: str) -> tuple[str, str]:
    name, equals, folder = text.partition("=")
    if not equals or name not in MODULES:
        raise argparse.ArgumentTypeError(f"expected NAME=FOLDER, got {text!r}")
    return name, folder


# ---------------------------------------------------------------------------------------------
# One library


def _outside(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Audit a library in a process of its own, and return what it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "findings.jsonl"
        command = [sys.executable, str(Path(__file__).resolve()), "--inside", name,
                   "--file", str(file), "--examples", str(options.examples),
                   "--seed", str(options.seed), "--patience", str(options.patience),
                   "--seconds", str(options.seconds),
                   "--attack-seconds", str(options.attack_seconds)]  # fmt: skip
        for key, values in (("function", options.function), ("check", options.check)):
            command += [part for value in values for part in (f"--{key}", value)]
        for key, path in options.checkout:
            command += ["--checkout", f"{key}={Path(path).resolve()}"]
        # Libraries print much, and may leave files where they run.
        with open(Path(folder) / "printed", "w+", encoding="utf-8") as printed:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=printed, stderr=printed, cwd=folder,
                env={**os.environ, "HF_HUB_OFFLINE": "1"}, check=False,
            )  # fmt: skip
            printed.seek(0)
            last = printed.read().strip().splitlines()[-1:]
        lines = file.read_text().splitlines() if file.exists() else []
    if not lines:
        reason = f"its process ended with status {done.returncode}: {''.join(last)}"
        return {"name": name, "unavailable": _no_paths(reason)}
    library: dict[str, Any] = json.loads(lines[0])
    if "unavailable" not in library:
        library["findings"] = [json.loads(line) for line in lines[1:]]
    return library


def _inside(options: argparse.Namespace, checkouts: dict[str, Path]) -> int:
    """Audit a library in this process, and write each finding as it is made."""
    use_checkouts(checkouts)
    name = options.inside
    with open(options.file, "w", encoding="ascii") as file:

        def write(line: dict[str, Any]) -> None:
            file.write(json.dumps(line) + "\n")
            file.flush()

        try:
            peer = load(name, checkouts)
        except Unavailable as reason:
            write({"name": name, "unavailable": str(reason)})
            return 0
        chosen = [
            subject
            for subject in peer.subjects()
            if not options.function or subject.name.startswith(tuple(options.function))
        ]
        write({
            "name": name,
            "title": peer.title,
            "version": peer.version,
            "loaded_from": peer.loaded_from,
            "functions": [subject.name for subject in chosen],
            "left_out": [*peer.left_out],
        })  # fmt: skip
        _load_what_is_loaded_late()
        for finding in _findings(chosen, options):
            write(_shown(finding))
    return 0


def _load_what_is_loaded_late() -> None:
    """Make the first answer as fast as the next: a check is not to wait for imports."""
    hypothesis.find(strategies.lists(strategies.text()), bool)
    with contextlib.suppress(ImportError):
        from math_verify import parse, verify

        verify(parse("\\boxed{\\frac{1}{2}}"), parse("It is $x^2 = 4$, so 0.5."))


def _findings(subjects: Iterable[Subject], options: argparse.Namespace) -> Iterator[Finding]:
    attacks = [Bounded(attack, options.attack_seconds) for attack in ATTACKS]
    checks = [
        check
        for check in (*LAWS, *attacks)
        if check.name not in OURS_ALONE and (not options.check or check.name in options.check)
    ]
    jobs = [(subject, check) for subject in subjects for check in checks
            if check.applies_to(subject)]  # fmt: skip
    effort = Effort(examples=options.examples, seed=options.seed, patience_seconds=options.patience)
    ends = time.monotonic() + options.seconds
    for finding in run(jobs, effort, isolate=True):
        yield finding
        if time.monotonic() > ends:
            return


@dataclass(frozen=True)
class Bounded:
    """An attack that tries nothing more after some seconds: a slow verifier is asked for hours."""

    attack: Attack
    seconds: float
    group: str = "attack"

    @property
    def name(self) -> str:
        """A few words."""
        return self.attack.name

    @property
    def statement(self) -> str:
        """What should hold."""
        return self.attack.statement

    def applies_to(self, subject: Subject) -> bool:
        """Whether it is about rewards like this one."""
        return self.attack.applies_to(subject)

    def check(self, subject: Subject, effort: Effort) -> None:
        """Raise what the attack raises, of the trials for which there was time."""
        ends = time.monotonic() + self.seconds

        def trials(asked: Subject) -> Iterator[Trial]:
            for trial in self.attack.trials(asked):
                yield trial
                if time.monotonic() > ends:
                    return

        replace(self.attack, trials=trials).check(subject, effort)


def _shown(finding: Finding) -> dict[str, Any]:
    """Return a finding as JSON holds it: long texts cut, no local path."""
    fields = finding.to_dict()
    fields["why"] = _no_paths(fields["why"])
    for sample in fields["samples"]:
        for key, value in sample.items():
            if isinstance(value, str):
                sample[key] = cut(value)
            elif key == "token_ids":
                sample[key] = f"{len(value):,} ids" if len(value) > 40 else value
    return fields


def _no_paths(text: str) -> str:
    return re.sub(r"(?:/[\w.@+-]+){2,}", lambda match: match[0].rpartition("/")[2], text)


# ---------------------------------------------------------------------------------------------
# Tables


def _broken(library: dict[str, Any]) -> list[dict[str, Any]]:
    findings = library.get("findings", ())
    return [one for one in findings if one["outcome"] in ("failed", "stopped")]


def _summary(library: dict[str, Any]) -> str:
    if "unavailable" in library:
        return f"{library['name']}: left out: {library['unavailable']}"
    tried = [one for one in library["findings"] if one["outcome"] != "skipped"]
    return (
        f"{library['title']} {library['version']} ({library['loaded_from']}): "
        f"{len(library['functions'])} functions, {len(tried)} checks, "
        f"{len(_broken(library))} broken"
    )


def _rows(libraries: Iterable[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    for library in libraries:
        for finding in _broken(library):
            yield (
                f"{library['title']} {library['version']}",
                finding["subject"],
                f"{finding['group']}: {finding['check']}",
                _case(finding),
                finding["why"],
            )


def _case(finding: dict[str, Any]) -> str:
    """Return the samples of a finding on one line."""
    shown = []
    for sample, score in zip(
        finding["samples"], [*finding["scores"], *[None] * len(finding["samples"])], strict=False
    ):
        parts = [_short(repr(sample["completion"]))]
        if "reference" in sample:
            parts.append(f"reference {_short(repr(sample['reference']))}")
        ids = sample.get("token_ids")
        if ids is not None:
            count = ids.split()[0] if isinstance(ids, str) else len(ids)
            parts.append(f"{count} tokens")
        shown.append(", ".join(parts) + (f" → {score:g}" if score is not None else ""))
    if len(shown) > 3:
        shown[2:] = [f"… ({len(shown)} samples)"]
    return "; ".join(shown)


def _short(text: str) -> str:
    if len(text) <= SHOWN_CHARACTERS:
        return text
    half = SHOWN_CHARACTERS // 2 - 2
    return f"{text[:half]} … {text[-half:]}"


def _plain(row: tuple[str, ...]) -> str:
    library, function, check, case, earned = row
    text = f"{library} | {function} | {check}\n    {case}\n    {earned}"
    return text.encode("utf-8", "backslashreplace").decode()


def markdown(result: dict[str, Any]) -> str:
    """Return the whole result as Markdown."""
    lines = [
        "# What the audit finds in the rewards of other libraries",
        "",
        f"`python benchmarks/audit_peers.py`, {result['date']}, Python {result['python']}, "
        f"{result['examples']} examples for each law, seed {result['seed']}, "
        f"{result['attack_seconds']:g} s for each attack; a check that is silent for "
        f"{result['patience_seconds']:g} s is stopped. Every function got "
        "the checks of its kind; none was written for a library. A broken law says that a property "
        "does not hold, not that it was promised.",
        "",
        *(f"- {_summary(library)}" for library in result["libraries"]),
        "",
    ]
    for library in result["libraries"]:
        if "unavailable" in library:
            continue
        lines += [f"## {library['title']} {library['version']}", "",
                  f"Loaded from {library['loaded_from']}."]  # fmt: skip
        if library["left_out"]:
            lines.append(f"Not audited: {'; '.join(library['left_out'])}.")
        lines += ["", f"| {' | '.join(HEAD[1:])} |", "| --- " * len(HEAD[1:]) + "|"]
        lines += [f"| {' | '.join(map(_cell, row[1:]))} |" for row in _rows([library])]
        passed = sorted({one["subject"] for one in library["findings"]}
                        - {one["subject"] for one in _broken(library)})  # fmt: skip
        if passed:
            lines += ["", f"Nothing broken: {', '.join(passed)}."]
        lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
    return re.sub(r"([\\`*_$])(?!\|)", r"\\\1", escaped).replace("\n", " ")


def _load_again() -> None:
    """Load the library in a process that it started itself, where its modules are to be found."""
    options = _options(sys.argv[1:])
    with contextlib.suppress(Unavailable):
        load(options.inside, {name: Path(folder) for name, folder in options.checkout})


if __name__ == "__main__":
    sys.exit(main())
elif __name__ == "__mp_main__" and "--inside" in sys.argv:
    _load_again()
