r"""From the symbols of a formula to a SymPy expression, through latex2sympy2-extended.

That parser reads much, and some of it wrongly for our purpose: `2(3)` is 5 to it, `\sin x/2` is
sin(x/2), `1101_2` is 1101, `I` is the imaginary unit in `I_1 R`, `\gamma` is Euler's constant, and
0.1 is a binary float. So the symbols are first rewritten into a part of LaTeX that has one reading:
products with a dot, arguments and exponents in braces, decimals as fractions, and each variable as
`\variable{name}`. What could be read in two ways is refused. Nothing is evaluated, so that the
comparison still sees the form of the answer.

No string of an answer reaches `sympify` or `parse_expr`, which evaluate Python. The one road there
in latex2sympy2-extended 1.11 is `sympy.Number(digits)`; `disarm` makes that an `int`, and replaces
`parse_expr` by a function that raises.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Any, Final, NoReturn

import sympy
import sympy.parsing.sympy_parser
from latex2sympy2_extended import latex2sympy, latex2sympy2
from latex2sympy2_extended.latex2sympy2 import ConversionConfig

from rlrewards.verify.answer_shape import Tokens, UnreadableError

IMAGINARY: Final = "i"


class UnevaluatedError(UnreadableError):
    """A sum, product, integral, limit or derivative left standing."""

    def __init__(self, why: str) -> None:
        super().__init__(why, gap=True)


def disarm() -> None:
    """Make SymPy's evaluation of strings as Python impossible in this process."""

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise UnreadableError("SymPy was asked to evaluate a string", gap=True)

    def integer(_: Any, digits: str) -> Any:
        return sympy.Integer(int(digits))

    latex2sympy2._Latex2Sympy.parse_number = integer
    sympy.parsing.sympy_parser.parse_expr = refuse
    sympy.parsing.sympy_parser.eval_expr = refuse
    latex2sympy2.parse_expr = refuse


@lru_cache(maxsize=256)
def expression(tokens: Tokens, *, log_base: str = "10") -> sympy.Expr:
    r"""Return the unevaluated expression that the symbols stand for.

    Args:
        tokens: Symbols of one formula, from `answer_shape.tokenize`.
        log_base: What a bare `\log` means: "10" or "e".

    Raises:
        UnreadableError: the formula is unknown or ambiguous; the message says where.
        UnevaluatedError: it holds a sum, product, integral, limit or derivative.
    """
    infinity = {("\\infty",): sympy.oo, ("+", "\\infty"): sympy.oo, ("-", "\\infty"): -sympy.oo}
    if tokens in infinity:
        return infinity[tokens]
    if tokens[:1] and tokens[0] in _OPERATORS - {"+", "-"}:
        raise UnreadableError(f"it begins with {tokens[0]}")
    latex = _Writer(tokens, log_base).all()
    # Inside a root the parser need not decide whether braces mean a set, which takes it time
    # exponential in their depth.
    try:
        root = latex2sympy(
            rf"\sqrt{{{latex}}}",
            normalization_config=None,
            conversion_config=ConversionConfig(lowercase_symbols=False),
        )
    except (MemoryError, RecursionError, UnreadableError):
        raise
    except Exception as error:
        why = f"latex2sympy: {str(error)[:100].splitlines()[:1]}"
        raise UnreadableError(why, gap=True) from error
    if not isinstance(root, sympy.Pow) or root.args[1] != sympy.S.Half:
        raise UnreadableError("not a formula", gap=True)
    return root.args[0]


_OPERATORS: Final = frozenset("+-*/")
_LEFT: Final = {"(": ")", "[": "]", "{": "}", "|(": ")|"}
_GREEK: Final = frozenset(
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi "
    "rho varrho sigma varsigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi "
    "Sigma Upsilon Phi Psi Omega ell".split()
)
_FUNCTIONS: Final = {
    name: name
    for name in "sin cos tan cot sec csc sinh cosh tanh arcsin arccos arctan ln log exp".split()
} | {
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "arcsinh": "arcsinh",
    "arccosh": "arccosh",
    "arctanh": "arctanh",
    "arsinh": "arcsinh",
    "arcosh": "arccosh",
    "artanh": "arctanh",
}
_INVERSE: Final = {"sin": "arcsin", "cos": "arccos", "tan": "arctan"}
_PLAIN_WORDS: Final = frozenset("sqrt abs pi theta alpha beta lambda omega phi".split())
_WORD_INSIDE: Final = re.compile("sin|cos|tan|cot|sec|csc|ln|log|exp|pi|abs|inf")
_UNEVALUATED: Final = frozenset(
    {r"\sum", r"\prod", r"\int", r"\iint", r"\oint", r"\lim", r"\partial", r"\nabla"}
)


