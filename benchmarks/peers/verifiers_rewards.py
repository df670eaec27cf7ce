"""The boxed-answer reward of `verifiers` (`verifiers.v1.utils.score`), from its wheel."""

from __future__ import annotations

from peers.peer import Audited, Checkouts, Peer
from peers.sources import bare_package, from_registry, module_from

VERSION = "0.4.0"
FILE = "verifiers/v1/utils/score.py"


def load(checkouts: Checkouts) -> Peer:
    """Load `score.py` alone."""
    folder = from_registry("verifiers", VERSION)
    bare_package("verifiers", folder / "verifiers")
    bare_package("verifiers.v1", folder / "verifiers/v1")
    bare_package("verifiers.v1.utils", folder / "verifiers/v1/utils")
    bare_package("verifiers.v1.errors", folder / "verifiers/v1", SandboxError=OSError)
    score = module_from(folder / FILE, "verifiers.v1.utils.score")
    return Peer(
        "verifiers",
        "verifiers",
        VERSION,
        f"module file {FILE} of the wheel; a stand-in for verifiers.v1.errors",
        (
            Audited(
                "verify_boxed_math_answer", lambda: score.verify_boxed_math_answer, "accuracy",
                signature="verl",
            ),
        ),
        ("rewards of environments (they need a run of an agent)",),
    )  # fmt: skip
