"""The TRL adapter: unit tests with its calls made by hand, then a real GRPOTrainer."""

from __future__ import annotations

import asyncio
import atexit
import importlib
import importlib.util
import json
import math
import os
import pickle
import statistics
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import rlrewards as rr
from rlrewards.adapters.trl import (
    AsyncRewardFunction,
    JsonlSink,
    reward_functions,
)
from rlrewards.core import Sample
from rlrewards.stack import Composable
from rlrewards.verify.verdict import Status, Verdict

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.* is deprecated:FutureWarning"),
]


def characters(sample: Sample) -> float:
    return float(len(sample.completion))


def exact(sample: Sample) -> float | None:
    return None if sample.reference is None else float(sample.completion == sample.reference)


length, right = rr.each(characters, name="length"), rr.each(exact, name="right")


@rr.each
async def patient(sample: Sample) -> float:
    await asyncio.sleep(0)
    return 1.0


class Recorder:
    """A reward that remembers the batches it saw."""

    __name__ = "recorder"

    def __init__(self) -> None:
        self.batches: list[list[Sample]] = []

    def __call__(self, batch: Any) -> list[float]:
        self.batches.append(list(batch))
        return [1.0] * len(batch)

    @property
    def samples(self) -> list[Sample]:
        return self.batches[-1]


def seen(completions: Any = ("x",), *, prompts: Any = None, **call: Any) -> list[Sample]:
    """Return the samples that the stack gets to see."""
    names = ("eos_token_id", "columns", "turn")
    options = {name: call.pop(name) for name in names if name in call}
    recorder = Recorder()
    [function] = reward_functions(recorder, **options)
    function(prompts=prompts or ["?"] * len(completions), completions=list(completions), **call)
    return recorder.samples


class TestWeightedParts:
    def test_each_row_sums_to_the_total(self) -> None:
        stack = 0.8 * right + 0.2 * length
        functions = reward_functions(stack)
        call = {"prompts": ["?", "?"], "completions": ["4", "five"], "reference": ["4", "4"]}
        assert [f.__name__ for f in functions] == ["right", "length"]
        assert functions[0](**call) == [0.8, 0.0]
        assert functions[1](**call) == pytest.approx([0.2, 0.8])

    def test_a_total_of_none_is_none_in_every_part(self) -> None:
        functions = reward_functions(0.8 * right + 0.2 * length)
        call = {"prompts": ["?", "?"], "completions": ["4", "5"], "reference": [None, "5"]}
        assert [f(**call) for f in functions] == [[None, 0.8], [None, 0.2]]

    def test_a_part_of_weight_zero_does_not_silence_the_row(self) -> None:
        functions = reward_functions(0 * right + length)
        call = {"prompts": ["?"], "completions": ["4"], "reference": [None]}
        assert [f(**call) for f in functions] == [[0.0], [1.0]]

    def test_missing_renormalize_spreads_the_weight(self) -> None:
        parts = {"right": (0.75, right), "length": (0.25, length)}
        functions = reward_functions(rr.Stack(parts, missing="renormalize"))
        call = {"prompts": ["?"], "completions": ["four"], "reference": [None]}
        assert [f(**call) for f in functions] == [[0.0], [4.0]]

    def test_any_reward_is_a_stack_of_one_part(self) -> None:
        [function] = reward_functions(length)
        assert function(prompts=["?"], completions=["abc"]) == [3.0]

    def test_an_empty_batch(self) -> None:
        [function] = reward_functions(length)
        assert function(prompts=[], completions=[]) == []

    def test_the_step_drives_schedules(self) -> None:
        [function] = reward_functions(rr.LinearSchedule(start=0, end=1, steps=10) * length)
        call = {"prompts": ["?"], "completions": ["x"]}
        assert function(**call) == [0.0]
        assert function(**call, trainer_state=SimpleNamespace(global_step=5)) == [0.5]


