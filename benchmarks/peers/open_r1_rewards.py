"""The reward functions of open-r1 (`open_r1.rewards`), from a checkout: it has no release."""

from __future__ import annotations

from functools import partial
from typing import Any

from peers.peer import Audited, Checkouts, Peer
from peers.sources import bare_package, commit_of, from_checkout, module_from, stand_in_for

LIMIT, N = 100, 3
FILE = "src/open_r1/rewards.py"
# What `rewards.py` imports beside the mathematics, for its rewards of code.
ELSEWHERE = ("dotenv", "e2b_code_interpreter")


def load(checkouts: Checkouts) -> Peer:
    """Load `rewards.py` alone."""
    file = from_checkout("open-r1", checkouts, FILE, "the package registry has no open-r1")
    commit, note = commit_of(checkouts["open-r1"])
    absent = stand_in_for(*ELSEWHERE)
    utils = bare_package("open_r1.utils", file.parent / "utils", is_e2b_available=lambda: False)
    bare_package("open_r1", file.parent, utils=utils)
    rewards = module_from(file, "open_r1.rewards")

    def cosine(max_length: int = LIMIT) -> Any:
        return rewards.get_cosine_scaled_reward(max_len=max_length)

    def repetition(n: int = N) -> Any:
        return rewards.get_repetition_penalty_reward(ngram_size=n, max_penalty=-1.0)

    # Its functions read LaTeX alone, and the data it names have the solutions between dollars.
    chat = partial(Audited, conversational=True, reference="${}$")
    return Peer(
        "open-r1",
        "open-r1",
        f"commit {commit}",
        f"{FILE} of a checkout{note}; stand-ins for open_r1.utils, {', '.join(absent)}",
        (
            chat("accuracy_reward", lambda: rewards.accuracy_reward, "accuracy"),
            chat(
                "format_reward", lambda: rewards.format_reward, "strict_format",
                {"form": "think_answer_strict"},
            ),
            chat("tag_count_reward", lambda: rewards.tag_count_reward, "format"),
            chat("reasoning_steps_reward", lambda: rewards.reasoning_steps_reward, "reasoning"),
            chat(
                "len_reward", lambda: rewards.len_reward, "group_length", {"length": "characters"}
            ),
            chat(
                f"get_cosine_scaled_reward(max_len={LIMIT})", cosine, "cosine",
                {"max_length": LIMIT, "correct": (1.0, 0.5), "wrong": (-1.0, -0.5),
                 "exceed": None, "length": "characters"},
                remake=cosine,
            ),
            chat(
                f"get_repetition_penalty_reward(ngram_size={N})", repetition, "repetition",
                {"n": N, "max_penalty": -1.0, "unit": "words"}, remake=repetition,
            ),
        ),
        ("rewards of code (they need a sandbox service)",),
    )  # fmt: skip
