import gzip
import io
import json
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rlrewards.tables import open_table, table_suffix


def rows_of(path):
    with open_table(str(path)) as table:
        return [(row.number, row.values or row.problem) for row in table]


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_suffix_names_the_format():
    assert table_suffix("a.JSONL") == ".jsonl"
    assert table_suffix("runs.v2/a.csv.gz") == ".csv"
    assert table_suffix("completions") == ".jsonl"
    with pytest.raises(ValueError, match=r"unknown suffix '\.xlsx'; known: \.jsonl"):
        table_suffix("a.xlsx")


# JSON lines


def test_json_lines(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"a": 1}\n\n{"a": "é"}')
    assert rows_of(path) == [(1, {"a": 1}), (3, {"a": "é"})]


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl"])
def test_gzip_is_known_by_its_first_bytes(tmp_path, name):
    path = write(tmp_path / name, gzip.compress(b'{"a": 1}\n{"a": 2}\n'))
    with open_table(str(path)) as table:
        assert [row.values["a"] for row in table] == [1, 2]
        assert table.position() == table.size == path.stat().st_size


def test_text_under_a_gzip_suffix_is_text(tmp_path):
    assert rows_of(write(tmp_path / "a.jsonl.gz", '{"a": 1}\n')) == [(1, {"a": 1})]


def test_byte_order_mark_and_windows_line_ends(tmp_path):
    path = write(tmp_path / "a.jsonl", b'\xef\xbb\xbf{"a": 1}\r\n{"a": 2}\r\n')
    assert rows_of(path) == [(1, {"a": 1}), (2, {"a": 2})]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"a": }', "not JSON: Expecting value at character 7"),
        (b"17", "not a JSON object but a number"),
        (b'"text"', "not a JSON object but text"),
        (b"null", "not a JSON object but null"),
        (b"true", "not a JSON object but true or false"),
        (b'{"a": "\xff"}', "not UTF-8"),
    ],
)
def test_broken_lines_carry_their_problem(tmp_path, line, problem):
    path = write(tmp_path / "a.jsonl", b'{"a": 1}\n' + line + b'\n{"a": 2}\n')
    assert rows_of(path) == [(1, {"a": 1}), (2, problem), (3, {"a": 2})]


@pytest.mark.parametrize("line", ["[" * 200_000, '{"a": ' * 200_000, '{"a": ' + "9" * 5000 + "}"])
def test_hostile_json_is_a_broken_line(tmp_path, line):
    (_, first), (number, second) = rows_of(write(tmp_path / "a.jsonl", '{"a": 1}\n' + line))
    assert first == {"a": 1}
    assert number == 2
    assert second.startswith("not JSON")


def test_one_json_array_is_told_apart(tmp_path):
    with pytest.raises(ValueError, match="holds one JSON array; write one object a line"):
        rows_of(write(tmp_path / "a.json", '[\n{"a": 1}\n]'))


def test_empty_file_has_no_rows(tmp_path):
    assert rows_of(write(tmp_path / "a.jsonl", "")) == []
    assert rows_of(write(tmp_path / "b.csv", "")) == []
    assert rows_of(write(tmp_path / "c.csv", "a,b\n")) == []


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.jsonl.gz"])
def test_binary_file(tmp_path, name):
    content = bytes(range(256)) * 8
    with pytest.raises(ValueError, match="not UTF-8 text"):
        rows_of(write(tmp_path / name, content))


def test_damaged_gzip(tmp_path):
    whole = gzip.compress(b"".join(b'{"a": %d}\n' % n for n in range(20_000)))
    with pytest.raises(ValueError, match="gzip data is damaged"):
        rows_of(write(tmp_path / "short.jsonl", whole[: len(whole) // 2]))
    with pytest.raises(ValueError, match="gzip data is damaged"):
        rows_of(write(tmp_path / "bad.jsonl", whole[:10] + b"\xff" * 50 + whole[60:]))


def test_standard_input(monkeypatch):
    content = gzip.compress(b'{"a": 1}\n')
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    with open_table("-") as table:
        assert [row.values for row in table] == [{"a": 1}]
        assert table.size is None
        assert table.position() == 0


def test_a_closed_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(ValueError, match="standard input is closed; give a file"):
        rows_of("-")


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        rows_of(tmp_path / "none.jsonl")
    with pytest.raises(ValueError, match="is a folder"):
        rows_of(tmp_path)


# CSV


def test_csv_fields_are_text_and_may_span_lines(tmp_path):
    path = write(tmp_path / "a.csv", '\ufeffa,b\n1,"two\nlines, ""quoted"""\n\n3,\n')
    assert rows_of(path) == [
        (2, {"a": "1", "b": 'two\nlines, "quoted"'}),
        (5, {"a": "3", "b": ""}),
    ]


def test_tsv(tmp_path):
    assert rows_of(write(tmp_path / "a.tsv", "a\tb\n1,0\t2\n")) == [(2, {"a": "1,0", "b": "2"})]


def test_broken_csv_rows(tmp_path):
    path = write(tmp_path / "a.csv", b'a,b\n1\n1,2,3\n\xff,2\n"x"y,2\n5,6\n')
    assert rows_of(path) == [
        (2, "1 fields where the header has 2"),
        (3, "3 fields where the header has 2"),
        (4, "not UTF-8"),
        (5, "not CSV: ',' expected after '\"'"),
        (6, {"a": "5", "b": "6"}),
    ]


def test_csv_columns_of_one_name(tmp_path):
    with pytest.raises(ValueError, match="two columns are named 'a'"):
        rows_of(write(tmp_path / "a.csv", "a,b,a\n1,2,3\n"))


def test_a_field_of_a_megabyte(tmp_path):
    ((_, values),) = rows_of(write(tmp_path / "a.csv", "a\n" + "x" * 2**20 + "\n"))
    assert len(values["a"]) == 2**20


# Parquet


def test_parquet(tmp_path):
    values = [{"a": "x", "n": [1, 2]}, {"a": None, "n": None}]
    pq.write_table(pa.Table.from_pylist(values), tmp_path / "a.parquet")
    with open_table(str(tmp_path / "a.parquet")) as table:
        assert table.unit == "row"
        assert [(row.number, row.values) for row in table] == [(1, values[0]), (2, values[1])]
        assert table.position() == table.size == 2


def test_a_parquet_value_beyond_python_breaks_its_row_alone(tmp_path):
    far = pa.array([0, 10**15, 1], pa.timestamp("s"))  # the second lies after the year 9999
    pq.write_table(pa.table({"n": [1, 2, 3], "at": far}), tmp_path / "a.parquet")
    (_, first), (number, second), (_, third) = rows_of(tmp_path / "a.parquet")
    assert (first["n"], third["n"]) == (1, 3)
    assert number == 2
    assert second.startswith("a value cannot be read: ")


def test_what_is_no_parquet(tmp_path):
    with pytest.raises(ValueError, match="not a Parquet file"):
        rows_of(write(tmp_path / "a.parquet", json.dumps({"a": 1})))
    with pytest.raises(ValueError, match="cannot be read as Parquet"):
        rows_of(write(tmp_path / "b.parquet", b"PAR1" + b"x" * 100))


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    pq.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ValueError, match=r'pip install "rlrewards\[parquet\]"'):
        rows_of(tmp_path / "a.parquet")
