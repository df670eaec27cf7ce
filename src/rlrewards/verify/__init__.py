"""Is this answer the reference? Extraction, the ladder of comparisons, and the verdict.

The package is also the function `rlrewards.verify(answer, reference)`: a module and a function
share the name, so the module can be called.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rlrewards.verify.verdict import Answer, Status, Tier, Verdict

if TYPE_CHECKING:
    from rlrewards.verify.verifier import Verifier as Verifier
    from rlrewards.verify.verifier import grade as grade

__all__ = ["Answer", "Status", "Tier", "Verdict", "Verifier", "grade"]


class _CallableModule(types.ModuleType):
    def __call__(
        self,
        answer: str | None,
        reference: str | Sequence[str] | None,
        *,
        options: Mapping[str, str] | None = None,
        prompt: str | None = None,
    ) -> Verdict:
        from rlrewards.verify.verifier import verify

        return verify(answer, reference, options=options, prompt=prompt)

    def __reduce__(self) -> tuple[Any, ...]:
        return importlib.import_module, (self.__name__,)


def __getattr__(name: str) -> Any:
    if name in ("Verifier", "grade"):
        return getattr(importlib.import_module(f"{__name__}.verifier"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


sys.modules[__name__].__class__ = _CallableModule
