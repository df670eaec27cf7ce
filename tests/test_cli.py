import csv
import datetime
import gzip
import io
import json
import os
import re
import runpy
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fake_cli import fake_types
from rlrewards import __version__ as version
from rlrewards import cli, config, outputs, progress, scoring_run, summary, tally
from rlrewards.schedules import StepSchedule

ROOT = Path(__file__).parents[1]
FAKE_CLI = Path(__file__).with_name("fake_cli.py")
# The command that the package installs, as a child process.
COMMAND = [sys.executable, "-m", "rlrewards"]

SAME_AND_LETTERS = """
[rewards.same]
type = "Same"
weight = 0.8
[rewards.letters]
type = "Letters"
weight = 0.1
"""

# Completion, reference, label, benchmark: one row of each kind.
ROWS = [
    {"completion": "4", "reference": "4", "label": True, "benchmark": "easy"},
    {"completion": "5", "reference": "4", "label": False, "benchmark": "easy"},
    {"completion": "", "reference": "4", "label": True, "benchmark": "hard"},
    {"completion": "?", "reference": "4", "label": True, "benchmark": "hard"},
    {"completion": "44", "reference": None, "label": None, "benchmark": "hard"},
    {"completion": "44", "reference": "44", "label": False, "benchmark": None},
]


@pytest.fixture(autouse=True)
def fakes(monkeypatch, tmp_path):
    """Run in an empty folder, with the rewards of fake_cli.py by their names."""
    monkeypatch.setattr(config, "_own_types", fake_types)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(cli.TRACEBACK_VARIABLE, raising=False)
    Path("stack.toml").write_text(SAME_AND_LETTERS)


@pytest.fixture
def real_rewards(monkeypatch, fakes):
    monkeypatch.undo()


@pytest.fixture
def rlrewards(capsys):
    """Run the command; return its exit status, standard output and standard error."""

    def run(*arguments):
        status = cli.main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return run


