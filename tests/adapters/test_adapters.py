"""What holds for every adapter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import rlrewards as rr

ADAPTERS = sorted((Path(rr.__file__).parent / "adapters").glob("[a-z]*.py"))
HEAVY = "torch numpy ray verl swift openrlhf verifiers skyrl_gym nemo_rl trl transformers".split()


@pytest.mark.parametrize("path", ADAPTERS, ids=lambda path: path.stem)
def test_importing_an_adapter_loads_no_trainer(path):
    code = f"import sys, rlrewards.adapters.{path.stem}; print(*(m for m in sys.modules if '.' not in m))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {*loaded.stdout.split()} & {*HEAVY}
