"""The audit: what it loads, what it tries, and what its reports say."""

from __future__ import annotations

import html.parser
import json
import subprocess
import sys
from pathlib import Path

import pytest

import rlrewards as rr
from rlrewards import presets
from rlrewards.columns import Columns
from rlrewards.core import Sample
from rlrewards.testing.audit import Audit, audit, chosen
from rlrewards.testing.audit_data import (
    RowLaw,
    Rows,
    agreement,
    chunks,
    read_rows,
    row_laws,
)
from rlrewards.testing.audit_report import AuditReport, DataRead, case_lines
from rlrewards.testing.audit_targets import Targets, is_factory, parts_of, same_reward
from rlrewards.testing.findings import Finding, Outcome, Report
from rlrewards.testing.law import Effort, NotApplicable
from rlrewards.testing.running import LoadError
from rlrewards.testing.subject import Broken, subject

ROOT = Path(__file__).parents[2]
QUICK = {"examples": 5, "only": ("finite or none", "inside bounds")}
HOSTILE = "<script>alert(1)</script> | ` ``` \x1b[31m \u202e \ud800 </pre>\n# title"


def plain(batch):
    return [1.0 for _ in batch]


def has_please(completions, **columns):
    return [float("please" in text) for text in completions]


def counts_batch(batch):
    return [float(len(batch)) for _ in batch]


class Tree:
    leaf = staticmethod(plain)


# ---------------------------------------------------------------------------------------------
# Targets


def names(*targets, **options):
    return [one.name for one in Targets(targets, **options).subjects()]


def test_a_stack_is_audited_as_a_whole_and_part_by_part():
    stack = rr.Stack({"a": rr.Accuracy(), "inner": rr.TagCount() + rr.ThinkFormat()})
    assert names(stack.named("outer")) == [
        "outer",
        "outer.outer",
        "outer.outer.a",
        "outer.outer.inner",
        "outer.outer.inner.tag_count",
        "outer.outer.inner.think_format",
    ]


def test_a_gated_reward_is_audited_with_its_reward_and_gate():
    gated = rr.Stack({"g": rr.Accuracy().when(rr.ThinkFormat())})
    found = dict(parts_of("s", gated))
    assert [*found] == ["s.g", "s.g.reward", "s.g.gate"]
    assert (found["s.g.reward"], found["s.g.gate"]) == (rr.Accuracy(), rr.ThinkFormat())


def test_equal_parts_are_audited_once_over_all_targets():
    first = rr.Stack({"a": rr.Accuracy(), "b": rr.Accuracy(), "c": rr.Accuracy(wrong=-1.0)})
    second = rr.Stack({"d": rr.Accuracy(), "e": rr.TagCount()})
    assert names(first, second) == ["stack", "stack.a", "stack.c", "stack (2)", "stack (2).e"]
    assert same_reward(plain, plain)
    assert not same_reward(rr.Accuracy(), rr.TagCount())


class Incomparable:
    def __eq__(self, other):
        raise RuntimeError

    __hash__ = None


def test_rewards_that_cannot_be_compared_are_different():
    assert not same_reward(Incomparable(), Incomparable())


def test_kinds_and_facts_reach_the_whole_and_not_the_known_parts():
    stack = rr.Stack({"a": rr.SoftOverlong(max_length=100, buffer=20), "p": plain})
    whole, own, foreign = Targets((stack,), ("accuracy",), facts={"max_length": 7}).subjects()
    assert whole.kinds == {"accuracy", "stack", "pointwise"}
    assert (own.kinds, own.facts["max_length"]) == ({"overlong", "length", "pointwise"}, 100)
    assert (foreign.kinds, foreign.facts["max_length"]) == ({"pointwise"}, 7)
    grouped = rr.Stack({"g": rr.GroupLength()})
    assert Targets((grouped,), ("accuracy",)).subjects()[0].kinds == {
        "accuracy",
        "stack",
        "grouped",
    }


@pytest.mark.parametrize("name", presets.__all__)
def test_every_preset_is_built_by_name(name):
    whole = Targets((f"rlrewards.presets:{name}",)).subjects()[0]
    assert whole.name == name
    assert isinstance(whole.reward, rr.Stack)