def write_rows(path, rows=ROWS):
    Path(path).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read_rows(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def score(*arguments):
    return ["score", *arguments, "--stack", "stack.toml"]


def cells(text, first):
    """Return the cells of the summary's line that starts with the word `first`."""
    (line,) = (line for line in text.splitlines() if line.split()[:1] == [first])
    return line.split()


# ---------------------------------------------------------------------------------------------
# The summary


def test_summary(rlrewards):
    write_rows("a.jsonl")
    status, out, err = rlrewards(*score("a.jsonl", "--label-column", "label", "--by", "benchmark"))
    assert (status, err) == (0, "")
    assert out.startswith("a.jsonl: 6 rows scored, ")
    assert "rows a second" in out
    # Same: 1 0 0 None None 1; letters: 1 1 0 1 2 2; total: .8+.1, .1, 0, None, None, .8+.2.
    assert cells(out, "same") == ["same", "0.5000", "4", "2"]
    assert cells(out, "letters") == ["letters", "1.1667", "6", "0"]
    assert cells(out, "total") == ["total", "0.5000", "4", "2"]
    # 2 of 5 graded rows are right; Wilson's interval of 2/5 is 11.76 % to 76.93 %.
    assert "accuracy 40.00% (95 % interval 11.76–76.93%): 2 right of 5 graded" in out
    counts = {"EQUAL": 2, "DIFFERENT": 1, "NO_ANSWER": 1, "UNDECIDED": 1, "NO_REFERENCE": 1}
    assert {status: cells(out, status) for status in counts} == {
        status: [status, str(count)] for status, count in counts.items()
    }
    # Labelled right: one EQUAL, one NO_ANSWER, one UNDECIDED; labelled wrong: one of each.
    assert cells(out, "right") == ["right", "1", "1", "1", "0"]
    assert cells(out, "wrong") == ["wrong", "1", "1", "0", "0"]
    assert (
        "labels: 3 right and 2 wrong; 2 confused (1 right ones refused, 1 wrong ones accepted)"
        in out
    )
    assert ["too", "hard", "to", "say", "1"] in [line.split() for line in out.splitlines()]


GATED_STACK = """
[rewards.same]
type = "Same"
when = {type = "Letters"}
"""


def test_rows_that_a_gate_shuts_out_are_counted(rlrewards):
    # The gate is shut for empty completions, which then have no verdict.
    Path("stack.toml").write_text(GATED_STACK)
    rows = [
        ("4", "4", True),
        ("", "4", True),
        ("", "4", False),
        ("", None, None),
        ("4", None, None),
    ]
    names = ("completion", "reference", "label")
    write_rows("a.jsonl", [dict(zip(names, row, strict=True)) | {"by": "x"} for row in rows])
    status, out, _ = rlrewards(*score("a.jsonl", "--label-column", "label", "--by", "by"))
    assert status == 0
    # One right of three with a reference: Wilson's interval of 1/3 is 6.15 % to 79.23 %.
    assert (
        "accuracy 33.33% (95 % interval 6.15–79.23%): 1 right of 3 graded, 2 of them not verified"
        in out
    )
    assert cells(out, "not") == ["not", "verified", "3"]
    assert cells(out, "EQUAL") == ["EQUAL", "1"]
    assert cells(out, "label")[-2:] == ["not", "verified"]
    assert cells(out, "right") == ["right", "1", "0", "0", "0", "1"]
    assert cells(out, "wrong") == ["wrong", "0", "0", "0", "0", "1"]
    assert "labels: 2 right and 1 wrong; none confused" in out
    # Rows, total, accuracy and its interval, NO_ANSWER, UNDECIDED, NO_REFERENCE, not verified.
    assert cells(out, "x") == ["x", "5", "0.2500", "33.33%", "6.15–79.23%", "0", "0", "1", "3"]


def test_a_gate_that_is_always_shut_leaves_nothing_right(rlrewards):
    Path("stack.toml").write_text(GATED_STACK)
    write_rows("a.jsonl", [{"completion": "", "reference": "4"}] * 2)
    _, out, err = rlrewards(*score("a.jsonl"))
    assert "0 right of 2 graded, 2 of them not verified" in out
    assert err == ""


def test_reasons_that_differ_in_the_answer_alone_are_one(rlrewards):
    write_rows("a.jsonl", [{"completion": f"?{n}", "reference": "4"} for n in range(3)])
    _, out, _ = rlrewards(*score("a.jsonl"))
    lines = [line.split() for line in out.splitlines()]
    assert ["hard", "to", "read", "3"] in lines


def test_memory_does_not_grow_with_reasons_and_values(rlrewards, monkeypatch):
    monkeypatch.setattr(tally, "REASONS", 2)
    monkeypatch.setattr(scoring_run, "BY_VALUES", 3)
    monkeypatch.setattr(summary, "_VALUES_SHOWN", 2)
    rows = [
        {"completion": f"?why{n}: x", "reference": "4", "step": f"s{n}"} for n in (1, 2, 3, 4, 1)
    ]
    write_rows("a.jsonl", rows)
    _, out, _ = rlrewards(*score("a.jsonl", "--by", "step"))
    assert cells(out, "why1") == ["why1", "2"]
    assert cells(out, "why2") == ["why2", "1"]
    assert cells(out, "(other") == ["(other", "reasons)", "2"]
    assert cells(out, "s1")[:2] == ["s1", "2"]
    assert "… and 1 more values of step, and 1 rows with yet others" in out


def test_rows_to_look_at_are_listed(rlrewards):
    write_rows("a.jsonl")
    _, out, _ = rlrewards(*score("a.jsonl", "--label-column", "label"))
    assert cells(out, "3") == ["3", "right", "NO_ANSWER", "–", "4", "nothing", "there"]
    assert cells(out, "6") == ["6", "wrong", "EQUAL", "44", "44", "compared"]
    assert cells(out, "4") == ["4", "right", "UNDECIDED", "?", "4", "too", "hard", "to", "say"]


def test_a_summary_for_each_value(rlrewards):
    write_rows("a.jsonl")
    _, out, _ = rlrewards(*score("a.jsonl", "--by", "benchmark"))
    assert cells(out, "easy")[:4] == ["easy", "2", "0.5000", "50.00%"]
    assert cells(out, "hard")[:4] == ["hard", "3", "0.0000", "0.00%"]
    assert cells(out, "(none)")[:4] == ["(none)", "1", "1.0000", "100.00%"]


def test_values_that_are_numbers_are_in_their_order(rlrewards):
    write_rows("a.jsonl", [{"completion": "4", "step": step} for step in (10, 9, 100)])
    _, out, _ = rlrewards(*score("a.jsonl", "--by", "step"))
    assert [line.split()[0] for line in out.splitlines() if line.split()[1:2] == ["1"]] == [
        "9",
        "10",
        "100",
    ]


def test_a_stack_without_verdicts_has_no_accuracy(rlrewards):
    Path("stack.toml").write_text('[rewards.letters]\ntype = "Letters"')
    write_rows("a.jsonl")
    status, out, err = rlrewards(*score("a.jsonl", "--label-column", "label"))
    assert (status, err) == (0, "")
    assert "accuracy" not in out
    assert "labels:" not in out


def test_a_file_without_references_gets_a_hint(rlrewards):
    write_rows("a.jsonl", [{"completion": "4", "gold": "4"}])
    status, out, err = rlrewards(*score("a.jsonl"))
    assert status == 0
    assert "accuracy – (95 % interval –): 0 right of 0 graded" in out
    assert "--reference-column" in err
    status, out, err = rlrewards(*score("a.jsonl", "--reference-column", "gold"))
    assert "100.00%" in out
    assert err == ""


def test_nothing_is_cut_on_a_narrow_terminal(rlrewards, monkeypatch):
    write_rows("a.jsonl", [row | {"benchmark": "a-benchmark-of-a-long-name"} for row in ROWS])
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    _, out, _ = rlrewards(*score("a.jsonl", "--label-column", "label", "--by", "benchmark"))
    plain = re.sub(r"\x1b\[[0-9;]*m", "", out)
    assert "…" not in plain
    assert max(map(len, plain.splitlines())) <= 80
    assert "11.76–76.93%" in plain


def test_markup_in_data_is_text(rlrewards):
    write_rows("a.jsonl", [{"completion": "[red]x[/red]", "reference": "4", "label": True}])
    _, out, _ = rlrewards(*score("a.jsonl", "--label-column", "label"))
    assert "[red]x[/red]" in out


def test_step_reaches_the_schedules(rlrewards, monkeypatch):
    Path("stack.toml").write_text(
        '[rewards.letters]\ntype = "Letters"\n'
        'weight = {type = "StepSchedule", values = [0.0, 2.0], boundaries = [100]}\n'
    )
    types = fake_types() | {"StepSchedule": StepSchedule}
    monkeypatch.setattr(config, "_own_types", lambda: types)
    write_rows("a.jsonl", [{"completion": "abc"}])
    for step, total in ((99, "0.0000"), (100, "6.0000")):
        _, out, _ = rlrewards(*score("a.jsonl", "--step", step))
        assert cells(out, "total") == ["total", total, "1", "0"]


# ---------------------------------------------------------------------------------------------
# Input formats


def as_csv(rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def test_every_format_gives_the_same_scores(rlrewards, monkeypatch):
    write_rows("a.jsonl")
    Path("a.jsonl.gz").write_bytes(gzip.compress(Path("a.jsonl").read_bytes()))
    Path("a.csv").write_text(as_csv(ROWS))
    pq.write_table(pa.Table.from_pylist(ROWS), "a.parquet")
    content = Path("a.jsonl").read_bytes()
    results = {}
    for name in ("a.jsonl", "a.jsonl.gz", "a.csv", "a.parquet", "-"):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        label = ("--label-column", "label", "--by", "benchmark")
        status, out, err = rlrewards(*score(name, *label, "--out", f"{name}.out.jsonl"))
        assert (status, err) == (0, "")
        records = read_rows(f"{name}.out.jsonl")
        summary = out.split("\n", 1)[1].split("confused with")[0]
        results[name] = ([record | {"line": None} for record in records], summary)
    assert all(result == results["a.jsonl"] for result in results.values())


def test_odd_parquet_cells_cost_no_more_than_their_row(rlrewards):
    day = datetime.date(2024, 1, 2)
    rows = [
        {
            "completion": "4",
            "reference": Decimal("4.0"),
            "day": day,
            "at": datetime.datetime(2024, 1, 2),
        },
        {"completion": "4.0", "reference": Decimal("4.0"), "day": day, "at": None},
    ]
    pq.write_table(pa.Table.from_pylist(rows), "a.parquet")
    status, out, err = rlrewards(*score("a.parquet", "--by", "day", "--group-column", "at"))
    assert (status, err) == (0, "")
    assert cells(out, "2024-01-02")[:4] == ["2024-01-02", "2", "0.6000", "50.00%"]
    pq.write_table(pa.Table.from_pylist([{"completion": b"4"}]), "b.parquet")
    status, _, err = rlrewards(*score("b.parquet"))
    assert status == 2
    assert "row 1: completion is of type bytes, expected text" in err


def test_chat_completions_are_read_as_in_training(rlrewards):
    turns = [
        {"role": "assistant", "content": None, "tool_calls": [{"type": "function"}]},
        {"role": "tool", "content": [{"type": "text", "text": "5"}]},
        {"role": "assistant", "reasoning_content": "t", "content": [{"type": "text", "text": "4"}]},
    ]
    reference = "<think>t</think>4"
    write_rows("a.jsonl", [{"completion": turns, "reference": reference}])
    pq.write_table(
        pa.Table.from_pylist([{"completion": turns, "reference": reference}]), "a.parquet"
    )
    for name in ("a.jsonl", "a.parquet"):
        assert "1 right of 1 graded" in rlrewards(*score(name))[1]


def test_a_row_without_token_ids_is_named(rlrewards, monkeypatch):
    Path("stack.toml").write_text('[rewards.a]\ntype = "NeedsTokens"')
    rows = [{"completion": "4", "token_ids": [4]} for _ in range(5)]
    write_rows("a.jsonl", [*rows, {"completion": "4"}])
    status, _, err = rlrewards(*score("a.jsonl"))
    assert (status, err.count("\n")) == (2, 1)
    assert "cannot score line 6: NeedsTokens counts tokens" in err
    write_rows("a.jsonl", [*rows, {"completion": "4", "token_ids": [2**70]}])
    status, out, err = rlrewards(*score("a.jsonl"))
    assert status == 0
    assert "5 rows scored, 1 broken" in out
    assert "line 6: token_ids hold 1180591620717411303424, which does not fit" in err


def test_an_error_that_no_row_has_alone_names_the_batch(rlrewards):
    Path("stack.toml").write_text('[rewards.a]\ntype = "NoPairs"')
    write_rows("a.jsonl")
    assert "cannot score lines 1 to 6: one at a time" in rlrewards(*score("a.jsonl"))[2]


def test_lines_of_csv_are_those_of_the_file(rlrewards):
    Path("a.csv").write_text('completion,reference\n4,4\n"two\nlines",4\n5,4\n')
    rlrewards(*score("a.csv", "--out", "o.jsonl"))
    assert [record["line"] for record in read_rows("o.jsonl")] == [2, 3, 5]


# ---------------------------------------------------------------------------------------------
# Output


def test_output_columns(rlrewards):
    write_rows("a.jsonl", ROWS[:2] + ROWS[3:4])
    status, out, _ = rlrewards(*score("a.jsonl", "--out", "o.jsonl"))
    assert status == 0
    assert out.endswith("written: o.jsonl\n")
    first, second, third = read_rows("o.jsonl")
    assert first == {
        "line": 1,
        "same": 1.0,
        "letters": 1.0,
        "total": 0.8 + 0.1,
        "verdict_status": "EQUAL",
        "verdict_tier": "string",
        "verdict_answer": "4",
        "verdict_why": "compared",
        "fingerprint": first["fingerprint"],
    }
    assert len(first["fingerprint"]) == 16
    assert (second["same"], second["verdict_status"]) == (0.0, "DIFFERENT")
    assert (third["same"], third["total"], third["verdict_why"]) == (None, None, "too hard to say")
    assert not Path("o.jsonl.partial").exists()


def test_output_formats_agree(rlrewards):
    write_rows("a.jsonl")
    for name in ("o.jsonl", "o.jsonl.gz", "o.parquet"):
        assert rlrewards(*score("a.jsonl", "--out", name))[0] == 0
    records = read_rows("o.jsonl")
    assert Path("o.jsonl.gz").read_bytes()[4:8] == bytes(4)  # no time in it: runs are comparable
    with gzip.open("o.jsonl.gz") as file:
        assert [json.loads(line) for line in file] == records
    table = pq.read_table("o.parquet")
    assert table.to_pylist() == records
    types = {field.name: str(field.type) for field in table.schema}
    assert (types["line"], types["same"], types["total"]) == ("int64", "double", "double")
    assert types["verdict_tier"] == "string"


def test_text_that_is_no_unicode_can_be_written(rlrewards):
    Path("a.jsonl").write_text('{"completion": "\\ud800é", "reference": "4"}\n')
    for name in ("o.jsonl", "o.parquet"):
        assert rlrewards(*score("a.jsonl", "--out", name))[0] == 0
    assert read_rows("o.jsonl")[0]["verdict_answer"] == "\ud800é"
    assert pq.read_table("o.parquet").to_pylist()[0]["verdict_answer"] == "?é"


def test_an_existing_output_is_kept(rlrewards):
    write_rows("a.jsonl")
    Path("o.jsonl").write_text("precious")
    status, _, err = rlrewards(*score("a.jsonl", "--out", "o.jsonl"))
    assert status == 2
    assert "exists; replace it with --overwrite" in err
    assert Path("o.jsonl").read_text() == "precious"
    assert rlrewards(*score("a.jsonl", "--out", "o.jsonl", "--overwrite"))[0] == 0
    assert len(read_rows("o.jsonl")) == len(ROWS)


@pytest.mark.parametrize("name", ["o.jsonl", "o.jsonl.partial", "o.jsonl.tmp"])
def test_a_folder_in_the_way_is_found_before_scoring(rlrewards, interrupt, name):
    write_rows("a.jsonl")
    Path(name).mkdir()
    interrupt(0)  # scoring would end with status 130
    status, _, err = rlrewards(*score("a.jsonl", "--out", "o.jsonl", "--overwrite"))
    assert status == 2
    assert f"{name}: is a folder; give --out another name" in err
    assert sorted(os.listdir()) == ["a.jsonl", name, "stack.toml"]


def test_a_finish_that_fails_leaves_the_partial_file_alone(rlrewards, monkeypatch):
    def full(*_, **__):
        Path("o.parquet.tmp").write_text("half")
        raise OSError(28, "No space left on device", "o.parquet.tmp")

    write_rows("a.jsonl")
    monkeypatch.setattr(outputs, "_write_parquet", full)
    status, _, err = rlrewards(*score("a.jsonl", "--out", "o.parquet"))
    assert (status, err) == (2, "rlrewards: o.parquet.tmp: No space left on device\n")
    assert sorted(os.listdir()) == ["a.jsonl", "o.parquet.partial", "stack.toml"]
    monkeypatch.undo()


def test_a_call_that_fails_leaves_nothing_behind(rlrewards):
    write_rows("a.jsonl")
    call = score("a.jsonl", "--completion-column", "none", "--out", "o.jsonl")
    assert rlrewards(*call)[0] == 2
    assert sorted(os.listdir()) == ["a.jsonl", "stack.toml"]


# ---------------------------------------------------------------------------------------------
# Broken rows


def write_broken(path="a.jsonl"):
    good = '{"completion": "4", "reference": "4"}\n'
    bad = ['{"completion": ', "[1]", '{"completion": 7}', '{"reference": "4"}']
    Path(path).write_text(good + "\n".join(bad) + "\n" + good)


def test_broken_rows_are_told_counted_and_skipped(rlrewards):
    write_broken()
    status, out, err = rlrewards(*score("a.jsonl", "--out", "o.jsonl"))
    assert status == 0
    assert "2 rows scored, 4 broken" in out
    assert [record["line"] for record in read_rows("o.jsonl")] == [1, 6]
    assert err.splitlines() == [
        "a.jsonl: line 2: not JSON: Expecting value at character 17",
        "a.jsonl: line 3: not a JSON object but a list",
        "a.jsonl: line 4: completion is a number, expected text or chat messages",
        "a.jsonl: line 5: completion is null, expected text or chat messages",
    ]


def test_a_bad_label_breaks_its_row(rlrewards):
    write_rows("a.jsonl", [ROWS[0], ROWS[0] | {"label": "perhaps"}])
    status, out, err = rlrewards(*score("a.jsonl", "--label-column", "label"))
    assert status == 0
    assert "1 rows scored, 1 broken" in out
    assert "line 2: label is 'perhaps', expected true/false" in err


def test_many_broken_rows_are_not_all_told(rlrewards):
    Path("a.jsonl").write_text('{"completion": "4"}\n' + "bad\n" * 25)
    _, out, err = rlrewards(*score("a.jsonl"))
    assert "25 broken" in out
    assert err.count("not JSON") == 10
    assert "… and 15 more broken rows" in err


def test_strict_stops_at_the_first_broken_row(rlrewards):
    write_broken()
    status, out, err = rlrewards(*score("a.jsonl", "--strict"))
    assert (status, out) == (1, "")
    assert err.splitlines() == [
        "rlrewards: a.jsonl: line 2: not JSON: Expecting value at character 17 "
        "(stopped after 0 rows)"
    ]


def test_strict_keeps_the_batches_before(rlrewards, monkeypatch):
    monkeypatch.setattr(scoring_run, "BATCH_ROWS", 2)
    write_rows("a.jsonl", ROWS[:5])
    with Path("a.jsonl").open("a") as file:
        file.write("bad\n")
    status, _, err = rlrewards(*score("a.jsonl", "--strict", "--out", "o.jsonl"))
    assert status == 1
    assert "stopped after 4 rows, kept in o.jsonl.partial" in err
    assert not Path("o.jsonl").exists()
    status, out, _ = rlrewards(*score("a.jsonl", "--resume", "--out", "o.jsonl"))
    assert status == 0
    assert "5 rows scored, 1 broken, 1 of them now" in out


# ---------------------------------------------------------------------------------------------
# Errors: one line, exit status 2


ERRORS = {
    "no such file": (["none.jsonl"], "none.jsonl: No such file or directory"),
    "a folder": (["."], "is a folder"),
    "unknown suffix": (["a.xlsx"], "unknown suffix '.xlsx'"),
    "empty file": (["empty.jsonl"], "empty.jsonl: holds no rows"),
    "empty csv": (["empty.csv"], "empty.csv: holds no rows"),
    "binary file": (["binary.jsonl"], "not UTF-8 text"),
    "binary csv": (["binary.csv"], "not UTF-8 text"),
    "binary parquet": (["binary.parquet"], "not a Parquet file"),
    "damaged gzip": (["short.jsonl.gz"], "the gzip data is damaged"),
    "json array": (["array.json"], "write one object a line"),
    "every row broken": (["bad.jsonl"], "none of its 3 rows can be scored"),
    "missing column": (
        ["a.jsonl", "--completion-column", "compeltion"],
        "no column 'compeltion' for --completion-column; columns found: completion, reference, "
        "label, benchmark",
    ),
    "missing label": (["a.jsonl", "--label-column", "x"], "no column 'x' for --label-column"),
    "missing by": (["a.jsonl", "--by", "x"], "no column 'x' for --by;"),
    "no completion": (["nameless.jsonl"], "no column 'completion' for --completion-column"),
    "negative step": (["a.jsonl", "--step", "-1"], "--step"),
    "unknown option": (["a.jsonl", "--colour"], "--colour"),
    "resume without out": (["a.jsonl", "--resume"], "--resume needs --out PATH"),
    "overwrite without out": (["a.jsonl", "--overwrite"], "--overwrite needs --out PATH"),
    "resume and overwrite": (
        ["a.jsonl", "--out", "o.jsonl", "--resume", "--overwrite"],
        "exclude each other",
    ),
    "resume a stream": (["-", "--out", "o.jsonl", "--resume"], "needs a file to read again"),
    "output suffix": (["a.jsonl", "--out", "o.csv"], "--out must end in .jsonl"),
    "output without suffix": (["a.jsonl", "--out", "o"], "--out must end in .jsonl"),
    "output is input": (["a.jsonl", "--out", "a.jsonl", "--overwrite"], "is the input"),
    "output nowhere": (["a.jsonl", "--out", "none/o.jsonl"], "No such file or directory"),
    "output here": (["a.jsonl", "--out", "."], "--out must end in .jsonl"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors_are_one_line(rlrewards, case):
    arguments, message = ERRORS[case]
    write_rows("a.jsonl")
    write_rows("nameless.jsonl", [{"output": "4"}])
    Path("empty.jsonl").touch()
    Path("empty.csv").write_text("completion,reference\n")
    for name in ("binary.jsonl", "binary.csv", "binary.parquet"):
        Path(name).write_bytes(bytes(range(256)))
    Path("short.jsonl.gz").write_bytes(gzip.compress(Path("a.jsonl").read_bytes())[:-12])
    Path("array.json").write_text(json.dumps(ROWS))
    Path("bad.jsonl").write_text("bad\nworse\n[]\n")
    status, out, err = rlrewards(*score(*arguments))
    assert status == 2
    assert out == ""
    *rows, line = err.splitlines()
    assert line.startswith("rlrewards: ")
    assert message in line
    assert all(": line " in row for row in rows)


STACKS = {
    "no file": (None, "stack.toml: No such file or directory"),
    "not TOML": ("[rewards", "stack.toml: not valid TOML"),
    "binary": (b"\xff\xfe\0", "stack.toml: not a text file"),
    "no reward": ("", "stack.toml: holds no reward"),
    "misspelt reward": ('[rewards.a]\ntype = "Leters"', "did you mean 'Letters'?"),
    "misspelt key": ('[rewards.a]\ntype = "Letters"\nwieght = 1', "unknown key 'wieght'"),
    "weight of NaN": ('[rewards.a]\ntype = "Letters"\nweight = nan', "weight of 'a' is nan"),
    "weight of text": ('[rewards.a]\ntype = "Letters"\nweight = "1"', "weight of 'a' is '1'"),
    "taken name": ('[rewards.line]\ntype = "Letters"', "has a column 'line' already"),
    "needs token ids": ('[rewards.a]\ntype = "NeedsTokens"', "cannot score line 1: "),
    "bug in a reward": ('[rewards.a]\ntype = "Buggy"', "unexpected KeyError: 'oops'"),
    "no group": ('[rewards.a]\ntype = "ShareOfGroup"', "none of its 6 rows can be scored"),
}


@pytest.mark.parametrize("case", STACKS)
def test_stack_errors_are_one_line(rlrewards, case):
    content, message = STACKS[case]
    Path("stack.toml").unlink()
    if content is not None:
        Path("stack.toml").write_bytes(content if isinstance(content, bytes) else content.encode())
    write_rows("a.jsonl")
    status, out, err = rlrewards(*score("a.jsonl"))
    assert (status, out) == (2, "")
    *_, line = err.splitlines()
    assert line.startswith("rlrewards: ")
    assert message in line


def test_a_traceback_on_request(rlrewards, monkeypatch):
    Path("stack.toml").write_text('[rewards.a]\ntype = "Buggy"')
    write_rows("a.jsonl")
    monkeypatch.setenv(cli.TRACEBACK_VARIABLE, "1")
    with pytest.raises(KeyError):
        rlrewards(*score("a.jsonl"))


@pytest.mark.parametrize("arguments", [["score"], ["score", "a.jsonl"], ["skore"], ["--colour"]])
def test_wrong_calls(rlrewards, arguments):
    status, out, err = rlrewards(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("rlrewards: ")
    assert err.count("\n") == 1


def test_version_and_help(rlrewards):
    assert rlrewards("--version") == (0, f"rlrewards {version}\n", "")
    assert rlrewards("--help")[0] == 0
    status, out, _ = rlrewards("score", "--help")
    assert status == 0
    assert "--completion-column" in out
    assert rlrewards()[0] == 2


def test_large_completions(rlrewards):
    write_rows("a.jsonl", [{"completion": "x" * 2**20, "reference": "4"}] * 2)
    status, out, _ = rlrewards(*score("a.jsonl", "--out", "o.parquet"))
    assert status == 0
    assert "2 rows scored" in out


# ---------------------------------------------------------------------------------------------
# Groups


GROUP_STACK = '[rewards.share]\ntype = "ShareOfGroup"\n'


def test_rows_of_a_group_may_stand_anywhere(rlrewards, monkeypatch):
    monkeypatch.setattr(scoring_run, "BATCH_ROWS", 2)
    Path("stack.toml").write_text(GROUP_STACK)
    rows = [("x", "a"), ("xx", "b"), ("xxx", "a"), ("x", "c"), ("xx", "b")]
    write_rows("a.jsonl", [{"completion": text, "group": group} for text, group in rows])
    rlrewards(*score("a.jsonl", "--out", "o.jsonl"))
    records = read_rows("o.jsonl")
    assert [record["share"] for record in records] == [0.25, 0.5, 0.75, 1.0, 0.5]
    assert [record["line"] for record in records] == [1, 2, 3, 4, 5]


def test_without_groups_the_prompt_is_the_group(rlrewards):
    Path("stack.toml").write_text(GROUP_STACK)
    write_rows("a.jsonl", [{"completion": "x", "question": q} for q in "aab"])
    rlrewards(*score("a.jsonl", "--out", "o.jsonl"))
    assert [record["share"] for record in read_rows("o.jsonl")] == [0.5, 0.5, 1.0]


# ---------------------------------------------------------------------------------------------
# Interrupted and resumed


@pytest.fixture
def interrupt(monkeypatch):
    """Make scoring fail as on Ctrl-C, after a number of batches."""
    from rlrewards.stack import Stack

    plain = Stack.score

    def after(batches):
        left = iter(range(batches))

        def score(stack, samples, *, step=0):
            if next(left, None) is None:
                raise KeyboardInterrupt
            return plain(stack, samples, step=step)

        monkeypatch.setattr(Stack, "score", score)

    yield after
    Stack.score = plain


MIXED = [row | {"group": n % 7} for n, row in enumerate(ROWS * 5)]


@pytest.mark.parametrize("stack", [SAME_AND_LETTERS, GROUP_STACK + SAME_AND_LETTERS])
@pytest.mark.parametrize("name", ["o.jsonl", "o.jsonl.gz", "o.parquet"])
def test_resumed_equals_uninterrupted(rlrewards, interrupt, monkeypatch, name, stack):
    monkeypatch.setattr(scoring_run, "BATCH_ROWS", 4)
    Path("stack.toml").write_text(stack)
    rows = [row | {"completion": row["completion"] or "x"} for row in MIXED]
    write_rows("a.jsonl", rows)
    with Path("a.jsonl").open("a") as file:
        file.write("bad\n")
    options = ("--label-column", "label", "--by", "benchmark")
    _, whole, _ = rlrewards(*score("a.jsonl", *options, "--out", f"whole-{name}"))

    interrupt(3)
    status, out, err = rlrewards(*score("a.jsonl", *options, "--out", name))
    assert (status, out) == (130, "")
    assert "kept in" in err
    assert "go on with --resume" in err
    kept = Path(f"{name}.partial").read_bytes()
    torn = b'{"line": 99, "same": ' + b"1" * 10_000  # killed while it wrote
    Path(f"{name}.partial").write_bytes(kept + torn)

    interrupt(10**6)
    status, resumed, _ = rlrewards(*score("a.jsonl", *options, "--out", name, "--resume"))
    assert status == 0
    assert Path(name).read_bytes() == Path(f"whole-{name}").read_bytes()
    assert not Path(f"{name}.partial").exists()
    tables = [text.split("\n", 1)[1].replace("whole-", "") for text in (whole, resumed)]
    assert tables[0] == tables[1]
    assert "30 rows scored, 1 broken" in resumed
    assert "of them now" in resumed


def left_unfinished(rlrewards, interrupt, monkeypatch):
    monkeypatch.setattr(scoring_run, "BATCH_ROWS", 4)
    write_rows("a.jsonl", MIXED)
    interrupt(2)
    assert rlrewards(*score("a.jsonl", "--out", "o.jsonl"))[0] == 130
    interrupt(10**6)


def test_an_interrupted_run_is_not_begun_again_by_accident(rlrewards, interrupt, monkeypatch):
    left_unfinished(rlrewards, interrupt, monkeypatch)
    status, _, err = rlrewards(*score("a.jsonl", "--out", "o.jsonl"))
    assert status == 2
    assert "o.jsonl.partial: holds an interrupted run; go on with --resume" in err
    assert rlrewards(*score("a.jsonl", "--out", "o.jsonl", "--overwrite"))[0] == 0
    assert len(read_rows("o.jsonl")) == len(MIXED)
    assert not Path("o.jsonl.partial").exists()


def test_resume_refuses_what_has_changed(rlrewards, interrupt, monkeypatch):
    left_unfinished(rlrewards, interrupt, monkeypatch)
    resume = score("a.jsonl", "--out", "o.jsonl", "--resume")
    before = Path("o.jsonl.partial").read_bytes()

    def refused(*arguments, because):
        status, _, err = rlrewards(*arguments)
        assert status == 2
        assert f"was written with another {because}; go on with the same" in err
        assert Path("o.jsonl.partial").read_bytes() == before

    refused(*resume, "--step", 7, because="step")
    refused(*resume, "--reference-column", "label", because="choice of columns")
    Path("stack.toml").write_text(SAME_AND_LETTERS.replace("0.8", "0.7"))
    refused(*resume, because="stack")
    Path("stack.toml").write_text(SAME_AND_LETTERS)
    write_rows("a.jsonl", MIXED[:-1])
    refused(*resume, because="input file")
    write_rows("a.jsonl", MIXED)
    assert rlrewards(*resume, "--by", "benchmark")[0] == 0  # how it is summed up may change


def test_resume_of_what_is_not_there_begins(rlrewards):
    write_rows("a.jsonl")
    assert rlrewards(*score("a.jsonl", "--out", "o.jsonl", "--resume"))[0] == 0
    status, _, err = rlrewards(*score("a.jsonl", "--out", "o.jsonl", "--resume"))
    assert status == 2
    assert "is finished, nothing to resume" in err


def test_resume_of_a_foreign_file(rlrewards):
    write_rows("a.jsonl")
    for content in ("", "garbage\n", "[1]\n", '{"line": 1}', '{"line": 1}\n'):
        Path("o.jsonl.partial").write_text(content)
        status, _, err = rlrewards(*score("a.jsonl", "--out", "o.jsonl", "--resume"))
        assert status == 2
        assert err.count("\n") == 1
        assert Path("o.jsonl.partial").read_text() == content


DAMAGE = {
    "no JSON": lambda lines: lines.insert(3, "garbage"),
    "no object": lambda lines: lines.insert(3, "[1]"),
    "no record": lambda lines: lines.insert(3, "{}"),
    "other columns": lambda lines: lines.insert(3, lines[2].replace('"same"', '"other"')),
    "text for a number": lambda lines: lines.insert(
        3, lines[2].replace('"same": 0.0', '"same": "0"')
    ),
    "a line that is gone": lambda lines: lines.pop(3),
    "a line twice": lambda lines: lines.insert(3, lines[2]),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_partial_file_is_told_by_its_line(rlrewards, interrupt, monkeypatch, case):
    left_unfinished(rlrewards, interrupt, monkeypatch)
    lines = Path("o.jsonl.partial").read_text().splitlines()
    DAMAGE[case](lines)
    Path("o.jsonl.partial").write_text("\n".join(lines) + "\n")
    status, _, err = rlrewards(*score("a.jsonl", "--out", "o.jsonl", "--resume"))
    assert (status, err) == (2, "rlrewards: o.jsonl.partial: line 4 is damaged; use --overwrite\n")
    assert Path("o.jsonl.partial").read_text().splitlines() == lines


def test_a_header_cut_short_is_damage(rlrewards, interrupt, monkeypatch):
    left_unfinished(rlrewards, interrupt, monkeypatch)
    header = Path("o.jsonl.partial").read_text().splitlines()[0]
    Path("o.jsonl.partial").write_text(header)
    status, _, err = rlrewards(*score("a.jsonl", "--out", "o.jsonl", "--resume"))
    assert (status, err) == (2, "rlrewards: o.jsonl.partial: line 1 is damaged; use --overwrite\n")
    assert Path("o.jsonl.partial").read_text() == header


def test_a_stream_is_not_advised_to_resume(rlrewards, interrupt, monkeypatch):
    monkeypatch.setattr(scoring_run, "BATCH_ROWS", 4)
    content = Path(write_rows("a.jsonl", MIXED)).read_bytes()

    def run(*options):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        return rlrewards(*score("-", "--out", "o.jsonl", *options))

    interrupt(2)
    status, _, err = run()
    assert status == 130
    assert err == "rlrewards: interrupted (stopped after 8 rows, kept in o.jsonl.partial)\n"
    status, _, err = run()
    assert status == 2
    assert "holds an interrupted run; start again with --overwrite" in err
    interrupt(10**6)
    assert run("--overwrite")[0] == 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_killed_and_resumed(rlrewards, how):
    Path("stack.toml").write_text('[rewards.slow]\ntype = "Slow"')
    rows = 1280
    write_rows("a.jsonl", [{"completion": str(n)} for n in range(rows)])
    assert rlrewards(*score("a.jsonl", "--out", "whole.jsonl"))[0] == 0
    child = subprocess.Popen(
        [sys.executable, FAKE_CLI, *score("a.jsonl", "--out", "o.jsonl")],
        env=os.environ | {"FAKE_SECONDS": "0.001"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    partial = Path("o.jsonl.partial")
    deadline = time.monotonic() + 20
    while not partial.exists() or partial.read_bytes().count(b"\n") < 200:
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.send_signal(how)
    out, err = child.communicate(timeout=20)
    if how is signal.SIGINT:
        assert child.returncode == 130
        assert (out, err.count("\n")) == ("", 1)
        assert "interrupted (stopped after" in err
    assert not Path("o.jsonl").exists()
    kept = partial.read_bytes().count(b"\n") - 1
    assert 0 < kept < rows
    status, out, _ = rlrewards(*score("a.jsonl", "--out", "o.jsonl", "--resume"))
    assert status == 0
    assert f"{rows - kept:,} of them now" in out
    assert Path("o.jsonl").read_bytes() == Path("whole.jsonl").read_bytes()


# ---------------------------------------------------------------------------------------------
# Progress, pipes, start-up


def test_a_bar_on_a_terminal(rlrewards, monkeypatch):
    write_broken()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    status, _, err = rlrewards(*score("a.jsonl"))
    assert status == 0
    assert "scoring" in err
    assert "line 3: not a JSON object" in err


def test_lines_elsewhere(rlrewards, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    write_rows("a.jsonl")
    assert "6 rows (100% of the file), " in rlrewards(*score("a.jsonl"))[2]
    assert rlrewards(*score("a.jsonl", "--quiet"))[2] == ""


def test_a_reader_that_goes_away_is_no_error():
    write_rows("a.jsonl")
    read, written = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, FAKE_CLI, *score("a.jsonl")], stdout=written, stderr=subprocess.PIPE
    )
    os.close(written)
    assert (done.returncode, done.stderr) == (0, b"")


def test_help_for_a_reader_that_goes_away():
    read, written = os.pipe()
    os.close(read)
    done = subprocess.run([*COMMAND, "--help"], stdout=written, stderr=subprocess.PIPE)
    os.close(written)
    assert (done.returncode, done.stderr) == (0, b"")


def test_errors_that_nobody_reads_change_no_status():
    write_broken()
    read, written = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, FAKE_CLI, *score("a.jsonl")], stdout=subprocess.PIPE, stderr=written
    )
    os.close(written)
    assert done.returncode == 0
    assert b"2 rows scored, 4 broken" in done.stdout


@pytest.mark.parametrize(
    ("closed", "arguments", "status", "told"),
    [
        (
            "<&-",
            "score - --stack stack.toml",
            2,
            "rlrewards: standard input is closed; give a file",
        ),
        ("2>&-", "score a.jsonl --stack stack.toml", 0, "2 rows scored, 4 broken"),
        ("2>&-", "score none.jsonl --stack stack.toml", 2, ""),
        (">&-", "score a.jsonl --stack stack.toml", 0, "line 2: not JSON"),
        (">&-", "--help", 0, ""),
    ],
)
def test_closed_streams(closed, arguments, status, told):
    write_broken()
    done = subprocess.run(
        f'exec "{sys.executable}" "{FAKE_CLI}" {arguments} {closed}',
        shell=True,
        capture_output=True,
        text=True,
    )
    assert done.returncode == status
    assert told in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if not told:
        assert done.stdout + done.stderr == ""


def test_a_terminal_without_unicode():
    Path("a.jsonl").write_text('{"completion": "√2", "reference": "4", "label": true}\n')
    done = subprocess.run(
        [sys.executable, FAKE_CLI, *score("a.jsonl", "--label-column", "label")],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\u221a2" in done.stdout


def test_help_loads_nothing_heavy():
    heavy = ("numpy", "torch", "pyarrow", "sympy", "transformers", "matplotlib")
    code = (
        "import sys; from rlrewards.cli import main; status = main(['score', '--help']); "
        f"sys.exit(status or [name for name in {heavy!r} if name in sys.modules] or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# ---------------------------------------------------------------------------------------------
# With the rewards that ship


REAL_STACKS = {
    "misspelt": ('type = "Acuracy"', "unknown reward 'Acuracy'; did you mean 'Accuracy'?"),
    "buffer": (
        'type = "SoftOverlong"\nmax_length = 10\nbuffer = 20',
        "buffer must be at most max_length (10), got 20",
    ),
    "no tokens": (
        'type = "SoftOverlong"\nmax_length = 10\nbuffer = 5',
        "cannot score line 1: SoftOverlong counts tokens, and this line has no token_ids",
    ),
}


@pytest.mark.parametrize("case", REAL_STACKS)
@pytest.mark.usefixtures("real_rewards")
def test_stacks_that_cannot_work(rlrewards, tmp_path, case):
    content, message = REAL_STACKS[case]
    stack = tmp_path / "real.toml"
    stack.write_text(f"[rewards.a]\n{content}\n")
    status, _, err = rlrewards("score", write_rows(tmp_path / "a.jsonl"), "--stack", stack)
    assert status == 2
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.usefixtures("real_rewards")
def test_completions_of_a_megabyte_get_verdicts(rlrewards, tmp_path):
    long = "word " * 200_000
    texts = [long, long + r"\boxed{4}", "(" * 10**6, r"\boxed{" * 10**5]
    write_rows(tmp_path / "a.jsonl", [{"completion": text, "reference": "4"} for text in texts])
    stack = ROOT / "examples/stacks/math.toml"
    out = tmp_path / "o.jsonl"
    status, _, err = rlrewards("score", tmp_path / "a.jsonl", "--stack", stack, "--out", out)
    assert (status, err) == (0, "")
    statuses = [record["verdict_status"] for record in read_rows(out)]
    assert statuses[:3] == ["NO_ANSWER", "EQUAL", "NO_ANSWER"]
    assert statuses[3] in ("NO_ANSWER", "DIFFERENT", "UNDECIDED")


EXAMPLES = ROOT / "examples/data"


def test_the_shipped_completions_come_from_their_script():
    script = runpy.run_path(str(EXAMPLES / "make_completions.py"))
    assert list(script["rows"]()) == read_rows(EXAMPLES / "completions.jsonl")


@pytest.mark.usefixtures("real_rewards")
@pytest.mark.parametrize("name", ["hybrid", "math", "gsm8k", "medical"])
def test_the_shipped_stacks_score_the_shipped_completions(rlrewards, name):
    stack = ROOT / f"examples/stacks/{name}.toml"
    label = ("--label-column", "label", "--by", "benchmark")
    status, out, err = rlrewards("score", EXAMPLES / "completions.jsonl", "--stack", stack, *label)
    assert (status, err) == (0, "")
    if name != "medical":  # it reads letters only
        assert "none confused" in out
    assert cells(out, "choice")[1] == "64"


def test_the_installed_command():
    done = subprocess.run([*COMMAND, "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"rlrewards {version}\n")
