"""A callback for the trainers: each step as a row of metrics.jsonl, and now and then as a line.

Imports transformers; the stages import it when they start.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import PrinterCallback, ProgressCallback, TrainerCallback

from examples.common.records import append_jsonl, keep_until

LINES = 10  # lines shown over a whole stage
# What is shown of a row, as far as it has it.
SHOWN = {
    "reward": "reward {:+.3f}",
    "loss": "loss {:.4f}",
    "mean_token_accuracy": "token accuracy {:.3f}",
    "eval_loss": "held-out loss {:.4f}",
    "eval_mean_token_accuracy": "held-out token accuracy {:.3f}",
    "kl": "KL {:.4f}",
    "completions/mean_length": "{:.1f} tokens",
}


class Journal(TrainerCallback):
    """Writes what is logged to a file; a resumed run continues the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Drop the rows that will be written again, or those of an earlier run."""
        if state.is_world_process_zero:
            keep_until(self.path, state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Write a row."""
        if state.is_world_process_zero and logs and "train_runtime" not in logs:
            append_jsonl(self.path, {"step": state.global_step} | logs)


class Lines(TrainerCallback):
    """Shows every so many of the steps, with the seconds since the stage began."""

    def __init__(self) -> None:
        self.begun = time.perf_counter()

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clock."""
        self.begun = time.perf_counter()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Show a row."""
        if not state.is_world_process_zero or not logs or "train_runtime" in logs:
            return
        every = max(1, math.ceil(state.max_steps / LINES))
        if state.global_step % every == 0 or state.global_step in (1, state.max_steps):
            seconds = time.perf_counter() - self.begun
            print(line(state.global_step, state.max_steps, logs, seconds), flush=True)


def line(step: int, steps: int, row: Mapping[str, Any], seconds: float) -> str:
    """Return one line of progress."""
    parts = [form.format(float(row[name])) for name, form in SHOWN.items() if name in row]
    return f"   step {step:>4}/{steps}  " + "  ".join([*parts, f"{seconds:.1f} s"])


def use_only(trainer: Any, *callbacks: TrainerCallback) -> None:
    """Add callbacks to a trainer and take away those that print."""
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    for callback in callbacks:
        trainer.add_callback(callback)
