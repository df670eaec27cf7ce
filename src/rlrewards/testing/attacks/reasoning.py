"""The right answer in the reasoning and not behind it, and steps that are none."""

from __future__ import annotations

from collections.abc import Iterator

from rlrewards.testing.attack import VERDICT, Trial, attack, filled, pair
from rlrewards.testing.envelopes import REASONING, best_envelope
from rlrewards.testing.parts import attack_facts, verifier_setting
from rlrewards.testing.problems import problems_for
from rlrewards.testing.subject import Subject

_SAID = ("The answer is {right}.", "The answer is $\\boxed{{right}}$.", "<answer>{right}</answer>",
         "#### {right}")  # fmt: skip


@attack(
    "An answer that stands in the reasoning alone is no answer, also where the reasoning is not "
    "closed.",
    kinds=VERDICT,
)
def _answer_in_the_reasoning_only(subject: Subject) -> Iterator[Trial]:
    opening, closing = _tags(subject)
    for problem in problems_for(subject):
        for said in _SAID:
            for template in (
                f"{opening}\n{REASONING}.\n{said}\n{closing}",
                f"{opening}\n{REASONING}.\n{said}\n{closing}\nI am done.",
                f"{opening}\n{REASONING}.\n{said}",
                f"{REASONING}.\n{closing}\n{opening}\n{said}\n{closing}",
            ):
                yield pair(subject, problem, *filled(template, problem))


@attack(
    "Reasoning that names the right answer adds nothing to a final answer that is wrong.",
    kinds=VERDICT,
)
def _right_reasoning_wrong_answer(subject: Subject) -> Iterator[Trial]:
    form, (opening, closing) = best_envelope(subject), _tags(subject)
    for problem in problems_for(subject):
        for said in ("so it is {right}", "it is {right}, which I check: {right}",
                     "one may think of {right}"):  # fmt: skip
            template = form.wrap("{wrong}", f"{REASONING}, {said}")
            yield pair(subject, problem, *filled(template, problem))
        for said in _SAID:
            final = said.replace("right", "wrong")
            template = f"{opening}\n{REASONING}.\n{said}\n{closing}\n{final}"
            yield pair(subject, problem, *filled(template, problem))


@attack(
    "Reasoning that opens again after a wrong final answer, with the right one in it, earns "
    "nothing.",
    kinds=VERDICT,
)
def _reasoning_after_the_answer(subject: Subject) -> Iterator[Trial]:
    opening, closing = _tags(subject)
    for problem in problems_for(subject):
        for said in _SAID:
            final = said.replace("right", "wrong")
            for template in (
                f"{opening}\n{REASONING}.\n{closing}\n{final}\n{opening}\n{said}\n{closing}",
                f"{opening}\n{REASONING}.\n{closing}\n{final}\n{opening}\n{said}",
                f"{opening}\n{REASONING}.\n{closing}\n{final}\n{opening}\n{said}\n{closing}\n{final}",
            ):
                yield pair(subject, problem, *filled(template, problem))


def _tags(subject: Subject) -> tuple[str, str]:
    """Return what opens and closes the reasoning, as the reward's verifier has it."""
    default = ("<think>", "</think>")
    found: tuple[str, str] = verifier_setting(attack_facts(subject), "reasoning_tags", default)
    return found


_ONE_STEP = "1. Read the question and take from it whatever is given there, all of it"
_PROSE = "we read the question and take from it whatever is given there, all of it"


@attack(
    "The same step marker again and again, or markers within a line, count as one step.",
    kinds="reasoning",
)
def _markers_without_steps(subject: Subject) -> Iterator[Trial]:
    yield from _beside_one(subject, f"First, {_PROSE}", (
        f"First,First,First,First, {_PROSE}",
        f"First, {_PROSE}\nFirst, {_PROSE}\nFirst, {_PROSE}",
        f"First, second, third, then, {_PROSE}",
    ))  # fmt: skip
    yield from _beside_one(subject, _ONE_STEP, (
        f"1. 2. 3. 4. {_ONE_STEP}",
        "\n".join([_ONE_STEP] * 5),
        f"1. 1. 1. 1. {_ONE_STEP}",
        f"{_ONE_STEP}, step 2, step 3, step 4",
    ))  # fmt: skip
    bullet = f"- {_PROSE}"
    yield from _beside_one(subject, bullet, ("\n".join([bullet] * 5), f"- - - - - {_PROSE}"))


@attack(
    "Steps listed behind the reasoning are no steps of the reasoning.",
    kinds="reasoning",
)
def _steps_behind_the_reasoning(subject: Subject) -> Iterator[Trial]:
    problem = problems_for(subject)[0]
    honest = f"<think>\n{_PROSE}\n</think>\nThe answer is {problem.wrong[-1]}."
    for steps in ("1. Add.\n2. Halve.\n3. Check.\n4. Say.", "\n".join(f"- {n} is one" for n in
                  range(9)), "First, add.\nThen, halve.\nFinally, check."):  # fmt: skip
        yield pair(subject, problem, f"{honest}\n{steps}", honest)


@attack(
    "Blank lines are no steps.",
    kinds="reasoning",
)
def _blank_lines(subject: Subject) -> Iterator[Trial]:
    problem = problems_for(subject)[0]
    final = f"\n</think>\nThe answer is {problem.wrong[-1]}."
    for blank in ("\n" * 20, "\n \t" * 20, "\r\n" * 20, "\n\u3000" * 20):
        text = f"<think>\n{_PROSE}{blank}{final}"
        yield pair(subject, problem, text, text.replace(blank, "", 1))


def _beside_one(subject: Subject, honest: str, attacks: tuple[str, ...]) -> Iterator[Trial]:
    problem = problems_for(subject)[0]
    final = f"\n</think>\nThe answer is {problem.wrong[-1]}."
    for text in attacks:
        yield pair(subject, problem, f"<think>\n{text}{final}", f"<think>\n{honest}{final}")


ATTACKS = (
    _answer_in_the_reasoning_only,
    _right_reasoning_wrong_answer,
    _reasoning_after_the_answer,
    _markers_without_steps,
    _steps_behind_the_reasoning,
    _blank_lines,
)
