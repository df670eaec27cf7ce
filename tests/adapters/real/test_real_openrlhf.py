"""The OpenRLHF adapter under OpenRLHF's own rollout code.

OpenRLHF itself cannot be imported without CUDA builds of flash-attn, DeepSpeed and vLLM. Its files
`utils/agent.py` and `trainer/ppo_utils/samples_generator.py`, which call the rewards and turn them
into experiences, can: they are loaded from the installed package with stand-ins for what they
import from there, as OpenRLHF's own tests do.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import sys
import textwrap
import threading
import types
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

pytest.importorskip(
    "openrlhf", reason="needs OpenRLHF, in an environment of its own: make test-adapters"
)

import openrlhf as package
import torch
from adapters_stacks import stack

from rlrewards.adapters.openrlhf import reward_function, server

ROOT = Path(package.__path__[0])
END = "<|end|>"


class Experience(SimpleNamespace):
    """What a completion becomes."""


@pytest.fixture
def openrlhf(monkeypatch):
    """Return OpenRLHF's `agent` and `samples_generator` modules."""
    stand_ins = {
        "openrlhf": types.ModuleType("openrlhf"),
        "openrlhf.utils": types.ModuleType("openrlhf.utils"),
        "openrlhf.utils.logging_utils": SimpleNamespace(init_logger=logging.getLogger),
        "openrlhf.trainer.ppo_utils.experience": SimpleNamespace(Experience=Experience),
        "openrlhf.trainer.ray.vllm_engine": MagicMock(),
        "ray": MagicMock(),
        "vllm": MagicMock(),
        "tqdm": MagicMock(),
    }
    for name, module in stand_ins.items():
        monkeypatch.setitem(sys.modules, name, module)

    def load(name, path):
        spec = importlib.util.spec_from_file_location(name, ROOT / path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    agent = load("openrlhf.utils.agent", "utils/agent.py")
    samples = load("samples_generator", "trainer/ppo_utils/samples_generator.py")
    return SimpleNamespace(agent=agent, samples=samples)


class Tokenizer:
    """A tokenizer of characters."""

    def __call__(self, text, **kwargs):
        return {"input_ids": torch.tensor([[ord(letter) for letter in text]], dtype=torch.long)}

    def decode(self, ids, skip_special_tokens=False):
        return "".join(map(chr, ids))


class Engine:
    """An engine that always answers the same."""

    def __init__(self, text):
        self.text = text

    async def generate(self, token_ids, params, **kwargs):
        ids = [ord(letter) for letter in self.text]
        output = SimpleNamespace(token_ids=ids, text=self.text, finish_reason="stop", logprobs=None)
        return SimpleNamespace(outputs=[output])


def rolled_out(openrlhf, executor, prompt, completion, label):
    """Return the experience of one rollout, made by OpenRLHF."""
    parameters = SimpleNamespace(max_tokens=32, logprobs=None)
    response = asyncio.run(
        executor.execute(prompt, label, parameters, 64, Tokenizer(), Engine(completion))
    )
    generator = openrlhf.samples.SamplesGenerator.__new__(openrlhf.samples.SamplesGenerator)
    return generator._process_response_into_experience(response, max_len=64)


@pytest.fixture
def reward_file(tmp_path):
    path = tmp_path / "my_reward.py"
    path.write_text(
        textwrap.dedent(
            f"""
            from adapters_stacks import stack
            from rlrewards.adapters.openrlhf import reward_function

            reward_func = reward_function(stack, no_opinion=-0.5, eos_token={END!r})
            """
        )
    )
    return path


CASES = [
    ("four", "four", [1.2, 1.0, 4.0, 0.0]),
    ("one", "four", [0.3, 0.0, 3.0, 0.0]),
]


def check(experience, expected):
    reward, right, length, silent = expected
    assert experience.rewards.flatten().tolist() == pytest.approx([reward])
    assert experience.scores.flatten().tolist() == pytest.approx([reward])
    logged = {name: experience.info[name].flatten().tolist() for name in ("right", "length")}
    assert logged == {"right": [right], "length": [length]}
    assert experience.info["no_opinion"].flatten().tolist() == [silent]


@pytest.mark.parametrize(("completion", "label", "expected"), CASES)
def test_a_file_of_reward_func(openrlhf, reward_file, completion, label, expected):
    executor = openrlhf.agent.SingleTurnAgentExecutor(str(reward_file))
    check(rolled_out(openrlhf, executor, "2+2?", completion + END, label), expected)


@pytest.mark.parametrize(("completion", "label", "expected"), CASES)
def test_a_server(openrlhf, completion, label, expected):
    function = reward_function(stack, no_opinion=-0.5, eos_token=END)
    with server(function, port=0) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{listening.server_address[1]}/get_reward"
        executor = openrlhf.agent.SingleTurnAgentExecutor([url])
        experience = rolled_out(openrlhf, executor, "2+2?", completion + END, label)
        listening.shutdown()
        thread.join()
    check(experience, expected)


@pytest.mark.parametrize(("completion", "label", "expected"), CASES)
def test_an_agent(openrlhf, completion, label, expected):
    from rlrewards.adapters.openrlhf import agent_executor

    executor_class = agent_executor(stack, no_opinion=-0.5, eos_token=END)
    assert issubclass(executor_class, openrlhf.agent.AgentExecutorBase)
    experience = rolled_out(openrlhf, executor_class(), "2+2?", completion + END, label)
    check(experience, expected)


def test_no_opinion(openrlhf, reward_file):
    executor = openrlhf.agent.SingleTurnAgentExecutor(str(reward_file))
    experience = rolled_out(openrlhf, executor, "2+2?", "four" + END, None)
    assert experience.rewards.tolist() == [-0.5]
    assert experience.info["no_opinion"].tolist() == [1.0]
    assert experience.info["right"].isnan().all()


def test_an_exception_would_leave_the_completion_without_a_reward(openrlhf, tmp_path):
    """The reason for `no_opinion`: raising is swallowed, and the training ends elsewhere."""
    path = tmp_path / "raises.py"
    path.write_text("def reward_func(queries, prompts, labels): raise ValueError('no opinion')")
    executor = openrlhf.agent.SingleTurnAgentExecutor(str(path))
    experience = rolled_out(openrlhf, executor, "2+2?", "four", "4")
    assert experience.rewards is None


def test_a_prompt_that_was_cut(openrlhf, reward_file):
    executor = openrlhf.agent.SingleTurnAgentExecutor(str(reward_file))
    experience = rolled_out(openrlhf, executor, "x" * 40 + "2+2?", "four" + END, "four")
    assert experience.rewards.tolist() == pytest.approx([1.2])
