"""The reward functions of TRL (`trl.rewards`), installed."""

from __future__ import annotations

from functools import partial
from typing import Any

from peers.peer import Audited, Checkouts, Peer
from peers.sources import installed

LIMIT, BUFFER, N = 100, 20, 3
COSINE = {"max_length": LIMIT, "correct": (1.0, 0.5), "wrong": (-1.0, -0.5), "exceed": None}


def load(checkouts: Checkouts) -> Peer:
    """Import `trl.rewards`."""
    version = installed("trl")
    from trl import rewards

    def cosine(max_length: int = LIMIT) -> Any:
        return rewards.get_cosine_scaled_reward(max_len=max_length)

    def overlong(max_length: int = LIMIT, buffer: int = BUFFER) -> Any:
        return rewards.get_soft_overlong_punishment(max_length, buffer)

    def repetition(n: int = N) -> Any:
        return rewards.get_repetition_penalty_reward(ngram_size=n)

    chat = partial(Audited, conversational=True)
    return Peer(
        "trl",
        "TRL",
        version,
        "trl.rewards of the installed package",
        (
            chat("accuracy_reward", lambda: rewards.accuracy_reward, "accuracy"),
            chat(
                "reasoning_accuracy_reward", lambda: rewards.reasoning_accuracy_reward, "accuracy"
            ),
            chat("think_format_reward", lambda: rewards.think_format_reward, "strict_format"),
            chat(
                f"get_cosine_scaled_reward(max_len={LIMIT})", cosine, "cosine", COSINE,
                remake=cosine,
            ),
            chat(
                f"get_repetition_penalty_reward(ngram_size={N})", repetition, "repetition",
                {"n": N, "max_penalty": -1.0, "unit": "tokens"}, remake=repetition,
            ),
            chat(
                f"get_soft_overlong_punishment({LIMIT}, {BUFFER})", overlong, "overlong",
                {"max_length": LIMIT, "buffer": BUFFER}, remake=overlong,
            ),
        ),
    )  # fmt: skip
