r"""What latex2sympy2-extended reads and our parser does not, behind a gate. Only the worker has it.

That parser reads some notation wrongly for our purpose: `2(3)` is 5 to it, `\sin x/2` is sin(x/2),
`1101_2` is 1101, `I` is the imaginary unit. So it gets only pairs in which something stands
(`\int`, `\sum`, `\lim`, `\partial` …) and nothing of that kind occurs, and `sympy_bridge` takes no
DIFFERENT from what it reads.

No string of an answer reaches SymPy's reader of Python: the one road there in
latex2sympy2-extended is `sympy.Number(digits)`. `disarm` makes that an `int`, and replaces
`parse_expr` by a function that reads fractions and names, of which SymPy's own tables are full, and
refuses everything else.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final, NoReturn

import sympy
import sympy.parsing.sympy_parser
from latex2sympy2_extended import latex2sympy, latex2sympy2
from latex2sympy2_extended.latex2sympy2 import ConversionConfig

MAX_CHARACTERS: Final = 200
MAX_DEPTH: Final = 12


class StringRefusedError(ValueError):
    """SymPy was asked to evaluate a string."""


@cache
def disarm() -> None:
    """Make SymPy's evaluation of strings as Python impossible in this process."""

    latex2sympy2._Latex2Sympy.parse_number = lambda _, digits: sympy.Integer(int(digits))
    sympy.parsing.sympy_parser.parse_expr = _fraction_or_name
    sympy.parsing.sympy_parser.eval_expr = _refuse
    latex2sympy2.parse_expr = _refuse


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise StringRefusedError("SymPy was asked to evaluate a string")


def _fraction_or_name(text: str, *_: Any, **__: Any) -> Any:
    if re.fullmatch(r"[A-Za-z]{1,20}", text):
        return sympy.Symbol(text)
    if re.fullmatch(r"-?[0-9]{1,9}(/[1-9][0-9]{0,9})?", text) is None:
        _refuse()
    over, under = text.split("/") if "/" in text else (text, "1")
    return sympy.Rational(int(over), int(under))


_STANDS: Final = re.compile(r"\\(?:int|sum|prod|lim|partial|Gamma)(?![A-Za-z])|\\frac\{d")
_KNOWN: Final = frozenset(
    """
    int sum prod lim partial Gamma frac sqrt pi infty to sin cos tan ln exp cdot left right
    alpha beta theta lambda mu , ; ! quad
    """.split()
)
# Products before brackets, slashes, points, scripts of digits, `I`, functions without brackets;
# and whatever could be too large to be written out.
_AMBIGUOUS: Final = re.compile(
    r"""\d\s*(?:\\left)?\s*[(\[|] | [/.%$&~'"<>=:] | \d_ | \d\s+\d | [A-Z]{2} | I
    | \d{7} | ! | \^\{?[^{}]*\^ | \^\{?\d{3}
    | \\(?:sin|cos|tan|ln|exp)(?!\s*(?:\\left\s*)?[({^]) | \\[a-z]+\^ | [^\x20-\x7e] """,
    re.VERBOSE,
)
_INDEX: Final = re.compile(r"_\{[a-z]=")
_COMMAND: Final = re.compile(r"\\([A-Za-z]+|.)")


def read_latex(text: str) -> Any:
    """Return the SymPy expression of a text, over real variables; None where it is not read."""
    text = text.strip().strip("$").strip()
    if not _is_let_through(text):
        return None
    disarm()
    try:
        expression = latex2sympy(
            text,
            normalization_config=None,
            conversion_config=ConversionConfig(lowercase_symbols=False),
        )
    except MemoryError:
        raise
    except Exception:
        return None
    return _over_the_reals(expression)


def _is_let_through(text: str) -> bool:
    if not text or len(text) > MAX_CHARACTERS or _AMBIGUOUS.search(_INDEX.sub("_{i", text)):
        return False
    if not set(_COMMAND.findall(text)) <= _KNOWN:
        return False
    depth = deepest = 0
    for character in text:
        depth += (character in "({[") - (character in ")}]")
        deepest = max(deepest, depth)
    return depth == 0 and deepest <= MAX_DEPTH


def has_standing_command(text: str) -> bool:
    """Whether a sum, an integral or the like is written in a text."""
    return _STANDS.search(text) is not None


def _over_the_reals(expression: Any) -> Any:
    if not isinstance(expression, sympy.Expr):
        return None
    names = expression.atoms(sympy.Symbol)
    # Not `x_i` either: it would be one number for all i.
    if not all(re.fullmatch(r"[A-Za-z][A-Za-z0-9]*|\\[a-z]+", name.name) for name in names):
        return None
    for derivative in expression.atoms(sympy.Derivative):
        if not derivative.variables or not {*derivative.variables} <= derivative.expr.free_symbols:
            return None  # dy/dx is not 0
    replaced = {name: sympy.Symbol(name.name.lstrip("\\"), real=True) for name in names}
    return expression.xreplace(replaced)
