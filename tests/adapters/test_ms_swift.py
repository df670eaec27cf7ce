"""The ms-swift adapter against the contract of 4.6.0, called as `compute_rewards_per_func` does."""

from __future__ import annotations

import asyncio
import math
import pickle
import sys
import types
from types import SimpleNamespace

import pytest
from adapters_stacks import Recorder, fading, grouped, length, patient, right, stack

import rlrewards as rr
from rlrewards.adapters import distributed
from rlrewards.adapters.ms_swift import AsyncStackPart, orm_classes, register


def conversation(prompt, completion):
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}]


def rows(completions, solutions, prompts=None, **columns):
    """Return the keyword arguments that swift makes of its samples."""
    prompts = prompts or ["?"] * len(completions)
    return {
        "messages": [conversation(p, c) for p, c in zip(prompts, completions, strict=True)],
        "solution": solutions,
        "prompt_id": [f"prompt_{prompt}" for prompt in prompts],
        "request_id": ["r"] * len(completions),
        "finish_reason": ["stop"] * len(completions),
        "is_truncated": [False] * len(completions),
        "rollout_infos": [{}] * len(completions),
        "response_token_ids": [[[ord(letter) for letter in c]] for c in completions],
    } | columns


def call_as_swift(classes, completions, solutions, *, step=0, **more):
    """Call each ORM in turn as swift does; return the matrix of rewards, a column for each."""
    kwargs = {"trainer_state": SimpleNamespace(global_step=step)}
    kwargs |= rows(completions, solutions, **more)
    orms = [kind(args=None) for kind in classes.values()]
    waiting = [asyncio.iscoroutinefunction(getattr(orm, "__call__", None)) for orm in orms]  # noqa: B004

    async def run():
        return await asyncio.gather(
            *(orm(completions, **kwargs) for orm, waits in zip(orms, waiting, strict=True) if waits)
        )

    columns = [
        None if waits else orm(completions, **kwargs)
        for orm, waits in zip(orms, waiting, strict=True)
    ]
    late = iter(asyncio.run(run()))
    columns = [next(late) if column is None else column for column in columns]
    return [list(row) for row in zip(*columns, strict=True)]


class TestParts:
    def test_a_row_sums_to_the_total(self):
        matrix = call_as_swift(orm_classes(stack), ["four", "one"], ["four", "four"])
        assert matrix == [pytest.approx([0.8, 0.4]), pytest.approx([0.0, 0.3])]

    def test_names_are_those_of_the_parts_behind_a_prefix(self):
        classes = orm_classes(stack)
        assert list(classes) == ["stack_right", "stack_length"]
        assert [kind.__name__ for kind in classes.values()] == list(classes)
        assert list(orm_classes(stack, prefix="")) == ["right", "length"]

    def test_the_batch_is_scored_once_for_all_parts(self):
        seen = Recorder()
        whole = rr.Stack({"first": rr.reward(seen), "second": rr.reward(length)})
        call_as_swift(orm_classes(whole), ["four", "one"], ["", ""])
        assert len(seen.samples) == 2

    def test_weights_follow_the_step_of_the_trainer(self):
        assert call_as_swift(orm_classes(fading), ["four"], [""], step=5) == [[2.0]]

    def test_parts_that_wait_are_coroutines(self):
        classes = orm_classes(patient)
        assert issubclass(classes["stack_patient"], AsyncStackPart)
        assert call_as_swift(classes, ["four", "one"], ["", ""]) == [[4.0], [3.0]]

    def test_groups_are_compared(self):
        completions = ["\\boxed{4}", "It must be \\boxed{4}"]
        matrix = call_as_swift(orm_classes(grouped), completions, ["4", "4"])
        assert matrix == [[0.5], [-0.5]]

    def test_an_empty_share_of_a_batch(self):
        """A process without rows gets no columns at all."""
        [kind] = orm_classes(right).values()
        assert kind()([], trainer_state=None) == []


