"""The command behind `make test-adapters`, with pip and pytest replaced."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest

PATH = Path(__file__).parent / "real" / "run.py"


@pytest.fixture
def run(monkeypatch, tmp_path):
    spec = importlib.util.spec_from_file_location("run_adapters", PATH)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "PLACE", tmp_path)
    monkeypatch.setattr(module.venv, "create", lambda folder, **_: folder.mkdir(parents=True))
    return module


def pretend(module, monkeypatch, *, pip=0, output="", report=""):
    """Let pip end so, and pytest write this report; return the commands that were run."""
    commands = []

    def done(command):
        commands.append(command)
        if "pip" in command:
            return CompletedProcess(command, pip, stdout=output)
        for option in command:
            if option.startswith("--junitxml=") and report:
                Path(option.split("=", 1)[1]).write_text(report)
        return CompletedProcess(command, 0, stdout="1.2.3\n" if "-c" in command else "said")

    monkeypatch.setattr(module, "run", done)
    return commands


def report(tests, failures=0, errors=0, skipped=0):
    counts = f'tests="{tests}" failures="{failures}" errors="{errors}" skipped="{skipped}"'
    return f"<testsuites><testsuite {counts}/></testsuites>"


def test_every_file_of_tests_is_there_and_belongs_to_an_environment(run):
    listed = {PATH.parents[1] / name for one in run.ENVIRONMENTS for name in one.tests}
    assert all(path.exists() for path in listed)
    assert {*PATH.parent.glob("test_*.py")} <= listed


def test_a_run_ends_in_a_table(run, monkeypatch, capsys):
    pretend(run, monkeypatch, report=report(5, skipped=1))
    assert run.main(["verl", "skyrl"]) == 0
    lines = capsys.readouterr().out.splitlines()[-3:]
    assert [line.split() for line in lines] == [
        ["trainer", "version", "installed", "tests"],
        ["verl", "1.2.3", "yes", "4", "passed"],
        ["skyrl", "1.2.3", "yes", "4", "passed"],
    ]


def test_a_failing_test_fails_the_run_and_is_shown(run, monkeypatch, capsys):
    pretend(run, monkeypatch, report=report(5, failures=1, errors=1))
    assert run.main(["verl"]) == 1
    out = capsys.readouterr().out
    assert "3 passed, 2 failed" in out
    assert "said" in out


@pytest.mark.parametrize("text", ["", report(3, skipped=3)])
def test_tests_that_did_not_run_fail_the_run(run, monkeypatch, text):
    pretend(run, monkeypatch, report=text)
    assert run.main(["verl"]) == 1


def test_what_cannot_be_installed_is_told(run, monkeypatch, capsys):
    pretend(run, monkeypatch, pip=1, output="...\nERROR: No matching distribution for verl\n")
    assert run.main(["verl"]) == 1  # nothing ran at all
    assert "no: ERROR: No matching distribution for verl" in capsys.readouterr().out


def test_an_environment_that_cannot_be_made_is_told_and_the_others_run(run, monkeypatch, capsys):
    pretend(run, monkeypatch, report=report(1))

    def create(folder, **_):
        if folder.name == "verl":
            raise OSError("No space left on device")
        folder.mkdir(parents=True)

    monkeypatch.setattr(run.venv, "create", create)
    assert run.main(["verl", "skyrl"]) == 0
    verl, skyrl = capsys.readouterr().out.splitlines()[-2:]
    assert "no: No space left on device" in verl
    assert "1 passed" in skyrl


def test_an_environment_is_used_again_until_what_it_installs_changes(run, monkeypatch):
    commands = pretend(run, monkeypatch, report=report(1))
    monkeypatch.setattr(run.venv, "create", lambda folder, **_: folder.mkdir(exist_ok=True))

    def installs(*arguments):
        commands.clear()
        assert run.main([*arguments]) == 0
        return [command[6:] for command in commands if "pip" in command]

    root = str(run.ROOT)
    first = [["pytest", "--editable", root, "aiohttp", "torch==1"], ["--no-deps", "openrlhf"]]
    assert installs("openrlhf", "--torch", "torch==1") == first
    assert installs("openrlhf", "--torch", "torch==1") == []
    assert installs("openrlhf", "--torch", "torch==2") != []


def test_unknown_names_are_told(run, capsys):
    with pytest.raises(SystemExit):
        run.main(["rllib"])
    assert "unknown: rllib; there are verl" in capsys.readouterr().err
