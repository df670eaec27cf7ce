"""The reward shaping of NeMo-RL, from a checkout: its release on the registry is empty."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from peers.peer import Audited, Checkouts, Peer
from peers.sources import bare_package, commit_of, from_checkout, module_from

FILE = "nemo_rl/algorithms/reward_functions.py"
LIMIT, BUFFER = 100, 20


def load(checkouts: Checkouts) -> Peer:
    """Load `reward_functions.py` alone."""
    file = from_checkout(
        "nemo-rl", checkouts, FILE, "nemo-rl 0.0.0 on the package registry is a placeholder"
    )
    commit, note = commit_of(checkouts["nemo-rl"])
    root = file.parents[1]
    bare_package("nemo_rl.data.interfaces", root, LLMMessageLogType=list, VLMMessageLogType=list)
    bare_package("nemo_rl.data", root / "data")
    bare_package("nemo_rl.distributed.batched_data_dict", root, BatchedDataDict=dict)
    bare_package("nemo_rl.distributed", root / "distributed")
    bare_package("nemo_rl", root)
    shaping = module_from(file, "nemo_rl.algorithms.reward_functions").apply_reward_shaping

    def overlong(max_length: int = LIMIT, buffer: int = BUFFER) -> Any:
        return Shaping(shaping, max_length, buffer)

    return Peer(
        "nemo-rl",
        "NeMo-RL",
        f"commit {commit}",
        f"{FILE} of a checkout{note}; stand-ins for nemo_rl.data and nemo_rl.distributed",
        (
            Audited(
                f"apply_reward_shaping ({LIMIT}, {BUFFER}, penalty 1) of a reward of 0", overlong,
                "overlong", {"max_length": LIMIT, "buffer": BUFFER}, remake=overlong,
            ),
        ),
        ("rewards of environments (they run on Ray)",),
    )  # fmt: skip


class Shaping:
    """`apply_reward_shaping` of a batch whose rewards are all 0."""

    def __init__(self, shaping: Any, max_length: int, buffer: int) -> None:
        self.shaping, self.max_length, self.buffer = shaping, max_length, buffer

    def __call__(
        self, completions: list[str], completion_ids: list[list[int]], **columns: Any
    ) -> list[float]:
        """Return what the shaping makes of them."""
        import torch

        batch = {
            "total_reward": torch.zeros(len(completions), dtype=torch.float64),
            "message_log": [
                [{"role": "assistant", "token_ids": torch.tensor(ids, dtype=torch.long)}]
                for ids in completion_ids
            ],
        }
        config = SimpleNamespace(
            enabled=True,
            response_length_enabled=True,
            stop_properly_penalty_coef=None,
            overlong_buffer_length=self.buffer,
            overlong_buffer_penalty=1.0,
            max_response_length=self.max_length,
        )
        shaped = self.shaping(batch, config)["total_reward"]
        return [float(value) for value in shaped]