def test_a_preset_or_class_is_built_with_the_facts_that_it_takes():
    facts = {"max_length": 100, "buffer": 20, "unheard": 1}
    dapo = Targets(("rlrewards.presets:dapo",), facts=facts).subjects()[0]
    assert dapo.reward == presets.dapo(max_length=100, buffer=20)
    overlong = Targets(("rlrewards:SoftOverlong",), facts=facts).subjects()[0]
    assert overlong.reward == rr.SoftOverlong(max_length=100, buffer=20)
    assert overlong.name == "SoftOverlong"
    assert Targets(("rlrewards.presets:gazal_r1",)).subjects()[0].reward == presets.gazal_r1(
        max_length=4096
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (presets.dapo, True),
        (presets.huatuo_o1, True),
        (rr.ThinkFormat, True),
        (rr.ThinkFormat(), False),
        (plain, False),
        (has_please, False),
        (lambda *batch: [], False),
        (lambda **columns: [], False),
        (lambda *, completions: [], False),
        (lambda solution_str="", ground_truth="": 0.0, False),
        (len, False),
    ],
)
def test_what_is_called_to_get_a_reward(value, expected):
    assert is_factory(value) is expected


MODULE = """
import rlrewards as rr
class Inner:
    reward = staticmethod(lambda batch: [1.0] * len(batch))
def reward(batch): return [1.0] * len(batch)
def broken(**_): pass
number = 3
def make(): return rr.ThinkFormat()
def needs(*, flavour): return rr.ThinkFormat()
def makes_nothing(): return None
"""


def test_targets_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    Path("audited_by_name.py").write_text(MODULE)
    Path("folder").mkdir()
    Path("folder/audited_file.py").write_text(MODULE)
    Path("mine.toml").write_text('[rewards.f]\ntype = "ThinkFormat"\n')
    assert names("audited_by_name:reward", "audited_by_name:Inner.reward") == [
        "reward",
        "Inner.reward",
    ]
    assert names("folder/audited_file.py:make") == ["make"]
    assert names(str(tmp_path / "folder/audited_file.py:make")) == ["make"]
    assert names("mine.toml") == ["mine", "mine.f"]


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("nothing", "expected STACK.toml, module:function or path/file.py:function"),
        (":reward", "expected STACK.toml"),
        ("nowhere.toml", "nowhere.toml: No such file or directory"),
        ("not_toml.toml", "not_toml.toml: not valid TOML"),
        ("empty.toml", "holds no reward"),
        ("no_such_module:f", "no_such_module: no module of this name here or installed"),
        ("no/such/file.py:f", "no/such/file.py: No such file or directory"),
        ("rlrewards.presets:nope", "rlrewards.presets has no 'nope'"),
        ("audited_errors:number", "number: expected a reward"),
        ("audited_errors:needs", "needs flavour; say --fact flavour=VALUE"),
        ("audited_errors:makes_nothing", "makes_nothing: expected a reward"),
        ("audited_import.py:f", "audited_import.py: No module named 'missing_thing'"),
        ("audited_raise.py:f", "importing it raised ZeroDivisionError"),
        ("audited_exit.py:f", "importing it ended the process"),
        ("json.py:f", "a module named 'json' is loaded already; rename the file"),
    ],
)
def test_what_cannot_be_loaded_is_told(target, why, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "audited_errors", raising=False)
    Path("audited_errors.py").write_text(MODULE)
    Path("audited_import.py").write_text("import missing_thing")
    Path("audited_raise.py").write_text("1 / 0")
    Path("audited_exit.py").write_text("import sys; sys.exit(5)")
    Path("json.py").write_text("")
    Path("not_toml.toml").write_text("[")
    Path("empty.toml").write_text("")
    with pytest.raises(LoadError, match=why):
        Targets((target,)).subjects()


# ---------------------------------------------------------------------------------------------
# The audit itself


def test_a_sound_reward_passes():
    report = audit(rr.ThinkFormat(), **QUICK)
    assert report.ok
    assert [finding.check for finding in report] == ["finite or none", "inside bounds"]
    assert (report.planned, report.targets) == (2, ("ThinkFormat()",))
    report.raise_for_failures()


