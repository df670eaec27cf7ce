"""One GRPO step of a 32B model in NF4: seconds and peak memory, with random weights.

    python benchmarks/qlora_step.py                                    # one H100 or H200
    python benchmarks/qlora_step.py --layers 2 --hidden 64 --prompt 8 --completion 8   # anywhere

Qwen2.5-32B-Instruct's shape (its configuration, no weights are downloaded), linear layers in NF4,
adapters of rank 32, K completions of a prompt, the loss from hidden states by `linear_loss`,
the reference by switching the adapters off, AdamW. Random weights take the memory and the time of
trained ones. Layers are made and quantized one at a time, so that the whole is never held in
bfloat16.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rlrewards.kernels import PolicyObjective, linear_logprob, linear_loss
from rlrewards.objectives import group_relative, recipes

SHAPE = {
    "hidden_size": 5120,
    "intermediate_size": 27648,
    "num_hidden_layers": 64,
    "num_attention_heads": 40,
    "num_key_value_heads": 8,
    "vocab_size": 152064,
}


def random_model(config: Any, device: torch.device) -> Any:
    """Return a Qwen2 of random weights, its linear layers but lm_head in NF4."""
    from accelerate import init_empty_weights
    from transformers import BitsAndBytesConfig, Qwen2ForCausalLM
    from transformers.integrations import replace_with_bnb_linear

    kind = torch.bfloat16
    nf4 = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=kind
    )
    with init_empty_weights():
        model = Qwen2ForCausalLM(config).to(kind)
        model = replace_with_bnb_linear(
            model, modules_to_not_convert=["lm_head"], quantization_config=nf4
        )
    for module in model.modules():
        fill(module, kind, device)
    rotary = model.model.rotary_emb
    model.model.rotary_emb = type(rotary)(config).to(device)
    return model


def fill(module: nn.Module, kind: torch.dtype, device: torch.device) -> None:
    """Give a module's own empty weights random numbers, packed where it packs them."""
    import bitsandbytes as bnb

    for name, old in [*module.named_parameters(recurse=False)]:
        drawn = torch.empty(old.shape, dtype=kind, device=device).normal_(std=0.02)
        if isinstance(module, bnb.nn.Linear4bit) and name == "weight":
            shape = (module.out_features, module.in_features)
            drawn = torch.empty(shape, dtype=kind, device=device).normal_(std=0.02)
            new: Any = bnb.nn.Params4bit(drawn, requires_grad=False, quant_type="nf4").to(device)
        else:
            new = nn.Parameter(drawn, requires_grad=False)
        setattr(module, name, new)


def step(model: Any, optimizer: Any, options: argparse.Namespace, device: torch.device) -> float:
    """Take one step on random completions of random rewards; return the loss."""
    base, vocabulary = model.get_base_model(), model.config.vocab_size
    rows, width = options.completions, options.prompt + options.completion
    ids = torch.randint(vocabulary, (rows, width), device=device)
    labels = ids[:, options.prompt :]
    mask = torch.ones_like(labels, dtype=torch.bool)
    rewards = torch.rand(rows, device=device)
    advantages = group_relative(rewards, torch.zeros(rows, dtype=torch.long, device=device))

    def hidden() -> Tensor:
        state = base.model(input_ids=ids, use_cache=False).last_hidden_state
        found: Tensor = state[:, options.prompt - 1 : -1].to(base.lm_head.weight.dtype)
        return found.contiguous()

    with torch.no_grad(), model.disable_adapter():
        ref_logp = linear_logprob(hidden(), base.lm_head.weight, labels).logp
    objective = PolicyObjective(
        recipes.grpo, advantages, mask, settings={"beta": 0.1, "ref_logp": ref_logp}
    )
    loss = linear_loss(hidden(), base.lm_head.weight, labels, objective).loss
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def generate(model: Any, options: argparse.Namespace, device: torch.device) -> None:
    """Draw completions of full length through transformers."""
    model.eval()  # checkpointing of gradients would switch the cache off
    prompt = torch.randint(model.config.vocab_size, (1, options.prompt), device=device)
    with torch.no_grad():
        model.generate(
            input_ids=prompt.expand(options.completions, -1),
            max_new_tokens=options.completion,
            min_new_tokens=options.completion,
            do_sample=True,
            pad_token_id=0,
        )
    model.train()


