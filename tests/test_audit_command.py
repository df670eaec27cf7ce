"""`rlrewards audit`: what it prints, writes and returns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rlrewards import audit_command, cli

MODULE = """
import time
def sound(batch): return [1.0 for _ in batch]
def counts(batch): return [float(len(batch)) for _ in batch]
def hangs(batch):
    while batch: time.sleep(0.1)
    return []
def trl(completions, **columns): return [float(len(completions)) for _ in completions]
def verify(answer, reference): return True
"""
STACK = """
[rewards.think]
type = "ThinkFormat"
[rewards.again]
type = "ThinkFormat"
"""
QUICK = ("--only", "finite-or-none, inside bounds", "--examples", "5")
SPLITTING = ("--only", "splitting changes nothing")


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delenv(cli.TRACEBACK_VARIABLE, raising=False)
    monkeypatch.setattr(audit_command, "SECONDS_BETWEEN_LINES", 1e9)  # however slow the machine
    Path("audited.py").write_text(MODULE)
    Path("stack.toml").write_text(STACK)


@pytest.fixture
def rlrewards(capsys):
    """Run the command; return its exit status, standard output and standard error."""

    def run(*arguments):
        status = cli.main(["audit", *map(str, arguments)])
        return status, *capsys.readouterr()

    return run


def test_a_sound_stack_is_shown_part_by_part(rlrewards):
    status, out, err = rlrewards("stack.toml", *QUICK)
    assert (status, err) == (0, "")
    rows = [line.split() for line in out.splitlines() if line.strip()]
    assert [row[0] for row in rows if row[1:] == ["outcome", "what"]] == ["stack", "stack.think"]
    assert rows.count(["finite", "or", "none", "law", "passed"]) == 2
    assert rows.count(["inside", "bounds", "law", "passed"]) == 2
    assert rows[-1][:7] == ["2", "rewards,", "4", "checks:", "4", "passed,", "0"]


def test_a_fault_shows_its_smallest_case_and_what_it_earned(rlrewards):
    status, out, err = rlrewards("audited:counts", "audited.py:sound", *SPLITTING)
    assert (status, err) == (1, "")
    assert "failed: scored [1.0] alone, [2.0] in a batch of 2" in out
    assert "law “splitting changes nothing”: Splitting the batch changes nothing" in out
    assert out.count("completion=''") == 2
    assert "→ 2.0" in out
    assert "2 rewards, 2 checks: 1 passed, 1 failed" in out


def test_quiet_shows_only_what_failed(rlrewards):
    status, out, err = rlrewards("audited:sound", "audited:counts", *SPLITTING, "--quiet")
    assert (status, err) == (1, "")
    assert "passed" not in out.splitlines()[0]
    assert "sound" not in out
    status, out, _ = rlrewards("audited:sound", *SPLITTING, "--quiet")
    assert status == 0
    assert out.startswith("1 reward, 1 checks: 1 passed, 0 failed (")


def test_a_hang_is_a_failure_with_its_input(rlrewards):
    status, out, _ = rlrewards(
        "audited:hangs", "--only", "same in an event loop", "--patience-seconds", "1"
    )
    assert status == 1
    assert "stopped: no answer within 1 s" in out
    assert "completion='<think>2 + 2" in out


def test_what_was_not_reached_is_said_and_is_no_failure(rlrewards):
    status, out, _ = rlrewards("audited:hangs", *QUICK, "--seconds", "8")
    assert status == 0
    assert "still running after the 8 s for all checks" in out
    assert "1 reward, 2 checks: 0 passed, 0 failed, 2 not reached" in out


def test_reports_are_written(rlrewards):
    arguments = ("audited:counts", *SPLITTING, "--json", "a.json", "--report", "a.html")
    status, out, _ = rlrewards(*arguments, "--seed", "3")
    assert status == 1
    assert out.endswith("written: a.json\nwritten: a.html\n")
    found = json.loads(Path("a.json").read_text())
    assert (found["ok"], found["seed"], found["targets"]) == (False, 3, ["audited:counts"])
    assert found["findings"][0]["why"] == "scored [1.0] alone, [2.0] in a batch of 2"
    page = Path("a.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "in a batch of 2" in page
    rlrewards(*arguments[:3], "--report", "a.md")
    assert Path("a.md").read_text().startswith("# Audit of `audited:counts`\n")


def test_the_same_seed_gives_the_same_findings(rlrewards):
    found = []
    for _ in range(2):
        rlrewards("audited:counts", *SPLITTING, "--seed", "5", "--json", "a.json")
        findings = json.loads(Path("a.json").read_text())["findings"]
        found.append([{**one, "seconds": 0} for one in findings])
    assert found[0] == found[1]


def test_kinds_facts_and_signature(rlrewards):
    status, out, _ = rlrewards("audited:verify", "--kind", "verifier", "--list")
    assert status == 0
    status, out, err = rlrewards(
        "rlrewards.presets:dapo", "--fact", "max_length=100", "--fact", "buffer=20", *QUICK
    )
    assert (status, err) == (0, "")
    assert "dapo.overlong" in out
    status, out, _ = rlrewards("audited:trl", "--signature", "trl", *SPLITTING)
    assert status == 1


def test_rows_of_a_file(rlrewards):
    rows = [{"text": "A: 4", "gold": "4", "right": 1}, {"text": "A: 5", "gold": "4", "right": 0}]
    Path("a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + "nonsense\n")
    columns = ("--completion-column", "text", "--reference-column", "gold")
    status, out, err = rlrewards(
        *("rlrewards:Accuracy", "--only", "data", "--data", "a.jsonl", *columns),
        *("--label-column", "right", "--json", "a.json"),
    )
    assert status == 0
    assert err == "a.jsonl: line 3: not JSON: Expecting value at character 1\n"
    assert "a right one scores above a wrong one in 100.0% of 1 × 1 pairs" in " ".join(out.split())
    assert "data: a.jsonl: 2 rows, 1 broken" in out
    data = json.loads(Path("a.json").read_text())["data"]
    assert (data["rows"], data["labelled"], len(data["broken"])) == (2, 2, 1)


def test_many_broken_rows_are_counted(rlrewards):
    Path("a.jsonl").write_text('{"completion": "4"}\n' + "x\n" * 12)
    _, _, err = rlrewards("audited:sound", "--only", "data", "--data", "a.jsonl")
    assert err.count("not JSON") == 10
    assert "… and 2 more broken rows" in err


def test_the_list(rlrewards):
    status, out, _ = rlrewards("--list")
    assert status == 0
    assert "law “finite or none”\n    A score is a finite number or None, and never −0." in out
    assert "attack “" in out
    assert "\nkinds:\n    pointwise: a score depends" in out
    _, out, _ = rlrewards("--list", "--only", "finite_or_none")
    assert out.count("law “") == 1


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "nothing to audit; name STACK.toml or module:function"),
        (("nothing",), "nothing: expected STACK.toml, module:function or path/file.py:function"),
        (("nowhere.toml",), "nowhere.toml: No such file or directory"),
        (("audited:nope",), "audited:nope: audited has no 'nope'"),
        (("audited:sound", "--kind", "nope"), "no kind of reward is called 'nope'"),
        (("audited:sound", "--fact", "nope"), "--fact nope: expected NAME=VALUE"),
        (("audited:sound", "--fact", "3=4"), "--fact 3=4: expected NAME=VALUE"),
        (("audited:sound", "--signature", "nope"), "signature='nope'; allowed: rlrewards, trl"),
        (("audited:sound", "--only", "nope"), "no law or attack is called 'nope'"),
        (("audited:sound", "--seconds", "0"), "seconds=0.0, expected more than 0"),
        (("audited:sound", "--examples", "0"), "Invalid value for '--examples'"),
        (("audited:sound", "--seed", "-1"), "Invalid value for '--seed'"),
        (("audited:sound", "--report", "a.pdf"), "a.pdf: unknown suffix '.pdf'"),
        (("audited:sound", "--report", "no/a.md"), "no/a.md: there is no folder"),
        (("audited:sound", "--json", "."), ".: is a folder"),
        (("audited:sound", "--data", "nowhere.jsonl"), "nowhere.jsonl: No such file"),
        (("audited:sound", "--group-column", "g"), "columns are those of a file; name it with"),
        (("audited:sound", "--only", "data"), "none of the 0 chosen checks applies to sound"),
    ],
)
def test_a_wrong_call_is_one_line(rlrewards, arguments, why):
    status, out, err = rlrewards(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"rlrewards: {why}")
    assert err.count("\n") == 1


def test_without_hypothesis_the_remedy_is_told(rlrewards, monkeypatch):
    monkeypatch.setattr(audit_command, "find_spec", lambda name: None)
    status, _, err = rlrewards("audited:sound")
    assert status == 2
    assert err == 'rlrewards: an audit needs Hypothesis: pip install "rlrewards[testing]"\n'


def test_the_command_line_loads_nothing_for_audits_it_does_not_do():
    code = "import sys, rlrewards.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {*done.stdout.split()}
    assert "rlrewards.audit_command" in loaded
    assert not {name for name in loaded if name.startswith(("hypothesis", "rlrewards.testing"))}


@pytest.mark.skipif(os.name == "nt", reason="sends an interrupt")
def test_ctrl_c_leaves_a_partial_report():
    arguments = ("audited:sound", "audited:hangs", *QUICK, "--quiet", "--json", "a.json")
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "rlrewards", "audit", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    ends = time.monotonic() + 60
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not (children.exists() and children.read_text().split()) and time.monotonic() < ends:
        time.sleep(0.1)
    child = int(children.read_text().split()[0])
    time.sleep(2)
    process.send_signal(2)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    assert "interrupted: " in out
    assert json.loads(Path("a.json").read_text())["interrupted"] is True
    assert not Path(f"/proc/{child}").exists()


def test_progress_is_told_now_and_then(rlrewards, monkeypatch):
    monkeypatch.setattr(audit_command, "SECONDS_BETWEEN_LINES", 0.0)
    _, _, err = rlrewards("audited:sound", *QUICK)
    assert err == "1 of 2 checks\n2 of 2 checks\n"
    _, _, err = rlrewards("audited:sound", *QUICK, "--quiet")
    assert err == ""


def test_on_a_terminal_a_bar_is_drawn(rlrewards, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    status, out, _ = rlrewards("audited:sound", *QUICK)
    assert status == 0
    assert "2 passed" in out
