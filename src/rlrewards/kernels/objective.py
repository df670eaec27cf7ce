"""A recipe with everything it needs but the log-probabilities, which a kernel is about to compute.

Most recipes are a sum over tokens of something that knows no other token's log-probability. Their
gradient can be formed as soon as a token's own is there, so that ``linear_loss`` needs the logits
once. The others, with a ratio or a weight of the whole sequence, need all of them first. Which is
which is a property of the recipe, known here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from rlrewards.objectives import recipes
from rlrewards.objectives.aggregate import constant, row_weights, sequence_mean, token_mean
from rlrewards.objectives.kl import k1, k2, k3, k_abs
from rlrewards.objectives.metrics import LossOutput

AGGREGATES: dict[Callable[..., LossOutput], Callable[..., Tensor]] = {
    recipes.grpo: sequence_mean,
    recipes.sapo: sequence_mean,
    recipes.dr_grpo: constant,
    recipes.bnpo: token_mean,
    recipes.dapo: token_mean,
    recipes.ppo_clip: token_mean,
    recipes.cispo: token_mean,
    recipes.reinforce: token_mean,
    recipes.gpg: token_mean,
}
"""The recipes that are sums over tokens, and how each adds them up."""

WITHOUT_RATIO = (recipes.reinforce, recipes.gpg)
PER_TOKEN = ("keep", "weight", "ref_logp")
_PENALTIES = (k1, k2, k3, k_abs)


@dataclass(frozen=True, eq=False)
class PolicyObjective:
    """A recipe and its arguments; called with log-probabilities ``[B, T]`` it is the loss.

    Args:
        recipe: A function of ``rlrewards.objectives.recipes``, or any that takes the same.
        advantages: ``[B]`` or ``[B, T]``.
        mask: ``[B, T]``, non-zero where valid.
        old_logp: ``[B, T]``; None for a batch of the present policy, where they are the
            log-probabilities themselves, as constants.
        settings: What else the recipe takes: bounds, ``beta`` and ``ref_logp``, ``denominator`` …

    >>> import torch
    >>> objective = PolicyObjective(recipes.dapo, torch.tensor([1.0]), torch.ones(1, 2), settings={
    ...     "denominator": 4})
    >>> objective(torch.tensor([[-1.0, -2.0]])).loss, objective.is_token_level
    (tensor(-0.5000), True)
    """

    recipe: Callable[..., LossOutput]
    advantages: Tensor
    mask: Tensor
    old_logp: Tensor | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, logp: Tensor) -> LossOutput:
        """Return the loss and its metrics."""
        old = logp.detach() if self.old_logp is None else self.old_logp
        ratio = () if self.recipe in WITHOUT_RATIO else (old,)
        return self.recipe(logp, *ratio, self.advantages, self.mask, **self.settings)

    @property
    def is_token_level(self) -> bool:
        """Whether the loss is a sum over tokens, each with a weight that is known beforehand."""
        return self.recipe in AGGREGATES and self.settings.get("kl", k3) in _PENALTIES

    def token_weights(self) -> Tensor:
        """Return the weights of the tokens of each row, ``[B]``, float64."""
        aggregate = AGGREGATES[self.recipe]
        if aggregate is constant:
            aggregate = partial(constant, length=self.settings["length"])
        return row_weights(aggregate, self.mask, self.settings.get("denominator"))

    def slopes(self, logp: Tensor, tokens: Tensor, weights: Tensor) -> Tensor:
        """Return ∂loss/∂logp of some tokens.

        Every token is a row of its own to the recipe, whose only weight is then known.

        Shapes: ``logp`` and ``tokens``, places in the flattened batch, ``[n]``; ``weights`` of
        ``token_weights`` ``[B]`` → ``[n]`` in the dtype of ``logp``.
        """
        width = self.mask.shape[1]
        row = tokens // width

        def of_tokens(x: Tensor) -> Tensor:
            return x.reshape(-1)[tokens].unsqueeze(1)

        advantages = self.advantages
        advantages = advantages[row] if advantages.ndim == 1 else of_tokens(advantages)
        settings = dict(self.settings, metrics=False)
        for name in PER_TOKEN:
            if settings.get(name) is not None:
                settings[name] = of_tokens(settings[name])
        if self.recipe is not recipes.bnpo:
            settings["denominator"] = 1.0
        old = None if self.old_logp is None else of_tokens(self.old_logp)
        here = torch.ones_like(row, dtype=torch.bool).unsqueeze(1)
        alone = PolicyObjective(self.recipe, advantages, here, old, settings)
        with torch.enable_grad():
            logp = logp.detach().unsqueeze(1).requires_grad_()
            loss = alone(logp).loss
            (slope,) = torch.autograd.grad(loss, logp)
        scale = weights[row] / alone.token_weights()
        return (slope.squeeze(1) * scale.to(slope.dtype)).to(logp.dtype)

    @property
    def has_metrics(self) -> bool:
        """Whether the recipe is asked for metrics."""
        return self.settings.get("metrics", False) is not False


_RECIPES = {recipe.__name__: recipe for recipe in AGGREGATES}
_KL = {penalty.__name__: penalty for penalty in _PENALTIES}


Names = tuple[str, str, list[str], list[float]]
"""Of the recipe and its KL estimator, and the numbers that it was given."""


def flattened(objective: PolicyObjective) -> tuple[Names, tuple[Tensor | None, ...]]:
    """Return a token-level objective as what an operator takes: names, numbers and tensors."""
    settings = {k: v for k, v in objective.settings.items() if v is not None and k != "metrics"}
    denominator = settings.get("denominator")
    if isinstance(denominator, Tensor):
        del settings["denominator"]
    else:
        denominator = None
    penalty = settings.pop("kl", k3)
    named = [settings.pop(name, None) for name in ("ref_logp", "keep", "weight")]
    names = (
        objective.recipe.__name__,
        penalty.__name__,
        list(settings),
        [float(number) for number in settings.values()],
    )
    tensors = objective.advantages, objective.mask, objective.old_logp, *named, denominator
    return names, tensors


def unflattened(names: Names, tensors: tuple[Tensor | None, ...]) -> PolicyObjective:
    """Return the objective of ``flattened``."""
    recipe, penalty, known, numbers = names
    advantages, mask, old_logp, ref_logp, keep, weight, denominator = tensors
    assert advantages is not None
    assert mask is not None
    settings: dict[str, Any] = dict(zip(known, numbers, strict=True))
    given = {"ref_logp": ref_logp, "keep": keep, "weight": weight, "denominator": denominator}
    settings |= {name: x for name, x in given.items() if x is not None}
    if ref_logp is not None:
        settings["kl"] = _KL[penalty]
    return PolicyObjective(_RECIPES[recipe], advantages, mask, old_logp, settings)
