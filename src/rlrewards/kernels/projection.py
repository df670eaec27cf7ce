r"""Softmax over ``hidden @ lm_headᵀ`` without the logits of all tokens: the arithmetic, on the CPU.

Some tokens at a time meet some of the vocabulary at a time. A tile of logits becomes
``E = 2^(x − peak)`` while it is in the cache; its row sums give the statistics. The gradient of a
log-probability with respect to a logit is ``1[label] − E·2^(peak − lse)``: a factor a row, which
goes to the small sides of the two matrix products instead of into the tile. So the vocabulary is
passed over once for each of the three products and once for the exponentials.

Logits are kept in units of log 2, since ``exp2`` takes half the time of ``exp``.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

LOG_2 = math.log(2.0)
TILE = 4096
"""Columns of the vocabulary in a tile."""
MIB = 1 << 20
KEPT = 96 * MIB
"""Memory for the exponentials that a pass keeps for its gradient: it decides how many tokens.

Half of a larger lm_head, since its gradient, as large as it, is read and written in each pass.
"""
LEAST_TOKENS, MOST_TOKENS = 64, 512


@dataclass(frozen=True)
class VocabShard:
    """The part of a vocabulary that this rank holds, and how the ranks add up.

    The hook for tensor parallelism: each rank passes its rows of lm_head, the same hidden states
    and labels, and gets the same log-probabilities; gradients of the hidden states are summed.

    Attributes:
        start: Index of the first token of the shard.
        maximum: Element-wise maximum over the ranks of a tensor, all the same shape; may write it.
        total: Element-wise sum likewise. With ``torch.distributed``, for instance
            ``lambda x: (dist.all_reduce(x, group=group), x)[1]``.
    """

    start: int
    maximum: Callable[[Tensor], Tensor]
    total: Callable[[Tensor], Tensor]


class Statistics(NamedTuple):
    """Of some tokens, each ``[n]``; the last in units of log 2."""

    logp: Tensor
    entropy: Tensor | None
    lse: Tensor


class Kept(NamedTuple):
    """What a pass keeps for the gradient."""

    hidden: Tensor  # [n, H], in the working precision
    tiles: list[Tensor]  # of 2^(x − peak), times the slope of the soft cap; on a GPU the logits
    peaks: list[Tensor]  # [n] each


class Head:
    """An lm_head, ``[V, H]``, and what becomes of its logits: ``cap·tanh(z/cap)/temperature``."""

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None = None,
        temperature: float = 1.0,
        softcap: float | None = None,
        shard: VocabShard | None = None,
    ) -> None:
        self.weight, self.bias = weight, bias
        self.softcap, self.shard = softcap, shard
        self.unit = 1.0 / (temperature * LOG_2)
        self.slope = 1.0 / temperature
        self.vocabulary, self.width = weight.shape
        self.work = torch.float64 if weight.dtype == torch.float64 else torch.float32

    @property
    def tokens(self) -> int:
        """How many tokens a pass takes that keeps its exponentials."""
        row = max(1, self.vocabulary) * (8 if self.work == torch.float64 else 4)
        return max(LEAST_TOKENS, min(MOST_TOKENS, max(KEPT // row, self.width // 2)))

    def statistics(
        self, hidden: Tensor, labels: Tensor, *, entropy: bool, keep: Tensor | None = None
    ) -> tuple[Statistics, Kept]:
        """Return log-probabilities and entropies; with ``keep``, a buffer, what a gradient needs.

        Shapes: ``hidden`` ``[n, H]`` in the working precision, ``labels`` ``[n]``.
        """
        n, (places, mine) = len(hidden), self._mine(labels)
        label = hidden.new_zeros(n)
        peak = hidden.new_full((n,), -math.inf)
        total, moment = hidden.new_zeros(n), hidden.new_zeros(n)
        kept, scaled = Kept(hidden, [], []), self._scaled(hidden)
        scratch = hidden.new_empty(n * min(TILE, self.vocabulary))
        room = hidden.new_empty(len(scratch)) if keep is None else keep
        for start, part, bias in self._tiles():
            size = n * len(part)
            x, slope = self._logits(scaled, part, bias, scratch[:size].view(n, -1))
            # A product of its own would round otherwise, and give log-probabilities above 0.
            inside = places - start
            at_label = x.gather(1, inside.clamp(0, len(part) - 1).unsqueeze(1)).squeeze(1)
            found = mine & (inside >= 0) & (inside < len(part))
            label = torch.where(found, at_label, label)
            here = x.amax(1)
            here = here.clamp_(min=torch.finfo(here.dtype).min)  # a row of −inf alone
            x.sub_(here.unsqueeze(1))
            at = 0 if keep is None else n * start
            exps = torch.exp2(x, out=room[at : at + size].view(n, -1))
            sums = exps.sum(1)
            new = torch.maximum(peak, here)
            old, more = torch.exp2(peak - new), torch.exp2(here - new)
            if entropy:  # Σ 2^(x − new)·(x − new), from the old peak and from that of the tile
                moment = old * (moment + total * _finite(peak - new)) + more * (
                    _sum_of_products_(x, exps) + sums * (here - new)
                )
            total = old * total + more * sums
            peak = new
            if keep is not None:
                if slope is not None:
                    exps.mul_(slope)
                kept.tiles.append(exps)
                kept.peaks.append(here)
        return self._summed(label, peak, total, moment if entropy else None), kept

    def _summed(
        self, label: Tensor, peak: Tensor, total: Tensor, moment: Tensor | None
    ) -> Statistics:
        if self.shard is not None:
            most = self.shard.maximum(peak.clone())
            less = torch.exp2(peak - most)
            if moment is not None:
                moment = self.shard.total(less * (moment + total * _finite(peak - most)))
            total, peak = self.shard.total(less * total), most
            label = self.shard.total(label)
        lse = peak + total.log2()
        entropy = None if moment is None else (total.log2() - moment / total) * LOG_2
        return Statistics((label - lse) * LOG_2, entropy, lse)

    def add_gradient(
        self,
        kept: Kept,
        labels: Tensor,
        lse: Tensor,
        upstream: Tensor,
        into: "Gradients",
    ) -> Tensor:
        """Add what ``upstream`` · ∂logp gives to the head's gradients; return the hidden states'.

        ``upstream`` ``[n]`` → ``[n, H]``.
        """
        hidden, tiles, peaks = kept
        factor = upstream * self.slope
        gradient = torch.zeros_like(hidden) if into.hidden else hidden
        for (start, part, _), tile, peak in zip(self._tiles(), tiles, peaks, strict=True):
            rows = (-factor * torch.exp2(peak - lse)).unsqueeze(1)
            self._add_tile(tile, rows, part, start, hidden, gradient, into)
        self._add_labels(hidden, labels, factor, gradient, into)
        return self._whole(gradient, into)

    def add_recomputed(
        self,
        hidden: Tensor,
        labels: Tensor,
        statistics: Statistics,
        upstream: Tensor,
        upstream_entropy: Tensor | None,
        into: "Gradients",
    ) -> Tensor:
        """The same from statistics alone, the logits computed again; entropies count too."""
        n, lse = len(hidden), statistics.lse.unsqueeze(1)
        factor = upstream * self.slope
        minus = -factor.unsqueeze(1)
        gradient = torch.zeros_like(hidden) if into.hidden else hidden
        scaled = self._scaled(hidden)
        scratch = hidden.new_empty(2, n * min(TILE, self.vocabulary))
        one = hidden.new_ones(n, 1)
        for start, part, bias in self._tiles():
            size = n * len(part)
            x, slope = self._logits(scaled, part, bias, scratch[0, :size].view(n, -1))
            x.sub_(lse)
            tile = torch.exp2(x, out=scratch[1, :size].view(n, -1))
            if slope is not None:
                tile.mul_(slope)
            rows = minus
            if upstream_entropy is not None:  # −(g + g_H·(log p + H))·p
                assert statistics.entropy is not None
                g = (upstream_entropy * self.slope).unsqueeze(1)
                x.clamp_(min=torch.finfo(x.dtype).min).mul_(-g * LOG_2)
                tile.mul_(x.add_(minus - g * statistics.entropy.unsqueeze(1)))
                rows = one
            self._add_tile(tile, rows, part, start, hidden, gradient, into)
        self._add_labels(hidden, labels, factor, gradient, into)
        return self._whole(gradient, into)

    def _add_tile(
        self,
        tile: Tensor,
        rows: Tensor,
        part: Tensor,
        start: int,
        hidden: Tensor,
        gradient: Tensor,
        into: "Gradients",
    ) -> None:
        """Add ``(rows · tile) @ part`` and its two transposes."""
        stop = start + len(part)
        if into.hidden:
            gradient.addcmul_(tile @ part, rows)
        if into.weight is not None:
            into.weight[start:stop].addmm_(tile.t(), rows * hidden)
        if into.bias is not None:
            into.bias[start:stop].addmv_(tile.t(), rows.squeeze(1))

    def _add_labels(
        self, hidden: Tensor, labels: Tensor, factor: Tensor, gradient: Tensor, into: "Gradients"
    ) -> None:
        places, mine = self._mine(labels)
        if self.softcap is not None:
            z = self._raw_label_logits(hidden, places)
            factor = factor * (1 - (z / self.softcap).tanh().square())
        factor = factor * mine
        if into.hidden:
            gradient.addcmul_(self.weight[places].to(self.work), factor.unsqueeze(1))
        if into.weight is not None:
            into.weight.index_add_(0, places, factor.unsqueeze(1) * hidden)
        if into.bias is not None:
            into.bias.index_add_(0, places, factor)

    def _whole(self, gradient: Tensor, into: "Gradients") -> Tensor:
        return self.shard.total(gradient) if self.shard is not None and into.hidden else gradient

    def _tiles(self) -> Iterator[tuple[int, Tensor, Tensor | None]]:
        """Yield the start of each tile, its rows of the weight and its part of the bias."""
        for start in range(0, self.vocabulary, TILE):
            stop = min(start + TILE, self.vocabulary)
            bias = None if self.bias is None else self._scaled(self.bias[start:stop].to(self.work))
            yield start, self.weight[start:stop].to(self.work), bias

    def _scaled(self, x: Tensor) -> Tensor:
        """What is linear in the logits, in their unit; a soft cap comes before it."""
        return x if self.softcap is not None else x * self.unit

    def _logits(
        self, scaled: Tensor, part: Tensor, bias: Tensor | None, out: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Return a tile of logits in units of log 2, and the slope of the soft cap."""
        torch.mm(scaled, part.t(), out=out)
        if bias is not None:
            out.add_(bias)
        if self.softcap is None:
            return out, None
        out.div_(self.softcap).tanh_()
        slope = 1 - out.square()
        return out.mul_(self.softcap * self.unit), slope

    def _raw_label_logits(self, hidden: Tensor, places: Tensor) -> Tensor:
        z = (hidden * self.weight[places].to(self.work)).sum(1)
        return z if self.bias is None else z + self.bias[places].to(self.work)

    def _mine(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return where in this shard a label stands, and whether it does."""
        places = labels - (0 if self.shard is None else self.shard.start)
        mine = (places >= 0) & (places < self.vocabulary)
        return torch.where(mine, places, 0), mine


class Gradients(NamedTuple):
    """Which gradients are wanted, and where those of the head add up."""

    hidden: bool
    weight: Tensor | None  # [V, H] in the working precision
    bias: Tensor | None


def _sum_of_products_(x: Tensor, exps: Tensor) -> Tensor:
    """``Σ x·e`` of each row, written over x; 0 · −inf, of a token that cannot be, is 0.

    A product in memory of its own, as ``vecdot`` makes it, is a tile more, of which the allocator
    kept several in some processes.
    """
    found = x.mul_(exps).sum(1)
    return x.masked_fill_(exps == 0, 0.0).sum(1) if found.isnan().any() else found


def _finite(x: Tensor) -> Tensor:
    return x.clamp(min=torch.finfo(x.dtype).min)