class TestOneScoring:
    def test_a_batch_is_scored_once_for_all_parts(self) -> None:
        recorder = Recorder()
        functions = reward_functions(_with(recorder, length))
        call = {"prompts": ["?"], "completions": ["x"], "reference": ["y"]}
        for function in functions:
            function(**call)
        assert len(recorder.batches) == 1

    def test_the_next_batch_is_scored_again(self) -> None:
        recorder = Recorder()
        functions = reward_functions(_with(recorder, length))
        for completion in ("a", "b", "a"):
            call = {"prompts": ["?"], "completions": [completion]}
            for function in functions:
                function(**call)
        assert [batch[0].completion for batch in recorder.batches] == ["a", "b", "a"]

    def test_other_references_for_the_same_lists_are_another_batch(self) -> None:
        first, second = reward_functions(right + length)
        prompts, completions = ["?"], ["4"]
        assert first(prompts=prompts, completions=completions, reference=["4"]) == [1.0]
        assert first(prompts=prompts, completions=completions, reference=["5"]) == [0.0]
        assert second(prompts=prompts, completions=completions, reference=["5"]) == [1.0]

    def test_another_step_is_another_batch(self) -> None:
        functions = reward_functions(rr.LinearSchedule(start=0, end=1, steps=2) * (right + length))
        call: dict[str, Any] = {"prompts": ["?"], "completions": ["4"], "reference": ["4"]}
        early, late = SimpleNamespace(global_step=0), SimpleNamespace(global_step=2)
        assert functions[0](**call, trainer_state=early) == [0.0]
        assert functions[1](**call, trainer_state=late) == [1.0]

    def test_a_function_that_asks_twice_has_the_batch_scored_anew(self) -> None:
        first, _ = reward_functions(right + length)
        completions = ["4"]
        call = {"prompts": ["?"], "completions": completions, "reference": ["4"]}
        assert first(**call) == [1.0]
        completions[0] = "5"
        assert first(**call) == [0.0]

    def test_nothing_is_kept_once_every_part_is_served(self) -> None:
        functions = reward_functions(right + length)
        call = {"prompts": ["?"], "completions": ["4"]}
        for function in functions:
            function(**call)
        assert functions[0].scoring._state.slot is None

    def test_a_failed_scoring_is_not_remembered(self) -> None:
        @rr.each
        def fails_once(sample: Sample) -> float:
            calls.append(sample)
            if len(calls) == 1:
                raise OSError("no judge")
            return 1.0

        calls: list[Sample] = []
        functions = reward_functions(fails_once + length)
        call = {"prompts": ["?"], "completions": ["x"]}
        with pytest.raises(OSError, match="no judge"):
            functions[0](**call)
        assert [f(**call) for f in functions] == [[1.0], [1.0]]

    def test_threads_that_ask_at_once_share_the_scoring(self) -> None:
        recorder = Recorder()
        parts = {f"part{i}": length for i in range(8)}
        functions = reward_functions(rr.Stack({"recorder": recorder, **parts}))
        call = {"prompts": ["?"], "completions": ["xy"]}
        barrier = threading.Barrier(len(functions))

        def ask(function: Callable[..., Any]) -> Any:
            barrier.wait()
            return function(**call)

        with ThreadPoolExecutor(len(functions)) as pool:
            results = list(pool.map(ask, functions))
        assert results == [[1.0]] + [[2.0]] * 8
        assert len(recorder.batches) == 1


def _with(recorder: Recorder, other: Any) -> rr.Stack:
    return rr.Stack({"recorder": recorder, "other": other})


