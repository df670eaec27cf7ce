"""What training logs, kept: a row of metrics a step, and a table of completions.

    metrics.jsonl       step, reward and its parts, lengths, clip fractions, groups that teach
                        nothing, and whatever else was logged
    completions.jsonl   step, prompt, completion, what each part of the reward added, advantage

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
        self._written = -1

    def attach(self, trainer: Any) -> None:
        """Take the completions from this trainer."""
        self._trainer = trainer

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Make the folder, and take back what a run wrote after the step it goes on from."""
        if not state.is_world_process_zero:
            return
        self.out.mkdir(parents=True, exist_ok=True)
        for name in ("metrics.jsonl", "completions.jsonl"):
            _keep_until(self.out / name, state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Write a row of metrics, and the completions of the latest generation."""
        if not state.is_world_process_zero or not logs or "train_runtime" in logs:
            return
        row = {"step": state.global_step} | {name: _plain(value) for name, value in logs.items()}
        _append(self.out / "metrics.jsonl", [row])
        if self.completions and self._trainer is not None and self._written != state.global_step:
            self._written = state.global_step
            _append(self.out / "completions.jsonl", _completions(self._trainer, state.global_step))
        if self.on_row is not None:
            self.on_row(row)


def _completions(trainer: Any, step: int) -> list[dict[str, Any]]:
    logs = trainer._logs
    columns = {
        "prompt": logs["prompt"],
        "completion": logs["completion"],
        **{f"reward/{name}": values for name, values in logs["rewards"].items()},
        **dict(logs["extra"].items()),
        "advantage": logs["advantages"],
    }
    rows = zip(*columns.values(), strict=False)
    return [{"step": step} | dict(zip(columns, map(_plain, row), strict=True)) for row in rows]


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _append(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.writelines(json.dumps(row, default=str, ensure_ascii=False) + "\n" for row in rows)


def _keep_until(path: Path, step: int) -> None:
    """Drop the rows after a step; all of them where a run begins."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]
    path.write_text("".join(kept), encoding="utf-8")
