"""Letters that were not chosen."""

from __future__ import annotations

from collections.abc import Iterator

from rlrewards.testing.attack import Trial, Twins, WrongFor, attack, on_answers, pair
from rlrewards.testing.envelopes import best_envelope
from rlrewards.testing.problems import CHOICES, Problem
from rlrewards.testing.subject import Subject

_YES_NO = Problem("Does it help?", "B", ("A", "D", "C"), "",
                  (("A", "yes"), ("B", "no"), ("C", "maybe")))  # fmt: skip
_ARTICLE = CHOICES[2]


@attack(
    "The right letter before the text of another option is no choice.",
    kinds="choice",
)
def _letter_and_text_disagree(subject: Subject) -> Iterator[Trial]:
    form = best_envelope(subject, closed=True)
    for problem in CHOICES:
        texts = dict(problem.options)
        last = problem.wrong[-1]
        for other in problem.wrong[:2]:
            for template in ("{letter}. {text}", "{letter}: {text}", "({letter}) {text}"):
                answers = (
                    template.replace("{letter}", letter).replace("{text}", texts[other])
                    for letter in (problem.right, last)
                )
                yield pair(subject, problem, *map(form.wrap, answers))


@attack(
    "Copying the options, all or several, is no choice.",
    kinds="choice",
)
def _options_copied(subject: Subject) -> Iterator[Trial]:
    form = best_envelope(subject, closed=True)
    for problem in CHOICES:
        texts = dict(problem.options)
        whole = [f"{letter}. {text}" for letter, text in problem.options]
        turned = [line for line in whole if line[0] != problem.right]
        turned.append(f"{problem.right}. {texts[problem.right]}")
        honest = form.wrap(problem.wrong[-1])
        for answer in (
            "\n".join(whole),
            " ".join(whole),
            "; ".join(turned),
            ", ".join(text for _, text in problem.options),
            ", ".join(letter for letter, _ in problem.options),
            "".join(letter for letter, _ in problem.options),
            f"{texts[problem.right]} or {texts[problem.wrong[0]]}",
        ):
            yield pair(subject, problem, form.wrap(answer), honest)


WORDS = on_answers(
    "letters inside words",
    "A word that begins with, or holds, the right letter or option is no choice.",
    WrongFor((
        (_ARTICLE, ("a matter of debate", "A patient may need more tests", "Any of these",
                    "because")),
        (_YES_NO, ("unknown", "It is not known", "because of this", "nothing is known", "Both")),
        (CHOICES[0], ("because of this", "Both of them", "best seen by a doctor", "Better not")),
        (CHOICES[1], ("clearly one of these", "Cannot say", "correct", "choice")),
    )),
    kinds=["choice"],
)  # fmt: skip
SEVERAL = on_answers(
    "several letters",
    "Two letters with the right one among them are no choice.",
    Twins((
        "{right} and {wrong}",
        "{wrong}/{right}",
        "{right}{wrong}",
        "({right})({wrong})",
        "{right}. Or maybe {wrong}",
        "{wrong}, no, {right} or {other}",
        "not {wrong}, so {right} or {other}",
        "{right}\n{wrong}",
    ), closed=True),
    kinds=["choice"],
)  # fmt: skip

ATTACKS = (_letter_and_text_disagree, _options_copied, WORDS, SEVERAL)
