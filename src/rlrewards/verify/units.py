"""Units of measure and money: which names mean the same, and what converts into what.

A unit is a dimension and an exact factor to that dimension's base unit. Single letters are units
only where they are marked as text; `2m` in italics is a product. Words that are no known unit are a
unit of their own that nobody vouches for: `18 blorps` is 18 only where the question or the
reference speaks of blorps, since `18 nineteen` is not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction

from rlrewards.verify.number_words import NUMBER_WORDS


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: `factor` base units of `dimension`.

    Attributes:
        dimension: What it measures, "length^2" say; for unknown words the words themselves.
        factor: How many base units it is.
        name: The name as it was written.
        vouched: Whether it is a known unit, or a word for things that are counted.
    """

    dimension: str
    factor: Fraction = Fraction(1)
    name: str = field(default="", compare=False)
    vouched: bool = field(default=True, compare=False)


# dimension, factor, names. Money of one currency converts; the rates between currencies are
# nobody's to assume.
_TABLE = """
length 1 m meter meters metre metres
length 1/1000 mm millimeter millimeters millimetre millimetres
length 1/1000000 μm micrometer micrometers
length 1/100 cm centimeter centimeters centimetre centimetres
length 1/10 dm decimeter decimeters
length 1000 km kilometer kilometers kilometre kilometres
length 254/10000 inch inches in
length 3048/10000 ft foot feet
length 9144/10000 yd yard yards
length 1609344/1000 mi mile miles
mass 1 g gram grams gramme grammes
mass 1/1000 mg milligram milligrams
mass 1/1000000 μg mcg microgram micrograms
mass 1000 kg kilogram kilograms kilogramme kilogrammes kilo kilos
mass 1000000 tonne tonnes
mass 45359237/100000 lb lbs pound pounds
mass 45359237/1600000 oz ounce ounces
time 1 s sec secs second seconds
time 1/1000 ms millisecond milliseconds
time 60 min mins minute minutes
time 3600 h hr hrs hour hours
time 86400 day days
time 604800 week weeks
months 1 month months
months 12 yr yrs year years
volume 1 l L liter liters litre litres
volume 1/1000 ml mL milliliter milliliters millilitre millilitres
angle 1 ° ^\\circ degree degrees deg
rad 1 rad radian radians
temperature 1 ℃ °C ^\\circC
dollar 1 $ \\$ dollar dollars usd USD
dollar 1/100 ¢ cent cents
euro 1 € euro euros eur EUR
sterling 1 £ gbp GBP
yen 1 ¥ yen jpy JPY
rupee 1 ₹ rupee rupees rs inr INR
force 1 N newton newtons
energy 1 J joule joules
energy 1000 kJ kilojoule kilojoules
gallon 1 gal gallon gallons
gallon 1/4 qt quart quarts
gallon 1/8 pint pints
ton 1 ton tons
unit 1 unit units
length 1/1000000000 nm nanometer nanometers nanometre nanometres
power 1 W watt watts
power 1000 kW kilowatt kilowatts
voltage 1 V volt volts
current 1 A amp amps ampere amperes
frequency 1 Hz hertz
frequency 1000 kHz kilohertz
frequency 1000000 MHz megahertz
pressure 1 Pa pascal pascals
magnetic 1 T tesla teslas
charge 1 C coulomb coulombs
resistance 1 Ω ohm ohms
"""

UNITS: dict[str, Unit] = {
    name: Unit(dimension, Fraction(factor), name)
    for dimension, factor, *names in (line.split() for line in _TABLE.split("\n") if line)
    for name in names
}
UNITS |= {
    "mph": Unit("length time^-1", Fraction(1609344, 3600000), "mph"),
    "kph": Unit("length time^-1", Fraction(1000, 3600), "kph"),
    "kmh": Unit("length time^-1", Fraction(1000, 3600), "kmh"),
    "degrees celsius": UNITS["°C"],
    "degree celsius": UNITS["°C"],
    "degrees fahrenheit": Unit("fahrenheit", name="°F"),
    "degree fahrenheit": Unit("fahrenheit", name="°F"),
}

# What word problems count; any of these may stand behind a number whose reference has no unit.
_COUNTED = frozenset(
    """
    people persons person students student children child kids adults men women boys girls friends
    players workers teachers members guests passengers customers apples oranges bananas eggs cookies
    candies cakes pies pizzas slices pieces cups glasses bottles cans boxes bags packs packages
    baskets books pages words letters pencils pens cards stamps coins bills tickets toys balls
    marbles blocks dolls flowers trees plants seeds animals dogs cats birds chickens ducks cows
    horses fish cars trucks buses bikes trains planes houses rooms chairs tables shirts shoes socks
    points games goals times ways steps items things objects units parts total square squares
    triangles circles sides cubes rows columns numbers digits integers questions problems votes
    photos pictures songs movies stickers beads buttons ribbons bracelets sandwiches meals
    solutions roots zeros pairs triples tuples values divisors factors multiples primes subsets
    edges vertices vertex faces diagonals arrangements combinations permutations outcomes lines
    paths matches handshakes
    """.split()
)

# Words before what is counted that do not change how many there are.
_QUALITIES = frozenset("distinct different ordered unordered possible unique real".split())
_POSITIVE = re.compile(
    r"positive (?=(?:integers?|divisors?|factors?|numbers?|values?|solutions?|roots?)(?: |$))"
)