class TestLogging:
    def logged(self, stack: Any, **call: Any) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {}
        options = {"metric_prefix": call.pop("metric_prefix", "")}
        for function in reward_functions(stack, **options):
            function(log_metric=lambda k, v: found.setdefault(k, []).append(v), **call)
        return found

    def test_raw_means_are_logged_once_under_the_parts_names(self) -> None:
        call = {"prompts": ["?"] * 2, "completions": ["4", "555"], "reference": ["4", "4"]}
        assert self.logged(0.8 * right + 0.1 * length, **call) == {"right": [0.5], "length": [2.0]}

    def test_samples_without_an_opinion_are_left_out(self) -> None:
        call = {"prompts": ["?"] * 2, "completions": ["4", "5"], "reference": [None, "5"]}
        assert self.logged(right + length, **call) == {"right": [1.0], "length": [1.0]}
        assert self.logged(right + length, **call | {"reference": [None, None]}) == {
            "length": [1.0]
        }

    def test_parts_of_a_nested_stack_have_dotted_names(self) -> None:
        stack = length + (0.5 * right).named("inner")
        call = {"prompts": ["?"], "completions": ["4"], "reference": ["4"]}
        assert self.logged(stack, **call) == {"length": [1.0], "inner": [0.5], "inner.right": [1.0]}

    def test_a_name_that_trl_logs_itself_is_refused_unless_prefixed(self) -> None:
        stack = rr.Stack({"reward": length})
        with pytest.raises(ValueError, match=r"'reward'.*metric_prefix='raw/'"):
            reward_functions(stack)
        call = {"prompts": ["?"], "completions": ["4"], "metric_prefix": "raw/"}
        assert self.logged(stack, **call) == {"raw/reward": [1.0]}

    def test_verdicts_are_counted_and_stand_in_the_table_of_completions(self) -> None:
        metrics: dict[str, float] = {}
        extra: dict[str, list[Any]] = {}
        for function in reward_functions(Checked() + length):
            function(
                prompts=["?"] * 4,
                completions=["EQUAL", "UNDECIDED", "NO_ANSWER", "NO_ANSWER"],
                log_metric=metrics.__setitem__,
                log_extra=extra.__setitem__,
            )
        assert extra == {"verdict": ["EQUAL", "UNDECIDED", "NO_ANSWER", "NO_ANSWER"]}
        assert {k: v for k, v in metrics.items() if k.startswith("verdict")} == {
            "verdict/NO_ANSWER": 0.5,
            "verdict/NO_REFERENCE": 0.0,
            "verdict/UNDECIDED": 0.25,
        }

    def test_a_stack_that_verifies_nothing_adds_no_verdict_column(self) -> None:
        extra: dict[str, list[Any]] = {}
        [function] = reward_functions(length)
        function(prompts=["?"], completions=["x"], log_extra=extra.__setitem__)
        assert extra == {}


@dataclass(frozen=True)
class StubVerifier:
    """Its verdict is the status that the completion names."""

    def verdict(self, sample: Sample) -> Verdict:
        return sample.recall(self, lambda s: Verdict(Status(s.completion), why="stub"))


@dataclass(frozen=True, repr=False, kw_only=True)
class Checked(Composable):
    verifier: StubVerifier = StubVerifier()

    def __call__(self, batch: Any, /) -> list[float | None]:
        return [
            None if verdict.status is Status.UNDECIDED else float(bool(verdict))
            for verdict in map(self.verifier.verdict, batch)
        ]


class TestUndecided:
    def functions(self, **options: Any) -> Callable[..., Any]:
        [function] = reward_functions(Checked(), **options)
        return function

    def test_warns_once_when_the_share_exceeds_the_threshold(self) -> None:
        function = self.functions()
        call = {"prompts": ["?"] * 64, "completions": ["EQUAL"] * 56 + ["UNDECIDED"] * 8}
        with pytest.warns(RuntimeWarning, match="12% of the last 64 verdicts are UNDECIDED"):
            function(**call)
        function(**call)  # warnings are errors here

    def test_is_silent_below_the_threshold_on_few_verdicts_and_when_off(self) -> None:
        call = {"prompts": ["?"] * 64, "completions": ["EQUAL"] * 63 + ["UNDECIDED"]}
        self.functions()(**call)
        self.functions()(prompts=["?"] * 63, completions=["UNDECIDED"] * 63)
        undecided = {"prompts": ["?"] * 64, "completions": ["UNDECIDED"] * 64}
        self.functions(undecided_warning=None)(**undecided)

    def test_the_window_forgets(self) -> None:
        function = self.functions(undecided_warning=0.5)
        for _ in range(8):
            function(prompts=["?"] * 64, completions=["EQUAL"] * 64)
        function(prompts=["?"] * 256, completions=["UNDECIDED"] * 256)  # exactly half: silent
        with pytest.warns(RuntimeWarning, match="UNDECIDED"):
            function(prompts=["?"], completions=["UNDECIDED"])


