"""The generator of metamorphic pairs: labels that a person can check, and never a guess."""

from __future__ import annotations

import ast
import gzip
import importlib
import json
import os
import random
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SHIPPED = BENCHMARKS / "data" / "references.jsonl"


@pytest.fixture(scope="module", autouse=True)
def benchmarks_on_path() -> Iterator[None]:
    sys.path.insert(0, str(BENCHMARKS))
    yield
    sys.path.remove(str(BENCHMARKS))


@pytest.fixture(scope="module")
def rewriting(benchmarks_on_path: None) -> ModuleType:
    return importlib.import_module("rewriting")


@pytest.fixture(scope="module")
def reading(rewriting: ModuleType) -> ModuleType:
    return importlib.import_module("rewriting.reading")


@pytest.fixture(scope="module")
def values(rewriting: ModuleType) -> ModuleType:
    return importlib.import_module("rewriting.values")


@pytest.fixture(scope="module")
def shipped() -> list[str]:
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["reference"] for line in lines]


@pytest.fixture(scope="module")
def pairs(rewriting: ModuleType, shipped: list[str]) -> list[Any]:
    return list(rewriting.pairs(shipped))


def answers(rewriting: ModuleType, reference: str, family: str) -> set[str]:
    """Return what a family makes of a reference under forty seeds."""
    found = (rewriting.pairs([reference], seed=s, right_each=99, wrong_each=99) for s in range(40))
    return {pair.answer for seed in found for pair in seed if pair.family == family}


def test_imports_nothing_from_the_verifier():
    for path in (BENCHMARKS / "rewriting").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.startswith("rlrewards") for name in names), path


def test_the_same_seed_gives_the_same_pairs(rewriting, shipped):
    some = shipped[::20]
    assert list(rewriting.pairs(some, seed=3)) == list(rewriting.pairs(some, seed=3))
    assert list(rewriting.pairs(some, seed=3)) != list(rewriting.pairs(some, seed=4))


def test_the_shipped_corpus_alone_gives_enough_of_everything(pairs):
    right = [pair for pair in pairs if pair.right]
    wrong = [pair for pair in pairs if not pair.right]
    assert len(right) > 1500
    assert len(wrong) > 1000
    assert len({pair.family for pair in right}) >= 30
    assert len({pair.family for pair in wrong}) >= 20


def test_real_references_give_thousands_of_pairs(rewriting):
    folder = Path(os.environ.get("RLREWARDS_DATA", BENCHMARKS.parents[1] / "shared" / "data"))
    path = folder / "math_references.jsonl.gz"
    if not path.exists():
        pytest.skip(f"no real references in {folder}")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        found = list(rewriting.pairs(json.loads(line)["reference"] for line in lines))
    assert sum(pair.right for pair in found) >= 5000
    assert sum(not pair.right for pair in found) >= 3000
    assert len({pair.family for pair in found}) >= 60


def test_a_family_is_right_or_wrong_and_says_so(pairs):
    assert all(pair.right != pair.family.startswith("wrong: ") for pair in pairs)
    assert all(pair.answer != pair.reference for pair in pairs)


@pytest.mark.parametrize(
    ("reference", "family", "expected"),
    [
        ("12345", "thousands", "12{,}345"),
        ("2,600", "thousands", "2600"),
        (r"$\frac{1}{2}$", "fraction style", r"\dfrac{1}{2}"),
        (r"$\frac{1}{2}$", "short fraction", r"\frac12"),
        (r"$\frac{1}{4}$", "decimal of fraction", "0.25"),
        ("2.5", "fraction of decimal", r"\frac{5}{2}"),
        (r"\frac{9}{5}", "mixed number", r"1\frac{4}{5}"),
        (r"\frac{2}{11}", "repeating decimal", r"0.\overline{18}"),
        ("1024", "power or factorial", "2^{10}"),
        ("120", "power or factorial", "5!"),
        (r"2\sqrt{3}", "surd", r"\sqrt{12}"),
        (r"\sqrt{2}", "root as power", "2^{1/2}"),
        ("x > 3", "inequality as interval", r"(3, \infty)"),
        ("(-\\infty,1)\\cup(2,\\infty)", "interval as inequality", r"x < 1 or x > 2"),
        (r"5\%", "percent", "0.05"),
        (r"60^{\circ}", "degrees", r"\frac{\pi}{3}"),
        (r"5 \mathrm{~cm}", "units", r"50\text{ mm}"),
        ("11:4", "ratio", "22:8"),
        (r"\pm 5", "plus minus", "5, -5"),
        ("1101_2", "base", "(1101)_{2}"),
        ("x^2+C", "constant of integration", "x^2+K"),
        ("all real numbers", "same words", r"\mathbb{R}"),
    ],
)
def test_right_rewritings_worked_by_hand(rewriting, reference, family, expected):
    assert expected in answers(rewriting, reference, family)


