"""The algebra of stacks: weights, names, missing opinions, gates, schedules, nesting, waiting."""

from __future__ import annotations

import asyncio
import functools
import itertools
import math
import pickle
import threading
import time
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rlrewards as rr
from rlrewards.core import bounds_of
from rlrewards.scoring import run_to_end
from rlrewards.stack import Composable

SAMPLES = [rr.Sample("a"), rr.Sample("bb"), rr.Sample("ccc")]


def length(batch):
    return [float(len(sample.completion)) for sample in batch]


def one(batch):
    return [1.0] * len(batch)


def silent(batch):
    return [None] * len(batch)


def silent_on_the_first(batch):
    return [None if sample.completion == "a" else 1.0 for sample in batch]


def is_long(sample):
    return float(len(sample.completion) > 1)


async def slow_one(batch):
    await asyncio.sleep(0.05)
    return [1.0] * len(batch)


async def slow_length(sample):
    await asyncio.sleep(0.05)
    return float(len(sample.completion))


@rr.each
def decorated(sample):
    return 1.0


@rr.reward
def decorated_batch(batch):
    return [1.0] * len(batch)


LENGTH, ONE, SILENT = rr.reward(length), rr.reward(one), rr.reward(silent)
SOMETIMES = rr.reward(silent_on_the_first)


class TestOperators:
    def test_the_sum_of_weighted_rewards_is_a_stack(self):
        stack = 0.5 * LENGTH + 2 * ONE
        assert isinstance(stack, rr.Stack)
        assert stack(SAMPLES) == [2.5, 3.0, 3.5]

    def test_as_written_in_the_readme(self):
        stack = 0.8 * rr.Accuracy() + 0.2 * rr.ThinkAnswerFormat()
        right = rr.Sample("<think>2+2</think><answer>4</answer>", reference="4")
        wrong = rr.Sample("<think>2+2</think><answer>5</answer>", reference="4")
        assert stack([right, wrong]) == [1.0, 0.2]

    def test_weight_on_either_side_bare_sum_difference_and_negation(self):
        assert (LENGTH * 0.5)(SAMPLES) == (0.5 * LENGTH)(SAMPLES) == [0.5, 1.0, 1.5]
        assert (LENGTH + ONE)(SAMPLES) == [2.0, 3.0, 4.0]
        assert (LENGTH - ONE)(SAMPLES) == [0.0, 1.0, 2.0]
        assert (-LENGTH)(SAMPLES) == [-1.0, -2.0, -3.0]
        assert sum([LENGTH, ONE])(SAMPLES) == [2.0, 3.0, 4.0]

    def test_plain_functions_join_from_both_sides(self):
        assert (ONE + length)(SAMPLES) == (length + ONE)(SAMPLES) == [2.0, 3.0, 4.0]

    def test_scaling_a_stack_scales_its_weights(self):
        stack = 2 * (0.5 * LENGTH + 3 * ONE)
        assert [part.weight for part in stack.parts] == [1.0, 6.0]

    def test_the_same_name_twice_is_an_error_that_names_it(self):
        with pytest.raises(ValueError, match="'one'"):
            ONE + ONE
        assert (ONE + ONE.named("other"))(SAMPLES) == [2.0, 2.0, 2.0]

    @pytest.mark.parametrize("weight", [math.nan, math.inf, -math.inf])
    def test_a_weight_that_is_not_finite_names_the_part(self, weight):
        with pytest.raises(ValueError, match="'one'"):
            weight * ONE
        with pytest.raises(ValueError, match="'part'"):
            rr.Stack({"part": (weight, ONE)})

    @pytest.mark.parametrize("other", ["text", None, 3, 2.5])
    def test_nonsense_operands_are_type_errors(self, other):
        with pytest.raises(TypeError):
            ONE + other

    def test_a_boolean_or_text_is_no_weight(self):
        for weight in (True, "0.5", None):
            with pytest.raises(TypeError):
                weight * ONE

    def test_stacks_that_treat_missing_differently_do_not_mix(self):
        with pytest.raises(ValueError, match="nest one of them"):
            rr.Stack({"a": ONE}) + rr.Stack({"b": ONE}, missing="zero")

    def test_repr_can_be_pasted_back(self):
        stack = 0.8 * rr.Accuracy(wrong=-1.0) + 0.2 * rr.ThinkAnswerFormat(mode="strict")
        names = {name: getattr(rr, name) for name in ("Accuracy", "ThinkAnswerFormat", "Stack")}
        assert eval(repr(stack), names) == stack

    def test_is_hashable_comparable_and_picklable(self):
        stack = 0.8 * rr.Accuracy() + 0.2 * rr.ThinkFormat()
        copy = pickle.loads(pickle.dumps(stack))
        assert copy == stack
        assert hash(copy) == hash(stack)
        assert copy != 0.7 * rr.Accuracy() + 0.2 * rr.ThinkFormat()


