"""Rows of metrics, the ends of a curve, pictures."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from examples.common import records


def test_rows(tmp_path: Path) -> None:
    path = tmp_path / "new" / "rows.jsonl"
    for step in range(1, 5):
        records.append_jsonl(path, {"step": step, "loss": math.nan if step == 2 else 0.5})
    assert [row["loss"] for row in records.read_jsonl(path)] == [0.5, None, 0.5, 0.5]
    records.keep_until(path, 2)
    assert [row["step"] for row in records.read_jsonl(path)] == [1, 2]
    records.keep_until(tmp_path / "none.jsonl", 2)


def test_moving_average() -> None:
    assert records.moving_average([1.0, 2.0, 3.0, 4.0], window=2) == [1.0, 1.5, 2.5, 3.5]


def test_ends_by_hand() -> None:
    # Fifths of 10: (0, 1) and (3, 4); variances ½ each, so √(½/2 + ½/2) = √½.
    found = records.ends([0.0, 1.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 3.0, 4.0])
    assert found["first"] == 0.5
    assert found["last"] == 3.5
    assert found["standard_error"] == pytest.approx(math.sqrt(0.5))
    assert found["rise_in_standard_errors"] == pytest.approx(3 / math.sqrt(0.5))
    assert records.ends([1.0] * 10)["rise_in_standard_errors"] == 0.0
    assert records.ends([0.0] * 5 + [1.0] * 5)["rise_in_standard_errors"] == math.inf


def test_pictures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    rows = [{"step": step, "reward": step / 10, "loss": None} for step in range(12)]
    records.draw(rows, ["loss", "none"], tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
    records.draw(rows, ["reward", "loss"], tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
