"""The OpenRLHF adapter against the contract of 0.11.2, called as its `SingleTurnAgentExecutor`."""

from __future__ import annotations

import asyncio
import json
import math
import pickle
import subprocess
import sys
import threading
import types
import urllib.error
import urllib.request

import pytest
from adapters_stacks import Recorder, fading, grouped, length, patient, right, stack

import rlrewards as rr
from rlrewards.adapters.openrlhf import agent_executor, completion_of, main, reward_function, server

END = "<|im_end|>"


def call_as_openrlhf(reward_func, prompt, completion, label):
    """Call with one completion, in a thread; return what becomes of it in an experience."""
    torch = pytest.importorskip("torch")
    queries, prompts, labels = [prompt + completion], [prompt], [label]

    async def fetch():
        return await asyncio.to_thread(reward_func, queries, prompts, labels)

    info = asyncio.run(fetch())
    score = info.get("scores") if info.get("scores") is not None else info.get("rewards")
    logs = {
        name: torch.tensor([value.flatten()[0].item()])
        for name, value in info["extra_logs"].items()
    }
    return torch.tensor([info["rewards"]]), torch.tensor([score]), logs


class TestRewardFunction:
    def test_the_reward_of_a_completion(self):
        rewards, scores, logs = call_as_openrlhf(
            reward_function(stack, no_opinion=0.0), "? ", "four", "four"
        )
        assert rewards.tolist() == scores.tolist() == pytest.approx([1.2])
        assert {name: value.item() for name, value in logs.items()} == {
            "right": 1.0,
            "length": 4.0,
            "no_opinion": 0.0,
        }

    def test_no_opinion_is_the_number_of_the_user_and_its_raw_part_is_nan(self):
        reward_func = reward_function(stack, no_opinion=-0.5)
        rewards, _, logs = call_as_openrlhf(reward_func, "? ", "four", None)
        assert rewards.tolist() == [-0.5]
        assert logs["no_opinion"].item() == 1.0
        assert math.isnan(logs["right"].item())

    def test_no_opinion_must_be_chosen(self):
        with pytest.raises(TypeError, match="no_opinion"):
            reward_function(stack)
        with pytest.raises(TypeError, match="must be a number, got None"):
            reward_function(stack, no_opinion=None)

    def test_an_empty_label_is_no_reference(self):
        """What OpenRLHF gives without `--data.label_key`."""
        reward_func = reward_function(rr.Accuracy(), no_opinion=0.25)
        assert reward_func.plain(["?The answer is 4."], ["?"], [""])["rewards"] == [0.25]

    def test_several_at_once(self):
        torch = pytest.importorskip("torch")
        reward_func = reward_function(length, no_opinion=0.0)
        found = reward_func(["?four", "?one"], ["?", "?"], ["", ""])
        assert torch.equal(found["rewards"], torch.tensor([4.0, 3.0]))
        assert torch.equal(found["extra_logs"]["length"], torch.tensor([4.0, 3.0]))
        assert reward_func.plain([], [], []) == {"rewards": [], "scores": [], "extra_logs": {}}

    def test_parts_that_wait(self):
        assert reward_function(patient, no_opinion=0.0).plain(["?four"], ["?"], [""])[
            "rewards"
        ] == [4.0]

    def test_it_travels_to_other_processes(self):
        original = reward_function(stack, no_opinion=0.0, eos_token=END)
        assert pickle.loads(pickle.dumps(original)) == original

    def test_refusals(self):
        with pytest.raises(ValueError, match="'group_length' compares .* OpenRLHF scores them one"):
            reward_function(grouped, no_opinion=0.0)
        with pytest.raises(ValueError, match="'length' follows a schedule, and OpenRLHF"):
            reward_function(fading, no_opinion=0.0)
        with pytest.raises(ValueError, match=r"'kl' would be logged .* metric_prefix='raw/'"):
            reward_function(length.named("kl"), no_opinion=0.0)
        with pytest.raises(ValueError, match="cannot be empty"):
            reward_function(stack, no_opinion=0.0, eos_token="")


