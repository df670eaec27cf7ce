"""Starting a recipe by its command line, as its tests do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from examples.common import commands
from examples.common.commands import Recipe


def start(recipe: Recipe, *arguments: Any) -> int:
    """Run the command line and return its status."""
    return commands.main(recipe, [str(argument) for argument in arguments])


def told(recipe: Recipe, capsys: Any, *arguments: Any) -> str:
    """Start what must fail before it begins, and return its one line."""
    with pytest.raises(SystemExit) as caught:
        start(recipe, *arguments)
    assert caught.value.code == 2
    words: str = capsys.readouterr().err
    assert words.count("\n") == 1
    return words.strip()


def changed(path: Path, source: Path, *changes: tuple[str, str]) -> Path:
    """Write a configuration with some texts replaced, and return its path."""
    text = source.read_text(encoding="utf-8")
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    path.write_text(text, encoding="utf-8")
    return path
