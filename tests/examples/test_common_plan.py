"""The plan: weights that are known, bytes by hand; and what is refused before anything starts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from examples.common import grpo, plan, preflight
from examples.common.settings import (
    AdapterSettings,
    ModelSettings,
    RlSettings,
    Settings,
    SftSettings,
    ShapeSettings,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*gradient_checkpointing.* is deprecated:FutureWarning"
)

QWEN_32B = ShapeSettings(
    layers=64, hidden=5120, intermediate=27648, heads=40, kv_heads=8, head_dim=128,
    vocabulary=152064, tied_embeddings=False, attention_biases=True,
)  # fmt: skip
TWO = ShapeSettings(
    layers=2, hidden=4, intermediate=8, heads=2, kv_heads=1, head_dim=2, vocabulary=10
)


def test_weights_that_are_published() -> None:
    assert plan.weights(QWEN_32B) == 32_763_876_352  # Qwen2.5-32B
    from examples.common.models import SMOLLM2_SHAPE

    assert plan.weights(SMOLLM2_SHAPE) == 134_515_008  # SmolLM2-135M


def test_weights_by_hand() -> None:
    # q 4·4, k and v 4·2 each, o 4·4, three of 4·8: 144 a block; 40 of the vocabulary, 5 norms of 4.
    assert plan.linear_weights(TWO) == 288
    assert plan.other_weights(TWO) == 60
    # r·(in + out): q 8, k 6, v 6, o 8, gate 12, up 12, down 12.
    adapter = AdapterSettings(rank=3)
    assert plan.adapter_weights(TWO, adapter) == 2 * 3 * 64
    assert plan.adapter_weights(TWO, dataclasses.replace(adapter, dora=True)) == 2 * (192 + 32)
    only = dataclasses.replace(adapter, targets=("q_proj", "v_proj"))
    assert plan.adapter_weights(TWO, only) == 2 * 3 * 14


def test_bytes_by_hand() -> None:
    plain = ModelSettings(shape=TWO)
    assert plan.held_bytes(plain) == 4 * 348
    packed = ModelSettings(shape=TWO, quantization="nf4", dtype="bfloat16")
    # Half a byte and 4 for each 64; the rest in bf16; and the largest matrix, 4·8, unpacked.
    assert plan.held_bytes(packed) == 288 * (0.5 + 4 / 64) + 2 * 60 + 2 * 32
    # Two blocks, keys and values, one head of 2, bf16.
    assert plan.cache_bytes(packed, rows=3, length=5) == 3 * 5 * 2 * 2 * 1 * 2 * 2


def test_a_model_agrees_with_the_count() -> None:
    pytest.importorskip("peft")
    from examples.common import models

    settings = ModelSettings()
    model, _ = models.load(settings)
    norms_of_heads = 2 * 2 * 24  # Qwen3's alone: of queries and keys, in each block
    assert model.num_parameters() == plan.weights(settings.shape) + norms_of_heads
    adapted = models.with_adapter(model, AdapterSettings(rank=4))
    trained = sum(weight.numel() for weight in adapted.parameters() if weight.requires_grad)
    assert trained == plan.adapter_weights(settings.shape, AdapterSettings(rank=4))


def test_a_reference_is_counted() -> None:
    adapted = Settings(recipe="r", adapter=AdapterSettings(rank=2), model=ModelSettings(shape=TWO))
    without = plan.memory(adapted, RlSettings(beta=0.0)).parts
    with_copy = plan.memory(adapted, RlSettings(beta=0.1)).parts
    assert with_copy["adapters"] == 2 * without["adapters"]
    whole = Settings(recipe="r", model=ModelSettings(shape=TWO))
    assert plan.memory(whole, RlSettings(beta=0.1)).parts["weights"] == 2 * 4 * 348
    assert plan.memory(whole, SftSettings()).parts["gradients"] == 4 * 348


def test_no_gpu_and_too_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        preflight.PreflightError, match="no GPU found, and this size needs one with 28"
    ):
        preflight.require_device(28 * 2**30, allow_cpu=False)
    with pytest.raises(preflight.PreflightError, match="too little main memory: about 1048576"):
        preflight.require_device(2**50, allow_cpu=True)
    preflight.require_device(1, allow_cpu=True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (20 * 2**30, 80 * 2**30))
    with pytest.raises(
        preflight.PreflightError, match=r"28\.0 GiB needed, 20\.0 of 80\.0 GiB free; lower"
    ):
        preflight.require_device(28 * 2**30, allow_cpu=False)


def test_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(
        recipe="r", model=ModelSettings(quantization="nf4"), rl=RlSettings(optimizer="exadam")
    )
    assert {"bitsandbytes", "pytorch_optimizer"} <= set(preflight.packages_for(settings))
    assert "bitsandbytes" not in preflight.packages_for(Settings(recipe="r"))
    monkeypatch.setattr(preflight, "find_spec", lambda name: None if name == "trl" else object())
    with pytest.raises(preflight.PreflightError) as caught:
        preflight.require_packages(["torch", "trl"])
    assert str(caught.value) == (
        "package trl is missing; install it with: pip install 'rlrewards[trl]'"
    )


def test_files_and_space(tmp_path: Path) -> None:
    with pytest.raises(preflight.PreflightError, match=r"sft\.jsonl is missing; run prepare"):
        preflight.require_file(tmp_path / "sft.jsonl", "run prepare")
    preflight.require_space(tmp_path / "new" / "folder", 1)
    with pytest.raises(preflight.PreflightError, match="too little room in"):
        preflight.require_space(tmp_path / "new", 2**60)


def test_groups_fill_a_step() -> None:
    grpo.check_batch(RlSettings(batch_size=1, accumulation=3, group_size=3), 1)
    with pytest.raises(preflight.PreflightError, match="4 completions a step, which groups of 3"):
        grpo.check_batch(RlSettings(batch_size=4, group_size=3), 1)
    with pytest.raises(preflight.PreflightError, match="a step asks 2 questions and there are 1"):
        grpo.check_batch(RlSettings(batch_size=6, group_size=3), 1, questions=1)


def test_questions_in_order() -> None:
    rows = [{"n": n} for n in range(5)]
    stage = RlSettings(max_steps=4)
    ordered = [row["n"] for row in grpo.in_order(rows, stage, prompts_a_step=3, seed=0)]
    assert len(ordered) == 12
    assert sorted(ordered[:5]) == sorted(ordered[5:10]) == list(range(5))
    assert ordered[:5] != ordered[5:10]
    longer = grpo.in_order(rows, RlSettings(max_steps=9), prompts_a_step=3, seed=0)
    assert [row["n"] for row in longer][:12] == ordered  # more steps ask the same first
    once = grpo.in_order(rows, RlSettings(epochs=1), prompts_a_step=2, seed=0)
    assert len(once) == 4  # what does not fill a step is left out


def test_bnpo_over_the_whole_step() -> None:
    assert grpo.loss_type(RlSettings(loss="bnpo", normalization="local")) == "bnpo"
    assert grpo.loss_type(RlSettings(loss="bnpo", normalization="global")) == "dapo"
    assert grpo.loss_type(RlSettings(loss="grpo")) == "grpo"


def test_accelerate_reads_its_files() -> None:
    pytest.importorskip("accelerate")
    from accelerate.commands.config.config_args import load_config_from_file

    files = sorted((Path(plan.__file__).parent / "accelerate").glob("*.yaml"))
    found = {file.stem: load_config_from_file(str(file)) for file in files}
    assert {name: config.num_processes for name, config in found.items()} == {
        "1_h100": 1, "8_h100_ddp": 8, "8_h100_fsdp": 8, "8_h100_zero3": 8,
    }  # fmt: skip
    assert all(config.mixed_precision == "bf16" for config in found.values())
