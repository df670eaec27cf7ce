"""Sampling completions with transformers; `vllm_engine` does the same with vLLM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

Messages = list[dict[str, str]]


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How a completion is drawn. A temperature of 0 takes the likeliest token each time."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    completion_tokens: int = 512


@dataclass(frozen=True)
class Completion:
    """One completion: its text, its token ids with the end token, whether it ran out of room."""

    text: str
    token_ids: list[int]
    truncated: bool


Sampler = Callable[[Sequence[Messages], Sampling], list[Completion]]
"""Draws one completion for each prompt."""


def has_vllm() -> bool:
    """Return whether vLLM is installed and has a GPU to run on."""
    import torch

    return find_spec("vllm") is not None and torch.cuda.is_available()


def generate(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Messages],
    sampling: Sampling,
    *,
    batch_size: int = 32,
) -> list[Completion]:
    """Return one completion for each prompt; torch's generator decides what is drawn."""
    import torch

    was_training = model.training
    model.eval()
    texts = [render(tokenizer, messages) for messages in prompts]
    found: list[Completion] = []
    try:
        with torch.no_grad():
            for start in range(0, len(texts), batch_size):
                chunk = texts[start : start + batch_size]
                found += _batch(model, tokenizer, chunk, sampling)
    finally:
        model.train(was_training)
    return found


def render(tokenizer: Any, messages: Messages) -> str:
    """Return the text of a conversation, up to where the assistant's turn begins."""
    return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)


def prompt_ids(tokenizer: Any, messages: Messages) -> list[int]:
    """Return the tokens of a conversation, up to where the assistant's turn begins."""
    text = render(tokenizer, messages)
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def _batch(model: Any, tokenizer: Any, texts: list[str], sampling: Sampling) -> list[Completion]:
    inputs = tokenizer(
        texts, return_tensors="pt", padding=True, padding_side="left", add_special_tokens=False
    )
    inputs = {name: inputs[name].to(model.device) for name in ("input_ids", "attention_mask")}
    ends = end_ids(model, tokenizer)
    drawn = model.generate(
        **inputs,
        **_arguments(sampling),
        eos_token_id=sorted(ends),
        pad_token_id=tokenizer.pad_token_id,
        use_cache=True,
    )
    rows = drawn[:, inputs["input_ids"].shape[1] :].tolist()
    return [_completion(tokenizer, row, ends) for row in rows]


def _arguments(sampling: Sampling) -> dict[str, Any]:
    # A model may bring settings of its own; what is asked here is all that holds.
    known = {"max_new_tokens": sampling.completion_tokens, "repetition_penalty": 1.0, "min_p": None}
    if sampling.temperature == 0:
        return known | {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    return known | {
        "do_sample": True,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
    }


def end_ids(model: Any, tokenizer: Any) -> set[int]:
    """Return every id that ends a completion."""
    known = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    several = known if isinstance(known, list) else [known]
    return {index for index in [*several, tokenizer.eos_token_id] if index is not None}


def _completion(tokenizer: Any, row: list[int], ends: set[int]) -> Completion:
    stop = next((place for place, index in enumerate(row) if index in ends), None)
    ids = row if stop is None else row[: stop + 1]
    return Completion(tokenizer.decode(ids, skip_special_tokens=True), ids, stop is None)
