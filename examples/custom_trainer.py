"""Train the quickstart's tiny model in a loop of your own: plain PyTorch, no trainer library.

    python examples/custom_trainer.py --algorithm ppo     # a critic, reward at the last token
    python examples/custom_trainer.py --algorithm grpo    # no critic, prompts answered many times

This is what importing rlrewards into a trainer means. A stack scores the completions, an estimator
turns the rewards into advantages, a recipe turns the advantages into a loss, and its metrics come
with it: calls, all of them. How to sample, how to cut a batch and when to step stays yours. Read
`sample` first, which makes the padding and the mask; then `Policy`; then `ppo_step`, `grpo_step`.

The model, the sums that it is asked and the rewards are those of `quickstart_grpo.py`.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import quickstart_grpo as quickstart
import torch
from torch import Tensor

import rlrewards as rr
from rlrewards import objectives as rl

STEPS = 80
WARM_UP_STEPS = 150  # supervised, before all else: they teach the form of a completion
ROWS = 128  # completions of a step
COMPLETIONS_A_PROMPT = {"ppo": 1, "grpo": 8, "dapo": 8}  # a critic needs no others to compare with
EPOCHS = 2  # passes over the completions of a step
CHUNK = 64  # rows of a forward pass; PPO steps after each, GRPO after all of them
LEARNING_RATE = 5e-4
LAM = 0.95
VALUE_COEFFICIENT = 0.5
MAX_GRADIENT_NORM = 1.0


class Rollout(NamedTuple):
    """Completions and how good they are: B rows, P tokens of prompt, T of completion."""

    prompts: Tensor  # [B, P], padded on the left: all completions start in the same column
    prompt_mask: Tensor  # [B, P]
    completions: Tensor  # [B, T], padded on the right
    mask: Tensor  # [B, T], true up to and including the end token
    rewards: Tensor  # [B]
    group: Tensor  # [B], which prompt

    def at(self, rows: Tensor) -> Rollout:
        """Return some of the rows."""
        return Rollout(*(x[rows] for x in self))


# ---------------------------------------------------------------------------------------------
# Completions and their rewards


@torch.no_grad()
def sample(
    model: Any, tokenizer: Any, prompts: Tensor, prompt_mask: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw one completion a row; return `completions, mask`, `[B, T]`.

    The mask holds what was drawn while a row was alive. It is not `completions != pad`: nothing
    keeps a model from drawing the padding token, and then it has to answer for that.
    """
    ids, attention, cache = prompts, prompt_mask, None
    alive = torch.ones(len(prompts), 1, dtype=torch.bool)
    drawn: list[Tensor] = []
    mask: list[Tensor] = []
    while len(drawn) < quickstart.MAX_LENGTH and alive.any():
        out = model(
            input_ids=ids,
            attention_mask=attention,
            position_ids=positions(attention)[:, -ids.shape[1] :],
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        cache = out.past_key_values
        ids = torch.multinomial(out.logits[:, -1].softmax(-1), 1, generator=generator)
        drawn.append(torch.where(alive, ids, tokenizer.pad_token_id))
        mask.append(alive)
        attention = torch.cat([attention, alive.long()], 1)
        alive = alive & (ids != tokenizer.eos_token_id)
    return torch.cat(drawn, 1), torch.cat(mask, 1)


def positions(attention: Tensor) -> Tensor:
    """Return each token's place in its own row: padding on the left shifts nothing."""
    return (attention.cumsum(1) - 1).clamp(min=0)


def roll_out(
    trainer: Trainer, questions: list[dict[str, str]], step: int
) -> tuple[Rollout, dict[str, float]]:
    """Answer the questions and score the answers; return them, and the mean of each reward."""
    tokenizer, model = trainer.tokenizer, trainer.policy.language_model
    texts = [question["prompt"] for question in questions]
    encoded = tokenizer(texts, return_tensors="pt", padding=True)
    prompts, prompt_mask = encoded["input_ids"], encoded["attention_mask"]
    completions, mask = sample(model, tokenizer, prompts, prompt_mask, trainer.generator)
    ids = [row[valid].tolist() for row, valid in zip(completions, mask, strict=True)]
    samples = [
        rr.Sample(
            tokenizer.decode(own, skip_special_tokens=True),
            reference=question["answer"],
            token_ids=own,
            truncated=own[-1] != tokenizer.eos_token_id,
        )
        for question, own in zip(questions, ids, strict=True)
    ]
    scores = trainer.stack.score(samples, step=step)
    rewards = torch.as_tensor(scores.total, dtype=torch.float32)
    mask &= ~rewards.isnan().unsqueeze(1)  # no opinion: the row teaches nothing
    group = torch.tensor([texts.index(text) for text in texts])
    parts = {"total": scores.total} | scores.columns
    means = {name: torch.as_tensor(part).nanmean().item() for name, part in parts.items()}
    means["length"] = sum(map(len, ids)) / len(ids)
    return Rollout(prompts, prompt_mask, completions, mask, rewards, group), means


# ---------------------------------------------------------------------------------------------
# What is trained


class Policy(torch.nn.Module):
    """A language model, and a critic that is one more head on its hidden states."""

    def __init__(self, language_model: Any) -> None:
        super().__init__()
        self.language_model = language_model
        self.value_head = torch.nn.Linear(language_model.config.hidden_size, 1)

    def forward(self, rollout: Rollout) -> tuple[Tensor, Tensor]:
        """Return each completion token's log-probability, and the value before it, `[B, T]`.

        The hidden state of a token predicts the next one: hence the shift by one.
        """
        attention = torch.cat([rollout.prompt_mask, rollout.mask.long()], 1)
        hidden = self.language_model.model(
            input_ids=torch.cat([rollout.prompts, rollout.completions], 1),
            attention_mask=attention,
            position_ids=positions(attention),
        ).last_hidden_state[:, rollout.prompts.shape[1] - 1 : -1]
        logp = self.language_model.lm_head(hidden).log_softmax(-1)
        logp = logp.gather(-1, rollout.completions.unsqueeze(-1)).squeeze(-1)
        return logp, self.value_head(hidden).squeeze(-1)


@dataclass
class Trainer:
    """What moves, what it is held to, and what judges it."""

    policy: Policy
    reference: Policy | None  # the policy of the first step; only where beta > 0
    optimizer: torch.optim.Optimizer
    tokenizer: Any
    stack: rr.Stack
    generator: torch.Generator
    beta: float

    def constants(self, rollout: Rollout) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return `old_logp, old_values, ref_logp`, which stand still while the policy moves.

        The old log-probabilities come from the forward pass that is trained, not from the sampler,
        whose cache rounds differently: the first ratio is then 1.
        """
        with torch.no_grad():
            ref_logp = None if self.reference is None else self.reference(rollout)[0]
            return *self.policy(rollout), ref_logp

    def update(self) -> Tensor:
        """Step along the gradients that have added up; return their norm."""
        norm = torch.nn.utils.clip_grad_norm_(self.policy.parameters(), MAX_GRADIENT_NORM)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return norm


# ---------------------------------------------------------------------------------------------
# The algorithms


def ppo_step(trainer: Trainer, rollout: Rollout) -> dict[str, float]:
    """PPO, arXiv 1707.06347: reward at the last token, a critic, epochs of mini-batches."""
    mask = rollout.mask
    old_logp, old_values, ref_logp = trainer.constants(rollout)
    kl = None if ref_logp is None else rl.k1(old_logp, ref_logp)
    token_rewards = rl.reward_at_end(rollout.rewards, mask, kl=kl, beta=trainer.beta)
    # Without bootstrap: running out of room ends the episode, and the stack has punished it.
    advantages, returns = rl.gae(token_rewards, old_values, mask, gamma=1.0, lam=LAM)
    advantages = rl.whiten(advantages, mask)

    found = []
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(mask), generator=trainer.generator).split(CHUNK):
            part = rollout.at(rows)
            logp, values = trainer.policy(part)
            loss, metrics = rl.recipes.ppo_clip(
                logp, old_logp[rows], advantages[rows], part.mask, metrics=True
            )
            errors = rl.value_loss(values, returns[rows], old_values=old_values[rows])
            critic = rl.token_mean(errors, part.mask)
            (loss + VALUE_COEFFICIENT * critic).backward()
            norm = trainer.update()
            found.append(metrics | {"loss": loss, "value_loss": critic, "gradient_norm": norm})
    found[-1]["explained_variance"] = rl.explained_variance(old_values, returns, mask)
    return averaged(found)


def grpo_step(trainer: Trainer, rollout: Rollout, algorithm: str) -> dict[str, float]:
    """GRPO, arXiv 2402.03300, or DAPO, 2503.14476: the completions of one prompt compared.

    An update sees all rows, in micro-batches. Each is told the denominator of the whole, so that
    the gradients add up to that of the whole however it is cut.
    """
    old_logp, _, ref_logp = trainer.constants(rollout)
    advantages = rl.group_relative(rollout.rewards, rollout.group, scale="none")
    whole = rl.optimizer_step(rollout.mask)
    recipe, denominator = {
        "grpo": (rl.recipes.grpo, whole.filled),  # completions weigh the same
        "dapo": (rl.recipes.dapo, whole.tokens),  # tokens weigh the same
    }[algorithm]

    found = []
    for _ in range(EPOCHS):
        total = torch.zeros(())
        for rows in torch.arange(len(advantages)).split(CHUNK):
            part = rollout.at(rows)
            loss, metrics = recipe(
                trainer.policy(part)[0],
                old_logp[rows],
                advantages[rows],
                part.mask,
                beta=trainer.beta,
                ref_logp=None if ref_logp is None else ref_logp[rows],
                denominator=denominator,
                metrics=rl.MetricInputs(rewards=part.rewards, group=part.group),
            )
            whole.backward(loss)
            total += loss.detach()
            found.append(metrics)
        found[-1] |= {"loss": total, "gradient_norm": trainer.update()}
    return averaged(found)


def averaged(found: list[dict[str, Tensor]]) -> dict[str, float]:
    """Return the mean of each scalar over the forward passes that have it."""
    names = dict.fromkeys(name for row in found for name in row)
    columns = {name: [row[name].detach() for row in found if name in row] for name in names}
    return {name: torch.stack(column).mean().item() for name, column in columns.items()}


# ---------------------------------------------------------------------------------------------
# The command


def train(trainer: Trainer, options: argparse.Namespace) -> list[dict[str, float | None]]:
    """Take turns at completions and updates; write, show and return what comes of each step."""
    rng, history = random.Random(options.seed), []
    each = COMPLETIONS_A_PROMPT[options.algorithm]
    with open(options.out / "metrics.jsonl", "w", encoding="utf-8") as file:
        for step in range(1, options.steps + 1):
            begun = time.perf_counter()
            asked = rng.choices(quickstart.questions(), k=ROWS // each)
            rollout, means = roll_out(trainer, [q for q in asked for _ in range(each)], step)
            if options.algorithm == "ppo":
                metrics = ppo_step(trainer, rollout)
            else:
                metrics = grpo_step(trainer, rollout, options.algorithm)
            row = {"step": step} | means | metrics | {"seconds": time.perf_counter() - begun}
            history.append({name: None if math.isnan(x) else x for name, x in row.items()})
            print(json.dumps(history[-1]), file=file, flush=True)
            if step % 10 == 0 or step in (1, options.steps):
                print(quickstart.show(history[-1], options.steps), flush=True)
    return history


def prepare(seed: int, beta: float) -> Trainer:
    """Return a warmed-up model with all that trains it."""
    torch.manual_seed(seed)
    tokenizer = quickstart.build_tokenizer()
    model = quickstart.build_model(tokenizer)
    quickstart.warm_up(model, tokenizer, random.Random(seed), WARM_UP_STEPS)
    model.zero_grad()  # of what the warm-up left
    policy = Policy(model)
    return Trainer(
        policy,
        reference=copy.deepcopy(policy) if beta else None,
        optimizer=torch.optim.Adam(policy.parameters(), lr=LEARNING_RATE),
        tokenizer=tokenizer,
        stack=quickstart.make_stack(),
        generator=torch.Generator().manual_seed(seed),
        beta=beta,
    )


def main(argv: list[str] | None = None) -> int:
    """Run the command line."""
    parser = quickstart.Parser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--algorithm", choices=COMPLETIONS_A_PROMPT, default="ppo")
    parser.add_argument("--steps", type=int, default=STEPS, help="of training (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn")
    parser.add_argument("--beta", type=float, default=0.0, help="weight of the KL (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/custom"), help="folder to write")
    options = parser.parse_args(argv)
    if options.steps < 1 or not options.beta >= 0:
        parser.error(f"expected --steps >= 1 and --beta >= 0, got {options.steps}, {options.beta}")
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # so small a model is faster on one core
    history = train(prepare(options.seed, options.beta), options)
    quickstart.draw(history, options.out / "reward.png")
    n = quickstart.WINDOW
    for name, ends in quickstart.summarise(history).items():
        first, last = ends["first"], ends["last"]
        print(f"mean {name:<9} first {n} steps {first:+.3f}   last {n} steps {last:+.3f}")
    print(f"saved {options.out / 'reward.png'} and metrics.jsonl")
    return 0


if __name__ == "__main__":
    sys.exit(main())
