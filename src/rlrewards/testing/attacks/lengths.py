"""Length and repetition: too much text, text that looks short, and the same in disguise."""

from __future__ import annotations

from collections.abc import Iterator

from rlrewards.core import Sample
from rlrewards.testing.attack import VERDICT, Trial, attack, pair
from rlrewards.testing.envelopes import ENVELOPES, Envelope, best_envelope
from rlrewards.testing.law import NotApplicable
from rlrewards.testing.parts import attack_facts
from rlrewards.testing.problems import Problem, problems_for
from rlrewards.testing.subject import Subject

MAX_LENGTH = 200_000  # longer texts say nothing more


@attack(
    "A right answer padded beyond the limit earns at most what it earns at the limit.",
    kinds="length",
    needs=["max_length"],
)
def _padding_beyond_the_limit(subject: Subject) -> Iterator[Trial]:
    limit, problem = _limit(subject), problems_for(subject)[0]
    for answer in (problem.right, problem.wrong[-1]):
        honest = _of_length(subject, problem, answer, limit)
        for length in (limit + 1, limit * 3 // 2, 2 * limit, 3 * limit):
            yield Trial(_of_length(subject, problem, answer, length), honest)


@attack(
    "Of completions with the same token ids, one whose text looks shorter earns at most what the "
    "other does.",
    kinds="length",
    needs=["max_length"],
    not_kinds=["reasoning"],
)
def _short_text_of_many_tokens(subject: Subject) -> Iterator[Trial]:
    if subject.signature == "verl":
        raise NotApplicable("verl's signature has no token ids")
    limit, problem = _limit(subject), problems_for(subject)[0]
    form = _roomy(subject)
    for length in (limit // 2, limit, 2 * limit):
        honest = _of_length(subject, problem, problem.right, length)
        glued = "_".join(f"w{n}" for n in range(length))
        for reasoning in ("So", glued):
            text = form.wrap(problem.right, reasoning)
            yield Trial(problem.sample(text, token_ids=honest.token_ids), honest)


@attack(
    "An empty completion earns at most what a wrong answer of its length does.",
    kinds=VERDICT,
)
def _empty_completions(subject: Subject) -> Iterator[Trial]:
    form = best_envelope(subject)
    for problem in problems_for(subject):
        honest = form.wrap(problem.wrong[-1])
        for text in ("", " ", "\n\n", "\u200b", ".", "\x00", form.wrap(""), form.wrap(" ")):
            yield pair(subject, problem, text, honest)


def _limit(subject: Subject) -> int:
    limit = int(attack_facts(subject)["max_length"])
    if limit > MAX_LENGTH:
        raise NotApplicable(f"a limit of {limit:,} tokens is more than is tried")
    return limit


def _roomy(subject: Subject) -> Envelope:
    """Return the best form, or the first where that has no place for words."""
    form = best_envelope(subject)
    return form if "{reasoning}" in form.template else ENVELOPES[0]


def _of_length(subject: Subject, problem: Problem, answer: str, length: int) -> Sample:
    """Return a completion of so many tokens, words that all differ before the answer."""
    filler = " ".join(f"w{n}" for n in range(length))
    text = _roomy(subject).wrap(answer, filler)
    return problem.sample(text, token_ids=range(length))


# ---------------------------------------------------------------------------------------------
# Repetition

COPIES = 12
_REPETITION = ("repetition", "dense_repetition")


@attack(
    "A passage repeated with an odd word between the copies earns less than as many fresh words.",
    kinds=_REPETITION,
)
def _repetition_with_odd_words(subject: Subject) -> Iterator[Trial]:
    words = _passage(subject)
    yield _repeated(subject, [[*words, f"odd{copy}"] for copy in range(COPIES)])
    yield _repeated(subject, [[f"{copy}.", *words] for copy in range(COPIES)])


@attack(
    "A passage repeated in other case or with other white space earns less than as many fresh "
    "words.",
    kinds=_REPETITION,
)
def _repetition_in_another_case(subject: Subject) -> Iterator[Trial]:
    words = _passage(subject)
    changes = (str.upper, str.lower, str.title, str.swapcase)
    cased = [[*map(changes[copy % 4], words)] for copy in range(COPIES)]
    yield _repeated(subject, cased)
    for joint in ("  ", "\n", "\t", "\r\n", "\u3000", "\n\n"):
        yield _repeated(subject, cased, joint)


@attack(
    "A passage repeated with an invisible character in each copy earns less than as many fresh "
    "words.",
    kinds=_REPETITION,
)
def _repetition_with_invisible_characters(subject: Subject) -> Iterator[Trial]:
    first, *words = _passage(subject)
    for invisible in ("\u200b", "\u200d", "\u2060", "\u00ad"):
        yield _repeated(subject, [[first + invisible * n, *words] for n in range(COPIES)])


def _passage(subject: Subject) -> list[str]:
    """Return words that all differ, three times as many as an n-gram has and thirty at least."""
    facts = attack_facts(subject)
    if facts.get("threshold", 0) > 0.5:
        raise NotApplicable("it lets most of a text be repetition")
    if not facts.get("max_penalty", 1) or not facts.get("penalty", 1):
        raise NotApplicable("its penalty is zero")
    return [f"word{n}" for n in range(max(30, 3 * int(facts.get("n", 3))))]


def _repeated(subject: Subject, copies: list[list[str]], joint: str = " ") -> Trial:
    """Return the copies as a trial against as many words, and ids, that all differ."""
    words = [word for copy in copies for word in copy]
    ids: dict[str, int] = {}
    repeated = [ids.setdefault(word.casefold(), len(ids)) for word in words]
    fresh = [f"fresh{n}" for n in range(len(words))]
    problem = problems_for(subject)[0]
    return Trial(
        problem.sample(joint.join(words), token_ids=repeated),
        problem.sample(joint.join(fresh), token_ids=range(len(words))),
        strictly=True,
    )


ATTACKS = (
    _padding_beyond_the_limit,
    _short_text_of_many_tokens,
    _empty_completions,
    _repetition_with_odd_words,
    _repetition_in_another_case,
    _repetition_with_invisible_characters,
)
