r"""The ladder: rungs from the cheapest comparison to the dearest, the first that decides wins.

`string` compares normalised text, `exact` numbers and what lists them, `symbolic` hands the rest to
SymPy in a process of its own, `text` compares words. Each rung returns a `Decision`, or None to
pass on. The reference decides how both sides are read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

from rlrewards.verify.answer_shape import names_a_set
from rlrewards.verify.normalize import normalize, tidy
from rlrewards.verify.number_words import number_named
from rlrewards.verify.plain import Collection, Kind, Quantity, parse, split_top_level
from rlrewards.verify.symbolic import Budget, symbolic
from rlrewards.verify.text import compare_text, is_prose
from rlrewards.verify.units import words_of
from rlrewards.verify.verdict import Status, Tier

MAX_ITEMS = 200
MAX_LENGTH = 10_000
MAX_DEPTH = 12
MAX_LEFTOVERS = 12


@dataclass(frozen=True, slots=True)
class Decision:
    """What a rung decided, and why."""

    status: Status
    tier: Tier
    why: str


@dataclass(frozen=True, slots=True)
class Terms:
    """How two answers are to be compared.

    Attributes:
        budget: Time that is left for the symbolic tier.
        rel_tol: Relative tolerance for numbers; 0 compares them exactly.
        significant: Significant digits to which numbers must agree, None for all.
        prompt: The question, where it is known.
        depth: How many collections the two answers are inside.
    """

    budget: Budget
    rel_tol: float = 0.0
    significant: int | None = None
    prompt: str | None = None
    depth: int = 0

    def inside(self) -> Terms:
        """Return the terms for an item of a collection."""
        return replace(self, depth=self.depth + 1)


def compare(answer: str, reference: str, terms: Terms) -> Decision:
    """Climb the ladder and return the first decision; UNDECIDED when no rung decides."""
    if terms.depth > MAX_DEPTH:
        return Decision(Status.NO_ANSWER, Tier.EXACT, "nested too deeply")
    if len(answer) > MAX_LENGTH + 10 * len(reference):
        return _different(Tier.STRING, f"{len(answer)} characters for {len(reference)}")
    if len(reference) > MAX_LENGTH:
        same = answer.split() == reference.split()
        return Decision(Status.EQUAL if same else Status.UNDECIDED, Tier.STRING, "a long text")
    for rung in _RUNGS:
        decision = rung(answer, reference, terms)
        if decision is not None:
            return decision
    return Decision(Status.UNDECIDED, Tier.TEXT, "no rule compares these")


def _equal(tier: Tier, why: str) -> Decision:
    return Decision(Status.EQUAL, tier, why)


def _different(tier: Tier, why: str) -> Decision:
    return Decision(Status.DIFFERENT, tier, why)


# ---------------------------------------------------------------------------------------------
# string


def _string(answer: str, reference: str, terms: Terms) -> Decision | None:
    if normalize(answer) == normalize(reference) != "":
        return _equal(Tier.STRING, "the same text")
    return None


# ---------------------------------------------------------------------------------------------
# names and assignments


_NAME = re.compile(r"[A-Za-z]|[A-Z]{2,}")
_CHOICE = re.compile(r"(?:[Oo]ption\s+)?[(\[]?([A-Z])[)\]]?\s*(?:[.:)]\s*(\S.*))?", re.DOTALL)
_OTHER_LETTER = re.compile(
    r"(?<![\w'])[A-Z](?![\w'])|\b(?:not|no|wrong|incorrect|or)\b", re.IGNORECASE
)


def _names(answer: str, reference: str, terms: Terms) -> Decision | None:
    """Compare with a reference that is a letter, or a run of capitals: the name of something."""
    name = normalize(reference)
    if not _NAME.fullmatch(name):
        return None
    other = normalize(answer)
    option = _CHOICE.fullmatch(other) if len(name) == 1 and name.isupper() else None
    if option is not None and not _OTHER_LETTER.search(option[2] or ""):
        same = option[1] == name
        return Decision(
            Status.EQUAL if same else Status.DIFFERENT, Tier.CHOICE, f"{option[1]} for {name}"
        )
    if _NAME.fullmatch(other) or _assignment(other) is not None:
        return _different(Tier.STRING, f"another name than {name}")
    return None


_ASSIGNMENT = re.compile(
    r"\s*((?:\\[A-Za-z]+|[A-Za-z])(?:_(?:\{[^{}]*\}|\w))?'?(?:\([A-Za-z](?:,[A-Za-z])*\))?"
    r"|\\text\{[A-Za-z ]{2,30}\}|(?!(?:not|false|wrong)\b)[A-Z]?[a-z]{2,15}(?: [a-z]{2,15})?)"
    r"\s*=(?!=)\s*([^=<>]+)",
    re.DOTALL,
)


def _assignment(text: str) -> tuple[str, str] | None:
    """Return (name, value) of `x = value`, or None."""
    match = _ASSIGNMENT.fullmatch(text) if len(text) < 5_000 else None
    return (match[1], match[2].strip()) if match else None


def _assignments(answer: str, reference: str, terms: Terms) -> Decision | None:
    """Compare the values of assignments; a bare value stands for an assignment of it."""
    given, gold = _assignment(tidy(answer)), _assignment(tidy(reference))
    if given is None and gold is None:
        return None
    if given is not None and gold is not None and normalize(given[0]) != normalize(gold[0]):
        values = (parse(given[1]), parse(gold[1]))
        if all(isinstance(value, Quantity) for value in values):
            return _different(Tier.EXACT, f"{given[0]} is assigned, not {gold[0]}")
        return None  # x = 2y and y = x/2 say the same
    value, target = given[1] if given else answer, gold[1] if gold else reference
    if split_top_level(value) is None or split_top_level(target) is None:
        return None
    return compare(value, target, terms)


# ---------------------------------------------------------------------------------------------
# exact: numbers


def _exact(answer: str, reference: str, terms: Terms) -> Decision | None:
    given, gold = _read(answer), _read(reference)
    if isinstance(gold, Quantity):
        if isinstance(given, Quantity):
            return _quantities(given, gold, reference, terms)
        if isinstance(given, Collection):
            if len(given.items) == 1:
                return compare(given.items[0], reference, terms.inside())
            return _different(Tier.EXACT, f"{len(given.items)} values for one")
    if isinstance(gold, Collection):
        if isinstance(given, Collection):
            return _collections(given, gold, terms)
        if isinstance(given, Quantity):
            return _one_for_several(answer, gold, terms)
    return None


def _read(text: str) -> Quantity | Collection | None:
    parsed = parse(text)
    if isinstance(parsed, Quantity | Collection):
        return parsed
    named = number_named(normalize(text))
    return None if named is None else Quantity(Fraction(named))


def _one_for_several(answer: str, gold: Collection, terms: Terms) -> Decision:
    if gold.kind in (Kind.SET, Kind.LIST) and len(gold.items) == 1:
        return compare(answer, gold.items[0], terms.inside())
    items = tuple(item.strip() for item in tidy(answer).split(","))
    padded = any(len(item) > 1 and item.startswith("0") for item in items)
    if gold.kind is Kind.LIST and len(items) == len(gold.items) > 1 and not padded:
        # 25,100 is a number by itself; beside the list 25, 100 it is that list.
        return _collections(Collection(Kind.LIST, items), gold, terms)
    return _different(Tier.EXACT, f"one value for {len(gold.items)}")


def _quantities(given: Quantity, gold: Quantity, reference: str, terms: Terms) -> Decision:
    left, right = _in_common_unit(given, gold)
    if left is None or right is None:
        return _different(Tier.EXACT, f"{given!r} for {gold!r}")
    for value, target in _percent_readings(left, right):
        why = _agreement(value, target, terms)
        if why and not _unit_is_vouched(given, gold, reference, terms):
            return Decision(Status.UNDECIDED, Tier.EXACT, f"the unit of {given!r}")
        if why:
            return _equal(Tier.EXACT, why)
    return _different(Tier.EXACT, f"{given!r} for {gold!r}")


def _unit_is_vouched(given: Quantity, gold: Quantity, reference: str, terms: Terms) -> bool:
    """Whether the answer's unit is known, is the reference's, or is what the question asks for."""
    if given.unit is None or given.unit == gold.unit:
        return True
    if not given.unit.vouched:
        context = words_of(reference) | words_of(terms.prompt or "")
        return words_of(given.unit.name) <= context
    return gold.unit is None or gold.unit.vouched


def _in_common_unit(given: Quantity, gold: Quantity) -> tuple[Quantity | None, Quantity | None]:
    """Return both in one unit; a unit that one side left out is that of the other."""
    if given.unit is None or gold.unit is None or given.unit == gold.unit:
        return given, gold
    if given.unit.dimension == gold.unit.dimension:
        return _times(given, given.unit.factor), _times(gold, gold.unit.factor)
    unknown = not (given.unit.vouched and gold.unit.vouched)
    return (given, gold) if unknown else (None, None)


def _times(quantity: Quantity, factor: Fraction) -> Quantity:
    place = None if quantity.last_place is None else quantity.last_place * factor
    return replace(quantity, value=quantity.value * factor, last_place=place)


def _percent_readings(given: Quantity, gold: Quantity) -> list[tuple[Quantity, Quantity]]:
    """Return the pairs of values of which one must agree.

    `p %` is p and p/100. A bare reference above 1 is met by itself in percent, one of at most 1
    only by a hundred times itself.
    """
    if given.percent == gold.percent:
        return [(given, gold)]
    if gold.percent:
        return [(given, gold), (given, _times(gold, Fraction(1, 100)))]
    readings = [(_times(given, Fraction(1, 100)), gold)]
    return [(given, gold), *readings] if abs(gold.value) > 1 else readings


def _agreement(given: Quantity, gold: Quantity, terms: Terms) -> str:
    """Return why two values agree, or an empty string."""
    value, target = given.value, gold.value
    if value == target:
        return f"both are {target}"
    if terms.rel_tol and abs(value - target) <= Fraction(terms.rel_tol) * abs(target):
        return f"within {terms.rel_tol} of {target}"
    if terms.significant and _rounded(value, terms.significant) == _rounded(
        target, terms.significant
    ):
        return f"agree to {terms.significant} significant digits"
    rounded_gold = gold.approximate or (gold.digits or 0) >= 3
    if rounded_gold and not _terminates(value) and _rounds_to(value, gold):
        return f"{value} rounds to the reference"
    if (given.digits or 0) >= 4 and not _terminates(target) and _rounds_to(target, given):
        return f"{target} rounds to the answer"
    return ""


def _rounds_to(value: Fraction, decimal: Quantity) -> bool:
    return decimal.last_place is not None and abs(value - decimal.value) <= decimal.last_place / 2


def _terminates(value: Fraction) -> bool:
    """Whether the decimal expansion ends: no prime but 2 and 5 in the denominator."""
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1


def _rounded(value: Fraction, digits: int) -> Fraction:
    if value == 0:
        return value
    exponent = digits - 1
    size = abs(value)
    while size >= 10:
        size, exponent = size / 10, exponent - 1
    while size < 1:
        size, exponent = size * 10, exponent + 1
    return round(value * Fraction(10) ** exponent) / Fraction(10) ** exponent


# ---------------------------------------------------------------------------------------------
# exact: several answers


_UNORDERED = frozenset({Kind.LIST, Kind.SET})


def _collections(given: Collection, gold: Collection, terms: Terms) -> Decision:
    kinds = {given.kind, gold.kind}
    if Kind.INTERVAL in kinds and (len(kinds) > 1 or given.brackets != gold.brackets):
        return _different(
            Tier.EXACT, f"{given.kind} {given.brackets} for {gold.kind} {gold.brackets}"
        )
    if kinds == {Kind.TUPLE, Kind.SET}:
        return _different(Tier.EXACT, f"a {given.kind} for a {gold.kind}")
    ours, theirs = given.items, gold.items
    if Kind.SET in kinds:
        ours, theirs = _distinct(ours), _distinct(theirs)
    if len(ours) != len(theirs):
        return _different(Tier.EXACT, f"{len(ours)} items for {len(theirs)}")
    if len(ours) > MAX_ITEMS:
        return Decision(Status.UNDECIDED, Tier.EXACT, f"more than {MAX_ITEMS} items")
    if kinds <= _UNORDERED:
        return _matched(ours, theirs, terms.inside())
    return _all_of(compare(a, b, terms.inside()) for a, b in zip(ours, theirs, strict=True))


def _value_key(item: str) -> Hashable:
    """Return what equal items have in common, as far as that takes no comparison."""
    parsed = parse(item)
    if isinstance(parsed, Quantity) and parsed.unit is None and not parsed.percent:
        return parsed.value
    return normalize(item)


def _distinct(items: tuple[str, ...]) -> tuple[str, ...]:
    return tuple({_value_key(item): item for item in items}.values())


def _matched(ours: tuple[str, ...], theirs: tuple[str, ...], terms: Terms) -> Decision:
    """Pair the items of two collections without order: equal ones first, then one by one."""
    same = Counter(map(_value_key, ours)) & Counter(map(_value_key, theirs))
    left, right = _without(ours, same.copy()), _without(theirs, same)
    if len(right) > MAX_LEFTOVERS:
        return Decision(Status.UNDECIDED, Tier.EXACT, f"{len(right)} items to be paired")
    return _all_of(_best_partner(left, item, terms) for item in right)


def _without(items: tuple[str, ...], taken: Counter[Hashable]) -> list[str]:
    left = []
    for item in items:
        key = _value_key(item)
        if taken[key]:
            taken[key] -= 1
        else:
            left.append(item)
    return left


def _best_partner(left: list[str], item: str, terms: Terms) -> Decision:
    """Take the first item that equals `item` out of `left`; else say what came nearest."""
    best: Decision | None = None
    for index, other in enumerate(left):
        decision = compare(other, item, terms)
        if decision.status is Status.EQUAL:
            del left[index]
            return decision
        if best is None or decision.status is Status.UNDECIDED:
            best = decision
    return best or _different(Tier.EXACT, f"nothing for {item[:40]}")


def _all_of(decisions: Iterable[Decision]) -> Decision:
    """Return EQUAL if all are, else the first DIFFERENT one, else the first that is not EQUAL."""
    open_one: Decision | None = None
    dearest = Tier.EXACT
    for decision in decisions:
        if decision.status is Status.DIFFERENT:
            return decision
        if decision.status is not Status.EQUAL:
            open_one = open_one or decision
        elif _ORDER.index(decision.tier) > _ORDER.index(dearest):
            dearest = decision.tier
    return open_one or _equal(dearest, "all items agree")


_ORDER = list(Tier)


# ---------------------------------------------------------------------------------------------
# symbolic, text


def _words(answer: str, reference: str, terms: Terms) -> Decision | None:
    """Compare words with words; also what is a word on one side only."""
    if not (is_prose(answer) or is_prose(reference)):
        return None
    if names_a_set(answer) or names_a_set(reference):
        return None  # "no solution" and "all real numbers" are sets
    decision = Decision(*compare_text(answer, reference))
    if decision.status is Status.UNDECIDED and _read(reference) is not None:
        # The reference is plain, so what cannot be read is the answer's fault.
        return Decision(Status.NO_ANSWER, Tier.TEXT, f"unreadable: {answer[:60]!r}")
    return decision


def _symbolic(answer: str, reference: str, terms: Terms) -> Decision | None:
    verdict = symbolic(answer, reference, budget=terms.budget, prompt=terms.prompt)
    return Decision(verdict.status, Tier.SYMBOLIC, verdict.why)


_RUNGS: tuple[Callable[[str, str, Terms], Decision | None], ...] = (
    _string,
    _names,
    _assignments,
    _exact,
    _words,
    _symbolic,
)
