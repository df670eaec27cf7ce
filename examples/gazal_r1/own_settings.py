"""The tables of the settings that only this recipe has: `[prompts]` and `[reward]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from examples.gazal_r1 import prompts


@dataclass(frozen=True, kw_only=True)
class PromptSettings:
    """The system prompts; an empty one is left out."""

    sft: str = prompts.SFT
    grpo: str = prompts.GRPO


@dataclass(frozen=True, kw_only=True)
class RewardSettings:
    """The weights of the parts, and how length is kept in check.

    `length` is the cosine reward of the final runs, or the soft overlong punishment that they had
    before and rejected; of that, `overlong_ratio` is limit to start of the punishment: 4 or 2.
    """

    length: Literal["cosine", "soft_overlong"] = "cosine"
    accuracy: float = 1.0
    format: float = 1.0
    length_weight: float = 1.0
    repetition: float = 1.0
    overlong_ratio: float = 4.0


OWN: Mapping[str, type[Any]] = {"prompts": PromptSettings, "reward": RewardSettings}
