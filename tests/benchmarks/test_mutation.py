"""The mutants of a source file, and a slice of the run that counts how many the laws kill."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork")


def _load(name):
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


mutants = _load("mutants").mutants

SOURCE = '''
"""Docstring 1."""

def score(n: int = 3) -> float:
    """Docstring 2."""
    if not n or n < 2 and n != 7:
        raise ValueError(f"{n + 1} is wrong")
    check(n)
    return max(-n, len(sorted(names)[1:]))
'''


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("changed constant", "def score(n: int=3) -> float:", "def score(n: int=4) -> float:"),
        ("shifted comparison", "n < 2 and", "n <= 2 and"),
        ("flipped", "n < 2 and", "n > 2 and"),
        ("flipped", "n != 7", "n == 7"),
        ("and for or", "n < 2 and n != 7", "(n < 2 or n != 7)"),
        ("dropped not", "not n", "n"),
        ("dropped check", "raise ValueError(f'{n + 1} is wrong')", "pass"),
        ("dropped call", "check(n)", "pass"),
        ("min for max", "max(", "min("),
        ("dropped minus", "-n", "n"),
        ("hash order", "sorted(names)", "list(reversed(list(names)))"),
        ("dropped slice", "sorted(names)[1:]", "sorted(names)"),
        ("forgotten value", "return max(-n, len(sorted(names)[1:]))", "return None"),
    ],
)
def test_each_kind_of_change(kind, before, after):
    found = [m for m in mutants(SOURCE) if m.kind == kind]
    assert any(before in m.before and after in m.after for m in found), [m.key for m in found]


def test_words_and_annotations_are_left_alone():
    for mutant in mutants(SOURCE):
        assert "Docstring 1." in mutant.source
        assert "Docstring 2." in mutant.source
        assert "is wrong" in mutant.source or mutant.kind == "dropped check"
        assert mutant.before != mutant.after
        compile(mutant.source, "mutant", "exec")


def test_every_mutant_is_another_program():
    sources = [mutant.source for mutant in mutants(SOURCE)]
    assert len({*sources}) == len(sources)


def test_a_slice_of_the_run(tmp_path):
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "mutation.py"), "--only", "rewards/soft_overlong.py",
         "--every", "6", "--examples", "15", "--workers", "1", "--out", str(tmp_path)],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    found = json.loads((tmp_path / "mutation.json").read_text(encoding="utf-8"))
    tally = found["files"]["rewards/soft_overlong.py"]
    assert tally["killed"] >= 4, done.stdout + done.stderr
    assert all(one["why"] for one in found["survivors"]), found["survivors"]
    assert done.returncode == 0


def test_a_folder_that_goes_away_is_seen_by_the_last_control(tmp_path, monkeypatch):
    """Of every mutant that is left such a run would count something that it is not."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    mutation = _load("mutation")
    assert mutation.not_surviving(["rewards/correctness.py"], 1) == ""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    told = mutation.not_surviving(["rewards/correctness.py"], 1)
    assert told.startswith("rewards/correctness.py, unchanged, is ")
