"""Whether two texts are one, but for plain misspellings: never what turns the meaning round."""

from __future__ import annotations

from collections.abc import Callable

# From this length and likeness (1 − edits/letters), and up to so many edits, a word is misspelt.
MISSPELT_LETTERS, MISSPELT_EDITS, MISSPELT_RATIO = 5, 2, 0.85

# Without these two texts say the same. Not "or", which is no "and"; not "a", which is a vitamin.
_SMALL_WORDS = frozenset(("the", "an", "of", "and"))


def alike(one: str, other: str) -> bool:
    """Whether two texts have the same words in the same order, but for plain misspellings."""
    left = [word for word in one.split() if word not in _SMALL_WORDS]
    right = [word for word in other.split() if word not in _SMALL_WORDS]
    return (
        bool(left)
        and len(left) == len(right)
        and all(a == b or _misspelt(a, b) for a, b in zip(left, right, strict=True))
    )


_PREFIXES = tuple(
    "hyper hypo inter intra ante anti macro micro endo ecto exo peri para per pro pre post poly"
    " oligo iso homo hetero super supra sub infra trans un in non de dis dys re ab ad".split()
)
_ENDINGS = tuple(
    "ine ide ate ite ose ase one ane ene yne ol al ium oma osis itis emia uria penia ous us ic ary"
    " pril olol able less ful".split()
)
_VOWELS = frozenset("aeiouy")
_SOUND_ALIKE = frozenset(map(frozenset, ("ck", "cs", "sz")))
# Words of one letter more or less that are no misspellings of each other.
_LOOK_ALIKES = frozenset(
    frozenset(pair.split("/"))
    for pair in (
        "coastal/costal facial/fascial hypertropia/hypertrophia insulin/inulin"
        " neutral/neural radial/radical striatum/stratum"
    ).split()
)


def _misspelt(one: str, other: str) -> bool:
    """Whether two different words are one word and its misspelling.

    The letters that differ are vowels, sound alike, changed places, or are too many or too few;
    other letters, prefixes and endings carry meaning (lactose, lactase; dysphagia, dysphasia).
    """
    from rapidfuzz.distance import OSA, Levenshtein

    longest = max(len(one), len(other))
    if (
        min(len(one), len(other)) < MISSPELT_LETTERS
        or not (one.isalpha() and other.isalpha())
        or one[0] != other[0]
        or longest > 60
        or frozenset((one, other)) in _LOOK_ALIKES
        or _longest(one.startswith, _PREFIXES) != _longest(other.startswith, _PREFIXES)
    ):
        return False
    ends = _longest(one.endswith, _ENDINGS), _longest(other.endswith, _ENDINGS)
    if all(ends) and ends[0] != ends[1]:
        return False
    edits = OSA.distance(one, other)
    if edits > MISSPELT_EDITS or 1 - edits / longest < MISSPELT_RATIO:
        return False
    if sorted(one) == sorted(other):
        return True
    pairs = [
        frozenset((one[edit.src_pos], other[edit.dest_pos]))
        for edit in Levenshtein.editops(one, other)
        if edit.tag == "replace"
    ]
    return all(pair <= _VOWELS or pair in _SOUND_ALIKE for pair in pairs)


def _longest(has: Callable[[str], bool], affixes: tuple[str, ...]) -> str:
    return max(filter(has, affixes), key=len, default="")