class TestConstruction:
    def test_weight_defaults_to_one_and_order_is_kept(self):
        stack = rr.Stack({"b": ONE, "a": (2.0, LENGTH)})
        assert list(stack.score(SAMPLES).columns) == ["b", "a"]
        assert stack.score(SAMPLES).weights == {"b": 1.0, "a": 2.0}

    def test_nonsense_is_refused(self):
        with pytest.raises(TypeError, match="list"):
            rr.Stack([ONE])
        with pytest.raises(TypeError, match="expected a reward"):
            rr.Stack({"a": (1.0, "Accuracy")})
        with pytest.raises(TypeError, match="3-tuple"):
            rr.Stack({"a": (1.0, ONE, 2)})
        with pytest.raises(TypeError, match="name"):
            rr.Stack({"": ONE})
        with pytest.raises(ValueError, match="abstain, renormalize, zero"):
            rr.Stack({"a": ONE}, missing="ignore")

    @pytest.mark.parametrize("name", ["total", "verdict_status", "a.b"])
    def test_names_that_mean_something_in_records_are_refused(self, name):
        with pytest.raises(ValueError, match=f"cannot be named '{name}'"):
            rr.Stack({name: ONE})

    def test_a_class_is_not_its_instance(self):
        with pytest.raises(TypeError, match=r"write ThinkFormat\(\)"):
            rr.Accuracy() + rr.ThinkFormat

    def test_an_empty_stack_scores_zero(self):
        assert rr.Stack({})(SAMPLES) == [0.0, 0.0, 0.0]

    def test_an_empty_batch_has_no_scores(self):
        scores = (ONE + LENGTH).score([])
        assert scores.total.shape == (0,)
        assert scores.to_records() == []

    def test_what_is_no_sample_is_named(self):
        with pytest.raises(TypeError, match="item 1 .* str"):
            ONE.named("x")([rr.Sample("a"), "b"])


class TestMissing:
    def test_abstain_is_the_default(self):
        assert (ONE + SOMETIMES)(SAMPLES) == [None, 2.0, 2.0]

    def test_zero(self):
        assert rr.Stack({"a": ONE, "b": SOMETIMES}, missing="zero")(SAMPLES) == [1.0, 2.0, 2.0]

    def test_renormalize_keeps_the_sum_of_the_weights(self):
        parts = {"a": (1.0, LENGTH), "b": (3.0, SOMETIMES)}
        # The first sample is judged by `a` alone, with the whole weight of 4.
        assert rr.Stack(parts, missing="renormalize")(SAMPLES) == [4.0, 5.0, 6.0]

    def test_renormalize_with_no_opinion_at_all_is_none(self):
        assert rr.Stack({"a": SILENT}, missing="renormalize")(SAMPLES) == [None] * 3

    @pytest.mark.parametrize("missing", ["abstain", "renormalize", "zero"])
    def test_a_part_of_weight_zero_is_scored_and_never_matters(self, missing):
        stack = rr.Stack({"a": LENGTH, "mute": (0.0, SILENT)}, missing=missing)
        scores = stack.score(SAMPLES)
        assert scores.totals() == [1.0, 2.0, 3.0]
        assert np.isnan(scores.columns["mute"]).all()

    @pytest.mark.parametrize("missing", ["abstain", "renormalize", "zero"])
    def test_contributions_sum_to_the_total_in_every_row(self, missing):
        stack = rr.Stack({"a": (0.3, LENGTH), "b": (-2.0, SOMETIMES)}, missing=missing)
        scores = stack.score(SAMPLES)
        for row in range(len(SAMPLES)):
            parts = [column[row] for column in scores.contributions.values()]
            if math.isnan(scores.total[row]):
                assert all(map(math.isnan, parts))
            else:
                assert sum(parts) == pytest.approx(scores.total[row], rel=1e-15)

    @given(
        weights=st.lists(st.floats(-5, 5), min_size=3, max_size=3),
        factor=st.floats(-3, 3),
        missing=st.sampled_from(["abstain", "renormalize", "zero"]),
    )
    def test_linear_in_the_weights(self, weights, factor, missing):
        parts = zip("abc", zip(weights, (LENGTH, ONE, SOMETIMES), strict=True), strict=True)
        stack = rr.Stack(dict(parts), missing=missing)
        scaled = factor * stack
        for whole, part in zip(scaled(SAMPLES), stack(SAMPLES), strict=True):
            if factor != 0 and all(abs(w * factor) > 1e-300 for w in weights):
                assert (whole is None) == (part is None)
                if part is not None:
                    assert whole == pytest.approx(factor * part, rel=1e-9, abs=1e-9)


