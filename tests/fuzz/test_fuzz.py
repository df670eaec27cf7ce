"""A short slice of the fuzzing: the same cases every time."""

from __future__ import annotations

import importlib.util
import random
import subprocess
import sys
from pathlib import Path

import fuzz_verify
import pytest
from laws import LAWS, BrokenLawError, check, require
from mutator import SEPARATOR, Case, decode, encode, mutate

from rlrewards.verify import isolate

HERE = Path(__file__).parent


@pytest.fixture
def no_workers(monkeypatch):
    def not_asked(request, *, budget_seconds):
        return isolate.Reply(failure="not asked")

    monkeypatch.setattr(isolate, "call", not_asked)


def test_any_bytes_are_a_case():
    for data in (b"", b"\xff\xfe", b"\x1e" * 9, bytes(range(256)), b"5\x1e5"):
        assert len(decode(data)) == 3
    assert decode(encode(Case("1", "2", "3"))) == Case("1", "2", "3")
    assert SEPARATOR not in "".join(decode(b"\x1e\x1e\x1e5"))


def test_changes_are_reproducible():
    first, second = (mutate(b"1\x1e2\x1e3", random.Random(7)) for _ in range(2))
    assert first == second


def test_a_broken_law_names_the_case():
    with pytest.raises(BrokenLawError, match="x is x.*secret"):
        require(False, "x is x", "secret")


@pytest.mark.usefixtures("no_workers")
@pytest.mark.parametrize("target", sorted(LAWS))
def test_the_seeds_keep_the_laws(target):
    for data in fuzz_verify.seed_cases():
        check(decode(data), target)


@pytest.mark.usefixtures("no_workers")
def test_random_changes():
    assert fuzz_verify.at_random(runs=2_000, seconds=8.0, seed=20) > 100


@pytest.mark.usefixtures("no_workers")
@pytest.mark.slow
def test_many_random_changes():
    assert fuzz_verify.at_random(runs=100_000, seconds=240.0, seed=21) > 5_000


@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="needs atheris: pip install atheris"
)
def test_guided_by_coverage(tmp_path):
    command = [sys.executable, str(HERE / "fuzz_verify.py"), "--runs", "400", "--seconds", "8"]
    done = subprocess.run(
        [*command, "--corpus", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    assert [*tmp_path.iterdir()], "nothing was learnt: is anything instrumented?"
