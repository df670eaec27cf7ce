"""Shorter than the other completions of the same prompt is better."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from rlrewards.core import Sample
from rlrewards.parameters import require_method
from rlrewards.rewards.correctness import correctness
from rlrewards.rewards.lengths import lengths_tokens, require_length
from rlrewards.stack import Composable
from rlrewards.verify.verifier import Verifier, default_verifier


@dataclass(frozen=True, repr=False, kw_only=True)
class GroupLength(Composable):
    """Compare a completion's length with those of its prompt's other completions.

    With `n` the length in tokens, and the smallest and the largest of its group:
    `λ = ½ − (n − n_min) / (n_max − n_min)`. A correct completion scores `λ`, a wrong one
    `min(0, λ)`; all score 0 where `n_max = n_min`. Every completion of the group counts for
    `n_min` and `n_max`, also one on which the verdict is open; that one scores None.

    Source: Kimi k1.5 (arXiv 2501.12599) §2.3.3. The group is the sample's `group`, or its `prompt`
    where that is None; unlike open-r1, the whole batch is never taken for one group.

    Args:
        length: How to count a completion without token ids: `"words"`, `"tokenizer:PATH"`, or a
            function of the text.
        verifier: What decides whether a completion is correct.

    Raises:
        ValueError: (when called) a sample has neither `group` nor `prompt`, or no token ids and
            there is no `length`.

    >>> from rlrewards import Sample
    >>> texts = ["The answer is 4", "Well then, the answer is 4", "Let me think, the answer is 4"]
    >>> reward = GroupLength(length="words")
    >>> reward([Sample(text, reference="4", group="2 + 2") for text in texts])
    [0.5, -0.16666666666666663, -0.5]
    """

    length: str | Callable[[str], int] | None = None
    verifier: Verifier = field(default_factory=default_verifier)

    grouped: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_length(self, self.length)
        require_method(self, "verifier", "verdicts")

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest score that the reward can give."""
        return -0.5, 0.5

    def __call__(self, batch: Sequence[Sample], /) -> list[float | None]:
        """Return each completion's score within its group, None where the verdict is open."""
        lengths = lengths_tokens(batch, self.length, "GroupLength")
        keys = [_group(sample, index) for index, sample in enumerate(batch)]
        members: dict[Hashable, list[int]] = defaultdict(list)
        for key, n in zip(keys, lengths, strict=True):
            members[key].append(n)
        ranges = {key: (min(of_group), max(of_group)) for key, of_group in members.items()}
        verdicts = map(correctness, self.verifier.verdicts(batch))
        return [
            _score(correct, n, *ranges[key])
            for correct, n, key in zip(verdicts, lengths, keys, strict=True)
        ]


def _group(sample: Sample, index: int) -> Hashable:
    if sample.group is not None:
        return "group", sample.group
    if sample.prompt is not None:
        return "prompt", sample.prompt
    raise ValueError(
        f"GroupLength compares the completions of one prompt, and sample {index} of the batch has "
        "neither group nor prompt; give the samples of a prompt the same group"
    )


def _score(correct: bool | None, n: int, shortest: int, longest: int) -> float | None:
    if correct is None:
        return None
    if shortest == longest:
        return 0.0
    score = 0.5 - (n - shortest) / (longest - shortest)
    return score if correct else min(0.0, score)
