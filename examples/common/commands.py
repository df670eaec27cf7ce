"""The command line that the recipes share: stages, options, and errors of one line.

    python -m examples.NAME all --config examples/NAME/tiny.toml --out runs/NAME --seed 0
    python -m examples.NAME rl  --config examples/NAME/full.toml --dry-run

A recipe is a `Recipe`: for each stage a function of the `Run`.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from examples.common import models, preflight, settings
from examples.common.preflight import PreflightError
from examples.common.settings import Settings, SettingsError

STAGES = ("prepare", "sft", "rl", "evaluate")


@dataclass(frozen=True)
class Run:
    """One run: its settings and where its files are. Every stage has a folder of its own."""

    settings: Settings
    out: Path
    seed: int = 0
    resume: bool = False

    @property
    def data(self) -> Path:
        """Folder of the prepared examples: sft.jsonl, rl.jsonl, evaluation_NAME.jsonl."""
        return self.out / "data"

    def stage(self, name: str) -> Path:
        """Return the folder of a stage."""
        return self.out / name

    def saved(self, name: str) -> Path:
        """Return where a stage saves what it trained."""
        return self.out / name / "final"

    def latest(self, *names: str) -> Path | None:
        """Return what the first of the stages that has run saved."""
        return next((self.saved(name) for name in names if self.saved(name).is_dir()), None)

    def seed_of(self, stage: Any) -> int:
        """Return the seed of a stage: its own or the settings', moved by --seed."""
        return self.seed + (self.settings.seed if stage.seed is None else stage.seed)


Stage = Callable[[Run], None]


@dataclass(frozen=True)
class Recipe:
    """A recipe by its parts.

    Attributes:
        name: Its folder under examples/.
        description: One line for --help.
        stages: prepare, sft, rl, evaluate: each a function of the run.
        plan: What --dry-run prints, for the stages that were asked for.
        check: What is looked at before the first stage; raises PreflightError.
        own: The recipe's own tables of the settings.
    """

    name: str
    description: str
    stages: Mapping[str, Stage]
    plan: Callable[[Run, Sequence[str]], str]
    check: Callable[[Run, Sequence[str]], None]
    own: Mapping[str, type[Any]] = field(default_factory=dict)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and leave with status 2; of several processes the first says it."""
        self.exit(2, f"{self.prog}: {message}\n" if is_first() else None)


def parser_for(recipe: Recipe) -> Parser:
    """Return the parser of a recipe's options."""
    parser = Parser(prog=f"python -m examples.{recipe.name}", description=recipe.description)
    folder = Path("examples") / recipe.name
    parser.add_argument("stage", choices=[*recipe.stages, "all"])
    parser.add_argument(
        "--config",
        type=Path,
        help=f"settings ({folder / 'tiny.toml'}; with --model smollm2 smollm2.toml beside it)",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("runs") / recipe.name, help="folder (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn")
    parser.add_argument("--model", help="tiny, smollm2, a folder, or the id of a hub")
    parser.add_argument(
        "--devices", type=int, help="that share the batch (WORLD_SIZE, or as the settings say)"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--dry-run", action="store_true", help="print the plan and leave")
    return parser


def main(recipe: Recipe, argv: Sequence[str] | None = None) -> int:
    """Run a recipe's command line; return the exit status."""
    parser = parser_for(recipe)
    options = parser.parse_args(argv)
    if options.seed < 0:
        parser.error(f"--seed must be at least 0, got {options.seed}")
    stages = list(recipe.stages) if options.stage == "all" else [options.stage]
    try:
        run = make_run(recipe, options, stages)
        if options.dry_run:
            print(recipe.plan(run, stages))
            return 0
        recipe.check(run, stages)
        execute(recipe, run, stages)
    except (SettingsError, PreflightError) as error:
        parser.error(str(error))
    except OSError as error:
        parser.error(f"{error.filename or options.out}: {error.strerror or error}")
    return 0


def default_config(recipe: Recipe, model: str | None) -> Path:
    """Return the settings of a run that names none: those that suit the model."""
    name = "smollm2.toml" if model == "smollm2" else "tiny.toml"
    return Path("examples") / recipe.name / name


def make_run(recipe: Recipe, options: argparse.Namespace, stages: Sequence[str]) -> Run:
    """Return the run that the options ask for."""
    config = options.config or default_config(recipe, options.model)
    found = settings.read(config, own=recipe.own, recipe=recipe.name)
    if options.model is not None:
        model = dataclasses.replace(found.model, name=options.model, revision=None)
        found = dataclasses.replace(found, model=model)
    if (shape := models.known_shape(found.model)) is not None:
        model = dataclasses.replace(found.model, shape=shape)
        found = dataclasses.replace(found, model=model)
    devices = options.devices or int(os.environ.get("WORLD_SIZE", found.devices))
    found = settings.shared_by(found, devices, stages=stages)
    return Run(found, options.out, seed=options.seed, resume=options.resume)


def execute(recipe: Recipe, run: Run, stages: Sequence[str]) -> None:
    """Run the stages one after the other, each timed."""
    quiet()
    if run.settings.model.name == "tiny":
        import torch

        torch.set_num_threads(1)  # so little work is done faster than it is shared out
    run.out.mkdir(parents=True, exist_ok=True)
    with only_the_first_speaks():
        for name in stages:
            begun = time.perf_counter()
            print(f"== {name}", flush=True)
            recipe.stages[name](run)
            print(f"   {name} took {time.perf_counter() - begun:.1f} s", flush=True)


def is_first() -> bool:
    """Return whether this is the only process, or the first of several."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def only_the_first_speaks() -> Iterator[None]:
    """Of several processes, keep all but the first from printing."""
    if is_first():
        yield
        return
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        yield


def quiet() -> None:
    """Silence what others would say at each step, and keep a local model off the network."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # The name that TRL's configuration has for a setting, which transformers has renamed.
    message = ".*gradient_checkpointing.* is deprecated"
    warnings.filterwarnings("ignore", message=message, category=FutureWarning)
    import datasets
    from transformers.utils import logging

    logging.disable_progress_bar()
    datasets.disable_progress_bars()


def check_packages(run: Run) -> None:
    """Refuse where a package that these settings need is missing."""
    preflight.require_packages(preflight.packages_for(run.settings))


def leave(recipe: Recipe) -> NoReturn:
    """Run the command line and end the process with its status."""
    sys.exit(main(recipe))
