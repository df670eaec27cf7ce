"""Run the adapters under their own trainers, each in an environment of its own.

    python tests/adapters/real/run.py                # all of them, then a table
    python tests/adapters/real/run.py verl skyrl     # some

Environments stand in build/adapters and are used again until what they install changes; a trainer
that cannot be installed is a line in the table, with the reason. Exit status 1: a test failed, or
nothing could be installed. Read `ENVIRONMENTS` for what each installs, and why not more.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import venv
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
PLACE = ROOT / "build" / "adapters"
PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check", "install")


@dataclass(frozen=True)
class Environment:
    """What an adapter is tested in.

    Attributes:
        name: Name of the adapter and of the environment.
        packages: What is installed with all that it asks for; "torch" is the build of `--torch`.
        alone: What is installed after that, without what it asks for.
        shown: The package whose version the table tells; "" where there is none to install.
        tests: Files of tests, from tests/adapters.
        within: The environment to use, where it is another's.
        remark: What is to be known of the line.
    """

    name: str
    packages: tuple[str, ...]
    shown: str
    tests: tuple[str, ...]
    alone: tuple[str, ...] = ()
    within: str = ""
    remark: str = ""


ENVIRONMENTS = (
    Environment("verl", ("verl", "torch"), "verl", ("real/test_real_verl.py",)),
    Environment("ms_swift", ("ms-swift", "torch"), "ms-swift", ("real/test_real_ms_swift.py",)),
    Environment(
        "openrlhf",
        ("aiohttp", "torch"),
        "openrlhf",
        ("real/test_real_openrlhf.py",),
        alone=("openrlhf",),
        remark="rollout code alone: the rest asks for flash-attn, DeepSpeed and vLLM",
    ),
    Environment("verifiers", ("verifiers",), "verifiers", ("real/test_real_verifiers.py",)),
    Environment(
        "prime_rl",
        ("verifiers",),
        "",
        ("real/test_real_verifiers.py", "test_verifiers.py"),
        within="verifiers",
        remark="not on PyPI: under verifiers, whose environments it trains on",
    ),
    Environment("skyrl", ("skyrl-gym",), "skyrl-gym", ("real/test_real_skyrl.py",)),
    Environment(
        "nemo_rl",
        ("ray", "torch"),
        "",
        ("test_nemo_rl.py", "real/test_real_nemo_rl.py"),
        remark="a placeholder on PyPI: against its interfaces, as a Ray actor",
    ),
)


@dataclass(frozen=True)
class Line:
    """A line of the table."""

    name: str
    version: str
    installed: str
    tests: str
    failed: bool = False
    remark: str = ""


def main(argv: list[str] | None = None) -> int:
    """Run the command line."""
    names = [environment.name for environment in ENVIRONMENTS]
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--torch", default="torch", help="requirement for torch (%(default)s)")
    options = parser.parse_args(argv)
    unknown = set(options.names) - set(names)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    chosen = [one for one in ENVIRONMENTS if not options.names or one.name in options.names]
    lines = [ran(environment, options.torch) for environment in chosen]
    print(table(lines))
    nothing = all(line.tests == "-" for line in lines)
    return int(nothing or any(line.failed for line in lines))


def ran(environment: Environment, torch: str) -> Line:
    """Install, test, and return the line of one environment."""
    started = time.monotonic()
    print(f"{environment.name}: installing ...", flush=True)
    python, problem = installed(environment, torch)
    if problem:
        return Line(environment.name, "-", problem, "-", remark=environment.remark)
    print(f"{environment.name}: testing ({time.monotonic() - started:.0f} s) ...", flush=True)
    passed, failed, told = tested(environment, python)
    if failed:
        print(told)
    counts = f"{passed} passed" + (f", {failed} failed" if failed else "")
    return Line(
        environment.name,
        version(python, environment.shown) if environment.shown else "-",
        ("--no-deps" if environment.alone else "yes") if environment.shown else "no",
        counts,
        failed=bool(failed) or not passed,
        remark=environment.remark,
    )


def installed(environment: Environment, torch: str) -> tuple[Path, str]:
    """Return the interpreter of an environment, and why it could not be made, or ""."""
    folder = PLACE / (environment.within or environment.name)
    python = folder / "bin" / "python"
    packages = [torch if package == "torch" else package for package in environment.packages]
    wanted = "\n".join([*packages, "--no-deps", *environment.alone])
    note = folder / ".installed"
    if note.exists() and note.read_text() == wanted:
        return python, ""
    try:
        venv.create(folder, with_pip=True, clear=True)
    except (OSError, subprocess.CalledProcessError) as error:
        return python, f"no: {error}"[:120]
    steps = [["pytest", "--editable", str(ROOT), *packages]]
    if environment.alone:
        steps.append(["--no-deps", *environment.alone])
    for step in steps:
        done = run([str(python), *PIP, *step])
        if done.returncode:
            return python, reason(done.stdout)
    note.write_text(wanted)
    return python, ""


def tested(environment: Environment, python: Path) -> tuple[int, int, str]:
    """Return how many tests passed and failed, and what pytest said."""
    report = PLACE / f"{environment.name}.xml"
    report.unlink(missing_ok=True)
    files = [str(HERE.parent / name) for name in environment.tests]
    # The warnings of trainers are not ours to mend.
    options = [
        "-q",
        "-o",
        "filterwarnings=default",
        "-p",
        "no:cacheprovider",
        f"--junitxml={report}",
    ]
    done = run([str(python), "-m", "pytest", *options, *files])
    if not report.exists():
        return 0, 1, done.stdout
    [suite] = ElementTree.parse(report).getroot().iter("testsuite")
    total, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
    failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    return total - skipped - failed, failed, done.stdout


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command in the repository, its output and errors in one text."""
    return subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def reason(output: str) -> str:
    """Return the last error of pip."""
    errors = [line for line in output.splitlines() if line.lower().startswith("error")]
    return f"no: {(errors or output.splitlines() or ['?'])[-1]}"[:120]


def version(python: Path, package: str) -> str:
    """Return the version of a package in an environment, "?" where it cannot be told."""
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    done = run([str(python), "-c", code])
    return "?" if done.returncode else done.stdout.strip()


def table(lines: list[Line]) -> str:
    """Return the lines as a table."""
    rows = [("trainer", "version", "installed", "tests", "")]
    rows += [(one.name, one.version, one.installed, one.tests, one.remark) for one in lines]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


if __name__ == "__main__":
    sys.exit(main())
