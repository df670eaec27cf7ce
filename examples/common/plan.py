"""What a run would do, from its settings alone: weights, memory, steps, tokens, files.

`--dry-run` prints it. Neither the model nor a network is asked: the shape stands in the settings.
The memory is an estimate of the fullest device, good to some 20 %; the pages of the recipes say
what was measured.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from examples.common import models, preflight
from examples.common.commands import Run
from examples.common.settings import (
    AdapterSettings,
    ModelSettings,
    OptimizerSettings,
    RlSettings,
    Settings,
    SftSettings,
    ShapeSettings,
)
from examples.common.training import total_steps

GIB = 2**30
BYTES = {"float32": 4, "bfloat16": 2}
NF4_BLOCK = 64  # weights that share a scale
LOGITS_CHUNK = 1024  # rows of logits that the losses hold at a time
SMALL = 10**9  # weights of a model that trains on a CPU, too
# The optimizer's bytes for each trained weight in fp32.
OPTIMIZER_BYTES = {"adamw_torch": 8, "exadam": 8, "paged_adamw_8bit": 2, "adamw_8bit": 2}


def linear_shapes(shape: ShapeSettings) -> list[tuple[int, int]]:
    """Return inputs and outputs of the linear layers of one block."""
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    return [
        (shape.hidden, queries),
        (shape.hidden, keys),
        (shape.hidden, keys),
        (queries, shape.hidden),
        (shape.hidden, shape.intermediate),
        (shape.hidden, shape.intermediate),
        (shape.intermediate, shape.hidden),
    ]


def vocabulary(shape: ShapeSettings) -> int:
    """Return the number of tokens, the tiny tokenizer's where the shape leaves it open."""
    return shape.vocabulary or len(models.tiny_tokenizer())


def linear_weights(shape: ShapeSettings) -> int:
    """Return the weights of all linear layers of the blocks: what is quantised."""
    return shape.layers * sum(rows * columns for rows, columns in linear_shapes(shape))


def other_weights(shape: ShapeSettings) -> int:
    """Return the weights of embeddings, head, norms and biases."""
    embeddings = vocabulary(shape) * shape.hidden * (1 if shape.tied_embeddings else 2)
    norms = (2 * shape.layers + 1) * shape.hidden
    biases = (shape.heads + 2 * shape.kv_heads) * shape.head_dim if shape.attention_biases else 0
    return embeddings + norms + shape.layers * biases


def weights(shape: ShapeSettings) -> int:
    """Return the weights of the model.

    >>> qwen = ShapeSettings(layers=64, hidden=5120, intermediate=27648, heads=40, kv_heads=8,
    ...     head_dim=128, vocabulary=152064, tied_embeddings=False, attention_biases=True)
    >>> weights(qwen)  # Qwen2.5-32B
    32763876352
    """
    return linear_weights(shape) + other_weights(shape)


def adapter_weights(shape: ShapeSettings, adapter: AdapterSettings) -> int:
    """Return the weights of the adapters: A and B, and DoRA's magnitudes."""
    each = [
        adapter.rank * (rows + columns) + (columns if adapter.dora else 0)
        for rows, columns in linear_shapes(shape)
    ]
    if adapter.targets == "all-linear":
        return shape.layers * sum(each)
    named = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    chosen = zip(named, each, strict=True)
    return shape.layers * sum(count for name, count in chosen if name in adapter.targets)


@dataclass(frozen=True)
class Memory:
    """Bytes on the fullest device, by what they hold."""

    parts: dict[str, float]

    @property
    def total(self) -> float:
        """All of them."""
        return sum(self.parts.values())

    def __str__(self) -> str:
        shown = [f"{name} {_size(count)}" for name, count in self.parts.items() if count]
        return f"{_size(self.total)} = " + " + ".join(shown)


def memory(settings: Settings, stage: OptimizerSettings, *, copies: int = 1) -> Memory:
    """Return an estimate of a stage's memory.

    Args:
        settings: The run's.
        stage: The supervised or the RL stage's.
        copies: Whole models that are held: a reference without adapters, a critic.
    """
    model, shape = settings.model, settings.model.shape
    trained = trained_weights(settings)
    # Adapters are kept in fp32; a model that is trained whole, in its own precision.
    width = 4 if settings.adapter else BYTES[model.dtype]
    rows, length = stage.batch_size, _length(stage)
    parts = {
        "weights": copies * held_bytes(model),
        "adapters": width * trained if settings.adapter else 0,
        "gradients": width * trained,
        "optimizer": OPTIMIZER_BYTES.get(stage.optimizer, 8) * trained * width / 4,
        "activations": activation_bytes(model, rows, length),
        "logits": 3 * 4 * min(LOGITS_CHUNK, rows * length) * vocabulary(shape),
    }
    if isinstance(stage, RlSettings):
        if stage.beta and settings.adapter:
            parts["adapters"] *= 2  # the reference is a copy of them
        elif stage.beta:
            parts["weights"] += held_bytes(model)
        at_once = stage.batch_size * stage.accumulation
        parts["KV cache"] = cache_bytes(model, at_once, length)
    return Memory(parts)


