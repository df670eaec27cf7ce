"""Tier 4 as the ladder sees it: compare two answers with SymPy, within a budget.

This module is light. SymPy and the parser live in a worker process (`isolate` keeps it, `worker`
is it, `sympy_bridge` is what it computes), so the caller's process never imports them, and no
text of a model can take its time or its memory.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from rlrewards.verify import isolate
from rlrewards.verify.verdict import Status, Tier, Verdict

MAX_CHARACTERS: Final = 2_000
"""Longer texts are not sent: no reference in use is longer, and reading time grows with length."""


@dataclass(slots=True)
class Budget:
    """Seconds that the symbolic tier may still take for one verdict."""

    seconds_left: float


def symbolic(
    answer: str,
    reference: str,
    *,
    budget: Budget,
    prompt: str | None = None,
    form: Literal["numeral", "any"] = "numeral",
    log_base: Literal["10", "e"] = "10",
) -> Verdict:
    r"""Compare two bare answers symbolically: EQUAL, DIFFERENT, or UNDECIDED with the reason.

    NO_ANSWER says that the reference can be read and the answer is malformed. Well-formed
    mathematics that this release does not read is UNDECIDED.

    Args:
        answer: The candidate.
        reference: The gold answer; it decides what kind of thing is compared.
        budget: Time for the comparison itself; what it takes is charged to it. The first call also
            waits about a second for a worker to start, which is not. Nothing is compared once
            nothing is left.
        prompt: What was asked. An assignment that stands in it is no answer.
        form: "numeral" (the default, so that the question is not its own answer): a reference that
            is a number takes one numeral, fraction, root, power or factorial, and no sum or
            product still to be worked out. "any" takes those too.
        log_base: Base of a bare `\log` where the reference is a number.
    """

    def verdict(status: Status, why: str) -> Verdict:
        return Verdict(status, Tier.SYMBOLIC, why, answer, reference)

    for name, text in (("answer", answer), ("reference", reference)):
        if len(text) > MAX_CHARACTERS:
            return verdict(Status.UNDECIDED, f"{name} is longer than {MAX_CHARACTERS} characters")
    if not budget.seconds_left > 0:
        return verdict(Status.UNDECIDED, "no time was left")
    reply = isolate.call(
        {
            "answer": answer,
            "reference": reference,
            "form": form,
            "log_base": log_base,
            "given": prompt is not None and _stands_in(answer, prompt),
        },
        budget_seconds=budget.seconds_left,
    )
    budget.seconds_left -= reply.seconds
    if reply.result is None:
        return verdict(Status.UNDECIDED, reply.failure or "no result")
    return verdict(Status(reply.result["status"]), str(reply.result["why"]))


def _stands_in(answer: str, prompt: str) -> bool:
    return _squeezed(answer) in _squeezed(prompt)


def _squeezed(text: str) -> str:
    return re.sub(r"[\s$]+|\\[,;:! ]", "", text)