def test_a_fault_is_told_with_its_smallest_case():
    report = audit(counts_batch, only="splitting changes nothing")
    (failure,) = report.failures
    assert failure.why == "scored [1.0] alone, [2.0] in a batch of 2"
    assert len(failure.samples) == 2
    assert not report.ok
    with pytest.raises(AssertionError, match="in a batch of 2"):
        report.raise_for_failures()


def test_the_same_seed_gives_the_same_report():
    first, second = (audit(counts_batch, only="law", seed=7, examples=10) for _ in range(2))
    assert first == second
    assert first.failures


def test_a_hanging_reward_does_not_stop_the_audit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("audited_hang.py").write_text("def f(batch):\n    while batch: pass\n    return []\n")
    heard = []
    report = audit("audited_hang.py:f", patience_seconds=1.0, on_finding=heard.append, **QUICK)
    assert [str(one.outcome) for one in report] == ["stopped", "stopped"]
    assert heard == [*report]
    assert "audited_hang" not in sys.modules  # it was loaded in the child only


def test_a_crash_while_loading_is_told(tmp_path):
    path = tmp_path / "audited_crash.py"
    path.write_text("import os\nos._exit(11)\n")
    with pytest.raises(LoadError, match=r"the process died \(exit code 11\)"):
        audit(f"{path}:f")


def test_the_time_is_kept_and_what_was_not_reached_is_said(tmp_path):
    path = tmp_path / "audited_slow.py"
    path.write_text("import time\ndef f(batch):\n    time.sleep(30)\n    return [0.0]*len(batch)\n")
    report = audit(f"{path}:f", seconds=8.0, **QUICK)
    assert [str(one.outcome) for one in report] == ["not reached", "not reached"]
    assert report.ok
    assert "2 not reached" in report.headline()


def test_a_report_can_be_had_before_the_end():
    running = Audit(Targets((plain,)), only=("finite or none", "inside bounds"))
    findings = iter(running)
    next(findings)
    report = running.report(interrupted=True)
    findings.close()
    assert (len(report), report.planned, report.interrupted) == (1, 2, True)
    assert report.headline().startswith(
        "interrupted: 1 reward, 2 checks: 1 passed, 0 failed, 1 not"
    )


def test_checks_by_name_and_group():
    assert [one.name for one in chosen(["Inside-Bounds"])] == ["inside bounds"]
    assert {one.group for one in chosen(["law"])} == {"law"}
    assert {one.group for one in chosen(["attack"])} <= {"attack"}
    assert len(chosen([])) == len(chosen(["law"])) + len(chosen(["attack"]))
    with pytest.raises(ValueError, match="no law or attack is called 'inside bonds'; did you mean"):
        chosen(["inside bonds"])
    with pytest.raises(ValueError, match="--list names them all"):
        chosen(["qqqq"])


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({}, "nothing to audit"),
        ({"seconds": 0.0}, "seconds=0.0, expected more than 0"),
        ({"seconds": float("nan")}, "seconds=nan"),
        ({"examples": 0}, "examples=0, expected at least 1"),
        ({"kind": "acuracy"}, "no kind of reward is called 'acuracy'"),
        ({"only": "nonsense"}, "no law or attack is called 'nonsense'"),
    ],
)
def test_wrong_calls(arguments, why):
    targets = (plain,) if arguments else ()
    with pytest.raises(ValueError, match=why):
        audit(*targets, **arguments)


def test_checks_that_do_not_apply_are_told():
    with pytest.raises(LoadError, match="none of the 1 chosen checks applies to plain"):
        audit(plain, only="being right pays")


def test_an_unguarded_script_fails_instead_of_starting_itself_for_ever(tmp_path):
    script = tmp_path / "unguarded.py"
    script.write_text(
        "from rlrewards.testing import audit\n"
        "import rlrewards as rr\n"
        "print(audit(rr.ThinkFormat(), only='same in another process'))\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert "1 skipped" in done.stdout


# ---------------------------------------------------------------------------------------------
# Real completions


ROWS = [
    {"completion": "#### 4", "reference": "4", "label": True, "prompt": "p"},
    {"completion": "5", "reference": "4", "label": False, "prompt": "p"},
    {"completion": "", "reference": "4", "label": False, "prompt": "q"},
    {"completion": "A: 4", "reference": "4", "label": True, "group": 7},
]


def written(path, rows=ROWS, tail=""):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + tail)
    return str(path)


