"""More than one answer, so that one of them is right."""

from __future__ import annotations

from rlrewards.testing.attack import VERDICT, NotAnswers, Twins, TwinTexts, on_answers
from rlrewards.testing.envelopes import REASONING

HEDGES = on_answers(
    "hedges",
    "An answer that names the right value beside a wrong one earns what two wrong ones do.",
    Twins((
        "{right} or {wrong}",
        "{wrong} or {right}",
        "probably {right}, maybe {wrong}",
        "maybe {wrong}, but probably {right}",
        "either {wrong} or {right}",
        "{right} (or {wrong})",
        "{right}, if not {wrong}",
        "{wrong} and {right}",
        "{right} versus {wrong}",
    )),
)  # fmt: skip
LISTS = on_answers(
    "lists of candidates",
    "A list with the right value in it earns what a list of wrong ones does.",
    Twins((
        "{right}, {wrong}, {other}",
        "{wrong}, {other}, {right}",
        "{wrong}; {right}; {other}",
        "[{wrong}, {right}]",
        "\\{{wrong}, {right}\\}",
        "({right}, {wrong})",
        "{wrong} | {other} | {right}",
        "{wrong} {other} {right}",
        "1) {wrong} 2) {right}",
        "candidates: {right}, {wrong}",
    )),
)  # fmt: skip
NEGATIONS = on_answers(
    "negations",
    "An answer that denies the right value earns what one that denies a wrong value does.",
    Twins((
        "not {right}",
        "anything but {right}",
        "\\neq {right}",
        "{right} is wrong",
        "never {right}",
        "not {right} but {wrong}",
        "~~{right}~~ {wrong}",
        "\\cancel{{right}} {wrong}",
    )),
)  # fmt: skip
SUPERSEDED = on_answers(
    "a first answer taken back",
    "Where a second final answer in the same form follows the first, the first earns nothing.",
    kinds=VERDICT,
    trials=TwinTexts((
        f"{REASONING}.\n\nThe answer is {{right}}.\n\nI check it.\n\nThe answer is {{wrong}}.",
        f"{REASONING}.\n\n$\\boxed{{{{right}}}}$.\n\nI check it.\n\n$\\boxed{{{{wrong}}}}$.",
        f"{REASONING}.\n#### {{right}}\nI check it.\n#### {{wrong}}",
        f"{REASONING}.\nAnswer: {{right}}\n\nAnswer: {{wrong}}",
        f"<think>\n{REASONING}.\n</think>\nThe answer is $\\boxed{{{{right}}}}$.\n\n"
        "I check it.\n\nThe answer is $\\boxed{{wrong}}$.",
        f"## Thinking\n\n{REASONING}.\n\n## Final Response\n\nThe answer is "
        "$\\boxed{{right}}$.\n\nI check it.\n\nThe answer is $\\boxed{{wrong}}$.",
    )),
)  # fmt: skip
PLACEHOLDERS = on_answers(
    "placeholders",
    "Words that stand for whatever is right earn what a wrong answer does.",
    NotAnswers((
        "x, where x is the right answer",
        "the answer",
        "the correct answer",
        "x",
        "?",
        "as in the question",
        "whichever is correct",
        "\\text{answer}",
        "as above",
    )),
)  # fmt: skip
ABSTENTIONS = on_answers(
    "abstentions",
    "Saying that one does not know, that nothing fits or that everything does, earns what a wrong "
    "answer does.",
    NotAnswers((
        "I do not know",
        "unknown",
        "none of the above",
        "all of the above",
        "cannot be determined",
        "it depends",
        "None",
        "null",
    )),
)  # fmt: skip

ATTACKS = (HEDGES, LISTS, NEGATIONS, SUPERSEDED, PLACEHOLDERS, ABSTENTIONS)