class TestSink:
    def test_gets_one_record_for_each_completion(self) -> None:
        batches: list[list[dict[str, Any]]] = []
        functions = reward_functions(0.5 * Checked() + length, verdict_sink=batches.append)
        call = {"prompts": ["2 + 2?"], "completions": ["EQUAL"], "reference": ["4"]}
        for function in functions:
            function(**call, trainer_state=SimpleNamespace(global_step=7))
        [[record]] = batches
        assert record == {
            "step": 7,
            "prompt": "2 + 2?",
            "completion": "EQUAL",
            "reference": "4",
            "truncated": None,
            "checked": 1.0,
            "length": 5.0,
            "total": 5.5,
            "verdict_status": "EQUAL",
            "verdict_tier": None,
            "verdict_answer": None,
            "verdict_why": "stub",
            "fingerprint": functions[0].scoring.stack.fingerprint(),
        }

    def test_jsonl_sink_appends(self, tmp_path: Path) -> None:
        path = tmp_path / "records.jsonl"
        [function] = reward_functions(length, verdict_sink=JsonlSink(path))
        for completion in ("a", "bb"):
            function(prompts=["?"], completions=[completion])
        lines = path.read_text(encoding="utf-8").splitlines()
        assert [json.loads(line)["total"] for line in lines] == [1.0, 2.0]


class TestTexts:
    TURNS = (
        {"role": "assistant", "content": "Let me look.", "tool_calls": [{"type": "function"}]},
        {"role": "tool", "name": "search", "content": "\\boxed{7}"},
        {"role": "assistant", "reasoning_content": "4?", "content": "It is 4."},
    )

    @pytest.mark.parametrize(
        ("turn", "text"),
        [
            ("last", "<think>4?</think>It is 4."),
            ("all", "Let me look.\n\n<think>4?</think>It is 4."),
            (0, "Let me look."),
        ],
    )
    def test_the_graded_turn_is_a_choice(self, turn: Any, text: str) -> None:
        assert seen([list(self.TURNS)], turn=turn)[0].completion == text

    @pytest.mark.parametrize("turn", ["first", None, 1.5, True])
    def test_an_unknown_turn_is_refused(self, turn: Any) -> None:
        with pytest.raises(ValueError, match="turn="):
            reward_functions(length, turn=turn)

    def test_the_prompt_is_what_the_user_asked_last(self) -> None:
        chat = [
            {"role": "user", "content": "1 + 1?"},
            {"role": "user", "content": [{"type": "text", "text": "2 + 2?"}]},
        ]
        assert seen(prompts=[chat])[0].prompt == "2 + 2?"


class TestTokens:
    def test_ids_are_passed_on(self) -> None:
        [sample] = seen(completion_ids=[[5, 6, 2]])
        assert sample.token_ids == [5, 6, 2]
        assert seen()[0].token_ids is None

    @pytest.mark.parametrize(
        ("eos", "ids", "truncated"),
        [
            (2, [5, 2], False),
            (2, [5, 6], True),
            (2, [2, 6], True),
            ((2, 3), [5, 3], False),
            ([2, 3], [5, 4], True),
            (2, [], None),
            (None, [5, 6], None),
        ],
    )
    def test_truncated(self, eos: Any, ids: list[int], truncated: bool | None) -> None:
        assert seen(eos_token_id=eos, completion_ids=[ids])[0].truncated is truncated

    def test_truncated_is_unknown_without_ids(self) -> None:
        assert seen(eos_token_id=2)[0].truncated is None


