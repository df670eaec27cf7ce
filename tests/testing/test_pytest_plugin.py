"""The pytest plugin, in suites of a few lines that run in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

SUITE = """
import pytest

def please(completions, **columns):
    return [float("please" in text) for text in completions]

def moody(completions, **columns):
    return [float(len(completions)) for text in completions]

def test_sound(check_reward):
    report = check_reward(please, laws=LAWS)
    assert report.seed == SEED

def test_faulty(check_reward):
    check_reward(moody, laws=LAWS)
"""
# Two laws are enough here, and quick.
HEAD = """
from rlrewards.testing.laws.every import inside_bounds, splitting_changes_nothing
LAWS = (inside_bounds, splitting_changes_nothing)
"""


@pytest.fixture
def suite(tmp_path):
    """Run pytest on the text of a test module; return status and output."""

    def run(text, *arguments):
        (tmp_path / "test_suite.py").write_text(text)
        (tmp_path / "pytest.ini").write_text("[pytest]\n")
        command = [sys.executable, "-W", "error", "-m", "pytest", "--strict-markers", "-W", "error"]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
        done = subprocess.run(
            [*command, "-p", "no:cacheprovider", *arguments, "test_suite.py"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        return done.returncode, done.stdout + done.stderr

    return run


def with_seed(seed):
    return HEAD + SUITE.replace("SEED", str(seed))


def test_the_entry_point_is_installed():
    (found,) = entry_points(group="pytest11", name="rlrewards")
    assert found.value == "rlrewards.testing.pytest_plugin"


def test_a_sound_reward_passes_and_a_faulty_one_shows_its_smallest_case(suite):
    status, out = suite(with_seed(0))
    assert status == 1
    assert "1 failed, 1 passed" in out
    lines = out[out.index("test_faulty ___") :].splitlines()
    assert lines[1:5] == [
        "moody: 2 checks, 1 failed, 0 skipped (seed 0)",
        "moody: law “splitting changes nothing” failed: scored [1.0] alone, [2.0] in a batch of 2",
        "  Splitting the batch changes nothing: anywhere for a pointwise reward, between prompts "
        "for a grouped one.",
        "  completion='', reference='4', token_ids=[], group='p'  → 2.0",
    ]
    assert "Traceback" not in out
    assert "pytest_plugin.py" not in out


def test_it_works_in_the_workers_of_xdist(suite):
    pytest.importorskip("xdist")
    status, out = suite(with_seed(4), "-n", "2", "--rlrewards-seed", "4")
    assert status == 1
    assert "1 failed, 1 passed" in out
    assert "(seed 4)" in out


EFFORT = """
import pytest
import rlrewards.testing

calls = []

@pytest.fixture(autouse=True)
def fake(monkeypatch):
    class Report:
        ok = True
    def check(subject, **options):
        calls.append(options)
        return Report()
    monkeypatch.setattr(rlrewards.testing, "check_reward", check)
    monkeypatch.setattr(rlrewards.testing, "check_objective", check)

def test_default(check_reward):
    check_reward(None, kind="format")
    assert calls.pop() == {"kind": "format", **OPTIONS}

@pytest.mark.rlrewards(examples=7, seed=8)
def test_marker(check_reward):
    check_reward(None)
    assert calls.pop() == {"examples": 7, "seed": 8}

@pytest.mark.rlrewards(seed=8)
class TestMarkedClass:
    def test_marker(self, check_objective):
        check_objective(None)
        assert calls.pop() == {**OPTIONS, "seed": 8}

    @pytest.mark.rlrewards(seed=9)
    def test_nearer_marker(self, check_reward):
        check_reward(None, examples=1)
        assert calls.pop() == {"examples": 1, "seed": 9}
"""


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((), {}),
        (("--rlrewards-seed=3", "--rlrewards-examples=5"), {"seed": 3, "examples": 5}),
    ],
)
def test_call_before_marker_before_option(suite, arguments, options):
    status, out = suite(EFFORT.replace("OPTIONS", str(options)), *arguments)
    assert status == 0, out
    assert "4 passed" in out


@pytest.mark.parametrize("marker", ["rlrewards(7)", "rlrewards(example=7)"])
def test_a_misspelt_marker_is_told(suite, marker):
    status, out = suite(
        "import pytest\n"
        f"@pytest.mark.{marker}\n"
        "def test_it(check_reward): pass\n"
    )  # fmt: skip
    assert status == 1
    assert "@pytest.mark.rlrewards takes examples= and seed=, got" in out


@pytest.mark.parametrize("option", ["--rlrewards-seed=-1", "--rlrewards-examples=0"])
def test_options_that_make_no_sense_are_refused(suite, option):
    status, out = suite("def test_it(): pass\n", option)
    assert status == pytest.ExitCode.USAGE_ERROR
    assert "invalid whole number of at least" in out


def test_without_hypothesis_the_remedy_is_told(suite):
    status, out = suite(
        "import importlib.util\n"
        "from rlrewards.testing import pytest_plugin\n"
        "def test_it(check_reward, monkeypatch):\n"
        "    monkeypatch.setattr(pytest_plugin, 'find_spec', lambda name: None)\n"
        "    check_reward(len)\n"
    )
    assert status == 1
    assert 'check_reward needs Hypothesis: pip install "rlrewards[testing]"' in out


UNUSED = """
import sys

def test_nothing_was_loaded():
    heavy = {"hypothesis", "numpy", "torch", "sympy", "rich", "typer", "rlrewards.testing.check"}
    assert not heavy & {*sys.modules}
"""


def test_unused_it_loads_nothing(suite):
    status, out = suite(UNUSED, "-p", "no:hypothesispytest", "-p", "no:anyio")
    assert status == 0, out


def test_it_can_be_switched_off(suite):
    status, out = suite("def test_it(check_reward): pass\n", "-p", "no:rlrewards")
    assert status == 1
    assert "fixture 'check_reward' not found" in out
    assert "rlrewards" not in suite("def test_it(): pass\n", "-p", "no:rlrewards", "--markers")[1]


def test_marker_and_fixtures_are_documented(suite):
    _, out = suite("def test_it(): pass\n", "--markers")
    assert "@pytest.mark.rlrewards(examples, seed)" in out
    _, out = suite("def test_it(): pass\n", "--fixtures", "-q")
    assert "`rlrewards.testing.check_reward`, which fails the test when a law is broken." in out
