"""Groups of completions that several processes of a training hold between them.

A trainer deals the completions of a step out to its processes, so that those of one prompt may
stand in two of them, while a reward that compares them needs them all. torch is not imported here:
where no other module has started `torch.distributed`, there is one process and nothing to do.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Hashable
from typing import Any

from rlrewards.core import Sample


def with_group_mates(samples: list[Sample]) -> list[Sample]:
    """Return the samples, and behind them those of their groups that other processes hold.

    Only the samples of groups that straddle processes travel. Every process must call this for
    every batch, as TRL's processes do; in a single process nothing happens.
    """
    if world_size() == 1:
        return samples
    holders: dict[Hashable, set[int]] = defaultdict(set)
    for rank, groups in enumerate(_gathered({sample.group for sample in samples})):
        for group in groups:
            holders[group].add(rank)
    straddling = {group for group, ranks in holders.items() if len(ranks) > 1}
    if not straddling:
        return samples
    here = _distributed().get_rank()
    shared = _gathered([sample for sample in samples if sample.group in straddling])
    foreign = (sample for rank, others in enumerate(shared) if rank != here for sample in others)
    return samples + [sample for sample in foreign if here in holders[sample.group]]


def gathered(value: Any) -> list[Any]:
    """Return the value of each process, by rank; every process must call this."""
    return [value] if world_size() == 1 else _gathered(value)


def world_size() -> int:
    """Return the number of processes that train together."""
    distributed = _distributed()
    return 1 if distributed is None else int(distributed.get_world_size())


def _distributed() -> Any:
    """Return `torch.distributed` where some other module has loaded and started it, else None."""
    distributed = sys.modules.get("torch.distributed")
    ready = distributed is not None and distributed.is_available() and distributed.is_initialized()
    return distributed if ready else None


def _gathered(value: Any) -> list[Any]:
    """Return the value of each process, by rank."""
    values: list[Any] = [None] * world_size()
    _distributed().all_gather_object(values, value)
    return values
