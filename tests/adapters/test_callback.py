"""`ObjectiveCallback`: what it writes, and what it takes back when a run goes on."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import rlrewards as rr

trl = pytest.importorskip("trl")
tiny = pytest.importorskip("tiny_trainer")

from rlrewards.adapters.trl import (  # noqa: E402
    ObjectiveCallback,
    ObjectiveGRPOTrainer,
    reward_functions,
)

pytestmark = [
    pytest.mark.usefixtures("plain_kernels"),
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.* is deprecated:FutureWarning"),
]


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@rr.each
def short(sample: rr.Sample) -> float | None:
    count = len(sample.token_ids or ())
    return None if count == 3 else 1.0 / count


@rr.each
def even(sample: rr.Sample) -> float:
    return float(sum(sample.token_ids or ()) % 2 == 0)


@pytest.mark.parametrize("kind", ["ours", "theirs"])
def test_a_row_a_step_and_all_completions(kind: str, tmp_path: Path) -> None:
    shown: list[dict[str, Any]] = []
    callback = ObjectiveCallback(tmp_path / "log", on_row=shown.append)
    made = tiny.trainer(
        {"ours": ObjectiveGRPOTrainer, "theirs": trl.GRPOTrainer}[kind],
        tiny.config(tmp_path, max_steps=3),
        rewards=reward_functions(rr.Stack({"short": (2.0, short), "even": even})),
        callbacks=[callback],
    )
    if kind == "theirs":
        callback.attach(made)
    made.train()
    metrics = rows(tmp_path / "log" / "metrics.jsonl")
    assert shown == metrics
    assert [row["step"] for row in metrics] == [1, 2, 3]
    expected = {"reward", "loss", "short", "even", "rewards/short/mean", "rewards/even/mean"}
    expected |= {"completions/mean_length", "frac_reward_zero_std", "clip_ratio/region_mean"}
    assert expected <= {*metrics[0]}
    if kind == "ours":
        assert {"ratio/max", "approx_kl", "effective_sample_size"} <= {*metrics[0]}

    completions = rows(tmp_path / "log" / "completions.jsonl")
    assert [row["step"] for row in completions] == [1] * 16 + [2] * 16 + [3] * 16
    assert {row["prompt"] for row in completions} <= {*tiny.PROMPTS}
    for step, row in enumerate(metrics, start=1):
        batch = [one for one in completions if one["step"] == step]
        told = [one for one in batch if one["reward/even"] is not None]
        totals = [one["reward/short"] + one["reward/even"] for one in told]
        assert sum(totals) / len(totals) == pytest.approx(row["reward"], abs=1e-5)
        for one in batch:
            if one["reward/even"] is None:
                assert one["reward/short"] is None
                assert one["advantage"] == 0.0
    assert any(row["reward/short"] is None for row in completions)


def test_only_metrics(tmp_path: Path) -> None:
    callback = ObjectiveCallback(tmp_path / "log", completions=False)
    args = tiny.config(tmp_path, max_steps=1)
    tiny.trainer(ObjectiveGRPOTrainer, args, callbacks=[callback]).train()
    assert [path.name for path in (tmp_path / "log").iterdir()] == ["metrics.jsonl"]


def test_a_run_that_goes_on_takes_back_what_came_after_its_checkpoint(tmp_path: Path) -> None:
    lines = [json.dumps({"step": step}) + "\n" for step in (1, 2, 2, 3)]
    for name in ("metrics.jsonl", "completions.jsonl"):
        (tmp_path / name).write_text("".join(lines) + '{"step": 4, "cut o', encoding="utf-8")
    state = SimpleNamespace(is_world_process_zero=True, global_step=2)
    ObjectiveCallback(tmp_path).on_train_begin(None, state, None)
    for name in ("metrics.jsonl", "completions.jsonl"):
        assert [row["step"] for row in rows(tmp_path / name)] == [1, 2, 2]
    ObjectiveCallback(tmp_path).on_train_begin(
        None, SimpleNamespace(is_world_process_zero=True, global_step=0), None
    )
    assert rows(tmp_path / "metrics.jsonl") == []


def test_other_processes_write_nothing(tmp_path: Path) -> None:
    state = SimpleNamespace(is_world_process_zero=False, global_step=0)
    callback = ObjectiveCallback(tmp_path / "log")
    callback.on_train_begin(None, state, None)
    callback.on_log(None, state, None, logs={"loss": 1.0})
    assert not (tmp_path / "log").exists()


def test_what_is_not_finite_is_null(tmp_path: Path) -> None:
    state = SimpleNamespace(is_world_process_zero=True, global_step=1)
    callback = ObjectiveCallback(tmp_path)
    callback.on_train_begin(None, state, None)
    callback.on_log(None, state, None, logs={"loss": float("nan"), "reward": 0.5})
    callback.on_log(None, state, None, logs={"train_runtime": 1.0})
    assert rows(tmp_path / "metrics.jsonl") == [{"step": 1, "loss": None, "reward": 0.5}]


def test_texts_with_odd_line_ends_survive_a_resumption(tmp_path: Path) -> None:
    callback = ObjectiveCallback(tmp_path)
    path = tmp_path / "completions.jsonl"
    path.write_text(
        json.dumps({"step": 1, "completion": "a\u2028b\u0085c"}, ensure_ascii=False) + "\n",
        encoding="utf-8",
    )
    before = path.read_bytes()
    callback.on_train_begin(None, SimpleNamespace(is_world_process_zero=True, global_step=1), None)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "generated"),
    [
        ({"num_iterations": 2, "max_steps": 2}, 16),
        ({"steps_per_generation": 1, "max_steps": 2}, 32),
        ({"logging_steps": 2, "max_steps": 2}, 32),
    ],
)
def test_every_completion_once(changes: Any, generated: int, tmp_path: Path) -> None:
    args = tiny.config(tmp_path, **changes)
    made = tiny.trainer(ObjectiveGRPOTrainer, args)
    made.add_callback(ObjectiveCallback(tmp_path / "log"))
    made.train()
    found = rows(tmp_path / "log" / "completions.jsonl")
    assert len(found) == generated
    made.train()  # again, from the beginning
    assert len(rows(tmp_path / "log" / "completions.jsonl")) == generated


def test_evaluations_stand_apart(tmp_path: Path) -> None:
    from datasets import Dataset

    args = tiny.config(tmp_path, max_steps=2, eval_strategy="steps", eval_steps=1)
    args.per_device_eval_batch_size = 8
    held_out = Dataset.from_list([{"prompt": prompt} for prompt in tiny.PROMPTS[:4]])
    made = tiny.trainer(
        ObjectiveGRPOTrainer, args, eval_dataset=held_out,
        callbacks=[ObjectiveCallback(tmp_path / "log")],
    )  # fmt: skip
    made.evaluate()
    made.train()
    assert len(rows(tmp_path / "log" / "completions.jsonl")) == 32
    assert [row["step"] for row in rows(tmp_path / "log" / "metrics.jsonl")] == [1, 2]
    assert [row["step"] for row in rows(tmp_path / "log" / "evaluations.jsonl")] == [1, 2]
