"""What both training stages do, in one process and in several."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import recipe_runs

torch = pytest.importorskip("torch")
for needed in ("trl", "peft", "datasets", "matplotlib", "safetensors"):
    pytest.importorskip(needed)

from examples.common import models, preflight, records, training  # noqa: E402
from examples.common.commands import Run  # noqa: E402
from examples.common.settings import Settings, SftSettings  # noqa: E402
from examples.thesis_distill_grpo.recipe import RECIPE  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

ROOT = Path(__file__).parents[2]
TINY = ROOT / "examples" / "thesis_distill_grpo" / "tiny.toml"


def test_a_stage_without_settings() -> None:
    with pytest.raises(preflight.PreflightError, match=r"the settings have no \[sft\]"):
        training.required(None, "sft")
    assert training.required(SftSettings(), "sft") == SftSettings()


def test_a_finished_stage_is_left_alone_by_a_run_that_resumes(tmp_path: Path) -> None:
    records.write_jsonl(tmp_path / "sft" / "metrics.jsonl", [{"step": 1}])
    resumed = Run(Settings(recipe="any"), tmp_path, resume=True)
    assert training.finished(resumed, "sft") is None
    resumed.saved("sft").mkdir()
    assert training.finished(resumed, "sft") == [{"step": 1}]
    assert training.finished(Run(Settings(recipe="any"), tmp_path), "sft") is None


class Trainer:
    """Writes down what it is asked."""

    def __init__(self, *, first: bool = True, fsdp: bool = False, deepspeed: bool = False) -> None:
        self.done: list[Any] = []
        self.model, self.first = "model", first
        self.is_fsdp_enabled, self.is_deepspeed_enabled = fsdp, deepspeed
        plugin = SimpleNamespace(set_state_dict_type=self.done.append)
        self.accelerator = SimpleNamespace(
            state=SimpleNamespace(fsdp_plugin=plugin),
            wait_for_everyone=lambda: self.done.append("waited"),
        )

    def is_world_process_zero(self) -> bool:
        return self.first

    def save_model(self, folder: str) -> None:
        (Path(folder) / "ref").mkdir(parents=True)
        self.done.append(folder)


def test_only_the_first_process_saves_a_whole_model(monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[Any] = []
    monkeypatch.setattr(models, "save", lambda *given: saved.append(given))
    for first, wanted in ((True, [("model", "words", Path("out"))]), (False, [])):
        saved.clear()
        trainer = Trainer(first=first)
        training.save(trainer, "words", Path("out"))
        assert saved == wanted
        assert trainer.done == ["waited"]


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("kind", ["fsdp", "deepspeed"])
def test_all_processes_gather_a_model_that_is_cut(
    kind: str, first: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "save", None)
    trainer = Trainer(first=first, fsdp=kind == "fsdp", deepspeed=kind == "deepspeed")
    out = tmp_path / "final"
    training.save(trainer, "words", out)
    type_first = ["FULL_STATE_DICT"] if kind == "fsdp" else []
    assert trainer.done == [*type_first, str(out), "waited"]
    assert (out / "ref").exists() is not first  # the reference's adapters are no part of it


def test_zero_3_and_the_head(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_DEEPSPEED_ZERO_STAGE", "3")
    words = recipe_runs.told(RECIPE, capsys, "rl", "--config", TINY)
    assert "the RL stage needs lm_head whole, which ZeRO's third stage cuts" in words


def test_the_first_of_several_processes_says_what_is_wrong(
    capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(SystemExit) as caught:
        recipe_runs.start(RECIPE, "rl", "--seed", "-1")
    assert caught.value.code == 2
    assert capsys.readouterr().err == ""


def test_stages_for_one_process(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    words = recipe_runs.told(RECIPE, capsys, "prepare", "--config", TINY)
    assert "stage prepare is for one process; start it with python -m" in words


def test_two_processes(tmp_path: Path) -> None:
    config = recipe_runs.changed(
        tmp_path / "two.toml",
        TINY,
        ("epochs = 5", "max_steps = 2"),
        ("batch_size = 64", "batch_size = 8\naccumulation = 2"),
        ("max_steps = 50", "max_steps = 2"),
        ("batch_size = 48", "batch_size = 12\naccumulation = 2"),
    )
    out = tmp_path / "run"
    assert recipe_runs.start(RECIPE, "prepare", "--config", config, "--out", out) == 0
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    environment |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    for stage in ("sft", "rl"):
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        run = ["-m", "examples.thesis_distill_grpo", stage]
        done = subprocess.run(
            [*torchrun, "--nproc_per_node=2", *run, "--config", str(config), "--out", str(out)],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        assert done.stdout.count(f"== {stage}\n") == 1
        rows = records.read_jsonl(out / stage / "metrics.jsonl")
        assert [row["step"] for row in rows if "loss" in row] == [1, 2]
        assert (out / stage / "curves.png").stat().st_size > 0
        saved = load_file(out / stage / "final" / "adapter_model.safetensors")
        last = load_file(out / stage / "checkpoint-2" / "adapter_model.safetensors")
        assert saved.keys() == last.keys()
        assert all(torch.equal(saved[name], last[name]) for name in saved)
    completions = records.read_jsonl(out / "rl" / "completions.jsonl")
    assert len(completions) == 2 * 24
