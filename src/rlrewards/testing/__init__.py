"""Test a reward before a policy does: strategies, laws, attacks, and the audit that runs them.

from rlrewards.testing import check_reward

def test_my_reward():
    check_reward(my_reward, kind="accuracy").raise_for_failures()
"""

from __future__ import annotations

import importlib
from typing import Any

_MODULE_OF = {
    "ATTACKS": "attacks",
    "Attack": "attack",
    "Broken": "subject",
    "Effort": "law",
    "Finding": "findings",
    "KINDS": "kinds",
    "LAWS": "laws",
    "Law": "law",
    "NotApplicable": "law",
    "Outcome": "findings",
    "Report": "findings",
    "Subject": "subject",
    "Trial": "attack",
    "attack": "attack",
    "check_reward": "check",
    "law": "law",
    "subject": "subject",
}

__all__ = [*_MODULE_OF]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULE_OF])
