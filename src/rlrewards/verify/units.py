"""Units of measure and money: which names mean the same, and what converts into what.

A unit is a dimension and an exact factor to that dimension's base unit. Single letters are units
only where they are marked as text; `2m` in italics is a product.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: `factor` base units of `dimension`.

    A unit that is only a word ("apples") is a dimension of its own with factor 1.
    """

    dimension: str
    factor: Fraction = Fraction(1)
    name: str = field(default="", compare=False)


# name: (dimension, factor), names separated by blanks. Money of one currency converts; the rates
# between currencies are nobody's to assume.
_TABLE = """
length 1 m meter meters metre metres
length 1/1000 mm millimeter millimeters millimetre millimetres
length 1/100 cm centimeter centimeters centimetre centimetres
length 1/10 dm decimeter decimeters
length 1000 km kilometer kilometers kilometre kilometres
length 254/10000 inch inches in.
length 3048/10000 ft foot feet
length 9144/10000 yd yard yards
length 1609344/1000 mi mile miles
mass 1 g gram grams gramme grammes
mass 1/1000 mg milligram milligrams
mass 1/1000000 µg mcg microgram micrograms
mass 1000 kg kilogram kilograms kilogramme kilogrammes
mass 1000000 tonne tonnes
mass 45359237/100000 lb lbs pound-mass
mass 45359237/1600000 oz ounce ounces
time 1 s sec secs second seconds
time 60 min mins minute minutes
time 3600 h hr hrs hour hours
time 86400 day days
time 604800 week weeks
months 1 month months
months 12 yr yrs year years
volume 1 l liter liters litre litres
volume 1/1000 ml milliliter milliliters millilitre millilitres
angle 1 ° ^\\circ degree degrees deg
dollar 1 $ \\$ dollar dollars usd
dollar 1/100 ¢ cent cents
euro 1 € euro euros eur
sterling 1 £ gbp
pence 1 pence penny p.
yen 1 ¥ yen jpy
rupee 1 ₹ rupee rupees rs inr
percentage-point 1 pp
"""

UNITS: dict[str, Unit] = {
    name: Unit(dimension, Fraction(factor), name)
    for dimension, factor, *names in (line.split() for line in _TABLE.split("\n") if line)
    for name in names
}

# Words that stand before a unit and change nothing.
_FILLERS = frozenset({"of", "the", "a", "an", "per", "in", "total", "each"})

# Words that make another number of the one before them, or take it back: never part of a unit.
_OPERATORS = frozenset(
    """
    squared cubed factorial half halves third thirds quarter quarters fourth fourths fifth fifths
    tenth tenths hundredth hundredths thousandth thousandths dozen dozens score gross
    or and not minus plus times divided over under by more less fewer most least mod modulo base
    to than between about around almost nearly approximately roughly maybe perhaps possibly
    if when where with without but except unless is are was equals equal sqrt root power
    radian radians rad infinity pi hundred thousand million billion trillion k percent
    """.split()
)

SCALES = {
    "hundred": 10**2,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
    "dozen": 12,
}


def unit_named(text: str) -> Unit | None:
    """Return the unit that some words name, or None when they cannot be one.

    Unknown words are a unit of their own as long as none of them is an operator: `18 apples` is a
    number of apples, `18 or more` and `18 squared` are something else.

    >>> unit_named("minutes") == unit_named("min")
    True
    >>> unit_named("or more") is None
    True
    """
    words = text.casefold().replace("\\text", " ").split()
    if not words or len(words) > 4:
        return None
    whole = " ".join(words)
    if whole in UNITS:
        return UNITS[whole]
    if any(word in _OPERATORS for word in words):
        return None
    if not all(word.strip(".").replace("-", "").replace("/", "").isalpha() for word in words):
        return None
    telling = [word.strip(".") for word in words if word not in _FILLERS]
    if not telling or all(len(word) == 1 for word in telling):
        return None
    if len(telling) == 1 and telling[0] in UNITS:
        return UNITS[telling[0]]
    return Unit(" ".join(word.removesuffix("s") for word in telling), name=whole)
