"""Completions of a step and what they are worth.

Which questions a step asks, and the numbers that draw the tokens, follow from the seed, the step
and the row alone. So a run that is resumed, or cut over more processes, samples what it would have
sampled.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor

import rlrewards as rr


class Rollout(NamedTuple):
    """B rows, P tokens of prompt, T of completion."""

    prompts: Tensor  # [B, P], padded on the left: all completions start in the same column
    prompt_mask: Tensor  # [B, P]
    completions: Tensor  # [B, T], padded on the right
    mask: Tensor  # [B, T], true up to and including the end token
    rewards: Tensor  # [B], NaN where the stack has no opinion

    def at(self, rows: Tensor) -> Rollout:
        """Return some of the rows, without the columns that hold nothing of theirs."""
        part = Rollout(*(x[rows] for x in self))
        first = int(part.prompt_mask.any(0).long().argmax())
        last = max(1, int(part.mask.sum(1).max()))
        return Rollout(
            part.prompts[:, first:],
            part.prompt_mask[:, first:],
            part.completions[:, :last],
            part.mask[:, :last],
            part.rewards,
        )


class Drawn(LogitsProcessor):
    """Leaves one token a row: the one that a number drawn beforehand points at.

    ``min {v : F(v) > u·F(V)}`` with F the distribution function at the temperature, so greedy
    decoding of what is left is sampling.
    """

    def __init__(self, uniforms: Tensor, *, temperature: float, prompt_width: int) -> None:
        self.uniforms = uniforms  # [B, T], in [0, 1)
        self.temperature = temperature
        self.prompt_width = prompt_width

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return scores that are −∞ but for the token drawn."""
        u = self.uniforms[:, input_ids.shape[1] - self.prompt_width, None]
        below = (scores.double() / self.temperature).softmax(-1).cumsum(-1)
        token = torch.searchsorted(below, u * below[:, -1:], right=True)
        token = token.clamp(max=scores.shape[1] - 1)
        return torch.full_like(scores, -torch.inf).scatter_(1, token, 0.0)


@lru_cache(maxsize=4)
def _shuffled(count: int, seed: int, epoch: int) -> list[int]:
    order = list(range(count))
    random.Random(f"questions {seed} {epoch}").shuffle(order)
    return order


def questions_of(step: int, *, count: int, rows: int, seed: int) -> list[int]:
    """Return which of `count` questions a step asks: epochs of shuffles, one after the other.

    >>> sorted(questions_of(1, count=4, rows=2, seed=0) + questions_of(2, count=4, rows=2, seed=0))
    [0, 1, 2, 3]
    """
    places = (divmod(place, count) for place in range((step - 1) * rows, step * rows))
    return [_shuffled(count, seed, epoch)[index] for epoch, index in places]


def uniforms_of(step: int, *, rows: int, tokens: int, seed: int) -> Tensor:
    """Return the numbers that draw the tokens of a step, ``[rows, tokens]``, in [0, 1)."""
    generator = torch.Generator().manual_seed(
        random.Random(f"tokens {seed} {step}").getrandbits(63)
    )
    return torch.rand(rows, tokens, generator=generator, dtype=torch.float64)


@torch.no_grad()
def sample(
    model: Any, tokenizer: Any, texts: Sequence[str], uniforms: Tensor, *, temperature: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Draw a completion a prompt; return prompts, their mask, completions and theirs.

    The mask goes up to the first end token. It is not `completions != pad`: nothing keeps a model
    from drawing the padding token, and then it has to answer for that.
    """
    device = next(model.parameters()).device
    encoded = tokenizer(
        list(texts),
        return_tensors="pt",
        padding=True,
        padding_side="left",
        add_special_tokens=False,
    ).to(device)
    prompts, prompt_mask = encoded["input_ids"], encoded["attention_mask"]
    ends = end_tokens(model, tokenizer)
    width = prompts.shape[1]
    found = model.generate(
        input_ids=prompts,
        attention_mask=prompt_mask,
        logits_processor=[Drawn(uniforms.to(device), temperature=temperature, prompt_width=width)],
        generation_config=GenerationConfig(
            do_sample=False,
            max_new_tokens=uniforms.shape[1],
            eos_token_id=ends,
            pad_token_id=tokenizer.pad_token_id,
        ),
    )
    completions = found[:, width:]
    ended = torch.isin(completions, torch.tensor(ends, device=device))
    mask = ended.cumsum(1) - ended.long() == 0
    return prompts, prompt_mask, completions, mask


def end_tokens(model: Any, tokenizer: Any) -> list[int]:
    """Return the ids that end a completion: the tokenizer's, and those that the model names."""
    named = getattr(model.generation_config, "eos_token_id", None)
    named = named if isinstance(named, list) else [named]
    return sorted({token for token in [tokenizer.eos_token_id, *named] if token is not None})


def joined(parts: Sequence[tuple[Tensor, Tensor, Tensor, Tensor]], pad: int) -> tuple[Tensor, ...]:
    """Return several samples as one, padded to one width: prompts on the left, the rest right."""
    prompts, prompt_masks, completions, masks = zip(*parts, strict=True)
    wide, long = (max(x.shape[1] for x in xs) for xs in (prompts, completions))

    def left(x: Tensor, value: int) -> Tensor:
        return torch.nn.functional.pad(x, (wide - x.shape[1], 0), value=value)

    def right(x: Tensor, value: int) -> Tensor:
        return torch.nn.functional.pad(x, (0, long - x.shape[1]), value=value)

    return (
        torch.cat([left(x, pad) for x in prompts]),
        torch.cat([left(x, 0) for x in prompt_masks]),
        torch.cat([right(x, pad) for x in completions]),
        torch.cat([right(x, False) for x in masks]),
    )


def samples_of(
    questions: Sequence[dict[str, Any]],
    completions: Tensor,
    mask: Tensor,
    tokenizer: Any,
    ends: Sequence[int],
) -> list[rr.Sample]:
    """Return what the stack scores, a sample a row."""
    ids = [row[valid].tolist() for row, valid in zip(completions, mask, strict=True)]
    return [
        rr.Sample(
            tokenizer.decode(own, skip_special_tokens=True),
            reference=question["reference"],
            prompt=question["prompt"][-1]["content"],
            options=question.get("options"),
            token_ids=own,
            truncated=own[-1] not in ends,
        )
        for question, own in zip(questions, ids, strict=True)
    ]
