from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from rlrewards.messages import (
    completion_text,
    is_conversation,
    kind_of,
    message_text,
    plain_text,
    prompt_key,
    prompt_text,
    read_options,
    read_reference,
)


class TestCompletions:
    @pytest.mark.parametrize(
        ("completion", "text"),
        [
            ("plain", "plain"),
            ([], ""),
            ([{"role": "assistant", "content": "one"}], "one"),
            ([{"role": "assistant", "content": None, "tool_calls": []}], ""),
            ([{"role": "assistant"}], ""),
            ([{"role": "tool", "content": "42"}], ""),
        ],
    )
    def test_simple_completions(self, completion: Any, text: str) -> None:
        assert completion_text(completion) == text

    TURNS = (
        {"role": "assistant", "content": "Let me look.", "tool_calls": [{"type": "function"}]},
        {"role": "tool", "name": "search", "content": "\\boxed{7}"},
        {"role": "assistant", "content": "It is 4."},
        {"role": "user", "content": "Sure?"},
    )

    @pytest.mark.parametrize(
        ("turn", "text"),
        [
            ("last", "It is 4."),
            ("all", "Let me look.\n\nIt is 4."),
            (0, "Let me look."),
            (1, "It is 4."),
            (-2, "Let me look."),
            (2, ""),
            (-3, ""),
        ],
    )
    def test_the_turn_is_a_choice(self, turn: Any, text: str) -> None:
        assert completion_text(self.TURNS, turn) == text

    def test_text_parts_are_joined_and_others_ignored(self) -> None:
        parts = [
            {"type": "text", "text": "a"},
            {"type": "image", "image": object(), "text": None},
            {"type": None, "text": "b"},  # as Parquet fills in a key that is absent
            "c",
        ]
        assert message_text({"content": parts}) == "abc"
        assert completion_text([{"role": "assistant", "content": parts}]) == "abc"

    @pytest.mark.parametrize("key", ["reasoning_content", "reasoning", "thinking"])
    def test_reasoning_comes_first(self, key: str) -> None:
        message = {"role": "assistant", key: "2 + 2", "content": "4"}
        assert completion_text([message]) == "<think>2 + 2</think>4"
        assert completion_text([message | {key: None}]) == "4"
        assert completion_text([message | {key: ""}]) == "4"


class TestPrompts:
    CHAT = (
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "1 + 1?"},
        {"role": "assistant", "content": "2"},
        {"role": "user", "content": [{"type": "text", "text": "2 + 2?"}]},
    )

    def test_the_prompt_is_what_the_user_asked_last(self) -> None:
        assert prompt_text(self.CHAT) == "2 + 2?"
        assert prompt_text(self.CHAT[:1]) is None
        assert prompt_text("2 + 2?") == "2 + 2?"
        assert prompt_text(None) is None

    def test_the_key_holds_every_message(self) -> None:
        assert prompt_key("p") == "p"
        assert prompt_key(None) is prompt_key([]) is None
        assert prompt_key(self.CHAT) == prompt_key([dict(message) for message in self.CHAT])
        assert prompt_key(self.CHAT) != prompt_key(self.CHAT[1:])
        assert isinstance(hash(prompt_key(self.CHAT)), int)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([], True),
        ([{"role": "user"}], True),
        ([{"role": "user", "content": ["a", {"type": "image"}]}], True),
        ([{"content": "no role"}], False),
        ([{"role": "user", "content": 4}], False),
        ([{"role": "user", "content": [4]}], False),
        (["text"], False),
        ("text", False),
        ({"role": "user", "content": "one message"}, False),
        (None, False),
    ],
)
def test_conversations_are_told_from_other_values(value: Any, told: bool) -> None:
    assert is_conversation(value) is told


class TestReferences:
    @pytest.mark.parametrize(
        ("cell", "reference"),
        [
            (None, None),
            ("4", "4"),
            ("", ""),
            (4, "4"),
            (0.5, "0.5"),
            (Decimal("1E+3"), "1000"),
            (Fraction(1, 2), "1/2"),
            (np.float32(0.5), "0.5"),
            (np.int64(7), "7"),
            (["4", "four"], ("4", "four")),
            (("4", 5), ("4", "5")),
            ([], None),
            (math.nan, None),
            (np.float64("nan"), None),
            (Decimal("sNaN"), None),
            ([math.nan, "4"], ("4",)),
            ([math.nan], None),
        ],
    )
    def test_what_can_be_read(self, cell: Any, reference: Any) -> None:
        assert read_reference(cell) == reference

    @pytest.mark.parametrize(
        "cell", [{"gold": "4"}, [None], [["4"]], True, [False], b"4", object()]
    )
    def test_what_cannot(self, cell: Any) -> None:
        with pytest.raises(ValueError, match="reference is .*, expected text, a number or a list"):
            read_reference(cell)


class TestOptions:
    @pytest.mark.parametrize(
        ("cell", "options"),
        [
            (None, None),
            ({}, None),
            ([], None),
            (["yes", 2], {"A": "yes", "B": "2"}),
            ({"A": "yes", "B": "no", "C": None}, {"A": "yes", "B": "no"}),
            ([("A", "yes"), ("B", "no")], {"A": "yes", "B": "no"}),
            ({"label": ["1", "2"], "text": ["yes", "no"]}, {"1": "yes", "2": "no"}),
            ({"label": "x", "text": "y"}, {"label": "x", "text": "y"}),
        ],
    )
    def test_what_can_be_read(self, cell: Any, options: Any) -> None:
        assert read_options(cell) == options

    @pytest.mark.parametrize(
        "cell",
        ["yes", 3, ["x"] * 27, [["A", "x"]], {"A": True}, {"label": ["1"], "text": ["x", "y"]}],
    )
    def test_what_cannot(self, cell: Any) -> None:
        with pytest.raises(ValueError, match="options are .*, expected an object of texts"):
            read_options(cell)


def test_plain_text_that_cannot_be_written() -> None:
    nest: list[Any] = []
    for _ in range(100_000):
        nest = [nest]
    with pytest.raises(ValueError, match="a list that cannot be written as JSON"):
        plain_text(nest)
    with pytest.raises(ValueError, match="an object that cannot be written as JSON"):
        plain_text({(1, 2): 3})


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "null"),
        (True, "true or false"),
        (Decimal(1), "a number"),
        ("x", "text"),
        ({}, "an object"),
        (b"x", "of type bytes"),
    ],
)
def test_kinds(value: Any, kind: str) -> None:
    assert kind_of(value) == kind