def trained_weights(settings: Settings) -> int:
    """Return how many weights move."""
    shape = settings.model.shape
    return adapter_weights(shape, settings.adapter) if settings.adapter else weights(shape)


def held_bytes(model: ModelSettings) -> float:
    """Return the bytes of the weights as they are held.

    NF4: half a byte and, for each 64, a scale: 4 bytes, or quantised itself a little over 1.
    """
    width = BYTES[model.dtype]
    if model.quantization == "none":
        return width * weights(model.shape)
    scale = (1 + 4 / 256 if model.double_quantization else 4) / NF4_BLOCK
    unpacked = width * max(rows * columns for rows, columns in linear_shapes(model.shape))
    return (
        (0.5 + scale) * linear_weights(model.shape) + width * other_weights(model.shape) + unpacked
    )


def activation_bytes(model: ModelSettings, rows: int, length: int) -> float:
    """Return the bytes that the backward pass needs of the forward pass.

    With checkpointing: what goes into each block, and the inside of one block.
    """
    shape, width = model.shape, BYTES[model.dtype]
    inside = 6 * shape.hidden + 2 * (shape.heads + shape.kv_heads) * shape.head_dim
    inside += 4 * shape.intermediate
    blocks = 1 if model.gradient_checkpointing else shape.layers
    kept = shape.layers * shape.hidden if model.gradient_checkpointing else 0
    return rows * length * width * (blocks * inside + kept)


def cache_bytes(model: ModelSettings, rows: int, length: int) -> float:
    """Return the bytes of keys and values while completions are drawn."""
    shape = model.shape
    return rows * length * shape.layers * 2 * shape.kv_heads * shape.head_dim * BYTES[model.dtype]


def _length(stage: OptimizerSettings) -> int:
    if isinstance(stage, RlSettings):
        return stage.prompt_tokens + stage.completion_tokens
    if isinstance(stage, SftSettings):
        return stage.max_length
    raise TypeError(f"expected the settings of a stage, got {stage!r}")


# ---------------------------------------------------------------------------------------------
# In words


def describe(
    run: Run,
    stages: Sequence[str],
    *,
    memories: dict[str, Memory] | None = None,
    lines: dict[str, Sequence[str]] | None = None,
    files: dict[str, Sequence[str]] | None = None,
) -> str:
    """Return the plan of the stages.

    Args:
        run: The run.
        stages: Which.
        memories: A recipe's own estimate for a stage.
        lines: Further lines for a stage.
        files: A recipe's own files of a stage, in place of those below.
    """
    settings = run.settings
    parts = [_heading(run)]
    for stage in stages:
        own = (memories or {}).get(stage)
        text = [stage, *_stage(settings, stage, own), *(lines or {}).get(stage, ())]
        written = (files or {}).get(stage) or FILES[stage](settings)
        text += [f"writes   {run.out / name}" for name in written]
        parts.append("\n  ".join(text))
    return "\n\n".join(parts)


def _heading(run: Run) -> str:
    settings, model = run.settings, run.settings.model
    trained = trained_weights(settings)
    kind = "low-rank adapters" if settings.adapter else "all weights"
    where = "here already" if models.is_local(model) else "to be downloaded"
    held = "NF4" if model.quantization == "nf4" else model.dtype
    return "\n".join(
        [
            f"recipe   {settings.recipe}",
            f"model    {model.name} ({where}): {weights(model.shape):,} weights in {held}, "
            f"{_size(held_bytes(model))}",
            f"trained  {kind}: {trained:,} weights, {trained / weights(model.shape):.2%}",
            f"devices  {settings.devices}",
            f"seed     {settings.seed + run.seed}",
            f"folder   {run.out}",
        ]
    )


def _stage(settings: Settings, stage: str, own: Memory | None) -> list[str]:
    if stage == "sft" and settings.sft:
        return _sft(settings, settings.sft, own)
    if stage == "rl" and settings.rl:
        return _rl(settings, settings.rl, own)
    if stage == "evaluate":
        return _evaluation(settings)
    return []


def _sft(settings: Settings, stage: SftSettings, own: Memory | None) -> list[str]:
    count = settings.data.sft or 0
    rows = count - round(count * settings.data.evaluation_share)
    a_step = stage.batch_size * stage.accumulation * settings.devices
    steps = total_steps(stage, rows, settings.devices)
    return [
        f"examples {rows:,} of {count:,}, the others are held out",
        f"steps    {steps:,} of {a_step} examples ({stage.batch_size} × {stage.accumulation} × "
        f"{settings.devices} devices), {stage.epochs:g} epochs",
        f"tokens   at most {steps * a_step * stage.max_length:,}",
        f"memory   {own or memory(settings, stage)}",
        f"rate     {stage.learning_rate:g} {stage.scheduler}, {stage.optimizer}",
    ]


