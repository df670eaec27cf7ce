"""`GRPOTrainer` with a loss from `rlrewards.objectives`.

Generation, rewards, data, checkpoints and logging are TRL's. What differs:

- the loss is a recipe, any of them, with the denominators of the whole optimizer step: over
  micro-batches and ranks, so that the gradient does not depend on how a batch is cut;
- log-probabilities and entropies come from `linear_logprob`, and the loss of a recipe that is a
  sum over tokens from `linear_loss`, which forms its gradient in the same pass;
- advantages may come from any estimator, and parts of a stack with a reward for each token give
  advantages for each token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor, nn
from trl import GRPOTrainer

from rlrewards.adapters.trl.callback import ObjectiveCallback
from rlrewards.adapters.trl.checks import check
from rlrewards.adapters.trl.head import Head
from rlrewards.adapters.trl.loss_types import (
    Count,
    Recipe,
    bias_corrected,
    count_of,
    recipe_of,
    takes,
)
from rlrewards.adapters.trl.reported import Found, metrics_of, over_ranks
from rlrewards.adapters.trl.rewards import RewardFunction, Scoring
from rlrewards.adapters.trl.streams import stream_advantages, stream_names
from rlrewards.adapters.trl.window import Window, scale_gradients
from rlrewards.kernels import PolicyObjective
from rlrewards.objectives import group_relative, off_policy_sequence_mask, rank_scale

Estimator = Callable[[Tensor, Tensor], Tensor]
"""Of the rewards and the groups of all ranks' completions, `[N], [N] → [N]`."""


