"""Every reward of the library, in the configurations that the laws are tried on."""

import rlrewards as rr
from rlrewards import presets

REWARDS = [
    rr.Accuracy(),
    rr.Accuracy(correct=1.0, wrong=-1.0, undecided=0.0),
    rr.ChoiceAccuracy(),
    rr.ChoiceAccuracy(correct=2.0, wrong=-1.0, letters="ABCDEFGH"),
    rr.ThinkFormat(),
    rr.ThinkFormat(prefilled_think=True),
    rr.ThinkAnswerFormat(),
    rr.ThinkAnswerFormat(prefilled_think=True),
    rr.ThinkAnswerFormat(mode="strict"),
    rr.TagCount(),
    rr.TagCount(tags=("<think>", "\n## ")),
    rr.HuatuoFormat(),
    rr.GazalFormat(),
    rr.GazalFormat(prefilled_think=True),
    rr.GazalFormat(parts=("think",)),
    rr.GazalFormat(parts=("final_answer",)),
    rr.GazalFormat(parts=("think", "assessment")),
    rr.CosineLength(max_length=32),
    rr.CosineLength(max_length=40, margin_tokens=0, exceed=-1.0),
    rr.CosineLength.trl(max_length=8, length="words"),
    rr.CosineLength(max_length=50, correct=(0.9, 0.2), wrong=(-0.9, -0.2), exceed=None),
    rr.SoftOverlong(max_length=20, buffer=10),
    rr.SoftOverlong(max_length=16, buffer=16),
    rr.SoftOverlong(max_length=8, buffer=0, length="words"),
    rr.GroupLength(),
    rr.GroupLength(length="words"),
    rr.RepetitionPenalty(),
    rr.RepetitionPenalty(n=1, max_penalty=-0.5),
    rr.RepetitionPenalty(n=2, unit="tokens", max_penalty=-2.0, threshold=0.25),
    rr.RepetitionPenalty(n=5, unit="tokens"),
    rr.DenseRepetition(n=2),
    rr.DenseRepetition(n=5, penalty=-1.0, gamma=0.5),
    rr.ReasoningSteps(),
    rr.ReasoningSteps(target=5),
    rr.ChainOfDraft(min_steps=2, max_words=3),
    rr.ChainOfDraft(),
]
STACKS = [
    0.8 * rr.Accuracy() + 0.2 * rr.ThinkAnswerFormat(),
    rr.Stack(
        {
            "form": (rr.LinearSchedule(start=1.0, end=0.0, steps=10), rr.ThinkFormat()),
            "gated": (0.5, rr.RepetitionPenalty().when(rr.ThinkFormat())),
            "inner": (-2.0, rr.Accuracy() + rr.TagCount()),
        },
        missing="renormalize",
    ),
    rr.Stack({"group": rr.GroupLength(), "dense": (0.1, rr.DenseRepetition(n=2))}, missing="zero"),
]
PRESETS = {
    "thesis_hybrid": presets.thesis_hybrid(),
    "gazal_r1": presets.gazal_r1(max_length=64),
    "dapo": presets.dapo(max_length=64, buffer=16),
    "demystify_long_cot": presets.demystify_long_cot(max_length=64),
    "open_r1": presets.open_r1(),
    "deepseek_r1": presets.deepseek_r1(),
    "kimi_k15": presets.kimi_k15(),
    "huatuo_o1": presets.huatuo_o1(),
}