def _rl(settings: Settings, stage: RlSettings, own: Memory | None) -> list[str]:
    completions = stage.batch_size * stage.accumulation * settings.devices
    prompts = completions // stage.group_size
    questions = settings.data.rl or 0
    steps = stage.max_steps
    if steps <= 0:
        steps = math.ceil(questions * stage.epochs / max(1, prompts))
    return [
        f"steps    {steps:,} of {prompts} questions × {stage.group_size} completions "
        f"({stage.batch_size} × {stage.accumulation} × {settings.devices} devices)",
        f"tokens   at most {steps * completions * stage.completion_tokens:,} drawn, "
        f"{stage.completion_tokens:,} a completion, prompts up to {stage.prompt_tokens:,}",
        f"memory   {own or memory(settings, stage)}",
        f"rate     {stage.learning_rate:g} {stage.scheduler}, {stage.optimizer}; loss "
        f"{stage.loss}, beta {stage.beta:g}, clip {stage.epsilon_low:g} / {stage.epsilon_high:g}",
    ]


def _evaluation(settings: Settings) -> list[str]:
    evaluation = settings.evaluation
    sets = [f"{item.name} ({item.take or 'all'} of {item.path})" for item in evaluation.sets] or [
        f"generated ({settings.data.evaluation} questions)"
    ]
    cache = cache_bytes(
        settings.model,
        evaluation.batch_size,
        evaluation.completion_tokens + (settings.rl.prompt_tokens if settings.rl else 512),
    )
    return [
        f"asks     {', '.join(sets)}",
        f"samples  {evaluation.samples} a question at temperature {evaluation.temperature:g}, up "
        f"to {evaluation.completion_tokens:,} tokens",
        f"memory   {Memory({'weights': held_bytes(settings.model), 'KV cache': cache})}",
    ]


def prepare_files(settings: Settings) -> list[str]:
    """Return the files that every recipe's preparation writes."""
    names = [item.name for item in settings.evaluation.sets] or ["generated"]
    return ["data/sft.jsonl", "data/rl.jsonl", *(f"data/evaluation_{name}.jsonl" for name in names)]


def _training_files(stage: str) -> list[str]:
    return [
        f"{stage}/metrics.jsonl, one row a step",
        f"{stage}/curves.png",
        f"{stage}/checkpoint-*/",
        f"{stage}/final/",
    ]


FILES = {
    "prepare": prepare_files,
    "sft": lambda settings: _training_files("sft"),
    "rl": lambda settings: [*_training_files("rl"), "rl/completions.jsonl"],
    "evaluate": lambda settings: [
        "evaluation/table.txt",
        "evaluation/results.json",
        "evaluation/completions_*.jsonl",
    ],
}


def _size(count: float) -> str:
    return f"{count / GIB:.1f} GiB" if count >= GIB / 10 else f"{count / 2**20:.1f} MiB"


# ---------------------------------------------------------------------------------------------
# Checks


def check(run: Run, stages: Sequence[str], *, memories: dict[str, Memory] | None = None) -> None:
    """Refuse what would fail later: packages, model, chat template, memory, room on the disk."""
    settings = run.settings
    alone = [name for name in stages if name in ("prepare", "evaluate")]
    if alone and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise preflight.PreflightError(
            f"stage {alone[0]} is for one process; start it with python -m, and only sft and rl "
            "through accelerate launch or torchrun"
        )
    if "rl" in stages and models.zero_stage() == 3:
        raise preflight.PreflightError(
            "the RL stage needs lm_head whole, which ZeRO's third stage cuts; take "
            "examples/common/accelerate/8_h100_fsdp.yaml"
        )
    preflight.require_packages(preflight.packages_for(settings))
    trains = [stage for stage in stages if stage != "prepare"]
    if not trains:
        return
    if settings.model.name == "smollm2":
        preflight.require_file(models.SMOLLM2 / "config.json", "make it with: make smollm2")
    estimates = [
        (memories or {}).get(name) or memory(settings, stage)
        for name, stage in (("sft", settings.sft), ("rl", settings.rl))
        if stage is not None and name in stages
    ]
    needed = max([*(estimate.total for estimate in estimates), held_bytes(settings.model)])
    preflight.require_device(needed, allow_cpu=weights(settings.model.shape) < SMALL)
    saved = 4 * trained_weights(settings) * 4  # two checkpoints with optimizer, twice
    preflight.require_space(Path(run.out), int(saved))
    if models.is_local(settings.model):
        tokenizer = models.load_tokenizer(settings.model)
        preflight.require_chat_template(tokenizer, settings.model.name)
