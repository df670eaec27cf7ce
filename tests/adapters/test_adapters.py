"""What holds for every adapter."""

from __future__ import annotations

import importlib
import re
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


@pytest.mark.parametrize("path", ADAPTERS, ids=lambda path: path.stem)
def test_every_public_name_is_documented_and_in_the_changelog(path):
    module = importlib.import_module(f"rlrewards.adapters.{path.stem}")
    root = Path(__file__).parents[2]
    pages = "".join(
        (root / "docs" / f"{name}.md").read_text() for name in ("trainers", "reference")
    )
    changelog = (root / "CHANGELOG.md").read_text()
    assert module.__doc__
    for name in getattr(module, "__all__", ()):
        assert re.search(rf"\b{name}\b", pages), f"{name} is not in docs"
        assert re.search(rf"\b{name}\b", changelog), f"{name} is not in CHANGELOG.md"
        assert getattr(module, name).__doc__
