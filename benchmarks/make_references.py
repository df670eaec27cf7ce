r"""Make the references that ship with the benchmark: our own, in every kind of answer.

    python benchmarks/make_references.py

Writes `benchmarks/data/references.jsonl`; the same seed gives the same file.
"""

# ruff: noqa: E501 - the table of makers has one kind a line
from __future__ import annotations

import json
import random
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

TARGET = Path(__file__).parent / "data" / "references.jsonl"
EACH = 17
Maker = Callable[[random.Random], str]


def fraction(rng: random.Random) -> str:
    value = Fraction(rng.randint(1, 60), rng.randint(2, 40))
    sign = rng.choice(["", "", "-"])
    if value.denominator == 1:
        value += Fraction(1, 3)
    return rf"{sign}\frac{{{value.numerator}}}{{{value.denominator}}}"


def polynomial(rng: random.Random, name: str = "x") -> str:
    terms = [f"{rng.randint(2, 9)}{name}^{{{power}}}" for power in (4, 3, 2)[rng.randint(0, 2) :]]
    signs = [rng.choice("+-") for _ in terms]
    return "".join(
        t + s for t, s in zip([*terms, f"{rng.randint(2, 12)}{name}"], [*signs, rng.choice("+-")], strict=True)
    ) + str(rng.randint(1, 30))  # fmt: skip


def interval(rng: random.Random) -> str:
    low = rng.randint(-20, 10)
    high = low + rng.randint(1, 15)
    return rng.choice([
        f"[{low}, {high})", f"({low}, {high}]", f"[{low}, {high}]",
        rf"(-\infty, {low})", rf"[{high}, \infty)", rf"(-\infty, {low}] \cup ({high}, \infty)",
        rf"\left({low}, \frac{{{2 * high + 1}}}{{2}}\right]",
    ])  # fmt: skip


def distinct(rng: random.Random, count: int) -> list[str]:
    return [str(n) for n in rng.sample(range(-30, 60), count)]


def matrix(rng: random.Random) -> str:
    rows = rng.choice([2, 3])
    body = r" \\ ".join(" & ".join(distinct(rng, 2)) for _ in range(rows))
    return rf"\begin{{pmatrix}} {body} \end{{pmatrix}}"


def inequality(rng: random.Random) -> str:
    name, low = rng.choice("xatmk"), rng.randint(-20, 20)
    sign = rng.choice(["<", ">", r"\le", r"\ge", r"\leq", r"\neq"])
    double = rf"{low} < {name} \leq {low + rng.randint(1, 30)}"
    return double if rng.random() < 0.3 else f"{name} {sign} {low}"


def base(rng: random.Random) -> str:
    radix = rng.randint(2, 8)
    digits = "".join(str(rng.randrange(radix)) for _ in range(4))
    return f"{rng.randint(1, radix - 1)}{digits}_{{{radix}}}"


def unit(rng: random.Random) -> str:
    name = rng.choice(["cm", "m", "kg", "g", "km", "mm"])
    return rf"{rng.randint(2, 400)} \mathrm{{~{name}}}"


