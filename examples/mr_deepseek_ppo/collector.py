"""Sampling and scoring the completions of a step, this process's share of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

import rlrewards as rr
from examples.common.settings import Settings
from examples.mr_deepseek_ppo import rollout
from examples.mr_deepseek_ppo.policy import Policy
from examples.mr_deepseek_ppo.rollout import Rollout
from rlrewards.adapters.sinks import records_of


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


def _column(values: Iterable[float]) -> Tensor:
    return torch.tensor([float(value) for value in values], dtype=torch.float64)
