"""Math-Verify, installed: its `verify` as a function of two answers, and as a reward."""

from __future__ import annotations

from typing import Any

from peers.peer import Audited, Checkouts, Peer
from peers.sources import installed


def agree(answer: str, reference: str) -> bool:
    """Verify two answers, each in a box, the reference first, as its documentation has it."""
    from math_verify import parse, verify

    return bool(verify(parse(f"\\boxed{{{reference}}}"), parse(f"\\boxed{{{answer}}}")))


def accuracy(completions: list[str], solution: list[str], **columns: Any) -> list[float]:
    """Give each completion that verifies 1; parsed with the defaults."""
    from math_verify import parse, verify

    return [
        float(verify(parse(f"\\boxed{{{reference}}}"), parse(text)))
        for text, reference in zip(completions, solution, strict=True)
    ]


def load(checkouts: Checkouts) -> Peer:
    """Say what it is; nothing needs loading."""
    return Peer(
        "math-verify",
        "Math-Verify",
        installed("math-verify"),
        "the installed package",
        (
            Audited("verify(parse(…), parse(…))", lambda: agree, "verifier"),
            Audited("verify(parse(…), parse(…)) as a reward", lambda: accuracy, "accuracy"),
        ),
    )
