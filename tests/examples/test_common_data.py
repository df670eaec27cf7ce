r"""Reading sources, answers in solutions, duplicates, strata."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest
from examples.common import data
from examples.common.preflight import PreflightError
from examples.common.settings import SourceSettings
from hypothesis import given
from hypothesis import strategies as st

ROWS = [{"q": "one", "n": 1}, {"q": "two", "n": 2}]


def write(path: Path) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(row) for row in ROWS) + "\n\n", encoding="utf-8")
    elif path.suffix == ".json":
        path.write_text(json.dumps(ROWS), encoding="utf-8")
    elif path.suffix == ".csv":
        path.write_text("q,n\none,1\ntwo,2\n", encoding="utf-8")
    else:
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)
    return path


@pytest.mark.parametrize("ending", data.ENDINGS)
def test_files(tmp_path: Path, ending: str) -> None:
    path = write(tmp_path / f"rows{ending}")
    source = SourceSettings(name="A", path=str(path), columns={"question": "q"})
    rows = data.read(source, ["question", "n"])
    assert [(row["question"], str(row["n"])) for row in rows] == [("one", "1"), ("two", "2")]
    assert data.read(SourceSettings(name="A", path=str(tmp_path)), ["q"]) == [
        {name: row[name] for name in ("q", "n")} for row in rows
    ]


def test_rows_are_filtered(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl")
    assert data.read(SourceSettings(name="A", path=str(path), where={"n": "2"})) == [ROWS[1]]


def test_missing_columns_and_files(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl")
    with pytest.raises(PreflightError, match="has no column 'answer', only n, q; name it in"):
        data.read(SourceSettings(name="A", path=str(path)), ["answer"])
    with pytest.raises(PreflightError, match="has no rows"):
        data.read(SourceSettings(name="A", path=str(path), where={"n": "3"}), ["q"])
    with pytest.raises(PreflightError, match=r"no\.jsonl is missing; look at the path"):
        data.read(SourceSettings(name="A", path=str(tmp_path / "no.jsonl")))
    (tmp_path / "empty").mkdir()
    with pytest.raises(PreflightError, match="has no data files"):
        data.read(SourceSettings(name="A", path=str(tmp_path / "empty")))


@pytest.mark.parametrize(
    ("solution", "answer", "before"),
    [
        (r"So $\boxed{4}$.", "4", "So"),
        (r"\boxed{1} no: \boxed{\frac{1}{2}}", r"\frac{1}{2}", r"\boxed{1} no:"),
        (r"it is \boxed{\{1, 2\}}", r"\{1, 2\}", "it is"),
        (r"a set: \[\boxed{ x }\]", "x", "a set:"),
        (r"\boxed{1} and \boxed{2", None, None),
        (r"\boxed{}", None, None),
        ("none", None, None),
        ("", None, None),
    ],
)
def test_last_box(solution: str, answer: str | None, before: str | None) -> None:
    assert data.last_boxed(solution) == answer
    if answer is not None:
        assert data.before_last_box(solution) == before


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        ("a\n#### 1,000", "1,000"),
        ("a\n#### 1\nb\n####2", "2"),
        ("a #### 3", None),
        ("a\n####", None),
    ],
)
def test_hashes(solution: str, answer: str | None) -> None:
    assert data.after_hashes(solution) == answer


def test_duplicates_in_any_case() -> None:
    rows = [
        {"question": text} for text in ("What is 2?", "WHAT IS  2? ", "What is 3?", "what is 2?")
    ]
    assert [row["question"] for row in data.without_duplicates(rows)] == [
        "What is 2?",
        "What is 3?",
    ]


def test_strata_of_the_thesis() -> None:
    # 3,000 of 4,125 by source; the thesis drew 2,104, 724 and 172, whence the bank.
    rows = ["Numina"] * 2893 + ["OpenAI"] * 996 + ["JEE"] * 236
    chosen = Counter(data.sample(rows, 3000, random.Random(0), by=str))
    assert chosen == {"Numina": 2104, "OpenAI": 724, "JEE": 172}


@given(st.dictionaries(st.text("abc", min_size=1), st.integers(1, 50), min_size=1), st.data())
def test_shares_add_up_and_are_fair(sizes: dict[str, int], draw: st.DataObject) -> None:
    total = sum(sizes.values())
    count = draw.draw(st.integers(0, total))
    found = data.shares(sizes, count)
    assert sum(found.values()) == count
    for name, size in sizes.items():
        assert abs(found[name] - count * size / total) < 1
        assert 0 <= found[name] <= size


def test_a_sample_keeps_the_order_and_follows_the_seed() -> None:
    rows = list(range(100))
    first = data.sample(rows, 10, random.Random(1))
    assert first == sorted(first)
    assert first == data.sample(rows, 10, random.Random(1))
    assert first != data.sample(rows, 10, random.Random(2))
    assert data.sample(rows, 1000, random.Random(1)) == rows
