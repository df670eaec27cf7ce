"""Numbers and names with what belongs to them: subscripts, powers, primes, bases, repeating digits.

A run of letters may be a variable, a product of variables, a function, a name such as ABC, or a
word; a word makes the answer prose, which is not mathematics.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NoReturn

from rlrewards.verify import digits, sets
from rlrewards.verify.commands import COMMANDS, GREEK, apply_function, is_function
from rlrewards.verify.digits import are_digits, decimal, written_base
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
    Product,
    Symbol,
)
from rlrewards.verify.units import OPERATORS, UNITS

if TYPE_CHECKING:
    from rlrewards.verify.grammar import Parser

LONGEST_PRODUCT: Final = 4
MAX_EXPONENT: Final = 5_000

_PLAIN_COMMANDS: Final = frozenset("sqrt cbrt abs pi binom floor ceil vec".split())
_INFINITY: Final = frozenset(["inf", "infinity", "Infinity", "oo"])
_INSIDE: Final = re.compile("sin|cos|tan|cot|sec|csc|ln|log|exp|pi|abs|inf|sqrt|max|min|gcd|lcm")
_LABEL: Final = re.compile(r"[A-Z]?[a-z]{4,15}(?: [a-z]{2,15})?|[A-Z][a-z]{2,15}")
_NOT_IN_LABEL: Final = OPERATORS - frozenset(
    "maximum minimum max min point base power root correct right score gross most least "
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau "
    "upsilon phi chi psi omega".split()
)
"""Words that make another number of a value that is named so: `answer squared = 5`."""
_CURRENCIES: Final = frozenset(["USD", "EUR", "GBP", "JPY", "INR"])
_CALCULATES: Final = frozenset("+*/^=<>≤≥")
_GLUED: Final = re.compile(r"([a-z]?)(sin|cos|tan|cot|sec|csc|ln|log|exp|sqrt)([xyzuvn]?)")
_CLOCK: Final = frozenset({"am", "pm"})
_ENGLISH: Final = frozenset(
    "is are was be been not the of at to if in on by it as we he she do does did so no yes has had "
    "have can may for all any but one two its than then when with from that this will each none "
    "only even odd true they them you your our who how why use let see put get set both also some "
    "such same side sum area base day days men man old new".split()
)
"""Short words that are not products of variables outside mathematics."""
_SHORT_WORDS: Final = frozenset(
    "am an as at ax be by do go ha he hi id if in is it me mr ms my no of oh ok on or ox pm so to "
    "up us vs we ad al cd dr ed eg eh em en er et ex ie la lo ma mu na ne nu pa pi re sh st th ti "
    "tv ye yo xi".split()
)
"""Two letters that are a word by themselves."""
_CALLED: Final = frozenset("fghFGH")
_DERIVED: Final = re.compile(r"d[a-z]")


# ---------------------------------------------------------------------------------------------
# Letters


def letters(parser: Parser) -> Node:
    """Read a run of letters."""
    if parser.at == 0 and (named := _label(parser)) is not None:
        return named
    token = parser.take()
    run = token.text
    if len(run) == 1:
        if run in sets.LETTERS and _names_set(parser):
            return sets.named(parser, sets.LETTERS[run])
        return variable(parser, run)
    if run in _CURRENCIES and parser.token.kind == "number":
        return Measure(digits.number(parser), UNITS[run])
    if run in _INFINITY:
        return INFINITY
    if run.casefold() in _CLOCK and parser.at > 1:
        parser.at -= 1
        refuse_words(parser)
    if is_function(run):
        return apply_function(parser, run)
    if run in _PLAIN_COMMANDS or run in GREEK:
        return COMMANDS[run](parser)
    if run.isupper():
        return _capitals(parser, run)
    if glued := _GLUED.fullmatch(run):
        return _split(parser, token, [part for part in glued.groups() if part])
    if len(run) == 2 and run[1] == "e" and parser.is_next("^"):  # Ae^x
        return _split(parser, token, [*run])
    if _is_product(token) and not (token.plain and _is_apart(parser)):
        return _split(parser, token, [*run])
    parser.at -= 1
    return refuse_words(parser)


def _names_set(parser: Parser) -> bool:
    """Whether the letter just taken is the name of a set: behind ∈, before ∖."""
    before = parser.tokens[parser.at - 2] if parser.at > 1 else None
    behind = before is not None and before.kind == "symbol" and before.text in ("∈", "∉")
    return behind or parser.is_next("∖")


def _is_apart(parser: Parser) -> bool:
    """Whether the letters just taken stand among words: nothing is calculated here."""
    run = parser.tokens[parser.at - 1]
    if len(parser.tokens) == 2:
        return len(run.text) != 2 or run.text in _SHORT_WORDS or run.text in UNITS
    is_spaced = (run.spaced or parser.at == 1) and (
        parser.token.spaced or parser.token.kind == "stop"
    )
    signs = {token.text for token in parser.tokens if token.kind == "symbol"}
    return len(run.text) > 2 and is_spaced and not signs & _CALCULATES


def _label(parser: Parser) -> Symbol | None:
    r"""Read the words that a value is given to: `Area = 24`, `\text{Total} = 5`."""
    tokens = parser.tokens
    words = [tokens[0].text.strip()]
    stop = 1
    if tokens[0].kind == "letters" and tokens[1].kind == "letters":
        words.append(tokens[1].text)
        stop = 2
    name = " ".join(words)
    if tokens[stop].text != "=" or not _LABEL.fullmatch(name):
        return None
    if not _NOT_IN_LABEL.isdisjoint(name.casefold().split()):
        return None
    parser.at = stop
    return Symbol(name.casefold())


def _is_product(token: Token) -> bool:
    run = token.text
    if _INSIDE.search(run) or (run.casefold() in _ENGLISH and token.plain):
        return False
    if run.istitle() and (token.plain or len(run) > 2):  # Bx, but no Name
        return False
    return len(run) <= LONGEST_PRODUCT


def is_word(token: Token) -> bool:
    """Whether a run of letters is neither a product of variables nor the name of anything."""
    run = token.text
    if token.text in ("i", "e"):
        return False
    if token.kind in ("text", "roman"):
        return token.kind == "text" or (len(run) > 1 and not is_function(run))
    if token.kind != "letters" or len(run) == 1 or run.isupper() or is_function(run):
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
        base = written_base(parser)
        if base is not None and base > 10 and are_digits(run, base):
            return Based(run, base)
        parser.fail(f"no subscript of {run}", known=True)
    return Symbol(run)


def variable(parser: Parser, name: str) -> Node:
    """Return the variable or the constant that one letter is, with its subscript and primes."""
    if name == "C" and (chosen := _choices_in_brackets(parser)) is not None:
        return chosen
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
    if (
        parser.is_next("^")
        and _is_inverse(parser)
        and (name in _CALLED or _defines_inverse(parser))
    ):
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


def _defines_inverse(parser: Parser) -> bool:
    """Whether `k^{-1}(x) =` defines a function."""
    ahead = 6 if parser.peek().text == "{" else 4
    window = [parser.peek(ahead + index).text for index in range(3)]
    if len(window[0]) != 1 or not window[0].isalpha() or window[1] != ")":
        return False
    return window[2] == "=" or (window[2] == "" and parser.tokens[parser.at - 2].text == "=")


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
    if parser.at == 0 and (named := _label(parser)) is not None:
        return named
    token = parser.take()
    name = token.text.strip()
    if len(name) == 1:
        return variable(parser, name)
    if name in _INFINITY:
        return INFINITY
    if token.kind == "text" and is_function(name) and parser.is_next("("):
        return apply_function(parser, name)
    if parser.at == 1 and name.isalpha() and name.istitle() and parser.is_next("("):
        return called(parser, name)
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
    return refuse_words(parser)


def _choices(parser: Parser, name: str) -> Node | None:
    """Read `C_{10}^{3}`, numbers of choices or of arrangements."""
    start = parser.at
    below = subscript(parser)
    if name == "C" and below == "n" and parser.is_next("^"):
        parser.at += 1
        return Call("binomial", (Symbol("n"), parser.argument()))
    if parser.skip("^") and below.isdigit():
        above = parser.argument()
        if isinstance(above, Number) and above.value <= int(below[:9]):
            function = "binomial" if name == "C" else "permutations"
            return Call(function, (decimal(below), above))
    parser.at = start
    return None


def _choices_in_brackets(parser: Parser) -> Node | None:
    """Read `C(10,3)` at the bracket."""
    window = [parser.peek(ahead) for ahead in range(5)] if parser.is_next("(") else []
    if [token.text for token in window[::2]] != ["(", ",", ")"]:
        return None
    above, below = window[1].text, window[3].text
    if not (above.isdigit() and below.isdigit() and len(above) < 6 and len(below) < 6):
        return None
    if int(above) < int(below):
        return None
    parser.at += 5
    return Call("binomial", (decimal(above), decimal(below)))


def choices_before(parser: Parser) -> Node | None:
    r"""Read `{}_{10}C_3` and `^{10}C_3`, whose first number stands before the letter."""
    start = parser.at
    if parser.skip("{") and not parser.skip("}"):
        parser.at = start
        return None
    if parser.skip("_", "^"):
        above = parser.argument()
        name = parser.token.text
        if name in ("C", "P") and parser.token.kind == "letters":
            parser.at += 1
            if parser.skip("_"):
                function = "binomial" if name == "C" else "permutations"
                return Call(function, (above, parser.argument()))
    parser.at = start
    return None
