"""What training logs, kept: a row of metrics a step, and a table of completions.

    metrics.jsonl       step, reward and its parts, lengths, clip fractions, groups that teach
                        nothing, and whatever else was logged
    completions.jsonl   step, prompt, completion, what each part of the reward added, advantage
    evaluations.jsonl   what evaluations in between logged

A run that goes on from a checkpoint first takes back the rows after it, so that none stands twice.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback


class ObjectiveCallback(TrainerCallback):  # type: ignore[misc]
    """Writes metrics and completions of a `GRPOTrainer` into a folder, from its main process.

    Under `ObjectiveGRPOTrainer` that is all; under TRL's own call `attach(trainer)` for the
    completions.

    Args:
        out: The folder, made where it is not there.
        completions: Whether to write the table of completions too.
        on_row: Called with each row of metrics: for progress on the screen.
    """

    def __init__(
        self,
        out: str | Path,
        *,
        completions: bool = True,
        on_row: Callable[[dict[str, Any]], object] | None = None,
    ) -> None:
        self.out = Path(out)
        self.completions = completions
        self.on_row = on_row
        self._trainer: Any = None
        self._pending: list[dict[str, Any]] = []  # completions that no log has come for yet

    def attach(self, trainer: Any) -> None:
        """Take the completions from this trainer: all that it generates to train on."""
        if self._trainer is trainer:
            return
        self._trainer = trainer
        generate = trainer._generate_and_score_completions

        def generating(inputs: Any) -> Any:
            output = generate(inputs)
            if self.completions and trainer.model.training:
                count = len(inputs) * trainer.accelerator.num_processes
                self._pending += _latest(trainer, count)
            return output

        trainer._generate_and_score_completions = generating

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Make the folder, and take back what a run wrote after the step it goes on from."""
        self._pending = []
        if not state.is_world_process_zero:
            return
        self.out.mkdir(parents=True, exist_ok=True)
        for name in (METRICS, COMPLETIONS, EVALUATIONS):
            _keep_until(self.out / name, state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Write a row of metrics, and the completions that were generated since the last."""
        pending, self._pending = self._pending, []
        if not state.is_world_process_zero or not logs or "train_runtime" in logs:
            return
        row = {"step": state.global_step} | {name: _plain(value) for name, value in logs.items()}
        if any(name.startswith("eval_") for name in logs):
            self._pending = pending
            _append(self.out / EVALUATIONS, [row])
            return
        _append(self.out / METRICS, [row])
        if pending:
            _append(self.out / COMPLETIONS, pending)
        if self.on_row is not None:
            self.on_row(row)


METRICS, COMPLETIONS, EVALUATIONS = "metrics.jsonl", "completions.jsonl", "evaluations.jsonl"


def _latest(trainer: Any, count: int) -> list[dict[str, Any]]:
    """Return the completions of the latest generation, as TRL has them for its own table."""
    logs = trainer._logs
    columns = {
        "prompt": logs["prompt"],
        "completion": logs["completion"],
        **{f"reward/{name}": values for name, values in logs["rewards"].items()},
        **dict(logs["extra"].items()),
        "advantage": logs["advantages"],
    }
    latest = {name: list(values)[-count:] for name, values in columns.items()}
    known = {name: values for name, values in latest.items() if len(values) == count}
    rows = zip(*known.values(), strict=True)
    step = {"step": trainer.state.global_step + 1}
    return [step | dict(zip(known, map(_plain, row), strict=True)) for row in rows]


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _append(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        file.writelines(json.dumps(row, default=str, ensure_ascii=False) + "\n" for row in rows)


def _keep_until(path: Path, step: int) -> None:
    """Drop the rows after a step; all of them where a run begins."""
    if not path.exists():
        return
    kept: list[str] = []
    if step:
        with open(path, encoding="utf-8", newline="\n") as file:  # no other sign ends a line
            kept = [line for line in file if line.endswith("\n") and _step(line) <= step]
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(kept)


def _step(line: str) -> int:
    return int(json.loads(line)["step"])
