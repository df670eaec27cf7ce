"""What PPO trains: a language model, and a critic that is one more head on its hidden states.

The model may be whole or carry low-rank adapters, in any precision; the head is float32. It starts
at zero, so that the first values are 0 and the first advantages the rewards themselves.

The reference of the KL penalty is the policy of the first step. Only the weights that move are kept
twice, and put in their place while the reference is asked: with adapters that is a few megabytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from rlrewards import kernels

if TYPE_CHECKING:
    from examples.mr_deepseek_ppo.rollout import Rollout


class Seen(NamedTuple):
    """What the policy says of a rollout's tokens, ``[B, T]``."""

    logp: Tensor
    values: Tensor


class Update(NamedTuple):
    """The policy loss with what came with it; all but loss and values are constants."""

    loss: Tensor
    logp: Tensor
    entropy: Tensor
    values: Tensor


class Policy(torch.nn.Module):
    """A language model and its value head."""

    def __init__(self, language_model: Any, *, temperature: float = 1.0) -> None:
        super().__init__()
        self.language_model = language_model
        self.temperature = temperature
        weight = self.base.get_output_embeddings().weight
        self.value_head = torch.nn.Linear(weight.shape[1], 1, device=weight.device)
        torch.nn.init.zeros_(self.value_head.weight)
        torch.nn.init.zeros_(self.value_head.bias)
        self._reference: dict[str, Tensor] = {}

    @property
    def base(self) -> Any:
        """The transformers model, without the wrapper of its adapters (their layers stay)."""
        model = self.language_model
        return model.get_base_model() if hasattr(model, "peft_config") else model

    def forward(
        self, rollout: Rollout, objective: kernels.PolicyObjective | None = None
    ) -> Seen | Update:
        """Return log-probabilities and values; given an objective, its loss in the same pass.

        The hidden state of a token predicts the next one: hence the shift by one. The logits are
        never stored. The value of a token is that of the state before it.
        """
        attention = torch.cat([rollout.prompt_mask, rollout.mask.long()], 1)
        hidden = self.base.get_decoder()(
            input_ids=torch.cat([rollout.prompts, rollout.completions], 1),
            attention_mask=attention,
            position_ids=positions(attention),
            use_cache=False,
        ).last_hidden_state[:, rollout.prompts.shape[1] - 1 : -1]
        values = self.value_head(hidden.to(self.value_head.weight.dtype)).squeeze(-1)
        head = self.base.get_output_embeddings()
        tokens = (hidden.to(head.weight.dtype), head.weight, rollout.completions)
        more = {"bias": head.bias, "mask": rollout.mask, "temperature": self.temperature}
        if objective is None:
            return Seen(kernels.linear_logprob(*tokens, **more).logp, values)
        out = kernels.linear_loss(*tokens, objective, entropy=True, **more)
        assert out.entropy is not None
        return Update(out.loss, out.logp, out.entropy, values)

    def moving(self) -> dict[str, torch.nn.Parameter]:
        """Return the weights that are trained, by name."""
        return {name: weight for name, weight in self.named_parameters() if weight.requires_grad}

    def keep_as_reference(self) -> None:
        """Make the present weights the reference."""
        self._reference = {
            name: weight.detach().clone()
            for name, weight in self.moving().items()
            if not name.startswith("value_head.")
        }

    @contextmanager
    def as_reference(self) -> Iterator[None]:
        """Be the reference for a while; gradients must not be asked for."""
        if not self._reference:
            raise RuntimeError("there is no reference: call keep_as_reference() first")
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        moving = self.moving()
        for name, other in self._reference.items():
            self._reference[name], moving[name].data = moving[name].data, other


def positions(attention: Tensor) -> Tensor:
    """Return each token's place in its own row: padding on the left shifts nothing."""
    return (attention.cumsum(1) - 1).clamp(min=0)


def without_dropout(model: torch.nn.Module) -> None:
    """Switch every dropout off: the ratio of new to old probabilities must start at 1."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
