"""The reward of HuatuoGPT-o1: 0 without the form, 1.0 when the answer is right, 0.1 when it is not.

Who says what is right is a setting. The rules of `rlrewards.verify` need no model and never guess,
but they know few of the names of a disease. HuatuoGPT-o1's own verifier is a model, 0.4 of whose
probability is enough; `learnt_verifier.py` asks it.
"""

from __future__ import annotations

import rlrewards as rr
from examples.common.settings import Settings
from examples.mr_deepseek_ppo.learnt_verifier import LearntVerifier
from examples.mr_deepseek_ppo.prompts import REASONING_TAGS

RULES = "rules"


def verifier() -> rr.Verifier:
    """Return the rules: they read what stands after `## Final Response`.

    They grade the evaluation, whatever the reward of the training.
    """
    return rr.Verifier(reasoning_tags=REASONING_TAGS)


def stack(learnt: LearntVerifier | None = None) -> rr.Stack:
    """Return the reward: the preset with the rules, or the same sum with a learnt verifier."""
    if learnt is None:
        return rr.presets.huatuo_o1(verifier())
    form = rr.HuatuoFormat()
    return rr.Stack({"format": (0.1, form), "verified": (0.9, rr.reward(learnt).when(form))})


def stack_for(settings: Settings) -> rr.Stack:
    """Return the reward that the settings ask for."""
    grading = settings.own["grading"]
    if grading.verifier == RULES:
        return stack()
    return stack(LearntVerifier(grading.verifier, grading.threshold))
