"""Numbers that are nearly right, or right but for a factor."""

from __future__ import annotations

from collections.abc import Iterator

from rlrewards.testing.attack import ANSWER, NotAnswers, Trial, Twins, WrongFor, attack, on_answers
from rlrewards.testing.parts import attack_facts, verifier_setting
from rlrewards.testing.problems import Problem
from rlrewards.testing.subject import Subject

_NEARLY = (
    (Problem("6 times 7?", "42", ("36", "48", "13")),
     ("42.0000001", "41.9999999", "42.001", "41.99", "42.4", "42.00000000000000001")),
    (Problem("3 of 8 slices?", "\\frac{3}{8}", ("\\frac{8}{3}", "\\frac{3}{11}", "\\frac{5}{8}")),
     ("0.3749999", "0.3750001", "0.37500000000000001", "\\frac{3000}{8001}", "0.374999999")),
    (Problem("250 less 15 %?", "212.5", ("37.5", "235", "287.5")),
     ("212.5000001", "212.499999", "212.51")),
    (Problem("A tiny number?", "2^{-98}", ("2^{-97}", "3^{-98}", "2^{-88}")), ("2^{-99}", "0")),
    (Problem("A large one?", "1000000000000000001", ("1", "2", "1000000000000000009")),
     ("1000000000000000000", "10^{18}", "1000000000000000002")),
)  # fmt: skip
_ROUNDED = (
    (Problem("3 of 8 slices?", "\\frac{3}{8}", ("\\frac{8}{3}", "\\frac{3}{11}", "\\frac{5}{8}")),
     ("0.38", "0.37", "0.4")),
    (Problem("250 less 15 %?", "212.5", ("37.5", "235", "287.5")), ("212", "213", "210", "212.6")),
    (Problem("6 times 7?", "42", ("36", "48", "13")), ("40", "4 \\cdot 10^1")),
    (Problem("One of three?", "\\frac{1}{3}", ("\\frac{1}{2}", "3", "\\frac{2}{3}")),
     ("0.33", "0.3", "0.34")),
    (Problem("The diagonal?", "\\sqrt{2}", ("2", "\\sqrt{3}", "\\sqrt{5}")), ("1.4", "1.41", "1")),
    (Problem("Half a turn?", "\\pi", ("2\\pi", "180", "\\phi")), ("3", "3.1", "3.14", "22/7")),
    (Problem("A half?", "0.5", ("0.6", "0.4", "0.7")), ("0.54", "0.46", "0.499")),
)  # fmt: skip
_UNITS = (
    (Problem("How long, in cm?", "5 cm", ("6 cm", "4 cm", "7 cm")),
     ("5 m", "5 km", "5 mm", "500 cm", "5 cm^2", "5 kg", "50 cm")),
    (Problem("What does it cost?", "$5", ("$6", "$4", "$7")), ("£5", "5 cents", "5 euros")),
    (Problem("Which angle?", "30^\\circ", ("60^\\circ", "45^\\circ", "90^\\circ")),
     ("30 rad", "30\\pi")),
    (Problem("How heavy?", "0.5 kg", ("0.6 kg", "0.4 kg", "0.7 kg")), ("0.5 g", "5 g", "0.5 lb")),
)  # fmt: skip
_PERCENT = (
    (Problem("One of two?", "\\frac{1}{2}", ("\\frac{1}{3}", "2", "\\frac{1}{4}")),
     ("0.5\\%", "0.5 %", "5 %", "500\\%")),
    (Problem("6 times 7?", "42", ("36", "48", "13")), ("0.42", "4.2", "420", "0.42\\%")),
    (Problem("Which share, in percent?", "25\\%", ("20\\%", "50\\%", "75\\%")),
     ("0.0025", "2500", "2.5\\%", "0.25\\%")),
)  # fmt: skip


@attack(
    "A number that differs from the right one after many digits earns what any wrong one does.",
    kinds=ANSWER,
    not_kinds=["choice"],
)
def _nearly_right(subject: Subject) -> Iterator[Trial]:
    if not _tolerant(subject):
        yield from WrongFor(_NEARLY)(subject)


@attack(
    "The right number rounded to fewer digits than tell it from others earns what a wrong one "
    "does.",
    kinds=ANSWER,
    not_kinds=["choice"],
)
def _rounded_too_far(subject: Subject) -> Iterator[Trial]:
    if not _tolerant(subject):
        yield from WrongFor(_ROUNDED)(subject)


def _tolerant(subject: Subject) -> bool:
    """Whether nearly right numbers were asked to count."""
    facts = attack_facts(subject)
    return bool(verifier_setting(facts, "rel_tol", 0)) or (
        verifier_setting(facts, "significant", None) is not None
    )


UNITS = on_answers(
    "another unit",
    "The right number with a unit that the reference does not have earns what a wrong number does.",
    WrongFor(_UNITS),
    not_kinds=["choice"],
)
PERCENT = on_answers(
    "percent and powers of ten",
    "The right digits as another number, a hundredth or a hundredfold, earn what a wrong number "
    "does.",
    WrongFor(_PERCENT),
    not_kinds=["choice"],
)
SCALED = on_answers(
    "the right number times something",
    "A word or sign that makes another number of the right one makes it wrong.",
    Twins((
        "{right} dozen",
        "{right} million",
        "{right} hundred",
        "{right} thousandths",
        "({right})^2",
        "2({right})",
        "({right})!",
        "\\frac{1}{{right}}",
        "({right})i",
        "\\sqrt{{right}}",
        "({right}) \\times 10^3",
    )),
    not_kinds=["choice"],
)  # fmt: skip
INSIDE = on_answers(
    "inside a longer answer",
    "A longer number, formula or word that holds the right one as a part earns what another does.",
    Twins((
        "7{right}",
        "{right}7",
        "17{right}71",
        "{right}.9",
        "{right}_7",
        "{right} x",
        "z{right}",
    )),
    not_kinds=["choice"],
)  # fmt: skip
NO_NUMBERS = on_answers(
    "numbers that are none",
    "NaN and infinities, which compare oddly, earn what a wrong number does.",
    NotAnswers((
        "nan", "NaN", "inf", "-inf", "Infinity", "\\infty", "1e999", "-1e999", "\\frac{0}{0}",
        "0/0", "1/0", "\\frac{1}{0}",
    )),
    not_kinds=["choice"],
)  # fmt: skip

ATTACKS = (
    _nearly_right,
    _rounded_too_far,
    UNITS,
    PERCENT,
    SCALED,
    INSIDE,
    NO_NUMBERS,
)
