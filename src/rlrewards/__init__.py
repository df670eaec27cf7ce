"""Reward functions and RL objectives for training language models.

    import rlrewards as rr

    stack = 0.8 * rr.Accuracy() + 0.2 * rr.ThinkAnswerFormat()
    stack([rr.Sample("<think>2 + 2</think> <answer>4</answer>", reference="4")])

The names below are loaded at first use, so that importing the package costs next to nothing. The
tensor half is `from rlrewards import objectives as rl` and needs torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from rlrewards import adapters as adapters
    from rlrewards import metrics as metrics
    from rlrewards import objectives as objectives
    from rlrewards import presets as presets
    from rlrewards import rewards as rewards
    from rlrewards import stack as stack
    from rlrewards.composable import each as each
    from rlrewards.composable import reward as reward
    from rlrewards.core import Reward as Reward
    from rlrewards.core import Sample as Sample
    from rlrewards.core import Scores as Scores
    from rlrewards.rewards.accuracy import Accuracy as Accuracy
    from rlrewards.rewards.choice_accuracy import ChoiceAccuracy as ChoiceAccuracy
    from rlrewards.rewards.cosine_length import CosineLength as CosineLength
    from rlrewards.rewards.format import (
        GazalFormat as GazalFormat,
    )
    from rlrewards.rewards.format import (
        HuatuoFormat as HuatuoFormat,
    )
    from rlrewards.rewards.format import (
        TagCount as TagCount,
    )
    from rlrewards.rewards.format import (
        ThinkAnswerFormat as ThinkAnswerFormat,
    )
    from rlrewards.rewards.format import (
        ThinkFormat as ThinkFormat,
    )
    from rlrewards.rewards.group_length import GroupLength as GroupLength
    from rlrewards.rewards.reasoning import (
        ChainOfDraft as ChainOfDraft,
    )
    from rlrewards.rewards.reasoning import (
        ReasoningSteps as ReasoningSteps,
    )
    from rlrewards.rewards.repetition import (
        DenseRepetition as DenseRepetition,
    )
    from rlrewards.rewards.repetition import (
        RepetitionPenalty as RepetitionPenalty,
    )
    from rlrewards.rewards.repetition import (
        dense_repetition as dense_repetition,
    )
    from rlrewards.rewards.soft_overlong import SoftOverlong as SoftOverlong
    from rlrewards.schedules import (
        CosineSchedule as CosineSchedule,
    )
    from rlrewards.schedules import (
        LinearSchedule as LinearSchedule,
    )
    from rlrewards.schedules import (
        StepSchedule as StepSchedule,
    )
    from rlrewards.stack import Stack as Stack
    from rlrewards.verify.explain import explain as explain
    from rlrewards.verify.verdict import (
        Answer as Answer,
    )
    from rlrewards.verify.verdict import (
        Status as Status,
    )
    from rlrewards.verify.verdict import (
        Tier as Tier,
    )
    from rlrewards.verify.verdict import (
        Verdict as Verdict,
    )
    from rlrewards.verify.verifier import Verifier as Verifier
    from rlrewards.verify.verifier import extract as extract
    from rlrewards.verify.verifier import grade as grade
    from rlrewards.verify.verifier import verify as verify

# Public name -> the module that defines it.
_MODULE_OF = {
    "Sample": "core",
    "Reward": "core",
    "Scores": "core",
    "Stack": "stack",
    "each": "composable",
    "reward": "composable",
    "LinearSchedule": "schedules",
    "CosineSchedule": "schedules",
    "StepSchedule": "schedules",
    "Answer": "verify.verdict",
    "Status": "verify.verdict",
    "Tier": "verify.verdict",
    "Verdict": "verify.verdict",
    "Verifier": "verify.verifier",
    "explain": "verify.explain",
    "extract": "verify.verifier",
    "grade": "verify.verifier",
    "Accuracy": "rewards.accuracy",
    "ChoiceAccuracy": "rewards.choice_accuracy",
    "ThinkFormat": "rewards.format",
    "ThinkAnswerFormat": "rewards.format",
    "TagCount": "rewards.format",
    "HuatuoFormat": "rewards.format",
    "GazalFormat": "rewards.format",
    "CosineLength": "rewards.cosine_length",
    "SoftOverlong": "rewards.soft_overlong",
    "GroupLength": "rewards.group_length",
    "RepetitionPenalty": "rewards.repetition",
    "DenseRepetition": "rewards.repetition",
    "dense_repetition": "rewards.repetition",
    "ReasoningSteps": "rewards.reasoning",
    "ChainOfDraft": "rewards.reasoning",
}
_MODULES = ("adapters", "metrics", "objectives", "presets", "rewards", "stack", "verify")

__all__ = ["__version__", "metrics", "presets", "verify", *_MODULE_OF]


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        value = getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    elif name in _MODULES:
        value = importlib.import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULE_OF, *_MODULES])
