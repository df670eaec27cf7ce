"""Settings: what is misspelt or ill-typed is an error of one line that names it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from examples.common import settings
from examples.common.settings import SettingsError, parse, read, shared_by


def test_a_table_becomes_settings() -> None:
    found = parse(
        {
            "recipe": "r",
            "model": {"name": "x/y", "quantization": "nf4"},
            "adapter": {"targets": ["q_proj", "v_proj"], "alpha": 8},
            "rl": {"learning_rate": 1, "top_p": 0.95},
            "data": {"sources": [{"name": "A", "path": "a", "where": {"subject": "math"}}]},
        }
    )
    assert found.model.name == "x/y"
    assert found.adapter is not None
    assert found.adapter.targets == ("q_proj", "v_proj")
    assert found.rl is not None
    assert found.rl.learning_rate == 1.0
    assert found.data.sources[0].where == {"subject": "math"}
    assert found.sft is None


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"model": {"nam": "tiny"}}, "unknown setting model.nam; known are"),
        ({"modle": {}}, "unknown setting modle"),
        ({"rl": {"top_p": "high"}}, "rl.top_p must be of type float, got 'high'"),
        ({"rl": {"group_size": 3.0}}, "rl.group_size must be of type int, got 3.0"),
        ({"rl": {"group_size": True}}, "rl.group_size must be of type int, got True"),
        ({"model": {"dtype": "fp8"}}, "model.dtype must be one of 'float32', 'bfloat16'"),
        ({"adapter": {"targets": 3}}, "adapter.targets must be of type str or"),
        ({"data": {"sources": [{"name": "A"}]}}, "setting data.sources[0].path is missing"),
        ({"sft": 3}, "[sft] must be a table, got 3"),
        ({"rl": {"seed": "x"}}, "rl.seed must be of type int, got 'x'"),
        ({"own": {}}, "unknown setting own"),
    ],
)
def test_what_is_wrong_is_named(table: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse({"recipe": "r"} | table)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_own_tables() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Own:
        size: int = 3

    assert parse({"recipe": "r"}, own={"mine": Own}).own["mine"] == Own()
    with pytest.raises(SettingsError, match=r"unknown setting mine\.sise"):
        parse({"recipe": "r", "mine": {"sise": 1}}, own={"mine": Own})


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read --config"):
        read(tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("recipe = ", encoding="utf-8")
    with pytest.raises(SettingsError, match="is no TOML"):
        read(broken)


def test_devices_share_the_batch() -> None:
    found = parse({"recipe": "r", "sft": {"batch_size": 2, "accumulation": 8}})
    assert found.sft is not None
    eight = shared_by(found, 8)
    assert eight.sft is not None
    assert (eight.devices, eight.sft.accumulation) == (8, 1)
    back = shared_by(eight, 1)
    assert back == found
    with pytest.raises(SettingsError, match=r"sft\.accumulation 8 on 1 devices cannot be shared"):
        shared_by(found, 3)
    assert shared_by(found, 3, stages=["rl"]).sft == found.sft


@pytest.mark.parametrize("recipe", ["gazal_r1", "thesis_distill_grpo", "mr_deepseek_ppo"])
def test_every_configuration_of_ours_is_read(recipe: str) -> None:
    own = import_module(f"examples.{recipe}.own_settings").OWN
    files = sorted(Path(settings.__file__).parents[1].glob(f"{recipe}/*.toml"))
    assert [file.name for file in files] == ["full.toml", "smollm2.toml", "tiny.toml"]
    for file in files:
        assert read(file, own=own).recipe == recipe
