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
HOW = Sampling(temperature=0.5, top_p=0.9, completion_tokens=12)


class Engine:
    """Answers each prompt with its own tokens, as a text; the last of all runs out of room."""

    made: list[Engine]

    def __init__(self, **arguments: Any) -> None:
        self.arguments = arguments
        self.asked: list[tuple[Any, ...]] = []
        self.made.append(self)

    def generate(self, prompts: Any, sampling: Any, *, lora_request: Any = None) -> list[Any]:
        self.asked.append((prompts, sampling, lora_request))
        ids = [prompt["prompt_token_ids"] for prompt in prompts]
        reasons = ["stop"] * (len(ids) - 1) + ["length"]
        outputs = [
            SimpleNamespace(text=text(each), token_ids=(*each[:2],), finish_reason=reason)
            for each, reason in zip(ids, reasons, strict=True)
        ]
        return [SimpleNamespace(outputs=[output]) for output in outputs]


def text(ids: list[int]) -> str:
    """Return what the stand-in answers."""
    return " ".join(map(str, ids))


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


def start(settings: Settings, *folders: Path | None, seed: int = 7) -> vllm_engine.Engine:
    engine = vllm_engine.start(settings, folders, lambda: 20, seed=seed)
    assert engine is not None
    return engine


def test_a_completion_for_each_prompt(engines: list[Engine], tmp_path: Path) -> None:
    tokenizer, folder = models.tiny_tokenizer(), adapters(tmp_path / "final")
    sampler = start(BASE, None, folder).sampler(folder, tokenizer)
    ids = [generation.prompt_ids(tokenizer, prompt) for prompt in PROMPTS]
    assert ids[0] == ids[1] != ids[2]
    assert sampler(PROMPTS, HOW) == [
        Completion(text(each), each[:2], last) for each, last in zip(ids, (0, 0, 1), strict=True)
    ]
    [engine] = engines
    [(asked, drawing, request)] = engine.asked
    assert [prompt["prompt_token_ids"] for prompt in asked] == ids
    assert drawing[0].stop_token_ids == [tokenizer.eos_token_id]
    assert (drawing[0].temperature, drawing[0].top_p, drawing[0].top_k) == (0.5, 0.9, -1)
    assert drawing[0].max_tokens == 12
    assert request == (str(folder), 2, str(folder))


def test_seeds_are_those_of_a_run_and_of_no_other(engines: list[Engine]) -> None:
    """Nor of the same sampler later: a question's samples differ, and those of two runs do."""
    tokenizer, found = models.tiny_tokenizer(), []
    for seed in (0, 0, 1):
        sampler = start(BASE, None, seed=seed).sampler(None, tokenizer)
        sampler(PROMPTS, HOW)
        sampler(PROMPTS, HOW)
        found.append([one.seed for _, drawing, _ in engines[-1].asked for one in drawing])
    assert found[0] == found[1]
    assert len({*found[0], *found[2]}) == 12


def test_what_the_engine_is_told(tmp_path: Path) -> None:
    def told(settings: Settings, *folders: Path | None) -> dict[str, Any]:
        return vllm_engine.engine_arguments(settings, folders, 20, seed=1)

    plain = {
        "model": "org/base",
        "dtype": "bfloat16",
        "max_model_len": 20 + 512,
        "gpu_memory_utilization": 0.85,
        "seed": 1,
    }
    assert told(BASE, None) == plain
    nf4 = dataclasses.replace(BASE.model, revision="main", quantization="nf4")
    sft, rl = adapters(tmp_path / "sft", r=200), adapters(tmp_path / "rl", r=64)
    assert told(dataclasses.replace(BASE, model=nf4), None, sft, rl) == plain | {
        "revision": "main",
        "quantization": "bitsandbytes",
        "enable_lora": True,
        "max_lora_rank": 256,
    }


@pytest.mark.usefixtures("engines")
@pytest.mark.parametrize(
    ("changes", "dtype", "reason"),
    [
        ({"use_dora": True}, "bfloat16", "vLLM does not know DoRA"),
        ({"r": 1024}, "bfloat16", "vLLM does not know adapters of rank 1024"),
        ({}, "float32", "vLLM has no adapters in float32"),
    ],
)
def test_adapters_that_it_does_not_know(
    changes: dict[str, Any], dtype: Any, reason: str, tmp_path: Path, capsys: Any
) -> None:
    """Then no model of the table is asked through it."""
    settings = dataclasses.replace(BASE, model=ModelSettings(name="org/base", dtype=dtype))
    folder = adapters(tmp_path / "odd", **changes)
    assert vllm_engine.start(settings, [None, folder], lambda: 20, seed=0) is None
    assert capsys.readouterr().out == f"   completions by transformers: {reason}\n"


@pytest.mark.usefixtures("engines")
def test_where_it_is_used(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def starts(settings: Settings, *folders: Path | None) -> bool:
        return vllm_engine.start(settings, folders, lambda: 20, seed=0) is not None

    assert starts(BASE, None)
    assert starts(BASE, None, adapters(tmp_path / "lora"))
    (tmp_path / "whole").mkdir()
    assert not starts(BASE, None, tmp_path / "whole")
    assert "the models were trained whole" in capsys.readouterr().out
    assert not starts(dataclasses.replace(BASE, evaluation=EvaluationSettings(vllm="never")), None)
    assert not starts(Settings(recipe="any"), None)
    monkeypatch.setattr(generation, "has_vllm", lambda: False)
    assert not starts(BASE, None)


def test_an_evaluation_asks_it(
    engines: list[Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer, adapted = models.tiny_tokenizer(), []
    monkeypatch.setattr(models, "load_tokenizer", lambda settings: tokenizer)
    monkeypatch.setattr(models, "load", None)
    asked = EvaluationSettings(compare=("base", "rl"), completion_tokens=12)
    rows = [
        {"prompt": prompt, "reference": text(generation.prompt_ids(tokenizer, prompt))}
        for prompt in PROMPTS
    ]
    adapters(tmp_path / "rl" / "final")
    results = evaluation.evaluate_run(
        Run(dataclasses.replace(BASE, evaluation=asked), tmp_path),
        [evaluation.Benchmark("sums", rows, samples=2)],
        grade=lambda sample: sample.completion == sample.reference,
        adapt=lambda stage, given: adapted.append((stage, given)),
    )
    assert adapted == [("base", tokenizer), ("rl", tokenizer)]
    assert [result.name for result in results] == ["sums, base", "sums, rl"]
    assert [result.accuracy.value for result in results] == [1.0, 1.0]
    assert results[0].truncated == 1 / 6
    [engine] = engines
    longest = max(len(generation.prompt_ids(tokenizer, prompt)) for prompt in PROMPTS)
    assert engine.arguments["max_model_len"] == longest + 12
    assert [request is None for _, _, request in engine.asked] == [True, False]
    assert [len(prompts) for prompts, _, _ in engine.asked] == [6, 6]