def rows_of(*completions, labels=None, **more):
    from rlrewards.columns import Item

    labels = labels or [None] * len(completions)
    return Rows(
        "file",
        "line",
        tuple(
            Item(number, Sample(text, "4", **more), label)
            for number, (text, label) in enumerate(zip(completions, labels, strict=True), start=1)
        ),
    )


def test_rows_are_read_with_their_groups_and_broken_ones_told(tmp_path):
    path = written(tmp_path / "a.jsonl", tail='{"completion": 3}\nnonsense\n')
    rows = read_rows(path, Columns(label="label"))
    assert [item.sample.group for item in rows.items] == ["p", "p", "q", 7]
    assert [item.label for item in rows.items] == [True, False, False, True]
    assert [number for number, _ in rows.broken] == [5, 6]
    assert not rows.more
    assert read_rows(path, limit=2).more
    assert len(read_rows(path, limit=2).items) == 2


def test_a_file_without_rows_is_told(tmp_path):
    with pytest.raises(ValueError, match="holds no rows"):
        read_rows(written(tmp_path / "a.jsonl", []))
    with pytest.raises(ValueError, match="none of its 1 rows can be scored"):
        read_rows(written(tmp_path / "a.jsonl", [{"completion": 3}]))


def test_laws_are_tried_on_real_completions(tmp_path):
    report = audit(
        rr.Accuracy(),
        data=written(tmp_path / "a.jsonl"),
        columns=Columns(label="label"),
        only="data",
    )
    assert report.ok
    assert {one.group for one in report} == {"data"}
    assert len(report) == 9
    assert report.data == DataRead(str(tmp_path / "a.jsonl"), 4, 4, unit="line")
    assert next(iter(report)).why == "4 of 4 rows"
    assert [*report][-1].why.startswith("a right one scores above a wrong one in 100.0% of 2 × 2")


def law_called(name, rows):
    (found,) = (one for one in row_laws(rows) if one.name == name)
    return found


def scored_by_length(batch):
    """Right for every batch but those with both "x" and "y"."""
    texts = {sample.completion for sample in batch}
    return [float({"x", "y"} <= texts) for _ in batch]


def test_a_broken_law_is_told_by_the_fewest_rows():
    rows = rows_of(*"abcdexfghiyjkl")
    with pytest.raises(Broken) as caught:
        law_called("splitting changes nothing", rows).check(subject(scored_by_length))
    assert {sample.completion for sample in caught.value.samples} == {"x", "y"}
    assert caught.value.why.endswith("(lines 6, 11)")


def first_wins(batch):
    return [float(index == 0) for index in range(len(batch))]


def remembers(batch):
    return [float(len(seen.append(0) or seen)) for _ in batch]


seen: list[int] = []


def infinite(batch):
    return [float("inf") if "b" in sample.completion else 0.0 for sample in batch]


def one_short(batch):
    return [0.0] * (len(batch) - 1 or 1)


def only_in_the_main_thread(batch):
    import threading

    return [float(threading.current_thread() is threading.main_thread())] * len(batch)


def overwrites(batch):
    for sample in batch:
        sample.extra["seen"] = True
    return [0.0] * len(batch)


@pytest.mark.parametrize(
    ("name", "reward"),
    [
        ("length in is length out", one_short),
        ("finite or none", infinite),
        ("order does not matter", first_wins),
        ("splitting changes nothing", counts_batch),
        ("equal samples equal scores", remembers),
        ("mutates nothing", overwrites),
        ("same in a thread", only_in_the_main_thread),
    ],
)
def test_each_law_on_rows_can_be_broken(name, reward):
    rows = rows_of("a", "b", "c")
    with pytest.raises(Broken):
        law_called(name, rows).check(subject(reward))
    assert law_called(name, rows).check(subject(plain)) == "3 of 3 rows"


