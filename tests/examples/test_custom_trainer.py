"""The trainer in plain PyTorch: what it writes, its masks, and that both algorithms learn."""

from __future__ import annotations

import importlib
import json
import math
import os
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rlrewards as rr

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "examples" / "custom_trainer.py"


@pytest.fixture(scope="module")
def custom() -> Iterator[Any]:
    for name in ("torch", "transformers", "matplotlib"):
        pytest.importorskip(name)
    sys.path.insert(0, str(SCRIPT.parent))  # as when it is run: it stands beside the quickstart
    yield importlib.import_module("custom_trainer")
    sys.path.remove(str(SCRIPT.parent))


@pytest.fixture(autouse=True)
def small(custom: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Little to do; and undo the choice of one thread."""
    import torch

    monkeypatch.setattr(custom, "WARM_UP_STEPS", 2)
    monkeypatch.setattr(custom, "ROWS", 16)
    monkeypatch.setattr(custom, "CHUNK", 8)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def rolled_out(custom: Any, trainer: Any, *, each: int = 8) -> Any:
    asked = custom.quickstart.questions()[: custom.ROWS // each]
    return custom.roll_out(trainer, [q for q in asked for _ in range(each)], 1)[0]


def test_a_slice(custom: Any, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "new" / "folder"
    assert custom.main(["--algorithm", "grpo", "--steps", "2", "--out", str(out)]) == 0
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2]
    weights = {part.name: part.weight for part in custom.quickstart.make_stack().parts}
    for row in rows:
        total = sum(weight * row[name] for name, weight in weights.items())
        assert row["total"] == pytest.approx(total, abs=1e-5)
    assert (out / "reward.png").read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert "step    2/2" in printed
    assert "mean accuracy" in printed


@pytest.mark.parametrize(
    ("algorithm", "beta", "names"),
    [
        ("ppo", 0.0, ("value_loss", "explained_variance")),
        ("ppo", 0.1, ("value_loss", "explained_variance")),
        ("grpo", 0.1, ("kl_ref", "zero_variance_groups")),
        ("dapo", 0.0, ("zero_variance_groups",)),
    ],
)
def test_training_is_finite_and_repeats_itself(
    custom: Any, tmp_path: Path, algorithm: str, beta: float, names: tuple[str, ...]
) -> None:
    def history(seed: int) -> list[dict[str, Any]]:
        options = Namespace(algorithm=algorithm, steps=2, seed=seed, out=tmp_path)
        rows: list[dict[str, Any]] = custom.train(custom.prepare(seed, beta), options)
        assert all(row.pop("seconds") > 0 for row in rows)
        return rows

    first = history(3)
    for row in first:
        for name in ("loss", "gradient_norm", "ratio_mean", "clip_high", *names):
            assert math.isfinite(row[name]), name
        assert row["gradient_norm"] > 0
    assert history(3) == first
    assert history(4) != first


def test_the_mask_ends_with_the_end_token_whatever_was_drawn_before(custom: Any) -> None:
    import torch

    tokenizer = custom.quickstart.build_tokenizer()
    pad, eos, word = tokenizer.pad_token_id, tokenizer.eos_token_id, len(tokenizer) - 1
    script = torch.tensor([[pad, word, eos, word], [eos] * 4, [word] * 4])

    class Scripted:
        """Draws what the script says, and remembers where it was asked to attend."""

        def __init__(self) -> None:
            self.asked: list[Any] = []

        def __call__(self, **inputs: Any) -> Any:
            logits = torch.full((3, 1, len(tokenizer)), -torch.inf)
            column = script[:, min(len(self.asked), 3)]
            logits.scatter_(2, column.view(3, 1, 1), 0.0)
            self.asked.append(inputs)
            return type("Output", (), {"logits": logits, "past_key_values": "cache"})

    model = Scripted()
    prompts = torch.tensor([[pad, pad, word], [pad, word, word], [word] * 3])
    prompt_mask = torch.tensor([[0, 0, 1], [0, 1, 1], [1, 1, 1]])
    completions, mask = custom.sample(model, tokenizer, prompts, prompt_mask, torch.Generator())

    limit = custom.quickstart.MAX_LENGTH
    assert completions.shape == mask.shape == (3, limit)
    assert mask.sum(1).tolist() == [3, 1, limit]
    assert completions[0, :4].tolist() == [pad, word, eos, pad]
    assert completions[1, :2].tolist() == [eos, pad]
    assert model.asked[0]["position_ids"].tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 2]]
    assert model.asked[1]["position_ids"].tolist() == [[1], [2], [3]]
    assert model.asked[2]["attention_mask"][:, 3:].tolist() == [[1, 1], [1, 0], [1, 1]]


def test_padding_on_either_side_changes_no_log_probability(custom: Any) -> None:
    import torch

    trainer = custom.prepare(0, 0.0)
    rollout = rolled_out(custom, trainer)
    places: list[Any] = []  # Qwen's positions are relative; those of another model may not be
    trainer.policy.language_model.model.register_forward_pre_hook(
        lambda module, _, inputs: places.append(inputs["position_ids"]), with_kwargs=True
    )
    wide = rollout._replace(
        prompts=torch.nn.functional.pad(rollout.prompts, (3, 0)),
        prompt_mask=torch.nn.functional.pad(rollout.prompt_mask, (3, 0)),
        completions=torch.nn.functional.pad(rollout.completions, (0, 2)),
        mask=torch.nn.functional.pad(rollout.mask, (0, 2)),
    )
    with torch.no_grad():
        for plain, padded in zip(trainer.policy(rollout), trainer.policy(wide), strict=True):
            # float32 through two layers; a shift of one place would show in the first digit
            torch.testing.assert_close(
                padded[:, :-2][rollout.mask], plain[rollout.mask], rtol=0, atol=1e-4
            )
    width, valid = rollout.prompts.shape[1], rollout.mask
    assert (places[1][:, 3 + width : -2][valid] == places[0][:, width:][valid]).all()
    assert places[0][0, : width + 1].tolist() == list(range(width + 1))


def test_the_sampler_and_the_policy_and_the_bare_model_agree(custom: Any) -> None:
    import torch

    trainer = custom.prepare(1, 0.0)
    model, tokenizer = trainer.policy.language_model, trainer.tokenizer
    seen: list[Any] = []

    def recorded(**inputs: Any) -> Any:
        out = model(**inputs)
        seen.append(out.logits[:, -1].log_softmax(-1))
        return out

    encoded = tokenizer(["1 + 2 =", "3 + 4 + 5 ="], return_tensors="pt", padding=True)
    prompts, prompt_mask = encoded["input_ids"], encoded["attention_mask"]
    assert prompt_mask.tolist() == [[0, 0, 1, 1, 1, 1], [1] * 6]
    completions, mask = custom.sample(recorded, tokenizer, prompts, prompt_mask, trainer.generator)
    unused = torch.zeros(2)
    rollout = custom.Rollout(prompts, prompt_mask, completions, mask, unused, unused)
    with torch.no_grad():
        logp = trainer.policy(rollout)[0]
        for row in range(2):
            prompt, drawn = prompts[row][prompt_mask[row] == 1], completions[row][mask[row]]
            bare = model(torch.cat([prompt, drawn]).unsqueeze(0)).logits[0].log_softmax(-1)
            for place, token in enumerate(drawn):
                expected = bare[len(prompt) + place - 1, token].item()
                assert logp[row, place].item() == pytest.approx(expected, abs=1e-4)
                assert seen[place][row, token].item() == pytest.approx(expected, abs=1e-4)


def test_the_first_ratio_is_one(custom: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(custom, "EPOCHS", 1)
    trainer = custom.prepare(0, 0.0)
    metrics = custom.grpo_step(trainer, rolled_out(custom, trainer), "grpo")
    assert metrics["ratio_min"] == pytest.approx(1, abs=1e-5)  # micro-batches round differently
    assert metrics["ratio_max"] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("algorithm", ["grpo", "dapo"])
def test_the_gradient_is_the_policy_gradient_however_the_step_is_cut(
    custom: Any, monkeypatch: pytest.MonkeyPatch, algorithm: str
) -> None:
    import torch

    monkeypatch.setattr(custom, "EPOCHS", 1)
    trainer = custom.prepare(0, 0.0)
    rollout = rolled_out(custom, trainer)
    policy = trainer.policy.double()
    weights = [p for p in policy.parameters() if p is not policy.value_head.weight]
    weights = [p for p in weights if p is not policy.value_head.bias]
    assert all(p.grad is None for p in weights)

    loss = 0.0
    logp = policy(rollout)[0]
    for row, valid in enumerate(rollout.mask):
        mates = [
            r for r, g in zip(rollout.rewards, rollout.group, strict=True) if g == row // 8 * 8
        ]
        advantage = (rollout.rewards[row] - sum(mates) / 8).item()
        tokens, every = valid.sum(), rollout.mask.sum()
        share = tokens / every if algorithm == "dapo" else 1 / len(rollout.mask)
        loss -= share * advantage * logp[row][valid].mean()
    expected = torch.autograd.grad(loss, weights)
    assert sum(g.norm() for g in expected) > 1e-3

    for rows in (16, 5):  # at once, and in uneven pieces
        monkeypatch.setattr(custom, "CHUNK", rows)
        found: list[Any] = []
        monkeypatch.setattr(
            trainer,
            "update",
            lambda found=found: (found.extend(p.grad.clone() for p in weights), torch.zeros(()))[1],
        )
        custom.grpo_step(trainer, rollout, algorithm)
        # rewards, and so advantages, are float32
        torch.testing.assert_close(found, list(expected), rtol=1e-6, atol=1e-7)
        policy.zero_grad()


@pytest.mark.parametrize("algorithm", ["ppo", "grpo"])
def test_a_completion_without_an_opinion_teaches_nothing(custom: Any, algorithm: str) -> None:
    """Neither its tokens nor its reward reach a weight; the others' do."""
    import torch

    @rr.each
    def grudging(sample: rr.Sample) -> float | None:
        return None if sample.reference == "2" else float(len(sample.token_ids or ()))

    trainer = custom.prepare(0, 0.0)
    trainer.stack = rr.Stack({"grudging": grudging})
    rollout = rolled_out(custom, trainer)
    assert rollout.rewards.isnan().tolist() == [True] * 8 + [False] * 8  # 1 + 1, then 1 + 2
    assert not rollout.mask[:8].any()
    assert rollout.mask[8:].any(1).all()
    step = custom.ppo_step if algorithm == "ppo" else custom.grpo_step
    step(trainer, rollout, *(() if algorithm == "ppo" else (algorithm,)))
    assert all(p.isfinite().all() for p in trainer.policy.parameters())
    assert torch.isfinite(trainer.policy(rollout)[0][rollout.mask]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "0"], "expected --steps >= 1 and --beta >= 0, got 0, 0.0"),
        (["--beta", "nan"], "expected --steps >= 1 and --beta >= 0, got 80, nan"),
        (["--algorithm", "dpo"], "invalid choice: 'dpo'"),
    ],
)
def test_bad_arguments_get_one_line(
    custom: Any, capsys: Any, arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as left:
        custom.main(arguments)
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["ppo", "grpo", "dapo"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_is_learnt_is_the_arithmetic(tmp_path: Path, algorithm: str, seed: int) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, str(SCRIPT), "--algorithm", algorithm, "--seed", str(seed)]
    command += ["--out", str(tmp_path)]
    done = subprocess.run(command, check=True, env=environment, capture_output=True, text=True)
    assert done.stderr == ""
    lines = (tmp_path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    accuracy = [json.loads(line)["accuracy"] for line in lines]
    assert len(accuracy) >= 40  # the first and the last twenty are different ones
    assert sum(accuracy[-20:]) / 20 >= sum(accuracy[:20]) / 20 + 0.2
