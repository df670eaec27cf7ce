"""Completions by vLLM, for evaluations where it is installed.

One engine holds the model of the settings, and the adapters that the stages saved take turns on it:
the models of a table are asked in the same way. Prompts become tokens here, by the tokenizer of the
recipe, so that transformers would be asked the same.
"""

from __future__ import annotations

import gc
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from examples.common import generation, models
from examples.common.generation import Completion, Messages, Sampler, Sampling
from examples.common.settings import Settings

LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""The `max_lora_rank` that vLLM knows."""


def start(
    settings: Settings,
    folders: Sequence[Path | None],
    longest_prompt: Callable[[], int],
    *,
    seed: int,
) -> Engine | None:
    """Return an engine for all models of an evaluation, or None where transformers has to do.

    Args:
        settings: Of the recipe.
        folders: What the stages saved; None: the model of the settings.
        longest_prompt: Returns how many tokens the longest prompt has.
        seed: Of what is drawn.
    """
    if settings.evaluation.vllm == "never" or settings.model.name == "tiny":
        return None
    if not generation.has_vllm():
        return None
    reason = obstacle(settings, folders)
    if reason is not None:
        print(f"   completions by transformers: {reason}")
        return None
    return Engine(settings, folders, longest_prompt(), seed=seed)


def obstacle(settings: Settings, folders: Sequence[Path | None]) -> str | None:
    """Return why one engine cannot hold these models; None: it can."""
    for folder in folders:
        if folder is None:
            continue
        adapter = adapter_config(folder)
        if adapter is None:
            return "the models were trained whole, and an engine holds one"
        if adapter.get("use_dora"):
            return "vLLM does not know DoRA"
        if adapter["r"] > LORA_RANKS[-1]:
            return f"vLLM does not know adapters of rank {adapter['r']}"
        if settings.model.dtype == "float32":
            return "vLLM has no adapters in float32"
    return None


def adapter_config(folder: Path) -> dict[str, Any] | None:
    """Return the configuration of the adapters in a folder; None: it has a whole model."""
    file = folder / "adapter_config.json"
    if not file.exists():
        return None
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


class Engine:
    """A running vLLM.

    Args:
        settings: Of the recipe, with the model that adapters are put on.
        folders: Of the adapters.
        prompt_tokens: Of the longest prompt.
        seed: Of what is drawn: another for each completion, the same in each run.
    """

    def __init__(
        self, settings: Settings, folders: Sequence[Path | None], prompt_tokens: int, *, seed: int
    ) -> None:
        from vllm import LLM

        make_room()
        self.llm = LLM(**engine_arguments(settings, folders, prompt_tokens, seed=seed))
        self.folders = [*folders]
        self.seed = seed

    def sampler(self, folder: Path | None, tokenizer: Any) -> Sampler:
        """Return what draws completions of the model with the adapters of a folder, or without.

        Args:
            folder: What a stage saved; None: the model without adapters.
            tokenizer: Of the model, with the chat template that the recipe uses.
        """
        from vllm import SamplingParams
        from vllm.lora.request import LoRARequest

        number = 1 + self.folders.index(folder)
        request = None if folder is None else LoRARequest(str(folder), number, str(folder))
        seeds = random.Random(f"completions {self.seed}")

        def sampler(prompts: Sequence[Messages], sampling: Sampling) -> list[Completion]:
            drawing = [
                SamplingParams(
                    temperature=sampling.temperature,
                    top_p=sampling.top_p,
                    top_k=sampling.top_k or -1,
                    max_tokens=sampling.completion_tokens,
                    stop_token_ids=[tokenizer.eos_token_id],
                    seed=seeds.getrandbits(32),  # one for all would draw a question's samples alike
                )
                for _ in prompts
            ]
            ids = [generation.prompt_ids(tokenizer, messages) for messages in prompts]
            asked = [{"prompt_token_ids": each} for each in ids]
            answers = self.llm.generate(asked, drawing, lora_request=request)
            return [_completion(answer.outputs[0]) for answer in answers]

        return sampler


def make_room() -> None:
    """Give back what an earlier stage of this process held on the GPU."""
    import torch

    gc.collect()
    torch.cuda.empty_cache()


def engine_arguments(
    settings: Settings, folders: Sequence[Path | None], prompt_tokens: int, *, seed: int
) -> dict[str, Any]:
    """Return what vLLM's `LLM` is told."""
    model, asked = settings.model, settings.evaluation
    arguments: dict[str, Any] = {
        "model": models.source(model),
        "dtype": model.dtype,
        "max_model_len": prompt_tokens + asked.completion_tokens,
        "gpu_memory_utilization": asked.vllm_memory_share,
        "seed": seed,
    }
    if model.revision is not None:
        arguments["revision"] = model.revision
    if model.quantization == "nf4":
        arguments["quantization"] = "bitsandbytes"
    adapters = [adapter_config(folder) for folder in folders if folder is not None]
    ranks = [adapter["r"] for adapter in adapters if adapter is not None]
    if not ranks:
        return arguments
    rank = next(rank for rank in LORA_RANKS if rank >= max(ranks))
    return arguments | {"enable_lora": True, "max_lora_rank": rank}


def _completion(output: Any) -> Completion:
    return Completion(output.text, list(output.token_ids), output.finish_reason == "length")
