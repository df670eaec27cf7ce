r"""Generated questions for the tiny size: sums, as free answers or as multiple choice.

    add 7 + 5 =                                 answer 12
    choose 7 + 5 = ( A ) 12 ( B ) 14 ...        answer A

The demonstrations are in the form that the recipe gives, on sloppy arithmetic: most of the answers
that the supervised stage imitates are near misses. So the RL stage has something to raise, and what
rises is the accuracy. Nothing is read from a file or a network.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

LETTERS = "ABCDE"
LARGEST_NUMBER = 60
NUMBERS = [str(number) for number in range(LARGEST_NUMBER + 1)]
# Everything that a tiny model reads or writes, whatever the recipe.
WORDS = [
    *("<think>", "</think>", "<answer>", "</answer>", "#", "##", "####", "**", "Thinking", "Final"),
    *("Response", "Answer", "Reasoning", "Assessment", "Clinical", "The", "the", "answer", "is"),
    *("add", "choose", "so", "because", "not", "+", "-", "=", "(", ")", ":", ".", ",", "yes", "no"),
    *LETTERS,
    *(f"{letter}." for letter in LETTERS),
    *(rf"\boxed{{{letter}}}" for letter in LETTERS),
    *NUMBERS,
    *(rf"\boxed{{{number}}}" for number in NUMBERS),
]

Question = dict[str, Any]
Demonstration = Callable[[Question, str], str]  # (question, the answer to give) -> completion


def sums(*, largest: int = 9) -> list[Question]:
    """Return every sum of two numbers up to `largest`: question, final_answer, sum."""
    terms = range(1, largest + 1)
    return [
        {"question": f"add {a} + {b} =", "final_answer": str(a + b), "sum": f"{a} + {b}"}
        for a in terms
        for b in terms
    ]


def choices(*, largest: int = 9, seed: int = 0, letters: str = LETTERS) -> list[Question]:
    """Return the same sums as multiple choice: question, options, final_answer (a letter), sum.

    The wrong options are near misses, and every letter is right equally often.
    """
    rng = random.Random(f"choices {seed}")
    questions = []
    for index, row in enumerate(rng.sample(sums(largest=largest), largest * largest)):
        right = int(row["final_answer"])
        near = [n for n in range(max(0, right - 4), right + 5) if n != right]
        texts = [str(n) for n in rng.sample(near, len(letters) - 1)]
        place = index % len(letters)
        texts.insert(place, str(right))
        options = dict(zip(letters, texts, strict=True))
        shown = " ".join(f"( {letter} ) {text}" for letter, text in options.items())
        questions.append(
            {
                "question": f"choose {row['sum']} = {shown}",
                "options": options,
                "final_answer": letters[place],
                "sum": row["sum"],
                "value": str(right),
            }
        )
    return questions


def sloppy(question: Question, rng: random.Random, *, sloppiness: int = 2) -> str:
    """Return an answer that is off by up to `sloppiness`, or a letter drawn at random."""
    if "options" in question:
        wrong = rng.random() < sloppiness / (sloppiness + 1)
        return rng.choice(list(question["options"])) if wrong else question["final_answer"]
    return str(max(0, int(question["final_answer"]) + rng.randint(-sloppiness, sloppiness)))


def demonstrations(
    questions: list[Question],
    demonstrate: Demonstration,
    *,
    count: int,
    seed: int = 0,
    sloppiness: int = 2,
    careless: Demonstration | None = None,
    careless_share: float = 0.0,
) -> Iterator[tuple[Question, str]]:
    """Yield `count` questions, each with a completion in the recipe's form.

    A share of them is in the form of `careless` instead, for a form that is to be learnt, too.
    """
    rng = random.Random(f"demonstrations {seed}")
    for _ in range(count):
        question = rng.choice(questions)
        answer = sloppy(question, rng, sloppiness=sloppiness)
        is_careless = careless is not None and rng.random() < careless_share
        yield question, (careless if is_careless and careless else demonstrate)(question, answer)
