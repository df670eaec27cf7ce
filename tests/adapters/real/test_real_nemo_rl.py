"""The NeMo-RL adapter as the Ray actor that NeMo-RL makes of it.

NeMo-RL itself is not on PyPI. Its interfaces are written down here, in a package that actors can
import; Ray is the real one.
"""

from __future__ import annotations

import sys
import textwrap

import pytest

pytest.importorskip("ray", reason="needs Ray, in an environment of its own: make test-adapters")

import ray
import torch
from adapters_stacks import stack

from rlrewards.adapters.nemo_rl import PARTS, environment

INTERFACES = """
    import abc
    from typing import Any, NamedTuple

    class EnvironmentReturn(NamedTuple):
        observations: list
        metadata: list
        next_stop_strings: list
        rewards: Any
        terminateds: Any
        answers: list | None = None

    class EnvironmentInterface(abc.ABC):
        @abc.abstractmethod
        def step(self, message_log_batch, metadata): ...

        @abc.abstractmethod
        def global_post_process_and_metrics(self, batch): ...
"""


@pytest.fixture
def actor(tmp_path, monkeypatch):
    """Start Ray where `nemo_rl` can be imported, and return a function that makes the actor."""
    package = tmp_path / "nemo_rl" / "environments"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    (package / "interfaces.py").write_text(textwrap.dedent(INTERFACES))
    monkeypatch.syspath_prepend(tmp_path)
    paths = f"{tmp_path}:{next(path for path in sys.path if path.endswith('tests/adapters'))}"
    ray.init(num_cpus=1, include_dashboard=False, runtime_env={"env_vars": {"PYTHONPATH": paths}})

    def make(env_class, config):
        return ray.remote(max_restarts=-1)(env_class).options().remote(config)

    yield make
    ray.shutdown()
    for name in [name for name in sys.modules if name.split(".")[0] == "nemo_rl"]:
        del sys.modules[name]


def test_an_actor_scores_a_batch(actor):
    env = actor(environment(stack, no_opinion=-0.5), {"num_workers": 1})
    asked = {"role": "user", "content": "2 + 2?"}
    logs = [[asked, {"role": "assistant", "content": text}] for text in ("four", "one", "one")]
    truths = ["four", "four", None]
    result = ray.get(env.step.remote(logs, [{"ground_truth": truth} for truth in truths]))
    rewards = torch.stack(list(result.rewards))
    assert rewards.tolist() == pytest.approx([1.2, 0.3, -0.5])
    assert result.terminateds.bool().all()
    assert result.metadata[2][PARTS]["no_opinion"] == 1.0
    _, metrics = ray.get(
        env.global_post_process_and_metrics.remote({"extra_env_info": result.metadata})
    )
    assert metrics["length"] == pytest.approx(10 / 3)
