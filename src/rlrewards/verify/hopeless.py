"""Requests that took all their time or memory: remembered for a minute, and not asked again.

A policy that has learnt one endless answer gives it in every completion of a group; only the first
costs its budget. For a minute only, since a deadline may also pass because the machine is busy.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

HOPELESS_SECONDS: Final = 60.0
"""How long a request that no worker could answer is not asked again."""
MAX_HOPELESS: Final = 256


class Hopeless:
    """The latest requests that no worker could answer, for a minute; shared by threads."""

    def __init__(self) -> None:
        self._items: OrderedDict[bytes, tuple[float, float, str]] = OrderedDict()
        self._lock = threading.Lock()

    def why(self, request: Mapping[str, Any], budget_seconds: float, memory: int) -> str | None:
        """Return why a request is not asked again; None where it is new, or has more time now."""
        if not self._items:
            return None
        with self._lock:
            until, budget, why = self._items.get(_digest(request, memory), (0.0, 0.0, ""))
        if time.monotonic() > until or budget_seconds > budget:
            return None
        return f"{why} when last asked"

    def remember(
        self, request: Mapping[str, Any], budget_seconds: float, memory: int, why: str
    ) -> None:
        """Remember that a request came to nothing within its budget."""
        with self._lock:
            until = time.monotonic() + HOPELESS_SECONDS
            self._items[_digest(request, memory)] = until, budget_seconds, why
            while len(self._items) > MAX_HOPELESS:
                self._items.popitem(last=False)

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._items.clear()


def _digest(request: Mapping[str, Any], memory: int) -> bytes:
    return hashlib.sha256(json.dumps([request, memory], sort_keys=True).encode()).digest()
