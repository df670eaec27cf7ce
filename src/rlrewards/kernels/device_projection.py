"""The arithmetic of ``projection`` on a GPU: matrix products by cuBLAS, the rest by Triton.

Some thousand tokens at a time meet the whole vocabulary. Their logits are accumulated and kept in
float32, read once for the statistics and once more for the gradient, which is written in the
dtype of the head for the two other matrix products.
"""

import torch
from torch import Tensor

from rlrewards.kernels.projection import Gradients, Kept, Statistics, VocabShard

MIB = 1 << 20
KEPT = 1280 * MIB
"""Memory for the float32 logits of a pass: it decides how many tokens."""
LEAST_TOKENS, MOST_TOKENS = 128, 8192


class DeviceHead:
    """As ``projection.Head``, for tensors that Triton programs can read."""

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None = None,
        temperature: float = 1.0,
        softcap: float | None = None,
        shard: VocabShard | None = None,
    ) -> None:
        self.weight, self.bias, self.shard = weight, bias, shard
        self.temperature, self.softcap = temperature, softcap or 0.0
        self.vocabulary, self.width = weight.shape
        self.work = weight.dtype

    @property
    def tokens(self) -> int:
        """How many tokens a pass takes."""
        fit = KEPT // (4 * max(1, self.vocabulary))
        return max(LEAST_TOKENS, min(MOST_TOKENS, fit - fit % 128))

    def statistics(
        self, hidden: Tensor, labels: Tensor, *, entropy: bool, keep: Tensor | None = None
    ) -> tuple[Statistics, Kept]:
        """Return log-probabilities and entropies, and what a gradient needs."""
        from rlrewards.kernels.programs import selective_logprob as programs

        n = len(hidden)
        out = None if keep is None else keep[: n * self.vocabulary].view(n, -1)
        logits = _product(hidden, self.weight.t(), out)
        if self.bias is not None:
            logits.add_(self.bias)
        places, mine = self._mine(labels)
        logp, spread, lse = programs.row_statistics(
            logits, places, temperature=self.temperature, softcap=self.softcap
        )
        if self.shard is not None:
            logp, spread, lse = self._over_ranks(logp, spread, lse, mine, self.shard)
        return Statistics(logp, spread if entropy else None, lse), Kept(hidden, [logits], [])

    @staticmethod
    def _over_ranks(
        logp: Tensor, entropy: Tensor, lse: Tensor, mine: Tensor, shard: VocabShard
    ) -> tuple[Tensor, Tensor, Tensor]:
        label = shard.total(torch.where(mine, logp + lse, 0.0))
        most = shard.maximum(lse.clone())
        whole = most + shard.total((lse - most).exp()).log()
        log_share = lse - whole
        entropy = shard.total(log_share.exp() * (entropy - log_share))
        return label - whole, entropy, whole

    def add_gradient(
        self, kept: Kept, labels: Tensor, lse: Tensor, upstream: Tensor, into: Gradients
    ) -> Tensor:
        """Add what ``upstream`` · ∂logp gives to the head's gradients; return the hidden states'.

        The logits that were kept are overwritten.
        """
        return self._add(kept, labels, Statistics(lse, None, lse), upstream, None, into)

    def add_recomputed(
        self,
        hidden: Tensor,
        labels: Tensor,
        statistics: Statistics,
        upstream: Tensor,
        upstream_entropy: Tensor | None,
        into: Gradients,
    ) -> Tensor:
        """The same from statistics alone, the logits computed again; entropies count too."""
        logits = _product(hidden, self.weight.t(), None)
        if self.bias is not None:
            logits.add_(self.bias)
        kept = Kept(hidden, [logits], [])
        return self._add(kept, labels, statistics, upstream, upstream_entropy, into)

    def _add(
        self,
        kept: Kept,
        labels: Tensor,
        statistics: Statistics,
        upstream: Tensor,
        upstream_entropy: Tensor | None,
        into: Gradients,
    ) -> Tensor:
        from rlrewards.kernels.programs import selective_logprob as programs

        hidden, (logits,) = kept.hidden, kept.tiles
        places, mine = self._mine(labels)
        entropy = statistics.lse if statistics.entropy is None else statistics.entropy
        plain = self.weight.dtype == logits.dtype
        out = logits if plain else torch.empty_like(logits, dtype=self.weight.dtype)
        programs.write_gradient(
            logits,
            torch.where(mine, places, -1),
            statistics.lse,
            entropy,
            upstream,
            upstream_entropy,
            out,
            temperature=self.temperature,
            softcap=self.softcap,
            elsewhere=self.shard is not None,
        )
        if into.weight is not None:
            _add_product(into.weight, out.t(), hidden)
        if into.bias is not None:
            into.bias.add_(out.sum(0, dtype=into.bias.dtype))
        if not into.hidden:
            return hidden
        gradient = out @ self.weight
        return gradient if self.shard is None else self.shard.total(gradient)

    def _mine(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        if self.shard is None:
            return labels, torch.ones_like(labels, dtype=torch.bool)
        places = labels - self.shard.start
        mine = (places >= 0) & (places < self.vocabulary)
        return torch.where(mine, places, 0), mine


def _product(a: Tensor, b: Tensor, out: Tensor | None) -> Tensor:
    """``a @ b`` in float32, whatever the two are stored in."""
    if a.dtype == torch.float32:
        return torch.mm(a, b, out=out)
    if not a.is_cuda:
        return torch.mm(a.float(), b.float(), out=out)
    if out is None:
        return torch.mm(a, b, out_dtype=torch.float32)
    return torch.mm(a, b, out_dtype=torch.float32, out=out)


def _add_product(total: Tensor, a: Tensor, b: Tensor) -> None:
    """Add ``a @ b`` to a float32 total, without a second array of its size where torch can."""
    if a.dtype == total.dtype:
        total.addmm_(a, b)
    elif a.is_cuda:
        torch.addmm(total, a, b, out_dtype=total.dtype, out=total)
    else:
        total.addmm_(a.float(), b.float())
