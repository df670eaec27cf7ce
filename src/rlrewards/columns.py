"""Which column of a data set is what, and a `Sample` out of each row.

Come here to see which names columns have by default, which words a label may be written in, and
what a CSV file, whose fields are all text, may hold. What a reference, options or chat messages
may look like is in `messages`.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rlrewards.core import Sample
from rlrewards.messages import (
    assistant_turns,
    completion_text,
    is_conversation,
    is_nan,
    kind_of,
    plain_text,
    prompt_key,
    prompt_text,
    read_options,
    read_reference,
)
from rlrewards.tables import Row

RIGHT_WORDS = ("true", "right", "correct", "yes", "1", "1.0")
WRONG_WORDS = ("false", "wrong", "incorrect", "no", "0", "0.0")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Name of the column that holds each part of a sample.

    None stands for the default name, used where a row has it: `completion` (which every row must
    have), `reference`, `options`, `prompt` or else `question`, `group`, `token_ids`, `truncated`.
    `label` and `by` are read only when they are named.
    """

    completion: str | None = None
    reference: str | None = None
    options: str | None = None
    prompt: str | None = None
    group: str | None = None
    token_ids: str | None = None
    truncated: str | None = None
    label: str | None = None
    by: str | None = None

    def required(self) -> dict[str, str]:
        """Return the columns that a file must have, as `{what they hold: name}`."""
        named = {what: name for what, name in vars(self).items() if name is not None}
        return {"completion": self.completion or "completion"} | named


@dataclass(frozen=True, slots=True)
class Item:
    """A row that can be scored.

    Attributes:
        number: The row's line (or row) number.
        sample: What is scored.
        label: Whether the completion is right, by the data set; None when it does not say.
        by: Value of the column that the summary is split by.
    """

    number: int
    sample: Sample
    label: bool | None = None
    by: str | None = None


class RowReader:
    """Turns rows into samples.

    Args:
        columns: Which column is what.
        text_cells: Whether lists and objects stand as JSON in text (CSV).
        group_by_prompt: Whether a row without a group belongs to the group of its prompt; then a
            row with neither is broken.
    """

    def __init__(
        self, columns: Columns, *, text_cells: bool = False, group_by_prompt: bool = False
    ) -> None:
        self.columns = columns
        self.text_cells = text_cells
        self.group_by_prompt = group_by_prompt

    def item(self, row: Row) -> Item:
        """Return the row as an item.

        Raises:
            ValueError: a field is missing or not what it should be; the message names it.
        """
        label, by = self._named(row, self.columns.label), self._named(row, self.columns.by)
        return Item(
            number=row.number,
            sample=self.sample(row.values),
            label=None if label is None else truth("label", label),
            by=None if by is None else plain_text(by),
        )

    def sample(self, values: Mapping[str, Any]) -> Sample:
        """Return the fields of a row as a sample; further columns become its `extra`."""
        used: set[str] = set()

        def field(own: str | None, *defaults: str) -> Any:
            name = own or next((name for name in defaults if name in values), defaults[0])
            used.add(name)
            return self._given(values.get(name), keep_empty=name == completion)

        names = self.columns
        completion = names.completion or "completion"
        prompt = _prompt(field(names.prompt, "prompt", "question"))
        truncated = field(names.truncated, "truncated")
        return Sample(
            completion=_completion(field(completion), completion),
            reference=read_reference(self._references(field(names.reference, "reference"))),
            prompt=prompt_text(prompt),
            token_ids=_token_ids(self._decoded("token_ids", field(names.token_ids, "token_ids"))),
            options=read_options(self._decoded("options", field(names.options, "options"))),
            group=self._group(field(names.group, "group"), prompt),
            truncated=None if truncated is None else truth("truncated", truncated),
            extra={name: value for name, value in values.items() if name not in used},
        )

    def _named(self, row: Row, name: str | None) -> Any:
        value = None if name is None else row.values.get(name)
        return None if value == "" else self._given(value)

    def _given(self, value: Any, *, keep_empty: bool = False) -> Any:
        """Return None for what stands for an absent value: NaN and, in CSV, empty text."""
        absent = is_nan(value) or (self.text_cells and value == "" and not keep_empty)
        return None if absent else value

    def _decoded(self, what: str, value: Any) -> Any:
        """Return a list or object that stands as JSON in a field of text."""
        if not (self.text_cells and isinstance(value, str)):
            return value
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError(f"{what} are {_shortened(value)}, not valid JSON") from None

    def _references(self, value: Any) -> Any:
        """Return a JSON list of texts in a field of text as that list.

        Any other field is one reference as it stands: `[1, 2]` may be an interval or a vector.
        """
        if not (self.text_cells and isinstance(value, str) and value.lstrip().startswith("[")):
            return value
        try:
            several = json.loads(value)
        except (ValueError, RecursionError):
            return value
        return several if several and all(isinstance(one, str) for one in several) else value

    def _group(self, value: Any, prompt: Any) -> Hashable | None:
        if value is not None:
            return value if isinstance(value, str | int) else plain_text(value)
        if not self.group_by_prompt:
            return None
        key = prompt_key(prompt)
        if key is None:
            raise ValueError(
                "has neither group nor prompt, so that nobody knows which completions are to be "
                "compared; name one with --group-column or --prompt-column"
            )
        return key


def _completion(value: Any, name: str) -> str:
    if isinstance(value, str):
        return value
    if not is_conversation(value):
        raise ValueError(f"{name} is {kind_of(value)}, expected text or chat messages")
    if not assistant_turns(value):
        raise ValueError(f"{name} is a list without a message of the assistant")
    return completion_text(value)


def _prompt(value: Any) -> Any:
    if value is None or isinstance(value, str) or is_conversation(value):
        return value
    raise ValueError(f"prompt is {kind_of(value)}, expected text or chat messages")


def _token_ids(value: Any) -> Sequence[int] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(type(item) is int for item in value):
        raise ValueError(f"token_ids are {kind_of(value)}, expected a list of whole numbers")
    for item in value:
        if not -(2**63) <= item < 2**63:
            raise ValueError(f"token_ids hold {_shortened(item)}, which does not fit into 64 bits")
    return value


def truth(what: str, value: Any) -> bool:
    """Return whether a value says right or wrong, by the words above.

    Raises:
        ValueError: it is none of them; the message begins with `what` it was to be.
    """
    word = str(value).strip().lower()
    if word in RIGHT_WORDS:
        return True
    if word in WRONG_WORDS:
        return False
    raise ValueError(
        f"{what} is {_shortened(value)}, expected true/false, 1/0, right/wrong or yes/no"
    )


def _shortened(value: Any, limit: int = 40) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
