"""Samples and batches for any reward: the pieces that rewards look for, put together at random."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from rlrewards.core import Sample
from rlrewards.testing.strategies.completions import PIECES as PIECES
from rlrewards.testing.strategies.completions import completions
from rlrewards.testing.subject import Subject

OPTIONS = {"A": "4", "B": "five"}
PROMPTS = {"p": "2 + 2", "q": "1 + 3"}


def samples(subject: Subject) -> st.SearchStrategy[Sample]:
    """Draw samples that a subject can be asked about: of two prompts, with token ids."""
    everything = subject.takes_everything
    drawn = st.builds(
        Sample,
        completions(),
        reference=st.sampled_from(["4", "B", ["5", "4"], None] if everything else ["4", "B"]),
        token_ids=st.lists(st.integers(0, 5), max_size=40),
        options=st.sampled_from([None, OPTIONS]) if everything else st.none(),
        group=st.sampled_from([*PROMPTS]),
    )
    if everything:
        return drawn
    return drawn.map(lambda sample: replace(sample, prompt=PROMPTS[str(sample.group)]))


def batches(subject: Subject, *, max_size: int = 6) -> st.SearchStrategy[list[Sample]]:
    """Draw batches of a few samples, or of none for a reward that promises to take them."""
    least = 0 if subject.takes_everything else 1
    return st.lists(samples(subject), min_size=least, max_size=max_size)
