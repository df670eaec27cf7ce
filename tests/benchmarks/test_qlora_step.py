"""The step of a model in NF4, at a size that runs anywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("bitsandbytes")
pytest.importorskip("peft")
torch = pytest.importorskip("torch")

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "qlora_step.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True,
        env=environment | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip


def test_a_small_shape_takes_steps(tmp_path: Path) -> None:
    small = ("--layers", "1", "--hidden", "32", "--prompt", "4", "--completion", "4")
    done = run(*small, "--steps", "2", "--generate", "--out", str(tmp_path / "step.json"))
    assert done.returncode == 0, done.stderr
    assert "K 3, 4 + 4 tokens" in done.stdout
    found = json.loads((tmp_path / "step.json").read_text(encoding="utf-8"))
    assert len(found["seconds"]) == 2
    assert found["sampling_seconds"] > 0


def test_the_full_shape_asks_for_a_gpu() -> None:
    done = run()
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("try --layers 2 --hidden 64")
