"""What data sets hold, as the plain texts that are graded: chat messages, references, options.

A conversation is a list of messages as chat APIs write them, `{"role": ..., "content": ...}`.
Come here to see which of its texts counts as the completion and which as the prompt, and what a
reference or the options of a question may look like. Imports nothing of the package.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from decimal import Decimal
from numbers import Real
from string import ascii_uppercase
from typing import Any, Literal, TypeAlias

Turn: TypeAlias = int | Literal["last", "all"]
Message: TypeAlias = Mapping[str, Any]
Messages: TypeAlias = Sequence[Message]

REASONING_KEYS = ("reasoning_content", "reasoning", "thinking")


# ---------------------------------------------------------------------------------------------
# Conversations


def completion_text(completion: str | Messages, turn: Turn = "last") -> str:
    """Return the text of the model's turn; "" when there is no such turn.

    Messages of other roles (tools) are left out. `reasoning_content` comes first, as
    `<think>…</think>`.

    Args:
        completion: A text, or the messages of the completion.
        turn: Which assistant turn counts: "last", "all" (joined by a blank line), or an index as
            in a list.

    >>> completion_text([{"role": "assistant", "reasoning_content": "2 + 2", "content": "4"}])
    '<think>2 + 2</think>4'
    """
    if isinstance(completion, str):
        return completion
    turns = assistant_turns(completion)
    if turn == "all":
        return "\n\n".join(turns)
    index = -1 if turn == "last" else turn
    return turns[index] if -len(turns) <= index < len(turns) else ""


def assistant_turns(messages: Messages) -> list[str]:
    """Return the text of each of the assistant's turns, "" for one that only calls a tool."""
    return [_turn_text(message) for message in messages if message.get("role") == "assistant"]


def prompt_text(prompt: str | Messages | None) -> str | None:
    """Return the text that was asked: of a conversation, the last message of the user.

    >>> prompt_text([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2"}])
    '2'
    """
    if prompt is None or isinstance(prompt, str):
        return prompt
    asked = [message_text(message) for message in prompt if message.get("role") == "user"]
    return asked[-1] if asked else None


def prompt_key(prompt: str | Messages | None) -> Hashable:
    """Return what tells one prompt from another: roles and texts of all its messages.

    >>> prompt_key([{"role": "user", "content": "2 + 2?"}])
    (('user', '2 + 2?'),)
    """
    if prompt is None or isinstance(prompt, str):
        return prompt
    return tuple((message.get("role"), message_text(message)) for message in prompt) or None


def message_text(message: Message) -> str:
    """Return a message's text: its content, or the text parts of it joined.

    >>> message_text({"content": [{"type": "image"}, {"type": "text", "text": "What is it?"}]})
    'What is it?'
    """
    content = message.get("content")
    if isinstance(content, str):
        return content
    return "".join(map(_part_text, content or ()))


def is_conversation(value: object) -> bool:
    """Whether a value is a list of messages that the functions above can read.

    >>> is_conversation([{"role": "user", "content": "2 + 2?"}]), is_conversation(["2 + 2?"])
    (True, False)
    """
    return isinstance(value, list | tuple) and all(map(_is_message, value))


def _is_message(value: object) -> bool:
    if not isinstance(value, Mapping) or not isinstance(value.get("role"), str):
        return False
    content = value.get("content")
    if content is None or isinstance(content, str):
        return True
    return isinstance(content, list | tuple) and all(
        isinstance(part, str | Mapping) for part in content
    )


def _part_text(part: str | Mapping[str, Any]) -> str:
    if isinstance(part, str):
        return part
    text = part.get("text") if part.get("type") in ("text", None) else None
    return text if isinstance(text, str) else ""


def _turn_text(message: Message) -> str:
    reasoning = next((message[key] for key in REASONING_KEYS if message.get(key)), None)
    text = message_text(message)
    return f"<think>{reasoning}</think>{text}" if isinstance(reasoning, str) else text


# ---------------------------------------------------------------------------------------------
# References and options


