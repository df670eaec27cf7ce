"""Every scored completion as a flat record, and where records go.

A sink is any function of a list of records; `JsonlSink` appends them to a file.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from rlrewards.core import Sample, Scores

Sink: TypeAlias = Callable[[list[dict[str, Any]]], object]


@dataclass(frozen=True)
class JsonlSink:
    """A sink that appends the records to a file of JSON lines.

    Records of several processes may share the file: each batch is written at once.
    """

    path: str | Path

    def __call__(self, records: list[dict[str, Any]]) -> None:
        """Append the records."""
        lines = "".join(json.dumps(record, default=str) + "\n" for record in records)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(lines)


def records_of(samples: list[Sample], scores: Scores) -> list[dict[str, Any]]:
    """Return one flat dict a sample: what was graded, each part's raw value, and the verdict."""
    return [
        {
            "step": scores.step,
            "prompt": sample.prompt,
            "completion": sample.completion,
            "reference": sample.reference,
            "truncated": sample.truncated,
            **record,
            "fingerprint": scores.fingerprint,
        }
        for sample, record in zip(samples, scores.to_records(), strict=True)
    ]
