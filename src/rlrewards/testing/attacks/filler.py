"""Much text around no answer: filler, bold, and numbers dropped in passing."""

from __future__ import annotations

from rlrewards.testing.attack import VERDICT, TwinTexts, on_answers
from rlrewards.testing.envelopes import REASONING

BOLD = on_answers(
    "bold everything",
    "Bold type on everything earns what it earns without the right value among it.",
    TwinTexts((
        f"**{REASONING}.** **{{wrong}}** **{{right}}** **{{other}}**",
        f"{REASONING}.\n\n**{{right}}** and **{{wrong}}**",
        f"{REASONING}.\n\n**{{wrong}}** **{{right}}**",
        "**The** **answer** **is** **{wrong}** **or** **{right}**",
        "**{right}**\n\n**So** **it** **is** **{wrong}**",
    )),
    kinds=VERDICT,
)  # fmt: skip
IN_PASSING = on_answers(
    "the right value in passing",
    "Prose that mentions the right value and gives no answer earns what prose with a wrong one "
    "does.",
    TwinTexts((
        f"{REASONING}. Some would say {{right}}, which is a fine value to think about.",
        f"{{right}} is one of the values that come to mind. {REASONING}.",
        f"{REASONING}: {{wrong}}, {{other}}, {{right}}",
        f"{REASONING}. There are people who like {{right}} best. I have no answer.",
        f"Is it {{right}}? {REASONING}. Who knows?",
        "{right} " + "and so on and on " * 3,
    )),
    kinds=VERDICT,
)  # fmt: skip
TITLES = on_answers(
    "headings and markers without an answer",
    "The words that announce an answer, with the right value somewhere else, earn nothing for it.",
    TwinTexts((
        f"{{right}}\n\n{REASONING}.\n\n## Final Answer\n\n",
        f"The value {{right}} is discussed. {REASONING}.\n\nFinal answer:",
        f"{REASONING} {{right}}.\n####",
        f"{REASONING} {{right}}.\n\n**Answer**",
        f"<think>\n{REASONING} {{right}}.\n</think>\n<answer></answer>",
        f"<think>\n{REASONING}.\n</think>\n{{right}}\n<answer></answer>",
    )),
    kinds=VERDICT,
)  # fmt: skip

ATTACKS = (BOLD, IN_PASSING, TITLES)
