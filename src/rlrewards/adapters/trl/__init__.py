"""TRL: a stack as the reward functions of `GRPOTrainer`, and a `GRPOTrainer` with our objectives.

- `rewards`: `reward_functions(stack)`, what any trainer of TRL takes as `reward_funcs`.
- `trainer`: `ObjectiveGRPOTrainer`, whose loss is a recipe of `rlrewards.objectives`.
- `callback`: `ObjectiveCallback`, which writes what training logs.

Importing this package imports neither TRL nor torch; the trainer and the callback do, at first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rlrewards.adapters.sinks import JsonlSink
from rlrewards.adapters.trl.rewards import (
    AsyncRewardFunction,
    RewardFunction,
    Scoring,
    reward_functions,
)

if TYPE_CHECKING:
    from rlrewards.adapters.trl.callback import ObjectiveCallback
    from rlrewards.adapters.trl.trainer import ObjectiveGRPOTrainer

__all__ = [
    "AsyncRewardFunction",
    "JsonlSink",
    "ObjectiveCallback",
    "ObjectiveGRPOTrainer",
    "RewardFunction",
    "Scoring",
    "reward_functions",
]

_LAZY = {
    "ObjectiveCallback": "rlrewards.adapters.trl.callback",
    "ObjectiveGRPOTrainer": "rlrewards.adapters.trl.trainer",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(_LAZY[name]), name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("trl", "transformers", "torch", "accelerate"):
            raise
        raise ImportError(
            f'{name} needs {error.name}: pip install "rlrewards[trl]"', name=error.name
        ) from error
