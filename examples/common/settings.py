"""A recipe's settings: one TOML file, read into frozen dataclasses.

Every key is a field below. A key that none knows, or a value of another type, is an error of one
line that names it, so that a misspelt setting never runs as the default.
"""

from __future__ import annotations

import dataclasses
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

T = TypeVar("T")


class SettingsError(ValueError):
    """The settings make no sense; the message is one line."""


@dataclass(frozen=True, kw_only=True)
class ShapeSettings:
    """The shape of the model: what the plan counts with, and what the tiny model is built of."""

    layers: int = 2
    hidden: int = 96
    intermediate: int = 192
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 24
    vocabulary: int = 0  # 0: the tiny tokenizer's own
    tied_embeddings: bool = True
    attention_biases: bool = False
    positions: int = 256


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """Which model, and how its weights are held."""

    name: str = "tiny"  # tiny, smollm2, a folder, or the id of a hub
    revision: str | None = None
    dtype: Literal["float32", "bfloat16"] = "float32"
    quantization: Literal["none", "nf4"] = "none"
    double_quantization: bool = False
    attention: str = "sdpa"
    gradient_checkpointing: bool = False
    shape: ShapeSettings = ShapeSettings()


@dataclass(frozen=True, kw_only=True)
class AdapterSettings:
    """Low-rank adapters: LoRA, or DoRA, scaled by α/r or (rsLoRA) by α/√r."""

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    targets: str | tuple[str, ...] = "all-linear"
    dora: bool = False
    rslora: bool = False


@dataclass(frozen=True, kw_only=True)
class SourceSettings:
    """A data set: a local file or folder, or the id of a hub, and what is taken of it."""

    name: str
    path: str
    subset: str | None = None
    split: str = "train"
    take: int | None = None  # how many, drawn at random
    by: str | None = None  # the column whose shares the drawing keeps
    where: dict[str, str] = field(default_factory=dict)  # column = value that is kept
    columns: dict[str, str] = field(default_factory=dict)  # our name = theirs


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """What the examples are made of and how many there are of them.

    Without sources they are generated (`tasks.py`).
    """

    sources: tuple[SourceSettings, ...] = ()
    bank: int | None = None  # questions kept after cleaning; None: all
    sft: int | None = None  # examples of the supervised stage
    rl: int | None = None  # questions of the RL stage
    evaluation: int = 0  # generated questions of the evaluation
    sloppiness: int = 2  # generated demonstrations are wrong by up to this much
    largest: int = 9  # largest term of a generated sum
    evaluation_share: float = 0.0  # of the supervised examples, set aside


@dataclass(frozen=True, kw_only=True)
class OptimizerSettings:
    """How the weights move; both stages have these."""

    optimizer: str = "adamw_torch"  # a name of transformers', or exadam
    learning_rate: float = 1e-5
    scheduler: str = "constant"
    warmup_ratio: float = 0.0
    weight_decay: float = 0.0
    max_gradient_norm: float = 1.0
    epochs: float = 1.0
    max_steps: int = -1  # -1: as the epochs say
    batch_size: int = 1  # rows a device and forward pass
    accumulation: int = 1
    save_steps: int = 50
    keep: int = 2  # checkpoints that are kept
    seed: int | None = None  # of this stage; None: the run's


@dataclass(frozen=True, kw_only=True)
class SftSettings(OptimizerSettings):
    """The supervised stage."""

    max_length: int = 1024
    evaluations: int = 0  # how often the set-aside examples are looked at
    keep_best: str | None = None  # the metric by which the kept checkpoint is chosen
    loss_on_completion_only: bool = True