class TestBounds:
    def test_of_a_weighted_sum(self):
        stack = 2 * rr.Accuracy() - rr.ThinkFormat()
        assert stack.bounds == (-1.0, 2.0)

    def test_a_part_that_may_count_as_zero_widens_them(self):
        parts = {"a": (1.0, rr.Accuracy(correct=3.0, wrong=2.0))}
        assert rr.Stack(parts).bounds == (2.0, 3.0)
        assert rr.Stack(parts, missing="zero").bounds == (0.0, 3.0)

    def test_renormalized_totals_stay_inside(self):
        parts = {
            "a": (1.0, rr.Accuracy(wrong=-1.0)),
            "b": (-3.0, rr.each(lambda s: None if "a" in s.completion else 1.0, bounds=(0, 1))),
        }
        stack = rr.Stack(parts, missing="renormalize")
        low, high = stack.bounds
        samples = [rr.Sample(r"a \boxed{4}", reference="4"), rr.Sample(r"\boxed{5}", reference="4")]
        assert stack(samples) == [4.0, -4.0]
        assert low <= -4.0
        assert high >= 4.0

    def test_unknown_with_a_schedule(self):
        assert bounds_of((lambda step: 1.0) * rr.Accuracy()) == (-math.inf, math.inf)


class TestGates:
    def test_scores_only_where_the_gate_is_positive(self):
        gated = LENGTH.when(rr.each(is_long))
        assert gated(SAMPLES) == [0.0, 2.0, 3.0]

    def test_a_pointwise_reward_never_sees_what_is_shut_out(self):
        seen = []

        def spy(batch):
            seen.extend(sample.completion for sample in batch)
            return [1.0] * len(batch)

        rr.reward(spy).when(rr.each(is_long))(SAMPLES)
        assert seen == ["bb", "ccc"]

    def test_a_grouped_reward_sees_its_whole_group(self):
        def above_mean(batch):
            mean = sum(len(s.completion) for s in batch) / len(batch)
            return [len(s.completion) - mean for s in batch]

        gated = rr.reward(above_mean, grouped=True).when(rr.each(is_long))
        assert gated(SAMPLES) == [0.0, 0.0, 1.0]
        assert gated.grouped

    def test_no_opinion_of_the_gate_or_of_the_reward_is_none(self):
        assert LENGTH.when(SOMETIMES)(SAMPLES) == [None, 2.0, 3.0]
        assert SOMETIMES.when(ONE)(SAMPLES) == [None, 1.0, 1.0]

    def test_keeps_the_name_and_widens_the_bounds(self):
        gated = rr.Accuracy(correct=2.0, wrong=1.0).when(rr.ThinkFormat())
        assert gated.name == "accuracy"
        assert gated.bounds == (0.0, 2.0)

    def test_verdicts_show_through_a_gate(self):
        stack = rr.Stack({"a": rr.Accuracy().when(rr.each(is_long))})
        scores = stack.score(
            [rr.Sample(r"\boxed{4}", reference="4"), rr.Sample("4", reference="4")]
        )
        assert scores.verdicts[0].status is rr.Status.EQUAL
        assert scores.verdicts[1] is None

    def test_the_gate_is_asked_once_for_scores_and_streams(self):
        calls = []

        def gate(batch):
            calls.append(len(batch))
            return [1.0] * len(batch)

        dense = rr.DenseRepetition(n=2).when(gate)
        rr.Stack({"a": dense}).score([rr.Sample("", token_ids=(1, 2, 1, 2))])
        assert calls == [1]

    def test_a_gated_stack_of_one_part_keeps_its_name(self):
        assert ONE.named("first").when(ONE).name == "first"
        assert (0.5 * ONE).when(ONE).name == "one"
        assert (ONE + LENGTH).when(ONE).name == "stack"


