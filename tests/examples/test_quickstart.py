"""The quickstart: a short slice of it always, and its promises in full when time allows."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "examples" / "quickstart_grpo.py"

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.* is deprecated:FutureWarning"),
]


@pytest.fixture(scope="module")
def quickstart() -> Any:
    spec = importlib.util.spec_from_file_location("quickstart_grpo", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def same_threads() -> Iterator[None]:
    """Undo the recipe's choice of one thread."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("trl")
    pytest.importorskip("matplotlib")
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_slice(
    quickstart: Any, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quickstart, "WARM_UP_STEPS", 30)
    out = tmp_path / "new" / "folder"
    assert quickstart.main(["--steps", "3", "--seed", "1", "--out", str(out)]) == 0

    printed = capsys.readouterr().out
    assert "step    3/3" in printed
    for line in ("mean reward", "mean accuracy", "mean format"):
        assert line in printed

    parts = ("accuracy", "format", "cosine_length", "repetition", "soft_overlong")
    rows = rows_of(out / "metrics.jsonl")
    assert [row["step"] for row in rows] == [1, 2, 3]
    weights = {part.name: part.weight for part in quickstart.make_stack().parts}
    assert tuple(weights) == parts
    for row in rows:
        assert row["total"] == pytest.approx(sum(weights[p] * row[p] for p in parts), abs=1e-5)
    completions = rows_of(out / "completions.jsonl")
    assert len(completions) == 3 * 128
    assert {row["verdict_status"] for row in completions} <= {"EQUAL", "DIFFERENT", "NO_ANSWER"}
    picture = (out / "reward.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 20_000
    assert json.loads((out / "summary.json").read_text())["steps"] == 3


def test_the_questions_are_varied(quickstart: Any) -> None:
    questions = quickstart.questions()
    prompts = {question["prompt"] for question in questions}
    answers = Counter(question["answer"] for question in questions)
    assert len(prompts) == len(questions) >= 50
    assert len(answers) >= 15
    assert max(answers.values()) / len(questions) <= 0.15
    for question in questions:
        a, plus, b, equals = question["prompt"].split()
        assert (plus, equals) == ("+", "=")
        assert int(question["answer"]) == int(a) + int(b)


def test_every_word_is_one_token_and_survives_decoding(quickstart: Any) -> None:
    import random

    tokenizer = quickstart.build_tokenizer()
    for question in quickstart.questions():
        text = quickstart.sloppy_completion(question, random.Random(0))
        ids = tokenizer(text)["input_ids"]
        assert len(ids) == len(text.split())
        assert tokenizer.unk_token_id not in ids
        assert tokenizer.decode(ids, skip_special_tokens=True) == text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "0"], "--steps must be at least 1, got 0"),
        (["--steps", "many"], "invalid int value: 'many'"),
        (["--seed", "-1"], "--seed must be at least 0, got -1"),
        (["--sed", "1"], "unrecognized arguments: --sed 1"),
        (["--out", str(SCRIPT / "below")], "cannot write to --out"),
    ],
)
def test_bad_arguments_get_one_line(
    quickstart: Any, capsys: Any, arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as left:
        quickstart.main(arguments)
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_is_learnt_is_the_arithmetic(tmp_path: Path, seed: int) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, str(SCRIPT), "--seed", str(seed), "--out", str(tmp_path)]
    done = subprocess.run(command, check=True, env=environment, capture_output=True, text=True)
    assert done.stderr == ""
    summary = json.loads((tmp_path / "summary.json").read_text())
    accuracy, form = summary["accuracy"], summary["format"]
    assert accuracy["last"] >= 0.5
    assert accuracy["last"] - accuracy["first"] >= 0.3
    assert form["first"] >= 0.8
    assert summary["steps"] >= 40  # the first and the last twenty are different ones
