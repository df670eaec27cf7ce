"""The ms-swift adapter under ms-swift itself: its registry, its scoring, its advantages."""

from __future__ import annotations

import pytest

pytest.importorskip("swift", reason="needs ms-swift, in its own environment: make test-adapters")

import torch
from adapters_stacks import length, patient, right, stack
from swift.rewards import orms
from swift.rl_core.advantage import compute_advantages, compute_reward_metrics
from swift.rl_core.data import GRPOSample
from swift.rl_core.grpo_algorithm import score_completions

import rlrewards as rr
from rlrewards.adapters.ms_swift import register


@pytest.fixture(autouse=True)
def registry():
    before = dict(orms)
    yield orms
    orms.clear()
    orms.update(before)


def sample(completion, solution, prompt="?", ids=None):
    row = {
        "messages": [
            {"role": "user", "content": prompt},
            {"role": "assistant", "content": completion},
        ],
        "prompt_id": f"prompt_{prompt}",
        "finish_reason": "stop",
        "response_token_ids": [ids] if ids else [],
        "solution": solution,
    }
    return GRPOSample.from_row(row)


class State:
    global_step = 5


def scored(names, samples):
    """Make the ORMs from the registry, as the trainers do, and score with them."""
    functions = [orms[name](args=None) for name in names]
    device = torch.device("cpu")
    plugins = [None] * len(functions)
    return score_completions(samples, functions, plugins, False, device, trainer_state=State())


SAMPLES = [("four", "four"), ("one", "four"), ("?", None), ("four", "one")]


def test_rows_sum_to_the_total():
    names = register(stack)
    matrix = scored(names, [sample(*pair) for pair in SAMPLES[:2]])
    assert matrix.sum(1).tolist() == pytest.approx([1.2, 0.3])
    metrics = compute_reward_metrics(matrix.sum(1), matrix, names, 2, "group")
    assert metrics.per_func_mean == pytest.approx({"stack_right": 0.4, "stack_length": 0.35})


def test_swift_would_count_none_as_zero_and_the_group_mean_leaves_it_out():
    """The advantage of the completion is 0, and the others keep theirs of a group without it."""
    matrix = scored(register(stack), [sample(*pair) for pair in SAMPLES])
    weights = torch.ones(2)
    advantages, _ = compute_advantages(matrix, weights, 4, scale_rewards="none")
    without, _ = compute_advantages(matrix[[0, 1, 3]], weights, 3, scale_rewards="none")
    assert advantages[2].abs() < 1e-6
    assert advantages[[0, 1, 3]].tolist() == pytest.approx(without.tolist())

    silent = matrix.clone()
    silent[2] = torch.nan
    counted, rewards = compute_advantages(silent, weights, 4, scale_rewards="none")
    assert rewards[2] == 0
    assert counted[2] < -0.1


def test_a_number_instead():
    matrix = scored(register(stack, no_opinion=-1.0), [sample(*pair) for pair in SAMPLES])
    assert matrix.sum(1)[2] == -1.0


def test_stacks_that_wait_run_under_swifts_own_loop():
    matrix = scored(register(0.5 * patient + right), [sample(*pair) for pair in SAMPLES[:2]])
    assert matrix.tolist() == [[2.0, 1.0], [1.5, 0.0]]


def test_schedules_follow_swifts_step():
    names = register(rr.LinearSchedule(start=1.0, end=0.0, steps=10) * length)
    assert scored(names, [sample("four", "")]).tolist() == [[2.0]]


def test_what_swift_knows_of_a_completion_reaches_the_sample():
    seen = []

    @rr.each
    def looked(sample):
        seen.append(sample)
        return 1.0

    scored(register(looked), [sample("four", "4", ids=[7, 8])])
    [found] = seen
    assert (found.completion, found.prompt, found.reference) == ("four", "?", "4")
    assert list(found.token_ids) == [7, 8]
    assert found.truncated is False
    assert found.group == "prompt_?"


def test_swifts_own_rewards_are_not_replaced():
    with pytest.raises(ValueError, match="'accuracy' of its own"):
        register(rr.Accuracy(), prefix="")


def test_a_real_stack():
    names = register(0.8 * rr.Accuracy() + 0.2 * rr.ThinkAnswerFormat())
    right_one = "<think>2 + 2</think> <answer>4</answer>"
    matrix = scored(names, [sample(right_one, "4"), sample("<answer>5</answer>", "4")])
    assert matrix.sum(1).tolist() == pytest.approx([1.0, 0.0], abs=0.2)
    assert matrix[:, 0].tolist() == pytest.approx([0.8, 0.0])
