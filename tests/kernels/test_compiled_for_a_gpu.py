"""The interpreter accepts programs that the compiler does not; compiling needs no GPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

triton = pytest.importorskip("triton")

PTXAS = Path(triton.__file__).parent / "backends/nvidia/bin/ptxas"
PROGRAMS = {
    "gae": {"_composites", "_rows", "_scale", "_normalise"},
    "surrogate": {"_forward", "_backward"},
    "selective_logprob": {"_statistics", "_gradient"},
}

pytestmark = pytest.mark.skipif(
    not PTXAS.exists(), reason="this Triton brings no compiler for NVIDIA GPUs"
)


@pytest.mark.parametrize("effort", ["quick", pytest.param("every", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", PROGRAMS)
def test_what_is_launched_compiles(name, effort, tmp_path):
    script = Path(__file__).with_name("compile_programs.py")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", script, name, effort],
        env={**os.environ, "TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert set(done.stdout.split()) == PROGRAMS[name]
