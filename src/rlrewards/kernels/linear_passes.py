"""The linear kernels as loops: some valid tokens at a time meet the head, and results are stored.

``projection`` and ``device_projection`` have the arithmetic of some tokens. Here are the three
passes over all of them: statistics alone; their gradients, the logits computed again; and the loss
of an objective with its gradients, formed while the logits are at hand.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from rlrewards.kernels import launch
from rlrewards.kernels.device_projection import DeviceHead
from rlrewards.kernels.linear_checks import check_labels
from rlrewards.kernels.objective import PolicyObjective, unflattened
from rlrewards.kernels.projection import Gradients, Head, Statistics, VocabShard

AnyHead = Head | DeviceHead


def _head(
    weight: Tensor,
    bias: Tensor | None,
    temperature: float,
    softcap: float,
    shard: VocabShard | None = None,
) -> AnyHead:
    kind: type[AnyHead] = Head
    if launch.runs_triton(weight) and weight.dtype != torch.float64:
        kind = DeviceHead
    return kind(weight, bias, temperature, softcap or None, shard)


def result_dtype(weight: Tensor) -> torch.dtype:
    """Of log-probabilities, entropies and losses."""
    return torch.float64 if weight.dtype == torch.float64 else torch.float32


def _passes(
    hidden: Tensor, chosen: Tensor | None, head: AnyHead
) -> Iterator[tuple[Tensor | slice, Tensor]]:
    """Yield the places of some valid tokens, and their hidden states in the working precision."""
    count = len(hidden)
    places = None if chosen is None else chosen.nonzero().squeeze(1)
    if places is not None and len(places) == count:
        places = None
    count = count if places is None else len(places)
    for start in range(0, count, head.tokens):
        band = slice(start, min(start + head.tokens, count))
        at = band if places is None else places[band]
        yield at, hidden[at].to(head.work)


def forward(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor, chosen: Tensor | None,
    temperature: float, softcap: float, entropy: bool, shard: VocabShard | None = None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Log-probabilities, entropies (or nothing) and normalisers of all tokens."""
    check_labels(labels, chosen, weight, shard)
    head = _head(weight, bias, temperature, softcap, shard)
    dtype, count = result_dtype(weight), len(hidden)
    logp = hidden.new_zeros(count, dtype=dtype)
    spread = hidden.new_zeros(count if entropy else 0, dtype=dtype)
    lse = hidden.new_zeros(count, dtype=dtype)
    with torch.autocast(hidden.device.type, enabled=False):
        for at, states in _passes(hidden, chosen, head):
            found, _ = head.statistics(states, labels[at], entropy=entropy)
            logp[at], lse[at] = found.logp, found.lse
            if found.entropy is not None:
                spread[at] = found.entropy
    return logp, spread, lse