MAKERS: dict[str, Maker] = {
    "integer": lambda r: str(r.choice([-1, 1, 1, 1]) * r.randint(0, 10 ** r.randint(1, 5))),
    "thousands": lambda r: f"{r.randint(1000, 10**7):,}",
    "fraction": fraction,
    "slash": lambda r: f"{r.randint(1, 30)}/{r.choice([7, 11, 13, 16, 25, 31])}",
    "mixed": lambda r: rf"{r.randint(1, 12)}\frac{{{r.randint(1, 6)}}}{{{r.choice([7, 11, 13])}}}",
    "decimal": lambda r: f"{r.choice(['', '-'])}{r.randint(0, 99)}.{r.randint(1, 999)}",
    "repeating": lambda r: rf"0.\overline{{{r.randint(1, 98)}}}",
    "scientific": lambda r: rf"{r.randint(11, 99) / 10} \times 10^{{{r.randint(-9, 9)}}}",
    "surd": lambda r: rf"{r.choice(['', '-'])}{r.randint(2, 15)}\sqrt{{{r.choice([2, 3, 5, 6, 7])}}}",
    "root": lambda r: rf"\frac{{{r.randint(1, 9)}+\sqrt{{{r.choice([2, 5, 7, 11])}}}}}{{{r.randint(2, 9)}}}",
    "power": lambda r: f"{r.randint(2, 9)}^{{{r.randint(2, 30)}}}",
    "constant": lambda r: rf"\frac{{{r.randint(2, 20)}\pi}}{{{r.choice([7, 3, 11, 13])}}}",
    "logarithm": lambda r: rf"{r.randint(2, 9)}\ln({r.randint(2, 40)})-{r.randint(1, 9)}",
    "complex": lambda r: f"{r.randint(-20, 20)}+{r.randint(2, 20)}i",
    "polynomial": polynomial,
    "factored": lambda r: f"{r.randint(2, 5)}(x-{r.randint(1, 9)})(x+{r.randint(10, 19)})",
    "rational": lambda r: rf"\frac{{{r.randint(2, 9)}x+{r.randint(1, 9)}}}{{x^{{2}}-{r.randint(2, 50)}}}",
    "function": lambda r: rf"{r.randint(2, 9)}\sin({r.randint(2, 9)}x)-\cos x+e^{{-{r.randint(2, 9)}x}}",
    "variables": lambda r: f"{r.randint(2, 20)}a^{{{r.randint(2, 6)}}}b-{r.randint(2, 9)}ab",
    "antiderivative": lambda r: rf"\frac{{x^{{{r.randint(2, 9)}}}}}{{{r.randint(2, 9)}}}-{r.randint(2, 9)}\ln|x|+C",
    "tuple": lambda r: f"({', '.join(distinct(r, r.choice([2, 3])))})",
    "list": lambda r: ", ".join(distinct(r, r.choice([2, 3]))),
    "points": lambda r: f"({','.join(distinct(r, 2))}), ({','.join(distinct(r, 2))})",
    "set": lambda r: rf"\{{{', '.join(distinct(r, r.choice([2, 3, 4])))}\}}",
    "interval": interval,
    "inequality": inequality,
    "assignment": lambda r: f"{r.choice('xyntk')} = {r.choice([str(r.randint(-50, 50)), fraction(r)])}",
    "line": lambda r: f"y={r.randint(2, 9)}x-{r.randint(1, 30)}",
    "roots": lambda r: f"x={', '.join(distinct(r, r.choice([2, 3])))}",
    "equation": lambda r: f"x^{{2}}-{r.randint(2, 20)}x+{r.randint(1, 60)}=0",
    "circle": lambda r: f"(x-{r.randint(1, 9)})^{{2}}+(y+{r.randint(1, 9)})^{{2}}={r.randint(2, 60)}",
    "matrix": matrix,
    "plus_minus": lambda r: rf"\pm {r.randint(2, 90)}",
    "percent": lambda r: rf"{r.choice([r.randint(2, 95), r.randint(11, 999) / 10])}\%",
    "money": lambda r: rf"\${r.randint(2, 5000)}",
    "degrees": lambda r: rf"{r.randint(1, 359)}^{{\circ}}",
    "unit": unit,
    "ratio": lambda r: f"{r.randint(2, 30)}:{r.choice([31, 37, 41])}",
    "base": base,
    "family": lambda r: rf"\frac{{\pi}}{{{r.randint(2, 9)}}}+{r.randint(2, 9)}k\pi, k \in \mathbb{{Z}}",
    "word": lambda r: r.choice([
        "even", "odd", "True", "False", "yes", "No", "increasing", "decreasing", "no solution",
        "all real numbers", "converges", "diverges", "undefined", r"\text{neither}",
    ]),
    "letter": lambda r: r.choice("ABCDEFGH"),
}  # fmt: skip


def main() -> None:
    """Write the corpus, each reference once."""
    seen: set[str] = set()
    lines = []
    for kind, make in MAKERS.items():
        rng = random.Random(f"references {kind}")
        for _ in range(EACH):
            reference = make(rng)
            text = f"${reference}$" if "\\" in reference and rng.random() < 0.6 else reference
            if text not in seen and not (kind == "money" and text.startswith("$")):
                seen.add(text)
                lines.append(json.dumps({"kind": kind, "reference": text}, ensure_ascii=False))
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(lines)} references in {TARGET}")


if __name__ == "__main__":
    main()
