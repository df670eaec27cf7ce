"""Samples, scores, and the checks on what rewards return."""

from __future__ import annotations

import json
import math
import pickle
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

import rlrewards as rr
from rlrewards.core import bounds_of, checked_scores, is_grouped, name_of, snake_case


def constant(batch):
    return [1.0] * len(batch)


class TestSample:
    def test_is_frozen_and_compares_by_value(self):
        sample = rr.Sample("a", reference="b")
        assert sample == rr.Sample("a", reference="b")
        assert sample != rr.Sample("a", reference="c")
        with pytest.raises(FrozenInstanceError):
            sample.completion = "other"

    def test_what_is_remembered_is_no_part_of_the_value(self):
        sample = rr.Sample("a")
        assert sample.recall("key", lambda s: s.completion * 2) == "aa"
        assert sample.recall("key", lambda s: "never computed again") == "aa"
        assert sample == rr.Sample("a")
        assert sample.recalled("other") is None
        assert "memo" not in repr(sample)

    def test_a_copy_remembers_nothing(self):
        sample = rr.Sample("a")
        sample.recall("key", lambda s: 1)
        assert pickle.loads(pickle.dumps(sample)).recalled("key") is None
        assert replace(sample, completion="b").recalled("key") is None

    def test_pickle_keeps_every_field(self):
        sample = rr.Sample(
            "a", ["b", "c"], "p", (1, 2), {"A": "x"}, group=3, truncated=True, extra={"k": [1]}
        )
        assert pickle.loads(pickle.dumps(sample)) == sample


class TestNames:
    def test_of_classes_functions_and_own_names(self):
        assert name_of(constant) == "constant"
        assert name_of(rr.ThinkAnswerFormat()) == "think_answer_format"
        assert snake_case("CosineLength") == "cosine_length"

    def test_a_callable_object_goes_by_its_class(self):
        class MyReward:
            def __call__(self, batch):
                return [0.0 for _ in batch]

        assert name_of(MyReward()) == "my_reward"

    def test_a_plain_function_is_unbounded_and_pointwise(self):
        assert bounds_of(constant) == (-math.inf, math.inf)
        assert not is_grouped(constant)


class TestCheckedScores:
    def test_numbers_of_any_kind_become_floats(self):
        assert checked_scores(constant, [True, 1, np.float32(0.5), None], 4) == [
            1.0,
            1.0,
            0.5,
            None,
        ]

    @pytest.mark.parametrize(
        ("scores", "error", "message"),
        [
            ([1.0], ValueError, "returned 1 scores for 2 samples"),
            ([1.0, math.nan], ValueError, "return None"),
            ([1.0, math.inf], ValueError, "inf"),
            ([1.0, "high"], TypeError, "'high'"),
            (1.0, TypeError, "expected a list"),
            ("ab", TypeError, "expected a list"),
            (None, TypeError, "expected a list"),
        ],
    )
    def test_anything_else_names_the_reward(self, scores, error, message):
        with pytest.raises(error, match=message) as caught:
            checked_scores(constant, scores, 2)
        assert "'constant'" in str(caught.value)


class TestScores:
    def test_records_and_dict_are_plain_json(self):
        stack = rr.Stack({"right": (2.0, rr.Accuracy()), "one": rr.reward(constant)})
        samples = [rr.Sample(r"\boxed{4}", reference="4"), rr.Sample(r"\boxed{4}")]
        scores = stack.score(samples)
        records = scores.to_records()
        assert records[0]["right"] == 1.0
        assert records[0]["total"] == 3.0
        assert records[0]["verdict_status"] == "EQUAL"
        assert records[1]["right"] is None
        assert records[1]["total"] is None
        assert records[1]["verdict_status"] == "NO_REFERENCE"
        assert json.loads(json.dumps(scores.to_dict()))["total"] == [3.0, None]
        assert json.loads(json.dumps(records)) == records
        assert len(scores) == 2

    def test_columns_of_a_nested_stack_stand_behind_it(self):
        inner = rr.Stack({"one": rr.reward(constant)})
        scores = rr.Stack({"style": (0.5, inner)}).score([rr.Sample("x")])
        assert list(scores.flat_columns()) == ["style", "style.one"]
        assert scores.to_records()[0]["style.one"] == 1.0
