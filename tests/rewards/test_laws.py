"""The laws that hold for every reward; a new reward is a new line of `ALL_REWARDS`."""

import asyncio
import builtins
import copy
import math
import multiprocessing
import pickle
import random
import socket
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rlrewards as rr

ALL_REWARDS = [
    rr.Accuracy(),
    rr.Accuracy(correct=1.0, wrong=-1.0, undecided=0.0),
    rr.ChoiceAccuracy(),
    rr.ThinkFormat(),
    rr.ThinkFormat(prefilled_think=True),
    rr.ThinkAnswerFormat(),
    rr.ThinkAnswerFormat(mode="strict"),
    rr.TagCount(),
    rr.HuatuoFormat(),
    rr.GazalFormat(),
    rr.GazalFormat(parts=("final_answer",)),
    rr.CosineLength(max_length=32),
    rr.CosineLength.trl(max_length=8, length="words"),
    rr.SoftOverlong(max_length=20, buffer=10),
    rr.SoftOverlong(max_length=8, buffer=0, length="words"),
    rr.GroupLength(),
    rr.RepetitionPenalty(),
    rr.RepetitionPenalty(n=2, unit="tokens", max_penalty=-2.0, threshold=0.25),
    rr.DenseRepetition(n=2),
    rr.ReasoningSteps(),
    rr.ChainOfDraft(min_steps=2, max_words=3),
]
every_reward = pytest.mark.parametrize("reward", ALL_REWARDS, ids=repr)

PIECES = [
    *["<think>", "</think>", "<answer>", "</answer>", "## Thinking\n", "## Final Response\n\n"],
    *[
        "### Assessment\n",
        "### Final Answer\n",
        "\\boxed{B}",
        "\\boxed{4}",
        "The answer is 4.",
        "(B)",
    ],
    *[
        "A: 5",
        "#### 4",
        "1. add\n",
        "- halve\n",
        "Step 2: check\n",
        "First, we",
        "a b c ",
        "\n",
        "\r\n",
    ],
    *["", "\x00", "\ud800", "ß", "\u3000", "½"],
]
completions = st.lists(st.sampled_from(PIECES), max_size=8).map("".join) | st.text(max_size=20)
samples = st.builds(
    rr.Sample,
    completions,
    reference=st.sampled_from(["4", "B", ["5", "4"], None]),
    token_ids=st.lists(st.integers(0, 5), max_size=40),
    options=st.sampled_from([None, {"A": "4", "B": "five"}]),
    group=st.sampled_from(["p", "q"]),
)
batches = st.lists(samples, max_size=6)
few = settings(max_examples=20, deadline=None)  # a verdict may need a worker process

BATCH = [
    rr.Sample(text, reference, token_ids=[*range(n), *range(n)], group=n % 2)
    for n, (text, reference) in enumerate(
        [
            ("<think>2 + 2\nis 4</think>\n<answer>4</answer>", "4"),
            ("## Thinking\n\na\n\n## Final Response\n\n\\boxed{B}", "B"),
            ("1. add\n2. halve\n3. check\nThe answer is 5.", "4"),
            ("word after word after word after word", "4"),
            ("<think>a</think>\n### Assessment\nb\n### Final Answer\n\\boxed{C}", None),
            ("", "4"),
            ("\\boxed{\\frac12}", "0.5"),
            ("\ud800\x00", "\\frac{1}{3}"),
        ]
    )
]

HOSTILE = [
    "a" * 10**6,
    " " * 10**6,
    "\n" * 10**6,
    "\x00" * 10**6,
    "\ud800 " * 10**5,
    "<think>" * 10**5,
    "</think><answer>" * 10**5,
    "\\boxed{" * 10**5,
    "{" * 10**5,
    "**" * 10**5,
    "\n#### " * 10**5,
    "9" * 10**5,
    "\\boxed{9^{9^{9^9}}}",
]


def test_every_public_reward_is_in_the_table():
    known = {type(reward) for reward in ALL_REWARDS} | {rr.Stack}
    public = {value for name in rr._MODULE_OF if isinstance(value := getattr(rr, name), type)}
    assert {kind for kind in public if issubclass(kind, rr.stack.Composable)} <= known


@every_reward
def test_1_length_in_is_length_out(reward):
    @few
    @given(batches)
    def law(batch):
        assert len(reward(batch)) == len(batch)

    law()
    assert reward([]) == []


