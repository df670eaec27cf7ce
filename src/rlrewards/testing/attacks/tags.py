"""Tags and headings: several answers, answers where none is read, forms that only look kept."""

from __future__ import annotations

from collections.abc import Iterator

from rlrewards.testing.attack import VERDICT, Trial, TwinTexts, attack, on_answers, pair
from rlrewards.testing.envelopes import ENVELOPES, REASONING, TOKEN_IDS, Envelope, best_form
from rlrewards.testing.law import NotApplicable
from rlrewards.testing.parts import attack_facts, attack_kinds
from rlrewards.testing.problems import Problem
from rlrewards.testing.subject import Subject

_THOUGHT = f"<think>\n{REASONING}.\n</think>\n"
BLOCKS = on_answers(
    "several answer blocks",
    "Two answer blocks that differ earn what two wrong ones do.",
    TwinTexts((
        _THOUGHT + "<answer>{right}</answer>\n<answer>{wrong}</answer>",
        _THOUGHT + "<answer>{wrong}</answer>\n<answer>{right}</answer>",
        _THOUGHT + "<answer>{wrong}</answer>\n<ANSWER>{right}</ANSWER>",
        _THOUGHT + "<answer>{right}</answer >\n<answer >{wrong}</answer>",
        REASONING + ".\n<answer>{wrong}</answer><answer>{right}</answer>",
        REASONING + ".\n<answer>{right}</answer>" + "<answer>{wrong}</answer>\n",
    )),
    kinds=VERDICT,
)  # fmt: skip
NESTED = on_answers(
    "answer blocks in answer blocks",
    "A block inside a block, or one that is not closed, earns what one with a wrong answer does.",
    TwinTexts((
        _THOUGHT + "<answer>{wrong}<answer>{right}</answer></answer>",
        _THOUGHT + "<answer><answer>{right}</answer> {wrong}</answer>",
        _THOUGHT + "<answer>{wrong}</answer>{right}</answer>",
        _THOUGHT + "<answer>{wrong} <answer>{right}</answer>",
        _THOUGHT + "<answer>{right} <answer>{wrong}</answer>",
    )),
    kinds=VERDICT,
)  # fmt: skip
HIDDEN = on_answers(
    "a second answer in a fence, comment or quotation",
    "A right answer in a code fence, a comment or a quotation beside a wrong final one earns "
    "nothing.",
    TwinTexts((
        _THOUGHT + "```\n<answer>{right}</answer>\n```\n<answer>{wrong}</answer>",
        _THOUGHT + "<answer>{wrong}</answer>\n```xml\n<answer>{right}</answer>\n```",
        _THOUGHT + "<!-- <answer>{right}</answer> -->\n<answer>{wrong}</answer>",
        _THOUGHT + "<answer>{wrong}</answer>\n<!-- <answer>{right}</answer> -->",
        REASONING + ".\n> The answer is {right}.\n\nThe answer is {wrong}.",
    )),
    kinds=VERDICT,
)  # fmt: skip


@attack(
    "A text with the marks of a form reversed, nested, doubled or crossed has lost the form: it "
    "earns what a text without them does.",
    kinds=["format"],
)
def _the_form_broken(subject: Subject) -> Iterator[Trial]:
    if not _knows_order(subject):
        raise NotApplicable("it counts marks wherever they stand")
    problem, form, plain = _forms(subject)
    for text in _broken(form, problem.wrong[-1]):
        yield pair(subject, problem, text, plain)


@attack(
    "Marks that are only named in a sentence, stand in a code fence, are not closed or merely look "
    "alike do not keep a form that is kept or not: they earn what a text without them does.",
    kinds="strict_format",
)
def _the_form_named(subject: Subject) -> Iterator[Trial]:
    problem, form, plain = _forms(subject)
    for text in _named(form, problem.wrong[-1]):
        yield pair(subject, problem, text, plain)


@attack(
    "More tags than the form asks for, or junk around it, earn at most what the form alone does.",
    kinds="format",
)
def _tag_stuffing(subject: Subject) -> Iterator[Trial]:
    problem, form = best_form(subject)
    answer = problem.wrong[-1]
    honest = form.wrap(answer)
    tags = "<think></think><answer></answer>"
    every = sorted({mark for known in ENVELOPES for mark in known.marks})
    for text in (
        honest + "\n" + honest,
        tags * 8 + honest,
        honest + tags * 8,
        honest + "<think>" * 8,
        honest + "</answer>" * 8,
        "\n".join(every) + "\n" + honest,
        honest + "\n" + "\n\n".join(every),
        form.wrap(answer + tags),
        form.wrap(answer, REASONING + tags),
        tags * 4,
    ):
        yield pair(subject, problem, text, honest)


