"""Where there is no GPU, Triton programs run in its interpreter; it reads this at its import."""

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec("triton") and not Path("/dev/nvidia0").exists():
    os.environ.setdefault("TRITON_INTERPRET", "1")


@pytest.fixture
def plain_kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Kernels as they are without a GPU, not in Triton's interpreter; threads as they were."""
    import torch

    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
