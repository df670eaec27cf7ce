"""Who imports whom, and what importing the package costs."""

from __future__ import annotations

import ast
import pickle
import subprocess
import sys
import types
from pathlib import Path

import pytest

import rlrewards as rr

SOURCE = Path(rr.__file__).parent
HEAVY = "torch transformers trl ray sympy numpy flint rapidfuzz typer rich".split()

# Which areas an area may import; an area is a module or a folder of the package.
ALLOWED = {
    "core": set(),
    "parameters": set(),
    "messages": set(),
    "config": set(),
    "metrics": set(),
    "schedules": {"parameters"},
    "verify": {"core", "parameters"},
    "scoring": {"core"},
    "composable": {"core", "schedules", "scoring", "config", "stack"},  # operators build stacks
    "stack": {"composable", "scoring", "core", "schedules", "config"},
    "rewards": {"stack", "verify", "core", "schedules", "parameters"},
    "presets": {"stack", "rewards", "verify", "schedules"},
    "objectives": set(),
    "kernels": {"objectives"},
    "adapters": {
        *("presets", "rewards", "stack", "scoring", "verify", "core", "config", "messages"),
        *("objectives", "kernels"),
    },
}
EVERYTHING = {"testing"}  # may import all; nothing imports it but, lazily, the command line
CLI = {path.stem for path in SOURCE.glob("*.py")} - set(ALLOWED) - {"__init__"}


def area(path: Path) -> str:
    relative = path.relative_to(SOURCE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imported_areas(path: Path) -> set[str]:
    """Return the areas of the package that a file imports, inside functions too."""
    areas = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            base = node.module
            names = [base] if base != "rlrewards" else [f"rlrewards.{a.name}" for a in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        areas |= {name.split(".")[1] for name in names if name.startswith("rlrewards.")}
    return areas - {area(path)}


@pytest.mark.parametrize(
    "path", sorted(SOURCE.rglob("*.py")), ids=lambda p: str(p.relative_to(SOURCE))
)
def test_arrows(path):
    own = area(path)
    if own == "__init__":
        return
    if own in EVERYTHING:
        return
    if own in CLI:
        assert not imported_areas(path) & {"objectives", "kernels", "adapters"}
    else:
        assert imported_areas(path) <= ALLOWED[own]


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, rlrewards; print(*(m for m in sys.modules if '.' not in m))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {*loaded.stdout.split()} & {*HEAVY}


def test_building_a_stack_loads_nothing_heavy_either():
    code = (
        "import sys, rlrewards as rr; s = 0.8*rr.Accuracy() + 0.2*rr.ThinkAnswerFormat(); "
        "rr.grade('A: 5', '5'); print(*(m for m in sys.modules if '.' not in m))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {*loaded.stdout.split()} & {*HEAVY}


@pytest.mark.parametrize(
    "path", sorted(SOURCE.rglob("*.py")), ids=lambda p: str(p.relative_to(SOURCE))
)
def test_no_module_imports_signal_or_evaluates_text(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert "signal" not in {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.module != "signal"
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            called_on_module = isinstance(node.func, ast.Attribute)
            assert name not in {"sympify", "parse_expr"}
            assert called_on_module or name not in {"eval", "exec"}


def test_every_public_name_is_there_and_documented():
    for name in rr.__all__:
        value = getattr(rr, name)
        assert isinstance(value, str) or value.__doc__, name
    assert {*rr.__all__} <= {*dir(rr)}
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = rr.nonsense


def test_type_checkers_see_every_public_name():
    block = ast.parse((SOURCE / "__init__.py").read_text(encoding="utf-8"))
    typed = {
        alias.asname
        for node in ast.walk(block)
        if isinstance(node, ast.If)
        for statement in node.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    assert {*rr._MODULE_OF} <= typed


def test_verify_is_a_function_and_a_package():
    assert isinstance(rr.verify, types.ModuleType)
    assert rr.verify("1/2", "0.5")
    from rlrewards.verify.verifier import Verifier

    assert rr.verify.Verdict is rr.Verdict
    assert Verifier is rr.Verifier


def test_verify_travels_to_other_processes():
    assert pickle.loads(pickle.dumps(rr.verify)) is rr.verify
    assert rr.verify.Verifier is rr.Verifier
    with pytest.raises(AttributeError, match="nonsense"):
        _ = rr.verify.nonsense


def test_importing_kernels_does_not_load_triton():
    pytest.importorskip("torch")
    code = "import sys, rlrewards.kernels; print('triton' in sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "False"
