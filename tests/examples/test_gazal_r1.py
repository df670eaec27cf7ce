"""The Gazal-R1 recipe: the whole at its tiny size, its values, its data, and what it refuses."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import recipe_runs

torch = pytest.importorskip("torch")
pytest.importorskip("trl")
pytest.importorskip("pytorch_optimizer")

from examples.common import models, preflight, records, settings  # noqa: E402
from examples.gazal_r1 import preparation, prompts  # noqa: E402
from examples.gazal_r1.own_settings import OWN, RewardSettings  # noqa: E402
from examples.gazal_r1.recipe import RECIPE, objective  # noqa: E402
from examples.gazal_r1.reward import stack  # noqa: E402

import rlrewards as rr  # noqa: E402
from rlrewards.objectives import recipes  # noqa: E402

FOLDER = Path(__file__).parents[2] / "examples" / "gazal_r1"
TINY, FULL = FOLDER / "tiny.toml", FOLDER / "full.toml"
STEPS = 40

pytestmark = [
    pytest.mark.usefixtures("plain_kernels"),
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.* is deprecated:FutureWarning"),
]


start = partial(recipe_runs.start, RECIPE)
told = partial(recipe_runs.told, RECIPE)


# ---------------------------------------------------------------------------------------------
# The whole


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_reward_rises(tmp_path: Path, capsys: Any, seed: int) -> None:
    out = tmp_path / "run"
    assert start("all", "--config", TINY, "--out", out, "--seed", seed) == 0
    printed = capsys.readouterr().out
    rows = records.read_jsonl(out / "rl" / "metrics.jsonl")
    assert [row["step"] for row in rows] == list(range(1, STEPS + 1))
    found = records.ends([row["reward"] for row in rows])
    assert found["rise_in_standard_errors"] > 2, found
    right = records.ends([row["accuracy"] for row in rows])
    assert right["rise_in_standard_errors"] > 2, right
    for row in rows:
        names = ("accuracy", "format", "cosine", "repetition")
        total = sum(row[f"rewards/{name}/mean"] for name in names)
        assert total == pytest.approx(row["reward"], abs=1e-6)
        assert row["clip_ratio/region_mean"] == 0.0  # one pass over each batch
    assert "sums, sft" in printed
    assert "sums, rl" in printed
    for name in ("sft/curves.png", "rl/curves.png", "rl/completions.jsonl", "evaluation/table.txt"):
        assert (out / name).stat().st_size > 0
    if seed == 0:
        resumes(out, rows)


def resumes(out: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Interrupt the run after half of its RL steps, go on, and compare."""
    for name in ("rl/final", f"rl/checkpoint-{STEPS}", "evaluation"):
        shutil.rmtree(out / name)
    assert start("rl", "--config", TINY, "--out", out, "--resume") == 0
    again = records.read_jsonl(out / "rl" / "metrics.jsonl")
    assert [row["step"] for row in again] == list(range(1, STEPS + 1))
    for before, after in zip(rows, again, strict=True):
        for name in set(before) - {"step_time"}:
            assert after[name] == pytest.approx(before[name], abs=1e-6), (before["step"], name)


FEW = (
    ("sft = 1024", "sft = 128"),
    ("epochs = 5", "max_steps = 2"),
    ("max_steps = 40", "max_steps = 2"),
)


def test_dora_rslora_local_normalisation_and_the_rejected_length_reward(tmp_path: Path) -> None:
    adapter = "[adapter]\nrank = 8\nalpha = 16\ndora = true\nrslora = true\n\n[data]"
    path = recipe_runs.changed(
        tmp_path / "few.toml",
        TINY,
        *FEW,
        ("[data]", adapter),
        ("[reward]", '[reward]\nlength = "soft_overlong"'),
        ('loss = "bnpo"', 'loss = "bnpo"\nnormalization = "local"\naccumulation = 2'),
        ("batch_size = 64 # each of the 16 questions, four times", "batch_size = 32"),
    )
    out = tmp_path / "run"
    assert start("all", "--config", path, "--out", out) == 0
    rows = records.read_jsonl(out / "rl" / "metrics.jsonl")
    assert "rewards/soft_overlong/mean" in rows[0]
    assert "rewards/cosine/mean" not in rows[0]
    found = settings.read(path, own=OWN)
    model, _ = models.load(found.model, folder=out / "rl" / "final")
    names = [name for name, _ in model.named_parameters()]
    assert any("lora_magnitude_vector" in name for name in names)
    assert model.peft_config["default"].use_rslora


