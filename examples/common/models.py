"""The model and its tokenizer, by name: tiny, smollm2, a folder, or the id of a hub.

`tiny` is a Qwen3 of a few layers with random weights and a tokenizer of whole words, built here in
a second. `smollm2` is the folder that `make smollm2` prepared. Weights may be held in NF4 and
trained through low-rank adapters.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from examples.common import tasks
from examples.common.preflight import PreflightError, first_line
from examples.common.settings import (
    AdapterSettings,
    ModelSettings,
    OptimizerSettings,
    ShapeSettings,
)

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

if TYPE_CHECKING:
    import torch
    from peft import LoraConfig
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ROOT = Path(__file__).parents[2]
SMOLLM2 = ROOT / "build" / "smollm2"
SMOLLM2_SHAPE = ShapeSettings(
    layers=30,
    hidden=576,
    intermediate=1536,
    heads=9,
    kv_heads=3,
    head_dim=64,
    vocabulary=49152,
    positions=8192,
)
TINY_SEED = 0
# The generation prompt is the beginning of the assistant's turn, so a prompt is a prefix of it.
TINY_TEMPLATE = (
    "{% for message in messages %}"
    "<|{{ message['role'] }}|>{{ ' ' + message['content'] if message['role'] != 'assistant' "
    "else message['content'] }}"
    "{{ '<eos>' if message['role'] == 'assistant' else '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def load(
    settings: ModelSettings, *, folder: Path | None = None, trainable: bool = True
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Return the model and its tokenizer.

    Args:
        settings: Which model.
        folder: What an earlier stage saved: a whole model, or adapters, which are put on the model
            that the settings name.
        trainable: Whether adapters that are loaded go on being trained.
    """
    tokenizer = load_tokenizer(settings)
    if folder is None:
        return _base(settings, tokenizer), tokenizer
    if not (folder / "adapter_config.json").exists():
        return _pretrained(settings, str(folder)), tokenizer
    from peft import PeftModel

    base = _base(settings, tokenizer)
    return PeftModel.from_pretrained(base, str(folder), is_trainable=trainable), tokenizer


def load_tokenizer(settings: ModelSettings) -> PreTrainedTokenizerBase:
    """Return the tokenizer, padding on the left as generation asks."""
    if settings.name == "tiny":
        return tiny_tokenizer()
    from transformers import AutoTokenizer

    where = source(settings)
    with from_hub(where):
        tokenizer = AutoTokenizer.from_pretrained(where, revision=settings.revision)
    tokenizer.padding_side = "left"
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def source(settings: ModelSettings) -> str:
    """Return the folder or hub id of a model that is not tiny."""
    return str(SMOLLM2) if settings.name == "smollm2" else settings.name


@contextmanager
def from_hub(where: str) -> Iterator[None]:
    """Tell in one line that a model cannot be loaded, and what to do."""
    try:
        yield
    except OSError as error:
        raise PreflightError(
            f"cannot load {where} ({first_line(error)}); with no network, download it elsewhere "
            "and give its folder: --model FOLDER"
        ) from error


def is_local(settings: ModelSettings) -> bool:
    """Return whether the weights are here already, so that no hub is asked."""
    return settings.name == "tiny" or Path(source(settings)).is_dir()


def known_shape(settings: ModelSettings) -> ShapeSettings | None:
    """Return the shape of a model whose configuration is here, else None."""
    file = Path(source(settings)) / "config.json"
    if settings.name == "tiny" or not file.is_file():
        return SMOLLM2_SHAPE if settings.name == "smollm2" else None
    found = json.loads(file.read_text(encoding="utf-8"))
    found = found.get("text_config", found)
    heads = found["num_attention_heads"]
    return ShapeSettings(
        layers=found["num_hidden_layers"],
        hidden=found["hidden_size"],
        intermediate=found["intermediate_size"],
        heads=heads,
        kv_heads=found.get("num_key_value_heads") or heads,
        head_dim=found.get("head_dim") or found["hidden_size"] // heads,
        vocabulary=found["vocab_size"],
        tied_embeddings=bool(found.get("tie_word_embeddings", False)),
        attention_biases=bool(found.get("attention_bias", found.get("model_type") == "qwen2")),
        positions=found["max_position_embeddings"],
    )


# ---------------------------------------------------------------------------------------------
# Weights


def _base(settings: ModelSettings, tokenizer: Any) -> PreTrainedModel:
    """Return the model before any training."""
    if settings.name != "tiny":
        return _pretrained(settings, source(settings))
    model = tiny_model(settings, tokenizer)
    if settings.quantization == "none":
        return model
    with tempfile.TemporaryDirectory() as folder:  # weights are quantised as they are read
        model.save_pretrained(folder)
        quantized = _pretrained(settings, folder)
    quantized.config._name_or_path = quantized.name_or_path = ""  # the folder is gone
    return quantized


def _pretrained(settings: ModelSettings, where: str) -> PreTrainedModel:
    import torch
    from transformers import AutoModelForCausalLM

    arguments: dict[str, Any] = {
        "dtype": getattr(torch, settings.dtype),
        "attn_implementation": settings.attention,
    }
    if where == settings.name and settings.revision is not None:
        arguments["revision"] = settings.revision
    if settings.quantization == "nf4":
        arguments["quantization_config"] = nf4(settings)
    if torch.cuda.is_available() and not is_sharded():
        arguments["device_map"] = {"": int(os.environ.get("LOCAL_RANK", "0"))}
    with from_hub(where):
        return AutoModelForCausalLM.from_pretrained(where, **arguments)


