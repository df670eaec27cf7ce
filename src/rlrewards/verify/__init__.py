"""Is this answer the reference? Extraction, the ladder of comparisons, and the verdict.

The package is also the function `rlrewards.verify(answer, reference)`: a module and a function
share the name, so the module can be called.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Mapping, Sequence

from rlrewards.verify.verdict import Answer, Status, Tier, Verdict

__all__ = ["Answer", "Status", "Tier", "Verdict"]


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


sys.modules[__name__].__class__ = _CallableModule
