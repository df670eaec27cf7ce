"""Write completions.jsonl: made-up problems, answered in the ways that models answer.

    python examples/data/make_completions.py

Four completions for each problem: right ones and wrong ones in several notations, and some that
hold no answer at all (cut short, undecided between two, refused). `label` says which are right.
The same 200 rows come out every time.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PROBLEMS_EACH = {"arithmetic": 20, "fractions": 14, "choice": 16}
COMPLETIONS_EACH = 4
NAMES = ("Ada", "Ben", "Chandra", "Dmitri", "Emeka", "Fatima")
GOODS = ("pears", "tiles", "stamps", "buns", "marbles", "bolts")


@dataclass
class Problem:
    """A question with its answer, a likely mistake, and the working that leads to either."""

    question: str
    right: str
    wrong: str
    work: str
    options: dict[str, str] = field(default_factory=dict)


# ---------------------------------------------------------------------------------------------
# Problems


def arithmetic(rng: random.Random) -> Problem:
    name, goods = rng.choice(NAMES), rng.choice(GOODS)
    boxes, each, lost = rng.randint(3, 19), rng.randint(12, 96), rng.randint(2, 11)
    whole = boxes * each
    return Problem(
        question=f"{name} buys {boxes} boxes of {each} {goods} and loses {lost} of the {goods}. "
        f"How many {goods} are left?",
        right=f"{whole - lost:,}",
        wrong=f"{whole + lost:,}",
        work=f"There are {boxes} boxes of {each}, so {boxes} * {each} = {whole} {goods} in all. "
        f"Then {lost} of them are lost.",
    )


def fractions(rng: random.Random) -> Problem:
    first = Fraction(rng.randint(1, 5), rng.randint(6, 9))
    second = Fraction(rng.randint(1, 4), rng.randint(5, 11))
    total = first + second
    slip = Fraction(
        first.numerator + second.numerator, first.denominator + second.denominator
    )  # numerators and denominators added apart, as beginners do
    return Problem(
        question=f"What is {first} + {second}, as a fraction?",
        right=rng.choice((latex, str))(total),
        wrong=latex(slip),
        work=f"A common denominator of {first} and {second} is "
        f"{first.denominator * second.denominator}.",
    )


def latex(value: Fraction) -> str:
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"


def choice(rng: random.Random) -> Problem:
    a, b = rng.randint(12, 49), rng.randint(3, 9)
    answers = [a * b, a * b + b, a + b, a * b - 10]
    right = answers[0]
    rng.shuffle(answers)
    options = dict(zip("ABCD", map(str, answers), strict=True))
    letter = "ABCD"[answers.index(right)]
    return Problem(
        question=f"What is the area of a rectangle with sides of {a} cm and {b} cm, in cm²?",
        right=letter,
        wrong=rng.choice([other for other in options if other != letter]),
        work=f"The area is the product of the sides, {a} and {b}.",
        options=options,
    )


# ---------------------------------------------------------------------------------------------
# Ways to answer: (problem, answer) -> completion


def think_answer(problem: Problem, answer: str) -> str:
    return f"<think>{problem.work}</think>\n<answer>{answer}</answer>"


def think_boxed(problem: Problem, answer: str) -> str:
    return f"<think>{problem.work}</think>\n\nSo we get \\boxed{{{answer}}}."


def boxed(problem: Problem, answer: str) -> str:
    return f"{problem.work}\n\nTherefore the result is $\\boxed{{{answer}}}$."


def hashes(problem: Problem, answer: str) -> str:
    return f"{problem.work}\n#### {answer}"


def sentence(problem: Problem, answer: str) -> str:
    return f"{problem.work} The final answer is {answer}."


def with_text(problem: Problem, answer: str) -> str:
    text = problem.options[answer]
    return f"<think>{problem.work}</think> <answer>{answer}. {text}</answer>"


def changed_mind(problem: Problem, answer: str) -> str:
    first = problem.wrong if answer == problem.right else problem.right
    return f"<think>Is it \\boxed{{{first}}}? No. {problem.work}</think> <answer>{answer}</answer>"


def json_reply(problem: Problem, answer: str) -> str:
    return json.dumps({"reasoning": problem.work, "answer_choice": answer})


ANSWERING = (think_answer, think_answer, think_boxed, boxed, sentence, changed_mind)
NUMBERS_ONLY = (hashes,)
CHOICE_ONLY = (with_text, json_reply)


# ---------------------------------------------------------------------------------------------
# Ways not to answer: problem -> completion


def cut_short(problem: Problem) -> str:
    return f"<think>{problem.work[: 2 * len(problem.work) // 3]}"


def between_two(problem: Problem) -> str:
    return (
        f"<think>{problem.work}</think> <answer>{problem.right}</answer> or perhaps "
        f"<answer>{problem.wrong}</answer>"
    )


def refused(problem: Problem) -> str:
    return "I'm sorry, but I can't help with that."


def unsure(problem: Problem) -> str:
    return f"<think>{problem.work}</think> I do not know."


NOT_ANSWERING = (cut_short, between_two, refused, unsure)


# ---------------------------------------------------------------------------------------------
# Rows


def rows(seed: int = 0) -> Iterator[dict[str, Any]]:
    rng = random.Random(seed)
    makers: dict[str, Callable[[random.Random], Problem]] = {
        "arithmetic": arithmetic,
        "fractions": fractions,
        "choice": choice,
    }
    for benchmark, count in PROBLEMS_EACH.items():
        for number in range(count):
            problem = makers[benchmark](rng)
            for _ in range(COMPLETIONS_EACH):
                yield {
                    "benchmark": benchmark,
                    "group": f"{benchmark}-{number}",
                    "question": problem.question,
                    **({"options": problem.options} if problem.options else {}),
                    "reference": problem.right,
                    **answered(problem, rng),
                }


def answered(problem: Problem, rng: random.Random) -> dict[str, Any]:
    draw = rng.random()
    if draw > 0.85:
        way = rng.choice(NOT_ANSWERING)
        return {"completion": way(problem), "truncated": way is cut_short, "label": False}
    right = draw < 0.55
    ways = ANSWERING + (CHOICE_ONLY if problem.options else NUMBERS_ONLY)
    completion = rng.choice(ways)(problem, problem.right if right else problem.wrong)
    return {"completion": completion, "truncated": False, "label": right}


def main() -> None:
    with (HERE / "completions.jsonl").open("w", encoding="utf-8") as file:
        for row in rows():
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
