"""The command line with rewards made for its tests, so that they need neither models nor luck.

python tests/fake_cli.py score FILE --stack STACK.toml
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from rlrewards import config
from rlrewards.core import Sample
from rlrewards.stack import Composable
from rlrewards.verify.verdict import Status, Tier, Verdict


@dataclass(frozen=True)
class FakeVerifier:
    """Compares the whole completion with the reference; "" is no answer, "?…" cannot be decided."""

    def grade(self, sample: Sample) -> Verdict:
        text, reference = sample.completion, sample.reference
        if reference is None:
            return Verdict(Status.NO_REFERENCE, None, "no reference")
        if not text:
            return Verdict(Status.NO_ANSWER, None, "nothing there", None, reference)
        if text == "?":
            return Verdict(Status.UNDECIDED, None, "too hard to say", text, reference)
        if text.startswith("?"):
            why = text[1:] if ":" in text else f"hard to read: {text!r}"
            return Verdict(Status.UNDECIDED, None, why, text, reference)
        equal = text == reference or (isinstance(reference, tuple) and text in reference)
        status = Status.EQUAL if equal else Status.DIFFERENT
        return Verdict(status, Tier.STRING, "compared", text, reference)


@dataclass(frozen=True, repr=False, kw_only=True)
class Same(Composable):
    """1 where completion and reference are the same, 0 where not, None where nobody knows."""

    verifier: FakeVerifier = field(default_factory=FakeVerifier)

    def __call__(self, batch: Sequence[Sample], /) -> list[float | None]:
        verdicts = [sample.recall(self.verifier, self.verifier.grade) for sample in batch]
        values = {Status.UNDECIDED: None, Status.NO_REFERENCE: None, Status.EQUAL: 1.0}
        return [values.get(verdict.status, 0.0) for verdict in verdicts]


@dataclass(frozen=True, repr=False, kw_only=True)
class Letters(Composable):
    """The length of the completion."""

    def __call__(self, batch: Sequence[Sample], /) -> list[float | None]:
        return [float(len(sample.completion)) for sample in batch]


@dataclass(frozen=True, repr=False, kw_only=True)
class ShareOfGroup(Composable):
    """The length of the completion as a share of its group's whole length."""

    grouped: ClassVar[bool] = True

    def __call__(self, batch: Sequence[Sample], /) -> list[float | None]:
        whole: dict[object, int] = {}
        for sample in batch:
            whole[sample.group] = whole.get(sample.group, 0) + len(sample.completion)
        return [len(sample.completion) / whole[sample.group] for sample in batch]


@dataclass(frozen=True, repr=False, kw_only=True)
class Slow(Composable):
    """1, after a while; how long one sample takes is not part of the configuration."""

    def __call__(self, batch: Sequence[Sample], /) -> list[float | None]:
        time.sleep(float(os.environ.get("FAKE_SECONDS", "0")) * len(batch))
        return [1.0] * len(batch)


@dataclass(frozen=True, repr=False, kw_only=True)
class NeedsTokens(Composable):
    """The number of token ids, which every sample must have."""

    def __call__(self, batch: Sequence[Sample], /) -> list[float | None]:
        if any(sample.token_ids is None for sample in batch):
            raise ValueError("NeedsTokens counts tokens, and a sample has no token_ids")
        return [float(len(sample.token_ids or ())) for sample in batch]


@dataclass(frozen=True, repr=False, kw_only=True)
class NoPairs(Composable):
    """1, of one sample at a time."""

    def __call__(self, batch: Sequence[Sample], /) -> list[float | None]:
        if len(batch) > 1:
            raise ValueError("one at a time")
        return [1.0]


@dataclass(frozen=True, repr=False, kw_only=True)
class Buggy(Composable):
    """Fails as only a bug does."""

    def __call__(self, batch: Sequence[Sample], /) -> list[float | None]:
        raise KeyError("oops")


TYPES = {
    kind.__name__: kind for kind in (Same, Letters, ShareOfGroup, Slow, NeedsTokens, NoPairs, Buggy)
}


def fake_types() -> dict[str, type]:
    return TYPES


if __name__ == "__main__":
    import fake_cli  # under the name that the tests know it by, which fingerprints hold
    from rlrewards.cli import main

    config._own_types = fake_cli.fake_types
    sys.exit(main())
