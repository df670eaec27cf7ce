"""Sampling by vLLM: what it is told, through stand-ins with its documented names. It needs a GPU."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("transformers")
pytest.importorskip("torch")

from examples.common import evaluation, generation, models, vllm_engine
from examples.common.commands import Run
from examples.common.generation import Completion, Sampling
from examples.common.settings import EvaluationSettings, ModelSettings, Settings

PROMPTS = [[{"role": "user", "content": f"{n} + 1 ="}] for n in (1, 1, 2)]


class Engine:
    """Answers every prompt by its length; the last runs out of room."""

    made: list[Engine]

    def __init__(self, **arguments: Any) -> None:
        self.arguments = arguments
        self.asked: list[tuple[Any, ...]] = []
        self.made.append(self)

    def generate(self, prompts: Any, sampling: Any, *, lora_request: Any = None) -> list[Any]:
        self.asked.append((prompts, sampling, lora_request))
        reasons = ["stop"] * (len(prompts) - 1) + ["length"]
        return [
            SimpleNamespace(
                outputs=[SimpleNamespace(text="two", token_ids=(5, 6), finish_reason=reason)]
            )
            for reason in reasons
        ]


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[Engine]:
    """Stand-ins for vLLM's modules, and the engines that were made of them."""
    vllm, lora, request = (ModuleType(n) for n in ("vllm", "vllm.lora", "vllm.lora.request"))
    made: list[Engine] = []
    monkeypatch.setattr(Engine, "made", made, raising=False)
    vllm.LLM = Engine  # type: ignore[attr-defined]
    vllm.SamplingParams = lambda **given: SimpleNamespace(**given)  # type: ignore[attr-defined]
    request.LoRARequest = lambda *given: given  # type: ignore[attr-defined]
    for module in (vllm, lora, request):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(generation, "has_vllm", lambda: True)
    return made


def adapters(folder: Path, **changes: Any) -> Path:
    folder.mkdir(parents=True)
    plain = {"r": 16, "use_dora": False} | changes
    (folder / "adapter_config.json").write_text(json.dumps(plain), encoding="utf-8")
    return folder


BASE = Settings(recipe="any", model=ModelSettings(name="org/base", dtype="bfloat16"))


def test_a_completion_for_each_prompt(engines: list[Engine], tmp_path: Path) -> None:
    tokenizer, folder = models.tiny_tokenizer(), adapters(tmp_path / "final")
    sampler = vllm_engine.make_sampler(BASE, folder, tokenizer, seed=7)
    how = Sampling(temperature=0.5, top_p=0.9, completion_tokens=12)
    assert sampler(PROMPTS, how) == [
        *(Completion("two", [5, 6], False), Completion("two", [5, 6], False)),
        Completion("two", [5, 6], True),
    ]
    sampler(PROMPTS[:1], how)
    [engine] = engines
    (first, drawing, request), (_, later, _) = engine.asked
    text = generation.render(tokenizer, PROMPTS[2])
    assert first[2] == {"prompt_token_ids": tokenizer(text, add_special_tokens=False)["input_ids"]}
    assert first[0] == first[1]
    assert [one.seed for one in [*drawing, *later]] == [7, 8, 9, 10]
    assert drawing[0].stop_token_ids == [tokenizer.eos_token_id]
    assert (drawing[0].temperature, drawing[0].top_p, drawing[0].top_k) == (0.5, 0.9, -1)
    assert drawing[0].max_tokens == 12
    assert request == ("trained", 1, str(folder))


def test_what_the_engine_is_told(tmp_path: Path) -> None:
    told = vllm_engine.engine_arguments(BASE, None, seed=1)
    assert told == {"model": "org/base", "dtype": "bfloat16", "seed": 1}
    nf4 = ModelSettings(name="org/base", revision="main", quantization="nf4")
    folder = adapters(tmp_path / "adapters", r=200)
    told = vllm_engine.engine_arguments(dataclasses.replace(BASE, model=nf4), folder, seed=1)
    assert told == {
        "model": "org/base",
        "dtype": "float32",
        "seed": 1,
        "revision": "main",
        "quantization": "bitsandbytes",
        "enable_lora": True,
        "max_lora_rank": 256,
    }
    (tmp_path / "whole").mkdir()
    told = vllm_engine.engine_arguments(BASE, tmp_path / "whole", seed=1)
    assert told == {"model": str(tmp_path / "whole"), "dtype": "bfloat16", "seed": 1}


@pytest.mark.usefixtures("engines")
def test_where_it_is_used(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert vllm_engine.is_usable(BASE, None)
    assert vllm_engine.is_usable(BASE, adapters(tmp_path / "lora"))
    assert not vllm_engine.is_usable(BASE, adapters(tmp_path / "dora", use_dora=True))
    assert "vLLM does not know DoRA: completions by transformers" in capsys.readouterr().out
    assert not vllm_engine.is_usable(BASE, adapters(tmp_path / "wide", r=1024))
    assert "adapters of rank 1024" in capsys.readouterr().out
    never = dataclasses.replace(BASE, evaluation=EvaluationSettings(vllm="never"))
    assert not vllm_engine.is_usable(never, None)
    assert not vllm_engine.is_usable(Settings(recipe="any"), None)
    monkeypatch.setattr(generation, "has_vllm", lambda: False)
    assert not vllm_engine.is_usable(BASE, None)


def test_an_evaluation_asks_it(
    engines: list[Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer, adapted = models.tiny_tokenizer(), []
    monkeypatch.setattr(models, "load_tokenizer", lambda settings: tokenizer)
    monkeypatch.setattr(models, "load", None)
    settings = dataclasses.replace(BASE, evaluation=EvaluationSettings(compare=("base",), seed=3))
    rows = [{"prompt": prompt, "reference": "two"} for prompt in PROMPTS]
    [result] = evaluation.evaluate_run(
        Run(settings, tmp_path),
        [evaluation.Benchmark("sums", rows, samples=2)],
        grade=lambda sample: sample.completion == sample.reference,
        adapt=lambda stage, given: adapted.append((stage, given)),
    )
    assert adapted == [("base", tokenizer)]
    assert result.accuracy.value == 1.0
    assert result.truncated == 1 / 6
    [engine] = engines
    [(prompts, drawing, _)] = engine.asked
    assert len(prompts) == 6
    assert [one.seed for one in drawing] == [3, 4, 5, 6, 7, 8]
