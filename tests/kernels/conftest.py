"""What the tests of the kernels share."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

collect_ignore = ["compile_programs.py"]  # a script: it needs Triton, and no interpreter of it


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fresh memory holds NaN, or the largest integer: a cell that a kernel forgets shows."""
    monkeypatch.setattr(torch, "empty", _poison(torch.empty))
    monkeypatch.setattr(torch, "empty_like", _poison(torch.empty_like))
    monkeypatch.setattr(Tensor, "new_empty", _poison(Tensor.new_empty))


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """CPU tensors run through plain torch, as they do for a user."""
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)


def _poison(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def made(*args: object, **settings: object) -> Tensor:
        x = make(*args, **settings)
        if x.is_floating_point() or x.is_complex():
            return x.fill_(torch.nan)
        return x.fill_(True if x.dtype == torch.bool else torch.iinfo(x.dtype).max)

    return made