@pytest.mark.parametrize(
    ("reference", "family", "expected"),
    [
        (r"\frac{2}{3}", "wrong: inverted fraction", r"\frac{3}{2}"),
        ("2.5", "wrong: factor ten", "25.0"),
        ("[2,5)", "wrong: bracket", "[2,5]"),
        ("x > 3", "wrong: strictness", r"x \ge 3"),
        ("x > 3", "wrong: direction", "x < 3"),
        ("(1,2)", "wrong: tuple reordered", "(2, 1)"),
        ("9", "wrong: work left undone", "16-3-4"),
        ("x^2+C", "wrong: constant forgotten", "x^2"),
        ("5", "wrong: one sign of two", r"\pm 5"),
        (r"\pm 5", "wrong: one sign of two", "-5"),
        ("even", "wrong: wrong word", "odd"),
        (r"\frac{1}{3}", "wrong: wrongly rounded", "0.33"),
        (r"30^{\circ}", "wrong: wrong unit", r"30\text{ rad}"),
    ],
)
def test_slips_worked_by_hand(rewriting, reference, family, expected):
    assert expected in answers(rewriting, reference, family)


@pytest.mark.parametrize(
    ("reference", "family", "forbidden"),
    [
        (r"\frac{3}{3}", "wrong: inverted fraction", r"\frac{3}{3}"),  # one is its own inverse
        (r"\pm 5", "wrong: sign", r"\mp 5"),
        ("0", "wrong: sign", "-0"),
        (r"|x|", "wrong: sign", r"|-x|"),
        ("x^2+C", "wrong: variable", "x^2+K"),  # a constant of integration has no name
        (r"\ln(2x)+C", "wrong: digit", r"\ln(3x)+C"),  # ln 3 - ln 2 is a constant too
        ("2, 2", "wrong: one of two", "2"),
    ],
)
def test_a_slip_that_changes_nothing_is_no_slip(rewriting, reference, family, forbidden):
    assert forbidden not in answers(rewriting, reference, family)


def test_tuples_are_never_reordered_as_right_ones(rewriting):
    assert not answers(rewriting, "(1,2,3)", "reordered")
    assert answers(rewriting, r"\{1,2,3\}", "reordered")


@pytest.mark.parametrize("reference", ["16", r"\frac{1}{2}", "0.25"])
def test_a_numeral_is_never_written_as_a_sum(pairs, rewriting, reference):
    sums = ("sum reordered", "product reordered", "multiplication sign", "not reduced")
    assert not any(answers(rewriting, reference, family) for family in sums)


@pytest.mark.parametrize(
    "reference",
    [
        "", "   ", "The mode is $x=0$.", "Yes. $F(x, y)=x y$", "40, 200", "0,245",
        "x=1, y=2", r"$-9 \leqslant x \leqslant 0:[-9,0]$", r"$f(x+1)$", "5 4.6", "BAC", "1/2x",
        r"$y=c_{1} e^{x}+c_{2} e^{-x}$", r"$\log_2 8=3$", "(", r"\frac{1}{", "x" * 300, "\x00",
    ],
)  # fmt: skip
def test_what_is_not_understood_is_left_alone(rewriting, reference):
    assert not any(pair.right is False for pair in rewriting.pairs([reference]))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("$12$", "number"), (r"1\frac45", "number"), ("2x+1", "expression"), ("1, 2", "list"),
        ("(2,1)", "tuple"), (r"\{1,2\}", "set"), ("[1,2]", "interval"), (r"(1,\infty)", "interval"),
        ("x<3", "inequality"), ("y=2x+1", "assignment"), ("x=1,2", "roots"), ("x^2-7=0", "equation"),
        (r"\sin x+C", "antiderivative"), (r"5\%", "percent"), ("11: 4", "ratio"), ("Yes.", "word"),
    ],
)  # fmt: skip
def test_kinds(reading, text, kind):
    assert reading.read(text).kind == kind


def test_exact_values(reading):
    assert reading.exact(r"-1\frac{3}{4}") == Fraction(-7, 4)
    assert reading.exact("1,234.5") == Fraction(2469, 2)
    assert reading.exact(r"\frac{1}{0}") is None
    assert reading.exact("2x") is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"\frac12", 0.5), (r"1\frac45", 1.8), (r"\sqrt{16}", 4), (r"\sqrt[3]{27}", 3),
        ("2^{10}", 1024), ("5!", 120), (r"\log_{2}(8)", 3), (r"|{-3}|", 3), (r"2\cdot3-4/2", 4),
        (r"\sin^{2}(1)+\cos^{2}(1)", 1), ("i^{2}", -1),
    ],
)  # fmt: skip
def test_the_evaluator_against_values_worked_by_hand(values, text, value):
    assert values.close(values.constant(text), value)


@pytest.mark.parametrize(
    "text", ["", "1/2x", "f(x)", "2 3", "AB", r"\sin^{-1}x", "9^{9^{9^9}}", "1/0", "((", "x+", "\\"]
)
def test_the_evaluator_refuses_what_has_no_single_meaning(values, text):
    assert not values.readable(text)


def test_evidence_never_contradicts_a_right_label(pairs, reading, rewriting):
    evidence = importlib.import_module("rewriting.evidence")
    outside = {"scientific", "percent", "degrees", "rounded constant", "units", "base"}
    outside |= {
        "constant of integration",
        "ratio",
        "number word",
    }  # not the same formula, by convention the same
    for pair in pairs:
        if pair.right and pair.family not in outside:
            one, other = reading.read(pair.reference), reading.read(pair.answer)
            assert not evidence.certainly_differs(one, other), pair


def test_random_garbage_is_survived(rewriting):
    rng = random.Random(0)
    alphabet = r"0123456789xyz+-=<>^_{}()[]|,.$% \frac\sqrt\left\pi\le"
    texts = ["".join(rng.choices(alphabet, k=rng.randint(1, 30))) for _ in range(1500)]
    list(rewriting.pairs(texts))
