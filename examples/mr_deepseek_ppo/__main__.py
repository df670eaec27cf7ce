"""`python -m examples.mr_deepseek_ppo STAGE --config TOML --out FOLDER`."""

from examples.common.commands import leave
from examples.mr_deepseek_ppo.recipe import RECIPE

if __name__ == "__main__":
    leave(RECIPE)
