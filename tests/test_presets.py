"""The stacks of published work give the values that their sources state."""

from __future__ import annotations

import pytest

import rlrewards as rr
from rlrewards import presets


def sample(text: str, tokens: int = 10, **fields) -> rr.Sample:
    return rr.Sample(text, token_ids=tuple(range(tokens)), **fields)


RIGHT = "<think>2+2</think> <answer>4</answer>"
WRONG = "<think>2+2</think> <answer>5</answer>"


def test_thesis_hybrid():
    stack = presets.thesis_hybrid()
    batch = [
        sample(RIGHT, reference="4"),
        sample(WRONG, reference="4"),
        sample("<answer>4</answer>", reference="4"),
        sample("A: 5", reference="4"),
    ]
    assert stack(batch) == pytest.approx([1.0, 0.2, 0.9, 0.0])


def test_dapo():
    stack = presets.dapo(max_length=100, buffer=20)
    batch = [sample(RIGHT, n, reference="4") for n in (80, 90, 100, 200)]
    assert stack(batch) == [1.0, 0.5, 0.0, 0.0]
    assert stack([sample(WRONG, 200, reference="4")]) == [-2.0]
    assert presets.dapo().parts[1].reward == rr.SoftOverlong(max_length=20_480, buffer=4_096)


def test_gazal_r1():
    stack = presets.gazal_r1(max_length=4096, repetition=0.5)
    scores = stack.score([sample(r"<think>x</think> \boxed{B}", reference="B")])
    assert list(scores.columns) == ["accuracy", "format", "cosine", "repetition"]
    assert scores.columns["accuracy"].tolist() == [1.0]
    assert scores.weights["repetition"] == 0.5
    assert scores.verdicts[0].tier is rr.Tier.CHOICE


def test_gazal_r1_verifies_once(monkeypatch):
    calls = []
    grade = rr.Verifier.grade
    monkeypatch.setattr(
        rr.Verifier, "grade", lambda self, *a, **k: calls.append(a) or grade(self, *a, **k)
    )
    presets.gazal_r1(max_length=4096)([sample(r"\boxed{B}", reference="B")])
    assert len(calls) == 1


def test_demystify_long_cot():
    stack = presets.demystify_long_cot(max_length=1000)
    scores = stack.score([sample(RIGHT, 10, reference="4")])
    assert scores.gammas == {"repetition": 0.99}
    assert scores.dense["repetition"][0].tolist() == [0.0] * 10
    assert 1.99 < scores.total[0] <= 2.0


def test_open_r1_and_deepseek_r1():
    assert presets.open_r1()([sample(RIGHT, reference="4")])[0] == pytest.approx(3.0)
    assert presets.deepseek_r1()([sample(RIGHT, reference="4")]) == [2.0]
    assert presets.deepseek_r1(format=0.5)([sample(RIGHT, reference="4")]) == [1.5]


def test_kimi_k15():
    batch = [sample(RIGHT, 10, reference="4", group=0), sample(RIGHT, 20, reference="4", group=0)]
    assert presets.kimi_k15()(batch) == [1.5, 0.5]
    warm = rr.LinearSchedule(start=0.0, end=1.0, steps=10)
    assert presets.kimi_k15(length_weight=warm)(batch) == [1.0, 1.0]


def test_huatuo_o1():
    right = "## Thinking\n\n2+2\n\n## Final Response\n\nThe answer is 4."
    batch = [
        sample(right, reference="4"),
        sample(right, reference="5"),
        sample("The answer is 4.", reference="4"),
        sample(right, reference=None),
    ]
    assert presets.huatuo_o1()(batch) == [1.0, 0.1, 0.0, None]


@pytest.mark.parametrize("name", [n for n in presets.__all__ if n != "huatuo_o1"])
def test_each_takes_a_verifier(name):
    verifier = rr.Verifier(lenient=True, budget_seconds=0.5)
    needs = {"gazal_r1": {"max_length": 100}, "demystify_long_cot": {"max_length": 100}}
    stack = getattr(presets, name)(verifier=verifier, **needs.get(name, {}))
    configured = [p.reward.verifier for p in stack.parts if hasattr(p.reward, "verifier")]
    assert configured
    assert all(v.lenient and v.budget_seconds == 0.5 for v in configured)


@pytest.mark.parametrize("name", presets.__all__)
def test_each_survives_toml(name):
    needs = {"gazal_r1": {"max_length": 100}, "demystify_long_cot": {"max_length": 100}}
    stack = getattr(presets, name)(**needs.get(name, {}))
    assert rr.Stack.from_toml_text(stack.to_toml()) == stack