# ---------------------------------------------------------------------------------------------
# Values


def test_the_tables_of_the_paper() -> None:
    found = settings.read(FULL, own=OWN)
    sft, rl, adapter = found.sft, found.rl, found.adapter
    assert sft is not None
    assert rl is not None
    assert adapter is not None
    assert (adapter.rank, adapter.alpha, adapter.dropout) == (256, 512, 0.1)
    assert (adapter.dora, adapter.rslora, adapter.targets) == (True, True, "all-linear")
    assert (sft.optimizer, sft.learning_rate, sft.scheduler) == ("exadam", 2e-5, "cosine")
    assert (sft.warmup_ratio, sft.weight_decay, sft.epochs) == (0.05, 0.1, 1)
    assert (sft.batch_size, sft.max_length, sft.seed) == (8, 8192, 3407)
    on_two = settings.shared_by(found, 2, stages=["sft"]).sft
    assert on_two is not None
    assert on_two.accumulation == 16
    assert (rl.optimizer, rl.learning_rate, rl.scheduler) == ("exadam", 1e-6, "constant")
    assert (rl.batch_size, rl.accumulation, rl.group_size, found.devices) == (4, 8, 4, 8)
    assert (rl.beta, rl.epsilon_high, rl.loss, rl.mask_truncated) == (0.0, 0.28, "bnpo", True)
    assert (rl.temperature, rl.top_k, rl.top_p) == (0.6, 20, 0.95)
    assert (rl.prompt_tokens, rl.completion_tokens, rl.seed) == (3072, 4096, 3047)
    assert (found.model.dtype, found.model.gradient_checkpointing) == ("bfloat16", True)


