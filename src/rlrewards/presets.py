"""The reward stacks of published work, by name; each says what its source leaves open.

Every preset takes `verifier=` and returns a `Stack`, so it composes like any other reward:
`presets.dapo(max_length=4096) + 0.1 * rr.ThinkFormat()`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from rlrewards.rewards.accuracy import Accuracy
from rlrewards.rewards.choice_accuracy import ChoiceAccuracy
from rlrewards.rewards.cosine_length import CosineLength
from rlrewards.rewards.format import (
    GazalFormat,
    HuatuoFormat,
    TagCount,
    ThinkAnswerFormat,
    ThinkFormat,
)
from rlrewards.rewards.group_length import GroupLength
from rlrewards.rewards.repetition import DenseRepetition, RepetitionPenalty
from rlrewards.rewards.soft_overlong import SoftOverlong
from rlrewards.schedules import Weight
from rlrewards.stack import Stack
from rlrewards.verify.verifier import Verifier, default_verifier

Length: TypeAlias = str | Callable[[str], int] | None

__all__ = [
    "dapo",
    "deepseek_r1",
    "demystify_long_cot",
    "gazal_r1",
    "huatuo_o1",
    "kimi_k15",
    "open_r1",
    "thesis_hybrid",
]


def thesis_hybrid(
    *, accuracy: float = 0.8, format: float = 0.2, verifier: Verifier | None = None
) -> Stack:
    """Return 0.8 · accuracy + 0.2 · graded format.

    Source: the hybrid reward of the distillation + GRPO thesis (§3.4). It asks a judge where the
    rules cannot decide; without one, such a completion has no total. The thesis says only that the
    tags are "included"; `ThinkAnswerFormat` is stricter.

    >>> thesis_hybrid()
    Stack({'accuracy': (0.8, Accuracy()), 'format': (0.2, ThinkAnswerFormat())})
    """
    return Stack(
        {
            "accuracy": (accuracy, Accuracy(verifier=verifier or default_verifier())),
            "format": (format, ThinkAnswerFormat()),
        }
    )


def gazal_r1(
    *,
    max_length: int,
    accuracy: float = 1.0,
    format: float = 1.0,
    cosine: float = 1.0,
    repetition: float = 1.0,
    length: Length = None,
    verifier: Verifier | None = None,
) -> Stack:
    r"""Return accuracy of the boxed letter, format, cosine length and 3-gram repetition.

    Source: Gazal-R1, Table 1 and §4.4. The paper gives no weights, no pair of values for the cosine
    (TRL's are taken) and no largest penalty (1 is taken); it was run with completions of at most
    4,096 tokens.

    Args:
        max_length: Length limit in tokens.
        accuracy: Weight of the accuracy reward.
        format: Weight of the format reward.
        cosine: Weight of the cosine length reward.
        repetition: Weight of the repetition penalty.
        length: How a completion without token ids is measured.
        verifier: How answers are found in a completion.
    """
    choice = ChoiceAccuracy(verifier=verifier) if verifier else ChoiceAccuracy()
    return Stack(
        {
            "accuracy": (accuracy, choice),
            "format": (format, GazalFormat()),
            "cosine": (
                cosine,
                CosineLength.trl(max_length=max_length, length=length, verifier=choice.verifier),
            ),
            "repetition": (repetition, RepetitionPenalty(n=3)),
        }
    )


def dapo(
    *,
    max_length: int = 20_480,
    buffer: int = 4_096,
    length: Length = None,
    verifier: Verifier | None = None,
) -> Stack:
    """Return accuracy of ±1 plus the soft overlong punishment.

    Source: DAPO (arXiv 2503.14476), eqs. 7 and 13, with its lengths as the defaults.
    """
    return Stack(
        {
            "accuracy": Accuracy(wrong=-1.0, verifier=verifier or default_verifier()),
            "overlong": SoftOverlong(max_length=max_length, buffer=buffer, length=length),
        }
    )


def demystify_long_cot(
    *, max_length: int, length: Length = None, verifier: Verifier | None = None
) -> Stack:
    """Return the cosine length reward plus the dense repetition penalty.

    Source: Yeo et al. 2025 (arXiv 2502.03373), App. C.1 and C.2. Two discounts belong to it: γ = 1
    for the outcome, 0.99 for the dense stream, which stands in `Scores.dense`. A trainer that uses
    the stream leaves the part `repetition`, which is its undiscounted sum, out of the total.
    """
    return Stack(
        {
            "cosine": CosineLength.yeo(
                max_length=max_length, length=length, verifier=verifier or default_verifier()
            ),
            "repetition": DenseRepetition(),
        }
    )


def open_r1(*, verifier: Verifier | None = None) -> Stack:
    """Return accuracy, strict format and tag count, each with weight 1.

    Source: the rewards of open-r1's demonstration configuration. Its
    format reward accepts junk after the answer; ours does not.
    """
    return Stack(
        {
            "accuracy": Accuracy(verifier=verifier or default_verifier()),
            "format": ThinkAnswerFormat(mode="strict"),
            "tag_count": TagCount(),
        }
    )


def deepseek_r1(*, format: float = 1.0, verifier: Verifier | None = None) -> Stack:
    """Return accuracy plus the format of the reasoning.

    Source: DeepSeek-R1-Zero's rule-based rewards. The paper gives no weights.
    """
    return Stack(
        {
            "accuracy": Accuracy(verifier=verifier or default_verifier()),
            "format": (format, ThinkFormat()),
        }
    )


def kimi_k15(
    *, length_weight: Weight = 1.0, length: Length = None, verifier: Verifier | None = None
) -> Stack:
    """Return accuracy plus the group's length reward.

    Source: Kimi k1.5, §2.3.3. The paper adds the length reward with a weight that it does not give
    and warms it up: `length_weight` may be a schedule.
    """
    verifier = verifier or default_verifier()
    return Stack(
        {
            "accuracy": Accuracy(verifier=verifier),
            "length": (length_weight, GroupLength(length=length, verifier=verifier)),
        }
    )


def huatuo_o1(verifier: Verifier | None = None) -> Stack:
    """Return 0 without HuatuoGPT-o1's format, else 1.0 when verified and 0.1 when not.

    Source: HuatuoGPT-o1's released code. There a verifier model gives a probability and above 0.4
    counts as right; here the rules decide. The answer is read after `## Final Response`.
    """
    verifier = verifier or Verifier(reasoning_tags=("## Thinking", "## Final Response"))
    return Stack(
        {
            "format": (0.1, HuatuoFormat()),
            "verified": (0.9, Accuracy(verifier=verifier).when(HuatuoFormat())),
        }
    )
