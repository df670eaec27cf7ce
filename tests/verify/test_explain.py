"""A verdict in words: every status and tier, odd texts, real verdicts."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rlrewards as rr
from rlrewards.verify.explain import explain
from rlrewards.verify.verdict import Status, Tier, Verdict

EVERY = list(product(Status, [None, *Tier], ["5", None], ["6", ("6", "7"), ("6",), (), None]))


@pytest.mark.parametrize(("status", "tier", "answer", "reference"), EVERY)
def test_any_verdict_is_one_paragraph(status, tier, answer, reference):
    told = explain(Verdict(status, tier, "a reason", answer, reference))
    assert told.endswith(".")
    assert "\n" not in told
    assert "None" not in told


class TestSays:
    def test_what_was_compared_and_how(self):
        told = explain(rr.grade("A: 0.5", r"\frac12"))
        assert r"“\frac12”" in told
        assert "“0.5”" in told
        assert "exact values" in told
        assert "the answer is right" in told

    def test_that_an_answer_is_wrong(self):
        assert "the answer is wrong" in explain(rr.grade("A: 6", "5"))

    def test_why_there_is_no_answer_and_what_to_do(self):
        told = explain(rr.grade("I think so", "5"))
        assert "no final answer found" in told
        assert r"\boxed{…}" in told

    def test_what_no_reference_means(self):
        assert "Check the column" in explain(rr.grade("A: 5", None))
        assert "“5”" in explain(rr.verify("5", None))

    def test_what_undecided_means(self):
        assert "no opinion" in explain(
            Verdict(Status.UNDECIDED, Tier.TEXT, "other words", "dog", "cat")
        )

    def test_an_echo(self):
        told = explain(rr.verify("2^5", "32", prompt="Find $2^5$."))
        assert "repeats a formula of the question" in told

    def test_several_references(self):
        told = explain(rr.verify("9", ["1", "2", "3", "4", "5"]))
        assert "any of “1”, “2”, “3”, or 2 more" in told


class TestOddTexts:
    def test_a_megabyte_is_shortened(self):
        told = explain(Verdict(Status.DIFFERENT, Tier.TEXT, "w" * 10**6, "x" * 10**6, "y" * 10**6))
        assert len(told) < 1_500
        assert "(1,000,000 characters)" in told

    def test_what_cannot_be_shown_is_written_out(self):
        told = explain(Verdict(Status.DIFFERENT, Tier.TEXT, "", "\ud800\x00\u200b", "\x1b[31m"))
        assert told.isprintable()
        assert r"\ud800\x00\u200b" in told
        told.encode("utf-8")

    @given(st.text(), st.text(), st.text(), st.sampled_from(Status), st.sampled_from(Tier))
    def test_any_text(self, why, answer, reference, status, tier):
        assert explain(Verdict(status, tier, why, answer, reference)).isprintable()
