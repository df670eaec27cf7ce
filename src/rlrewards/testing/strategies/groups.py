"""Batches as a trainer has them: several prompts, several completions of each, in any order."""

from __future__ import annotations

from hypothesis import strategies as st

from rlrewards.core import Sample


def sums(
    *,
    prompts: int = 3,
    completions: int = 4,
    max_tokens: int = 40,
) -> st.SearchStrategy[list[Sample]]:
    """Draw completions of up to a few addition problems, right and wrong, of differing lengths.

    The groups are ragged and stand in any order; `extra["right"]` says whether the answer is right,
    and the number of token ids is the length.

    >>> from hypothesis import find
    >>> [one, two] = find(sums(), lambda batch: len({s.group for s in batch}) == 2)
    >>> one.prompt, one.completion, two.prompt
    ('0 + 2 = ?', 'The answer is \\\\boxed{3}.', '1 + 2 = ?')
    """

    def build(rows: list[tuple[int, bool, int]]) -> list[Sample]:
        return [
            Sample(
                f"The answer is \\boxed{{{number + 2 if right else number + 3}}}.",
                str(number + 2),
                f"{number} + 2 = ?",
                token_ids=[*range(length)],
                group=f"{number} + 2 = ?",
                extra={"right": right},
            )
            for number, right, length in rows
        ]

    row = st.tuples(st.integers(0, prompts - 1), st.booleans(), st.integers(0, max_tokens))
    return st.lists(row, max_size=prompts * completions).map(build)