def test_what_one_check_lets_a_reward_change_is_whole_for_the_next():
    rows = rows_of("a", "b", labels=[True, False])
    for law in row_laws(rows):
        if law.name == "mutates nothing":
            with pytest.raises(Broken, match="changed its samples"):
                law.check(subject(overwrites))
        else:
            law.check(subject(overwrites))
    assert not any(item.sample.extra for item in rows.items)


def out_of_bounds(batch):
    return [2.0] * len(batch)


def test_bounds_on_rows():
    reward = rr.reward(out_of_bounds, bounds=(0.0, 1.0))
    with pytest.raises(Broken, match="outside of"):
        law_called("inside bounds", rows_of("a")).check(subject(reward))


def needs_tokens(batch):
    return [float(len(sample.token_ids)) for sample in batch]


def refuses_b(batch):
    if any(sample.completion == "b" for sample in batch):
        raise ValueError("no b")
    return [0.0] * len(batch)


def test_rows_that_lack_what_a_reward_needs_are_no_failure_and_a_single_bad_one_is():
    rows = rows_of("a", "b")
    for law in row_laws(rows):
        with pytest.raises(NotApplicable, match="cannot be asked about these rows: raised TypeErr"):
            law.check(subject(needs_tokens))
        with pytest.raises(Broken, match=r"raised ValueError: no b \(line 2\)"):
            law.check(subject(refuses_b))


def test_a_reward_that_compares_gets_whole_groups():
    rows = Rows("f", "line", tuple(_item(n, group=n % 2) for n in range(100)))
    grouped = subject(rr.GroupLength(length="words"))
    assert [len(chunk) for chunk in chunks(rows.items, grouped)] == [50, 50]
    assert [len(chunk) for chunk in chunks(rows.items, subject(plain))] == [32, 32, 32, 4]


def _item(number, **more):
    from rlrewards.columns import Item

    return Item(number, Sample("a", "4", **more))


def test_rows_are_tried_as_long_as_there_is_time():
    rows = rows_of(*["a"] * 100)
    assert law_called("finite or none", rows).check(subject(plain), Effort(seconds=-1.0)) == (
        "32 of 100 rows"
    )


@pytest.mark.parametrize(
    ("right", "wrong", "share"),
    [([1.0], [0.0], 1.0), ([0.0], [1.0], 0.0), ([1.0], [1.0], 0.5), ([2, 0], [1, 0], 0.625)],
)
def test_agreement(right, wrong, share):
    assert agreement(right, wrong) == share


def length(batch):
    return [float(len(sample.completion)) if sample.completion else None for sample in batch]


def test_scores_against_labels():
    rows = rows_of("aaa", "b", "", labels=[False, True, True])
    law = law_called("right above wrong", rows)
    assert law.check(subject(length)).startswith(
        "a right one scores above a wrong one in 0.0% of 1 × 1 pairs (ties count half); "
        "the lowest right 1 (line 2), the highest wrong 3 (line 1)"
    )
    with pytest.raises(Broken, match="in 0.0%") as caught:
        law.check(subject(length, kind="accuracy"))
    assert caught.value.scores == (1.0, 3.0)
    rows = rows_of("a", "", labels=[False, True])
    with pytest.raises(NotApplicable, match="no score of completions labelled right"):
        law_called("right above wrong", rows).check(subject(length))
    assert "right above wrong" not in {law.name for law in row_laws(rows_of("a", "b"))}
    assert not RowLaw("n", "s", None, rows).applies_to(subject(max, kind="verifier"))


# ---------------------------------------------------------------------------------------------
# Reports


def hostile_report(**more):
    case = {"samples": (Sample(HOSTILE, HOSTILE),), "scores": (float("nan"),)}
    failed = Finding("c", "attack", HOSTILE, "St|atement <b>", Outcome.FAILED, HOSTILE, **case)
    passed = Finding("d", "law", "x", "Fine.", Outcome.PASSED, "3 | 4")
    reports = (Report(HOSTILE, (failed,)), Report("x", (passed,)))
    return AuditReport((HOSTILE,), reports, planned=3, seconds=1.5, **more)


