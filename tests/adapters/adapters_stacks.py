"""Rewards that the tests of all adapters score with, defined where workers can import them."""

from __future__ import annotations

import asyncio

import rlrewards as rr
from rlrewards.core import Sample


def exact(sample: Sample) -> float | None:
    """Whether the completion is the reference; no opinion without one."""
    return None if sample.reference is None else float(sample.completion == sample.reference)


def characters(sample: Sample) -> float:
    """How many characters the completion has."""
    return float(len(sample.completion))


async def waited(sample: Sample) -> float:
    """The same as `characters`, as a judge would answer."""
    await asyncio.sleep(0)
    return float(len(sample.completion))


class Recorder:
    """A reward that remembers the samples it saw."""

    __name__ = "recorder"

    def __init__(self) -> None:
        self.samples: list[Sample] = []

    def __call__(self, batch: list[Sample]) -> list[float]:
        self.samples.extend(batch)
        return [1.0] * len(batch)


right = rr.each(exact, name="right")
length = rr.each(characters, name="length")
patient = rr.each(waited, name="patient")
grouped = rr.GroupLength(length="words")
fading = rr.LinearSchedule(start=1.0, end=0.0, steps=10) * length

stack = 0.8 * right + 0.1 * length