class TestSamples:
    def samples(self, completions=("four",), solutions=("four",), of=None, **more):
        seen = Recorder()
        options = {name: more.pop(name) for name in ("turn", "columns") if name in more}
        call_as_swift(orm_classes(seen, **options), list(completions), list(solutions), **more)
        return seen.samples

    def test_fields(self):
        [sample] = self.samples(level=[3])
        assert sample.completion == "four"
        assert sample.prompt == "?"
        assert sample.reference == "four"
        assert list(sample.token_ids) == [102, 111, 117, 114]
        assert sample.truncated is False
        assert sample.group == "prompt_?"
        assert sample.extra["level"] == 3

    def test_without_token_ids_they_are_unknown(self):
        [sample] = self.samples(response_token_ids=[[]])
        assert sample.token_ids is None

    def test_ids_of_several_turns_are_joined(self):
        [sample] = self.samples(response_token_ids=[[[1, 2], [3]]])
        assert list(sample.token_ids) == [1, 2, 3]

    def test_the_turn_is_a_choice(self):
        turns = [*conversation("2 + 2?", "3"), *conversation("Sure?", "four")]
        [sample] = self.samples(messages=[turns])
        assert (sample.completion, sample.prompt) == ("four", "Sure?")
        [sample] = self.samples(messages=[turns], turn=0)
        assert sample.completion == "3"

    def test_without_prompt_ids_the_prompt_tells_groups_apart(self):
        samples = self.samples(
            ["a", "b", "c"], [""] * 3, prompts=["x", "x", "y"], prompt_id=[""] * 3
        )
        assert samples[0].group == samples[1].group != samples[2].group

    def test_columns_can_be_mapped(self):
        [sample] = self.samples(gold=["4"], columns={"reference": "gold"})
        assert sample.reference == "4"


class TestNoOpinion:
    """swift turns a row of None into 0, and lets that 0 take part in the mean of its group."""

    PROMPTS = ["x", "x", "x", "y", "y"]
    COMPLETIONS = ["four", "one", "?", "four", "?"]
    SOLUTIONS = ["four", "four", None, None, None]

    def matrix(self, **options):
        classes = orm_classes(stack, **options)
        return call_as_swift(classes, self.COMPLETIONS, self.SOLUTIONS, prompts=self.PROMPTS)

    def test_it_gets_the_mean_of_its_group_in_every_part(self):
        matrix = self.matrix()
        assert matrix[2] == pytest.approx([0.4, 0.35])
        assert sum(matrix[2]) == pytest.approx((sum(matrix[0]) + sum(matrix[1])) / 2)

    def test_so_its_advantage_is_zero_and_the_others_are_as_without_it(self):
        totals = [sum(row) for row in self.matrix()[:3]]
        mean = sum(totals) / 3
        assert totals[2] - mean == pytest.approx(0)
        assert mean == pytest.approx(sum(totals[:2]) / 2)

    def test_a_group_without_any_opinion_has_no_differences(self):
        assert self.matrix()[3:] == [[0.0, 0.0], [0.0, 0.0]]

    def test_or_a_number(self):
        assert [sum(row) for row in self.matrix(no_opinion=-1.0)[2:]] == [-1.0, -1.0, -1.0]

    def test_the_mean_is_that_of_all_processes(self, monkeypatch):
        monkeypatch.setattr(distributed, "world_size", lambda: 2)
        elsewhere = {"prompt_x": [0.8, 0.8], "prompt_z": [7.0]}
        monkeypatch.setattr(distributed, "_gathered", lambda value: [value, elsewhere])
        [kind] = orm_classes(0.8 * right).values()
        kwargs = rows(["four", "?"], ["one", None], prompts=["x", "x"])
        assert kind()(["four", "?"], **kwargs) == [0.0, pytest.approx((0.0 + 0.8 + 0.8) / 3)]

    def test_without_prompt_ids(self):
        found = call_as_swift(
            orm_classes(right),
            ["four", "?", "?"],
            ["four", None, None],
            prompts=["x", "x", "y"],
            prompt_id=[""] * 3,
        )
        assert found == [[1.0], [1.0], [0.0]]

    @pytest.mark.parametrize(
        ("value", "error"), [("mean", ValueError), (None, TypeError), (math.nan, ValueError)]
    )
    def test_other_values_are_refused(self, value, error):
        with pytest.raises(error, match="no_opinion"):
            orm_classes(stack, no_opinion=value)


class TestRegister:
    @pytest.fixture
    def orms(self, monkeypatch):
        package, rewards = types.ModuleType("swift"), types.ModuleType("swift.rewards")
        rewards.orms = {"accuracy": object}
        monkeypatch.setitem(sys.modules, "swift", package)
        monkeypatch.setitem(sys.modules, "swift.rewards", rewards)
        return rewards.orms

    def test_it_returns_the_names_to_list(self, orms):
        assert register(stack) == ["stack_right", "stack_length"]
        assert list(orms) == ["accuracy", "stack_right", "stack_length"]

    def test_a_plugin_may_be_imported_again(self, orms):
        assert register(stack) == register(stack)

    def test_a_reward_of_swift_is_not_replaced(self, orms):
        with pytest.raises(ValueError, match="'accuracy' of its own; pass another prefix= than ''"):
            register(rr.Accuracy(), prefix="")
        assert orms == {"accuracy": object}


def test_the_function_behind_a_part_travels_to_other_processes():
    [kind] = orm_classes(right).values()
    function = pickle.loads(pickle.dumps(kind.function))
    assert function([conversation("?", "4")], ["4"], solution=["4"]) == [1.0]