class TestSchedules:
    def test_step_drives_the_weight(self):
        stack = rr.LinearSchedule(start=0.0, end=1.0, steps=10) * ONE
        assert stack.score(SAMPLES, step=5).totals() == [0.5] * 3
        assert stack.score(SAMPLES, step=50).weights == {"one": 1.0}
        assert stack(SAMPLES) == [0.0] * 3

    def test_reaches_nested_stacks_and_gates(self):
        inner = rr.Stack({"one": (rr.StepSchedule(values=(0.0, 1.0), boundaries=(3,)), ONE)})
        stack = rr.Stack({"inner": (2.0, inner.when(ONE))})
        assert stack.score(SAMPLES, step=2).totals() == [0.0] * 3
        assert stack.score(SAMPLES, step=3).totals() == [2.0] * 3

    def test_scaling_a_schedule(self):
        stack = 0.5 * (rr.LinearSchedule(start=1.0, end=0.0, steps=2) * ONE)
        assert stack.score(SAMPLES, step=1).totals() == [0.25] * 3

    def test_a_schedule_that_gives_nonsense_names_part_and_step(self):
        stack = rr.Stack({"part": ((lambda step: math.nan), ONE)})
        with pytest.raises(ValueError, match="'part' at step 7"):
            stack.score(SAMPLES, step=7)

    def test_a_schedule_cannot_scale_unequal_weights(self):
        with pytest.raises(ValueError, match=r"named\('inner'\)"):
            rr.LinearSchedule(start=0.0, end=1.0, steps=2) * (0.5 * ONE + LENGTH)

    def test_a_schedule_is_not_mistaken_for_a_reward(self):
        assert rr.CosineSchedule(start=1.0, end=0.0, steps=4)(2) == pytest.approx(0.5)

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (
                lambda: rr.LinearSchedule(start=0.0, end=1.0, steps=0),
                "steps must be a whole number >= 1, got 0",
            ),
            (
                lambda: rr.CosineSchedule(start=math.nan, end=1.0, steps=1),
                "start must be a finite number, got nan",
            ),
            (lambda: rr.StepSchedule(values=(1.0,), boundaries=(1,)), "one value more"),
            (lambda: rr.StepSchedule(values=(1.0, 2.0, 3.0), boundaries=(2, 1)), "increase"),
            (lambda: rr.StepSchedule(values=(1.0, math.inf), boundaries=(2,)), "finite"),
        ],
    )
    def test_bad_parameters(self, make, message):
        with pytest.raises(ValueError, match=message):
            make()


class TestNesting:
    def test_a_stack_is_a_reward(self):
        inner = 0.5 * LENGTH + ONE
        outer = rr.Stack({"inner": (2.0, inner), "one": ONE})
        assert outer(SAMPLES) == [4.0, 5.0, 6.0]
        assert outer.score(SAMPLES).nested["inner"].columns["length"].tolist() == [1.0, 2.0, 3.0]

    def test_the_inner_scores_know_the_step_and_their_own_configuration(self):
        inner = rr.LinearSchedule(start=0.0, end=1.0, steps=10) * ONE
        for step in (0, 5):
            scores = rr.Stack({"inner": inner}).score(SAMPLES, step=step).nested["inner"]
            assert scores.step == step
            assert scores.weights == {"one": step / 10}
            assert scores.fingerprint == inner.fingerprint()

    def test_none_of_an_inner_stack_is_none_outside(self):
        inner = ONE + SOMETIMES
        assert rr.Stack({"inner": inner}, missing="zero")(SAMPLES) == [0.0, 2.0, 2.0]


