"""Numbers and names with what belongs to them: subscripts, powers, primes, bases, repeating digits.

A run of letters may be a variable, a product of variables, a function, a name such as ABC, or a
word; a word makes the answer prose, which is not mathematics.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NoReturn

import flint

from rlrewards.verify.commands import COMMANDS, GREEK, apply_function, is_function
from rlrewards.verify.tokens import Token
from rlrewards.verify.tree import (
    INFINITY,
    Apply,
    Based,
    Call,
    Constant,
    Measure,
    Node,
    Number,
    Percent,
    Power,
    Product,
    Sum,
    Symbol,
)
from rlrewards.verify.units import UNITS

if TYPE_CHECKING:
    from rlrewards.verify.grammar import Parser

LONGEST_PRODUCT: Final = 4
MAX_EXPONENT: Final = 5_000

_PLAIN_COMMANDS: Final = frozenset("sqrt abs pi binom floor ceil vec".split())
_INFINITY: Final = frozenset(["inf", "infinity", "Infinity", "oo"])
_INSIDE: Final = re.compile("sin|cos|tan|cot|sec|csc|ln|log|exp|pi|abs|inf|sqrt|max|min|gcd|lcm")
_GLUED: Final = re.compile(r"([a-z]?)(sin|cos|tan|cot|sec|csc|ln|log|exp|sqrt)([xyzuvn]?)")
_CALLED: Final = frozenset("fghFGH")
_DERIVED: Final = re.compile(r"d[a-z]")


# ---------------------------------------------------------------------------------------------
# Letters


def letters(parser: Parser) -> Node:
    """Read a run of letters."""
    token = parser.take()
    run = token.text
    if len(run) == 1:
        return variable(parser, run)
    if run in _INFINITY:
        return INFINITY
    if is_function(run):
        return apply_function(parser, run)
    if run in _PLAIN_COMMANDS or run in GREEK:
        return COMMANDS[run](parser)
    if run.isupper():
        return _capitals(parser, run)
    if glued := _GLUED.fullmatch(run):
        return _split(parser, token, [part for part in glued.groups() if part])
    is_alone = parser.at == 1 and parser.token.kind == "stop" and token.plain
    if _is_product(token) and not is_alone:
        return _split(parser, token, [*run])
    parser.at -= 1
    refuse_words(parser)


def _is_product(token: Token) -> bool:
    run = token.text
    if _INSIDE.search(run):
        return False
    return len(run) <= LONGEST_PRODUCT and (run.islower() or not token.plain)


def is_word(token: Token) -> bool:
    """Whether a run of letters is neither a product of variables nor the name of anything."""
    run = token.text
    if len(run) == 1 or run.isupper() or is_function(run):
        return False
    known = run in _PLAIN_COMMANDS or run in GREEK or run in _INFINITY
    return not (known or _GLUED.fullmatch(run) or _is_product(token))


def refuse_words(parser: Parser) -> NoReturn:
    """Stop at a word."""
    parser.fail("mathematics instead of words")


def _split(parser: Parser, token: Token, parts: list[str]) -> Node:
    """Put a run back as the parts it is a product of, and read the first of them."""
    at = parser.at - 1
    split = [token._replace(text=part, spaced=False) for part in parts]
    parser.tokens[at : at + 1] = split
    parser.at = at
    return letters(parser)


def _capitals(parser: Parser, run: str) -> Node:
    """Read a name such as ABC; digits behind it are a number in another base (AF_{16})."""
    if parser.is_next("_"):
        base = _written_base(parser)
        if base is not None and base > 10 and _are_digits(run, base):
            return Based(run, base)
        parser.fail(f"no subscript of {run}", known=True)
    return Symbol(run)


def variable(parser: Parser, name: str) -> Node:
    """Return the variable or the constant that one letter is, with its subscript and primes."""
    if parser.is_next("_"):
        if name in "CPA" and (chosen := _choices(parser, name)) is not None:
            return chosen
        return primed(parser, f"{name}_{subscript(parser)}")
    if name == "e" and name not in parser.bound:
        return Constant("e")
    if name == "i" and name not in parser.bound:
        return Constant("i")
    if parser.is_next("'"):
        return primed(parser, name)
    if parser.is_next("(") and (name in _CALLED or _is_defined_here(parser)):
        return called(parser, name)
    if parser.is_next("^") and name in _CALLED and _is_inverse(parser):
        return called(parser, name + _take_inverse(parser))
    return Symbol(name)


def primed(parser: Parser, name: str) -> Node:
    """Read the primes behind a name, and what it is applied to."""
    while parser.skip("'"):
        name += "'"
    if parser.is_next("(") and (name[0] in _CALLED or name.endswith("'")):
        return called(parser, name)
    return Symbol(name)


def called(parser: Parser, name: str) -> Node:
    """Read the arguments of a function that only has a name."""
    parser.expect("(")
    inner, _ = parser.inside((")",))
    arguments = getattr(inner, "items", None)
    return Apply(name, arguments if isinstance(arguments, tuple) else (inner,))


def _is_defined_here(parser: Parser) -> bool:
    """Whether `y(x) =` or `u(x,t) =` defines a function."""
    at = parser.at + 1
    while parser.tokens[at].kind == "letters" and len(parser.tokens[at].text) == 1:
        at += 1
        if parser.tokens[at].text == ")":
            return parser.tokens[at + 1].text == "="
        if parser.tokens[at].text != ",":
            return False
        at += 1
    return False


def _is_inverse(parser: Parser) -> bool:
    window = [parser.peek(ahead).text for ahead in range(1, 6)]
    return window[:5] == ["{", "-", "1", "}", "("] or window[:3] == ["-", "1", "("]


def _take_inverse(parser: Parser) -> str:
    parser.at += 5 if parser.peek().text == "{" else 3
    return "^-1"


def subscript(parser: Parser) -> str:
    """Read what stands behind `_` as part of a name."""
    parser.expect("_")
    if not parser.skip("{"):
        return parser.take().text
    parts: list[str] = []
    depth = 0
    while depth or not parser.is_next("}"):
        token = parser.take()
        if token.kind == "stop" or len(parts) > 20:
            parser.fail("}")
        depth += (token.text == "{") - (token.text == "}")
        parts.append(token.text)
    parser.expect("}")
    return "".join(parts)


def upright(parser: Parser) -> Node:
    r"""Read `\text{…}` and `\mathrm{…}` where a value is expected: a letter or a function."""
    token = parser.take()
    name = token.text.strip()
    if len(name) == 1:
        return variable(parser, name)
    if token.kind == "roman":
        if is_function(name):
            return apply_function(parser, name)
        if name.isupper() and name.isalpha():
            return Symbol(name)
        if name.isalpha() and parser.is_next("("):
            return called(parser, name)
        if _DERIVED.fullmatch(name):
            return Product((Symbol("d"), Symbol(name[1])))
    if name.isupper() and name.isalpha():
        return Symbol(name)
    parser.at -= 1
    refuse_words(parser)


def is_group(node: Node) -> bool:
    """Whether square brackets around this are only brackets: around a matrix, or a sum."""
    return type(node).__name__ in ("Matrix", "Sum")


# ---------------------------------------------------------------------------------------------
# Digits


def repeating(parser: Parser, text: str) -> Node:
    r"""Read 0.1\overline{6}, whose last digits go on for ever."""
    parser.take()
    braced = parser.skip("{")
    token = parser.take()
    if token.kind != "number" or not token.text.isdigit() or len(token.text) > 1_000:
        parser.fail("the digits that repeat")
    period = token.text
    if not braced and len(period) > 1:
        parser.fail("the digits that repeat in braces")
    if braced:
        parser.expect("}")
    whole, _, fixed = text.partition(".")
    under = 10 ** len(fixed) * (10 ** len(period) - 1)
    whole = whole or "0"
    if len(whole) + len(fixed) > 1_000:
        parser.fail("at most 1000 digits", known=True)
    over = int(whole + fixed + period) - int(whole + fixed)
    return Number(flint.fmpq(over, under))


def mixed(parser: Parser, whole: Node) -> Node:
    r"""Read `2\frac13`, which is 2 + 1/3; anything else behind a number is a factor."""
    start = parser.at
    parser.take()
    over, under = parser.argument(), parser.argument()
    if not (_is_natural(over) and _is_natural(under)):
        parser.at = start
        return _again(parser, start, whole)
    return _mixed_number(parser, whole, over, under)


def _again(parser: Parser, start: int, whole: Node) -> Node:
    return whole


def _is_natural(node: Node) -> bool:
    return isinstance(node, Number) and node.digits is None and node.value.q == 1


def _mixed_number(parser: Parser, whole: Node, over: Node, under: Node) -> Node:
    assert isinstance(whole, Number) and isinstance(over, Number) and isinstance(under, Number)
    if under.value == 0:
        parser.fail("a denominator that is not 0")
    if over.value >= under.value:
        parser.fail("a proper fraction behind a number", known=True)
    if parser.is_next("^", "!"):
        parser.fail("brackets around a mixed number", known=True)
    return Number(whole.value + over.value / under.value)


def mixed_plain(parser: Parser, whole: Node) -> Node:
    """Read `1 1/2`, which is 3/2 and never 11/2; two numbers side by side are nothing."""
    over, slash, under = parser.token, parser.peek(1), parser.peek(2)
    fits = slash.text == "/" and under.kind == "number"
    if fits and over.text.isdigit() and under.text.isdigit() and len(over.text) < 1_000:
        parser.at += 3
        return _mixed_number(
            parser, whole, Number(flint.fmpq(int(over.text))), Number(flint.fmpq(int(under.text)))
        )
    return whole


_E_NOTATION: Final = re.compile(r"[eE]")


def digits_or_exponent(parser: Parser, token: Token, value: Number) -> Node:
    """Read `6.6e-34` and hexadecimal digits such as `1A_{16}`; else the letters are a factor."""
    following = parser.token
    if _E_NOTATION.fullmatch(following.text):
        sign = parser.peek().text if parser.peek().text in ("+", "-") else ""
        digits = parser.peek(2 if sign else 1)
        is_tight = not digits.spaced and not (sign and parser.peek().spaced)
        if digits.kind == "number" and digits.text.isdigit() and is_tight:
            exponent = int((sign or "") + digits.text[:8])
            if abs(exponent) > MAX_EXPONENT:
                parser.fail(f"an exponent of at most {MAX_EXPONENT}", known=True)
            parser.at += 3 if sign else 2
            scale = flint.fmpq(10) ** exponent
            place = None if value.place is None else value.place * scale
            return Number(value.value * scale, value.digits, place)
    if _are_digits(following.text, 16) and following.text.isupper():
        return _hexadecimal(parser, token, value)
    return value


def _hexadecimal(parser: Parser, token: Token, value: Number) -> Node:
    run, at = token.text, parser.at
    while parser.token.kind in ("letters", "number") and not parser.token.spaced:
        run += parser.take().text
    if parser.is_next("_") and _are_digits(run, 16):
        base = _written_base(parser)
        if base is not None and _are_digits(run, base):
            return Based(run, base)
    parser.at = at
    return value


def based_or_mixed(parser: Parser, text: str, value: Node) -> Node:
    r"""Read `1101_2`, and `2{1 \over 3}`."""
    if parser.is_next("_"):
        base = _written_base(parser) if text.isdigit() else None
        if base is None:
            parser.fail("a base from 2 to 36")
        return Based(text, base)
    if text.isdigit() and any(parser.peek(n).text == "over" for n in range(1, 5)):
        inner = parser.group()
        over, under = getattr(inner, "over", None), getattr(inner, "under", None)
        if isinstance(over, Number) and isinstance(under, Number):
            return _mixed_number(parser, value, over, under)
        return Product((value, inner))
    return value


def _written_base(parser: Parser) -> int | None:
    name = subscript(parser)
    base = int(name) if name.isdigit() and len(name) < 3 else 0
    return base if 2 <= base <= 36 else None


def _are_digits(run: str, base: int) -> bool:
    allowed = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:base]
    return bool(run) and all(char in allowed for char in run)


def _choices(parser: Parser, name: str) -> Node | None:
    """Read `C_{10}^{3}`, numbers of choices or of arrangements."""
    start = parser.at
    below = subscript(parser)
    if parser.skip("^") and below.isdigit():
        above = parser.argument()
        if isinstance(above, Number) and above.value <= int(below[:9]):
            function = "binomial" if name == "C" else "permutations"
            return Call(function, (Number(flint.fmpq(int(below))), above))
    parser.at = start
    return None


# ---------------------------------------------------------------------------------------------
# Marks behind a value


def mark(parser: Parser, text: str, left: Node) -> Node:
    """Read one of `^ ! ' % ° _` behind a value."""
    parser.at += 1
    if text == "^":
        return _power(parser, left)
    if text == "!":
        return _factorial(parser, left)
    if text == "%":
        return Percent(left)
    if text == "°":
        return _degrees(parser, left)
    if text == "_":
        parser.at -= 1
        if isinstance(left, Number) and left.value.q == 1 and left.value >= 0:
            base = _written_base(parser)
            if base is not None:
                return Based(str(left.value), base)
        parser.fail("a name before a subscript", known=True)
    if isinstance(left, Measure) and left.unit.name == "°":
        parser.fail("degrees without minutes", known=True)
    parser.fail("a name before a prime", known=True)


def _power(parser: Parser, base: Node) -> Node:
    primes = 0
    if parser.is_next("'") or (parser.is_next("{") and parser.peek().text == "'"):
        braced = parser.skip("{")
        while parser.skip("'"):
            primes += 1
        if braced:
            parser.expect("}")
        if isinstance(base, Symbol):
            return primed(parser, base.name + "'" * primes)
        parser.fail("a name before a prime", known=True)
    if isinstance(base, Power | Call) and _is_bare(parser, base):
        parser.fail("brackets around a power of a power")
    exponent = _exponent(parser)
    return Power(base, exponent)


def _is_bare(parser: Parser, base: Node) -> bool:
    """Whether a power or a factorial stands here without brackets: 2^3^2."""
    before = parser.tokens[parser.at - 2]
    return before.text not in (")", "]", "|", ")|", "⌋", "⌉") and not (
        before.text == "}" and not isinstance(base, Power)
    )


def _exponent(parser: Parser) -> Node:
    from rlrewards.verify.tree import Negative

    if parser.skip("-"):
        return Negative(_exponent(parser)) if not parser.is_next("-") else parser.operand()
    if parser.skip("+"):
        return parser.operand()
    return parser.operand()


def _factorial(parser: Parser, left: Node) -> Node:
    if parser.skip("!"):
        if parser.is_next("!"):
            parser.fail("at most two factorial signs", known=True)
        return Call("double_factorial", (left,))
    if isinstance(left, Call) and left.name == "factorial" and parser.tokens[parser.at - 2].text == "!":
        parser.fail("brackets around a factorial of a factorial", known=True)
    return Call("factorial", (left,))


def _degrees(parser: Parser, left: Node) -> Node:
    following = parser.token
    if following.kind in ("letters", "roman", "text") and following.text in ("C", "F"):
        parser.at += 1
        if following.text == "C":
            return Measure(left, UNITS["°C"])
        parser.fail("a known unit", known=True)
    degrees = Measure(left, UNITS["°"])
    minutes = parser.token
    if minutes.kind == "number" and parser.peek().text == "'":
        parser.fail("degrees without minutes", known=True)
    return degrees


__all__ = ["Sum", "letters", "mark", "upright", "variable"]
