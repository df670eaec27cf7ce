"""The stages of the recipe: prepare, sft, rl, evaluate. Each reads what the one before it wrote."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from examples.common import models, prepared, records
from examples.common.commands import Run
from examples.mr_deepseek_ppo import preparation, reward

Row = dict[str, Any]
GENERATED = ["MedMCQA", "MedQA", "PubMedQA"]  # the benchmarks that sums stand in for


def prepare(run: Run) -> None:
    """Write sft.jsonl, rl.jsonl and a file for each benchmark."""
    settings = run.settings
    kinds = {
        "sft": (preparation.SFT_COLUMNS, preparation.demonstration),
        "rl": (preparation.RL_COLUMNS, preparation.problem),
    }
    for name, (columns, make) in kinds.items():
        rows = [make(row) for row in preparation.examples(settings, name, columns)]
        _write(prepared.path(run, name), rows)
    template = run.settings.own["passes"].prompt
    if settings.evaluation.sets:
        sets = {
            source.name: preparation.benchmark(source, seed=settings.seed)
            for source in settings.evaluation.sets
        }
    else:
        sets, template = preparation.generated_benchmarks(settings), "{question}"
    for name, rows in sets.items():
        _write(
            prepared.path(run, f"evaluation_{name}"),
            [preparation.choice(row, template) for row in rows],
        )


def _write(path: Path, rows: Sequence[Row]) -> None:
    print(f"   {records.write_jsonl(path, rows):,} rows in {path}", flush=True)


def sft(run: Run) -> None:
    """Imitate the demonstrations."""
    from examples.common import sft as stage

    rows, tokenizer = prepared.rows(run, "sft"), models.load_tokenizer(run.settings.model)
    stage.train(run, preparation.tokenized(rows, tokenizer))


def rl(run: Run) -> None:
    """Train with PPO."""
    from examples.mr_deepseek_ppo.training import train

    train(run, prepared.rows(run, "rl", ("prompt", "reference")), reward.stack_for(run.settings))


def evaluate(run: Run) -> None:
    """Ask the benchmarks: accuracies, characters, and pass@k of one of them."""
    from examples.mr_deepseek_ppo.evaluation import evaluate_models

    evaluate_models(run, prepared.benchmarks(run, GENERATED))
