"""The composite reward: accuracy of the boxed letter, format, length, repetition."""

from __future__ import annotations

import rlrewards as rr
from examples.gazal_r1.own_settings import RewardSettings


def stack(settings: RewardSettings, completion_tokens: int) -> rr.Stack:
    """Return the reward: the preset `gazal_r1`, or its earlier variant with soft overlong.

    The ratio 4 : 1 of limit to start is a buffer of three quarters of the limit, 2 : 1 of a half.
    """
    final = rr.presets.gazal_r1(
        max_length=completion_tokens,
        accuracy=settings.accuracy,
        format=settings.format,
        cosine=settings.length_weight,
        repetition=settings.repetition,
    )
    if settings.length == "cosine":
        return final
    buffer = completion_tokens - round(completion_tokens / settings.overlong_ratio)
    overlong = rr.SoftOverlong(max_length=completion_tokens, buffer=buffer)
    parts = {part.name: (part.weight, part.reward) for part in final.parts}
    del parts["cosine"]
    return rr.Stack(parts | {"soft_overlong": (settings.length_weight, overlong)})