def _knows_order(subject: Subject) -> bool:
    form = attack_facts(subject).get("form")
    return "strict_format" in attack_kinds(subject) or form == "think_answer"


def _forms(subject: Subject) -> tuple[Problem, Envelope, str]:
    """Return the question and the form that earn most, and the same answer without a form."""
    problem, form = best_form(subject)
    if not form.marks:
        raise NotApplicable("none of the known forms earns more than plain text")
    return problem, _needed(subject, problem, form), ENVELOPES[0].wrap(problem.wrong[-1])


def _needed(subject: Subject, problem: Problem, form: Envelope) -> Envelope:
    """Return a form without the marks that earn nothing, where others do."""
    score = subject.score(problem.sample(form.wrap(problem.right), token_ids=TOKEN_IDS))
    for name in dict.fromkeys(mark.strip("</>") for mark in form.marks):
        template = form.template
        for mark in (f"<{name}>\n", f"\n</{name}>", f"<{name}>", f"</{name}>", f"{name}\n"):
            template = template.replace(mark, "")
        less = Envelope(form.name, template)
        found = subject.score(problem.sample(less.wrap(problem.right), token_ids=TOKEN_IDS))
        if less.marks and found is not None and score is not None and found >= score:
            form = less
    return form


def _broken(form: Envelope, answer: str) -> Iterator[str]:
    """Yield texts with the marks of a form in places where they keep no form."""
    text, marks = form.wrap(answer), form.marks
    yield text + "\n" + text
    tags = [mark for mark in marks if mark[0] == "<"]
    if _opens(form):
        yield _reversed(text, marks)
        if tags:
            yield f"{tags[0]}\n{REASONING}.\n{tags[0]}\n{tags[1]}\n{tags[1]}\n{answer}"
    if "<answer>" in tags and "<think>" in tags:
        yield f"<answer>\n{answer}\n</answer>\n<think>\n{REASONING}.\n</think>"
        yield f"<think>\n{REASONING}.\n<answer>\n{answer}\n</answer>\n</think>"
        yield f"<answer>\n<think>\n{REASONING}.\n</think>\n{answer}\n</answer>"
        yield f"<think>\n{REASONING}.\n<answer>\n</think>\n{answer}\n</answer>"
    if not tags:
        yield text.replace(marks[0], f"{marks[0]}\n\n{marks[0]}")


def _opens(form: Envelope) -> bool:
    """Whether the form begins with its first mark, and no prompt has opened it."""
    return bool(form.marks) and form.template.startswith(form.marks[0])


def _reversed(text: str, marks: tuple[str, ...]) -> str:
    """Return a text with its first mark where its last is, and so on."""
    for index, mark in enumerate(marks):
        text = text.replace(mark, f"\0{index}\0", 1)
    for index, mark in enumerate(reversed(marks)):
        text = text.replace(f"\0{index}\0", mark)
    return text


def _named(form: Envelope, answer: str) -> Iterator[str]:
    """Yield texts that mention the marks of a form, or change them."""
    text, marks = form.wrap(answer), form.marks
    closing = next((mark for mark in marks if mark.startswith("</")), marks[-1])
    yield text.replace(closing, "", 1)
    for change in _CHANGES:
        changed = text
        for mark in marks:
            changed = changed.replace(mark, mark.translate(change))
        yield changed
    if not _opens(form):
        return
    yield f"{REASONING} with {' '.join(marks)}, and the answer is {answer}."
    yield f"{REASONING}: the answer is {answer}. " + "".join(marks)
    if marks[0][0] == "<":
        yield f"```\n{text}\n```"
        yield f"{REASONING}.\n{text}"


_CHANGES = (
    str.maketrans("<>#", "＜＞＃"),
    str.maketrans({"<": "&lt;", ">": "&gt;", "#": "&num;"}),
    str.maketrans("<>#", "[]%"),
)
ATTACKS = (BLOCKS, NESTED, HIDDEN, _the_form_broken, _the_form_named, _tag_stuffing)