class Tags(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.found, self.data = [], []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.data.append(data)


def test_html_is_one_page_and_hostile_text_stays_text(tmp_path):
    data = DataRead(HOSTILE, 3, 2, ((1, HOSTILE),), True, "line")
    report = hostile_report(data=data)
    report.write(tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(text)
    kinds = {tag for tag, _ in tags.found}
    assert not kinds & {"script", "img", "link", "iframe", "a", "b"}
    assert all("src" not in attrs and "href" not in attrs for _, attrs in tags.found)
    assert "default-src 'none'" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "<script>alert(1)</script>" in "".join(tags.data)
    assert text.count("<pre>") == text.count("</pre>") == 1


def test_markdown_keeps_hostile_text_in_its_cell(tmp_path):
    report = hostile_report()
    report.write(tmp_path / "r.md")
    lines = (tmp_path / "r.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("# ")] == lines[:1]
    (row,) = (line for line in lines if line.startswith("| d |"))
    assert row == "| d | law | passed | `3 ¦ 4` |"
    (fence,) = {line.removesuffix("text") for line in lines if line.startswith("````")}
    assert fence == "````"  # longer than the three in the text
    for line in lines:
        assert line.isprintable()


def test_json_holds_everything_and_stays_json(tmp_path):
    report = hostile_report()
    report.write(tmp_path / "r.json")
    found = json.loads((tmp_path / "r.json").read_text(), parse_constant=pytest.fail)
    assert found["counts"] == {
        "passed": 1,
        "failed": 1,
        "stopped": 0,
        "skipped": 0,
        "not reached": 0,
    }
    assert (found["ok"], found["planned"], found["seed"], found["interrupted"]) == (
        False,
        3,
        0,
        False,
    )
    assert found["versions"]["rlrewards"] == rr.__version__
    assert found["platform"]
    assert found["findings"][0]["samples"][0]["completion"] == HOSTILE
    assert found["findings"][0]["scores"] == ["nan"]
    assert found["data"] is None


def test_json_cuts_what_is_a_megabyte_long():
    case = (Sample("a" * 10**6, token_ids=range(10**5)),)
    one = Finding("c", "law", "x", "s", Outcome.FAILED, "w", case)
    text = AuditReport(("x",), (Report("x", (one,)),)).to_json()
    assert len(text) < 500_000
    assert "more characters)" in text


def test_a_readable_case():
    samples = (Sample("a" * 1000), Sample("b"))
    one = Finding("c", "attack", "x", "s", Outcome.FAILED, "w", samples, (1.0, 0.0))
    attacked, honest = case_lines(one)
    assert len(attacked) < 400
    assert attacked.endswith("→ 1.0")
    assert honest == "completion='b'  → 0.0"
    assert case_lines(Finding("c", "law", "x", "s", Outcome.PASSED)) == []


def test_reports_have_three_forms(tmp_path):
    with pytest.raises(ValueError, match=r"unknown suffix '\.pdf'; reports are \.html"):
        hostile_report().write(tmp_path / "r.pdf")


def test_importing_the_package_of_tests_loads_nothing_heavy():
    code = (
        "import sys, rlrewards.testing as t, rlrewards.testing.pytest_plugin;"
        "dir(t); print(*(m for m in sys.modules if '.' not in m))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"hypothesis", "numpy", "torch", "sympy", "trl", "typer", "rich", "flint"}
    assert not heavy & {*done.stdout.split()}


def test_functions_are_not_hidden_by_the_modules_of_their_names():
    code = (
        "import rlrewards.testing.audit, rlrewards.testing.law, rlrewards.testing.attack;"
        "import rlrewards.testing as t;"
        "assert all(callable(getattr(t, name)) for name in ('audit', 'law', 'attack', 'subject'));"
        "assert t.laws.LAWS and t.LAWS == t.laws.LAWS"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_makefile_audits_every_preset():
    (line,) = (
        line
        for line in (ROOT / "Makefile").read_text().splitlines()
        if line.startswith("PRESETS := ")
    )
    assert sorted(line.split()[2:]) == sorted(presets.__all__)
