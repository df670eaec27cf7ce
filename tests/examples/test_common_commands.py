"""The command line that the recipes share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import recipe_runs

pytest.importorskip("transformers")
pytest.importorskip("trl")

from examples.common import models
from examples.gazal_r1.recipe import RECIPE

ROOT = Path(__file__).parents[2]


def plan(capsys: Any, *arguments: Any) -> str:
    """Return what --dry-run prints."""
    assert recipe_runs.start(RECIPE, "all", "--dry-run", *arguments) == 0
    printed: str = capsys.readouterr().out
    return printed


def test_without_settings_those_that_suit_the_model(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(models, "SMOLLM2", tmp_path)
    assert "model    tiny" in plan(capsys)
    small = plan(capsys, "--model", "smollm2")
    assert "model    smollm2" in small
    assert "134,515,008 weights in NF4" in small
    assert "low-rank adapters" in small
    other = plan(capsys, "--model", "smollm2", "--config", "examples/gazal_r1/tiny.toml")
    assert "NF4" not in other


def test_settings_of_another_recipe(capsys: Any) -> None:
    config = ROOT / "examples" / "thesis_distill_grpo" / "tiny.toml"
    words = recipe_runs.told(RECIPE, capsys, "all", "--config", config)
    assert "is of the recipe thesis_distill_grpo; start python -m" in words


def test_a_seed_below_zero(capsys: Any) -> None:
    assert "--seed must be at least 0, got -1" in recipe_runs.told(
        RECIPE, capsys, "all", "--seed", "-1"
    )
