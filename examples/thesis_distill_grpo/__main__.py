"""Start with: python -m examples.thesis_distill_grpo all."""

from __future__ import annotations

from examples.common import commands
from examples.thesis_distill_grpo.recipe import RECIPE

if __name__ == "__main__":
    commands.leave(RECIPE)
