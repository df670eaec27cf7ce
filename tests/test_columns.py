import datetime
import math
from decimal import Decimal

import pytest

from rlrewards.columns import Columns, RowReader
from rlrewards.tables import Row


def item(values, *, text_cells=False, group_by_prompt=False, **columns):
    reader = RowReader(Columns(**columns), text_cells=text_cells, group_by_prompt=group_by_prompt)
    return reader.item(Row(7, values))


def sample(values, **how):
    return item({"completion": "c"} | values, **how).sample


def test_default_columns():
    found = sample(
        {
            "reference": "4",
            "prompt": "2 + 2?",
            "options": {"A": "4"},
            "token_ids": [1, 2],
            "group": "g",
            "truncated": False,
            "id": 3,
        }
    )
    assert (found.completion, found.reference, found.prompt) == ("c", "4", "2 + 2?")
    assert (found.options, found.token_ids, found.group) == ({"A": "4"}, [1, 2], "g")
    assert found.truncated is False
    assert found.extra == {"id": 3}


def test_what_is_absent_or_null_is_none():
    for values in ({}, {"reference": None, "options": None, "token_ids": None, "group": None}):
        found = sample(values)
        assert found.reference is found.options is found.token_ids is found.group is None
        assert found.prompt is found.truncated is None


def test_question_stands_in_for_prompt():
    assert sample({"question": "q"}).prompt == "q"
    assert sample({"question": "q", "prompt": "p"}).prompt == "p"
    assert sample({"question": "q", "prompt": "p"}, prompt="question").prompt == "q"


def test_named_columns():
    values = {"out": "text", "gold": "4", "ok": "right", "set": "easy", "completion": "not this"}
    found = item(values, completion="out", reference="gold", label="ok", by="set")
    assert (found.number, found.label, found.by) == (7, True, "easy")
    assert (found.sample.completion, found.sample.reference) == ("text", "4")


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("4", "4"),
        (4, "4"),
        (0.5, "0.5"),
        (["4", 5], ("4", "5")),
        ([], None),
        ("", ""),
        (math.nan, None),
        (Decimal("0.50"), "0.50"),
    ],
)
def test_references(reference, expected):
    assert sample({"reference": reference}).reference == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"A": "yes", "B": 2}, {"A": "yes", "B": "2"}),
        ({"A": "yes", "E": None}, {"A": "yes"}),  # Parquet fills the letters that others have
        (["yes", "no"], {"A": "yes", "B": "no"}),
        ([("A", "yes")], {"A": "yes"}),  # a Parquet map
        ({}, None),
    ],
)
def test_options(options, expected):
    assert sample({"options": options}).options == expected


@pytest.mark.parametrize("word", [True, 1, "1", "true", "TRUE", "right", "yes", "correct", 1.0])
def test_labels_that_say_right(word):
    assert item({"completion": "c", "label": word}, label="label").label is True


@pytest.mark.parametrize("word", [False, 0, "0", "false", " wrong ", "No", "incorrect"])
def test_labels_that_say_wrong(word):
    assert item({"completion": "c", "label": word}, label="label").label is False


def test_no_label_is_no_label():
    assert item({"completion": "c", "label": None}, label="label").label is None
    assert item({"completion": "c", "label": "B"}).label is None  # read only when named


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"completion": None}, "completion is null, expected text"),
        ({"completion": 4}, "completion is a number, expected text"),
        ({"completion": {"a": 1}}, "completion is an object, expected text"),
        ({"completion": b"4"}, "completion is of type bytes, expected text"),
        ({"completion": math.nan}, "completion is null, expected text"),
        ({"completion": ["4"]}, "completion is a list, expected text or chat messages"),
        (
            {"completion": [{"role": "user", "content": "hi"}]},
            "completion is a list without a message of the assistant",
        ),
        ({"reference": datetime.date(2024, 1, 2)}, "reference is of type date, expected text"),
        ({"reference": True}, "reference is true or false"),
        ({"reference": {"a": 1}}, "reference is an object"),
        ({"prompt": 4}, "prompt is a number"),
        ({"options": "AB"}, "options are text"),
        ({"options": [["A", "x"]]}, "options are a list"),
        ({"token_ids": "1 2"}, "token_ids are text"),
        ({"token_ids": [1, 2.5]}, "expected a list of whole numbers"),
        ({"token_ids": [True]}, "expected a list of whole numbers"),
        ({"token_ids": [1, 2**63]}, "token_ids hold 9223372036854775808, which does not fit"),
        ({"token_ids": [-(2**63) - 1]}, "does not fit into 64 bits"),
        ({"truncated": "maybe"}, "truncated is 'maybe', expected true/false"),
        ({"label": "B"}, "label is 'B', expected true/false, 1/0, right/wrong or yes/no"),
    ],
)
def test_fields_of_the_wrong_kind(values, message):
    with pytest.raises(ValueError, match=message):
        item({"completion": "c"} | values, label="label")


