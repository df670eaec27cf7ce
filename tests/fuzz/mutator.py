r"""Cases for fuzzing, and changes to them that keep to the grammar of answers.

A case is three texts, the answer, the reference and the completion, kept as one byte string so that
a coverage-guided fuzzer can store it. `mutate` changes one in ways that plain byte flips rarely
find: whole tokens of LaTeX, brackets around a part, one side copied to the other.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

SEPARATOR = "\x1e"
MAX_CHARACTERS = 1_000


class Case(NamedTuple):
    """An answer, what it is compared with, and a completion to find an answer in."""

    answer: str
    reference: str
    completion: str


def decode(data: bytes) -> Case:
    """Read a case; any bytes are one. Bytes that are no UTF-8 become lone surrogates."""
    text = data.decode("utf-8", "surrogateescape")
    fields = [field[:MAX_CHARACTERS] for field in text.split(SEPARATOR)]
    return Case(*[*fields, "", "", ""][:3])


def encode(case: Case) -> bytes:
    """Return the bytes of a case, as good as they go."""
    return SEPARATOR.join(case).encode("utf-8", "surrogatepass")


# fmt: off
ATOMS = [
    *"0 1 2 3 5 7 10 12 100 1,000 10,000 70\\,000 1{,}000 0.5 .5 3.14 0.333 1e5 1.50".split(),
    *"x y z n k a b C e i t A B AB x_1 x_{1} f(x) y' \\pi \\theta \\infty \\ell \\emptyset".split(),
    *"½ ² ³ √ π ∞ ≤ − × ° ⁻ ₁ ∅ ∪ ℝ \\mathbb{R} \\mathbb{Z} \\varnothing 1101_2 0.\\overline{3}".split(),
    "5\\%", "30^\\circ", "5\\text{ cm}", "\\$5", "5 cm", "1\\frac12", "1 1/2", "five", "yes", "no",
    "\\text{even}", "no solution", "all real numbers", "undefined", "DNE", "\\ldots", "5 May", "4:30 PM",
    "11:4", "3\\times10^4", "\\frac12", "\\frac{a}{b}", "\\sqrt2", "\\sqrt{x}", "\\sqrt[3]{x}", "2^{10}",
    "\\binom{5}{2}", "5!", "|x|", "\\left|x\\right|", "\\lfloor x\\rfloor", "\\sin x", "\\log_2 8", "\\ln x",
    "e^{x}", "x^{-1}", "\\int_0^1 x\\,dx", "\\sum_{k=1}^{n}k", "\\lim_{x\\to0}x", "\\frac{d}{dx}x^2",
    "(1,2)", "[0,1)", "(-\\infty,1]", "\\{1,2\\}", "\\{x\\mid x>2\\}", "\\begin{pmatrix}1\\\\2\\end{pmatrix}",
    "\\begin{cases}1&x>0\\\\2&x<0\\end{cases}", "x=5", "1<x\\le2", "x\\in(0,1)", "2x+y=3", "x\\equiv1\\pmod5",
    "a\\pm b", "\\pm5", "k\\pi,k\\in\\mathbb{Z}", "\\vec{v}", "\\angle ABC", "9^{9^9}", "(10^9)!", "\0", "\ud800",
    "\u200b", "\u202e", "５",
]
JOINERS = [
    *"+ - * / ^ _ ! = < > , ; : . | & % $ ' ~ ( ) [ ] { } \\".split(), " ", "\n", "", "\\,", "\\!",
    "\\ ", "\\cdot ", "\\times ", "\\div ", "\\pm ", "\\mp ", "\\le ", "\\ge ", "\\ne ", "\\approx ", "\\in ", "\\cup ",
    "\\cap ", "\\setminus ", "\\to ", "\\mid ", "\\over ", "\\\\", " or ", " and ", " to ", "=", ",", "+C", "\\%",
    "^\\circ", "\\quad ", "\\left", "\\right", "\\text", "^{", "_{", "\\frac", "\\sqrt", "\\dfrac", "\\bmod ",
]
WRAPS = [
    ("(", ")"), ("[", "]"), ("{", "}"), ("\\{", "\\}"), ("|", "|"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"),
    ("\\left(", "\\right)"), ("\\frac{", "}{2}"), ("\\frac{1}{", "}"), ("\\sqrt{", "}"), ("^{", "}"), ("_{", "}"),
    ("\\boxed{", "}"), ("\\text{", "}"), ("\\mathrm{", "}"), ("-", ""), ("\\overline{", "}"), ("\\sin(", ")"),
    ("\\langle ", "\\rangle "), ("\\lfloor ", "\\rfloor "), ("\\begin{pmatrix}", "\\end{pmatrix}"), ("", "!"),
    ("\\begin{cases}", "\\end{cases}"), ("", "\\pmod{7}"), ("x=", ""), ("x\\in", ""), ("\\{x\\mid ", "\\}"),
]
PHRASES = [
    ("The answer is ", "."), ("So \\boxed{", "}."), ("#### ", ""), ("<answer>", "</answer>"), ("**", "**"),
    ("<think>", "</think>"), ("\\boxed{1} or \\boxed{", "}"), ("A: ", ""), ("Final answer: $", "$"), ("", " no, wait: 7"),
]
# fmt: on


def mutate(data: bytes, chance: random.Random) -> bytes:
    """Return a case that is a few changes away."""
    case = [*decode(data)]
    for _ in range(1 + min(chance.getrandbits(2), chance.getrandbits(2))):
        index = chance.choices((0, 1, 2), (5, 3, 2))[0]
        if chance.random() < 0.12:
            case[index] = case[chance.randrange(3)]
        else:
            case[index] = chance.choice(_CHANGES)(case[index], chance)[:MAX_CHARACTERS]
    if chance.random() < 0.1:
        before, after = chance.choice(PHRASES)
        case[2] = before + case[0] + after
    return encode(Case(*case))


def _place(text: str, chance: random.Random) -> int:
    return chance.randint(0, len(text))


def _part(text: str, chance: random.Random) -> tuple[int, int]:
    start = _place(text, chance)
    return start, min(len(text), start + chance.choice((1, 1, 2, 3, 5, 8, 30)))


def _insert(text: str, chance: random.Random) -> str:
    at = _place(text, chance)
    return text[:at] + chance.choice(chance.choice((ATOMS, JOINERS))) + text[at:]


def _join(text: str, chance: random.Random) -> str:
    return text + chance.choice(JOINERS) + chance.choice(ATOMS)


def _delete(text: str, chance: random.Random) -> str:
    start, end = _part(text, chance)
    return text[:start] + text[end:]


def _replace(text: str, chance: random.Random) -> str:
    start, end = _part(text, chance)
    return text[:start] + chance.choice(chance.choice((ATOMS, JOINERS))) + text[end:]


def _repeat(text: str, chance: random.Random) -> str:
    start, end = _part(text, chance)
    return text[:end] + text[start:end] * chance.choice((1, 2, 5, 60)) + text[end:]


def _wrap(text: str, chance: random.Random) -> str:
    start, end = (0, len(text)) if chance.random() < 0.5 else _part(text, chance)
    before, after = chance.choice(WRAPS)
    times = chance.choice((1, 1, 1, 2, 70))
    return text[:start] + before * times + text[start:end] + after * times + text[end:]


def _move(text: str, chance: random.Random) -> str:
    start, end = _part(text, chance)
    rest = text[:start] + text[end:]
    at = _place(rest, chance)
    return rest[:at] + text[start:end] + rest[at:]


def _change_digit(text: str, chance: random.Random) -> str:
    places = [index for index, character in enumerate(text) if character.isdigit()]
    if not places:
        return text + str(chance.getrandbits(8))
    at = chance.choice(places)
    return text[:at] + str(chance.randrange(10)) + text[at + 1 :]


def _change_character(text: str, chance: random.Random) -> str:
    start, _ = _part(text, chance)
    wide = chance.choice(
        (chance.randrange(128), chance.randrange(0x2FFF), chance.randrange(0x110000))
    )
    return text[:start] + chr(wide) + text[start + 1 :]


def _fresh(text: str, chance: random.Random) -> str:
    return chance.choice(JOINERS).join(chance.choices(ATOMS, k=chance.randint(1, 3)))


_CHANGES: list[Callable[[str, random.Random], str]] = [
    _insert, _insert, _join, _delete, _delete, _replace, _replace, _repeat, _wrap, _wrap, _move,
    _change_digit, _change_character, _fresh,
]  # fmt: skip