def timed(device: torch.device, work: Callable[[], Any]) -> float:
    """Return the seconds that something takes."""
    begun = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begun


def peak_gib(device: torch.device) -> float:
    """Return the most memory that was held: of the GPU, or of the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--layers", type=int, default=SHAPE["num_hidden_layers"])
    parser.add_argument("--hidden", type=int, default=SHAPE["hidden_size"])
    parser.add_argument("--prompt", type=int, default=512, help="tokens")
    parser.add_argument("--completion", type=int, default=1500, help="tokens")
    parser.add_argument("--completions", type=int, default=3, help="K")
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--generate", action="store_true", help="time the sampling, too")
    parser.add_argument("--out", type=Path, help="a file for the numbers, as JSON")
    options = parser.parse_args()
    try:
        from peft import LoraConfig, get_peft_model
        from transformers import Qwen2Config
    except ImportError as error:
        parser.error(f"{error}; install with: pip install 'rlrewards[trl,qlora]'")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu" and options.hidden * options.layers > 4096:
        parser.error("no GPU found, and this size needs one; try --layers 2 --hidden 64")
    sizes = dict(SHAPE, num_hidden_layers=options.layers, hidden_size=options.hidden)
    if options.hidden != SHAPE["hidden_size"]:  # the proportions of the whole
        sizes |= {"intermediate_size": 4 * options.hidden, "vocab_size": 1024}
        sizes |= {"num_attention_heads": 4, "num_key_value_heads": 2}
    begun = time.perf_counter()
    model = random_model(Qwen2Config(**sizes, tie_word_embeddings=False), device)
    model = get_peft_model(model, LoraConfig(r=options.rank, lora_alpha=64, lora_dropout=0.0,
                                             target_modules="all-linear"))  # fmt: skip
    model.get_base_model().gradient_checkpointing_enable({"use_reentrant": False})
    model.train()
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=5e-6)
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    weights = sum(numbers_in(weight) for weight in model.parameters())
    print(f"{name}, torch {torch.__version__}: {weights:,} weights, "
          f"{sum(w.numel() for w in trained):,} trained, "
          f"made in {time.perf_counter() - begun:.0f} s, {peak_gib(device):.1f} GiB")  # fmt: skip
    sampling = None
    with torch.autocast(device.type, torch.bfloat16) if device.type == "cuda" else nullcontext():
        if options.generate:
            sampling = timed(device, lambda: generate(model, options, device))
        seconds = [
            timed(device, lambda: step(model, optimizer, options, device))
            for _ in range(options.steps)
        ]
    moved = [w for name, w in model.named_parameters() if "lora_B" in name and w.abs().sum() > 0]
    assert moved, "the adapters have not moved: no gradient reached them"
    best, peak = min(seconds), peak_gib(device)
    print(f"K {options.completions}, {options.prompt} + {options.completion} tokens: "
          f"{best:.2f} s a step (loss, reference, backward, AdamW), first {seconds[0]:.2f} s; "
          f"peak {peak:.1f} GiB"
          + ("" if sampling is None else f"; sampling {sampling:.1f} s"))  # fmt: skip
    if options.out:
        found = {"device": name, "weights": weights, "seconds": seconds, "peak_gib": peak,
                 "sampling_seconds": sampling, "torch": torch.__version__}  # fmt: skip
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


def numbers_in(weight: Any) -> int:
    """Return how many numbers a weight stands for: packed ones hold two to a byte."""
    return int(weight.numel() * (2 if weight.dtype == torch.uint8 else 1))


if __name__ == "__main__":
    sys.exit(main())
