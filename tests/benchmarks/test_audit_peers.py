"""The audit of other libraries: what it must find in those that are installed, by general checks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")
pytest.importorskip("math_verify")

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "audit_peers.py"


def audited(out: Path, *arguments: str) -> dict[str, dict[str, Any]]:
    """Run the command, and return the findings by function and check."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--out", str(out), "--examples", "10", *arguments],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads((out / "audit.json").read_text())
    return {
        f"{finding['subject']}: {finding['check']}": finding
        for library in result["libraries"]
        for finding in library.get("findings", ())
    }


def checks(*names: str) -> list[str]:
    return [part for name in names for part in ("--check", name)]


def test_what_is_wrong_with_parameters_and_what_is_right(tmp_path: Path) -> None:
    found = audited(
        tmp_path, "--peer", "trl", "--function", "get_",
        *checks("refused when it is made", "constant beyond the limit"),
    )  # fmt: skip
    cosine, repetition, overlong = (
        "get_cosine_scaled_reward(max_len=100)",
        "get_repetition_penalty_reward(ngram_size=3)",
        "get_soft_overlong_punishment(100, 20)",
    )
    assert {name: one["outcome"] for name, one in found.items()} == {
        f"{cosine}: refused when it is made": "failed",
        f"{cosine}: constant beyond the limit": "passed",
        f"{repetition}: refused when it is made": "failed",
        f"{overlong}: refused when it is made": "failed",
        f"{overlong}: constant beyond the limit": "passed",
    }
    why = {name: one["why"].split("; ") for name, one in found.items()}
    division = "raised ZeroDivisionError: division by zero"
    assert f"with max_length=0: {division}" in why[f"{cosine}: refused when it is made"]
    assert f"with n=0: {division}" in why[f"{repetition}: refused when it is made"]
    assert (
        "with buffer=110: scored -0.0909091 for no token at all"
        in (why[f"{overlong}: refused when it is made"])
    )
    text = (tmp_path / "audit.md").read_text(encoding="utf-8")
    assert "ZeroDivisionError" in text
    assert str(ROOT) not in text + (tmp_path / "audit.json").read_text()


@pytest.mark.slow
def test_no_opinion_on_letters_words_and_expressions(tmp_path: Path) -> None:
    found = audited(
        tmp_path, "--peer", "trl", "--function", "accuracy_reward",
        *checks("an opinion on every usual reference"),
    )  # fmt: skip
    (finding,) = found.values()
    assert finding["outcome"] == "failed"
    assert finding["scores"] == [None, None]


def test_verification_is_not_symmetric_and_believes_false_equations(tmp_path: Path) -> None:
    found = audited(
        tmp_path, "--peer", "math-verify", "--function", "verify(parse(…), parse(…))",
        *checks("relations compare alike both ways", "a false equation is no answer"),
    )  # fmt: skip
    outcomes = {one["check"]: one["outcome"] for one in found.values()}
    assert outcomes == {
        "relations compare alike both ways": "failed",
        "a false equation is no answer": "failed",
    }


@pytest.mark.slow
def test_a_worker_thread_has_no_time_limit(tmp_path: Path) -> None:
    found = audited(
        tmp_path, "--peer", "trl", "--function", "accuracy_reward", "--patience", "10",
        *checks("bounded time in a thread"),
    )  # fmt: skip
    (finding,) = found.values()
    assert (finding["outcome"], finding["why"]) == ("stopped", "no answer within 10 s")


def test_what_cannot_be_had_is_left_out_with_the_reason(tmp_path: Path) -> None:
    assert audited(tmp_path, "--peer", "open-r1") == {}
    text = (tmp_path / "audit.md").read_text(encoding="utf-8")
    assert "the package registry has no open-r1; give --checkout open-r1=FOLDER" in text
