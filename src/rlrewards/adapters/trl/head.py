"""The head of a language model as `linear_logprob` and `linear_loss`, where TRL has its own.

TRL's trainer asks its model for log-probabilities and entropies by `fused_lm_head=True`, through
whatever wraps it (DDP, FSDP, an adapter). The same call, answered by our kernels, needs no other
change. While an objective is set the loss is formed in the same pass, with its gradient.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor
from transformers.utils import ModelOutput
from trl.trainer.utils import FusedCausalLMOutput

from rlrewards.kernels import LinearLoss, PolicyObjective, linear_logprob, linear_loss


class Head:
    """Answers `model(..., labels=labels, fused_lm_head=True)` in place of TRL's fused head.

    Args:
        model: A causal language model that TRL's trainer has given its head.
        temperature: What logits are divided by.
        cast_to_float32: Whether the head is computed in float32, outside autocast.
    """

    def __init__(self, model: Any, temperature: float, cast_to_float32: bool = False) -> None:
        self.temperature = temperature
        self.cast_to_float32 = cast_to_float32
        self.softcap, self.logit_scale = _scales(model.config.get_text_config())
        self._objective: PolicyObjective | None = None
        self._found: LinearLoss | None = None
        theirs = model.forward

        @functools.wraps(type(model).forward)
        def forward(module: Any, *args: Any, fused_lm_head: bool = False, **given: Any) -> Any:
            # What routes to experts needs TRL's bookkeeping of their load as well.
            if not fused_lm_head or given.get("output_router_logits"):
                return theirs(*args, **({"fused_lm_head": True} if fused_lm_head else {}), **given)
            return self._forward(module, *args, **given)

        model.forward = types.MethodType(forward, model)

    @contextmanager
    def minimizing(self, objective: PolicyObjective) -> Iterator[None]:
        """Within, the next call forms the loss of an objective: see `found`."""
        self._objective, self._found = objective, None
        try:
            yield
        finally:
            self._objective = None

    def found(self) -> LinearLoss:
        """Return what the call under `minimizing` found."""
        assert self._found is not None
        found, self._found = self._found, None
        return found

    def _forward(
        self,
        model: Any,
        *args: Any,
        labels: Tensor,
        shift_labels: Tensor | None = None,
        num_items_in_batch: Any = None,
        **given: Any,
    ) -> ModelOutput:
        """Return log-probabilities and entropies, `[B, T − 1]`, 0 where the label is −100."""
        hidden = model.base_model(*args, **given, use_cache=False).last_hidden_state
        if shift_labels is None:
            hidden, labels = hidden[:, :-1], labels[:, 1:]
        else:
            labels = shift_labels
        weight, bias = _weights(model.get_output_embeddings())
        hidden, labels = hidden.to(weight.device), labels.to(weight.device)
        if self.logit_scale != 1.0:
            hidden = hidden * self.logit_scale
            bias = None if bias is None else bias * self.logit_scale
        settings: dict[str, Any] = {"temperature": self.temperature, "softcap": self.softcap}
        with self._precision(hidden):
            hidden, weight, bias = self._alike(hidden, weight, bias)
            settings |= {"bias": bias, "entropy": True}
            if self._objective is not None:
                return self._loss(hidden, weight, labels, self._objective, settings)
            mask = labels != -100
            logp, entropy = linear_logprob(
                hidden.contiguous(), weight, labels.clamp(min=0), mask=mask, **settings
            )
        return FusedCausalLMOutput(log_probs=logp, entropy=entropy, label_mask=mask)

    def _loss(
        self,
        hidden: Tensor,
        weight: Tensor,
        labels: Tensor,
        objective: PolicyObjective,
        settings: dict[str, Any],
    ) -> ModelOutput:
        width = objective.mask.shape[1]
        labels, hidden = labels[:, -width:].clamp(min=0), hidden[:, -width:].contiguous()
        found = linear_loss(hidden, weight, labels, objective, **settings)
        self._found = found
        return FusedCausalLMOutput(loss=found.loss, log_probs=found.logp, entropy=found.entropy)

    def _alike(
        self, hidden: Tensor, weight: Tensor, bias: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return all in one dtype; autocast, where it is on, brings them to one later."""
        if self.cast_to_float32:
            return hidden.float(), weight.float(), None if bias is None else bias.float()
        if torch.is_autocast_enabled(hidden.device.type):
            return hidden, weight, bias
        return hidden.to(weight.dtype), weight, bias

    @contextmanager
    def _precision(self, hidden: Tensor) -> Iterator[None]:
        if not self.cast_to_float32:
            yield
            return
        with torch.autocast(hidden.device.type, enabled=False):
            yield


def _weights(head: Any) -> tuple[Tensor, Tensor | None]:
    """Return the matrix and the bias of the head, whole where FSDP 2 keeps it in pieces."""
    weight, bias = head.weight, getattr(head, "bias", None)
    if isinstance(weight, DTensor):
        weight = weight.full_tensor()
        bias = None if bias is None else bias.full_tensor()
    if weight.ndim != 2 or not weight.is_floating_point():
        raise ValueError(
            f"lm_head.weight is {weight.dtype} of shape {list(weight.shape)}, expected a matrix of "
            "floats: leave lm_head out of the quantization, and do not shard it with ZeRO-3"
        )
    return weight, bias


def _scales(config: Any) -> tuple[float | None, float]:
    """Return the soft cap of the logits and the factor before it, by the names of the families."""
    for name in ("logit_scale", "output_multiplier", "lm_head_multiplier"):
        factor = getattr(config, name, None)
        if factor is not None:
            break
    else:
        scaling = getattr(config, "logits_scaling", None)
        multiplies = getattr(config, "model_type", None) == "hyperclovax"
        factor = 1.0 if scaling is None else scaling if multiplies else 1.0 / scaling
    return getattr(config, "final_logit_softcapping", None), float(factor)