def read_reference(value: object) -> str | tuple[str, ...] | None:
    """Return a cell of the reference column: a text, several acceptable ones, or None.

    Numbers become their text. NaN, which stands for a missing number, is no reference, and
    neither is an empty list.

    Raises:
        ValueError: it is something else.

    >>> read_reference(["1/2", 0.5]), read_reference(float("nan"))
    (('1/2', '0.5'), None)
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and all(map(_is_text_or_number, value)):
        return tuple(plain_text(item) for item in value if not is_nan(item)) or None
    if _is_text_or_number(value):
        return None if is_nan(value) else plain_text(value)
    raise ValueError(f"reference is {kind_of(value)}, expected text, a number or a list of them")


def read_options(value: object) -> dict[str, str] | None:
    """Return a cell of the options column as letter -> text, or None when it holds none.

    It may be a mapping, or its list of pairs; a list of at most 26 texts, lettered from A; or the
    `{"label": [...], "text": [...]}` that `datasets` makes of a list of records. Letters whose
    text is None are left out: Parquet fills in those that other rows have.

    Raises:
        ValueError: it is something else.

    >>> read_options(["yes", "no"])
    {'A': 'yes', 'B': 'no'}
    """
    pairs = _option_pairs(value)
    if pairs is None or not all(text is None or _is_text_or_number(text) for _, text in pairs):
        raise ValueError(
            f"options are {kind_of(value)}, expected an object of texts by letter, or a list of at "
            "most 26 texts"
        )
    return {str(letter): plain_text(text) for letter, text in pairs if text is not None} or None


def _option_pairs(value: object) -> list[tuple[Any, Any]] | None:
    if value is None:
        return []
    if isinstance(value, Mapping):
        labels, texts = value.get("label"), value.get("text")
        if len(value) == 2 and isinstance(labels, list | tuple) and isinstance(texts, list | tuple):
            return list(zip(labels, texts, strict=True)) if len(labels) == len(texts) else None
        return list(value.items())
    if not isinstance(value, list | tuple) or len(value) > len(ascii_uppercase):
        return None
    if value and all(isinstance(item, tuple) and len(item) == 2 for item in value):
        return list(value)  # a map of Parquet
    return list(zip(ascii_uppercase, value, strict=False))


# ---------------------------------------------------------------------------------------------
# Single values


def plain_text(value: object) -> str:
    """Return any value as text: a text as it is, lists and objects as JSON.

    >>> plain_text("4"), plain_text(0.5), plain_text(["a", None])
    ('4', '0.5', '["a", null]')

    Raises:
        ValueError: it is nested too deeply.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal) and value.is_finite():
        return format(value, "f")  # 1000, not 1E+3
    if value is None or isinstance(value, bool | float | list | tuple | dict):
        try:
            return json.dumps(value, ensure_ascii=False, default=str)
        except (RecursionError, TypeError) as error:  # TypeError: a key that JSON has no word for
            raise ValueError(f"{kind_of(value)} that cannot be written as JSON: {error}") from None
    return str(value)


def kind_of(value: object) -> str:
    """Return what JSON calls a value, for messages; its type where JSON has no word for it.

    >>> kind_of([1, 2]), kind_of(b"4")
    ('a list', 'of type bytes')
    """
    for kinds, name in _KINDS:
        if isinstance(value, kinds):
            return name
    return f"of type {type(value).__name__}"


_KINDS: Iterable[tuple[Any, str]] = (
    (type(None), "null"),
    (bool, "true or false"),
    ((Real, Decimal), "a number"),
    (str, "text"),
    (Mapping, "an object"),
    ((list, tuple), "a list"),
)


def is_nan(value: object) -> bool:
    """Whether a value is the number that stands for a missing one."""
    if isinstance(value, Decimal):
        return value.is_nan()
    return isinstance(value, Real) and value != value  # NaN alone differs from itself


def _is_text_or_number(value: object) -> bool:
    return isinstance(value, str | Real | Decimal) and not isinstance(value, bool)