class TestDense:
    REPEATED = rr.Sample("ok", token_ids=(1, 2, 1, 2))
    DENSE = rr.DenseRepetition(n=2, penalty=-1.0, gamma=0.5)

    def test_streams_of_parts_and_of_nested_stacks(self):
        stack = rr.Stack({"own": self.DENSE, "inner": rr.Stack({"deep": self.DENSE})})
        scores = stack.score([self.REPEATED])
        assert {name: rows[0].tolist() for name, rows in scores.dense.items()} == {
            "own": [0.0, 0.0, -1.0, -1.0],
            "inner.deep": [0.0, 0.0, -1.0, -1.0],
        }
        assert scores.gammas == {"own": 0.5, "inner.deep": 0.5}

    def test_a_gate_shuts_the_stream_too(self):
        gated = self.DENSE.when(
            rr.each(lambda s: None if s.completion == "?" else len(s.completion))
        )
        batch = [
            self.REPEATED,
            rr.Sample("", token_ids=(1, 2, 1, 2)),
            rr.Sample("?", token_ids=(1,)),
        ]
        rows = rr.Stack({"gated": gated}).score(batch).dense["gated"]
        assert rows[0].tolist() == [0.0, 0.0, -1.0, -1.0]
        assert rows[1].tolist() == [0.0] * 4
        assert rows[2] is None

    def test_a_reward_without_a_stream_has_none_behind_a_gate(self):
        gated = LENGTH.when(ONE)
        assert not hasattr(gated, "dense")
        assert rr.Stack({"a": gated}).score(SAMPLES).dense == {}
        with pytest.raises(AttributeError, match="'nonsense'"):
            _ = gated.nonsense


class TestVerdicts:
    def test_a_completion_is_verified_once_however_many_parts_need_it(self, monkeypatch):
        calls = []
        grade = rr.Verifier.grade

        def counting(self, *args, **kwargs):
            calls.append(args)
            return grade(self, *args, **kwargs)

        monkeypatch.setattr(rr.Verifier, "grade", counting)
        stack = rr.Accuracy() + rr.CosineLength(max_length=100, length="words")
        scores = stack.score([rr.Sample(r"\boxed{4}", reference="4")] * 1)
        assert len(calls) == 1
        assert [bool(verdict) for verdict in scores.verdicts] == [True]


class TestFunctions:
    def test_each_lifts_a_function_of_one_sample(self):
        lifted = rr.each(is_long, name="long", bounds=(0.0, 1.0))
        assert lifted(SAMPLES) == [0.0, 1.0, 1.0]
        assert (lifted.name, lifted.bounds) == ("long", (0.0, 1.0))

    def test_reward_as_a_decorator_and_on_a_reward(self):
        decorated = rr.reward(length)
        assert decorated.name == "length"
        assert rr.reward(decorated) is decorated
        with pytest.raises(TypeError, match="function"):
            rr.reward("length")
        with pytest.raises(TypeError, match="function"):
            rr.each(3)

    def test_decorators_take_arguments(self):
        @rr.each(name="size", bounds=(0.0, 9.0))
        def counted(sample):
            return len(sample.completion)

        @rr.reward(grouped=True)
        def flat(batch):
            return [0.0] * len(batch)

        assert (counted.name, counted.bounds) == ("size", (0.0, 9.0))
        assert flat.grouped
        with pytest.raises(TypeError, match="a reward already"):
            rr.reward(rr.Accuracy(), name="x")

    def test_asynchronous_objects_are_awaited(self):
        class Judge:
            async def __call__(self, sample):
                return 1.0

        assert rr.each(Judge(), name="judge")(SAMPLES) == [1.0] * 3

    def test_decorated_functions_travel(self):
        for reward in (decorated, decorated_batch):
            assert pickle.loads(pickle.dumps(reward)) is reward
            assert pickle.loads(pickle.dumps(0.5 * reward))(SAMPLES) == [0.5, 0.5, 0.5]

    def test_module_functions_travel_and_lambdas_say_why_not(self):
        assert pickle.loads(pickle.dumps(rr.each(is_long)))(SAMPLES) == [0.0, 1.0, 1.0]
        for reward in (rr.each(lambda sample: 1.0), rr.reward(lambda batch: [1.0])):
            with pytest.raises(pickle.PicklingError, match="top level"):
                pickle.dumps(reward)

    def test_a_wrong_number_of_scores_names_the_function(self):
        with pytest.raises(ValueError, match="'<lambda>' returned 1 scores for 3"):
            rr.reward(lambda batch: [1.0])(SAMPLES)

    def test_a_subclass_must_say_how_it_scores(self):
        @dataclass(frozen=True)
        class Unfinished(Composable):
            pass

        with pytest.raises(TypeError, match="Unfinished defines no __call__"):
            Unfinished()(SAMPLES)