# Commands of well-formed mathematics that is not read yet: a gap of ours, not a fault of the text.
_KNOWN_COMMANDS: Final = frozenset(
    """
    over overline bar vec hat widehat tilde widetilde dot ddot check breve overrightarrow
    overleftarrow overbrace underbrace overset underset stackrel substack prime mathbb mathcal
    mathfrak mathsf mathscr cap bigcap bigcup setminus backslash subset subseteq subsetneq supset
    supseteq notin ni forall exists nexists neg to gets rightarrow leftarrow leftrightarrow
    Rightarrow Leftarrow Leftrightarrow longrightarrow mapsto implies impliedby iff equiv cong sim
    simeq propto parallel perp nmid ll gg pmod bmod mod pod gcd lcm max min sup inf limsup liminf
    argmax argmin det dim ker rank tr trace deg arg Re Im sgn sign card hom Pr angle measuredangle
    triangle square circ bullet star oplus otimes odot ominus wedge vee land lor top bot choose
    brace atop mp pm ldots dots cdots vdots ddots therefore because infty aleph hbar imath jmath
    sech csch coth arccot arcsec arccsc erf operatorname unit wp Vert lVert rVert lg floor ceil
    round frac text not lfloor rfloor lceil rceil rangle langle
    """.split()
)


class _Writer:
    """Rewrites symbols, left to right, one term at a time."""

    def __init__(self, tokens: Tokens, log_base: str, *, in_group: bool = False) -> None:
        self.tokens = tokens
        self.may_be_word = len(tokens) == 1 and not in_group
        self.log_base = log_base
        self.at = 0

    # -- cursor

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        if not token:
            raise UnreadableError("it ends too early")
        self.at += 1
        return token

    def group(self, closing: str) -> str:
        """Return what stands up to the closing bracket that matches one just taken, rewritten."""
        start, depth = self.at, 0
        while depth or self.peek() != closing:
            token = self.take()
            depth += (token in _LEFT) - (token in _LEFT.values())
        inner = self.tokens[start : self.at]
        self.at += 1
        return _Writer(inner, self.log_base, in_group=True).all()

    # -- grammar: a sum of terms, a term of factors, a factor with its exponent

    def all(self) -> str:
        out: list[str] = []
        while self.at < len(self.tokens):
            if self.peek() in "+-":
                out.append(self.sign())
            out.append(self.term())
        if not out:
            raise UnreadableError("a part is empty")
        return "".join(out)

    def sign(self) -> str:
        """Take a sign and a second one after it: `x + -3` is read, `--` is not."""
        first = self.take()
        if first == "+" and self.peek() == "-":
            return self.take()
        if self.peek() in ("+", "-"):
            raise UnreadableError("two signs in a row")
        return first

    def term(self) -> str:
        """Factors joined by dots and slashes. `a/bc` is refused: it is read both ways."""
        out = [self.factor()]
        after_slash = False
        while (token := self.peek()) and token not in ("+", "-"):
            if token in "*/":
                self.take()
                after_slash = token == "/"
                out.append(r"\cdot " if token == "*" else "/")
                negative = self.peek() == "-"
                if negative:
                    self.take()
                factor = self.factor()
                out.append(f"{{-{factor}}}" if negative else factor)
                continue
            if after_slash:
                raise UnreadableError("a product after a slash", gap=True)
            if token[0].isdigit() or token[0] == ".":
                raise UnreadableError("a number after a factor")
            out += [r"\cdot ", self.factor()]
        return "".join(out)

    def factor(self) -> str:
        start = self.at
        base = self.mixed_number() or self.atom()
        is_function = self.tokens[start].lstrip("\\") in _FUNCTIONS
        raised = False
        while self.peek() in ("^", "!"):
            if self.take() == "!":
                if raised or self.peek() == "!":
                    raise UnreadableError("a factorial after a power or a factorial", gap=True)
                base = f"{{{base}!}}"
                raised = True
                continue
            if raised or is_function:
                raise UnreadableError(
                    "a power after a power, a factorial or a function",
                    gap=is_function or base.endswith("!}"),
                )
            base = f"{{{base}^{{{self.script()}}}}}"
            raised = True
        return base

    def script(self) -> str:
        """What stands behind `^`: a group, a number, or one symbol, with its sign."""
        if self.peek() == "-":
            self.take()
            return f"-{self.script()}"
        if self.peek() == "{":
            self.take()
            return self.group("}")
        return self.atom()

    def mixed_number(self) -> str:
        r"""`2\frac13` is 2 + 1/3; empty when there is none."""
        window = self.tokens[self.at : self.at + 8]
        if not (len(window) == 8 and window[0].isdigit() and window[1] == r"\frac"):
            return ""
        whole, over, under = window[0], window[3], window[6]
        if window[2::3] != ("{", "{") or window[4::3] != ("}", "}"):
            return ""
        if not (over.isdigit() and under.isdigit()):
            return ""
        if int(over) >= int(under):
            raise UnreadableError("a number before an improper fraction", gap=True)
        self.at += 8
        if self.peek() in ("^", "!"):
            raise UnreadableError("a power of a mixed number", gap=True)
        return rf"{{\frac{{{int(whole) * int(under) + int(over)}}}{{{under}}}}}"

    def atom(self) -> str:
        token = self.take()
        if token[0].isdigit() or token[0] == ".":
            return self.number(token)
        if token in _LEFT:
            inner = self.group(_LEFT[token])
            return f"{{|{inner}|}}" if token == "|(" else f"{{{inner}}}"
        if token == "|":
            return self.bars()
        if token.isalpha() and token.isascii():
            return self.letters(token)
        if token.startswith("\\"):
            return self.command(token[1:])
        raise UnreadableError(f"the symbol {token}", gap=token in (":", "ℝ", "°", "%"))

    def number(self, token: str) -> str:
        if self.peek() == "_":
            raise UnreadableError("a number in another base", gap=True)
        if self.peek() == r"\frac" and not token.isdigit():
            raise UnreadableError("a decimal before a fraction")
        whole, _, places = token.partition(".")
        if not places:
            return f"{{{int(whole)}}}"
        numerator, denominator = int((whole or "0") + places), 10 ** len(places)
        common = math.gcd(numerator, denominator)
        return rf"{{\frac{{{numerator // common}}}{{{denominator // common}}}}}"

    def bars(self) -> str:
        """|…| up to the next bar; nested ones are ambiguous."""
        start, depth = self.at, 0
        while depth or self.peek() != "|":
            token = self.take()
            depth += (token in _LEFT) - (token in _LEFT.values())
        inner = self.tokens[start : self.at]
        self.at += 1
        if not inner or inner[-1] in _OPERATORS | {"^", "_"}:
            raise UnreadableError("nested bars", gap=True)
        return f"{{|{_Writer(inner, self.log_base).all()}|}}"

    def letters(self, run: str) -> str:
        """A variable, the name of a function, a run of capitals, or a short product."""
        if run in _FUNCTIONS or run in _PLAIN_WORDS:
            return self.command(run)
        if len(run) == 1:
            return self.variable(run)
        if run.isupper():
            if self.peek() == "_":
                raise UnreadableError(f"a subscript of {run}", gap=True)
            return rf"\variable{{{run}}}"
        is_product = run.islower() and len(run) <= 4 and not _WORD_INSIDE.search(run)
        if not is_product or self.may_be_word or self.peek() == "(":
            raise UnreadableError(f"the word {run}", gap=run in _KNOWN_COMMANDS)
        head = [self.variable(letter, last=False) for letter in run[:-1]]
        return self.joined(head, run[-1])

    def joined(self, head: list[str], last: str) -> str:
        """`xy^2` is x·y²: only the last letter takes what follows."""
        tail = self.variable(last)
        while self.peek() == "^":
            self.take()
            tail = f"{{{tail}^{{{self.script()}}}}}"
        if self.peek() == "!":
            raise UnreadableError("a factorial of a product", gap=True)
        return "{" + r"\cdot ".join([*head, tail]) + "}"

    def variable(self, name: str, *, last: bool = True) -> str:
        if last and self.peek() == "_":
            self.take()
            name += "sub" + self.subscript()
        elif name == "e":
            return "e"
        if last and self.peek() == "'":
            raise UnreadableError("a prime", gap=True)
        if last and self.peek() == "(" and name in tuple("fghFGH"):
            raise UnreadableError(f"the function {name}", gap=True)
        return rf"\variable{{{name}}}"

    def subscript(self) -> str:
        if self.peek() != "{":
            inner: Tokens = (self.take(),)
        else:
            self.take()
            end = self.tokens.index("}", self.at) if "}" in self.tokens[self.at :] else self.at
            inner = self.tokens[self.at : end]
            self.at = end + 1
        name = "".join(token.lstrip("\\") for token in inner)
        if not name.isalnum() or not name.isascii():
            raise UnreadableError("a subscript that is not a name", gap=True)
        return name

    def command(self, name: str) -> str:
        if name in _GREEK:
            return self.variable(name)
        if name in _FUNCTIONS:
            return self.function(_FUNCTIONS[name])
        if "\\" + name in _UNEVALUATED:
            raise UnevaluatedError(rf"\{name} is left standing")
        writer = getattr(self, f"write_{name}", None) if name.isascii() and name.isalpha() else None
        if writer is None:
            raise UnreadableError(
                rf"the command \{name}", gap=name.partition("{")[0] in _KNOWN_COMMANDS | {"$"}
            )
        written: str = writer()
        return written

    def write_pi(self) -> str:
        if self.peek() == "_":
            return self.variable("pi")
        return r"{\pi}"

    def write_frac(self) -> str:
        if self.tokens[self.at : self.at + 2] == ("{", "d") or self.peek() == "d":
            raise UnevaluatedError("a derivative is left standing")
        above, below = self.argument(), self.argument()
        return rf"{{\frac{{{above}}}{{{below}}}}}"

    def write_binom(self) -> str:
        above, below = self.argument(), self.argument()
        return rf"{{\binom{{{above}}}{{{below}}}}}"

    write_dbinom = write_tbinom = write_binom

    def write_sqrt(self) -> str:
        degree = ""
        if self.peek() == "[":
            self.take()
            degree = f"[{self.group(']')}]"
        return rf"{{\sqrt{degree}{{{self.argument()}}}}}"

    def write_abs(self) -> str:
        return f"{{|{self.argument()}|}}"

    def write_lfloor(self) -> str:
        return self.between("lfloor", "rfloor")

    def write_lceil(self) -> str:
        return self.between("lceil", "rceil")

    def between(self, left: str, right: str) -> str:
        if rf"\{right}" not in self.tokens[self.at :]:
            raise UnreadableError("brackets do not match")
        end = self.tokens.index(rf"\{right}", self.at)
        inner = self.tokens[self.at : end]
        self.at = end + 1
        return rf"{{\{left} {{{_Writer(inner, self.log_base).all()}}}\{right} }}"

    def argument(self) -> str:
        """An argument in braces (or round brackets), or one digit or letter."""
        token = self.take()
        if token in ("{", "("):
            return self.group(_LEFT[token])
        if len(token) == 1 and token.isalnum() and token.isascii():
            return f"{{{token}}}" if token.isdigit() else self.variable(token, last=False)
        if token == r"\pi":
            return r"{\pi}"
        raise UnreadableError("an argument without braces")

    def function(self, name: str) -> str:
        base, power = "", ""
        while self.peek() in ("^", "_"):
            if self.take() == "_":
                if name != "log" or base:
                    raise UnreadableError(f"a subscript of {name}", gap=True)
                base = self.argument() if self.peek() == "{" else self.script()
            else:
                power = power or self.script()
        if power == "-{1}":
            if name not in _INVERSE:
                raise UnreadableError(f"the power -1 of {name}", gap=True)
            name, power = _INVERSE[name], ""
        elif power and not power.strip("{}").isdigit():
            raise UnreadableError(f"a power of {name}", gap=True)
        argument = self.function_argument(name)
        if name == "log" and not base:
            base = "10" if self.log_base == "10" else "e"
        command = rf"\log_{{{base}}}" if name == "log" else f"\\{name}"
        written = f"{{{command}{{{argument}}}}}"
        return f"{{{written}^{{{power}}}}}" if power else written

    def function_argument(self, name: str) -> str:
        r"""Return what the function applies to.

        In brackets, that; without, the factors up to the next sign, dot or function. What divides
        or multiplies a bare argument, as in `\sin x/2`, is refused.
        """
        if self.peek() in ("(", "{", "[", "|(", "|"):
            bracket = self.peek()
            argument = self.atom()
            if self.peek() in ("^", "!"):
                raise UnreadableError(f"a power after {name}", gap=True)
            if bracket == "{" and self.peek()[:1] not in ("", "+", "-", "*", "/", "\\"):
                raise UnreadableError(f"where the argument of {name} ends", gap=True)
            return argument
        factors: list[str] = []
        while (token := self.peek()) and token not in ("+", "-", "*", "/"):
            if token in ("(", "[", "|", "|("):
                raise UnreadableError(f"where the argument of {name} ends", gap=True)
            if token.lstrip("\\") in _FUNCTIONS and factors:
                break
            if factors and token[0].isdigit():
                raise UnreadableError("a number after a factor")
            factors.append(self.factor())
        if not factors:
            raise UnreadableError(f"{name} of nothing")
        if self.peek() == "/":
            raise UnreadableError(f"a slash after {name}", gap=True)
        return r"\cdot ".join(factors)
