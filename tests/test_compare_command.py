"""`rlrewards compare`: what it prints, writes and returns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fake_cli import fake_types
from rlrewards import cli, config
from rlrewards.metrics import accuracy, mcnemar, paired_difference

FIRST = [1] * 9 + [0] * 1 + [1] * 5 + [0] * 5
SECOND = [0] * 9 + [1] * 1 + [1] * 5 + [0] * 5


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    monkeypatch.setattr(config, "_own_types", fake_types)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(cli.TRACEBACK_VARIABLE, raising=False)
    write("a.jsonl", results(FIRST))
    write("b.jsonl", results(SECOND))


@pytest.fixture
def compare(capsys):
    """Run the command; return its exit status, standard output and standard error."""

    def run(*arguments):
        status = cli.main(["compare", *map(str, arguments)])
        return status, *capsys.readouterr()

    return run


def results(right):
    words = {1: "EQUAL", 0: "DIFFERENT"}
    return [{"line": n, "verdict_status": words[value]} for n, value in enumerate(right, 1)]


def write(path, rows):
    Path(path).write_text("".join(json.dumps(row) + "\n" for row in rows))


def numbers(compare, *arguments):
    status, _, err = compare(*arguments, "--json", "found.json")
    assert (status, err) == (0, "")
    return json.loads(Path("found.json").read_text())


def test_what_is_printed(compare):
    status, out, err = compare("a.jsonl", "b.jsonl")
    assert (status, err) == (0, "")
    assert out.startswith("20 questions in both\n")
    rows = [line.split() for line in out.splitlines()]
    assert ["a.jsonl", "20", "70.00%", "48.10–85.45%"] in rows
    assert ["b.jsonl", "20", "30.00%", "14.55–51.90%"] in rows
    for row in (["both", "5"], ["first", "only", "9"], ["second", "only", "1"], ["neither", "5"]):
        assert row in rows
    assert "first − second: +40.00 points (95 % interval +" in out
    assert ["McNemar,", "exact", "0.02148"] in rows
    assert ["McNemar,", "mid-p", "0.01172"] in rows
    assert "paired bootstrap" in out
    assert "sign flips" not in out


def test_the_numbers_are_those_of_the_functions(compare):
    given = ("--seed", 3, "--resamples", 700, "--confidence", 0.9)
    found = numbers(compare, "a.jsonl", "b.jsonl", *given)
    settings = {"rng": 3, "resamples": 700, "confidence": 0.9}
    paired = paired_difference(FIRST, SECOND, **settings)
    assert found["mcnemar"] == mcnemar(FIRST, SECOND)._asdict()
    assert found["paired"] == paired._asdict() | {"interval": list(paired.interval)}
    assert found["first"]["value"] == accuracy(FIRST).value
    mirrored = numbers(compare, "b.jsonl", "a.jsonl", *given)
    assert mirrored["paired"]["difference"] == -0.4
    assert mirrored["mcnemar"]["p_exact"] == found["mcnemar"]["p_exact"]


def test_it_reads_what_score_writes(compare, capsys):
    Path("stack.toml").write_text('[rewards.same]\ntype = "Same"\n')
    answers = {"m": ["4", "5", "6", "?"], "n": ["4", "4", "", "4"]}
    for name, completions in answers.items():
        write(f"{name}.jsonl", [{"completion": c, "reference": "4"} for c in completions])
        for out in (f"{name}.scored.jsonl", f"{name}.scored.parquet"):
            assert cli.main(["score", f"{name}.jsonl", "--stack", "stack.toml", "--out", out]) == 0
    capsys.readouterr()
    found = numbers(compare, "m.scored.jsonl", "n.scored.parquet")
    assert list(found["mcnemar"].values())[:4] == [1, 0, 2, 1]


def test_several_samples_are_compared_question_by_question(compare):
    first = {"p": [1, 1, 0], "q": [1, 0], "r": [0]}
    second = {"r": [0, 0], "q": [0, 0], "p": [1, 0]}
    for name, groups in (("a.csv", first), ("b.csv", second)):
        lines = [f"{q},{'yes' if one else 'no'}" for q, group in groups.items() for one in group]
        Path(name).write_text("\n".join(["id,ok", *lines]) + "\n")
    given = ("a.csv", "b.csv", "--key-column", "id", "--right-column", "ok")
    found = numbers(compare, *given)
    expected = paired_difference(list(first.values()), [[1, 0], [0, 0], [0, 0]])
    assert found["mcnemar"] is None
    assert found["paired"] == expected._asdict() | {"interval": list(expected.interval)}
    _, out, _ = compare(*given)
    assert "sign flips" in out
    assert "McNemar" not in out


def test_only_questions_that_both_have_count(compare):
    write("a.jsonl", results(FIRST)[2:])
    write(
        "b.jsonl",
        [
            {"line": "3", "verdict_status": "EQUAL"},
            *results(SECOND)[3:],
            {"line": 99, "verdict_status": "EQUAL"},
        ],
    )
    found = numbers(compare, "a.jsonl", "b.jsonl")
    assert (found["questions"], found["only_in_first"], found["only_in_second"]) == (18, 0, 1)
    _, out, _ = compare("a.jsonl", "b.jsonl")
    assert out.startswith("18 questions in both, 1 only in the second\n")


def test_rows_that_do_not_say_are_counted(compare):
    with Path("a.jsonl").open("a") as file:
        file.write('{"line": 21, "verdict_status": "NO_REFERENCE"}\n{"line": 22}\n')
        file.write('{"line": 23, "verdict_status": "maybe"}\n{"verdict_status": "EQUAL"}\nx\n')
    status, out, err = compare("a.jsonl", "b.jsonl")
    assert status == 0
    assert "2 rows left out, which do not say what is right, 3 rows broken" in out
    assert "line 23: verdict_status is 'maybe', expected true/false" in err
    assert "line 24: has no 'line'" in err
    assert "line 25: not JSON" in err
    status, out, err = compare("a.jsonl", "b.jsonl", "--strict")
    assert (status, out) == (1, "")
    assert err.startswith("rlrewards: a.jsonl: line 23: ")


def test_the_same_file_twice(compare):
    status, out, _ = compare("a.jsonl", "a.jsonl")
    assert status == 0
    assert "first − second: +0.00 points (95 % interval none)" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a.jsonl", "absent.jsonl"), "absent.jsonl: No such file"),
        (("a.jsonl", "b.jsonl", "--key-column", "id"), "no column 'id' for --key-column"),
        (("a.jsonl", "b.jsonl", "--right-column", "ok"), "no column 'ok' for --right-column"),
        (("a.jsonl", "far.jsonl"), "no question in common"),
        (("a.jsonl", "none.jsonl"), "no row says in 'verdict_status' whether it is right"),
        (("-", "-"), "only one of the two"),
        (("a.jsonl", "b.jsonl", "--confidence", "0"), "confidence must lie between 0 and 1"),
        (("a.jsonl", "b.jsonl", "--json", "no/where.json"), "there is no folder"),
        (("a.jsonl",), "SECOND"),
    ],
)
def test_wrong_calls_are_one_line(compare, arguments, message):
    write("far.jsonl", [{"line": 1000, "verdict_status": "EQUAL"}])
    write("none.jsonl", [{"line": 1, "verdict_status": "NO_REFERENCE"}])
    status, out, err = compare(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("rlrewards: ")
    assert err.count("\n") == 1
    assert message in err
