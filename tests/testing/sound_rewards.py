"""Rewards of this library that no attack may beat: each alone, every preset, stacks of several."""

from __future__ import annotations

import rlrewards as rr
from rlrewards import presets
from rlrewards.testing import Subject, subject
from rlrewards.testing.parts import with_parts

LIMIT = 64

REWARDS = {
    "accuracy": rr.Accuracy(),
    "accuracy of ±1": rr.Accuracy(wrong=-1.0),
    "accuracy, prefilled": rr.Accuracy(verifier=rr.Verifier(prefilled_think=True)),
    "choice": rr.ChoiceAccuracy(),
    "think": rr.ThinkFormat(),
    "think, prefilled": rr.ThinkFormat(prefilled_think=True),
    "think and answer": rr.ThinkAnswerFormat(),
    "think and answer, prefilled": rr.ThinkAnswerFormat(prefilled_think=True),
    "think and answer, strict": rr.ThinkAnswerFormat(mode="strict"),
    "think and answer, strict, prefilled": rr.ThinkAnswerFormat(
        mode="strict", prefilled_think=True
    ),
    "tags": rr.TagCount(),
    "headings": rr.HuatuoFormat(),
    "clinical": rr.GazalFormat(),
    "clinical without reasoning": rr.GazalFormat(parts=("assessment", "final_answer")),
    "cosine": rr.CosineLength.yeo(max_length=LIMIT),
    "cosine of TRL": rr.CosineLength.trl(max_length=LIMIT),
    "overlong": rr.SoftOverlong(max_length=LIMIT, buffer=16),
    "overlong step": rr.SoftOverlong(max_length=LIMIT, buffer=0),
    "repetition": rr.RepetitionPenalty(),
    "repetition of tokens": rr.RepetitionPenalty(unit="tokens", n=4, threshold=0.2),
    "repetition of words": rr.RepetitionPenalty(n=1),
    "dense repetition": rr.DenseRepetition(),
    "steps": rr.ReasoningSteps(),
    "draft": rr.ChainOfDraft(),
}
STACKS = {
    "group length": rr.Stack({"length": presets.kimi_k15().parts[1].reward}),
    "thesis_hybrid": presets.thesis_hybrid(),
    "gazal_r1": presets.gazal_r1(max_length=4096),
    "dapo": presets.dapo(max_length=100, buffer=20),
    "demystify_long_cot": presets.demystify_long_cot(max_length=128),
    "open_r1": presets.open_r1(),
    "deepseek_r1": presets.deepseek_r1(),
    "kimi_k15": presets.kimi_k15(),
    "huatuo_o1": presets.huatuo_o1(),
    "letters and form": 0.8 * rr.ChoiceAccuracy() + 0.2 * rr.ThinkFormat(),
    "two strict forms": 0.8 * rr.Accuracy()
    + 0.1 * rr.ThinkAnswerFormat(mode="strict")
    + 0.1 * rr.ThinkFormat()
    + 0.1 * rr.RepetitionPenalty(),
    "nested": 0.5 * rr.Accuracy() + presets.open_r1().named("inner"),
    "one of each": rr.Accuracy()
    + rr.ThinkAnswerFormat()
    + rr.CosineLength.trl(max_length=LIMIT)
    + rr.RepetitionPenalty()
    + rr.ReasoningSteps()
    + rr.ChainOfDraft()
    + rr.SoftOverlong(max_length=2 * LIMIT, buffer=10),
}


def trl_accuracy(completions, answer, prompts, **columns):
    """`rr.Accuracy` with TRL's signature."""
    rows = zip(completions, answer, prompts, strict=True)
    return rr.Accuracy()([rr.Sample(text, gold, prompt) for text, gold, prompt in rows])


def verl_accuracy(data_source, solution_str, ground_truth, extra_info=None):
    """`rr.grade` with verl's signature; it cannot know an echo of a question that it never sees."""
    return {"score": float(bool(rr.grade(solution_str, ground_truth)))}


SOUND: tuple[Subject, ...] = (
    *(subject(reward, name=name) for name, reward in REWARDS.items()),
    *(
        found
        for name, stack in STACKS.items()
        for found in with_parts(subject(stack, name=name))
        if found.name == name or not found.kinds & {"accuracy", "format", "stack"}
    ),
    subject(trl_accuracy, kind="accuracy"),
    subject(verl_accuracy, kind="accuracy"),
    subject(rr.verify, kind="verifier", name="verify"),
)
