"""How much one optimizer step learns from: tokens and sequences of all its micro-batches and ranks.

A trainer that generates completions for a whole optimizer step knows the count before the first
backward pass. One that generates again in the middle of it does not: then the first micro-batches
are divided by an estimate, and the gradients are corrected before the step is taken. Either way the
gradient is that of the whole.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from rlrewards.objectives import OptimizerStep, optimizer_step


class Window:
    """The micro-batches of an optimizer step, as far as they are known.

    Args:
        masks: Of the micro-batches that are known, `[B, T]` each; this rank's.
        micro_batches: How many the step has.

    Attributes:
        counts: Of the whole step; estimated where only a part of it is known.
        was_estimated: Whether it had to be.

    >>> import torch
    >>> window = Window([torch.tensor([[1, 1], [1, 0]])], micro_batches=2)
    >>> int(window.counts.tokens), window.is_complete
    (6, False)
    >>> window.add([torch.tensor([[1, 0], [1, 0]])])
    >>> round(window.correction("tokens").item(), 3), window.is_complete
    (1.2, True)
    """

    def __init__(self, masks: Sequence[Tensor], micro_batches: int) -> None:
        self.micro_batches = micro_batches
        self.known = len(masks)
        self.was_estimated = self.known < micro_batches
        self._found = optimizer_step(masks)
        guess = _scaled(self._found, micro_batches / self.known)
        # Where nothing known has a token the guess is 0, and what comes later is divided by it.
        self.counts = _floored(guess) if self.was_estimated else guess

    @property
    def is_complete(self) -> bool:
        """Whether all micro-batches have been counted."""
        return self.known >= self.micro_batches

    def add(self, masks: Sequence[Tensor]) -> None:
        """Count micro-batches that were not known before."""
        further = optimizer_step(masks)
        self.known += len(masks)
        self._found = self._found._replace(
            tokens=self._found.tokens + further.tokens,
            sequences=self._found.sequences + further.sequences,
            filled=self._found.filled + further.filled,
        )

    def correction(self, count: str) -> Tensor:
        """Return what the gradients have to be multiplied by: the estimate over the count."""
        counted: Tensor = getattr(self._found, count)
        guessed: Tensor = getattr(self.counts, count)
        return guessed / counted.clamp(min=1)


def _scaled(counts: OptimizerStep, factor: float) -> OptimizerStep:
    return counts._replace(
        tokens=counts.tokens * factor,
        sequences=counts.sequences * factor,
        filled=counts.filled * factor,
    )


def _floored(counts: OptimizerStep) -> OptimizerStep:
    return counts._replace(
        tokens=counts.tokens.clamp(min=1),
        sequences=counts.sequences.clamp(min=1),
        filled=counts.filled.clamp(min=1),
    )


def scale_gradients(model: nn.Module, factor: Tensor) -> None:
    """Multiply all gradients in place."""
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.grad.mul_(factor.to(parameter.grad))
