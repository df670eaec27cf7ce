"""Test a reward before a policy does: strategies, laws, attacks, and the audit that runs them.

from rlrewards.testing import check_reward

def test_my_reward():
    check_reward(my_reward, kind="accuracy").raise_for_failures()
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

_MODULE_OF = {
    "ATTACKS": "attacks",
    "Attack": "attack",
    "Audit": "audit",
    "AuditReport": "audit_report",
    "Broken": "subject",
    "Effort": "law",
    "Finding": "findings",
    "KINDS": "kinds",
    "LAWS": "laws",
    "Law": "law",
    "NotApplicable": "law",
    "OBJECTIVE_LAWS": "laws.objectives",
    "Objective": "objective",
    "Outcome": "findings",
    "Report": "findings",
    "Subject": "subject",
    "Trial": "attack",
    "attack": "attack",
    "audit": "audit",
    "check_objective": "objective",
    "check_reward": "check",
    "law": "law",
    "subject": "subject",
}

__all__ = [*_MODULE_OF, "strategies"]


def __getattr__(name: str) -> Any:
    if name == "strategies":
        return importlib.import_module(f"{__name__}.strategies")
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """Some names are those of submodules, too; importing these must not hide the names."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _MODULE_OF and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
