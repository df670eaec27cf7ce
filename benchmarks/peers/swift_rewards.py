"""The outcome rewards of ms-swift (`swift.rewards.orm`), from its wheel."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from peers.peer import Audited, Checkouts, Peer
from peers.sources import bare_package, from_registry, module_from

VERSION = "4.6.0"
FILE = "swift/rewards/orm.py"
LIMIT, BUFFER, N = 100, 20, 3
# The defaults of its arguments.
COSINE = {"correct": (1.0, 0.5), "wrong": (-0.5, 0.0), "exceed": None}
IDS = {"completion_ids": "response_token_ids"}


def load(checkouts: Checkouts) -> Peer:
    """Load `orm.py` alone."""
    folder = from_registry("ms-swift", VERSION)
    # The one name it imports from the rest is an annotation.
    bare_package("swift.infer_engine", folder / "swift/infer_engine", InferRequest=object)
    bare_package("swift.rewards", folder / "swift/rewards")
    bare_package("swift", folder / "swift")
    orms = module_from(folder / FILE, "swift.rewards.orm").orms

    def cosine(max_length: int = LIMIT) -> Any:
        (right_0, right_l), (wrong_0, wrong_l) = COSINE["correct"], COSINE["wrong"]
        return orms["cosine"](
            SimpleNamespace(
                cosine_min_len_value_wrong=wrong_0,
                cosine_max_len_value_wrong=wrong_l,
                cosine_min_len_value_correct=right_0,
                cosine_max_len_value_correct=right_l,
                cosine_max_len=max_length,
            )
        )

    def repetition(n: int = N) -> Any:
        arguments = SimpleNamespace(repetition_n_grams=n, repetition_max_penalty=-1.0)
        return orms["repetition"](arguments)

    def overlong(max_length: int = LIMIT, buffer: int = BUFFER) -> Any:
        arguments = SimpleNamespace(soft_max_length=max_length, soft_cache_length=buffer)
        return orms["soft_overlong"](arguments)

    return Peer(
        "ms-swift",
        "ms-swift",
        VERSION,
        f"module file {FILE} of the wheel; a stand-in for swift.infer_engine.InferRequest",
        (
            Audited("accuracy", lambda: orms["accuracy"](), "accuracy"),
            Audited(
                "format", lambda: orms["format"](), "strict_format",
                {"form": "think_answer_strict"},
            ),
            Audited(
                f"cosine (cosine_max_len={LIMIT})", cosine, "cosine",
                {"max_length": LIMIT, **COSINE}, renamed=IDS, remake=cosine,
            ),
            Audited(
                f"repetition (repetition_n_grams={N})", repetition, "repetition",
                {"n": N, "max_penalty": -1.0, "unit": "words"}, remake=repetition,
            ),
            Audited(
                f"soft_overlong (soft_max_length={LIMIT}, soft_cache_length={BUFFER})", overlong,
                "overlong", {"max_length": LIMIT, "buffer": BUFFER}, renamed=IDS, remake=overlong,
            ),
        ),
        ("toolbench, math, react_format (they take other inputs)",),
    )  # fmt: skip
