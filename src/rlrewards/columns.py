"""Which column of a data set is what, and a `Sample` out of each row.

Come here to see what a row may hold: text, numbers as references, options as an object or a list,
labels in any of the usual words.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

from rlrewards.core import Sample
from rlrewards.tables import Row, json_kind

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
        label = self._named(row, "label", self.columns.label)
        by = self._named(row, "by", self.columns.by)
        return Item(
            number=row.number,
            sample=self.sample(row.values),
            label=None if label is None else _truth("label", label),
            by=None if by is None else _plain_text(by),
        )

    def sample(self, values: Mapping[str, Any]) -> Sample:
        """Return the fields of a row as a sample; further columns become its `extra`."""
        used: set[str] = set()

        def field(own: str | None, *defaults: str) -> Any:
            name = own or next((name for name in defaults if name in values), defaults[0])
            used.add(name)
            value = values.get(name)
            return None if self.text_cells and value == "" and name != completion else value

        names = self.columns
        completion = names.completion or "completion"
        prompt = _optional_text("prompt", field(names.prompt, "prompt", "question"))
        truncated = field(names.truncated, "truncated")
        return Sample(
            completion=_completion(field(completion), completion),
            reference=_reference(field(names.reference, "reference")),
            prompt=prompt,
            token_ids=_token_ids(self._listed(field(names.token_ids, "token_ids"))),
            options=_options(self._listed(field(names.options, "options"))),
            group=self._group(field(names.group, "group"), prompt),
            truncated=None if truncated is None else _truth("truncated", truncated),
            extra={name: value for name, value in values.items() if name not in used},
        )

    def _named(self, row: Row, what: str, name: str | None) -> Any:
        value = None if name is None else row.values.get(name)
        return None if value == "" else value

    def _listed(self, value: Any) -> Any:
        """Return a list or object that stands as JSON in a field of text."""
        if not (self.text_cells and isinstance(value, str)):
            return value
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value

    def _group(self, value: Any, prompt: str | None) -> Hashable | None:
        if value is None and self.group_by_prompt:
            if prompt is None:
                raise ValueError(
                    "has neither group nor prompt, and the stack compares the completions of one "
                    "prompt; name one with --group-column or --prompt-column"
                )
            return prompt
        return value if value is None or isinstance(value, str | int) else json.dumps(value)


def _completion(value: Any, name: str) -> str:
    text = _text_of(value, "assistant")
    if text is None:
        raise ValueError(f"{name} is {json_kind(value)}, expected text")
    return text


def _optional_text(what: str, value: Any) -> str | None:
    if value is None:
        return None
    text = _text_of(value, None)
    if text is None:
        raise ValueError(f"{what} is {json_kind(value)}, expected text")
    return text


def _text_of(value: Any, role: str | None) -> str | None:
    """Return text, or that of chat messages: the last one of `role`, or all of them."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not value or not all(map(_is_message, value)):
        return None
    texts = [message["content"] for message in value if role in (None, message.get("role"))]
    return None if not texts else texts[-1] if role else "\n".join(texts)


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("content"), str)


def _reference(value: Any) -> str | list[str] | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and all(_is_text_or_number(item) for item in value):
        return [_plain_text(item) for item in value] or None
    if _is_text_or_number(value):
        return _plain_text(value)
    raise ValueError(f"reference is {json_kind(value)}, expected text, a number or a list of them")


def _options(value: Any) -> dict[str, str] | None:
    """Return options as letter -> text; a list is lettered from A, an absent letter is None."""
    pairs = _pairs(value)
    if pairs is None:
        raise ValueError(
            f"options are {json_kind(value)}, expected an object of texts by letter, or a list of "
            "texts"
        )
    return {str(letter): _plain_text(text) for letter, text in pairs if text is not None} or None


def _pairs(value: Any) -> list[tuple[Any, Any]] | None:
    if value is None:
        return []
    if isinstance(value, dict):
        value = list(value.items())  # and a Parquet map comes as a list of pairs
    if not isinstance(value, list):
        return None
    if not all(isinstance(item, tuple) and len(item) == 2 for item in value):
        value = list(zip(ascii_uppercase, value, strict=False))
    texts = (text for _, text in value)
    return value if all(text is None or _is_text_or_number(text) for text in texts) else None


def _token_ids(value: Any) -> Sequence[int] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(type(item) is int for item in value):
        raise ValueError(f"token_ids are {json_kind(value)}, expected a list of whole numbers")
    return value


def _truth(what: str, value: Any) -> bool:
    word = str(value).strip().lower()
    if word in RIGHT_WORDS:
        return True
    if word in WRONG_WORDS:
        return False
    raise ValueError(
        f"{what} is {_shortened(value)}, expected true/false, 1/0, right/wrong or yes/no"
    )


def _is_text_or_number(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _plain_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shortened(value: Any, limit: int = 40) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
