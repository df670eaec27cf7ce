import pytest
import torch

from rlrewards.kernels import library, parity
from rlrewards.kernels.registry import kernels as all_kernels

KERNELS = {kernel.name: kernel for kernel in all_kernels()}


@pytest.fixture(params=["plain", "interpreted"])
def way(request, monkeypatch):
    if request.param == "plain":
        monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    else:
        pytest.importorskip("triton", reason="its interpreter runs the programs")
        monkeypatch.setenv("TRITON_INTERPRET", "1")


def test_every_operator_has_a_row():
    mine = {name for kernel in KERNELS.values() for name in kernel.operators}
    assert mine == set(library.OPERATORS)


@pytest.mark.parametrize("name", KERNELS)
def test_parity_over_all_shapes_and_dtypes(way, name):
    kernel = KERNELS[name]
    for dtype in kernel.dtypes:
        for seed, shape in enumerate(kernel.shapes):
            inputs = kernel.make(shape, dtype, "cpu", seed)
            for part, error in parity.errors(kernel, inputs).items():
                assert error <= kernel.tolerance[dtype], (part, dtype, shape)


@pytest.mark.parametrize("name", KERNELS)
def test_nothing_is_left_unwritten(way, name, poisoned):
    kernel = KERNELS[name]
    shape = kernel.shapes[-1]
    inputs = kernel.make(shape, torch.float32, "cpu", 3)
    for part, error in parity.errors(kernel, inputs).items():
        assert error <= kernel.tolerance[torch.float32], part


@pytest.mark.parametrize("name", KERNELS)
def test_costs_are_counted(name):
    kernel = KERNELS[name]
    inputs = kernel.make(kernel.shapes[0], torch.float32, "cpu", 0)
    assert kernel.bytes_moved(inputs) > 0
    assert kernel.operations(inputs) >= 0
    assert kernel.bench_cpu
    assert kernel.bench_cuda


def test_an_unwritten_output_is_an_infinite_error():
    kernel = KERNELS["gae"]
    broken = parity.errors(
        type(kernel)(**{**vars(kernel), "fused": lambda **inputs: torch.full((5, 7), torch.nan)}),
        kernel.make((5, 7), torch.float32, "cpu", 0),
    )
    assert broken == {"output 0": float("inf")}