def nf4(settings: ModelSettings) -> Any:
    """Return the configuration of 4-bit NormalFloat weights."""
    import torch
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=settings.double_quantization,
        bnb_4bit_compute_dtype=getattr(torch, settings.dtype),
        # FSDP cuts tensors of one type alone, so there the packed weights are stored as that type.
        bnb_4bit_quant_storage=getattr(torch, settings.dtype) if is_sharded() else torch.uint8,
    )


def is_sharded() -> bool:
    """Return whether the weights are cut over the devices: FSDP, or ZeRO's third stage."""
    uses_fsdp = os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"
    return uses_fsdp or zero_stage() == 3


def zero_stage() -> int:
    """Return which stage of DeepSpeed's ZeRO was asked for; 0: none."""
    return int(os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE", "0"))


def adapter(settings: AdapterSettings) -> LoraConfig:
    """Return the configuration of the adapters."""
    from peft import LoraConfig

    targets = settings.targets if isinstance(settings.targets, str) else list(settings.targets)
    return LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=targets,
        use_dora=settings.dora,
        use_rslora=settings.rslora,
        bias="none",
        task_type="CAUSAL_LM",
    )


def with_adapter(model: Any, settings: AdapterSettings | None) -> Any:
    """Return the model with new adapters, or as it is where there are none, or some already."""
    from peft import PeftModel, get_peft_model

    if settings is None or isinstance(model, PeftModel):
        return model
    return get_peft_model(model, adapter(settings))


@contextmanager
def exact_adapters(model: Any) -> Iterator[None]:
    """Keep what is trained in the precision it has, whatever happens inside.

    TRL's trainers round the adapters of a quantised model to bfloat16. Its numbers near 0.01 are
    6e-5 apart, so that steps of a learning rate of 5e-6 would be lost.
    """
    kept = {name: weight.detach().clone() for name, weight in _trained(model)}
    yield
    for name, weight in _trained(model):
        if name in kept:
            weight.data = kept[name]


def _trained(model: Any) -> Iterator[tuple[str, Any]]:
    return ((name, weight) for name, weight in model.named_parameters() if weight.requires_grad)


def save(model: Any, tokenizer: Any, folder: Path) -> None:
    """Save what was trained, the adapters or the whole model, and the tokenizer."""
    from peft import PeftModel

    inner = getattr(model, "module", model)
    if isinstance(inner, PeftModel):
        inner.save_pretrained(str(folder), selected_adapters=["default"])
    else:
        inner.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))


def describe(model: Any) -> str:
    """Return how many weights a model has and how many of them are trained."""
    trained = sum(weight.numel() for _, weight in _trained(model))
    whole = model.num_parameters()
    return f"{whole:,} weights, {trained:,} trained"


def make_optimizer(settings: OptimizerSettings, model: Any) -> torch.optim.Optimizer | None:
    """Return the optimizer that transformers has no name for, else None: the trainer makes it."""
    if settings.optimizer != "exadam":
        return None
    from pytorch_optimizer import EXAdam

    return EXAdam(
        [weight for weight in model.parameters() if weight.requires_grad],
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
    )


def optimizer_name(settings: OptimizerSettings) -> str:
    """Return the optimizer's name as transformers knows it."""
    return "adamw_torch" if settings.optimizer == "exadam" else settings.optimizer


# ---------------------------------------------------------------------------------------------
# The tiny model


def tiny_tokenizer() -> PreTrainedTokenizerBase:
    """Return a tokenizer of whole words, each with and without the space before it.

    Line breaks are tokens of their own, so a text of known words comes back as it was.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = ["<pad>", "<eos>", "<unk>"]
    roles = ["<|system|>", "<|user|>", "<|assistant|>"]
    words = [*special, *roles, "\n", *tasks.WORDS, *(f" {word}" for word in tasks.WORDS)]
    inner = Tokenizer(
        models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>")
    )
    inner.pre_tokenizer = pre_tokenizers.Split(
        Regex(r" ?<[^<>\s]+>| ?[^\s<>]+|\n|\s|[<>]"), behavior="isolated"
    )
    inner.decoder = decoders.Fuse()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",
        eos_token="<eos>",
        unk_token="<unk>",
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = TINY_TEMPLATE
    return tokenizer


def tiny_model(settings: ModelSettings, tokenizer: Any) -> PreTrainedModel:
    """Return a Qwen3 of the settings' shape. Its random weights are the same each time.

    So adapters that were trained on it fit it again, as those of a downloaded model do.
    """
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    shape = settings.shape
    config = Qwen3Config(
        vocab_size=shape.vocabulary or len(tokenizer),
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        max_position_embeddings=shape.positions,
        tie_word_embeddings=shape.tied_embeddings,
        initializer_range=shape.hidden**-0.5,  # the usual 0.02 is for wide models; slow here
        attention_dropout=0.0,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        attn_implementation=settings.attention,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(TINY_SEED)
        return Qwen3ForCausalLM(config).to(getattr(torch, settings.dtype))