def test_the_plan_of_the_full_size(tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "run"
    assert start("all", "--config", FULL, "--out", out, "--dry-run") == 0
    printed = capsys.readouterr().out
    assert "Qwen/Qwen3-32B (to be downloaded): 32,762" in printed
    assert "500 of 64 questions × 4 completions" in printed
    assert "1 accuracy + 1 format + 1 cosine + 1 repetition" in printed
    assert "token mean over the whole step" in printed
    assert str(out / "rl" / "metrics.jsonl") in printed
    assert not out.exists()


def test_local_or_global() -> None:
    found = settings.read(FULL, own=OWN).rl
    assert found is not None
    assert objective(found).func is recipes.dapo
    assert objective(found).keywords == {"low": 0.2, "high": 0.28}
    import dataclasses

    local = dataclasses.replace(found, normalization="local")
    assert objective(local).func is recipes.bnpo


def test_the_rejected_reward_is_the_soft_overlong_punishment() -> None:
    found = stack(RewardSettings(length="soft_overlong", overlong_ratio=4.0), 4096)
    [overlong] = [part.reward for part in found.parts if part.name == "soft_overlong"]
    assert overlong == rr.SoftOverlong(max_length=4096, buffer=3072)
    assert [part.name for part in found.parts] == [
        *("accuracy", "format", "repetition", "soft_overlong"),
    ]
    half = stack(RewardSettings(length="soft_overlong", overlong_ratio=2.0), 4096)
    assert half.parts[-1].reward == rr.SoftOverlong(max_length=4096, buffer=2048)


def test_a_demonstration_of_the_prompt_has_the_format_that_is_rewarded() -> None:
    sample = rr.Sample(prompts.response("Fever.", "Measles.", "B"), reference="B", token_ids=[1])
    scores = stack(RewardSettings(), 64).score([sample])
    assert scores.columns["accuracy"].tolist() == [1.0]
    assert scores.columns["format"].tolist() == [1.0]
    assert prompts.response("Fever.", "Measles.") == "<think>\nFever.\n</think>\nMeasles."


def test_the_system_prompts() -> None:
    assert "each with each step limited" not in prompts.SFT
    assert "with each step limited to 10 words maximum" in prompts.SFT
    assert r"\boxed{X} (where X is a single letter: A, B, C, D or E)" in prompts.GRPO
    assert "<think></think>" in prompts.GRPO
    assert "`" not in prompts.GRPO


# ---------------------------------------------------------------------------------------------
# Data


@pytest.mark.parametrize(
    ("row", "reference", "options"),
    [
        (
            {"question": "Why?", "options": {"A": "x", "B": "y"}, "answer": "B"},
            "B",
            {"A": "x", "B": "y"},
        ),
        ({"question": "Why?", "options": ["x", "y"], "answer": "y"}, "B", {"A": "x", "B": "y"}),
        (
            {"question": "Why?", "options": '{"A": "x", "B": "y", "E": null}', "answer": "A. x"},
            "A",
            {"A": "x", "B": "y"},
        ),
        (
            {"question": "Why?\nA. x one\nB) y two\n(C) z", "answer": "(C) z"},
            "C",
            {"A": "x one", "B": "y two", "C": "z"},
        ),
        (
            {"question": [{"from": "human", "value": "Why?\nA. x\nB. y"}], "answer": "B"},
            "B",
            {"A": "x", "B": "y"},
        ),
    ],
)
def test_shapes_of_multiple_choice(row: Any, reference: str, options: Any) -> None:
    found = preparation.problem(row, "Be brief.")
    assert found is not None
    assert (found["reference"], found["options"]) == (reference, options)
    system, user = found["prompt"]
    assert system == {"role": "system", "content": "Be brief."}
    assert all(text in user["content"] for text in options.values())


@pytest.mark.parametrize(
    "row",
    [
        {"question": "Why?", "answer": "Because."},
        {"question": "Why?", "options": ["x", "y"], "answer": "z"},
        {"question": "Why?", "options": ["x", "y"], "answer": "C"},
        {"question": "Why?", "options": list("abcdefghij"), "answer": "a"},
    ],
)
def test_what_is_no_such_question_is_left_out(row: Any) -> None:
    assert preparation.problem(row, "") is None


def test_files_in_the_data_sets_own_columns(tmp_path: Path, capsys: Any) -> None:
    thoughts = [
        {"question": f"Case {n}", "reasoning": f"Step {n}", "answer": "Rest."} for n in range(4)
    ]
    asked = [
        {
            "id": n,
            "conversations": [{"from": "human", "value": f"Q{n}?\nA. x\nB. y"}],
            "answer": "A",
        }
        for n in (1, 2, 2, 3)
    ]
    records.write_jsonl(tmp_path / "sft.jsonl", [*thoughts, {**thoughts[0], "answer": ""}])
    records.write_jsonl(tmp_path / "rl.jsonl", asked)
    text = FULL.read_text(encoding="utf-8")
    for before, after in (
        ("TachyHealth/structured_medical", tmp_path / "sft.jsonl"),
        ("UCSC-VLAA/MedReason", tmp_path / "sft.jsonl"),
        ("TsinghuaC3I/UltraMedical", tmp_path / "rl.jsonl"),
    ):
        text = text.replace(str(before), str(after))
    path = tmp_path / "local.toml"
    path.write_text(text.partition("[[evaluation.sets]]")[0], encoding="utf-8")
    out = tmp_path / "run"
    assert start("prepare", "--config", path, "--out", out) == 0
    assert "8 supervised examples, 3 questions of the RL stage (A 3)" in capsys.readouterr().out
    first = records.read_jsonl(out / "data" / "sft.jsonl")[0]
    assert first["prompt"][0]["content"] == prompts.SFT
    question = records.read_jsonl(out / "data" / "rl.jsonl")[0]
    assert question["prompt"][0]["content"] == prompts.GRPO

    records.write_jsonl(tmp_path / "rl.jsonl", [{"conversations": "Why?", "answer": "x"}])
    words = told(capsys, "prepare", "--config", path, "--out", out)
    assert "has no row with options and the letter of one" in words
    records.write_jsonl(tmp_path / "rl.jsonl", [{"text": "Why?"}])
    assert "has no column" in told(capsys, "prepare", "--config", path, "--out", out)


def test_what_is_told_before_it_starts(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    assert "run the stage prepare first" in told(capsys, "rl", "--config", TINY, "--out", out)
    wrong = recipe_runs.changed(
        tmp_path / "wrong.toml", TINY, ("accuracy = 2.0", 'accuracy = "high"')
    )
    assert "reward.accuracy must be of type float" in told(capsys, "all", "--config", wrong)
    odd = recipe_runs.changed(tmp_path / "odd.toml", TINY, ("group_size = 4", "group_size = 5"))
    assert start("prepare", "--config", odd, "--out", out) == 0
    assert start("sft", "--config", recipe_runs.changed(odd, odd, *FEW), "--out", out) == 0
    assert "groups of 5 do not fill" in told(capsys, "rl", "--config", odd, "--out", out)

    def missing(names: Any) -> None:
        raise preflight.PreflightError("pytorch_optimizer is missing: pip install ...")

    monkeypatch.setattr(preflight, "require_packages", missing)
    assert "pytorch_optimizer is missing" in told(capsys, "sft", "--config", TINY, "--out", out)
