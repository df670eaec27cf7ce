"""Findings and reports: what they say, in which words."""

from __future__ import annotations

import json

import pytest

from rlrewards.core import Sample
from rlrewards.testing.findings import Finding, Outcome, Report, cut, printable, shown_fields


def finding(outcome=Outcome.PASSED, why="", samples=(), scores=(), **more):
    given = {"check": "a law", "group": "law", "subject": "mine", "statement": "All is well."}
    return Finding(**(given | more), outcome=outcome, why=why, samples=samples, scores=scores)


FAILED = finding(Outcome.FAILED, "it is not", (Sample("four", "4"), Sample("five")), (1.0,))


@pytest.mark.parametrize(
    ("outcome", "broken"),
    [
        (Outcome.PASSED, False),
        (Outcome.SKIPPED, False),
        (Outcome.UNREACHED, False),
        (Outcome.FAILED, True),
        (Outcome.STOPPED, True),
    ],
)
def test_what_is_broken(outcome, broken):
    one = finding(outcome)
    report = Report("mine", (one,))
    assert one.broken is broken
    assert report.ok is not broken
    assert report.failures == ((one,) if broken else ())


def test_the_words_of_a_finding():
    assert str(FAILED).splitlines() == [
        "mine: law “a law” failed: it is not",
        "  All is well.",
        "  completion='four', reference='4'  → 1.0",
        "  completion='five'",
    ]


def test_the_words_of_a_report():
    rest = [finding(outcome) for outcome in (Outcome.PASSED, Outcome.SKIPPED)]
    report = Report("mine", (*rest, FAILED), seed=5)
    assert str(report).splitlines()[0] == "mine: 2 checks, 1 failed, 1 skipped (seed 5)"
    assert str(report).endswith(str(FAILED))
    assert (len(report), [*report]) == (3, [*rest, FAILED])
    with pytest.raises(AssertionError, match="it is not"):
        report.raise_for_failures()
    report = Report("mine", (finding(), finding(Outcome.UNREACHED)))
    assert str(report) == "mine: 1 checks, 0 failed, 0 skipped, 1 not reached (seed 0)"
    report.raise_for_failures()


def test_seconds_are_not_compared():
    assert finding(seconds=1.0) == finding(seconds=2.0)
    assert finding() != finding(why="x")


def test_to_dict_is_json():
    sample = Sample("x", ["4", "5"], "p", (1, 2), {"A": "a"}, ("p", 1), True, {"k": 1})
    text = json.dumps(finding(samples=(sample,), scores=(None,), seconds=0.12345).to_dict())
    assert json.loads(text) == {
        "check": "a law",
        "group": "law",
        "subject": "mine",
        "statement": "All is well.",
        "outcome": "passed",
        "why": "",
        "samples": [
            {
                "completion": "x",
                "reference": ["4", "5"],
                "prompt": "p",
                "token_ids": [1, 2],
                "options": {"A": "a"},
                "group": "('p', 1)",
                "truncated": True,
                "extra": {"k": 1},
            }
        ],
        "scores": [None],
        "case": "",
        "seconds": 0.123,
    }
    assert shown_fields(Sample("")) == {"completion": ""}


def test_long_inputs_are_cut():
    long = finding(samples=(Sample("a" * 10**6, token_ids=range(1000)),))
    line = str(long).splitlines()[1]
    assert len(line) < 500
    assert "(999,702 characters)" in line  # the repr adds two quotes to 10⁶, 300 are shown
    assert "token_ids=<1,000 ids>" in line
    assert cut("a" * 300) == "a" * 300


def test_nothing_steers_the_terminal():
    hostile = "\x1b]0;mine\x07\n\u202eabc\ud800"
    one = finding(Outcome.FAILED, hostile, (Sample(hostile),), (0.0,), subject=hostile)
    for line in str(one).splitlines():
        assert line.isprintable()
    assert len(str(one).splitlines()) == 3
    assert printable(hostile) == r"\x1b]0;mine\x07\n\u202eabc\ud800"
    assert printable("é ½ 漢 ß") == "é ½ 漢 ß"