class TestColumns:
    @pytest.mark.parametrize("name", ["reference", "answer", "ground_truth", "solution"])
    def test_the_usual_names_of_the_reference(self, name: str) -> None:
        [sample] = seen(**{name: ["4"]})
        assert (sample.reference, sample.extra) == ("4", {})

    def test_the_first_of_the_usual_names_counts(self) -> None:
        [sample] = seen(solution=["2 + 2 is 4"], answer=["4"])
        assert (sample.reference, sample.extra) == ("4", {"solution": "2 + 2 is 4"})

    def test_a_mapped_column_counts_alone(self) -> None:
        [sample] = seen(columns={"reference": "gold"}, answer=["long"], gold=["4"])
        assert (sample.reference, sample.extra) == ("4", {"answer": "long"})

    def test_all_fields_can_be_mapped(self) -> None:
        mapped = {"reference": "r", "options": "o", "group": "g", "prompt": "q", "truncated": "t"}
        [sample] = seen(columns=mapped, r=["A"], o=[["x", "y"]], g=[17], q=["Which?"], t=[True])
        assert sample == Sample("x", "A", "Which?", None, {"A": "x", "B": "y"}, 17, True)

    def test_further_columns_are_extra(self) -> None:
        environments = [object()]
        [sample] = seen(level=["hard"], environments=environments, some_flag=True, note="text")
        assert sample.extra == {"level": "hard", "environments": environments[0]}

    def test_a_mapped_column_that_is_not_there(self) -> None:
        with pytest.raises(ValueError, match=r"reference to 'gold'.*columns there: answer, level"):
            seen(columns={"reference": "gold"}, answer=["4"], level=["hard"])

    def test_an_unknown_field(self) -> None:
        with pytest.raises(ValueError, match=r"'refrence'.*reference, options, group"):
            reward_functions(length, columns={"refrence": "gold"})

    def test_references_and_options_are_read(self) -> None:
        [sample] = seen(answer=[["4", 5]], choices=[{"label": ["1", "2"], "text": ["x", "y"]}])
        assert (sample.reference, sample.options) == (("4", "5"), {"1": "x", "2": "y"})
        assert seen(answer=[float("nan")])[0].reference is None

    @pytest.mark.parametrize("columns", [{"answer": [{"value": "4"}]}, {"options": ["yes"]}])
    def test_what_cannot_be_read_is_an_error(self, columns: Any) -> None:
        with pytest.raises(ValueError, match=r"expected .*; say which column holds it: columns="):
            seen(**columns)


class TestGroups:
    def groups(self, **call: Any) -> list[Any]:
        count = len(call["prompts"])
        return [sample.group for sample in seen(["x"] * count, **call)]

    def test_completions_of_one_question_are_a_group(self) -> None:
        a, b, c, d = self.groups(prompts=["p", "p", "q", "p"], answer=["1", "1", "1", "2"])
        assert a == b
        assert len({a, c, d}) == 3

    def test_options_and_earlier_messages_tell_questions_apart(self) -> None:
        a, b = self.groups(prompts=["p", "p"], options=[["x", "y"], ["y", "x"]])
        assert a != b
        user = {"role": "user", "content": "Which?"}
        a, b, c = self.groups(
            prompts=[
                [{"role": "system", "content": "One."}, user],
                [{"role": "system", "content": "Two."}, user],
                [{"role": "system", "content": "Two."}, dict(user)],
            ]
        )
        assert a != b
        assert b == c

    def test_a_column_can_say_it(self) -> None:
        call = {"columns": {"group": "id"}, "prompts": ["p", "p"], "id": [1, 2]}
        assert self.groups(**call) == [1, 2]


