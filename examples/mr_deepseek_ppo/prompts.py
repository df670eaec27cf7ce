"""What the model is asked, and the form in which it answers.

The form is HuatuoGPT-o1's: `## Thinking`, a blank line, the reasoning, `## Final Response`, a blank
line, the answer. The questions of the evaluation are asked in the words of the authors' scripts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RESPONSE = "## Thinking\n\n{thinking}\n\n## Final Response\n\n{answer}"
REASONING_TAGS = ("## Thinking", "## Final Response")

CHOICE = "Please answer the following multiple-choice question:\n{question}\n{options}"
STRICT_CHOICE = (
    "Please answer the following multiple-choice questions, ensuring your response concludes with "
    "the correct option in the format: 'The answer is A.'.\n{question}\n{options}"
)

OPENED_THINKING = r"<think>\n"  # as a chat template writes it


def response(thinking: str, answer: str) -> str:
    r"""Return a completion in the form.

    >>> response("Fever and rash.", "Measles.")
    '## Thinking\n\nFever and rash.\n\n## Final Response\n\nMeasles.'
    """
    return RESPONSE.format(thinking=thinking.strip(), answer=answer.strip())


def choice(template: str, question: str, options: Mapping[str, str]) -> str:
    r"""Return a multiple-choice question, an option a line.

    >>> choice("{question}\n{options}", "Which?", {"A": "this", "B": "that"})
    'Which?\nA. this\nB. that'
    """
    shown = "\n".join(f"{letter}. {text}" for letter, text in options.items())
    return template.replace("{options}", shown).replace("{question}", question)


def without_opened_thinking(tokenizer: Any) -> None:
    r"""Take the `<think>\n` off a chat template that opens it for the assistant.

    DeepSeek-R1's later templates do. It belongs to another form of answer: the model would reason
    before it comes to `## Thinking`, and no demonstration begins so.
    """
    tokenizer.chat_template = tokenizer.chat_template.replace(OPENED_THINKING, "")
