"""The Python code in README and docs runs, page by page, in order, in one namespace a page."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest

import rlrewards as rr

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_blocks_run(page, tmp_path, monkeypatch):
    text = page.read_text(encoding="utf-8")
    if "torch" in "".join(BLOCK.findall(text)):
        pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType("documentation_page")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for block in BLOCK.finditer(text):
        line = text[: block.start()].count("\n") + 1
        exec(compile("\n" * line + block[1], str(page), "exec"), module.__dict__)


def test_every_public_name_has_a_line_in_docs_and_changelog():
    pages = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    for name in {*rr._MODULE_OF}:
        assert re.search(rf"\b{name}\b", pages), f"{name} is not in README or docs"
        assert re.search(rf"\b{name}\b", changelog), f"{name} is not in CHANGELOG.md"


def test_every_public_objective_has_a_line_in_docs_and_changelog():
    rl = pytest.importorskip("rlrewards.objectives", reason="needs torch")
    pages = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    for name in {*rl.__all__, *rl.recipes.__all__}:
        assert re.search(rf"\b{name}\b", pages), f"{name} is not in README or docs"
        assert re.search(rf"\b{name}\b", changelog), f"{name} is not in CHANGELOG.md"
        assert getattr(rl, name, None) or getattr(rl.recipes, name)


def test_every_public_kernel_has_a_line_in_docs_and_changelog():
    kernels = pytest.importorskip("rlrewards.kernels", reason="needs torch")
    page = (ROOT / "docs" / "kernels.md").read_text(encoding="utf-8")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    for name in kernels.__all__:
        assert re.search(rf"\b{name}\b", page + changelog), name
        assert re.search(rf"\b{name}\b", changelog), f"{name} is not in CHANGELOG.md"
        assert getattr(kernels, name).__doc__


def test_every_public_name_of_testing_has_a_line_in_docs_and_changelog():
    testing = pytest.importorskip("rlrewards.testing", reason="needs Hypothesis")
    page = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    for name in testing.__all__:
        assert re.search(rf"\b{name}\b", page), f"{name} is not in docs/testing.md"
        assert re.search(rf"\b{name}\b", changelog), f"{name} is not in CHANGELOG.md"
        assert hasattr(testing, name)


def test_every_public_metric_has_a_line_in_docs_and_changelog():
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    for name in rr.metrics.__all__:
        assert re.search(rf"\b{name}\b", page), f"{name} is not in docs/metrics.md"
        assert re.search(rf"\b{name}\b", changelog), f"{name} is not in CHANGELOG.md"
        assert getattr(rr.metrics, name).__doc__


def test_the_page_of_tests_names_every_kind():
    from rlrewards.testing import KINDS

    page = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    for name in KINDS:
        assert f"`{name}`" in page, name


def test_the_page_of_the_command_line_names_every_option():
    from typer.main import get_command

    from rlrewards.cli import app

    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for command in get_command(app).commands.values():
        for parameter in command.params:
            for option in parameter.opts:
                if option.startswith("--") and option != "--help":
                    assert f"`{option}" in page or f"{option} " in page, option


def test_the_tables_of_the_readme_name_every_reward():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, module in rr._MODULE_OF.items():
        if module.startswith("rewards."):
            assert f"`{name}" in readme, f"{name} is not in the README"
