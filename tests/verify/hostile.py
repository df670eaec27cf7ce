r"""The hostile list: texts that a model could emit to hang, crash or bloat whoever reads them.

`HOSTILE` maps a name to a text. `pairs` puts each text on either side of a comparison, and `trial`
times one comparison; both are plain functions, so that they work in any thread or process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import rlrewards as rr

DEEP = 5_000
LONG = 100_000
MANY = 10_000


def nested(opening: str, closing: str, core: str = "5", depth: int = DEEP) -> str:
    return opening * depth + core + closing * depth


def tower(base: str, height: int, up: str = "^{", down: str = "}") -> str:
    return up.join([base] * height) + down * (height - 1)


def joined(make: Callable[[int], str], separator: str, count: int = MANY) -> str:
    return separator.join(make(index) for index in range(count))


def table(environment: str, rows: int, columns: int, entry: str = "1") -> str:
    row = "&".join([entry] * columns)
    return rf"\begin{{{environment}}}" + r"\\".join([row] * rows) + rf"\end{{{environment}}}"


TOWERS = {
    "tower of nines": "9^{9^{9^9}}",
    "tower of tens": "10^{10^{10}}",
    "tower of tens, higher": "10^{10^{10^{10}}}",
    "tower of 30 twos": tower("2", 30),
    "tower of 5,000 twos": tower("2", DEEP),
    "tower of 5,000 letters": tower("x", DEEP),
    "tower without braces": "^".join(["9"] * 200),
    "tower of carets in round brackets": tower("9", 12, "^(", ")"),
    "tower of stars": "**".join(["9"] * 12),
    "tower in plain notation": "9^9^9^9",
    "tower of Unicode superscripts": "9⁹⁹⁹⁹⁹⁹⁹⁹⁹",
    "5,000 Unicode superscripts": "2" + "⁹" * DEEP,
    "superscripts on superscripts": "2⁹^{9⁹^{9⁹}}",
    "tower of e": "e^{e^{e^{e^9}}}",
    "tower of exp": nested(r"\exp(", ")", "9", 8),
    "tower of exp, deep": nested(r"\exp(", ")", "9"),
    "tower with a negative top": "9^{-9^{9^9}}",
    "tower of fractions": r"\left(\frac12\right)^{9^{9^9}}",
    "tower under a root": r"\sqrt{9^{9^{9^9}}}",
    "root of giant degree": r"\sqrt[10^9]{2}",
    "root of tower degree": r"\sqrt[9^{9^9}]{2}",
    "root of degree zero": r"\sqrt[0]{2}",
    "tower mod a tower": r"9^{9^{9^9}} \bmod 9^{9^9}",
    "tower in a logarithm": r"\ln(9^{9^{9^9}})",
    "logarithms of a tower": nested(r"\ln(", ")", "9^{9^{9^9}}", 50),
    "cosine of a giant": r"\cos(10^{10^{6}})",
    "sine of a tower": r"\sin(9^{9^{9^9}})",
    "tangent of a long integer": r"\tan(" + "7" * 50_000 + ")",
    "difference of towers": "9^{9^{9^9}}-9^{9^{9^9}}",
    "quotient of towers": r"\frac{9^{9^{9^9}}}{9^{9^{9^9}}}",
    "near one, to a giant": "1.0000000001^{10^{15}}",
    "tiny to a giant": "0.5^{10^{12}}",
    "zero to a tower": "0^{9^{9^9}}",
    "minus one to a tower": "(-1)^{9^{9^9}}",
    "i to a tower": "i^{9^{9^9}}",
    "pi to a tower": r"\pi^{9^{9^9}}",
    "variable to a giant": "x^{10^9}",
    "variable to a tower": "x^{9^{9^{9^9}}}",
    "scientific notation of a giant": r"3\times10^{10^{10}}",
    "e notation": "1e999999999",
    "negative e notation": "1e-999999999",
    "tower in a base": "2^{9^{9^9}}_{3}",
    "tower as a percentage": r"9^{9^{9^9}}\%",
    "tower of degrees": r"9^{9^{9^9}}^\circ",
    "tower with a unit": r"9^{9^{9^9}}\text{ cm}",
    "Knuth arrows": r"9\uparrow\uparrow9",
}

COMBINATORICS = {
    "factorial of a billion": "(10^9)!",
    "factorial of a factorial": "(9!)!",
    "factorials of factorials": "((((9!)!)!)!)!",
    "iterated factorial": "9!!!!!!!!!!!!!!!!!!!!",
    "5,000 factorials": "9" + "!" * DEEP,
    "factorial in brackets, deep": nested("(", ")!", "9"),
    "factorial of a tower": "(9^{9^9})!",
    "factorial of a decimal": "1000000.5!",
    "factorial of a fraction": r"\left(\frac{10^9}{7}\right)!",
    "double factorial of a giant": "(10^9)!!",
    "quotient of factorials": r"\frac{(10^9)!}{(10^9-1)!}",
    "difference of factorials": "100000!-100000!",
    "giant binomial": r"\binom{10^9}{10^8}",
    "binomial of literals": r"\binom{1000000000}{500000000}",
    "binomial of binomials": tower(r"\binom{99", 8, "}{", "}}"),
    "nested binomials": nested(r"\binom{", "}{2}", "9", 200),
    "choose notation": "C_{10^9}^{10^8}",
    "permutations": "P_{10^9}^{10^8}",
    "gcd of giants": rf"\gcd({'6' * 50_000},{'9' * 50_000})",
    "lcm of giants": rf"\lcm({'6' * 50_000},{'7' * 50_000})",
    "gcd of towers": r"\gcd(9^{9^{9^9}},6^{6^{6^6}})",
    "gcd of 10,000 numbers": r"\gcd(" + joined(str, ",") + ")",
    "lcm of 10,000 numbers": r"\operatorname{lcm}(" + joined(lambda i: str(i + 1), ",") + ")",
    "max of 10,000": r"\max(" + joined(str, ",") + ")",
    "giant modulus": r"1\pmod{10^{10^9}}",
    "tower modulus": r"x\equiv 1\pmod{9^{9^{9^9}}}",
    "floor of a tower": r"\lfloor 9^{9^{9^9}}/7 \rfloor",
}

NESTING = {
    "round brackets": nested("(", ")"),
    "square brackets": nested("[", "]"),
    "braces": nested("{", "}"),
    "set braces": nested(r"\{", r"\}"),
    "angle brackets": nested(r"\langle ", r"\rangle "),
    "sized brackets": nested(r"\left(", r"\right)"),
    "big brackets": nested(r"\Big(", r"\Big)"),
    "bars": nested("|", "|", "x"),
    "sized bars": nested(r"\left|", r"\right|", "-5"),
    "double bars": nested(r"\lVert ", r"\rVert ", "v"),
    "floors": nested(r"\lfloor ", r"\rfloor "),
    "fractions over": nested(r"\frac{", "}{2}"),
    "fractions under": nested(r"\frac{1}{1+", "}"),
    "fractions both": nested(r"\frac{1}{\frac{2}{", "}}", depth=2_500),
    "dfractions": nested(r"\dfrac{", "}{2}"),
    "fractions without braces": r"\frac" * DEEP + "12",
    "roots": nested(r"\sqrt{", "}"),
    "roots, moderately": nested(r"\sqrt{", "}", "2", 400),
    "roots of degrees": nested(r"\sqrt[3]{", "}"),
    "degrees of roots": nested(r"\sqrt[", "]{2}", "3"),
    "subscripts": nested("x_{", "}", "1"),
    "exponents": nested("x^{", "}", "2"),
    "exponents of groups": nested("{", "}^2", "x"),
    "overlines": nested(r"\overline{", "}"),
    "texts": nested(r"\text{", "}", "five"),
    "boxes": nested(r"\boxed{", "}"),
    "colors": nested(r"\color{red}{", "}"),
    "sines": nested(r"\sin(", ")", "x"),
    "sines without brackets": r"\sin " * DEEP + "x",
    "logarithms": nested(r"\log_{", "}2", "2"),
    "absolute values": nested(r"\abs{", "}"),
    "minus signs": "-" * DEEP + "5",
    "minus signs in brackets": nested("-(", ")"),
    "plus and minus": "+-" * DEEP + "5",
    "tuples": nested("(1,", ")"),
    "tuples on both sides": nested("(1,", ",2)"),
    "sets of sets": nested(r"\{1,", r"\}"),
    "set builders": nested(r"\{x \mid x \in ", r"\}", "A", 1_000),
    "unions": r"(0,1)\cup(" * DEEP + "2,3" + ")" * DEEP,
    "integrals": r"\int_{0}^{1}" * DEEP + "x" + "dx" * DEEP,
    "sums": r"\sum_{k=1}^{9}" * DEEP + "k",
    "limits": r"\lim_{x\to0}" * DEEP + "x",
    "functions": nested("f(", ")", "x"),
    "vectors": nested(r"\vec{", "}", "v"),
    "primes": "f" + "'" * DEEP + "(x)",
    "left left": r"\left" * DEEP + "(5" + r"\right" * DEEP + ")",
    "left without right": r"\left(" * DEEP,
    "alternating brackets": nested("([", "])", depth=2_500),
    "mismatched brackets": nested("([", ")]", depth=2_500),
    "brackets that never close": "(" * LONG,
    "brackets that never open": ")" * LONG,
    "braces that never close": "{" * LONG,
    "fractions that never close": r"\frac{" * MANY,
    "roots that never close": r"\sqrt{" * MANY,
    "everything unclosed": r"\frac{\sqrt[3]{\left(\{[|\text{" * 1_000,
    "matrices in matrices": nested(r"\begin{pmatrix}", r"\end{pmatrix}", "5", 1_000),
    "cases in cases": nested(r"\begin{cases}", r" & x>0 \\ 0\end{cases}", "5", 1_000),
    "arrays": nested(r"\begin{array}{c}", r"\end{array}", "5", 1_000),
    "begins only": r"\begin{array}{c}" * MANY,
    "ends only": r"\end{array}" * MANY,
    "stacked substacks": nested(r"\substack{", "}"),
    "dollar signs": nested("$", "$"),
    "mixed numbers": r"1\frac" * DEEP + "12",
}

CHARACTERS = {
    "a letter": "a" * LONG,
    "a digit": "9" * LONG,
    "digits and a point": "3." + "14159" * 20_000,
    "leading zeros": "0" * LONG + "5",
    "trailing zeros": "5." + "0" * LONG,
    "points": "." * LONG,
    "commas": "," * MANY,
    "commas and digits": joined(lambda i: "1", ","),
    "spaces": "5" + " " * LONG + "6",
    "line breaks": "5" + "\n" * LONG + "6",
    "backslashes": "\\" * LONG,
    "carets": "^" * LONG,
    "underscores": "_" * LONG,
    "quotes": "'" * LONG,
    "percent signs": "5" + "%" * LONG,
    "degree signs": "5" + "°" * LONG,
    "ampersands": "&" * LONG,
    "equals signs": "=" * LONG,
    "exclamation marks": "!" * LONG,
    "colons": ":" * LONG,
    "slashes": "/" * LONG,
    "tildes": "~" * LONG,
    "dollars": "$" * LONG,
    "escaped dollars": r"\$" * (LONG // 2),
    "stars": "*" * LONG,
    "garbage": "".join(chr(33 + (index * index * 7919) % 94) for index in range(LONG)),
    "garbage in Unicode": "".join(chr(161 + (index * 7919) % 9_000) for index in range(LONG)),
    "commands": "".join(rf"\q{chr(97 + index % 26)}" for index in range(LONG // 3)),
    "one endless command": "\\" + "a" * LONG,
    "lone surrogate": "\ud800",
    "lone surrogates": "\udfff\ud800" * 100,
    "surrogate in a number": "1\ud8352",
    "surrogate in a box": "\\boxed{\udc00}",
    "NUL": "\0",
    "NUL in a number": "1\x002",
    "control characters": "".join(map(chr, range(32))) * 10,
    "delete and C1": "".join(map(chr, range(127, 160))) + "5",
    "right to left": "\u202e5+3\u202c",
    "Arabic digits": "٣٫١٤",
    "Devanagari digits": "१२३",
    "full-width digits": "１２３",
    "mathematical digits": "𝟓𝟔𝟕",
    "zero-width characters": "1\u200b2\u2060\ufeff3" * 1_000,
    "combining marks": "5" + "\u0338" * MANY,
    "combining letters": "e\u0301" * MANY,
    "emoji": "👩‍👩‍👧‍👦" * 1_000,
    "a giant ligature": "\ufdfa" * MANY,
    "vulgar fractions": "½" * MANY,
    "roman numerals": "Ⅻ" * MANY,
    "circled numbers": "⑳" * MANY,
    "not characters": "\uffff\ufffe\U0010ffff",
    "Python": "__import__('os').system('true')",
    "Python in a function": r"\operatorname{__import__}(\text{os})",
    "a lambda": "(lambda: 1/0)()",
    "a format string": "{0.__class__.__mro__}%s%n{}",
    "a think tag": "</think>" * MANY,
    "answer tags": "<answer>" * MANY,
    "special tokens": "<|im_end|>" * MANY,
}

NUMBERS = {
    "an integer of 10^5 digits": "7" * LONG,
    "another of them": "-" + "12" * (LONG // 2),
    "a fraction of long integers": rf"\frac{{{'7' * 50_000}}}{{{'3' * 50_000}}}",
    "a power of a long integer": "7" * 20_000 + "^{1000}",
    "a product of long integers": r"\cdot ".join(["7" * 5_000] * 20),
    "a square root of a long integer": rf"\sqrt{{{'7' * 50_000}}}",
    "thousands groups": ",".join(["123"] * MANY),
    "thousands groups in LaTeX": "{,}".join(["123"] * MANY),
    "a repeating decimal": r"0.\overline{" + "142857" * 5_000 + "}",
    "a repeating decimal of giant period": r"0.\overline{" + "1" + "0" * (LONG - 1) + "}",
    "bracketed period": "0.(" + "142857" * 5_000 + ")",
    "nines without end": "0." + "9" * LONG,
    "nines with dots": "0." + "9" * 50_000 + "...",
    "dots": "0.333" + "." * LONG,
    "a binary number": f"({'10' * (LONG // 2)})_{{2}}",
    "a number in base 36": f"({'Z' * LONG})_{{36}}",
    "a giant base": "(12345)_{10^{10^{10}}}",
    "base one": "11111_1",
    "base zero": "0_0",
    "a hundred bases": "1" + "_{2}" * 100,
    "a tiny decimal": "0." + "0" * 50_000 + "1",
    "a decimal with an exponent": r"1.5\times10^{-" + "9" * 1_000 + "}",
    "a division by zero": r"\frac{1}{0}",
    "zero over zero": r"\frac{0}{0}",
    "hidden zero": r"\frac{1}{(\sqrt2+1)(\sqrt2-1)-1}",
    "division chain": "/".join(["7"] * MANY),
    "infinities": r"\infty-\infty",
    "zero to the zero": "0^{0}",
    "a negative root": r"\sqrt{-9^{9^9}}",
    "logarithm of zero": r"\ln 0",
    "log of negative base": r"\log_{-1} 5",
    "percent of percent": "5" + r"\%" * MANY,
    "a giant unit power": r"5\text{ cm}^{10^{9}}",
    "giant unit": r"5\text{ " + "kilo" * MANY + "meters}",
    "ten thousand units": "5" + r"\text{ cm}" * MANY,
    "many measures": joined(lambda i: f"{i} h {i} min", " ", 3_000),
    "money": "$" + "9" * LONG,
    "a ratio of many parts": joined(str, ":"),
    "near integers": r"e^{\pi\sqrt{163}}-262537412640768744",
    "hidden zero of nested radicals": r"\sqrt{2+\sqrt3}-\frac{\sqrt6+\sqrt2}{2}",
    "sum of 200 roots": "+".join(rf"\sqrt{{{n}}}" for n in range(2, 202)),
    "product of conjugates": "".join(rf"(\sqrt{{{n}}}+\sqrt{{{n + 1}}})" for n in range(2, 202)),
    "words for numbers": "one hundred " * MANY,
}

EXPRESSIONS = {
    "a sum of 10^4 terms": joined(lambda i: f"x_{{{i}}}", "+"),
    "a sum of 10^4 ones": joined(lambda i: "1", "+"),
    "a product of 10^4 factors": joined(lambda i: f"(x-{i})", ""),
    "a product of 10^4 letters": "xyz" * 3_333,
    "a polynomial of degree 10^4": joined(lambda i: f"{i}x^{{{i}}}", "+"),
    "a sparse polynomial": "x^{99999}y^{88888}z^{77777}+1",
    "powers of sums": "(x+1)^{1000}(x+2)^{1000}",
    "power of six variables": "(a+b+c+d+e+f)^{50}",
    "power of 26 variables": "(" + "+".join("abcdefghijklmnopqrstuvwxyz") + ")^{20}",
    "power of a power of a sum": "((x+1)^{1000})^{1000}",
    "power of a sum to a giant": "(x+1)^{10^9}",
    "power of a sum to a variable": "(x+1)^{(x+1)^{(x+1)}}",
    "fractions of powers": r"\frac{(x+y)^{300}}{(x-y)^{300}}",
    "sum of 60 fractions": "+".join(rf"\frac{{1}}{{x+{n}}}" for n in range(60)),
    "sum of 60 fractions in 60 letters": "+".join(rf"\frac{{1}}{{x_{n}+y}}" for n in range(60)),
    "continued fraction": nested(r"x+\frac{1}{", "}", "x", 500),
    "products of binomials": "".join(f"(x_{{{n}}}+1)" for n in range(200)),
    "determinant": r"\det" + table("pmatrix", 60, 60, "x"),
    "roots of sums": nested(r"\sqrt{x+", "}", "1", 60),
    "many absolute values": "+".join(f"|x-{n}|" for n in range(500)),
    "many floors": "+".join(rf"\lfloor {n}x \rfloor" for n in range(500)),
    "many sines": r"\cdot ".join(rf"\sin({n}x)" for n in range(1, 200)),
    "sine of a giant multiple": r"\sin(10^{9}x)",
    "Chebyshev": r"\cos(1000\arccos x)",
    "logarithms of logarithms": nested(r"\ln ", "", "x", 40),
    "many plus-minus": r"\pm1" * 2_000,
    "nested plus-minus": nested(r"\pm(1", ")", "", 40),
    "twenty plus-minus": r"\pm1" * 20,
    "plus-minus in roots": nested(r"\sqrt{2\pm", "}", "1", 30),
    "many apostrophes": "y" + "'" * 100 + "+y=0",
    "a giant subscript": "x_{" + "1" * LONG + "}",
    "a word as a product": "abcdefghijklmnopqrstuvwxyz" * 400,
    "hard integral": r"\int_0^1 \frac{\ln(1+x^{2+\sqrt3})}{1+x}\,dx",
    "hard indefinite integral": r"\int \sqrt{\tan(\sin(x^5+1))}e^{x^x}\,dx",
    "iterated integral": r"\int_0^1\int_0^1\int_0^1\int_0^1 e^{xyzw}\,dx\,dy\,dz\,dw",
    "oscillating integral": r"\int_0^{10^9}\sin(e^x)\,dx",
    "integral of a power": r"\int_0^1 (x+1)^{10000}\,dx",
    "hard sum": r"\sum_{k=1}^{\infty}\frac{\sin(k^2)}{k^3\ln(k+1)}",
    "long sum": r"\sum_{k=1}^{10^{12}}\frac{1}{k^k}",
    "sum of factorials": r"\sum_{k=1}^{10^9}k!",
    "sum to a tower": r"\sum_{k=1}^{9^{9^9}}k",
    "long product": r"\prod_{k=1}^{10^9}(1+k)",
    "hard limit": r"\lim_{x\to0}\frac{\sin(\tan x)-\tan(\sin x)}{\arcsin(\arctan x)-\arctan(\arcsin x)}",
    "nested limit": r"\lim_{n\to\infty}\left(1+\frac1n\right)^{n^{n^n}}",
    "high derivative": r"\frac{d^{1000}}{dx^{1000}}e^{\sin(x^2)}",
    "derivative of a tower": r"\frac{d}{dx}" + tower("x", 20),
    "recursive radicals": r"\sqrt{1+\sqrt{1+\sqrt{1+\cdots}}}",
    "uninterpreted": r"\zeta(3)+\Gamma(10^9)+\wp(x)",
    "determinant bars": table("vmatrix", 100, 100),
}

SHAPES = {
    "a 500×500 matrix": table("pmatrix", 500, 500),
    "a 1×10^4 matrix": table("pmatrix", 1, MANY),
    "a 10^4×1 matrix": table("bmatrix", MANY, 1),
    "a ragged matrix": r"\begin{pmatrix}" + r"\\".join(["1&2", "1", "1&2&3"] * 300),
    "a matrix of towers": table("pmatrix", 20, 20, "9^{9^{9^9}}"),
    "an array with a bomb of columns": rf"\begin{{array}}{{{'c' * LONG}}}1\end{{array}}",
    "an array with repeated columns": r"\begin{array}{*{10000000}{c}}1\end{array}",
    "10^4 cases": r"\begin{cases}" + joined(lambda i: rf"{i} & x={i}", r"\\") + r"\end{cases}",
    "a set of 10^4": r"\{" + joined(str, ",") + r"\}",
    "a set of 10^4, the same": r"\{" + joined(lambda i: "1", ",") + r"\}",
    "a set of 2,000 expressions": r"\{" + joined(lambda i: f"x^{i}+{i}", ",", 2_000) + r"\}",
    "a set of 300 roots": r"\{" + joined(lambda i: rf"\sqrt{{{i}}}+\sqrt{{2}}", ",", 300) + r"\}",
    "a list of 10^4": joined(str, ","),
    "a list of 10^4 letters": joined(lambda i: f"x_{i}", ","),
    "a list joined by words": joined(str, " or "),
    "a tuple of 10^4": "(" + joined(str, ",") + ")",
    "10^4 intervals": joined(lambda i: f"({i},{i + 1})", r"\cup "),
    "10^4 relations": joined(lambda i: f"x>{i}", ","),
    "10^4 assignments": joined(lambda i: f"x_{{{i}}}={i}", ","),
    "a chain of 10^4": joined(lambda i: "1", "="),
    "a chain of inequalities": joined(str, "<"),
    "a chain of towers": "=".join(["9^{9^{9^9}}"] * 50),
    "memberships": joined(lambda i: "x", r"\in "),
    "an inequality of high degree": joined(lambda i: f"(x-{i})", "", 60) + ">0",
    "an inequality of absolute values": "+".join(f"|x-{n}|" for n in range(60)) + "<1",
    "an equation of high degree": "x^{1000}+x+1=0",
    "an equation of powers": "(x+y)^{100}=(x-y)^{100}",
    "an interval of towers": r"(9^{9^{9^9}},\infty)",
    "an interval turned round": r"(\infty,-\infty)",
    "an interval of equal roots": r"[\sqrt{2+\sqrt3},\frac{\sqrt6+\sqrt2}{2}]",
    "a set builder with a tower": r"\{x\in\mathbb{R}\mid x^{9^{9^9}}>2\}",
    "a family": r"\{k\pi+\frac{n}{10^{9}}\mid k,n\in\mathbb{Z}\}",
    "a family of 200 members": joined(lambda i: rf"\frac{{\pi}}{{{i + 2}}}+2k\pi", ",", 200)
    + r",k\in\mathbb{Z}",
    "set differences": r"\mathbb{R}" + "".join(rf"\setminus\{{{n}\}}" for n in range(2_000)),
    "a set of sets": r"\{" + ",".join(rf"\{{{n},{n + 1}\}}" for n in range(300)) + r"\}",
    "matchings": r"\{" + ",".join(f"x+{n}" for n in range(60)) + r"\}",
    "many boxes": r"\boxed{1}" * MANY,
    "many answers": "The answer is 5. " * 5_000,
    "many hashes": "#### 5\n" * MANY,
    "prose": "the quick brown fox jumps over the lazy dog " * 2_000,
    "options": joined(lambda i: f"({chr(65 + i % 26)}) {i}", " "),
}  # fmt: skip

HOSTILE: dict[str, str] = {
    **TOWERS, **COMBINATORICS, **NESTING, **CHARACTERS, **NUMBERS, **EXPRESSIONS, **SHAPES,
}  # fmt: skip

PLAIN = ("5", "x^2+1", "(0,1)")


class Pair(NamedTuple):
    """One comparison, named by what is hostile in it."""

    name: str
    answer: str
    reference: str


def pairs(names: list[str] | None = None) -> Iterator[Pair]:
    """Yield each hostile text against plain references, itself, and as the reference."""
    for name in HOSTILE if names is None else names:
        text = HOSTILE[name]
        for plain in PLAIN:
            yield Pair(f"{name} / {plain}", text, plain)
            yield Pair(f"{plain} / {name}", plain, text)
        yield Pair(f"{name} / itself", text, text)
        yield Pair(f"{name} / itself + 1", text, f"{text}+1")


def slice_of_pairs(step: int, start: int = 0) -> list[Pair]:
    """Return every `step`-th of all pairs; a step prime to 8 meets every kind of pair."""
    return [*islice(pairs(), start, None, step)]


class Trial(NamedTuple):
    """What became of a comparison: its status, or the exception; and the time it took.

    `work_seconds` is the caller's own processor time, which a busy machine does not stretch.
    """

    name: str
    outcome: str
    seconds: float
    work_seconds: float


@cache
def verifier() -> rr.Verifier:
    """A verifier that remembers nothing, one a process."""
    return rr.Verifier(cache_size=0)


def trial(pair: Pair) -> Trial:
    """Compare, and grade the same answer from inside a completion."""
    start, start_of_work = time.perf_counter(), time.thread_time()
    try:
        verdict = verifier().verify(pair.answer, pair.reference)
        outcome = verdict.status.value
    except BaseException as error:
        outcome = f"{type(error).__name__}: {error}"[:200]
    seconds, work_seconds = time.perf_counter() - start, time.thread_time() - start_of_work
    return Trial(pair.name, outcome, seconds, work_seconds)


def grade_trial(pair: Pair) -> Trial:
    """Grade the answer from inside a box at the end of a completion."""
    start, start_of_work = time.perf_counter(), time.thread_time()
    try:
        completion = f"So it is $\\boxed{{{pair.answer}}}$."
        outcome = verifier().grade(completion, pair.reference).status.value
    except BaseException as error:
        outcome = f"{type(error).__name__}: {error}"[:200]
    seconds, work_seconds = time.perf_counter() - start, time.thread_time() - start_of_work
    return Trial(f"graded {pair.name}", outcome, seconds, work_seconds)


def peak_megabytes() -> float:
    """Return the largest resident memory of this process since `forget_peak`."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def forget_peak() -> None:
    """Start measuring the peak anew (Linux)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
