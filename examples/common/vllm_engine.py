"""Completions by vLLM, for evaluations where it is installed.

Prompts become tokens here, by the tokenizer of the recipe, so that both ways of sampling ask the
same. Adapters go on the model that the settings name, as in training.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from examples.common import generation, models
from examples.common.generation import Completion, Messages, Sampler, Sampling
from examples.common.settings import Settings

LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""The `max_lora_rank` that vLLM knows."""


def is_usable(settings: Settings, folder: Path | None) -> bool:
    """Return whether vLLM is there, is not refused, and knows this kind of model and adapters."""
    if settings.evaluation.vllm == "never" or settings.model.name == "tiny":
        return False
    if not generation.has_vllm():
        return False
    adapter = _adapter(folder)
    reason = _unknown(adapter) if adapter else None
    if reason:
        print(f"   vLLM does not know {reason}: completions by transformers")
    return reason is None


def _adapter(folder: Path | None) -> dict[str, Any] | None:
    """Return the configuration of the adapters in a folder, if there are any."""
    file = None if folder is None else folder / "adapter_config.json"
    if file is None or not file.exists():
        return None
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _unknown(adapter: dict[str, Any]) -> str | None:
    if adapter.get("use_dora"):
        return "DoRA"
    return f"adapters of rank {adapter['r']}" if adapter["r"] > LORA_RANKS[-1] else None


def make_sampler(settings: Settings, folder: Path | None, tokenizer: Any, *, seed: int) -> Sampler:
    """Return what draws completions of a model; its engine lives as long as the sampler.

    Args:
        settings: Of the recipe, with the model that adapters are put on.
        folder: What a stage saved: a whole model, or adapters; None: the model of the settings.
        tokenizer: Of the model, with the chat template that the recipe uses.
        seed: Of what is drawn: another for each completion, the same in each run.
    """
    from vllm import LLM, SamplingParams
    from vllm.lora.request import LoRARequest

    engine = LLM(**engine_arguments(settings, folder, seed=seed))
    adapter = LoRARequest("trained", 1, str(folder)) if _adapter(folder) else None
    drawn = 0

    def sampler(prompts: Sequence[Messages], sampling: Sampling) -> list[Completion]:
        nonlocal drawn
        asked = [
            {"prompt_token_ids": tokenizer(text, add_special_tokens=False)["input_ids"]}
            for text in (generation.render(tokenizer, messages) for messages in prompts)
        ]
        first, drawn = seed + drawn, drawn + len(asked)
        drawing = [
            SamplingParams(
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                top_k=sampling.top_k or -1,
                max_tokens=sampling.completion_tokens,
                stop_token_ids=[tokenizer.eos_token_id],
                seed=first + place,  # one seed for all would draw the same samples of a question
            )
            for place in range(len(asked))
        ]
        answers = engine.generate(asked, drawing, lora_request=adapter)
        return [_completion(answer.outputs[0]) for answer in answers]

    return sampler


def engine_arguments(settings: Settings, folder: Path | None, *, seed: int) -> dict[str, Any]:
    """Return what vLLM's `LLM` is told."""
    model, adapter = settings.model, _adapter(folder)
    if folder is not None and adapter is None:
        return {"model": str(folder), "dtype": model.dtype, "seed": seed}
    arguments = {"model": models.source(model), "dtype": model.dtype, "seed": seed}
    if model.revision is not None:
        arguments["revision"] = model.revision
    if model.quantization == "nf4":
        arguments["quantization"] = "bitsandbytes"
    if adapter is None:
        return arguments
    rank = next(rank for rank in LORA_RANKS if rank >= adapter["r"])
    return arguments | {"enable_lora": True, "max_lora_rank": rank}


def _completion(output: Any) -> Completion:
    return Completion(output.text, list(output.token_ids), output.finish_reason == "length")