class TestSamples:
    def sample(self, query, prompt, label, **options):
        seen = Recorder()
        reward_function(seen, no_opinion=0.0, **options).plain([query], [prompt], [label])
        return seen.samples[0]

    def test_the_prompt_is_taken_off_and_kept(self):
        sample = self.sample("2 + 2? four", "2 + 2?", "4")
        assert (sample.completion, sample.prompt, sample.reference) == (" four", "2 + 2?", "4")
        assert sample.truncated is None

    @pytest.mark.parametrize("tokens", [END, ["</s>", END]])
    def test_the_end_token_is_taken_off_and_tells_truncation(self, tokens):
        sample = self.sample(f"?four{END}", "?", "4", eos_token=tokens)
        assert (sample.completion, sample.truncated) == ("four", False)
        sample = self.sample("?fou", "?", "4", eos_token=tokens)
        assert (sample.completion, sample.truncated) == ("fou", True)

    def test_an_object_as_label_holds_several_columns(self):
        label = {"answer": "B", "choices": ["yes", "no"], "level": 3}
        sample = self.sample("?B", "?", label)
        assert (sample.reference, sample.options) == ("B", {"A": "yes", "B": "no"})
        assert sample.extra == {"level": 3}

    @pytest.mark.parametrize(
        ("query", "prompt", "completion"),
        [
            ("2 + 2? 4", "2 + 2?", " 4"),
            ("+ 2? 4", "2 + 2?", " 4"),  # cut from the left
            ("4", "2 + 2?", "4"),
            ("", "2 + 2?", ""),
            ("4", "", "4"),
            ("2 + 2?", "2 + 2?", ""),
        ],
    )
    def test_what_is_left_of_a_query(self, query, prompt, completion):
        assert completion_of(query, prompt) == completion


@pytest.fixture
def url():
    """Return the address of a server of the stack; requests are those of OpenRLHF's client."""
    with server(reward_function(stack, no_opinion=-0.5, eos_token=END), port=0) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_address[1]}/get_reward"
        listening.shutdown()
        thread.join()


def post(url, payload):
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            assert response.headers["Content-Type"] == "application/json"
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


