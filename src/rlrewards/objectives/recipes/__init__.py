"""Published objectives, each a line or two of the pieces.

All take ``logp, old_logp, mask`` ``[B, T]`` and ``advantages`` ``[B]`` or ``[B, T]`` (``reinforce``
and ``gpg`` no ``old_logp``) and return ``LossOutput(loss, metrics)``. Beside their own settings:

- ``keep`` ``[B, T]``: tokens to use; the others add nothing but still count in the denominator
  (``top_entropy_mask``, ``off_policy_sequence_mask``). What shall not count goes into ``mask``.
- ``weight`` ``[B, T]``: a constant factor, such as ``truncated_importance``.
- ``beta``, ``ref_logp``, ``kl``: a penalty ``β·kl(logp, ref_logp)``, added after ``keep`` and
  ``weight`` and subject to neither; for the corrected k3 ``partial(corrected_k3, old_logp=…)``.
- ``denominator``: by default a count on the tensors given; pass that of the whole optimizer step
  when a batch is cut into micro-batches or ranks.
- ``metrics``: True, or ``MetricInputs(…)``, adds the scalars of ``policy_metrics``, at the cost of
  a few more passes over the tokens.

On the CPU and in float32 or less, the recipes of the clipped family run as one fused pass, which
can be differentiated once; for second derivatives compose the pieces, or use float64.
"""

from rlrewards.objectives.recipes.clipped_family import bnpo, dapo, dr_grpo, grpo, ppo_clip, vapo
from rlrewards.objectives.recipes.sequence_family import gmpo, gspo, luspo, vespo
from rlrewards.objectives.recipes.weighted_family import cispo, gpg, reinforce, sapo

__all__ = [
    "bnpo",
    "cispo",
    "dapo",
    "dr_grpo",
    "gmpo",
    "gpg",
    "grpo",
    "gspo",
    "luspo",
    "ppo_clip",
    "reinforce",
    "sapo",
    "vapo",
    "vespo",
]