# Words that stand before a unit and change nothing.
_FILLERS = frozenset({"of", "the", "a", "an", "in", "each", "every", "per", "more", "left"})

# Words that make another number of the one before them, or a date, or take it back: never part of
# a unit.
OPERATORS = frozenset(
    """
    squared cubed factorial half halves third thirds quarter quarters fourth fourths fifth fifths
    sixth sixths seventh sevenths eighth eighths ninth ninths tenth tenths hundredth hundredths
    thousandth thousandths millionth millionths dozen dozens score gross tens hundreds thousands
    millions billions twice thrice double doubled triple tripled choose point negative positive
    reciprocal inverse opposite wrong incorrect false untrue unknown true right correct
    or and not minus plus times divided over under by fewer most least less mod modulo base
    to than between about around almost nearly approximately roughly maybe perhaps possibly
    versus vs alternatively otherwise instead rather if when where with without but except unless
    is are was equals equal sqrt root power maximum minimum max min upto infinity
    sin cos tan cot csc log ln exp arcsin arccos arctan sinh cosh tanh alpha beta gamma delta
    epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon phi chi psi omega
    pi hundred thousand million billion trillion lakh crore grand mil bn tn k percent oder ou und
    january february march april may june july august september october november december
    jan feb mar apr jun jul aug sep sept oct nov dec monday tuesday wednesday thursday friday
    saturday sunday noon midnight bc ad bce ce north south east west
    """.split()
) | frozenset(NUMBER_WORDS)
_SUSPICIOUS = re.compile(r"(?:fold|teen|enths?|ieths?|dths?|illions?|illionths?)$")

SCALES = {
    "hundred": 10**2,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
    "dozen": 12,
}


def unit_named(text: str) -> Unit | None:
    r"""Return the unit that some words or symbols name, or None when they cannot be one.

    >>> unit_named("minutes") == unit_named("min")
    True
    >>> unit_named("cm^2").dimension, unit_named("miles per hour").dimension
    ('length^2', 'length time^-1')
    >>> unit_named("blorps").vouched, unit_named("or more"), unit_named("nineteen")
    (False, None, None)
    """
    text = text.strip().removesuffix(" old")
    return _known(text) or _compound(text) or _words(text)


def _known(name: str) -> Unit | None:
    """Return a unit of the table; the case of a symbol counts, that of a word does not."""
    return UNITS.get(name) or (UNITS.get(name.casefold()) if len(name) > 2 else None)


_POWER = re.compile(r"([A-Za-zμ°]+)\s*(?:\^\s*\{?\s*(-?[1-4])\s*\}?)?")
_PREFIX = {"square": 2, "sq": 2, "cubic": 3}


def _compound(text: str) -> Unit | None:
    """Read powers, products and quotients of known units: cm^2, m/s^2, square feet, km per h."""
    if len(text) > 60:
        return None
    text = re.sub(r"\bper\b", "/", text.replace(".", ""))
    text = re.sub(r"\s+(?=\^)", "", text)
    exponents: dict[str, int] = {}
    factor, sign, prefix = Fraction(1), 1, 1
    for part in re.split(r"(/|\\cdot|\*|\s+)", text):
        part = part.strip()
        if not part or part in ("\\cdot", "*"):
            continue
        if part == "/":
            sign = -1
            continue
        if part.casefold() in _PREFIX:
            prefix = _PREFIX[part.casefold()]
            continue
        match = _POWER.fullmatch(part)
        unit = _known(match[1]) if match else None
        if match is None or unit is None:
            return None
        exponent = sign * prefix * int(match[2] or 1)
        factor, prefix = factor * unit.factor**exponent, 1
        exponents[unit.dimension] = exponents.get(unit.dimension, 0) + exponent
    left = {dimension: power for dimension, power in sorted(exponents.items()) if power}
    if not left:
        return None
    names = (
        dimension if power == 1 else f"{dimension}^{power}" for dimension, power in left.items()
    )
    return Unit(" ".join(names), factor, text)


_SPLIT = re.compile(r"[\s/.-]+")


def _words(text: str) -> Unit | None:
    """Return a unit of plain words, vouched for where they are things that are counted."""
    text = _POSITIVE.sub("", text.casefold())
    words = [word for word in _SPLIT.split(text) if word]
    if not words or len(words) > 5 or not text.isascii():
        return None
    if any(word in OPERATORS or _SUSPICIOUS.search(word) or not word.isalpha() for word in words):
        return None
    telling = [word for word in words if word not in _FILLERS and word not in _QUALITIES]
    if not telling or all(len(word) == 1 for word in telling):
        return None
    telling = ["per", *telling] if words[0] == "per" else telling  # so much for each of them
    vouched = all(word in _COUNTED or word in UNITS for word in telling)
    dimension = " ".join(word.removesuffix("s") for word in telling)
    return Unit(dimension, name=" ".join(words), vouched=vouched)


def words_of(text: str) -> frozenset[str]:
    """Return the words of a text, case and plural aside: what may vouch for a unit."""
    return frozenset(word.casefold().removesuffix("s") for word in re.findall(r"[A-Za-z]+", text))