class TestServer:
    def test_it_answers_as_openrlhfs_own_server(self, url):
        payload = {"query": [f"?four{END}", "?one"], "prompts": ["?", "?"], "labels": ["four", ""]}
        status, answer = post(url, payload)
        assert status == 200
        assert answer["rewards"] == answer["scores"] == pytest.approx([1.2, 0.3])
        assert answer["extra_logs"]["length"] == [4.0, 3.0]

    def test_no_opinion(self, url):
        status, answer = post(url, {"query": ["?x"], "prompts": ["?"], "labels": [None]})
        assert (status, answer["rewards"]) == (200, [-0.5])
        assert answer["extra_logs"]["no_opinion"] == [1.0]

    @pytest.mark.parametrize(
        ("payload", "told"),
        [
            (b"not JSON", "Expecting value"),
            ([], "expected a JSON object"),
            ({"query": ["?"], "prompts": ["?"]}, "expected a list under 'labels', got None"),
            ({"query": ["?"], "prompts": [], "labels": [""]}, "differ in length: 1, 0, 1"),
            ({"query": ["?x"], "prompts": ["?"], "labels": [[["a"]]]}, "reference is a list"),
            ({"query": [3], "prompts": ["?"], "labels": [""]}, "a list of texts under 'query'"),
        ],
    )
    def test_what_cannot_be_read_is_told(self, url, payload, told, capsys):
        status, answer = post(url, payload)
        assert status == 400
        assert told in answer["error"]

    def test_a_reward_that_fails_is_told(self, capsys):
        @rr.each
        def broken(sample):
            raise KeyError("weights")

        with server(reward_function(broken, no_opinion=0.0), port=0) as listening:
            thread = threading.Thread(target=listening.serve_forever)
            thread.start()
            address = f"http://127.0.0.1:{listening.server_address[1]}"
            status, answer = post(address, {"query": ["?"], "prompts": ["?"], "labels": [""]})
            listening.shutdown()
            thread.join()
        assert status == 500
        assert answer["error"].startswith("KeyError")

    def test_many_at_once(self, url):
        found = []

        def ask(text):
            payload = {"query": [f"?{text}"], "prompts": ["?"], "labels": [text]}
            found.append((text, post(url, payload)[1]["rewards"]))

        texts = ["a" * size for size in range(1, 9)]
        threads = [threading.Thread(target=ask, args=[text]) for text in texts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {text: rewards[0] for text, rewards in found} == pytest.approx(
            {text: 0.8 + 0.1 * len(text) for text in texts}
        )


class TestCommand:
    def test_it_serves_a_file_and_says_where(self, tmp_path):
        file, records = tmp_path / "stack.toml", tmp_path / "records.jsonl"
        rr.Stack({"accuracy": (1.0, rr.Accuracy())}).to_toml(file)
        command = [sys.executable, "-m", "rlrewards.adapters.openrlhf", str(file), "--port", "0"]
        options = ["--no-opinion", "0", "--eos-token", END, "--records", str(records)]
        with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as process:
            line = process.stdout.readline()
            address = line.split()[-1]
            payload = {"query": [f"?\\boxed{{4}}{END}"], "prompts": ["?"], "labels": ["4"]}
            assert post(address, payload)[1]["rewards"] == [1.0]
            process.kill()
        assert line.startswith("--reward.remote_url http://127.0.0.1:")
        assert json.loads(records.read_text())["completion"] == "\\boxed{4}"

    def test_what_is_missing_or_wrong_is_told_in_one_line(self, tmp_path, capsys):
        with pytest.raises(SystemExit):
            main([str(tmp_path / "none.toml"), "--no-opinion", "0"])
        assert "none.toml" in capsys.readouterr().err.splitlines()[-1]
        with pytest.raises(SystemExit):
            main(["stack.toml"])
        assert "--no-opinion" in capsys.readouterr().err


class TestAgent:
    @pytest.fixture
    def agent(self, monkeypatch):
        """Return a stand-in of `openrlhf.utils.agent`: an executor keeps its agent's class."""

        class AgentInstanceBase:
            async def reset(self, states, **kwargs):
                return states

        class MultiTurnAgentExecutor:
            def __init__(self, agent_instance_cls):
                assert issubclass(agent_instance_cls, AgentInstanceBase)
                self.agent_instance_cls = agent_instance_cls

        module = types.ModuleType("openrlhf.utils.agent")
        module.AgentInstanceBase = AgentInstanceBase
        module.MultiTurnAgentExecutor = MultiTurnAgentExecutor
        for name in ("openrlhf", "openrlhf.utils"):
            monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return module

    def step(self, executor, text, label):
        pytest.importorskip("torch")
        agent = executor().agent_instance_cls()
        states = {"observation_text": "?", "action_text": text, "label": label}
        return asyncio.run(agent.step(states))

    def test_a_turn_and_its_reward(self, agent):
        executor = agent_executor(stack, no_opinion=-0.5, eos_token=END)
        assert issubclass(executor, agent.MultiTurnAgentExecutor)
        result = self.step(executor, f"four{END}", "four")
        assert [result["rewards"].item(), result["scores"]] == pytest.approx([1.2, 1.2])
        assert (result["done"], result["environment_feedback"]) == (True, "")
        assert result["extra_logs"] == {"right": 1.0, "length": 4.0, "no_opinion": 0.0}

    def test_no_opinion(self, agent):
        result = self.step(agent_executor(stack, no_opinion=-0.5), "four", None)
        assert result["rewards"].item() == -0.5

    def test_parts_that_wait(self, agent):
        executor = agent_executor(0.5 * patient + right, no_opinion=0.0)
        assert self.step(executor, "four", "one")["rewards"].item() == 2.0

    def test_without_openrlhf(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "openrlhf", None)
        with pytest.raises(ImportError):
            agent_executor(stack, no_opinion=0.0)
