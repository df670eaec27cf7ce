"""The scores of verl (`verl.utils.reward_score`) and its DAPO manager, from its wheel."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import sys
import threading
from types import SimpleNamespace
from typing import Any

from peers.peer import Audited, Checkouts, Peer
from peers.sources import StandIn, bare_package, from_registry, stand_in_for

VERSION = "0.9.1"
PYLATEXENC = "2.11"  # a small dependency of prime_math
LIMIT, BUFFER = 100, 20
ELSEWHERE = ("ray", "omegaconf", "tensordict", "mathruler")
SCORES = "verl.utils.reward_score"


def load(checkouts: Checkouts) -> Peer:
    """Load the modules of `reward_score` and the manager, without verl's own `__init__`."""
    folder = from_registry("verl", VERSION)
    if importlib.util.find_spec("pylatexenc") is None:
        sys.path.append(str(from_registry("pylatexenc", PYLATEXENC)))
    absent = stand_in_for(*ELSEWHERE)
    root = folder / "verl"
    managers = "experimental/reward_loop/reward_manager"
    bare_package("verl", root, DataProto=StandIn)
    bare_package("verl.utils", root / "utils")
    bare_package("verl.experimental", root / "experimental")
    bare_package("verl.experimental.reward_loop", root / "experimental/reward_loop")
    registered: dict[str, Any] = {}
    bare_package(
        "verl.experimental.reward_loop.reward_manager",
        root / managers,
        register=lambda name: lambda cls: registered.setdefault(name, cls),
    )
    manager = importlib.import_module("verl.experimental.reward_loop.reward_manager.dapo")

    def dapo(max_length: int = LIMIT, buffer: int = BUFFER) -> Any:
        managed = Managed(manager.DAPORewardManager, max_length, buffer)
        managed.new()  # it checks its parameters
        return managed

    def scores(name: str) -> Audited:
        source = {"math_dapo": "math_dapo", "prime_math": "numina_olympiads",
                  "math_reward": "lighteval/MATH", "gsm8k": "openai/gsm8k"}.get(name)  # fmt: skip
        if source is None:
            module = importlib.import_module(f"{SCORES}.{name}")
            return Audited(f"{name}.compute_score", lambda: module.compute_score, "accuracy",
                           signature="verl")  # fmt: skip
        whole = importlib.import_module(SCORES)
        return Audited(f"default_compute_score({source!r}): {name}",
                       lambda: whole.default_compute_score, "accuracy",
                       {"data_source": source}, signature="verl")  # fmt: skip

    names = ("gsm8k", "math_reward", "math_dapo", "prime_math", "math_verify")
    return Peer(
        "verl",
        "verl",
        VERSION,
        "modules verl/utils/reward_score/*.py and verl/experimental/reward_loop/reward_manager/"
        f"dapo.py of the wheel, without verl's __init__; stand-ins for {', '.join(absent)}",
        (
            *map(scores, names),
            Audited(
                f"DAPORewardManager (max_resp_len={LIMIT}, overlong_buffer.len={BUFFER}) "
                "of a score of 0",
                dapo, "overlong", {"max_length": LIMIT, "buffer": BUFFER}, remake=dapo,
            ),
        ),
        ("geo3k (needs mathruler)", "search_r1_like_qa_em, rlla (other inputs)",
         "prime_code, sandbox_fusion (they run code on purpose)"),
    )  # fmt: skip


def _nothing(**columns: Any) -> float:
    return 0.0


class Managed:
    """verl's DAPO manager, asked about single responses, with a score of 0 before the penalty."""

    def __init__(self, kind: Any, max_length: int, buffer: int) -> None:
        self.kind, self.max_length, self.buffer = kind, max_length, buffer

    def new(self) -> Any:
        """Return a manager; it belongs to the loop that runs."""
        buffer = SimpleNamespace(enable=True, len=self.buffer, penalty_factor=1.0, log=False)
        settings = {"overlong_buffer_cfg": buffer, "max_resp_len": self.max_length}
        tokenizer = SimpleNamespace(decode=lambda ids, **more: "")
        reward = {"reward_kwargs": settings}
        return self.kind(SimpleNamespace(reward=reward), tokenizer, _nothing)

    def __call__(
        self, completions: list[str], completion_ids: list[list[int]], **columns: Any
    ) -> list[float]:
        """Return the rewards; in a thread, for the manager's methods are coroutines."""
        found: list[Any] = []
        thread = threading.Thread(
            target=lambda: found.append(asyncio.run(self._scores(completion_ids)))
        )
        thread.start()
        thread.join()
        # The manager divides tensors: seven digits are all there is.
        return [round(float(value), 6) for value in found[0]]

    async def _scores(self, batch: list[list[int]]) -> list[Any]:
        manager = self.new()
        return [(await manager.run_single(_Proto(ids)))["reward_score"] for ids in batch]


class _Proto:
    """What the manager reads of a `DataProto` of one row; responses are padded, as in a batch."""

    def __init__(self, ids: list[int]) -> None:
        import torch

        width = len(ids) + 8
        self.batch = {
            "responses": torch.zeros(width, dtype=torch.long),
            "attention_mask": torch.tensor([1] * (4 + len(ids)) + [0] * (width - len(ids))),
        }
        self.non_tensor_batch = {"data_source": "none", "reward_model": {"ground_truth": ""}}

    def __getitem__(self, key: Any) -> _Proto:
        return self
