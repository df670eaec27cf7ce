"""The RL stage: roll out, score, train, write down, save; and again.

Read `train`. Every process holds its own rows of a step and the whole policy; with adapters on
4-bit weights an 8B policy takes 6 GiB, so nothing is sharded.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

import rlrewards as rr
from examples.common import models, preflight, records
from examples.common.commands import Run
from examples.common.generation import render
from examples.common.grpo import short_enough
from examples.common.preflight import PreflightError
from examples.common.settings import OptimizerSettings, Settings
from examples.mr_deepseek_ppo import checkpoints, own_settings, prompts, rollout
from examples.mr_deepseek_ppo.policy import Policy, without_dropout
from examples.mr_deepseek_ppo.ppo import ppo_step
from examples.mr_deepseek_ppo.rollout import Rollout
from rlrewards.adapters.sinks import records_of

SHOWN = ("reward", "format", "verified", "completion_tokens", "kl", "value_loss")


def train(run: Run, asked: Sequence[dict[str, Any]], stack: rr.Stack) -> list[dict[str, Any]]:
    """Run the stage and return its metrics, a row a step.

    Args:
        run: The settings, the folders and the seed.
        asked: The questions: `prompt` (messages), `reference`, and `options` where there are any.
        stack: What a completion is worth.
    """
    from accelerate import Accelerator

    settings, rl = run.settings, run.settings.rl
    assert rl is not None
    seed, folder = run.seed_of(rl), run.stage("rl")
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    policy, tokenizer = make_policy(run)
    policy.to(accelerator.device)
    policy.keep_as_reference()
    kept = short_enough(asked, tokenizer, rl.prompt_tokens)
    questions = [row | {"text": render(tokenizer, row["prompt"])} for row in kept]
    rows = rl.batch_size * rl.accumulation * accelerator.num_processes
    steps = own_settings.steps_of(rl, len(questions), accelerator.num_processes)
    optimizer = make_optimizer(policy, rl, settings.own["ppo"].value_learning_rate)
    schedule = make_schedule(optimizer, rl, steps)
    model, optimizer = accelerator.prepare(policy, optimizer)

    done = 0
    if run.resume:
        done = checkpoints.load(
            folder, policy=policy, optimizer=optimizer, schedule=schedule, accelerator=accelerator
        )
    metrics, completions = folder / "metrics.jsonl", folder / "completions.jsonl"
    if accelerator.is_main_process:
        for path in (metrics, completions):
            records.keep_until(path, done)
        print(
            f"   {len(questions):,} questions, {len(asked) - len(questions):,} left out as longer "
            f"than {rl.prompt_tokens} tokens; {rows} completions a step, {steps - done} steps to go"
        )
    ppo = own_settings.step_settings(settings, seed=seed)
    collector = Collector(policy, tokenizer, stack, settings, seed, accelerator)
    for step in range(done + 1, steps + 1):
        begun = time.perf_counter()
        chosen = rollout.questions_of(step, count=len(questions), rows=rows, seed=seed)
        batch, found = collector.collect([questions[index] for index in chosen], step)
        rate = schedule.get_last_lr()[0]
        found |= ppo_step(model, optimizer, accelerator, batch, ppo, step=step)
        schedule.step()
        row = {"step": step, **found, "learning_rate": rate}
        row["seconds"] = time.perf_counter() - begun
        if accelerator.is_main_process:
            records.append_jsonl(metrics, row)
            for record in collector.records:
                records.append_jsonl(completions, record)
            if step % max(1, steps // 10) == 0 or step in (1, steps):
                print(show(row, steps), flush=True)
        if step % rl.save_steps == 0 or step == steps:
            checkpoints.save(
                folder,
                step=step,
                policy=policy,
                optimizer=optimizer,
                schedule=schedule,
                accelerator=accelerator,
                keep=rl.keep,
            )
    accelerator.wait_for_everyone()
    history = records.read_jsonl(metrics)
    if accelerator.is_main_process:
        finish(run, policy, tokenizer, history)
    accelerator.wait_for_everyone()
    return history


def make_policy(run: Run) -> tuple[Policy, Any]:
    """Return the policy that the supervised stage left, or the bare model with new adapters."""
    settings, rl = run.settings, run.settings.rl
    assert rl is not None
    torch.manual_seed(run.seed_of(rl))  # of new adapters
    model, tokenizer = models.load(settings.model, folder=run.latest("sft"))
    preflight.require_chat_template(tokenizer, settings.model.name)
    prompts.without_opened_thinking(tokenizer)
    if settings.adapter is not None:
        model = models.with_adapter(model, settings.adapter)
    without_dropout(model)
    if settings.model.gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    return Policy(model, temperature=rl.temperature), tokenizer


def make_optimizer(
    policy: Policy, settings: OptimizerSettings, head_rate: float | None
) -> torch.optim.Optimizer:
    """Return the optimizer that the settings name; the value head may have a rate of its own."""
    head = list(policy.value_head.parameters())
    body = [w for name, w in policy.moving().items() if not name.startswith("value_head.")]
    groups = [
        {"params": body, "lr": settings.learning_rate},
        {"params": head, "lr": settings.learning_rate if head_rate is None else head_rate},
    ]
    return _optimizer(settings.optimizer)(groups, weight_decay=settings.weight_decay)


def _optimizer(name: str) -> Any:
    if name == "adamw_torch":
        return torch.optim.AdamW
    if name == "exadam":
        from pytorch_optimizer import EXAdam

        return EXAdam
    if name == "paged_adamw_8bit":
        from bitsandbytes.optim import PagedAdamW8bit

        return PagedAdamW8bit
    known = "adamw_torch, exadam, paged_adamw_8bit"
    raise PreflightError(f"rl.optimizer is {name!r}; this loop knows {known}")


def make_schedule(optimizer: Any, settings: OptimizerSettings, steps: int) -> Any:
    """Return the schedule of the learning rate: a step of it is a step of PPO."""
    from transformers import get_scheduler

    warm_up = math.ceil(settings.warmup_ratio * steps)
    return get_scheduler(
        settings.scheduler, optimizer, num_warmup_steps=warm_up, num_training_steps=steps
    )


class Collector:
    """Samples and scores the completions of a step."""

    def __init__(
        self,
        policy: Policy,
        tokenizer: Any,
        stack: rr.Stack,
        settings: Settings,
        seed: int,
        accelerator: Any,
    ) -> None:
        assert settings.rl is not None
        self.policy, self.tokenizer, self.stack = policy, tokenizer, stack
        self.rl, self.batch_size = settings.rl, settings.own["ppo"].rollout_batch_size
        self.seed, self.accelerator = seed, accelerator
        self.records: list[dict[str, Any]] = []  # of the last step, of all processes

    def collect(
        self, asked: Sequence[dict[str, Any]], step: int
    ) -> tuple[Rollout, dict[str, float]]:
        """Answer this process's share of the questions; return that, and the means of all."""
        uniforms = rollout.uniforms_of(
            step, rows=len(asked), tokens=self.rl.completion_tokens, seed=self.seed
        )
        size = len(asked) // self.accelerator.num_processes
        first = size * self.accelerator.process_index
        own = slice(first, first + size)
        ids, prompt_mask, completions, mask = self._sample(asked[own], uniforms[own])
        ends = rollout.end_tokens(self.policy.base, self.tokenizer)
        samples = rollout.samples_of(asked[own], completions, mask, self.tokenizer, ends)
        scores = self.stack.score(samples, step=step)
        self.records = self._gathered(records_of(samples, scores))
        rewards = torch.as_tensor(scores.total, dtype=torch.float32, device=mask.device)
        found = self._means(samples, scores)
        mask = mask & ~rewards.isnan().unsqueeze(1)  # no opinion: the row teaches nothing
        return Rollout(ids, prompt_mask, completions, mask, rewards), found

    def _sample(self, asked: Sequence[dict[str, Any]], uniforms: Tensor) -> tuple[Tensor, ...]:
        model = self.policy.language_model
        was_training = model.training
        model.eval()
        try:
            parts = [
                rollout.sample(
                    model,
                    self.tokenizer,
                    [row["text"] for row in asked[start : start + self.batch_size]],
                    uniforms[start : start + self.batch_size],
                    temperature=self.rl.temperature,
                )
                for start in range(0, len(asked), self.batch_size)
            ]
        finally:
            model.train(was_training)
        return rollout.joined(parts, self.tokenizer.pad_token_id)

    def _gathered(self, own: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if self.accelerator.num_processes == 1:
            return own
        from accelerate.utils import gather_object

        return gather_object(own)

    def _means(self, samples: Sequence[rr.Sample], scores: rr.Scores) -> dict[str, float]:
        """Return means over the rows of all processes; those of rewards leave out no opinions."""
        columns = {
            "reward": torch.as_tensor(scores.total),
            **{name: torch.as_tensor(column) for name, column in scores.columns.items()},
            "completion_tokens": _column(len(sample.token_ids or ()) for sample in samples),
            "characters": _column(len(sample.completion) for sample in samples),
            "truncated": _column(bool(sample.truncated) for sample in samples),
        }
        cells = torch.stack(list(columns.values())).to(torch.float64)
        sums = torch.stack([cells.nansum(1), (~cells.isnan()).sum(1).double()])
        total, count = self.accelerator.reduce(sums.to(self.accelerator.device), reduction="sum")
        return dict(zip(columns, (total / count).tolist(), strict=True))


def _column(values: Any) -> Tensor:
    return torch.tensor([float(value) for value in values], dtype=torch.float64)


def show(row: dict[str, Any], steps: int) -> str:
    """Return one line of progress."""
    return (
        f"   step {row['step']:>4}/{steps}  reward {row['reward']:.3f}  "
        f"format {row['format']:.3f}  verified {row['verified']:.3f}  "
        f"length {row['completion_tokens']:.1f} tokens  KL {row['kl']:+.4f}  {row['seconds']:.2f} s"
    )


def finish(run: Run, policy: Policy, tokenizer: Any, history: list[dict[str, Any]]) -> None:
    """Save what was trained, draw the curves, and say how the reward went."""
    final, folder = run.saved("rl"), run.stage("rl")
    models.save(policy.language_model, tokenizer, final)
    torch.save(policy.value_head.state_dict(), final / "value_head.pt")
    records.draw(history, SHOWN, folder / "curves.png")
    rise = records.ends([row["reward"] for row in history])
    print(
        f"   mean reward: first fifth {rise['first']:+.3f}, last fifth {rise['last']:+.3f} "
        f"({rise['rise_in_standard_errors']:+.1f} standard errors)"
    )
