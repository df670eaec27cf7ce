"""The RL stage: roll out, score, train, write down, save; and again.

Read `train`, then `Training.step`. Every process holds its own rows of a step and the whole policy;
with adapters on 4-bit weights an 8B policy takes 6 GiB, so nothing is sharded.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

import rlrewards as rr
from examples.common import models, records
from examples.common.commands import Run
from examples.common.generation import render
from examples.common.grpo import short_enough, summarize
from examples.common.training import finished, load
from examples.mr_deepseek_ppo import checkpoints, own_settings, prompts, rollout
from examples.mr_deepseek_ppo.collector import Collector
from examples.mr_deepseek_ppo.optimization import make_optimizer, make_schedule
from examples.mr_deepseek_ppo.policy import Policy, without_dropout
from examples.mr_deepseek_ppo.ppo import Ppo, ppo_step

Row = dict[str, Any]
SHOWN = ("reward", "format", "verified", "completion_tokens", "kl", "value_loss")


def train(run: Run, asked: Sequence[Row], stack: rr.Stack) -> list[Row]:
    """Run the stage and return its metrics, a row a step.

    Args:
        run: The settings, the folders and the seed.
        asked: The questions: `prompt` (messages), `reference`, and `options` where there are any.
        stack: What a completion is worth.
    """
    before = finished(run, "rl")
    if before is not None:
        return before
    training = make_training(run, asked, stack)
    begun = training.begin()
    for step in range(begun + 1, training.steps + 1):
        training.write(training.step(step))
        if step % training.save_steps == 0 or step == training.steps:
            training.save(step)
    training.accelerator.wait_for_everyone()
    history = records.read_jsonl(run.stage("rl") / "metrics.jsonl")
    if training.accelerator.is_main_process:
        training.finish(history)
    training.accelerator.wait_for_everyone()
    return history


@dataclass(frozen=True)
class Training:
    """A run of the stage: what moves, what it is asked, and how."""

    run: Run
    accelerator: Any
    policy: Policy
    model: Any  # the policy as the accelerator prepared it
    tokenizer: Any
    optimizer: Any
    schedule: Any
    collector: Collector
    ppo: Ppo
    questions: Sequence[Row]
    rows: int  # completions of a step, over all processes
    steps: int
    save_steps: int
    keep: int

    def begin(self) -> int:
        """Return the step to go on after: that of the last checkpoint, or 0; drop later records."""
        done = checkpoints.load(self) if self.run.resume else 0
        if self.accelerator.is_main_process:
            folder = self.run.stage("rl")
            for name in ("metrics.jsonl", "completions.jsonl"):
                records.keep_until(folder / name, done)
            print(
                f"   {len(self.questions):,} questions, {self.rows} completions a step, "
                f"{self.steps - done} steps to go"
            )
        return done

    def step(self, step: int) -> Row:
        """Answer some questions, learn from it, and return what happened."""
        begun = time.perf_counter()
        chosen = rollout.questions_of(
            step, count=len(self.questions), rows=self.rows, seed=self.ppo.seed
        )
        batch, found = self.collector.collect([self.questions[index] for index in chosen], step)
        rate = self.schedule.get_last_lr()[0]
        found |= ppo_step(self.model, self.optimizer, self.accelerator, batch, self.ppo, step=step)
        self.schedule.step()
        seconds = time.perf_counter() - begun
        return {"step": step, **found, "learning_rate": rate, "seconds": seconds}

    def write(self, row: Row) -> None:
        """Add a step to the records; show one now and then."""
        if not self.accelerator.is_main_process:
            return
        folder = self.run.stage("rl")
        records.append_jsonl(folder / "metrics.jsonl", row)
        for record in self.collector.records:
            records.append_jsonl(folder / "completions.jsonl", record)
        if row["step"] % max(1, self.steps // 10) == 0 or row["step"] in (1, self.steps):
            print(show(row, self.steps), flush=True)

    def save(self, step: int) -> None:
        """Write a checkpoint."""
        checkpoints.save(self, step)

    def finish(self, history: list[Row]) -> None:
        """Save what was trained, draw the curves, and say how the reward went."""
        final, folder = self.run.saved("rl"), self.run.stage("rl")
        models.save(self.policy.language_model, self.tokenizer, final)
        torch.save(self.policy.value_head.state_dict(), final / "value_head.pt")
        summarize(history, folder, SHOWN)


def make_training(run: Run, asked: Sequence[Row], stack: rr.Stack) -> Training:
    """Return all that the stage needs, at its first step."""
    from accelerate import Accelerator

    settings, rl = run.settings, run.settings.rl
    assert rl is not None
    # Weights have the precision of the settings already, adapters and value head float32.
    accelerator = Accelerator(cpu=not torch.cuda.is_available(), mixed_precision="no")
    policy, tokenizer = make_policy(run)
    policy.to(accelerator.device)
    policy.keep_as_reference()
    kept = short_enough(asked, tokenizer, rl.prompt_tokens)
    if len(kept) < len(asked) and accelerator.is_main_process:
        left = len(asked) - len(kept)
        print(f"   {left:,} questions of more than {rl.prompt_tokens} tokens are left out")
    steps = own_settings.steps_of(rl, len(kept), accelerator.num_processes)
    optimizer = make_optimizer(policy, rl, settings.own["ppo"].value_learning_rate)
    schedule = make_schedule(optimizer, rl, steps)
    model, prepared = accelerator.prepare(policy, optimizer)
    seed = run.seed_of(rl)
    return Training(
        run=run,
        accelerator=accelerator,
        policy=policy,
        model=model,
        tokenizer=tokenizer,
        optimizer=prepared,
        schedule=schedule,
        collector=Collector(policy, tokenizer, stack, settings, seed, accelerator),
        ppo=own_settings.step_settings(settings, seed=seed),
        questions=[row | {"text": render(tokenizer, row["prompt"])} for row in kept],
        rows=rl.batch_size * rl.accumulation * accelerator.num_processes,
        steps=steps,
        save_steps=rl.save_steps,
        keep=rl.keep,
    )


def make_policy(run: Run) -> tuple[Policy, Any]:
    """Return the policy that the supervised stage left, or the bare model with new adapters."""
    settings, rl = run.settings, run.settings.rl
    assert rl is not None
    model, tokenizer = load(run, rl, run.latest("sft"))
    prompts.without_opened_thinking(tokenizer)
    without_dropout(model)
    if settings.model.gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    return Policy(model, temperature=rl.temperature), tokenizer


def show(row: dict[str, Any], steps: int) -> str:
    """Return one line of progress."""
    return (
        f"   step {row['step']:>4}/{steps}  reward {row['reward']:.3f}  "
        f"format {row['format']:.3f}  verified {row['verified']:.3f}  "
        f"length {row['completion_tokens']:.1f} tokens  KL {row['kl']:+.4f}  {row['seconds']:.2f} s"
    )