class TestPickle:
    def test_functions_travel_together_and_still_share(self) -> None:
        functions = pickle.loads(pickle.dumps(reward_functions(0.8 * right + 0.2 * length)))
        assert [f.__name__ for f in functions] == ["right", "length"]
        assert functions[0].scoring is functions[1].scoring
        call = {"prompts": ["?"], "completions": ["4"], "reference": ["4"]}
        assert [f(**call) for f in functions] == [[0.8], [0.2]]

    def test_the_batch_in_hand_does_not_travel(self) -> None:
        functions = reward_functions(right + length)
        functions[0](prompts=["?"], completions=["4"], secret=["only here"])
        assert b"only here" not in pickle.dumps(functions)

    def test_functions_are_values(self) -> None:
        first = reward_functions(right + length, columns={"reference": "gold"})
        second = reward_functions(right + length, columns={"reference": "gold"})
        assert first == second
        assert hash(first[0]) == hash(second[0])
        assert first[0] != first[1]

    def test_a_lambda_is_refused(self) -> None:
        functions = reward_functions(rr.each(lambda sample: 1.0))
        with pytest.raises(pickle.PicklingError, match="def"):
            pickle.dumps(functions)


class TestAsync:
    def test_a_stack_that_waits_gives_coroutines(self) -> None:
        assert isinstance(reward_functions(patient)[0], AsyncRewardFunction)
        assert not isinstance(reward_functions(length)[0], AsyncRewardFunction)
        assert isinstance(reward_functions(length, asynchronous=True)[0], AsyncRewardFunction)

    def test_functions_awaited_at_once_share_one_scoring(self) -> None:
        recorder = Recorder()
        stack = rr.Stack({"recorder": recorder, "patient": (0.5, patient), "length": length})
        functions = reward_functions(stack)
        call = {"prompts": ["?"], "completions": ["xyz"]}

        async def trainer() -> list[Any]:
            return await asyncio.gather(*(function(**call) for function in functions))

        assert asyncio.run(trainer()) == [[1.0], [0.5], [3.0]]
        assert asyncio.run(trainer()) == [[1.0], [0.5], [3.0]]
        assert len(recorder.batches) == 2

    def test_a_batch_half_served_in_a_loop_that_is_gone(self) -> None:
        functions = reward_functions(patient + length)
        call = {"prompts": ["?"], "completions": ["x"]}
        assert asyncio.run(functions[0](**call)) == [1.0]
        assert asyncio.run(functions[1](**call)) == [1.0]

    def test_an_error_reaches_every_function(self) -> None:
        async def broken(batch: Any) -> list[float]:
            raise OSError("no judge")

        functions = reward_functions(rr.Stack({"broken": broken, "length": length}))
        call = {"prompts": ["?"], "completions": ["x"]}

        async def trainer() -> list[Any]:
            coroutines = (function(**call) for function in functions)
            return await asyncio.gather(*coroutines, return_exceptions=True)

        assert [str(result) for result in asyncio.run(trainer())] == ["no judge"] * 2

    def test_a_cancelled_function_does_not_take_the_others_along(self) -> None:
        first, second = reward_functions(patient + length)
        call = {"prompts": ["?"], "completions": ["x"]}

        async def trainer() -> Any:
            cancelled = asyncio.create_task(first(**call))
            other = asyncio.create_task(second(**call))
            await asyncio.sleep(0)
            cancelled.cancel()
            return await other

        assert asyncio.run(trainer()) == [1.0]

    def test_synchronous_functions_of_a_stack_that_waits(self) -> None:
        functions = reward_functions(patient + length, asynchronous=False)
        call = {"prompts": ["?"], "completions": ["x"]}
        assert [function(**call) for function in functions] == [[1.0], [1.0]]