@every_reward
def test_2_and_3_finite_or_none_and_inside_bounds(reward):
    low, high = reward.bounds
    assert low <= high

    @few
    @given(batches)
    def law(batch):
        for score in reward(batch):
            assert score is None or (type(score) is float and math.isfinite(score))
            assert score is None or low <= score <= high
            assert score != 0 or math.copysign(1, score) == 1  # never −0.0

    law()


@every_reward
def test_4_permuting_the_batch_permutes_the_scores(reward):
    @few
    @given(batches.flatmap(lambda batch: st.permutations(list(enumerate(batch)))))
    def law(shuffled):
        batch = [sample for _, sample in sorted(shuffled, key=lambda item: item[0])]
        scores = reward(batch)
        assert reward([sample for _, sample in shuffled]) == [scores[i] for i, _ in shuffled]

    law()


@every_reward
def test_5_splitting_the_batch_changes_nothing(reward):
    """A grouped reward may be split between groups, a pointwise one anywhere."""

    @few
    @given(batches)
    def law(batch):
        parts = (
            {s.group: [] for s in batch} if reward.grouped else {i: [] for i in range(len(batch))}
        )
        for index, sample in enumerate(batch):
            parts[sample.group if reward.grouped else index].append(index)
        whole = reward(batch)
        for rows in parts.values():
            assert reward([batch[i] for i in rows]) == [whole[i] for i in rows]

    law()


@every_reward
def test_6_equal_samples_have_equal_scores(reward):
    @few
    @given(batches)
    def law(batch):
        scores = reward([*batch, *copy.deepcopy(batch)])
        assert scores[: len(batch)] == scores[len(batch) :]

    law()


@every_reward
def test_7_pickling_it_back_and_forth(reward):
    again = pickle.loads(pickle.dumps(reward))
    assert again == reward
    assert hash(again) == hash(reward)
    assert repr(again) == repr(reward)
    assert again(BATCH) == reward(BATCH)


@pytest.fixture(scope="module", params=["fork", "spawn"])
def pool(request):
    if request.param not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {request.param} on this platform")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONHASHSEED", "12345")  # a spawned process takes it up
        context = multiprocessing.get_context(request.param)
        with ProcessPoolExecutor(max_workers=1, mp_context=context) as executor:
            yield executor


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_8_the_same_in_another_process(pool):
    found = [pool.submit(reward, BATCH) for reward in ALL_REWARDS]
    for reward, future in zip(ALL_REWARDS, found, strict=True):
        assert future.result(timeout=120) == reward(BATCH), reward


@every_reward
def test_9_the_same_in_a_thread_and_in_an_event_loop(reward):
    async def inside():
        return reward(BATCH), await asyncio.to_thread(reward, BATCH)

    expected = reward(copy.deepcopy(BATCH))  # whose verdicts are not remembered
    with ThreadPoolExecutor() as threads:
        assert threads.submit(reward, copy.deepcopy(BATCH)).result() == expected
    assert asyncio.run(inside()) == (expected, expected)


@every_reward
def test_10_it_touches_nothing(reward, capfd, monkeypatch):
    def forbidden(*args, **kwargs):
        raise AssertionError("a reward opened a file or a socket")

    reward(BATCH)  # what is loaded at first use is loaded now
    capfd.readouterr()
    batch, fresh = copy.deepcopy(BATCH), copy.deepcopy(BATCH)
    states = random.getstate(), str(np.random.get_state())  # noqa: NPY002
    with monkeypatch.context() as patch:
        patch.setattr(builtins, "open", forbidden)
        patch.setattr(socket.socket, "connect", forbidden)
        reward(batch)
    assert batch == fresh
    assert (random.getstate(), str(np.random.get_state())) == states  # noqa: NPY002
    assert capfd.readouterr() == ("", "")


@every_reward
def test_11_bounded_time_on_any_input(reward):
    batch = [rr.Sample(text, "4", token_ids=[*text.encode("utf-32", "replace")][:10**5], group=0)
             for text in HOSTILE]  # fmt: skip
    started = time.perf_counter()
    assert len(reward(batch)) == len(HOSTILE)
    assert time.perf_counter() - started < 60  # seconds; something quadratic takes hours
