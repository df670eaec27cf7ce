"""Counts of a whole optimizer step, over its micro-batches and ranks, so that losses add up.

Cut into pieces, a batch keeps its gradient if each piece is divided by a count over the *whole*,
``loss = Σ_piece / D``, and the gradients of the pieces are then added. ``optimizer_step`` counts,
in one all-reduce; an aggregation or a recipe divides (``denominator=``). That leaves what stands
between ``backward`` and the optimizer: DDP and FSDP *average* over ranks, Accelerate also divides
by its accumulation steps. Those factors are known beforehand, and are multiplied away.

A loop over micro-batches under DDP, where only the last backward pass may synchronise::

    step = rl.optimizer_step([batch.mask for batch in batches])
    for i, batch in enumerate(batches):
        with nullcontext() if i + 1 == len(batches) else model.no_sync():
            logp = log_probs(model, batch)
            out = rl.recipes.dapo(
                logp, batch.old_logp, batch.advantages, batch.mask, denominator=step.tokens
            )
            step.backward(out.loss)

Every rank must take part, in the counting and in the last backward pass: a rank whose tokens are
all masked runs them too, and adds exact zeros. Under DDP ranks may hold different numbers of
micro-batches. Ranks that share their data (tensor or context parallel) must not be counted twice:
pass the data-parallel group, ``process_group=mesh.get_group("dp")``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor
from torch import distributed as dist

from rlrewards.objectives import _checks
from rlrewards.objectives.masked import count as valid_cells
from rlrewards.objectives.moments import Moments, combine_moments, moments

Pieces = Tensor | Sequence[Tensor]
"""One tensor, or one per micro-batch."""

Count = Literal["tokens", "sequences", "filled"]


class OptimizerStep(NamedTuple):
    """The denominators of an optimizer step, and the factor that its losses need before backward.

    ``tokens``: valid tokens. ``sequences``: rows, empty ones too, as TRL counts. ``filled``: rows
    with a valid token, as verl counts. Scalars in float64, the same on every rank. Make one by hand
    where the counts are known already.
    """

    tokens: Tensor
    sequences: Tensor
    filled: Tensor
    loss_scale: float = 1.0

    def scale(self, loss: Tensor) -> Tensor:
        """``loss · loss_scale``: what to call ``backward`` on."""
        return loss * self.loss_scale

    def backward(self, loss: Tensor) -> None:
        """``scale(loss).backward()``; with Accelerate: ``accelerator.backward(step.scale(loss))``.

        The loss to log is the one before scaling: its sum over micro-batches and ranks.
        """
        torch.autograd.backward(self.scale(loss))


def optimizer_step(
    masks: Pieces,
    *,
    process_group: dist.ProcessGroup | None = None,
    loss_scale: float | None = None,
) -> OptimizerStep:
    """Count the tokens and sequences of a whole optimizer step: all denominators, one all-reduce.

    ``loss_scale`` defaults to ``rank_scale``, for wrappers that average gradients over the ranks
    (DDP, FSDP). For Accelerate pass ``accelerate_scale(accelerator)``; where gradients are summed
    over ranks, 1.

    Shapes: ``masks`` ``[B, T]``, or one for each micro-batch *of this rank*, of any sizes. Without
    torch.distributed the counts are local. Nothing is read back to the host. With NCCL the masks
    must be on the GPU. Raises ``ValueError`` for other shapes, for no mask at all (a rank without
    data passes an empty one), for a scale that is not positive, and on a rank outside the group.

    >>> masks = torch.tensor([[1, 1, 1], [1, 0, 0]]), torch.tensor([[1, 1], [0, 0], [1, 0]])
    >>> step = optimizer_step(masks)
    >>> int(step.tokens), int(step.sequences), int(step.filled), step.loss_scale
    (7, 5, 4, 1.0)
    """
    if loss_scale is None:
        loss_scale = rank_scale(process_group=process_group)
    if not 0.0 < loss_scale < float("inf"):
        raise ValueError(f"loss_scale is {loss_scale}, expected a finite factor above 0")
    counts = torch.stack([_counts(mask) for mask in _pieces("masks", masks)]).sum(0)
    if _world_size(process_group) > 1:
        dist.all_reduce(counts, group=process_group)
    tokens, sequences, filled = counts.unbind()
    return OptimizerStep(tokens, sequences, filled, loss_scale)


def global_denominator(
    mask: Pieces,
    *,
    count: Count = "tokens",
    process_group: dist.ProcessGroup | None = None,
    accumulation: Sequence[Tensor] = (),
) -> Tensor:
    """One count over micro-batches and ranks: ``D = Σ_ranks Σ_micro-batches Σ m``.

    ``count="tokens"`` for ``token_mean``; ``"sequences"``, rows with or without a valid token, for
    the others; ``"filled"``, rows with one, for verl's. For more than one count, and
    for the factor of the wrapper, see ``optimizer_step``.

    Shapes: ``mask`` ``[B, T]`` or one for each micro-batch; ``accumulation``, masks of further
    micro-batches → a float64 scalar, the same on every rank. Raises as ``optimizer_step``, and for
    an unknown count.

    >>> int(global_denominator(torch.tensor([[1, 1, 1], [1, 0, 0]])))
    4
    """
    if count not in ("tokens", "sequences", "filled"):
        raise ValueError(f'count is {count!r}, expected "tokens", "sequences" or "filled"')
    masks = [*_pieces("mask", mask), *accumulation]
    step = optimizer_step(masks, process_group=process_group)
    return {"tokens": step.tokens, "sequences": step.sequences, "filled": step.filled}[count]


def global_moments(
    x: Pieces, mask: Pieces, *, process_group: dist.ProcessGroup | None = None
) -> Moments:
    """Count, mean and squared deviations of the valid cells of every rank, in one collective.

    What a piece with batch statistics takes (``moments=``) to give the same result however the
    batch is cut.

    Shapes: ``x`` and ``mask`` alike, or as many of them as there are micro-batches. Float64
    scalars, the same on every rank. Raises ``ValueError`` if they differ.

    >>> x = torch.tensor([1.0, 2.0]), torch.tensor([6.0, float("nan")])
    >>> count, mean, variance_sum = global_moments(x, (torch.ones(2), torch.tensor([1, 0])))
    >>> int(count), mean.item(), variance_sum.item()
    (3, 3.0, 14.0)
    """
    xs, masks = _pieces("x", x), _pieces("mask", mask)
    if len(xs) != len(masks):
        raise ValueError(f"{len(xs)} micro-batches of x but {len(masks)} of mask: pass one for one")
    own = combine_moments([moments(*pair) for pair in zip(xs, masks, strict=True)])
    ranks = _world_size(process_group)
    if ranks == 1:
        return own
    mine = torch.stack(own)
    every = [torch.empty_like(mine) for _ in range(ranks)]
    dist.all_gather(every, mine, group=process_group)
    return combine_moments([Moments(*one.unbind()) for one in every])


def rank_scale(
    *, process_group: dist.ProcessGroup | None = None, accumulation_steps: int = 1
) -> float:
    """Factor for a loss whose gradients are averaged over ranks: ``world size · steps``.

    ``accumulation_steps``: what the framework divides a loss by before its backward pass, if it
    does (DDP and FSDP do not; DeepSpeed's engine does, by its ``gradient_accumulation_steps``).

    >>> rank_scale(), rank_scale(accumulation_steps=4)
    (1.0, 4.0)
    """
    _checks.at_least("accumulation_steps", accumulation_steps, 1)
    return float(_world_size(process_group) * accumulation_steps)


class AccumulatesGradients(Protocol):
    """What is read of an ``accelerate.Accelerator``."""

    @property
    def gradient_accumulation_steps(self) -> int:
        """The number that ``accelerator.backward`` divides each loss by."""


def accelerate_scale(
    accelerator: AccumulatesGradients, *, process_group: dist.ProcessGroup | None = None
) -> float:
    """Factor for ``accelerator.backward(loss · factor)``: ``world size · accumulation steps``.

    ``Accelerator.backward`` divides by ``gradient_accumulation_steps``, however many micro-batches
    there really are (the last step of an epoch may have fewer), and its DDP averages over ranks.

    >>> from types import SimpleNamespace
    >>> accelerate_scale(SimpleNamespace(gradient_accumulation_steps=4))
    4.0
    """
    steps = accelerator.gradient_accumulation_steps
    return rank_scale(process_group=process_group, accumulation_steps=steps)


def _counts(mask: Tensor) -> Tensor:
    """Tokens, rows and rows with a token, as float64 ``[3]`` where the mask is."""
    valid = _checks.boolean_mask(mask, "mask", mask)
    if valid.ndim != 2:
        raise ValueError(f"mask has shape {list(valid.shape)}, expected [B, T]")
    filled = valid.any(1)
    return torch.stack([valid_cells(cells) for cells in (valid, torch.ones_like(filled), filled)])


def _pieces(name: str, given: Pieces) -> list[Tensor]:
    pieces = [given] if isinstance(given, Tensor) else list(given)
    if not pieces:
        raise ValueError(
            f"{name} is empty, expected one tensor per micro-batch: a rank without data passes "
            "torch.zeros(0, 0) on its device"
        )
    return pieces


def _world_size(group: dist.ProcessGroup | None) -> int:
    """Ranks in the group; 1 where torch.distributed is not in use."""
    if not (dist.is_available() and dist.is_initialized()):
        return 1
    size = dist.get_world_size(group)
    if size < 1:
        raise ValueError("this rank is not in process_group: pass the group that it belongs to")
    return size
