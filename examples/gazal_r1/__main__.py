"""Start with: python -m examples.gazal_r1 all."""

from __future__ import annotations

from examples.common import commands
from examples.gazal_r1.recipe import RECIPE

if __name__ == "__main__":
    commands.leave(RECIPE)