def backward(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor, chosen: Tensor | None,
    logp: Tensor, spread: Tensor, lse: Tensor, upstream: Tensor, upstream_entropy: Tensor | None,
    temperature: float, softcap: float, wanted: list[bool], shard: VocabShard | None = None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Gradients of hidden states, weight and bias; empty where they are not wanted."""
    head = _head(weight, bias, temperature, softcap, shard)
    into, gradient = _gradients(hidden, weight, bias, wanted, hidden.dtype)
    with torch.autocast(hidden.device.type, enabled=False):
        for at, states in _passes(hidden, chosen, head):
            known = Statistics(logp[at], None if upstream_entropy is None else spread[at], lse[at])
            entropies = None if upstream_entropy is None else upstream_entropy[at]
            part = head.add_recomputed(states, labels[at], known, upstream[at], entropies, into)
            if into.hidden:
                gradient[at] = part.to(gradient.dtype)
    return gradient, *_stored(into, weight, weight.dtype)


def loss_and_gradients(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor, chosen: Tensor,
    advantages: Tensor, mask: Tensor, old_logp: Tensor | None, ref_logp: Tensor | None,
    keep: Tensor | None, token_weight: Tensor | None, denominator: Tensor | None,
    recipe: str, penalty: str, names: list[str], numbers: list[float], temperature: float,
    softcap: float, entropy: bool, hidden_wanted: bool, weight_wanted: bool, bias_wanted: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """Loss, log-probabilities, entropies and gradients, in one pass over the logits."""
    wanted = [hidden_wanted, weight_wanted, bias_wanted]
    tensors = (advantages, mask, old_logp, ref_logp, keep, token_weight, denominator)
    objective = unflattened((recipe, penalty, names, numbers), tensors)
    kept = kept_dtype(weight)
    into, gradient = _gradients(hidden, weight, bias, wanted, kept)
    with torch.autocast(hidden.device.type, enabled=False):
        if any(wanted):
            check_labels(labels, chosen, weight, None)
            head = _head(weight, bias, temperature, softcap)
            logp, spread = _with_slopes(
                head, objective, hidden, labels, chosen, entropy, into, gradient
            )
        else:
            logp, spread, _ = forward(
                hidden, weight, bias, labels, chosen, temperature, softcap, entropy
            )
        loss = objective(logp.view(mask.shape)).loss.to(logp.dtype)
    return loss, logp, spread, gradient, *_stored(into, weight, kept)


def _with_slopes(
    head: AnyHead, objective: PolicyObjective, hidden: Tensor, labels: Tensor, chosen: Tensor,
    entropy: bool, into: Gradients, gradient: Tensor,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Log-probabilities and entropies; the gradients of the loss to their places meanwhile."""
    weights, unit = objective.token_weights(), None
    if head.weight.dtype == torch.float16:
        unit = _unit(weights)
        weights = weights / unit
    dtype, count = result_dtype(head.weight), len(hidden)
    logp = hidden.new_zeros(count, dtype=dtype)
    spread = hidden.new_zeros(count if entropy else 0, dtype=dtype)
    room = hidden.new_empty(min(head.tokens, count) * head.vocabulary, dtype=dtype)
    places = torch.arange(count, device=hidden.device)
    for at, states in _passes(hidden, chosen, head):
        found, kept = head.statistics(states, labels[at], entropy=entropy, keep=room)
        logp[at] = found.logp
        if found.entropy is not None:
            spread[at] = found.entropy
        slopes = objective.slopes(found.logp, places[at], weights)
        part = head.add_gradient(kept, labels[at], found.lse, slopes, into)
        if into.hidden:
            gradient[at] = part.to(gradient.dtype)
    if unit is not None:
        for x in (gradient if into.hidden else None, into.weight, into.bias):
            if x is not None:
                x.mul_(unit)
    return logp, spread


def _unit(weights: Tensor) -> Tensor:
    """The largest weight of a token: in units of it, gradients of logits fit into float16."""
    largest = weights.amax() if len(weights) else weights.new_zeros(())
    return torch.where((largest > 0) & largest.isfinite(), largest, 1.0)


def kept_dtype(weight: Tensor) -> torch.dtype:
    """Of gradients that wait for the factor of their loss, without which float16 underflows."""
    return torch.float32 if weight.dtype == torch.float16 else weight.dtype


def _gradients(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, wanted: list[bool], kept: torch.dtype
) -> tuple[Gradients, Tensor]:
    """Where the gradients go: those of the head add up in float32 at least."""
    dtype = result_dtype(weight)
    into = Gradients(
        wanted[0],
        torch.zeros_like(weight, dtype=dtype) if wanted[1] else None,
        torch.zeros_like(bias, dtype=dtype) if bias is not None and wanted[2] else None,
    )
    nothing = weight.new_empty(0, dtype=kept)
    return into, torch.zeros_like(hidden, dtype=kept) if wanted[0] else nothing


def _stored(into: Gradients, weight: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    found = (
        weight.new_empty(0, dtype=dtype) if x is None else x.to(dtype)
        for x in (into.weight, into.bias)
    )
    return next(found), next(found)