def test_chat_messages_are_their_text():
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "2 + 2?"},
    ]
    reply = [{"role": "assistant", "content": "first"}, {"role": "assistant", "content": "last"}]
    found = sample({"prompt": messages, "completion": reply})
    assert (found.prompt, found.completion) == ("2 + 2?", "last")


def test_content_parts_tools_and_reasoning():
    reply = [
        {"role": "assistant", "content": None, "tool_calls": [{"type": "function"}]},
        {"role": "tool", "content": "4"},
        {
            "role": "assistant",
            "reasoning_content": "It says 4.",
            "content": [{"type": "text", "text": "A: 4"}],
        },
    ]
    prompt = [{"role": "user", "content": [{"type": "text", "text": "2 + 2?"}]}]
    found = sample({"prompt": prompt, "completion": reply})
    assert (found.prompt, found.completion) == ("2 + 2?", "<think>It says 4.</think>A: 4")
    assert sample({"completion": reply[:1]}).completion == ""


def test_nan_stands_for_an_absent_value():
    values = {"completion": "c", "label": math.nan, "by": math.nan, "group": math.nan}
    found = item(values, label="label", by="by")
    assert found.label is found.by is found.sample.group is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime.date(2024, 1, 2), "2024-01-02"),
        (datetime.datetime(2024, 1, 2, 3), "2024-01-02 03:00:00"),
        (Decimal("0.50"), "0.50"),
        (b"x", "b'x'"),
        (True, "true"),
        ({"day": datetime.date(2024, 1, 2)}, '{"day": "2024-01-02"}'),
    ],
)
def test_any_value_can_group_and_split(value, text):
    found = item({"completion": "c", "day": value}, by="day", group="day")
    assert found.by == text
    assert found.sample.group == (True if value is True else text)


def test_lists_in_text_cells_are_json():
    found = sample(
        {"options": '{"A": "yes"}', "token_ids": "[1, 2]", "reference": "[1, 2]", "group": ""},
        text_cells=True,
    )
    assert (found.options, found.token_ids) == ({"A": "yes"}, [1, 2])
    assert found.reference == "[1, 2]"
    assert found.group is None
    assert sample({"options": "", "reference": ""}, text_cells=True).options is None
    assert sample({"completion": ""}, text_cells=True).completion == ""
    with pytest.raises(ValueError, match="token_ids are '1 2', not valid JSON"):
        sample({"token_ids": "1 2"}, text_cells=True)
    with pytest.raises(ValueError, match="options are .*, not valid JSON"):
        sample({"options": '{"A": "yes"'}, text_cells=True)


@pytest.mark.parametrize(
    ("cell", "reference"),
    [
        ('["4", "5"]', ("4", "5")),
        ("[1, 2]", "[1, 2]"),  # an interval or a vector
        ('["4", 5]', '["4", 5]'),
        ("[]", "[]"),
        ('["4"', '["4"'),
    ],
)
def test_a_list_of_texts_in_a_text_cell_is_several_references(cell, reference):
    assert sample({"reference": cell}, text_cells=True).reference == reference
    assert sample({"reference": cell}).reference == cell


def test_groups():
    assert sample({"group": [1, "a"]}).group == '[1, "a"]'
    assert sample({"prompt": "p"}).group is None
    assert sample({"prompt": "p"}, group_by_prompt=True).group == "p"
    assert sample({"prompt": "p", "group": 3}, group_by_prompt=True).group == 3
    one, two, again = (
        [{"role": "system", "content": text}, {"role": "user", "content": "2 + 2?"}]
        for text in ("One.", "Two.", "Two.")
    )
    groups = [sample({"prompt": chat}, group_by_prompt=True).group for chat in (one, two, again)]
    assert groups[0] != groups[1] == groups[2]
    with pytest.raises(ValueError, match="neither group nor prompt"):
        sample({}, group_by_prompt=True)
