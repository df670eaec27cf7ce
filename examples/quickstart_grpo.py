"""Train a tiny language model with a stack of rewards and TRL's GRPOTrainer, on two CPU cores.

    python examples/quickstart_grpo.py --seed 0

A Qwen model of a few layers, built from its configuration, is asked for sums such as "7 + 5 =". A
short supervised warm-up teaches it the form `<think> … </think> <answer> … </answer>`, on sloppy
arithmetic: most of the answers that it imitates are near misses. Then GRPO trains it on the reward
alone. What rises is the accuracy; the form is there from the first step. Needs no network.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import rlrewards as rr
from rlrewards.adapters.trl import JsonlSink, reward_functions

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

LARGEST_TERM = 9
MAX_LENGTH = 24  # tokens of a completion
PROMPTS_A_STEP, COMPLETIONS_A_PROMPT = 16, 8
WINDOW = 20  # steps at either end that are compared
STEPS = 120
WARM_UP_STEPS = 200
HIDDEN, LAYERS = 96, 2


def make_stack() -> rr.Stack:
    """Return the reward: right answers above all, then the form, then brevity and variety."""
    return rr.Stack(
        {
            "accuracy": (1.0, rr.Accuracy()),
            "format": (0.2, rr.ThinkAnswerFormat()),
            "cosine_length": (
                0.2,
                rr.CosineLength(
                    max_length=MAX_LENGTH,
                    correct=(1.0, 0.5),
                    wrong=(-0.5, 0.0),
                    exceed=-1.0,
                    margin_tokens=1,
                ),
            ),
            "repetition": (0.1, rr.RepetitionPenalty()),
            "soft_overlong": (0.2, rr.SoftOverlong(max_length=MAX_LENGTH, buffer=8)),
        }
    )


# ---------------------------------------------------------------------------------------------
# The task


def questions() -> list[dict[str, str]]:
    """Return every question and its answer."""
    terms = range(1, LARGEST_TERM + 1)
    return [{"prompt": f"{a} + {b} =", "answer": str(a + b)} for a in terms for b in terms]


def sloppy_completion(question: dict[str, str], rng: random.Random) -> str:
    """Return a completion in the right form, whose answer is a near miss more often than not."""
    sum_ = question["prompt"].removesuffix(" =")
    thoughts = " so ".join([sum_] * rng.choice([1, 1, 1, 2, 2, 3]))
    answer = max(0, int(question["answer"]) + rng.choice([-2, -1, 0, 1, 2]))
    return f"<think> {thoughts} </think> <answer> {answer} </answer>"


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer of whole words and whole numbers."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tags = ["<think>", "</think>", "<answer>", "</answer>"]
    numbers = [str(number) for number in range(2 * LARGEST_TERM + 3)]
    words = ["<pad>", "<eos>", "<unk>", *tags, "+", "=", "so", *numbers]
    tokenizer = Tokenizer(
        models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<eos>",
        unk_token="<unk>",
        padding_side="left",
    )


def build_model(tokenizer: PreTrainedTokenizerFast) -> Qwen3ForCausalLM:
    """Return a Qwen3 model with some 200,000 random weights."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    return Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(tokenizer),
            hidden_size=HIDDEN,
            intermediate_size=2 * HIDDEN,
            num_hidden_layers=LAYERS,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=HIDDEN // 4,
            max_position_embeddings=64,
            tie_word_embeddings=True,
            initializer_range=HIDDEN**-0.5,  # the usual 0.02 is for wide models; here it is slow
            attention_dropout=0.0,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=None,
        )
    )


