"""`rlrewards passk`: what it prints, writes and returns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fake_cli import fake_types
from rlrewards import cli, config
from rlrewards.metrics import accuracy, mean_length, mean_maj_at_k, mean_pass_at_k

RIGHT = {"a": [1, 0, 0, 1], "b": [0, 0, 0, 0, 1], "c": [1, 1, 1, 1]}
ANSWERS = {"a": ["4", "5", None, "4"], "b": ["1", "1", "2", "3", "7"], "c": ["9"] * 4}
ROWS = [
    {
        "group": question,
        "completion": f"it is {answer}",
        "answer": answer,
        "label": bool(right),
        "token_ids": list(range(number + 1)),
        "reference": {"a": "it is 4", "b": "it is 7", "c": "it is 9"}[question],
    }
    for question in RIGHT
    for number, (right, answer) in enumerate(zip(RIGHT[question], ANSWERS[question], strict=True))
]
SAME = '[rewards.same]\ntype = "Same"\n'
GROUPED = SAME + '[rewards.share]\ntype = "ShareOfGroup"\n'


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    """Run in an empty folder, with the rewards of fake_cli.py by their names."""
    monkeypatch.setattr(config, "_own_types", fake_types)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(cli.TRACEBACK_VARIABLE, raising=False)
    Path("stack.toml").write_text(SAME)
    write("rows.jsonl", ROWS)


@pytest.fixture
def passk(capsys):
    """Run the command; return its exit status, standard output and standard error."""

    def run(*arguments):
        status = cli.main(["passk", *map(str, arguments)])
        return status, *capsys.readouterr()

    return run


def write(path, rows):
    Path(path).write_text("".join(json.dumps(row) + "\n" for row in rows))


def without(*names):
    return [{name: v for name, v in row.items() if name not in names} for row in ROWS]


def numbers(passk, *arguments):
    status, _, err = passk(*arguments, "--json", "found.json")
    assert (status, err) == (0, "")
    return json.loads(Path("found.json").read_text())


def as_json(estimate):
    interval = None if estimate.interval is None else list(estimate.interval)
    return {
        "value": estimate.value,
        "interval": interval,
        "confidence": estimate.confidence,
        "questions": estimate.questions,
        "samples": estimate.samples,
        "method": estimate.method,
    }


def test_what_is_printed(passk):
    status, out, err = passk(
        "rows.jsonl", "--label-column", "label", "--answer-column", "answer", "--resamples", 500
    )
    assert (status, err) == (0, "")
    lines = [line.split() for line in out.splitlines() if line.strip()]
    assert out.startswith("rows.jsonl: 13 samples of 3 questions, 4 to 5 of each\n")
    shown = {tuple(line[:-2]): line[-2] for line in lines[3:]}
    assert shown == {
        ("accuracy",): "56.67%",  # of ½, ⅕ and 1
        ("pass@1",): "56.67%",
        ("pass@2",): "74.44%",  # of 5/6, 2/5 and 1
        ("pass@4",): "93.33%",  # of 1, 4/5 and 1
        ("maj@1",): "56.67%",
        ("maj@2",): shown["maj@2",],
        ("maj@4",): shown["maj@4",],
        ("length", "in", "characters"): shown["length", "in", "characters"],
        ("length", "in", "tokens"): "2.7",  # of 2.5, 3 and 2.5
    }


def test_the_numbers_are_those_of_the_functions(passk):
    found = numbers(passk, "rows.jsonl", "--label-column", "label", "--answer-column", "answer")
    right, answers = list(RIGHT.values()), list(ANSWERS.values())
    assert found["accuracy"] == as_json(accuracy(right))
    for k, estimate in mean_pass_at_k(right).items():
        assert found["pass_at_k"][str(k)] == as_json(estimate)
    for k, estimate in mean_maj_at_k(answers, right).items():
        assert found["maj_at_k"][str(k)] == as_json(estimate)
    characters = [[len(f"it is {answer}") for answer in group] for group in answers]
    assert found["length_characters"] == as_json(mean_length(characters))
    assert (found["fewest_samples"], found["most_samples"]) == (4, 5)
    assert (found["questions"], found["samples"], found["broken_rows"]) == (3, 13, 0)


def test_rows_of_a_question_may_stand_anywhere(passk):
    given = ("--label-column", "label", "--answer-column", "answer")
    before = numbers(passk, "rows.jsonl", *given)
    rows = {question: [row for row in ROWS if row["group"] == question] for question in RIGHT}
    mixed = [rows[q][i] for i in range(5) for q in rows if i < len(rows[q])]
    write("mixed.jsonl", mixed)
    assert numbers(passk, "mixed.jsonl", *given) == before | {"file": "mixed.jsonl"}


@pytest.mark.parametrize("stack", [SAME, GROUPED])
def test_a_stack_says_what_is_right_and_what_was_answered(passk, stack):
    Path("stack.toml").write_text(stack)
    found = numbers(passk, "rows.jsonl", "--stack", "stack.toml")
    labelled = numbers(passk, "rows.jsonl", "--label-column", "label")
    assert found["pass_at_k"] == labelled["pass_at_k"]
    texts = [[f"it is {answer}" for answer in group] for group in ANSWERS.values()]
    expected = mean_maj_at_k(texts, list(RIGHT.values()))
    assert found["maj_at_k"] == {str(k): as_json(e) for k, e in expected.items()}
    assert labelled["maj_at_k"] == {}


def test_with_a_stack_rows_count_as_in_score(passk):
    write(
        "rows.jsonl",
        [
            {"prompt": "p", "completion": "4", "reference": "4"},
            {"prompt": "p", "completion": "?", "reference": "4"},  # undecided: not right
            {"prompt": "p", "completion": "", "reference": "4"},  # no answer: not right
            {"prompt": "p", "completion": "4"},  # no reference: left out
        ],
    )
    found = numbers(passk, "rows.jsonl", "--stack", "stack.toml")
    assert found["accuracy"]["value"] == pytest.approx(1 / 3)
    assert (found["samples"], found["ungraded_rows"]) == (3, 1)
    _, out, _ = passk("rows.jsonl", "--stack", "stack.toml")
    assert "1 rows left out, of which nobody says what is right" in out
    assert "–" in out  # one question has no interval


def test_a_column_of_ones_own_makes_completions_needless(passk):
    rows = [
        {"id": question, "ok": "right" if right else "wrong"}
        for question, truths in RIGHT.items()
        for right in truths
    ]
    write("bare.jsonl", rows)
    found = numbers(passk, "bare.jsonl", "--label-column", "ok", "--group-column", "id")
    assert found["accuracy"]["value"] == pytest.approx(0.5666666666666667)
    assert (found["length_characters"], found["length_tokens"]) == (None, None)
    Path("bare.csv").write_text("id,ok\n" + "".join(f"{r['id']},{r['ok']}\n" for r in rows))
    again = numbers(passk, "bare.csv", "--label-column", "ok", "--group-column", "id")
    assert again == found | {"file": "bare.csv"}


def test_lengths_are_those_of_all_samples_or_none(passk):
    write("rows.jsonl", [*ROWS[:-1], *without("token_ids")[-1:]])
    found = numbers(passk, "rows.jsonl", "--label-column", "label")
    assert found["length_tokens"] is None
    assert found["length_characters"] is not None


def test_chosen_k_confidence_and_seed(passk):
    given = ("rows.jsonl", "--label-column", "label", "--k", "3,1", "--k", "4")
    found = numbers(passk, *given, "--confidence", 0.8, "--resamples", 300, "--seed", 5)
    expected = mean_pass_at_k(list(RIGHT.values()), [3, 1, 4], confidence=0.8, resamples=300, rng=5)
    assert found["pass_at_k"] == {str(k): as_json(e) for k, e in expected.items()}
    _, out, _ = passk(*given, "--confidence", 0.8)
    assert "80 % interval" in out


def test_answers_that_are_verified_as_equal_are_one(passk):
    rows = [
        {"group": "q", "label": right, "answer": answer}
        for right, answer in [(1, "1/2"), (1, " 0.5 "), (0, "3"), (0, "3"), (1, r"\frac12")]
    ]
    write("rows.jsonl", rows)
    given = ("rows.jsonl", "--label-column", "label", "--answer-column", "answer", "--k", "5")
    assert numbers(passk, *given)["maj_at_k"]["5"]["value"] == 0.0
    assert numbers(passk, *given, "--verify-answers")["maj_at_k"]["5"]["value"] == 1.0


def test_broken_rows_are_told_and_left_out(passk):
    with Path("rows.jsonl").open("a") as file:
        file.write('{"label": true, "completion": "x"}\nnonsense\n')
        file.write('{"label": "perhaps", "completion": "x", "group": "a"}\n')
        file.write('{"label": null, "completion": "x", "group": "a"}\n')
    status, out, err = passk("rows.jsonl", "--label-column", "label")
    assert status == 0
    assert "rows.jsonl: line 14: has neither group nor prompt" in err
    assert "line 15: not JSON" in err
    assert "line 16: label is 'perhaps'" in err
    assert "1 rows left out, of which nobody says what is right, 3 broken" in out
    status, out, err = passk("rows.jsonl", "--label-column", "label", "--strict")
    assert (status, out) == (1, "")
    assert err.startswith("rlrewards: rows.jsonl: line 14: has neither group nor prompt")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name what says which completions are right: --stack or --label-column"),
        (("--label-column", "label", "--stack", "stack.toml"), "--stack or --label-column"),
        (("--label-column", "lable"), "no column 'lable' for --label-column; columns found: group"),
        (("--label-column", "label", "--answer-column", "anwser"), "for --answer-column"),
        (("--label-column", "label", "--k", "5"), "question 'a' has only 4 graded samples"),
        (("--label-column", "label", "--k", "0"), "--k 0: expected whole numbers"),
        (("--label-column", "label", "--k", "1,,2"), "--k : expected whole numbers"),
        (("--label-column", "label", "--k", "two"), "--k two: expected"),
        (("--label-column", "label", "--confidence", "95"), "confidence must lie between 0 and 1"),
        (("--label-column", "label", "--json", "no/where.json"), "there is no folder"),
        (("--label-column", "label", "--json", "."), "is a folder"),
        (("--stack", "letters.toml"), "letters.toml: has no reward that verifies"),
        (("--stack", "absent.toml"), "absent.toml: No such file"),
    ],
)
def test_wrong_calls_are_one_line(passk, arguments, message):
    Path("letters.toml").write_text('[rewards.letters]\ntype = "Letters"\n')
    status, out, err = passk("rows.jsonl", *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("rlrewards: ")
    assert err.count("\n") == 1
    assert message in err


def test_a_file_that_says_nothing(passk):
    write("rows.jsonl", [row | {"label": None} for row in ROWS])
    status, _, err = passk("rows.jsonl", "--label-column", "label")
    assert (status, err) == (2, "rlrewards: rows.jsonl: none of its 13 rows says what is right\n")
    Path("empty.jsonl").write_text("")
    status, _, err = passk("empty.jsonl", "--label-column", "label")
    assert status == 2
    assert "none of its 0 rows" in err
    assert passk("absent.jsonl", "--label-column", "label")[0] == 2