class TestWaiting:
    def test_rewards_that_wait_run_at_the_same_time(self):
        running, peak = 0, 0

        async def judge(batch):
            nonlocal running, peak
            running += 1
            peak = max(peak, running)
            await asyncio.sleep(0.05)
            running -= 1
            return [1.0] * len(batch)

        stack = rr.Stack({name: rr.reward(judge) for name in "abcde"} | {"length": LENGTH})
        assert asyncio.run(stack.ascore(SAMPLES)).totals() == [6.0, 7.0, 8.0]
        assert peak == 5

    def test_the_event_loop_stays_free_while_others_compute(self):
        ticks = []

        def busy(batch):
            time.sleep(0.1)
            return [1.0] * len(batch)

        async def main():
            async def ticker():
                while True:
                    ticks.append(threading.get_ident())
                    await asyncio.sleep(0.005)

            task = asyncio.create_task(ticker())
            await rr.reward(busy).named("busy").ascore(SAMPLES)
            task.cancel()

        asyncio.run(main())
        assert len(ticks) > 3

    def test_called_plainly_they_are_run_to_their_end(self):
        stack = rr.reward(slow_one) + 2 * rr.each(slow_length)
        assert stack.waits
        assert stack(SAMPLES) == [3.0, 5.0, 7.0]
        assert rr.each(slow_length)(SAMPLES) == [1.0, 2.0, 3.0]
        assert rr.reward(slow_one)(SAMPLES) == [1.0, 1.0, 1.0]

    def test_also_inside_a_running_loop(self):
        async def main():
            return (rr.reward(slow_one) + LENGTH)(SAMPLES)

        assert asyncio.run(main()) == [2.0, 3.0, 4.0]
        assert run_to_end(asyncio.sleep(0, "done")) == "done"

    def test_gates_and_nested_stacks_wait_too(self):
        gated = rr.each(slow_length).when(rr.reward(slow_one))
        stack = rr.Stack({"gated": gated, "inner": rr.reward(slow_one) + LENGTH})
        assert asyncio.run(stack.ascore(SAMPLES)).totals() == [3.0, 5.0, 7.0]
        assert asyncio.run(stack.acall(SAMPLES)) == [3.0, 5.0, 7.0]
        assert stack(SAMPLES) == [3.0, 5.0, 7.0]

    def test_columns_keep_the_order_of_the_parts(self):
        stack = rr.Stack(
            {"slow": rr.reward(slow_one), "quick": LENGTH, "later": rr.each(slow_length)}
        )
        assert list(asyncio.run(stack.ascore(SAMPLES)).columns) == ["slow", "quick", "later"]


class TestLaws:
    @given(st.permutations(range(4)))
    def test_permuting_the_batch_permutes_the_totals(self, order):
        batch = [rr.Sample(text, reference="4") for text in (r"\boxed{4}", "", "A: 4", "<think>")]
        stack = rr.Accuracy() + 0.5 * rr.ThinkFormat()
        totals = stack(batch)
        assert stack([batch[i] for i in order]) == [totals[i] for i in order]

    def test_fingerprints_tell_configurations_apart(self):
        stacks = [
            rr.Accuracy().named("a"),
            0.5 * rr.Accuracy().named("a"),
            rr.Accuracy(wrong=-1.0).named("a"),
            rr.Accuracy().named("b"),
            rr.Stack({"a": rr.Accuracy()}, missing="zero"),
            rr.Accuracy(verifier=rr.Verifier(lenient=True)).named("a"),
            rr.LinearSchedule(start=0.0, end=1.0, steps=2) * rr.Accuracy().named("a"),
        ]
        prints = [stack.fingerprint() for stack in stacks]
        assert len(set(prints)) == len(prints)
        assert prints == [pickle.loads(pickle.dumps(stack)).fingerprint() for stack in stacks]
        assert stacks[0].score(SAMPLES).fingerprint == prints[0]

    def test_equal_stacks_have_equal_fingerprints(self):
        assert rr.Stack({"a": (1, ONE)}).fingerprint() == rr.Stack({"a": (1.0, ONE)}).fingerprint()
        partials = [rr.reward(functools.partial(one), name="p").named("p") for _ in range(2)]
        assert partials[0].fingerprint() == partials[1].fingerprint()

    def test_no_fingerprint_depends_on_an_address(self):
        assert (
            rr.each(is_long).named("a").fingerprint() == rr.each(is_long).named("a").fingerprint()
        )
        for left, right in itertools.combinations((one, length), 2):
            prints = {rr.reward(f).named("a").fingerprint() for f in (left, right)}
            assert len(prints) == 2