class TestConstruction:
    def test_an_empty_stack(self) -> None:
        with pytest.raises(ValueError, match="no parts"):
            reward_functions(rr.Stack({}))

    def test_not_a_reward(self) -> None:
        with pytest.raises(TypeError, match="expected a stack"):
            reward_functions(0.5)  # type: ignore[arg-type]


def test_the_module_needs_neither_torch_nor_trl() -> None:
    code = (
        "import sys, rlrewards.adapters.trl\n"
        "heavy = {'torch', 'trl', 'transformers', 'numpy', 'datasets'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=_environment())


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}


# ---------------------------------------------------------------------------------------------
# Several processes

WORKER = textwrap.dedent(
    """
    import asyncio, json, sys
    import torch.distributed as dist
    import rlrewards as rr
    from rlrewards.adapters.trl import reward_functions

    rank, world, store = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=world)

    sizes = []

    def above_group_mean(batch):
        sizes.append(len(batch))
        groups = {}
        for sample in batch:
            groups.setdefault(sample.group, []).append(len(sample.completion))
        means = {key: sum(value) / len(value) for key, value in groups.items()}
        return [len(sample.completion) - means[sample.group] for sample in batch]

    prompts = ["a"] * 3 + ["b"] * 3 + ["c"] * 2
    completions = ["x" * n for n in (1, 2, 3, 4, 5, 9, 7, 8)]
    mine = slice(rank * 4, rank * 4 + 4)
    records = []
    grouped = rr.reward(above_group_mean, grouped=True)
    stack = rr.Stack({"grouped": grouped, "plain": rr.each(lambda sample: 1.0)})
    functions = reward_functions(stack, verdict_sink=records.extend)
    call = {"prompts": prompts[mine], "completions": completions[mine]}
    scores = [function(**call) for function in functions][0]
    unshared = {"prompts": ["z%d" % rank] * 2, "completions": ["x", "xxx"]}
    assert functions[0](**unshared) == [-1.0, 1.0]
    try:
        asyncio.run(reward_functions(stack, asynchronous=True)[0](**call))
    except RuntimeError as error:
        refusal = str(error)
    found = {"scores": scores, "sizes": sizes, "records": len(records), "refusal": refusal}
    print(json.dumps(found))
    dist.destroy_process_group()
    """
)


def test_a_group_that_straddles_processes_is_scored_as_one(tmp_path: Path) -> None:
    script = tmp_path / "worker.py"
    script.write_text(WORKER, encoding="utf-8")
    processes = [
        subprocess.Popen(
            [sys.executable, str(script), str(rank), "2", str(tmp_path / "store")],
            stdout=subprocess.PIPE,
            text=True,
            env=_environment(),
        )
        for rank in range(2)
    ]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    first, second = (json.loads(output.splitlines()[-1]) for output in outputs)

    # a: 1 2 3 (mean 2), b: 4 | 5 9 (mean 6), c: 7 8 (mean 7.5)
    assert first["scores"] == [-1.0, 0.0, 1.0, -2.0]
    assert second["scores"] == [-1.0, 3.0, -0.5, 0.5]
    assert first["sizes"] == [6, 2]  # its own four and the two of b that the other holds
    assert second["sizes"] == [5, 2]
    assert (first["records"], second["records"]) == (6, 6)  # of its own completions only
    for result in (first, second):  # asynchronous functions refuse what they cannot gather
        assert "asynchronous=False" in result["refusal"]


# ---------------------------------------------------------------------------------------------
# The real trainer


@rr.each
def opinionated(sample: Sample) -> float | None:
    """No opinion on odd answers, nor on a quarter of the others; else something that varies."""
    total = sum(sample.token_ids or ())
    return None if int(str(sample.reference)) % 2 or total % 4 == 0 else total % 7 + 1.0


@rr.each
def constant(sample: Sample) -> float:
    return 2.0