class ObjectiveGRPOTrainer(GRPOTrainer):  # type: ignore[misc]
    """A `GRPOTrainer` whose loss is a recipe, from our kernels, normalised over the whole step.

    All of TRL's arguments and settings mean what they mean there, but for those that the recipe
    takes the place of (`loss_type`, `importance_sampling_level`, `epsilon`, `epsilon_high`,
    `delta`, …), which are not read when a recipe is given. `beta` stays TRL's, which loads the
    reference model by it.

    Args:
        *args: As for `GRPOTrainer`.
        recipe: A function of `rlrewards.objectives.recipes`, or a `functools.partial` of one, or
            any function with the arguments of one. By default the recipe that the configuration
            names, with the same numbers as TRL's loss.
        advantages: A function of the rewards and the groups of all ranks' completions, `[N], [N] →
            [N]`, such as `partial(group_relative, scale="none")`; rewards are NaN where the stack
            has no opinion. By default TRL's, by its `scale_rewards`.
        dense: Whether parts of the stack with a reward for each token (`DenseRepetition`) count
            with that, discounted by their own γ and added to the advantages, `[B, T]`, instead of
            with their score of the whole completion.
        count: What the denominator of a recipe of your own counts: "tokens", "sequences" or
            "filled", the sequences with a valid token.
        **kwargs: As for `GRPOTrainer`.

    Raises:
        ValueError: the configuration names no recipe, an entropy bonus is asked for, the recipe
            needs what a `GRPOTrainer` does not know, or DeepSpeed is to take an optimizer step over
            several generations.
    """

    def __init__(
        self,
        *args: Any,
        recipe: Recipe | None = None,
        advantages: Estimator | None = None,
        dense: bool = True,
        count: Count | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.recipe = recipe_of(self.args) if recipe is None else recipe
        self.count: Count = count_of(self.recipe) if count is None else count
        self.estimator = advantages
        self.dense = dense
        check(self)
        self._evaluated: Window | None = None
        self._begin_step()
        self._rewards_per_func: Tensor | None = None
        self._heads = {
            id(model): Head(model, self.temperature, self.args.cast_lm_head_to_fp32)
            for model in map(_language_model, (self.model, self.ref_model))
            if model is not None
        }
        self._attach_callbacks()

    def micro_batches_a_generation(self) -> int:
        """Return for how many micro-batches one generation of completions serves."""
        return int(self.args.steps_per_generation * self.num_iterations)

    # -----------------------------------------------------------------------------------------
    # The micro-batches of an optimizer step

    def _begin_step(self) -> None:
        self._window: Window | None = None
        self._micro_batch = 0  # of the optimizer step
        self._summed: Tensor | float = 0.0  # loss of the micro-batches of the step so far

    def _inner_training_loop(self, *args: Any, **kwargs: Any) -> Any:
        self._begin_step()  # an earlier loop may have been interrupted in the middle of one
        return super()._inner_training_loop(*args, **kwargs)

    def add_callback(self, callback: Any) -> None:
        """Add a callback; an `ObjectiveCallback` takes its completions from this trainer."""
        super().add_callback(callback)
        self._attach_callbacks()

    def _attach_callbacks(self) -> None:
        for callback in self.callback_handler.callbacks:
            if isinstance(callback, ObjectiveCallback):
                callback.attach(self)

    def training_step(
        self, model: nn.Module, inputs: Any, num_items_in_batch: Any = None
    ) -> Tensor:
        """Take one micro-batch forward and backward; after the last, correct the gradients."""
        loss: Tensor = super().training_step(model, inputs, num_items_in_batch)
        self._micro_batch += 1
        self._summed += loss
        if self._micro_batch < self.current_gradient_accumulation_steps:
            return loss
        window, summed = self._window, self._summed
        self._begin_step()
        if window is None or not window.was_estimated or self.count == "local":
            return loss
        factor = window.correction(self.count)
        scale_gradients(model, factor)
        return loss + (summed * (factor - 1)).to(loss)

    def _prepare_inputs(self, generation_batch: Any) -> dict[str, Any]:
        inputs: dict[str, Any] = super()._prepare_inputs(generation_batch)
        if not self.model.training:
            self._evaluated = Window([_mask(inputs)], 1)
            return inputs
        size = self.current_gradient_accumulation_steps
        if self._micro_batch == 0:
            self._window = Window(self._next_masks(size), size)
        elif self._window is not None and self._window.known == self._micro_batch:
            self._window.add(self._next_masks(size - self._micro_batch))
        return inputs

    def _next_masks(self, wanted: int) -> list[Tensor]:
        """Return the masks of the next micro-batches, of those that are generated already."""
        whole, batches = self.micro_batches_a_generation(), self._buffered_inputs
        known = min(wanted, whole - self._step % whole)
        places = (self._step + k for k in range(known))
        return [_mask(batches[place % len(batches)]) for place in places]

    # -----------------------------------------------------------------------------------------
    # Advantages

    def _calculate_rewards(self, *args: Any, **kwargs: Any) -> Tensor:
        found: Tensor = super()._calculate_rewards(*args, **kwargs)
        self._rewards_per_func = found
        return found

    def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        advantages = self.compute_advantages(output)
        if advantages is None:
            return output
        output["advantages"] = advantages
        rows = advantages if advantages.ndim == 1 else _row_means(advantages, _mask(output))
        logged = self.accelerator.gather(rows).tolist()
        for _ in range(min(len(logged), len(self._logs["advantages"]))):
            self._logs["advantages"].pop()
        self._logs["advantages"].extend(logged)
        return output

    def compute_advantages(self, output: Mapping[str, Any]) -> Tensor | None:
        """Return the advantages of this rank's completions, `[B]` or `[B, T]`.

        None leaves those of TRL. Override it for an estimator that needs more than rewards and
        groups; `output` is what TRL made of the batch, with `completion_ids` and `completion_mask`
        `[B, T]`.
        """
        scored = [scores for s in self.scorings() if (scores := s.latest) is not None]
        named = [(scores, stream_names(scores)) for scores in scored if self.dense]
        streams = [name for _, names in named for name in names]
        if self.estimator is None and not streams:
            return None
        rewards = self._totals(streams)
        group = torch.arange(len(rewards), device=rewards.device) // self._generations()
        estimate = self.estimator or self._relative_to_group
        every = torch.where(rewards.isnan(), 0.0, estimate(rewards, group))
        count = len(output["completion_ids"])
        here = slice(self.accelerator.process_index * count, None)
        advantages, known = every[here][:count], ~rewards[here][:count].isnan()
        if not streams:
            return advantages
        mask = _mask(output)
        tokens = torch.zeros_like(mask, dtype=advantages.dtype)
        for scores, names in named:
            if names:
                tokens += stream_advantages(scores, names, mask)
        return advantages.unsqueeze(1) + tokens * known.unsqueeze(1)

    def _totals(self, streams: list[str]) -> Tensor:
        """Return the totals of all ranks, `[N]`, without parts that count per token."""
        assert self._rewards_per_func is not None
        weights = self.reward_weights.to(self._rewards_per_func).clone()
        for column, name in enumerate(self.reward_func_names):
            if name in streams:
                weights[column] = 0.0
        total = (self._rewards_per_func * weights).nansum(1)
        return torch.where(self._rewards_per_func.isnan().all(1), torch.nan, total)

    def _relative_to_group(self, rewards: Tensor, group: Tensor) -> Tensor:
        """Do what TRL does by `scale_rewards`."""
        scale = {"group": "std", "batch": "batch", "none": "none"}[self.scale_rewards]
        return group_relative(rewards, group, scale=scale)  # type: ignore[arg-type]

    def _generations(self) -> int:
        return int(self.num_generations if self.model.training else self.num_generations_eval)

    def scorings(self) -> list[Scoring]:
        """Return the scorings behind the reward functions, each once."""
        functions = [f for f in self.reward_funcs if isinstance(f, RewardFunction)]
        return list({id(f.scoring): f.scoring for f in functions}.values())

    # -----------------------------------------------------------------------------------------
    # The loss

    def _compute_loss(self, model: nn.Module, inputs: dict[str, Any]) -> Tensor:
        objective = self._objective(inputs)
        if self._needs_logp_first():
            found, objective, aux_loss = self._in_two_passes(model, inputs, objective)
        else:
            found, aux_loss = self._in_one_pass(model, inputs, objective)
        self._log_objective(objective, found)
        loss: Tensor = self._scaled(found.loss)
        if aux_loss is None:
            return loss
        self._metrics[self._mode()]["aux_loss"].append(
            self.accelerator.gather_for_metrics(aux_loss).mean().item()
        )
        share: Tensor = self.router_aux_loss_coef * aux_loss / self._steps()
        return loss + share

    def _objective(self, inputs: dict[str, Any]) -> PolicyObjective:
        """Return the recipe with all that is known before the forward pass."""
        mask, old_logp = _mask(inputs), inputs.get("old_per_token_logps")
        settings: dict[str, Any] = {}
        if self.count != "local":
            window = self._window if self.model.training else self._evaluated
            assert window is not None
            settings["denominator"] = getattr(window.counts, self.count)
        if self.beta:
            settings |= {"beta": self.beta, "ref_logp": inputs["ref_per_token_logps"]}
            if self.args.use_bias_correction_kl:
                settings["kl"] = bias_corrected(self.recipe, old_logp, mask)
        ratio = inputs.get("importance_sampling_ratio")
        if ratio is not None and self.use_vllm and self.vllm_importance_sampling_correction:
            if takes(self.recipe, "log_weight"):  # of rows, or of tokens, which it adds up
                settings["log_weight"] = (ratio[:, 0] if ratio.shape[1] == 1 else ratio).log()
            else:
                settings["weight"] = ratio.expand_as(mask)
        return PolicyObjective(self.recipe, inputs["advantages"], mask, old_logp, settings)

    def _needs_logp_first(self) -> bool:
        """Whether the policy decides which tokens take part; experts have a loss beside ours."""
        return self.aux_loss_enabled or self._selects()

    def _selects(self) -> bool:
        return self.top_entropy_quantile < 1.0 or self.off_policy_mask_threshold is not None

    def _in_one_pass(
        self, model: nn.Module, inputs: dict[str, Any], objective: PolicyObjective
    ) -> tuple[Found, Tensor | None]:
        head = self._heads[id(_language_model(self.model))]
        with head.minimizing(objective):
            _, _, aux_loss = self._forward(model, inputs)
        found = head.found()
        assert found.entropy is not None
        return Found(found.loss, found.logp, found.entropy), aux_loss

    def _in_two_passes(
        self, model: nn.Module, inputs: dict[str, Any], objective: PolicyObjective
    ) -> tuple[Found, PolicyObjective, Tensor | None]:
        logp, entropy, aux_loss = self._forward(model, inputs)
        if self._selects():
            keep = self._kept(inputs, objective, logp.detach(), entropy.detach())
            objective = replace(objective, settings={**objective.settings, "keep": keep})
        loss = objective(logp).loss
        return Found(loss, logp.detach(), entropy.detach()), objective, aux_loss

    def _kept(
        self, inputs: dict[str, Any], objective: PolicyObjective, logp: Tensor, entropy: Tensor
    ) -> Tensor:
        """Return the tokens that the settings select, `[B, T]`."""
        mask = objective.mask
        keep = torch.ones_like(mask, dtype=torch.bool)
        if self.top_entropy_quantile < 1.0:
            keep &= self.get_high_entropy_mask(entropy, mask, 1 - self.top_entropy_quantile)
        if self.off_policy_mask_threshold is not None:
            old = logp if objective.old_logp is None else objective.old_logp
            sampler = inputs.get("sampling_per_token_logps", old)
            keep &= off_policy_sequence_mask(
                logp,
                torch.nan_to_num(sampler),
                objective.advantages,
                mask,
                threshold=self.off_policy_mask_threshold,
                known=~sampler.isnan(),
            )
        return keep

    def _forward(self, model: nn.Module, inputs: dict[str, Any]) -> tuple[Tensor, Tensor, Any]:
        """Return log-probabilities and entropies of the completion, `[B, T]`, and experts' loss."""
        ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], 1)
        attention = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], 1)
        return self._get_per_token_logps_and_entropies(  # type: ignore[no-any-return]
            model,
            ids,
            attention,
            inputs["completion_ids"].shape[1],
            compute_entropy=True,
            compute_aux_loss=self.aux_loss_enabled,
            **{name: inputs.get(name) for name in IMAGES},
        )

    def _scaled(self, loss: Tensor) -> Tensor:
        """Return what to call backward on: wrappers average over ranks what has to be summed."""
        if self.count == "local":
            return loss / self._steps()
        return loss * rank_scale()

    def _steps(self) -> int:
        return int(self.current_gradient_accumulation_steps) if self.model.training else 1

    def _mode(self) -> str:
        return "train" if self.model.training else "eval"

    # -----------------------------------------------------------------------------------------
    # What is logged

    def _log_objective(self, objective: PolicyObjective, found: Found) -> None:
        metrics = metrics_of(objective, found)
        tokens = objective.mask.sum().to(found.logp)
        mine = torch.stack([tokens, *(x.to(tokens) for x in metrics.values())])
        logged = self._metrics[self._mode()]
        for name, value in over_ranks([*metrics], self.accelerator.gather(mine[None])).items():
            logged[name].append(value)


IMAGES = (
    *("pixel_values", "image_grid_thw", "num_images", "num_tiles", "pixel_attention_mask"),
    *("spatial_shapes", "image_sizes", "token_type_ids", "mm_token_type_ids"),
    "image_position_ids",
)
"""What a batch with images holds beside tokens."""


def _mask(inputs: Mapping[str, Any]) -> Tensor:
    """Return the tokens of the completions that the policy wrote itself, `[B, T]`."""
    mask: Tensor = inputs["completion_mask"]
    tools = inputs.get("tool_mask")
    return mask if tools is None else mask * tools


def _row_means(advantages: Tensor, mask: Tensor) -> Tensor:
    return (advantages * mask).sum(1) / mask.sum(1).clamp(min=1)


def _language_model(model: Any) -> Any:
    """Return the model under an adapter."""
    return model.get_base_model() if isinstance(model, PeftModel) else model