def warm_up(
    model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, rng: random.Random, steps: int
) -> float:
    """Teach the model the form of a completion by supervised learning; return the last loss."""
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.0)
    pool = questions()
    model.train()
    loss = torch.zeros(())
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * min(1.0, 2 * (1 - step / steps))
        batch = rng.choices(pool, k=64)
        texts = [f"{q['prompt']} {sloppy_completion(q, rng)} <eos>" for q in batch]
        encoded = tokenizer(texts, return_tensors="pt", padding=True)
        labels = encoded["input_ids"].masked_fill(encoded["attention_mask"] == 0, -100)
        labels[(labels != -100).cumsum(dim=1) <= 4] = -100  # the prompt is given, not learnt
        loss = model(
            input_ids=encoded["input_ids"], attention_mask=encoded["attention_mask"], labels=labels
        ).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return loss.item()


# ---------------------------------------------------------------------------------------------
# Training


def train(
    model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, *, steps: int, seed: int, out: Path
) -> list[dict[str, Any]]:
    """Run GRPO and return what was logged at each step."""
    from datasets import Dataset
    from transformers import PrinterCallback, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    stack = make_stack()
    history: list[dict[str, Any]] = []

    class Progress(TrainerCallback):
        """Keeps, writes and shows what is logged."""

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if "reward" not in logs:
                return
            row = {"step": state.global_step, "total": logs["reward"]}
            row |= {part.name: logs[part.name] for part in stack.parts}
            row |= {"length": logs["completions/mean_length"], "seconds": logs["step_time"]}
            history.append(row)
            with open(out / "metrics.jsonl", "a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            if row["step"] % 10 == 0 or row["step"] in (1, steps):
                print(show(row, steps), flush=True)

    trainer = GRPOTrainer(
        model=model,
        processing_class=tokenizer,
        reward_funcs=reward_functions(
            stack,
            eos_token_id=tokenizer.eos_token_id,
            verdict_sink=JsonlSink(out / "completions.jsonl"),
        ),
        train_dataset=Dataset.from_list(questions()),
        args=GRPOConfig(
            output_dir=str(out),
            max_steps=steps,
            seed=seed,
            per_device_train_batch_size=PROMPTS_A_STEP * COMPLETIONS_A_PROMPT,
            num_generations=COMPLETIONS_A_PROMPT,
            max_completion_length=MAX_LENGTH,
            learning_rate=5e-4,
            lr_scheduler_type="constant",
            scale_rewards="none",  # or a token of length weighs as much as right against wrong
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
        ),
        callbacks=[Progress()],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return history


def show(row: dict[str, Any], steps: int) -> str:
    """Return one line of progress."""
    return (
        f"step {row['step']:>4}/{steps}  reward {row['total']:+.3f}  "
        f"accuracy {row['accuracy']:.3f}  format {row['format']:.3f}  "
        f"length {row['length']:4.1f} tokens  {row['seconds']:.2f} s"
    )


# ---------------------------------------------------------------------------------------------
# What came of it


def mean(history: list[dict[str, Any]], key: str) -> float:
    """Return the mean of a logged value over the steps, whichever have one."""
    values = [row[key] for row in history if row[key] is not None]
    return sum(values) / len(values) if values else float("nan")


def summarise(history: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the means of the first and the last steps."""
    first, last = history[:WINDOW], history[-WINDOW:]
    return {
        key: {"first": round(mean(first, key), 4), "last": round(mean(last, key), 4)}
        for key in ("total", "accuracy", "format")
    }


def variety() -> str:
    """Return how varied the questions are: nobody learns this by always giving one answer."""
    answers = Counter(question["answer"] for question in questions())
    prompts = len({question["prompt"] for question in questions()})
    answer, count = answers.most_common(1)[0]
    return (
        f"{prompts} prompts with {len(answers)} answers; "
        f"the commonest, {answer}, is right for {count / prompts:.0%}"
    )


def draw(history: list[dict[str, Any]], path: Path) -> None:
    """Save a picture of the total and of each part over the steps, with moving averages."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    names = ["total", *(part.name for part in make_stack().parts)]
    figure, axes = plt.subplots(2, 3, figsize=(12, 6), sharex=True, layout="constrained")
    for axis, name in zip(axes.flat, names, strict=True):
        points = [(row["step"], row[name]) for row in history if row[name] is not None]
        steps = [step for step, _ in points]
        values = [value for _, value in points]
        axis.plot(steps, values, color="tab:blue", alpha=0.3, linewidth=1)
        axis.plot(steps, moving_average(values), color="tab:blue", linewidth=2)
        axis.set_title(name.replace("_", " "))
        axis.grid(alpha=0.3)
    figure.supxlabel("step")
    figure.supylabel("mean over the step's completions (parts: raw)")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def moving_average(values: list[float], window: int = 10) -> list[float]:
    """Return the mean of each value and those up to `window - 1` steps before it."""
    spans = [values[max(0, end - window) : end] for end in range(1, len(values) + 1)]
    return [sum(span) / len(span) for span in spans]


# ---------------------------------------------------------------------------------------------
# The command


def load() -> None:
    """Import what is heavy, and silence the one thing that others would say each time."""
    import importlib

    # The name that TRL's configuration has for a setting, which transformers has renamed.
    message = ".*gradient_checkpointing.* is deprecated"
    warnings.filterwarnings("ignore", message=message, category=FutureWarning)
    for name in ("matplotlib", "datasets", "torch", "transformers", "trl.trainer.grpo_trainer"):
        importlib.import_module(name)


def run(*, seed: int, steps: int, out: Path) -> dict[str, Any]:
    """Do the whole recipe; return its numbers."""
    begun = time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)
    for name in ("metrics.jsonl", "completions.jsonl"):
        (out / name).unlink(missing_ok=True)
    print("loading torch, transformers and trl ...", flush=True)
    load()
    import torch
    import transformers

    # So small a model is faster on one core: sharing its little work out costs more than it saves.
    torch.set_num_threads(1)
    transformers.set_seed(seed)
    tokenizer = build_tokenizer()
    model = build_model(tokenizer)
    print(f"loaded in {time.perf_counter() - begun:.1f} s", flush=True)
    print(f"task: {variety()}", flush=True)

    begun = time.perf_counter()
    loss = warm_up(model, tokenizer, random.Random(seed), WARM_UP_STEPS)
    print(f"warm-up: {WARM_UP_STEPS} steps, loss {loss:.3f}, {time.perf_counter() - begun:.1f} s")

    begun = time.perf_counter()
    history = train(model, tokenizer, steps=steps, seed=seed, out=out)
    seconds = time.perf_counter() - begun
    result = summarise(history) | {"seed": seed, "steps": len(history), "seconds": round(seconds)}
    draw(history, out / "reward.png")
    (out / "summary.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return result


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and leave with status 2."""
        self.exit(2, f"{self.prog}: {message}\n")


def main(argv: list[str] | None = None) -> int:
    """Run the command line."""
    parser = Parser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn")
    parser.add_argument("--steps", type=int, default=STEPS, help="of GRPO (%(default)s)")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/quickstart"), help="folder to write (%(default)s)"
    )
    options = parser.parse_args(argv)
    if options.steps < 1:
        parser.error(f"--steps must be at least 1, got {options.steps}")
    if options.seed < 0:
        parser.error(f"--seed must be at least 0, got {options.seed}")
    try:
        result = run(seed=options.seed, steps=options.steps, out=options.out)
    except OSError as error:
        parser.error(f"cannot write to --out {options.out}: {error.strerror}")
    except ImportError as error:
        parser.error(f"{error}; install with: pip install 'rlrewards[trl,report]'")
    print(f"trained {result['steps']} steps in {result['seconds']} s")
    for key in ("total", "accuracy", "format"):
        name = "mean reward" if key == "total" else f"mean {key}"
        first, last = result[key]["first"], result[key]["last"]
        print(f"{name:<14} first {WINDOW} steps {first:+.3f}   last {WINDOW} steps {last:+.3f}")
    print(f"saved {options.out / 'reward.png'}, metrics.jsonl, completions.jsonl, summary.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