@pytest.fixture(scope="module")
def example() -> Any:
    spec = importlib.util.spec_from_file_location(
        "quickstart_grpo", ROOT / "examples" / "quickstart_grpo.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def single_thread() -> Iterator[None]:
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.usefixtures("single_thread")
def test_grpo_trainer(example: Any, tmp_path: Path, asynchronous: bool) -> None:
    trl = pytest.importorskip("trl")
    from datasets import Dataset
    from transformers import set_seed

    set_seed(0)
    tokenizer = example.build_tokenizer()
    records: list[dict[str, Any]] = []
    stack = rr.Stack(
        {
            "opinionated": (rr.LinearSchedule(start=0.5, end=1.5, steps=2), opinionated),
            "constant": (0.25, constant),
        }
    )
    questions = [{"prompt": f"{a} + 1 =", "answer": a + 1} for a in (1, 2, 3, 4)]
    trainer = trl.GRPOTrainer(
        model=example.build_model(tokenizer),
        processing_class=tokenizer,
        reward_funcs=reward_functions(
            stack,
            eos_token_id=tokenizer.eos_token_id,
            verdict_sink=records.extend,
            asynchronous=asynchronous,
        ),
        train_dataset=Dataset.from_list(questions),
        args=trl.GRPOConfig(
            output_dir=str(tmp_path),
            max_steps=2,
            per_device_train_batch_size=16,
            num_generations=4,
            max_completion_length=6,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
        ),
    )
    assert trainer.reward_weights.tolist() == [1.0, 1.0]
    trainer.train()
    if asynchronous:  # TRL leaves its event loop open until the interpreter ends
        utils = importlib.import_module("trl.trainer.utils")
        atexit.unregister(utils.shutdown_event_loop_in_daemon)
        utils.shutdown_event_loop_in_daemon(trainer.async_loop_thread, trainer.async_loop)
        trainer.async_loop.close()

    logs = [row for row in trainer.state.log_history if "reward" in row]
    assert len(logs) == 2
    for step, (row, weight) in enumerate(zip(logs, (0.5, 1.0), strict=True)):
        batch = [record for record in records if record["step"] == step]
        assert len(batch) == 16
        told = [record for record in batch if record["total"] is not None]
        assert {record["reference"] for record in batch} == {"2", "3", "4", "5"}
        assert {record["reference"] for record in told} == {"2", "4"}
        raw = sum(record["opinionated"] for record in told) / len(told)
        assert row["opinionated"] == pytest.approx(raw)
        assert row["constant"] == pytest.approx(2.0)  # raw, over all sixteen
        assert row["rewards/opinionated/mean"] == pytest.approx(weight * raw)
        assert row["rewards/constant/mean"] == pytest.approx(0.5)
        assert row["reward"] == pytest.approx(weight * raw + 0.5)

    # TRL's table of the last step: None stayed None, and such a row moves nothing.
    table = trainer._logs
    rows = list(zip(*(table["rewards"][name] for name in table["rewards"]), strict=True))[-16:]
    totals = [record["total"] for record in records[-16:]]
    for (first, second), total in zip(rows, totals, strict=True):
        if total is None:
            assert math.isnan(first)
            assert math.isnan(second)
        else:
            assert first + second == pytest.approx(total)
    advantages = [a for start in range(0, 16, 4) for a in _advantages(totals[start : start + 4])]
    assert list(table["advantages"])[-16:] == pytest.approx(advantages, abs=1e-4)
    assert any(advantages)
    assert {record["truncated"] for record in records} <= {True, False}


def _advantages(totals: list[float | None]) -> list[float]:
    """GRPO's, over the completions of a prompt that have a total; 0 for the others."""
    told = [total for total in totals if total is not None]
    if len(told) < 2:
        return [0.0] * len(totals)
    mean, deviation = statistics.mean(told), statistics.stdev(told)
    return [0.0 if total is None else (total - mean) / (deviation + 1e-4) for total in totals]
