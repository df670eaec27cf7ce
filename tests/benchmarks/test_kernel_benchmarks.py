"""The benchmarks of the kernels on shapes that take no time: the gate, the table, the picture."""

import json
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch

from rlrewards.kernels.registry import kernels

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
DAPO = next(kernel for kernel in kernels() if kernel.name == "linear_loss")


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    spec = spec_from_file_location("kernel_benchmarks", BENCHMARKS / "kernels.py")
    bench = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, bench)
    spec.loader.exec_module(bench)
    bench.SECONDS = 0.001
    return bench


def small(kernel, **changes):
    return type(kernel)(**{**vars(kernel), "bench_cpu": ((9, 3, 11),), **changes})


def test_a_kernel_gets_its_time(bench):
    best = bench.Limits(10.0, 0.1)
    lines = [*bench.measure(small(DAPO), (9, 3, 11), bench.Clock("cpu"))]
    assert [line.who for line in lines] == ["ours", "eager oracle"]
    assert all(line.ms > 0 and line.gigabytes > 0 and line.teraflops > 0 for line in lines)
    assert "9×3×11" in bench.shown(lines[0], best)


def test_a_kernel_that_is_wrong_gets_none(bench):
    wrong = small(DAPO, fused=lambda **inputs: 1.1 * DAPO.fused(**inputs))
    (line,) = bench.measure(wrong, (9, 3, 11), bench.Clock("cpu"))
    assert line.ms is None
    assert "too large" in line.note
    assert bench.small_gates(wrong, "cpu") > 1


def test_the_whole_command(bench, monkeypatch, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(bench, "kernels", lambda: [small(DAPO)])
    monkeypatch.setattr(bench, "limits", lambda clock: bench.Limits(10.0, 0.1))
    monkeypatch.setattr(sys, "argv", ["kernels.py", "--device", "cpu", "--out", str(tmp_path)])
    assert bench.main() == 0
    assert "linear_loss: parity" in capsys.readouterr().out
    assert (tmp_path / "kernels.png").stat().st_size > 0
    figures = json.loads((tmp_path / "kernels.json").read_text())
    assert figures["lines"][0]["kernel"] == "linear_loss"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU to measure")
@pytest.mark.parametrize("name", ["kernels.py", "linear.py", "gpu.py"])
def test_without_a_gpu_nothing_is_measured(name):
    settings = [] if name == "gpu.py" else ["--device", "cuda"]
    done = subprocess.run(
        [sys.executable, BENCHMARKS / name, *settings], capture_output=True, text=True, check=True
    )
    assert "no CUDA device" in done.stdout


@pytest.mark.slow
def test_the_linear_contenders_agree():
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "linear.py", "--quick", "--repeats", "1"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("linear_loss"))
    assert all(float(error) < 1e-4 for error in line.split()[-4:])
