"""Scoring one completion at a time: what is refused, and what becomes of None."""

from __future__ import annotations

import asyncio
import math
import pickle

import numpy as np
import pytest
from adapters_stacks import Recorder, fading, grouped, length, patient, right, stack

import rlrewards as rr
from rlrewards.adapters.scorer import (
    Asked,
    NoOpinionError,
    Scorer,
    require_free_names,
    require_number,
    scorer,
)


def made(of=stack, **options) -> Scorer:
    return scorer(of, "the trainer", **{"no_opinion": -1.0} | options)


def graded(completion="four", reference="four", of=stack, **options):
    [one] = made(of, **options).grade([Asked(completion, columns={"reference": reference})])
    return one


class TestGrading:
    def test_the_reward_is_the_weighted_sum_and_the_parts_are_raw(self):
        one = graded()
        assert one.reward == pytest.approx(0.8 * 1 + 0.1 * 4)
        assert one.parts == {"right": 1.0, "length": 4.0}
        assert one.contributions == pytest.approx({"right": 0.8, "length": 0.4})
        assert one.has_opinion
        assert one.status is None

    def test_no_opinion_becomes_the_number_that_the_user_chose_and_is_told(self):
        one = graded(reference=None)
        assert one.reward == -1.0
        assert not one.has_opinion
        assert one.parts == {"right": None, "length": 4.0}
        assert one.contributions == {"right": None, "length": None}
        assert one.numbers("raw/") == {
            "raw/right": None,
            "raw/length": 4.0,
            "raw/no_opinion": 1.0,
        }

    def test_shares_add_up_to_the_reward_whatever_it_is(self):
        assert graded().shares() == pytest.approx({"right": 0.8, "length": 0.4})
        assert graded(reference=None).shares() == {"right": -0.5, "length": -0.5}

    def test_without_a_number_it_raises_and_names_who_was_silent(self):
        with pytest.raises(NoOpinionError, match=r"no opinion from right \(verdict: none\)"):
            graded(reference=None, no_opinion=None)

    def test_the_verdict_comes_along(self):
        assert graded("The answer is 4.", "4", of=rr.Accuracy()).status == "EQUAL"
        assert graded("The answer is 4.", None, of=rr.Accuracy()).status == "NO_REFERENCE"

    def test_a_stack_that_goes_on_without_a_part_has_an_opinion(self):
        whole = rr.Stack({"right": (0.5, right), "length": (0.5, length)}, missing="renormalize")
        assert graded(reference=None, of=whole).reward == 4.0

    def test_parts_that_wait_are_awaited(self):
        asked = [Asked("four"), Asked("one")]
        assert [one.reward for one in asyncio.run(made(patient).agrade(asked))] == [4.0, 3.0]

    def test_nested_parts_stand_behind_their_stack(self):
        nested = rr.Stack({"inner": (2.0, rr.Stack({"length": (0.5, length)}))})
        assert graded(of=nested).parts == {"inner": 2.0, "inner.length": 4.0}

    def test_arrays_and_scalars_of_numpy_are_read_as_lists_and_numbers(self):
        seen = Recorder()
        columns = {"answer": np.array(["4", "four"], dtype=object), "level": np.float64(2)}
        made(seen).grade([Asked("4", columns=columns)])
        assert seen.samples[0].reference == ("4", "four")
        assert type(seen.samples[0].extra["level"]) is float

    def test_a_sink_gets_every_completion(self):
        records = []
        graded(verdict_sink=records.extend)
        assert [record["completion"] for record in records] == ["four"]

    def test_it_travels_to_other_processes(self):
        original = made()
        assert pickle.loads(pickle.dumps(original)) == original


class TestRefusals:
    def test_parts_that_compare_completions(self):
        with pytest.raises(ValueError, match="'group_length' compares .* the trainer scores"):
            made(0.5 * right + 0.5 * grouped)

    @pytest.mark.parametrize("of", [fading, rr.Stack({"outer": fading}), fading.when(right)])
    def test_weights_that_follow_the_step(self, of):
        with pytest.raises(ValueError, match="'length' follows a schedule, and the trainer"):
            made(of)

    def test_no_stack_and_an_empty_one(self):
        with pytest.raises(TypeError, match="expected a stack of rewards, got 3"):
            made(3)
        with pytest.raises(ValueError, match="no parts"):
            made(rr.Stack({}))

    @pytest.mark.parametrize("value", [True, "0", [0.0]])
    def test_no_number(self, value):
        with pytest.raises(TypeError, match="no_opinion must be a number, got"):
            made(no_opinion=value)

    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_no_finite_number(self, value):
        with pytest.raises(ValueError, match="must be finite"):
            require_number("no_opinion", value)

    def test_unknown_fields(self):
        with pytest.raises(ValueError, match="names the field 'gold'"):
            made(columns={"gold": "answer"})

    def test_names_that_the_trainer_uses(self):
        with pytest.raises(ValueError, match="'raw/length', which T uses itself; .*prefix=''"):
            require_free_names(stack, {"raw/length"}, "raw/", "T", "prefix=''")
        with pytest.raises(ValueError, match="'no_opinion'"):
            require_free_names(stack, {"no_opinion"}, "", "T", "prefix='raw/'")
        require_free_names(stack, {"kl"}, "", "T", "prefix='raw/'")
