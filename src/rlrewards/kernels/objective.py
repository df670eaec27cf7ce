"""A recipe with everything it needs but the log-probabilities, which a kernel is about to compute.

Most recipes are a sum over tokens of something that knows no other token's log-probability. Their
gradient can be formed as soon as a token's own is there, so that ``linear_loss`` needs the logits
once. The others, with a ratio or a weight of the whole sequence, need all of them first. Which is
which is a property of the recipe, known here.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from rlrewards.kernels import launch
from rlrewards.kernels.surrogate_forms import FORMS, PENALTIES, is_corrected_by
from rlrewards.objectives import recipes
from rlrewards.objectives.aggregate import constant, row_weights
from rlrewards.objectives.kl import corrected_k3, k3
from rlrewards.objectives.metrics import LossOutput

AGGREGATES: Mapping[Callable[..., LossOutput], Callable[..., Tensor]] = {
    recipe: form.aggregate
    for recipe, form in FORMS.items()
    if form.kind != "sequence" and recipe is not recipes.vapo  # whose imitation term is apart
}
"""The recipes that are sums over tokens, and how each adds them up."""

WITHOUT_RATIO = (recipes.reinforce, recipes.gpg)
PER_TOKEN = ("keep", "weight", "ref_logp")
OPTIONAL = (*PER_TOKEN, "denominator", "ceiling")
"""Settings that may be None."""

_PENALTIES = (*PENALTIES, corrected_k3)


@dataclass(frozen=True, eq=False)
class PolicyObjective:
    """A recipe and its arguments; called with log-probabilities ``[B, T]`` it is the loss.

    Args:
        recipe: A function of ``rlrewards.objectives.recipes``, any that takes the same, or a
            ``functools.partial`` of one.
        advantages: ``[B]`` or ``[B, T]``.
        mask: ``[B, T]``, non-zero where valid.
        old_logp: ``[B, T]``; None for a batch of the present policy, where they are the
            log-probabilities themselves, as constants.
        settings: What else the recipe takes: bounds, ``beta`` and ``ref_logp``, ``denominator`` …
            ``kl=corrected_k3`` is corrected by the objective's own ``old_logp``.

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

    def __post_init__(self) -> None:
        recipe: Any = self.recipe
        settings = self.settings
        while isinstance(recipe, partial) and not recipe.args:
            recipe, settings = recipe.func, {**recipe.keywords, **settings}
        if is_corrected_by(settings.get("kl"), self.old_logp):
            settings = {**settings, "kl": corrected_k3}
        object.__setattr__(self, "recipe", recipe)
        object.__setattr__(self, "settings", settings)

    def __call__(self, logp: Tensor) -> LossOutput:
        """Return the loss and its metrics."""
        ratio = () if self.recipe in WITHOUT_RATIO else (self._old(logp),)
        settings = dict(self.settings)
        if settings.get("kl") is corrected_k3:
            settings["kl"] = self.penalty(logp)
        return self.recipe(logp, *ratio, self.advantages, self.mask, **settings)

    def penalty(self, logp: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        """Return the KL estimator, of the log-probabilities of policy and reference ``[B, T]``."""
        kl: Callable[..., Tensor] = self.settings.get("kl", k3)
        return partial(kl, old_logp=self._old(logp)) if kl is corrected_k3 else kl

    def _old(self, logp: Tensor) -> Tensor:
        return logp.detach() if self.old_logp is None else self.old_logp

    @property
    def is_token_level(self) -> bool:
        """Whether the loss is a sum over tokens, each with a weight that is known beforehand."""
        return self.recipe in AGGREGATES and self.settings.get("kl", k3) in _PENALTIES

    def check(self) -> None:
        """Raise what a recipe would, where its tensors are not over the tokens of the mask.

        Before anything is read at the place of a token: on a GPU that would end the process.
        """
        mask = self.mask
        if not isinstance(mask, Tensor):
            raise TypeError(f"the objective's mask is a {type(mask).__name__}: pass a torch.Tensor")
        advantages = launch.require(
            "advantages", self.advantages, ndim=(1, 2), like=mask, contiguous=False
        )
        shape = mask.shape[: advantages.ndim]
        launch.require_shape("advantages", advantages, shape, "[B] or [B, T]")
        named = {"old_logp": self.old_logp} | {name: self.settings.get(name) for name in PER_TOKEN}
        for name, x in named.items():
            if x is None:
                continue
            if not isinstance(x, Tensor):
                raise TypeError(f"{name} is a {type(x).__name__}: pass a torch.Tensor")
            launch.require_shape(name, x, mask.shape, "[B, T]")
            if x.device != mask.device:
                raise ValueError(f"{name} is on {x.device}, expected {mask.device}: move it there")

    def token_weights(self) -> Tensor:
        """Return the weights of the tokens of each row, ``[B]``, float64."""
        aggregate = AGGREGATES[self.recipe]
        if aggregate is constant:
            if "length" not in self.settings:
                raise TypeError("dr_grpo has no default for length: pass it in settings")
            aggregate = partial(constant, length=self.settings["length"])
        return row_weights(aggregate, self.mask, self.settings.get("denominator"))

    def slopes(self, logp: Tensor, tokens: Tensor, weights: Tensor) -> Tensor:
        """Return ∂loss/∂logp of some tokens.

        Every token is a row of its own to the recipe, whose only weight is then known. One that the
        objective's mask leaves out has no slope.

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
        alone = PolicyObjective(self.recipe, advantages, of_tokens(self.mask) != 0, old, settings)
        with _recorded():
            logp = logp.detach().unsqueeze(1).requires_grad_()
            loss = alone(logp).loss
            (slope,) = torch.autograd.grad(loss, logp)
        slope, scale = slope.squeeze(1), weights[row] / alone.token_weights()
        # 0 stays 0, where the scale is infinite
        return torch.where(slope == 0, slope, slope * scale.to(slope.dtype)).to(logp.dtype)

    @property
    def has_metrics(self) -> bool:
        """Whether the recipe is asked for metrics."""
        return self.settings.get("metrics", False) is not False


@contextmanager
def _recorded() -> Iterator[None]:
    """Autograd inside an operator, which a dispatch mode and ``torch.compile`` call below it."""
    keys = torch._C.DispatchKey
    excluded = torch._C._dispatch_tls_local_exclude_set()
    for key in (keys.AutogradFunctionality, keys.ADInplaceOrView):
        excluded = excluded - torch._C.DispatchKeySet(key)
    included = torch._C._dispatch_tls_local_include_set()
    with torch._C._ForceDispatchKeyGuard(included, excluded), torch.enable_grad():
        yield


_RECIPES = {recipe.__name__: recipe for recipe in AGGREGATES}
_KL = {penalty.__name__: penalty for penalty in _PENALTIES}


Names = tuple[str, str, list[str], list[float]]
"""Of the recipe and its KL estimator, and the numbers that it was given."""


def flattened(objective: PolicyObjective) -> tuple[Names, tuple[Tensor | None, ...]]:
    """Return a token-level objective as what an operator takes: names, numbers and tensors."""
    settings = {
        name: value
        for name, value in objective.settings.items()
        if name != "metrics" and (value is not None or name not in OPTIONAL)
    }
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
        [_number(name, value) for name, value in settings.items()],
    )
    tensors = objective.advantages, objective.mask, objective.old_logp, *named, denominator
    return names, tensors


def _number(name: str, value: Any) -> float:
    if isinstance(value, Tensor) and value.numel() != 1:
        raise ValueError(f"{name} has shape {list(value.shape)}, expected a scalar")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} is {value!r}, expected a number") from None


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
