"""A `GRPOTrainer` on a model of a few thousand weights, for tests; also a script for several ranks.

python tiny_trainer.py OUT RANK WORLD PORT MICRO_BATCHES     writes OUT/RANK.json
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

WORDS = ["<pad>", "<eos>", "<unk>", "+", "=", *map(str, range(12))]
PROMPTS = [f"{a} + {b} =" for a in range(4) for b in range(4)]
ROWS, GENERATIONS, LENGTH = 8, 4, 6


def tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    special = {"pad_token": "<pad>", "eos_token": "<eos>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=inner, padding_side="left", **special)


def model(**changes: Any) -> Any:
    """Return a Qwen3 model of one layer, always the same."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    sizes = {
        "vocab_size": len(WORDS),
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "max_position_embeddings": 32,
        "initializer_range": 0.25,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "bos_token_id": None,
    }
    torch.manual_seed(0)
    return Qwen3ForCausalLM(Qwen3Config(**(sizes | changes)))


def varied(completion_ids: Any, **_: Any) -> list[float]:
    """A reward that tells completions apart."""
    return [sum(ids) % 7 / 7 for ids in completion_ids]


def config(out: Path, **changes: Any) -> Any:
    from trl import GRPOConfig

    settings = {
        "output_dir": str(out),
        "max_steps": 4,
        "seed": 0,
        "learning_rate": 0.5,
        "optim": "sgd",
        "lr_scheduler_type": "constant",
        "max_grad_norm": 1e9,
        "per_device_train_batch_size": ROWS,
        "num_generations": GENERATIONS,
        "gradient_accumulation_steps": 2,
        "max_completion_length": LENGTH,
        "beta": 0.0,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "temperature": 0.9,
    }
    return GRPOConfig(**(settings | changes))


def trainer(kind: Any, args: Any, *, net: Any = None, rewards: Any = varied, **more: Any) -> Any:
    import warnings

    from datasets import Dataset
    from transformers import PrinterCallback

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*'rollout_func', which is an experimental.*")
        made = kind(
            model=model() if net is None else net,
            processing_class=tokenizer(),
            reward_funcs=rewards,
            train_dataset=Dataset.from_list([{"prompt": prompt} for prompt in PROMPTS]),
            args=args,
            **more,
        )
    made.remove_callback(PrinterCallback)
    return made


def trained(kind: Any, args: Any, **more: Any) -> tuple[list[dict[str, Any]], Any]:
    """Train; return what was logged at each step, and all weights in one vector."""
    import torch

    torch.set_num_threads(1)
    made = trainer(kind, args, **more)
    made.train()
    logs = [row for row in made.state.log_history if "grad_norm" in row]
    return logs, torch.cat([p.detach().flatten() for p in made.model.parameters()])


def fixed_completions(prompts: list[str], trainer: Any) -> dict[str, Any]:
    """Give each prompt the same completions, however its group is dealt out to processes."""
    words = tokenizer()
    first = trainer.accelerator.process_index * len(prompts)
    completions = []
    for place, prompt in enumerate(prompts):
        key = f"{prompt} {(first + place) % GENERATIONS}"
        drawn = hashlib.sha256(key.encode()).digest()
        length = 1 + drawn[0] % LENGTH
        completions.append([3 + byte % (len(WORDS) - 3) for byte in drawn[1 : length + 1]])
    ids = [words(prompt)["input_ids"] for prompt in prompts]
    return {"prompt_ids": ids, "completion_ids": completions, "logprobs": None}


def rank_main(out: Path, rank: int, world: int, port: str, micro_batches: int) -> None:
    """Train as one of several ranks."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    from rlrewards.adapters.trl import ObjectiveGRPOTrainer

    found = {}
    for loss_type in ("dapo", "grpo"):
        args = config(
            out / f"{rank}",
            loss_type=loss_type,
            gradient_accumulation_steps=micro_batches,
            ddp_backend="gloo",
        )
        logs, weights = trained(ObjectiveGRPOTrainer, args, rollout_func=fixed_completions)
        found[loss_type] = {"logs": logs, "weights": weights.tolist()}
    (out / f"{rank}.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    folder, own, ranks, free_port, steps = sys.argv[1:]
    rank_main(Path(folder), int(own), int(ranks), free_port, int(steps))
