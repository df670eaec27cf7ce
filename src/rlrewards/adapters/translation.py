"""From what a trainer hands its reward functions to samples.

A batch is a list of prompts, one of completions, their token ids, and the columns of the data set,
all of one length. Come here to see which column becomes which field of a `Sample`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rlrewards.core import Sample
from rlrewards.messages import (
    Turn,
    completion_text,
    prompt_key,
    prompt_text,
    read_options,
    read_reference,
)

# Columns that are taken for a field of the sample unless `columns` says otherwise; the first that
# the data set has counts.
DEFAULT_COLUMNS: dict[str, tuple[str, ...]] = {
    "reference": ("reference", "answer", "ground_truth", "final_answer", "solution"),
    "options": ("options", "choices"),
}
FIELDS = ("reference", "options", "group", "prompt", "truncated")


@dataclass(frozen=True)
class Translation:
    """How a batch becomes samples.

    Args:
        eos_token_ids: Ids that end a completion; one that ends in another id is `truncated`.
        columns: Pairs of a field of the sample and the column of the data set that holds it.
        turn: Which assistant turn of a conversation is graded.

    Raises:
        ValueError: `turn` is none that there is.
    """

    eos_token_ids: tuple[int, ...] | None = None
    columns: tuple[tuple[str, str], ...] = ()
    turn: Turn = "last"

    def __post_init__(self) -> None:
        whole = isinstance(self.turn, int) and not isinstance(self.turn, bool)
        if self.turn not in ("last", "all") and not whole:
            raise ValueError(f"turn={self.turn!r}; allowed: 'last', 'all' or an index")

    def samples(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        completion_ids: Sequence[Sequence[int]] | None,
        columns: Mapping[str, Sequence[Any]],
    ) -> list[Sample]:
        """Return one sample for each completion.

        Completions of one prompt, reference and set of options are one group, unless a column
        is mapped to `group`.

        Raises:
            ValueError: a mapped column is not there, a reference or options cannot be read, or
                the arguments differ in length.
        """
        source = self._source(columns)
        rest = {name: value for name, value in columns.items() if name not in source.values()}
        return [
            self._sample(
                prompt,
                completion,
                None if completion_ids is None else completion_ids[index],
                {field: columns[name][index] for field, name in source.items()},
                {name: value[index] for name, value in rest.items()},
            )
            for index, (prompt, completion) in enumerate(zip(prompts, completions, strict=True))
        ]

    def _source(self, columns: Mapping[str, Any]) -> dict[str, str]:
        """Return the column that each field is read from."""
        mapped = dict(self.columns)
        for name, column in mapped.items():
            if column not in columns:
                known = ", ".join(sorted(columns)) or "none"
                raise ValueError(
                    f"columns maps {name} to {column!r}, which is not a column of the data set; "
                    f"columns there: {known}"
                )
        defaults = {
            name: next((alias for alias in aliases if alias in columns), None)
            for name, aliases in DEFAULT_COLUMNS.items()
            if name not in mapped
        }
        return mapped | {name: column for name, column in defaults.items() if column is not None}

    def _sample(
        self,
        prompt: Any,
        completion: Any,
        token_ids: Sequence[int] | None,
        fields: Mapping[str, Any],
        extra: dict[str, Any],
    ) -> Sample:
        try:
            reference = read_reference(fields.get("reference"))
            options = read_options(fields.get("options"))
        except ValueError as error:
            raise ValueError(
                f"{error}; say which column holds it: columns={{'reference': ..., 'options': ...}}"
            ) from None
        asked = (prompt_key(prompt), reference, None if options is None else (*options.items(),))
        return Sample(
            completion=completion_text(completion, self.turn),
            reference=reference,
            prompt=fields["prompt"] if "prompt" in fields else prompt_text(prompt),
            token_ids=token_ids,
            options=options,
            group=fields.get("group", asked),
            truncated=fields["truncated"] if "truncated" in fields else self._truncated(token_ids),
            extra=extra,
        )

    def _truncated(self, token_ids: Sequence[int] | None) -> bool | None:
        if self.eos_token_ids is None or token_ids is None or len(token_ids) == 0:
            return None
        return int(token_ids[-1]) not in self.eos_token_ids


def token_id_tuple(value: int | Sequence[int] | None) -> tuple[int, ...] | None:
    """Return one id, or several, as a tuple."""
    if value is None:
        return None
    return (value,) if isinstance(value, int) else tuple(value)


def checked_columns(columns: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    """Return a mapping of fields to columns as pairs.

    Raises:
        ValueError: a field is none that a column can fill.
    """
    for name in columns or {}:
        if name not in FIELDS:
            raise ValueError(
                f"columns names the field {name!r}; fields of a sample that a column can fill: "
                f"{', '.join(FIELDS)}"
            )
    return tuple((columns or {}).items())
