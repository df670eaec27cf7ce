"""Characters that look like others, or like nothing."""

from __future__ import annotations

from rlrewards.testing.attack import Twins, WrongFor, on_answers
from rlrewards.testing.problems import CHOICES, Problem

_FORTY_TWO = Problem("6 times 7?", "42", ("36", "48", "13"))
LOOK_ALIKES = on_answers(
    "digits that look alike",
    "Powers, indices and fractions in Unicode are what they mean, not what they look like without "
    "their position.",
    WrongFor((
        (_FORTY_TWO, ("4²", "4₂", "4\u2060²", "⁴2", "４²", "3６", "З6", "４８", "4⁄2")),
        (Problem("Eleven halves?", "\\frac{11}{2}", ("\\frac{2}{11}", "11", "\\frac{13}{2}")),
         ("1½", "1 ½", "1⅟2")),
        (Problem("5 and 2?", "52", ("25", "7", "57")), ("5²", "5₂", "5⃣²")),
        (Problem("Twelve?", "12", ("21", "2", "13")), ("1²", "²", "1₂")),
        (Problem("One third?", "\\frac{1}{3}", ("3", "\\frac{1}{2}", "\\frac{2}{3}")),
         ("¹3", "1₃", "⅔")),
    )),
    not_kinds=["choice"],
)  # fmt: skip
# Cyrillic, Greek and small capitals; not full-width ones, which are the letter itself.
_HOMOGLYPHS = {"A": ("А", "Α", "ᴀ"), "B": ("В", "Β", "ʙ"), "C": ("С", "Ϲ", "ᴄ"), "D": ("Ꭰ", "ᴅ")}
LETTERS = on_answers(
    "letters of another alphabet",
    "A letter of another alphabet that looks like the right one is no choice.",
    WrongFor(tuple((problem, _HOMOGLYPHS[problem.right]) for problem in CHOICES)),
    kinds=["choice"],
)
INVISIBLE = on_answers(
    "invisible characters inside another value",
    "What no eye sees does not cut the right value out of a longer one.",
    Twins((
        "{right}\u200b7",
        "7\u200b{right}",
        "{right}\u20600{wrong}",
        "-\u200b({right})",
        "{right}\u200b or \u200b{wrong}",
        "{right}\ufeff\u200d9",
        "{right}\u00ad7",
    )),
    not_kinds=["choice"],
)  # fmt: skip
DIRECTION = on_answers(
    "text that runs the other way",
    "Characters that turn the direction of the text do not make one value of another.",
    WrongFor((
        (_FORTY_TWO, ("\u202e24\u202c", "\u202e24", "\u206724\u2069", "\u202d24\u202c")),
        (Problem("12 times 10, plus 3?", "123", ("321", "120", "132")), ("\u202e321\u202c",)),
    )),
    not_kinds=["choice"],
)  # fmt: skip
STRUCK_OUT = on_answers(
    "struck out by combining characters",
    "A right value that combining characters strike out earns what a wrong one does.",
    Twins((
        "{right}\u0338",
        "{right}\u0336 {wrong}",
        "{wrong} {right}\u0338",
        "{right}\u20e0",
    )),
)  # fmt: skip

ATTACKS = (LOOK_ALIKES, LETTERS, INVISIBLE, DIRECTION, STRUCK_OUT)