@dataclass(frozen=True, kw_only=True)
class RlSettings(OptimizerSettings):
    """The RL stage: what is sampled, and the objective's numbers."""

    loss: str = "grpo"  # grpo, bnpo, dapo, dr_grpo ...
    normalization: Literal["global", "local"] = "global"
    group_size: int = 4
    prompt_tokens: int = 512
    completion_tokens: int = 512
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    beta: float = 0.0
    epsilon_low: float = 0.2
    epsilon_high: float = 0.2
    iterations: int = 1
    scale_rewards: Literal["group", "batch", "none"] = "group"
    mask_truncated: bool = False
    vllm: Literal["auto", "never", "colocate", "server"] = "auto"
    vllm_memory_share: float = 0.3


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """What is asked at the end, and how often."""

    sets: tuple[SourceSettings, ...] = ()
    samples: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    completion_tokens: int = 512
    batch_size: int = 32
    compare: tuple[str, ...] = ("rl",)  # base, sft, rl: the models that are asked
    vllm: Literal["auto", "never"] = "auto"
    vllm_memory_share: float = 0.85
    seed: int | None = None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All of a recipe; `own` holds the tables that only this recipe has."""

    recipe: str
    seed: int = 0
    devices: int = 1
    model: ModelSettings = ModelSettings()
    adapter: AdapterSettings | None = None
    data: DataSettings = DataSettings()
    sft: SftSettings | None = None
    rl: RlSettings | None = None
    evaluation: EvaluationSettings = EvaluationSettings()
    own: Mapping[str, Any] = field(default_factory=dict)


def read(
    path: str | Path, *, own: Mapping[str, type[Any]] | None = None, recipe: str | None = None
) -> Settings:
    """Return the settings of a file.

    Args:
        path: The TOML file.
        own: The recipe's own tables: name to dataclass. A table that the file lacks has its
            defaults.
        recipe: The recipe that they have to be of; None: any.
    """
    path = Path(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read --config {path}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is no TOML: {error}") from error
    named = table.get("recipe")
    if isinstance(named, str) and recipe not in (None, named):
        raise SettingsError(f"{path} is of the recipe {named}; start python -m examples.{named}")
    try:
        return parse(table, own=own)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error


def parse(table: Mapping[str, Any], *, own: Mapping[str, type[Any]] | None = None) -> Settings:
    """Return the settings of a table."""
    own = own or {}
    common = {name: value for name, value in table.items() if name not in own}
    theirs = {name: build(kind, table.get(name, {}), name) for name, kind in own.items()}
    return dataclasses.replace(build(Settings, common, ""), own=theirs)


def shared_by(
    settings: Settings, devices: int, *, stages: Sequence[str] = ("sft", "rl")
) -> Settings:
    """Return the settings for so many devices: each accumulates less, and the batch stays.

    One of the stages whose accumulation cannot be shared out evenly is refused.
    """
    if devices == settings.devices:
        return settings
    changed = {
        name: dataclasses.replace(
            stage, accumulation=_shared(name, stage.accumulation, settings.devices, devices)
        )
        for name, stage in (("sft", settings.sft), ("rl", settings.rl))
        if stage is not None and name in stages
    }
    return dataclasses.replace(settings, devices=devices, **changed)


def _shared(name: str, accumulation: int, before: int, devices: int) -> int:
    whole = accumulation * before
    if devices < 1 or whole % devices:
        raise SettingsError(
            f"{name}.accumulation {accumulation} on {before} devices cannot be shared by "
            f"{devices}; take a number that divides {whole}, or change {name}.accumulation"
        )
    return whole // devices


def build(kind: type[T], table: Any, where: str) -> T:
    """Return a dataclass made of a table, checked key by key."""
    if not isinstance(table, Mapping):
        raise SettingsError(f"[{where}] must be a table, got {table!r}")
    hints = typing.get_type_hints(kind)
    known = {item.name: item for item in dataclasses.fields(kind) if item.name != "own"}  # type: ignore[arg-type]
    prefix = f"{where}." if where else ""
    unknown = [name for name in table if name not in known]
    if unknown:
        raise SettingsError(
            f"unknown setting {prefix}{unknown[0]}; known are {', '.join(sorted(known))}"
        )
    missing = [
        name
        for name, item in known.items()
        if name not in table
        and item.default is dataclasses.MISSING
        and item.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise SettingsError(f"setting {prefix}{missing[0]} is missing")
    return kind(**{name: _value(hints[name], table[name], f"{prefix}{name}") for name in table})


def _value(hint: Any, value: Any, where: str) -> Any:
    """Return a value as its annotation asks, or say what was expected."""
    if dataclasses.is_dataclass(hint):
        return build(hint, value, where)  # type: ignore[arg-type]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _one_of(arguments, value, where)
    if origin is Literal:
        if value not in arguments:
            choices = ", ".join(repr(choice) for choice in arguments)
            raise SettingsError(f"{where} must be one of {choices}, got {value!r}")
        return value
    if origin is tuple and isinstance(value, list):
        return tuple(_value(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {key: _value(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    if hint is float and type(value) is int:
        return float(value)
    if isinstance(hint, type) and type(value) is hint:
        return value
    name = getattr(hint, "__name__", str(hint)) if origin is None else str(hint)
    raise SettingsError(f"{where} must be of type {name}, got {value!r}")


def _one_of(hints: tuple[Any, ...], value: Any, where: str) -> Any:
    choices = [hint for hint in hints if hint is not types.NoneType]
    if len(choices) == 1:
        return _value(choices[0], value, where)
    for hint in choices:
        try:
            return _value(hint, value, where)
        except SettingsError:
            continue
    expected = " or ".join(getattr(hint, "__name__", str(hint)) for hint in choices)
    raise SettingsError(f"{where} must be of type {expected}, got {value!r}")
